"""Freezes, approves, rejects, reloads and withdraws: everything that a person can change."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from monitor.config import Config
from monitor.engine.core import Engine
from monitor.engine.feed import EngineFeed, find_plan
from monitor.errors import Refused, Stale
from monitor.ports import Document
from programmer.approval import PlanState, check_state
from programmer.errors import PlanRefused, PlanStale
from programmer.plan import Plan, RuleOperation, operation_document, operation_of, short_digest
from programmer.route import Family, Prefix, Rule, TableId, key_of, prefix_of


@dataclass(slots=True)
class EngineControl:
    """The write half of the API.  ``load`` reads the configuration file again, or raises ConfigError."""

    engine: Engine
    feed: EngineFeed
    load: Callable[[], Config]

    async def freeze(self, actor: str) -> Document:
        """Make an immutable copy of the live plan, and store it."""
        engine = self.engine
        operations = tuple(engine.reconciler.live_operations())
        rules = tuple(engine.reconciler.pending_rules())
        if not operations and not rules:
            raise Refused("nothing is pending, so there is nothing to freeze")
        now = float(int(time.time()))
        number = engine.journal.last_plan_number() + 1
        expires = now + engine.config.approval.expires
        plan = Plan(number, engine.config.node, engine.config.digest, now, expires, operations, rules)
        shown = (await self.feed.plan())["operations"]
        counted = Counter(operation.action.name.lower() for operation in operations)
        summary = {name: counted[name] for name in ("add", "change", "remove")}
        summary["add"] += sum(rule.add for rule in rules)
        summary["remove"] += sum(not rule.add for rule in rules)
        body = {"plan": plan_document(plan), "summary": summary, "shown": shown}
        digest = plan.digest
        engine.journal.put_plan(digest, number, "frozen", (now, expires), actor, json.dumps(body))
        engine.journal.note("freeze", f"plan {number} {short_digest(digest)}", at=now, actor=actor)
        return await self.feed.plan(digest) | {"operations": len(operations) + len(rules)}

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
            plan = plan_of(json.loads(body)["plan"])
            if plan.digest != full or plan.node != engine.config.node:
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
