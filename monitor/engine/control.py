"""Everything that a person can change: freezing, deciding, holding, pausing, reloading, withdrawing."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.change.quorum import BREAK_GLASS, LOCAL, SIGNED, Standing
from monitor.change.rule import ticket_matches
from monitor.change.signature import SignatureRefused, verify
from monitor.change.statement import NAMESPACE, Act, Statement, read_statement
from monitor.config import Config
from monitor.engine.change import ChangeControl
from monitor.engine.core import Engine
from monitor.engine.feed import EngineFeed
from monitor.engine.plans import FrozenPlan, breaks_glass, find_plan, statement_of
from monitor.engine.tenancy import refuse_occupied
from monitor.engine.text import moment
from monitor.errors import BadRequest, Refused, RolledBack, Stale
from monitor.ports import Document, Endorsement
from programmer.approval import WAITING, PlanState, check_state
from programmer.errors import PlanRefused, PlanStale
from programmer.plan import short_digest
from programmer.reconciler import refuse_for_good, withdraw_all

log = logging.getLogger("bgpmon.change")

NOBODY = Endorsement()

LONGEST_EXTENSION = 86400.0


@dataclass(slots=True)
class EngineControl:
    """The write half of the API.  ``load`` reads the configuration file again, or raises ConfigError."""

    engine: Engine
    feed: EngineFeed
    change: ChangeControl
    load: Callable[[], Config]
    _freezing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _deciding: asyncio.Lock = field(default_factory=asyncio.Lock)

    # Plans

    async def freeze(self, actor: str, filter_text: str = "", *, denied: bool = False, name: str = "") -> Document:
        """Make an immutable copy of the live plan, and store it; others have their turn meanwhile."""
        author = self._author(actor, name)
        async with self._freezing:
            digest = await self.change.freezer.freeze(author, actor, filter_text=filter_text, denied=denied)
        self.change.conductor.wake()
        return await self._frozen(digest)

    def _author(self, actor: str, name: str) -> str:
        """Return who froze a plan; where nobody may approve their own, it has to be one of those who can sign."""
        approval = self.engine.config.approval
        if approval.self_approve:
            return name or actor
        principals = approval.people
        if name not in principals:
            known = ", ".join(sorted(principals)) or "nobody"
            raise Refused(f"self_approve is false, so say who freezes: --name with one of {known}")
        return name

    async def _frozen(self, digest: str) -> Document:
        document = await self.feed.plan(digest)
        total = document["total"]
        return document | {"operations": total, "truncated": False}

    async def approve(self, digest: str, actor: str, endorsement: Endorsement = NOBODY) -> Document:
        """Record an approval; with the last one that is needed the plan is applied, or waits for its window."""
        with _told_to_the_caller():
            refuse_for_good(self.engine.reconciler)
        async with self._deciding:
            stored = self._undecided(digest)
            voice = self._who(stored, Act.APPROVE, actor, endorsement)
            self._check(stored, voice, endorsement)
            standing = self._record(stored, Act.APPROVE, voice, endorsement, actor)
            if not standing.enough:
                return self._answer(stored, {"approvals": standing._asdict()})
            now, state = time.time(), PlanState.APPROVED.value
            self.engine.journal.set_plan_state(stored.digest, state, "", at=now, actor=voice.principal)
        waits = await self.change.conductor.submit(stored.digest)
        return self._answer(stored, {"approvals": standing._asdict(), "waits_for": waits})

    def _undecided(self, digest: str) -> FrozenPlan:
        stored = find_plan(self.engine, digest)
        if stored.state is PlanState.SUPERSEDED:
            raise Stale(f"plan {stored.number} is superseded: {stored.detail}; freeze a new one")
        with _told_to_the_caller():
            check_state(stored.state, stored.expires_at, time.time())
        return stored

    def _check(self, stored: FrozenPlan, voice: "_Voice", endorsement: Endorsement) -> None:
        """Raise Refused where an approval cannot count, so that nobody believes that it does."""
        approval = self.engine.config.approval
        wanted = stored.requirement
        if voice.method == BREAK_GLASS:
            if not endorsement.comment.strip():
                raise Refused("breaking glass needs a reason: --reason WORDS")
            return
        for pattern in wanted.tickets:
            if not ticket_matches(pattern, voice.ticket):
                raise Refused(f"a rule asks for a ticket that matches {pattern}: --ticket")
        if not approval.self_approve and voice.principal == stored.author:
            raise Refused(f"{voice.principal} froze this plan, and self_approve is false")
        if wanted.denied:
            raise Refused(
                f"{wanted.denied} operations of this plan are denied by a rule; only --break-glass releases it"
            )
        if voice.method != LOCAL:
            return
        if not approval.allow_local:
            raise Refused("a local identity does not count here (allow_local: false); approve with an SSH signature")
        if not approval.self_approve:
            raise Refused("a local identity cannot show that it did not freeze the plan; approve with an SSH signature")
        if wanted.needed > 1 or wanted.groups:
            raise Refused(
                f"{wanted.needed} people must agree, and a local identity never counts as one of several; "
                "approve with an SSH signature"
            )

    def _who(self, stored: FrozenPlan, act: Act, actor: str, endorsement: Endorsement) -> "_Voice":
        """Return who decides, and how that is known.  Raises Refused, BadRequest, Stale."""
        if endorsement.break_glass:
            return _Voice(actor, BREAK_GLASS, stored.expires_at, endorsement.ticket)
        if not endorsement.signature:
            who = f"{actor}, says to be {endorsement.name}" if endorsement.name else actor
            return _Voice(who, LOCAL, stored.expires_at, endorsement.ticket)
        octets = endorsement.statement
        if not octets:
            octets = statement_of(stored, self.engine.config.node, act, endorsement.ticket).text.encode()
        statement = self._statement(stored, act, octets)
        now = time.time()
        try:
            verified = verify(endorsement.signature, octets, NAMESPACE)
            principal = self.engine.config.approval.signers.principal_of(verified.key, NAMESPACE, now)
        except SignatureRefused as error:
            raise Refused(f"the signature is refused: {error}") from error
        expires = min(statement.expires, stored.expires_at)
        return _Voice(principal, SIGNED, expires, statement.ticket, octets.decode())

    def _statement(self, stored: FrozenPlan, act: Act, octets: bytes) -> Statement:
        """Return what was signed; raises unless it is about this plan on this node, this decision, and still valid."""
        try:
            statement = read_statement(octets)
        except ValueError as error:
            raise BadRequest(f"the statement cannot be read: {error}") from error
        node = self.engine.config.node
        this, that = (f"plan {stored.number} {short_digest(stored.digest)}",
                      f"plan {statement.plan} {short_digest(statement.digest)}")  # fmt: skip
        wrong = [
            (statement.node != node, f"it is about node {statement.node}, and this is {node}"),
            (statement.digest != stored.digest or this != that, f"it is about {that}, and this is {this}"),
            (statement.act is not act, f"it says {statement.act.value}, and this is {act.value}"),
        ]
        for is_wrong, text in wrong:
            if is_wrong:
                raise Refused(f"the statement is refused: {text}")
        if time.time() >= statement.expires:
            raise Stale(f"the statement expired at {moment(statement.expires)}; sign a new one")
        return statement

    def _record(self, stored: FrozenPlan, act: Act, voice: "_Voice", endorsement: Endorsement, actor: str) -> Standing:
        """Write a decision down, and return how far the approvals of the plan reach."""
        journal, now = self.engine.journal, time.time()
        principal, method = voice.principal, voice.method
        given = [item for item in journal.approvals(stored.digest) if item.act == act.value]
        if any(item.principal == principal and item.method == method and now < item.expires for item in given):
            raise Refused(f"{principal} has said {act.value} to this plan already; nobody counts twice")
        journal.add_approval(
            stored.digest,
            at=now,
            act=act.value,
            comment=endorsement.comment,
            signature=endorsement.signature,
            **voice._asdict(),
        )
        words = f"plan {stored.number} {short_digest(stored.digest)}: {principal} ({method})"
        journal.note(act.value if method != BREAK_GLASS else BREAK_GLASS, words, at=now, actor=actor)
        if method == BREAK_GLASS:
            text = f"by {principal} for plan {stored.number}: {endorsement.comment}"
            log.error("BREAK-GLASS %s", text)
            journal.remember("break-glass", f"{now} {text}")
        return self.change.standing(stored, now)

    def _answer(self, stored: FrozenPlan, more: Document) -> Document:
        """Return what became of a plan."""
        now = find_plan(self.engine, stored.digest)
        document: Document = {
            "digest": now.digest,
            "short": short_digest(now.digest),
            "number": now.number,
            "state": now.state.value,
            "expires_at": moment(now.expires_at),
            "detail": now.detail,
            **more,
        }
        progress = self.feed.progress(now.digest)
        if progress is not None:
            document |= {
                "applied": progress.applied,
                "failed": progress.failed,
                "stale": progress.stale,
                "left_out": progress.left_out,
                "deadline": moment(progress.deadline) if progress.deadline else None,
                "reverted": progress.reverted or None,
            }
        return document

    async def reject(self, digest: str, reason: str, actor: str, endorsement: Endorsement = NOBODY) -> Document:
        """Refuse a plan that has not been applied, for good."""
        if not reason.strip():
            raise Refused("a rejection needs a reason")
        async with self._deciding:
            stored = find_plan(self.engine, digest)
            if stored.state not in WAITING or time.time() >= stored.expires_at:
                stored = self._undecided(digest)
            principal = self._who(stored, Act.REJECT, actor, endorsement).principal
            now = time.time()
            self.engine.journal.set_plan_state(stored.digest, PlanState.REJECTED.value, reason, at=now, actor=principal)
            self.engine.journal.note("reject", f"plan {stored.number} by {principal}: {reason}", at=now, actor=actor)
        return self._answer(stored, {})

    async def confirm(self, digest: str, actor: str, endorsement: Endorsement = NOBODY) -> Document:
        """Keep a change that soaks.  Where signatures were needed to release it, one is needed to keep it."""
        async with self._deciding:
            stored = find_plan(self.engine, digest)
            self._refuse_rolled_back(stored)
            voice, wanted = self._who(stored, Act.CONFIRM, actor, endorsement), stored.requirement
            proven = wanted.needed > 1 or wanted.groups or not self.engine.config.approval.allow_local
            if proven and voice.method != SIGNED and not breaks_glass(self.engine, stored.digest):
                raise Refused(
                    "this plan was released by signatures, so it is confirmed by one: see `bgpmon plan statement`"
                )
            await self.change.conductor.confirm(stored, voice.principal)
        return self._answer(stored, {})

    @staticmethod
    def _refuse_rolled_back(stored: FrozenPlan) -> None:
        if stored.state in {PlanState.ROLLED_BACK, PlanState.ROLLING_BACK}:
            raise RolledBack(f"plan {stored.number} was applied and rolled back: {stored.detail}")

    async def roll_back(self, digest: str, actor: str, reason: str = "", name: str = "") -> Document:
        """Take back the change that soaks; of an older one, freeze the way back as a plan of its own."""
        flight = self.change.conductor.flight
        if not digest:
            if flight is None:
                raise Refused("no change is in flight; name the plan to go back from: `bgpmon history` lists them")
            digest = flight.digest
        stored = find_plan(self.engine, digest)
        if flight is not None and flight.digest == stored.digest:
            self.engine.journal.note("rollback", f"plan {stored.number}: {reason}", at=time.time(), actor=actor)
            await self.change.conductor.roll_back(stored, reason or f"asked for by {actor}", actor)
            return self._answer(stored, {})
        self._refuse_rolled_back(stored)
        with _told_to_the_caller():
            async with self._freezing:
                way_back = await self.change.freezer.undo(digest, self._author(actor, name), actor)
        self.change.conductor.wake()
        return await self._frozen(way_back)

    async def extend(self, digest: str, seconds: float, actor: str) -> Document:
        """Give a change that soaks more time."""
        if not 1 <= seconds <= LONGEST_EXTENSION:
            raise BadRequest("extend by 1s to 24h")
        stored = find_plan(self.engine, digest)
        self._refuse_rolled_back(stored)
        await self.change.conductor.extend(stored, seconds, actor)
        return self._answer(stored, {})

    # Holds and the pause

    async def hold(self, filter_text: str, seconds: float, reason: str, actor: str) -> Document:
        """Keep what a filter matches out of plans for a time."""
        document = self.change.restraints.hold(filter_text, seconds, reason, actor, time.time()).document()
        self.change.conductor.wake()
        return document

    async def release(self, number: int, actor: str) -> Document:
        """End a hold."""
        return self.change.restraints.release(number, actor, time.time()).document() | {"state": "released"}

    async def pause(self, reason: str, actor: str) -> Document:
        """Write nothing more until resumed; returns when what was being written is done."""
        self._refuse_in_flight()
        document = self.change.restraints.stop(reason, actor, time.time()).document()
        async with self.engine.reconciler.lock:
            log.warning("writing is paused by %s: %s", actor, reason)
        return document | {"state": "paused"}

    def _refuse_in_flight(self) -> None:
        flight = self.change.conductor.flight
        if flight is not None:
            raise Refused(
                f"plan {flight.plan.number} is {flight.state.value}, and goes back by itself unless confirmed: "
                "confirm it or roll it back first"
            )

    async def resume(self, actor: str) -> Document:
        """Let things be written again."""
        document = self.change.restraints.resume(actor, time.time()).document()
        self.change.conductor.wake()
        log.warning("writing goes on, by %s", actor)
        return document | {"state": "resumed"}

    # The whole

    async def reload(self, actor: str) -> Document:
        """Apply the file as a whole, or leave the old configuration in force."""
        config = await asyncio.to_thread(self.load)
        self._refuse_in_flight()
        old = self.engine.config
        fixed = [name for name in ("netns", "state_dir", "run_dir", "protocol", "sources", "api", "reconcile", "node")
                 if getattr(old, name) != getattr(config, name)]  # fmt: skip
        if fixed:
            raise Refused(f"a restart is needed to change {', '.join(fixed)}; the old configuration stays in force")
        await refuse_occupied(config, self.engine.reconciler.fib, self.engine.journal)
        now = time.time()
        self.engine.configure(config)
        self.change.configure()
        if config.digest != old.digest:
            for item in self.engine.journal.plans_in([state.value for state in WAITING]):
                words = "the configuration changed"
                self.engine.journal.set_plan_state(item.digest, PlanState.SUPERSEDED.value, words, at=now, actor=actor)
        self.engine.journal.note("reload", config.path, at=now, actor=actor)
        self.change.conductor.wake()
        return {"state": "reloaded", "warnings": list(config.warnings)}

    async def withdraw_all(self, actor: str) -> Document:
        """Remove every route and rule of ours."""
        if self.engine.config.mode.value == "dry-run":
            raise Refused("the mode is dry-run: nothing is ever written, removals included")
        reconciler = self.engine.reconciler
        if reconciler.paused:
            raise Refused(f"writing is paused {reconciler.paused}; `bgpmon resume` first")
        self._refuse_in_flight()
        self.engine.journal.note("withdraw-all", "asked for", at=time.time(), actor=actor)
        applied = await withdraw_all(reconciler, actor)
        return {"state": "withdrawn", "removed": applied.done, "failed": applied.failed}


class _Voice(NamedTuple):
    """Who decides about a plan, how that is known, and until when it counts (seconds since the epoch).

    ``statement`` is what was signed, empty where nothing was.
    """

    principal: str
    method: str
    expires: float
    ticket: str
    statement: str = ""


@contextlib.contextmanager
def _told_to_the_caller() -> Iterator[None]:
    """Raise what the programmer refuses as what the API's callers know."""
    try:
        yield
    except PlanStale as error:
        raise Stale(str(error)) from error
    except PlanRefused as error:
        raise Refused(str(error)) from error
