"""A change that cuts people off, or that probes cannot see the end of, goes back by itself."""

from pathlib import Path

import pytest

from tests.support.bgpmon import running_bgpmon
from tests.support.change import (
    ECHO_CLIENT,
    ECHO_SERVER,
    MANAGEMENT,
    OPERATOR,
    SILENT_SERVER,
    applied,
    audited,
    becomes,
    call,
    controlled,
    dump,
    frozen,
    plan_state,
    scripted,
    seat_operator,
)
from tests.support.gobgpd import VERSIONS
from tests.support.ping import pinging, reachable
from tests.support.site import LEGS, NET, OTHER, Wires, node
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
NODE = LEGS["east"].node
ECHO_PORT, HTTP_PORT = "7", "8080"
GONE = "10.66.0.1"
"""An address of the router west that it loses: what goes there is thrown away without a word."""


async def test_an_operator_who_is_cut_off_by_a_change_is_back_when_nobody_could_confirm_it(
    daemon_directory: Path, wires: Wires
) -> None:
    seat_operator(wires)
    async with (
        node(NEWEST, daemon_directory, wires, "east", "west") as here,
        here.bird("east", NET),
        here.bird("west") as west,
        running_bgpmon(controlled(here, west={}, soak={"duration": "10s"}), daemon_directory / "b") as bgpmon,
    ):
        await applied(bgpmon, 3, confirm=True)
        await west.announce(MANAGEMENT)
        digest = await frozen(bgpmon, 1)
        before = dump(here)
        async with (
            scripted("server", daemon_directory, here.node, ECHO_SERVER, NODE, ECHO_PORT),
            scripted("operator", daemon_directory, wires.east, ECHO_CLIENT, NODE, ECHO_PORT, OPERATOR) as session,
            pinging(daemon_directory, here.node, OPERATOR) as ping,
        ):
            await session.says(5)
            assert (await call(bgpmon, "approve", digest))["state"] == "soaking"
            assert dump(here) != before
            echoed = session.lines()
            assert not reachable(here.node, OPERATOR), "the change cuts the operator off"
            assert session.lines() <= echoed + 1, "one answer may have been under way"
            document = await becomes(bgpmon, digest, "rolled-back")
            assert document["detail"].startswith("nobody confirmed it in time"), document["detail"]
            assert document["progress"]["reverted"]["clean"]
            await ping.answered()
            await session.says(5)
            assert dump(here) == before
        await audited(bgpmon)


@pytest.mark.parametrize("probe", [{"icmp": OPERATOR}, {"tcp": f"{OPERATOR}:{ECHO_PORT}"}], ids=["icmp", "tcp"])
async def test_a_probe_that_fails_takes_the_change_back_long_before_the_deadline(
    probe: dict[str, str], daemon_directory: Path, wires: Wires
) -> None:
    soak = {
        "duration": "10m",
        "probes": [{"name": "operator", "interval": "500ms", "timeout": "300ms", "failures": 2, **probe}],
    }
    seat_operator(wires)
    async with (
        node(NEWEST, daemon_directory, wires, "east", "west") as here,
        here.bird("east", NET) as east,
        here.bird("west") as west,
        running_bgpmon(controlled(here, west={}, soak=soak), daemon_directory / "b") as bgpmon,
        scripted("server", daemon_directory, wires.east, ECHO_SERVER, OPERATOR, ECHO_PORT),
    ):
        await applied(bgpmon, 3, confirm=True)
        await west.announce(MANAGEMENT)
        await east.announce(OTHER)
        digest = await frozen(bgpmon, 2)
        before = dump(here)
        async with pinging(daemon_directory, here.node, OPERATOR) as ping:
            assert (await call(bgpmon, "approve", digest))["state"] == "soaking"
            document = await becomes(bgpmon, digest, "rolled-back")
            assert "probe operator" in document["detail"], document["detail"]
            (watched,) = document["probes"]
            assert watched["before"]["ok"]
            assert watched["verdict"] == "failed"
            await ping.answered()
        assert dump(here) == before, "the whole change, not only what hurt"
        assert (await call(bgpmon, "plan"))["total"] == 2
        await audited(bgpmon)


async def test_probes_that_hang_hold_up_neither_the_daemon_nor_the_deadline(
    daemon_directory: Path, wires: Wires
) -> None:
    west = LEGS["west"].router
    patient = {"interval": "7s", "timeout": "6500ms", "failures": 1}
    probes = [{"name": f"tcp-{n}", "tcp": f"{GONE}:{HTTP_PORT}", **patient} for n in range(10)]
    probes += [{"name": f"http-{n}", "http": f"http://{west}:{HTTP_PORT}/", **patient} for n in range(10)]
    sign = daemon_directory / "silent"
    wires.west.ip("addr", "add", f"{GONE}/32", "dev", "lo")
    wires.node.ip("route", "add", f"{GONE}/32", "via", west, "dev", "west")
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        scripted("silent", daemon_directory, wires.west, SILENT_SERVER, HTTP_PORT, str(sign)) as server,
        here.bird("east", NET),
        running_bgpmon(controlled(here, soak={"duration": "10s", "probes": probes}), daemon_directory / "b") as bgpmon,
    ):
        digest = await frozen(bgpmon, 2)
        before = dump(here)
        assert (await call(bgpmon, "approve", digest))["state"] == "soaking"

        async def looked() -> bool:
            watched = (await bgpmon.ask("plan", digest))["probes"]
            return all(item["total"] == 1 and item["now"]["ok"] for item in watched)

        await until(looked, timeout=5, what="a first look of every probe")
        sign.touch()
        wires.west.ip("addr", "del", f"{GONE}/32", "dev", "lo")
        await server.says(10)
        # From here to their time-out all twenty hang; the daemon answers, and decides, meanwhile.
        for _ in range(20):
            assert (await bgpmon.ask("status"))["change"]["in_flight"]["state"] == "soaking"
            assert (await bgpmon.ask("explain", NET))["reason"] == "installed"
        document = await becomes(bgpmon, digest, "rolled-back")
        assert document["detail"].startswith("nobody confirmed it in time"), document["detail"]
        assert {item["total"] for item in document["probes"]} == {1}, "it did not wait for them"
        assert dump(here) == before
        assert await plan_state(bgpmon, digest) == "rolled-back"
        await audited(bgpmon)
