"""Lists as text: plans, what two of them have in common, windows, rules, records of the journal, verifications."""

import json
from collections import Counter
from collections.abc import Iterator

from monitor.text.requirement import requirement
from monitor.text.screen import Document, changes, mapping, objects, short_digest, texts
from monitor.text.table import NOTHING, Page, clean, duration, moment, number

ROOMY = 120
"""Columns from which on who asked has a column of its own."""


def plans(document: Document, page: Page) -> Iterator[str]:
    """One line for each frozen plan."""
    rows = [
        [
            number(item.get("number")),
            item.get("short") or short_digest(item.get("digest")),
            item.get("state"),
            item.get("kind"),
            item.get("risk"),
            changes(item.get("summary")),
            moment(item.get("created_at")),
            moment(item.get("expires_at")),
            item.get("frozen_by"),
        ]
        for item in objects(document.get("items"))
    ]
    if not rows:
        yield "no plans; `bgpmon plan freeze` makes one"
        return
    heads = ("PLAN", "DIGEST", "STATE", "KIND", "RISK", "CHANGES", "FROZEN", "EXPIRES", "BY")
    yield from page.table(heads, rows, "PLAN", "BY EXPIRES KIND")


def comparison(document: Document, page: Page) -> Iterator[str]:
    """What two plans share, and what only one of them has."""
    first, second = clean(document.get("first")), clean(document.get("second"))
    counts = mapping(document.get("counts"))
    yield f"{number(document.get('same'))} operations are the same in {first} and {second}"
    for key, title in (
        ("only_first", f"only in {first}"),
        ("only_second", f"only in {second}"),
        ("changed", f"other in {second}"),
    ):
        items = objects(document.get(key))
        if not items:
            continue
        yield ""
        yield from page.wrapped(f"{title}: {number(counts.get(key, len(items)))}", "", "  ")
        for item in items:
            yield from page.wrapped(_operation(item), f"{clean(item.get('op'))} ", "    ")


def _operation(item: Document) -> str:
    values = [clean(item[key]) for key in ("before", "after") if item.get(key)]
    place = f"{clean(item.get('prefix'))} {clean(item.get('domain'))} {clean(item.get('table'))}"
    return f"{place}: {' -> '.join(values)}"


def windows(document: Document, page: Page) -> Iterator[str]:
    """Whether changes may be applied at a moment, and which windows there are."""
    yield from page.wrapped(f"{moment(document.get('at'))}  {clean(document.get('text'))}", "", "  ")
    rows = [
        [*(item.get(key) for key in ("name", "kind", "cron")), duration(item.get("seconds")), item.get("timezone")]
        for item in objects(document.get("configured"))
    ]
    if rows:
        yield ""
        yield from page.table(("NAME", "KIND", "CRON", "FOR", "TIMEZONE"), rows, "FOR", "", "NAME")


def openings(document: Document, page: Page) -> Iterator[str]:
    """When changes may be applied next, in UTC and on the clocks of the window's place."""
    yield from page.wrapped(f"{moment(document.get('at'))}  {clean(document.get('text'))}", "", "  ")
    items = objects(document.get("items"))
    if not items and objects(document.get("configured")):
        yield "no window opens within two years"
    for item in items:
        ends = clean(item["utc_ends"]) if item.get("utc_ends") else "no end in sight"
        there = clean(item["local_ends"]) if item.get("local_ends") else "no end in sight"
        yield ""
        yield clean(item.get("name"))
        yield from page.wrapped(f"{clean(item.get('utc_starts'))} to {ends}", "  UTC    ", "         ")
        words = f"{clean(item.get('local_starts'))} to {there} ({clean(item.get('timezone'))})"
        yield from page.wrapped(words, "  there  ", "         ")
        if item.get("note"):
            yield from page.wrapped(clean(item["note"]), "  note   ", "         ")


def judgement(document: Document, page: Page) -> Iterator[str]:
    """The rules with what each decides, then the operations with the rule that decides on each."""
    items = objects(document.get("items"))
    yield from _rules(objects(document.get("rules")), Counter(clean(item.get("rule")) for item in items), page)
    if wanted := requirement(document.get("requirement")):
        yield from page.wrapped(wanted, "the plan asks for ", "  ")
    yield ""
    if not items:
        yield "no operations"
        return
    heads = ("OP", "PREFIX", "DOMAIN", "CLASS", "RISK", "DECISION", "RULE")
    keys = ("op", "prefix", "domain", "class", "risk", "decision", "rule")
    rows = [[item.get(key) for key in keys] for item in items]
    yield from page.table(heads, rows, "", "RISK DOMAIN", "RULE")


