"""A plan as GitHub Flavored Markdown, to be attached to a ticket.

What BGP, the kernel and people say is text here and never a mark: it makes no table cell, no link, no code, no HTML, and
calls nobody by ``@name``.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from monitor.text.plandoc import Block, Facts, Grid, Notes, Section, Step, sections
from monitor.text.screen import Document
from monitor.text.table import clean

_MARKS = re.compile(r"[\\`*_{}\[\]<>|~$&#!]")
_LINK = re.compile(r"(?<=[a-zA-Z]):(?=//)|(?<=[wW]{3})\.|(?<=mailto):|(?<=xmpp):")
"""Where GitHub would see an address and make a link of it (GFM section 6.9)."""

_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_LIST = re.compile(r"^([-+=]|[0-9]{1,9}(?=[.)]))")
_NUMBERED = re.compile(r"^([0-9]{1,9})([.)])")

_COLUMNS = ("now", "then", "effect", "class", "risk", "rule", "decision", "reason")


def escaped(value: object) -> str:
    """Return text that GitHub shows as it is: clean of control characters, every mark escaped."""
    text = _MARKS.sub(r"\\\g<0>", clean(value))
    text = _LINK.sub(r"\\\g<0>", text)
    # GitHub looks for names after it has read the Markdown, so that a backslash does not help; a word joiner does.
    return _MENTION.sub("@\u2060", text)


def _line(text: str) -> str:
    """Return escaped text that stands at the beginning of a line: no list, no heading, no rule either."""
    if numbered := _NUMBERED.match(text):
        return f"{numbered[1]}\\{text[numbered.end(1) :]}"
    return f"\\{text}" if _LIST.match(text) else text


def markdown(document: Document) -> str:
    """Return the whole plan."""
    return "\n".join(_written(sections(document))) + "\n"


def _written(parts: Sequence[Section]) -> Iterator[str]:
    for index, (title, blocks) in enumerate(parts):
        if index:
            yield ""
        yield f"{'##' if not index else '###'} {escaped(title)}"
        for before, block in zip([None, *blocks], blocks, strict=False):
            if isinstance(before, Facts | Notes) and isinstance(block, Facts | Notes):
                # Two lists with nothing between them are one.
                yield from ("", "<!-- -->")
            yield ""
            yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Facts):
        for name, value in block.rows:
            yield f"- **{escaped(name)}:** {escaped(value)}"
    elif isinstance(block, Notes):
        for mark, text in block.rows:
            yield f"- {_note(mark, text)}"
    elif isinstance(block, Grid):
        numbers = set(block.right.split())
        yield from _table(block.heads, [head in numbers for head in block.heads], block.rows)
    else:
        heads = ("OP", "PREFIX", "DOMAIN", "TABLE", *(name.upper() for name in _COLUMNS))
        yield from _table(heads, [head == "TABLE" for head in heads], [_step(step) for step in block.rows])


def _note(mark: str, text: str) -> str:
    if mark in {"", "*", "!"}:
        return f"{'**!** ' if mark == '!' else ''}{_line(escaped(text))}"
    return f"**{escaped(mark)}** {escaped(text)}"


def _step(step: Step) -> list[str]:
    facts = step.facts
    reason = ", ".join(filter(None, [facts["reason"], facts.get("held", "")]))
    said = facts | {"reason": reason}
    return [step.op, step.prefix, step.domain, step.table, *(said[name] for name in _COLUMNS)]


def _table(heads: Sequence[str], right: Sequence[bool], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _row(escaped(head.replace("-", " ").capitalize()) for head in heads)
    yield _row("---:" if number else "---" for number in right)
    for row in rows:
        yield _row(escaped(cell) for cell in row)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
