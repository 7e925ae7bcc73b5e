"""Which routes a filter on a part of a route matches, found among all routes in the order in which they lie in memory.

What is in a table in one order is quick to read in that order, and slow in every other one: most of the time of a search
through a million routes goes into waiting for memory.  So routes are gone through as they lie there, and each attribute set,
peer or way out is asked about once.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from operator import attrgetter
from typing import Any

from monitor.engine.core import Engine
from monitor.engine.cursor import Cursor
from monitor.engine.ordering import Gathering, Place, PrefixOrder
from monitor.engine.slices import Turns, finished, parts_of, undisturbed
from monitor.filter import FilterRow, Query
from monitor.rib.path import Path
from programmer.reconciler import TableState
from programmer.route import Forwarding, PrefixKey

PART = 512
"""Routes that are looked at in one go: half a millisecond, or two where all of them match."""

MOST_REMEMBERED = 500_000
"""Answers that a search remembers."""

Fits = Callable[[FilterRow], bool]

Members = Iterator[tuple[Sequence[Place], list[Forwarding] | None]]

OF_WAY = frozenset({"nh", "dev", "metric", "ecmp"})
"""Fields of the filter language that the way out of a route decides alone."""

_OF_PATH: tuple[tuple[frozenset[str], Callable[[Any], object]], ...] = (
    (frozenset({"aspath", "comm", "lcomm", "ecomm", "origin", "lp", "med", "pathlen"}), attrgetter("attributes")),
    (frozenset({"peer", "asn"}), attrgetter("peer")),
)
"""Fields that a part of the best path decides alone, and that part."""


def members(state: TableState, *, copied: bool) -> Members:
    """Yield all routes of a table, part by part, each with the way out where that is at hand; others may have a turn in between.

    See ``parts_of`` for *copied*, and for Disturbed, which it raises.
    """
    # A route that is wanted no more meanwhile comes no second time.
    rest: list[list[Any]] = [list(state.difference.remove), list(state.image.foreign)]
    yield from parts_of(state.desired, lambda: state.turnover, PART, copied=copied)
    for places in rest:
        for start in range(0, len(places), PART):
            yield places[start : start + PART], None


def can_scan(query: Query) -> bool:
    """Say whether a part of a route decides alone whether it matches."""
    return query.fields <= OF_WAY or trait_of(query) is not None


def trait_of(query: Query) -> Callable[[Any], object] | None:
    """Return the part of the best path that decides whether a route matches, None where more than a part does."""
    return next((trait for fields, trait in _OF_PATH if query.fields <= fields), None)


async def scan(engine: Engine, state: TableState, query: Query, fits: Fits, turns: Turns) -> PrefixOrder:
    """Return the routes of a table that match; ``can_scan`` has to have said that they can be found in this way."""
    cursor, trait = Cursor(engine, state), None if query.fields <= OF_WAY else trait_of(query)
    choose = _by_way(cursor, fits) if trait is None else _by_path(cursor, asking(cursor, trait, fits), fits)
    gathered = await gather(state, turns, choose, cursor.prepare)
    return await finished(gathered.arranging(), turns)


Choose = Callable[[Sequence[Any], "list[Forwarding] | None"], Sequence[Any]]
"""Chooses among the places of a part, whose ways out are given where they are at hand."""


async def gather(
    state: TableState,
    turns: Turns,
    choose: Choose = lambda places, _: places,
    resumed: Callable[[], None] = lambda: None,
) -> Gathering:
    """Return the routes of a table that *choose* does, all by default; *resumed* is called when others have had their turn."""

    async def read(copied: bool) -> Gathering:  # noqa: FBT001
        gathering = Gathering(state.spec.family)
        for places, ways in members(state, copied=copied):
            found = choose(places, ways)
            if isinstance(places[0], bytes):
                gathering.add(found)
            else:
                gathering.add_foreign(found)
            if await turns.pause():
                resumed()
        return gathering

    return await undisturbed(read)


def asking(cursor: Cursor, trait: Callable[[Any], object], fits: Fits) -> Callable[[Sequence[Path]], list[bool]]:
    """Return what says which of many paths fit; it asks once for each part of a path that decides."""
    known: dict[object, bool] = {}

    def answers(paths: Sequence[Path]) -> list[bool]:
        parts = list(map(trait, paths))
        found = list(map(known.get, parts))
        if None not in found:
            return found  # type: ignore[return-value]
        if len(known) > MOST_REMEMBERED:
            known.clear()
        for part, path in zip(parts, paths, strict=True):
            if part not in known:
                cursor.suppose(path)
                known[part] = fits(cursor)
        return [known[part] for part in parts]

    return answers


def _by_way(cursor: Cursor, fits: Fits) -> Choose:
    known: dict[int, tuple[Forwarding, bool]] = {}
    """By identity, which stays with who is held: most routes go the same few ways."""

    def choose(places: Sequence[Any], ways: list[Forwarding] | None) -> list[Any]:
        if ways is None:
            return [place for place in places if cursor.move(place) and fits(cursor)]
        names = list(map(id, ways))
        for name, way in dict(zip(names, ways, strict=True)).items():
            if name not in known:
                cursor.suppose(way=way)
                known[name] = way, fits(cursor)
        return list(compress(places, [known[name][1] for name in names]))

    return choose


def _by_path(cursor: Cursor, answers: Callable[[Sequence[Path]], list[bool]], fits: Fits) -> Choose:
    def choose(places: Sequence[Any], ways: list[Forwarding] | None) -> list[Any]:
        if ways is None and not isinstance(places[0], bytes):
            return [place for place in places if cursor.move(place) and fits(cursor)]
        paths = cursor.lone_paths(places)
        if None not in paths:
            return list(compress(places, answers(paths)))  # type: ignore[arg-type]
        found: list[PrefixKey] = []
        for key, path in zip(places, paths, strict=True):
            if answers([path])[0] if path is not None else cursor.move(key) and fits(cursor):
                found.append(key)
        return found

    return choose
