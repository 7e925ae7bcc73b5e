"""Operations as kernel messages, what an answer to one means, and what many of them come to."""

import errno
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Applied:
    """What came of one request to write: counts of operations, and what was left out, each with the reason."""

    done: int = 0
    failed: int = 0
    stale: int = 0
    left_out: list[tuple[Operation | RuleOperation, str]] = field(default_factory=list)
    refused: list[Operation] = field(default_factory=list)
    written: list[Operation] = field(default_factory=list)
    rules: list[RuleOperation] = field(default_factory=list)
    broken: str = ""
    """Why not everything could be tried, or nothing."""
    wrong: list[str] = field(default_factory=list)
    """What was read back and is not as it was written, in words."""

    def add(self, more: "Applied") -> None:
        """Count what another request came to as well."""
        self.done += more.done
        self.failed += more.failed
        self.stale += more.stale
        self.left_out += more.left_out
        self.refused += more.refused
        self.written += more.written
        self.rules += more.rules
