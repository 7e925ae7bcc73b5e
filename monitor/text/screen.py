"""Documents of the API as text for a terminal: the state of the node; what a document leaves out reads ``-``.

The screens of one prefix and of plans are in ``monitor.text.detail``.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from monitor.rib.reason import REASONS, Stage
from monitor.text.table import NOTHING, Page, clean, duration, moment, number

Document = dict[str, Any]

MOST_NAMES = 4
"""Peers that one line names."""

_SYMBOLS = {"add": "+", "change": "~", "remove": "-"}
_TROUBLES = {
    "held": "held",
    "failed": "failed",
    "conflicts": "in conflict",
    "foreign": "foreign",
    "drift": "drifted",
}
"""Counts of routes that need a look, and how they are called."""


def objects(value: object) -> list[Document]:
    """Return the objects of a list; nothing when it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: object) -> Document:
    """Return an object; an empty one when it is none."""
    return value if isinstance(value, dict) else {}


def texts(value: object) -> list[str]:
    """Return the items of a list as clean text; nothing when it is none."""
    return [clean(item) for item in value] if isinstance(value, list) else []


def changes(summary: object) -> str:
    """Return ``+14 ~2 -1``; ``none`` when there is nothing to do."""
    counts = mapping(summary)
    if not counts:
        return NOTHING
    parts = [f"{symbol}{number(counts[key])}" for key, symbol in _SYMBOLS.items() if counts.get(key)]
    return " ".join(parts) or "none"


def plan_name(document: Document) -> str:
    """Return how people call a plan: ``#412 7f3a-91c2-e0b4``."""
    name = document.get("short") or document.get("digest")
    parts = [f"#{clean(document['number'])}" if document.get("number") is not None else "", clean(name) if name else ""]
    return " ".join(filter(None, parts))


def _families(item: Document) -> list[tuple[str, Document]]:
    return [(family, mapping(counts)) for family, counts in mapping(item.get("families")).items()]


def status(document: Document, page: Page) -> Iterator[str]:
    """The node on one screen."""
    ready = "ready" if document.get("ready") is True else "not ready"
    program = f"bgpmon {clean(document['version'])}" if document.get("version") else ""
    since = f"since {moment(document['since'])}" if document.get("since") else ""
    yield "  ".join(filter(None, (clean(document.get("node")), clean(document.get("mode")), ready, program, since)))
    peers = mapping(document.get("peers"))
    yield f"peers    {clean(peers.get('up'))} of {clean(peers.get('total'))} up, {clean(peers.get('down'))} down"
    plan = mapping(document.get("plan"))
    name = " ".join(filter(None, (plan_name(plan), clean(plan.get("state")))))
    yield from page.wrapped(f"{name}: {changes(plan.get('summary'))}", "plan     ", "         ")
    yield from _change(mapping(document.get("change")), page)
    for source in objects(document.get("sources")):
        words = f"{clean(source.get('name'))} {clean(source.get('state'))}: {clean(source.get('detail'))}"
        target = source.get("target")
        roomy = page.columns > 120 or source.get("state") != "connected"
        if target and roomy and clean(target) not in words:
            words = f"{words} ({clean(target)})"
        yield from page.wrapped(words, "source   ", "         ")
    yield ""
    yield from _domain_table(objects(document.get("domains")), page)
    for warning in texts(document.get("warnings")):
        yield from page.wrapped(warning, "! ", "  ")


def _change(change: Document, page: Page) -> Iterator[str]:
    """What is being changed, what waits, and whether it may be applied; restraints are among the warnings."""
    margin = " " * 9
    if flight := mapping(change.get("in_flight")):
        words = f"{_plan_of(flight)} {clean(flight.get('state'))}"
        if flight.get("seconds_left") is not None:
            words += (
                f", {duration(flight['seconds_left'])} left: `bgpmon confirm` keeps it, `bgpmon rollback` takes it back"
            )
        yield from page.wrapped(words, "change   ", margin)
    for item in objects(change.get("waiting")):
        words = f"{_plan_of(item)} {clean(item.get('state'))}, expires {moment(item.get('expires_at'))}"
        if item.get("detail"):
            words += f": {clean(item['detail'])}"
        yield from page.wrapped(words, "waiting  ", margin)
    window = mapping(change.get("window"))
    # Without windows there is nothing to tell: every moment is as good as another.
    if window and not (window.get("open") is True and not window.get("name") and not window.get("until")):
        yield from page.wrapped(clean(window.get("text")), "window   ", margin)


def short_digest(digest: object) -> str:
    """Return a digest as people read it: ``7f3a-91c2-e0b4``."""
    text = str(digest or "")
    return clean("-".join(filter(None, (text[start : start + 4] for start in (0, 4, 8)))))


def _plan_of(item: Document) -> str:
    return f"#{clean(item.get('number'))} {short_digest(item.get('digest'))}"


