"""Change windows: single cases with their hours written out, ten zones beside a slow calendar, and what always holds."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.change.window import Opening, Span, Window, WindowKind, Windows, WindowState, check_cron, check_timezone

HOUR = 3600.0
DAY = 24 * HOUR


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def window(
    cron: str, duration: float = HOUR, zone: str = "Europe/Berlin", kind: str = "allow", name: str = "nightly"
) -> Window:
    return Window(name=name, cron=cron, duration=duration, timezone=zone, kind=WindowKind(kind))


def spans(windows: Windows, moment: str, count: int) -> list[tuple[str, str]]:
    return [(coming.utc_starts, coming.utc_ends) for coming in windows.next(at(moment), count)]


def starts_between(one: Window, begin: float, end: float) -> list[float]:
    return list(takewhile(lambda start: start <= end, (opening.starts for opening in one.openings(begin))))


# What may be written


@pytest.mark.parametrize(
    "text", ["0 22 * * 1-4", "*/15 1-3 1,15 JAN-MAR MON#1", "0 0 LW * *", "0 0 29 2 *", "0 0 31 2 1"]
)
def test_a_schedule_that_comes_about_is_taken(text: str) -> None:
    assert check_cron(f"  {text.replace(' ', '   ')} ") == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0 22 * *", "five fields (minute hour day-of-month month day-of-week), but '0 22 * *' has 4"),
        ("0 0 22 * * *", "has 6"),
        ("@daily", "has 1"),
        ("", "has 0"),
        ("60 22 * * *", "the minute '60'"),
        ("1,,2 22 * * *", "the minute '1,,2'"),
        ("9" * 5000 + " 1 * * *", "the minute '999"),
        ("0 25 * * *", "the hour '25' of the schedule '0 25 * * *' is not valid: 0 to 23"),
        ("0 22 32 * *", "the day-of-month '32'"),
        ("0 22 * MAI *", "the month 'MAI'"),
        ("0 22 * * 8", "the day-of-week '8'"),
        ("0 0 30 2 *", "never comes about"),
        ("0 0 */20 * 1L", "never comes about"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_the_field(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_cron(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("text", ["Europe/Berlin", "UTC", "Asia/Kathmandu", "America/Argentina/Ushuaia", "Etc/GMT+5"])
def test_a_zone_of_the_database_is_taken(text: str) -> None:
    assert check_timezone(text) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Europe/Berln", "did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("Berlin", "did you mean 'Europe/Berlin'?"),
        ("New York", "did you mean 'America/New_York'?"),
        ("localtime", "write an IANA name"),
        ("Factory", ""),
        ("/etc/localtime", ""),
        ("/usr/share/zoneinfo/Europe/Berlin", ""),
        ("../zoneinfo/UTC", ""),
        ("posix/Europe/Berlin", ""),
        ("", "write an IANA name, such as 'Europe/Berlin' or 'UTC'"),
    ],
)
def test_a_zone_that_is_none_is_refused_with_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=r"^there is no time zone ") as caught:
        check_timezone(text)
    assert str(caught.value).startswith(f"there is no time zone {text!r}; ")
    assert hint in str(caught.value)


@pytest.mark.parametrize("duration", [0.0, -1.0, math.inf, math.nan, 400 * DAY])
def test_a_window_needs_a_duration_that_can_be(duration: float) -> None:
    with pytest.raises(ValueError, match=r"the window 'nightly' cannot be open for"):
        window("0 22 * * *", duration)


def test_a_window_refuses_a_schedule_and_a_zone_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="the hour '24'"):
        window("0 24 * * *")
    with pytest.raises(ValueError, match="no time zone"):
        window("0 22 * * *", zone="Mars/Olympus")


def test_windows_of_the_same_words_are_equal() -> None:
    assert window("0 22 * * *") == window("0 22 * * *")
    assert hash(window("0 22 * * *")) == hash(window("0 22 * * *"))
    assert window("0 22 * * *") != window("0 22 * * *", zone="Europe/Paris")


# One window


def test_a_window_opens_at_its_hour_in_its_zone() -> None:
    nightly = window("0 22 * * *")
    first, second = islice(nightly.openings(at("2026-11-25T21:00:00Z")), 2)
    assert first == Opening("nightly", at("2026-11-25T21:00:00Z"), at("2026-11-25T22:00:00Z"))
    assert second.starts == at("2026-11-26T21:00:00Z")
    assert next(nightly.openings(at("2026-11-25T21:00:00.5Z"))) == second
    assert next(nightly.openings(at("2026-07-01T00:00:00Z"))).starts == at("2026-07-01T20:00:00Z")


def test_a_window_is_open_from_its_start_until_just_before_its_end() -> None:
    nightly = window("0 22 * * *")
    opening = Opening("nightly", at("2026-11-25T21:00:00Z"), at("2026-11-25T22:00:00Z"))
    assert nightly.current(opening.starts - 1e-3) is None
    assert nightly.current(opening.starts) == opening
    assert nightly.current(opening.ends - 1e-3) == opening
    assert nightly.current(opening.ends) is None


def test_a_window_that_spans_midnight_is_open_on_both_days() -> None:
    late = window("30 23 * * 5", 2 * HOUR)
    assert late.current(at("2026-11-27T23:45:00+01:00")) is not None
    assert late.current(at("2026-11-28T01:29:59+01:00")) is not None
    assert late.current(at("2026-11-28T01:30:00+01:00")) is None
    assert late.current(at("2026-11-28T23:45:00+01:00")) is None


def test_of_openings_that_overlap_the_last_one_is_current() -> None:
    often = window("*/10 8 * * *", 15 * 60.0)
    current = often.current(at("2026-11-25T08:22:00+01:00"))
    assert current == Opening("nightly", at("2026-11-25T08:20:00+01:00"), at("2026-11-25T08:35:00+01:00"))
    state = Windows([often]).state(at("2026-11-25T08:22:00+01:00"))
    assert state.until == at("2026-11-25T09:05:00+01:00")


def test_a_window_that_lasts_for_weeks_is_found_from_its_last_day() -> None:
    freeze = window("0 0 1 12 *", 31 * DAY)
    assert freeze.current(at("2026-12-31T23:59:59+01:00")) is not None
    assert freeze.current(at("2027-01-01T00:00:00+01:00")) is None


def test_a_rare_day_is_waited_for() -> None:
    leap = window("0 12 29 2 *", zone="UTC")
    starts = [opening.starts for opening in islice(leap.openings(at("2026-01-01T00:00:00Z")), 2)]
    assert starts == [at("2028-02-29T12:00:00Z"), at("2032-02-29T12:00:00Z")]
    assert Windows([leap]).state(at("2026-01-01T00:00:00Z")) == WindowState(
        open=False, name="", until=None, text="shut; does not open within two years"
    )


def test_a_day_that_comes_once_in_28_years_is_waited_for() -> None:
    fifth_monday = window("0 0 * 2 MON#5", zone="UTC")
    starts = [opening.starts for opening in islice(fifth_monday.openings(at("2026-01-01T00:00:00Z")), 2)]
    assert starts == [at("2044-02-29T00:00:00Z"), at("2072-02-29T00:00:00Z")]
    assert fifth_monday.current(at("2044-02-29T00:59:59Z")) is not None


# The days on which clocks change


def test_a_time_that_is_left_out_in_spring_happens_right_after() -> None:
    early = window("30 2 * * *")
    starts = [opening.starts for opening in islice(early.openings(at("2026-03-28T00:00:00Z")), 3)]
    assert starts == [at("2026-03-28T01:30:00Z"), at("2026-03-29T01:00:00Z"), at("2026-03-30T00:30:00Z")]
    assert early.current(at("2026-03-29T00:59:59Z")) is None
    assert early.current(at("2026-03-29T01:00:00Z")) is not None
    assert early.current(at("2026-03-29T01:59:59Z")) is not None
    assert early.current(at("2026-03-29T02:00:00Z")) is None
    coming = Windows([early]).next(at("2026-03-28T12:00:00Z"), 2)
    assert coming[0].note == "02:30 does not exist on 2026-03-29, it starts right after"
    assert (coming[0].local_starts, coming[0].local_ends) == ("2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00")
    assert coming[1].note == ""


def test_a_time_that_comes_twice_in_autumn_happens_the_first_time_only() -> None:
    early = window("30 2 * * *")
    starts = [opening.starts for opening in islice(early.openings(at("2026-10-24T12:00:00Z")), 2)]
    assert starts == [at("2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z")]
    assert early.current(at("2026-10-25T01:29:59Z")) is not None
    assert early.current(at("2026-10-25T01:30:00Z")) is None
    (coming,) = Windows([early]).next(at("2026-10-24T12:00:00Z"), 1)
    assert (coming.local_starts, coming.local_ends) == ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")
    assert coming.note == (
        "02:30 comes twice on 2026-10-25, this is the first time; "
        "the clock goes back by 1 h meanwhile, it ends at 02:30 on the wall and not at 03:30"
    )


def test_an_opening_lasts_its_real_time_across_a_change() -> None:
    (spring,) = Windows([window("30 1 * * *")]).next(at("2026-03-28T12:00:00Z"), 1)
    assert spring.ends is not None
    assert spring.ends - spring.starts == HOUR
    assert (spring.local_starts, spring.local_ends) == ("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00")
    assert spring.note == "the clock goes forward by 1 h meanwhile, it ends at 03:30 on the wall and not at 02:30"


def test_a_window_of_many_starts_follows_the_wall() -> None:
    often = window("*/30 2 * * *", 10 * 60.0)
    assert next(often.openings(at("2026-03-28T12:00:00Z"))).starts == at("2026-03-30T00:00:00Z")
    autumn = [opening.starts for opening in islice(often.openings(at("2026-10-24T12:00:00Z")), 4)]
    assert autumn == [at(f"2026-10-25T{time}:00Z") for time in ("00:00", "00:30", "01:00", "01:30")]
    notes = [coming.note for coming in Windows([often]).next(at("2026-10-24T12:00:00Z"), 3)]
    assert notes[0] == "02:00 comes twice on 2026-10-25, this is the first time"
    assert notes[2] == "02:00 comes twice on 2026-10-25, this is the second time"


def test_half_an_hour_is_left_out_and_comes_twice_on_lord_howe() -> None:
    late = window("*/10 1 * * *", 60.0, "Australia/Lord_Howe")
    autumn = [opening.starts for opening in islice(late.openings(at("2026-04-04T13:55:00Z")), 9)]
    assert autumn == [at("2026-04-05T01:00:00+11:00") + 600.0 * count for count in range(9)]
    early = window("15 2 * * *", zone="Australia/Lord_Howe")
    (spring,) = Windows([early]).next(at("2026-10-03T12:00:00Z"), 1)
    assert spring.local_starts == "2026-10-04T02:30:00+11:00"
    assert spring.note == "02:15 does not exist on 2026-10-04, it starts right after"


def test_a_day_that_a_place_leaves_out_is_made_up_for_right_after() -> None:
    late = window("0 22 * * *", zone="Pacific/Apia")
    coming = Windows([late]).next(at("2011-12-30T09:30:00Z"), 2)
    assert [one.local_starts for one in coming] == ["2011-12-31T00:00:00+14:00", "2011-12-31T22:00:00+14:00"]
    assert coming[0].note == "22:00 does not exist on 2011-12-30, it starts right after"
    current = late.current(at("2011-12-30T10:30:00Z"))
    assert current is not None
    assert current.starts == coming[0].starts
    assert next(late.openings(coming[0].starts)).starts == coming[0].starts


def test_what_is_made_up_for_is_one_with_what_happens_then_anyway() -> None:
    twice = window("0 0,22 * * *", zone="Pacific/Apia")
    starts = [opening.starts for opening in islice(twice.openings(at("2011-12-30T09:30:00Z")), 2)]
    assert starts == [at("2011-12-31T00:00:00+14:00"), at("2011-12-31T22:00:00+14:00")]


def test_a_day_that_began_before_the_clock_was_put_back_over_midnight_has_begun() -> None:
    """St John's, 2010-11-07 00:00 to 00:01 comes before 2010-11-06 23:01 to 24:00 comes again."""
    midnight = window("0 0 * * *", zone="America/St_Johns")
    opening = midnight.current(at("2010-11-06T23:30:00-03:30"))
    assert opening is not None
    assert opening.starts == at("2010-11-07T00:00:00-02:30")


