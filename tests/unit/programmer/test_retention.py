"""What the journal keeps, for how long, and from before it had a chain; what it tells of; what a full disk does to it."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from programmer.errors import JournalError
from programmer.fib import OK, WriteResult
from programmer.journal import Journal, verify_file, verify_lines
from programmer.plan import operation_document
from tests.unit.programmer.records import OTHER, PLAN, RECORDS, add, approve, change, fill

OLD_SCHEMA = """
CREATE TABLE change (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, cause TEXT NOT NULL, actor TEXT NOT NULL, plan TEXT NOT NULL,
  prefixes TEXT NOT NULL, operations TEXT NOT NULL, results TEXT);
CREATE TABLE event (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE plan (
  digest TEXT PRIMARY KEY, number INTEGER NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
  expires_at REAL NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE owned (routing_table INTEGER NOT NULL, metric INTEGER NOT NULL, PRIMARY KEY (routing_table, metric));
"""


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A file of the format before."""
    file = str(tmp_path / "journal.db")
    db = sqlite3.connect(file)
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript(OLD_SCHEMA)
    operations = json.dumps([operation_document(add(1)), operation_document(add(2))], separators=(",", ":"))
    rows: list[tuple[float, str | None]] = [(10.0, '{"1": [101, "no"]}'), (30.0, "{}"), (40.0, None)]
    for at, results in rows:
        values = (at, "reconcile", "bgpmon", "", " 10.0.1.0/24 10.0.2.0/24 ", operations, results)
        db.execute("INSERT INTO change VALUES (NULL,?,?,?,?,?,?,?)", values)
    db.execute("INSERT INTO event VALUES (NULL, 20.0, 'reload', 'alice', 'bgpmon.yaml')")
    db.execute("INSERT INTO plan VALUES (?, 7, 'applied', 15.0, 99.0, 'alice', 'all done', '{}')", (PLAN,))
    db.execute("INSERT INTO fact VALUES ('a', 'b')")
    db.execute("INSERT INTO owned VALUES (101, 200)")
    db.commit()
    db.close()
    return file


def test_a_file_of_the_format_before_is_chained_in_order_and_stays_readable(old: str) -> None:
    assert "start bgpmon on it once" in verify_file(old).problems[0]
    journal = Journal(old, wall=lambda: 1000.0)
    assert [(row["id"], row["at"], row["kind"]) for row in journal.events()] == [
        (1, 10.0, "change"), (2, 10.0, "result"), (3, 15.0, "plan"), (4, 20.0, "reload"), (5, 30.0, "change"),
        (6, 30.0, "result"), (7, 40.0, "change"), (8, 1000.0, "migrated"),
    ]  # fmt: skip
    assert journal.events()[0]["result"] == {"done": 1, "failed": 1}
    assert "3 changes, 1 events and 1 plans" in journal.events()[-1]["detail"]
    assert journal.verify().ok
    assert [row["result"] for row in journal.history("10.0.2.0/24", 10)] == ["unknown", "done", "failed"]
    assert journal.plans("7f") == [(PLAN, 7, "applied", 15.0, 99.0, "alice", "all done", "{}")]
    assert journal.recall("") == {"a": "b"}
    assert journal.owned() == {101: {200}}
    assert journal.oldest() == 10.0
    change(journal, 9, at=1001.0)
    journal.close()
    again = Journal(old)
    assert again.last_record() == 10
    assert again.verify().ok
    again.close()
    db = sqlite3.connect(old)
    db.execute("UPDATE change SET operations='[]' WHERE id=1")
    db.commit()
    db.close()
    assert verify_file(old).problems == ("change 1 does not match its record",)


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: str) -> None:
    db = sqlite3.connect(old)
    db.execute("UPDATE change SET operations='no JSON' WHERE id=3")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="change 3"):
        Journal(old)
    db = sqlite3.connect(old)
    assert [row[1] for row in db.execute("PRAGMA table_info(change)")][-1] == "results"
    assert db.execute("PRAGMA user_version").fetchone() == (0,)
    db.close()


def prune_all(journal: Journal, before: float, most: int = 3) -> int:
    total = 0
    while count := journal.prune(before, most):
        total += count
    return total


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    found = Journal(str(tmp_path / "journal.db"), wall=lambda: 1000.0)
    yield found
    found.close()


def test_what_is_past_its_time_goes_in_pieces_and_the_chain_stays_whole(journal: Journal) -> None:
    for moment in range(10):
        change(journal, moment, at=float(moment))
        journal.note("reload", str(moment), at=float(moment))
    assert journal.prune(5.0, most=4) == 4
    assert journal.verify().ok
    assert prune_all(journal, 5.0) == 11
    report = journal.verify()
    assert report.ok
    assert report.first == 16
    assert report.records == report.last - 15
    assert {row["at"] for row in journal.history("", 100)} == {5.0, 6.0, 7.0, 8.0, 9.0}
    assert len(journal._rows("SELECT 1 FROM result")) == 5
    lines = list(journal.export())
    assert verify_lines(lines) == report
    assert journal.prune(5.0) == 0
    assert journal.verify() == report


