"""A router's full table to the kernel: gobgpd alone, bgpmon on top of it by either way, and BIRD in the place of both.

Every measurement has two namespaces of its own, joined by a veth: the node, and a BIRD router that announces.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lab.bird import BirdPeer
from lab.gobgpd import Neighbor
from tests.support.daemon import Daemon
from tests.support.gobgpd import Gobgpd, running_gobgpd
from tests.support.netns import Namespace, namespace, veth
from tests.support.router import Bird, running_bird
from tests.support.site import STATION
from tests.support.wait import until

BGPMON = Path(sys.executable).parent / "bgpmon"
ROUTER, NODE = "10.1.0.1", "10.1.0.2"
ROUTER_ASN, NODE_ASN = 65001, 65000
TABLE = 101
LONGEST = 600.0
"""Seconds after which a measurement is given up."""

_BGPMON_CONFIG = """
node: bench
mode: auto
netns: {netns}
state_dir: {directory}/state
run_dir: {directory}/run
sources: {{fabric: {{{source}}}}}
domains:
  bench:
    source: fabric
    peers: [{router}]
    interfaces: [eth0]
    table: {table}
    families: [ipv4]
    end_of_rib_wait: 2s
    import: [{{accept: any}}]
"""

_BIRD_CONFIG = """
log stderr all;
router id {node};
protocol device {{}}
protocol kernel fib {{ kernel table {table}; ipv4 {{ import none; export all; }}; }}
protocol bgp upstream {{
  local {node} as {node_asn};
  neighbor {router} as {router_asn};
  connect delay time 1; connect retry time 1;
  ipv4 {{ import all; export none; }};
}}
"""


class Cost(NamedTuple):
    """Seconds from the announcement to the end, and what the process on the node paid in all."""

    seconds: float
    processor_seconds: float
    memory_mb: float


class Stage(NamedTuple):
    """Where a measurement happens."""

    node: Namespace
    router: Namespace
    directory: Path


@contextlib.contextmanager
def stage(interface: str = "eth0", node_address: str = NODE, router_address: str = ROUTER) -> Iterator[Stage]:
    """Lay out the two namespaces and a directory; all is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="bgpm-bench-") as directory,
        namespace("node", "bgpm-bench-") as node,
        namespace("router", "bgpm-bench-") as router,
    ):
        veth(node, router, interface, "eth0", [f"{node_address}/24"], [f"{router_address}/24"])
        yield Stage(node, router, Path(directory))


async def gobgpd_alone(version: str, count: int) -> Cost:
    """Measure until gobgpd has received the whole table."""
    with stage() as here:
        async with _gobgpd(version, here) as gobgpd, _router(here) as bird:
            await gobgpd.peers_established()
            began = await _announce(bird, gobgpd, count)
            await gobgpd.learned(count, ROUTER, timeout=LONGEST)
            return _cost(began, gobgpd.pid)


async def bgpmon(version: str, count: int, over: str = "gobgp") -> Cost:
    """Measure until bgpmon, which hears gobgpd over ``gobgp`` (gRPC) or ``bmp``, has read the whole table back from the kernel."""
    with stage() as here:
        async with _gobgpd(version, here, bmp=(STATION,) if over == "bmp" else ()) as gobgpd, _router(here) as bird:
            await gobgpd.peers_established()
            file = here.directory / "bgpmon.yaml"
            source = f'{over}: "{STATION if over == "bmp" else gobgpd.target}"'
            file.write_text(
                _BGPMON_CONFIG.format(
                    netns=here.node.path, directory=here.directory, source=source, table=TABLE, router=ROUTER
                )
            )
            daemon = Daemon("bgpmon", [str(BGPMON), "run", "--config", str(file)], here.directory)
            with daemon.supervised():
                daemon.launch()
                await until(lambda: _read_back(here.directory) == 0, timeout=60, what="bgpmon to hear gobgpd")
                began = await _announce(bird, gobgpd, count)
                await until(
                    lambda: _read_back(here.directory) == count, timeout=LONGEST, what=f"{count} routes", every=0.25
                )
                cost = _cost(began, daemon.pid)
                assert _in_kernel(here.node) == count
                await daemon.stop()
                return cost


