"""Places by number: in the order in which they were found, as octets, so that a million of them are one object."""

from collections.abc import Sequence
from typing import Any

from monitor.engine.ordering import Place, Records
from programmer.route import Family


class Pool:
    """Places of one family of one table; the number of a place says when it was taken.

    ``mixed`` says whether there may be foreign routes among them.
    """

    __slots__ = ("_packed", "_records", "mixed")

    def __init__(self, family: Family, *, mixed: bool = False) -> None:
        self.mixed = mixed
        self._records = Records(family, mixed=mixed)
        self._packed = bytearray()

    def __len__(self) -> int:
        return len(self._packed) // self._records.stride

    def take(self, places: Sequence[Any]) -> None:
        """Take more places."""
        self._packed += self._records.pack(places)

    def __getitem__(self, number: int) -> Place:
        """Return the place of that number; raises IndexError beyond the last one."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._records.place(self._packed, number)

    def find(self, place: Place) -> int | None:
        """Return the number of a place, None where it was not taken.  It costs a search through all octets, a few milliseconds."""
        if not self.mixed and not isinstance(place, bytes):
            return None
        record, packed = self._records.pack((place,)), self._packed
        at = packed.find(record)
        while at > 0 and at % self._records.stride:
            at = packed.find(record, at + 1)
        return None if at < 0 else at // self._records.stride

    def rank(self, number: int) -> bytes:
        """Return octets that compare as places do in prefix order."""
        packed, width, stride = self._packed, self._records.width, self._records.stride
        at = number * stride
        return bytes(packed[at + 1 : at + width] + packed[at : at + 1] + packed[at + width : at + stride])

    def octets(self, at: int) -> tuple[memoryview, int]:
        """Return the octets of which every so-manieth is octet *at* of an address, and that number."""
        return memoryview(self._packed)[1 + at :], self._records.stride

    @property
    def depth(self) -> int:
        """Octets of an address."""
        return self._records.width - 1
