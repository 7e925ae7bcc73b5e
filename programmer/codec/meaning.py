"""What one route message says, attribute by attribute: the slow and complete way."""

from collections.abc import Iterator
from typing import NamedTuple

from programmer.codec import wire
from programmer.route import Family, Forwarding, NextHop, PrefixKey

_TYPE_NAMES = {
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
}
"""RTN_*, linux/rtnetlink.h; 1 is unicast, which is what we write."""

_ATTRIBUTE_NAMES = {
    2: "from",
    3: "iif",
    8: "metrics",
    11: "flow",
    16: "mark",
    19: "newdst",
    20: "pref",
    21: "encap-type",
    22: "encap",
    23: "expires",
    25: "uid",
    26: "ttl-propagate",
    30: "nhid",
}
"""RTA_*, linux/rtnetlink.h: those that we do not model."""

_EXPIRES_AT = 8
"""Offset of rta_expires in struct rta_cacheinfo."""


class Meaning(NamedTuple):
    """All that a route message says.

    ``plain_identity`` is false when the kernel tells the route from others by more than prefix, table and
                       metric (a
    type of service, a source prefix): we never write such, and cannot name them in a deletion.
    """

    key: PrefixKey
    table: int
    protocol: int
    forwarding: Forwarding
    cloned: bool
    dead: bool
    plain_identity: bool


class _Draft:
    """A route message as far as it was read."""

    def __init__(self, family: Family, table: int, flags: int) -> None:
        self.family = family
        self.table = table
        self.flags = flags
        self.address = b""
        self.metric = 0
        self.preferred_source = b""
        self.gateway = b""
        self.ifindex = 0
        self.next_hops: list[NextHop] = []
        self.foreign: list[str] = []

    def take(self, kind: int, payload: memoryview) -> None:
        """Take one attribute of the route itself."""
        if kind == wire.RTA_DST:
            self.address = _address(payload, self.family, "RTA_DST")
        elif kind == wire.RTA_TABLE:
            self.table = wire.u32(payload, "RTA_TABLE")
        elif kind == wire.RTA_PRIORITY:
            self.metric = wire.u32(payload, "RTA_PRIORITY")
        elif kind == wire.RTA_OIF:
            self.ifindex = wire.u32(payload, "RTA_OIF")
        elif kind in {wire.RTA_GATEWAY, wire.RTA_VIA}:
            self.gateway = _gateway(kind, payload, self.family)
        elif kind == wire.RTA_PREFSRC:
            self.preferred_source = _address(payload, self.family, "RTA_PREFSRC")
        elif kind == wire.RTA_MULTIPATH:
            self._take_multipath(payload)
        else:
            self.foreign.extend(_unmodelled(kind, payload))

    def _take_multipath(self, payload: memoryview) -> None:
        """Take RTA_MULTIPATH: a row of struct rtnexthop, each with attributes of its own."""
        offset, end = 0, len(payload)
        while offset < end:
            if end - offset < wire.NEXT_HOP.size:
                raise wire.CodecError(f"{end - offset} octets are too few for a next hop")
            length, flags, hops, ifindex = wire.NEXT_HOP.unpack_from(payload, offset)
            if not wire.NEXT_HOP.size <= length <= end - offset:
                raise wire.CodecError(f"a next hop claims {length} octets where {end - offset} are left")
            gateway = b""
            for kind, value in wire.attributes(payload[offset + wire.NEXT_HOP.size : offset + length]):
                if kind in {wire.RTA_GATEWAY, wire.RTA_VIA}:
                    gateway = _gateway(kind, value, self.family)
                else:
                    self.foreign.extend(_unmodelled(kind, value))
            self.flags |= flags
            self.next_hops.append(NextHop(gateway, ifindex, hops + 1))
            offset += wire.aligned(length)

    def forwarding(self) -> Forwarding:
        """Return the forwarding part, next hops in canonical order."""
        hops = self.next_hops
        if not hops and (self.gateway or self.ifindex):
            hops = [NextHop(self.gateway, self.ifindex)]
        if self.flags & wire.RTNH_F_ONLINK:
            self.foreign.append("onlink")
        text = ", ".join(sorted(set(self.foreign)))
        return Forwarding(self.metric, tuple(sorted(hops)), self.preferred_source, text)


