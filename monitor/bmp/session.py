"""One connection's conversation: from BMP messages to updates that may be believed.

A Peer Down empties that peer without a withdrawal for each path, so nothing is kept here per path: the engine is told that a
table begins anew, and that it is complete.  Pure but for the two clocks that it is given.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import NamedTuple

from monitor.bmp.attribute import Context
from monitor.bmp.ending import down_text, is_graceful, may_be_farewell
from monitor.bmp.opening import FAMILIES, Agreement, agree, read_open
from monitor.bmp.speaker import Oddities, introduction
from monitor.bmp.update import Sender, UpdateDecoder
from monitor.bmp.wire import (
    DE_CONFIGURED,
    PEER_ADDRESS_END,
    PEER_IDENTITY,
    REMOTE_SILENT,
    Flag,
    Kind,
    Malformed,
    PeerDown,
    PeerHeader,
    PeerKind,
    Statistic,
    bgp_update,
    peer_down,
    peer_header,
    peer_up,
    statistics,
    termination_text,
)
from monitor.rib.nexthop import is_link_local
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer, PeerFamily, SessionState
from monitor.rib.update import PeerChanged, PeerGone, TableBegun, TableComplete, TableCounted, Update
from programmer.route import Family

MOST_PEERS = 1000
"""Peers that one speaker may have."""

MOST_VIEWS = 16 * MOST_PEERS
"""Per-peer headers that are told apart: a peer is seen in several views, and over several sessions."""

DOUBT_SECONDS = 3.0
"""How long a session that the speaker itself closed waits to be believed: the speaker may be shutting down altogether."""

UNNAMED_SECONDS = 5.0
"""How long after connecting a speaker has for naming the sessions that are up; it names them before any path."""

CALM_MESSAGES = 100
"""Messages a second that are ordinary churn, not a table that is still arriving."""

MISSED_REPORTS = 3
"""Statistics reports of a peer that may be missing while others are reported of."""

REPORT_SECONDS = 10.0
"""By how much statistics reports may be late."""

CALM_SECONDS = 2.0
"""For how long there have to be few of them at least."""

LONG_AGO = 10
"""An initial table has arrived after this many times the wait for End-of-RIB, however much changes since."""


class Terms(NamedTuple):
    """How a conversation is held.

    ``post`` takes paths from after the speaker's import policy.  ``end_of_rib_wait`` is in seconds.  ``local`` means that the
    speaker's clock is ours.
    """

    source: str
    post: bool
    end_of_rib_wait: float
    local: bool
    oddities: Oddities = Oddities()

    @property
    def calm(self) -> float:
        """Seconds with few messages after which a peer has nothing more to tell at once."""
        return max(CALM_SECONDS, self.end_of_rib_wait / 3)

    @property
    def settled(self) -> float:
        """Seconds with few messages from any peer after which nobody waits for its turn in a dump any more."""
        return max(CALM_SECONDS, self.end_of_rib_wait)


class Clocks(NamedTuple):
    """``monotonic`` in seconds from anywhere, ``wall`` in seconds since the epoch."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


@dataclass(slots=True)
class _Table:
    """One family of a session: whether its End-of-RIB came, after paths or before any, and whether it is known to be complete."""

    marked: bool = False
    hollow: bool = False
    complete: bool = False


@dataclass(slots=True)
class _Session:
    """A peer, and its session as far as this connection has told.

    ``seen_at`` is when we heard of it, ``first_at`` of its first path; ``oldest`` is when the speaker received the oldest of the
    paths that it told, 0 for none.  ``returned`` means that paths of the session before it are kept, ``dumped`` that the speaker
    says where the dump ends.  ``messages`` counts those since the last tick, ``calm_since`` is since when there were few.
    ``ending`` waits to be believed from ``ends_at`` on.
    """

    peer: Peer
    agreement: Agreement
    opens: tuple[bytes, bytes]
    sender: Sender
    seen_at: float
    named_at: int
    up: bool = True
    oldest: int = 0
    first_at: float = 0.0
    returned: bool = False
    dumped: bool = False
    tables: dict[Family, _Table] = field(default_factory=dict)
    reported_at: float = 0.0
    messages: int = 0
    calm_since: float = 0.0
    ending: PeerDown | None = None
    ends_at: float = 0.0
    retained_until: float | None = None


