"""A path: who said it, with which attributes, since when."""

from typing import NamedTuple

from monitor.rib.attribute import PathAttributes, Rpki


class PeerId(NamedTuple):
    """Names a peer among all sources.

    ``address`` is text as the source gives it in its peer list; a link-local one carries its zone (``fe80::1%eth1``).
    """

    source: str
    address: str


class Path(NamedTuple):
    """One path for one prefix from one peer (RFC 4271 section 1.1).  The prefix is the key under which it is kept.

    ``path_id`` is the identifier received with add-path (RFC 7911), else 0.  ``received_at`` is when the speaker last
    accepted it, in whole seconds since the epoch (UTC).  ``stale`` means retained under graceful restart (RFC 4724).
    """

    peer: PeerId
    path_id: int
    attributes: PathAttributes
    received_at: int
    stale: bool = False
    rpki: Rpki = Rpki.NONE
