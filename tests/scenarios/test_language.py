"""The language of the scenarios: a false statement fails, no word goes unused, every reason has its story."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.rib.reason import Reason
from tests.support.scenario import run_text
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_story import SENTENCES, STATEMENTS

FOLDER = Path(__file__).parent
DOCUMENTS: dict[str, dict[str, Any]] = {
    file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.yaml"))
}
STEPS = [step for document in DOCUMENTS.values() for step in document["steps"]]
BEGINNING = """
story: For the statements below.
routers: {tor: {address: 192.0.2.1}}
config:
  domains:
    storage: {peers: [192.0.2.1], interfaces: [eth1], table: 101, import: [{accept: any}]}
steps:
  - the feed starts
  - tor comes up
  - tor announces 10.8.0.0/16
  - tor has told everything
"""
UNSEEN = {
    Reason.NEXT_HOP_IN_PREFIX: "a prefix inside a link is protected, which is asked first",
    Reason.PENDING: "lasts for milliseconds between wish and write",
}


def said() -> set[str]:
    """Every sentence of every scenario, those that are refused included."""
    stated = [next(iter(step)) for step in STEPS if isinstance(step, dict)]
    refused = {key.removeprefix("refused ") for key in stated if key.startswith("refused ")}
    return refused | {step for step in STEPS if isinstance(step, str)}


def test_true_statements_hold() -> None:
    run_text(BEGINNING + "  - table 101: {10.8.0.0/16: via 192.0.2.1 dev eth1}\n")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("table 101: {}", "via 192.0.2.1"),
        ("table 101: {10.8.0.0/16: via 192.0.2.1 dev eth2}", "dev eth1"),
        ("table 101: {10.8.0.0/16: via 192.0.2.1 dev eth1, 10.9.0.0/16: via 192.0.2.1 dev eth1}", "it is"),
        ("routes in 101: 2", "there are 1"),
        ("plan: [+ storage 10.8.0.0/16]", r"it is \[\]"),
        ("why: {storage 10.8.0.0/16: pending}", "installed"),
        ("paths storage 10.8.0.0/16: {tor: not-best}", "installed"),
        ("paths storage 10.8.0.0/16: {}", "installed"),
        ("counts storage ipv4: {desired: 2}", "'desired': 1"),
        ("state: {storage: filling}", "complete"),
        ("warnings: [the moon]", "'the moon'. is not among"),
        ("the feed is lost\n  - silence: [the stream broke]", "it is said"),
        ('rules: ["1200: from all lookup 101"]', r"it is \[\]"),
        ("written: 0", "1 writes"),
        ("answer: {applied: 1}", "None"),
        ("refused alice freezes the plan: something else", "nothing is pending"),
        ("refused tor withdraws 10.8.0.0/16: anything", "it is not refused"),
        ("reload refused: {domains: {storage: {metric: 150}}}", "it was not refused"),
        ("reload: {domains: {storage: {metrc: 150}}}", "unknown key"),
        ("reload: {protocol: 197}", "a restart is needed"),
        ("the moon rises", "0 sentences read so"),
        ("tor announces 10.8.0.0/16 with colour 7", "'colour' is no attribute"),
        ("nobody comes up", "no router 'nobody'"),
        ("moon: full", "no statement begins with 'moon'"),
    ],
)
def test_false_statement_fails_and_names_its_step(step: str, words: str) -> None:
    with pytest.raises(AssertionError, match=rf"step [56], .*{words}"):
        run_text(BEGINNING + f"  - {step}\n")


def test_unknown_key_of_a_file_is_refused() -> None:
    with pytest.raises(AssertionError, match="a scenario has exactly"):
        run_text(BEGINNING + "extra: 1\n")


def test_every_sentence_is_said_in_a_scenario() -> None:
    sentences = said()
    unused = [pattern.pattern for pattern, _ in SENTENCES if not any(pattern.fullmatch(one) for one in sentences)]
    assert unused == []


def test_every_statement_is_made_in_a_scenario_and_explained() -> None:
    made = {next(iter(step)).split()[0] for step in STEPS if isinstance(step, dict)}
    assert STATEMENTS.keys() - made == set()
    language = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [word for word in STATEMENTS if f"`{word}" not in language] == []


def test_every_reason_has_its_story() -> None:
    told = set[str]()
    for step in STEPS:
        key, stated = next(iter(step.items())) if isinstance(step, dict) else ("", {})
        if key == "why" or key.startswith("paths"):
            told |= {str(reason).partition(",")[0] for reason in stated.values()}
    assert {reason for reason in Reason if reason.label not in told} == UNSEEN.keys()


def test_stories_are_told_once() -> None:
    stories = [document["story"] for document in DOCUMENTS.values()]
    assert len(stories) == len(set(stories))


def test_waiting_for_what_cannot_happen_ends() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="wait for ever"):
        run_without_waiting(wait)
