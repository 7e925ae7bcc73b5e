"""Any text has an answer, and a query prints as text that means the same."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.filter import FIELDS, NAMES, FilterError, parse
from monitor.filter.node import Node
from monitor.filter.query import Query
from monitor.filter.value import Duration
from tests.unit.monitor.filter.rows import NOW, ROW, trees

WORDS = [
    *NAMES,
    *[
        "=",
        "!=",
        "<",
        ">=",
        "~",
        "!~",
        "!",
        "(",
        ")",
        ",",
        "in",
        "has",
        "not",
        "and",
        "or",
        "covers",
        "exact",
    ],
    *[
        "10.1.2.3",
        "10.0.0.0/8",
        "::/0",
        "65001:200",
        '"',
        "'",
        '"_1_"',
        "\\",
        "5m",
        "1k",
        "yes",
        "@x",
        "*",
        "+",
    ],
]


def refusal(text: str) -> FilterError | None:
    try:
        parse(text, {"x": "best"})
    except FilterError as error:
        return error
    return None


@given(
    st.text()
    | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
    | st.lists(st.sampled_from(WORDS), max_size=8).map("".join)
)
@settings(max_examples=2000, deadline=None)
@example("af=\u0664")
@example("len=\u00b2")
@example("\u0661\u0662:3")
@example("as\u00b2")
def test_any_text_parses_or_is_refused_within_its_bounds(text: str) -> None:
    error = refusal(text)
    if error is None:
        query = parse(text, {"x": "best"})
        assert query.matches(ROW, NOW) in (True, False)
        assert parse(str(query)) == query
        return
    assert 0 <= error.position <= len(text)
    assert 1 <= error.length <= len(text) + 1 - error.position
    assert error.message
    assert error.caret().count("\n") == (2 if error.suggestion == "" else 3)


@given(trees)
@settings(max_examples=1000, deadline=None)
def test_the_canonical_text_parses_to_the_same_query(tree: Node) -> None:
    text = str(tree)
    again = parse(text)
    assert again.node == tree
    assert again == Query(tree)
    assert hash(again) == hash(Query(tree))
    assert str(again) == text


@given(st.integers(0, 36_525 * 86_400))
def test_a_duration_reads_back(seconds: int) -> None:
    assert Duration().read(Duration().write(seconds)) == seconds


def test_saved_filters_are_written_out_in_the_canonical_text() -> None:
    assert str(parse("@a asn=1", {"a": "best or lp>5"})) == "(best=yes or lp>5) and asn=1"


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_in_the_manual_with_its_aliases_and_example(name: str) -> None:
    manual = (Path(__file__).parents[4] / "docs" / "filter.md").read_text(encoding="utf-8")
    row = next(line for line in manual.splitlines() if line.startswith(f"| `{name}` |"))
    field = FIELDS[name]
    assert all(f"`{alias}`" in row for alias in field.aliases)
    assert f"`{field.example}`" in row
    parse(field.example)


def test_every_example_of_the_manual_parses() -> None:
    manual = (Path(__file__).parents[4] / "docs" / "filter.md").read_text(encoding="utf-8")
    blocks = manual.split("```filter\n")[1:]
    lines = [line for block in blocks for line in block.partition("```")[0].splitlines() if line]
    assert len(lines) > 20
    for line in lines:
        parse(line.partition(" # ")[0], {"mine": "best"})