def _rules(rules: list[Document], used: "Counter[str]", page: Page) -> Iterator[str]:
    if not rules:
        yield "no approval rules: what the mode says holds for everything"
        return
    rows = [
        [number(rule.get("number")), rule.get("name"), used[clean(rule.get("name"))] or NOTHING, rule.get("line") or NOTHING,
         rule.get("text")]
        for rule in rules
    ]  # fmt: skip
    yield from page.table(("N", "NAME", "DECIDES", "LINE", "RULE"), rows, "N DECIDES LINE", "LINE", "RULE")


def explanation(document: Document, page: Page) -> Iterator[str]:
    """Which rule decides about one prefix, and what it says."""
    rules = {clean(rule.get("name")): rule for rule in objects(document.get("rules"))}
    for item in objects(document.get("items")):
        head = f"{clean(item.get('prefix'))}  {clean(item.get('domain'))} table {clean(item.get('table'))}"
        yield from page.wrapped(head, f"{clean(item.get('op'))} ", "    ")
        yield from page.wrapped(f"{clean(item.get('class'))}, risk {clean(item.get('risk'))}", "  class     ", " " * 12)
        yield from page.wrapped(clean(item.get("decision")), "  decision  ", " " * 12)
        name = clean(item.get("rule"))
        rule = rules.get(name)
        words = name
        if rule is not None:
            place = f" (line {clean(rule['line'])})" if rule.get("line") else ""
            words = f"{clean(rule.get('number'))}, {name}{place}: {clean(rule.get('text'))}"
        yield from page.wrapped(words, "  rule      ", " " * 12)


def events(document: Document, page: Page) -> Iterator[str]:
    """One line for each record."""
    items = objects(document.get("items"))
    if not items:
        yield "no events"
        return
    if page.columns >= ROOMY:
        heads: tuple[str, ...] = ("ID", "AT", "KIND", "ACTOR", "WHAT")
        rows: list[list[object]] = [
            [item.get("id"), moment(item.get("at")), item.get("kind"), item.get("actor"), event_text(item)]
            for item in items
        ]
    else:
        heads = ("ID", "AT", "KIND", "WHAT")
        rows = [[item.get("id"), moment(item.get("at")), item.get("kind"), _by(item)] for item in items]
    yield from page.table(heads, rows, "ID", "", "WHAT")


def event_line(item: Document, page: Page) -> list[str]:
    """Return one record on its own, in columns that do not depend on the others."""
    start = f"{clean(item.get('id')):>7}  {moment(item.get('at'))}  {clean(item.get('kind')):<12}  "
    return page.wrapped(_by(item), start, " " * 11)


def _by(item: Document) -> str:
    actor = item.get("actor")
    return f"{event_text(item)}, by {clean(actor)}" if actor and actor != "bgpmon" else event_text(item)


def event_text(item: Document) -> str:
    """Return what a record says: its cause and counts, its result, or its detail."""
    said = (
        item | {"detail": _last_words(item["detail"])}
        if item.get("kind") == "progress" and item.get("detail")
        else item
    )
    words = [clean(said[key]) for key in ("cause", "detail") if said.get(key)]
    if operations := mapping(item.get("operations")):
        named = texts(item.get("prefixes"))
        more = sum(count for count in operations.values() if isinstance(count, int)) - len(named)
        few = f" {', '.join(named)}{f' and {number(more)} more' if more > 0 else ''}" if named else ""
        words.append(f"{changes(operations)}{few}")
    if result := mapping(item.get("result")):
        failed = f", {number(result['failed'])} failed" if result.get("failed") else ""
        words.append(f"{number(result.get('done'))} done{failed}")
    return "; ".join(words) or NOTHING


def verification(document: Document, page: Page) -> Iterator[str]:
    """Whether the journal is whole; every problem, if it is not."""
    whole = document.get("ok") is True
    first, last = number(document.get("first")), number(document.get("last"))
    span = f", {first} to {last}" if document.get("records") else ""
    yield f"{'whole' if whole else 'NOT whole'}: {number(document.get('records'))} records{span}"
    yield f"  head  {clean(document.get('head'))}"
    for problem in texts(document.get("problems")):
        yield from page.wrapped(problem, "! ", "  ")


def _last_words(detail: object) -> str:
    """Return what is told last of a change, where the record holds all that is kept of it as JSON."""
    try:
        log = json.loads(str(detail))["log"]
        return f"kept: {log[-1][1]}" if log else "kept before the first write"
    except (ValueError, KeyError, TypeError, IndexError):
        return str(detail)
