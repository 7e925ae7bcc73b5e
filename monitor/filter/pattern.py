r"""Regular expressions whose cost is linear in the text, whatever the pattern is.

Patterns come from whoever may ask, AS paths from whoever may announce, and a backtracking matcher lets the
two together stop the daemon.  So a pattern becomes a nondeterministic automaton, and that a deterministic
one, state by state as texts need it (Thompson 1968).  The answer is yes or no: there are no captures, and so
nothing to backtrack for.

Offered: literals, ``.``, ``[a-z]``, ``[^…]``, ``\d \w \s``, a backslash before punctuation, ``( )``, ``|``,
``* + ?``, ``{n} {n,} {n,m}``, ``^`` and ``$``.  In an AS path pattern ``_`` stands for the start, the end, or
one separator (space, comma, any bracket), as on routers.  A match may begin anywhere.
"""

from dataclasses import dataclass
from typing import Final

from monitor.filter.error import BadValueError

MAX_PATTERN = 200
"""Longest pattern, in characters."""

_MAX_REPEAT = 64
_MAX_NODES = 1000
_MAX_DEPTH = 20
_MAX_TRANSITIONS = 20_000
_SEPARATORS = frozenset(" ,{}()[]")
_DIGITS = frozenset("0123456789")
_WORD = _DIGITS | frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": frozenset(" \t\r\n\f\v")}


@dataclass(frozen=True, slots=True)
class _Chars:
    """One character of a set, or with ``negated`` one outside it."""

    members: frozenset[str]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class _Start:
    """The start of the text."""


