"""Next hops, resolved against the connected prefixes of one domain's own interfaces, and nothing else.

No recursion, no default route, no interface of another domain: a next hop is a neighbour on a link of the domain, or
it is refused with a reason.  A resolver is a snapshot of the links; when they change, make a new one.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

from monitor.rib.attribute import PathAttributes
from monitor.rib.reason import Reason
from programmer.fib import Link, Links
from programmer.route import Family, NextHop, Prefix, PrefixKey, covering_key, family_of, host_key

MEMO_LIMIT = 65536
"""How many answers are remembered before all are forgotten: a bound on memory, whatever peers send."""

LINK_LOCAL_LENGTH = 64
"""The prefix that every IPv6 link has: fe80::/64 (RFC 4291 section 2.5.6)."""


class Resolution(NamedTuple):
    """A usable next hop, and the length of the connected prefix through which it was found."""

    next_hop: NextHop
    length: int

    def inside(self, family: Family, key: PrefixKey) -> bool:
        """Say whether a route for *key* would take over the way to its own next hop."""
        gateway = self.next_hop.gateway
        return (
            key[0] >= self.length
            and len(gateway) << 3 == family.bits
            and covering_key(host_key(gateway), key[0]) == key
        )


def is_link_local(address: bytes) -> bool:
    """Say whether a packed address is in fe80::/10."""
    return len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0x80


class Resolver:
    """The next hops of one domain, given the node's links at one moment."""

    def __init__(self, links: Links, interfaces: Iterable[str]) -> None:
        names = frozenset(interfaces)
        self._own: dict[int, Link] = {link.index: link for link in links.links.values() if link.name in names}
        self._by_name = {link.name: link for link in self._own.values()}
        self._addresses = frozenset(entry.address.packed for entry in links.addresses)
        self._on_link = frozenset((entry.address.packed, entry.ifindex) for entry in links.addresses)
        self._connected = self._connected_of(links)
        self._memo: dict[tuple[bytes, bytes, str], Resolution | Reason] = {}

    def _connected_of(self, links: Links) -> dict[Family, list[tuple[int, dict[PrefixKey, list[Link]]]]]:
        """Return per family, longest first, the connected prefixes and the links that each is on."""
        pairs: list[tuple[Prefix, int]] = [*links.connected]
        pairs.extend((entry.prefix, entry.ifindex) for entry in links.addresses)
        tables: dict[Family, dict[int, dict[PrefixKey, list[Link]]]] = {family: {} for family in Family}
        for prefix, ifindex in pairs:
            link = self._own.get(ifindex)
            if link is None or prefix.prefixlen == 0 or is_link_local(prefix.network_address.packed):
                continue
            by_key = tables[family_of(prefix)].setdefault(prefix.prefixlen, {})
            on = by_key.setdefault(covering_key(host_key(prefix.network_address.packed), prefix.prefixlen), [])
            if link not in on:
                on.append(link)
        for table in tables.values():
            for by_key in table.values():
                for on in by_key.values():
                    on.sort(key=lambda link: (not link.usable, link.index))
        return {family: sorted(table.items(), key=lambda item: -item[0]) for family, table in tables.items()}

    def resolve(self, family: Family, attributes: PathAttributes, peer_interface: str = "") -> NextHop | Reason:
        """Return the way out for a path of *family*, or why there is none."""
        found = self.resolution(family, attributes, peer_interface)
        return found if isinstance(found, Reason) else found.next_hop

    def resolution(self, family: Family, attributes: PathAttributes, peer_interface: str = "") -> Resolution | Reason:
        """Return what ``resolve`` does, together with the length of the connected prefix."""
        next_hop = attributes.next_hop
        if family is Family.IPV6 and len(next_hop) == 4:
            return Reason.NEXT_HOP_INVALID  # Linux has no IPv6 route over an IPv4 gateway
        memo_key = (next_hop, attributes.link_local, peer_interface)
        found = self._memo.get(memo_key)
        if found is None:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            found = self._memo[memo_key] = self._find(next_hop, attributes.link_local, peer_interface)
        return found

    def _find(self, next_hop: bytes, link_local: bytes, peer_interface: str) -> Resolution | Reason:
        if not next_hop:
            if not link_local:
                return Reason.NEXT_HOP_MISSING
            next_hop, link_local = link_local, b""
        if not _is_unicast(next_hop):
            return Reason.NEXT_HOP_INVALID
        if is_link_local(next_hop):
            return self._find_link_local(next_hop, peer_interface)
        if next_hop in self._addresses:
            return Reason.NEXT_HOP_OWN
        found = self._find_connected(next_hop, peer_interface)
        if found is Reason.NEXT_HOP_OFF_LINK and is_link_local(link_local) and peer_interface in self._by_name:
            return self._find_link_local(link_local, peer_interface)
        return found

    def _find_link_local(self, next_hop: bytes, peer_interface: str) -> Resolution | Reason:
        link = self._by_name.get(peer_interface)
        if link is None:
            return Reason.NEXT_HOP_NO_INTERFACE
        # Another link of the node may well have the same link-local address.
        if (next_hop, link.index) in self._on_link:
            return Reason.NEXT_HOP_OWN
        if not link.usable:
            return Reason.NEXT_HOP_LINK_DOWN
        return Resolution(NextHop(next_hop, link.index), LINK_LOCAL_LENGTH)

    def _find_connected(self, next_hop: bytes, peer_interface: str) -> Resolution | Reason:
        host = host_key(next_hop)
        for length, by_key in self._connected[Family.IPV4 if len(next_hop) == 4 else Family.IPV6]:
            on = by_key.get(covering_key(host, length))
            if on is None:
                continue
            if _is_subnet_edge(next_hop, length):
                return Reason.NEXT_HOP_INVALID
            link = next((link for link in on if link.name == peer_interface and link.usable), on[0])
            if not link.usable:
                return Reason.NEXT_HOP_LINK_DOWN
            return Resolution(NextHop(next_hop, link.index), length)
        return Reason.NEXT_HOP_OFF_LINK


def _is_unicast(next_hop: bytes) -> bool:
    """Say whether a packed address can be a neighbour: not loopback, multicast, unspecified or broadcast."""
    if len(next_hop) not in {4, 16}:
        return False
    address = ip_address(next_hop)
    if address.version == 4:
        return 0 < next_hop[0] < 224 and not address.is_loopback  # 0/8 and 240/4 are no hosts (RFC 1122, RFC 1112)
    return not (address.is_loopback or address.is_multicast or address.is_unspecified or address.ipv4_mapped)


def _is_subnet_edge(next_hop: bytes, length: int) -> bool:
    """Say whether this is the network or the broadcast address of its IPv4 subnet (/31 and /32 have none, RFC 3021)."""
    if len(next_hop) != 4 or length >= 31:
        return False
    hosts = (1 << (32 - length)) - 1
    return int.from_bytes(next_hop, "big") & hosts in {0, hosts}
