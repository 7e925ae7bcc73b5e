"""Holds what waits for the consumer: in order, one entry per path, bounded.

The reader must keep draining the speaker, whose own queue has no bound; the consumer may be slow.  What is
newer about a path takes the place of what waits, so that memory is bounded by the table and not by time.
"""

import asyncio
from collections.abc import Hashable

from monitor.rib.update import (
    FeedLost,
    FeedStarted,
    PathAnnounced,
    PathRejected,
    PathWithdrawn,
    TableBegun,
    TableComplete,
    TableCounted,
    Update,
)

LIMIT = 65_536
"""Updates that may wait (about 300 octets each)."""

BATCH = 4096
"""Most updates in one list."""


class ConsumerStalled(Exception):
    """The consumer took nothing for too long while the outbox was full."""


class Outbox:
    """A queue from one producer to one consumer, both on the same event loop.

    Entries of one path are coalesced in place: the newest content at the place of the oldest, so that
    nothing moves behind the ``TableComplete`` that vouches for it.  Nothing moves before a ``TableBegun`` either.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting: dict[Hashable, Update] = {}
        self._taken: list[Update] = []
        self._serial = 0
        self._epoch = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._failure: BaseException | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    @property
    def is_full(self) -> bool:
        """True when the producer should wait."""
        return len(self._waiting) >= self._limit

    def put(self, update: Update) -> None:
        """Add *update*; never waits."""
        match update:
            case PathAnnounced() | PathRejected():
                path = update.path
                name: Hashable = (update.family, update.key, path.peer, path.path_id, self._epoch)
            case PathWithdrawn():
                name = (update.family, update.key, update.peer, update.path_id, self._epoch)
            case _:
                self._serial += 1
                if isinstance(update, TableBegun):
                    self._epoch += 1
                name = self._serial
        self._waiting[name] = update
        if not self._filled.is_set():
            self._filled.set()

    def lose(self, lost: FeedLost) -> None:
        """Drop what waits about paths, which is unknown from now on, and say so."""
        dropped = (PathAnnounced, PathWithdrawn, PathRejected, TableBegun, TableCounted, TableComplete, FeedStarted)
        waiting = [*reversed(self._taken), *self._waiting.values()]
        self._waiting.clear()
        self._taken.clear()
        for update in waiting:
            if not isinstance(update, dropped):
                self.put(update)
        self.put(lost)

    async def room(self, patience: float) -> None:
        """Wait until there is room; ConsumerStalled when nothing was taken for *patience* seconds."""
        while self.is_full:
            self._drained.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._drained.wait()
            except TimeoutError:
                raise ConsumerStalled(f"the consumer took nothing for {patience:g} s") from None

    async def emptied(self) -> None:
        """Wait until the consumer has taken everything."""
        while len(self):
            self._drained.clear()
            await self._drained.wait()

    def fail(self, failure: BaseException) -> None:
        """Hand *failure* to the consumer once it has taken what waits."""
        self._failure = failure
        self._filled.set()

    async def take(self) -> list[Update]:
        """Return the oldest updates, at least one; waits for it.  Raises what the producer died of."""
        while not self._taken:
            if self._waiting:
                # Newest first, so that the oldest come off the end without moving the rest.
                self._taken = list(self._waiting.values())
                self._waiting = {}
                self._taken.reverse()
                self._drained.set()
                break
            if self._failure is not None:
                raise self._failure
            self._filled.clear()
            await self._filled.wait()
        batch = self._taken[: -BATCH - 1 : -1]
        del self._taken[-BATCH:]
        if not self._taken and not self._waiting:
            self._drained.set()
        return batch
