"""A million places in prefix order without one long sort: buckets in order, each sorted when somebody looks into it.

Octets tell most of the order: all keys that share their leading octets stand together.  So places are thrown into buckets by
them, and only a bucket that is looked at is put in order.  Pure; whoever builds an order gives others their turn between steps.

A bucket is one string of octets, not a list: the garbage collector walks through every young list, and would stop the process
for a tenth of a second to look at a million references.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from operator import itemgetter
from typing import Any

from programmer.route import Family, PrefixKey

Place = PrefixKey | tuple[PrefixKey, int]
"""One route within one family of one table: the key of a route of ours, or key and metric of a foreign one."""

LARGEST = 6144
"""Places that may stay together in one bucket: sorting them takes some milliseconds, and is done once."""

MERGED = 1500
"""Places up to which small buckets become one."""

STEP = 4096
"""Places that are thrown into buckets between two steps."""

FOREIGN = 0xFF
"""In place of a length: a foreign route follows, key and metric."""

_ADDRESS = itemgetter(slice(1, None))
_FIRST = itemgetter(1)
_SPANS = tuple(1 + ((length + 7) >> 3) for length in range(129))
"""Octets of a key by its length."""


def key_of_place(place: Place) -> PrefixKey:
    """Return the prefix key of a place."""
    return place if isinstance(place, bytes) else place[0]


def place_order(place: Place) -> tuple[bytes, int, int]:
    """Order places by address, then by length, then ours before foreign ones, and those by metric.

    Host bits are zero, so octets that a key leaves out need not be filled up: of two keys whose octets begin alike, the one
    with fewer octets comes first either way.
    """
    if isinstance(place, bytes):
        return place[1:], place[0], -1
    key, metric = place
    return key[1:], key[0], metric


class Records:
    """Places of one family as records of equal size: length, address, and where there may be foreign routes a mark and the metric.

    ``width`` is the octets of length and address, ``stride`` those of a record.
    """

    __slots__ = ("mixed", "stride", "width")

    def __init__(self, family: Family, *, mixed: bool) -> None:
        self.mixed = mixed
        self.width = 1 + (family.bits >> 3)
        self.stride = self.width + (5 if mixed else 0)

    def pack(self, places: Sequence[Any]) -> bytes:
        """Return places, one behind the other; a thousand of them take a tenth of a millisecond."""
        width, stride = self.width, self.stride
        if not self.mixed:
            return b"".join([key.ljust(width, b"\0") for key in places])
        return b"".join(
            [
                place.ljust(stride, b"\0")
                if isinstance(place, bytes)
                else b"%b\1%b" % (place[0].ljust(width, b"\0"), place[1].to_bytes(4, "big"))
                for place in places
            ]
        )

    def place(self, packed: bytes | bytearray, index: int) -> Place:
        """Return the place of the record at *index*."""
        at = index * self.stride
        key = bytes(packed[at : at + _SPANS[packed[at]]])
        if self.mixed and packed[at + self.width]:
            return key, int.from_bytes(packed[at + self.width + 1 : at + self.stride], "big")
        return key


class PrefixOrder:
    """Places in prefix order, sorted as far as somebody has looked.  It grows at its end only.

    ``mixed`` says whether there may be foreign routes among them.
    """

    __slots__ = ("_count", "_heads", "_packed", "_records", "_sorted", "_starts", "mixed")

    def __init__(self, family: Family, *, mixed: bool = False) -> None:
        self.mixed = mixed
        self._records = Records(family, mixed=mixed)
        self._count = 0
        self._packed: list[bytes] = []
        """Of a bucket that is sorted, records of equal size; else keys one behind the other."""
        self._sorted = bytearray()
        self._starts: array[int] = array("L")
        self._heads: list[bytes] = []

    def __len__(self) -> int:
        return self._count

    def append(self, head: bytes, places: Sequence[Place]) -> None:
        """Put *places*, in any order, behind all that there are.

        *head* are address octets that none of them comes before, and that all places before them do come before.
        """
        if not places:
            return
        if self._starts and self._count - self._starts[-1] + len(places) <= MERGED:
            last = self._pack(self.bucket(len(self._starts) - 1)[1]) if self._sorted[-1] else self._packed[-1]
            self._packed[-1], self._sorted[-1] = last + self._pack(places), 0
        else:
            self._starts.append(self._count)
            self._heads.append(head)
            self._packed.append(self._pack(places))
            self._sorted.append(0)
        self._count += len(places)

    def _pack(self, places: Sequence[Any]) -> bytes:
        if not self.mixed:
            return b"".join(places)
        return b"".join(
            place if isinstance(place, bytes) else b"%c%b%b" % (FOREIGN, place[0], place[1].to_bytes(4, "big"))
            for place in places
        )

    @property
    def bucket_count(self) -> int:
        """Number of buckets."""
        return len(self._starts)

    def bucket(self, number: int, *, in_order: bool = False) -> tuple[bytes, list[Place]]:
        """Return the head and the places of a bucket; they are in order only if that is asked for."""
        if in_order:
            self._sort(number)
        if self._sorted[number]:
            count = len(self._packed[number]) // self._records.stride
            return self._heads[number], [self._record(number, index) for index in range(count)]
        return self._heads[number], _unpack(self._packed[number])

    def _sort(self, number: int) -> None:
        if self._sorted[number]:
            return
        places: list[Any] = _unpack(self._packed[number])
        if self.mixed:
            places.sort(key=place_order)
        else:
            # The first octet is the length: sorted by it, and then, as sorting is stable, by the octets behind it.
            places.sort()
            places.sort(key=_ADDRESS)
        self._packed[number], self._sorted[number] = self._records.pack(places), 1

    def _record(self, number: int, index: int) -> Place:
        """Return the place at an index of a bucket that is sorted."""
        return self._records.place(self._packed[number], index)

    def slice(self, first: int, count: int) -> list[Place]:
        """Return at most *count* places from index *first* on, in order."""
        return [self[index] for index in range(first, min(first + count, self._count))]

    def __getitem__(self, index: int) -> Place:
        """Return the place at *index*, which counts from 0; raises IndexError beyond the last one."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        number = bisect_right(self._starts, index) - 1
        self._sort(number)
        return self._record(number, index - self._starts[number])

    def find(self, place: Place) -> tuple[int, bool]:
        """Return the index of *place*, and whether it is there; if not, the index is where it would be."""
        wanted = place_order(place)
        number = bisect_right(self._heads, wanted[0]) - 1
        if number < 0:
            return 0, False
        self._sort(number)
        size = len(self._packed[number]) // self._records.stride
        index = bisect_left(range(size), wanted, key=lambda at: place_order(self._record(number, at)))
        return self._starts[number] + index, index < size and self._record(number, index) == place


