"""The whole way, with real processes: a router announces, gobgpd tells, bgpmon writes, the kernel forwards."""

from pathlib import Path

import pytest

from tests.support.bgpmon import PROGRAM, Bgpmon, running_bgpmon
from tests.support.daemon import require_programs
from tests.support.gobgpd import VERSIONS
from tests.support.ping import pinging
from tests.support.router import Announcement
from tests.support.site import EAST, NET, OTHER, TARGET, TWIN, WEST, Wires, both_sources, node
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
NET_ADMIN = 1 << 12
"""linux/capability.h: CAP_NET_ADMIN."""


async def test_what_is_announced_is_routed_and_what_is_withdrawn_is_gone(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(gobgpd_version, daemon_directory, wires, "east") as here,
        here.bird("east", NET) as east,
        running_bgpmon(here.configuration(), daemon_directory / "b"),
    ):
        await here.gains(101, NET, EAST)
        assert "lookup 101" in here.node.ip("rule", "show", "priority", 1008)
        async with pinging(daemon_directory, here.node, TARGET):
            pass
        await east.announce(OTHER)
        await here.gains(101, OTHER, EAST)
        await east.announce(Announcement(OTHER, next_hop="192.0.2.77"))
        await here.gains(101, OTHER, "192.0.2.77")
        await east.withdraw(OTHER)
        await here.loses(101, OTHER)
        await here.gains(101, NET, EAST)


async def test_two_domains_hold_the_same_prefixes_and_the_nodes_default_stays(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    both = ("0.0.0.0/0", NET)
    before = wires.node.ip("-d", "route", "show", "table", "main")
    async with (
        node(gobgpd_version, daemon_directory, wires, "east", "west") as here,
        here.bird("east", *both) as east,
        here.bird("west", *both),
    ):
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with running_bgpmon(here.configuration(west={}), daemon_directory / "b"):
                for prefix in ("default", NET):
                    await here.gains(101, prefix, EAST)
                    await here.gains(102, prefix, WEST)
                assert here.node.ip("-d", "route", "show", "table", "main") == before
                await east.withdraw(*both)
                for prefix in ("default", NET):
                    await here.loses(101, prefix)
                    await here.gains(102, prefix, WEST)
            await watch.mark(2)
            assert not watch.elsewhere(), "nothing but our tables and rules was touched"
    assert wires.node.ip("-d", "route", "show", "table", "main") == before


async def test_several_routers_of_a_domain_share_a_route(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(gobgpd_version, daemon_directory, wires, "east", "twin") as here,
        here.bird("east", NET) as east,
        here.bird("twin") as twin,
        running_bgpmon(here.configuration(), daemon_directory / "b"),
    ):
        await here.gains(101, NET, EAST)
        await twin.announce(NET)
        await here.gains(101, NET, EAST, TWIN)
        await east.withdraw(NET)
        await here.gains(101, NET, TWIN)
        await east.announce(NET)
        await here.gains(101, NET, EAST, TWIN)
        await east.withdraw(NET)
        await twin.withdraw(NET)
        await here.loses(101, NET)


@pytest.mark.parametrize("version", [NEWEST])
async def test_in_approve_mode_only_what_was_released_is_written(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with node(version, daemon_directory, wires, "east") as here, here.bird("east", NET) as east:
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with running_bgpmon(here.configuration("approve"), daemon_directory / "b") as bgpmon:
                await until(lambda: _plans(bgpmon, NET), what="a plan")
                frozen = await bgpmon.cli("plan", "freeze")
                await watch.mark(2)
                assert not watch.lines(), "nothing is written before approval"
                unknown = await bgpmon.command("approve", "0123456789abcdef")
                assert unknown.returncode == 6, unknown
                await east.announce(OTHER)
                await until(lambda: _plans(bgpmon, OTHER), what="the later route in the plan")
                await bgpmon.cli("approve", frozen["digest"])
                await here.gains(101, NET, EAST)
                assert "lookup 101" in here.node.ip("rule", "show", "priority", 1008)
                assert OTHER not in here.table(101), "it was not in what was approved"


@pytest.mark.parametrize("version", [OLDEST])
async def test_dry_run_needs_no_privilege_and_writes_nothing(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    require_programs("setpriv")
    without = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    async with node(version, daemon_directory, wires, "east") as here, here.bird("east", NET) as east:
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with running_bgpmon(here.configuration("dry-run"), daemon_directory / "b", wrapper=without) as bgpmon:
                status = Path(f"/proc/{bgpmon.pid}/status").read_text()
                effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
                assert not int(effective.split()[1], 16) & NET_ADMIN
                await until(lambda: _plans(bgpmon, NET), what="a plan")
                await east.announce(OTHER)
                await until(lambda: _plans(bgpmon, OTHER), what="the later route in the plan")
            await watch.mark(2)
            assert not watch.lines()


async def test_a_container_is_programmed_only_on_purpose(daemon_directory: Path, wires: Wires) -> None:
    text = f"""\
netns: {wires.node.path}
sources: {{fabric: {{gobgp: "unix:///nowhere.sock"}}}}
domains: {{east: {{source: fabric, peers: [{EAST}], interfaces: [east], table: 101, import: [accept: any]}}}}
"""
    daemon = Bgpmon(text.partition("\n")[2], daemon_directory, wires.node)
    ended = wires.node.run(str(PROGRAM), "run", "--config", str(daemon.file), check=False)
    assert ended.returncode == 1
    assert "netns: /proc/self/ns/net" in ended.stderr
    assert "netns: /proc/1/ns/net" in ended.stderr


async def _plans(bgpmon: Bgpmon, prefix: str) -> bool:
    return prefix in {operation["prefix"] for operation in (await bgpmon.ask("plan"))["operations"]}
