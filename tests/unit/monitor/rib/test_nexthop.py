"""Next hops are neighbours on the domain's own links, or refused with a reason."""

import pytest

from monitor.rib import nexthop
from monitor.rib.nexthop import Resolution, Resolver
from monitor.rib.reason import Reason
from programmer.fib import InterfaceAddress, Link, Links
from programmer.route import Family, NextHop
from tests.unit.monitor.rib.build import candidate, key, links, packed

V4, V6 = Family.IPV4, Family.IPV6
NODE = Resolver(links(), ("eth1", "p2p"))


def resolve(
    next_hop: str,
    *,
    link_local: str = "",
    interface: str = "",
    family: Family | None = None,
    resolver: Resolver = NODE,
) -> NextHop | Reason:
    attributes = candidate(next_hop=next_hop, link_local=link_local).path.attributes
    return resolver.resolve(family or (V6 if ":" in next_hop else V4), attributes, interface)


@pytest.mark.parametrize(
    ("next_hop", "ifindex"), [("192.0.2.1", 2), ("192.0.2.254", 2), ("2001:db8:1::1", 2), ("203.0.113.9", 4)]
)
def test_a_neighbour_on_a_connected_prefix_is_reached_over_its_link(next_hop: str, ifindex: int) -> None:
    assert resolve(next_hop) == NextHop(packed(next_hop), ifindex)


def test_an_ipv4_path_over_an_ipv6_next_hop_keeps_its_16_octets() -> None:
    assert resolve("2001:db8:1::1", family=V4) == NextHop(packed("2001:db8:1::1"), 2)
    assert resolve("fe80::1", family=V4, interface="eth1") == NextHop(packed("fe80::1"), 2)


@pytest.mark.parametrize(
    ("next_hop", "reason"),
    [
        ("", Reason.NEXT_HOP_MISSING),
        ("0.0.0.0", Reason.NEXT_HOP_INVALID),
        ("127.0.0.1", Reason.NEXT_HOP_INVALID),
        ("224.0.0.5", Reason.NEXT_HOP_INVALID),
        ("255.255.255.255", Reason.NEXT_HOP_INVALID),
        ("192.0.2.0", Reason.NEXT_HOP_INVALID),
        ("192.0.2.255", Reason.NEXT_HOP_INVALID),
        ("::", Reason.NEXT_HOP_INVALID),
        ("::1", Reason.NEXT_HOP_INVALID),
        ("ff02::1", Reason.NEXT_HOP_INVALID),
        ("::ffff:192.0.2.1", Reason.NEXT_HOP_INVALID),
        ("192.0.2.5", Reason.NEXT_HOP_OWN),
        ("198.51.100.5", Reason.NEXT_HOP_OWN),
        ("2001:db8:1::5", Reason.NEXT_HOP_OWN),
        ("198.51.100.1", Reason.NEXT_HOP_OFF_LINK),
        ("10.0.0.1", Reason.NEXT_HOP_OFF_LINK),
        ("2001:db8:2::1", Reason.NEXT_HOP_OFF_LINK),
        ("fe80::1", Reason.NEXT_HOP_NO_INTERFACE),
    ],
)
def test_each_refusal(next_hop: str, reason: Reason) -> None:
    assert resolve(next_hop) is reason


def test_an_ipv4_next_hop_under_an_ipv6_path_is_invalid() -> None:
    assert resolve("192.0.2.1", family=V6) is Reason.NEXT_HOP_INVALID


def test_a_link_local_next_hop_needs_an_interface_of_the_domain() -> None:
    assert resolve("fe80::1", interface="eth1") == NextHop(packed("fe80::1"), 2)
    assert resolve("fe80::1", interface="eth2") is Reason.NEXT_HOP_NO_INTERFACE


def test_a_link_local_address_is_own_only_on_its_own_link() -> None:
    assert resolve("fe80::5", interface="eth1") is Reason.NEXT_HOP_OWN
    assert resolve("fe80::35", interface="eth1") == NextHop(packed("fe80::35"), 2)


