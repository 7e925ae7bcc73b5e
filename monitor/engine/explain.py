"""Why a route is there, or why not: one sentence, then every path with what became of it."""

import ipaddress
import time

from monitor.engine.core import Engine
from monitor.engine.domain import DomainTable
from monitor.engine.peer import refusal
from monitor.engine.rows import route_state
from monitor.engine.sentence import Finding, sentence
from monitor.engine.text import forwarding_text, moment, operation_document, plural
from monitor.engine.waiting import waiting_reason
from monitor.errors import BadRequest
from monitor.ports import Document
from monitor.rib.attribute import RPKI_WORDS, community_text
from monitor.rib.decision import best_first
from monitor.rib.domain import Selection, Verdict
from monitor.rib.path import Path
from monitor.rib.reason import Reason
from programmer.reconciler import TableState
from programmer.route import Family, NextHop, PrefixKey, covering_key, family_of, key_of, text_of

HISTORY = 5
"""Changes of the prefix that are shown."""


def explain(engine: Engine, prefix: str, domain: str) -> Document:
    """Return the explanation of *prefix* in one domain; without a name, in the first domain that knows it.

    Costs what the paths of one prefix cost, however large the tables are.  Raises BadRequest for what is no prefix and for
    a domain that does not exist.
    """
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
        return _nowhere(engine, str(network), domain, family, key)
    shown = _document(_finding(engine, knowing[0], str(network), family, key))
    return shown | {"matches": [item.name for item in knowing[1:]]}


def _knows(engine: Engine, domain: DomainTable, family: Family, key: PrefixKey) -> bool:
    state = engine.reconciler.tables.get((domain.config.table, family))
    held = any(key in table.paths[family] or (family, key) in table.rejected for table in domain.peers.values())
    first = engine.domain_of_table(domain.config.table) == domain.name
    return held or (first and state is not None and state.current(key) is not None)


def _nowhere(engine: Engine, prefix: str, domain: str, family: Family, key: PrefixKey) -> Document:
    """Explain a prefix that no domain knows: its peer is in none, or nobody announces it."""
    tables = [table for table in engine.peers.values() if not table.domain]
    unassigned = [path for table in tables for path in table.held(family, key)]
    if unassigned and not domain:
        peers = ", ".join(sorted({path.peer.address for path in unassigned}))
        said = f"{prefix} is not a route: {peers}, which announces it, belongs to no domain; "
        said += "add it to `peers` of a domain if its routes should be used"
    else:
        where = f"domain {domain}" if domain else "any domain"
        said = f"{prefix} is not a route: no peer of {where} announces it, and the kernel has none of ours"
        if untold := _untold(engine, domain, family):
            said += f"; {untold}"
        if cover := _cover(engine, domain, family, key):
            said += f"; its traffic follows {cover}"
        unassigned = []
    return {
        "prefix": prefix,
        "domain": domain or None,
        "table": None,
        "verdict": said,
        "sentence": said,
        "state": "absent",
        "reason": Reason.UNASSIGNED.label if unassigned else None,
        "desired": None,
        "installed": None,
        "policy_rule": None,
        "paths": [_path(path, Reason.UNASSIGNED) | {"rank": rank} for rank, path in enumerate(unassigned, 1)],
        "history": [],
        "matches": [],
    }


def _untold(engine: Engine, domain: str, family: Family) -> str:
    """Say which peers sent paths that their speaker accepts nothing of, and so tells nothing of."""
    found = []
    for table in engine.peers.values():
        counts = table.peer.families.get(family)
        if counts is not None and counts.received > counts.accepted and (not domain or table.domain == domain):
            found.append(f"{plural(counts.received - counts.accepted, 'path')} of {table.peer.id.address}")
    return (
        f"its speaker does not accept {', '.join(found)} (an AS loop, for one), and tells nothing of them"
        if found
        else ""
    )


def _cover(engine: Engine, domain: str, family: Family, key: PrefixKey) -> str:
    """Return the longest route that covers *key*, per table: ``10.8.0.0/14 of domain storage``."""
    found = []
    for (table, of), state in engine.reconciler.tables.items():
        if of is not family:
            continue
        for length in range(key[0] - 1, -1, -1):
            wider = covering_key(key, length)
            if state.current(wider) is not None:
                name = engine.describe(table, family, wider)
                if not domain or name == domain:
                    found.append(f"{text_of(family, wider)} of domain {name}")
                break
    return " and ".join(found)


