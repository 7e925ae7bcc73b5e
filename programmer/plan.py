"""One operation, a plan of them, and the digest that names a plan's exact content."""

import enum
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from programmer.route import Family, Forwarding, NextHop, PrefixKey, Rule, TableId, text_of

DIGEST_FORMAT = 2
"""Raised whenever the canonical encoding changes, so that an old digest can never name new content."""


class Action(enum.Enum):
    """What an operation does to the kernel; the value is the glyph that every face shows."""

    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"


class Gate(enum.Enum):
    """Who may write."""

    DRY_RUN = "dry-run"
    APPROVE = "approve"
    AUTO = "auto"


class PlanKind(enum.Enum):
    """What a plan is made of: what BGP wants, or the way back from an earlier plan, which BGP does not want."""

    CHANGE = "change"
    ROLLBACK = "rollback"


Place = tuple[TableId, Family, PrefixKey]
"""One prefix of one table."""


class Operation(NamedTuple):
    """One prefix of one table before and after.  The action follows from them; it cannot disagree."""

    table: TableId
    family: Family
    key: PrefixKey
    before: Forwarding | None
    after: Forwarding | None

    @property
    def action(self) -> Action:
        """What it does."""
        if self.before is None:
            return Action.ADD
        return Action.REMOVE if self.after is None else Action.CHANGE

    @property
    def prefix(self) -> str:
        """The prefix as text."""
        return text_of(self.family, self.key)

    @property
    def place(self) -> Place:
        """Where it writes, and what operations are ordered by."""
        return self.table, self.family, self.key

    @property
    def inverse(self) -> "Operation":
        """What takes it back."""
        return self._replace(before=self.after, after=self.before)


class RuleOperation(NamedTuple):
    """One policy rule to add or to remove."""

    rule: Rule
    add: bool

    @property
    def inverse(self) -> "RuleOperation":
        """What takes it back."""
        return self._replace(add=not self.add)


def hop_document(hop: NextHop) -> list[object]:
    """Return a next hop as JSON values: packed gateway in hexadecimal, link index, weight."""
    return [hop.gateway.hex(), hop.ifindex, hop.weight]


def forwarding_document(value: Forwarding | None) -> list[object] | None:
    """Return a forwarding as JSON values; the inverse is ``forwarding_of``."""
    if value is None:
        return None
    hops = [hop_document(hop) for hop in value.next_hops]
    return [value.metric, hops, value.preferred_source.hex(), value.foreign_attributes]


def forwarding_of(document: list[object] | None) -> Forwarding | None:
    """Return the forwarding that ``forwarding_document`` wrote."""
    if document is None:
        return None
    metric, hops, source, extra = document
    assert isinstance(metric, int)
    assert isinstance(hops, list)
    next_hops = tuple(NextHop(bytes.fromhex(gateway), ifindex, weight) for gateway, ifindex, weight in hops)
    return Forwarding(metric, next_hops, bytes.fromhex(str(source)), str(extra))


@dataclass(frozen=True, slots=True)
class Plan:
    """An immutable list of operations, and everything that a person's approval is bound to.

    Moments are seconds since the epoch (UTC).  ``policy`` is the digest of the configuration that decided what is desired, and
    who must approve.  ``machine`` is the machine id of the node (machine-id(5)), empty where there is none.  ``groups`` are
    indexes of operations that lean on each other: one that cannot be done takes the others of its group along.
    """

    number: int
    node: str
    policy: str
    created_at: float
    expires_at: float
    operations: tuple[Operation, ...]
    rule_operations: tuple[RuleOperation, ...] = ()
    machine: str = ""
    kind: PlanKind = PlanKind.CHANGE
    groups: tuple[tuple[int, ...], ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical encoding, in hexadecimal: what a person approves.

        The order of operations does not count; their groups are told by place and prefix.
        """
        return self.digest_over(operation_texts(sorted(self.operations, key=lambda item: item.place)))

    def digest_over(self, ordered_texts: Iterable[str]) -> str:
        """Return the digest where each operation is text already, in the order of table, family and key."""
        hashed = hashlib.sha256()
        head = [DIGEST_FORMAT, self.number, self.node, self.machine, self.policy, self.created_at, self.expires_at]
        hashed.update(json.dumps([*head, self.kind.value], separators=(",", ":")).encode())
        for text in ordered_texts:
            hashed.update(text.encode())
        for group in sorted(sorted(self._place(index) for index in group) for group in self.groups):
            hashed.update(json.dumps(group, separators=(",", ":")).encode())
        for rule, add in sorted(self.rule_operations, key=lambda item: (item.rule.family, item.rule.text, item.add)):
            hashed.update(json.dumps([rule.family.label, rule.text, add], separators=(",", ":")).encode())
        return hashed.hexdigest()

    def _place(self, index: int) -> tuple[int, int, str]:
        operation = self.operations[index]
        return operation.table, int(operation.family), operation.key.hex()


def operation_document(operation: Operation) -> list[object]:
    """Return an operation as JSON values; the inverse is ``operation_of``."""
    return [
        operation.table,
        operation.family.label,
        operation.key.hex(),
        forwarding_document(operation.before),
        forwarding_document(operation.after),
    ]


def operation_texts(operations: Iterable[Operation]) -> list[str]:
    """Return each operation as JSON text; equal to ``operation_document`` dumped, but a table repeats a few forwardings."""
    texts: dict[Forwarding | None, str] = {}
    found: list[str] = []
    for table, family, key, before, after in operations:
        for value in (before, after):
            if value not in texts:
                texts[value] = json.dumps(forwarding_document(value), separators=(",", ":"))
        found.append(f'[{table},"{family.label}","{key.hex()}",{texts[before]},{texts[after]}]')
    return found


def operation_of(document: list[object]) -> Operation:
    """Return the operation that ``operation_document`` wrote."""
    table, family, key, before, after = document
    assert isinstance(table, int)
    assert before is None or isinstance(before, list)
    assert after is None or isinstance(after, list)
    return Operation(
        TableId(table),
        Family.of_label(str(family)),
        bytes.fromhex(str(key)),
        forwarding_of(before),
        forwarding_of(after),
    )


def short_digest(digest: str) -> str:
    """Return the first twelve characters in three blocks, as people read them aloud: ``7f3a-91c2-e0b4``."""
    return "-".join(digest[start : start + 4] for start in (0, 4, 8))
