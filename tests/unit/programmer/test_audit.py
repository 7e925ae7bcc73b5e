"""The hash chain of the journal: what is edited, removed, added or cut off is found."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from programmer.errors import JournalError
from programmer.journal import AuditReport, Journal, open_reader, verify_file, verify_lines
from programmer.journal.chain import GENESIS, MOST_PROBLEMS
from programmer.plan import operation_document
from tests.unit.programmer.records import PLAN, RECORDS, add, change, fill

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A closed journal with one of each kind in it."""
    name = str(tmp_path / "journal.db")
    journal = Journal(name, wall=lambda: 1000.0)
    fill(journal)
    journal.close()
    return name


def edit(file: str, *statements: str) -> AuditReport:
    """Change the file behind the journal's back, and verify it."""
    db = sqlite3.connect(file)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return verify_file(file)


def test_an_untouched_journal_is_whole(file: str) -> None:
    report = verify_file(file)
    assert report[:4] == (True, RECORDS, 1, RECORDS)
    assert report.problems == ()
    journal = Journal(file)
    assert journal.verify() == report
    assert journal.last_record() == RECORDS
    journal.close()


def test_an_empty_journal_is_whole(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal.db"))
    assert journal.verify() == (True, 0, 0, 0, GENESIS, ())
    journal.close()
    assert verify_file(tmp_path / "journal.db").ok


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE record SET body=replace(body, 'reload', 'else') || ' ' WHERE id=3", "record 3 was changed"),
        ("UPDATE record SET at=at+1 WHERE id=4", "record 4 was changed"),
        ("UPDATE record SET kind='other' WHERE id=2", "record 2 was changed"),
        ("UPDATE record SET actor='mallory' WHERE id=13", "record 13 was changed"),
        ("UPDATE record SET digest=upper(digest) WHERE id=5", "record 5 was changed"),
        ("UPDATE record SET body=CAST(x'ff' AS TEXT) WHERE id=5", "record 5 was changed"),
        ("UPDATE record SET body=x'ff' WHERE id=5", "record 5 was changed"),
        ("DELETE FROM record WHERE id=1", "record 1 is missing"),
        ("DELETE FROM record WHERE id IN (4, 5, 6)", "records 4 to 6 are missing"),
        ("UPDATE record SET id=0 WHERE id=1", "record 0"),
        ("DELETE FROM record WHERE id=13", "the end is missing: record 13 was seen before (anchor), the last is 12"),
        ("UPDATE change SET operations=replace(operations, '0a01', '0a02') WHERE id=1", "change 1 does not match"),
        ("UPDATE change SET prefixes='' WHERE id=2", "change 2 does not match"),
        ("UPDATE change SET cause='x' WHERE id=2", "change 2 does not match"),
        ("UPDATE change SET at=0 WHERE id=2", "change 2 does not match"),
        ("UPDATE change SET actor='x' WHERE id=2", "change 2 does not match"),
        ("UPDATE change SET plan='' WHERE id=2", "change 2 does not match"),
        ("DELETE FROM change WHERE id=2", "change 2 is missing"),
        (
            "INSERT INTO change SELECT 99, at, cause, actor, plan, prefixes, operations FROM change WHERE id=1",
            "change 99",
        ),
        ("UPDATE result SET results='{}' WHERE change=1", "result of change 1 does not match"),
        ("DELETE FROM result WHERE change=1", "result of change 1 does not match"),
        ("INSERT INTO result VALUES (4, '{}')", "result of change 4 stands in no record"),
        ("UPDATE event SET detail='x'", "event 1 does not match"),
        ("UPDATE event SET kind='x'", "event 1 does not match"),
        ("DELETE FROM event", "event 1 is missing"),
        ("INSERT INTO event VALUES (7, 1, 'a', 'b', 'c')", "event 7 stands in no record"),
        ("UPDATE plan SET state='frozen'", "plan 7f7f7f7f7f7f does not match"),
        ("UPDATE plan SET detail='x'", "plan 7f7f7f7f7f7f does not match"),
        ("UPDATE plan SET expires_at=1e9", "plan 7f7f7f7f7f7f does not match"),
        ("UPDATE plan SET actor='x'", "plan 7f7f7f7f7f7f does not match"),
        ("UPDATE plan_body SET body='{}'", "plan 7f7f7f7f7f7f does not match"),
        ("DELETE FROM plan_body", "plan 7f7f7f7f7f7f does not match"),
        ("UPDATE progress SET document='{}'", "plan 7f7f7f7f7f7f does not match"),
        ("DELETE FROM progress", "plan 7f7f7f7f7f7f does not match"),
        ("DELETE FROM plan", "plan 7f7f7f7f7f7f is missing"),
        ("UPDATE plan SET digest='aa'", "plan aa stands in no record"),
        ("UPDATE approval SET principal='bob'", "approval 1 does not match"),
        ("UPDATE approval SET signature='x'", "approval 1 does not match"),
        ("DELETE FROM approval", "approval 1 is missing"),
        (
            "INSERT INTO approval SELECT 5, plan, at, 'eve', method, act, '', '', 0, '', '' FROM approval",
            "approval 5 stands",
        ),
    ],
)
def test_whatever_is_changed_behind_its_back_is_told(file: str, statement: str, problem: str) -> None:
    report = edit(file, statement)
    assert not report.ok
    assert any(problem in text for text in report.problems), report.problems


