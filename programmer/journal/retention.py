"""Removes the oldest records, and leaves a chain that can still be verified.

The records that go are always the first ones, so that what stays is a chain without a gap; the digest before its new beginning
stands in a record of kind ``pruned`` at its end.  What must stay although its record goes is told again, in a record of kind
``kept``: a plan that waits or is being applied with its approvals, and what was written for such a plan or for the last one.
"""

import json
import sqlite3
from itertools import takewhile
from typing import Any

from programmer.journal.bodies import Approval, StoredPlan, approval_body, change_body, counts_of_text, plan_body
from programmer.journal.chain import Record, body_of, canonical, text_digest
from programmer.journal.reader import SELECT_RECORD
from programmer.journal.schema import SELECT_APPROVAL, SELECT_PLAN, Draft

OPEN_STATES = ("frozen", "approved", "queued", "applying", "soaking")
"""A plan in one of these states is not at its end."""


def prune(db: sqlite3.Connection, before: float, most: int, now: float, until: float) -> tuple[int, list[Draft]]:
    """Remove at most *most* of the first records, older than *before*, in the transaction that is open.

    ``until`` is the moment up to which was pruned already.  Returns how many, and the records that have to follow.
    """
    db.execute("DELETE FROM sample WHERE at IN (SELECT at FROM sample WHERE at<? ORDER BY at LIMIT ?)", (before, most))
    rows = map(Record._make, db.execute(f"{SELECT_RECORD} ORDER BY id LIMIT ?", (most,)).fetchall())
    doomed = list(takewhile(lambda record: record.at < before, rows))
    if not doomed:
        return 0, []
    last = doomed[-1]
    db.execute("DELETE FROM record WHERE id<=?", (last.id,))
    drafts = _Pruning(db, now, _protected(db)).remove(doomed)
    body = {
        "count": len(doomed),
        "through": last.id,
        "digest": last.digest,
        "until": max(until, *(record.at for record in doomed)),
        "detail": f"{len(doomed)} records up to {last.id} are past their time",
    }
    return len(doomed), [*drafts, Draft(now, "pruned", "bgpmon", "", canonical(body))]


def _protected(db: sqlite3.Connection) -> set[str]:
    """Return the digests of the plans of which everything stays."""
    found = db.execute(
        "SELECT digest FROM plan WHERE state IN (SELECT value FROM json_each(?))", (json.dumps(OPEN_STATES),)
    ).fetchall()
    found += db.execute("SELECT digest FROM plan WHERE state='applied' ORDER BY number DESC LIMIT 1").fetchall()
    last_written, _ = db.execute("SELECT plan, MAX(id) FROM change WHERE plan<>''").fetchone()
    return {digest for (digest,) in found} | {last_written}


class _Pruning:
    """Removes the rows of records that are gone, or tells them again."""

    def __init__(self, db: sqlite3.Connection, now: float, protected: set[str]) -> None:
        self._db = db
        self._now = now
        self._protected = protected
        self._drafts: list[Draft] = []

    def remove(self, doomed: list[Record]) -> list[Draft]:
        """Go over the records that are gone; returns what is told again."""
        plans: dict[str, int] = {}
        for record in doomed:
            body = body_of(record.body)
            if "event" in body:
                self._db.execute("DELETE FROM event WHERE id=?", (body["event"],))
            elif "change" in body:
                self._change(record.plan, body)
            elif "approval" in body:
                self._approval(record.plan, body["approval"])
            elif "plan" in body:
                plans[record.plan] = record.id
        for digest in plans:
            self._plan(digest)
        return self._drafts

    def _keep(self, plan: str, body: dict[str, Any], words: str) -> None:
        text = canonical({**body, "detail": f"{words} stays, though its record is past its time"})
        self._drafts.append(Draft(self._now, "kept", "bgpmon", plan, text))

    def _change(self, plan: str, body: dict[str, Any]) -> None:
        number = body["change"]
        if plan not in self._protected:
            self._db.execute("DELETE FROM change WHERE id=?", (number,))
            self._db.execute("DELETE FROM result WHERE change=?", (number,))
            return
        row = self._db.execute(
            "SELECT at, cause, actor, prefixes, operations, results FROM change "
            "LEFT JOIN result ON result.change=change.id WHERE id=?", (number,)
        ).fetchone()  # fmt: skip
        if row is not None:
            at, cause, actor, prefixes, operations, results = row
            told = change_body(number, cause, counts_of_text(operations), prefixes, operations)
            digest = None if results is None else text_digest(results)
            self._keep(plan, {**told, "at": at, "actor": actor, "results": digest}, f"change {number}")

    def _approval(self, plan: str, number: int) -> None:
        if plan not in self._protected:
            self._db.execute("DELETE FROM approval WHERE id=?", (number,))
            return
        row = self._db.execute(f"{SELECT_APPROVAL} WHERE id=?", (number,)).fetchone()
        if row is not None:
            self._keep(plan, approval_body(Approval(*row)), f"approval {number}")

    def _plan(self, digest: str) -> None:
        later = self._db.execute(
            "SELECT 1 FROM record WHERE plan=? AND plan<>'' AND json_extract(body, '$.plan.number') IS NOT NULL LIMIT 1",
            (digest,),
        ).fetchone()
        if later is not None:
            return
        if digest not in self._protected:
            for statement in (
                "DELETE FROM plan WHERE digest=?",
                "DELETE FROM plan_body WHERE plan=?",
                "DELETE FROM progress WHERE plan=?",
            ):
                self._db.execute(statement, (digest,))
            return
        row = self._db.execute(f"{SELECT_PLAN} WHERE digest=?", (digest,)).fetchone()
        progress = self._db.execute("SELECT document FROM progress WHERE plan=?", (digest,)).fetchone()
        if row is not None:
            plan = StoredPlan(*row)
            self._keep(digest, plan_body(plan, progress[0] if progress else ""), f"plan {plan.number}")
