"""One approved change: applied as a subset of what was approved, read back, and taken back the same way.

Everything here holds the reconciler's lock, so that nothing else writes meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from programmer.approval import check_drift, dependents
from programmer.errors import FibUnavailable, JournalError, PlanRefused, PlanStale
from programmer.plan import Action, Gate, Operation, Plan, PlanKind, RuleOperation
from programmer.reconciler.loop import BATCH, CHANGED_MEANWHILE, Reconciler
from programmer.reconciler.message import Applied
from programmer.route import Family, Forwarding, PrefixKey, TableId, text_of

Item = TypeVar("Item")

_ORDER = {action: number for number, action in enumerate(Action)}

Written = dict[tuple[TableId, Family], dict[PrefixKey, Forwarding | None]]
"""What a change left, by table and key."""

MOST_NAMED = 20
"""Routes that are named when something is wrong with them."""

IN_A_GROUP = "an operation that it depends on cannot be done"
IS_SO = "the kernel has what the plan says already"
INCOMPLETE = "what BGP says of this table is not complete, so nothing is removed"


@dataclass(slots=True)
class Reverted:
    """What came of a roll-back: counts of operations, and what is not as it was before, in words."""

    done: int = 0
    failed: int = 0
    left_alone: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether everything was read back as it was before the change."""
        return not self.left_alone and not self.failed


def plan_cause(number: int) -> str:
    """Return the cause under which the journal has what a plan wrote."""
    return f"plan {number}"


def refuse_for_good(reconciler: Reconciler) -> None:
    """Raise PlanRefused where nothing may be written, and waiting does not change that."""
    if reconciler.gate is Gate.DRY_RUN:
        raise PlanRefused("the mode is dry-run: nothing is ever written; set `mode: approve` or `mode: auto`")
    if reconciler.stopped:
        raise PlanRefused("withdraw-all was carried out: start bgpmon again to write routes")


def refuse_writing(reconciler: Reconciler) -> None:
    """Raise PlanRefused where nothing may be written at all."""
    refuse_for_good(reconciler)
    if reconciler.recovering:
        raise PlanRefused(
            "what an earlier life of bgpmon left undecided is being rolled back first; try again in a moment"
        )
    if reconciler.paused:
        raise PlanRefused(f"writing is paused: {reconciler.paused}; `bgpmon resume` ends that")


async def apply_plan(
    reconciler: Reconciler,
    plan: Plan,
    actor: str,
    most: int,
    percent: float,
    begin: Callable[[Sequence[RuleOperation]], None] = lambda _rules: None,
    digest: str = "",
) -> Applied:
    """Apply the subset of an approved plan that still matches, and read it back before anything else is written.

    *begin* is called before the first write, with the policy rules that will be written: what it raises ends the change.
    *digest* is the plan's, where it is known already: finding it takes a second for a million operations.  What the kernel
    has already is left out, and neither drift nor a reason to leave out what leans on it.  Raises PlanStale when more than
    *most* operations and *percent* of them no longer match, or none is left to do, PlanRefused where nothing may be written,
    JournalError when the journal fails before the first write.  When it fails later, the rest is left out.
    """
    async with reconciler.lock:
        refuse_writing(reconciler)
        await reconciler.read_due()
        reasons: dict[int, str] = {}
        settled: dict[int, str] = {}
        async for index, item in _sliced(list(enumerate(plan.operations))):
            if _is_so(reconciler, plan, item):
                settled[index] = IS_SO
            elif why := _obstacle(reconciler, plan, item):
                reasons[index] = why
        for index in dependents(plan.groups, reasons.keys()):
            if index not in settled:
                reasons.setdefault(index, IN_A_GROUP)
        rules = _rules_that_hold(reconciler, plan)
        total = len(plan.operations) + len(plan.rule_operations)
        stale = len(reasons) + len(plan.rule_operations) - len(rules)
        if total == len(settled):
            raise PlanStale("the kernel has all that this plan says already: nothing is left to do")
        check_drift(stale, total - len(settled), most, percent)
        begin(rules)
        await _release(reconciler, plan)
        cause = plan_cause(plan.number)
        reasons |= settled
        applied = Applied(stale=stale + len(settled))
        applied.left_out = [(plan.operations[index], why) for index, why in reasons.items()]
        kept = set(rules)
        applied.left_out += [(item, CHANGED_MEANWHILE) for item in plan.rule_operations if item not in kept]
        applied.add(await reconciler.apply_rules([item for item in rules if not item.add], cause))
        try:
            await _write_in_order(reconciler, plan, digest or plan.digest, reasons, applied, actor)
        except (JournalError, FibUnavailable) as error:
            reconciler.trouble = str(error)
            applied.left_out.append((plan.operations[-1], f"the rest was not written: {error}"))
            applied.stale = max(applied.stale, total - applied.done - applied.failed)
            applied.broken = str(error)
            return applied
        finally:
            reconciler.judge_again()
        applied.add(await reconciler.apply_rules([item for item in rules if item.add], cause))
        applied.wrong = await _read_back(reconciler, applied.written)
    reconciler.notify()
    return applied


