"""MemoryFib: a kernel made of dictionaries, behind ``programmer.fib.Fib``; for tests and ``bgpmon demo``.

It refuses what Linux refuses, with the same errno, and forgets routes the way Linux does: IPv4 silently,
IPv6 with an event. Other actors (a person with ``ip``, another daemon, a cable that is pulled) are methods;
so are faults.
"""

import asyncio
import errno
import ipaddress
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

from programmer.codec import Action, Encoder
from programmer.errors import DumpInterrupted, FibDenied, FibUnavailable
from programmer.fib import (
    OK,
    FibEvent,
    ForeignRoute,
    InterfaceAddress,
    Link,
    LinkEvent,
    Links,
    Lookup,
    OverrunEvent,
    Ownership,
    RouteEvent,
    RuleEvent,
    Settings,
    TableImage,
    Verb,
    Write,
    WriteResult,
)
from programmer.route import (
    MAIN_TABLE,
    Address,
    Family,
    Forwarding,
    NextHop,
    Prefix,
    PrefixKey,
    Rule,
    TableId,
    covering_key,
    family_of,
    host_key,
    key_of,
    prefix_of,
)

DUMP_ATTEMPTS = 5
"""Reads of a table before an interrupted dump is reported."""
LOCAL_TABLE = TableId(255)
_RTPROT_KERNEL = 2
_NETWORK_PREFIX_METRIC = {Family.IPV4: 0, Family.IPV6: 256}
_ACTIONS = {Verb.ADD: Action.ADD, Verb.REPLACE: Action.REPLACE, Verb.DELETE: Action.DELETE}
_INVALID_GATEWAY = {
    Family.IPV4: WriteResult(errno.ENETUNREACH, "Nexthop has invalid gateway"),
    Family.IPV6: WriteResult(errno.EHOSTUNREACH, ""),
}


class _Held(NamedTuple):
    """One route in a table, and whose it is."""

    protocol: int
    forwarding: Forwarding


_Store = dict[PrefixKey, tuple[_Held, ...]]
"""All routes of one family of one table; those of one prefix by rising metric."""


