"""The story of change control holds on a lab of its own, leaves it as it was, and is told in docs/story.md as it is run."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import lifecycle, story, topology
from lab.gobgpd import VERSIONS
from lab.machine import HOME, PREFIX, LabError, Machine
from lab.telling import Chapter, Step, next_opening, prompt
from lab.witness import Call, Change, change_of, outage
from tests.support.lab_turn import lab, standing_lab

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = {"digest": "DIGEST", "number": "N", "frozen": "TIME", "replay": "TIME"}
LINE = re.compile(r"^(node#|alice\$|bob\$|edge2#) (.+)$", re.MULTILINE)


def typed(text: str) -> list[str]:
    """What people type in a text of the story, with words for what is another in each run."""
    found = []
    for asks, line in LINE.findall(text):
        words = re.sub(r"\b[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}\b", "DIGEST", line)
        words = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", words)
        found.append(f"{asks} {re.sub(r'plan-[0-9]+[.]txt', 'plan-N.txt', words)}")
    return found


# What is told


def test_the_document_has_the_commands_of_the_script_in_their_order() -> None:
    steps = [step for chapter in story.CHAPTERS for step in chapter.steps if step.line]
    run = [f"{prompt(step.who)} {step.line.format_map(TEMPLATE)}" for step in steps]
    assert typed((ROOT / "docs/story.md").read_text()) == run


def test_the_document_has_the_chapters_of_the_script() -> None:
    titles = re.findall(r"^## \d+\. (.+)$", (ROOT / "docs/story.md").read_text(), re.MULTILINE)
    assert titles == [chapter.title for chapter in story.CHAPTERS]


@pytest.mark.parametrize(("now", "opens"), [(0.0, 60.0), (44.9, 60.0), (45.0, 120.0), (59.0, 120.0), (3600.0, 3660.0)])
def test_the_window_opens_at_a_full_minute_and_not_too_soon(now: float, opens: float) -> None:
    assert next_opening(now) == opens


# What is checked

CHANGE = Change(began=10.0, applied=10.1, taken_back=12.0, over=12.2)


def calls(*failed: int) -> list[Call]:
    """A call every half second from 8 to 15; those with these numbers fail."""
    return [Call(8 + n / 2, 8.01 + n / 2, "no answer" if n in failed else "ok") for n in range(15)]


def test_the_outage_is_from_the_first_to_the_last_call_that_failed() -> None:
    assert outage(calls(5, 6, 7, 8), CHANGE) == (10.5, 12.01, 4, 15)


@pytest.mark.parametrize(
    ("failed", "words"),
    [
        ((), "all the time"),
        ((5, 7), "in the middle"),
        ((2, 3, 4, 5, 6, 7), "connections failed from 00:00:09.00Z"),
        ((5, 6, 7, 8, 9, 10), "connections failed from 00:00:10.50Z to 00:00:13.01Z"),
        ((5, 6), "at 00:00:11.50Z, while the bad route was in force"),
    ],
)
def test_an_outage_at_another_time_does_not_pass(failed: tuple[int, ...], words: str) -> None:
    with pytest.raises(LabError, match=re.escape(words)):
        outage(calls(*failed), CHANGE)


def test_a_call_that_was_under_way_may_fail_or_stand() -> None:
    fails = calls(5, 6, 7, 8)
    assert outage([*fails[:4], Call(9.9, 10.01, "no answer"), *fails[5:]], CHANGE).failed == 5
    assert outage([*fails[:8], Call(11.9, 12.01, "ok"), *fails[9:]], CHANGE).failed == 3


def record(kind: str, at: float, plan: str = "", **body: str) -> str:
    """A line of an exported journal."""
    return json.dumps({"kind": kind, "at": at, "plan": plan, "body": json.dumps(body)})


STATES = ("frozen", "applying", "soaking", "rolling-back", "rolled-back")


def test_the_journal_says_when_a_plan_was_written_and_taken_back() -> None:
    lines = [record("plan-state", at, "399e8c80d55eff", state=state) for at, state in enumerate(STATES)]
    others = [record("reload", 7.0), record("plan-state", 8.0, "aaaa8c80d55eff", state="applying")]
    assert change_of([*lines, *others], "399e-8c80-d55e") == (1, 2, 3, 4)
    with pytest.raises(LabError, match="does not say that plan 399e-8c80-d55e was rolling-back"):
        change_of(lines[:3], "399e-8c80-d55e")


# What is started and removed


@pytest.mark.parametrize("stands", [True, False])
@pytest.mark.parametrize("holds", [True, False])
def test_only_a_lab_that_the_story_started_is_removed(
    monkeypatch: pytest.MonkeyPatch, stands: bool, holds: bool
) -> None:
    done: list[str] = []

    class Told:
        def tell(self, _chapters: object) -> None:
            done.append("told")
            if not holds:
                raise LabError("it does not hold")

    monkeypatch.setattr(Machine, "load", classmethod(lambda _: Machine() if stands else None))
    monkeypatch.setattr(lifecycle, "require_root", lambda: None)
    monkeypatch.setattr(lifecycle, "up", lambda version, source: done.append(f"up {version} {source}"))
    monkeypatch.setattr(lifecycle, "down", lambda: done.append("down"))
    monkeypatch.setattr(lifecycle, "alone", contextlib.nullcontext)
    monkeypatch.setattr(lifecycle, "standing", Machine)
    monkeypatch.setattr(story, "stage", lambda _machine: contextlib.nullcontext(Told()))
    with contextlib.nullcontext() if holds else pytest.raises(LabError):
        story.perform("4.8", "bmp")
    assert done == (["told"] if stands else ["up 4.8 bmp", "told", "down"])


# The whole


@pytest.fixture
def standing(root_namespaces: None) -> Iterator[Machine]:
    """A lab that runs, alone on this machine."""
    with standing_lab() as machine:
        yield machine


def state_of_the_lab() -> dict[str, object]:
    """What the story must leave as it was."""
    machine = Machine.load()
    assert machine is not None
    extra = HOME / "edge2" / "extra.ipv4.conf"
    status = lifecycle.bgpmon_status(machine)
    return {
        "configuration": (HOME / "bgpmon" / "bgpmon.yaml").read_text(),
        "announced": extra.read_text(),
        "programs": {name: program.pid for name, program in machine.programs.items() if program.alive},
        "directories": sorted(entry.name for entry in HOME.iterdir()),
        "change": status["change"],
        "peers": status["peers"],
    }


@pytest.mark.daemons
@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_story_holds_and_leaves_the_lab_as_it_was(standing: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state_of_the_lab()
    # a story that breaks off while its plan waits for the window
    cut = (*story.CHAPTERS[:4], Chapter("The end", (Step("It breaks off.", "node", "false"),)))
    with monkeypatch.context() as context:
        context.setattr(story, "CHAPTERS", cut)
        with pytest.raises(LabError, match="the story does not hold: false: ended with 1 and not with 0"):
            story.perform(VERSIONS[0], "gobgp")
    assert state_of_the_lab() == before

    told = lab("story")
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr
    assert state_of_the_lab() == before

    assert typed(told.stdout) == typed((ROOT / "docs/story.md").read_text())
    assert re.search(r"^\d+ checks, and all of them hold[.]$", told.stdout, re.MULTILINE)
    found = re.search(
        r"^client   \d+ connections; (\d+) failed, all in a row, between (\S+) and (\S+)\n"
        r"journal  written at (\S+), taken back at (\S+)$",
        told.stdout,
        re.MULTILINE,
    )
    assert found is not None
    failed, first, last, written, over = found.groups()
    assert int(failed) > 1
    assert first < over, "the outage began while the change was in force"
    assert written < last, "and did not end before it was"

    routes = ["ip", "-n", f"{PREFIX}node", "route", "show", "table", "102", "root", topology.SHOP_NETWORK]
    shown = subprocess.run(routes, capture_output=True, text=True, check=True).stdout.split()
    assert shown[:3] == [topology.SHOP_NETWORK, "via", "198.51.100.9"]
    assert shown.count("via") == 1, "the bad route is gone"
