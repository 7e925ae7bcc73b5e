"""The conductor: what it refuses, what waits, and in which order things are done."""

import asyncio
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from monitor.change.probe import ProbeConfig, Result
from monitor.engine import conductor as module
from monitor.engine.conductor import STOP_SECONDS
from monitor.engine.plans import load_plan
from monitor.errors import Refused, RolledBack, Stale
from programmer.approval import PlanState
from programmer.errors import PlanRefused
from programmer.route import Address, TableId
from tests.contract.stage import net, via
from tests.support.scenario_stage import Router, Stage
from tests.unit.monitor.engine.conducting import (
    SOAK,
    VIA,
    A,
    B,
    detail_of,
    endorsed,
    frozen,
    kernel_of,
    on_stage,
    state_of,
)


def test_a_plan_that_drifted_too_far_expires_when_it_is_approved() -> None:
    async def play(stage: Stage, router: Router) -> None:
        digest = await frozen(stage)
        stage.withdraw(router, [A])
        await stage.settle()
        with pytest.raises(Stale, match="1 of 2 operations no longer match"):
            await stage.control.approve(digest, "bob")
        assert state_of(stage, digest) == "expired"
        assert stage.kernel.asked == []
        assert stage.change.conductor.flight is None

    on_stage(play, approval={"max_drift": {"operations": 0, "percent": 0}})


def test_a_plan_that_is_approved_while_another_soaks_is_applied_after_the_confirmation() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        first, second = await frozen(stage, A), await frozen(stage, B)
        await stage.control.approve(first, "alice")
        answer: Any = await stage.control.approve(second, "alice")
        assert (answer["state"], answer["waits_for"]) == ("queued", "plan 1 is soaking; one change at a time")
        await stage.settle(60)
        assert await stage.routes(101) == {A: VIA}
        await stage.control.confirm(first, "bob")
        await stage.settle()
        assert (state_of(stage, first), state_of(stage, second)) == ("confirmed", "soaking")
        assert await stage.routes(101) == {A: VIA, B: VIA}
        await stage.settle(600)
        assert state_of(stage, second) == "rolled-back"
        assert await stage.routes(101) == {A: VIA}

    on_stage(play, approval={"soak": SOAK})


def test_a_queued_plan_expires_and_is_not_applied_later() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        first, second = await frozen(stage, A), await frozen(stage, B)
        await stage.control.approve(first, "alice")
        await stage.control.approve(second, "alice")
        await stage.control.extend(first, 1200.0, "alice")
        await stage.settle(601)
        assert (state_of(stage, second), detail_of(stage, second)) == ("expired", "nobody released it in time")
        await stage.control.confirm(first, "alice")
        await stage.settle(60)
        assert state_of(stage, second) == "expired"
        assert await stage.routes(101) == {A: VIA}

    on_stage(play, approval={"soak": SOAK, "expires": "10m"})


def test_approvals_that_end_while_a_plan_is_queued_no_longer_release_it() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        first, second = await frozen(stage, A), await frozen(stage, B)
        await stage.control.approve(first, "alice", await endorsed(stage, first, "alice"))
        signed = await endorsed(stage, second, "alice", expires=time.time() + 60)
        answer: Any = await stage.control.approve(second, "alice", signed)
        assert answer["state"] == "queued"
        await stage.settle(120)
        await stage.control.confirm(first, "alice", await endorsed(stage, first, "alice", "confirm"))
        await stage.settle()
        assert state_of(stage, second) == "expired"
        assert "approvals have ended: 1 more person" in detail_of(stage, second)
        assert await stage.routes(101) == {A: VIA}

    on_stage(play, approval={"soak": SOAK, "allowed_signers": "people", "allow_local": False})


NIGHTLY = [{"name": "nightly", "cron": "0 2 * * *", "duration": "1h", "timezone": "UTC"}]


