"""One domain: every reason by a natural case, and multipath that grows and shrinks."""

import random
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.model import Condition
from monitor.rib.decision import Candidate, Step
from monitor.rib.domain import DomainCandidate, DomainPolicy, Interner, Selection, Selector, Teller, Verdict, select
from monitor.rib.nexthop import Resolver
from monitor.rib.policy import Policy
from monitor.rib.protect import ProtectedSet, live_protected
from monitor.rib.reason import Reason
from programmer.fib import Links
from programmer.route import Family, NextHop
from tests.unit.monitor.rib.build import candidate, key, links, of_domain, packed, ranges, rule

V4, V6 = Family.IPV4, Family.IPV6
ANY = Policy([rule(1, True)])
PODS = [ip_network("10.244.0.0/16")]
SETTINGS = DomainPolicy(
    families=frozenset(Family), policy=ANY, default_lengths={V4: 8, V6: 16}, metric=200, multipath=2
)


def choose(
    *said: Candidate | DomainCandidate,
    prefix: str = "10.8.0.0/16",
    settings: DomainPolicy = SETTINGS,
    node: Links | None = None,
    interfaces: tuple[str, ...] = ("eth1",),
) -> Selection:
    node = node or links()
    protected = ProtectedSet(live_protected(node, [], [], PODS))
    candidates = [one if isinstance(one, DomainCandidate) else of_domain(one) for one in said]
    family, resolver, interner = V6 if ":" in prefix else V4, Resolver(node, interfaces), Interner()
    chosen = select(settings, resolver, protected, family, key(prefix), candidates, interner)
    told = [
        (path, Teller(address, interface, authenticated, expired, external, router_id))
        for (path, external, router_id, _), address, interface, authenticated, expired in candidates
    ]
    quick = Selector(settings, resolver, protected, interner).choose(family, key(prefix), told)
    assert quick == (chosen.forwarding, reasons(chosen), chosen.best), "the short way comes to the same"
    return chosen


def reasons(selection: Selection) -> list[Reason | None]:
    return [verdict.reason for verdict in selection.verdicts]


def gateways(selection: Selection) -> set[str]:
    assert selection.forwarding is not None
    return {str(hop.address) for hop in selection.forwarding.next_hops}


def test_one_good_path_becomes_a_route_of_the_domains_metric() -> None:
    chosen = choose(candidate())
    assert chosen.forwarding is not None
    assert chosen.forwarding.metric == 200
    assert chosen.forwarding.next_hops == (NextHop(packed("192.0.2.1"), 2),)
    assert chosen.verdicts == (Verdict(None, 1),)
    assert chosen.best == 0


def test_no_path_is_no_route() -> None:
    assert choose() == Selection(None, (), -1)


@pytest.mark.parametrize(
    ("reason", "said", "prefix", "settings"),
    [
        (Reason.FAMILY_OFF, candidate(), "10.8.0.0/16", replace(SETTINGS, families=frozenset({V6}))),
        (Reason.UNAUTHENTICATED, candidate(), "10.8.0.0/16", replace(SETTINGS, require_auth=True)),
        (Reason.NO_POLICY, candidate(), "10.8.0.0/16", replace(SETTINGS, policy=Policy([]))),
        (Reason.POLICY_DENIED, candidate(), "10.8.0.0/16", replace(SETTINGS, policy=Policy([rule(1, False)]))),
        (
            Reason.POLICY_UNMATCHED,
            candidate(),
            "10.8.0.0/16",
            replace(SETTINGS, policy=Policy([rule(1, True, Condition(prefixes=ranges("10.9.0.0/16")))])),
        ),
        (Reason.DEFAULT_ROUTE, candidate(), "0.0.0.0/0", SETTINGS),
        (Reason.DEFAULT_ROUTE, candidate(), "128.0.0.0/1", SETTINGS),
        (Reason.DEFAULT_ROUTE, candidate(next_hop="2001:db8:1::1"), "2000::/3", SETTINGS),
        (Reason.PROTECTED, candidate(), "192.0.2.1/32", SETTINGS),
        (Reason.PROTECTED, candidate(), "10.244.3.0/24", SETTINGS),
        (Reason.PROTECTED, candidate(), "169.254.169.254/32", SETTINGS),
        (Reason.ENCAPSULATED, candidate(), "10.0.0.0/8", replace(SETTINGS, encapsulated=ProtectedSet(PODS))),
        (Reason.NEXT_HOP_MISSING, candidate(next_hop=""), "10.8.0.0/16", SETTINGS),
        (Reason.NEXT_HOP_OWN, candidate(next_hop="198.51.100.5"), "10.8.0.0/16", SETTINGS),
        (Reason.NEXT_HOP_INVALID, candidate(next_hop="127.0.0.1"), "10.8.0.0/16", SETTINGS),
        (Reason.NEXT_HOP_OFF_LINK, candidate(next_hop="198.51.100.1"), "10.8.0.0/16", SETTINGS),
        (Reason.NEXT_HOP_NO_INTERFACE, candidate(next_hop="fe80::1"), "2001:db8:8::/48", SETTINGS),
    ],
)
def test_each_refusal_of_a_path_alone(reason: Reason, said: Candidate, prefix: str, settings: DomainPolicy) -> None:
    chosen = choose(said, prefix=prefix, settings=settings)
    assert reasons(chosen) == [reason]
    assert (chosen.forwarding, chosen.best) == (None, -1)


