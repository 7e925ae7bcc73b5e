"""The reconciler over a simulated kernel: what it writes, what it never touches, and when it waits."""

import asyncio
import errno
from collections.abc import Callable, Sequence

import pytest

from programmer.errors import PlanStale
from programmer.fib import ForeignRoute, Verb, Write, WriteResult
from programmer.plan import Action, Gate, Operation
from programmer.reconciler import Reconciler, apply_plan, withdraw_all
from programmer.reconciler.loop import BATCH, READ_BACK_DEADLINE
from programmer.route import Rule
from tests.contract.stage import METRIC, OTHER, OURS, TABLE, net
from tests.support.recording import RecordingFib
from tests.support.wait import until
from tests.unit.programmer.rig import OLD_METRIC, RULE, SPEC, V4, WIDE, A, B, C, Rig, key


async def test_auto_mode_installs_what_is_desired() -> None:
    rig = Rig()
    rig.want({A: rig.east(), B: rig.west()})
    await rig.turn(4)
    assert await rig.installed() == {key(A): rig.east(), key(B): rig.west()}
    assert not rig.state.difference
    assert not rig.state.acknowledged
    assert {row["result"] for row in rig.journal.history(A, 10)} == {"done"}


async def test_the_running_loop_installs_and_repairs() -> None:
    rig = Rig()
    loop = Reconciler(rig.fib, rig.journal, OURS, Gate.AUTO)
    loop.configure([WIDE], frozenset(), Gate.AUTO)
    task = asyncio.create_task(loop.run())
    try:
        loop.want(TABLE, V4, [(key(A), rig.east())])

        async def installed() -> bool:
            return await rig.installed() == {key(A): rig.east()}

        await until(installed, what="the route")
        await until(lambda: not loop.tables[TABLE, V4].acknowledged, what="the read-back")
        rig.fib.drop_route(TABLE, net(A), METRIC)
        await until(lambda: loop.tables[TABLE, V4].drift_total == 1, what="the drift")
        await until(installed, what="the repaired route")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_dry_run_shows_everything_and_writes_nothing() -> None:
    rig = Rig(Gate.DRY_RUN)
    rig.put(B, rig.west(), OURS)
    rig.reconciler.desired_rules = frozenset({RULE})
    rig.want({A: rig.east()})
    await rig.turn(20, seconds=60.0)
    assert {operation.prefix: operation.action for operation in rig.reconciler.live_operations()} == {
        A: Action.ADD,
        B: Action.REMOVE,
    }
    assert rig.fib.asked == []
    assert await rig.fib.rules(OURS) == frozenset()


async def test_approve_mode_writes_nothing_until_a_plan_is_applied() -> None:
    rig = Rig(Gate.APPROVE)
    rig.put(C, rig.west(), OURS)
    rig.reconciler.desired_rules = frozenset({RULE})
    rig.want({A: rig.east(), B: rig.west()})
    await rig.turn(20, seconds=60.0)
    assert rig.fib.asked == []
    plan = rig.plan(rig.reconciler.live_operations(), rig.reconciler.pending_rules())
    applied = await apply_plan(rig.reconciler, plan, "alice", 10, 5.0)
    assert (applied.done, applied.failed, applied.stale) == (4, 0, 0)
    await rig.turn(4)
    assert await rig.installed() == {key(A): rig.east(), key(B): rig.west()}
    assert await rig.fib.rules(OURS) == {RULE}
    row = rig.journal.history(A, 1)[0]
    assert (row["actor"], row["plan"], row["cause"]) == ("alice", plan.digest, "plan 1")


async def test_approve_mode_removes_by_itself_only_a_dead_route_that_is_covered() -> None:
    rig = Rig(Gate.APPROVE)
    for prefix in ("203.0.113.0/24", "192.0.2.0/24"):
        rig.put(prefix, rig.west(), OURS)
    rig.put("203.0.112.0/23", rig.east(), OURS)
    rig.want({"203.0.112.0/23": rig.east()})
    await rig.turn(4)
    assert rig.fib.asked == []
    rig.fib.set_link("west", carrier=False)
    await rig.turn(4)
    assert set(await rig.installed()) == {key("203.0.112.0/23"), key("192.0.2.0/24")}