def test_a_clock_that_is_put_back_over_midnight_keeps_the_order() -> None:
    """St John's, 2010-11-07: one minute past midnight is 23:01 of the day before once more."""
    often = window("*/30 * * * *", 60.0, "America/St_Johns")
    starts = [opening.starts for opening in islice(often.openings(at("2010-11-06T23:00:00-02:30")), 5)]
    assert starts == [at("2010-11-06T23:00:00-02:30") + 1800.0 * count for count in range(5)]
    for start in starts:
        current = often.current(start + 30.0)
        assert current is not None
        assert current.starts == start


# Several windows


def test_without_windows_it_is_always_open() -> None:
    assert Windows([]).state(0.0) == WindowState(open=True, name="", until=None, text="open: no windows are configured")
    assert Windows([]).next(0.0, 3) == []


def test_an_allow_window_says_until_when_it_is_open_and_when_it_opens() -> None:
    windows = Windows([window("0 22 * * 1-4")])
    assert windows.state(at("2026-11-25T21:30:00Z")) == WindowState(
        True, "nightly", at("2026-11-25T22:00:00Z"), "open until 2026-11-25T22:00:00Z (nightly)"
    )
    assert windows.state(at("2026-11-26T22:00:00Z")) == WindowState(
        False, "", at("2026-11-30T21:00:00Z"), "shut; opens 2026-11-30T21:00:00Z (nightly)"
    )
    (coming,) = windows.next(at("2026-11-26T22:00:00Z"), 1)
    assert (coming.name, coming.timezone, coming.note) == ("nightly", "Europe/Berlin", "")
    assert (coming.starts, coming.ends) == (at("2026-11-30T21:00:00Z"), at("2026-11-30T22:00:00Z"))
    assert (coming.local_starts, coming.local_ends) == ("2026-11-30T22:00:00+01:00", "2026-11-30T23:00:00+01:00")
    assert (coming.utc_starts, coming.utc_ends) == ("2026-11-30T21:00:00Z", "2026-11-30T22:00:00Z")


