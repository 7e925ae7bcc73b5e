"""Why a route is there, or why not: one sentence, then every path with what became of it."""

import ipaddress
import time

from monitor.engine.core import Engine
from monitor.engine.domain import DomainTable
from monitor.engine.text import forwarding_text, moment
from monitor.errors import BadRequest
from monitor.ports import Document
from monitor.rib.attribute import community_text
from monitor.rib.domain import DomainCandidate, Selection, Verdict
from monitor.rib.path import Path
from monitor.rib.reason import Reason
from programmer.reconciler import TableState
from programmer.route import Family, NextHop, PrefixKey, family_of, key_of


def explain(engine: Engine, prefix: str, domain: str) -> Document:
    """Return the explanation of *prefix* in one domain; without a name, in the first domain that knows it."""
    try:
        network = ipaddress.ip_network(prefix)
    except ValueError as error:
        raise BadRequest(f"{prefix!r} is not a prefix: {error}") from None
    if domain and domain not in engine.domains:
        raise BadRequest(f"no domain {domain!r}; there are {', '.join(engine.domains)}")
    family, key = family_of(network), key_of(network)
    named = [engine.domains[domain]] if domain else list(engine.domains.values())
    knowing = [item for item in named if _knows(engine, item, family, key)]
    if not knowing:
        where = f"domain {domain}" if domain else "any domain"
        unassigned = _unassigned(engine, family, key)
        verdict = f"{network} is not a route: "
        verdict += (
            Reason.UNASSIGNED.text
            if unassigned
            else f"no peer of {where} announces it, and the kernel has none of ours"
        )
        return {"prefix": str(network), "domain": domain or None, "verdict": verdict, "sentence": verdict, "desired": None,
                "installed": None, "paths": [_path(path, Reason.UNASSIGNED) for path in unassigned], "policy_rule": None,
                "history": [], "matches": [], "reason": "unassigned" if unassigned else None}  # fmt: skip
    found = _explain(engine, knowing[0], str(network), family, key)
    return found | {"matches": [item.name for item in knowing[1:]]}


def _knows(engine: Engine, domain: DomainTable, family: Family, key: PrefixKey) -> bool:
    state = engine.reconciler.tables.get((domain.config.table, family))
    held = any(key in table.paths[family] or (family, key) in table.rejected for table in domain.peers.values())
    first = engine.domain_of_table(domain.config.table) == domain.name
    return held or (first and state is not None and state.current(key) is not None)


def _unassigned(engine: Engine, family: Family, key: PrefixKey) -> list[Path]:
    tables = [table for table in engine.peers.values() if engine.domain_config_cached(table) is None]
    return [path for table in tables for path in table.held(family, key)]


def _explain(engine: Engine, domain: DomainTable, prefix: str, family: Family, key: PrefixKey) -> Document:
    links = engine.reconciler.links
    state = engine.reconciler.tables[domain.config.table, family]
    candidates = domain.candidates(family, key)
    selection = domain.select(family, key, candidates) if candidates and domain.choosing else Selection(None, (), -1)
    reason = _reason(engine, domain, state, key, selection)
    rows = _paths(domain, candidates, selection, reason)
    rejected = [table.rejected[family, key] for table in domain.peers.values() if (family, key) in table.rejected]
    rows += [_path(path, Reason.REJECTED_BY_SPEAKER) for path in rejected]
    if reason is None and rejected:
        reason = Reason.REJECTED_BY_SPEAKER
    number = _rule_number(selection)
    rule = next((item.label for item in domain.config.imports if item.number == number), None)
    sentence = _sentence(prefix, domain, state, key, reason)
    failure = state.failures.get(key)
    if failure is not None:
        sentence += f" (the kernel said: {failure.message or f'errno {failure.errno}'})"
    elif rule and reason is Reason.POLICY_DENIED:
        sentence += f": {rule}"
    history = engine.journal.history(prefix, 5)
    return {
        "prefix": prefix,
        "domain": domain.name,
        "table": domain.config.table,
        "verdict": sentence,
        "sentence": sentence,
        "reason": reason.label if reason else None,
        "desired": forwarding_text(links, state.desired.get(key)),
        "installed": forwarding_text(links, state.current(key)),
        "policy_rule": rule,
        "paths": rows,
        "history": [
            {"at": moment(row["at"]), "cause": row["cause"], "actor": row["actor"], "result": row["result"],
             "op": row["operation"].action.value}
            for row in history
        ],
    }  # fmt: skip


