"""Whose key is it: the file that names the people who may sign, in OpenSSH's format (ssh-keygen(1), ALLOWED SIGNERS).

Stricter than OpenSSH where approvals are counted: a line names one person exactly, no key belongs to two of them, and every
time says that it is UTC.  A file that is accepted here means the same to ``ssh-keygen -Y verify``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from monitor.change.signature import (
    CERTIFICATE_ENDING,
    KEY_KINDS,
    PublicKey,
    SignatureRefused,
    decode_base64,
    read_public_key,
)

# No name and no time needs a backslash, which OpenSSH would take for an escape in some places.
_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"\\]*)")?(?:,(?=.)|$)')
_TIME = re.compile(r"([0-9]{8}|[0-9]{12}|[0-9]{14})(Z?)")
_TIME_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


class SignersError(ValueError):
    """A signers file that cannot be used, with everything that is wrong in it.

    ``problems`` are pairs of a line number, from 1, and a sentence, in the order of the file.
    """

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {text}" for line, text in problems))
        self.problems = problems


class Signer(NamedTuple):
    """One key of one person.

    ``namespaces`` are patterns with ``*`` and ``?``; none at all means any namespace.  The key is valid from ``valid_after``
    to ``valid_before``, both moments included, in seconds since the epoch (UTC); None is no limit.  ``line`` counts from 1.
    """

    principal: str
    key: PublicKey
    namespaces: tuple[str, ...]
    valid_after: float | None
    valid_before: float | None
    line: int


@dataclass(frozen=True, slots=True)
class Signers:
    """The people who may sign, and their keys, in the order of the file."""

    signers: tuple[Signer, ...]

    @property
    def principals(self) -> frozenset[str]:
        """Everybody who has a key here, valid or not."""
        return frozenset(signer.principal for signer in self.signers)

    def principal_of(self, key: PublicKey, namespace: str, at: float) -> str:
        """Return the name of the person who has *key*, if it may sign for *namespace* at *at* (seconds since the epoch).

        Raises SignatureRefused for a key that is unknown, not meant for the namespace, not valid yet or not any more.
        """
        lines = [signer for signer in self.signers if signer.key == key]
        if not lines:
            raise SignatureRefused(f"the key {key.fingerprint} is unknown: the signers file has no line with it")
        owner = f"the key {key.fingerprint} of {lines[0].principal}"
        meant = [signer for signer in lines if _is_meant_for(signer, namespace)]
        if not meant:
            listed = ", ".join(pattern for signer in lines for pattern in signer.namespaces)
            raise SignatureRefused(f"{owner} may not sign for the namespace {namespace!r}, only for {listed}")
        refusals = [_refusal(signer, at) for signer in meant]
        if all(refusals):
            raise SignatureRefused(f"{owner} {refusals[-1]}")
        return lines[0].principal


def read_signers(text: str) -> Signers:
    """Return the signers in the file's *text*.  Raises SignersError with every problem of the file at once."""
    problems: list[tuple[int, str]] = []
    signers: list[Signer] = []
    # Only a newline ends a line, as for OpenSSH: any other separator would hide a line from one of the two.
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r").strip(" \t")
        if line and not line.startswith("#"):
            wrong: list[str] = []
            signers += _read_line(number, line, wrong)
            problems += [(number, problem) for problem in wrong]
    problems += _of_two_people(signers)
    if problems:
        raise SignersError(sorted(problems, key=lambda problem: problem[0]))
    return Signers(tuple(signers))


def _read_line(number: int, line: str, wrong: list[str]) -> list[Signer]:
    """Return one signer for each principal of a line; add to *wrong* what is wrong with it."""
    strange = next((char for char in line if char != "\t" and (ord(char) < 0x20 or ord(char) == 0x7F)), None)
    if strange is not None:
        wrong.append(f"the line holds U+{ord(strange):04X}, a control character")
        return []
    principals, _, rest = line.replace("\t", " ").partition(" ")
    people = _principals(principals, wrong)
    options, kind, encoded = _split(rest.lstrip(" "))
    limits = _Limits(wrong)
    if not limits.read(options):
        return []
    key = _key(kind, encoded, wrong)
    if key is None:
        return []
    return [Signer(name, key, limits.namespaces, limits.valid_after, limits.valid_before, number) for name in people]


def _principals(field: str, wrong: list[str]) -> list[str]:
    """Return the names that can stand for a person."""
    people: list[str] = []
    for name in field.split(","):
        if not name:
            wrong.append("an empty name stands among the principals")
        elif any(char in name for char in "*?!"):
            wrong.append(f"{name!a} is a pattern, but a principal here must be one person, by the exact name")
        elif '"' in name or not name.isascii():
            wrong.append(f"{name!a} cannot be a principal: names are plain ASCII without quotes")
        elif name in people:
            wrong.append(f"the principal {name} stands twice on this line")
        else:
            people.append(name)
    return people


def _split(text: str) -> tuple[str, str, str]:
    """Return the options, the key type and the key of a line without its principals; missing ones are empty."""
    first, rest = _field(text)
    # A key type that nobody knows is told from options by what options look like.
    if first in KEY_KINDS or not (
        "=" in first or first.lower().startswith("cert-authority") or _is_kind(_field(rest)[0])
    ):
        return "", first, _field(rest)[0]
    kind, rest = _field(rest)
    return first, kind, _field(rest)[0]


def _is_kind(field: str) -> bool:
    return field in KEY_KINDS or field.endswith(CERTIFICATE_ENDING)


def _field(text: str) -> tuple[str, str]:
    """Return the text to the first space outside quotes, and what comes after it."""
    quoted = False
    for index, char in enumerate(text):
        if char == " " and not quoted:
            return text[:index], text[index:].lstrip(" ")
        quoted ^= char == '"'
    return text, ""


