"""A text to read, and to select with the terminal's own mouse: nothing is drawn around it."""

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult

from monitor.tui.dialogs.dialog import Dialog
from monitor.tui.line import Line, line, plain, spread
from monitor.tui.lines import Lines, Painter


class TextScreen(Dialog[None]):
    """Lines that can be scrolled; escape leaves."""

    DEFAULT_CSS = """
    TextScreen { align: left top; }
    TextScreen > Lines { width: 100%; }
    TextScreen > #text-body { height: 1fr; }
    """

    def __init__(self, painter: Painter, title: str, lines: Sequence[Line], *, wait: bool = False) -> None:
        super().__init__()
        self._painter = painter
        self._title = title
        self._lines = list(lines)
        self._wait = wait
        self._left = 0

    def compose(self) -> ComposeResult:
        """A title, the text, the keys."""
        yield Lines(self._painter, id="text-head")
        yield Lines(self._painter, id="text-body")
        yield Lines(self._painter, id="text-foot")

    def on_mount(self) -> None:
        """Show it."""
        self.ready = True
        self.draw()

    def on_resize(self) -> None:
        """Show it in the new size."""
        self.draw()

    def put(self, lines: Sequence[Line]) -> None:
        """Show other lines."""
        self._lines, self._wait = list(lines), False
        if self in self.app.screen_stack:  # who left before the answer came sees something else by now
            self.draw()

    def draw(self) -> None:
        """Draw the parts."""
        columns = self.size.width
        desk: Any = getattr(self.app, "desk", None)
        label = line(("DEMO ", "warn")) if desk is not None and desk.status.get("simulated") else ()
        head = spread(line((f" {self._title}", "title")), label, columns)
        self.query_one("#text-head", Lines).show([head, (("─" * columns, "muted"),)])
        body = [line((" asking…", "muted"))] if self._wait else [_from(found, self._left) for found in self._lines]
        self.query_one("#text-body", Lines).show(body)
        foot = line(("[esc]", "key"), "back  ", ("[arrows pgup pgdn]", "key"), "move  ", ("[c]", "key"), "copy all")
        self.query_one("#text-foot", Lines).show([(("─" * columns, "muted"),), spread(foot, (), columns)])

    def take(self, event: Any) -> bool:
        """Deal with a key: scroll, copy, or leave."""
        body = self.query_one("#text-body", Lines)
        page = max(1, body.size.height - 1)
        steps = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": page, "space": page, "pageup": -page,
                 "ctrl+f": page, "ctrl+b": -page}  # fmt: skip
        if event.key in {"escape", "q", "enter", "minus", "backspace"}:
            self.dismiss(None)
        elif event.key in steps:
            body.scroll_to(y=body.scroll_offset.y + steps[event.key], animate=False)
        elif event.key in {"home", "g"}:
            body.scroll_to(y=0, animate=False)
        elif event.key in {"end", "G"}:
            body.scroll_to(y=len(body.lines), animate=False)
        elif event.key in {"left", "h", "right", "l"}:
            self._left = max(0, self._left + (8 if event.key in {"right", "l"} else -8))
            self.draw()
        elif event.key == "c":
            self.app.copy_to_clipboard("\n".join(plain(found) for found in self._lines))
            self.app.notify(f"copied {len(self._lines)} lines (OSC 52)")
        return True


def _from(found: Line, left: int) -> Line:
    """Return a line without its first *left* characters."""
    kept = []
    for text, token in found:
        kept.append((text[left:], token))
        left = max(0, left - len(text))
    return tuple(span for span in kept if span[0])
