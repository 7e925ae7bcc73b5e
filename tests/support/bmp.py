"""Writes BMP messages and the BGP messages inside them, from the RFCs and not from the reader that it is to test.

Everything is checked by nothing: lengths, flags and numbers are what a test asks for, so that wrong ones can be written too.
Source: RFC 7854, RFC 8671, RFC 9069; RFC 4271, 4760, 5492, 6793, 7911, 4724, 9072.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

AfiSafi = tuple[int, int]
"""An address family as BGP numbers it: AFI and SAFI."""

IPV4: AfiSafi = (1, 1)
IPV6: AfiSafi = (2, 1)
VPN_IPV4: AfiSafi = (1, 128)

ROUTES, STATISTICS, PEER_DOWN, PEER_UP, INITIATION, TERMINATION, MIRROR = range(7)
"""BMP message types."""

V_FLAG, L_FLAG, A_FLAG, O_FLAG = 0x80, 0x40, 0x20, 0x10
"""Flags of the per-peer header: IPv6, post-policy, AS numbers of two octets, Adj-RIB-Out."""

OPTIONAL, TRANSITIVE, PARTIAL, EXTENDED_LENGTH = 0x80, 0x40, 0x20, 0x10
"""Flags of a path attribute."""

SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
"""Types of AS path segments."""

USUAL_FLAGS = {
    1: 0x40,
    2: 0x40,
    3: 0x40,
    4: 0x80,
    5: 0x40,
    6: 0x40,
    7: 0xC0,
    8: 0xC0,
    9: 0x80,
    10: 0x80,
    14: 0x80,
    15: 0x80,
    16: 0xC0,
    17: 0xC0,
    18: 0xC0,
    32: 0xC0,
}
"""The flags that each attribute has to have."""

_MARKER = b"\xff" * 16

# The messages of BMP


def message(kind: int, body: bytes = b"", *, version: int = 3, length: int | None = None) -> bytes:
    """A BMP message; *length* is a wrong one."""
    return struct.pack(">BIB", version, 6 + len(body) if length is None else length, kind) + body


def information(kind: int, value: bytes, *, length: int | None = None) -> bytes:
    """An information TLV; *length* is a wrong one."""
    return struct.pack(">HH", kind, len(value) if length is None else length) + value


def initiation(name: str = "rr1", description: str = "a router", *more: bytes) -> bytes:
    """An Initiation with both of its texts, and *more* TLVs."""
    return message(INITIATION, information(2, name.encode()) + information(1, description.encode()) + b"".join(more))


def termination(*tlvs: bytes) -> bytes:
    """A Termination."""
    return message(TERMINATION, b"".join(tlvs))


# OPEN and NOTIFICATION of BGP


def bgp(kind: int, body: bytes = b"", *, length: int | None = None, marker: bytes = _MARKER) -> bytes:
    """A BGP message with its header; *length* is a wrong one."""
    return marker + struct.pack(">HB", 19 + len(body) if length is None else length, kind) + body


def capability(code: int, value: bytes = b"") -> bytes:
    """A capability (RFC 5492)."""
    return bytes((code, len(value))) + value


def multiprotocol(family: AfiSafi) -> bytes:
    """The capability to speak a family."""
    return capability(1, struct.pack(">HBB", family[0], 0, family[1]))


def four_octet_as(asn: int) -> bytes:
    """The capability of AS numbers of four octets, and the sender's own."""
    return capability(65, asn.to_bytes(4, "big"))


def add_path(modes: Mapping[AfiSafi, int]) -> bytes:
    """The add-path capability; a mode is 1 to receive, 2 to send, 3 for both."""
    return capability(69, b"".join(struct.pack(">HBB", *family, mode) for family, mode in modes.items()))


def graceful_restart(seconds: int, *families: AfiSafi, notifications: bool = False, forwarding: bool = True) -> bytes:
    """The graceful restart capability; *forwarding* says that the forwarding state of the families was kept."""
    head = (0x4000 if notifications else 0) | seconds
    kept = b"".join(struct.pack(">HBB", *family, 0x80 if forwarding else 0) for family in families)
    return capability(64, head.to_bytes(2, "big") + kept)