def test_a_signer_who_was_removed_by_a_reload_no_longer_counts(tmp_path: Path) -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        for who in ("alice", "bob"):
            answer: Any = await stage.control.approve(digest, who, await endorsed(stage, digest, who))
        assert answer["state"] == "queued"
        lines = stage.people.file.read_text().splitlines(keepends=True)
        fewer = tmp_path / "allowed_signers"
        fewer.write_text("".join(line for line in lines if not line.startswith("bob")))
        stage.file = stage.file | {"approval": stage.file["approval"] | {"allowed_signers": str(fewer)}}
        await stage.control.reload("alice")
        assert state_of(stage, digest) == "queued", "the policy is the same"
        await stage.settle(3 * 3600)
        assert state_of(stage, digest) == "expired"
        assert "1 more person with an SSH signature" in detail_of(stage, digest)
        assert stage.kernel.asked == []

    rules = [{"match": "*", "approve": 2}]
    on_stage(play, approval={"rules": rules, "allowed_signers": "people", "expires": "30h"}, windows=NIGHTLY)


class SlowProber:
    """Answers, in ten times the time of the first look."""

    def __init__(self) -> None:
        self.looks = 0

    async def measure(self, probe: ProbeConfig, source: Address | None = None) -> Result:
        self.looks += 1
        return Result(ok=True, seconds=0.01 if self.looks == 1 else 0.1, text="connected", at=time.time())


def test_a_probe_that_is_slow_only_warns() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        stage.prober = SlowProber()  # type: ignore[assignment]
        digest = await frozen(stage)
        await stage.control.approve(digest, "alice")
        await stage.settle(200)
        assert state_of(stage, digest) == "soaking"
        shown: Any = await stage.feed.plan(digest)
        (probe,) = shown["probes"]
        assert probe["verdict"] == "slow"
        await stage.control.confirm(digest, "alice")
        assert await stage.routes(101) == {A: VIA, B: VIA}

    on_stage(play, approval={"soak": SOAK | {"probes": [{"name": "api", "tcp": "10.8.0.10:443"}]}})


def test_a_stop_while_a_plan_is_written_takes_it_back_first() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        kernel_of(stage).free.clear()
        approving = asyncio.create_task(stage.control.approve(digest, "alice"))
        await stage.settle(0.1)
        assert state_of(stage, digest) == "applying"
        stopping = asyncio.create_task(stage.change.conductor.stop())
        await stage.settle(0.1)
        kernel_of(stage).free.set()
        await asyncio.gather(approving, stopping)
        assert state_of(stage, digest) == "rolled-back"
        assert await stage.routes(101) == {}
        with pytest.raises(RolledBack):
            await stage.control.confirm(digest, "alice")

    on_stage(play, approval={"soak": SOAK})


def test_a_stop_ends_although_the_kernel_is_away_while_a_change_goes_back() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        await stage.control.approve(digest, "alice")
        kernel_of(stage).away = 0
        await stage.settle(310)
        assert state_of(stage, digest) == "rolling-back"
        stopping = asyncio.create_task(stage.change.conductor.stop())
        await stage.settle(STOP_SECONDS + 10)
        ended = stopping.done()
        kernel_of(stage).away = None
        await stopping
        assert ended, f"a stop waits {STOP_SECONDS:g} s for the way back, and no longer"

    on_stage(play, approval={"soak": SOAK})


def test_two_plans_that_are_approved_at_once_are_applied_one_after_the_other() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digests = [await frozen(stage, A), await frozen(stage, B)]
        kernel_of(stage).free.clear()
        both = [asyncio.create_task(stage.control.approve(digest, "alice")) for digest in digests]
        await stage.settle(0.1)
        assert [state_of(stage, digest) for digest in digests] == ["applying", "queued"]
        kernel_of(stage).free.set()
        await asyncio.gather(*both)
        await stage.settle()
        assert [state_of(stage, digest) for digest in digests] == ["applied", "applied"]
        assert await stage.routes(101) == {A: VIA, B: VIA}

    on_stage(play)


def test_a_plan_that_is_approved_twice_at_once_is_applied_once() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        both = [stage.control.approve(digest, "alice"), stage.control.approve(digest, "bob")]
        answers: list[Any] = await asyncio.gather(*both, return_exceptions=True)
        assert answers[0]["state"] == "applied"
        assert isinstance(answers[1], Refused)
        assert len(stage.kernel.asked) == 2
        assert state_of(stage, digest) == "applied"

    on_stage(play)


