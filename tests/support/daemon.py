"""A program that a test runs in the background: its log is shown on failure, and it ends with the test."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals

import pytest

from tests.support.netns import Namespace
from tests.support.wait import until

LOG_SHOWN = 3000
"""Characters of a daemon's log that a failing test shows."""


class Daemon:
    """One background program, in a network namespace or in the test's own.

    Everything that it prints goes to ``log``.
    """

    def __init__(self, name: str, argv: Sequence[str], directory: Path, namespace: Namespace | None = None) -> None:
        self.name = name
        self.argv = list(argv)
        self.directory = directory
        self.namespace = namespace
        self.log = directory / f"{name}.log"
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running program."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program runs now."""
        return self._process is not None and self._process.poll() is None

    def launch(self, *more: str) -> None:
        """Start the program, with *more* arguments if given."""
        assert not self.running, f"{self.name} runs already"
        with self.log.open("ab") as log:
            spawn = self.namespace.exec if self.namespace else _spawn
            self._process = spawn(
                *self.argv,
                *more,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    async def kill(self) -> None:
        """End it with SIGKILL, as a crash does."""
        await self._end(SIGKILL)

    async def stop(self, timeout: float = 15.0) -> None:
        """End it with SIGTERM, as an administrator does."""
        await self._end(SIGTERM, timeout)

    def signal(self, number: Signals) -> None:
        """Send a signal."""
        assert self._process is not None, f"{self.name} was never started"
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop it in its tracks: its sockets stay open and it says nothing."""
        self.signal(SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self.signal(SIGCONT)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-LOG_SHOWN:] if self.log.exists() else ""

    def assert_running(self) -> None:
        """Fail, with the end of the log, if it is gone."""
        if not self.running:
            code = self._process.returncode if self._process else None
            pytest.fail(f"{self.name} ended with {code}:\n{self.tail()}")

    async def _end(self, number: Signals, timeout: float = 15.0) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        await until(
            lambda: process.poll() is not None,
            timeout=timeout,
            what=f"{self.name} to end after {number.name}",
        )

    @contextlib.contextmanager
    def supervised(self) -> Iterator[None]:
        """Kill the program at the end, and add its log to whatever went wrong."""
        try:
            yield
        except BaseException as error:
            error.add_note(f"--- log of {self.name}, {self.log} ---\n{self.tail()}")
            raise
        finally:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(SIGCONT)
                self._process.kill()
                self._process.wait()


def require_programs(*names: str) -> None:
    """Skip the test, with the reason, where a program is missing; fail if ``CI=true``."""
    missing = [name for name in names if shutil.which(name) is None and not Path(name).exists()]
    if missing:
        unavailable(f"{', '.join(missing)} not installed; tools/setup installs the Debian packages")


def unavailable(reason: str) -> None:
    """Skip the test because the machine lacks something; a failure if ``CI=true``."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"must run in CI, but: {reason}")
    pytest.skip(reason)


def _spawn(*argv: str, **kw: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(list(argv), **kw)  # type: ignore[call-overload,no-any-return]
