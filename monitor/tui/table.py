"""The one table of all screens: it draws the rows of its window, and never holds more of a view than that.

Its cursor is bound to a row's key: rows that come and go around it do not move it to another route.
"""

from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from monitor.tui.bare import BareLines
from monitor.tui.column import GAP, Column, Row, chosen, widths, wish
from monitor.tui.line import Line, pad
from monitor.tui.lines import Painter
from monitor.tui.rows import LocalRows, Rows, WindowRows, key_of

HEAD = 1
"""Lines above the rows."""

MOST_KEPT = 512
"""Lines that are kept ready, so that a row is put together once and not whenever it is compared or drawn."""


class Table(ScrollView, can_focus=True):
    """Rows under heads, with a cursor.

    ``Chosen`` is posted for a row that is opened, ``Moved`` when the cursor is on another one.
    """

    DEFAULT_CSS = """
    Table { height: 1fr; scrollbar-size-vertical: 0; scrollbar-size-horizontal: 0; overflow-x: hidden; overflow-y: hidden; }
    """

    class Chosen(Message):
        """A row was opened."""

        def __init__(self, table: "Table", row: Row) -> None:
            super().__init__()
            self.table = table
            self.row = row

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: "Table") -> None:
            super().__init__()
            self.table = table

    def __init__(self, painter: Painter, columns: Sequence[Column], *, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._styles_cache = BareLines()
        self._painter = painter
        self.columns = list(columns)
        self.hidden: frozenset[str] = frozenset()
        self.wide = False
        self.rows: Rows = LocalRows(complete=False)
        self.cursor = 0
        self.cursor_key = ""
        self.sort = ""
        self.descending = False
        self.empty = empty
        self.fade = False
        self._first = 0
        self._wanted: dict[str, int] = {}
        self._layout: list[tuple[Column, int]] = []
        self._drawn: dict[int, Line] = {}
        self._kept: dict[int, tuple[Row, Line]] = {}
        self._measured: dict[int, Row] = {}
        self._of = (0, 0)
        self._ahead = 0

    # Rows

    @property
    def page(self) -> int:
        """How many rows the window has."""
        return max(1, self.size.height - HEAD)

    @property
    def first(self) -> int:
        """The row at the top of the window."""
        return self._first

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows.row(self.cursor)

    def take(self, rows: Rows) -> None:
        """Show other rows; the cursor stays on the one it is on."""
        self.rows = rows
        self.renew()

    def ordered(self, rows: list[Row]) -> list[Row]:
        """Return rows in the order that was chosen, by the key of its column."""
        key = next((column.key for column in self.columns if column.title == self.sort and column.key), None)
        return rows if key is None else sorted(rows, key=key, reverse=self.descending)

    def renew(self) -> None:
        """Draw what is there now: rows have come, gone or changed."""
        offset = self.cursor - self._first
        if self.cursor_key and (at := self.rows.index_of(self.cursor_key)) >= 0 and at != self.cursor:
            self.cursor = at
            self._first = at - offset
        self._bound()
        self._measure()
        self._redraw()
        self._need()
        if not self.cursor_key:
            self.cursor_key = key_of(self.row)
        if self._ahead and self.rows.total:
            by, self._ahead = self._ahead, 0
            self.move(by)

    def place(self, index: int) -> None:
        """Put the cursor on a row by its place."""
        self.cursor, self.cursor_key = index, ""
        self._first = index - self.page // 2
        self.renew()

    def _bound(self) -> None:
        last = max(0, self.rows.total - 1)
        self.cursor = min(max(self.cursor, 0), last)
        self._first = min(self._first, self.cursor)
        self._first = max(self._first, self.cursor - self.page + 1)
        self._first = max(0, min(self._first, max(0, self.rows.total - self.page)))

    def _need(self) -> None:
        """Say which rows are on the screen, to those that have to be fetched."""
        if isinstance(self.rows, WindowRows):
            self.rows.need(self._first, self.page)

    # Moving

    def move(self, by: int) -> None:
        """Move the cursor by so many rows; before there are any, that waits for them."""
        if not self.rows.total and not self.rows.complete:
            self._ahead += by
        else:
            self.move_to(self.cursor + by)

    def move_to(self, index: int) -> None:
        """Move the cursor to a row."""
        before, first = self.cursor, self._first
        self.cursor = index
        self._bound()
        self.cursor_key = key_of(self.row)
        if self.cursor == before and first == self._first:
            return
        self._need()
        if first == self._first:
            self._redraw_rows(before, self.cursor)
        else:
            self._measure()
            self._redraw()
        self.post_message(self.Moved(self))

    # Drawing

    def relayout(self) -> None:
        """Lay the columns out anew."""
        self._layout = []
        self._wanted.clear()
        self._measured.clear()
        self._measure()
        self._redraw(everything=True)

    def _measure(self) -> None:
        room = self.size.width
        if room <= 0:
            return
        places = range(self._first, self._first + self.page)
        shown = {at: row for at in places if (row := self.rows.row(at)) is not None}
        measured = self._measured if self.rows.fixed else {}
        # Columns never become narrower for other rows, so that a row counts once.
        fresh = [row for at, row in shown.items() if measured.get(at) is not row]
        self._measured = shown
        if fresh or not self._wanted:
            self._wanted = wish(self.columns, fresh, self._wanted)
        columns = chosen(self.columns, room, self._wanted, self.hidden, wide=self.wide)
        layout = list(zip(columns, widths(columns, room, self._wanted), strict=True))
        if layout != self._layout:
            self._layout = layout
            self._drawn.clear()
            self._kept.clear()
            self.refresh()

    def _redraw(self, *, everything: bool = False) -> None:
        """Draw the rows that differ from what is on the screen."""
        columns, rows = self.size
        if everything or self._of != (columns, rows):
            self._of = (columns, rows)
            self._drawn.clear()
            self._kept.clear()
            self.refresh()
            return
        if not self._drawn:
            self.refresh()
            return
        regions: list[Region] = []
        begin = HEAD
        for y in range(HEAD, rows + 1):
            if y < rows and self._drawn.get(y) != self._marked(y):
                continue
            # Rows below one another are one region: each costs a walk through the whole screen.
            if y > begin:
                regions.append(Region(0, begin, columns, y - begin))
            begin = y + 1
        if regions:
            self.refresh(*regions)

    def _redraw_rows(self, *indices: int) -> None:
        columns, rows = self.size
        places = [index - self._first + HEAD for index in indices]
        if regions := [Region(0, y, columns, 1) for y in places if HEAD <= y < rows]:
            self.refresh(*regions)

    def repaint(self) -> None:
        """Draw all of it, in other looks."""
        self._redraw(everything=True)

    def on_resize(self) -> None:
        """Keep the cursor in the window."""
        self.virtual_size = Size(self.size.width, self.size.height)
        self._bound()
        self._measure()
        self._redraw(everything=True)
        self._need()

    def on_focus(self) -> None:
        """Show the cursor."""
        self._redraw_rows(self.cursor)

    def on_blur(self) -> None:
        """Show that the keys go elsewhere."""
        self._redraw_rows(self.cursor)

    def _head(self) -> Line:
        cells: list[tuple[str, str]] = []
        for number, (column, room) in enumerate(self._layout):
            title = column.title
            if column.sort and column.sort == self.sort:
                title += "↓" if self.descending else "↑"
            cells.append(
                (pad(title, room, right=column.right) + (" " * GAP if number < len(self._layout) - 1 else ""), "head")
            )
        return tuple(cells)

    def _line(self, y: int) -> Line:
        index = y - HEAD + self._first
        if index >= self.rows.total:
            if index == 0 and y == HEAD and self.empty and self.rows.complete:
                return ((f" {self.empty}", "muted"),)
            return ()
        row = self.rows.row(index)
        if row is None:
            return (("·" * min(12, self.size.width), "muted"),)
        if not self.rows.fixed:
            return self._cells(row)
        kept = self._kept.get(index)
        if kept is not None and kept[0] is row:
            return kept[1]
        found = self._cells(row)
        if len(self._kept) > MOST_KEPT:
            self._kept.clear()
        self._kept[index] = row, found
        return found

    def _cells(self, row: Row) -> Line:
        cells: list[tuple[str, str]] = []
        gone = bool(row.get("gone"))
        for number, (column, room) in enumerate(self._layout):
            text, token = column.cell(row)
            piece = pad(text, room, right=column.right) + (" " * GAP if number < len(self._layout) - 1 else "")
            meant = "muted" if gone else token
            # Cells that look alike are one span: each costs its time whenever its line is drawn.
            if cells and cells[-1][1] == meant:
                cells[-1] = cells[-1][0] + piece, meant
            else:
                cells.append((piece, meant))
        return tuple(cells)

    def _marked(self, y: int) -> Line:
        """Return a line with a mark that tells the one of the cursor from others: what is compared, not what is drawn."""
        here = y - HEAD + self._first == self.cursor
        return (*self._line(y), ("", "cursor" if here else "text"), ("", "muted" if self.fade else "text"))

    def render_line(self, y: int) -> Strip:
        """Return one row of the window."""
        columns = self.size.width
        if y < HEAD:
            return self._painter.strip(self._head(), columns, over=Style(underline=not self._painter.looks.ascii))
        marked = self._marked(y)
        self._drawn[y] = marked
        here = y - HEAD + self._first == self.cursor and self.rows.total > 0
        over = None
        if here:
            # One bar, whatever the cells mean: colours in reverse are hard to read on many terminals.
            over = self._painter.styles["cursor"] if self.has_focus else None
            marked = tuple((text, "text") for text, _ in marked) if self.has_focus else marked
        return self._painter.strip(marked, columns, over=over, fade=self.fade and not here)

    def open(self) -> None:
        """Open the row under the cursor."""
        if (row := self.row) is not None:
            self.post_message(self.Chosen(self, row))
