"""The command line within the terminal UI, and what is taken along from it: copies, files, prints."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.terminal import Demo
from tests.support.tui import back_on_routes, bar, leave, leave_prompt, number_of, on_routes, place, state, tui, typed

pytestmark = pytest.mark.timeout(180)


# Commands


async def test_commands_open_screens_or_run_as_in_a_shell(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=30) as terminal:
        await on_routes(terminal)
        await typed(terminal, ":routes in 10.9.0.0/16\r", "in 10.9.0.0/16  sort")
        await terminal.until(lambda screen: place(screen)[1] == 42)
        await typed(terminal, ":plan list\r", "no plan was frozen yet")
        assert number_of(terminal.screen) == "5"
        await typed(terminal, ":explain 10.8.1.0/24\r", "> 10.8.1.0/24")
        await typed(terminal, ":lookup 10.8.1.1\r", "VERDICT")
        await typed(terminal, ":window list\r", "bgpmon window list")
        await terminal.until("no windows are configured", timeout=20)
        await terminal.press("escape")
        await terminal.until(lambda now: number_of(now) == "7")
        await typed(terminal, ":history 10.8.1.0/33\r", "exit code")
        await terminal.press("escape")
        await terminal.until(lambda now: number_of(now) == "7")
        await leave(terminal)


async def test_a_command_that_changes_something_is_refused_while_locked(still: Demo) -> None:
    before = await state(still)
    async with tui(still.run_dir, columns=100, rows=30) as terminal:
        await on_routes(terminal)
        for words in ("plan freeze", "hold 10.8.1.0/24", "withdraw-all --yes", "pause", "reload", "approve 1234"):
            name = " ".join(words.split()[:2]) if words.startswith("plan") else words.split()[0]
            await typed(terminal, f":{words}\r", f"locked: `{name}` changes something")
        await typed(terminal, ":nonsense\r", "no command 'nonsense'")
        await terminal.send(":plan fr\t")
        await terminal.until(":plan freeze")
        await leave_prompt(terminal)
    assert await state(still) == before


# Taking along


async def test_what_is_under_the_cursor_is_copied_by_the_terminal(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        prefixes = await on_routes(terminal)
        await terminal.press("down", "c")
        await terminal.until("copied 12 characters" if len(prefixes[1]) == 12 else "copied")
        assert terminal.copied == [prefixes[1]]
        await typed(terminal, ":text\r", "TO SELECT WITH YOUR TERMINAL")
        screen = await terminal.until(lambda now: prefixes[1] in now.lines)
        assert "│" not in screen.text, "what is selected has no borders in it"
        await terminal.press("escape")
        await terminal.until(back_on_routes)
        await terminal.press("y")
        await terminal.until(lambda _: len(terminal.copied) == 2)
        row = json.loads(terminal.copied[1])
        assert (row["prefix"], row["domain"]) == (prefixes[1], "cluster")
        await leave(terminal)


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
async def test_rows_are_written_to_a_file_of_ones_own(still: Demo, tmp_path: Path, form: str) -> None:
    async with tui(still.run_dir, columns=120, rows=24, env={"TMPDIR": str(tmp_path)}) as terminal:
        await on_routes(terminal)
        await typed(terminal, "/in 10.9.0.0/16\r", "in 10.9.0.0/16  sort")
        await terminal.until(lambda screen: place(screen)[1] == 42)
        await typed(terminal, "x", "EXPORT 42 ROWS")
        await terminal.press(form[0].upper(), "enter")
        await terminal.until("42 rows in")
        (file,) = tmp_path.iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        rows: list[dict[str, Any]]
        if form == "csv":
            rows = list(csv.DictReader(text.splitlines()))
        else:
            rows = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
        assert len(rows) == 42
        assert all(row["prefix"].startswith("10.9.") and row["domain"] == "storage" for row in rows)
        await leave(terminal)


async def test_rows_are_printed_when_it_is_left(still: Demo) -> None:
    async with tui(still.run_dir, columns=120, rows=24) as terminal:
        await on_routes(terminal)
        await typed(terminal, "/in 10.9.0.0/16\r", "in 10.9.0.0/16  sort")
        await terminal.until(lambda screen: place(screen)[1] == 42)
        await typed(terminal, "x", "EXPORT 42 ROWS")
        await terminal.press("p", "enter")
        await terminal.until("42 rows are printed when you leave")
        mark = terminal.mark()
        await leave(terminal)
        printed = [json.loads(found) for found in re.findall(r"{.*}", terminal.since(mark).decode())]
        assert len(printed) == 42
        assert not bar(terminal.screen)
