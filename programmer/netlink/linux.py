"""LinuxFib: routes, rules and links of one network namespace, behind the port ``programmer.fib.Fib``.

Two worker threads enter the namespace and open their sockets there: one writes and answers short questions,
one reads tables, which may take seconds.  While the kernel works on one batch, the next is being encoded on
the event loop.
"""

import asyncio
import contextlib
import errno
import functools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from programmer.codec import Action, DumpDecoder, Encoder
from programmer.errors import DumpInterrupted, FibDenied, FibUnavailable
from programmer.fib import (
    OK,
    FibEvent,
    ForeignRoute,
    Links,
    Lookup,
    Ownership,
    Settings,
    TableImage,
    Verb,
    Write,
    WriteResult,
)
from programmer.netlink import policy
from programmer.netlink.channel import DumpSocket, WriteSocket
from programmer.netlink.namespace import NamespaceIdentity, enter, identify_namespace
from programmer.netlink.notify import Watcher, open_watch_socket
from programmer.netlink.settings import read_reverse_path
from programmer.route import (
    MAIN_TABLE,
    Address,
    Family,
    Forwarding,
    Prefix,
    Rule,
    TableId,
    host_key,
    prefix_of,
)

T = TypeVar("T")

BATCH = 1_000
"""Most changes in one send."""
IN_FLIGHT = 4
"""Batches handed to the writing thread before the first is answered, so that it never waits for the loop."""
DUMP_ATTEMPTS = 5
"""Reads of a table before an interrupted dump is reported."""
QUIET_ATTEMPTS = 2
"""How many of them hold our own writes back, since these may be what interrupts."""
MOST_INTERNED = 500_000
"""Distinct forwardings shared between reads before the collection is started anew."""

_ACTIONS = {Verb.ADD: Action.ADD, Verb.REPLACE: Action.REPLACE, Verb.DELETE: Action.DELETE}
_RTPROT_KERNEL = 2
_PROBE_TABLE = TableId(0xFFFFFFFE)
_PROBE_PROTOCOL = 255


