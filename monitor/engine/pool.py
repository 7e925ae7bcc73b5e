"""Places by number: in the order in which they were found, as octets, so that a million of them are one object."""

from collections.abc import Sequence
from typing import Any

from monitor.engine.ordering import SPANS, Place
from programmer.route import Family


class Pool:
    """Places of one family of one table; the number of a place says when it was taken.

    ``mixed`` says whether there may be foreign routes among them.
    """

    __slots__ = ("_packed", "_stride", "_width", "mixed")

    def __init__(self, family: Family, *, mixed: bool = False) -> None:
        self.mixed = mixed
        self._width = 1 + (family.bits >> 3)
        self._stride = self._width + (5 if mixed else 0)
        self._packed = bytearray()
        """Records of equal size: length, address, and where there may be foreign routes a mark and the metric."""

    def __len__(self) -> int:
        return len(self._packed) // self._stride

    def take(self, places: Sequence[Any]) -> None:
        """Take more places; a thousand of them take a tenth of a millisecond."""
        self._packed += self._records(places)

    def _records(self, places: Sequence[Any]) -> bytes:
        width = self._width
        if not self.mixed:
            return b"".join([key.ljust(width, b"\0") for key in places])
        ours = bytes(5)
        return b"".join(
            [
                place.ljust(width, b"\0") + ours
                if isinstance(place, bytes)
                else b"%b\1%b" % (place[0].ljust(width, b"\0"), place[1].to_bytes(4, "big"))
                for place in places
            ]
        )

    def __getitem__(self, number: int) -> Place:
        """Return the place of that number; raises IndexError beyond the last one."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        packed, at = self._packed, number * self._stride
        key = bytes(packed[at : at + SPANS[packed[at]]])
        if self.mixed and packed[at + self._width]:
            return key, int.from_bytes(packed[at + self._width + 1 : at + self._stride], "big")
        return key

    def find(self, place: Place) -> int | None:
        """Return the number of a place, None where it was not taken.  It costs a search through all octets, a few milliseconds."""
        if not self.mixed and not isinstance(place, bytes):
            return None
        record, packed = self._records((place,)), self._packed
        at = packed.find(record)
        while at > 0 and at % self._stride:
            at = packed.find(record, at + 1)
        return None if at < 0 else at // self._stride

    def rank(self, number: int) -> bytes:
        """Return octets that compare as places do in prefix order."""
        packed, at = self._packed, number * self._stride
        width = self._width
        return bytes(packed[at + 1 : at + width] + packed[at : at + 1] + packed[at + width : at + self._stride])

    def octets(self, at: int) -> tuple[memoryview, int]:
        """Return the octets of which every so-manieth is octet *at* of an address, and that number."""
        return memoryview(self._packed)[1 + at :], self._stride

    @property
    def depth(self) -> int:
        """Octets of an address."""
        return self._width - 1
