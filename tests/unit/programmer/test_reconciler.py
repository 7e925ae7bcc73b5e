"""The reconciler over a simulated kernel: what it writes, what it never touches, and when it waits."""

import asyncio
import errno
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from programmer.errors import PlanStale
from programmer.fib import ForeignRoute, Ownership, TableImage, Verb, Write, WriteResult
from programmer.journal import Journal
from programmer.plan import Action, Gate, Operation, Plan, RuleOperation
from programmer.reconciler import Reconciler, TableSpec, apply_plan, withdraw_all
from programmer.reconciler.loop import BATCH, READ_BACK_DEADLINE
from programmer.route import Family, Forwarding, PrefixKey, Rule, TableId, key_of
from tests.contract.stage import METRIC, OTHER, OURS, TABLE, net, via
from tests.support.recording import RecordingFib
from tests.support.wait import until

V4 = Family.IPV4
OLD_METRIC = 150
SPEC = TableSpec(TABLE, V4, frozenset({METRIC, OLD_METRIC}), budget_percent=20.0, budget_routes=100)
WIDE = TableSpec(TABLE, V4, frozenset({METRIC, OLD_METRIC}), budget_percent=100.0, budget_routes=1000)
A, B, C = "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"
RULE = Rule(V4, 1000, TABLE)


def key(prefix: str) -> PrefixKey:
    return key_of(net(prefix))


class Rig:
    """A reconciler with a clock that only the test moves."""

    def __init__(self, gate: Gate = Gate.AUTO, spec: TableSpec = WIDE, fib: RecordingFib | None = None) -> None:
        self.now = 1000.0
        self.fib = fib or RecordingFib()
        if fib is None:
            self.fib.add_link("east", "10.1.0.1/24")
            self.fib.add_link("west", "10.2.0.1/24")
        self.fib.watch(frozenset({TABLE}))
        self.journal = Journal(":memory:")
        self.reconciler = Reconciler(
            self.fib, self.journal, OURS, gate, wall=lambda: self.now, monotonic=lambda: self.now
        )
        self.events = self.fib.events()
        self.reconciler.configure([spec], frozenset(), gate)
        self.state = self.reconciler.tables[TABLE, V4]

    def east(self, host: int = 2, metric: int = METRIC) -> Forwarding:
        return via(f"10.1.0.{host}", link=2, metric=metric)

    def west(self, host: int = 2, metric: int = METRIC) -> Forwarding:
        return via(f"10.2.0.{host}", link=3, metric=metric)

    def want(self, routes: dict[str, Forwarding | None], *, complete: bool = True) -> None:
        self.reconciler.want(TABLE, V4, [(key(prefix), value) for prefix, value in routes.items()])
        self.reconciler.allow_removals(TABLE, V4, allowed=complete)

    def put(self, prefix: str, route: Forwarding, protocol: int = OTHER) -> None:
        self.fib.put_route(TABLE, net(prefix), route, protocol)

    async def turn(self, times: int = 1, seconds: float = 0.2) -> None:
        """Deliver the kernel's events and take a step, *times* times, with *seconds* between."""
        for _ in range(times):
            if self.fib._ready.is_set() and self.fib._waiting:
                self.reconciler._observe(await anext(self.events))
            await self.reconciler.step()
            self.now += seconds

    async def image(self) -> TableImage:
        return await self.fib.read(TABLE, V4, Ownership(OURS, SPEC.metrics))

    async def installed(self) -> dict[PrefixKey, Forwarding]:
        return dict((await self.image()).routes)

    def plan(self, operations: Sequence[Operation], rules: Sequence[RuleOperation] = ()) -> Plan:
        return Plan(1, "edge1", "c0ffee", self.now, self.now + 900, tuple(operations), tuple(rules))


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


@pytest.mark.parametrize("protocol", [OTHER, 4])
async def test_a_foreign_route_at_our_identity_is_a_conflict_and_stays(protocol: int) -> None:
    rig = Rig()
    rig.put(A, rig.west(9), protocol)
    rig.want({A: rig.east(), B: rig.east()})
    await rig.turn(6)
    assert rig.state.conflicts == {key(A)}
    assert [(write.verb, write.key) for write in rig.fib.asked] == [(Verb.ADD, key(B))]
    assert (await rig.image()).foreign == {(key(A), METRIC): ForeignRoute(protocol, rig.west(9))}
    assert await rig.installed() == {key(B): rig.east()}
    rig.want({A: None})
    await rig.turn(4)
    assert not rig.state.conflicts
    assert (await rig.image()).foreign == {(key(A), METRIC): ForeignRoute(protocol, rig.west(9))}


