"""Plan: what would change, what that does, who agreed, and what becomes of it."""

from collections import Counter
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from monitor.text.table import clean, number
from monitor.tui.cells import OP_TOKENS, PLAN_TOKENS, RISK_TOKENS, mark, short_way, text_or_nothing
from monitor.tui.column import Column, Row
from monitor.tui.desk import Desk
from monitor.tui.line import Span, line, plain, rule
from monitor.tui.lines import Lines
from monitor.tui.pane import Matches, Pane, keyed, language
from monitor.tui.panes import plantold
from monitor.tui.table import Table

WAITING = frozenset({"frozen", "approved", "queued"})

MOST_OPERATIONS = 500
"""Operations that are asked for: enough to page through, little enough to ask for every second."""

GROUPS = ("", "op", "domain", "risk", "class", "rule", "then")
"""What operations are counted by, in the order of the key b; the first is not at all."""

WIDE = 140


def columns() -> list[Column]:
    """Return the columns of the operations."""

    def text(name: str, nothing: str) -> Any:
        return lambda row: (short_way(row[name]), "text") if row.get(name) else (nothing, "muted")

    return [
        Column("OP", lambda row: (clean(row.get("op")), OP_TOKENS.get(str(row.get("op")), "text")), 2, 2, 0),
        Column("PREFIX", lambda row: (clean(row.get("prefix") or "rule"), OP_TOKENS.get(str(row.get("op")), "text")), 18, 43, 0,
               key=lambda row: str(row.get("prefix") or "")),
        Column("DOMAIN", lambda row: (clean(row.get("domain")), "text"), 8, 18, 2, key=lambda row: str(row.get("domain"))),
        Column("NOW", text("before", "no route"), 14, 30, 3),
        Column("THEN", text("after", "removed"), 14, 30, 2),
        Column("EFFECT", lambda row: (text_or_nothing(row, "effect"), "text"), 20, 70, 7),
        Column("RISK", lambda row: (text_or_nothing(row, "risk"), RISK_TOKENS.get(str(row.get("risk")), "text")), 4, 4, 1,
               key=lambda row: ("low", "med", "high").index(row["risk"]) if row.get("risk") in RISK_TOKENS else -1),
        Column("CLASS", lambda row: (text_or_nothing(row, "class"), "muted"), 9, 20, 8, key=lambda row: str(row.get("class"))),
        Column("DECISION", lambda row: (text_or_nothing(row, "decision"), "text"), 10, 14, 9,
               key=lambda row: str(row.get("decision"))),
        Column("RULE", lambda row: (text_or_nothing(row, "rule"), "muted"), 6, 20, 10, key=lambda row: str(row.get("rule"))),
    ]  # fmt: skip


def plan_columns() -> list[Column]:
    """Return the columns of the list of plans."""

    def text(name: str) -> Any:
        return lambda row: (clean(row.get(name)), "text")

    def summary(row: Row) -> Span:
        return plain(mark(row.get("summary"))), "text"

    return [
        Column("PLAN", lambda row: (f"#{clean(row.get('number'))}", "title"), 5, 8, 0),
        Column(
            "STATE",
            lambda row: (clean(row.get("state")), PLAN_TOKENS.get(str(row.get("state")), "text")),
            11,
            12,
            1,
        ),
        Column("DIGEST", lambda row: (clean(row.get("short")), "text"), 14, 14, 2),
        Column("CHANGES", summary, 12, 24, 3),
        Column(
            "RISK", lambda row: (text_or_nothing(row, "risk"), RISK_TOKENS.get(str(row.get("risk")), "text")), 4, 4, 4
        ),
        Column("FROZEN", text("created_at"), 19, 20, 5),
        Column("BY", text("frozen_by"), 6, 20, 6),
        Column("DETAIL", text("detail"), 10, 80, 7),
    ]


