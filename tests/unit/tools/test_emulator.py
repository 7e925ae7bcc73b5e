"""The terminal's screen, fed with bytes: what xterm would show, shown; what it would swallow, swallowed."""

import pytest

from tools.terminal.colours import changes, count
from tools.terminal.emulator import Emulator
from tools.terminal.keys import octets_of
from tools.terminal.screen import Cell, Screen


def shown(*pieces: str | bytes, columns: int = 20, rows: int = 4) -> Screen:
    emulator = Emulator(columns, rows)
    for piece in pieces:
        emulator.feed(piece.encode() if isinstance(piece, str) else piece)
    return emulator.look()


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[?2026$p", "\x1b[?2048$p", "\x1b[4$p", "\x1b[>0q", "\x1b[>q", "\x1b[>c", "\x1b[=c", "\x1b[c", "\x1b[?u",
        "\x1b[>1u", "\x1b[<u", "\x1b[=5;1u", "\x1b[>4;2m", "\x1b[?4m", "\x1b[>4m", "\x1b[2 q", "\x1b[!p", "\x1b[?1;2$y",
        "\x1b[?1000;1002;1003;1006h", "\x1b[?2004h", "\x1b[?2026h", "\x1b[?2026l", "\x1b[?2048h", "\x1b[14t", "\x1b[22;0;0t",
        '\x1b["p', "\x1b['z", "\x1b[6n", "\x1b[?996n", "\x1b]0;title\x07", "\x1b]2;title\x1b\\", "\x1b]11;?\x07",
        "\x1b]52;c;aGVsbG8=\x07", "\x1b]52;c;aGVsbG8=\x1b\\", "\x1b]8;;file:///x\x1b\\", "\x1bP+q544e\x1b\\", "\x1bP$qm\x1b\\",
        "\x1b_Gi=1;AAAA\x1b\\", "\x1b^private\x1b\\", "\x1b=", "\x1b>", "\x1b(B", "\x1b%G", "\x1b F", "\x1b[?12l",
    ],
)  # fmt: skip
def test_what_is_not_text_leaves_no_trace(sequence: str) -> None:
    screen = shown(f"ab{sequence}cd")
    assert screen.lines == ["abcd", "", "", ""]
    assert screen.cell(0, 2) == Cell("c")
    assert screen.cursor[:2] == (0, 4)
    octets = f"ab{sequence}cd".encode()
    assert shown(*(octets[at : at + 1] for at in range(len(octets)))).lines == screen.lines, "byte by byte"


def test_characters_may_be_spread_over_reads() -> None:
    octets = "é日本…│".encode()
    assert shown(*(octets[at : at + 1] for at in range(len(octets)))).lines[0] == "é日本…│"


def test_wide_characters_take_two_cells() -> None:
    screen = shown("a日本b")
    assert screen.lines[0] == "a日本b"
    assert [cell.char for cell in screen.cells[0][:6]] == ["a", "日", "", "本", "", "b"]
    assert screen.find("b") == (0, 5)
    assert screen.cursor.column == 6


def test_half_of_a_wide_character_cannot_stay() -> None:
    assert shown("日本\x1b[1;2Hx").lines[0] == " x本"
    assert shown("日本\x1b[1;3Hx").lines[0] == "日x"
    assert shown("日本", "\x1b[1;2H語").lines[0] == " 語"


def test_wide_character_does_not_fit_into_the_last_cell() -> None:
    assert shown("abc日", columns=4).lines[:2] == ["abc", "日"]


def test_characters_without_a_width_join_the_one_before() -> None:
    assert shown("e\u0301x").lines[0] == "éx"
    assert shown("a\u200db\ufe0fc").lines[0] == "a\u200db\ufe0fc"
    assert shown("日\u0301x").find("x") == (0, 2)


def test_line_wraps_only_with_the_next_character() -> None:
    assert shown("abcd", columns=4).cursor[:2] == (0, 3)
    assert shown("abcde", columns=4).lines[:2] == ["abcd", "e"]
    assert shown("\x1b[?7labcde", columns=4).lines[:2] == ["abce", ""]


def test_alternate_screen_comes_and_goes() -> None:
    inside = shown("before\x1b[?1049hinside")
    assert inside.text.strip() == "inside"
    after = shown("before\x1b[?1049h\x1b[Hinside\x1b[?1049l.")
    assert after.lines[0] == "before."


def test_line_drawing_without_utf_8() -> None:
    assert shown("\x1b(0lqqk\x1b(Bq").lines[0] == "┌──┐q"


def test_repeat_scroll_and_tabs() -> None:
    assert shown("-\x1b[5b").lines[0] == "------"
    assert shown("a\r\nb\r\nc\x1b[S").lines == ["b", "c", "", ""]
    assert shown("a\r\nb\r\nc\x1b[T").lines == ["", "a", "b", "c"]
    assert shown("a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[S").lines == ["a", "c", "", "d"]
    assert shown("a\tb\x1b[Zc").lines[0] == "a       c"


def test_cursor_can_be_restored_again_and_again() -> None:
    assert shown("\x1b[2;3H\x1b7\x1b[Hx\x1b8y\x1b[H\x1b8z").lines[:2] == ["x", "  z"]


def test_erased_cells_have_the_background_and_no_more() -> None:
    screen = shown("\x1b[1;4;44mab\x1b[K\x1b[0m\r\n\x1b[7m\x1b[K")
    assert screen.cell(0, 1) == Cell("b", bg="blue", bold=True, underscore=True)
    assert screen.cell(0, 5) == Cell(" ", bg="blue")
    assert screen.cell(1, 0) == Cell()
    assert shown("\x1b[42m\x1b[2J").cell(3, 19) == Cell(bg="green")


def test_styles() -> None:
    screen = shown("\x1b[1;2;3;4;7;9;31;103mX\x1b[22;23;24;27;29;39;49mY")
    style = Cell("X", "red", "brightyellow", bold=True, dim=True, italics=True, underscore=True, reverse=True,
                 strikethrough=True)  # fmt: skip
    assert screen.cell(0, 0) == style
    assert (style.underline, style.italic) == (True, True)
    assert screen.cell(0, 1) == Cell("Y")


@pytest.mark.parametrize(
    ("parameters", "cell"),
    [
        ("38;5;1", Cell("x", "red")), ("48;5;15", Cell("x", bg="brightwhite")), ("38;5;208", Cell("x", "ff8700")),
        ("38;5;232", Cell("x", "080808")), ("38;2;1;2;3", Cell("x", "010203")), ("38:2::1:2:3", Cell("x", "010203")),
        ("48:2:1:2:3", Cell("x", bg="010203")), ("38:5:208;1", Cell("x", "ff8700", bold=True)),
        ("58;5;1", Cell("x")), ("58:2::5:5:5", Cell("x")), ("4:3", Cell("x", underscore=True)), ("4;4:0", Cell("x")),
        ("38;5;999", Cell("x")), ("38", Cell("x")), ("77;1", Cell("x", bold=True)),
        ("95;105", Cell("x", "brightmagenta", "brightmagenta")),
    ],
)  # fmt: skip
def test_colours(parameters: str, cell: Cell) -> None:
    assert shown(f"\x1b[{parameters}mx").cell(0, 0) == cell


def test_sequences_are_counted_by_the_colours_they_name() -> None:
    octets = b"\x1b[1m\x1b[0m\x1b[m\x1b[31mred\x1b[1;92m\x1b[39m\x1b[38;5;208m\x1b[48;2;1;2;3m\x1b[31;48;5;7m\x1b[>4;2m"
    assert count(octets) == {"none": 4, "16": 3, "256": 2, "rgb": 1}
    assert [change.kind for change in changes("31;1")] == ["16", "none"]


def test_resize_keeps_what_fits() -> None:
    emulator = Emulator(10, 4)
    emulator.feed(b"one\r\ntwo\r\nthree\r\nfour 6789")
    emulator.resize(2, 5)
    assert emulator.look().lines == ["three", "four"]
    emulator.resize(3, 8)
    assert emulator.look().lines == ["three", "four", ""]
    emulator.feed(b"\x1b[3;8Hx")
    assert emulator.look().cell(2, 7).char == "x"


def test_modes_title_and_bell() -> None:
    emulator = Emulator(10, 2)
    emulator.feed(b"\x1b[?1049;2004;1006h\x1b[?25l\a\x1b]2;a title\x07")
    assert emulator.private == {7, 1049, 2004, 1006}
    assert not emulator.look().cursor.visible
    assert (emulator.bells, emulator.look().title) == (1, "a title")
    emulator.feed(b"\x1bc")
    assert emulator.private == {7, 25}


def test_screen_prints_as_a_box() -> None:
    assert str(shown("日a", columns=5, rows=2)) == "┌─────┐\n│日a  │\n│     │\n└─────┘ cursor 0,3"


@pytest.mark.parametrize(
    ("key", "octets"),
    [
        ("up", b"\x1b[A"), ("f1", b"\x1bOP"), ("f5", b"\x1b[15~"), ("G", b"G"), ("é", "é".encode()), ("+", b"+"),
        ("ctrl+c", b"\x03"), ("ctrl+backslash", b"\x1c"), ("enter", b"\r"), ("backspace", b"\x7f"), ("alt+x", b"\x1bx"),
        ("shift+tab", b"\x1b[Z"), ("ctrl+right", b"\x1b[1;5C"), ("shift+f5", b"\x1b[15;2~"), ("home", b"\x1b[H"),
        ("alt+enter", b"\x1b\r"), ("ctrl+shift+up", b"\x1b[1;6A"),
    ],
)  # fmt: skip
def test_keys(key: str, octets: bytes) -> None:
    assert octets_of(key) == octets


def test_cursor_keys_of_an_application() -> None:
    assert octets_of("up", application=True) == b"\x1bOA"
    assert octets_of("f5", application=True) == b"\x1b[15~"


@pytest.mark.parametrize("key", ["upp", "ctrl+enter", "hyper+x", "ctrl+é"])
def test_unknown_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="there is no key"):
        octets_of(key)
