"""What waits for a person, and when a plan may not be decided any more."""

import ipaddress

import pytest

from programmer.approval import Decision, PlanState, check_drift, check_state, classify, has_cover
from programmer.errors import PlanRefused, PlanStale
from programmer.plan import Gate, Operation
from programmer.route import Family, Forwarding, NextHop, PrefixKey, TableId, key_of

ROUTE = Forwarding(200, (NextHop(b"\x0a\x01\x00\x02", 2),))
OTHER = ROUTE._replace(metric=300)
KINDS = {"add": (None, ROUTE), "change": (OTHER, ROUTE), "remove": (ROUTE, None)}


def key(prefix: str) -> PrefixKey:
    return key_of(ipaddress.ip_network(prefix))


def operation(kind: str, prefix: str) -> Operation:
    before, after = KINDS[kind]
    family = Family.IPV6 if ":" in prefix else Family.IPV4
    return Operation(TableId(101), family, key(prefix), before, after)


@pytest.mark.parametrize(
    ("kind", "prefix", "dead", "covered", "category", "risk", "waits"),
    [
        ("add", "203.0.113.0/24", False, False, "add", "low", 1),
        ("change", "203.0.113.0/24", False, False, "change", "med", 1),
        ("change", "203.0.113.0/24", True, True, "change", "med", 1),
        ("remove", "203.0.113.0/24", False, False, "delete", "med", 1),
        ("remove", "203.0.113.0/24", True, False, "delete", "med", 1),
        ("remove", "203.0.113.0/24", False, True, "delete", "med", 1),
        ("remove", "203.0.113.0/24", True, True, "dead-next-hop", "low", 0),
        ("add", "0.0.0.0/0", False, False, "default-route", "high", 1),
        ("change", "::/0", False, False, "default-route", "high", 1),
        ("remove", "::/0", True, False, "default-route", "high", 1),
    ],
)
def test_operations_are_classified(
    kind: str, prefix: str, dead: bool, covered: bool, category: str, risk: str, waits: int
) -> None:
    found = classify(operation(kind, prefix), Gate.APPROVE, dead=dead, covered=covered)
    assert found == Decision(category, risk, waits)
    assert found.text == ("approve: 1" if waits else "auto")
    automatic = classify(operation(kind, prefix), Gate.AUTO, dead=dead, covered=covered)
    assert automatic == Decision(category, risk, 0), "in auto mode the class stays and nobody is asked"


def test_a_less_specific_prefix_covers_and_the_prefix_itself_does_not() -> None:
    assert has_cover(key("203.0.113.0/24"), {key("203.0.112.0/23")})
    assert has_cover(key("203.0.113.0/24"), {key("0.0.0.0/0")})
    assert not has_cover(key("203.0.113.0/24"), {key("203.0.113.0/24"), key("203.0.113.0/25"), key("203.0.114.0/23")})
    assert has_cover(key("2001:db8:1::/48"), lambda found: found == key("2001:db8::/32"))
    assert not has_cover(key("0.0.0.0/0"), lambda _: True)


@pytest.mark.parametrize(("stale", "total"), [(0, 0), (0, 5), (10, 20), (10, 1000), (50, 1000)])
def test_a_plan_that_mostly_matches_passes(stale: int, total: int) -> None:
    check_drift(stale, total, 10, 5.0)


@pytest.mark.parametrize(("stale", "total"), [(1, 1), (10, 10), (11, 20), (51, 1000)])
def test_a_plan_that_drifted_too_far_is_refused(stale: int, total: int) -> None:
    with pytest.raises(PlanStale, match="freeze a new plan"):
        check_drift(stale, total, 10, 5.0)


def test_a_frozen_plan_can_be_decided_until_it_expires() -> None:
    check_state(PlanState.FROZEN, 100.0, 99.9)
    for state, now in ((PlanState.FROZEN, 100.0), (PlanState.EXPIRED, 0.0)):
        with pytest.raises(PlanStale, match="expired"):
            check_state(state, 100.0, now)


@pytest.mark.parametrize(
    "state",
    [PlanState.APPLYING, PlanState.APPLIED, PlanState.REJECTED, PlanState.FAILED],
    ids=lambda state: state.value,
)
def test_a_decided_plan_cannot_be_decided_again(state: PlanState) -> None:
    with pytest.raises(PlanRefused, match=state.value):
        check_state(state, 100.0, 0.0)
    with pytest.raises(PlanRefused, match=state.value):
        check_state(state, 100.0, 200.0)
