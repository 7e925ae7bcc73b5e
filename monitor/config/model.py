"""The configuration as frozen values: what the engine reads, free of YAML and pydantic.

Durations are float seconds, percents are floats from 0 to 100, addresses and prefixes are ``ipaddress``
objects.  Every default stands here; the loader fills what the file leaves out.
"""

import enum
import re
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from monitor.change.probe import ProbeConfig, ProbeKind
from monitor.change.rule import ApprovalRule
from monitor.change.signature import SignatureRefused
from monitor.change.signers import Signer, Signers
from monitor.change.statement import NAMESPACE
from monitor.change.window import Window
from monitor.rib.attribute import Origin, Rpki
from programmer.route import Address, Family, Prefix, Rule, TableId, family_of

T = TypeVar("T")

LargeCommunity = tuple[int, int, int]
"""Global administrator and two local parts, 32 bits each (RFC 8092)."""

DEFAULT_PROTOCOL = 196
"""Our owner mark: a protocol number that no known routing daemon uses (rtnetlink.h, RTPROT_*)."""

DEFAULT_METRIC = 200
DEFAULT_RUN_DIR = "/run/bgpmon"
DEFAULT_STATE_DIR = "/var/lib/bgpmon"

SOURCE_KEYS = {"gobgp": ("tls", "resync"), "bmp": ("view", "allow_uids", "allow_addresses")}
"""The key of each kind of source, and the keys that mean something beside it only."""

MOST_PEOPLE = 16
"""For how many people a rule may ask."""

_PACKETS = ("domain", "source", "interface", "mark", "timeout", "warn_factor")

PROBE_KEYS = {
    ProbeKind.TCP: _PACKETS,
    ProbeKind.ICMP: _PACKETS,
    ProbeKind.HTTP: (*_PACKETS, "statuses", "host", "insecure"),
    ProbeKind.BGP: (),
}
"""The kinds of probes, and the keys that mean something beside them, those left out that mean something to all kinds."""


class Mode(enum.StrEnum):
    """What may write to the kernel: nothing, an approved plan, or every plan inside the guard rails."""

    DRY_RUN = "dry-run"
    APPROVE = "approve"
    AUTO = "auto"


class DefaultRoute(enum.StrEnum):
    """What happens to default routes and default-like prefixes of a domain."""

    DENY = "deny"
    ACCEPT = "accept"


class ForeignRoutes(enum.StrEnum):
    """What happens when a domain's table holds routes of another program before it is used for the first time."""

    REFUSE = "refuse"
    ACCEPT = "accept"


class Clock(enum.StrEnum):
    """Whose word counts for the node's clock being right: the kernel's, or the operator's."""

    KERNEL = "kernel"
    TRUSTED = "trusted"


class BmpView(enum.StrEnum):
    """Which of a speaker's tables a BMP source reads: Adj-RIB-In before or after the speaker's import policy."""

    PRE = "pre"
    POST = "post"


class LimitAction(enum.StrEnum):
    """What happens when a limit is crossed.  TEARDOWN exists for peers only."""

    FREEZE = "freeze"
    WARN = "warn"
    TEARDOWN = "teardown"


@dataclass(frozen=True, slots=True)
class PerFamily(Generic[T]):
    """One value for each address family."""

    ipv4: T
    ipv6: T

    def of(self, family: Family) -> T:
        """Return the value for *family*."""
        return self.ipv4 if family is Family.IPV4 else self.ipv6


NO_ADDRESS: PerFamily[Address | None] = PerFamily(None, None)
"""No preferred source in either family: the kernel chooses."""


