"""Turns at the lab: only one fits on a machine, and test files run at the same time."""

import contextlib
import fcntl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab.gobgpd import VERSIONS
from lab.machine import PREFIX, Machine
from tests.support.daemon import require_programs, unavailable
from tests.support.gobgpd import require_gobgpd

FILE = Path(tempfile.gettempdir()) / "bgpmon-test-lab-turn"
ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def lab_turn() -> Iterator[None]:
    """Wait until no other test has a lab, and keep others from having one meanwhile; the test's timeout bounds the wait."""
    with FILE.open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the lab's command, without a terminal."""
    command = [sys.executable, "-m", "lab", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=ROOT)


@contextlib.contextmanager
def standing_lab() -> Iterator[Machine]:
    """A lab that runs, alone on this machine.  At the end nothing of it is left."""
    require_programs("gobgpd", "bird", "birdc", "/usr/lib/frr/bgpd", "vtysh", "ssh-keygen")
    require_gobgpd(VERSIONS[0])
    with lab_turn():
        if Machine.load() is not None:
            unavailable("a lab runs on this machine, and two cannot; `make lab-down` removes it")
        made = lab("up")
        machine = Machine.load()
        try:
            assert made.returncode == 0, made.stderr
            assert machine is not None
            yield machine
        finally:
            assert lab("down").returncode == 0
        assert not list(Path("/run").glob("bgpmon-lab*"))
        assert not list(Path("/run/netns").glob(f"{PREFIX}*"))
        assert not [name for name, program in machine.programs.items() if program.alive]