async def test_nothing_is_removed_before_knowledge_is_complete() -> None:
    rig = Rig()
    rig.put(A, rig.east(), OURS)
    rig.want({B: rig.west()}, complete=False)
    await rig.turn(20, seconds=60.0)
    assert set(await rig.installed()) == {key(A), key(B)}
    plan = rig.plan([Operation(TABLE, V4, key(A), rig.east(), None)])
    with pytest.raises(PlanStale):
        await apply_plan(rig.reconciler, plan, "alice", 10, 5.0)
    rig.reconciler.allow_removals(TABLE, V4, allowed=True)
    await rig.turn(4)
    assert set(await rig.installed()) == {key(B)}


@pytest.mark.parametrize("how", ["deleted", "changed"])
async def test_drift_is_repaired_and_counted(how: str) -> None:
    rig = Rig()
    rig.want({A: rig.east(), B: rig.west()})
    await rig.turn(4)
    if how == "deleted":
        rig.fib.drop_route(TABLE, net(A), METRIC)
    else:
        rig.put(A, rig.west(77), OURS)
    await rig.turn(6)
    assert await rig.installed() == {key(A): rig.east(), key(B): rig.west()}
    assert rig.state.drift_total == 1
    assert not rig.state.drift


async def test_routes_that_vanish_with_their_link_without_an_event_are_noticed() -> None:
    rig = Rig()
    rig.want({A: rig.east(), B: rig.west()})
    await rig.turn(4)
    rig.fib.set_link("west", up=False)
    rig.fib.set_link("west", up=True)
    await rig.turn(6)
    assert await rig.installed() == {key(A): rig.east(), key(B): rig.west()}
    assert rig.state.drift_total == 1
    assert any(row["cause"].startswith("drift: ") for row in rig.journal.history("", 50))


async def test_a_lost_notification_is_made_up_for_by_reading() -> None:
    rig = Rig()
    rig.want({A: rig.east()})
    await rig.turn(4)
    rig.fib.drop_route(TABLE, net(A), METRIC)
    rig.fib.overrun(1)
    await rig.turn(6)
    assert await rig.installed() == {key(A): rig.east()}


async def test_a_lost_echo_is_made_up_for_by_reading_back() -> None:
    rig = Rig()
    rig.want({A: rig.east()})
    await rig.reconciler.step()
    assert rig.state.acknowledged
    rig.fib._waiting.clear()
    rig.now += READ_BACK_DEADLINE + 0.1
    await rig.turn(3)
    assert not rig.state.acknowledged
    assert [write.verb for write in rig.fib.asked] == [Verb.ADD]


async def test_one_failing_route_of_many_backs_off_alone() -> None:
    rig = Rig()
    routes = {f"10.9.{third}.0/24": rig.east() for third in range(20)}
    bad = key("10.9.7.0/24")
    rig.fib.refused = {bad}
    rig.want(dict(routes))
    await rig.turn(1)
    assert len(await rig.installed()) == 19
    assert len(rig.fib.asked) == 20
    await rig.turn(1)
    assert len(rig.fib.asked) == 20, "not again within the first second"
    await rig.turn(59, seconds=1.0)
    again = [write.key for write in rig.fib.asked[20:]]
    assert set(again) == {bad}
    assert 4 <= len(again) <= 6, "after 1, 2, 4, 8, 16 and 32 seconds"
    assert rig.state.failures[bad].errno == errno.ENETUNREACH
    rig.fib.refused.clear()
    await rig.turn(8, seconds=10.0)
    assert len(await rig.installed()) == 20
    assert not rig.state.failures


async def test_a_new_wish_does_not_wait_for_the_back_off_of_the_old() -> None:
    rig = Rig()
    rig.fib.refused = {key(A)}
    rig.want({A: rig.east()})
    await rig.turn(10, seconds=1.0)
    rig.fib.refused.clear()
    rig.want({A: rig.west()})
    await rig.turn(1)
    assert await rig.installed() == {key(A): rig.west()}


async def test_stale_operations_of_a_plan_are_left_out() -> None:
    rig = Rig(Gate.APPROVE)
    rig.want({A: rig.east(), B: rig.west(), C: rig.east()})
    await rig.turn(2)
    plan = rig.plan(rig.reconciler.live_operations())
    rig.want({A: rig.west()})
    applied = await apply_plan(rig.reconciler, plan, "alice", 1, 0.0)
    assert (applied.done, applied.failed, applied.stale) == (2, 0, 1)
    assert set(await rig.installed()) == {key(B), key(C)}


