"""ROAs make routes valid or invalid as RFC 6811 says, and those of the demo make no ordinary route invalid."""

import random
from ipaddress import ip_network

import pytest

from monitor.demo.roa import Roa, Roas, some
from monitor.demo.table import CONTESTED, build
from monitor.rib.attribute import Rpki
from programmer.route import Family


@pytest.mark.parametrize(
    ("prefix", "origin", "state"),
    [
        ("192.0.2.0/24", 64496, Rpki.VALID),
        ("192.0.2.0/24", 64497, Rpki.INVALID),
        ("192.0.2.0/25", 64496, Rpki.VALID),
        ("192.0.2.0/26", 64496, Rpki.INVALID),
        ("192.0.2.0/25", 64498, Rpki.VALID),
        ("192.0.0.0/22", 64496, Rpki.NOT_FOUND),
        ("198.51.100.0/24", 64496, Rpki.NOT_FOUND),
        ("2001:db8::/48", 64496, Rpki.VALID),
        ("::/0", 64496, Rpki.NOT_FOUND),
    ],
)
def test_a_route_is_valid_when_one_of_the_roas_that_cover_it_matches(prefix: str, origin: int, state: Rpki) -> None:
    roas = Roas(
        [
            Roa(ip_network("192.0.2.0/24"), 25, 64496),
            Roa(ip_network("192.0.2.0/25"), 25, 64498),
            Roa(ip_network("2001:db8::/32"), 48, 64496),
        ]
    )
    assert roas.state(ip_network(prefix), origin) is state
    assert roas.counts == {Family.IPV4: 2, Family.IPV6: 1}


@pytest.mark.parametrize("seed", range(5))
def test_the_demo_has_one_hijacked_prefix_and_no_other_invalid_route(seed: int) -> None:
    tables = build(2000, seed)
    roas = Roas(tables.roas)
    invalid = {
        (name, one.prefix)
        for name, table in tables.tables.items()
        for one in table.values()
        if name.startswith("edge") and roas.state(one.prefix, one.as_path[-1]) is Rpki.INVALID
    }
    assert invalid == {("edge1", CONTESTED.prefix)}


def test_routes_inside_one_another_have_roas_together() -> None:
    routes = [(ip_network("20.0.0.0/8"), 1), (ip_network("20.1.0.0/16"), 2), (ip_network("20.1.1.0/24"), 3)]
    sizes = {len([*some(random.Random(seed), routes)]) for seed in range(20)}
    assert sizes == {0, 3}
