"""The engine: applies what sources tell, keeps each domain's choice current, and keeps the programmer told."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from monitor.config import Config, DefaultRoute, DomainConfig, Mode
from monitor.engine.domain import DomainTable
from monitor.engine.limit import PeerLimits, shut_by_speaker
from monitor.engine.peer import PeerTable, address_of
from monitor.engine.rates import Rates
from monitor.engine.teardown import Teardown
from monitor.engine.text import plural, seconds_text
from monitor.engine.validation import OriginStates
from monitor.ports import OriginValidation, Retelling, Source
from monitor.rib.domain import DomainPolicy
from monitor.rib.nexthop import Resolver
from monitor.rib.path import PeerId
from monitor.rib.peer import AdminState, Peer
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
    TableBegun,
    TableComplete,
    TableCounted,
    Update,
)
from programmer.fib import Links
from programmer.journal import Journal
from programmer.plan import Gate
from programmer.reconciler import Reconciler, TableSpec
from programmer.route import Address, Family, Forwarding, PrefixKey, TableId, text_of

log = logging.getLogger("bgpmon.engine")

SLICE = 400
"""Updates applied in one go before other tasks get their turn: a millisecond."""
CHOSEN = 100
"""Prefixes chosen in one go: a few milliseconds, where every one has several paths."""
GATHER = 0.004
"""Seconds between two rounds of choosing: in a burst prefixes are chosen by the hundred, a lone one at once."""
TICK = 1.0


@dataclass(slots=True)
class SourceState:
    """What is known of one speaker now.  ``since`` is monotonic seconds."""

    source: Source
    target: str
    speaker: str = ""
    alive: bool = False
    cause: str = "not connected yet"
    since: float = field(default_factory=lambda: time.monotonic())  # noqa: PLW0108 - looked up at each call, as tests replace it


class Engine:
    """Domains, peers and their paths of one node.

    ``endpoints`` are addresses that must stay reachable whatever BGP says: the API server, a remote gobgpd.  ``machine`` is the
    machine id of the node, empty where there is none.
    """

    def __init__(
        self,
        config: Config,
        sources: Sequence[tuple[Source, str]],
        reconciler: Reconciler,
        journal: Journal,
        endpoints: Iterable[Address] = (),
        machine: str = "",
    ) -> None:
        self.config = config
        self.reconciler = reconciler
        self.journal = journal
        self.sources = {source.name: SourceState(source, target) for source, target in sources}
        self.peers: dict[PeerId, PeerTable] = {}
        self.domains: dict[str, DomainTable] = {}
        self.endpoints = tuple(endpoints)
        self.machine = machine
        self.window_opened: Callable[[], bool] = lambda: False
        self.retired: dict[TableId, frozenset[int]] = {}
        self.started_at = time.time()
        self.rates = Rates(lambda: self.peers, lambda: reconciler.written, time.monotonic)
        self._dirty: dict[tuple[str, Family], dict[PrefixKey, None]] = {}
        self._wake = asyncio.Event()
        self.limits = PeerLimits(self._mark, lambda text: reconciler.jot("peer-limit", text), self._installed)
        self.teardown = Teardown(
            self.limits,
            self.peers,
            {source.name: source for source, _ in sources},
            journal,
            alive=self._seconds_alive,
            dry_run=lambda: self.config.mode is Mode.DRY_RUN,
        )
        self.states = {
            source.name: self._states(source) for source, _ in sources if isinstance(source, OriginValidation)
        }
        self.configure(config)

    # Configuration

    def configure(self, config: Config) -> None:
        """Take over a configuration: every domain is built anew from the paths that are already known."""
        self.config = config
        self.domains = {item.name: DomainTable(item, domain_policy(config, item)) for item in config.domains}
        for domain in self.domains.values():
            domain.states = self.states.get(domain.config.source) if domain.policy.policy.asks_rpki else None
        for states in self.states.values():
            states.use(wanted=any(domain.states is states for domain in self.domains.values()))
        specs: dict[tuple[TableId, Family], TableSpec] = {}
        rules = frozenset(rule for item in config.domains for rule in item.rules)
        for table in config.tables:
            metrics = frozenset(metric for item in config.domains if item.table == table for metric in item.metrics)
            owned = self.journal.own(table, sorted(metrics))
            first = next(item for item in config.domains if item.table == table)
            budget = first.removal_budget
            for family in Family:
                shortest = min(item.default_lengths.of(family) for item in config.domains if item.table == table)
                specs[table, family] = TableSpec(
                    table, family, owned, budget.percent, budget.routes, budget.hold, shortest
                )
        # Nothing is wanted any more in a table that a former configuration named: what we wrote there is to go.
        self.retired = {table: owned for table, owned in self.journal.owned().items() if table not in config.tables}
        for table, owned in self.retired.items():
            specs |= {(table, family): TableSpec(table, family, owned) for family in Family}
        self.reconciler.configure(list(specs.values()), rules, Gate(config.mode.value))
        for domain in self.domains.values():
            for family in Family:
                domain.adopt(family, self._installed(domain.config.table, family) if self.reconciler.ready else None)
        for (table, family), state in self.reconciler.tables.items():
            wanted = set(state.desired)
            self.reconciler.allow_removals(table, family, allowed=False)
            for name in (item.name for item in config.domains if item.table == table):
                self._mark(name, family, wanted)
            if table in self.retired:
                self.reconciler.want(table, family, [(key, None) for key in wanted])
        for peer in self.peers.values():
            self._assign(peer)
        self.links_changed(self.reconciler.links)

    def _assign(self, table: PeerTable) -> None:
        """Put a peer into its domain; both the one it leaves and the one it joins choose anew what it holds."""
        for domain in self.domains.values():
            if domain.peers.pop(table.peer.id, None) is not None:
                for family in Family:
                    self._mark(domain.name, family, table.paths[family])
        config = self.domain_config(table.peer)
        table.domain = "" if config is None else config.name
        if config is not None:
            self.domains[config.name].peers[table.peer.id] = table
            for family in Family:
                self._mark(config.name, family, table.paths[family])
        self.limits.assign(table, self.domains.get(table.domain), ready=self.reconciler.ready)

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

    def _mark(self, domain: str, family: Family, keys: Collection[PrefixKey]) -> None:
        if keys:
            self._dirty.setdefault((domain, family), {}).update(dict.fromkeys(keys))
            self._wake.set()

    # Updates

    async def follow(self, state: SourceState) -> None:
        """Apply what one source tells, for ever."""
        async for updates in state.source.updates():
            for position in range(0, len(updates), SLICE):
                for update in updates[position : position + SLICE]:
                    self.apply(state, update)
                self.judge_limits()
                await asyncio.sleep(0)

    def judge_limits(self, *, sample: bool = False) -> None:
        """Find out who is beyond a limit, before anything of that is chosen; *sample* once a second."""
        if self.limits.guards and self.limits.judge(ready=self.reconciler.ready, sample=sample):
            self.teardown.wake()

    def apply(self, state: SourceState, update: Update) -> None:
        """Apply one update."""
        if isinstance(update, PathAnnounced):
            table = self._table(update.path.peer)
            table.announced += 1
            if table.announce(update.family, update.key, update.path):
                self._touch(table, update.family, update.key)
        elif isinstance(update, PathWithdrawn):
            table = self._table(update.peer)
            table.withdrawn += 1
            if table.withdraw(update.family, update.key, update.path_id):
                self._touch(table, update.family, update.key)
        elif isinstance(update, PathRejected):
            table = self._table(update.path.peer)
            table.announced += 1
            if table.reject(update.family, update.key, update.path):
                self._touch(table, update.family, update.key)
        elif isinstance(update, TableBegun | TableComplete | TableCounted):
            self._apply_table(state, update)
        else:
            self._apply_session(state, update)

    def _apply_table(self, state: SourceState, update: TableBegun | TableComplete | TableCounted) -> None:
        table = self._table(update.peer)
        if isinstance(update, TableComplete):
            gone = table.complete(update.family, update.proof)
            table.unknown_since = None
            if table.domain:
                self._mark(table.domain, update.family, gone)
            self._wake.set()
        elif isinstance(update, TableCounted):
            self._compare(state, table, update)
        else:
            table.begin_family(update.family, retained=update.retained)
            if not update.retained:
                table.unknown_since = table.unknown_since or time.monotonic()
            elif table.domain:
                self._mark(table.domain, update.family, table.paths[update.family])

    @staticmethod
    def _compare(state: SourceState, table: PeerTable, counted: TableCounted) -> None:
        """Have everything told again when the speaker, twice in a row and at rest, holds another number of paths than we."""
        held = table.told(counted.family)
        before = table.disputed.pop(counted.family, None)
        if (
            counted.paths == held
            or (counted.paths > held and not counted.exact)
            or not isinstance(state.source, Retelling)
            or table.forgets_rejected
        ):
            return
        if before == (counted.paths, held):
            label = f" {counted.family.label}" if counted.family else ""
            state.source.tell_again(
                f"{counted.peer.address}: it holds {counted.paths:,}{label} paths and told {held:,}"
            )
        else:
            table.disputed[counted.family] = (counted.paths, held)

    def _apply_session(self, state: SourceState, update: FeedStarted | FeedLost | PeerChanged | PeerGone) -> None:
        now = time.monotonic()
        if isinstance(update, FeedStarted):
            state.alive, state.speaker, state.cause, state.since = True, update.speaker, "", now
            for table in self._of_source(update.source):
                table.begin()
                table.unknown_since = table.unknown_since or now
            self.judge_limits()
            self._ask_anew(update.source)
        elif isinstance(update, FeedLost):
            if state.alive:
                self.reconciler.jot("feed", f"{update.source}: lost: {update.cause}")
                log.warning("feed lost %s: %s; routes stay", update.source, update.cause)
            state.alive, state.cause, state.since = False, update.cause, now
            for table in self._of_source(update.source):
                table.proof = {}
                table.unknown_since = table.unknown_since or now
        elif isinstance(update, PeerChanged):
            self._peer_changed(update.peer, now)
        else:
            gone = self.peers.pop(update.peer, None)
            self.limits.forget(update.peer)
            if gone is not None:
                keys = gone.forget()
                if gone.domain:
                    self.domains[gone.domain].peers.pop(update.peer, None)
                    for family, names in keys.items():
                        self._mark(gone.domain, family, names)
                self.links_changed(self.reconciler.links)
        self._wake.set()

    def _peer_changed(self, peer: Peer, now: float) -> None:
        table = self.peers.get(peer.id)
        if table is None:
            table = self.peers[peer.id] = PeerTable.of(peer)
            table.unknown_since = now
            table.stale_since = now if peer.restarting else None
            self._assign(table)
            self.links_changed(self.reconciler.links)
            return
        before, table.peer = table.peer, peer
        if before.state is not peer.state:
            words = f"{peer.id.address}: {before.state.value} -> {peer.state.value}"
            self.reconciler.jot("peer", words)
            if peer.established:
                # Its first paths may have come before this: only a new feed puts what is known in doubt.
                table.proof = {}
                table.unknown_since = now
                self.limits.session_up(table)
        if before.restarting is not peer.restarting:
            table.stale_since, table.expired = now if peer.restarting else None, False
        if (before.router_id, before.asn, before.interface, before.authenticated, before.restarting) != (
            peer.router_id,
            peer.asn,
            peer.interface,
            peer.authenticated,
            peer.restarting,
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
            self.links_changed(self.reconciler.links)
        return table

    def _touch(self, table: PeerTable, family: Family, key: PrefixKey) -> None:
        if table.domain:
            self._dirty.setdefault((table.domain, family), {})[key] = None
            self._wake.set()

    # Choosing

    async def run(self) -> None:
        """Follow every source and keep choices current until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for state in self.sources.values():
                tasks.create_task(self.follow(state), name=f"source {state.source.name}")
            tasks.create_task(self._choose(), name="choose")
            tasks.create_task(self._tick(), name="tick")
            tasks.create_task(self.teardown.run(), name="teardown")
            for name, states in self.states.items():
                tasks.create_task(states.run(), name=f"validation {name}")

    async def _choose(self) -> None:
        chosen_at = 0.0
        while True:
            await self._wake.wait()
            await asyncio.sleep(max(0.0, chosen_at + GATHER - time.monotonic()))
            self._wake.clear()
            chosen_at = time.monotonic()
            while self._dirty:
                await self.choose_slice()
                await asyncio.sleep(0)
            self.judge_completeness()

    async def choose_slice(self) -> None:
        """Choose for some of the prefixes that changed, and tell the programmer."""
        (name, family), waiting = next(iter(self._dirty.items()))
        keys = [waiting.popitem()[0] for _ in range(min(CHOSEN, len(waiting)))]
        if not waiting:
            del self._dirty[name, family]
        domain = self.domains.get(name)
        if domain is None or not domain.choosing:
            return
        table, desired = domain.config.table, domain.desired[family]
        if (table, family) not in self.reconciler.tables:
            return
        stored = self.reconciler.tables[table, family].desired
        # What the programmer was told under an older configuration may differ although nothing changes here.
        differing = [key for key in keys if (key in stored) != (key in desired)]
        changed = domain.recompute(family, keys, time.monotonic())
        changed += [(key, desired.get(key)) for key in differing]
        if self._is_shared(table):
            changed = [(key, self.wanted(table, family, key)) for key, _ in changed]
        self.reconciler.want(table, family, changed)

    def _is_shared(self, table: TableId) -> bool:
        return sum(domain.config.table == table for domain in self.domains.values()) > 1

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
                if self.reconciler.ready and domain.waits_for_adoption(family):
                    domain.adopt(family, self._installed(domain.config.table, family))
                    self._mark(domain.name, family, domain.keys(family))
                elif not domain.complete[family]:
                    domain.settled[family] = False
                elif not domain.settled[family] and (domain.name, family) not in self._dirty:
                    self._mark(domain.name, family, domain.settle(family))
        for table, family in self.reconciler.tables:
            sharing = [domain for domain in self.domains.values() if domain.config.table == table]
            pending = any((domain.name, family) in self._dirty for domain in sharing)
            self.reconciler.allow_removals(
                table, family, allowed=not pending and all(domain.complete[family] for domain in sharing)
            )

    def _expire(self, domain: DomainTable, now: float) -> None:
        for table in domain.peers.values():
            stale = table.stale_since
            if stale is not None and not table.expired and now - stale >= domain.config.stale_after:
                table.expired = True
                for family in Family:
                    self._mark(domain.name, family, table.paths[family])
            unknown = table.unknown_since
            if unknown is None or now - unknown < domain.config.stale_after:
                continue
            table.unknown_since = None
            for family in Family:
                if family in table.proof:
                    continue
                gone = table.complete(family, f"nothing heard for {domain.config.stale_after:.0f} s")
                if not table.peer.established or not self.sources[table.peer.id.source].alive:
                    gone |= table.paths[family].keys()
                    table.drop(family)
                self._mark(domain.name, family, gone)

    def _complete(self, domain: DomainTable, family: Family, now: float) -> bool:
        if family not in domain.config.families:
            return True
        source = self.sources[domain.config.source]
        if not source.alive or not domain.peers or self.unnamed(domain):
            return now - source.since >= domain.config.stale_after
        told = all(
            family in table.proof or not self._speaks(table.peer, family) or self.teardown.holds(table.peer.id)
            for table in domain.peers.values()
        )
        return told and self._validated(domain, family, now)

    def unnamed(self, domain: DomainTable) -> list[str]:
        """Return the peers of a domain that its speaker may have, and has not named.

        Over BMP a session is named when it comes up: one that was up in an earlier life of ours may only take longer.
        """
        return domain.unheard() if self.sources[domain.config.source].source.kind == "bmp" else []

    def _validated(self, domain: DomainTable, family: Family, now: float) -> bool:
        """Say whether all that the policy asks of RPKI was answered once since the feed began; not for ever waited for."""
        if domain.states is None:
            return True
        if domain.choosing and not domain.validated[family]:
            waited = now - self.sources[domain.config.source].since
            domain.validated[family] = not domain.states.unresolved(family) or waited >= domain.config.stale_after
        return domain.validated[family]

    @staticmethod
    def _speaks(peer: Peer, family: Family) -> bool:
        return not peer.families or family in peer.families

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.judge_limits(sample=True)
            self.rates.sample()
            self._wake.set()

    # What limits and validation need to know

    def _installed(self, table: TableId, family: Family) -> Collection[PrefixKey]:
        state = self.reconciler.tables.get((table, family))
        return state.image.routes.keys() if state else ()

    def _seconds_alive(self, source: str) -> float:
        state = self.sources.get(source)
        return time.monotonic() - state.since if state is not None and state.alive else 0.0

    def _states(self, source: OriginValidation) -> OriginStates:
        """Return the RPKI states of one source; a change of them chooses anew in every domain that asks."""

        def asking() -> list[DomainTable]:
            return [domain for domain in self.domains.values() if domain.states is states]

        def changed(family: Family, keys: Collection[PrefixKey]) -> None:
            for domain in asking():
                self._mark(domain.name, family, keys)

        def needed(family: Family, key: PrefixKey) -> bool:
            return any(key in table.paths[family] for domain in asking() for table in domain.peers.values())

        states = OriginStates(source, changed, needed, time.monotonic)
        return states

    def _ask_anew(self, source: str) -> None:
        if source in self.states:
            self.states[source].begin()
        for domain in self.domains.values():
            if domain.config.source == source:
                domain.validated = dict.fromkeys(Family, False)

    # Questions

    @property
    def ready(self) -> bool:
        """True once the kernel has been read and every domain has been told completely."""
        return self.reconciler.ready and all(
            domain.complete[family] for domain in self.domains.values() for family in Family
        )

    @property
    def settled(self) -> bool:
        """True once everything is known and every choice has been made."""
        return self.ready and not self._dirty

    def down_reason(self, peer: Peer) -> str:
        """Return why a session is not up, or an empty string when nobody said so."""
        if peer.admin_state is AdminState.PREFIX_LIMIT:
            return shut_by_speaker(peer.id)
        return self.teardown.reason(peer.id) or peer.last_down_reason

    def describe(self, table: TableId, family: Family, key: PrefixKey) -> str:
        """Return which domain wants *key*."""
        for domain in self.domains.values():
            if domain.config.table == table and key in domain.desired[family]:
                return domain.name
        return self.domain_of_table(table)

    def domain_of_table(self, table: TableId) -> str:
        """Return the first domain that has a table."""
        return next((item.name for item in self.config.domains if item.table == table), "")

    def sessions(self, target: str) -> tuple[int, int, str]:
        """Return how many sessions of a domain, or of the peers at an address, are up, how many there are, and which are down."""
        domain = self.domains.get(target)
        tables = domain.peers.values() if domain else self.peers.values()
        found = [table.peer for table in tables if domain or table.peer.id.address == target]
        down = sorted(peer.id.address for peer in found if not peer.established)
        return len(found) - len(down), len(found), f"down: {', '.join(down[:3])}" if down else ""

    def warnings(self) -> list[str]:
        """Return what an operator should look at now, one sentence each."""
        found: list[str] = []
        for domain in self.domains.values():
            found += domain.limit_warnings()
            if not domain.config.imports:
                found.append(f"{domain.name}: no import rule, so nothing is accepted")
        found += [*self.limits.warnings(), *self.teardown.warnings()]
        found += [
            f"peer {peer.address}: {shut_by_speaker(peer)}"
            for peer, table in self.peers.items()
            if table.peer.admin_state is AdminState.PREFIX_LIMIT
        ]
        found += [f"source {name}: {words}" for name, states in self.states.items() for words in states.warnings()]
        found += [
            f"source {name}: {state.cause}; routes stay" for name, state in self.sources.items() if not state.alive
        ]
        found += [
            f"source {name}: {said}" for name, state in self.sources.items() for said in state.source.complaints()
        ]
        unassigned = [table.peer.id.address for table in self.peers.values() if not table.domain]
        if unassigned:
            found.append(f"peers in no domain: {', '.join(sorted(unassigned))}")
        for (table, family), state in self.reconciler.tables.items():
            if table in self.retired and state.image.routes:
                there = plural(len(state.image.routes), f"{family.label} route")
                found.append(f"table {table} belongs to no domain any more: {there} of ours there to be removed")
            if state.conflicts:
                shown = ", ".join(text_of(family, key) for key in sorted(state.conflicts)[:3])
                many = plural(len(state.conflicts), "route")
                found.append(f"table {table}: {many} would meet a foreign one, which is left alone: {shown}")
            left = state.guard.wait(self.reconciler.monotonic())
            if left is not None:
                held = f"{plural(len(state.difference.remove), 'removal')} held by the budget"
                found.append(f"table {table} {family.label}: {held}, {seconds_text(left)} more")
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
