"""No accident leaves a change that nobody watches, and what was taken back stays so over a restart."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

import pytest

from monitor.engine import conductor as module
from monitor.errors import Refused, Stale
from programmer.errors import JournalError
from programmer.route import TableId
from tests.contract.stage import net
from tests.support.scenario_stage import Router, Stage
from tests.unit.monitor.engine.conducting import (
    DOMAIN,
    SHORT,
    SOAK,
    VIA,
    A,
    B,
    C,
    detail_of,
    frozen,
    kernel_of,
    on_stage,
    state_of,
    tell,
)


class Broken:
    """A method of the journal that fails at its *nth* call, and the *more* calls after it."""

    def __init__(self, method: Callable[..., Any], nth: int, more: int) -> None:
        self._method, self._nth, self._more, self.calls = method, nth, more, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self._nth <= self.calls <= self._nth + self._more:
            raise JournalError("the disk is full")
        return self._method(*arguments, **named)


async def decided(stage: Stage, digest: str) -> None:
    """Assert that in the end nothing is in flight, that what was written stays or is gone as the journal says, and that
    another change can be made.
    """
    await stage.settle(60)
    conductor = stage.change.conductor
    assert conductor.flight is None, f"plan is {conductor.flight.state} and nobody watches it"
    there = await stage.routes(101)
    kept = state_of(stage, digest) in {"applied", "confirmed"}
    assert there == ({A: VIA} if kept else {}), state_of(stage, digest)
    if C not in there:
        stage.announce(stage.routers["tor"], [C], stage.path(stage.routers["tor"], 1000.0))
        await stage.settle()
        more = await frozen(stage, C)
        await stage.control.approve(more, "alice")
        assert C in await stage.routes(101)


@pytest.mark.parametrize("ending", ["confirm", "rollback", "deadline", "extend", "stays"])
@pytest.mark.parametrize(
    ("name", "nth", "more"),
    [
        ("put_progress", 1, 0),
        ("put_progress", 2, 0),
        ("put_progress", 2, 3),
        ("put_progress", 3, 0),
        ("put_progress", 4, 0),
        ("set_plan_state", 2, 0),
        ("set_plan_state", 3, 0),
        ("set_plan_state", 4, 1),
    ],
)
def test_a_journal_that_fails_at_any_moment_leaves_no_change_without_an_owner(
    name: str, nth: int, more: int, ending: str
) -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage, A)
        broken = Broken(getattr(stage.journal, name), nth, more)
        with mock.patch.object(stage.journal, name, broken):
            answers: list[Any] = [*await asyncio.gather(stage.control.approve(digest, "alice"), return_exceptions=True)]
            await stage.settle(5)
            acts: dict[str, Callable[[], Awaitable[Any]]] = {
                "confirm": lambda: stage.control.confirm(digest, "alice"),
                "rollback": lambda: stage.control.roll_back(digest, "alice"),
                "extend": lambda: stage.control.extend(digest, 20.0, "alice"),
            }
            if ending in acts:
                answers += await asyncio.gather(acts[ending](), return_exceptions=True)
            await stage.settle(60)
        for answer in answers:
            assert not isinstance(answer, BaseException) or isinstance(answer, JournalError | Refused | Stale), answer
        await decided(stage, digest)

    on_stage(play, (A,), approval={} if ending == "stays" else {"soak": SHORT})


@pytest.mark.parametrize("name", ["begin", "finish"])
def test_what_was_written_before_the_journal_failed_is_taken_back(name: str) -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        with mock.patch.object(stage.journal, name, Broken(getattr(stage.journal, name), 1, 0)):
            await asyncio.gather(stage.control.approve(digest, "alice"), return_exceptions=True)
        await stage.settle(60)
        assert await stage.routes(101) == {}
        assert state_of(stage, digest) == "rolled-back"
        assert stage.change.conductor.flight is None

    on_stage(play, approval={"soak": SHORT})


def test_a_roll_back_that_the_journal_was_not_told_of_is_not_done_again_to_a_later_plan() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        first = await frozen(stage, A)
        await stage.control.approve(first, "alice")
        # Soaking is kept; neither that it goes back nor that it went back can be told.
        with mock.patch.object(stage.journal, "set_plan_state", Broken(stage.journal.set_plan_state, 1, 99)):
            await stage.control.roll_back(first, "alice")
        second = await frozen(stage, A)
        await stage.control.approve(second, "alice")
        await stage.control.confirm(second, "alice")
        assert await stage.routes(101) == {A: VIA}
        await stage.restart(killed=True)
        assert await stage.routes(101) == {A: VIA}, "plan 2 was confirmed"

    on_stage(play, (A,), approval={"soak": SOAK})


@pytest.mark.parametrize("calls", range(6))
def test_a_kernel_that_goes_away_at_any_moment_leaves_no_change_without_an_owner(calls: int) -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage, A)
        kernel_of(stage).away = calls
        approving = asyncio.create_task(stage.control.approve(digest, "alice"))
        await stage.settle(5.0)
        kernel_of(stage).away = None
        await asyncio.gather(approving, return_exceptions=True)
        await decided(stage, digest)

    on_stage(play, (A,), approval={"soak": SHORT})


RULE = {"from": "10.244.0.0/16", "priority": 1200}


def test_a_rule_that_an_earlier_plan_confirmed_outlives_a_crash_of_a_later_one() -> None:
    async def play(stage: Stage, router: Router) -> None:
        first, second = await frozen(stage), await frozen(stage)
        stage.withdraw(router, [B])
        await stage.settle()
        await stage.control.approve(first, "alice")
        await stage.control.confirm(first, "alice")
        stage.announce(router, [B], stage.path(router, 1000.0))
        await stage.settle()
        answer: Any = await stage.control.approve(second, "alice")
        assert (answer["state"], answer["applied"], answer["stale"]) == ("soaking", 1, 2)
        rules = await stage.kernel.rules(196)
        assert len(rules) == 1
        await stage.restart(killed=True)
        assert state_of(stage, second) == "rolled-back"
        assert await stage.routes(101) == {A: VIA}
        assert await stage.kernel.rules(196) == rules, "plan 1 added it, and was confirmed"

    domain = DOMAIN | {"rules": [RULE]}
    on_stage(play, approval={"soak": SOAK}, domains={"storage": domain})


def reload_to_auto(stage: Stage) -> None:
    stage.file = {key: value for key, value in stage.file.items() if key != "approval"} | {"mode": "auto"}


async def to_auto_over_a_restart(stage: Stage, router: Router) -> None:
    """Reload to mode auto, in which nobody is asked, let time pass, then restart."""
    reload_to_auto(stage)
    await stage.control.reload("alice")
    await stage.settle(600)
    assert await stage.routes(101) == {}
    await stage.restart()
    tell(stage, router, [A, B])
    await stage.settle(600)


@mock.patch.object(module, "UNDONE_SECONDS", 3600.0)
def test_what_was_rolled_back_in_flight_is_not_written_again_after_a_restart() -> None:
    async def play(stage: Stage, router: Router) -> None:
        await stage.control.approve(await frozen(stage), "alice")
        await stage.control.roll_back("", "alice")
        await to_auto_over_a_restart(stage, router)
        assert await stage.routes(101) == {}
        await stage.settle(2400)
        assert await stage.routes(101) == {A: VIA, B: VIA}, "that was long enough ago"

    on_stage(play, approval={"soak": SOAK})


def test_what_a_roll_back_plan_undid_is_not_written_again_after_a_restart() -> None:
    async def play(stage: Stage, router: Router) -> None:
        digest = await frozen(stage)
        await stage.control.approve(digest, "alice")
        way_back: Any = await stage.control.roll_back(digest, "alice")
        await stage.control.approve(way_back["digest"], "alice")
        await to_auto_over_a_restart(stage, router)
        assert await stage.routes(101) == {}

    on_stage(play)


def test_a_rule_that_was_rolled_back_is_not_written_again_after_a_restart() -> None:
    async def play(stage: Stage, router: Router) -> None:
        await stage.control.approve(await frozen(stage), "alice")
        assert await stage.kernel.rules(196)
        await stage.control.roll_back("", "alice")
        await to_auto_over_a_restart(stage, router)
        assert not await stage.kernel.rules(196)

    on_stage(play, approval={"soak": SOAK}, domains={"storage": DOMAIN | {"rules": [RULE]}})


def test_what_stands_again_because_its_roll_back_was_taken_back_is_repaired_like_any_other_route() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        await stage.control.approve(digest, "alice")
        await stage.control.confirm(digest, "alice")
        way_back: Any = await stage.control.roll_back(digest, "alice")
        await stage.control.approve(way_back["digest"], "alice")
        await stage.control.roll_back(way_back["digest"], "alice")
        assert await stage.routes(101) == {A: VIA, B: VIA}
        reload_to_auto(stage)
        await stage.control.reload("alice")
        stage.kernel.drop_route(TableId(101), net(A), 200)
        await stage.settle(60)
        assert await stage.routes(101) == {A: VIA, B: VIA}

    on_stage(play, approval={"soak": SOAK})


@mock.patch.object(module, "UNDONE_SECONDS", 3600.0)
def test_a_restart_does_not_prolong_what_a_roll_back_holds_back() -> None:
    async def play(stage: Stage, router: Router) -> None:
        await stage.control.approve(await frozen(stage), "alice")
        await stage.control.roll_back("", "alice")
        await stage.settle(3600)
        reload_to_auto(stage)
        stage.withdraw(router, [A, B])
        await stage.settle()
        await stage.restart()
        tell(stage, router, [A, B])
        await stage.settle(60)
        assert await stage.routes(101) == {A: VIA, B: VIA}

    on_stage(play, approval={"soak": SOAK})


def test_an_approved_plan_that_waits_outlives_a_restart() -> None:
    async def play(stage: Stage, router: Router) -> None:
        first, second = await frozen(stage, A), await frozen(stage, B)
        await stage.control.approve(first, "alice")
        answer: Any = await stage.control.approve(second, "alice")
        assert answer["state"] == "queued"
        await stage.restart()
        tell(stage, router, [A, B])
        await stage.settle(30)
        assert state_of(stage, second) == "soaking", detail_of(stage, second)

    on_stage(play, approval={"soak": SOAK})
