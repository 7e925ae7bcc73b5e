"""Which columns a width has room for."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.tui.column import GAP, Column, chosen, widths, wish
from monitor.tui.panes import domains, plan, route, routes


def _column(number: int, least: int, more: int, rank: int, wide: bool) -> Column:
    return Column(f"C{number}", lambda _: ("", "text"), least, least + more, rank, wide=wide)


MADE = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 40), st.integers(0, 12), st.booleans()), min_size=1, max_size=12
).map(lambda items: [_column(number, *item) for number, item in enumerate(items)])
OURS = st.sampled_from([domains.columns(), plan.columns(), plan.plan_columns(), route.columns(), routes.columns()])
COLUMNS = MADE | OURS
WANTED = st.dictionaries(st.integers(0, 12).map(lambda number: f"C{number}"), st.integers(0, 500))


@given(COLUMNS, st.integers(1, 200), WANTED, st.booleans())
def test_columns_are_never_wider_than_their_room(
    columns: list[Column], room: int, wanted: dict[str, int], wide: bool
) -> None:
    kept = chosen(columns, room, wanted, wide=wide)
    found = widths(kept, room, wanted)
    assert sum(found) + GAP * max(0, len(kept) - 1) <= room
    assert all(size >= min(column.least, room) for column, size in zip(kept, found, strict=True))
    assert all(size <= max(column.most, column.least) for column, size in zip(kept, found, strict=True))


@given(COLUMNS, st.integers(1, 200))
def test_what_is_left_out_ranks_behind_what_is_kept(columns: list[Column], room: int) -> None:
    offered = [column for column in columns if not column.wide]
    kept = chosen(columns, room, {})
    out = [column for column in offered if column not in kept]
    assert kept == [column for column in offered if column in kept], "columns keep their order"
    assert all(left.rank >= here.rank for left in out for here in kept)


@given(COLUMNS, st.integers(1, 200))
def test_something_is_always_shown(columns: list[Column], room: int) -> None:
    offered = [column for column in columns if not column.wide]
    assert bool(chosen(columns, room, {})) == bool(offered)


@given(COLUMNS)
def test_hidden_columns_are_not_shown(columns: list[Column]) -> None:
    hidden = frozenset(column.title for column in columns[::2])
    assert not {column.title for column in chosen(columns, 500, {}, hidden, wide=True)} & hidden


def test_a_column_never_becomes_narrower_than_it_was() -> None:
    column = Column("NAME", lambda row: (row["name"], "text"), 4, 20, 0)
    wanted = wish([column], [{"name": "x" * 12}], {})
    assert wanted == {"NAME": 12}
    assert wish([column], [{"name": "x"}], wanted) == {"NAME": 12}
    assert wish([column], [{"name": "x" * 90}], wanted) == {"NAME": 20}


@given(COLUMNS, st.integers(1, 200), WANTED)
def test_a_number_is_whole_or_not_there(columns: list[Column], room: int, wanted: dict[str, int]) -> None:
    kept = chosen(columns, room, wanted)
    found = widths(kept, room, wanted)
    if len(kept) > 1:
        assert all(
            size >= min(wanted.get(column.title, 0), column.most)
            for column, size in zip(kept, found, strict=True)
            if column.right
        )


def test_the_first_ranks_get_the_room_that_is_left() -> None:
    first, second = _column(1, 4, 10, 0, False), _column(2, 4, 10, 1, False)
    assert widths([second, first], 20, {"C1": 14, "C2": 14}) == [5, 14]
