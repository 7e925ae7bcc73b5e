"""One route: what BGP wants, what the kernel has, each path with the step that decided, and what was done to it."""

from collections.abc import Iterator
from typing import Any

from textual.app import ComposeResult

from monitor.text.table import NOTHING, clean, duration
from monitor.tui.cells import clock_time
from monitor.tui.column import Column, Row
from monitor.tui.desk import Desk
from monitor.tui.line import Line, Span, line, rule, spread, wrapped
from monitor.tui.lines import Lines
from monitor.tui.pane import Pane, keyed
from monitor.tui.table import Table


def _rank(row: Row) -> Span:
    if row.get("best"):
        return "best", "ok"
    if row.get("rank"):
        return f"#{clean(row['rank'])}", "text"
    return NOTHING, "muted"


def _why(row: Row) -> Span:
    step = row.get("step_text")
    words = clean(row.get("reason_text") or row.get("reason"))
    if row.get("best") and not step:
        return words if row.get("reason") not in ("installed", None, "") else "the best", "ok"
    return (f"{words}: {clean(step)}" if step else words), "text" if row.get("best") else "muted"


def columns() -> list[Column]:
    """Return the columns of the paths."""

    def text(name: str) -> Any:
        return lambda row: (clean(row.get(name)), "text")

    def length(row: Row) -> Span:
        return str(len(str(row.get("as_path") or "").split())), "text"

    return [
        Column("RANK", _rank, 4, 5, 0),
        Column("PEER", text("peer"), 13, 40, 1),
        Column("NEXT HOP", text("next_hop"), 13, 40, 5),
        Column("LP", text("local_pref"), 4, 10, 4, right=True),
        Column("LEN", length, 3, 4, 4, right=True),
        Column("ORIGIN", text("origin"), 6, 10, 6),
        Column("MED", text("med"), 4, 10, 6, right=True),
        Column("WHY", _why, 16, 200, 2),
        Column("AS PATH", text("as_path"), 10, 60, 7),
        Column("AGE", lambda row: (duration(row.get("received_seconds")), "text"), 6, 8, 8, right=True),
    ]


