"""Writes the journal: each row together with the record that binds it into the chain, in one transaction."""

import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path as FilePath
from typing import Any

from programmer.errors import JournalError
from programmer.fib import WriteResult
from programmer.journal import retention
from programmer.journal.audit import Anchor, anchor_path, lost_end, read_anchor, verify_database, write_anchor
from programmer.journal.bodies import (
    Approval,
    StoredPlan,
    approval_body,
    change_body,
    clean,
    counts_of,
    plan_body,
    result_body,
)
from programmer.journal.chain import GENESIS, AuditReport, Problems, canonical, digest_of
from programmer.journal.reader import Reader, journal_error
from programmer.journal.schema import FORMAT, Draft, create, drafts_of_old_rows, format_of
from programmer.plan import Operation, operation_texts
from programmer.route import TableId

ANCHOR_SECONDS = 1.0
"""The anchor is written at most as often."""

PRUNED_AT_ONCE = 200
"""Takes some ten milliseconds, where each record is of a large batch."""

OUTSIDE = "outside"
"""Cause of a change that was not ours."""


class Journal(Reader):
    """The journal of one node, and the only writer of its file.  ``file`` is a path, or ``:memory:`` for none that lasts.

    ``wall`` gives seconds since the epoch for records whose caller names no moment; ``monotonic`` paces the anchor.  A write that
    fails raises JournalError and leaves nothing behind: the next one may succeed.
    """

    def __init__(
        self, file: str, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._anchor_due = monotonic() + ANCHOR_SECONDS
        self._anchor_file = None if file == ":memory:" else anchor_path(file)
        self._anchor_kept: Anchor | None = None
        self._last = Anchor(0, GENESIS)
        self._listeners: list[Callable[[int], None]] = []
        try:
            if file != ":memory:":
                FilePath(file).parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            super().__init__(sqlite3.connect(file, isolation_level=None), wall)
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                self._open()
            except (sqlite3.Error, JournalError):
                self._db.close()
                raise
        except (sqlite3.Error, OSError, JournalError) as error:
            raise JournalError(f"{file}: the journal cannot be opened: {error}; check state_dir") from error

    def _open(self) -> None:
        """Make the tables where they are missing, and compare the end of the chain with the anchor."""
        version = format_of(self._db)
        if version not in {None, 0, FORMAT}:
            raise JournalError(f"it has format {version}, and this bgpmon knows {FORMAT}; use the bgpmon that wrote it")
        lost, anchor = "", None
        try:
            anchor = read_anchor(self._anchor_file) if self._anchor_file else None
        except ValueError as error:
            lost = str(error)
        if version == FORMAT:
            self._last = self._end()
        else:
            with self._writing(fresh=True):
                create(self._db, old=version == 0)
                if version == 0:
                    for draft in drafts_of_old_rows(self._db, self._wall()):
                        self._append(draft)
        if anchor is not None:
            lost = lost_end(self._db, anchor)
        if lost:
            with self._writing():
                self._append_loss(anchor.id if anchor else 0, lost)

    def _end(self) -> Anchor:
        """Return the last record."""
        row = self._db.execute("SELECT id, digest FROM record ORDER BY id DESC LIMIT 1").fetchone()
        return Anchor(*row) if row else Anchor(0, GENESIS)

    @contextmanager
    def _writing(self, *, durable: bool = False, fresh: bool = False) -> Iterator[None]:
        """One transaction; with *durable* it is on the disk when this ends.  Afterwards the listeners are told.

        A *fresh* file has no chain yet that could be continued.
        """
        before = self._last
        try:
            if durable:
                self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("BEGIN IMMEDIATE")
            if not fresh:
                self._continue_chain()
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            self._last = before
            with suppress(sqlite3.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise journal_error(error) from error
            raise
        finally:
            if durable:
                with suppress(sqlite3.Error):
                    self._db.execute("PRAGMA synchronous=NORMAL")
        if self._last.id > before.id:
            self._tell(before.id)

    def _continue_chain(self) -> None:
        """Find the end of the chain; if it is not the one that was seen, the chain itself says so."""
        end, seen = self._end(), self._last
        if end.id < seen.id or (end.id == seen.id and end.digest != seen.digest):
            self._last = end
            self._append_loss(seen.id, lost_end(self._db, seen))
        elif end.id > seen.id:
            self._last = end

    def _append_loss(self, seen: int, words: str) -> None:
        body = {"missing": seen, "last": self._last.id, "detail": words}
        self._append(Draft(self._wall(), "lost", "bgpmon", "", canonical(body)))

    def _append(self, draft: Draft) -> None:
        """Chain one record, in the transaction that is open."""
        # SQLite stores -0.0 as 0, and text of lone surrogates not at all; the digest is over what will be read.
        at, number = float(draft.at) + 0.0, self._last.id + 1
        fields = (number, at, clean(draft.kind), clean(draft.actor), clean(draft.plan), draft.body)
        digest = digest_of(self._last.digest, *fields)
        self._db.execute("INSERT INTO record VALUES (?,?,?,?,?,?,?)", (*fields, digest))
        self._last = Anchor(number, digest)

    def _tell(self, after: int) -> None:
        if self._monotonic() >= self._anchor_due:
            self._keep_anchor()
        for number in range(after + 1, self._last.id + 1):
            for listener in tuple(self._listeners):
                listener(number)

    def _keep_anchor(self) -> None:
        """Write the anchor.  On a full disk the old one stays, which is only less sharp; the next second tries again."""
        self._anchor_due = self._monotonic() + ANCHOR_SECONDS
        if self._anchor_file and self._last.id and self._last != self._anchor_kept:
            with suppress(OSError):
                write_anchor(self._anchor_file, self._last)
                self._anchor_kept = self._last

    def listen(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Call *callback* with the identifier of each record from now on, after its commit; it must not raise.

        Returns what ends that.
        """
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def begin(self, operations: Sequence[Operation], *, at: float, cause: str, actor: str, plan: str) -> int:
        """Record what is about to be written; returns the number that ``finish`` takes."""
        with self._writing():
            return self._begin(operations, at, clean(cause), clean(actor), clean(plan))

    def _begin(self, operations: Sequence[Operation], at: float, cause: str, actor: str, plan: str) -> int:
        text = f"[{','.join(operation_texts(operations))}]"
        prefixes = f" {' '.join([operation.prefix for operation in operations])} "
        cursor = self._db.execute(
            "INSERT INTO change (at, cause, actor, plan, prefixes, operations) VALUES (?,?,?,?,?,?)",
            (at, cause, actor, plan, prefixes, text),
        )
        row = cursor.lastrowid
        assert row is not None
        body = change_body(row, cause, counts_of(operations), prefixes, text)
        self._append(Draft(at, "change", actor, plan, canonical(body)))
        return row

    def finish(self, change: int, results: Sequence[WriteResult]) -> None:
        """Record what the kernel answered, in the order of the operations; only failures are kept in full.

        The record has the moment of its change: the answer follows within the batch.  A second answer to a change is not taken.
        """
        failed = {index: [result.errno, result.message] for index, result in enumerate(results) if result.errno}
        with self._writing():
            self._finish(change, len(results), failed)

    def _finish(self, change: int, total: int, failed: Mapping[int, object]) -> None:
        row = self._db.execute("SELECT at, actor, plan FROM change WHERE id=?", (change,)).fetchone()
        text = json.dumps(failed)
        if row is None or not self._db.execute("INSERT OR IGNORE INTO result VALUES (?,?)", (change, text)).rowcount:
            return
        at, actor, plan = row
        self._append(Draft(at, "result", actor, plan, canonical(result_body(change, total, len(failed), text))))

    def outside(self, operations: Sequence[Operation], *, at: float) -> int:
        """Record what somebody else changed in our tables, in the shape of a change of ours that is done; returns its number."""
        with self._writing():
            change = self._begin(operations, at, OUTSIDE, "somebody else", "")
            self._finish(change, len(operations), {})
            return change

    def note(self, kind: str, detail: str, *, at: float, actor: str = "bgpmon") -> None:
        """Record something that is not a write: a decision, drift, a reload."""
        kind, detail, actor = clean(kind), clean(detail), clean(actor)
        with self._writing():
            values = (at, kind, actor, detail)
            row = self._db.execute("INSERT INTO event (at, kind, actor, detail) VALUES (?,?,?,?)", values).lastrowid
            self._append(Draft(at, kind, actor, "", canonical({"event": row, "detail": detail})))

    def remember(self, name: str, value: str | None) -> None:
        """Keep a fact over restarts, in place of what *name* stood for before; None forgets it."""
        if value is None:
            self._execute("DELETE FROM fact WHERE name=?", (name,))
        else:
            self._execute("INSERT OR REPLACE INTO fact VALUES (?,?)", (name, value))

    def own(self, table: TableId, metrics: Sequence[int]) -> frozenset[int]:
        """Remember that we write *metrics* into *table*; returns every metric that we ever wrote there."""
        for metric in metrics:
            self._execute("INSERT OR IGNORE INTO owned VALUES (?,?)", (table, metric))
        return frozenset(row[0] for row in self._rows("SELECT metric FROM owned WHERE routing_table=?", (table,)))

    def put_plan(self, digest: str, number: int, state: str, times: tuple[float, float], actor: str, body: str) -> None:
        """Store a frozen plan, durably; ``times`` are its creation, which is the moment of the record, and its expiry."""
        created, expires = (float(moment) + 0.0 for moment in times)
        plan = StoredPlan(clean(digest), number, clean(state), created, expires, clean(actor), "", clean(body))
        told = canonical(plan_body(plan))
        with self._writing(durable=True):
            self._db.execute("INSERT OR REPLACE INTO plan VALUES (?,?,?,?,?,?,?)", plan[:-1])
            self._db.execute("INSERT OR REPLACE INTO plan_body VALUES (?,?)", (plan.digest, plan.body))
            self._db.execute("DELETE FROM progress WHERE plan=?", (plan.digest,))
            self._append(Draft(created, "plan", plan.actor, plan.digest, told))

    def set_plan_state(
        self, digest: str, state: str, detail: str, *, at: float | None = None, actor: str = "bgpmon"
    ) -> None:
        """Record where a plan stands now, durably."""
        state, detail = clean(state), clean(detail)
        moment = self._wall() if at is None else at
        with self._writing(durable=True):
            if self._db.execute("UPDATE plan SET state=?, detail=? WHERE digest=?", (state, detail, digest)).rowcount:
                self._append(Draft(moment, "plan-state", actor, digest, canonical({"state": state, "detail": detail})))

    def put_progress(self, digest: str, document: str, *, at: float | None = None, actor: str = "bgpmon") -> None:
        """Record how far the application of a plan is (JSON), durably, in place of what was said before.

        Raises JournalError when there is no such plan.
        """
        document = clean(document)
        moment = self._wall() if at is None else at
        with self._writing(durable=True):
            if self._db.execute("SELECT 1 FROM plan WHERE digest=?", (digest,)).fetchone() is None:
                raise JournalError(f"no plan {digest[:12]} is stored, so it has no progress; freeze it first")
            self._db.execute("INSERT OR REPLACE INTO progress VALUES (?,?)", (digest, document))
            self._append(Draft(moment, "progress", actor, digest, canonical({"progress": document})))

    def add_approval(
        self,
        plan: str,
        *,
        at: float,
        principal: str,
        method: str,
        act: str,
        ticket: str = "",
        comment: str = "",
        expires: float = 0.0,
        statement: str = "",
        signature: str = "",
    ) -> Approval:
        """Record a decision about the plan with that digest, durably; returns it with its number."""
        texts = [clean(text) for text in (principal, method, act, ticket, comment)]
        moments = float(at) + 0.0, float(expires) + 0.0
        fields = (clean(plan), moments[0], *texts, moments[1], clean(statement), clean(signature))
        with self._writing(durable=True):
            row = self._db.execute("INSERT INTO approval VALUES (NULL,?,?,?,?,?,?,?,?,?,?)", fields).lastrowid
            approval = Approval._make((row, *fields))
            self._append(Draft(moments[0], "approval", approval.principal, plan, canonical(approval_body(approval))))
            return approval

    def sample(self, at: float, document: dict[str, Any]) -> None:
        """Keep a snapshot of what *at* looked like; it is not chained, and pruned with the rest."""
        packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode())
        self._execute("INSERT OR REPLACE INTO sample VALUES (?,?)", (at, packed))

    def prune(self, before: float, most: int = PRUNED_AT_ONCE) -> int:
        """Remove records older than *before* and their rows, at most *most*; returns how many, so 0 when all is done.

        Plans that are not at their end, and what was written for the last plan, stay.  Only the beginning of the chain goes: a
        record stays while one before it does.
        """
        now = self._wall()
        until = float(self._pruned().get("until", float("-inf")))
        with self._writing():
            count, drafts = retention.prune(self._db, min(before, now), most, now, until)
            for draft in drafts:
                self._append(draft)
            return count

    def verify(self) -> AuditReport:
        """Verify everything over this connection, which takes seconds for a million records; ``verify_file`` has its own."""
        problems = Problems()
        try:
            return verify_database(self._db, self._last if self._last.id else None, problems)
        except sqlite3.Error as error:
            raise journal_error(error) from error

    def close(self) -> None:
        """Write the anchor and close the file."""
        self._keep_anchor()
        super().close()
