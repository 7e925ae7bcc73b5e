"""Answers about plans, windows and holds; nothing here changes anything."""

import time
from dataclasses import dataclass
from typing import Any

from monitor.change.statement import NAMESPACE, Act
from monitor.config import SoakConfig
from monitor.engine import overview
from monitor.engine.change import ChangeControl
from monitor.engine.core import Engine
from monitor.engine.effects import Effect, effect_of
from monitor.engine.flight import Progress, progress_of
from monitor.engine.planrows import MOST_OPERATIONS, operation_rows
from monitor.engine.plans import FrozenPlan, find_plan, load_plan, plan_document, statement_of
from monitor.engine.slices import Turns, smallest
from monitor.engine.text import moment, operation_document
from monitor.errors import BadRequest, Stale
from monitor.ports import Document
from programmer.approval import WAITING, PlanState
from programmer.plan import Operation, short_digest

MOST_COMPARED = 1000
"""Operations in each list of a comparison."""

MOST_EXPORTED = 100_000
"""Operations in one exported plan: more do not fit one answer."""

SENDING = {
    Act.APPROVE.value: "approve {}",
    Act.REJECT.value: "reject {} --reason WHY",
    Act.CONFIRM.value: "confirm {}",
}
"""What can be signed, and the command that takes it.  Going back asks for no signature."""