def test_pruning_to_the_future_ends(journal: Journal) -> None:
    fill(journal)
    assert prune_all(journal, 1e12) == RECORDS
    assert journal.verify().ok


def test_a_pruned_chain_whose_first_record_was_changed_is_not_whole(journal: Journal) -> None:
    for moment in range(6):
        journal.note("reload", "", at=float(moment))
    prune_all(journal, 3.0)
    assert journal.verify().ok
    journal._db.execute("UPDATE record SET actor='mallory' WHERE id=4")
    assert any("record 4 was changed" in text for text in journal.verify().problems)
    journal._db.execute("DELETE FROM record WHERE id=4")
    assert "records 1 to 4 are missing" in journal.verify().problems


@pytest.mark.parametrize("state", ["frozen", "approved", "queued", "applying", "soaking"])
def test_a_plan_that_is_not_at_its_end_is_never_pruned(journal: Journal, state: str) -> None:
    fill(journal)
    journal.put_plan(OTHER, 2, "frozen", (10.0, 99.0), "bob", "{}")
    journal.set_plan_state(OTHER, "applied", "", at=11.0)
    change(journal, 8, at=12.0, plan=OTHER)
    journal.set_plan_state(PLAN, state, "", at=13.0)
    for _ in range(3):
        prune_all(journal, 900.0)
        journal._wall = lambda: 2000.0
        prune_all(journal, 1500.0)
        assert [(plan.digest, plan.state, plan.body) for plan in journal.plans("7f")] == [(PLAN, state, '{"a": 1}')]
        assert [approval.principal for approval in journal.approvals(PLAN)] == ["alice"]
        assert journal.progress(PLAN) == '{"done": 1}'
        assert len(list(journal.changes_of(PLAN, "reconcile"))) == 1
        assert journal.verify().ok
        assert verify_lines(journal.export()).ok


def test_what_was_written_for_the_last_plan_stays_until_another_follows(journal: Journal) -> None:
    fill(journal)
    prune_all(journal, 900.0)
    assert [row["plan"] for row in journal.history("", 10) if row["operation"]] == [PLAN]
    assert journal.verify().ok
    journal._db.execute("UPDATE change SET operations='[]'")
    assert "change 2 does not match its record" in journal.verify().problems


def test_a_plan_at_its_end_goes_with_everything_of_it(journal: Journal) -> None:
    fill(journal)
    journal.put_plan(OTHER, 2, "frozen", (950.0, 999.0), "bob", "{}")
    journal.set_plan_state(OTHER, "applied", "", at=951.0)
    change(journal, 8, at=952.0, plan=OTHER)
    journal.set_plan_state(PLAN, "rolled-back", "late", at=953.0)
    prune_all(journal, 900.0)
    assert [plan.digest for plan in journal.plans("")] == [OTHER]
    assert journal.approvals(PLAN) == []
    assert journal.progress(PLAN) == ""
    for table in ("plan_body", "progress", "approval", "result"):
        assert PLAN not in str(journal._rows(f"SELECT * FROM {table}"))
    assert journal.verify().ok


def test_an_answer_may_come_after_its_change_was_told_again(journal: Journal) -> None:
    journal.put_plan(PLAN, 1, "applying", (1.0, 9.0), "alice", "{}")
    row = journal.begin([add(1)], at=2.0, cause="plan 1", actor="alice", plan=PLAN)
    prune_all(journal, 5.0)
    journal.finish(row, [OK])
    assert journal.verify().ok
    assert [row["result"] for row in journal.history("10.0.1.0/24", 1)] == ["done"]


def test_events_come_in_order_with_what_each_kind_tells(journal: Journal) -> None:
    fill(journal)
    rows = journal.events()
    assert [row["id"] for row in rows] == list(range(1, RECORDS + 1))
    assert rows[0] == {
        "id": 1, "at": 1.0, "kind": "reload", "actor": "bgpmon", "plan": "", "detail": "a \x00 text — with \\udcff in it"
    }  # fmt: skip
    assert rows[1] == {
        "id": 2, "at": 2.0, "kind": "change", "actor": "bgpmon", "plan": "", "cause": "reconcile",
        "operations": {"add": 2, "change": 0, "remove": 0}, "prefixes": ["10.0.1.0/24", "10.0.2.0/24"],
        "result": {"done": 1, "failed": 1},
    }  # fmt: skip
    assert rows[2]["result"] == {"done": 1, "failed": 1}
    assert [row["detail"] for row in rows[3:7]] == [
        "plan 1 is frozen", "approve by alice: fine", "applying", '{"done": 1}'
    ]  # fmt: skip
    assert rows[9]["detail"] == "applied: 1 done"
    assert rows[-1]["result"] is None