def mean(message: memoryview, family: Family, interned: dict[Forwarding, Forwarding]) -> Meaning:
    """Return what a whole RTM_NEWROUTE or RTM_DELROUTE message of *family* says.

    What we do not model becomes ``foreign_attributes``.  Equal forwardings are one object, kept in
    *interned*. Raises CodecError.
    """
    if len(message) < wire.ATTRIBUTES_AT:
        raise wire.CodecError(f"a route message has {len(message)} octets")
    own_family, length, source_length, tos, table, protocol, scope, kind, flags = wire.ROUTE.unpack_from(
        message, wire.ROUTE_AT
    )
    if own_family != family:
        raise wire.CodecError(f"a route of address family {own_family} stands among {family.label} routes")
    if length > family.bits:
        raise wire.CodecError(f"an {family.label} prefix claims {length} bits")
    draft = _Draft(family, table, flags)
    for number, payload in wire.attributes(message[wire.ATTRIBUTES_AT :]):
        draft.take(number, payload)
    draft.foreign.extend(_oddities(draft, kind, scope, source_length, tos))
    forwarding = draft.forwarding()
    forwarding = interned.setdefault(forwarding, forwarding)
    octets = (length + 7) >> 3
    return Meaning(
        bytes((length,)) + draft.address[:octets].ljust(octets, b"\0"),
        draft.table,
        protocol,
        forwarding,
        bool(flags & wire.RTM_F_CLONED),
        bool(draft.flags & (wire.RTNH_F_DEAD | wire.RTNH_F_LINKDOWN)),
        not source_length and not tos,
    )


def _oddities(draft: _Draft, kind: int, scope: int, source_length: int, tos: int) -> Iterator[str]:
    """Yield what the fixed part of a route message says beyond a plain unicast route."""
    if kind != wire.RTN_UNICAST:
        yield _TYPE_NAMES.get(kind, f"type {kind}")
    if source_length:
        yield f"from /{source_length}"
    if tos:
        yield f"tos {tos:#x}"
    if kind == wire.RTN_UNICAST and draft.family is Family.IPV4:
        gateway = draft.gateway or any(hop.gateway for hop in draft.next_hops)
        usual = wire.RT_SCOPE_UNIVERSE if gateway else wire.RT_SCOPE_LINK
        if scope != usual:
            yield f"scope {scope}"


def _unmodelled(kind: int, payload: memoryview) -> Iterator[str]:
    """Yield a description of an attribute that we never write, if it says anything."""
    if kind == wire.RTA_PREF and not any(payload):
        return
    if kind == wire.RTA_CACHEINFO:
        if any(payload[_EXPIRES_AT : _EXPIRES_AT + 4]):
            yield "expires"
        return
    name = _ATTRIBUTE_NAMES.get(kind, f"attribute {kind}")
    if name == "expires":
        yield name
    elif kind == wire.RTA_NH_ID:
        yield f"{name} {wire.u32(payload, 'RTA_NH_ID')}"
    else:
        yield f"{name} {payload.hex()}"


def _gateway(kind: int, payload: memoryview, family: Family) -> bytes:
    """Return the address in RTA_GATEWAY or RTA_VIA."""
    if kind == wire.RTA_GATEWAY:
        return _address(payload, family, "RTA_GATEWAY")
    if len(payload) < wire.U16.size:
        raise wire.CodecError("RTA_VIA has no address family")
    via = wire.U16.unpack_from(payload)[0]
    if via not in {int(Family.IPV4), int(Family.IPV6)}:
        raise wire.CodecError(f"RTA_VIA has address family {via}")
    return _address(payload[2:], Family(via), "RTA_VIA")


def _address(payload: memoryview, family: Family, name: str) -> bytes:
    """Return an address in full length; raises CodecError if it has another."""
    if len(payload) << 3 != family.bits:
        raise wire.CodecError(f"{name} has {len(payload)} octets in an {family.label} route")
    return payload.tobytes()
