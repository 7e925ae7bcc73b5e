"""What came of a decision, as text: plans that were frozen or decided about, holds, the pause."""

from collections.abc import Iterator

from monitor.text.requirement import requirement
from monitor.text.screen import Document, changes, mapping, objects, plan_name, texts
from monitor.text.table import Page, clean, moment, number, operations

_MARGIN = " " * 11

_TELLS_WHY = frozenset({"rolling-back", "rolled-back", "failed", "expired", "superseded", "rejected", "confirmed"})
"""States whose detail is worth a line; what others wait for is told on stderr, with what to do."""


def frozen(document: Document, page: Page) -> Iterator[str]:
    """What was frozen, what it asks for, how long it holds, and what to do with it."""
    short = clean(document.get("short") or document.get("digest"))
    yield f"plan {plan_name(document)} is {clean(document.get('state'))}: {changes(document.get('summary'))}"
    yield f"  digest   {clean(document.get('digest'))}"
    parts = [f"{clean(name)} {number(count)}" for name, count in mapping(document.get("by_domain")).items()]
    held = operations(document.get("total")) + (f": {', '.join(parts)}" if parts else "")
    yield from page.wrapped(held, "  holds    ", _MARGIN)
    if document.get("rolls_back"):
        yield f"  kind     the way back from plan {clean(document['rolls_back'])}"
    if moved := mapping(document.get("effect")).get("moved"):
        yield from page.wrapped(clean(moved), "  moves    ", _MARGIN)
    left = mapping(document.get("left_out"))
    if left.get("total"):
        reasons = [f"{number(count)} {clean(reason)}" for reason, count in mapping(left.get("reasons")).items()]
        yield from page.wrapped("; ".join(reasons), "  without  ", _MARGIN)
    if wanted := requirement(document.get("requirement")):
        yield from page.wrapped(wanted, "  asks for ", _MARGIN)
    yield f"  expires  {moment(document.get('expires_at'))}"
    yield ""
    yield f"  look     bgpmon plan show {short}"
    asked = mapping(document.get("requirement"))
    people = asked.get("people")
    if (isinstance(people, int) and people > 1) or asked.get("groups"):
        yield f"  sign     bgpmon plan statement {short} > plan-{clean(document.get('number'))}.txt"
    else:
        yield f"  apply    bgpmon approve {short}"
    yield f"  refuse   bgpmon reject {short} --reason WHY"


def decided(document: Document, page: Page) -> Iterator[str]:
    """What became of a plan: its state, what was done of it, what is missing, how it was taken back."""
    yield f"plan {plan_name(document)} {clean(document.get('state'))}"
    if document.get("detail") and document.get("state") in _TELLS_WHY:
        yield from page.wrapped(clean(document["detail"]), "  ", "  ")
    if "applied" in document:
        counts = [f"{number(document.get(key))} {word}" for key, word in
                  (("applied", "done"), ("failed", "failed"), ("stale", "no longer matched and left out"))]  # fmt: skip
        yield from page.wrapped(", ".join(counts), "  ", "  ")
    for line in texts(document.get("left_out")):
        yield from page.wrapped(f"left out: {line}", "  ", "    ")
    if document.get("failed"):
        yield from page.wrapped(
            "`bgpmon routes state=failed` shows what failed, `bgpmon explain PREFIX` why", "  ", "  "
        )
    given = mapping(document.get("approvals"))
    if given:
        missing = f"; still missing: {clean(given['missing'])}" if given.get("missing") else ""
        words = f"approvals: {number(given.get('have'))} of {number(given.get('need'))}{missing}"
        yield from page.wrapped(words, "  ", "  ")
    if document.get("waits_for"):
        yield from page.wrapped(f"waits: {clean(document['waits_for'])}", "  ", "  ")
    if document.get("deadline") and document.get("state") == "soaking":
        yield f"  taken back at {moment(document['deadline'])} unless confirmed"
    if reverted := mapping(document.get("reverted")):
        clean_end = "everything is as it was before" if reverted.get("clean") is True else "NOT everything is as it was"
        words = f"taken back: {number(reverted.get('done'))}, refused by the kernel: {number(reverted.get('failed'))}; {clean_end}"
        yield from page.wrapped(words, "  ", "  ")
        for line in texts(reverted.get("left_alone")):
            yield from page.wrapped(f"left alone: {line}", "  ", "    ")


def held(document: Document, page: Page) -> Iterator[str]:
    """The hold that was made."""
    words = f"hold {clean(document.get('id'))} until {moment(document.get('until'))}: {clean(document.get('filter'))}"
    yield from page.wrapped(words, "", "  ")
    yield f"  end it   bgpmon release {clean(document.get('id'))}"


def released(document: Document, page: Page) -> Iterator[str]:
    """The hold that was ended."""
    words = f"hold {clean(document.get('id'))} {clean(document.get('state'))}: {clean(document.get('filter'))}"
    yield from page.wrapped(words, "", "  ")


def holds(document: Document, page: Page) -> Iterator[str]:
    """One line for each hold."""
    items = objects(document.get("items"))
    if not items:
        yield "no holds"
        return
    rows = [
        [
            item.get("id"),
            moment(item.get("until")),
            f"{clean(item.get('filter'))}: {clean(item.get('reason'))}, by {clean(item.get('actor'))}",
        ]
        for item in items
    ]
    yield from page.table(("ID", "UNTIL", "WHAT"), rows, "ID", "", "WHAT")


def paused(document: Document, page: Page) -> Iterator[str]:
    """That nothing is written from now on."""
    words = f"{clean(document.get('state'))} since {moment(document.get('since'))} by {clean(document.get('actor'))}"
    yield from page.wrapped(f"{words}: {clean(document.get('reason'))}", "", "  ")
    yield "  end it   bgpmon resume"


def resumed(document: Document, page: Page) -> Iterator[str]:
    """That things are written again, and what had stopped them."""
    reason = f"; it was paused since {moment(document.get('since'))}: {clean(document.get('reason'))}"
    yield from page.wrapped(f"{clean(document.get('state'))}{reason if document.get('since') else ''}", "", "  ")


def extended(document: Document, page: Page) -> Iterator[str]:
    """Until when a change may soak now."""
    words = (
        f"plan {plan_name(document)} {clean(document.get('state'))}: taken back at {moment(document.get('deadline'))}"
    )
    yield from page.wrapped(f"{words} unless confirmed", "", "  ")
