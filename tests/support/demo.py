"""A ``bgpmon demo`` as a process of its own, without rights, in the foreground or on a terminal; gone with the test."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from tests.support.bgpmon import PROGRAM
from tests.support.daemon import Daemon
from tests.support.wait import until

NOBODY = 65534

READING = "+dac_read_search"
"""The only capability left to the demo of a test that root runs: it may have to read this checkout in root's home."""

UNPRIVILEGED = (
    ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", f"--bounding-set=-all,{READING}",
     f"--inh-caps=-all,{READING}", f"--ambient-caps=-all,{READING}"]
    if os.geteuid() == 0
    else []
)  # fmt: skip


class Demo(Daemon):
    """A demo in the foreground; its temporary files go to *place*."""

    def __init__(self, place: Path, *words: str) -> None:
        super().__init__("demo", [*UNPRIVILEGED, str(PROGRAM), "demo", *words], place)
        self.environment = {"TMPDIR": str(place), "HOME": str(place), "BGPMON_RUN_DIR": ""}

    @property
    def said(self) -> str:
        """Everything that it printed."""
        return self.log.read_text(errors="replace")

    @property
    def run_dir(self) -> str:
        """Where its guide says that its sockets are."""
        found = re.search(r"export BGPMON_RUN_DIR=(.+)", self.said)
        assert found, self.said
        return found[1]

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    async def ready(self) -> None:
        """Wait until it has told what to try."""

        def guided() -> bool:
            self.assert_running()
            return "ends the demo" in self.said

        await until(guided, timeout=60, what="the demo's guide")

    async def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a client command as the user of the demo."""
        argv = [*UNPRIVILEGED, str(PROGRAM), *words, "--run-dir", self.run_dir]
        return await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=False, timeout=60)

    async def ask(self, *words: str) -> Any:
        """What a client command prints as JSON; AssertionError with its words if it failed."""
        done = await self.command(*words, "-o", "json")
        assert done.returncode == 0, f"bgpmon {' '.join(words)} ended with {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)


@contextlib.contextmanager
def short_place() -> Iterator[Path]:
    """Make a directory with a short name that the demo's user may write to."""
    with tempfile.TemporaryDirectory(prefix="bd-", dir="/tmp") as path:
        if UNPRIVILEGED:
            os.chown(path, NOBODY, NOBODY)
        yield Path(path)


@contextlib.asynccontextmanager
async def running(place: Path, *words: str) -> AsyncIterator[Demo]:
    """Run a demo that is ready when the block begins."""
    demo = Demo(place, "--no-shell", *words)
    with demo.supervised():
        demo.launch()
        await demo.ready()
        yield demo


class Terminal:
    """A demo on a terminal of its own."""

    def __init__(self, place: Path, *words: str) -> None:
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        self._screen = ""
        environment = {**os.environ, "TMPDIR": str(place), "HOME": str(place), "BGPMON_RUN_DIR": ""}
        environment |= {"TERM": "dumb", "HISTFILE": ""}
        argv = ["setsid", "--ctty", *UNPRIVILEGED, str(PROGRAM), "demo", *words]
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=place)
        os.close(slave)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    @property
    def screen(self) -> str:
        """Everything that has appeared."""
        with contextlib.suppress(BlockingIOError, OSError):
            while octets := os.read(self._master, 65536):
                self._screen += octets.decode(errors="replace")
        return self._screen

    async def shows(self, text: str) -> None:
        """Wait until something has appeared."""

        def shown() -> bool:
            assert text in self.screen, self.screen[-1000:]
            return True

        await until(shown, timeout=60, what=f"{text!r} on the terminal")

    def hang_up(self) -> None:
        """Take the terminal away."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def close(self) -> None:
        """End it, if it still runs, and take the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()
