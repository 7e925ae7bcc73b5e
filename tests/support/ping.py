"""A continuous ping that counts what was lost, to prove that traffic flowed through a change."""

import contextlib
import itertools
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.daemon import Daemon, require_programs
from tests.support.netns import Namespace
from tests.support.wait import until

INTERVAL = 0.02
"""Seconds between two echo requests."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What a ping saw: requests sent, answers, and the longest time between two answers, in seconds.

    While its own link is down ping holds requests back and counts none; the silence shows that too.
    """

    sent: int
    received: int
    longest_silence: float

    @property
    def lost(self) -> int:
        """Requests without an answer."""
        return self.sent - self.received


class Ping(Daemon):
    """One running ping."""

    def __init__(self, directory: Path, namespace: Namespace, target: str, interval: float = INTERVAL) -> None:
        argv = ["ping", "-n", "-D", "-i", str(interval), "-W", "1", target]
        super().__init__(f"ping-{target.replace(':', '-')}", argv, directory, namespace)
        self.log.unlink(missing_ok=True)

    async def answered(self, more: int = 5, timeout: float = 15.0) -> None:
        """Wait until *more* requests than now have been answered."""
        wanted = len(self._answers()) + more
        await until(lambda: len(self._answers()) >= wanted, timeout=timeout, what=f"{more} answers to {self.name}")

    async def finish(self) -> Losses:
        """End the ping and count."""
        self.signal(signal.SIGINT)
        await until(lambda: not self.running, what="ping to print its statistics")
        summary = re.search(r"(\d+) packets transmitted, (\d+) received", self.log.read_text())
        assert summary is not None, f"ping printed no statistics: {self.tail()}"
        times = self._answers()
        silence = max((after - before for before, after in itertools.pairwise(times)), default=0.0)
        return Losses(int(summary[1]), int(summary[2]), silence)

    def _answers(self) -> list[float]:
        """When each answer came, in seconds of the wall clock."""
        lines = re.findall(r"^\[([\d.]+)\] \d+ bytes from", self.log.read_text(), re.MULTILINE)
        return [float(time) for time in lines]


@contextlib.asynccontextmanager
async def pinging(
    directory: Path, namespace: Namespace, target: str, interval: float = INTERVAL
) -> AsyncIterator[Ping]:
    """Ping *target* from *namespace*; the first answer has come when the block begins."""
    require_programs("ping")
    directory.mkdir(parents=True, exist_ok=True)
    ping = Ping(directory, namespace, target, interval)
    with ping.supervised():
        ping.launch()
        await ping.answered(1)
        yield ping


def reachable(namespace: Namespace, target: str) -> bool:
    """Whether one of three requests is answered within a second each."""
    done: subprocess.CompletedProcess[str] = namespace.run(
        "ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", target, check=False
    )
    return done.returncode == 0
