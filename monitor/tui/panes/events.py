"""Events: the daemon's journal, newest first."""

from typing import Any

from textual.app import ComposeResult

from monitor.text.listing import event_text
from monitor.text.table import clean
from monitor.tui.cells import clock_time
from monitor.tui.column import Column, Row
from monitor.tui.desk import Desk
from monitor.tui.line import Line, Span, line, rule, wrapped
from monitor.tui.lines import Lines
from monitor.tui.pane import Matches, Pane, keyed, language
from monitor.tui.table import Table

TOKENS = {
    "start": "ok", "stop": "warn", "freeze": "accent", "approve": "accent", "confirm": "ok", "reject": "warn",
    "rollback": "bad", "rolled-back": "bad", "break-glass": "bad", "pause": "warn", "resume": "ok", "hold": "hold",
    "release": "hold", "peer": "warn", "progress": "text", "withdraw-all": "bad", "drift": "bad", "failed": "bad",
}  # fmt: skip


def kind_of(item: Row) -> Span:
    """Return what a record is about."""
    kind = str(item.get("kind"))
    return clean(kind), TOKENS.get(kind, "text")


def words_of(item: Row) -> str:
    """Return what a record says, and by whom."""
    words = event_text(dict(item))
    actor = item.get("actor")
    return f"{words}  (by {clean(actor)})" if actor and actor != "bgpmon" else words


def one_line(item: Row) -> Line:
    """Return a record as one line."""
    kind, token = kind_of(item)
    return line((f" {clock_time(item.get('at'))} ", "muted"), (f"{kind:<11} ", token), words_of(item))


class EventsPane(Pane):
    """The records that were heard; the newest is at the top."""

    title = "Events"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="events")
        self.filter = ""
        self._matches: Matches | None = None

    def compose(self) -> ComposeResult:
        """The table, and the record under the cursor in full."""
        yield Table(
            self.desk.painter,
            [
                Column("AT", lambda row: (clock_time(row.get("at")), "muted"), 8, 8, 0),
                Column("KIND", kind_of, 11, 14, 1),
                Column("WHAT", lambda row: (words_of(row), "text"), 20, 400, 2),
            ],
            empty="nothing was recorded in the last hours",
            id="events-table",
        )
        yield Lines(self.desk.painter, id="events-detail")

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one("#events-table", Table)

    def arrive(self, filter: str = "", **_: Any) -> None:  # noqa: A002 - the word of the command line
        """Show what matches."""
        if filter:
            self.set_filter(filter)

    def draw(self) -> None:
        """The table and the detail."""
        items = list(reversed(self.desk.link.events))
        if self.filter:
            items = [item for item in items if self._matches is None or self._matches(item)]
        table = self.table
        table.fade = self.fade
        table.take(self.rows_of(keyed(items, "id")))
        row = table.row
        detail = list(self._detail(row)) if row and self.size.height >= 12 else []
        self.lines("events-detail").show(detail, fade=self.fade)

    def _detail(self, row: Row) -> list[Line]:
        columns = self.size.width
        more = f" of {len(self.desk.link.events)}, with {self.filter!r}" if self.filter else ""
        head = rule(columns, f"RECORD {clean(row.get('id'))}{more}")
        body = list(wrapped(words_of(row), columns - 2, "text", line(" "), " "))[:4]
        plan = line((f" plan {clean(row.get('plan'))[:16]}  enter opens it", "muted")) if row.get("plan") else ()
        return [head, *body, *([plan] if plan else [])]

    def on_table_moved(self, _: Table.Moved) -> None:
        """Show another record."""
        self.redraw()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """Open the plan of a record."""
        if digest := message.row.get("plan"):
            self.desk.go("plan", digest=str(digest))

    def do_explain(self) -> None:
        """The plan of a record says why."""
        self.table.open()

    def set_filter(self, text: str) -> None:
        """Show only records that match."""
        self.filter = text
        self._matches = language().matcher(text, "events") if text else None
        self.redraw()

    def target(self) -> str:
        """Return the plan of the record."""
        row = self.table.row
        return str(row.get("plan") or "") if row else ""