async def test_a_plan_that_drifted_too_far_writes_nothing() -> None:
    rig = Rig(Gate.APPROVE)
    rig.want({A: rig.east(), B: rig.west(), C: rig.east()})
    await rig.turn(2)
    plan = rig.plan(rig.reconciler.live_operations())
    rig.want({A: None, B: None})
    with pytest.raises(PlanStale, match="2 of 3"):
        await apply_plan(rig.reconciler, plan, "alice", 1, 5.0)
    assert rig.fib.asked == []


async def test_a_plan_does_nothing_twice() -> None:
    rig = Rig(Gate.APPROVE)
    rig.want({A: rig.east()})
    await rig.turn(2)
    plan = rig.plan(rig.reconciler.live_operations())
    await apply_plan(rig.reconciler, plan, "alice", 10, 5.0)
    with pytest.raises(PlanStale):
        await apply_plan(rig.reconciler, plan, "alice", 10, 5.0)
    assert len(rig.fib.asked) == 1


@pytest.mark.parametrize(("old", "new"), [(OLD_METRIC, METRIC), (METRIC, OLD_METRIC)])
async def test_a_change_of_metric_adds_before_it_deletes(old: int, new: int) -> None:
    rig = Rig()
    rig.want({A: rig.east(metric=old)})
    await rig.turn(4)
    rig.fib.asked.clear()
    rig.want({A: rig.east(metric=new)})
    await rig.turn(6)
    assert [(write.verb, write.forwarding.metric) for write in rig.fib.asked] == [(Verb.ADD, new), (Verb.DELETE, old)]
    image = await rig.image()
    assert image.routes == {key(A): rig.east(metric=new)}
    assert image.extras == {}


async def test_a_change_of_metric_whose_add_fails_keeps_the_old_route() -> None:
    rig = Rig()
    rig.want({A: rig.east(metric=OLD_METRIC)})
    await rig.turn(4)
    rig.fib.fail_writes(1, errno.ENETUNREACH)
    rig.want({A: rig.east()})
    await rig.turn(1)
    assert await rig.installed() == {key(A): rig.east(metric=OLD_METRIC)}
    await rig.turn(6, seconds=1.0)
    assert await rig.installed() == {key(A): rig.east()}


@pytest.mark.parametrize("beside", [2, 7])
async def test_a_change_to_a_metric_where_ours_stands_already_ends_with_one_route(beside: int) -> None:
    rig = Rig()
    rig.put(A, rig.east(metric=OLD_METRIC), OURS)
    rig.put(A, rig.east(beside), OURS)
    rig.want({A: rig.east()})
    await rig.turn(8, seconds=1.0)
    image = await rig.image()
    assert image.routes == {key(A): rig.east()}
    assert image.extras == {}


async def test_a_change_in_place_replaces() -> None:
    rig = Rig()
    rig.want({A: rig.east()})
    await rig.turn(4)
    rig.want({A: rig.west()})
    await rig.turn(4)
    assert [write.verb for write in rig.fib.asked] == [Verb.ADD, Verb.REPLACE]
    assert await rig.installed() == {key(A): rig.west()}


async def test_rules_are_ours_by_their_mark() -> None:
    rig = Rig()
    foreign, leftover = Rule(V4, 900, TABLE), Rule(V4, 1001, TABLE)
    await rig.fib.add_rule(foreign, OTHER)
    await rig.fib.add_rule(leftover, OURS)
    rig.reconciler.configure([WIDE], frozenset({RULE}), Gate.AUTO)
    await rig.turn(4)
    assert await rig.fib.rules(OURS) == {RULE}
    assert foreign in await rig.fib.foreign_rules(OURS)
    rig.reconciler.configure([WIDE], frozenset(), Gate.AUTO)
    await rig.turn(4)
    assert await rig.fib.rules(OURS) == frozenset()
    assert foreign in await rig.fib.foreign_rules(OURS)


