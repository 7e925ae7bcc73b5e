"""What the effect of a plan is made of: values that faces print and rules judge.

Addresses are exact whole numbers in both families.  Operations are named by their index in the plan.  Percentages are 0.0
to 100.0, except where a table is said to grow beyond its size.
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from programmer.effect.lookup import Carrier, Place
from programmer.plan import Action, Operation
from programmer.route import Family, TableId


class Width(NamedTuple):
    """Over how many next hops traffic is spread, and how many of them are on links that are not dead."""

    total: int
    live: int


@dataclass(frozen=True, slots=True)
class OperationEffect:
    """What one operation does to the traffic of its prefix, once the whole plan is applied.

    ``before`` and ``after`` carry the prefix as a whole.  ``addresses`` are those that the route of this operation carries
    before or after, and that get other next hops: what more specific routes keep or get is theirs.  An address that moves
    from one operation's route to another's is in the number of both; the number of the table has it once.
    """

    index: int
    operation: Operation
    before: Carrier
    after: Carrier
    addresses: int
    width_before: Width
    width_after: Width

    @property
    def moves(self) -> bool:
        """True when the next hops of the prefix as a whole differ, in their weights too."""
        return self.before.next_hops != self.after.next_hops

    @property
    def quiet(self) -> bool:
        """True for a covered addition that changes nothing: same next hops as its cover."""
        covered = self.operation.action is Action.ADD and self.before.place is not Place.NONE
        return covered and not self.moves and not self.addresses


class HopLoad(NamedTuple):
    """What one next hop of a table carries before and after.

    ``routes`` counts a route once for each of its next hops.  ``percent`` is of our routes in the table; a route over several
    next hops counts for each by its weight, so the percentages of a table add up to 100.
    """

    gateway: bytes
    ifindex: int
    routes_before: int
    routes_after: int
    percent_before: float
    percent_after: float

    @property
    def new(self) -> bool:
        """True when the plan begins to use it."""
        return not self.routes_before and self.routes_after > 0

    @property
    def vanishes(self) -> bool:
        """True when it is no longer used after the plan."""
        return self.routes_before > 0 and not self.routes_after


class DefaultChange(enum.Enum):
    """What a plan does to a default route; the value is the word for people."""

    UNCHANGED = "unchanged"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """What a plan does to the default route of one table.

    ``change`` follows from the operation on the default route; ``before`` and ``after`` are what really carries it, which may
    be a foreign route or the fallback table.  ``cover_alls`` are the operations on prefixes so short that they act as one.
    """

    change: DefaultChange
    before: Carrier
    after: Carrier
    cover_alls: tuple[int, ...]

    @property
    def touched(self) -> bool:
        """True when the default route or a prefix that acts as one is touched."""
        return self.change is not DefaultChange.UNCHANGED or bool(self.cover_alls)


class Protected(NamedTuple):
    """A destination that must not move unseen: what it is, and its packed address."""

    name: str
    address: bytes


class ProtectedChange(NamedTuple):
    """A protected destination whose carrier the plan changes, in one of its tables."""

    table: TableId
    family: Family
    protected: Protected
    before: Carrier
    after: Carrier

    @property
    def moves(self) -> bool:
        """True when it gets other next hops."""
        return self.before.next_hops != self.after.next_hops


@dataclass(frozen=True, slots=True)
class TableEffect:
    """What a plan does to one family of one table.

    ``size_before``, ``size_after``  our routes.
    ``percent``        operations, of our routes before (100 for an empty table; more than 100 when a table more than doubles).
    ``addresses``      how many get other next hops, each counted once.
    ``moving``         operations that move their prefix to other next hops.
    ``hop_changes``    changes of a route to other next hops.
    ``covered_adds``   additions that something carried before; ``quiet_adds`` of them change nothing.
    ``narrowed``, ``widened``  operations after which fewer, or more, live next hops carry the prefix.
    ``load``           per next hop, in order; empty for a table without operations.
    """

    table: TableId
    family: Family
    adds: int
    changes: int
    removals: int
    size_before: int
    size_after: int
    percent: float
    addresses: int
    moving: int
    hop_changes: int
    covered_adds: int
    quiet_adds: int
    narrowed: int
    widened: int
    load: tuple[HopLoad, ...]
    default: DefaultRoute

    @property
    def new_hops(self) -> tuple[HopLoad, ...]:
        """Next hops that the plan begins to use here."""
        return tuple(load for load in self.load if load.new)

    @property
    def vanishing_hops(self) -> tuple[HopLoad, ...]:
        """Next hops that are no longer used here after the plan."""
        return tuple(load for load in self.load if load.vanishes)


@dataclass(frozen=True, slots=True)
class PlanEffect:
    """What a plan does.

    ``tables``      one for each view that was given, in its order, also without operations.
    ``operations``  the first ones of the plan, as many as were asked for; all other numbers are of the whole plan.
    ``protected``   protected destinations with another carrier, by table.
    ``foreign``     operations whose prefix and metric are those of a foreign route: the kernel would refuse them.
    ``groups``      operations that lean on each other (``dependent_groups``).
    """

    tables: tuple[TableEffect, ...]
    operations: tuple[OperationEffect, ...]
    protected: tuple[ProtectedChange, ...]
    foreign: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]

    def addresses(self, family: Family) -> int:
        """Return how many addresses of *family* get other next hops, added up over all tables."""
        return sum(table.addresses for table in self.tables if table.family is family)
