"""Who speaks, and what it is known to do otherwise than RFC 7854 says; pure.

Each oddity was seen on the wire of the release that is named; docs/bmp.md has the table.
"""

from typing import NamedTuple

from monitor.bmp.wire import tlvs

SYS_DESCR, SYS_NAME = 1, 2
"""Types of TLVs in an Initiation, RFC 7854 section 4.3."""


class Oddities(NamedTuple):
    """What UPDATEs of a speaker need to be read right.

    ``prepends_itself``: paths of external peers have the speaker's own AS in front.  ``follows_session``: AS numbers have two
    octets where the session has, without the flag that says so.  ``loses_path_ids``: of a session with path identifiers
    (RFC 7911) some or all NLRI have none, so that several paths for a prefix cannot be told apart.  ``hides_loops``: a path that
    loops is counted, but told at the beginning only.
    """

    prepends_itself: bool = False
    follows_session: bool = False
    loses_path_ids: bool = False
    hides_loops: bool = False


FRR = Oddities(prepends_itself=True, follows_session=True, loses_path_ids=True)
"""FRR 8.4 and 10.3: bgpd writes what it would send to the peer, without path identifiers."""

GOBGP = Oddities(loses_path_ids=True, hides_loops=True)
"""GoBGP 3.10, 3.36 and 4.8, and Cilium with it: what is told at the beginning has no path identifiers, what comes later has."""


class Speaker(NamedTuple):
    """Name and description as an Initiation gives them, either of them possibly empty."""

    name: str
    description: str

    @property
    def text(self) -> str:
        """The speaker for people."""
        return ", ".join(filter(None, self)) or "a speaker without a name"

    @property
    def oddities(self) -> Oddities:
        """What to mind of it."""
        if self.description.startswith("FRRouting"):
            return FRR
        if self.name == "GoBGP" or self.description.startswith("Cilium"):
            return GOBGP
        return Oddities()


def introduction(body: bytes) -> Speaker:
    """Return who sends an Initiation; Malformed where that is cut short."""
    said = {kind: value.decode(errors="replace").strip() for kind, value in tlvs(body)}
    return Speaker(said.get(SYS_NAME, ""), said.get(SYS_DESCR, ""))
