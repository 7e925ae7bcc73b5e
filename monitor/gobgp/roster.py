"""Keeps the speaker's peer list and tells what changed in it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

from monitor.gobgp.client import Client
from monitor.gobgp.dialect import PeerMessage
from monitor.gobgp.fence import Session
from monitor.gobgp.peer import PeerDirectory, address_of, decode_peer, uptime_of
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer
from monitor.rib.update import PeerChanged, PeerGone, Update

GONE_AFTER = 2
"""Reads of a living speaker that must miss a peer before it counts as deleted."""


class Entry(NamedTuple):
    """A peer, when its session came up (as ``uptime_of``), and since when we know, by the loop's clock."""

    peer: Peer
    uptime: int
    seen_at: float


class Roster:
    """The peers of one speaker, across connections.

    ``cost`` is how long the last read took, in seconds: it grows with the speaker's table (80 to 640 ms at a
    million paths). ``established_before`` holds peers that were up in this connection.
    """

    def __init__(self, source: str, tell: Callable[[Update], None]) -> None:
        self.entries: dict[PeerId, Entry] = {}
        self.directory = PeerDirectory(source)
        self.established_before: set[PeerId] = set()
        self.cost = 0.0
        self.reads = 0
        self._source = source
        self._tell = tell
        self._missed: dict[PeerId, int] = {}
        self._lock = asyncio.Lock()

    def begin(self) -> None:
        """Forget what only holds within one connection."""
        self._missed.clear()
        self.established_before.clear()

    async def read(self, client: Client) -> None:
        """Read the whole list and tell the differences; SourceError when the speaker does not answer."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            started = loop.time()
            messages = await client.list_peers()
            self.cost = loop.time() - started
            self._take(client, messages, loop.time())
            self.reads += 1

    async def sessions(self, client: Client, suspects: Iterable[PeerId]) -> dict[PeerId, Session]:
        """Return the sessions of *suspects* as they are now; one that is not listed is missing."""
        wanted = list(suspects)
        plain = len(wanted) == 1 and "%" not in wanted[0].address
        messages = await client.list_peers(wanted[0].address if plain else "")
        found = {PeerId(self._source, address_of(one)): Session(uptime_of(one)) for one in messages}
        return {peer: session for peer, session in found.items() if peer in wanted}

    def _take(self, client: Client, messages: list[PeerMessage], now: float) -> None:
        present: set[PeerId] = set()
        for message in messages:
            peer = decode_peer(client.dialect, self._source, message)
            if peer is None:
                continue
            present.add(peer.id)
            known = self.entries.get(peer.id)
            uptime = uptime_of(message)
            seen_at = known.seen_at if known and known.uptime == uptime else now
            self.entries[peer.id] = Entry(peer, uptime, seen_at)
            if peer.established:
                self.established_before.add(peer.id)
            if known is None or known.peer != peer:
                self._tell(PeerChanged(peer))
        self._drop_missing(present)
        self.directory.learn(entry.peer for entry in self.entries.values())

    def _drop_missing(self, present: set[PeerId]) -> None:
        for peer in present:
            self._missed.pop(peer, None)
        for peer in [known for known in self.entries if known not in present]:
            missed = self._missed[peer] = self._missed.get(peer, 0) + 1
            if missed >= GONE_AFTER:
                del self.entries[peer], self._missed[peer]
                self._tell(PeerGone(peer))
