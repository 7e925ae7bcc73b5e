"""What each way of asking means."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from monitor.filter import FIELDS, parse
from monitor.filter.node import Node
from monitor.filter.query import Query
from monitor.rib.attribute import PathAttributes, Rpki
from programmer.route import Family
from tests.unit.monitor.filter.reference import holds
from tests.unit.monitor.filter.rows import NOW, ROW, Row, row, rows, trees, yes


def test_a_bare_address_means_the_routes_that_cover_it() -> None:
    prefixes = ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "10.1.2.2/31", "10.1.3.0/24", "10.1.2.4/32", "::/0"]
    assert [yes("10.1.2.3", row(prefix)) for prefix in prefixes] == [True] * 4 + [False] * 3


def test_a_bare_prefix_means_exactly_it() -> None:
    prefixes = ["10.1.0.0/16", "10.1.0.0/17", "10.0.0.0/15", "10.2.0.0/16", "2001:db8::/32"]
    assert [yes("10.1.0.0/16", row(prefix)) for prefix in prefixes] == [True] + [False] * 4


def test_in_means_it_and_more_specifics() -> None:
    prefixes = ["10.0.0.0/8", "10.1.2.0/24", "10.1.2.0/23", "11.0.0.0/24", "a00::/24"]
    assert [yes("in 10.0.0.0/8 len>=24", row(prefix)) for prefix in prefixes] == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_in_compares_the_bits_of_a_broken_octet() -> None:
    prefixes = ["10.8.0.0/14", "10.11.0.0/16", "10.12.0.0/16", "10.0.0.0/13", "10.9.255.255/32"]
    assert [yes("in 10.8.0.0/14", row(prefix)) for prefix in prefixes] == [True, True, False, False, True]


def test_covers_means_it_and_less_specifics() -> None:
    prefixes = ["10.1.2.0/24", "10.1.0.0/16", "0.0.0.0/0", "10.1.2.0/25", "10.1.3.0/24"]
    assert [yes("covers 10.1.2.0/24", row(prefix)) for prefix in prefixes] == [True, True, True, False, False]


def test_in_takes_several_prefixes() -> None:
    query = "in (10.0.0.0/8, 2001:db8::/32)"
    assert [yes(query, row(p)) for p in ("10.0.0.0/9", "2001:db8:1::/48", "11.0.0.0/8")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("query", "changes"),
    [
        ('aspath ~ "_65001_"', {"attributes": PathAttributes(b"")}),
        ("peer=198.51.100.1 state in failed,installed", {"state": "held"}),
        ("(domain=blue or domain=storage) age<5m", {"received_at": NOW - 300}),
        ("comm has 65001:200 not rpki=invalid", {"rpki": Rpki.INVALID}),
        ("lcomm has 65001:1:200", {"attributes": None}),
        ("ecomm has rt:65001:100", {"attributes": None}),
        ("op=+ and risk>=low", {"op": "-"}),
        ("op=+ and risk<med", {"risk": "high"}),
        ("risk>=low", {"risk": ""}),
        ("nh in (198.51.100.1,198.51.100.9) lp>100", {"next_hops": ()}),
        ("lp>0.1k".replace("0.1k", "100"), {"attributes": PathAttributes(b"")}),
        ("age<1h", {"received_at": None}),
        ('"storage"', {"description": "uplink"}),
        ('"RACK-7"', {"description": ""}),
        ('"198.51"', {"peer": "", "description": ""}),
        ("domain=storage", {"domain": "Storage"}),
        ("domain ~ STOR", {"domain": "blue"}),
        ("table=101", {"table": 254}),
        ("asn=AS65001", {"asn": 65002}),
        ("dev=eth2", {"interfaces": ("eth1",)}),
        ("nh=198.51.100.0/24", {"next_hops": ()}),
        ("peer=198.51.100.0/24", {"peer": "203.0.113.1"}),
        ("aspath has 65003", {"attributes": None}),
        ('aspath="65001 65002 {65003,65004}"', {"attributes": None}),
        ("pathlen=3", {"attributes": None}),
        ("origin=egp", {"attributes": None}),
        ("med<=50", {"attributes": None}),
        ("comm has no-export", {"attributes": None}),
        ("comm ~ ^65001:", {"attributes": None}),
        ("best", {"best": False}),
        ("best=yes", {"best": False}),
        ("ecmp>1", {"ecmp": 1}),
        ("metric<1k", {"metric": 1000}),
        ("proto=196", {"protocol": 4}),
        ("state=installed", {"state": "dead-next-hop"}),
        ("rule ~ storage", {"rule": ""}),
        ("class=learned", {"class_": ""}),
        ("reason=installed", {"reason": "not-best"}),
        ("description ~ rack-[0-9]", {"description": "rack-x"}),
        ("af=4", {"family": Family.IPV6}),
        ("prefix=10.1.0.0/16 prefix in 10.0.0.0/8", {"key": b"\x10\x0a\x02"}),
        ("rpki!=invalid", {"rpki": Rpki.INVALID}),
    ],
)
def test_a_test_holds_for_the_row_and_not_for_the_changed_one(query: str, changes: dict[str, object]) -> None:
    assert yes(query)
    assert not yes(query, replace(ROW, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["", "  ", "*", "* and *"])
def test_a_star_or_nothing_means_every_row(query: str) -> None:
    assert yes(query)


def test_default_means_the_default_routes_of_both_families() -> None:
    assert [yes("default", row(p)) for p in ("0.0.0.0/0", "::/0", "0.0.0.0/1")] == [True, True, False]


def test_the_rule_of_the_manual_for_dead_next_hops_parses() -> None:
    query = parse("op=- and state=dead-next-hop")
    assert query.matches(replace(ROW, op="-", state="dead-next-hop"), NOW)
    assert not query.hints


@pytest.mark.parametrize(
    ("op", "words"),
    [("+", ["+", "add"]), ("~", ["~", "change"]), ("-", ["-", "remove", "delete"])],
)
def test_an_operation_has_a_sign_and_words(op: str, words: list[str]) -> None:
    assert all(yes(f"op={word}", replace(ROW, op=op)) for word in words)
    assert yes("op in +,~,-", replace(ROW, op=op))
    assert not any(yes(f"op!={word}", replace(ROW, op=op)) for word in words)


def test_not_binds_tighter_than_and_and_and_tighter_than_or() -> None:
    assert parse("not asn=1 asn=2 or asn=3 and asn=4") == parse("((not asn=1) and asn=2) or (asn=3 and asn=4)")
    assert parse("not asn=1 or asn=2") != parse("not (asn=1 or asn=2)")
    assert parse("asn=1 (asn=2 or asn=3)") != parse("asn=1 asn=2 or asn=3")


@pytest.mark.parametrize("first", ["10.1.2.3", "10.0.0.0/8", "*", "default", "best", "@saved", '"x"', "(best)"])
def test_in_after_a_whole_test_begins_the_next(first: str) -> None:
    saved = {"saved": "best"}
    assert parse(f"{first} in 10.0.0.0/8", saved) == parse(f"{first} and in 10.0.0.0/8", saved)


def test_an_exclamation_mark_is_not() -> None:
    assert parse("!state=held !(asn=1)") == parse("not state=held and not asn=1")


def test_words_of_the_language_are_read_in_any_case() -> None:
    assert parse("State=held AND NOT Domain=blue OR IN 10.0.0.0/8") == parse(
        "state=held and not domain=blue or in 10.0.0.0/8"
    )


@pytest.mark.parametrize(
    ("alias", "name"),
    [(alias, field.name) for field in FIELDS.values() for alias in field.aliases],
)
def test_an_alias_means_its_field(alias: str, name: str) -> None:
    example = FIELDS[name].example
    assert example.startswith(name)
    assert parse(alias + example.removeprefix(name)) == parse(example)


def test_a_missing_value_is_unequal_to_all_and_in_no_order() -> None:
    bare = replace(ROW, attributes=PathAttributes(b""), received_at=None, risk="")
    for field, value in (("med", "0"), ("lp", "0"), ("age", "0s"), ("risk", "low")):
        answers = [yes(f"{field}{sign}{value}", bare) for sign in ("=", "<", "<=", ">", ">=", "!=")]
        assert answers == [False] * 5 + [True]


def test_a_peer_without_zone_is_that_address_on_any_link() -> None:
    local = replace(ROW, peer="fe80::1%eth1")
    assert yes("peer=fe80::1", local)
    assert yes("peer=FE80:0::1%eth1", local)
    assert not yes("peer=fe80::1%eth2", local)


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("1h30m", 5400), ("2d", 172_800), ("1w", 604_800), ("1m30s", 90)]
)
def test_durations_have_units(written: str, seconds: int) -> None:
    assert yes(f"age={written}", replace(ROW, received_at=NOW - seconds - 0.5))


def test_numbers_have_multiples() -> None:
    assert parse("metric=2k table<3M") == parse("metric=2000 table<3000000")


def test_kernel_names_stand_for_their_numbers() -> None:
    assert parse("proto=bird table=main") == parse("proto=12 table=254")


def test_a_saved_filter_stands_for_its_text() -> None:
    saved = {"mine": "@rack or domain=blue", "rack": '"rack-7"'}
    assert parse("@mine state=pending", saved) == parse('("rack-7" or domain=blue) state=pending')


def test_a_slip_in_an_open_list_is_hinted_at_and_still_valid() -> None:
    query = parse("state in held,instaled")
    assert [(hint.position, hint.length, hint.suggestion) for hint in query.hints] == [(14, 8, "installed")]
    assert query.matches(replace(ROW, state="instaled"), NOW)


def test_single_quotes_do_as_well_and_backslashes_stay() -> None:
    assert parse(r"""aspath ~ '^\d+$'""") == parse(r'aspath ~ "^\d+$"')
    assert yes('"a \\"b\\" \\\\"', replace(ROW, description='a "b" \\'))


def test_answers_about_attribute_sets_are_forgotten_on_request() -> None:
    query = parse('aspath ~ "_65001_" peer=198.51.100.1')
    assert query.matches(ROW, NOW)
    assert any(query._memories)
    query.forget()
    assert not any(query._memories)
    assert query.matches(ROW, NOW)


def test_more_attribute_sets_than_can_be_remembered_are_answered_rightly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.filter.compiler.MAX_REMEMBERED", 3)
    query = parse("comm has 0:5")
    sets = [PathAttributes(b"", communities=(number,)) for number in range(10)]
    answers = [query.matches(replace(ROW, attributes=held), NOW) for held in sets * 2]
    assert [index % 10 for index, answer in enumerate(answers) if answer] == [5, 5]
    assert all(len(memory) <= 3 for memory in query._memories)


@given(trees, rows())
@settings(max_examples=1500, deadline=None)
def test_the_compiled_test_agrees_with_the_plain_reading(tree: Node, subject: Row) -> None:
    matches = Query(tree).matches
    assert matches(subject, NOW) is holds(tree, subject)
    assert matches(subject, NOW) is holds(tree, subject)
