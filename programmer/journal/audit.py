"""Verifies a journal: the chain, the rows that it tells of, and the anchor beside the file.

What this proves: nobody changed, removed, added or reordered a record or a row of a batch, an answer, a note, a plan or a decision
without doing the same to everything after it.  What it cannot prove: root can write the whole chain and the anchor anew, and
consistently.  Against that helps only what stands elsewhere: an exported chain, or a head (``AuditReport.head``) in another
machine's log.  Facts, owned metrics and samples are not chained.

The end of a chain does not show from the chain itself.  The anchor, a file with the last identifier and digest, is written
beside the database at most once a second and at close; a database that ends before its anchor has lost its end.  The anchor is not
forced to the disk, and neither are ordinary commits: after a power failure the records of the last moments may be gone, and the
report then says so, because nobody can tell that from a theft.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from programmer.journal.bodies import Approval, StoredPlan, plan_body
from programmer.journal.chain import AuditReport, Checker, Problems, Record, body_of, report_of, text_digest
from programmer.journal.reader import RECORDS_AT_ONCE, SELECT_RECORD
from programmer.journal.schema import FORMAT, SELECT_APPROVAL, SELECT_PLAN, format_of

UNCHAINED = (
    ("change", "SELECT id FROM change EXCEPT SELECT json_extract(body, '$.change') FROM record WHERE json_valid(body)"),
    ("event", "SELECT id FROM event EXCEPT SELECT json_extract(body, '$.event') FROM record WHERE json_valid(body)"),
    (
        "approval",
        "SELECT id FROM approval EXCEPT SELECT json_extract(body, '$.approval') FROM record WHERE json_valid(body)",
    ),
    ("result of change", "SELECT change FROM result EXCEPT SELECT id FROM change"),
    ("body of plan", "SELECT plan FROM plan_body EXCEPT SELECT digest FROM plan"),
    ("progress of plan", "SELECT plan FROM progress EXCEPT SELECT digest FROM plan"),
)
"""Rows that no record tells of."""


class Anchor(NamedTuple):
    """The last record that was seen."""

    id: int
    digest: str


def anchor_path(file: str) -> FilePath:
    """Return where the anchor of a database stands: ``journal.anchor`` beside ``journal.db``."""
    return FilePath(file).with_suffix(".anchor")


def read_anchor(path: FilePath) -> Anchor | None:
    """Return the anchor, None where there is none; raises ValueError for a file that is none."""
    try:
        words = path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    except UnicodeDecodeError:
        words = []
    if len(words) != 2 or not words[0].isdecimal():
        raise ValueError(f"{path.name} is no anchor: it does not hold an identifier and a digest")
    return Anchor(int(words[0]), words[1])


def write_anchor(path: FilePath, anchor: Anchor) -> None:
    """Put *anchor* in the place of the one before, as a whole; raises OSError."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(f"{anchor.id} {anchor.digest}\n", encoding="ascii")
    new.replace(path)


def lost_end(db: sqlite3.Connection, anchor: Anchor) -> str:
    """Say in words how the database falls short of its anchor; empty if it does not."""
    first, last = db.execute("SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM record").fetchone()
    if anchor.id > last:
        return f"the end is missing: record {anchor.id} was seen before (anchor), the last is {last}"
    found = db.execute("SELECT digest FROM record WHERE id=?", (anchor.id,)).fetchone()
    if anchor.id >= first and (found is None or found[0] != anchor.digest):
        return f"record {anchor.id} is not the one that was seen before (anchor)"
    return ""


def verify_database(
    db: sqlite3.Connection, anchor: Anchor | None = None, problems: Problems | None = None
) -> AuditReport:
    """Verify what is seen over *db*, record by record in bounded memory; raises sqlite3.Error where it cannot be read.

    The caller holds a read transaction where somebody else may write meanwhile.
    """
    problems = problems or Problems()
    checker = Checker(problems)
    rows = _Rows(db, problems)
    for record in _records(db):
        if checker.take(record):
            rows.check(record)
    rows.end()
    if anchor is not None and (words := lost_end(db, anchor)):
        problems.add(words)
    return checker.report()


def verify_file(file: str | FilePath) -> AuditReport:
    """Verify a database file, and its anchor if there is one, over a read-only connection of its own.

    Works beside a daemon that writes (in a thread, too) and on a copy.  Whatever cannot be read is a problem in the report.
    """
    path = FilePath(file)
    problems = Problems()
    try:
        # Before the database: what is written meanwhile can then only be ahead of the anchor.
        anchor = read_anchor(anchor_path(str(path)))
    except ValueError as error:
        anchor = None
        problems.add(str(error))
    # Without a write-ahead log nobody has the file open.  Then it needs no shared memory beside it, and a copy on a medium that
    # cannot be written is read as well.
    log = path.with_name(f"{path.name}-wal")
    alone = not log.exists()
    try:
        report = _verify_over(f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}", anchor, problems)
    except sqlite3.Error as error:
        problems.add(f"{path.name} cannot be read: {error}")
        report = report_of(problems, 0, None, None)
    return verify_file(file) if alone and log.exists() else report