def _domain_table(items: list[Document], page: Page) -> Iterator[str]:
    """One line for each domain and family; below, what each waits for and what troubles it."""
    counted = ("RECEIVED", "ACCEPTED", "BEST", "DESIRED", "INSTALLED")
    heads = ("DOMAIN", "TABLE", "STATE", "FAMILY", *counted, "PENDING")
    rows: list[list[object]] = []
    notes: list[str] = []
    for item in items:
        name, state = item.get("name"), item.get("state")
        for family, counts in _families(item) or [("", {})]:
            numbers = [number(counts.get(head.lower())) for head in counted]
            rows.append([name, item.get("table"), state, family, *numbers, changes(counts.get("pending"))])
            found = [f"{number(counts[key])} {word}" for key, word in _TROUBLES.items() if counts.get(key)]
            if found:
                notes += page.wrapped(f"{clean(name)} {clean(family)}: {', '.join(found)}", "! ", "  ")
        for wait in texts(item.get("waits")):
            notes += page.wrapped(f"{clean(name)}: {wait}", "~ ", "  ")
    if not rows:
        yield "no domains"
        return
    yield from page.table(heads, rows, f"TABLE {' '.join(counted)}", "ACCEPTED BEST", "DOMAIN")
    yield from notes


def peers(document: Document, page: Page) -> Iterator[str]:
    """One line for each peer and family; why a session is down stands below."""
    counted = ("RECEIVED", "ACCEPTED", "BEST", "ADVERTISED")
    heads = ("ADDRESS", "ASN", "DOMAIN", "STATE", "FOR", "FAMILY", *counted)
    rows: list[list[object]] = []
    notes: list[str] = []
    open_sessions: list[str] = []
    heard: set[str] = set()
    items = objects(document.get("items"))
    for item in items:
        address = clean(item.get("address"))
        state = clean(item.get("state"))
        if item.get("restarting") is True:
            state = f"{state}, stale"
        first = [address, item.get("asn"), item.get("domain"), state, _age(item.get("since"))]
        for family, counts in _families(item) or [("", {})]:
            rows.append([*first, family, *(number(counts.get(head.lower())) for head in counted)])
            limit = mapping(counts.get("peer_limit"))
            if limit.get("state") not in (None, "ok"):
                said = f"{family} paths {number(limit.get('paths'))}, limit {number(limit.get('limit'))}: {clean(limit['state'])}"
                notes += page.wrapped(f"{address}: {said}", "! ", "  ")
        if reason := item.get("last_down_reason"):
            notes += page.wrapped(f"{address}: last down: {clean(reason)}", "! ", "  ")
        if item.get("expired") is True:
            notes += page.wrapped(f"{address}: away for longer than stale_after; its paths are not used", "! ", "  ")
        if item.get("authenticated") is False:
            open_sessions.append(address)
        if item.get("source_kind") == "bmp":
            heard.add(clean(item.get("source")))
    if open_sessions:
        more = f" and {len(open_sessions) - MOST_NAMES} more" if len(open_sessions) > MOST_NAMES else ""
        notes += page.wrapped(f"not authenticated: {', '.join(open_sessions[:MOST_NAMES])}{more}", "! ", "  ")
    for source in sorted(heard):
        said = f"{source} is heard over BMP: what it told is counted; peers that were never up, and passwords, are not known"
        notes += page.wrapped(said, "~ ", "  ")
    if rows:
        yield from page.table(heads, rows, f"ASN FOR {' '.join(counted)}", "ADVERTISED ASN FOR ACCEPTED", "DOMAIN")
    else:
        yield "no peers"
    yield from notes


def _age(value: object) -> str:
    """Return how long ago a moment (RFC 3339) was."""
    try:
        since = datetime.fromisoformat(str(value))
    except ValueError:
        return NOTHING
    return duration(time.time() - since.timestamp()) if since.tzinfo else NOTHING


def domains(document: Document, page: Page) -> Iterator[str]:
    """The table of all domains, and the detail of each: where its paths stop, and why."""
    items = objects(document.get("items"))
    yield from _domain_table(items, page)
    for item in items:
        yield ""
        yield f"{clean(item.get('name'))}  table {clean(item.get('table'))}  metric {clean(item.get('metric'))}"
        margin = " " * 14
        yield from page.wrapped(clean(item.get("source")), "  source      ", margin)
        yield from page.wrapped(clean(item.get("interfaces")), "  interfaces  ", margin)
        rules = objects(item.get("rules"))
        for rule in rules:
            text = f"{clean(rule.get('text'))} ({clean(rule.get('state'))})"
            yield from page.wrapped(text, "  rule        ", margin)
        if not rules and item.get("effective") is False:
            yield "  rule        none leads to its table, so no traffic uses it"
        for guard in texts(item.get("guards")):
            yield from page.wrapped(guard, "  guard       ", margin)
        for family, counts in _families(item):
            yield from _funnel(clean(family), counts, page)


_FUNNEL = (
    ("received", Stage.RECEIVED),
    ("accepted", Stage.ACCEPTED),
    ("in_policy", Stage.IN_POLICY),
    ("eligible", Stage.ELIGIBLE),
    ("best", Stage.BEST),
    ("desired", Stage.DESIRED),
    ("installed", Stage.INSTALLED),
    ("verified", None),
)


