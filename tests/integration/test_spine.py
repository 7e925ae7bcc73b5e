"""The whole way, with real processes: a router announces, gobgpd tells, bgpmon writes, the kernel forwards."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import pytest

from lab.routes import Announcement
from tests.support.bgpmon import PROGRAM, Bgpmon, running_bgpmon
from tests.support.daemon import Daemon, require_programs
from tests.support.gobgpd import VERSIONS, Gobgpd, Neighbor, running_gobgpd
from tests.support.netns import Namespace, namespace, veth
from tests.support.ping import pinging
from tests.support.router import Bird, BirdPeer, running_bird
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
EAST, TWIN, WEST = "192.0.2.2", "203.0.113.2", "198.51.100.2"
"""Two routers of one domain, and the router of the other one."""
DEFAULT = "default via 198.51.100.254 dev west proto static metric 50"
"""The node's own default route; nobody answers there, so what it carries is lost."""
NET, OTHER, TARGET = "10.8.0.0/24", "10.8.9.0/24", "10.8.0.1"
STATIC = "4"
"""linux/rtnetlink.h: RTPROT_STATIC, as `ip -N` writes it."""
NET_ADMIN = 1 << 12
"""linux/capability.h: CAP_NET_ADMIN."""


def configuration(socket: str, netns: Path, mode: str = "auto") -> str:
    """Two domains of one gobgpd, each with its own table and a rule that leads there."""
    return f"""\
node: node-1
mode: {mode}
netns: {netns}
sources:
  fabric: {{gobgp: "{socket}"}}
domains:
  east:
    source: fabric
    peers: [{EAST}, {TWIN}]
    interfaces: [east, twin]
    table: 101
    families: [ipv4]
    multipath: 2
    default_route: accept
    end_of_rib_wait: 3s
    removal_budget: {{percent: 100, routes: 1000}}
    import: [accept: any]
    rules: [{{to: 10.8.0.0/16, priority: 1000}}]
  west:
    source: fabric
    peers: [{WEST}]
    interfaces: [west]
    table: 102
    families: [ipv4]
    default_route: accept
    end_of_rib_wait: 3s
    removal_budget: {{percent: 100, routes: 1000}}
    import: [accept: any]
    rules: [{{to: 10.9.0.0/16, priority: 1100}}]
"""


@dataclass(frozen=True, slots=True)
class Wires:
    """The node and the three namespaces of its routers, joined by cables."""

    node: Namespace
    east: Namespace
    twin: Namespace
    west: Namespace


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that runs but bgpmon."""

    wires: Wires
    directory: Path
    gobgpd: Gobgpd
    east: Bird
    west: Bird

    @property
    def node(self) -> Namespace:
        """The namespace whose tables are programmed."""
        return self.wires.node

    def configuration(self, mode: str = "auto") -> str:
        """bgpmon's configuration here."""
        return configuration(self.gobgpd.target, self.node.path, mode)

    def table(self, number: int) -> dict[str, dict[str, Any]]:
        """A kernel table by destination, protocols as numbers; empty where it does not exist yet."""
        done = self.node.run("ip", "-N", "-j", "route", "show", "table", str(number), check=False)
        return {route["dst"]: route for route in json.loads(done.stdout or "[]")}

    async def gains(self, number: int, prefix: str, *gateways: str) -> None:
        """Wait until our route to *prefix* leads to exactly these gateways."""

        def there() -> bool:
            route = self.table(number).get(prefix, {})
            hops = route.get("nexthops", [route])
            found = sorted(hop.get("gateway", "") for hop in hops)
            assert (found, route.get("protocol")) == (sorted(gateways), "196"), route
            return True

        await until(there, timeout=30, what=f"{prefix} via {gateways} in table {number}")

    async def loses(self, number: int, prefix: str) -> None:
        """Wait until a table has no route to *prefix*."""
        await until(lambda: prefix not in self.table(number), timeout=30, what=f"{prefix} to leave {number}")


