"""What state a domain is in, what it waits for and how long still, and what is odd about its table."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from monitor.config import ForeignRoutes
from monitor.engine.core import Engine, SourceState
from monitor.engine.domain import DomainTable
from monitor.engine.peer import PeerTable
from monitor.engine.text import clock, plural, protocol_text, seconds_text
from programmer.route import MAIN_TABLE, Family, TableId, text_of

Until = Callable[[float], str]
"""Says until when something that began at a moment (monotonic seconds) is kept."""

KERNEL = 2
"""RTPROT_KERNEL, linux/rtnetlink.h."""

MOST_NAMES = 3
"""Peers that one sentence names."""

SAMPLE = 1000
"""Foreign routes that are looked at for their owners; a shared table may hold a million."""


def state_of(engine: Engine, domain: DomainTable) -> str:
    """Return ``filling``, ``stale``, ``complete`` or ``down``.

    ``filling``: not everything has been told yet; ``stale``: what is known may no longer be so, and routes stay;
    ``down``: everything is known, and no peer is up.
    """
    source = engine.sources[domain.config.source]
    if not source.alive:
        return "stale" if source.speaker else "filling"
    if not all(domain.complete.values()):
        return "stale" if any(table.unconfirmed for table in domain.peers.values()) else "filling"
    if any(table.peer.restarting and table.count for table in domain.peers.values()):
        return "stale"
    return "complete" if any(table.peer.established for table in domain.peers.values()) else "down"


def waits(engine: Engine, domain: DomainTable) -> list[str]:
    """Return what the domain waits for, one sentence each: for whom, and how long still."""
    monotonic, wall = time.monotonic(), time.time()

    def until(since: float) -> str:
        return clock(wall + since + domain.config.stale_after - monotonic)

    found: list[str] = []
    source = engine.sources[domain.config.source]
    if not all(domain.complete.values()):
        found = _unknown(engine, domain, source, until(source.since))
        if not found:
            found = list(_unproved(domain, monotonic, wall, until))
    elif state_of(engine, domain) == "down":
        found.append(f"no peer is up: {_names(list(domain.peers.values()), _down)}")
    for table in domain.peers.values():
        if table.peer.restarting and table.count and table.stale_since is not None:
            found.append(_stale(table, until(table.stale_since)))
    return found


def _unknown(engine: Engine, domain: DomainTable, source: SourceState, until: str) -> list[str]:
    name = source.source.name
    if not source.alive:
        known = "what it told stays in place" if source.speaker else "nothing is removed"
        return [f"waits for source {name}; {known} until {until}"]
    if not domain.peers:
        return [f"waits for a peer: {name} has none of this domain; nothing is removed until {until}"]
    if unnamed := engine.unnamed(domain):
        return [
            f"waits for the session of {_few(unnamed)}: not up since {name} connected; nothing is removed until {until}"
        ]
    return []


def _unproved(domain: DomainTable, monotonic: float, wall: float, until: Until) -> Iterator[str]:
    """Yield one sentence for all peers of which End-of-RIB is missing, one for those still arriving, one for those unknown."""
    expected: list[PeerTable] = []
    arriving: list[PeerTable] = []
    unknown: list[PeerTable] = []
    left = 0.0
    for table in domain.peers.values():
        if not _missing(domain, table):
            continue
        since = table.peer.since
        up_for = wall - since.timestamp() if since else monotonic - (table.unknown_since or monotonic)
        wait = domain.config.end_of_rib_wait - up_for
        if not table.peer.established:
            unknown.append(table)
        elif wait >= 1:
            expected.append(table)
            left = max(left, wait)
        else:
            arriving.append(table)
    if expected:
        yield f"waits for End-of-RIB of {_names(expected)}, at most {seconds_text(left)}; {_told(expected)} so far"
    if arriving:
        yield f"waits for the table of {_names(arriving)}, still arriving; {_told(arriving)} so far"
    if unknown:
        last = max((table.unknown_since for table in unknown if table.unknown_since is not None), default=None)
        end = f" until {until(last)}" if last is not None else ""
        yield f"{_names(unknown, _down)}: counted as unknown{end}; {_told(unknown)} kept"


def _missing(domain: DomainTable, table: PeerTable) -> bool:
    """Say whether a family that the domain uses, and the peer speaks, has not been told completely."""
    speaks = table.peer.families
    return any(family not in table.proof and (not speaks or family in speaks) for family in domain.config.families)


def _told(tables: list[PeerTable]) -> str:
    return plural(sum(table.count for table in tables), "path")


def _address(table: PeerTable) -> str:
    return table.peer.id.address


def _names(tables: list[PeerTable], say: Callable[[PeerTable], str] = _address) -> str:
    """Return the first few peers, and how many more there are."""
    return _few([say(table) for table in sorted(tables, key=lambda table: table.peer.id)])


def _few(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _down(table: PeerTable) -> str:
    peer = table.peer
    why = peer.last_down_reason or ("never been up" if peer.since is None else peer.state.value)
    return f"{peer.id.address} ({why})"


def _stale(table: PeerTable, until: str) -> str:
    paths = plural(table.count, "path")
    if table.expired:
        return f"peer {table.peer.id.address} has not returned from its restart: {paths} expired at {until}, not used"
    return f"peer {table.peer.id.address} restarts: {paths} stale, used until {until}"


def leads(engine: Engine, table: TableId, family: Family | None = None) -> bool:
    """Say whether a rule sends traffic into a table, of one family or of any; the main table has one always."""
    if table == MAIN_TABLE:
        return True
    reconciler = engine.reconciler
    return any(
        rule.table == table and family in {None, rule.family}
        for rules in (reconciler.installed_rules, reconciler.foreign_rules)
        for rule in rules
    )


def table_warnings(engine: Engine) -> list[str]:
    """Return what is odd about the kernel's side: routes that no rule leads to, and routes of others in our tables."""
    reconciler = engine.reconciler
    found: list[str] = []
    for table in sorted(engine.config.tables):
        states = [state for (of, _), state in sorted(reconciler.tables.items()) if of == table]
        names = " and ".join(domain.name for domain in engine.domains.values() if domain.config.table == table)
        for state in states:
            count = len(state.image.routes)
            if count and not leads(engine, table, state.spec.family):
                label = state.spec.family.label
                found.append(
                    f"{names}: {count:,} {label} {'route' if count == 1 else 'routes'} installed, "
                    f"but no rule leads to table {table}: {_rule_advice(engine, table, state.spec.family)}"
                )
        accepted = any(
            domain.config.foreign_routes is ForeignRoutes.ACCEPT
            for domain in engine.domains.values()
            if domain.config.table == table
        )
        if table != MAIN_TABLE and not accepted:
            found += _strangers(engine, table, names)
    return found


