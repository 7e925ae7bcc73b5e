"""A consumer of a GobgpSource that keeps what it is told, to be compared with what the routers hold."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from monitor.gobgp.client import Tls
from monitor.gobgp.source import GobgpSource
from monitor.rib.path import Path, PeerId
from monitor.rib.peer import Peer
from monitor.rib.update import (
    FeedLost,
    FeedStarted,
    PathAnnounced,
    PathRejected,
    PathWithdrawn,
    PeerChanged,
    PeerGone,
    TableComplete,
    Update,
)
from programmer.route import Family, text_of
from tests.support.wait import until

ONE = PeerId("fabric", "192.0.2.2")
"""The peer that is meant where none is named."""


class Mirror:
    """A consumer that keeps what it is told, sweeping as the port says."""

    def __init__(self, made: GobgpSource) -> None:
        self.source = made
        self.paths: dict[tuple[str, PeerId, int], tuple[int, Path]] = {}
        self.rejected: dict[tuple[str, PeerId], Path] = {}
        self.peers: dict[PeerId, Peer] = {}
        self.complete: dict[tuple[PeerId, Family], str] = {}
        self.lost: list[str] = []
        self.counts: Counter[str] = Counter()
        self.swept = 0
        self.feed = 0
        self.paused = asyncio.Event()
        self.paused.set()

    def apply(self, update: Update) -> None:
        """Take one update."""
        self.counts[type(update).__name__] += 1
        match update:
            case FeedStarted():
                self.feed += 1
                self.complete.clear()
            case FeedLost(_, cause):
                self.lost.append(cause)
                self.complete.clear()
            case PeerChanged(peer):
                self.peers[peer.id] = peer
            case PeerGone(gone):
                del self.peers[gone]
            case PathAnnounced(family, key, path):
                self.rejected.pop((text_of(family, key), path.peer), None)
                self.paths[text_of(family, key), path.peer, path.path_id] = (self.feed, path)
            case PathWithdrawn(family, key, peer, path_id):
                self.rejected.pop((text_of(family, key), peer), None)
                self.paths.pop((text_of(family, key), peer, path_id), None)
            case PathRejected(family, key, path):
                self.paths.pop((text_of(family, key), path.peer, path.path_id), None)
                self.rejected[text_of(family, key), path.peer] = path
            case TableComplete(peer, family, proof):
                self.complete[peer, family] = proof
                self._sweep(peer, family)

    def _sweep(self, peer: PeerId, family: Family) -> None:
        old = [
            name
            for name, (told_in, _) in self.paths.items()
            if name[1] == peer and told_in < self.feed and (":" in name[0]) is (family is Family.IPV6)
        ]
        for name in old:
            del self.paths[name]
        self.swept += len(old)

    async def follow(self) -> None:
        """Take everything that the source tells, for ever; stands still while ``paused`` is not set."""
        told = self.source.updates()
        assert isinstance(told, AsyncGenerator)
        async with aclosing(told) as updates:
            async for batch in updates:
                for update in batch:
                    self.apply(update)
                await self.paused.wait()

    def prefixes(self, peer: PeerId = ONE) -> set[str]:
        """Return the prefixes that a peer announces."""
        return {prefix for prefix, held_by, _ in self.paths if held_by == peer}

    def path(self, prefix: str, peer: PeerId = ONE, path_id: int = 0) -> Path:
        """Return a path; the test fails if there is none."""
        assert (prefix, peer, path_id) in self.paths, f"{prefix} of {peer} is not among {len(self.paths)} paths"
        return self.paths[prefix, peer, path_id][1]

    async def completed(self, *peers: PeerId, family: Family = Family.IPV4, timeout: float = 30) -> None:
        """Wait until the tables of *peers* have been told completely."""
        await until(
            lambda: all((peer, family) in self.complete for peer in peers),
            timeout=timeout,
            what=f"complete tables of {peers}; lost: {self.lost[-1:]}",
        )

    async def holds(self, wanted: set[str], peer: PeerId = ONE, timeout: float = 30) -> None:
        """Wait until a peer announces exactly *wanted*."""

        def equal() -> bool:
            held = self.prefixes(peer)
            assert held == wanted, f"missing {sorted(wanted - held)[:5]}, surplus {sorted(held - wanted)[:5]}"
            return True

        await until(equal, timeout=timeout, what=f"{len(wanted)} prefixes of {peer.address}")


@asynccontextmanager
async def mirroring(target: str, tls: Tls | None = None, **pace: float) -> AsyncIterator[Mirror]:
    """Follow a gobgpd; nothing of it is left behind at the end."""
    options: dict[str, Any] = {"end_of_rib_wait": 20.0} | pace
    made = GobgpSource("fabric", target, tls=tls, **options)
    mirror = Mirror(made)
    others = asyncio.all_tasks()
    task = asyncio.create_task(mirror.follow())
    try:
        yield mirror
    finally:
        mirror.paused.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await made.close()
    left = {one.get_name() for one in asyncio.all_tasks() - others if "fabric" in one.get_name()}
    assert not left, left
