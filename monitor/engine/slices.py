"""Long walks in short slices: a question about a million routes never keeps the event loop to itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Key = TypeVar("Key")

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


class Disturbed(Exception):
    """Something came or went while a dictionary was read."""


def parts_of(
    held: dict[Key, Item], turnover: Callable[[], int], size: int, *, copied: bool
) -> Iterator[tuple[list[Key], list[Item]]]:
    """Yield all keys and values of a dictionary, *size* at a time; others may have their turn between two parts.

    A dictionary can be read in parts only while nothing is put in or taken out: raises Disturbed where that happened, unless it
    is *copied* at first, for which everybody waits some milliseconds.  Where one came and another went, the dictionary itself
    does not always see that its order is another one: *turnover* is a number that is another one whenever something was taken
    out.
    """
    if copied:
        names, items = list(held), list(held.values())
        while names:
            yield names[-size:], items[-size:]
            # A million references are not dropped in no time.
            del names[-size:], items[-size:]
        return
    before, keys, values = turnover(), iter(held), iter(held.values())
    while True:
        try:
            part = list(islice(keys, size)), list(islice(values, size))
        except RuntimeError:
            raise Disturbed from None
        if turnover() != before:
            raise Disturbed
        if not part[0]:
            return
        yield part


async def undisturbed(read: Callable[[bool], Awaitable[Item]]) -> Item:
    """Return what *read* does without a copy, or with one where somebody changed what was read."""
    try:
        return await read(False)  # noqa: FBT003 - whether it is copied
    except Disturbed:
        return await read(True)  # noqa: FBT003 - as above


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
