"""A daemon with a million routes: the real engine and API between a source that makes things up and a kernel in memory.

``python -m bench.million RUN_DIR`` prints a line of JSON when the table is there.  SIGUSR1 has it print how long its event loop
stood still since it was asked last, SIGUSR2 stops the churn and starts it again.
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any
from unittest import mock

from monitor import daemon
from monitor.config import Config, load
from monitor.engine import Engine
from monitor.engine.surroundings import Surroundings
from monitor.rib.attribute import AttributeTable, Origin, PathAttributes, SegmentType
from monitor.rib.path import Path, PeerId
from monitor.rib.peer import Peer, PeerFamily, SessionState
from monitor.rib.update import FeedStarted, PathAnnounced, PathWithdrawn, PeerChanged, TableComplete, Update
from programmer.fib import ForeignRoute, Ownership, TableImage
from programmer.memory import MemoryFib
from programmer.route import Family, PrefixKey, TableId

SOURCE, TABLE = "fabric", 101
PEERS = (PeerId(SOURCE, "192.0.2.1"), PeerId(SOURCE, "198.51.100.1"))
LINKS = {"eth1": "192.0.2.10/24", "eth2": "198.51.100.10/24"}
LENGTHS = {24: 60, 23: 10, 22: 12, 21: 5, 20: 5, 19: 4, 18: 2, 17: 1, 16: 1}
"""Of a hundred prefixes, how many have which length: about as on the Internet."""
SETS = 60_000
"""Distinct attribute sets of both peers together."""
TOGETHER = 2000
"""Updates that the source tells at once, as the real ones do."""
TURN = 0.02
"""Seconds between two rounds of churn."""
WITHDRAWN = 0.02
"""The part of the churn that takes a path away; what was taken is announced again a second later."""
LAPSE = 0.001
"""What the loop is asked to sleep; what it sleeps longer, it stood still for somebody else."""

_CONFIG = """
node: bench
mode: {mode}
state_dir: {state}
run_dir: {run}
reconcile: 1d
sources: {{{source}: {{gobgp: "unix://{state}/nobody.sock"}}}}
domains:
  internet:
    source: {source}
    peers: [{peers}]
    interfaces: [{links}]
    table: {table}
    metric: 200
    families: [ipv4]
    multipath: {multipath}
    end_of_rib_wait: 2s
    limit: {{ipv4: {{routes: {most}}}}}
    import: [{{accept: any}}]
approval:
  max_drift: {{operations: 5000, percent: 20}}
