"""YAML with the place of every key and value.

Only what a configuration needs: mappings with text keys, lists, text, numbers, true, false and null.  Nothing
is guessed: ``yes`` and ``65001:10`` are text, and a key that stands twice is an error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from monitor.config.parse import UNKNOWN, shown
from monitor.errors import ConfigError, ConfigProblem

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys of mappings and indexes of lists, from the top."""

MAX_OCTETS = 4 << 20
MAX_NODES = 200_000
MAX_DEPTH = 40
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_EXCERPT_MAX = 160
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core types instead of 1.1's: no base-60 numbers, no octal, no yes and no."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own protocol


_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,17})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", re.compile(r"^[-+]?[0-9]{1,18}\.[0-9]{1,18}$"), list("-+0123456789"))


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one line: ``line`` and ``column`` count from 1."""

    line: int
    column: int
    width: int


@dataclass(slots=True)
class Document:
    """One file: its plain data, and where each key and value stands."""

    file: str
    lines: list[str]
    data: dict[str, object] = field(default_factory=dict)
    keys: dict[KeyPath, Span] = field(default_factory=dict)
    values: dict[KeyPath, Span] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)

    def value(self, path: KeyPath) -> object:
        """Return the plain value at *path*, or None."""
        found: object = self.data
        for part in path:
            if isinstance(found, dict):
                found = found.get(part)
            elif isinstance(found, list) and isinstance(part, int) and part < len(found):
                found = found[part]
            else:
                return None
        return found

    def line_of(self, path: KeyPath) -> int:
        """Return the line of the value at *path*, or of the nearest thing around it."""
        return self._span(path, of_key=False).line

    def problem(
        self, path: KeyPath, message: str, hint: str = "", *, of_key: bool = False, offset: int = UNKNOWN
    ) -> ConfigProblem:
        """Return a problem with the value (or the key) at *path*, or with the nearest thing around it."""
        if path and path not in self.values and isinstance(path[-1], int):
            # A single value where a list may stand is the list's only entry.
            path = path[:-1]
        span = self._span(path, of_key=of_key)
        column, width = span.column, span.width
        if offset != UNKNOWN and path in self.values:
            line = self.lines[span.line - 1]
            opening = 1 if line[span.column - 1 : span.column] in {"'", '"'} else 0
            column, width = min(span.column + opening + offset, span.column + span.width - 1), 1
        return self.at(Span(span.line, column, width), path_text(path), message, hint)

    def _span(self, path: KeyPath, *, of_key: bool) -> Span:
        for length in range(len(path), -1, -1):
            head = path[:length]
            exact = length == len(path)
            if exact and of_key and head in self.keys:
                return self.keys[head]
            # A missing key is shown at the key that should hold it: its mapping may be many lines long.
            if not exact and head in self.keys:
                return self.keys[head]
            if head in self.values:
                return self.values[head]
        return Span(1, 1, 1)

    def at(self, span: Span, key: str, message: str, hint: str) -> ConfigProblem:
        """Return a problem with the text at *span*."""
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        line = "".join(char if char.isprintable() or char == "\t" else "?" for char in line).rstrip()
        # A problem may stand far to the right of a long line; then the place alone must do.
        excerpt = line if span.column <= _EXCERPT_MAX else ""
        excerpt = excerpt[:_EXCERPT_MAX]
        width = max(1, min(span.width, len(excerpt) - span.column + 1))
        return ConfigProblem(self.file, span.line, span.column, key, message, hint, excerpt, width)


def path_text(path: KeyPath) -> str:
    """Return a key path as people write it: ``domains.storage.import[1].deny``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def read_document(file: str, octets: bytes) -> Document:
    """Return the document in *octets*; ``problems`` has keys that stand twice and the like.

    Raises ConfigError when there is no document at all: not UTF-8, not YAML, empty, or not a mapping.
    """
    if len(octets) > MAX_OCTETS:
        raise ConfigError([ConfigProblem(file, 0, 0, "", f"the file is larger than {MAX_OCTETS >> 20} MiB")])
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise ConfigError(
            [ConfigProblem(file, line, 1, "", "the file is not UTF-8 text", "save it as UTF-8")]
        ) from None
    document = Document(file, _LINE_BREAK.split(text))
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError([_yaml_problem(document, error)]) from None
    except RecursionError:
        raise ConfigError([ConfigProblem(file, 0, 0, "", "the file is nested too deeply")]) from None
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        hint = "bgpmon config init prints a file to start from"
        raise ConfigError([ConfigProblem(file, 0, 0, "", "the file is empty", hint)])
    _Reader(document).read(root)
    return document


