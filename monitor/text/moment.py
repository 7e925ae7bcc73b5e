"""Moments and stretches of time as people type them.  Pure: what time it is, is a parameter.

A moment is one of

- RFC 3339 with its zone: ``2026-11-24T08:01:30Z``, ``2026-11-24 09:01+01:00``
- the time of day where the person is: ``10:32``, ``10:32:15``
- a stretch of time back from now: ``5m``, ``-5m``, ``5m ago``; for what may lie ahead also ``+2h`` and ``in 2h``
- ``now``
"""

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

LAST = 253_402_300_799.0
"""The end of the year 9999, in seconds since the epoch: what is later has no date."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"([0-9]{1,9})([smhd])")
_SPAN = re.compile(r"(?:[0-9]{1,9}[smhd])+")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)


def span(text: str) -> float:
    """Return the seconds of ``30s``, ``5m``, ``1h30m`` or ``2d``.  Raises ValueError."""
    words = text.strip()
    if not _SPAN.fullmatch(words):
        raise ValueError(f"{text!r} is no duration: write for example 30s, 5m, 1h30m or 2d")
    return float(sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(words)))


def moment(text: str, now: float, zone: tzinfo | None = None, *, ahead: bool = False) -> float:
    """Return a moment in seconds since the epoch.  Raises ValueError, which says what to write.

    *zone* is where a time of day is meant, None for the zone of this machine.  A time of day is the latest such moment that is
    not after *now*; with *ahead* it is the first one that is not before it.
    """
    words = text.strip()
    if words.lower() == "now":
        return now
    back = words.removeprefix("-").removesuffix("ago").rstrip()
    if _SPAN.fullmatch(back):
        return _dated(now - span(back), text)
    on = words.removeprefix("in ").lstrip() if words.startswith("in ") else words.removeprefix("+")
    if on != words and _SPAN.fullmatch(on):
        if not ahead:
            raise ValueError(f"{text!r} has not come yet, and this is about what was: write 5m for five minutes ago")
        return _dated(now + span(on), text)
    if clock := _CLOCK.fullmatch(words):
        hour, minute, second = (int(part or 0) for part in clock.groups())
        if hour > 23 or minute > 59 or second > 59:
            raise ValueError(f"{text!r} is no time of day: 00:00 to 23:59")
        return _nearest(time(hour, minute, second), now, zone, ahead=ahead)
    return _absolute(text, words)


def _absolute(text: str, words: str) -> float:
    found = _DATE.fullmatch(words)
    if found is None:
        raise ValueError(
            f"{text!r} is no moment: write 2026-11-24T08:01:30Z, a time of day such as 10:32, or 5m for five minutes ago"
        )
    day, clock, offset = found.groups()
    if not clock:
        raise ValueError(f"{text!r} has no time of day: write {day}T00:00Z, or another time with Z or an offset")
    if not offset:
        raise ValueError(
            f"{text!r} does not say of which zone it is: put Z behind it for UTC, or an offset such as +01:00"
        )
    try:
        return _dated(datetime.fromisoformat(f"{day}T{clock}{offset.upper()}").astimezone(UTC).timestamp(), text)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no moment: {error}") from None


def _dated(at: float, text: str) -> float:
    if not 0 <= at <= LAST:
        raise ValueError(f"{text!r} lies outside the years 1970 to 9999")
    return at


def _nearest(clock: time, now: float, zone: tzinfo | None, *, ahead: bool) -> float:
    """Return the moment nearest to *now* at which clocks show *clock*, on the side that is asked for.

    A time that the clock leaves out in spring does not count that day; one that comes twice in autumn counts twice.
    """
    today = datetime.fromtimestamp(now, zone).date()
    days = [today + timedelta(days=step) for step in (range(-1, 4) if ahead else range(-3, 2))]
    found: list[float] = []
    for day in days:
        for fold in (0, 1):
            at = datetime.combine(day, clock, zone).replace(fold=fold).timestamp()
            shown = datetime.fromtimestamp(at, zone)
            if (shown.date(), shown.time().replace(fold=0)) == (day, clock):
                found.append(at)
    return min(at for at in found if at >= now) if ahead else max(at for at in found if at <= now)
