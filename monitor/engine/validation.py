"""Keeps the RPKI states of the prefixes whose import policy asks for them.

A state is a function of prefix, origin AS and ROAs, so it is kept under prefix and origin: a path that changes anything else
keeps its state.  What is not known is asked for at once; everything is asked for again when the ROAs have changed, since that
makes no event.  Look-ups go in small batches with pauses, so that the speaker has most of its time for BGP.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from monitor.errors import SourceError
from monitor.ports import OriginValidation
from monitor.rib.attribute import Rpki
from monitor.rib.path import Path
from monitor.rib.validation import RoaState, States, origin_of
from programmer.route import Family, PrefixKey

BATCH = 200
"""Prefixes in one look-up: it keeps the speaker busy for 10 to 20 ms."""

POLL, LONGEST_POLL, UNSYNCED_POLL = 10.0, 60.0, 1.0
"""Seconds between two looks at the speaker's caches, while it holds ROAs and while it holds none.

A look makes it count all its ROAs: half a second for 400,000.
"""

POLL_SHARE, ASK_SHARE, SWEEP_SHARE = 0.01, 0.5, 0.2
"""Largest share of its time that the speaker spends: on its caches, on what is not known, on what may have changed."""

FIRST_RETRY, LONGEST_RETRY = 0.5, 10.0
PATIENCE, PATIENCE_SECONDS = 4, 8.0
"""Answers in vain, or time without ROAs, until a path without a state is treated as such."""

SPARE = 10_000
"""Prefixes that may be remembered without need before all are looked through."""

UNHEARD = RoaState(synced=False, version=(), text="its RPKI caches have not been asked about yet")


@dataclass(slots=True)
class _Ask:
    """A prefix with a path of unknown state: answers in vain so far, and when to ask again (monotonic seconds)."""

    failures: int
    due: float


class OriginStates:
    """The RPKI states of one source.

    ``changed`` is told which prefixes have to be chosen anew, ``needed`` says whether any domain still has a path for one.
    ``roas`` is what the speaker last said of its caches.  While it holds no ROAs nothing is asked, and what is known stays.
    """

    def __init__(
        self,
        source: OriginValidation,
        changed: Callable[[Family, Collection[PrefixKey]], None],
        needed: Callable[[Family, PrefixKey], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.roas = UNHEARD
        self._source = source
        self._changed = changed
        self._needed = needed
        self._clock = clock
        self._known: dict[Family, dict[PrefixKey, States]] = {family: {} for family in Family}
        self._asks: dict[Family, dict[PrefixKey, _Ask]] = {family: {} for family in Family}
        self._due: dict[Family, list[tuple[float, PrefixKey]]] = {family: [] for family in Family}
        self._sweep: dict[Family, list[PrefixKey]] = {}
        self._swept = 0
        self._interned: dict[States, States] = {}
        self._version: tuple[object, ...] = ()
        self._poll_at = 0.0
        self._patience_ends = clock() + PATIENCE_SECONDS
        self._wanted = False
        self._wake = asyncio.Event()

    def use(self, *, wanted: bool) -> None:
        """Say whether any domain asks at all; while none does, nothing is asked of the speaker."""
        self._wanted = wanted
        self._wake.set()

    # What the domains ask

    def stamped(self, family: Family, key: PrefixKey, path: Path) -> Path:
        """Return *path* with its state, as far as it is known."""
        known = self._known[family].get(key)
        if known is not None:
            origin = origin_of(path.attributes.as_path)
            for of, state in known:
                if of == origin:
                    return path._replace(rpki=state)
        return path

    def waits(self, family: Family, key: PrefixKey, paths: Sequence[Path]) -> bool:
        """Say whether a choice among *paths* (as ``stamped``) should wait for an answer that is on its way."""
        asks = self._asks[family]
        if all(path.rpki is not Rpki.NONE for path in paths):
            asks.pop(key, None)
            return False
        ask = asks.get(key)
        if ask is None:
            ask = asks[key] = _Ask(0, self._clock())
            heapq.heappush(self._due[family], (ask.due, key))
            self._wake.set()
        return ask.failures < PATIENCE if self.roas.synced else self._clock() < self._patience_ends

    def unresolved(self, family: Family) -> int:
        """Return how many prefixes have a path whose state is not known."""
        return len(self._asks[family])

    def warnings(self) -> Iterator[str]:
        """Yield what an operator should know."""
        if not self._wanted:
            return
        count = sum(map(len, self._asks.values()))
        if not self.roas.synced and self.roas is not UNHEARD:
            yield f"RPKI states are not known: {self.roas.text}; what is known stays, {count:,} prefixes wait"
        elif missing := sum(ask.failures >= PATIENCE for asks in self._asks.values() for ask in asks.values()):
            yield f"gobgpd does not say the RPKI state of {missing:,} prefixes, so rules about RPKI deny them"

    def begin(self) -> None:
        """A new feed begins: the speaker may be another one, without ROAs yet."""
        self._lose(UNHEARD, retry=0.0)
        self._patience_ends = self._clock() + PATIENCE_SECONDS
        self._wake.set()

    def _lose(self, roas: RoaState, retry: float) -> None:
        now = self._clock()
        if self.roas.synced:
            self._patience_ends = now + PATIENCE_SECONDS
        self.roas, self._poll_at = roas, now + retry
        self._sweep = {}

    # Asking the speaker

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            if not self._wanted:
                await self._wake.wait()
            self._wake.clear()
            pause = await self.turn() if self._wanted else 0.0
            if pause:
                await asyncio.sleep(pause)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._idle()):
                    await self._wake.wait()

    async def turn(self) -> float:
        """Do one thing that is due; returns for how long the speaker should be left in peace, 0 when nothing was due."""
        try:
            if self._clock() >= self._poll_at:
                await self._poll()
            if not self.roas.synced:
                self._give_up()
                return 0.0
            for family in Family:
                if keys := self._take_due(family):
                    return await self._look(family, keys, ASK_SHARE)
            for family in self._sweep:
                if keys := self._take_swept(family):
                    return await self._look(family, keys, SWEEP_SHARE)
        except SourceError as error:
            self._lose(RoaState(synced=False, version=(), text=str(error)), UNSYNCED_POLL)
        return 0.0

    def _idle(self) -> float:
        """Return for how long nothing is due, in seconds."""
        moments = [self._poll_at]
        if self.roas.synced:
            moments += [heap[0][0] for heap in self._due.values() if heap]
        elif self._patience_ends:
            moments.append(self._patience_ends)
        return max(0.001, min(moments) - self._clock())

    async def _poll(self) -> None:
        started = self._clock()
        roas = await self._source.roa_state()
        spent = self._clock() - started
        if not roas.synced:
            self._lose(roas, UNSYNCED_POLL)
            return
        self.roas = roas
        self._poll_at = self._clock() + min(max(POLL, spent / POLL_SHARE), LONGEST_POLL)
        known = sum(map(len, self._known.values()))
        if roas.version != self._version or known > 2 * self._swept + SPARE:
            self._version, self._swept = roas.version, known
            self._sweep = {family: list(table) for family, table in self._known.items()}
            now = self._clock()
            for family, asks in self._asks.items():
                for key, ask in asks.items():
                    if ask.due > now:
                        self._postpone(family, key, ask.failures, now)

    def _give_up(self) -> None:
        """Without ROAs for too long: what waits for an answer is chosen without one, once."""
        if self._patience_ends and self._clock() >= self._patience_ends:
            self._patience_ends = 0.0
            for family, asks in self._asks.items():
                self._changed(family, list(asks))

    def _take_due(self, family: Family) -> list[PrefixKey]:
        """Return a batch of prefixes that are to be asked for now."""
        heap, asks, now = self._due[family], self._asks[family], self._clock()
        keys: list[PrefixKey] = []
        while heap and heap[0][0] <= now and len(keys) < BATCH:
            due, key = heapq.heappop(heap)
            ask = asks.get(key)
            if ask is None or ask.due != due:
                continue
            if self._needed(family, key):
                keys.append(key)
            else:
                del asks[key]
        return keys

    def _take_swept(self, family: Family) -> list[PrefixKey]:
        """Return a batch of known prefixes that are to be asked for again; forgets those that nobody needs."""
        waiting, known = self._sweep[family], self._known[family]
        keys: list[PrefixKey] = []
        while waiting and len(keys) < BATCH:
            key = waiting.pop()
            if self._needed(family, key):
                keys.append(key)
            else:
                known.pop(key, None)
        return keys

    async def _look(self, family: Family, keys: Sequence[PrefixKey], share: float) -> float:
        """Ask for *keys* and take the answers; returns the pause that keeps to *share* of the speaker's time."""
        started = self._clock()
        asks, known = self._asks[family], self._known[family]
        try:
            answers = await self._source.validate(family, keys, self.roas)
        except SourceError:
            for key in keys:
                if key in asks:
                    self._postpone(family, key, asks[key].failures, started)
            raise
        now = self._clock()
        changed: list[PrefixKey] = []
        for key in keys:
            states = answers.get(key)
            if states is not None and known.get(key) != states:
                known[key] = self._interned.setdefault(states, states)
                changed.append(key)
            elif key in asks:
                changed.append(key)
            if key in asks:
                # The choice that follows drops the ask, unless the speaker did not speak of every path.
                failures = asks[key].failures
                pause = min(FIRST_RETRY * 2 ** min(failures, PATIENCE), LONGEST_RETRY)
                self._postpone(family, key, failures + 1, now + pause)
        self._changed(family, changed)
        return max(0.001, (now - started) * (1 / share - 1))

    def _postpone(self, family: Family, key: PrefixKey, failures: int, due: float) -> None:
        self._asks[family][key] = _Ask(failures, due)
        heapq.heappush(self._due[family], (due, key))
