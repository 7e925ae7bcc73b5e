"""Limits on what one peer may send, on real daemons and a real kernel: warned of, frozen, torn down and opened again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.routes import Announcement
from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.gobgpd import VERSIONS
from tests.support.site import EAST, Site, Wires, both_sources, explained, node, ready, wired
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
FEW = tuple(f"10.8.{number}.0/24" for number in range(3))
MANY = tuple(f"10.8.{number}.0/24" for number in range(100, 110))
"""Three prefixes within a limit of five, and ten more."""
LIMIT = 5
MARKED: dict[str, Any] = {"graceful_restart": 20}
"""A session whose router marks the end of its first table (RFC 4724): what comes later is another burst."""


def limit(action: str, **more: object) -> dict[str, object]:
    """The keys of a domain with a limit for each of its peers."""
    return {"peer_limit": {"ipv4": {"paths": LIMIT, "action": action, **more}}}


@pytest.fixture
def wires(root_namespaces: None) -> Iterator[Wires]:
    with wired() as cables:
        yield cables


async def peer(bgpmon: Bgpmon) -> dict[str, Any]:
    """What ``peers`` says of the router."""
    (found,) = (await bgpmon.ask("peers", EAST))["items"]
    return dict(found)


async def stands(bgpmon: Bgpmon, state: str) -> None:
    """Wait until the router's limit is in this state."""

    async def said() -> bool:
        shown = (await peer(bgpmon))["families"]["ipv4"]["peer_limit"]
        assert shown["state"] == state, shown
        return True

    await until(said, what=f"the limit to be {state}")


async def warned(bgpmon: Bgpmon, *words: str, timeout: float = 15) -> None:
    """Wait until one warning has all these words."""

    async def said() -> bool:
        warnings = (await bgpmon.ask("status"))["warnings"]
        assert any(all(word in warning for word in words) for warning in warnings), warnings
        return True

    await until(said, timeout=timeout, what=f"a warning with {words}")


async def noted(bgpmon: Bgpmon, *words: str) -> None:
    """Wait until the journal has one entry with all these words."""

    async def said() -> bool:
        causes = [item["cause"] for item in (await bgpmon.ask("history"))["items"]]
        assert any(all(word in cause for word in words) for cause in causes), causes
        return True

    await until(said, what=f"a journal entry with {words}")


@both_sources
async def test_a_frozen_peer_keeps_exactly_what_it_had(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(gobgpd_version, daemon_directory, wires, "east", **MARKED) as here,
        here.bird("east", *FEW, **MARKED) as east,
    ):
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with running_bgpmon(here.configuration(east=limit("freeze")), daemon_directory / "b") as bgpmon:
                await here.holds(101, set(FEW))
                await east.announce(*MANY)
                await stands(bgpmon, "frozen")
                await warned(bgpmon, EAST, "13 ipv4 paths, limit 5", "10 prefixes not admitted")
                await noted(bgpmon, EAST, "limit 5", "nothing more is admitted")
                said = await explained(bgpmon, MANY[0], "peer-limit")
                assert "13 ipv4 paths, limit 5" in said["verdict"]
                assert [path["reason"] for path in said["paths"]] == ["peer-limit"]
                await east.announce(Announcement(FEW[0], next_hop="192.0.2.77"))
                await here.gains(101, FEW[0], "192.0.2.77")
                await here.holds(101, set(FEW))
                await watch.mark(2)
                lost = [line for line in watch.deletions() if "10.8.10" not in line]
                assert not lost, "what was there before the burst was never touched"
                await east.withdraw(*MANY[2:])
                await here.holds(101, {*FEW, *MANY[:2]})
                await stands(bgpmon, "near")
                await noted(bgpmon, EAST, "below it again")


