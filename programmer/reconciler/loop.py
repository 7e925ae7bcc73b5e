"""The reconcile loop: events and wishes make keys dirty, the gate decides, the door writes, the kernel is read back."""

import asyncio
import errno
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from programmer.approval import Decision
from programmer.errors import DumpInterrupted, FibDenied, FibUnavailable, JournalError
from programmer.fib import (
    Fib,
    FibEvent,
    LinkEvent,
    Links,
    OverrunEvent,
    RouteEvent,
    WriteResult,
)
from programmer.journal import Journal
from programmer.plan import Action, Gate, Operation, RuleOperation
from programmer.reconciler.judge import Held, Judge
from programmer.reconciler.message import Applied, counts, rule_order, writes_of
from programmer.reconciler.table import TableSpec, TableState
from programmer.route import Family, Forwarding, PrefixKey, Rule, TableId

BATCH = 1000
RESCAN_DELAY = 0.1
"""Seconds that doubts about a table are collected before it is read again; one burst is one read."""
READ_BACK_DEADLINE = 2.0
LONGEST_RETRY = 30.0
MOST_AT_ONCE = 5000
"""Operations of one step; the next one sees what has changed meanwhile."""
JUDGE_PAUSE = 2.0
JUDGE_SHARE = 20.0
"""Everything that differs is judged again after so many seconds, or in so many times what that took, if this is longer."""
SLICE_SECONDS = 0.003
"""Longest that operations are judged before other tasks get their turn."""
GATHER = 0.004
"""Seconds between two steps: in a burst wishes and echoes are taken by the hundred, a lone one at once."""

CHANGED_MEANWHILE = "the kernel or BGP changed it meanwhile"
OVERTAKEN = WriteResult(errno.ESTALE, "not written: another program changed this route just now, or may have")
"""The answer to what would write over a route that nobody has compared with; the kernel is not asked."""

Describe = Callable[[TableId, Family, PrefixKey], str]
"""Says why a key is desired as it is: peer, time, import rule."""


