"""FRR as the router: both families, sessions between link-local addresses, IPv4 over IPv6 (RFC 8950), two at once."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.bgpmon import running_bgpmon
from tests.support.gobgpd import Neighbor
from tests.support.ping import pinging
from tests.support.site import (
    EAST,
    LEGS,
    NET,
    ROUTER_LOCAL,
    TARGET,
    TWIN,
    Site,
    Wires,
    both_sources,
    gateways_of,
    node,
    unnumber,
)
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

BOTH = ["ipv4", "ipv6"]
NET6, OTHER6 = "2001:db8:f::/48", "2001:db8:e::/48"
EAST6, TWIN6 = LEGS["east"].router6, LEGS["twin"].router6


def _numbered(*legs: str) -> list[Neighbor]:
    """A session for each family with each router."""
    return [
        Neighbor(address=address, asn=LEGS[leg].asn, families=[family])
        for leg in legs
        for address, family in ((LEGS[leg].router, "ipv4"), (LEGS[leg].router6, "ipv6"))
    ]


def _unnumbered(*legs: str) -> list[Neighbor]:
    """One session for both families with each router.  gobgpd dials: FRR does not, without router advertisements."""
    return [Neighbor(interface=leg, asn=LEGS[leg].asn, families=BOTH, passive=False) for leg in legs]


async def _leads_out_of(here: Site, prefix: str, *links: str) -> None:
    """Wait until our route to *prefix* has exactly these links, and link-local next hops."""
    family = "ipv6" if ":" in prefix else "ipv4"

    def leads() -> bool:
        route: dict[str, Any] = here.table(101, family).get(prefix, {})
        found = sorted(hop.get("dev", "") for hop in route.get("nexthops", [route]))
        assert found == sorted(links), route
        assert set(gateways_of(route)) == {ROUTER_LOCAL}
        return True

    await until(leads, timeout=30, what=f"{prefix} to lead out of {links}")


@both_sources
async def test_two_routers_share_routes_of_both_families(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    peers = [EAST, TWIN, EAST6, TWIN6]
    async with (
        node(gobgpd_version, daemon_directory, wires, neighbors=_numbered("east", "twin")) as here,
        here.frr("east", NET, NET6) as east,
        here.frr("twin", NET) as twin,
        running_bgpmon(here.configuration(east={"families": BOTH, "peers": peers}), daemon_directory / "b"),
    ):
        await here.gains(101, NET, EAST, TWIN)
        await here.gains(101, NET6, EAST6)
        await twin.announce(NET6, OTHER6)
        await here.gains(101, NET6, EAST6, TWIN6)
        await here.gains(101, OTHER6, TWIN6)
        await east.withdraw(NET, NET6)
        await here.gains(101, NET, TWIN)
        await here.gains(101, NET6, TWIN6)
        await east.announce(NET6)
        await here.gains(101, NET6, EAST6, TWIN6)
        await twin.stop()
        await here.loses(101, NET)
        await here.loses(101, OTHER6, family="ipv6")
        await here.gains(101, NET6, EAST6)


@both_sources
async def test_an_unnumbered_session_carries_both_families(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    unnumber(wires, "east")
    async with (
        node(gobgpd_version, daemon_directory, wires, neighbors=_unnumbered("east")) as here,
        here.frr("east", NET, NET6, unnumbered=True) as router,
        running_bgpmon(
            here.configuration(east={"families": BOTH, "peers": ["east"]}), daemon_directory / "b"
        ) as bgpmon,
    ):
        await here.gains(101, NET, ROUTER_LOCAL)
        await here.gains(101, NET6, ROUTER_LOCAL)
        assert f"{NET} via inet6 {ROUTER_LOCAL} dev east" in here.node.ip("route", "show", "table", 101)
        await _leads_out_of(here, NET6, "east")
        async with pinging(daemon_directory, here.node, TARGET):
            pass
        (peer,) = (await bgpmon.cli("peers"))["items"]
        assert (peer["address"], peer["domain"]) == (f"{ROUTER_LOCAL}%east", "east")
        await router.withdraw(NET)
        await here.loses(101, NET)
        await here.gains(101, NET6, ROUTER_LOCAL)


async def test_unnumbered_routers_with_one_address_are_two_next_hops(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    unnumber(wires, "east", "twin")
    async with (
        node(gobgpd_version, daemon_directory, wires, neighbors=_unnumbered("east", "twin")) as here,
        here.frr("east", NET, NET6, unnumbered=True) as east,
        here.frr("twin", NET, NET6, unnumbered=True),
        running_bgpmon(here.configuration(east={"families": BOTH, "peers": ["east", "twin"]}), daemon_directory / "b"),
    ):
        for prefix in (NET, NET6):
            await _leads_out_of(here, prefix, "east", "twin")
        await east.withdraw(NET)
        await _leads_out_of(here, NET, "twin")
        await east.announce(NET)
        await _leads_out_of(here, NET, "east", "twin")
        await east.kill()
        for prefix in (NET, NET6):
            await _leads_out_of(here, prefix, "twin")
        async with pinging(daemon_directory, here.node, TARGET):
            pass
