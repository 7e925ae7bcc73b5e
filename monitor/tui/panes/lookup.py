"""Lookup: where a packet to an address would go, by BGP, by the kernel, and once the plan is applied."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from textual.app import ComposeResult
from textual.widgets import Input

from monitor.text.table import clean
from monitor.tui.cells import STATE_TOKENS
from monitor.tui.desk import Desk
from monitor.tui.keys import edit
from monitor.tui.line import Line, line, rule, wrapped
from monitor.tui.lines import Lines
from monitor.tui.pane import Pane

MOST_ASKED = 50


class LookupPane(Pane):
    """One address at a time; those asked before are an arrow away."""

    title = "Lookup"
    interval = 2.0

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="lookup")
        self.address = ""
        self.answer: dict[str, Any] = {}
        self.asked: list[str] = []
        self._back = 0
        self.wrong = ""

    def compose(self) -> ComposeResult:
        """The question and the answer."""
        yield Lines(self.desk.painter, id="lookup-head")
        yield Input(
            placeholder="an address, such as 10.1.5.20",
            id="lookup-input",
            classes="prompt",
            compact=True,
            select_on_focus=False,
        )
        answer = Lines(self.desk.painter, id="lookup-answer")
        answer.styles.height = "1fr"
        yield answer

    def arrive(self, address: str = "", **_: Any) -> None:
        """Ask for an address, if there is one."""
        if address:
            self._ask(address)
        else:
            self.screen.set_focus(self.query_one(Input))

    def _ask(self, text: str) -> None:
        bare = text.split("/", maxsplit=1)[0].strip()
        try:
            self.address = str(ipaddress.ip_address(bare))
        except ValueError:
            self.wrong = f"{clean(text)} is not an IP address; write for example 10.1.5.20 or 2001:db8::1"
            self.redraw()
            return
        self.wrong = ""
        self.answer = {}
        if not self.asked or self.asked[-1] != self.address:
            self.asked = [*self.asked, self.address][-MOST_ASKED:]
        self._back = 0
        self.query_one(Input).value = self.address
        self.renew()
        self.screen.set_focus(None)

    def take(self, event: Any) -> bool:
        """Deal with a key while the address is typed; up and down walk through what was asked before."""
        box = self.query_one(Input)
        if self.screen.focused is not box:
            return False
        if event.key == "enter":
            self._ask(box.value)
        elif event.key in {"up", "down"} and self.asked:
            self._back = min(max(self._back + (1 if event.key == "up" else -1), 0), len(self.asked))
            box.value = self.asked[-self._back] if self._back else ""
            box.cursor_position = len(box.value)
        elif event.key == "escape":
            self.screen.set_focus(None)
        elif (event.character or "") in "0123456789abcdefABCDEF.:/%" or not event.is_printable:
            return edit(box, event)
        else:
            # No address has this letter: it is meant for the screen.
            self.screen.set_focus(None)
            return False
        return True

    async def load(self) -> None:
        """Ask again: the answer changes with the tables."""
        if self.address:
            address = self.address
            answer = await self.desk.link.ask("lookup", address=address)
            if address == self.address:
                self.answer = answer

    def draw(self) -> None:
        """The answer, in three parts and a verdict."""
        head = line(
            (" Where would this go?  ", "title"), ("type an address, enter; esc leaves the field, i asks anew", "muted")
        )
        self.lines("lookup-head").show([head])
        found: list[Line] = []
        if self.wrong:
            found = list(wrapped(self.wrong, self.size.width - 1, "bad", line(" !! "), "    "))
        elif self.failure:
            found = [self.trouble()]
        elif self.answer:
            found = list(self._answer(self.size.width))
        self.lines("lookup-answer").show(found, fade=self.fade and bool(self.answer))

    def _answer(self, columns: int) -> Iterator[Line]:
        answer = self.answer
        agrees = answer.get("agrees")
        yield rule(columns, clean(answer.get("address")))
        token = "bad" if agrees is False else "ok" if agrees else "text"
        yield from wrapped(str(answer.get("verdict") or ""), columns, token, line((" VERDICT   ", "title")), " " * 11)
        yield ()
        for key, title in (("bgp", "BGP wants"), ("kernel", "kernel"), ("plan", "plan")):
            value = answer.get(key) or {}
            items = [str(item) for item in value.get("items") or [value.get("text")] if item]
            for place, text in enumerate(items):
                head = line((f" {title if not place else '':<10}", "title"))
                yield from wrapped(
                    text, columns, "change" if key == "plan" and value.get("items") else "text", head, " " * 11
                )
        covering = answer.get("covering") or []
        if covering:
            yield ()
            yield rule(columns, "COVERING ROUTES, longest first")
            for item in covering:
                state = str(item.get("state"))
                yield line(f" {clean(item.get('prefix')):<20} ", (f"{clean(item.get('domain')):<10} ", "muted"),
                           (f"{clean(state):<10} ", STATE_TOKENS.get(state, "text")), clean(item.get("text")))  # fmt: skip

    def target(self) -> str:
        """Return the address."""
        return self.address

    def do_lookup_here(self) -> None:
        """Ask for another address."""
        box = self.query_one(Input)
        box.value = ""
        self.screen.set_focus(box)

    def do_copy(self) -> None:
        """Copy the answer as text."""
        self.desk.go("copy", text="\n".join("".join(text for text, _ in found) for found in self._answer(100)))
