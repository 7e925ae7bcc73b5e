"""Which changes wait for a person, and what a frozen plan goes through."""

import enum
from collections.abc import Callable, Container, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from programmer.errors import PlanRefused, PlanStale
from programmer.plan import Action, Gate, Operation
from programmer.route import Forwarding, NextHop, PrefixKey, covering_key


class PlanState(enum.Enum):
    """Where a frozen plan stands."""

    FROZEN = "frozen"
    APPROVED = "approved"
    QUEUED = "queued"
    APPLYING = "applying"
    SOAKING = "soaking"
    APPLIED = "applied"
    CONFIRMED = "confirmed"
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    FAILED = "failed"


WAITING = frozenset({PlanState.FROZEN, PlanState.APPROVED, PlanState.QUEUED})
"""Nothing has been written yet."""

IN_FLIGHT = frozenset({PlanState.APPLYING, PlanState.SOAKING, PlanState.ROLLING_BACK})
"""Something has been written, and it is not decided whether it stays."""


class Decision(NamedTuple):
    """What is to become of one operation.

    ``category`` is its class and ``risk`` one of low, med, high.  ``approvals`` is the number of people that must agree, 0 for
    none.  ``rule`` names the approval rule that decided.  ``denied``: only a break-glass approval releases it.
    ``groups`` says how many of the people must be of which group, ``ticket`` is a pattern that the ticket must match.
    ``per_minute`` is how many such operations may go ahead by themselves in a minute, 0 for any number.
    """

    category: str
    risk: str
    approvals: int
    rule: str = ""
    denied: bool = False
    groups: tuple[tuple[str, int], ...] = ()
    ticket: str = ""
    per_minute: int = 0

    @property
    def automatic(self) -> bool:
        """Whether nobody has to be asked."""
        return not self.approvals and not self.denied

    @property
    def text(self) -> str:
        """As faces show it."""
        if self.denied:
            return "deny"
        return "auto" if not self.approvals else f"approve: {self.approvals}"


RISKS = ("low", "med", "high")
"""In their order."""

_RISK_OF = {
    "protect-node": "high",
    "default-route": "high",
    "monitored": "high",
    "mass-delete": "high",
    "delete": "med",
    "nh-move": "med",
    "ecmp-narrow": "med",
    "change": "med",
    "rule": "med",
}
"""The risk of a class; low where it is not named."""

MASS_REMOVALS = 50
MASS_PERCENT = 1.0
LEAST_MASS = 10
"""More removals than MASS_REMOVALS are many, and so are more than MASS_PERCENT of the table if they are more than LEAST_MASS."""

FEW_ADDS = 100
"""Fewer than so many adds are a small change."""

CHURN_SECONDS = 300.0
"""What was written so recently counts together with what is pending."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the network says about one operation.

    ``default_like``  the prefix counts as a default route.
    ``alive``         says whether packets can leave by a next hop.
    ``cover``         what stays for its addresses when a removal is done: the most specific covering route of ours, or None.
    ``protects``      names what the node is controlled through and would be reached another way, else empty.
    ``monitors``      names the probe whose target would be reached another way, else empty.
    ``restores``      the kernel took this very route away when a link went down.
    ``removals``      removals of this table, pending and recent; ``installed`` its routes of ours; ``adds`` likewise.
    """

    default_like: bool
    alive: Callable[[NextHop], bool]
    cover: Forwarding | None = None
    protects: str = ""
    monitors: str = ""
    restores: bool = False
    removals: int = 0
    installed: int = 0
    adds: int = 0


def categorise(operation: Operation, facts: Facts) -> str:
    """Return the class of an operation; the first that fits counts, from what endangers most to what endangers least."""
    action, before, after = operation.action, operation.before, operation.after
    if facts.protects:
        return "protect-node"
    if facts.default_like:
        return "default-route"
    if facts.monitors:
        return "monitored"
    if action is Action.ADD:
        if facts.restores:
            return "restore"
        return "add-small" if facts.adds < FEW_ADDS else "add"
    assert before is not None
    if action is Action.REMOVE:
        return _category_of_removal(before, facts)
    assert after is not None
    return _category_of_change(before, after, facts.alive)


def _category_of_removal(before: Forwarding, facts: Facts) -> str:
    if facts.cover is not None:
        if not any(facts.alive(hop) for hop in before.next_hops):
            return "dead-next-hop"
        if _ways(facts.cover) == _ways(before):
            return "withdraw-with-cover"
    share = max(LEAST_MASS, facts.installed * MASS_PERCENT / 100.0)
    return "mass-delete" if facts.removals > min(MASS_REMOVALS, share) else "delete"


def _category_of_change(before: Forwarding, after: Forwarding, alive: Callable[[NextHop], bool]) -> str:
    old, new = _ways(before), _ways(after)
    if new < old and not any(alive(hop) for hop in before.next_hops if (hop.gateway, hop.ifindex) not in new):
        return "dead-next-hop"
    if not old & new:
        return "nh-move"
    live_before = sum(alive(hop) for hop in before.next_hops)
    live_after = sum(alive(hop) for hop in after.next_hops)
    if live_after < live_before:
        return "ecmp-narrow"
    return "ecmp-widen" if new > old else "change"


def _ways(value: Forwarding) -> AbstractSet[tuple[bytes, int]]:
    return {(hop.gateway, hop.ifindex) for hop in value.next_hops}


def risk_of(category: str) -> str:
    """Return the risk of a class."""
    return _RISK_OF.get(category, "low")


def standard_decision(category: str, gate: Gate) -> Decision:
    """Return what is to become of an operation of a class where no rules are given.

    In mode auto nobody is asked.  In mode approve only what takes nothing away that works goes ahead by itself.
    """
    waits = 0 if gate is Gate.AUTO or category == "dead-next-hop" else 1
    return Decision(category, risk_of(category), waits)


def cover_of(key: PrefixKey, remains: Callable[[PrefixKey], bool] | Container[PrefixKey]) -> PrefixKey | None:
    """Return the most specific of the less specific prefixes of *key* that remains, or None."""
    check = remains if callable(remains) else remains.__contains__
    for length in range(key[0] - 1, -1, -1):
        if check(found := covering_key(key, length)):
            return found
    return None


def dependents(groups: Sequence[Sequence[int]], lost: AbstractSet[int]) -> set[int]:
    """Return the members of every group that has lost one: they were judged together, so they stand or fall together."""
    found: set[int] = set()
    for group in groups:
        if not lost.isdisjoint(group):
            found.update(group)
    return found


def check_drift(stale: int, total: int, most: int, percent: float) -> None:
    """Refuse a plan of which too much no longer matches the network.

    Raises PlanStale when nothing of it matches, or more than *most* operations and more than *percent* of them do not.
    """
    if total and stale == total:
        raise PlanStale("no operation of this plan matches the network any more; freeze a new plan")
    if stale > max(most, total * percent / 100.0):
        raise PlanStale(
            f"{stale} of {total} operations no longer match the network; nothing was applied; freeze a new plan"
        )


def check_state(state: PlanState, expires_at: float, now: float) -> None:
    """Refuse a plan that cannot be approved any more: PlanStale after its expiry, PlanRefused in any other end state."""
    if state is PlanState.EXPIRED or (state in WAITING and now >= expires_at):
        raise PlanStale("the plan has expired; freeze a new one")
    if state is not PlanState.FROZEN:
        raise PlanRefused(f"the plan is {state.value}, so it cannot be decided again")
