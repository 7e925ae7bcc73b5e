"""Every screen, letter by letter: at 80 and at 160 columns, and as a program reads it from a pipe.

``UPDATE_SCREENS=1 pytest …`` writes the files in ``screens`` anew; look at the difference before you keep it.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import past
from monitor.text import detail, listing, outcome, planmark, plantext, screen
from monitor.text.table import Page, width

HERE = Path(__file__).parent
NOW = 1_795_507_290.0
"""2026-11-24 08:01:30 UTC: a little after the documents were taken."""

Screen = Callable[[dict[str, Any], Page], Iterable[str]]

SCREENS: dict[str, Screen] = {
    "status": screen.status,
    "status-unknown": screen.status,
    "status-change": screen.status,
    "peers": screen.peers,
    "peers-bmp": screen.peers,
    "domains": screen.domains,
    "routes": screen.routes,
    "lookup": screen.lookup,
    "history": screen.history,
    "doctor": screen.doctor,
    "explain": detail.explain,
    "plan": plantext.plan,
    "plan-frozen": plantext.plan,
    "plan-one-of-two": plantext.plan,
    "plan-soaking": plantext.plan,
    "plan-rolled-back": plantext.plan,
    "frozen": outcome.frozen,
    "applied": outcome.decided,
    "approved-rolled-back": outcome.decided,
    "recorded": outcome.decided,
    "queued": outcome.decided,
    "rejected": outcome.decided,
    "extended": outcome.extended,
    "holds": outcome.holds,
    "held": outcome.held,
    "released": outcome.released,
    "paused": outcome.paused,
    "resumed": outcome.resumed,
    "plans": listing.plans,
    "comparison": listing.comparison,
    "windows": listing.windows,
    "openings": listing.openings,
    "judgement": listing.judgement,
    "explanation": listing.explanation,
    "events": listing.events,
    "verification": listing.verification,
    "verification-broken": listing.verification,
    "replayed": past.as_of,
    "reloaded": detail.reloaded,
    "withdrawn": detail.withdrawn,
}
PLANS = [name for name, face in SCREENS.items() if face is plantext.plan]
WHOLE = {
    "frozen", "status", "status-unknown", "status-change", "peers", "domains", "routes", "plans", "judgement", "events",
    "verification", "verification-broken", *PLANS,
}  # fmt: skip
"""Screens with a digest, which is to be copied as a whole, or with numbers, which are never cut."""

PAGES = {"80": Page(80), "160": Page(160), "pipe": Page(cuts=False)}


def document(name: str) -> dict[str, Any]:
    """An answer of the API, taken from the lab and shortened."""
    found: dict[str, Any] = json.loads((HERE / "documents" / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", SCREENS)
def test_screen(name: str, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    text = "".join(f"{line}\n" for line in SCREENS[name](document(name), PAGES[page]))
    file = HERE / "screens" / f"{name}.{page}.txt"
    if os.environ.get("UPDATE_SCREENS"):
        file.write_text(text)
    assert text == file.read_text()
    assert text.isascii()
    assert "\x1b" not in text
    assert not any(line != line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("name", PLANS)
def test_plan_as_markdown(name: str) -> None:
    text = planmark.markdown(document(name))
    file = HERE / "screens" / f"{name}.md"
    if os.environ.get("UPDATE_SCREENS"):
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("name", PLANS)
def test_every_row_of_a_table_in_markdown_has_as_many_cells_as_its_head(name: str) -> None:
    cells = 0
    for line in planmark.markdown(document(name)).splitlines():
        if not line.startswith("|"):
            cells = 0
            continue
        found = len(re.findall(r"(?<!\\)\|", line))
        assert found == (cells or found)
        cells = found


def test_what_somebody_must_see_who_decides_is_short_and_whole() -> None:
    text = "\n".join(plantext.essence(document("plan-one-of-two"), PAGES["80"]))
    for words in (
        "default-route: touched",
        "4,294,967,296",
        "alice@example.net",
        "1 of 2",
        "within 5m00s",
        "kept back",
    ):
        assert words in text
    assert "Operations" not in text
    assert len(text.splitlines()) < 60


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
@pytest.mark.parametrize("name", SCREENS)
def test_no_line_is_wider_than_the_terminal(name: str, columns: int) -> None:
    if name in WHOLE:
        columns = max(columns, 80)
    for line in SCREENS[name](document(name), Page(columns)):
        assert width(line) <= columns, line


def test_a_pipe_gets_every_column_and_every_cell_whole() -> None:
    lines = list(screen.routes(document("routes"), PAGES["pipe"]))
    assert lines[0].split() == [
        "PREFIX", "STATE", "DOMAIN", "TABLE", "METRIC", "PEER", "AGE", "REASON", "AS-PATH", "NEXT-HOPS",
    ]  # fmt: skip
    long = {"items": [{"prefix": "10.0.0.0/8", "state": "installed", "domain": "d" * 100, "peer": "192.0.2.1"}]}
    assert "d" * 100 in "\n".join(screen.routes(long, PAGES["pipe"]))
    assert "d" * 100 not in "\n".join(
        screen.status({"domains": [{"name": "d" * 100, "table": 101, "state": "complete"}]}, PAGES["80"])
    )


@pytest.mark.parametrize(
    ("said", "page"),
    [("100", Page(100)), ("20", Page(60)), ("0", Page(cuts=False)), ("", Page(cuts=False)), ("wide", Page(cuts=False))],
)
def test_columns_says_how_wide_the_page_is(
    said: str, page: Page, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", said)
    with (tmp_path / "file").open("w") as stream:
        assert Page.of(stream) == page


def test_a_terminal_says_how_wide_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    leader, follower = os.openpty()
    try:
        with os.fdopen(follower, "w") as terminal:
            assert Page.of(terminal) == Page(80), "a terminal that does not know is taken to have 80"
    finally:
        os.close(leader)
