"""Holds withdrawals until the speaker has proved that they are its peers' doing; pure.

A gobgpd that shuts down withdraws half of its table before the stream ends, and calls made meanwhile do not
return.  So a withdrawal waits for a call that was sent after it, and what that call says of the peer decides
what the withdrawal means.
"""

from collections.abc import Mapping
from typing import NamedTuple

from monitor.gobgp.decode import Withdrawn
from monitor.rib.path import PeerId
from monitor.rib.update import PathRejected, PathWithdrawn
from programmer.route import Family, PrefixKey

LIMIT = 400_000
"""Withdrawals that may be held; more mean that something else is wrong."""

MISSING_SECONDS = 3.0
"""A peer that is missing may have been deleted, or the speaker may be dying: it is asked again first."""

_Name = tuple[Family, PrefixKey, PeerId, int]


class Session(NamedTuple):
    """A peer after the withdrawals: ``uptime`` in seconds since the epoch, 0 while not established."""

    uptime: int


class Burst(NamedTuple):
    """The withdrawals under examination: the peers to be looked at, and how many withdrawals there are."""

    suspects: frozenset[PeerId]
    size: int


class Fence:
    """Withdrawals in three stages: held, under examination (a call is on its way), released.

    A withdrawal without attributes was sent by the peer itself, so any answer of a living speaker releases
    it.  One with attributes is released by the peer's state: not established, or established anew, means
    that the old session's paths are gone; a session that still stands means that the import policy rejects
    the path.
    """

    def __init__(self) -> None:
        self._held: dict[_Name, Withdrawn] = {}
        self._examined: dict[_Name, Withdrawn] = {}
        self._missing_since: dict[PeerId, float] = {}

    def __len__(self) -> int:
        return len(self._held) + len(self._examined)

    @property
    def is_overfull(self) -> bool:
        """True when no more may be held."""
        return len(self) > LIMIT

    @property
    def has_held(self) -> bool:
        """True when withdrawals wait for an examination to begin."""
        return bool(self._held)

    def hold(self, withdrawn: Withdrawn) -> None:
        """Keep a withdrawal back."""
        name = (withdrawn.family, withdrawn.key, withdrawn.peer, withdrawn.path_id)
        self._examined.pop(name, None)
        self._held[name] = withdrawn

    def supersede(self, family: Family, key: PrefixKey, peer: PeerId, path_id: int) -> None:
        """Forget a withdrawal: the same path was announced after it."""
        name = (family, key, peer, path_id)
        self._held.pop(name, None)
        self._examined.pop(name, None)

    def holds_any_of(self, peer: PeerId) -> bool:
        """Return whether a withdrawal of *peer* waits."""
        return any(name[2] == peer for stage in (self._examined, self._held) for name in stage)

    def examine(self) -> Burst:
        """Start an examination of everything held; the call must be sent after this returns."""
        self._examined = self._examined | self._held if self._examined else self._held
        self._held = {}
        suspects = frozenset(one.peer for one in self._examined.values() if one.path is not None)
        return Burst(suspects, len(self._examined))

    def release(self, sessions: Mapping[PeerId, Session], now: float) -> list[PathWithdrawn | PathRejected]:
        """Return what the withdrawals mean, oldest first, by the answer about the suspects; *now* in seconds.

        Those of a peer that the answer does not know stay for the next examination until it has been missing
        for ``MISSING_SECONDS``.
        """
        for peer in [known for known in self._missing_since if known in sessions]:
            del self._missing_since[peer]
        released: list[PathWithdrawn | PathRejected] = []
        kept: dict[_Name, Withdrawn] = {}
        for name, one in self._examined.items():
            if one.path is not None and one.peer not in sessions:
                since = self._missing_since.setdefault(one.peer, now)
                if now - since < MISSING_SECONDS:
                    kept[name] = one
                    continue
            released.append(_meaning(one, sessions.get(one.peer)))
        self._examined = {}
        self._held = kept | self._held
        return released

    def discard(self) -> None:
        """Forget everything: the stream ended, and with it what it claimed last."""
        self._held.clear()
        self._examined.clear()
        self._missing_since.clear()


def _meaning(one: Withdrawn, session: Session | None) -> PathWithdrawn | PathRejected:
    """Say whether a withdrawal is the peer's or the import policy's."""
    path = one.path
    if path is None or path.stale or session is None or not session.uptime or path.received_at < session.uptime:
        return PathWithdrawn(one.family, one.key, one.peer, one.path_id)
    return PathRejected(one.family, one.key, path)