def test_events_are_chosen_by_number_moment_prefix_and_limit(journal: Journal) -> None:
    for number in range(600):
        change(journal, number % 250, at=float(number))
    assert [row["id"] for row in journal.events(after=5, limit=3)] == [6, 7, 8]
    assert [row["at"] for row in journal.events(since=598.0)] == [598.0, 598.0, 599.0, 599.0]
    assert journal.events(since=9999.0) == []
    assert journal.events(after=1200) == []
    found = journal.events(prefix="10.0.3.0/24")
    assert [(row["kind"], row["at"], row["prefixes"]) for row in found] == [
        ("change", 3.0, ["10.0.3.0/24"]), ("change", 253.0, ["10.0.3.0/24"]), ("change", 503.0, ["10.0.3.0/24"])
    ]  # fmt: skip
    assert len(journal.events(prefix="10.0.3.0/24", limit=2)) == 2
    assert journal.events(prefix="no prefix") == []


def test_listeners_hear_of_every_record_once_it_is_there(journal: Journal) -> None:
    heard: list[tuple[int, int]] = []
    end = journal.listen(lambda number: heard.append((number, journal.last_record())))
    journal.note("reload", "", at=1.0)
    journal.outside([add(1)], at=2.0)
    end()
    journal.note("reload", "", at=3.0)
    assert heard == [(1, 1), (2, 3), (3, 3)]


def test_plans_in_some_states_come_newest_first_without_their_bodies(journal: Journal) -> None:
    for number, state in enumerate(["frozen", "queued", "applied", "frozen"], 1):
        journal.put_plan(f"{number:064}", number, state, (1.0, 2.0), "alice", "large")
    found = journal.plans_in(["frozen", "queued"])
    assert [(plan.number, plan.state, plan.body) for plan in found] == [
        (4, "frozen", ""),
        (2, "queued", ""),
        (1, "frozen", ""),
    ]
    assert [plan.number for plan in journal.plans_in(["frozen"], limit=1)] == [4]
    assert journal.plans_in([]) == []
    assert journal.plans("0" * 63 + "1")[0].body == "large"


def test_approvals_are_kept_in_full(journal: Journal) -> None:
    approve(journal)
    second = journal.add_approval(
        PLAN, at=2, principal="bob", method="ed25519", act="reject", expires=99, statement='{"plan": 1}', signature="c2ln"
    )  # fmt: skip
    assert second == (2, PLAN, 2.0, "bob", "ed25519", "reject", "", "", 99.0, '{"plan": 1}', "c2ln")
    assert [approval.principal for approval in journal.approvals(PLAN)] == ["alice", "bob"]
    assert journal.approvals(PLAN)[1] == second
    assert journal.approvals(OTHER) == []


def test_progress_needs_a_plan(journal: Journal) -> None:
    with pytest.raises(JournalError, match="freeze it first"):
        journal.put_progress(PLAN, "{}")
    journal.set_plan_state(PLAN, "applied", "")
    assert journal.last_record() == 0


def test_plans_and_decisions_are_on_the_disk_when_the_call_returns(journal: Journal) -> None:
    spoken: list[str] = []
    journal._db.set_trace_callback(spoken.append)
    full = "PRAGMA synchronous=FULL"
    writes: list[Callable[[], object]] = [
        lambda: journal.put_plan(PLAN, 1, "frozen", (1.0, 2.0), "alice", "{}"),
        lambda: journal.set_plan_state(PLAN, "applied", ""),
        lambda: journal.put_progress(PLAN, "{}"),
        lambda: approve(journal),
    ]
    for write in writes:
        spoken.clear()
        write()
        assert spoken[:2] == [full, "BEGIN IMMEDIATE"]
        assert spoken[-2:] == ["COMMIT", "PRAGMA synchronous=NORMAL"]
    spoken.clear()
    journal.note("reload", "", at=1.0)
    assert full not in spoken
    assert journal._one("SELECT 1") == 1
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_full_disk_is_told_and_nothing_of_the_write_stays(journal: Journal) -> None:
    def write_until_it_fails() -> None:
        while True:
            change(journal, *range(200))

    change(journal, 1)
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(JournalError, match=r"full.*free space under state_dir.*nothing is written to the kernel"):
        write_until_it_fails()
    with pytest.raises(JournalError, match="free space"):
        journal.put_plan(PLAN, 1, "frozen", (1.0, 2.0), "alice", "x" * 100_000)
    assert not journal._db.in_transaction
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (1,)
    assert journal.verify().ok
    assert journal.plans("") == []
    written = journal.last_record()
    journal._db.execute("PRAGMA max_page_count=1000000")
    change(journal, *range(200))
    assert journal.last_record() == written + 2
    assert journal.verify().ok


def test_a_moment_that_is_no_number_is_refused_and_leaves_nothing(journal: Journal) -> None:
    with pytest.raises(JournalError):
        journal.note("reload", "", at=float("nan"))
    assert journal.verify().records == 0


def test_a_second_answer_to_a_change_is_not_taken(journal: Journal) -> None:
    row = change(journal, 1)
    journal.finish(row, [WriteResult(22)])
    journal.finish(99, [OK])
    assert [row["result"] for row in journal.history("", 10)] == ["done"]
    assert journal.last_record() == 2
    assert journal.verify().ok
