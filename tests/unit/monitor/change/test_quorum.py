"""Who counts, how often, and until when; compared with every way of filling the places."""

import itertools
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.change.quorum import BREAK_GLASS, LOCAL, SIGNED, Quorum, Requirement, Voice, requirement_of
from programmer.approval import Decision

NOW = 1000.0
LATER = 2000.0
GROUPS: Mapping[str, AbstractSet[str]] = {
    "net": frozenset({"alice", "bob"}),
    "storage": frozenset({"bob", "carol"}),
    "boss": frozenset({"dora"}),
    "nobody": frozenset(),
}
QUORUM = Quorum(GROUPS)
NAMES = ("alice", "bob", "carol", "dora", "erin")


def signed(*names: str, expires: float = LATER) -> list[Voice]:
    return [Voice(name, SIGNED, expires) for name in names]


def local(*names: str, expires: float = LATER) -> list[Voice]:
    return [Voice(name, LOCAL, expires) for name in names]


def wanting(people: int = 0, **groups: int) -> Requirement:
    return Requirement(people, groups)


@pytest.mark.parametrize(
    ("people", "names", "have", "enough", "missing"),
    [
        (0, [], 0, False, "1 more person"),
        (1, [], 0, False, "1 more person"),
        (1, ["alice"], 1, True, ""),
        (2, ["alice"], 1, False, "1 more person with an SSH signature"),
        (2, ["alice", "alice"], 1, False, "1 more person with an SSH signature"),
        (3, [], 0, False, "3 more people with an SSH signature"),
        (3, ["alice", "bob", "erin"], 3, True, ""),
        (2, ["alice", "bob", "carol", "erin"], 4, True, ""),
    ],
)
def test_different_people_are_counted(people: int, names: list[str], have: int, enough: bool, missing: str) -> None:
    standing = QUORUM.standing(wanting(people), signed(*names), "zoe", NOW)
    assert standing == (have, max(people, 1), enough, missing)


def test_a_person_in_two_groups_fills_one_place() -> None:
    wanted = wanting(net=1, storage=1)
    assert (
        QUORUM.standing(wanted, signed("bob"), "", NOW).missing == "1 more person with an SSH signature; one of storage"
    )
    assert QUORUM.standing(wanted, signed("bob", "erin"), "", NOW).missing == "one of storage"
    assert QUORUM.standing(wanted, signed("alice", "bob"), "", NOW).enough
    assert QUORUM.standing(wanted, signed("bob", "carol"), "", NOW).enough
    assert not QUORUM.standing(wanting(net=2, storage=1), signed("bob", "alice", "erin"), "", NOW).enough
    assert QUORUM.standing(wanting(net=2, storage=1), signed("bob", "alice", "carol"), "", NOW).enough


def test_nobody_is_in_a_group_that_is_not_there() -> None:
    assert QUORUM.standing(wanting(ghosts=1), signed("alice"), "", NOW).missing == "one of ghosts"
    assert not Quorum({}).standing(wanting(net=1), signed("alice"), "", NOW).enough


def test_people_are_asked_for_beside_the_groups() -> None:
    wanted = wanting(3, net=1)
    assert wanted.needed == 3
    assert QUORUM.standing(wanted, signed("carol", "dora", "erin"), "", NOW).missing == "one of net"
    assert QUORUM.standing(wanted, signed("alice", "dora"), "", NOW).missing == "1 more person with an SSH signature"
    assert QUORUM.standing(wanted, signed("alice", "dora", "erin"), "", NOW).enough


@pytest.mark.parametrize(("expires", "enough"), [(NOW, False), (NOW + 0.001, True), (NOW - 1.0, False)])
@pytest.mark.parametrize("method", [SIGNED, LOCAL, BREAK_GLASS])
def test_an_approval_counts_until_it_ends(method: str, expires: float, *, enough: bool) -> None:
    assert QUORUM.standing(wanting(1), [Voice("alice", method, expires)], "", NOW).enough is enough


def test_a_local_identity_is_one_person_at_most() -> None:
    assert QUORUM.standing(wanting(1), local("uid 0", "uid 1000"), "", NOW) == (1, 1, True, "")
    assert not QUORUM.standing(wanting(2), local("uid 0", "uid 1000"), "", NOW).enough
    assert not QUORUM.standing(wanting(2), [*local("uid 0"), *signed("alice")], "", NOW).enough
    assert not QUORUM.standing(wanting(net=1), local("alice"), "", NOW).enough


def test_a_local_identity_counts_only_where_it_may() -> None:
    assert not Quorum(GROUPS, allow_local=False).standing(wanting(1), local("uid 0"), "zoe", NOW).enough
    strict = Quorum(GROUPS, self_approve=False)
    standing = strict.standing(wanting(1), local("uid 0"), "zoe", NOW)
    assert not standing.enough, "nobody can tell that it is not zoe"
    assert standing.missing == "1 more person with an SSH signature"


