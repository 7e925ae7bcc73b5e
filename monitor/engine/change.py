"""Change control of one node: the rules, the people, the queue and the restraints, put together."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path as FilePath

from monitor.change.clock import ClockState, read_clock
from monitor.change.probe import BgpTarget, parse_target
from monitor.change.quorum import SIGNED, Quorum, Standing, Voice
from monitor.change.statement import Act
from monitor.config import Clock, Mode
from monitor.engine.conductor import Conductor, Prober
from monitor.engine.core import Engine
from monitor.engine.freezing import Freezer
from monitor.engine.holds import Restraints
from monitor.engine.plans import FrozenPlan
from monitor.engine.rules import ApprovalRules
from monitor.engine.text import moment
from monitor.ports import Document
from programmer.approval import WAITING
from programmer.reconciler import Destination, Destinations

LOUD_SECONDS = 86400.0
"""How long every screen says that glass was broken."""

CLOCK_SECONDS = 10.0
"""How long an answer about the clock is good."""


class ChangeControl:
    """Everything between what is pending and what is written.

    ``prober`` makes what looks at the targets of probes; None where the kernel is a simulated one.  ``clock`` says whether the
    node's clock is set by somebody.
    """

    def __init__(
        self, engine: Engine, prober: Callable[[], Prober] | None = None, clock: Callable[[], ClockState] = read_clock
    ) -> None:
        self.engine = engine
        self._ask_clock = clock
        self._clock: tuple[float, ClockState] | None = None
        self.restraints = Restraints(engine)
        self.freezer = Freezer(engine)
        self.conductor = Conductor(engine, self.standing, self.restraints, prober, self.clock)
        self.configure()

    def configure(self) -> None:
        """Take over the rules and the probes of the configuration in force."""
        engine = self.engine
        rules = engine.config.approval.rules
        engine.reconciler.judge.rules = ApprovalRules(engine, rules) if rules else None
        engine.reconciler.judge.destinations = Destinations(self._destinations())
        engine.reconciler.judge_again()

    def forget(self) -> None:
        """Drop what the filters of rules and holds remember of attribute sets, and so the sets."""
        rules = self.engine.reconciler.judge.rules
        if isinstance(rules, ApprovalRules):
            rules.forget()
        self.restraints.forget()

    def _destinations(self) -> Iterable[Destination]:
        """Yield the addresses whose way must not change unnoticed."""
        for address in self.engine.endpoints:
            yield Destination(address, f"endpoint {address}", controls=True)
        soak = self.engine.config.approval.soak
        for probe in soak.probes if soak else ():
            target = parse_target(probe.kind, probe.target)
            if not isinstance(target, BgpTarget):
                yield Destination(target.address, f"probe {probe.name}", controls=False)

    def clock(self) -> ClockState:
        """Return whether the node's clock is set by somebody; asked for now and then."""
        now = time.monotonic()
        if self._clock is None or now - self._clock[0] > CLOCK_SECONDS:
            self._clock = (now, self._ask_clock())
        return self._clock[1]

    # Who

    @property
    def quorum(self) -> Quorum:
        """Who counts, by the configuration in force."""
        approval = self.engine.config.approval
        return Quorum(dict(approval.groups), approval.allow_local, approval.self_approve)

    def standing(self, stored: FrozenPlan, now: float) -> Standing:
        """Return how far the approvals of a plan reach."""
        people = self.engine.config.approval.people
        given = [
            Voice(item.principal, item.method, item.expires)
            for item in self.engine.journal.approvals(stored.digest)
            # Whoever was taken out of the signers meanwhile no longer counts.
            if item.act == Act.APPROVE and (item.method != SIGNED or item.principal in people)
        ]
        return self.quorum.standing(stored.requirement, given, stored.author, now)

    # What everybody is shown

    def document(self) -> Document:
        """``{paused, holds, window, waiting, in_flight, break_glass}``, part of the status."""
        flight = self.conductor.flight
        now = time.time()
        state = self.conductor.window(now)
        pause = self.restraints.pause
        return {
            "paused": pause.document() if pause else None,
            "holds": self.restraints.documents(),
            "window": {"open": state.open, "name": state.name, "text": state.text,
                       "until": moment(state.until) if state.until else None},
            "waiting": [self._waiting(FrozenPlan.of(item)) for item in self.engine.journal.plans_in(
                [state.value for state in WAITING])],
            "in_flight": None if flight is None else {
                "number": flight.plan.number, "digest": flight.digest, "state": flight.state.value,
                "deadline": moment(flight.progress.deadline) if flight.progress.deadline else None,
                "seconds_left": max(0, int(flight.progress.deadline - now)) if flight.progress.deadline else None},
            "break_glass": self.broken_glass(now),
        }  # fmt: skip

    def _waiting(self, stored: FrozenPlan) -> Document:
        return {
            "number": stored.number,
            "digest": stored.digest,
            "state": stored.state.value,
            "expires_at": moment(stored.expires_at),
            "detail": stored.detail,
        }

    def broken_glass(self, now: float) -> str:
        """Return who broke glass in the last day and why, or nothing."""
        for fact in self.engine.journal.recall("break-glass").values():
            at, _, text = fact.partition(" ")
            if now - float(at) < LOUD_SECONDS:
                return f"{moment(float(at))}: {text}"
        return ""

    def warnings(self) -> list[str]:
        """Return what an operator should know now, the loudest first."""
        found: list[str] = []
        now, config = time.time(), self.engine.config
        if text := self.broken_glass(now):
            found.append(f"BREAK-GLASS was used {text}")
        if self.restraints.pause is not None:
            found.append(f"PAUSED {self.restraints.pause.text}; nothing is written; `bgpmon resume` ends it")
        flight = self.conductor.flight
        if flight is not None:
            words = f"plan {flight.plan.number} is {flight.state.value}"
            if flight.progress.deadline:
                words += f": taken back at {moment(flight.progress.deadline)} unless confirmed"
            found.append(words)
        if self.conductor.undecided:
            waits = (
                "is to be taken back, which the mode dry-run forbids"
                if config.mode is Mode.DRY_RUN
                else "is being taken back"
            )
            found.append(f"an undecided change of an earlier life {waits}; nothing else is written before")
        found += [
            f"hold {hold.id} until {moment(hold.until)}: {hold.filter}: {hold.reason}"
            for hold in self.restraints.holds.values()
        ]
        if config.windows and config.clock is Clock.KERNEL and not self.clock().synchronised:
            found.append(f"windows count as shut: {self.clock().text}")
        undone = sum(len(state.rolled_back) for state in self.engine.reconciler.tables.values())
        if undone:
            found.append(f"{undone} rolled-back operations are not written again unless a plan with them is approved")
        return found

    def windows(self, at: float, count: int) -> Document:
        """``{now, items: [next openings]}``."""
        state = self.conductor.window(at)
        return {
            "at": moment(at),
            "open": state.open,
            "text": state.text,
            "configured": [
                {"name": item.name, "kind": item.kind.value, "cron": item.cron, "seconds": item.duration,
                 "timezone": item.timezone}
                for item in self.engine.config.windows
            ],
            "items": [item._asdict() for item in self.conductor.windows.next(at, count)],
        }  # fmt: skip


def machine_id(root: FilePath = FilePath("/")) -> str:
    """Return the machine id of the node (machine-id(5)), or nothing where there is none."""
    try:
        return (root / "etc/machine-id").read_text().strip()
    except OSError:
        return ""