async def test_our_route_is_installed_when_the_foreign_one_goes_away() -> None:
    rig = Rig()
    rig.put(A, rig.west(9))
    rig.want({A: rig.east()})
    await rig.turn(4)
    rig.fib.drop_route(TABLE, net(A), METRIC)
    await rig.turn(4)
    assert await rig.installed() == {key(A): rig.east()}
    assert not rig.state.conflicts


async def test_a_foreign_route_that_takes_the_place_of_ours_is_not_taken_back() -> None:
    rig = Rig()
    rig.want({A: rig.east()})
    await rig.turn(4)
    rig.put(A, rig.west(9))
    await rig.turn(6)
    assert (await rig.image()).foreign == {(key(A), METRIC): ForeignRoute(OTHER, rig.west(9))}
    assert rig.state.conflicts == {key(A)}
    assert rig.state.drift_total == 1


async def test_a_foreign_route_at_another_metric_lives_beside_ours() -> None:
    rig = Rig()
    rig.put(A, rig.west(9, metric=50))
    rig.want({A: rig.east()})
    await rig.turn(4)
    rig.want({A: None})
    await rig.turn(4)
    assert (await rig.image()).foreign == {(key(A), 50): ForeignRoute(OTHER, rig.west(9, metric=50))}
    assert await rig.installed() == {}
    assert [write.verb for write in rig.fib.asked] == [Verb.ADD, Verb.DELETE]


async def test_a_route_with_our_number_at_a_metric_that_is_not_ours_is_foreign() -> None:
    rig = Rig()
    rig.want({})
    await rig.turn(2)
    rig.put(A, rig.west(9, metric=50), OURS)
    await rig.turn(4)
    rig.reconciler.rescan()
    await rig.turn(4)
    assert rig.fib.asked == []
    assert (await rig.image()).foreign == {(key(A), 50): ForeignRoute(OURS, rig.west(9, metric=50))}


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


async def pending_change(fib: RecordingFib | None = None) -> Rig:
    """Ours stands at A, a change of it is wanted, and another program has just put its own route in the place of ours."""
    rig = Rig(fib=fib)
    rig.want({A: rig.east(2)})
    await rig.turn(3)
    rig.want({A: rig.east(3)})
    rig.put(A, rig.west(9))
    return rig


async def stays_foreign(rig: Rig) -> None:
    image = await rig.image()
    assert image.foreign == {(key(A), METRIC): ForeignRoute(OTHER, rig.west(9))}
    assert image.routes == {}


async def test_a_route_that_another_program_put_in_the_place_of_ours_is_not_replaced_before_its_event_is_looked_at() -> (
    None
):
    rig = await pending_change()
    await rig.reconciler.step()
    await stays_foreign(rig)
    assert rig.state.failures[key(A)].errno == errno.ESTALE
    assert "another program" in rig.state.failures[key(A)].message
    assert rig.state.conflicts == {key(A)}
    await rig.turn(20, seconds=10.0)
    await stays_foreign(rig)


async def test_after_lost_notifications_nothing_is_changed_before_the_table_was_read() -> None:
    rig = await pending_change()
    rig.want({B: rig.east()})
    rig.fib.overrun(1)
    rig.reconciler._observe(await anext(rig.events))
    await rig.reconciler.step()  # too early for a read
    await stays_foreign_beside(rig, B)
    await rig.turn(5)
    assert rig.state.conflicts == {key(A)}
    await stays_foreign_beside(rig, B)


async def test_routes_whose_echo_was_lost_count_as_installed_for_the_removal_budget() -> None:
    rig = Rig()
    rig.want({A: rig.east(), B: rig.east()})
    await rig.reconciler.step()
    rig.want({A: None, B: None})
    rig.fib.overrun(1)
    await rig.turn(2)
    assert rig.state.guard.held_since is None
    assert await rig.installed() == {}


async def stays_foreign_beside(rig: Rig, prefix: str) -> None:
    image = await rig.image()
    assert image.foreign == {(key(A), METRIC): ForeignRoute(OTHER, rig.west(9))}
    assert image.routes == {key(prefix): rig.east()}


async def test_a_read_that_fails_leaves_a_table_in_doubt() -> None:
    rig = await pending_change()
    rig.fib.overrun(1)
    rig.reconciler._observe(await anext(rig.events))
    rig.fib.interrupt_reads(5)
    await rig.turn(3)
    await stays_foreign(rig)
    assert rig.state.unseen
    await rig.turn(8)
    assert not rig.state.unseen
    await stays_foreign(rig)


