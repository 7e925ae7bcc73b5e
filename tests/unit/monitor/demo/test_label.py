"""Every answer and every screen of a demo says that it is simulated, and no other does."""

import inspect
import json
from pathlib import Path

import pytest

from monitor.cli import main
from monitor.demo import NOTICE
from monitor.demo.label import LabelledControl, LabelledFeed
from monitor.ports import Control, Feed
from tests.unit.monitor.api.daemon import Book, serving

DIGEST = "0" * 64
ARGUMENTS = {"prefix": "10.0.0.0/8", "address": "10.0.0.1", "digest": DIGEST, "reason": "r", "actor": "uid 0"}
COMMANDS = {
    "status": ["status"], "peers": ["peers"], "domains": ["domains"], "routes": ["routes"], "explain": ["explain", "10.0.0.0/8"],
    "lookup": ["lookup", "10.0.0.1"], "plan": ["plan", "show"], "plans": ["plan", "list"], "freeze": ["plan", "freeze"],
    "compare": ["plan", "diff", DIGEST], "export": ["plan", "export", DIGEST], "statement": ["plan", "statement", DIGEST],
    "approve": ["approve", DIGEST], "reject": ["reject", DIGEST, "--reason", "r"], "confirm": ["confirm", DIGEST],
    "roll_back": ["rollback", DIGEST], "extend": ["extend", "5m", DIGEST], "hold": ["hold", "*", "--for", "2h", "--reason", "r"],
    "release": ["release", "1"], "holds": ["holds"], "pause": ["pause", "--reason", "r"], "resume": ["resume"],
    "windows": ["window", "next"], "judge": ["policy", "test"], "audit": ["audit", "verify"], "audit_export": ["audit", "export"],
    "events": ["events"], "replay": ["replay", "--at", "5m"], "history": ["history"], "doctor": ["doctor"], "reload": ["reload"],
    "withdraw_all": ["withdraw-all", "--yes"],
}  # fmt: skip
"""A command for each call."""

LINES = {"audit_export"}
"""What is lines of JSON, each of which is a record as it is in the journal."""


def calls_of(port: type) -> list[str]:
    return [name for name, member in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("name", [*calls_of(Feed), *calls_of(Control)])
async def test_every_answer_is_labelled_and_passes_its_arguments_on(name: str) -> None:
    book = Book()
    book.answers["doctor"] = {"call": "doctor", "items": [{"check": "kernel"}]}
    face = LabelledFeed(book) if name in calls_of(Feed) else LabelledControl(book)
    wanted = inspect.signature(getattr(book, name)).parameters
    given = [ARGUMENTS.get(key, f"a {key}") for key in wanted]
    positional = [
        value for value, said in zip(given, wanted.values(), strict=True) if said.kind is not said.KEYWORD_ONLY
    ]
    named = {key: ARGUMENTS.get(key, f"a {key}") for key, said in wanted.items() if said.kind is said.KEYWORD_ONLY}
    document = await getattr(face, name)(*positional, **named)
    assert document["simulated"] is True
    assert document["call"] == name
    assert book.asked == [(name, *given)] or book.asked == [(name,)]


async def test_the_first_check_of_doctor_says_what_this_is() -> None:
    book = Book()
    book.answers["doctor"] = {"items": [{"check": "kernel", "ok": True}]}
    items = (await LabelledFeed(book).doctor())["items"]
    assert isinstance(items, list)
    assert [item["check"] for item in items] == ["simulation", "kernel"]
    assert NOTICE in items[0]["detail"]


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setenv("BGPMON_RUN_DIR", str(tmp_path))
    return Book()


def test_every_call_has_a_command() -> None:
    for_screens = {"view", "window", "close_view"}
    assert set(COMMANDS) == {*calls_of(Feed), *calls_of(Control)} - for_screens


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("output", ["table", "json"])
def test_every_screen_is_labelled(
    simulated: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, output: str
) -> None:
    command = COMMANDS[name]
    simulated.answers = {name: {"simulated": True, "ok": True}}
    with serving(tmp_path, simulated):
        assert main([*command, "-o", output]) == 0
    said = capsys.readouterr()
    if name == "status" and output == "table":
        assert said.out.splitlines()[0] == f"DEMO: {NOTICE}"
    else:
        assert said.err.splitlines()[0] == f"DEMO: {NOTICE}"
    if output == "json" and name not in LINES:
        assert json.loads(said.out)["simulated"] is True
    assert len(f"DEMO: {NOTICE}") <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_a_real_daemon_is_never_called_a_demo(
    simulated: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with serving(tmp_path, simulated):
        main(COMMANDS[name])
    said = capsys.readouterr()
    assert "DEMO" not in said.out + said.err
