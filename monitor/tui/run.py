"""Opens the terminal UI: decides how things look before Textual is loaded, and gives the terminal back at the end."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.tui.link import Daemon, Link
from monitor.tui.looks import Looks
from monitor.tui.word import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says.  ``idle`` in seconds; ``first`` is the screen to begin with."""

    looks: Looks
    run_dir: str
    first: str = "overview"
    mouse: bool = False
    read_only: bool = False
    idle: float = 1800.0


def run(options: Options, connect: Callable[[], Daemon], words: Callable[[], Sequence[Word]]) -> int:
    """Run until it is left; returns the exit code.  *words* tells, once they are needed, the commands of the command line."""
    assert "textual" not in sys.modules, "it is loaded before its looks are decided"
    # What is loaded and built until the first frame stays: looking through it for garbage, now and at every later
    # collection, would cost a tenth of the start, and now and then the wait for a key.
    gc.disable()
    os.environ.update(options.looks.engine())
    if options.looks.depth != "plain":
        os.environ.pop("NO_COLOR", None)
    # Textual reads these when it is loaded.
    from monitor.tui.app import BgpmonApp  # noqa: PLC0415
    from monitor.tui.watchdog import Watchdog, leaver  # noqa: PLC0415

    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    assert sys.__stdin__ is not None
    assert sys.__stderr__ is not None
    source, target = sys.__stdin__.fileno(), sys.__stderr__.fileno()
    app = BgpmonApp(
        Link(connect), options.looks, words=words, run_dir=options.run_dir, first=(options.first, {}), idle=options.idle,
        admin=not options.read_only, begun=_collect_from_here,
    )  # fmt: skip
    watchdog = Watchdog(source, target, leaver(source))
    watchdog.start()
    signal.signal(signal.SIGTERM, _leave(app))
    signal.signal(signal.SIGHUP, _leave(app))
    app.mouse_on = options.mouse
    try:
        code = app.run(mouse=options.mouse)
    finally:
        watchdog.stop()
    for text in app.desk.printed:
        print(text)
    return code if isinstance(code, int) else app.return_code or 0


def _collect_from_here() -> None:
    gc.freeze()
    gc.enable()


def _leave(app: Any) -> Callable[..., None]:
    def leave(number: int, _frame: object) -> None:
        app.call_later(app.exit, 128 + number)

    return leave
