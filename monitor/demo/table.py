"""What the simulated routers announce: the same tables for the same number of routes and the same seed.

Some of it is wrong on purpose: each such route meets another rule or guard, and `bgpmon explain` says which.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from monitor.demo.network import CLUSTER_ASN, INTERNET_ASN, NODE_ASN, OWN_PODS, STORAGE_ASN, router
from monitor.demo.roa import Roa, some
from programmer.route import Family, Prefix, family_of

TRANSIT = range(64496, 64512)
"""AS numbers for documentation (RFC 5398), of which the AS paths of the simulated Internet are made."""

EDGES = ("edge1", "edge2", "edge1-v6", "edge2-v6")

SPEAKER_REJECTS = (INTERNET_ASN << 16) | 999
"""The community that the simulated GoBGP's own import policy rejects."""

CONTESTED = Roa(IPv4Network("100.64.66.0/24"), 24, TRANSIT[6])
"""A prefix that two networks originate; the ROA is for one of them."""

RESTLESS_SHARE, RESTLESS_MOST = 50, 60
"""One route of fifty is restless, at most sixty in all: on the Internet, too, few prefixes make most updates."""


class Announcement(NamedTuple):
    """One route as the speaker receives it: the AS path is complete, the sender's AS first."""

    prefix: Prefix
    as_path: tuple[int, ...]
    next_hop: str
    communities: tuple[int, ...] = ()
    med: int | None = None

    @property
    def family(self) -> Family:
        """The address family of the prefix."""
        return family_of(self.prefix)


Table = dict[Prefix, Announcement]


@dataclass(frozen=True, slots=True)
class Restless:
    """A route that comes and goes, and that changes if ``varies``; ``router`` announces it."""

    router: str
    announcement: Announcement
    varies: bool = False


@dataclass(frozen=True, slots=True)
class Tables:
    """What every router announces at the beginning, by the router's name.

    ``late`` is announced once the daemon listens: what the speaker's own policy rejects is in none of its dumps.
    ``roas`` says who may originate what.
    """

    tables: dict[str, Table]
    roas: tuple[Roa, ...]
    late: tuple[Restless, ...]
    restless: tuple[Restless, ...]


