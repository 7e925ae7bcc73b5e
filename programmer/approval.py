"""Which changes wait for a person, and what a frozen plan goes through."""

import enum
from collections.abc import Callable, Container
from typing import NamedTuple

from programmer.errors import PlanRefused, PlanStale
from programmer.plan import Action, Gate, Operation
from programmer.route import PrefixKey, covering_key


class PlanState(enum.Enum):
    """Where a frozen plan stands."""

    FROZEN = "frozen"
    APPLYING = "applying"
    APPLIED = "applied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    FAILED = "failed"


class Decision(NamedTuple):
    """What is to become of one operation: its class, its risk, and ``auto`` or the number of approvals it needs."""

    category: str
    risk: str
    approvals: int

    @property
    def text(self) -> str:
        """As faces show it."""
        return "auto" if not self.approvals else f"approve: {self.approvals}"


def classify(operation: Operation, gate: Gate, *, dead: bool, covered: bool) -> Decision:
    """Return the decision for one operation.

    ``dead`` says that no next hop of the route as it is can carry a packet, ``covered`` that a less specific route of ours
    stays.  A removal of such a route takes nothing away that works, so it never waits for a person.
    """
    action = operation.action
    default = operation.key[0] == 0
    waits = 0 if gate is Gate.AUTO else 1
    if action is Action.REMOVE and dead and covered:
        return Decision("dead-next-hop", "low", 0)
    if default:
        return Decision("default-route", "high", waits)
    if action is Action.REMOVE:
        return Decision("delete", "med", waits)
    if action is Action.CHANGE:
        return Decision("change", "med", waits)
    return Decision("add", "low", waits)


def has_cover(key: PrefixKey, remains: Callable[[PrefixKey], bool] | Container[PrefixKey]) -> bool:
    """Say whether a less specific prefix of *key* remains."""
    check = remains if callable(remains) else remains.__contains__
    return any(check(covering_key(key, length)) for length in range(key[0] - 1, -1, -1))


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
    if state is PlanState.EXPIRED or (state is PlanState.FROZEN and now >= expires_at):
        raise PlanStale("the plan has expired; freeze a new one")
    if state is not PlanState.FROZEN:
        raise PlanRefused(f"the plan is {state.value}, so it cannot be decided again")
