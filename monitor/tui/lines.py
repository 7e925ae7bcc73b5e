"""The widget that shows lines: only those that changed are drawn again."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from monitor.text.table import width
from monitor.tui.bare import BareLines
from monitor.tui.line import Line, cut, size
from monitor.tui.looks import Looks


class Painter:
    """Turns lines into strips, in the looks of this terminal.  ``fade`` draws everything as out of date."""

    def __init__(self, looks: Looks) -> None:
        self.use(looks)

    def use(self, looks: Looks) -> None:
        """Take other looks."""
        self.looks = looks
        self.styles = looks.styles()

    def strip(self, found: Line, columns: int, *, over: Style | None = None, fade: bool = False) -> Strip:
        """Return a line as a strip of exactly *columns*; *over* is laid on top of every style."""
        if size(found) > columns:
            found = cut(found, columns)
        left = columns
        plain = True
        segments: list[Segment] = []
        for text, token in found:
            if left <= 0:
                break
            drawn = self.looks.drawn(text)
            room = width(drawn)
            plain = plain and drawn.isascii()
            style = self.styles["muted" if fade else token]
            segments.append(Segment(drawn, style + over if over else style))
            left -= room
        # What is ASCII alone need not be measured once more.
        strip = Strip(segments, columns - left if plain else None)
        return strip.adjust_cell_length(columns, over or self.styles["text"])


class Lines(ScrollView, can_focus=False):
    """Lines of spans; scrolls when there are more than fit."""

    DEFAULT_CSS = (
        "Lines { height: auto; scrollbar-size-vertical: 0; scrollbar-size-horizontal: 0; overflow-x: hidden; }"
    )

    def __init__(self, painter: Painter, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._styles_cache = BareLines()
        self._painter = painter
        self._lines: Sequence[Line] = ()
        self._fade = False

    @property
    def lines(self) -> Sequence[Line]:
        """What is shown."""
        return self._lines

    def show(self, lines: Sequence[Line], *, fade: bool = False) -> None:
        """Show other lines."""
        old, was = self._lines, self._fade
        self._lines, self._fade = lines, fade
        if len(old) != len(lines):
            self.virtual_size = Size(self.size.width, len(lines))
            self.refresh(layout=self.styles.height is not None and self.styles.height.is_auto)
        elif fade != was:
            self.refresh()
        else:
            for number, (before, after) in enumerate(zip(old, lines, strict=True)):
                if before != after:
                    self.refresh_line(number)

    def repaint(self) -> None:
        """Draw all of it, in other looks."""
        self.refresh()

    def on_resize(self) -> None:
        """Keep the virtual size as wide as the window."""
        self.virtual_size = Size(self.size.width, len(self._lines))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One row for each line."""
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """Return one row of the window."""
        number = y + self.scroll_offset.y
        found = self._lines[number] if number < len(self._lines) else ()
        return self._painter.strip(found, self.size.width, fade=self._fade)
