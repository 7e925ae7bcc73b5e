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
moment      moments and durations as people type them (pure)
choosing    which plan is meant, and whether the person at the terminal means it
patience    asking the daemon for long, over a restart of it
screen      documents as text: the state of the node
detail      documents as text: one prefix, and what the daemon did as a whole
outcome     documents as text: what came of a decision
listing     documents as text: plans, windows, rules, records
plandoc     a plan as sections, before it is text or Markdown
plantext    these as text
planmark    these as Markdown
table       aligned columns, times and numbers as people read them, text without control characters
"""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``bgpmon`` with *arguments*, by default those of the process; returns the exit status."""
    # Importing the package, as tools do to look at it, needs no click.
    from monitor.cli.session import run  # noqa: PLC0415

    return run(arguments)