def test_one_edit_is_told_once(file: str) -> None:
    assert len(edit(file, "UPDATE record SET actor='mallory' WHERE id=6").problems) == 1


def test_a_report_names_at_most_twenty_problems(tmp_path: Path) -> None:
    name = str(tmp_path / "journal.db")
    journal = Journal(name)
    for number in range(50):
        journal.note("reload", str(number), at=1.0)
    journal.close()
    report = edit(name, "UPDATE event SET detail='x'")
    assert len(report.problems) == MOST_PROBLEMS
    assert report.records == 50


FIELDS = ["at", "kind", "actor", "plan", "body", "digest"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_edit_deletion_insertion_or_reordering_of_records_is_found(data: st.DataObject) -> None:
    journal = Journal(":memory:", wall=lambda: 1000.0)
    fill(journal)
    rows = journal._rows("SELECT * FROM record ORDER BY id")
    number = data.draw(st.integers(1, RECORDS))
    kind = data.draw(st.sampled_from(["edit", "delete", "insert", "swap"]))
    if kind == "edit":
        field = data.draw(st.sampled_from(FIELDS))
        old = rows[number - 1][FIELDS.index(field) + 1]
        values = st.floats(allow_nan=False) if field == "at" else st.text(st.characters(codec="utf-8"))
        new = data.draw(values.filter(lambda value: value != old))
        journal._db.execute(f"UPDATE record SET {field}=? WHERE id=?", (new, number))
    elif kind == "delete":
        journal._db.execute("DELETE FROM record WHERE id=?", (number,))
    elif kind == "insert":
        # One more record in the middle: those that follow move on, with their digests.
        journal._db.execute("UPDATE record SET id=-id-1 WHERE id>=?", (number,))
        journal._db.execute("UPDATE record SET id=-id WHERE id<0")
        journal._db.execute("INSERT INTO record VALUES (?,?,?,?,?,?,?)", (number, *rows[number - 1][1:]))
    else:
        other = data.draw(st.integers(1, RECORDS).filter(lambda value: value != number))
        for place, row in ((number, rows[other - 1]), (other, rows[number - 1])):
            journal._db.execute("DELETE FROM record WHERE id=?", (place,))
            journal._db.execute("INSERT INTO record VALUES (?,?,?,?,?,?,?)", (place, *row[1:]))
    assert not journal.verify().ok
    journal.close()


@settings(max_examples=40, deadline=None)
@given(
    notes=st.lists(
        st.tuples(
            st.text(), st.text(), st.text(), st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2**40)
        ),
        max_size=8,
    )
)
def test_whatever_is_noted_is_chained_and_exported(notes: list[tuple[str, str, str, float]]) -> None:
    journal = Journal(":memory:")
    for kind, detail, actor, at in notes:
        journal.note(kind, detail, at=at, actor=actor)
    report = journal.verify()
    assert (report.ok, report.records) == (True, len(notes))
    assert verify_lines(journal.export()) == report
    journal.close()


