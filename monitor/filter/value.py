"""The kinds of value a field can have: how a word becomes a value, and a value a word again."""

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from monitor.filter.error import BadValueError
from monitor.filter.lexer import quoted, word_or_quoted
from monitor.filter.pattern import Pattern
from monitor.rib.attribute import WELL_KNOWN_COMMUNITIES, community_text
from programmer.route import Prefix

_UINT32 = 0xFFFFFFFF
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_LONGEST_SECONDS = 36_525 * 86_400
_DURATION = re.compile(r"(?:\d{1,9}[wdhms])+", re.ASCII)
_NUMBER = re.compile(r"(\d{1,12})([kKM]?)", re.ASCII)
_MULTIPLES = {"": 1, "k": 1000, "K": 1000, "M": 1_000_000}
_SHORT_IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}(/\d{1,2})?", re.ASCII)
_COMMUNITY_BY_NAME = {name: number for number, name in WELL_KNOWN_COMMUNITIES.items()}


class Kind(Protocol):
    """One kind of value.

    ``read`` returns the canonical value of a word and raises BadValueError; ``write`` returns a word that
    reads back as the value; ``known`` lists words for completion.
    """

    known: tuple[str, ...]

    def read(self, word: str) -> int | str:
        """Return the value of *word*."""

    def write(self, value: int | str) -> str:
        """Return the word of *value*."""


def nearest(word: str, choices: Iterable[str], likeness: float = 0.65) -> str:
    """Return the choice most like *word*, or empty when none reaches *likeness*, 0 to 1."""
    found = difflib.get_close_matches(word.lower(), list(choices), n=1, cutoff=likeness)
    return found[0] if found else ""


def shown(word: str) -> str:
    """Return *word* for a message: in quotes and not too long."""
    return repr(word if len(word) <= 60 else f"{word[:57]}...")


class Number:
    """A whole number up to ``most``; ``k`` and ``M`` multiply; ``names`` are accepted for some numbers."""

    def __init__(self, most: int = _UINT32, names: Mapping[str, int] | None = None, prefix: str = "") -> None:
        self.most = most
        self.names = names or {}
        self.known = tuple(self.names)
        self.prefix = prefix

    def read(self, word: str) -> int:
        """Return the number."""
        lowered = word.lower()
        if lowered in self.names:
            return self.names[lowered]
        digits = lowered.removeprefix(self.prefix)
        match = _NUMBER.fullmatch(word if digits == lowered else digits)
        if not match:
            raise BadValueError(f"{shown(word)} is not a number", nearest(word, self.names))
        number = int(match[1]) * _MULTIPLES[match[2]]
        if number > self.most:
            raise BadValueError(f"{word} is more than {self.most}, the largest possible here", str(self.most))
        return number

    def write(self, value: int | str) -> str:
        """Return the digits."""
        return str(value)


