"""The commands that decide about plans, and those that keep things from being written."""

from pathlib import Path

import click

from monitor.cli.choosing import chosen, in_flight
from monitor.cli.options import Span, endorsement, signature_options
from monitor.cli.patience import settled
from monitor.cli.session import ExitCode, client_options, daemon, say, show
from monitor.errors import Refused
from monitor.text import outcome
from monitor.text.screen import Document, mapping, objects, short_digest
from monitor.text.table import clean, moment

_STALE = frozenset({"stale", "expired", "superseded"})
_TAKEN_BACK = frozenset({"rolled-back", "rolling-back"})
_QUEUED = frozenset({"approved", "queued"})


@click.command()
@client_options
@click.argument("digest", default="")
@click.option("--ticket", default="", help="The ticket of this change, where a rule asks for one.")
@click.option("--comment", default="", help="A remark, kept with the approval.")
@click.option("--name", default="", help="Who you say you are; proves nothing, and is kept.")
@signature_options
@click.option("--break-glass", is_flag=True, help="Release it alone, whatever the rules say. Everybody is told.")
@click.option("--reason", default="", help="Why glass is broken.")
@click.option("--wait", is_flag=True, help="Until it is applied for good, confirmed or taken back.")
def approve(
    digest: str,
    ticket: str,
    comment: str,
    name: str,
    statement: Path | None,
    signature: Path | None,
    reason: str,
    *,
    break_glass: bool,
    wait: bool,
) -> int:
    """Approve the frozen plan of DIGEST; with the last approval that it needs, what still holds of it is applied.

    Exits with 5 when more people are needed, 0 when it is queued, soaks or is applied, 1 when an operation failed, 6 when the
    plan was too stale to apply, and 7 when it was taken back. On a terminal DIGEST may be left out.
    """
    if break_glass and not reason.strip():
        raise click.UsageError("breaking glass needs a reason: --reason WORDS")
    if reason and not break_glass:
        raise click.UsageError("--reason is for --break-glass; a remark is --comment WORDS")
    said = endorsement(
        statement, signature, ticket=ticket, comment=reason or comment, name=name, break_glass=break_glass
    )
    with daemon() as client:
        if not (digest := chosen(client, digest, "approve")):
            return ExitCode.INTERRUPTED
        document: Document = client.approve(digest, said)
        expires = client.plan(digest).get("expires_at") if document.get("state") in _QUEUED else None
    if wait:
        _tell(document, expires)
        document = settled(digest, document)
        show(document, outcome.decided)
    else:
        show(document, outcome.decided)
        _tell(document, expires)
    return verdict(document)


def verdict(document: Document) -> ExitCode:
    """Return how an approval ended."""
    state = document.get("state")
    if state in _TAKEN_BACK:
        return ExitCode.ROLLED_BACK
    if state in _STALE:
        return ExitCode.STALE
    if state == "failed" or document.get("failed"):
        return ExitCode.FAILED
    return ExitCode.REFUSED if state in {"frozen", "rejected"} else ExitCode.DONE


def _tell(document: Document, expires: object) -> None:
    """Say what happens next."""
    state, name = document.get("state"), document.get("short") or short_digest(document.get("digest"))
    given = mapping(document.get("approvals"))
    if state == "frozen":
        have, need = clean(given.get("have")), clean(given.get("need"))
        say(f"bgpmon: recorded, {have} of {need}: {clean(given.get('missing'))}")
    elif state in _QUEUED:
        why = document.get("waits_for") or document.get("detail") or "it is about to be applied"
        until = f"; it expires at {moment(expires)}" if expires else ""
        say(f"bgpmon: queued: {clean(why)}{until}")
    elif state == "soaking":
        say(
            f"bgpmon: soaking: taken back at {moment(document.get('deadline'))} unless confirmed: bgpmon confirm {clean(name)}"
        )


@click.command()
@client_options
@click.argument("digest", default="")
@click.option("--reason", required=True, help="Why, for the history.")
@signature_options
def reject(digest: str, reason: str, statement: Path | None, signature: Path | None) -> int:
    """Refuse the plan of DIGEST for good; it must not have been applied.  On a terminal DIGEST may be left out."""
    said = endorsement(statement, signature)
    with daemon() as client:
        if not (digest := chosen(client, digest, "reject")):
            return ExitCode.INTERRUPTED
        show(client.reject(digest, reason, said), outcome.decided)
    return ExitCode.DONE


