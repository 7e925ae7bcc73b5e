"""What a terminal shows at one moment (pure)."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tools.terminal.colours import DEFAULT


class Cell(NamedTuple):
    """One character with its style; the right half of a wide character is a cell without one.

    A colour is "default", one of the sixteen names ("red", "brightblack"), or six hexadecimal digits.
    """

    data: str = " "
    fg: str = DEFAULT
    bg: str = DEFAULT
    bold: bool = False
    italics: bool = False
    underscore: bool = False
    strikethrough: bool = False
    reverse: bool = False
    blink: bool = False
    dim: bool = False

    @property
    def char(self) -> str:
        """The character."""
        return self.data

    @property
    def underline(self) -> bool:
        """Whether there is a line below the character."""
        return self.underscore

    @property
    def italic(self) -> bool:
        """Whether the character is slanted."""
        return self.italics


class Cursor(NamedTuple):
    """Where the next character goes, counted from 0, and whether the place is shown."""

    row: int
    column: int
    visible: bool = True


@dataclass(frozen=True)
class Screen:
    """What a terminal showed at one moment; it does not change afterwards."""

    cells: tuple[tuple[Cell, ...], ...]
    cursor: Cursor
    title: str = ""

    @property
    def columns(self) -> int:
        """The width in cells."""
        return len(self.cells[0])

    @property
    def rows(self) -> int:
        """The height in cells."""
        return len(self.cells)

    @cached_property
    def lines(self) -> list[str]:
        """The text of each row, without the blanks at its end."""
        return ["".join(cell.data for cell in row).rstrip() for row in self.cells]

    @property
    def text(self) -> str:
        """All rows as one text."""
        return "\n".join(self.lines)

    def cell(self, row: int, column: int) -> Cell:
        """The cell at a place."""
        return self.cells[row][column]

    def find(self, text: str) -> tuple[int, int] | None:
        """Row and column at which *text* first stands within one row; None if it is not shown."""
        for row, line in enumerate(self.lines):
            index = line.find(text)
            if index >= 0:
                return row, self._column(row, index)
        return None

    def _column(self, row: int, index: int) -> int:
        """The column of a character of a line: wide characters take two, combined ones none."""
        passed = 0
        for column, cell in enumerate(self.cells[row]):
            passed += len(cell.data)
            if passed > index:
                return column
        return self.columns

    def __str__(self) -> str:
        edge = "─" * self.columns
        inner = "\n".join(f"│{line}{' ' * self._rest(row)}│" for row, line in enumerate(self.lines))
        return f"┌{edge}┐\n{inner}\n└{edge}┘ cursor {self.cursor.row},{self.cursor.column}"

    def _rest(self, row: int) -> int:
        return self.columns - self._column(row, len(self.lines[row]) - 1) - 1 if self.lines[row] else self.columns
