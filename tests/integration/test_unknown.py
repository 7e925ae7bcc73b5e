"""Nobody knows what BGP says: routes stay for as long as stale_after allows, and no longer."""

from pathlib import Path

import pytest

from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.ping import pinging
from tests.support.site import EAST, NET, OTHER, TARGET, TWIN, Wires, both_sources, node, ready
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
PATIENT = {"end_of_rib_wait": "8s"}


async def _lost(bgpmon: Bgpmon) -> bool:
    return bool((await bgpmon.ask("status"))["sources"][0]["state"] != "connected")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
async def test_a_gobgpd_that_never_returns_costs_the_routes_only_after_stale_after(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", NET, OTHER) as router,
        running_bgpmon(here.configuration(east={"stale_after": "6s"}), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await here.gains(101, OTHER, EAST)
        async with pinging(daemon_directory, here.node, TARGET) as ping:
            await here.gobgpd.kill()
            await until(lambda: _lost(bgpmon), what="bgpmon to notice")
            await ping.answered(50)
            assert {NET, OTHER} <= here.table(101).keys()
            losses = await ping.finish()
        assert losses.lost == 0, losses
        await here.loses(101, NET, OTHER)
        await router.withdraw(OTHER)
        await here.gobgpd.start()
        await here.gains(101, NET, EAST)
        assert OTHER not in here.table(101)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
async def test_bgpmon_that_starts_before_gobgpd_adopts_and_waits(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", NET, OTHER) as router,
        running_bgpmon(here.configuration(east=PATIENT), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await here.gains(101, OTHER, EAST)
        with watching(daemon_directory, here.node) as watch:
            before = await watch.mark(1)
            async with pinging(daemon_directory, here.node, TARGET) as ping:
                await bgpmon.kill()
                await here.gobgpd.stop()
                await router.withdraw(OTHER)
                await bgpmon.start(ready=False)
                await until(lambda: _lost(bgpmon), what="bgpmon to find nobody")
                await ping.answered(50)
                assert await watch.mark(2) == before
                await here.gobgpd.start()
                await here.loses(101, OTHER)
                await ready(bgpmon)
                losses = await ping.finish()
            assert losses.lost == 0, losses
            await watch.mark(3)
            assert [line for line in watch.ours() if OTHER not in line] == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
async def test_a_peer_that_stays_away_when_gobgpd_returns_keeps_its_routes_for_a_while(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    patient = PATIENT | {"stale_after": "15s"}
    async with (
        node(version, daemon_directory, wires, "east", "twin") as here,
        here.bird("east", NET) as router,
        here.bird("twin", NET, OTHER),
        running_bgpmon(here.configuration(east=patient), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST, TWIN)
        await here.gains(101, OTHER, TWIN)
        await ready(bgpmon)
        with watching(daemon_directory, here.node) as watch:
            before = await watch.mark(1)
            await here.gobgpd.kill()
            await until(lambda: _lost(bgpmon), what="bgpmon to notice")
            await router.kill()
            await here.gobgpd.start()
            await here.gobgpd.peers_established(TWIN)
            await here.gobgpd.learned(2, TWIN)
            assert await watch.mark(2) == before, "what the absent peer said last is not known to be wrong"
            await here.gains(101, NET, TWIN)
            await ready(bgpmon)
            await watch.mark(3)
            assert not [line for line in watch.ours() if OTHER in line]
        await router.start()
        await here.gains(101, NET, EAST, TWIN)
