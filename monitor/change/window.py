"""Change windows: when routes may be applied, by the calendar of a place.

A window is a cron schedule in a time zone and a duration.  Every moment here is a parameter or a result, in seconds since
the epoch (UTC); nothing reads the clock.  Data of time zones are the only thing that is loaded.

Clock changes.  A schedule speaks of the clock on the wall, a duration is real elapsed time: a start is turned into UTC
first, and the duration is added there.  Starts follow Debian's cron (crontab(5), cron(8)), as cronsim 2.8 does for
datetimes that know their zone:

- Neither the minute nor the hour field begins with ``*``: a start in the hour that is left out in spring happens in
  the first moment after it, and one in the hour that comes twice in autumn happens once, the first time.  Several
  starts that are left out become one.  This holds for changes of any size, also for a whole day that a place leaves
  out when it moves over the date line; Debian's cron takes changes of three hours and more for corrections.
- Otherwise the schedule is followed as the wall shows it: what is left out does not happen, what comes twice happens
  twice.  Here cronsim loses starts where a clock changes by half an hour (Lord Howe) and invents one where it changes
  at midnight; this module does not, because it gives cronsim wall-clock times only and does the zone's part itself.
"""

import bisect
import difflib
import enum
import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import chain, islice, takewhile
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

LOOK_AHEAD_SECONDS = 731 * 86400.0
"""Two years: what does not change until then is said to stay as it is."""

LONGEST_SECONDS = 366 * 86400.0
"""A window that stays open for more than a year is a mistake."""

_FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L or LW",
    "month": "1 to 12 or JAN to DEC",
    "day-of-week": "0 to 7 or SUN to SAT, 5L, FRI#2",
}
"""The five fields as cronsim calls them, and what they take."""

_NOT_PLACES = frozenset({"Factory", "localtime", "posixrules"})
"""Files beside the zones: what they mean depends on the machine."""

_ONE_DAY = timedelta(days=1)
_ONE_SECOND = timedelta(seconds=1)
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001  a day on the wall, in no zone


class WindowKind(enum.StrEnum):
    """Whether routes may be applied while the window is open, or may not."""

    ALLOW = "allow"
    DENY = "deny"


class Opening(NamedTuple):
    """One time that a window is open, from ``starts`` until just before ``ends`` (seconds since the epoch)."""

    window: str
    starts: float
    ends: float


class Span(NamedTuple):
    """A stretch of time, from ``starts`` until just before ``ends`` (seconds since the epoch)."""

    starts: float
    ends: float


class WindowState(NamedTuple):
    """Whether routes may be applied at a moment.

    ``name`` is the window that decides: the deny window that shuts, or else the allow window that is open; of several
    that one which stays longest.  It is empty where none decides.  ``until`` is the first later moment at which
    ``open`` is another, None when there is none within two years.  ``text`` says all that to people.
    """

    open: bool
    name: str
    until: float | None
    text: str


class NextOpening(NamedTuple):
    """A coming stretch of time in which routes may be applied.

    ``name`` is the window that opens it: an allow window, or the deny window that ends there when there are only such.
    The local texts are ISO 8601 with the offset, in the ``timezone`` of that window.  ``ends`` is None, and its texts
    are empty, when there is no end within two years.  ``note`` is a remark when a change of the clock plays a part.
    """

    name: str
    starts: float
    ends: float | None
    timezone: str
    local_starts: str
    local_ends: str
    utc_starts: str
    utc_ends: str
    note: str


