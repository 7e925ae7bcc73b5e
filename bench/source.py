"""A source alone, without an engine: how fast each speaker tells a table that it has already, and what both sides pay.

Beside BMP stands what gobgpd's gRPC API does with the same table, and a reader that throws everything away ("unread"): that time is
the speaker's.  gobgpd writes each message by itself, so a busy reader may even be told sooner than one that is woken for each.
"""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench.consumer import Taken
from bench.full_table import LONGEST, Stage, processor_seconds, stage
from lab import frr
from lab.bird import BirdPeer
from lab.gobgpd import Neighbor
from tests.support.daemon import Daemon
from tests.support.gobgpd import running_gobgpd
from tests.support.router import running_bird
from tests.support.sender import running_sender
from tests.support.site import LEGS, STATION
from tests.support.wait import until
from tools import fetch_bird

LEG = LEGS["east"]
NAMES = {"frr": "FRR", "bird": "BIRD"}


async def source(versions: list[str], count: int) -> AsyncIterator[str]:
    """Yield one line for each speaker, and each way to hear it."""
    yield f"a source alone: {count:,} paths that the speaker has from one router; CPU of the source, and of the speaker:"
    for version in versions:
        async for line in _gobgpd(version, count):
            yield line
    for kind in NAMES:
        async for line in _sender(kind, count):
            yield line


async def _gobgpd(version: str, count: int) -> AsyncIterator[str]:
    options: dict[str, Any] = {"neighbors": [Neighbor(address=LEG.router, asn=LEG.asn)]}
    with _stage() as here:
        options["namespace"] = here.node
        async with running_gobgpd(version, here.directory / "gobgpd", **options) as gobgpd, _router(here, count):
            await gobgpd.learned(count, LEG.router, timeout=LONGEST)
            grpc, paid = await _consume("gobgp", gobgpd.target, count, gobgpd)
            yield _text(f"gobgpd {version} over gRPC", grpc, paid, count)
    with _stage() as here:
        # It notices only when it writes that a station is gone, and reports are all that it has to write.
        options |= {"namespace": here.node, "bmp": (STATION,), "bmp_statistics": 15}
        async with running_gobgpd(version, here.directory / "gobgpd", **options) as gobgpd, _router(here, count):
            await gobgpd.learned(count, LEG.router, timeout=LONGEST)
            async for line in _over_bmp(f"gobgpd {version}", here, gobgpd, count, grpc):
                yield line


async def _sender(kind: str, count: int) -> AsyncIterator[str]:
    if missing := _missing(kind):
        yield f"  {NAMES[kind]}: left out, {missing}"
        return
    with _stage() as here:
        async with running_sender(kind, here.directory / "sender", here.node, LEG.name) as sender, _router(here, count):
            await until(lambda: _learned(kind, sender) == count, timeout=LONGEST, what=f"{count} paths", every=0.5)
            async for line in _over_bmp(NAMES[kind], here, sender, count, None):
                yield line


async def _over_bmp(name: str, here: Stage, speaker: Daemon, count: int, grpc: Taken | None) -> AsyncIterator[str]:
    where = str(here.node.path)
    drained, paid = await _consume("drain", where, count, speaker)
    said = f"{drained.octets / count:.0f} octets and {drained.messages / count:.2g} messages a path"
    yield _text(f"{name} over BMP, unread", drained, paid, count, said)
    taken, paid = await _consume("bmp", where, count, speaker)
    ratios = [f"{taken.seconds / drained.seconds:.2f} x the time unread"]
    if grpc is not None:
        ratios.append(
            f"{taken.seconds / grpc.seconds:.2f} x the time and "
            f"{taken.processor_seconds / grpc.processor_seconds:.2f} x the CPU of gRPC"
        )
    yield _text(f"{name} over BMP", taken, paid, count, ", ".join(ratios))


async def _consume(how: str, where: str, count: int, speaker: Daemon) -> tuple[Taken, float]:
    """Run a consumer to its end; returns what it saw, and the processor seconds that the speaker paid meanwhile."""
    paid = await _rest(speaker)
    argv = [sys.executable, "-m", "bench.consumer", how, where, str(count)]
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(LONGEST):
            said, _ = await process.communicate()
        assert process.returncode == 0, f"{' '.join(argv)} ended with {process.returncode}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Taken(*json.loads(said)), processor_seconds(speaker.pid) - paid


async def _rest(speaker: Daemon) -> float:
    """Wait until a speaker has nothing to do any more; returns the processor seconds that it has paid."""
    before = -1.0

    def idle() -> bool:
        nonlocal before
        before, now = processor_seconds(speaker.pid), before
        return before - now <= 0.02

    await until(idle, timeout=LONGEST, what=f"{speaker.name} to be idle", every=1.0)
    return before


@contextlib.asynccontextmanager
async def _router(here: Stage, count: int) -> AsyncIterator[None]:
    peer = BirdPeer(name="node", address=LEG.node, asn=65000, local_address=LEG.router)
    directory = here.directory / "bird"
    async with running_bird(directory, here.router, asn=LEG.asn, router_id=LEG.router, peers=[peer]) as bird:
        await bird.sessions_up()
        await bird.load(count)
        yield


def _stage() -> contextlib.AbstractContextManager[Stage]:
    return stage(LEG.name, LEG.node, LEG.router)


def _missing(kind: str) -> str:
    """Return why a speaker cannot be measured here; empty if it can."""
    if kind == "frr":
        return "" if frr.BGPD.exists() else f"{frr.BGPD} is not there: tools/setup installs Debian's package frr"
    return "" if fetch_bird.CACHE.exists() else f"no BIRD with BMP in {fetch_bird.CACHE}: python3 -m tools.fetch_bird"


def _learned(kind: str, sender: Daemon) -> int:
    """Return how many paths FRR or BIRD has received, -1 while it does not say."""
    at: Path = sender.directory
    if kind == "frr":
        argv = ["vtysh", "--vty_socket", str(at), "-d", "bgpd", "-c", "show bgp ipv4 unicast summary json"]
        pattern = r'"pfxRcd":(\d+)'
    else:
        argv, pattern = (
            ["birdc", "-s", str(at / "sender.ctl"), "show", "protocols", "all", LEG.name],
            r"Import updates: +(\d+)",
        )
    found = re.search(pattern, subprocess.run(argv, capture_output=True, text=True, check=False).stdout)
    return int(found[1]) if found else -1


def _text(name: str, taken: Taken, paid: float, count: int, more: str = "") -> str:
    return (
        f"  {name:30}{taken.seconds:7.2f} s{count / taken.seconds:10,.0f} paths/s"
        f"{1e6 * taken.processor_seconds / count:7.2f} us CPU a path{paid:7.1f} s CPU of the speaker   {more}"
    ).rstrip()