def _key(kind: str, encoded: str, wrong: list[str]) -> PublicKey | None:
    """Return the key, or None if there is none that can be used."""
    if kind.endswith(CERTIFICATE_ENDING):
        wrong.append("certificates are not accepted; list the plain key of each person")
    elif kind not in KEY_KINDS:
        found = f"{kind[:60]!a} is none" if kind else "there is none"
        wrong.append(f"a key type must follow the principals (and options, if any), and {found}: {_listed(KEY_KINDS)}")
    elif not encoded:
        wrong.append(f"the key is missing after {kind}")
    else:
        try:
            key = read_public_key(decode_base64(encoded.encode("ascii", "replace")))
        except SignatureRefused as error:
            wrong.append(str(error))
        except ValueError as error:
            wrong.append(f"the key is not base64, or only a part of it: {error}")
        else:
            if key.kind == kind:
                return key
            wrong.append(f"the line says {kind}, but the key is of the type {key.kind}")
    return None


class _Limits:
    """Reads the options of a line; adds to *wrong* what is wrong with them."""

    def __init__(self, wrong: list[str]) -> None:
        self._wrong = wrong
        self.namespaces: tuple[str, ...] = ()
        self.valid_after: float | None = None
        self.valid_before: float | None = None

    def read(self, options: str) -> bool:
        """Take over what the comma-separated *options* say; False where their end, and so the key, cannot be found."""
        seen: set[str] = set()
        at = 0
        while at < len(options):
            found = _OPTION.match(options, at)
            if found is None:
                self._wrong.append(
                    f'the options cannot be read from {options[at : at + 60]!a} on; they look like name="value",name="value"'
                )
                return False
            name = found[1].lower()
            if name in seen:
                self._wrong.append(f"the option {name} stands twice on this line")
            seen.add(name)
            self._take(name, found[2])
            at = found.end()
        if self.valid_after is not None and self.valid_before is not None and self.valid_before <= self.valid_after:
            self._wrong.append("the key is never valid: valid-before is not later than valid-after")
        return True

    def _take(self, name: str, value: str | None) -> None:
        if name == "cert-authority":
            self._wrong.append(
                "cert-authority is not accepted, as certificates are not; list the plain key of each person"
            )
        elif name not in {"namespaces", "valid-after", "valid-before"}:
            self._wrong.append(f"the option {name} is unknown; there are namespaces, valid-after and valid-before")
        elif value is None:
            self._wrong.append(f'the option {name} needs a value in quotes, as in {name}="value"')
        elif name == "namespaces":
            self.namespaces = tuple(value.split(","))
            self._wrong += [text for pattern in self.namespaces if (text := _wrong_in_pattern(pattern))]
        elif name == "valid-after":
            self.valid_after = self._seconds(name, value)
        else:
            self.valid_before = self._seconds(name, value)

    def _seconds(self, name: str, value: str) -> float | None:
        found = _TIME.fullmatch(value)
        try:
            if found is None:
                raise ValueError
            moment = datetime.strptime(found[1], _TIME_FORMATS[len(found[1])]).replace(tzinfo=UTC)
            # To OpenSSH, the first second of 1970 is no limit at all.
            if moment.timestamp() <= 0:
                raise ValueError
        except ValueError:
            self._wrong.append(
                f"{name} is {value[:60]!a}; it must be YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ, later than 1970 began"
            )
            return None
        if not found[2]:
            self._wrong.append(
                f"{name} must end in Z (UTC), as in {value}Z; without it, every machine reads its own local time"
            )
        return moment.timestamp()


def _wrong_in_pattern(pattern: str) -> str:
    """Say what is wrong with a pattern for namespaces; empty if nothing is."""
    if not pattern:
        return "an empty pattern stands among the namespaces"
    if "!" in pattern:
        return f"the namespace {pattern!a} excludes something; list what the key may sign for instead"
    if " " in pattern or not pattern.isascii():
        return f"the namespace {pattern!a} holds a space or is not ASCII; separate namespaces by a comma alone"
    return ""


def _of_two_people(signers: list[Signer]) -> list[tuple[int, str]]:
    """Find keys that belong to two names, and names that differ only in case: one person must not count twice."""
    problems: list[tuple[int, str]] = []
    owners: dict[PublicKey, Signer] = {}
    spellings: dict[str, Signer] = {}
    for signer in signers:
        first = owners.setdefault(signer.key, signer)
        if first.principal != signer.principal:
            text = f"the key {signer.key.fingerprint} is of both {first.principal} (line {first.line}) and {signer.principal}"
            problems.append((signer.line, f"{text}; one key must not count as two people"))
        first = spellings.setdefault(signer.principal.lower(), signer)
        if first.principal != signer.principal:
            text = f"{signer.principal} and {first.principal} (line {first.line}) differ only in case"
            problems.append((signer.line, f"{text}; one person must not count as two, so use one spelling"))
    return problems


def _is_meant_for(signer: Signer, namespace: str) -> bool:
    return not signer.namespaces or any(_matches(pattern, namespace) for pattern in signer.namespaces)


def _matches(pattern: str, text: str) -> bool:
    """Match as ssh_config(5), PATTERNS: ``*`` is anything, ``?`` is one character, all else is itself."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in re.sub(r"\*+", "*", pattern))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _refusal(signer: Signer, at: float) -> str:
    """Say why a signer's key is not valid at *at*; empty if it is."""
    if signer.valid_after is not None and at < signer.valid_after:
        return f"is not valid before {_moment(signer.valid_after)}"
    if signer.valid_before is not None and at > signer.valid_before:
        return f"is not valid after {_moment(signer.valid_before)}"
    return ""


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
