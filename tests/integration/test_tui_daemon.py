"""The terminal UI and a daemon that goes away, comes back, is slow, refuses, or tells texts that are meant for the terminal."""

import asyncio
import contextlib
import json
import os
import select
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.api.client import Client
from monitor.errors import Refused
from monitor.ports import Document
from monitor.tui.link import Link
from monitor.tui.looks import Looks
from monitor.tui.watchdog import HUNG_UP, Watchdog
from tests.support.terminal import Demo, Terminal, demo, short_place
from tests.support.tui import (
    assert_in_bounds,
    assert_unbroken,
    back_on_routes,
    go,
    leave,
    leave_field,
    number_of,
    on,
    place,
    prefix_under,
    started,
    tui,
)
from tests.support.wait import until
from tests.unit.monitor.api.daemon import Book, serving
from tools.terminal.screen import Screen

pytestmark = pytest.mark.timeout(180)

STILL = ("--rate", "0", "--seed", "7")
DOCUMENTS = Path(__file__).resolve().parents[1] / "unit" / "monitor" / "cli" / "documents"
MARKUP = "[red]x[/]"
EVIL = f"{MARKUP}\x1b[7777h\x1b]0;owned\x07\x9b31m\x1b[2J\u202e\r\n\x00"
FORBIDDEN = (b"\x1b[7777", b"\x1b]0;", b"\x07owned", b"\xc2\x9b", b"\x9b31", "\u202e".encode(), b"\x00")
PARSED = frozenset(
    {
        "prefix",
        "address",
        "at",
        "since",
        "digest",
        "short",
        "state",
        "kind",
        "op",
        "created_at",
        "expires_at",
        "deadline",
        "peer",
    }
)
"""What the daemon itself writes and nobody else: these are as they are."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place for one test."""
    with short_place() as path:
        yield path


# Gone and back


def faded(screen: Screen) -> bool:
    """Whether every row of the table but the one under the cursor is dim."""
    rows = [
        cells
        for line, cells in zip(screen.lines, screen.cells, strict=True)
        if line.startswith("B") and not cells[0].reverse
    ]
    assert rows
    return all(cell.dim for cells in rows for cell in cells if cell.data.strip())


async def test_a_daemon_that_goes_away_and_comes_back_is_said_and_found_again(folder: Path) -> None:
    run_dir = folder / "run"
    async with demo(folder, *STILL, "--run-dir", str(run_dir)) as first, tui(run_dir, columns=120, rows=30) as terminal:
        await started(terminal)
        await go(terminal, "2")
        await go(terminal, "4")
        await terminal.press("end")
        await terminal.until(lambda screen: len(set(place(screen))) == 1 and prefix_under(screen) and not faded(screen))
        await first.stop()
        await terminal.until("DAEMON GONE", timeout=30)
        await terminal.until(faded, what="what is old to be grey")
        await terminal.press("2")
        await terminal.until(lambda screen: number_of(screen) == "2" and screen.find("172.30.1.1"))
        await terminal.press("4")
        await terminal.until(lambda screen: number_of(screen) == "4" and faded(screen))
        async with demo(folder, *STILL, "--run-dir", str(run_dir)):
            await terminal.until("reattached", timeout=30)
            await terminal.until(lambda screen: back_on_routes(screen) and not faded(screen), timeout=30)
            await terminal.press("home")
            await terminal.until("10.0.0.0/8")
            await leave(terminal)
        assert_in_bounds(terminal)


async def test_without_a_daemon_it_says_so_until_one_comes(folder: Path) -> None:
    run_dir = folder / "run"
    async with tui(run_dir, columns=100, rows=30) as terminal:
        await terminal.until("DAEMON GONE", timeout=20)
        for number in "2345":
            await terminal.press(number)
            await terminal.until(on(number))
        await terminal.press("1")
        async with demo(folder, *STILL, "--run-dir", str(run_dir)):
            await started(terminal)
            await leave(terminal)
        assert_in_bounds(terminal)


