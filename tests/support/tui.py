"""What tests of the terminal UI share: the way to each screen and dialog, and what may never be on a terminal."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import terminal as terminals
from tests.support.terminal import Demo, Terminal
from tools.terminal.emulator import Emulator
from tools.terminal.screen import Screen

SIGNS = {
    "1": "7 up", "2": "0 admin-down", "3": "storage", "4": "10.0.0.0/8", "5": "PLAN #", "6": "bgpmon 0.",
    "7": "Where would this go?", "8": "ok ",
}  # fmt: skip
"""What each screen shows once it has heard the daemon."""


STILL = ("--rate", "0", "--seed", "7")
"""Options of a demo in which nothing moves."""

WHOLE_FRAMES = {b"\x1b[?2026$p": b"\x1b[?2026;2$y"}
"""The answer of a terminal that shows whole frames: the harness then looks at no half ones."""


@contextlib.asynccontextmanager
async def tui(run_dir: Path | str, *words: str, **wanted: Any) -> AsyncIterator[Terminal]:
    """Run the terminal UI as ``tests.support.terminal.tui`` does, on a terminal that shows whole frames."""
    async with terminals.tui(run_dir, *words, **{"answers": WHOLE_FRAMES, **wanted}) as terminal:
        yield terminal


class Stop(NamedTuple):
    """A dialog: the screen it is opened on, the keys for it, and what it shows."""

    name: str
    screen: str
    keys: str
    sign: str


DIALOGS = (
    Stop("help", "4", "?", "WHAT WORKS HERE"),
    Stop("everything", "4", "??", "EVERYTHING"),
    Stop("sort", "4", "s", "SORT BY"),
    Stop("columns", "4", "w", "COLUMNS"),
    Stop("export", "4", "x", "EXPORT"),
    Stop("palette", "4", "\x10", "WHAT DO YOU WANT TO DO?"),
    Stop("unlock", "4", "W", "UNLOCK"),
    Stop("filter", "4", "/in 10.9.0.0/16", "42 matches"),
    Stop("command", "4", ":hold", "Keep operations"),
    Stop("text", "4", ":text\r", "TO SELECT WITH YOUR TERMINAL"),
    Stop("output", "4", ":holds\r", "[c]copy all"),
    Stop("route", "4", "\r", "HISTORY"),
)


def number_of(screen: Screen) -> str:
    """Return the number of the screen that is shown, as its second line tells; empty in a dialog that hides it."""
    found = re.search(r">(\d) ", screen.lines[1]) if screen.rows > 1 else None
    return found[1] if found else ""


def on(number: str) -> Callable[[Screen], bool]:
    """Return a condition: this screen is shown, whatever is on it."""
    return lambda screen: number_of(screen) == number


def shows(number: str) -> Callable[[Screen], bool]:
    """Return a condition: this screen is shown, with what the daemon told."""

    def shown(screen: Screen) -> bool:
        assert number_of(screen) == number
        assert screen.find("DEMO"), "the status was not heard yet"
        assert screen.find(SIGNS[number]), f"{SIGNS[number]!r} is not on the screen"
        return True

    return shown


async def go(terminal: Terminal, number: str) -> Screen:
    """Open a screen by its number."""
    await terminal.press(number)
    return await terminal.until(shows(number), what=f"screen {number} to be shown")


async def started(terminal: Terminal) -> Screen:
    """Wait until the first screen shows what the daemon told."""
    return await terminal.until(shows("1"), timeout=20)


async def leave(terminal: Terminal) -> None:
    """Leave by the key q, and have the exit code of who was asked to."""
    await terminal.press("q")
    assert await terminal.wait_exit() == 0


async def leave_field(terminal: Terminal) -> None:
    """Leave the field of the screen Lookup, in which digits are part of an address."""
    await terminal.press("escape")
    # What follows an escape too closely would be one key together with it (alt).
    await terminal.quiet(0.3)


async def tour(terminal: Terminal) -> AsyncIterator[tuple[str, Screen]]:
    """Open each screen and each dialog once, and yield its name and what was on the terminal."""
    await started(terminal)
    for number in SIGNS:
        yield number, await go(terminal, number)
        if number == "7":
            await leave_field(terminal)
    await go(terminal, "4")
    for stop in DIALOGS:
        await terminal.send(stop.keys)
        yield stop.name, await terminal.until(stop.sign, what=f"the dialog {stop.name}")
        await terminal.press("escape")
        await terminal.until(back_on_routes, what=f"Routes after {stop.name}")


def back_on_routes(screen: Screen) -> bool:
    """Return whether Routes is shown and nothing stands over it."""
    assert number_of(screen) == "4"
    assert bar(screen), "the table has no cursor"
    assert screen.find("every route")
    assert not any(line.startswith((" /", " :")) for line in screen.lines[-3:])
    assert not screen.find("╭")
    assert not screen.find("+---")
    return True


def bar(screen: Screen) -> str:
    """Return the text of the row under a table's cursor, empty if no table has the keys."""
    rows = [line for line, cells in zip(screen.lines, screen.cells, strict=True) if all(cell.reverse for cell in cells)]
    return rows[0] if rows else ""


