"""GobgpSource and peers of every kind: FRR, several paths, unnumbered, shut, deleted."""

from ipaddress import ip_address

import pytest

from lab.routes import Announcement
from monitor.errors import SourceError
from monitor.rib.path import PeerId
from monitor.rib.peer import AdminState
from programmer.route import Family
from tests.support.exabgp import ExaPeer, running_exabgp
from tests.support.frr import FrrPeer, running_frr
from tests.support.gobgpd import Neighbor, running_gobgpd
from tests.support.mirror import ONE, mirroring
from tests.support.router import BirdPeer, running_bird
from tests.support.two_routers import TWO, TwoRouters
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel]


async def test_frr_is_a_peer_like_any_other(gobgpd_version: str, site: TwoRouters) -> None:
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


async def test_several_paths_of_one_peer_are_told_apart(gobgpd_version: str, site: TwoRouters) -> None:
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
    gobgpd_version: str, site: TwoRouters
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


async def test_a_session_is_shut_and_opened_and_both_are_verified(gobgpd_version: str, site: TwoRouters) -> None:
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


async def test_a_peer_that_is_deleted_is_gone(gobgpd_version: str, site: TwoRouters) -> None:
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
