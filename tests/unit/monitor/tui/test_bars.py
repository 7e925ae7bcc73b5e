"""The lines around every screen: never wider than the window."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tui import bars
from monitor.tui.line import plain, size
from monitor.tui.registry import PANES
from tests.support import fake_node as node

STATUSES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "busy": node.status(),
    "soaking": node.status(change=node.change(in_flight=node.soaking())),
    "waiting": node.status(change=node.change(waiting=[node.waiting()])),
    "paused": node.status(change=node.change(paused={"reason": "x"}, break_glass="x"), simulated=True, ready=False),
    "long": node.status(node="node-" + "x" * 80, sources=[{"name": "s" * 60, "state": "connecting"}]),
}
PLACES = (
    *((name, "table", "all") for name in PANES),
    *((state, "plan", "table", "all") for state in ("plan-live", "plan-soaking", "plan-done")),
    ("plan-waiting", "plan-frozen", "plan", "table", "all"),
    ("route", "table", "all"),
)
STATUS = st.sampled_from(list(STATUSES.values()))
COLUMNS = st.integers(20, 200)


@given(STATUS, COLUMNS, st.none() | st.floats(0, 1e6), st.sampled_from(["", "unlocked alice 10m"]),
       st.none() | st.tuples(st.floats(0, 1e5), st.integers(0, 10_000)))  # fmt: skip
def test_the_header_is_no_wider_than_the_window(
    status: dict[str, Any], columns: int, lost: float | None, unlocked: str, still: tuple[float, int] | None
) -> None:
    found = bars.header(status, lost=lost, unlocked=unlocked, still=still, now=node.NOW, columns=columns)
    assert size(found) <= columns


@given(STATUS, COLUMNS, st.sampled_from(PANES), st.sampled_from(["", "Routes > internet > 2001:db8:1234::/48"]))
def test_the_tabs_are_no_wider_than_the_window(status: dict[str, Any], columns: int, here: str, crumbs: str) -> None:
    assert size(bars.tabs(here, status, crumbs, columns)) <= columns


@given(st.sampled_from(PLACES), COLUMNS, st.integers(1, 99), st.booleans())
def test_the_footer_is_no_wider_than_the_window_and_has_no_more_keys_than_asked(
    places: tuple[str, ...], columns: int, most: int, locked: bool
) -> None:
    found = bars.footer(places, locked=locked, columns=columns, most=most)
    assert size(found) <= columns
    keys = [text for text, token in found if token == "key"]
    assert len(keys) <= most + 1, "help is always there"
    assert keys[-1] == "[?]"


@given(STATUS, COLUMNS, st.none() | st.floats(0, 1e6))
def test_the_summary_is_no_wider_than_the_window(status: dict[str, Any], columns: int, lost: float | None) -> None:
    assert all(size(found) <= columns for found in bars.summary(status, lost, columns))


def test_a_lost_daemon_takes_the_place_of_everything_but_the_node() -> None:
    found = plain(bars.header(node.status(), lost=12, unlocked="", still=None, now=node.NOW, columns=100))
    assert "DAEMON GONE 12s" in found
    assert "APPROVE" not in found
    assert node.NODE in found


def test_a_change_that_soaks_is_counted_down_in_the_header() -> None:
    status = STATUSES["soaking"]
    found = plain(bars.header(status, lost=None, unlocked="", still=None, now=node.NOW, columns=100))
    assert "#4 soaking: ROLLS BACK IN 4m10s unless confirmed" in found
    past = plain(bars.header(status, lost=None, unlocked="", still=None, now=node.NOW + 900, columns=100))
    assert "IN 0s" in past


@pytest.mark.parametrize("here", PANES)
def test_the_screen_that_is_shown_is_marked(here: str) -> None:
    wide = bars.tabs(here, {}, "", 120)
    assert [text for text, token in wide if token == "here"] == [bars.SHORT[here]]
    narrow = bars.tabs(here, node.status(), "", 40)
    assert f">{PANES.index(here) + 1} {here.capitalize()}" in plain(narrow)


def test_the_tab_of_the_plan_says_what_waits_there() -> None:
    assert "Plan!12k" in plain(bars.tabs("peers", node.status(), "", 120))
    assert "Plan#4?" in plain(bars.tabs("peers", STATUSES["waiting"], "", 120))
    assert "Plan#4!" in plain(bars.tabs("peers", STATUSES["soaking"], "", 120))


def test_what_changes_something_is_marked_while_the_screen_is_locked() -> None:
    places = ("plan-waiting", "plan-frozen", "plan", "table", "all")
    locked = plain(bars.footer(places, locked=True, columns=200, most=99))
    assert "[A]approve (locked)" in locked
    assert "[W]unlock" in locked
    unlocked = plain(bars.footer(places, locked=False, columns=200, most=99))
    assert "(locked)" not in unlocked
    assert "[W]lock" in unlocked


def test_help_has_every_action_once() -> None:
    rows = bars.help_rows(("routes", "table", "all"), everything=True)
    names = [row["key"] for row in rows]
    assert len(names) == len(set(names))
