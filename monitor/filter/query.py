"""A parsed filter: the rows it matches, the fields it names, and where a planner may look."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from monitor.filter.compiler import Compiler, Test
from monitor.filter.error import Hint
from monitor.filter.node import (
    And,
    Comparison,
    DefaultRoute,
    FreeText,
    Node,
    Not,
    Or,
    PrefixTest,
    Relation,
)
from monitor.filter.parser import Context, Parser
from programmer.route import Family, Prefix, prefix_of

_DEFAULTS = tuple(prefix_of(family, b"\0") for family in Family)
_BY_SELECTIVITY = (Relation.EXACT, Relation.COVERS, Relation.IN)


class PrefixBounds(NamedTuple):
    """Every match stands in this relation to at least one of ``prefixes``."""

    relation: Relation
    prefixes: tuple[Prefix, ...]


class Query:
    """One filter.  Two queries are equal when their trees are; ``str`` gives the canonical text.

    ``hints`` are remarks for whoever typed it; they say nothing about the meaning.
    """

    __slots__ = ("_memories", "_test", "hints", "node")

    def __init__(self, node: Node, hints: tuple[Hint, ...] = ()) -> None:
        self.node = node
        self.hints = hints
        self._memories: list[dict[object, bool]] = []
        self._test: Test | None = None

    @property
    def matches(self) -> Test:
        """The compiled predicate ``matches(row, now)``; take it out of a loop over many rows.

        ``now`` is in seconds since the epoch (UTC) and counts for ``age`` only.
        """
        if self._test is None:
            compiler = Compiler()
            self._test = compiler.compile(self.node).test
            self._memories = compiler.memories
        return self._test

    def forget(self) -> None:
        """Drop the answers remembered per attribute set, and so the sets.  For queries that are kept."""
        for memory in self._memories:
            memory.clear()

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields that the filter asks for; free text asks for description, peer and reason."""
        return frozenset(_fields_of(self.node))

    def prefix_bounds(self) -> PrefixBounds | None:
        """Return where all matches must be, or None if they can be anywhere.

        Looked for at the top and among the parts of a conjunction there; the narrowest wins.
        """
        parts = self.node.parts if isinstance(self.node, And) else (self.node,)
        found = [bounds for part in parts if (bounds := _bounds_of(part)) is not None]
        return min(found, key=lambda bounds: _BY_SELECTIVITY.index(bounds.relation), default=None)

    def __str__(self) -> str:
        return str(self.node)

    def __repr__(self) -> str:
        return f"Query({str(self.node)!r})"

    def __eq__(self, other: object) -> bool:
        return self.node == other.node if isinstance(other, Query) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.node)


def parse(text: str, saved: Mapping[str, str] = MappingProxyType({})) -> Query:
    """Return the query that *text* means; ``@name`` in it stands for the filter ``saved[name]``.

    Raises FilterError with the place of what is wrong.  An empty text matches every row.
    """
    parser = Parser(text, Context(saved))
    node = parser.whole()
    return Query(node, tuple(parser.hints))


def _bounds_of(node: Node) -> PrefixBounds | None:
    match node:
        case PrefixTest(relation, prefixes):
            return PrefixBounds(relation, prefixes)
        case DefaultRoute():
            return PrefixBounds(Relation.EXACT, _DEFAULTS)
        case _:
            return None


def _fields_of(node: Node) -> Iterator[str]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _fields_of(part)
        case Not(part):
            yield from _fields_of(part)
        case PrefixTest() | DefaultRoute():
            yield "prefix"
        case Comparison(field):
            yield field
        case FreeText():
            yield from ("description", "peer", "reason")
