"""gobgpd dies and returns, again and again, while a ping runs through a learned route."""

from pathlib import Path

import pytest

from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.ping import pinging
from tests.support.site import EAST, NET, OTHER, TARGET, WEST, Site, Wires, both_sources, node, ready
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(420)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
ROUNDS = 20
PATIENT = {"end_of_rib_wait": "8s"}
"""BIRD sends its first routes some three seconds after the session, and no End-of-RIB without graceful restart."""


async def _lives_until(stage: int, here: Site, bgpmon: Bgpmon) -> None:
    """Let a new gobgpd live: until it answers, has sessions, has paths, is heard by bgpmon, or has told everything."""
    if stage in {1, 2}:
        await here.gobgpd.peers_established(EAST, WEST)
    if stage == 2:
        await here.gobgpd.learned(2, EAST)
    if stage == 3:
        await until(lambda: _connected(bgpmon), what="bgpmon to hear gobgpd")
    if stage == 4:
        await ready(bgpmon)


async def _connected(bgpmon: Bgpmon) -> bool:
    return bool((await bgpmon.ask("status"))["sources"][0]["state"] == "connected")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
async def test_no_packet_is_lost_while_gobgpd_dies_and_returns_again_and_again(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east", "west") as here,
        here.bird("east", NET, OTHER) as east,
        here.bird("west", "10.9.0.0/24"),
        running_bgpmon(here.configuration(east=PATIENT, west=PATIENT), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await here.gains(102, "10.9.0.0/24", WEST)
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with pinging(daemon_directory, here.node, TARGET) as ping:
                for number in range(ROUNDS):
                    await (here.gobgpd.kill() if number % 2 else here.gobgpd.stop())
                    await ready(bgpmon, wanted=False)
                    await here.gobgpd.start()
                    await _lives_until(number % 5, here, bgpmon)
                losses = await ping.finish()
            await watch.mark(2)
            assert losses.lost == 0, losses
            assert losses.sent > 50 * ROUNDS
            assert not watch.ours(), "no route was deleted, and none was written anew"
        await ready(bgpmon)
        await east.withdraw(OTHER)
        await here.loses(101, OTHER)
