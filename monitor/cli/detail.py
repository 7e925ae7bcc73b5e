"""Documents of the API as text for a terminal: one prefix, plans, and what a change came to."""

from collections.abc import Iterator

from monitor.cli.screen import Document, changes, history, mapping, objects, plan_name, texts
from monitor.cli.table import Page, clean, duration, moment, number

_MARGIN = " " * 11


def explain(document: Document, page: Page) -> Iterator[str]:
    """The answer in a sentence, then the paths in the order of the decision, then what was done."""
    yield from page.wrapped(clean(document.get("sentence") or document.get("verdict")))
    yield ""
    domain = clean(document.get("domain"))
    if others := texts(document.get("matches")):
        domain += f" (the same prefix is known in {', '.join(others)}: --domain)"
    yield from page.wrapped(domain, f"{'domain':<11}", _MARGIN)
    for key in ("desired", "installed"):
        yield from page.wrapped(clean(document.get(key)), f"{key:<11}", _MARGIN)
    if document.get("policy_rule"):
        yield from page.wrapped(clean(document["policy_rule"]), f"{'policy':<11}", _MARGIN)
    paths = objects(document.get("paths"))
    yield ""
    yield "no paths" if not paths else f"{len(paths)} path{'s' if len(paths) > 1 else ''}, best first"
    for path in paths:
        yield from _path(path, page)
    if entries := objects(document.get("history")):
        yield ""
        yield from history({"items": entries}, page)


def _path(path: Document, page: Page) -> Iterator[str]:
    best = path.get("best") is True
    asn = f" AS {clean(path['asn'])}" if path.get("asn") else ""
    stale = ", stale" if path.get("stale") is True else ""
    reason = clean(path.get("reason_text") or path.get("reason"))
    label = clean(path.get("reason"))
    head = (
        f"{clean(path.get('rank'))} {clean(path.get('peer'))}{asn}{stale}: {'best; ' if best else ''}{label}: {reason}"
    )
    yield from page.wrapped(head, "* " if best else "  ", "    ")
    if path.get("step"):
        yield from page.wrapped(f"lost by {clean(path['step'])}: {clean(path.get('step_text'))}", "    ", "    ")
    words = [f"via {clean(path.get('next_hop'))}", f"AS path {clean(path.get('as_path'))}"]
    keys = ("origin", "med", "local_pref", "communities", "large_communities")
    words += [f"{key.replace('_', '-')} {clean(path[key])}" for key in keys if path.get(key) not in (None, "", [])]
    if path.get("received_seconds") is not None:
        words.append(f"received {duration(path['received_seconds'])} ago")
    yield from page.wrapped("; ".join(words), "    ", "    ")
    if path.get("rule_text"):
        yield from page.wrapped(clean(path["rule_text"]), "    ", "      ")


def plan(document: Document, page: Page) -> Iterator[str]:
    """The plan's head, then one block for each operation."""
    yield f"plan {plan_name(document)} {clean(document.get('state'))}: {changes(document.get('summary'))}"
    for key in ("digest", "created_at", "expires_at", "detail"):
        if document.get(key):
            text = moment(document[key]) if key.endswith("_at") else clean(document[key])
            yield from page.wrapped(text, f"  {key.removesuffix('_at'):<9}", _MARGIN)
    yield ""
    operations = objects(document.get("operations"))
    if not operations:
        yield "nothing to do"
    for operation in operations:
        yield from _operation(operation, page)


def _operation(operation: Document, page: Page) -> Iterator[str]:
    before, after = operation.get("before"), operation.get("after")
    place = f"{clean(operation.get('domain'))} {clean(operation.get('table'))}"
    head = f"{clean(operation['prefix'])}  {place}" if operation.get("prefix") else place
    if not (before and after):
        head += f": {clean(after or before)}"
    yield from page.wrapped(head, f"{clean(operation.get('op'))} ", "    ")
    if before and after:
        yield from page.wrapped(clean(before), "    from  ", "          ")
        yield from page.wrapped(clean(after), "    to    ", "          ")
    words = [clean(operation[key]) for key in ("class", "decision") if operation.get(key)]
    if operation.get("risk"):
        words.insert(1, f"risk {clean(operation['risk'])}")
    if operation.get("reason"):
        words.append(clean(operation["reason"]))
    if words:
        yield from page.wrapped(", ".join(words), "    ", "    ")


def frozen(document: Document, page: Page) -> Iterator[str]:
    """What was frozen, how long it holds, and what to do with it."""
    short = clean(document.get("short") or document.get("digest"))
    yield f"plan {plan_name(document)} is {clean(document.get('state'))}: {changes(document.get('summary'))}"
    yield f"  digest   {clean(document.get('digest'))}"
    parts = [f"{clean(name)} {number(count)}" for name, count in mapping(document.get("by_domain")).items()]
    held = f"{number(document.get('total'))} operations" + (f": {', '.join(parts)}" if parts else "")
    yield from page.wrapped(held, "  holds    ", _MARGIN)
    yield f"  expires  {moment(document.get('expires_at'))}"
    yield ""
    yield f"  look     bgpmon plan show {short}"
    yield f"  apply    bgpmon approve {short}"
    yield f"  refuse   bgpmon reject {short} --reason WHY"


def applied(document: Document, page: Page) -> Iterator[str]:
    """What came of an approval."""
    yield f"plan {plan_name(document)} {clean(document.get('state'))}"
    counts = [f"{number(document.get(key))} {word}" for key, word in
              (("applied", "done"), ("failed", "failed"), ("stale", "no longer matched and left out"))]  # fmt: skip
    yield from page.wrapped(", ".join(counts), "  ", "  ")
    if document.get("failed"):
        yield from page.wrapped(
            "`bgpmon routes state=failed` shows what failed, `bgpmon explain PREFIX` why", "  ", "  "
        )


def rejected(document: Document, _page: Page) -> Iterator[str]:
    """That a plan is refused for good."""
    yield f"plan {plan_name(document)} {clean(document.get('state'))}"


def reloaded(document: Document, page: Page) -> Iterator[str]:
    """That the configuration is in force, and what is odd about it."""
    yield f"configuration {clean(document.get('state'))}"
    for warning in texts(document.get("warnings")):
        yield from page.wrapped(warning, "! ", "  ")


def withdrawn(document: Document, _page: Page) -> Iterator[str]:
    """What was removed."""
    yield f"{clean(document.get('state'))}: {number(document.get('removed'))} removed, {number(document.get('failed'))} failed"