def test_a_deny_window_splits_an_allow_window() -> None:
    windows = Windows([window("0 22 * * *", 4 * HOUR), window("0 23 * * *", kind="deny", name="backup")])
    assert spans(windows, "2026-11-25T12:00:00Z", 2) == [
        ("2026-11-25T21:00:00Z", "2026-11-25T22:00:00Z"),
        ("2026-11-25T23:00:00Z", "2026-11-26T01:00:00Z"),
    ]
    assert windows.state(at("2026-11-25T21:30:00Z")).until == at("2026-11-25T22:00:00Z")
    assert windows.state(at("2026-11-25T22:00:00Z")) == WindowState(
        False, "backup", at("2026-11-25T23:00:00Z"), "shut by backup until 2026-11-25T23:00:00Z"
    )
    assert windows.state(at("2026-11-25T23:00:00Z")).open


def test_a_freeze_says_when_it_ends_and_when_it_opens() -> None:
    windows = Windows(
        [window("0 22 * * *"), window("0 0 20 12 *", 13 * DAY, "UTC", kind="deny", name="freeze-december")]
    )
    assert windows.state(at("2026-12-24T21:30:00Z")) == WindowState(
        False,
        "freeze-december",
        at("2027-01-02T21:00:00Z"),
        "shut by freeze-december until 2027-01-02T00:00:00Z; opens 2027-01-02T21:00:00Z (nightly)",
    )


