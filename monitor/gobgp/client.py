"""Calls GoBGP's gRPC API, generation found by probing; no exception of grpc leaves this module.

The connection is a unix socket, loopback TCP, or mutual TLS.  Anybody who reaches the port of a gobgpd can
inject routes, so a remote target without TLS is refused.
"""

import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import grpc
import grpc.aio

from monitor.errors import SourceError, SourceIncompatible, SourceRefused, SourceUnavailable
from monitor.gobgp.dialect import (
    GENERATION_3,
    GENERATIONS,
    Dialect,
    PathMessage,
    PeerMessage,
    RpkiServerMessage,
    WatchEvent,
)

MESSAGE_LIMIT = 256 << 20
"""Octets; the server's own limit."""

BATCH_SIZE = 1000
CALL_TIMEOUT = 10.0
"""Seconds; listing peers beside a table of a million paths takes up to one."""

_LARGE_MESSAGE = 1 << 20
_CONNECT_FAILED = re.compile(r"(?:connect failed: addr: \S+ error|Failed to connect to remote host): (.+)$")
_TABLE_TAG, _PATH_TAG = 0x1A, 0x12


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of mutual TLS: the authority that signed the server, our certificate and our key."""

    ca: FilePath
    cert: FilePath
    key: FilePath


class Speaker(NamedTuple):
    """What GetBgp says; ``asn`` is 0 while BGP is not started."""

    asn: int
    router_id: str


class TimedOut(SourceUnavailable):
    """No answer came in time."""


class TooLarge(SourceError):
    """The server had to put a table into one message, and it is over the limit (GoBGP before 3.27)."""


def normal_target(target: str) -> str:
    """Return *target* as grpc wants it: a bare path means a unix socket."""
    return f"unix://{target}" if target.startswith("/") else target


def is_local(target: str) -> bool:
    """Return whether a target is a unix socket or a loopback address."""
    if target.startswith(("unix:", "/")):
        return True
    host = re.sub(r"^(dns|ipv4|ipv6):(///?)?", "", target)
    host = host.rpartition(":")[0] if host.count(":") == 1 or "]" in host else host
    host = host.strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Client:
    """One connection to one gobgpd.

    Raises SourceRefused when *target* is remote and *tls* is missing, or when a file of *tls* cannot be
    read.  Every call raises SourceUnavailable when there is no answer, SourceError when the server refuses.
    """

    def __init__(self, target: str, tls: Tls | None = None, message_limit: int = MESSAGE_LIMIT) -> None:
        if tls is None and not is_local(target):
            raise SourceRefused(
                f"{target} is neither a unix socket nor a loopback address: GoBGP lets anybody who "
                "reaches its port "
                "inject routes. Use unix:///path, or set tls with ca, cert and key"
            )
        self.target = normal_target(target)
        self.is_local = is_local(target)
        self.dialect: Dialect = GENERATION_3
        options = [
            ("grpc.max_receive_message_length", message_limit),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),
        ]
        self._tls = tls
        self._channel = (
            grpc.aio.insecure_channel(self.target, options=options)
            if tls is None
            else grpc.aio.secure_channel(self.target, _credentials(tls), options=options)
        )

    async def close(self) -> None:
        """Close the connection; open streams end."""
        await self._channel.close(None)

    async def probe(self) -> Speaker:
        """Find out which generation answers and return what it says; SourceIncompatible when none does."""
        for dialect in GENERATIONS:
            self.dialect = dialect
            try:
                return await self.get_bgp()
            except SourceIncompatible:
                continue
        services = " nor ".join(dialect.service for dialect in GENERATIONS)
        raise SourceIncompatible(
            f"{self.target} answers gRPC, but is not GoBGP 3 or 4 (neither {services}); check the port"
        )

    async def get_bgp(self, deadline: float = CALL_TIMEOUT) -> Speaker:
        """Return AS and router id; TimedOut after *deadline* seconds."""
        answer = await self._call("GetBgp", "GetBgpRequest", "GetBgpResponse", {}, deadline)
        speaker = getattr(answer, "global")
        return Speaker(speaker.asn, speaker.router_id)

    async def list_peers(self, address: str = "") -> list[PeerMessage]:
        """Return all peers, or the one called *address* (an empty list when there is none)."""
        request = self.dialect.messages.ListPeerRequest(address=address)
        answer = self.dialect.messages.ListPeerResponse
        with self._explained("ListPeer"):
            stream = self._stream("ListPeer", request, answer.FromString, CALL_TIMEOUT)
            return [one.peer async for one in stream]
        raise AssertionError("unreachable")

    async def disable_peer(self, address: str, communication: str) -> None:
        """Shut a session; an empty address, which would mean all of them, is refused."""
        await self._call(
            "DisablePeer",
            "DisablePeerRequest",
            "DisablePeerResponse",
            {"address": _named(address), "communication": communication},
            CALL_TIMEOUT,
        )

    async def enable_peer(self, address: str) -> None:
        """Allow a session again."""
        fields = {"address": _named(address)}
        await self._call("EnablePeer", "EnablePeerRequest", "EnablePeerResponse", fields, CALL_TIMEOUT)

    async def watch(self, *, init: bool = True, batch_size: int = BATCH_SIZE) -> AsyncIterator["Event"]:
        """Yield events until the stream ends, which is always an error: SourceUnavailable, or TooLarge."""
        request = self.dialect.watch_request(batch_size, init=init)
        with self._explained("WatchEvent"):
            stream = self._stream("WatchEvent", request, bytes, None)
            try:
                async for raw in stream:
                    yield Event(self.dialect, raw)
            finally:
                stream.cancel()
        raise SourceUnavailable(f"{self.target} ended the event stream")

    def list_global(self, afi: int) -> AsyncIterator[list[PathMessage]]:
        """Yield the paths of each prefix of the global table: slow (60 us each), but without a size limit."""
        return self._list_paths(self.dialect.global_request(afi))

    def list_adj_in(self, address: str, afi: int) -> AsyncIterator[list[PathMessage]]:
        """Yield the paths of each prefix that a peer sent, as it sent them, before import policy."""
        return self._list_paths(self.dialect.adj_in_request(_named(address), afi))

    def list_exact(self, afi: int, prefixes: Iterable[str]) -> AsyncIterator[list[PathMessage]]:
        """Yield the paths of each of these prefixes that the global table has, with their RPKI states."""
        return self._list_paths(self.dialect.exact_request(afi, prefixes), CALL_TIMEOUT)

    async def list_rpki(self) -> list[RpkiServerMessage]:
        """Return the speaker's RPKI caches; it counts all its ROAs for that."""
        answer = self.dialect.messages.ListRpkiResponse
        with self._explained("ListRpki"):
            stream = self._stream("ListRpki", self.dialect.messages.ListRpkiRequest(), answer.FromString, CALL_TIMEOUT)
            return [one.server async for one in stream]
        raise AssertionError("unreachable")

    async def _list_paths(self, request: Any, deadline: float | None = None) -> AsyncIterator[list[PathMessage]]:
        answer = self.dialect.messages.ListPathResponse
        with self._explained("ListPath"):
            stream = self._stream("ListPath", request, answer.FromString, deadline)
            try:
                async for one in stream:
                    yield list(one.destination.paths)
            finally:
                stream.cancel()

    async def _call(self, method: str, ask: str, answer: str, fields: dict[str, Any], deadline: float) -> Any:
        messages = self.dialect.messages
        call = self._channel.unary_unary(
            self.dialect.method(method),
            request_serializer=getattr(messages, ask).SerializeToString,
            response_deserializer=getattr(messages, answer).FromString,
        )
        with self._explained(method):
            return await call(getattr(messages, ask)(**fields), timeout=deadline)
        raise AssertionError("unreachable")

    def _stream(self, method: str, request: Any, deserialize: Callable[[bytes], Any], deadline: float | None) -> Any:
        call = self._channel.unary_stream(
            self.dialect.method(method),
            request_serializer=type(request).SerializeToString,
            response_deserializer=deserialize,
        )
        return call(request, timeout=deadline)

    @contextmanager
    def _explained(self, method: str) -> Iterator[None]:
        """Turn an exception of grpc into one of ours that says what happened, where, and what to do."""
        try:
            yield
        except grpc.RpcError as error:
            raise self._explain(method, error) from None

    def _explain(self, method: str, error: grpc.RpcError) -> SourceError:
        code = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
        details = (error.details() or "") if isinstance(error, grpc.aio.AioRpcError) else str(error)
        where = f"{self.target}: {method}: "
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return SourceIncompatible(f"{where}not offered ({details})")
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return TooLarge(f"{where}{details}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return TimedOut(f"{where}no answer in time")
        if code is grpc.StatusCode.UNAVAILABLE:
            return SourceUnavailable(f"{where}{self._advice(core_of(details))}")
        name = code.name if code else "error"
        return SourceError(f"{where}{name}: {details}")

    def _advice(self, details: str) -> str:
        """Add what to check to the words of a failed connection."""
        lowered = details.lower()
        if "ssl" in lowered or "tls" in lowered or "handshake" in lowered or "certificate" in lowered:
            return f"TLS handshake failed ({details}); check ca, cert, key and the server's name"
        if self._tls is not None:
            return (
                f"{details}; if gobgpd runs, check that it serves TLS (--tls --tls-client-ca-file), that ca "
                "signed its certificate, and that the certificate carries the name or address in the target"
            )
        if "no such file" in lowered:
            return f"{details}; is gobgpd running with --api-hosts {self.target}?"
        if "permission denied" in lowered:
            return f"{details}; the socket of gobgpd is open to its owner only, run as root or change its mode"
        return details


class Event:
    """One message of the event stream, decoded only as far as it is asked for."""

    def __init__(self, dialect: Dialect, raw: bytes) -> None:
        self._dialect = dialect
        self._raw = raw
        self._message: WatchEvent | None = None
        if len(raw) <= _LARGE_MESSAGE:
            self._message = dialect.messages.WatchEventResponse.FromString(raw)

    @property
    def peer_event(self) -> tuple[int, PeerMessage] | None:
        """Type and peer of a peer event, None for a table event."""
        if self._message is None or not self._message.HasField("peer"):
            return None
        return self._message.peer.type, self._message.peer.peer

    @property
    def is_large(self) -> bool:
        """True when the message holds a table in one piece and should be read in slices."""
        return self._message is None

    def paths(self) -> "Iterator[PathMessage]":
        """Yield the paths of a table event."""
        if self._message is not None:
            yield from self._message.table.paths
            return
        kind = self._dialect.messages.Path
        for start, end in split_table(self._raw):
            yield kind.FromString(self._raw[start:end])


def split_table(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each path of an encoded table event starts and ends, without decoding it all at once.

    Raises SourceError when the octets are not what GoBGP sends.
    """
    position, total = 0, len(raw)
    if not raw or raw[0] != _TABLE_TAG:
        raise SourceError("a large event is not a table")
    size, position = _varint(raw, 1)
    if position + size != total:
        raise SourceError("a large event holds more than a table")
    while position < total:
        tag = raw[position]
        size, position = _varint(raw, position + 1)
        if tag & 7 != 2 or position + size > total:
            raise SourceError("a large event is broken")
        if tag == _PATH_TAG:
            yield position, position + size
        position += size


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(raw) and shift < 64:
        octet = raw[position]
        position += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, position
        shift += 7
    raise SourceError("a large event is cut short")


def core_of(details: str) -> str:
    """Return what happened in grpc's words of a failed connection: the system's own, where they are at the end."""
    found = _CONNECT_FAILED.search(details)
    return f"cannot connect: {found[1]}" if found else details


def _named(address: str) -> str:
    if not address:
        raise SourceRefused("an empty peer address would mean every peer; name one")
    return address


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    try:
        return grpc.ssl_channel_credentials(tls.ca.read_bytes(), tls.key.read_bytes(), tls.cert.read_bytes())
    except OSError as error:
        raise SourceRefused(f"tls: cannot read {error.filename}: {error.strerror}") from error
