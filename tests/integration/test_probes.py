"""Probes run in this process and leave from the node's namespace: what the router sees of them, and what they see."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from monitor.change.probe import ProbeConfig, ProbeKind, Result
from monitor.probe.run import Prober
from programmer.errors import FibUnavailable
from programmer.netlink import NamespaceOpener, NamespaceSockets, identify_namespace
from programmer.netlink.namespace import OWN_PATH
from programmer.route import Address, Family
from tests.support.netns import Namespace, namespace, veth
from tests.support.wait import until

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

NODE, NODE6 = ipaddress.ip_address("10.20.0.1"), ipaddress.ip_address("2001:db8:20::1")
SOURCE, SOURCE6 = ipaddress.ip_address("10.20.7.7"), ipaddress.ip_address("2001:db8:27::7")
"""Addresses of the node that its packets get only where a probe asks for them."""
ROUTER, ROUTER6 = ipaddress.ip_address("10.20.0.2"), ipaddress.ip_address("2001:db8:20::2")
SILENT, SILENT6 = ipaddress.ip_address("10.99.0.1"), ipaddress.ip_address("2001:db8:99::1")
"""Behind the router, which throws the packets away."""
REFUSED, REFUSED6 = ipaddress.ip_address("10.99.0.2"), ipaddress.ip_address("2001:db8:99::2")
"""Behind the router, which says that they are unreachable."""
EVERYBODY, NOBODY = "0 2147483647", "1 0"
"""Values of net.ipv4.ping_group_range."""
LONG, SHORT = 30.0, 0.3
HTTP_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Network:
    """A node and its router, a port of the router that answers HTTP over each family, and who came to it."""

    node: Namespace
    router: Namespace
    prober: Prober
    opener: NamespaceOpener
    port: int = 0
    port6: int = 0
    seen: list[str] = field(default_factory=list)

    async def look(self, kind: ProbeKind, target: str, source: Address | None = None, **changes: Any) -> Result:
        probe = ProbeConfig(name="p", kind=kind, target=target, **{"timeout": LONG} | changes)
        return await self.prober.measure(probe, source)

    async def tcp(self, address: Address, port: int, source: Address | None = None, **changes: Any) -> Result:
        return await self.look(ProbeKind.TCP, place(address, port), source, **changes)

    async def icmp(self, address: Address, source: Address | None = None, **changes: Any) -> Result:
        return await self.look(ProbeKind.ICMP, str(address), source, **changes)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.append(writer.get_extra_info("peername")[0])
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HTTP_OK)
            await writer.drain()
        writer.close()


def place(address: Address, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def sockets_open() -> int:
    """Count the sockets of this process."""
    links = (file for file in Path("/proc/self/fd").iterdir() if file.is_symlink())
    return sum(str(target).startswith("socket:") for target in map(_target, links))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # the one that the listing itself used
        return ""


@pytest.fixture
def cable(root_namespaces: None) -> Iterator[tuple[Namespace, Namespace]]:
    with namespace("node") as node, namespace("router") as router:
        ends = [f"{NODE}/24", f"{NODE6}/64"], [f"{ROUTER}/24", f"{ROUTER6}/64"]
        veth(node, router, "uplink", "eth0", *ends)
        for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            router.sysctl(setting, 1)
        for limit in ("net.ipv4.icmp_ratelimit", "net.ipv6.icmp.ratelimit"):
            router.sysctl(limit, 0)
        for family, source, silent, refused, via, back in (
            ("-4", SOURCE, SILENT, REFUSED, ROUTER, NODE),
            ("-6", SOURCE6, SILENT6, REFUSED6, ROUTER6, NODE6),
        ):
            node.ip(family, "addr", "add", f"{source}", "dev", "lo")
            node.ip(family, "route", "add", "default", "via", f"{via}", "dev", "uplink", "src", f"{back}")
            router.ip(family, "route", "add", f"{source}", "via", f"{back}", "dev", "eth0")
            router.ip(family, "route", "add", "blackhole", f"{silent}")
            router.ip(family, "route", "add", "unreachable", f"{refused}")
        yield node, router


@pytest.fixture
async def network(cable: tuple[Namespace, Namespace]) -> AsyncIterator[Network]:
    node, router = cable
    opener = NamespaceOpener(identify_namespace(str(node.path)))
    there = NamespaceSockets(identify_namespace(str(router.path)))
    network = Network(node, router, Prober(opener, lambda _: (0, 0, "")), opener)
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for address in (ROUTER, ROUTER6):
            server = await asyncio.start_server(network.answer, sock=await there.listen((address, 0)))
            await stack.enter_async_context(server)
            ports.append(server.sockets[0].getsockname()[1])
        network.port, network.port6 = ports
        yield network
    await there.close()
    await opener.close()


@pytest.mark.parametrize(("source", "seen"), [(None, NODE), (SOURCE, SOURCE)])
async def test_the_router_sees_the_source_address_that_was_told(
    network: Network, source: Address | None, seen: Address
) -> None:
    assert (await network.tcp(ROUTER, network.port, source)).text == "connected"
    target = f"http://{ROUTER}:{network.port}/"
    assert (await network.look(ProbeKind.HTTP, target, source)).text == "HTTP 200"
    await until(lambda: network.seen == [str(seen)] * 2, what="the router to see both")


async def test_over_ipv6_too(network: Network) -> None:
    assert (await network.tcp(ROUTER6, network.port6, SOURCE6)).text == "connected"
    target = f"http://[{ROUTER6}]:{network.port6}/"
    assert (await network.look(ProbeKind.HTTP, target, SOURCE6)).text == "HTTP 200"
    await until(lambda: network.seen == [str(SOURCE6)] * 2, what="the router to see both")


@pytest.mark.parametrize(("groups", "kind"), [(EVERYBODY, socket.SOCK_DGRAM), (NOBODY, socket.SOCK_RAW)])
@pytest.mark.parametrize(
    ("family", "target", "node", "source"),
    [(Family.IPV4, ROUTER, NODE, SOURCE), (Family.IPV6, ROUTER6, NODE6, SOURCE6)],
)
async def test_echo_requests_are_answered_over_either_socket(
    network: Network, groups: str, kind: int, family: Family, target: Address, node: Address, source: Address
) -> None:
    network.node.sysctl("net.ipv4.ping_group_range", groups)
    with await network.opener.echo(family) as opened:
        assert opened.type == kind
        assert not opened.getblocking()
    looks = [network.icmp(target) for _ in range(5)]
    for result in await asyncio.gather(*looks):
        assert (result.ok, result.text) == (True, "echo reply")
        assert 0 < result.seconds < LONG
    # From now on the router's replies reach the source address only.
    network.router.ip("route", "add", "blackhole", f"{node}")
    assert (await network.icmp(target, source)).ok
    assert (await network.icmp(target, timeout=SHORT)).text == "timed out after 0.3 s"


@pytest.mark.parametrize(("silent", "refused"), [(SILENT, REFUSED), (SILENT6, REFUSED6)])
@pytest.mark.parametrize("groups", [EVERYBODY, NOBODY])
async def test_a_black_hole_times_out_and_an_unreachable_target_fails_at_once(
    network: Network, silent: Address, refused: Address, groups: str
) -> None:
    network.node.sysctl("net.ipv4.ping_group_range", groups)
    for result in (await network.tcp(silent, 443, timeout=SHORT), await network.icmp(silent, timeout=SHORT)):
        assert (result.ok, result.seconds, result.text) == (False, 0.0, "timed out after 0.3 s")
    for result in (await network.tcp(refused, 443), await network.icmp(refused)):
        assert not result.ok
        assert result.text in {"no route to host", "network is unreachable"}


@pytest.mark.parametrize(
    ("route", "text"),
    [
        ("unreachable", "no route to host"),
        ("prohibit", "permission denied (the route is a prohibit one, or a filter on this node said no)"),
        ("blackhole", "invalid argument (the route is a blackhole, or a link-local address has no `interface`)"),
    ],
)
@pytest.mark.parametrize("target", [ROUTER, ROUTER6])
async def test_what_a_route_of_the_node_says_is_told(network: Network, route: str, text: str, target: Address) -> None:
    network.node.ip("route", "add", route, f"{target}", "metric", "1")
    for result in (await network.tcp(target, 443), await network.icmp(target)):
        assert not result.ok
        assert result.text == text


async def test_a_target_without_a_route_fails_at_once(network: Network) -> None:
    network.node.ip("route", "del", "default")
    assert (await network.tcp(SILENT, 443)).text == "network is unreachable"
    assert (await network.icmp(SILENT)).text == "network is unreachable"


async def test_a_closed_port_refuses(network: Network) -> None:
    assert (await network.tcp(ROUTER, 9)).text == "connection refused"
    assert (await network.look(ProbeKind.HTTP, f"http://{ROUTER}:9/")).text == "connection refused"


async def test_the_mark_and_the_interface_choose_the_way(network: Network) -> None:
    network.node.ip("rule", "add", "fwmark", 7, "lookup", 77)
    network.node.ip("route", "add", "unreachable", "default", "table", 77)
    assert (await network.tcp(ROUTER, network.port)).ok
    assert (await network.tcp(ROUTER, network.port, mark=8)).ok
    assert (await network.tcp(ROUTER, network.port, mark=7)).text == "no route to host"
    assert (await network.icmp(ROUTER, mark=7)).text == "no route to host"
    assert (await network.icmp(ROUTER, interface="uplink")).ok
    assert (await network.tcp(ROUTER, network.port, interface="uplink")).ok
    assert not (await network.tcp(ROUTER, network.port, interface="lo", timeout=SHORT)).ok
    assert (await network.tcp(ROUTER, 9, interface="absent")).text == "interface absent: no such device"


async def test_a_link_local_target_is_reached_by_its_interface(network: Network) -> None:
    (shown,) = [word for word in network.router.ip("-6", "addr", "show", "eth0").split() if word.startswith("fe80:")]
    target = ipaddress.ip_interface(shown).ip
    assert (await network.icmp(target, interface="uplink")).text == "echo reply"
    assert "has no `interface`" in (await network.icmp(target)).text


async def test_nothing_leaves_from_the_namespace_of_this_process(network: Network) -> None:
    """A port on our own loopback is out of reach, and so is an address that only we have."""
    own = Path(OWN_PATH).stat().st_ino
    with socket.create_server(("127.0.0.1", 0)) as here:
        here.setblocking(False)
        port = here.getsockname()[1]
        assert (await network.tcp(ipaddress.ip_address("127.0.0.1"), port)).text == "connection refused"
        assert (await network.look(ProbeKind.HTTP, f"http://127.0.0.1:{port}/")).text == "connection refused"
        with pytest.raises(BlockingIOError):
            here.accept()
    assert Path(OWN_PATH).stat().st_ino == own
    assert await asyncio.to_thread(lambda: Path("/proc/thread-self/ns/net").stat().st_ino) == own
    with await network.opener.stream(Family.IPV4, source=SOURCE) as opened:
        assert opened.getsockname()[0] == str(SOURCE)
        with socket.socket() as ours, pytest.raises(OSError, match="assign"):
            ours.bind((str(SOURCE), 0))


async def test_every_socket_is_closed_whatever_a_look_saw(network: Network) -> None:
    def probe(kind: ProbeKind, target: str, timeout: float = LONG, **changes: Any) -> tuple[ProbeConfig, None]:
        return ProbeConfig(name=target, kind=kind, target=target, timeout=timeout, **changes), None

    probes = [
        probe(ProbeKind.TCP, place(ROUTER, network.port)),
        probe(ProbeKind.TCP, place(ROUTER, 9)),
        probe(ProbeKind.TCP, place(SILENT, 9), SHORT),
        probe(ProbeKind.TCP, place(REFUSED6, 9)),
        probe(ProbeKind.TCP, place(ROUTER, 9), source=SILENT),
        probe(ProbeKind.ICMP, str(ROUTER6)),
        probe(ProbeKind.ICMP, str(SILENT), SHORT),
        probe(ProbeKind.ICMP, str(REFUSED)),
        probe(ProbeKind.ICMP, str(ROUTER), interface="absent"),
        probe(ProbeKind.HTTP, f"http://[{ROUTER6}]:{network.port6}/"),
        probe(ProbeKind.HTTP, f"http://{ROUTER}:{network.port}/", statuses=(500, 599)),
        probe(ProbeKind.HTTP, f"http://{SILENT}/", SHORT),
        probe(ProbeKind.HTTP, f"https://{ROUTER}:{network.port}/", SHORT),
        probe(ProbeKind.HTTP, f"http://{ROUTER}:{network.port}/", host="a\r\nb"),
    ]
    before = sockets_open()
    results = await network.prober.measure_all(probes)
    assert [result.ok for result in results] == [
        *(True, False, False, False, False),
        *(True, False, False, False),
        *(True, False, False, False, False),
    ], results
    await until(lambda: sockets_open() == before, what="every socket to be closed")


async def test_a_namespace_that_was_removed_before_the_first_look_is_told(root_namespaces: None) -> None:
    with namespace("gone") as gone:
        opener = NamespaceOpener(identify_namespace(str(gone.path)))
    prober = Prober(opener, lambda _: (0, 0, ""))
    result = await prober.measure(ProbeConfig(name="p", kind=ProbeKind.ICMP, target=str(ROUTER)))
    assert (result.ok, result.text) == (False, f"{gone.path}: No such file or directory")
    await opener.close()
    with pytest.raises(FibUnavailable, match="no more sockets are opened"):
        await opener.stream(Family.IPV4)
