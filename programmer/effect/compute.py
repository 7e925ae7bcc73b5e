"""Puts the effect of a plan together, in steps of a few milliseconds."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence

from programmer.effect.groups import Leanings
from programmer.effect.lookup import Carrier, Lookup, Place, TableKey, TableView, finish, looking_up
from programmer.effect.ranges import (
    Range,
    Uncovered,
    differing,
    inside,
    key_of_number,
    number_of,
    range_of,
    uncovered,
)
from programmer.effect.values import (
    DefaultChange,
    DefaultRoute,
    HopLoad,
    OperationEffect,
    PlanEffect,
    Protected,
    ProtectedChange,
    TableEffect,
    Width,
)
from programmer.plan import Action, Operation
from programmer.route import Family, Forwarding, NextHop, PrefixKey, host_key

Steps = Generator[None, None, None]

STEP = 500
"""Operations looked at in one step: two to five milliseconds."""

COUNTED = 50_000
"""Routes counted in one step: about four milliseconds."""

COVER_ALL = {Family.IPV4: 8, Family.IPV6: 16}
"""Prefixes shorter than this act as a default route, together with a few others like them."""

ELSEWHERE = frozenset({Place.FALLBACK, Place.NONE})
"""Carriers that do not stand in the table itself."""

DEFAULT_KEY: PrefixKey = b"\0"

CHANGES = {Action.ADD: DefaultChange.ADDED, Action.CHANGE: DefaultChange.CHANGED, Action.REMOVE: DefaultChange.REMOVED}


def compute(
    operations: Sequence[Operation],
    tables: Mapping[TableKey, TableView],
    *,
    dead: Collection[int] = frozenset(),
    protected: Sequence[Protected] = (),
    detailed: int = 1000,
    cover_all: Mapping[Family, int] = COVER_ALL,
) -> PlanEffect:
    """Return the effect of *operations* at once; ``computing`` has the particulars."""
    return finish(computing(operations, tables, dead=dead, protected=protected, detailed=detailed, cover_all=cover_all))


def computing(
    operations: Sequence[Operation],
    tables: Mapping[TableKey, TableView],
    *,
    dead: Collection[int] = frozenset(),
    protected: Sequence[Protected] = (),
    detailed: int = 1000,
    cover_all: Mapping[Family, int] = COVER_ALL,
) -> Generator[None, None, PlanEffect]:
    """Return the effect of *operations* on *tables*, in steps; the tables may not change before the last one.

    ``dead`` are link indexes whose next hops do not count as live; ``protected`` destinations are looked up in every table of
    their family that has operations; the first ``detailed`` operations are told one by one; prefixes shorter than
    ``cover_all`` bits count as default routes.  Raises ValueError as ``looking_up`` does.
    """
    found = yield from looking_up(operations, tables)
    leanings = Leanings(operations, found)
    parts = {
        table: _Part(operations, lookup, table, frozenset(dead), detailed, cover_all[table[1]])
        for table, lookup in found.items()
    }
    for table, part in parts.items():
        for number, index in enumerate(found[table].by_key.values(), 1):
            leanings.look(index, found[table], part.take(index))
            if not number % STEP:
                yield
        yield
    effects: list[TableEffect] = []
    for part in parts.values():
        yield from part.measure()
        yield from part.weigh()
        effects.append(part.effect())
        yield
    groups = yield from leanings.grouping()
    return PlanEffect(
        tuple(effects),
        tuple(sorted((row for part in parts.values() for row in part.rows()), key=lambda row: row.index)),
        tuple(change for part in parts.values() for change in part.protected_changes(protected)),
        tuple(sorted(index for part in parts.values() for index in part.conflicts)),
        groups,
    )


class _Part:
    """The effect on one family of one table, while it is being put together."""

    def __init__(
        self,
        operations: Sequence[Operation],
        lookup: Lookup,
        table: TableKey,
        dead: frozenset[int],
        detailed: int,
        cover_all: int,
    ) -> None:
        self.operations = operations
        self.lookup = lookup
        self.table, self.family = table
        self.dead = dead
        self.detailed = detailed
        self.cover_all = cover_all
        self.conflicts: list[int] = []
        self._actions = Counter[Action]()
        self._size = len(lookup.view.routes)
        self._moving = self._hop_changes = self._covered = self._narrowed = self._widened = 0
        self._addresses = 0
        self._still: list[int] = []
        self._cover_alls: list[int] = []
        self._details: dict[int, tuple[Carrier, Carrier]] = {}
        self._targets: dict[int, tuple[Carrier, Carrier]] = {}
        self._falling: set[int] = set()
        self._moved: dict[int, int] = {}
        self._load: tuple[HopLoad, ...] = ()

    def take(self, index: int) -> tuple[Carrier, Carrier]:
        """Take one operation of this table in; returns who carries its prefix before and after."""
        operation = self.operations[index]
        key, action, view = operation.key, operation.action, self.lookup.view
        before, after = carriers = self.lookup.carriers(key)
        moves = before.next_hops != after.next_hops
        self._actions[action] += 1
        self._size += (operation.before is not None) - (key in view.routes)
        self._moving += moves
        if operation.before and operation.after:
            self._hop_changes += operation.before.next_hops != operation.after.next_hops
        if 0 < key[0] < self.cover_all:
            self._cover_alls.append(index)
        if key in self.lookup.foreign:
            metrics = {value.metric for value in (operation.before, operation.after) if value}
            if any((key, metric) in view.foreign for metric in metrics):
                self.conflicts.append(index)
        if before.place is not Place.NONE:
            if action is Action.ADD:
                self._covered += 1
                if not moves:
                    self._still.append(index)
            if after.place is not Place.NONE and moves:
                live = self._width(before).live, self._width(after).live
                self._narrowed += live[1] < live[0]
                self._widened += live[1] > live[0]
        # Below a fallback table a prefix may hold more specifics there: some of it moves even if the whole does not.
        falls = view.fallback is not None and not {before.place, after.place}.isdisjoint(ELSEWHERE)
        if moves or falls:
            number = number_of(self.family, key)
            self._targets[number] = carriers
            if falls:
                self._falling.add(number)
        if index < self.detailed:
            self._details[index] = carriers
        return carriers

    def measure(self) -> Steps:
        """Find how many addresses move, of every operation and in all."""
        if not self._targets:
            return
        falling, lookup = self._falling, self.lookup
        sources: list[Collection[PrefixKey]] = [lookup.view.routes, lookup.foreign, lookup.by_key]
        left: Uncovered = yield from uncovered(self.family, self._targets, sources, falling)
        beyond: list[int] = yield from self._beyond(falling)
        for count, (number, carriers) in enumerate(self._targets.items(), 1):
            if number in falling:
                addresses = self._moved_beyond(number, carriers, left.ranges[number], beyond)
            else:
                addresses = left.sizes[number]
            self._addresses += addresses
            for index in {self._own_index(carrier) for carrier in carriers}:
                if index is not None and addresses:
                    self._moved[index] = self._moved.get(index, 0) + addresses
            if not count % STEP:
                yield

    def weigh(self) -> Steps:
        """Count what each next hop carries before and after."""
        if not self.lookup.by_key:
            return
        view = self.lookup.view
        before = Counter[Forwarding]()
        if view.counts is not None:
            before.update(view.counts)
        else:
            values = list(view.routes.values())
            for start in range(0, len(values), COUNTED):
                before.update(values[start : start + COUNTED])
                yield
        change = Counter[Forwarding]()
        for number, (key, index) in enumerate(self.lookup.by_key.items(), 1):
            operation, held = self.operations[index], view.routes.get(key)
            if held is not operation.before:
                _count(before, held, -1)
                _count(before, operation.before, 1)
            _count(change, operation.before, -1)
            _count(change, operation.after, 1)
            if not number % (10 * STEP):
                yield
        after = Counter(before)
        after.update(change)
        self._load = tuple(_loads(before, after))

    def effect(self) -> TableEffect:
        """Return the effect on this table."""
        actions = self._actions
        adds, changes, removals = (actions[action] for action in (Action.ADD, Action.CHANGE, Action.REMOVE))
        operations = adds + changes + removals
        percent = operations * 100.0 / self._size if self._size else 100.0 * bool(operations)
        return TableEffect(
            table=self.table,
            family=self.family,
            adds=adds,
            changes=changes,
            removals=removals,
            size_before=self._size,
            size_after=self._size + adds - removals,
            percent=percent,
            addresses=self._addresses,
            moving=self._moving,
            hop_changes=self._hop_changes,
            covered_adds=self._covered,
            quiet_adds=sum(index not in self._moved for index in self._still),
            narrowed=self._narrowed,
            widened=self._widened,
            load=self._load,
            default=self._default(),
        )

    def rows(self) -> Iterator[OperationEffect]:
        """Yield the effect of each operation that is told one by one."""
        for index, (before, after) in self._details.items():
            yield OperationEffect(
                index,
                self.operations[index],
                before,
                after,
                self._moved.get(index, 0),
                self._width(before),
                self._width(after),
            )

    def protected_changes(self, protected: Sequence[Protected]) -> Iterator[ProtectedChange]:
        """Yield the protected destinations that get another carrier here."""
        if not self.lookup.by_key:
            return
        for item in protected:
            if len(item.address) << 3 == self.family.bits:
                before, after = self.lookup.carriers(host_key(item.address))
                if before != after:
                    yield ProtectedChange(self.table, self.family, item, before, after)

    def _beyond(self, falling: Collection[int]) -> Generator[None, None, list[int]]:
        """Return what the fallback table has inside the prefixes that fall to it, sorted."""
        fallback, main = self.lookup.view.fallback, self.lookup.main
        if not falling or fallback is None:
            return []
        sources: list[Collection[PrefixKey]] = [fallback]
        if main is not None:
            sources.append(main.by_key)
        runs = yield from inside(self.family, [sorted(falling)], sources)
        return sorted({number for run in runs for number in run})

    def _moved_beyond(
        self, number: int, carriers: tuple[Carrier, Carrier], ranges: Sequence[Range], beyond: Sequence[int]
    ) -> int:
        """Return how many addresses of *ranges* move between this table and what the fallback table has for them."""
        falls_before = carriers[0].place in ELSEWHERE
        base, here = carriers if falls_before else carriers[::-1]
        whole = range_of(self.family, number)
        specifics: list[tuple[Range, tuple[NextHop, ...]]] = []
        for at in range(bisect_right(beyond, number), bisect_left(beyond, (whole[1] + 1) << 8)):
            pair = self.lookup.fallback_at(key_of_number(self.family, beyond[at]))
            carrier = pair[0] if falls_before else pair[1]
            if carrier:
                specifics.append((range_of(self.family, beyond[at]), carrier.next_hops))
        return differing(whole, base.next_hops, specifics, ranges, here.next_hops)

    def _own_index(self, carrier: Carrier) -> int | None:
        """Return the operation of this table at the carrier's prefix."""
        if carrier.key is None or carrier.place is Place.FALLBACK:
            return None
        return self.lookup.by_key.get(carrier.key)

    def _width(self, carrier: Carrier) -> Width:
        hops = carrier.next_hops
        return Width(len(hops), sum(hop.ifindex not in self.dead for hop in hops))

    def _default(self) -> DefaultRoute:
        index = self.lookup.by_key.get(DEFAULT_KEY)
        change = DefaultChange.UNCHANGED if index is None else CHANGES[self.operations[index].action]
        return DefaultRoute(change, *self.lookup.carriers(DEFAULT_KEY), tuple(self._cover_alls))


def _count(counter: Counter[Forwarding], value: Forwarding | None, number: int) -> None:
    if value is not None:
        counter[value] += number


def _loads(before: Mapping[Forwarding, int], after: Mapping[Forwarding, int]) -> Iterator[HopLoad]:
    """Yield what each next hop carries, in the order of gateways and links."""
    routes: dict[tuple[bytes, int], list[int]] = {}
    shares: dict[tuple[bytes, int], list[float]] = {}
    sizes = [max(sum(counts.values()), 1) for counts in (before, after)]
    for side, counts in enumerate((before, after)):
        for value, number in sorted(counts.items()):
            weight = sum(hop.weight for hop in value.next_hops)
            for hop in value.next_hops:
                at = hop.gateway, hop.ifindex
                routes.setdefault(at, [0, 0])[side] += number
                shares.setdefault(at, [0.0, 0.0])[side] += number * hop.weight * 100.0 / weight / sizes[side]
    for (gateway, ifindex), (first, last) in sorted(routes.items()):
        if first or last:
            yield HopLoad(gateway, ifindex, first, last, *shares[gateway, ifindex])