def build(routes: int, seed: int) -> Tables:
    """Return tables with *routes* ordinary prefixes in all, and a few more that are wrong on purpose."""
    dice = random.Random(seed)  # noqa: S311 - a repeatable show, not a secret
    pods, storage = min(254, routes // 10), min(160, routes // 20)
    six = (routes - pods - storage) // 6
    four = routes - pods - storage - six
    internet = [*_internet(dice, four, Family.IPV4), *_internet(dice, six, Family.IPV6)]
    tables = {"leaf1": _table(_pods("leaf1", pods)), "leaf2": _table(_pods("leaf2", pods))}
    tables |= {name: _table(_edge(name, internet)) for name in EDGES}
    tables["san1"] = _table(_storage(storage))
    restless = tuple(_restless(dice, tables))
    tables["leaf1"] |= _table(_cluster_mistakes())
    tables["edge1"] |= _table(_internet_mistakes())
    tables["edge2"] |= _table(iter([_of("edge2", CONTESTED.prefix, TRANSIT[2], CONTESTED.asn)]))
    tables["san1"] |= _table(_storage_mistakes())
    roas = (CONTESTED, *some(dice, ((one.prefix, one.as_path[-1]) for one in internet)))
    late = Restless("edge1", _of("edge1", "192.0.2.0/24", TRANSIT[1], communities=(SPEAKER_REJECTS,)))
    return Tables(tables, roas, (late,), restless)


def _table(*parts: Iterator[Announcement]) -> Table:
    return {one.prefix: one for part in parts for one in part}


def _of(
    name: str, prefix: str | Prefix, *path: int, next_hop: str = "", communities: tuple[int, ...] = ()
) -> Announcement:
    """Return what the router *name* says of a prefix; it puts its AS in front and itself as the next hop."""
    sender = router(name)
    network = ip_network(prefix) if isinstance(prefix, str) else prefix
    return Announcement(network, (sender.asn, *path), next_hop or sender.address, communities)


def _pods(name: str, count: int) -> Iterator[Announcement]:
    """Yield the pod networks of other nodes; both leaf switches reach all of them."""
    numbers = [number for number in range(1, 256) if f"10.42.{number}.0/24" != OWN_PODS]
    for number in numbers[:count]:
        yield _of(name, f"10.42.{number}.0/24", communities=((CLUSTER_ASN << 16) | 100 + number // 64,))


def _storage(count: int) -> Iterator[Announcement]:
    for number in range(count):
        prefix = f"10.{8 + number // 40}.{1 + number % 40}.0/24"
        yield _of("san1", prefix, communities=((STORAGE_ASN << 16) | 10 + number // 40,))


def _internet(dice: random.Random, count: int, family: Family) -> Iterator[Announcement]:
    """Yield prefixes of a small Internet, the default route first; neighbours in it share their attributes."""
    yield Announcement(ip_network("0.0.0.0/0" if family is Family.IPV4 else "::/0"), (TRANSIT[0],), "")
    seen: set[Prefix] = set()
    path: tuple[int, ...] = ()
    while len(seen) < count - 1:
        if not path or dice.random() < 0.2:
            path = tuple(dice.sample(TRANSIT, dice.randint(2, 5)))
        prefix = _random_prefix(dice, family)
        if prefix not in seen:
            seen.add(prefix)
            yield Announcement(prefix, path, "", ((INTERNET_ASN << 16) | path[0] % 100,))


def _random_prefix(dice: random.Random, family: Family) -> Prefix:
    """Return a prefix of the lengths that the Internet shows, in 20.0.0.0/6 or 2001:db8::/32.

    The former is in real use, since the ranges for documentation hold three prefixes (RFC 5737).
    """
    if family is Family.IPV4:
        length = dice.choice((24, 24, 24, 24, 24, 24, 23, 22, 22, 21, 20, 19, 18, 16))
        return IPv4Network((0x14000000 | dice.getrandbits(26), length), strict=False)
    length = dice.choice((48, 48, 48, 48, 47, 46, 44, 40, 36))
    return IPv6Network(((0x20010DB8 << 96) | dice.getrandbits(96), length), strict=False)


def _edge(name: str, internet: list[Announcement]) -> Iterator[Announcement]:
    """Yield what one session of an edge router carries; to a tenth of it the second router has the longer way."""
    sender = router(name)
    for number, one in enumerate(internet):
        if one.family in sender.families:
            longer = name.startswith("edge2") and number % 10 == 3
            path = (sender.asn, *one.as_path[:1], *one.as_path) if longer else (sender.asn, *one.as_path)
            yield one._replace(as_path=path, next_hop=sender.address)


def _cluster_mistakes() -> Iterator[Announcement]:
    yield _of("leaf1", "10.0.0.0/8", TRANSIT[4])  # fine: the storage router has it too
    yield _of("leaf1", "10.43.8.0/24")  # protected: the range of the services
    yield _of("leaf1", "10.42.7.128/25")  # protected: the node's own pods
    yield _of("leaf1", "10.42.250.0/28", communities=((CLUSTER_ASN << 16) | 666,))  # denied by its community
    yield _of("leaf1", "192.168.99.0/24")  # no rule speaks of it


def _internet_mistakes() -> Iterator[Announcement]:
    yield _of("edge1", "198.18.0.0/15", TRANSIT[1], NODE_ASN)  # a loop: received, never accepted (RFC 4271, 9.1.2)
    yield _of("edge1", "203.0.113.8/30", TRANSIT[2])  # longer than the policy lets in
    yield _of("edge1", CONTESTED.prefix, TRANSIT[9])  # hijacked: RPKI says that it is somebody else's


def _storage_mistakes() -> Iterator[Announcement]:
    yield _of("san1", "10.0.0.0/8", TRANSIT[5])  # fine: the cluster has it too, each in its own table
    yield _of("san1", "10.9.200.0/24")  # the kernel has a foreign route there
    yield _of("san1", "0.0.0.0/0")  # the Internet's routers may, this one may not
    yield _of("san1", "0.0.0.0/1")
    yield _of("san1", "128.0.0.0/1")  # a default route in two halves
    yield _of("san1", "172.30.3.128/25")  # inside the link to the router itself
    yield _of("san1", "10.11.201.0/24", next_hop="172.30.1.10")  # the node itself
    yield _of("san1", "10.11.202.0/24", next_hop="172.30.1.1")  # on the link of another domain
    yield _of("san1", "10.11.203.0/24", next_hop="127.0.0.1")  # no neighbour at all
    yield _of("san1", "10.11.204.0/24", communities=((STORAGE_ASN << 16) | 666,))  # denied by its community
    yield _of("san1", "192.168.100.0/24")  # no rule speaks of it
    yield _of("san1", "fd00:8::/48", next_hop="fd00:4::1")  # the domain uses IPv4 alone


def _restless(dice: random.Random, tables: dict[str, Table]) -> Iterator[Restless]:
    """Yield the routes that move: some of the Internet, a few others, and mistakes that come and go."""
    for name in EDGES:
        calm = [one for one in tables[name].values() if one.prefix.prefixlen]
        most = RESTLESS_MOST // len(EDGES)
        for one in dice.sample(calm, min(most, max(1, len(calm) // RESTLESS_SHARE))):
            yield Restless(name, one, varies=True)
    for name in ("leaf2", "san1"):
        calm = [*tables[name].values()]
        for one in dice.sample(calm[len(calm) // 2 :], min(3, len(calm) // 2)):
            yield Restless(name, one)
    yield Restless("leaf2", _of("leaf2", "10.43.0.0/24"))  # protected
    yield Restless("san1", _of("san1", "10.11.205.0/24", next_hop="172.30.1.2"))  # off its link
    yield Restless("edge2", _of("edge2", "198.51.100.0/24", TRANSIT[3], communities=(SPEAKER_REJECTS,)))