def prefix_under(screen: Screen) -> str:
    """Return the prefix in the row under the cursor."""
    found = re.search(r"[0-9a-f:.]+/\d+", bar(screen))
    return found[0] if found else ""


async def on_routes(terminal: Terminal) -> list[str]:
    """Go to Routes, and return the prefixes in the window."""
    await started(terminal)
    await go(terminal, "4")
    await terminal.until(
        lambda screen: back_on_routes(screen) and place(screen) and len(prefixes_of(screen)) == screen.rows - 8
    )
    return prefixes_of(terminal.screen)


def prefixes_of(screen: Screen) -> list[str]:
    """Return the prefixes in the window."""
    return [found[1] for line in screen.lines if (found := re.match(r"B\S*\s+(\S+/\d+)\s", line))]


def under(prefix: str) -> Callable[[Screen], object]:
    """Return a condition: the cursor is on this prefix."""

    def shown(screen: Screen) -> bool:
        assert prefix_under(screen) == prefix
        return True

    return shown


def place(screen: Screen) -> tuple[int, int]:
    """Return which row of how many the cursor is on, as the screen Routes tells."""
    found = re.search(r" ([\d,]+)/([\d,]+)(?:  |$)", screen.lines[3])
    assert found, screen.lines[3]
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


async def typed(terminal: Terminal, text: str, shown: str) -> Screen:
    """Type something and wait until the terminal shows something."""
    await terminal.send(text)
    return await terminal.until(shown)


async def leave_prompt(terminal: Terminal) -> None:
    """Give up what is typed, and leave."""
    await terminal.press("escape")
    await terminal.until(back_on_routes)
    await leave(terminal)


def assert_in_bounds(terminal: Terminal) -> None:
    """Fail if anything was ever written beyond the last column of a terminal that kept its size, or if something broke."""
    (size,) = terminal.sizes
    wider = Emulator(size.columns + 60, size.rows)
    end = terminal.raw.find(b"\x1b[?1049l")  # what is printed afterwards is the terminal's to break
    for chunk in terminal.chunks:
        wider.feed(bytes(terminal.raw[chunk.start : chunk.end if end < 0 else min(chunk.end, end)]))
        beyond = ["".join(cell.data for cell in row[size.columns :]).strip() for row in wider.look().cells]
        assert not any(beyond), (beyond, terminal.describe(terminal.screen))
    assert_unbroken(terminal)


def assert_unbroken(terminal: Terminal) -> None:
    """Fail if an exception was shown."""
    assert b"Traceback" not in terminal.raw, terminal.describe(terminal.screen)


async def state(demo: Demo) -> str:
    """Return everything of the daemon that a decision changes, as one text to compare."""
    plans = await demo.ask("plan", "list")
    holds = await demo.ask("holds")
    status = await demo.ask("status")
    return json.dumps([plans["items"], holds["items"], status["mode"], status["change"], status["plan"]["summary"]])