def open_message(
    asn: int,
    router_id: str,
    *capabilities: bytes,
    hold_time: int = 90,
    apart: bool = False,
    extended: int | None = None,
) -> bytes:
    """An OPEN.

    Capabilities share one optional parameter, or have one each where they stand *apart*.  With *extended* the long format of
    RFC 9072 is used, and its value stands where the short format has the length.
    """
    groups = list(capabilities) if apart else [b"".join(capabilities)] if capabilities else []
    if extended is None:
        parameters = b"".join(bytes((2, len(group))) + group for group in groups)
        tail = bytes((len(parameters),)) + parameters
    else:
        parameters = b"".join(struct.pack(">BH", 2, len(group)) + group for group in groups)
        tail = struct.pack(">BBH", extended, 255, len(parameters)) + parameters
    two = asn if asn < 1 << 16 else 23456
    return bgp(1, struct.pack(">BHH", 4, two, hold_time) + ip_address(router_id).packed + tail)


def notification(code: int, subcode: int, data: bytes = b"") -> bytes:
    """A NOTIFICATION."""
    return bgp(3, bytes((code, subcode)) + data)


def shutdown_words(words: str) -> bytes:
    """The communication of an administrator (RFC 9003), as the data of a NOTIFICATION."""
    encoded = words.encode()
    return bytes((len(encoded),)) + encoded


# UPDATE of BGP


def attribute(code: int, value: bytes = b"", flags: int | None = None, *, length: int | None = None) -> bytes:
    """A path attribute with its usual flags, or with *flags*; *length* is a wrong one."""
    said = USUAL_FLAGS.get(code, OPTIONAL | TRANSITIVE) if flags is None else flags
    size = len(value) if length is None else length
    if size > 255 or said & EXTENDED_LENGTH:
        return struct.pack(">BBH", said | EXTENDED_LENGTH, code, size) + value
    return bytes((said, code, size)) + value


def segment(kind: int, *numbers: int, size: int = 4) -> bytes:
    """A segment of an AS path, with AS numbers of *size* octets."""
    return bytes((kind, len(numbers))) + b"".join(number.to_bytes(size, "big") for number in numbers)


def origin(value: int = 0) -> bytes:
    """ORIGIN: 0 IGP, 1 EGP, 2 incomplete."""
    return attribute(1, bytes((value,)))


def as_path(*segments: bytes) -> bytes:
    """AS_PATH."""
    return attribute(2, b"".join(segments))


def sequence(*numbers: int, size: int = 4) -> bytes:
    """AS_PATH of one AS_SEQUENCE."""
    return as_path(segment(SEQUENCE, *numbers, size=size))


def next_hop(address: str) -> bytes:
    """NEXT_HOP."""
    return attribute(3, ip_address(address).packed)


def number(code: int, value: int) -> bytes:
    """An attribute of four octets: MULTI_EXIT_DISC (4) or LOCAL_PREF (5)."""
    return attribute(code, value.to_bytes(4, "big"))


def communities(*values: int) -> bytes:
    """COMMUNITIES."""
    return attribute(8, b"".join(value.to_bytes(4, "big") for value in values))


def usual(*more: bytes, path: bytes | None = None, hop: str | None = "192.0.2.2") -> bytes:
    """The attributes that a path has to have, and *more*; without a *hop* there is no NEXT_HOP."""
    return b"".join((origin(), sequence(65001) if path is None else path, next_hop(hop) if hop else b"", *more))


def nlri(*prefixes: str | tuple[int, str]) -> bytes:
    """Prefixes one after the other, those with a number in front with a path identifier; host bits stay as they are."""
    return b"".join(_entry(prefix) for prefix in prefixes)


