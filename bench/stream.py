"""A BMP stream in memory: a speaker with one peer, and that peer's table in UPDATEs of a chosen number of prefixes."""

import ipaddress
import struct
from collections.abc import Iterator
from itertools import groupby, islice

from lab.routes import Announcement, bulk
from monitor.bmp.attribute import AS_PATH, COMMUNITIES, MP_REACH, NEXT_HOP, ORIGIN
from monitor.bmp.wire import COMMON, PEER_HEADER, VERSION, Flag, Kind

LOCAL_ASN, PEER_ASN = 65000, 65001
PEER = {"ipv4": "10.1.0.1", "ipv6": "fd00:1::1"}
WHEN = 1_700_000_000

_TRANSITIVE, _OPTIONAL, _LONG = 0x40, 0x80, 0x10
_AFI = {"ipv4": 1, "ipv6": 2}


def stream(count: int, family: str, together: int, attributes: int) -> bytes:
    """Return a Peer Up and then *count* paths, at most *together* in one UPDATE.

    *attributes* prefixes in a row share an attribute set; an UPDATE has one set only.
    """
    messages = [_peer_up(family)]
    messages += (_route_monitoring(family, update) for update in _updates(count, family, together, attributes))
    return b"".join(messages)


def _updates(count: int, family: str, together: int, attributes: int) -> Iterator[bytes]:
    for _, same in groupby(
        bulk(count, family, attributes=attributes), lambda route: (route.as_path, route.communities)
    ):
        while routes := list(islice(same, together)):
            yield _update(family, routes)


def _update(family: str, routes: list[Announcement]) -> bytes:
    path = (PEER_ASN, *routes[0].as_path)
    communities = [int(high) << 16 | int(low) for high, _, low in (c.partition(":") for c in routes[0].communities)]
    nlri = b"".join(_nlri(route.prefix) for route in routes)
    hop = ipaddress.ip_address(PEER[family]).packed
    written = b""
    if family == "ipv6":  # in front, RFC 7606 section 5.1
        reach = struct.pack(">HBB", _AFI[family], 1, len(hop)) + hop + b"\0" + nlri
        written, nlri = _attribute(_OPTIONAL, MP_REACH, reach), b""
    written += _attribute(_TRANSITIVE, ORIGIN, b"\0")
    written += _attribute(_TRANSITIVE, AS_PATH, struct.pack(f">BB{len(path)}I", 2, len(path), *path))
    if family == "ipv4":
        written += _attribute(_TRANSITIVE, NEXT_HOP, hop)
    written += _attribute(_TRANSITIVE | _OPTIONAL, COMMUNITIES, struct.pack(f">{len(communities)}I", *communities))
    return _bgp(2, struct.pack(">HH", 0, len(written)) + written + nlri)


def _nlri(prefix: str) -> bytes:
    network, _, length = prefix.partition("/")
    return bytes((int(length),)) + ipaddress.ip_address(network).packed[: (int(length) + 7) // 8]


def _attribute(flags: int, code: int, value: bytes) -> bytes:
    if len(value) > 255:
        return struct.pack(">BBH", flags | _LONG, code, len(value)) + value
    return struct.pack(">BBB", flags, code, len(value)) + value


def _bgp(kind: int, body: bytes) -> bytes:
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), kind) + body


def _peer_header(family: str) -> bytes:
    flags = Flag.IPV6 if family == "ipv6" else 0
    address = ipaddress.ip_address(PEER[family]).packed.rjust(16, b"\0")
    header = struct.pack(">BB8x16sI4sII", 0, flags, address, PEER_ASN, bytes((10, 1, 0, 1)), WHEN, 0)
    assert len(header) == PEER_HEADER
    return header


def _message(kind: Kind, body: bytes) -> bytes:
    return COMMON.pack(VERSION, COMMON.size + len(body), kind) + body


def _route_monitoring(family: str, update: bytes) -> bytes:
    return _message(Kind.ROUTE_MONITORING, _peer_header(family) + update)


def _peer_up(family: str) -> bytes:
    opens = b"".join(_open(asn, family) for asn in (LOCAL_ASN, PEER_ASN))
    return _message(Kind.PEER_UP, _peer_header(family) + bytes(16) + struct.pack(">HH", 179, 179) + opens)


def _open(asn: int, family: str) -> bytes:
    capabilities = struct.pack(">BBHBBBBI", 1, 4, _AFI[family], 0, 1, 65, 4, asn)
    parameters = bytes((2, len(capabilities))) + capabilities
    return _bgp(1, struct.pack(">BHH4sB", 4, asn, 90, bytes((10, 0, 0, 1)), len(parameters)) + parameters)
