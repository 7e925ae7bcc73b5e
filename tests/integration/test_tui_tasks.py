"""The five tasks of docs/tui.md, pressed key by key as the document says, on a demo; every key is one that the screen shows."""

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.tui.registry import ACTIONS, key_word
from tests.support.terminal import Terminal, demo, short_place, tui
from tools import keys
from tools.terminal.screen import Screen

TEXT = (Path(__file__).resolve().parents[2] / "docs/tui.md").read_text()
PATIENCE = 30.0
KEYS = {"enter", "escape", "esc", "tab", "up", "down"}


class Step(NamedTuple):
    """A row of a task: what is pressed or typed, and what the screen shows then."""

    pressed: tuple[tuple[bool, str], ...]
    """Whether it is typed, and what."""
    shows: str


def tasks() -> dict[int, list[Step]]:
    """The tasks of the document, by their number."""
    found: dict[int, list[Step]] = {}
    chapter = TEXT.partition("## Five tasks")[2].partition("\n## ")[0]
    for number, body in re.findall(r"^### (\d)\. .*?\n(.*?)(?=^### |\Z)", chapter, re.MULTILINE | re.DOTALL):
        rows = re.findall(r"^\| (.*?) ?\| (.+) \|$", body, re.MULTILINE)
        found[int(number)] = [
            Step(tuple((bool(typed), what) for typed, what in re.findall(r"(type )?`([^`]+)`", press)), shows)
            for press, shows in rows
            if press not in {"press", "---"}
        ]
    return found


def digest_of(screen: Screen) -> str:
    match = re.search(r"digest +([0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4})", screen.text)
    return match[1] if match else ""


def is_shown(key: str, screen: Screen) -> bool:
    """Whether a screen tells of a key: in the footer, as the number of a screen, or in words."""
    word = re.escape(key_word(key))
    tab = rf"[ >]{word} [A-Z][a-z]+" if key.isdigit() else r"(?!)"
    return bool(re.search(rf"\[(?:[^\]]* )?{word}\]|{tab}|\b{word} unlocks", screen.text))


async def take(terminal: Terminal, step: Step, digest: str) -> None:
    """Do one row of a task.  A message may stand in the footer for some seconds; then its keys are there again."""
    typed = False
    for is_text, what in step.pressed:
        if is_text:
            text = what.replace("BLOCK", digest_of(terminal.screen)[:4] or digest[:4]).replace("DIGEST", digest)
            await terminal.send(text)
            await terminal.until(text, PATIENCE)
            typed = True
        else:
            if not typed and what != "enter":
                await terminal.until(partial(is_shown, what), PATIENCE, f"the screen does not tell of the key {what}")
            await terminal.press("escape" if what == "esc" else what)
            typed = typed or what in {":", "/"}
    await terminal.until(step.shows.replace("DIGEST", digest), PATIENCE)


def test_the_document_has_five_tasks_of_keys_that_exist() -> None:
    found = tasks()
    assert sorted(found) == [1, 2, 3, 4, 5]
    known = {key for action in ACTIONS for key in action.keys} | KEYS
    pressed = {what for steps in found.values() for step in steps for is_text, what in step.pressed if not is_text}
    assert pressed - known == set()


def test_the_table_of_keys_is_current() -> None:
    assert keys.renewed(TEXT) == TEXT, "run `python -m tools.keys`"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_five_tasks() -> None:
    with short_place() as place:
        async with demo(place, "--seed", "1", "--rate", "3", "--soak", "2m") as node:
            async with tui(node.run_dir, columns=80, rows=24) as terminal:
                await terminal.until("demo-node", PATIENCE)
                for number in (1, 2, 3, 4):
                    for step in tasks()[number]:
                        await take(terminal, step, digest_of(terminal.screen))
                digest = digest_of(terminal.screen)
                assert digest
            async with tui(node.run_dir, columns=80, rows=24) as terminal:
                await terminal.until("demo-node", PATIENCE)
                for step in tasks()[5]:
                    await take(terminal, step, digest)
