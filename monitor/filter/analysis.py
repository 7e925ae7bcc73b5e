"""What can be said of filters without a row: which can never match, and which one covers another.

A filter is walked through as alternatives.  An alternative is a conjunction of tests, kept as one extent per
subject: what the row's AS number, state or prefix can still be.  A test narrows the extent of its subject; where
nothing is left, the alternative is impossible.  *narrow* implies *wide* where "narrow, and not wide" leaves no
alternative.

A problem that is reported is one, but not every problem is found: regular expressions are the same or unknown to
each other, subjects are taken one by one (a path's length says nothing of its text), and the work is bounded.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from monitor.filter.extent import (
    ANYWHERE,
    AddressRange,
    Box,
    Extent,
    Needles,
    Numbers,
    Peer,
    Prefixes,
    Several,
    Spans,
    Texts,
    Values,
    both,
    outside,
)
from monitor.filter.field import FIELDS
from monitor.filter.node import And, Comparison, DefaultRoute, FreeText, Node, Not, Or, PrefixTest
from monitor.filter.query import Query
from monitor.filter.value import Duration, Number, Word
from monitor.rib.attribute import community_text

MAX_ALTERNATIVES = 64
"""Most alternatives that are looked at side by side; a part that would make more is taken for true."""

_MAX_TOGETHER = 16
_MAX_EFFORT = 20_000
_MAX_REASONS = 3
_MAX_REMEMBERED = 1024

# Fields whose value a row may lack: it has no path, no MED, no known age, or is no operation of a plan.
_MAY_LACK = frozenset({"pathlen", "origin", "lp", "med", "age", "op", "risk"})


def never(query: Query) -> str:
    """Return why *query* can match no row at all, in words that name the parts; empty where it may match one."""
    walk = _Walk(disjoint=False)
    if walk.narrow([_EVERY_ROW], _Test(query.node)):
        return ""
    order = list(_tests_of(_Test(query.node)))
    reasons: list[str] = []
    for tests in walk.dead:
        reason = _reason(sorted(_least_clash(tests), key=order.index))
        if reason in reasons:
            continue
        if len(reasons) == _MAX_REASONS:
            reasons.append("and so on")
            break
        reasons.append(reason)
    return "; ".join(reasons)


def implies(narrow: Query, wide: Query) -> bool:
    """Say whether it is certain that every row which *narrow* matches, *wide* matches too.

    A query that can never match implies everything.
    """
    if narrow.node == wide.node:
        return True
    states = _Walk().narrow([_EVERY_ROW], _Test(narrow.node))
    return not _Walk().narrow(states, _Test(wide.node, holds=False))


def hidden_by(query: Query, earlier: Sequence[Query]) -> int | None:
    """Return the index of the query of *earlier* because of which *query* decides nothing, or None.

    That is the first one which covers *query* by itself, else the one with which all up to it cover *query*
    together.  Rows are operations of a plan here: each has an ``op`` and a ``risk``, so that ``op=+``, ``op=~`` and
    ``op=-`` are all there are.  A query that can never match is hidden by nothing; ``never`` says why.
    """
    states = _Walk().narrow([_EVERY_OPERATION], _Test(query.node))
    if not states:
        return None
    left, together = states, None
    for index, other in enumerate(earlier):
        denied = _Test(other.node, holds=False)
        rest = _Walk().narrow(states, denied)
        if not rest:
            return index
        if together is None:
            left = rest if left is states else _Walk(most=_MAX_TOGETHER).narrow(left, denied)
            together = None if left else index
    return together


class _Test(NamedTuple):
    """A tree that is true, or with ``holds`` false, is not."""

    node: Node
    holds: bool = True

    def __str__(self) -> str:
        return str(self.node if self.holds else Not(self.node))

    def of(self, part: Node) -> "_Test":
        """Return the same said of *part*."""
        return _Test(part, self.holds)

    def denied(self) -> "_Test":
        """Return the opposite."""
        return _Test(self.node, not self.holds)


class _State(NamedTuple):
    """One alternative: the extents of its subjects, and the tests that made them."""

    extents: dict[str, Extent]
    tests: tuple[_Test, ...] = ()


class _Walk:
    """One walk through a tree, with a bound on the work.

    With ``disjoint`` the alternatives exclude each other, which keeps them few.  Without, each is as somebody wrote
    it, and ``dead`` are the impossible ones; the last test of each is the one that was too much.
    """

    def __init__(self, *, disjoint: bool = True, most: int = MAX_ALTERNATIVES) -> None:
        self.disjoint = disjoint
        self.most = most
        self.effort = _MAX_EFFORT
        self.dead: list[tuple[_Test, ...]] = []

    def narrow(self, states: list[_State], test: _Test) -> list[_State]:
        """Return what *test* leaves of *states*, or more than that; all of them once there is no effort left."""
        if not states or self.effort <= 0:
            return states
        match test.node:
            case Not(part):
                return self.narrow(states, test.denied().of(part))
            case And(parts) | Or(parts):
                walk = self.every if isinstance(test.node, And) is test.holds else self.either
                return walk(states, [test.of(part) for part in parts])
            case _:
                return self.leaf(states, test)

    def every(self, states: list[_State], tests: list[_Test]) -> list[_State]:
        """Take all of *tests*, leaves first, because those only make alternatives fewer."""
        for test in sorted(tests, key=_is_branch):
            states = self.narrow(states, test)
        return states

    def either(self, states: list[_State], tests: list[_Test]) -> list[_State]:
        """Take *tests* side by side; all or nothing, for less than all would lose rows."""
        found: list[_State] = []
        rest = states
        for test in tests:
            found += self.narrow(rest, test)
            if len(found) > self.most:
                return states
            if self.disjoint:
                rest = self.narrow(rest, test.denied())
        return found

    def leaf(self, states: list[_State], test: _Test) -> list[_State]:
        """Narrow each state by one test."""
        subject, extent = _reading(test)
        found: list[_State] = []
        for state in states:
            known = state.extents.get(subject)
            left = extent
            self.effort -= 1
            if known is not None and extent is not None:
                self.effort -= known.weight() * extent.weight() >> 4
                left = known.meet(extent)
            tests = () if self.disjoint else (*state.tests, test)
            if left is not None:
                found.append(_State({**state.extents, subject: left}, tests))
            elif tests:
                self.dead.append(tests)
        return found


def _is_branch(test: _Test) -> bool:
    return isinstance(test.node, And | Or | Not)


def _tests_of(test: _Test) -> Iterator[_Test]:
    """Yield the leaves from left to right."""
    match test.node:
        case Not(part):
            yield from _tests_of(test.denied().of(part))
        case And(parts) | Or(parts):
            for part in parts:
                yield from _tests_of(test.of(part))
        case _:
            yield test


def _least_clash(tests: tuple[_Test, ...]) -> list[_Test]:
    """Return few of *tests* that are impossible together; the last is one of them, for without it all was well."""
    last = tests[-1]
    subject = _reading(last).subject
    others = [test for test in dict.fromkeys(tests[:-1]) if _reading(test).subject == subject]
    if _clash([last]):
        return [last]
    for other in others:
        if _clash([other, last]):
            return [other, last]
    for other in list(others):
        fewer = [test for test in others if test != other]
        if _clash([*fewer, last]):
            others = fewer
    return [*others, last]


def _clash(tests: list[_Test]) -> bool:
    """Say whether *tests*, all of one subject, leave nothing of it."""
    left = _reading(tests[0]).extent
    for test in tests[1:]:
        extent = _reading(test).extent
        left = None if left is None or extent is None else left.meet(extent)
    return left is None


def _reason(tests: list[_Test]) -> str:
    words = list(map(str, tests))
    if len(words) == 1:
        return f"{words[0]} is never true"
    names = f"{', '.join(words[:-1])} and {words[-1]}"
    if any(isinstance(test.node, PrefixTest | DefaultRoute) for test in tests):
        return f"{names} have no prefix in common"
    return f"{names} exclude each other" if len(words) == 2 else f"{names} are never true together"


class _Reading(NamedTuple):
    """What a leaf says: of which subject, and what it leaves of it, None for nothing."""

    subject: str
    extent: Extent | None


@lru_cache(maxsize=_MAX_REMEMBERED)
def _reading(test: _Test) -> _Reading:
    match test.node:
        case Comparison():
            return _reading_of_field(test.node, holds=test.holds)
        case PrefixTest(relation, prefixes):
            return _reading_of_prefix([Box.of(relation, prefix) for prefix in prefixes], holds=test.holds)
        case DefaultRoute():
            boxes = [box._replace(inside=False, lengths=((0, 0),)) for box in ANYWHERE]
            return _reading_of_prefix(boxes, holds=test.holds)
        case FreeText(text):
            words, none = frozenset({text.lower()}), frozenset[str]()
            return _Reading("text", Needles(words, none) if test.holds else Needles(none, words))
        case _:
            return _Reading("*", Numbers((), missing=True) if test.holds else None)


def _reading_of_prefix(boxes: list[Box], *, holds: bool) -> _Reading:
    if holds:
        return _Reading("prefix", Prefixes(tuple(boxes), ()) if boxes else None)
    return _Reading("prefix", Prefixes(ANYWHERE, ()).meet(Prefixes(ANYWHERE, tuple(boxes))))


def _reading_of_field(node: Comparison, *, holds: bool) -> _Reading:
    """Read a comparison; ``!=`` and ``!~`` are true exactly where ``=`` and ``~`` are not, in every field."""
    if node.operator in ("!=", "!~"):
        return _reading_of_field(Comparison(node.field, node.operator[1:], node.values), holds=not holds)
    name, kind = node.field, FIELDS[node.field].kind
    if isinstance(kind, Number | Duration | Word):
        return _reading_of_number(node, holds=holds)
    if name == "aspath" and node.operator == "has":
        return _Reading("aspath has", _several(Values(frozenset(map(str, node.values))), holds=holds))
    return _Reading(name, _text_extent(node, holds=holds))


def _reading_of_number(node: Comparison, *, holds: bool) -> _Reading:
    name, kind = node.field, FIELDS[node.field].kind
    values = [kind.known.index(str(value)) if isinstance(kind, Word) else int(value) for value in node.values]
    spans = _spans_of(node.operator, values)
    if not holds:
        spans = outside(spans)
    if name == "len":
        return _reading_of_prefix([piece for box in ANYWHERE for piece in box.only(spans)], holds=True)
    if name == "af":
        families = [box for index, box in enumerate(ANYWHERE) if both(spans, ((index, index),))]
        return _reading_of_prefix(families, holds=True)
    if isinstance(kind, Word):
        spans = both(spans, ((0, len(kind.known) - 1),))
    elif isinstance(kind, Number):
        spans = both(spans, ((0, kind.most),))
    missing = not holds and name in _MAY_LACK
    return _Reading(name, Numbers(spans, missing) if spans or missing else None)


def _spans_of(operator: str, values: list[int]) -> Spans:
    value = values[0]
    match operator:
        case "<":
            return ((-math.inf, value - 1),)
        case "<=":
            return ((-math.inf, value),)
        case ">":
            return ((value + 1, math.inf),)
        case ">=":
            return ((value, math.inf),)
        case _:
            return tuple((one, one) for one in sorted(set(values)))


def _text_extent(node: Comparison, *, holds: bool) -> Extent:
    """Read ``=``, ``in``, ``has`` and ``~`` of a field whose values are texts, addresses or communities."""
    name, none = node.field, frozenset[str]()
    pattern = FIELDS[name].expression.compiled(str(node.values[0])) if node.operator == "~" else None
    words = none if pattern else frozenset(map(str, node.values))
    match name:
        case "nh":
            return _several(Values(ranges=tuple(map(AddressRange.of, words)), pattern=pattern), holds=holds)
        case "peer":
            ranges = tuple(map(AddressRange.of, words))
            sources = frozenset({pattern.source}) if pattern else none
            return Peer(None if pattern else ranges, (), sources, none) if holds else Peer(None, ranges, none, sources)
        case "comm" if not pattern:
            texts = frozenset(community_text(int(value)) for value in node.values)
            return _several(Values(texts), holds=holds)
        case "dev" | "comm" | "lcomm" | "ecomm":
            return _several(Values(words, pattern=pattern), holds=holds)
    patterns = (pattern,) if pattern else ()
    if holds:
        return Texts(None if pattern else words, none, patterns, (), missing=False)
    return Texts(None, words, (), patterns, missing=name == "aspath")


def _several(values: Values, *, holds: bool) -> Several:
    return Several((values,), ()) if holds else Several((), (values,))


def _every_operation() -> _State:
    readings = [_reading(_Test(Comparison(name, "in", FIELDS[name].kind.known))) for name in ("op", "risk")]
    return _State({subject: extent for subject, extent in readings if extent is not None})


_EVERY_ROW = _State({})
_EVERY_OPERATION = _every_operation()
