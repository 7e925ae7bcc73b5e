"""The walk that makes a view: which routes belong to it, in prefix order, found in short slices."""

from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import NamedTuple

from monitor.engine.bypath import by_path, trait_of
from monitor.engine.core import Engine
from monitor.engine.cursor import Cursor
from monitor.engine.ordering import STEP, Gathering, Place, PrefixOrder, buckets_of
from monitor.engine.rows import EVERYTHING, named_places
from monitor.engine.slices import Turns, finished
from monitor.filter import FilterRow, PrefixBounds, Query, Relation
from monitor.rib.path import Path
from programmer.reconciler import TableState
from programmer.route import Family, PrefixKey, TableId, family_of

LOOKED_AT = 64
"""Rows that are looked at before the clock is."""

MOST_REMEMBERED = 65_536
"""Answers that a walk remembers."""

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


async def walk(engine: Engine, asked: Asked, now: float, segments: list[Segment]) -> None:
    """Fill *segments* with the routes that are asked for, table by table; what is there already is in its final order.

    *now* is in seconds since the epoch, for ages.
    """
    turns = Turns()
    bounds = asked.query.prefix_bounds()
    matches = None if asked.query == EVERYTHING else asked.query.matches
    trait = trait_of(asked.query) if matches is not None else None
    for name, state in sorted(engine.reconciler.tables.items()):
        sharing = sum(item.config.table == name[0] for item in engine.domains.values())
        if asked.domain and sharing < 2 and engine.domain_of_table(name[0]) != asked.domain:
            continue
        if bounds is not None and not any(family_of(prefix) is name[1] for prefix in bounds.prefixes):
            continue
        if trait is not None and matches is not None and sharing == 1 and not asked.problems:
            found_by_path = await by_path(engine, state, trait, lambda row: matches(row, now), turns)
            if found_by_path is not None:
                segments.append(Segment(*name, found_by_path))
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
    return await finished(gathering.arranging(_first_octets(state.spec.family, bounds)), turns)


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
