"""One text to one value, for change control: filters, tickets, schedules, targets of probes.  Pure, as ``parse`` is."""

import re
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from monitor.change.probe import ProbeKind, parse_target
from monitor.change.rule import ticket_matches
from monitor.change.window import check_cron, check_timezone
from monitor.config.parse import HOST, UNKNOWN, Unacceptable, address, family_address, host_port, shown, text_of
from monitor.filter import FilterError, Query, parse
from monitor.filter.lexer import TokenKind, tokens_of
from programmer.route import Address, Family

STATUS_MIN = 100
STATUS_MAX = 599
"""Status codes of HTTP (RFC 9110, section 15)."""

_HOST_MAX = 253
_TICKET_MAX = 200
_TEXT_MAX = 2000
_ADVICE = re.compile(r"(.*); ((?:write|did you mean) .*)", re.DOTALL)


def approval_match(value: object) -> Query:
    """Return the filter of an approval rule: it knows no saved filters, and cannot ask which rule decided."""
    text = text_of(value, "a filter")
    if not text.strip():
        raise Unacceptable("the filter is empty", 'write "*" to match every operation')
    try:
        query = parse(text)
    except FilterError as error:
        if text[error.position : error.position + 1] == "@":
            message = "a saved filter cannot stand in an approval rule: what it means could change"
            raise Unacceptable(message, "write out what it stands for", error.position) from None
        hint = f"did you mean {error.suggestion}?" if error.suggestion else ""
        raise Unacceptable(error.message, hint, error.position) from None
    if "rule" in query.fields:
        message = "an approval rule cannot ask for rule: it is the one that decides"
        raise Unacceptable(message, "ask for class, op, state or domain", _field_place(text, "rule"))
    return query


def _field_place(text: str, name: str) -> int:
    """Return where the field *name* is asked for in a filter."""
    tokens = tokens_of(text)
    for token, following in pairwise(tokens):
        asks = following.kind is TokenKind.OPERATOR or following.text.lower() in {"in", "has"}
        if token.kind is TokenKind.WORD and token.text.lower() == name and asks:
            return token.start
    return UNKNOWN


def ticket(value: object) -> str:
    """Return the pattern of a ticket: a regular expression that asks for something."""
    text = text_of(value, "a pattern")
    if not text or len(text) > _TICKET_MAX:
        raise Unacceptable(f"a pattern has 1 to {_TICKET_MAX} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            re.compile(text)
            # Without the signs for begin and end, which a whole match does not need, it must be a pattern still.
            asks = not ticket_matches(text, "")
    except re.error as error:
        offset = UNKNOWN if error.pos is None else error.pos
        raise Unacceptable(f"the pattern {shown(text)} is wrong: {error.msg}", offset=offset) from None
    except (FutureWarning, OverflowError, RecursionError) as error:
        raise Unacceptable(f"the pattern {shown(text)} is wrong: {error}") from None
    if not asks:
        raise Unacceptable(f"{shown(text)} matches an empty ticket, so none would be needed", "for any ticket write .+")
    return text


def principal(value: object) -> str:
    """Return the name of a person, as a signers file can have it."""
    text = text_of(value, "a principal")
    if not text or not all("!" < char <= "~" and char not in ',"*?' for char in text):
        raise Unacceptable(f"{shown(text)} is not a principal", "write it as the signers file does: alice@example.net")
    return text


def cron(value: object) -> str:
    """Return a schedule of five fields."""
    return _advised(check_cron, text_of(value, "a schedule"))


def timezone(value: object) -> str:
    """Return the name of a time zone."""
    return _advised(check_timezone, text_of(value, "a time zone"))


def probe_target(value: object, kind: ProbeKind) -> str:
    """Return the target of a probe, as it was written."""
    text = text_of(value, "a target")
    _advised(partial(parse_target, kind), text)
    return text


def probe_source(value: object) -> Address:
    """Return the address that a probe sends from."""
    found = address(value)
    return family_address(value, Family.IPV4 if found.version == 4 else Family.IPV6)


def statuses(value: object) -> tuple[int, int]:
    """Return the lowest and the highest status that is good."""
    if not isinstance(value, list) or len(value) != 2:
        raise Unacceptable(f"{shown(value)} is not two numbers", "write the lowest and the highest: [200, 399]")
    low, high = value
    for number in value:
        if not isinstance(number, int) or isinstance(number, bool) or not STATUS_MIN <= number <= STATUS_MAX:
            raise Unacceptable(f"{shown(number)} is not a status from {STATUS_MIN} to {STATUS_MAX}")
    if low > high:
        raise Unacceptable(f"the lowest status {low} is above the highest, {high}", f"write [{high}, {low}]")
    return low, high


def host(value: object) -> str:
    """Return what a Host header says: a name or an address, and a port if there is one (RFC 9110, section 7.2)."""
    text = text_of(value, "a host")
    if len(text) <= _HOST_MAX and HOST.fullmatch(text):
        return text
    hint = "write for example shop.example, or with a port shop.example:8443"
    name, _ = host_port(f"{text}:80" if text.endswith("]") else text, hint)
    if len(name) > _HOST_MAX:
        raise Unacceptable(f"{shown(text)} does not name a host", hint)
    return text


def _advised(read: Callable[[str], object], text: str) -> str:
    """Return what *read* makes of *text* as text; its advice, behind a semicolon, becomes the hint."""
    if len(text) > _TEXT_MAX:
        raise Unacceptable(f"{shown(text)} is longer than {_TEXT_MAX} characters")
    try:
        return str(read(text))
    except ValueError as error:
        found = _ADVICE.fullmatch(str(error))
        message, hint = (found[1], found[2]) if found else (str(error), "")
        raise Unacceptable(message, hint) from None
