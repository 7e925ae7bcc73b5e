"""An RPKI cache that speaks to routers (RTR, RFC 6810 and RFC 8210): it hands out the ROAs that a test gives it."""

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from ipaddress import ip_network

from programmer.netlink.namespace import enter, identify_namespace
from tests.support.netns import Namespace

SERIAL_NOTIFY, SERIAL_QUERY, RESET_QUERY, CACHE_RESPONSE = 0, 1, 2, 3
IPV4_PREFIX, IPV6_PREFIX, END_OF_DATA, CACHE_RESET = 4, 6, 7, 8
"""PDU types, RFC 8210 section 5."""

SESSION = 4711
HEADER = struct.Struct("!BBHI")
"""Version, type, session id, length of the whole PDU."""

INTERVALS = struct.pack("!III", 3600, 600, 7200)
"""Refresh, retry and expire of End of Data in version 1."""


@dataclass(frozen=True, slots=True)
class Roa:
    """*asn* may originate *prefix*, and its parts down to *max_length* (0: *prefix* alone); RFC 6482."""

    prefix: str
    asn: int
    max_length: int = 0

    def pdu(self, version: int, *, announced: bool) -> bytes:
        """The payload PDU that announces or withdraws it."""
        network = ip_network(self.prefix)
        kind = IPV4_PREFIX if network.version == 4 else IPV6_PREFIX
        longest = self.max_length or network.prefixlen
        body = bytes((announced, network.prefixlen, longest, 0)) + network.network_address.packed
        return _pdu(version, kind, 0, body + struct.pack("!I", self.asn))


class RtrCache:
    """One cache.  While it is ``silent`` it takes connections and answers nothing."""

    def __init__(self, roas: Iterable[Roa] = ()) -> None:
        self.silent = False
        self.answered = 0
        self._history: list[frozenset[Roa]] = [frozenset(roas)]
        self._server: asyncio.Server | None = None
        self._routers: dict[asyncio.StreamWriter, int] = {}
        self._ended: dict[asyncio.StreamWriter, asyncio.Event] = {}

    @property
    def serial(self) -> int:
        """The serial number of the present data."""
        return len(self._history) - 1

    @property
    def connected(self) -> int:
        """How many routers are connected."""
        return len(self._routers)

    async def open(self, listening: socket.socket) -> None:
        """Serve on a socket that listens already."""
        self._server = await asyncio.start_server(self._serve, sock=listening)

    async def put(self, *roas: Roa) -> None:
        """Hand out these in place of the former ones: every router is told that there is something new."""
        self._history.append(frozenset(roas))
        for router, version in self._routers.items():
            router.write(_pdu(version, SERIAL_NOTIFY, SESSION, struct.pack("!I", self.serial)))

    async def speak(self) -> None:
        """End the silence: drop the connections, so that the routers ask anew."""
        self.silent = False
        self._drop()

    async def close(self) -> None:
        """Stop serving and drop every router."""
        if self._server is not None:
            self._server.close()
        self._drop()
        for ended in list(self._ended.values()):
            await ended.wait()

    def _drop(self) -> None:
        for router in self._routers:
            router.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._routers[writer], self._ended[writer] = 0, asyncio.Event()
        try:
            while True:
                version, kind, _, length = HEADER.unpack(await reader.readexactly(HEADER.size))
                body = await reader.readexactly(length - HEADER.size)
                self._routers[writer] = version
                if not self.silent:
                    writer.write(self._answer(version, kind, body))
                    self.answered += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            del self._routers[writer]
            writer.close()
            self._ended.pop(writer).set()

    def _answer(self, version: int, kind: int, body: bytes) -> bytes:
        held = self._history[-1]
        known: frozenset[Roa] = frozenset()
        if kind == SERIAL_QUERY:
            (serial,) = struct.unpack("!I", body)
            if serial >= len(self._history):
                return _pdu(version, CACHE_RESET, 0, b"")
            known = self._history[serial]
        elif kind != RESET_QUERY:
            return b""
        end = struct.pack("!I", self.serial) + (INTERVALS if version else b"")
        return b"".join(
            [
                _pdu(version, CACHE_RESPONSE, SESSION, b""),
                *(roa.pdu(version, announced=True) for roa in held - known),
                *(roa.pdu(version, announced=False) for roa in known - held),
                _pdu(version, END_OF_DATA, SESSION, end),
            ]
        )


def _pdu(version: int, kind: int, session: int, body: bytes) -> bytes:
    return HEADER.pack(version, kind, session, HEADER.size + len(body)) + body


def _listening(namespace: Namespace, address: str, port: int) -> socket.socket:
    """A listening socket in another network namespace: a thread of its own enters it and opens the socket there."""
    made: list[socket.socket | BaseException] = []

    def work() -> None:
        try:
            enter(identify_namespace(str(namespace.path)))
            made.append(socket.create_server((address, port)))
        except BaseException as error:  # handed over to the caller
            made.append(error)

    thread = threading.Thread(target=work, name="rtr-namespace")
    thread.start()
    thread.join()
    (result,) = made
    if isinstance(result, BaseException):
        raise result
    return result


_ports = itertools.count(8282)


@contextlib.asynccontextmanager
async def running_cache(
    namespace: Namespace, *roas: Roa, address: str = "127.0.0.1", silent: bool = False
) -> AsyncIterator[tuple[RtrCache, int]]:
    """Run a cache in a namespace; yields it and its port."""
    cache, port = RtrCache(roas), next(_ports)
    cache.silent = silent
    await cache.open(_listening(namespace, address, port))
    try:
        yield cache, port
    finally:
        await cache.close()
