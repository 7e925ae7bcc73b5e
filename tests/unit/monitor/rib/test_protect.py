"""Prefixes that no peer may take over."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rib.protect import ALWAYS_PROTECTED, ProtectedSet, live_protected
from programmer.route import Family, Prefix, family_of, key_of
from tests.unit.monitor.rib.build import key, links

V4, V6 = Family.IPV4, Family.IPV6
PODS = ProtectedSet([ip_network("10.244.0.0/16"), ip_network("10.244.7.0/24"), ip_network("2001:db8:9::/48")])


@pytest.mark.parametrize(
    ("prefix", "covering"),
    [
        ("10.244.0.0/16", "10.244.0.0/16"),
        ("10.244.9.0/24", "10.244.0.0/16"),
        ("10.244.7.1/32", "10.244.7.0/24"),
        ("10.244.0.0/15", None),
        ("10.245.0.0/16", None),
        ("0.0.0.0/0", None),
        ("2001:db8:9:1::/64", "2001:db8:9::/48"),
        ("2001:db8::/32", None),
    ],
)
def test_equal_and_more_specific_prefixes_are_covered(prefix: str, covering: str | None) -> None:
    family = V6 if ":" in prefix else V4
    assert PODS.covering(family, key(prefix)) == (ip_network(covering) if covering else None)


def test_a_less_specific_prefix_overlaps_unless_it_is_default_like() -> None:
    assert PODS.overlaps(V4, key("10.0.0.0/8"), 8) == ip_network("10.244.0.0/16")
    assert PODS.overlaps(V4, key("8.0.0.0/7"), 8) is None
    assert PODS.overlaps(V4, key("0.0.0.0/0")) is None
    assert PODS.overlaps(V4, key("10.244.9.0/24"), 8) == ip_network("10.244.0.0/16")
    assert PODS.overlaps(V4, key("172.16.0.0/12"), 8) is None


def test_an_empty_set_protects_nothing() -> None:
    nothing = ProtectedSet([])
    assert nothing.covering(V4, key("10.0.0.0/8")) is None
    assert nothing.overlaps(V6, key("2001:db8::/32")) is None


def test_live_protection_is_links_addresses_peers_endpoints_configuration_and_what_is_always_there() -> None:
    peers, endpoints = [ip_address("192.0.2.1"), ip_address("fe80::1%eth1")], [ip_address("10.96.0.1")]
    found = live_protected(links(), peers, endpoints, [ip_network("10.244.0.0/16")])
    texts = {str(prefix) for prefix in found}
    assert {"192.0.2.0/24", "2001:db8:1::/64", "198.51.100.0/24"} <= texts  # connected
    assert {"192.0.2.5/32", "2001:db8:1::5/128"} <= texts  # own
    assert {"192.0.2.1/32", "fe80::1/128", "10.96.0.1/32", "10.244.0.0/16"} <= texts
    assert set(ALWAYS_PROTECTED) <= set(found)
    assert len(found) == len(set(found))


def test_a_connected_prefix_of_length_0_is_not_protected_or_nothing_could_be_routed() -> None:
    node = links(extra=("0.0.0.0/0",))
    found = ProtectedSet(live_protected(node, [], [], []))
    assert found.covering(V4, key("10.8.0.0/16")) is None


def networks(family: Family) -> st.SearchStrategy[Prefix]:
    """Prefixes close enough to each other to overlap often."""
    kind = IPv4Network if family is V4 else IPv6Network
    top = family.bits - 6
    return st.builds(
        lambda bits, length: kind((bits << top, min(length, family.bits)), strict=False),
        st.integers(0, 63),
        st.integers(0, 8),
    )


@given(st.sampled_from(Family).flatmap(lambda family: st.tuples(st.lists(networks(family)), networks(family))))
def test_covering_and_overlapping_mean_what_ipaddress_says(said: tuple[list[Prefix], Prefix]) -> None:
    protected, prefix = said
    family = family_of(prefix)
    found = ProtectedSet(protected)
    covering = [one for one in protected if prefix.subnet_of(one)]  # type: ignore[arg-type]
    longest = max(covering, key=lambda one: one.prefixlen, default=None)
    assert found.covering(family, key_of(prefix)) == longest
    overlaps = any(prefix.overlaps(one) for one in protected)
    assert (found.overlaps(family, key_of(prefix), 0) is not None) is overlaps
