"""The BGP decision process: every step, and an order that does not depend on arrival."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rib.attribute import Origin
from monitor.rib.decision import (
    Candidate,
    Step,
    best_first,
    best_of,
    compare,
    early,
    multipath,
    multipath_equal,
    prefers,
)
from tests.unit.monitor.rib.build import candidate

BASE = candidate()
OTHER = "192.0.2.2"

STEP_CASES = [
    (Step.FRESH, candidate(received_at=2000), candidate(OTHER, stale=True, local_pref=900)),
    (Step.LOCAL_PREF, candidate(local_pref=101, asns=(65001, 65001)), candidate(OTHER)),
    (Step.AS_PATH, candidate(asns=(65001,), origin=Origin.INCOMPLETE), candidate(OTHER, asns=(65001, 65002))),
    (Step.ORIGIN, candidate(med=9), candidate(OTHER, origin=Origin.EGP)),
    (Step.MED, candidate(OTHER, external=False), candidate(med=1)),
    (Step.EXTERNAL, candidate(OTHER, received_at=2000), candidate(external=False)),
    (Step.OLDEST, candidate(OTHER, router_id="203.0.113.9"), candidate(received_at=1001)),
    (Step.ROUTER_ID, candidate(OTHER), candidate(router_id="203.0.113.2")),
    (Step.ROUTER_ID, candidate(OTHER), candidate(router_id="")),
    (Step.ROUTER_ID, candidate(OTHER, originator_id="203.0.113.0", router_id="203.0.113.7"), candidate()),
    (Step.CLUSTER_LIST, candidate(OTHER), candidate(clusters=1)),
    (Step.PEER_ADDRESS, candidate(), candidate(OTHER)),
    (Step.PATH_ID, candidate(path_id=1), candidate(path_id=2)),
]


@pytest.mark.parametrize(("step", "winner", "loser"), STEP_CASES)
def test_each_step_decides_when_all_before_it_are_equal(step: Step, winner: Candidate, loser: Candidate) -> None:
    assert compare(winner, loser) is compare(loser, winner) is step
    for order in ([winner, loser], [loser, winner]):
        ranking = best_first(order)
        assert order[ranking[0].candidate] is winner
        assert [place.step for place in ranking] == [None, step]


def test_every_step_has_a_case() -> None:
    assert {case[0] for case in STEP_CASES} == set(Step)


def test_an_absent_local_pref_counts_as_100_and_an_absent_med_as_0() -> None:
    assert compare(candidate(local_pref=100), candidate(OTHER)) is Step.PEER_ADDRESS
    assert compare(candidate(med=0), candidate(OTHER)) is Step.PEER_ADDRESS


def test_age_does_not_decide_among_ibgp_paths() -> None:
    old, young = candidate(OTHER, external=False, received_at=1), candidate(external=False, received_at=2)
    assert compare(old, young) is Step.PEER_ADDRESS


def test_med_is_not_compared_between_neighbour_ases() -> None:
    low, high = candidate(OTHER, asns=(65002,), med=1), candidate(asns=(65001,), med=100)
    assert compare(low, high) is Step.PEER_ADDRESS
    assert prefers(high, low)


def test_med_within_one_neighbour_as_is_settled_before_other_ases_are_looked_at() -> None:
    """The old path with the worse MED would win directly against the other AS; its own AS rules it out first."""
    worse = candidate("192.0.2.1", asns=(65001,), med=20, received_at=1)
    better = candidate("192.0.2.2", asns=(65001,), med=10, received_at=3)
    other = candidate("192.0.2.3", asns=(65002,), received_at=2)
    for order in itertools.permutations([worse, better, other]):
        ranking = best_first(order)
        assert [order[place.candidate] for place in ranking] == [other, better, worse]
        assert [place.step for place in ranking] == [None, Step.OLDEST, Step.MED]


def test_two_unnumbered_peers_with_one_address_are_still_ordered() -> None:
    first, second = candidate("fe80::1%eth1"), candidate("fe80::1%eth2")
    assert compare(first, second) is Step.PEER_ADDRESS
    assert prefers(first, second)


def test_nothing_to_rank_is_an_empty_ranking() -> None:
    assert best_first([]) == []


def test_multipath_leaves_out_a_path_that_its_own_as_rules_out_by_med() -> None:
    said = [
        candidate("192.0.2.1", asns=(65001,)),
        candidate("192.0.2.2", asns=(65002,), med=10),
        candidate("192.0.2.3", asns=(65002,), med=20),
    ]
    assert multipath(said, best_first(said)) == [0, 1]


@pytest.mark.parametrize("equal", [{"received_at": 7}, {"router_id": "203.0.113.9"}, {"clusters": 3}, {"path_id": 5}])
def test_what_is_asked_after_ebgp_over_ibgp_does_not_stop_multipath(equal: dict[str, object]) -> None:
    assert multipath_equal(BASE, candidate(OTHER, **equal))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "differs",
    [
        {"stale": True},
        {"local_pref": 99},
        {"asns": (65001, 65002)},
        {"origin": Origin.EGP},
        {"med": 1},
        {"external": False},
    ],
)
def test_what_is_asked_before_stops_multipath(differs: dict[str, object]) -> None:
    assert not multipath_equal(BASE, candidate(OTHER, **differs))  # type: ignore[arg-type]


small = st.integers(0, 2)
candidates = st.builds(
    candidate,
    st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"]),
    asns=st.sampled_from([(), (65001,), (65002,), (65003,), (65001, 65002)]),
    origin=st.sampled_from(Origin),
    med=st.one_of(st.none(), small),
    local_pref=st.sampled_from([None, 100, 200]),
    originator_id=st.sampled_from(["", "203.0.113.1", "203.0.113.2"]),
    clusters=small,
    external=st.booleans(),
    router_id=st.sampled_from(["", "203.0.113.1", "203.0.113.2"]),
    received_at=small,
    stale=st.booleans(),
    path_id=small,
)
sets = st.lists(candidates, min_size=1, max_size=7, unique_by=lambda c: (c.path.peer, c.path.path_id))


@given(sets)
def test_the_best_one_is_the_first_of_the_ranking(said: list[Candidate]) -> None:
    best = best_of(said)
    assert best == best_first(said)[0].candidate
    lowest = min(early(one.path) for one in said)
    assert early(said[best].path) == lowest
    if sum(early(one.path) == lowest for one in said) == 1:
        assert multipath(said, best_first(said)) == [best], "none is equal to it"


@given(sets, st.randoms(use_true_random=False))
def test_the_ranking_does_not_depend_on_the_order_of_arrival(said: list[Candidate], random: object) -> None:
    shuffled = said[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = best_first(said), best_first(shuffled)
    assert [(said[p.candidate].path, p.step) for p in first] == [(shuffled[p.candidate].path, p.step) for p in second]


@given(sets)
def test_the_ranking_has_every_path_once_and_every_loser_has_a_step(said: list[Candidate]) -> None:
    ranking = best_first(said)
    assert sorted(place.candidate for place in ranking) == list(range(len(said)))
    assert ranking[0].step is None
    assert all(place.step is not None for place in ranking[1:])


@given(sets)
def test_without_the_best_the_second_is_best(said: list[Candidate]) -> None:
    order = [said[place.candidate] for place in best_first(said)]
    rest = [one for one in said if one is not order[0]]
    assert [rest[place.candidate] for place in best_first(rest)] == order[1:]


@given(candidates, candidates)
def test_two_distinct_paths_never_beat_each_other_and_one_always_wins(a: Candidate, b: Candidate) -> None:
    assert compare(a, b) is compare(b, a)
    if (a.path.peer, a.path.path_id) != (b.path.peer, b.path.path_id):
        assert prefers(a, b) is not prefers(b, a)


@given(sets)
def test_all_paths_equal_to_the_best_are_equal_to_each_other_in_merit(said: list[Candidate]) -> None:
    ranking = best_first(said)
    equal = multipath(said, ranking)
    assert equal[0] == ranking[0].candidate
    assert all(multipath_equal(said[a], said[b]) for a in equal for b in equal)
