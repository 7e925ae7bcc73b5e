"""Probes: what a soak looks at after a change, what one look saw, and what a series of looks means.

Values and judgement only; ``monitor.probe`` opens the sockets.  A probe is compared with itself: it is run once before
the change, and what failed then cannot be blamed on the change.
"""

import enum
import ipaddress
import re
import urllib.parse
from dataclasses import dataclass
from typing import Any, NamedTuple

from programmer.route import Address

SLOW_FLOOR = 0.002
"""Seconds.  A quicker answer is never slow: below this the node's own scheduler is what is measured."""

_VISIBLE = re.compile(r"[!-~]+")
_TCP_PLACE = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<four>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ProbeKind(enum.StrEnum):
    """How a probe finds out whether its target is there."""

    TCP = "tcp"
    ICMP = "icmp"
    HTTP = "http"
    BGP = "bgp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig:
    """One probe as the configuration has it.

    ``target`` is as written; ``parse_target`` reads it.  The packets get ``source`` if there is one, else the preferred
    source address of ``domain``; they leave by ``interface`` and carry ``mark`` (fwmark) where those are set.
    ``interval`` and ``timeout`` are seconds.  After ``failures`` failures in a row the probe counts as failed.  An answer
    that takes ``warn_factor`` times as long as before the change is worth a warning, and no more.
    ``statuses`` (lowest and highest), ``host`` (the Host header, and the name in the certificate) and ``insecure``
    (https without looking at the certificate) are for HTTP.
    """

    name: str
    kind: ProbeKind
    target: str
    domain: str = ""
    source: Address | None = None
    interface: str = ""
    mark: int = 0
    interval: float = 5.0
    timeout: float = 2.0
    failures: int = 2
    warn_factor: float = 5.0
    statuses: tuple[int, int] = (200, 399)
    host: str = ""
    insecure: bool = False


class TcpTarget(NamedTuple):
    """A TCP port."""

    address: Address
    port: int


class IcmpTarget(NamedTuple):
    """An address that answers echo requests."""

    address: Address


class HttpTarget(NamedTuple):
    """A resource of a web server; ``path`` begins with a slash and has the query, encoded as it was written."""

    secure: bool
    address: Address
    port: int
    path: str

    @property
    def url(self) -> str:
        """The whole URL, with the port."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.path}"


class BgpTarget(NamedTuple):
    """Sessions: of the peer with this address (in its shortest form), or of the domain with this name."""

    name: str


Target = TcpTarget | IcmpTarget | HttpTarget | BgpTarget


class Result(NamedTuple):
    """What one look saw.

    ``seconds`` is the latency, 0 where none was measured; ``at`` is when the look began, in seconds since the epoch.
    """

    ok: bool
    seconds: float
    text: str
    at: float

    def document(self) -> dict[str, Any]:
        """Return what people and programs are shown."""
        return {"ok": self.ok, "milliseconds": round(self.seconds * 1000, 3), "text": self.text}


class Verdict(enum.StrEnum):
    """What a series of looks means for the change."""

    OK = "ok"
    SLOW = "slow"
    FAILING = "failing"
    FAILED = "failed"
    WAS_FAILING = "was-failing"
    RECOVERED = "recovered"


class Watch:
    """Judges a probe's looks after a change against *before*, the look just before it.

    ``good`` of ``total`` looks succeeded; ``last`` is the latest one.  A verdict is about now: a probe that failed and
    answers again is ok.  One that failed before the change cannot fail until it has succeeded once.
    """

    __slots__ = ("_can_fail", "_failures", "before", "config", "good", "last", "total")

    def __init__(self, config: ProbeConfig, before: Result) -> None:
        self.config = config
        self.before = before
        self.good = 0
        self.total = 0
        self.last: Result | None = None
        self._can_fail = before.ok
        self._failures = 0

    def take(self, result: Result) -> None:
        """Count one more look."""
        self.last = result
        self.total += 1
        if result.ok:
            self.good += 1
            self._can_fail = True
            self._failures = 0
        else:
            self._failures += 1

    @property
    def verdict(self) -> Verdict:
        """What the looks so far mean."""
        if not self._can_fail:
            return Verdict.WAS_FAILING
        if self._failures:
            return Verdict.FAILED if self._failures >= self.config.failures else Verdict.FAILING
        if not self.before.ok:
            return Verdict.RECOVERED
        return Verdict.SLOW if self._is_slow() else Verdict.OK

    @property
    def text(self) -> str:
        """The verdict as a sentence for people, without the probe's name."""
        before, last = self.before, self.last
        if last is None:
            return f"{before.text}; not looked at since the change"
        match self.verdict:
            case Verdict.OK:
                return last.text
            case Verdict.SLOW:
                return f"{last.text} in {_milliseconds(last)}; before the change in {_milliseconds(before)}"
            case Verdict.FAILING | Verdict.FAILED:
                return f"{last.text}; failure {self._failures} in a row, and {self.config.failures} count as failed"
            case Verdict.WAS_FAILING:
                return f"{last.text}; failed before the change too: {before.text}"
            case Verdict.RECOVERED:
                return f"{last.text}; failed before the change: {before.text}"

    def document(self) -> dict[str, Any]:
        """Return what people and programs are shown; ``now`` is None until the first look."""
        return {
            "name": self.config.name,
            "kind": self.config.kind.value,
            "target": self.config.target,
            "before": self.before.document(),
            "now": self.last.document() if self.last else None,
            "good": self.good,
            "total": self.total,
            "verdict": self.verdict.value,
            "text": self.text,
        }

    def _is_slow(self) -> bool:
        if self.last is None or not self.before.seconds:
            return False
        return self.last.seconds > max(SLOW_FLOOR, self.before.seconds * self.config.warn_factor)


