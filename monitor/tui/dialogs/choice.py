"""A short list to choose from: sort, columns, export, theme; and the help, which is a list that does what it says."""

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical

from monitor.text.table import clean
from monitor.tui.column import Column
from monitor.tui.dialogs.dialog import Dialog
from monitor.tui.line import Span, line
from monitor.tui.lines import Lines, Painter
from monitor.tui.rows import LocalRows
from monitor.tui.table import Table


class Choice(Dialog[str | None]):
    """Rows of ``{key, name, text}``; returns the key of the one that was chosen, None for none.

    With *several*, space marks rows, and the keys of all marked ones come back, apart by line ends.
    """

    DEFAULT_CSS = """
    Choice { align: center middle; background: transparent; }
    Choice > Vertical { width: 64; max-width: 100%; height: auto; max-height: 100%; border: round ansi_default;
        background: ansi_default; }
    Choice Table { width: 100%; }
    Choice Lines { width: 100%; }
    """

    def __init__(
        self, painter: Painter, title: str, items: Sequence[dict[str, Any]], *, marked: Sequence[str] = (), several: bool = False,
        wide: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self._painter = painter
        self._title = title
        self._items = list(items)
        self._marked = set(marked)
        self._several = several
        self._wide = wide

    def compose(self) -> ComposeResult:
        """A title, the list, the keys."""
        columns = [Column("", lambda row: (clean(row.get("name")), "title"), 10, 30, 0),
                   Column(" ", lambda row: (clean(row.get("text") or ""), "text"), 10, 120, 1)]  # fmt: skip
        if self._several:
            columns.insert(
                0, Column("ON", lambda row: ("[x]" if row["key"] in self._marked else "[ ]", "accent"), 3, 3, 0)
            )
        with Vertical():
            yield Lines(self._painter, id="choice-head")
            yield Table(self._painter, columns, id="choice-table", empty="nothing to choose from")
            yield Lines(self._painter, id="choice-foot")

    def on_mount(self) -> None:
        """Show the list."""
        table = self.query_one(Table)
        table.take(LocalRows(self._items))
        if self._wide:
            self.query_one(Vertical).styles.width = "100%"
        table.styles.height = min(len(self._items) + 1, max(3, self.app.size.height - 6))
        if not self._several and self._marked:
            table.cursor_key = next(iter(self._marked))
        self.query_one("#choice-head", Lines).show([line((f" {self._title}", "title"))])
        below = len(self._items) > max(2, self.app.size.height - 7)
        more: list[str | Span] = [("[space]", "key"), "mark  "] if self._several else []
        keys = line(
            " ", *more, ("[enter]", "key"), "choose  " if not self._several else "done  ", ("[esc]", "key"), "leave it",
            f"   {len(self._items)} in all" if below else "",
        )  # fmt: skip
        self.query_one("#choice-foot", Lines).show([keys])
        self.set_focus(table)
        self.ready = True

    def take(self, event: Any) -> bool:
        """Deal with a key: move, mark, choose or leave."""
        table = self.query_one(Table)
        steps = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": table.page, "pageup": -table.page}
        if event.key in {"escape", "q"}:
            self.dismiss(None)
        elif event.key == "enter":
            row = table.row
            self.dismiss("\n".join(sorted(self._marked)) if self._several else str(row["key"]) if row else None)
        elif event.key in steps:
            table.move(steps[event.key])
        elif event.key in {"home", "g"}:
            table.move_to(0)
        elif event.key in {"end", "G"}:
            table.move_to(table.rows.total - 1)
        elif event.key == "space" and self._several and table.row is not None:
            self._marked ^= {str(table.row["key"])}
            table.repaint()
        elif event.character == "?" and any(item["key"] == "?" for item in self._items):
            self.dismiss("?")
        elif event.character and event.character.isprintable():
            self._jump(event.character)
        return True

    def _jump(self, letter: str) -> None:
        """Move to the next row that begins with a letter."""
        table = self.query_one(Table)
        names = [str(item.get("name", "")).lower() for item in self._items]
        for step in range(1, len(names) + 1):
            at = (table.cursor + step) % len(names)
            if names[at].startswith(letter.lower()):
                table.move_to(at)
                return
