"""Path attributes in one interned form.

A full table has one attribute set for some twenty prefixes, so a set is one shared object and everything that can be derived
from it is derived once, when it is made.
"""

import enum
import weakref
from dataclasses import dataclass, field


class Origin(enum.IntEnum):
    """ORIGIN, RFC 4271 section 4.3; lower is preferred."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


class SegmentType(enum.IntEnum):
    """AS_PATH segment types, RFC 4271 section 4.3 and RFC 5065 section 3."""

    AS_SET = 1
    AS_SEQUENCE = 2
    AS_CONFED_SEQUENCE = 3
    AS_CONFED_SET = 4


class Rpki(enum.IntEnum):
    """Origin validation state, RFC 6811.  ``NONE`` means that the source did not say."""

    NONE = 0
    NOT_FOUND = 1
    VALID = 2
    INVALID = 3


RPKI_WORDS = tuple(state.name.lower().replace("_", "-") for state in sorted(Rpki))
"""What origin validation states are called, by their number."""

AsPath = tuple[tuple[SegmentType, tuple[int, ...]], ...]

_BRACKETS = {
    SegmentType.AS_SET: ("{", "}"),
    SegmentType.AS_CONFED_SEQUENCE: ("(", ")"),
    SegmentType.AS_CONFED_SET: ("[", "]"),
}


def as_path_text(path: AsPath) -> str:
    """Return the AS path as routers print it: ``65001 65002 {65003,65004}``."""
    words: list[str] = []
    for kind, numbers in path:
        if kind is SegmentType.AS_SEQUENCE:
            words.extend(str(number) for number in numbers)
            continue
        left, right = _BRACKETS[kind]
        joiner = " " if kind is SegmentType.AS_CONFED_SEQUENCE else ","
        words.append(left + joiner.join(str(number) for number in numbers) + right)
    return " ".join(words)


def as_path_length(path: AsPath) -> int:
    """Return the length that the decision process counts: a set is 1, confederation segments are 0.

    Source: RFC 4271 section 9.1.2.2 a; RFC 5065 section 5.3.
    """
    length = 0
    for kind, numbers in path:
        if kind is SegmentType.AS_SEQUENCE:
            length += len(numbers)
        elif kind is SegmentType.AS_SET:
            length += 1
    return length


def neighbor_as(path: AsPath) -> int:
    """Return the AS that MED is compared within: the first of the path, 0 for an empty path or a leading set.

    Source: RFC 4271 section 9.1.2.2 c.
    """
    for kind, numbers in path:
        if kind is SegmentType.AS_SEQUENCE and numbers:
            return numbers[0]
        if kind is SegmentType.AS_SET:
            return 0
    return 0


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class PathAttributes:
    """One set of path attributes.  Compared by identity: make it through an ``AttributeTable`` only.

    ``next_hop`` is a packed address of 4 or 16 octets (empty: none given); ``link_local`` is the link-local half of a 32-octet
    IPv6 next hop, or empty.  ``med`` and ``local_pref`` are None when absent.  ``communities`` are 32-bit numbers
    (RFC 1997), ``large_communities`` triples (RFC 8092), ``extended_communities`` raw octets of 8 (RFC 4360).
    ``originator_id`` is a packed IPv4 address or empty, ``cluster_list_length`` counts clusters (RFC 4456).
    """

    next_hop: bytes
    link_local: bytes = b""
    as_path: AsPath = ()
    origin: Origin = Origin.INCOMPLETE
    med: int | None = None
    local_pref: int | None = None
    communities: tuple[int, ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    extended_communities: tuple[bytes, ...] = ()
    originator_id: bytes = b""
    cluster_list_length: int = 0

    as_path_text: str = field(init=False)
    as_path_length: int = field(init=False)
    neighbor_as: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "as_path_text", as_path_text(self.as_path))
        object.__setattr__(self, "as_path_length", as_path_length(self.as_path))
        object.__setattr__(self, "neighbor_as", neighbor_as(self.as_path))

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that was said, as one hashable value."""
        return (
            self.next_hop,
            self.link_local,
            self.as_path,
            self.origin,
            self.med,
            self.local_pref,
            self.communities,
            self.large_communities,
            self.extended_communities,
            self.originator_id,
            self.cluster_list_length,
        )


class AttributeTable:
    """Attribute sets by content, so that equal sets are one object; a set that nobody uses any more is forgotten."""

    def __init__(self) -> None:
        self._sets: weakref.WeakValueDictionary[tuple[object, ...], PathAttributes] = weakref.WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._sets)

    def intern(self, attributes: PathAttributes) -> PathAttributes:
        """Return the one object that stands for this content."""
        return self._sets.setdefault(attributes.identity, attributes)


WELL_KNOWN_COMMUNITIES = {
    0xFFFF0000: "graceful-shutdown",
    0xFFFF0006: "llgr-stale",
    0xFFFF0007: "no-llgr",
    0xFFFF029A: "blackhole",
    0xFFFFFF01: "no-export",
    0xFFFFFF02: "no-advertise",
    0xFFFFFF03: "no-export-subconfed",
    0xFFFFFF04: "no-peer",
}
"""IANA "BGP Well-known Communities"."""


def community_text(community: int) -> str:
    """Return a community as its well-known name or ``asn:value``."""
    return WELL_KNOWN_COMMUNITIES.get(community) or f"{community >> 16}:{community & 0xFFFF}"
