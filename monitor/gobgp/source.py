"""Tells everything that a gobgpd says about its peers and their paths, whatever happens to either end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from monitor.errors import SourceError, SourceIncompatible, SourceUnavailable
from monitor.flow.outbox import LIMIT, ConsumerStalled, Outbox
from monitor.flow.telling import told
from monitor.flow.together import together
from monitor.gobgp.client import Client, Speaker, TimedOut, Tls, TooLarge
from monitor.gobgp.decode import Decoder
from monitor.gobgp.feed import Ending, Feed, Pace, Plan
from monitor.gobgp.peer import address_of
from monitor.gobgp.roster import Roster
from monitor.gobgp.validation import roa_state, validate
from monitor.rib.attribute import AttributeTable
from monitor.rib.path import PeerId
from monitor.rib.peer import AdminState
from monitor.rib.update import FeedLost, FeedStarted, Update
from monitor.rib.validation import RoaState, States
from programmer.route import Family, PrefixKey

log = logging.getLogger(__name__)

HEARTBEAT = 3.0
SILENCE = 10.0
"""Seconds without an answer after which a speaker counts as lost."""

FIRST_DELAY, LONGEST_DELAY = 0.5, 2.0
INCOMPATIBLE_DELAY = 30.0
STEADY_SECONDS = 60.0
"""A conversation of this length makes the next delay short again."""

VERIFY_SECONDS, VERIFY_PAUSE = 5.0, 0.2
MISMATCH_PAUSE = 300.0
"""Seconds between two fresh starts because of counters that differ."""

CALM_PAUSE = 0.15
CALM_RATE = 2000
"""Paths a second: what comes more slowly than that is followed live without falling behind."""

NOTHING = (0, True)
CALM_LIMIT = 120.0
"""Longest wait for a burst to end before the stream is opened again all the same."""


class GobgpSource:
    """A gobgpd as a source of updates, and the control over its sessions.

    ``target`` is a unix socket (``unix:///path`` or a bare path), a loopback address with port, or, with
    *tls*, any address with port; anything else raises SourceRefused at once.  ``updates`` may be iterated by
    one consumer at a time.
    """

    def __init__(
        self,
        name: str,
        target: str,
        *,
        tls: Tls | None = None,
        resync: float = 900.0,
        end_of_rib_wait: float = 30.0,
        attributes: AttributeTable | None = None,
        waiting_limit: int = LIMIT,
    ) -> None:
        self._name = name
        self._client = Client(target, tls)
        self._pace = Pace(resync, end_of_rib_wait)
        self._attributes = attributes if attributes is not None else AttributeTable()
        self._waiting_limit = waiting_limit
        self._outbox = Outbox(waiting_limit)
        self._roster = Roster(name, self._tell)
        self._decoder: Decoder | None = None
        self._cause = ""
        self._connected = False
        self._lives = 0

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._name

    @property
    def kind(self) -> str:
        """Spoken to over GoBGP's gRPC API."""
        return "gobgp"

    def complaints(self) -> Sequence[str]:
        """Nothing beyond what the peers and the state of the connection tell."""
        return ()

    @property
    def ignored(self) -> dict[str, int]:
        """How many path messages were left out on this connection, by cause (see ``Decoder.ignored``)."""
        return dict(self._decoder.ignored) if self._decoder else {}

    def updates(self) -> AsyncIterator[Sequence[Update]]:
        """Tell everything, then every change; see ``monitor.ports.Source``."""
        self._outbox = Outbox(self._waiting_limit)
        self._roster = Roster(self._name, self._tell)
        self._cause = ""
        return told(self._outbox, self._run, f"source {self._name}")

    async def refresh_peers(self) -> None:
        """Read the peers' counters now; nothing happens while the speaker is lost."""
        if self._connected:
            await self._roster.read(self._client)

    async def close(self) -> None:
        """Release the connection."""
        await self._client.close()

    async def disable_peer(self, peer: PeerId, communication: str) -> None:
        """Shut the session administratively; SourceError when the speaker did not do it."""
        await self._client.disable_peer(peer.address, communication)
        await self._verify(peer, up=False)

    async def enable_peer(self, peer: PeerId) -> None:
        """Allow the session again; SourceError when the speaker did not do it."""
        await self._client.enable_peer(peer.address)
        await self._verify(peer, up=True)

    async def roa_state(self) -> RoaState:
        """Return what the speaker's RPKI caches have told it; see ``monitor.ports.OriginValidation``."""
        life = self._alive()
        state = await roa_state(self._client)
        if self._alive() != life:
            raise SourceUnavailable(f"{self._client.target}: restarted meanwhile")
        return state._replace(version=(life, *state.version))

    async def validate(self, family: Family, keys: Sequence[PrefixKey], state: RoaState) -> dict[PrefixKey, States]:
        """Return the RPKI states of the paths for *keys*; see ``monitor.ports.OriginValidation``."""
        found = await validate(self._client, self._name, family, keys)
        if self._alive() != state.version[0]:
            raise SourceUnavailable(f"{self._client.target}: restarted since its ROAs were asked for")
        return found

    def _alive(self) -> int:
        """Return which life of the speaker this is; SourceUnavailable while it is lost."""
        if not self._connected:
            raise SourceUnavailable(f"{self._client.target}: not connected")
        return self._lives

    async def _verify(self, peer: PeerId, *, up: bool) -> None:
        """Read the peer back until it is as ordered: the speaker says OK even when it does nothing."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + VERIFY_SECONDS
        while True:
            messages = [one for one in await self._client.list_peers() if address_of(one) == peer.address]
            states = [self._client.dialect.admin_state(one.state.admin_state) for one in messages]
            if states and (states[0] is AdminState.UP) is up:
                break
            if loop.time() >= deadline:
                found = states[0].value if states else "missing from the peer list"
                order = "open" if up else "shut"
                raise SourceError(
                    f"{self._client.target}: told to {order} the session of {peer.address}, but it is {found}"
                )
            await asyncio.sleep(VERIFY_PAUSE)
        await self.refresh_peers()

    def _tell(self, update: Update) -> None:
        self._outbox.put(update)

    def _lose(self, cause: str) -> None:
        """Say that the feed is lost; the same cause is said only once."""
        if cause != self._cause:
            self._cause = cause
            log.warning("%s: %s", self._name, cause)
            self._outbox.lose(FeedLost(self._name, cause))

    async def _run(self) -> None:
        """Connect again and again."""
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while True:
            started = loop.time()
            try:
                await self._converse()
            except SourceIncompatible as error:
                self._lose(str(error))
                delay = INCOMPATIBLE_DELAY
            except SourceError as error:
                self._lose(str(error))
            if loop.time() - started > STEADY_SECONDS:
                delay = FIRST_DELAY
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _converse(self) -> None:
        """Follow one life of the speaker; ends with a SourceError."""
        speaker = await self._client.probe()
        while not speaker.asn:
            self._lose(f"{self._client.target}: BGP is not started (gobgpd has no configuration yet)")
            await asyncio.sleep(1.0)
            speaker = await self._client.get_bgp()
        self._decoder = Decoder(self._client.dialect, self._attributes, self._find)
        self._roster.begin()
        self._connected = True
        self._lives += 1
        try:
            await together((SourceError,), heartbeat=self._heartbeat(speaker), feeds=self._feeds(speaker))
        finally:
            self._connected = False

    def _find(self, neighbor: str, router_id: str, asn: int) -> PeerId | None:
        return self._roster.directory.find(neighbor, router_id, asn)

    async def _heartbeat(self, speaker: Speaker) -> None:
        """Ask for a sign of life: a stream stays open, silent, when BGP is stopped or the process hangs."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                now = await self._client.get_bgp(SILENCE)
            except TimedOut:
                raise SourceUnavailable(f"{self._client.target}: no answer for {SILENCE:g} s") from None
            if now.asn != speaker.asn:
                raise SourceUnavailable(f"{self._client.target}: BGP was stopped or restarted")

    async def _feeds(self, speaker: Speaker) -> None:
        """Subscribe, and subscribe again whenever that is the better way on."""
        loop = asyncio.get_running_loop()
        text = f"GoBGP {self._client.dialect.generation}.x, AS {speaker.asn}, router id {speaker.router_id}"
        assert self._decoder is not None
        in_one_piece = True
        compared_at = 0.0
        while True:
            self._tell(FeedStarted(self._name, text))
            self._cause = ""
            trust_counters = loop.time() - compared_at >= MISMATCH_PAUSE or not compared_at
            feed = Feed(
                self._client,
                self._roster,
                self._decoder,
                self._outbox,
                Plan(self._name, speaker.asn, self._pace, dump=in_one_piece, compare=trust_counters),
            )
            try:
                ending = await feed.run()
            except ConsumerStalled as stalled:
                self._lose(f"{stalled}; everything is told again")
                await self._outbox.emptied()
                continue
            except TooLarge as error:
                log.warning("%s: %s; reading the table prefix by prefix, which is slow", self._name, error)
                in_one_piece = False
                continue
            if ending is Ending.BEHIND:
                await self._calm()
            elif ending is Ending.MISMATCH:
                compared_at = loop.time()

    async def _calm(self) -> None:
        """Wait until the tables that are moving have ended, by their End-of-RIB or by (almost) standing still."""
        loop = asyncio.get_running_loop()
        began = at = loop.time()
        before = self._received()
        moved: set[object] = set()
        while at - began < CALM_LIMIT:
            await asyncio.sleep(max(CALM_PAUSE, 4 * self._roster.cost))
            await self._roster.read(self._client)
            now, earlier, at = self._received(), at, loop.time()
            changed = {
                table: abs(now.get(table, NOTHING)[0] - before.get(table, NOTHING)[0])
                for table in before.keys() | now.keys()
            }
            if sum(changed.values()) <= CALM_RATE * (at - earlier):
                return
            moved |= {table for table, count in changed.items() if count}
            if all(now.get(table, NOTHING)[1] for table in moved):
                return
            before = now

    def _received(self) -> dict[object, tuple[int, bool]]:
        """Return per table how many paths the speaker has received, and whether that is all (End-of-RIB)."""
        return {
            (peer, family): (state.received, state.end_of_rib)
            for peer, entry in self._roster.entries.items()
            for family, state in entry.peer.families.items()
        }
