"""From syntax tree to one function of a row: closures, the cheapest first.

A test has no side effect, so the parts of a conjunction may run in any order; they run by cost.  What an
expression says of an attribute set is remembered per set: a full table has one set for some twenty prefixes.
"""

import operator
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from monitor.filter.field import FIELDS, RISKS
from monitor.filter.node import (
    And,
    Comparison,
    DefaultRoute,
    Everything,
    FreeText,
    Node,
    Not,
    Or,
    PrefixTest,
    Relation,
    Value,
)
from monitor.filter.pattern import Pattern
from monitor.filter.row import FilterRow
from monitor.filter.value import Expression, extended_community_text
from monitor.rib.attribute import Origin, PathAttributes, Rpki, community_text
from programmer.route import Address, Family, Prefix, PrefixKey, covering_key, family_of, key_of

Test = Callable[[FilterRow, float], bool]
"""A predicate of a row and of now, in seconds since the epoch."""

MAX_REMEMBERED = 65_536
"""Most answers that one test remembers."""

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NEGATED = {"!=": "=", "!~": "~"}


class Costed(NamedTuple):
    """A test and what it costs: 0 prefix, 1 scalar, 2 several values, 3 attribute expression, 4 free text."""

    cost: int
    test: Test


class Compiler:
    """Compiles one tree; ``memories`` are the dictionaries in which its tests remember answers."""

    def __init__(self) -> None:
        self.memories: list[dict[Any, bool]] = []

    def compile(self, node: Node) -> Costed:
        """Return the test of *node*."""
        match node:
            case Everything():
                return Costed(0, lambda _row, _now: True)
            case DefaultRoute():
                return Costed(0, lambda row, _now: row.key[0] == 0)
            case PrefixTest():
                return Costed(0, _prefix_test(node))
            case FreeText():
                return Costed(4, _free_text(node.text))
            case Comparison():
                return self.comparison(node)
            case Not():
                cost, test = self.compile(node.part)
                return Costed(cost, lambda row, now: not test(row, now))
            case And():
                parts = sorted(map(self.compile, node.parts), key=operator.itemgetter(0))
                return Costed(parts[-1].cost, _all([part.test for part in parts]))
            case Or():
                parts = sorted(map(self.compile, node.parts), key=operator.itemgetter(0))
                return Costed(parts[-1].cost, _any([part.test for part in parts]))

    def comparison(self, node: Comparison) -> Costed:
        """Return the test of a field; ``!=`` and ``!~`` are true exactly where ``=`` and ``~`` are not."""
        if node.operator in _NEGATED and node.field not in _SCALARS:
            positive = Comparison(node.field, _NEGATED[node.operator], node.values)
            cost, test = self.comparison(positive)
            return Costed(cost, lambda row, now: not test(row, now))
        if node.field == "age":
            return Costed(1, _age_test(node.operator, int(node.values[0])))
        if node.field == "peer":
            return Costed(2, self.peer(node))
        if node.field in _SCALARS:
            return Costed(1, _scalar_test(node))
        if node.field == "nh":
            return Costed(2, _any_next_hop(_address_test(node)))
        if node.field == "dev":
            match_name = _text_test(node)
            return Costed(2, lambda row, _now: any(map(match_name, row.interfaces)))
        return Costed(3, self.attribute(_ATTRIBUTE_TESTS[node.field](node)))

    def remember(self) -> dict[Any, bool]:
        """Return a new memory."""
        memory: dict[Any, bool] = {}
        self.memories.append(memory)
        return memory

    def attribute(self, test: Callable[[PathAttributes], bool]) -> Test:
        """Ask *test* once per attribute set.  A set is its own key, by identity."""
        memory = self.remember()
        recall = memory.get

        def attribute_test(row: FilterRow, _now: float) -> bool:
            attributes = row.attributes
            if attributes is None:
                return False
            known = recall(attributes)
            if known is None:
                if len(memory) >= MAX_REMEMBERED:
                    memory.clear()
                known = memory[attributes] = test(attributes)
            return known

        return attribute_test

    def peer(self, node: Comparison) -> Test:
        """Ask once per peer address; a node has few peers and a million rows."""
        test = _peer_matcher(node)
        memory = self.remember()
        recall = memory.get

        def peer_test(row: FilterRow, _now: float) -> bool:
            peer = row.peer
            known = recall(peer)
            if known is None:
                if len(memory) >= MAX_REMEMBERED:
                    memory.clear()
                known = memory[peer] = test(peer)
            return known

        return peer_test


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda row, now: first(row, now) and second(row, now)
    if len(tests) == 3:
        first, second, third = tests
        return lambda row, now: first(row, now) and second(row, now) and third(row, now)

    def every(row: FilterRow, now: float) -> bool:
        for test in tests:  # noqa: SIM110 -- a generator costs more than the tests
            if not test(row, now):
                return False
        return True

    return every


