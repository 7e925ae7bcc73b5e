"""A plan as a document: what is told of it, in which order, before it becomes text or Markdown.

The sections are the same in every format.  All text in them is clean (``monitor.text.table``); what Markdown would take for
marks of its own is escaped where Markdown is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from monitor.text.requirement import requirement
from monitor.text.screen import Document, changes, mapping, objects, plan_name, texts
from monitor.text.table import clean, duration, moment, number, operations

UNWRITTEN = frozenset({"live", "frozen", "approved", "queued"})
"""States in which nothing of a plan has been written, and something may still be."""

OPEN = UNWRITTEN | {"applying", "soaking"}
"""States in which the terms of a change still matter."""

MOST_LEFT_OUT = 5
"""Operations that are named for each reason why a plan leaves some out."""

_HOW = {
    "local": "local: only admin.sock vouches for it",
    "ssh-signature": "SSH signature",
    "break-glass": "break-glass: nobody else was asked",
}
_ACTS = {"approve": "approves", "reject": "rejects", "confirm": "confirms"}
_MARKS = {"ok": "ok", "look": "LOOK", "block": "BLOCK"}


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values."""

    rows: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Notes:
    """Sentences, each with a mark before it, which may be empty."""

    rows: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: heads have no blanks; *right* names the columns of numbers, *shrink* the one that gives way."""

    heads: tuple[str, ...]
    rows: list[list[str]]
    right: str = ""
    spare: str = ""
    shrink: str = ""


class Step(NamedTuple):
    """One operation: its sign, its prefix (or nothing, for a policy rule) and place, and what is said of it by name."""

    op: str
    prefix: str
    domain: str
    table: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Steps:
    """The operations."""

    rows: list[Step]


Block = Facts | Notes | Grid | Steps


class Section(NamedTuple):
    """A part of the document under its title; the first one has the plan's name as title."""

    title: str
    blocks: list[Block]


def sections(document: Document, *, brief: bool = False) -> list[Section]:
    """Return the parts of a plan; *brief*: what somebody must see who decides, without each operation."""
    head = list(_head(document))
    found = [Section(_title(document), [Facts(head)] if head else [])]
    parts = [
        ("What changes", _changes(document)),
        ("Default route", _default_routes(document)),
        ("Checks", _checks(document, brief=brief)),
        *([] if brief else [("Operations", _operations(document))]),
        ("Left out", _left_out(document, 3 if brief else MOST_LEFT_OUT)),
        ("Approvals", _approvals(document)),
        ("Terms", _terms(document)),
        *([] if brief else [("What happened", _happened(document))]),
    ]
    found += [Section(title, blocks) for title, made in parts if (blocks := list(made))]
    return found


def _title(document: Document) -> str:
    return f"plan {plan_name(document)} {clean(document.get('state'))}: {changes(document.get('summary'))}"


def _head(document: Document) -> Iterator[tuple[str, str]]:
    if document.get("digest"):
        yield "digest", clean(document["digest"])
    if document.get("node"):
        yield "node", clean(document["node"])
    if document.get("kind"):
        words = "what BGP wants" if document["kind"] == "change" else clean(document["kind"])
        if document.get("rolls_back"):
            words = f"the way back from plan {clean(document['rolls_back'])}"
        yield "kind", words
    if document.get("risk"):
        yield "risk", clean(document["risk"])
    if document.get("created_at"):
        by = document.get("author") or document.get("frozen_by")
        words = f"{moment(document['created_at'])}{f' by {clean(by)}' if by else ''}"
        if document.get("author") and document.get("frozen_by") not in (None, "", document["author"]):
            words += f" ({clean(document['frozen_by'])})"
        yield "frozen", words
    if document.get("expires_at"):
        yield "expires", moment(document["expires_at"])
    if document.get("detail"):
        yield "detail", clean(document["detail"])
    change = mapping(document.get("change"))
    if paused := mapping(change.get("paused")):
        yield (
            "paused",
            f"since {moment(paused.get('since'))} by {clean(paused.get('actor'))}: {clean(paused.get('reason'))}",
        )
    if document.get("state") == "live":
        yield "note", "it moves with BGP, so nobody can approve it: `bgpmon plan freeze` makes a copy that stays"


