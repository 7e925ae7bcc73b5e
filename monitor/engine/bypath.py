"""Which routes a filter on paths matches, found among the paths in the order in which they were told.

What is in a table in one order is quick to read in that order, and slow in every other one: most of the time of a search
through a million routes goes into waiting for memory.  So paths are gone through as they lie there, each attribute set (or
peer) is asked about once, and only a route whose path matches is looked up.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import compress, islice
from operator import attrgetter
from typing import Any

from monitor.engine.core import Engine
from monitor.engine.cursor import Cursor
from monitor.engine.domain import DomainTable
from monitor.engine.ordering import Gathering, PrefixOrder
from monitor.engine.peer import Held
from monitor.engine.slices import Turns, finished
from monitor.filter import FilterRow, Query
from monitor.rib.path import Path, PeerId
from programmer.reconciler import TableState
from programmer.route import PrefixKey

PART = 512
"""Paths that are looked at in one go: a millisecond or two, where all of them match."""

Trait = Callable[[Any], object]
"""A part of a path."""

Fits = Callable[[FilterRow], bool]


_TRAITS: tuple[tuple[frozenset[str], Trait], ...] = (
    (frozenset({"aspath", "comm", "lcomm", "ecomm", "origin", "lp", "med", "pathlen"}), attrgetter("attributes")),
    (frozenset({"peer", "asn"}), attrgetter("peer")),
)
"""Fields of the filter language that a part of the best path decides alone, and that part: a filter is asked once for each."""


def trait_of(query: Query) -> Trait | None:
    """Return the part of the best path that decides whether a route matches, None where more than a part does."""
    return next((trait for fields, trait in _TRAITS if query.fields <= fields), None)


async def by_path(engine: Engine, state: TableState, trait: Trait, fits: Fits, turns: Turns) -> PrefixOrder | None:
    """Return the routes of a table whose best path fits; None where they cannot be found by their paths.

    The table is one domain's alone.  *trait* is the part of a path that decides.
    """
    domain = engine.domains.get(engine.domain_of_table(state.spec.table))
    cursor = Cursor(engine, state)
    cursor.suppose(None)
    if domain is None or not domain.choosing or fits(cursor):
        # A route without a path matches, too, such as a foreign one.
        return None
    held = {peer: domain.view(table, state.spec.family) for peer, table in domain.peers.items()}
    told = {peer: paths for peer, paths in held.items() if isinstance(paths, dict)}
    if len(told) < len(held):
        return None
    search = _Search(domain, cursor, trait, fits)
    try:
        found = await search.through(told, turns, copied=False)
    except _Disturbed:
        found = await search.through(told, turns, copied=True)
    return await finished(found.arranging(), turns)


class _Search:
    """A search in the paths of one domain and family."""

    def __init__(self, domain: DomainTable, cursor: Cursor, trait: Trait, fits: Fits) -> None:
        self._domain = domain
        self._cursor = cursor
        self._trait = trait
        self._fits = fits
        self._known: dict[object, bool] = {}

    async def through(self, told: Mapping[PeerId, dict[PrefixKey, Held]], turns: Turns, *, copied: bool) -> Gathering:
        """Return the routes that match, by what each peer has told."""
        cursor, family = self._cursor, self._cursor.family
        # Which peer's path is the best may change while they are read, one peer after the other.
        gathering, several = Gathering(family, repeated=True), set[PrefixKey]()
        cursor.prepare()
        peer_of = self._domain.peer_of_best(family)
        for peer, paths in told.items():
            for keys, values in _parts(paths, copied=copied):
                fitting = self._fitting(keys, values, several)
                several.update(key for key in fitting if peer_of(key) is None)
                gathering.add([key for key in fitting if peer_of(key) == peer and cursor.move(key)])
                if await turns.pause():
                    cursor.prepare()
                    peer_of = self._domain.peer_of_best(family)
        for key in several:
            if cursor.move(key) and self._fits(cursor):
                gathering.add([key])
            if await turns.pause():
                cursor.prepare()
        return gathering

    def _fitting(self, keys: list[PrefixKey], paths: list[Held], several: set[PrefixKey]) -> list[PrefixKey]:
        """Return the keys whose lone path fits; *several* takes those of which more than one path is held."""
        known, lone = self._known, paths
        if set(map(type, paths)) != {Path}:
            # A named tuple is a tuple too: one path is told apart from several by its type.
            alone = [isinstance(held, Path) for held in paths]
            several.update(key for key, one in zip(keys, alone, strict=True) if not one)
            keys, lone = list(compress(keys, alone)), list(compress(paths, alone))
        parts = list(map(self._trait, lone))
        answers = list(map(known.get, parts))
        if None in answers:
            for part, path in zip(parts, lone, strict=True):
                if part not in known:
                    assert isinstance(path, Path)
                    self._cursor.suppose(path)
                    known[part] = self._fits(self._cursor)
            answers = [known[part] for part in parts]
        return list(compress(keys, answers))


class _Disturbed(Exception):
    """Paths came or went while their dictionary was read."""


def _parts(paths: dict[PrefixKey, Held], *, copied: bool) -> Iterator[tuple[list[PrefixKey], list[Held]]]:
    """Yield all keys and what is held for them, part by part; others may have their turn between two parts.

    A dictionary can be read in parts only while nothing is put in or taken out; raises _Disturbed where that happened, unless
    it is *copied* at first, for which everybody waits some milliseconds.
    """
    if copied:
        keys, values = list(paths), list(paths.values())
        while keys:
            part = keys[-PART:], values[-PART:]
            # A million references are not dropped in no time.
            del keys[-PART:], values[-PART:]
            yield part
        return
    names, told = iter(paths), iter(paths.values())
    while True:
        try:
            part = list(islice(names, PART)), list(islice(told, PART))
        except RuntimeError:
            raise _Disturbed from None
        if not part[0]:
            return
        yield part
