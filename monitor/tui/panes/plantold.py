"""A plan as lines: its state and flow, what moves, the checks, who agreed, the soak.  Pure."""

from typing import Any

from monitor.text.requirement import requirement
from monitor.text.table import clean, duration, number, operations
from monitor.tui.cells import PLAN_TOKENS, RISK_TOKENS, clock_time, mark, seconds_of, until, value
from monitor.tui.column import Row
from monitor.tui.line import Line, Span, bar, line, rule, spread, wrapped

FLOW = ("live", "frozen", "approvals", "window", "apply", "soak", "confirmed")

_AT = {"live": 0, "frozen": 2, "approved": 3, "queued": 3, "applying": 4, "soaking": 5, "confirmed": 6, "applied": 6}
"""Where in the flow a state waits."""

UNATTENDED = (
    "Nobody needs to keep this screen open: the daemon owns the timer. If this terminal, the pod or the API server goes away, "
    "or nobody confirms, the change is rolled back. A restart of the daemon rolls back first."
)

MARKS = {"ok": ("ok  ", "ok"), "look": ("!!  ", "warn"), "block": ("STOP", "bad")}


def head(document: dict[str, Any], change: dict[str, Any], columns: int, room: int, now: float) -> list[Line]:
    """Return what stands above the operations, in at most *room* lines; what matters most comes first."""
    state = str(document.get("state") or "live")
    if state in {"soaking", "applying", "rolling-back"}:
        return soak(document, columns, max(room, 12), now)
    found = [_title(document, columns), flow(document, change, columns)]
    if state == "live" and not document.get("operations"):
        waiting = change.get("waiting") or []
        return [*found, *(_waiting(item, now) for item in waiting[:3])]
    if state == "live":
        found += [_waiting(item, now) for item in (change.get("waiting") or [])[:2]]
        found += [_kept_out(item, now) for item in (change.get("holds") or [])[:2]]
    if document.get("detail"):
        found += list(wrapped(str(document["detail"]), columns - 1, "warn", line(" "), " "))[:2]
    if state in {"frozen", "approved", "queued"}:
        found += _asked(document, now, columns)
    elif state != "live":
        found += _became(document, columns)
    left = room - len(found)
    effect = document.get("effect") or {}
    checks = _checks(effect, columns)
    tables = _tables(effect, columns)
    if left > 2 and state in {"live", "frozen", "approved", "queued"}:
        found += checks[: max(1, left - 1 - min(len(tables), left // 2))]
        found += tables[: max(0, room - len(found) - 1)]
    del found[max(room, 3) - 1 :]
    if document.get("truncated"):
        shown = len(document.get("operations") or [])
        found.append(line((f" the first {number(shown)} of {number(document.get('total'))} operations:", "muted")))
    else:
        found.append(rule(columns))
    return found


def _title(document: dict[str, Any], columns: int) -> Line:
    state = str(document.get("state") or "live")
    name = f" PLAN #{clean(document.get('number'))}  "
    if state == "live":
        word: Span = ("live, not frozen", "text")
    else:
        word = (clean(state).upper(), PLAN_TOKENS.get(state, "text"))
    left = line((name, "title"), word, "  ", *mark(document.get("summary")))
    if document.get("short"):
        left = (*left, *line(("  digest ", "muted"), (clean(document["short"]), "accent")))
    if document.get("kind") == "rollback" or document.get("rolls_back"):
        left = (*left, *line((f"  the way back from #{clean(document.get('rolls_back'))}", "warn")))
    risk = _risk(document)
    right = line(("RISK ", "head"), (clean(risk).upper(), RISK_TOKENS.get(risk, "text")), " ") if risk else ()
    return spread(left, right, columns)


def _risk(document: dict[str, Any]) -> str:
    if document.get("risk"):
        return str(document["risk"])
    risks = [str(row.get("risk")) for row in document.get("operations") or []]
    return next((risk for risk in ("high", "med", "low") if risk in risks), "")


def flow(document: dict[str, Any], change: dict[str, Any], columns: int = 120) -> Line:
    """Return the way that a plan goes, with the place where it is."""
    state = str(document.get("state") or "live")
    at = _AT.get(state, -1)
    given = document.get("approvals") or {}
    window = document.get("window") or change.get("window") or {}
    soak_terms = document.get("soak") or {}
    words = {
        "approvals": f"approvals {clean(given.get('have'))}/{clean(given.get('need'))}" if given else "approvals",
        "window": "window OPEN" if window.get("open") else "window shut",
        "soak": f"soak {duration(soak_terms.get('seconds'))}" if soak_terms.get("seconds") else "soak",
    }
    spans: list[str | Span] = [(" FLOW ", "head")]
    for place, name in enumerate(FLOW):
        if name == "soak" and "soak" in document and not soak_terms:
            continue
        word = words.get(name, name)
        token = "here" if place == at else "text" if 0 <= place < at else "muted"
        spans += [(word, token), (" > " if columns >= 90 else ">", "muted") if name != FLOW[-1] else ""]
    if at < 0 and columns >= 90:
        spans += [("  ", "text"), (state, PLAN_TOKENS.get(state, "text"))]
    return line(*spans)


def _waiting(item: dict[str, Any], now: float) -> Line:
    ends = until(item.get("expires_at"), now)
    words = f" plan #{value(item, 'number')} is {value(item, 'state')}, expires in {ends}: l lists the frozen plans"
    return line((words, "accent"))


def _kept_out(item: dict[str, Any], now: float) -> Line:
    ends = until(item.get("until"), now)
    words = f" hold {value(item, 'id')} keeps {value(item, 'filter')} out for {ends}: {value(item, 'reason')}"
    return line((words, "hold"))


def _asked(document: dict[str, Any], now: float, columns: int) -> list[Line]:
    given = document.get("approvals") or {}
    words = requirement(document.get("requirement"))
    found = []
    missing = given.get("missing")
    left = line(
        (" NEEDS  ", "head"), words or "nobody", (f"; still missing: {clean(missing)}" if missing else "", "warn")
    )
    found.append(spread(left, line((f"expires in {until(document.get('expires_at'), now)} ", "warn")), columns))
    window = document.get("window") or {}
    if window and not window.get("open") and document.get("state") != "queued":
        found.append(line((" WINDOW ", "head"), (clean(window.get("text")), "warn")))
    return found + [line(" ", _counts(item), voice(item)) for item in (given.get("items") or [])[:3]]


def _counts(item: dict[str, Any]) -> Span:
    return ("✓ ", "ok") if item.get("counts") else ("! ", "warn")


def voice(item: dict[str, Any]) -> str:
    """Return who said what and how that is known."""
    words = f"{clean(item.get('principal'))} {clean(item.get('act'))} {clock_time(item.get('at'))} ({clean(item.get('method'))})"
    words += f" {clean(item['ticket'])}" if item.get("ticket") else ""
    return words + (f' "{clean(item["comment"])}"' if item.get("comment") else "")


def _checks(effect: dict[str, Any], columns: int) -> list[Line]:
    found: list[Line] = []
    order = {"block": 0, "look": 1, "ok": 2}
    items = sorted(effect.get("checks") or [], key=lambda item: order.get(str(item.get("verdict")), 1))
    good = [item for item in items if item.get("verdict") == "ok"]
    for item in items:
        if item.get("verdict") != "ok":
            sign = MARKS.get(str(item.get("verdict")), ("??  ", "warn"))
            found += list(
                wrapped(
                    str(item.get("text")),
                    columns - 1,
                    "text",
                    line((" ", "text"), sign, (f"{clean(item.get('check'))}: ", "warn")),
                    "      ",
                )
            )[:2]
    if good:
        names = ", ".join(clean(item.get("check")) for item in good)
        found += list(wrapped(names, columns - 1, "muted", line(" ", ("ok  ", "ok")), "      "))[:2]
    return found


def _tables(effect: dict[str, Any], columns: int) -> list[Line]:
    found: list[Line] = []
    if effect.get("moved"):
        found.append(line((" MOVES  ", "head"), clean(effect["moved"])))
    for table in effect.get("tables") or []:
        percent = table.get("percent")
        share = f"{percent:.3g}%" if isinstance(percent, int | float) else ""
        where = f"  {value(table, 'domain'):<10} {value(table, 'table'):>5} {value(table, 'family'):<5} "
        size = f"  {number(table.get('routes_before'))} → {number(table.get('routes_after'))} {share}"
        left = line(where, *mark(table), size)
        default = str(table.get("default_route") or "")
        right = line(("default route ", "muted"), (clean(default), "muted" if default == "unchanged" else "bad"), " ")
        found.append(spread(left, right, columns) if default == "unchanged" or columns > 110 else left)
        if default != "unchanged" and default and columns <= 110:
            found.append(line(("    default route ", "muted"), (clean(default), "bad")))
        for load in (table.get("load") or [])[:4]:
            before, after = load.get("routes_before") or 0, load.get("routes_after") or 0
            if before != after:
                note = f"  {clean(load['note'])}" if load.get("note") else ""
                hop = f"    via {value(load, 'next_hop')} {value(load, 'interface')}"
                found.append(line(f"{hop}: {number(before)} → {number(after)} routes", (note, "warn")))
    return found


def _became(document: dict[str, Any], columns: int) -> list[Line]:
    progress = document.get("progress") or {}
    found: list[Line] = []
    for item in (progress.get("log") or [])[-6:]:
        found += list(
            wrapped(
                str(item.get("text")), columns - 1, "text", line((f" {clock_time(item.get('at'))} ", "muted")), " " * 10
            )
        )
    reverted = progress.get("reverted") or {}
    if reverted:
        good = reverted.get("clean") is True
        words = f" taken back: {operations(reverted.get('done') or 0)}, "
        found.append(
            line(words, ("everything is as it was before", "ok") if good else ("NOT everything is as it was", "bad"))
        )
    return found


def soak(document: dict[str, Any], columns: int, room: int, now: float) -> list[Line]:
    """Return the screen of a change that is being written, or waits to be confirmed."""
    progress = document.get("progress") or {}
    state = str(document.get("state"))
    found = [_title(document, columns)]
    end = seconds_of(progress.get("deadline"))
    terms = document.get("soak") or {}
    whole = terms.get("seconds") or 0
    if end is not None:
        left = max(0.0, end - now)
        share = left / whole if whole else 0.0
        length = max(10, columns - 42)
        token = "bad" if left < 60 else "warn"
        found.append(
            line(
                (" TIME LEFT  ", "head"),
                (bar(share, length), token),
                (f"  {duration(left)}", "title"),
                f" of {duration(whole)}",
            )
        )
        words = f" ROLLS BACK at {clock_time(progress['deadline'])}Z unless somebody confirms (C); R takes it back now"
        found += [line((words, token))]
    probes = document.get("probes") or []
    if probes:
        found.append(rule(columns, "PROBES"))
        for item in probes:
            verdict = str(item.get("verdict"))
            good = verdict in {"ok", "recovered"}
            left_part = line(
                (" ok " if good else " !! ", "ok" if good else "bad"),
                f"{clean(item.get('name')):<14} {clean(item.get('kind')):<5} {clean(item.get('target'))}",
            )
            look = item.get("now") or {}
            ms = look.get("milliseconds")
            timed = f"{ms:.1f} ms  " if isinstance(ms, int | float) and look.get("ok") else ""
            right = line(
                timed,
                f"{number(item.get('good'))}/{number(item.get('total'))}  ",
                (clean(verdict), "ok" if good else "bad"),
                " ",
            )
            found.append(spread(left_part, right, columns))
    found.append(rule(columns, "SO FAR"))
    for item in (progress.get("log") or [])[-4:]:
        found += list(
            wrapped(
                str(item.get("text")), columns - 1, "text", line((f" {clock_time(item.get('at'))} ", "muted")), " " * 10
            )
        )[:2]
    if state == "soaking":
        told = list(wrapped(UNATTENDED, columns - 2, "muted", line(" "), " "))
        # All of it or nothing: a sentence that ends in the middle helps nobody.
        found += told if len(found) + len(told) < room else []
    return [*found[: room - 1], rule(columns)]


def detail(row: Row, columns: int, room: int) -> list[Line]:
    """Return one operation in full."""
    what = f"{value(row, 'op')} {clean(row.get('prefix') or 'policy rule')}"
    found = [rule(columns, f"{what} in {value(row, 'domain')}, table {value(row, 'table')}")]
    for name, key, nothing in (
        ("now", "before", "no route"),
        ("then", "after", "no route"),
        ("effect", "effect", ""),
        ("why", "reason", ""),
    ):
        text = str(row.get(key) or nothing)
        if text:
            found += list(wrapped(text, columns - 1, "text", line((f" {name:<7}", "head")), " " * 8))[:2]
    decision = f"{value(row, 'decision')}, by rule {value(row, 'rule')}, class {value(row, 'class')}, risk {value(row, 'risk')}"
    found.append(line((" asks   ", "head"), (decision, "muted")))
    if row.get("held"):
        found.append(line((f" kept back by hold {clean(row['held'])}", "hold")))
    return found[:room]


def people(document: dict[str, Any], columns: int) -> list[Line]:
    """Return who agreed, and what happens once enough people have."""
    given = document.get("approvals") or {}
    found = [rule(columns, f"APPROVALS {clean(given.get('have'))} of {clean(given.get('need'))}")]
    for item in (given.get("items") or [])[:4]:
        found += list(
            wrapped(
                voice(item),
                columns,
                "text",
                line(("✓ " if item.get("counts") else "! ", "ok" if item.get("counts") else "warn")),
                "  ",
            )
        )[:2]
    if not given.get("items"):
        found.append(line(("nobody yet", "muted")))
    if given.get("missing"):
        found += list(wrapped(f"still missing: {given['missing']}", columns, "warn"))[:2]
    terms = document.get("soak") or {}
    if terms.get("seconds"):
        probes = ", ".join(clean(probe.get("name")) for probe in terms.get("probes") or []) or "none"
        found += list(
            wrapped(f"then: applied, soaks {duration(terms['seconds'])}, probes: {probes}", columns, "muted")
        )[:2]
    elif "soak" in document:
        found.append(line(("then: applied at once, no soak", "warn")))
    return found
