"""Domains: what BGP says, what the kernel holds, and where paths stop."""

from collections.abc import Iterator
from typing import Any

from textual.app import ComposeResult

from monitor.text.screen import funnel
from monitor.text.table import clean, number
from monitor.tui.cells import count, value
from monitor.tui.column import Column, Row
from monitor.tui.desk import Desk
from monitor.tui.line import Line, Span, line, wrapped
from monitor.tui.lines import Lines
from monitor.tui.pane import Pane, keyed
from monitor.tui.table import Table

STAGES = ("received", "accepted", "in_policy", "eligible", "best", "desired", "installed", "verified")


def rows_of(items: list[dict[str, Any]]) -> list[Row]:
    """Return one row for each domain and family, flat."""
    found = []
    for item in items:
        for family, counts in (item.get("families") or {}).items():
            pending = counts.get("pending") or {}
            found.append(
                {
                    **{
                        name: counts.get(name)
                        for name in (*STAGES, "held", "failed", "foreign", "drift", "conflicts", "overlaps")
                    },
                    **{name: pending.get(name, 0) for name in ("add", "change", "remove")},
                    "domain": item.get("name"),
                    "table": item.get("table"),
                    "family": family,
                    "state": item.get("state"),
                }
            )
    return keyed(found, "domain", "family")


def match(row: Row) -> Span:
    """Return how far the kernel agrees with BGP: a percentage, and a word where something is wrong."""
    if row.get("state") not in ("complete", None):
        return f"~~ {clean(row.get('state'))}", "warn"
    if row.get("failed"):
        return "!! failed", "bad"
    if row.get("drift"):
        return "!! drift", "bad"
    if row.get("conflicts") or row.get("overlaps"):
        return "~~ conflict", "warn"
    desired, away = row.get("desired") or 0, (row.get("add") or 0) + (row.get("change") or 0)
    if row.get("remove"):
        return f"~ {number(row['remove'])} to remove", "delete"
    if not desired:
        return "nothing", "muted"
    # Rounded down: 100 % is said of nothing less.
    share = int((desired - away) / desired * 100_000) / 1000
    return f"{share:.3f}%" if away else "100%", "ok" if not away else "change"


def columns() -> list[Column]:
    """Return the columns of a table of domains."""

    def op(name: str, glyph: str, token: str) -> Any:
        return lambda row: (
            f"{glyph}{number(row[name])}" if row.get(name) else "0",
            token if row.get(name) else "muted",
        )

    return [
        Column("DOMAIN", lambda row: (clean(row.get("domain")), "text"), 8, 24, 0),
        Column("AF", lambda row: (clean(row.get("family")), "text"), 4, 4, 4),
        Column("TABLE", lambda row: (clean(row.get("table")), "text"), 5, 10, 6, right=True),
        Column("RCVD", count("received"), 7, 11, 8, right=True),
        Column("BEST", count("best"), 7, 11, 5, right=True),
        Column("FIB", count("installed"), 7, 11, 2, right=True),
        Column("ADD", op("add", "+", "add"), 5, 10, 1, right=True),
        Column("CHG", op("change", "~", "change"), 4, 10, 2, right=True),
        Column("DEL", op("remove", "-", "delete"), 4, 10, 2, right=True),
        Column("HELD", count("held", "hold"), 4, 9, 5, right=True),
        Column("FAIL", count("failed", "bad"), 4, 9, 3, right=True),
        Column("FOREIGN", count("foreign", "foreign"), 7, 9, 9, right=True),
        Column("DRIFT", count("drift", "bad"), 5, 9, 6, right=True),
        Column("FIB=RIB", match, 8, 16, 2, right=True),
    ]


class DomainsPane(Pane):
    """The table of domains, and the funnel of the one under the cursor."""

    title = "Domains"
    interval = 2.0

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="domains")
        self.items: list[dict[str, Any]] = []

    def compose(self) -> ComposeResult:
        """The table, and the detail of one."""
        yield Table(self.desk.painter, columns(), empty="no domains", id="domains-table")
        yield Lines(self.desk.painter, id="domains-detail")

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one("#domains-table", Table)

    def arrive(self, domain: str = "", **_: Any) -> None:
        """Put the cursor on a domain."""
        if domain:
            self.table.cursor_key = next(
                (str(row["key"]) for row in rows_of(self.items) if row.get("domain") == domain), ""
            )

    async def load(self) -> None:
        """Ask for all domains."""
        self.items = (await self.desk.link.ask("domains"))["items"]

    def draw(self) -> None:
        """The table and the detail."""
        table = self.table
        table.fade = self.fade
        rows = rows_of(self.items)
        table.take(self.rows_of(rows))
        # The table is as tall as it has to be: the detail says more than blanks do.
        room = max(3, self.size.height - 14)
        table.styles.height = min(len(rows) + 1, room) if self.size.height >= 14 else "1fr"
        row = table.row
        item = next((item for item in self.items if row and item.get("name") == row.get("domain")), None)
        detail = list(self._detail(item, str(row.get("family")))) if item and row and self.size.height >= 14 else []
        if trouble := self.trouble():
            detail.insert(0, trouble)
        self.lines("domains-detail").show(detail, fade=self.fade)

    def _detail(self, item: dict[str, Any], family: str) -> Iterator[Line]:
        room = self.size.width
        yield (("─" * room, "muted"),)
        state = clean(item.get("state"))
        where = f"  table {value(item, 'table')}  metric {value(item, 'metric')}"
        where += f"  {value(item, 'source')} on {value(item, 'interfaces')}  "
        token = "ok" if state == "complete" else "warn"
        yield line((f" {value(item, 'name')} {family}", "title"), where, (state, token))
        for reason in item.get("waits") or []:
            yield from wrapped(str(reason), room, "warn", line("  waits for  "), "             ")
        counts = (item.get("families") or {}).get(family) or {}
        for name, stopped in funnel(counts):
            head = line(f"  {name.replace('_', ' '):<10}", f"{number(counts.get(name)):>10}  ")
            if stopped:
                yield from wrapped(f"less {', '.join(stopped)}", room, "muted", head, " " * 24)
            else:
                yield head
        for rule in item.get("rules") or []:
            word = clean(rule.get("state"))
            yield line(f"  rule       {clean(rule.get('text'))}  ", (word, "ok" if word == "installed" else "change"))
        if not item.get("rules") and item.get("effective") is False:
            yield line(("  no rule leads to its table, so no traffic uses it", "warn"))
        for guard in item.get("guards") or []:
            yield from wrapped(str(guard), room, "muted", line("  guard      "), " " * 13)

    def on_table_moved(self, _: Table.Moved) -> None:
        """Show the detail of another domain."""
        self.redraw()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """Open a domain's routes."""
        self.desk.go("routes", filter=f"domain={message.row.get('domain')} af={message.row.get('family')}")

    def do_domain_routes(self) -> None:
        """Open the routes of the domain under the cursor."""
        self.table.open()

    def target(self) -> str:
        """A domain is no place on the network."""
        return ""