class Conversation:
    """What one speaker says on one connection.

    ``known`` has the peers of earlier connections, and those of this one afterwards.  ``ignored`` counts messages that were left
    out, by cause: ``pre-policy``, ``post-policy`` (the other view), ``loc-rib``, ``adj-rib-out``, ``instance`` (a VRF's),
    ``unannounced`` (without a Peer Up), ``after-the-session``, ``mirror`` and ``kind`` (unknown to RFC 7854).
    """

    def __init__(
        self,
        terms: Terms,
        clocks: Clocks,
        decoder: UpdateDecoder,
        tell: Callable[[Update], None],
        known: dict[PeerId, Peer],
    ) -> None:
        self.ignored: Counter[str] = Counter()
        self.farewell = ""
        self._terms = terms
        self._clocks = clocks
        self._decoder = decoder
        self._tell = tell
        self._known = known
        self._unnamed = set(known)
        self._sessions: dict[bytes, _Session] = {}
        self._routes: dict[bytes, tuple[_Session, Sender] | str] = {}
        self._unannounced: set[bytes] = set()
        self._report_gap = self._reported_at = 0.0
        self._began_at = clocks.monotonic()
        self._ends_dumps = self._settled = False
        self._messages = 0
        self._calm_since = self._began_at
        self._ticked_at = self._began_at

    def hear(self, kind: int, body: bytes, zone: str = "") -> None:
        """Take one message; Malformed when nothing can be believed any more.

        *zone* is the interface that has the local address of a Peer Up, where its peer is link-local.
        """
        if kind == Kind.ROUTE_MONITORING:
            self._hear_routes(body)
        elif kind == Kind.PEER_UP:
            self._hear_up(body, zone)
        elif kind == Kind.PEER_DOWN:
            self._hear_down(body)
        elif kind == Kind.STATISTICS:
            self._hear_statistics(body)
        elif kind == Kind.INITIATION:
            introduction(body)  # said again, which changes nothing unless it is malformed
        elif kind == Kind.TERMINATION:
            self.farewell = termination_text(body)
        else:
            self.ignored["mirror" if kind == Kind.ROUTE_MIRRORING else "kind"] += 1

    # Routes

    def _hear_routes(self, body: bytes) -> None:
        identity = body[:PEER_IDENTITY]
        found = self._routes.get(identity)
        if found is None:
            found = self._routes[identity] = self._classify(peer_header(body))
        if isinstance(found, str):
            self.ignored[found] += 1
            return
        session, sender = found
        content = bgp_update(body)
        if content is None or not session.up:
            self.ignored["kind" if session.up else "after-the-session"] += 1
            return
        session.messages += 1
        self._messages += 1
        seconds = int.from_bytes(body[34:38], "big")
        marked = self._decoder.decode(content, sender, seconds, self._tell)
        if marked is not None:
            self._hear_mark(session, marked)
            return
        if not session.oldest or seconds < session.oldest:
            session.oldest = seconds
        if not session.first_at:
            session.first_at = self._clocks.monotonic()

    def _classify(self, header: PeerHeader) -> "tuple[_Session, Sender] | str":
        """Return whose routes these are and how to read them, or why they are left out."""
        if len(self._routes) >= MOST_VIEWS:
            raise Malformed(f"routes of more than {MOST_VIEWS:,} peers and views")
        if cause := self._left_out(header):
            return cause
        if bool(header.flags & Flag.POST_POLICY) is not self._terms.post:
            return "pre-policy" if self._terms.post else "post-policy"
        session = self._find(header)
        if session is None:
            self._unannounced.add(header.identity[:PEER_ADDRESS_END])
            return "unannounced"
        # A speaker may write the same session's paths with AS numbers of either size.
        narrow = self._terms.oddities.follows_session and not session.agreement.four_octet_as
        wide = not narrow and not header.flags & Flag.LEGACY_AS_PATH
        sender = session.sender
        if sender.context.wide is not wide:
            context = sender.context._replace(wide=wide)
            sender = self._decoder.sender(session.peer.id, context, sender.add_path, sender.unreadable)
        return session, sender

    @staticmethod
    def _left_out(header: PeerHeader) -> str:
        if header.kind == PeerKind.LOC_RIB:
            return "loc-rib"
        if header.flags & Flag.ADJ_RIB_OUT:
            return "adj-rib-out"
        if header.kind != PeerKind.GLOBAL or any(header.distinguisher):
            return "instance"
        return ""

    def _hear_mark(self, session: _Session, family: Family) -> None:
        """Take an End-of-RIB: the end of what the speaker had when we connected, see ``_judge``."""
        table = session.tables.get(family)
        if table is None:
            return
        if not session.first_at:
            table.hollow = True
        elif not self._settled:
            # A speaker that ends dumps like this has begun with all the sessions that were up.
            self._ends_dumps = True
            for other in self._sessions.values():
                other.dumped = True
        table.marked = table.marked or bool(session.first_at)
        families = dict(session.peer.families) | {family: PeerFamily(end_of_rib=True)}
        if families != session.peer.families:
            self._change(session, replace(session.peer, families=families))
        self._judge(session, family, table, self._clocks.monotonic())

    def _judge(self, session: _Session, family: Family, table: _Table, now: float) -> None:
        """Find out whether a table is complete.

        No speaker passes a peer's End-of-RIB on: one ends a dump, or, before any path, may begin it.  So the session has to be
        old enough for the peer to have told everything, and little may come any more.  Without any, silence has to tell.
        """
        if table.complete or not session.up or session.ending is not None or family in session.sender.unreadable:
            return
        wait, age = self._terms.end_of_rib_wait, self._age(session)
        calm = now - session.calm_since
        proof = ""
        if table.marked and (age >= LONG_AGO * wait or (age >= wait and calm >= CALM_SECONDS)):
            proof = f"End-of-RIB, and the session older than {wait:g} s"
        elif table.hollow and self._ends_dumps and self._is_told(session, now - session.seen_at, calm):
            # It had nothing when the dump was made; what came later came from the peer.
            proof = f"End-of-RIB, and quiet after more than {wait:g} s"
        elif not table.marked and self._settled and self._is_quiet(session, age, calm):
            proof = f"quiet, after more than {wait:g} s"
        if proof:
            table.complete = True
            self._tell(TableComplete(session.peer.id, family, proof))

    def _is_quiet(self, session: _Session, age: float, calm: float) -> bool:
        """Return whether silence proves that a peer has told everything; little does where an End-of-RIB should have come.

        A router begins to tell seconds after the session, and one that restarts may take its whole restart time.
        """
        if age >= LONG_AGO * self._terms.end_of_rib_wait:
            return not session.dumped or calm >= self._terms.calm
        return not session.dumped and calm >= self._terms.calm and self._is_told(session, age, calm)

    def _is_told(self, session: _Session, age: float, calm: float) -> bool:
        """Return whether a peer of which no dump told anything has had the time to tell everything itself."""
        wait = self._terms.end_of_rib_wait
        if session.first_at:
            return calm >= self._terms.calm and self._clocks.monotonic() - session.first_at >= wait
        return age >= (max(wait, session.agreement.restart_time) if session.returned else wait)

    def _age(self, session: _Session) -> float:
        """Return for how long a session has been up, at least.

        What a Peer Up says of it may be the moment at which it was sent.  A path was received when the session was up; the
        speaker's clock counts whole seconds.
        """
        age = self._clocks.monotonic() - session.seen_at
        if self._terms.local and session.oldest:
            age = max(age, self._clocks.wall() - session.oldest - 1.0)
        return age

    def _find(self, header: PeerHeader) -> "_Session | None":
        """Return the session that a header means.

        Its address names a peer, and some speakers leave the rest out when it goes down; but link-local addresses of several
        links may be the same.
        """
        found = self._sessions.get(header.identity)
        if found is not None:
            return found
        same = [name for name in self._sessions if name[:PEER_ADDRESS_END] == header.identity[:PEER_ADDRESS_END]]
        if is_link_local(header.address.packed) and any(header.router_id):
            return None
        if len(same) > 1:
            raise Malformed(f"{header.address} could be {len(same)} peers")
        return self._sessions[same[0]] if same else None

    # Sessions

    def _hear_up(self, body: bytes, zone: str) -> None:
        header = peer_header(body)
        if cause := self._left_out(header):
            self.ignored[cause] += 1
            return
        told = peer_up(body, ipv6=bool(header.flags & Flag.IPV6))
        opens = (told.sent_open, told.received_open)
        before = self._find(header)
        if before is not None:
            if before.up and before.ending is None and (before.opens, before.named_at) == (opens, header.seconds):
                return  # a speaker that sends both views says so for each
            if before.up:
                self._end(before, before.ending or PeerDown(REMOTE_SILENT, None, 0, ""))
            self._sessions = {name: held for name, held in self._sessions.items() if held is not before}
        elif len(self._sessions) >= MOST_PEERS:
            raise Malformed(f"more than {MOST_PEERS:,} peers")
        if header.identity[:PEER_ADDRESS_END] in self._unannounced:
            raise Malformed(f"routes of {header.address} before its Peer Up")
        agreement = agree(read_open(told.sent_open), read_open(told.received_open))
        peer = _peer(self._name(header, zone), header, agreement, zone, self._clocks.wall())
        known = self._known.get(peer.id)
        if before is None and known is not None and known.established:
            # It is told anew because the speaker connected anew.
            peer = replace(peer, since=known.since)
        context = Context(
            agreement.local_asn,
            agreement.local_router_id,
            peer.external,
            wide=True,
            post=self._terms.post,
            link_local=header.address.packed if is_link_local(header.address.packed) else b"",
            prepended=self._terms.oddities.prepends_itself and peer.external,
        )
        now = self._clocks.monotonic()
        unreadable = agreement.add_path if self._terms.oddities.loses_path_ids else frozenset()
        session = _Session(
            peer,
            agreement,
            opens,
            self._decoder.sender(peer.id, context, agreement.add_path, unreadable),
            now,
            header.seconds,
            tables={family: _Table() for family in agreement.families},
            calm_since=now,
        )
        self._sessions[header.identity] = session
        self._routes = {
            name: held for name, held in self._routes.items() if isinstance(held, str) or held[0] is not before
        }
        self._change(session, peer)
        if before is not None:
            self._return(before, session)

    def _name(self, header: PeerHeader, zone: str) -> PeerId:
        """Return what to call a peer; of several with one link-local address on links that are not known, by router id too."""
        source, address = self._terms.source, str(header.address)
        if not is_link_local(header.address.packed):
            return PeerId(source, address)
        name = PeerId(source, f"{address}%{zone}" if zone else address)
        if any(session.peer.id == name for session in self._sessions.values()):
            return PeerId(source, f"{address}%{ip_address(header.router_id)}")
        return name

    def _return(self, before: _Session, session: _Session) -> None:
        """The peer is back from its restart: what it told before stays as stale until it has told everything again.

        RFC 4724 section 4.2 has it removed at once where the peer did not keep forwarding.  GoBGP keeps it, and so do we: any
        fresh path is preferred, and where there is none the same path most often returns within seconds.
        """
        if before.retained_until is not None:
            session.returned = True
            for family in before.agreement.retained - session.agreement.families:
                self._tell(TableComplete(session.peer.id, family, "not spoken any more"))

    def _hear_down(self, body: bytes) -> None:
        header = peer_header(body)
        if cause := self._left_out(header):
            self.ignored[cause] += 1
            return
        session = self._find(header)
        if session is None or not session.up or session.ending is not None:
            return
        down = peer_down(body)
        if may_be_farewell(down):
            session.ending, session.ends_at = down, self._clocks.monotonic() + DOUBT_SECONDS
        else:
            self._end(session, down)

    def _end(self, session: _Session, down: PeerDown) -> None:
        """A session is over: its paths are gone, or kept as stale where graceful restart says so."""
        session.up, session.ending = False, None
        if down.reason == DE_CONFIGURED:
            self._sessions = {name: held for name, held in self._sessions.items() if held is not session}
            self._known.pop(session.peer.id, None)
            self._tell(PeerGone(session.peer.id))
            return
        retained = session.agreement.retained if is_graceful(down, session.agreement) else frozenset()
        session.retained_until = self._clocks.monotonic() + session.agreement.restart_time if retained else None
        self._change(
            session,
            replace(
                session.peer,
                state=SessionState.IDLE,
                since=_moment(self._clocks.wall()),
                last_down_reason=down_text(down),
                restarting=bool(retained),
            ),
        )
        for family in session.agreement.families:
            self._tell(TableBegun(session.peer.id, family, retained=family in retained))
            if family not in retained:
                self._tell(TableComplete(session.peer.id, family, "peer is down"))

    def _change(self, session: _Session, peer: Peer) -> None:
        session.peer = self._known[peer.id] = peer
        self._unnamed.discard(peer.id)
        self._tell(PeerChanged(peer))

    # Statistics

    def _hear_statistics(self, body: bytes) -> None:
        header = peer_header(body)
        session = self._find(header)
        if session is None or self._left_out(header) or not session.up:
            return
        self._reported(session)
        if self._terms.post:
            return
        if session.agreement.add_path or not all(table.complete for table in session.tables.values()):
            return  # with several paths for a prefix the engine does not count what the speaker does
        for family, paths in _counted(statistics(body)):
            if family in session.tables or (family is None and session.agreement.whole):
                exact = not self._terms.oddities.hides_loops
                self._tell(TableCounted(session.peer.id, family, paths, exact))

    def _reported(self, session: _Session) -> None:
        """Doubt a session of which nothing is reported any more while there is of others: a speaker may forget a peer silently."""
        now = self._clocks.monotonic()
        if session.reported_at:
            self._report_gap = max(self._report_gap, now - session.reported_at)
        session.reported_at = self._reported_at = now
        overdue = (MISSED_REPORTS + 0.5) * self._report_gap
        for other in self._sessions.values():
            reported = other.up and other.ending is None and other.reported_at
            if self._report_gap and reported and now - other.reported_at > overdue:
                raise Malformed(f"no statistics of {other.peer.id.address} any more, while there are of others")

    # Time

    def tick(self) -> None:
        """Let time pass: believe sessions to be over, tables to be complete, restarts to have failed; twice a second or so.

        Malformed when a speaker that sent statistics has stopped doing so.
        """
        now = self._clocks.monotonic()
        passed, self._ticked_at = max(now - self._ticked_at, 0.001), now
        if self._messages > CALM_MESSAGES * passed:
            self._calm_since = now
        self._messages = 0
        # Peers are dumped one after the other: one that waits for its turn is as quiet as one that has had it.
        since = now - self._began_at
        if now - self._calm_since >= self._terms.settled or since >= LONG_AGO * self._terms.end_of_rib_wait:
            self._settled = True
        late = now - self._reported_at > (MISSED_REPORTS + 1) * self._report_gap + REPORT_SECONDS
        if self._report_gap and late and any(session.up for session in self._sessions.values()):
            raise Malformed("no statistics any more of any peer: it hangs, or has none of these peers any more")
        for session in list(self._sessions.values()):
            self._pass(session, now, passed)
        if self._unnamed and now - self._began_at >= UNNAMED_SECONDS:
            self._say_unnamed()

    def _pass(self, session: _Session, now: float, passed: float) -> None:
        if session.messages > CALM_MESSAGES * passed:
            session.calm_since = now
        session.messages = 0
        if session.ending is not None and now >= session.ends_at:
            self._end(session, session.ending)
        if not session.up and session.retained_until is not None and now >= session.retained_until:
            session.retained_until = None
            self._change(session, replace(session.peer, restarting=False))
            for family in session.agreement.retained:
                self._tell(TableComplete(session.peer.id, family, "it did not return within its restart time"))
        for family, table in session.tables.items():
            self._judge(session, family, table, now)

    def _say_unnamed(self) -> None:
        """Say of the peers of earlier connections that nobody knows how they are; the engine lets them expire."""
        for peer in sorted(self._unnamed):
            known = replace(
                self._known[peer],
                state=SessionState.UNKNOWN,
                last_down_reason="not named by the speaker since it connected",
            )
            self._known[peer] = known
            self._tell(PeerChanged(known))
        self._unnamed.clear()


