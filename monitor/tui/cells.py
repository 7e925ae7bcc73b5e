"""Cells and phrases that several screens share.  Pure; every text from outside is clean."""

from datetime import UTC, datetime
from typing import Any

from monitor.text.table import NOTHING, clean, duration, number
from monitor.tui.column import Row
from monitor.tui.line import Line, Span, line

STATE_TOKENS = {
    "installed": "ok", "pending": "change", "add": "add", "change": "change", "remove": "delete", "failed": "bad",
    "held": "hold", "conflict": "bad", "foreign": "foreign", "drift": "bad", "gone": "muted",
}  # fmt: skip

FLAGS = {"installed": ">", "pending": ">", "add": "+", "change": "~", "remove": "-", "failed": "!", "held": "h",
         "conflict": "!", "foreign": ">", "drift": "!"}  # fmt: skip

LEGEND = "> in FIB  * ECMP  + add  ~ change  - delete  ! failed  h held  f foreign"

OP_TOKENS = {"+": "add", "~": "change", "-": "delete"}
RISK_TOKENS = {"low": "text", "med": "warn", "high": "bad"}

PLAN_TOKENS = {
    "live": "text", "frozen": "accent", "approved": "accent", "queued": "accent", "applying": "warn", "soaking": "warn",
    "confirmed": "ok", "applied": "ok", "rolled-back": "bad", "rolling-back": "bad", "failed": "bad", "rejected": "muted",
    "expired": "muted", "superseded": "muted",
}  # fmt: skip


def value(item: Row, name: str) -> str:
    """Return one of an item's values as text that may be drawn."""
    return clean(item.get(name))


def cell(name: str, token: str = "text") -> Any:
    """Return a cell that shows an item's value."""

    def show(row: Row) -> Span:
        return clean(row.get(name)), token

    return show


def count(name: str, token: str = "text", zero: str = "muted") -> Any:
    """Return a cell that shows a count; zero is quiet."""

    def show(row: Row) -> Span:
        value = row.get(name)
        return number(value), (zero if not value else token)

    return show


def seconds_of(value: object) -> float | None:
    """Return a moment (RFC 3339) as seconds since the epoch, None for anything else."""
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return None


def clock_time(value: object) -> str:
    """Return the time of day of a moment, in UTC."""
    at = seconds_of(value)
    return NOTHING if at is None else datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def age_text(seconds: float) -> str:
    """Return an age: from ten minutes on in minutes, so that a table of old routes is not drawn anew every second."""
    return f"{int(seconds) // 60}m" if 600 <= seconds < 3600 else duration(max(0.0, seconds))


def since(value: object, now: float) -> str:
    """Return how long ago a moment was."""
    at = seconds_of(value)
    return NOTHING if at is None else age_text(now - at)


def until(value: object, now: float) -> str:
    """Return how long it is to a moment: ``4m11s``."""
    at = seconds_of(value)
    return NOTHING if at is None else duration(max(0.0, at - now))


def mark(state: object) -> Line:
    """Return ``+1,204 ~2 -1`` of a summary, each in its colour; zeros are quiet."""
    found = state if isinstance(state, dict) else {}
    spans: list[str | Span] = []
    for glyph, name in (("+", "add"), ("~", "change"), ("-", "remove")):
        value = found.get(name) or 0
        spans += [(f"{glyph}{number(value)}", OP_TOKENS[glyph] if value else "muted"), " "]
    return line(*spans[:-1])


def changes(summary: object) -> int:
    """Return how many operations a summary counts."""
    return sum(many for many in summary.values() if isinstance(many, int)) if isinstance(summary, dict) else 0


def hops(row: Row) -> str:
    """Return ``198.51.100.1 +1`` of a row's next hops."""
    found = row.get("next_hops")
    if not isinstance(found, list) or not found:
        return NOTHING
    first = found[0] if isinstance(found[0], dict) else {}
    name = clean(first.get("address") or "direct")
    return f"{name} +{len(found) - 1}" if len(found) > 1 else name


def devices(row: Row) -> str:
    """Return the links of a row's next hops, each once."""
    found = row.get("next_hops")
    names = [clean(hop.get("interface")) for hop in found if isinstance(hop, dict)] if isinstance(found, list) else []
    return ",".join(dict.fromkeys(names)) or NOTHING


def flags(row: Row) -> Span:
    """Return where a route comes from and how it stands: ``B>*``."""
    state = str(row.get("state"))
    hops_found = row.get("next_hops")
    several = isinstance(hops_found, list) and len(hops_found) > 1
    sign = FLAGS.get(state, "?")
    return f"{'f' if state == 'foreign' else 'B'}{sign}{'*' if several else ''}", STATE_TOKENS.get(state, "text")


def state_cell(row: Row) -> Span:
    """Return a row's state as a word."""
    state = "gone" if row.get("gone") else str(row.get("state"))
    return clean(state), STATE_TOKENS.get(state, "text")


def age_cell(row: Row) -> Span:
    """Return how long ago the best path was last accepted."""
    age = row.get("age_seconds")
    return age_text(age) if isinstance(age, int | float) else "--", "text"


def path_cell(row: Row) -> Span:
    """Return the AS path, or what a foreign route is."""
    if row.get("state") == "foreign":
        return f"(foreign, protocol {clean(row.get('protocol'))})", "foreign"
    return clean(row.get("as_path")), "text"


def short_way(value: object) -> str:
    """Return ``198.51.100.1 eth0`` of ``via 198.51.100.1 dev eth0 metric 200``, for a cell; the detail says all of it."""
    words = clean(value)
    head, found, _ = words.rpartition(" metric ")
    return (head if found else words).replace("via ", "").replace(" dev ", " ").replace("direct", "")


def text_or_nothing(row: Row, name: str) -> str:
    """Return an item's value, or a blank where it has none."""
    return clean(row[name]) if row.get(name) else ""