def test_deny_windows_alone_leave_the_rest_open() -> None:
    windows = Windows([window("0 0 20 12 *", 13 * DAY, "UTC", kind="deny", name="freeze")])
    assert windows.state(at("2026-11-25T00:00:00Z")) == WindowState(
        True, "", at("2026-12-20T00:00:00Z"), "open until 2026-12-20T00:00:00Z (freeze)"
    )
    assert windows.state(at("2026-12-20T00:00:00Z")) == WindowState(
        False, "freeze", at("2027-01-02T00:00:00Z"), "shut by freeze until 2027-01-02T00:00:00Z"
    )
    coming = windows.next(at("2026-11-25T00:00:00Z"), 5)
    assert [(one.name, one.utc_starts, one.utc_ends) for one in coming] == [
        ("freeze", "2027-01-02T00:00:00Z", "2027-12-20T00:00:00Z"),
        ("freeze", "2028-01-02T00:00:00Z", ""),
    ]
    assert (coming[1].ends, coming[1].local_ends) == (None, "")


def test_windows_that_touch_are_one_and_the_longer_one_decides() -> None:
    windows = Windows([window("0 22 * * *"), window("0 23 * * *", 2 * HOUR, name="late")])
    assert spans(windows, "2026-11-25T12:00:00Z", 1) == [("2026-11-25T21:00:00Z", "2026-11-26T00:00:00Z")]
    assert windows.state(at("2026-11-25T21:30:00Z"))[1:3] == ("nightly", at("2026-11-26T00:00:00Z"))
    assert windows.state(at("2026-11-25T22:30:00Z"))[1:3] == ("late", at("2026-11-26T00:00:00Z"))


