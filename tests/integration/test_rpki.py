"""RPKI states of a real gobgpd, told by a cache, decide which routes a domain wants."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.routes import Announcement
from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS, Gobgpd, Neighbor, running_gobgpd
from tests.support.netns import Namespace, namespace, veth
from tests.support.router import Bird, BirdPeer, running_bird
from tests.support.rtr import Roa, RtrCache, running_cache
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
PEER, ASN = "192.0.2.2", 65001
VALID, INVALID, UNCOVERED = "10.1.1.0/24", "10.2.0.0/16", "10.3.0.0/16"
ROAS = (Roa("10.1.0.0/16", ASN, 24), Roa("10.2.0.0/16", 64999))

VALID_ONLY = "[{accept: {rpki: valid}}]"
NOT_INVALID = "[{deny: {rpki: invalid}}, {accept: any}]"


@dataclass(frozen=True, slots=True)
class Site:
    """A node with a gobgpd and its cache, and a router."""

    node: Namespace
    directory: Path
    gobgpd: Gobgpd
    bird: Bird
    cache: RtrCache

    def configuration(self, policy: str) -> str:
        """One domain with an import policy."""
        return f"""\
node: node-1
mode: auto
netns: {self.node.path}
sources:
  fabric: {{gobgp: "{self.gobgpd.target}"}}
domains:
  east:
    source: fabric
    peers: [{PEER}]
    interfaces: [east]
    table: 101
    families: [ipv4]
    end_of_rib_wait: 3s
    removal_budget: {{percent: 100, routes: 1000}}
    import: {policy}
"""

    def table(self) -> set[str]:
        """The prefixes in the kernel's table, which does not exist while it is empty."""
        done = self.node.run("ip", "-j", "route", "show", "table", "101", check=False)
        return {route["dst"] for route in json.loads(done.stdout)} if done.returncode == 0 else set()

    async def holds(self, *prefixes: str) -> None:
        """Wait until the kernel's table has exactly these prefixes."""

        def equal() -> bool:
            held = self.table()
            assert held == set(prefixes), held
            return True

        await until(equal, timeout=45, what=f"{prefixes} in table 101")


@pytest.fixture
def wires(root_namespaces: None) -> Iterator[tuple[Namespace, Namespace]]:
    """A node and a router, joined by a cable."""
    with namespace("node", "bgpm-rpki-") as node, namespace("east", "bgpm-rpki-") as east:
        veth(node, east, "east", "eth0", ["192.0.2.1/24"], [f"{PEER}/24"])
        yield node, east


@asynccontextmanager
async def site(
    version: str, directory: Path, wires: tuple[Namespace, Namespace], *, silent: bool = False
) -> AsyncIterator[Site]:
    """Everything but bgpmon; the router announces a valid, an invalid and an uncovered prefix."""
    node, east = wires
    peer = BirdPeer(name="node", address="192.0.2.1", asn=65000, local_address=PEER)
    async with (
        running_cache(node, *ROAS, silent=silent) as (cache, port),
        running_gobgpd(
            version,
            directory / "g",
            namespace=node,
            neighbors=[Neighbor(address=PEER, asn=ASN)],
            policies=f'[[rpki-servers]]\n[rpki-servers.config]\naddress = "127.0.0.1"\nport = {port}\n',
        ) as gobgpd,
        running_bird(
            directory / "e", east, asn=ASN, router_id=PEER, peers=[peer], routes=(VALID, INVALID, UNCOVERED)
        ) as bird,
    ):
        await gobgpd.learned(3, PEER)
        yield Site(node, directory, gobgpd, bird, cache)


async def states(bgpmon: Bgpmon, prefix: str) -> list[tuple[str, str]]:
    """What ``explain`` says of the paths of a prefix: RPKI state and reason."""
    shown = await bgpmon.cli("explain", prefix)
    return [(path["rpki"], path["reason"]) for path in shown["paths"]]


