"""Rows behind a table: a list that is here, or a window on a view that the daemon holds.

A table asks for rows by index and never waits: what is not here yet is None, is asked for, and announced when it comes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from monitor.errors import MonitorError, Stale
from monitor.tui.column import Row

PAGE = 64
"""Rows that are asked for at once."""

MOST_PAGES = 12
"""Pages that are kept: those around the window, one ahead each way, and some for the way back."""


class Rows(Protocol):
    """What a table shows.

    ``fixed``: what a row says is in it alone, so that the same object is always drawn in the same way.
    """

    fixed: bool

    @property
    def total(self) -> int:
        """How many there are."""

    @property
    def complete(self) -> bool:
        """Whether no more will be found."""

    def row(self, index: int) -> Row | None:
        """Return a row, None while it is not here."""

    def index_of(self, key: str) -> int:
        """Return where the row of that key is, -1 where that is not known."""


def key_of(row: Row | None) -> str:
    """Return what a row is recognised by, empty for one that is not here."""
    return str(row.get("key", "")) if row else ""


class LocalRows:
    """Rows that are here, each with its ``key``; *complete* is not said of what was not heard yet."""

    fixed = False

    def __init__(self, items: Sequence[Row] = (), *, complete: bool = True) -> None:
        self.items = list(items)
        self.complete = complete
        self._places = {key_of(item): index for index, item in enumerate(self.items)}

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.items)

    def row(self, index: int) -> Row | None:
        """Return a row."""
        return self.items[index] if 0 <= index < len(self.items) else None

    def index_of(self, key: str) -> int:
        """Return the place of a row, -1 if it is not among them."""
        return self._places.get(key, -1)


Ask = Callable[..., Awaitable[dict[str, Any]]]
"""Calls the daemon: the name of a call, and its arguments by name."""


class WindowRows:
    """A window on a view of routes; see ``View`` and ``Window`` of the API.

    ``changed`` is called when there is something new to draw, ``failed`` with what went wrong.  Everything runs on the loop.
    """

    fixed = True

    def __init__(self, ask: Ask, changed: Callable[[], None], failed: Callable[[MonitorError], None]) -> None:
        self._ask = ask
        self._changed = changed
        self._failed = failed
        self._pages: OrderedDict[int, list[Row]] = OrderedDict()
        self._places: dict[str, int] = {}
        self._wanted = (0, PAGE)
        self._old: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._asked: dict[str, Any] = {}
        self._sought: tuple[str, Callable[[int], None]] | None = None
        """A row that has no place before the view is complete, and who wants to know it."""
        self.view = 0
        self.total = 0
        self.complete = False
        self.head: dict[str, Any] = {}
        self.changes = 0

    # Opening

    @property
    def settled(self) -> bool:
        """Whether what is here is the view that was asked for last."""
        return self._opening is None or self._opening.done()

    def open(self, around: str = "", *, then: Callable[[int], None] | None = None, **asked: Any) -> None:
        """Open a view: ``filter``, ``domain``, ``sort``, ``descending``, ``problems``.

        *then* is told the place of the row *around*, or the nearest one, once it is known, and 0 without one.
        """
        self._asked = asked
        if self._opening is not None:
            self._opening.cancel()
        self._opening = asyncio.create_task(self._open(around, then))

    def again(self, around: str = "", then: Callable[[int], None] | None = None) -> None:
        """Open the same view anew: with what is there now."""
        self.open(around, then=then, **self._asked)

    async def _open(self, around: str, then: Callable[[int], None] | None) -> None:
        try:
            head = await self._ask("view", replaces=self.view, wait=0.15, **self._asked)
            page = await self._around(head["view"], around)
        except MonitorError as error:
            self._failed(error)
            return
        self.view = head["view"]
        self.head = head
        self._pages.clear()
        self._places.clear()
        self._old.clear()
        self._take(page)
        self._sought = (around, then) if around and then and not page["complete"] and page.get("at") is None else None
        if then is not None:
            then(_place_in(page))
        self._changed()
        self._fetch()

    async def _around(self, view: int, around: str) -> dict[str, Any]:
        """Ask for the rows around one, or for the first ones."""
        asked = {"around": around, "before": self._wanted[1] // 2} if around else {}
        return await self._ask("window", view=view, first=0, count=min(PAGE * 2, 500), **asked)

    def _take(self, page: dict[str, Any]) -> None:
        self.total, self.complete = page["total"], page["complete"]
        self.changes = page.get("changes", 0)
        self.head |= {name: page[name] for name in ("total", "complete", "took_seconds", "made_at") if name in page}
        first, items = page["first"], page["items"]
        for number in range(first // PAGE, (first + max(len(items), 1) - 1) // PAGE + 1):
            start = number * PAGE
            if start < first or (start + PAGE > first + len(items) and first + len(items) < self.total):
                continue  # a page that is here in part only is asked for as a whole
            rows = items[start - first : start - first + PAGE]
            self._pages[number] = rows
            self._pages.move_to_end(number)
            self._old.discard(number)
            self._places.update((key_of(row), start + at) for at, row in enumerate(rows))
        while len(self._pages) > MOST_PAGES:
            gone, rows = self._pages.popitem(last=False)
            self._old.discard(gone)
            for row in rows:
                self._places.pop(key_of(row), None)

    # Rows

    def row(self, index: int) -> Row | None:
        """Return a row, None while it is not here."""
        page = self._pages.get(index // PAGE)
        return page[index % PAGE] if page is not None and index % PAGE < len(page) else None

    def index_of(self, key: str) -> int:
        """Return the place of a row that is here, else -1."""
        return self._places.get(key, -1)

    def need(self, first: int, count: int) -> None:
        """Say which rows are on the screen: they are asked for, and a page on each side."""
        self._wanted = (first, count)
        self._fetch()

    def renew(self) -> None:
        """Ask again for what is on the screen: routes change while the view stands."""
        self._old.update(self._pages)
        self._fetch()

    def _shown(self) -> range:
        """Return the pages that are on the screen."""
        first, count = self._wanted
        last = max(first, min(first + count, self.total) - 1)
        return range(first // PAGE, last // PAGE + 1)

    def _missing(self) -> int | None:
        """Return the page that is wanted most, None when everything is here."""
        shown = self._shown()
        for number in shown:
            if number not in self._pages:
                return number
        for number in shown:
            if number in self._old:
                return number
        for number in (shown[-1] + 1, shown[0] - 1):
            if number >= 0 and number * PAGE < self.total and number not in self._pages:
                return number
        return None

    def _fetch(self) -> None:
        if self.view and self._task is None and self._missing() is not None:
            self._task = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            while (number := self._missing()) is not None:
                view = self.view
                page = await self._ask("window", view=view, first=number * PAGE, count=PAGE)
                if view != self.view:
                    continue
                before = self.total, self.complete
                self._take(page)
                if self.complete and self._sought is not None:
                    (around, then), self._sought = self._sought, None
                    page = await self._around(view, around)
                    if view != self.view:
                        continue
                    self._take(page)
                    then(_place_in(page))
                if number not in self._pages:  # the table has become shorter
                    self._pages[number] = []
                if number in self._shown() or before != (self.total, self.complete):
                    self._changed()
        except Stale:
            # The daemon has dropped it, or is another one by now.
            self.view = 0
            self.again()
        except MonitorError as error:
            self._failed(error)
        finally:
            self._task = None

    async def close(self) -> None:
        """Ask for nothing more."""
        for task in (self._task, self._opening):
            if task is not None:
                task.cancel()


def _place_in(page: dict[str, Any]) -> int:
    """Return the place of the row that was asked for, or of the first one near it."""
    at = page.get("at")
    return at if isinstance(at, int) else int(page["first"])
