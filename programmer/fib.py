"""What a kernel must be able to do: the port between the reconciler and Linux (or a dictionary).

One contract, two adapters: ``programmer.netlink`` and ``programmer.memory`` pass the same tests.
"""

import enum
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from programmer.route import Address, Family, Forwarding, Prefix, PrefixKey, Rule, TableId


class Verb(enum.Enum):
    """What one write does.

    ADD is exclusive: it fails with EEXIST on any route at the same identity, whoever owns it.
    REPLACE changes an existing route in place and fails with ENOENT where there is none.
    DELETE names our protocol, the metric, and for an IPv6 group the next hops given, so that a foreign route answers ESRCH
    and survives.
    """

    ADD = "add"
    REPLACE = "replace"
    DELETE = "delete"


class Write(NamedTuple):
    """One change to one route.  For DELETE only the metric of ``forwarding`` matters."""

    verb: Verb
    table: TableId
    family: Family
    key: PrefixKey
    forwarding: Forwarding


class WriteResult(NamedTuple):
    """What the kernel said to one write: errno 0 for done, and its own words (NLMSGERR_ATTR_MSG) if it gave any."""

    errno: int
    message: str = ""


OK = WriteResult(0)


class ForeignRoute(NamedTuple):
    """A route in one of our tables that does not carry our mark at one of our metrics."""

    protocol: int
    forwarding: Forwarding


@dataclass(frozen=True, slots=True)
class Ownership:
    """What makes a route ours: our protocol number, and one of our metrics in that table."""

    protocol: int
    metrics: frozenset[int]

    def covers(self, protocol: int, metric: int) -> bool:
        """Say whether a route of that protocol at that metric is ours."""
        return protocol == self.protocol and metric in self.metrics


@dataclass(slots=True)
class TableImage:
    """One complete, uninterrupted read of one family of one table.

    ``routes``   ours: prefix key to forwarding.
    ``extras``   ours too, where a prefix has more than one of our metrics: (key, metric) to forwarding.  The route in
                 ``routes`` is then the one with the lowest metric.
    ``foreign``  everything else: (key, metric) to the route.
    ``dead``     keys of our routes with a next hop that the kernel flags dead or linkdown.
    ``carried``  how many of ``routes`` have each forwarding, kept in step by ``take``; None where nobody has counted them.
    """

    routes: dict[PrefixKey, Forwarding] = field(default_factory=dict)
    extras: dict[tuple[PrefixKey, int], Forwarding] = field(default_factory=dict)
    foreign: dict[tuple[PrefixKey, int], ForeignRoute] = field(default_factory=dict)
    dead: set[PrefixKey] = field(default_factory=set)
    carried: Counter[Forwarding] | None = field(default=None, compare=False)

    def has(self, key: PrefixKey, metric: int) -> bool:
        """Say whether a route of ours stands at a prefix and metric."""
        held = self.routes.get(key)
        return (held is not None and held.metric == metric) or (key, metric) in self.extras

    def take(self, event: "RouteEvent", ownership: Ownership) -> None:
        """Take over what the kernel told; doing so again with all that was told since changes nothing."""
        key, metric, forwarding = event.key, event.metric, event.forwarding
        ours = ownership.covers(event.protocol, metric)
        if forwarding is None and ours:
            self._drop(key, metric)
        elif forwarding is None:
            self.foreign.pop((key, metric), None)
        elif ours:
            self.foreign.pop((key, metric), None)
            self._put(key, forwarding)
        else:
            self._drop(key, metric)
            self.foreign[key, metric] = ForeignRoute(event.protocol, forwarding)

    def _put(self, key: PrefixKey, value: Forwarding) -> None:
        held = self.routes.get(key)
        self.extras.pop((key, value.metric), None)
        if held is None or held.metric == value.metric:
            self.routes[key] = value
            self._carry(held, value)
        elif value.metric < held.metric:
            self.extras[key, held.metric] = held
            self.routes[key] = value
            self._carry(held, value)
        else:
            self.extras[key, value.metric] = value

    def _drop(self, key: PrefixKey, metric: int) -> None:
        held = self.routes.get(key)
        if held is None or held.metric != metric:
            self.extras.pop((key, metric), None)
            return
        del self.routes[key]
        others = sorted(found for at, found in self.extras if at == key) if self.extras else None
        if others:
            self.routes[key] = self.extras.pop((key, others[0]))
        self._carry(held, self.routes.get(key))

    def _carry(self, before: Forwarding | None, after: Forwarding | None) -> None:
        """Count one route that was, and one that is."""
        carried = self.carried
        if carried is None or before is after:
            return
        if after is not None:
            carried[after] += 1
        if before is not None:
            carried[before] -= 1
            if not carried[before]:
                del carried[before]


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface.  ``up`` is administrative, ``carrier`` is the physical state (IFF_LOWER_UP)."""

    index: int
    name: str
    up: bool
    carrier: bool
    loopback: bool

    @property
    def usable(self) -> bool:
        """True when packets can leave through it."""
        return self.up and self.carrier


class InterfaceAddress(NamedTuple):
    """An address on a link with the prefix that it makes connected.  ``address`` is packed."""

    ifindex: int
    address: Address
    prefix: Prefix


@dataclass(frozen=True, slots=True)
class Links:
    """All links and addresses of the namespace at one moment."""

    links: dict[int, Link]
    addresses: tuple[InterfaceAddress, ...]
    connected: tuple[tuple[Prefix, int], ...]
    """Connected prefixes (kernel-made on-link routes of the main table) and their link's index."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the namespace is set to, as far as it decides over traffic on our routes.

    ``is_host`` is true for the host's own namespace.  ``reverse_path`` tells per interface how the source of an IPv4 packet
    is checked (rp_filter: 0 not at all, 1 strictly, 2 loosely); an interface that is not there is left out.
    """

    is_host: bool
    reverse_path: dict[str, int]


class RouteEvent(NamedTuple):
    """The kernel changed a route in one of the watched tables.

    ``forwarding`` is None for a deletion.  ``by_us`` is true for the echo of our own write.
    """

    table: TableId
    family: Family
    key: PrefixKey
    metric: int
    protocol: int
    forwarding: Forwarding | None
    by_us: bool


class LinkEvent(NamedTuple):
    """A link or an address changed: read links again, and the tables, since IPv4 routes vanish without an event.

    ``lost``: the link is down or gone, or an address of it, so that the kernel may have taken routes away.
    """

    ifindex: int
    lost: bool = False


class RuleEvent(NamedTuple):
    """A policy rule changed: read the rules again."""

    family: Family


class OverrunEvent(NamedTuple):
    """Notifications were lost: read everything again."""

    lost: int


FibEvent = RouteEvent | LinkEvent | RuleEvent | OverrunEvent


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the kernel answers to ``ip route get``: where a packet would go now.

    ``table`` is None and ``next_hop`` empty when the kernel knows no way (``error`` then has the errno).
    """

    table: TableId | None
    gateway: Address | None
    interface: str
    source: Address | None
    matched: Prefix | None
    protocol: int
    metric: int
    error: int = 0


