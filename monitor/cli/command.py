"""The root of the command line, and the commands that look at the node as it is."""

import sys

import click

from monitor.cli.agenda import policy, window
from monitor.cli.change import COMMANDS
from monitor.cli.offline import config, run, version
from monitor.cli.opening import on_terminal, open_terminal
from monitor.cli.past import audit, events, replay
from monitor.cli.plan import plan
from monitor.cli.session import ExitCode, Settings, client_options, daemon, say, settings, show
from monitor.cli.simulation import demo
from monitor.cli.terminal import tui
from monitor.text import detail, screen


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@client_options
@click.pass_context
def bgpmon(context: click.Context) -> int:
    """BGP routes into the node's kernel tables, per routing domain, under control.

    Without a command: the terminal UI on a terminal, elsewhere the status.  Exit codes: 0 done, 1 failed, 2 usage or
    invalid configuration, 3 no daemon answers, 4 differences (with --exit-code), 5 refused, 6 stale, 7 applied and taken
    back, 8 unhealthy.
    """
    context.ensure_object(Settings)
    if context.invoked_subcommand is None:
        there = on_terminal() and not settings().json
        return open_terminal(settings().daemon_dir) if there else show_status()
    return ExitCode.DONE


def show_status() -> int:
    """Print the status."""
    with daemon() as client:
        show(client.status(), screen.status, label_first=True)
    return ExitCode.DONE


@bgpmon.command()
@client_options
def status() -> int:
    """The node on one screen: mode, peers, plan, domains, warnings."""
    return show_status()


@bgpmon.command()
@client_options
@click.argument("address", default="")
def peers(address: str) -> int:
    """BGP peers, or the one at ADDRESS."""
    with daemon() as client:
        document = client.peers(address)
    show(document, screen.peers)
    if address and not document.get("items"):
        say(f"bgpmon: no peer has the address {address}; `bgpmon peers` lists them all")
        return ExitCode.FAILED
    return ExitCode.DONE


@bgpmon.command()
@client_options
def domains() -> int:
    """Routing domains: counts, reasons, rules and guards."""
    with daemon() as client:
        show(client.domains(), screen.domains)
    return ExitCode.DONE


@bgpmon.command()
@client_options
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
@click.option("--domain", default="", help="Only this domain.")
@click.option("--limit", type=click.IntRange(0, 2**32 - 1), help="Largest number of routes; default: 1000.")
def routes(filters: tuple[str, ...], domain: str, limit: int | None) -> int:
    """Desired and installed routes that FILTER matches.

    FILTER is an expression of the filter language (docs/filter.md); several arguments are one expression.
    """
    with daemon() as client:
        show(client.routes(" ".join(filters), domain, limit), screen.routes)
    return ExitCode.DONE


@bgpmon.command()
@client_options
@click.argument("prefix")
@click.option("--domain", default="", help="In this domain; default: the daemon chooses, and names the others.")
def explain(prefix: str, domain: str) -> int:
    """Why PREFIX has its route, or has none."""
    with daemon() as client:
        show(client.explain(prefix, domain), detail.explain)
    return ExitCode.DONE


@bgpmon.command()
@client_options
@click.argument("address")
def lookup(address: str) -> int:
    """Where a packet to ADDRESS would go."""
    with daemon() as client:
        show(client.lookup(address), screen.lookup)
    return ExitCode.DONE


@bgpmon.command()
@client_options
@click.argument("prefix", default="")
@click.option("--limit", type=click.IntRange(0, 2**32 - 1), help="Largest number of entries; default: 100.")
def history(prefix: str, limit: int | None) -> int:
    """What was done, newest first; with PREFIX, to that prefix alone."""
    with daemon() as client:
        show(client.history(prefix, limit), screen.history)
    return ExitCode.DONE


@bgpmon.command()
@client_options
def doctor() -> int:
    """Checks of the daemon's surroundings; exits with 8 when one fails."""
    with daemon() as client:
        document = client.doctor()
    show(document, screen.doctor)
    failed = [item for item in screen.objects(document.get("items")) if item.get("ok") is not True]
    return ExitCode.UNHEALTHY if failed else ExitCode.DONE


@bgpmon.command()
@client_options
def reload() -> int:
    """Have the daemon read its configuration again; a bad one changes nothing."""
    with daemon() as client:
        document = client.reload()
    show(document, detail.reloaded)
    return ExitCode.DONE


@bgpmon.command("withdraw-all")
@client_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def withdraw_all(*, yes: bool) -> int:
    """Remove every route and rule of ours from the kernel.

    The daemon writes nothing more until it is started again.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("this removes every route and rule of ours; off a terminal it needs --yes")
        question = f"Remove every route and rule of the daemon at {settings().daemon_dir}?"
        click.confirm(question, abort=True, err=True)
    with daemon() as client:
        document = client.withdraw_all()
    show(document, detail.withdrawn)
    return ExitCode.FAILED if document.get("failed") else ExitCode.DONE


for command in (tui, plan, *COMMANDS, window, policy, events, audit, replay, run, demo, config, version):
    bgpmon.add_command(command)
