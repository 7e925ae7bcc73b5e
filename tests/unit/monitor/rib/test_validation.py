"""Origin validation: which AS a path counts as originated by, and rules that cannot be decided yet."""

from ipaddress import ip_address

import pytest

from monitor.config.model import Condition
from monitor.rib.attribute import AsPath, Rpki, SegmentType
from monitor.rib.policy import Decision, Policy
from monitor.rib.reason import Reason
from monitor.rib.validation import NO_ORIGIN, OWN_AS, origin_of
from programmer.route import Family
from tests.unit.monitor.rib.build import candidate, key, ranges, rule

SEQUENCE, SET = SegmentType.AS_SEQUENCE, SegmentType.AS_SET
CONFED = SegmentType.AS_CONFED_SEQUENCE


@pytest.mark.parametrize(
    ("as_path", "origin"),
    [
        (((SEQUENCE, (65001, 64500)),), 64500),
        (((SEQUENCE, (65001,)), (SEQUENCE, (64500, 64501))), 64501),
        (((SEQUENCE, (65001,)), (SET, (64500, 64501))), NO_ORIGIN),
        (((SET, (64500,)), (SEQUENCE, (65001,))), 65001),
        (((CONFED, (65100,)),), OWN_AS),
        (((SEQUENCE, ()),), OWN_AS),
        ((), OWN_AS),
    ],
)
def test_the_origin_is_the_last_as_of_the_path(as_path: AsPath, origin: int) -> None:
    assert origin_of(as_path) == origin


def decide(policy: Policy, prefix: str, state: Rpki) -> Decision:
    said = candidate(rpki=state)
    return policy.decide(Family.IPV4, key(prefix), said.path, ip_address("192.0.2.1"))


def test_an_unknown_state_matches_no_rule_and_passes_none() -> None:
    policy = Policy(
        [
            rule(1, True, Condition(prefixes=ranges("10.9.0.0/16"))),
            rule(2, False, Condition(prefixes=ranges("10.8.0.0/15 16 24"), rpki=(Rpki.INVALID,))),
            rule(3, True),
        ]
    )
    assert decide(policy, "10.8.0.0/16", Rpki.INVALID).reason is Reason.POLICY_DENIED
    assert decide(policy, "10.8.0.0/16", Rpki.VALID).rule == 3
    assert decide(policy, "10.8.0.0/16", Rpki.NOT_FOUND).rule == 3
    unknown = Decision(accepted=False, reason=Reason.RPKI_UNKNOWN, rule=2)
    assert decide(policy, "10.8.0.0/16", Rpki.NONE) == unknown, "a later accept is not reached"
    assert decide(policy, "10.9.0.0/16", Rpki.NONE).rule == 1, "what is decided before stays decided"
    assert decide(policy, "10.7.0.0/16", Rpki.NONE).rule == 3, "a rule for other prefixes does not count"


@pytest.mark.parametrize("state", [Rpki.VALID, Rpki.INVALID, Rpki.NOT_FOUND])
def test_no_state_is_accepted_before_it_is_known(state: Rpki) -> None:
    policy = Policy([rule(1, True, Condition(rpki=(state,)))])
    assert policy.asks_rpki
    assert decide(policy, "10.8.0.0/16", state).accepted
    assert decide(policy, "10.8.0.0/16", Rpki.NONE).reason is Reason.RPKI_UNKNOWN


def test_only_conditions_about_rpki_ask_for_it() -> None:
    assert not Policy([rule(1, True), rule(2, False, Condition(communities=(1,)))]).asks_rpki
