"""GobgpSource against real gobgpds and real routers: what it tells is what the routers hold."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import grpc.aio
import pytest

from lab.routes import Announcement, bulk
from monitor.errors import SourceError, SourceRefused
from monitor.gobgp import feed, source
from monitor.gobgp.client import Tls
from monitor.gobgp.source import GobgpSource
from monitor.rib.path import Path as BgpPath
from monitor.rib.path import PeerId
from monitor.rib.peer import AdminState, Peer
from monitor.rib.update import (
    FeedLost,
    FeedStarted,
    PathAnnounced,
    PathRejected,
    PathWithdrawn,
    PeerChanged,
    PeerGone,
    TableComplete,
    Update,
)
from programmer.route import Family, text_of
from tests.support.gobgpd import Gobgpd, Neighbor, reject_prefixes, running_gobgpd
from tests.support.netns import Namespace, namespace, veth
from tests.support.router import BirdPeer, ExaPeer, FrrPeer, running_bird, running_exabgp, running_frr
from tests.support.tls import Certificates, make_certificates
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel]

ONE, TWO = PeerId("fabric", "192.0.2.2"), PeerId("fabric", "198.51.100.2")


class Mirror:
    """A consumer that keeps what it is told, sweeping as the port says."""

    def __init__(self, made: GobgpSource) -> None:
        self.source = made
        self.paths: dict[tuple[str, PeerId, int], tuple[int, BgpPath]] = {}
        self.rejected: dict[tuple[str, PeerId], BgpPath] = {}
        self.peers: dict[PeerId, Peer] = {}
        self.complete: dict[tuple[PeerId, Family], str] = {}
        self.lost: list[str] = []
        self.counts: Counter[str] = Counter()
        self.swept = 0
        self.feed = 0
        self.paused = asyncio.Event()
        self.paused.set()

    def apply(self, update: Update) -> None:
        self.counts[type(update).__name__] += 1
        match update:
            case FeedStarted():
                self.feed += 1
                self.complete.clear()
            case FeedLost(_, cause):
                self.lost.append(cause)
                self.complete.clear()
            case PeerChanged(peer):
                self.peers[peer.id] = peer
            case PeerGone(gone):
                del self.peers[gone]
            case PathAnnounced(family, key, path):
                self.rejected.pop((text_of(family, key), path.peer), None)
                self.paths[text_of(family, key), path.peer, path.path_id] = (self.feed, path)
            case PathWithdrawn(family, key, peer, path_id):
                self.rejected.pop((text_of(family, key), peer), None)
                self.paths.pop((text_of(family, key), peer, path_id), None)
            case PathRejected(family, key, path):
                self.paths.pop((text_of(family, key), path.peer, path.path_id), None)
                self.rejected[text_of(family, key), path.peer] = path
            case TableComplete(peer, family, proof):
                self.complete[peer, family] = proof
                self._sweep(peer, family)

    def _sweep(self, peer: PeerId, family: Family) -> None:
        old = [
            name
            for name, (told_in, _) in self.paths.items()
            if name[1] == peer and told_in < self.feed and (":" in name[0]) is (family is Family.IPV6)
        ]
        for name in old:
            del self.paths[name]
        self.swept += len(old)

    async def follow(self) -> None:
        async with aclosing(self.source.updates()) as updates:
            async for batch in updates:
                for update in batch:
                    self.apply(update)
                await self.paused.wait()

    def prefixes(self, peer: PeerId = ONE) -> set[str]:
        return {prefix for prefix, held_by, _ in self.paths if held_by == peer}

    def path(self, prefix: str, peer: PeerId = ONE, path_id: int = 0) -> BgpPath:
        assert (prefix, peer, path_id) in self.paths, f"{prefix} of {peer} is not among {len(self.paths)} paths"
        return self.paths[prefix, peer, path_id][1]

    async def completed(self, *peers: PeerId, family: Family = Family.IPV4, timeout: float = 30) -> None:
        await until(
            lambda: all((peer, family) in self.complete for peer in peers),
            timeout=timeout,
            what=f"complete tables of {peers}; lost: {self.lost[-1:]}",
        )

    async def holds(self, wanted: set[str], peer: PeerId = ONE, timeout: float = 30) -> None:
        def equal() -> bool:
            held = self.prefixes(peer)
            assert held == wanted, f"missing {sorted(wanted - held)[:5]}, surplus {sorted(held - wanted)[:5]}"
            return True

        await until(equal, timeout=timeout, what=f"{len(wanted)} prefixes of {peer.address}")


@asynccontextmanager
async def mirroring(target: str, tls: Tls | None = None, **pace: float) -> AsyncIterator[Mirror]:
    """Follow a gobgpd; nothing of it is left behind at the end."""
    made = GobgpSource("fabric", target, tls=tls, **({"end_of_rib_wait": 20.0} | pace))  # type: ignore[arg-type]
    mirror = Mirror(made)
    others = asyncio.all_tasks()
    task = asyncio.create_task(mirror.follow())
    try:
        yield mirror
    finally:
        mirror.paused.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await made.close()
    left = {one.get_name() for one in asyncio.all_tasks() - others if "fabric" in one.get_name()}
    assert not left, left


class Site:
    """A node with two routers."""

    def __init__(self, node: Namespace, routers: Sequence[Namespace], directory: Path) -> None:
        self.node = node
        self.routers = routers
        self.directory = directory

    def gobgpd(self, version: str, **more: object):  # type: ignore[no-untyped-def]
        """A gobgpd that waits for both routers."""
        shape: dict[str, object] = {"families": ("ipv4", "ipv6"), "graceful_restart": 20}
        shape |= more.pop("neighbor", {})  # type: ignore[arg-type]
        peers = [
            Neighbor(address=address, asn=asn, **shape)  # type: ignore[arg-type]
            for address, asn in (("192.0.2.2", 65001), ("198.51.100.2", 65002))
        ]
        return running_gobgpd(
            version,
            self.directory / "g",
            namespace=self.node,
            neighbors=peers,
            **more,  # type: ignore[arg-type]
        )

    def bird(self, number: int = 0, routes: Sequence[Announcement | str] = (), **more: object):  # type: ignore[no-untyped-def]
        """One of the routers."""
        network = ("192.0.2", "198.51.100")[number]
        shape: dict[str, object] = {
            "families": ("ipv4", "ipv6"),
            "graceful_restart": 20,
            "next_hops": (("ipv6", f"2001:db8:{number}::2"),),
        }
        peer = BirdPeer(name="node", address=f"{network}.1", asn=65000, **(shape | more))  # type: ignore[arg-type]
        return running_bird(
            self.directory / f"b{number}",
            self.routers[number],
            asn=65001 + number,
            router_id=f"{network}.2",
            peers=[peer],
            routes=routes,
        )


@pytest.fixture
def site(daemon_directory: Path) -> Iterator[Site]:
    with (
        namespace("node", "bgpm-gob-") as node,
        namespace("one", "bgpm-gob-") as one,
        namespace("two", "bgpm-gob-") as two,
    ):
        veth(
            node,
            one,
            "eth1",
            "eth0",
            ["192.0.2.1/24", "2001:db8:0::1/64"],
            ["192.0.2.2/24", "2001:db8:0::2/64"],
        )
        veth(
            node, two, "eth2", "eth0",
            ["198.51.100.1/24", "2001:db8:1::1/64"], ["198.51.100.2/24", "2001:db8:1::2/64"],
        )  # fmt: skip
        yield Site(node, [one, two], daemon_directory)


def table(count: int) -> set[str]:
    """The prefixes that ``Bird.load`` announces."""
    return {route.prefix for route in bulk(count)}


async def test_paths_of_both_families_come_change_and_go(gobgpd_version: str, site: Site) -> None:
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


async def test_two_peers_may_announce_the_same_prefix(gobgpd_version: str, site: Site) -> None:
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


async def test_a_peer_that_dies_takes_its_paths_along(gobgpd_version: str, site: Site) -> None:
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


async def test_a_graceful_restart_marks_paths_stale_until_they_are_told_again(gobgpd_version: str, site: Site) -> None:
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
async def test_the_end_of_gobgpd_is_no_withdrawal(gobgpd_version: str, how: str, site: Site) -> None:
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(0) as one,
        site.bird(1, ["10.9.0.0/16"]),
    ):
        await one.load(20_000)
        async with mirroring(gobgpd.target) as mirror:
            await mirror.completed(ONE, TWO, timeout=60)
            assert mirror.prefixes(ONE) == table(20_000)
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


async def test_a_peer_that_stays_away_after_a_restart_is_never_called_empty(gobgpd_version: str, site: Site) -> None:
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


async def test_what_the_import_policy_refuses_is_told_as_rejected(gobgpd_version: str, site: Site) -> None:
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


async def test_routes_announced_exactly_while_connecting_are_all_told(gobgpd_version: str, site: Site) -> None:
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


async def test_a_flood_is_met_with_a_new_dump(gobgpd_version: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_everything_is_told_again_from_time_to_time(gobgpd_version: str, site: Site) -> None:
    async with site.gobgpd(gobgpd_version) as gobgpd, site.bird() as bird:
        await bird.load(500)
        async with mirroring(gobgpd.target, resync=1.0) as mirror:
            await until(lambda: mirror.feed >= 3)
            await mirror.completed(ONE)
            assert mirror.prefixes() == table(500)
            assert mirror.counts["PathAnnounced"] >= 1000
            assert (mirror.swept, mirror.lost, mirror.counts["PathWithdrawn"]) == (0, [], 0)


async def test_a_gobgpd_that_hangs_is_lost_and_found_again(
    gobgpd_version: str, site: Site, monkeypatch: pytest.MonkeyPatch
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
    gobgpd_version: str, site: Site, monkeypatch: pytest.MonkeyPatch
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
    site: Site, monkeypatch: pytest.MonkeyPatch
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


async def test_frr_is_a_peer_like_any_other(gobgpd_version: str, site: Site) -> None:
    peer = FrrPeer(address="192.0.2.1", asn=65000, graceful_restart=20)
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        running_frr(
            site.directory / "f", site.routers[0], asn=65001, router_id="192.0.2.2", peers=[peer],
            routes=["10.1.0.0/16"],
        ) as frr,
        mirroring(gobgpd.target) as mirror,
    ):  # fmt: skip
        await mirror.completed(ONE, timeout=60)
        assert mirror.path("10.1.0.0/16").attributes.as_path_text == "65001"
        await frr.announce("10.2.0.0/16")
        await mirror.holds({"10.1.0.0/16", "10.2.0.0/16"})
        await frr.withdraw("10.1.0.0/16")
        await mirror.holds({"10.2.0.0/16"})


async def test_several_paths_of_one_peer_are_told_apart(gobgpd_version: str, site: Site) -> None:
    peer = ExaPeer(address="192.0.2.1", asn=65000, local_address="192.0.2.2", add_paths=True)
    async with (
        site.gobgpd(gobgpd_version, neighbor={"add_paths": True, "families": ("ipv4",)}) as gobgpd,
        running_exabgp(site.directory / "e", site.routers[0], asn=65001, router_id="192.0.2.2", peers=[peer]) as exabgp,
        mirroring(gobgpd.target) as mirror,
    ):
        await gobgpd.peers_established("192.0.2.2")
        for number in (1, 2):
            await exabgp.announce(
                Announcement("10.1.0.0/16", med=number), attributes=f"path-information 0.0.0.{number}"
            )
        await until(lambda: len(mirror.paths) == 2)
        assert [mirror.path("10.1.0.0/16", path_id=one).attributes.med for one in (1, 2)] == [1, 2]
        async with mirroring(gobgpd.target) as later:
            await until(lambda: later.paths.keys() == mirror.paths.keys())
        await exabgp.withdraw("10.1.0.0/16", attributes="path-information 0.0.0.1")
        await until(lambda: [path_id for _, _, path_id in mirror.paths] == [2])


async def test_an_unnumbered_peer_is_named_by_interface_and_its_next_hop_by_itself(
    gobgpd_version: str, site: Site
) -> None:
    node, router = site.node, site.routers[0]
    node.ip("addr", "add", "fe80::1/64", "dev", "eth1", "nodad")
    router.ip("addr", "add", "fe80::2/64", "dev", "eth0", "nodad")
    router.ip("-6", "addr", "flush", "dev", "eth0", "scope", "link")
    router.ip("addr", "add", "fe80::2/64", "dev", "eth0", "nodad")
    node.run("ping", "-6", "-c1", "-w5", "fe80::2%eth1")
    local = next(
        word.partition("/")[0]
        for word in node.ip("-6", "-o", "addr", "show", "dev", "eth1", "scope", "link").split()
        if word.startswith("fe80:")
    )
    neighbor = Neighbor(interface="eth1", asn=65001, families=("ipv6",), graceful_restart=20)
    peer = BirdPeer(name="node", address=local, asn=65000, interface="eth0", families=("ipv6",), graceful_restart=20)
    async with (
        running_gobgpd(gobgpd_version, site.directory / "g", namespace=node, neighbors=[neighbor]) as gobgpd,
        running_bird(
            site.directory / "b", router, asn=65001, router_id="192.0.2.2", peers=[peer],
            routes=["2001:db8:f::/48"],
        ),
        mirroring(gobgpd.target) as mirror,
    ):  # fmt: skip
        one = PeerId("fabric", "fe80::2%eth1")
        await mirror.completed(one, family=Family.IPV6, timeout=60)
        assert mirror.peers[one].interface == "eth1"
        assert mirror.path("2001:db8:f::/48", one).attributes.next_hop == ip_address("fe80::2").packed


async def test_a_session_is_shut_and_opened_and_both_are_verified(gobgpd_version: str, site: Site) -> None:
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(routes=["10.1.0.0/16"]),
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.holds({"10.1.0.0/16"})
        await mirror.source.disable_peer(ONE, "maintenance")
        assert mirror.peers[ONE].admin_state is AdminState.DOWN or await until(
            lambda: mirror.peers[ONE].admin_state is AdminState.DOWN
        )
        await mirror.holds(set())
        await mirror.source.enable_peer(ONE)
        await mirror.holds({"10.1.0.0/16"}, timeout=60)
        with pytest.raises(SourceError, match=r"192\.0\.2\.77"):
            await mirror.source.disable_peer(PeerId("fabric", "192.0.2.77"), "nobody")


async def test_a_peer_that_is_deleted_is_gone(gobgpd_version: str, site: Site) -> None:
    async with (
        site.gobgpd(gobgpd_version) as gobgpd,
        site.bird(routes=["10.1.0.0/16"]),
        mirroring(gobgpd.target) as mirror,
    ):
        await mirror.holds({"10.1.0.0/16"})
        await gobgpd.cli("neighbor", "del", "192.0.2.2")
        await mirror.holds(set())

        async def gone() -> bool:
            await mirror.source.refresh_peers()
            return ONE not in mirror.peers

        await until(gone)
        assert TWO in mirror.peers
        assert not mirror.lost


async def test_loopback_tcp_is_a_way_in(gobgpd_version: str, tmp_path: Path) -> None:
    async with running_gobgpd(gobgpd_version, tmp_path, tcp=True) as gobgpd:
        await gobgpd.add_path("10.1.0.0/16", "192.0.2.9")
        async with mirroring(gobgpd.tcp or "") as mirror:
            await until(lambda: mirror.source.ignored.get("local"))
            assert not mirror.paths


@pytest.mark.parametrize("version", ["3.36", "4.8"])
async def test_mutual_tls_is_a_way_in(version: str, tmp_path: Path, certificates: Certificates) -> None:
    tls = Tls(certificates.ca, certificates.client, certificates.client_key)
    async with (
        running_gobgpd(version, tmp_path, tcp=True, tls=certificates, client_ca=True) as gobgpd,
        mirroring(gobgpd.tcp or "", tls) as mirror,
    ):
        await until(lambda: mirror.feed, what=f"a feed; lost: {mirror.lost}")


async def test_a_strange_authority_is_explained(tmp_path: Path, certificates: Certificates) -> None:
    other = make_certificates(tmp_path / "other")
    tls = Tls(other.ca, certificates.client, certificates.client_key)
    async with (
        running_gobgpd("4.8", tmp_path / "g", tcp=True, tls=certificates, client_ca=True) as gobgpd,
        mirroring(gobgpd.tcp or "", tls) as mirror,
    ):
        await until(lambda: mirror.lost)
        assert "ca" in mirror.lost[0]
        assert "certificate" in mirror.lost[0]
        assert not mirror.feed


def test_an_insecure_remote_target_is_refused() -> None:
    with pytest.raises(SourceRefused, match="neither a unix socket nor a loopback address"):
        GobgpSource("fabric", "192.0.2.1:50051")


async def test_another_grpc_service_is_not_taken_for_gobgp() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with mirroring(f"127.0.0.1:{port}") as mirror:
            await until(lambda: mirror.lost)
            assert "is not GoBGP 3 or 4" in mirror.lost[0]
    finally:
        await server.stop(None)


async def test_something_that_is_no_grpc_is_reported_and_tried_again() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, mirroring(f"127.0.0.1:{port}") as mirror:
        await until(lambda: mirror.lost, timeout=30)
        assert f"127.0.0.1:{port}" in mirror.lost[0]


async def test_a_gobgpd_that_is_not_there_yet_is_waited_for(gobgpd_version: str, tmp_path: Path) -> None:
    socket = tmp_path / "gobgpd.sock"
    async with mirroring(f"unix://{socket}") as mirror:
        await until(lambda: mirror.lost)
        assert f"is gobgpd running with --api-hosts unix://{socket}" in mirror.lost[0]
        async with running_gobgpd(gobgpd_version, tmp_path) as gobgpd:
            assert isinstance(gobgpd, Gobgpd)
            await until(lambda: mirror.feed)


def test_prefixes_of_a_bulk_table_are_canonical() -> None:
    """Mirror compares texts, so the table's own must be the kernel's."""
    assert all(str(ip_network(prefix)) == prefix for prefix in table(100))
