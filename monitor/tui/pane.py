"""What all screens have in common: they load documents, say how old these are, and draw them."""

import asyncio
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical

from monitor.errors import MonitorError
from monitor.tui.column import Row
from monitor.tui.desk import Desk
from monitor.tui.line import Line, line
from monitor.tui.lines import Lines
from monitor.tui.link import said
from monitor.tui.rows import LocalRows
from monitor.tui.table import Table

STALE_INTERVALS = 2
"""What is older than so many intervals is drawn as old."""


class Pane(Vertical):
    """One screen.

    ``load`` asks the daemon and is called every ``interval`` seconds while the screen is shown; ``draw`` makes lines of what was
    heard, and is called more often, since ages grow.
    """

    DEFAULT_CSS = "Pane { height: 1fr; }"

    title: ClassVar[str] = ""
    interval: ClassVar[float] = 1.0

    def __init__(self, desk: Desk, *, id: str) -> None:  # noqa: A002 - Textual's own
        super().__init__(id=id)
        self.desk = desk
        self.loaded_at = 0.0
        self.asked_at = 0.0
        self.failure = ""
        self.listing = False
        """Whether a list of what can be shown stands in place of it."""
        self._loading: asyncio.Task[None] | None = None
        self._again = False

    # What a screen makes of itself

    def compose(self) -> ComposeResult:
        """Yield the widgets."""
        yield from ()

    async def load(self) -> None:
        """Ask the daemon: for the status, where a screen needs nothing else.  Raises MonitorError."""
        await self.desk.link.refresh()

    def draw(self) -> None:
        """Show what was heard."""
        self.refresh()

    def arrive(self, **what: Any) -> None:
        """Be shown, perhaps something of it: what ``go`` was given."""
        self.redraw()

    def take(self, event: Any) -> bool:
        """Deal with a key that means something else here than anywhere; returns whether that is done."""
        return False

    def places(self) -> tuple[str, ...]:
        """Return the places of ``monitor.tui.registry`` that this is now, the nearest first."""
        assert self.id is not None
        return (self.id, "table", "all") if self.table is not None else (self.id, "all")

    @property
    def table(self) -> Table | None:
        """The table that the keys move in."""
        return None

    def crumbs(self) -> str:
        """Return where this is, for a screen that is below another one."""
        return ""

    def target(self) -> str:
        """Return the prefix, address or digest that is meant by "this"."""
        row = self.table.row if self.table is not None else None
        return str(row.get("prefix") or row.get("address") or row.get("digest") or "") if row else ""

    # Common to all

    @property
    def fade(self) -> bool:
        """Whether what is shown is out of date."""
        return not self.desk.link.up or self.age > STALE_INTERVALS * self.interval + 0.5

    @property
    def age(self) -> float:
        """Seconds since the daemon was heard."""
        return max(0.0, self.desk.now() - self.loaded_at) if self.loaded_at else 0.0

    def tick(self) -> None:
        """Ask again if it is time to, and draw."""
        if self._loading is None and self.desk.now() - self.asked_at >= self.interval - 0.05:
            self.renew()
        self.redraw()

    def renew(self) -> None:
        """Ask the daemon now; what was heard until now stays on the screen."""
        self.asked_at = self.desk.now()
        if self._loading is not None:
            # A call in a thread cannot be taken back: asking over and over would only fill the queue of a slow daemon.
            self._again = True
            return
        self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            await self.load()
            self.loaded_at = self.desk.now()
            self.failure = ""
        except MonitorError as error:
            self.failure = said(error)
        finally:
            self._loading = None
        self.redraw()
        self.desk.frame()
        if self._again:
            self._again = False
            self.renew()

    @property
    def _can_draw(self) -> bool:
        # At the end answers still come while the widgets are taken down, the inner ones first.
        return self.app.is_running and self.is_attached and bool(self.children) and self.size.width > 0

    def redraw(self) -> None:
        """Draw, unless the display is held still or there is no room yet."""
        if self._can_draw and self.desk.still is None:
            self.draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        if self._can_draw:
            self.draw()

    def lines(self, name: str) -> Lines:
        """Return one of this screen's line widgets."""
        return self.query_one(f"#{name}", Lines)

    def trouble(self) -> Line:
        """Return what went wrong with asking, if something did."""
        return line((f" !! {self.failure}", "bad")) if self.failure and self.desk.link.up else ()

    def repaint(self) -> None:
        """Draw everything in other looks."""
        for found in self.query(Lines):
            found.repaint()
        for table in self.query(Table):
            table.repaint()
        self.redraw()

    def rows_of(self, rows: list[Row]) -> LocalRows:
        """Return rows for a table, which says that there are none only once the daemon said so."""
        return LocalRows(rows, complete=bool(self.loaded_at))


Matches = Callable[[Mapping[str, Any]], bool]
"""A test of an item."""


def language() -> ModuleType:
    """Return ``monitor.tui.filtering``, which is not loaded before somebody filters: the first frame comes sooner."""
    from monitor.tui import filtering  # noqa: PLC0415 - see above

    return filtering


def keyed(items: list[dict[str, Any]], *names: str) -> list[Row]:
    """Return items as rows, each with the key that *names* make."""
    return [{**item, "key": "\t".join(str(item.get(name)) for name in names)} for item in items]
