"""The commands about what was: events, the journal's verification and export, a moment of the past."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.options import When
from monitor.cli.patience import Patient, last_record, next_events, number_of_last
from monitor.cli.session import ExitCode, client_options, daemon, emit, json_line, settings, show, tell_demo
from monitor.text import listing, plantext, screen
from monitor.text.screen import Document, objects, texts
from monitor.text.table import Page, clean, moment, number

if TYPE_CHECKING:
    from monitor.api.client import Client

MOST_EVENTS = 10_000
"""Records in one answer of the daemon."""

_PAGE = 1000
_FIRST_FOLLOWED = 10


@click.command()
@client_options
@click.option(
    "--since", type=When(), metavar="TIME", help="From this moment on, such as 10:32 or 1h; default: the latest."
)
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C; with -o json one object a line.")
@click.option(
    "--limit", type=click.IntRange(1, MOST_EVENTS), help="Largest number of records; default: 100, 10 with --follow."
)
def events(since: float | None, limit: int | None, *, follow: bool) -> int:
    """What the journal records: changes, decisions, starts, in order."""
    if follow:
        if since is not None and limit is not None:
            raise click.UsageError("--follow goes on for ever: give --since or --limit, where it begins, and not both")
        return _follow(since, limit or _FIRST_FOLLOWED)
    with daemon() as client:
        newest = last_record(client)
        most = limit or 100
        after = max(0, newest - most) if since is None else 0
        document: Document = client.events(after, since or 0.0, most)
    full = len(objects(document.get("items"))) >= most
    cut = since is not None and full and number_of_last(document, newest) < newest
    show(document | ({"truncated": True} if cut else {}), listing.events)
    return ExitCode.DONE


def _follow(since: float | None, limit: int) -> int:
    """Write what there is, then what comes, until nobody reads it any more."""

    def first(client: "Client") -> Document:
        if since is not None:
            return client.events(0, since, MOST_EVENTS)
        return client.events(max(0, last_record(client) - limit), 0.0, limit)

    with Patient() as patient:
        document = patient.ask(first)
        tell_demo(document)
        after = number_of_last(document, 0)
        while _write(document):
            document, after = next_events(patient, after)
    return ExitCode.DONE


def _write(document: Document) -> bool:
    """Write the records of a document as they come; returns whether somebody still reads."""
    items = objects(document.get("items"))
    if settings().json:
        return all(emit(json_line(item)) for item in items)
    page = Page.of(sys.stdout)
    return all(emit("\n".join(listing.event_line(item, page))) for item in items)


@click.group()
@client_options
def audit() -> None:
    """The journal as evidence: whether it is whole, and a copy of it."""


@audit.command("verify")
@client_options
@click.option(
    "--file", type=click.Path(path_type=Path), metavar="PATH", help="This journal, without a daemon; a copy will do."
)
@click.option("--lines", type=click.File("r", encoding="utf-8", errors="replace"), metavar="FILE",
              help="What `audit export` wrote, without a daemon.")  # fmt: skip
def audit_verify(file: Path | None, lines: Any) -> int:
    """Whether the journal is whole: no record was changed, removed or put in; exits with 1 and the problems if not."""
    if file is not None and lines is not None:
        raise click.UsageError("--file is a journal, --lines an export of one: give one of them")
    if file is not None or lines is not None:
        document = _offline(file, lines)
    else:
        with daemon() as client:
            document = client.audit()
    show(document, listing.verification)
    return ExitCode.DONE if document.get("ok") is True else ExitCode.FAILED


def _offline(file: Path | None, lines: Any) -> Document:
    from programmer.journal import verify_file, verify_lines  # noqa: PLC0415 - sqlite

    report = verify_lines(lines) if file is None else verify_file(file)
    return {**report._asdict(), "problems": list(report.problems)}


@audit.command("export")
@client_options
@click.option("--since", type=When(), metavar="TIME", help="From this moment on; default: everything.")
def audit_export(since: float | None) -> int:
    """The journal as lines of JSON, one for each record, which `audit verify --lines` can check anywhere."""
    with daemon() as client:
        document = client.export_audit(0, since or 0.0, _PAGE)
        tell_demo(document)
        while all(emit(line) for line in _exported(document)) and document.get("truncated") is True:
            document = client.export_audit(number_of_last(document, 0), 0.0, _PAGE)
    return ExitCode.DONE


def _exported(document: Document) -> Iterator[str]:
    """Yield the lines, each as the same JSON in characters that steer no terminal."""
    lines = document.get("lines")
    for line in lines if isinstance(lines, list) else ():
        text = str(line)
        if text.isascii() and text.isprintable():
            yield text
            continue
        try:
            yield json_line(json.loads(text))
        except ValueError:
            yield clean(text)


@click.command()
@client_options
@click.option(
    "--at", type=When(), metavar="TIME", required=True, help="The moment, such as 10:32, 5m or 2026-11-24T08:01:30Z."
)
@click.option("--limit", type=click.IntRange(0, 2**32 - 1), help="Largest number of routes; default: 1000.")
@click.argument("what", type=click.Choice(["status", "plan", "routes"]), default="status")
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
def replay(at: float, limit: int | None, what: str, filters: tuple[str, ...]) -> int:
    """The status, the plan or the routes as they were at a moment; FILTER chooses among routes."""
    if (filters or limit is not None) and what != "routes":
        raise click.UsageError(
            f"FILTER and --limit are for routes: bgpmon replay --at TIME routes FILTER; this is {what}"
        )
    with daemon() as client:
        document: Document = client.replay(at, what, " ".join(filters), limit)
    faces: dict[str, Any] = {"status": screen.status, "plan": plantext.plan, "routes": screen.routes}

    def then(past: Document, page: Page) -> Iterator[str]:
        yield from as_of(past, page)
        yield from faces[what](past, page)

    show(document, then)
    return ExitCode.DONE


def as_of(document: Document, page: Page) -> Iterator[str]:
    """The moment, and what is not known of it."""
    taken = document.get("as_of")
    words = f"as of {moment(document.get('at'))}"
    yield from page.wrapped(f"{words}, as it was noted at {moment(taken)}" if taken else words, "", "  ")
    if unknown := document.get("unknown"):
        words = f"{number(unknown)} operations since then may have failed or not: nobody knows, and they are not undone here"
        yield from page.wrapped(words, "! ", "  ")
    for gap in texts(document.get("gaps")):
        yield from page.wrapped(f"{gap}: what others changed then is not known", "! ", "  ")
    yield ""
