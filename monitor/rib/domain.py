"""One routing domain: what its peers say for a prefix in, the route that we want and a verdict on each path out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.rib.decision import Candidate, Step, best_first, best_of, early, multipath
from monitor.rib.nexthop import Resolver
from monitor.rib.path import Path
from monitor.rib.policy import Decision, Policy
from monitor.rib.protect import ProtectedSet
from monitor.rib.reason import Reason
from programmer.route import Address, Family, Forwarding, NextHop, PrefixKey, forwarding

INTERN_LIMIT = 65536
"""How many forwardings are kept before all are forgotten; equal ones are then equal, but two objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPolicy:
    """What the configuration says about one domain's choice of routes.

    A prefix shorter than ``default_lengths`` of its family is default-like.  ``multipath`` is the largest number of next
    hops, from 1.  ``preferred_source`` is packed; a family that is not there has none.  ``encapsulated`` holds the ranges that
    nothing may overlap because the pod network is tunnelled, or None where it is not.
    """

    families: frozenset[Family]
    policy: Policy
    default_lengths: Mapping[Family, int]
    metric: int
    accept_defaults: bool = False
    multipath: int = 1
    preferred_source: Mapping[Family, bytes] = field(default_factory=dict)
    encapsulated: ProtectedSet | None = None
    require_auth: bool = False


class DomainCandidate(NamedTuple):
    """A path of one of the domain's peers, and what the checks need to know of that peer.

    ``peer_interface`` is the link to an unnumbered or link-local peer, else empty.  ``authenticated`` tells whether
    the session is, ``expired`` whether the peer has been away for longer than its stale paths may be used.
    """

    candidate: Candidate
    peer_address: Address
    peer_interface: str = ""
    authenticated: bool = False
    expired: bool = False


class Teller(NamedTuple):
    """What the checks and the decision need to know of the peer that told a path.

    The fields are those of ``DomainCandidate`` and of its ``Candidate``.
    """

    address: Address
    interface: str
    authenticated: bool
    expired: bool = False
    external: bool = True
    router_id: bytes = b""


class Verdict(NamedTuple):
    """What became of one path.

    ``reason`` None: it is used, alone or as one of several.  ``rule`` is the number of the import rule that decided.
    ``step`` is where a path lost the selection.
    """

    reason: Reason | None
    rule: int | None = None
    step: Step | None = None


class Selection(NamedTuple):
    """The outcome for one prefix: ``verdicts`` is parallel to the candidates, ``best`` an index into them or -1."""

    forwarding: Forwarding | None
    verdicts: tuple[Verdict, ...]
    best: int


