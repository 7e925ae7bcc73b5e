"""Too many routes, and too many removals: what is there stays, and a person hears of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.routes import bulk
from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.site import EAST, NET, Wires, both_sources, explained, family_status, node, ready
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
LEAK = 10_000
GOOD = [f"10.8.{number}.0/24" for number in range(10)]
HELD = [f"10.9.{number}.0/24" for number in range(50)]
CAP = {"limit": {"ipv4": {"routes": 100, "action": "freeze"}}}


async def _counts(bgpmon: Bgpmon) -> dict[str, Any]:
    return family_status(await bgpmon.ask("status"), "east")


async def _warns(bgpmon: Bgpmon, words: str) -> bool:
    return any(words in warning for warning in (await bgpmon.ask("status"))["warnings"])


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
async def test_a_leak_is_frozen_out_and_nothing_partial_is_written(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east", graceful_restart=60) as here,
        here.bird("east", *GOOD, graceful_restart=60) as router,
        running_bgpmon(here.configuration(east=CAP), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(101, set(GOOD))
        await ready(bgpmon)
        await router.load(LEAK)

        async def frozen() -> bool:
            counts = await _counts(bgpmon)
            assert (counts["accepted"], counts["desired"]) == (LEAK + len(GOOD), len(GOOD)), counts
            return True

        await until(frozen, timeout=60, what="the leak to be frozen out")
        await here.holds(101, set(GOOD))
        wanted = f"{LEAK + len(GOOD):,} routes wanted, limit 100"
        await until(lambda: _warns(bgpmon, wanted), what="every route of the leak to be chosen")
        await explained(bgpmon, next(route.prefix for route in bulk(1)), "limit")
        with watching(daemon_directory, here.node) as watch:
            before = await watch.mark(1)
            await bgpmon.restart()
            await until(frozen, timeout=60, what="the leak to be frozen out again")
            assert await watch.mark(2) == before, "the last good set is adopted, not chosen anew"
            await bgpmon.cli("reload")
            await until(frozen, timeout=60, what="the leak to be frozen out after a reload")
            assert await watch.mark(3) == before
        await router.mute()
        await here.holds(101, set(GOOD))
        await until(lambda: _calm(bgpmon), timeout=60, what="the warning to end")
        await router.announce(NET.replace("10.8.0", "10.8.77"))
        await here.gains(101, "10.8.77.0/24", EAST)


async def _calm(bgpmon: Bgpmon) -> bool:
    return not await _warns(bgpmon, "limit 100")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
async def test_a_mass_removal_is_held_while_additions_flow_and_goes_when_the_hold_ends(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    budget = {"removal_budget": {"percent": 20, "routes": 100, "hold": "8s"}}
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", *HELD) as router,
        running_bgpmon(here.configuration(east=budget), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(101, set(HELD))
        await ready(bgpmon)
        await router.withdraw(*HELD[:5])
        await here.holds(101, set(HELD[5:]))
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            await router.withdraw(*HELD[5:30])
            # What came alone in the first moment may have been within the budget, with the five of before: ten of fifty.
            await until(lambda: _warns(bgpmon, "removals held by the budget"), what="the alarm")
            await _held(bgpmon, lambda count: count >= 20)
            await router.announce(*GOOD)
            await until(lambda: set(GOOD) <= here.table(101).keys(), what="additions to flow while removals are held")
            assert (await _counts(bgpmon))["held"] >= 20
            assert len(watch.deletions()) <= 5
            await here.holds(101, {*HELD[30:], *GOOD})
        await until(lambda: _releases(bgpmon), what="the alarm to end")


async def _held(bgpmon: Bgpmon, like: Callable[[int], bool]) -> int:
    """Wait until the number of removals that wait is as wanted and no longer moves; returns it."""
    seen: list[int] = []

    async def settled() -> bool:
        seen.append((await _counts(bgpmon))["held"])
        assert like(seen[-1]), seen[-1]
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    await until(settled, what="the number of held removals to settle")
    return seen[-1]


async def _releases(bgpmon: Bgpmon) -> bool:
    return not await _warns(bgpmon, "held by the budget") and (await _counts(bgpmon))["held"] == 0


@pytest.mark.parametrize("version", [NEWEST])
async def test_a_held_removal_is_released_by_a_person_or_by_the_routes_that_return(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    budget = {"removal_budget": {"percent": 20, "routes": 100, "hold": "1h"}}
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", *HELD) as router,
        running_bgpmon(here.configuration(east=budget), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(101, set(HELD))
        await ready(bgpmon)
        await router.withdraw(*HELD[:30])
        await until(lambda: _warns(bgpmon, "removals held by the budget"), what="the alarm")
        held = await _held(bgpmon, lambda count: 20 <= count <= 30)
        await router.announce(*HELD[:10])
        await until(lambda: set(HELD[:10]) <= here.table(101).keys(), what="the routes that returned")
        held = await _held(bgpmon, lambda count: 10 <= count <= held)
        frozen = await bgpmon.cli("plan", "freeze")
        assert frozen["summary"] == {"add": 0, "change": 0, "remove": held}
        await bgpmon.cli("approve", frozen["digest"])
        await here.holds(101, {*HELD[:10], *HELD[30:]})
        await until(lambda: _releases(bgpmon), what="the alarm to end")
