"""One routing domain at work: its peers' candidates in, outcomes, counts and desired routes out."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeVar

from monitor.config import DomainConfig, LimitAction
from monitor.engine.peer import Held, PeerTable
from monitor.engine.text import plural
from monitor.engine.validation import OriginStates
from monitor.engine.view import View, paths_of
from monitor.rib.decision import Candidate
from monitor.rib.domain import DomainCandidate, DomainPolicy, Interner, Selection, Selector, Teller
from monitor.rib.nexthop import Resolver
from monitor.rib.path import Path, PeerId
from monitor.rib.protect import ProtectedSet
from monitor.rib.reason import Reason, Stage
from programmer.route import Address, Family, Forwarding, PrefixKey

SETTLE_SECONDS = 5
"""Routes admitted within this time before a limit is crossed belong to the same burst, and go with it."""


Value = TypeVar("Value")


class Outcome(NamedTuple):
    """What became of one path of one prefix; ``reason`` None means that it is used."""

    peer: PeerId
    reason: Reason | None
    best: bool


Outcomes = tuple[Outcome, ...]
Change = tuple[PrefixKey, Forwarding | None]
"""A key whose desired route changed, and what is desired there now."""


def _nothing(_key: PrefixKey) -> Held | None:
    """Hold no path."""
    return None


class DomainTable:
    """One domain: which peers it has and what it wants in its table, per family."""

    def __init__(self, config: DomainConfig, policy: DomainPolicy) -> None:
        self.config = config
        self.policy = policy
        self.peers: dict[PeerId, PeerTable] = {}
        self._selector: Selector | None = None
        self._interner = Interner()
        self.desired: dict[Family, dict[PrefixKey, Forwarding]] = {family: {} for family in Family}
        self.limited: dict[Family, dict[PrefixKey, Forwarding]] = {family: {} for family in Family}
        self.reasons: dict[Family, Counter[Reason]] = {family: Counter() for family in Family}
        self.peer_best: Counter[tuple[PeerId, Family]] = Counter()
        self.best: Counter[Family] = Counter()
        self.complete: dict[Family, bool] = dict.fromkeys(Family, False)
        self._outcomes: dict[Family, dict[PrefixKey, Outcomes]] = {family: {} for family in Family}
        self._interned: dict[Outcomes, Outcomes] = {}
        self._lone_outcomes: dict[tuple[PeerId, Reason | None], Outcomes] = {}
        self._freezes = {
            family: (limit := config.limit.of(family)) is not None and limit.action is LimitAction.FREEZE
            for family in Family
        }
        self._recent: dict[Family, dict[PrefixKey, float]] = {family: {} for family in Family}
        self._good: dict[Family, Collection[PrefixKey] | None] = dict.fromkeys(Family, ())
        """Prefixes that were in use before a limit was crossed: they have room first; None before that is known."""
        self.filling: dict[Family, bool] = dict.fromkeys(Family, False)
        """Whether what is new waits until everything has been told: routes of an earlier life are installed, below a limit."""
        self.settled: dict[Family, bool] = dict.fromkeys(Family, False)
        """Whether ``settle`` was told since the domain was last incomplete."""
        self.frozen: dict[tuple[PeerId, Family], AbstractSet[PrefixKey]] = {}
        """Peers beyond their limit, and the prefixes that they may still use."""
        self.states: OriginStates | None = None
        """Where RPKI states come from; None while the import policy does not ask."""
        self.validated: dict[Family, bool] = dict.fromkeys(Family, False)
        """Whether everything that the import policy asks of RPKI has been answered once since the feed began."""

    @property
    def name(self) -> str:
        """The domain's name."""
        return self.config.name

    @property
    def choosing(self) -> bool:
        """False until the node's links are known."""
        return self._selector is not None

    def reach(self, resolver: Resolver, protected: ProtectedSet) -> None:
        """Take over what the node's links and addresses say; every prefix has to be chosen anew."""
        self._selector = Selector(self.policy, resolver, protected, self._interner)

    def candidates(self, family: Family, key: PrefixKey) -> list[DomainCandidate]:
        """Return every path of the domain's own peers for one prefix."""
        found: list[DomainCandidate] = []
        for table in self.peers.values():
            peer, address, told = table.peer, table.address, self.view(table, family).get(key)
            if address is None or told is None:
                continue
            stale = peer.restarting or table.is_retained(family, key)
            found += [
                DomainCandidate(
                    Candidate(
                        path._replace(stale=path.stale or stale),
                        peer.external,
                        peer.router_id,
                        address.packed,
                    ),
                    address,
                    table.interface,
                    bool(peer.authenticated),
                    table.expired,
                )
                for path in paths_of(told)
            ]
        return found

    def view(self, table: PeerTable, family: Family) -> dict[PrefixKey, Held] | View:
        """Return a peer's paths as this domain may use them; one that is told apart by its ``get`` alone."""
        admitted = self.frozen.get((table.peer.id, family))
        if admitted is None and self.states is None:
            return table.paths[family]
        return View(family, table.paths[family], admitted, self.states)

    def chosen_paths(self, family: Family) -> Callable[[PrefixKey], Path | None]:
        """Return what tells the best path of a prefix as it was chosen last, None where none was or that cannot be told any more.

        It costs two look-ups, where choosing anew costs a decision among all paths.  It is good until others have their turn.
        """
        outcomes_of = self._outcomes[family].get
        held_by = {peer: self.view(table, family).get for peer, table in self.peers.items()}
        lone: dict[int, Callable[[PrefixKey], Held | None]] = {}
        """What the peer of a lone best path holds, by the identity of the outcomes: they are interned, and few."""

        def chosen(key: PrefixKey) -> Path | None:
            outcomes = outcomes_of(key)
            if outcomes is None:
                return None
            holds = lone.get(id(outcomes))
            if holds is None:
                best = next((index for index, outcome in enumerate(outcomes) if outcome.best), None)
                if best is None:
                    return None
                peer = outcomes[best].peer
                holds = held_by.get(peer, _nothing)
                of_peer = [index for index, outcome in enumerate(outcomes) if outcome.peer == peer]
                if len(of_peer) > 1:
                    # One outcome per path, in the order in which the peer's paths stand.
                    held = holds(key)
                    paths = () if held is None else paths_of(held)
                    return paths[of_peer.index(best)] if len(of_peer) == len(paths) else None
                lone[id(outcomes)] = holds
            found = holds(key)
            return found if isinstance(found, Path) else None

        return chosen

    def lone_paths(self, family: Family) -> Callable[[Sequence[PrefixKey]], list[Path | None]]:
        """Return what tells the best paths of many prefixes, as ``chosen_paths`` does of one, in a third of the time.

        None too where a peer holds several paths.
        """
        held_by = {peer: self.view(table, family).get for peer, table in self.peers.items()}
        holders = self._of_best(family, lambda peer: _nothing if peer is None else held_by.get(peer, _nothing))

        def chosen(keys: Sequence[PrefixKey]) -> list[Path | None]:
            held = [holds(key) for holds, key in zip(holders(keys), keys, strict=True)]
            if set(map(type, held)) == {Path}:
                return held  # type: ignore[return-value]
            # A named tuple is a tuple too: one path is told apart from several by its type.
            return [path if isinstance(path, Path) else None for path in held]

        return chosen

    def best_peers(self, family: Family) -> Callable[[Sequence[PrefixKey]], list[PeerId | None]]:
        """Return what tells whose path is the best of many prefixes, as it was chosen last; good until others have their turn."""
        return self._of_best(family, lambda peer: peer)

    def _of_best(
        self, family: Family, value_of: Callable[[PeerId | None], Value]
    ) -> Callable[[Sequence[PrefixKey]], list[Value]]:
        """Return what tells of many prefixes the value of the peer whose path is the best, each peer's value asked for once."""
        outcomes_of = self._outcomes[family].get
        known: dict[int, Value] = {}
        """By the identity of the outcomes: they are interned, and few."""

        def values(keys: Sequence[PrefixKey]) -> list[Value]:
            found = list(map(outcomes_of, keys))
            names = list(map(id, found))
            if not known.keys() >= set(names):
                for name, outcomes in dict(zip(names, found, strict=True)).items():
                    if name not in known:
                        best = next((outcome.peer for outcome in outcomes or () if outcome.best), None)
                        known[name] = value_of(best)
            return [known[name] for name in names]

        return values

    def kept_out(self, family: Family, key: PrefixKey) -> list[Path]:
        """Return the paths that the limit of their peer keeps out."""
        return [
            path
            for (peer, of), admitted in self.frozen.items()
            if of is family and key not in admitted and peer in self.peers
            for path in self.peers[peer].held(family, key)
        ]

    def select(self, family: Family, key: PrefixKey, candidates: list[DomainCandidate]) -> Selection:
        """Choose among candidates; pure with respect to what the domain knows now."""
        assert self._selector is not None
        return self._selector.select(family, key, candidates)

    def recompute(self, family: Family, keys: Iterable[PrefixKey], now: float) -> list[Change]:
        """Choose again for *keys*; returns each key whose desired route changed.  *now* is monotonic seconds."""
        assert self._selector is not None
        select_one, choose, known = self._selector.select_one, self._selector.choose, self._outcomes[family]
        tellers = [
            (
                self.view(table, family),
                Teller(
                    table.address,
                    table.interface,
                    bool(table.peer.authenticated),
                    table.expired,
                    table.peer.external,
                    table.peer.router_id,
                ),
            )
            for table in self.peers.values()
            if table.address is not None
        ]
        # Who is stale, and which of several paths of one peer, only ``candidates`` says.
        steady = not any(table.peer.restarting or family in table.retained for table in self.peers.values())
        changes: list[Change] = []
        for key in keys:
            forwarding: Forwarding | None = None
            outcomes: Outcomes = ()
            held = [(told, teller) for paths, teller in tellers if (told := paths.get(key)) is not None]
            if self.states is not None and self.states.waits(
                family, key, [path for told, _ in held for path in paths_of(told)]
            ):
                continue
            # A named tuple is a tuple too: one path is told apart from several by its type.
            alone = [(told, teller) for told, teller in held if isinstance(told, Path)]
            if len(held) == 1 and alone:  # most prefixes of most domains have one
                path, teller = alone[0]
                forwarding, reason = select_one(family, key, path, teller)
                outcomes = self._lone_outcome(path.peer, reason)
            elif held and steady and len(alone) == len(held):
                forwarding, reasons, best = choose(family, key, alone)
                outcomes = self._outcomes_of(known.get(key, ()), alone, reasons, best)
            elif held:
                candidates = self.candidates(family, key)
                selection = self.select(family, key, candidates)
                outcomes = tuple(
                    Outcome(candidate.candidate.path.peer, verdict.reason, index == selection.best)
                    for index, (candidate, verdict) in enumerate(zip(candidates, selection.verdicts, strict=True))
                )
                forwarding = selection.forwarding
            if self.frozen:
                outcomes += tuple(
                    Outcome(path.peer, Reason.PEER_LIMIT, best=False) for path in self.kept_out(family, key)
                )
            if known.get(key, ()) != outcomes:
                self._count(family, key, outcomes)
            self._desire(family, key, forwarding, now, changes)
        return changes

    @staticmethod
    def _outcomes_of(
        before: Outcomes, told: Sequence[tuple[Path, Teller]], reasons: Sequence[Reason | None], best: int
    ) -> Outcomes:
        """Return an outcome for each path: those of *before*, where nothing came out differently."""
        if len(before) == len(told):
            for index, (peer, reason, was_best) in enumerate(before):
                if peer != told[index][0].peer or reason is not reasons[index] or was_best is not (index == best):
                    break
            else:
                return before
        return tuple(
            Outcome(path.peer, reason, index == best)
            for index, ((path, _), reason) in enumerate(zip(told, reasons, strict=True))
        )

    def _lone_outcome(self, peer: PeerId, reason: Reason | None) -> Outcomes:
        known = self._lone_outcomes.get((peer, reason))
        if known is None:
            known = self._lone_outcomes[peer, reason] = (Outcome(peer, reason, reason is None),)
        return known

    def _count(self, family: Family, key: PrefixKey, outcomes: Outcomes) -> None:
        """Keep the counters in step with what became of the paths of one prefix."""
        table, reasons = self._outcomes[family], self.reasons[family]
        for sign, side in ((-1, table.get(key, ())), (1, outcomes)):
            for peer, reason, best in side:
                if reason is not None:
                    reasons[reason] += sign
                if best:
                    self.peer_best[peer, family] += sign
                    self.best[family] += sign
        if outcomes:
            table[key] = self._interned.setdefault(outcomes, outcomes)
        else:
            del table[key]

    def _desire(
        self, family: Family, key: PrefixKey, value: Forwarding | None, now: float, changes: list[Change]
    ) -> None:
        """Want *value* at *key*, as far as the limit admits it; adds to *changes* what differs from before."""
        desired = self.desired[family]
        held = desired.get(key)
        if value is not None and (held is not None or not self._freezes[family]):
            if held != value:
                desired[key] = value
                changes.append((key, value))
        elif value is None:
            self.limited[family].pop(key, None)
            self._recent[family].pop(key, None)
            if held is not None:
                del desired[key]
                changes.append((key, None))
            self._admit(family, changes)
        else:
            self._request(family, key, value, now, changes)

    def adopt(self, family: Family, installed: Collection[PrefixKey] | None) -> None:
        """Take what is *installed* for the last good set; None, where it is not known yet, lets no new route in.

        A start and a reload know nothing else of the time before a limit was crossed.  Every prefix has to be chosen anew.
        """
        if self._freezes[family]:
            self._good[family] = None if installed is None else frozenset(installed)
            self.filling[family] = bool(installed)
            self.limited[family].clear()

    def waits_for_adoption(self, family: Family) -> bool:
        """Say whether ``adopt`` has still to be told what is installed."""
        return self._good[family] is None

    def settle(self, family: Family) -> list[PrefixKey]:
        """Everything has been told: what is in use now is no part of a burst that comes later.

        Returns what waited for this and is wanted from now on.
        """
        self._recent[family].clear()
        self.filling[family], self.settled[family] = False, True
        changes: list[Change] = []
        self._admit(family, changes)
        if self._good[family] is not None and not self.limited[family]:
            self._good[family] = ()
        return [key for key, _ in changes]

    def _request(self, family: Family, key: PrefixKey, value: Forwarding, now: float, changes: list[Change]) -> None:
        """Admit a new route below the limit, else keep it waiting."""
        desired, limited, recent = self.desired[family], self.limited[family], self._recent[family]
        limit, good = self.config.limit.of(family), self._good[family]
        assert limit is not None
        may_come = not limited and not self.filling[family]
        if good is not None and len(desired) < limit.routes and (may_come or key in good):
            desired[key] = value
            changes.append((key, value))
            limited.pop(key, None)
            if key not in good:
                recent[key] = now
            return
        crossed = not limited
        limited[key] = value
        if good is None or self.filling[family]:
            return
        # The first routes of the same burst slipped in below the limit: no partial set stays.
        for burst in [name for name, at in recent.items() if now - at <= SETTLE_SECONDS]:
            limited[burst] = desired.pop(burst)
            changes.append((burst, None))
        recent.clear()
        if crossed:
            self._good[family] = desired.keys() | good

    def _admit(self, family: Family, changes: list[Change]) -> None:
        """Let in what waits, once all of it fits below the limit."""
        limit, limited, desired = self.config.limit.of(family), self.limited[family], self.desired[family]
        if limited and limit is not None and len(desired) + len(limited) <= limit.routes:
            desired.update(limited)
            changes += limited.items()
            limited.clear()
            self._good[family] = ()

    def unheard(self) -> list[str]:
        """Return the peers that are configured by their address and of which the source has said nothing."""
        # Asked after every burst, so not every selector is held against every peer.
        known: dict[bytes, list[tuple[Address, str]]] = {}
        for table in self.peers.values():
            if table.address is not None:
                known.setdefault(table.address.packed, []).append((table.address, table.interface))
        return [
            selector.text
            for selector in self.config.peers
            if selector.prefix is not None
            and selector.names_one
            and not any(selector.matches(*peer) for peer in known.get(selector.prefix.network_address.packed, ()))
        ]

    def limit_warnings(self) -> list[str]:
        """Return what to say of limits that are near or crossed, one sentence each."""
        found: list[str] = []
        for family in Family:
            limit, waiting = self.config.limit.of(family), len(self.limited[family])
            if limit is None:
                continue
            count = len(self.desired[family]) + waiting
            if waiting and self.filling[family]:
                what = plural(waiting, f"new {family.label} route")
                found.append(f"{self.name}: {what} to wait until everything is told, for the limit of {limit.routes:,}")
            elif waiting:
                found.append(
                    f"{self.name} {family.label}: {count:,} routes wanted, limit {limit.routes:,}: "
                    f"frozen, {waiting:,} not admitted"
                )
            elif count >= limit.warn_at:
                found.append(f"{self.name} {family.label}: {count:,} of at most {limit.routes:,} routes")
        return found

    def keys(self, family: Family) -> set[PrefixKey]:
        """Return every prefix that a peer of the domain holds, or that has an outcome."""
        found = set(self._outcomes[family])
        for table in self.peers.values():
            found |= table.paths[family].keys()
        return found

    def counts(self, family: Family) -> dict[str, int]:
        """Return the funnel of one family: paths at or beyond each stage, and desired routes."""
        reasons = self.reasons[family]
        total = sum(len(table.paths[family]) for table in self.peers.values())

        def stopped_before(stage: Stage) -> int:
            return sum(count for reason, count in reasons.items() if reason.stage < stage)

        return {
            "accepted": total,
            "in_policy": total - stopped_before(Stage.IN_POLICY),
            "eligible": total - stopped_before(Stage.ELIGIBLE),
            "best": self.best[family],
            "desired": len(self.desired[family]),
        }
