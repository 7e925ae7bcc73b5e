"""Lines of spans: no part is ever wider than its room, and no word is lost."""

from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.text.table import clean, width
from monitor.tui.line import Line, bar, cut, line, pad, plain, rule, size, sparkline, spread, wrapped

CHARACTERS = st.sampled_from("ab z0.:/-Äß東京→…\u0301\u0308\u200b\x1b\n\t")
TEXT = st.text(CHARACTERS, max_size=60)
CLEAN = TEXT.map(lambda text: clean(text) if text else "")
LINES = st.lists(st.tuples(CLEAN, st.sampled_from(["text", "bad", "muted"])), max_size=6).map(
    lambda spans: line(*spans)
)
ROOM = st.integers(0, 90)


@given(LINES, ROOM)
def test_a_cut_line_is_no_wider_than_its_room(found: Line, columns: int) -> None:
    assert size(cut(found, columns)) <= columns


@given(LINES, ROOM)
def test_what_fits_is_not_cut(found: Line, columns: int) -> None:
    if size(found) <= columns:
        assert cut(found, columns) == found


@given(LINES, ROOM)
def test_what_is_cut_says_so(found: Line, columns: int) -> None:
    if 0 < columns < size(found):
        assert plain(cut(found, columns)).endswith("…")


@given(LINES, LINES, ROOM)
def test_a_line_with_two_ends_is_no_wider_than_its_room(left: Line, right: Line, columns: int) -> None:
    assert size(spread(left, right, columns)) <= columns


@given(LINES, LINES, ROOM)
def test_the_right_end_is_whole_or_not_there(left: Line, right: Line, columns: int) -> None:
    assume(right)
    assume(columns - size(right) - 1 >= 4)
    found = spread(left, right, columns)
    assert found[len(found) - len(right) :] == right
    assert size(found) == columns


@given(CLEAN, st.integers(1, 60), st.booleans())
def test_a_padded_text_is_as_wide_as_asked(text: str, columns: int, right: bool) -> None:
    assert width(pad(text, columns, right=right)) == columns


@given(TEXT, st.integers(12, 60), CLEAN.map(lambda text: text[:4]))
def test_wrapped_lines_are_no_wider_than_their_room(text: str, columns: int, head: str) -> None:
    for found in wrapped(text, columns, "text", line(head), "  "):
        assert size(found) <= columns


@given(TEXT, st.integers(12, 60))
def test_wrapping_loses_nothing_but_blanks(text: str, columns: int) -> None:
    found = "".join(part for spans in wrapped(text, columns) for part, _ in spans)
    assert "".join(found.split()) == "".join(clean(text).split())


@given(st.lists(st.text("abcdef", min_size=1, max_size=9), min_size=1, max_size=20), st.integers(12, 60))
def test_words_that_fit_are_not_broken(words: list[str], columns: int) -> None:
    found = [part for spans in wrapped(" ".join(words), columns) for part, _ in spans]
    assert " ".join(found).split() == words


def test_the_first_line_has_its_head_and_the_others_have_blanks() -> None:
    found = [plain(spans) for spans in wrapped("one two three four", 14, "text", line((" why  ", "head")), " " * 6)]
    assert found == [" why  one two", "      three", "      four"]


@given(st.floats(allow_nan=False), st.integers(0, 90))
def test_a_bar_is_as_wide_as_asked(share: float, columns: int) -> None:
    assert width(bar(share, columns)) == columns


def test_a_bar_is_empty_and_full_at_its_ends() -> None:
    assert bar(0, 4) == "░░░░"
    assert bar(1, 4) == "████"


@given(st.lists(st.floats(0, 1e9)), st.integers(1, 90))
def test_a_sparkline_is_as_wide_as_asked(values: list[float], columns: int) -> None:
    assert width(sparkline(values, columns)) == columns


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=40))
def test_every_value_that_is_not_zero_shows(values: list[float]) -> None:
    assert " " not in sparkline(values, len(values))


@given(CLEAN, st.integers(20, 90))
def test_a_rule_is_as_wide_as_the_window(title: str, columns: int) -> None:
    assume(width(title) < columns - 5)
    assert size(rule(columns, title)) == columns
