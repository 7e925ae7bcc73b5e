"""The station: listens for one speaker, admits it, and tells everything that it says about its peers and their paths."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from monitor.bmp.access import Admission, Place, Sockets, refusal
from monitor.bmp.session import Clocks, Conversation, Terms, ignored_text
from monitor.bmp.speaker import Speaker, introduction
from monitor.bmp.update import UpdateDecoder
from monitor.bmp.wire import PEER_HEADER, Framer, Kind, Malformed, peer_header, peer_up
from monitor.flow.outbox import LIMIT, ConsumerStalled, Outbox
from monitor.flow.telling import told
from monitor.rib.attribute import AttributeTable
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer
from monitor.rib.update import FeedLost, FeedStarted, Update
from programmer.errors import FibError
from programmer.route import Address

log = logging.getLogger(__name__)

CHUNK = 1 << 16
"""Octets that are read, and so may be waiting, at once."""

SLICE_SECONDS = 0.004
"""Longest that reading keeps the event loop to itself."""

SLICE_MESSAGES = 16

PATIENCE = 20.0
"""Seconds that a full outbox may wait for the consumer."""

GREETING_SECONDS = 10.0
"""Seconds that somebody who connected has for an Initiation."""

GREETINGS = 4
"""Connections that may be greeting at once; others wait in the kernel."""

FINISH_SECONDS = 30.0
"""Seconds that a message which has begun may take to end."""

TICK = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a speaker is read again after it was doubted; doubled each time."""

STEADY_SECONDS = 60.0
"""A conversation of this length makes the next pause short again."""

TELL_AGAIN_SECONDS = 300.0
"""Seconds between two fresh starts because of counters that differ."""

REBIND_SECONDS = 2.0
REMEMBER_SECONDS = 600.0
"""For how long a refused connection is complained of."""

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
"""BMP has no sign of life, so TCP is asked for one: a host that is gone is noticed within half a minute."""