def _yaml_problem(document: Document, error: yaml.YAMLError) -> ConfigProblem:
    """Return the parser's complaint with its place."""
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        words = ", ".join(part for part in (error.context, error.problem) if part)
        hint = "indent with blanks, not tabs" if "\\t" in words else ""
        return document.at(Span(mark.line + 1, mark.column + 1, 1), "", f"not YAML: {words}", hint)
    if isinstance(error, yaml.reader.ReaderError):
        return ConfigProblem(document.file, 0, 0, "", f"not YAML: {error.reason} (U+{error.character:04X})")
    return ConfigProblem(document.file, 0, 0, "", f"not YAML: {error}")


class _Reader:
    """Turns nodes into plain data and notes where they stand."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: set[int] = set()
        self._count = 0

    def read(self, root: yaml.Node) -> None:
        """Fill the document."""
        data = self._value(root, ())
        if isinstance(data, dict):
            self._document.data = data
            return
        self._document.problems.append(self._document.problem((), f"the file is {shown(data)}, not keys with values"))
        raise ConfigError(self._document.problems)

    def _value(self, node: yaml.Node, path: KeyPath) -> object:
        self._count += 1
        if self._count > MAX_NODES or len(path) > MAX_DEPTH or id(node) in self._open:
            problem = self._document.problem(path, "the file refers to itself, or is nested or repeated too much")
            raise ConfigError([problem])
        self._document.values[path] = _span(node, self._document.lines)
        self._open.add(id(node))
        try:
            return self._content(node, path)
        finally:
            self._open.discard(id(node))

    def _content(self, node: yaml.Node, path: KeyPath) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return dict(self._entries(node, path))
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            try:
                return _scalar(node.tag.removeprefix(_TAG), node.value)
            except ValueError:
                pass
        self._complain(path, f"the YAML tag {node.tag} is not used here", "remove the tag")
        return None

    def _entries(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, object]]:
        for key_node, value_node in node.value:
            key = key_node.value
            span = _span(key_node, self._document.lines)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in {f"{_TAG}str", f"{_TAG}int"}:
                self._document.values.setdefault(path, span)
                message = "a key must be text"
                problem = self._document.at(span, path_text(path), message, "put it in quotes")
                self._document.problems.append(problem)
                continue
            here = (*path, key)
            if here in self._document.keys:
                first = self._document.keys[here].line
                message = f"the key {shown(key)} stands twice; the first is in line {first}"
                problem = self._document.at(span, path_text(here), message, "remove one of them")
                self._document.problems.append(problem)
                continue
            self._document.keys[here] = span
            yield key, self._value(value_node, here)

    def _complain(self, path: KeyPath, message: str, hint: str) -> None:
        self._document.problems.append(self._document.problem(path, message, hint))


def _scalar(kind: str, text: str) -> object:
    """Return the value of a scalar of YAML type *kind*; raises ValueError for any that we do not read."""
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return {"true": True, "false": False}[text.lower()] if text.lower() in {"true", "false"} else text
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    raise ValueError(kind)


def _span(node: yaml.Node, lines: list[str]) -> Span:
    """Return where *node* begins, and how far it goes on that line."""
    start, end = node.start_mark, node.end_mark
    line = lines[start.line] if start.line < len(lines) else ""
    stop = end.column if end.line == start.line else len(line.rstrip())
    return Span(start.line + 1, start.column + 1, max(1, stop - start.column))
