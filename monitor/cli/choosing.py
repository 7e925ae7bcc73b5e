"""Which plan is meant when nobody says so, and whether the person at the terminal really means it."""

import sys
from typing import TYPE_CHECKING

import click

from monitor.cli.session import say
from monitor.errors import Refused
from monitor.text import plantext
from monitor.text.screen import Document, mapping, objects, short_digest
from monitor.text.table import Page, clean, moment

if TYPE_CHECKING:
    from monitor.api.client import Client

BLOCK = 4
"""Characters of a digest that a person types: enough to have looked at it."""


def on_terminal() -> bool:
    """Return whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def chosen(client: "Client", digest: str, act: str) -> str:
    """Return the digest of the plan to decide about; empty when the person thought better of it.

    One that is given stands.  Without one, *act* (approve, reject, confirm) has to have one plan that it can be about, whose
    essence is shown, and the person types the first block of its digest.  Raises UsageError off a terminal and when there are
    several, Refused when there is none.
    """
    if digest:
        return digest
    if not on_terminal():
        raise click.UsageError(f"off a terminal {act} needs the DIGEST of the plan; `bgpmon plan list` has it")
    found = _candidates(client, act)
    if not found:
        what = "no change soaks" if act == "confirm" else "no plan waits for a decision; `bgpmon plan freeze` makes one"
        raise Refused(what)
    if len(found) > 1:
        listed = "".join(f"\n  {_named(item)}" for item in found)
        raise click.UsageError(f"there are {len(found)} plans to {act}; name one:{listed}")
    return _meant(client, str(found[0].get("digest")), act)


def _candidates(client: "Client", act: str) -> list[Document]:
    change = mapping(client.status().get("change"))
    if act == "confirm":
        flight = mapping(change.get("in_flight"))
        return [flight] if flight.get("state") == "soaking" else []
    states = {"frozen"} if act == "approve" else {"frozen", "approved", "queued"}
    return [item for item in objects(change.get("waiting")) if item.get("state") in states]


def _named(item: Document) -> str:
    ends = f", expires {moment(item['expires_at'])}" if item.get("expires_at") else ""
    return f"{short_digest(item.get('digest'))}  plan {clean(item.get('number'))}, {clean(item.get('state'))}{ends}"


def _meant(client: "Client", digest: str, act: str) -> str:
    """Show the plan, and return its digest if the person types its first block."""
    document = client.plan(digest)
    say("\n".join(plantext.essence(document, Page.of(sys.stderr))))
    say("")
    question = f"Type the first block of the digest, {BLOCK} characters, to {act} it; nothing to cancel"
    typed = click.prompt(question, default="", show_default=False, err=True).strip().lower()
    if typed == digest[:BLOCK]:
        return digest
    say(
        "bgpmon: cancelled; nothing was done"
        if not typed
        else f"bgpmon: {typed} is not the first block; nothing was done"
    )
    return ""


def in_flight(client: "Client") -> str:
    """Return the digest of the change in flight.  Raises Refused."""
    digest = mapping(mapping(client.status().get("change")).get("in_flight")).get("digest")
    if not digest:
        raise Refused("no change is in flight")
    return str(digest)
