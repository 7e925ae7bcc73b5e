"""Limits on what one peer may send: who is near, who is beyond, and which of its prefixes may be used meanwhile.

Counted is what the peer sent, policy or not: by the speaker's own counter, or by our tables where they know it sooner.  A crossing
is seen between two slices of updates, so before anything beyond the limit is chosen.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from monitor.config import LimitAction, PeerLimit
from monitor.engine.domain import SETTLE_SECONDS, DomainTable
from monitor.engine.peer import Held, PeerTable
from monitor.engine.view import paths_of
from monitor.ports import Document
from monitor.rib.path import PeerId
from programmer.route import Family, PrefixKey, TableId

log = logging.getLogger("bgpmon.engine")

SAMPLES = 10
"""Seconds over which a table is watched for growth: without any, the newest prefixes are no part of a burst."""

Mark = Callable[[str, Family, Collection[PrefixKey]], None]
Note = Callable[[str], None]
Installed = Callable[[TableId, Family], Collection[PrefixKey]]


@dataclass(slots=True)
class Guard:
    """The limit of one peer and family at work.

    ``baseline`` has the prefixes that a crossing leaves in use: those used before the table began to fill, and for a few seconds
    after it is complete all that it had then; None later.  ``admitted`` has those that may be used while frozen, None while all
    may.  ``adopting`` is true until the kernel has been read: what is installed from an earlier life was in use before.
    """

    table: PeerTable
    family: Family
    domain: DomainTable
    limit: PeerLimit
    adopting: bool = False
    baseline: AbstractSet[PrefixKey] | None = None
    admitted: AbstractSet[PrefixKey] | None = None
    count: int = 0
    filling: bool = True
    settling: int = 0
    sizes: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    @property
    def over(self) -> bool:
        """Beyond the limit."""
        return self.count > self.limit.paths

    @property
    def near(self) -> bool:
        """At or beyond the share of the limit from which on there is a warning."""
        return self.count >= self.limit.warn_at

    def sample(self) -> None:
        """Note the size of the table, once a second."""
        self.sizes.append(len(self.table.paths[self.family]))
        if not self.filling and self.settling:
            self.settling -= 1
            if not self.settling:
                self.baseline = None

    @property
    def state(self) -> str:
        """One word: ``ok``, ``near``, ``over`` or ``frozen``."""
        if self.over:
            return "over" if self.limit.action is LimitAction.WARN else "frozen"
        return "near" if self.near else "ok"

    @property
    def kept_out(self) -> int:
        """How many prefixes are not used because of the limit."""
        if self.admitted is None:
            return 0
        paths = self.table.paths[self.family]
        if len(paths) < len(self.admitted):
            return sum(key not in self.admitted for key in paths)
        return len(paths) - sum(key in paths for key in self.admitted)

    @property
    def text(self) -> str:
        """What is counted, and the limit: ``192.0.2.2: 2,345 ipv4 paths, limit 2,000``."""
        return f"{self.table.peer.id.address}: {self.count:,} {self.family.label} paths, limit {self.limit.paths:,}"


class PeerLimits:
    """Every limited peer.

    ``mark`` is told which prefixes of a domain have to be chosen anew, ``note`` what happened, for the journal; ``installed``
    returns the prefixes of ours in a kernel table.
    """

    def __init__(self, mark: Mark, note: Note, installed: Installed) -> None:
        self.guards: dict[tuple[PeerId, Family], Guard] = {}
        self._mark = mark
        self._note = note
        self._installed = installed
        self._snapshots: dict[tuple[TableId, Family], frozenset[PrefixKey]] = {}

    def assign(self, table: PeerTable, domain: DomainTable | None, *, ready: bool) -> None:
        """Take over which domain a peer belongs to now; *ready* says whether the kernel has been read."""
        for family in Family:
            name = (table.peer.id, family)
            limit = domain.config.peer_limit.of(family) if domain else None
            guard = self.guards.pop(name, None)
            if guard is not None:
                guard.domain.frozen.pop(name, None)
            if limit is None or domain is None:
                continue
            if guard is None or guard.table is not table:
                guard = Guard(table, family, domain, limit)
                # What is installed when a peer is first heard of is from an earlier life, and was in use.
                guard.adopting = limit.action is not LimitAction.WARN and not table.paths[family]
                guard.baseline = set(table.paths[family])
            elif limit.action is LimitAction.WARN:
                guard.admitted, guard.adopting = None, False
            guard.domain, guard.limit = domain, limit
            self.guards[name] = guard
            if guard.adopting and ready:
                self._adopt(guard)
            self._place(guard)

    def forget(self, peer: PeerId) -> None:
        """The peer is gone."""
        for family in Family:
            guard = self.guards.pop((peer, family), None)
            if guard is not None:
                guard.domain.frozen.pop((peer, family), None)

    def session_up(self, table: PeerTable) -> None:
        """A session is new: what was received before it began had been in use, the rest is its own."""
        since = table.peer.since
        for guard in self._of(table):
            if not guard.adopting:
                began = since.timestamp() if since else 0.0
                guard.baseline = {key for key in self._usable(guard) if _received_at(table, guard.family, key) < began}
                guard.filling = True

    def judge(self, *, ready: bool, sample: bool = False) -> bool:
        """Look at every guard and say whether one was crossed; with *sample*, once a second, note the sizes of tables too."""
        crossed = False
        for guard in self.guards.values():
            if guard.adopting:
                if not ready:
                    continue
                self._adopt(guard)
            filling = guard.family not in guard.table.proof
            if filling and not guard.filling:
                guard.baseline, guard.filling = self._usable(guard), True
            was_over = guard.over
            guard.count = received(guard.table, guard.family, guard.limit.paths)
            if guard.over and (not was_over or self._should_freeze(guard)):
                self._cross(guard, new=not was_over)
                crossed = True
            elif was_over and not guard.over:
                self._recover(guard)
            if guard.filling and not filling:
                guard.baseline, guard.filling, guard.settling = self._usable(guard), False, SETTLE_SECONDS
                if guard.admitted is not None:
                    guard.admitted = guard.baseline
                    self._place(guard)
            if sample:
                guard.sample()
        if self._snapshots and not any(guard.filling for guard in self.guards.values()):
            self._snapshots.clear()
        return crossed

    def warnings(self) -> Iterator[str]:
        """Yield what an operator should know, one sentence for each guard; that a session is shut is said elsewhere."""
        for guard in self.guards.values():
            if guard.over and guard.limit.action is LimitAction.WARN:
                yield f"peer {guard.text}: beyond it; the action is warn"
            elif guard.over:
                yield f"peer {guard.text}: frozen, {guard.kept_out:,} prefixes not admitted"
            elif guard.near:
                yield f"peer {guard.text}: near it"

    def _of(self, table: PeerTable) -> Iterator[Guard]:
        for family in Family:
            if guard := self.guards.get((table.peer.id, family)):
                yield guard

    @staticmethod
    def _should_freeze(guard: Guard) -> bool:
        return guard.admitted is None and guard.limit.action is not LimitAction.WARN

    @staticmethod
    def _usable(guard: Guard) -> set[PrefixKey]:
        held = set(guard.table.paths[guard.family])
        return held if guard.admitted is None else held & guard.admitted

    def _place(self, guard: Guard) -> None:
        """Tell the domain which prefixes of the peer it may use."""
        name = (guard.table.peer.id, guard.family)
        if guard.adopting:
            guard.domain.frozen[name] = frozenset()
        elif guard.admitted is not None:
            guard.domain.frozen[name] = guard.admitted
        else:
            guard.domain.frozen.pop(name, None)

    def _adopt(self, guard: Guard) -> None:
        guard.adopting, guard.filling = False, True
        name = (guard.domain.config.table, guard.family)
        if name not in self._snapshots:
            self._snapshots[name] = frozenset(self._installed(*name))
        guard.baseline = self._snapshots[name]
        self._place(guard)
        self._mark(guard.domain.name, guard.family, guard.table.paths[guard.family])

    def _cross(self, guard: Guard, *, new: bool) -> None:
        consequence = "it goes on all the same"
        if self._should_freeze(guard):
            paths = guard.table.paths[guard.family]
            if guard.baseline is not None:
                # Not all of these have been told yet, perhaps.
                guard.admitted = guard.baseline
            else:
                guard.admitted = paths.keys() - newest(paths, grew=_grew(guard))
            self._place(guard)
            self._mark(guard.domain.name, guard.family, paths.keys() - guard.admitted)
            consequence = "nothing more is admitted"
        if new:
            self._note(f"{guard.text}: beyond it, {consequence}")
            log.warning("peer limit crossed %s: %s", guard.text, consequence)

    def _recover(self, guard: Guard) -> None:
        admitted, guard.admitted = guard.admitted, None
        self._place(guard)
        if admitted is not None:
            self._mark(guard.domain.name, guard.family, guard.table.paths[guard.family].keys() - admitted)
        self._note(f"{guard.text}: below it again")
        log.info("peer limit kept again %s", guard.text)


def guard_document(guard: Guard) -> Document:
    """``{paths, limit, action, state, not_admitted}`` of one guard."""
    return {
        "paths": guard.count,
        "limit": guard.limit.paths,
        "action": guard.limit.action.value,
        "state": guard.state,
        "not_admitted": guard.kept_out,
    }


def shut_by_speaker(peer: PeerId) -> str:
    """Return what to say of a session that the speaker shut for a prefix limit of its own; it never opens one again."""
    return f"shut by the speaker's own prefix limit; open it with `gobgp neighbor {peer.address} enable`"


def received(table: PeerTable, family: Family, limit: int) -> int:
    """Return how many paths of *family* the peer sent, as far as that is known.

    Our own tables count a prefix once, also with several paths (add-path); the speaker's counter counts each.  Below *limit* the
    answer may be too high by what the speaker refuses of the other family.
    """
    counter = table.peer.families.get(family)
    told = len(table.paths[family])
    known = told + len(table.rejected)
    if known > limit:
        known = told + sum(of is family for of, _ in table.rejected)
    return max(known, counter.received if counter is not None and table.peer.established else 0)


def newest(paths: dict[PrefixKey, Held], *, grew: bool) -> set[PrefixKey]:
    """Return the prefixes that arrived last, in one burst; none unless the table *grew* lately.

    A dictionary keeps the order in which prefixes first arrived, so this costs no more than the burst is long.  When a path
    was received is known in whole seconds of the speaker's clock.
    """
    burst: set[PrefixKey] = set()
    begins = 0
    for key in reversed(paths) if grew else ():
        at = max(path.received_at for path in paths_of(paths[key]))
        begins = begins or at - SETTLE_SECONDS
        if at < begins:
            break
        burst.add(key)
    return burst


def _grew(guard: Guard) -> bool:
    return len(guard.table.paths[guard.family]) > min(guard.sizes, default=0)


def _received_at(table: PeerTable, family: Family, key: PrefixKey) -> int:
    return max(path.received_at for path in table.held(family, key))
