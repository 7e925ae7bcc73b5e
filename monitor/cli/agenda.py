"""The commands about rules and windows: who would be asked, and when changes may be applied."""

import ipaddress

import click

from monitor.cli.options import When
from monitor.cli.session import ExitCode, client_options, daemon, say, show
from monitor.text import listing
from monitor.text.screen import Document, objects
from monitor.text.table import clean


@click.group()
@client_options
def window() -> None:
    """When plans are applied."""


@window.command("list")
@client_options
def window_list() -> int:
    """The windows of the configuration, and whether changes may be applied now."""
    with daemon() as client:
        show(client.windows(count=1), listing.windows)
    return ExitCode.DONE


@window.command("next")
@client_options
@click.option("--count", type=click.IntRange(1, 100), default=5, show_default=True, help="How many openings.")
def window_next(count: int) -> int:
    """When changes may be applied next, in UTC and on the clocks of the window's place."""
    with daemon() as client:
        show(client.windows(count=count), listing.openings)
    return ExitCode.DONE


@window.command("test")
@client_options
@click.option("--at", type=When(ahead=True), metavar="TIME", required=True, help="A moment, such as 22:30 or +2h.")
def window_test(at: float) -> int:
    """Whether changes may be applied at a moment; exits with 5 when not."""
    with daemon() as client:
        document: Document = client.windows(at=at, count=1)
    show(document, listing.windows)
    return ExitCode.DONE if document.get("open") is True else ExitCode.REFUSED


@click.group()
@client_options
def policy() -> None:
    """Who is asked about what: the approval rules, tried out."""


@policy.command("test")
@client_options
@click.option("--plan", "digest", metavar="DIGEST", default="", help="On this frozen plan; default: the live one.")
def policy_test(digest: str) -> int:
    """The approval rules, and which of them decides about each operation of a plan."""
    with daemon() as client:
        show(client.judge(digest), listing.judgement)
    return ExitCode.DONE


@policy.command("explain")
@client_options
@click.argument("prefix")
@click.option("--plan", "digest", metavar="DIGEST", default="", help="In this frozen plan; default: the live one.")
def policy_explain(prefix: str, digest: str) -> int:
    """Which approval rule decides about PREFIX, and who is asked; exits with 1 when nothing is to be done about it."""
    try:
        wanted = ipaddress.ip_network(prefix)
    except ValueError as error:
        raise click.UsageError(f"PREFIX: {error}") from None
    with daemon() as client:
        document: Document = client.judge(digest)
    items = [item for item in objects(document.get("items")) if item.get("prefix") == str(wanted)]
    answer: Document = {key: value for key, value in document.items() if key in {"simulated", "rules", "requirement"}}
    answer |= {"prefix": str(wanted), "items": items}
    if document.get("truncated") is True and not items:
        say(
            f"bgpmon: only the first {len(objects(document.get('items')))} operations were looked at; freeze what a filter matches"
        )
    if not items:
        say(f"bgpmon: the plan does nothing about {clean(wanted)}, so no rule decides")
        return ExitCode.FAILED
    show(answer, listing.explanation)
    return ExitCode.DONE
