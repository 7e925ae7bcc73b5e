"""What was done, why and by whom: a record in SQLite, written before and after each write to the kernel.

A batch is one row, so that a full table is a thousand rows and not a million.  Commits survive the death of this process; they
are not forced to the disk one by one, since the kernel's tables do not outlive a power failure either.  Plans and decisions are.
"""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from programmer.errors import JournalError
from programmer.fib import WriteResult
from programmer.plan import Operation, operation_of, operation_texts
from programmer.route import TableId

_SCHEMA = """
CREATE TABLE IF NOT EXISTS change (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, cause TEXT NOT NULL, actor TEXT NOT NULL, plan TEXT NOT NULL,
  prefixes TEXT NOT NULL, operations TEXT NOT NULL, results TEXT);
CREATE TABLE IF NOT EXISTS event (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS plan (
  digest TEXT PRIMARY KEY, number INTEGER NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
  expires_at REAL NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS owned (routing_table INTEGER NOT NULL, metric INTEGER NOT NULL,
  PRIMARY KEY (routing_table, metric));
"""


class Journal:
    """The journal of one node.  ``file`` is a path, or ``:memory:`` for none that lasts."""

    def __init__(self, file: str) -> None:
        try:
            if file != ":memory:":
                FilePath(file).parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._db = sqlite3.connect(file, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{file}: the journal cannot be opened: {error}; check state_dir") from error

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be used: {error}; nothing is written to the kernel") from error

    def begin(self, operations: Sequence[Operation], *, at: float, cause: str, actor: str, plan: str) -> int:
        """Record what is about to be written; returns the number that ``finish`` takes."""
        documents = f"[{','.join(operation_texts(operations))}]"
        prefixes = " ".join([operation.prefix for operation in operations])
        cursor = self._execute(
            "INSERT INTO change (at, cause, actor, plan, prefixes, operations) VALUES (?,?,?,?,?,?)",
            (at, cause, actor, plan, f" {prefixes} ", documents),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def finish(self, change: int, results: Sequence[WriteResult]) -> None:
        """Record what the kernel answered, in the order of the operations; only failures are kept in full."""
        failed = {index: [result.errno, result.message] for index, result in enumerate(results) if result.errno}
        self._execute("UPDATE change SET results=? WHERE id=?", (json.dumps(failed), change))

    def note(self, kind: str, detail: str, *, at: float, actor: str = "bgpmon") -> None:
        """Record something that is not a write: a decision, drift, a reload."""
        self._execute("INSERT INTO event (at, kind, actor, detail) VALUES (?,?,?,?)", (at, kind, actor, detail))

    def remember(self, name: str, value: str | None) -> None:
        """Keep a fact over restarts, in place of what *name* stood for before; None forgets it."""
        if value is None:
            self._execute("DELETE FROM fact WHERE name=?", (name,))
        else:
            self._execute("INSERT OR REPLACE INTO fact VALUES (?,?)", (name, value))

    def recall(self, start: str) -> dict[str, str]:
        """Return the facts whose name begins with *start*."""
        rows = self._execute("SELECT name, value FROM fact WHERE substr(name, 1, ?)=?", (len(start), start))
        return dict(rows.fetchall())

    def own(self, table: TableId, metrics: Sequence[int]) -> frozenset[int]:
        """Remember that we write *metrics* into *table*; returns every metric that we ever wrote there."""
        for metric in metrics:
            self._execute("INSERT OR IGNORE INTO owned VALUES (?,?)", (table, metric))
        rows = self._execute("SELECT metric FROM owned WHERE routing_table=?", (table,))
        return frozenset(row[0] for row in rows)

    def owned(self) -> dict[TableId, frozenset[int]]:
        """Return every table that we ever wrote to, with the metrics that we used there."""
        found: dict[TableId, set[int]] = {}
        for table, metric in self._execute("SELECT routing_table, metric FROM owned"):
            found.setdefault(TableId(table), set()).add(metric)
        return {table: frozenset(metrics) for table, metrics in found.items()}

    def put_plan(self, digest: str, number: int, state: str, times: tuple[float, float], actor: str, body: str) -> None:
        """Store a frozen plan; ``times`` are its creation and its expiry."""
        self._execute(
            "INSERT OR REPLACE INTO plan VALUES (?,?,?,?,?,?,?,?)", (digest, number, state, *times, actor, "", body)
        )

    def set_plan_state(self, digest: str, state: str, detail: str) -> None:
        """Record where a plan stands now."""
        self._execute("UPDATE plan SET state=?, detail=? WHERE digest=?", (state, detail, digest))

    def plans(self, start_of_digest: str) -> list[tuple[str, int, str, float, float, str, str, str]]:
        """Return stored plans whose digest begins so: digest, number, state, created, expires, actor, detail, body."""
        upper = start_of_digest + "g"  # 'g' follows every hexadecimal digit
        return list(self._execute("SELECT * FROM plan WHERE digest>=? AND digest<?", (start_of_digest, upper)))

    def last_plan_number(self) -> int:
        """Return the highest plan number given so far, 0 for none."""
        return int(self._execute("SELECT COALESCE(MAX(number), 0) FROM plan").fetchone()[0])

    def history(self, prefix: str, limit: int) -> list[dict[str, Any]]:
        """Return what was done, newest first; only what touched *prefix* if one is given."""
        where = "WHERE instr(prefixes, ?)" if prefix else "WHERE ?=''"
        rows = self._execute(
            f"SELECT id, at, cause, actor, plan, operations, results FROM change {where} ORDER BY id DESC LIMIT ?",  # noqa: S608
            (f" {prefix} " if prefix else "", limit),
        )
        found: list[dict[str, Any]] = []
        for number, at, cause, actor, plan, operations, results in rows:
            failed = json.loads(results) if results is not None else None
            for index, document in enumerate(json.loads(operations)):
                operation = operation_of(document)
                if prefix and operation.prefix != prefix:
                    continue
                outcome = "unknown" if failed is None else "failed" if str(index) in failed else "done"
                found.append(
                    {
                        "id": number,
                        "at": at,
                        "cause": cause,
                        "actor": actor,
                        "plan": plan,
                        "operation": operation,
                        "result": outcome,
                        "error": (failed or {}).get(str(index)),
                    }
                )
        if not prefix:
            notes = self._execute("SELECT id, at, kind, actor, detail FROM event ORDER BY id DESC LIMIT ?", (limit,))
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

    def close(self) -> None:
        """Close the file."""
        self._db.close()