def check_cron(text: str) -> str:
    """Return a cron schedule of five fields with single blanks between them.

    Raises ValueError with the field that is wrong, and also for a schedule that never comes about (30 February): a deny
    window that never denies would be found out too late.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        names = " ".join(_FIELDS)
        raise ValueError(f"a schedule has five fields ({names}), but {text!r} has {len(fields)}")
    for place, (name, takes) in enumerate(_FIELDS.items()):
        alone = ["*"] * len(_FIELDS)
        alone[place] = fields[place]
        try:
            CronSim(" ".join(alone), _ANY_DAY)
        except (CronSimError, ValueError) as error:
            raise ValueError(f"the {name} {fields[place]!r} of the schedule {text!r} is not valid: {takes}") from error
    schedule = " ".join(fields)
    try:
        never = next(CronSim(schedule, _ANY_DAY), None) is None
    except CronSimError:
        never = True
    if never:
        raise ValueError(f"the schedule {text!r} never comes about: no month of it has such a day")
    return schedule


def check_timezone(text: str) -> str:
    """Return the name of a time zone if the IANA database has it; raises ValueError with the nearest one if not."""
    names = _zone_names()
    if text in names:
        return text
    near = _spoken_names()
    close = difflib.get_close_matches(text.casefold().replace(" ", "_"), near, n=1, cutoff=0.75)
    hint = f"did you mean {near[close[0]]!r}?" if close else "write an IANA name, such as 'Europe/Berlin' or 'UTC'"
    raise ValueError(f"there is no time zone {text!r}; {hint}")


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - _NOT_PLACES)


@cache
def _spoken_names() -> dict[str, str]:
    """Return the zones by what people may write for them, in small letters: the whole name, or the city alone."""
    names = sorted(_zone_names())
    return {name.rpartition("/")[2].casefold(): name for name in names} | {name.casefold(): name for name in names}


_Item = TypeVar("_Item", float, Span)


class _Calendar:
    """The starts of one schedule in one zone; cronsim says which days, and which times on the wall."""

    __slots__ = ("_days", "_duration", "_fixed", "_ordinary", "_schedule", "_times", "zone")

    def __init__(self, schedule: str, timezone: str, duration: float) -> None:
        minute, hour, *days = schedule.split()
        self.zone = ZoneInfo(timezone)
        self._schedule = schedule
        self._duration = duration
        self._fixed = not minute.startswith("*") and not hour.startswith("*")
        self._days = f"0 0 {' '.join(days)}"
        moments = CronSim(f"{minute} {hour} * * *", _ANY_DAY - _ONE_SECOND)
        self._times = [
            (moment - _ANY_DAY).seconds for moment in takewhile(lambda moment: moment < _ANY_DAY + _ONE_DAY, moments)
        ]
        self._ordinary = list(_merged(Span(start, start + duration) for start in self._times))

    def starts(self, after: float) -> Iterator[float]:
        """Yield the starts at or after a moment, each once, in order."""
        last = -math.inf
        for start in _in_order(map(self._starts_on, self._days_from(self._day_of(after) - _ONE_DAY))):
            if start >= after and start != last:
                yield start
                last = start

    def latest(self, at: float) -> float | None:
        """Return the last start at or before a moment if it is less than the duration ago, else None."""
        oldest = self._day_of(at - self._duration) - _ONE_DAY
        best: float | None = None
        # A change of the clock can put a start on the day beside the one that the schedule names.
        for day in self._days_until(self._day_of(at) + _ONE_DAY):
            if day < oldest or (best is not None and day < self._day_of(best) - _ONE_DAY):
                break
            found = [start for start in self._starts_on(day) if start <= at]
            if found and (best is None or found[-1] > best):
                best = found[-1]
        return best if best is not None and at < best + self._duration else None

    def stretches(self, at: float, horizon: float) -> Iterator[Span]:
        """Yield when it is open, openings that touch or overlap as one; what is before *at* is cut off.

        Starts later than *horizon* are left out, so an end beyond it may be too early.
        """
        return _merged(
            Span(max(span.starts, at), span.ends)
            for span in chain(self._open_at(at), self._stretches_between(at, horizon))
        )

    def left_out(self, start: float) -> datetime | None:
        """Return the time on the wall that *start* stands for, if the clock left that time out; else None."""
        gap = _offset(start, self.zone) - _offset(start - 1.0, self.zone)
        if not self._fixed or gap <= timedelta(0):
            return None
        wall = datetime.fromtimestamp(start, self.zone).replace(tzinfo=None)
        scheduled = next(CronSim(self._schedule, wall - gap - _ONE_SECOND), wall)
        return scheduled if scheduled < wall else None

    def _open_at(self, at: float) -> Iterator[Span]:
        start = self.latest(at)
        if start is not None:
            yield Span(start, start + self._duration)

    def _stretches_between(self, at: float, horizon: float) -> Iterator[Span]:
        last = self._day_of(horizon) + _ONE_DAY
        days = takewhile(lambda day: day <= last, self._days_from(self._day_of(at) - _ONE_DAY))
        for span in _in_order(map(self._stretches_on, days)):
            if at < span.ends and span.starts <= horizon:
                yield span

    def _day_of(self, moment: float) -> date:
        return datetime.fromtimestamp(moment, self.zone).date()

    def _days_from(self, day: date) -> Iterator[date]:
        return (moment.date() for moment in CronSim(self._days, datetime.combine(day, time()) - _ONE_SECOND))

    def _days_until(self, day: date) -> Iterator[date]:
        moments = CronSim(self._days, datetime.combine(day, time()) + _ONE_SECOND, reverse=True)
        return (moment.date() for moment in moments)

    def _midnight(self, day: date) -> float | None:
        """Return the moment at which a day begins, or None if its clock changes."""
        first, last = (datetime.combine(each, time(), self.zone) for each in (day, day + _ONE_DAY))
        offset = first.utcoffset()
        others = (first.replace(fold=1), last, last.replace(fold=1))
        return first.timestamp() if all(other.utcoffset() == offset for other in others) else None

    def _starts_on(self, day: date) -> list[float]:
        midnight = self._midnight(day)
        if midnight is not None:
            return [midnight + seconds for seconds in self._times]
        return sorted({start for seconds in self._times for start in self._moments(day, seconds)})

    def _stretches_on(self, day: date) -> list[Span]:
        midnight = self._midnight(day)
        if midnight is not None:
            return [Span(midnight + span.starts, midnight + span.ends) for span in self._ordinary]
        return list(_merged(Span(start, start + self._duration) for start in self._starts_on(day)))

    def _moments(self, day: date, seconds: int) -> Iterator[float]:
        """Yield the moments at which the wall shows a time of a day on which the clock changes, or stands for it."""
        wall = datetime.combine(day, time(), self.zone) + timedelta(seconds=seconds)
        # PEP 495: in a gap fold=0 counts with the offset before it, and so lies behind fold=1.
        first, second = wall.timestamp(), wall.replace(fold=1).timestamp()
        if first <= second:
            yield first
            if first < second and not self._fixed:
                yield second
        elif self._fixed:
            yield _change_between(second, first, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Opens as the schedule ``cron`` says on the clocks of ``timezone``, and stays open for ``duration`` seconds.

    Raises ValueError for a schedule, a zone or a duration that cannot be.
    """

    name: str
    cron: str
    duration: float
    timezone: str
    kind: WindowKind = WindowKind.ALLOW
    _calendar: _Calendar = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.duration <= LONGEST_SECONDS:
            raise ValueError(
                f"the window {self.name!r} cannot be open for {self.duration} seconds; give more than 0, at most a year"
            )
        calendar = _Calendar(check_cron(self.cron), check_timezone(self.timezone), self.duration)
        object.__setattr__(self, "_calendar", calendar)

    def openings(self, after: float) -> Iterator[Opening]:
        """Yield the openings that start at or after a moment, in order and without end; they may overlap."""
        return (self._opening(start) for start in self._calendar.starts(after))

    def current(self, at: float) -> Opening | None:
        """Return the opening in which *at* lies; of several that overlap the one that lasts longest, so the last."""
        start = self._calendar.latest(at)
        return None if start is None else self._opening(start)

    def stretches(self, at: float, horizon: float) -> Iterator[Span]:
        """Yield when the window is open after *at*, with openings that touch or overlap as one.

        A stretch that is open at *at* begins there.  Starts later than *horizon* are not looked at.
        """
        return self._calendar.stretches(at, horizon)

    def note(self, starts: float, ends: float | None) -> str:
        """Return what a change of the clock does to a stretch that this window opens; empty when it does nothing."""
        zone = self._calendar.zone
        local = datetime.fromtimestamp(starts, zone)
        notes: list[str] = []
        opening = self.current(starts)
        if opening is not None and opening.starts == starts:
            scheduled = self._calendar.left_out(starts)
            if scheduled is not None:
                notes.append(f"{scheduled:%H:%M} does not exist on {scheduled:%Y-%m-%d}, it starts right after")
            elif local.replace(fold=0).timestamp() < local.replace(fold=1).timestamp():
                time_of_two = "second" if local.fold else "first"
                notes.append(f"{local:%H:%M} comes twice on {local:%Y-%m-%d}, this is the {time_of_two} time")
        shift = timedelta(0) if ends is None else _offset(ends, zone) - _offset(starts, zone)
        if ends is not None and shift:
            way, until = "forward" if shift > timedelta(0) else "back", datetime.fromtimestamp(ends, zone)
            notes.append(
                f"the clock goes {way} by {_length(abs(shift.total_seconds()))} meanwhile, "
                f"it ends at {until:%H:%M} on the wall and not at {until - shift:%H:%M}"
            )
        return "; ".join(notes)

    def local_text(self, moment: float) -> str:
        """Return a moment as ISO 8601 with the offset that holds in the window's zone."""
        return datetime.fromtimestamp(moment, self._calendar.zone).isoformat(timespec="seconds")

    def _opening(self, start: float) -> Opening:
        return Opening(self.name, start, start + self.duration)


