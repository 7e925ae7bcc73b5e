"""The command line: one entry point, ``bgpmon``.

command     the commands and their options
offline     the commands that need no daemon: run, config, version
simulation  the command demo
session     what holds for every command: output, run_dir, errors to exit codes
screen      documents as text: the state of the node
detail      documents as text: one prefix, plans, what a change came to
table       aligned columns, times and numbers as people read them, text without control characters
"""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``bgpmon`` with *arguments*, by default those of the process; returns the exit status."""
    # Importing the package, as tools do to look at it, needs no click.
    from monitor.cli.session import run  # noqa: PLC0415

    return run(arguments)
