"""Path attributes on the wire into ``PathAttributes``, malformed ones as RFC 7606 says; pure.

Source: RFC 4271 section 4.3 and 5, RFC 4456, RFC 4360, RFC 1997, RFC 8092, RFC 6793, RFC 2545, RFC 8950, RFC 7606 section 7.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from monitor.rib.attribute import AsPath, Origin, PathAttributes, SegmentType
from monitor.rib.nexthop import is_link_local

ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES = range(1, 9)
ORIGINATOR_ID, CLUSTER_LIST = 9, 10
MP_REACH, MP_UNREACH, EXTENDED_COMMUNITIES, AS4_PATH, AS4_AGGREGATOR = range(14, 19)
LARGE_COMMUNITIES = 32

AS_TRANS = 23456
"""Stands for an AS number of four octets where there is room for two, RFC 6793."""

LLGR_STALE = 0xFFFF0006
"""A path that is only kept by long-lived graceful restart, RFC 9494."""

OPTIONAL, _TRANSITIVE, _LONG = 0x80, 0x40, 0x10
SHAPE = OPTIONAL | _TRANSITIVE
"""The flags that the kind of an attribute fixes."""
_WELL_KNOWN = _TRANSITIVE
_SHAPES = {
    ORIGIN: _WELL_KNOWN,
    AS_PATH: _WELL_KNOWN,
    NEXT_HOP: _WELL_KNOWN,
    MED: OPTIONAL,
    LOCAL_PREF: _WELL_KNOWN,
    ATOMIC_AGGREGATE: _WELL_KNOWN,
    AGGREGATOR: OPTIONAL | _TRANSITIVE,
    COMMUNITIES: OPTIONAL | _TRANSITIVE,
    ORIGINATOR_ID: OPTIONAL,
    CLUSTER_LIST: OPTIONAL,
    MP_REACH: OPTIONAL,
    MP_UNREACH: OPTIONAL,
    EXTENDED_COMMUNITIES: OPTIONAL | _TRANSITIVE,
    AS4_PATH: OPTIONAL | _TRANSITIVE,
    AS4_AGGREGATOR: OPTIONAL | _TRANSITIVE,
    LARGE_COMMUNITIES: OPTIONAL | _TRANSITIVE,
}
"""The optional and transitive flags that an attribute has to have."""

_UNSPECIFIED = frozenset({b"", bytes(4), bytes(16)})
_NEXT_HOP_LENGTHS = frozenset({4, 16, 32})


class Context(NamedTuple):
    """What attributes mean depends on: the session, and where the path was taken.

    ``wide`` means AS numbers of four octets.  ``post`` means after the speaker's import policy, which has dealt with loops and
    may have set LOCAL_PREF.  ``link_local`` is the packed address of a link-local peer, else empty.  ``prepended`` means that the
    speaker puts its own AS in front.
    """

    local_asn: int
    local_router_id: bytes
    external: bool
    wide: bool
    post: bool
    link_local: bytes = b""
    prepended: bool = False


class Told(NamedTuple):
    """An attribute set that can be used.

    ``looped`` means that the path has been through the speaker's own AS, or began at the speaker itself.  ``stale`` means that
    somebody on its way only keeps it (RFC 9494).
    """

    attributes: PathAttributes
    looped: bool
    stale: bool


class Unusable(Exception):
    """An attribute is malformed or missing so that the UPDATE counts as a withdrawal (RFC 7606 section 2)."""


def fields(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield flags, code, and where the value begins and ends of each attribute; Unusable where a length does not fit."""
    at, end = 0, len(data)
    while at < end:
        if end - at < 3:
            raise Unusable("an attribute that is cut short")
        flags, code = data[at], data[at + 1]
        if flags & _LONG:
            if end - at < 4:
                raise Unusable("an attribute that is cut short")
            start = at + 4
            stop = start + (data[at + 2] << 8 | data[at + 3])
        else:
            start = at + 3
            stop = start + data[at + 2]
        if stop > end:
            raise Unusable(f"attribute {code} is longer than what is left")
        yield flags, code, start, stop
        at = stop


