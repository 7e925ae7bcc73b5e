"""The tests' own machinery does what it says: daemons come up, announce, withdraw, die and return."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.routes import Announcement, bulk, varied
from tests.support.exabgp import ExaPeer, running_exabgp
from tests.support.frr import FrrPeer, running_frr
from tests.support.gobgpd import Gobgpd, Neighbor, reject_prefixes, running_gobgpd
from tests.support.netns import Namespace, namespace, veth
from tests.support.ping import pinging, reachable
from tests.support.router import BirdPeer, running_bird
from tests.support.tls import Certificates
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel]

NODE, ROUTER = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def cable(root_namespaces: None) -> Iterator[tuple[Namespace, Namespace]]:
    """A node and a router, joined by a cable."""
    with namespace("node", "bgps-") as node, namespace("router", "bgps-") as router:
        veth(
            node,
            router,
            "eth1",
            "eth0",
            [f"{NODE}/24", "2001:db8::1/64"],
            [f"{ROUTER}/24", "2001:db8::2/64"],
        )
        yield node, router


@asynccontextmanager
async def node_gobgpd(
    version: str, directory: Path, node: Namespace, asn: int = 65001, **more: object
) -> AsyncIterator[Gobgpd]:
    """A gobgpd in the node that waits for the router."""
    peer = Neighbor(address=ROUTER, asn=asn, graceful_restart=60, **more)  # type: ignore[arg-type]
    async with running_gobgpd(version, directory / "g", namespace=node, neighbors=[peer]) as gobgpd:
        yield gobgpd


def best_paths(table: dict[str, list[dict[str, object]]]) -> dict[str, int]:
    """The prefixes of a RIB as the client prints it, with how many paths each has."""
    return {prefix: len(paths) for prefix, paths in table.items()}


async def test_bird_announces_withdraws_and_loads_a_table(
    gobgpd_version: str, daemon_directory: Path, cable: tuple[Namespace, Namespace]
) -> None:
    node, router = cable
    peer = BirdPeer(name="node", address=NODE, asn=65000)
    route = Announcement("198.51.100.0/24", (64500, 64501), ("65001:7",), ("65001:1:2",), 5, "192.0.2.77")
    async with (
        node_gobgpd(gobgpd_version, daemon_directory, node) as gobgpd,
        running_bird(daemon_directory / "b", router, asn=65001, router_id=ROUTER, peers=[peer], routes=[route]) as bird,
    ):
        await gobgpd.peers_established()
        await gobgpd.learned(1, ROUTER)
        shown = await gobgpd.cli("global", "rib")
        for text in ("198.51.100.0/24", "192.0.2.77", "65001 64500 64501", "65001:7", "65001:1:2", "Med: 5"):
            assert text in shown

        await bird.load(2000)
        await gobgpd.learned(2001, ROUTER)
        await bird.mute()
        await gobgpd.learned(1, ROUTER)
        await bird.withdraw("198.51.100.0/24")
        await gobgpd.learned(0, ROUTER)


async def test_a_crashed_bird_that_restarts_gracefully_leaves_its_paths(
    daemon_directory: Path, cable: tuple[Namespace, Namespace]
) -> None:
    node, router = cable
    peer = BirdPeer(name="node", address=NODE, asn=65000, graceful_restart=60)
    async with (
        node_gobgpd("3.10", daemon_directory, node) as gobgpd,
        running_bird(
            daemon_directory / "b",
            router,
            asn=65001,
            router_id=ROUTER,
            peers=[peer],
            routes=["198.51.100.0/24"],
        ) as bird,
    ):
        await gobgpd.learned(1, ROUTER)
        await bird.kill()
        await until(lambda: _session_is(gobgpd, up=False), what="the session to fall")
        assert "198.51.100.0/24" in await gobgpd.cli("global", "rib")
        await bird.start(graceful=True)
        await bird.sessions_up()
        await gobgpd.learned(1, ROUTER)


async def test_a_killed_gobgpd_comes_back_empty_and_learns_again(
    gobgpd_version: str, daemon_directory: Path, cable: tuple[Namespace, Namespace]
) -> None:
    node, router = cable
    peer = BirdPeer(name="node", address=NODE, asn=65000)
    async with (
        node_gobgpd(gobgpd_version, daemon_directory, node) as gobgpd,
        running_bird(
            daemon_directory / "b",
            router,
            asn=65001,
            router_id=ROUTER,
            peers=[peer],
            routes=["198.51.100.0/24"],
        ),
    ):
        await gobgpd.learned(1, ROUTER)
        await gobgpd.kill()
        assert not gobgpd.running
        await gobgpd.start()
        await gobgpd.learned(1, ROUTER)


async def test_frr_announces_and_withdraws_without_zebra(
    daemon_directory: Path, cable: tuple[Namespace, Namespace]
) -> None:
    node, router = cable
    peer = FrrPeer(address=NODE, asn=65000)
    route = Announcement("198.51.100.0/24", (64500,), ("65001:7",), (), 5)
    async with (
        node_gobgpd("3.36", daemon_directory, node) as gobgpd,
        running_frr(daemon_directory / "f", router, asn=65001, router_id=ROUTER, peers=[peer], routes=[route]) as frr,
    ):
        await frr.sessions_up()
        await gobgpd.learned(1, ROUTER)
        shown = await gobgpd.cli("global", "rib")
        for text in ("198.51.100.0/24", "192.0.2.2", "65001 64500", "65001:7", "Med: 5"):
            assert text in shown
        await frr.announce("203.0.113.0/24")
        await gobgpd.learned(2, ROUTER)
        await frr.withdraw("198.51.100.0/24")
        await gobgpd.learned(1, ROUTER)
        await frr.restart()
        await gobgpd.learned(1, ROUTER)


async def test_exabgp_announces_what_no_router_would(
    daemon_directory: Path, cable: tuple[Namespace, Namespace]
) -> None:
    node, router = cable
    peer = ExaPeer(NODE, 65000, local_address=ROUTER)
    async with (
        node_gobgpd("4.8", daemon_directory, node) as gobgpd,
        running_exabgp(daemon_directory / "e", router, asn=65001, router_id=ROUTER, peers=[peer]) as exabgp,
    ):
        await gobgpd.peers_established()
        await exabgp.announce(
            Announcement("198.51.100.0/24", (65001, 64500), next_hop="203.0.113.9"),
            attributes="attribute [ 0x63 0xc0 0x01020304 ]",
        )
        await gobgpd.learned(1, ROUTER)
        shown = await gobgpd.cli("global", "rib")
        assert "203.0.113.9" in shown
        assert "65001 64500" in shown
        await exabgp.withdraw("198.51.100.0/24")
        await gobgpd.learned(0, ROUTER)


async def test_a_policy_rejects_a_prefix(gobgpd_version: str, daemon_directory: Path) -> None:
    async with running_gobgpd(
        gobgpd_version,
        daemon_directory / "g",
        policies=reject_prefixes("no-documentation", "198.51.100.0/24"),
        import_policies=["no-documentation"],
        multipath=True,
    ) as gobgpd:
        await gobgpd.add_path("203.0.113.0/24", "192.0.2.9")
        assert best_paths(await gobgpd.json("global", "rib")) == {"203.0.113.0/24": 1}
        await gobgpd.delete_path("203.0.113.0/24")
        assert await gobgpd.cli("global", "rib") == "Network not in table\n"


async def test_gobgpd_answers_on_loopback_with_certificates(daemon_directory: Path, certificates: Certificates) -> None:
    async with running_gobgpd("4.8", daemon_directory / "g", tcp=True, tls=certificates, client_ca=True) as gobgpd:
        assert gobgpd.tcp is not None
        assert gobgpd.running
        assert certificates.client.read_text().startswith("-----BEGIN CERTIFICATE")


async def test_a_ping_counts_what_an_absent_router_does_not_answer(
    daemon_directory: Path, cable: tuple[Namespace, Namespace]
) -> None:
    node, router = cable
    assert reachable(node, ROUTER)
    async with pinging(daemon_directory, node, ROUTER) as ping:
        await ping.answered(5)
        router.ip("addr", "del", f"{ROUTER}/24", "dev", "eth0")
        await until(lambda: not reachable(node, ROUTER), what="the router to be gone")
        router.ip("addr", "add", f"{ROUTER}/24", "dev", "eth0")
        await ping.answered(5)
        losses = await ping.finish()
    assert losses.lost > 5
    assert losses.longest_silence > 0.5
    assert losses.received >= 11


async def test_a_failing_wait_says_what_it_waited_for() -> None:
    with pytest.raises(
        AssertionError, match=r"waited 0.05 s for the moon; the last look saw AssertionError: cheese is 0"
    ):
        await until(_never, timeout=0.05, what="the moon")


def test_tables_are_exact_distinct_and_the_same_every_time() -> None:
    for make in (bulk, varied):
        for family in ("ipv4", "ipv6"):
            table = list(make(3000, family))
            assert table == list(make(3000, family))
            assert len({route.prefix for route in table}) == 3000
            assert len({route.as_path for route in table}) > 100
    assert [route.prefix for route in bulk(3)] == ["20.0.0.0/24", "20.0.1.0/24", "20.0.2.0/24"]


def _never() -> bool:
    raise AssertionError("cheese is 0")


async def _session_is(gobgpd: Gobgpd, *, up: bool) -> bool:
    return ("Establ" in await gobgpd.cli("neighbor")) is up
