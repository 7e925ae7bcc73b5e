"""BMP messages as they stand on the wire; pure.

Source: RFC 7854 section 4, RFC 8671, RFC 9069; "BGP Monitoring Protocol (BMP) Parameters" of IANA.
"""

import enum
import ipaddress
import struct
from collections.abc import Iterator
from typing import NamedTuple

from programmer.route import Address

VERSION = 3
COMMON = struct.Struct(">BIB")
"""Common header: version, length of the whole message, type."""

LONGEST = 1 << 20
"""Octets of the longest message that is read: mirrored messages and long OPENs stay far below."""

PEER_HEADER = 42
PEER_IDENTITY = 34
"""The per-peer header up to its timestamp: what tells peers and views apart."""

PEER_ADDRESS_END = 25
"""Of a peer's identity, which is without flags: type, distinguisher and address."""

_PEER = struct.Struct(">BB8s16sI4sII")
_TLV = struct.Struct(">HH")
_BGP_HEADER = 19
_MARKER = b"\xff" * 16


class Kind(enum.IntEnum):
    """Message types, RFC 7854 section 4.1."""

    ROUTE_MONITORING = 0
    STATISTICS = 1
    PEER_DOWN = 2
    PEER_UP = 3
    INITIATION = 4
    TERMINATION = 5
    ROUTE_MIRRORING = 6


class PeerKind(enum.IntEnum):
    """Peer types, RFC 7854 section 4.2 and RFC 9069 section 4.1."""

    GLOBAL = 0
    RD = 1
    LOCAL = 2
    LOC_RIB = 3


class Flag(enum.IntFlag):
    """Flags of the per-peer header (RFC 7854 section 4.2, RFC 8671 section 4); those of a Loc-RIB are others."""

    IPV6 = 0x80
    POST_POLICY = 0x40
    LEGACY_AS_PATH = 0x20
    ADJ_RIB_OUT = 0x10


class Statistic(enum.IntEnum):
    """Types of statistics that are compared with what was told, RFC 7854 section 4.8."""

    ADJ_RIB_IN = 7
    ADJ_RIB_IN_FAMILY = 9


class Malformed(Exception):
    """The stream cannot be believed any more; the text says what was wrong."""


class PeerHeader(NamedTuple):
    """The per-peer header.  ``distinguisher`` and ``router_id`` are packed; ``seconds`` is the speaker's clock, 0 for unknown.

    ``identity`` are the octets that name the peer, without flags.
    """

    kind: int
    flags: int
    distinguisher: bytes
    address: Address
    asn: int
    router_id: bytes
    seconds: int
    identity: bytes


class PeerUp(NamedTuple):
    """A session came up: the speaker's end of it, and both OPEN messages with their BGP headers."""

    local_address: Address
    sent_open: bytes
    received_open: bytes


class PeerDown(NamedTuple):
    """A session went down.  ``notification`` is (code, subcode) of the NOTIFICATION that was sent or received, or None.

    ``words`` is the communication of an administrator (RFC 9003), empty for none; ``event`` is the number of the FSM event
    (RFC 4271 section 8.1) that came without a NOTIFICATION, None where it is not told.
    """

    reason: int
    notification: tuple[int, int] | None
    event: int | None
    words: str


LOCAL_NOTIFICATION, LOCAL_SILENT, REMOTE_NOTIFICATION, REMOTE_SILENT, DE_CONFIGURED, LOCAL_TLV = range(1, 7)
"""Reasons of a Peer Down, RFC 7854 section 4.9 and RFC 9069 section 4.4."""


class Framer:
    """Cuts a stream into messages.  Holds at most one unfinished message, whose length is bounded."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def unfinished(self) -> bool:
        """True while a message has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield type and body of each message that *data* completes; Malformed at the first that cannot be one."""
        buffer = self._rest + data if self._rest else data
        at, end = 0, len(buffer)
        unpack = COMMON.unpack_from
        while end - at >= COMMON.size:
            version, length, kind = unpack(buffer, at)
            if version != VERSION:
                raise Malformed(f"BMP version {version}, not {VERSION}: is this a BMP sender?")
            if not COMMON.size <= length <= LONGEST:
                raise Malformed(f"a message of {length:,} octets; the longest allowed is {LONGEST:,}")
            if end - at < length:
                break
            self._rest = b""
            yield kind, buffer[at + COMMON.size : at + length]
            at += length
        self._rest = buffer[at:]


def peer_header(body: bytes) -> PeerHeader:
    """Return the per-peer header at the beginning of a message's body."""
    if len(body) < PEER_HEADER:
        raise Malformed(f"a per-peer header of {len(body)} octets, not {PEER_HEADER}")
    kind, flags, distinguisher, packed, asn, router_id, seconds, _ = _PEER.unpack_from(body)
    # The V flag is of no meaning for a Loc-RIB, whose address is zero (RFC 9069 section 4.1).
    is_ipv6 = kind != PeerKind.LOC_RIB and flags & Flag.IPV6
    address = ipaddress.ip_address(packed if is_ipv6 else packed[12:])
    return PeerHeader(kind, flags, distinguisher, address, asn, router_id, seconds, body[:1] + body[2:PEER_IDENTITY])


