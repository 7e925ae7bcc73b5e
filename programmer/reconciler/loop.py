"""The reconcile loop: events and wishes make keys dirty, the gate decides, the door writes, the kernel is read back."""

import asyncio
import errno
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from programmer.approval import Decision, check_drift, classify, has_cover
from programmer.errors import DumpInterrupted, FibDenied, FibUnavailable
from programmer.fib import (
    Fib,
    FibEvent,
    LinkEvent,
    Links,
    OverrunEvent,
    RouteEvent,
    TableImage,
    Verb,
    Write,
    WriteResult,
)
from programmer.journal import Journal
from programmer.plan import Action, Gate, Operation, Plan, RuleOperation
from programmer.reconciler.table import TableSpec, TableState
from programmer.route import Family, Forwarding, NextHop, PrefixKey, Rule, TableId

BATCH = 1000
RESCAN_DELAY = 0.1
"""Seconds that doubts about a table are collected before it is read again; one burst is one read."""
READ_BACK_DEADLINE = 2.0
LONGEST_RETRY = 30.0
MOST_AT_ONCE = 5000
"""Operations of one step; the next one sees what has changed meanwhile."""
SCAN_SHARE = 20.0
"""Pause after a look for dead removals, in times what it took."""
GATHER = 0.004
"""Seconds between two steps: in a burst wishes and echoes are taken by the hundred, a lone one at once."""

Describe = Callable[[TableId, Family, PrefixKey], str]
"""Says why a key is desired as it is: peer, time, import rule."""


@dataclass(slots=True)
class Applied:
    """What came of one request to write: counts of operations."""

    done: int = 0
    failed: int = 0
    stale: int = 0


