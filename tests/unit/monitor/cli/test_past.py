"""The commands about what was: events, audit, replay."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main, past, patience
from monitor.errors import BadRequest
from monitor.ports import Document
from programmer.journal import Journal
from tests.unit.monitor.api.daemon import Book, serving

DOCUMENTS = Path(__file__).parent / "documents"
LAST = 1020


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCUMENTS / f"{name}.json").read_text())
    return found


def journal(after: int, since: float, limit: int, _wait: float) -> Document:
    """Records 1 to LAST, the last hundred of them since the moment 1000; nobody waits."""
    first = LAST + 1 if since > 2_000_000_000 else max(after + 1, LAST - 99 if since else 1)
    items = [
        {"id": number, "at": "2026-11-24T08:06:02Z", "kind": "start", "actor": "bgpmon", "detail": f"event {number}"}
        for number in range(first, min(first + limit, LAST + 1))
    ]
    return {"items": items, "last": items[-1]["id"] if items else after or LAST}


def numbers(text: str) -> list[int]:
    return [item["id"] for item in json.loads(text)["items"]]


def test_events_are_the_latest_or_those_since(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers["events"] = journal
    assert main(["events", "-o", "json"]) == 0
    assert numbers(capsys.readouterr().out) == list(range(LAST - 99, LAST + 1))
    assert main(["events", "--limit", "2", "-o", "json"]) == 0
    said = capsys.readouterr()
    assert numbers(said.out) == [LAST - 1, LAST]
    assert said.err == ""
    assert main(["events", "--since", "1970-01-01T00:16:40Z", "--limit", "3", "-o", "json"]) == 0
    said = capsys.readouterr()
    assert numbers(said.out) == [LAST - 99, LAST - 98, LAST - 97]
    assert "cut off" in said.err
    assert main(["events", "--since", "2026-11-24"]) == 2
    book.answers["events"] = document("events")
    assert main(["events"]) == 0
    out = capsys.readouterr().out
    assert "20.0.0.0/12" in out
    assert "kept: read back" in out
    assert "alice@example.net" in out


def follow(book: Book, monkeypatch: pytest.MonkeyPatch, *options: str, rounds: int) -> None:
    """Follow events until so many answers were taken."""
    written = past._write
    taken = 0

    def write(found: Document) -> bool:
        nonlocal taken
        taken += 1
        return written(found) and taken < rounds

    monkeypatch.setattr(past, "_write", write)
    assert main(["events", "--follow", *options]) == 0


def test_follow_goes_on_after_the_last_one(
    book: Book, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book.answers["events"] = journal
    follow(book, monkeypatch, "--limit", "2", "-o", "json", rounds=3)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [LAST - 1, LAST]
    assert book.asked[-1] == ("events", LAST, 0.0, 100, patience.POLL)


def test_follow_prints_lines_for_people(
    book: Book, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book.answers["events"] = journal
    follow(book, monkeypatch, "--since", "1970-01-01T00:16:40Z", rounds=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 100
    assert lines[-1] == f"   {LAST}  2026-11-24T08:06:02Z  start         event {LAST}"
    assert main(["events", "--follow", "--since", "5m", "--limit", "3"]) == 2


def test_follow_outlasts_a_restart_of_the_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = tmp_path / "run"
    monkeypatch.setenv("BGPMON_RUN_DIR", str(run_dir))
    book = Book()
    book.answers["events"] = journal
    first, second = serving(run_dir, book), serving(run_dir, book)
    first.__enter__()
    written, rounds = past._write, 0
    pauses: list[float] = []

    def write(found: Document) -> bool:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            first.__exit__(None, None, None)
        return written(found) and rounds < 2

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            second.__enter__()

    monkeypatch.setattr(past, "_write", write)
    monkeypatch.setattr(patience, "pause", pause)
    try:
        assert main(["events", "--follow", "--limit", "1"]) == 0
    finally:
        second.__exit__(None, None, None)
    said = capsys.readouterr()
    assert said.out.count("event ") == 1
    assert said.err.splitlines() == [
        "bgpmon: the daemon is away; waiting for it to come back (Ctrl-C ends this)", "bgpmon: the daemon is back",
    ]  # fmt: skip
    assert len(pauses) == 2


def test_follow_without_a_daemon_ends_at_once(tmp_path: Path) -> None:
    assert main(["events", "--follow", "--run-dir", str(tmp_path)]) == 3


def test_ctrl_c_ends_following_with_130(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    book.answers["events"] = journal

    def interrupted(_found: Document) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(past, "_write", interrupted)
    assert main(["events", "--follow"]) == 130


def test_follow_ends_when_nobody_reads(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    book.answers["events"] = journal
    monkeypatch.setattr(past, "emit", lambda _text: False)
    assert main(["events", "--follow"]) == 0


def records(tmp_path: Path) -> Path:
    """A journal with a few records."""
    file = tmp_path / "journal.sqlite"
    kept = Journal(str(file))
    for number in range(5):
        kept.note("start", f"event {number} \x7f", at=1000.0 + number)
    kept.close()
    return file


def test_audit_verify_asks_the_daemon(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers["audit"] = document("verification")
    assert main(["audit", "verify"]) == 0
    assert "whole: 1,020 records" in capsys.readouterr().out
    book.answers["audit"] = document("verification-broken")
    assert main(["audit", "verify"]) == 1
    assert "records 18 to 20 are missing" in capsys.readouterr().out


def test_audit_verify_reads_a_file_without_a_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = records(tmp_path)
    assert main(["audit", "verify", "--file", str(file), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert main(["audit", "verify", "--file", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_an_export_comes_in_pages_and_verifies_on_its_own(
    book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Journal(str(records(tmp_path)))
    lines = list(kept.export())
    kept.close()
    first = json.loads(lines[0])["id"]

    def export(after: int, since: float, _limit: int) -> Document:
        left = [line for line in lines if json.loads(line)["id"] > after]
        return {"lines": left[:2], "last": json.loads(left[:2][-1])["id"], "truncated": len(left) > 2}

    book.answers["audit_export"] = export
    assert main(["audit", "export"]) == 0
    text = capsys.readouterr().out
    assert [json.loads(line) for line in text.splitlines()] == [json.loads(line) for line in lines]
    assert text.replace("\n", "").isprintable()
    assert book.asked[0] == ("audit_export", 0, 0.0, 1000)
    assert book.asked[1] == ("audit_export", first + 1, 0.0, 1000)
    file = tmp_path / "export"
    file.write_text(text)
    assert main(["audit", "verify", "--lines", str(file)]) == 0
    assert f"{len(lines)} records" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.StringIO(text.replace("event 3", "event 4")))
    assert main(["audit", "verify", "--lines", "-"]) == 1
    assert main(["audit", "verify", "--lines", str(file), "--file", str(file)]) == 2
    assert main(["audit", "export", "--since", "1970-01-01T00:16:40Z"]) == 0
    assert ("audit_export", 0, 1000.0, 1000) in book.asked


def test_replay_shows_the_screens_of_today_with_their_moment(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    status: Document = {"node": "a", "at": "2026-11-24T08:05:00Z", "as_of": "2026-11-24T08:04:10Z"}
    book.answers["replay"] = status
    assert main(["replay", "--at", "2026-11-24T08:05:00Z"]) == 0
    assert capsys.readouterr().out.startswith(
        "as of 2026-11-24T08:05:00Z, as it was noted at 2026-11-24T08:04:10Z\n\na  "
    )
    book.answers["replay"] = document("plan") | {"at": "2026-11-24T08:05:00Z"}
    assert main(["replay", "--at", "2026-11-24T08:05:00Z", "plan"]) == 0
    assert "plan #4 live" in capsys.readouterr().out
    book.answers["replay"] = document("replayed")
    assert main(["replay", "--at", "2026-11-24T08:05:00Z", "routes", "domain=storage", "ecmp>1", "--limit", "7"]) == 0
    out = capsys.readouterr().out
    assert "not running until" in out
    assert "10.9.4.0/24" in out
    at = book.asked[0][1]
    assert book.asked == [
        ("replay", at, "status", "", 1000), ("replay", at, "plan", "", 1000), ("replay", at, "routes", "domain=storage ecmp>1", 7),
    ]  # fmt: skip
    assert main(["replay", "--at", "-5m", "status", "x=1"]) == 2
    assert main(["replay", "--at", "-5m", "plan", "--limit", "3"]) == 2
    assert main(["replay"]) == 2
    book.answers["replay"] = BadRequest("nothing is known before")
    assert main(["replay", "--at", "-5m"]) == 2
