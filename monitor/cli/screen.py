"""Documents of the API as text for a terminal; what a document leaves out reads ``-``."""

from collections.abc import Iterator
from typing import Any

from monitor.cli.table import NOTHING, clean, duration, moment, table, wrapped

Document = dict[str, Any]

_SYMBOLS = {"add": "+", "change": "~", "remove": "-"}
_TROUBLES = ("held", "failed", "foreign", "drift")


def objects(value: object) -> list[Document]:
    """Return the objects of a list; nothing when it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    return [clean(item) for item in value] if isinstance(value, list) else []


def _families(item: Document) -> list[tuple[str, Document]]:
    return [(family, _object(counts)) for family, counts in _object(item.get("families")).items()]


def _changes(summary: object) -> str:
    """Return ``+14 ~2 -1``; ``none`` when there is nothing to do."""
    counts = _object(summary)
    if not counts:
        return NOTHING
    parts = [f"{symbol}{clean(counts[key])}" for key, symbol in _SYMBOLS.items() if counts.get(key)]
    return " ".join(parts) or "none"


def _named(document: Document) -> str:
    """Return how people call a plan: ``#412 7f3a-91c2-e0b4 frozen``."""
    name = document.get("short") or document.get("digest")
    parts = [f"#{clean(document['number'])}" if document.get("number") is not None else "", clean(name) if name else ""]
    return " ".join([*filter(None, parts), clean(document.get("state"))])


def status(document: Document) -> Iterator[str]:
    """The node on one screen."""
    ready = "ready" if document.get("ready") is True else "not ready"
    program = f"bgpmon {clean(document['version'])}" if document.get("version") else ""
    since = f"since {moment(document['since'])}" if document.get("since") else ""
    yield "  ".join(filter(None, (clean(document.get("node")), clean(document.get("mode")), ready, program, since)))
    peers = _object(document.get("peers"))
    yield f"peers    {clean(peers.get('up'))} of {clean(peers.get('total'))} up, {clean(peers.get('down'))} down"
    plan = _object(document.get("plan"))
    yield from wrapped(f"{_named(plan)}: {_changes(plan.get('summary'))}", "plan     ", "         ")
    for source in objects(document.get("sources")):
        words = " ".join(clean(source[key]) for key in ("name", "state", "target", "detail") if source.get(key))
        yield from wrapped(words, "source   ", "         ")
    yield ""
    yield from _domain_table(objects(document.get("domains")))
    for warning in _texts(document.get("warnings")):
        yield from wrapped(warning, "warning: ", "         ")


def _domain_table(items: list[Document]) -> Iterator[str]:
    heads = ("DOMAIN", "TABLE", "STATE", "FAMILY", "RECEIVED", "DESIRED", "INSTALLED", "PENDING")
    rows: list[list[object]] = []
    troubles: list[str] = []
    for item in items:
        name, state = item.get("name"), item.get("state")
        families = _families(item) or [("", {})]
        for family, counts in families:
            numbers = [counts.get(key) for key in ("received", "desired", "installed")]
            rows.append([name, item.get("table"), state, family, *numbers, _changes(counts.get("pending"))])
            found = [f"{clean(counts[key])} {key}" for key in _TROUBLES if counts.get(key)]
            if found:
                troubles += wrapped(f"{clean(name)} {clean(family)}: {', '.join(found)}", "! ", "  ")
    if not rows:
        yield "no domains"
        return
    yield from table(heads, rows, "TABLE RECEIVED DESIRED INSTALLED", "DOMAIN")
    yield from troubles


def peers(document: Document) -> Iterator[str]:
    """One line for each peer and family; why a session is down stands below."""
    heads = ("ADDRESS", "ASN", "DOMAIN", "STATE", "SINCE", "FAMILY", "RECEIVED", "ACCEPTED", "BEST", "ADVERTISED")
    rows: list[list[object]] = []
    notes: list[str] = []
    for item in objects(document.get("items")):
        first = [item.get("address"), item.get("asn"), item.get("domain"), item.get("state"), moment(item.get("since"))]
        for family, counts in _families(item) or [("", {})]:
            rows.append([*first, family, *(counts.get(head.lower()) for head in heads[6:])])
        if reason := item.get("last_down_reason"):
            notes += wrapped(f"{clean(item.get('address'))}: last down: {clean(reason)}", "! ", "  ")
        if item.get("authenticated") is False:
            notes += wrapped(f"{clean(item.get('address'))}: the session is not authenticated", "! ", "  ")
    yield from table(heads, rows, "ASN RECEIVED ACCEPTED BEST ADVERTISED") if rows else ["no peers"]
    yield from notes


