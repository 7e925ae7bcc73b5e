"""Operations as rows of a plan document."""

from collections.abc import Sequence

from monitor.engine.core import Engine
from monitor.engine.effects import Effect
from monitor.engine.rows import best_path
from monitor.engine.slices import Turns
from monitor.engine.text import operation_document
from monitor.ports import Document
from programmer.plan import Operation, RuleOperation

MOST_OPERATIONS = 5000
"""Operations in one plan document; the summary counts all."""


async def operation_rows(
    engine: Engine, rules: Sequence[RuleOperation], operations: Sequence[Operation], effect: Effect
) -> list[Document]:
    """Return the rows: policy rules, then operations, as many as one document holds; in slices."""
    turns = Turns()
    found = [rule_row(engine, rule) for rule in rules]
    for step, operation in enumerate(operations[:MOST_OPERATIONS]):
        if not step & 15:
            await turns.pause()
        if (operation.table, operation.family) in engine.reconciler.tables:
            found.append(_row(engine, operation, effect))
    return found


def rule_row(engine: Engine, operation: RuleOperation) -> Document:
    """Return the row of a policy rule."""
    rule, add = operation
    decision = engine.reconciler.decide_rule(operation)
    return {
        "op": "+" if add else "-",
        "domain": engine.domain_of_table(rule.table),
        "table": rule.table,
        "prefix": None,
        "before": None if add else f"rule {rule.text}",
        "after": f"rule {rule.text}" if add else None,
        "class": decision.category,
        "risk": decision.risk,
        "decision": decision.text,
        "rule": decision.rule,
        "reason": "configuration",
        "effect": "packets that match it look into the table first" if add else "packets look into the table no more",
    }


def _row(engine: Engine, operation: Operation, effect: Effect) -> Document:
    reconciler = engine.reconciler
    state = reconciler.tables[operation.table, operation.family]
    decision = reconciler.decide(state, operation)
    domain = engine.describe(operation.table, operation.family, operation.key)
    failure = state.failures.get(operation.key)
    why = f"kernel said: {failure.message or failure.errno}" if failure else why_of(engine, operation, domain)
    return operation_document(reconciler.links, operation, domain) | {
        "class": decision.category,
        "risk": decision.risk,
        "decision": decision.text,
        "rule": decision.rule,
        "reason": why,
        "effect": effect.sentences.get(operation, ""),
        "held": reconciler.held(state, operation) if reconciler.held is not None else "",
    }


def why_of(engine: Engine, operation: Operation, domain: str) -> str:
    """Return why BGP wants an operation."""
    wanted = engine.reconciler.tables[operation.table, operation.family].desired.get(operation.key)
    if wanted != operation.after:
        return "the way back; BGP wants something else"
    if operation.after is None:
        return "no path of the domain reaches it any more"
    path = best_path(engine.domains[domain], operation.family, operation.key) if domain else None
    return f"peer {path.peer.address}, AS path {path.attributes.as_path_text or 'empty'}" if path else "unknown"