class Duration:
    """Seconds, written with units from weeks to seconds: ``5m``, ``1h30m``."""

    known: tuple[str, ...] = ()

    def read(self, word: str) -> int:
        """Return the seconds."""
        if word.isascii() and word.isdigit():
            raise BadValueError(f"{shown(word)} has no unit; use s, m, h, d or w", f"{word}s")
        if not _DURATION.fullmatch(word):
            raise BadValueError(f"{shown(word)} is not a duration; write 30s, 5m, 1h30m, 2d or 1w")
        seconds = sum(int(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(r"\d+[wdhms]", word))
        if seconds > _LONGEST_SECONDS:
            raise BadValueError(f"{shown(word)} is longer than a century")
        return seconds

    def write(self, value: int | str) -> str:
        """Return the duration with the largest units first."""
        left, words = int(value), []
        for unit, seconds in _SECONDS.items():
            count, left = divmod(left, seconds)
            if count:
                words.append(f"{count}{unit}")
        return "".join(words) or "0s"


class Word:
    """A word of a closed list; the mapping leads from what is accepted to the canonical word."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        self.choices = choices
        self.known = tuple(dict.fromkeys(choices.values()))

    def read(self, word: str) -> str:
        """Return the canonical word."""
        found = self.choices.get(word.lower())
        if found is None:
            raise BadValueError(f"{shown(word)} is not one of {', '.join(self.known)}", nearest(word, self.choices))
        return found

    def write(self, value: int | str) -> str:
        """Return the word."""
        return str(value)


class Text:
    """Any text, compared exactly; ``known`` are the usual ones, others are valid too."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known = tuple(known)

    def read(self, word: str) -> str:
        """Return the text."""
        return word

    def write(self, value: int | str) -> str:
        """Return the text, quoted where needed."""
        return word_or_quoted(str(value))


class Expression:
    """A regular expression of ``monitor.filter.pattern``."""

    known: tuple[str, ...] = ()

    def __init__(self, *, boundary: bool = False) -> None:
        self.boundary = boundary

    def read(self, word: str) -> str:
        """Return the expression once it is known to compile."""
        self.compiled(word)
        return word

    def compiled(self, source: str) -> Pattern:
        """Return the pattern; case counts only where there is nothing but numbers."""
        return Pattern(source, boundary=self.boundary, fold=not self.boundary)

    def write(self, value: int | str) -> str:
        """Return the expression in quotes."""
        return quoted(str(value))


class AddressOrPrefix:
    """An address, or a prefix that it is in; with ``zones`` a link-local address may carry its link."""

    known: tuple[str, ...] = ()

    def __init__(self, *, zones: bool = False) -> None:
        self.zones = zones

    def read(self, word: str) -> str:
        """Return the canonical text of the address or prefix."""
        if "/" in word:
            return str(prefix_of_word(word))
        if "%" in word and not self.zones:
            raise BadValueError("a next hop has no zone; name the link with dev=", word.partition("%")[0])
        try:
            return str(ipaddress.ip_address(word))
        except ValueError:
            raise not_a_prefix(word) from None

    def write(self, value: int | str) -> str:
        """Return the text."""
        return word_or_quoted(str(value))


class Community:
    """A community (RFC 1997): ``asn:value`` or a well-known name; the value is the 32-bit number."""

    known: tuple[str, ...] = tuple(_COMMUNITY_BY_NAME)

    def read(self, word: str) -> int:
        """Return the number."""
        lowered = word.lower().replace("_", "-")
        if lowered in _COMMUNITY_BY_NAME:
            return _COMMUNITY_BY_NAME[lowered]
        parts = numbers_of(word)
        if len(parts) == 2 and max(parts) <= 0xFFFF:
            return parts[0] << 16 | parts[1]
        if len(parts) == 3:
            raise BadValueError(f"{shown(word)} is a large community; ask lcomm has {word}")
        if len(parts) == 2:
            raise BadValueError(f"{shown(word)} is not a community: both numbers are at most 65535")
        raise BadValueError(
            f"{shown(word)} is not a community; write 65001:200 or a name such as no-export",
            nearest(lowered, self.known),
        )

    def write(self, value: int | str) -> str:
        """Return the well-known name, or the two halves."""
        return community_text(int(value))


class LargeCommunity:
    """A large community (RFC 8092): ``asn:x:y``; the value is its canonical text."""

    known: tuple[str, ...] = ()

    def read(self, word: str) -> str:
        """Return the canonical text."""
        parts = numbers_of(word)
        if len(parts) != 3 or max(parts) > _UINT32:
            raise BadValueError(f"{shown(word)} is not a large community; write three numbers, 65001:1:200")
        return ":".join(map(str, parts))

    def write(self, value: int | str) -> str:
        """Return the text."""
        return str(value)


class ExtendedCommunity:
    """An extended community (RFC 4360) as ``extended_community_text`` prints it."""

    known: tuple[str, ...] = ("rt:", "soo:", "0x")

    def read(self, word: str) -> str:
        """Return the canonical text."""
        lowered = word.lower()
        if re.fullmatch(r"0x[0-9a-f]{16}", lowered):
            return extended_community_text(bytes.fromhex(lowered[2:]))
        name, _, rest = lowered.partition(":")
        administrator, _, assigned = rest.rpartition(":")
        if name in ("rt", "soo") and assigned.isascii() and assigned.isdigit() and len(assigned) <= 10:
            number, parts = int(assigned), numbers_of(administrator)
            if len(parts) == 1 and (
                (parts[0] <= 0xFFFF and number <= _UINT32) or (parts[0] <= _UINT32 and number <= 0xFFFF)
            ):
                return f"{name}:{parts[0]}:{number}"
            if "." in administrator and number <= 0xFFFF:
                try:
                    return f"{name}:{ipaddress.IPv4Address(administrator)}:{number}"
                except ValueError as error:
                    raise BadValueError(f"{shown(word)}: {error}") from None
        message = "is not an extended community; write rt:65001:100, soo:192.0.2.1:100 or 0x and 16 digits"
        raise BadValueError(f"{shown(word)} {message}")

    def write(self, value: int | str) -> str:
        """Return the text."""
        return str(value)


def extended_community_text(octets: bytes) -> str:
    """Return ``rt:…`` or ``soo:…`` for route targets and origins (RFC 4360, RFC 5668), else hexadecimal."""
    kind, subtype = octets[0], octets[1]
    name = {2: "rt", 3: "soo"}.get(subtype)
    if name and kind == 0:
        return f"{name}:{int.from_bytes(octets[2:4])}:{int.from_bytes(octets[4:8])}"
    if name and kind == 1:
        return f"{name}:{ipaddress.IPv4Address(octets[2:6])}:{int.from_bytes(octets[6:8])}"
    if name and kind == 2:
        return f"{name}:{int.from_bytes(octets[2:6])}:{int.from_bytes(octets[6:8])}"
    return f"0x{octets.hex()}"


def numbers_of(word: str) -> list[int]:
    """Return the numbers between colons, or an empty list if there is anything else."""
    parts = word.split(":")
    if not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in parts):
        return []
    return [int(part) for part in parts]


def prefix_of_word(word: str) -> Prefix:
    """Return the prefix, or the host prefix of an address.

    Raises BadValueError, with what was probably meant.
    """
    if "%" in word:
        raise BadValueError(f"{shown(word)} has a zone; a prefix has none", word.partition("%")[0])
    address, slash, length = word.partition("/")
    if slash and not (length.isascii() and length.isdigit() and len(length) <= 3):
        raise not_a_prefix(word)
    try:
        meant = ipaddress.ip_interface(word)
    except ValueError:
        raise not_a_prefix(word) from None
    if meant.ip != meant.network.network_address:
        raise BadValueError(f"{address} has bits set beyond its length of {length}", str(meant.network))
    return meant.network


def not_a_prefix(word: str) -> BadValueError:
    """Return the error for something that is neither address nor prefix."""
    suggestion = ""
    if _SHORT_IPV4.fullmatch(word):
        address, slash, length = word.partition("/")
        count = address.count(".") + 1
        full = f"{address}{'.0' * (4 - count)}/{length if slash else count * 8}"
        try:
            suggestion = str(ipaddress.ip_network(full, strict=False))
        except ValueError:
            suggestion = ""
    return BadValueError(f"{shown(word)} is not an address or a prefix", suggestion)
