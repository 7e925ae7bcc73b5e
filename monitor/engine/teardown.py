"""Shuts the session of a peer that sends too much, opens it again after a while, and gives up after some attempts.

What is done to a session is recorded before it is done, so that a restart of the daemon goes on where it was.  A speaker says OK
to such orders even when it does nothing, so each one is verified by reading the peer back (``SessionControl``).
"""

import asyncio
import enum
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from monitor.config import LimitAction
from monitor.engine.limit import Guard, PeerLimits
from monitor.engine.peer import PeerTable
from monitor.errors import SourceError
from monitor.ports import SessionControl, Source
from monitor.rib.path import PeerId
from monitor.rib.peer import AdminState, SessionState
from programmer.journal import Journal
from programmer.route import Family

log = logging.getLogger("bgpmon.engine")

PERIOD = 1.0
RETRY_SECONDS = 5.0
"""Pause after an order that the speaker did not carry out."""

FACT = "teardown "
"""Beginning of the names of our facts in the journal; the peer follows."""

UNSEEN_SECONDS = 5.0
"""A session that we shut may look open for so long: the peer list that shows it shut is on its way."""

GONE_SECONDS = 60.0
"""A speaker that has been connected for so long and does not list a peer does not have it."""

LONGEST_COMMUNICATION = 128
"""Octets of a shutdown communication that every speaker understands (RFC 8203; RFC 9003 allows 255)."""


class Step(enum.StrEnum):
    """Where a session stands that was torn down."""

    SHUTTING = "shutting"
    SHUT = "shut"
    OPENING = "opening"
    OPEN = "open"
    """Open again, and watched for whether it stays within its limit."""


@dataclass(slots=True)
class Record:
    """One session that was torn down.

    ``count`` paths of ``family`` were more than ``limit``.  ``restarts`` is how often it was opened again in a row, ``until`` when
    it is opened next (seconds since the epoch), None if it stays down.  ``at`` is when the present step began, ``trouble`` why an
    order was not carried out.  ``unseen`` is true from our order until the speaker's peer list shows the session shut.
    """

    family: str
    count: int
    limit: int
    step: Step
    at: float
    restarts: int = 0
    until: float | None = None
    trouble: str = ""
    unseen: bool = False

    @property
    def excess(self) -> str:
        """Why it was shut."""
        return f"{self.count:,} {self.family} paths, limit {self.limit:,}"