def _any(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda row, now: first(row, now) or second(row, now)

    def either(row: FilterRow, now: float) -> bool:
        for test in tests:  # noqa: SIM110 -- a generator costs more than the tests
            if test(row, now):
                return True
        return False

    return either


def _prefix_test(node: PrefixTest) -> Test:
    match node.relation:
        case Relation.EXACT:
            return _key_in({(family_of(prefix), key_of(prefix)) for prefix in node.prefixes})
        case Relation.COVERS:
            return _key_in(
                {
                    (family_of(prefix), covering_key(key_of(prefix), length))
                    for prefix in node.prefixes
                    for length in range(prefix.prefixlen + 1)
                }
            )
        case Relation.IN:
            tests = [_inside(prefix) for prefix in node.prefixes]
            return tests[0] if len(tests) == 1 else _any(tests)


def _key_in(wanted: set[tuple[Family, PrefixKey]]) -> Test:
    ipv4 = frozenset(key for family, key in wanted if family is Family.IPV4)
    ipv6 = frozenset(key for family, key in wanted if family is Family.IPV6)
    return lambda row, _now: row.key in (ipv4 if row.family is Family.IPV4 else ipv6)


def _inside(prefix: Prefix) -> Test:
    """Compare whole octets, then the bits that are left over: a longer key has at least as many octets."""
    family, length = family_of(prefix), prefix.prefixlen
    whole, spare = length >> 3, length & 7
    head = prefix.network_address.packed[:whole]
    end, mask = whole + 1, 0xFF00 >> spare & 0xFF
    last = prefix.network_address.packed[whole] if spare else 0

    def inside(row: FilterRow, _now: float) -> bool:
        key = row.key
        return (
            key[0] >= length and row.family is family and key[1:end] == head and (not spare or key[end] & mask == last)
        )

    return inside


def _free_text(text: str) -> Test:
    needle = text.lower()
    return lambda row, _now: (
        needle in row.description.lower() or needle in row.peer.lower() or needle in row.reason.lower()
    )


def _age_test(sign: str, seconds: int) -> Test:
    compare = _ORDERINGS.get(sign) or (operator.eq if sign == "=" else operator.ne)
    unknown = sign == "!="

    def age(row: FilterRow, now: float) -> bool:
        since = row.received_at
        return unknown if since is None else compare(int(now - since), seconds)

    return age


# Where a field's value stands, and what turns a filter's value into what stands there.  A getter answers None
# where there is no value: nothing is equal to it, and no order holds.
_SCALARS: dict[str, Callable[[FilterRow], Any]] = {
    "len": lambda row: row.key[0],
    "af": operator.attrgetter("family"),
    "domain": operator.attrgetter("domain"),
    "table": operator.attrgetter("table"),
    "asn": operator.attrgetter("asn"),
    "pathlen": lambda row: None if row.attributes is None else row.attributes.as_path_length,
    "origin": lambda row: None if row.attributes is None else row.attributes.origin,
    "lp": lambda row: None if row.attributes is None else row.attributes.local_pref,
    "med": lambda row: None if row.attributes is None else row.attributes.med,
    "rpki": operator.attrgetter("rpki"),
    "best": operator.attrgetter("best"),
    "ecmp": operator.attrgetter("ecmp"),
    "metric": operator.attrgetter("metric"),
    "proto": operator.attrgetter("protocol"),
    "state": operator.attrgetter("state"),
    "op": operator.attrgetter("op"),
    "risk": lambda row: RISKS.index(row.risk) if row.risk in RISKS else None,
    "rule": operator.attrgetter("rule"),
    "class": operator.attrgetter("class_"),
    "reason": operator.attrgetter("reason"),
    "description": operator.attrgetter("description"),
}
_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "af": Family.of_label,
    "origin": lambda word: Origin[word.upper()],
    "rpki": lambda word: Rpki[word.upper().replace("-", "_")],
    "best": lambda word: word == "yes",
    "risk": RISKS.index,
}


