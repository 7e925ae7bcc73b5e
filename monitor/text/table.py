"""Text for a terminal: aligned columns, times and numbers as people read them, nothing that steers the terminal."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO

WIDTH = 80
"""Columns that every screen fits; what is not a terminal has as many, unless COLUMNS says otherwise."""

NARROWEST = 60
LEAST_WRAPPED = 24
"""Columns of a last cell that is wrapped rather than left out."""

WIDEST_PROSE = 120
"""Longest line of running text, however wide the terminal is."""

NOTHING = "-"
"""What stands for a value that is missing."""

_LONGEST = 4096
"""Characters of one cell; a peer may send much more."""

# C0 and DEL, C1, Arabic letter mark, the directional marks, line and paragraph separator, the bidi embeddings, overrides
# and isolates, the interlinear marks, lone surrogates.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]"
)


def clean(value: object) -> str:
    """Return *value* as one line of text in which U+FFFD stands for every character that could steer a terminal."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(clean(item) for item in value) or NOTHING
    if isinstance(value, dict):
        return " ".join(f"{clean(key)}={clean(item)}" for key, item in value.items()) or NOTHING
    text = str(value)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return _CONTROL.sub("\ufffd", text)


def clean_lines(text: str) -> str:
    """Return *text* with its line ends, and with each line cleaned."""
    return "\n".join(_CONTROL.sub("\ufffd", line) for line in text.split("\n"))


def width(text: str) -> int:
    """Return how many columns *text* takes on a terminal."""
    return len(text) if text.isascii() else _width(text)


@lru_cache(4096)
def _width(text: str) -> int:
    # A screen says the same few words with arrows and dots in them again and again.
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) for char in text)


def shortened(text: str, columns: int) -> str:
    """Return *text*, cut off with an ellipsis when it takes more than *columns*."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


@dataclass(frozen=True, slots=True)
class Page:
    """What a screen is written on: *columns* wide; ``cuts`` says that nothing may be wider.

    A file or a pipe does not cut: programs that read it get whole cells and every column.
    """

    columns: int = WIDTH
    cuts: bool = True

    @classmethod
    def of(cls, stream: TextIO) -> "Page":
        """Return the page of *stream*: the terminal's width, or that of COLUMNS (POSIX), or ``WIDTH`` without cuts."""
        said = os.environ.get("COLUMNS", "")
        if said.isdecimal() and int(said):
            return cls(max(NARROWEST, int(said)))
        try:
            return cls(max(NARROWEST, os.get_terminal_size(stream.fileno()).columns or WIDTH))
        except (OSError, ValueError):
            return cls(cuts=False)

    def table(
        self, heads: Sequence[str], rows: Iterable[Sequence[object]], right: str = "", spare: str = "", shrink: str = ""
    ) -> list[str]:
        """Return the lines of a table of *rows* under *heads*, whose names have no blanks.

        *right* names the columns, separated by blanks, that hold numbers.  Where the page cuts and a line would be too wide,
        the columns *spare* are left out, in that order, until it fits; then the column *shrink* gives way: it is wrapped
        when it is the last one, and cut off otherwise, down to eight columns.  A column without any value is left out.
        """
        cells = [list(heads), *([clean(value) for value in row] for row in rows)]
        widths = [max(width(row[index]) for row in cells) for index in range(len(heads))]
        everything = range(len(heads))
        kept = [index for index in everything if any(row[index] != NOTHING for row in cells[1:])] or [*everything]
        # A last column that is wrapped has room enough with a few words in a line.
        least = [min(size, LEAST_WRAPPED) if heads[index] == shrink and index == len(heads) - 1 else size
                 for index, size in enumerate(widths)]  # fmt: skip
        for name in spare.split():
            if self.cuts and _total(least, kept) > self.columns:
                kept = [index for index in kept if heads[index] != name]
        excess = _total(widths, kept) - self.columns
        if excess > 0 and (place := next((index for index in kept if heads[index] == shrink), None)) is not None:
            wraps = place == kept[-1]
            if self.cuts or wraps:
                widths[place] = max(min(LEAST_WRAPPED if wraps else 8, widths[place]), widths[place] - excess)
        numbers = set(right.split())
        lines: list[str] = []
        for row in cells:
            lines += self._row([heads[index] in numbers for index in kept], [row[index] for index in kept],
                               [widths[index] for index in kept])  # fmt: skip
        return lines

    @staticmethod
    def _row(numbers: Sequence[bool], row: Sequence[str], widths: Sequence[int]) -> list[str]:
        """Return one row as a line, and as more where its last cell is too wide."""
        parts = []
        for number, text, columns in zip(numbers[:-1], row[:-1], widths[:-1], strict=True):
            cut = shortened(text, columns)
            blanks = " " * (columns - width(cut))
            parts.append(blanks + cut if number else cut + blanks)
        margin = sum(widths[:-1]) + 2 * (len(widths) - 1)
        if numbers[-1]:
            parts.append(" " * (widths[-1] - width(row[-1])) + row[-1])
            return ["  ".join(parts).rstrip()]
        start = "".join(f"{part}  " for part in parts)
        return [line.rstrip() for line in _wrap(row[-1], start, " " * margin, margin + widths[-1])]

    def wrapped(self, text: str, first: str = "", rest: str = "") -> list[str]:
        """Return running text in lines that fit; *first* starts the first one, *rest* the others."""
        return _wrap(text, first, rest, min(self.columns, WIDEST_PROSE))


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[index] for index in kept) + 2 * (len(kept) - 1)


def _wrap(text: str, first: str, rest: str, columns: int) -> list[str]:
    lines, line = [], first
    blank = True
    room = max(8, columns - max(width(first), width(rest)))
    for word in _words(text, room):
        if not blank and width(line) + 1 + width(word) > columns:
            lines.append(line)
            line, blank = rest, True
        line += word if blank else f" {word}"
        blank = False
    return [*lines, line]


def _words(text: str, room: int) -> Iterator[str]:
    """Yield the words of a text; one that is wider than *room* columns in pieces."""
    for word in text.split():
        while width(word) > room:
            piece = word[:room]
            while width(piece) > room:
                piece = piece[:-1]
            yield piece
            word = word[len(piece) :]  # noqa: PLW2901 - what is left of it
        if word:
            yield word


def plural(count: object, word: str) -> str:
    """Return ``1 change`` or ``2,000 changes``."""
    return f"{number(count)} {word}{'' if count == 1 else 's'}"


def operations(count: object) -> str:
    """Return ``1 operation`` or ``2,000 operations``."""
    return plural(count, "operation")


def number(value: object) -> str:
    """Return a count with its thousands apart: ``6,310``."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else clean(value)


def moment(value: object) -> str:
    """Return a time, in seconds since 1970 or as text, in UTC."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value <= 0:
            return NOTHING
        try:
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        except (OverflowError, ValueError, OSError):
            return clean(value)
    return clean(value)


def duration(value: object) -> str:
    """Return a number of seconds in its two largest units: ``2h03m``."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:  # noqa: PLR0124 - NaN
        return clean(value)
    seconds = int(min(max(value, 0), 1e12))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600:02}h"
