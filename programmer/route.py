"""What a route is: families, prefix keys, next hops and forwarding values.

A million routes cannot be a million objects of five fields, so tables are dictionaries from a *prefix key* to an
interned ``Forwarding``.  Value objects with readable fields are made for the few rows that somebody looks at.
"""

import enum
import ipaddress
import socket
from typing import NamedTuple, NewType

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network

TableId = NewType("TableId", int)
"""A kernel routing table: 1 to 2**32-1 (``RTA_TABLE``)."""

PrefixKey = bytes
"""One octet of prefix length, then only the significant octets, host bits zero (RFC 4271 section 4.3, NLRI).

The family is not part of the key: every store holds one family.
"""

MAIN_TABLE = TableId(254)
"""RT_TABLE_MAIN, linux/rtnetlink.h."""

RESERVED_TABLES = frozenset({0, 253, 255})
"""RT_TABLE_UNSPEC, RT_TABLE_DEFAULT and RT_TABLE_LOCAL: never programmed."""

IPV6_DEFAULT_METRIC = 1024
"""What the kernel stores for an IPv6 route added without a metric (IP6_RT_PRIO_USER)."""

MAX_WEIGHT = 256
"""Linux stores an ECMP weight minus one in one octet (rtnexthop.rtnh_hops)."""


class Family(enum.IntEnum):
    """An address family; the value is the kernel's AF number."""

    IPV4 = socket.AF_INET
    IPV6 = socket.AF_INET6

    @property
    def label(self) -> str:
        """The name used in configuration, JSON and metrics: ``ipv4`` or ``ipv6``."""
        return "ipv4" if self is Family.IPV4 else "ipv6"

    @property
    def bits(self) -> int:
        """Length of an address in bits."""
        return 32 if self is Family.IPV4 else 128

    @classmethod
    def of_label(cls, label: str) -> "Family":
        """Return the family called *label*; raises ValueError for any other word."""
        for family in cls:
            if family.label == label:
                return family
        raise ValueError(f"{label!r} is not an address family; use ipv4 or ipv6")


def key_of(prefix: Prefix) -> PrefixKey:
    """Return the key of *prefix*."""
    length = prefix.prefixlen
    return bytes((length,)) + prefix.network_address.packed[: (length + 7) >> 3]


def family_of(prefix: Prefix | Address) -> Family:
    """Return the family of a prefix or an address."""
    return Family.IPV4 if prefix.version == 4 else Family.IPV6


def packed_network(family: Family, key: PrefixKey) -> bytes:
    """Return the network address of *key* in full length: 4 or 16 octets."""
    return key[1:].ljust(family.bits >> 3, b"\0")


def prefix_of(family: Family, key: PrefixKey) -> Prefix:
    """Return the prefix that *key* stands for."""
    network = packed_network(family, key)
    if family is Family.IPV4:
        return ipaddress.IPv4Network((network, key[0]))
    return ipaddress.IPv6Network((network, key[0]))


def text_of(family: Family, key: PrefixKey) -> str:
    """Return the prefix that *key* stands for as text, the way the kernel's own tools write it."""
    return f"{socket.inet_ntop(family, packed_network(family, key))}/{key[0]}"


def sort_key(key: PrefixKey) -> tuple[bytes, int]:
    """Order keys of one family by network address, then by length: covering prefixes come first."""
    return (key[1:].ljust(16, b"\0"), key[0])


def covering_key(key: PrefixKey, length: int) -> PrefixKey:
    """Return the key of the prefix of *length* bits that covers *key*; *length* is at most the key's own."""
    octets = (length + 7) >> 3
    head = bytearray(key[: octets + 1])
    head[0] = length
    if spare := (octets << 3) - length:
        head[octets] &= 0xFF << spare & 0xFF
    return bytes(head)


def host_key(address: bytes) -> PrefixKey:
    """Return the key of the host prefix of a packed address (/32 or /128)."""
    return bytes((len(address) << 3,)) + address


class NextHop(NamedTuple):
    """One way out of a route: a gateway on a link, and its share among several.

    ``gateway`` is a packed address (4 or 16 octets; 16 octets under an IPv4 prefix means RTA_VIA, RFC 8950), or
    empty for a route that is directly on the link.  ``ifindex`` is the kernel's link number, 0 when unknown.
    ``weight`` is 1 to 256.
    """

    gateway: bytes
    ifindex: int
    weight: int = 1

    @property
    def address(self) -> Address | None:
        """The gateway as an address, or None."""
        return ipaddress.ip_address(self.gateway) if self.gateway else None


class Forwarding(NamedTuple):
    """Everything about a route except its table and prefix.  Equal means in sync.

    ``next_hops`` is sorted, so that equal routes compare, hash and print alike in every process.
    ``preferred_source`` is a packed address or empty (RTA_PREFSRC).
    ``foreign_attributes`` is empty on everything that we write; a route read from the kernel that carries more than we
    model (another type, an MTU, an encapsulation …) has a canonical description here and so differs from what we want.
    """

    metric: int
    next_hops: tuple[NextHop, ...]
    preferred_source: bytes = b""
    foreign_attributes: str = ""


def forwarding(
    metric: int, next_hops: "list[NextHop] | tuple[NextHop, ...]", preferred_source: bytes = b""
) -> Forwarding:
    """Return a Forwarding with its next hops in canonical order.

    Raises ValueError without a next hop, with a repeated gateway on one link, or with a weight outside 1 to 256.
    """
    ordered = tuple(sorted(next_hops))
    if len(ordered) == 1:  # the kernel keeps no weight for a single next hop
        ordered = (ordered[0]._replace(weight=1),)
    if not ordered:
        raise ValueError("a route needs at least one next hop")
    if len({(hop.gateway, hop.ifindex) for hop in ordered}) != len(ordered):
        raise ValueError("a next hop appears twice in one route")
    for hop in ordered:
        if not 1 <= hop.weight <= MAX_WEIGHT:
            raise ValueError(f"weight {hop.weight} is outside 1..{MAX_WEIGHT}")
    return Forwarding(metric, ordered, preferred_source)


class Rule(NamedTuple):
    """One policy rule (``ip rule``) that sends traffic into a table.

    ``source`` and ``destination`` are prefixes or None for any; ``priority`` orders rules, lower first;
    ``mark`` and ``mask`` match the packet's firewall mark (0 mask: not matched); ``interface`` is the input link's name or
    empty.  The owner is our protocol number (FRA_PROTOCOL), which is not part of the value.
    """

    family: Family
    priority: int
    table: TableId
    source: Prefix | None = None
    destination: Prefix | None = None
    mark: int = 0
    mask: int = 0
    interface: str = ""

    @property
    def text(self) -> str:
        """The rule in the words of ``ip rule``."""
        words = [f"{self.priority}: from {self.source or 'all'}"]
        if self.destination:
            words.append(f"to {self.destination}")
        if self.mark or self.mask:
            words.append(f"fwmark {self.mark:#x}/{self.mask:#x}")
        if self.interface:
            words.append(f"iif {self.interface}")
        words.append(f"lookup {self.table}")
        return " ".join(words)
