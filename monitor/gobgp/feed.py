"""Runs one subscription: from the event stream of a speaker to updates that may be believed.

Three tasks share it: the reader drains the stream, the examiner lets withdrawals through the fence, and the
supervisor, a few times a second, finds the end of the dump, declares tables complete, reads the peer list
and decides when to start over.
"""

import asyncio
import enum
import logging
import time
from dataclasses import dataclass

from monitor.errors import SourceError, SourceUnavailable
from monitor.flow.outbox import ConsumerStalled, Outbox
from monitor.flow.together import together
from monitor.gobgp.client import BATCH_SIZE, Client, Event
from monitor.gobgp.completion import Completion
from monitor.gobgp.decode import Announced, Decoder, EndOfRib, Heard, Withdrawn
from monitor.gobgp.dialect import PEER_EVENT_STATE, SESSION_STATES, PathMessage
from monitor.gobgp.dump import Dump
from monitor.gobgp.fence import Fence, Session
from monitor.gobgp.ledger import Ledger
from monitor.gobgp.peer import address_of
from monitor.gobgp.roster import Roster
from monitor.rib.path import PeerId
from monitor.rib.peer import SessionState
from monitor.rib.update import PathAnnounced, PathRejected
from programmer.route import Family, PrefixKey

log = logging.getLogger(__name__)

SLICE_SECONDS = 0.004
"""Longest that decoding keeps the event loop to itself."""

PATIENCE = 20.0
"""Seconds that a full outbox may wait for the consumer."""

TICK = 0.1
PEERS_PERIOD = 10.0
LULL_EVENTS = 50
"""Most live events in a tick that mean there is no backlog: a backlog drains a hundred times as fast."""

UNSETTLED_PERIOD = 1.0
"""Seconds between peer lists while a table is not complete."""

DRAIN_RATE = 15_000
RELOAD_RATE = 80_000
"""Paths a second, live and from a dump: one is a message each, the other a thousand in a message."""

RELOAD_SECONDS = 0.5
"""What a new dump costs whatever its size: the wait for the burst to end, and the first message."""

BUSY_RATE = 2000
"""Live events a second from which on it is worth asking whether a new dump is quicker."""

LEAST_BACKLOG = 1000
"""Paths that the stream may be behind while it still counts as keeping up."""

BUSY_WINDOW = 0.2
"""Seconds over which the rate is taken: a router sends its first hundred thousand paths in one."""

MISMATCH_READS = 3

AUDIT_LIMIT = 50_000
"""Paths of a table up to which the rejected ones are looked for: it costs 60 us a prefix."""

AFI = {Family.IPV4: 1, Family.IPV6: 2}
Name = tuple[Family, PrefixKey, PeerId, int]


class Ending(enum.Enum):
    """Why a subscription ended although the speaker is well."""

    BEHIND = "the backlog of live events is longer than a new dump"
    RESYNC = "everything is told again, to be sure"
    MISMATCH = "paths told and paths counted by the speaker differ"


class _Over(Exception):
    def __init__(self, ending: Ending) -> None:
        self.ending = ending


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how often everything is told again, and how long to wait for an End-of-RIB."""

    resync: float = 900.0
    end_of_rib_wait: float = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run one subscription.

    ``asn`` is the speaker's, by which a restart is noticed.  ``dump`` asks for the table in the stream;
    without it the table is read prefix by prefix.  ``compare`` lets differing counters end the subscription.
    """

    name: str
    asn: int
    pace: Pace
    dump: bool = True
    compare: bool = True


