"""Operations as kernel messages, and what an answer to one means."""

import errno

from programmer.fib import Verb, Write, WriteResult
from programmer.plan import Operation, RuleOperation
from programmer.route import Family


def writes_of(operation: Operation) -> list[Write]:
    """Return the kernel messages of one operation.  A change of metric adds the new route before it deletes the old one."""
    table, family, key, before, after = operation
    if before is None:
        assert after is not None
        return [Write(Verb.ADD, table, family, key, after)]
    if after is None:
        return [Write(Verb.DELETE, table, family, key, before)]
    if before.metric == after.metric:
        return [Write(Verb.REPLACE, table, family, key, after)]
    return [Write(Verb.ADD, table, family, key, after), Write(Verb.DELETE, table, family, key, before)]


def rule_order(operation: RuleOperation) -> tuple[Family, str]:
    """Return what policy rules are sorted by."""
    return operation.rule.family, operation.rule.text


def counts(operation: Operation, answer: WriteResult) -> bool:
    """A delete that finds nothing has reached its aim."""
    return bool(answer.errno) and not (operation.after is None and answer.errno == errno.ESRCH)