def _changes(document: Document) -> Iterator[Block]:
    effect = mapping(document.get("effect"))
    total = document.get("total")
    domains = [f"{clean(name)} {number(count)}" for name, count in mapping(document.get("by_domain")).items()]
    facts: list[tuple[str, str]] = []
    if total is not None:
        summary = mapping(document.get("summary"))
        counts = [f"{number(summary[key])} to {key}" for key in ("add", "change", "remove") if summary.get(key)]
        facts.append(("operations", f"{number(total)}{': ' if counts else ''}{', '.join(counts)}"))
    if domains:
        facts.append(("domains", ", ".join(domains)))
    if effect:
        facts.append(("moved", clean(effect["moved"]) if effect.get("moved") else "no address gets another way"))
    if groups := document.get("groups"):
        one = groups == 1
        words = "group" if one else "groups"
        facts.append(("together", f"{number(groups)} {words} of operations of which all are done or none"))
    for item in objects(effect.get("protected")):
        words = f"table {clean(item.get('table'))}: {clean(item.get('before'))} -> {clean(item.get('after'))}"
        facts.append(("looked after", f"{clean(item.get('name'))}, {words}"))
    if facts:
        yield Facts(facts)
    tables = objects(effect.get("tables"))
    if tables:
        yield Grid(
            ("DOMAIN", "TABLE", "FAMILY", "ADD", "CHANGE", "REMOVE", "ROUTES", "THEN", "PERCENT"),
            [
                [
                    *(clean(table.get(key)) for key in ("domain", "table", "family")),
                    *(number(table.get(key)) for key in ("add", "change", "remove", "routes_before", "routes_after")),
                    _percent(table.get("percent")),
                ]
                for table in tables
            ],
            right="TABLE ADD CHANGE REMOVE ROUTES THEN PERCENT",
            shrink="DOMAIN",
        )
    loads = [(table, load) for table in tables for load in objects(table.get("load"))]
    if loads:
        yield Grid(
            ("TABLE", "FAMILY", "NEXT-HOP", "DEV", "ROUTES", "THEN", "SHARE", "THEN-SHARE", "NOTE"),
            [
                [
                    *(clean(table.get(key)) for key in ("table", "family")),
                    *(clean(load.get(key)) for key in ("next_hop", "interface")),
                    *(number(load.get(key)) for key in ("routes_before", "routes_after")),
                    *(_percent(load.get(key)) for key in ("percent_before", "percent_after")),
                    clean(load.get("note")),
                ]
                for table, load in loads
            ],
            right="TABLE ROUTES THEN SHARE THEN-SHARE",
            spare="DEV SHARE",
            shrink="NEXT-HOP",
        )


def _percent(value: object) -> str:
    number_like = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.2f}".rstrip("0").rstrip(".") + " %" if number_like else clean(value)


def _default_routes(document: Document) -> Iterator[Block]:
    rows = [
        (
            f"{clean(table.get('domain'))} {clean(table.get('table'))} {clean(table.get('family'))}",
            clean(table["default_route"]),
        )
        for table in objects(mapping(document.get("effect")).get("tables"))
        if table.get("default_route")
    ]
    if rows:
        yield Facts(rows)


def _checks(document: Document, *, brief: bool) -> Iterator[Block]:
    checks = objects(mapping(document.get("effect")).get("checks"))
    shown = [item for item in checks if not brief or item.get("verdict") != "ok"]
    rows = [
        (
            _MARKS.get(str(item.get("verdict")), clean(item.get("verdict"))),
            f"{clean(item.get('check'))}: {clean(item.get('text'))}",
        )
        for item in shown
    ]
    if brief and checks and not shown:
        rows.append(("ok", f"all {len(checks)} of them"))
    if rows:
        yield Notes(rows)


def _operations(document: Document) -> Iterator[Block]:
    rows = objects(document.get("operations"))
    if rows:
        yield Steps([_step(row) for row in rows])
        if document.get("truncated") is True:
            yield Notes(
                [("", f"{number(len(rows))} of {number(document.get('total'))} operations; the others are not shown")]
            )
    else:
        yield Notes([("", "nothing to do")])


def _step(row: Document) -> Step:
    facts = {
        "now": clean(row["before"]) if row.get("before") else "no route" if row.get("prefix") else "no rule",
        "then": clean(row["after"]) if row.get("after") else "no route" if row.get("prefix") else "no rule",
        "effect": clean(row["effect"]) if row.get("effect") else "",
        "class": clean(row["class"]) if row.get("class") else "",
        "risk": clean(row["risk"]) if row.get("risk") else "",
        "rule": clean(row["rule"]) if row.get("rule") else "",
        "decision": clean(row["decision"]) if row.get("decision") else "",
        "reason": clean(row["reason"]) if row.get("reason") else "",
    }
    if row.get("held"):
        facts["held"] = f"kept back by hold {clean(row['held'])}"
    prefix = clean(row["prefix"]) if row.get("prefix") else ""
    return Step(clean(row.get("op")), prefix, clean(row.get("domain")), clean(row.get("table")), facts)


def _left_out(document: Document, most: int) -> Iterator[Block]:
    """Say for each reason how many operations it keeps out, and name the first *most* of them."""
    left = mapping(document.get("left_out"))
    named: dict[str, list[str]] = {}
    for item in objects(left.get("items")):
        words = f"{clean(item.get('op'))} {clean(item.get('prefix'))} (table {clean(item.get('table'))})"
        named.setdefault(clean(item.get("reason")), []).append(words)
    rows: list[tuple[str, str]] = []
    for reason, count in mapping(left.get("reasons")).items():
        first = named.get(clean(reason), [])[:most]
        more = count - len(first) if isinstance(count, int) else 0
        words = ", ".join([*first, *([f"{number(more)} more"] if first and more > 0 else [])])
        rows.append((number(count), f"{clean(reason)}{': ' if words else ''}{words}"))
    if rows:
        yield Notes(rows)