def _entry(prefix: str | tuple[int, str]) -> bytes:
    if not isinstance(prefix, str):
        return prefix[0].to_bytes(4, "big") + _entry(prefix[1])
    address, _, length = prefix.partition("/")
    bits = int(length)
    return bytes((bits,)) + ip_address(address).packed[: (bits + 7) // 8]


def key(prefix: str) -> bytes:
    """What a prefix without host bits is on the wire."""
    return _entry(str(ip_network(prefix)))


def mp_reach(family: AfiSafi, hop: bytes, prefixes: bytes, *, flags: int | None = None) -> bytes:
    """MP_REACH_NLRI."""
    value = struct.pack(">HBB", *family, len(hop)) + hop + b"\0" + prefixes
    return attribute(14, value, flags)


def mp_unreach(family: AfiSafi, prefixes: bytes = b"") -> bytes:
    """MP_UNREACH_NLRI."""
    return attribute(15, struct.pack(">HB", *family) + prefixes)


def content(withdrawn: bytes = b"", attributes: bytes = b"", prefixes: bytes = b"") -> bytes:
    """What an UPDATE says, without the BGP header."""
    sizes = len(withdrawn).to_bytes(2, "big"), len(attributes).to_bytes(2, "big")
    return sizes[0] + withdrawn + sizes[1] + attributes + prefixes


def update(withdrawn: bytes = b"", attributes: bytes = b"", prefixes: bytes = b"") -> bytes:
    """An UPDATE."""
    return bgp(2, content(withdrawn, attributes, prefixes))


def end_of_rib(family: AfiSafi = IPV4) -> bytes:
    """An End-of-RIB (RFC 4724 section 2)."""
    return update() if family == IPV4 else update(attributes=mp_unreach(family))


# Peers


@dataclass(frozen=True)
class Monitored:
    """A peer of the speaker, and what each end of its session says in its OPEN.

    ``kind``, ``distinguisher`` and ``router_id`` go into the per-peer header as they are; ``families`` are spoken by both.
    ``sent`` and ``received`` are further capabilities of the speaker and of the peer.
    """

    address: str = "192.0.2.2"
    asn: int = 65001
    router_id: str = "10.255.0.1"
    local_address: str = "192.0.2.1"
    local_asn: int = 65000
    local_router_id: str = "10.255.0.254"
    kind: int = 0
    distinguisher: bytes = bytes(8)
    families: tuple[AfiSafi, ...] = (IPV4,)
    sent: tuple[bytes, ...] = ()
    received: tuple[bytes, ...] = ()
    wide: bool = True

    def header(self, seconds: int = 0, flags: int = 0, *, router_id: str | None = None) -> bytes:
        """The per-peer header; the V flag comes by itself."""
        address = ip_address(self.address)
        return struct.pack(
            ">BB8s16sI4sII",
            self.kind,
            flags | (V_FLAG if address.version == 6 else 0),
            self.distinguisher,
            address.packed.rjust(16, b"\0"),
            self.asn,
            ip_address(self.router_id if router_id is None else router_id).packed,
            seconds,
            0,
        )

    def opens(self) -> tuple[bytes, bytes]:
        """The OPEN that the speaker sent, and the one that it received."""
        spoken = [multiprotocol(family) for family in self.families]
        ends = ((self.local_asn, self.local_router_id, self.sent), (self.asn, self.router_id, self.received))
        sent, received = (
            open_message(asn, name, *spoken, *((four_octet_as(asn),) if self.wide else ()), *more)
            for asn, name, more in ends
        )
        return sent, received

    def up(self, seconds: int = 0, flags: int = 0) -> bytes:
        """A Peer Up."""
        local = ip_address(self.local_address).packed.rjust(16, b"\0")
        ports = struct.pack(">HH", 179, 40000)
        return message(PEER_UP, self.header(seconds, flags) + local + ports + b"".join(self.opens()))

    def routes(self, bgp_message: bytes, seconds: int = 0, flags: int = 0) -> bytes:
        """A Route Monitoring."""
        return message(ROUTES, self.header(seconds, flags) + bgp_message)

    def announce(self, *prefixes: str, seconds: int = 0, flags: int = 0) -> bytes:
        """A Route Monitoring that announces IPv4 prefixes with the usual attributes."""
        path = sequence(*((self.asn,) if self.asn != self.local_asn else ()))
        if self.asn == self.local_asn:
            path = as_path()
        return self.routes(update(attributes=usual(path=path), prefixes=nlri(*prefixes)), seconds, flags)

    def mark(self, family: AfiSafi = IPV4, seconds: int = 0, flags: int = 0) -> bytes:
        """A Route Monitoring with an End-of-RIB."""
        return self.routes(end_of_rib(family), seconds, flags)

    def down(self, reason: int, data: bytes = b"", *, router_id: str | None = None) -> bytes:
        """A Peer Down."""
        return message(PEER_DOWN, self.header(router_id=router_id) + bytes((reason,)) + data)

    def statistics(self, *counters: bytes, flags: int = 0) -> bytes:
        """A Statistics Report."""
        return message(STATISTICS, self.header(0, flags) + len(counters).to_bytes(4, "big") + b"".join(counters))


def counter(kind: int, value: int) -> bytes:
    """A counter or gauge of a Statistics Report, in the size that its type has: 7, 8 and 17 up have eight octets."""
    return information(kind, value.to_bytes(8 if kind in {7, 8} else 4, "big"))


def family_counter(kind: int, family: AfiSafi, value: int) -> bytes:
    """A gauge of one family in a Statistics Report."""
    return information(kind, struct.pack(">HBQ", *family, value))