@dataclass
class PlanFeed:
    """The part of the read half that is about plans."""

    engine: Engine
    change: ChangeControl

    async def plan(self, digest: str = "", limit: int = MOST_OPERATIONS) -> Document:
        """The live plan, or the frozen one of *digest*, with at most *limit* operations; 0 means as many as one answer holds."""
        most = min(limit or MOST_OPERATIONS, MOST_OPERATIONS)
        return self._frozen(find_plan(self.engine, digest), most) if digest else await self.live_plan(most)

    async def live_plan(self, most: int = MOST_OPERATIONS) -> Document:
        """The live plan, with at most so many operations and their effect."""
        rules = self.engine.reconciler.pending_rules()
        operations, total = await self._first_operations(most)
        effect, _ = await effect_of(self.engine, operations, live=True) if operations else (Effect(), ())
        rows = (await operation_rows(self.engine, rules, operations, effect))[:most]
        total += len(rules)
        return overview.plan_head(self.engine) | {
            "operations": rows,
            "total": total,
            "truncated": len(rows) < total,
            "effect": effect.document,
            "change": self.change.document(),
        }

    async def _first_operations(self, most: int) -> tuple[list[Operation], int]:
        """Return the first *most* of the live plan in its order, and how many there are; in slices."""
        turns = Turns()
        total = 0
        first: list[Operation] = []
        for _, state in sorted(self.engine.reconciler.tables.items()):
            keys = state.pending()
            total += len(keys)
            if len(first) < most:
                # Some may have gone meanwhile.
                found = [key for key in await smallest(keys, most - len(first), turns) if key in state.difference]
                first += [state.operation(key) for key in found]
        return first, total

    def _frozen(self, stored: FrozenPlan, most: int) -> Document:
        head, now = stored.head, time.time()
        shown = stored.shown[:most]
        total: Any = head["total"]
        over = stored.state in WAITING and now >= stored.expires_at
        standing = self.change.standing(stored, now)
        progress = self.progress(stored.digest)
        return {
            "number": stored.number,
            "digest": stored.digest,
            "short": short_digest(stored.digest),
            "state": PlanState.EXPIRED.value if over else stored.state.value,
            "kind": head["kind"],
            "rolls_back": head.get("rolls_back"),
            "node": self.engine.config.node,
            "frozen_by": stored.actor,
            "author": stored.author,
            "created_at": moment(stored.created_at),
            "expires_at": moment(stored.expires_at),
            "detail": stored.detail,
            "risk": head["risk"],
            "summary": head["summary"],
            "by_domain": head["by_domain"],
            "requirement": head["requirement"],
            "approvals": {
                **standing._asdict(),
                "items": self._approvals(stored, now),
            },
            "window": self._window(now),
            "soak": self._terms(progress),
            "groups": head["groups"],
            "left_out": head["left_out"],
            "effect": head["effect"],
            "progress": progress.document() if progress else None,
            "probes": self._probes(stored, progress),
            "operations": shown,
            "total": total,
            "truncated": len(shown) < total,
        }

    def _approvals(self, stored: FrozenPlan, now: float) -> list[Document]:
        return [
            {
                "principal": item.principal,
                "method": item.method,
                "act": item.act,
                "at": moment(item.at),
                "expires": moment(item.expires) if item.expires else None,
                "counts": not item.expires or now < item.expires,
                "ticket": item.ticket,
                "comment": item.comment,
            }
            for item in self.engine.journal.approvals(stored.digest)
        ]

    def _window(self, now: float) -> Document:
        state = self.change.conductor.window(now)
        return {"open": state.open, "text": state.text}

    def _terms(self, progress: Progress | None) -> Document | None:
        """Return how a plan soaks: as it did where it was applied, else as it would now."""
        soak = self.engine.config.approval.soak
        if progress is not None and progress.deadline:
            began = progress.log[0][0] if progress.log else progress.began
            return {
                "seconds": round(progress.deadline - began),
                "most_seconds": round(progress.most - began),
                # While it is being written nothing was looked at yet.
                "probes": [{key: probe[key] for key in ("name", "kind", "target")} for probe in progress.probes]
                or _configured(soak),
            }
        if soak is None:
            return None
        return {
            "seconds": soak.duration,
            "most_seconds": soak.most,
            "probes": _configured(soak),
        }

    def _probes(self, stored: FrozenPlan, progress: Progress | None) -> list[dict[str, Any]]:
        flight = self.change.conductor.flight
        if flight is not None and flight.digest == stored.digest:
            return [watch.document() for watch in flight.watches]
        return progress.probes if progress else []

    def progress(self, digest: str) -> Progress | None:
        """Return how far the application of a plan is, or came."""
        flight = self.change.conductor.flight
        if flight is not None and flight.digest == digest:
            return flight.progress
        return progress_of(self.engine.journal.progress(digest))

    async def plans(self, limit: int = 20) -> Document:
        """``{items}``: the newest first, without their operations."""
        found = self.engine.journal.plans_in([state.value for state in PlanState], limit or 20)
        return {"items": [self._brief(FrozenPlan.of(item)) for item in found]}

    def _brief(self, stored: FrozenPlan) -> Document:
        try:
            head = find_plan(self.engine, stored.digest).head
        except Stale:
            # Of an earlier bgpmon: no more is known of it than what the list has.
            head = {"kind": None, "summary": None, "risk": None}
        return {
            "number": stored.number,
            "digest": stored.digest,
            "short": short_digest(stored.digest),
            "state": stored.state.value,
            "kind": head["kind"],
            "summary": head["summary"],
            "risk": head["risk"],
            "created_at": moment(stored.created_at),
            "expires_at": moment(stored.expires_at),
            "frozen_by": stored.actor,
            "detail": stored.detail,
        }

    async def compare(self, one: str, other: str = "") -> Document:
        """``{first, second, same, changed, only_first, only_second}``; without *other* the second one is the live plan."""
        first = {item.place: item for item in (await load_plan(self.engine, find_plan(self.engine, one))).operations}
        if other:
            found = await load_plan(self.engine, find_plan(self.engine, other))
            second = {item.place: item for item in found.operations}
        else:
            second = {item.place: item for item in self.engine.reconciler.live_operations()}
        changed = [place for place in first.keys() & second.keys() if first[place] != second[place]]
        lists = {
            "only_first": [first[place] for place in sorted(first.keys() - second.keys())],
            "only_second": [second[place] for place in sorted(second.keys() - first.keys())],
            "changed": [second[place] for place in sorted(changed)],
        }
        document: Document = {
            "first": one,
            "second": other or "live",
            "same": len(first.keys() & second.keys()) - len(changed),
            "counts": {name: len(found) for name, found in lists.items()},
            "truncated": any(len(found) > MOST_COMPARED for found in lists.values()),
        }
        return document | {name: [self._short(item) for item in found[:MOST_COMPARED]] for name, found in lists.items()}

    def _short(self, operation: Operation) -> Document:
        domain = self.engine.domain_of_table(operation.table)
        return operation_document(self.engine.reconciler.links, operation, domain)

    async def export(self, digest: str) -> Document:
        """``{format, digest, plan}``: everything that the digest is over."""
        stored = find_plan(self.engine, digest)
        plan = await load_plan(self.engine, stored)
        if len(plan.operations) > MOST_EXPORTED:
            raise BadRequest(f"a plan of {len(plan.operations):,} operations is too large to export in one answer")
        return {"format": "bgpmon-plan/2", "digest": stored.digest, "plan": plan_document(plan)}

    async def statement(self, digest: str, act: str = "approve", ticket: str = "", expires: float = 0.0) -> Document:
        """The text to sign, and the commands that sign it and send it."""
        if act not in SENDING:
            raise BadRequest(f"{act!r} is none of {', '.join(SENDING)}")
        stored = find_plan(self.engine, digest)
        made = statement_of(stored, self.engine.config.node, Act(act), ticket, expires)
        short, file = short_digest(stored.digest), f"plan-{stored.number}.txt"
        return {
            "number": stored.number,
            "digest": stored.digest,
            "short": short,
            "act": act,
            "namespace": NAMESPACE,
            "expires_at": moment(made.expires),
            "text": made.text,
            "sign": f"ssh-keygen -Y sign -n {NAMESPACE} -f ~/.ssh/id_ed25519 {file}",
            "send": f"bgpmon {SENDING[act].format(short)} --statement {file} --signature {file}.sig",
        }

    async def windows(self, at: float = 0.0, count: int = 5) -> Document:
        """When changes may be applied, from a moment on."""
        return self.change.windows(at or time.time(), min(max(count, 1), 100))

    async def holds(self) -> Document:
        """``{items}``."""
        return {"items": self.change.restraints.documents()}

    async def judge(self, digest: str = "") -> Document:
        """``{rules, items, requirement}``: which rule decides on each operation."""
        rules = self.engine.config.approval.rules
        document = await self.plan(digest)
        rows: Any = document["operations"]
        keys = ("op", "domain", "table", "prefix", "class", "risk", "decision", "rule")
        return {
            "rules": [
                {"number": rule.number, "name": rule.name, "text": rule.text, "line": rule.line} for rule in rules
            ],
            "items": [{key: row.get(key) for key in keys} for row in rows],
            "requirement": document.get("requirement"),
            "total": document["total"],
            "truncated": document["truncated"],
        }


def _configured(soak: SoakConfig | None) -> list[Document]:
    """Return the probes of the configuration."""
    probes = soak.probes if soak else ()
    return [{"name": probe.name, "kind": probe.kind.value, "target": probe.target} for probe in probes]