@dataclass(slots=True)
class Reconciler:
    """Owns every table of one namespace.

    ``notify`` is called after anything visible changed.  ``wall`` and ``monotonic`` are the clocks, in seconds.
    ``held`` says which hold keeps an operation back.  While ``paused`` has a text, nothing is written at all, and that text
    says why; nor while ``recovering``, before an undecided change of an earlier life is taken back.  ``written`` counts the
    operations on routes that the kernel has accepted.
    """

    fib: Fib
    journal: Journal
    protocol: int
    gate: Gate
    reconcile_period: float = 60.0
    notify: Callable[[], None] = lambda: None
    links_changed: Callable[[Links], None] = lambda _links: None
    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    tables: dict[tuple[TableId, Family], TableState] = field(default_factory=dict)
    desired_rules: frozenset[Rule] = frozenset()
    installed_rules: frozenset[Rule] = frozenset()
    foreign_rules: frozenset[Rule] = frozenset()
    links: Links = field(default_factory=lambda: Links({}, (), ()))
    denied: str = ""
    trouble: str = ""
    stopped: bool = False
    paused: str = ""
    recovering: bool = False
    held: Held | None = None
    judge: Judge = field(init=False)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    rules_rolled_back: set[RuleOperation] = field(default_factory=set)
    written: int = 0
    _told: deque[FibEvent] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _rescan: dict[tuple[TableId, Family], float] = field(default_factory=dict)
    _rules_dirty: bool = True
    _links_dirty: bool = True
    _rule_retry_at: float = 0.0
    _released: dict[str, deque[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.judge = Judge(lambda: self.links, lambda: self.gate)

    # What the monitor tells

    def configure(self, specs: Sequence[TableSpec], rules: frozenset[Rule], gate: Gate) -> None:
        """Take over a configuration; tables that stay keep what is known of them."""
        wanted = {(spec.table, spec.family): spec for spec in specs}
        for name in self.tables.keys() - wanted.keys():
            del self.tables[name]
        for name, spec in wanted.items():
            state = self.tables.get(name)
            if state is None:
                self.tables[name] = TableState(spec, self.protocol)
            elif state.spec != spec:
                state.spec = spec
                state.__post_init__()
            self._rescan[name] = 0.0
        self.desired_rules, self.gate = rules, gate
        self._rules_dirty = True
        self.fib.watch(frozenset(table for table, _ in wanted))
        self._wake.set()

    def want(self, table: TableId, family: Family, changes: Iterable[tuple[PrefixKey, Forwarding | None]]) -> None:
        """Change what is desired."""
        state = self.tables[table, family]
        for key, value in changes:
            state.want(key, value)
        self._wake.set()

    def allow_removals(self, table: TableId, family: Family, *, allowed: bool) -> None:
        """Say whether what is desired of this table is complete."""
        state = self.tables[table, family]
        if state.removals_allowed != allowed:
            state.removals_allowed = allowed
            if allowed:
                state.unjudged |= state.difference.remove
            self._wake.set()

    def judge_again(self) -> None:
        """Judge everything that differs again: rules, holds or windows changed."""
        for state in self.tables.values():
            state.judge_at = 0.0
        self._wake.set()

    def jot(self, kind: str, detail: str, actor: str = "bgpmon") -> None:
        """Note something in the journal; where that cannot be written the work goes on, and operators are told."""
        try:
            self.journal.note(kind, detail, at=self.wall(), actor=actor)
        except JournalError as error:
            self.trouble = str(error)

    def rescan(self) -> None:
        """Read every table again soon."""
        self._doubt(self.tables)
        self._rules_dirty = self._links_dirty = True
        self._wake.set()

    @property
    def ready(self) -> bool:
        """True once every table has been read."""
        return all(state.read for state in self.tables.values())

    # Events and reads

    def _doubt(self, names: Iterable[tuple[TableId, Family]]) -> None:
        due = self.monotonic() + RESCAN_DELAY
        for name in names:
            self._rescan.setdefault(name, due)

    def _observe(self, events: Sequence[FibEvent]) -> None:
        now = self.monotonic()
        for known in self.tables.values():
            known.calm(now)
        for event in events:
            if isinstance(event, RouteEvent):
                state = self.tables.get((event.table, event.family))
                if state is not None and state.observe(event):
                    self._doubt([(event.table, event.family)])
            elif isinstance(event, LinkEvent | OverrunEvent):
                overrun = isinstance(event, OverrunEvent)
                for known in self.tables.values():
                    known.unseen |= overrun
                    if isinstance(event, LinkEvent) and event.lost:
                        known.shaken[event.ifindex] = now
                self._links_dirty = True
                self._rules_dirty |= overrun
                self._doubt(self.tables)
            else:
                self._rules_dirty = True
        self._wake.set()

    def _record_outside(self) -> None:
        """Have the journal know what others did to our routes, so that the past can be told exactly."""
        for state in self.tables.values():
            changed, state.outside = state.outside, []
            try:
                for start in range(0, len(changed), BATCH):
                    self.journal.outside(changed[start : start + BATCH], at=self.wall())
            except JournalError as error:
                self.trouble = str(error)

    async def follow_events(self) -> None:
        """Apply kernel events until the FIB is closed."""
        async for events in self.fib.events():
            self._told += events
            await self._work_off()
            self.notify()

    async def _catch_up(self) -> None:
        """Know all that the kernel has told by now; when this is back, what others changed before it began is known."""
        self._told += await self.fib.told()
        await self._work_off()

    async def _work_off(self) -> None:
        """Apply what the kernel has told, in its order, whoever took it."""
        while self._told:
            self._observe([self._told.popleft() for _ in range(min(BATCH, len(self._told)))])
            if self._told:
                await asyncio.sleep(0)
        self._record_outside()

    async def read_due(self) -> None:
        """Read links, rules and tables that are in doubt, as far as it is time; ``lock`` is to be held."""
        if self._links_dirty:
            self._links_dirty = False
            self.links = await self.fib.links()
            for known in self.tables.values():
                known.judge_at = 0.0
            self.links_changed(self.links)
        if self._rules_dirty:
            self._rules_dirty = False
            self.installed_rules = await self.fib.rules(self.protocol)
            self.foreign_rules = await self.fib.foreign_rules(self.protocol)
        now = self.monotonic()
        for name in [name for name, due in self._rescan.items() if due <= now]:
            self._rescan.pop(name, None)
            state = self.tables.get(name)
            if state is None:
                continue
            first = not state.read
            try:
                drifted = await state.refresh(self.fib, self.monotonic)
            except DumpInterrupted as error:
                self.trouble = f"table {name[0]} {name[1].label}: {error}"
                self._rescan[name] = self.monotonic() + 1.0
                continue
            if drifted and not first:
                self._record_outside()
                self.jot("drift", f"table {name[0]} {name[1].label}: {drifted} routes changed")

    async def read_again(self, names: Iterable[tuple[TableId, Family]]) -> list[tuple[TableId, Family]]:
        """Read these tables, and the rules, now; returns those that could not be read.  ``lock`` is to be held."""
        wanted = [name for name in names if name in self.tables]
        for _ in range(5):
            self._rescan |= dict.fromkeys(wanted, 0.0)
            self._rules_dirty = True
            await self.read_due()
            wanted = [name for name in wanted if name in self._rescan]
            if not wanted:
                break
        return wanted

    # The loop

    async def run(self) -> None:
        """Keep installed equal to desired, as far as the gate allows, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.follow_events(), name="kernel events")
            tasks.create_task(self._loop(), name="reconcile")

    async def _loop(self) -> None:
        next_compare = self.monotonic() + self.reconcile_period
        retry = 0.5
        while True:
            stepped_at = self.monotonic()
            self._wake.clear()
            try:
                async with self.lock:
                    await self.step()
                self.trouble = "" if not self._rescan else self.trouble
                retry = 0.5
            except (FibUnavailable, JournalError) as error:
                self.trouble = str(error)
                self.rescan()
                await asyncio.sleep(retry)
                retry = min(retry * 2, LONGEST_RETRY)
            self.notify()
            now = self.monotonic()
            if now >= next_compare:
                next_compare = now + self.reconcile_period
                self.rescan()
            delay = max(0.01, min([next_compare, *self._rescan.values(), *self._retry_moments()]) - now)
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
                    await asyncio.sleep(max(0.0, stepped_at + GATHER - self.monotonic()))
            except TimeoutError:
                continue

    def _retry_moments(self) -> Iterable[float]:
        now = self.monotonic()
        if self._rule_retry_at > now:
            yield self._rule_retry_at
        for state in self.tables.values():
            if state.failures:
                yield min(failure.retry_at for failure in state.failures.values())
            if state.acknowledged:
                yield now + READ_BACK_DEADLINE
            wait = state.guard.wait(now)
            if wait:
                yield now + wait
            if len(state.difference) and state.judge_at > now:
                yield state.judge_at

    async def step(self) -> None:
        """One repeatable step: read what is in doubt, then write what may be written now."""
        await self.read_due()
        late = [name for name, state in self.tables.items() if state.overdue(self.monotonic(), READ_BACK_DEADLINE)]
        self._doubt(late)
        if self.gate is Gate.DRY_RUN or self.stopped or self.paused or self.recovering or not self.ready:
            return
        rules = [rule for rule in self.pending_rules() if self._rule_goes_ahead(rule)]
        await self.apply_rules(rules, "configuration")
        for state in list(self.tables.values()):  # a reload may come while one is written
            operations = await self.automatic(state)
            if operations:
                await self.apply(operations, cause="reconcile", actor="bgpmon", plan="")
                removed = sum(operation.action is Action.REMOVE for operation in operations)
                if removed:
                    state.guard.done(removed, self.monotonic())

    def _rule_goes_ahead(self, operation: RuleOperation) -> bool:
        if operation in self.rules_rolled_back:
            return False
        return self.decide_rule(operation).automatic

    @property
    def _nobody_is_asked(self) -> bool:
        """Whether everything may be written without a look: mode auto without rules of its own."""
        return self.gate is Gate.AUTO and self.judge.rules is None

    async def automatic(self, state: TableState) -> list[Operation]:
        """Return pending operations that no person has to see first: adds, then changes, then removals."""
        now = self.monotonic()
        if not self._nobody_is_asked or self.held is not None or state.rolled_back:
            return await self._judged(state, now)
        difference = state.difference
        wanted = itertools.chain(state.writable(difference.add, now), state.writable(difference.change, now))
        operations = [state.operation(key) for key in itertools.islice(wanted, MOST_AT_ONCE)]
        if len(operations) == MOST_AT_ONCE:
            self._wake.set()
            return operations
        removable = self.removable(state)
        if state.guard.allows(len(removable), state.installed, now):
            return operations + [state.operation(key) for key in state.writable(removable, now)]
        if not removable:
            return operations
        judged = await self._judged(state, now, budget_used=True)
        return operations + [operation for operation in judged if operation.action is Action.REMOVE]

    def removable(self, state: TableState) -> AbstractSet[PrefixKey]:
        """Return the keys that may be removed at all: none before what BGP says is complete."""
        return state.difference.remove if state.removals_allowed else frozenset()

    async def _judged(self, state: TableState, now: float, *, budget_used: bool = False) -> list[Operation]:
        """Judge what is new among all that differs, in slices, and everything anew from time to time.

        Removals that take away something that works are left out when the budget is used up.
        """
        if now >= state.judge_at:
            state.unjudged |= state.difference.keys()
            state.judge_at = now + JUDGE_PAUSE
        found: dict[Action, list[Operation]] = {action: [] for action in Action}
        started = slice_began = time.perf_counter()
        step = 0
        while state.unjudged and sum(map(len, found.values())) < MOST_AT_ONCE:
            step += 1
            if not step & 31 and time.perf_counter() - slice_began > SLICE_SECONDS:
                await asyncio.sleep(0)
                slice_began = time.perf_counter()
                continue  # what waited may have gone meanwhile
            key = state.unjudged.pop()
            if key not in state.difference or not any(state.writable((key,), now)) or state.undone(key, now):
                continue
            operation = state.operation(key)
            if operation.action is Action.REMOVE and not state.removals_allowed:
                continue
            decision = self.decide(state, operation)
            if not decision.automatic or (self.held is not None and self.held(state, operation)):
                continue
            if operation.action is Action.REMOVE and decision.category != "dead-next-hop":
                state.removable.add(key)
            elif self._release(decision, now):
                found[operation.action].append(operation)
        state.judge_at = max(state.judge_at, now + JUDGE_SHARE * (time.perf_counter() - started))
        if state.unjudged:
            self._wake.set()
        state.removable &= self.removable(state)
        if not budget_used and state.guard.allows(len(state.removable), state.installed, now):
            found[Action.REMOVE] += [state.operation(key) for key in state.writable(state.removable, now)]
            state.removable = set()
        return [operation for action in Action for operation in found[action]]

    def _release(self, decision: Decision, now: float) -> bool:
        """Count an operation against what its rule lets go ahead in a minute; False when that is used up."""
        if not decision.per_minute:
            return True
        lately = self._released.setdefault(decision.rule or decision.category, deque())
        while lately and lately[0] <= now - 60.0:
            lately.popleft()
        if len(lately) >= decision.per_minute:
            return False
        lately.append(now)
        return True

    def decide_rule(self, operation: RuleOperation) -> Decision:
        """Return what is to become of a pending policy rule."""
        if self.judge.rules is not None:
            return self.judge.rules.decide_rule(operation)
        return Decision("rule", "med", 0 if self.gate is Gate.AUTO else 1)

    def decide(self, state: TableState, operation: Operation) -> Decision:
        """Return what is to become of one pending operation."""
        return self.judge.decide(state, operation, self.monotonic())

    # Writing

    async def apply(
        self,
        operations: Sequence[Operation],
        *,
        cause: str,
        actor: str,
        plan: str,
        wanted: bool = True,
        into: Applied | None = None,
    ) -> Applied:
        """Write operations in batches, each compared with the present just before it is written.

        An operation whose *before* or *after* no longer holds is left out and counted as stale, and so is all that is left
        when the gate becomes dry-run, or writing is paused, meanwhile.  Without *wanted* it does not matter whether BGP
        wants it.  Counts *into* what is given, so that what was written is known also where this ends in an error: raises
        JournalError, and writes nothing more, when the journal cannot be written, and FibUnavailable; a batch whose outcome
        is not known then counts as written.
        """
        applied = Applied() if into is None else into
        for start in range(0, len(operations), BATCH):
            asked = operations[start : start + BATCH]
            batch = [item for item in asked if self.holds(item, wanted=wanted)]
            if len(batch) < len(asked):
                kept = set(batch)
                applied.left_out += [(item, CHANGED_MEANWHILE) for item in asked if item not in kept]
                applied.stale += len(asked) - len(batch)
            if not batch:
                continue
            await self.write_recorded(batch, applied, cause=cause, actor=actor, plan=plan)
        return applied

    async def write_recorded(
        self, batch: Sequence[Operation], applied: Applied, *, cause: str, actor: str, plan: str, anyway: bool = False
    ) -> None:
        """Write a batch between its two entries of the journal; *anyway*: also where the journal cannot be written."""
        change = None
        try:
            change = self.journal.begin(batch, at=self.wall(), cause=cause, actor=actor, plan=plan)
        except JournalError as error:
            self._missed(error, anyway=anyway)
        try:
            results = await self.write_batch(batch)
        except FibUnavailable:
            applied.written += batch
            raise
        self.note_answers(batch, results, applied)
        try:
            if change is not None:
                self.journal.finish(change, results)
        except JournalError as error:
            self._missed(error, anyway=anyway)

    def _missed(self, error: JournalError, *, anyway: bool) -> None:
        if not anyway:
            raise error
        self.trouble = str(error)

    def note_answers(self, batch: Sequence[Operation], results: Sequence[WriteResult], applied: Applied) -> None:
        """Take over what the kernel said to a batch."""
        now = self.monotonic()
        written: dict[tuple[TableId, Family], list[int]] = {}
        for operation, result in zip(batch, results, strict=True):
            name = operation.table, operation.family
            if result is OVERTAKEN:
                applied.left_out.append((operation, CHANGED_MEANWHILE))
                applied.stale += 1
                self._doubt([name])
                continue
            state = self.tables.get(name)
            if state is not None:
                state.answered(operation, result.errno, result.message, now)
            applied.failed += bool(result.errno)
            applied.done += not result.errno
            if result.errno:
                applied.refused.append(operation)
                self._doubt([name])
            else:
                applied.written.append(operation)
                counts = written.setdefault(name, [0, 0])
                counts[0] += operation.before is None
                counts[1] += operation.after is None
        for name, (adds, removals) in written.items():
            if name in self.tables:
                self.tables[name].wrote(adds, removals, now)

    def holds(self, operation: Operation, *, wanted: bool = True) -> bool:
        """Say whether the kernel still has *before*, BGP still wants *after*, and anything may be written at all.

        Without *wanted* BGP is not asked.
        """
        state = self.tables.get((operation.table, operation.family))
        if state is None or self.gate is Gate.DRY_RUN or self.paused:
            return False
        if operation.key in state.conflicts or operation.key in state.acknowledged:
            return False
        if wanted and state.desired.get(operation.key) != operation.after:
            return False
        return state.current(operation.key) == operation.before

    async def write_batch(self, batch: Sequence[Operation]) -> list[WriteResult]:
        """Return one result per operation.  What a change of metric deletes is written once its add has an answer.

        What others changed meanwhile is looked at last of all, and what would replace it is not written (ESTALE).
        """
        await self._catch_up()
        results = [OVERTAKEN if self._overtaken(operation) else WriteResult(0) for operation in batch]
        first = [index for index, result in enumerate(results) if result is not OVERTAKEN]
        steps = {index: writes_of(batch[index]) for index in first}
        try:
            answers = await self.fib.write([steps[index][0] for index in first], self.protocol)
            for index, answer in zip(first, answers, strict=True):
                results[index] = answer if counts(batch[index], answer) else WriteResult(0)
            second = [
                index for index in first if len(steps[index]) > 1 and self._replaced(batch[index], results[index])
            ]
            if second:
                answers = await self.fib.write([steps[index][1] for index in second], self.protocol)
                for index, answer in zip(second, answers, strict=True):
                    results[index] = answer
            self.denied = ""
        except FibDenied as error:
            self.denied = str(error)
            return [WriteResult(errno.EPERM, "no CAP_NET_ADMIN")] * len(batch)
        self.written += sum(not result.errno for result in results)
        return results

    def _overtaken(self, operation: Operation) -> bool:
        state = self.tables.get((operation.table, operation.family))
        return operation.action is Action.CHANGE if state is None else state.overtaken(operation)

    def _replaced(self, operation: Operation, added: WriteResult) -> bool:
        """Say whether a route of ours now stands at the new metric, so that the one at the old may go."""
        assert operation.after is not None
        state = self.tables.get((operation.table, operation.family))
        ours = state is not None and (operation.key, operation.after.metric) in state.image.extras
        return not added.errno or (added.errno == errno.EEXIST and ours)

    # Rules

    def pending_rules(self) -> list[RuleOperation]:
        """Return the rule operations that make installed rules equal desired ones; removals first."""
        gone = [RuleOperation(rule, add=False) for rule in self.installed_rules - self.desired_rules]
        new = [RuleOperation(rule, add=True) for rule in self.desired_rules - self.installed_rules]
        return sorted(gone, key=rule_order) + sorted(new, key=rule_order)

    async def apply_rules(self, operations: Sequence[RuleOperation], cause: str) -> Applied:
        """Add and remove policy rules of ours, in order."""
        applied = Applied()
        if not operations or self._rule_retry_at > self.monotonic():
            return applied
        for rule, add in operations:
            done = await (self.fib.add_rule(rule, self.protocol) if add else self.fib.delete_rule(rule, self.protocol))
            words = f"{'add' if add else 'delete'} {rule.text}: {cause}"
            outcome = "done" if not done.errno else f"errno {done.errno} {done.message}"
            self.jot("rule", f"{words}: {outcome}")
            applied.failed += bool(done.errno)
            applied.done += not done.errno
            if not done.errno:
                applied.rules.append(RuleOperation(rule, add))
        if applied.failed:
            self._rule_retry_at = self.monotonic() + 5.0
        self._rules_dirty = True
        self._wake.set()
        return applied

    # Plans

    def live_operations(self) -> list[Operation]:
        """Return every pending operation that could be written; removals only where knowledge is complete."""
        found = [state.operation(key) for state in self.tables.values() for key in state.pending()]
        return sorted(found, key=lambda item: item.place)