def read(data: bytes, next_hop: bytes | None, context: Context) -> Told:
    """Return the set that *data* encodes, without MP_REACH and MP_UNREACH.

    *next_hop* is that of MP_REACH, None where NEXT_HOP stands for it.  Raises Unusable.
    """
    values: dict[int, bytes] = {}
    for flags, code, start, stop in fields(data):
        shape = _SHAPES.get(code)
        if shape is None:
            if not flags & OPTIONAL:
                raise Unusable(f"attribute {code} is well-known, but not to us")
            continue
        if flags & SHAPE != shape:
            raise Unusable(f"attribute {code} with flags {flags:#04x}")
        # Only the first of several counts, RFC 7606 section 3 g.
        values.setdefault(code, data[start:stop])
    as_path = _as_path(values, wide=context.wide)
    if context.prepended:
        as_path = _without_first(as_path, context.local_asn)
    hop, link_local = _next_hops(values, next_hop, context)
    communities = _numbers(values, COMMUNITIES)
    originator, clusters = _reflection(values, external=context.external)
    attributes = PathAttributes(
        next_hop=hop,
        link_local=link_local,
        as_path=as_path,
        origin=_origin(values),
        med=_number(values, MED),
        local_pref=_number(values, LOCAL_PREF) if context.post or not context.external else None,
        communities=communities,
        large_communities=_large(values),
        extended_communities=_extended(values),
        originator_id=originator,
        cluster_list_length=clusters,
    )
    looped = not context.post and (
        any(context.local_asn in numbers for _, numbers in as_path)
        or (bool(originator) and originator == context.local_router_id)
    )
    return Told(attributes, looped, LLGR_STALE in communities)


def _origin(values: dict[int, bytes]) -> Origin:
    value = values.get(ORIGIN, b"")
    if len(value) != 1 or value[0] > Origin.INCOMPLETE:
        raise Unusable("no ORIGIN" if ORIGIN not in values else f"ORIGIN {value[:4].hex()}")
    return Origin(value[0])


def _number(values: dict[int, bytes], code: int) -> int | None:
    value = values.get(code)
    if value is None:
        return None
    if len(value) != 4:
        raise Unusable(f"attribute {code} of {len(value)} octets")
    return int.from_bytes(value, "big")


def _pieces(values: dict[int, bytes], code: int, size: int) -> list[bytes]:
    """Return the parts of an attribute that is a list; an empty one is malformed."""
    value = values.get(code)
    if value is None:
        return []
    if not value or len(value) % size:
        raise Unusable(f"attribute {code} of {len(value)} octets")
    return [value[at : at + size] for at in range(0, len(value), size)]


def _numbers(values: dict[int, bytes], code: int) -> tuple[int, ...]:
    return tuple(int.from_bytes(piece, "big") for piece in _pieces(values, code, 4))


def _large(values: dict[int, bytes]) -> tuple[tuple[int, int, int], ...]:
    return tuple(struct.unpack(">III", piece) for piece in _pieces(values, LARGE_COMMUNITIES, 12))


def _extended(values: dict[int, bytes]) -> tuple[bytes, ...]:
    return tuple(_pieces(values, EXTENDED_COMMUNITIES, 8))


def _reflection(values: dict[int, bytes], *, external: bool) -> tuple[bytes, int]:
    """Return ORIGINATOR_ID and the number of clusters; from an external peer both are left out (RFC 7606 section 7.9, 7.10)."""
    if external:
        return b"", 0
    originator = values.get(ORIGINATOR_ID, b"")
    if ORIGINATOR_ID in values and len(originator) != 4:
        raise Unusable(f"ORIGINATOR_ID of {len(originator)} octets")
    return originator, len(_pieces(values, CLUSTER_LIST, 4))