class LinuxFib:
    """The kernel's routes, rules and links.  Made by ``open``; belongs to the event loop it was opened on."""

    def __init__(self, identity: NamespaceIdentity) -> None:
        self.identity = identity
        self._write_thread = _thread("bgpmon-fib-write", identity)
        self._read_thread = _thread("bgpmon-fib-read", identity)
        self._write_socket: WriteSocket | None = None
        self._dump_socket: DumpSocket | None = None
        self._watcher: Watcher | None = None
        self._encoders: dict[int, Encoder[Verb]] = {}
        self._sequence = 1
        self._interned: dict[Forwarding, Forwarding] = {}
        self._writing = asyncio.Lock()
        self._closing = False

    @classmethod
    async def open(cls, namespace_path: str | None = None) -> "LinuxFib":
        """Open the kernel's tables of a namespace, by default our own if it is the host's.

        Needs no privilege as long as nothing is written.  Raises NamespaceRefused, FibUnavailable.
        """
        fib = cls(identify_namespace(namespace_path))
        try:
            fib._write_socket = await fib._write_work(WriteSocket)
            fib._dump_socket = await fib._read_work(DumpSocket)
            watched = await fib._write_work(open_watch_socket)
            fib._watcher = Watcher(watched, lambda: fib._write_socket_now().port)
        except BaseException:
            await fib.close()
            raise
        return fib

    @property
    def description(self) -> str:
        """The namespace and its inode, for people."""
        return self.identity.text

    async def read(self, table: TableId, family: Family, ownership: Ownership) -> TableImage:
        """Return a complete image; see ``Fib.read``.  The last attempts hold our own writes back."""
        if len(self._interned) > MOST_INTERNED:
            self._interned = {}
        work = functools.partial(
            self._dump_socket_now().dump,
            table,
            family,
            protocol=ownership.protocol,
            metrics=ownership.metrics,
            interned=self._interned,
            stop=lambda: self._closing,
        )
        return _image(await self._uninterrupted(work, f"{family.label} table {table}"))

    async def write(self, writes: Sequence[Write], protocol: int) -> list[WriteResult]:
        """Carry out *writes*; see ``Fib.write``.

        IPv6 groups routes by prefix and metric whatever the protocol, so another's next hop may have joined
        ours.  A DELETE that names several IPv6 next hops therefore removes these, where they carry our
        mark, and no other.
        """
        encoder = self._encoder(protocol)
        results = [OK] * len(writes)
        flying: deque[tuple[list[int], asyncio.Future[dict[int, tuple[int, str]]]]] = deque()
        try:
            for begin in range(0, len(writes), BATCH):
                async with self._writing:
                    for places, batch in self._batches(encoder, writes, range(begin, begin + BATCH), results):
                        flying.append((places, self._send(batch, len(places))))
                        while len(flying) >= IN_FLIGHT:
                            await _collect(flying, results)
            while flying:
                await _collect(flying, results)
        finally:
            await asyncio.gather(*(future for _, future in flying), return_exceptions=True)
        if any(result.errno == errno.EPERM for result in results):
            raise FibDenied(f"{self.description}: changing routes needs CAP_NET_ADMIN in that namespace")
        return results

    async def rules(self, protocol: int) -> frozenset[Rule]:
        """Return the rules with our mark; see ``Fib.rules``."""
        found = await self._write_work(policy.read_rules)
        return frozenset(rule for owner, rule in found if owner == protocol)

    async def foreign_rules(self, protocol: int) -> frozenset[Rule]:
        """Return all other rules; see ``Fib.foreign_rules``."""
        found = await self._write_work(policy.read_rules)
        return frozenset(rule for owner, rule in found if owner != protocol)

    async def add_rule(self, rule: Rule, protocol: int) -> WriteResult:
        """Add one rule with our mark."""
        return await self._write_work(lambda: policy.change_rule("add", rule, protocol))

    async def delete_rule(self, rule: Rule, protocol: int) -> WriteResult:
        """Delete one rule that carries our mark."""
        return await self._write_work(lambda: policy.change_rule("del", rule, protocol))

    async def links(self) -> Links:
        """Return links, addresses and connected prefixes; see ``Fib.links``."""
        links = await self._write_work(policy.read_links)
        addresses = await self._write_work(lambda: tuple(policy.read_addresses()))
        connected: list[tuple[Prefix, int]] = []
        for family in Family:
            work = functools.partial(
                self._dump_socket_now().dump,
                MAIN_TABLE,
                family,
                protocol=_RTPROT_KERNEL,
                metrics=frozenset(),
                only_protocol=_RTPROT_KERNEL,
                stop=lambda: self._closing,
            )
            dump = await self._uninterrupted(work, f"{family.label} connected routes")
            connected += _connected(family, dump)
        return Links(links, addresses, tuple(sorted(connected, key=_connected_order)))

    async def settings(self, interfaces: Sequence[str]) -> Settings:
        """Return what the namespace is set to; see ``Fib.settings``."""
        found = await self._read_work(lambda: read_reverse_path(interfaces))
        return Settings(self.identity.is_initial, found)

    async def lookup(self, address: Address, *, source: Address | None = None, mark: int = 0) -> Lookup:
        """Ask the kernel where a packet to *address* would go; see ``Fib.lookup``."""
        return await self._write_work(lambda: policy.look_up(address, source, mark))

    async def writable(self) -> bool:
        """True when this process may change routes here.

        A deletion of a route that nobody has is not denied.
        """
        key = host_key(bytes((192, 0, 2, 255)))
        probe = Write(Verb.DELETE, _PROBE_TABLE, Family.IPV4, key, Forwarding(0xFFFFFFFE, ()))
        try:
            await self.write([probe], _PROBE_PROTOCOL)
        except FibDenied:
            return False
        return True

    def watch(self, tables: frozenset[TableId]) -> None:
        """Report route events of these tables only; links and rules are always reported."""
        self._watcher_now().watch(tables)

    def events(self) -> AsyncIterator[list[FibEvent]]:
        """Yield lists of events; see ``Fib.events``."""
        return self._watcher_now().events()

    async def told(self) -> list[FibEvent]:
        """Return what the kernel has told by now; see ``Fib.told``."""
        return await self._watcher_now().told()

    async def close(self) -> None:
        """Release sockets and threads; changes nothing in the kernel.  May be called twice."""
        self._closing = True
        if self._watcher is not None:
            self._watcher.close()
        for thread, opened in (
            (self._write_thread, self._write_socket),
            (self._read_thread, self._dump_socket),
        ):
            with contextlib.suppress(RuntimeError):
                if opened is not None:
                    await asyncio.get_running_loop().run_in_executor(thread, opened.close)
            thread.shutdown(wait=True)
        self._write_socket = self._dump_socket = None

    def _batches(
        self, encoder: Encoder[Verb], writes: Sequence[Write], span: range, results: list[WriteResult]
    ) -> Iterator[tuple[list[int], bytes]]:
        """Yield (places, encoded messages) for a span of writes, each fit for one send.

        A write that cannot be encoded gets EINVAL and our words as its result, and does not stop the others.
        """
        places = list(span[: max(0, len(writes) - span.start)])
        try:
            batch = encoder.encode(writes[span.start : span.stop], self._sequence)
        except ValueError:
            places = [place for place in places if _encodable(encoder, writes, place, results)]
            batch = encoder.encode([writes[place] for place in places], self._sequence)
        largest = self._write_socket_now().largest
        if len(batch) <= largest:
            if places:
                yield places, batch
            return
        share = max(1, len(places) * largest // len(batch) // 2)
        for begin in range(0, len(places), share):
            part = places[begin : begin + share]
            yield part, encoder.encode([writes[place] for place in part], self._sequence)

    def _send(self, batch: bytes, count: int) -> "asyncio.Future[dict[int, tuple[int, str]]]":
        """Hand one encoded batch, numbered from ``_sequence``, to the writing thread."""
        work = functools.partial(self._write_socket_now().send, batch, self._sequence, count)
        self._sequence = (self._sequence + count) & 0xFFFFFFFF
        return asyncio.get_running_loop().run_in_executor(self._write_thread, work)

    async def _uninterrupted(self, work: Callable[[], DumpDecoder], what: str) -> DumpDecoder:
        """Run a dump until one attempt was not interrupted; raises DumpInterrupted after the last."""
        for attempt in range(DUMP_ATTEMPTS):
            quiet = attempt >= DUMP_ATTEMPTS - QUIET_ATTEMPTS
            async with self._writing if quiet else contextlib.nullcontext():
                if quiet:
                    await self._write_work(lambda: None)
                dump = await self._read_work(work)
            if not dump.interrupted:
                return dump
        raise DumpInterrupted(f"{what} of {self.description} changed during {DUMP_ATTEMPTS} reads in a row")

    def _encoder(self, protocol: int) -> Encoder[Verb]:
        """Return the encoder for one owner mark, with its prepared templates."""
        if (encoder := self._encoders.get(protocol)) is None:
            encoder = self._encoders[protocol] = Encoder(_ACTIONS, protocol)
        return encoder

    async def _write_work(self, work: Callable[[], T]) -> T:
        return await self._work(self._write_thread, work)

    async def _read_work(self, work: Callable[[], T]) -> T:
        return await self._work(self._read_thread, work)

    async def _work(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """Run *work* in one of our threads."""
        if self._closing:
            raise FibUnavailable(f"{self.description} is closed")
        return await asyncio.get_running_loop().run_in_executor(thread, work)

    def _write_socket_now(self) -> WriteSocket:
        if self._write_socket is None:
            raise FibUnavailable(f"{self.description} is closed")
        return self._write_socket

    def _dump_socket_now(self) -> DumpSocket:
        if self._dump_socket is None:
            raise FibUnavailable(f"{self.description} is closed")
        return self._dump_socket

    def _watcher_now(self) -> Watcher:
        if self._watcher is None:
            raise FibUnavailable(f"{self.description} is not open")
        return self._watcher


def _thread(name: str, identity: NamespaceIdentity) -> ThreadPoolExecutor:
    """Return a single worker thread that has entered the namespace before its first work."""
    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=enter, initargs=(identity,))


async def _collect(
    flying: "deque[tuple[list[int], asyncio.Future[dict[int, tuple[int, str]]]]]", results: list[WriteResult]
) -> None:
    """Wait for the oldest batch, and put its failures where they belong."""
    places, future = flying.popleft()
    for place, (code, words) in (await future).items():
        results[places[place]] = WriteResult(code, words)


def _encodable(encoder: Encoder[Verb], writes: Sequence[Write], place: int, results: list[WriteResult]) -> bool:
    """True if one write can be encoded; otherwise its result says why not."""
    try:
        encoder.encode([writes[place]], 0)
    except ValueError as error:
        results[place] = WriteResult(errno.EINVAL, str(error))
        return False
    return True


def _image(dump: DumpDecoder) -> TableImage:
    """Return a finished dump in the port's words."""
    foreign = {place: ForeignRoute(*route) for place, route in dump.foreign.items()}
    return TableImage(dump.routes, dump.extras, foreign, dump.dead)


def _connected(family: Family, dump: DumpDecoder) -> Iterator[tuple[Prefix, int]]:
    """Yield the on-link routes that the kernel made, with their links."""
    for (key, _), (_, forwarding) in dump.foreign.items():
        if not forwarding.foreign_attributes:
            for hop in forwarding.next_hops:
                if not hop.gateway:
                    yield prefix_of(family, key), hop.ifindex


def _connected_order(entry: tuple[Prefix, int]) -> tuple[int, bytes, int, int]:
    """Order connected prefixes by family, address, length and link."""
    prefix, index = entry
    return prefix.version, prefix.network_address.packed, prefix.prefixlen, index
