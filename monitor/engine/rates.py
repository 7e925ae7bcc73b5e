"""How much happens: paths told, paths taken back, and routes written, in bins of ten seconds.

Nothing is counted here: counters that others keep anyway are read once a second.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from monitor.ports import Document
from monitor.rib.path import PeerId

BIN_SECONDS = 10

MOST_BINS = 90
"""A quarter of an hour."""


class Counted(Protocol):
    """What a peer has told since the daemon started, in paths."""

    announced: int
    withdrawn: int


class Rates:
    """The bins up to now, the last one still running.

    *peers* returns the peers with their counters, *written* how many routes were written in all.  *clock* is monotonic, in
    seconds.
    """

    def __init__(
        self,
        peers: Callable[[], Mapping[PeerId, Counted]],
        written: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peers = peers
        self._written = written
        self._clock = clock
        self._bin = self._number()
        self._bins: deque[list[int]] = deque([[0, 0, 0]], MOST_BINS)
        self._before: dict[PeerId, tuple[int, int]] = {}
        self._written_before = 0

    def _number(self) -> int:
        return int(self._clock() // BIN_SECONDS)

    def sample(self) -> None:
        """Take what the counters say now.

        A peer that is gone takes with it what it told since the last sample; one that comes again counts from zero.
        """
        number = self._number()
        for _ in range(min(number - self._bin, MOST_BINS)):
            self._bins.append([0, 0, 0])
        self._bin = max(self._bin, number)
        running, before = self._bins[-1], self._before
        self._before = {peer: (table.announced, table.withdrawn) for peer, table in self._peers().items()}
        for peer, (announced, withdrawn) in self._before.items():
            announced_before, withdrawn_before = before.get(peer, (0, 0))
            if announced < announced_before or withdrawn < withdrawn_before:
                announced_before = withdrawn_before = 0
            running[0] += announced - announced_before
            running[1] += withdrawn - withdrawn_before
        written = self._written()
        running[2] += written - self._written_before
        self._written_before = written

    @property
    def document(self) -> Document:
        """``{seconds, updates, withdrawals, writes}``: numbers per bin, the oldest first, the running one last."""
        updates, withdrawals, writes = (list(column) for column in zip(*self._bins, strict=True))
        return {"seconds": BIN_SECONDS, "updates": updates, "withdrawals": withdrawals, "writes": writes}
