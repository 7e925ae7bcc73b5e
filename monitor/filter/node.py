"""The syntax tree of a filter: frozen values that print as text which parses to them again."""

import enum
from dataclasses import dataclass

from monitor.filter.field import FIELDS
from monitor.filter.lexer import quoted
from programmer.route import Prefix

Value = int | str
"""What a field is compared with, in canonical form: numbers and seconds as int, all else as text."""


class Relation(enum.Enum):
    """How a row's prefix stands to a named one."""

    EXACT = "exact"
    COVERS = "covers"
    IN = "in"


@dataclass(frozen=True, slots=True)
class Everything:
    """``*``: true for every row."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """``default``: true for 0.0.0.0/0 and ::/0."""

    def __str__(self) -> str:
        return "default"


@dataclass(frozen=True, slots=True)
class PrefixTest:
    """The row's prefix is one of, covers one of, or is inside one of ``prefixes``."""

    relation: Relation
    prefixes: tuple[Prefix, ...]

    def __str__(self) -> str:
        if len(self.prefixes) > 1:
            return f"{self.relation.value} ({', '.join(map(str, self.prefixes))})"
        (prefix,) = self.prefixes
        if self.relation is Relation.EXACT:
            return str(prefix)
        if self.relation is Relation.COVERS and prefix.prefixlen == prefix.max_prefixlen:
            return str(prefix.network_address)
        return f"{self.relation.value} {prefix}"


@dataclass(frozen=True, slots=True)
class FreeText:
    """The text occurs in the description, the peer or the reason; case is ignored."""

    text: str

    def __str__(self) -> str:
        return quoted(self.text)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field against one value, or with ``in`` against several.

    ``field`` is a name of ``FIELDS``, ``operator`` one of its operators, values as its kind reads them.
    """

    field: str
    operator: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        kind = FIELDS[self.field].kind_of(self.operator)
        words = [kind.write(value) for value in self.values]
        if self.operator == "in":
            return f"{self.field} in ({', '.join(words)})"
        if self.operator == "has":
            return f"{self.field} has {words[0]}"
        if self.operator in ("~", "!~"):
            return f"{self.field} {self.operator} {words[0]}"
        return f"{self.field}{self.operator}{words[0]}"


@dataclass(frozen=True, slots=True)
class Not:
    """True where ``part`` is not."""

    part: "Node"

    def __str__(self) -> str:
        return f"not ({self.part})" if isinstance(self.part, And | Or) else f"not {self.part}"


@dataclass(frozen=True, slots=True)
class And:
    """True where all parts are; two parts or more, none of them an And."""

    parts: "tuple[Node, ...]"

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """True where any part is; two parts or more, none of them an Or."""

    parts: "tuple[Node, ...]"

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


Node = Everything | DefaultRoute | PrefixTest | FreeText | Comparison | Not | And | Or


def all_of(parts: list[Node]) -> Node:
    """Return the conjunction of one part or more, flat."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, And) else (part,))
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(parts: list[Node]) -> Node:
    """Return the disjunction of one part or more, flat."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Or) else (part,))
    return flat[0] if len(flat) == 1 else Or(tuple(flat))
