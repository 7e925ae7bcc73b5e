"""Somebody else works on the same tables: our routes are repaired, theirs are left alone, and both are told."""

from pathlib import Path

import pytest

from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.site import (
    EAST,
    LEGS,
    NET,
    OTHER,
    STATIC,
    TARGET,
    WEST,
    Wires,
    both_sources,
    explained,
    family_status,
    node,
)
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
BOTH = ["ipv4", "ipv6"]
NET6 = "2001:db8:f::/48"
EAST6, WEST6 = LEGS["east"].router6, LEGS["west"].router6
THERE = ("via", WEST, "dev", "west", "table", 101)
"""Where somebody else wants our traffic to go."""


async def _conflicts(bgpmon: Bgpmon, count: int) -> bool:
    counts = family_status(await bgpmon.ask("status"), "east")
    assert counts["conflicts"] == count, counts
    return True


async def _drift(bgpmon: Bgpmon, family: str = "ipv4") -> int:
    drift: int = family_status(await bgpmon.ask("status"), "east", family)["drift_total"]
    return drift


@pytest.mark.parametrize("version", [OLDEST])
async def test_our_routes_are_repaired_and_foreign_ones_are_left_alone(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    foreign = (*THERE, "metric", 200, "proto", "4")
    wires.node.ip("route", "add", OTHER, *foreign)
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", NET, OTHER) as router,
        running_bgpmon(here.configuration(east={"foreign_routes": "accept"}), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        assert here.table(101)[OTHER]["protocol"] == STATIC
        here.node.ip("route", "del", NET, "table", 101)
        await here.gains(101, NET, EAST)
        here.node.ip("route", "replace", NET, *foreign)
        await until(lambda: _conflicts(bgpmon, 2), what="both conflicts to be told")
        await router.announce("10.8.5.0/24")
        await here.gains(101, "10.8.5.0/24", EAST)
        for prefix in (NET, OTHER):
            assert here.table(101)[prefix]["protocol"] == STATIC
            assert here.table(101)[prefix]["gateway"] == WEST
        assert any(NET in warning for warning in map(str, (await bgpmon.cli("status"))["warnings"]))
        await router.withdraw(OTHER, "10.8.5.0/24")
        await here.loses(101, "10.8.5.0/24")
        assert here.table(101)[OTHER]["protocol"] == STATIC, "a withdrawal removes nothing of others"
        here.node.ip("route", "del", NET, "table", 101)
        await here.gains(101, NET, EAST)


@pytest.mark.parametrize("version", [NEWEST])
async def test_a_route_with_our_mark_that_leads_elsewhere_is_repaired_and_told(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east", families=BOTH) as here,
        here.bird("east", NET, NET6, families=BOTH),
        running_bgpmon(here.configuration(east={"families": BOTH}), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await here.gains(101, NET6, EAST6)
        before = await _drift(bgpmon)
        here.node.ip("route", "replace", NET, *THERE, "metric", 200, "proto", 196)
        await until(lambda: _drifted(bgpmon, before), what="the change to be noticed")
        await here.gains(101, NET, EAST)
        # What was added beside ours, with our mark and another metric, is not ours to remove.
        here.node.ip("route", "add", NET, *THERE, "metric", 7000, "proto", 196)
        here.node.ip(
            "-6", "route", "replace", NET6, "via", WEST6, "dev", "west", "table", 101, "metric", 200, "proto", 196
        )
        await here.gains(101, NET6, EAST6)
        assert f"via {WEST} dev west" in here.node.ip("-N", "route", "show", NET, "table", 101, "metric", 7000)


async def _drifted(bgpmon: Bgpmon, before: int) -> bool:
    return await _drift(bgpmon) > before


@pytest.mark.parametrize("version", [NEWEST])
async def test_a_route_that_is_shadowed_by_a_better_metric_is_told(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", NET),
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        assert "a route of ours" in (await bgpmon.ask("lookup", TARGET))["verdict"]
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            here.node.ip("route", "add", NET, *THERE, "metric", 100, "proto", "static")

            async def told() -> bool:
                found = await bgpmon.ask("lookup", TARGET)
                return WEST in found["kernel"]["text"] and "a route of ours" not in found["verdict"]

            await until(told, what="the lookup to tell who has the traffic")
            document = await explained(bgpmon, NET, "installed")
            assert (
                "a route of another program (protocol 4, static) at metric 100 has its traffic" in document["verdict"]
            )
            assert any(NET in warning for warning in (await bgpmon.ask("status"))["warnings"])
            states = {route["metric"]: route["state"] for route in (await bgpmon.ask("routes"))["items"]}
            assert states == {100: "foreign", 200: "installed"}
            await watch.mark(2)
            assert len(watch.ours()) == 1, "neither is touched"
            here.node.ip("route", "del", NET, "table", 101, "metric", 100)

            async def ours_again() -> bool:
                return "a route of ours" in (await bgpmon.ask("lookup", TARGET))["verdict"]

            await until(ours_again, what="our route to have its traffic again")
            assert "another program" not in (await explained(bgpmon, NET, "installed"))["verdict"]


@pytest.mark.parametrize("version", [NEWEST])
async def test_a_strange_next_hop_in_our_ipv6_group_is_removed(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    """The kernel lets anybody append to an IPv6 route of the same metric, and then tells the whole of it as ours."""
    async with (
        node(version, daemon_directory, wires, "east", families=["ipv6"]) as here,
        here.bird("east", NET6, families=["ipv6"]),
        running_bgpmon(here.configuration(east={"families": ["ipv6"], "rules": []}), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET6, EAST6)
        here.node.ip(
            "-6", "route", "append", NET6, "via", WEST6, "dev", "west", "table", 101, "metric", 200, "proto", 4
        )
        await here.gains(101, NET6, EAST6)
        await until(lambda: _changed_back(bgpmon), what="the repair to be in the history")


async def _changed_back(bgpmon: Bgpmon) -> bool:
    (last, *_) = (await bgpmon.ask("history", NET6))["items"]
    return last["op"] == "~" and WEST6 in str(last["before"]) and WEST6 not in str(last["after"])
