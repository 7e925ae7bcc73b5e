"""The approval rules of the configuration at work: the first whose filter matches an operation decides."""

import time

from monitor.change.rule import ApprovalRule, RuleAction
from monitor.engine.core import Engine
from monitor.engine.rows import Row
from monitor.filter import FilterRow
from programmer.approval import Decision
from programmer.plan import Operation, RuleOperation
from programmer.reconciler import TableState
from programmer.route import Forwarding, NextHop, key_of

PLAIN_FIELDS = frozenset({"op", "class", "risk", "state", "af", "table"})
"""Fields of the filter language that are the same for every operation of one class in one table."""

RULE_CLASS = "rule"
"""The class of adding or removing a policy rule."""


class OperationRow(Row):
    """A pending operation as approval rules see it: its class and its risk are known already."""

    __slots__ = ("_category", "_operation", "_risk")

    def __init__(self, engine: Engine, state: TableState, operation: Operation, category: str, risk: str) -> None:
        value = operation.after or operation.before
        assert value is not None
        super().__init__(engine, state, operation.key, value)
        self._operation, self._category, self._risk = operation, category, risk

    @property
    def state(self) -> str:
        """``dead-next-hop`` where nothing that works is taken away, else what is done: ``add``, ``change``, ``remove``."""
        if self._category == "dead-next-hop":
            return self._category
        return self._operation.action.name.lower()

    @property
    def op(self) -> str:
        """The glyph."""
        return self._operation.action.value

    @property
    def class_(self) -> str:
        """The class."""
        return self._category

    @property
    def risk(self) -> str:
        """The risk of that class."""
        return self._risk


class ApprovalRules:
    """Implements ``programmer.reconciler.Rules``; what no rule matches needs one person."""

    def __init__(self, engine: Engine, rules: tuple[ApprovalRule, ...]) -> None:
        self._engine = engine
        self.rules = rules
        self._tests = [(rule, rule.match.matches) for rule in rules]
        # Where no rule asks for more than these, what one operation is told holds for all of its kind.
        self._plain = all(rule.match.fields <= PLAIN_FIELDS for rule in rules)
        self._known: dict[tuple[object, ...], Decision] = {}

    def decide(self, state: TableState, operation: Operation, category: str, risk: str) -> Decision:
        """Return what the first rule that matches says."""
        if not self._plain:
            return self._first(OperationRow(self._engine, state, operation, category, risk), category, risk)
        kind = (state.spec.table, operation.family, operation.action, category, risk, self._engine.window_opened())
        found = self._known.get(kind)
        if found is None:
            row = OperationRow(self._engine, state, operation, category, risk)
            found = self._known[kind] = self._first(row, category, risk)
        return found

    def _first(self, row: FilterRow, category: str, risk: str) -> Decision:
        now = time.time()
        for rule, matches in self._tests:
            if matches(row, now):
                return self._decision(rule, category, risk)
        return Decision(category, risk, 1)

    def _decision(self, rule: ApprovalRule, category: str, risk: str) -> Decision:
        risk = rule.risk or risk
        if rule.action is RuleAction.DENY:
            return Decision(category, risk, 0, rule.name, denied=True)
        if rule.action is RuleAction.AUTO and (not rule.in_window or self._engine.window_opened()):
            return Decision(category, risk, 0, rule.name, per_minute=rule.per_minute)
        return Decision(category, risk, rule.people, rule.name, groups=rule.groups, ticket=rule.ticket)

    def decide_rule(self, operation: RuleOperation) -> Decision:
        """Return what is to become of a policy rule, judged by its source or else its destination prefix."""
        rule, add = operation
        state = self._engine.reconciler.tables.get((rule.table, rule.family))
        prefix = rule.source or rule.destination
        if state is None or prefix is None:
            return Decision(RULE_CLASS, "med", 1)
        value = Forwarding(0, (NextHop(b"", 0),))
        stand_in = Operation(rule.table, rule.family, key_of(prefix), None if add else value, value if add else None)
        return self.decide(state, stand_in, RULE_CLASS, "med")

    def forget(self) -> None:
        """Drop what the filters remember of attribute sets."""
        for rule in self.rules:
            rule.match.forget()
