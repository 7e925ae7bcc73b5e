"""The filter language over items that are here."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.filter import FIELDS, FilterError
from monitor.tui.filtering import KNOWN, check, completions, matcher, row_of
from tests.support import fake_node as node

PEER = node.peers()[2] | {"description": "leaf 7"}
OPERATION = node.operation(4)
RECORD = node.records()[5]
ITEMS: dict[str, dict[str, Any]] = {"peers": PEER, "plan": OPERATION, "events": RECORD}

TRUE = {
    "peers": {
        "peer": "peer=203.0.113.9",
        "asn": "asn=64999",
        "domain": "domain=internet",
        "state": "state=active",
        "description": 'description~"leaf"',
        "reason": 'reason~"hold timer"',
    },
    "plan": {
        "prefix": "prefix=20.0.4.0/24",
        "len": "len=24",
        "af": "af=ipv4",
        "domain": "domain=internet",
        "table": "table=102",
        "op": "op=~",
        "class": "class=nh-move",
        "risk": "risk=med",
        "rule": "rule=rest",
        "reason": 'reason~"198.51.100.9"',
        "nh": "nh=203.0.113.9",
        "dev": "dev=eth3",
        "ecmp": "ecmp=1",
        "metric": "metric=200",
    },
    "events": {
        "state": "state=drift",
        "description": 'description~"somebody"',
        "age": "age>1s",
        "reason": 'reason!="x"',
        "peer": "peer!=192.0.2.9",
    },
}
FALSE = {
    "peers": {
        "peer": "peer=203.0.113.10",
        "asn": "asn=1",
        "domain": "domain=storage",
        "state": "state=established",
        "description": "description=x",
        "reason": "reason=x",
    },
    "plan": {
        "prefix": "prefix=20.0.5.0/24",
        "len": "len=25",
        "af": "af=ipv6",
        "domain": "domain=storage",
        "table": "table=101",
        "op": "op=+",
        "class": "class=add",
        "risk": "risk=high",
        "rule": "rule=x",
        "reason": "reason=x",
        "nh": "nh=203.0.113.10",
        "dev": "dev=eth9",
        "ecmp": "ecmp=2",
        "metric": "metric=100",
    },
    "events": {
        "state": "state=peer",
        "description": "description=x",
        "age": "age>9999d",
        "reason": "reason=x",
        "peer": "peer=192.0.2.9",
    },
}


def _cases(table: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    return [(screen, text) for screen, fields in table.items() for text in fields.values()]


@pytest.mark.parametrize("screen", KNOWN)
def test_every_field_that_a_screen_offers_is_tried_here(screen: str) -> None:
    assert TRUE[screen].keys() == FALSE[screen].keys() == KNOWN[screen]
    assert set(FIELDS) >= KNOWN[screen]


@pytest.mark.parametrize(("screen", "text"), _cases(TRUE))
def test_a_field_finds_what_it_names(screen: str, text: str) -> None:
    assert check(text, screen) == ""
    assert matcher(text, screen)(ITEMS[screen])


@pytest.mark.parametrize(("screen", "text"), _cases(FALSE))
def test_a_field_leaves_out_what_it_does_not_name(screen: str, text: str) -> None:
    assert check(text, screen) == ""
    assert not matcher(text, screen)(ITEMS[screen])


@pytest.mark.parametrize(
    ("screen", "name"), [(screen, name) for screen in KNOWN for name in sorted(set(FIELDS) - KNOWN[screen])]
)
def test_a_field_that_a_screen_does_not_have_is_refused_with_its_name(screen: str, name: str) -> None:
    for value in ("1", "x", "10.0.0.0/8", "1:1", "1:1:1", "1h", "igp", "valid", "rt:1:1", "ipv4", "+", "low"):
        if check(f"{name}={value}", "routes") == "":
            assert check(f"{name}={value}", screen).startswith(f"{name} is nothing that {screen} have")
            with pytest.raises(FilterError):
                matcher(f"{name}={value}", screen)
            return
    pytest.fail(f"no value of {name} is known here")


@pytest.mark.parametrize("screen", KNOWN)
def test_an_empty_filter_finds_everything(screen: str) -> None:
    assert matcher("", screen)(ITEMS[screen])


def test_free_words_look_at_what_items_say() -> None:
    assert matcher('"leaf"', "peers")(PEER)
    assert matcher('"somebody"', "events")(RECORD)
    assert not matcher('"somebody"', "peers")(PEER)


@pytest.mark.parametrize("count", range(9))
def test_every_operation_of_a_plan_can_be_a_row(count: int) -> None:
    row = row_of(node.operation(count))
    assert row.ecmp == 1
    assert row.metric == 200


def test_a_rule_of_a_plan_can_be_a_row() -> None:
    for name in ("plan", "plan-one-of-two"):
        for item in node.document(name)["operations"]:
            assert row_of(item).domain == item["domain"]


@pytest.mark.parametrize(
    "way",
    [
        "via fe80::9 dev eth2 metric 200",
        "via 192.0.2.1 dev eth2 weight 1, via 192.0.2.2 dev eth3 weight 2 metric 200",
        "dev eth2 metric 200",
        "blackhole metric 200",
        "via 192.0.2.1 dev eth2 metric 200 src 192.0.2.9 (onlink)",
        "via fe80::9%eth2 dev eth2 metric 200",
    ],
)
def test_every_way_that_a_route_can_go_is_understood(way: str) -> None:
    row = row_of(OPERATION | {"after": way})
    assert row.metric == 200
    assert len(row.next_hops) == way.count("via ")


VALUES = {"domain": ["internet", "storage"], "state": ["held", "add"], "af": ["ipv4", "ipv6"], "peer": ["192.0.2.1"]}


@given(
    st.sampled_from(
        ["", "s", "do", "state=", "state=h", "domain=inter", "af", "not ", "not st", "(dom", "len=24 and o", "x" * 9]
    ),
    st.sampled_from([*KNOWN, "routes"]),
)
def test_every_completion_begins_with_what_was_typed_and_can_become_a_filter(text: str, screen: str) -> None:
    for found in completions(text, VALUES, screen):
        assert found.startswith(text[: max(text.rfind(" "), text.rfind("(")) + 1])
        whole = found.replace("(", "")
        word = whole.split()[-1] if whole.split() else ""
        if any(sign in word for sign in "=<>~"):
            assert check(word, screen) == "", found
        elif word in FIELDS:
            assert screen == "routes" or word in KNOWN[screen]
        else:
            assert word in {"in", "covers", "exact", "and", "or", "not"}


def test_values_are_completed_for_the_short_name_of_a_field_too() -> None:
    assert completions("state=h", VALUES) == ["state=held"]
    assert completions("state=h", VALUES, "plan") == [], "operations have no state"
    assert completions("domain=internet and af=", VALUES) == [
        "domain=internet and af=ipv4",
        "domain=internet and af=ipv6",
    ]


@given(st.text(max_size=30), st.sampled_from([*KNOWN, "routes"]))
def test_whatever_is_typed_is_a_filter_or_is_told_what_is_wrong(text: str, screen: str) -> None:
    wrong = check(text, screen)
    if not wrong and screen in KNOWN:
        matcher(text, screen)(ITEMS[screen])
