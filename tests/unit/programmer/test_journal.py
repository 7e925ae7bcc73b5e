"""The journal: what was about to be done, what came of it, and what is remembered over a restart."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest

from programmer.errors import JournalError
from programmer.fib import OK, WriteResult
from programmer.journal import Journal
from programmer.plan import Operation
from programmer.route import Family, Forwarding, NextHop, TableId, key_of

TABLE = TableId(101)
ROUTE = Forwarding(200, (NextHop(b"\x0a\x01\x00\x02", 2),))


@pytest.fixture
def journal() -> Iterator[Journal]:
    found = Journal(":memory:")
    yield found
    found.close()


def add(prefix: str) -> Operation:
    family = Family.IPV6 if ":" in prefix else Family.IPV4
    return Operation(TABLE, family, key_of(ipaddress.ip_network(prefix)), None, ROUTE)


def begin(journal: Journal, *prefixes: str, at: float = 1.0) -> int:
    return journal.begin([add(prefix) for prefix in prefixes], at=at, cause="reconcile", actor="bgpmon", plan="")


def test_a_finished_change_tells_each_result(journal: Journal) -> None:
    change = begin(journal, "192.0.2.0/24", "198.51.100.0/24")
    journal.finish(change, [OK, WriteResult(101, "Nexthop has invalid gateway")])
    rows = {row["operation"].prefix: row for row in journal.history("", 10)}
    assert rows["192.0.2.0/24"]["result"] == "done"
    assert rows["192.0.2.0/24"]["error"] is None
    assert rows["198.51.100.0/24"]["result"] == "failed"
    assert rows["198.51.100.0/24"]["error"] == [101, "Nexthop has invalid gateway"]
    assert rows["192.0.2.0/24"]["operation"] == add("192.0.2.0/24")


def test_a_change_that_never_finished_is_unknown_after_a_restart(tmp_path: Path) -> None:
    file = str(tmp_path / "state" / "journal.db")
    first = Journal(file)
    begin(first, "192.0.2.0/24")
    first.close()
    second = Journal(file)
    assert [row["result"] for row in second.history("192.0.2.0/24", 10)] == ["unknown"]
    second.close()


@pytest.mark.parametrize("asked", ["10.0.0.0/8", "10.0.0.0/80", "110.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "::/0"])
def test_the_history_of_a_prefix_is_of_that_prefix_alone(journal: Journal, asked: str) -> None:
    written = ["10.0.0.0/8", "110.0.0.0/8", "2001:db8::/32", "10.0.0.0/9", "::/0", "0.0.0.0/0"]
    journal.finish(begin(journal, *written), [OK] * len(written))
    for prefix in written:
        begin(journal, prefix)
    found = journal.history(asked, 100)
    assert {row["operation"].prefix for row in found} == ({asked} & set(written))
    assert len(found) == (2 if asked in written else 0)


def test_similar_prefixes_do_not_use_up_the_limit(journal: Journal) -> None:
    begin(journal, "10.0.0.0/8", at=1.0)
    for moment in range(5):
        begin(journal, "110.0.0.0/8", at=2.0 + moment)
    assert [row["at"] for row in journal.history("10.0.0.0/8", 1)] == [1.0]


def test_history_is_newest_first_and_limited(journal: Journal) -> None:
    for moment in range(5):
        begin(journal, "192.0.2.0/24", at=float(moment))
    assert [row["at"] for row in journal.history("192.0.2.0/24", 3)] == [4.0, 3.0, 2.0]


def test_notes_are_part_of_the_whole_history_and_of_no_prefix(journal: Journal) -> None:
    begin(journal, "192.0.2.0/24", at=1.0)
    journal.note("drift", "192.0.2.0/24 went away", at=2.0, actor="kernel")
    assert [row["cause"] for row in journal.history("", 10)] == ["drift: 192.0.2.0/24 went away", "reconcile"]
    assert [row["cause"] for row in journal.history("192.0.2.0/24", 10)] == ["reconcile"]


def test_plans_are_found_by_the_start_of_their_digest(journal: Journal) -> None:
    digests = ["7f3a" + "0" * 60, "7f3a" + "f" * 60, "7f3b" + "0" * 60, "07f3" + "a" * 60]
    for number, digest in enumerate(digests, 1):
        journal.put_plan(digest, number, "frozen", (10.0, 20.0), "alice", "{}")
    assert {row[0] for row in journal.plans("7f3a")} == set(digests[:2])
    assert [row[0] for row in journal.plans(digests[3])] == [digests[3]]
    assert journal.plans("ffff") == []
    assert len(journal.plans("")) == 4
    assert journal.plans("7f3b") == [(digests[2], 3, "frozen", 10.0, 20.0, "alice", "", "{}")]


def test_the_state_of_one_plan_changes_alone(journal: Journal) -> None:
    assert journal.last_plan_number() == 0
    journal.put_plan("aa", 4, "frozen", (1.0, 2.0), "alice", "{}")
    journal.put_plan("ab", 5, "frozen", (1.0, 2.0), "alice", "{}")
    journal.set_plan_state("aa", "rejected", "by bob")
    assert [(row[2], row[6]) for row in journal.plans("a")] == [("rejected", "by bob"), ("frozen", "")]
    assert journal.last_plan_number() == 5


def test_metrics_that_were_ever_ours_stay_ours(tmp_path: Path) -> None:
    file = str(tmp_path / "journal.db")
    first = Journal(file)
    assert first.own(TABLE, [200]) == {200}
    assert first.own(TableId(102), [50]) == {50}
    first.close()
    second = Journal(file)
    assert second.own(TABLE, [200, 300]) == {200, 300}
    assert second.own(TABLE, []) == {200, 300}
    assert second.owned() == {TABLE: {200, 300}, TableId(102): {50}}
    second.close()


def test_a_journal_that_cannot_be_opened_says_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(JournalError, match="state_dir"):
        Journal(str(tmp_path / "file" / "journal.db"))


def test_a_journal_that_cannot_be_used_says_that_nothing_is_written(journal: Journal) -> None:
    journal.close()
    with pytest.raises(JournalError, match="nothing is written"):
        begin(journal, "192.0.2.0/24")