"""


def prefixes(count: int, dice: random.Random) -> list[PrefixKey]:
    """Return distinct prefixes, none of which is a part of what the node itself is connected to."""
    lengths, weights = list(LENGTHS), list(LENGTHS.values())
    found: dict[PrefixKey, None] = {}
    while len(found) < count:
        for length in dice.choices(lengths, weights, k=count - len(found)):
            first = dice.randrange(1, 224)
            if first in {127, 192, 198}:
                continue
            address = first << 24 | dice.getrandbits(24) >> 32 - length << 32 - length
            octets = (length + 7) // 8
            found[bytes((length,)) + address.to_bytes(4, "big")[:octets]] = None
    return list(found)


def attributes(peer: PeerId, count: int, dice: random.Random) -> list[PathAttributes]:
    """Return what a peer says with its paths: AS paths like those of the Internet, some of them of private ASes."""
    table = AttributeTable()
    next_hop = bytes(int(octet) for octet in peer.address.split("."))
    transit = [dice.randrange(1000, 60_000) for _ in range(300)] + [65001, 65010, 65023]
    found: set[PathAttributes] = set()
    while len(found) < count:
        length = dice.choice((2, 3, 3, 4, 4, 4, 5, 5, 6, 8))
        path = (64500, *dice.choices(transit, k=length - 1), dice.randrange(1000, 400_000))
        found.add(
            table.intern(
                PathAttributes(
                    next_hop,
                    as_path=((SegmentType.AS_SEQUENCE, path),),
                    origin=Origin(dice.choice((0, 0, 0, 2))),
                    med=dice.choice((None, 0, 10, 50)),
                    communities=tuple((64500 << 16) + dice.randrange(2000) for _ in range(dice.randrange(4))),
                )
            )
        )
    return list(found)


class Churning:
    """A source that tells a whole table and then goes on changing it.  ``rate`` is in paths a second, while ``on``."""

    kind = "gobgp"

    def __init__(self, count: int, rate: int, seed: int) -> None:
        self.name = SOURCE
        self.on = True
        self._rate = rate
        self._dice = random.Random(seed)
        self._keys = prefixes(count, self._dice)
        self._said = {peer: attributes(peer, SETS // len(PEERS), self._dice) for peer in PEERS}
        self._gone: list[tuple[PrefixKey, PeerId]] = []
        self.begun = asyncio.Event()

    async def updates(self) -> AsyncIterator[Sequence[Update]]:
        """See ``monitor.ports.Source``."""
        yield [FeedStarted(self.name, "made up"), *(PeerChanged(self._peer(peer)) for peer in PEERS)]
        now = int(time.time())
        for start in range(0, len(self._keys), TOGETHER // len(PEERS)):
            # Both paths of a prefix stand together, so that it is chosen once: who waits for this waits for minutes.
            keys = self._keys[start : start + TOGETHER // len(PEERS)]
            yield [self._path(key, peer, now - self._dice.randrange(86_400)) for key in keys for peer in PEERS]
        yield [TableComplete(peer, Family.IPV4, "made up") for peer in PEERS]
        await self.begun.wait()
        due, told = time.monotonic(), 0.0
        while True:
            due += TURN
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            # What a busy loop kept from being told in time is told at once, as a router does; not for ever.
            due = max(due, time.monotonic() - 1.0)
            told += self._rate * TURN if self.on else 0.0
            count, told = int(told), told - int(told)
            if count:
                yield list(self._changes(count))

    def _changes(self, count: int) -> Iterator[Update]:
        back = self._gone[: max(0, len(self._gone) - int(self._rate * WITHDRAWN))]
        del self._gone[: len(back)]
        now = int(time.time())
        for key, peer in back[:count]:
            yield self._path(key, peer, now)
        for _ in range(count - len(back)):
            key, peer = self._dice.choice(self._keys), self._dice.choice(PEERS)
            if self._dice.random() < WITHDRAWN:
                self._gone.append((key, peer))
                yield PathWithdrawn(Family.IPV4, key, peer, 0)
            else:
                yield self._path(key, peer, now)

    def _path(self, key: PrefixKey, peer: PeerId, at: int) -> PathAnnounced:
        return PathAnnounced(Family.IPV4, key, Path(peer, 0, self._dice.choice(self._said[peer]), at))

    def _peer(self, peer: PeerId) -> Peer:
        families = {Family.IPV4: PeerFamily(len(self._keys), len(self._keys), end_of_rib=True)}
        router_id = bytes((10, 255, 0, 1 + PEERS.index(peer)))
        return Peer(peer, SessionState.ESTABLISHED, asn=64500, local_asn=65000, router_id=router_id, families=families)

    def complaints(self) -> Sequence[str]:
        """None."""
        return ()

    async def refresh_peers(self) -> None:
        """The peers are as they were told."""

    async def close(self) -> None:
        """There is no connection."""

    async def disable_peer(self, peer: PeerId, communication: str) -> None:
        """Nobody is there who could."""

    async def enable_peer(self, peer: PeerId) -> None:
        """Nobody is there who could."""


class Kernel(MemoryFib):
    """A kernel in memory that is read in parts, as a real one is: the whole table at once would be one long stall."""

    async def read(self, table: TableId, family: Family, ownership: Ownership) -> TableImage:
        """See ``Fib.read``; for tables in which nothing is dead or twice."""
        image = TableImage()
        held = list(self._store(table, family).items())
        for start in range(0, len(held), TOGETHER):
            for key, routes in held[start : start + TOGETHER]:
                for protocol, forwarding in routes:
                    if protocol == ownership.protocol and forwarding.metric in ownership.metrics:
                        image.routes[key] = forwarding
                    else:
                        image.foreign[key, forwarding.metric] = ForeignRoute(protocol, forwarding)
            await asyncio.sleep(0)
        return image


class Stalls:
    """How long a loop stands still between two of its turns."""

    def __init__(self) -> None:
        self._gaps: list[float] = []

    async def watch(self) -> None:
        """Measure for ever."""
        before = time.perf_counter()
        while True:
            await asyncio.sleep(LAPSE)
            now = time.perf_counter()
            self._gaps.append(max(0.0, now - before - LAPSE))
            before = now

    def take(self) -> dict[str, float]:
        """Return what was measured since the last time, in milliseconds, and forget it."""
        gaps, self._gaps = sorted(self._gaps) or [0.0], []
        parts = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        found = {name: round(1000 * gaps[min(len(gaps) - 1, int(part * len(gaps)))], 2) for name, part in parts.items()}
        return found | {"seconds": round(sum(gaps) + len(gaps) * LAPSE, 1)}


def memory_mb(pid: int, field: str = "Rss") -> float:
    """Return what a process has in memory now (proc(5), smaps_rollup), in MB."""
    for line in FilePath(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    raise KeyError(field)


def say(**what: Any) -> None:
    """Print one line of JSON for whoever started this."""
    print(json.dumps(what), flush=True)


def configuration(run_dir: FilePath, *, mode: str, multipath: int, routes: int) -> FilePath:
    """Write the configuration and return where it is."""
    state = run_dir / "state"
    state.mkdir(parents=True, exist_ok=True)
    file = run_dir / "bgpmon.yaml"
    file.write_text(
        _CONFIG.format(
            mode=mode, state=state, run=run_dir, source=SOURCE, peers=", ".join(peer.address for peer in PEERS),
            links=", ".join(LINKS), table=TABLE, multipath=multipath, most=2 * routes + 1000,
        )
    )  # fmt: skip
    return file


async def serve(file: FilePath, source: Churning, *, installed: bool) -> None:
    """Run the daemon until SIGTERM; churn begins once everything is known, and, if it is to be, *installed*."""
    config: Config = load(file)
    fib = Kernel("bench: a kernel in memory")
    for name, address in LINKS.items():
        fib.add_link(name, address)
    stalls, began = Stalls(), time.monotonic()

    async def beside(engine: Engine) -> None:
        loop = asyncio.get_running_loop()
        state = engine.reconciler.tables[config.domains[0].table, Family.IPV4]
        while not engine.settled or (installed and (len(state.difference) or state.acknowledged)):
            await asyncio.sleep(0.1)
        loaded = time.monotonic() - began
        gc.collect()
        watching = loop.create_task(stalls.watch())
        loop.add_signal_handler(signal.SIGUSR1, lambda: say(stalls=stalls.take()))
        loop.add_signal_handler(signal.SIGUSR2, lambda: setattr(source, "on", not source.on))
        source.begun.set()
        say(ready=True, seconds=round(loaded, 1), rss_mb=round(memory_mb(os.getpid())), routes=len(state.desired))
        await watching

    with mock.patch.object(daemon, "source_of", return_value=source), daemon.locked(config):
        around = Surroundings(file.parent / "machine")
        await daemon.operate(config, fib, lambda: load(file), beside=beside, around=around)


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.million", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run_dir", type=FilePath)
    parser.add_argument("--routes", type=int, default=1_000_000)
    parser.add_argument("--churn", type=int, default=5000, help="paths a second (default: %(default)s)")
    parser.add_argument("--multipath", type=int, default=1)
    parser.add_argument("--mode", choices=["auto", "approve"], default="auto")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    daemon.start_log(sys.stderr, daemon.JsonLines())
    logging.getLogger().setLevel(logging.WARNING)
    # As the daemon itself does, when it starts.
    gc.set_threshold(20_000, 20, 1000)
    run_dir = asked.run_dir.absolute()
    file = configuration(run_dir, mode=asked.mode, multipath=asked.multipath, routes=asked.routes)

    async def run() -> None:
        source = Churning(asked.routes, asked.churn, asked.seed)
        await serve(file, source, installed=asked.mode == "auto")

    asyncio.run(run())


if __name__ == "__main__":
    main()
