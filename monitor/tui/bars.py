"""The lines that frame every screen: the node's state, the screens, and the keys that work here.  Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from monitor.text.table import clean, duration, number
from monitor.tui.cells import changes, seconds_of
from monitor.tui.line import Line, Span, cut, line, size, spread
from monitor.tui.registry import ACTIONS, PANES, Action, at, key_word

NARROW = 80
"""Columns under which the screens' names shrink to the one that is shown."""

SHORT = {"overview": "Over", "peers": "Peers", "domains": "Domains", "routes": "Routes", "plan": "Plan", "events": "Events",
         "lookup": "Lookup", "health": "Health"}  # fmt: skip


def header(
    status: dict[str, Any],
    *,
    lost: float | None,
    unlocked: str,
    still: tuple[float, int] | None,
    now: float,
    columns: int,
) -> Line:
    """Return the first line: node, sources, mode, lock, window, clock; what is alarming takes the place of the rest.

    *lost*: seconds since the daemon answered; *unlocked*: how it is unlocked, empty while locked; *still*: for how long the
    display has been held, and how many records came meanwhile.
    """
    change = status.get("change") or {}
    clock = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%SZ")
    spans: list[str | Span] = [("bgpmon ", "title") if columns >= NARROW else "", clean(status.get("node") or "?")]
    bar: Span = (" │ ", "muted")
    if status.get("simulated"):
        spans += [bar, ("DEMO: simulated" if columns >= 100 else "DEMO", "warn")]
    if lost is not None:
        spans += [bar, (f"!! DAEMON GONE {duration(lost)}, trying", "bad")]
        return spread(line(*spans), line((clock, "muted")), columns)
    flight = change.get("in_flight")
    if flight:
        end = seconds_of(flight.get("deadline"))
        name = f"#{clean(flight.get('number'))} {clean(flight.get('state'))}"
        left = f"{name}: ROLLS BACK IN {duration(max(0, end - now))}" if end is not None else name
        words = f"{left} unless confirmed" if end is not None and columns >= 100 else left
        spans += [bar, (words, "bad")]
        return spread(line(*spans), line((clock, "muted")), columns)
    if change.get("break_glass"):
        spans += [bar, ("!! GLASS WAS BROKEN", "bad")]
    if not status:
        spans += [bar, ("waiting for the daemon", "muted")]
        return spread(line(*spans), line((clock, "muted")), columns)
    sources = status.get("sources") or []
    away = [clean(source.get("name")) for source in sources if source.get("state") != "connected"]
    spans += [
        bar,
        (f"!! {', '.join(away)} away", "bad")
        if away
        else (f"{', '.join(clean(source.get('name')) for source in sources)} up", "text"),
    ]
    if not status.get("ready"):
        spans += [bar, ("filling", "warn")]
    mode = str(status.get("mode") or "").upper()
    if change.get("paused"):
        spans += [bar, ("PAUSED", "bad")]
    spans += [bar, (mode, "head"), " ", (unlocked, "warn") if unlocked else ("locked", "muted")]
    if still is not None:
        spans += [bar, (f"HELD STILL {duration(still[0])}, {number(still[1])} events since (f)", "warn")]
    window = change.get("window") or {}
    if mode == "APPROVE" and window.get("text") and window["text"] != "open: no windows are configured":
        words = clean(window["text"]) if columns >= 120 else f"window {'OPEN' if window.get('open') else 'shut'}"
        spans += [bar, (words, "ok" if window.get("open") else "muted")]
    return spread(line(*spans), line((clock, "muted")), columns)


