"""What one subject of a filter can still be: the extents that ``analysis`` narrows test by test.

An extent holds at least what the compiled tests let through, never less.  Two extents of one subject *meet* in what
both allow, and the answer None is certain: nothing is left.  Where exactness would cost too much an extent stays
wider than it has to be.
"""

import math
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple, Protocol

from monitor.filter.node import Relation
from monitor.filter.pattern import Pattern
from programmer.route import Prefix

_MAX_PRODUCT = 16_384
_MAX_SPLIT = 4
_BITS = {4: 32, 6: 128}

Spans = tuple[tuple[float, float], ...]
"""Whole numbers as ranges, both ends included, in order and apart."""


class Extent(Protocol):
    """What is left of one subject."""

    def meet(self, other: Any) -> "Extent | None":
        """Return what this and *other*, of the same subject, both allow, or more; None only if that is nothing."""

    def weight(self) -> int:
        """Return how many things a meeting has to look at."""


def both(left: Spans, right: Spans) -> Spans:
    """Return the numbers that are in both."""
    found: list[tuple[float, float]] = []
    at = other = 0
    while at < len(left) and other < len(right):
        low, high = max(left[at][0], right[other][0]), min(left[at][1], right[other][1])
        if low <= high:
            found.append((low, high))
        if left[at][1] < right[other][1]:
            at += 1
        else:
            other += 1
    return tuple(found)


def outside(spans: Spans) -> Spans:
    """Return all other whole numbers."""
    found: list[tuple[float, float]] = []
    begin: float = -math.inf
    for low, high in spans:
        if begin < low:
            found.append((begin, low - 1))
        begin = high + 1
    if begin < math.inf:
        found.append((begin, math.inf))
    return tuple(found)


class Numbers(NamedTuple):
    """A number, or the index of a word in a closed list; ``missing`` if there may be none."""

    spans: Spans
    missing: bool

    def meet(self, other: "Numbers") -> "Numbers | None":
        """Exact."""
        spans, missing = both(self.spans, other.spans), self.missing and other.missing
        return Numbers(spans, missing) if spans or missing else None

    def weight(self) -> int:
        """Count the ranges."""
        return len(self.spans)


class Texts(NamedTuple):
    """One text: one of ``only`` (None: any), none of ``other``; expressions that it meets, and that it does not.

    ``missing`` if there may be none: nothing equals it, and no expression is found in it.
    """

    only: frozenset[str] | None
    other: frozenset[str]
    found: tuple[Pattern, ...]
    absent: tuple[Pattern, ...]
    missing: bool

    def meet(self, other: "Texts") -> "Texts | None":
        """Exact where the texts are known; of expressions alone, only the same one found and not found clashes."""
        only = self.only if other.only is None else other.only if self.only is None else self.only & other.only
        without = self.other | other.other
        found, absent = self.found + other.found, self.absent + other.absent
        missing = self.missing and other.missing
        if only is not None:
            only = frozenset(
                text
                for text in only - without
                if all(pattern.search(text) for pattern in found)
                and not any(pattern.search(text) for pattern in absent)
            )
        possible = bool(only) if only is not None else _sources(found).isdisjoint(_sources(absent))
        return Texts(only, without, found, absent, missing) if possible or missing else None

    def weight(self) -> int:
        """Count the texts and the expressions."""
        return 1 + len(self.only or ()) + len(self.found) + len(self.absent)


class Needles(NamedTuple):
    """Free texts that occur in the row, and some that do not, in lower case."""

    found: frozenset[str]
    absent: frozenset[str]

    def meet(self, other: "Needles") -> "Needles | None":
        """Where a text occurs, every part of it does."""
        found, absent = self.found | other.found, self.absent | other.absent
        clash = any(part in whole for part in absent for whole in found)
        return None if clash else Needles(found, absent)

    def weight(self) -> int:
        """Count the texts."""
        return len(self.found) + len(self.absent)


