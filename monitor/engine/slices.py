"""Long walks in short slices: a question about a million routes never keeps the event loop to itself."""

import asyncio
import time
from collections.abc import Generator, Iterable
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

SLICE_SECONDS = 0.003
"""Longest that a walk goes on before other tasks get their turn."""


class Turns:
    """Gives other tasks their turn; ``pause`` is to be called every few dozen steps of a walk."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def pause(self) -> bool:
        """Let others run if this slice has taken long enough; returns whether they did."""
        if time.perf_counter() - self._since < SLICE_SECONDS:
            return False
        # Who waits for a timer or a socket wakes up in as many turns of the loop: handle, future, task.
        for _ in range(3):
            await asyncio.sleep(0)
        self._since = time.perf_counter()
        return True


async def finished(steps: Generator[None, None, Item], turns: Turns) -> Item:
    """Take all steps of a walk that gives way between them, and return what it comes to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Item = end.value
            return found
        await turns.pause()


async def ordered(keys: Iterable[bytes], turns: Turns) -> list[bytes]:
    """Return *keys* in order.  They are sorted by the bucket, since one long sort would keep the loop to itself."""
    buckets: dict[bytes, list[bytes]] = {}
    for step, key in enumerate(keys):
        if not step & 1023:
            await turns.pause()
        buckets.setdefault(key[:2], []).append(key)
    found: list[bytes] = []
    for start in sorted(buckets):
        found += sorted(buckets[start])
        await turns.pause()
    return found


async def smallest(keys: list[bytes], most: int, turns: Turns) -> list[bytes]:
    """Return the *most* smallest of *keys* in order, in slices and in time that hardly grows with *most*."""
    kept: list[bytes] = []
    bound: bytes | None = None
    for start in range(0, len(keys), 4096):
        part = keys[start : start + 4096]
        kept += part if bound is None else [key for key in part if key < bound]
        if len(kept) >= 2 * most + 4096:
            kept.sort()
            del kept[most:]
            bound = kept[-1] if kept else b""
        await turns.pause()
    return sorted(kept)[:most]


class Smallest(Generic[Item]):
    """The *most* items of the lowest order among all that were offered, in memory bounded by *most*.

    ``count`` is how many were offered.
    """

    def __init__(self, most: int) -> None:
        self.count = 0
        self._most = most
        self._kept: list[tuple[Any, Item]] = []
        self._bound: Any = None

    def offer(self, order: Any, item: Item) -> None:
        """Take an item; *order* is comparable with that of every other one."""
        self.count += 1
        if not self._most or (self._bound is not None and order >= self._bound):
            return
        self._kept.append((order, item))
        if len(self._kept) >= 2 * self._most + 1000:
            self._shorten()

    def _shorten(self) -> None:
        self._kept.sort(key=lambda pair: pair[0])
        if len(self._kept) > self._most:
            del self._kept[self._most :]
            self._bound = self._kept[-1][0]

    def items(self) -> list[Item]:
        """Return them in order."""
        self._shorten()
        return [item for _, item in self._kept]