@click.command()
@client_options
@click.argument("digest", default="")
@click.option("--comment", default="", help="A remark, kept with the confirmation.")
@signature_options
def confirm(digest: str, comment: str, statement: Path | None, signature: Path | None) -> int:
    """Keep the change of DIGEST, which soaks.

    Exits with 7 when it has been taken back meanwhile. On a terminal DIGEST may be left out.
    """
    said = endorsement(statement, signature, comment=comment)
    with daemon() as client:
        if not (digest := chosen(client, digest, "confirm")):
            return ExitCode.INTERRUPTED
        show(client.confirm(digest, said), outcome.decided)
    return ExitCode.DONE


@click.command()
@client_options
@click.argument("digest", default="")
@click.option("--last", is_flag=True, help="The newest plan that was applied or confirmed.")
@click.option("--reason", default="", help="Why, for the history.")
@click.option("--name", default="", help="Who you say you are; kept with the plan that is made.")
def rollback(digest: str, reason: str, name: str, *, last: bool) -> int:
    """Take back the change that soaks, at once; of the older plan of DIGEST, freeze the way back.

    The way back from an older plan is a plan of its own, to be approved like any other. Nothing is asked: this is for
    emergencies.
    """
    if digest and last:
        raise click.UsageError("--last chooses the plan, so it takes no DIGEST")
    with daemon() as client:
        if last:
            digest = _last_applied(client.plans())
        document: Document = client.roll_back(digest, reason, name)
    if document.get("state") == "frozen":
        show(document, outcome.frozen)
        return ExitCode.DONE
    show(document, outcome.decided)
    reverted = mapping(document.get("reverted"))
    return ExitCode.FAILED if reverted and reverted.get("clean") is not True else ExitCode.DONE


def _last_applied(plans: Document) -> str:
    for item in objects(plans.get("items")):
        if item.get("state") in {"applied", "confirmed"} and item.get("digest"):
            return str(item["digest"])
    raise Refused("none of the latest plans was applied, so there is nothing to go back from")


@click.command()
@client_options
@click.argument("by", metavar="DURATION", type=Span())
@click.argument("digest", default="")
def extend(by: float, digest: str) -> int:
    """Give the change that soaks DURATION more before it is taken back, such as 5m."""
    with daemon() as client:
        show(client.extend(digest or in_flight(client), by), outcome.extended)
    return ExitCode.DONE


@click.command()
@client_options
@click.argument("filters", nargs=-1, required=True, metavar="FILTER...")
@click.option("--for", "period", type=Span(), required=True, help="How long, such as 2h; 1s to 30d.")
@click.option("--reason", required=True, help="Why, for the history.")
def hold(filters: tuple[str, ...], period: float, reason: str) -> int:
    """Keep operations that FILTER matches out of plans, and from going ahead by themselves, for a time."""
    with daemon() as client:
        show(client.hold(" ".join(filters), period, reason), outcome.held)
    return ExitCode.DONE


@click.command()
@client_options
@click.argument("number", metavar="ID", type=click.IntRange(1, 2**32 - 1))
def release(number: int) -> int:
    """End the hold of ID."""
    with daemon() as client:
        show(client.release(number), outcome.released)
    return ExitCode.DONE


@click.command()
@client_options
def holds() -> int:
    """What is kept out of plans, until when and why."""
    with daemon() as client:
        show(client.holds(), outcome.holds)
    return ExitCode.DONE


@click.command()
@client_options
@click.option("--reason", required=True, help="Why, for the history.")
def pause(reason: str) -> int:
    """Write nothing more, from now on and over restarts, until `bgpmon resume`."""
    with daemon() as client:
        show(client.pause(reason), outcome.paused)
    return ExitCode.DONE


@click.command()
@client_options
def resume() -> int:
    """Let things be written again."""
    with daemon() as client:
        show(client.resume(), outcome.resumed)
    return ExitCode.DONE


COMMANDS = (approve, reject, confirm, rollback, extend, hold, release, holds, pause, resume)
