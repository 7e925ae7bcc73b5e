"""Routes: a million of them, a window at a time."""

import asyncio
from typing import Any

from textual.app import ComposeResult

from monitor.errors import MonitorError
from monitor.text.table import clean, duration, number, plural
from monitor.tui.cells import LEGEND, age_cell, cell, devices, flags, hops, path_cell, seconds_of, state_cell
from monitor.tui.column import Column
from monitor.tui.desk import Desk
from monitor.tui.line import line, spread
from monitor.tui.lines import Lines
from monitor.tui.link import said
from monitor.tui.pane import Pane
from monitor.tui.rows import WindowRows
from monitor.tui.table import Table

GROWING_SECONDS = 0.2
"""How often a view that is not complete is looked at."""


def columns() -> list[Column]:
    """Return the columns of a table of routes."""

    def text(name: str) -> Any:
        return lambda row: (clean(row.get(name)), "text")

    return [
        Column("FL", flags, 3, 3, 1, sort="state"),
        Column("PREFIX", lambda row: (clean(row.get("prefix")), "text"), 18, 43, 0, sort="prefix"),
        Column("NEXT HOP", lambda row: (hops(row), "text"), 15, 42, 2, sort="nh"),
        Column("DEV", lambda row: (devices(row), "text"), 5, 16, 4, sort="dev"),
        Column("STATE", state_cell, 8, 10, 7, sort="state"),
        Column("AS PATH", path_cell, 12, 48, 5, sort="pathlen"),
        Column("LP", text("local_pref"), 3, 10, 8, right=True, sort="lp"),
        Column("AGE", age_cell, 6, 8, 6, right=True, sort="age"),
        Column("DOMAIN", cell("domain", "muted"), 8, 20, 6, sort="domain"),
        Column("PEER", text("peer"), 13, 40, 9, sort="peer"),
        Column("MED", text("med"), 4, 10, 10, right=True, sort="med"),
        Column("COMMUNITIES", text("communities"), 12, 40, 11),
        Column("REASON", text("reason"), 12, 24, 12),
        Column("TABLE", text("table"), 5, 10, 13, right=True, sort="table", wide=True),
        Column("METRIC", text("metric"), 6, 10, 14, right=True, sort="metric", wide=True),
        Column("ORIGIN", text("origin"), 6, 10, 15, sort="origin", wide=True),
        Column("RPKI", text("rpki"), 5, 9, 16, sort="rpki", wide=True),
    ]


