"""Longest match before and after a plan: which route carries the traffic of a prefix.

A plan is laid over the table: at the keys of its operations their ``before`` and ``after`` count, whatever the table holds
now; everywhere else the table counts.  So the effect of a frozen plan stays what it was while the plan is being applied.
"""

import enum
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from programmer.plan import Operation
from programmer.route import MAIN_TABLE, Family, Forwarding, NextHop, PrefixKey, TableId

STEP = 5000
"""Operations filed in one step: about three milliseconds."""

TableKey = tuple[TableId, Family]
"""One family of one table."""


T = TypeVar("T")


def finish(steps: Generator[None, None, T]) -> T:
    """Go through all steps at once and return what they come to."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


class HasForwarding(Protocol):
    """A route of somebody else, as far as the effect asks: ``programmer.fib.ForeignRoute`` is one."""

    @property
    def forwarding(self) -> Forwarding:
        """Where it sends packets."""


@dataclass(frozen=True, slots=True)
class TableView:
    """What one family of one table holds now.  Nothing here may change while an effect is being computed from it.

    ``routes``    ours: prefix key to forwarding.
    ``foreign``   everybody else's: (key, metric) to the route.
    ``fallback``  where a lookup goes on that finds nothing here: what carries traffic in the main table, lowest metrics only;
                  None where nothing follows.  Operations of the plan on the main table are laid over it.
    ``counts``    how many of ``routes`` have each forwarding; None has them counted, 70 ms for a million routes.
    """

    routes: Mapping[PrefixKey, Forwarding]
    foreign: Mapping[tuple[PrefixKey, int], HasForwarding]
    fallback: Mapping[PrefixKey, Forwarding] | None = None
    counts: Mapping[Forwarding, int] | None = None


class Place(enum.Enum):
    """Where the route stands that carries some traffic."""

    OWN = "own"
    FOREIGN = "foreign"
    FALLBACK = "fallback"
    NONE = "none"


class Carrier(NamedTuple):
    """The route that carries some traffic: where it stands, its prefix and its forwarding; both None for no route at all."""

    place: Place
    key: PrefixKey | None
    forwarding: Forwarding | None

    @property
    def next_hops(self) -> tuple[NextHop, ...]:
        """Its next hops; none for no route, and for a route that sends packets nowhere (blackhole, unreachable)."""
        return self.forwarding.next_hops if self.forwarding else ()


NOBODY = Carrier(Place.NONE, None, None)

Pair = tuple[Carrier, Carrier]
"""A carrier before and a carrier after the plan."""

MaybePair = tuple[Carrier | None, Carrier | None]
NEITHER: MaybePair = (None, None)


_OCTETS = [bytes((value,)) for value in range(256)]


class LongestMatch:
    """Longest match before and after, over a function that tells what stands at exactly one key.

    ``stores`` hold every key at which something may stand.  What lies above every eighth length is remembered.
    """

    def __init__(self, at: Callable[[PrefixKey], MaybePair], stores: Sequence[Container[PrefixKey]]) -> None:
        self._at = at
        self._stores = [store for store in stores if store]
        self._remembered: dict[PrefixKey, MaybePair] = {}

    def __call__(self, key: PrefixKey) -> MaybePair:
        """Return what matches all of *key*: what stands there or at the longest prefix that covers it."""
        before, after = self._at(key)
        if before and after:
            return before, after
        covers = self.above(key)
        return before or covers[0], after or covers[1]

    def above(self, key: PrefixKey) -> MaybePair:
        """Return what matches *key* when nothing at *key* itself is looked at."""
        length = key[0]
        if not length:
            return NEITHER
        before: Carrier | None = None
        after: Carrier | None = None
        octets = (length - 1) >> 3
        body, last = key[1 : octets + 1], key[octets + 1]
        for bits in range(length - 1 - 8 * octets, 0, -1):
            cover = _OCTETS[8 * octets + bits] + body + _OCTETS[last & 0xFF00 >> bits & 0xFF]
            for store in self._stores:
                if cover in store:
                    found = self._at(cover)
                    before, after = before or found[0], after or found[1]
                    if before and after:
                        return before, after
                    break
        head = _OCTETS[8 * octets] + body
        known = self._remembered.get(head)
        if known is None:
            known = self._remembered[head] = self(head)
        return before or known[0], after or known[1]


class Lookup:
    """Who carries what in one family of one table, before and after a plan.

    ``by_key`` has the index of the operation at a key.  ``main`` is the lookup of the main table when the plan has operations
    there, this is another table, and lookups go on there.
    """

    def __init__(
        self,
        view: TableView,
        operations: Sequence[Operation],
        by_key: Mapping[PrefixKey, int],
        main: "Lookup | None",
    ) -> None:
        self.view = view
        self.by_key = by_key
        self.main = main if main is not None and main.by_key and view.fallback is not None else None
        self.operations = operations
        self.foreign: dict[PrefixKey, Forwarding] = {}
        for (key, metric), route in view.foreign.items():
            held = self.foreign.get(key)
            if held is None or metric < held.metric:
                self.foreign[key] = route.forwarding
        self.own = LongestMatch(self.at, (view.routes, by_key, self.foreign))
        self.beyond = LongestMatch(self.fallback_at, (view.fallback or {}, self.main.by_key if self.main else {}))

    def at(self, key: PrefixKey) -> MaybePair:
        """Return what stands in this table at exactly *key*: the lowest metric; ours where two are equal."""
        index = self.by_key.get(key)
        if index is None:
            carrier = self._best(key, self.view.routes.get(key))
            return (carrier, carrier) if carrier else NEITHER
        operation = self.operations[index]
        return self._best(key, operation.before), self._best(key, operation.after)

    def fallback_at(self, key: PrefixKey) -> MaybePair:
        """Return what stands in the fallback table at exactly *key*."""
        if self.main is not None and key in self.main.by_key:
            before, after = self.main.at(key)
            return (
                before and before._replace(place=Place.FALLBACK),
                after and after._replace(place=Place.FALLBACK),
            )
        value = self.view.fallback.get(key) if self.view.fallback is not None else None
        if value is None:
            return NEITHER
        carrier = Carrier(Place.FALLBACK, key, value)
        return carrier, carrier

    def carriers(self, key: PrefixKey) -> Pair:
        """Return who carries the traffic of *key* before and after: here, else in the fallback table, else nobody."""
        return self._complete(key, self.own(key))

    def alone(self, key: PrefixKey) -> Carrier:
        """Return who would carry the traffic of *key* if nothing but our route at *key* went away."""
        if key in self.foreign:
            return Carrier(Place.FOREIGN, key, self.foreign[key])
        return self._complete(key, self.own.above(key))[0]

    def index_of(self, carrier: Carrier) -> int | None:
        """Return the operation that makes a difference at the very key of *carrier*, in the table where it stands."""
        where = self.main if carrier.place is Place.FALLBACK else self
        if where is None or carrier.key is None:
            return None
        index = where.by_key.get(carrier.key)
        if index is None:
            return None
        before, after = where.at(carrier.key)
        return index if before != after else None

    def _best(self, key: PrefixKey, own: Forwarding | None) -> Carrier | None:
        other = self.foreign.get(key) if self.foreign else None
        if own is not None and (other is None or own.metric <= other.metric):
            return Carrier(Place.OWN, key, own)
        return Carrier(Place.FOREIGN, key, other) if other is not None else None

    def _complete(self, key: PrefixKey, found: MaybePair) -> Pair:
        before, after = found
        if (before is None or after is None) and self.view.fallback is not None:
            beyond = self.beyond(key)
            before, after = before or beyond[0], after or beyond[1]
        return before or NOBODY, after or NOBODY


def looking_up(
    operations: Sequence[Operation], tables: Mapping[TableKey, TableView]
) -> Generator[None, None, dict[TableKey, Lookup]]:
    """Return a lookup for every table, those without operations included, in steps.

    Raises ValueError for an operation on a table that is not in *tables*, and for two operations on one prefix.
    """
    by_key: dict[TableKey, dict[PrefixKey, int]] = {table: {} for table in tables}
    for index, operation in enumerate(operations):
        where = by_key.get((operation.table, operation.family))
        name = f"{operation.family.label} table {operation.table}" if where is None or operation.key in where else ""
        if where is None:
            raise ValueError(
                f"operation {index} is on {name}, which was not given; give a view of every table of the plan"
            )
        if name:
            raise ValueError(
                f"two operations are on one prefix, {operation.prefix}, of {name}; a plan has one for each"
            )
        where[operation.key] = index
        if not index % STEP:
            yield
    mains = {
        family: Lookup(view, operations, by_key[number, family], None)
        for (number, family), view in tables.items()
        if number == MAIN_TABLE
    }
    return {
        (number, family): mains[family]
        if number == MAIN_TABLE
        else Lookup(view, operations, by_key[number, family], mains.get(family))
        for (number, family), view in tables.items()
    }