class AddressRange(NamedTuple):
    """Addresses from ``low`` to ``high`` as numbers, on the link ``zone`` or (None) on any."""

    version: int
    low: int
    high: int
    zone: str | None = None

    @classmethod
    def of(cls, text: str) -> "AddressRange":
        """Return the range of an address, with its zone, or of a prefix."""
        if "/" in text:
            network = ip_network(text)
            return cls(network.version, int(network.network_address), int(network.broadcast_address))
        bare, _, zone = text.partition("%")
        address = ip_address(bare)
        return cls(address.version, int(address), int(address), zone or None)

    def meet(self, other: "AddressRange") -> "AddressRange | None":
        """Return the addresses in both."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        if self.version != other.version or low > high:
            return None
        if self.zone is not None and other.zone is not None and self.zone != other.zone:
            return None
        return AddressRange(self.version, low, high, other.zone if self.zone is None else self.zone)

    def without(self, other: "AddressRange") -> "list[AddressRange]":
        """Return the rest in at most two pieces; one link taken from all of them leaves this as it is."""
        if self.meet(other) is None or (other.zone is not None and other.zone != self.zone):
            return [self]
        pieces = (self._replace(high=other.low - 1), self._replace(low=other.high + 1))
        return [piece for piece in pieces if self.low <= piece.low <= piece.high <= self.high]


def _ranges_without(ranges: tuple[AddressRange, ...], others: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    for other in others:
        ranges = tuple(piece for one in ranges for piece in one.without(other))
    return ranges


class Peer(NamedTuple):
    """One peer: in one of ``ranges`` (None: anything), in none of ``other``; sources of expressions as in ``Texts``.

    A source may write an address in any form, so that no expression is tried on an address here.
    """

    ranges: tuple[AddressRange, ...] | None
    other: tuple[AddressRange, ...]
    found: frozenset[str]
    absent: frozenset[str]

    def meet(self, other: "Peer") -> "Peer | None":
        """Exact for addresses, prefixes and zones."""
        without = self.other + other.other
        found, absent = self.found | other.found, self.absent | other.absent
        ranges = other.ranges if self.ranges is None else self.ranges
        if self.ranges is not None and other.ranges is not None:
            ranges = tuple(left for one in self.ranges for two in other.ranges if (left := one.meet(two)) is not None)
        if ranges is not None:
            ranges = _ranges_without(ranges, without)
        possible = (ranges is None or bool(ranges)) and found.isdisjoint(absent)
        return Peer(ranges, without, found, absent) if possible else None

    def weight(self) -> int:
        """Count the ranges."""
        return 1 + len(self.ranges or ()) + len(self.other)


class Values(NamedTuple):
    """What one test of a field with several values looks for: texts, addresses, or an expression."""

    texts: frozenset[str] = frozenset()
    ranges: tuple[AddressRange, ...] = ()
    pattern: Pattern | None = None

    def left_by(self, absent: "tuple[Values, ...]") -> bool:
        """Say whether some value that this looks for may be there although nothing that *absent* look for is."""
        patterns = [other.pattern for other in absent if other.pattern is not None]
        if self.pattern is not None:
            return self.pattern.source not in _sources(patterns)
        texts = [text for text in self.texts if not any(text in other.texts for other in absent)]
        for left in _ranges_without(self.ranges, (one for other in absent for one in other.ranges)):
            if left.low != left.high:
                return True
            texts.append(str(IPv4Address(left.low) if left.version == 4 else IPv6Address(left.low)))
        return any(not any(pattern.search(text) for pattern in patterns) for text in texts)


class Several(NamedTuple):
    """Several values: for each of ``found`` at least one is there, of ``absent`` there is none.

    Two of ``found`` never exclude each other, because each may be met by a value of its own.
    """

    found: tuple[Values, ...]
    absent: tuple[Values, ...]

    def meet(self, other: "Several") -> "Several | None":
        """Exact for values; of expressions alone, only the same one found and not found clashes."""
        found, absent = self.found + other.found, self.absent + other.absent
        return Several(found, absent) if all(values.left_by(absent) for values in found) else None

    def weight(self) -> int:
        """Count what is looked for."""
        return sum(1 + len(values.texts) + len(values.ranges) for values in self.found + self.absent)


def _sources(patterns: Iterable[Pattern]) -> frozenset[str]:
    return frozenset(pattern.source for pattern in patterns)


class Box(NamedTuple):
    """The prefixes inside one prefix, or with ``inside`` false those that cover it, of the lengths in ``lengths``.

    Lengths inside begin at ``length``, covering ones end there.  Bits of ``network`` beyond ``length`` do not count.
    """

    version: int
    inside: bool
    network: int
    length: int
    lengths: Spans

    @classmethod
    def of(cls, relation: Relation, prefix: Prefix) -> "Box":
        """Return the prefixes that stand in *relation* to *prefix*."""
        version, length = prefix.version, prefix.prefixlen
        lengths = {
            Relation.EXACT: (length, length),
            Relation.COVERS: (0, length),
            Relation.IN: (length, _BITS[version]),
        }
        network = int(prefix.network_address)
        return cls(version, relation is Relation.IN, network, length, (lengths[relation],))

    def shared(self, other: "Box") -> int:
        """Return how many leading bits the two prefixes have in common."""
        same = _BITS[self.version] - (self.network ^ other.network).bit_length()
        return min(same, self.length, other.length)

    def meet(self, other: "Box") -> "Box | None":
        """Return the prefixes in both; exact."""
        if self.version != other.version:
            return None
        lengths, shared = both(self.lengths, other.lengths), self.shared(other)
        if not self.inside and not other.inside:
            lengths = both(lengths, ((0, shared),))
            return self._replace(length=shared, lengths=lengths) if lengths else None
        outer, inner = self, other
        if not self.inside or (other.inside and other.length < self.length):
            outer, inner = other, self
        return inner._replace(lengths=lengths) if lengths and shared == outer.length else None

    def without(self, other: "Box") -> "list[Box]":
        """Take away what *other*, as ``of`` makes it, holds; where that would make many pieces, nothing."""
        if self.version != other.version:
            return [self]
        shared = self.shared(other)
        if not self.inside:
            if other.inside:
                return self.only(outside(other.lengths)) if shared == other.length else [self]
            return self.only(outside(both(other.lengths, ((0, shared),))))
        if other.inside and shared == other.length:
            return []
        if shared != self.length:
            return [self]
        if not other.inside:
            # One prefix of each length is gone, and only of the shortest length there is no second one.
            return self.only(outside(both(other.lengths, ((self.length, self.length),))))
        return self.around(other) if other.length - self.length <= _MAX_SPLIT else [self]

    def around(self, other: "Box") -> "list[Box]":
        """Return what is inside this prefix but not inside a longer one: what covers that, and its neighbours."""
        pieces = other._replace(inside=False, lengths=self.lengths).only(((0, other.length - 1),))
        for length in range(self.length + 1, other.length + 1):
            neighbour = other.network ^ 1 << _BITS[self.version] - length
            pieces += self._replace(network=neighbour, length=length).only(((length, math.inf),))
        return pieces

    def only(self, lengths: Spans) -> "list[Box]":
        """Return the prefixes of these lengths: one box, or none."""
        left = both(self.lengths, lengths)
        return [self._replace(lengths=left)] if left else []


ANYWHERE = tuple(
    Box(version, inside=True, network=0, length=0, lengths=((0, bits),)) for version, bits in _BITS.items()
)
"""Every prefix of IPv4, and every prefix of IPv6."""


class Prefixes(NamedTuple):
    """The row's prefix, with its length and family: in one of ``boxes``, in none of ``other``.

    ``other`` are those only that could not be taken out of ``boxes``.
    """

    boxes: tuple[Box, ...]
    other: tuple[Box, ...]

    def meet(self, other: "Prefixes") -> "Prefixes | None":
        """Exact, but for many prefixes at once, and where one far longer prefix is taken out of another."""
        boxes, fresh, kept = self.boxes, other.other, self.other
        if other.boxes is not ANYWHERE and len(boxes) * len(other.boxes) <= _MAX_PRODUCT:
            boxes = tuple(left for one in boxes for two in other.boxes if (left := one.meet(two)) is not None)
            # What could not be taken away from the wider boxes may be possible now.
            fresh, kept = kept + fresh, ()
        for index, gone in enumerate(fresh):
            if len(boxes) * len(fresh) > _MAX_PRODUCT:
                kept += fresh[index:]
                break
            boxes = tuple(piece for box in boxes for piece in box.without(gone))
            if any(box.meet(gone) for box in boxes):
                kept += (gone,)
        return Prefixes(boxes, kept) if boxes else None

    def weight(self) -> int:
        """Count the prefixes."""
        return len(self.boxes) + len(self.other)
