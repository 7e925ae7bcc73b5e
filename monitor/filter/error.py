"""The error of the filter language: what is wrong, where, and what was probably meant."""

from typing import NamedTuple

from monitor.errors import BadRequest


class FilterError(BadRequest):
    """A filter that makes no sense.

    ``message`` says what is wrong in words.  ``position`` counts characters of ``text`` from 0 and ``length``
    says how many are meant; the position is the end of the text where something is missing there, and the
    length is at least 1. ``suggestion`` is what to write in place of the marked characters, or empty.
    """

    def __init__(self, message: str, position: int, length: int = 1, suggestion: str = "", text: str = "") -> None:
        super().__init__(message, position, length, suggestion, text)
        self.message = message
        self.position = position
        self.length = max(1, length)
        self.suggestion = suggestion
        self.text = text

    def __str__(self) -> str:
        """One line: the message, the column counted from 1, and the suggestion."""
        hint = f"; did you mean {self.suggestion}?" if self.suggestion else ""
        return _harmless(f"{self.message} (column {self.position + 1}){hint}")

    def caret(self) -> str:
        """The filter, carets under what is wrong, the message, and "did you mean", one line each.

        Characters that a terminal would obey are shown as a question mark, so that columns stay true.
        """
        shown = _harmless(self.text)
        width = min(self.length, max(1, len(shown) - self.position))
        lines = [shown, " " * self.position + "^" * width, _harmless(self.message)]
        if self.suggestion:
            lines.append(f"did you mean {_harmless(self.suggestion)}?")
        return "\n".join(lines)


def _harmless(text: str) -> str:
    """Return *text* in the same length without characters that a terminal would obey."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)


class Hint(NamedTuple):
    """Something in a valid filter that was probably not meant; fields as in ``FilterError``."""

    message: str
    position: int
    length: int
    suggestion: str


class BadValueError(Exception):
    """A value that a field cannot have; the parser adds where it stands.

    ``offset`` is the position inside the value, or -1 for the whole value.
    """

    def __init__(self, message: str, suggestion: str = "", offset: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion
        self.offset = offset
