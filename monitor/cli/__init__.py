"""The command line: one entry point, ``bgpmon``.

command     the root, and the commands that look at the node as it is
plan        the commands about plans: list, show, freeze, compare, export, verify, statement
change      the commands that decide about plans, hold and pause
agenda      the commands about approval rules and windows
past        the commands about what was: events, audit, replay
offline     the commands that need no daemon: run, config, version
simulation  the command demo
session     what holds for every command: output, run_dir, errors to exit codes
options     values of options: moments, durations, statements and signatures
choosing    which plan is meant, and whether the person at the terminal means it
patience    asking the daemon for long, over a restart of it
"""

import gc
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``bgpmon`` with *arguments*, by default those of the process; returns the exit status."""
    said = sys.argv[1:] if arguments is None else arguments
    # What is loaded stays: to look for garbage among it would cost every start some milliseconds.
    gc.disable()
    try:
        if not said:
            from monitor.cli import opening  # noqa: PLC0415 - only who opens it loads what it needs

            if opening.on_terminal():
                return opening.alone()
        # Importing the package, as tools do to look at it, needs no click.
        from monitor.cli.command import bgpmon  # noqa: PLC0415
        from monitor.cli.session import run  # noqa: PLC0415
    finally:
        gc.enable()
    return run(bgpmon, arguments)