class _Flip(NamedTuple):
    """Whether it is open, the next moment at which that changes, and for which moments this is the answer."""

    since: float
    good_until: float
    open: bool
    until: float | None


class Windows:
    """All windows of a place together.

    Without any window it is always open.  With an allow window it is open while one of them is and no deny window is;
    with deny windows alone, while none of them is.
    """

    __slots__ = ("_allow", "_deny", "_known")

    def __init__(self, windows: Sequence[Window]) -> None:
        self._known: _Flip | None = None
        self._allow = [window for window in windows if window.kind is WindowKind.ALLOW]
        self._deny = [window for window in windows if window.kind is WindowKind.DENY]

    def state(self, at: float) -> WindowState:
        """Say whether routes may be applied at a moment, why, and until when."""
        if not self._allow and not self._deny:
            return WindowState(open=True, name="", until=None, text="open: no windows are configured")
        flip = self._flip(at)
        return self._state_open(at, flip.until) if flip.open else self._state_shut(at, flip.until)

    def next(self, at: float, count: int) -> list[NextOpening]:
        """Return the next stretches that start after *at*, at most *count*, at most two years ahead.

        They are what is left of the allow windows outside the deny windows; overlapping openings are one.  With deny
        windows alone, they are the times when it is open again.
        """
        if not self._allow and not self._deny:
            return []
        horizon = _horizon(at)
        coming = (span for span in self._open(at, horizon) if span.starts > at)
        return [self._next_opening(span, horizon) for span in islice(coming, count)]

    def _flip(self, at: float) -> _Flip:
        """Return whether it is open and until when.

        What was found last is kept, for a search over two years takes tens of milliseconds.  All moments of a day
        (UTC) have one horizon, so the answer is the same whether it was kept or not.
        """
        known = self._known
        if known is None or not known.since <= at < known.good_until:
            horizon = _horizon(at)
            span = next(self._open(at, horizon), None)
            is_open = span is not None and span.starts <= at
            until = None if span is None else span.ends if is_open else span.starts
            if until is not None and until > horizon:
                until = None
            known = _Flip(at, horizon - LOOK_AHEAD_SECONDS if until is None else until, is_open, until)
            self._known = known
        return known

    def _open(self, at: float, horizon: float) -> Iterator[Span]:
        """Yield when it is open, cut off before *at*; nothing starts later than *horizon*."""
        allowed = _together(self._allow, at, horizon) if self._allow else iter([Span(at, math.inf)])
        return takewhile(lambda span: span.starts <= horizon, _without(allowed, _together(self._deny, at, horizon)))

    def _state_open(self, at: float, until: float | None) -> WindowState:
        window = _longest(self._allow, at)
        name = "" if window is None else window.name
        # With deny windows alone the one that ends the open time is worth a name.
        named = window if self._allow or until is None else _longest(self._deny, until)
        by = "" if named is None else f" ({named.name})"
        text = f"open{by}; does not shut within two years" if until is None else f"open until {_utc(until)}{by}"
        return WindowState(open=True, name=name, until=until, text=text)

    def _state_shut(self, at: float, until: float | None) -> WindowState:
        deny = _longest(self._deny, at)
        opener = None if until is None else _longest(self._allow, until)
        by = "" if opener is None else f" ({opener.name})"
        if until is None:
            text = f"shut{'' if deny is None else f' by {deny.name}'}; does not open within two years"
        elif deny is None:
            text = f"shut; opens {_utc(until)}{by}"
        else:
            ends = next(_together(self._deny, at, until)).ends if self._allow else until
            text = f"shut by {deny.name} until {_utc(ends)}"
            if ends < until:
                text += f"; opens {_utc(until)}{by}"
        return WindowState(open=False, name="" if deny is None else deny.name, until=until, text=text)

    def _next_opening(self, span: Span, horizon: float) -> NextOpening:
        starts, ends = span.starts, span.ends if span.ends <= horizon else None
        window = _longest(self._allow, starts) or _longest(self._deny, math.nextafter(starts, -math.inf))
        assert window is not None, "something opens or ends where a stretch starts"
        return NextOpening(
            name=window.name,
            starts=starts,
            ends=ends,
            timezone=window.timezone,
            local_starts=window.local_text(starts),
            local_ends="" if ends is None else window.local_text(ends),
            utc_starts=_utc(starts),
            utc_ends="" if ends is None else _utc(ends),
            note=window.note(starts, ends),
        )