class Interner:
    """Forwardings by content, so that equal ones are one object."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, tuple[NextHop, ...], bytes], Forwarding] = {}

    def __len__(self) -> int:
        return len(self._known)

    def intern(self, metric: int, next_hops: tuple[NextHop, ...], preferred_source: bytes) -> Forwarding:
        """Return the one object for this content; the order of *next_hops* does not matter."""
        if len(next_hops) > 1:
            next_hops = tuple(sorted(next_hops))
        key = (metric, next_hops, preferred_source)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= INTERN_LIMIT:
                self._known.clear()
            known = self._known[key] = forwarding(metric, next_hops, preferred_source)
        return known


class _Eligible(NamedTuple):
    """A path that competes: what the policy said, and its way out."""

    decision: Decision
    next_hop: NextHop


class Selector:
    """The choice of routes of one domain, under one configuration, at one state of the links."""

    def __init__(self, settings: DomainPolicy, resolver: Resolver, protected: ProtectedSet, interner: Interner) -> None:
        self._settings = settings
        self._resolver = resolver
        self._protected = protected
        self._interner = interner

    def select(self, family: Family, key: PrefixKey, candidates: Sequence[DomainCandidate]) -> Selection:
        """Return the route that we want for *key*, and a verdict on each candidate."""
        refusal = self._refuse_prefix(family, key)
        verdicts: list[Verdict] = []
        eligible: dict[int, _Eligible] = {}
        for index, ((path, _, _, _), address, interface, authenticated, expired) in enumerate(candidates):
            teller = Teller(address, interface, authenticated, expired)
            checked = self._check(family, key, path, teller, refusal)
            if isinstance(checked, Verdict):
                verdicts.append(checked)
            else:
                verdicts.append(Verdict(None, checked.decision.rule))
                eligible[index] = checked
        if not eligible:
            return Selection(None, tuple(verdicts), -1)
        if len(eligible) == 1:
            ((best, only),) = eligible.items()
            next_hops: tuple[NextHop, ...] = (only.next_hop,)
        else:
            competing = [candidates[index].candidate for index in eligible]
            best, next_hops, found = self._compete(competing, list(eligible.values()))
            best = list(eligible)[best]
            for index, verdict in zip(eligible, found, strict=True):
                verdicts[index] = verdict
        return Selection(self._forwarding(family, eligible[best].decision, next_hops), tuple(verdicts), best)

    def choose(
        self, family: Family, key: PrefixKey, told: Sequence[tuple[Path, Teller]]
    ) -> tuple[Forwarding | None, list[Reason | None], int]:
        """Return what ``select`` would: the route, the reason of each path's verdict, and the index of the best path or -1.

        It does not find out at which step a path lost, which is most of the work: a full table is chosen with this.
        """
        refusal = self._refuse_prefix(family, key)
        reasons: list[Reason | None] = []
        ways: list[tuple[int, _Eligible]] = []
        lowest: tuple[bool, int, int, int] | None = None
        for index, (path, teller) in enumerate(told):
            checked = self._check(family, key, path, teller, refusal)
            if isinstance(checked, Verdict):
                reasons.append(checked.reason)
                continue
            merit = early(path)
            # Who loses is told why when it is known against whom.
            reasons.append(Reason.NOT_BEST)
            if lowest is None or merit < lowest:
                lowest, ways = merit, [(index, checked)]
            elif merit == lowest:
                ways.append((index, checked))
        if lowest is None:
            return None, reasons, -1
        best, way = ways[0]
        next_hops: tuple[NextHop, ...] = (way.next_hop,)
        if not lowest[0]:
            for index, (path, _) in enumerate(told):
                if path.stale and reasons[index] is Reason.NOT_BEST:
                    reasons[index] = Reason.STALE
        if len(ways) == 1:
            reasons[best] = None
        else:
            rivals = [
                Candidate(path, teller.external, teller.router_id, teller.address.packed)
                for path, teller in (told[index] for index, _ in ways)
            ]
            if self._settings.multipath > 1:
                place, next_hops, verdicts = self._compete(rivals, [way for _, way in ways])
                for (index, _), verdict in zip(ways, verdicts, strict=True):
                    reasons[index] = verdict.reason
            else:
                place = best_of(rivals)
                next_hops = (ways[place][1].next_hop,)
                reasons[ways[place][0]] = None
            best, way = ways[place]
        return self._forwarding(family, way.decision, next_hops), reasons, best

    def select_one(
        self, family: Family, key: PrefixKey, path: Path, teller: Teller
    ) -> tuple[Forwarding | None, Reason | None]:
        """Return what ``select`` would for the only path of a prefix: the route, or the reason why there is none."""
        checked = self._check(family, key, path, teller, self._refuse_prefix(family, key))
        if isinstance(checked, Verdict):
            return None, checked.reason
        return self._forwarding(family, checked.decision, (checked.next_hop,)), None

    def _forwarding(self, family: Family, decision: Decision, next_hops: tuple[NextHop, ...]) -> Forwarding:
        """Return the route, with what the rule says, else the domain."""
        settings = self._settings
        metric = settings.metric if decision.metric is None else decision.metric
        source = decision.preferred_source or settings.preferred_source.get(family, b"")
        return self._interner.intern(metric, next_hops, source)

    def _refuse_prefix(self, family: Family, key: PrefixKey) -> Reason | None:
        """Return why no path whatsoever may be used for *key*, or None."""
        settings = self._settings
        shortest = settings.default_lengths[family]
        if key[0] < shortest and not settings.accept_defaults:
            return Reason.DEFAULT_ROUTE
        if self._protected.covering(family, key) is not None:
            return Reason.PROTECTED
        if settings.encapsulated is not None and settings.encapsulated.overlaps(family, key, shortest) is not None:
            return Reason.ENCAPSULATED
        return None

    def _check(
        self, family: Family, key: PrefixKey, path: Path, teller: Teller, refusal: Reason | None
    ) -> _Eligible | Verdict:
        """Return the path as a competitor, or the verdict that it cannot be one."""
        settings = self._settings
        if family not in settings.families:
            return Verdict(Reason.FAMILY_OFF)
        address, interface, authenticated, expired, _, _ = teller
        if settings.require_auth and not authenticated:
            return Verdict(Reason.UNAUTHENTICATED)
        decision = settings.policy.decide(family, key, path, address, interface)
        if decision.reason is not None:
            return Verdict(decision.reason, decision.rule)
        if refusal is not None:
            return Verdict(refusal, decision.rule)
        found = self._resolver.resolution(family, path.attributes, interface)
        if isinstance(found, Reason):
            return Verdict(found, decision.rule)
        if found.length <= key[0] and found.inside(family, key):
            return Verdict(Reason.NEXT_HOP_IN_PREFIX, decision.rule)
        if expired:
            return Verdict(Reason.EXPIRED, decision.rule)
        return _Eligible(decision, found.next_hop)

    def _compete(
        self, competing: Sequence[Candidate], ways: Sequence[_Eligible]
    ) -> tuple[int, tuple[NextHop, ...], list[Verdict]]:
        """Choose among several; returns the best one's index, the next hops, and a verdict on each.

        *ways* is parallel to *competing*.
        """
        ranking = best_first(competing)
        limit = self._settings.multipath
        equal = frozenset(multipath(competing, ranking)) if limit > 1 else frozenset((ranking[0].candidate,))
        fresh = not competing[ranking[0].candidate].path.stale
        next_hops: list[NextHop] = []
        verdicts = [Verdict(None, decision.rule) for decision, _ in ways]
        for index, step in ranking:
            decision, next_hop = ways[index]
            if index in equal:
                if next_hop in next_hops:
                    verdicts[index] = Verdict(Reason.SAME_NEXT_HOP, decision.rule, step)
                elif len(next_hops) < limit:
                    next_hops.append(next_hop)
                else:
                    verdicts[index] = Verdict(Reason.MULTIPATH_FULL, decision.rule, step)
            else:
                stale = fresh and competing[index].path.stale
                verdicts[index] = Verdict(Reason.STALE if stale else Reason.NOT_BEST, decision.rule, step)
        return ranking[0].candidate, tuple(next_hops), verdicts


def select(
    settings: DomainPolicy,
    resolver: Resolver,
    protected: ProtectedSet,
    family: Family,
    key: PrefixKey,
    candidates: Sequence[DomainCandidate],
    interner: Interner,
) -> Selection:
    """Choose for one prefix; a ``Selector`` does the same for many."""
    return Selector(settings, resolver, protected, interner).select(family, key, candidates)
