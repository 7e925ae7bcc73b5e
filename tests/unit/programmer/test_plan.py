"""Plans: the digest names exactly the content, and documents lose nothing."""

import dataclasses
import ipaddress
import json

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from programmer.plan import (
    Action,
    Operation,
    Plan,
    RuleOperation,
    forwarding_document,
    forwarding_of,
    operation_document,
    operation_of,
    operation_texts,
    short_digest,
)
from programmer.route import Family, Forwarding, NextHop, Rule, TableId, key_of

TABLE = TableId(101)
KEY = key_of(ipaddress.ip_network("203.0.113.0/24"))
ROUTE = Forwarding(200, (NextHop(b"\x0a\x01\x00\x02", 2),))
RULE = Rule(Family.IPV4, 1000, TABLE)

next_hops = st.builds(
    NextHop,
    st.one_of(st.just(b""), st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)),
    st.integers(0, 2**31 - 1),
    st.integers(1, 256),
)
forwardings = st.builds(
    Forwarding,
    st.integers(0, 2**32 - 1),
    st.lists(next_hops, min_size=1, max_size=4).map(lambda hops: tuple(sorted(hops))),
    st.sampled_from((b"", b"\xc0\x00\x02\x01")),
    st.sampled_from(("", "mtu 1400")),
)
prefixes = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
        lambda pair: ipaddress.IPv4Network(pair, strict=False)
    ),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
        lambda pair: ipaddress.IPv6Network(pair, strict=False)
    ),
)


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    prefix = draw(prefixes)
    before, after = draw(st.tuples(st.none() | forwardings, st.none() | forwardings).filter(any))
    family = Family.IPV4 if prefix.version == 4 else Family.IPV6
    return Operation(TableId(draw(st.integers(1, 2**32 - 1))), family, key_of(prefix), before, after)


rules = st.builds(
    RuleOperation,
    st.builds(Rule, st.sampled_from(Family), st.integers(1, 3), st.sampled_from((TableId(101), TableId(102)))),
    st.booleans(),
)


def plan_of(*found: Operation, rules: tuple[RuleOperation, ...] = ()) -> Plan:
    return Plan(7, "edge1", "c0ffee", 1000.0, 1900.0, found, rules)


@given(operations())
def test_an_operation_survives_json(operation: Operation) -> None:
    assert operation_of(json.loads(json.dumps(operation_document(operation)))) == operation


@given(st.lists(operations()))
def test_operations_as_text_are_their_documents_in_the_shortest_json(found: list[Operation]) -> None:
    texts = [json.dumps(operation_document(operation), separators=(",", ":")) for operation in found]
    assert operation_texts(found) == texts


@given(st.none() | forwardings)
def test_a_forwarding_survives_json(value: Forwarding | None) -> None:
    assert forwarding_of(json.loads(json.dumps(forwarding_document(value)))) == value


@given(st.data())
def test_the_order_of_operations_does_not_change_the_digest(data: st.DataObject) -> None:
    found = data.draw(st.lists(operations(), max_size=5, unique_by=lambda item: (item.table, item.family, item.key)))
    some = data.draw(st.lists(rules, max_size=6, unique=True))
    shuffled = data.draw(st.permutations(found))
    mixed = data.draw(st.permutations(some))
    assert plan_of(*found, rules=tuple(some)).digest == plan_of(*shuffled, rules=tuple(mixed)).digest


def test_two_rules_that_differ_only_in_family_have_one_order() -> None:
    four, six = RuleOperation(RULE, add=True), RuleOperation(RULE._replace(family=Family.IPV6), add=True)
    assert plan_of(rules=(four, six)).digest == plan_of(rules=(six, four)).digest


@given(operations(), operations())
def test_different_operations_have_different_digests(one: Operation, other: Operation) -> None:
    assume(one != other)
    assert plan_of(one).digest != plan_of(other).digest


@example(RuleOperation(RULE, add=True), RuleOperation(RULE._replace(mark=1), add=True))
@given(rules, rules)
def test_different_rules_have_different_digests(one: RuleOperation, other: RuleOperation) -> None:
    assert (plan_of(rules=(one,)).digest == plan_of(rules=(other,)).digest) == (one == other)


@pytest.mark.parametrize(
    "changed",
    [{"number": 8}, {"node": "edge2"}, {"policy": "beef"}, {"created_at": 1000.5}, {"expires_at": 1901.0}],
    ids=lambda changed: next(iter(changed)),
)
def test_every_field_of_the_head_changes_the_digest(changed: dict[str, object]) -> None:
    plan = plan_of(Operation(TABLE, Family.IPV4, KEY, None, ROUTE))
    assert dataclasses.replace(plan, **changed).digest != plan.digest  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "after",
    [
        ROUTE._replace(metric=201),
        ROUTE._replace(preferred_source=b"\x0a\x01\x00\x01"),
        ROUTE._replace(foreign_attributes="mtu 1400"),
        ROUTE._replace(next_hops=(NextHop(b"\x0a\x01\x00\x03", 2),)),
        ROUTE._replace(next_hops=(NextHop(b"\x0a\x01\x00\x02", 3),)),
        ROUTE._replace(next_hops=(NextHop(b"\x0a\x01\x00\x02", 2, 5),)),
    ],
)
def test_every_detail_of_a_route_changes_the_digest(after: Forwarding) -> None:
    one = Operation(TABLE, Family.IPV4, KEY, None, ROUTE)
    assert plan_of(one).digest != plan_of(one._replace(after=after)).digest
    assert plan_of(one).digest != plan_of(one._replace(before=after)).digest


def test_the_action_follows_from_before_and_after() -> None:
    add = Operation(TABLE, Family.IPV4, KEY, None, ROUTE)
    assert add.action is Action.ADD
    assert add._replace(before=ROUTE._replace(metric=1)).action is Action.CHANGE
    assert add._replace(before=ROUTE, after=None).action is Action.REMOVE
    assert add.prefix == "203.0.113.0/24"


def test_people_see_the_first_twelve_characters() -> None:
    assert short_digest("7f3a91c2e0b4" + "0" * 52) == "7f3a-91c2-e0b4"