def test_a_plan_that_was_rejected_while_its_probes_were_asked_is_not_applied() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        stage.prober.ways["api"] = "hangs"
        approving = asyncio.create_task(stage.control.approve(digest, "alice"))
        await stage.settle(0.5)
        answer: Any = await stage.control.reject(digest, "not now", "bob")
        assert answer["state"] == "rejected"
        await asyncio.gather(approving, return_exceptions=True)
        await stage.settle()
        assert state_of(stage, digest) == "rejected"
        assert stage.kernel.asked == []

    on_stage(play, approval={"soak": SOAK | {"probes": [{"name": "api", "tcp": "10.8.0.10:443"}]}})


def test_a_queued_plan_that_was_rejected_while_another_was_written_is_not_applied() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        first, second = await frozen(stage, A), await frozen(stage, B)
        await stage.control.pause("a break", "alice")
        for digest in (first, second):
            await stage.control.approve(digest, "alice")
        kernel_of(stage).free.clear()
        await stage.control.resume("alice")
        await stage.settle(0.1)
        assert (state_of(stage, first), state_of(stage, second)) == ("applying", "queued")
        await stage.control.reject(second, "not this one", "bob")
        kernel_of(stage).free.set()
        await stage.settle()
        assert (state_of(stage, first), state_of(stage, second)) == ("applied", "rejected")
        assert await stage.routes(101) == {A: VIA}

    on_stage(play)


@pytest.mark.parametrize("soak", [None, SOAK], ids=["stays", "soaks"])
def test_a_plan_that_two_callers_submit_is_applied_once_and_keeps_its_state(soak: dict[str, str] | None) -> None:
    async def play(stage: Stage, _router: Router) -> None:
        first, second = await frozen(stage, A), await frozen(stage, B)
        go = asyncio.Event()

        async def slowly(engine: Any, stored: Any) -> Any:
            if stored.digest == first:
                await go.wait()
                raise PlanRefused("it cannot be read")
            return await load_plan(engine, stored)

        # A large plan is read in a thread: meanwhile another one is approved, and the queue is looked at as well.
        with mock.patch.object(module, "load_plan", slowly):
            one = asyncio.create_task(stage.control.approve(first, "alice"))
            await stage.settle(0.1)
            other = asyncio.create_task(stage.control.approve(second, "alice"))
            await stage.settle(0.1)
            stage.change.conductor.wake()
            await stage.settle(0.1)
            go.set()
            await asyncio.gather(one, other, return_exceptions=True)
        await stage.settle()
        assert state_of(stage, second) == ("soaking" if soak else "applied")
        assert await stage.routes(101) == {B: VIA}
        assert len(stage.kernel.asked) == 1

    on_stage(play, approval={"soak": soak} if soak else {})


def test_a_route_that_somebody_else_holds_is_never_part_of_what_a_plan_does() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        stage.kernel.put_route(TableId(101), net(A), via("192.0.2.9", link=2), 4)
        await stage.settle()
        answer: Any = await stage.control.approve(digest, "alice")
        assert (answer["applied"], answer["stale"]) == (1, 1)
        await stage.control.roll_back("", "alice")
        assert await stage.routes(101) == {A: "via 192.0.2.9 dev eth1 protocol 4"}

    on_stage(play, approval={"soak": SOAK})


def test_the_states_of_a_plan_are_in_the_journal_in_their_order() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        digest = await frozen(stage)
        await stage.control.approve(digest, "alice")
        await stage.settle(600)
        told = [
            event["detail"].split(":")[0] for event in stage.journal.events(limit=999) if event["kind"] == "plan-state"
        ]
        wanted = [
            PlanState.APPROVED,
            PlanState.APPLYING,
            PlanState.SOAKING,
            PlanState.ROLLING_BACK,
            PlanState.ROLLED_BACK,
        ]
        assert [text.split()[0] for text in told] == [state.value for state in wanted]

    on_stage(play, approval={"soak": SOAK})