@dataclass(slots=True)
class Reconciler:
    """Owns every table of one namespace.

    ``notify`` is called after anything visible changed.  ``wall`` and ``monotonic`` are the clocks, in seconds.
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
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _rescan: dict[tuple[TableId, Family], float] = field(default_factory=dict)
    _rules_dirty: bool = True
    _links_dirty: bool = True
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _rule_retry_at: float = 0.0

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
            self._wake.set()

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
        for event in events:
            if isinstance(event, RouteEvent):
                state = self.tables.get((event.table, event.family))
                if state is not None and state.observe(event):
                    self._doubt([(event.table, event.family)])
            elif isinstance(event, LinkEvent | OverrunEvent):
                self._links_dirty = True
                self._rules_dirty |= isinstance(event, OverrunEvent)
                self._doubt(self.tables)
            else:
                self._rules_dirty = True
        self._wake.set()

    async def follow_events(self) -> None:
        """Apply kernel events until the FIB is closed."""
        async for events in self.fib.events():
            for start in range(0, len(events), BATCH):
                self._observe(events[start : start + BATCH])
                await asyncio.sleep(0)
            self.notify()

    async def _read(self) -> None:
        if self._links_dirty:
            self._links_dirty = False
            self.links = await self.fib.links()
            for known in self.tables.values():
                known.scan_at = 0.0
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
            try:
                image = await self.fib.read(*name, state.ownership)
            except DumpInterrupted as error:
                self.trouble = f"table {name[0]} {name[1].label}: {error}"
                self._rescan[name] = self.monotonic() + 1.0
                continue
            first = not state.read
            drifted = await _compared(state, image, self.monotonic())
            if drifted and not first:
                self.journal.note("drift", f"table {name[0]} {name[1].label}: {drifted} routes changed", at=self.wall())

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
                async with self._lock:
                    await self.step()
                self.trouble = "" if not self._rescan else self.trouble
                retry = 0.5
            except FibUnavailable as error:
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
            if state.difference.remove and state.scan_at > now:
                yield state.scan_at

    async def step(self) -> None:
        """One repeatable step: read what is in doubt, then write what may be written now."""
        await self._read()
        late = [name for name, state in self.tables.items() if state.overdue(self.monotonic(), READ_BACK_DEADLINE)]
        self._doubt(late)
        if self.gate is Gate.DRY_RUN or self.stopped or not self.ready:
            return
        if self.gate is Gate.AUTO:
            await self._apply_rules(self.pending_rules(), "configuration")
        for state in list(self.tables.values()):  # a reload may come while one is written
            operations = self.automatic(state)
            if operations:
                await self.apply(operations, cause="reconcile", actor="bgpmon", plan="")
                if any(operation.action is Action.REMOVE for operation in operations):
                    removed = sum(operation.action is Action.REMOVE for operation in operations)
                    state.guard.done(removed, self.monotonic())

    def automatic(self, state: TableState) -> list[Operation]:
        """Return the pending operations that no person has to see first: adds, then changes, then removals."""
        now = self.monotonic()
        difference = state.difference
        if self.gate is not Gate.AUTO:
            return self.dead_removals(state)
        wanted = itertools.chain(state.writable(difference.add, now), state.writable(difference.change, now))
        operations = [state.operation(key) for key in itertools.islice(wanted, MOST_AT_ONCE)]
        if len(operations) == MOST_AT_ONCE:
            self._wake.set()
            return operations
        removable = self.removable(state)
        if state.guard.allows(len(removable), len(state.image.routes), now):
            return operations + [state.operation(key) for key in state.writable(removable, now)]
        return operations + self.dead_removals(state)

    def removable(self, state: TableState) -> AbstractSet[PrefixKey]:
        """Return the keys that may be removed at all: none before what BGP says is complete."""
        return state.difference.remove if state.removals_allowed else frozenset()

    def dead_removals(self, state: TableState) -> list[Operation]:
        """Return the removals that take nothing away that works.  Looking for them has its price: it has pauses."""
        now = self.monotonic()
        removable = self.removable(state)
        if not removable or now < state.scan_at:
            return []
        dead: dict[Forwarding | None, bool] = {}
        found: list[Operation] = []
        for key in state.writable(removable, now):
            before = state.current(key)
            if before not in dead:
                dead[before] = before is not None and not any(self._alive(hop) for hop in before.next_hops)
            if dead[before] and self.decide(state, operation := state.operation(key)).approvals == 0:
                found.append(operation)
        ended = self.monotonic()
        state.scan_at = ended + SCAN_SHARE * (ended - now)
        return found

    def decide(self, state: TableState, operation: Operation) -> Decision:
        """Return what is to become of one pending operation."""
        before = operation.before
        dead = before is not None and not any(self._alive(hop) for hop in before.next_hops)
        stays = state.desired
        covered = dead and has_cover(operation.key, lambda key: key in stays and key in state.image.routes)
        return classify(operation, self.gate, dead=dead, covered=covered)

    def _alive(self, hop: NextHop) -> bool:
        link = self.links.links.get(hop.ifindex)
        return link is not None and link.usable

    # Writing

    async def apply(self, operations: Sequence[Operation], *, cause: str, actor: str, plan: str) -> Applied:
        """Write operations in batches, each compared with the present just before it is written.

        An operation whose *before* or *after* no longer holds is left out and counted as stale, and so is all that is left
        when the gate becomes dry-run meanwhile.
        """
        applied = Applied()
        for start in range(0, len(operations), BATCH):
            batch = list(filter(self.holds, operations[start : start + BATCH]))
            applied.stale += min(BATCH, len(operations) - start) - len(batch)
            if not batch:
                continue
            change = self.journal.begin(batch, at=self.wall(), cause=cause, actor=actor, plan=plan)
            results = await self._write(batch)
            self.journal.finish(change, results)
            for operation, result in zip(batch, results, strict=True):
                state = self.tables.get((operation.table, operation.family))
                if state is not None:
                    state.answered(operation, result.errno, result.message, self.monotonic())
                applied.failed += bool(result.errno)
                applied.done += not result.errno
                if result.errno:
                    self._doubt([(operation.table, operation.family)])
        return applied

    def holds(self, operation: Operation) -> bool:
        """Say whether the kernel still has *before*, BGP still wants *after*, and anything may be written at all."""
        state = self.tables.get((operation.table, operation.family))
        if state is None or self.gate is Gate.DRY_RUN:
            return False
        if operation.key in state.conflicts or operation.key in state.acknowledged:
            return False
        return state.current(operation.key) == operation.before and state.desired.get(operation.key) == operation.after

    async def _write(self, batch: Sequence[Operation]) -> list[WriteResult]:
        """Return one result per operation.  What a change of metric deletes is written once its add has an answer."""
        steps = [writes_of(operation) for operation in batch]
        try:
            answers = await self.fib.write([writes[0] for writes in steps], self.protocol)
            results = [
                answer if _counts(operation, answer) else WriteResult(0)
                for operation, answer in zip(batch, answers, strict=True)
            ]
            second = [
                index
                for index, writes in enumerate(steps)
                if len(writes) > 1 and self._replaced(batch[index], results[index])
            ]
            if second:
                answers = await self.fib.write([steps[index][1] for index in second], self.protocol)
                for index, answer in zip(second, answers, strict=True):
                    results[index] = answer if answer.errno else results[index]
            self.denied = ""
        except FibDenied as error:
            self.denied = str(error)
            return [WriteResult(errno.EPERM, "no CAP_NET_ADMIN")] * len(batch)
        return results

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
        return sorted(gone, key=_rule_order) + sorted(new, key=_rule_order)

    async def _apply_rules(self, operations: Sequence[RuleOperation], cause: str) -> Applied:
        applied = Applied()
        if not operations or self._rule_retry_at > self.monotonic():
            return applied
        for rule, add in operations:
            done = await (self.fib.add_rule(rule, self.protocol) if add else self.fib.delete_rule(rule, self.protocol))
            words = f"{'add' if add else 'delete'} {rule.text}: {cause}"
            outcome = "done" if not done.errno else f"errno {done.errno} {done.message}"
            self.journal.note("rule", f"{words}: {outcome}", at=self.wall())
            applied.failed += bool(done.errno)
            applied.done += not done.errno
        if applied.failed:
            self._rule_retry_at = self.monotonic() + 5.0
        self._rules_dirty = True
        self._wake.set()
        return applied

    # Plans

    def live_operations(self) -> list[Operation]:
        """Return every pending operation that could be written; removals only where knowledge is complete."""
        found = [state.operation(key) for state in self.tables.values() for key in state.pending()]
        return sorted(found, key=lambda item: (item.table, item.family, item.key))

    async def apply_plan(self, plan: Plan, actor: str, most: int, percent: float) -> Applied:
        """Apply the subset of an approved plan that still matches.  Raises PlanStale when too much does not."""
        async with self._lock:
            await self._read()
            fresh = [operation for operation in plan.operations if self._may(operation)]
            pending = self.pending_rules()
            rules = [operation for operation in plan.rule_operations if operation in pending]
            total = len(plan.operations) + len(plan.rule_operations)
            stale = total - len(fresh) - len(rules)
            check_drift(stale, total, most, percent)
            order = {Action.ADD: 0, Action.CHANGE: 1, Action.REMOVE: 2}
            fresh.sort(key=lambda item: (item.key[0] == 0, order[item.action]))
            leading = [operation for operation in rules if operation.add]
            trailing = [operation for operation in rules if not operation.add]
            cause = f"plan {plan.number}"
            off = await self._apply_rules(trailing, cause)
            applied = await self.apply(fresh, cause=cause, actor=actor, plan=plan.digest)
            on = await self._apply_rules(leading, cause)
            applied.done += off.done + on.done
            applied.failed += off.failed + on.failed
            applied.stale += stale
            self._wake.set()
        self.notify()
        return applied

    def _may(self, operation: Operation) -> bool:
        if not self.holds(operation):
            return False
        return operation.action is not Action.REMOVE or self.tables[operation.table, operation.family].removals_allowed

    async def withdraw_all(self, actor: str) -> Applied:
        """Delete every route and rule of ours, and write nothing more until the process is started again."""
        async with self._lock:
            self.stopped = True
            self._doubt(self.tables)
            self._rescan = dict.fromkeys(self._rescan, 0.0)
            self._rules_dirty = True
            await self._read()
            gone = [RuleOperation(rule, add=False) for rule in self.installed_rules]
            applied = await self._apply_rules(gone, "withdraw-all")
            for state in list(self.tables.values()):
                spec, image = state.spec, state.image
                ours = [(key, value) for key, value in image.routes.items()]
                ours += [(key, value) for (key, _), value in image.extras.items()]
                operations = [Operation(spec.table, spec.family, key, value, None) for key, value in ours]
                for start in range(0, len(operations), BATCH):
                    batch = operations[start : start + BATCH]
                    change = self.journal.begin(batch, at=self.wall(), cause="withdraw-all", actor=actor, plan="")
                    results = await self._write(batch)
                    self.journal.finish(change, results)
                    applied.done += sum(not result.errno for result in results)
                    applied.failed += sum(bool(result.errno) for result in results)
            self.rescan()
        return applied


def writes_of(operation: Operation) -> list[Write]:
    """Return the kernel messages of one operation.  A change of metric adds the new route before it deletes the old one."""
    table, family, key, before, after = operation
    if before is None:
        assert after is not None
        return [Write(Verb.ADD, table, family, key, after)]
    if after is None:
        return [Write(Verb.DELETE, table, family, key, before)]
    if before.metric == after.metric:
        return [Write(Verb.REPLACE, table, family, key, after)]
    return [Write(Verb.ADD, table, family, key, after), Write(Verb.DELETE, table, family, key, before)]


def _rule_order(operation: RuleOperation) -> tuple[Family, str]:
    return operation.rule.family, operation.rule.text


def _counts(operation: Operation, answer: WriteResult) -> bool:
    """A delete that finds nothing has reached its aim."""
    return bool(answer.errno) and not (operation.after is None and answer.errno == errno.ESRCH)


async def _compared(state: TableState, image: TableImage, now: float) -> int:
    """Take over a complete read, slice by slice; returns how many of our routes had changed behind our back."""
    steps = state.taking(image, now)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return int(end.value)
        await asyncio.sleep(0)
