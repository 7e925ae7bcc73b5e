"""The node, its peers and its domains as documents: every number is kept up to date, none is counted when asked."""

from collections import Counter
from typing import Any

import monitor
from monitor.config import Mode
from monitor.engine.condition import leads, state_of, table_warnings, waits
from monitor.engine.core import Engine
from monitor.engine.domain import DomainTable
from monitor.engine.limit import guard_document
from monitor.engine.peer import PeerTable, refusal
from monitor.engine.slices import Turns
from monitor.engine.text import moment
from monitor.ports import Document
from monitor.rib.reason import Reason, Stage
from programmer.reconciler import TableState
from programmer.route import Family

Counts = dict[str, Any]
"""The numbers of one family of one domain, by the names that ``bgpmon domains -o json`` shows."""

ACTIONS = ("add", "change", "remove")

WAITING = {Mode.DRY_RUN: Reason.DRY_RUN, Mode.APPROVE: Reason.WAITS_FOR_APPROVAL, Mode.AUTO: Reason.PENDING}
"""Why a wanted route is not written yet, by the mode."""


async def status(engine: Engine, kernel: str) -> Document:
    """Return ``{node, mode, ready, domains, peers, plan, sources, rates, warnings, …}``."""
    tables = list(engine.peers.values())
    engine.rates.sample()
    up = sum(table.peer.established for table in tables)
    return {
        "node": engine.config.node,
        "mode": engine.config.mode.value,
        # An undecided change of an earlier life is taken back first; in mode dry-run it stays as it is.
        "ready": engine.ready and (not engine.reconciler.recovering or engine.config.mode is Mode.DRY_RUN),
        "version": monitor.__version__,
        "since": moment(engine.started_at),
        "kernel": kernel,
        "sources": [
            {
                "name": name,
                "kind": state.source.kind,
                "target": state.target,
                "state": "connected" if state.alive else "unknown",
                "detail": state.speaker if state.alive else state.cause,
            }
            for name, state in engine.sources.items()
        ],
        "domains": [await _domain(engine, domain) for domain in engine.domains.values()],
        "peers": {"up": up, "down": len(tables) - up, "total": len(tables)},
        "plan": plan_head(engine),
        "rates": engine.rates.document,
        "warnings": warnings(engine),
    }


def warnings(engine: Engine) -> list[str]:
    """Return what an operator should look at now, one sentence each."""
    return engine.warnings() + table_warnings(engine)


def plan_head(engine: Engine) -> Document:
    """Return ``{number, digest, state, summary}`` of the live plan."""
    totals: Counter[str] = Counter()
    for state in engine.reconciler.tables.values():
        totals.update(pending(state))
    rules = engine.reconciler.pending_rules()
    totals["add"] += sum(rule.add for rule in rules)
    totals["remove"] += sum(not rule.add for rule in rules)
    summary = {name: totals[name] for name in ACTIONS}
    number = engine.journal.last_plan_number() + 1
    return {"number": number, "digest": "", "state": "live", "summary": summary}


def pending(state: TableState) -> dict[str, int]:
    """Return how many operations of each kind could be written now; conflicts, which are few, are counted out."""
    difference, conflicts = state.difference, state.conflicts
    return {
        "add": len(difference.add) - sum(key in difference.add for key in conflicts),
        "change": len(difference.change) - sum(key in difference.change for key in conflicts),
        "remove": len(difference.remove) if state.removals_allowed else 0,
    }


async def _domain(engine: Engine, domain: DomainTable) -> dict[str, Any]:
    families = {family.label: await _family(engine, domain, family) for family in domain.config.families}
    return {
        "name": domain.name,
        "table": domain.config.table,
        "metric": domain.config.metric,
        "source": domain.config.source,
        "interfaces": list(domain.config.interfaces),
        "state": state_of(engine, domain),
        "waits": waits(engine, domain),
        "effective": leads(engine, domain.config.table),
        "families": families,
    }


async def _family(engine: Engine, domain: DomainTable, family: Family) -> Counts:
    state = engine.reconciler.tables.get((domain.config.table, family))
    received = 0
    for table in domain.peers.values():
        if not table.peer.counted:
            received += table.told(family)
            continue
        said = table.peer.families.get(family)
        # GoBGP 4.x counts nothing of a peer that restarts, although it keeps the paths.
        received += max(said.received if said else 0, len(table.paths[family]) if table.peer.restarting else 0)
    counts: Counts = {"received": received, **domain.counts(family)}
    lost = sum(count for reason, count in domain.reasons[family].items() if reason.stage is Stage.ELIGIBLE)
    counts["shared"] = counts["eligible"] - counts["best"] - lost
    if state is None:
        return counts
    sharing = [item for item in engine.domains.values() if item.config.table == domain.config.table]
    if domain is sharing[0] and len(sharing) == 1:
        counts |= {
            "installed": state.installed,
            "verified": len(state.image.routes),
            "pending": pending(state),
            "failed": len(state.failures),
            "conflicts": len(state.conflicts),
        }
    else:
        counts |= await _share(engine, domain, state, first=domain is sharing[0])
    waiting = not state.removals_allowed or state.guard.held_since is not None
    alone = domain is sharing[0]
    return counts | {
        "held": len(state.difference.remove) if waiting and alone else 0,
        "foreign": len(state.image.foreign) if alone else 0,
        "drift": len(state.drift) if alone else 0,
        "drift_total": state.drift_total if alone else 0,
    }


