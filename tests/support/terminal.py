"""The terminal UI on a terminal as ``kubectl exec -it`` gives it, and a demo daemon for it to look at."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from tests.support.daemon import unavailable
from tests.support.demo import UNPRIVILEGED, Demo, running, short_place
from tools.terminal import session
from tools.terminal.session import Response, ScreenError, Terminal

__all__ = ["UNPRIVILEGED", "Demo", "Response", "ScreenError", "Terminal", "clean_environment", "demo", "require_terminals",
           "short_place", "tui"]  # fmt: skip

demo = running


def clean_environment(run_dir: Path | str | None = None) -> dict[str, str]:
    """What a program finds in its environment under ``kubectl exec``: no locale, no time zone, no word about colours."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/")}
    return environment | ({} if run_dir is None else {"BGPMON_RUN_DIR": str(run_dir)})


def require_terminals() -> None:
    """Skip the test where no pseudo terminal can be had; fail if ``CI=true``."""
    try:
        for descriptor in os.openpty():
            os.close(descriptor)
    except OSError as problem:
        unavailable(f"no pseudo terminal can be opened here: {problem}")


@contextlib.asynccontextmanager
async def tui(
    run_dir: Path | str,
    *arguments: str,
    columns: int = 120,
    rows: int = 40,
    env: Mapping[str, str | None] | None = None,
    term: str = "xterm",
    answers: Mapping[bytes, bytes] | None = None,
    wrapper: Sequence[str] = (),
) -> AsyncIterator[Terminal]:
    """Run ``bgpmon`` with these arguments on a terminal, for the daemon with its sockets in *run_dir*.

    *env* adds to the clean environment, and None takes away; *wrapper* is a command that starts it, such as
    ``UNPRIVILEGED``.
    """
    require_terminals()
    wanted: dict[str, str | None] = {**clean_environment(run_dir), **(env or {})}
    environment = {name: value for name, value in wanted.items() if value is not None}
    argv = [*wrapper, sys.executable, "-m", "monitor", *arguments]
    async with session.running(
        argv, columns=columns, rows=rows, env=environment, term=term, answers=answers
    ) as terminal:
        yield terminal
