"""The walk that makes a view: which routes belong to it, in prefix order, found in short slices."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from monitor.engine.bypath import by_path
from monitor.engine.core import Engine
from monitor.engine.cursor import Cursor
from monitor.engine.ordering import STEP, Gathering, Place, PrefixOrder, buckets_of
from monitor.engine.pool import Pool
from monitor.engine.rows import EVERYTHING, named_places
from monitor.engine.scan import can_scan, gather, scan
from monitor.engine.slices import Turns, finished
from monitor.filter import FilterRow, PrefixBounds, Query, Relation
from programmer.reconciler import TableState
from programmer.route import Family, PrefixKey, TableId, family_of

LOOKED_AT = 64
"""Rows that are looked at before the clock is."""

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
    order: PrefixOrder | Pool


def whole_tables(asked: Asked) -> bool:
    """Say whether every route of each table of ``tables_of`` belongs to the view."""
    return asked.query == EVERYTHING and not asked.problems


def tables_of(engine: Engine, asked: Asked) -> Iterator[tuple[TableName, TableState, str]]:
    """Yield the tables that can have routes for a view, in its order, and of which domain these have to be where that matters."""
    bounds = asked.query.prefix_bounds()
    for name, state in sorted(engine.reconciler.tables.items()):
        sharing = sum(item.config.table == name[0] for item in engine.domains.values())
        if asked.domain and sharing < 2 and engine.domain_of_table(name[0]) != asked.domain:
            continue
        if bounds is None or any(family_of(prefix) is name[1] for prefix in bounds.prefixes):
            yield name, state, asked.domain if sharing > 1 else ""


async def walk(engine: Engine, asked: Asked, now: float, segments: list[Segment]) -> None:
    """Fill *segments* with the routes that are asked for, table by table; what is there already is in its final order.

    *now* is in seconds since the epoch, for ages.
    """
    turns, query = Turns(), asked.query

    def fits(row: FilterRow) -> bool:
        return query.matches(row, now)

    for name, state, domain in tables_of(engine, asked):
        if query != EVERYTHING and can_scan(query) and not domain and not asked.problems:
            found = await by_path(engine, state, query, fits, turns)
            if found is None:
                found = await scan(engine, state, query, fits, turns)
            segments.append(Segment(*name, found))
            continue
        candidates = await _candidates(state, asked.problems, query.prefix_bounds(), turns)
        if query == EVERYTHING and not domain:
            segments.append(Segment(*name, candidates))
            continue
        chosen = PrefixOrder(name[1], mixed=candidates.mixed)
        segments.append(Segment(*name, chosen))
        cursor = Cursor(engine, state)
        for head, bucket in buckets_of(candidates):
            fitting: list[Place] = []
            for start in range(0, len(bucket), LOOKED_AT):
                fitting += [
                    place
                    for place in bucket[start : start + LOOKED_AT]
                    if cursor.move(place) and (not domain or cursor.domain == domain) and fits(cursor)
                ]
                if await turns.pause():
                    cursor.prepare()
            chosen.append(head, fitting)


async def _candidates(state: TableState, problems: bool, bounds: PrefixBounds | None, turns: Turns) -> PrefixOrder:  # noqa: FBT001
    """Return the routes of a table that can belong to a view at all."""
    gathering, foreign = Gathering(state.spec.family), list[tuple[PrefixKey, int]]()
    if bounds is not None and bounds.relation is not Relation.IN:
        ours, foreign = named_places(state, bounds)
    elif problems:
        ours = list(state.difference.keys() | state.conflicts)
    else:
        ours, gathering = [], await gather(state, turns)
    while ours:
        part = ours[-STEP:]
        # A million references are not dropped in no time.
        del ours[-STEP:]
        gathering.add([key for key in part if is_problem(state, key)] if problems else part)
        await turns.pause()
    for start in range(0, 0 if problems else len(foreign), STEP):
        gathering.add_foreign(foreign[start : start + STEP])
        await turns.pause()
    return await finished(gathering.arranging(_first_octets(state.spec.family, bounds)), turns)


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
