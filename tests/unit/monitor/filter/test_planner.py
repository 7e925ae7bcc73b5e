"""Where a planner may look instead of everywhere, and what a query asks for."""

import pytest
from hypothesis import given, settings

from monitor.filter import Relation, parse
from monitor.filter.node import Node, PrefixTest
from monitor.filter.query import Query
from tests.unit.monitor.filter.reference import holds
from tests.unit.monitor.filter.rows import Row, rows, trees


@pytest.mark.parametrize(
    ("text", "relation", "prefixes"),
    [
        ("10.1.0.0/16", Relation.EXACT, ["10.1.0.0/16"]),
        ("10.1.2.3 state=held", Relation.COVERS, ["10.1.2.3/32"]),
        ("state=held in 10.0.0.0/8,2001:db8::/32", Relation.IN, ["10.0.0.0/8", "2001:db8::/32"]),
        ("prefix in 10.0.0.0/8", Relation.IN, ["10.0.0.0/8"]),
        ("covers 10.1.2.0/24 in 10.0.0.0/8 exact 10.1.2.0/24", Relation.EXACT, ["10.1.2.0/24"]),
        ("in 10.0.0.0/8 10.1.2.3", Relation.COVERS, ["10.1.2.3/32"]),
        ("default best", Relation.EXACT, ["0.0.0.0/0", "::/0"]),
    ],
)
def test_a_conjunction_with_a_prefix_is_bounded(text: str, relation: Relation, prefixes: list[str]) -> None:
    bounds = parse(text).prefix_bounds()
    assert bounds is not None
    assert (bounds.relation, list(map(str, bounds.prefixes))) == (relation, prefixes)


@pytest.mark.parametrize("text", ["", "best", "not 10.1.0.0/16", "10.1.0.0/16 or best", "prefix!=10.0.0.0/8"])
def test_anything_else_is_not_bounded(text: str) -> None:
    assert parse(text).prefix_bounds() is None


@given(trees, rows())
@settings(max_examples=500, deadline=None)
def test_no_match_is_out_of_bounds(tree: Node, subject: Row) -> None:
    bounds = Query(tree).prefix_bounds()
    if bounds is not None and holds(tree, subject):
        assert holds(PrefixTest(bounds.relation, bounds.prefixes), subject)


def test_the_fields_of_a_query_are_named() -> None:
    query = parse('in 10.0.0.0/8 (as=1 or not localpref>5) "x"')
    assert query.fields == {"prefix", "asn", "lp", "description", "peer", "reason"}
    assert parse("*").fields == set()


def test_a_query_shows_itself() -> None:
    assert repr(parse("as=1")) == "Query('asn=1')"
    assert parse("as=1") != "asn=1"
