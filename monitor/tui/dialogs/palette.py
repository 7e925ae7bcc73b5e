"""The palette: every action and every command, found by some letters of it."""

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input

from monitor.text.table import clean
from monitor.tui.column import Column
from monitor.tui.dialogs.dialog import Dialog
from monitor.tui.keys import edit
from monitor.tui.line import line
from monitor.tui.lines import Lines, Painter
from monitor.tui.rows import LocalRows
from monitor.tui.table import Table


class Palette(Dialog[str | None]):
    """Rows of ``{key, name, text}``, the best match first; returns the key of the one that was chosen, None for none."""

    DEFAULT_CSS = """
    Palette { align: center top; background: transparent; }
    Palette > Vertical { width: 90; max-width: 100%; height: auto; max-height: 100%; margin-top: 1; border: round ansi_default;
        background: ansi_default; }
    Palette Lines { width: 100%; }
    """

    def __init__(self, painter: Painter, items: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        self._painter = painter
        self._items = list(items)

    def compose(self) -> ComposeResult:
        """What is looked for, and what was found."""
        columns = [
            Column("", lambda row: (clean(row.get("name")), "title"), 14, 30, 0),
            Column(" ", lambda row: (clean(row.get("text") or ""), "text"), 10, 120, 1),
        ]
        with Vertical():
            yield Lines(self._painter, id="palette-head")
            yield Input(placeholder="some letters of it", id="palette-text", classes="prompt", compact=True)
            yield Table(self._painter, columns, empty="nothing is called so", id="palette-table")
            yield Lines(self._painter, id="palette-foot")

    def on_mount(self) -> None:
        """Show all of it."""
        self.query_one(Table).styles.height = min(16, max(3, self.app.size.height - 7))
        self.query_one("#palette-head", Lines).show([line((" WHAT DO YOU WANT TO DO?", "title"))])
        keys = line(" ", ("[up down]", "key"), "move  ", ("[enter]", "key"), "do it  ", ("[esc]", "key"), "leave it")
        self.query_one("#palette-foot", Lines).show([keys])
        self.set_focus(self.query_one(Input))
        self._find()
        self.ready = True

    def _find(self) -> None:
        text = self.query_one(Input).value.strip()
        found = self._items
        if text:
            matcher = Matcher(text)
            scored = [
                (matcher.match(f"{item['name']} {item['text']}"), place, item) for place, item in enumerate(found)
            ]
            # Letters far apart are found in nearly everything: they count only where nothing has them together.
            whole = [entry for entry in scored if text.lower() in f"{entry[2]['name']} {entry[2]['text']}".lower()]
            best = sorted(whole or scored, key=lambda entry: (-entry[0], entry[1]))
            found = [item for score, _, item in best if score > 0]
        table = self.query_one(Table)
        table.cursor_key = ""
        table.take(LocalRows(found))
        table.move_to(0)

    def take(self, event: Any) -> bool:
        """Deal with a key."""
        table = self.query_one(Table)
        steps = {"down": 1, "up": -1, "pagedown": table.page, "pageup": -table.page}
        if event.key in {"escape", "ctrl+c", "ctrl+p"}:
            self.dismiss(None)
        elif event.key == "enter":
            row = table.row
            self.dismiss(str(row["key"]) if row else None)
        elif event.key in steps:
            table.move(steps[event.key])
        elif edit(self.query_one(Input), event):
            self._find()
        return True
