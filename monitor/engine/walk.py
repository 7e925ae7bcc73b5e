"""The walk that makes a view: which routes belong to it, in prefix order, and their order by a column; all in short slices."""

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

from monitor.engine.columns import COLUMNS, PATH_COLUMNS, Value
from monitor.engine.core import Engine
from monitor.engine.ordering import STEP, Gathering, Place, PrefixOrder, buckets_of
from monitor.engine.rows import EVERYTHING, Row, best_path, named_places
from monitor.engine.slices import Turns
from monitor.filter import FilterRow, PrefixBounds, Query, Relation
from monitor.rib.path import Path
from programmer.reconciler import TableState
from programmer.route import Family, Forwarding, PrefixKey, TableId, family_of

LOOKED_AT = 64
"""Rows that are looked at before the clock is."""

MOST_REMEMBERED = 65_536
"""Answers that a walk remembers."""

NOWHERE = Forwarding(0, ())
"""What a cursor that stands nowhere forwards."""

TableName = tuple[TableId, Family]


class Asked(NamedTuple):
    """Which routes a view is to have: ``domain`` empty for all; ``problems`` only those that are not as they should be."""

    query: Query
    domain: str
    problems: bool


class Segment(NamedTuple):
    """The routes of one family of one table in a view."""

    table: TableId
    family: Family
    order: PrefixOrder


_INSTALLED = ("installed", "installed", "")


class Cursor(Row):
    """A row that is moved from place to place, since a walk over a million routes had better not make a million rows.

    ``prepare`` is to be called whenever others have had their turn; ``move`` has to have returned True before anything is asked.
    """

    __slots__ = (
        "_acknowledged",
        "_add",
        "_change",
        "_chosen",
        "_conflicts",
        "_current",
        "_desired",
        "_lone_domain",
        "_remove",
    )

    def __init__(self, engine: Engine, state: TableState) -> None:
        super().__init__(engine, state, b"\0", NOWHERE)
        self.prepare()

    def prepare(self) -> None:
        """Look up what does not change while nobody else has a turn."""
        state, table = self._state, self._state.spec.table
        difference = state.difference
        self._desired, self._current = state.desired.get, state.current
        self._conflicts, self._acknowledged = state.conflicts, state.acknowledged
        self._add, self._change, self._remove = difference.add, difference.change, difference.remove
        shared = sum(item.config.table == table for item in self.engine.domains.values()) > 1
        self._lone_domain = None if shared else self.engine.domain_of_table(table)
        domain = self.engine.domains.get(self._lone_domain or "")
        self._chosen = domain.chosen_paths(state.spec.family) if domain else None

    def move(self, place: Place) -> bool:
        """Stand on *place*; returns False when its route has gone."""
        self._domain = self._lone_domain
        self._asked = False
        self._words = None
        if isinstance(place, bytes):
            value = self._desired(place) or self._current(place)
            if value is None:
                return False
            self.key = place
            self.forwarding = value
            self._foreign = None
            return True
        foreign = self._state.image.foreign.get(place)
        if foreign is None:
            return False
        self.key = place[0]
        self.forwarding = foreign.forwarding
        self._foreign = foreign
        return True

    def _said(self) -> tuple[str, str, str]:
        if self._words is None:
            key = self.key
            plain = not (
                self._foreign is not None
                or key in self._add
                or key in self._change
                or key in self._remove
                or key in self._conflicts
                or key in self._acknowledged
            )
            self._words = _INSTALLED if plain else super()._said()
        return self._words

    def _best(self) -> Path | None:
        if not self._asked:
            self._asked = True
            self._path = None
            if self._foreign is None:
                self._path = self._chosen(self.key) if self._chosen else None
                if self._path is None and (domain := self.engine.domains.get(self.domain)) is not None:
                    self._path = best_path(domain, self.family, self.key)
        return self._path

    def lone_path(self, key: PrefixKey) -> Path | None:
        """Return the best path of a route of ours without moving there, None where that takes longer."""
        return self._chosen(key) if self._chosen else None


