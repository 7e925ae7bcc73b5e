"""A screen as a picture: SVG that needs nothing from outside, and PNG made of it."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tools.terminal.colours import DEFAULT
from tools.terminal.emulator import width_of
from tools.terminal.screen import Cell, Screen

NAMESPACE = "http://www.w3.org/2000/svg"
FONTS = '"DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace'
FONT_SIZE = 16
CELL = 9.6328
"""The advance of DejaVu Sans Mono at that size: a renderer that does not know textLength keeps to the columns too."""
LINE = 19
"""Exactly the height of its box-drawing and block characters, so that they join."""
BASELINE = 15
BAR, PADDING = 30, 14

BACKGROUND = "#12151c"
FOREGROUND = "#d5dae3"
WINDOW_BAR = "#1c212b"
WINDOW_EDGE = "#343b49"
CAPTION = "#98a2b5"
PALETTE = {
    "black": "#0c0e13", "red": "#f2707a", "green": "#8cc570", "yellow": "#e0b25c", "blue": "#6aabf7",
    "magenta": "#c98be8", "cyan": "#4fc1c9", "white": "#d5dae3",
    "brightblack": "#7c869a", "brightred": "#ff9299", "brightgreen": "#b0e08f", "brightyellow": "#f5d07f",
    "brightblue": "#98c6ff", "brightmagenta": "#e0b3f7", "brightcyan": "#83e1e6", "brightwhite": "#ffffff",
}  # fmt: skip
"""The sixteen colours.  All but black can be read on the background; black can be read on all the others."""
DIMMED = 0.7
"""How much of a dim character is its own colour; the rest is the background's."""

ZOOM = 2
PLACES_OF_FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


class PictureError(Exception):
    """A picture cannot be made here; the text says what is missing."""


class Style(NamedTuple):
    """How a run of text looks, its colours resolved."""

    colour: str
    background: str
    bold: bool
    italics: bool
    underscore: bool
    strikethrough: bool


class Run(NamedTuple):
    """Text of one style that stands in consecutive cells of a row."""

    column: int
    width: int
    text: str
    style: Style


def svg(screen: Screen, caption: str = "", *, cursor: bool = True) -> str:
    """Draw a screen in a window with a title; the same screen always gives the same text."""
    width = round(screen.columns * CELL + 2 * PADDING)
    height = BAR + screen.rows * LINE + 2 * PADDING
    styles = [[style_of(cell) for cell in row] for row in screen.cells]
    inside = _window(styles)
    parts = [
        f'<svg xmlns="{NAMESPACE}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{escape(caption or screen.title or 'terminal', quote=False)}</title>",
        _stylesheet(),
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9" fill="{inside}" stroke="{WINDOW_EDGE}"/>',
        f'<path d="M1 {BAR}V9.5A8.5 8.5 0 0 1 9.5 1H{width - 9.5}A8.5 8.5 0 0 1 {width - 1} 9.5V{BAR}z" fill="{WINDOW_BAR}"/>',
        f'<path d="M1 {BAR}.5H{width - 1}" stroke="{WINDOW_EDGE}"/>',
        f'<text class="c" x="{width / 2:g}" y="{BAR / 2 + 5:g}">{escape(caption or screen.title, quote=False)}</text>',
        f'<g transform="translate({PADDING} {BAR + PADDING})" fill="{FOREGROUND}" xml:space="preserve">',
        *(_rectangle(row, *area) for row, line in enumerate(styles) for area in _areas(line, inside)),
    ]
    if cursor and screen.cursor.visible:
        parts.append(
            f'<rect class="k" x="{_number(screen.cursor.column * CELL)}" y="{screen.cursor.row * LINE}" '
            f'width="{_number(CELL)}" height="{LINE}"/>'
        )
    for row, cells in enumerate(screen.cells):
        parts.extend(_text(row, run) for run in runs(cells, styles[row]))
    return "\n".join([*parts, "</g>", "</svg>", ""])


def style_of(cell: Cell) -> Style:
    """Resolve the colours of a cell: reverse swaps them, dim takes the text nearer to the background."""
    colour = FOREGROUND if cell.fg == DEFAULT else PALETTE.get(cell.fg, f"#{cell.fg}")
    background = BACKGROUND if cell.bg == DEFAULT else PALETTE.get(cell.bg, f"#{cell.bg}")
    if cell.reverse:
        colour, background = background, colour
    if cell.dim:
        colour = mixed(colour, background, DIMMED)
    return Style(colour, background, cell.bold, cell.italics, cell.underscore, cell.strikethrough)


