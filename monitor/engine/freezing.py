"""Makes an immutable plan of what is pending now, with everything that those who approve it must know."""

import time
from collections import Counter
from collections.abc import Sequence

from monitor.change.quorum import Requirement
from monitor.engine.core import Engine
from monitor.engine.effects import effect_of
from monitor.engine.planrows import MOST_OPERATIONS, operation_rows
from monitor.engine.plans import MANY, aside, find_plan, load_plan, stored_plan
from monitor.engine.rules import OperationRow
from monitor.engine.slices import Turns, ordered
from monitor.errors import Refused
from monitor.filter import Query, parse
from monitor.ports import Document
from programmer.approval import Decision, PlanState
from programmer.plan import Action, Operation, Plan, PlanKind, RuleOperation, short_digest

MOST_LEFT_OUT = 100
"""Operations that are named among what a plan leaves out; the counts have all."""

_UNDOABLE = frozenset({PlanState.APPLIED, PlanState.CONFIRMED})


class LeftOut:
    """What is pending and not part of a plan: how many for each reason, and the first of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._named: list[Document] = []

    def add(self, operation: Operation, reason: str) -> None:
        """Leave one operation out."""
        self.counts[reason] += 1
        if len(self._named) < MOST_LEFT_OUT:
            self._named.append(
                {"op": operation.action.value, "table": operation.table, "prefix": operation.prefix, "reason": reason}
            )

    def document(self) -> Document:
        """``{total, reasons, items}``."""
        return {"total": self.counts.total(), "reasons": dict(self.counts), "items": self._named}


class Freezer:
    """Freezes plans, one after the other."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def freeze(self, author: str, actor: str, *, filter_text: str = "", denied: bool = False) -> str:
        """Freeze what is pending, or of it what a filter matches; returns the digest.

        *denied*: what a rule denies as well, so that only break-glass can release the plan.  Raises Refused where there is
        nothing, FilterError.
        """
        left_out, wanted = LeftOut(), Requirement()
        chosen = parse(filter_text) if filter_text.strip() else None
        operations = await self._operations(chosen, left_out, wanted, denied=denied)
        rules = [] if chosen is not None else self._rules(wanted, denied=denied)
        if not operations and not rules:
            why = "; ".join(f"{count} left out: {reason}" for reason, count in left_out.counts.items())
            raise Refused(
                "nothing is pending, so there is nothing to freeze" if not why else f"nothing to freeze: {why}"
            )
        return await self._store(operations, rules, PlanKind.CHANGE, wanted, left_out, author, actor)

    async def undo(self, digest: str, author: str, actor: str) -> str:
        """Freeze the way back from a plan that was applied; returns the digest.  Raises Refused, PlanRefused, Stale."""
        stored = find_plan(self._engine, digest)
        if stored.state not in _UNDOABLE:
            raise Refused(f"plan {stored.number} is {stored.state.value}: only what was applied can be rolled back")
        plan = await load_plan(self._engine, stored)
        reconciler = self._engine.reconciler
        left_out, wanted = LeftOut(), Requirement()
        back: list[Operation] = []
        for operation in plan.operations:
            state = reconciler.tables.get((operation.table, operation.family))
            if state is None or state.current(operation.key) != operation.after:
                left_out.add(operation.inverse, "the kernel no longer has what the plan wrote")
                continue
            wanted.take(reconciler.decide(state, operation.inverse))
            back.append(operation.inverse)
        rules = [rule.inverse for rule in plan.rule_operations if (rule.rule in reconciler.installed_rules) is rule.add]
        if not back and not rules:
            raise Refused(f"nothing of plan {stored.number} is in the kernel any more")
        wanted.people, wanted.denied = max(1, wanted.people), 0
        return await self._store(back, rules, PlanKind.ROLLBACK, wanted, left_out, author, actor, of=stored.number)

    async def _operations(
        self, chosen: Query | None, left_out: LeftOut, wanted: Requirement, *, denied: bool
    ) -> list[Operation]:
        """Return the operations of the live plan in its order; collected in slices, each as it is at that moment."""
        engine, turns = self._engine, Turns()
        reconciler = engine.reconciler
        found: list[Operation] = []
        now = time.time()
        for _, state in sorted(reconciler.tables.items()):
            for key in sorted(key for key in state.conflicts if key in state.difference):
                left_out.add(state.operation(key), "a foreign route is there, which is never touched")
            if not state.removals_allowed:
                reason = "what BGP says of this table is not complete, so nothing is removed"
                for key in list(state.difference.remove):
                    left_out.add(state.operation(key), reason)
            for step, key in enumerate(await ordered(state.pending(), turns)):
                if not step & 31:
                    await turns.pause()
                operation = state.operation(key)
                if operation.before == operation.after:
                    continue
                decision = reconciler.decide(state, operation)
                if chosen is not None:
                    row = OperationRow(engine, state, operation, decision.category, decision.risk)
                    if not chosen.matches(row, now):
                        left_out.add(operation, "not chosen by the filter of this plan")
                        continue
                reason = self._obstacle(decision, denied=denied)
                if not reason and reconciler.held is not None and (hold := reconciler.held(state, operation)):
                    reason = f"kept back by hold {hold}"
                if reason:
                    left_out.add(operation, reason)
                    continue
                wanted.take(decision)
                found.append(operation)
        return found

    @staticmethod
    def _obstacle(decision: Decision, *, denied: bool) -> str:
        if decision.denied and not denied:
            return f"denied by the rule {decision.rule}; `plan freeze --denied` takes it in, for break-glass alone"
        return ""

    def _rules(self, wanted: Requirement, *, denied: bool) -> list[RuleOperation]:
        found = []
        for rule in self._engine.reconciler.pending_rules():
            decision = self._engine.reconciler.decide_rule(rule)
            if decision.denied and not denied:
                continue
            wanted.take(decision)
            found.append(rule)
        return found

    async def _store(
        self,
        operations: Sequence[Operation],
        rules: Sequence[RuleOperation],
        kind: PlanKind,
        wanted: Requirement,
        left_out: LeftOut,
        author: str,
        actor: str,
        of: int = 0,
    ) -> str:
        engine = self._engine
        effect, groups = await effect_of(engine, operations)
        now = float(int(time.time()))
        number = engine.journal.last_plan_number() + 1
        expires = now + engine.config.approval.expires
        plan = Plan(number, engine.config.node, engine.config.digest, now, expires, tuple(operations), tuple(rules),
                    engine.machine, kind, groups)  # fmt: skip
        tables = Counter([operation.table for operation in operations] + [rule.rule.table for rule in rules])
        rows = await operation_rows(engine, rules, operations[:MOST_OPERATIONS], effect)
        head: Document = {
            "summary": summary_of(operations, rules),
            "total": tables.total(),
            "by_domain": {engine.domain_of_table(table): count for table, count in tables.items()},
            "kind": kind.value,
            "author": author,
            "requirement": wanted.document(),
            "left_out": left_out.document(),
            "effect": effect.document,
            "risk": max((str(row["risk"]) for row in rows), key=("low", "med", "high").index, default="low"),
            "groups": len(groups),
        }
        if of:
            head["rolls_back"] = of
        digest, body = await aside(stored_plan, plan, head, rows, large=len(operations) > MANY)
        engine.journal.put_plan(digest, number, PlanState.FROZEN.value, (now, expires), actor, body)
        words = f"plan {number} {short_digest(digest)}" + (f", the way back from plan {of}" if of else "")
        engine.journal.note("freeze", words, at=now, actor=actor)
        return digest


def summary_of(operations: Sequence[Operation], rules: Sequence[RuleOperation]) -> dict[str, int]:
    """Return ``{add, change, remove}``, policy rules included."""
    counted = Counter(operation.action.name.lower() for operation in operations)
    summary = {action.name.lower(): counted[action.name.lower()] for action in Action}
    summary["add"] += sum(rule.add for rule in rules)
    summary["remove"] += sum(not rule.add for rule in rules)
    return summary
