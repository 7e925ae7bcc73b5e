"""The commands that decide: what they ask the daemon, what they print, how they end."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main, patience
from monitor.cli.session import ExitCode
from monitor.errors import RolledBack, Stale
from monitor.ports import Document, Endorsement
from tests.unit.monitor.api.daemon import NOBODY, Book

DIGEST = "7f3a91c2e0b4d5a6978877665544332211ffeeddccbbaa998877665544332211"
SHORT = "7f3a-91c2-e0b4"
ANSWER: Document = {"digest": DIGEST, "short": SHORT, "number": 4, "detail": ""}


def asked(book: Book, call: str) -> list[tuple[Any, ...]]:
    """What a call was asked, without who asked."""
    return [
        tuple(item for item in one[1:] if not (isinstance(item, str) and item.startswith("uid ")))
        for one in book.asked
        if one[0] == call
    ]


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({"state": "applied", "applied": 3, "failed": 0}, 0, ""),
        ({"state": "confirmed", "applied": 3, "failed": 0}, 0, ""),
        ({"state": "applied", "applied": 3, "failed": 1}, 1, ""),
        ({"state": "failed", "applied": 0, "failed": 0}, 1, ""),
        ({"state": "expired"}, 6, ""),
        ({"state": "superseded"}, 6, ""),
        ({"state": "rolled-back", "reverted": {"done": 3, "failed": 0, "clean": True, "left_alone": []}}, 7, ""),
        ({"state": "rolling-back"}, 7, ""),
        ({"state": "soaking", "applied": 3, "failed": 0, "deadline": "2026-11-24T08:11:02Z"}, 0,
         f"soaking: taken back at 2026-11-24T08:11:02Z unless confirmed: bgpmon confirm {SHORT}"),
        ({"state": "frozen", "approvals": {"have": 1, "need": 2, "missing": "1 more person with an SSH signature"}}, 5,
         "recorded, 1 of 2: 1 more person with an SSH signature"),
        ({"state": "queued", "waits_for": "the window is shut"}, 0,
         "queued: the window is shut; it expires at 2026-11-24T09:01:09Z"),
        ({"state": "approved", "waits_for": ""}, 0, "queued: it is about to be applied; it expires at 2026-11-24T09:01:09Z"),
    ],
)  # fmt: skip
def test_approve_ends_as_the_plan_does(
    book: Book, capsys: pytest.CaptureFixture[str], answer: Document, code: int, words: str
) -> None:
    book.answers = {"approve": ANSWER | answer, "plan": {"expires_at": "2026-11-24T09:01:09Z"}}
    assert main(["approve", SHORT]) == code
    said = capsys.readouterr()
    assert said.out.startswith(f"plan #4 {SHORT} {answer['state']}\n")
    assert said.err == (f"bgpmon: {words}\n" if words else "")


@pytest.mark.parametrize(("error", "code"), [(RolledBack("taken back"), 7), (Stale("drifted"), 6)])
def test_what_was_taken_back_meanwhile_is_seven(book: Book, error: Exception, code: int) -> None:
    book.answers = dict.fromkeys(("approve", "confirm", "roll_back", "extend"), error)
    assert main(["confirm", SHORT]) == code
    assert main(["approve", SHORT]) == code
    assert main(["rollback", SHORT]) == code
    assert main(["extend", "5m", SHORT]) == code


def test_an_approval_carries_what_was_signed(book: Book, tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_bytes(b"bgpmon plan statement v1\n\xff")
    (tmp_path / "plan.txt.sig").write_bytes(b"-----BEGIN SSH SIGNATURE-----\n")
    files = ["--statement", str(tmp_path / "plan.txt"), "--signature", str(tmp_path / "plan.txt.sig")]
    assert main(["approve", SHORT, *files, "--ticket", "CHG-1", "--comment", "looks good", "--name", "alice"]) == 0
    signed = Endorsement(
        b"bgpmon plan statement v1\n\xff", "-----BEGIN SSH SIGNATURE-----\n", "CHG-1", "looks good", "alice"
    )
    assert asked(book, "approve") == [(SHORT, signed)]
    assert main(["reject", SHORT, "--reason", "no", *files[2:]]) == 0
    assert main(["confirm", SHORT, *files, "--comment", "fine"]) == 0
    assert asked(book, "reject") == [(SHORT, "no", NOBODY._replace(signature=signed.signature))]
    assert asked(book, "confirm") == [(SHORT, signed._replace(ticket="", name="", comment="fine"))]


def test_signatures_that_are_none_are_refused_before_they_are_sent(
    book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.txt").write_text("x")
    (tmp_path / "empty").touch()
    (tmp_path / "octets").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"x" * (65 << 10))
    for options, words in (
        (["--statement", "plan.txt"], "without its signature"),
        (["--signature", "empty"], "is empty"),
        (["--signature", "octets"], "no SSH signature"),
        (["--signature", "large"], "far too large"),
        (["--signature", "missing"], "does not exist"),
    ):
        paths = [part if part.startswith("-") else str(tmp_path / part) for part in options]
        assert main(["approve", SHORT, *paths]) == 2
        assert words in capsys.readouterr().err
    assert book.asked == []


def test_break_glass_needs_its_reason(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["approve", SHORT, "--break-glass"]) == 2
    assert main(["approve", SHORT, "--break-glass", "--reason", " "]) == 2
    assert main(["approve", SHORT, "--reason", "why"]) == 2
    assert book.asked == []
    assert "--break-glass" in capsys.readouterr().err
    assert main(["approve", SHORT, "--break-glass", "--reason", "the fabric is on fire"]) == 0
    assert asked(book, "approve") == [(SHORT, NOBODY._replace(comment="the fabric is on fire", break_glass=True))]


@pytest.mark.parametrize(
    ("last", "code"),
    [("confirmed", 0), ("applied", 0), ("rolled-back", 7), ("expired", 6), ("rejected", 5), ("failed", 1)],
)
def test_wait_follows_the_plan_to_its_end(
    book: Book, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, last: str, code: int
) -> None:
    monkeypatch.setattr(patience, "pause", lambda _seconds: None)
    states = iter(["queued", "applying", "soaking", "soaking", last])
    progress = {"applied": 3, "failed": 0, "stale": 1, "left_out": [], "deadline": None, "reverted": {}}

    def plan(_digest: str, _limit: int) -> Document:
        state = next(states)
        return {"number": 4, "state": state, "detail": "", "expires_at": "2026-11-24T09:01:09Z",
                "progress": progress if state == last else None, "approvals": {"have": 1, "need": 1}}  # fmt: skip

    book.answers = {"approve": ANSWER | {"state": "queued", "waits_for": "the window is shut"}, "plan": plan}
    assert main(["approve", SHORT, "--wait", "-o", "json"]) == code
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["state"], document["applied"], document["digest"]) == (last, 3, DIGEST)
    assert "waits_for" not in document
    assert [line for line in said.err.splitlines() if "plan 4" in line] == [
        "bgpmon: plan 4 applying", "bgpmon: plan 4 soaking", f"bgpmon: plan 4 {last}",
    ]  # fmt: skip


def test_wait_has_nothing_to_wait_for_when_all_is_done(book: Book) -> None:
    book.answers = {"approve": ANSWER | {"state": "applied", "applied": 1, "failed": 0}}
    assert main(["approve", SHORT, "--wait"]) == 0
    assert [one[0] for one in book.asked] == ["approve"]


def test_rollback_of_the_change_that_soaks_is_at_once(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    back = {"done": 3, "failed": 0, "clean": True, "left_alone": []}
    book.answers = {"roll_back": ANSWER | {"state": "rolled-back", "reverted": back}}
    assert main(["rollback", "--reason", "slow", "--name", "alice"]) == 0
    assert asked(book, "roll_back") == [("", "slow", "alice")]
    assert "everything is as it was before" in capsys.readouterr().out
    book.answers = {
        "roll_back": ANSWER
        | {"state": "rolled-back", "reverted": back | {"clean": False, "left_alone": ["x: changed"]}}
    }
    assert main(["rollback"]) == 1
    assert "left alone: x: changed" in capsys.readouterr().out


def test_rollback_of_the_last_change_makes_a_plan_and_says_what_to_approve(
    book: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    plans = [
        {"digest": "aa", "state": "frozen"},
        {"digest": "bb", "state": "confirmed"},
        {"digest": "cc", "state": "applied"},
    ]
    book.answers = {
        "plans": {"items": plans},
        "roll_back": ANSWER
        | {"state": "frozen", "rolls_back": 3, "kind": "rollback", "summary": {"remove": 2}, "total": 2},
    }
    assert main(["rollback", "--last"]) == 0
    assert asked(book, "roll_back") == [("bb", "", "")]
    out = capsys.readouterr().out
    assert "the way back from plan 3" in out
    assert f"bgpmon approve {SHORT}" in out
    book.answers["plans"] = {"items": plans[:1]}
    assert main(["rollback", "--last"]) == 5
    assert main(["rollback", "--last", SHORT]) == 2


def test_extend_finds_the_change_in_flight(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers = {
        "status": {"change": {"in_flight": {"digest": DIGEST, "state": "soaking"}}},
        "extend": ANSWER | {"state": "soaking", "deadline": "2026-11-24T08:16:02Z"},
    }
    assert main(["extend", "1h30m"]) == 0
    assert main(["extend", "90s", "c0de"]) == 0
    assert asked(book, "extend") == [(DIGEST, 5400.0), ("c0de", 90.0)]
    assert "2026-11-24T08:16:02Z" in capsys.readouterr().out
    book.answers["status"] = {"change": {"in_flight": None}}
    assert main(["extend", "5m"]) == 5
    assert main(["extend", "5"]) == 2


def test_holds_are_made_listed_and_ended(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    hold: Document = {"id": 3, "filter": "domain=storage op=-", "until": "2026-11-24T10:01:30Z", "reason": "rebuild"}
    book.answers = {"hold": hold, "holds": {"items": [hold]}, "release": hold | {"state": "released"}}
    assert main(["hold", "domain=storage", "op=-", "--for", "2h", "--reason", "rebuild"]) == 0
    assert "bgpmon release 3" in capsys.readouterr().out
    assert main(["holds"]) == 0
    assert "domain=storage op=-: rebuild" in capsys.readouterr().out
    assert main(["release", "3"]) == 0
    assert "hold 3 released" in capsys.readouterr().out
    assert asked(book, "hold") == [("domain=storage op=-", 7200.0, "rebuild")]
    assert asked(book, "release") == [(3,)]
    assert main(["hold", "--for", "2h", "--reason", "r"]) == 2
    assert main(["hold", "*", "--reason", "r"]) == 2
    assert main(["hold", "*", "--for", "2h"]) == 2
    assert main(["release", "all"]) == 2


def test_the_pause_acts_at_once(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers = {
        "pause": {"since": "2026-11-24T08:01:30Z", "reason": "recabling", "actor": "uid 0", "state": "paused"},
        "resume": {"since": "2026-11-24T08:01:30Z", "reason": "recabling", "state": "resumed"},
    }
    assert main(["pause", "--reason", "recabling"]) == 0
    assert "bgpmon resume" in capsys.readouterr().out
    assert main(["resume"]) == 0
    assert "paused since 2026-11-24T08:01:30Z" in capsys.readouterr().out
    assert asked(book, "pause") == [("recabling",)]
    assert main(["pause"]) == 2


@pytest.mark.parametrize("command", [["approve"], ["reject", "--reason", "r"], ["confirm"]])
def test_off_a_terminal_a_plan_has_to_be_named(
    book: Book, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main(command) == ExitCode.USAGE
    assert "off a terminal" in capsys.readouterr().err
    assert book.asked == []