def funnel(counts: Document) -> Iterator[tuple[str, list[str]]]:
    """Yield the key of each stage's count, and what keeps paths out of that stage."""
    reasons = mapping(counts.get("reasons"))
    for key, stage in _FUNNEL:
        stopped = [
            f"{number(count)} {clean(label)}"
            for label, count in reasons.items()
            if stage is not None and label in REASONS and REASONS[label].stage == stage - 1
        ]
        if key == "best" and counts.get("shared"):
            stopped.append(f"{number(counts['shared'])} more next hops of the same routes")
        yield key, stopped


def _funnel(family: str, counts: Document, page: Page) -> Iterator[str]:
    """How many paths reach each stage, and for which reasons the others do not."""
    columns = max([len(number(counts.get(key))) for key, _ in _FUNNEL])
    for key, stopped in funnel(counts):
        head = f"  {family if key == 'received' else '':<10}  {key.replace('_', ' '):<9}  "
        head += number(counts.get(key)).rjust(columns)
        yield from page.wrapped(", ".join(stopped), f"{head}   less " if stopped else head, " " * (len(head) + 8))


def routes(document: Document, page: Page) -> Iterator[str]:
    """One line for each route."""
    heads = ("PREFIX", "STATE", "DOMAIN", "TABLE", "METRIC", "PEER", "AGE", "REASON", "AS-PATH", "NEXT-HOPS")
    rows = []
    for item in objects(document.get("items")):
        hops = item.get("next_hops")
        rows.append(
            [
                *(item.get(key) for key in ("prefix", "state", "domain", "table", "metric", "peer")),
                duration(item.get("age_seconds")),
                item.get("reason"),
                item.get("as_path"),
                ", ".join(_next_hop(hop) for hop in hops) if isinstance(hops, list) else hops,
            ]
        )
    if not rows:
        yield "no routes"
        return
    yield from page.table(heads, rows, "TABLE METRIC AGE", "METRIC TABLE AGE REASON PEER AS-PATH", "NEXT-HOPS")


def _next_hop(hop: object) -> str:
    if not isinstance(hop, dict):
        return clean(hop)
    parts = [clean(hop["address"])] if hop.get("address") else []
    if hop.get("interface"):
        parts.append(f"dev {clean(hop['interface'])}")
    if hop.get("weight") not in (None, 0, 1):
        parts.append(f"weight {clean(hop['weight'])}")
    return " ".join(parts) or NOTHING


def history(document: Document, page: Page) -> Iterator[str]:
    """One entry for each thing that was done: when, how it ended, what, why and by whom."""
    rows = []
    for item in objects(document.get("items")):
        words = _done(item)
        if (actor := item.get("actor")) and actor != "bgpmon":
            words += f", by {clean(actor)}"
        if error := item.get("error"):
            words += f"; the kernel said: {clean(error)}"
        rows.append([moment(item.get("at")), item.get("result"), words])
    if not rows:
        yield "no history"
        return
    yield from page.table(("AT", "RESULT", "WHAT"), rows, "", "", "WHAT")


def _done(item: Document) -> str:
    """Return ``+ 10.8.1.0/24 storage 103: via 10.8.0.1 dev eth1 metric 200; plan 4``."""
    cause = clean(item.get("cause"))
    if not item.get("op"):
        return cause
    place = f"{clean(item.get('op'))} {clean(item['prefix'])}" if item.get("prefix") else clean(item.get("op"))
    if item.get("domain") or item.get("table"):
        place += f" {clean(item.get('domain'))} {clean(item.get('table'))}"
    values = [clean(item[key]) for key in ("before", "after") if item.get(key)]
    return f"{place}: {' -> '.join(values)}; {cause}" if values else f"{place}: {cause}"


def lookup(document: Document, page: Page) -> Iterator[str]:
    """The three answers, and whether they agree."""
    yield from page.wrapped(f"{clean(document.get('address'))}  {clean(document.get('verdict'))}", "", "  ")
    for key in ("bgp", "kernel", "plan"):
        value = document.get(key)
        text = value.get("text") if isinstance(value, dict) else value
        for index, line in enumerate(texts(mapping(value).get("items")) or [clean(text)]):
            yield from page.wrapped(line, f"  {key if not index else '':<8}", "            ")


def doctor(document: Document, page: Page) -> Iterator[str]:
    """One line for each check; what to do stands below those that fail."""
    items = objects(document.get("items"))
    if not items:
        yield "no checks"
    for item in items:
        good = item.get("ok") is True
        name = clean(item.get("check"))
        text = f"{name}: {clean(item['detail'])}" if item.get("detail") else name
        yield from page.wrapped(text, "ok    " if good else "FAIL  ", "      ")
        if not good and item.get("fix"):
            yield from page.wrapped(clean(item["fix"]), "      do: ", "          ")
