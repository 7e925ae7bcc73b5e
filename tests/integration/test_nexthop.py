"""Next hops that no router should send: each is refused with its reason, and the kernel never hears of it."""

from pathlib import Path

import pytest

from tests.support.bgpmon import running_bgpmon
from tests.support.gobgpd import VERSIONS, Neighbor
from tests.support.router import Announcement
from tests.support.site import (
    EAST,
    LEGS,
    NET,
    NODE_LOCAL,
    ROUTER_LOCAL,
    WEST,
    Wires,
    both_sources,
    explained,
    family_status,
    node,
    unnumber,
)
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
BOTH = ["ipv4", "ipv6"]
LAST = "10.30.0.0/24"
REFUSED = {
    "192.0.2.1": "next-hop-own",
    "198.51.100.1": "next-hop-own",  # the node's own address on a link of another domain
    "10.99.0.9": "next-hop-off-link",
    WEST: "next-hop-off-link",  # a neighbour, but of another domain
    "198.51.100.254": "next-hop-off-link",  # the gateway of the node's default route
    "192.0.2.255": "next-hop-invalid",
    "192.0.2.0": "next-hop-invalid",
    "2001:db8:1::1": "next-hop-own",
    "2001:db8:99::9": "next-hop-off-link",
    "2001:db8:2::2": "next-hop-off-link",
    "::1": "next-hop-invalid",
    "ff02::5": "next-hop-invalid",
    "::": "next-hop-invalid",
    "fe80::2": "next-hop-no-interface",  # its session is between global addresses
}
"""Next hops that bgpmon is told of, and why it refuses each."""
UNTOLD = ("127.0.0.1", "127.8.8.8", "224.0.0.5", "0.0.0.0")
"""Next hops that gobgpd itself takes for a withdrawal (RFC 7606 section 7.3): over gRPC bgpmon is not told of them."""


def _bad_routes() -> dict[str, str]:
    """A prefix for each bad next hop: next hops by prefix."""
    addresses = (*REFUSED, *UNTOLD)
    return {
        f"2001:db8:f{number:02x}::/48" if ":" in address else f"10.20.{number}.0/24": address
        for number, address in enumerate(addresses)
    }


async def test_each_impossible_next_hop_has_its_reason_and_no_route(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    bad = _bad_routes()
    async with (
        node(gobgpd_version, daemon_directory, wires, "east", families=BOTH) as here,
        here.exabgp("east", families=BOTH) as router,
        running_bgpmon(here.configuration(east={"families": BOTH}), daemon_directory / "b") as bgpmon,
    ):
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            await router.announce(*(Announcement(prefix, next_hop=address) for prefix, address in bad.items()))
            await router.announce(Announcement(LAST, next_hop=EAST))
            await here.gains(101, LAST, EAST)
            for prefix, address in bad.items():
                if address in UNTOLD and wires.over == "gobgp":
                    assert "no peer of any domain announces it" in (await bgpmon.ask("explain", prefix))["verdict"]
                    continue
                reason = REFUSED.get(address, "next-hop-invalid")
                document = await explained(bgpmon, prefix, reason)
                assert (document["desired"], document["installed"]) == (None, None)
                (path,) = document["paths"]
                assert (path["next_hop"], path["reason"]) == (address, reason)
            shown = await bgpmon.cli("explain", next(iter(bad)))
            assert shown["reason"] == "next-hop-own"
            await watch.mark(2)
            assert [line for line in watch.lines() if LAST not in line] == []
        assert set(here.table(101)) == {LAST}
        assert here.table(101, "ipv6") == {}


@pytest.mark.parametrize("version", [NEWEST])
@pytest.mark.parametrize("bad", ["192.0.2.1", "10.99.0.9", "127.0.0.1"])
async def test_a_route_goes_when_its_next_hop_becomes_impossible_and_returns_with_a_good_one(
    version: str, bad: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.exabgp("east") as router,
        running_bgpmon(here.configuration(), daemon_directory / "b"),
    ):
        await router.announce(Announcement(NET, next_hop=EAST), Announcement(LAST, next_hop=EAST))
        await here.gains(101, NET, EAST)
        await router.announce(Announcement(NET, next_hop=bad))
        await here.loses(101, NET)
        await router.announce(Announcement(NET, next_hop="192.0.2.77"))
        await here.gains(101, NET, "192.0.2.77")
        await here.gains(101, LAST, EAST)


@pytest.mark.parametrize("version", [NEWEST])
async def test_a_thousand_good_routes_do_not_wait_for_an_impossible_one(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    good = {f"10.{40 + number // 256}.{number % 256}.0/24" for number in range(1000)}
    off_link, refused = "10.50.0.0/24", "10.50.1.0/24"
    strange = {"accept": {"prefix": refused}, "preferred_source": "10.99.99.99"}
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.exabgp("east") as router,
        running_bgpmon(
            here.configuration(east={"import": [strange, {"accept": "any"}]}), daemon_directory / "b"
        ) as bgpmon,
    ):
        # The impossible ones come first, so that whoever stops at one never gets to the others.
        await router.announce(Announcement(off_link, next_hop="10.99.0.9"), Announcement(refused, next_hop=EAST))
        await router.announce(*(Announcement(prefix, next_hop=EAST) for prefix in sorted(good)))
        await here.holds(101, good)
        assert (await explained(bgpmon, off_link, "next-hop-off-link"))["desired"] is None
        document = await explained(bgpmon, refused, "kernel-refused")
        assert "Invalid prefsrc address" in document["verdict"], "the kernel's own words"
        counts = family_status(await bgpmon.ask("status"), "east")
        assert (counts["installed"], counts["failed"]) == (1000, 1), counts
        here.node.ip("addr", "add", "10.99.99.99/32", "dev", "lo")
        await until(lambda: here.table(101).get(refused, {}).get("prefsrc") == "10.99.99.99", what="the next attempt")


async def test_a_link_local_next_hop_is_used_on_the_interface_of_its_session(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    unnumber(wires, "east")
    neighbor = Neighbor(interface="east", asn=65001, families=["ipv6"], graceful_restart=20)
    session = {
        "address": NODE_LOCAL,
        "interface": "eth0",
        "local_address": None,
        "next_hops": (),
        "graceful_restart": 20,
    }
    prefix = "2001:db8:f::/48"
    async with (
        node(gobgpd_version, daemon_directory, wires, neighbors=[neighbor]) as here,
        here.bird("east", prefix, families=["ipv6"], **session),
        running_bgpmon(
            here.configuration(east={"families": ["ipv6"], "peers": ["east"], "rules": []}), daemon_directory / "b"
        ) as bgpmon,
    ):
        await here.gains(101, prefix, ROUTER_LOCAL)
        assert here.table(101, "ipv6")[prefix]["dev"] == LEGS["east"].name
        (item,) = (await bgpmon.cli("routes"))["items"]
        assert [(hop["address"], hop["interface"]) for hop in item["next_hops"]] == [(ROUTER_LOCAL, "east")]
