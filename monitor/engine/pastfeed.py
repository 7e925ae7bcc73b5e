"""Answers about the past, from the journal: what was done, whether the record is whole, how things stood at a moment."""

import asyncio
import contextlib
import ipaddress
import json
import time
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from monitor.engine.core import Engine
from monitor.engine.flight import progress_of
from monitor.engine.rows import MOST_ROWS, RouteValues, route_document
from monitor.engine.slices import Turns, ordered
from monitor.engine.text import moment, operation_document
from monitor.errors import BadRequest
from monitor.filter import parse
from monitor.ports import Document
from monitor.rib.attribute import PathAttributes, Rpki
from programmer.journal import AuditReport, Journal, Past, open_reader, routes_at, verify_file
from programmer.route import Family, Forwarding, PrefixKey

LONGEST_WAIT = 25.0
"""Seconds that a question for events may wait: less than a call may take."""

MOST_LINES = 10_000


@dataclass(slots=True)
class PastRow(RouteValues):
    """A route of a past moment as the filter language sees it; what BGP said then is not known (``monitor.filter.row``)."""

    engine: Engine
    family: Family
    key: PrefixKey
    table: int
    domain: str
    forwarding: Forwarding
    state: str = "installed"
    op: str = ""
    class_: str = ""
    risk: str = ""
    rule: str = ""
    reason: str = ""
    peer: str = ""
    asn: int = 0
    description: str = ""
    attributes: PathAttributes | None = None
    received_at: float | None = None
    best: bool = True
    rpki: Rpki = Rpki.NONE

    @property
    def protocol(self) -> int:
        """Our own."""
        return self.engine.config.protocol


@dataclass
class PastFeed:
    """The part of the read half that is about the past.  ``file`` is the journal's, empty where it is in memory."""

    engine: Engine
    file: str = field(default="", kw_only=True)
    _fresh: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _listening: bool = field(default=False, init=False)

    @property
    def journal(self) -> Journal:
        """The journal."""
        return self.engine.journal

    async def history(self, prefix: str = "", limit: int = 100) -> Document:
        """``{items}``, newest first."""
        wanted = _prefix_text(prefix) if prefix else ""
        links = self.engine.reconciler.links
        items: list[Document] = []
        for row in self.journal.history(wanted, limit or 100):
            operation = row.pop("operation")
            item: Document = row | {"at": moment(row["at"])}
            if operation is not None:
                item |= operation_document(links, operation, self.engine.domain_of_table(operation.table))
            items.append(item)
        return {"items": items}

    async def events(self, after: int = 0, since: float = 0.0, limit: int = 100, wait: float = 0.0) -> Document:
        """``{items, last}``: records in order, the oldest first; waits for the first one if there is none yet."""
        if not self._listening:
            self._listening = True
            self.journal.listen(lambda _number: self._fresh.set())
        most = min(limit or 100, MOST_LINES)
        found = self.journal.events(after, since, most)
        ends = time.monotonic() + min(max(wait, 0.0), LONGEST_WAIT)
        while not found and (left := ends - time.monotonic()) > 0:
            self._fresh.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._fresh.wait()
            found = self.journal.events(after, since, most)
        for item in found:
            item["at"] = moment(item["at"])
            if item["kind"] == "progress":
                progress = progress_of(item["detail"])
                item["detail"] = progress.log[-1][1] if progress and progress.log else "begun"
        return {"items": found, "last": found[-1]["id"] if found else max(after, 0) or self.journal.last_record()}

    async def audit(self) -> Document:
        """``{ok, records, first, last, head, problems}``."""
        if self.file:
            return audit_document(await asyncio.to_thread(verify_file, FilePath(self.file)))
        return audit_document(self.journal.verify())

    async def audit_export(self, after: int = 0, since: float = 0.0, limit: int = 1000) -> Document:
        """``{lines, last, truncated}``."""
        most = min(limit or 1000, MOST_LINES)
        lines: list[str] = []
        octets = 0
        for line in self.journal.export(since, after):
            if len(lines) == most or octets > 1 << 20:
                return {"lines": lines, "last": _id_of(lines[-1]), "truncated": True}
            lines.append(line)
            octets += len(line)
        return {"lines": lines, "last": _id_of(lines[-1]) if lines else after, "truncated": False}

    async def replay(self, at: float, what: str, filter_text: str = "", limit: int = 1000) -> Document:
        """``status``, ``plan`` or ``routes`` of a moment, with ``at``, and ``as_of`` where a snapshot is shown."""
        now = time.time()
        if at > now:
            raise BadRequest(f"{moment(at)} has not come yet")
        if at < self.journal.oldest():
            raise BadRequest(f"nothing is known before {moment(self.journal.oldest())}: the journal begins there")
        if what == "routes":
            return {"at": moment(at)} | await self._routes_at(at, filter_text, limit)
        if what not in {"status", "plan"}:
            raise BadRequest(f"{what!r} is none of status, plan, routes")
        sample = self.journal.sample_at(at)
        if sample is None:
            raise BadRequest(f"no snapshot was taken before {moment(at)}; `routes` can be told for every moment")
        taken, document = sample
        shown: Document = document[what]
        return shown | {"at": moment(at), "as_of": moment(taken)}

    async def _routes_at(self, at: float, filter_text: str, limit: int) -> Document:
        query = parse(filter_text)
        installed = {name: dict(state.image.routes) for name, state in self.engine.reconciler.tables.items()}

        def work() -> Past:
            if not self.file:
                return routes_at(self.journal.changes_after(at), installed)
            reader = open_reader(self.file)
            try:
                return routes_at(reader.changes_after(at), installed)
            finally:
                reader.close()

        past = await asyncio.to_thread(work) if self.file else work()
        items: list[Document] = []
        turns, total = Turns(), 0
        most = min(limit or MOST_ROWS, MOST_ROWS)
        for (table, family), image in sorted(past.images.items()):
            domain = self.engine.domain_of_table(table)
            for step, key in enumerate(await ordered(image, turns)):
                if not step & 63:
                    await turns.pause()
                row = PastRow(self.engine, family, key, table, domain, image[key])
                if query.matches(row, at):
                    total += 1
                    if len(items) < most:
                        items.append(route_document(self.engine, row, row.forwarding))
        return {
            "items": items,
            "total": total,
            "truncated": len(items) < total,
            "undone": past.undone,
            "unknown": past.unknown,
            "gaps": self._gaps(at),
        }

    def _gaps(self, at: float) -> list[str]:
        """Return when bgpmon did not run since a moment: what others changed then is not known."""
        found: list[str] = []
        stopped = ""
        for event in self.journal.events(since=at, limit=MOST_LINES):
            if event["kind"] == "stop":
                stopped = moment(event["at"])
            elif event["kind"] == "start":
                found.append(f"not running until {moment(event['at'])}" + (f", since {stopped}" if stopped else ""))
                stopped = ""
        return found


def audit_document(report: AuditReport) -> dict[str, Any]:
    """Return a report as a document."""
    return {**report._asdict(), "problems": list(report.problems)}


def _id_of(line: str) -> int:
    return int(json.loads(line)["id"])


def _prefix_text(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise BadRequest(f"{text!r} is not a prefix: {error}") from None
