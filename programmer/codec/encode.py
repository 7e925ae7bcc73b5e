"""Turns changes to routes into route messages, a thousand in one buffer.

Everything but the prefix is the same for most routes of a batch, so it is prepared once for each distinct
forwarding (a template) and each message costs one ``Struct.pack``.
"""

import enum
import struct
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from programmer.codec import wire
from programmer.route import RESERVED_TABLES, Family, Forwarding, NextHop, PrefixKey

V = TypeVar("V", bound=Hashable)

MOST_TEMPLATES = 65_536
"""How many prepared forwardings are kept before all are dropped and made anew."""


class Action(enum.Enum):
    """What one message asks for: its type and its flags.

    REPLACE comes without NLM_F_CREATE, so that it fails on an absent route instead of making one.
    """

    ADD = (wire.RTM_NEWROUTE, wire.NLM_F_REQUEST | wire.NLM_F_CREATE | wire.NLM_F_EXCL)
    REPLACE = (wire.RTM_NEWROUTE, wire.NLM_F_REQUEST | wire.NLM_F_REPLACE)
    DELETE = (wire.RTM_DELROUTE, wire.NLM_F_REQUEST)


class _Template(NamedTuple):
    """One message, cut where it differs from route to route.

    ``pack(head, sequence, port, prefix length, middle, address, tail)`` gives the whole of it.
    """

    pack: Callable[..., bytes]
    head: bytes
    port: bytes
    middle: bytes
    tail: bytes


class Encoder(Generic[V]):
    """Encodes changes that carry one owner mark.

    *actions* maps the caller's own words for what to do onto ``Action``.
    """

    def __init__(self, actions: Mapping[V, Action], protocol: int) -> None:
        if not 0 < protocol < 256:
            raise ValueError(f"protocol {protocol} is outside 1..255")
        self._actions = dict(actions)
        self._protocol = protocol
        self._templates: dict[tuple[V, int, Family, Forwarding], _Template] = {}

    def encode(self, writes: Sequence[tuple[V, int, Family, PrefixKey, Forwarding]], sequence: int) -> bytes:
        """Return one buffer with a message for each of *writes*, numbered from *sequence*.

        Only the last one asks for an acknowledgement (NLM_F_ACK): a failure is always answered, and the
        last answer marks the end.

        Raises ValueError for what must never be sent: a reserved table, metric 0 (the kernel takes it for
        *any*), no next hop, or a gateway that does not fit the family.
        """
        parts: list[bytes] = []
        append = parts.append
        contexts: dict[tuple[V, int, Family], dict[int, _Template]] = {}
        known: dict[int, _Template] = {}
        last_verb: V | None = None
        last_family: Family | None = None
        last_table = -1
        for verb, table, family, key, forwarding in writes:
            if verb is not last_verb or table != last_table or family is not last_family:
                last_verb, last_table, last_family = verb, table, family
                known = contexts.setdefault((verb, table, family), {})
            template = known.get(id(forwarding))
            if template is None:
                template = known[id(forwarding)] = self._template(verb, table, family, forwarding)
            pack, head, port, middle, tail = template
            append(pack(head, sequence, port, key[0], middle, key[1:], tail))
            sequence = (sequence + 1) & 0xFFFFFFFF
        if parts:
            last = parts[-1]
            flags = wire.U16.unpack_from(last, 6)[0] | wire.NLM_F_ACK
            parts[-1] = last[:6] + wire.U16.pack(flags) + last[8:]
        return b"".join(parts)

    def _template(self, verb: V, table: int, family: Family, forwarding: Forwarding) -> _Template:
        """Return the prepared form of *forwarding*, made once for equal ones."""
        name = (verb, table, family, forwarding)
        if (template := self._templates.get(name)) is None:
            if len(self._templates) >= MOST_TEMPLATES:
                self._templates.clear()
            template = self._templates[name] = self._prepare(self._actions[verb], table, family, forwarding)
        return template

    def _prepare(self, action: Action, table: int, family: Family, forwarding: Forwarding) -> _Template:
        """Encode all of a message but its sequence number and prefix."""
        if table in RESERVED_TABLES or not 0 < table <= 0xFFFFFFFF:
            raise ValueError(f"table {table} is never programmed")
        if not 0 < forwarding.metric <= 0xFFFFFFFF:
            raise ValueError(f"metric {forwarding.metric} is outside 1..4294967295")
        tail = wire.attribute(wire.RTA_TABLE, wire.U32.pack(table))
        tail += wire.attribute(wire.RTA_PRIORITY, wire.U32.pack(forwarding.metric))
        if action is Action.DELETE:
            kind, scope = wire.RTN_UNSPEC, wire.RT_SCOPE_NOWHERE
            if family is Family.IPV6 and len(forwarding.next_hops) > 1:
                tail += _multipath(family, forwarding.next_hops)
        else:
            kind, scope = wire.RTN_UNICAST, _scope(family, forwarding.next_hops)
            if forwarding.preferred_source:
                _check_size(family, forwarding.preferred_source, "preferred source")
                tail += wire.attribute(wire.RTA_PREFSRC, forwarding.preferred_source)
            tail += _next_hops(family, forwarding.next_hops)
        octets = family.bits >> 3
        shape = struct.Struct(f"=8sI5sB14s{octets}s{len(tail)}s")
        message_type, flags = action.value
        head = wire.HEADER.pack(shape.size, message_type, flags, 0, 0)[:8]
        small_table = table if table < 256 else 0
        middle = wire.ROUTE.pack(0, 0, 0, 0, small_table, self._protocol, scope, kind, 0)[2:]
        middle += wire.ATTRIBUTE.pack(wire.ATTRIBUTE.size + octets, wire.RTA_DST)
        return _Template(shape.pack, head, bytes(4) + bytes((family,)), middle, tail)