class Feed:
    """One subscription.  ``run`` returns why it ended, or raises SourceError when the speaker is lost."""

    def __init__(self, client: Client, roster: Roster, decoder: Decoder, outbox: Outbox, plan: Plan) -> None:
        self._client = client
        self._roster = roster
        self._decoder = decoder
        self._outbox = outbox
        self._plan = plan
        self._fence = Fence()
        self._ledger = Ledger()
        self._dump = Dump(BATCH_SIZE)
        self._completion = Completion(roster, self._ledger, self._fence, outbox.put, plan.pace.end_of_rib_wait)
        self._awaiting = False
        self._quiet = 0.0
        self._lull = 0.0
        self._events = 0
        self._withheld = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._touched: set[Name] | None = None if plan.dump else set()
        self._audited: set[Name] | None = None
        self._peers_stirred = False
        self._mismatch_reads = 0
        self._resolved_at = 0.0
        self._has_gaps = False

    async def run(self) -> Ending:
        """Subscribe and tell until there is a reason to start over.

        Raises SourceError when the speaker is lost, TooLarge when the dump cannot be sent, ConsumerStalled
        when nobody takes what is told.
        """
        await self._roster.read(self._client)
        self._completion.begin(local=self._client.is_local)
        name = self._plan.name
        tasks = {
            f"{name} reader": self._read(),
            f"{name} examiner": self._examine(),
            f"{name} supervisor": self._supervise(),
        }
        tasks[f"{name} auditor"] = self._audit()
        if not self._plan.dump:
            tasks[f"{name} lister"] = self._list()
        try:
            await together((_Over, SourceError, ConsumerStalled), **tasks)
        except _Over as over:
            return over.ending
        raise AssertionError("a feed has no end of its own")

    # The reader.

    async def _read(self) -> None:
        self._awaiting = True
        async for event in self._client.watch(init=self._plan.dump):
            self._awaiting = False
            self._subscribed.set()
            self._quiet = 0.0
            if event.peer_event is not None:
                self._hear_peer(event)
            else:
                await self._hear_table(event)
            if self._outbox.is_full:
                await self._outbox.room(PATIENCE)
            self._awaiting = True

    def _hear_peer(self, event: Event) -> None:
        """A peer event says only that something moved; it is also part of the noise of a dying speaker."""
        assert event.peer_event is not None
        kind, message = event.peer_event
        if kind != PEER_EVENT_STATE:
            return
        self._peers_stirred = True
        state = SESSION_STATES.get(message.state.session_state)
        if state is not SessionState.ESTABLISHED and (address := address_of(message)):
            peer = self._roster.directory.find(address, message.state.router_id, message.state.peer_asn)
            if peer:
                self._completion.session_left(peer)

    async def _hear_table(self, event: Event) -> None:
        count, withdraws = 0, False
        decode, clock = self._decoder.decode, time.perf_counter
        started = clock()
        for message in event.paths():
            heard = decode(message)
            if heard is None and self._decoder.unresolved:
                heard = await self._decode_again(message)
            if heard is None and not message.nlri:
                continue
            if isinstance(heard, EndOfRib):
                self._completion.end_of_rib(heard.peer, heard.family)
                continue
            count += 1
            withdraws = withdraws or message.is_withdraw
            if heard is not None:
                self._take(heard)
            if not count & 63 and clock() - started > SLICE_SECONDS:
                await asyncio.sleep(0)
                if self._outbox.is_full:
                    await self._outbox.room(PATIENCE)
                started = clock()
        self._events += count
        self._dump.table(count, withdraws=withdraws)

    async def _decode_again(self, message: PathMessage) -> Heard | None:
        """Read the peer list and try once more: it lacks the router id of a session that has just come up."""
        self._decoder.unresolved = False
        now = asyncio.get_running_loop().time()
        if now - self._resolved_at >= UNSETTLED_PERIOD:
            self._resolved_at = now
            await self._roster.read(self._client)
        heard = self._decoder.decode(message)
        if self._decoder.unresolved:
            self._decoder.unresolved = False
            self._has_gaps = True
        return heard

    def _take(self, heard: Announced | Withdrawn) -> None:
        for touched in (self._touched, self._audited):
            if touched is not None:
                touched.add(_name(heard))
        if isinstance(heard, Withdrawn):
            self._fence.hold(heard)
            if not self._withheld.is_set():
                self._withheld.set()
            return
        if len(self._fence):
            self._fence.supersede(*_name(heard))
        self._announce(heard)

    def _announce(self, heard: Announced) -> None:
        family, key, path = heard
        self._ledger.announce(path.peer, family, key, path.path_id)
        self._outbox.put(PathAnnounced(family, key, path))

    async def _list(self) -> None:
        """Read the whole table in place of a dump; what the stream says of a path meanwhile is newer."""
        await self._subscribed.wait()
        assert self._touched is not None
        for afi in AFI.values():
            async for messages in self._client.list_global(afi):
                for message in messages:
                    heard = self._decoder.decode(message)
                    if isinstance(heard, Announced) and _name(heard) not in self._touched:
                        self._announce(heard)
                if self._outbox.is_full:
                    await self._outbox.room(PATIENCE)
        self._touched = None
        self._dump.is_over = True

    async def _audit(self) -> None:
        """Find out which paths the speaker's policy rejected before the subscription: no dump has them."""
        while True:
            await asyncio.sleep(UNSETTLED_PERIOD)
            while self._completion.unexplained:
                peer, family = self._completion.unexplained.pop()
                if self._ledger.counted(peer, family) <= AUDIT_LIMIT and peer in self._roster.entries:
                    await self._audit_table(peer, family)

    async def _audit_table(self, peer: PeerId, family: Family) -> None:
        local_asn = self._roster.entries[peer].peer.local_asn
        self._audited = set()
        async for messages in self._client.list_adj_in(peer.address, AFI[family]):
            for message in messages:
                heard = self._decoder.decode(message)
                if not isinstance(heard, Announced) or _name(heard) in self._audited:
                    continue
                if any(local_asn in numbers for _, numbers in heard.path.attributes.as_path):
                    continue  # an AS loop: received, but not even accepted
                if self._ledger.explain(peer, family, heard.key, heard.path.path_id):
                    self._outbox.put(PathRejected(family, heard.key, heard.path))
            if self._outbox.is_full:
                await self._outbox.room(PATIENCE)
        self._audited = None

    # The examiner.

    async def _examine(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._withheld.wait()
            self._withheld.clear()
            if self._fence.is_overfull:
                raise _Over(Ending.BEHIND)
            burst = self._fence.examine()
            if not burst.size:
                continue
            started = loop.time()
            if burst.suspects:
                sessions = await self._roster.sessions(self._client, burst.suspects)
            else:
                sessions = {}
            if (await self._client.get_bgp()).asn != self._plan.asn:
                raise SourceUnavailable(f"{self._client.target}: BGP was stopped or restarted")
            self._release(sessions, loop.time())
            if self._fence.has_held:
                # A peer is missing, or more came: the speaker is asked again, but not without a pause.
                await asyncio.sleep(min(1.0, loop.time() - started))
                self._withheld.set()

    def _release(self, sessions: dict[PeerId, Session], now: float) -> None:
        for update in self._fence.release(sessions, now):
            if isinstance(update, PathRejected):
                path = update.path
                self._ledger.reject(path.peer, update.family, update.key, path.path_id)
            else:
                self._ledger.withdraw(update.peer, update.family, update.key, update.path_id)
            self._outbox.put(update)

    # The supervisor.

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        began = before = loop.time()
        seen = 0
        next_read = began + UNSETTLED_PERIOD
        watch = _Rate(loop.time())
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            # A stalled loop is not a quiet stream: what came meanwhile is not read yet.
            waited = min(now - before, 2 * TICK) if self._awaiting else 0.0
            before = now
            self._quiet += waited
            self._lull = self._lull + waited if self._events - seen <= LULL_EVENTS else 0.0
            seen = self._events
            self._look_for_end(waited)
            pause = max(TICK, 5 * self._roster.cost)
            if now >= next_read or (self._peers_stirred and now >= next_read - PEERS_PERIOD + pause):
                self._peers_stirred = False
                await self._roster.read(self._client)
                self._completion.after_read()
                self._compare_counters()
                unsettled = not self._dump.is_over or self._completion.is_unsettled
                next_read = loop.time() + max(UNSETTLED_PERIOD if unsettled else PEERS_PERIOD, 20 * self._roster.cost)
            if self._dump.is_over:
                self._completion.declare(now, self._lull)
                if rate := watch.busy(now, self._events, pause):
                    await self._roster.read(self._client)
                    self._completion.after_read()
                    self._weigh_backlog(rate)
            if self._is_due(now - began):
                raise _Over(Ending.RESYNC)

    def _is_due(self, age: float) -> bool:
        """Return whether everything should be told again; tables that still fill get twice the time."""
        resync = self._plan.pace.resync
        settled = self._dump.is_over and not self._completion.is_unsettled
        return age >= (resync if settled else 2 * resync)

    def _look_for_end(self, waited: float) -> None:
        if self._dump.is_over or not self._plan.dump:
            return
        missing = self._completion.missing()
        if missing == 0:
            self._dump.counters_met()
        if waited:
            self._dump.quiet(waited, missing)
        if self._dump.is_over:
            self._decoder.forget()

    def _weigh_backlog(self, rate: float) -> None:
        """End the subscription if a new dump is quicker than draining what there is, and will be, for us.

        A table that is still growing is taken to be half done, as nobody can know better.
        """
        backlog, growing, total = self._completion.backlog()
        if backlog < LEAST_BACKLOG:
            return  # fast, but not too fast
        drain = max(backlog, growing) / min(rate, DRAIN_RATE)
        if drain > (total + growing) / RELOAD_RATE + RELOAD_SECONDS:
            name = self._plan.name
            log.info("%s: %d paths behind, %d arriving; dumping anew", name, backlog, growing)
            raise _Over(Ending.BEHIND)

    def _compare_counters(self) -> None:
        """Start over when a table at rest keeps differing from the speaker's own counter."""
        differs = self._completion.mismatch(self._quiet)
        if not self._plan.compare or not (differs or self._has_gaps):
            self._mismatch_reads = 0
            return
        self._mismatch_reads += 1
        if self._mismatch_reads >= MISMATCH_READS:
            log.warning("%s: paths told and counted differ; telling everything again", self._plan.name)
            raise _Over(Ending.MISMATCH)


def _name(heard: Announced | Withdrawn) -> Name:
    """Return what names a path among all."""
    if isinstance(heard, Announced):
        return heard.family, heard.key, heard.path.peer, heard.path.path_id
    return heard.family, heard.key, heard.peer, heard.path_id


class _Rate:
    """Tells how fast live events come."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._events = 0

    def busy(self, now: float, events: int, pause: float) -> float:
        """Return the rate since the last answer if it was over ``BUSY_RATE``, else 0; *pause* seconds after that at most."""
        if now - self._since < max(BUSY_WINDOW, pause):
            return 0.0
        rate = (events - self._events) / (now - self._since)
        self._since, self._events = now, events
        return rate if rate > BUSY_RATE else 0.0