def test_a_window_that_never_shuts_is_open_without_an_end() -> None:
    always = Windows([window("* * * * *", 60.0)])
    assert always.state(at("2026-11-25T21:30:15Z")) == WindowState(
        True, "nightly", None, "open (nightly); does not shut within two years"
    )
    assert always.next(at("2026-11-25T21:30:15Z"), 1) == []


def test_a_place_that_is_denied_for_ever_does_not_open() -> None:
    never = Windows([window("0 22 * * *"), window("0 * * * *", HOUR, kind="deny", name="freeze")])
    assert never.state(at("2026-11-25T21:30:00Z")) == WindowState(
        False, "freeze", None, "shut by freeze; does not open within two years"
    )
    assert never.next(at("2026-11-25T21:30:00Z"), 3) == []


def test_a_denied_day_of_24_hours_leaves_an_hour_of_the_long_day_in_autumn() -> None:
    """Durations are real time; who means the whole day writes 25 hours."""
    days = Windows([window("0 0 * * *", DAY, kind="deny", name="freeze")])
    assert days.state(at("2026-07-01T00:00:00Z")).until == at("2026-10-25T22:00:00Z")
    assert Windows([window("0 0 * * *", 25 * HOUR, kind="deny")]).state(at("2026-07-01T00:00:00Z")).until is None


def test_what_lies_beyond_two_years_is_seen_when_it_comes_nearer() -> None:
    leap = Windows([window("0 12 29 2 *", zone="UTC")])
    assert leap.state(at("2026-02-27T23:59:59Z")).until is None
    assert leap.state(at("2026-02-28T00:00:00Z")).until == at("2028-02-29T12:00:00Z")


# Ten zones beside a calendar that walks through every minute

YEARS = {
    "Europe/Berlin": 2026,
    "America/New_York": 2026,
    "Australia/Lord_Howe": 2026,
    "America/Sao_Paulo": 2018,
    "Asia/Kolkata": 2026,
    "Asia/Kathmandu": 1986,
    "Africa/Casablanca": 2026,
    "Pacific/Apia": 2020,
    "Europe/London": 2026,
    "Antarctica/Troll": 2026,
}
CHANGES = {"Asia/Kolkata": 0, "Asia/Kathmandu": 1}
SCHEDULES = [
    ("30 2 * * *", 60),
    ("0,45 0-3 * * *", 20),
    ("15 23 * * 6", 180),
    ("59 1 1-31/2 * *", 45),
    ("*/20 1-2 * * *", 15),
    ("0 * * * 0,1", 25),
    ("* 3 * * *", 1),
]


def wall(moment: float, zone: str) -> datetime:
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).replace(tzinfo=None)


@cache
def change_days(zone: str) -> tuple[float, ...]:
    """Return the midnights (UTC) before the changes of a year; a plain day where there are none."""
    first = datetime(YEARS[zone], 1, 1, tzinfo=UTC).timestamp() - DAY
    days = [first + DAY * day for day in range(367)]
    found = [day for day, later in pairwise(days) if wall(later, zone) - wall(day, zone) != timedelta(days=1)]
    assert len(found) == CHANGES.get(zone, 2)
    return tuple(found) or (first,)


