"""Peers: each session, and what it brings."""

from collections.abc import Iterator
from typing import Any

from textual.app import ComposeResult

from monitor.text.table import NOTHING, clean, number
from monitor.tui.cells import since, value
from monitor.tui.column import Column, Row
from monitor.tui.desk import Desk
from monitor.tui.line import Line, Span, line, spread, wrapped
from monitor.tui.lines import Lines
from monitor.tui.pane import Matches, Pane, keyed, language
from monitor.tui.table import Table


def total(row: Row, name: str) -> int:
    """Return a count over all families of a peer."""
    families = row.get("families") or {}
    return sum(value for counts in families.values() if isinstance(value := counts.get(name), int))


def state_of(row: Row) -> Span:
    """Return a session's state with its mark: a word, a sign and a colour."""
    state = str(row.get("state"))
    if row.get("admin_state") == "down":
        return "-- shut", "muted"
    if row.get("restarting"):
        return "~~ restart", "warn"
    if state == "established":
        return "ok Estab", "ok"
    return f"!! {clean(state).capitalize()}", "bad"


def trouble_of(row: Row) -> bool:
    """Return whether a peer needs a look."""
    return state_of(row)[1] in {"bad", "warn"} or bool(row.get("expired")) or row.get("domain") == "unassigned"


def columns(desk: Desk) -> list[Column]:
    """Return the columns of a table of peers."""

    def counted(name: str) -> Any:
        return lambda row: (number(total(row, name)), "text" if total(row, name) else "muted")

    def rate(row: Row) -> Span:
        value = row.get("rate")
        return (NOTHING, "muted") if value is None else (f"{value:.1f}", "text" if value else "muted")

    return [
        Column("PEER", lambda row: (clean(row.get("address")), "text"), 13, 40, 0, key=lambda row: row.get("address")),
        Column("ASN", lambda row: (clean(row.get("asn")), "text"), 6, 10, 3, right=True, key=lambda row: row.get("asn") or 0),
        Column("DOMAIN", lambda row: (clean(row.get("domain")), "text"), 8, 20, 5, key=lambda row: str(row.get("domain"))),
        Column("STATE", state_of, 10, 14, 1, key=lambda row: state_of(row)[0]),
        Column("UP/DOWN", lambda row: (since(row.get("since"), desk.now()), "text"), 7, 8, 2, right=True,
               key=lambda row: str(row.get("since"))),
        Column("RCVD", counted("received"), 6, 11, 2, right=True, key=lambda row: total(row, "received")),
        Column("ACCEPTED", counted("accepted"), 8, 11, 7, right=True, key=lambda row: total(row, "accepted")),
        Column("BEST", counted("best"), 6, 11, 3, right=True, key=lambda row: total(row, "best")),
        Column("UPD/S", rate, 6, 8, 6, right=True, key=lambda row: row.get("rate") or 0),
        Column("AUTH", lambda row: ("yes", "ok") if row.get("authenticated") else ("no", "muted"), 4, 4, 9),
        Column("LAST DOWN", lambda row: (clean(row["last_down_reason"]) if row.get("last_down_reason") else "", "warn"), 10, 30, 8),
        Column("DESCRIPTION", lambda row: (clean(row["description"]) if row.get("description") else "", "muted"), 11, 40, 10),
    ]  # fmt: skip


