"""The command ``tui``: the terminal UI with its options; and the words that it takes from the command line."""

from typing import TYPE_CHECKING

import click

from monitor.cli.opening import on_terminal, open_terminal
from monitor.cli.options import Span
from monitor.cli.session import ExitCode, client_options, say, settings

if TYPE_CHECKING:
    from monitor.tui.word import Word

CHANGING = frozenset(
    {"plan freeze", "approve", "reject", "confirm", "rollback", "extend", "hold", "release", "pause", "resume", "reload",
     "withdraw-all"}
)  # fmt: skip
"""Commands that change something."""

ELSEWHERE = frozenset({"tui", "run", "demo", "config", "status"})
"""Commands that are not for the terminal UI: they start something, ask no daemon, or are a screen there."""


@click.command()
@client_options
@click.option(
    "--color", type=click.Choice(["auto", "16", "256", "true", "never"]), default="auto", show_default=True,
    help="How many colours; auto asks NO_COLOR, COLORTERM and TERM.",
)  # fmt: skip
@click.option(
    "--theme", type=click.Choice(["auto", "dark", "light", "contrast", "daltonic", "mono"]), default="auto", show_default=True,
    help="Colours; every one leaves the background alone.",
)  # fmt: skip
@click.option("--ascii", "plain", is_flag=True, help="Draw with ASCII alone.")
@click.option(
    "--mouse/--no-mouse", default=False, help="Whether the mouse works in it; off lets the terminal select text."
)
@click.option("--read-only", is_flag=True, help="Never unlock: this program opens nothing that could change something.")
@click.option(
    "--idle-exit", type=Span(), default=1800.0, metavar="TIME", help="Leave after so long without a key; default: 30m."
)
def tui(color: str, theme: str, idle_exit: float, *, plain: bool, mouse: bool, read_only: bool) -> int:
    """The terminal UI: see it, understand it, decide. Also what `bgpmon` alone opens on a terminal."""
    if not on_terminal():
        raise click.UsageError("this needs a terminal that can place a cursor (kubectl exec -it; TERM other than dumb)")
    if settings().json:
        say("bgpmon: the terminal UI prints no JSON; `bgpmon status -o json` does")
        return ExitCode.USAGE
    return open_terminal(settings().daemon_dir, color, theme, idle_exit, plain=plain, mouse=mouse, read_only=read_only)


def words() -> "tuple[Word, ...]":
    """Return the commands of the command line that the terminal UI takes after ``:``."""
    from monitor.cli.command import bgpmon  # noqa: PLC0415 - it holds this command, too
    from monitor.tui.word import Word  # noqa: PLC0415

    found: list[Word] = []

    def walk(group: click.Group, before: str) -> None:
        for name, command in sorted(group.commands.items()):
            if not before and name in ELSEWHERE:
                continue
            path = f"{before}{name}"
            if isinstance(command, click.Group):
                walk(command, f"{path} ")
            else:
                found.append(Word(path, command.get_short_help_str(100), path in CHANGING))

    walk(bgpmon, "")
    return tuple(found)