async def _share(engine: Engine, domain: DomainTable, state: TableState, *, first: bool) -> Counts:
    """Return one domain's part of a table that several share, counted in slices.

    The first one also has what none of them wants.
    """
    turns, family = Turns(), state.spec.family
    counted: Counter[str] = Counter()
    for step, key in enumerate(list(domain.desired[family])):
        if not step & 63:
            await turns.pause()
        if engine.describe(state.spec.table, family, key) != domain.name:
            counted["overlaps"] += 1
            continue
        counted["installed"] += state.current(key) is not None
        counted["verified"] += key in state.image.routes
        counted["failed"] += key in state.failures
        if key in state.conflicts:
            counted["conflicts"] += 1
        else:
            counted["add"] += key in state.difference.add
            counted["change"] += key in state.difference.change
    if first:
        unwanted = len(state.difference.remove)
        counted.update(installed=unwanted, verified=unwanted, remove=unwanted if state.removals_allowed else 0)
    document: Counts = {name: counted[name] for name in ("installed", "verified", "failed", "conflicts", "overlaps")}
    return document | {"pending": {name: counted[name] for name in ACTIONS}}


def peer_document(engine: Engine, table: PeerTable) -> Document:
    """Return one peer: its session, and its counts for each family."""
    peer = table.peer
    known = engine.domains.get(table.domain)
    families: dict[str, Document] = {}
    for family, counts in peer.families.items():
        families[family.label] = {
            "received": counts.received if peer.counted else table.told(family),
            "accepted": counts.accepted if peer.counted else len(table.paths[family]),
            "advertised": counts.advertised,
            "held": len(table.paths[family]),
            "best": known.peer_best[peer.id, family] if known else 0,
            "end_of_rib": counts.end_of_rib,
            "limit": counts.limit,
            "complete": table.proof.get(family, ""),
        }
        if (guard := engine.limits.guards.get((peer.id, family))) is not None:
            families[family.label]["peer_limit"] = guard_document(guard)
    return {
        "address": peer.id.address,
        "source": peer.id.source,
        "source_kind": engine.sources[peer.id.source].source.kind,
        "asn": peer.asn,
        "domain": table.domain or "unassigned",
        "state": peer.state.value,
        "admin_state": peer.admin_state.value,
        "since": moment(peer.since.timestamp()) if peer.since else None,
        "families": families,
        "last_down_reason": engine.down_reason(peer),
        "authenticated": peer.authenticated,
        "description": peer.description,
        "restarting": peer.restarting,
        "expired": table.expired,
        "updates": table.announced,
        "withdrawals": table.withdrawn,
    }


async def domains(engine: Engine) -> Document:
    """Return ``{items}``: each domain with its funnel, the reasons of what is stopped, its rules and its guards."""
    items: list[Document] = []
    for domain in engine.domains.values():
        shown = await _domain(engine, domain)
        families: dict[str, Counts] = shown["families"]
        totals: Counter[str] = Counter()
        for family in domain.config.families:
            counts = families[family.label]
            counts["reasons"] = _reasons(engine, domain, family, counts)
            totals.update(counts["reasons"])
        items.append(
            shown | {"reasons": dict(totals.most_common()), "rules": _rules(engine, domain), "guards": _guards(domain)}
        )
    return {"items": items}


def _reasons(engine: Engine, domain: DomainTable, family: Family, counts: Counts) -> dict[str, int]:
    """Return how many paths or wanted routes each reason stops, the most frequent first."""
    counted: Counter[str] = Counter({reason.label: count for reason, count in domain.reasons[family].items()})
    waiting = counts["pending"]["add"] - counts["failed"] if "pending" in counts else 0
    for table in domain.peers.values():
        counted[refusal(table.peer).label] += sum(of is family for of, _ in table.rejected)
    for reason, count in (
        (Reason.LIMIT, len(domain.limited[family])),
        (Reason.DOMAIN_CONFLICT, counts.get("overlaps", 0)),
        (Reason.FOREIGN_CONFLICT, counts.get("conflicts", 0)),
        (Reason.KERNEL_REFUSED, counts.get("failed", 0)),
        (Reason.PAUSED if engine.reconciler.paused else WAITING[engine.config.mode], waiting),
    ):
        counted[reason.label] += count
    return {label: count for label, count in counted.most_common() if count > 0}


def _rules(engine: Engine, domain: DomainTable) -> list[Document]:
    installed = engine.reconciler.installed_rules
    return [
        {"text": rule.text, "state": "installed" if rule in installed else "pending"} for rule in domain.config.rules
    ]


def _guards(domain: DomainTable) -> list[str]:
    config = domain.config
    budget = config.removal_budget
    found = [
        f"removals: at most {budget.percent:g} % or {budget.routes:,} routes at once, else held for {budget.hold:g} s",
        f"stale or unknown paths: kept for at most {config.stale_after:g} s",
        f"default routes: {config.default_route.value}",
    ]
    for family in config.families:
        if (limit := config.limit.of(family)) is not None:
            found.append(
                f"{family.label} routes: at most {limit.routes:,}, then {limit.action.value}; "
                f"warning at {limit.warn_percent:g} %"
            )
        if (most := config.peer_limit.of(family)) is not None:
            found.append(
                f"{family.label} paths of one peer: at most {most.paths:,}, then {most.action.value}; "
                f"warning at {most.warn_percent:g} %"
            )
    if config.require_auth:
        found.append("sessions: authenticated ones only")
    return found