class Rates:
    """Updates a second of each peer, from the totals that the daemon tells."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int]] = {}

    def take(self, items: list[dict[str, Any]], now: float) -> None:
        """Give each item its ``rate``; it is unknown the first time."""
        for item in items:
            told = item.get("updates")
            if not isinstance(told, int):
                continue
            name = f"{item.get('source')} {item.get('address')}"
            told += item.get("withdrawals") or 0
            before = self._last.get(name)
            if before is not None and now > before[0] and told >= before[1]:
                item["rate"] = (told - before[1]) / (now - before[0])
            self._last[name] = (now, told)


class PeersPane(Pane):
    """All peers; below, the one under the cursor."""

    title = "Peers"
    interval = 2.0

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="peers")
        self.items: list[dict[str, Any]] = []
        self.problems = False
        self.filter = ""
        self._matches: Matches | None = None
        self._rates = Rates()

    def compose(self) -> ComposeResult:
        """The table, and the detail of one."""
        yield Lines(self.desk.painter, id="peers-head")
        yield Table(self.desk.painter, columns(self.desk), empty="no peers", id="peers-table")
        yield Lines(self.desk.painter, id="peers-detail")

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one("#peers-table", Table)

    def arrive(self, address: str = "", **_: Any) -> None:
        """Put the cursor on one peer."""
        if address:
            self.table.cursor_key = next(
                (str(row["key"]) for row in keyed(self.items, "source", "address") if row.get("address") == address), ""
            )

    async def load(self) -> None:
        """Ask for all peers."""
        items = (await self.desk.link.ask("peers"))["items"]
        self._rates.take(items, self.desk.now())
        self.items = items

    def draw(self) -> None:
        """The counts, the table, the detail."""
        up = sum(state_of(item)[1] == "ok" for item in self.items)
        shut = sum(state_of(item)[0] == "-- shut" for item in self.items)
        down = len(self.items) - up - shut
        left = line(" PEERS  ", (f"{up} up", "ok" if up else "muted"), "  ", (f"{down} DOWN", "bad" if down else "muted"),
                    "  ", (f"{shut} admin-down", "muted"))  # fmt: skip
        right = line(("only problems (!) " if self.problems else "", "warn"))
        self.lines("peers-head").show(
            [spread(left, right, self.size.width), *([t] if (t := self.trouble()) else [])], fade=self.fade
        )
        shown = [item for item in self.items if not self.problems or trouble_of(item)]
        if self.filter:
            shown = [item for item in shown if self._matches is None or self._matches(item)]
        table = self.table
        rows = keyed(shown, "source", "address")
        table.fade = self.fade
        table.take(self.rows_of(table.ordered(rows)))
        detail = list(self._detail(table.row)) if self.size.height >= 16 and table.row else []
        self.lines("peers-detail").show(detail, fade=self.fade)

    def _detail(self, row: Row) -> Iterator[Line]:
        columns_ = self.size.width
        yield (("─" * columns_, "muted"),)
        words = f" {value(row, 'address')}  AS {value(row, 'asn')}  source {value(row, 'source')} ({value(row, 'source_kind')})"
        if row.get("description"):
            words += f"  {clean(row['description'])}"
        yield line((words, "title"))
        for family, counts in (row.get("families") or {}).items():
            told = [
                f"{name} {number(counts[name])}"
                for name in ("received", "accepted", "best", "advertised", "limit")
                if counts.get(name) is not None and (counts[name] or name != "limit")
            ]
            eor = "complete: " + clean(counts["complete"]) if counts.get("complete") else "not complete yet"
            yield line(
                f"  {clean(family):<6} {'  '.join(told)}  ", (eor, "muted" if counts.get("complete") else "warn")
            )
        if row.get("last_down_reason"):
            yield from wrapped(str(row["last_down_reason"]), columns_, "warn", line("  last down  "), "             ")
        if row.get("expired"):
            yield line(("  away for longer than stale_after: its paths are not used", "bad"))
        if not row.get("authenticated"):
            yield line(("  the session is not authenticated (no TCP-MD5 or TCP-AO)", "muted"))

    def on_table_moved(self, _: Table.Moved) -> None:
        """Show the detail of another peer."""
        self.redraw()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """Open a peer's routes."""
        self.desk.go("routes", filter=f"peer={message.row.get('address')}")

    def do_peer_routes(self) -> None:
        """Open the routes of the peer under the cursor."""
        self.table.open()

    def do_problems(self) -> None:
        """Only what needs a look."""
        self.problems = not self.problems
        self.redraw()

    def set_filter(self, text: str) -> None:
        """Show only peers that match."""
        self.filter = text
        self._matches = language().matcher(text, "peers") if text else None
        self.redraw()
