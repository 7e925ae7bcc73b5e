"""One text to one value: durations, prefixes, communities, patterns, targets.  Pure.

Every function takes what YAML gave, raises Unacceptable for what it does not read, and says what to write.
"""

import difflib
import ipaddress
import re
import warnings
from collections.abc import Iterable

from monitor.config.model import AsPathPattern, LargeCommunity, PeerSelector
from monitor.rib.attribute import WELL_KNOWN_COMMUNITIES
from programmer.route import MAIN_TABLE, RESERVED_TABLES, Address, Family, Prefix, TableId

SOCKET_PATH_MAX = 107
"""Octets of a unix socket's longest path, without the final zero (sun_path of struct sockaddr_un, linux/un.h)."""

INTERFACE_NAME_MAX = 15
"""IFNAMSIZ less the final zero, linux/if.h."""

USER_MAX = 4294967294
"""Largest number of a user; the one after it is -1, which is nobody's (INVALID_UID in linux/uidgid.h)."""

HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
"""A host's name, or an IPv4 address."""

_TARGET_HINT = "write unix:///path, 127.0.0.1:50051 or [::1]:50051"
_LISTEN_HINT = "write 127.0.0.1:11019 or [::1]:11019"
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d{1,9}(?:d|h|ms|m|s))+")
_DURATION_PART = re.compile(r"(\d+)(d|h|ms|m|s)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_PATTERN_CHARACTERS = re.compile(r"(?:[0-9 _^$.*+?()\[\]|{},-]|\\[d.(){}\[\]])*")
_SEPARATOR = r"(?:^|[ ,(){}\[\]]|$)"
_PATTERN_MAX = 500
_COMMUNITY_NAMES = {name: number for number, name in WELL_KNOWN_COMMUNITIES.items()}
_RESERVED_TABLE_NAMES = {"unspec": 0, "default": 253, "local": 255}


UNKNOWN = -1
"""The offset of an error that has no place inside its text."""


class Unacceptable(ValueError):
    """A value that we do not take; ``offset`` is the index of the offending character, if known."""

    def __init__(self, message: str, hint: str = "", offset: int = UNKNOWN) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.offset = offset


def shown(value: object) -> str:
    """Return *value* as a message quotes it: the way YAML writes it, cut when it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    if len(text) > 60:
        text = f"{text[:57]}..."
    return ascii(text) if isinstance(value, str) else text


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the known word closest to *word*, or all of them when none is close."""
    words = sorted(known)
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    close = close or [known for known in words if len(word) >= 3 and known.startswith(word.lower())]
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(words)}" if words else ""


def text_of(value: object, what: str) -> str:
    """Return *value* if it is text; a number that YAML read is text no more, so the hint says to quote it."""
    if isinstance(value, str):
        return value
    hint = f'put it in quotes: "{value}"' if isinstance(value, int | float) else ""
    raise Unacceptable(f"{shown(value)} is not {what}", hint)


def choice(value: object, words: Iterable[str]) -> str:
    """Return *value* if it is one of *words*."""
    known = list(words)
    if isinstance(value, str) and value in known:
        return value
    hint = nearest(value, known) if isinstance(value, str) else ""
    raise Unacceptable(f"{shown(value)} is none of {', '.join(known)}", "" if hint.startswith("known") else hint)


