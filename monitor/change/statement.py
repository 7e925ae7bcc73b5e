"""The text that a person signs about a plan: what they want done with it, by whose number and digest, and until when.

It is made for two readers.  A person reads it before signing with ``ssh-keygen -Y sign -n bgpmon-plan@v1 -f KEY FILE``; the
daemon reads it back and accepts only the one spelling that it would have written itself, so that no two texts mean the same.
"""

import enum
import re
from dataclasses import dataclass
from datetime import UTC, datetime

NAMESPACE = "bgpmon-plan@v1"
"""Namespace of the signatures (PROTOCOL.sshsig): one made for files, for git or for a login never counts as an approval."""

TITLE = "bgpmon plan statement v1"
LONGEST_VALUE = 2000
"""Characters in one value; more than this nobody reads before signing."""
LONGEST_STATEMENT = 16 * 1024
"""Octets; enough for every field at its longest."""
LARGEST_PLAN = 2**63 - 1
"""The journal keeps the number of a plan in 64 bits."""

_FIELDS = ("act", "node", "plan", "digest", "expires", "ticket", "comment")
_OPTIONAL = frozenset({"ticket", "comment"})
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


class Act(enum.StrEnum):
    """What the signer wants done with the plan."""

    APPROVE = "approve"
    REJECT = "reject"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One person's word about one plan.

    ``digest`` is the plan's whole SHA-256 in lower-case hex; ``expires`` counts whole seconds since the epoch (UTC), and after
    that moment the statement is void.  ``node`` and ``ticket`` are printable ASCII, since they are compared; ``comment`` may
    hold any printable characters.  Raises ValueError for a value that cannot stand on a line of its own.
    """

    node: str
    plan: int
    digest: str
    act: Act
    expires: float
    ticket: str = ""
    comment: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.expires <= _LAST_MOMENT or self.expires != int(self.expires):
            raise ValueError("a statement expires at a whole second between the years 1970 and 9999")
        for name, value in self._values().items():
            if value or name not in _OPTIONAL:
                _check(name, value)

    @property
    def text(self) -> str:
        """The text to sign: a title and one ``key: value`` a line, in a fixed order, with a newline at the end."""
        lines = (f"{name}: {value}\n" for name, value in self._values().items() if value)
        return f"{TITLE}\n{''.join(lines)}"

    def _values(self) -> dict[str, str]:
        """The fields as they are written, in their order; empty for one that is left out."""
        return {
            "act": self.act.value,
            "node": self.node,
            "plan": f"{self.plan:d}",
            "digest": self.digest,
            "expires": datetime.fromtimestamp(self.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ticket": self.ticket,
            "comment": self.comment,
        }


def read_statement(octets: bytes) -> Statement:
    """Return the statement that *octets* are the exact text of.

    Raises ValueError, naming the line, for anything that ``Statement.text`` would have written differently.
    """
    lines = _lines_of(octets)
    values: dict[str, str] = {}
    number = 1
    for name in _FIELDS:
        line = lines[number] if number < len(lines) else None
        if line is not None and line.startswith(f"{name}: "):
            values[name] = line.removeprefix(f"{name}: ")
            try:
                _check(name, values[name])
            except ValueError as error:
                raise ValueError(f"line {number + 1}: {error}") from None
            number += 1
        elif name not in _OPTIONAL:
            raise ValueError(f"line {number + 1}: expected {name + ': …'!r}, found {_shown(line)}")
    if number < len(lines):
        raise ValueError(f"line {number + 1}: expected the end of the statement, found {_shown(lines[number])}")
    statement = Statement(
        node=values["node"],
        plan=int(values["plan"]),
        digest=values["digest"],
        act=Act(values["act"]),
        expires=_seconds(values["expires"]),
        ticket=values.get("ticket", ""),
        comment=values.get("comment", ""),
    )
    # The checks above name the line; this one is the promise itself, whatever they may have missed.
    if statement.text.encode() != octets:
        raise ValueError("line 1: this is not the exact text of a statement; let bgpmon write it, and sign that file")
    return statement


def _lines_of(octets: bytes) -> list[str]:
    """Return the lines, the title first; raise ValueError where they are not UTF-8 lines that end in a newline each."""
    if len(octets) > LONGEST_STATEMENT:
        raise ValueError(f"line 1: a statement has at most {LONGEST_STATEMENT} octets, and these are {len(octets)}")
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        number = octets.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"line {number}: this is not UTF-8; let bgpmon write the statement, and sign that file"
        ) from None
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line.endswith("\r"):
            raise ValueError(f"line {number}: ends in CR LF, but lines of a statement end in a single newline")
    if lines[0] != TITLE:
        raise ValueError(f"line 1: expected {TITLE!r}, found {_shown(lines[0])}")
    if lines.pop():
        raise ValueError(f"line {len(lines) + 1}: the newline at the end is missing")
    return lines


def _check(name: str, value: str) -> None:
    """Raise ValueError unless *value* can stand in the field *name*."""
    match name:
        case "act":
            if value not in list(Act):
                raise ValueError(f"{_shown(value)} is no act; there are {', '.join(Act)}")
        case "plan":
            if not _NUMBER.fullmatch(value) or int(value) > LARGEST_PLAN:
                raise ValueError(f"{_shown(value)} is not the number of a plan, which counts from 1")
        case "digest":
            if not _DIGEST.fullmatch(value):
                raise ValueError("the digest of a statement is the whole one: 64 hex digits, in lower case")
        case "expires":
            _seconds(value)
        case _:
            _check_words(name, value)


def _check_words(name: str, value: str) -> None:
    """Raise ValueError unless *value* can stand on a line and looks like what it is."""
    if not value:
        raise ValueError(f"the {name} of a statement is empty")
    if len(value) > LONGEST_VALUE:
        raise ValueError(f"the {name} of a statement has at most {LONGEST_VALUE} characters, not {len(value)}")
    # Also refuses what is there but cannot be seen, such as marks that turn the direction of writing.
    strange = next((character for character in value if not character.isprintable()), None)
    if strange is not None:
        raise ValueError(f"the {name} of a statement holds U+{ord(strange):04X}, a character that cannot be seen")
    if name != "comment" and not value.isascii():
        raise ValueError(f"the {name} of a statement is plain ASCII, unlike {_shown(value)}")
    if value != value.strip():
        raise ValueError(f"the {name} of a statement neither begins nor ends with a space")


def _seconds(value: str) -> float:
    try:
        if not _MOMENT.fullmatch(value):
            raise ValueError
        seconds = datetime.fromisoformat(value).timestamp()
    except ValueError:
        raise ValueError(f"{_shown(value)} is not a moment such as 2026-11-25T22:03:10Z") from None
    if seconds < 0:
        raise ValueError(f"{value} is before 1970")
    return seconds


def _shown(value: str | None) -> str:
    """What stands in a statement, safe to print and short."""
    if value is None:
        return "the end"
    return ascii(value if len(value) <= 60 else f"{value[:60]}...")
