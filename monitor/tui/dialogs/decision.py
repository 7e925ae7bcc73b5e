"""Decisions: what they do is told first, Cancel has the focus, and what cannot be undone is typed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input

from monitor.errors import MonitorError
from monitor.tui.dialogs.dialog import Dialog
from monitor.tui.keys import edit
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


class Decision(Dialog[str | None]):
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
    Decision .field > Lines { width: 27; }
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
                        ask.value,
                        placeholder=ask.hint,
                        id=f"ask-{ask.name}",
                        classes="prompt",
                        compact=True,
                        select_on_focus=False,
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
        self.set_focus(self.query_one("#cancel", Button))
        self.ready = True

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
        wrong = next(
            (found for ask in self._asks if ask.check and values[ask.name] and (found := ask.check(values[ask.name]))),
            "",
        )
        if wrong:
            self._say(wrong)

    def _say(self, text: str, token: str = "bad") -> None:
        room = min(72, max(20, self.app.size.width - 6))
        self.query_one("#decision-said", Lines).show([(), *wrapped(text, room, token, line("  "), "  ")])
        # In a low window it stands below the edge.
        self.call_after_refresh(self.query_one(VerticalScroll).scroll_end, animate=False)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self._busy:
            self.query_one("#decision-said", Lines).show([])
            self._judge()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self._press(event.button)

    def _press(self, button: Button) -> None:
        if button.id == "cancel":
            self.dismiss(None)
        elif not self._busy:
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
            self.set_focus(self.query_one("#cancel", Button))
            return
        self.dismiss(became)

    # Keys

    def take(self, event: Any) -> bool:
        """Deal with a key: escape cancels, tab and arrows walk, and what is typed goes into the field that waits for it."""
        here, key = self.focused, event.key
        if key == "escape":
            self.dismiss(None)
        elif key == "enter":
            self._enter(here)
        elif key in {"tab", "down"}:
            self._walk(1)
        elif key in {"shift+tab", "up"}:
            self._walk(-1)
        elif isinstance(here, Input):
            return edit(here, event)
        elif key in {"left", "right"}:
            self._walk(1 if key == "right" else -1)
        elif event.is_printable and event.character and (box := self._waiting()) is not None:
            self.set_focus(box)
            box.cursor_position = len(box.value)
            return edit(box, event)
        return True

    def _enter(self, here: Any) -> None:
        """Press a button; in a field go on to the next one, and from the last to the button that does it, if it can be done."""
        if isinstance(here, Button):
            self._press(here)
            return
        boxes = list(self.query(Input))
        following = boxes[boxes.index(here) + 1 :] if here in boxes else []
        self.set_focus(following[0] if following else self.query_one("#cancel" if self._missing() else "#do", Button))

    def _walk(self, by: int) -> None:
        places = [*self.query(Input), *self.query(Button)]
        at = places.index(self.focused) if self.focused in places else 0
        self.set_focus(places[(at + by) % len(places)])

    def _waiting(self) -> Input | None:
        """Return the first field that has to be filled in and is not, else the first one."""
        values = self._values()
        first = next((ask for ask in self._asks if (ask.must or ask.needed) and not values[ask.name]), None)
        ask = first or next(iter(self._asks), None)
        return None if ask is None else self.query_one(f"#ask-{ask.name}", Input)
