"""Views: ordered lists of places of routes, of which faces look at a window at a time.

What belongs to a view is found out once; what a row says is looked up whenever somebody looks.  A view costs a reference per
row, and two numbers more where it is sorted by a column.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.engine.columns import COLUMNS, OF_PATHS
from monitor.engine.core import Engine
from monitor.engine.ordering import Place, PrefixOrder
from monitor.engine.pool import Pool
from monitor.engine.sorting import Permutation, sort
from monitor.engine.walk import Asked, Segment, TableName, walk, whole_tables
from monitor.errors import Stale
from programmer.route import Family, TableId

IDLE_SECONDS = 60.0
"""How long a view is kept that nobody asks about."""

MOST_VIEWS = 32

MOST_ROWS = 8_000_000
"""Rows in all views together."""

SWEEP_SECONDS = 5.0
"""How often views are looked over, for as long as there are any."""

OF_PATH_FIELDS = frozenset({
    "aspath", "asn", "comm", "lcomm", "ecomm", "origin", "lp", "med", "pathlen", "age", "peer", "description", "rpki", "rule",
})  # fmt: skip
"""Fields of the filter language that a path can change while its route stays the same."""

log = logging.getLogger("bgpmon.engine")


@dataclass(slots=True)
class RouteView:
    """One view.  ``sort`` is empty for prefix order.  ``made_at`` is in seconds since the epoch, the rest is monotonic.

    ``took`` is how long the walk took, None while it goes on.
    """

    number: int
    asked: Asked
    sort: str
    descending: bool
    made_at: float
    began: float
    used_at: float
    segments: list[Segment] = field(default_factory=list)
    permutation: Permutation | None = None
    took: float | None = None
    task: "asyncio.Task[None] | None" = None
    _counters: dict[TableName, int] = field(default_factory=dict)
    _told: int = 0

    @property
    def total(self) -> int:
        """Rows found so far."""
        return sum(len(segment.order) for segment in self.segments)

    @property
    def complete(self) -> bool:
        """Whether every row is found, and in its place."""
        return self.took is not None

    async def make(self, engine: Engine, clock: Callable[[], float]) -> None:
        """Find the rows and put them in order."""
        self._counters = {name: state.changes for name, state in engine.reconciler.tables.items()}
        self._told = told(engine)
        try:
            if not self.sort or not whole_tables(self.asked):
                await walk(engine, self.asked, self.made_at, self.segments)
            if self.sort:
                self.permutation = await sort(engine, self.asked, self.segments, self.sort, descending=self.descending)
        finally:
            # What it remembers would keep attribute sets alive that nobody announces any more.
            self.asked.query.forget()
        self.took = clock() - self.began

    def changes(self, engine: Engine) -> int:
        """Return how often something changed since that may belong to the view: 0 means that it is fresh."""
        tables = engine.reconciler.tables
        changed = sum(
            max(0, state.changes - self._counters.get(name, 0))
            for name, state in tables.items()
            if not self.asked.domain or self.asked.domain in _domains(engine, name[0])
        )
        gone = sum(len(order) for table, family, order in self.segments if (table, family) not in tables)
        if self.sort in OF_PATHS or self.asked.query.fields & OF_PATH_FIELDS:
            changed = max(changed, told(engine) - self._told)
        return changed + gone

    def places(self, first: int, count: int) -> list[tuple[Segment, Place]]:
        """Return the places in at most *count* rows from *first* on; none while whole tables are being sorted."""
        total = self.total
        end = min(first + count, total)
        if self.permutation is not None:
            return [self._at(row) for row in self.permutation.window(first, end)]
        if not self.descending or self.sort:
            return self._rows(first, end)
        return self._rows(total - end, total - first)[::-1]

    def _rows(self, first: int, end: int) -> list[tuple[Segment, Place]]:
        found: list[tuple[Segment, Place]] = []
        offset = 0
        for segment in self.segments:
            size = len(segment.order)
            if first < offset + size and end > offset and isinstance(segment.order, PrefixOrder):
                start = max(0, first - offset)
                found += [(segment, place) for place in segment.order.slice(start, end - offset - start)]
            offset += size
        return found

    def _at(self, row: int) -> tuple[Segment, Place]:
        for segment in self.segments:
            if row < len(segment.order):
                return segment, segment.order[row]
            row -= len(segment.order)
        raise IndexError(row)

    def find(self, table: TableId, family: Family, place: Place) -> tuple[int | None, bool]:
        """Return the row of a route, and whether it is in the view.

        If it is not, the row is where it would be in prefix order; None where the rows are in another order.
        """
        row, there = 0, False
        for segment in self.segments:
            if isinstance(segment.order, Pool):
                number = segment.order.find(place) if (segment.table, segment.family) == (table, family) else None
                if number is not None and self.permutation is not None:
                    return self.permutation.place_of(row + number), True
                row += len(segment.order)
            elif (segment.table, segment.family) < (table, family):
                row += len(segment.order)
            elif (segment.table, segment.family) == (table, family):
                index, there = segment.order.find(place)
                row += index
        if self.sort and (self.permutation is not None or whole_tables(self.asked)):
            return None, False
        if not self.descending or self.sort:
            return row, there
        return self.total - row - there, there


def told(engine: Engine) -> int:
    """Return how many paths peers have announced and withdrawn."""
    return sum(table.announced + table.withdrawn for table in engine.peers.values())


def _domains(engine: Engine, table: TableId) -> list[str]:
    return [item.name for item in engine.config.domains if item.table == table]


class Views:
    """The views of all faces, by their number.  *clock* is monotonic, *wall* the time of day, both in seconds.

    Numbers begin with the microsecond in which the daemon started, so that a face that asks for a view of an earlier life is
    told that there is none, rather than given another one.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._wall = wall
        self._views: dict[int, RouteView] = {}
        self._numbers = itertools.count(int(wall() * 1_000_000))
        self._sweeping: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._views)

    def open(self, asked: Asked, column: str = "", *, descending: bool = False) -> RouteView:
        """Begin a view; it grows until it is complete."""
        now = self._clock()
        view = RouteView(
            next(self._numbers), asked, column if column in COLUMNS else "", descending, self._wall(), now, now
        )
        view.task = asyncio.create_task(view.make(self._engine, self._clock), name=f"view {view.number}")
        view.task.add_done_callback(_report)
        self._views[view.number] = view
        self.sweep()
        self._sweep_later()
        return view

    def get(self, number: int) -> RouteView:
        """Return a view that somebody asks about; raises Stale where there is none."""
        view = self._views.pop(number, None)
        if view is not None:
            # The least recently used one comes first.
            self._views[number] = view
        if view is None or self._idle(view):
            self.sweep()
            raise Stale(
                f"there is no view {number}: it was not looked at for {IDLE_SECONDS:g} s, gave way to newer ones, or is one "
                "of a daemon that has been started again; open it again"
            )
        view.used_at = self._clock()
        self.sweep()
        return view

    def _idle(self, view: RouteView) -> bool:
        return self._clock() - view.used_at >= IDLE_SECONDS

    def elapsed(self, view: RouteView) -> float:
        """Return how many seconds a view took to make, or has taken so far."""
        return self._clock() - view.began if view.took is None else view.took

    def close(self, number: int) -> bool:
        """Drop a view and end its walk; returns whether there was one."""
        view = self._views.pop(number, None)
        if view is not None and view.task is not None:
            view.task.cancel()
        return view is not None

    def sweep(self) -> None:
        """Drop what nobody looked at for long, and what is beyond the limits; the newest view stays."""
        for view in list(self._views.values()):
            rows = sum(item.total for item in self._views.values())
            many = len(self._views) > MOST_VIEWS or (rows > MOST_ROWS and len(self._views) > 1)
            if many or self._idle(view):
                self.close(view.number)

    def _sweep_later(self) -> None:
        if self._sweeping is None and self._views:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep_again)

    def _sweep_again(self) -> None:
        self._sweeping = None
        self.sweep()
        self._sweep_later()


def _report(task: "asyncio.Task[None]") -> None:
    """Log why a walk failed; its view stays as far as it came."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s failed", task.get_name(), exc_info=error)
