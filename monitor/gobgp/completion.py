"""Decides when all paths of a peer's table have been told.

The dump must be over, and the peer must have said that it has no more (End-of-RIB), or have had the time to.
A peer that is down says nothing of its table, unless its session was seen to die: then the table is known
to be empty.
"""

import time
from collections.abc import Callable, Iterator

from monitor.gobgp.dump import UNTOLD_SECONDS
from monitor.gobgp.fence import Fence
from monitor.gobgp.ledger import Ledger, Table
from monitor.gobgp.roster import Entry, Roster
from monitor.rib.path import PeerId
from monitor.rib.peer import PeerFamily
from monitor.rib.update import TableComplete, Update
from programmer.route import Family

SETTLED_SECONDS = 1.0
"""Lull of the stream after which what was told can be compared with what the speaker counts."""

STEADY_PATHS, STEADY_SHARE = 100, 0.001
"""Change of a counter between two peer lists that is ordinary churn, not a table that is still arriving."""


class Completion:
    """What is known of each table in one feed.

    An End-of-RIB counts when it came in the stream (GoBGP 3.25 and later), when the peer list had it before
    the subscription, or when the peer list has it and the stream has caught up: all paths that the speaker
    counts are told, or it has been quiet since.
    """

    def __init__(
        self,
        roster: Roster,
        ledger: Ledger,
        fence: Fence,
        tell: Callable[[Update], None],
        wait: float,
    ) -> None:
        self._roster = roster
        self._ledger = ledger
        self._fence = fence
        self._tell = tell
        self._wait = wait
        self._local = True
        self._marked: set[Table] = set()
        self._listed: dict[Table, tuple[int, float]] = {}
        """Which session's End-of-RIB the peer list has, and since when we know that."""
        self._complete: dict[Table, int] = {}
        self._down: set[PeerId] = set()
        self._counters: dict[Table, int] = {}
        self._calm: set[Table] = set()
        self._steady: set[Table] = set()
        self._compared: set[Table] = set()
        self.unexplained: list[Table] = []
        """Tables at rest of which the speaker accepted more than was told: its policy rejects the others."""

    def begin(self, *, local: bool) -> None:
        """Note what the peer list says before the subscription; *local* means that its clock is ours."""
        self._local = local
        for peer, family, entry, state in self._tables():
            if entry.uptime and state.end_of_rib:
                self._marked.add((peer, family))

    def end_of_rib(self, peer: PeerId, family: Family) -> None:
        """The marker came in the stream."""
        self._marked.add((peer, family))

    def session_left(self, peer: PeerId) -> None:
        """The stream says that a session is not, or no longer, established: its markers are void."""
        self._marked = {table for table in self._marked if table[0] != peer}

    def after_read(self) -> None:
        """Take a new peer list into account."""
        for peer, family, entry, state in self._tables():
            table = (peer, family)
            if self._complete.get(table, entry.uptime) != entry.uptime:
                del self._complete[table]
                self._compared.discard(table)
            if entry.uptime:
                self._down.discard(peer)
            moved = abs(state.received - self._counters.get(table, -1_000_000_000))
            self._mark(self._calm, table, is_so=moved == 0)
            self._mark(self._steady, table, is_so=moved <= STEADY_PATHS + STEADY_SHARE * state.received)
            self._counters[table] = state.received

    def declare(self, now: float, lull: float) -> None:
        """Tell which tables have become complete; the dump must be over.

        *now* is the event loop's time, *lull* how many seconds the stream has been without a backlog.
        """
        for peer, family, entry, state in self._tables():
            table = (peer, family)
            if entry.uptime:
                if table not in self._complete and (proof := self._proof(table, entry, state, now, lull)):
                    self._complete[table] = entry.uptime
                    self._tell(TableComplete(peer, family, proof))
            elif peer in self._roster.established_before and peer not in self._down:
                self._declare_down(entry)

    @property
    def is_unsettled(self) -> bool:
        """True while a table of an established peer is not complete."""
        return any(entry.uptime and (peer, family) not in self._complete for peer, family, entry, _ in self._tables())

    def missing(self) -> int:
        """Return how many of the paths that the speaker counts were not told, all peers together."""
        return sum(
            max(0, state.accepted - self._ledger.counted(peer, family)) for peer, family, _, state in self._tables()
        )

    def backlog(self) -> tuple[int, int, int]:
        """Return how many paths the stream is behind, are in growing tables, and are there in all."""
        behind = growing = total = 0
        for peer, family, entry, state in self._tables():
            if entry.uptime or not entry.peer.restarting:
                behind += abs(self._ledger.difference(peer, family, state.accepted))
            if entry.uptime and not state.end_of_rib and (peer, family) not in self._steady:
                growing += state.accepted
            total += state.accepted
        return behind, growing, total

    def mismatch(self, quiet: float) -> bool:
        """Return whether a complete table at rest differs from the speaker's counter.

        The first time at rest the difference is taken as given: paths that the speaker's policy rejected
        before the feed are counted, but in no dump.
        """
        if quiet < SETTLED_SECONDS or len(self._fence):
            return False
        found = False
        for peer, family, entry, state in self._tables():
            table = (peer, family)
            if not entry.uptime or table not in self._complete or table not in self._calm:
                continue
            if table not in self._compared:
                self._compared.add(table)
                if self._ledger.settle(peer, family, state.accepted):
                    self.unexplained.append(table)
            found = found or self._ledger.difference(peer, family, state.accepted) != 0
        return found

    @staticmethod
    def _mark(marked: set[Table], table: Table, *, is_so: bool) -> None:
        if is_so:
            marked.add(table)
        else:
            marked.discard(table)

    def _tables(self) -> Iterator[tuple[PeerId, Family, Entry, PeerFamily]]:
        for peer, entry in self._roster.entries.items():
            for family, state in entry.peer.families.items():
                yield peer, family, entry, state

    def _proof(self, table: Table, entry: Entry, state: PeerFamily, now: float, lull: float) -> str:
        all_told = self._ledger.counted(*table) >= state.accepted
        if table in self._marked:
            return "End-of-RIB"
        if state.end_of_rib:
            uptime, since = self._listed.get(table, (0, now))
            if uptime != entry.uptime:
                self._listed[table], since = (entry.uptime, now), now
            # The list is the answer to a call, and overtakes what is on its way in the stream.
            if all_told or min(lull, now - since) >= UNTOLD_SECONDS:
                return "End-of-RIB"
        age = now - entry.seen_at
        if self._local:
            # The speaker's clock counts whole seconds: a session that began at 17.9 s is said to have begun at 17.
            age = max(age, time.time() - entry.uptime - 1.0)
        if age >= self._wait and table in self._steady and (all_told or lull >= UNTOLD_SECONDS):
            return f"session older than {self._wait:g} s"
        return ""

    def _declare_down(self, entry: Entry) -> None:
        """Say that the tables of a peer whose session died are empty, once its last path is withdrawn."""
        peer = entry.peer
        if peer.restarting or self._fence.holds_any_of(peer.id):
            return
        if any(self._ledger.announced(peer.id, family) for family in peer.families):
            return
        self._down.add(peer.id)
        for family in peer.families:
            self._complete.pop((peer.id, family), None)
            self._tell(TableComplete(peer.id, family, "peer is down"))
