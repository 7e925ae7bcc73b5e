"""A row to ask about, and rows and trees at random."""

from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from hypothesis import strategies as st

from monitor.filter import FIELDS, FilterRow, Relation, parse
from monitor.filter.node import (
    Comparison,
    DefaultRoute,
    Everything,
    FreeText,
    Node,
    Not,
    PrefixTest,
    all_of,
    any_of,
)
from monitor.filter.value import Number, Word
from monitor.rib.attribute import Origin, PathAttributes, Rpki, SegmentType
from programmer.route import Address, Family, Prefix, PrefixKey, family_of, key_of

NOW = 1_000_000.0
SEQUENCE = SegmentType.AS_SEQUENCE

ATTRIBUTES = PathAttributes(
    ip_address("198.51.100.1").packed,
    as_path=((SEQUENCE, (65001, 65002)), (SegmentType.AS_SET, (65003, 65004))),
    origin=Origin.EGP,
    med=50,
    local_pref=200,
    communities=(65001 << 16 | 200, 0xFFFFFF01),
    large_communities=((65001, 1, 200),),
    extended_communities=(bytes.fromhex("0002fde900000064"), bytes.fromhex("4300000000000001")),
)


@dataclass(frozen=True, slots=True)
class Row:
    family: Family = Family.IPV4
    key: PrefixKey = key_of(ip_network("10.1.0.0/16"))  # noqa: RUF009
    domain: str = "storage"
    table: int = 101
    metric: int = 200
    state: str = "installed"
    op: str = "+"
    class_: str = "learned"
    risk: str = "low"
    rule: str = "accept-storage"
    reason: str = "installed"
    peer: str = "198.51.100.1"
    asn: int = 65001
    next_hops: tuple[Address, ...] = (ip_address("198.51.100.1"), ip_address("198.51.100.2"))
    interfaces: tuple[str, ...] = ("eth1", "eth2")
    attributes: PathAttributes | None = ATTRIBUTES
    received_at: float | None = NOW - 240
    ecmp: int = 2
    best: bool = True
    rpki: Rpki = Rpki.VALID
    protocol: int = 196
    description: str = "Storage ToR, rack-7"


ROW = Row()
_STANDS_FOR_THE_PROTOCOL: FilterRow = ROW


def row(prefix: str = "10.1.0.0/16", **changes: object) -> Row:
    network = ip_network(prefix)
    return replace(ROW, family=family_of(network), key=key_of(network), **changes)  # type: ignore[arg-type]


def yes(query: str, subject: FilterRow = ROW) -> bool:
    return parse(query).matches(subject, NOW)


# Few distinct values, so that tests and rows meet often.
_OCTETS = st.sampled_from([0, 10, 128, 255])
_DOMAINS = st.sampled_from(["blue", "storage", "a b", 'quo"te', "back\\", "and", "*", ""])
_PEERS = ["198.51.100.1", "198.51.100.2", "2001:db8::1", "fe80::1%eth1", "fe80::1%eth2"]
_NEXT_HOPS = [ip_address(text) for text in ("198.51.100.1", "198.51.100.2", "203.0.113.9", "2001:db8::1")]
_NUMBERS = st.sampled_from([0, 1, 5, 8, 50, 65001])


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    if draw(st.booleans()):
        octets = bytes(draw(st.tuples(_OCTETS, _OCTETS, _OCTETS, _OCTETS)))
        return ip_network((octets, draw(st.integers(0, 32))), strict=False)
    octets = b"\x20\x01\x0d\xb8" + bytes(draw(st.tuples(*[_OCTETS] * 4))) + bytes(8)
    return ip_network((octets, draw(st.integers(0, 128))), strict=False)


