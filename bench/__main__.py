"""A router's full table to the kernel, against what gobgpd alone needs to learn it: ``make bench``.

Prints one line per gobgpd generation: seconds of gobgpd alone, seconds until the last route was read back from the kernel, the
ratio of the two, and bgpmon's processor seconds and memory.  Needs root, gobgpd and BIRD; works in namespaces of its own.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.bird import BirdPeer
from lab.gobgpd import Neighbor
from tests.support.gobgpd import Gobgpd, running_gobgpd
from tests.support.netns import Namespace, namespace, veth
from tests.support.router import Bird, running_bird
from tests.support.wait import until

BGPMON = Path(sys.executable).parent / "bgpmon"
TABLE = 101
LONGEST = 300.0

CONFIG = """
node: bench
mode: auto
netns: {netns}
state_dir: {directory}/state
run_dir: {directory}/run
sources: {{fabric: {{gobgp: "{target}"}}}}
domains:
  bench:
    source: fabric
    peers: [10.1.0.1]
    interfaces: [eth0]
    table: {table}
    families: [ipv4]
    end_of_rib_wait: 2s
    import: [{{accept: any}}]
"""


def cost(pid: int) -> str:
    """Processor seconds and resident memory of a process, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return f"{seconds:.1f} s CPU, {pages * os.sysconf('SC_PAGE_SIZE') / 1e6:.0f} MB"


def installed(directory: Path) -> int:
    """Return how many routes bgpmon has read back."""
    command = [str(BGPMON), "--run-dir", str(directory / "run"), "status", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return -1
    return int(json.loads(done.stdout)["domains"][0]["families"]["ipv4"]["installed"])


async def table(bird: Bird, gobgpd: Gobgpd, count: int) -> float:
    """Announce a table of *count* routes; returns the moment when it began."""
    await bird.load(count)
    await bird.mute()
    await gobgpd.learned(0, "10.1.0.1", timeout=LONGEST)
    began = time.monotonic()
    await bird.unmute()
    return began


async def measure(
    version: str, count: int, node: Namespace, router: Namespace, base: Path, *, program: bool
) -> tuple[float, str]:
    """Return the seconds from the first announcement to the end, and what bgpmon cost."""
    neighbor = Neighbor(address="10.1.0.1", asn=65001)
    async with (
        running_gobgpd(version, base / "gobgpd", namespace=node, neighbors=[neighbor]) as gobgpd,
        running_bird(
            base / "bird",
            router,
            asn=65001,
            router_id="10.1.0.1",
            peers=[BirdPeer(name="node", address="10.1.0.2", asn=65000, local_address="10.1.0.1")],
        ) as bird,
    ):
        await gobgpd.peers_established()
        if not program:
            began = await table(bird, gobgpd, count)
            await gobgpd.learned(count, "10.1.0.1", timeout=LONGEST)
            return time.monotonic() - began, ""
        file = base / "bgpmon.yaml"
        file.write_text(CONFIG.format(netns=node.path, directory=base, target=gobgpd.target, table=TABLE))
        with (base / "bgpmon.log").open("w") as log:
            daemon = subprocess.Popen([str(BGPMON), "run", "--config", str(file)], stderr=log)
        try:
            await until(lambda: installed(base) == 0, timeout=30, what="bgpmon")
            began = await table(bird, gobgpd, count)
            await until(
                lambda: installed(base) == count, timeout=LONGEST, what=f"{count} routes in the kernel", every=0.25
            )
            return time.monotonic() - began, cost(daemon.pid)
        finally:
            daemon.terminate()
            daemon.wait(30)


async def main() -> None:
    """Measure each generation that was asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description="full table to the kernel, against gobgpd alone")
    parser.add_argument("--routes", type=int, default=100_000)
    parser.add_argument("--gobgpd", nargs="*", default=["3.10", "3.36", "4.8"])
    asked = parser.parse_args()
    for version in asked.gobgpd:
        seconds: list[float] = []
        paid = ""
        for program in (False, True):
            with (
                tempfile.TemporaryDirectory(prefix="bgpm-bench-") as directory,
                namespace("node", "bgpm-bench-") as node,
                namespace("router", "bgpm-bench-") as router,
            ):
                veth(node, router, "eth0", "eth0", ["10.1.0.2/24"], ["10.1.0.1/24"])
                took, paid = await measure(version, asked.routes, node, router, Path(directory), program=program)
                seconds.append(took)
        alone, kernel = seconds
        print(
            f"gobgpd {version}: {asked.routes:,} routes: learned in {alone:.1f} s, in the kernel in {kernel:.1f} s, "
            f"ratio {kernel / alone:.2f}; bgpmon {paid}"
        )


asyncio.run(main())
