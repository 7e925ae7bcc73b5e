"""The lab comes up as its guide says, is broken and mended, and goes without a trace."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.breakage import BREAKAGES
from lab.machine import HOME, Machine
from tests.support.daemon import require_programs, unavailable
from tests.support.wait import until

ROOT = Path(__file__).resolve().parents[2]
BGPMON = Path(sys.executable).parent / "bgpmon"

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(600)]


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the lab's command, without a terminal."""
    command = [sys.executable, "-m", "lab", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=ROOT)


def ip(namespace: str, *words: str) -> str:
    """Run ``ip`` in a namespace of the lab; an empty text where the table does not exist yet."""
    command = ["ip", "-n", f"bgplab-{namespace}", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


async def bgpmon(*words: str) -> Any:
    """What a bgpmon command prints as JSON; AssertionError with its words if it failed."""
    done = await asyncio.to_thread(
        subprocess.run,
        [str(BGPMON), *words, "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "BGPMON_RUN_DIR": str(HOME / "bgpmon")},
    )
    assert done.returncode == 0, f"bgpmon {' '.join(words)} ended with {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def guide(root_namespaces: None) -> Iterator[str]:
    """A lab that runs; what it printed for its user."""
    require_programs("gobgpd", "bird", "/usr/lib/frr/bgpd", "vtysh")
    if Machine.load() is not None:
        unavailable("a lab runs on this machine, and two cannot; `make lab-down` removes it")
    made = lab("up")
    try:
        assert made.returncode == 0, made.stderr
        yield made.stdout
    finally:
        assert lab("down").returncode == 0


async def test_the_lab_is_ready_and_has_written_nothing(guide: str) -> None:
    status = await bgpmon("status")
    assert (status["mode"], status["ready"]) == ("approve", True)
    assert {domain["name"]: domain["table"] for domain in status["domains"]} == {
        "cluster": 101,
        "internet": 102,
        "storage": 103,
    }
    assert status["peers"]["up"] == 6
    assert "bgpmon status" in guide
    assert ip("node", "route", "show", "table", "102") == ""


async def test_a_second_lab_is_refused(guide: str) -> None:
    second = await asyncio.to_thread(lab, "up")
    assert second.returncode == 1
    assert "two cannot run at once" in second.stderr


async def test_an_approved_plan_carries_traffic_and_spares_the_node(guide: str) -> None:
    before = ip("node", "route", "show")
    frozen = await bgpmon("plan", "freeze")
    await bgpmon("approve", frozen["digest"])
    await until(
        lambda: "10.8.1.0/24" in ip("node", "route", "show", "table", "103"),
        timeout=60,
        what="the storage routes",
    )
    for address in ("10.8.1.1", "10.244.1.1", "192.0.2.1"):
        await until(partial(_answers, address), timeout=60, what=f"{address} to answer the pod")
    assert ip("node", "route", "show") == before
    storage = ip("node", "route", "show", "table", "103")
    for refused in ("default", "0.0.0.0/1", "128.0.0.0/1", "172.16.3.128/25", "10.10.200.0/24", "192.168."):
        assert refused not in storage


async def test_a_killed_router_is_noticed_and_comes_back(guide: str) -> None:
    assert (await asyncio.to_thread(lab, "break", "kill-router")).returncode == 0
    await until(lambda: _peers_up(4), timeout=60, what="bgpmon to see edge1 down")
    assert (await asyncio.to_thread(lab, "break", "revive-router")).returncode == 0
    await until(lambda: _peers_up(6), timeout=60, what="bgpmon to see edge1 up")


async def test_every_breakage_is_listed_and_an_unknown_one_refused(guide: str) -> None:
    listed = (await asyncio.to_thread(lab, "break", "help")).stdout
    assert len(listed.splitlines()) == len(BREAKAGES)
    unknown = await asyncio.to_thread(lab, "break", "everything")
    assert unknown.returncode == 1
    assert "kill-router" in unknown.stderr


async def _peers_up(count: int) -> bool:
    peers = (await bgpmon("status"))["peers"]
    assert peers["up"] == count, peers
    return True


async def _answers(address: str) -> bool:
    command = ["ip", "netns", "exec", "bgplab-pod", "ping", "-n", "-c", "1", "-W", "1", address]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    return done.returncode == 0