def test_an_export_carries_the_contents_and_is_verified_without_the_database(file: str) -> None:
    reader = open_reader(file)
    lines = list(reader.export())
    assert verify_lines(lines) == verify_file(file)
    documents = [json.loads(line) for line in lines]
    assert documents[0]["previous"] == GENESIS
    assert json.loads(documents[1]["content"]) == [operation_document(add(1)), operation_document(add(2))]
    later = list(reader.export(after=4))
    assert later == lines[4:]
    assert verify_lines(later)[:4] == (True, RECORDS - 4, 5, RECORDS)
    assert list(reader.export(since=3.0)) == lines[3:]
    assert list(reader.export(since=500.0)) == []
    reader.close()


@pytest.mark.parametrize(
    ("forge", "problem"),
    [
        (lambda lines: lines[:3] + lines[4:], "record 4 is missing"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "record 1 stands after record 2"),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], "record 5 stands after record 5"),
        (lambda lines: [lines[0].replace("reload", "reset "), *lines[1:]], "record 1 was changed"),
        (lambda lines: [lines[0], lines[1].replace("0a010002", "0a010003"), *lines[2:]], "content of record 2"),
        (lambda lines: [*lines, "no JSON"], "line 14 cannot be read"),
        (lambda lines: [*lines[:2], lines[2].replace('"id":3', '"id":"3"'), *lines[3:]], "line 3 cannot be read"),
        (
            lambda lines: [lines[0], lines[1].replace('"previous":"', '"previous":"0'), *lines[2:]],
            "record 2 names another",
        ),
    ],
)
def test_a_forged_export_is_found(file: str, forge: Callable[[list[str]], list[str]], problem: str) -> None:
    reader = open_reader(file)
    report = verify_lines(forge(list(reader.export())))
    reader.close()
    assert not report.ok
    assert any(problem in text for text in report.problems), report.problems


def test_a_plan_that_is_stored_again_is_exported_with_the_text_it_has(file: str) -> None:
    journal = Journal(file)
    journal.put_plan(PLAN, 1, "frozen", (3.0, 99.0), "alice", "other")
    lines = list(journal.export())
    assert "content" not in json.loads(lines[3])
    assert json.loads(lines[-1])["content"] == "other"
    assert verify_lines(lines).ok
    assert journal.progress(PLAN) == ""
    assert journal.verify().ok
    journal.close()


def test_a_lost_end_stays_told_after_a_restart(file: str) -> None:
    edit(file, "DELETE FROM record WHERE id=13", "DELETE FROM change WHERE id=4")
    journal = Journal(file)
    journal.note("reload", "", at=1001.0)
    report = journal.verify()
    journal.close()
    assert report.problems == (
        "record 13 tells of a loss: the end is missing: record 13 was seen before (anchor), the last is 12",
    )
    assert verify_file(file).problems == report.problems


def test_an_end_that_is_cut_off_while_it_runs_is_told(file: str) -> None:
    journal = Journal(file)
    edit(file, "DELETE FROM record WHERE id>11", "DELETE FROM change WHERE id=4")
    assert "the end is missing" in journal.verify().problems[-1]
    journal.note("reload", "", at=1001.0)
    assert any("tells of a loss: the end is missing: record 13" in text for text in journal.verify().problems)
    journal.close()


def test_a_journal_that_is_gone_as_a_whole_is_told(file: str) -> None:
    Path(file).unlink()
    Journal(file).close()
    report = verify_file(file)
    assert report.problems == (
        f"record 1 tells of a loss: the end is missing: record {RECORDS} was seen before (anchor), the last is 0",
    )


def test_an_end_that_was_replaced_is_told(file: str) -> None:
    anchor = Path(file).with_suffix(".anchor")
    number, digest = anchor.read_text().split()
    assert (number, digest) == (str(RECORDS), verify_file(file).head)
    anchor.write_text(f"{number} {'0' * 64}\n")
    assert verify_file(file).problems == (f"record {RECORDS} is not the one that was seen before (anchor)",)


@pytest.mark.parametrize("content", [b"", b"900", b"x y\n", b"\xff\xfe"])
def test_an_anchor_that_is_none_is_told(file: str, content: bytes) -> None:
    Path(file).with_suffix(".anchor").write_bytes(content)
    assert verify_file(file).problems == ("journal.anchor is no anchor: it does not hold an identifier and a digest",)
    journal = Journal(file)
    assert not journal.verify().ok
    journal.close()


