"""The commands about plans: look at them, freeze one, compare, take one along, sign one."""

import time
from typing import Any

import click

from monitor.cli.options import Span
from monitor.cli.session import (
    ExitCode,
    client_options,
    daemon,
    emit,
    json_line,
    json_text,
    say,
    settings,
    show,
    tell_cut,
    tell_demo,
)
from monitor.text import listing, outcome, plantext
from monitor.text.screen import Document
from monitor.text.table import clean

_FORMAT = "bgpmon-plan/2"


@click.group()
@client_options
def plan() -> None:
    """The live plan and the frozen ones."""


@plan.command("list")
@client_options
@click.option("--limit", type=click.IntRange(1, 2**32 - 1), help="Largest number of plans; default: 20.")
def plan_list(limit: int | None) -> int:
    """Frozen plans, newest first."""
    with daemon() as client:
        show(client.plans(limit), listing.plans)
    return ExitCode.DONE


@plan.command("show")
@client_options
@click.argument("digest", default="")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    help="Text, JSON (as -o json), or Markdown for a ticket.",
)
@click.option("--exit-code", "tell", is_flag=True, help="Exit with 4 when the plan has operations.")
def plan_show(digest: str, form: str | None, *, tell: bool) -> int:
    """The live plan, or the frozen one of DIGEST: what changes, for whom, who agreed, and what came of it."""
    if form is not None:
        settings().output = "json" if form == "json" else "table"
    with daemon() as client:
        document: Document = client.plan(digest)
    if form == "markdown":
        from monitor.text import planmark  # noqa: PLC0415 - only tickets need it

        tell_demo(document)
        emit(planmark.markdown(document))
        tell_cut(document)
    else:
        show(document, plantext.plan)
    return ExitCode.DIFFERENT if tell and (document.get("operations") or document.get("total")) else ExitCode.DONE


@plan.command("freeze")
@client_options
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
@click.option("--denied", is_flag=True, help="Take in what a rule denies; only break-glass can release such a plan.")
@click.option("--name", default="", help="Who you say you are; needed where nobody may approve their own plan.")
def plan_freeze(filters: tuple[str, ...], name: str, *, denied: bool) -> int:
    """Make an immutable copy of the live plan, or of what FILTER matches of it, with a digest to approve."""
    with daemon() as client:
        show(client.freeze(" ".join(filters), denied=denied, name=name), outcome.frozen)
    return ExitCode.DONE


@plan.command("diff")
@client_options
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", default="")
def plan_diff(first: str, second: str) -> int:
    """What the plans of the digests A and B have in common, and what only one of them has; without B the live plan."""
    with daemon() as client:
        show(client.compare_plans(first, second), listing.comparison)
    return ExitCode.DONE


@plan.command("export")
@client_options
@click.argument("digest")
def plan_export(digest: str) -> int:
    """Everything that the digest of a frozen plan is over, as JSON on one line, for `plan verify`."""
    with daemon() as client:
        document = client.export_plan(digest)
    tell_demo(document)
    emit(json_line(document))
    return ExitCode.DONE


@plan.command("verify")
@client_options
@click.argument("file", type=click.File("rb"))
def plan_verify(file: Any) -> int:
    """Compute the digest of an exported plan anew, without a daemon; exits with 1 when it is another one."""
    import json  # noqa: PLC0415 - here it is input and not output

    try:
        document = json.loads(file.read())
        said, content = str(document["digest"]), document["plan"]
        if document["format"] != _FORMAT:
            raise ValueError(f"its format is {clean(document['format'])}, and this program knows {_FORMAT}")
        found, number, node, total = _digest_of(content)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, OverflowError) as error:
        what = (
            f"{clean(error)} is missing"
            if isinstance(error, KeyError)
            else clean(str(error) or "a value is of the wrong kind")
        )
        say(f"bgpmon: {clean(file.name)} is no exported plan that can be read: {what}")
        return ExitCode.FAILED
    answer: Document = {"ok": found == said, "digest": said, "computed": found, "number": number, "node": node}
    show(answer | {"operations": total}, _verified)
    return ExitCode.DONE if found == said else ExitCode.FAILED


def _digest_of(content: dict[str, Any]) -> tuple[str, int, str, int]:
    """Return the digest, the number, the node and how many operations of the plan in *content*."""
    from monitor.engine.plans import plan_of  # noqa: PLC0415 - it loads the engine

    read = plan_of(content)
    return read.digest, read.number, read.node, len(read.operations) + len(read.rule_operations)


def _verified(document: Document, _page: object) -> list[str]:
    if document["ok"]:
        what = f"plan {clean(document['number'])} of node {clean(document['node'])}, {clean(document['operations'])} operations"
        return [f"digest matches: {what}", f"  {clean(document['digest'])}"]
    return [
        "digest does NOT match: the content is not what was frozen",
        f"  said      {clean(document['digest'])}",
        f"  computed  {clean(document['computed'])}",
    ]


@plan.command("statement")
@client_options
@click.argument("digest")
@click.option(
    "--act", type=click.Choice(["approve", "reject", "confirm"]), default="approve", show_default=True,
    help="What the signer wants done.",
)  # fmt: skip
@click.option("--ticket", default="", help="The ticket of this change, where a rule asks for one.")
@click.option(
    "--expires", type=Span(), help="How long the signature counts, such as 30m; default: as long as the plan."
)
def plan_statement(digest: str, act: str, ticket: str, expires: float | None) -> int:
    """The text that a person signs to decide about the plan of DIGEST; nothing else is on stdout.

    What to do with it is on stderr. Save the text as it is: `bgpmon plan statement DIGEST > plan.txt`.
    """
    ends = float(int(time.time() + expires)) if expires else 0.0
    with daemon() as client:
        document: Document = client.statement(digest, act, ticket, ends)
    tell_demo(document)
    if settings().json:
        emit(json_text(document))
        return ExitCode.DONE
    # The octets are what is signed: not one may be changed, so nothing is cleaned here but refused.
    text = str(document.get("text") or "")
    if not all(char == "\n" or char.isprintable() for char in text):
        say(
            "bgpmon: the statement holds characters that do not print, so nobody can know what they sign; nothing is printed"
        )
        return ExitCode.FAILED
    emit(text)
    say(f"bgpmon: save it as plan-{clean(document.get('number'))}.txt, sign it where your key is, and send both:")
    say(f"  {clean(document.get('sign'))}")
    say(f"  {clean(document.get('send'))}")
    if document.get("expires_at"):
        say(f"It counts until {clean(document['expires_at'])}.")
    return ExitCode.DONE
