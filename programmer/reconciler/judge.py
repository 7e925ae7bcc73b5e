"""What the network says about one pending operation, and what is to become of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from programmer.approval import Decision, Facts, categorise, cover_of, risk_of, standard_decision
from programmer.fib import Links
from programmer.plan import Action, Gate, Operation, RuleOperation
from programmer.reconciler.table import TableState
from programmer.route import MAIN_TABLE, Address, Family, NextHop, PrefixKey, covering_key, family_of, host_key


class Rules(Protocol):
    """The approval rules of the configuration."""

    def decide(self, state: TableState, operation: Operation, category: str, risk: str) -> Decision:
        """Return what the first rule that matches says of an operation of that class and risk."""

    def decide_rule(self, operation: RuleOperation) -> Decision:
        """Return what it says of a policy rule that is to be added or removed."""


Held = Callable[[TableState, Operation], str]
"""Says which hold keeps an operation back, or nothing."""


class Destination(NamedTuple):
    """An address whose way must not change unnoticed.  ``controls``: the node is controlled through it."""

    address: Address
    name: str
    controls: bool


class Destinations:
    """Addresses to look after, found by every prefix that contains one."""

    def __init__(self, destinations: Iterable[Destination] = ()) -> None:
        self.all = tuple(destinations)
        self._inside: dict[tuple[Family, PrefixKey], list[tuple[PrefixKey, Destination]]] = {}
        for found in self.all:
            family, host = family_of(found.address), host_key(found.address.packed)
            for length in range(family.bits + 1):
                self._inside.setdefault((family, covering_key(host, length)), []).append((host, found))

    def moved_by(self, state: TableState, operation: Operation) -> Iterable[Destination]:
        """Yield those whose most specific route in this table is the one that the operation writes."""
        for host, found in self._inside.get((operation.family, operation.key), ()):
            longer = range(operation.key[0] + 1, operation.family.bits + 1)
            keys = (covering_key(host, length) for length in longer)
            if not any(key in state.image.routes and key in state.desired for key in keys):
                yield found


@dataclass(slots=True)
class Judge:
    """Classifies operations and asks the rules; without rules the gate alone decides."""

    links: Callable[[], Links]
    gate: Callable[[], Gate]
    rules: Rules | None = None
    destinations: Destinations = field(default_factory=Destinations)

    def decide(self, state: TableState, operation: Operation, now: float) -> Decision:
        """Return what is to become of one pending operation; *now* is in monotonic seconds."""
        category = categorise(operation, self.facts(state, operation, now))
        if self.rules is None:
            return standard_decision(category, self.gate())
        return self.rules.decide(state, operation, category, risk_of(category))

    def facts(self, state: TableState, operation: Operation, now: float) -> Facts:
        """Return what the network says about an operation."""
        key, action = operation.key, operation.action
        default_like = key[0] < state.spec.default_length
        protects = monitors = ""
        if not default_like:
            for found in self.destinations.moved_by(state, operation):
                protects, monitors = (found.name, monitors) if found.controls else (protects, found.name)
        cover = None
        if action is Action.REMOVE:
            routes, desired = state.image.routes, state.desired
            covering = cover_of(key, lambda other: other in desired and other in routes)
            cover = None if covering is None else routes[covering]
            if default_like and cover is None and state.spec.table == MAIN_TABLE:
                protects = "the default route of the node"
        recent = state.recent(now)
        return Facts(
            default_like=default_like,
            alive=self.alive,
            cover=cover,
            protects=protects,
            monitors=monitors,
            restores=operation.after is not None and state.dropped.get(key) == operation.after,
            removals=len(state.difference.remove) + recent.removals,
            installed=state.installed,
            adds=len(state.difference.add) + recent.adds,
        )

    def alive(self, hop: NextHop) -> bool:
        """Say whether packets can leave by a next hop."""
        link = self.links().links.get(hop.ifindex)
        return link is not None and link.usable
