"""The line at the bottom in which a filter or a command is typed."""

from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from monitor.tui.line import Line, line
from monitor.tui.lines import Lines, Painter

MOST_REMEMBERED = 100


class PromptInput(Input):
    """An input whose up, down, tab and escape belong to the prompt."""

    async def _on_key(self, event: Any) -> None:
        prompt = self.parent
        if isinstance(prompt, Prompt) and event.key in {"up", "down", "tab", "escape"}:
            event.stop()
            event.prevent_default()
            prompt.steer(event.key)
            return
        await super()._on_key(event)


class Prompt(Horizontal):
    """``/`` or ``:`` and what follows; it tells while typing, and at the end."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt > #prompt-sign { width: 2; height: 1; }
    Prompt > #prompt-text { width: 2fr; }
    Prompt > #prompt-said { width: 3fr; height: 1; }
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
        self.complete: Callable[[str, str], list[str]] = lambda _sign, _text: []
        self._before: dict[str, list[str]] = {}
        self._back = 0
        self._offers: list[str] = []
        self._offer = -1

    def compose(self) -> ComposeResult:
        """The sign, the text, and what is said of it."""
        yield Lines(self._painter, id="prompt-sign")
        yield PromptInput(id="prompt-text", classes="prompt", compact=True)
        yield Lines(self._painter, id="prompt-said")

    @property
    def is_open(self) -> bool:
        """Whether something is being typed."""
        return bool(self.sign)

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(PromptInput).value

    def open(self, sign: str, text: str = "") -> None:
        """Begin to type."""
        self.sign = sign
        self.display = True
        self._back, self._offers, self._offer = 0, [], -1
        self.query_one("#prompt-sign", Lines).show([line((f" {sign}", "accent"))])
        self.say(())
        box = self.query_one(PromptInput)
        box.value = text
        box.cursor_position = len(text)
        box.focus()

    def close(self) -> None:
        """Take the line away."""
        self.sign = ""
        self.display = False

    def say(self, found: Line) -> None:
        """Say something about what is typed."""
        self.query_one("#prompt-said", Lines).show([(("  ", "text"), *found)])

    def steer(self, key: str) -> None:
        """Walk through what was typed before, complete, or leave."""
        box = self.query_one(PromptInput)
        before = self._before.get(self.sign, [])
        if key == "escape":
            sign, text = self.sign, box.value
            self.close()
            self.post_message(self.Left(sign, text))
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

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Tell that it is to be done."""
        event.stop()
        sign, text = self.sign, event.value.strip()
        kept = self._before.setdefault(sign, [])
        if text and (not kept or kept[-1] != text):
            kept.append(text)
            del kept[:-MOST_REMEMBERED]
        self.close()
        self.post_message(self.Entered(sign, text))
