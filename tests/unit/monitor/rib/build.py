"""Paths, rules and links, said briefly."""

import re
from ipaddress import ip_address, ip_network

from monitor.config.model import AsPathPattern, Condition, ImportRule, PrefixRange
from monitor.rib.attribute import AsPath, Origin, PathAttributes, Rpki, SegmentType
from monitor.rib.decision import Candidate
from monitor.rib.domain import DomainCandidate
from monitor.rib.path import Path, PeerId
from programmer.fib import InterfaceAddress, Link, Links
from programmer.route import PrefixKey, key_of


def key(prefix: str) -> PrefixKey:
    return key_of(ip_network(prefix))


def sequence(*numbers: int) -> AsPath:
    return ((SegmentType.AS_SEQUENCE, numbers),) if numbers else ()


def packed(address: str) -> bytes:
    return ip_address(address).packed if address else b""


def candidate(
    peer: str = "192.0.2.1",
    *,
    asns: tuple[int, ...] = (65001,),
    next_hop: str | None = None,
    link_local: str = "",
    origin: Origin = Origin.IGP,
    med: int | None = None,
    local_pref: int | None = None,
    communities: tuple[int, ...] = (),
    large_communities: tuple[tuple[int, int, int], ...] = (),
    originator_id: str = "",
    clusters: int = 0,
    external: bool = True,
    router_id: str = "203.0.113.1",
    received_at: int = 1000,
    stale: bool = False,
    path_id: int = 0,
    rpki: Rpki = Rpki.NONE,
) -> Candidate:
    attributes = PathAttributes(
        packed(peer if next_hop is None else next_hop),
        packed(link_local),
        sequence(*asns),
        origin,
        med,
        local_pref,
        communities,
        large_communities,
        originator_id=packed(originator_id),
        cluster_list_length=clusters,
    )
    path = Path(PeerId("fabric", peer), path_id, attributes, received_at, stale, rpki)
    return Candidate(path, external, packed(router_id), packed(peer))


def of_domain(said: Candidate, interface: str = "", *, authenticated: bool = False) -> DomainCandidate:
    return DomainCandidate(said, ip_address(said.path.peer.address), interface, authenticated)


def ranges(*texts: str) -> tuple[PrefixRange, ...]:
    """``10.0.0.0/8 16 24`` is ge 16 le 24; a prefix alone is exact."""
    found = []
    for text in texts:
        prefix, *lengths = text.split()
        network = ip_network(prefix)
        ge, le = (int(lengths[0]), int(lengths[1])) if lengths else (network.prefixlen, network.prefixlen)
        found.append(PrefixRange(network, ge, le))
    return tuple(found)


def as_path(source: str) -> AsPathPattern:
    return AsPathPattern(source, re.compile(source.replace("_", r"(?:^|$|[ ,{}()\[\]])")))


def rule(number: int, accept: bool, condition: Condition | None = None, metric: int | None = None) -> ImportRule:
    return ImportRule(
        number=number, accept=accept, condition=condition or Condition(), text="", line=number, metric=metric
    )


def links(*, down: tuple[str, ...] = (), no_carrier: tuple[str, ...] = (), extra: tuple[str, ...] = ()) -> Links:
    """A node with eth1 (192.0.2.0/24, 2001:db8:1::/64), eth2 (198.51.100.0/24) and p2p (203.0.113.8/31)."""
    names = {1: "lo", 2: "eth1", 3: "eth2", 4: "p2p"}
    addresses = [
        (1, "127.0.0.1/8"),
        (2, "192.0.2.5/24"),
        (2, "2001:db8:1::5/64"),
        (2, "fe80::5/64"),
        (3, "198.51.100.5/24"),
        (3, "fe80::35/64"),
        (4, "203.0.113.8/31"),
        *((2, text) for text in extra),
    ]
    entries = tuple(
        InterfaceAddress(index, ip_address(text.split("/")[0]), ip_network(text, strict=False))
        for index, text in addresses
    )
    return Links(
        {
            index: Link(index, name, name not in down, name not in no_carrier + down, name == "lo")
            for index, name in names.items()
        },
        entries,
        tuple((entry.prefix, entry.ifindex) for entry in entries if entry.ifindex != 1),
    )
