"""What class an operation has, what waits for a person, and when a plan may not be decided any more."""

import ipaddress

import pytest

from programmer.approval import (
    Facts,
    PlanState,
    categorise,
    check_drift,
    check_state,
    cover_of,
    dependents,
    risk_of,
    standard_decision,
)
from programmer.errors import PlanRefused, PlanStale
from programmer.plan import Gate, Operation
from programmer.route import Family, Forwarding, NextHop, PrefixKey, TableId, key_of

DEAD, EAST, WEST, NORTH = (NextHop(b"\x0a\x01\x00" + bytes((host,)), host) for host in (1, 2, 3, 4))
ROUTE = Forwarding(200, (EAST,))


def key(prefix: str) -> PrefixKey:
    return key_of(ipaddress.ip_network(prefix))


def via(*hops: NextHop) -> Forwarding:
    return Forwarding(200, hops)


def operation(before: Forwarding | None, after: Forwarding | None, prefix: str = "203.0.113.0/24") -> Operation:
    return Operation(TableId(101), Family.IPV4, key(prefix), before, after)


def facts(**said: object) -> Facts:
    known: dict[str, object] = {
        "default_like": False,
        "alive": lambda hop: hop != DEAD,
        "installed": 10_000,
        "adds": 500,
    }
    return Facts(**(known | said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "said", "category"),
    [
        (None, ROUTE, {}, "add"),
        (None, ROUTE, {"adds": 99}, "add-small"),
        (None, ROUTE, {"adds": 100}, "add"),
        (None, ROUTE, {"restores": True}, "restore"),
        (None, ROUTE, {"monitors": "probe api", "restores": True}, "monitored"),
        (None, ROUTE, {"protects": "endpoint", "monitors": "probe api"}, "protect-node"),
        (None, ROUTE, {"default_like": True, "monitors": "probe api"}, "default-route"),
        (ROUTE, None, {"default_like": True}, "default-route"),
        (ROUTE, None, {}, "delete"),
        (via(DEAD), None, {}, "delete"),
        (via(DEAD), None, {"cover": via(WEST)}, "dead-next-hop"),
        (via(DEAD, EAST), None, {"cover": via(WEST)}, "delete"),
        (ROUTE, None, {"cover": via(EAST)}, "withdraw-with-cover"),
        (ROUTE, None, {"cover": via(WEST)}, "delete"),
        (ROUTE, None, {"removals": 50}, "delete"),
        (ROUTE, None, {"removals": 51}, "mass-delete"),
        (ROUTE, None, {"removals": 11, "installed": 100}, "mass-delete"),
        (ROUTE, None, {"removals": 10, "installed": 100}, "delete"),
        (ROUTE, None, {"removals": 31, "installed": 3000}, "mass-delete"),
        (via(DEAD), None, {"cover": via(WEST), "removals": 1000}, "dead-next-hop"),
        (via(EAST), via(WEST), {}, "nh-move"),
        (via(DEAD), via(WEST), {}, "nh-move"),
        (via(EAST, WEST), via(EAST), {}, "ecmp-narrow"),
        (via(EAST, DEAD), via(EAST), {}, "dead-next-hop"),
        (via(EAST), via(EAST, WEST), {}, "ecmp-widen"),
        (via(EAST, WEST), via(WEST, NORTH), {}, "change"),
        (via(EAST, WEST), via(EAST, DEAD), {}, "ecmp-narrow"),
        (via(EAST), Forwarding(300, (EAST,)), {}, "change"),
    ],
)
def test_operations_are_classified(
    before: Forwarding | None, after: Forwarding | None, said: dict[str, object], category: str
) -> None:
    assert categorise(operation(before, after), facts(**said)) == category


def test_without_rules_the_gate_decides() -> None:
    assert standard_decision("delete", Gate.AUTO).automatic
    assert standard_decision("dead-next-hop", Gate.APPROVE).automatic
    waits = standard_decision("delete", Gate.APPROVE)
    assert not waits.automatic
    assert (waits.text, waits.risk) == ("approve: 1", "med")
    assert waits._replace(denied=True).text == "deny"
    assert not waits._replace(approvals=0, denied=True).automatic
    assert {risk_of(name) for name in ("protect-node", "default-route", "monitored", "mass-delete")} == {"high"}


def test_a_less_specific_prefix_covers_and_the_prefix_itself_does_not() -> None:
    assert cover_of(key("203.0.113.0/24"), {key("203.0.112.0/23")}) is not None
    assert cover_of(key("203.0.113.0/24"), {key("0.0.0.0/0")}) is not None
    assert (
        cover_of(key("203.0.113.0/24"), {key("203.0.113.0/24"), key("203.0.113.0/25"), key("203.0.114.0/23")}) is None
    )
    assert cover_of(key("2001:db8:1::/48"), lambda found: found == key("2001:db8::/32")) is not None
    assert cover_of(key("0.0.0.0/0"), lambda _: True) is None


def test_the_most_specific_cover_counts() -> None:
    held = {key("0.0.0.0/0"), key("203.0.0.0/16"), key("203.0.112.0/20")}
    assert cover_of(key("203.0.113.0/24"), held) == key("203.0.112.0/20")
    assert cover_of(key("198.51.100.0/24"), held - {key("0.0.0.0/0")}) is None


def test_a_group_stands_or_falls_together() -> None:
    groups = ((0, 3), (1, 4, 5))
    assert dependents(groups, set()) == set()
    assert dependents(groups, {2}) == set()
    assert dependents(groups, {3}) == {0, 3}
    assert dependents(groups, {3, 5}) == {0, 1, 3, 4, 5}


@pytest.mark.parametrize(("stale", "total"), [(0, 0), (0, 5), (10, 20), (10, 1000), (50, 1000)])
def test_a_plan_that_mostly_matches_passes(stale: int, total: int) -> None:
    check_drift(stale, total, 10, 5.0)


@pytest.mark.parametrize(("stale", "total"), [(1, 1), (10, 10), (11, 20), (51, 1000)])
def test_a_plan_that_drifted_too_far_is_refused(stale: int, total: int) -> None:
    with pytest.raises(PlanStale, match="freeze a new plan"):
        check_drift(stale, total, 10, 5.0)


def test_a_frozen_plan_can_be_decided_until_it_expires() -> None:
    check_state(PlanState.FROZEN, 100.0, 99.9)
    for state, now in ((PlanState.FROZEN, 100.0), (PlanState.QUEUED, 100.0), (PlanState.EXPIRED, 0.0)):
        with pytest.raises(PlanStale, match="expired"):
            check_state(state, 100.0, now)


@pytest.mark.parametrize(
    "state",
    [state for state in PlanState if state not in {PlanState.FROZEN, PlanState.EXPIRED}],
    ids=lambda state: state.value,
)
def test_a_decided_plan_cannot_be_decided_again(state: PlanState) -> None:
    with pytest.raises(PlanRefused, match=state.value):
        check_state(state, 100.0, 0.0)