def _next_hops(values: dict[int, bytes], mp: bytes | None, context: Context) -> tuple[bytes, bytes]:
    """Return next hop and the link-local half of it: global, link-local or both (RFC 2545 section 3)."""
    if mp is None:
        hop = values.get(NEXT_HOP, b"")
        if len(hop) != 4:
            raise Unusable(f"NEXT_HOP of {len(hop)} octets" if NEXT_HOP in values else "no NEXT_HOP")
        return hop, b""
    if len(mp) not in _NEXT_HOP_LENGTHS:
        raise Unusable(f"MP_REACH_NLRI with a next hop of {len(mp)} octets")
    hop, second = mp[:16], mp[16:]
    link_local = second if is_link_local(second) else b""
    if is_link_local(hop) or hop in _UNSPECIFIED:
        # Some speakers put nothing, or the link-local address twice, where there is no global one.
        hop = link_local or (hop if is_link_local(hop) else context.link_local or hop)
        link_local = b""
    return hop, link_local


def _as_path(values: dict[int, bytes], *, wide: bool) -> AsPath:
    value = values.get(AS_PATH)
    if value is None:
        raise Unusable("no AS_PATH")
    path = _segments(value, 4 if wide else 2)
    if wide or AS4_PATH not in values:
        return path
    aggregator = values.get(AGGREGATOR)
    if aggregator is not None and AS4_AGGREGATOR in values and aggregator[:2] != AS_TRANS.to_bytes(2, "big"):
        return path  # a speaker on the way knows nothing of four octets, and has aggregated: RFC 6793 section 4.2.3
    try:
        return _merged(path, _segments(values[AS4_PATH], 4))
    except Unusable:
        return path  # RFC 6793 section 6: a malformed AS4_PATH is left out


def _without_first(path: AsPath, asn: int) -> AsPath:
    """Return an AS path without *asn* where that stands first."""
    if not path or path[0][0] is not SegmentType.AS_SEQUENCE or path[0][1][0] != asn:
        return path
    kind, numbers = path[0]
    return ((kind, numbers[1:]), *path[1:]) if len(numbers) > 1 else path[1:]


def _segments(value: bytes, size: int) -> AsPath:
    segments: list[tuple[SegmentType, tuple[int, ...]]] = []
    at = 0
    while at < len(value):
        if len(value) - at < 2:
            raise Unusable("AS_PATH that is cut short")
        kind, count = value[at], value[at + 1]
        stop = at + 2 + count * size
        if not count or stop > len(value) or not 1 <= kind <= 4:
            raise Unusable(f"AS_PATH with a segment of type {kind} and {count} numbers")
        letters = "I" if size == 4 else "H"
        segments.append((SegmentType(kind), struct.unpack_from(f">{count}{letters}", value, at + 2)))
        at = stop
    return tuple(segments)


def _merged(path: AsPath, newer: AsPath) -> AsPath:
    """Return AS_PATH with the AS numbers of AS4_PATH in place of its last ones, RFC 6793 section 4.2.3."""
    newer = tuple(segment for segment in newer if segment[0] in {SegmentType.AS_SET, SegmentType.AS_SEQUENCE})
    surplus = _count(path) - _count(newer)
    if surplus < 0:
        return path
    head: list[tuple[SegmentType, tuple[int, ...]]] = []
    for kind, numbers in path:
        # Confederation segments count for nothing, and go with the segments before them.
        if kind in {SegmentType.AS_SEQUENCE, SegmentType.AS_SET} and surplus <= 0:
            break
        taken = numbers[:surplus] if kind is SegmentType.AS_SEQUENCE else numbers
        head.append((kind, taken))
        surplus -= _count(((kind, taken),))
        if len(taken) < len(numbers):
            break
    if head and newer and head[-1][0] is newer[0][0] is SegmentType.AS_SEQUENCE:
        kind, numbers = head.pop()
        return (*head, (kind, numbers + newer[0][1]), *newer[1:])
    return (*head, *newer)


def _count(path: AsPath) -> int:
    return sum(
        len(numbers) if kind is SegmentType.AS_SEQUENCE else kind is SegmentType.AS_SET for kind, numbers in path
    )
