"""Links and addresses go and come back: routes leave a dead way at once, and return with it."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.bgpmon import running_bgpmon
from tests.support.change import applied
from tests.support.gobgpd import VERSIONS
from tests.support.ping import pinging
from tests.support.site import DEFAULT, EAST, LEGS, NET, OTHER, TARGET, TWIN, Wires, both_sources, explained, node
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
BOTH = ["ipv4", "ipv6"]
NET6 = "2001:db8:f::/48"
EAST6, TWIN6 = LEGS["east"].router6, LEGS["twin"].router6
HOLD: dict[str, Any] = {"hold_time": 240}
"""The sessions outlive what happens to the links: only the links tell."""


@pytest.mark.parametrize("version", [NEWEST])
async def test_routes_return_with_their_link(version: str, daemon_directory: Path, wires: Wires) -> None:
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", NET),
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
async def test_a_next_hop_without_carrier_leaves_the_route_and_returns(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    """The kernel itself keeps such a next hop, and sends a share of the traffic into the void."""
    async with (
        node(version, daemon_directory, wires, "east", "twin", families=BOTH, **HOLD) as here,
        here.bird("east", NET, NET6, OTHER, families=BOTH, **HOLD) as east,
        here.bird("twin", NET, NET6, families=BOTH, **HOLD),
        running_bgpmon(here.configuration(east={"families": BOTH}), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST, TWIN)
        await here.gains(101, NET6, EAST6, TWIN6)
        await here.gains(101, OTHER, EAST)
        east.link_down("eth0")
        await here.gains(101, NET, TWIN)
        await here.gains(101, NET6, TWIN6)
        await here.loses(101, OTHER)
        await explained(bgpmon, OTHER, "next-hop-link-down")
        async with pinging(daemon_directory, here.node, TARGET) as ping:
            east.link_up("eth0")
            await here.gains(101, NET, EAST, TWIN)
            await here.gains(101, OTHER, EAST)
            losses = await ping.finish()
        assert losses.lost == 0, losses


@pytest.mark.parametrize("version", [NEWEST])
async def test_routes_leave_with_the_connected_address_and_take_no_other_way(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    """Without the subnet the next hop is unreachable: it is not looked for through the node's default route."""
    leg = LEGS["east"]
    async with (
        node(version, daemon_directory, wires, "east", "twin", **HOLD) as here,
        here.bird("east", NET, **HOLD),
        here.bird("twin", OTHER, **HOLD),
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await here.gains(101, OTHER, TWIN)
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            here.node.ip("addr", "del", f"{leg.node}/24", "dev", "east")
            await here.loses(101, NET)
            await explained(bgpmon, NET, "next-hop-off-link")
            assert DEFAULT.split(" dev")[0] in here.node.ip("route", "show", "default")
            here.node.ip("addr", "add", f"{leg.node}/24", "dev", "east")
            await here.gains(101, NET, EAST)
            await watch.mark(2)
            assert not [line for line in watch.ours() if OTHER in line], "the other link is not concerned"


@pytest.mark.parametrize("version", [NEWEST])
async def test_in_mode_approve_what_a_link_took_away_returns_and_what_a_person_deleted_waits(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east", **HOLD) as here,
        here.bird("east", NET, **HOLD),
        running_bgpmon(here.configuration("approve"), daemon_directory / "b") as bgpmon,
    ):
        await applied(bgpmon, 2)  # a route and a rule
        await here.gains(101, NET, EAST)
        for _ in range(2):
            here.node.ip("link", "set", "east", "down")
            await here.loses(101, NET)
            here.node.ip("link", "set", "east", "up")
            await here.gains(101, NET, EAST)
        here.node.ip("route", "del", NET, "table", "101")
        await explained(bgpmon, NET, "waits-for-approval")
        assert NET not in here.table(101)