class MemoryFib:
    """A simulated kernel.  Starts with loopback up, the kernel's own rules, and no routes."""

    def __init__(self, name: str = "simulated kernel") -> None:
        self._name = name
        self._stores: dict[tuple[TableId, Family], _Store] = {}
        self._links: dict[int, Link] = {}
        self._addresses: list[InterfaceAddress] = []
        self._rules: dict[Rule, int] = dict.fromkeys(_kernel_rules(), _RTPROT_KERNEL)
        self._encoders: dict[int, Encoder[Verb]] = {}
        self._tables: frozenset[TableId] = frozenset()
        self._waiting: list[FibEvent] = []
        self._ready = asyncio.Event()
        self._closed = False
        self._denied = False
        self._failures: list[WriteResult] = []
        self._interruptions = 0
        self.reverse_path: dict[str, int] = {}
        self.add_link("lo", "127.0.0.1/8", "::1/128", loopback=True)

    @property
    def description(self) -> str:
        """That this is simulated, and its name."""
        return f"{self._name} (in memory; no route of this machine is touched)"

    # ---- what the port asks for

    async def read(self, table: TableId, family: Family, ownership: Ownership) -> TableImage:
        """Return a complete image; see ``Fib.read``."""
        self._check_open()
        for _ in range(DUMP_ATTEMPTS):
            await asyncio.sleep(0)
            if not self._interruptions:
                return self._image(table, family, ownership)
            self._interruptions -= 1
        raise DumpInterrupted(f"{family.label} table {table} changed during {DUMP_ATTEMPTS} reads in a row")

    async def write(self, writes: Sequence[Write], protocol: int) -> list[WriteResult]:
        """Carry out *writes*; see ``Fib.write``."""
        self._check_open()
        if self._denied and writes:
            raise FibDenied(f"{self.description}: writing was denied")
        await asyncio.sleep(0)
        return [self._write(write, protocol) for write in writes]

    async def rules(self, protocol: int) -> frozenset[Rule]:
        """Return the rules with our mark."""
        return frozenset(rule for rule, owner in self._rules.items() if owner == protocol)

    async def foreign_rules(self, protocol: int) -> frozenset[Rule]:
        """Return all other rules."""
        return frozenset(rule for rule, owner in self._rules.items() if owner != protocol)

    async def add_rule(self, rule: Rule, protocol: int) -> WriteResult:
        """Add one rule with our mark."""
        if rule in self._rules:
            return WriteResult(errno.EEXIST)
        self._rules[rule] = protocol
        self._emit(RuleEvent(rule.family))
        return OK

    async def delete_rule(self, rule: Rule, protocol: int) -> WriteResult:
        """Delete one rule that carries our mark."""
        if self._rules.get(rule) != protocol:
            return WriteResult(errno.ENOENT)
        del self._rules[rule]
        self._emit(RuleEvent(rule.family))
        return OK

    async def links(self) -> Links:
        """Return links, addresses and connected prefixes."""
        return Links(dict(self._links), tuple(self._addresses), tuple(sorted(self._connected(), key=_order)))

    async def settings(self, interfaces: Sequence[str]) -> Settings:
        """Return what ``reverse_path`` says of those interfaces that are there."""
        there = {link.name for link in self._links.values()}
        return Settings(
            is_host=False, reverse_path={name: self.reverse_path.get(name, 0) for name in interfaces if name in there}
        )

    async def lookup(self, address: Address, *, source: Address | None = None, mark: int = 0) -> Lookup:
        """Walk the rules by priority, and in each table take the longest match of the lowest metric."""
        family = family_of(address)
        for rule in sorted(self._rules, key=lambda rule: rule.priority):
            if rule.family is not family or rule.interface or not _selects(rule, address, source, mark):
                continue
            if (found := self._longest_match(rule.table, address)) is not None:
                return found
        return Lookup(None, None, "", None, None, 0, 0, errno.ENETUNREACH)

    async def writable(self) -> bool:
        """True unless ``deny`` was called."""
        return not self._denied

    def watch(self, tables: frozenset[TableId]) -> None:
        """Report route events of these tables only."""
        self._tables = tables

    async def events(self) -> AsyncIterator[list[FibEvent]]:
        """Yield lists of events; ends when closed."""
        while not self._closed:
            await self._ready.wait()
            self._ready.clear()
            if self._waiting:
                events, self._waiting = self._waiting, []
                yield events

    async def told(self) -> list[FibEvent]:
        """Return what waits; see ``Fib.told``."""
        self._check_open()
        await asyncio.sleep(0)
        events, self._waiting = self._waiting, []
        return events

    async def close(self) -> None:
        """End ``events``; the routes stay."""
        self._closed = True
        self._ready.set()

    # ---- other actors

    def add_link(self, name: str, *addresses: str, loopback: bool = False) -> int:
        """Add a link that is up, with addresses such as ``10.1.0.1/24``; return its index."""
        index = max(self._links, default=0) + 1
        self._links[index] = Link(index, name, up=True, carrier=True, loopback=loopback)
        self._emit(LinkEvent(index))
        for address in addresses:
            self.add_address(name, address)
        return index

    def set_link(self, name: str, *, up: bool = True, carrier: bool = True) -> None:
        """Change a link's state.  Taking it down takes the routes through it away."""
        index = self._index_of(name)
        was_up, loopback = self._links[index].up, self._links[index].loopback
        self._links[index] = Link(index, name, up=up, carrier=up and carrier, loopback=loopback)
        self._emit(LinkEvent(index, lost=not up))
        if was_up and not up:
            for family in Family:
                self._forget(family)

    def add_address(self, name: str, address: str) -> None:
        """Give a link an address such as ``10.1.0.1/24``."""
        interface = ipaddress.ip_interface(address)
        index = self._index_of(name)
        self._addresses.append(InterfaceAddress(index, interface.ip, interface.network))
        self._emit(LinkEvent(index))

    def remove_address(self, name: str, address: str) -> None:
        """Take an address away.

        IPv4 routes go with it whose link has no IPv4 address left, and those of the main table that prefer
        it as source (in other tables they stay).  IPv6 routes stay, and forget their preferred source.
        """
        interface = ipaddress.ip_interface(address)
        index = self._index_of(name)
        self._addresses.remove(InterfaceAddress(index, interface.ip, interface.network))
        self._emit(LinkEvent(index, lost=True))
        family = family_of(interface.ip)
        if family is Family.IPV4:
            self._forget(family, interface.ip.packed)
        else:
            self._forget_source(interface.ip.packed)

    def put_route(self, table: TableId, prefix: Prefix, forwarding: Forwarding, protocol: int) -> None:
        """Install a route as another actor would, whatever is there at that metric."""
        family, key = family_of(prefix), key_of(prefix)
        self._put(table, family, key, _Held(protocol, self._stored(family, forwarding)), by_us=False)

    def drop_route(self, table: TableId, prefix: Prefix, metric: int) -> None:
        """Delete a route as another actor would; raises KeyError if there is none."""
        family, key = family_of(prefix), key_of(prefix)
        for held in self._store(table, family).get(key, ()):
            if held.forwarding.metric == metric:
                self._drop(table, family, key, held, by_us=False)
                return
        raise KeyError(f"{prefix} metric {metric} is not in table {table}")

    # ---- faults

    def fail_writes(self, count: int, code: int, message: str = "") -> None:
        """Let the next *count* writes fail with errno *code*."""
        self._failures += [WriteResult(code, message)] * count

    def interrupt_reads(self, count: int) -> None:
        """Let the next *count* attempts to read a table be interrupted; one read makes up to five."""
        self._interruptions += count

    def overrun(self, lost: int) -> None:
        """Lose all waiting notifications, and say so."""
        self._waiting.clear()
        self._emit(OverrunEvent(lost))

    def deny(self) -> None:
        """Take the right to write away."""
        self._denied = True

    # ---- inside

    def _check_open(self) -> None:
        if self._closed:
            raise FibUnavailable(f"{self.description} is closed")

    def _store(self, table: TableId, family: Family) -> _Store:
        return self._stores.setdefault((table, family), {})

    def _index_of(self, name: str) -> int:
        """Return a link's index; raises KeyError if there is none of that name."""
        for link in self._links.values():
            if link.name == name:
                return link.index
        raise KeyError(f"there is no link {name!r}")

    def _emit(self, event: FibEvent) -> None:
        if not isinstance(event, RouteEvent) or event.table in self._tables:
            self._waiting.append(event)
            self._ready.set()

    def _image(self, table: TableId, family: Family, ownership: Ownership) -> TableImage:
        """Sort the routes of a table by owner, as ``TableImage`` says."""
        image = TableImage()
        held_routes = self._store(table, family).items()
        for key, protocol, forwarding in ((key, *held) for key, routes in held_routes for held in routes):
            if not ownership.covers(protocol, forwarding.metric):
                image.foreign[key, forwarding.metric] = ForeignRoute(protocol, forwarding)
                continue
            if key in image.routes:
                image.extras[key, forwarding.metric] = forwarding
            else:
                image.routes[key] = forwarding
            if not all(self._links[hop.ifindex].usable for hop in forwarding.next_hops):
                image.dead.add(key)
        return image

    def _write(self, write: Write, protocol: int) -> WriteResult:
        """Carry out one change."""
        if self._failures:
            return self._failures.pop(0)
        try:
            self._encoders.setdefault(protocol, Encoder(_ACTIONS, protocol)).encode([write], 0)
        except ValueError as error:
            return WriteResult(errno.EINVAL, str(error))
        there = next(
            (
                held
                for held in self._store(write.table, write.family).get(write.key, ())
                if held.forwarding.metric == write.forwarding.metric
            ),
            None,
        )
        if write.verb is Verb.DELETE:
            return self._delete(write, protocol, there)
        stored = self._stored(write.family, write.forwarding)
        if (refusal := self._refusal(write.family, stored)) is not None:
            return refusal
        if write.verb is Verb.ADD and there is not None:
            return WriteResult(errno.EEXIST)
        if write.verb is Verb.REPLACE and there is None:
            return WriteResult(errno.ENOENT)
        self._put(write.table, write.family, write.key, _Held(protocol, stored), by_us=True)
        return OK

    def _delete(self, write: Write, protocol: int, there: _Held | None) -> WriteResult:
        """Delete a route of ours; of an IPv6 group only the next hops that were named, if several were."""
        if there is None or there.protocol != protocol:
            return WriteResult(errno.ESRCH)
        named = set(self._stored(write.family, write.forwarding).next_hops)
        left = tuple(hop for hop in there.forwarding.next_hops if hop not in named)
        grouped = write.family is Family.IPV6 and len(named) > 1
        if not grouped or not left:
            self._drop(write.table, write.family, write.key, there, by_us=True)
        else:
            rest = there._replace(forwarding=there.forwarding._replace(next_hops=left))
            self._put(write.table, write.family, write.key, rest, by_us=True)
        missing = grouped and not named <= set(there.forwarding.next_hops)
        return WriteResult(errno.ESRCH) if missing else OK

    def _stored(self, family: Family, forwarding: Forwarding) -> Forwarding:
        """Return what the kernel stores: links filled in, no weight on a single next hop."""
        hops = [
            hop if hop.ifindex else hop._replace(ifindex=self._link_toward(family, hop)) for hop in forwarding.next_hops
        ]
        if len(hops) == 1:
            hops = [hops[0]._replace(weight=1)]
        return forwarding._replace(next_hops=tuple(sorted(hops)))

    def _link_toward(self, family: Family, hop: NextHop) -> int:
        """Return the link on which a gateway is connected, or 0."""
        address = hop.address
        if address is None or (address.version == 6 and address.is_link_local):
            return 0
        return next((index for prefix, index in self._connected() if _covers(prefix, address)), 0)

    def _refusal(self, family: Family, forwarding: Forwarding) -> WriteResult | None:
        """Return why the kernel would not take a route, or None."""
        for hop in forwarding.next_hops:
            link = self._links.get(hop.ifindex)
            if link is None:
                return _INVALID_GATEWAY[family] if not hop.ifindex else WriteResult(errno.ENODEV)
            if not link.up:
                return WriteResult(errno.ENETDOWN, "Nexthop device is not up")
            if hop.address is not None and not self._on_link(hop.address, hop.ifindex):
                return _INVALID_GATEWAY[family]
        source = forwarding.preferred_source
        if source and all(entry.address.packed != source for entry in self._addresses):
            return WriteResult(errno.EINVAL, "Invalid source address")
        return None

    def _on_link(self, gateway: Address, ifindex: int) -> bool:
        """True when a gateway is connected on that very link; link-local ones are on every link."""
        if gateway.version == 6 and gateway.is_link_local:
            return True
        return any(index == ifindex and _covers(prefix, gateway) for prefix, index in self._connected())

    def _connected(self) -> Iterator[tuple[Prefix, int]]:
        """Yield the prefixes that links which are up make connected."""
        for index, _, prefix in self._addresses:
            link = self._links[index]
            if link.up and not link.loopback and prefix.prefixlen < prefix.max_prefixlen:
                yield prefix, index

    def _put(self, table: TableId, family: Family, key: PrefixKey, held: _Held, *, by_us: bool) -> None:
        """Store a route in the place of its metric, and tell."""
        store = self._store(table, family)
        metric = held.forwarding.metric
        others = [other for other in store.get(key, ()) if other.forwarding.metric != metric]
        store[key] = tuple(sorted([*others, held], key=lambda route: route.forwarding.metric))
        self._emit(RouteEvent(table, family, key, metric, held.protocol, held.forwarding, by_us))

    def _drop(
        self,
        table: TableId,
        family: Family,
        key: PrefixKey,
        held: _Held,
        *,
        by_us: bool,
        silent: bool = False,
    ) -> None:
        """Remove a route, and tell unless the kernel would not."""
        store = self._store(table, family)
        if left := tuple(other for other in store[key] if other is not held):
            store[key] = left
        else:
            del store[key]
        if not silent:
            self._emit(RouteEvent(table, family, key, held.forwarding.metric, held.protocol, None, by_us))

    def _forget(self, family: Family, gone_source: bytes = b"") -> None:
        """Remove the routes whose next hops are all lost, or whose preferred source is gone."""
        addressed = {entry.ifindex for entry in self._addresses if family_of(entry.address) is family}
        for (table, own_family), store in self._stores.items():
            if own_family is not family:
                continue
            lost = [
                (key, held)
                for key, routes in store.items()
                for held in routes
                if (table == MAIN_TABLE and gone_source and held.forwarding.preferred_source == gone_source)
                or all(self._lost(family, hop, addressed) for hop in held.forwarding.next_hops)
            ]
            for key, held in lost:
                self._drop(table, family, key, held, by_us=False, silent=family is Family.IPV4)

    def _forget_source(self, gone: bytes) -> None:
        """Take a lost address out of the IPv6 routes that preferred it."""
        for (_, family), store in self._stores.items():
            if family is Family.IPV6:
                for key, routes in store.items():
                    if any(held.forwarding.preferred_source == gone for held in routes):
                        store[key] = tuple(_without_source(held, gone) for held in routes)

    def _lost(self, family: Family, hop: NextHop, addressed: set[int]) -> bool:
        """True when a next hop cannot come back by itself: link down, or without any IPv4 address."""
        return not self._links[hop.ifindex].up or (family is Family.IPV4 and hop.ifindex not in addressed)

    def _longest_match(self, table: TableId, address: Address) -> Lookup | None:
        """Return where one table sends an address, or None."""
        if table == LOCAL_TABLE:
            return self._local_match(address)
        family, key = family_of(address), host_key(address.packed)
        store = self._store(table, family)
        connected = dict(reversed(list(self._connected()))) if table == MAIN_TABLE else {}
        for length in range(family.bits, -1, -1):
            covering = covering_key(key, length)
            prefix = prefix_of(family, covering)
            if (index := connected.get(prefix)) is not None:
                metric = _NETWORK_PREFIX_METRIC[family]
                return self._way(table, prefix, NextHop(b"", index), b"", (_RTPROT_KERNEL, metric))
            for protocol, forwarding in store.get(covering, ()):
                for hop in forwarding.next_hops:
                    if self._links[hop.ifindex].usable:
                        owner = (protocol, forwarding.metric)
                        return self._way(table, prefix, hop, forwarding.preferred_source, owner)
        return None

    def _local_match(self, address: Address) -> Lookup | None:
        """Return the answer for one of our own addresses."""
        for entry in self._addresses:
            if entry.address == address:
                host = prefix_of(family_of(address), host_key(address.packed))
                return self._way(LOCAL_TABLE, host, NextHop(b"", 1), address.packed, (_RTPROT_KERNEL, 0))
        return None

    def _way(self, table: TableId, matched: Prefix, hop: NextHop, source: bytes, owner: tuple[int, int]) -> Lookup:
        """Return a found way; *owner* is (protocol, metric) of its route."""
        chosen: Address | None = ipaddress.ip_address(source) if source else None
        if chosen is None:
            own = (entry for entry in self._addresses if entry.ifindex == hop.ifindex)
            chosen = next((e.address for e in own if e.address.version == matched.version), None)
        return Lookup(table, hop.address, self._links[hop.ifindex].name, chosen, matched, *owner)


