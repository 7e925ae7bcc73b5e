"""The way between bgpmon and gobgpd breaks, stalls, crawls and loses messages: no route is deleted for that."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.routes import bulk
from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.proxy import Detour, detour, leaking
from tests.support.router import Bird
from tests.support.site import EAST, NET, OTHER, Site, Wires, node, ready
from tests.support.wait import until
from tests.support.watch import Watch, watching

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
versions = pytest.mark.parametrize("version", [OLDEST, NEWEST])
TABLE = 20_000
CUTS = 6


@asynccontextmanager
async def _full_table(
    version: str, directory: Path, wires: Wires
) -> AsyncIterator[tuple[Site, Bird, Bgpmon, Detour, Watch]]:
    """A node that has learned a table over a detour; from then on the kernel's events are watched."""
    async with (
        node(version, directory, wires, "east", graceful_restart=60) as here,
        here.bird("east", NET, OTHER, graceful_restart=60) as router,
        detour(directory, here.gobgpd.socket) as way,
    ):
        await router.load(TABLE)
        await here.gobgpd.learned(TABLE + 2, EAST)
        async with running_bgpmon(here.configuration(target=way.target), directory / "b") as bgpmon:
            await here.holds(101, {NET, OTHER, *(route.prefix for route in bulk(TABLE))}, timeout=60)
            with watching(directory, here.node) as watch:
                await watch.mark(1)
                yield here, router, bgpmon, way, watch


async def _connected(bgpmon: Bgpmon) -> bool:
    return bool((await bgpmon.ask("status"))["sources"][0]["state"] == "connected")


async def _cut_again(way: Detour, before: int) -> None:
    """Wait until another connection than the first *before* was cut."""
    await until(lambda: way.cuts > before, timeout=30, what="a dump to be cut")


async def _only_other_is_gone(here: Site, watch: Watch) -> None:
    """Wait until the one route that was withdrawn is gone, and see that no other one was touched."""
    await here.loses(101, OTHER, timeout=60)
    await watch.mark(2)
    assert [line for line in watch.ours() if OTHER not in line] == []
    assert len(watch.deletions()) == 1


@versions
async def test_a_dump_that_is_cut_in_the_middle_deletes_nothing(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    dice = random.Random(18)
    async with _full_table(version, daemon_directory, wires) as (here, router, bgpmon, way, watch):
        whole = way.passed
        for number in range(CUTS):
            before = way.cuts
            way.cut(after=dice.randrange(whole // 10, whole - whole // 10))
            if number == 0:
                await router.withdraw(OTHER)
                await here.gobgpd.learned(TABLE + 1, EAST)
            await _cut_again(way, before)
        assert OTHER in here.table(101), "no dump was told to its end"
        assert not watch.deletions()
        assert not (await bgpmon.ask("status"))["ready"]
        way.flow()
        await ready(bgpmon)
        await _only_other_is_gone(here, watch)


@versions
async def test_a_stream_that_stalls_is_noticed_and_deletes_nothing(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with _full_table(version, daemon_directory, wires) as (here, router, bgpmon, way, watch):
        way.stall()
        await router.withdraw(OTHER)
        await here.gobgpd.learned(TABLE + 1, EAST)
        await ready(bgpmon, wanted=False)
        assert any("routes stay" in words for words in (await bgpmon.ask("status"))["warnings"])
        assert OTHER in here.table(101)
        way.flow()
        await ready(bgpmon)
        await _only_other_is_gone(here, watch)


@versions
async def test_a_stream_that_crawls_ends_with_the_truth(version: str, daemon_directory: Path, wires: Wires) -> None:
    async with _full_table(version, daemon_directory, wires) as (here, router, bgpmon, way, watch):
        way.slow(200_000)
        before = way.passed
        await router.mute()
        await until(lambda: way.passed - before > 200_000, timeout=30, what="some of the withdrawals to come")
        await router.unmute()
        await router.withdraw(OTHER)
        await here.gobgpd.learned(TABLE + 1, EAST)
        await until(lambda: way.passed - before > 600_000, timeout=30, what="more to come")
        way.flow()
        await ready(bgpmon)
        await here.holds(101, {NET, *(route.prefix for route in bulk(TABLE))}, timeout=60)
        assert not [line for line in watch.ours() if NET in line], "what stood all the time was never touched"


@pytest.mark.parametrize("version", [NEWEST])
async def test_lost_messages_are_made_up_for(version: str, daemon_directory: Path, wires: Wires) -> None:
    """What one event misses, the next comparison with gobgpd finds."""
    some = {f"10.8.{number}.0/24" for number in range(100, 150)}
    async with (
        node(version, daemon_directory, wires, "east", graceful_restart=60) as here,
        here.bird("east", NET, graceful_restart=60) as router,
        leaking(daemon_directory, here.gobgpd.target) as (leak, target),
        running_bgpmon(here.configuration(target=target, resync="10s"), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        leak.every = 10
        await router.announce(*some)
        await router.withdraw(*some)
        await router.announce(*some, OTHER)
        await here.gobgpd.learned(len(some) + 2, EAST)
        await until(lambda: leak.lost >= 5, what="messages to be lost")
        await here.holds(101, {NET, OTHER, *some}, timeout=60)
        await router.withdraw(*some)
        await here.gobgpd.learned(2, EAST)
        await here.holds(101, {NET, OTHER}, timeout=60)
        await ready(bgpmon)