def domains(document: Document) -> Iterator[str]:
    """The table of all domains, and the detail of each."""
    items = objects(document.get("items"))
    yield from _domain_table(items)
    for item in items:
        yield ""
        yield f"{clean(item.get('name'))}  table {clean(item.get('table'))}  metric {clean(item.get('metric'))}"
        yield from wrapped(f"{clean(item.get('source'))}", "  source      ", "              ")
        yield from wrapped(clean(item.get("interfaces")), "  interfaces  ", "              ")
        for rule in objects(item.get("rules")):
            text = f"{clean(rule.get('text'))} ({clean(rule.get('state'))})"
            yield from wrapped(text, "  rule        ", "              ")
        for label, count in _object(item.get("reasons")).items():
            yield from wrapped(f"{clean(count)} {clean(label)}", "  paths       ", "              ")
        for guard in _texts(item.get("guards")):
            yield from wrapped(guard, "  guard       ", "              ")


def _next_hop(hop: object) -> str:
    if not isinstance(hop, dict):
        return clean(hop)
    parts = [clean(hop["address"])] if hop.get("address") else []
    if hop.get("interface"):
        parts.append(f"dev {clean(hop['interface'])}")
    if hop.get("weight") not in (None, 0, 1):
        parts.append(f"weight {clean(hop['weight'])}")
    return " ".join(parts) or NOTHING


def routes(document: Document) -> Iterator[str]:
    """One line for each route."""
    heads = ("DOMAIN", "TABLE", "PREFIX", "NEXT HOPS", "METRIC", "STATE", "PEER", "AS PATH", "AGE", "REASON")
    rows = []
    for item in objects(document.get("items")):
        hops = item.get("next_hops")
        rows.append(
            [
                *(item.get(key) for key in ("domain", "table", "prefix")),
                ", ".join(_next_hop(hop) for hop in hops) if isinstance(hops, list) else hops,
                *(item.get(key) for key in ("metric", "state", "peer", "as_path")),
                duration(item.get("age_seconds")),
                item.get("reason"),
            ]
        )
    yield from table(heads, rows, "TABLE METRIC AGE") if rows else ["no routes"]


def explain(document: Document) -> Iterator[str]:
    """The answer in a sentence, then the paths in the order of the decision."""
    yield f"{clean(document.get('prefix'))}  domain {clean(document.get('domain'))}  {clean(document.get('verdict'))}"
    if document.get("sentence"):
        yield from wrapped(clean(document["sentence"]))
    yield from _desired_and_installed(document)
    if document.get("policy_rule"):
        yield from wrapped(clean(document["policy_rule"]), "policy     ", "           ")
    paths = objects(document.get("paths"))
    yield ""
    yield "no paths" if not paths else f"{len(paths)} path{'s' if len(paths) > 1 else ''}"
    for path in paths:
        yield from _path(path)
    if matches := document.get("matches"):
        yield ""
        yield from wrapped(f"also known in: {clean(matches)}")
    if entries := objects(document.get("history")):
        yield ""
        yield from history({"items": entries})


def _desired_and_installed(document: Document) -> Iterator[str]:
    for key in ("desired", "installed"):
        value = document.get(key)
        text = value.get("text", value) if isinstance(value, dict) else value
        yield from wrapped(clean(text), f"{key:<11}", "           ")


def _path(path: Document) -> Iterator[str]:
    mark = "*" if path.get("best") is True else " "
    asn = f" AS {clean(path['asn'])}" if path.get("asn") else ""
    reason = clean(path.get("reason_text") or path.get("reason"))
    yield from wrapped(f"{clean(path.get('rank'))} {clean(path.get('peer'))}{asn}: {reason}", f"{mark} ", "    ")
    words = [f"via {clean(path.get('next_hop'))}", f"path {clean(path.get('as_path'))}"]
    keys = ("origin", "med", "local_pref", "communities")
    words += [f"{key.replace('_', '-')} {clean(path[key])}" for key in keys if path.get(key) not in (None, "", [])]
    if path.get("received_seconds") is not None:
        words.append(f"received {duration(path['received_seconds'])} ago")
    yield from wrapped("; ".join(words), "    ", "    ")
    if path.get("step"):
        yield from wrapped(f"decided by {clean(path['step'])}", "    ", "    ")