def mixed(one: str, other: str, share: float) -> str:
    """A colour (#rrggbb) between two, of which *share* is the first."""
    pairs = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(a * share + b * (1 - share)) for a, b in pairs).hex()


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (#rrggbb) as WCAG defines it: 1 to 21."""

    def luminance(colour: str) -> float:
        channels = (octet / 255 for octet in bytes.fromhex(colour[1:]))
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def runs(cells: tuple[Cell, ...], styles: list[Style]) -> Iterator[Run]:
    """Yield the text of a row in runs of one style.

    A character that the first font may not have stands alone, and so do words with wide gaps between them: then
    every one begins at its own column, whatever font is taken.
    """
    begun: Run | None = None
    blanks = 0
    for column, cell in enumerate(cells):
        style = styles[column]
        lined = style.underscore or style.strikethrough
        if cell.data == " " and not lined:
            blanks += 1
            continue
        if not cell.data:
            continue
        width = max(1, width_of(cell.data[0]))
        joins = begun is not None and begun.style == style and blanks <= 1 and _steady(cell.data)
        if begun is not None and joins and _steady(begun.text[-1]) and begun.column + begun.width + blanks == column:
            text = begun.text + " " * blanks + cell.data
            begun = begun._replace(width=begun.width + blanks + width, text=text)
        else:
            if begun is not None:
                yield begun
            begun = Run(column, width, cell.data, style)
        blanks = 0
    if begun is not None:
        yield begun


def _steady(text: str) -> bool:
    """Whether every monospaced font has the character in its own width: Latin letters, boxes and blocks."""
    return len(text) == 1 and (text < "\u0250" or "\u2500" <= text < "\u25a0")


def _window(styles: list[list[Style]]) -> str:
    """The background of the whole window: the program's own, if most of the screen has it."""
    (colour, number), *_ = Counter(style.background for row in styles for style in row).most_common(1)
    return colour if 2 * number > sum(map(len, styles)) else BACKGROUND


def _areas(styles: list[Style], window: str) -> Iterator[tuple[int, int, str]]:
    """Yield first column, width and colour of what has another background than the *window*."""
    column = 0
    for colour, group in groupby(style.background for style in styles):
        width = len(list(group))
        if colour != window:
            yield column, width, colour
        column += width


def _rectangle(row: int, column: int, width: int, colour: str) -> str:
    place = f'x="{_number(column * CELL)}" y="{row * LINE}" width="{_number(width * CELL)}" height="{LINE}"'
    return f'<rect {place} fill="{colour}"/>'


def _text(row: int, run: Run) -> str:
    style = run.style
    flags = {"b": style.bold, "i": style.italics, "u": style.underscore and not style.strikethrough,
             "s": style.strikethrough and not style.underscore, "v": style.underscore and style.strikethrough}  # fmt: skip
    names = " ".join(name for name, flag in flags.items() if flag)
    shown = f' class="{names}"' if names else ""
    colour = "" if style.colour == FOREGROUND else f' fill="{style.colour}"'
    length = ""
    if len(run.text) > 1:
        # Letters keep their shape in a font of another width; lines and blocks have to reach each other.
        adjust = ' lengthAdjust="spacingAndGlyphs"' if any("\u2500" <= one < "\u25a0" for one in run.text) else ""
        length = f' textLength="{_number(run.width * CELL)}"{adjust}'
    place = f'x="{_number(run.column * CELL)}" y="{row * LINE + BASELINE}"'
    return f"<text {place}{length}{shown}{colour}>{escape(run.text, quote=False)}</text>"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _stylesheet() -> str:
    return (
        f"<style>text{{font:{FONT_SIZE}px {FONTS};white-space:pre}}"
        ".b{font-weight:bold}.i{font-style:italic}.u{text-decoration:underline}.s{text-decoration:line-through}"
        ".v{text-decoration:underline line-through}"
        f".c{{font-size:13px;fill:{CAPTION};text-anchor:middle}}.k{{fill:{FOREGROUND};opacity:.45}}"
        "rect{shape-rendering:crispEdges}</style>"
    )


def png(picture: str) -> bytes:
    """Turn an SVG of `svg` into a PNG of twice its size."""
    if shutil.which("rsvg-convert") is None:
        raise PictureError("rsvg-convert is missing: install the Debian package librsvg2-bin (tools/setup test does)")
    if not any(font for place in PLACES_OF_FONTS for font in Path(place).expanduser().rglob("DejaVuSansMono.ttf")):
        raise PictureError(
            "DejaVu Sans Mono is missing: install the Debian package fonts-dejavu-core (tools/setup test does)"
        )
    done = subprocess.run(
        ["rsvg-convert", "--zoom", str(ZOOM), "--format", "png"],
        input=picture.encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise PictureError(f"rsvg-convert: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
