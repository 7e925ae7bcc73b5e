"""The disk under the journal fills while a change is written: it goes back, the daemon lives on, and says why."""

import contextlib
from pathlib import Path

import pytest

from lab.routes import bulk
from monitor.errors import ApiError
from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.change import (
    applied,
    audited,
    becomes,
    call,
    controlled,
    dump,
    fill,
    frozen,
    refusal,
    small_disk,
)
from tests.support.gobgpd import VERSIONS
from tests.support.site import NET, Wires, node
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
MANY = [route.prefix for route in bulk(20_000)]
ROOM = 512 * 1024
"""Octets that are left when the change begins: some batches of it fit into the journal, the whole does not."""


async def test_a_disk_that_fills_while_a_change_is_written_takes_it_back(daemon_directory: Path, wires: Wires) -> None:
    directory = daemon_directory / "b"
    with small_disk(directory / "state", "32m") as disk:
        async with (
            node(NEWEST, daemon_directory, wires, "east") as here,
            here.bird("east", NET) as router,
            running_bgpmon(controlled(here, soak={"duration": "10m"}), directory) as bgpmon,
        ):
            await applied(bgpmon, 2, confirm=True)
            before = dump(here)
            await router.load(len(MANY))
            digest = await frozen(bgpmon, len(MANY))
            filler = fill(disk, ROOM)
            with watching(daemon_directory, here.node) as watch:
                seen = await watch.mark(1)
                with contextlib.suppress(ApiError):
                    answer = await call(bgpmon, "approve", digest)
                    assert answer["state"] not in {"soaking", "applied"}, answer
                await until(lambda: dump(here) == before, what="the change to be taken back")
                assert await watch.mark(2) - seen > 2 * 1000, "some of it had been written"
                bgpmon.assert_running()

                async def says_why() -> bool:
                    status = await bgpmon.ask("status")
                    assert status["change"]["in_flight"] is None
                    assert any("disk is full" in line for line in status["warnings"]), status["warnings"]
                    return True

                await until(says_why, what="the warning")
                error = await refusal(bgpmon, "freeze")
                assert "disk is full" in str(error), error
                await watch.mark(3)
                assert dump(here) == before
            filler.unlink()
            document = await becomes(bgpmon, digest, "rolled-back", timeout=20)
            assert "disk is full" in document["detail"]
            await applied(bgpmon, len(MANY), confirm=True)
            confirmed = dump(here)
            await audited(bgpmon)
            await until(lambda: _quiet(bgpmon), what="the warning to end")
            # What was taken back is decided: no later life does it again.
            await bgpmon.kill()
            await bgpmon.start()
            await until(lambda: _quiet(bgpmon), what="nothing to be undecided")
            assert dump(here) == confirmed
            await audited(bgpmon)


async def _quiet(bgpmon: Bgpmon) -> bool:
    status = await bgpmon.ask("status")
    assert not [line for line in status["warnings"] if "disk" in line or "undecided" in line], status["warnings"]
    return status["change"]["in_flight"] is None
