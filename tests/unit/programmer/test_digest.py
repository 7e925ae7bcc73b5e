"""The digest of a plan changes exactly when its content does."""

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from programmer.plan import Operation, Plan, PlanKind, RuleOperation
from programmer.route import Family, Forwarding, NextHop, PrefixKey, Rule, TableId, key_of
from tests.contract.stage import TABLE, net

V4 = Family.IPV4
PREFIXES = ["0.0.0.0/0", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.2.1.0/24"]


def key(prefix: str) -> PrefixKey:
    return key_of(net(prefix))


hops = st.builds(NextHop, st.binary(min_size=4, max_size=4), st.integers(1, 9), st.integers(1, 256))
values = st.builds(
    Forwarding,
    st.integers(1, 300),
    st.lists(hops, min_size=1, max_size=3, unique=True).map(lambda found: tuple(sorted(found))),
    st.sampled_from((b"", b"\x0a\x01\0\1")),
    st.sampled_from(("", "mtu 1400")),
)
pairs = st.tuples(st.none() | values, st.none() | values).filter(lambda pair: pair[0] != pair[1])
rules = st.builds(
    RuleOperation,
    st.builds(
        Rule,
        st.just(V4),
        st.integers(1, 3),
        st.just(TABLE),
        st.sampled_from((None, net(PREFIXES[1]))),
        st.sampled_from((None, net(PREFIXES[2]))),
    ),
    st.booleans(),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    places = draw(st.lists(st.tuples(st.sampled_from((101, 102)), st.sampled_from(PREFIXES)), unique=True, max_size=6))
    operations = tuple(Operation(TableId(table), V4, key(prefix), *draw(pairs)) for table, prefix in places)
    indexes = draw(st.permutations(range(len(operations))))
    cut = draw(st.integers(0, len(indexes)))
    groups = tuple(tuple(part) for part in (indexes[:cut], indexes[cut:]) if len(part) > 1)
    kind = draw(st.sampled_from(PlanKind))
    found = draw(st.lists(rules, max_size=3, unique=True))
    return Plan(
        draw(st.integers(1, 9)), "edge1", "c0ffee", 1000.0, 1900.0, operations, tuple(found), "abc", kind, groups
    )


@given(plans(), st.data())
def test_the_order_of_operations_rules_and_groups_does_not_change_the_digest(plan: Plan, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(plan.operations))))
    place = {old: new for new, old in enumerate(order)}
    groups = [tuple(data.draw(st.permutations([place[index] for index in group]))) for group in plan.groups]
    mixed = dataclasses.replace(
        plan,
        operations=tuple(plan.operations[index] for index in order),
        groups=tuple(data.draw(st.permutations(groups))),
        rule_operations=tuple(data.draw(st.permutations(plan.rule_operations))),
    )
    assert mixed.digest == plan.digest


def _other_operation(operation: Operation, what: str) -> Operation:
    value = operation.after or operation.before
    assert value is not None
    if what == "table":
        return operation._replace(table=TableId(operation.table + 10))
    if what == "family":
        return operation._replace(family=Family.IPV6)
    if what == "key":
        return operation._replace(key=key("172.16.0.0/12"))
    side = "after" if operation.after is not None else "before"
    first = value.next_hops[0]
    changes: dict[str, dict[str, Any]] = {
        "gone": {},
        "metric": {"metric": value.metric + 1},
        "gateway": {"next_hops": (first._replace(gateway=b"\xc0\0\2\x63"), *value.next_hops[1:])},
        "link": {"next_hops": (first._replace(ifindex=99), *value.next_hops[1:])},
        "weight": {"next_hops": (first._replace(weight=first.weight % 256 + 1), *value.next_hops[1:])},
        "source": {"preferred_source": b"\xc0\0\2\x63"},
        "attributes": {"foreign_attributes": "mtu 9000"},
    }
    other = None if what == "gone" else value._replace(**changes[what])
    return operation._replace(after=other) if side == "after" else operation._replace(before=other)


DETAILS = ("table", "family", "key", "gone", "metric", "gateway", "link", "weight", "source", "attributes")


@given(plans().filter(lambda plan: plan.operations), st.sampled_from(DETAILS), st.data())
def test_any_detail_of_an_operation_changes_the_digest(plan: Plan, what: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(plan.operations) - 1))
    operations = list(plan.operations)
    operations[index] = _other_operation(operations[index], what)
    assert dataclasses.replace(plan, operations=tuple(operations)).digest != plan.digest


@given(plans(), st.data())
def test_any_other_field_changes_the_digest(plan: Plan, data: st.DataObject) -> None:
    others: dict[str, Any] = {
        "number": plan.number + 1,
        "node": "edge2",
        "policy": "beef",
        "created_at": 1000.5,
        "expires_at": 1900.5,
        "machine": "",
        "kind": next(kind for kind in PlanKind if kind is not plan.kind),
    }
    if plan.operations:
        others["operations"] = plan.operations[1:]
    if plan.groups:
        others["groups"] = plan.groups[1:]
    elif len(plan.operations) > 1:
        others["groups"] = ((0, 1),)
    if plan.rule_operations:
        first, *rest = plan.rule_operations
        others["rule_operations"] = (first.inverse, *rest) if first.inverse not in rest else tuple(rest)
    name = data.draw(st.sampled_from(sorted(others)))
    change = {name: others[name]}
    if name == "operations":  # the groups are indexes of them
        change["groups"] = ()
        assert dataclasses.replace(plan, groups=()).digest != dataclasses.replace(plan, **change).digest
    else:
        assert dataclasses.replace(plan, **change).digest != plan.digest
