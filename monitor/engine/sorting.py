"""The order of a view by a column, found in short slices.

Routes are read in the order in which they lie in memory, and thrown together by what stands in the column.  Routes of equal
value stand in prefix order, but a large group of them is put in order only where somebody looks.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from monitor.engine.columns import COLUMNS, FORWARDING_COLUMNS, PATH_COLUMNS, PEER_COLUMNS, Value
from monitor.engine.core import Engine
from monitor.engine.cursor import Cursor
from monitor.engine.groups import Groups, NumberGroups
from monitor.engine.ordering import LARGEST, STEP, Place
from monitor.engine.pool import Pool
from monitor.engine.scan import Members, members
from monitor.engine.slices import Turns, undisturbed
from monitor.engine.walk import Asked, Segment, TableName, tables_of, whole_tables
from programmer.reconciler import TableState
from programmer.route import Forwarding

AT_ONCE = 512
"""Rows whose values are looked up together."""

NUMBER_COLUMNS = frozenset({"age"})
"""Columns in which nearly every row may have a whole number of its own."""


class Permutation:
    """An order other than that of the rows' numbers: at each place stands the number of a row.

    Rows of equal value are put in order where somebody looks.
    """

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools
        self._ends = list(accumulate(map(len, pools)))
        self._rows = array("I")
        self._starts, self._stops = array("I"), array("I")
        """Places from and up to which rows of equal value of one pool stand, in no order where these differ."""

    def add(self, rows: "array[int]") -> Iterator[None]:
        """Append rows of equal value, by rising number; yields between short steps."""
        if len(rows) == 1:
            self._rows.append(rows[0])
            return
        start = 0
        for end in self._ends:
            stop = bisect_left(rows, end)
            if stop > start:
                yield from self._add(rows[start:stop], 0)
            start = stop

    def _add(self, rows: "array[int]", at: int) -> Iterator[None]:
        """Append rows of equal value and one pool, whose addresses begin with *at* equal octets."""
        pool, first = self._pool_of(rows[0])
        if len(rows) <= LARGEST or at == pool.depth:
            self._starts.append(len(self._rows))
            self._rows += rows
            self._stops.append(len(self._rows))
            return
        parts = [array("I") for _ in range(256)]
        octets, stride = pool.octets(at)
        for begin in range(0, len(rows), STEP):
            for row in rows[begin : begin + STEP]:
                parts[octets[(row - first) * stride]].append(row)
            yield
        del octets
        for part in filter(None, parts):
            yield from self._add(part, at + 1)
            yield

    def _pool_of(self, row: int) -> tuple[Pool, int]:
        """Return the pool of a row, and the number of its first row."""
        number = bisect_right(self._ends, row)
        return self._pools[number], self._ends[number] - len(self._pools[number])

    def window(self, first: int, end: int) -> "array[int]":
        """Return the rows at the places from *first* up to *end*."""
        for number in range(max(0, bisect_right(self._starts, first) - 1), bisect_left(self._starts, end)):
            start, stop = self._starts[number], self._stops[number]
            if max(start, first) < stop:
                pool, before = self._pool_of(self._rows[start])
                ranked = [(pool.rank(row - before), row) for row in self._rows[start:stop]]
                self._rows[start:stop] = array("I", [row for _, row in sorted(ranked)])
                self._stops[number] = start
        return self._rows[first:end]

    def place_of(self, row: int) -> int:
        """Return the place of a row; it costs a search through all of them, a millisecond or two."""
        octets, wanted, size = self._rows.tobytes(), array("I", [row]).tobytes(), self._rows.itemsize
        at = octets.find(wanted)
        while at % size:
            at = octets.find(wanted, at + 1)
        place = at // size
        number = bisect_right(self._starts, place) - 1
        if number >= 0 and place < (stop := self._stops[number]):
            start = self._starts[number]
            return start + self.window(start, stop).index(row)
        return place


async def sort(engine: Engine, asked: Asked, segments: list[Segment], column: str, *, descending: bool) -> Permutation:
    """Return the order of the rows by a column; equal ones are in prefix order, those without a value come last.

    The rows are those of *segments*, as they were walked, or all of the tables that are asked for whole, which *segments* then
    grows by.  When this returns, *segments* has the rows by their numbers.
    """
    if whole_tables(asked):
        sorting = _Sorting(engine, column, segments)
        for name, state, domain in tables_of(engine, asked):
            await sorting.take_table(name, state, domain)
        return await sorting.ordered(descending=descending)
    sorting = _Sorting(engine, column, [])
    for segment in segments:
        await sorting.take_segment(segment)
    found = await sorting.ordered(descending=descending)
    segments[:] = sorting.segments
    return found


class _Sorting:
    """Rows on their way into an order."""

    def __init__(self, engine: Engine, column: str, segments: list[Segment]) -> None:
        self.segments = segments
        self._engine = engine
        self._column = column
        self._turns = Turns()
        self._groups = NumberGroups() if column in NUMBER_COLUMNS else Groups()
        self._pools: list[Pool] = []
        self._count = 0

    async def take_table(self, name: TableName, state: TableState, domain: str) -> None:
        """Take all routes of a table, or those of one *domain*."""

        async def read(copied: bool) -> None:  # noqa: FBT001
            self._forget(first)
            pool = self._add(name, mixed=bool(state.image.foreign))
            await self._take(pool, state, members(state, copied=copied), domain)

        first = self._count
        await undisturbed(read)

    async def take_segment(self, segment: Segment) -> None:
        """Take the rows of a segment."""
        table, family, order = segment
        assert not isinstance(order, Pool)
        pool = self._add((table, family), mixed=order.mixed)
        state = self._engine.reconciler.tables.get((table, family))
        buckets: Members = ((order.bucket(number)[1], None) for number in range(order.bucket_count))
        await self._take(pool, state, buckets, "")

    def _add(self, name: TableName, *, mixed: bool) -> Pool:
        pool = Pool(name[1], mixed=mixed)
        self.segments.append(Segment(*name, pool))
        self._pools.append(pool)
        return pool

    def _forget(self, first: int) -> None:
        """Forget the rows from *first* on: those of the table that was taken last."""
        if self._count > first:
            self._count = first
            self.segments.pop()
            self._pools.pop()
            self._groups.forget(first)

    async def _take(self, pool: Pool, state: TableState | None, parts: Members, domain: str) -> None:
        turns = self._turns
        values_of = None if state is None else _valuing(self._engine, state, self._column, domain)
        for found, ways in parts:
            places: Sequence[Place] = found
            for start in range(0, len(found), AT_ONCE):
                if len(found) > AT_ONCE:
                    places = found[start : start + AT_ONCE]
                values: Sequence[Value]
                if values_of is None:
                    values = [None] * len(places)
                else:
                    places, values = values_of(places, ways)
                pool.take(places)
                self._groups.take(values, self._count)
                self._count += len(places)
                if await turns.pause() and state is not None:
                    values_of = _valuing(self._engine, state, self._column, domain)

    async def ordered(self, *, descending: bool) -> Permutation:
        """Return the order of all that was taken."""
        found, turns = Permutation(self._pools), self._turns
        for rows in self._groups.ordered(descending=descending):
            for _ in found.add(rows) if rows is not None else ():
                await turns.pause()
            await turns.pause()
        return found


Valuing = Callable[[Sequence[Any], "list[Forwarding] | None"], tuple[Sequence[Place], Sequence[Value]]]


def _valuing(engine: Engine, state: TableState, column: str, domain: str) -> Valuing:
    """Return what tells which of many rows belong to *domain*, or all, and their values; good until others have their turn.

    What the best path, its peer or the way out tells alone is looked up for many routes of ours at once; what is anything else
    is asked row by row.
    """
    cursor, value_of = Cursor(engine, state), COLUMNS[column]
    of_path, of_forwarding, of_peer = PATH_COLUMNS.get(column), FORWARDING_COLUMNS.get(column), PEER_COLUMNS.get(column)
    links = engine.reconciler.links

    def one_by_one(places: Sequence[Any]) -> tuple[Sequence[Place], Sequence[Value]]:
        if not domain:
            return places, [value_of(cursor) if cursor.move(place) else None for place in places]
        inside = [(place, value_of(cursor)) for place in places if cursor.move(place) and cursor.domain == domain]
        return [place for place, _ in inside], [value for _, value in inside]

    def by_path(keys: Sequence[Any], ways: list[Forwarding] | None) -> tuple[Sequence[Place], Sequence[Value]]:
        paths = cursor.lone_paths(keys) if ways is not None or set(map(type, keys)) == {bytes} else [None]
        return one_by_one(keys) if None in paths else (keys, list(map(of_path, paths)))  # type: ignore[arg-type]

    def by_peer(keys: Sequence[Any], ways: list[Forwarding] | None) -> tuple[Sequence[Place], Sequence[Value]]:
        peers = cursor.best_peers(keys) if ways is not None or set(map(type, keys)) == {bytes} else [None]
        values = {peer: of_peer(engine, peer) for peer in set(peers) if peer is not None}  # type: ignore[misc]
        return one_by_one(keys) if None in peers else (keys, [values[peer] for peer in peers])  # type: ignore[index]

    def by_forwarding(keys: Sequence[Any], ways: list[Forwarding] | None) -> tuple[Sequence[Place], Sequence[Value]]:
        if ways is None:
            return one_by_one(keys)
        # Most routes go the same few ways.
        names = list(map(id, ways))
        known = {name: of_forwarding(way, links) for name, way in dict(zip(names, ways, strict=True)).items()}  # type: ignore[misc]
        return keys, [known[name] for name in names]

    if domain or not (of_path or of_forwarding or of_peer):
        return lambda places, _: one_by_one(places)
    return by_path if of_path else by_peer if of_peer else by_forwarding
