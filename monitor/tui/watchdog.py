"""Notices that nobody is at the terminal any more, also while the screen's own loop waits for it.

A program that ``kubectl exec`` left behind must not stay for ever, and a terminal that takes no bytes blocks whoever draws on it.
"""

import contextlib
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

BLOCKED_SECONDS = 30.0
"""How long a terminal may take no bytes."""

LOOK_SECONDS = 1.0

HUNG_UP = 128 + signal.SIGHUP
"""The exit code of a program whose terminal has gone."""


class Watchdog:
    """Looks at the terminal from a thread of its own; ``leave`` is called there and does not return."""

    def __init__(
        self, source: int, target: int, leave: Callable[[str, int], None], blocked: float = BLOCKED_SECONDS
    ) -> None:
        self._source = source
        self._target = target
        self._leave = leave
        self._blocked = blocked
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def _watch(self) -> None:
        since = time.monotonic()
        while not self._stop.wait(LOOK_SECONDS):
            if self._gone():
                self._leave("the terminal has gone", HUNG_UP)
                return
            if self._takes_bytes():
                since = time.monotonic()
            elif time.monotonic() - since >= self._blocked:
                self._leave(f"the terminal took nothing for {self._blocked:g} s", 1)
                return

    def _gone(self) -> bool:
        poll = select.poll()
        for number in {self._source, self._target}:
            poll.register(number, 0)
        return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))

    def _takes_bytes(self) -> bool:
        try:
            _, ready, _ = select.select([], [self._target], [], 0)
        except (OSError, ValueError):
            return False
        return bool(ready)


def leaver(source: int) -> Callable[[str, int], None]:
    """Return what ends the process at once, with the terminal's settings as they were; nothing of ours has to be saved."""
    try:
        before: list[Any] | None = termios.tcgetattr(source)
    except termios.error:
        before = None

    def leave(_why: str, code: int) -> None:
        if before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(source, termios.TCSANOW, before)
        os._exit(code)

    return leave
