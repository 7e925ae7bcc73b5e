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

ARGUMENTS = {"prefix": "10.0.0.0/8", "address": "10.0.0.1", "digest": "0" * 64, "reason": "r", "actor": "uid 0"}
COMMANDS = (
    ["status"], ["peers"], ["domains"], ["routes"], ["explain", "10.0.0.0/8"], ["lookup", "10.0.0.1"], ["plan", "show"],
    ["plan", "freeze"], ["approve", "0" * 64], ["reject", "0" * 64, "--reason", "r"], ["history"], ["doctor"], ["reload"],
    ["withdraw-all", "--yes"],
)  # fmt: skip


def calls_of(port: type) -> list[str]:
    return [name for name, member in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("name", [*calls_of(Feed), *calls_of(Control)])
async def test_every_answer_is_labelled_and_passes_its_arguments_on(name: str) -> None:
    book = Book()
    book.answers["doctor"] = {"call": "doctor", "items": [{"check": "kernel"}]}
    face = LabelledFeed(book) if name in calls_of(Feed) else LabelledControl(book)
    wanted = inspect.signature(getattr(book, name)).parameters
    given = [ARGUMENTS.get(key, f"a {key}") for key in wanted]
    document = await getattr(face, name)(*given)
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


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("output", ["table", "json"])
def test_every_screen_is_labelled(
    simulated: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], output: str
) -> None:
    name = command[0] if command[0] != "plan" else {"show": "plan", "freeze": "freeze"}[command[1]]
    simulated.answers = {name.replace("-", "_"): {"simulated": True}}
    with serving(tmp_path, simulated):
        assert main([*command, "-o", output]) == 0
    said = capsys.readouterr()
    if command == ["status"] and output == "table":
        assert said.out.splitlines()[0] == f"DEMO: {NOTICE}"
    else:
        assert said.err.splitlines()[0] == f"DEMO: {NOTICE}"
    if output == "json":
        assert json.loads(said.out)["simulated"] is True
    assert len(f"DEMO: {NOTICE}") <= 80


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_real_daemon_is_never_called_a_demo(
    simulated: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with serving(tmp_path, simulated):
        main(command)
    said = capsys.readouterr()
    assert "DEMO" not in said.out + said.err
