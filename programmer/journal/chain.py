"""The chain: each record carries a digest over the one before it and over itself.

A record is ``(id, at, kind, actor, plan, body)``.  ``body`` is canonical JSON (sorted keys, no spaces, ASCII) and holds every
large text only as its SHA-256, so that a batch of a thousand operations is hashed once, as the text that is stored anyway.
The digest is SHA-256 over the digest before, a line feed, and the six fields as a canonical JSON array (RFC 8259; SHA-256 of
FIPS 180-4).  Identifiers are dense from 1; the digest before the first record is ``GENESIS``.

Nothing here reads a file: records come in, problems come out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

GENESIS = hashlib.sha256(b"bgpmon journal, format 1").hexdigest()
"""Stands before the first record, so that a chain of another format can never be taken for one of ours."""

MOST_PROBLEMS = 20
"""A report names as many; after that, more of them help nobody."""


class Record(NamedTuple):
    """One link.  ``at`` is seconds since the epoch (UTC); ``plan`` is a digest or empty; ``digest`` is hexadecimal."""

    id: int
    at: float
    kind: str
    actor: str
    plan: str
    body: str
    digest: str


class AuditReport(NamedTuple):
    """What a verification found: ``first`` and ``last`` are identifiers (0 for none), ``head`` the last digest in hexadecimal.

    ``problems`` has at most ``MOST_PROBLEMS`` entries, each with what is wrong and where.
    """

    ok: bool
    records: int
    first: int
    last: int
    head: str
    problems: tuple[str, ...]


def canonical(body: Mapping[str, object]) -> str:
    """Return *body* as canonical JSON."""
    return json.dumps(body, separators=(",", ":"), sort_keys=True)


def text_digest(text: str) -> str:
    """Return SHA-256 of a stored text (UTF-8), in hexadecimal.  What is no valid text gets a digest that matches nothing."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def digest_of(previous: str, number: int, at: float, kind: str, actor: str, plan: str, body: str) -> str:
    """Return the digest of a record that follows the record with digest *previous*."""
    fields = json.dumps([number, at, kind, actor, plan, body], separators=(",", ":"), default=repr)
    return hashlib.sha256(f"{previous}\n{fields}".encode("utf-8", "backslashreplace")).hexdigest()


def body_of(text: object) -> dict[str, Any]:
    """Return the body of a record, empty where it is no JSON object."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Problems:
    """The first ``MOST_PROBLEMS`` things that are wrong."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, text: str) -> None:
        """Note one more."""
        if len(self.found) < MOST_PROBLEMS and text not in self.found:
            self.found.append(text)


class Checker:
    """Takes records in the order of their identifiers, and compares each with the one before.

    After a record that does not fit, the chain is followed from the digest that is stored there, so that one edit is told once.
    ``previous`` is the digest before the first record where that is known from elsewhere; else it is looked for in the record
    that tells of a pruning, which comes later in the chain.
    """

    def __init__(self, problems: Problems, previous: str | None = None) -> None:
        self.problems = problems
        self.records = 0
        self.last: Record | None = None
        self._given = previous
        self._first: Record | None = None
        self._before_first: str | None = None

    def take(self, record: Record) -> bool:
        """Look at the next record; says whether it fits to what came before it."""
        last, self.last = self.last, record
        self.records += 1
        first = self._first = self._first or record
        if record.kind == "pruned":
            body = body_of(record.body)
            if body.get("through") == first.id - 1:
                self._before_first = str(body.get("digest"))
        if last is None:
            if record.id < 1:
                self.problems.add(f"record {record.id} stands before the first one")
            if record.id == 1:
                return self._fits(GENESIS, record)
            return self._given is None or self._fits(self._given, record)
        if record.id > last.id + 1:
            self.problems.add(missing(last.id + 1, record.id - 1))
            return True
        if record.id <= last.id:
            self.problems.add(f"record {record.id} stands after record {last.id}")
            return False
        return self._fits(last.digest, record)

    def _fits(self, previous: str, record: Record) -> bool:
        if digest_of(previous, *record[:6]) == record.digest:
            return True
        self.problems.add(f"record {record.id} was changed, or does not follow record {record.id - 1}")
        return False

    def report(self) -> AuditReport:
        """Return what was found, after the last record."""
        first = self._first
        if first is not None and first.id > 1 and self._given is None:
            if self._before_first is None:
                self.problems.add(missing(1, first.id - 1))
            else:
                self._fits(self._before_first, first)
        return report_of(self.problems, self.records, first, self.last)


def report_of(problems: Problems, records: int, first: Record | None, last: Record | None) -> AuditReport:
    """Return a report; without a record its head is ``GENESIS``."""
    found = tuple(problems.found)
    return AuditReport(
        not found, records, first.id if first else 0, last.id if last else 0, last.digest if last else GENESIS, found
    )


def missing(first: int, last: int) -> str:
    """Return the words for a gap."""
    return f"record {first} is missing" if first == last else f"records {first} to {last} are missing"


def line_of(record: Record, previous: str, content: str | None) -> str:
    """Return a record as one line of JSON; *content* is the text that its body names by its SHA-256, if there is one."""
    line: dict[str, object] = {**record._asdict(), "previous": previous}
    if content is not None:
        line["content"] = content
    return json.dumps(line, separators=(",", ":"))


def verify_lines(lines: Iterable[str]) -> AuditReport:
    """Verify an export, without the database: the chain, and the contents that it carries.

    It proves that the lines belong together, from the ``previous`` of the first one to the head.  That nothing follows the last
    line, and that the first line is the right one, only a head that was kept elsewhere can prove.
    """
    problems = Problems()
    checker: Checker | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        document = body_of(line)
        try:
            record = Record(**{name: document[name] for name in Record._fields})
            previous, content = document["previous"], document.get("content")
        except KeyError as error:
            problems.add(f"line {number} cannot be read: no {error} in it")
            continue
        if type(record.id) is not int or not all(isinstance(text, str) for text in (previous, *record[2:])):
            problems.add(f"line {number} cannot be read: a field is of the wrong type")
            continue
        if checker is None:
            checker = Checker(problems, previous)
        elif checker.last is not None and checker.last.id == record.id - 1 and checker.last.digest != previous:
            problems.add(f"record {record.id} names another record before it than line {number - 1}")
        checker.take(record)
        if content is not None and text_digest(str(content)) != body_of(record.body).get("sha256"):
            problems.add(f"the content of record {record.id} does not match the record")
    return checker.report() if checker else report_of(problems, 0, None, None)
