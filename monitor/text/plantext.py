"""A plan as text for a terminal, and for a ticket that takes plain text."""

from collections.abc import Iterator

from monitor.text.plandoc import Block, Facts, Grid, Notes, Section, Step, sections
from monitor.text.screen import Document
from monitor.text.table import Page

_INDENT = "  "
_LONGEST_NAME = 22


def plan(document: Document, page: Page) -> Iterator[str]:
    """The whole plan: head, effect, checks, each operation, approvals, terms, and what happened so far."""
    return written(sections(document), page)


def essence(document: Document, page: Page) -> Iterator[str]:
    """What somebody must have seen who decides about it."""
    return written(sections(document, brief=True), page)


def written(parts: list[Section], page: Page) -> Iterator[str]:
    """Yield the lines of a document."""
    for index, (title, blocks) in enumerate(parts):
        if index:
            yield ""
        yield from page.wrapped(title, "", _INDENT)
        for block in blocks:
            yield from _block(block, page)


def _block(block: Block, page: Page) -> Iterator[str]:
    if isinstance(block, Facts):
        yield from _facts(block, page)
    elif isinstance(block, Notes):
        marks = min(max(len(mark) for mark, _ in block.rows), _LONGEST_NAME)
        for mark, text in block.rows:
            start = f"{_INDENT}{mark:<{marks}}{'  ' if marks > 1 else ' ' if marks else ''}"
            yield from page.wrapped(text, start, " " * len(start))
    elif isinstance(block, Grid):
        inner = Page(page.columns - len(_INDENT), cuts=page.cuts)
        for line in inner.table(block.heads, block.rows, block.right, block.spare, block.shrink):
            yield f"{_INDENT}{line}"
    else:
        for step in block.rows:
            yield from _step(step, page)


def _facts(facts: Facts, page: Page) -> Iterator[str]:
    names = min(max(len(name) for name, _ in facts.rows), _LONGEST_NAME)
    for name, value in facts.rows:
        start = f"{_INDENT}{name:<{names}}  "
        yield from page.wrapped(value, start, " " * (len(_INDENT) + names + 2))


def _step(step: Step, page: Page) -> Iterator[str]:
    place = f"{step.domain} table {step.table}"
    yield from page.wrapped(f"{step.prefix}  {place}" if step.prefix else place, f"{_INDENT}{step.op} ", "      ")
    facts = step.facts
    for name in ("now", "then", "effect"):
        if facts[name]:
            yield from page.wrapped(facts[name], f"      {name:<8}", " " * 14)
    words = [facts["class"], f"risk {facts['risk']}" if facts["risk"] else ""]
    decided = facts["decision"]
    if facts["rule"]:
        rule = facts["rule"] if facts["rule"].startswith("rule") else f"rule {facts['rule']}"
        decided = f"{decided} ({rule})" if decided else rule
    rest = ", ".join(filter(None, [*words, decided, facts.get("held", "")]))
    if rest:
        yield from page.wrapped(rest, "      class   ", " " * 14)
    if facts["reason"]:
        yield from page.wrapped(facts["reason"], "      why     ", " " * 14)
