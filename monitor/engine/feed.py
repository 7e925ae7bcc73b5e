"""Answers everything that may be read, from what the engine knows; nothing here changes anything."""

import ipaddress
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import monitor
from monitor.engine.core import Engine
from monitor.engine.domain import DomainTable
from monitor.engine.explain import explain
from monitor.engine.peer import PeerTable
from monitor.engine.text import forwarding_text, hop_document, interface_name, moment, operation_document
from monitor.errors import BadRequest, Stale
from monitor.filter import Query, parse
from monitor.ports import Document
from monitor.rib.attribute import PathAttributes, Rpki
from monitor.rib.path import Path
from programmer.fib import Links
from programmer.plan import Operation, short_digest
from programmer.reconciler import TableState
from programmer.route import Address, Family, Forwarding, PrefixKey, covering_key, host_key, key_of, sort_key, text_of

MOST_OPERATIONS = 5000
"""Operations in one plan document; the summary counts all."""


class Row(NamedTuple):
    """One route as the filter language sees it; see ``monitor.filter.row``."""

    family: Family
    key: PrefixKey
    domain: str
    table: int
    metric: int
    state: str
    op: str
    reason: str
    peer: str
    asn: int
    attributes: PathAttributes | None
    received_at: float | None
    forwarding: Forwarding
    names: tuple[str, ...]
    protocol: int
    class_: str = ""
    risk: str = ""
    rule: str = ""
    best: bool = True
    rpki: Rpki = Rpki.NONE
    description: str = ""

    @property
    def next_hops(self) -> tuple[Address, ...]:
        """Gateways."""
        return tuple(hop.address for hop in self.forwarding.next_hops if hop.address is not None)

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Names of the links."""
        return self.names

    @property
    def ecmp(self) -> int:
        """Number of next hops."""
        return len(self.forwarding.next_hops)


@dataclass(slots=True)
class EngineFeed:
    """The read half of the API."""

    engine: Engine
    description: str

    # Overview

    async def status(self) -> Document:
        """``{node, mode, ready, domains, peers, plan, …}``."""
        engine = self.engine
        tables = list(engine.peers.values())
        up = sum(table.peer.established for table in tables)
        return {
            "node": engine.config.node,
            "mode": engine.config.mode.value,
            "ready": engine.ready,
            "version": monitor.__version__,
            "since": moment(engine.started_at),
            "kernel": self.description,
            "sources": [
                {
                    "name": name,
                    "kind": "gobgp",
                    "target": state.target,
                    "state": "connected" if state.alive else "unknown",
                    "detail": state.speaker if state.alive else state.cause,
                }
                for name, state in engine.sources.items()
            ],
            "domains": [self._domain(domain) for domain in engine.domains.values()],
            "peers": {"up": up, "down": len(tables) - up, "total": len(tables)},
            "plan": self._head(),
            "warnings": engine.warnings(),
        }

    def _head(self) -> Document:
        totals: Counter[str] = Counter()
        for state in self.engine.reconciler.tables.values():
            totals.update(self._pending(state))
        rules = self.engine.reconciler.pending_rules()
        totals["add"] += sum(rule.add for rule in rules)
        totals["remove"] += sum(not rule.add for rule in rules)
        summary = {name: totals[name] for name in ("add", "change", "remove")}
        number = self.engine.journal.last_plan_number() + 1
        return {"number": number, "digest": "", "state": "live", "summary": summary}

    def _pending(self, state: TableState) -> dict[str, int]:
        removable = len(state.difference.remove) if state.removals_allowed else 0
        return {
            "add": len(state.difference.add - state.conflicts),
            "change": len(state.difference.change - state.conflicts),
            "remove": removable,
        }

    def _state(self, domain: DomainTable) -> str:
        source = self.engine.sources[domain.config.source]
        if not source.alive:
            return "stale" if source.speaker else "filling"
        if not all(domain.complete.values()):
            return "stale" if any(table.count for table in domain.peers.values()) else "filling"
        return "complete" if any(table.peer.established for table in domain.peers.values()) else "down"

    def _domain(self, domain: DomainTable) -> Document:
        families: dict[str, Document] = {}
        for family in domain.config.families:
            families[family.label] = self._family(domain, family)
        return {
            "name": domain.name,
            "table": domain.config.table,
            "metric": domain.config.metric,
            "source": domain.config.source,
            "interfaces": list(domain.config.interfaces),
            "state": self._state(domain),
            "families": families,
        }

    def _family(self, domain: DomainTable, family: Family) -> Document:
        reconciler = self.engine.reconciler
        state = reconciler.tables.get((domain.config.table, family))
        received = sum(
            table.peer.families[family].received for table in domain.peers.values() if family in table.peer.families
        )
        counts: Document = {"received": received, **domain.counts(family)}
        if state is None:
            return counts
        return counts | {
            "installed": len(state.image.routes),
            "pending": self._pending(state),
            "held": 0 if state.removals_allowed and state.guard.held_since is None else len(state.difference.remove),
            "failed": len(state.failures),
            "foreign": len(state.image.foreign),
            "conflicts": len(state.conflicts),
            "drift": len(state.drift),
            "drift_total": state.drift_total,
        }

    async def peers(self, address: str = "") -> Document:
        """``{items}``."""
        if address:
            _address(address)
        found = [table for table in self.engine.peers.values() if not address or table.peer.id.address == address]
        if address and not found:
            raise BadRequest(f"no peer {address}; `bgpmon peers` lists them")
        return {"items": [self._peer(table) for table in sorted(found, key=lambda item: item.peer.id)]}

    def _peer(self, table: PeerTable) -> Document:
        peer = table.peer
        domain = self.engine.domain_config_cached(table)
        known = self.engine.domains[domain] if domain else None
        families: dict[str, Document] = {}
        for family, counts in peer.families.items():
            families[family.label] = {
                "received": counts.received,
                "accepted": counts.accepted,
                "advertised": counts.advertised,
                "held": len(table.paths[family]),
                "best": known.peer_best[peer.id, family] if known else 0,
                "end_of_rib": counts.end_of_rib,
                "limit": counts.limit,
                "complete": table.proof.get(family, ""),
            }
        return {
            "address": peer.id.address,
            "source": peer.id.source,
            "asn": peer.asn,
            "domain": domain or "unassigned",
            "state": peer.state.value,
            "admin_state": peer.admin_state.value,
            "since": moment(peer.since.timestamp()) if peer.since else None,
            "families": families,
            "last_down_reason": peer.last_down_reason,
            "authenticated": peer.authenticated,
            "description": peer.description,
            "restarting": peer.restarting,
        }

    async def domains(self) -> Document:
        """``{items}`` with reasons, rules and guards."""
        items: list[Document] = []
        reconciler = self.engine.reconciler
        for domain in self.engine.domains.values():
            reasons: Counter[str] = Counter()
            for counted in domain.reasons.values():
                reasons.update({reason.label: count for reason, count in counted.items() if count})
            rules = [
                {"text": rule.text, "state": "installed" if rule in reconciler.installed_rules else "pending"}
                for rule in domain.config.rules
            ]
            items.append(self._domain(domain) | {"reasons": dict(reasons), "rules": rules})
        return {"items": items}

    # Routes

    async def routes(self, filter_text: str = "", domain: str = "", limit: int = 1000) -> Document:
        """``{items, total, truncated}``."""
        if domain and domain not in self.engine.domains:
            raise BadRequest(f"no domain {domain!r}; there are {', '.join(self.engine.domains)}")
        query = parse(filter_text)
        now = time.time()
        found: list[Row] = [row for row in self._rows(query, domain) if query.matches(row, now)]
        found.sort(key=lambda row: (row.table, row.family, sort_key(row.key)))
        shown = found[:limit] if limit else found
        return {
            "items": [self._route(row, now) for row in shown],
            "total": len(found),
            "truncated": len(shown) < len(found),
        }

    def _rows(self, query: Query, domain: str) -> Iterator[Row]:
        bounds = query.prefix_bounds()
        for (table, family), state in self.engine.reconciler.tables.items():
            if bounds is not None and bounds.relation.name == "EXACT":
                wanted = {
                    key_of(prefix)
                    for prefix in bounds.prefixes
                    if prefix.version == (4 if family is Family.IPV4 else 6)
                }
                keys = [key for key in wanted if key in state.desired or key in state.image.routes]
            else:
                keys = list(state.desired.keys() | state.image.routes.keys())
            for key in keys:
                name = self.engine.describe(table, family, key)
                if not domain or name == domain:
                    yield self._row(state, name, key)
            if not domain or domain == self.engine.domain_of_table(table):
                for (key, metric), foreign in state.image.foreign.items():
                    yield self._foreign(state, key, metric, foreign.protocol, foreign.forwarding)

    def _names(self, value: Forwarding) -> tuple[str, ...]:
        links = self.engine.reconciler.links
        return tuple(interface_name(links, hop.ifindex) for hop in value.next_hops)

    def _foreign(self, state: TableState, key: PrefixKey, metric: int, protocol: int, value: Forwarding) -> Row:
        table, family = state.spec.table, state.spec.family
        domain = self.engine.domain_of_table(table)
        return Row(
            family,
            key,
            domain,
            table,
            metric,
            "foreign",
            "",
            "",
            "",
            0,
            None,
            None,
            value,
            self._names(value),
            protocol,
        )

    def _row(self, state: TableState, domain: str, key: PrefixKey) -> Row:
        family, table = state.spec.family, state.spec.table
        status, reason, op = route_state(self.engine, state, key)
        value = state.desired.get(key) or state.current(key)
        assert value is not None
        path = best_path(self.engine.domains[domain], family, key) if domain else None
        peer = self.engine.peers.get(path.peer) if path else None
        return Row(
            family, key, domain, table, value.metric, status, op, reason,
            path.peer.address if path else "",
            peer.peer.asn if peer else 0,
            path.attributes if path else None,
            float(path.received_at) if path else None,
            value, self._names(value), self.engine.config.protocol,
        )  # fmt: skip

    def _route(self, row: Row, now: float) -> Document:
        links = self.engine.reconciler.links
        return {
            "domain": row.domain,
            "table": row.table,
            "prefix": text_of(row.family, row.key),
            "next_hops": [hop_document(links, hop) for hop in row.forwarding.next_hops],
            "metric": row.metric,
            "state": row.state,
            "peer": row.peer or None,
            "as_path": row.attributes.as_path_text if row.attributes else None,
            "reason": row.reason,
            "age_seconds": max(0, int(now - row.received_at)) if row.received_at is not None else None,
            "protocol": row.protocol,
        }

    async def explain(self, prefix: str, domain: str = "") -> Document:
        """Why a route is there, or why not."""
        return explain(self.engine, prefix, domain)

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
            "bgp": {"text": "; ".join(wants) or "no domain wants a route for it"},
            "kernel": said,
            "plan": {"text": "; ".join(plans) or "no change pending"},
            "verdict": verdict,
        }

    # Plans and history

    async def plan(self, digest: str = "") -> Document:
        """The live plan, or the frozen one of *digest*."""
        if digest:
            return self._frozen(digest)
        reconciler = self.engine.reconciler
        operations = reconciler.live_operations()
        rows: list[Document] = [
            {"op": "+" if add else "-", "domain": self.engine.domain_of_table(rule.table), "table": rule.table, "prefix": None,
             "before": None if add else f"rule {rule.text}", "after": f"rule {rule.text}" if add else None, "class": "rule",
             "risk": "med", "decision": "auto" if reconciler.gate.value == "auto" else "approve: 1", "reason": "configuration"}
            for rule, add in reconciler.pending_rules()
        ]  # fmt: skip
        total = len(operations) + len(rows)
        rows += [self._operation(operation) for operation in operations[:MOST_OPERATIONS]]
        return self._head() | {"operations": rows, "total": total, "truncated": len(rows) < total}

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
        document = json.loads(body)
        total = len(document["plan"]["operations"]) + len(document["plan"]["rules"])
        return {
            "number": number,
            "digest": full,
            "short": short_digest(full),
            "state": "expired" if state == "frozen" and time.time() >= times[1] else state,
            "created_at": moment(times[0]),
            "expires_at": moment(times[1]),
            "detail": detail,
            "summary": document["summary"],
            "operations": document["shown"],
            "total": total,
            "truncated": len(document["shown"]) < total,
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

    async def doctor(self) -> Document:
        """``{items: [{check, ok, detail, fix}]}``."""
        engine, reconciler = self.engine, self.engine.reconciler
        writable = await reconciler.fib.writable()
        needs = engine.config.mode.value != "dry-run"
        items = [
            _check("kernel", reconciler.ready, self.description, "look at the daemon's log for netlink errors"),
            _check("permission", writable or not needs, "may write routes" if writable else "may only read",
                   "give the daemon CAP_NET_ADMIN in the target namespace"),
        ]  # fmt: skip
        items += [
            _check(f"source {name}", state.alive, f"{state.target}: {state.speaker if state.alive else state.cause}",
                   "is gobgpd running, and is the target right?")
            for name, state in engine.sources.items()
        ]  # fmt: skip
        everything = reconciler.installed_rules | reconciler.foreign_rules
        for domain in engine.domains.values():
            table = domain.config.table
            led = any(rule.table == table for rule in everything)
            items.append(
                _check(
                    f"rule into table {table}",
                    led,
                    f"domain {domain.name}",
                    "without an `ip rule` its routes have no effect",
                )
            )
            there = {link.name for link in reconciler.links.links.values()}
            missing = [name for name in domain.config.interfaces if name not in there]
            items.append(
                _check(
                    f"interfaces of {domain.name}", not missing, ", ".join(missing) or "all there", "check `interfaces`"
                )
            )
        items += [_check("warning", ok=False, detail=words, fix="see `bgpmon status`") for words in engine.warnings()]
        return {"items": items}


def best_path(domain: DomainTable, family: Family, key: PrefixKey) -> Path | None:
    """Return the best path of a prefix as the domain would choose it now."""
    candidates = domain.candidates(family, key)
    if not candidates or not domain.choosing:
        return None
    best = domain.select(family, key, candidates).best
    return candidates[best].candidate.path if best >= 0 else None


def route_state(engine: Engine, state: TableState, key: PrefixKey) -> tuple[str, str, str]:
    """Return a route's state, the label of its reason, and the glyph of its pending operation."""
    operation = state.operation(key)
    if key in state.conflicts:
        return "conflict", "foreign-conflict", ""
    if key not in state.difference:
        return "installed", "installed", ""
    if key in state.failures:
        return "failed", "kernel-refused", operation.action.value
    if operation.after is None and (not state.removals_allowed or state.guard.held_since is not None):
        return "held", "pending", operation.action.value
    mode = engine.config.mode.value
    reason = {"dry-run": "dry-run", "approve": "waits-for-approval"}.get(mode, "pending")
    return {"+": "add", "~": "change", "-": "remove"}[operation.action.value], reason, operation.action.value


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


def _check(check: str, ok: object, detail: str, fix: str) -> Document:
    return {"check": check, "ok": bool(ok), "detail": detail, "fix": "" if ok else fix}