def _without_source(held: _Held, gone: bytes) -> _Held:
    """Return a route that no longer prefers *gone* as its source."""
    if held.forwarding.preferred_source != gone:
        return held
    return held._replace(forwarding=held.forwarding._replace(preferred_source=b""))


def _kernel_rules() -> Iterator[Rule]:
    """Yield the rules that the kernel makes itself."""
    for family in Family:
        yield Rule(family, 0, LOCAL_TABLE)
        yield Rule(family, 32766, MAIN_TABLE)
    yield Rule(Family.IPV4, 32767, TableId(253))


def _selects(rule: Rule, address: Address, source: Address | None, mark: int) -> bool:
    """True when a rule applies to a packet."""
    if rule.destination is not None and not _covers(rule.destination, address):
        return False
    if rule.source is not None and (source is None or not _covers(rule.source, source)):
        return False
    return mark & rule.mask == rule.mark & rule.mask


def _covers(prefix: Prefix, address: Address) -> bool:
    """True when an address of either family lies in a prefix."""
    return prefix.version == address.version and address in prefix


def _order(entry: tuple[Prefix, int]) -> tuple[int, bytes, int, int]:
    """Order connected prefixes by family, address, length and link."""
    prefix, index = entry
    return prefix.version, prefix.network_address.packed, prefix.prefixlen, index
