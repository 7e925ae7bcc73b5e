"""The engine: applies what sources tell, keeps each domain's choice current, and keeps the programmer told."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monitor.config import Config, DefaultRoute, DomainConfig
from monitor.engine.domain import DomainTable
from monitor.engine.peer import PeerTable, address_of
from monitor.ports import Source
from monitor.rib.domain import DomainPolicy
from monitor.rib.nexthop import Resolver
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer
from monitor.rib.policy import Policy
from monitor.rib.protect import ProtectedSet, live_protected
from monitor.rib.update import (
    FeedLost,
    FeedStarted,
    PathAnnounced,
    PathRejected,
    PathWithdrawn,
    PeerChanged,
    PeerGone,
    TableComplete,
    Update,
)
from programmer.fib import Links
from programmer.journal import Journal
from programmer.plan import Gate
from programmer.reconciler import Reconciler, TableSpec
from programmer.route import Address, Family, Forwarding, PrefixKey, TableId, text_of

log = logging.getLogger("bgpmon.engine")

SLICE = 400
"""Prefixes chosen in one go before other tasks get their turn: a few milliseconds."""
TICK = 1.0

Dirty = tuple[DomainTable, Family]


@dataclass(slots=True)
class SourceState:
    """What is known of one speaker now.  ``since`` is monotonic seconds."""

    source: Source
    target: str
    speaker: str = ""
    alive: bool = False
    cause: str = "not connected yet"
    since: float = field(default_factory=time.monotonic)


class Engine:
    """Domains, peers and their paths of one node.

    ``endpoints`` are addresses that must stay reachable whatever BGP says: the API server, a remote gobgpd.
    """

    def __init__(
        self,
        config: Config,
        sources: Sequence[tuple[Source, str]],
        reconciler: Reconciler,
        journal: Journal,
        endpoints: Iterable[Address] = (),
    ) -> None:
        self.config = config
        self.reconciler = reconciler
        self.journal = journal
        self.sources = {source.name: SourceState(source, target) for source, target in sources}
        self.peers: dict[PeerId, PeerTable] = {}
        self.domains: dict[str, DomainTable] = {}
        self.endpoints = tuple(endpoints)
        self.started_at = time.time()
        self._dirty: dict[tuple[str, Family], dict[PrefixKey, None]] = {}
        self._wake = asyncio.Event()
        self.configure(config)

    # Configuration

    def configure(self, config: Config) -> None:
        """Take over a configuration: every domain is built anew from the paths that are already known."""
        self.config = config
        self.domains = {item.name: DomainTable(item, domain_policy(config, item)) for item in config.domains}
        specs: dict[tuple[TableId, Family], TableSpec] = {}
        rules = frozenset(rule for item in config.domains for rule in item.rules)
        for table in config.tables:
            metrics = frozenset(metric for item in config.domains if item.table == table for metric in item.metrics)
            owned = self.journal.own(table, sorted(metrics))
            first = next(item for item in config.domains if item.table == table)
            budget = first.removal_budget
            for family in Family:
                specs[table, family] = TableSpec(table, family, owned, budget.percent, budget.routes, budget.hold)
        self.reconciler.configure(list(specs.values()), rules, Gate(config.mode.value))
        for (table, family), state in self.reconciler.tables.items():
            wanted = set(state.desired)
            self.reconciler.allow_removals(table, family, allowed=False)
            for name in (item.name for item in config.domains if item.table == table):
                self._mark(name, family, wanted)
        for peer in self.peers.values():
            self._assign(peer)
        self.links_changed(self.reconciler.links)

    def _assign(self, table: PeerTable) -> None:
        for domain in self.domains.values():
            domain.peers.pop(table.peer.id, None)
        config = self.domain_config(table.peer)
        if config is not None:
            self.domains[config.name].peers[table.peer.id] = table
            for family in Family:
                self._mark(config.name, family, table.paths[family])

    def domain_config(self, peer: Peer) -> DomainConfig | None:
        """Return the domain that a peer belongs to, or None."""
        address = address_of(peer.id)
        return None if address is None else self.config.domain_of(peer.id.source, address, peer.interface)

    def links_changed(self, links: Links) -> None:
        """Resolve every next hop anew: links, addresses or connected prefixes changed."""
        peers = [table.address for table in self.peers.values() if table.address is not None]
        protected = ProtectedSet(live_protected(links, peers, self.endpoints, self.config.protect))
        for domain in self.domains.values():
            domain.reach(Resolver(links, domain.config.interfaces), protected)
            for family in Family:
                self._mark(domain.name, family, domain.keys(family))

    def _mark(self, domain: str, family: Family, keys: Iterable[PrefixKey]) -> None:
        self._dirty.setdefault((domain, family), {}).update(dict.fromkeys(keys))
        self._wake.set()

    # Updates

    async def follow(self, state: SourceState) -> None:
        """Apply what one source tells, for ever."""
        async for updates in state.source.updates():
            for position in range(0, len(updates), SLICE):
                for update in updates[position : position + SLICE]:
                    self.apply(state, update)
                await asyncio.sleep(0)

    def apply(self, state: SourceState, update: Update) -> None:
        """Apply one update."""
        if isinstance(update, PathAnnounced):
            table = self._table(update.path.peer)
            if table.announce(update.family, update.key, update.path):
                self._touch(table, update.family, update.key)
        elif isinstance(update, PathWithdrawn):
            table = self._table(update.peer)
            if table.withdraw(update.family, update.key, update.path_id):
                self._touch(table, update.family, update.key)
        elif isinstance(update, PathRejected):
            table = self._table(update.path.peer)
            if table.reject(update.family, update.key, update.path):
                self._touch(table, update.family, update.key)
        elif isinstance(update, TableComplete):
            table = self._table(update.peer)
            gone = table.complete(update.family, update.proof)
            table.unknown_since = None
            domain = self.domain_config(table.peer)
            if domain is not None:
                self._mark(domain.name, update.family, gone)
        else:
            self._apply_session(state, update)

    def _apply_session(self, state: SourceState, update: FeedStarted | FeedLost | PeerChanged | PeerGone) -> None:
        now = time.monotonic()
        if isinstance(update, FeedStarted):
            state.alive, state.speaker, state.cause, state.since = True, update.speaker, "", now
            for table in self._of_source(update.source):
                table.begin()
                table.unknown_since = table.unknown_since or now
        elif isinstance(update, FeedLost):
            if state.alive:
                self.journal.note("feed", f"{update.source}: lost: {update.cause}", at=time.time())
                log.warning("feed lost %s: %s; routes stay", update.source, update.cause)
            state.alive, state.cause, state.since = False, update.cause, now
            for table in self._of_source(update.source):
                table.proof = {}
                table.unknown_since = table.unknown_since or now
        elif isinstance(update, PeerChanged):
            self._peer_changed(update.peer, now)
        else:
            gone = self.peers.pop(update.peer, None)
            if gone is not None:
                keys = gone.forget()
                domain = self.domain_config(gone.peer)
                if domain is not None:
                    self.domains[domain.name].peers.pop(update.peer, None)
                    for family, names in keys.items():
                        self._mark(domain.name, family, names)
        self._wake.set()

    def _peer_changed(self, peer: Peer, now: float) -> None:
        table = self.peers.get(peer.id)
        if table is None:
            table = self.peers[peer.id] = PeerTable.of(peer)
            table.unknown_since = now
            self._assign(table)
            self.links_changed(self.reconciler.links)
            return
        before, table.peer = table.peer, peer
        if before.state is not peer.state:
            words = f"{peer.id.address}: {before.state.value} -> {peer.state.value}"
            self.journal.note("peer", words, at=time.time())
            if peer.established:
                # Its first paths may have come before this: only a new feed puts what is known in doubt.
                table.proof = {}
                table.unknown_since = now
        if (before.router_id, before.asn, before.interface, before.authenticated) != (
            peer.router_id,
            peer.asn,
            peer.interface,
            peer.authenticated,
        ):
            self._assign(table)

    def _of_source(self, source: str) -> Iterable[PeerTable]:
        return [table for peer, table in self.peers.items() if peer.source == source]

    def _table(self, peer: PeerId) -> PeerTable:
        table = self.peers.get(peer)
        if table is None:
            table = self.peers[peer] = PeerTable.unheard(peer)
            table.unknown_since = time.monotonic()
            self._assign(table)
        return table

    def _touch(self, table: PeerTable, family: Family, key: PrefixKey) -> None:
        config = self.domain_config_cached(table)
        if config is not None:
            self._dirty.setdefault((config, family), {})[key] = None
            self._wake.set()

    def domain_config_cached(self, table: PeerTable) -> str | None:
        """Return the name of the domain that has this peer, without matching its address again."""
        for name, domain in self.domains.items():
            if table.peer.id in domain.peers:
                return name
        return None

    # Choosing

    async def run(self) -> None:
        """Follow every source and keep choices current until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for state in self.sources.values():
                tasks.create_task(self.follow(state), name=f"source {state.source.name}")
            tasks.create_task(self._choose(), name="choose")
            tasks.create_task(self._tick(), name="tick")

    async def _choose(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._dirty:
                await self.choose_slice()
                await asyncio.sleep(0)
            self.judge_completeness()

    async def choose_slice(self) -> None:
        """Choose for some of the prefixes that changed, and tell the programmer."""
        (name, family), waiting = next(iter(self._dirty.items()))
        keys = [waiting.popitem()[0] for _ in range(min(SLICE, len(waiting)))]
        if not waiting:
            del self._dirty[name, family]
        domain = self.domains.get(name)
        if domain is None or not domain.choosing:
            return
        changed = [key for key, _ in domain.recompute(family, keys, time.monotonic())]
        table = domain.config.table
        if (table, family) not in self.reconciler.tables:
            return
        stored = self.reconciler.tables[table, family].desired
        touched = dict.fromkeys(changed) | {
            key: None for key in keys if (key in stored) != (key in domain.desired[family])
        }
        self.reconciler.want(table, family, [(key, self.wanted(table, family, key)) for key in touched])

    def wanted(self, table: TableId, family: Family, key: PrefixKey) -> Forwarding | None:
        """Return what the first domain of a table wants at *key*."""
        for domain in self.domains.values():
            if domain.config.table == table and (value := domain.desired[family].get(key)) is not None:
                return value
        return None

    def judge_completeness(self) -> None:
        """Allow removals where everything has been told; end the licence of what has been unknown for too long."""
        now = time.monotonic()
        for domain in self.domains.values():
            self._expire(domain, now)
            for family in Family:
                domain.complete[family] = self._complete(domain, family, now)
        for table, family in self.reconciler.tables:
            sharing = [domain for domain in self.domains.values() if domain.config.table == table]
            pending = any((domain.name, family) in self._dirty for domain in sharing)
            self.reconciler.allow_removals(
                table, family, allowed=not pending and all(domain.complete[family] for domain in sharing)
            )

    def _expire(self, domain: DomainTable, now: float) -> None:
        for table in domain.peers.values():
            unknown = table.unknown_since
            if unknown is None or now - unknown < domain.config.stale_after:
                continue
            table.unknown_since = None
            for family in Family:
                if family in table.proof:
                    continue
                gone = table.unconfirmed.pop(family, set()) if table.peer.established else set(table.paths[family])
                for key in gone:
                    table.paths[family].pop(key, None)
                table.proof[family] = f"nothing heard for {domain.config.stale_after:.0f} s"
                self._mark(domain.name, family, gone)

    def _complete(self, domain: DomainTable, family: Family, now: float) -> bool:
        if family not in domain.config.families:
            return True
        source = self.sources[domain.config.source]
        if not source.alive or not domain.peers:
            return now - source.since >= domain.config.stale_after
        return all(family in table.proof or not self._speaks(table.peer, family) for table in domain.peers.values())

    @staticmethod
    def _speaks(peer: Peer, family: Family) -> bool:
        return not peer.families or family in peer.families

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._wake.set()

    # Questions

    @property
    def ready(self) -> bool:
        """True once the kernel has been read and every domain has been told completely."""
        return self.reconciler.ready and all(
            domain.complete[family] for domain in self.domains.values() for family in Family
        )

    def describe(self, table: TableId, family: Family, key: PrefixKey) -> str:
        """Return which domain wants *key*."""
        for domain in self.domains.values():
            if domain.config.table == table and key in domain.desired[family]:
                return domain.name
        return self.domain_of_table(table)

    def domain_of_table(self, table: TableId) -> str:
        """Return the first domain that has a table."""
        return next((item.name for item in self.config.domains if item.table == table), "")

    def warnings(self) -> list[str]:
        """Return what an operator should look at now, one sentence each."""
        found: list[str] = []
        for domain in self.domains.values():
            for family in Family:
                limit = domain.config.limit.of(family)
                count = len(domain.desired[family]) + len(domain.limited[family])
                if limit and domain.limited[family]:
                    found.append(
                        f"{domain.name} {family.label}: {count:,} routes wanted, limit {limit.routes:,}: "
                        f"frozen, {len(domain.limited[family]):,} not admitted"
                    )
                elif limit and count >= limit.warn_at:
                    found.append(f"{domain.name} {family.label}: {count:,} of at most {limit.routes:,} routes")
            if not domain.config.imports:
                found.append(f"{domain.name}: no import rule, so nothing is accepted")
        found += [
            f"source {name}: {state.cause}; routes stay" for name, state in self.sources.items() if not state.alive
        ]
        unassigned = [
            table.peer.id.address for table in self.peers.values() if self.domain_config_cached(table) is None
        ]
        if unassigned:
            found.append(f"peers in no domain: {', '.join(sorted(unassigned))}")
        for (table, family), state in self.reconciler.tables.items():
            if state.conflicts:
                shown = ", ".join(text_of(family, key) for key in sorted(state.conflicts)[:3])
                found.append(
                    f"table {table}: {len(state.conflicts)} routes meet a foreign one and are left alone: {shown}"
                )
            if state.guard.held_since is not None:
                found.append(
                    f"table {table} {family.label}: {len(state.difference.remove)} removals held by the budget"
                )
        found += [words for words in (self.reconciler.denied, self.reconciler.trouble) if words]
        if self.reconciler.stopped:
            found.append("withdraw-all was carried out: nothing is written until bgpmon is started again")
        return found


def domain_policy(config: Config, domain: DomainConfig) -> DomainPolicy:
    """Return the settings by which a domain chooses."""
    return DomainPolicy(
        families=frozenset(domain.families),
        policy=Policy(domain.imports),
        default_lengths={family: domain.default_lengths.of(family) for family in Family},
        accept_defaults=domain.default_route is DefaultRoute.ACCEPT,
        multipath=domain.multipath,
        metric=domain.metric,
        preferred_source={
            family: address.packed for family in Family if (address := domain.preferred_source.of(family)) is not None
        },
        encapsulated=ProtectedSet(config.protect) if config.encapsulation else None,
        require_auth=domain.require_auth,
    )