async def test_without_a_daemon_it_can_be_left(folder: Path) -> None:
    async with tui(folder / "run", columns=100, rows=30) as terminal:
        await terminal.until("DAEMON GONE", timeout=20)
        await leave(terminal)
        assert_unbroken(terminal)


# A small daemon that tells what it is told to


def document(name: str) -> Any:
    """A document that a daemon once told."""
    return json.loads((DOCUMENTS / f"{name}.json").read_text())


def spoilt(value: Any, name: str = "") -> Any:
    """A document of which every text that comes from outside has been written by somebody who means harm."""
    if isinstance(value, dict):
        return {key: spoilt(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [spoilt(item, name) for item in value]
    return f"{EVIL}{value}" if isinstance(value, str) and name not in PARSED else value


class Teller(Book):
    """Tells documents; ``waits`` makes calls wait, by their names."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: dict[str, threading.Event] = {}
        names = {"status": "status-change", "peers": "peers", "domains": "domains", "plan": "plan-frozen", "plans": "plans",
                 "explain": "explain", "lookup": "lookup", "doctor": "doctor", "history": "history", "holds": "holds",
                 "events": "events"}  # fmt: skip
        self.answers.update({call: document(name) for call, name in names.items()})
        rows = [{**row, "key": str(number)} for number, row in enumerate(document("routes")["items"])]
        head = {
            "view": 1,
            "total": len(rows),
            "complete": True,
            "took_seconds": 0.001,
            "made_at": "2026-11-24T08:01:00Z",
        }
        self.answers["view"] = head
        self.answers["window"] = {**head, "first": 0, "at": None, "changes": 0, "items": rows}

    async def _answer(self, *asked: Any) -> Document:
        if asked[0] in self.waits:
            await asyncio.to_thread(self.waits[asked[0]].wait, 60)
        return await super()._answer(*asked)

    async def events(self, after: int = 0, since: float = 0.0, limit: int = 100, wait: float = 0.0) -> Document:
        if after:  # nothing new ever comes
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), wait)
            return {"items": [], "last": after}
        return await super().events(after, since, limit, wait)


@contextlib.asynccontextmanager
async def told(folder: Path, teller: Teller, columns: int = 140, rows: int = 45) -> AsyncIterator[Terminal]:
    """The terminal UI on such a daemon."""
    with serving(folder, teller):
        async with tui(folder, columns=columns, rows=rows) as terminal:
            await terminal.until("lab", timeout=20)
            yield terminal


@pytest.mark.parametrize("columns", [80, 160])
async def test_texts_from_outside_are_text_and_nothing_else(folder: Path, columns: int) -> None:
    teller = Teller()
    teller.answers = {call: spoilt(answer) for call, answer in teller.answers.items()}
    async with told(folder, teller, columns) as terminal:
        for number in "12345678":
            await terminal.press(number)
            await terminal.until(on(number))
            if number == "7":
                await terminal.send("10.8.1.1\r")
                await terminal.until("VERDICT")
                await leave_field(terminal)
            await terminal.until(MARKUP, what=f"the text on screen {number}, as it is")
        await terminal.press("4")
        await terminal.until(on("4"))
        await terminal.press("enter")
        await terminal.until("HISTORY")
        await terminal.until(MARKUP)
        await terminal.press("v")
        await terminal.until(lambda screen: screen.find("bgpmon history") and screen.find(MARKUP), timeout=20)
        await terminal.press("escape")
        await terminal.until("HISTORY")
        await terminal.press("y", "escape")
        await terminal.until(on("4"))
        await leave(terminal)
        for octets in FORBIDDEN:
            at = terminal.raw.find(octets)
            assert at < 0, bytes(terminal.raw[max(0, at - 200) : at + 40])
        assert terminal.bells == 0
        assert terminal.screen.title == ""
        assert_in_bounds(terminal)


@pytest.mark.parametrize(
    ("number", "call"), [("2", "peers"), ("3", "domains"), ("5", "plan"), ("8", "doctor"), ("4", "view")]
)
async def test_a_question_that_is_refused_is_one_line_and_the_rest_goes_on(
    folder: Path, number: str, call: str
) -> None:
    teller = Teller()
    teller.answers[call] = Refused(f"not today:\nask {MARKUP}")
    async with told(folder, teller) as terminal:
        await terminal.press(number)
        await terminal.until(lambda screen: number_of(screen) == number and screen.find(f"!! not today: ask {MARKUP}"))
        assert not terminal.screen.find("DAEMON GONE")
        await terminal.press("6")
        await terminal.until(on("6"))
        await leave(terminal)
        assert_in_bounds(terminal)


async def test_a_daemon_that_thinks_for_long_does_not_hold_up_the_keys(folder: Path) -> None:
    teller = Teller()
    thinking = teller.waits["peers"] = threading.Event()
    try:
        async with told(folder, teller) as terminal:
            await terminal.press("2")
            await terminal.until(on("2"))
            assert not terminal.screen.find("no peers"), "nobody said that"
            await terminal.press("3")
            await terminal.until(lambda screen: number_of(screen) == "3" and screen.find("internet"))
            await terminal.press("2")
            await terminal.until(on("2"))
            thinking.set()
            await terminal.until("ok Estab", timeout=20)
            await leave(terminal)
            assert_in_bounds(terminal)
    finally:
        thinking.set()


# Nobody at the terminal


@pytest.fixture
def pair() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal."""
    master, slave = os.openpty()
    open_ends = {master, slave}
    os.set_blocking(slave, False)
    try:
        yield master, slave
    finally:
        for end in open_ends:
            with contextlib.suppress(OSError):
                os.close(end)


async def test_a_terminal_that_takes_nothing_is_left(pair: tuple[int, int]) -> None:
    _, slave = pair

    def full() -> bool:
        with contextlib.suppress(BlockingIOError):
            while os.write(slave, b"x" * 4096):
                pass
        return not select.select([], [slave], [], 0)[1]

    left: list[int] = []
    watchdog = Watchdog(slave, slave, lambda _, code: left.append(code), blocked=0.5)
    watchdog.start()
    try:
        # The kernel moves what was written on for a while, and takes more then.
        await until(lambda: full() and left == [1], what="the watchdog to leave")
    finally:
        watchdog.stop()


async def test_a_terminal_that_has_gone_is_left(pair: tuple[int, int]) -> None:
    master, slave = pair
    left: list[int] = []
    watchdog = Watchdog(slave, slave, lambda _, code: left.append(code))
    watchdog.start()
    try:
        os.close(master)
        await until(lambda: left == [HUNG_UP], what="the watchdog to leave")
    finally:
        watchdog.stop()


@pytest.fixture(scope="module")
def still() -> Iterator[Demo]:
    """A demo in which nothing moves."""
    with short_place() as path:
        found = Demo(path, "--no-shell", *STILL)
        with found.supervised():
            found.launch()
            asyncio.run(found.ready())
            yield found


@pytest.mark.slow
async def test_a_terminal_that_is_read_no_more_ends_the_program(still: Demo) -> None:
    async with tui(still.run_dir, columns=200, rows=60) as terminal:
        await started(terminal)
        terminal.stop_reading()
        for _ in range(10):
            await terminal.press("4", "G", "g", "1")
        assert await terminal.wait_exit(60) == 1


async def test_a_program_without_input_prints_the_status(still: Demo) -> None:
    async with tui(still.run_dir, wrapper=("sh", "-c", '"$@" <&-', "sh")) as terminal:
        assert await terminal.wait_exit(20) == 0
        assert b"demo-node" in terminal.raw
        assert_unbroken(terminal)


async def test_who_types_nothing_for_a_while_is_locked_out_again(still: Demo) -> None:
    from monitor.tui.app import BgpmonApp  # noqa: PLC0415 - only this test wants Textual in its own process

    run_dir = str(still.run_dir)
    app = BgpmonApp(Link(lambda: Client(run_dir)), Looks(), unlocked=1.0)
    async with app.run_test(size=(100, 30)):
        await until(lambda: app.link.up)
        app.link.unlock()
        assert app.link.unlocked
        await until(lambda: not app.link.unlocked, what="the screen to lock itself")
