"""The simulated tables are the same every time, as large as asked for, and wrong where they mean to be."""

from collections import Counter
from itertools import pairwise

import pytest

from monitor.demo.network import NODE_ASN, ROUTERS, router
from monitor.demo.table import CONTESTED, RESTLESS_MOST, SPEAKER_REJECTS, Tables, build
from programmer.route import Family


def prefixes(tables: Tables) -> set[str]:
    """What a domain could have routes to, at the beginning; equal prefixes of two domains count once."""
    return {str(prefix) for table in tables.tables.values() for prefix in table}


@pytest.mark.parametrize("routes", [100, 3000, 20_000])
def test_there_are_as_many_prefixes_as_asked_for_and_a_few_mistakes(routes: int) -> None:
    tables = build(routes, 1)
    assert set(tables.tables) == {one.name for one in ROUTERS}
    assert routes <= len(prefixes(tables)) <= routes + 20


def test_the_same_seed_is_the_same_network_and_another_seed_another_one() -> None:
    assert build(1000, 7) == build(1000, 7)
    assert prefixes(build(1000, 7)) != prefixes(build(1000, 8))


def test_every_route_is_one_that_its_router_can_announce() -> None:
    tables = build(2000, 3)
    for name, table in tables.tables.items():
        sender = router(name)
        for prefix, one in table.items():
            assert prefix == one.prefix
            assert one.as_path[0] == sender.asn
            assert one.family in sender.families
            assert one.next_hop


def test_both_edges_have_the_internet_and_one_of_them_is_farther_from_some_of_it() -> None:
    tables = build(3000, 1).tables
    assert tables["edge2"].keys() <= tables["edge1"].keys()
    further = Counter(
        len(tables["edge2"][prefix].as_path) - len(tables["edge1"][prefix].as_path) for prefix in tables["edge2"]
    )
    assert set(further) == {0, 1}
    assert 0.05 < further[1] / further[0] < 0.2


def test_mistakes_do_not_stand_in_the_place_of_ordinary_routes() -> None:
    tables = build(50_000, 1).tables
    looped = [one for one in tables["edge1"].values() if NODE_ASN in one.as_path]
    assert [str(one.prefix) for one in looped] == ["198.18.0.0/15"]
    for name in ("0.0.0.0/1", "10.11.201.0/24", "192.168.100.0/24", "fd00:8::/48"):
        holders = [who for who, table in tables.items() if name in {str(prefix) for prefix in table}]
        assert holders == ["san1"]


def test_few_routes_are_restless_and_one_late_route_is_for_the_speaker_to_reject() -> None:
    small, large = build(100, 1), build(50_000, 1)
    assert 5 <= len(small.restless) < len(large.restless) <= RESTLESS_MOST + 10
    assert len({(one.router, one.announcement.prefix) for one in large.restless}) == len(large.restless)
    assert {one.announcement.family for one in large.restless} == set(Family)
    assert all(SPEAKER_REJECTS in one.announcement.communities for one in large.late)


@pytest.mark.parametrize("seed", range(5))
def test_what_the_guide_names_stands_still(seed: int) -> None:
    moving = {str(one.announcement.prefix) for one in build(200, seed).restless}
    assert moving.isdisjoint({"0.0.0.0/0", "10.0.0.0/8", "0.0.0.0/1", str(CONTESTED.prefix), "10.8.1.0/24"})


def test_routes_of_the_internet_share_their_attributes_with_their_neighbours() -> None:
    paths = [one.as_path for one in build(5000, 1).tables["edge1"].values()]
    changes = sum(first != second for first, second in pairwise(paths))
    assert changes < len(paths) / 3
