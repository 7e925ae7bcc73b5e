"""One family of one table: what is desired, what is installed, and what lies between them."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from programmer.approval import CHURN_SECONDS
from programmer.diff import Difference
from programmer.fib import Fib, Ownership, RouteEvent, TableImage
from programmer.guards import Failure, RemovalGuard
from programmer.plan import Operation
from programmer.route import Family, Forwarding, PrefixKey, TableId

SLICE = 5000
"""Keys compared in one go: about a millisecond."""

SHAKEN_SECONDS = 10.0
"""How long after a link went down a route that is missing counts as taken by the kernel."""
UNDONE_SECONDS = 86400.0
"""How long what was rolled back is not written again by itself."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What the configuration says of one family of one table.

    ``metrics`` are all the metrics that make a route of our protocol ours there, old ones from the journal included.
    A prefix shorter than ``default_length`` counts as a default route.
    """

    table: TableId
    family: Family
    metrics: frozenset[int]
    budget_percent: float = 20.0
    budget_routes: int = 100
    budget_hold: float = 600.0
    default_length: int = 1


class Churn(NamedTuple):
    """How many routes were added and removed."""

    adds: int
    removals: int


@dataclass(slots=True)
class TableState:
    """Desired and installed of one family of one table.

    ``acknowledged`` holds what the kernel accepted and has not been read back yet.  ``removals_allowed`` is False until what
    BGP says about this table is complete: nothing is deleted on the ground of missing knowledge.
    """

    spec: TableSpec
    protocol: int
    desired: dict[PrefixKey, Forwarding] = field(default_factory=dict)
    image: TableImage = field(default_factory=lambda: TableImage(carried=Counter()))
    difference: Difference = field(default_factory=Difference)
    acknowledged: dict[PrefixKey, Forwarding | None] = field(default_factory=dict)
    failures: dict[PrefixKey, Failure] = field(default_factory=dict)
    conflicts: set[PrefixKey] = field(default_factory=set)
    drift: set[PrefixKey] = field(default_factory=set)
    removals_allowed: bool = False
    read: bool = False
    unseen: bool = False
    """Notifications were lost since this table was read: a route that another program put in the place of ours is not known."""
    read_at: float = 0.0
    drift_total: int = 0
    acknowledged_since: float | None = None
    guard: RemovalGuard = field(init=False)
    ownership: Ownership = field(init=False)
    """What makes a route here ours."""
    unjudged: set[PrefixKey] = field(default_factory=set)
    """Keys that differ, and of which nobody has found out yet whether they may be written without a person."""
    removable: set[PrefixKey] = field(default_factory=set)
    """Keys whose removal needs no person, and waits for the budget."""
    judge_at: float = 0.0
    """When all that differs is judged again (monotonic seconds)."""
    shaken: dict[int, float] = field(default_factory=dict)
    """Links that went down or lost an address, and when (monotonic seconds): the kernel took routes away."""
    dropped: dict[PrefixKey, Forwarding] = field(default_factory=dict)
    """What the kernel took away in that way, until it is there again."""
    rolled_back: dict[PrefixKey, dict[Forwarding | None, float]] = field(default_factory=dict)
    """What a roll-back undid, and until when (monotonic seconds) it is not written again unless a person approves it."""
    outside: list[Operation] = field(default_factory=list)
    """What others did to routes of ours, until the journal has it."""
    changes: int = 0
    """How often a route may have changed in what is desired, what is installed, or what lies between; it only grows."""
    turnover: int = 0
    """How often a prefix came into what is desired, or went; it only grows.  As long as it stands, a walk through that goes on."""
    _written: deque[tuple[float, int, int]] = field(default_factory=deque)
    _added: int = 0
    _removed: int = 0
    """How much the entries of ``_written`` come to: this is asked for every operation that is judged."""
    _filed_meanwhile: set[PrefixKey] | None = None
    _told_meanwhile: list[RouteEvent] | None = None

    def __post_init__(self) -> None:
        self.guard = RemovalGuard(self.spec.budget_percent, self.spec.budget_routes, self.spec.budget_hold)
        self.ownership = Ownership(self.protocol, self.spec.metrics)

    def current(self, key: PrefixKey) -> Forwarding | None:
        """What the kernel has, as far as it has told us."""
        return self.acknowledged[key] if key in self.acknowledged else self.image.routes.get(key)

    @property
    def installed(self) -> int:
        """How many prefixes have a route of ours, as far as the kernel has told us: also what was not read back yet."""
        return len(self.desired) - len(self.difference.add) + len(self.difference.remove)

    def want(self, key: PrefixKey, value: Forwarding | None) -> None:
        """Set what is desired at *key*."""
        held = self.desired.get(key)
        if (held is None) is not (value is None):
            self.turnover += 1
        if value is None or held != value:
            self.failures.pop(key, None)
        if value is None:
            self.desired.pop(key, None)
        else:
            self.desired[key] = value
        self._file(key)

    def _file(self, key: PrefixKey) -> None:
        """Say anew what is to be done at *key*."""
        self.changes += 1
        if self._filed_meanwhile is not None:
            self._filed_meanwhile.add(key)
        desired, current = self.desired.get(key), self.current(key)
        self.difference.update(key, desired, current)
        if desired == current:
            self.unjudged.discard(key)
            self.dropped.pop(key, None)
        else:
            self.unjudged.add(key)
        if desired == current:
            self.drift.discard(key)
        if desired is None or desired == current:
            self.conflicts.discard(key)
        elif (key, desired.metric) in self.image.foreign:
            self.conflicts.add(key)
        else:
            self.conflicts.discard(key)

    async def refresh(self, fib: Fib, monotonic: Callable[[], float]) -> int:
        """Read the table and take that over, in slices; nothing may be written meanwhile.

        What the kernel tells in that time is kept, since the read may have passed that place already.  Returns how many of
        our routes had changed behind our back.  Raises DumpInterrupted and FibUnavailable, and then knows what it knew.
        """
        unseen, self.unseen = self.unseen, False
        self._told_meanwhile = []
        try:
            image = await fib.read(self.spec.table, self.spec.family, self.ownership)
        except BaseException:
            self.unseen |= unseen
            self._told_meanwhile = None
            raise
        self._catch_up(image)
        now = monotonic()
        self.calm(now)
        return await self._take_over(image, now)

    def _catch_up(self, image: TableImage) -> list[RouteEvent]:
        """Have an image know what was told since its reading began."""
        told, self._told_meanwhile = self._told_meanwhile or [], []
        for event in told:
            image.take(event, self.ownership)
        return told

    async def _take_over(self, image: TableImage, now: float) -> int:
        """Replace what is installed, in slices: between two of them events and wishes may come in."""
        desired, routes, before = self.desired, image.routes, self.image.routes
        found, conflicts, carried = Difference(), set[PrefixKey](), Counter[Forwarding]()
        drifted: list[PrefixKey] = []
        self._filed_meanwhile = set()
        for keys in _slices(list(before) if self.read else []):
            for key in keys:
                old, new = before.get(key), routes.get(key)
                if old is not new and old != new and key not in self.acknowledged:
                    drifted.append(key)
                    self._changed_outside(key, old, new)
            await asyncio.sleep(0)
        for keys in _slices(list(desired)):
            for key in keys:
                value, held = desired.get(key), routes.get(key)
                if value is held or value is None or value == held:
                    continue
                (found.add if held is None else found.change).add(key)
                if (key, value.metric) in image.foreign:
                    conflicts.add(key)
            await asyncio.sleep(0)
        for keys in _slices(list(routes)):
            found.remove.update([key for key in keys if key not in desired])
            carried.update([routes[key] for key in keys])
            for key in keys if self.read else ():
                if key not in before and key not in self.acknowledged:
                    drifted.append(key)
                    self._changed_outside(key, None, routes[key])
            await asyncio.sleep(0)
        unread = len(self.acknowledged) if self.read else len(routes) + len(image.foreign)
        self.changes += unread + len(drifted) + abs(len(image.foreign) - len(self.image.foreign))
        image.carried = carried
        told, self._told_meanwhile = self._catch_up(image), None
        self.image, self.difference, self.conflicts = image, found, conflicts
        self.acknowledged.clear()
        self.acknowledged_since = None
        self.read, self.read_at = True, now
        self.unjudged = found.keys()
        meanwhile, self._filed_meanwhile = self._filed_meanwhile, None
        for key in meanwhile.union(event.key for event in told):
            self._file(key)
        self.drift.update(drifted)
        self.drift = {key for key in self.drift if key in found}
        self.failures = {key: failure for key, failure in self.failures.items() if key in found}
        self.drift_total += len(drifted)
        return len(drifted)

    def observe(self, event: RouteEvent) -> bool:
        """Apply one kernel event; returns True when somebody else changed one of our routes, or might have."""
        key, image = event.key, self.image
        if self._told_meanwhile is not None:
            self._told_meanwhile.append(event)
        before = self.current(key)
        ours = self.ownership.covers(event.protocol, event.metric)
        if ours and event.forwarding is not None:
            touched = not event.by_us and before != event.forwarding
        elif ours:
            touched = not event.by_us and image.has(key, event.metric)
        else:
            touched = event.forwarding is not None and image.has(key, event.metric)
        image.take(event, self.ownership)
        self.acknowledged.pop(key, None)
        self._file(key)
        if touched:
            # An IPv4 route that goes with its link goes without a word: one that is told was deleted by somebody.
            told = event.family is Family.IPV4
            self._changed_outside(key, before, self.current(key), deleted=told)
            self.drift_total += 1
            if key in self.difference:
                self.drift.add(key)
        return touched

    def calm(self, now: float) -> None:
        """Forget the links that went down too long ago to explain what is missing at *now*."""
        if self.shaken:
            self.shaken = {link: at for link, at in self.shaken.items() if now - at < SHAKEN_SECONDS}

    def _changed_outside(
        self, key: PrefixKey, before: Forwarding | None, after: Forwarding | None, *, deleted: bool = False
    ) -> None:
        """Note what somebody else, or the kernel, did to a route of ours; *deleted*: it cannot have been the kernel."""
        if before == after:
            return
        self.outside.append(Operation(self.spec.table, self.spec.family, key, before, after))
        if (
            not deleted
            and after is None
            and before is not None
            and all(hop.ifindex in self.shaken for hop in before.next_hops)
        ):
            self.dropped[key] = before

    def pending(self) -> list[PrefixKey]:
        """Return the keys of what could be written, in no order: no conflicts, and no removals before they are allowed."""
        difference = self.difference
        keys = [*difference.add, *difference.change]
        if self.conflicts:
            keys = [key for key in keys if key not in self.conflicts]
        return keys + list(difference.remove) if self.removals_allowed else keys

    def operation(self, key: PrefixKey) -> Operation:
        """Return the operation that is pending at *key*."""
        return Operation(self.spec.table, self.spec.family, key, self.current(key), self.desired.get(key))

    def writable(self, keys: Iterable[PrefixKey], now: float) -> Iterator[PrefixKey]:
        """Yield those of *keys* that neither wait for a read-back, nor conflict, nor back off.

        A change waits for a read where notifications were lost.
        """
        for key in keys:
            if key in self.acknowledged or key in self.conflicts or (self.unseen and key in self.difference.change):
                continue
            failure = self.failures.get(key)
            if failure is None or failure.retry_at <= now:
                yield key

    def overtaken(self, operation: Operation) -> bool:
        """Say whether an operation would write over a route that is not, or may not be, the one it is to change.

        The kernel compares nothing when it replaces a route: whatever stands at the prefix and metric is gone, whoever put
        it there.  What adds or deletes is safe by itself.
        """
        before, after = operation.before, operation.after
        if before is None or after is None or before.metric != after.metric:
            return False
        return self.unseen or self.current(operation.key) != before

    def answered(self, operation: Operation, errno: int, message: str, now: float) -> None:
        """Note what the kernel said to one operation."""
        key = operation.key
        if errno:
            self.failures.setdefault(key, Failure(errno, message)).again(errno, message, now)
            return
        self.failures.pop(key, None)
        # The echo may have come first: then it was read back already.
        if self.image.routes.get(key) != operation.after:
            self.acknowledged[key] = operation.after
            if self.acknowledged_since is None:
                self.acknowledged_since = now
        self._file(key)

    def wrote(self, adds: int, removals: int, now: float) -> None:
        """Remember how much was written."""
        self._written.append((now, adds, removals))
        self._added += adds
        self._removed += removals

    def recent(self, now: float) -> Churn:
        """Return how much was written lately."""
        while self._written and self._written[0][0] < now - CHURN_SECONDS:
            _, adds, removals = self._written.popleft()
            self._added -= adds
            self._removed -= removals
        return Churn(self._added, self._removed)

    def undo(self, key: PrefixKey, value: Forwarding | None, now: float, seconds: float = UNDONE_SECONDS) -> None:
        """Remember for so many *seconds* that a roll-back took *value* away from *key*."""
        self.rolled_back.setdefault(key, {})[value] = now + seconds

    def forget_undone(self, now: float) -> None:
        """Forget what was undone too long ago."""
        over = [
            (key, value) for key, found in self.rolled_back.items() for value, until in found.items() if now >= until
        ]
        for key, value in over:
            self.allow(key, value)

    def undone(self, key: PrefixKey, now: float) -> bool:
        """Say whether what is wanted at *key* is what a roll-back undid lately."""
        found = self.rolled_back.get(key)
        if found is None:
            return False
        wanted = self.desired.get(key)
        if now < found.get(wanted, 0.0):
            return True
        self.allow(key, wanted)
        return False

    def allow(self, key: PrefixKey, value: Forwarding | None) -> None:
        """Forget that *value* was undone: a person approved it again, or a day is over."""
        found = self.rolled_back.get(key)
        if found is not None:
            found.pop(value, None)
            if not found:
                del self.rolled_back[key]

    def overdue(self, now: float, deadline: float) -> bool:
        """Say whether something that the kernel accepted has not been read back for *deadline* seconds."""
        if not self.acknowledged:
            self.acknowledged_since = None
        return self.acknowledged_since is not None and now - self.acknowledged_since > deadline


def _slices(keys: list[PrefixKey]) -> Iterator[list[PrefixKey]]:
    """Cut a list of keys into pieces that are dealt with in one go."""
    for start in range(0, len(keys), SLICE):
        yield keys[start : start + SLICE]
