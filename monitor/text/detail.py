"""Documents of the API as text for a terminal: one prefix, and what the daemon did as a whole."""

from collections.abc import Iterator

from monitor.text.screen import Document, history, objects, texts
from monitor.text.table import Page, clean, duration, number

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


def reloaded(document: Document, page: Page) -> Iterator[str]:
    """That the configuration is in force, and what is odd about it."""
    yield f"configuration {clean(document.get('state'))}"
    for warning in texts(document.get("warnings")):
        yield from page.wrapped(warning, "! ", "  ")


def withdrawn(document: Document, _page: Page) -> Iterator[str]:
    """What was removed."""
    yield f"{clean(document.get('state'))}: {number(document.get('removed'))} removed, {number(document.get('failed'))} failed"
