"""Questions to the journal; nothing here writes.

Everything is read in pieces and no statement stays open between two of them, so that a slow consumer holds back neither a commit
nor the clearing of the write-ahead log.
"""

import ipaddress
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

from programmer.errors import JournalError
from programmer.journal.bodies import Approval, StoredPlan, told
from programmer.journal.chain import GENESIS, Record, body_of, line_of, text_digest
from programmer.journal.past import Change
from programmer.journal.schema import FORMAT, SELECT_APPROVAL, SELECT_PLAN, format_of
from programmer.plan import Operation, forwarding_of, operation_of
from programmer.route import Family, Forwarding, TableId, family_of, key_of, text_of

SELECT_RECORD = "SELECT id, at, kind, actor, plan, body, digest FROM record"

RECORDS_AT_ONCE = 500
CHANGES_AT_ONCE = 16
"""A change of a thousand operations takes about 100 kB."""

MOST_KNOWN = 100_000
"""Forwardings that are remembered while changes are read."""

FAMILIES = {family.label: family for family in Family}

FEW_PREFIXES = 5
"""An event names as many of a batch."""

PREFIX_OCTETS = 45 * FEW_PREFIXES
"""Enough of the stored prefixes for these: an IPv6 prefix takes up to 43 octets, and a space."""

ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full: free space under state_dir, then try again",
    sqlite3.SQLITE_READONLY: "the file cannot be written: check the rights of state_dir and how it is mounted",
    sqlite3.SQLITE_IOERR: "the disk does not answer: look into the kernel's log",
    sqlite3.SQLITE_BUSY: "another process is writing to it: end that process",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: move it away and restart; `bgpmon audit verify --file` says where",
    sqlite3.SQLITE_NOTADB: "the file is no journal: move it away and restart",
}
"""What to do, by SQLite's primary result code."""


def journal_error(error: sqlite3.Error) -> JournalError:
    """Return the error of ours for one of SQLite's."""
    advice = ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    words = f"{error}; {advice}" if advice else str(error)
    return JournalError(f"the journal cannot be used: {words}; nothing is written to the kernel")


