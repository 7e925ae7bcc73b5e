"""Turns at the lab: only one fits on a machine, and test files run at the same time."""

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

FILE = Path(tempfile.gettempdir()) / "bgpmon-test-lab-turn"


@contextlib.contextmanager
def lab_turn() -> Iterator[None]:
    """Wait until no other test has a lab, and keep others from having one meanwhile; the test's timeout bounds the wait."""
    with FILE.open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