class RoutePane(Pane):
    """The explanation of one prefix in one domain."""

    title = "Route"
    interval = 2.0

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="route")
        self.prefix = ""
        self.domain = ""
        self.answer: dict[str, Any] = {}

    def compose(self) -> ComposeResult:
        """Facts, paths, and the rest."""
        painter = self.desk.painter
        yield Lines(painter, id="route-head")
        yield Table(painter, columns(), empty="BGP tells no path for it", id="route-paths")
        rest = Lines(painter, id="route-rest")
        rest.styles.height = "1fr"
        yield rest

    @property
    def table(self) -> Table:
        """The paths."""
        return self.query_one("#route-paths", Table)

    def places(self) -> tuple[str, ...]:
        """Its own keys come before those of a table."""
        return ("route", "table", "all")

    def crumbs(self) -> str:
        """Return the way here."""
        return f"Routes > {clean(self.domain) if self.domain else 'any domain'} > {clean(self.prefix)}"

    def arrive(self, prefix: str = "", domain: str = "", **_: Any) -> None:
        """Show a route."""
        if prefix:
            if (prefix, domain) != (self.prefix, self.domain):
                self.answer, self.failure, self.loaded_at = {}, "", 0.0
            self.prefix, self.domain = prefix, domain
        self.renew()

    async def load(self) -> None:
        """Ask why."""
        if not self.prefix:
            return
        prefix, domain = self.prefix, self.domain
        answer = await self.desk.link.ask("explain", prefix=prefix, domain=domain)
        if (prefix, domain) == (self.prefix, self.domain):
            self.answer = answer

    def draw(self) -> None:
        """Everything that is known."""
        width, height = self.size.width, self.size.height
        answer = self.answer
        head = (
            [trouble]
            if (trouble := self.trouble())
            else list(self._head(width))
            if answer
            else [line((" asking…", "muted"))]
        )
        self.lines("route-head").show(head, fade=self.fade and bool(answer))
        paths = keyed(answer.get("paths") or [], "peer", "path_id")
        table = self.table
        table.fade = self.fade
        table.styles.height = max(2, min(len(paths) + 1, height - len(head) - 4))
        table.take(self.rows_of(paths))
        self.lines("route-rest").show(list(self._rest(width)) if answer else [], fade=self.fade)

    def _head(self, columns_: int) -> Iterator[Line]:
        answer = self.answer
        state = str(answer.get("state") or "")
        want, have = answer.get("desired"), answer.get("installed")
        same = want == have
        yield from wrapped(
            str(answer.get("sentence") or answer.get("verdict") or ""), columns_ - 1, "title", line(" "), " "
        )
        yield rule(columns_)
        yield from wrapped(str(want or "nothing"), columns_ - 1, "text", line((" WANT (BGP)     ", "head")), " " * 16)
        token = "ok" if same else "change"
        yield from wrapped("the same" if same and want else str(have or "nothing"), columns_ - 1, token,
                           line((" HAVE (kernel)  ", "head")), " " * 16)  # fmt: skip
        yield line(
            f" table {clean(answer.get('table'))}   domain {clean(answer.get('domain'))}   ",
            (clean(state), "ok" if state == "installed" else "change"),
        )
        if answer.get("policy_rule"):
            yield from wrapped(
                str(answer["policy_rule"]), columns_ - 1, "muted", line((" policy         ", "head")), " " * 16
            )
        others = [name for name in answer.get("matches") or [] if name != answer.get("domain")]
        if others:
            yield line((" also in        ", "head"), clean(others))
        yield rule(columns_, f"PATHS {len(answer.get('paths') or [])}")

    def _rest(self, columns_: int) -> Iterator[Line]:
        row = self.table.row
        if row is not None:
            yield rule(columns_, f"PATH of {clean(row.get('peer'))}")
            yield from wrapped(_why(row)[0], columns_ - 1, "text", line((" why     ", "head")), " " * 9)
            yield from wrapped(clean(row.get("as_path")), columns_ - 1, "text", line((" path    ", "head")), " " * 9)
            known = [
                (name, clean(row.get(key)))
                for name, key in (("comms", "communities"), ("large", "large_communities"))
                if row.get(key)
            ]
            for name, text in known:
                yield from wrapped(text, columns_ - 1, "text", line((f" {name:<8}", "head")), " " * 9)
            told = f"received {duration(row.get('received_seconds'))} ago"
            told += ", STALE" if row.get("stale") else ""
            told += f", RPKI {clean(row.get('rpki'))}" if row.get("rpki") not in (None, "none") else ""
            yield line((" told    ", "head"), told)
            if row.get("rule_text"):
                yield from wrapped(str(row["rule_text"]), columns_ - 1, "muted", line((" rule    ", "head")), " " * 9)
        history = self.answer.get("history") or []
        yield rule(columns_, "HISTORY")
        if not history:
            yield line((" nothing was done to it", "muted"))
        for item in history[:12]:
            words = f"{clean(item.get('op'))} {clean(item.get('after') or item.get('before') or '')}  {clean(item.get('result'))}"
            yield spread(
                line((f" {clock_time(item.get('at'))} ", "muted"), words),
                line((clean(item.get("cause")), "muted")),
                columns_,
            )

    def on_table_moved(self, _: Table.Moved) -> None:
        """Show another path in full."""
        self.redraw()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """Where the next hop itself would go."""
        if message.row.get("next_hop"):
            self.desk.go("lookup", address=str(message.row["next_hop"]).split("%")[0])

    def target(self) -> str:
        """Return the prefix."""
        return self.prefix

    def do_history_here(self) -> None:
        """What was done to this prefix, in full."""
        self.desk.go("command", text=f"history {self.prefix}")

    def do_plan_row(self) -> None:
        """The operation of the live plan on this prefix."""
        self.desk.go("plan", digest="", prefix=self.prefix)

    def _step(self, by: int) -> None:
        self.desk.go("route_beside", by=by)

    def do_next_row(self) -> None:
        """The next route of the table."""
        self._step(1)

    def do_previous_row(self) -> None:
        """The route before."""
        self._step(-1)