class _Doubted(Exception):
    """What was told cannot be trusted: the connection is closed, so that the speaker tells everything again."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """An admitted connection whose Initiation was read: who speaks, and what came along with it.

    ``local`` means that the speaker runs on this machine, and by its clock.
    """

    reader: asyncio.StreamReader
    framer: Framer
    speaker: Speaker
    heard: list[tuple[int, bytes]]
    local: bool


class BmpSource:
    """A BMP station as a source of updates, from one speaker at a time.

    ``updates`` may be iterated by one consumer at a time; it listens meanwhile.  BMP does not say on which link a link-local
    peer is: ``zones`` does for the addresses that it has, else the kernel's addresses and neighbours may.
    """

    def __init__(
        self,
        name: str,
        place: Place,
        admission: Admission,
        sockets: Sockets,
        *,
        post: bool = False,
        end_of_rib_wait: float = 30.0,
        zones: Mapping[Address, str] = MappingProxyType({}),
        attributes: AttributeTable | None = None,
        waiting_limit: int = LIMIT,
    ) -> None:
        self._name = name
        self._place = place
        self._admission = admission
        self._sockets = sockets
        self._post = post
        self._end_of_rib_wait = end_of_rib_wait
        self._zones = zones
        self._attributes = attributes if attributes is not None else AttributeTable()
        self._waiting_limit = waiting_limit
        self._outbox = Outbox(waiting_limit)
        self._greetings = asyncio.Semaphore(GREETINGS)
        self._known: dict[PeerId, Peer] = {}
        self._conversation: Conversation | None = None
        self._decoder = UpdateDecoder(self._attributes)
        self._active = ""
        self._doubt = ""
        self._doubted = asyncio.Event()
        self._pause = 0.0
        self._told_again_at = -TELL_AGAIN_SECONDS
        self._cause = ""
        self._refused: dict[str, float] = {}

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._name

    @property
    def kind(self) -> str:
        """Spoken to over BMP."""
        return "bmp"

    def complaints(self) -> Sequence[str]:
        """Connections that were refused lately, and messages that are of no use."""
        now = time.monotonic()
        self._refused = {words: at for words, at in self._refused.items() if now - at < REMEMBER_SECONDS}
        found = list(self._refused)
        if self._conversation is not None:
            found += ignored_text(self._conversation.ignored, post=self._post)
        if count := self._decoder.ignored["path-ids"]:
            found.append(
                f"{count:,} messages left out of sessions with several paths for a prefix (add-path, RFC 7911): this speaker "
                "does not tell over BMP which is which, so turn that off for these peers, or use its gRPC API"
            )
        if count := self._decoder.ignored["malformed"]:
            found.append(
                f"{count:,} malformed announcements counted as withdrawn (RFC 7606), the last for: {self._decoder.oddity}"
            )
        return found

    def updates(self) -> AsyncIterator[Sequence[Update]]:
        """Tell everything, then every change; see ``monitor.ports.Source``."""
        self._outbox = Outbox(self._waiting_limit)
        self._cause = ""
        return told(self._outbox, self._run, f"source {self._name}")

    async def refresh_peers(self) -> None:
        """Nothing can be asked over BMP: what the speaker says comes by itself."""
        await asyncio.sleep(0)

    def tell_again(self, cause: str) -> None:
        """Close the connection, which makes the speaker connect again and tell everything; not again and again."""
        now = time.monotonic()
        if now - self._told_again_at >= TELL_AGAIN_SECONDS:
            self._told_again_at = now
            self._doubt = cause
            self._doubted.set()

    async def close(self) -> None:
        """Everything is closed when ``updates`` ends."""
        self._known.clear()

    # Listening

    async def _run(self) -> None:
        """Listen, again and again where that cannot be had."""
        while True:
            try:
                listening = await self._sockets.listen(self._place)
            except (OSError, FibError) as error:
                self._lose(f"cannot listen on {_text(self._place)}: {getattr(error, 'strerror', None) or error}")
                await asyncio.sleep(REBIND_SECONDS)
                continue
            self._lose(f"no speaker has connected to {_text(self._place)} yet")
            with contextlib.closing(listening):
                async with asyncio.TaskGroup() as tasks:
                    await self._accept(listening, tasks)

    async def _accept(self, listening: socket.socket, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._greetings.acquire()
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:  # no descriptor is left, or it has gone already
                log.warning("%s: cannot accept a connection: %s", self._name, error)
                self._greetings.release()
                await asyncio.sleep(1.0)
                continue
            except BaseException:
                self._greetings.release()
                raise
            tasks.create_task(self._receive(connection), name=f"source {self._name} connection")

    async def _receive(self, connection: socket.socket) -> None:
        """Admit a connection or refuse it, and follow it to its end."""
        far = ""
        greeted = False
        try:
            with contextlib.closing(connection):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                # A speaker that only writes does not notice an orderly end before its second write, and an idle one writes
                # little; a reset it notices at once.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                for option, value in _KEEPALIVE:
                    connection.setsockopt(socket.IPPROTO_TCP, option, value)
                near_place, far_place = _ends(connection)
                far = _text(far_place)
                async with asyncio.timeout(GREETING_SECONDS):
                    holder = await self._sockets.owner(near_place, far_place)
                if why := refusal(self._admission, far_place[0], holder):
                    self._refuse(f"refused a connection from {far_place[0]}: {why}")
                    return
                reader, writer = await asyncio.open_connection(sock=connection, limit=CHUNK)
                with contextlib.closing(writer):
                    stream = await self._greet(reader, far_place[0])
                    self._greetings.release()
                    greeted = True
                    await self._follow(stream)
        except (Malformed, TimeoutError, FibError) as error:
            said = str(error) or f"no Initiation within {GREETING_SECONDS:g} s"
            self._refuse(f"closed a connection from {far}: {said}")
        except OSError as error:
            log.info("%s: a connection from %s ended before its greeting: %s", self._name, far, error)
        finally:
            if not greeted:
                self._greetings.release()

    def _refuse(self, words: str) -> None:
        if words not in self._refused:
            log.warning("%s: %s", self._name, words)
        self._refused[words] = time.monotonic()

    async def _greet(self, reader: asyncio.StreamReader, far: Address) -> "_Stream":
        """Read until the Initiation is there."""
        framer = Framer()
        async with asyncio.timeout(GREETING_SECONDS):
            while data := await reader.read(CHUNK):
                messages = list(framer.feed(data))
                if messages:
                    kind, body = messages.pop(0)
                    if kind != Kind.INITIATION:
                        raise Malformed(f"it began with a message of type {kind}, not with an Initiation")
                    return _Stream(reader, framer, introduction(body), messages, local=far.is_loopback)
        raise Malformed("it closed before its Initiation")

    # One speaker

    async def _follow(self, stream: "_Stream") -> None:
        """Tell what an admitted speaker says, until either side ends it."""
        if self._active:
            self._refuse(
                f"refused a second speaker ({stream.speaker.text}): {self._active} is connected; one per source"
            )
            return
        self._active = stream.speaker.text
        try:
            await asyncio.sleep(self._pause)
            began = time.monotonic()
            cause = await self._converse(stream)
            if time.monotonic() - began > STEADY_SECONDS:
                self._pause = 0.0
            self._lose(f"{stream.speaker.text}: {cause}")
        finally:
            self._active = ""
            self._conversation = None

    async def _converse(self, stream: "_Stream") -> str:
        """Return why the conversation ended."""
        terms = Terms(self._name, self._post, self._end_of_rib_wait, stream.local, stream.speaker.oddities)
        clocks = Clocks(time.monotonic, time.time)
        self._decoder = UpdateDecoder(self._attributes)
        conversation = Conversation(terms, clocks, self._decoder, self._outbox.put, self._known)
        self._conversation = conversation
        self._doubted.clear()
        self._cause = ""
        self._outbox.put(FeedStarted(self._name, f"BMP, {stream.speaker.text}"))
        log.info("%s: %s connected", self._name, stream.speaker.text)
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(self._tick(conversation)), tasks.create_task(self._listen_to_doubt())]
                cause = await self._read(stream, conversation)
                for helper in helpers:
                    helper.cancel()
        except* _Doubted as doubted:
            cause = str(_first(doubted))
        except* (Malformed, ConsumerStalled) as broken:
            cause = str(_first(broken))
        else:
            return cause
        self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
        log.warning("%s: %s: %s; it is to tell everything again", self._name, stream.speaker.text, cause)
        return f"{cause}; everything is told again"

    async def _read(self, stream: "_Stream", conversation: Conversation) -> str:
        for kind, body in stream.heard:
            await self._hear(conversation, kind, body)
        while True:
            try:
                async with asyncio.timeout(FINISH_SECONDS if stream.framer.unfinished else None):
                    data = await stream.reader.read(CHUNK)
            except TimeoutError:
                raise Malformed(f"a message was not finished within {FINISH_SECONDS:g} s") from None
            except OSError as error:
                return f"the connection broke: {error.strerror or error}"
            if not data:
                return conversation.farewell or "it closed the connection"
            await self._take(conversation, stream.framer, data)

    async def _take(self, conversation: Conversation, framer: Framer, data: bytes) -> None:
        clock = time.perf_counter
        started = clock()
        for count, (kind, body) in enumerate(framer.feed(data)):
            if kind == Kind.ROUTE_MONITORING:
                conversation.hear(kind, body)
            else:
                await self._hear(conversation, kind, body)
            if not count % SLICE_MESSAGES and clock() - started > SLICE_SECONDS:
                await self._breathe()
                started = clock()
        if self._outbox.is_full:
            await self._breathe()

    async def _breathe(self) -> None:
        """Let others have their turn, and wait while the consumer has enough."""
        await asyncio.sleep(0)
        if self._outbox.is_full:
            await self._outbox.room(PATIENCE)

    async def _hear(self, conversation: Conversation, kind: int, body: bytes) -> None:
        zone = await self._zone(body) if kind == Kind.PEER_UP and len(body) >= PEER_HEADER else ""
        conversation.hear(kind, body, zone)

    async def _zone(self, body: bytes) -> str:
        """Return the interface of the peer in a Peer Up; empty where it needs none, or it cannot be told."""
        header = peer_header(body)
        if header.address.version == 4 or not header.address.is_link_local:
            return ""
        if zone := self._zones.get(header.address):
            return zone
        try:
            return await self._sockets.interface(peer_up(body, ipv6=True).local_address, header.address)
        except FibError as error:
            log.warning("%s: on which interface %s is: %s", self._name, header.address, error)
            return ""

    async def _tick(self, conversation: Conversation) -> None:
        while True:
            await asyncio.sleep(TICK)
            conversation.tick()

    async def _listen_to_doubt(self) -> None:
        await self._doubted.wait()
        raise _Doubted(self._doubt)

    def _lose(self, cause: str) -> None:
        """Say that the feed is lost; the same cause is said only once."""
        if cause != self._cause:
            self._cause = cause
            log.info("%s: %s", self._name, cause)
            self._outbox.lose(FeedLost(self._name, cause))


def _ends(connection: socket.socket) -> tuple[Place, Place]:
    """Return both ends of a connection, ours first; OSError when it is gone already."""
    near, far = connection.getsockname(), connection.getpeername()
    return (ipaddress.ip_address(near[0]), near[1]), (ipaddress.ip_address(far[0]), far[1])


def _text(place: Place) -> str:
    address, port = place
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
