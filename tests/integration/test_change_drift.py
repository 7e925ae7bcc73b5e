"""BGP moves while people think: what is applied is a part of what they approved, and never anything else."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.routes import bulk
from monitor.engine.plans import plan_of
from monitor.errors import Stale
from tests.support.bgpmon import running_bgpmon
from tests.support.change import applied, audited, call, controlled, dump, frozen, pending, refusal, written_since
from tests.support.exabgp import ExaBgp
from tests.support.gobgpd import VERSIONS
from tests.support.site import EAST, NET, TWIN, Wires, family_status, gateways_of, node
from tests.support.wait import pass_time, until
from tests.support.watch import watching

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
MANY = [route.prefix for route in bulk(1000)]
RATE = 100
"""Changes a second of a table that churns."""


@contextlib.asynccontextmanager
async def flapping(router: ExaBgp, prefixes: list[str], rate: int, seed: int) -> AsyncIterator[list[int]]:
    """Announce and withdraw prefixes by chance, about so many a second; the list counts them."""
    dice, done, there = random.Random(seed), [0], set[str]()

    async def flap() -> None:
        while True:
            chosen = [dice.choice(prefixes) for _ in range(rate // 10)]
            router.command(
                *(
                    f"{'withdraw' if prefix in there else 'announce'} route {prefix} next-hop self"
                    for prefix in dict.fromkeys(chosen)
                )
            )
            there.symmetric_difference_update(chosen)
            done[0] += len(set(chosen))
            await pass_time(dice, 0.2)

    task = asyncio.create_task(flap())
    try:
        yield done
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_plan_whose_prefixes_were_withdrawn_expires_and_nothing_is_written(
    daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET) as router,
        running_bgpmon(controlled(here, soak={"duration": "5m"}), daemon_directory / "b") as bgpmon,
    ):
        await applied(bgpmon, 2, confirm=True)
        before = dump(here)
        await router.load(len(MANY))
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            for _ in range(3):
                digest = await frozen(bgpmon, len(MANY))
                await router.mute()
                await pending(bgpmon, 0)
                error = await refusal(bgpmon, "approve", digest)
                assert isinstance(error, Stale)
                assert (await bgpmon.ask("plan", digest))["state"] == "expired"
                await router.unmute()
                await pending(bgpmon, len(MANY))
                assert isinstance(await refusal(bgpmon, "approve", digest), Stale), "it does not come to life again"
            await watch.mark(2)
            assert not watch.ours()
        assert dump(here) == before
        digest = await frozen(bgpmon, len(MANY))
        assert (await call(bgpmon, "approve", digest))["applied"] == len(MANY)
        await audited(bgpmon)


async def test_what_is_applied_while_a_peer_flaps_is_a_part_of_the_plan(daemon_directory: Path, wires: Wires) -> None:
    flaps = [f"10.8.{number}.0/24" for number in range(60)]
    dice = random.Random(5)
    lax = {"operations": 10_000, "percent": 100}
    async with (
        node(NEWEST, daemon_directory, wires, "east", "twin") as here,
        here.bird("east") as router,
        here.exabgp("twin") as twin,
        running_bgpmon(controlled(here, max_drift=lax), daemon_directory / "b") as bgpmon,
    ):
        await router.load(len(MANY))
        await pending(bgpmon, len(MANY) + 1)
        steady, left_out, muted = set(MANY), 0, False
        async with flapping(twin, [*flaps, *MANY[:60]], RATE, seed=3) as done:
            with watching(daemon_directory, here.node) as watch:
                for number in range(8):
                    seen = await watch.mark(2 * number)
                    frozen_at = done[0]
                    await until(lambda at=frozen_at: done[0] > at + 20, what="flaps")  # type: ignore[misc]
                    document = await call(bgpmon, "freeze")
                    digest = document["digest"]
                    plan = {
                        item.prefix for item in plan_of((await call(bgpmon, "export_plan", digest))["plan"]).operations
                    }
                    if number and dice.random() < 0.5:
                        await (router.unmute() if muted else router.mute())
                        muted = not muted
                    frozen_at = done[0]
                    await until(lambda at=frozen_at: done[0] > at + 20, what="more flaps")  # type: ignore[misc]
                    try:
                        answer = await call(bgpmon, "approve", digest)
                    except Stale:
                        answer = {"applied": 0, "stale": 0}
                    await watch.mark(2 * number + 1)
                    written = written_since(watch.lines()[seen:])
                    assert set(written) <= plan, "only what was approved"
                    rules = sum("lookup" in line for line in watch.lines()[seen:])
                    assert len(written) + rules == answer["applied"], "each once"
                    left_out += answer["stale"]
        assert left_out, "something moved between freezing and approving"
        assert set(here.table(101)) <= steady | set(flaps)
        await audited(bgpmon)


async def test_a_plan_about_other_prefixes_applies_completely_while_a_large_table_churns(
    daemon_directory: Path, wires: Wires
) -> None:
    table = [route.prefix for route in bulk(20_000)]
    planned = [f"10.{64 + number // 250}.{number % 250}.0/24" for number in range(1000)]
    rules: list[dict[str, object]] = [{"match": "in 20.0.0.0/8", "decision": "auto"}, {"match": "*", "approve": 1}]
    async with (
        node(NEWEST, daemon_directory, wires, "east", "twin") as here,
        here.bird("east") as router,
        here.exabgp("twin") as twin,
        running_bgpmon(
            controlled(here, rules=rules, max_drift={"operations": 0, "percent": 0}, soak={"duration": "5m"}),
            daemon_directory / "b",
        ) as bgpmon,
    ):
        await router.load(len(table))
        await router.announce(*planned)

        async def there() -> bool:
            status = await bgpmon.ask("status")
            counts = family_status(status, "east")
            assert (counts["installed"], status["plan"]["summary"]["add"]) == (len(table), len(planned) + 1), counts
            return True

        await until(there, timeout=60, what="the large table")
        async with flapping(twin, table[:2000], RATE, seed=4) as done:
            await until(lambda: _wide(here.table(101).values()), timeout=30, what="the churn to be in the kernel")
            digest = (await call(bgpmon, "freeze", "in 10.0.0.0/8"))["digest"]
            begun = done[0]
            await until(lambda: done[0] > begun + 200, timeout=30, what="changes between freezing and approving")
            answer = await call(bgpmon, "approve", digest)
            assert (answer["state"], answer["applied"], answer["stale"]) == ("soaking", len(planned), 0), answer
            begun = done[0]
            await until(lambda: done[0] > begun + 200, timeout=30, what="changes while it soaks")
            assert (await call(bgpmon, "confirm", digest))["state"] == "confirmed"
        found = here.table(101)
        for prefix in planned:
            assert gateways_of(found[prefix]) == [EAST], prefix
        assert set(found) == {*table, *planned}
        await audited(bgpmon)


def _wide(routes: object) -> bool:
    return any(TWIN in gateways_of(route) for route in routes)  # type: ignore[attr-defined]