@pytest.mark.parametrize("version", [NEWEST])
async def test_what_was_installed_stays_when_bgpmon_restarts_amid_a_flood(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(version, daemon_directory, wires, "east", **MARKED) as here,
        here.bird("east", *FEW, **MARKED) as east,
        running_bgpmon(here.configuration(east=limit("freeze")), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(101, set(FEW))
        await east.announce(*MANY)
        await stands(bgpmon, "frozen")
        await here.holds(101, set(FEW))  # what slipped in before the crossing is gone again
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            await bgpmon.kill()
            await bgpmon.start()
            await stands(bgpmon, "frozen")
            await here.holds(101, set(FEW))
            await watch.mark(2)
            assert not watch.ours()


@pytest.mark.parametrize("version", [VERSIONS[0], NEWEST])
async def test_nothing_of_a_table_beyond_the_limit_is_written(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    more = {"peer_limit": {"ipv4": {"paths": 1000, "action": "freeze"}}}
    async with node(version, daemon_directory, wires, "east") as here, here.bird("east") as east:
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            async with running_bgpmon(here.configuration(east=more), daemon_directory / "b") as bgpmon:
                await east.load(20_000)
                await here.gobgpd.learned(20_000, EAST)
                await warned(bgpmon, "20,000 ipv4 paths, limit 1,000", "20,000 prefixes not admitted")
                await ready(bgpmon)
                await watch.mark(2)
                written = [line for line in watch.ours() if "lookup" not in line and not line.startswith("Deleted")]
                assert len(written) <= 1000, "far from a full table"
                assert not here.table(101), "and nothing of it stays"
                await east.load(900)
                await stands(bgpmon, "near")
                await until(lambda: len(here.table(101)) == 900, timeout=30, what="what is within the limit")


@both_sources
async def test_warn_only_warns(gobgpd_version: str, daemon_directory: Path, wires: Wires) -> None:
    async with (
        node(gobgpd_version, daemon_directory, wires, "east") as here,
        here.bird("east", *FEW) as east,
        running_bgpmon(here.configuration(east=limit("warn")), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(101, set(FEW))
        await stands(bgpmon, "ok")
        await east.announce(MANY[0])
        await warned(bgpmon, EAST, "4 ipv4 paths, limit 5", "near it")
        await east.announce(*MANY)
        await here.holds(101, {*FEW, *MANY})
        await warned(bgpmon, EAST, "13 ipv4 paths, limit 5", "the action is warn")
        await noted(bgpmon, EAST, "ipv4 paths, limit 5: beyond it")


async def down(here: Site, bgpmon: Bgpmon, *words: str) -> None:
    """Wait until the router's session is shut at gobgpd, and bgpmon says why in these words."""

    async def said() -> bool:
        shown = await peer(bgpmon)
        assert shown["admin_state"] == "down", shown
        assert shown["state"] != "established", shown
        assert all(word in shown["last_down_reason"] for word in words), shown
        return True

    await until(said, timeout=30, what=f"the session to be shut with {words}")
    (neighbor,) = await here.gobgpd.json("neighbor")
    assert neighbor["state"]["admin_state"] in (1, 2), neighbor["state"]


async def up(here: Site, bgpmon: Bgpmon) -> None:
    """Wait until the router's session is up again, in bgpmon's eyes too."""
    await here.gobgpd.peers_established(EAST)

    async def said() -> bool:
        return bool((await peer(bgpmon))["state"] == "established")

    await until(said, what="bgpmon to see the session")


async def test_a_torn_down_session_is_opened_again_and_at_last_stays_down(
    gobgpd_version: str, daemon_directory: Path, wires: Wires
) -> None:
    action = limit("teardown", restart="3s", attempts=1)
    async with (
        node(gobgpd_version, daemon_directory, wires, "east") as here,
        here.bird("east", *FEW) as east,
        running_bgpmon(here.configuration(east=action), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(101, set(FEW))
        await east.announce(*MANY)
        await noted(bgpmon, EAST, "shut by bgpmon:", "ipv4 paths, limit 5", "restart 1")
        await here.holds(101, set())
        await noted(bgpmon, EAST, "opened again, restart 1")
        await warned(bgpmon, EAST, "it stays down after one restart", f"gobgp neighbor {EAST} enable", timeout=40)
        await down(here, bgpmon, "ipv4 paths, limit 5", "stays down")
        await ready(bgpmon)
        heard = east.log.read_text()
        assert "ipv4 paths, limit 5; opens in 3 s" in heard
        assert "ipv4 paths, limit 5; stays shut" in heard
        await here.holds(101, set())
        await east.withdraw(*MANY)
        await here.gobgpd.cli("neighbor", EAST, "enable")
        await up(here, bgpmon)
        await here.holds(101, set(FEW))
        await noted(bgpmon, EAST, "opened by somebody else")
        await noted(bgpmon, EAST, "restarts are counted anew")
        assert (await bgpmon.ask("status"))["warnings"] == []


@pytest.mark.parametrize("version", [NEWEST])
async def test_a_torn_down_session_is_opened_by_the_next_life_of_bgpmon(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    action = limit("teardown", restart="8s", attempts=1)
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", *FEW, *MANY) as east,
        running_bgpmon(here.configuration(east=action), daemon_directory / "b", ready=False) as bgpmon,
    ):
        await down(here, bgpmon, "ipv4 paths, limit 5", "restart 1")
        await bgpmon.kill()
        await east.withdraw(*MANY)
        await bgpmon.start()
        await down(here, bgpmon, "ipv4 paths, limit 5", "restart 1")
        await up(here, bgpmon)
        await here.holds(101, set(FEW))
        await noted(bgpmon, EAST, "restarts are counted anew")


@pytest.mark.parametrize("version", [NEWEST])
async def test_a_raised_limit_opens_the_session_again(version: str, daemon_directory: Path, wires: Wires) -> None:
    action = limit("teardown", restart="7d", attempts=0)
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", *FEW, *MANY),
        running_bgpmon(here.configuration(east=action), daemon_directory / "b", ready=False) as bgpmon,
    ):
        await down(here, bgpmon, "stays down")
        text = bgpmon.file.read_text()
        bgpmon.file.write_text(text.replace('"paths": 5', '"paths": 50'))
        await bgpmon.cli("reload")
        await up(here, bgpmon)
        await here.holds(101, {*FEW, *MANY})


@pytest.mark.parametrize("version", [NEWEST])
async def test_routes_of_a_torn_down_session_go_under_the_removal_budget(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    more = limit("teardown", restart="7d") | {"removal_budget": {"percent": 50, "routes": 1, "hold": "7d"}}
    async with (
        node(version, daemon_directory, wires, "east") as here,
        here.bird("east", *FEW) as east,
        running_bgpmon(here.configuration(east=more), daemon_directory / "b") as bgpmon,
    ):
        await here.holds(101, set(FEW))
        await east.announce(*MANY)
        await down(here, bgpmon, "ipv4 paths, limit 5")
        await warned(bgpmon, "removals held by the budget")
        assert set(FEW) <= here.table(101).keys()


@pytest.mark.parametrize("version", [VERSIONS[0]])
async def test_in_dry_run_no_session_is_touched(version: str, daemon_directory: Path, wires: Wires) -> None:
    async with node(version, daemon_directory, wires, "east") as here, here.bird("east", *FEW, *MANY):
        text = here.configuration("dry-run", east=limit("teardown", restart="1s"))
        async with running_bgpmon(text, daemon_directory / "b") as bgpmon:
            await warned(bgpmon, EAST, "ipv4 paths, limit 5", "would be shut, but the mode is dry-run")
            (neighbor,) = await here.gobgpd.json("neighbor")
            assert neighbor["state"]["session_state"] == 6, "the session was never touched"
            assert (await peer(bgpmon))["state"] == "established"
            assert neighbor["state"]["messages"]["sent"].get("notification", 0) == 0