def _approvals(document: Document) -> Iterator[Block]:
    facts: list[tuple[str, str]] = []
    given = mapping(document.get("approvals"))
    if words := requirement(document.get("requirement")):
        facts.append(("asked for", words))
    if given:
        words = f"{number(given.get('have'))} of {number(given.get('need'))}"
        missing = given.get("missing")
        facts.append(("have", f"{words}; still missing: {clean(missing)}" if missing else f"{words}: enough"))
    if facts:
        yield Facts(facts)
    if items := objects(given.get("items")):
        yield Notes([_voice(item) for item in items])


def _voice(item: Document) -> tuple[str, str]:
    """Return who said what, how that is known, and whether it counts."""
    act = str(item.get("act"))
    method = str(item.get("method"))
    words = [
        f"{clean(item.get('principal'))} {_ACTS.get(act, clean(act))}, {moment(item.get('at'))}",
        _HOW.get(method, clean(method)),
    ]
    if item.get("ticket"):
        words.append(f"ticket {clean(item['ticket'])}")
    if act == "approve":
        until = f" until {moment(item['expires'])}" if item.get("expires") else ""
        words.append(f"counts{until}" if item.get("counts") is True else "counts no longer")
    if item.get("comment"):
        words.append(f"says: {clean(item['comment'])}")
    return ("*" if item.get("counts") is True else "!"), "; ".join(words)


def _terms(document: Document) -> Iterator[Block]:
    state = document.get("state")
    facts: list[tuple[str, str]] = []
    window = mapping(document.get("window")) or mapping(mapping(document.get("change")).get("window"))
    if window and state in UNWRITTEN:
        facts.append(("window", clean(window.get("text"))))
    deadline = mapping(document.get("progress")).get("deadline") if state == "soaking" else None
    soak = mapping(document.get("soak"))
    # Where glass was broken a change soaks although the configuration has no soak; then its deadline says all.
    if "soak" in document and state in OPEN and (soak or not deadline):
        if soak:
            words = f"taken back unless confirmed within {duration(soak.get('seconds'))}"
            words += f", which may be extended to {duration(soak.get('most_seconds'))} in all"
        else:
            words = "none: what is applied stays, until somebody rolls it back"
        facts.append(("soak", words))
        facts += [
            ("probe", f"{clean(probe.get('name'))}: {clean(probe.get('kind'))} {clean(probe.get('target'))}")
            for probe in objects(soak.get("probes"))
        ]
    if deadline:
        facts.append(("deadline", f"taken back at {moment(deadline)} unless confirmed"))
    if facts:
        yield Facts(facts)


def _happened(document: Document) -> Iterator[Block]:
    progress = mapping(document.get("progress"))
    rows = [(moment(item.get("at")), clean(item.get("text"))) for item in objects(progress.get("log"))]
    if rows:
        yield Facts(rows)
    if left := texts(progress.get("left_out")):
        yield Notes([("!", f"left out while it was written: {line}") for line in left])
    probes = objects(document.get("probes"))
    if probes:
        yield Grid(
            ("PROBE", "KIND", "TARGET", "BEFORE", "NOW", "GOOD", "VERDICT"),
            [
                [
                    *(clean(item.get(key)) for key in ("name", "kind", "target")),
                    _look(item.get("before")),
                    _look(item.get("now")),
                    f"{number(item.get('good'))} of {number(item.get('total'))}",
                    clean(item.get("verdict")),
                ]
                for item in probes
            ],
            spare="KIND",
            shrink="TARGET",
        )
        bad = [item for item in probes if item.get("text") and item.get("verdict") not in {"ok", "recovered"}]
        if bad:
            yield Notes([("!", f"probe {clean(item.get('name'))}: {clean(item.get('text'))}") for item in bad])
    reverted = mapping(progress.get("reverted"))
    if reverted:
        words = f"{operations(reverted.get('done'))}, {number(reverted.get('failed'))} refused by the kernel"
        clean_end = reverted.get("clean") is True
        yield Facts(
            [
                (
                    "taken back",
                    f"{words}; {'everything is as it was before' if clean_end else 'NOT everything is as it was'}",
                )
            ]
        )
        if alone := texts(reverted.get("left_alone")):
            yield Notes([("!", f"left alone: {line}") for line in alone])


def _look(value: object) -> str:
    """Return one look of a probe: ``ok 3 ms``, ``failed``."""
    look = mapping(value)
    if not look:
        return clean(value)
    ms = look.get("milliseconds")
    timed = f" {ms:.0f} ms" if isinstance(ms, int | float) and not isinstance(ms, bool) and ms >= 1 else ""
    return f"ok{timed}" if look.get("ok") is True else "failed"
