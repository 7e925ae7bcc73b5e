"""What was installed at a past moment, out of the present and the journal."""

import ipaddress
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from programmer.fib import OK, WriteResult
from programmer.journal import Images, Journal, open_reader, routes_at, undo
from programmer.plan import Operation
from programmer.route import Family, Forwarding, NextHop, TableId, key_of

TABLE = TableId(101)
ROUTES = [Forwarding(200, (NextHop(bytes((10, 1, 0, number)), 2),)) for number in range(3)]
KEYS = [key_of(ipaddress.ip_network(f"10.{number}.0.0/16")) for number in range(6)]
NAME = (TABLE, Family.IPV4)


@pytest.fixture
def journal() -> Iterator[Journal]:
    found = Journal(":memory:", wall=lambda: 1000.0)
    yield found
    found.close()


def change(key: bytes, before: Forwarding | None, after: Forwarding | None) -> Operation:
    return Operation(TABLE, Family.IPV4, key, before, after)


def write(journal: Journal, at: float, *operations: Operation, failed: tuple[int, ...] = ()) -> None:
    number = journal.begin(operations, at=at, cause="reconcile", actor="bgpmon", plan="")
    journal.finish(number, [WriteResult(22) if index in failed else OK for index in range(len(operations))])


def test_operations_are_taken_back_last_first() -> None:
    images: Images = {NAME: {KEYS[0]: ROUTES[2]}}
    operations = [change(KEYS[0], None, ROUTES[1]), change(KEYS[0], ROUTES[1], ROUTES[2])]
    assert undo(images, operations) == 2
    assert images == {NAME: {}}


def test_what_failed_is_not_taken_back() -> None:
    images: Images = {NAME: {KEYS[0]: ROUTES[0]}}
    assert undo(images, [change(KEYS[0], ROUTES[0], None), change(KEYS[1], ROUTES[1], None)], {0}) == 1
    assert images == {NAME: {KEYS[0]: ROUTES[0], KEYS[1]: ROUTES[1]}}


def test_a_table_that_is_empty_now_comes_back() -> None:
    images: Images = {}
    undo(images, [change(KEYS[0], ROUTES[0], None)])
    assert images == {NAME: {KEYS[0]: ROUTES[0]}}


def test_every_past_moment_is_found_again(journal: Journal) -> None:
    dice = random.Random(7)
    image: dict[bytes, Forwarding] = {}
    moments: list[tuple[float, dict[bytes, Forwarding]]] = [(0.0, {})]
    for moment in range(1, 60):
        operations = []
        failed = []
        for index, key in enumerate(dice.sample(KEYS, 3)):
            after = dice.choice([None, *ROUTES])
            operations.append(change(key, image.get(key), after))
            if dice.random() < 0.3 and moment % 5:
                failed.append(index)
            elif after is None:
                image.pop(key, None)
            else:
                image[key] = after
        if moment % 5:
            write(journal, float(moment), *operations, failed=tuple(failed))
        else:
            journal.outside(operations, at=float(moment))
        moments.append((float(moment), dict(image)))
    now: Images = {NAME: dict(image)}
    for at, expected in moments:
        found = routes_at(journal.changes_after(at), now)
        assert found.images == {NAME: expected}
        assert found.unknown == 0
    assert now == {NAME: image}
    assert journal.verify().ok


def test_changes_come_newest_first_and_only_those_after_the_moment(journal: Journal) -> None:
    for moment in range(40):
        write(journal, float(moment), change(KEYS[0], None, ROUTES[0]), failed=(0,) if moment % 2 else ())
    found = list(journal.changes_after(3.0))
    assert [item.at for item in found] == [float(moment) for moment in range(39, 3, -1)]
    assert found[0].failed == frozenset({0})
    assert found[1].failed == frozenset()
    assert list(journal.changes_after(39.0)) == []


def test_equal_forwardings_are_one_object(journal: Journal) -> None:
    write(journal, 1.0, change(KEYS[0], None, ROUTES[0]), change(KEYS[1], None, ROUTES[0]))
    write(journal, 2.0, change(KEYS[2], None, ROUTES[0]))
    values = [operation.after for item in journal.changes_after(0.0) for operation in item.operations]
    assert values == [ROUTES[0]] * 3
    assert len({id(value) for value in values}) == 1


def test_a_change_that_nobody_knows_the_outcome_of_is_left_out_and_counted(journal: Journal) -> None:
    write(journal, 1.0, change(KEYS[0], None, ROUTES[0]))
    journal.begin([change(KEYS[1], None, ROUTES[1])] * 2, at=2.0, cause="reconcile", actor="bgpmon", plan="")
    assert [item.failed for item in journal.changes_after(0.0)] == [None, frozenset()]
    found = routes_at(journal.changes_after(0.0), {NAME: {KEYS[0]: ROUTES[0], KEYS[1]: ROUTES[1]}})
    assert found == ({NAME: {KEYS[1]: ROUTES[1]}}, 1, 2)


def test_what_others_changed_has_the_shape_of_a_change(journal: Journal) -> None:
    journal.outside([change(KEYS[0], ROUTES[0], None)], at=5.0)
    (row,) = journal.history("10.0.0.0/16", 10)
    assert (row["cause"], row["actor"], row["result"], row["at"]) == ("outside", "somebody else", "done", 5.0)


def test_what_a_plan_wrote_is_found_by_its_digest_and_cause(journal: Journal) -> None:
    for cause, plan, key in [("plan 1", "aa", 0), ("plan 1", "bb", 1), ("roll-back", "aa", 2), ("plan 1", "aa", 3)]:
        journal.begin([change(KEYS[key], None, ROUTES[0])], at=1.0, cause=cause, actor="alice", plan=plan)
    found = list(journal.changes_of("aa", "plan 1"))
    assert [operation.key for operations, _ in found for operation in operations] == [KEYS[3], KEYS[0]]
    assert [failed for _, failed in found] == [None, None]


def test_nothing_is_known_before_the_first_record_or_the_end_of_what_was_pruned(journal: Journal) -> None:
    assert journal.oldest() == 1000.0
    for moment in (10.0, 20.0, 30.0):
        journal.note("reload", "", at=moment)
    assert journal.oldest() == 10.0
    journal.prune(25.0)
    assert journal.oldest() == 20.0
    journal.note("pruned", "a note of that name is no pruning", at=1001.0)
    assert journal.oldest() == 20.0


def test_the_newest_sample_at_a_moment_is_found(journal: Journal) -> None:
    assert journal.sample_at(1e9) is None
    journal.sample(10.0, {"status": "one", "plan": [1, 2]})
    journal.sample(20.0, {"status": "two"})
    assert journal.sample_at(9.0) is None
    assert journal.sample_at(10.0) == (10.0, {"status": "one", "plan": [1, 2]})
    assert journal.sample_at(19.0) == (10.0, {"status": "one", "plan": [1, 2]})
    assert journal.sample_at(1e9) == (20.0, {"status": "two"})
    journal.note("reload", "", at=15.0)
    journal.prune(15.0)
    assert journal.sample_at(19.0) is None


def test_a_reader_of_its_own_sees_what_was_committed(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal.db"))
    reader = open_reader(str(tmp_path / "journal.db"))
    write(journal, 1.0, change(KEYS[0], None, ROUTES[0]))
    assert [item.at for item in reader.changes_after(0.0)] == [1.0]
    assert reader.last_record() == 2
    write(journal, 2.0, change(KEYS[0], ROUTES[0], None))
    assert [row["at"] for row in reader.history("10.0.0.0/16", 5)] == [2.0, 1.0]
    reader.close()
    journal.close()
