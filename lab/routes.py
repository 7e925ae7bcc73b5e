"""Tables of BGP announcements: exact ones for tests, large and varied ones for load and for show.

Everything here is deterministic: the same arguments give the same table.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

SAME_ATTRIBUTES = 20
"""Consecutive prefixes that share one attribute set, about as many as in a real full table."""

TRANSIT = range(64496, 64512)
"""Documentation AS numbers (RFC 5398) that AS paths are drawn from."""

LARGEST = 1_000_000
"""Most prefixes of one family that `bulk` makes."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One prefix as its speaker announces it; the speaker puts its own AS number in front of the path."""

    prefix: str
    as_path: tuple[int, ...] = ()
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    med: int | None = None
    next_hop: str | None = None
    """Somebody else's address, or None for the speaker's own."""


def bulk(count: int, family: str = "ipv4", seed: int = 1, attributes: int = SAME_ATTRIBUTES) -> Iterator[Announcement]:
    """Yield *count* prefixes in order: IPv4 /24s from 20.0.0.0, or IPv6 /64s of 2001:db8::/32.

    One attribute set (an AS path of three to six, two communities) lasts for *attributes* prefixes.
    """
    if not 0 <= count <= LARGEST:
        raise ValueError(f"a bulk table has 0 to {LARGEST:,} prefixes, not {count:,}")
    dice = random.Random(seed)
    path: tuple[int, ...] = ()
    communities: tuple[str, ...] = ()
    for number in range(count):
        if number % attributes == 0:
            path, communities = _attributes(dice)
        yield Announcement(_prefix(number, family), path, communities)


def varied(count: int, family: str = "ipv4", seed: int = 1) -> Iterator[Announcement]:
    """Yield *count* distinct prefixes of the lengths and attribute mix that the Internet shows.

    They lie in 20.0.0.0/6 (lengths 12 to 24) or 2001:db8::/32 (lengths 36 to 48), so that a lab's own
    networks stay clear of them.
    """
    dice = random.Random(seed)
    seen: set[IPv4Network | IPv6Network] = set()
    path, communities = _attributes(dice)
    while len(seen) < count:
        if dice.random() < 1 / 6:
            path, communities = _attributes(dice)
        prefix = _random_prefix(dice, family)
        if prefix not in seen:
            seen.add(prefix)
            med = dice.choice((None, None, None, 10, 50))
            yield Announcement(str(prefix), path, communities, med=med)


def _attributes(dice: random.Random) -> tuple[tuple[int, ...], tuple[str, ...]]:
    path = tuple(dice.choice(TRANSIT) for _ in range(dice.randint(3, 6)))
    communities = tuple(f"{path[0]}:{dice.randint(1, 999)}" for _ in range(2))
    return path, communities


def _prefix(number: int, family: str) -> str:
    if family == "ipv4":
        return f"{20 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.0/24"
    return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64"


def _random_prefix(dice: random.Random, family: str) -> IPv4Network | IPv6Network:
    if family == "ipv4":
        length = dice.choice((24,) * 12 + (23, 23, 22, 22, 22, 21, 20, 20, 19, 18, 17, 16, 16, 14, 12))
        return ip_network((0x14000000 | dice.getrandbits(26), length), strict=False)
    length = dice.choice((48,) * 6 + (47, 46, 44, 44, 40, 36))
    return ip_network(((0x20010DB8 << 96) | dice.getrandbits(96), length), strict=False)
