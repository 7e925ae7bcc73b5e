"""What the pictures are taken of: a demo of its own, and a terminal UI as ``kubectl exec -it`` opens it."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from signal import SIGTERM
from typing import Any

from tools.terminal import session
from tools.terminal.screen import Screen
from tools.terminal.session import Terminal

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "monitor")
PATIENCE = 60.0
"""Seconds that anything may take before it counts as broken."""

REST = 0.3
"""Seconds without output after which a screen counts as drawn: it draws itself anew only once a second."""

Wanted = str | Callable[[Screen], object]


class StageError(Exception):
    """What the pictures are to be taken of does not work; the text says what."""


def clean_environment() -> dict[str, str]:
    """What a program finds under ``kubectl exec``: no locale, no time zone, no word about colours."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/"}


def client(run_dir: Path, *words: str, codes: tuple[int, ...] = (0,)) -> Any:
    """What a command answers as JSON.  Raises StageError if it ends with none of *codes*."""
    argv = [*PROGRAM, *words, "-o", "json", "--run-dir", str(run_dir)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=clean_environment())
    if done.returncode not in codes:
        raise StageError(f"bgpmon {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout or "{}")


async def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Look at *condition* again and again until it is true.  Raises StageError at the deadline."""
    try:
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - other processes are asked, and they tell nobody
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise StageError(f"waited {seconds:g} s in vain for {what}") from None


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Make a private directory with a short name: a socket's path has room for 107 characters."""
    with tempfile.TemporaryDirectory(prefix="bgs-", dir="/tmp") as path:
        yield Path(path)


@contextlib.asynccontextmanager
async def demo(directory: Path, *words: str) -> AsyncIterator[Path]:
    """Run ``bgpmon demo`` that is ready when the block begins, and is gone afterwards; where its sockets are."""
    run_dir, log = directory / "run", directory / "log"
    run_dir.mkdir(mode=0o700)
    environment = {**clean_environment(), "TMPDIR": str(directory)}
    argv = [*PROGRAM, "demo", "--no-shell", "--run-dir", str(run_dir), *words]
    process = _start(argv, log, environment)

    def ready() -> bool:
        if process.poll() is not None:
            raise StageError(f"the demo ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
        return "ends the demo" in log.read_text(errors="replace")

    try:
        await until(ready, "the demo to be ready")
        yield run_dir
    finally:
        if process.poll() is None:
            process.send_signal(SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(argv: list[str], log: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, env=environment
        )


@contextlib.asynccontextmanager
async def tui(
    run_dir: Path, *words: str, columns: int, rows: int, env: Mapping[str, str] | None = None
) -> AsyncIterator[Terminal]:
    """Run the terminal UI for the daemon with its sockets in *run_dir*; *env* adds to the clean environment."""
    environment = {**clean_environment(), "BGPMON_RUN_DIR": str(run_dir), **(env or {})}
    argv = [*PROGRAM, *words]
    async with session.running(argv, columns=columns, rows=rows, env=environment, cwd=ROOT) as terminal:
        yield terminal


async def shown(terminal: Terminal, wanted: Wanted, *, still: bool = True, patience: float = PATIENCE) -> Screen:
    """Wait until the screen has a text, or *wanted* of it is true, and until it is drawn to its end.

    With *still*, nothing may come for a moment: what is shown only for seconds is taken without.
    """
    screen = await terminal.until(wanted, patience)
    if still:
        await terminal.quiet(REST, PATIENCE)
        screen = await terminal.until(wanted, PATIENCE)
    return screen


async def resized(terminal: Terminal, columns: int, rows: int) -> None:
    """Give the terminal another size, and wait until everything is drawn for it."""
    if (terminal.screen.columns, terminal.screen.rows) == (columns, rows):
        return
    mark = terminal.mark()
    terminal.resize(columns, rows)

    def drawn(screen: Screen) -> bool:
        return (
            terminal.mark() > mark and bool(screen.lines[-1]) and any(len(line) >= columns - 1 for line in screen.lines)
        )

    await terminal.until(drawn, PATIENCE, f"not drawn for {columns}x{rows}")
    await terminal.quiet(REST, PATIENCE)
    await terminal.until(drawn, PATIENCE, f"not drawn for {columns}x{rows}")