def peer_up(body: bytes, *, ipv6: bool) -> PeerUp:
    """Return the body of a Peer Up; *ipv6* is the V flag of its header."""
    at = PEER_HEADER
    if len(body) < at + 20:
        raise Malformed(f"a Peer Up of {len(body)} octets")
    packed = body[at : at + 16]
    local = ipaddress.ip_address(packed if ipv6 else packed[12:])
    sent, at = _open(body, at + 20)
    received, _ = _open(body, at)
    return PeerUp(local, sent, received)


def _open(body: bytes, at: int) -> tuple[bytes, int]:
    """Return the OPEN message at *at*, and where it ends."""
    if len(body) < at + _BGP_HEADER or body[at + 18] != 1:
        raise Malformed("a Peer Up without both OPEN messages")
    length = int.from_bytes(body[at + 16 : at + 18], "big")
    if length < _BGP_HEADER + 10 or len(body) < at + length:
        raise Malformed(f"an OPEN of {length} octets in a Peer Up of {len(body)}")
    return body[at : at + length], at + length


def peer_down(body: bytes) -> PeerDown:
    """Return the body of a Peer Down; a NOTIFICATION that is cut short counts as none."""
    if len(body) < PEER_HEADER + 1:
        raise Malformed("a Peer Down without a reason")
    reason, data = body[PEER_HEADER], body[PEER_HEADER + 1 :]
    if reason in {LOCAL_NOTIFICATION, REMOTE_NOTIFICATION} and len(data) >= _BGP_HEADER + 2:
        code, subcode, rest = data[19], data[20], data[21:]
        # Administrative shutdown and reset carry a text, its length in front (RFC 9003).
        spoken = code == 6 and subcode in {2, 4} and rest and len(rest) > rest[0]
        words = rest[1 : 1 + rest[0]].decode(errors="replace") if spoken else ""
        return PeerDown(reason, (code, subcode), None, words)
    event = int.from_bytes(data[:2], "big") if reason == LOCAL_SILENT and len(data) >= 2 else None
    return PeerDown(reason, None, event, "")


def bgp_update(body: bytes) -> bytes | None:
    """Return the content of the UPDATE in a Route Monitoring, None where another BGP message stands there."""
    length = int.from_bytes(body[PEER_HEADER + 16 : PEER_HEADER + 18], "big")
    if length < _BGP_HEADER or len(body) < PEER_HEADER + length or body[PEER_HEADER : PEER_HEADER + 16] != _MARKER:
        raise Malformed(f"a BGP message of {length} octets in a Route Monitoring of {len(body)}")
    if body[PEER_HEADER + 18] != 2:
        return None
    return body[PEER_HEADER + _BGP_HEADER : PEER_HEADER + length]


def tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each information TLV, RFC 7854 section 4.4."""
    at = 0
    while at < len(data):
        if len(data) - at < _TLV.size:
            raise Malformed("a TLV that is cut short")
        kind, length = _TLV.unpack_from(data, at)
        at += _TLV.size
        if len(data) - at < length:
            raise Malformed(f"a TLV of {length} octets where {len(data) - at} are left")
        yield kind, data[at : at + length]
        at += length


def statistics(body: bytes) -> list[tuple[int, bytes]]:
    """Return type and value of each counter of a Statistics Report."""
    if len(body) < PEER_HEADER + 4:
        raise Malformed("a Statistics Report without a count")
    return list(tlvs(body[PEER_HEADER + 4 :]))


TERMINATIONS = {
    0: "the administrator closed it",
    1: "no reason given",
    2: "out of resources",
    3: "redundant connection",
    4: "permanently closed by the administrator",
}
"""Reasons of a Termination, RFC 7854 section 4.5."""


def termination_text(body: bytes) -> str:
    """Return why the speaker ends the connection, for people."""
    words = "no reason given"
    for kind, value in tlvs(body):
        if kind == 0:
            words = value.decode(errors="replace")
        elif kind == 1:
            number = int.from_bytes(value[:2], "big")
            words = TERMINATIONS.get(number, f"reason {number}")
    return words