class Teardown:
    """The sessions that are torn down, of every source that lets itself be told so.

    ``sources`` are by name.  ``alive`` returns for how many seconds one has been connected, 0 while it is not; ``dry_run`` says
    whether orders are only to be talked about.
    """

    def __init__(
        self,
        limits: PeerLimits,
        peers: Mapping[PeerId, PeerTable],
        sources: Mapping[str, Source],
        journal: Journal,
        *,
        alive: Callable[[str], float],
        dry_run: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.records: dict[PeerId, Record] = {}
        self._limits = limits
        self._peers = peers
        self._sources = sources
        self._journal = journal
        self._alive = alive
        self._dry_run = dry_run
        self._clock = clock
        self._wake = asyncio.Event()
        for name, text in journal.recall(FACT).items():
            source, _, address = name.removeprefix(FACT).partition(" ")
            fields = json.loads(text)
            self.records[PeerId(source, address)] = Record(**fields | {"step": Step(fields["step"]), "unseen": False})

    # What is shown

    def holds(self, peer: PeerId) -> bool:
        """Say whether the session is down by our order, so that the peer has no paths."""
        record, table = self.records.get(peer), self._peers.get(peer)
        if record is None or table is None or record.step is not Step.SHUT:
            return False
        return table.peer.admin_state is not AdminState.UP and not table.peer.established

    def reason(self, peer: PeerId) -> str:
        """Return why a session is down, or an empty string when that is not our doing."""
        record = self.records.get(peer)
        if record is None or record.step is Step.OPEN:
            return ""
        return f"shut by bgpmon: {record.excess}; {_what_next(record, peer)}"

    def warnings(self) -> Iterator[str]:
        """Yield what an operator should know, one sentence for each session."""
        for peer, record in sorted(self.records.items()):
            if record.trouble:
                yield f"peer {peer.address}: {record.step.value}, but {record.trouble}; it is tried again"
            elif record.step is not Step.OPEN:
                yield f"peer {peer.address}: {self.reason(peer)}"
        if self._dry_run():
            for guard in self._beyond():
                yield f"peer {guard.text}: its session would be shut, but the mode is dry-run"

    # The supervisor

    def wake(self) -> None:
        """Look now rather than at the next turn."""
        self._wake.set()

    async def run(self) -> None:
        """Supervise until cancelled."""
        while True:
            self._wake.clear()
            await self.turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):
                    await self._wake.wait()

    async def turn(self) -> None:
        """Decide and carry out what is due."""
        if not self._dry_run():
            for guard in list(self._beyond()):
                self._begin(guard)
        for peer in list(self.records):
            seconds = self._alive(peer.source)
            table = self._peers.get(peer)
            if table is not None and seconds and table.peer.state is not SessionState.UNKNOWN:
                await self._proceed(peer, self.records[peer], table)
            elif table is None and seconds > GONE_SECONDS:
                self._forget(peer, "the speaker does not have it any more")

    def _beyond(self) -> Iterator[Guard]:
        """Yield the guards whose peer is to be shut, and is not yet."""
        for (peer, _), guard in self._limits.guards.items():
            record = self.records.get(peer)
            if (
                guard.over
                and guard.limit.action is LimitAction.TEARDOWN
                and guard.table.peer.admin_state is AdminState.UP
                and (record is None or record.step is Step.OPEN)
            ):
                yield guard

    def _begin(self, guard: Guard) -> None:
        """Decide to shut a session: recorded before anything is done."""
        peer, now, limit = guard.table.peer.id, self._clock(), guard.limit
        before = self.records.get(peer)
        if before is not None and before.step is not Step.OPEN:
            return
        restarts = before.restarts if before else 0
        until = now + limit.restart if restarts < limit.attempts else None
        self._to(
            peer,
            Record(guard.family.label, guard.count, limit.paths, Step.SHUTTING, now, restarts, until),
            Step.SHUTTING,
        )

    async def _proceed(self, peer: PeerId, record: Record, table: PeerTable) -> None:
        if record.trouble and self._clock() - record.at < RETRY_SECONDS:
            return
        if record.step is Step.SHUTTING:
            await self._shut(peer, record)
        elif record.step is Step.OPENING:
            await self._open(peer, record)
        elif record.step is Step.OPEN:
            self._watch(peer, record, table)
        elif table.peer.admin_state is not AdminState.UP:
            record.unseen = False
            await self._wait(peer, record)
        elif not record.unseen or self._clock() - record.at >= UNSEEN_SECONDS:
            self._note(peer, "opened by somebody else, or by a restart of the speaker; its limit holds")
            self._to(peer, record, Step.OPEN)

    async def _shut(self, peer: PeerId, record: Record) -> None:
        if self._dry_run():
            self._forget(peer, "not shut, the mode is dry-run now")
            return
        opens = "stays shut" if record.until is None else f"opens in {max(1, round(record.until - self._clock()))} s"
        words = f"bgpmon: {record.excess}; {opens}"[:LONGEST_COMMUNICATION]
        if await self._order(peer, record, lambda control: control.disable_peer(peer, words)):
            record.unseen = True
            self._to(peer, record, Step.SHUT)
            text = self.reason(peer)
            self._note(peer, text)
            log.error("peer torn down %s: %s", peer.address, text)

    async def _wait(self, peer: PeerId, record: Record) -> None:
        """Open a session that was shut when its time has come, or when its limit was changed in its favour."""
        guard = self._limits.guards.get((peer, Family.of_label(record.family)))
        limit = guard.limit if guard is not None and guard.limit.action is LimitAction.TEARDOWN else None
        if limit is None or limit.paths > record.limit:
            record.restarts = 0
        elif record.until is None:
            if record.restarts < limit.attempts:
                record.until = self._clock() + limit.restart
                self._to(peer, record, Step.SHUT)
            return
        elif self._clock() < record.until:
            return
        else:
            record.restarts += 1
        self._to(peer, record, Step.OPENING)
        await self._open(peer, record)

    async def _open(self, peer: PeerId, record: Record) -> None:
        if await self._order(peer, record, lambda control: control.enable_peer(peer)):
            self._to(peer, record, Step.OPEN)
            self._note(peer, f"opened again, restart {record.restarts}" if record.restarts else "opened again")
            log.warning("peer opened again %s", peer.address)

    def _watch(self, peer: PeerId, record: Record, table: PeerTable) -> None:
        """Forget a session whose whole table has been within its limits for as long as it would have been shut."""
        guards = [guard for family in Family if (guard := self._limits.guards.get((peer, family)))]
        if not table.peer.established or any(guard.over or guard.family not in table.proof for guard in guards):
            record.at = self._clock()
        elif self._clock() - record.at >= max((guard.limit.restart for guard in guards), default=0.0):
            self._forget(peer, "within its limits again; restarts are counted anew")

    async def _order(self, peer: PeerId, record: Record, order: Callable[[SessionControl], Awaitable[None]]) -> bool:
        """Give one order; returns whether it was carried out, and keeps why not."""
        source = self._sources[peer.source]
        try:
            if not isinstance(source, SessionControl):
                raise SourceError(f"source {peer.source} takes no orders")  # the configuration allows no teardown there
            await order(source)
        except SourceError as error:
            if not record.trouble:
                self._note(peer, f"{record.step.value}: {error}")
                log.error("peer %s %s: %s", record.step.value, peer.address, error)  # noqa: TRY400 - the sentence says it
            record.trouble, record.at = str(error), self._clock()
            return False
        return True

    def _to(self, peer: PeerId, record: Record, step: Step) -> None:
        record.step, record.at, record.trouble = step, self._clock(), ""
        self.records[peer] = record
        self._journal.remember(f"{FACT}{peer.source} {peer.address}", json.dumps(asdict(record)))

    def _forget(self, peer: PeerId, why: str) -> None:
        del self.records[peer]
        self._journal.remember(f"{FACT}{peer.source} {peer.address}", None)
        self._note(peer, why)

    def _note(self, peer: PeerId, text: str) -> None:
        self._journal.note("peer-limit", f"{peer.address}: {text}", at=self._clock())


def _what_next(record: Record, peer: PeerId) -> str:
    if record.step is Step.OPENING:
        return "it is being opened again"
    if record.until is not None:
        at = datetime.fromtimestamp(record.until, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return f"restart {record.restarts + 1} at {at}"
    tried = f"after {record.restarts} restarts" if record.restarts != 1 else "after one restart"
    return f"it stays down {tried}; once the peer sends less, open it with `gobgp neighbor {peer.address} enable`"
