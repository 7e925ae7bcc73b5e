"""A filter that can never match, or that is covered by others, is found; and what is said is always true."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.filter import hidden_by, implies, never, parse
from monitor.filter.field import CLASSES
from monitor.filter.node import Node, Not, all_of, any_of
from monitor.filter.query import Query
from tests.unit.monitor.filter.reference import holds
from tests.unit.monitor.filter.rows import Row, comparisons, rows, trees


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("op=+ and op=-", "op=+ and op=- exclude each other"),
        ("len>24 len<20", "len>24 and len<20 exclude each other"),
        ("len<20 best len>24", "len<20 and len>24 exclude each other"),
        ("in 10.0.0.0/8 in 192.168.0.0/16", "in 10.0.0.0/8 and in 192.168.0.0/16 have no prefix in common"),
        ("af=6 in 10.0.0.0/8", "af=ipv6 and in 10.0.0.0/8 have no prefix in common"),
        ("len>32 in 10.0.0.0/8", "len>32 and in 10.0.0.0/8 have no prefix in common"),
        ("len>32 af=4", "len>32 and af=ipv4 exclude each other"),
        ("in 10.0.0.0/8 len<8", "in 10.0.0.0/8 and len<8 have no prefix in common"),
        ("covers 10.0.0.0/8 len>8", "covers 10.0.0.0/8 and len>8 have no prefix in common"),
        ("10.1.0.0/16 in 10.2.0.0/16", "10.1.0.0/16 and in 10.2.0.0/16 have no prefix in common"),
        ("10.1.2.3 in 10.2.0.0/16", "10.1.2.3 and in 10.2.0.0/16 have no prefix in common"),
        ("covers 10.0.0.0/8 in 10.1.0.0/16", "covers 10.0.0.0/8 and in 10.1.0.0/16 have no prefix in common"),
        ("default len>0", "default and len>0 have no prefix in common"),
        ("default not exact 0.0.0.0/0,::/0", "default and not exact (0.0.0.0/0, ::/0) have no prefix in common"),
        ("in 10.1.0.0/16 not in 10.0.0.0/8", "in 10.1.0.0/16 and not in 10.0.0.0/8 have no prefix in common"),
        ("state=a and not state=a", "state=a and not state=a exclude each other"),
        ("state!=a state=a", "state!=a and state=a exclude each other"),
        ("state in a,b state!=a not state=b", "state in (a, b), state!=a and not state=b are never true together"),
        ("state=held state ~ ^stor", 'state=held and state ~ "^stor" exclude each other'),
        ("domain ~ x and domain !~ x", 'domain ~ "x" and domain !~ "x" exclude each other'),
        ("state=held state=HELD", "state=held and state=HELD exclude each other"),
        ("risk>=med risk<med", "risk>=med and risk<med exclude each other"),
        ("risk<low", "risk<low is never true"),
        ("lp<0", "lp<0 is never true"),
        ("proto>255", "proto>255 is never true"),
        ("not *", "not * is never true"),
        ("med>5 not med>=0", "med>5 and not med>=0 exclude each other"),
        ("best best=no", "best=yes and best=no exclude each other"),
        ("dev=eth1 dev!=eth1", "dev=eth1 and dev!=eth1 exclude each other"),
        ("nh=198.51.100.1 nh!=198.51.100.0/24", "nh=198.51.100.1 and nh!=198.51.100.0/24 exclude each other"),
        ("nh=198.51.100.1 nh !~ ^198", 'nh=198.51.100.1 and nh !~ "^198" exclude each other'),
        ("comm has 1:2 not comm ~ ^1:", 'comm has 1:2 and not comm ~ "^1:" exclude each other'),
        ("aspath has 5 not aspath has 5", "aspath has 5 and not aspath has 5 exclude each other"),
        ("peer=198.51.100.1 peer=198.51.100.2", "peer=198.51.100.1 and peer=198.51.100.2 exclude each other"),
        ("peer=fe80::1%eth1 peer!=fe80::1", "peer=fe80::1%eth1 and peer!=fe80::1 exclude each other"),
        ("age<5m age>=1h", "age<5m and age>=1h exclude each other"),
        ('"rack-7" not "RACK"', '"rack-7" and not "RACK" exclude each other'),
        ("(op=+ or op=~) op=-", "op=+ and op=- exclude each other; op=~ and op=- exclude each other"),
        ("op=- and not (op=- or best)", "op=- and not op=- exclude each other"),
        (
            "metric=9 metric in 1,2,3 or asn=1 asn=2 or table=1 table=2 or lp=1 lp=2",
            (
                "metric=9 and metric in (1, 2, 3) exclude each other; asn=1 and asn=2 exclude each other; "
                "table=1 and table=2 exclude each other; and so on"
            ),
        ),
    ],
)
def test_what_can_never_match_is_found_and_its_parts_are_named(text: str, reason: str) -> None:
    assert never(parse(text)) == reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dev=eth1 dev=eth2",
        "comm has 1:1 comm has 1:2",
        "nh=198.51.100.1 nh=203.0.113.9",
        "nh=198.51.100.0/24 nh!=198.51.100.1",
        "aspath has 1 aspath has 2",
        "domain ~ a domain ~ b domain !~ c",
        "state=held state ~ HELD",
        "med!=5 not med>=0",
        "op!=+ op!=~ op!=-",
        "in 10.0.0.0/8 covers 10.1.0.0/16",
        "in 10.0.0.0/8 not in 10.0.0.0/9 not in 10.128.0.0/9",
        "in 10.0.0.0/8 not 10.0.0.0/8",
        "len>32",
        "default af=6",
        "peer=fe80::1 peer=fe80::1%eth1",
        "peer=198.51.100.1 peer !~ ^198",
        "asn>4 asn<6",
        "op=+ or (op=- op=~)",
        '"rack" not "rack-7"',
    ],
)
def test_what_may_match_is_left_in_peace(text: str) -> None:
    assert never(parse(text)) == ""


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("op=-", ""),
        ("op=- risk=high", "risk>=med"),
        ("class=delete", "class in delete,mass-delete"),
        ("in 10.1.0.0/16", "in 10.0.0.0/8"),
        ("in 10.1.0.0/16 len>=24", "in 10.0.0.0/8 len>=16"),
        ("10.1.0.0/16", "covers 10.1.0.0/24"),
        ("10.1.2.3 len>=16", "in 10.1.0.0/16"),
        ("10.1.2.3", "af=4"),
        ("default", "len=0"),
        ("len=0", "default"),
        ("len>32", "af=6"),
        ("in 10.0.0.0/9,10.128.0.0/9", "in 10.0.0.0/8"),
        ("in 10.0.0.0/8 len>8", "in 10.0.0.0/9,10.128.0.0/9"),
        ("state=held domain=blue", "domain=blue or best"),
        ("state=held", "state ~ ^he"),
        ("state=held", "state!=failed"),
        ("dev=eth1", "dev in eth1,eth2"),
        ("dev!=eth1 dev!=eth2", "not dev in eth1,eth2"),
        ("nh=198.51.100.1", "nh=198.51.100.0/24"),
        ("peer=fe80::1%eth1", "peer in fe80::/10"),
        ("comm=no-export", "comm ~ ^no-"),
        ("lp>100", "not lp<=100"),
        ("risk>=low", "not (risk<low)"),
        ("rpki in valid,none", "rpki!=invalid"),
        ("origin=igp or origin=egp", "origin in igp,egp"),
        ("(domain=a or domain=b) (op=+ or op=-)", "domain in a,b op!=~"),
        ('"rack-7"', '"rack"'),
        ("op=+ op=-", "best"),
    ],
)
def test_one_filter_implies_another(narrow: str, wide: str) -> None:
    assert implies(parse(narrow), parse(wide))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("", "op=-"),
        ("risk>=med", "risk=high"),
        ("in 10.0.0.0/8", "in 10.1.0.0/16"),
        ("in 10.0.0.0/8", "in 10.0.0.0/9,10.128.0.0/9"),
        ("covers 10.1.0.0/24", "10.1.0.0/16"),
        ("not lp<=100", "lp>100"),
        ("*", "risk>=low"),
        ("*", "op in +,~,-"),
        ("nh=198.51.100.1", "nh!=203.0.113.9"),
        ("peer=fe80::1", "peer=fe80::1%eth1"),
        ("state ~ held", "state=held"),
        ("domain=blue", "domain=Blue"),
        ("age<1h", "age>=0s"),
        ("best or asn=1", "best"),
    ],
)
def test_one_filter_does_not_imply_another(narrow: str, wide: str) -> None:
    assert not implies(parse(narrow), parse(wide))


@pytest.mark.parametrize(
    ("text", "earlier", "index"),
    [
        ("op=- domain=blue", ["op=+", "op=-"], 1),
        ("op=-", ["best", "op in -,+", "op=-"], 1),
        ("domain=blue", ["op=+", "asn=1", "op=~", "op=-", "asn=2"], 3),
        ("domain=blue", ["risk=low", "risk=med", "risk=high"], 2),
        ("domain=blue", ["risk>=med", "best", "risk<med"], 2),
        ("domain=blue", ["af=4", "af=6"], 1),
        ("domain=blue", ["af=4 domain=blue", "af=6"], 1),
        ("domain=blue", ["op=+ risk=low", "op=+ risk>=med", "op in -,~"], 2),
        ("state in a,b", ["state=a", "state=b"], 1),
        ("", ["len<20", "len>20", "len=20"], 2),
        ("in 10.0.0.0/8", ["10.0.0.0/8", "in 10.0.0.0/9", "in 10.128.0.0/9"], 2),
        ("domain=blue", ["op=+", "op=~", "op=-", "domain=blue"], 3),
        ("best", ["op=+", "op=~"], None),
        ("best", ["op=+", "op=~", "op=- asn=1"], None),
        ("best", ["af=4", "af=6 len>0"], None),
        ("best", [], None),
        ("op=+ op=-", ["*"], None),
    ],
)
def test_what_decides_nothing_is_hidden(text: str, earlier: list[str], index: int | None) -> None:
    assert hidden_by(parse(text), [parse(other) for other in earlier]) == index


def test_too_many_alternatives_are_given_up_and_what_is_plain_is_still_found() -> None:
    many = " ".join(f"(dev={number} or comm has {number}:1 or aspath has {number})" for number in range(9))
    assert never(parse(many)) == ""
    assert never(parse(f"{many} op=+ op=-")) == "op=+ and op=- exclude each other"
    assert implies(parse(f"{many} best"), parse("best"))
    assert not implies(parse(many), parse("best"))
    assert hidden_by(parse("best"), [parse(many)] * 3) is None


def test_work_is_bounded_for_deep_and_for_long_filters() -> None:
    deep = parse("asn=1").node
    for depth in range(40):
        deep = all_of(
            [parse(f"dev={depth} or comm has {depth}:1").node, Not(all_of([parse(f"table={depth}").node, deep]))]
        )
    assert never(Query(deep)) == ""
    assert implies(Query(all_of([deep, parse("best").node])), parse("best"))
    assert not implies(parse("best"), Query(deep))
    long = parse(f"in {', '.join(f'10.{number}.0.0/16' for number in range(200))}")
    assert implies(long, parse("in 10.0.0.0/8"))
    assert not implies(parse("in 10.0.0.0/8"), long)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("class=nh-move", "class=nh-move"),
        ("class in delete,mass-delete", "class in (delete, mass-delete)"),
        ("state=dead-next-hop", "state=dead-next-hop"),
        ("op=remove and risk>=medium", "op=- and risk>=med"),
        *[(f"class={word}", f"class={word}") for word in CLASSES],
    ],
)
def test_the_words_of_plans_are_usual_ones_and_print_canonically(text: str, canonical: str) -> None:
    query = parse(text)
    assert str(query) == canonical
    assert parse(canonical) == query
    assert not query.hints


def test_a_slip_in_a_class_is_valid_and_remarked_on() -> None:
    (hint,) = parse("class in delete,mas-delete").hints
    assert hint.suggestion == "mass-delete"
    assert not parse("class=learned").hints


# Few subjects, so that tests of one tree, and of two, meet in most of them.
_WORDS = [
    "op=+", "op=-", "op in ~,-", "risk=low", "risk>=med", "risk<high", "af=4", "af=6", "len>24", "len<=16", "len=0",
    "in 10.0.0.0/8", "in 128.0.0.0/1", "in 2001:db8::/32", "covers 10.128.0.0/9", "exact 0.0.0.0/0", "default",
    "in 0.0.0.0/1,128.0.0.0/1", "domain=blue", "domain in blue,storage", "domain ~ o", "state=held", "state ~ E",
    "peer=198.51.100.1", "peer=198.51.100.0/24", "peer=fe80::1", "peer=fe80::1%eth1", "peer ~ ^198",
    "nh=198.51.100.1", "nh in 198.51.100.0/31", "nh ~ ^198", "dev=blue", "dev in blue,storage", "dev ~ st",
    "lp>5", "lp<=5", "med=0", "med!=0", "origin=igp", "origin in egp,incomplete", "pathlen<2", "aspath=65001",
    "aspath ~ _65001_", "aspath has 65001", "comm has 65001:200", "comm ~ ^65001", "lcomm ~ ^1:", "lcomm=1:1:1",
    "ecomm has rt:65001:100", "ecomm ~ ^rt", "rpki=valid", "rpki!=invalid", "best", "best=no", "age<1m", "age>=5s",
    '"stor"', '"Storage"', "asn in 1,5", "asn>=5", "proto=2", "ecmp>1", "table=8", "metric<50", "*",
]  # fmt: skip
_leaves = st.sampled_from([parse(word).node for word in _WORDS])
_leaves = _leaves | _leaves.map(Not)
related = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(all_of),
        st.lists(inner, min_size=2, max_size=3).map(any_of),
        inner.map(Not),
    ),
    max_leaves=6,
)
some_rows = st.lists(rows(), min_size=2, max_size=2)


@given(trees | related, some_rows)
@settings(max_examples=100, deadline=None)
def test_what_never_matches_matches_no_row(tree: Node, subjects: list[Row]) -> None:
    if never(Query(tree)):
        assert not any(holds(tree, subject) for subject in subjects)


@given(trees | related, trees | related, some_rows)
@settings(max_examples=100, deadline=None)
def test_where_one_filter_implies_another_no_row_denies_it(narrow: Node, wide: Node, subjects: list[Row]) -> None:
    query = Query(all_of([narrow, wide]))
    assert implies(query, query)
    for left, right in ((narrow, wide), (query.node, wide), (narrow, Query(any_of([wide, narrow])).node)):
        if implies(Query(left), Query(right)):
            assert all(holds(right, subject) for subject in subjects if holds(left, subject))


@given(_leaves, st.lists(_leaves, min_size=1, max_size=4), some_rows)
@settings(max_examples=100, deadline=None)
def test_a_hidden_filter_decides_no_operation(tree: Node, earlier: list[Node], subjects: list[Row]) -> None:
    index = hidden_by(Query(tree), [Query(other) for other in earlier])
    if index is not None:
        hiding = any_of([*earlier[: index + 1], earlier[index]])
        operations = [subject for subject in subjects if subject.op and subject.risk]
        assert all(holds(hiding, subject) for subject in operations if holds(tree, subject))


@given(comparisons(), comparisons())
@settings(max_examples=100, deadline=None)
def test_every_test_contradicts_its_denial_and_implies_itself(one: Node, two: Node) -> None:
    assert never(Query(all_of([one, two, Not(one)])))
    assert implies(Query(all_of([two, one])), Query(one))
    assert implies(Query(one), Query(any_of([two, one])))
    assert hidden_by(Query(two), [Query(one), Query(Not(one))]) in (0, 1, None)
