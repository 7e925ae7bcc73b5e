"""Moments and durations as people type them."""

import contextlib
import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.text.moment import LAST, moment, span

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [UTC, BERLIN, *map(ZoneInfo, ("America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"))]
NOW = datetime(2026, 11, 24, 8, 1, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), (" 10m ", 600), ("0s", 0)],
)
def test_span(text: str, expected: float) -> None:
    assert span(text) == expected


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1.5h", "5M", "5m!", "1h 30m", "9999999999s"])
def test_what_is_no_span_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write for example"):
        span(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("5m", NOW - 300),
        ("-5m", NOW - 300),
        ("5m ago", NOW - 300),
        ("1h30m ago", NOW - 5400),
        ("2026-11-24T08:01:30Z", NOW),
        ("2026-11-24 08:01:30z", NOW),
        ("2026-11-24T09:01:30+01:00", NOW),
        ("2026-11-24T08:01:30.5Z", NOW + 0.5),
        ("2026-11-24T08:01Z", NOW - 30),
        ("09:01", NOW - 30),
        ("9:01:29", NOW - 1),
        ("09:01:30", NOW),
        ("09:02", NOW + 30 - 86_400),
        ("10:32", datetime(2026, 11, 23, 10, 32, tzinfo=BERLIN).timestamp()),
    ],
)
def test_moments_that_were(text: str, expected: float) -> None:
    assert moment(text, NOW, BERLIN) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("+2h", NOW + 7200), ("in 2h", NOW + 7200), ("5m", NOW - 300), ("09:02", NOW + 30), ("09:01", NOW - 30 + 86_400),
     ("2030-01-01T00:00Z", datetime(2030, 1, 1, tzinfo=UTC).timestamp())],
)  # fmt: skip
def test_moments_that_may_lie_ahead(text: str, expected: float) -> None:
    assert moment(text, NOW, BERLIN, ahead=True) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-24T08:01:30", "does not say of which zone"),
        ("2026-11-24 08:01", "put Z behind it for UTC, or an offset"),
        ("2026-11-24", "2026-11-24T00:00Z"),
        ("2026-13-24T08:01:30Z", "is no moment"),
        ("2026-11-24T08:01:30+25:00", "is no moment"),
        ("25:00", "no time of day"),
        ("10:60", "no time of day"),
        ("yesterday", "write 2026-11-24T08:01:30Z"),
        ("", "is no moment"),
        ("+5m", "has not come yet"),
        ("in 5m", "has not come yet"),
        ("99999d", "outside the years"),
        ("1969-01-01T00:00Z", "outside the years"),
    ],
)
def test_what_is_no_moment_is_told_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        moment(text, NOW, BERLIN)


def test_a_time_that_the_clock_leaves_out_is_the_day_before() -> None:
    now = datetime(2026, 3, 29, 12, 0, tzinfo=BERLIN).timestamp()
    assert moment("02:30", now, BERLIN) == datetime(2026, 3, 28, 2, 30, tzinfo=BERLIN).timestamp()


def test_a_time_that_comes_twice_is_the_later_one_that_has_come() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN).timestamp()
    second = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1).timestamp()
    assert second == first + 3600
    assert moment("02:30", second + 60, BERLIN) == second
    assert moment("02:30", second - 60, BERLIN) == first
    assert moment("02:30", first + 60, BERLIN, ahead=True) == second


instants = st.floats(min_value=86_400 * 10, max_value=4_000_000_000).map(round).map(float)


@given(instants, st.times(), st.sampled_from(ZONES), st.booleans())
def test_a_time_of_day_is_the_nearest_one_that_clocks_show(
    now: float, clock: object, zone: ZoneInfo, ahead: bool
) -> None:
    text = str(clock)[:5]
    found = moment(text, now, zone, ahead=ahead)
    assert datetime.fromtimestamp(found, zone).strftime("%H:%M:%S") == f"{text}:00"
    assert found >= now if ahead else found <= now
    assert abs(found - now) <= 3 * 86_400
    # No whole minute between shows the same time; a day of them is enough, since zones change by whole minutes.
    minutes = range(math.ceil(now / 60), int(found / 60)) if ahead else range(int(now / 60), int(found / 60), -1)
    for minute in minutes[: 24 * 60]:
        assert datetime.fromtimestamp(minute * 60, zone).strftime("%H:%M") != text


@given(instants, st.sampled_from(ZONES), st.sampled_from(["T", " "]))
def test_what_a_datetime_prints_is_read_back(at: float, zone: ZoneInfo, between: str) -> None:
    text = datetime.fromtimestamp(at, zone).isoformat(sep=between)
    assert moment(text, NOW) == at


@given(st.text(max_size=30))
def test_any_text_is_a_moment_with_a_date_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= moment(text, NOW, BERLIN) <= LAST