def parse_target(kind: ProbeKind, text: str) -> Target:
    """Return what *text* means for a probe of this kind.

    Raises ValueError with a sentence that says what to write instead.
    """
    match kind:
        case ProbeKind.TCP:
            return _tcp(text)
        case ProbeKind.ICMP:
            return IcmpTarget(_address(text, text, "192.0.2.1 or 2001:db8::1"))
        case ProbeKind.HTTP:
            return _http(text)
        case ProbeKind.BGP:
            return _bgp(text)


def _tcp(text: str) -> TcpTarget:
    example = "192.0.2.1:443 or [2001:db8::1]:443"
    if (found := _TCP_PLACE.fullmatch(text)) is None:
        raise ValueError(f"{text!r} is not an address and a port; write them as in {example}")
    host = found["four"] if found["six"] is None else found["six"]
    address = _address(host, text, example)
    if (address.version == 6) != (found["six"] is not None):
        raise ValueError(f"{text!r}: brackets are for IPv6 addresses; write {example}")
    return TcpTarget(address, _port(int(found["port"]), text))


def _http(text: str) -> HttpTarget:
    example = "http://127.0.0.1:8080/healthz"
    if not _VISIBLE.fullmatch(text):
        raise ValueError(f"{text!r} has characters that a URL may not have; write them with percent signs (RFC 3986)")
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL: {error}; write it as in {example}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{text!r} is not an http or https URL; write it as in {example}")
    if "@" in parts.netloc:
        raise ValueError(f"{text!r} has a user in it; a probe sends no credentials, so leave out what is before '@'")
    if parts.fragment:
        raise ValueError(f"{text!r} has a fragment, which is never sent; leave out '#{parts.fragment}'")
    address = _address(parts.hostname, text, f"{example}, and the name as `host`")
    number = _DEFAULT_PORTS[parts.scheme] if port is None else _port(port, text)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return HttpTarget(parts.scheme == "https", address, number, path)


def _bgp(text: str) -> BgpTarget:
    if not _VISIBLE.fullmatch(text):
        raise ValueError(f"{text!r} is neither a peer's address nor a domain's name")
    try:
        return BgpTarget(str(ipaddress.ip_address(text)))
    except ValueError:
        return BgpTarget(text)


def _address(host: str, text: str, example: str) -> Address:
    """Return the address *host*, a part of the target *text*, if packets can be sent to it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        if host and re.fullmatch(r"[0-9.]+|.*:.*", host):
            raise ValueError(f"{text!r}: {host!r} is not an IP address; write for example {example}") from error
        raise ValueError(
            f"{text!r}: probes take an address and no host name, since a probe must not depend on DNS; "
            f"write for example {example}"
        ) from error
    if getattr(address, "scope_id", None):
        raise ValueError(f"{text!r}: write the address without '%' and the interface as `interface`")
    if getattr(address, "ipv4_mapped", None):
        raise ValueError(f"{text!r}: write the IPv4 address in it as such")
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{text!r} does not name one host; write for example {example}")
    return address


def _port(number: int, text: str) -> int:
    if not 1 <= number <= 65535:
        raise ValueError(f"{text!r}: a port is a number from 1 to 65535")
    return number


def _milliseconds(result: Result) -> str:
    return f"{result.seconds * 1000:.3g} ms"
