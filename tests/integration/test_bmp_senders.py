"""FRR and BIRD as what bgpmon hears over BMP, with the suite's routers as their peers."""

from pathlib import Path

import pytest

from tests.support.bgpmon import running_bgpmon
from tests.support.gobgpd import Gobgpd, GobgpdConfig, Neighbor
from tests.support.ping import pinging
from tests.support.router import Announcement
from tests.support.sender import SENDERS, running_sender
from tests.support.site import EAST, LEGS, NET, OTHER, TARGET, TWIN, WEST, Site, Wires, ready
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [
    pytest.mark.daemons,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.parametrize("wires", ["bmp"], indirect=True),
    pytest.mark.parametrize("kind", SENDERS),
]


def site(directory: Path, wires: Wires, *legs: str) -> Site:
    """The node without its gobgpd, which nobody starts here; what it would have for neighbors is the sender's."""
    neighbors = [Neighbor(address=LEGS[leg].router, asn=LEGS[leg].asn) for leg in legs]
    config = GobgpdConfig(asn=65000, router_id="192.0.2.1", neighbors=neighbors)
    return Site(wires, directory, Gobgpd("3.10", config, directory))


async def test_what_is_announced_is_routed_and_what_is_withdrawn_is_gone(
    kind: str, daemon_directory: Path, wires: Wires
) -> None:
    here = site(daemon_directory, wires, "east", "twin", "west")
    async with (
        running_bgpmon(here.configuration(west={}), daemon_directory / "b", ready=False) as bgpmon,
        running_sender(kind, daemon_directory / "s", here.node, "east", "twin", "west"),
        here.bird("east", NET) as east,
        here.bird("twin") as twin,
        here.bird("west", NET),
    ):
        await here.gains(101, NET, EAST)
        await here.gains(102, NET, WEST)
        await twin.announce(NET)
        await here.gains(101, NET, EAST, TWIN)
        await east.announce(Announcement(OTHER, (64496, 64497), ("65001:7",)))
        await here.gains(101, OTHER, EAST)
        (path,) = (await bgpmon.ask("explain", OTHER))["paths"]
        assert (path["as_path"], path["communities"]) == ("65001 64496 64497", ["65001:7"])
        await east.withdraw(NET)
        await here.gains(101, NET, TWIN)
        await twin.withdraw(NET)
        await here.loses(101, NET)
        await here.gains(102, NET, WEST)


async def test_no_packet_is_lost_while_the_speaker_dies_and_returns(
    kind: str, daemon_directory: Path, wires: Wires
) -> None:
    here = site(daemon_directory, wires, "east")
    async with (
        running_bgpmon(here.configuration(), daemon_directory / "b", ready=False) as bgpmon,
        running_sender(kind, daemon_directory / "s", here.node, "east") as sender,
        here.bird("east", NET, OTHER) as east,
    ):
        await here.gains(101, NET, EAST)
        await ready(bgpmon, timeout=60)
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with pinging(daemon_directory, here.node, TARGET) as ping:
                for number in range(3):
                    await (sender.kill() if number % 2 else sender.stop())
                    await ready(bgpmon, wanted=False)
                    await sender.start()
                    await ready(bgpmon, timeout=60)
                losses = await ping.finish()
            await watch.mark(2)
            assert losses.lost == 0, losses
            assert not watch.ours(), "no route was deleted, and none was written anew"
        await east.withdraw(OTHER)
        await here.loses(101, OTHER)


async def test_a_router_that_dies_loses_its_routes(kind: str, daemon_directory: Path, wires: Wires) -> None:
    here = site(daemon_directory, wires, "east", "twin")
    async with (
        running_bgpmon(here.configuration(), daemon_directory / "b", ready=False) as bgpmon,
        running_sender(kind, daemon_directory / "s", here.node, "east", "twin"),
        here.bird("east", NET) as east,
        here.bird("twin", NET, OTHER) as twin,
    ):
        await here.gains(101, NET, EAST, TWIN)
        await ready(bgpmon, timeout=60)
        await twin.kill()
        await here.gains(101, NET, EAST)
        await here.loses(101, OTHER)
        await east.stop()
        await here.loses(101, NET)
        await twin.start()
        await here.gains(101, OTHER, TWIN)

        async def told() -> bool:
            states = {peer["address"]: peer["state"] for peer in (await bgpmon.ask("peers"))["items"]}
            assert states == {EAST: "idle", TWIN: "established"}, states
            return True

        await until(told, what="the state of both peers")
