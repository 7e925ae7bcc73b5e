"""What a terminal does with the bytes it gets: pyte's screen, with the parts in which it differs from xterm put right.

pyte's own parser prints what follows a sequence that it does not know, and its screen loses text after characters
without a width.  So the sequences are taken apart here, and only what has a meaning for the screen reaches it.
"""

import codecs
import copy
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple, cast

import pyte
from pyte import charsets, modes
from pyte.screens import Char, Savepoint, StaticDefaultDict
from wcwidth import wcwidth

from tools.terminal import colours
from tools.terminal.screen import Cell, Cursor, Screen

TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<private>[<-?]?)(?P<parameters>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b\](?P<command>[^\x07\x1b\x9c]*)(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[PX^_](?P<string>[^\x1b]*)\x1b\\"
    r"|\x1b(?P<escape>[ -/]+[0-~]|[0-OQ-WYZ\\`-~])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
)
UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b\x9c]*\x1b?|[PX^_][^\x1b]*\x1b?|[ -/]*)")

SYNCHRONIZED = 2026
"""The private mode in which a program is in the middle of a frame."""
ALTERNATE = frozenset({47, 1047, 1049})
IGNORED = frozenset({3})
"""Modes that xterm, as it is delivered, does not follow either: here, 132 columns."""

CONTROLS = {"\a": "bell", "\b": "backspace", "\t": "tab", "\n": "linefeed", "\v": "linefeed", "\f": "linefeed",
            "\r": "carriage_return", "\x0e": "shift_out", "\x0f": "shift_in"}  # fmt: skip
ESCAPES = {"c": "reset", "D": "index", "E": "next_line", "M": "reverse_index", "H": "set_tab_stop", "7": "save_cursor",
           "8": "restore_cursor", "#8": "alignment_display"}  # fmt: skip
COMMANDS: dict[str, tuple[str, int]] = {
    "A": ("cursor_up", 1), "B": ("cursor_down", 1), "C": ("cursor_forward", 1), "D": ("cursor_back", 1),
    "E": ("cursor_down1", 1), "F": ("cursor_up1", 1), "G": ("cursor_to_column", 1), "H": ("cursor_position", 2),
    "J": ("erase_in_display", 1), "K": ("erase_in_line", 1), "L": ("insert_lines", 1), "M": ("delete_lines", 1),
    "P": ("delete_characters", 1), "S": ("scroll_up", 1), "T": ("scroll_down", 1), "X": ("erase_characters", 1),
    "Z": ("tab_back", 1), "@": ("insert_characters", 1), "`": ("cursor_to_column", 1), "a": ("cursor_forward", 1),
    "b": ("repeat", 1), "d": ("cursor_to_line", 1), "e": ("cursor_down", 1), "f": ("cursor_position", 2),
    "g": ("clear_tab_stop", 1), "h": ("set_mode", 99), "l": ("reset_mode", 99), "r": ("set_margins", 2),
    "s": ("save_cursor", 0), "u": ("restore_cursor", 0),
}  # fmt: skip
"""What each final character of a control sequence asks of the screen, and how many numbers it takes at most."""

Buffer = dict[int, StaticDefaultDict[int, Char]]


class Kept(NamedTuple):
    """What the normal screen showed when a program went to the alternate one."""

    buffer: Buffer
    cursor: Any


@lru_cache(maxsize=8192)
def width_of(character: str) -> int:
    """How many columns a character takes; negative for one that is not shown."""
    return wcwidth(character)


