"""The terminal UI on a real pseudo terminal, in front of a daemon with a million routes of which thousands change every second.

A key's time begins when it is written and ends when bytes are read, by this process, which does nothing else meanwhile: what the
bytes showed is found out afterwards.  "shown" is when the screen had what the key asks for, not only a sign of life.
"""

import asyncio
import compileall
import contextlib
import json
import math
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.million import memory_mb
from monitor.api.client import Client
from tests.support.terminal import clean_environment
from tools.terminal.screen import Screen
from tools.terminal.session import AT_ONCE, Chunk, Terminal

SIZES = ((80, 24), (160, 45))
CHURN = 5000
LOADING = 1200.0
"""Seconds after which a daemon that is not ready is given up."""
QUIET = 0.06
"""Seconds without a byte that end the answer to a key."""
PATIENCE = 10.0
"""Seconds after which a key counts as not answered."""
GROWING = 40.0
"""Seconds after which a view counts as one that is never complete."""
STARTS = 5
MOVES, SCROLLS, PAGES, ENDS = 200, 100, 100, 20
IDLE_SECONDS = 10.0
WINDOWS = 200
REPEAT = 1 / 30
"""Seconds between two keys of a keyboard whose key is held down."""

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("Over")

Bare().run()
"""
"""What Textual takes by itself until it shows a word: no program on it starts faster."""

ROOM = 4
"""The column of a row from which on its prefix stands."""

ASPATH, IN = 'aspath ~ "_65001_"', "in 10.0.0.0/8"

Done = Callable[[Screen], bool]


class Typist(Terminal):
    """A terminal whose bytes are only kept while somebody waits for them; ``look`` finds out what they showed."""

    def __init__(self, argv: Sequence[str], columns: int, rows: int, env: dict[str, str]) -> None:
        self._shown = 0
        self.began = time.monotonic()
        super().__init__(argv, columns=columns, rows=rows, env=env)

    def _on_output(self) -> bool:
        try:
            octets = os.read(self._master, AT_ONCE)
        except BlockingIOError:
            return False
        except OSError:
            octets = b""
        if octets:
            self.chunks.append(Chunk(time.monotonic(), len(self.raw), len(self.raw) + len(octets)))
            self.raw += octets
        else:
            self.stop_reading()
            self._ended = True
        self._changed.set()
        return bool(octets)

    def look(self, end: int | None = None) -> Screen:
        """Return the screen as it was after so many bytes, or is now."""
        upto = len(self.raw) if end is None else end
        if upto > self._shown:
            self._emulator.feed(bytes(self.raw[self._shown : upto]))
            self._shown = upto
        return self._emulator.look()

    async def when(self, done: Done, mark: int, timeout: float) -> tuple[float | None, Screen]:
        """Read until it is quiet and *done*; returns when the screen came to be so, None if it never did."""
        deadline, at = time.monotonic() + timeout, mark
        while True:
            await self._silence(deadline)
            for chunk in self.chunks_since(at):
                screen = self.look(chunk.end)
                at = chunk.end
                if done(screen):
                    return chunk.at, self.look()
            if self._ended or time.monotonic() >= deadline:
                return None, self.look()

    async def _silence(self, deadline: float) -> None:
        """Return once nothing has come for a moment."""
        while not self._ended and time.monotonic() < deadline:
            self._changed.clear()
            try:
                async with asyncio.timeout(QUIET):
                    await self._changed.wait()
            except TimeoutError:
                return


class Answer(NamedTuple):
    """What a key brought: milliseconds to the first byte, to what it asks for, to the last byte; and how many bytes."""

    first: float
    shown: float
    last: float
    octets: int


async def answer(
    terminal: Typist, done: Callable[[Screen], Done], press: Callable[[], Awaitable[float]], patience: float = PATIENCE
) -> Answer:
    """Press a key and measure; *done* makes, of the screen before, the test of the screen after."""
    met, mark = done(terminal.look()), terminal.mark()
    pressed = await press()
    shown, _ = await terminal.when(met, mark, patience)
    chunks = terminal.chunks_since(mark)
    if not chunks:
        raise AssertionError(f"a key is not answered\n{terminal.describe(terminal.look())}")
    return Answer(
        1000 * (chunks[0].at - pressed),
        math.inf if shown is None else 1000 * (shown - pressed),
        1000 * (chunks[-1].at - pressed),
        terminal.mark() - mark,
    )


def under(screen: Screen) -> str:
    """Return what stands under the cursor of the table, empty where nothing is there yet."""
    for row, cells in enumerate(screen.cells):
        if cells[ROOM].reverse and cells[ROOM + 8].reverse:
            line = screen.lines[row]
            return "" if "····" in line else line[ROOM : ROOM + 18]
    return ""


def moved(before: Screen) -> Done:
    """Another row is under the cursor, and no row is missing."""
    was = under(before)

    def done(screen: Screen) -> bool:
        now = under(screen)
        return bool(now) and now != was and not screen.find("····")

    return done


def counted(before: Screen) -> Done:
    """The head of the table counts all rows of another view, and all that are on the screen are there."""
    was = _count(before)

    def done(screen: Screen) -> bool:
        now = _count(screen)
        return bool(now) and now != was and not screen.find("····")

    return done


def _count(screen: Screen) -> str:
    """Return how many rows a complete view has and how long it took, which two views hardly have in common."""
    found = (re.search(r"(?<= )[\d,]+/[\d,]+ +query \d+ ms", line) for line in screen.lines[:6])
    return next((match[0] for match in found if match), "")


# What is printed


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which *part* of all are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def judged(value: float, budget: float | None, unit: str, what: str = "") -> str:
    """Return a budget and how a value stands to it."""
    if budget is None:
        return ""
    over = "   over" if value > budget else ""
    return f"   budget {what}{budget:g} {unit}: {value / budget:.2f} x{over}"


def figure(name: str, value: float, unit: str, budget: float | None = None) -> str:
    """Return one line with one figure."""
    return f"  {name:46}{value:10.2f} {unit:6}{judged(value, budget, unit)}"


def spread(
    name: str, values: Sequence[float], unit: str = "ms", budget: float | None = None, part: float = 0.99
) -> str:
    """Return one line about many values of one thing."""
    words = f"p50 {quantile(values, 0.5):8.1f}  p99 {quantile(values, 0.99):8.1f}  max {max(values):8.1f} {unit}"
    against = "p99 " if part == 0.99 else "p50 "
    return f"  {name:46}{words}{judged(quantile(values, part), budget, unit, against)}"


def answers(name: str, found: Sequence[Answer], *, within: float | None, octets: float | None) -> list[str]:
    """Return the lines about one kind of key."""
    return [
        spread(f"{name}: first byte", [item.first for item in found], budget=within),
        spread(f"{name}: shown", [item.shown for item in found], budget=within),
        spread(f"{name}: last byte", [item.last for item in found]),
        spread(f"{name}: bytes", [float(item.octets) for item in found], "B", octets, 0.5),
    ]


def load() -> str:
    """Say how busy this machine is."""
    return f"  load {' '.join(f'{value:.1f}' for value in os.getloadavg())} on {os.cpu_count()} cores"


def processor_seconds(pid: int) -> float:
    """Return what all threads of a process have used (proc(5), schedstat: nanoseconds)."""
    used = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            used += int(file.read_text().split()[0])
    return used / 1e9


# The daemon


class Daemon:
    """A ``bench.million`` that is ready."""

    def __init__(self, process: asyncio.subprocess.Process, run_dir: Path) -> None:
        self._process = process
        self.run_dir = run_dir
        self.churning = True

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def hear(self) -> dict[str, Any]:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the daemon ended"
        found: dict[str, Any] = json.loads(line)
        return found

    async def stalls(self) -> dict[str, float]:
        """Return how its loop stood still since this was asked last."""
        self._process.send_signal(signal.SIGUSR1)
        found: dict[str, float] = (await self.hear())["stalls"]
        return found

    async def churn(self, *, on: bool) -> None:
        """Have routes change, or not; what is under way is waited for."""
        if on != self.churning:
            self.churning = on
            self._process.send_signal(signal.SIGUSR2)
            await asyncio.sleep(3.0)


@contextlib.asynccontextmanager
async def running_daemon(routes: int, place: Path) -> AsyncIterator[tuple[Daemon, dict[str, Any]]]:
    """Run a daemon; yields it and what it said when it was ready."""
    argv = [sys.executable, "-m", "bench.million", str(place), "--routes", str(routes), "--churn", str(CHURN)]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    try:
        daemon = Daemon(process, place)
        async with asyncio.timeout(LOADING):
            said = await daemon.hear()
        yield daemon, said
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


# Measurements


async def terminal(routes: int) -> AsyncIterator[str]:
    """Yield the figures, line by line."""
    yield f"the terminal UI: {routes:,} routes, {CHURN:,} changes a second unless it says otherwise"
    # An installation has its bytecode; a checkout need not.
    for package in ("monitor", "programmer"):
        compileall.compile_dir(Path(__file__).parents[1] / package, quiet=2)
    with tempfile.TemporaryDirectory(prefix="bb-", dir="/tmp") as place:
        async with running_daemon(routes, Path(place)) as (daemon, said):
            yield f"  the daemon: {said['routes']:,} routes after {said['seconds']:.0f} s, {said['rss_mb']} MB"
            yield load()
            for columns, rows in SIZES:
                yield f"{columns}x{rows}:"
                async for line in _on_terminal(daemon, columns, rows):
                    yield line
                yield load()
            yield "the daemon:"
            async for line in _of_daemon(daemon):
                yield line
            yield load()


@contextlib.asynccontextmanager
async def opened(daemon: Daemon, columns: int, rows: int) -> AsyncIterator[Typist]:
    """Open the real thing."""
    argv = [str(Path(sys.executable).with_name("bgpmon"))]
    found = Typist(argv, columns, rows, clean_environment(daemon.run_dir))
    try:
        yield found
    finally:
        found.close()


async def _on_terminal(daemon: Daemon, columns: int, rows: int) -> AsyncIterator[str]:
    for on in (False, True):
        await daemon.churn(on=on)
        first, data, cpu = await _starts(daemon, columns, rows)
        when = "under churn" if on else "without churn"
        yield figure(f"start to first frame, {when}, median of {STARTS}", first, "s", 0.6)
        yield figure(f"start to first data, {when}", data, "s", 0.8)
        yield figure("  its CPU until then", cpu, "s", 0.8)
        bare = await _bare(columns, rows)
        yield f"{figure('  a program on Textual that shows one word', bare, 's')}  ours: {first / bare:.2f} x"
    async with opened(daemon, columns, rows) as found:
        # How long a busy daemon takes to find a million rows is measured for itself.
        await daemon.churn(on=False)
        await _to_routes(found)
        await daemon.churn(on=True)
        async for line in _keys(found, columns, rows):
            yield line
        for on in (False, True):
            await daemon.churn(on=on)
            async for line in _views(found, "under churn" if on else "without churn"):
                yield line
        async for line in _held_down(daemon, found):
            yield line
        await _walk(found)
        yield figure("memory after a walk, RSS", memory_mb(found.pid), "MB", 80)
        yield figure("memory after a walk, PSS", memory_mb(found.pid, "Pss"), "MB", 80)
        for on, budget in ((True, 4.0), (False, 0.2)):
            await daemon.churn(on=on)
            for key, name in (("4", "routes"), ("1", "overview")):
                async for line in _idle(found, key, name, budget, on=on):
                    yield line
        await daemon.churn(on=True)


async def _starts(daemon: Daemon, columns: int, rows: int) -> tuple[float, float, float]:
    firsts, datas, cpus = [], [], []
    for _ in range(STARTS):
        async with opened(daemon, columns, rows) as found:
            data, _ = await found.when(lambda screen: "bench" in screen.lines[0], 0, PATIENCE)
            cpus.append(processor_seconds(found.pid))
            firsts.append(_first_frame(found, columns, rows) - found.began)
            # A daemon that is too busy to tell its status in time leaves the screen without it for ever.
            datas.append(math.inf if data is None else data - found.began)
    return statistics.median(firsts), statistics.median(datas), statistics.median(cpus)


async def _bare(columns: int, rows: int) -> float:
    firsts = []
    for _ in range(STARTS):
        found = Typist([sys.executable, "-c", BARE], columns, rows, clean_environment())
        try:
            await found.when(lambda screen: "Over" in screen.text, 0, PATIENCE)
            firsts.append(_first_frame(found, columns, rows) - found.began)
        finally:
            found.close()
    return statistics.median(firsts)


def _first_frame(found: Typist, columns: int, rows: int) -> float:
    """Return when the names of the screens were drawn: that is the first frame that anybody recognises."""
    for chunk in found.chunks:
        if b"Over" in found.raw[: chunk.end]:
            return chunk.at
    raise AssertionError(f"no frame of {columns}x{rows}\n{found.describe(found.look())}")


async def _to_routes(found: Typist) -> None:
    at, screen = await found.when(lambda screen: "bench" in screen.lines[0], 0, PATIENCE)
    mark = found.mark()
    await found.press("4")
    at, screen = await found.when(counted(screen), mark, GROWING)
    assert at is not None, found.describe(screen)


async def _keys(found: Typist, columns: int, rows: int) -> AsyncIterator[str]:
    dice, used = random.Random(columns), 0.0

    async def many(names: Sequence[str]) -> list[Answer]:
        nonlocal used
        measured = []
        used = processor_seconds(found.pid)
        for name in names:
            # The clock of the program ticks once a second: keys must not march in step with it.
            await asyncio.sleep(dice.random() / 20)
            measured.append(await answer(found, moved, lambda name=name: found.press(name)))  # type: ignore[misc]
        used = 1000 * (processor_seconds(found.pid) - used) / len(names)
        return measured

    within = await many(["down", "down", "up", "up"] * (MOVES // 4))
    for line in answers("cursor", within, within=15, octets=1000):
        yield line
    yield figure("cursor: CPU of a key, and of the seconds' clock", used, "ms")
    await found.press("end", "home")
    await found.when(lambda screen: True, 0, 1.0)
    scrolling = (await many(["down"] * (rows + SCROLLS)))[rows:]
    for line in answers("cursor that scrolls", scrolling, within=15, octets=2800 if columns == 80 else 12_000):
        yield line
    pages = await many(["pagedown"] * (PAGES * 3 // 4) + ["pageup"] * (PAGES // 4))
    for line in answers("page", pages, within=30, octets=2800 if columns == 80 else 12_000):
        yield line
    yield figure("page: CPU of a key, and of the seconds' clock", used, "ms")
    ends = await many(["end", "home"] * (ENDS // 2))
    for line in answers("End and Home", ends, within=30, octets=None):
        yield line


async def _views(found: Typist, when: str) -> AsyncIterator[str]:
    for key, name in ((">", "nh"), (">", "dev"), ("<", "nh"), ("<", "prefix")):
        one = await answer(found, counted, lambda key=key: found.press(key), GROWING)  # type: ignore[misc]
        yield f"  {f'sort by {name}, {when}':46}first byte {one.first:7.1f} ms, shown {one.shown:8.1f} ms, {one.octets} B"
    for text, budget in ((ASPATH, 250.0), (IN, None)):
        await found.press("/")
        await found.send(text[:-1])
        await asyncio.sleep(0.5)
        await found.when(lambda screen: True, 0, 1.0)
        one = await answer(found, counted, lambda last=text[-1]: found.send(last), GROWING)  # type: ignore[misc]
        count = next((line for line in found.look().lines[:6] if text in line), "not shown")
        yield (
            f"  {f'{text}, {when}':46}first byte {one.first:7.1f} ms, count complete {one.shown:8.1f} ms"
            f"{judged(one.shown, budget, 'ms')}   [{' '.join(count.split())}]"
        )
        await found.press("enter")
        await asyncio.sleep(0.3)
        await found.press("/", "ctrl+u", "enter")
        await found.when(counted(found.look()), found.mark(), GROWING)


async def _held_down(daemon: Daemon, found: Typist) -> AsyncIterator[str]:
    """Scroll quickly for some seconds."""
    for name in ("down", "pagedown"):
        await daemon.stalls()
        mark, used, began = found.mark(), processor_seconds(found.pid), time.monotonic()
        paid = processor_seconds(daemon.pid)
        keys = 150
        for number in range(keys):
            await found.press(name)
            await asyncio.sleep(max(0.0, began + (number + 1) * REPEAT - time.monotonic()))
        pressed, seconds = time.monotonic(), time.monotonic() - began
        await found.when(lambda screen: True, mark, 2.0)
        cpu, cost = processor_seconds(found.pid) - used, processor_seconds(daemon.pid) - paid
        late = max(0.0, found.chunks[-1].at - pressed)
        octets = found.mark() - mark
        stalls = await daemon.stalls()
        yield (
            f"  {f'{name} held down, {keys} keys in {seconds:.1f} s':46}{octets / keys:8.0f} B a key, "
            f"CPU {100 * cpu / seconds:.0f} % (daemon {100 * cost / seconds:.0f} %), last byte {1000 * late:.0f} ms late"
        )
        yield f"  {'  the daemon stood still':46}{_stalls(stalls)}{judged(stalls['p99'], 5.0, 'ms', 'p99 ')}"


async def _walk(found: Typist) -> None:
    """Look at every screen, and open a route."""
    for key in ("1", "2", "3", "5", "6", "7", "8", "4", "enter"):
        await found.press(key)
        await asyncio.sleep(0.5)
    await found.press("escape")
    await found.when(lambda screen: True, 0, 1.0)


async def _idle(found: Typist, key: str, name: str, budget: float, *, on: bool) -> AsyncIterator[str]:
    await found.press(key)
    await asyncio.sleep(2.5)
    mark, used, began = found.mark(), processor_seconds(found.pid), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - began
    cpu = 100 * (processor_seconds(found.pid) - used) / seconds
    words = f"idle on {name}, {'under churn' if on else 'nothing changes'}"
    yield figure(words, (found.mark() - mark) / seconds / 1000, "kB/s", budget)
    yield figure(f"{words}: CPU", cpu, "%", 2)
    found.look()


def _stalls(found: dict[str, float]) -> str:
    return "  ".join(f"{name} {found[name]:.1f}" for name in ("p50", "p99", "p99.9", "max")) + " ms"


async def _of_daemon(daemon: Daemon) -> AsyncIterator[str]:
    with Client(daemon.run_dir) as client:
        for on in (False, True):
            await daemon.churn(on=on)
            when = "under churn" if on else "without churn"
            async for line in _windows(daemon, client, when):
                yield line
            async for line in _opens(daemon, client, when):
                yield line
    await daemon.stalls()
    await asyncio.sleep(IDLE_SECONDS)
    yield f"  {'stood still, under churn, nobody asks':46}{_stalls(await daemon.stalls())}"


async def _windows(daemon: Daemon, client: Client, when: str) -> AsyncIterator[str]:
    dice = random.Random(1)
    head: dict[str, Any] = await asyncio.to_thread(client.view, wait=5.0)
    rest, began = processor_seconds(daemon.pid), time.monotonic()
    await asyncio.sleep(3.0)
    base = (processor_seconds(daemon.pid) - rest) / (time.monotonic() - began)

    def ask() -> list[float]:
        took = []
        for _ in range(WINDOWS):
            began = time.perf_counter()
            client.window(head["view"], dice.randrange(max(1, head["total"] - 64)), 64)
            took.append(1000 * (time.perf_counter() - began))
        return took

    used, began = processor_seconds(daemon.pid), time.monotonic()
    took = await asyncio.to_thread(ask)
    cpu = processor_seconds(daemon.pid) - used - base * (time.monotonic() - began)
    yield figure(f"a window of 64 rows, {when}: its CPU", 1000 * cpu / WINDOWS, "ms", 1)
    yield spread(f"a window of 64 rows, {when}: its answer", took, budget=1)
    await asyncio.to_thread(client.close_view, head["view"])


async def _opens(daemon: Daemon, client: Client, when: str) -> AsyncIterator[str]:
    for text, sort in (("", ""), ("", "age"), ("", "nh"), (ASPATH, ""), (IN, ""), (ASPATH, "age")):
        await daemon.stalls()
        walls, cpus = [], []
        total = 0
        for _ in range(3):
            used, began = processor_seconds(daemon.pid), time.monotonic()
            head: dict[str, Any] = await asyncio.to_thread(client.view, text, sort=sort, wait=5.0)
            walls.append(1000 * (time.monotonic() - began))
            cpus.append(1000 * (processor_seconds(daemon.pid) - used))
            total = head["total"]
            if not head["complete"]:
                walls[-1] = math.inf
            await asyncio.to_thread(client.close_view, head["view"])
        stalls = await daemon.stalls()
        name = f"view {text or 'of everything'}{f' by {sort}' if sort else ''}, {when}"
        yield (
            f"  {name:46}{statistics.median(walls):8.0f} ms, CPU {statistics.median(cpus):6.0f} ms, {total:,} rows; "
            f"stood still p99 {stalls['p99']:.1f} max {stalls['max']:.1f} ms{judged(stalls['p99'], 5.0, 'ms', 'p99 ')}"
        )