def test_a_global_next_hop_off_link_gives_way_to_its_link_local_half() -> None:
    assert resolve("2001:db8:9::1", link_local="fe80::1", interface="eth1") == NextHop(packed("fe80::1"), 2)
    assert resolve("2001:db8:9::1", link_local="fe80::1") is Reason.NEXT_HOP_OFF_LINK
    assert resolve("2001:db8:1::1", link_local="fe80::1", interface="eth1") == NextHop(packed("2001:db8:1::1"), 2)
    assert resolve("", link_local="fe80::1", interface="eth1", family=V6) == NextHop(packed("fe80::1"), 2)


@pytest.mark.parametrize("state", [{"down": ("eth1",)}, {"no_carrier": ("eth1",)}])
def test_a_link_that_is_down_or_without_carrier_carries_no_next_hop(state: dict[str, tuple[str, ...]]) -> None:
    node = Resolver(links(**state), ("eth1", "p2p"))
    assert resolve("192.0.2.1", resolver=node) is Reason.NEXT_HOP_LINK_DOWN
    assert resolve("fe80::1", interface="eth1", resolver=node) is Reason.NEXT_HOP_LINK_DOWN
    assert isinstance(resolve("203.0.113.9", resolver=node), NextHop)


def test_the_same_number_resolves_in_each_domain_over_its_own_link_or_not_at_all() -> None:
    other = Resolver(links(), ("eth2",))
    assert resolve("198.51.100.1", resolver=other) == NextHop(packed("198.51.100.1"), 3)
    assert resolve("192.0.2.1", resolver=other) is Reason.NEXT_HOP_OFF_LINK


def two_links(first: str, second: str, *, first_up: bool = True) -> Resolver:
    base = links(extra=(first,)).addresses[-1]
    twin = links(extra=(second,)).addresses[-1]
    made = {7: Link(7, "a", first_up, True, False), 8: Link(8, "b", True, True, False)}
    entries = (InterfaceAddress(7, base.address, base.prefix), InterfaceAddress(8, twin.address, twin.prefix))
    return Resolver(Links(made, entries, tuple((entry.prefix, entry.ifindex) for entry in entries)), ("a", "b"))


def test_the_longest_connected_prefix_wins() -> None:
    node = two_links("10.0.0.1/16", "10.0.7.1/24")
    assert resolve("10.0.7.9", resolver=node) == NextHop(packed("10.0.7.9"), 8)
    assert resolve("10.0.8.9", resolver=node) == NextHop(packed("10.0.8.9"), 7)


def test_one_prefix_on_two_links_goes_to_the_peers_link_or_to_one_that_is_up() -> None:
    node = two_links("10.0.0.1/24", "10.0.0.2/24")
    assert resolve("10.0.0.9", resolver=node) == NextHop(packed("10.0.0.9"), 7)
    assert resolve("10.0.0.9", resolver=node, interface="b") == NextHop(packed("10.0.0.9"), 8)
    half = two_links("10.0.0.1/24", "10.0.0.2/24", first_up=False)
    assert resolve("10.0.0.9", resolver=half, interface="a") == NextHop(packed("10.0.0.9"), 8)


def test_a_connected_default_route_makes_nothing_a_neighbour() -> None:
    node = links()
    tunnel = Links(node.links, node.addresses, (*node.connected, (links(extra=("0.0.0.0/0",)).connected[-1][0], 2)))
    assert resolve("10.0.0.1", resolver=Resolver(tunnel, ("eth1",))) is Reason.NEXT_HOP_OFF_LINK


def test_a_route_takes_over_its_next_hop_only_at_the_length_of_the_link_or_beyond() -> None:
    found = NODE.resolution(V4, candidate(next_hop="192.0.2.1").path.attributes)
    assert isinstance(found, Resolution)
    assert found.inside(V4, key("192.0.2.1/32"))
    assert found.inside(V4, key("192.0.2.0/24"))
    assert not found.inside(V4, key("192.0.0.0/16"))
    assert not found.inside(V4, key("192.0.2.2/32"))
    assert not found.inside(V6, key("c000:201::/32"))


def test_memory_stays_bounded_whatever_peers_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nexthop, "MEMO_LIMIT", 4)
    node = Resolver(links(), ("eth1",))
    for last in range(10, 60):
        assert isinstance(resolve(f"192.0.2.{last}", resolver=node), NextHop)
        assert len(node._memo) <= 4
