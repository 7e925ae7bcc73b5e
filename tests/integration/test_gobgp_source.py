"""GobgpSource against real gobgpds and real routers: what it tells is what the routers hold."""

from ipaddress import ip_address

import pytest

from lab.routes import Announcement
from programmer.route import Family
from tests.support.gobgpd import reject_prefixes
from tests.support.mirror import ONE, mirroring
from tests.support.two_routers import TWO, TwoRouters, table
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel]


async def test_paths_of_both_families_come_change_and_go(gobgpd_version: str, site: TwoRouters) -> None:
    routes = [
        Announcement("10.1.0.0/16", (64496, 64497), ("65001:7",), ("64496:1:2",), med=5),
        Announcement("2001:db8:f::/48"),
    ]
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(routes=routes) as bird,
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.holds({"10.1.0.0/16", "2001:db8:f::/48"})
        await mirror.completed(ONE)
        await mirror.completed(ONE, family=Family.IPV6)
        held = mirror.path("10.1.0.0/16").attributes
        assert held.as_path_text == "65001 64496 64497"
        assert (held.communities, held.large_communities) == ((65001 << 16 | 7,), ((64496, 1, 2),))
        assert held.med == 5
        assert held.next_hop == ip_address("192.0.2.2").packed
        assert mirror.path("2001:db8:f::/48").attributes.next_hop == ip_address("2001:db8::2").packed

        await bird.announce(Announcement("10.1.0.0/16", (64499,)), "10.2.0.0/16")
        await mirror.holds({"10.1.0.0/16", "10.2.0.0/16", "2001:db8:f::/48"})
        await until(lambda: mirror.path("10.1.0.0/16").attributes.as_path_text == "65001 64499")

        await bird.withdraw("10.1.0.0/16", "2001:db8:f::/48")
        await mirror.holds({"10.2.0.0/16"})
        assert not mirror.lost


async def test_two_peers_may_announce_the_same_prefix(gobgpd_version: str, site: TwoRouters) -> None:
    routes = ["10.0.0.0/8", "0.0.0.0/0"]
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(0, routes) as one,
        site.bird(1, routes),
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.holds(set(routes), ONE)
        await mirror.holds(set(routes), TWO)
        await mirror.completed(ONE, TWO)
        await one.withdraw("0.0.0.0/0")
        await mirror.holds({"10.0.0.0/8"}, ONE)
        assert mirror.prefixes(TWO) == set(routes)


async def test_a_peer_that_dies_takes_its_paths_along(gobgpd_version: str, site: TwoRouters) -> None:
    """It speaks no graceful restart either, so it sends no End-of-RIB: time has to do."""
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(0, graceful_restart=None) as one,
        site.bird(1, ["10.9.0.0/16"]),
        mirroring(gobgpd.target, end_of_rib_wait=2.0) as mirror,
    ):
        await one.load(2000)
        await mirror.holds(table(2000))
        await mirror.completed(ONE, TWO)
        assert mirror.complete[ONE, Family.IPV4] == "session older than 2 s"
        await one.kill()
        await mirror.holds(set())
        await until(lambda: mirror.complete.get((ONE, Family.IPV4)) == "peer is down")
        assert not mirror.peers[ONE].established
        assert mirror.prefixes(TWO) == {"10.9.0.0/16"}
        assert not mirror.lost
        await one.start()
        await mirror.holds(table(2000))
        await until(lambda: mirror.complete.get((ONE, Family.IPV4)) == "session older than 2 s")


async def test_a_graceful_restart_marks_paths_stale_until_they_are_told_again(
    gobgpd_version: str, site: TwoRouters
) -> None:
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(routes=["10.1.0.0/16", "10.2.0.0/16"]) as bird,
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.completed(ONE)
        await bird.kill()
        await until(lambda: mirror.path("10.1.0.0/16").stale and mirror.path("10.2.0.0/16").stale)
        await until(lambda: mirror.peers[ONE].restarting)
        assert mirror.counts["PathWithdrawn"] == 0
        assert "peer is down" not in mirror.complete.values()
        await bird.withdraw("10.2.0.0/16")
        await bird.start(graceful=True)
        await until(lambda: not mirror.path("10.1.0.0/16").stale, timeout=40)
        await mirror.holds({"10.1.0.0/16"}, timeout=40)
        assert not mirror.lost


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_the_end_of_gobgpd_is_no_withdrawal(gobgpd_version: str, how: str, site: TwoRouters) -> None:
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(0) as one,
        site.bird(1, ["10.9.0.0/16"]),
    ):
        await one.load(20_000)
        async with mirroring(gobgpd.target) as mirror:
            await mirror.completed(ONE, TWO, timeout=60)
            # BIRD says that it has told everything while the rest of its table is still on the way.
            await mirror.holds(table(20_000), timeout=60)
            await (gobgpd.stop() if how == "stop" else gobgpd.kill())
            await until(lambda: mirror.lost)
            assert mirror.counts["PathWithdrawn"] == mirror.counts["PathRejected"] == 0
            assert len(mirror.prefixes(ONE)) == 20_000
            before = mirror.feed
            await gobgpd.start()
            await until(lambda: mirror.feed > before)
            await mirror.completed(ONE, TWO, timeout=90)
            assert mirror.prefixes(ONE) == table(20_000)
            assert mirror.prefixes(TWO) == {"10.9.0.0/16"}
            assert mirror.counts["PathWithdrawn"] == 0
            assert mirror.swept == 0


async def test_a_peer_that_stays_away_after_a_restart_is_never_called_empty(
    gobgpd_version: str, site: TwoRouters
) -> None:
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(0, ["10.1.0.0/16"]) as one,
        site.bird(1, ["10.9.0.0/16"]),
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.holds({"10.1.0.0/16"})
        await mirror.completed(ONE, TWO)
        await gobgpd.kill()
        await one.stop()
        before = mirror.feed
        await gobgpd.start()
        await until(lambda: mirror.feed > before)
        await mirror.completed(TWO, timeout=90)
        assert (ONE, Family.IPV4) not in mirror.complete
        assert mirror.prefixes(ONE) == {"10.1.0.0/16"}


async def test_what_the_import_policy_refuses_is_told_as_rejected(gobgpd_version: str, site: TwoRouters) -> None:
    async with (
        site.gobgpd(gobgpd_version, policies=reject_prefixes("bad", "10.6.0.0/16"), import_policies=["bad"]) as gobgpd,
        site.bird(routes=["10.1.0.0/16"]) as bird,
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.holds({"10.1.0.0/16"})
        await mirror.completed(ONE)
        await bird.announce("10.6.0.0/16")
        await until(lambda: ("10.6.0.0/16", ONE) in mirror.rejected)
        assert mirror.prefixes() == {"10.1.0.0/16"}
        async with mirroring(gobgpd.target) as later:
            await until(lambda: ("10.6.0.0/16", ONE) in later.rejected, timeout=60)
            assert later.prefixes() == {"10.1.0.0/16"}
            await bird.withdraw("10.6.0.0/16")
            await until(lambda: not mirror.rejected and not later.rejected)
            assert later.feed == 1