def tabs(here: str, status: dict[str, Any], crumbs: str, columns: int) -> Line:
    """Return the second line: the screens by number, and where this is."""
    if crumbs:
        return spread(
            cut(line(" ", (crumbs, "title")), columns - 18),
            line(("[esc]", "key"), "back  ", ("?", "key"), " help "),
            columns,
        )
    pending = changes((status.get("plan") or {}).get("summary"))
    change = status.get("change") or {}
    waiting = change.get("waiting") or []
    spans: list[str | Span] = []
    for place, name in enumerate(PANES, 1):
        word = SHORT[name]
        token = "text"
        if name == "plan" and (change.get("in_flight") or waiting or pending):
            word += f"#{clean((change['in_flight'] or {}).get('number'))}!" if change.get("in_flight") else (
                f"#{clean(waiting[0].get('number'))}?" if waiting else f"!{_short(pending)}")  # fmt: skip
            token = "warn"
        if name == here:
            spans += [(f">{place} ", "accent"), (word, "here"), " "]
        else:
            spans += [(f" {place} ", "muted"), (word, token), " "]
    found = line(*spans)
    if columns < NARROW and size(found) > columns:
        found = line(
            (f">{PANES.index(here) + 1} " if here in PANES else "", "accent"),
            (here.capitalize(), "here"),
            ("  1-8 screens", "muted"),
        )
    return spread(found, line(("?", "key"), " help ") if columns - size(found) > 7 else (), columns)


def _short(count: int) -> str:
    """Return a count in at most four characters."""
    if count < 1000:
        return str(count)
    if count < 1_000_000:
        return f"{count // 1000}k"
    return f"{count / 1e6:.1f}M" if count < 10_000_000 else f"{count // 1_000_000}M"


def footer(places: Sequence[str], *, locked: bool, columns: int, most: int) -> Line:
    """Return the last line: the most useful keys here, at most *most* of them."""
    found: dict[str, Action] = {}
    for action in at(places).values():
        if action.rank:
            found.setdefault(action.name, action)
    ordered = sorted(found.values(), key=lambda action: -action.rank)
    spans: list[Span] = []
    shown = 0
    tail = [("[?]", "key"), ("help", "text")]
    for action in ordered:
        if action.name == "help" or shown >= most:
            continue
        word = action.word if action.name != "lock" or locked else "lock"
        if action.changes and locked:
            word = f"{word} (locked)"
        part: list[Span] = [
            (f"[{key_word(action.keys[0])}]", "key"),
            (f"{word} ", "muted" if action.changes and locked else "text"),
        ]
        if size([*spans, *part, *tail]) > columns:
            continue
        spans += part
        shown += 1
    return (*spans, *tail)


def summary(status: dict[str, Any], lost: float | None, columns: int) -> list[Line]:
    """Return the state of the node for a window that is too small for any screen."""
    peers = status.get("peers") or {}
    plan = (status.get("plan") or {}).get("summary") or {}
    bad = lost is not None or bool(peers.get("down"))
    parts: list[Span] = [("!!", "bad")] if bad else []
    parts += [("DAEMON GONE", "bad")] if lost is not None else []
    parts += [("DEMO", "warn")] if status.get("simulated") else []
    parts += [
        (clean(status.get("node") or "?"), "text"), (clean(status.get("mode") or "?").upper(), "head"),
        (f"peers {number(peers.get('up') or 0)}/{number(peers.get('total') or 0)}", "text"),
        (f"plan +{_short(plan.get('add') or 0)}~{_short(plan.get('change') or 0)}-{_short(plan.get('remove') or 0)}", "text"),
        ("window too small", "warn"),
    ]  # fmt: skip
    found: list[Line] = [()]
    for part in parts:
        if found[-1] and size((*found[-1], part)) + 1 > columns:
            found.append(())
        found[-1] = (*found[-1], (" ", "text"), part) if found[-1] else (part,)
    return [cut(one, columns) for one in found]


def help_rows(places: Sequence[str], *, everything: bool) -> list[dict[str, Any]]:
    """Return what works here, or everything, as rows for a list."""
    actions: Iterable[Action] = (
        ACTIONS if everything else {action.name: action for action in at(places).values()}.values()
    )
    found = []
    for action in actions:
        keys = " ".join(key_word(key) for key in action.keys)
        where = f"{', '.join(action.where)}: " if everything else ""
        found.append(
            {
                "key": action.name,
                "name": keys,
                "text": f"{where}{action.text}{' (changes something)' if action.changes else ''}",
            }
        )
    return found
