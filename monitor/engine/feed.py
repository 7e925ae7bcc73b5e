"""Answers everything that may be read, from what the engine knows; nothing here changes anything."""

import ipaddress
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.engine import doctor, overview
from monitor.engine.core import Engine
from monitor.engine.explain import explain
from monitor.engine.rows import MOST_ROWS, best_path, find
from monitor.engine.slices import Smallest, Turns, ordered
from monitor.engine.surroundings import Surroundings
from monitor.engine.text import forwarding_text, moment, operation_document
from monitor.errors import BadRequest, Stale
from monitor.filter import parse
from monitor.ports import Document
from programmer.fib import Links
from programmer.plan import Operation, RuleOperation, short_digest
from programmer.route import Address, Family, PrefixKey, TableId, covering_key, host_key, text_of

MOST_OPERATIONS = 5000
"""Operations in one plan document; the summary counts all."""


@dataclass(slots=True)
class EngineFeed:
    """The read half of the API.  ``description`` is the kernel's."""

    engine: Engine
    description: str
    around: Surroundings = field(default_factory=Surroundings)

    async def status(self) -> Document:
        """``{node, mode, ready, domains, peers, plan, …}``."""
        return await overview.status(self.engine, self.description)

    async def peers(self, address: str = "") -> Document:
        """``{items}``."""
        if address:
            _address(address)
        found = [table for table in self.engine.peers.values() if not address or table.peer.id.address == address]
        if address and not found:
            raise BadRequest(f"no peer {address}; `bgpmon peers` lists them")
        ordered = sorted(found, key=lambda item: item.peer.id)
        return {"items": [overview.peer_document(self.engine, table) for table in ordered]}

    async def domains(self) -> Document:
        """``{items}`` with the funnel, reasons, rules and guards."""
        return await overview.domains(self.engine)

    async def routes(self, filter_text: str = "", domain: str = "", limit: int = 1000) -> Document:
        """``{items, total, truncated}``, by table, family and prefix; *limit* 0 means as many as one answer holds."""
        if domain and domain not in self.engine.domains:
            raise BadRequest(f"no domain {domain!r}; there are {', '.join(self.engine.domains)}")
        return await find(self.engine, parse(filter_text), domain, min(limit or MOST_ROWS, MOST_ROWS))

    async def explain(self, prefix: str, domain: str = "") -> Document:
        """Why a route is there, or why not."""
        return explain(self.engine, prefix, domain)

    async def doctor(self) -> Document:
        """``{items: [{check, ok, detail, fix}]}``."""
        return await doctor.doctor(self.engine, self.description, self.around)

    async def lookup(self, address: str) -> Document:
        """Where a packet would go: three answers and a verdict."""
        target = _address(address)
        family = Family.IPV4 if target.version == 4 else Family.IPV6
        links = self.engine.reconciler.links
        kernel = await self.engine.reconciler.fib.lookup(target)
        if kernel.error:
            said: Document = {"text": "the kernel knows no way", "errno": kernel.error}
        else:
            via = f"via {kernel.gateway} " if kernel.gateway else ""
            words = f"{kernel.matched or target} {via}dev {kernel.interface} table {kernel.table}"
            said = {"text": words, "table": kernel.table, "interface": kernel.interface, "protocol": kernel.protocol,
                    "gateway": str(kernel.gateway) if kernel.gateway else None}  # fmt: skip
        wants: list[str] = []
        plans: list[str] = []
        host = host_key(target.packed)
        for (table, of), state in self.engine.reconciler.tables.items():
            if of is not family:
                continue
            covers = [covering_key(host, length) for length in range(family.bits, -1, -1)]
            best = next((key for key in covers if key in state.desired), None)
            if best is not None:
                name = self.engine.describe(table, family, best)
                wants.append(f"{name}: {text_of(family, best)} {forwarding_text(links, state.desired[best])}")
            plans += [_operation_text(links, state.operation(key)) for key in covers if key in state.difference]
        ours = kernel.error == 0 and kernel.protocol == self.engine.config.protocol
        verdict = said["text"] if not ours else f"{said['text']}: a route of ours"
        return {
            "address": str(target),
            "bgp": {"text": "; ".join(wants) or "no domain wants a route for it", "items": wants},
            "kernel": said,
            "plan": {"text": "; ".join(plans) or "no change pending", "items": plans},
            "verdict": verdict,
        }

    # Plans and history

    async def plan(self, digest: str = "") -> Document:
        """The live plan, or the frozen one of *digest*."""
        if digest:
            return self._frozen(digest)
        rules = self.engine.reconciler.pending_rules()
        operations, total = await self._first_operations()
        rows = self.operation_rows(rules, operations)
        total += len(rules)
        return overview.plan_head(self.engine) | {"operations": rows, "total": total, "truncated": len(rows) < total}

    async def _first_operations(self) -> tuple[list[Operation], int]:
        """Return the first ``MOST_OPERATIONS`` of the live plan in its order, and how many there are; in slices."""
        turns = Turns()
        first: Smallest[tuple[TableId, Family, PrefixKey]] = Smallest(MOST_OPERATIONS)
        for (table, family), state in list(self.engine.reconciler.tables.items()):
            for step, key in enumerate(state.pending()):
                if not step & 127:
                    await turns.pause()
                first.offer((table, family, key), (table, family, key))
        states = self.engine.reconciler.tables
        pending = [
            states[table, family].operation(key)
            for table, family, key in first.items()
            if (table, family) in states and key in states[table, family].difference
        ]
        return pending, first.count

    async def pending_operations(self) -> list[Operation]:
        """Return every operation of the live plan in its order; collected in slices, each as it is at that moment."""
        turns = Turns()
        found: list[Operation] = []
        for _, state in sorted(self.engine.reconciler.tables.items()):
            for step, key in enumerate(await ordered(state.pending(), turns)):
                if not step & 127:
                    await turns.pause()
                operation = state.operation(key)
                if operation.before != operation.after:
                    found.append(operation)
        return found

    def operation_rows(self, rules: Sequence[RuleOperation], operations: Sequence[Operation]) -> list[Document]:
        """Return the rows of a plan document: rules, then at most ``MOST_OPERATIONS`` operations."""
        automatic = self.engine.reconciler.gate.value == "auto"
        rows: list[Document] = [
            {"op": "+" if add else "-", "domain": self.engine.domain_of_table(rule.table), "table": rule.table, "prefix": None,
             "before": None if add else f"rule {rule.text}", "after": f"rule {rule.text}" if add else None, "class": "rule",
             "risk": "med", "decision": "auto" if automatic else "approve: 1", "reason": "configuration"}
            for rule, add in rules
        ]  # fmt: skip
        return rows + [self._operation(operation) for operation in operations[:MOST_OPERATIONS]]

    def _operation(self, operation: Operation) -> Document:
        reconciler = self.engine.reconciler
        state = reconciler.tables[operation.table, operation.family]
        decision = reconciler.decide(state, operation)
        domain = self.engine.describe(operation.table, operation.family, operation.key)
        failure = state.failures.get(operation.key)
        why = f"kernel said: {failure.message or failure.errno}" if failure else self._why(operation, domain)
        return operation_document(reconciler.links, operation, domain) | {
            "class": decision.category,
            "risk": decision.risk,
            "decision": decision.text,
            "reason": why,
        }

    def _why(self, operation: Operation, domain: str) -> str:
        if operation.after is None:
            return "no path of the domain reaches it any more"
        path = best_path(self.engine.domains[domain], operation.family, operation.key) if domain else None
        return f"peer {path.peer.address}, AS path {path.attributes.as_path_text or 'empty'}" if path else "unknown"

    def _frozen(self, digest: str) -> Document:
        number, state, full, times, body, detail = find_plan(self.engine, digest)
        head = json.loads(body.partition("\n")[0])
        return {
            "number": number,
            "digest": full,
            "short": short_digest(full),
            "state": "expired" if state == "frozen" and time.time() >= times[1] else state,
            "created_at": moment(times[0]),
            "expires_at": moment(times[1]),
            "detail": detail,
            "summary": head["summary"],
            "by_domain": head["by_domain"],
            "operations": head["shown"],
            "total": head["total"],
            "truncated": len(head["shown"]) < head["total"],
        }

    async def history(self, prefix: str = "", limit: int = 100) -> Document:
        """``{items}``, newest first."""
        wanted = str(_prefix(prefix)) if prefix else ""
        links = self.engine.reconciler.links
        items: list[Document] = []
        for row in self.engine.journal.history(wanted, limit or 100):
            operation = row.pop("operation")
            item: Document = row | {"at": moment(row["at"])}
            if operation is not None:
                item |= operation_document(links, operation, self.engine.domain_of_table(operation.table))
            items.append(item)
        return {"items": items}


def find_plan(engine: Engine, digest: str) -> tuple[int, str, str, tuple[float, float], str, str]:
    """Return number, state, full digest, times, body and detail of the one stored plan that *digest* begins."""
    start = digest.replace("-", "").removeprefix("sha256:").lower()
    if len(start) < 12 or any(char not in "0123456789abcdef" for char in start):
        raise BadRequest(
            f"{digest!r} is no digest: give at least its first twelve characters, as `plan freeze` printed them"
        )
    found = engine.journal.plans(start)
    if not found:
        raise Stale(f"no plan {digest}; `bgpmon plan freeze` makes one")
    full, number, state, created, expires, _, detail, body = found[0]
    return number, state, full, (created, expires), body, detail


def _address(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(f"{text!r} is not an IP address") from None


def _prefix(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise BadRequest(f"{text!r} is not a prefix: {error}") from None


def _operation_text(links: Links, operation: Operation) -> str:
    now, then = forwarding_text(links, operation.before), forwarding_text(links, operation.after)
    return f"{operation.action.value} {operation.prefix} {then or now}"
