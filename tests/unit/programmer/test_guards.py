"""The removal budget and the back-off of a failing route."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from programmer.guards import LONGEST_RETRY_SECONDS, WINDOW_SECONDS, Failure, RemovalGuard


def guard(percent: float = 20.0, routes: int = 100, hold: float = 600.0) -> RemovalGuard:
    return RemovalGuard(percent, routes, hold)


@pytest.mark.parametrize(
    ("removals", "installed", "passes"),
    [(20, 100, True), (21, 100, False), (100, 1000, True), (101, 1000, False), (2, 5, False), (2, 10, True)],
)
def test_either_number_of_the_budget_holds_removals_back(removals: int, installed: int, *, passes: bool) -> None:
    assert guard().allows(removals, installed, 0.0) is passes


def test_held_removals_go_ahead_when_the_hold_ends() -> None:
    held = guard(hold=600.0)
    assert not held.allows(50, 100, 10.0)
    assert held.wait(10.0) == 600.0
    assert not held.allows(50, 100, 609.9)
    assert held.wait(609.0) == pytest.approx(1.0)
    assert held.allows(50, 100, 610.0)


def test_a_hold_ends_when_nothing_is_to_be_removed_any_more() -> None:
    held = guard()
    assert not held.allows(50, 100, 0.0)
    assert not held.allows(0, 100, 1.0)
    assert held.wait(1.0) is None
    assert not held.allows(50, 100, 500.0)
    assert not held.allows(50, 100, 601.0), "the hold counts from the new beginning"


def test_many_small_cycles_count_together_for_a_minute() -> None:
    rolling = guard(percent=100.0, routes=10)
    for second in range(2):
        assert rolling.allows(5, 1000, float(second))
        rolling.done(5, float(second))
    assert not rolling.allows(5, 1000, 2.0)


def test_removals_older_than_the_window_are_forgotten() -> None:
    rolling = guard(percent=100.0, routes=10)
    rolling.done(10, 0.0)
    assert rolling.allows(5, 1000, WINDOW_SECONDS + 0.1)


def test_the_percentage_is_of_what_was_installed_before_the_recent_removals() -> None:
    rolling = guard(percent=20.0)
    rolling.done(10, 0.0)
    assert rolling.allows(10, 90, 1.0)
    assert not rolling.allows(11, 90, 1.0)


@given(st.floats(0, 100), st.integers(0, 1000), st.integers(0, 10_000))
def test_a_single_route_always_passes(percent: float, routes: int, installed: int) -> None:
    assert guard(percent, routes).allows(1, installed, 0.0)


@given(st.lists(st.tuples(st.integers(1, 20), st.floats(0, 30)), max_size=30), st.integers(1, 40))
def test_no_minute_removes_more_than_the_budget(cycles: list[tuple[int, float]], budget: int) -> None:
    rolling, now, removed = guard(100.0, budget, hold=1e9), 0.0, []
    for wanted, pause in cycles:
        now += pause
        if rolling.allows(wanted, 10_000, now):
            rolling.done(wanted, now)
            removed.append((now, wanted))
    for end, _ in removed:
        assert sum(count for at, count in removed if end - WINDOW_SECONDS <= at <= end) <= max(budget, 1)


def test_the_wait_of_a_failing_route_doubles_up_to_a_minute() -> None:
    failure, waits = Failure(0, ""), []
    for _ in range(9):
        failure.again(101, "Network is unreachable", 50.0)
        waits.append(failure.retry_at - 50.0)
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_RETRY_SECONDS
    assert (failure.attempts, failure.errno, failure.message) == (9, 101, "Network is unreachable")
