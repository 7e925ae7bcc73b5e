"""The command ``demo``."""

import os
import sys

import click

from monitor.cli.opening import RUN_DIR_VARIABLE
from monitor.cli.options import Span
from monitor.cli.session import settings


@click.command()
@click.option(
    "--run-dir", metavar="DIR", help=f"Put the sockets here; default: ${RUN_DIR_VARIABLE}, else a private place."
)
@click.option(
    "--mode",
    type=click.Choice(["dry-run", "approve", "auto"]),
    default="approve",
    show_default=True,
    help="What may write to the simulated kernel.",
)
@click.option(
    "--routes",
    type=click.IntRange(100, 20_000),
    default=3000,
    show_default=True,
    help="How many prefixes the simulated routers announce.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another number is another network.")
@click.option(
    "--rate",
    type=click.FloatRange(0, 100),
    default=3,
    show_default=True,
    help="How many things happen a second; 0: nothing moves.",
)
@click.option(
    "--soak",
    type=Span(),
    default=0.0,
    metavar="TIME",
    help="How long a change waits to be confirmed, such as 2m; default: not.",
)
@click.option("--no-shell", is_flag=True, help="Stay in the foreground, also on a terminal.")
def demo(run_dir: str | None, mode: str, routes: int, seed: int, rate: float, soak: float, *, no_shell: bool) -> int:
    """Try every command on a simulated node: no root, no gobgpd, no configuration.

    The real daemon runs on simulated routers of three domains and on a kernel in memory. On a terminal this opens a shell
    in which bgpmon finds it; leaving the shell ends it.
    """
    from monitor.demo.run import Options, run  # noqa: PLC0415 - it imports everything

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return run(
        Options(
            run_dir=run_dir or settings().run_dir or os.environ.get(RUN_DIR_VARIABLE) or None,
            mode=mode,
            routes=routes,
            seed=seed,
            rate=rate,
            shell=terminal and not no_shell,
            soak=soak,
        )
    )
