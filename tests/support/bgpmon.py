"""A real bgpmon daemon as a process of its own, asked through its command line; gone with the test."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from monitor.api.client import Client
from monitor.errors import ApiError, DaemonUnreachable
from tests.support.daemon import Daemon
from tests.support.netns import Namespace
from tests.support.wait import until

PROGRAM = Path(sys.executable).parent / "bgpmon"
"""The command that was installed beside the Python that runs the tests."""


class Bgpmon(Daemon):
    """One ``bgpmon run`` with its own run and state directories.

    The configuration *text* names neither of them: both are added here.  *wrapper* is a command that starts it.
    """

    def __init__(
        self, text: str, directory: Path, namespace: Namespace | None = None, wrapper: Sequence[str] = ()
    ) -> None:
        self.run_dir = directory / "run"
        self.file = directory / "bgpmon.yaml"
        self.file.write_text(f"run_dir: {self.run_dir}\nstate_dir: {directory / 'state'}\n{text}")
        argv = [*wrapper, str(PROGRAM), "run", "--config", str(self.file)]
        super().__init__("bgpmon", argv, directory, namespace)

    async def start(self, *, ready: bool = True) -> None:
        """Start it and wait until it answers; with *ready* also until every domain is completely known."""
        self.launch()
        await until(lambda: self._answers(ready=ready), timeout=40, what="bgpmon to be ready")

    async def restart(self, *, ready: bool = True) -> None:
        """Stop it and start it again."""
        await self.stop()
        await self.start(ready=ready)

    async def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a client command with JSON output, whatever its exit code."""
        command = [str(PROGRAM), *words, "--run-dir", str(self.run_dir), "-o", "json"]
        return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=60)

    async def cli(self, *words: str) -> Any:
        """What a client command prints as JSON; AssertionError with its words if it failed."""
        done = await self.command(*words)
        assert done.returncode == 0, f"bgpmon {' '.join(words)} ended with {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    async def ask(self, question: str, *words: str) -> Any:
        """What the API answers to *question*, a method of its client; AssertionError where it does not.

        It is what the command line asks, without the cost of a process: for waiting.
        """

        def call() -> Any:
            with Client(self.run_dir) as client:
                return getattr(client, question)(*words)

        try:
            return await asyncio.to_thread(call)
        except (ApiError, DaemonUnreachable) as error:
            raise AssertionError(f"bgpmon {question} {' '.join(words)}: {error}") from error

    async def _answers(self, *, ready: bool) -> bool:
        self.assert_running()
        status = await self.ask("status")
        assert status["ready"] or not ready, status
        return True


@contextlib.asynccontextmanager
async def running_bgpmon(
    text: str,
    directory: Path,
    *,
    namespace: Namespace | None = None,
    wrapper: Sequence[str] = (),
    ready: bool = True,
) -> AsyncIterator[Bgpmon]:
    """Run a bgpmon with this configuration in *directory*; it answers when the block begins."""
    directory.mkdir(parents=True, exist_ok=True)
    daemon = Bgpmon(text, directory, namespace, wrapper)
    with daemon.supervised():
        await daemon.start(ready=ready)
        yield daemon