class Reader:
    """Answers questions over one connection.  Every method raises JournalError when the file cannot be read."""

    def __init__(self, db: sqlite3.Connection, wall: Callable[[], float] = time.time) -> None:
        self._db = db
        self._wall = wall

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise journal_error(error) from error

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise journal_error(error) from error

    def _one(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, None for no row."""
        found = self._rows(f"{statement} LIMIT 1", values)
        return found[0][0] if found else None

    def recall(self, start: str) -> dict[str, str]:
        """Return the facts whose name begins with *start*."""
        return dict(self._rows("SELECT name, value FROM fact WHERE substr(name, 1, ?)=?", (len(start), start)))

    def owned(self) -> dict[TableId, frozenset[int]]:
        """Return every table that we ever wrote to, with the metrics that we used there."""
        found: dict[TableId, set[int]] = {}
        for table, metric in self._rows("SELECT routing_table, metric FROM owned"):
            found.setdefault(TableId(table), set()).add(metric)
        return {table: frozenset(metrics) for table, metrics in found.items()}

    def plans(self, start_of_digest: str) -> list[StoredPlan]:
        """Return stored plans whose digest begins so."""
        upper = start_of_digest + "g"  # 'g' follows every hexadecimal digit
        found = self._rows(f"{SELECT_PLAN} WHERE digest>=? AND digest<?", (start_of_digest, upper))
        return [StoredPlan(*row) for row in found]

    def plans_in(self, states: Sequence[str], limit: int = -1) -> list[StoredPlan]:
        """Return the plans that are in one of *states*, newest first, without their bodies; at most *limit* of them."""
        found = self._rows(
            "SELECT digest, number, state, created_at, expires_at, actor, detail, '' FROM plan "
            "WHERE state IN (SELECT value FROM json_each(?)) ORDER BY number DESC, created_at DESC LIMIT ?",
            (json.dumps(list(states)), limit),
        )
        return [StoredPlan(*row) for row in found]

    def last_plan_number(self) -> int:
        """Return the highest plan number given so far, 0 for none."""
        return int(self._one("SELECT COALESCE(MAX(number), 0) FROM plan"))

    def progress(self, digest: str) -> str:
        """Return what ``put_progress`` stored last for a plan, empty for nothing."""
        return str(self._one("SELECT document FROM progress WHERE plan=?", (digest,)) or "")

    def approvals(self, plan: str) -> list[Approval]:
        """Return the decisions about the plan with that digest, oldest first."""
        return [Approval(*row) for row in self._rows(f"{SELECT_APPROVAL} WHERE plan=? ORDER BY id", (plan,))]

    def history(self, prefix: str, limit: int) -> list[dict[str, Any]]:
        """Return what was done, newest first; only what touched *prefix* if one is given."""
        wanted = _normal(prefix) if prefix else None
        if prefix and wanted is None:
            return []
        found: list[dict[str, Any]] = []
        for row in self._changes(wanted or "", limit):
            found += _operations_of(row, wanted, limit - len(found))
            if len(found) >= limit:
                break
        if not prefix:
            notes = self._rows("SELECT id, at, kind, actor, detail FROM event ORDER BY id DESC LIMIT ?", (limit,))
            found += [
                {
                    "id": number,
                    "at": at,
                    "cause": f"{kind}: {detail}",
                    "actor": actor,
                    "plan": "",
                    "operation": None,
                    "result": "done",
                    "error": None,
                }
                for number, at, kind, actor, detail in notes
            ]
        return sorted(found, key=lambda row: -row["at"])[:limit]

    def _changes(self, prefix: str, limit: int) -> Iterator[tuple[Any, ...]]:
        """Yield changes, the last one first, with their results; those of one prefix if it is not empty."""
        needle = f" {prefix} " if prefix else ""
        below = 1 << 62
        while rows := self._rows(
            "SELECT id, at, cause, actor, plan, operations, results FROM change LEFT JOIN result ON result.change=change.id "
            "WHERE id<? AND (?='' OR instr(prefixes, ?)) ORDER BY id DESC LIMIT ?",
            (below, needle, needle, min(limit, CHANGES_AT_ONCE)),
        ):
            yield from rows
            below = rows[-1][0]

    def changes_after(self, at: float) -> Iterator[Change]:
        """Yield what was written after a moment, the last change first; what is older than ``oldest`` is not known any more."""
        lowest = self._one("SELECT MIN(id) FROM change WHERE at>?", (at,))
        decoder, below = _Decoder(), 1 << 62
        while lowest is not None and (
            rows := self._rows(
                "SELECT id, at, operations, results FROM change LEFT JOIN result ON result.change=change.id "
                "WHERE id<? AND id>=? AND +at>? ORDER BY id DESC LIMIT ?",
                (below, lowest, at, CHANGES_AT_ONCE),
            )
        ):
            yield from map(decoder.change, rows)
            below = rows[-1][0]

    def changes_of(self, plan: str, cause: str) -> Iterator[tuple[list[Operation], frozenset[int] | None]]:
        """Yield what was written for the plan with that digest and for that *cause*, the last batch first.

        Each batch as its operations and ``Change.failed``.
        """
        decoder, below = _Decoder(), 1 << 62
        while rows := self._rows(
            "SELECT id, at, operations, results FROM change LEFT JOIN result ON result.change=change.id "
            "WHERE plan<>'' AND plan=? AND cause=? AND id<? ORDER BY id DESC LIMIT ?",
            (plan, cause, below, CHANGES_AT_ONCE),
        ):
            for row in rows:
                _, operations, failed = decoder.change(row)
                yield operations, failed
            below = rows[-1][0]

    def oldest(self) -> float:
        """Return the moment before which nothing is known: the end of what was pruned, or the first record."""
        if pruned := self._pruned():
            return float(pruned["until"])
        first = self._one("SELECT at FROM record ORDER BY id")
        return self._wall() if first is None else float(first)

    def _pruned(self) -> dict[str, Any]:
        """Return what the last pruning left to tell, empty for none."""
        rows = self._rows("SELECT body FROM record WHERE kind='pruned' ORDER BY id DESC")
        return next((body for (text,) in rows if "through" in (body := body_of(text))), {})

    def sample_at(self, at: float) -> tuple[float, dict[str, Any]] | None:
        """Return moment and content of the newest sample that was taken at *at* or before."""
        rows = self._rows("SELECT at, document FROM sample WHERE at<=? ORDER BY at DESC LIMIT 1", (at,))
        if not rows:
            return None
        try:
            return rows[0][0], json.loads(zlib.decompress(rows[0][1]))
        except (zlib.error, ValueError, TypeError) as error:
            raise JournalError(f"the sample of {rows[0][0]} cannot be read: {error}; take a newer one") from error

    def last_record(self) -> int:
        """Return the identifier of the last record, 0 for none."""
        return int(self._one("SELECT COALESCE(MAX(id), 0) FROM record"))

    def _records(self, after: int, where: str = "") -> Iterator[Record]:
        """Yield records from the one after *after*, in order."""
        while rows := self._rows(f"{SELECT_RECORD} WHERE id>? {where} ORDER BY id LIMIT ?", (after, RECORDS_AT_ONCE)):
            yield from map(Record._make, rows)
            after = rows[-1][0]

    def _after(self, since: float, after: int) -> int:
        """Return the identifier after which the records are that are meant, all of them where *since* is 0."""
        if not since:
            return after
        first = self._one("SELECT MIN(id) FROM record INDEXED BY record_at WHERE at>=?", (since,))
        return max(after, self.last_record() if first is None else first - 1)

    def events(self, after: int = 0, since: float = 0.0, limit: int = 100, prefix: str = "") -> list[dict[str, Any]]:
        """Return records in order, the oldest first: those after the record *after* and not before the moment *since*.

        Each has ``id``, ``at``, ``kind``, ``actor`` and ``plan``.  A batch (kind ``change``) has ``cause``, ``operations``
        (counts ``add``, ``change``, ``remove``), the first few ``prefixes`` and ``result`` (counts ``done`` and ``failed``, None
        while it is not known).  An answer (kind ``result``) has the same ``result``.  All others have ``detail``.  With *prefix*
        only the batches that touch it.
        """
        wanted = _normal(prefix) if prefix else None
        if prefix and wanted is None:
            return []
        found: list[dict[str, Any]] = []
        for record in self._records(self._after(since, after), "AND kind='change'" if prefix else ""):
            if len(found) >= limit:
                break
            if record.at >= since and (event := self._event(record, wanted)) is not None:
                found.append(event)
        return found

    def _event(self, record: Record, wanted: str | None) -> dict[str, Any] | None:
        body = body_of(record.body)
        event: dict[str, Any] = {name: getattr(record, name) for name in ("id", "at", "kind", "actor", "plan")}
        if record.kind == "change" and "change" in body:
            rows = self._rows(
                "SELECT substr(prefixes, 1, ?), results, instr(prefixes, ?) FROM change "
                "LEFT JOIN result ON result.change=change.id WHERE id=?",
                (PREFIX_OCTETS, f" {wanted} ", body["change"]),
            )
            prefixes, results, place = rows[0] if rows else ("", None, 0)
            if wanted is not None and not place:
                return None
            failed = None if results is None else len(json.loads(results))
            total = sum(body["counts"])
            event["cause"] = body["cause"]
            event["operations"] = dict(zip(("add", "change", "remove"), body["counts"], strict=True))
            event["prefixes"] = [wanted] if wanted is not None else prefixes.split()[:FEW_PREFIXES]
            event["result"] = None if failed is None else {"done": total - failed, "failed": failed}
        elif wanted is not None:
            return None
        elif record.kind == "result" and "of" in body:
            event["result"] = {"done": body["done"], "failed": body["failed"]}
        else:
            event["detail"] = told(record.kind, body)
        return event

    def export(self, since: float = 0, after: int = 0) -> Iterator[str]:
        """Yield records as lines of JSON, without a gap: from the one after *after*, or from the first one not before *since*.

        Each line has the fields of the record, ``previous`` (the digest before it), and ``content`` where the record names a
        text by its SHA-256 and that text is still there.  ``verify_lines`` verifies them.
        """
        start = self._after(since, after)
        previous = self._one("SELECT digest FROM record WHERE id=?", (start,))
        if previous is None:
            first = self._one("SELECT id FROM record ORDER BY id")
            previous = GENESIS if first in {None, 1} else str(self._pruned().get("digest", ""))
        for record in self._records(start):
            yield line_of(record, previous, self._content(record))
            previous = record.digest

    def _content(self, record: Record) -> str | None:
        body = body_of(record.body)
        if "change" in body:
            return self._text("SELECT operations FROM change WHERE id=?", body["change"])
        if "of" in body:
            return self._text("SELECT results FROM result WHERE change=?", body["of"])
        if "plan" in body and "sha256" in body:
            # A plan that was stored again has the later text; the record before it names one that is gone.
            text = self._text("SELECT body FROM plan_body WHERE plan=?", record.plan)
            return text if text is not None and text_digest(text) == body["sha256"] else None
        return None

    def _text(self, statement: str, key: object) -> str | None:
        found = self._one(statement, (key,))
        return None if found is None else str(found)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def open_reader(file: str) -> Reader:
    """Return a reader with a read-only connection of its own, for a thread beside the one that writes.

    One thread at a time may use it.  Raises JournalError where there is no journal of this format.
    """
    try:
        db = sqlite3.connect(
            f"{FilePath(file).absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            version = format_of(db)
        except sqlite3.Error:
            db.close()
            raise
    except sqlite3.Error as error:
        raise JournalError(f"{file}: the journal cannot be read: {error}; check the path and its rights") from error
    if version != FORMAT:
        db.close()
        raise JournalError(f"{file}: this is no journal of format {FORMAT}; start bgpmon on it once")
    return Reader(db)


class _Decoder:
    """Reads stored changes; equal forwardings become one object, since a million routes have but a few of them."""

    def __init__(self) -> None:
        self._known: dict[str, Forwarding | None] = {}

    def change(self, row: tuple[int, float, str, str | None]) -> Change:
        """Return one change out of id, moment, operations and results."""
        _, at, text, results = row
        failed = None if results is None else frozenset(map(int, json.loads(results)))
        known = self._known
        if len(known) > MOST_KNOWN:
            known.clear()
        operations: list[Operation] = []
        for table, label, key, *documents in json.loads(text):
            values: list[Forwarding | None] = []
            for document in documents:
                name = str(document)
                if name not in known:
                    known[name] = forwarding_of(document)
                values.append(known[name])
            operations.append(Operation(table, FAMILIES[label], bytes.fromhex(key), *values))
        return Change(at, operations, failed)


def _normal(prefix: str) -> str | None:
    """Return a prefix as the journal writes it, None for what is none."""
    try:
        found = ipaddress.ip_network(prefix)
    except ValueError:
        return None
    return text_of(family_of(found), key_of(found))


def _operations_of(row: tuple[Any, ...], prefix: str | None, most: int) -> list[dict[str, Any]]:
    """Return at most *most* operations of one change, as ``history`` shows them."""
    number, at, cause, actor, plan, operations, results = row
    failed = json.loads(results) if results is not None else None
    wanted: tuple[str, str] | None = None
    if prefix is not None:
        network = ipaddress.ip_network(prefix)
        wanted = (family_of(network).label, key_of(network).hex())
    found: list[dict[str, Any]] = []
    for index, document in enumerate(json.loads(operations)):
        if len(found) >= most:
            break
        if wanted is not None and (document[1], document[2]) != wanted:
            continue
        found.append(
            {
                "id": number,
                "at": at,
                "cause": cause,
                "actor": actor,
                "plan": plan,
                "operation": operation_of(document),
                "result": "unknown" if failed is None else "failed" if str(index) in failed else "done",
                "error": (failed or {}).get(str(index)),
            }
        )
    return found
