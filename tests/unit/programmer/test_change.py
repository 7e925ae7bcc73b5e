"""Applying and taking back over a simulated kernel: a subset of what was approved, and the same way back."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from programmer.errors import PlanStale
from programmer.fib import Verb
from programmer.plan import Action, Operation, PlanKind
from programmer.reconciler import (
    apply_plan,
    by_place,
    undermined,
    verify,
)
from programmer.reconciler.change import IS_SO
from programmer.route import Forwarding, PrefixKey
from tests.contract.stage import METRIC, OTHER, OURS
from tests.unit.programmer.change_rig import ALL, NEW, OLD, PREFIXES, A, B, C, Rig, east, key


def effect_of(image: dict[PrefixKey, Forwarding], operations: Sequence[Operation]) -> dict[PrefixKey, Forwarding]:
    found = dict(image)
    for operation in operations:
        if operation.after is None:
            found.pop(operation.key, None)
        else:
            found[operation.key] = operation.after
    return found


routes = st.dictionaries(st.sampled_from(PREFIXES), st.tuples(st.integers(2, 4), st.sampled_from((METRIC, OLD))))
noises = st.lists(
    st.tuples(
        st.sampled_from(("drop", "ours", "foreign", "beside", "want", "unwant", "fail", "refuse", "overrun", "none")),
        st.sampled_from(PREFIXES),
        st.integers(2, 6),
    ),
    max_size=8,
)


def happens(rig: Rig, noise: str, prefix: str, host: int) -> None:
    """Let one thing happen that is not ours."""
    if noise == "drop":
        rig.drop(prefix)
    elif noise == "ours":
        rig.put(prefix, east(host))
    elif noise == "foreign":
        rig.put(prefix, east(host), OTHER)
    elif noise == "beside":
        rig.put(prefix, east(host, 77), OTHER)
    elif noise in {"want", "unwant"}:
        rig.want({prefix: east(host) if noise == "want" else None})
    elif noise == "fail":
        rig.fib.fail_writes(1, 101, "Nexthop has invalid gateway")
    elif noise == "refuse":
        rig.fib.refused ^= {key(prefix)}
    elif noise == "overrun":
        rig.fib.overrun(1)


@settings(max_examples=150, deadline=None)
@given(routes, routes, noises, noises, st.data())
def test_whatever_happens_meanwhile_only_a_subset_of_the_plan_is_written(
    before: dict[str, tuple[int, int]],
    after: dict[str, tuple[int, int]],
    noise: list[tuple[str, str, int]],
    late: list[tuple[str, str, int]],
    data: st.DataObject,
) -> None:
    async def main() -> None:
        rig = Rig()
        for prefix, route in before.items():
            rig.put(prefix, east(*route))
        rig.want({prefix: east(*route) for prefix, route in after.items()})
        await rig.turn()
        plan = rig.plan()
        if not plan.operations:
            return
        if len(plan.operations) > 1:
            some = data.draw(st.sets(st.integers(0, len(plan.operations) - 1), min_size=2))
            plan = rig.plan(groups=(tuple(sorted(some)),))
        for step in noise:
            happens(rig, *step)
            if data.draw(st.booleans()):
                await rig.turn(1)
        rig.fib.asked.clear()
        foreign = {place: route for place, route in (await rig.everything()).items() if route[0] != OURS}
        rest = list(late)

        def meanwhile() -> None:
            # Nobody else's routes come and go from here on, so that they can be compared.
            while rest:
                step = rest.pop()
                if step[0] not in {"foreign", "beside"} and (key(step[1]), METRIC) not in foreign:
                    happens(rig, *step)
                    break

        rig.fib.meanwhile = meanwhile
        try:
            applied = await rig.apply(plan)
        except PlanStale:
            assert rig.fib.asked == []
            return
        by_key = {operation.key: operation for operation in plan.operations}
        for write in rig.fib.asked:
            operation = by_key[write.key]
            assert write.forwarding == (operation.before if write.verb is Verb.DELETE else operation.after)
            assert (write.verb is Verb.DELETE) <= (operation.after is None or operation.action is Action.CHANGE)
        assert set(applied.written) <= set(plan.operations)
        assert set(applied.refused) <= set(plan.operations)
        left = {item for item, _ in applied.left_out}
        assert len(applied.written) + len(applied.refused) + len(left) == len(plan.operations)
        assert set(applied.written) | set(applied.refused) | left == set(plan.operations)
        assert (applied.done, applied.failed, applied.stale) == (len(applied.written), len(applied.refused), len(left))
        there = await rig.everything()
        assert {place: route for place, route in there.items() if route[0] != OURS} == foreign
        assert rig.journal.verify().ok

    asyncio.run(main())


@settings(max_examples=150, deadline=None)
@given(routes, routes, noises, st.booleans())
def test_the_way_back_restores_what_nobody_else_changed(
    before: dict[str, tuple[int, int]],
    after: dict[str, tuple[int, int]],
    noise: list[tuple[str, str, int]],
    told: bool,
) -> None:
    async def main() -> None:
        rig = Rig()
        for prefix, route in before.items():
            rig.put(prefix, east(*route))
        rig.want({prefix: east(*route) for prefix, route in after.items()})
        await rig.turn()
        plan = rig.plan()
        if not plan.operations:
            return
        first = dict((await rig.image()).routes)
        applied = await rig.apply(plan)
        assert (applied.done, applied.failed, applied.stale) == (len(plan.operations), 0, 0)
        second = effect_of(first, plan.operations)
        assert dict((await rig.image()).routes) == second
        assert await verify(rig.reconciler, applied.written) == []
        assert undermined(rig.reconciler, by_place(applied.written)) == []
        touched = set()
        for step in noise:
            if step[0] not in {"fail", "refuse", "want", "unwant", "overrun"}:
                # A route at another metric than ours changes nothing of ours.
                touched |= {key(step[1])} if step[0] != "beside" else set()
                happens(rig, *step)
        if told:
            await rig.turn(1)
        middle = await rig.image()
        reverted = await rig.revert(applied.written)
        last = dict((await rig.image()).routes)
        for operation in plan.operations:
            if operation.key not in touched:
                assert last.get(operation.key) == operation.before
        for place, value in middle.foreign.items():
            assert (await rig.image()).foreign[place] == value
        for at in touched - {operation.key for operation in plan.operations}:
            assert last.get(at) == middle.routes.get(at), "it was no part of the plan"
        if not touched:
            assert reverted.clean
            assert last == first
            assert reverted.done == len(plan.operations)
        unlike = [item for item in plan.operations if last.get(item.key) != item.before]
        assert len(reverted.left_alone) == len(unlike)
        assert rig.journal.verify().ok

    asyncio.run(main())


async def test_what_somebody_else_changed_is_left_alone_and_told() -> None:
    rig = Rig()
    rig.put(A, east(9))
    rig.want({A: east(2), B: east(2), C: east(2)})
    await rig.turn()
    applied = await rig.apply(rig.plan())
    rig.put(A, east(7))
    rig.drop(B)
    rig.put(C, east(5), OTHER)
    reverted = await rig.revert(applied.written)
    image = await rig.image()
    assert image.routes == {key(A): east(7)}
    assert {place: route.forwarding for place, route in image.foreign.items()} == {(key(C), METRIC): east(5)}
    assert (reverted.done, reverted.failed) == (0, 0)
    assert reverted.left_alone == [f"{A} in table 101 was changed meanwhile, and left alone"]


@pytest.mark.parametrize(("before", "after"), [(METRIC, OLD), (METRIC, NEW)], ids=["lower", "higher"])
@pytest.mark.parametrize("told", [True, False])
async def test_a_change_of_metric_that_was_cut_short_goes_back_and_counts_as_clean(
    before: int, after: int, *, told: bool
) -> None:
    rig = Rig()
    rig.put(A, east(2, before))
    rig.want({A: east(3, after)})
    await rig.turn()
    (operation,) = rig.plan().operations
    # The process ended after the ADD and before the DELETE.
    rig.put(A, east(3, after))
    if told:
        await rig.turn(1)
    reverted = await rig.revert([operation])
    image = await rig.image()
    assert (image.routes, image.extras) == ({key(A): east(2, before)}, {})
    assert reverted.clean, (reverted.failed, reverted.left_alone)


@pytest.mark.parametrize(("before", "after"), [(METRIC, OLD), (METRIC, NEW)], ids=["lower", "higher"])
async def test_a_change_of_metric_cut_short_beside_somebody_elses_work_leaves_that_alone(
    before: int, after: int
) -> None:
    rig = Rig()
    rig.put(A, east(2, before))
    rig.want({A: east(3, after)})
    await rig.turn()
    (operation,) = rig.plan().operations
    rig.put(A, east(6, after), OTHER)
    await rig.revert([operation])
    image = await rig.image()
    assert image.routes == {key(A): east(2, before)}
    assert [route.forwarding for route in image.foreign.values()] == [east(6, after)]


@pytest.mark.parametrize("cover", ["0.0.0.0/0", "10.0.0.0/8"])
async def test_what_a_removal_falls_to_is_there_before_the_route_goes(cover: str) -> None:
    rig = Rig()
    rig.put(A, east(3))
    rig.want({cover: east(2)})
    await rig.turn()
    plan = rig.plan(groups=((0, 1),))
    await rig.apply(plan)
    assert [(write.verb, write.key) for write in rig.fib.asked] == [(Verb.ADD, key(cover)), (Verb.DELETE, key(A))]


@pytest.mark.parametrize("cover", ["0.0.0.0/0", "10.0.0.0/8"])
async def test_a_removal_is_not_written_when_what_it_falls_to_is_refused(cover: str) -> None:
    rig = Rig()
    rig.put(A, east(3))
    rig.want({cover: east(2)})
    await rig.turn()
    rig.fib.refused = {key(cover)}
    applied = await rig.apply(rig.plan(groups=((0, 1),)))
    assert (applied.done, applied.failed, applied.stale) == (0, 1, 1)
    assert (await rig.image()).routes == {key(A): east(3)}


@pytest.mark.parametrize("cover", ["0.0.0.0/0", "10.0.0.0/8"])
async def test_on_the_way_back_too_the_cover_goes_last(cover: str) -> None:
    rig = Rig()
    rig.put(cover, east(2))
    rig.want({A: east(3)})
    await rig.turn()
    applied = await rig.apply(rig.plan())
    assert applied.done == 2
    rig.fib.asked.clear()
    await rig.revert(applied.written)
    assert [(write.verb, write.key) for write in rig.fib.asked] == [(Verb.ADD, key(cover)), (Verb.DELETE, key(A))]


@pytest.mark.parametrize("kind", list(PlanKind))
async def test_what_is_so_already_keeps_back_nothing_that_leans_on_it(kind: PlanKind) -> None:
    rig = Rig()
    for prefix in (A, B, "10.0.0.0/8"):
        rig.put(prefix, east(3))
    rig.want({})
    await rig.turn()
    plan = replace(rig.plan(groups=((0, 1, 2),)), kind=kind)
    rig.drop(A)
    await rig.turn()
    applied = await apply_plan(rig.reconciler, plan, "alice", 0, 0.0)
    assert applied.left_out == [(next(item for item in plan.operations if item.prefix == A), IS_SO)]
    assert (applied.done, applied.failed, applied.stale) == (2, 0, 1)
    assert {item.prefix for item in applied.written} == {B, "10.0.0.0/8"}, "the way back is of what was written here"
    assert (await rig.image()).routes == {}
    with pytest.raises(PlanStale, match="nothing is left to do"):
        await apply_plan(rig.reconciler, plan, "alice", *ALL)


async def test_what_is_so_already_and_what_cannot_be_done_leave_nothing() -> None:
    rig = Rig()
    rig.put(A, east(3))
    rig.put(B, east(3))
    rig.want({})
    await rig.turn()
    plan = rig.plan()
    rig.drop(A)
    rig.put(B, east(4))
    await rig.turn()
    with pytest.raises(PlanStale, match="no operation of this plan matches"):
        await rig.apply(plan)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_member_of_a_group_is_written_after_another_was_lost(data: st.DataObject) -> None:
    async def main() -> None:
        rig = Rig()
        there = data.draw(st.sets(st.sampled_from(PREFIXES)))
        wanted = data.draw(st.dictionaries(st.sampled_from(PREFIXES), st.integers(2, 4)))
        for prefix in there:
            rig.put(prefix, east(9))
        rig.want({prefix: east(host) for prefix, host in wanted.items()})
        await rig.turn()
        operations = rig.reconciler.live_operations()
        if len(operations) < 2:
            return
        order = data.draw(st.permutations(range(len(operations))))
        cut = data.draw(st.integers(1, len(order)))
        groups = tuple(tuple(sorted(part)) for part in (order[:cut], order[cut:]) if len(part) > 1)
        plan = rig.plan(groups=groups)
        rig.fib.refused = {key(prefix) for prefix in data.draw(st.sets(st.sampled_from(PREFIXES), max_size=2))}
        stale = data.draw(st.sets(st.sampled_from(PREFIXES), max_size=1))
        rig.want({prefix: east(6) for prefix in stale})
        rig.fib.asked.clear()
        try:
            applied = await rig.apply(plan)
        except PlanStale:
            assert rig.fib.asked == []
            return
        asked = [write.key for write in rig.fib.asked]
        obstacles = {key(prefix) for prefix in stale}
        refused = {operation.key for operation in applied.refused}
        for group in groups:
            members = [plan.operations[index] for index in group]
            tried = [asked.index(member.key) for member in members if member.key in asked]
            if any(member.key in obstacles for member in members):
                assert not tried, "one cannot be done, so none is"
                continue
            lost = [member for member in members if member.key in refused]
            if lost:
                # What goes ahead in the same step as the one that the kernel refused cannot be known before.
                step = [member.action for member in lost]
                later = [
                    asked.index(member.key) for member in members if member.key in asked and member.action not in step
                ]
                first = min(asked.index(member.key) for member in lost)
                assert all(place < first for place in later)

    asyncio.run(main())


@pytest.mark.parametrize("told", [True, False], ids=["told", "read"])
@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.name.lower())
async def test_verify_and_undermined_see_what_is_not_as_the_plan_left_it(action: Action, *, told: bool) -> None:
    rig = Rig()
    if action is not Action.ADD:
        rig.put(A, east(9))
    rig.want({A: None if action is Action.REMOVE else east(2)})
    await rig.turn()
    applied = await rig.apply(rig.plan())
    assert await verify(rig.reconciler, applied.written) == []
    if action is Action.REMOVE:
        rig.put(A, east(9))
    else:
        rig.drop(A)
    if told:
        await rig.turn()
    assert len(await verify(rig.reconciler, applied.written)) == 1
    assert undermined(rig.reconciler, by_place(applied.written)) == [f"{A} in table 101 was changed by somebody else"]
    rig.want({A: east(5)})
    assert undermined(rig.reconciler, by_place(applied.written)) == [], "BGP has moved on"


async def test_a_table_that_cannot_be_read_back_is_told() -> None:
    rig = Rig()
    rig.want({A: east()})
    await rig.turn()
    applied = await rig.apply(rig.plan())
    rig.fib.interrupt_reads(1000)
    assert await verify(rig.reconciler, applied.written) == ["table 101 ipv4 could not be read back"]
    reverted = await rig.revert(applied.written)
    assert not reverted.clean
    rig.fib._interruptions = 0
    assert (await rig.image()).routes == {}