class PlanPane(Pane):
    """The live plan or a frozen one; or the list of those that were."""

    title = "Plan"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="plan")
        self.digest = ""
        self.document: dict[str, Any] = {}
        self.plans: list[dict[str, Any]] = []
        self.problems = False
        self.filter = ""
        self.group = ""
        self._query: Matches | None = None
        self._followed = ""
        self._seek = ""

    def compose(self) -> ComposeResult:
        """What it does, the operations, and the one under the cursor."""
        painter = self.desk.painter
        yield Lines(painter, id="plan-head")
        yield Table(painter, columns(), empty="nothing to do: the kernel holds what BGP says", id="plan-table")
        yield Table(painter, plan_columns(), empty="no plan was frozen yet", id="plan-list")
        with Horizontal(id="plan-bottom"):
            yield Lines(painter, id="plan-detail")
            yield Lines(painter, id="plan-people")

    @property
    def table(self) -> Table:
        """The operations, or the plans."""
        return self.query_one("#plan-list" if self.listing else "#plan-table", Table)

    @property
    def state(self) -> str:
        """The state of the plan that is shown."""
        return str(self.document.get("state") or "live")

    def places(self) -> tuple[str, ...]:
        """What can be done depends on the plan's state."""
        if self.listing:
            return ("plan", "table", "all")
        state = self.state
        if state == "live":
            kind: tuple[str, ...] = ("plan-live",)
        elif state in WAITING:
            kind = ("plan-waiting", "plan-frozen")
        elif state == "soaking":
            kind = ("plan-soaking", "plan-frozen")
        elif state in {"applied", "confirmed"}:
            kind = ("plan-done", "plan-frozen")
        else:
            kind = ("plan-frozen",)
        return (*kind, "plan", "table", "all")

    def arrive(self, digest: str | None = None, listing: bool = False, prefix: str = "", **_: Any) -> None:  # noqa: FBT001, FBT002
        """Show the plan of *digest*, the live one for an empty one, with the cursor on *prefix*; or the list."""
        self.listing = listing
        self._seek = prefix
        if digest is not None and digest != self.digest:
            self.digest, self.document, self.loaded_at = digest, {}, 0.0
        elif digest is None and not listing and not self.digest:
            # What needs a decision comes before what moves.
            flight = self.desk.change.get("in_flight") or {}
            waiting = self.desk.change.get("waiting") or []
            found = flight.get("digest") or (waiting[0].get("digest") if waiting else "")
            if found and found != self._followed:
                self._followed = self.digest = str(found)
                self.document = {}
        self.renew()

    async def load(self) -> None:
        """Ask for the plan that is shown."""
        if self.listing:
            self.plans = (await self.desk.link.ask("plans", limit=200))["items"]
            return
        digest = self.digest
        document = await self.desk.link.ask("plan", digest=digest, limit=MOST_OPERATIONS)
        if digest == self.digest:
            if document.get("state") != self.document.get("state"):
                self.desk.ask_status()  # the header counts down, or does no longer
            self.document = document

    # Drawing

    def draw(self) -> None:
        """Everything that there is room for."""
        width, height = self.size.width, self.size.height
        listing = self.query_one("#plan-list", Table)
        operations = self.query_one("#plan-table", Table)
        listing.display, operations.display = self.listing, not self.listing
        bottom = self.query_one("#plan-bottom")
        if self.listing:
            head = [rule(width, "PLANS, newest first")]
            listing.fade = self.fade
            listing.take(self.rows_of(keyed(self.plans, "digest")))
            bottom.display = False
            self.lines("plan-head").show([*head, *([t] if (t := self.trouble()) else [])], fade=self.fade)
            return
        now = self.desk.now()
        document = self.document
        head = (
            plantold.head(document, self.desk.change, width, max(4, height // 2), now)
            if document
            else [line((" asking…", "muted"))]
        )
        if trouble := self.trouble():
            head.insert(0, trouble)
        shown = self._rows()
        if self.problems or self.filter or self.group:
            words = ["only risk med and high (!)" if self.problems else "", f"filter {clean(self.filter)}" if self.filter else "",
                     f"counted by {self.group} (b)" if self.group else ""]  # fmt: skip
            # What is beyond the operations that were asked for is not looked at, and that has to be said.
            first = (
                f" of the first {number(len(document.get('operations') or []))}" if document.get("truncated") else ""
            )
            head.append(
                line((f" {number(len(shown))} rows{first}: {', '.join(word for word in words if word)}", "warn"))
            )
        del head[max(1, height - 2) :]  # a head and a row of the table stay in every window
        self.lines("plan-head").show(head, fade=self.fade)
        operations.fade = self.fade
        self._sought(operations, shown)
        operations.take(self.rows_of(shown))
        wide = width >= WIDE
        row = operations.row
        room = min(9, max(0, height - len(head) - 6))
        detail = (
            plantold.detail(row, width - 60 if wide else width, room) if row and room >= 3 and not self.group else []
        )
        people = plantold.people(document, 58) if wide and room >= 3 and document.get("digest") else []
        bottom.display = bool(detail or people)
        bottom.styles.height = max(len(detail), len(people))
        self.lines("plan-detail").styles.width = width - 60 if wide else "1fr"
        self.lines("plan-detail").show(detail, fade=self.fade)
        self.lines("plan-people").display = wide
        self.lines("plan-people").show([(("│ ", "muted"), *found) for found in people], fade=self.fade)

    def _sought(self, table: Table, rows: list[Row]) -> None:
        """Put the cursor on the operation that was asked for, or say that it is not here."""
        if not self._seek or not self.loaded_at or not self.document:
            return
        prefix, self._seek = self._seek, ""
        key = next((str(row["key"]) for row in rows if row.get("prefix") == prefix), "")
        if key:
            table.cursor_key = key
        else:
            self.desk.say(f"{prefix} is not among the {number(len(rows))} operations shown here")

    def _rows(self) -> list[Row]:
        items = self.document.get("operations") or []
        rows = keyed(items, "table", "prefix", "op", "after", "before")
        if self.problems:
            rows = [row for row in rows if row.get("risk") in {"med", "high"}]
        if self._query is not None:
            rows = [row for row in rows if self._query(row)]
        rows = self.query_one("#plan-table", Table).ordered(rows)
        if not self.group:
            return rows
        name = {"then": "after"}.get(self.group, self.group)
        counted = Counter(str(row.get(name) or "nothing") for row in rows)
        return [
            {
                "key": found,
                "op": found if self.group == "op" else "",
                "risk": found if self.group == "risk" else "",
                "prefix": clean(found),
                "after": f"{number(many)} operations",
            }
            for found, many in counted.most_common()
        ]

    def on_table_moved(self, _: Table.Moved) -> None:
        """Show another operation."""
        self.redraw()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        """Open a plan, or the route of an operation."""
        if self.listing:
            self.desk.go("plan", digest=str(message.row.get("digest")))
        elif self.group:
            value = str(message.row.get("key"))
            self.set_filter(f'{self.group}="{value}"' if self.group != "then" else "")
            self.group = ""
            self.redraw()
        elif message.row.get("prefix"):
            self.desk.go("route", prefix=str(message.row["prefix"]), domain=str(message.row.get("domain") or ""))

    # What can be looked at

    def set_filter(self, text: str) -> None:
        """Show only operations that match."""
        self.filter = text
        self._query = language().matcher(text, "plan") if text else None
        self.redraw()

    def do_problems(self) -> None:
        """Only what is risky."""
        self.problems = not self.problems
        self.redraw()

    def do_group(self) -> None:
        """Count by the next thing."""
        self.group = GROUPS[(GROUPS.index(self.group) + 1) % len(GROUPS)]
        self.query_one("#plan-table", Table).cursor_key = ""
        self.redraw()

    def do_plan_list(self) -> None:
        """The list of plans."""
        self.desk.go("plan", listing=True)

    def do_plan_diff(self) -> None:
        """What differs from the live plan."""
        self.desk.go("command", text=f"plan diff {self.document.get('short') or self.digest}")

    def do_explain(self) -> None:
        """Open the route of the operation."""
        self.table.open()

    def do_history_here(self) -> None:
        """What was done to this prefix."""
        row = self.table.row
        if row and row.get("prefix"):
            self.desk.go("command", text=f"history {row['prefix']}")

    def target(self) -> str:
        """Return the digest of a frozen plan, else the prefix of the operation."""
        row = self.table.row
        if self.listing:
            return str(row.get("digest") or "") if row else ""
        return str(row.get("prefix") or "") if row and row.get("prefix") else str(self.document.get("digest") or "")

    # Decisions are taken in dialogs of the application's

    def do_freeze(self) -> None:
        """Freeze what is shown."""
        self.desk.go("dialog_freeze", filter=self.filter, document=self.document)

    def do_approve(self) -> None:
        """Approve what is shown."""
        self.desk.go("dialog_approve", document=self.document)

    def do_reject(self) -> None:
        """Refuse what is shown."""
        self.desk.go("dialog_reject", document=self.document)

    def do_sign(self) -> None:
        """Show the commands that sign it."""
        self.desk.go("dialog_sign", document=self.document)

    def do_confirm(self) -> None:
        """Keep the change."""
        self.desk.go("dialog_confirm", document=self.document)

    def do_rollback(self) -> None:
        """Take the change back."""
        self.desk.go("dialog_rollback", document=self.document)

    def do_extend(self) -> None:
        """Give it more time."""
        self.desk.go("dialog_extend", document=self.document)
