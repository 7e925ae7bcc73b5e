"""Rows thrown together by what stands in a column, on their way into an order.  Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Generator, Sequence
from heapq import merge

from monitor.engine.columns import Value
from monitor.engine.ordering import LARGEST, STEP

MERGED_AT_ONCE = 64
"""Values that are merged before others have their turn."""

FINE = 8
"""Bits of a whole number that rows thrown together may still differ in."""

_ROW = 32
"""Bits of the number of a row."""

Rows = Generator["array[int] | None", None, None]
"""The rows of one value after the other, each by rising number; None between short steps."""


class Groups:
    """Rows by their value: for columns in which few different ones stand."""

    def __init__(self) -> None:
        self._rows: dict[Value, array[int]] = {}

    def take(self, values: Sequence[Value], first: int) -> None:
        """Take the values of rows, of which the first one has the number *first*, beyond all that were taken."""
        rows = self._rows
        for row, value in enumerate(values, first):
            try:
                rows[value].append(row)
            except KeyError:
                rows[value] = array("I", (row,))

    def forget(self, first: int) -> None:
        """Forget the rows from number *first* on."""
        for rows in self._rows.values():
            del rows[bisect_left(rows, first) :]

    def ordered(self, *, descending: bool) -> Rows:
        """Give the rows away in the order of their values; those without one come last."""
        rows = self._rows
        nothing = rows.pop(None, None)
        values: list[Value] = yield from _ordered(list(rows))
        for value in reversed(values) if descending else values:
            if found := rows.pop(value):
                yield found
        if nothing:
            yield nothing


class NumberGroups:
    """Rows by a whole number, of which nearly every row may have its own.

    A group for each of a hundred thousand numbers would be somewhere else in memory for every row: so rows are thrown together
    by the leading bits of their numbers at first, and by the others once they are given away.
    """

    def __init__(self) -> None:
        self._rows: dict[int, array[int]] = {}
        self._nothing = array("I")

    def take(self, values: Sequence[int | None], first: int) -> None:
        """See ``Groups``."""
        rows, fine = self._rows, (1 << FINE) - 1
        for row, value in enumerate(values, first):
            if value is None:
                self._nothing.append(row)
                continue
            try:
                rows[value >> FINE].append((value & fine) << _ROW | row)
            except KeyError:
                rows[value >> FINE] = array("Q", ((value & fine) << _ROW | row,))

    def forget(self, first: int) -> None:
        """See ``Groups``."""
        for rows in (*self._rows.values(), self._nothing):
            del rows[bisect_left(rows, first, key=_row_of) :]

    def ordered(self, *, descending: bool) -> Rows:
        """See ``Groups``."""
        for value in sorted(self._rows, reverse=descending):
            packed = self._rows.pop(value)
            runs = _sorted_runs(packed) if len(packed) <= LARGEST else (yield from _runs(packed))
            yield from reversed(runs) if descending else runs
            yield None
        if self._nothing:
            yield self._nothing


def _row_of(packed: int) -> int:
    return packed & (1 << _ROW) - 1


def _sorted_runs(packed: "array[int]") -> list["array[int]"]:
    """Return the rows of each value in order, where they are few."""
    runs: list[array[int]] = []
    last = -1
    for one in sorted(packed):
        if one >> _ROW != last:
            last = one >> _ROW
            runs.append(array("I"))
        runs[-1].append(_row_of(one))
    return runs


def _runs(packed: "array[int]") -> Generator[None, None, list["array[int]"]]:
    """Return the same in steps, where they are many."""
    runs = [array("I") for _ in range(1 << FINE)]
    for start in range(0, len(packed), STEP):
        for one in packed[start : start + STEP]:
            runs[one >> _ROW].append(_row_of(one))
        yield None
    return [run for run in runs if run]


def _ordered(values: list[Value]) -> Generator[None, None, list[Value]]:
    """Return distinct values in order; many are sorted in parts and merged."""
    parts: list[list[Value]] = []
    for start in range(0, len(values), STEP):
        parts.append(sorted(values[start : start + STEP]))
        yield None
    if len(parts) < 2:
        return parts[0] if parts else []
    found: list[Value] = []
    for value in merge(*parts):
        found.append(value)
        if not len(found) % MERGED_AT_ONCE:
            yield None
    return found
