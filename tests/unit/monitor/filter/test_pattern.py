"""Our expressions give the answers of the standard library's, in linear time."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.filter.error import BadValueError
from monitor.filter.pattern import Pattern
from tests.unit.monitor.filter.reference import BOUNDARY

_atoms = st.sampled_from(["1", "2", "65001", ".", "[12]", "[^1]", "[0-9]", "\\d", "\\.", "_", " ", "{", ","]).map(
    lambda text: "\\{" if text == "{" else text
)
_counts = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,1}", "{1,}", "*?", "+?"])
patterns = st.recursive(
    st.tuples(_atoms, _counts).map("".join) | st.sampled_from(["^", "$"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, _counts).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=6,
)
texts = st.lists(st.sampled_from(["1", "2", " ", "65001", "{", ",", "}", "."]), max_size=6).map("".join)


@given(patterns.filter(lambda pattern: len(pattern) <= 200), st.lists(texts, min_size=1, max_size=4))
@settings(max_examples=3000, deadline=None)
def test_the_answer_is_that_of_the_standard_library(pattern: str, subjects: list[str]) -> None:
    ours = Pattern(pattern, boundary=True)
    theirs = re.compile(pattern.replace("_", BOUNDARY))
    for subject in subjects:
        assert ours.search(subject) is (theirs.search(subject) is not None)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("_65001_", ["65001", "1 65001 2", "65001 2", "{65001,2}", "(65001 3)"], ["165001", "650010", ""]),
        ("^65001_", ["65001", "65001 2"], ["2 65001", "650011"]),
        ("_65001$", ["65001", "2 65001"], ["65001 2", "165001"]),
        ("^$", [""], ["1"]),
        ("^_65001_$", ["65001"], ["65001 1"]),
        ("_65001_65002_", ["65001 65002"], ["65001 1 65002"]),
        ("^(65001 )+65002$", ["65001 65001 65002"], ["65002"]),
        ("^[0-9]+( [0-9]+){2,3}$", ["1 2 3", "1 2 3 4"], ["1 2", "1 2 3 4 5"]),
        ("\\{.*65001", ["1 {2,65001}"], ["65001"]),
    ],
)
def test_router_habits_work(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = Pattern(pattern, boundary=True)
    assert all(map(compiled.search, matching))
    assert not any(map(compiled.search, other))


def test_case_is_ignored_where_asked() -> None:
    assert Pattern("RACK-[A-Z]", fold=True).search("the rack-q")
    assert not Pattern("RACK-[A-Z]").search("the rack-q")


@pytest.mark.parametrize("pattern", ["(1+)+$", "(1|1)*x", "(.*)*x", "1*1*1*1*1*1*1*1*1*x", "(1?){60}1{60}x"])
def test_patterns_that_stop_a_backtracking_matcher_do_not_stop_ours(pattern: str) -> None:
    # A matcher that tries every way would need longer than the universe has.
    assert Pattern(pattern).search("1" * 5000 + "!") is False


def test_the_remembered_transitions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.filter.pattern._MAX_TRANSITIONS", 8)
    pattern = Pattern("1[0-9]{3}2")
    for number in range(300):
        text = f"{number} 1{number:03}2 {number}"
        assert pattern.search(text)
        assert not pattern.search(text.replace("2", "3"))
        assert pattern._transitions <= 8


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [
        ("(1", 0),
        ("1)", 1),
        ("[1", 0),
        ("[]", 0),
        ("*1", 0),
        ("1**", 2),
        ("1*+", 2),
        ("1{3,2}", 1),
        ("1{99}", 1),
        ("1{x}", 1),
        ("1{", 1),
        ("1}", 1),
        ("[9-1]", 1),
        ("(?=1)", 1),
        ("(?P<a>1)", 1),
        ("\\1", 0),
        ("\\b", 0),
        ("1\\", 1),
        ("(" * 30 + "1" + ")" * 30, 20),
    ],
)
def test_what_is_not_offered_is_refused_at_its_place(pattern: str, offset: int) -> None:
    with pytest.raises(BadValueError) as caught:
        Pattern(pattern)
    assert caught.value.offset == offset


@pytest.mark.parametrize("pattern", ["", "1" * 201, "((1{60}){60}){60}"])
def test_patterns_without_bounds_are_refused(pattern: str) -> None:
    with pytest.raises(BadValueError):
        Pattern(pattern)


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=1000, deadline=None)
def test_any_pattern_compiles_or_is_refused(pattern: str, subject: str) -> None:
    outcome = compiled_or_refused(pattern)
    if isinstance(outcome, Pattern):
        assert outcome.search(subject) in (True, False)
    else:
        assert -1 <= outcome.offset <= len(pattern)


def compiled_or_refused(pattern: str) -> Pattern | BadValueError:
    try:
        return Pattern(pattern, boundary=True, fold=True)
    except BadValueError as bad:
        return bad