def _scalar_test(node: Comparison) -> Test:
    get = _SCALARS[node.field]
    if node.operator in ("~", "!~"):
        search = _pattern_of(node).search
        if node.operator == "~":
            return lambda row, _now: search(get(row))
        return lambda row, _now: not search(get(row))
    convert = _CONVERSIONS.get(node.field)
    values = [convert(value) for value in node.values] if convert else list(node.values)
    wanted = values[0]
    match node.operator:
        case "=":
            return lambda row, _now: get(row) == wanted
        case "!=":
            return lambda row, _now: get(row) != wanted
        case "in":
            several = frozenset(values)
            return lambda row, _now: get(row) in several
    compare = _ORDERINGS[node.operator]

    def ordered(row: FilterRow, _now: float) -> bool:
        value = get(row)
        return value is not None and compare(value, wanted)

    return ordered


def _pattern_of(node: Comparison) -> Pattern:
    kind = FIELDS[node.field].kind_of("~")
    assert isinstance(kind, Expression)
    return kind.compiled(str(node.values[0]))


def _text_test(node: Comparison) -> Callable[[str], bool]:
    """Return the test of one text: equal to a value, or found by the expression."""
    if node.operator == "~":
        return _pattern_of(node).search
    return frozenset(map(str, node.values)).__contains__


def _networks_of(values: tuple[Value, ...]) -> tuple[list[str], list[Prefix]]:
    """Split the values into addresses and prefixes."""
    texts = [str(value) for value in values]
    return [text for text in texts if "/" not in text], [ip_network(text) for text in texts if "/" in text]


def _address_test(node: Comparison) -> Callable[[Address], bool]:
    if node.operator == "~":
        search = _pattern_of(node).search
        return lambda address: search(str(address))
    texts, networks = _networks_of(node.values)
    addresses = frozenset(map(ip_address, texts))
    if not networks:
        return addresses.__contains__
    return lambda address: address in addresses or any(address in network for network in networks)


def _any_next_hop(test: Callable[[Address], bool]) -> Test:
    return lambda row, _now: any(map(test, row.next_hops))


def _peer_matcher(node: Comparison) -> Callable[[str], bool]:
    """Compare a peer by address.  A value without a zone matches that address on any link."""
    if node.operator == "~":
        return _pattern_of(node).search
    texts, networks = _networks_of(node.values)
    wanted = frozenset(texts)

    def matches(peer: str) -> bool:
        bare, _, zone = peer.partition("%")
        try:
            address = ip_address(bare)
        except ValueError:
            return False
        text = str(address)
        return (
            text in wanted
            or (bool(zone) and f"{text}%{zone}" in wanted)
            or any(address in network for network in networks)
        )

    return matches


def _as_path_test(node: Comparison) -> Callable[[PathAttributes], bool]:
    if node.operator == "has":
        number = node.values[0]
        return lambda attributes: any(number in numbers for _, numbers in attributes.as_path)
    test = _text_test(node)
    return lambda attributes: test(attributes.as_path_text)


def _community_test(node: Comparison) -> Callable[[PathAttributes], bool]:
    if node.operator == "~":
        test = _text_test(node)
        return lambda attributes: any(test(community_text(number)) for number in attributes.communities)
    wanted = frozenset(node.values)
    return lambda attributes: not wanted.isdisjoint(attributes.communities)


def _large_community_test(node: Comparison) -> Callable[[PathAttributes], bool]:
    test = _text_test(node)
    return lambda attributes: any(test(":".join(map(str, numbers))) for numbers in attributes.large_communities)


def _extended_community_test(node: Comparison) -> Callable[[PathAttributes], bool]:
    test = _text_test(node)
    return lambda attributes: any(map(test, map(extended_community_text, attributes.extended_communities)))


_ATTRIBUTE_TESTS = {
    "aspath": _as_path_test,
    "comm": _community_test,
    "lcomm": _large_community_test,
    "ecomm": _extended_community_test,
}
