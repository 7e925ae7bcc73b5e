"""Health: the checks of the daemon's surroundings, and what this screen itself sees."""

from typing import Any

from textual.app import ComposeResult

from monitor.text.table import clean
from monitor.tui.column import Column, Row
from monitor.tui.desk import Desk
from monitor.tui.line import Line, line, rule, spread, wrapped
from monitor.tui.lines import Lines
from monitor.tui.pane import Pane, keyed
from monitor.tui.table import Table


class HealthPane(Pane):
    """``bgpmon doctor`` as a table; what to do about the check under the cursor stands below."""

    title = "Health"
    interval = 5.0

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="health")
        self.items: list[dict[str, Any]] = []
        self.problems = False

    def compose(self) -> ComposeResult:
        """The table, and the detail."""
        yield Lines(self.desk.painter, id="health-head")
        yield Table(
            self.desk.painter,
            [
                Column("", lambda row: ("ok", "ok") if row.get("ok") else ("!!", "bad"), 2, 2, 0),
                Column("CHECK", lambda row: (clean(row.get("check")), "text"), 12, 36, 1),
                Column("WHAT IT FOUND", lambda row: (clean(row.get("detail")), "text"), 16, 400, 2),
            ],
            empty="no checks",
            id="health-table",
        )
        yield Lines(self.desk.painter, id="health-detail")

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one("#health-table", Table)

    async def load(self) -> None:
        """Ask for the checks."""
        self.items = (await self.desk.link.ask("doctor"))["items"]

    def draw(self) -> None:
        """Those that fail come first."""
        bad = sum(not item.get("ok") for item in self.items)
        head = line(
            " CHECKS  ", (f"{len(self.items) - bad} ok", "ok"), "  ", (f"{bad} need a look", "bad" if bad else "muted")
        )
        looks = self.desk.painter.looks
        here = f"this screen: {looks.depth} colours, theme {looks.theme}{', ASCII' if looks.ascii else ''} "
        told = [
            spread(head, line((here, "muted")), self.size.width),
            *([trouble] if (trouble := self.trouble()) else []),
        ]
        self.lines("health-head").show(told, fade=self.fade)
        shown = [item for item in self.items if not self.problems or not item.get("ok")]
        table = self.table
        table.fade = self.fade
        table.take(self.rows_of(keyed(sorted(shown, key=lambda item: bool(item.get("ok"))), "check", "detail")))
        row = table.row
        self.lines("health-detail").show(self._detail(row) if row and self.size.height >= 10 else [], fade=self.fade)

    def _detail(self, row: Row) -> list[Line]:
        columns = self.size.width
        found = [rule(columns, clean(row.get("check")))]
        found += list(wrapped(str(row.get("detail") or ""), columns - 1, "text", line(" "), " "))[:4]
        if not row.get("ok") and row.get("fix"):
            found += list(wrapped(str(row["fix"]), columns - 1, "accent", line(" do: "), "     "))[:3]
        return found

    def on_table_moved(self, _: Table.Moved) -> None:
        """Show another check."""
        self.redraw()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """Show a check in full."""
        row = message.row
        found = [
            *wrapped(str(row.get("detail") or ""), 100),
            (),
            *wrapped(f"do: {row['fix']}" if row.get("fix") else "", 100),
        ]
        self.desk.show_text(clean(row.get("check")), found)

    def do_problems(self) -> None:
        """Only what fails."""
        self.problems = not self.problems
        self.redraw()

    def target(self) -> str:
        """A check is no place on the network."""
        return ""
