"""Rows by what stands in a column, against a sort."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine import groups
from monitor.engine.groups import Groups, NumberGroups
from monitor.engine.ordering import LARGEST

NUMBERS = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(1 << 40), 1 << 40))


@pytest.mark.parametrize("kind", [Groups, NumberGroups])
@given(
    parts=st.lists(st.lists(NUMBERS, max_size=30), max_size=6),
    again=st.lists(NUMBERS, max_size=20),
    kept=st.integers(0, 40),
    descending=st.booleans(),
    largest=st.sampled_from((2, LARGEST)),
)
def test_the_order_is_that_of_a_sort_and_what_is_forgotten_is_gone(
    kind: type[Groups] | type[NumberGroups],
    parts: list[list[int | None]],
    again: list[int | None],
    kept: int,
    descending: bool,
    largest: int,
) -> None:
    taken = kind()
    values: list[int | None] = []
    for part in parts:
        taken.take(part, len(values))
        values += part
    taken.forget(kept)
    del values[kept:]
    taken.take(again, len(values))
    values += again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "LARGEST", largest)
        runs = [list(run) for run in taken.ordered(descending=descending) if run is not None]
    rows = range(len(values))
    with_value = sorted((row for row in rows if values[row] is not None), key=lambda row: values[row] or 0)
    if descending:
        with_value = sorted(with_value, key=lambda row: values[row] or 0, reverse=True)
    assert list(chain(*runs)) == with_value + [row for row in rows if values[row] is None]
    assert len(runs) == len(set(values)), "one run for each value"