async def _write_in_order(
    reconciler: Reconciler, plan: Plan, digest: str, reasons: dict[int, str], applied: Applied, actor: str
) -> None:
    """Write adds, then changes, then removals; a default route last of its kind, since others may fall to it.

    A group that lost a member does not go on.
    """
    indexes: dict[int, int] = {}
    steps: dict[tuple[bool, Action], list[Operation]] = {}
    async for index, item in _sliced(list(enumerate(plan.operations))):
        indexes[id(item)] = index
        if index not in reasons:
            steps.setdefault((item.key[0] == 0, item.action), []).append(item)
    # Of a roll-back plan it is not asked whether BGP wants it: it does not.
    wanted = plan.kind is PlanKind.CHANGE
    for action in Action:
        for default in (False, True):
            batch = steps.get((default, action), [])
            lost = {indexes[id(item)] for item, why in applied.left_out if id(item) in indexes and why != IS_SO}
            lost |= {indexes[id(item)] for item in applied.refused if id(item) in indexes}
            if doomed := dependents(plan.groups, lost):
                held = [item for item in batch if indexes[id(item)] in doomed]
                applied.left_out += [(item, IN_A_GROUP) for item in held]
                applied.stale += len(held)
                batch = [item for item in batch if indexes[id(item)] not in doomed]
            if batch:
                cause = plan_cause(plan.number)
                await reconciler.apply(batch, cause=cause, actor=actor, plan=digest, wanted=wanted, into=applied)


def _is_so(reconciler: Reconciler, plan: Plan, operation: Operation) -> bool:
    """Say whether somebody brought about already what an operation would, and BGP still wants it where it is asked."""
    state = reconciler.tables.get((operation.table, operation.family))
    if state is None or state.current(operation.key) != operation.after or operation.key in state.conflicts:
        return False
    return plan.kind is not PlanKind.CHANGE or state.desired.get(operation.key) == operation.after


def _obstacle(reconciler: Reconciler, plan: Plan, operation: Operation) -> str:
    """Return why an operation cannot be done now, or nothing."""
    if not reconciler.holds(operation, wanted=plan.kind is PlanKind.CHANGE):
        return CHANGED_MEANWHILE
    state = reconciler.tables[operation.table, operation.family]
    if plan.kind is PlanKind.CHANGE and operation.action is Action.REMOVE and not state.removals_allowed:
        return INCOMPLETE
    if reconciler.held is not None and (hold := reconciler.held(state, operation)):
        return f"kept back by hold {hold}"
    return ""


def _rules_that_hold(reconciler: Reconciler, plan: Plan) -> list[RuleOperation]:
    if plan.kind is PlanKind.CHANGE:
        pending = set(reconciler.pending_rules())
        return [operation for operation in plan.rule_operations if operation in pending]
    return [item for item in plan.rule_operations if (item.rule in reconciler.installed_rules) is not item.add]


async def _release(reconciler: Reconciler, plan: Plan) -> None:
    """A person has approved what a roll-back may have undone before; what this plan rolls back stays undone."""
    async for operation in _sliced(plan.operations):
        state = reconciler.tables.get((operation.table, operation.family))
        if state is not None and plan.kind is PlanKind.CHANGE:
            state.allow(operation.key, operation.after)
        elif state is not None:
            state.undo(operation.key, operation.before, reconciler.monotonic())
    for rule in plan.rule_operations:
        if plan.kind is PlanKind.CHANGE:
            reconciler.rules_rolled_back.discard(rule)
        else:
            reconciler.rules_rolled_back.add(rule.inverse)


async def verify(reconciler: Reconciler, written: Sequence[Operation]) -> list[str]:
    """Read back what was written; returns what is not as it should be, in words, at most twenty.

    Where BGP has wanted something else since, and it was written, nothing is wrong.
    """
    async with reconciler.lock:
        return await _read_back(reconciler, written)


async def _read_again(reconciler: Reconciler, written: Iterable[Operation]) -> list[str]:
    """Read the tables of a change, and the rules; returns what could not be read, in words."""
    unread = await reconciler.read_again({(operation.table, operation.family) for operation in written})
    return [f"table {table} {family.label} could not be read back" for table, family in unread]


async def _read_back(reconciler: Reconciler, written: Sequence[Operation]) -> list[str]:
    wrong = await _read_again(reconciler, written)
    async for operation in _sliced(written):
        state = reconciler.tables.get((operation.table, operation.family))
        if state is None or state.current(operation.key) == operation.after:
            continue
        if state.desired.get(operation.key) == operation.after or state.current(operation.key) == operation.before:
            wrong.append(f"{place_of(operation)} is not as the plan left it")
    return wrong[:MOST_NAMED]


def by_place(written: Iterable[Operation]) -> Written:
    """Return what a change left, so that it is found by its place."""
    found: Written = {}
    for operation in written:
        found.setdefault((operation.table, operation.family), {})[operation.key] = operation.after
    return found


