"""The table: its cursor stays on the route, whatever comes and goes around it."""

from collections.abc import AsyncIterator, Sequence

import pytest
from textual.app import App, ComposeResult

from monitor.tui.column import Column
from monitor.tui.lines import Painter
from monitor.tui.looks import Looks
from monitor.tui.rows import LocalRows
from monitor.tui.table import Table

PAGE = 9
COLUMNS = [Column("NAME", lambda row: (str(row["key"]), "text"), 4, 20, 0, sort="name")]


class Small(App[None]):
    """A table and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table(Painter(Looks()), COLUMNS, empty="nothing here")
        self.moved = 0
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_table_moved(self, _: Table.Moved) -> None:
        self.moved += 1

    def on_table_chosen(self, message: Table.Chosen) -> None:
        self.opened.append(str(message.row["key"]))


def rows(keys: Sequence[object]) -> LocalRows:
    return LocalRows([{"key": str(key)} for key in keys])


@pytest.fixture
async def small() -> AsyncIterator[Small]:
    app = Small()
    async with app.run_test(size=(30, PAGE + 1)) as pilot:
        await pilot.pause(0)
        app.table.take(rows(range(100)))
        yield app


def place(table: Table) -> tuple[str, int]:
    """The row under the cursor, and its line in the window."""
    assert table.row is not None
    return table.row["key"], table.cursor - table.first


def text(table: Table, y: int) -> str:
    return table.render_line(y).text.rstrip()


async def test_it_begins_with_the_first_row(small: Small) -> None:
    assert place(small.table) == ("0", 0)
    assert small.table.page == PAGE
    assert [text(small.table, y) for y in range(3)] == ["NAME", "0", "1"]


async def test_the_cursor_stays_on_its_row_when_rows_come_above(small: Small) -> None:
    small.table.move_to(50)
    before = place(small.table)
    small.table.take(rows(["a", "b", "c", *range(100)]))
    assert place(small.table) == before
    assert small.table.cursor == 53


async def test_the_cursor_stays_on_its_row_when_rows_above_go(small: Small) -> None:
    small.table.move_to(50)
    before = place(small.table)
    small.table.take(rows(range(20, 100)))
    assert place(small.table) == before
    assert small.table.cursor == 30


async def test_the_cursor_stays_on_its_row_when_the_order_turns(small: Small) -> None:
    small.table.move_to(50)
    small.table.take(rows(range(99, -1, -1)))
    assert small.table.row == {"key": "50"}
    assert small.table.first <= small.table.cursor < small.table.first + PAGE


async def test_a_row_that_goes_leaves_the_cursor_at_its_place(small: Small) -> None:
    small.table.move_to(50)
    small.table.take(rows([key for key in range(100) if key != 50]))
    assert place(small.table)[0] == "51"


async def test_the_last_row_may_go(small: Small) -> None:
    small.table.move_to(99)
    small.table.take(rows(range(40)))
    assert place(small.table) == ("39", PAGE - 1)


async def test_everything_may_go_and_come_again(small: Small) -> None:
    small.table.move_to(50)
    small.table.take(rows([]))
    assert small.table.row is None
    assert text(small.table, 1) == " nothing here"
    small.table.take(rows(range(100)))
    assert small.table.row is not None


async def test_nothing_is_said_of_rows_that_were_not_heard_of(small: Small) -> None:
    small.table.take(LocalRows(complete=False))
    assert text(small.table, 1) == ""


async def test_it_moves_within_its_bounds(small: Small) -> None:
    table = small.table
    for by, where in ((-1, 0), (1, 1), (PAGE, PAGE + 1), (-500, 0), (500, 99), (1, 99)):
        table.move(by)
        assert table.cursor == where
        assert table.first <= table.cursor < table.first + PAGE
        assert 0 <= table.first <= 100 - PAGE


async def test_the_window_follows_the_cursor_no_further_than_needed(small: Small) -> None:
    small.table.move_to(PAGE - 1)
    assert small.table.first == 0
    small.table.move(1)
    assert small.table.first == 1
    small.table.move(-1)
    assert small.table.first == 1


async def test_a_row_can_be_put_in_the_middle(small: Small) -> None:
    small.table.place(50)
    assert place(small.table) == ("50", PAGE // 2)
    small.table.place(0)
    assert place(small.table) == ("0", 0)


async def test_who_moves_is_told_once_and_only_if_it_moved(small: Small) -> None:
    pilot_moved = small.moved
    small.table.move(1)
    small.table.move(-1)
    small.table.move(-1)
    await small.table.wait_for_refresh()
    assert small.moved - pilot_moved == 2


async def test_a_row_is_opened_and_no_row_is_not(small: Small) -> None:
    small.table.move_to(7)
    small.table.open()
    small.table.take(rows([]))
    small.table.open()
    await small.table.wait_for_refresh()
    assert small.opened == ["7"]


async def test_the_order_is_shown_in_the_head(small: Small) -> None:
    small.table.sort = "name"
    small.table.relayout()
    assert text(small.table, 0) == "NAME↑"
    small.table.descending = True
    assert text(small.table, 0) == "NAME↓"


async def test_rows_that_are_not_here_yet_are_dots(small: Small) -> None:
    class Far(LocalRows):
        def row(self, index: int) -> dict[str, object] | None:
            return None

        @property
        def total(self) -> int:
            return 1_000_000

    small.table.take(Far())
    assert text(small.table, 1) == "·" * 12
    small.table.move_to(999_999)
    assert small.table.first == 1_000_000 - PAGE