def test_a_link_that_goes_down_takes_its_paths_out() -> None:
    assert reasons(choose(candidate(), node=links(no_carrier=("eth1",)))) == [Reason.NEXT_HOP_LINK_DOWN]


def test_a_prefix_that_contains_its_own_next_hop_is_refused_even_where_nothing_protects_it() -> None:
    resolver, nothing = Resolver(links(), ("eth1",)), ProtectedSet([])
    for prefix, reason in (("192.0.2.1/32", Reason.NEXT_HOP_IN_PREFIX), ("192.0.0.0/16", None)):
        chosen = select(SETTINGS, resolver, nothing, V4, key(prefix), [of_domain(candidate())], Interner())
        assert reasons(chosen) == [reason]


def test_an_authenticated_session_passes_where_it_is_required() -> None:
    said = of_domain(candidate(), authenticated=True)
    assert reasons(choose(said, settings=replace(SETTINGS, require_auth=True))) == [None]


def test_a_default_route_is_used_where_the_domain_accepts_it() -> None:
    settings = replace(SETTINGS, accept_defaults=True, encapsulated=ProtectedSet(PODS))
    assert reasons(choose(candidate(), prefix="0.0.0.0/0", settings=settings)) == [None]


def test_an_unnumbered_peer_gives_a_route_over_its_interface() -> None:
    said = of_domain(candidate("fe80::1"), "eth1")
    for prefix in ("2001:db8:8::/48", "10.8.0.0/16"):
        chosen = choose(said, prefix=prefix)
        assert chosen.forwarding is not None
        assert chosen.forwarding.next_hops == (NextHop(packed("fe80::1"), 2),)


def test_a_worse_path_loses_at_a_step_and_only_eligible_paths_compete() -> None:
    chosen = choose(
        candidate("192.0.2.1", asns=(65001, 65009)),
        candidate("192.0.2.2"),
        candidate("192.0.2.3", next_hop="10.0.0.1", local_pref=900),
    )
    assert chosen.best == 1
    assert chosen.verdicts == (
        Verdict(Reason.NOT_BEST, 1, Step.AS_PATH),
        Verdict(None, 1),
        Verdict(Reason.NEXT_HOP_OFF_LINK, 1),
    )


def test_a_stale_path_serves_alone_and_gives_way_to_any_fresh_one() -> None:
    stale = candidate("192.0.2.1", stale=True, local_pref=900)
    assert reasons(choose(stale)) == [None]
    with_fresh = choose(stale, candidate("192.0.2.2", local_pref=1))
    assert with_fresh.verdicts == (Verdict(Reason.STALE, 1, Step.FRESH), Verdict(None, 1))
    unusable = choose(stale, candidate("192.0.2.2", next_hop="10.0.0.1"))
    assert reasons(unusable) == [None, Reason.NEXT_HOP_OFF_LINK]


def test_of_two_stale_paths_the_loser_is_not_best() -> None:
    chosen = choose(candidate("192.0.2.1", stale=True), candidate("192.0.2.2", stale=True, med=5))
    assert reasons(chosen) == [None, Reason.NOT_BEST]


def test_multipath_grows_and_shrinks_with_the_paths() -> None:
    settings = replace(SETTINGS, multipath=3)
    peers = [candidate(f"192.0.2.{last}") for last in (1, 2, 3, 4)]
    for count, used in ((1, 1), (2, 2), (3, 3), (4, 3), (3, 3), (2, 2), (1, 1)):
        chosen = choose(*peers[:count], settings=settings)
        assert gateways(chosen) == {f"192.0.2.{last}" for last in range(1, used + 1)}
        assert reasons(chosen) == [None] * used + [Reason.MULTIPATH_FULL] * (count - used)