async def test_only_what_is_valid_is_installed_and_changes_of_roas_are_followed(
    gobgpd_version: str, daemon_directory: Path, wires: tuple[Namespace, Namespace]
) -> None:
    async with (
        site(gobgpd_version, daemon_directory, wires) as here,
        running_bgpmon(here.configuration(VALID_ONLY), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(VALID)
        assert await states(bgpmon, INVALID) == [("invalid", "policy-unmatched")]
        assert await states(bgpmon, UNCOVERED) == [("not-found", "policy-unmatched")]
        await here.bird.announce("10.1.2.0/24", "10.4.0.0/16")
        await here.holds(VALID, "10.1.2.0/24")
        await here.cache.put(Roa("10.2.0.0/16", ASN), Roa("10.3.0.0/16", ASN), Roa("10.1.2.0/24", ASN))
        await here.holds(INVALID, UNCOVERED, "10.1.2.0/24")
        assert await states(bgpmon, VALID) == [("not-found", "policy-unmatched")]


async def test_another_origin_is_another_state(
    gobgpd_version: str, daemon_directory: Path, wires: tuple[Namespace, Namespace]
) -> None:
    async with (
        site(gobgpd_version, daemon_directory, wires) as here,
        running_bgpmon(here.configuration(NOT_INVALID), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(VALID, UNCOVERED)
        assert await states(bgpmon, INVALID) == [("invalid", "policy-denied")]
        await here.bird.announce(Announcement(INVALID, as_path=(64999,)), Announcement(VALID, as_path=(64998,)))
        await here.holds(INVALID, UNCOVERED)
        shown = await bgpmon.cli("routes", "rpki=valid")
        assert [route["prefix"] for route in shown["items"]] == [INVALID]


@pytest.mark.parametrize("version", [NEWEST])
async def test_nothing_is_believed_before_a_cache_has_told_its_roas(
    version: str, daemon_directory: Path, wires: tuple[Namespace, Namespace]
) -> None:
    async with site(version, daemon_directory, wires, silent=True) as here:
        await until(lambda: here.cache.connected, timeout=60, what="gobgpd to connect to its cache")
        async with running_bgpmon(here.configuration(NOT_INVALID), daemon_directory / "b", ready=False) as bgpmon:
            await until(lambda: _denied(bgpmon), timeout=30, what="all paths to be denied", every=0.2)
            assert here.table() == set()
            warnings = (await bgpmon.cli("status"))["warnings"]
            assert any("RPKI states are not known" in warning and "0 ROAs" in warning for warning in warnings), warnings
            said = (await bgpmon.cli("explain", UNCOVERED))["verdict"]
            assert "RPKI state is not known yet" in said
            await here.cache.speak()
            await here.holds(VALID, UNCOVERED)
            warnings = (await bgpmon.cli("status"))["warnings"]
            assert not any("RPKI" in warning for warning in warnings), warnings


@pytest.mark.parametrize("version", [NEWEST])
async def test_routes_outlive_bgpmon_and_the_cache(
    version: str, daemon_directory: Path, wires: tuple[Namespace, Namespace]
) -> None:
    async with (
        site(version, daemon_directory, wires) as here,
        running_bgpmon(here.configuration(VALID_ONLY), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(VALID)
        before = here.node.ip("-d", "route", "show", "table", "101")
        await bgpmon.stop()
        # Started again, gobgpd has no ROAs and does not get any: what is valid cannot be told, so nothing is removed.
        await here.cache.close()
        await here.gobgpd.restart()
        await here.gobgpd.learned(3, PEER)
        await bgpmon.start(ready=False)
        await until(lambda: _denied(bgpmon), timeout=30, what="all paths to be denied", every=0.2)
        assert here.node.ip("-d", "route", "show", "table", "101") == before
        status = await bgpmon.cli("status")
        assert status["domains"][0]["state"] != "complete"


async def _denied(bgpmon: Bgpmon) -> bool:
    shown: list[Any] = (await bgpmon.cli("domains"))["items"]
    assert shown[0]["reasons"].get("rpki-unknown") == 3, shown
    return True