def _verify_over(uri: str, anchor: Anchor | None, problems: Problems) -> AuditReport:
    db = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        # A text that is no UTF-8 was never written by us; as something else it does not match, and is told as a change.
        db.text_factory = lambda octets: octets.decode("utf-8", "replace")
        db.execute("BEGIN")
        version = format_of(db)
        if version != FORMAT:
            words = "an empty file" if version is None else f"of format {version}"
            problems.add(f"this is no journal of format {FORMAT} but {words}; start bgpmon on it once")
            return report_of(problems, 0, None, None)
        return verify_database(db, anchor, problems)
    finally:
        db.close()


def _records(db: sqlite3.Connection) -> Iterator[Record]:
    after = -(1 << 63)
    while rows := db.execute(f"{SELECT_RECORD} WHERE id>? ORDER BY id LIMIT ?", (after, RECORDS_AT_ONCE)).fetchall():
        yield from map(Record._make, rows)
        after = rows[-1][0]


class _Rows:
    """Compares rows with what the records say of them, in the order of the records."""

    def __init__(self, db: sqlite3.Connection, problems: Problems) -> None:
        self._db = db
        self._problems = problems
        self._plans: dict[str, dict[str, Any]] = {}
        self._unanswered: set[int] = set()

    def check(self, record: Record) -> None:
        """Look at what one record tells of."""
        body = body_of(record.body)
        try:
            if "change" in body:
                self._change(record, body)
            elif "of" in body:
                self._result(body["of"], body["sha256"])
            elif "event" in body:
                expected = (record.at, record.kind, record.actor, body["detail"])
                self._compare("event", "SELECT at, kind, actor, detail FROM event WHERE id=?", body["event"], expected)
            elif "approval" in body:
                expected = tuple(body["approval" if name == "id" else name] for name in Approval._fields)
                self._compare("approval", f"{SELECT_APPROVAL} WHERE id=?", body["approval"], expected)
            elif "missing" in body:
                self._problems.add(f"record {record.id} tells of a loss: {body['detail']}")
            else:
                self._plan(record.plan, body)
        except (KeyError, TypeError, AttributeError):
            self._problems.add(f"record {record.id} cannot be understood")

    def _compare(self, name: str, statement: str, key: object, expected: tuple[object, ...]) -> None:
        row = self._db.execute(statement, (key,)).fetchone()
        if row is None:
            self._problems.add(f"{name} {key} is missing")
        elif row != expected:
            self._problems.add(f"{name} {key} does not match its record")

    def _change(self, record: Record, body: dict[str, Any]) -> None:
        number = body["change"]
        row = self._db.execute(
            "SELECT at, cause, actor, plan, prefixes, operations, results FROM change "
            "LEFT JOIN result ON result.change=change.id WHERE id=?", (number,)
        ).fetchone()  # fmt: skip
        if row is None:
            self._problems.add(f"change {number} is missing")
            return
        at, actor = body.get("at", record.at), body.get("actor", record.actor)
        *head, prefixes, operations, results = row
        if head != [at, body["cause"], actor, record.plan] or (text_digest(prefixes), text_digest(operations)) != (
            body["prefixes"], body["sha256"]
        ):  # fmt: skip
            self._problems.add(f"change {number} does not match its record")
        if body.get("results") is not None:
            self._result(number, body["results"])
        elif results is not None:
            self._unanswered.add(number)

    def _result(self, number: int, digest: str) -> None:
        self._unanswered.discard(number)
        row = self._db.execute(
            "SELECT results FROM change LEFT JOIN result ON result.change=change.id WHERE id=?", (number,)
        ).fetchone()
        # Without the batch there is nothing to compare: it was pruned, or its own record told that it is missing.
        if row is not None and (row[0] is None or text_digest(row[0]) != digest):
            self._problems.add(f"the result of change {number} does not match its record")

    def _plan(self, digest: str, body: dict[str, Any]) -> None:
        if "plan" in body:
            self._plans[digest] = {**body["plan"], "sha256": body["sha256"]}
        elif digest in self._plans:
            self._plans[digest] |= {name: body[name] for name in ("state", "detail", "progress") if name in body}

    def end(self) -> None:
        """Look at what shows only after the last record."""
        for number in sorted(self._unanswered):
            self._problems.add(f"the result of change {number} stands in no record")
        for name, statement in UNCHAINED:
            for (key,) in self._db.execute(statement):
                self._problems.add(f"{name} {key} stands in no record")
        stored = {str(row[0]) for row in self._db.execute("SELECT digest FROM plan").fetchall()}
        for digest in sorted(stored | self._plans.keys()):
            if digest not in self._plans:
                self._problems.add(f"plan {digest[:12]} stands in no record")
            elif digest not in stored:
                self._problems.add(f"plan {digest[:12]} is missing")
            else:
                self._compare_plan(digest)

    def _compare_plan(self, digest: str) -> None:
        row = self._db.execute(f"{SELECT_PLAN} WHERE digest=?", (digest,)).fetchone()
        progress = self._db.execute("SELECT document FROM progress WHERE plan=?", (digest,)).fetchone()
        found = plan_body(StoredPlan(*row), progress[0] if progress else "")
        if {**found["plan"], "sha256": found["sha256"]} != self._plans[digest]:
            self._problems.add(f"plan {digest[:12]} does not match its record")
