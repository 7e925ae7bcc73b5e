"""The tables of the journal, and how a file of the format before this one becomes one of this format.

``record`` is the chain; the other tables are what it tells of, in a form that can be asked.  Large texts that never change stand
apart from small ones that do, since SQLite writes a whole row again when its length changes.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from programmer.errors import JournalError
from programmer.journal.bodies import StoredPlan, change_body, counts_of_text, plan_body, result_body
from programmer.journal.chain import canonical

FORMAT = 1
"""``PRAGMA user_version`` of a file of this format; the format before had 0, as an empty file has."""

TABLES = (
    """CREATE TABLE record (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, plan TEXT NOT NULL,
  body TEXT NOT NULL, digest TEXT NOT NULL)""",
    "CREATE INDEX record_at ON record (at)",
    "CREATE INDEX record_plan ON record (plan) WHERE plan<>''",
    "CREATE INDEX record_pruned ON record (id) WHERE kind='pruned'",
    """CREATE TABLE IF NOT EXISTS change (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, cause TEXT NOT NULL, actor TEXT NOT NULL, plan TEXT NOT NULL,
  prefixes TEXT NOT NULL, operations TEXT NOT NULL)""",
    "CREATE INDEX change_at ON change (at)",
    "CREATE INDEX change_plan ON change (plan) WHERE plan<>''",
    "CREATE TABLE result (change INTEGER PRIMARY KEY, results TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS event (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS plan (
  digest TEXT PRIMARY KEY, number INTEGER NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
  expires_at REAL NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL)""",
    "CREATE TABLE plan_body (plan TEXT PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE progress (plan TEXT PRIMARY KEY, document TEXT NOT NULL)",
    """CREATE TABLE approval (
  id INTEGER PRIMARY KEY, plan TEXT NOT NULL, at REAL NOT NULL, principal TEXT NOT NULL, method TEXT NOT NULL,
  act TEXT NOT NULL, ticket TEXT NOT NULL, comment TEXT NOT NULL, expires REAL NOT NULL, statement TEXT NOT NULL,
  signature TEXT NOT NULL)""",
    "CREATE INDEX approval_plan ON approval (plan)",
    "CREATE TABLE sample (at REAL PRIMARY KEY, document BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS owned (
  routing_table INTEGER NOT NULL, metric INTEGER NOT NULL, PRIMARY KEY (routing_table, metric))""",
)

SPLIT = (
    "INSERT INTO result SELECT id, results FROM change WHERE results IS NOT NULL",
    "ALTER TABLE change DROP COLUMN results",
    "INSERT INTO plan_body SELECT digest, body FROM plan",
    "ALTER TABLE plan DROP COLUMN body",
)
"""Moves what stood in one row before; needs SQLite 3.35."""

SELECT_PLAN = """SELECT digest, number, state, created_at, expires_at, actor, detail, COALESCE(body, '')
  FROM plan LEFT JOIN plan_body ON plan_body.plan=plan.digest"""
"""The columns of ``StoredPlan``."""

SELECT_APPROVAL = """SELECT id, plan, at, principal, method, act, ticket, comment, expires, statement, signature
  FROM approval"""
"""The columns of ``Approval``."""


class Draft(NamedTuple):
    """A record before it is numbered and chained."""

    at: float
    kind: str
    actor: str
    plan: str
    body: str


def format_of(db: sqlite3.Connection) -> int | None:
    """Return the format of a file, None for an empty one."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    old = db.execute("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='change'").fetchone()
    return version if version or old else None


def create(db: sqlite3.Connection, *, old: bool) -> None:
    """Make the tables, in the transaction that is open; with *old* out of those of the format before."""
    for statement in TABLES + (SPLIT if old else ()):
        db.execute(statement)
    db.execute(f"PRAGMA user_version={FORMAT}")


def drafts_of_old_rows(db: sqlite3.Connection, now: float) -> Iterator[Draft]:
    """Yield the records of rows that were never chained, in the order of their moments, and a last one that says so.

    Raises JournalError for a row that cannot be read.
    """
    order = """SELECT at, 0, id, '' FROM change UNION ALL SELECT at, 1, id, '' FROM event
      UNION ALL SELECT created_at, 2, 0, digest FROM plan ORDER BY 1, 2, 3"""
    counted: Counter[int] = Counter()
    for _, kind, row, digest in db.execute(order).fetchall():
        counted[kind] += 1
        if kind == 0:
            yield from _old_change(db, row)
        elif kind == 1:
            at, name, actor, detail = db.execute(
                "SELECT at, kind, actor, detail FROM event WHERE id=?", (row,)
            ).fetchone()
            yield Draft(at, name, actor, "", canonical({"event": row, "detail": detail}))
        else:
            plan = StoredPlan(*db.execute(f"{SELECT_PLAN} WHERE digest=?", (digest,)).fetchone())
            yield Draft(plan.created_at, "plan", plan.actor, digest, canonical(plan_body(plan)))
    detail = (
        f"{counted[0]} changes, {counted[1]} events and {counted[2]} plans come from a file without a chain; "
        "what was changed in them before this record cannot be told"
    )
    yield Draft(now, "migrated", "bgpmon", "", canonical({"detail": detail}))


def _old_change(db: sqlite3.Connection, row: int) -> Iterator[Draft]:
    at, cause, actor, plan, prefixes, operations, results = db.execute(
        "SELECT at, cause, actor, plan, prefixes, operations, results FROM change "
        "LEFT JOIN result ON result.change=change.id WHERE id=?", (row,)
    ).fetchone()  # fmt: skip
    try:
        counts, failed = counts_of_text(operations), 0 if results is None else len(json.loads(results))
    except (ValueError, LookupError, TypeError) as error:
        raise JournalError(f"change {row} is damaged and cannot be chained: {error}; move the file away") from error
    yield Draft(at, "change", actor, plan, canonical(change_body(row, cause, counts, prefixes, operations)))
    if results is not None:
        body = result_body(row, sum(counts), failed, results)
        yield Draft(at, "result", actor, plan, canonical(body))
