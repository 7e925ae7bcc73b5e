"""The order of a view by a column, found in short slices."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import Any, NamedTuple

from monitor.engine.columns import COLUMNS, FORWARDING_COLUMNS, PATH_COLUMNS, Value
from monitor.engine.core import Engine
from monitor.engine.cursor import Cursor
from monitor.engine.ordering import STEP, Place
from monitor.engine.slices import Turns
from monitor.engine.walk import Segment
from programmer.reconciler import TableState

AT_ONCE = 256
"""Rows whose values are looked up together: a third of a millisecond, or a millisecond where they have to be asked one by one."""

MERGED_AT_ONCE = 64
"""Values that are merged before the clock is looked at."""


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
    row = 0
    for table, family, order in segments:
        state = engine.reconciler.tables.get((table, family))
        values_of = None if state is None else _valuing(engine, state, column)
        for number in range(order.bucket_count):
            _, bucket = order.bucket(number, in_order=True)
            for start in range(0, len(bucket), AT_ONCE):
                if await turns.pause() and state is not None:
                    values_of = _valuing(engine, state, column)
                places = bucket[start : start + AT_ONCE]
                for value in values_of(places) if values_of is not None else [None] * len(places):
                    group = groups.get(value)
                    if group is None:
                        group = groups[value] = array("I")
                    group.append(row)
                    row += 1
    return groups


def _valuing(engine: Engine, state: TableState, column: str) -> Callable[[list[Place]], list[Value]]:
    """Return what tells the values of many rows in a column; it is good until others have their turn.

    What the best path or the way out tells alone is looked up for many routes of ours at once; what is anything else is asked
    row by row.
    """
    cursor, value_of = Cursor(engine, state), COLUMNS[column]
    of_path, of_forwarding = PATH_COLUMNS.get(column), FORWARDING_COLUMNS.get(column)
    desired, links = state.desired.get, engine.reconciler.links

    def one_by_one(places: list[Place]) -> list[Value]:
        return [value_of(cursor) if cursor.move(place) else None for place in places]

    def by_path(keys: list[Any]) -> list[Value]:
        paths = cursor.lone_paths(keys) if set(map(type, keys)) == {bytes} else [None]
        return one_by_one(keys) if None in paths else list(map(of_path, paths))  # type: ignore[arg-type]

    def by_forwarding(keys: list[Any]) -> list[Value]:
        ways = list(map(desired, keys))
        if None in ways:
            return one_by_one(keys)
        # Most routes go the same few ways.
        names = list(map(id, ways))
        known = {name: of_forwarding(way, links) for name, way in dict(zip(names, ways, strict=True)).items()}  # type: ignore[misc, arg-type]
        return [known[name] for name in names]

    return by_path if of_path else by_forwarding if of_forwarding else one_by_one


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
        if not len(found) % MERGED_AT_ONCE:
            await turns.pause()
    return found
