"""Frozen plans as they are stored, and how they are found again."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

from monitor.change.quorum import BREAK_GLASS, Requirement, requirement_of
from monitor.change.statement import Act, Statement
from monitor.engine.core import Engine
from monitor.errors import BadRequest, Stale
from monitor.ports import Document
from programmer.approval import PlanState
from programmer.errors import PlanRefused, PlanStale
from programmer.journal import StoredPlan
from programmer.plan import (
    Operation,
    Place,
    Plan,
    PlanKind,
    RuleOperation,
    operation_document,
    operation_of,
    operation_texts,
)
from programmer.reconciler import plan_cause
from programmer.route import Family, Prefix, Rule, TableId, key_of, prefix_of

T = TypeVar("T")

MANY = 2000
"""Operations that are written or read in a few milliseconds; more of them are in a thread."""

OPERATION_OCTETS = 80
"""About what one stored operation takes."""

AFTER_THE_PLAN = 86400.0
"""Seconds after a plan's expiry at which what is said of it ends to count."""

LEAST_DIGEST = 12
"""Characters by which a plan is named at least."""


@dataclass(frozen=True)
class FrozenPlan:
    """One plan of the journal, its operations not read yet.  Moments are seconds since the epoch."""

    digest: str
    number: int
    state: PlanState
    created_at: float
    expires_at: float
    actor: str
    detail: str
    body: str

    @classmethod
    def of(cls, row: StoredPlan) -> "FrozenPlan":
        """Return a row of the journal."""
        return cls(**(row._asdict() | {"state": PlanState(row.state)}))

    @cached_property
    def head(self) -> dict[str, Any]:
        """What is told of it, as it was frozen."""
        found = json.loads(self.body.partition("\n")[0])
        assert isinstance(found, dict)
        return found

    @property
    def requirement(self) -> Requirement:
        """What all its operations ask for together."""
        return requirement_of(self.head["requirement"])

    @property
    def author(self) -> str:
        """Who froze it."""
        return str(self.head["author"])

    @property
    def shown(self) -> list[Document]:
        """The rows of its first operations, as they were frozen."""
        start = self.body.index("\n") + 1
        found = json.loads(self.body[start : self.body.index("\n", start)])
        assert isinstance(found, list)
        return found

    @property
    def large(self) -> bool:
        """Whether reading its operations takes long enough for a thread."""
        return len(self.body) > MANY * OPERATION_OCTETS


def find_plan(engine: Engine, digest: str) -> FrozenPlan:
    """Return the one stored plan whose digest begins so.  Raises BadRequest, Stale."""
    start = digest.replace("-", "").removeprefix("sha256:").lower()
    if len(start) < LEAST_DIGEST or any(char not in "0123456789abcdef" for char in start):
        raise BadRequest(
            f"{digest!r} is no digest: give at least its first twelve characters, as `plan freeze` printed them"
        )
    found = engine.journal.plans(start)
    if not found:
        raise Stale(f"no plan {digest}; `bgpmon plan freeze` makes one")
    stored = FrozenPlan.of(found[0])
    if "requirement" not in stored.head:
        raise Stale(
            f"plan {stored.number} was frozen by an earlier bgpmon, which stored plans in another way; freeze a new one"
        )
    return stored


def statement_of(stored: FrozenPlan, node: str, act: Act, ticket: str, expires: float = 0.0) -> Statement:
    """Return the statement that a person signs about a plan.  Raises BadRequest.

    Without *expires* an approval ends with the plan, and any other decision a day after it, since a soak may outlast the plan.
    """
    ends = expires or stored.expires_at + (0.0 if act is Act.APPROVE else AFTER_THE_PLAN)
    try:
        return Statement(node=node, plan=stored.number, digest=stored.digest, act=act, expires=ends, ticket=ticket)
    except ValueError as error:
        raise BadRequest(f"no statement can be made of that: {error}") from error


async def load_plan(engine: Engine, stored: FrozenPlan) -> Plan:
    """Return the operations of a plan; raises PlanRefused unless they are what the digest says, and of this node."""
    plan, found = await aside(read_plan, stored.body, large=stored.large)
    if found != stored.digest or plan.node != engine.config.node or plan.machine != engine.machine:
        raise PlanRefused("the stored plan does not match its digest, or is another node's")
    return plan