def lookup(document: Document) -> Iterator[str]:
    """The three answers, and whether they agree."""
    yield f"{clean(document.get('address'))}  {clean(document.get('verdict'))}"
    for key in ("bgp", "kernel", "plan"):
        value = document.get(key)
        text = value.get("text") if isinstance(value, dict) else value
        yield from wrapped(clean(text), f"  {key:<8}", "          ")


def plan(document: Document) -> Iterator[str]:
    """The plan's head, then one block for each operation."""
    yield f"plan {_named(document)}"
    for key in ("digest", "created_at", "expires_at"):
        if document.get(key):
            text = moment(document[key]) if key.endswith("_at") else clean(document[key])
            yield f"  {key.removesuffix('_at'):<9}{text}"
    summary = _object(document.get("summary"))
    yield "  summary  " + ", ".join(f"{clean(summary.get(key))} {key}" for key in _SYMBOLS)
    guards = document.get("guards")
    for guard in _texts(guards) if isinstance(guards, list) else [clean(guards)] if guards else []:
        yield from wrapped(guard, "  guard    ", "           ")
    operations = objects(document.get("operations"))
    yield ""
    if not operations:
        yield "nothing to do"
    for operation in operations:
        yield from _operation(operation)


def _operation(operation: Document) -> Iterator[str]:
    place = f"{clean(operation.get('domain'))} table {clean(operation.get('table'))}"
    words = [clean(operation[key]) for key in ("class", "decision") if operation.get(key)]
    if operation.get("risk"):
        words.insert(1, f"risk {clean(operation['risk'])}")
    head = f"{clean(operation.get('prefix'))}  {place}  {', '.join(words)}"
    yield from wrapped(head, f"{clean(operation.get('op'))} ", "    ")
    for key in ("before", "after"):
        if operation.get(key):
            yield from wrapped(clean(operation[key]), f"    {key:<7}", "           ")
    if operation.get("reason"):
        yield from wrapped(clean(operation["reason"]), "    reason ", "           ")


def outcome(document: Document) -> Iterator[str]:
    """What a change came to, one line for each thing that the daemon told."""
    for key, value in document.items():
        label = f"{clean(key).replace('_', ' ')}:"
        if key == "summary":
            yield f"{label:<11} {_changes(value)}"
        elif isinstance(value, list):
            yield f"{label:<11} {len(value) or 'none'}"
            for item in value:
                yield from wrapped(clean(item), "  ", "    ")
        else:
            yield from wrapped(moment(value) if key.endswith("_at") else clean(value), f"{label:<11} ", " " * 12)


_HISTORY = ("at", "time", "event", "kind", "digest", "domain", "op", "prefix", "before", "after", "result", "actor")


def history(document: Document) -> Iterator[str]:
    """One line for each thing that was done, with the columns that the entries have."""
    items = objects(document.get("items"))
    if not items:
        yield "no history"
        return
    present = {key: None for item in items for key, value in item.items() if value not in (None, "")}
    keys = [key for key in _HISTORY if key in present] + [key for key in present if key not in _HISTORY]
    heads = [clean(key).replace("_", " ").upper() for key in keys]
    rows = [[moment(item.get(key)) if _is_moment(key) else item.get(key) for key in keys] for item in items]
    yield from table(heads, rows)


def _is_moment(key: str) -> bool:
    return key in {"at", "time"} or key.endswith("_at")


def doctor(document: Document) -> Iterator[str]:
    """One line for each check; what to do stands below those that fail."""
    items = objects(document.get("items"))
    if not items:
        yield "no checks"
    for item in items:
        good = item.get("ok") is True
        name = clean(item.get("check"))
        text = f"{name}: {clean(item['detail'])}" if item.get("detail") else name
        yield from wrapped(text, "ok    " if good else "FAIL  ", "      ")
        if not good and item.get("fix"):
            yield from wrapped(clean(item["fix"]), "      do: ", "          ")
