"""Which routes a filter on paths matches, found among the paths in the order in which they were told.

What is in a table in one order is quick to read in that order, and slow in every other one: most of the time of a search
through a million routes goes into waiting for memory.  So paths are gone through as they lie there, each attribute set (or
peer) is asked about once, and only a route whose path matches is looked up.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Any

from monitor.engine.core import Engine
from monitor.engine.cursor import Cursor
from monitor.engine.ordering import Gathering, PrefixOrder
from monitor.engine.peer import Held, PeerTable
from monitor.engine.scan import Fits, asking, trait_of
from monitor.engine.slices import Turns, finished, parts_of, undisturbed
from monitor.filter import Query
from monitor.rib.path import Path
from programmer.reconciler import TableState
from programmer.route import Family, PrefixKey

PART = 512
"""Paths that are looked at in one go: a millisecond or two, where all of them match."""


async def by_path(engine: Engine, state: TableState, query: Query, fits: Fits, turns: Turns) -> PrefixOrder | None:
    """Return the routes of a table whose best path fits; None where they cannot be found by their paths alone."""
    trait = trait_of(query)
    cursor = Cursor(engine, state)
    domain = cursor.owner
    cursor.suppose(None)
    if trait is None or domain is None or not domain.choosing or fits(cursor):
        # A route without a path matches, too, such as a foreign one.
        return None
    tables = list(domain.peers.values())
    if not all(isinstance(domain.view(table, state.spec.family), dict) for table in tables):
        return None
    search = _Search(cursor, asking(cursor, trait, fits), fits)
    found = await undisturbed(lambda copied: search.through(tables, turns, copied=copied))
    return await finished(found.arranging(), turns)


class _Search:
    """A search in the paths of one domain and family."""

    def __init__(self, cursor: Cursor, answers: Callable[[Sequence[Path]], list[bool]], fits: Fits) -> None:
        self._cursor = cursor
        self._answers = answers
        self._fits = fits

    async def through(self, tables: Sequence[PeerTable], turns: Turns, *, copied: bool) -> Gathering:
        """Return the routes that match, by what each peer has told."""
        cursor, family = self._cursor, self._cursor.family
        # Which peer's path is the best may change while they are read, one peer after the other.
        gathering, several = Gathering(family, repeated=True), set[PrefixKey]()
        cursor.prepare()
        for table in tables:
            for keys, paths in _parts(table, family, copied=copied):
                fitting, held = self._fitting(keys, paths, several)
                best = cursor.lone_paths(fitting)
                several.update(key for key, path in zip(fitting, best, strict=True) if path is None)
                gathering.add(
                    [
                        key
                        for key, path, chosen in zip(fitting, held, best, strict=True)
                        if chosen is not None and chosen.peer == path.peer and cursor.move(key)
                    ]
                )
                if await turns.pause():
                    cursor.prepare()
        for key in several:
            if cursor.move(key) and self._fits(cursor):
                gathering.add([key])
            if await turns.pause():
                cursor.prepare()
        return gathering

    def _fitting(
        self, keys: list[PrefixKey], held: list[Any], several: set[PrefixKey]
    ) -> tuple[list[PrefixKey], list[Path]]:
        """Return the keys whose lone path fits, and these; *several* takes those of which more than one path is held."""
        lone = held
        if set(map(type, held)) != {Path}:
            # A named tuple is a tuple too: one path is told apart from several by its type.
            alone = [isinstance(found, Path) for found in held]
            several.update(key for key, one in zip(keys, alone, strict=True) if not one)
            keys, lone = list(compress(keys, alone)), list(compress(held, alone))
        answers = self._answers(lone)
        return list(compress(keys, answers)), list(compress(lone, answers))


def _parts(table: PeerTable, family: Family, *, copied: bool) -> Iterator[tuple[list[PrefixKey], list[Held]]]:
    """Return all keys of a peer and what is held for them; see ``parts_of``."""
    return parts_of(table.paths[family], lambda: table.lost, PART, copied=copied)