def undermined(reconciler: Reconciler, written: Written) -> list[str]:
    """Return which routes of a change somebody else changed although BGP still wants them, in words.

    Looks at what is known to have drifted only, so that it costs nothing where nothing has.
    """
    found: list[str] = []
    for (table, family), left in written.items():
        state = reconciler.tables.get((table, family))
        for key in state.drift & left.keys() if state is not None else ():
            assert state is not None
            if state.desired.get(key) == left[key] != state.current(key):
                found.append(f"{text_of(family, key)} in table {table} was changed by somebody else")
    return sorted(found)[:MOST_NAMED]


def place_of(operation: Operation) -> str:
    """Return ``10.8.0.0/16 in table 101``."""
    return f"{text_of(operation.family, operation.key)} in table {operation.table}"


async def _sliced(items: Sequence[Item]) -> AsyncIterator[Item]:
    """Yield *items*; now and then others have their turn.  What was seen before may have changed after it."""
    for start in range(0, len(items), BATCH):
        for item in items[start : start + BATCH]:
            yield item
        await asyncio.sleep(0)


async def revert(
    reconciler: Reconciler,
    written: Sequence[Operation],
    rules: Sequence[RuleOperation],
    *,
    cause: str,
    actor: str,
    plan: str,
) -> Reverted:
    """Take back what a change wrote, and read it back.

    Written by compare and set: a route that somebody else changed meanwhile is left alone, and told.  It goes on without
    the journal where that cannot be written: the change and its inverse are in it already.
    """
    reverted = Reverted()
    async with reconciler.lock:
        await _read_again(reconciler, written)
        undo, halves = await _inverse(reconciler, written)
        undo.sort(key=lambda item: (_ORDER[item.action], item.key[0] == 0))
        reconciler.rules_rolled_back.update(rules)
        reconciler.rules_rolled_back.difference_update(rule.inverse for rule in rules)
        back = [rule.inverse for rule in rules if (rule.rule in reconciler.installed_rules) is rule.add]
        applied = await reconciler.apply_rules([rule for rule in back if not rule.add], cause)
        for start in range(0, len(undo), BATCH):
            batch = undo[start : start + BATCH]
            await reconciler.write_recorded(batch, applied, cause=cause, actor=actor, plan=plan, anyway=True)
        await reconciler.write_batch(halves)
        more = await reconciler.apply_rules([rule for rule in back if rule.add], cause)
        reverted.done, reverted.failed = applied.done + more.done, applied.failed + more.failed
        reverted.left_alone = await _read_again(reconciler, written)
        async for operation in _sliced(written):
            state = reconciler.tables.get((operation.table, operation.family))
            if state is not None and state.current(operation.key) != operation.before:
                reverted.left_alone.append(f"{place_of(operation)} was changed meanwhile, and left alone")
        del reverted.left_alone[MOST_NAMED:]
        for rule in rules:
            if (rule.rule in reconciler.installed_rules) is rule.add:
                reverted.left_alone.append(f"rule {rule.rule.text} is not as it was")
        reconciler.judge_again()
    reconciler.notify()
    return reverted


async def _inverse(reconciler: Reconciler, written: Sequence[Operation]) -> tuple[list[Operation], list[Operation]]:
    """Return what takes *written* back as far as it is there, and what deletes the new half of a change cut short.

    A change of metric adds the new route before it deletes the old one, so that both may stand there.
    """
    undo: list[Operation] = []
    halves: list[Operation] = []
    async for operation in _sliced(written):
        state = reconciler.tables.get((operation.table, operation.family))
        if state is None:
            continue
        state.undo(operation.key, operation.after, reconciler.monotonic())
        # What stood there before stands there again, and is kept like any other route.
        state.allow(operation.key, operation.before)
        after = operation.after
        if state.current(operation.key) == after:
            undo.append(operation.inverse)
        elif after is not None and state.image.extras.get((operation.key, after.metric)) == after:
            halves.append(operation._replace(before=after, after=None))
    return undo, halves


async def withdraw_all(reconciler: Reconciler, actor: str) -> Applied:
    """Delete every route and rule of ours, and write nothing more until the process is started again."""
    async with reconciler.lock:
        reconciler.stopped = True
        await reconciler.read_again(reconciler.tables)
        gone = [RuleOperation(rule, add=False) for rule in reconciler.installed_rules]
        applied = await reconciler.apply_rules(gone, "withdraw-all")
        for state in list(reconciler.tables.values()):
            spec, image = state.spec, state.image
            ours = [(key, value) for key, value in image.routes.items()]
            ours += [(key, value) for (key, _), value in image.extras.items()]
            operations = [Operation(spec.table, spec.family, key, value, None) for key, value in ours]
            for start in range(0, len(operations), BATCH):
                batch = operations[start : start + BATCH]
                change = reconciler.journal.begin(
                    batch, at=reconciler.wall(), cause="withdraw-all", actor=actor, plan=""
                )
                results = await reconciler.write_batch(batch)
                reconciler.journal.finish(change, results)
                applied.done += sum(not result.errno for result in results)
                applied.failed += sum(bool(result.errno) for result in results)
        reconciler.rescan()
    return applied