async def walk(engine: Engine, asked: Asked, now: float, segments: list[Segment]) -> None:
    """Fill *segments* with the routes that are asked for, table by table; what is there already is in its final order.

    *now* is in seconds since the epoch, for ages.
    """
    turns = Turns()
    bounds = asked.query.prefix_bounds()
    matches = None if asked.query == EVERYTHING else asked.query.matches
    trait = next((trait for fields, trait in _TRAITS if matches is not None and asked.query.fields <= fields), None)
    for name, state in sorted(engine.reconciler.tables.items()):
        sharing = sum(item.config.table == name[0] for item in engine.domains.values())
        if asked.domain and sharing < 2 and engine.domain_of_table(name[0]) != asked.domain:
            continue
        if bounds is not None and not any(family_of(prefix) is name[1] for prefix in bounds.prefixes):
            continue
        candidates = await _candidates(state, asked.problems, bounds, turns)
        domain = asked.domain if sharing > 1 else ""
        if matches is None and not domain:
            segments.append(Segment(*name, candidates))
            continue
        chosen = PrefixOrder(name[1], mixed=candidates.mixed)
        segments.append(Segment(*name, chosen))
        cursor = Cursor(engine, state)
        choose = _choosing(cursor, matches or _any, now, domain, trait)
        for head, bucket in buckets_of(candidates):
            found: list[Place] = []
            for start in range(0, len(bucket), LOOKED_AT):
                found += choose(bucket[start : start + LOOKED_AT])
                if await turns.pause():
                    cursor.prepare()
            chosen.append(head, found)


def _any(_row: FilterRow, _now: float) -> bool:
    """Match every row."""
    return True


def _attributes_of(path: Path) -> object:
    return path.attributes


def _peer_of(path: Path) -> object:
    return path.peer


_TRAITS: tuple[tuple[frozenset[str], Callable[[Path], object]], ...] = (
    (frozenset({"aspath", "comm", "lcomm", "ecomm", "origin", "lp", "med", "pathlen"}), _attributes_of),
    (frozenset({"peer", "asn"}), _peer_of),
)
"""Fields of the filter language that a part of the best path decides alone, and that part: a filter is asked once for each."""


def _choosing(
    cursor: Cursor,
    matches: Callable[[FilterRow, float], bool],
    now: float,
    domain: str,
    trait: Callable[[Path], object] | None,
) -> Callable[[Sequence[Place]], list[Place]]:
    """Return what chooses those places that match, and are of *domain* if that is not empty."""

    def fits(place: Place) -> bool:
        return cursor.move(place) and (not domain or cursor.domain == domain) and matches(cursor, now)

    if trait is None or domain:
        return lambda places: [place for place in places if fits(place)]
    known: dict[object, bool] = {}

    def choose(places: Sequence[Place]) -> list[Place]:
        found: list[Place] = []
        for place in places:
            path = cursor.lone_path(place) if isinstance(place, bytes) else None
            if path is None:
                fit = fits(place)
            else:
                part = trait(path)
                answer = known.get(part)
                fit = fits(place) if answer is None else answer
                if answer is None and len(known) < MOST_REMEMBERED:
                    known[part] = fit
            if fit:
                found.append(place)
        return found

    return choose


async def _candidates(state: TableState, problems: bool, bounds: PrefixBounds | None, turns: Turns) -> PrefixOrder:  # noqa: FBT001
    """Return the routes of a table that can belong to a view at all."""
    gathering: Gathering | None = None
    foreign: Sequence[tuple[PrefixKey, int]] = []
    if bounds is not None and bounds.relation is not Relation.IN:
        ours, foreign = named_places(state, bounds)
    elif problems:
        ours = list(state.difference.keys() | state.conflicts)
    else:
        gathering = await _undisturbed(state, turns)
        ours = list(state.difference.remove) if gathering else [*state.desired, *state.difference.remove]
        foreign = list(state.image.foreign)
    gathering = gathering or Gathering(state.spec.family)
    while ours:
        part = ours[-STEP:]
        # A million references are not dropped in no time.
        del ours[-STEP:]
        gathering.add([key for key in part if is_problem(state, key)] if problems else part)
        await turns.pause()
    for start in range(0, 0 if problems else len(foreign), STEP):
        gathering.add_foreign(foreign[start : start + STEP])
        await turns.pause()
    steps = gathering.arranging(_first_octets(state.spec.family, bounds))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            order: PrefixOrder = end.value
            return order
        await turns.pause()