def _horizon(at: float) -> float:
    """Return how far ahead to look: two years from the end of the day (UTC)."""
    return (at // 86400.0 + 1.0) * 86400.0 + LOOK_AHEAD_SECONDS


def _longest(windows: Sequence[Window], at: float) -> Window | None:
    """Return the window that is open at a moment and stays so longest; the first of equals."""
    openings = [(opening.ends, window) for window in windows if (opening := window.current(at)) is not None]
    return max(openings, key=lambda found: found[0])[1] if openings else None


def _together(windows: Sequence[Window], at: float, horizon: float) -> Iterator[Span]:
    return _merged(heapq.merge(*(window.stretches(at, horizon) for window in windows)))


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans, given in the order of their starts, with those that touch or overlap as one."""
    whole: Span | None = None
    for span in spans:
        if whole is None:
            whole = span
        elif span.starts > whole.ends:
            yield whole
            whole = span
        elif span.ends > whole.ends:
            whole = Span(whole.starts, span.ends)
    if whole is not None:
        yield whole


def _without(allowed: Iterator[Span], denied: Iterator[Span]) -> Iterator[Span]:
    """Yield what is left of *allowed* outside *denied*; both are in order and do not overlap themselves."""
    shut = next(denied, None)
    for starts, ends in allowed:
        rest = starts
        while rest < ends:
            while shut is not None and shut.ends <= rest:
                shut = next(denied, None)
            if shut is None or shut.starts >= ends:
                yield Span(rest, ends)
                break
            if rest < shut.starts:
                yield Span(rest, shut.starts)
            rest = shut.ends


def _in_order(days: Iterable[list[_Item]]) -> Iterator[_Item]:
    """Yield what the days have, in order, although a clock that is put back over midnight mixes two days."""
    waiting: list[_Item] = []
    for found in days:
        if not found:
            continue
        ready = bisect.bisect_left(waiting, found[0])
        yield from waiting[:ready]
        waiting = sorted(waiting[ready:] + found)
    yield from waiting


def _change_between(before: float, after: float, zone: ZoneInfo) -> float:
    """Return the second at which the offset of a zone changes between two moments, with only one change in between."""
    offset = _offset(before, zone)
    low, high = math.floor(before), math.ceil(after)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
    return float(high)


def _offset(moment: float, zone: ZoneInfo) -> timedelta:
    return datetime.fromtimestamp(moment, zone).utcoffset() or timedelta(0)


def _utc(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _length(seconds: float) -> str:
    """Return a length of time as people write it: ``1 h 30 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if number]
    return " ".join(parts) or "0 s"
