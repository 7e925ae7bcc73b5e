"""The import policy: first match decides, nothing matches means deny."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.model import Condition, ImportRule, PeerSelector, PerFamily
from monitor.rib import policy as module
from monitor.rib.attribute import Origin, Rpki
from monitor.rib.decision import Candidate
from monitor.rib.policy import Decision, Policy
from monitor.rib.reason import Reason
from programmer.route import Family, key_of
from tests.unit.monitor.rib.build import as_path, candidate, key, ranges, rule

V4, V6 = Family.IPV4, Family.IPV6


def decide(rules: list[ImportRule], prefix: str, said: Candidate | None = None, interface: str = "") -> Decision:
    said = said or candidate()
    family = V6 if ":" in prefix else V4
    return Policy(rules).decide(family, key(prefix), said.path, ip_address(said.path.peer.address), interface)


def test_no_rules_and_no_match_are_two_kinds_of_deny() -> None:
    assert decide([], "10.8.0.0/16").reason is Reason.NO_POLICY
    unmatched = decide([rule(1, True, Condition(prefixes=ranges("10.9.0.0/16")))], "10.8.0.0/16")
    assert (unmatched.reason, unmatched.rule, unmatched.accepted) == (Reason.POLICY_UNMATCHED, None, False)


def test_the_first_rule_that_matches_decides() -> None:
    deny = rule(1, False, Condition(prefixes=ranges("10.8.0.0/16 16 32")))
    accept = rule(2, True)
    assert decide([deny, accept], "10.8.1.0/24") == Decision(accepted=False, reason=Reason.POLICY_DENIED, rule=1)
    assert decide([deny, accept], "10.9.1.0/24") == Decision(accepted=True, reason=None, rule=2)
    assert decide([rule(1, True), rule(2, False)], "10.8.1.0/24").rule == 1


@pytest.mark.parametrize(
    ("prefix", "accepted"),
    [
        ("10.8.0.0/14", False),
        ("10.8.0.0/15", False),
        ("10.8.0.0/16", True),
        ("10.11.255.0/28", True),
        ("10.11.255.0/29", False),
        ("10.12.0.0/16", False),
        ("10.0.0.0/8", False),
        ("0.0.0.0/0", False),
        ("2001:db8::/32", False),
    ],
)
def test_ge_and_le_are_both_included(prefix: str, accepted: bool) -> None:
    rules = [rule(1, True, Condition(prefixes=ranges("10.8.0.0/14 16 28")))]
    assert decide(rules, prefix).accepted is accepted


def test_any_entry_of_a_field_is_enough_but_every_field_must_match() -> None:
    condition = Condition(prefixes=ranges("10.8.0.0/16", "10.9.0.0/16"), communities=(1, 2))
    rules = [rule(1, True, condition)]
    assert decide(rules, "10.9.0.0/16", candidate(communities=(2, 3))).accepted
    assert not decide(rules, "10.9.0.0/16", candidate(communities=(3,))).accepted
    assert not decide(rules, "10.10.0.0/16", candidate(communities=(1,))).accepted


CONDITIONS = [
    (Condition(communities=(5,)), {"communities": (4, 5)}, {"communities": (4,)}),
    (
        Condition(large_communities=((1, 2, 3),)),
        {"large_communities": ((1, 2, 3),)},
        {"large_communities": ((1, 2, 4),)},
    ),
    (Condition(as_paths=(as_path("^65001_"),)), {"asns": (65001, 65002)}, {"asns": (65002, 65001)}),
    (Condition(as_paths=(as_path("_65010_"),)), {"asns": (65001, 65010)}, {"asns": (65001, 650101)}),
    (Condition(as_paths=(as_path("^$"), as_path("_7$"))), {"asns": ()}, {"asns": (65001,)}),
    (Condition(next_hops=(ip_network("192.0.2.0/25"),)), {"next_hop": "192.0.2.9"}, {"next_hop": "192.0.2.129"}),
    (Condition(next_hops=(ip_network("2001:db8::/32"),)), {"next_hop": "2001:db8::1"}, {"next_hop": "192.0.2.1"}),
    (Condition(origins=(Origin.IGP, Origin.EGP)), {"origin": Origin.EGP}, {"origin": Origin.INCOMPLETE}),
    (Condition(rpki=(Rpki.VALID,)), {"rpki": Rpki.VALID}, {"rpki": Rpki.INVALID}),
    (Condition(peers=(PeerSelector(ip_network("192.0.2.0/28")),)), {"peer": "192.0.2.7"}, {"peer": "192.0.2.77"}),
]


@pytest.mark.parametrize(("condition", "matches", "differs"), CONDITIONS)
def test_each_condition(condition: Condition, matches: dict[str, object], differs: dict[str, object]) -> None:
    rules = [rule(1, True, condition)]
    assert decide(rules, "10.8.0.0/16", candidate(**matches)).accepted  # type: ignore[arg-type]
    assert not decide(rules, "10.8.0.0/16", candidate(**differs)).accepted  # type: ignore[arg-type]


def test_a_peer_can_be_selected_by_its_interface() -> None:
    rules = [rule(1, True, Condition(peers=(PeerSelector(None, "eth1"),)))]
    assert decide(rules, "10.8.0.0/16", candidate("fe80::1"), "eth1").accepted
    assert not decide(rules, "10.8.0.0/16", candidate("fe80::1"), "eth2").accepted


def test_what_is_remembered_is_told_apart_by_peer_interface_and_rpki() -> None:
    selectors = (PeerSelector(ip_network("192.0.2.1/32")), PeerSelector(None, "eth1"))
    compiled = Policy([rule(1, True, Condition(peers=selectors, rpki=(Rpki.VALID,)))])
    first = candidate(rpki=Rpki.VALID).path
    address = ip_address("192.0.2.1")
    other = first._replace(peer=first.peer._replace(address="192.0.2.2"))
    elsewhere = ip_address("192.0.2.2")
    prefix = key("10.8.0.0/16")
    assert compiled.decide(V4, prefix, first, address).accepted
    assert not compiled.decide(V4, prefix, first._replace(rpki=Rpki.INVALID), address).accepted
    assert not compiled.decide(V4, prefix, other, elsewhere).accepted
    assert compiled.decide(V4, prefix, other, elsewhere, "eth1").accepted


def test_memory_stays_bounded_whatever_peers_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMO_LIMIT", 4)
    compiled = Policy([rule(1, True, Condition(communities=(1,)))])
    for number in range(50):
        path = candidate(communities=(number % 2,)).path
        accepted = compiled.decide(V4, key("10.8.0.0/16"), path, ip_address("192.0.2.1")).accepted
        assert accepted is (number % 2 == 1)
        assert len(compiled._memo) <= 4


def test_the_rule_that_accepts_gives_metric_and_preferred_source_of_the_family() -> None:
    accept = ImportRule(
        number=1,
        accept=True,
        condition=Condition(),
        text="",
        line=1,
        metric=50,
        preferred_source=PerFamily(ip_address("10.8.0.5"), None),
    )
    four, six = decide([accept], "10.8.0.0/16"), decide([accept], "2001:db8::/32")
    assert (four.metric, four.preferred_source) == (50, b"\x0a\x08\x00\x05")
    assert (six.metric, six.preferred_source) == (50, b"")


lengths = st.integers(0, 32)
numbers = st.sampled_from([0x0A080000, 0x0A0B0000, 0x0A080100, 0xC0000200, 0])


@given(st.lists(st.tuples(numbers, lengths, lengths, lengths), max_size=5), numbers, lengths)
def test_ranges_mean_what_ipaddress_says(entries: list[tuple[int, int, int, int]], number: int, length: int) -> None:
    prefix = ip_network((number, length), strict=False)
    found = ranges(*(f"{ip_network((n, size), strict=False)} {max(ge, size)} {le}" for n, size, ge, le in entries))
    expected = any(prefix.subnet_of(entry.prefix) and entry.ge <= length <= entry.le for entry in found)  # type: ignore[arg-type]
    path = candidate().path
    condition = Condition(prefixes=found) if found else Condition(communities=(1,))
    compiled = Policy([rule(1, True, condition)])
    assert compiled.decide(V4, key_of(prefix), path, ip_address("192.0.2.1")).accepted is expected
