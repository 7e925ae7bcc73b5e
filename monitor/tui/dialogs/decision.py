"""Decisions: what they do is told first, Cancel has the focus, and what cannot be undone is typed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from monitor.errors import MonitorError
from monitor.tui.line import Line, line, wrapped
from monitor.tui.lines import Lines, Painter
from monitor.tui.link import said


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to fill in.  ``must`` is what has to be typed, None for anything; ``needed``: not nothing."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    must: str | None = None
    needed: bool = False
    check: Callable[[str], str] | None = None


Act = Callable[[dict[str, str]], Awaitable[str]]
"""Does it, with what was filled in, and returns what became of it.  Raises MonitorError."""


class Decision(ModalScreen[str | None]):
    """What is decided, the fields, and two buttons.  Returns what became of it, None if nothing was done.

    The button that does it does nothing until everything is filled in, and says what is missing.  A refusal is shown here, and
    nothing is lost.
    """

    DEFAULT_CSS = """
    Decision { align: center middle; background: transparent; }
    Decision > VerticalScroll { width: 78; max-width: 100%; height: auto; max-height: 100%; border: round ansi_default;
        background: ansi_default; scrollbar-size-vertical: 0; }
    Decision Lines { width: 100%; }
    Decision .field { height: 1; }
    Decision .field > Lines { width: 26; }
    Decision .field > Input { width: 1fr; }
    Decision .buttons { height: 1; margin-top: 1; align-horizontal: center; }
    Decision Button, Decision Button:hover { margin: 0 2; border: none !important; height: 1; min-width: 10;
        background: ansi_default; color: ansi_default; text-style: none; }
    Decision Button.-off { text-style: dim; }
    Decision Button:focus { text-style: bold reverse; }
    """

    def __init__(
        self,
        painter: Painter,
        title: str,
        told: Sequence[Line],
        asks: Sequence[Ask],
        verb: str,
        act: Act,
        *,
        danger: bool = False,
    ) -> None:
        super().__init__()
        self._painter = painter
        self._title = title
        self._told = list(told)
        self._asks = list(asks)
        self._verb = verb
        self._act = act
        self._danger = danger
        self._busy = False

    def compose(self) -> ComposeResult:
        """What it is about, the fields, the buttons, and what went wrong."""
        with VerticalScroll():
            yield Lines(self._painter, id="decision-told")
            for ask in self._asks:
                with Horizontal(classes="field"):
                    yield Lines(self._painter, id=f"label-{ask.name}")
                    yield Input(
                        ask.value, placeholder=ask.hint, id=f"ask-{ask.name}", classes="prompt", compact=True, select_on_focus=False
                    )
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self._verb, id="do", compact=True)
            yield Lines(self._painter, id="decision-said")

    def on_mount(self) -> None:
        """Say what it is; Cancel has the focus."""
        room = min(74, self.app.size.width - 4)
        told = [line((f" {self._title}", "bad" if self._danger else "title")), ()]
        self.query_one("#decision-told", Lines).show([*told, *self._told, ()])
        for ask in self._asks:
            self.query_one(f"#label-{ask.name}", Lines).show([line((f" {ask.label}", "head"))])
        keys = line(("  [tab]", "key"), "next  ", ("[enter]", "key"), "press the button  ", ("[esc]", "key"), "cancel")
        self.query_one("#decision-said", Lines).show([(), keys] if room else [])
        self._judge()
        self.query_one("#cancel", Button).focus()

    def _values(self) -> dict[str, str]:
        return {ask.name: self.query_one(f"#ask-{ask.name}", Input).value.strip() for ask in self._asks}

    def _missing(self) -> str:
        """Return what stands in the way, empty once it can be done."""
        values = self._values()
        for ask in self._asks:
            value = values[ask.name]
            if ask.check is not None and value and (wrong := ask.check(value)):
                return wrong
        for ask in self._asks:
            value = values[ask.name]
            if ask.must is not None and value.lower() != ask.must.lower():
                return f"{ask.label}: {'this is another one' if value else 'type it to go on'}"
            if ask.needed and not value:
                return f"{ask.label}: fill it in to go on"
        return ""

    def _judge(self) -> None:
        """Show whether it can be done; what is typed wrong is said at once."""
        missing = self._missing()
        self.query_one("#do", Button).set_class(self._busy or bool(missing), "-off")
        values = self._values()
        wrong = next((found for ask in self._asks if ask.check and values[ask.name] and (found := ask.check(values[ask.name]))), "")
        if wrong:
            self._say(wrong)

    def _say(self, text: str, token: str = "bad") -> None:
        room = min(72, max(20, self.app.size.width - 6))
        self.query_one("#decision-said", Lines).show([(), *wrapped(text, room, token, line("  "), "  ")])

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self._busy:
            self.query_one("#decision-said", Lines).show([])
            self._judge()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Enter in a field goes on to the next one, and from the last to the button; it does nothing by itself."""
        event.stop()
        boxes = list(self.query(Input))
        following = boxes[boxes.index(event.input) + 1 :]
        do = self.query_one("#do", Button)
        (following[0] if following else self.query_one("#cancel", Button) if do.has_class("-off") else do).focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(None)

    @on(Button.Pressed, "#do")
    async def _do(self, event: Button.Pressed) -> None:
        event.stop()
        if self._busy:
            return
        if missing := self._missing():
            self._say(missing)
            return
        self._busy = True
        self._judge()
        self._say("the daemon is at it…", "warn")
        self.run_worker(self._run(), exclusive=True)

    async def _run(self) -> None:
        try:
            became = await self._act(self._values())
        except MonitorError as error:
            self._busy = False
            self._judge()
            self._say(said(error))
            self.query_one("#cancel", Button).focus()
            return
        self.dismiss(became)

    def on_key(self, event: Any) -> None:
        """Escape cancels, arrows walk like tab, and what is typed goes into the field that waits for it."""
        # What is not taken here goes on to the application, where the keys of buttons and fields are bound.
        if event.key == "escape":
            event.stop()
            self.dismiss(None)
        elif event.key in {"down", "up"} or (event.key in {"left", "right"} and not isinstance(self.focused, Input)):
            event.stop()
            if event.key in {"down", "right"}:
                self.focus_next()
            else:
                self.focus_previous()
        elif event.is_printable and event.character:
            # A field takes what it is typed itself; this was typed on a button, or while the focus was on its way.
            event.stop()
            self._type(event.character)

    def _type(self, letter: str) -> None:
        if isinstance(self.focused, Input):
            self.focused.insert_text_at_cursor(letter)
            return
        values = self._values()
        first = next((ask for ask in self._asks if (ask.must or ask.needed) and not values[ask.name]), None)
        ask = first or next(iter(self._asks), None)
        if ask is not None:
            box = self.query_one(f"#ask-{ask.name}", Input)
            self.set_focus(box)
            box.cursor_position = len(box.value)
            box.insert_text_at_cursor(letter)
