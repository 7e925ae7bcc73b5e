"""The command line against a real server: output and exit codes."""

import json
from pathlib import Path

import pytest

from monitor.cli import main
from monitor.cli.command import bgpmon
from monitor.errors import BadRequest, MonitorError, Refused, RolledBack, Stale
from monitor.ports import Document
from monitor.text.table import clean, duration, width
from tests.unit.monitor.api.daemon import Book
from tests.unit.monitor.config.files import DOMAIN

PLAN = {
    "number": 4,
    "digest": "7f3a",
    "state": "live",
    "summary": {"add": 1, "change": 0, "remove": 0},
    "operations": [{"op": "+", "domain": "storage", "table": 101, "prefix": "192.0.2.0/24", "after": "via 10.8.0.1"}],
}
HOSTILE = "x\x1b[2J\x07\x7f\x9b\u202ey"


@pytest.mark.parametrize("arguments", [["-o", "json", "status"], ["status", "-o", "json"], ["-o", "json"]])
def test_json_is_asked_for_before_and_after_the_command(
    book: Book, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    book.answers["status"] = {"node": HOSTILE}
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {"node": HOSTILE}
    assert out.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("error", "code"),
    [(BadRequest("b"), 2), (Refused("r"), 5), (Stale("s"), 6), (RolledBack("t"), 7), (MonitorError("m"), 1)],
)
def test_errors_become_exit_codes(book: Book, capsys: pytest.CaptureFixture[str], error: Exception, code: int) -> None:
    book.answers["approve"] = error
    assert main(["approve", "7f3a"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"bgpmon: {error}\n"


def test_no_daemon_is_three_and_wrong_usage_is_two(tmp_path: Path) -> None:
    assert main(["status", "--run-dir", str(tmp_path)]) == 3
    assert main(["no-such-command"]) == 2


def test_plan_with_operations_is_four_only_when_asked(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers["plan"] = dict(PLAN)
    assert main(["plan", "show"]) == 0
    assert "via 10.8.0.1" in capsys.readouterr().out
    assert main(["plan", "show", "--exit-code"]) == 4
    book.answers["plan"] = PLAN | {"operations": []}
    assert main(["plan", "show", "--exit-code"]) == 0


def test_failed_check_is_eight(book: Book) -> None:
    book.answers["doctor"] = {"items": [{"check": "netlink", "ok": True}]}
    assert main(["doctor"]) == 0
    book.answers["doctor"] = {"items": [{"check": "netlink", "ok": False, "detail": "denied", "fix": "be root"}]}
    assert main(["doctor"]) == 8


def test_withdraw_all_off_a_terminal_needs_yes(book: Book) -> None:
    assert main(["withdraw-all"]) == 2
    assert book.asked == []
    assert main(["withdraw-all", "--yes"]) == 0
    assert [asked[0] for asked in book.asked] == ["withdraw_all"]


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["peers"], ["domains"], ["routes"], ["explain", "192.0.2.0/24"], ["lookup", "192.0.2.1"],
     ["plan", "list"], ["plan", "show"], ["plan", "show", "--format", "markdown"], ["plan", "freeze"], ["plan", "diff", "7f3a"],
     ["approve", "7f3a"], ["reject", "7f3a", "--reason", "r"], ["confirm", "7f3a"], ["rollback"], ["extend", "5m", "7f3a"],
     ["hold", "*", "--for", "2h", "--reason", "r"], ["release", "1"], ["holds"], ["pause", "--reason", "r"], ["resume"],
     ["window", "list"], ["window", "next"], ["window", "test", "--at", "5m"], ["policy", "test"],
     ["policy", "explain", "192.0.2.0/24"], ["audit", "verify"], ["audit", "export"], ["events"],
     ["replay", "--at", "5m"], ["replay", "--at", "5m", "plan"], ["replay", "--at", "5m", "routes"],
     ["history"], ["doctor"], ["reload"], ["withdraw-all", "--yes"]],
    ids=" ".join,
)  # fmt: skip
def test_screens_bear_missing_keys_and_hostile_text(
    book: Book, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    names = (
        "name",
        "address",
        "prefix",
        "check",
        "peer",
        "reason",
        "op",
        "state",
        "id",
        "filter",
        "detail",
        "cause",
        "text",
        "at",
    )
    item: Document = dict.fromkeys(names, HOSTILE)
    lists = (
        "items",
        "domains",
        "operations",
        "paths",
        "rules",
        "configured",
        "waiting",
        "only_first",
        "probes",
        "tables",
        "log",
    )
    filled: Document = {
        **dict.fromkeys(
            (*names, "node", "sentence", "digest", "short", "author", "actor", "until", "deadline"), HOSTILE
        ),
        **{key: [item] for key in lists},
        **{key: [HOSTILE] for key in ("left_out", "problems", "lines", "gaps")},
        **{
            key: {HOSTILE: HOSTILE, "items": [item]}
            for key in ("reasons", "summary", "requirement", "approvals", "reverted")
        },
    }
    filled |= {key: dict(filled) for key in ("change", "effect", "progress")}
    odd: Document = dict.fromkeys(filled, 7)
    for document in ({}, filled, odd):
        book.answers = dict.fromkeys((name for name in dir(Book) if not name.startswith("_")), document)
        assert main(arguments) in {0, 1, 5, 8}
        said = capsys.readouterr()
        for text in (said.out, said.err):
            assert clean(shown := text.replace("\n", " ")) == (shown or "-")


def test_cut_off_list_says_so_on_stderr(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.answers["routes"] = {"items": [{}], "total": 9, "truncated": True}
    assert main(["routes"]) == 0
    assert "1 of 9" in capsys.readouterr().err


def test_config_init_prints_a_file_that_config_check_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "init"]) == 0
    file = tmp_path / "bgpmon.yaml"
    file.write_text(capsys.readouterr().out)
    assert main(["config", "check", str(file)]) == 0
    assert capsys.readouterr().out == ""


def test_config_check_tells_every_mistake_as_text_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bgpmon.yaml"
    file.write_text("mode: careful\nprotcol: 196\n")
    assert main(["config", "check", str(file)]) == 2
    assert "protocol" in capsys.readouterr().err
    assert main(["config", "check", str(file), "-o", "json"]) == 2
    items = json.loads(capsys.readouterr().out)["items"]
    assert {"mode", "protcol"} <= {item["key"] for item in items}
    assert [(item["line"], item["column"]) for item in items if item["key"] == "protcol"] == [(2, 1)]


def test_config_show_prints_every_value_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bgpmon.yaml"
    file.write_text(DOMAIN)
    assert main(["config", "show", str(file)]) == 0
    assert "bgpmon.yaml:6" in capsys.readouterr().out
    assert main(["config", "show", str(file), "-o", "json"]) == 0
    shown = {item["key"]: item for item in json.loads(capsys.readouterr().out)["items"]}
    assert {"value": 101, "file": str(file), "line": 7}.items() <= shown["domains.storage.table"].items()
    assert {"value": "dry-run", "source": "default"}.items() <= shown["mode"].items()


def test_config_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "bgpmon configuration"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in bgpmon.commands:
        assert f"\n  {command} " in out


def test_durations_and_widths() -> None:
    assert [duration(value) for value in (5, 65, 7380, 90000, None)] == ["5s", "1m05s", "2h03m", "1d01h", "-"]
    assert width("日本") == 4