def check_policy(engine: Engine, plan: Plan) -> None:
    """Raise PlanStale where the configuration is no longer the one that the plan was frozen under."""
    if plan.policy != engine.config.digest:
        raise PlanStale("the configuration changed since the plan was frozen; freeze a new one")


def written_by(engine: Engine, plan: FrozenPlan) -> Iterable[Operation]:
    """Yield what a plan wrote, from the journal; what was cut short by a crash may or may not have been written."""
    seen: set[Place] = set()
    for operations, failed in engine.journal.changes_of(plan.digest, plan_cause(plan.number)):
        for index, operation in enumerate(operations):
            if operation.place not in seen and (failed is None or index not in failed):
                seen.add(operation.place)
                yield operation


def breaks_glass(engine: Engine, digest: str) -> bool:
    """Say whether a plan was released by breaking glass."""
    return any(item.method == BREAK_GLASS for item in engine.journal.approvals(digest))


async def aside(work: Callable[..., T], *arguments: object, large: bool) -> T:
    """Do pure work, in a thread where it is *large*."""
    return await asyncio.to_thread(work, *arguments) if large else work(*arguments)


def stored_plan(plan: Plan, head: Document, shown: Sequence[Document]) -> tuple[str, str]:
    """Return a plan's digest and its stored form.

    That is a line with what is told of it, one with the rows that are shown, one with the plan, and one for each operation.
    Takes seconds for a million operations; each line is encoded on its own, so that the loop goes on beside the thread.
    """
    document = plan_document(plan, with_operations=False)
    ordered = list(plan.operations)
    texts = operation_texts(ordered)
    in_order = all(one.place < other.place for one, other in pairwise(ordered))
    digest = plan.digest_over(texts) if in_order else plan.digest
    return digest, "\n".join([json.dumps(head), json.dumps(shown), json.dumps(document), *texts])


def read_plan(body: str) -> tuple[Plan, str]:
    """Return the plan that ``stored_plan`` stored, and the digest of what is there now."""
    _, _, document, *operations = body.split("\n")
    plan = plan_of(json.loads(document) | {"operations": [json.loads(line) for line in operations]})
    return plan, plan.digest


def plan_document(plan: Plan, *, with_operations: bool = True) -> dict[str, Any]:
    """Return a plan as JSON values; the inverse is ``plan_of``."""
    operations = plan.operations if with_operations else ()
    return {
        "number": plan.number,
        "node": plan.node,
        "machine": plan.machine,
        "policy": plan.policy,
        "created_at": plan.created_at,
        "expires_at": plan.expires_at,
        "kind": plan.kind.value,
        "groups": [list(group) for group in plan.groups],
        "operations": [operation_document(operation) for operation in operations],
        "rules": [
            [rule.family.label, rule.priority, rule.table, _network(rule.source), _network(rule.destination), rule.mark,
             rule.mask, rule.interface, add]
            for rule, add in plan.rule_operations
        ],
    }  # fmt: skip


def plan_of(document: dict[str, Any]) -> Plan:
    """Return the plan that ``plan_document`` wrote."""
    found = []
    for label, priority, table, source, destination, mark, mask, interface, add in document["rules"]:
        family = Family.of_label(label)
        networks = [prefix_of(family, bytes.fromhex(text)) if text else None for text in (source, destination)]
        rule = Rule(family, priority, TableId(table), networks[0], networks[1], mark, mask, interface)
        found.append(RuleOperation(rule, add))
    return Plan(
        int(document["number"]),
        str(document["node"]),
        str(document["policy"]),
        float(document["created_at"]),
        float(document["expires_at"]),
        tuple(operation_of(item) for item in document["operations"]),
        tuple(found),
        str(document["machine"]),
        PlanKind(document["kind"]),
        tuple(tuple(group) for group in document["groups"]),
    )


def _network(prefix: Prefix | None) -> str:
    return "" if prefix is None else key_of(prefix).hex()
