"""The commands about plans."""

import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main
from monitor.engine.plans import plan_document
from monitor.ports import Document
from monitor.text import moment
from programmer.plan import Operation, Plan, RuleOperation
from programmer.route import Family, Forwarding, NextHop, Rule, TableId
from tests.unit.monitor.api.daemon import Book

DOCUMENTS = Path(__file__).parent / "documents"
SHORT = "7f3a-91c2-e0b4"


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCUMENTS / f"{name}.json").read_text())
    return found


def test_list_show_and_diff_ask_for_what_was_named(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers = {"plans": document("plans"), "compare": document("comparison") | {"truncated": True}}
    assert main(["plan", "list"]) == 0
    assert SHORT in capsys.readouterr().out
    assert main(["plan", "list", "--limit", "3"]) == 0
    assert main(["plan", "diff", SHORT]) == 0
    assert "the lists are not" in capsys.readouterr().err
    assert main(["plan", "diff", SHORT, "c0de"]) == 0
    assert book.asked == [("plans", 20), ("plans", 3), ("compare", SHORT, ""), ("compare", SHORT, "c0de")]
    assert main(["plan", "diff"]) == 2


def test_show_has_three_formats(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers["plan"] = document("plan-soaking") | {"simulated": True}
    assert main(["plan", "show", SHORT]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"plan #4 {SHORT} soaking")
    assert main(["plan", "show", SHORT, "--format", "text", "-o", "json"]) == 0
    assert capsys.readouterr().out == text
    assert main(["plan", "show", SHORT, "--format", "json"]) == 0
    shown = capsys.readouterr().out
    assert main(["plan", "show", SHORT, "-o", "json"]) == 0
    assert capsys.readouterr().out == shown
    assert main(["plan", "show", SHORT, "--format", "markdown", "--exit-code"]) == 4
    said = capsys.readouterr()
    assert said.out.startswith(f"## plan \\#4 {SHORT} soaking")
    assert said.out.endswith("\n")
    assert said.err.startswith("DEMO")


def test_freeze_takes_a_filter_and_says_what_comes_next(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers["freeze"] = document("frozen")
    assert main(["plan", "freeze", "domain=storage", "op=-", "--denied", "--name", "alice"]) == 0
    assert book.asked[0][2:] == ("domain=storage op=-", True, "alice")
    out = capsys.readouterr().out
    assert "2 people, 1 of net-ops" in out
    assert f"bgpmon plan statement {SHORT} > plan-4.txt" in out
    book.answers["freeze"] = document("frozen") | {
        "requirement": {"people": 1, "groups": {}, "tickets": [], "denied": 0}
    }
    assert main(["plan", "freeze"]) == 0
    assert f"bgpmon approve {SHORT}" in capsys.readouterr().out


STATEMENT = f"bgpmon plan statement v1\nact: approve\nnode: node-a17\nplan: 4\ndigest: {'7f' * 32}\nexpires: 2026-11-24T09:01:09Z\n"


def statement(digest: str, act: str, ticket: str, expires: float) -> Document:
    return {"text": STATEMENT, "number": 4, "short": SHORT, "sign": "ssh-keygen -Y sign", "send": f"bgpmon {act} {SHORT}",
            "expires_at": "2026-11-24T09:01:09Z", "asked": [digest, act, ticket, expires]}  # fmt: skip


def test_statement_prints_the_text_and_nothing_else(book: Book, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    book.answers["statement"] = statement
    assert main(["plan", "statement", SHORT]) == 0
    said = capsysbinary.readouterr()
    assert said.out == STATEMENT.encode()
    assert b"ssh-keygen -Y sign" in said.err
    assert f"bgpmon approve {SHORT}".encode() in said.err
    assert book.asked[-1] == ("statement", SHORT, "approve", "", 0.0)


def test_statement_can_be_about_other_acts(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.time()
    book.answers["statement"] = statement
    assert main(["plan", "statement", SHORT, "--act", "confirm", "--ticket", "CHG-1", "--expires", "30m"]) == 0
    *words, expires = book.asked[-1]
    assert words == ["statement", SHORT, "confirm", "CHG-1"]
    assert expires == int(expires), "a statement expires at a whole second"
    assert int(began + 1800) <= expires <= time.time() + 1800
    assert main(["plan", "statement", SHORT, "--act", "reject"]) == 0
    assert capsys.readouterr().err.count("bgpmon: save it as") == 2
    assert main(["plan", "statement", SHORT, "--act", "rollback"]) == 2, "going back asks for no signature"
    capsys.readouterr()
    assert main(["plan", "statement", SHORT, "-o", "json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["text"] == STATEMENT
    assert said.err == ""
    assert main(["plan", "statement", SHORT, "--expires", "soon"]) == 2


def test_a_statement_that_does_not_print_is_not_printed(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers["statement"] = {"text": STATEMENT + "comment: \x1b[2J\n"}
    assert main(["plan", "statement", SHORT]) == 1
    assert capsys.readouterr().out == ""


def exported(number: int = 4) -> Document:
    hop = NextHop(b"\x0a\x08\x00\x01", 3)
    route = Forwarding(200, (hop,), b"", "")
    operations = tuple(
        Operation(TableId(101), Family.IPV4, bytes([10, 9, third, 0, 24]), None, route) for third in range(3)
    )
    rule = RuleOperation(Rule(Family.IPV4, 1200, TableId(101), None, None, 0, 0, ""), add=True)
    made = Plan(number, "node-a17", "p" * 64, 1_795_507_269.0, 1_795_510_869.0, operations, (rule,))
    return {"format": "bgpmon-plan/2", "digest": made.digest, "plan": plan_document(made)}


def test_an_exported_plan_verifies_without_a_daemon(
    book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book.answers["export"] = exported()
    assert main(["plan", "export", SHORT]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) == 1
    file = tmp_path / "plan.json"
    file.write_text(text)
    monkeypatch.setenv("BGPMON_RUN_DIR", str(tmp_path / "nobody"))
    assert main(["plan", "verify", str(file)]) == 0
    assert "digest matches: plan 4 of node node-a17, 4 operations" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["plan", "verify", "-", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["digest"] == found["computed"]


def test_a_plan_that_was_changed_does_not_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "plan.json"
    changed: Any = exported()
    changed["plan"]["operations"][1][3] = None
    changed["plan"]["operations"][1][4][0] = 201
    file.write_text(json.dumps(changed))
    assert main(["plan", "verify", str(file)]) == 1
    assert "does NOT match" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '"x"', '{"format": "bgpmon-plan/1", "digest": "x", "plan": {}}',
     '{"format": "bgpmon-plan/2", "digest": "x", "plan": {"rules": [[1]]}}',
     '{"format": "bgpmon-plan/2", "digest": "x", "plan": {"rules": 3}}', "\x1b[2J"],
)  # fmt: skip
def test_what_is_no_exported_plan_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    assert main(["plan", "verify", str(file)]) == 1
    said = capsys.readouterr()
    assert "no exported plan" in said.err
    assert said.out == ""
    assert said.err.replace("\n", "").isprintable()


def test_windows_and_rules(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers = {"windows": document("windows"), "judge": document("judgement")}
    assert main(["window", "list"]) == 0
    assert "0 22 * * 1-4" in capsys.readouterr().out
    assert main(["window", "next", "--count", "2"]) == 0
    out = capsys.readouterr().out
    assert "2026-11-24T21:00:00Z" in out
    assert "2026-11-24T22:00:00+01:00" in out
    assert main(["window", "test", "--at", "2026-11-24T21:30:00Z"]) == 5
    book.answers["windows"] = {"open": True, "text": "open: nightly", "at": "2026-11-24T21:30:00Z"}
    assert main(["window", "test", "--at", "2026-11-24T22:30:00+01:00"]) == 0
    at = moment.moment("2026-11-24T21:30:00Z", 0)
    assert book.asked == [("windows", 0.0, 1), ("windows", 0.0, 2), ("windows", at, 1), ("windows", at, 1)]
    assert main(["window", "test"]) == 2
    assert main(["window", "test", "--at", "2026-11-24T21:30:00"]) == 2
    assert "put Z behind it" in capsys.readouterr().err
    assert main(["policy", "test"]) == 0
    assert "class=protect-node: deny" in capsys.readouterr().out
    assert main(["policy", "test", "--plan", SHORT]) == 0
    assert book.asked[-1] == ("judge", SHORT)


def test_policy_explains_one_prefix(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers["judge"] = document("judgement")
    assert main(["policy", "explain", "0.0.0.0/0"]) == 0
    assert "rule 2 (line 13): default: approve 2" in capsys.readouterr().out
    assert main(["policy", "explain", "20.0.0.0/12", "-o", "json"]) == 0
    assert [item["rule"] for item in json.loads(capsys.readouterr().out)["items"]] == ["rest"]
    assert main(["policy", "explain", "192.0.2.0/24"]) == 1
    assert "does nothing about 192.0.2.0/24" in capsys.readouterr().err
    assert main(["policy", "explain", "192.0.2.1/24"]) == 2