class Fib(Protocol):
    """Routes, rules and links of one network namespace."""

    @property
    def description(self) -> str:
        """What this is, for people: the namespace and its inode, or that it is simulated."""

    async def read(self, table: TableId, family: Family, ownership: Ownership) -> TableImage:
        """Return a complete image.  Raises DumpInterrupted after bounded attempts, FibUnavailable on a dead socket."""

    async def write(self, writes: Sequence[Write], protocol: int) -> list[WriteResult]:
        """Carry out *writes* in order, each on its own: a failing one does not stop the next.

        Shape: one result per write, same order.  Raises FibUnavailable if the outcome is unknown, FibDenied if the
        process may not write at all.
        """

    async def rules(self, protocol: int) -> frozenset[Rule]:
        """Return the rules that carry our protocol number, of both families."""

    async def foreign_rules(self, protocol: int) -> frozenset[Rule]:
        """Return all rules that do not carry it (the kernel's three, and others')."""

    async def add_rule(self, rule: Rule, protocol: int) -> WriteResult:
        """Add one rule with our mark."""

    async def delete_rule(self, rule: Rule, protocol: int) -> WriteResult:
        """Delete one rule that carries our mark."""

    async def links(self) -> Links:
        """Return links, addresses and connected prefixes."""

    async def settings(self, interfaces: Sequence[str]) -> Settings:
        """Return what the namespace is set to, for these interfaces."""

    async def lookup(self, address: Address, *, source: Address | None = None, mark: int = 0) -> Lookup:
        """Ask the kernel where a packet to *address* would go, rules included."""

    async def writable(self) -> bool:
        """True when this process may change routes here."""

    def watch(self, tables: frozenset[TableId]) -> None:
        """Report route events of these tables only; links and rules are always reported."""

    def events(self) -> AsyncIterator[list[FibEvent]]:
        """Yield lists of events as they come, never an empty list.  Ends when the FIB is closed."""

    async def told(self) -> list[FibEvent]:
        """Return the events that ``events`` has not yielded, in order, without waiting for any; it will not yield them.

        The kernel tells of a change before whoever made it has an answer: what was changed before this call is among them.
        Raises FibUnavailable when closed.
        """

    async def close(self) -> None:
        """Release sockets and threads; changes nothing in the kernel."""
