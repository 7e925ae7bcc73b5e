"""A peer dies, with and without graceful restart (RFC 4724), and returns or does not."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.ping import pinging
from tests.support.site import EAST, NET, OTHER, TARGET, TWIN, Wires, both_sources, node, ready
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
versions = pytest.mark.parametrize("version", [OLDEST, NEWEST])
LONG, SHORT = 120, 4
"""Restart times in seconds: one that does not end within a test, and one that does."""


async def _path(bgpmon: Bgpmon, prefix: str, peer: str = EAST) -> dict[str, Any]:
    paths = (await bgpmon.ask("explain", prefix))["paths"]
    found: dict[str, Any] = next((path for path in paths if path["peer"] == peer), {})
    return found


async def _is_stale(bgpmon: Bgpmon, *prefixes: str, stale: bool = True) -> None:
    """Wait until the paths to these prefixes are shown as stale, or as not."""

    async def shown() -> bool:
        return all([(await _path(bgpmon, prefix)).get("stale") is stale for prefix in prefixes])

    await until(shown, timeout=40, what=f"{prefixes} to be stale: {stale}")


async def _restarting(bgpmon: Bgpmon) -> bool:
    return bool((await bgpmon.ask("peers"))["items"][0]["restarting"])


@versions
async def test_a_peer_that_restarts_gracefully_causes_no_write(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east", graceful_restart=LONG) as here,
        here.bird("east", NET, OTHER, graceful_restart=LONG) as router,
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await here.gains(101, OTHER, EAST)
        await ready(bgpmon)
        with watching(daemon_directory, here.node) as watch:
            before = await watch.mark(1)
            async with pinging(daemon_directory, here.node, TARGET) as ping:
                await router.kill()
                await _is_stale(bgpmon, NET, OTHER)
                await until(lambda: _restarting(bgpmon), what="the peer to be shown as restarting")
                assert {NET, OTHER} <= set(here.table(101))
                await router.start(graceful=True)
                await _is_stale(bgpmon, NET, OTHER, stale=False)
                await ready(bgpmon)
                losses = await ping.finish()
            assert losses.lost == 0, losses
            assert await watch.mark(2) == before, "unchanged routes are not written"
            await router.kill()
            await _is_stale(bgpmon, NET, OTHER)
            await router.withdraw(OTHER)
            await router.start(graceful=True)
            await here.loses(101, OTHER)
            await watch.mark(3)
            assert not [line for line in watch.ours() if NET in line], "only what it did not announce again is gone"


@versions
async def test_a_peer_that_does_not_return_loses_its_routes_when_the_restart_time_ends(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east", graceful_restart=SHORT) as here,
        here.bird("east", NET, OTHER, graceful_restart=SHORT) as router,
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await here.gains(101, OTHER, EAST)
        await router.kill()
        await _is_stale(bgpmon, NET, OTHER)
        assert {NET, OTHER} <= set(here.table(101)), "stale is not gone"
        await here.loses(101, NET, OTHER)
        await ready(bgpmon)


@versions
async def test_a_peer_without_graceful_restart_loses_its_routes_with_its_session(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east", "twin") as here,
        here.bird("east", NET, OTHER, hold_time=3) as router,
        here.bird("twin", NET),
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST, TWIN)
        await here.gains(101, OTHER, EAST)
        await ready(bgpmon)
        await router.kill()
        await here.gains(101, NET, TWIN)
        await here.loses(101, OTHER)
        await router.start()
        await here.gains(101, NET, EAST, TWIN)
        await here.gains(101, OTHER, EAST)
        router.freeze()  # no FIN and no RST comes: only the hold time tells
        await here.gains(101, NET, TWIN)
        await here.loses(101, OTHER)
        router.thaw()
        await here.gains(101, NET, EAST, TWIN)
        await here.gains(101, OTHER, EAST)


@versions
async def test_a_stale_path_loses_to_a_fresh_one(version: str, daemon_directory: Path, wires: Wires) -> None:
    async with (
        node(version, daemon_directory, wires, "east", "twin", graceful_restart=LONG) as here,
        here.bird("east", NET, OTHER, graceful_restart=LONG) as router,
        here.bird("twin", NET, graceful_restart=LONG),
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST, TWIN)
        await here.gains(101, OTHER, EAST)
        await router.kill()
        await here.gains(101, NET, TWIN)
        assert (await _path(bgpmon, NET))["reason"] == "stale"
        await here.gains(101, OTHER, EAST)


@versions
async def test_no_stale_path_outlives_stale_after(version: str, daemon_directory: Path, wires: Wires) -> None:
    """The peer may promise any restart time; how long its word is good for is ours to say."""
    async with (
        node(version, daemon_directory, wires, "east", graceful_restart=LONG) as here,
        here.bird("east", NET, graceful_restart=LONG) as router,
        running_bgpmon(here.configuration(east={"stale_after": "3s"}), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        await router.kill()
        await _is_stale(bgpmon, NET)
        await here.loses(101, NET)
        assert (await _path(bgpmon, NET))["reason"] == "expired"
        await router.start(graceful=True)
        await here.gains(101, NET, EAST)