def duration(value: object, least: float, most: float) -> float:
    """Return seconds for ``10s``, ``5m``, ``1h30m``, ``2d`` or ``500ms`` inside *least* to *most*."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise Unacceptable(f"{value} has no unit", f"write {value}s, or with m, h, d or ms")
    text = text_of(value, "a duration")
    if not _DURATION.fullmatch(text):
        raise Unacceptable(f"{shown(text)} is not a duration", "write for example 30s, 10m or 1h30m")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))
    if not least <= seconds <= most:
        raise Unacceptable(f"{text} is outside {duration_text(least)} to {duration_text(most)}")
    return seconds


def duration_text(seconds: float) -> str:
    """Return *seconds* as ``duration`` reads it: ``1h30m``."""
    left = round(seconds * 1000)
    words = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        number, left = divmod(left, size)
        if number:
            words.append(f"{number}{unit}")
    return "".join(words) or "0s"


def address(value: object) -> Address:
    """Return an address without a zone."""
    text = text_of(value, "an address")
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        hint = "write the address without a length" if "/" in text else ""
        raise Unacceptable(f"{shown(text)} is not an address", hint) from None
    if getattr(found, "scope_id", None):
        raise Unacceptable(f"{shown(text)} has a zone", f"write {text.partition('%')[0]}")
    return found


def family_address(value: object, family: Family) -> Address:
    """Return a unicast address of *family*."""
    found = address(value)
    if found.version != (4 if family is Family.IPV4 else 6):
        raise Unacceptable(f"{found} is not an {family.label} address", "it belongs under the other family")
    if found.is_unspecified or found.is_multicast:
        raise Unacceptable(f"{found} is not an address that a packet can come from")
    return found


def prefix(value: object) -> Prefix:
    """Return a prefix; a single address is its host prefix."""
    text = text_of(value, "a prefix")
    if "%" in text:
        raise Unacceptable(f"{shown(text)} has a zone", "a prefix has no zone")
    try:
        meant = ipaddress.ip_interface(text)
    except ValueError:
        raise Unacceptable(f"{shown(text)} is not a prefix", "write for example 10.8.0.0/14") from None
    if meant.ip != meant.network.network_address:
        raise Unacceptable(f"{text} has bits set beyond its length", f"write {meant.network}")
    return meant.network


def interface(value: object) -> str:
    """Return the name of a network interface (dev_valid_name in the kernel)."""
    text = text_of(value, "an interface name")
    if not text or len(text.encode()) > INTERFACE_NAME_MAX:
        raise Unacceptable(f"{shown(text)} is not 1 to {INTERFACE_NAME_MAX} octets long")
    if text in {".", ".."} or any(char in "/:%" or char.isspace() or not char.isprintable() for char in text):
        raise Unacceptable(f"{shown(text)} is not an interface name")
    if text == "lo":
        raise Unacceptable("lo is the loopback interface; nothing is reached through it")
    return text


def peer_selector(value: object) -> PeerSelector:
    """Return a peer entry: an address, a prefix, an interface, or a link-local address ``fe80::1%eth1``."""
    text = text_of(value, "a peer")
    base, percent, zone = text.partition("%")
    numeric = "/" in base or ":" in base or ("." in base and not any(char.isalpha() for char in base))
    if not numeric and not percent:
        return PeerSelector(None, interface(text))
    try:
        found = prefix(base)
    except Unacceptable as error:
        words = error.message if "bits set" in error.message else f"{shown(text)} is not an address or a prefix"
        raise Unacceptable(words, error.hint if "bits set" in error.message else "") from None
    single = found.prefixlen == found.max_prefixlen
    if found.is_multicast or (single and found.is_unspecified):
        raise Unacceptable(f"{text} can be no peer's address")
    if not percent:
        return PeerSelector(found)
    if not (single and found.is_link_local):
        raise Unacceptable(f"{shown(text)}: only a link-local address has a zone", f"write {base}")
    return PeerSelector(found, interface(zone))


def community(value: object) -> int:
    """Return the 32-bit number of ``65001:666`` or of a well-known name (RFC 1997)."""
    text = text_of(value, "a community")
    if text in _COMMUNITY_NAMES:
        return _COMMUNITY_NAMES[text]
    parts = _numbers(text)
    if parts is None:
        close = difflib.get_close_matches(text.lower(), _COMMUNITY_NAMES, n=1)
        hint = f"did you mean {close[0]}?" if close else "write ASN:VALUE, or a name such as no-export"
        raise Unacceptable(f"{shown(text)} is not a community", hint)
    if len(parts) == 3:
        raise Unacceptable(f"{text} is a large community", "use the key large_community")
    if len(parts) != 2 or max(parts) > 0xFFFF:
        raise Unacceptable(
            f"{text} is not two numbers from 0 to 65535", "an AS above 65535 needs large_community: ASN:X:Y"
        )
    return parts[0] << 16 | parts[1]


def large_community(value: object) -> LargeCommunity:
    """Return the three numbers of ``65001:1:200`` (RFC 8092)."""
    text = text_of(value, "a large community")
    parts = _numbers(text)
    if parts is None or len(parts) != 3 or max(parts) > 0xFFFFFFFF:
        raise Unacceptable(f"{shown(text)} is not three numbers from 0 to 4294967295", "write ASN:X:Y")
    return (parts[0], parts[1], parts[2])


def _numbers(text: str) -> list[int] | None:
    """Return the numbers between colons, or None if there is anything else."""
    parts = text.split(":")
    if not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in parts):
        return None
    return [int(part) for part in parts]


def as_path(value: object) -> AsPathPattern:
    """Return the compiled pattern; ``_`` is the start, the end or a separator between AS numbers."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value, "a pattern")
    if not text or len(text) > _PATTERN_MAX:
        raise Unacceptable(f"a pattern has 1 to {_PATTERN_MAX} characters", "an empty AS path is ^$")
    known = _PATTERN_CHARACTERS.match(text)
    end = known.end() if known else 0
    if end < len(text):
        raise Unacceptable(
            f"{shown(text[end])} cannot stand in an AS path pattern",
            "use digits, blanks, _ and the operators ^ $ . * + ? | ( ) [ ] { }",
            end,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            # The same length as the text, so that the position of an error is the position in the file.
            re.compile(text.replace("_", " "))
            compiled = re.compile(_expanded(text), re.ASCII)
    except re.error as error:
        raise Unacceptable(
            f"the pattern {shown(text)} is wrong: {error.msg}",
            offset=UNKNOWN if error.pos is None else error.pos,
        ) from None
    except (FutureWarning, OverflowError, RecursionError) as error:
        raise Unacceptable(f"the pattern {shown(text)} is wrong: {error}") from None
    return AsPathPattern(text, compiled)


def _expanded(pattern: str) -> str:
    """Return *pattern* with each ``_`` outside brackets replaced by what it stands for."""
    parts = []
    inside = escaped = False
    for char in pattern:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in "[]":
            inside = char == "["
        parts.append(_SEPARATOR if char == "_" and not inside else char)
    return "".join(parts)


def table(value: object) -> TableId:
    """Return a table's number; ``main`` is 254."""
    if value == "main":
        return MAIN_TABLE
    if isinstance(value, str) and value in _RESERVED_TABLE_NAMES:
        value = _RESERVED_TABLE_NAMES[value]
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unacceptable(f"{shown(value)} is not a table", "write a number, or main")
    if value in RESERVED_TABLES:
        raise Unacceptable(f"table {value} belongs to the kernel", "choose another number, for example 101")
    if not 1 <= value <= 0xFFFFFFFF:
        raise Unacceptable(f"table {value} is outside 1 to 4294967295")
    return TableId(value)


def protocol(value: object) -> int:
    """Return a protocol number for our routes and rules; the kernel's own are refused (rtnetlink.h)."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
        raise Unacceptable(f"{shown(value)} is not a number from 5 to 255")
    if value <= 4:
        names = ("unspec", "redirect", "kernel", "boot", "static")
        raise Unacceptable(
            f"protocol {value} ({names[value]}) marks routes of the kernel or of administrators",
            "the default is 196",
        )
    return value


def name(value: object) -> str:
    """Return the name of a source or a domain."""
    text = text_of(value, "a name")
    if not _NAME.fullmatch(text):
        raise Unacceptable(f"{shown(text)} is not a name", "use up to 63 letters, digits, and inside also . _ -")
    return text


def node(value: object) -> str:
    """Return a node's name: printable, no blanks, at most 253 characters."""
    text = text_of(value, "a node name")
    if not 1 <= len(text) <= 253 or any(char.isspace() or not char.isprintable() for char in text):
        raise Unacceptable(f"{shown(text)} is not a node name")
    return text


def group(value: object) -> str:
    """Return the name of a group of users."""
    text = text_of(value, "a group name")
    if not _GROUP.fullmatch(text):
        raise Unacceptable(f"{shown(text)} is not a group name")
    return text


def file_name(value: object) -> str:
    """Return an absolute file name."""
    text = text_of(value, "a file name")
    if not text.startswith("/"):
        raise Unacceptable(f"{shown(text)} does not start with /", "write the whole name of the file or directory")
    if not text.isprintable():
        raise Unacceptable(f"{shown(text)} has a character that cannot be printed")
    return text


def namespace(value: object) -> str:
    """Return the file of a network namespace."""
    text = text_of(value, "a namespace file")
    if not text.startswith("/"):
        raise Unacceptable(f"{shown(text)} is not a file", f"for a named namespace write /run/netns/{text}")
    return file_name(value)


def run_dir(value: object) -> str:
    """Return a directory whose name leaves room for the longest socket name in it."""
    text = file_name(value)
    if len(text.encode()) > SOCKET_PATH_MAX - len("/admin.sock"):
        raise Unacceptable(
            f"the name is too long for a socket in it: at most {SOCKET_PATH_MAX - len('/admin.sock')} octets"
        )
    return text


def gobgp_target(value: object) -> str:
    """Return a gRPC target: ``unix:///path`` or ``host:port``."""
    text = text_of(value, "a target")
    if text.startswith("unix://"):
        socket = text.removeprefix("unix://")
        if not socket.startswith("/") or not socket.isprintable():
            raise Unacceptable(f"{shown(text)} does not name a socket", "write unix:///run/gobgp/gobgpd.sock")
        if len(socket.encode()) > SOCKET_PATH_MAX:
            raise Unacceptable(f"the socket's name is longer than {SOCKET_PATH_MAX} octets")
        return text
    if text.startswith(("/", "unix:")):
        raise Unacceptable(f"{shown(text)} is not a target", f"write unix:///{text.removeprefix('unix:').lstrip('/')}")
    host, port = host_port(text, _TARGET_HINT)
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - refused, not bound
        raise Unacceptable(f"{host} is no address to connect to", f"write 127.0.0.1:{port}")
    return text


def loopback_target(target: str) -> bool:
    """Say whether *target*, as ``gobgp_target`` returned it, stays on this host."""
    if target.startswith("unix://"):
        return True
    host, _ = host_port(target, _TARGET_HINT)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bmp_listen(value: object) -> str:
    """Return where to listen for BMP, in one way of writing: ``127.0.0.1:11019`` or ``[::1]:11019``."""
    what = "an address and a port"
    if isinstance(value, int) and not isinstance(value, bool):
        raise Unacceptable(f"{value} is not {what}", f"write 127.0.0.1:{value}")
    text = text_of(value, what)
    if text.startswith(("/", "unix:")):
        raise Unacceptable(f"{shown(text)} is not {what}: BMP comes over TCP", _LISTEN_HINT)
    host, port = host_port(text, _LISTEN_HINT)
    try:
        found = address(host)
    except Unacceptable as error:
        hint = "" if "%" in host else f"write an address, for example 127.0.0.1:{port}"
        raise Unacceptable(error.message, hint or _LISTEN_HINT) from None
    _not_mapped(found)
    if found.is_multicast or _link_local(found):
        raise Unacceptable(
            f"{found} is no address to listen at", f"write {'127.0.0.1' if found.version == 4 else '[::1]'}:{port}"
        )
    return f"[{found}]:{port}" if found.version == 6 else f"{found}:{port}"


def listen_place(text: str) -> tuple[Address, int]:
    """Return address and port of *text*, which is as ``bmp_listen`` returned it."""
    host, port = host_port(text, _LISTEN_HINT)
    return ipaddress.ip_address(host), port


def sender(value: object) -> Address:
    """Return the address of another host that may connect to us."""
    found = address(value)
    _not_mapped(found)
    if found.is_loopback:
        raise Unacceptable(f"{found} is this host itself", "its users are named in allow_uids")
    if found.is_unspecified or found.is_multicast:
        raise Unacceptable(f"{found} is not an address that a host connects from")
    if _link_local(found):
        raise Unacceptable(f"{found} is link-local: it may be a host on any link", "write the host's global address")
    return found


def user(value: object) -> int:
    """Return a user's number."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= USER_MAX:
        hint = f"id -u {value} prints it" if isinstance(value, str) and _GROUP.fullmatch(value) else ""
        raise Unacceptable(f"{shown(value)} is not a user's number from 0 to {USER_MAX}", hint)
    return value


def _not_mapped(found: Address) -> None:
    """Refuse an IPv4 address in the clothes of an IPv6 one (RFC 4291 section 2.5.5.2)."""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        raise Unacceptable(f"{found} is an IPv4 address", f"write {found.ipv4_mapped}")


def _link_local(found: Address) -> bool:
    """Say whether *found* means nothing without a zone."""
    return found.version == 6 and found.is_link_local


def host_port(text: str, hint: str) -> tuple[str, int]:
    """Return the two halves of ``host:port`` or ``[address]:port``; *hint* says how to write them."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise Unacceptable(f"{shown(text)} does not end in a port", hint)
    bracketed = host.startswith("[") and host.endswith("]")
    inner = host[1:-1] if bracketed else host
    try:
        version: int = ipaddress.ip_address(inner).version
    except ValueError:
        version = 0
    if bracketed != (version == 6):
        raise Unacceptable(f"{shown(text)} is not host:port", f"write [{inner}]:{port}" if version == 6 else hint)
    numeric = all(char.isdigit() or char == "." for char in inner)
    if version == 0 and (numeric or not HOST.fullmatch(inner)):
        raise Unacceptable(f"{shown(text)} does not name a host", hint)
    return inner, int(port)