class SlowRead(RecordingFib):
    """Its reads take long: others change the table after it was walked, before the reader has it."""

    def __init__(self) -> None:
        super().__init__()
        self.add_link("east", "10.1.0.1/24")
        self.add_link("west", "10.2.0.1/24")
        self.meanwhile: Callable[[], None] = lambda: None

    async def read(self, table: TableId, family: Family, ownership: Ownership) -> TableImage:
        image = await super().read(table, family, ownership)
        self.meanwhile()
        return image


async def test_what_is_told_while_a_table_is_read_is_not_forgotten_with_the_old_picture() -> None:
    fib = SlowRead()
    rig = Rig(fib=fib)
    rig.want({A: rig.east(2), B: rig.east(2), C: rig.east(2)})
    await rig.turn(3)

    def others() -> None:
        rig.put(A, rig.west(9))
        rig.fib.drop_route(TABLE, net(B), METRIC)
        rig.reconciler._observe(fib._waiting)
        fib._waiting.clear()
        fib.meanwhile = lambda: None

    fib.meanwhile = others
    rig.want({A: rig.east(3)})
    rig.reconciler.rescan()
    rig.now += 1.0
    await rig.reconciler.step()
    image = await rig.image()
    assert image.foreign == {(key(A), METRIC): ForeignRoute(OTHER, rig.west(9))}
    assert image.routes == {key(B): rig.east(2), key(C): rig.east(2)}
    assert rig.state.drift_total == 2
    assert rig.state.conflicts == {key(A)}


PREFIXES = [A, B, C, "203.0.112.0/23"]
INDEX = st.integers(0, len(PREFIXES) - 1)
METRICS = st.sampled_from((METRIC, OLD_METRIC, 50))
moves = st.one_of(
    st.tuples(st.just("want"), INDEX, st.sampled_from((METRIC, OLD_METRIC)), st.integers(2, 4)),
    st.tuples(st.just("unwant"), INDEX, METRICS, st.just(0)),
    st.tuples(st.just("put"), INDEX, METRICS, st.integers(5, 8)),
    st.tuples(st.just("drop"), INDEX, METRICS, st.just(0)),
    st.tuples(st.just("fail"), INDEX, METRICS, st.integers(1, 3)),
    st.tuples(st.just("overrun"), INDEX, METRICS, st.just(0)),
    st.tuples(st.just("step"), INDEX, METRICS, st.integers(1, 3)),
    st.tuples(st.just("blind step"), INDEX, METRICS, st.just(0)),
)


async def foreign_routes_stay(sequence: list[tuple[str, int, int, int]]) -> None:
    rig, foreign = Rig(), dict[tuple[PrefixKey, int], ForeignRoute]()
    for move, index, metric, number in sequence:
        prefix = PREFIXES[index]
        place = (key(prefix), metric)
        if move in {"want", "unwant"}:
            rig.want({prefix: rig.east(number, metric) if move == "want" else None})
        elif move == "put":
            foreign[place] = ForeignRoute(OTHER, rig.west(number, metric))
            rig.put(prefix, rig.west(number, metric))
        elif move == "drop" and foreign.pop(place, None) is not None:
            rig.fib.drop_route(TABLE, net(prefix), metric)
        elif move == "fail":
            rig.fib.fail_writes(number, errno.ENOBUFS)
        elif move == "overrun":
            rig.fib.overrun(1)
        elif move == "step":
            await rig.turn(number)
        elif move == "blind step":  # the kernel's events have not arrived yet
            await rig.reconciler.step()
        assert (await rig.image()).foreign == foreign
    rig.fib._failures.clear()
    rig.reconciler.rescan()
    await rig.turn(12, seconds=20.0)
    image = await rig.image()
    assert image.foreign == foreign
    for at, value in rig.state.desired.items():
        if (at, value.metric) not in foreign:
            assert image.routes[at] == value or image.extras[at, value.metric] == value
    rig.want(dict.fromkeys(PREFIXES))
    await rig.turn(12, seconds=20.0)
    image = await rig.image()
    assert (image.routes, image.extras, image.foreign) == ({}, {}, foreign)


@settings(max_examples=150, deadline=None)
@example(
    [
        ("want", 0, METRIC, 2),
        ("step", 0, METRIC, 3),
        ("want", 0, METRIC, 3),
        ("put", 0, METRIC, 5),
        ("blind step", 0, 0, 0),
    ]
)
@given(st.lists(moves, max_size=20))
def test_no_sequence_of_wishes_and_accidents_changes_a_foreign_route(sequence: list[tuple[str, int, int, int]]) -> None:
    asyncio.run(foreign_routes_stay(sequence))
