"""Differences: applied to what is installed, they give what is desired, and nothing else is in them."""

from hypothesis import given
from hypothesis import strategies as st

from programmer.diff import Difference, action_of
from programmer.plan import Action
from programmer.route import Forwarding, NextHop

ROUTES = [Forwarding(metric, (NextHop(b"\x0a\x01\x00\x02", 2),)) for metric in (100, 200, 300)]
KEYS = [bytes((24, 203, 0, third)) for third in range(8)]
stores = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(ROUTES))


def parts(difference: Difference) -> tuple[set[bytes], set[bytes], set[bytes]]:
    return difference.add, difference.change, difference.remove


@given(stores, stores)
def test_the_difference_applied_to_installed_gives_desired(
    desired: dict[bytes, Forwarding], installed: dict[bytes, Forwarding]
) -> None:
    difference = Difference()
    difference.rebuild(desired, installed)
    assert difference.add.isdisjoint(installed)
    assert difference.change <= installed.keys()
    result = {key: value for key, value in installed.items() if key not in difference.remove}
    result |= {key: desired[key] for key in difference.add | difference.change}
    assert result == desired


@given(stores, stores)
def test_the_difference_holds_exactly_the_keys_that_differ(
    desired: dict[bytes, Forwarding], installed: dict[bytes, Forwarding]
) -> None:
    difference = Difference()
    difference.rebuild(desired, installed)
    differing = {key for key in KEYS if desired.get(key) != installed.get(key)}
    assert {key for key in KEYS if key in difference} == differing
    assert len(difference) == len(differing)


@given(stores, stores, st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.sampled_from(ROUTES), st.booleans())))
def test_filing_key_by_key_equals_a_rebuild(
    desired: dict[bytes, Forwarding],
    installed: dict[bytes, Forwarding],
    edits: list[tuple[bytes, Forwarding | None, bool]],
) -> None:
    kept = Difference()
    kept.rebuild(desired, installed)
    for key, value, wished in edits:
        store = desired if wished else installed
        if value is None:
            store.pop(key, None)
        else:
            store[key] = value
        kept.update(key, desired.get(key), installed.get(key))
    fresh = Difference()
    fresh.rebuild(desired, installed)
    assert parts(kept) == parts(fresh)


def test_actions_follow_from_desired_and_installed() -> None:
    one, other = ROUTES[0], ROUTES[1]
    assert action_of(one, None) is Action.ADD
    assert action_of(one, other) is Action.CHANGE
    assert action_of(None, one) is Action.REMOVE
    assert action_of(one, one) is None
    assert action_of(None, None) is None
