"""Approval rules as values: the standard ones, how they read, and which tickets they take."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.change.rule import ApprovalRule, RuleAction, standard_rules, ticket_matches
from monitor.filter import parse
from programmer.approval import Facts, categorise, risk_of
from programmer.plan import Operation
from programmer.route import Family, Forwarding, NextHop, TableId

DENY, APPROVE, AUTO = RuleAction.DENY, RuleAction.APPROVE, RuleAction.AUTO
CLASSES = (
    "protect-node", "default-route", "monitored", "dead-next-hop", "withdraw-with-cover", "restore", "mass-delete", "delete",
    "nh-move", "ecmp-narrow", "ecmp-widen", "change", "add", "add-small", "rule",
)  # fmt: skip


class Named:
    """As much of a row as the standard rules look at."""

    def __init__(self, name: str) -> None:
        self.class_ = name


def standard(category: str, most_people: int = 5) -> ApprovalRule:
    """The standard rule that decides about a class."""
    return next(rule for rule in standard_rules(most_people) if rule.match.matches(Named(category), 0.0))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("category", "action", "people", "per_minute", "in_window"),
    [
        ("protect-node", DENY, 1, 0, False),
        ("default-route", APPROVE, 2, 0, False),
        ("monitored", APPROVE, 2, 0, False),
        ("mass-delete", APPROVE, 2, 0, False),
        ("dead-next-hop", AUTO, 1, 1000, False),
        ("withdraw-with-cover", AUTO, 1, 0, False),
        ("restore", AUTO, 1, 0, False),
        ("add-small", AUTO, 1, 0, True),
        ("delete", APPROVE, 1, 0, False),
        ("nh-move", APPROVE, 1, 0, False),
        ("ecmp-narrow", APPROVE, 1, 0, False),
        ("ecmp-widen", APPROVE, 1, 0, False),
        ("change", APPROVE, 1, 0, False),
        ("add", APPROVE, 1, 0, False),
        ("rule", APPROVE, 1, 0, False),
    ],
)
def test_the_standard_rules_decide_about_every_class(
    category: str, action: RuleAction, people: int, per_minute: int, *, in_window: bool
) -> None:
    rule = standard(category)
    assert (rule.action, rule.people, rule.per_minute, rule.in_window) == (action, people, per_minute, in_window)


@pytest.mark.parametrize(("most", "people"), [(0, 1), (1, 1), (2, 2), (9, 2)])
def test_no_standard_rule_asks_for_more_people_than_can_prove_who_they_are(most: int, people: int) -> None:
    assert standard("mass-delete", most).people == people
    assert all(rule.people <= max(most, 1) for rule in standard_rules(most))


def test_the_standard_rules_are_numbered_from_one_and_stand_in_no_file() -> None:
    rules = standard_rules(2)
    assert [rule.number for rule in rules] == list(range(1, len(rules) + 1))
    assert {rule.line for rule in rules} == {0}
    assert len({rule.name for rule in rules}) == len(rules)
    assert rules[-1].match.matches(Named("anything"), 0.0)  # type: ignore[arg-type]


def test_what_is_risky_never_goes_ahead_by_itself() -> None:
    for category in CLASSES:
        assert (risk_of(category) != "high") or standard(category).action is not AUTO


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"action": AUTO}, "class=delete: auto"),
        ({"action": DENY}, "class=delete: deny"),
        ({"action": APPROVE}, "class=delete: approve 1"),
        ({"action": APPROVE, "approve": 3}, "class=delete: approve 3"),
        ({"action": AUTO, "per_minute": 1000}, "class=delete: auto, at most 1,000 a minute"),
        (
            {"action": AUTO, "in_window": True, "approve": 2},
            "class=delete: auto, inside a window, outside it approve 2",
        ),
        (
            {"action": APPROVE, "groups": (("net", 1), ("storage", 2)), "ticket": "CHG-1", "risk": "high"},
            "class=delete: approve 3, of net 1, storage 2, ticket CHG-1, risk high",
        ),
    ],
)
def test_a_rule_reads_as_one_line(rule: dict[str, object], text: str) -> None:
    made = ApprovalRule(number=1, name="r", match=parse("class=delete"), **rule)  # type: ignore[arg-type]
    assert made.text == text


def test_groups_ask_for_people_too() -> None:
    made = ApprovalRule(
        number=1, name="r", match=parse("*"), action=APPROVE, approve=2, groups=(("net", 2), ("storage", 1))
    )
    assert made.people == 3
    assert (
        ApprovalRule(number=1, name="r", match=parse("*"), action=APPROVE, approve=4, groups=(("net", 2),)).people == 4
    )


def test_where_a_rule_stands_does_not_make_it_another_rule() -> None:
    one, other = (ApprovalRule(number=1, name="r", match=parse("*"), action=AUTO, line=line) for line in (3, 7))
    assert one == other


@pytest.mark.parametrize(
    ("pattern", "ticket", "matches"),
    [
        ("", "", True),
        ("", "anything", True),
        ("CHG-[0-9]+", "CHG-12", True),
        ("^CHG-[0-9]+$", "CHG-12", True),
        ("CHG-[0-9]+", "", False),
        ("CHG-[0-9]+", "xCHG-12", False),
        ("CHG-[0-9]+", "CHG-12 and more", False),
        ("CHG-[0-9]+", "CHG-12\n", False),
        ("A|B", "A", True),
        ("A|B", "B", True),
        ("A|B", "AB", False),
        ("^A|B$", "A", True),
        ("^A|B$", "xB", False),
    ],
)
def test_a_ticket_matches_as_a_whole(pattern: str, ticket: str, *, matches: bool) -> None:
    assert ticket_matches(pattern, ticket) is matches


@given(st.text(min_size=1), st.text())
def test_a_literal_pattern_takes_that_ticket_alone(ticket: str, other: str) -> None:
    assert ticket_matches(f"^{re.escape(ticket)}$", ticket)
    assert ticket_matches(f"^{re.escape(ticket)}$", other) == (ticket == other)


hops = st.lists(
    st.sampled_from([NextHop(b"\x0a\x01\x00\x02", link) for link in (2, 3, 4)]), min_size=1, max_size=3, unique=True
)
values = st.builds(Forwarding, st.sampled_from((150, 200)), hops.map(lambda found: tuple(sorted(found))))


@given(
    st.tuples(st.none() | values, st.none() | values).filter(lambda pair: pair[0] != pair[1]),
    st.booleans(),
    st.sampled_from(("", "endpoint")),
    st.sampled_from(("", "probe")),
    st.booleans(),
    st.integers(0, 200),
    st.integers(0, 200),
    st.none() | values,
)
def test_every_operation_is_of_a_class_that_the_rules_know(
    pair: tuple[Forwarding | None, Forwarding | None],
    default_like: bool,
    protects: str,
    monitors: str,
    restores: bool,
    removals: int,
    adds: int,
    cover: Forwarding | None,
) -> None:
    operation = Operation(TableId(101), Family.IPV4, b"\x10\x0a\x01", *pair)
    facts = Facts(default_like, lambda hop: hop.ifindex != 4, cover, protects, monitors, restores, removals, 1000, adds)
    category = categorise(operation, facts)
    assert category in CLASSES
    if protects:
        assert standard(category).action is DENY
    elif default_like or monitors:
        assert standard(category).people == 2
