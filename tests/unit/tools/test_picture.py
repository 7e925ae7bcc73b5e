"""A screen as a picture: the same text at the same places, nothing from outside, colours that can be read."""

import re
import struct
import xml.etree.ElementTree as ET

import pytest

from tests.support.daemon import require_programs
from tools.terminal import picture
from tools.terminal.emulator import Emulator, width_of
from tools.terminal.picture import BACKGROUND, CELL, LINE, PALETTE, PictureError, contrast, mixed, png, svg
from tools.terminal.screen import Screen

SVG = f"{{{picture.NAMESPACE}}}"

TEXT = (
    "\x1b[1mbold\x1b[0m \x1b[2mdim\x1b[0m   <tag attr=\"1\"> & 'text'\r\n"
    "╭──────┬───╮ ● ready ▲ │日本語│ e\u0301\r\n"
    "  indented   \x1b[4munder  line  \x1b[0m|\x1b[9m struck\x1b[0m\r\n"
    "\x1b[7m reverse \x1b[0m\x1b[44;97m on blue \x1b[0m \x1b[38;5;208morange\x1b[0m\x1b[31mred\x1b[90mgrey\x1b[3mslanted\r\n"
)


def drawn(text: str = TEXT, columns: int = 60, rows: int = 8) -> Screen:
    emulator = Emulator(columns, rows)
    emulator.feed(text.encode())
    return emulator.look()


def texts(root: ET.Element) -> list[ET.Element]:
    group = root.find(f"{SVG}g")
    assert group is not None
    return group.findall(f"{SVG}text")


def lines_of(root: ET.Element, rows: int) -> list[str]:
    """Put the runs back where they stand."""
    lines = [""] * rows
    for element in texts(root):
        row, column = (int(element.get("y", "")) - picture.BASELINE) // LINE, round(float(element.get("x", "")) / CELL)
        missing = column - sum(max(0, width_of(character)) for character in lines[row])
        assert missing >= 0, "runs overlap"
        lines[row] += " " * missing + (element.text or "")
    return [line.rstrip() for line in lines]


def test_text_stands_where_the_screen_has_it() -> None:
    screen = drawn()
    assert lines_of(ET.fromstring(svg(screen, "a caption")), screen.rows) == screen.lines


def test_caption_is_escaped_text() -> None:
    root = ET.fromstring(svg(drawn(), "routes <of> a & b"))
    assert root.findtext(f"{SVG}title") == "routes <of> a & b"
    assert root.findtext(f"{SVG}text") == "routes <of> a & b"


def test_nothing_comes_from_outside() -> None:
    made = svg(drawn())
    assert re.findall(r"https?:[^\"]*", made) == [picture.NAMESPACE]
    assert not re.search(r"url\(|@import|@font-face|href|<image|<script", made)
    assert '"DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace' in made


def test_same_screen_gives_the_same_picture() -> None:
    assert svg(drawn(), "x") == svg(drawn(), "x")


def test_runs_know_their_length() -> None:
    for element in texts(ET.fromstring(svg(drawn()))):
        assert element.text
        length = element.get("textLength")
        assert (length is None) == (
            len(element.text) == 1 or width_of(element.text[0]) == 2 or "\u0301" in element.text
        )
        if length is not None:
            assert float(length) == pytest.approx(len(element.text) * CELL, abs=0.01)


def test_styles_are_drawn() -> None:
    made = svg(drawn())
    assert '<text x="0" y="15" textLength="38.53" class="b">bold</text>' in made
    assert re.search(r'lengthAdjust="spacingAndGlyphs">╭──────┬───╮<', made), "boxes join whatever the font"
    assert re.search(r'class="u">under {2}line {2}<', made), "a line goes through blanks too"
    assert re.search(r'class="s"> struck<', made)
    assert 'fill="#ff8700">orange<' in made
    assert f'class="i" fill="{PALETTE["brightblack"]}">slanted<' in made
    assert f'fill="{PALETTE["blue"]}"/>' in made
    reverse = f'<rect x="0" y="{3 * LINE}" width="{9 * CELL:.1f}" height="{LINE}" fill="{picture.FOREGROUND}"/>'
    assert reverse in made
    assert re.search(rf'fill="{BACKGROUND}">reverse<', made)


def test_cursor_is_drawn_where_it_is_shown() -> None:
    assert 'class="k" x="0" y="76"' in svg(drawn())
    assert 'class="k"' not in svg(drawn(TEXT + "\x1b[?25l"))
    assert 'class="k"' not in svg(drawn(), cursor=False)


def test_window_takes_the_background_of_the_program() -> None:
    made = svg(drawn("\x1b[48;2;1;2;3m\x1b[2J\x1b[0m\x1b[Hplain"))
    assert 'rx="9" fill="#010203"' in made
    assert f'<rect x="0" y="0" width="{5 * CELL:.2f}" height="19" fill="{BACKGROUND}"/>' in made
    assert made.count('fill="#010203"') == 1
    assert f'rx="9" fill="{BACKGROUND}"' in svg(drawn("\x1b[44m\x1b[2K"))


@pytest.mark.parametrize("name", sorted(PALETTE.keys() - {"black"}))
def test_colours_can_be_read(name: str) -> None:
    assert contrast(PALETTE[name], BACKGROUND) >= 4.5
    assert contrast(PALETTE["black"], PALETTE[name]) >= 4.5
    assert contrast(mixed(PALETTE[name], BACKGROUND, picture.DIMMED), BACKGROUND) >= 3


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast(picture.FOREGROUND, BACKGROUND) > 12
    assert contrast(picture.CAPTION, picture.WINDOW_BAR) >= 4.5


def test_large_screen_stays_small() -> None:
    row = "│ \x1b[32m●\x1b[0m 203.0.113.0/24 \x1b[90mvia\x1b[0m 192.0.2.1 \x1b[33mwaits\x1b[0m " * 3 + "│"
    screen = drawn("\r\n".join([row] * 45), 160, 45)
    made = svg(screen, "a table")
    assert lines_of(ET.fromstring(made), screen.rows) == screen.lines
    assert len(made.encode()) < 60_000


def test_png_is_twice_as_large() -> None:
    require_programs("rsvg-convert")
    made = svg(drawn(), "é")
    image = png(made)
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    root = ET.fromstring(made)
    assert struct.unpack(">II", image[16:24]) == (2 * int(root.get("width", "")), 2 * int(root.get("height", "")))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_programs("rsvg-convert")
    with pytest.raises(PictureError, match="rsvg-convert: "):
        png("no picture")
    monkeypatch.setattr(picture, "PLACES_OF_FONTS", ("/nonexistent",))
    with pytest.raises(PictureError, match="fonts-dejavu-core"):
        png(svg(drawn()))
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PictureError, match="librsvg2-bin"):
        png(svg(drawn()))
