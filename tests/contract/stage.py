"""One stage, two kernels: equal links, addresses and outside actors for the real and the simulated one."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from programmer.fib import Fib, Ownership, TableImage, Verb, Write, WriteResult
from programmer.memory import MemoryFib
from programmer.netlink import LinuxFib
from programmer.route import Family, Forwarding, NextHop, Prefix, TableId, family_of, forwarding, key_of
from tests.support.netns import Namespace, namespace, require_root_namespaces, veth

OURS = 196
"""Our protocol number."""
OTHER = 99
METRIC = 200
TABLE = TableId(101)
PREFIX = "bgpm-fib-"


class Stage(Protocol):
    """A kernel with two links.

    ``east`` has 10.1.0.1/24 and 2001:db8:1::1/64, ``west`` has 10.2.0.1/24 and 2001:db8:2::1/64.
    """

    east: int
    west: int

    @property
    def fib(self) -> Fib:
        """What is tested."""

    def put(self, prefix: str, gateway: str, *, metric: int, protocol: int, table: int = TABLE) -> None:
        """Install a route as another program would."""

    def drop(self, prefix: str, *, metric: int, table: int = TABLE) -> None:
        """Delete a route as another program would."""

    def set_link(self, name: str, *, up: bool) -> None:
        """Take a link down or up."""

    def lose_carrier(self, name: str) -> None:
        """Pull the cable."""

    def add_address(self, name: str, address: str) -> None:
        """Give a link an address."""

    def remove_address(self, name: str, address: str) -> None:
        """Take an address away."""


class MemoryStage:
    """The simulated kernel."""

    def __init__(self) -> None:
        self.fib = MemoryFib()
        self.east = self.fib.add_link("east", "10.1.0.1/24", "2001:db8:1::1/64")
        self.west = self.fib.add_link("west", "10.2.0.1/24", "2001:db8:2::1/64")

    def put(self, prefix: str, gateway: str, *, metric: int, protocol: int, table: int = TABLE) -> None:
        hop = NextHop(ipaddress.ip_address(gateway).packed, 0)
        route = Forwarding(metric, (hop,))
        self.fib.put_route(TableId(table), ipaddress.ip_network(prefix), route, protocol)

    def drop(self, prefix: str, *, metric: int, table: int = TABLE) -> None:
        self.fib.drop_route(TableId(table), ipaddress.ip_network(prefix), metric)

    def set_link(self, name: str, *, up: bool) -> None:
        self.fib.set_link(name, up=up)

    def lose_carrier(self, name: str) -> None:
        self.fib.set_link(name, up=True, carrier=False)

    def add_address(self, name: str, address: str) -> None:
        self.fib.add_address(name, address)

    def remove_address(self, name: str, address: str) -> None:
        self.fib.remove_address(name, address)


class LinuxStage:
    """The real kernel, in a namespace of the test's own."""

    def __init__(self, node: Namespace, far: Namespace, fib: LinuxFib) -> None:
        self.fib = fib
        self.node = node
        self.far = far
        self.east = node.link_index("east")
        self.west = node.link_index("west")

    def put(self, prefix: str, gateway: str, *, metric: int, protocol: int, table: int = TABLE) -> None:
        words = f"route add {prefix} via {gateway} metric {metric} protocol {protocol} table {table}"
        self.node.ip(*words.split())

    def drop(self, prefix: str, *, metric: int, table: int = TABLE) -> None:
        family = "-6" if ":" in prefix else "-4"
        self.node.ip(family, *f"route del {prefix} metric {metric} table {table}".split())

    def set_link(self, name: str, *, up: bool) -> None:
        self.node.ip("link", "set", name, "up" if up else "down")

    def lose_carrier(self, name: str) -> None:
        self.far.ip("link", "set", name, "down")

    def add_address(self, name: str, address: str) -> None:
        self.node.ip("addr", "add", address, "dev", name)

    def remove_address(self, name: str, address: str) -> None:
        self.node.ip("addr", "del", address, "dev", name)


@asynccontextmanager
async def linux_stage() -> AsyncIterator[LinuxStage]:
    """Make a node, joined to another namespace by two cables, and open its kernel."""
    require_root_namespaces()
    with namespace("node", PREFIX) as node, namespace("far", PREFIX) as far:
        veth(node, far, "east", "east", ["10.1.0.1/24", "2001:db8:1::1/64"], ["10.1.0.2/24"])
        veth(node, far, "west", "west", ["10.2.0.1/24", "2001:db8:2::1/64"], ["10.2.0.2/24"])
        fib = await LinuxFib.open(str(node.path))
        try:
            fib.watch(frozenset({TABLE}))
            yield LinuxStage(node, far, fib)
        finally:
            await fib.close()


def net(prefix: str) -> Prefix:
    """Return a prefix from its text."""
    return ipaddress.ip_network(prefix)


def via(
    *gateways: str, link: int = 0, metric: int = METRIC, weights: tuple[int, ...] = (), source: str = ""
) -> Forwarding:
    """Return a route over *gateways*, all on one link."""
    weights = weights or (1,) * len(gateways)
    hops = [
        NextHop(ipaddress.ip_address(gateway).packed, link, weight)
        for gateway, weight in zip(gateways, weights, strict=True)
    ]
    return forwarding(metric, hops, ipaddress.ip_address(source).packed if source else b"")


def change(verb: Verb, prefix: str, route: Forwarding, table: int = TABLE) -> Write:
    """Return one write."""
    network = net(prefix)
    return Write(verb, TableId(table), family_of(network), key_of(network), route)


async def write(stage: Stage, *writes: Write) -> list[WriteResult]:
    """Carry out writes with our mark."""
    return await stage.fib.write(writes, OURS)


async def read(stage: Stage, family: Family = Family.IPV4, table: int = TABLE, *metrics: int) -> TableImage:
    """Read our table."""
    return await stage.fib.read(TableId(table), family, Ownership(OURS, frozenset(metrics or {METRIC})))