@dataclass(frozen=True, slots=True)
class PeerSelector:
    """One entry of ``peers``: an address, a prefix, an interface, or a link-local address with its interface.

    A single address is kept as its host prefix.  What is given must match: ``prefix`` None means any address,
    an empty ``interface`` means any interface.
    """

    prefix: Prefix | None
    interface: str = ""

    def matches(self, address: Address, interface: str = "") -> bool:
        """Say whether a peer at *address*, reached over *interface*, is selected.

        An empty *interface* means the zone of *address*, if it has one, else unknown.
        """
        if self.interface and self.interface != (interface or getattr(address, "scope_id", None)):
            return False
        return self.prefix is None or (address.version == self.prefix.version and address in self.prefix)

    @property
    def names_one(self) -> bool:
        """Whether this is the address of one peer."""
        return self.prefix is not None and self.prefix.prefixlen == self.prefix.max_prefixlen

    @property
    def text(self) -> str:
        """The entry as a person would write it."""
        if self.prefix is None:
            return self.interface
        base = str(self.prefix.network_address) if self.names_one else str(self.prefix)
        return f"{base}%{self.interface}" if self.interface else base


@dataclass(frozen=True, slots=True)
class PrefixRange:
    """Prefixes inside ``prefix`` whose length is from ``ge`` to ``le``, both included."""

    prefix: Prefix
    ge: int
    le: int

    @property
    def family(self) -> Family:
        """The family of the prefixes that can match."""
        return family_of(self.prefix)

    @property
    def text(self) -> str:
        """The range in the words of a prefix list: ``10.8.0.0/14 ge 16 le 28``."""
        length = self.prefix.prefixlen
        if self.ge == self.le == length:
            return str(self.prefix)
        words = [str(self.prefix)]
        if self.ge != length:
            words.append(f"ge {self.ge}")
        if self.le != self.prefix.max_prefixlen or self.ge == length:
            words.append(f"le {self.le}")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class AsPathPattern:
    """A regular expression over an AS path written as text.

    The text is ``PathAttributes.as_path_text``.  ``source`` is what stands in the file, where ``_`` means
    start, end or separator; ``compiled`` has it expanded.
    """

    source: str
    compiled: re.Pattern[str] = field(compare=False, repr=False)

    def matches(self, as_path: str) -> bool:
        """Say whether the pattern occurs in *as_path*."""
        return self.compiled.search(as_path) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a path must look like.  In a field any entry may match; all fields that are not empty must.

    ``communities`` are 32-bit numbers (RFC 1997).  ``next_hops`` are prefixes that the next hop must lie in.
    A condition with every field empty matches every path (``accept: any``).
    """

    prefixes: tuple[PrefixRange, ...] = ()
    communities: tuple[int, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    as_paths: tuple[AsPathPattern, ...] = ()
    next_hops: tuple[Prefix, ...] = ()
    peers: tuple[PeerSelector, ...] = ()
    origins: tuple[Origin, ...] = ()
    rpki: tuple[Rpki, ...] = ()

    @property
    def matches_all(self) -> bool:
        """True when nothing is asked."""
        return self == ANY


ANY = Condition()
"""The condition of ``accept: any`` and ``deny: any``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRule:
    """One rule of a domain's import policy; the first that matches decides, and no match means deny.

    ``number`` counts from 1.  ``metric`` and ``preferred_source`` replace the domain's own for the routes
    that this rule accepts; None means: the domain's.
    """

    number: int
    accept: bool
    condition: Condition
    text: str
    """The rule in one line: ``deny community 65001:666``."""
    line: int = field(compare=False)
    """Where it stands in the file, from 1."""
    metric: int | None = None
    preferred_source: PerFamily[Address | None] = NO_ADDRESS

    @property
    def label(self) -> str:
        """The rule for ``explain``: ``import rule 2 (line 31): deny community 65001:666``."""
        return f"import rule {self.number} (line {self.line}): {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most ``routes`` desired routes of one family in a domain, and a warning from ``warn_percent`` on."""

    routes: int
    warn_percent: float = 80.0
    action: LimitAction = LimitAction.FREEZE

    @property
    def warn_at(self) -> float:
        """The number of routes from which on there is a warning."""
        return self.routes * self.warn_percent / 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLimit:
    """At most ``paths`` received paths of one family from one peer.

    With TEARDOWN the peer is shut, and enabled again after ``restart`` seconds, at most ``attempts`` times in
    a row (0: never).  Other actions use neither.
    """

    paths: int
    warn_percent: float = 80.0
    action: LimitAction = LimitAction.FREEZE
    restart: float = 300.0
    attempts: int = 3

    @property
    def warn_at(self) -> float:
        """The number of paths from which on there is a warning."""
        return self.paths * self.warn_percent / 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalBudget:
    """How much one cycle may remove from a domain; beyond either number removals wait.

    ``percent`` is of the domain's installed routes, ``routes`` is a number of them; removals wait for a
    person, or for ``hold`` seconds.
    """

    percent: float = 20.0
    routes: int = 100
    hold: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Names of the PEM files for mutual TLS: the authority that we trust, our certificate and its key."""

    ca: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """A speaker that tells us about its peers and their paths.

    Exactly one of ``gobgp`` and ``bmp`` is set; the other one is empty.
    """

    name: str
    gobgp: str = ""
    """The gRPC target that we connect to: ``unix:///path`` or ``host:port``."""
    tls: TlsFiles | None = None
    """With ``gobgp`` only."""
    resync: float = 900.0
    """With ``gobgp`` only: the period, in seconds, of a full re-read of its paths."""
    bmp: str = ""
    """Where we listen for the speaker: ``127.0.0.1:11019`` or ``[::1]:11019`` (``parse.listen_place`` splits it)."""
    view: BmpView = BmpView.PRE
    """With ``bmp`` only, as what follows."""
    allow_uids: tuple[int, ...] = (0,)
    """Users of this host who may connect."""
    allow_addresses: tuple[Address, ...] = ()
    """Other hosts that may connect."""

    @property
    def target(self) -> str:
        """Where the speaker is reached: what ``gobgp`` or ``bmp`` says."""
        return self.gobgp or self.bmp


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainConfig:
    """One routing domain: a set of peers of one source, a set of interfaces, one kernel table."""

    name: str
    source: str
    peers: tuple[PeerSelector, ...]
    interfaces: tuple[str, ...]
    table: TableId
    metric: int = DEFAULT_METRIC
    families: tuple[Family, ...] = (Family.IPV4, Family.IPV6)
    multipath: int = 1
    """The largest number of next hops in one route."""
    default_route: DefaultRoute = DefaultRoute.DENY
    default_lengths: PerFamily[int] = PerFamily(8, 16)
    """A prefix shorter than this counts as a default route."""
    preferred_source: PerFamily[Address | None] = NO_ADDRESS
    imports: tuple[ImportRule, ...] = ()
    """The import policy (key ``import``), in order.  Empty: everything is denied."""
    rules: tuple[Rule, ...] = ()
    """The policy rules (``ip rule``) that lead into ``table``."""
    limit: PerFamily[Limit | None] = PerFamily(None, None)
    peer_limit: PerFamily[PeerLimit | None] = PerFamily(None, None)
    removal_budget: RemovalBudget = RemovalBudget()
    stale_after: float = 600.0
    """The longest time, in seconds, that stale or unknown BGP state keeps routes in place."""
    end_of_rib_wait: float = 30.0
    """How long, in seconds, to wait for End-of-RIB from a peer that is up but may never send one."""
    require_auth: bool = False
    """Paths of peers without TCP authentication are not used."""
    foreign_routes: ForeignRoutes = ForeignRoutes.REFUSE

    @property
    def metrics(self) -> frozenset[int]:
        """Every metric that a route of this domain can have."""
        return frozenset((self.metric, *(rule.metric for rule in self.imports if rule.metric is not None)))

    def accepts_default(self, prefix: Prefix) -> bool:
        """Say whether *prefix* is no default route, or default routes are allowed here."""
        shortest = self.default_lengths.of(family_of(prefix))
        return self.default_route is DefaultRoute.ACCEPT or prefix.prefixlen >= shortest

    def selects(self, address: Address, interface: str = "") -> bool:
        """Say whether a peer of this domain's source belongs to this domain."""
        return any(selector.matches(address, interface) for selector in self.peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxDrift:
    """How much of a frozen plan may have gone stale before none of it is applied."""

    operations: int = 10
    percent: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakConfig:
    """How long a change must prove itself, ``duration`` seconds, and ``most`` with everything that people add to it.

    A probe that fails meanwhile rolls the change back.
    """

    duration: float = 300.0
    most: float = 900.0
    probes: tuple[ProbeConfig, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalConfig:
    """Who releases what, how long a frozen plan may be approved and applied (seconds), and how far it may drift.

    What no rule matches needs one person, unless there are no rules at all: in mode auto everything goes ahead then.  The
    loader puts the standard rules in where the file has none, except in mode auto.
    """

    rules: tuple[ApprovalRule, ...] = ()
    expires: float = 3600.0
    max_drift: MaxDrift = MaxDrift()
    allow_local: bool = True
    """Whether an identity that only the socket vouches for is enough where one person is asked for."""
    self_approve: bool = True
    """Whether whoever froze a plan may approve it; that counts once."""
    allowed_signers: str = ""
    """The file that ``signers`` come from; empty: nobody can sign."""
    signers: Signers = field(default=Signers(()), compare=False, repr=False)
    groups: tuple[tuple[str, frozenset[str]], ...] = ()
    """Names of groups, each with the principals in it."""
    soak: SoakConfig | None = None
    """None: what is applied stays."""

    @property
    def people(self) -> frozenset[str]:
        """Everybody who has a key that may sign statements about plans, now or at another time."""
        return frozenset(signer.principal for signer in self.signers.signers if _may_sign(self.signers, signer))


def _may_sign(signers: Signers, signer: Signer) -> bool:
    # Both ends of a key's time are part of it.
    at = next((moment for moment in (signer.valid_after, signer.valid_before) if moment is not None), 0.0)
    try:
        return signers.principal_of(signer.key, NAMESPACE, at) == signer.principal
    except SignatureRefused:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalConfig:
    """How long records stay, in seconds."""

    keep: float = 90 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """``group`` may connect to ``read.sock``; None: the group that the daemon runs as."""

    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line says in place of the file; None: not given."""

    mode: str | None = None
    run_dir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that the daemon is told."""

    node: str
    sources: tuple[SourceConfig, ...]
    domains: tuple[DomainConfig, ...]
    """In the order of the file: where two share a table, the first one wins."""
    mode: Mode = Mode.DRY_RUN
    netns: str | None = None
    """The target namespace's file; None: the daemon's own."""
    state_dir: str = DEFAULT_STATE_DIR
    run_dir: str = DEFAULT_RUN_DIR
    protocol: int = DEFAULT_PROTOCOL
    protect: tuple[Prefix, ...] = ()
    encapsulation: bool = False
    reconcile: float = 60.0
    """Period, in seconds, of the full compare of our tables."""
    api: ApiConfig = ApiConfig()
    approval: ApprovalConfig = ApprovalConfig()
    windows: tuple[Window, ...] = ()
    clock: Clock = Clock.KERNEL
    journal: JournalConfig = JournalConfig()
    path: str = field(default="", compare=False)
    """The file that this was read from."""
    digest: str = field(default="", compare=False)
    """The policy digest: SHA-256, in hexadecimal, over every value that decides what routes we want, and who must
    agree to them."""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """Allowed, but perhaps not meant: one line each, with file and position."""

    def source(self, name: str) -> SourceConfig:
        """Return the source called *name*; raises KeyError for any other."""
        for source in self.sources:
            if source.name == name:
                return source
        raise KeyError(name)

    def domain(self, name: str) -> DomainConfig:
        """Return the domain called *name*; raises KeyError for any other."""
        for domain in self.domains:
            if domain.name == name:
                return domain
        raise KeyError(name)

    def domain_of(self, source: str, address: Address, interface: str = "") -> DomainConfig | None:
        """Return the domain that a peer of *source* belongs to, or None for an unassigned peer.

        The loader refuses files in which two domains select the same address.  Where one domain selects the
        address and another the interface, the domain listed first has the peer.
        """
        for domain in self.domains:
            if domain.source == source and domain.selects(address, interface):
                return domain
        return None

    @property
    def tables(self) -> frozenset[TableId]:
        """Every table that we write to."""
        return frozenset(domain.table for domain in self.domains)