def dump_request(family: Family, table: int, sequence: int, protocol: int = 0) -> bytes:
    """Return a request for all routes of one table, or only those with one owner's *protocol*.

    The kernel filters only where the socket has NETLINK_GET_STRICT_CHK set.
    """
    body = wire.ROUTE.pack(family, 0, 0, 0, table if table < 256 else 0, protocol, 0, 0, 0)
    body += wire.attribute(wire.RTA_TABLE, wire.U32.pack(table))
    flags = wire.NLM_F_REQUEST | wire.NLM_F_DUMP
    return wire.HEADER.pack(wire.HEADER.size + len(body), wire.RTM_GETROUTE, flags, sequence, 0) + body


def _scope(family: Family, next_hops: tuple[NextHop, ...]) -> int:
    """Return the scope of a route: an IPv4 route without any gateway reaches no further than the link."""
    if family is Family.IPV4 and not any(hop.gateway for hop in next_hops):
        return wire.RT_SCOPE_LINK
    return wire.RT_SCOPE_UNIVERSE


def _next_hops(family: Family, next_hops: tuple[NextHop, ...]) -> bytes:
    """Return the attributes that say where packets go."""
    if not next_hops:
        raise ValueError("a route needs at least one next hop")
    if len(next_hops) > 1:
        return _multipath(family, next_hops)
    (hop,) = next_hops
    link = wire.attribute(wire.RTA_OIF, wire.S32.pack(hop.ifindex)) if hop.ifindex else b""
    return _gateway(family, hop.gateway) + link


def _multipath(family: Family, next_hops: tuple[NextHop, ...]) -> bytes:
    """Return RTA_MULTIPATH: one struct rtnexthop with its gateway for each next hop."""
    parts = []
    for hop in next_hops:
        gateway = _gateway(family, hop.gateway)
        size = wire.NEXT_HOP.size + len(gateway)
        parts.append(wire.NEXT_HOP.pack(size, 0, hop.weight - 1, hop.ifindex) + gateway)
    return wire.attribute(wire.RTA_MULTIPATH, b"".join(parts))


def _gateway(family: Family, gateway: bytes) -> bytes:
    """Return RTA_GATEWAY, or RTA_VIA for an IPv6 gateway of an IPv4 prefix (RFC 8950), or nothing."""
    if not gateway:
        return b""
    if family is Family.IPV4 and len(gateway) == 16:
        return wire.attribute(wire.RTA_VIA, wire.U16.pack(Family.IPV6) + gateway)
    _check_size(family, gateway, "gateway")
    return wire.attribute(wire.RTA_GATEWAY, gateway)


def _check_size(family: Family, address: bytes, what: str) -> None:
    """Refuse an address that is not of *family*."""
    if len(address) << 3 != family.bits:
        raise ValueError(f"a {what} of {len(address)} octets does not fit an {family.label} route")