def _finding(engine: Engine, domain: DomainTable, prefix: str, family: Family, key: PrefixKey) -> Finding:
    state = engine.reconciler.tables[domain.config.table, family]
    candidates = domain.candidates(family, key)
    selection = domain.select(family, key, candidates) if candidates and domain.choosing else Selection(None, (), -1)
    rejected = [table.rejected[family, key] for table in domain.peers.values() if (family, key) in table.rejected]
    verdicts = selection.verdicts
    competing = [index for index, verdict in enumerate(verdicts) if verdict.reason is None or verdict.step is not None]
    ranking = best_first([candidates[index].candidate for index in competing]) if competing else []
    refused = sorted(
        (index for index in range(len(verdicts)) if index not in competing), key=lambda index: _got(verdicts[index])
    )
    order = (*(competing[place.candidate] for place in ranking), *refused)
    reason = _reason(engine, domain, state, key, selection)
    if reason is None and verdicts:
        reason = verdicts[order[0]].reason
    elif reason is None and domain.kept_out(family, key):
        reason = Reason.PEER_LIMIT
    elif reason is None and rejected:
        reason = refusal(domain.peers[rejected[0].peer].peer)
    return Finding(engine, domain, state, prefix, family, key, candidates, selection, order, rejected, reason)


def _got(verdict: Verdict) -> int:
    """Order refused paths: the one that got farthest comes first."""
    return -verdict.reason.stage if verdict.reason else 0


def _reason(
    engine: Engine, domain: DomainTable, state: TableState, key: PrefixKey, selection: Selection
) -> Reason | None:
    """Return why the prefix is, or is not, in the kernel; None where the domain wants no route."""
    family = state.spec.family
    if selection.forwarding is None:
        return None
    if key in domain.limited[family]:
        return Reason.LIMIT
    if engine.describe(state.spec.table, family, key) != domain.name:
        return Reason.DOMAIN_CONFLICT
    if key in state.conflicts:
        return Reason.FOREIGN_CONFLICT
    if key in state.failures:
        return Reason.KERNEL_REFUSED
    if key in state.acknowledged or key not in state.desired:
        return Reason.PENDING
    if key not in state.difference:
        return Reason.INSTALLED
    return waiting_reason(engine, state, key)


def _document(found: Finding) -> Document:
    engine, links = found.engine, found.engine.reconciler.links
    desired, installed = found.state.desired.get(found.key), found.state.current(found.key)
    said = sentence(found)
    state = "absent"
    if found.reason is Reason.DOMAIN_CONFLICT:
        state = "conflict"
    elif desired is not None or installed is not None:
        state = route_state(engine, found.state, found.key)[0]
    return {
        "prefix": found.prefix,
        "domain": found.domain.name,
        "table": found.table,
        "verdict": said,
        "sentence": said,
        "state": state,
        "reason": found.reason.label if found.reason else None,
        "desired": forwarding_text(links, desired),
        "installed": forwarding_text(links, installed),
        "policy_rule": found.rule or None,
        "paths": _paths(found),
        "history": [
            {
                "at": moment(row["at"]),
                **operation_document(links, row["operation"], engine.domain_of_table(row["operation"].table)),
                "result": row["result"],
                "cause": row["cause"],
                "actor": row["actor"],
            }
            for row in engine.journal.history(found.prefix, HISTORY)
        ],
    }


def _paths(found: Finding) -> list[Document]:
    """Return every path: those that compete in the order of the decision, then those that are refused."""
    candidates, verdicts = found.candidates, found.selection.verdicts
    rows: list[Document] = []
    for index in found.order:
        path, verdict = candidates[index].candidate.path, verdicts[index]
        rule = next((item.label for item in found.domain.config.imports if item.number == verdict.rule), None)
        row = _path(path, verdict.reason or found.reason or Reason.PENDING)
        teller = found.domain.peers.get(path.peer)
        row |= {
            "asn": teller.peer.asn if teller else 0,
            "best": index == found.selection.best,
            "rule": verdict.rule,
            "rule_text": rule,
            **_step(verdict),
        }
        rows.append(row)
    if not verdicts:  # the links are not known yet, so nothing has been chosen
        rows += [_path(item.candidate.path, Reason.PENDING) for item in candidates]
    rows += [_path(path, Reason.PEER_LIMIT) for path in found.domain.kept_out(found.family, found.key)]
    rows += [_path(path, refusal(found.domain.peers[path.peer].peer)) for path in found.rejected]
    return [row | {"rank": rank} for rank, row in enumerate(rows, 1)]


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
        "rpki": RPKI_WORDS[path.rpki],
        "best": False,
        "rank": 0,
        "reason": reason.label,
        "reason_text": reason.text,
    }
