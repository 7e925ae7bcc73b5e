"""Prefixes that no peer may take over: the node's own links, its sessions, and what the configuration names."""

from bisect import bisect_left
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from programmer.fib import Links
from programmer.route import Address, Family, Prefix, PrefixKey, family_of

ALWAYS_PROTECTED: tuple[Prefix, ...] = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("224.0.0.0/4"),
    IPv6Network("::1/128"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)
"""Loopback, link-local and multicast (RFC 6890): a route there breaks the host whatever else is configured."""

_Networks = dict[int, Prefix]
"""Leading bits of a prefix as a number to the prefix; one such table for each length."""


class _FamilySet:
    """The protected prefixes of one family."""

    def __init__(self, family: Family, prefixes: Iterable[Prefix]) -> None:
        self._bits = family.bits
        tables: dict[int, _Networks] = {}
        ordered = sorted(set(prefixes), key=lambda prefix: (int(prefix.network_address), prefix.prefixlen))
        for prefix in ordered:
            bits = int(prefix.network_address) >> (family.bits - prefix.prefixlen)
            tables.setdefault(prefix.prefixlen, {})[bits] = prefix
        self._ordered = ordered
        self._starts = [int(prefix.network_address) for prefix in ordered]
        longest_first = sorted(tables.items(), reverse=True, key=lambda item: item[0])
        # For each length of a key: how far to shift its octets right, and where to look then.
        self._steps: list[tuple[tuple[int, _Networks], ...]] = [
            tuple((((length + 7) & ~7) - covering, table) for covering, table in longest_first if covering <= length)
            for length in range(family.bits + 1)
        ]

    def covering(self, key: PrefixKey) -> Prefix | None:
        bits = int.from_bytes(key[1:], "big")
        for shift, table in self._steps[key[0]]:
            found = table.get(bits >> shift)
            if found is not None:
                return found
        return None

    def inside(self, key: PrefixKey) -> Prefix | None:
        start = int.from_bytes(key[1:], "big") << (self._bits - ((len(key) - 1) << 3))
        at = bisect_left(self._starts, start)
        if at < len(self._starts) and self._starts[at] < start + (1 << (self._bits - key[0])):
            return self._ordered[at]
        return None


class ProtectedSet:
    """A set of prefixes that answers by prefix key, in time that does not grow with the set."""

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self.prefixes: frozenset[Prefix] = frozenset(prefixes)
        self._families = {
            family: _FamilySet(family, (prefix for prefix in self.prefixes if family_of(prefix) is family))
            for family in Family
        }

    def covering(self, family: Family, key: PrefixKey) -> Prefix | None:
        """Return the protected prefix, the most specific one, that *key* equals or lies in; else None."""
        return self._families[family].covering(key)

    def overlaps(self, family: Family, key: PrefixKey, shortest: int = 1) -> Prefix | None:
        """Return a protected prefix that has an address in common with *key*, or None.

        A key shorter than *shortest* bits is default-like: it covers everything, and so takes over nothing.
        """
        found = self._families[family].covering(key)
        if found is None and key[0] >= shortest:
            found = self._families[family].inside(key)
        return found


def live_protected(
    links: Links, peers: Iterable[Address], endpoints: Iterable[Address], configured: Iterable[Prefix]
) -> list[Prefix]:
    """Return everything to protect now, sorted by family, address and length, each prefix once.

    These are *configured* prefixes, what is connected, the node's own addresses, the BGP *peers*, the *endpoints* that
    the node is controlled through (speaker, API server), and what is protected always.  A connected prefix of length 0
    is left out, because nothing would be left to route.
    """
    found: set[Prefix] = {*ALWAYS_PROTECTED, *configured}
    found.update(prefix for prefix, _ in links.connected if prefix.prefixlen)
    found.update(entry.prefix for entry in links.addresses if entry.prefix.prefixlen)
    found.update(_host(entry.address) for entry in links.addresses)
    found.update(_host(address) for address in peers)
    found.update(_host(address) for address in endpoints)
    return sorted(found, key=lambda prefix: (prefix.version, int(prefix.network_address), prefix.prefixlen))


def _host(address: Address) -> Prefix:
    """Return the host prefix of an address; a zone is not part of it."""
    return ip_network(address.packed)
