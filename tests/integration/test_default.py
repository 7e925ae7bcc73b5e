"""The node's own default routes stay as they are, whatever its peers announce and withdraw."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.router import Bird
from tests.support.site import DEFAULT6, EAST, LEGS, NET, STATIC, Site, Wires, both_sources, explained, node
from tests.support.wait import until
from tests.support.watch import Watch, watching

pytestmark = [both_sources, pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
BOTH = ["ipv4", "ipv6"]
EAST6 = LEGS["east"].router6
HALVES = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]
"""Two halves are a default route by another name."""
LIKE_DEFAULT = ["0.0.0.0/0", "::/0", *HALVES]


def _main(wires: Wires) -> str:
    """The main tables, letter by letter."""
    return "".join(wires.node.ip(family, "-d", "route", "show", "table", "main") for family in ("-4", "-6"))


@asynccontextmanager
async def _watched(
    version: str, directory: Path, wires: Wires, **east: object
) -> AsyncIterator[tuple[Site, Bird, Bgpmon, Watch]]:
    """A node with its own defaults of both families and a peer of a domain; nothing but our tables may change."""
    wires.node.ip("route", "add", *DEFAULT6.split())
    before = _main(wires)
    assert before.count("default via") == 2
    async with (
        node(version, directory, wires, "east", families=BOTH) as here,
        here.bird("east", NET, families=BOTH) as router,
    ):
        with watching(directory, wires.node) as watch:
            await watch.mark(1)
            configuration = here.configuration(east={"families": BOTH, **east})
            async with running_bgpmon(configuration, directory / "b") as bgpmon:
                await here.gains(101, NET, EAST)
                yield here, router, bgpmon, watch
            await watch.mark(2)
            assert watch.elsewhere() == [], "nothing but our tables and rules was touched"
    assert _main(wires) == before


async def _learned(here: Site) -> None:
    """Wait until the domain's table has every default-like prefix."""
    for prefix in LIKE_DEFAULT:
        shown = {"0.0.0.0/0": "default", "::/0": "default"}.get(prefix, prefix)
        await here.gains(101, shown, EAST6 if ":" in prefix else EAST)


async def _gone(here: Site) -> None:
    """Wait until the domain's table has none of them."""
    await here.loses(101, "default", *HALVES)
    await here.loses(101, "default", *HALVES, family="ipv6")


async def test_defaults_are_refused_unless_the_domain_accepts_them(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with _watched(gobgpd_version, daemon_directory, wires, default_route="deny") as (here, router, bgpmon, watch):
        await router.announce(*LIKE_DEFAULT)
        for prefix in LIKE_DEFAULT:
            document = await explained(bgpmon, prefix, "default-route")
            assert document["desired"] is None
        await router.withdraw(*LIKE_DEFAULT)
        await router.announce("10.8.1.0/24")
        await here.gains(101, "10.8.1.0/24", EAST)
        await watch.mark(3)
        assert [line for line in watch.lines() if "default" in line or "/1 " in line] == []


async def test_an_accepted_default_lives_in_the_table_of_its_domain(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    way = wires.node.ip("route", "get", "100.64.0.1")
    async with _watched(gobgpd_version, daemon_directory, wires) as (here, router, _, _watch):
        await router.announce(*LIKE_DEFAULT)
        await _learned(here)
        assert here.node.ip("route", "get", "100.64.0.1") == way, "no rule leads other traffic into the domain's table"
        await router.withdraw(*LIKE_DEFAULT)
        await _gone(here)
        await router.announce(*LIKE_DEFAULT)
        await _learned(here)
        await router.kill()
        await _gone(here)
        await here.loses(101, NET)


@pytest.mark.parametrize("version", [NEWEST])
async def test_changing_ones_mind_about_defaults_makes_a_plan_and_no_session_reset(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with _watched(version, daemon_directory, wires, default_route="deny") as (here, router, bgpmon, _):
        await router.announce(*LIKE_DEFAULT)
        await explained(bgpmon, "8000::/1", "default-route")
        since = (await bgpmon.ask("peers"))["items"][0]["since"]
        denied = bgpmon.file.read_text()
        bgpmon.file.write_text(denied.replace('"default_route": "deny"', '"default_route": "accept"'))
        await bgpmon.cli("reload")
        await _learned(here)
        bgpmon.file.write_text(denied)
        await bgpmon.cli("reload")
        await _gone(here)
        await here.gains(101, NET, EAST)
        assert (await bgpmon.ask("peers"))["items"][0]["since"] == since


@pytest.mark.parametrize("version", [NEWEST])
@pytest.mark.parametrize("metric", [50, 200])
async def test_even_in_the_main_table_the_nodes_default_is_not_touched(
    version: str, metric: int, daemon_directory: Path, wires: Wires
) -> None:
    """At another metric the learned one stands beside it, at its own metric it is a conflict."""
    wires.node.ip("route", "del", "default")
    wires.node.ip(
        "route", "add", "default", "via", "198.51.100.254", "dev", "west", "proto", "static", "metric", metric
    )
    before = _main(wires)
    domain = {"table": "main", "rules": [], "metric": 200}
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", "0.0.0.0/0", NET) as router,
        running_bgpmon(here.configuration(east=domain), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(254, NET, EAST)
        if metric == 200:
            await explained(bgpmon, "0.0.0.0/0", "foreign-conflict")
            assert here.table(254)["default"]["protocol"] == STATIC
        else:
            await here.gains(254, "default", EAST)
        assert "west" in here.node.ip("route", "get", "100.64.0.1")
        await router.withdraw("0.0.0.0/0", NET)
        await until(lambda: _main(wires) == before, what="the main table to be as before")