class RoutesPane(Pane):
    """The big table: nothing here ever holds more than some pages of it."""

    title = "Routes"
    interval = 1.0

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="routes")
        self.filter = ""
        self.problems = False
        self.preview = ""
        """A filter that is being typed and not yet accepted."""
        self.typing = False
        self._before = ""
        self.rows = WindowRows(desk.link.ask, self._changed, self._failed)
        self._opened: tuple[Any, ...] | None = None
        self._looks_again = False

    def compose(self) -> ComposeResult:
        """The facts of the view, its rows, and what the signs mean."""
        yield Lines(self.desk.painter, id="routes-head")
        table = Table(self.desk.painter, columns(), empty="no route matches", id="routes-table")
        table.sort, table.rows = "prefix", self.rows
        yield table
        yield Lines(self.desk.painter, id="routes-legend")

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one("#routes-table", Table)

    def arrive(self, filter: str | None = None, **_: Any) -> None:  # noqa: A002 - the word of the command line
        """Show what a filter matches; without one, what was shown before."""
        if filter is not None:
            self.filter, self.problems = filter, False
            self.table.cursor_key = ""
        self.reopen()

    def reopen(self, *, anew: bool = False) -> None:
        """Open the view that is asked for, if it is another one than the one that is shown."""
        table = self.table
        text = self.preview if self.typing else self.filter
        asked = (text, table.sort, table.descending, self.problems)
        if asked == self._opened and not anew:
            return
        self._opened = asked
        same = table.cursor_key
        self.rows.open(
            around=same,
            then=table.place if same else self._top,
            filter_text=text, sort=table.sort, descending=table.descending, problems=self.problems,
        )  # fmt: skip

    def _top(self, _: int) -> None:
        if not self._can_draw:
            return
        self.table.cursor_key = ""
        self.table.move_to(0)

    def _changed(self) -> None:
        if not self.children:  # what was asked for at the end comes after it
            return
        self.loaded_at = self.desk.now()
        self.failure = ""
        self.table.renew()
        self.redraw()

    def _failed(self, error: MonitorError) -> None:
        self.failure = said(error)
        self.redraw()

    async def load(self) -> None:
        """Look again at the rows that are shown."""
        if self.rows.view:
            self.rows.renew()
            # ``renew`` asks in the background: what was heard counts from when it is heard.
            await asyncio.sleep(0)
        else:
            self.reopen(anew=True)

    async def _load(self) -> None:
        heard = self.loaded_at
        await super()._load()
        self.loaded_at = heard or self.loaded_at

    def draw(self) -> None:
        """What is shown of how many, and how old it is."""
        columns_, rows, table = self.size.width, self.rows, self.table
        filtered = self.preview if self.typing else self.filter
        many = number(rows.total)
        left = line(" ", (clean(filtered), "accent") if filtered else ("every route", "text"),
                    ("  only problems (!)", "warn") if self.problems else "",
                    f"  sort {table.sort or 'prefix'} {'↓' if table.descending else '↑'}")  # fmt: skip
        took = rows.head.get("took_seconds")
        speed = f"  query {took * 1000:.0f} ms" if isinstance(took, int | float) else ""
        counted = f"{number(table.cursor + 1 if rows.total else 0)}/{many}" if rows.complete else f"{many} so far…"
        made = seconds_of(rows.head.get("made_at"))
        old = (
            f"  {plural(rows.changes, 'change')} since {duration(self.desk.now() - made)} (r)"
            if rows.changes and made
            else ""
        )
        right = line((counted, "title"), (speed, "muted"), (old, "warn"), " ")
        head = [spread(left, right, columns_)]
        if trouble := self.trouble():
            head.append(trouble)
        self.lines("routes-head").show(head, fade=self.fade)
        table.fade = self.fade
        if not rows.complete and rows.view and not self._looks_again:
            self._looks_again = True
            self.set_timer(GROWING_SECONDS, self._look_again)
        legend = [line((" " + LEGEND, "muted"))] if self.size.height >= 14 else []
        self.lines("routes-legend").show(legend)
        table.renew()

    def _look_again(self) -> None:
        self._looks_again = False
        self.rows.renew()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """Open a route."""
        if message.row.get("prefix"):
            self.desk.go("route", prefix=str(message.row["prefix"]), domain=str(message.row.get("domain") or ""))

    # Filter and order

    def set_filter(self, text: str) -> None:
        """Show what *text* matches."""
        self.typing, self.preview = False, ""
        self.filter = text
        self.reopen()
        self.redraw()

    def try_filter(self, text: str) -> None:
        """Show what matches while it is typed."""
        if not self.typing:
            self._before = self.table.cursor_key
        self.typing, self.preview = True, text
        self.reopen()

    def drop_filter(self) -> None:
        """Show again what was shown before something was typed."""
        if self.typing:
            self.table.cursor_key = self._before
        self.typing, self.preview = False, ""
        self.reopen()

    def found(self) -> str:
        """Return how many rows the view has, for the prompt."""
        took = self.rows.head.get("took_seconds")
        speed = f"  {took * 1000:.0f} ms" if isinstance(took, int | float) else ""
        return f"{number(self.rows.total)} {'matches' if self.rows.complete else 'so far…'}{speed}"

    def sorted_by(self, name: str, *, descending: bool) -> None:
        """Order the view by a column."""
        self.table.sort, self.table.descending = name, descending
        self.table.cursor_key = ""
        self.reopen()
        self.table.relayout()

    def do_problems(self) -> None:
        """Only what needs a look."""
        self.problems = not self.problems
        self.reopen()
        self.redraw()

    def do_renew(self) -> None:
        """Run the query again."""
        self.rows.again(self.table.cursor_key, self.table.place if self.table.cursor_key else None)

    def do_explain(self) -> None:
        """Open the route."""
        self.table.open()

    def do_peer_routes(self) -> None:
        """Open the routes of this row's peer."""
        row = self.table.row
        if row and row.get("peer"):
            self.desk.go("routes", filter=f"peer={row['peer']}")

    def do_plan_row(self) -> None:
        """The operation of the live plan on this prefix."""
        if prefix := self.target():
            self.desk.go("plan", digest="", prefix=prefix)

    def do_history_here(self) -> None:
        """What was done to this prefix."""
        if prefix := self.target():
            self.desk.go("command", text=f"history {prefix}")
