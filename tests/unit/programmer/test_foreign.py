"""Routes of others in our tables: what the reconciler never touches, whatever comes between."""

import asyncio
import errno
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from programmer.fib import ForeignRoute, Ownership, TableImage, Verb
from programmer.route import Family, PrefixKey, TableId
from tests.contract.stage import METRIC, OTHER, OURS, TABLE, net
from tests.support.recording import RecordingFib
from tests.unit.programmer.rig import OLD_METRIC, A, B, C, Rig, key


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
    assert rig.state.failures == {}, "nobody refused it"
    assert rig.state.conflicts == {key(A)}
    errors = [row["error"] for row in rig.journal.history(A, 10)]
    assert [error[0] for error in errors if error] == [errno.ESTALE]
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
        assert rig.state.image.carried == Counter(rig.state.image.routes.values())
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
