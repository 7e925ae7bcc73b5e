"""The way to the daemon: calls in threads, what was heard last and when, and how it is found again after a restart."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from monitor.errors import DaemonSlow, DaemonUnreachable, MonitorError

THREADS = 6
"""Calls at once: one waits for events, the others answer the screen."""

CALL_SECONDS = 10.0
"""How long the daemon may take to answer a screen."""

EVENTS_WAIT = 6.0
"""Seconds that the daemon holds a question for events; well below what any call may take."""

EVENTS_SECONDS = 6 * 3600.0
"""How far back the records go that are asked for first."""

MOST_EVENTS = 500
"""Records that are kept for the screen."""

RETRY_SECONDS = 1.0

PACE_SECONDS = 0.4
"""Between two questions for records: what somebody approved is shown well within a second."""

Document = dict[str, Any]


class Daemon(Protocol):
    """What answers: ``monitor.api.client.Client``, whose calls block, by their names."""

    def close(self) -> None:
        """Close the connections."""


class Link:
    """Calls the daemon for the screens.

    ``connect`` makes a connection and does not block for long.  ``clock`` is in seconds since the epoch.  ``heard`` is called on
    the loop with each batch of new records of the journal, ``changed`` when the daemon is lost or found again.
    """

    def __init__(
        self,
        connect: Callable[[], Daemon],
        clock: Callable[[], float] = time.time,
        heard: Callable[[list[Document]], None] = lambda _: None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._connect = connect
        self.clock = clock
        self.heard = heard
        self.changed = changed
        self._pool = ThreadPoolExecutor(THREADS, "daemon")
        self._readers: list[Daemon] = []
        self._writer: Daemon | None = None
        self._connecting = threading.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.lost_at: float | None = None
        self.lost_because = ""
        self.found_at: float | None = None
        """When it answered again after it had been lost."""
        self._answered_at = 0.0
        self.status: Document = {}
        self.events: list[Document] = []
        self._after = 0
        self._closing = False

    @property
    def up(self) -> bool:
        """Whether the daemon answers."""
        return self.lost_at is None and bool(self.status)

    def start(self) -> None:
        """Begin to follow the daemon's journal; to be called on the loop."""
        self._tasks.append(asyncio.create_task(self._follow(), name="events"))

    async def close(self) -> None:
        """End every call."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        for daemon in [*self._readers, *([self._writer] if self._writer else [])]:
            daemon.close()
        self._readers.clear()
        self._writer = None
        self._pool.shutdown(wait=False, cancel_futures=True)

    # Calls

    async def ask(self, call: str, **arguments: Any) -> Document:
        """Call something that only reads.  Raises MonitorError."""
        # In the thread of the call: what the first connection loads does not hold up the first frame.
        return await self._run(self._reader, call, arguments)

    async def tell(self, call: str, **arguments: Any) -> Document:
        """Call something that changes something; ``unlock`` comes first."""
        if self._writer is None:
            raise DaemonUnreachable("this screen is locked: W unlocks it")
        writer = self._writer
        return await self._run(lambda: writer, call, arguments)

    def unlock(self) -> None:
        """Open a way to change something."""
        if self._writer is None:
            self._writer = self._connect()

    def lock(self) -> None:
        """Close it: from here on this process has nothing that could write."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @property
    def unlocked(self) -> bool:
        """Whether something can be changed from here."""
        return self._writer is not None

    def _reader(self) -> Daemon:
        with self._connecting:
            if self._closing:
                raise DaemonUnreachable("this program is leaving")
            if not self._readers:
                self._readers.append(self._connect())
            return self._readers[-1]

    async def _run(self, daemon: Callable[[], Daemon], call: str, arguments: dict[str, Any]) -> Document:
        loop = asyncio.get_running_loop()
        try:
            answer: Document = await loop.run_in_executor(self._pool, lambda: getattr(daemon(), call)(**arguments))
        except DaemonUnreachable as error:
            # One long question is no sign that nobody is there, as long as others are answered.
            if not isinstance(error, DaemonSlow) or self.clock() - self._answered_at >= CALL_SECONDS:
                self._lose(str(error))
            raise
        except ValueError as error:  # gRPC: the channel was closed under the call
            raise DaemonUnreachable(str(error)) from error
        except RuntimeError as error:  # the pool is closed
            raise DaemonUnreachable(str(error)) from error
        self._answered_at = self.clock()
        self._find()
        return answer

    def _lose(self, because: str) -> None:
        # A channel backs off for longer and longer; a new one tries at once.
        while self._readers:
            self._readers.pop().close()
        if self._writer is not None:
            self._writer.close()
            self._writer = self._connect()
        self.lost_because = because
        if self.lost_at is None and not self._closing:
            self.lost_at = self.clock()
            self.changed()

    def _find(self) -> None:
        if self.lost_at is not None and not self._closing:
            self.lost_at, self.found_at = None, self.clock()
            # It may be another daemon with another journal.
            self._after = 0
            self.events.clear()
            self.changed()

    async def refresh(self) -> None:
        """Read the status.  Raises MonitorError."""
        self.status = await self.ask("status")

    async def _follow(self) -> None:
        """Keep the newest records of the journal, for ever."""
        while True:
            try:
                if not self._after:
                    since = {"since": self.clock() - EVENTS_SECONDS}
                    document = await self.ask("events", limit=MOST_EVENTS, **since)
                else:
                    document = await self.ask("events", after=self._after, limit=MOST_EVENTS, wait=EVENTS_WAIT)
            except MonitorError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._after = int(document.get("last") or self._after)
            if items := document.get("items"):
                self.events = [*self.events, *items][-MOST_EVENTS:]
                self.heard(items)
            # Where records come all the time they come by the handful: nobody reads faster.
            await asyncio.sleep(PACE_SECONDS if items else 0 if self._after else RETRY_SECONDS)


def said(error: MonitorError) -> str:
    """Return an error as one line."""
    return " ".join(str(error).split())
