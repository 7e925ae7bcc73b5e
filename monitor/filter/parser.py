"""From text to syntax tree: recursive descent over the grammar of docs/filter.md.

or    = and { "or" and }
and   = not { ["and"] not }
not   = ("not" | "!") not | atom
atom  = "(" or ")" | "*" | "default" | "best" | "@" NAME | STRING | ADDRESS | PREFIX
      | ("in" | "covers" | "exact") list | FIELD operator VALUE | FIELD "in" list | FIELD "has" VALUE
list  = VALUE { "," VALUE } | "(" VALUE { "," VALUE } ")"
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from monitor.filter.error import BadValueError, FilterError, Hint
from monitor.filter.field import FIELDS, NAMES, Field
from monitor.filter.lexer import Token, TokenKind, quoted, tokens_of
from monitor.filter.node import (
    Comparison,
    DefaultRoute,
    Everything,
    FreeText,
    Node,
    Not,
    PrefixTest,
    Relation,
    all_of,
    any_of,
)
from monitor.filter.value import Text, nearest, numbers_of, prefix_of_word, shown

T = TypeVar("T")

MAX_TEXT = 4096
"""Longest filter, in characters."""

_MAX_DEPTH = 32
_MAX_SAVED_DEPTH = 8
_MAX_NODES = 2000
_RELATIONS = {relation.value: relation for relation in Relation}
_RESERVED = ("and", "or", "not", "in", "covers", "exact", "default", "best")
_QUOTE_IT = "an expression with parentheses stands in quotes"
_FOREIGN_WORDS = {"&&": "and", "&": "and", "||": "or", "|": "or"}
_FOREIGN_OPERATORS = {"==": "=", "=~": "~", "~=": "~", "=<": "<=", "=>": ">=", "<>": "!=", "!==": "!="}


class Context:
    """What a filter and the saved filters in it share: all saved ones, those open now, and a size limit."""

    def __init__(self, saved: Mapping[str, str]) -> None:
        self.saved = saved
        self.active: list[str] = []
        self.nodes = 0


class Parser:
    """One pass over one text."""

    def __init__(self, text: str, context: Context) -> None:
        self.text = text
        self.context = context
        self.hints: list[Hint] = []
        if len(text) > MAX_TEXT:
            raise FilterError(f"a filter has at most {MAX_TEXT} characters", MAX_TEXT, len(text) - MAX_TEXT, "", text)
        self.tokens = tokens_of(text)
        self.index = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        """The piece that is looked at."""
        return self.tokens[self.index]

    def advance(self) -> Token:
        """Take the piece that is looked at."""
        token = self.tokens[self.index]
        self.index += token.kind is not TokenKind.END
        return token

    def wrong(self, message: str, token: Token, suggestion: str = "") -> FilterError:
        """Return an error that marks *token*."""
        return FilterError(message, token.start, token.length, suggestion, self.text)

    def whole(self) -> Node:
        """Read everything; nothing at all means every row."""
        if self.token.kind is TokenKind.END:
            return Everything()
        node = self.disjunction()
        token = self.token
        if token.kind is TokenKind.CLOSE:
            raise self.wrong("there is no ( for this )", token)
        if token.kind is not TokenKind.END:
            raise self.unexpected(token)
        return node

    def unexpected(self, token: Token) -> FilterError:
        """Return the error for a piece that no test can begin with."""
        match token.kind:
            case TokenKind.END:
                return self.wrong("something is missing here", token)
            case TokenKind.COMMA:
                return self.wrong("a comma stands only between values: state in failed,held", token)
            case TokenKind.OPERATOR:
                return self.wrong(f"there is no field before {token.text}", token)
            case _:
                return self.wrong(f"{token.text} has nothing to join", token)

    def disjunction(self) -> Node:
        """Read ``and { "or" and }``."""
        parts = [self.conjunction()]
        while self.is_word("or"):
            self.advance()
            parts.append(self.conjunction())
        return any_of(parts)

    def conjunction(self) -> Node:
        """Read ``not { ["and"] not }``."""
        parts = [self.negation()]
        while True:
            if self.is_word("and"):
                self.advance()
            elif self.is_word("or") or self.token.kind not in (
                TokenKind.WORD,
                TokenKind.STRING,
                TokenKind.OPEN,
                TokenKind.NOT,
            ):
                return all_of(parts)
            parts.append(self.negation())

    def negation(self) -> Node:
        """Read any number of ``not`` and what they deny."""
        count = 0
        while self.token.kind is TokenKind.NOT or self.is_word("not"):
            self.deeper(self.advance())
            count += 1
        node = self.atom()
        self.depth -= count
        for _ in range(count):
            node = Not(node)
        return node

    def deeper(self, token: Token) -> None:
        """Count one more level; the limit keeps every later walk over the tree short."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.wrong(f"this is nested more than {_MAX_DEPTH} deep", token)

    def is_word(self, word: str) -> bool:
        """Say whether the piece is this keyword, in any case."""
        token = self.tokens[self.index]
        return token.kind is TokenKind.WORD and (token.text == word or token.text.lower() == word)

    def is_word_operator(self) -> bool:
        """Say whether the piece is an operator that is a word."""
        return self.is_word("in") or self.is_word("has")

    def atom(self) -> Node:
        """Read one test or a group."""
        token = self.advance()
        self.context.nodes += 1
        if self.context.nodes > _MAX_NODES:
            raise self.wrong(f"the filter has more than {_MAX_NODES} tests", token)
        if token.kind is TokenKind.WORD:
            return self.word(token)
        if token.kind is TokenKind.STRING:
            if not token.text:
                raise self.wrong("an empty text is in every row; write * for every row", token, "*")
            return FreeText(token.text)
        if token.kind is TokenKind.OPEN:
            return self.group(token)
        raise self.unexpected(token)

    def group(self, opening: Token) -> Node:
        """Read the rest of a group."""
        self.deeper(opening)
        node = self.disjunction()
        closing = self.token
        if closing.kind is TokenKind.END:
            raise self.wrong("this ( is never closed", opening)
        if closing.kind is not TokenKind.CLOSE:
            raise self.unexpected(closing)
        self.advance()
        self.depth -= 1
        return node

    def word(self, token: Token) -> Node:
        """Read a test that begins with a word."""
        word = token.text.lower()
        name = NAMES.get(word)
        if self.token.kind is TokenKind.OPERATOR or (name != "best" and self.is_word_operator()):
            if name is not None:
                return self.comparison(FIELDS[name])
            if self.token.kind is TokenKind.OPERATOR:
                raise self.no_field(token)
        if word in _RELATIONS:
            relation = _RELATIONS[word]
            return PrefixTest(relation, tuple(self.list_of(token, prefix_of_word)))
        match word:
            case "*":
                return Everything()
            case "default":
                return DefaultRoute()
            case "best":
                return Comparison("best", "=", ("yes",))
            case "and" | "or":
                raise self.wrong(f"{token.text} has nothing to join", token)
        if name is not None:
            message = f"{token.text} needs an operator and a value, such as {FIELDS[name].example}"
            raise FilterError(message, token.end, 1, "", self.text)
        if token.text.startswith("@"):
            return self.saved(token)
        if word[0].isdigit() or ":" in word or "/" in word:
            return self.address(token)
        raise self.no_field(token)

    def address(self, token: Token) -> Node:
        """Read a bare prefix (exactly that one) or address (whatever covers it)."""
        count = len(numbers_of(token.text))
        if count in (2, 3):
            field = "comm" if count == 2 else "lcomm"
            raise self.wrong("a community needs its field", token, f"{field} has {token.text}")
        prefix = self.value_of(token, prefix_of_word)
        relation = Relation.EXACT if "/" in token.text else Relation.COVERS
        return PrefixTest(relation, (prefix,))

    def no_field(self, token: Token) -> FilterError:
        """Return the error for a word that means nothing."""
        word = token.text.lower()
        if word in _FOREIGN_WORDS:
            return self.wrong(f"{token.text} is written in words", token, _FOREIGN_WORDS[word])
        if word.removeprefix("as").isdigit() and self.token.kind is not TokenKind.OPERATOR:
            return self.wrong("an AS number needs its field", token, f"asn={token.text}")
        if self.token.kind is TokenKind.OPERATOR or self.is_word_operator():
            return self.wrong(f"there is no field {shown(token.text)}", token, nearest(word, NAMES))
        suggestion = nearest(word, (*NAMES, *_RESERVED), 0.85) or quoted(token.text)
        message = f"{shown(token.text)} is not a field, an address or a prefix; free text stands in quotes"
        return self.wrong(message, token, suggestion)

    def comparison(self, field: Field) -> Node:
        """Read the operator and the value or values of *field*."""
        sign = self.advance()
        operator = sign.text.lower()
        self.refuse_foreign_operator(field, sign)
        if operator not in field.operators:
            raise self.wrong(
                f"{field.name} does not take {sign.text}; it takes {' '.join(field.operators)}",
                sign,
                "=" if operator == "has" else "",
            )
        if field.name == "prefix":
            return self.prefix_field(sign, operator)
        kind = field.kind_of(operator)
        begin = self.index
        values = (
            self.list_of(sign, kind.read, field)
            if operator == "in"
            else [self.value_of(self.value_token(sign, field), kind.read)]
        )
        if (
            operator in ("~", "!~")
            and self.token.kind is TokenKind.OPEN
            and self.token.start == self.tokens[self.index - 1].end
        ):
            raise self.wrong(_QUOTE_IT, self.token)
        if isinstance(kind, Text) and kind.known:
            self.hint_at_unknown(field, kind, self.tokens[begin : self.index])
        return Comparison(field.name, operator, tuple(values))

    def prefix_field(self, sign: Token, operator: str) -> Node:
        """Read the rest of a test of the field ``prefix``."""
        if operator == "in":
            return PrefixTest(Relation.IN, tuple(self.list_of(sign, prefix_of_word)))
        prefix = self.value_of(self.value_token(sign), prefix_of_word)
        test = PrefixTest(Relation.EXACT, (prefix,))
        return Not(test) if operator == "!=" else test

    def refuse_foreign_operator(self, field: Field, sign: Token) -> None:
        """Refuse ``==``, ``=~`` and the like from other languages."""
        following = self.token
        both = sign.text + following.text
        if following.kind is not TokenKind.OPERATOR or following.start != sign.end:
            return
        if both not in _FOREIGN_OPERATORS or (field.name == "op" and following.text == "~"):
            return
        raise FilterError(f"there is no {both}", sign.start, len(both), _FOREIGN_OPERATORS[both], self.text)

    def value_token(self, before: Token, field: Field | None = None) -> Token:
        """Take a word or a text; *before* is what it belongs to."""
        token = self.token
        if token.kind in (TokenKind.WORD, TokenKind.STRING):
            return self.advance()
        if token.kind is TokenKind.OPERATOR and token.text == "~" and field is FIELDS["op"]:
            return self.advance()
        if token.kind is TokenKind.OPEN and before.text in ("~", "!~"):
            raise self.wrong(_QUOTE_IT, token)
        raise self.wrong(f"a value is missing after {before.text}", token)

    def list_of(self, before: Token, read: Callable[[str], T], field: Field | None = None) -> list[T]:
        """Read values between commas, in parentheses or not."""
        opening = self.token if self.token.kind is TokenKind.OPEN else None
        if opening:
            self.advance()
        values = [self.value_of(self.value_token(before, field), read)]
        while self.token.kind is TokenKind.COMMA:
            comma = self.advance()
            values.append(self.value_of(self.value_token(comma, field), read))
        if opening and self.token.kind is TokenKind.END:
            raise self.wrong("this ( is never closed", opening)
        if opening and self.token.kind is not TokenKind.CLOSE:
            raise self.wrong("a comma is missing before this", self.token, f", {self.token.text}")
        if opening:
            self.advance()
        return values

    def value_of(self, token: Token, read: Callable[[str], T]) -> T:
        """Read one value and give an error its place."""
        try:
            return read(token.text)
        except BadValueError as bad:
            if bad.offset >= 0 and token.literal:
                start = token.start + (token.kind is TokenKind.STRING) + bad.offset
                raise FilterError(bad.message, start, 1, bad.suggestion, self.text) from None
            raise self.wrong(bad.message, token, bad.suggestion) from None

    def hint_at_unknown(self, field: Field, kind: Text, tokens: list[Token]) -> None:
        """Note values that look like a slip of a usual one.  They are valid all the same."""
        for token in tokens:
            if token.kind in (TokenKind.WORD, TokenKind.STRING) and token.text not in kind.known:
                close = nearest(token.text, kind.known)
                if close:
                    message = f"{shown(token.text)} is not a usual {field.name}"
                    self.hints.append(Hint(message, token.start, token.length, close))

    def saved(self, token: Token) -> Node:
        """Put the saved filter of this name in place."""
        name, context = token.text[1:], self.context
        if name not in context.saved:
            close = nearest(name, context.saved)
            raise self.wrong(f"there is no saved filter {shown(name)}", token, f"@{close}" if close else "")
        if name in context.active:
            raise self.wrong(f"the saved filter {shown(name)} contains itself", token)
        if len(context.active) >= _MAX_SAVED_DEPTH:
            raise self.wrong(f"saved filters are nested more than {_MAX_SAVED_DEPTH} deep", token)
        context.active.append(name)
        try:
            return Parser(context.saved[name], context).whole()
        except FilterError as error:
            message = f"the saved filter {shown(name)} is wrong: {error.message}"
            raise self.wrong(message, token) from None
        finally:
            context.active.pop()