async def _undisturbed(state: TableState, turns: Turns) -> Gathering | None:
    """Return the keys of what is desired, None when something changed meanwhile.

    A dictionary can be read in slices only while nobody changes it; a copy of a million keys in one go takes several slices.
    """
    before, gathering = state.changes, Gathering(state.spec.family)
    source = iter(state.desired)
    while state.changes == before:
        part = list(islice(source, STEP))
        if not part:
            return gathering
        gathering.add(part)
        await turns.pause()
    return None


def _first_octets(family: Family, bounds: PrefixBounds | None) -> Collection[int]:
    """Return what the first octet of an address within *bounds* can be."""
    if bounds is None or bounds.relation is not Relation.IN:
        return range(256)
    found: set[int] = set()
    for prefix in bounds.prefixes:
        if family_of(prefix) is family:
            first = prefix.network_address.packed[0]
            found.update(range(first, first + (1 << max(0, 8 - prefix.prefixlen))))
    return found


def is_problem(state: TableState, key: PrefixKey) -> bool:
    """Say whether a route of ours is neither installed as BGP wants it, nor written and about to be read back."""
    return key in state.conflicts or (key in state.difference and key not in state.acknowledged)


def _parts(items: Sequence[Any]) -> Iterator[Any]:
    for start in range(0, len(items), STEP):
        yield items[start : start + STEP]


class Permutation(NamedTuple):
    """An order other than that of the rows: ``rows`` has the number of the row at each place, ``places`` the place of each row."""

    rows: "array[int]"
    places: "array[int]"


async def sort(engine: Engine, segments: Sequence[Segment], column: str, *, descending: bool) -> Permutation:
    """Return the order of all rows by a column; equal ones stay in prefix order, and those without a value come last."""
    turns = Turns()
    groups = await _groups(engine, segments, column, turns)
    nothing = groups.pop(None, None)
    values = await _ordered(list(groups), turns)
    rows = array("I")
    for value in reversed(values) if descending else values:
        rows += groups.pop(value)
        await turns.pause()
    rows += nothing or array("I")
    places = array("I", bytes(rows.itemsize * len(rows)))
    for start in range(0, len(rows), STEP):
        for place, row in enumerate(rows[start : start + STEP], start):
            places[row] = place
        await turns.pause()
    return Permutation(rows, places)


async def _groups(engine: Engine, segments: Sequence[Segment], column: str, turns: Turns) -> "dict[Value, array[int]]":
    """Return the numbers of the rows by what stands in *column*; None has those of which nothing is known any more."""
    groups: dict[Value, array[int]] = {}
    value_of, of_path, row = COLUMNS[column], PATH_COLUMNS.get(column), 0
    for table, family, order in segments:
        state = engine.reconciler.tables.get((table, family))
        cursor = None if state is None else Cursor(engine, state)
        for number in range(order.bucket_count):
            _, bucket = order.bucket(number, in_order=True)
            for start in range(0, len(bucket), LOOKED_AT):
                if await turns.pause() and cursor is not None:
                    cursor.prepare()
                for place in bucket[start : start + LOOKED_AT]:
                    value = None
                    path = cursor.lone_path(place) if of_path and cursor and isinstance(place, bytes) else None
                    if path is not None and of_path is not None:
                        value = of_path(path)
                    elif cursor is not None and cursor.move(place):
                        value = value_of(cursor)
                    group = groups.get(value)
                    if group is None:
                        group = groups[value] = array("I")
                    group.append(row)
                    row += 1
    return groups


async def _ordered(values: list[Value], turns: Turns) -> list[Value]:
    """Return distinct values in order; many are sorted in parts and merged."""
    parts: list[list[Value]] = []
    for part in _parts(values):
        parts.append(sorted(part))
        await turns.pause()
    if len(parts) < 2:
        return parts[0] if parts else []
    found: list[Value] = []
    for value in merge(*parts):
        found.append(value)
        if not len(found) % LOOKED_AT:
            await turns.pause()
    return found