def numbers(text: str, least: int, most: int) -> set[int]:
    """Return what one cron field means; only what the schedules above use."""
    found: set[int] = set()
    for part in text.split(","):
        reach, _, step = part.partition("/")
        low, _, high = (f"{least}-{most}" if reach == "*" else reach).partition("-")
        found |= set(range(int(low), int(high or low) + 1, int(step or 1)))
    return found


class Minutes:
    """Every minute of three days with its wall time, and the wall times that the clock left out before it."""

    def __init__(self, zone: str, first: float) -> None:
        self.rows: list[tuple[float, datetime, list[datetime], bool]] = []
        seen: set[datetime] = set()
        last: datetime | None = None
        for count in range(3 * 1440):
            moment = first - DAY / 2 + 60.0 * count
            shown = wall(moment, zone)
            jumped = 0 if last is None else round((shown - last).total_seconds() / 60) - 1
            skipped = [shown - timedelta(minutes=back) for back in range(jumped, 0, -1)]
            self.rows.append((moment, shown, skipped, shown in seen))
            seen.add(shown)
            last = shown

    def starts(self, cron: str) -> list[float]:
        minute, hour, day, month, weekday = cron.split()
        minutes, hours, days = numbers(minute, 0, 59), numbers(hour, 0, 23), numbers(day, 1, 31)
        weekdays = numbers(weekday, 0, 6)
        assert month == "*"
        assert "*" in {day, weekday}

        def says(shown: datetime) -> bool:
            return (
                shown.minute in minutes
                and shown.hour in hours
                and shown.day in days
                and shown.isoweekday() % 7 in weekdays
            )

        if minute.startswith("*") or hour.startswith("*"):
            return [moment for moment, shown, _, _ in self.rows if says(shown)]
        return [
            moment
            for moment, shown, skipped, again in self.rows
            if (says(shown) and not again) or any(map(says, skipped))
        ]


@pytest.mark.parametrize("zone", YEARS)
def test_a_slow_calendar_finds_the_same_openings_on_the_days_of_change(zone: str) -> None:
    for first in change_days(zone):
        minutes = Minutes(zone, first)
        begin, end = minutes.rows[0][0], minutes.rows[-1][0]
        for cron, length in SCHEDULES:
            one = window(cron, 60.0 * length, zone)
            expected = minutes.starts(cron)
            found = starts_between(one, begin, end)
            assert found == expected, (zone, cron)
            windows = Windows([one])
            # The first hours may lie in an opening that began before the slow calendar does.
            grid = [begin + 3 * HOUR + 23 * 60.0 * step for step in range(170)]
            edges = [start + beside for start in expected[::5] for beside in (-1.0, 0.0, 60.0 * length)]
            for moment in sorted(grid + [edge for edge in edges if edge >= grid[0]]):
                last = max((start for start in expected if start <= moment), default=-math.inf)
                current = one.current(moment)
                assert (current is not None) == (moment < last + 60.0 * length), (zone, cron, moment)
                assert current is None or current.starts == last
                assert windows.state(moment).open == (current is not None)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Antarctica/Troll"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "15 1,2,3 * * *", "*/20 1-2 * * *", "0 * * * 0,1"])
def test_cronsim_itself_finds_the_same_starts_where_clocks_change_by_whole_hours(zone: str, cron: str) -> None:
    for first in change_days(zone):
        theirs = CronSim(cron, datetime.fromtimestamp(first - 1.0, ZoneInfo(zone)))
        expected = [moment.timestamp() for moment in islice(theirs, 12)]
        assert [opening.starts for opening in islice(window(cron, zone=zone).openings(first), 12)] == expected


# What always holds

ZONED = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll"])
CRONS = st.builds(
    "{} {} {}".format,
    st.sampled_from(["0", "30", "0,30", "*/15", "*/10", "*"]),
    st.sampled_from(["0", "2", "1-3", "22", "*/6", "*"]),
    st.sampled_from(["* * *", "* * *", "* * 1-5", "* * SUN", "25-29 * *", "L * *", "* 3,10 *", "1 4 *"]),
)


