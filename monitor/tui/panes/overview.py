"""Overview: whether this node is all right."""

from collections.abc import Iterator
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from monitor.errors import MonitorError
from monitor.text.table import clean, number
from monitor.tui.cells import changes, mark, since, until
from monitor.tui.column import Row
from monitor.tui.desk import Desk
from monitor.tui.line import Line, line, rule, sparkline, spread, wrapped
from monitor.tui.lines import Lines
from monitor.tui.pane import Pane, keyed
from monitor.tui.panes import domains, events, peers
from monitor.tui.table import Table

WIDE = 120
"""Columns from which rates and health stand beside the tables."""

TALL = 34
"""Rows from which the routes that need a look are listed."""

SIDE = 46

LOOK_SECONDS = 3.0
"""How often it is found out which routes need a look, where that takes no time."""

LOOK_SHARE = 20
"""What takes the daemon longer is asked for as much less often: it is not kept busy with it."""


class OverviewPane(Pane):
    """Peers, domains, rates, what needs a look, the last records."""

    title = "Overview"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="overview")
        self.peers: list[dict[str, Any]] = []
        self.look: list[Row] | None = None
        self.look_total = 0
        self.problems = False
        self._rates = peers.Rates()
        self._look_again = 0.0

    def compose(self) -> ComposeResult:
        """Two columns where there is room."""
        painter = self.desk.painter
        with Horizontal(id="overview-top"):
            with Vertical(id="overview-main"):
                yield Lines(painter, id="overview-peers-head")
                yield Table(painter, peers.columns(self.desk), empty="no peers", id="overview-peers")
                yield Lines(painter, id="overview-domains-head")
                yield Table(painter, domains.columns(), empty="no domains", id="overview-domains")
            yield Lines(painter, id="overview-side")
        yield Lines(painter, id="overview-rates")
        yield Lines(painter, id="overview-look")
        yield Lines(painter, id="overview-events")

    @property
    def table(self) -> Table:
        """The table that has the focus; the peers unless it is the other one."""
        other = self.query_one("#overview-domains", Table)
        return other if other.has_focus else self.query_one("#overview-peers", Table)

    async def load(self) -> None:
        """Ask for the peers; the status is everybody's.  What needs a look is asked for less often."""
        items = (await self.desk.link.ask("peers"))["items"]
        self._rates.take(items, self.desk.now())
        self.peers = items
        if self.size.height >= TALL and self.desk.now() >= self._look_again:
            await self._load_look()

    async def _load_look(self) -> None:
        began = self.desk.now()
        try:
            head = await self.desk.link.ask("view", problems=True, wait=0.5)
            window = await self.desk.link.ask("window", view=head["view"], first=0, count=20)
            await self.desk.link.ask("close_view", view=head["view"])
        except MonitorError:
            return
        finally:
            # Half a tick earlier, so that the third tick is not just missed.
            self._look_again = began + max(LOOK_SECONDS - self.interval / 2, LOOK_SHARE * (self.desk.now() - began))
        self.look, self.look_total = window["items"], window["total"]

    def draw(self) -> None:
        """Every part that there is room for."""
        width, height = self.size.width, self.size.height
        wide, tall = width >= WIDE, height >= TALL
        side = self.lines("overview-side")
        side.display = wide
        main = width - SIDE if wide else width
        if wide:
            side.styles.width = SIDE
        families = domains.rows_of(self.desk.status.get("domains") or [])
        shown = [item for item in self.peers if not self.problems or peers.trouble_of(item)]
        rates = self._rate_lines(width) if height >= 17 and not wide else []
        head = 1 if height >= 14 else 0
        # What is left below the two heads of the tables goes to the peers first, then to the domains, then to the rest.
        left = height - 1 - head - len(rates)
        room_events = 0 if height < 16 else min(6, max(2, height // 6))
        room_look = min(12, max(0, height - 28)) if tall else 0
        left -= room_events + room_look
        room_domains = min(len(families) + 1, max(2, left // 2))
        room_peers = max(2, min(len(shown) + 1, left - room_domains))
        room_domains = max(room_domains, min(len(families) + 1, left - room_peers))
        self._table(
            "overview-peers",
            keyed(shown, "source", "address"),
            room_peers,
            key=lambda row: not peers.trouble_of(row),
        )
        self._table("overview-domains", families, room_domains)
        self.lines("overview-peers-head").show(
            [self._peers_head(main, len(shown) + 1 - room_peers, families)], fade=self.fade
        )
        below = len(families) + 1 - room_domains
        title = f"DOMAINS  {below} more (3)" if below > 0 else "DOMAINS"
        self.lines("overview-domains-head").show([rule(main, title)] * head, fade=self.fade)
        self.lines("overview-rates").show(rates, fade=self.fade)
        if wide:
            side.show([(("│ ", "muted"), *found) for found in self._side(SIDE - 2)], fade=self.fade)
        self.lines("overview-look").show(self._look_lines(width, room_look) if room_look else [], fade=self.fade)
        used = 1 + head + room_peers + room_domains + len(rates) + room_look
        self.lines("overview-events").show(self._event_lines(width, max(0, height - used)), fade=self.fade)

    def _table(self, name: str, rows: list[Row], height: int, key: Any = None) -> None:
        table = self.query_one(f"#{name}", Table)
        if key is not None:
            rows = sorted(rows, key=key)  # what is down first: it may not be below the edge
        table.fade = self.fade
        table.styles.height = height
        table.take(self.rows_of(rows))

    def _peers_head(self, columns: int, below: int, families: list[Row]) -> Line:
        up = sum(peers.state_of(item)[1] == "ok" for item in self.peers)
        down = sum(peers.state_of(item)[1] == "bad" for item in self.peers)
        other = len(self.peers) - up - down
        best, paths = (sum(row.get(name) or 0 for row in families) for name in ("best", "received"))
        left = line(" PEERS  ", (f"{up} up", "ok" if up else "muted"), "  ", (f"{down} DOWN", "bad" if down else "muted"),
                    "  ", (f"{other} other", "muted"))  # fmt: skip
        if below > 0:
            left = (*left, (f"  {below} more (2)", "accent"))
        right = line(f"ROUTES  best {number(best)}  paths {number(paths)} ") if columns >= 60 else ()
        return spread(left, right, columns)

    def _rate_lines(self, columns: int) -> list[Line]:
        rates = self.desk.status.get("rates") or {}
        if not rates:
            return []
        found = [rule(columns)]
        room = max(10, columns - 34)
        for name, title in (("updates", "upd/s"), ("withdrawals", "wd/s"), ("writes", "write/s")):
            values = _per_second(rates, name)
            if name == "writes" and columns < WIDE and self.size.height < 28:
                continue
            found.append(
                line(
                    f" {title:<8}",
                    (sparkline(values, room), "accent"),
                    f"  now {_rate(values[-2:-1])}  peak {_rate([max(values, default=0)])}",
                )
            )
        return found

    def _side(self, columns: int) -> Iterator[Line]:
        status = self.desk.status
        rates = status.get("rates") or {}
        if rates:
            yield line(("RATES, last 15 min", "title"))
            for name, title in (("updates", "updates/s"), ("withdrawals", "withdrawn/s"), ("writes", "fib writes/s")):
                values = _per_second(rates, name)
                yield line(f"{title:<13}", (sparkline(values, columns - 14), "accent"))
                mean = sum(values) / len(values) if values else 0
                yield line(
                    (
                        f"{'':13}peak {_rate([max(values, default=0)])}  mean {_rate([mean])}  now {_rate(values[-2:-1])}",
                        "muted",
                    )
                )
            yield rule(columns)
        plan = status.get("plan") or {}
        pending = changes(plan.get("summary"))
        yield line((f"PLAN #{clean(plan.get('number'))}", "title"), "  live  ", *mark(plan.get("summary")))
        for item in (self.desk.change.get("waiting") or [])[:3]:
            yield line(
                (f"  #{clean(item.get('number'))} {clean(item.get('state'))} waits", "accent"),
                f", expires in {until(item.get('expires_at'), self.desk.now())}",
            )
        if not pending:
            yield line(("  the kernel holds what BGP says", "ok"))
        window = self.desk.change.get("window") or {}
        yield from wrapped(
            f"window {window.get('text') or ''}", columns, "text" if window.get("open") else "warn", line("  "), "    "
        )
        yield rule(columns)
        yield line(("SOURCES", "title"))
        for source in status.get("sources") or []:
            good = source.get("state") == "connected"
            yield from wrapped(f"{source.get('name')}: {source.get('detail')}", columns, "text" if good else "bad",
                               line(("ok " if good else "!! ", "ok" if good else "bad")), "   ")  # fmt: skip
        yield line(("kernel", "title"))
        yield from wrapped(str(status.get("kernel") or ""), columns, "text", line("   "), "   ")
        yield line(
            (f"bgpmon {clean(status.get('version'))}, since {since(status.get('since'), self.desk.now())}", "muted")
        )

    def _look_lines(self, columns: int, room: int) -> list[Line]:
        if self.look is None:
            return [rule(columns, "ROUTES THAT NEED A LOOK"), line((" asking…", "muted"))]
        found = [rule(columns, f"ROUTES THAT NEED A LOOK  {number(self.look_total)}")]
        for row in self.look[: room - 1]:
            where = line(
                f" {clean(row.get('op') or '!'):<2}",
                f"{clean(row.get('prefix')):<20} ",
                (f"{clean(row.get('domain')):<10} ", "muted"),
            )
            words = (
                f"{clean(row.get('now') or 'no route')} → {clean(row.get('then') or 'no route')}"
                if row.get("op")
                else clean(row.get("state"))
            )
            found.append(spread((*where, (words, "text")), line((clean(row.get("reason")), "muted"), " "), columns))
        if not self.look:
            found.append(line((" none", "ok")))
        return found

    def _event_lines(self, columns: int, room: int) -> list[Line]:
        if room < 2:
            return []
        warnings = self.desk.status.get("warnings") or []
        said = [line((f" !! {clean(text)}", "warn")) for text in warnings[: max(1, (room - 1) // 2)]]
        newest = self.desk.link.events[-(room - 1 - len(said)) :] if room - 1 > len(said) else []
        return [rule(columns, "EVENTS"), *said, *(events.one_line(item) for item in reversed(newest))]

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """Open a peer or a domain."""
        if message.table.id == "overview-peers":
            self.desk.go("routes", filter=f"peer={message.row.get('address')}")
        else:
            self.desk.go("domains", domain=str(message.row.get("domain")))

    def do_problems(self) -> None:
        """Only peers that need a look."""
        self.problems = not self.problems
        self.redraw()


def _rate(values: list[float]) -> str:
    value = values[0] if values else 0.0
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _per_second(rates: dict[str, Any], name: str) -> list[float]:
    return [many / (rates.get("seconds") or 10) for many in rates.get(name) or []]
