"""Freezes, approves, rejects, reloads and withdraws: everything that a person can change."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from monitor.config import Config
from monitor.engine.core import Engine
from monitor.engine.feed import EngineFeed, find_plan
from monitor.engine.tenancy import refuse_occupied
from monitor.errors import Refused, Stale
from monitor.ports import Document
from programmer.approval import PlanState, check_state
from programmer.errors import PlanRefused, PlanStale
from programmer.plan import Plan, RuleOperation, operation_document, operation_of, short_digest
from programmer.route import Family, Prefix, Rule, TableId, key_of, prefix_of

T = TypeVar("T")

MANY = 2000
"""Operations that are written or read in a few milliseconds; more of them are in a thread."""

OPERATION_OCTETS = 80
"""About what one stored operation takes."""


@dataclass(slots=True)
class EngineControl:
    """The write half of the API.  ``load`` reads the configuration file again, or raises ConfigError."""

    engine: Engine
    feed: EngineFeed
    load: Callable[[], Config]
    _freezing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def freeze(self, actor: str) -> Document:
        """Make an immutable copy of the live plan, and store it; others have their turn meanwhile."""
        async with self._freezing:
            return await self._freeze(actor)

    async def _freeze(self, actor: str) -> Document:
        engine = self.engine
        operations = tuple(await self.feed.pending_operations())
        rules = tuple(engine.reconciler.pending_rules())
        if not operations and not rules:
            raise Refused("nothing is pending, so there is nothing to freeze")
        now = float(int(time.time()))
        number = engine.journal.last_plan_number() + 1
        expires = now + engine.config.approval.expires
        plan = Plan(number, engine.config.node, engine.config.digest, now, expires, operations, rules)
        shown = self.feed.operation_rows(rules, operations)
        counted = Counter(operation.action.name.lower() for operation in operations)
        summary = {name: counted[name] for name in ("add", "change", "remove")}
        summary["add"] += sum(rule.add for rule in rules)
        summary["remove"] += sum(not rule.add for rule in rules)
        tables = Counter([operation.table for operation in operations] + [rule.rule.table for rule in rules])
        held = {engine.domain_of_table(table): count for table, count in tables.items()}
        head: Document = {"summary": summary, "shown": shown, "total": tables.total(), "by_domain": held}
        digest, body = await _aside(stored_plan, plan, head, large=len(operations) > MANY)
        engine.journal.put_plan(digest, number, "frozen", (now, expires), actor, body)
        engine.journal.note("freeze", f"plan {number} {short_digest(digest)}", at=now, actor=actor)
        return await self.feed.plan(digest) | {"operations": len(operations) + len(rules), "truncated": False}

    async def approve(self, digest: str, actor: str) -> Document:
        """Apply the part of a frozen plan that still holds."""
        engine = self.engine
        if engine.config.mode.value == "dry-run":
            raise Refused("the mode is dry-run: nothing is ever written; set `mode: approve` or `mode: auto`")
        if engine.reconciler.stopped:
            raise Refused("withdraw-all was carried out: start bgpmon again to write routes")
        number, state, full, times, body, _ = find_plan(engine, digest)
        try:
            check_state(PlanState(state), times[1], time.time())
            plan, found = await _aside(read_plan, body, large=len(body) > MANY * OPERATION_OCTETS)
            if found != full or plan.node != engine.config.node:
                raise PlanRefused("the stored plan does not match its digest, or is another node's")
            if plan.policy != engine.config.digest:
                raise PlanStale("the configuration changed since the plan was frozen; freeze a new one")
            drift = engine.config.approval.max_drift
            engine.journal.note("approve", f"plan {number} {short_digest(full)}", at=time.time(), actor=actor)
            engine.journal.set_plan_state(full, "applying", "")
            try:
                applied = await engine.reconciler.apply_plan(plan, actor, drift.operations, drift.percent)
            except PlanStale:
                engine.journal.set_plan_state(full, "expired", "too much drift")
                raise
        except PlanStale as error:
            raise Stale(str(error)) from error
        except PlanRefused as error:
            raise Refused(str(error)) from error
        outcome = "failed" if applied.failed and not applied.done else "applied"
        detail = f"{applied.done} done, {applied.failed} failed, {applied.stale} stale"
        engine.journal.set_plan_state(full, outcome, detail)
        return {
            "digest": full,
            "short": short_digest(full),
            "number": number,
            "state": outcome,
            "applied": applied.done,
            "failed": applied.failed,
            "stale": applied.stale,
        }

    async def reject(self, digest: str, reason: str, actor: str) -> Document:
        """Refuse a frozen plan for good."""
        if not reason.strip():
            raise Refused("a rejection needs a reason")
        number, state, full, times, _, _ = find_plan(self.engine, digest)
        try:
            check_state(PlanState(state), times[1], time.time())
        except PlanStale as error:
            raise Stale(str(error)) from error
        except PlanRefused as error:
            raise Refused(str(error)) from error
        self.engine.journal.set_plan_state(full, "rejected", reason)
        self.engine.journal.note("reject", f"plan {number}: {reason}", at=time.time(), actor=actor)
        return {"digest": full, "short": short_digest(full), "number": number, "state": "rejected"}

    async def reload(self, actor: str) -> Document:
        """Apply the file as a whole, or leave the old configuration in force."""
        config = self.load()
        old = self.engine.config
        fixed = [name for name in ("netns", "state_dir", "run_dir", "protocol", "sources", "api", "reconcile", "node")
                 if getattr(old, name) != getattr(config, name)]  # fmt: skip
        if fixed:
            raise Refused(f"a restart is needed to change {', '.join(fixed)}; the old configuration stays in force")
        await refuse_occupied(config, self.engine.reconciler.fib, self.engine.journal)
        self.engine.configure(config)
        self.engine.journal.note("reload", config.path, at=time.time(), actor=actor)
        return {"state": "reloaded", "warnings": list(config.warnings)}

    async def withdraw_all(self, actor: str) -> Document:
        """Remove every route and rule of ours."""
        if self.engine.config.mode.value == "dry-run":
            raise Refused("the mode is dry-run: nothing is ever written, removals included")
        self.engine.journal.note("withdraw-all", "asked for", at=time.time(), actor=actor)
        applied = await self.engine.reconciler.withdraw_all(actor)
        return {"state": "withdrawn", "removed": applied.done, "failed": applied.failed}


async def _aside(work: Callable[..., T], *arguments: object, large: bool) -> T:
    """Do pure work, in a thread where it is *large*."""
    return await asyncio.to_thread(work, *arguments) if large else work(*arguments)


def stored_plan(plan: Plan, head: Document) -> tuple[str, str]:
    """Return a plan's digest and its stored form: a line with what is shown of it, one with the plan, one per operation.

    Takes seconds for a million operations; each line is encoded on its own, so that the loop goes on beside the thread.
    """
    document = plan_document(plan)
    operations = document.pop("operations")
    assert isinstance(operations, list)
    return plan.digest, "\n".join([json.dumps(head), json.dumps(document), *map(json.dumps, operations)])


def read_plan(body: str) -> tuple[Plan, str]:
    """Return the plan that ``stored_plan`` stored, and the digest of what is there now."""
    _, document, *operations = body.split("\n")
    plan = plan_of(json.loads(document) | {"operations": [json.loads(line) for line in operations]})
    return plan, plan.digest


def plan_document(plan: Plan) -> dict[str, object]:
    """Return a plan as JSON values; the inverse is ``plan_of``."""
    return {
        "number": plan.number,
        "node": plan.node,
        "policy": plan.policy,
        "created_at": plan.created_at,
        "expires_at": plan.expires_at,
        "operations": [operation_document(operation) for operation in plan.operations],
        "rules": [
            [rule.family.label, rule.priority, rule.table, _network(rule.source), _network(rule.destination), rule.mark,
             rule.mask, rule.interface, add]
            for rule, add in plan.rule_operations
        ],
    }  # fmt: skip


def plan_of(document: dict[str, object]) -> Plan:
    """Return the plan that ``plan_document`` wrote."""
    operations, rules = document["operations"], document["rules"]
    assert isinstance(operations, list)
    assert isinstance(rules, list)
    found = []
    for label, priority, table, source, destination, mark, mask, interface, add in rules:
        family = Family.of_label(label)
        networks = [prefix_of(family, bytes.fromhex(text)) if text else None for text in (source, destination)]
        rule = Rule(family, priority, TableId(table), networks[0], networks[1], mark, mask, interface)
        found.append(RuleOperation(rule, add))
    return Plan(
        int(str(document["number"])),
        str(document["node"]),
        str(document["policy"]),
        float(str(document["created_at"])),
        float(str(document["expires_at"])),
        tuple(operation_of(item) for item in operations),
        tuple(found),
    )


def _network(prefix: Prefix | None) -> str:
    return "" if prefix is None else key_of(prefix).hex()
