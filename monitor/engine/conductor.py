"""Applies approved plans, one at a time: in their window, watched while they soak, confirmed or taken back.

The daemon owns every timer here.  The deadline of a change is in the journal before its first write; whatever ends this
process in between, the next start takes the change back before it does anything else.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Protocol

from monitor.change.clock import ClockState
from monitor.change.probe import ProbeConfig, Result, Watch
from monitor.change.quorum import Standing
from monitor.change.statement import Act
from monitor.change.window import Window, Windows, WindowState
from monitor.config import Clock, Mode
from monitor.engine.core import Engine
from monitor.engine.flight import Flight, Progress, progress_of, reverted_text
from monitor.engine.holds import Restraints
from monitor.engine.plans import FrozenPlan, breaks_glass, check_policy, find_plan, load_plan, written_by
from monitor.engine.text import moment, seconds_text
from monitor.errors import Refused, Stale
from programmer.approval import PlanState
from programmer.errors import FibError, JournalError, PlanRefused, PlanStale
from programmer.plan import Plan, PlanKind, RuleOperation, short_digest
from programmer.reconciler import (
    UNDONE_SECONDS,
    Applied,
    Reverted,
    apply_plan,
    by_place,
    refuse_writing,
    revert,
    undermined,
)
from programmer.route import Address, Family

log = logging.getLogger("bgpmon.change")

TICK = 0.5
"""Seconds between two looks at a change that soaks."""
LEAST_LOOK = 0.01
LONGEST_LOOK = 10.0
"""Seconds between two looks at the queue while something is in it: a clock may be set, the mode may change."""
UNSETTLED_LOOK = 0.2
"""The same while BGP has not told everything."""
IDLE_LOOK = 600.0
READY_PAUSE = 0.01
RETRY = 1.0
LONGEST_RETRY = 30.0
MOST_REMEMBERED = 50
"""Plans that are looked at for what was rolled back in the last day."""
BREAK_GLASS_SOAK = 300.0
"""Seconds that a break-glass change soaks where the configuration has no soak."""
MOST_FACTOR = 3
STOP_SECONDS = 20.0
"""How long a stop waits for a change in flight to be taken back."""

READY_TO_APPLY = (PlanState.APPROVED, PlanState.QUEUED)
_WAITING = tuple(state.value for state in (PlanState.FROZEN, *READY_TO_APPLY))
_DECIDED = (PlanState.ROLLED_BACK.value, PlanState.APPLIED.value, PlanState.CONFIRMED.value)
_UNDECIDED = (PlanState.APPLYING.value, PlanState.SOAKING.value, PlanState.ROLLING_BACK.value)


class Prober(Protocol):
    """Looks at the targets of probes."""

    async def measure(self, probe: ProbeConfig, source: Address | None = None) -> Result:
        """Look once; raises nothing."""


class Conductor:
    """Owns the change in flight and the queue.

    ``standing`` says how far the approvals of a plan reach, ``clock`` whether the node's clock is right.  ``prober`` makes what
    looks at targets, when there is one to look at; None where there is no network.
    """

    def __init__(
        self,
        engine: Engine,
        standing: Callable[[FrozenPlan, float], Standing],
        restraints: Restraints,
        prober: Callable[[], Prober] | None,
        clock: Callable[[], ClockState],
    ) -> None:
        self._engine = engine
        self._restraints = restraints
        self._standing = standing
        self._make_prober = prober
        self._prober: Prober | None = None
        self._clock = clock
        self.flight: Flight | None = None
        self.recovered = asyncio.Event()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._soak: asyncio.Task[None] | None = None
        self._stopping = False
        self._untold: list[tuple[Flight, str]] = []
        self._windows: tuple[tuple[Window, ...], Windows] = ((), Windows(()))
        self._seen: tuple[float, float, WindowState] | None = None
        engine.reconciler.recovering = True
        self.undecided = bool(engine.journal.plans_in(_UNDECIDED))
        engine.window_opened = lambda: self.window(time.time()).open and bool(engine.config.windows)

    # Windows

    @property
    def windows(self) -> Windows:
        """The windows of the configuration in force."""
        configured = self._engine.config.windows
        if configured != self._windows[0]:
            self._windows = (configured, Windows(configured))
            self._seen = None
        return self._windows[1]

    def window(self, at: float) -> WindowState:
        """Return whether changes may be applied at a moment; a clock that nobody sets counts as a shut window."""
        configured, windows = self._engine.config.windows, self.windows
        if self._seen is None or not self._seen[0] <= at < self._seen[1]:
            state = windows.state(at)
            self._seen = (at, state.until or at + IDLE_LOOK, state)
        state = self._seen[2]
        if not configured or self._engine.config.clock is Clock.TRUSTED:
            return state
        clock = self._clock()
        if clock.synchronised:
            return state
        return WindowState(open=False, name=state.name, until=None, text=f"shut: {clock.text}")

    # The work

    async def run(self) -> None:
        """Take back what an earlier life left undecided, then apply what is due, for ever."""
        await self._recover()
        while True:
            self._wake.clear()
            try:
                self._tell()
                self._expire()
                await self._apply_next()
                pause = self._next_look()
            except (JournalError, FibError) as error:
                self._engine.reconciler.trouble = str(error)
                pause = RETRY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _next_look(self) -> float:
        """Return the seconds until something may be due: an expiry, the end of a hold, an opening, or a clock that is set."""
        now = time.time()
        waiting = self._engine.journal.plans_in(_WAITING)
        moments = [stored.expires_at for stored in waiting]
        moments += [hold.until for hold in self._restraints.holds.values()]
        if any(stored.state != PlanState.FROZEN.value for stored in waiting):
            if not self._engine.settled:
                return UNSETTLED_LOOK
            moments += [self.window(now).until or now + LONGEST_LOOK, now + LONGEST_LOOK]
        return max(LEAST_LOOK, min(moments, default=now + IDLE_LOOK) - now)

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    def _expire(self) -> None:
        now = time.time()
        for stored in self._engine.journal.plans_in(_WAITING):
            if now >= stored.expires_at:
                self._set(stored.digest, PlanState.EXPIRED, "nobody released it in time", number=stored.number)
        self._restraints.expire(now)
        for state in self._engine.reconciler.tables.values():
            state.forget_undone(self._engine.reconciler.monotonic())

    async def _apply_next(self) -> None:
        # After a start BGP is to have its say first, else nothing of a plan would match.
        if not self._engine.settled:
            return
        for stored in reversed(self._engine.journal.plans_in([state.value for state in READY_TO_APPLY])):
            if self._turn.locked() or self._waits(stored.digest):
                continue
            try:
                await self.apply(stored.digest)
            except (Refused, Stale) as error:
                log.warning("plan %d was not applied: %s", stored.number, error)

    async def submit(self, digest: str) -> str:
        """Apply an approved plan, or queue it; returns why it waits, or nothing.  Raises Refused, Stale."""
        reason = self._waits(digest)
        if reason:
            self._set(digest, PlanState.QUEUED, reason)
            self.wake()
            return reason
        await self.apply(digest)
        return ""

    def _waits(self, digest: str) -> str:
        """Return why a plan cannot be applied yet, or nothing."""
        try:
            refuse_writing(self._engine.reconciler)
        except PlanRefused as error:
            return str(error)
        if self._stopping:
            return "bgpmon is being stopped"
        try:
            self._tell()
        except JournalError as error:
            return f"what became of an earlier change is not in the journal yet: {error}"
        if self.flight is not None:
            return f"plan {self.flight.plan.number} is {self.flight.state.value}; one change at a time"
        window = self.window(time.time())
        if not window.open and not breaks_glass(self._engine, digest):
            return f"the window is {window.text}"
        return ""

    async def apply(self, digest: str) -> None:
        """Apply a plan that enough people approved.  Raises Refused, Stale where nothing was written."""
        async with self._turn:
            stored = find_plan(self._engine, digest)
            if stored.state not in READY_TO_APPLY:
                raise Refused(f"plan {stored.number} is {stored.state.value}: {stored.detail}")
            try:
                await self._apply(stored)
            except PlanStale as error:
                self._set(stored.digest, PlanState.EXPIRED, str(error), number=stored.number)
                raise Stale(str(error)) from error
            except PlanRefused as error:
                self._set(stored.digest, PlanState.FAILED, str(error), number=stored.number)
                raise Refused(str(error)) from error

    async def _apply(self, stored: FrozenPlan) -> None:
        engine, now = self._engine, time.time()
        if now >= stored.expires_at:
            raise PlanStale("the plan has expired; freeze a new one")
        standing = self._standing(stored, now)
        if not standing.enough:
            raise PlanStale(f"approvals have ended: {standing.missing} needed")
        if waits := self._waits(stored.digest):
            self._set(stored.digest, PlanState.QUEUED, waits)
            return
        plan = await load_plan(engine, stored)
        check_policy(engine, plan)
        names = [item.principal for item in engine.journal.approvals(stored.digest) if item.act == Act.APPROVE]
        progress = Progress(", ".join(dict.fromkeys(names)), now, break_glass=breaks_glass(engine, stored.digest))
        flight = self.flight = Flight(plan, stored.digest, stored.state, progress)
        begun = False

        def begin(rules: Sequence[RuleOperation]) -> None:
            nonlocal begun
            # Others had their turn while probes were asked: somebody may have rejected it.
            present = find_plan(engine, stored.digest)
            if present.state not in READY_TO_APPLY:
                raise Refused(f"plan {stored.number} is {present.state.value}: {present.detail}")
            self._set_deadline(flight)
            progress.rules = [index for index, rule in enumerate(plan.rule_operations) if rule in rules]
            self._keep(flight, PlanState.APPLYING, "writing")
            begun = True

        try:
            await self._look_before(flight)
            applied = await self._write(flight, begin)
            wrong = [applied.broken] if applied.broken else applied.wrong
        except BaseException as error:
            if not begun:
                self.flight = None
                raise
            if not flight.written:
                flight.written = list(written_by(engine, stored))
                flight.rules = [plan.rule_operations[index] for index in progress.rules]
            await self._take_back(flight, f"it ended in an error while it was written: {error}")
            if not isinstance(error, FibError | JournalError):
                raise
            return
        if wrong:
            await self._take_back(flight, f"what was written could not be confirmed: {'; '.join(wrong[:3])}")
        else:
            await self._settle(flight)

    async def _write(self, flight: Flight, begin: Callable[[Sequence[RuleOperation]], None]) -> Applied:
        """Write what still matches, and note what came of it."""
        engine, progress = self._engine, flight.progress
        drift = engine.config.approval.max_drift
        applied = await apply_plan(
            engine.reconciler, flight.plan, progress.actor, drift.operations, drift.percent, begin, flight.digest
        )
        flight.take(applied)
        progress.say(time.time(), _done(progress))
        return applied

    async def _settle(self, flight: Flight) -> None:
        """Let a change soak, or stay, once it was read back.  What cannot be recorded does not stay."""
        progress = flight.progress
        progress.say(time.time(), f"read back: {progress.applied} as the plan says")
        done = _done(progress)
        refused = progress.failed and not progress.applied
        if flight.deadline and not refused:
            detail = f"{done}; taken back at {moment(progress.deadline)} unless confirmed"
            self._try_to_keep(flight, PlanState.SOAKING, detail, "bgpmon")
            self._soak = asyncio.create_task(self._watch(flight), name=f"soak of plan {flight.plan.number}")
            return
        try:
            self._keep(flight, PlanState.FAILED if refused else PlanState.APPLIED, done)
        except JournalError as error:
            await self._take_back(flight, f"the journal cannot be told that it was applied: {error}")
            return
        self._land()

    def _set_deadline(self, flight: Flight) -> None:
        """Say when the change is taken back unless somebody confirms it."""
        soak = self._engine.config.approval.soak
        seconds = soak.duration if soak else BREAK_GLASS_SOAK if flight.progress.break_glass else 0.0
        if not seconds:
            return
        most = soak.most if soak else seconds * MOST_FACTOR
        now = time.time()
        flight.deadline = time.monotonic() + seconds
        flight.progress.deadline, flight.progress.most = now + seconds, now + most

    # Watching

    def _probes(self) -> tuple[ProbeConfig, ...]:
        soak = self._engine.config.approval.soak
        return soak.probes if soak and self._make_prober is not None else ()

    def _source(self, probe: ProbeConfig) -> Address | None:
        """Return the preferred source of a probe's domain, of the family of its target."""
        if not probe.domain:
            return None
        domain = self._engine.config.domain(probe.domain)
        family = Family.IPV6 if "[" in probe.target or probe.target.count(":") > 2 else Family.IPV4
        return domain.preferred_source.of(family)

    async def _measure(self, probe: ProbeConfig) -> Result:
        assert self._make_prober is not None
        self._prober = self._prober or self._make_prober()
        return await self._prober.measure(probe, self._source(probe))

    async def _look_before(self, flight: Flight) -> None:
        probes = self._probes()
        before = await asyncio.gather(*(self._measure(probe) for probe in probes))
        flight.watches = [Watch(probe, result) for probe, result in zip(probes, before, strict=True)]
        for watch, result in zip(flight.watches, before, strict=True):
            flight.progress.say(time.time(), f"probe {watch.config.name} before: {result.text}")

    async def _watch(self, flight: Flight) -> None:
        """Watch a change until it is confirmed, which ends this task, or has to be taken back."""
        looks = [asyncio.create_task(self._look(watch)) for watch in flight.watches]
        try:
            reason = await self._reason_to_go_back(flight)
        finally:
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)
        async with self._turn:
            if self.flight is flight and flight.state is PlanState.SOAKING:
                await self._take_back(flight, reason)

    async def _look(self, watch: Watch) -> None:
        while True:
            watch.take(await self._measure(watch.config))
            await asyncio.sleep(watch.config.interval)

    async def _reason_to_go_back(self, flight: Flight) -> str:
        left = by_place(flight.written)
        while True:
            if time.monotonic() >= flight.deadline:
                return "nobody confirmed it in time"
            if failed := flight.failed_probes():
                return "; ".join(failed)
            if gone := undermined(self._engine.reconciler, left):
                return "; ".join(gone[:3])
            await asyncio.sleep(min(TICK, max(0.01, flight.deadline - time.monotonic())))

    # Deciding

    async def confirm(self, stored: FrozenPlan, actor: str) -> None:
        """Keep a change that soaks.  Raises Refused."""
        async with self._turn:
            flight = self._soaking(stored)
            flight.progress.probes = [watch.document() for watch in flight.watches]
            flight.progress.say(time.time(), f"confirmed by {actor}")
            try:
                self._keep(flight, PlanState.CONFIRMED, f"by {actor}", actor=actor)
            except JournalError:
                flight.progress.log.pop()  # it soaks on
                raise
            self._end_soak()
            self._land()

    async def extend(self, stored: FrozenPlan, seconds: float, actor: str) -> None:
        """Move the deadline of a change that soaks.  Raises Refused beyond what the configuration allows."""
        async with self._turn:
            flight = self._soaking(stored)
            progress = flight.progress
            if progress.deadline + seconds > progress.most:
                left = max(0.0, progress.most - progress.deadline)
                raise Refused(
                    f"the soak ends at {moment(progress.most)} at the latest: {seconds_text(left)} more are left"
                )
            progress.deadline += seconds
            progress.say(time.time(), f"extended by {seconds_text(seconds)}, by {actor}")
            try:
                self._keep(flight, PlanState.SOAKING, f"until {moment(progress.deadline)}", actor=actor)
            except JournalError:
                progress.deadline -= seconds
                progress.log.pop()
                raise
            flight.deadline += seconds

    async def roll_back(self, stored: FrozenPlan, reason: str, actor: str) -> Reverted:
        """Take back the change in flight now.  Raises Refused when it is not."""
        async with self._turn:
            flight = self._soaking(stored)
            self._end_soak()
            return await self._take_back(flight, reason, actor=actor)

    def _soaking(self, stored: FrozenPlan) -> Flight:
        if self.flight is None or self.flight.digest != stored.digest or self.flight.state is not PlanState.SOAKING:
            raise Refused(f"plan {stored.number} is {stored.state.value}: it does not soak")
        return self.flight

    def _end_soak(self) -> None:
        if self._soak is not None:
            self._soak.cancel()
            self._soak = None

    async def _take_back(self, flight: Flight, reason: str, actor: str = "bgpmon") -> Reverted:
        """Take a change back, and try again until the kernel was read back.  The turn is ours."""
        progress, number = flight.progress, flight.plan.number
        progress.probes = [watch.document() for watch in flight.watches]
        progress.say(time.time(), f"taken back: {reason}")
        log.warning("plan %d %s is rolled back: %s", number, short_digest(flight.digest), reason)
        self._try_to_keep(flight, PlanState.ROLLING_BACK, reason, actor)
        delay = RETRY
        while True:
            try:
                reverted = await revert(self._engine.reconciler, flight.written, flight.rules,
                                        cause=f"roll-back of plan {number}: {reason}", actor=actor, plan=flight.digest)  # fmt: skip
                break
            except FibError as error:
                log.warning("plan %d cannot be rolled back yet, trying again: %s", number, error)
                self._engine.reconciler.trouble = f"plan {number} cannot be rolled back yet: {error}"
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY)
        text = reverted_text(reverted)
        progress.reverted = asdict(reverted) | {"clean": reverted.clean}
        progress.say(time.time(), text)
        log.warning("plan %d %s: %s", number, short_digest(flight.digest), text)
        detail = f"{reason}; {text}"
        if not self._try_to_keep(flight, PlanState.ROLLED_BACK, detail, actor):
            self._untold.append((flight, detail))
        self._soak = None
        self._land()
        return reverted

    # Keeping

    def _set(self, digest: str, state: PlanState, detail: str, number: int = 0, actor: str = "bgpmon") -> None:
        self._engine.journal.set_plan_state(digest, state.value, detail, at=time.time(), actor=actor)
        if number:
            log.info("plan %d %s: %s: %s", number, short_digest(digest), state.value, detail)

    def _keep(self, flight: Flight, state: PlanState, detail: str, actor: str = "bgpmon") -> None:
        """Keep what became of a change; it is not so before that is on the disk."""
        self._engine.journal.put_progress(flight.digest, flight.progress.text())
        self._set(flight.digest, state, detail, number=flight.plan.number, actor=actor)
        flight.state = state

    def _try_to_keep(self, flight: Flight, state: PlanState, detail: str, actor: str) -> bool:
        """Keep what became of a change, whether the journal can be told or not; says whether it was."""
        try:
            self._keep(flight, state, detail, actor)
        except JournalError as error:
            flight.state = state
            log.error("plan %d is %s, and the journal cannot be told: %s", flight.plan.number, state.value, error)  # noqa: TRY400 - said in full
            self._engine.reconciler.trouble = str(error)
            return False
        return True

    def _tell(self) -> None:
        """Tell the journal what it could not be told: an earlier change that it believes to soak would go back once more."""
        while self._untold:
            flight, detail = self._untold[0]
            self._keep(flight, PlanState.ROLLED_BACK, detail)
            self._untold.pop(0)

    def _land(self) -> None:
        """No change is in flight any more."""
        self.flight = None
        self.wake()

    # Starting and stopping

    async def _recover(self) -> None:
        """Take back what an earlier life began and nobody confirmed; until then nothing else is written."""
        engine = self._engine
        while not engine.reconciler.ready:  # noqa: ASYNC110 - the programmer tells no events of the monitor's
            await asyncio.sleep(READY_PAUSE)
        while self.undecided and engine.config.mode is Mode.DRY_RUN:  # noqa: ASYNC110 - a reload may end that
            await asyncio.sleep(RETRY)
        while True:
            try:
                for item in engine.journal.plans_in(_UNDECIDED):
                    stored = find_plan(engine, item.digest)
                    async with self._turn:
                        await self._take_back(await self._lost_flight(stored), "bgpmon was restarted")
                break
            except JournalError as error:
                engine.reconciler.trouble = str(error)
                await asyncio.sleep(RETRY)
        await self.restrain()
        engine.reconciler.recovering = self.undecided = False
        engine.reconciler.judge_again()
        self.recovered.set()

    async def _lost_flight(self, stored: FrozenPlan) -> Flight:
        """Return the change that an earlier life left, with what the journal says that it wrote."""
        progress = progress_of(self._engine.journal.progress(stored.digest)) or Progress("bgpmon", time.time())
        written = list(written_by(self._engine, stored))
        try:
            plan = await load_plan(self._engine, stored)
            rules = [plan.rule_operations[index] for index in progress.rules]
        except (PlanRefused, ValueError, IndexError) as error:
            log.error("plan %d cannot be read, what it wrote is taken back all the same: %s", stored.number, error)  # noqa: TRY400 - said in full
            plan = Plan(
                stored.number, self._engine.config.node, "", stored.created_at, stored.expires_at, tuple(written)
            )
            rules = []
        self.flight = Flight(plan, stored.digest, stored.state, progress, written, rules)
        return self.flight

    async def restrain(self) -> None:
        """Keep what was rolled back lately from being written again by itself: in the order in which it happened.

        What was approved again since may be written again.
        """
        engine, now = self._engine, time.time()
        restrained = False
        for item in reversed(engine.journal.plans_in(_DECIDED, limit=MOST_REMEMBERED)):
            progress = progress_of(engine.journal.progress(item.digest))
            if progress is None or now - progress.ended >= UNDONE_SECONDS:
                continue
            try:
                stored = find_plan(engine, item.digest)
                undone, back = stored.state is PlanState.ROLLED_BACK, stored.head["kind"] == PlanKind.ROLLBACK.value
                restrained = restrained or undone or back
                # A large plan that was simply applied need not be read: there is nothing that it allows again.
                if restrained:
                    rules = (await load_plan(engine, stored)).rule_operations if progress.rules else ()
                    self._remember(
                        stored, progress, [rules[index] for index in progress.rules], undone=undone, back=back
                    )
            except (PlanRefused, Stale, ValueError, IndexError) as error:
                log.warning("plan %d cannot be read: %s", item.number, error)

    def _remember(
        self, stored: FrozenPlan, progress: Progress, rules: Sequence[RuleOperation], *, undone: bool, back: bool
    ) -> None:
        """Take over what one plan means for what may be written by itself."""
        reconciler = self._engine.reconciler
        left = UNDONE_SECONDS - (time.time() - progress.ended)
        for operation in written_by(self._engine, stored):
            state = reconciler.tables.get((operation.table, operation.family))
            if state is not None and (undone or back):
                value = operation.after if undone else operation.before
                state.undo(operation.key, value, reconciler.monotonic(), left)
                state.allow(operation.key, operation.before if undone else operation.after)
            elif state is not None:
                state.allow(operation.key, operation.after)
        for rule in rules:
            if undone or back:
                reconciler.rules_rolled_back.add(rule if undone else rule.inverse)
                reconciler.rules_rolled_back.discard(rule.inverse if undone else rule)
            else:
                reconciler.rules_rolled_back.discard(rule)

    async def stop(self) -> None:
        """Take back what nobody confirmed, before the process ends; nothing is applied from now on."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS), self._turn:
                self._end_soak()
                if self.flight is not None and self.flight.state is PlanState.SOAKING:
                    await self._take_back(self.flight, "bgpmon was stopped before anybody confirmed it")


def _done(progress: Progress) -> str:
    return f"applied {progress.applied}, refused by the kernel {progress.failed}, left out {progress.stale}"