@pytest.fixture
def wires(root_namespaces: None) -> Iterator[Wires]:
    """Cables between a node and three routers; the addresses that are pinged lie on the routers' loopback."""
    prefix = "bgpm-e2e-"
    with (
        namespace("node", prefix) as node,
        namespace("east", prefix) as east,
        namespace("twin", prefix) as twin,
        namespace("west", prefix) as west,
    ):
        veth(node, east, "east", "eth0", ["192.0.2.1/24"], [f"{EAST}/24"])
        veth(node, twin, "twin", "eth0", ["203.0.113.1/24"], [f"{TWIN}/24"])
        veth(node, west, "west", "eth0", ["198.51.100.1/24"], [f"{WEST}/24"])
        east.ip("addr", "add", f"{TARGET}/32", "dev", "lo")
        node.ip("route", "add", *DEFAULT.split())
        yield Wires(node, east, twin, west)


@asynccontextmanager
async def site(
    version: str,
    directory: Path,
    wires: Wires,
    east: Sequence[str] = (NET,),
    west: Sequence[str] = (),
    *,
    twin: bool = False,
) -> AsyncIterator[Site]:
    """A gobgpd in the node with a session to one router of each domain, and on demand one for the twin."""
    sessions = [(EAST, 65001), (WEST, 65002), *([(TWIN, 65001)] if twin else [])]
    neighbors = [Neighbor(address=address, asn=asn) for address, asn in sessions]
    async with (
        running_gobgpd(version, directory / "g", namespace=wires.node, neighbors=neighbors, listen_only=True) as gobgpd,
        router(directory / "e", wires.east, 65001, EAST, "192.0.2.1", east) as first,
        router(directory / "w", wires.west, 65002, WEST, "198.51.100.1", west) as second,
    ):
        await gobgpd.peers_established(EAST, WEST)
        yield Site(wires, directory, gobgpd, first, second)


@asynccontextmanager
async def router(
    directory: Path, where: Namespace, asn: int, address: str, node: str, routes: Sequence[str]
) -> AsyncIterator[Bird]:
    """A BIRD that announces *routes* with itself as the next hop."""
    peer = BirdPeer(name="node", address=node, asn=65000, local_address=address)
    async with running_bird(directory, where, asn=asn, router_id=address, peers=[peer], routes=routes) as bird:
        yield bird


class Watch(Daemon):
    """What the kernel tells of routes and rules, from the first line on."""

    def lines(self) -> list[str]:
        """Everything but the marks."""
        return [line for line in self.log.read_text().splitlines() if "table 999" not in line]

    async def mark(self, number: int) -> None:
        """Make a change of our own and wait until it has been seen: so has all before it."""
        assert self.namespace is not None
        node, route = self.namespace, ("blackhole", f"10.255.0.{number}", "table", "999")

        def seen() -> bool:
            node.run("ip", "route", "del", *route, check=False)
            node.ip("route", "add", *route)
            return f"{route[1]} " in self.log.read_text()

        await until(seen, what="the kernel's events to be read")

    def deletions(self) -> list[str]:
        """Routes that left a table of ours."""
        return [line for line in self.lines() if line.startswith("Deleted") and "table 10" in line]


@contextmanager
def watching(directory: Path, where: Namespace) -> Iterator[Watch]:
    """Watch routes and rules of a namespace."""
    watch = Watch("watch", ["ip", "-4", "-o", "monitor", "route", "rule"], directory, where)
    with watch.supervised():
        watch.launch()
        yield watch


async def test_what_is_announced_is_routed_and_what_is_withdrawn_is_gone(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        site(gobgpd_version, daemon_directory, wires) as here,
        running_bgpmon(here.configuration(), daemon_directory / "b"),
    ):
        await here.gains(101, NET, EAST)
        assert "lookup 101" in here.node.ip("rule", "show", "priority", 1000)
        async with pinging(daemon_directory, here.node, TARGET):
            pass
        await here.east.announce(OTHER)
        await here.gains(101, OTHER, EAST)
        await here.east.announce(Announcement(OTHER, next_hop="192.0.2.77"))
        await here.gains(101, OTHER, "192.0.2.77")
        await here.east.withdraw(OTHER)
        await here.loses(101, OTHER)
        await here.gains(101, NET, EAST)


