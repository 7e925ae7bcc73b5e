"""Decodes path attributes of both API generations into ``PathAttributes``; pure.

Source: GoBGP api/attribute.proto (3.x, one google.protobuf.Any each) and proto/api/attribute.proto (4.x, a
oneof).
"""

import ipaddress
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from monitor.gobgp._pb import v3_pb2, v4_pb2
from monitor.gobgp.dialect import Dialect
from monitor.rib.attribute import AsPath, Origin, PathAttributes, SegmentType
from monitor.rib.nexthop import is_link_local

UNSPECIFIED = frozenset({b"", bytes(4), bytes(16)})
"""Next hops that name nobody."""


class Decoded(NamedTuple):
    """An attribute set that is not interned yet.

    ``nameless`` is true when the only next hop is missing or unspecified: on an unnumbered session the
    peer's link-local address takes its place.  ``ignored`` counts parts that could not be understood and
    were left out.
    """

    attributes: PathAttributes
    nameless: bool
    ignored: int


def packed(text: str) -> bytes:
    """Return an address as octets without its zone, empty for anything else.

    GoBGP writes ``<nil>`` (3.x) or ``invalid IP`` (4.x) where there is none.
    """
    try:
        return ipaddress.ip_address(text.partition("%")[0]).packed
    except ValueError:
        return b""


def decode_attributes(dialect: Dialect, blobs: Iterable[bytes]) -> Decoded:
    """Return what the encoded attributes of one path say; google.protobuf's DecodeError for broken octets."""
    builder = _Builder()
    split = _split_v3 if dialect.generation == 3 else _split_v4
    for blob in blobs:
        name, message = split(blob)
        if read := _READERS.get(name):
            read(builder, message)
    return builder.finish()


