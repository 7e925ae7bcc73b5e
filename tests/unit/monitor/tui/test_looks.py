"""What a terminal can show: decided from its environment."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.text.table import clean_lines
from monitor.tui.looks import COLORS, THEMES, Depth, Looks, can_draw, looks_of

DEPTHS: tuple[Depth, ...] = ("plain", "16", "256", "true")


@pytest.mark.parametrize(
    ("environ", "color", "depth"),
    [
        ({"TERM": "xterm"}, "auto", "16"),
        ({}, "auto", "16"),
        ({"TERM": "xterm-256color"}, "auto", "256"),
        ({"TERM": "screen-256color"}, "auto", "256"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "auto", "true"),
        ({"TERM": "xterm", "COLORTERM": "24BIT"}, "auto", "true"),
        ({"TERM": "xterm-256color", "COLORTERM": "yes"}, "auto", "256"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "auto", "plain"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "auto", "256"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "16", "16"),
        ({"COLORTERM": "truecolor"}, "never", "plain"),
        ({"TERM": "xterm"}, "true", "true"),
    ],
)
def test_depth_is_what_was_asked_for_or_what_the_environment_says(
    environ: dict[str, str], color: str, depth: Depth
) -> None:
    assert looks_of(environ, color).depth == depth


@pytest.mark.parametrize(
    ("environ", "ascii_alone"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, True),
        ({"LC_ALL": "", "LC_CTYPE": "de_DE.UTF-8", "LANG": "C"}, False),
    ],
)
def test_the_first_locale_that_is_set_says_whether_there_is_unicode(environ: dict[str, str], ascii_alone: bool) -> None:
    assert looks_of(environ).ascii is ascii_alone


def test_ascii_can_be_asked_for() -> None:
    assert looks_of({"LANG": "en_US.UTF-8"}, plain_text=True).ascii


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("depth", DEPTHS)
def test_every_theme_has_a_style_for_every_meaning_in_every_depth(theme: str, depth: Depth) -> None:
    assert Looks(depth, theme=theme).styles().keys() == Looks().styles().keys()


@pytest.mark.parametrize("theme", THEMES)
def test_a_terminal_without_colours_gets_none_in_any_style(theme: str) -> None:
    styles = Looks("plain", theme=theme).styles()
    assert all(style.color is None and style.bgcolor is None for style in styles.values())


@pytest.mark.parametrize("theme", ["mono"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_theme_without_colours_has_none_in_any_depth(theme: str, depth: Depth) -> None:
    assert all(style.color is None for style in Looks(depth, theme=theme).styles().values())


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("depth", DEPTHS)
def test_no_theme_touches_the_background(theme: str, depth: Depth) -> None:
    assert all(style.bgcolor is None for style in Looks(depth, theme=theme).styles().values())


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("depth", ["16", "plain"])
def test_sixteen_colours_are_those_that_the_terminal_names(theme: str, depth: Depth) -> None:
    numbers = [style.color.number for style in Looks(depth, theme=theme).styles().values() if style.color is not None]
    assert all(number is not None and number < 16 for number in numbers)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_bad_news_differs_from_good_news_without_its_colour(theme: str, depth: Depth) -> None:
    styles = Looks(depth, theme=theme).styles()
    bad, good = styles["bad"], styles["ok"]
    assert bad.bold
    if depth == "plain" or theme == "mono":
        assert (bad.bold, bad.reverse) != (good.bold, good.reverse)


@given(st.text(), st.booleans())
def test_nothing_that_is_drawn_steers_the_terminal(text: str, ascii_alone: bool) -> None:
    drawn = Looks(ascii=ascii_alone).drawn(text)
    assert "\x1b" not in drawn
    assert drawn == clean_lines(drawn)


@given(st.text())
def test_a_terminal_without_unicode_gets_ascii_whatever_the_text(text: str) -> None:
    drawn = Looks(ascii=True).drawn(text)
    assert drawn.isascii()
    assert len(drawn) == len(text)


@given(st.text().filter(str.isprintable))
def test_a_terminal_with_unicode_gets_the_text(text: str) -> None:
    assert Looks().drawn(text) == text


@given(st.text(min_size=1))
def test_nothing_that_steers_a_terminal_is_ever_drawn(text: str) -> None:
    drawn = Looks().drawn(f"a{text}")
    assert not set(drawn) & set("\x1b\x9b\x07\r\n\t\x00\x7f\u202e\u2066")


@given(st.text(string.ascii_letters + string.digits + string.punctuation + " "))
def test_ascii_stays_as_it_is(text: str) -> None:
    assert Looks(ascii=True).drawn(text) == text


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_engine_is_told_no_colours_only_where_there_are_none(depth: Depth) -> None:
    assert ("NO_COLOR" in Looks(depth).engine()) == (depth == "plain")


def test_a_terminal_that_places_no_cursor_is_known() -> None:
    assert not can_draw({"TERM": "dumb"})
    assert not can_draw({"TERM": "unknown"})
    assert can_draw({"TERM": "xterm"})


def test_every_way_to_ask_for_colours_is_understood() -> None:
    assert {looks_of({}, color).depth for color in COLORS} == set(DEPTHS)


@pytest.mark.parametrize("lang", ["C", "POSIX", "de_DE.ISO-8859-1"])
def test_what_python_makes_of_a_plain_locale_says_nothing_of_the_terminal(lang: str) -> None:
    assert looks_of({"TERM": "xterm", "LANG": lang, "LC_CTYPE": "C.UTF-8"}).ascii
    assert not looks_of({"TERM": "xterm", "LC_CTYPE": "C.UTF-8"}).ascii
    assert not looks_of({"TERM": "xterm", "LANG": lang, "LC_ALL": "C.UTF-8"}).ascii