def test_an_equal_path_with_the_same_next_hop_adds_nothing() -> None:
    chosen = choose(candidate("192.0.2.1"), candidate("192.0.2.2", next_hop="192.0.2.1"), candidate("192.0.2.3"))
    assert reasons(chosen) == [None, Reason.SAME_NEXT_HOP, None]
    assert gateways(chosen) == {"192.0.2.1", "192.0.2.3"}


def test_without_multipath_an_equal_path_is_not_best_and_the_step_says_why() -> None:
    chosen = choose(candidate("192.0.2.1"), candidate("192.0.2.2"), settings=replace(SETTINGS, multipath=1))
    assert chosen.verdicts == (Verdict(None, 1), Verdict(Reason.NOT_BEST, 1, Step.PEER_ADDRESS))


def test_a_path_of_another_merit_does_not_join() -> None:
    assert reasons(choose(candidate("192.0.2.1"), candidate("192.0.2.2", med=1))) == [None, Reason.NOT_BEST]


def test_the_best_paths_rule_gives_metric_and_the_domain_the_source() -> None:
    rules = [rule(1, True, Condition(communities=(7,)), metric=50), rule(2, True)]
    settings = replace(SETTINGS, policy=Policy(rules), preferred_source={V4: packed("10.8.0.5")})
    chosen = choose(candidate("192.0.2.2"), candidate("192.0.2.1", communities=(7,)), settings=settings)
    assert chosen.forwarding is not None
    assert (chosen.forwarding.metric, chosen.forwarding.preferred_source) == (50, packed("10.8.0.5"))
    assert [verdict.rule for verdict in chosen.verdicts] == [2, 1]
    six = choose(candidate(next_hop="2001:db8:1::1"), prefix="2001:db8:8::/48", settings=settings)
    assert six.forwarding is not None
    assert (six.forwarding.metric, six.forwarding.preferred_source) == (200, b"")


def test_two_domains_choose_for_the_same_prefix_each_among_its_own() -> None:
    first = choose(candidate("192.0.2.1"), interfaces=("eth1",))
    second = choose(candidate("198.51.100.1"), interfaces=("eth2",))
    assert gateways(first) == {"192.0.2.1"}
    assert gateways(second) == {"198.51.100.1"}


def test_equal_forwardings_are_one_object_for_all_prefixes() -> None:
    selector = Selector(SETTINGS, Resolver(links(), ("eth1",)), ProtectedSet([]), interner := Interner())
    both = [of_domain(candidate("192.0.2.1")), of_domain(candidate("192.0.2.2"))]
    first = selector.select(V4, key("10.8.0.0/16"), both).forwarding
    second = selector.select(V4, key("10.9.0.0/16"), both[::-1]).forwarding
    assert first is second
    assert len(interner) == 1


said = st.lists(
    st.builds(
        candidate,
        st.sampled_from([f"192.0.2.{last}" for last in (1, 2, 3, 4, 6)]),
        asns=st.sampled_from([(65001,), (65002,)]),
        next_hop=st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3", "10.0.0.1", "192.0.2.5"]),
        med=st.sampled_from([None, 1]),
        stale=st.booleans(),
        path_id=st.integers(0, 2),
    ),
    max_size=6,
    unique_by=lambda one: (one.path.peer, one.path.path_id),
)


@given(said, st.integers(1, 3), st.integers(0, 1000))
def test_the_outcome_does_not_depend_on_order_and_is_consistent(paths: list[Candidate], limit: int, seed: int) -> None:
    settings = replace(SETTINGS, multipath=limit)
    shuffled = paths[:]
    random.Random(seed).shuffle(shuffled)
    first, second = choose(*paths, settings=settings), choose(*shuffled, settings=settings)
    assert first.forwarding == second.forwarding
    by_path = dict(zip(map(id, shuffled), second.verdicts, strict=True))
    assert [by_path[id(one)] for one in paths] == list(first.verdicts)
    used = [one for one, verdict in zip(paths, first.verdicts, strict=True) if verdict.reason is None]
    if first.forwarding is None:
        assert not used
        assert first.best == -1
    else:
        assert first.verdicts[first.best].reason is None
        assert len(used) == len(first.forwarding.next_hops) <= limit
        assert {one.path.attributes.next_hop for one in used} == {hop.gateway for hop in first.forwarding.next_hops}