def _reason(
    engine: Engine, domain: DomainTable, state: TableState, key: PrefixKey, selection: Selection
) -> Reason | None:
    family = state.spec.family
    if selection.forwarding is None:
        return selection.verdicts[0].reason if selection.verdicts else None
    if key in domain.limited[family]:
        return Reason.LIMIT
    if engine.describe(state.spec.table, family, key) != domain.name:
        return Reason.DOMAIN_CONFLICT
    if key in state.conflicts:
        return Reason.FOREIGN_CONFLICT
    if key in state.failures:
        return Reason.KERNEL_REFUSED
    if key not in state.difference:
        return Reason.INSTALLED
    return {"dry-run": Reason.DRY_RUN, "approve": Reason.WAITS_FOR_APPROVAL}.get(
        engine.config.mode.value, Reason.PENDING
    )


def _sentence(prefix: str, domain: DomainTable, state: TableState, key: PrefixKey, reason: Reason | None) -> str:
    table = domain.config.table
    if reason is Reason.INSTALLED:
        return f"{prefix} is in table {table} for domain {domain.name}: {reason.text}"
    if reason is None:
        if state.current(key) is None:
            return f"{prefix} is not a route of domain {domain.name}: no peer announces it"
        why = "it will be removed" if state.removals_allowed else "it stays until the domain is complete"
        return f"{prefix} is still in table {table}, but no peer of domain {domain.name} announces it; {why}"
    return f"{prefix} is not installed in table {table} for domain {domain.name}: {reason.text}"


def _rule_number(selection: Selection) -> int | None:
    if selection.best >= 0:
        return selection.verdicts[selection.best].rule
    return next((verdict.rule for verdict in selection.verdicts if verdict.rule is not None), None)


def _paths(
    domain: DomainTable, candidates: list[DomainCandidate], selection: Selection, used: Reason | None
) -> list[Document]:
    rows: list[Document] = []
    for index, (candidate, verdict) in enumerate(zip(candidates, selection.verdicts, strict=False)):
        path = candidate.candidate.path
        peer = domain.peers[path.peer].peer
        row = _path(path, verdict.reason or used or Reason.PENDING)
        row |= {"asn": peer.asn, "best": index == selection.best, "rule": verdict.rule, **_step(verdict)}
        rows.append(row)
    rows.sort(key=lambda row: (not row["best"], str(row["reason"]), str(row["peer"])))
    for rank, row in enumerate(rows, 1):
        row["rank"] = rank
    return rows


def _step(verdict: Verdict) -> Document:
    return {
        "step": verdict.step.label if verdict.step else None,
        "step_text": verdict.step.text if verdict.step else None,
    }


def _path(path: Path, reason: Reason) -> Document:
    attributes = path.attributes
    hop = NextHop(attributes.next_hop, 0).address
    return {
        "peer": path.peer.address,
        "path_id": path.path_id,
        "next_hop": str(hop) if hop else None,
        "as_path": attributes.as_path_text,
        "origin": attributes.origin.name.lower(),
        "med": attributes.med,
        "local_pref": attributes.local_pref,
        "communities": [community_text(item) for item in attributes.communities],
        "large_communities": [":".join(map(str, item)) for item in attributes.large_communities],
        "received_seconds": max(0, int(time.time()) - path.received_at),
        "stale": path.stale,
        "best": False,
        "rank": 0,
        "reason": reason.label,
        "reason_text": reason.text,
    }