async def test_withdraw_all_removes_ours_only_and_stops() -> None:
    rig = Rig()
    foreign = Rule(V4, 900, TABLE)
    await rig.fib.add_rule(foreign, OTHER)
    rig.put(C, rig.west(9))
    rig.reconciler.configure([WIDE], frozenset({RULE}), Gate.AUTO)
    rig.want({A: rig.east(), B: rig.west()})
    await rig.turn(4)
    rig.put(A, rig.west(metric=OLD_METRIC), OURS)
    applied = await withdraw_all(rig.reconciler, "alice")
    assert (applied.done, applied.failed) == (4, 0)
    asked = len(rig.fib.asked)
    await rig.turn(20, seconds=60.0)
    image = await rig.image()
    assert (image.routes, image.extras) == ({}, {})
    assert image.foreign == {(key(C), METRIC): ForeignRoute(OTHER, rig.west(9))}
    assert await rig.fib.rules(OURS) == frozenset()
    assert foreign in await rig.fib.foreign_rules(OURS)
    assert len(rig.fib.asked) == asked


async def test_a_restart_adopts_what_is_installed() -> None:
    first = Rig()
    first.want({A: first.east(), B: first.west()})
    await first.turn(4)
    first.fib.asked.clear()
    second = Rig(fib=first.fib)
    await second.turn(2)
    assert set(await second.installed()) == {key(A), key(B)}, "nothing is lost while BGP is silent"
    second.want({A: second.east(), B: second.west()})
    await second.turn(20, seconds=60.0)
    assert first.fib.asked == []
    assert second.state.drift_total == 0


async def test_a_mass_removal_is_held_while_adds_go_ahead() -> None:
    rig = Rig(spec=SPEC)
    many = {f"10.9.{third}.0/24": rig.east() for third in range(50)}
    rig.want(dict(many))
    await rig.turn(4)
    rig.want(dict.fromkeys(many) | {A: rig.east()})
    await rig.turn(4)
    assert len(await rig.installed()) == 51
    assert rig.state.guard.held_since is not None
    await rig.turn(2, seconds=SPEC.budget_hold)
    await rig.turn(2)
    assert await rig.installed() == {key(A): rig.east()}


async def test_without_the_right_to_write_the_denial_is_told() -> None:
    rig = Rig()
    rig.fib.deny()
    rig.want({A: rig.east()})
    await rig.turn(2)
    assert rig.reconciler.denied
    assert await rig.installed() == {}
    assert [row["result"] for row in rig.journal.history(A, 1)] == ["failed"]


async def test_an_interrupted_read_is_no_knowledge() -> None:
    rig = Rig()
    rig.put(A, rig.west(9))
    rig.fib.interrupt_reads(5)
    rig.want({A: rig.east()})
    await rig.turn(1)
    assert not rig.reconciler.ready
    assert rig.fib.asked == []
    await rig.turn(3, seconds=1.0)
    assert rig.reconciler.ready
    assert rig.fib.asked == []


class Interrupted(RecordingFib):
    """Calls ``meanwhile`` while a write is on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.add_link("east", "10.1.0.1/24")
        self.add_link("west", "10.2.0.1/24")
        self.meanwhile: Callable[[], None] = lambda: None

    async def write(self, writes: Sequence[Write], protocol: int) -> list[WriteResult]:
        results = await super().write(writes, protocol)
        self.meanwhile()
        return results


@pytest.mark.parametrize("new_metric", [METRIC, OLD_METRIC])
async def test_a_table_may_be_taken_out_while_it_is_written(new_metric: int) -> None:
    fib = Interrupted()
    rig = Rig(fib=fib)
    rig.want({A: rig.east()})
    await rig.turn(4)
    fib.meanwhile = lambda: rig.reconciler.configure([], frozenset(), Gate.AUTO)
    rig.want({A: rig.west(metric=new_metric), B: rig.west()})
    await rig.turn(4)
    assert rig.reconciler.tables == {}
    fib.meanwhile = lambda: None
    rig.reconciler.configure([WIDE], frozenset(), Gate.AUTO)
    rig.want({B: rig.west()})
    await rig.turn(8)
    assert await rig.installed() == {key(B): rig.west()}


async def test_a_change_to_dry_run_stops_what_is_being_written() -> None:
    fib = Interrupted()
    rig = Rig(fib=fib)
    fib.meanwhile = lambda: rig.reconciler.configure([WIDE], frozenset(), Gate.DRY_RUN)
    rig.want({f"10.{number >> 8}.{number & 255}.0/24": rig.east() for number in range(2 * BATCH)})
    await rig.turn(20, seconds=60.0)
    assert len(fib.asked) == BATCH