async def bird_alone(count: int) -> Cost:
    """Measure until a BIRD on the node has exported the whole table to the kernel."""
    with stage() as here:
        file, socket = here.directory / "node.conf", here.directory / "node.ctl"
        file.write_text(
            _BIRD_CONFIG.format(node=NODE, router=ROUTER, table=TABLE, node_asn=NODE_ASN, router_asn=ROUTER_ASN)
        )
        argv = ["bird", "-f", "-c", str(file), "-s", str(socket), "-P", str(here.directory / "node.pid")]
        daemon = Daemon("bird-node", argv, here.directory, here.node)

        def exported() -> int:
            asked = ["birdc", "-s", str(socket), "show", "protocols", "all", "fib"]
            said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
            found = re.search(r"(\d+) exported", said)
            return int(found[1]) if found else -1

        with daemon.supervised():
            daemon.launch()
            async with _router(here) as bird:
                await bird.sessions_up()
                await _prepare(bird, count)
                await until(lambda: exported() == 0, timeout=30, what="BIRD on the node")
                began = time.monotonic()
                await bird.unmute()
                await until(lambda: exported() == count, timeout=LONGEST, what=f"{count} routes", every=0.1)
                cost = _cost(began, daemon.pid)
                assert _in_kernel(here.node) == count
                return cost


@contextlib.asynccontextmanager
async def _gobgpd(version: str, here: Stage, bmp: Sequence[str] = ()) -> AsyncIterator[Gobgpd]:
    neighbor = Neighbor(address=ROUTER, asn=ROUTER_ASN)
    directory = here.directory / "gobgpd"
    async with running_gobgpd(version, directory, namespace=here.node, neighbors=[neighbor], bmp=bmp) as gobgpd:
        yield gobgpd


@contextlib.asynccontextmanager
async def _router(here: Stage) -> AsyncIterator[Bird]:
    peer = BirdPeer(name="node", address=NODE, asn=NODE_ASN, local_address=ROUTER)
    async with running_bird(
        here.directory / "bird", here.router, asn=ROUTER_ASN, router_id=ROUTER, peers=[peer]
    ) as bird:
        yield bird


async def _prepare(bird: Bird, count: int) -> None:
    """Have the router read a table of *count* routes without telling it."""
    await bird.load(0)
    await bird.mute()
    await bird.load(count)


async def _announce(bird: Bird, gobgpd: Gobgpd, count: int) -> float:
    """Announce a table of *count* routes; returns the moment when it began."""
    await _prepare(bird, count)
    await gobgpd.learned(0, ROUTER, timeout=LONGEST)
    began = time.monotonic()
    await bird.unmute()
    return began


def _cost(began: float, pid: int) -> Cost:
    """Return the time since *began*, and what a process has paid since it was started, from /proc."""
    seconds = time.monotonic() - began
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Cost(seconds, processor_seconds(pid), pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def processor_seconds(pid: int) -> float:
    """Return what a process has paid since it was started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_back(directory: Path) -> int:
    """Return how many routes bgpmon has read back, -1 while it does not answer or does not hear gobgpd."""
    command = [str(BGPMON), "--run-dir", str(directory / "run"), "status", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return -1
    status = json.loads(done.stdout)
    if status["sources"][0]["state"] != "connected":
        return -1
    return int(status["domains"][0]["families"]["ipv4"]["installed"])


def _in_kernel(node: Namespace) -> int:
    """Return how many routes the kernel itself says the table has."""
    listing = ["ip", "-n", node.name, "-4", "route", "show", "table", str(TABLE)]
    return len(subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines())


async def compare(versions: list[str], count: int) -> AsyncIterator[str]:
    """Yield one line of the comparison after the other."""
    bird = await bird_alone(count)
    yield f"{count:,} routes from one router, seconds from its announcement to the last route:"
    yield f"  {'BIRD to the kernel':36}{_text(bird)}"
    for version in versions:
        alone = await gobgpd_alone(version, count)
        yield f"  {f'gobgpd {version} alone':36}{_text(alone)}"
        grpc = await bgpmon(version, count)
        ratios = f"{grpc.seconds / alone.seconds:.2f} x gobgpd alone, {grpc.seconds / bird.seconds:.2f} x BIRD"
        yield f"  {f'bgpmon on gobgpd {version}':36}{_text(grpc)}   {ratios}"
        bmp = await bgpmon(version, count, "bmp")
        ratios = f"{bmp.seconds / alone.seconds:.2f} x gobgpd alone, {bmp.seconds / bird.seconds:.2f} x BIRD"
        ratios += f", {bmp.seconds / grpc.seconds:.2f} x gRPC"
        yield f"  {f'bgpmon on gobgpd {version} over BMP':36}{_text(bmp)}   {ratios}"


def _text(cost: Cost) -> str:
    return f"{cost.seconds:7.2f} s   {cost.processor_seconds:6.1f} s CPU {cost.memory_mb:6.0f} MB"
