"""Whatever breaks while a change is applied or taken back: nothing that was written is forgotten, and all of it goes back."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import pytest

from programmer.errors import FibUnavailable, JournalError, PlanRefused, PlanStale
from programmer.plan import Action, Plan, RuleOperation
from programmer.reconciler import (
    Applied,
    apply_plan,
)
from programmer.reconciler import change as module
from tests.contract.stage import OURS
from tests.unit.programmer.change_rig import ALL, RULE, A, B, C, Rig, east, key


class Broken:
    """A method of the journal that fails at its *nth* call."""

    def __init__(self, method: Callable[..., Any], nth: int) -> None:
        self._method, self._calls, self._nth = method, itertools.count(1), nth

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if next(self._calls) == self._nth:
            raise JournalError("the disk is full")
        return self._method(*arguments, **named)


async def three_actions(rig: Rig) -> Plan:
    """A plan that adds, changes and removes, each in a batch of its own, with a rule before and one after them."""
    await rig.fib.add_rule(RULE, OURS)
    for prefix in (B, C):
        rig.put(prefix, east(9))
    rig.want({A: east(), B: east()})
    await rig.turn()
    found = {operation.action: operation.prefix for operation in rig.reconciler.live_operations()}
    assert found == {Action.ADD: A, Action.CHANGE: B, Action.REMOVE: C}
    return rig.plan(rules=[RuleOperation(RULE, add=False)])


async def goes_back(rig: Rig, plan: Plan, applied: Applied) -> None:
    """Assert that the way back from what was written leads where everything began."""
    await rig.revert(applied.written, applied.rules)
    assert (await rig.image()).routes == {key(B): east(9), key(C): east(9)}
    assert await rig.fib.rules(OURS) == {RULE}
    assert rig.journal.verify().ok


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("name", ["begin", "finish"])
async def test_a_journal_that_fails_ends_the_change_and_nothing_that_was_written_is_forgotten(
    name: str, nth: int
) -> None:
    rig = Rig()
    plan = await three_actions(rig)
    with mock.patch.object(rig.journal, name, Broken(getattr(rig.journal, name), nth)):
        applied = await rig.apply(plan)
    assert "the disk is full" in applied.broken
    assert rig.reconciler.trouble
    assert len(rig.fib.asked) == (nth - 1 if name == "begin" else nth)
    await goes_back(rig, plan, applied)


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_kernel_that_goes_away_ends_the_change_and_nothing_that_was_written_is_forgotten(nth: int) -> None:
    rig = Rig()
    plan = await three_actions(rig)
    rig.fib.away = nth
    applied = await rig.apply(plan)
    assert "the socket is lost" in applied.broken
    await goes_back(rig, plan, applied)


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_what_the_kernel_may_have_written_before_it_went_away_goes_back_too(nth: int) -> None:
    rig = Rig()
    plan = await three_actions(rig)
    rig.fib.silent = nth
    applied = await rig.apply(plan)
    assert "the answer is lost" in applied.broken
    await goes_back(rig, plan, applied)


async def test_no_batch_is_forgotten_when_a_later_one_of_the_same_kind_fails() -> None:
    rig = Rig()
    with mock.patch("programmer.reconciler.loop.BATCH", 2):
        rig.want({A: east(), B: east(), C: east()})
        await rig.turn()
        plan = rig.plan()
        with mock.patch.object(rig.journal, "begin", Broken(rig.journal.begin, 2)):
            applied = await rig.apply(plan)
    assert len((await rig.image()).routes) == 2
    assert applied.broken
    assert len(applied.written) == 2
    await rig.revert(applied.written)
    assert (await rig.image()).routes == {}


async def test_what_begin_raises_ends_the_change_before_the_first_write() -> None:
    rig = Rig()
    plan = await three_actions(rig)

    def begin(_rules: Sequence[RuleOperation]) -> None:
        raise JournalError("the disk is full")

    with pytest.raises(JournalError):
        await apply_plan(rig.reconciler, plan, "alice", *ALL, begin)
    assert rig.fib.asked == []
    assert await rig.fib.rules(OURS) == {RULE}


async def test_nothing_begins_where_nothing_may_be_written_or_too_much_has_drifted() -> None:
    rig = Rig()
    plan = await three_actions(rig)
    begun: list[Sequence[RuleOperation]] = []
    rig.reconciler.paused = "since noon"
    with pytest.raises(PlanRefused, match="since noon"):
        await apply_plan(rig.reconciler, plan, "alice", *ALL, begun.append)
    rig.reconciler.paused, rig.reconciler.recovering = "", True
    with pytest.raises(PlanRefused, match="rolled back first"):
        await apply_plan(rig.reconciler, plan, "alice", *ALL, begun.append)
    rig.reconciler.recovering = False
    rig.want({A: east(5)})
    with pytest.raises(PlanStale):
        await apply_plan(rig.reconciler, plan, "alice", 0, 0.0, begun.append)
    assert begun == []
    assert rig.fib.asked == []


@pytest.mark.parametrize("name", ["begin", "finish"])
async def test_the_way_back_goes_on_without_a_journal(name: str) -> None:
    rig = Rig()
    plan = await three_actions(rig)
    applied = await rig.apply(plan)
    with mock.patch.object(rig.journal, name, mock.Mock(side_effect=JournalError("the disk is full"))):
        reverted = await rig.revert(applied.written, applied.rules)
    assert reverted.clean
    assert rig.reconciler.trouble == "the disk is full"
    assert (await rig.image()).routes == {key(B): east(9), key(C): east(9)}
    assert await rig.fib.rules(OURS) == {RULE}


@pytest.mark.parametrize("nth", [1, 2])
async def test_a_way_back_that_was_cut_short_is_gone_again_to_its_end(nth: int) -> None:
    rig = Rig()
    plan = await three_actions(rig)
    applied = await rig.apply(plan)
    rig.fib.calls, rig.fib.away = 0, nth
    with mock.patch.object(module, "BATCH", 2), pytest.raises(FibUnavailable):
        await rig.revert(applied.written, applied.rules)
    reverted = await rig.revert(applied.written, applied.rules)
    assert reverted.clean
    assert (await rig.image()).routes == {key(B): east(9), key(C): east(9)}
