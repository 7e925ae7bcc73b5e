"""Words, texts and signs of a filter, each with its place."""

import enum
import re
from typing import NamedTuple

from monitor.filter.error import FilterError


class TokenKind(enum.Enum):
    """What a piece of a filter is."""

    WORD = "word"
    STRING = "string"
    OPERATOR = "operator"
    NOT = "bang"
    OPEN = "open"
    CLOSE = "close"
    COMMA = "comma"
    END = "end"


class Token(NamedTuple):
    """One piece: ``text`` without quotes and escapes, ``start`` and ``end`` in characters of the filter.

    ``literal`` is true where the character at ``text[n]`` stands ``n`` after the first one, so that an error
    inside the text can be pointed at.
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    literal: bool = True

    @property
    def length(self) -> int:
        """Number of characters that the piece takes up in the filter."""
        return self.end - self.start


_TOKEN = re.compile(
    r"""(?P<word>[^\s()=!<>~,"']+)
    |(?P<operator>!=|!~|<=|>=|=|<|>|~)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<open>\()|(?P<close>\))|(?P<comma>,)|(?P<bang>!)
    |(?P<space>\s+)|(?P<quote>["'])""",
    re.VERBOSE | re.DOTALL,
)
_KINDS = {kind.value: kind for kind in TokenKind}
_PLAIN_WORD = re.compile(r"[\w.:/%@*+-]+", re.ASCII)


def tokens_of(text: str) -> list[Token]:
    """Return the pieces of *text*, an END piece last.  Raises FilterError for a text that is never closed."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        name = match.lastgroup or ""
        if name == "space":
            continue
        start, end = match.span()
        if name == "quote":
            quote = text[start]
            raise FilterError("the text is never closed", start, len(text) - start, f"{text[start:]}{quote}", text)
        if name == "string":
            body = text[start + 1 : end - 1]
            plain = body if "\\" not in body else _unescaped(body, text[start])
            found.append(Token(TokenKind.STRING, plain, start, end, plain == body))
        else:
            found.append(Token(_KINDS[name], match.group(), start, end))
    found.append(Token(TokenKind.END, "", len(text), len(text)))
    return found


def _unescaped(body: str, quote: str) -> str:
    """Resolve a backslash before the quote or another backslash; every other backslash stands for itself."""
    return re.sub(r"\\([\\" + quote + r"])", r"\1", body)


def quoted(text: str) -> str:
    r"""Return *text* in double quotes, so that it reads back as it is: ``\d`` stays ``\d``."""
    parts = []
    for index, char in enumerate(text):
        if char == '"' or (char == "\\" and text[index + 1 : index + 2] in ("", "\\", '"')):
            parts.append("\\")
        parts.append(char)
    return f'"{"".join(parts)}"'


def word_or_quoted(text: str) -> str:
    """Return *text* as a filter writes a value: bare where that reads back as the same value."""
    return text if _PLAIN_WORD.fullmatch(text) else quoted(text)