def _strangers(engine: Engine, table: TableId, names: str) -> Iterator[str]:
    states = [state for (of, _), state in sorted(engine.reconciler.tables.items()) if of == table]
    looked_at = [
        (state.spec.family, key, route.protocol)
        for state in states
        for (key, _), route in islice(state.image.foreign.items(), SAMPLE)
        if route.protocol != KERNEL  # what the kernel itself puts into the table of a VRF
    ]
    if not looked_at:
        return
    count = sum(len(state.image.foreign) for state in states) if len(looked_at) >= SAMPLE else len(looked_at)
    owners = Counter(protocol for _, _, protocol in looked_at)
    by = ", ".join(protocol_text(number) for number, _ in owners.most_common(3))
    family, key, _ = looked_at[0]
    yield (
        f"table {table} of {names} has {plural(count, 'route')} of another program ({by}), such as {text_of(family, key)}: "
        f"left alone; if this is meant, set `foreign_routes: accept`, else choose a table that nobody uses"
    )


def _rule_advice(engine: Engine, table: TableId, family: Family) -> str:
    reconciler = engine.reconciler
    pending = [
        rule for rule, add in reconciler.pending_rules() if add and rule.table == table and rule.family is family
    ]
    if pending:
        return f"{plural(len(pending), 'rule')} of the configuration not installed yet: `bgpmon plan show`"
    return "no traffic uses them; add `rules` to the domain, or an `ip rule`"
