"""GobgpSource under load: floods, silence, slow consumers and tables that are too large."""

import asyncio
from ipaddress import ip_network

import pytest

from monitor.gobgp import feed, source
from tests.support.mirror import ONE, mirroring
from tests.support.two_routers import TwoRouters, table
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel]


async def test_routes_announced_exactly_while_connecting_are_all_told(gobgpd_version: str, site: TwoRouters) -> None:
    async with site.gobgpd(gobgpd_version) as gobgpd, site.bird() as bird:
        await bird.load(5000)
        wanted = table(5000)
        for _ in range(10):
            await bird.mute()
            await gobgpd.learned(0, "192.0.2.2")
            async with mirroring(gobgpd.target) as mirror:
                await asyncio.gather(bird.unmute(), until(lambda: mirror.feed))
                await mirror.holds(wanted)
                await mirror.completed(ONE)
                assert mirror.prefixes() == wanted
                assert not mirror.lost


async def test_a_flood_is_met_with_a_new_dump(
    gobgpd_version: str, site: TwoRouters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BUSY_RATE", 100)
    monkeypatch.setattr(feed, "RELOAD_RATE", 10_000_000)
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird() as bird,
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.completed(ONE)
        await bird.load(60_000)
        await mirror.holds(table(60_000), timeout=90)
        await mirror.completed(ONE, timeout=60)
        assert mirror.feed > 1
        assert not mirror.lost
        await bird.mute()
        await mirror.holds(set(), timeout=90)
        assert not mirror.lost


async def test_everything_is_told_again_from_time_to_time(gobgpd_version: str, site: TwoRouters) -> None:
    async with site.gobgpd(gobgpd_version) as gobgpd, site.bird() as bird:
        await bird.load(500)
        async with mirroring(gobgpd.target, resync=1.0) as mirror:
            await until(lambda: mirror.feed >= 3)
            await mirror.completed(ONE)
            assert mirror.prefixes() == table(500)
            assert mirror.counts["PathAnnounced"] >= 1000
            assert (mirror.swept, mirror.lost, mirror.counts["PathWithdrawn"]) == (0, [], 0)


async def test_a_gobgpd_that_hangs_is_lost_and_found_again(
    gobgpd_version: str, site: TwoRouters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "SILENCE", 2.0)
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(routes=["10.1.0.0/16"], hold_time=240),
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.holds({"10.1.0.0/16"})
        await mirror.completed(ONE)
        gobgpd.freeze()
        await until(lambda: mirror.lost, timeout=30)
        assert "no answer" in mirror.lost[0]
        assert mirror.counts["PathWithdrawn"] == 0
        gobgpd.thaw()
        await mirror.completed(ONE, timeout=60)
        assert mirror.prefixes() == {"10.1.0.0/16"}


async def test_a_consumer_that_sleeps_costs_bounded_memory_and_is_told_everything_later(
    gobgpd_version: str, site: TwoRouters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PATIENCE", 1.0)
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird() as bird,
        mirroring(gobgpd.target, waiting_limit=1000) as mirror,
    ):
        await mirror.completed(ONE)
        mirror.paused.clear()
        await bird.load(8000)
        await gobgpd.learned(8000, "192.0.2.2")
        await until(lambda: "took nothing" in mirror.source._cause)
        assert len(mirror.source._outbox) < 20, "what waits about paths is dropped"
        mirror.paused.set()
        await until(lambda: any("fell behind" in cause or "took nothing" in cause for cause in mirror.lost))
        await mirror.holds(table(8000), timeout=60)
        await mirror.completed(ONE, timeout=60)


async def test_a_table_too_large_for_one_message_is_read_prefix_by_prefix(
    site: TwoRouters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a speaker before 3.27 sends tables in one piece."""
    monkeypatch.setattr("monitor.gobgp.client.Client.__init__.__defaults__", (None, 200_000))
    async with site.gobgpd("3.10") as gobgpd, site.bird() as bird:
        await bird.load(3000)
        await gobgpd.learned(3000, "192.0.2.2")
        async with mirroring(gobgpd.target) as mirror:
            await mirror.completed(ONE, timeout=60)
            assert mirror.prefixes() == table(3000)
            await bird.announce("10.1.0.0/16")
            await mirror.holds(table(3000) | {"10.1.0.0/16"})
            assert not mirror.lost


def test_prefixes_of_a_bulk_table_are_canonical() -> None:
    """Mirror compares texts, so the table's own must be the kernel's."""
    assert all(str(ip_network(prefix)) == prefix for prefix in table(100))