@st.composite
def some_windows(draw: st.DrawFn) -> list[Window]:
    return [
        Window(
            name=f"w{place}",
            cron=draw(CRONS),
            duration=60.0 * draw(st.sampled_from([1, 7, 10, 15, 60, 90, 240, 1440, 2000])),
            timezone=draw(ZONED),
            kind=draw(st.sampled_from(WindowKind)),
        )
        for place in range(draw(st.integers(1, 3)))
    ]


MOMENTS = st.sampled_from(
    ["2026-03-28T12:00:00Z", "2026-04-04T10:00:00Z", "2026-10-24T12:00:00Z", "2026-12-31T20:00:00Z"]
)
SECONDS = st.integers(0, 2 * 86400)


def scanned(windows: list[Window], begin: float, end: float) -> Iterator[Span]:
    """Yield when it is open by asking every window at every minute: all that begins, ends or changes is on a minute."""
    opened: float | None = None
    for count in range(round((end - begin) / 60.0) + 1):
        moment = begin + 60.0 * count
        kinds = [one.kind for one in windows if one.current(moment) is not None]
        allowed = WindowKind.ALLOW in kinds or all(one.kind is WindowKind.DENY for one in windows)
        is_open = allowed and WindowKind.DENY not in kinds
        if is_open and opened is None:
            opened = moment
        elif not is_open and opened is not None:
            yield Span(opened, moment)
            opened = None


@given(some_windows(), MOMENTS, SECONDS)
@settings(deadline=None, max_examples=60)
def test_nothing_changes_until_the_moment_that_is_named_and_then_it_does(
    chosen: list[Window], day: str, seconds: int
) -> None:
    windows = Windows(chosen)
    moment = at(day) + seconds
    state = windows.state(moment)
    assert state == Windows(chosen).state(moment)
    if state.until is None:
        return
    assert state.until > moment
    for between in (moment, (moment + state.until) / 2, max(moment, state.until - 1.0)):
        fresh = Windows(chosen).state(between)
        assert (fresh.open, fresh.until) == (state.open, state.until)
        assert windows.state(between) == fresh
    assert windows.state(state.until).open != state.open


@given(some_windows(), MOMENTS, SECONDS)
@settings(deadline=None, max_examples=20)
def test_the_next_openings_are_those_that_a_scan_finds(chosen: list[Window], day: str, seconds: int) -> None:
    begin = at(day) + seconds // 60 * 60
    end = begin + DAY / 2
    found = list(scanned(chosen, begin, end))
    coming = Windows(chosen).next(begin, len(found) + 1)
    later = [span for span in found if span.starts > begin]
    assert [(one.starts, one.ends) for one in coming][: len(later)] == later
    assert all(one.ends is None or one.ends > end for one in coming[len(later) :] if one.starts <= end)
    assert all(one.ends is not None and one.ends < other.starts for one, other in pairwise(coming))
    for one in coming:
        assert at(one.local_starts) == at(one.utc_starts) == one.starts
        assert one.ends is None or at(one.local_ends) == at(one.utc_ends) == one.ends


@given(CRONS, ZONED, MOMENTS, SECONDS)
@settings(deadline=None, max_examples=40)
def test_openings_are_in_order_and_looking_back_finds_each_of_them(
    cron: str, zone: str, day: str, seconds: int
) -> None:
    one = window(cron, 60.0, zone)
    moment = at(day) + seconds
    openings = list(islice(one.openings(moment), 30))
    assert openings[0].starts >= moment
    assert all(first.starts < second.starts for first, second in pairwise(openings))
    for opening in openings:
        assert one.current(opening.starts) == opening
        assert one.current(opening.ends - 1.0) == opening
        assert next(one.openings(opening.starts)) == opening


@given(some_windows(), MOMENTS, st.lists(SECONDS, min_size=2, max_size=12))
@settings(deadline=None, max_examples=30)
def test_what_was_asked_before_does_not_change_the_answer(chosen: list[Window], day: str, asked: list[int]) -> None:
    windows = Windows(chosen)
    for seconds in asked:
        assert windows.state(at(day) + seconds) == Windows(chosen).state(at(day) + seconds)