def test_who_froze_the_plan_counts_where_self_approval_is_allowed() -> None:
    assert QUORUM.standing(wanting(1), signed("alice"), "alice", NOW).enough
    strict = Quorum(GROUPS, self_approve=False)
    assert not strict.standing(wanting(1), signed("alice"), "alice", NOW).enough
    assert strict.standing(wanting(2), signed("alice", "bob"), "alice", NOW).have == 1
    assert strict.standing(wanting(2), signed("alice", "bob", "carol"), "alice", NOW).enough


def test_glass_releases_what_nobody_else_can() -> None:
    wanted = Requirement(5, {"nobody": 1}, denied=2)
    assert not QUORUM.standing(wanted, signed(*NAMES), "", NOW).enough
    assert "only --break-glass" in QUORUM.standing(wanted, signed(*NAMES), "", NOW).missing
    assert QUORUM.standing(wanted, [Voice("uid 0", BREAK_GLASS, LATER)], "", NOW) == (1, 1, True, "")
    assert not QUORUM.standing(wanted, [Voice("uid 0", BREAK_GLASS, NOW)], "", NOW).enough


decisions = st.builds(
    Decision,
    st.just("delete"),
    st.just("med"),
    st.integers(0, 4),
    denied=st.booleans(),
    groups=st.lists(st.tuples(st.sampled_from(sorted(GROUPS)), st.integers(1, 3)), max_size=2).map(tuple),
    ticket=st.sampled_from(("", "CHG-[0-9]+", "INC-.*")),
)


@given(st.lists(decisions, max_size=5))
def test_a_plan_asks_for_the_most_of_what_its_operations_ask_for(found: list[Decision]) -> None:
    wanted = Requirement()
    for decision in found:
        wanted.take(decision)
    assert wanted.people == max((item.approvals for item in found), default=0)
    assert wanted.denied == sum(item.denied for item in found)
    for name in GROUPS:
        counts = [count for item in found for group, count in item.groups if group == name]
        assert wanted.groups.get(name, 0) == max(counts, default=0)
    assert sorted(wanted.tickets) == sorted({item.ticket for item in found} - {""})
    assert wanted.needed >= 1
    again = requirement_of(json.loads(json.dumps(wanted.document())))
    assert again.needed == wanted.needed
    assert (again.groups, again.tickets, again.denied) == (wanted.groups, wanted.tickets, wanted.denied)


def enough_by_hand(wanted: Requirement, names: AbstractSet[str], groups: Mapping[str, AbstractSet[str]]) -> bool:
    """Try every way to seat different people on the places of the groups."""
    if len(names) < wanted.needed or wanted.denied:
        return False
    slots = [name for name, count in wanted.groups.items() for _ in range(count)]
    return any(
        all(person in groups.get(slot, ()) for slot, person in zip(slots, seated, strict=True))
        for seated in itertools.permutations(sorted(names), len(slots))
    )


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.sampled_from("xyz"), st.frozensets(st.sampled_from(NAMES)), max_size=3),
    st.builds(
        Requirement,
        st.integers(0, 4),
        st.dictionaries(st.sampled_from("xyz"), st.integers(1, 2), max_size=3),
        st.just([]),
        st.integers(0, 3).map(lambda number: max(0, number - 2)),
    ),
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from((SIGNED, SIGNED, LOCAL)), st.sampled_from((NOW, LATER))),
        max_size=7,
    ),
    st.booleans(),
    st.booleans(),
)
def test_enough_is_what_trying_every_way_says(
    groups: dict[str, frozenset[str]],
    wanted: Requirement,
    given_: list[tuple[str, str, float]],
    allow_local: bool,
    self_approve: bool,
) -> None:
    voices = [Voice(*item) for item in given_]
    standing = Quorum(groups, allow_local, self_approve).standing(wanted, voices, "alice", NOW)
    live = [item for item in voices if item.expires > NOW and (self_approve or item.principal != "alice")]
    names = {item.principal for item in live if item.method == SIGNED}
    alone = wanted.needed == 1 and not wanted.groups and not wanted.denied
    by_socket = alone and allow_local and self_approve and any(item.method == LOCAL for item in live)
    assert standing.enough == (enough_by_hand(wanted, names, groups) or by_socket)
    assert standing.enough == (not standing.missing)
    assert standing.need == wanted.needed
    assert standing.have >= len(names)
    more = Quorum(groups, allow_local, self_approve).standing(wanted, [*voices, *signed("erin")], "alice", NOW)
    assert more.enough >= standing.enough, "one more voice never takes anything away"
