"""One routing domain at work: its peers' candidates in, outcomes, counts and desired routes out."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from monitor.config import DomainConfig, LimitAction
from monitor.engine.peer import PeerTable
from monitor.rib.decision import Candidate
from monitor.rib.domain import DomainCandidate, DomainPolicy, Interner, Selection, Selector
from monitor.rib.nexthop import Resolver
from monitor.rib.path import PeerId
from monitor.rib.protect import ProtectedSet
from monitor.rib.reason import Reason, Stage
from programmer.route import Family, Forwarding, PrefixKey

SETTLE_SECONDS = 5.0
"""Routes admitted within this time before a limit is crossed belong to the same burst, and go with it."""


class Outcome(NamedTuple):
    """What became of one path of one prefix; ``reason`` None means that it is used."""

    peer: PeerId
    reason: Reason | None
    best: bool


Outcomes = tuple[Outcome, ...]


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
        self._recent: dict[Family, dict[PrefixKey, float]] = {family: {} for family in Family}

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
            peer, address = table.peer, table.address
            if address is None or key not in table.paths[family]:
                continue
            found += [
                DomainCandidate(
                    Candidate(path, peer.external, peer.router_id, address.packed),
                    address,
                    peer.interface or getattr(address, "scope_id", None) or "",
                    peer.authenticated,
                )
                for path in table.held(family, key)
            ]
        return found

    def select(self, family: Family, key: PrefixKey, candidates: list[DomainCandidate]) -> Selection:
        """Choose among candidates; pure with respect to what the domain knows now."""
        assert self._selector is not None
        return self._selector.select(family, key, candidates)

    def recompute(
        self, family: Family, keys: Iterable[PrefixKey], now: float
    ) -> Iterator[tuple[PrefixKey, Forwarding | None]]:
        """Choose again for *keys*; yields each key whose desired route changed.  *now* is monotonic seconds."""
        for key in keys:
            candidates = self.candidates(family, key)
            if candidates:
                selection = self.select(family, key, candidates)
                outcomes = tuple(
                    Outcome(candidate.candidate.path.peer, verdict.reason, index == selection.best)
                    for index, (candidate, verdict) in enumerate(zip(candidates, selection.verdicts, strict=True))
                )
                forwarding = selection.forwarding
            else:
                outcomes, forwarding = (), None
            self._count(family, key, outcomes)
            yield from self._desire(family, key, forwarding, now)

    def _count(self, family: Family, key: PrefixKey, outcomes: Outcomes) -> None:
        table, reasons = self._outcomes[family], self.reasons[family]
        before = table.get(key, ())
        if before == outcomes:
            return
        for sign, side in ((-1, before), (1, outcomes)):
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
        self, family: Family, key: PrefixKey, value: Forwarding | None, now: float
    ) -> Iterator[tuple[PrefixKey, Forwarding | None]]:
        desired, limited, recent = self.desired[family], self.limited[family], self._recent[family]
        limit = self.config.limit.of(family)
        if value is None:
            limited.pop(key, None)
            recent.pop(key, None)
            if desired.pop(key, None) is not None:
                yield key, None
            yield from self._admit(family)
            return
        if key in desired:
            if desired[key] != value:
                desired[key] = value
                yield key, value
            return
        if limit is None or limit.action is not LimitAction.FREEZE:
            desired[key] = value
            yield key, value
            return
        if limited or len(desired) >= limit.routes:
            limited[key] = value
            # The first routes of the same burst slipped in below the limit: no partial set stays.
            for burst in [name for name, at in recent.items() if now - at <= SETTLE_SECONDS]:
                limited[burst] = desired.pop(burst)
                yield burst, None
            recent.clear()
            return
        desired[key] = value
        recent[key] = now
        yield key, value

    def _admit(self, family: Family) -> Iterator[tuple[PrefixKey, Forwarding | None]]:
        limit, limited, desired = self.config.limit.of(family), self.limited[family], self.desired[family]
        if limited and limit is not None and len(desired) + len(limited) <= limit.routes:
            desired.update(limited)
            yield from list(limited.items())
            limited.clear()

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
