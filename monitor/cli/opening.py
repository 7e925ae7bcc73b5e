"""The terminal UI as ``bgpmon`` alone opens it: without what reads a command line, which would be seen at every start."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.tui.word import Word

DEFAULT_RUN_DIR = "/run/bgpmon"
RUN_DIR_VARIABLE = "BGPMON_RUN_DIR"


def usual_run_dir() -> str:
    """Return where the daemon's sockets are, if nobody says otherwise."""
    return os.environ.get(RUN_DIR_VARIABLE) or DEFAULT_RUN_DIR


def on_terminal() -> bool:
    """Return whether the terminal UI can be shown here."""
    from monitor.tui.looks import can_draw  # noqa: PLC0415 - only a terminal needs it

    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)) and can_draw(
        os.environ
    )


def alone() -> int:
    """Do what ``bgpmon`` without a word does on a terminal; returns the exit code."""
    try:
        return open_terminal(usual_run_dir())
    except KeyboardInterrupt:
        from monitor.cli.session import ExitCode, say  # noqa: PLC0415

        say("bgpmon: interrupted")
        return ExitCode.INTERRUPTED


def open_terminal(
    folder: str, color: str = "auto", theme: str = "auto", idle: float = 1800.0, *, plain: bool = False, mouse: bool = False,
    read_only: bool = False,
) -> int:  # fmt: skip
    """Open the terminal UI of the daemon whose sockets are in *folder*; returns the exit code."""
    # What prints a line and ends does not pay for a terminal UI.
    from monitor.tui.looks import looks_of  # noqa: PLC0415
    from monitor.tui.run import Options, run  # noqa: PLC0415

    looks = looks_of(os.environ, color, theme, plain_text=plain)

    def connect() -> object:
        from monitor.api.client import Client  # noqa: PLC0415 - in the thread of the first call: the screen is drawn before
        from monitor.tui.link import CALL_SECONDS  # noqa: PLC0415

        return Client(folder, CALL_SECONDS)

    return run(Options(looks=looks, run_dir=folder, mouse=mouse, read_only=read_only, idle=idle), connect, _words)  # type: ignore[arg-type]


def _words() -> "Sequence[Word]":
    from monitor.cli.terminal import words  # noqa: PLC0415 - the first frame does without the command line

    return words()
