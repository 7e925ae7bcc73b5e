"""Broken filters: the place, the words, and what was probably meant."""

import pytest

from monitor.errors import BadRequest
from monitor.filter import FilterError, parse


def refusal(text: str, **saved: str) -> FilterError | None:
    try:
        parse(text, saved)
    except FilterError as error:
        return error
    return None


def broken(text: str, **saved: str) -> FilterError:
    error = refusal(text, **saved)
    assert error is not None, f"{text!r} parses"
    return error


@pytest.mark.parametrize(
    ("text", "position", "length", "suggestion"),
    [
        ("pear=198.51.100.1", 0, 4, "peer"),
        ("domain=blue and stat=held", 16, 4, "state"),
        ("pear in a,b", 0, 4, "peer"),
        ("state=", 6, 1, ""),
        ("state", 5, 1, ""),
        ("(state=held or (asn=1)", 0, 1, ""),
        ("state in (held", 9, 1, ""),
        ("state=held)", 10, 1, ""),
        ("state in (held failed)", 15, 6, ", failed"),
        ("state in held,", 14, 1, ""),
        ("in 10.1.2.3/16", 3, 11, "10.1.0.0/16"),
        ("len>8 10.0.0/8", 6, 8, "10.0.0.0/8"),
        ("in 10.0.0.0/33", 3, 11, ""),
        ("aspath =~ x", 7, 2, "~"),
        ("state==held", 5, 2, "="),
        ("age=>5m", 3, 2, ">="),
        ('aspath ~ "(65001"', 10, 1, ""),
        ('aspath ~ "65001**"', 16, 1, ""),
        ("aspath ~ _(65001|65002)_", 10, 1, ""),
        ("len>=240", 5, 3, "128"),
        ("age<300", 4, 3, "300s"),
        ("age<5x", 4, 2, ""),
        ("risk>=hihg", 6, 4, "high"),
        ("rpki=invald", 5, 6, "invalid"),
        ("lp has 3", 3, 3, "="),
        ("lp ~ 3", 3, 1, ""),
        ("state<held", 5, 1, ""),
        ("peer=tor1", 5, 4, ""),
        ("nh=fe80::1%eth1", 3, 12, "fe80::1"),
        ("10.1.2.3%eth0", 0, 13, "10.1.2.3"),
        ("comm has 65001:70000", 9, 11, ""),
        ("comm has no-exprt", 9, 8, "no-export"),
        ("lcomm has 1:2", 10, 3, ""),
        ("ecomm has rt:1", 10, 4, ""),
        ("65001:200", 0, 9, "comm has 65001:200"),
        ("1:2:3 best", 0, 5, "lcomm has 1:2:3"),
        ("AS65001", 0, 7, "asn=AS65001"),
        ("storage", 0, 7, '"storage"'),
        ("covrs 10.0.0.0/8", 0, 5, "covers"),
        ('domain=a "rack', 9, 5, '"rack"'),
        ('""', 0, 2, "*"),
        ("and best", 0, 3, ""),
        ("best or", 7, 1, ""),
        ("not", 3, 1, ""),
        ("best && best", 5, 2, "and"),
        ("best , best", 5, 1, ""),
        ("= 3", 0, 1, ""),
        ("()", 1, 1, ""),
        ("covers", 6, 1, ""),
        ("@mien", 0, 5, "@mine"),
        ("flaps>3", 0, 5, ""),
        ("nhstate=down", 0, 7, "state"),
        ("op=x", 3, 1, ""),
        ("table=maine", 6, 5, "main"),
    ],
)
def test_the_place_and_the_suggestion_are_right(text: str, position: int, length: int, suggestion: str) -> None:
    error = broken(text, mine="best")
    assert (error.position, error.length, error.suggestion) == (position, length, suggestion)
    assert error.text == text
    if suggestion:
        mended = text[:position] + suggestion + text[position + length :]
        again = refusal(mended, mine="best")
        assert again is None or again.position >= position, f"{mended!r} is broken in the same place"


def test_the_caret_stands_under_the_word() -> None:
    assert broken("domain=blue pear=1").caret().splitlines() == [
        "domain=blue pear=1",
        "            ^^^^",
        "there is no field 'pear'",
        "did you mean peer?",
    ]


def test_the_caret_stands_behind_the_end_where_something_is_missing() -> None:
    assert broken("state in").caret().splitlines() == ["state in", "        ^", "a value is missing after in"]


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    lines = broken("\x1b[2J\tx=1").caret().splitlines()
    assert lines[:2] == ["?[2J x=1", "^^^^"]
    assert "\x1b" not in "".join(lines)


def test_the_error_in_one_line_counts_columns_from_one() -> None:
    assert str(broken("pear=1")) == "there is no field 'pear' (column 1); did you mean peer?"


def test_a_filter_error_is_a_bad_request() -> None:
    assert isinstance(broken("="), BadRequest)


def test_an_error_in_a_saved_filter_is_shown_at_its_name() -> None:
    error = broken("best @mine", mine="pear=1")
    assert (error.position, error.length) == (5, 5)
    assert error.message == "the saved filter 'mine' is wrong: there is no field 'pear'"


def test_a_saved_filter_that_contains_itself_is_refused() -> None:
    assert "contains itself" in broken("@a", a="best @b", b="not @a").message


def test_saved_filters_cannot_multiply_without_end() -> None:
    saved = {f"s{n}": " or ".join([f"@s{n + 1}"] * 50) for n in range(6)} | {"s6": "best"}
    assert "more than 2000 tests" in broken("@s0", **saved).message


@pytest.mark.parametrize("text", ["(" * 40 + "best" + ")" * 40, "not " * 40 + "best", "!" * 4000])
def test_deep_nesting_is_refused_and_not_fatal(text: str) -> None:
    assert "nested more than 32 deep" in broken(text).message


def test_a_filter_that_is_too_long_is_refused() -> None:
    assert broken("best " * 1000).position == 4096