async def test_two_domains_hold_the_same_prefixes_and_the_nodes_default_stays(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    both = ("0.0.0.0/0", NET)
    before = wires.node.ip("-d", "route", "show", "table", "main")
    async with site(gobgpd_version, daemon_directory, wires, both, both) as here:
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with running_bgpmon(here.configuration(), daemon_directory / "b"):
                for prefix in ("default", NET):
                    await here.gains(101, prefix, EAST)
                    await here.gains(102, prefix, WEST)
                assert here.node.ip("-d", "route", "show", "table", "main") == before
                await here.east.withdraw(*both)
                for prefix in ("default", NET):
                    await here.loses(101, prefix)
                    await here.gains(102, prefix, WEST)
            await watch.mark(2)
            strangers = [line for line in watch.lines() if "table 10" not in line and "lookup 10" not in line]
            assert not strangers, "nothing but our tables and rules was touched"
    assert here.node.ip("-d", "route", "show", "table", "main") == before


async def test_several_routers_of_a_domain_share_a_route(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        site(gobgpd_version, daemon_directory, wires, twin=True) as here,
        router(daemon_directory / "t", wires.twin, 65001, TWIN, "203.0.113.1", ()) as twin,
    ):
        await here.gobgpd.peers_established(TWIN)
        async with running_bgpmon(here.configuration(), daemon_directory / "b"):
            await here.gains(101, NET, EAST)
            await twin.announce(NET)
            await here.gains(101, NET, EAST, TWIN)
            await here.east.withdraw(NET)
            await here.gains(101, NET, TWIN)
            await here.east.announce(NET)
            await here.gains(101, NET, EAST, TWIN)
            await here.east.withdraw(NET)
            await twin.withdraw(NET)
            await here.loses(101, NET)


@pytest.mark.parametrize("version", [NEWEST])
async def test_no_packet_is_lost_while_bgpmon_is_killed_and_its_routes_are_adopted(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        site(version, daemon_directory, wires, (NET, OTHER)) as here,
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, OTHER, EAST)
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with pinging(daemon_directory, here.node, TARGET) as ping:
                for _ in range(2):
                    await bgpmon.kill()
                    await bgpmon.start()
                    assert {NET, OTHER} <= set(here.table(101))
                await watch.mark(2)
                assert not [line for line in watch.lines() if "table 10" in line], "adopted, not written anew"
                await bgpmon.kill()
                await here.east.withdraw(OTHER)
                await here.gobgpd.learned(1, EAST)
                assert OTHER in here.table(101), "nobody is there to remove it"
                await bgpmon.start()
                await here.loses(101, OTHER)
                losses = await ping.finish()
            assert losses.lost == 0, losses
        await here.gains(101, NET, EAST)


@pytest.mark.parametrize("version", [OLDEST])
async def test_our_routes_are_repaired_and_foreign_ones_are_left_alone(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    foreign = ("via", WEST, "dev", "west", "table", 101, "metric", 200, "proto", "static")
    wires.node.ip("route", "add", OTHER, *foreign)
    async with (
        site(version, daemon_directory, wires, (NET, OTHER)) as here,
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        assert here.table(101)[OTHER]["protocol"] == STATIC
        here.node.ip("route", "del", NET, "table", 101)
        await here.gains(101, NET, EAST)
        here.node.ip("route", "replace", NET, *foreign)
        await until(lambda: _conflicts(bgpmon, 2), what="both conflicts to be told", every=0.1)
        await here.east.announce("10.8.5.0/24")
        await here.gains(101, "10.8.5.0/24", EAST)
        for prefix in (NET, OTHER):
            assert here.table(101)[prefix]["protocol"] == STATIC
            assert here.table(101)[prefix]["gateway"] == WEST
        assert any(NET in warning for warning in map(str, (await bgpmon.cli("status"))["warnings"]))
        await here.east.withdraw(OTHER, "10.8.5.0/24")
        await here.loses(101, "10.8.5.0/24")
        assert here.table(101)[OTHER]["protocol"] == STATIC, "a withdrawal removes nothing of others"
        here.node.ip("route", "del", NET, "table", 101)
        await here.gains(101, NET, EAST)


@pytest.mark.parametrize("version", [NEWEST])
async def test_routes_return_with_their_link(version: str, daemon_directory: Path, wires: Wires) -> None:
    async with (
        site(version, daemon_directory, wires) as here,
        running_bgpmon(here.configuration(), daemon_directory / "b"),
    ):
        await here.gains(101, NET, EAST)
        here.node.ip("link", "set", "east", "down")
        await here.loses(101, NET)
        here.node.ip("link", "set", "east", "up")
        await here.gains(101, NET, EAST)
        async with pinging(daemon_directory, here.node, TARGET):
            pass


@pytest.mark.parametrize("version", [NEWEST])
async def test_in_approve_mode_only_what_was_released_is_written(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with site(version, daemon_directory, wires) as here:
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with running_bgpmon(here.configuration("approve"), daemon_directory / "b") as bgpmon:
                await until(lambda: _plans(bgpmon, NET), what="a plan", every=0.1)
                frozen = await bgpmon.cli("plan", "freeze")
                await watch.mark(2)
                assert not watch.lines(), "nothing is written before approval"
                unknown = await bgpmon.command("approve", "0123456789abcdef")
                assert unknown.returncode == 6, unknown
                await here.east.announce(OTHER)
                await until(lambda: _plans(bgpmon, OTHER), what="the later route in the plan", every=0.1)
                await bgpmon.cli("approve", frozen["digest"])
                await here.gains(101, NET, EAST)
                assert "lookup 101" in here.node.ip("rule", "show", "priority", 1000)
                assert OTHER not in here.table(101), "it was not in what was approved"


@pytest.mark.parametrize("version", [OLDEST])
async def test_dry_run_needs_no_privilege_and_writes_nothing(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    require_programs("setpriv")
    without = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    async with site(version, daemon_directory, wires) as here:
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with running_bgpmon(here.configuration("dry-run"), daemon_directory / "b", wrapper=without) as bgpmon:
                status = Path(f"/proc/{bgpmon.pid}/status").read_text()
                effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
                assert not int(effective.split()[1], 16) & NET_ADMIN
                await until(lambda: _plans(bgpmon, NET), what="a plan", every=0.1)
                await here.east.announce(OTHER)
                await until(lambda: _plans(bgpmon, OTHER), what="the later route in the plan", every=0.1)
            await watch.mark(2)
            assert not watch.lines()


async def test_a_container_is_programmed_only_on_purpose(daemon_directory: Path, wires: Wires) -> None:
    text = configuration("unix:///nowhere.sock", wires.node.path).replace(f"netns: {wires.node.path}\n", "")
    daemon = Bgpmon(text, daemon_directory, wires.node)
    ended = wires.node.run(str(PROGRAM), "run", "--config", str(daemon.file), check=False)
    assert ended.returncode == 1
    assert "netns: /proc/self/ns/net" in ended.stderr
    assert "netns: /proc/1/ns/net" in ended.stderr


async def _plans(bgpmon: Bgpmon, prefix: str) -> bool:
    return prefix in {operation["prefix"] for operation in (await bgpmon.cli("plan", "show"))["operations"]}


async def _conflicts(bgpmon: Bgpmon, count: int) -> bool:
    status = await bgpmon.cli("status")
    found = sum(family["conflicts"] for item in status["domains"] for family in item["families"].values())
    assert found == count, status
    return True


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
async def test_no_packet_is_lost_while_gobgpd_dies_and_returns_again_and_again(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    # BIRD sends its first routes some three seconds after the session, and no End-of-RIB without graceful restart.
    async with (
        site(version, daemon_directory, wires, (NET, OTHER), ("10.9.0.0/24",)) as here,
        running_bgpmon(here.configuration().replace("_wait: 3s", "_wait: 8s"), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await here.gains(102, "10.9.0.0/24", WEST)
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with pinging(daemon_directory, here.node, TARGET) as ping:
                for number in (SIGTERM, SIGKILL) * 2:
                    await (here.gobgpd.stop() if number is SIGTERM else here.gobgpd.kill())
                    await until(lambda: _ready(bgpmon, False), what="bgpmon to notice", every=0.1)
                    await here.gobgpd.start()
                    await here.gobgpd.peers_established(EAST, WEST)
                    await until(lambda: _ready(bgpmon, True), timeout=40, what="bgpmon to be ready", every=0.1)
                losses = await ping.finish()
            await watch.mark(2)
            assert losses.lost == 0, losses
            assert losses.sent > 100
            assert not watch.deletions()
        await here.east.withdraw(OTHER)
        await here.loses(101, OTHER)


async def _ready(bgpmon: Bgpmon, wanted: bool) -> bool:
    return (await bgpmon.cli("status"))["ready"] is wanted
