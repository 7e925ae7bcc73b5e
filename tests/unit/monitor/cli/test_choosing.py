"""On a terminal: which plan is meant, and what has to be typed."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import choosing, main
from tests.architecture.repository import ROOT
from tests.unit.monitor.api.daemon import Book

PLAN: dict[str, Any] = json.loads((Path(__file__).parent / "documents" / "plan-one-of-two.json").read_text())
DIGEST = str(PLAN["digest"])
OTHER = "c0de" + DIGEST[4:]


def waiting(*states: str) -> dict[str, Any]:
    """A status in which plans wait, the first one of DIGEST."""
    items = [
        {
            "number": 4 + index,
            "digest": OTHER if index else DIGEST,
            "state": state,
            "expires_at": "2026-11-24T09:01:09Z",
        }
        for index, state in enumerate(states)
    ]
    return {"change": {"waiting": items, "in_flight": None}}


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a person types, who sits at a terminal."""
    typed = io.StringIO()
    monkeypatch.setattr(choosing, "on_terminal", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    return typed


def types(keyboard: io.StringIO, text: str) -> None:
    keyboard.write(text)
    keyboard.seek(0)


def test_the_only_plan_is_shown_and_its_first_block_approves_it(
    book: Book, typing: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    book.answers = {
        "status": waiting("frozen", "queued"),
        "plan": PLAN,
        "approve": {"state": "applied", "digest": DIGEST},
    }
    types(typing, "7F3A\n")
    assert main(["approve"]) == 0
    assert [one[:2] for one in book.asked] == [("status",), ("plan", DIGEST), ("approve", DIGEST)]
    said = capsys.readouterr()
    for words in (
        "+2 ~1 -1",
        "internet",
        "default-route: touched",
        "kept back by hold 1",
        "alice@example.net",
        "5m00s",
    ):
        assert words in said.err
    assert "applied" in said.out
    assert "first block" not in said.out


@pytest.mark.parametrize(
    ("typed", "words"), [("\n", "cancelled"), ("c0de\n", "c0de is not the first block"), ("7f3\n", "7f3 is"), ("", "")]
)
@pytest.mark.parametrize("command", [["approve"], ["reject", "--reason", "r"]])
def test_anything_else_does_nothing(
    book: Book, typing: io.StringIO, capsys: pytest.CaptureFixture[str], command: list[str], typed: str, words: str
) -> None:
    book.answers = {"status": waiting("frozen"), "plan": PLAN}
    types(typing, typed)
    assert main(command) == 130
    assert [one[0] for one in book.asked] == ["status", "plan"]
    assert words in capsys.readouterr().err


def test_several_plans_are_listed_and_none_is_chosen(
    book: Book, typing: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    book.answers = {"status": waiting("frozen", "queued")}
    types(typing, "7f3a\n")
    assert main(["reject", "--reason", "r"]) == 2
    err = capsys.readouterr().err
    assert "7f3a-91c2-e0b4  plan 4, frozen, expires 2026-11-24T09:01:09Z" in err
    assert "c0de-91c2-e0b4  plan 5, queued" in err


def test_without_a_plan_it_says_what_makes_one(
    book: Book, typing: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    book.answers = {"status": waiting("approved")}
    assert main(["approve"]) == 5
    assert "bgpmon plan freeze" in capsys.readouterr().err
    assert main(["confirm"]) == 5
    assert "no change soaks" in capsys.readouterr().err


def test_confirm_means_the_change_that_soaks(book: Book, typing: io.StringIO) -> None:
    flight = {"number": 4, "digest": DIGEST, "state": "soaking"}
    book.answers = {"status": {"change": {"in_flight": flight}}, "plan": PLAN, "confirm": {"state": "confirmed"}}
    types(typing, "7f3a\n")
    assert main(["confirm"]) == 0
    assert [one[:2] for one in book.asked][-1] == ("confirm", DIGEST)
    book.answers["status"] = {"change": {"in_flight": flight | {"state": "applying"}}}
    assert main(["confirm"]) == 5


def test_a_hostile_plan_steers_no_terminal(book: Book, typing: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = PLAN | {"node": "x\x1b[2J\u202e", "detail": "\x9b31m", "approvals": {"items": [{"comment": "\x07\r\n"}]}}
    book.answers = {"status": waiting("frozen"), "plan": hostile}
    types(typing, "\n")
    assert main(["approve"]) == 130
    assert capsys.readouterr().err.replace("\n", "").isprintable()


def test_a_real_terminal_is_asked(book: Book) -> None:
    book.answers = {"status": waiting("frozen"), "plan": PLAN, "approve": {"state": "applied", "digest": DIGEST}}
    leader, follower = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "monitor", "approve"],
            cwd=ROOT,
            stdin=follower,
            stderr=follower,
            stdout=subprocess.PIPE,
        ) as command:
            os.close(follower)
            seen = b""
            while b"first block" not in seen:
                seen += os.read(leader, 4096)
            assert command.poll() is None
            os.write(leader, b"7f3a\n")
            out, _ = command.communicate(timeout=60)
        assert command.returncode == 0
    finally:
        os.close(leader)
    assert b"applied" in out
    assert book.asked[-1][:2] == ("approve", DIGEST)
