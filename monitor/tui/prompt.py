"""The line at the bottom in which a filter or a command is typed."""

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from monitor.tui.keys import edit
from monitor.tui.line import Line, line
from monitor.tui.lines import Lines, Painter

MOST_REMEMBERED = 100


class Prompt(Horizontal):
    """``/`` or ``:`` and what follows; it tells while typing, and at the end."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt > #prompt-sign { width: 2; height: 1; }
    Prompt > #prompt-text { width: 1fr; }
    """

    class Typed(Message):
        """The text changed."""

        def __init__(self, sign: str, text: str) -> None:
            super().__init__()
            self.sign = sign
            self.text = text

    class Entered(Typed):
        """It was accepted."""

    class Left(Typed):
        """It was given up."""

    def __init__(self, painter: Painter) -> None:
        super().__init__(id="prompt")
        self._painter = painter
        self.sign = ""
        self.saying: Line = ()
        self.drawn: Callable[[], None] = lambda: None
        self.complete: Callable[[str, str], list[str]] = lambda _sign, _text: []
        self.told: Callable[[Prompt.Typed], None] = lambda _: None
        """Is told at once what was entered or given up, so that the next key finds things as they are then."""
        self._before: dict[str, list[str]] = {}
        self._back = 0
        self._offers: list[str] = []
        self._offer = -1

    def compose(self) -> ComposeResult:
        """The sign and the text."""
        yield Lines(self._painter, id="prompt-sign")
        yield Input(id="prompt-text", classes="prompt", compact=True, select_on_focus=False)

    @property
    def is_open(self) -> bool:
        """Whether something is being typed."""
        return bool(self.sign)

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(Input).value

    def open(self, sign: str, text: str = "") -> None:
        """Begin to type."""
        self.sign = sign
        self.display = True
        self._back, self._offers, self._offer = 0, [], -1
        self.query_one("#prompt-sign", Lines).show([line((f" {sign}", "accent"))])
        self.say(())
        box = self.query_one(Input)
        box.value = text
        box.cursor_position = len(text)
        self.screen.set_focus(box)

    def close(self) -> None:
        """Take the line away."""
        self.sign = ""
        self.display = False

    def say(self, found: Line) -> None:
        """Say something about what is typed; it is drawn where the keys else are."""
        self.saying = found
        self.drawn()

    def take(self, event: Any) -> bool:
        """Deal with a key while something is typed."""
        if event.key in {"up", "down", "tab", "escape"}:
            self._steer(event.key)
        elif event.key == "enter":
            self._enter()
        elif event.key == "ctrl+c":
            self._steer("escape")
        else:
            return edit(self.query_one(Input), event)
        return True

    def _steer(self, key: str) -> None:
        """Walk through what was typed before, complete, or leave."""
        box = self.query_one(Input)
        before = self._before.get(self.sign, [])
        if key == "escape":
            sign, text = self.sign, box.value
            self.close()
            self.told(self.Left(sign, text))
        elif key == "tab":
            if self._offer < 0:
                self._offers = self.complete(self.sign, box.value)
            if self._offers:
                self._offer = (self._offer + 1) % len(self._offers)
                offers, offer = self._offers, self._offer
                box.value = offers[offer]
                box.cursor_position = len(box.value)
                self._offers, self._offer = offers, offer
                others = [found.split()[-1] if found.split() else found for found in offers[:8]]
                self.say(line((" ".join(others), "muted")))
        elif before:
            self._back = min(max(self._back + (1 if key == "up" else -1), 0), len(before))
            box.value = before[-self._back] if self._back else ""
            box.cursor_position = len(box.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what is typed."""
        event.stop()
        if not (0 <= self._offer < len(self._offers) and event.value == self._offers[self._offer]):
            self._offers, self._offer = [], -1
        if self.sign:
            self.post_message(self.Typed(self.sign, event.value))

    def _enter(self) -> None:
        sign, text = self.sign, self.text.strip()
        kept = self._before.setdefault(sign, [])
        if text and (not kept or kept[-1] != text):
            kept.append(text)
            del kept[:-MOST_REMEMBERED]
        self.close()
        self.told(self.Entered(sign, text))