def test_the_anchor_is_written_at_most_once_a_second_and_at_close(tmp_path: Path) -> None:
    now = 0.0
    journal = Journal(str(tmp_path / "journal.db"), monotonic=lambda: now)
    anchor = tmp_path / "journal.anchor"
    journal.note("reload", "", at=1.0)
    assert not anchor.exists()
    seen = []
    for now in (1.0, 1.5, 1.9, 2.1):  # noqa: B007
        journal.note("reload", "", at=1.0)
        seen.append(anchor.read_text().split()[0])
    assert seen == ["2", "2", "2", "5"]
    journal.note("reload", "", at=1.0)
    journal.close()
    assert anchor.read_text().split()[0] == "6"
    assert verify_file(tmp_path / "journal.db").ok


def test_a_journal_is_verified_beside_its_writer_in_another_thread(file: str) -> None:
    journal = Journal(file)
    reports: list[AuditReport] = []
    thread = threading.Thread(target=lambda: reports.append(verify_file(file)))
    journal.note("reload", "", at=1.0)
    thread.start()
    for number in range(50):
        journal.note("reload", str(number), at=1.0)
    thread.join()
    assert reports[0].ok
    assert reports[0].records > RECORDS
    journal.close()


def test_a_copy_is_verified_and_left_as_it_is(file: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "evidence #1.db"
    copy.parent.mkdir()
    copy.write_bytes(Path(file).read_bytes())
    assert verify_file(copy).ok
    assert [item.name for item in copy.parent.iterdir()] == [copy.name]


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000, None])
def test_what_is_no_journal_is_a_problem_and_no_trace(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "journal.db"
    if content is not None:
        file.write_bytes(content)
    report = verify_file(file)
    assert not report.ok
    assert report.records == 0
    assert len(report.problems) == 1
    with pytest.raises(JournalError):
        open_reader(str(file))


def test_any_damaged_page_gives_a_problem_and_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    journal = Journal(str(file))
    for number in range(200):
        change(journal, *range(number % 100 + 1))
    journal.close()
    whole = file.read_bytes()
    record_pages = [place for place in range(4096, len(whole), 4096) if b'"counts"' in whole[place : place + 4096]]
    for place in record_pages[:: max(1, len(record_pages) // 8)]:
        file.write_bytes(whole[:place] + os.urandom(4096) + whole[place + 4096 :])
        assert not verify_file(file).ok
    file.write_bytes(whole[: len(whole) // 2])
    assert not verify_file(file).ok


def test_a_file_of_a_later_format_is_refused(file: str) -> None:
    edit(file, "PRAGMA user_version=9")
    with pytest.raises(JournalError, match="format 9"):
        Journal(file)


WRITER = """
import sys
from programmer.fib import OK
from programmer.journal import Journal
from programmer.plan import Operation
from programmer.route import Family, Forwarding, NextHop, TableId
journal = Journal(sys.argv[1])
route = Forwarding(200, (NextHop(b"\\x0a\\x01\\x00\\x02", 2),))
operations = [Operation(TableId(101), Family.IPV4, bytes((24, 10, 0, number)), None, route) for number in range(200)]
print("ready", flush=True)
number = 0
while True:
    number += 1
    journal.finish(journal.begin(operations, at=float(number), cause="reconcile", actor="bgpmon", plan=""), [OK] * 200)
    journal.note("reload", str(number), at=float(number))
    journal.put_plan("7f" * 32, number, "frozen", (1.0, 2.0), "alice", "x" * number)
    journal.set_plan_state("7f" * 32, "applied", str(number))
    if number % 7 == 0:
        journal.prune(float(number - 50), 30)
    if number >= int(sys.argv[2]):
        print(number, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_chain(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    last = 0
    for turn in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(turn * 3)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        report = verify_file(file)
        assert report.problems == ()
        assert report.last > last
        last = report.last
    journal = Journal(str(file))
    journal.note("reload", "", at=1e6)
    assert journal.verify().ok
    journal.close()