class Emulator(pyte.Screen):
    """A screen that is fed with bytes; *on_sequence* hears every complete control sequence, and *on_command* every OSC."""

    def __init__(
        self,
        columns: int,
        rows: int,
        *,
        on_sequence: Callable[[str], None] = lambda _: None,
        on_command: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.private: set[int] = set()
        self.bells = 0
        self._kept: Kept | None = None
        self._last = ""
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._on_sequence = on_sequence
        self._on_command = on_command
        super().__init__(columns, rows)

    @property
    def default_char(self) -> Char:
        """An empty cell."""
        return cast("Char", Cell(reverse=modes.DECSCNM in self.mode))

    def look(self) -> Screen:
        """Take a picture of what is shown now."""
        cells = tuple(
            tuple(cast("Cell", line[column]) for column in range(self.columns))
            for line in (self.buffer[row] for row in range(self.lines))
        )
        cursor = Cursor(self.cursor.y, min(self.cursor.x, self.columns - 1), not self.cursor.hidden)
        return Screen(cells, cursor, self.title)

    def feed(self, octets: bytes) -> None:
        """Take what a program wrote; a sequence may be spread over several calls."""
        data = self._rest + self._decoder.decode(octets)
        self._rest = ""
        position = 0
        while position < len(data):
            token = TOKEN.match(data, position)
            if token is not None:
                position = token.end()
                self._take(token)
                continue
            begun = UNFINISHED.match(data, position)
            if begun is not None and begun.end() == len(data):
                self._rest = data[position:]
                return
            # A terminal forgets a sequence that is broken off and goes on with what broke it.
            position = begun.end() if begun is not None else position + 1

    def _take(self, token: re.Match[str]) -> None:
        if (text := token["text"]) is not None:
            self.draw(text)
        elif (control := token["control"]) is not None:
            if control in CONTROLS:
                getattr(self, CONTROLS[control])()
        elif token["final"] is not None:
            self._on_sequence(token[0])
            if not token["between"]:
                self._control(token["private"], token["parameters"], token["final"])
        elif (command := token["command"]) is not None:
            self._on_sequence(token[0])
            self._on_command(command)
            number, _, value = command.partition(";")
            if number in {"0", "2"}:
                self.set_title(value)
        else:
            self._on_sequence(token[0])
            self._escape(token["escape"] or "")

    def _control(self, private: str, parameters: str, final: str) -> None:
        if final == "m":
            if not private and re.fullmatch(r"[0-9;:]*", parameters):
                self._render(colours.changes(parameters))
            return
        if final not in COMMANDS or not re.fullmatch(r"[0-9;]*", parameters) or private not in {"", "?"}:
            return
        numbers = [min(int(item or 0), 9999) for item in parameters.split(";")] if parameters else []
        name, most = COMMANDS[final]
        if private and final in "hl":
            getattr(self, name)(*numbers, private=True)
        elif not private or final in "JK":
            getattr(self, name)(*numbers[:most])

    def _escape(self, escape: str) -> None:
        if escape in ESCAPES:
            getattr(self, ESCAPES[escape])()
        elif escape[:1] in {"(", ")"} and len(escape) == 2:
            self.define_charset(escape[1], escape[0])

    def _render(self, changes: Iterable[colours.Change]) -> None:
        wanted: dict[str, Any] = {change.field: change.value for change in changes if change.field}
        self.cursor.attrs = self.cursor.attrs._replace(**wanted)

    def reset(self) -> None:
        """Begin anew (RIS)."""
        self._kept = None
        self.private = {7, 25}
        super().reset()
        self.g0_charset = self.g1_charset = charsets.LAT1_MAP
        self.cursor.attrs = self.default_char

    def bell(self, *args: Any) -> None:
        """Count the bell."""
        self.bells += 1

    def draw(self, data: str) -> None:
        """Put text where the cursor is."""
        charset = self.g1_charset if self.charset else self.g0_charset
        drawn: dict[str, Char] = {}
        for character in data.translate(charset) if charset is charsets.VT100_MAP else data:
            width = width_of(character)
            if width > 0:
                cell = drawn.get(character) or drawn.setdefault(character, self.cursor.attrs._replace(data=character))
                self._put(cell, width)
            elif width == 0:
                self._combine(character)
        self.dirty.add(self.cursor.y)

    def _put(self, cell: Char, width: int) -> None:
        if self.cursor.x + width > self.columns:
            if modes.DECAWM in self.mode and width <= self.columns:
                self.carriage_return()
                self.linefeed()
            else:
                self.cursor.x = max(0, self.columns - width)
        if modes.IRM in self.mode:
            self.insert_characters(width)
        line, column = self.buffer[self.cursor.y], self.cursor.x
        self._part(line, column)
        self._part(line, column + width)
        line[column] = cell
        if width == 2 and column + 1 < self.columns:
            line[column + 1] = self.cursor.attrs._replace(data="")
        self.cursor.x = min(column + width, self.columns)
        self._last = cell.data

    def _part(self, line: StaticDefaultDict[int, Char], column: int) -> None:
        """Take away both halves of a wide character that stands across the left edge of *column*."""
        if column in line and not line[column].data:
            line[column - 1] = line[column - 1]._replace(data=" ")
            line[column] = line[column]._replace(data=" ")

    def _combine(self, character: str) -> None:
        """Add a character without a width to the one before it."""
        column = self.cursor.x - 1
        line = self.buffer[self.cursor.y]
        if column > 0 and not line[column].data:
            column -= 1
        if column >= 0:
            data = unicodedata.normalize("NFC", line[column].data + character)
            line[column] = line[column]._replace(data=data)

    def repeat(self, number: int = 1) -> None:
        """Draw the last character again (REP)."""
        self.draw(self._last * (number or 1))

    def next_line(self) -> None:
        """Go to the beginning of the next line (NEL)."""
        self.index()
        self.carriage_return()

    def tab_back(self, number: int = 1) -> None:
        """Go back to an earlier tab stop (CBT)."""
        for _ in range(number or 1):
            self.cursor.x = max((stop for stop in self.tabstops if stop < self.cursor.x), default=0)

    def scroll_up(self, number: int = 1) -> None:
        """Move the text within the margins up (SU)."""
        self._scroll(number, self.delete_lines)

    def scroll_down(self, number: int = 1) -> None:
        """Move the text within the margins down (SD)."""
        self._scroll(number, self.insert_lines)

    def _scroll(self, number: int, move: Callable[[int], None]) -> None:
        column, row = self.cursor.x, self.cursor.y
        self.cursor.y = self.margins.top if self.margins else 0
        move(number or 1)
        self.cursor.x, self.cursor.y = column, row

    @contextmanager
    def _erasing(self) -> Iterator[Char]:
        """What is erased takes the background that is set, and nothing else of the style."""
        attributes = self.cursor.attrs
        blank = self.cursor.attrs = self.default_char._replace(bg=attributes.bg)
        try:
            yield blank
        finally:
            self.cursor.attrs = attributes

    def erase_characters(self, count: int | None = None) -> None:
        """Erase from the cursor on (ECH)."""
        with self._erasing():
            super().erase_characters(count)

    def erase_in_line(self, how: int = 0, private: Any = None) -> None:
        """Erase within the line (EL)."""
        if how <= 2:
            with self._erasing():
                super().erase_in_line(how)

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        """Erase within the screen (ED); the lines above it are not kept, so there is nothing else to erase."""
        rows = {0: range(self.cursor.y + 1, self.lines), 1: range(self.cursor.y), 2: range(self.lines)}.get(how, ())
        with self._erasing() as blank:
            for row in rows:
                line = self.buffer[row]
                for column in range(self.columns):
                    line[column] = blank
        if how < 2:
            self.erase_in_line(how)

    def save_cursor(self) -> None:
        """Remember the cursor, in the only place there is (DECSC)."""
        self.savepoints.clear()
        super().save_cursor()

    def restore_cursor(self) -> None:
        """Go back to the remembered cursor, as often as wanted (DECRC)."""
        kept: list[Savepoint] = copy.deepcopy(self.savepoints)
        super().restore_cursor()
        self.savepoints = kept

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        """Turn modes on (SM, DECSET)."""
        if not kwargs.get("private"):
            super().set_mode(*modes)
            return
        self.private.update(modes)
        super().set_mode(*(set(modes) - IGNORED), private=True)
        if ALTERNATE & set(modes) and self._kept is None:
            self._kept = Kept(self.buffer, copy.copy(self.cursor))
            self._empty()

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        """Turn modes off (RM, DECRST)."""
        if not kwargs.get("private"):
            super().reset_mode(*modes)
            return
        self.private.difference_update(modes)
        super().reset_mode(*(set(modes) - IGNORED), private=True)
        if ALTERNATE & set(modes) and self._kept is not None:
            hidden = self.cursor.hidden
            self.buffer, self.cursor = self._kept
            self.cursor.hidden = hidden
            self._kept = None
            self.ensure_hbounds()
            self.ensure_vbounds()

    def _empty(self) -> None:
        self.buffer = defaultdict(lambda: StaticDefaultDict[int, Char](self.default_char))

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Take another size; what does not fit is lost."""
        lines, columns = lines or self.lines, columns or self.columns
        # Lines go out at the top only if the cursor would not be on the screen any more.
        above = max(0, self.cursor.y - (lines - 1))
        rows = {row - above: line for row, line in self.buffer.items() if 0 <= row - above < lines}
        self._empty()
        self.buffer.update(rows)
        for line in rows.values():
            for column in [column for column in line if column >= columns]:
                del line[column]
        self.tabstops |= set(range(self.columns - self.columns % 8 + 8, columns, 8))
        self.lines, self.columns = lines, columns
        self.margins = None
        self.cursor.y -= above
        self.ensure_hbounds()
        self.ensure_vbounds()
