"""Columns of a table: what a cell says, and which columns a width has room for.  Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.text.table import width
from monitor.tui.line import Span

Row = Mapping[str, Any]
"""What a row is made of: an item of a document."""

GAP = 1
"""Blanks between columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    ``rank`` orders what is given up first in a narrow window: the largest.  ``least`` and ``most`` are its narrowest and widest
    width; ``sort`` is the name by which the daemon, or ``key``, orders by it; ``wide`` ones are shown when asked for.
    """

    title: str
    cell: Callable[[Row], Span]
    least: int
    most: int
    rank: int = 5
    right: bool = False
    sort: str = ""
    key: Callable[[Row], Any] | None = None
    wide: bool = False


def narrowest(column: Column, wanted: Mapping[str, int]) -> int:
    """Return the least width of a column: one of numbers is never cut, since a number that lost digits is another one."""
    if not column.right:
        return column.least
    return min(max(column.least, wanted.get(column.title, 0)), column.most)


def chosen(
    columns: Sequence[Column],
    room: int,
    wanted: Mapping[str, int],
    hidden: frozenset[str] = frozenset(),
    *,
    wide: bool = False,
) -> list[Column]:
    """Return the columns that fit *room* at their narrowest, in their order; the highest ranks are given up first."""
    kept = [column for column in columns if column.title not in hidden and (wide or not column.wide)]
    by_rank = sorted(kept, key=lambda column: column.rank, reverse=True)
    while len(kept) > 1 and sum(narrowest(column, wanted) for column in kept) + GAP * (len(kept) - 1) > room:
        kept.remove(by_rank.pop(0))
    return kept


def widths(columns: Sequence[Column], room: int, wanted: Mapping[str, int]) -> list[int]:
    """Return how wide each of *columns* is: as *wanted* by title within its bounds, while there is room; low ranks come first."""
    found = {column.title: min(narrowest(column, wanted), room) for column in columns}
    left = room - sum(found.values()) - GAP * (len(columns) - 1)
    for column in sorted(columns, key=lambda item: item.rank):
        more = min(max(wanted.get(column.title, column.least), column.least), column.most) - found[column.title]
        if more > 0 and left > 0:
            given = min(more, left)
            found[column.title] += given
            left -= given
    return [found[column.title] for column in columns]


def wish(columns: Sequence[Column], rows: Sequence[Row], before: Mapping[str, int]) -> dict[str, int]:
    """Return how wide the columns would like to be for *rows*, and never less than *before*."""
    wanted = dict(before)
    for column in columns:
        known = wanted.get(column.title, width(column.title) + 1)
        # A column that has its widest width already is not looked at.
        most = max((width(column.cell(row)[0]) for row in rows), default=0) if known < column.most else known
        wanted[column.title] = min(max(known, most), column.most)
    return wanted
