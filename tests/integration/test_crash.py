"""bgpmon dies at any moment and returns, while a ping runs through a learned route."""

import random
from pathlib import Path

import pytest

from lab.routes import bulk
from tests.support.bgpmon import running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.ping import pinging
from tests.support.site import EAST, NET, OTHER, TARGET, Site, Wires, both_sources, family_status, node, ready
from tests.support.wait import pass_time, until
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
KILLS = 16
BURST = 10_000


@pytest.mark.parametrize("version", [NEWEST])
async def test_no_packet_is_lost_while_bgpmon_is_killed_and_its_routes_are_adopted(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", NET, OTHER) as east,
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
                assert not watch.ours(), "adopted, not written anew"
                await bgpmon.kill()
                await east.withdraw(OTHER)
                await here.gobgpd.learned(1, EAST)
                assert OTHER in here.table(101), "nobody is there to remove it"
                await bgpmon.start()
                await here.loses(101, OTHER)
                losses = await ping.finish()
            assert losses.lost == 0, losses
        await here.gains(101, NET, EAST)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
async def test_bgpmon_killed_at_any_moment_ends_with_the_kernel_as_desired(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    dice = random.Random(17)
    async with (
        node(version, daemon_directory, wires, "east", graceful_restart=60) as here,
        here.bird("east", NET, graceful_restart=60) as east,
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            await east.load(BURST)
            async with pinging(daemon_directory, here.node, TARGET) as ping:
                announced, in_a_burst = True, 0
                for number in range(KILLS):
                    if number % 2:
                        await _settled(here, announced=announced)
                        announced = not announced
                        await (east.unmute() if announced else east.mute())
                        in_a_burst += await _in_the_middle(here, announced=announced)
                    else:
                        await pass_time(dice, 2.0)
                    await bgpmon.kill()
                    bgpmon.launch()
                await ready(bgpmon)
                wanted = {NET, *((route.prefix for route in bulk(BURST)) if announced else ())}
                await here.holds(101, wanted)
                losses = await ping.finish()
            await watch.mark(2)
            assert losses.lost == 0, losses
            assert not [line for line in watch.deletions() if NET in line]
            assert in_a_burst >= KILLS // 3, "it was killed while it wrote"
        counts = family_status(await bgpmon.cli("status"), "east")
        assert (counts["desired"], counts["installed"]) == (len(wanted), len(wanted)), counts
        assert set(counts["pending"].values()) == {0}


def _routes(here: Site) -> int:
    """How many routes the domain's table has."""
    return int(here.node.run("sh", "-c", "ip route show table 101 | wc -l").stdout)


async def _settled(here: Site, *, announced: bool) -> None:
    """Wait until the last burst has been written to its end."""
    wanted = BURST + 1 if announced else 1
    await until(lambda: _routes(here) == wanted, timeout=60, what=f"{wanted} routes")


async def _in_the_middle(here: Site, *, announced: bool) -> bool:
    """Wait until a burst is being written; False if it was over before anybody looked."""
    first, last = (1, BURST + 1) if announced else (BURST + 1, 1)
    count = await until(lambda: found if (found := _routes(here)) != first else 0, timeout=60, what="a burst")
    return bool(count != last)
