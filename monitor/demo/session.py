"""One BGP session of the simulated speaker: what the router announces, and what the speaker holds of it."""

from collections.abc import Iterator
from typing import NamedTuple

from monitor.demo.network import NODE_ASN, Router
from monitor.demo.table import SPEAKER_REJECTS, Announcement, Table
from programmer.route import Family, Prefix


class Held(NamedTuple):
    """A path in the Adj-RIB-In (RFC 4271 section 3.2).

    ``age`` is when it came, in seconds since the epoch; ``stale`` that its router is restarting (RFC 4724).
    """

    announcement: Announcement
    age: int
    stale: bool = False

    @property
    def looped(self) -> bool:
        """True for a path that has been through the node's own AS: received, not accepted."""
        return NODE_ASN in self.announcement.as_path

    @property
    def rejected(self) -> bool:
        """True for a path that the speaker's own import policy refuses."""
        return SPEAKER_REJECTS in self.announcement.communities

    @property
    def told(self) -> bool:
        """True for a path that the speaker's event stream tells."""
        return not self.looped and not self.rejected


class Session:
    """A session, from the speaker's side.

    ``table`` is what the router announces, whether or not the session is up.  ``held`` is what the speaker has received
    of it.  ``ended`` holds the families whose End-of-RIB came.  ``up_since`` and ``down_since`` are seconds since
    the epoch, 0 for never.
    """

    def __init__(self, router: Router, table: Table) -> None:
        self.router = router
        self.local_asn = NODE_ASN
        self.table = table
        self.held: dict[Prefix, Held] = {}
        self.ended: set[Family] = set()
        self.established = False
        self.enabled = True
        self.restarting = False
        self.up_since = 0
        self.down_since = 0
        self.flaps = 0
        self.updates = 0

    def of(self, family: Family) -> Iterator[Held]:
        """Yield what is held of one family."""
        return (held for held in self.held.values() if held.announcement.family is family)

    def counters(self, family: Family) -> tuple[int, int]:
        """Return how many paths of a family were received, and accepted: all but the looped ones."""
        looped = [held.looped for held in self.of(family)]
        return len(looped), looped.count(False)
