"""Text for a terminal: aligned columns, times and numbers as people read them, nothing that steers the terminal."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

WIDTH = 80
"""Columns that every screen fits."""

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
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) for char in text)


def shortened(text: str, columns: int) -> str:
    """Return *text*, cut off with an ellipsis when it takes more than *columns*."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: str = "", shrink: str = "") -> list[str]:
    """Return the lines of a table of *rows* under *heads*.

    *right* names the columns, separated by blanks, that hold numbers.  The column *shrink* gives way, down to eight
    columns, when a line would be wider than ``WIDTH``.
    """
    cells = [list(heads), *([clean(value) for value in row] for row in rows)]
    widths = [max(width(row[index]) for row in cells) for index in range(len(heads))]
    if shrink in heads:
        index = heads.index(shrink)
        excess = sum(widths) + 2 * (len(widths) - 1) - WIDTH
        widths[index] = max(min(8, widths[index]), widths[index] - max(0, excess))
    numbers = set(right.split())
    lines = []
    for row in cells:
        parts = []
        for head, text, columns in zip(heads, row, widths, strict=True):
            cut = shortened(text, columns)
            blanks = " " * (columns - width(cut))
            parts.append(blanks + cut if head in numbers else cut + blanks)
        lines.append("  ".join(parts).rstrip())
    return lines


def wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    """Return *text* in lines of at most ``WIDTH`` columns; *first* starts the first one, *rest* the others."""
    lines, line = [], first
    blank = True
    for word in text.split():
        if not blank and width(line) + 1 + width(word) > WIDTH:
            lines.append(line)
            line, blank = rest, True
        line += word if blank else f" {word}"
        blank = False
    return [*lines, line]


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