class _Builder:
    """Collects fields until all attributes of a path are read."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.next_hop = b""
        self.link_local = b""
        self.ignored = 0

    def take_next_hops(self, texts: Sequence[str]) -> None:
        """Sort the next hops of MP_REACH_NLRI (RFC 2545 section 3): global, link-local, or both."""
        for text in texts:
            address = packed(text)
            if address in UNSPECIFIED:
                self.next_hop = self.next_hop or address
            elif is_link_local(address):
                self.link_local = address
            else:
                self.next_hop = address
        if self.next_hop in UNSPECIFIED and self.link_local:
            self.next_hop, self.link_local = self.link_local, b""

    def finish(self) -> Decoded:
        """Return the finished set."""
        attributes = PathAttributes(next_hop=self.next_hop, link_local=self.link_local, **self.fields)
        return Decoded(attributes, self.next_hop in UNSPECIFIED, self.ignored)


def _split_v3(blob: bytes) -> tuple[str, Any]:
    box = v3_pb2.Packed.FromString(blob)
    name = box.type_url.rpartition(".")[2]
    kind = _V3_CLASSES.get(name)
    return (name, kind.FromString(box.value)) if kind else ("", None)


def _split_v4(blob: bytes) -> tuple[str, Any]:
    attribute = v4_pb2.Attribute.FromString(blob)
    field = attribute.WhichOneof("attr")
    return (_V4_NAMES[field], getattr(attribute, field)) if field else ("", None)


def _origin(builder: _Builder, message: Any) -> None:
    known = message.origin <= Origin.INCOMPLETE
    builder.fields["origin"] = Origin(message.origin) if known else Origin.INCOMPLETE
    builder.ignored += not known


def _as_path(builder: _Builder, message: Any) -> None:
    segments: list[tuple[SegmentType, tuple[int, ...]]] = []
    for segment in message.segments:
        try:
            segments.append((SegmentType(segment.type), tuple(segment.numbers)))
        except ValueError:
            builder.ignored += 1
    path: AsPath = tuple(segments)
    builder.fields["as_path"] = path


def _next_hop(builder: _Builder, message: Any) -> None:
    builder.take_next_hops([message.next_hop])


def _mp_reach(builder: _Builder, message: Any) -> None:
    builder.take_next_hops(message.next_hops)


def _med(builder: _Builder, message: Any) -> None:
    builder.fields["med"] = message.med


def _local_pref(builder: _Builder, message: Any) -> None:
    builder.fields["local_pref"] = message.local_pref


def _communities(builder: _Builder, message: Any) -> None:
    builder.fields["communities"] = tuple(message.communities)


def _large_communities(builder: _Builder, message: Any) -> None:
    builder.fields["large_communities"] = tuple(
        (one.global_admin, one.local_data1, one.local_data2) for one in message.communities
    )


def _originator_id(builder: _Builder, message: Any) -> None:
    builder.fields["originator_id"] = packed(message.id)


def _cluster_list(builder: _Builder, message: Any) -> None:
    builder.fields["cluster_list_length"] = len(message.ids)


def _extended_communities(builder: _Builder, message: Any) -> None:
    found = []
    for one in message.communities:
        try:
            octets = _extended_octets(*_split_extended(one))
        except struct.error:
            octets = b""
        if len(octets) == 8:
            found.append(octets)
        else:
            builder.ignored += 1
    builder.fields["extended_communities"] = tuple(found)


def _split_extended(one: Any) -> tuple[str, Any]:
    if isinstance(one, v3_pb2.Packed):
        name = one.type_url.rpartition(".")[2]
        kind = _V3_EXTENDED.get(name)
        return (name, kind.FromString(one.value)) if kind else ("", None)
    field = one.WhichOneof("extcom")
    return (_V4_EXTENDED[field], getattr(one, field)) if field else ("", None)


def _extended_octets(name: str, one: Any) -> bytes:
    """Return the eight octets of an extended community, empty for kinds that we do not know.

    Source: RFC 4360, 5668, 8097, 9012.
    """
    match name:
        case "TwoOctetAsSpecificExtended":
            kind = 0x00 if one.is_transitive else 0x40
            return struct.pack(">BBHI", kind, one.sub_type, one.asn, one.local_admin)
        case "IPv4AddressSpecificExtended":
            kind = 0x01 if one.is_transitive else 0x41
            return struct.pack(">BB4sH", kind, one.sub_type, packed(one.address), one.local_admin)
        case "FourOctetAsSpecificExtended":
            kind = 0x02 if one.is_transitive else 0x42
            return struct.pack(">BBIH", kind, one.sub_type, one.asn, one.local_admin)
        case "LinkBandwidthExtended":
            return struct.pack(">BBHf", 0x40, 0x04, one.asn & 0xFFFF, one.bandwidth)
        case "ValidationExtended":
            return struct.pack(">BB5xB", 0x43, 0x00, one.state)
        case "ColorExtended":
            return struct.pack(">BBHI", 0x03, 0x0B, 0, one.color)
        case "OpaqueExtended":
            return bytes((0x03 if one.is_transitive else 0x43, *one.value))
        case "UnknownExtended":
            return struct.pack(">B", one.type) + bytes(one.value)
    return b""


_READERS: dict[str, Callable[[_Builder, Any], None]] = {
    "OriginAttribute": _origin,
    "AsPathAttribute": _as_path,
    "NextHopAttribute": _next_hop,
    "MultiExitDiscAttribute": _med,
    "LocalPrefAttribute": _local_pref,
    "CommunitiesAttribute": _communities,
    "OriginatorIdAttribute": _originator_id,
    "ClusterListAttribute": _cluster_list,
    "MpReachNLRIAttribute": _mp_reach,
    "ExtendedCommunitiesAttribute": _extended_communities,
    "LargeCommunitiesAttribute": _large_communities,
}

_V3_CLASSES: dict[str, Any] = {name: getattr(v3_pb2, name) for name in _READERS}


def _types_of(oneof: Any) -> dict[str, str]:
    """Return the message type of each field of a oneof."""
    return {field.name: field.message_type.name for field in oneof.fields}


_V4_NAMES = _types_of(v4_pb2.Attribute.DESCRIPTOR.oneofs_by_name["attr"])
_V4_EXTENDED = _types_of(v4_pb2.ExtendedCommunity.DESCRIPTOR.oneofs_by_name["extcom"])
_V3_EXTENDED: dict[str, Any] = {name: getattr(v3_pb2, name) for name in _V4_EXTENDED.values()}