def _unpack(packed: bytes) -> list[Place]:
    """Return the places in the octets of an unsorted bucket."""
    found: list[Place] = []
    at, end, spans = 0, len(packed), _SPANS
    while at < end:
        length = packed[at]
        if length == FOREIGN:
            stop = at + 1 + spans[packed[at + 1]]
            found.append((packed[at + 1 : stop], int.from_bytes(packed[stop : stop + 4], "big")))
            at = stop + 4
        else:
            stop = at + spans[length]
            found.append(packed[at:stop])
            at = stop
    return found


class Gathering:
    """Places of one family of one table on their way into an order.

    *repeated*: some may be taken twice, and stand there once.
    """

    def __init__(self, family: Family, *, repeated: bool = False) -> None:
        self._family = family
        self._mixed = False
        self._repeated = repeated
        self._default: list[Place] = []
        """Those without an octet of address."""
        self._buckets: list[list[Place]] = [[] for _ in range(256)]

    def add(self, keys: Sequence[PrefixKey]) -> None:
        """Take keys of routes of ours; STEP of them take half a millisecond."""
        if b"\0" in keys:
            self._default.append(b"\0")
            keys = [key for key in keys if len(key) > 1]
        buckets = self._buckets
        for octet, key in zip(map(_FIRST, keys), keys, strict=True):
            buckets[octet].append(key)

    def add_foreign(self, places: Sequence[tuple[PrefixKey, int]]) -> None:
        """Take places of foreign routes."""
        self._mixed = self._mixed or bool(places)
        for place in places:
            key = place[0]
            (self._buckets[key[1]] if len(key) > 1 else self._default).append(place)

    def arranging(self, octets: Collection[int] = range(256)) -> Generator[None, None, PrefixOrder]:
        """Return the order of what was taken; yields between short steps.  What was taken is given away.

        Addresses whose first octet is none of *octets* may be left out; default routes never are.
        """
        order = PrefixOrder(self._family, mixed=self._mixed)
        order.append(b"", self._distinct(self._default))
        for octet in sorted(octets):
            places, self._buckets[octet] = self._buckets[octet], []
            yield from self._place(order, bytes((octet,)), places)
            yield
        return order

    def _distinct(self, places: list[Place]) -> list[Place]:
        return list(dict.fromkeys(places)) if self._repeated else places

    def _place(self, order: PrefixOrder, head: bytes, places: list[Place]) -> Generator[None]:
        """Append places that all begin with the octets *head*, divided by the next octet where they are many."""
        if len(places) <= LARGEST:
            order.append(head, self._distinct(places))
            return
        at = len(head) + 1
        octet_of: Callable[[Any], int] = (lambda place: key_of_place(place)[at]) if self._mixed else itemgetter(at)
        parts: list[list[Place]] = [[] for _ in range(256)]
        short: list[Place] = []
        for start in range(0, len(places), STEP):
            part: list[Any] = places[start : start + STEP]
            if self._mixed or min(part)[0] <= 8 * (at - 1):
                short += [place for place in part if len(key_of_place(place)) <= at]
                part = [place for place in part if len(key_of_place(place)) > at]
            for octet, place in zip(map(octet_of, part), part, strict=True):
                parts[octet].append(place)
            yield
        # Without a further octet they differ in length, or in metric, alone.
        order.append(head, self._distinct(short))
        for octet, part in enumerate(parts):
            if part:
                yield from self._place(order, head + bytes((octet,)), part)


def buckets_of(order: PrefixOrder) -> Iterator[tuple[bytes, list[Place]]]:
    """Yield head and places of every bucket in order; the places within one are in none."""
    for number in range(order.bucket_count):
        yield order.bucket(number)