def _peer(peer: PeerId, header: PeerHeader, agreement: Agreement, zone: str, now: float) -> Peer:
    return Peer(
        peer,
        SessionState.ESTABLISHED,
        asn=header.asn or agreement.asn,
        local_asn=agreement.local_asn,
        router_id=header.router_id,
        interface=zone,
        since=_moment(now),
        families={family: PeerFamily() for family in sorted(agreement.families)},
        authenticated=None,
        counted=False,
        restart_time_seconds=agreement.restart_time,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _counted(counters: list[tuple[int, bytes]]) -> Iterator[tuple[Family | None, int]]:
    """Yield how many paths the speaker holds of each family, and of all (None), as far as a report says so."""
    for kind, value in counters:
        if kind == Statistic.ADJ_RIB_IN_FAMILY and len(value) == 11:
            family = FAMILIES.get((int.from_bytes(value[:2], "big"), value[2]))
            if family is not None:
                yield family, int.from_bytes(value[3:], "big")
        elif kind == Statistic.ADJ_RIB_IN and len(value) == 8:
            yield None, int.from_bytes(value, "big")


def ignored_text(ignored: Mapping[str, int], *, post: bool) -> list[str]:
    """Return what an operator should know of messages that were left out, one sentence each."""
    view = "post" if post else "pre"
    other = "pre-policy" if post else "post-policy"
    found = []
    if count := ignored.get(other, 0):
        found.append(f"{count:,} route messages of the {other} view left out: this source has `view: {view}`")
    if count := ignored.get("loc-rib", 0):
        found.append(f"{count:,} messages of the Loc-RIB left out: this source uses the {view}-policy Adj-RIB-In")
    if count := ignored.get("adj-rib-out", 0):
        found.append(f"{count:,} messages of the Adj-RIB-Out left out (RFC 8671)")
    if count := ignored.get("unannounced", 0):
        found.append(f"{count:,} route messages of peers without a Peer Up left out")
    if count := ignored.get("instance", 0):
        found.append(f"{count:,} messages of peers in a VRF left out")
    return found
