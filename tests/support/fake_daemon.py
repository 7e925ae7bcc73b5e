"""A daemon in this process, as ``monitor.tui.link.Link`` connects to it: calls block and answer documents or errors."""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from monitor.api.client import Client
from monitor.errors import ApiError, BadRequest, MonitorError, Stale
from monitor.filter import FilterError, parse
from monitor.tui.filtering import row_of

Document = dict[str, Any]

Answer = Document | Exception | Callable[..., Document]
"""What a call gets: a document, an error, or what a function makes of its arguments."""

LONGEST_WAIT = 60.0
"""Seconds after which a call that hangs ends in any case, so that no test run hangs."""

CALLS = frozenset(name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_"))


class FakeDaemon:
    """What all connections to one daemon get.

    ``answers`` by the name of the call, ``records`` of the journal, and ``asked``: every call with its arguments.
    """

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = dict(answers)
        self.records: list[Document] = []
        self.asked: list[tuple[str, Document]] = []
        self.connections: list[Connection] = []
        self.broken: list[Exception] = []
        """What went wrong in an answer, and was not meant to."""
        self._turn = threading.Condition()
        self._busy = 0
        self._hanging: frozenset[str] = frozenset()

    def connect(self) -> "Connection":
        """Return a new connection."""
        connection = Connection(self)
        self.connections.append(connection)
        return connection

    @property
    def busy(self) -> int:
        """Calls that will be answered without anything else happening."""
        with self._turn:
            return self._busy

    @property
    def hangs(self) -> bool:
        """Whether there are calls that are not answered."""
        return bool(self._hanging)

    @property
    def names_asked(self) -> list[str]:
        """The names of the calls so far."""
        return [name for name, _ in self.asked]

    def hang(self, *calls: str) -> None:
        """Answer these calls no more, as a daemon that is stopped or a disk that does not write."""
        with self._turn:
            self._hanging = frozenset(calls)
            self._turn.notify_all()

    def record(self, *records: Document) -> None:
        """Write to the journal: who waits for records gets these."""
        with self._turn:
            self.records += records
            self._turn.notify_all()

    def answer(self, connection: "Connection", name: str, arguments: Document) -> Document:
        """Answer one call; blocks the thread of the caller."""
        with self._working():
            self.asked.append((name, arguments))
            self._wait(connection, lambda: name not in self._hanging)
            if name == "events" and "events" not in self.answers:
                return self._events(connection, **arguments)
            found = self.answers.get(name)
            if found is None:
                raise ApiError(f"nothing is known of {name}")
            if isinstance(found, Exception):
                raise found
            if not callable(found):
                return found
            try:
                return found(**arguments)
            except MonitorError:
                raise
            except Exception as error:
                self.broken.append(error)
                raise

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._turn:
            self._busy += 1
        try:
            yield
        finally:
            with self._turn:
                self._busy -= 1

    def _wait(self, connection: "Connection", condition: Callable[[], bool], longest: float = LONGEST_WAIT) -> None:
        """Wait without being busy: nothing happens until somebody else does something."""
        with self._turn:
            if condition():
                return
            self._busy -= 1
            try:
                self._turn.wait_for(lambda: connection.closed or condition(), longest)
            finally:
                self._busy += 1
        if connection.closed:
            raise ApiError("the connection was closed under the call")

    def _events(
        self, connection: "Connection", after: int = 0, since: float = 0.0, limit: int | None = None, wait: float = 0.0
    ) -> Document:
        del since

        def newer() -> list[Document]:
            return [item for item in self.records if item["id"] > after]

        if wait:
            self._wait(connection, lambda: bool(newer()), wait)
        items = newer()[-(limit or 100) :]
        return {"items": items, "last": items[-1]["id"] if items else after}

    def hung_up(self) -> None:
        """Tell those who wait that a connection was closed."""
        with self._turn:
            self._turn.notify_all()


class Connection:
    """One connection: the calls of ``monitor.api.client.Client`` by their names, with its parameters."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self._daemon = daemon
        self.closed = False

    def close(self) -> None:
        """Close it: who waits is told."""
        self.closed = True
        self._daemon.hung_up()

    def __getattr__(self, name: str) -> Callable[..., Document]:
        if name not in CALLS:
            raise AttributeError(name)
        signature = inspect.signature(getattr(Client, name))

        def call(*arguments: Any, **named: Any) -> Document:
            # What the real client does not take is a mistake of the caller's.
            bound = signature.bind(self, *arguments, **named)
            given = {key: value for key, value in bound.arguments.items() if key != "self"}
            if self.closed:
                raise ValueError("Cannot invoke RPC on closed channel!")
            return self._daemon.answer(self, name, given)

        return call


class FakeViews:
    """Views of routes over rows that are given: ``view``, ``window`` and ``close_view`` of a daemon.

    ``found_each`` rows of a view are found, everything for 0: a view that fills.
    """

    def __init__(self, rows: list[Document], made_at: str, found_each: int = 0) -> None:
        self.rows = rows
        self.made_at = made_at
        self.found_each = found_each
        self.changes = 0
        self._views: dict[int, tuple[list[Document], int]] = {}
        self._number = 1_795_507_600_000_000

    @property
    def open_views(self) -> list[int]:
        """Numbers of the views that are there."""
        return list(self._views)

    def install(self, daemon: FakeDaemon) -> "FakeViews":
        """Let a daemon answer with these views."""
        daemon.answers |= {"view": self.view, "window": self.window, "close_view": self.close_view}
        return self

    def forget(self) -> None:
        """Drop every view, as a daemon that was started anew."""
        self._views.clear()

    def view(
        self,
        filter_text: str = "",
        domain: str = "",
        sort: str = "",
        *,
        descending: bool = False,
        problems: bool = False,
        replaces: int = 0,
        wait: float = 0.0,
    ) -> Document:
        """Open a view."""
        del wait
        self._views.pop(replaces, None)
        try:
            query = parse(filter_text)
        except FilterError as error:
            raise BadRequest(str(error)) from error
        items = [
            row
            for row in self.rows
            if (not domain or row["domain"] == domain)
            and (not problems or row.get("state") not in {"installed", "foreign"})
            and query.matches(row_of({**row, "address": row.get("peer")}), 0.0)
        ]
        name = {"nh": "next_hops", "dev": "next_hops", "age": "age_seconds", "lp": "local_pref", "pathlen": "as_path"}
        if sort and sort != "prefix":
            items.sort(key=lambda row: str(row.get(name.get(sort, sort)) or ""), reverse=descending)
        elif descending:
            items.reverse()
        self._number += 1
        self._views[self._number] = (items, self.found_each or len(items))
        return self._head(self._number) | {"filter": str(query), "sort": sort or "prefix", "descending": descending}

    def _head(self, view: int) -> Document:
        items, found = self._views[view]
        complete = found >= len(items)
        took = 0.041 if complete else 0.15
        return {
            "view": view,
            "total": min(found, len(items)),
            "complete": complete,
            "took_seconds": took,
            "made_at": self.made_at,
        }

    def window(
        self, view: int, first: int = 0, count: int | None = None, around: str = "", before: int = 0
    ) -> Document:
        """Show a part of one."""
        if view not in self._views:
            raise Stale(f"there is no view {view}; open it again")
        head, (items, found) = self._head(view), self._views[view]
        items, count, at = items[:found], min(count or 50, 500), None
        if around:
            at = next((place for place, row in enumerate(items) if row["key"] == around), None)
            first = max(0, min((at or 0) - before, len(items) - count))
        first = min(first, len(items))
        return head | {"first": first, "at": at, "changes": self.changes, "items": items[first : first + count]}

    def close_view(self, view: int) -> Document:
        """Drop one."""
        return {"view": view, "closed": self._views.pop(view, None) is not None}