@dataclass(frozen=True, slots=True)
class _End:
    """The end of the text."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: "tuple[_Part, ...]"


@dataclass(frozen=True, slots=True)
class _Choice:
    parts: "tuple[_Part, ...]"


@dataclass(frozen=True, slots=True)
class _Repeat:
    """``least`` to ``most`` times; None for any number."""

    part: "_Part"
    least: int
    most: int | None


_Part = _Chars | _Start | _End | _Sequence | _Choice | _Repeat
_SPECIAL: dict[str, "_Part"] = {".": _Chars(frozenset(), negated=True), "^": _Start(), "$": _End()}
_BOUNDARY = _Choice((_Chars(_SEPARATORS), _Start(), _End()))


class _Reader:
    """Recursive descent over one pattern."""

    def __init__(self, source: str, *, boundary: bool, fold: bool) -> None:
        self.source = source
        self.at = 0
        self.depth = 0
        self.boundary = boundary
        self.fold = fold

    def peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def wrong(self, message: str, at: int | None = None) -> BadValueError:
        return BadValueError(f"the pattern is wrong: {message}", offset=self.at if at is None else at)

    def whole(self) -> _Part:
        part = self.choice()
        if self.peek():
            raise self.wrong("there is no ( for this )")
        return part

    def choice(self) -> _Part:
        parts = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else _Choice(tuple(parts))

    def sequence(self) -> _Part:
        parts: list[_Part] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated(self.atom()))
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def atom(self) -> _Part:
        begin, char = self.at, self.peek()
        self.at += 1
        if char == "(":
            return self.group(begin)
        if char == "[":
            return self.bracket(begin)
        if char == "\\":
            return _Chars(self.folded(self.escape()))
        if char in "*+?":
            raise self.wrong(f"there is nothing before {char} to repeat", begin)
        if char in "{}]":
            raise self.wrong(f"write \\{char} for the character {char}", begin)
        if char in ".^$":
            return _SPECIAL[char]
        if char == "_" and self.boundary:
            return _BOUNDARY
        return _Chars(self.folded(frozenset(char)))

    def group(self, begin: int) -> _Part:
        if self.source.startswith("?:", self.at):
            self.at += 2
        elif self.peek() == "?":
            raise self.wrong("only plain groups are offered: ( ) and (?: )", self.at)
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.wrong(f"groups are nested more than {_MAX_DEPTH} deep", begin)
        part = self.choice()
        if self.peek() != ")":
            raise self.wrong("this ( is never closed", begin)
        self.at += 1
        self.depth -= 1
        return part

    def escape(self) -> frozenset[str]:
        char = self.peek()
        if char in _CLASSES and char:
            self.at += 1
            return _CLASSES[char]
        if not char or char.isalnum():
            raise self.wrong(f"\\{char} is not offered", self.at - 1)
        self.at += 1
        return frozenset(char)

    def folded(self, members: frozenset[str]) -> frozenset[str]:
        return frozenset(char.lower() for char in members) if self.fold else members

    def bracket(self, begin: int) -> _Part:
        negated = self.peek() == "^"
        self.at += negated
        members: set[str] = set()
        while (char := self.peek()) != "]":
            if not char:
                raise self.wrong("this [ is never closed", begin)
            members |= self.bracket_item()
        if not members:
            raise self.wrong("there is nothing in the brackets", begin)
        self.at += 1
        return _Chars(self.folded(frozenset(members)), negated)

    def bracket_item(self) -> frozenset[str]:
        begin, char = self.at, self.peek()
        self.at += 1
        first = self.escape() if char == "\\" else frozenset(char)
        if self.peek() != "-" or self.source[self.at + 1 : self.at + 2] in ("]", ""):
            return first
        self.at += 1
        last_char = self.peek()
        self.at += 1
        last = self.escape() if last_char == "\\" else frozenset(last_char)
        if len(first) != 1 or len(last) != 1:
            raise self.wrong("a range goes from one character to another", begin)
        low, high = ord(min(first)), ord(min(last))
        if not low <= high <= 0x7F:
            raise self.wrong("a range goes upwards and stays within ASCII", begin)
        return frozenset(map(chr, range(low, high + 1)))

    def repeated(self, part: _Part) -> _Part:
        begin = self.at
        match self.peek():
            case "*":
                least, most = 0, None
            case "+":
                least, most = 1, None
            case "?":
                least, most = 0, 1
            case "{":
                least, most = self.counts(begin)
            case _:
                return part
        self.at += 1
        if self.peek() == "?":  # As few as possible: the answer yes or no is the same.
            self.at += 1
        if self.peek() and self.peek() in "*+?{":
            raise self.wrong("this repeats a repetition; put it in ( )")
        return _Repeat(part, least, most)

    def counts(self, begin: int) -> tuple[int, int | None]:
        """Read ``{n}``, ``{n,}`` or ``{n,m}`` and stand on the closing brace."""
        end = self.source.find("}", begin)
        low, comma, high = self.source[begin + 1 : end].partition(",")
        numbers = [text for text in (low, high) if text]
        good = end > 0 and low and all(text.isascii() and text.isdigit() and len(text) < 4 for text in numbers)
        if not good:
            raise self.wrong("write {n}, {n,} or {n,m}, or \\{ for the character {", begin)
        least = int(low)
        most = int(high) if high else None if comma else least
        if max(least, most or 0) > _MAX_REPEAT:
            raise self.wrong(f"at most {_MAX_REPEAT} repetitions can be counted", begin)
        if most is not None and most < least:
            raise self.wrong("the larger count comes last", begin)
        self.at = end
        return least, most


_Node = tuple[_Chars | _Start | _End | None, tuple[int, ...]]
"""A condition (None: free passage) and where it leads."""

_ACCEPT: Final = 0


class _Machine:
    """The nondeterministic automaton: numbered nodes, node 0 accepts."""

    def __init__(self, part: _Part) -> None:
        self.nodes: list[_Node] = [(None, ())]
        self.entry = self.emit(part, _ACCEPT)

    def add(self, condition: _Chars | _Start | _End | None, targets: tuple[int, ...]) -> int:
        if len(self.nodes) >= _MAX_NODES:
            raise BadValueError("the pattern is wrong: its repetitions multiply to more than can be searched")
        self.nodes.append((condition, targets))
        return len(self.nodes) - 1

    def emit(self, part: _Part, after: int) -> int:
        """Add the nodes of *part*, which lead to *after*; returns where to enter."""
        match part:
            case _Sequence(parts):
                for inner in reversed(parts):
                    after = self.emit(inner, after)
                return after
            case _Choice(parts):
                return self.add(None, tuple(self.emit(inner, after) for inner in parts))
            case _Repeat():
                return self.emit_repeat(part, after)
            case _:
                return self.add(part, (after,))

    def emit_repeat(self, repeat: _Repeat, after: int) -> int:
        if repeat.most is None:
            entry = self.add(None, ())
            self.nodes[entry] = (None, (self.emit(repeat.part, entry), after))
        else:
            entry = after
            for _ in range(repeat.most - repeat.least):
                entry = self.add(None, (self.emit(repeat.part, entry), after))
        for _ in range(repeat.least):
            entry = self.emit(repeat.part, entry)
        return entry

    def closure(self, nodes: "set[int] | frozenset[int]", *, start: bool, end: bool) -> frozenset[int]:
        """Return what is reached without a character: nodes that wait for one, or for the end, or accept."""
        seen: set[int] = set()
        kept: set[int] = set()
        waiting = list(nodes)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            condition, targets = self.nodes[number]
            if condition is None or (start and isinstance(condition, _Start)) or (end and isinstance(condition, _End)):
                waiting.extend(targets)
            if number == _ACCEPT or isinstance(condition, _Chars | _End):
                kept.add(number)
        return frozenset(kept)

    def step(self, nodes: frozenset[int], char: str) -> frozenset[int]:
        """Return what *nodes* become by *char*, plus a fresh beginning at the next place."""
        reached = {self.entry}
        for number in nodes:
            condition, targets = self.nodes[number]
            if isinstance(condition, _Chars) and (char in condition.members) is not condition.negated:
                reached.update(targets)
        return self.closure(reached, start=False, end=False)


class _State(dict[str, "_State"]):
    """A deterministic state: where each character seen so far leads, and whether the text may end here."""

    __slots__ = ("final", "nodes", "owner")

    def __init__(self, owner: "Pattern", nodes: frozenset[int], *, final: bool) -> None:
        super().__init__()
        self.owner = owner
        self.nodes = nodes
        self.final = final

    def __missing__(self, char: str) -> "_State":
        return self.owner.follow(self, char)


class Pattern:
    """One compiled pattern.

    ``boundary`` gives ``_`` its meaning in AS paths; ``fold`` ignores case.  Raises BadValueError, with the
    offset of what is wrong in *source*.
    """

    __slots__ = ("_empty", "_fold", "_machine", "_start", "_states", "_transitions", "source")

    def __init__(self, source: str, *, boundary: bool = False, fold: bool = False) -> None:
        if not 1 <= len(source) <= MAX_PATTERN:
            raise BadValueError(f"a pattern has 1 to {MAX_PATTERN} characters; an empty text is ^$")
        self.source = source
        self._fold = fold
        self._machine = _Machine(_Reader(source, boundary=boundary, fold=fold).whole())
        entry = {self._machine.entry}
        self._empty = _ACCEPT in self._machine.closure(entry, start=True, end=True)
        self._states: dict[frozenset[int], _State] = {}
        self._transitions = 0
        self._start = self._state(self._machine.closure(entry, start=True, end=False))

    def search(self, text: str) -> bool:
        """Say whether the pattern occurs in *text*."""
        if not text:
            return self._empty
        state = self._start
        for char in text.lower() if self._fold else text:
            state = state[char]
        return state.final

    def follow(self, state: _State, char: str) -> _State:
        """Find where *char* leads from *state*, and remember it there."""
        if _ACCEPT in state.nodes:
            return state
        if self._transitions >= _MAX_TRANSITIONS:
            self._states.clear()
            self._start.clear()
            self._transitions = 0
        self._transitions += 1
        reached = self._state(self._machine.step(state.nodes, char))
        state[char] = reached
        return reached

    def _state(self, nodes: frozenset[int]) -> _State:
        state = self._states.get(nodes)
        if state is None:
            final = _ACCEPT in nodes or _ACCEPT in self._machine.closure(nodes, start=False, end=True)
            state = self._states[nodes] = _State(self, nodes, final=final)
        return state