attribute_sets = st.builds(
    PathAttributes,
    st.just(b""),
    as_path=st.lists(
        st.tuples(
            st.sampled_from(SegmentType),
            st.lists(st.sampled_from([1, 5, 65001, 65002]), min_size=1, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    origin=st.sampled_from(Origin),
    med=st.none() | _NUMBERS,
    local_pref=st.none() | _NUMBERS,
    communities=st.lists(st.sampled_from([65001 << 16 | 200, 0xFFFFFF01, 5]), max_size=2).map(tuple),
    large_communities=st.lists(st.sampled_from([(65001, 1, 200), (1, 1, 1)]), max_size=2).map(tuple),
    extended_communities=st.lists(
        st.sampled_from([bytes.fromhex(x) for x in ("0002fde900000064", "0103c00002010064", "06" * 8)]),
        max_size=2,
    ).map(tuple),
)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    network = draw(prefixes())
    return Row(
        family=family_of(network),
        key=key_of(network),
        domain=draw(_DOMAINS),
        table=draw(_NUMBERS),
        metric=draw(_NUMBERS),
        state=draw(st.sampled_from(["installed", "held", "dead-next-hop", ""])),
        op=draw(st.sampled_from(["", "+", "~", "-"])),
        class_=draw(_DOMAINS),
        risk=draw(st.sampled_from(["", "low", "med", "high"])),
        rule=draw(_DOMAINS),
        reason=draw(st.sampled_from(["not-best", "installed", ""])),
        peer=draw(st.sampled_from([*_PEERS, ""])),
        asn=draw(_NUMBERS),
        next_hops=tuple(draw(st.lists(st.sampled_from(_NEXT_HOPS), max_size=2))),
        interfaces=tuple(draw(st.lists(_DOMAINS, max_size=2))),
        attributes=draw(st.none() | attribute_sets),
        received_at=draw(st.none() | st.sampled_from([NOW, NOW - 5, NOW - 60.5, NOW - 3600, NOW + 1])),
        ecmp=draw(_NUMBERS),
        best=draw(st.booleans()),
        rpki=draw(st.sampled_from(Rpki)),
        protocol=draw(st.sampled_from([2, 4, 196])),
        description=draw(st.sampled_from(["", "Storage", 'a "quoted" \\ thing'])),
    )


PATTERNS = ["_65001_", "^65001", "5$", "^$", "st", "a|b", "[0-9]+", 'o"', "\\.", "(_5)+", "E"]
_VALUES: dict[str, list[str]] = {
    "peer": [*_PEERS, "fe80::1", "198.51.100.0/24", "2001:db8::/32"],
    "nh": [*map(str, _NEXT_HOPS), "198.51.100.0/31", "2001:db8::/32"],
    "comm": ["65001:200", "no-export", "0:5"],
    "lcomm": ["65001:1:200", "1:1:1"],
    "ecomm": ["rt:65001:100", "soo:192.0.2.1:100", "0x0606060606060606"],
    "age": ["0s", "5s", "1m", "1m1s", "1h", "2w"],
    "state": ["installed", "held", "dead-next-hop", ""],
    "reason": ["not-best", "installed", ""],
    "description": ["Storage", 'a "quoted" \\ thing', ""],
    "aspath": ["65001", "65001 65002", ""],
}


@st.composite
def comparisons(draw: st.DrawFn) -> Node:
    field = draw(st.sampled_from([field for field in FIELDS.values() if field.name != "prefix"]))
    operator = draw(st.sampled_from(field.operators))
    kind = field.kind_of(operator)
    if operator in ("~", "!~"):
        values: st.SearchStrategy[int | str] = st.sampled_from(PATTERNS)
    elif isinstance(kind, Word):
        values = st.sampled_from(kind.known)
    elif isinstance(kind, Number):
        values = _NUMBERS.map(lambda number: min(number, kind.most))
    elif field.name in _VALUES:
        values = st.sampled_from(_VALUES[field.name]).map(kind.read)
    else:
        values = _DOMAINS
    count = draw(st.integers(1, 3)) if operator == "in" else 1
    return Comparison(field.name, operator, tuple(draw(values) for _ in range(count)))


_leaves = st.one_of(
    st.just(Everything()),
    st.just(DefaultRoute()),
    st.builds(PrefixTest, st.sampled_from(Relation), st.lists(prefixes(), min_size=1, max_size=3).map(tuple)),
    st.builds(FreeText, st.sampled_from(["stor", "QUOTED", '"', "\\", "51.100", "\\\\", "not-best"])),
    comparisons(),
    comparisons(),
    comparisons(),
)
trees: st.SearchStrategy[Node] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=4).map(all_of),
        st.lists(inner, min_size=2, max_size=4).map(any_of),
    ),
    max_leaves=8,
)
