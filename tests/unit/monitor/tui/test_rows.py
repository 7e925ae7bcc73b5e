"""Rows behind a table: those that are here, and windows on a view that a daemon holds."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import DaemonUnreachable, MonitorError
from monitor.tui.rows import MOST_PAGES, PAGE, LocalRows, WindowRows, key_of
from tests.support import fake_node as node
from tests.support import fake_routes
from tests.support.fake_daemon import FakeDaemon, FakeViews
from tests.support.wait import until


class Asked:
    """A daemon that is called on the loop, and the rows that ask it."""

    def __init__(self, count: int) -> None:
        self.daemon = FakeDaemon()
        self.views = FakeViews(fake_routes.routes(count) if count < 2000 else numbered(count), node.at(0)).install(
            self.daemon
        )
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.changed = 0
        self.failures: list[MonitorError] = []
        self.rows = WindowRows(self.ask, self._changed, self.failures.append)

    async def ask(self, call: str, **arguments: Any) -> dict[str, Any]:
        self.calls.append((call, arguments))
        await asyncio.sleep(0)
        answer = self.daemon.answers[call]
        if isinstance(answer, Exception):
            raise answer
        made: Callable[..., dict[str, Any]] = answer  # type: ignore[assignment]
        return made(**arguments)

    def _changed(self) -> None:
        self.changed += 1

    @property
    def pages(self) -> list[int]:
        return [arguments["first"] // PAGE for call, arguments in self.calls if call == "window"]

    async def rests(self) -> None:
        await until(lambda: self.rows._task is None and self.rows.settled, every=0.001)


def numbered(count: int) -> list[dict[str, Any]]:
    base = fake_routes.route(0)
    return [base | {"key": f"102 {number}", "number": number} for number in range(count)]


@given(st.lists(st.text("abc", max_size=3), unique=True))
def test_local_rows_are_found_by_their_keys(keys: list[str]) -> None:
    rows = LocalRows([{"key": key} for key in keys])
    assert rows.total == len(keys)
    for index, key in enumerate(keys):
        assert rows.index_of(key) == index
        assert key_of(rows.row(index)) == key
    assert rows.row(-1) is None
    assert rows.row(len(keys)) is None
    assert rows.index_of("nobody") == -1
    assert key_of(None) == ""


async def test_a_window_shows_the_rows_of_the_daemon() -> None:
    asked = Asked(300)
    asked.rows.open(filter_text="", sort="prefix")
    await asked.rests()
    assert asked.rows.total == len(asked.views.rows)
    assert asked.rows.complete
    assert asked.rows.row(0) == asked.views.rows[0]
    assert asked.rows.row(asked.rows.total) is None
    assert asked.changed
    assert not asked.failures


async def test_a_page_is_asked_for_ahead_and_behind() -> None:
    asked = Asked(5_000)
    asked.rows.open()
    await asked.rests()
    asked.calls.clear()
    asked.rows.need(20 * PAGE, 30)
    await asked.rests()
    assert asked.pages == [20, 21, 19], "what is shown comes first"
    assert asked.rows.row(20 * PAGE + 7) == asked.views.rows[20 * PAGE + 7]


async def test_a_row_that_is_not_here_is_nothing_until_it_comes() -> None:
    asked = Asked(5_000)
    asked.rows.open()
    await asked.rests()
    assert asked.rows.row(4_000) is None
    asked.rows.need(4_000, 20)
    assert asked.rows.row(4_000) is None
    await asked.rests()
    assert asked.rows.row(4_000) == asked.views.rows[4_000]


@pytest.mark.parametrize("step", [1, 3, -1])
async def test_no_more_pages_are_kept_than_may_be(step: int) -> None:
    asked = Asked(64 * 60)
    asked.rows.open()
    await asked.rests()
    for turn in range(40):
        asked.rows.need((turn * step % 58) * PAGE, 40)
        await asked.rests()
        assert len(asked.rows._pages) <= MOST_PAGES
    assert len(asked.rows._places) <= MOST_PAGES * PAGE


async def test_keys_of_pages_that_were_given_up_are_forgotten() -> None:
    asked = Asked(64 * 60)
    asked.rows.open()
    await asked.rests()
    for page in range(0, 58, 2):
        asked.rows.need(page * PAGE, 40)
        await asked.rests()
    assert asked.rows.index_of("102 0") == -1
    assert asked.rows.row(0) is None
    asked.rows.need(0, 40)
    await asked.rests()
    assert asked.rows.index_of("102 0") == 0


async def test_a_view_that_the_daemon_dropped_is_opened_anew() -> None:
    asked = Asked(1_000)
    asked.rows.open(sort="age")
    await asked.rests()
    first = asked.rows.view
    asked.views.forget()
    asked.rows.renew()
    await until(lambda: asked.rows.view not in {0, first}, every=0.001)
    await asked.rests()
    opened = [arguments for call, arguments in asked.calls if call == "view"]
    assert len(opened) == 2
    assert opened[1]["sort"] == "age", "it is the same view"
    assert asked.rows.row(0) is not None
    assert not asked.failures


async def test_an_error_is_told_and_the_rows_stay() -> None:
    asked = Asked(1_000)
    asked.rows.open()
    await asked.rests()
    kept = asked.rows.row(0)
    asked.daemon.answers["window"] = DaemonUnreachable("no daemon answers")
    asked.rows.renew()
    await asked.rests()
    assert [str(error) for error in asked.failures] == ["no daemon answers"]
    assert asked.rows.row(0) == kept
    asked.daemon.answers["window"] = asked.views.window
    asked.rows.renew()
    await asked.rests()
    assert len(asked.failures) == 1


async def test_a_view_that_cannot_be_opened_is_told() -> None:
    asked = Asked(10)
    asked.rows.open(filter_text="state=")
    await asked.rests()
    assert len(asked.failures) == 1
    assert asked.rows.view == 0


async def test_rows_around_a_key_come_with_the_place_of_it() -> None:
    asked = Asked(5_000)
    places: list[int] = []
    asked.rows.open(around="102 3000", then=places.append)
    await asked.rests()
    assert places == [3_000]
    asked.rows.need(places[0] - 10, 30)
    await asked.rests()
    assert key_of(asked.rows.row(3_000)) == "102 3000"


async def test_a_new_view_takes_the_place_of_the_old_one() -> None:
    asked = Asked(1_000)
    asked.rows.open()
    await asked.rests()
    for name in ("age", "state", "lp"):
        asked.rows.open(sort=name)
        await asked.rests()
    assert asked.views.open_views == [asked.rows.view], "none is left behind"


async def test_who_opens_again_and_again_gets_the_last_view() -> None:
    asked = Asked(1_000)
    for name in ("state=held", "state=add", "state=failed"):
        asked.rows.open(filter_text=name)
    await asked.rests()
    assert {row["state"] for index in range(asked.rows.total) if (row := asked.rows.row(index))} == {"failed"}


async def test_an_empty_view_is_complete() -> None:
    asked = Asked(0)
    asked.rows.open()
    await asked.rests()
    assert (asked.rows.total, asked.rows.complete, asked.rows.row(0)) == (0, True, None)


async def test_a_closed_window_asks_for_nothing_more() -> None:
    asked = Asked(1_000)
    asked.rows.open()
    await asked.rows.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asked.calls == []


@pytest.mark.parametrize("there", [True, False])
async def test_a_row_that_has_no_place_before_the_view_is_complete_is_found_then(there: bool) -> None:
    asked = Asked(5_000)
    asked.views.found_each = 2_000
    key = key_of(asked.views.rows[4_321]) if there else "102 nobody"
    places: list[int] = []

    def placed(place: int) -> None:
        places.append(place)
        asked.rows.need(max(0, place - 10), 30)

    asked.rows.open(key, then=placed)
    await asked.rests()
    assert not asked.rows.complete
    assert len(places) == 1, "somewhere, for now"
    (view, (items, _)), *_ = asked.views._views.items()
    asked.views._views[view] = items, len(items)
    asked.rows.renew()
    await asked.rests()
    assert asked.rows.complete
    assert len(places) == 2
    assert not there or places[1] == 4_321 == asked.rows.index_of(key)
    asked.rows.renew()
    await asked.rests()
    assert len(places) == 2, "once"
