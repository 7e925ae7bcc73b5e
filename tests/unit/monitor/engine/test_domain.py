"""One domain: what it wants, what it counts, and what a limit keeps out."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.domain import SETTLE_SECONDS, DomainTable
from monitor.rib.path import PeerId
from monitor.rib.reason import Reason, Stage
from programmer.route import Family, Forwarding, NextHop, PrefixKey
from tests.unit.monitor.engine.build import domain, reach
from tests.unit.monitor.rib.build import candidate, key, packed

V4, V6 = Family.IPV4, Family.IPV6
ONE, TWO = "192.0.2.1", "192.0.2.2"
A, B = key("10.1.0.0/16"), key("10.2.0.0/16")
FREEZE = "limit: {ipv4: {routes: 4}}"


def announce(made: DomainTable, address: str, *keys: PrefixKey, now: float = 0.0, **said: object) -> set[PrefixKey]:
    """Have a peer announce *keys*; returns those whose desired route changed."""
    path = candidate(address, **said).path  # type: ignore[arg-type]
    for one in keys:
        made.peers[path.peer].announce(V4, one, path)
    return {one for one, _ in made.recompute(V4, keys, now)}


def withdraw(made: DomainTable, address: str, *keys: PrefixKey, now: float = 0.0) -> set[PrefixKey]:
    """Have a peer withdraw *keys*; returns those whose desired route changed."""
    for one in keys:
        made.peers[PeerId("fabric", address)].withdraw(V4, one, 0)
    return {one for one, _ in made.recompute(V4, keys, now)}


def via(*addresses: str, metric: int = 200) -> Forwarding:
    return Forwarding(metric, tuple(NextHop(packed(address), 2) for address in addresses))


def run(count: int, start: int = 0) -> list[PrefixKey]:
    return [key(f"10.9.{number}.0/24") for number in range(start, start + count)]


def test_choice_follows_what_peers_say() -> None:
    made = domain(ONE, TWO)
    assert announce(made, ONE, A) == {A}
    assert made.desired[V4] == {A: via(ONE)}
    assert announce(made, TWO, A, local_pref=200) == {A}
    assert made.desired[V4] == {A: via(TWO)}
    assert announce(made, ONE, A, asns=(65001, 65002)) == set(), "a loser that gets worse changes nothing"
    assert withdraw(made, TWO, A) == {A}
    assert made.desired[V4] == {A: via(ONE)}
    assert withdraw(made, ONE, A) == {A}
    assert made.desired[V4] == {}


def test_choosing_again_without_news_changes_nothing() -> None:
    made = domain(ONE)
    announce(made, ONE, A)
    assert made.recompute(V4, [A, B], 0.0) == []


def test_equal_forwardings_are_one_object() -> None:
    made = domain(ONE)
    announce(made, ONE, A, B)
    assert made.desired[V4][A] is made.desired[V4][B]


def test_nothing_is_chosen_before_the_links_are_known() -> None:
    made = domain(ONE, choosing=False)
    assert not made.choosing
    reach(made)
    assert made.choosing
    assert announce(made, ONE, A) == {A}


def test_new_links_change_what_is_chosen_next() -> None:
    made = domain(ONE)
    announce(made, ONE, A)
    reach(made, "eth1")
    assert made.recompute(V4, made.keys(V4), 0.0) == [(A, None)]
    assert +made.reasons[V4] == {Reason.NEXT_HOP_LINK_DOWN: 1}
    reach(made)
    assert made.recompute(V4, made.keys(V4), 0.0) == [(A, via(ONE))]
    assert +made.reasons[V4] == {}


def test_candidates_are_of_the_domains_own_peers_in_their_order() -> None:
    made = domain(ONE, TWO)
    announce(made, TWO, A)
    announce(made, ONE, A)
    assert [one.candidate.path.peer.address for one in made.candidates(V4, A)] == [ONE, TWO]
    assert made.candidates(V6, A) == []
    assert made.candidates(V4, B) == []


def test_keys_are_those_held_and_those_that_were_chosen() -> None:
    made = domain(ONE)
    announce(made, ONE, A)
    made.peers[PeerId("fabric", ONE)].announce(V4, B, candidate(ONE).path)
    made.peers[PeerId("fabric", ONE)].withdraw(V4, A, 0)
    assert made.keys(V4) == {A, B}
    made.recompute(V4, made.keys(V4), 0.0)
    assert made.keys(V4) == {B}


def test_funnel_counts_paths_at_each_stage() -> None:
    made = domain(ONE, TWO)
    announce(made, ONE, A, B, key("0.0.0.0/0"))
    announce(made, TWO, A)
    announce(made, TWO, key("10.4.0.0/16"), next_hop="198.51.100.1")
    assert made.counts(V4) == {"accepted": 5, "in_policy": 5, "eligible": 3, "best": 2, "desired": 2}
    assert +made.reasons[V4] == {Reason.DEFAULT_ROUTE: 1, Reason.NEXT_HOP_OFF_LINK: 1, Reason.NOT_BEST: 1}
    assert made.peer_best[PeerId("fabric", ONE), V4] == 2
    assert made.counts(V6) == {"accepted": 0, "in_policy": 0, "eligible": 0, "best": 0, "desired": 0}


class TestLimit:
    def test_routes_up_to_the_limit_are_wanted(self) -> None:
        made = domain(ONE, more=FREEZE)
        announce(made, ONE, *run(4))
        assert made.desired[V4].keys() == set(run(4))
        assert made.limited[V4] == {}

    def test_a_burst_beyond_the_limit_leaves_no_partial_set(self) -> None:
        made = domain(ONE, more=FREEZE)
        announce(made, ONE, *run(2), now=0.0)
        for number, one in enumerate(run(6, 10)):
            announce(made, ONE, one, now=100.0 + number / 10)
        assert made.desired[V4].keys() == set(run(2))
        assert made.limited[V4].keys() == set(run(6, 10))

    def test_what_was_admitted_long_before_stays(self) -> None:
        made = domain(ONE, more=FREEZE)
        announce(made, ONE, *run(4), now=0.0)
        announce(made, ONE, *run(1, 10), now=SETTLE_SECONDS + 1)
        assert made.desired[V4].keys() == set(run(4))

    def test_frozen_routes_still_change_and_go(self) -> None:
        made = domain(ONE, TWO, more=FREEZE)
        announce(made, ONE, *run(4), now=0.0)
        announce(made, ONE, *run(2, 10), now=100.0)
        assert announce(made, TWO, run(1)[0], local_pref=200, now=101.0) == {run(1)[0]}
        assert made.desired[V4][run(1)[0]] == via(TWO)
        assert run(2)[1] in withdraw(made, ONE, run(2)[1], now=102.0)

    def test_everything_that_waits_enters_together_once_it_fits(self) -> None:
        made = domain(ONE, more=FREEZE)
        announce(made, ONE, *run(3), now=0.0)
        announce(made, ONE, *run(3, 10), now=100.0)
        assert made.limited[V4].keys() == set(run(3, 10))
        assert withdraw(made, ONE, run(1)[0], now=200.0) == {run(1)[0]}, "two and three do not fit into four"
        changed = withdraw(made, ONE, run(2)[1], now=201.0)
        assert changed == {run(2)[1], *run(3, 10)}
        assert made.desired[V4].keys() == {run(3)[2], *run(3, 10)}
        assert made.limited[V4] == {}

    def test_warning_limit_keeps_nothing_out(self) -> None:
        made = domain(ONE, more="limit: {ipv4: {routes: 4, action: warn}}")
        announce(made, ONE, *run(9))
        assert len(made.desired[V4]) == 9

    def test_limit_is_of_one_family(self) -> None:
        made = domain(ONE, more="limit: {ipv6: {routes: 1}}")
        announce(made, ONE, *run(9))
        assert len(made.desired[V4]) == 9


MOVES = st.lists(
    st.tuples(
        st.sampled_from((ONE, TWO)), st.integers(0, 7), st.sampled_from(("announce", "better", "off-link", "withdraw"))
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(MOVES, st.sampled_from(("", "multipath: 2", FREEZE)))
def test_counters_are_what_counting_anew_finds(moves: list[tuple[str, int, str]], more: str) -> None:
    made = domain(ONE, TWO, more=more)
    for now, (address, number, move) in enumerate(moves):
        one = run(1, number)[0]
        if move == "withdraw":
            withdraw(made, address, one, now=float(now))
        else:
            announce(
                made, address, one, now=float(now),
                local_pref=200 if move == "better" else None, next_hop="198.51.100.1" if move == "off-link" else None,
            )  # fmt: skip
    reasons, best = Counter[Reason](), 0
    wanted: dict[PrefixKey, Forwarding] = {}
    for one in run(8):
        if candidates := made.candidates(V4, one):
            selection = made.select(V4, one, candidates)
            reasons.update(verdict.reason for verdict in selection.verdicts if verdict.reason is not None)
            best += selection.best >= 0
            if selection.forwarding is not None:
                wanted[one] = selection.forwarding
    assert +made.reasons[V4] == reasons
    assert made.best[V4] == best == sum(made.peer_best.values())
    assert made.desired[V4] | made.limited[V4] == wanted
    assert made.desired[V4].keys().isdisjoint(made.limited[V4])
    counts = made.counts(V4)
    stopped = sum(count for reason, count in reasons.items() if reason.stage < Stage.ELIGIBLE)
    assert counts["eligible"] == counts["accepted"] - stopped
    if more == FREEZE:
        assert len(made.desired[V4]) <= 4


@pytest.mark.parametrize("more", ["", FREEZE])
def test_order_of_arrival_does_not_decide_which_path_wins(more: str) -> None:
    first, second = domain(ONE, TWO, more=more), domain(ONE, TWO, more=more)
    for made, order in ((first, (ONE, TWO)), (second, (TWO, ONE))):
        for address in order:
            announce(made, address, A, B)
    assert first.desired == second.desired
