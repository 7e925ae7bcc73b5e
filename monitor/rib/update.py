"""The closed set of things that a source can tell, whatever it speaks.

A source promises this order.  ``FeedStarted`` opens a feed; from then on every path that a peer holds is announced (again), and
``TableComplete`` says that all of one peer's paths of a family have been told: what was known before and not told again is
gone.  ``FeedLost`` means *unknown*, never *empty*.  Withdrawals are only passed on once the source has made sure that they are the
peer's, not the noise of a speaker that is shutting down.
"""

from typing import NamedTuple

from monitor.rib.path import Path, PeerId
from monitor.rib.peer import Peer
from programmer.route import Family, PrefixKey


class FeedStarted(NamedTuple):
    """A new feed begins; ``speaker`` describes the other end (software, API generation, AS) for people."""

    source: str
    speaker: str


class FeedLost(NamedTuple):
    """The feed ended: everything from this source is unknown until it is told again."""

    source: str
    cause: str


class PeerChanged(NamedTuple):
    """A peer is new, or something about it changed."""

    peer: Peer


class PeerGone(NamedTuple):
    """The peer is no longer configured at the speaker, which is alive and said so."""

    peer: PeerId


class PathAnnounced(NamedTuple):
    """A path for a prefix; replaces what the same peer said before under the same path id."""

    family: Family
    key: PrefixKey
    path: Path


class PathWithdrawn(NamedTuple):
    """The peer's path for a prefix is gone."""

    family: Family
    key: PrefixKey
    peer: PeerId
    path_id: int


class PathRejected(NamedTuple):
    """The speaker refuses this path, by its import policy or as a loop; it is kept only to be explained."""

    family: Family
    key: PrefixKey
    path: Path


class TableBegun(NamedTuple):
    """All that the peer holds of this family has to be told again: its session is over, or a new one began.

    What was known stays in use until ``TableComplete``; *retained* means as stale (graceful restart, RFC 4724).
    """

    peer: PeerId
    family: Family
    retained: bool


class TableCounted(NamedTuple):
    """The speaker says how many paths it holds from the peer, before its import policy; of one family, or of all (None).

    Where it is not *exact*, the speaker may hold paths that it does not tell.
    """

    peer: PeerId
    family: Family | None
    paths: int
    exact: bool = True


class TableComplete(NamedTuple):
    """All paths of this family that the peer holds have been told since ``FeedStarted`` or since the session came up.

    ``proof`` says how that is known, for people: ``End-of-RIB``, ``session older than 30 s`` or ``peer is down``.
    """

    peer: PeerId
    family: Family
    proof: str


Update = (
    FeedStarted
    | FeedLost
    | PeerChanged
    | PeerGone
    | PathAnnounced
    | PathWithdrawn
    | PathRejected
    | TableBegun
    | TableCounted
    | TableComplete
)
