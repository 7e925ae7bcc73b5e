"""Origin validation (RFC 6811): which AS a path counts as originated by, and what a speaker knows of ROAs; pure."""

from typing import NamedTuple

from monitor.rib.attribute import AsPath, Rpki, SegmentType

OWN_AS = 0
"""Stands for the speaker's own AS: an empty path, or one that ends in a confederation (RFC 6811 section 2)."""

NO_ORIGIN = -1
"""The path ends in an AS_SET: its origin cannot be told, and no ROA makes it valid (RFC 6811 section 2)."""

States = tuple[tuple[int, Rpki], ...]
"""What validation said of one prefix: pairs of origin (as ``origin_of``) and state."""


class RoaState(NamedTuple):
    """What a speaker says of its RPKI caches.

    ``synced`` is true while it holds ROAs, or a cache has told it completely that there are none; without that every path
    looks as if no ROA covered it.  ``version`` changes whenever the ROAs may have changed.  ``text`` is for people.
    """

    synced: bool
    version: tuple[object, ...]
    text: str


def origin_of(as_path: AsPath) -> int:
    """Return the AS that a path counts as originated by, ``OWN_AS`` or ``NO_ORIGIN``."""
    if not as_path:
        return OWN_AS
    kind, numbers = as_path[-1]
    if kind is SegmentType.AS_SET:
        return NO_ORIGIN
    return numbers[-1] if kind is SegmentType.AS_SEQUENCE and numbers else OWN_AS
