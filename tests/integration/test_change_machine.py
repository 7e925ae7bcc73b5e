"""Change control on the real kernel: what is written is what was approved, and the way back leads where everything began."""

import asyncio
import dataclasses
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from monitor.change.clock import ClockState
from monitor.config import Config, Overrides
from monitor.config.loader import load_octets
from monitor.config.model import SoakConfig
from monitor.engine import ChangeControl, Engine, EngineControl, EngineFeed
from monitor.errors import BadRequest, Refused, Stale
from monitor.rib.attribute import AttributeTable, PathAttributes, SegmentType
from monitor.rib.path import Path as BgpPath
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer, PeerFamily, SessionState
from monitor.rib.update import FeedStarted, PathAnnounced, PathWithdrawn, PeerChanged, TableComplete
from programmer.fib import Ownership, WriteResult
from programmer.journal import Journal
from programmer.netlink import LinuxFib
from programmer.plan import Gate, Operation
from programmer.reconciler import Reconciler
from programmer.route import Family, Forwarding, PrefixKey, key_of
from tests.contract.stage import METRIC, OTHER, OURS, TABLE, LinuxStage, linux_stage, net
from tests.support.scenario_stage import ScriptedSource, complete_file
from tests.support.wait import until

pytestmark = pytest.mark.kernel

PREFIXES = ["10.8.0.0/16", "10.8.1.0/24", "10.9.0.0/16", "0.0.0.0/1"]
PEERS = {"east": "10.1.0.2", "west": "10.2.0.2"}
FILE = complete_file({
    "mode": "approve",
    "approval": {"rules": [{"match": "*", "approve": 1}], "max_drift": {"operations": 1000}},
    "domains": {"one": {
        "peers": list(PEERS.values()), "interfaces": list(PEERS), "table": int(TABLE), "import": [{"accept": "any"}],
        "rules": [{"from": "10.244.0.0/16", "priority": 1200}], "default_lengths": {"ipv4": 1},
    }},
})  # fmt: skip


def configuration(soak: float) -> Config:
    """The configuration, with a soak that is shorter than people may have it."""
    config = load_octets("bgpmon.yaml", yaml.safe_dump(FILE).encode(), Overrides(), {}).config
    watch = SoakConfig(duration=soak, most=10 * soak) if soak else None
    return dataclasses.replace(config, approval=dataclasses.replace(config.approval, soak=watch))


class Node:
    """A daemon over the real kernel, and what its two peers announce; it may be killed and begun again."""

    def __init__(self, stage: LinuxStage, file: Path, soak: float) -> None:
        self.stage = stage
        self.file = file
        self.soak = soak
        self.truth: dict[str, dict[str, BgpPath]] = {name: {} for name in PEERS}
        self.attributes = AttributeTable()
        self._work: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin a life on the journal of the last one."""
        config = configuration(self.soak)
        self.fib = await LinuxFib.open(str(self.stage.node.path))
        self.journal = Journal(str(self.file))
        self.source = ScriptedSource("fabric", "gobgp")
        self.reconciler = Reconciler(self.fib, self.journal, OURS, Gate.APPROVE)
        self.engine = Engine(config, [(self.source, "scripted")], self.reconciler, self.journal)
        self.reconciler.links_changed = self.engine.links_changed
        self.change = ChangeControl(self.engine, None, lambda: ClockState(synchronised=True, text="set by the test"))
        self.feed = EngineFeed(self.engine, self.change, description=self.fib.description)
        self.control = EngineControl(self.engine, self.feed, self.change, lambda: config)
        works = (self.reconciler.run(), self.engine.run(), self.change.conductor.run())
        self._work = [asyncio.create_task(work) for work in works]
        await until(self.change.conductor.recovered.is_set, what="the daemon to have taken back what was undecided")

    async def kill(self, *more: asyncio.Task[Any]) -> None:
        """End it where it is, *more* tasks of it too: what it still tries reaches neither the kernel nor the journal."""
        await self.fib.close()
        self.journal.close()
        soak = self.change.conductor._soak
        tasks = [*self._work, *more, *([soak] if soak else [])]
        while not all(task.done() for task in tasks):
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)

    def tell(self) -> None:
        """The peers are up, and tell all that they have."""
        families = {family: PeerFamily() for family in Family}
        peers = [
            Peer(PeerId("fabric", address), SessionState.ESTABLISHED, asn=65001, local_asn=65000,
                 router_id=net(f"{address}/32").network_address.packed, families=families)
            for address in PEERS.values()
        ]  # fmt: skip
        self.source.tell(FeedStarted("fabric", "scripted speaker"), *map(PeerChanged, peers))
        for name in PEERS:
            for prefix, path in self.truth[name].items():
                self.source.tell(PathAnnounced(Family.IPV4, key_of(net(prefix)), path))
        self.source.tell(*(TableComplete(peer.id, family, "End-of-RIB") for peer in peers for family in Family))

    async def announce(self, name: str, prefix: str, pref: int = 100) -> None:
        """A peer announces a prefix; returns when it is desired."""
        attributes = PathAttributes(
            net(f"{PEERS[name]}/32").network_address.packed,
            as_path=((SegmentType.AS_SEQUENCE, (65001,)),),
            local_pref=pref,
        )
        path = BgpPath(PeerId("fabric", PEERS[name]), 0, self.attributes.intern(attributes), 1000)
        self.truth[name][prefix] = path
        self.source.tell(PathAnnounced(Family.IPV4, key_of(net(prefix)), path))
        await self.quiet()

    async def withdraw(self, name: str, prefix: str) -> None:
        """A peer withdraws a prefix."""
        if self.truth[name].pop(prefix, None) is not None:
            self.source.tell(PathWithdrawn(Family.IPV4, key_of(net(prefix)), PeerId("fabric", PEERS[name]), 0))
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until what was told is desired, and what the kernel has is known."""

        async def same() -> bool:
            state = self.reconciler.tables[TABLE, Family.IPV4]
            wanted = {key_of(net(prefix)) for paths in self.truth.values() for prefix in paths}
            return wanted == set(state.desired) and state.image.routes == await self.installed()

        await until(same, what="the daemon to know everything")

    async def installed(self) -> dict[PrefixKey, Forwarding]:
        """What the kernel has of ours, asked anew."""
        return dict((await self.fib.read(TABLE, Family.IPV4, Ownership(OURS, frozenset({METRIC})))).routes)

    def dump(self) -> list[str]:
        """Every route of the table, and the rules that lead there, in the words of ``ip``."""
        routes = self.stage.node.ip("route", "show", "table", int(TABLE)).splitlines()
        rules = [line for line in self.stage.node.ip("rule", "show").splitlines() if f"lookup {int(TABLE)}" in line]
        return sorted(line.strip() for line in (*routes, *rules))

    async def freeze(self) -> str:
        answer: Any = await self.control.freeze("alice")
        return str(answer["digest"])

    def state_of(self, digest: str) -> str:
        return self.journal.plans(digest)[0].state

    async def ends(self, digest: str, state: str) -> None:
        """Wait until a plan is in a state that does not change any more."""
        await until(lambda: self.state_of(digest) == state, what=f"the plan to be {state}")


@asynccontextmanager
async def node(tmp_path: Path, soak: float) -> AsyncIterator[Node]:
    """A node whose daemon has heard two peers that announce nothing yet."""
    async with linux_stage() as stage:
        made = Node(stage, tmp_path / "journal.db", soak)
        await made.start()
        try:
            made.tell()
            await made.quiet()
            yield made
        finally:
            await made.kill()


async def settled(made: Node) -> None:
    """Announce three prefixes, and have them and the rule approved for good."""
    for prefix in PREFIXES[:3]:
        await made.announce("east", prefix)
    digest = await made.freeze()
    await made.control.approve(digest, "alice")
    await made.control.confirm(digest, "alice")
    await made.quiet()
    assert len(made.dump()) == 4


async def everything_changes(made: Node) -> str:
    """Freeze a plan that adds, changes and removes."""
    await made.announce("west", PREFIXES[0], 200)
    await made.withdraw("east", PREFIXES[1])
    await made.announce("west", PREFIXES[3])
    return await made.freeze()


@pytest.mark.parametrize("how", ["deadline", "rollback", "kill"])
async def test_the_way_back_leads_to_the_very_table_of_before(how: str, tmp_path: Path) -> None:
    async with node(tmp_path, 1.0 if how == "deadline" else 60.0) as made:
        await settled(made)
        before = made.dump()
        digest = await everything_changes(made)
        answer: Any = await made.control.approve(digest, "alice")
        assert (answer["state"], answer["applied"], answer["failed"], answer["stale"]) == ("soaking", 3, 0, 0)
        between = made.dump()
        assert len(set(between) ^ set(before)) == 4
        if how == "rollback":
            await made.control.roll_back("", "alice")
        elif how == "kill":
            await made.kill()
            assert made.dump() == between, "the routes outlive the daemon"
            await made.start()
        await made.ends(digest, "rolled-back")
        assert made.dump() == before
        if how == "kill":
            made.tell()
        await made.quiet()
        assert made.dump() == before, "BGP wants it still, and nobody approved it anew"
        progress: Any = await made.feed.plan(digest)
        assert progress["progress"]["reverted"]["clean"]
        assert made.journal.verify().ok


async def test_what_others_changed_meanwhile_stays(tmp_path: Path) -> None:
    async with node(tmp_path, 60.0) as made:
        await settled(made)
        digest = await everything_changes(made)
        await made.control.approve(digest, "alice")
        await made.kill()
        made.stage.node.ip(
            *f"route replace {PREFIXES[0]} via 10.1.0.9 metric {METRIC} proto {OTHER} table {TABLE}".split()
        )
        made.stage.put("10.77.0.0/16", "10.1.0.9", metric=METRIC, protocol=OTHER)
        await made.start()
        await made.ends(digest, "rolled-back")
        routes = [line for line in made.dump() if "lookup" not in line]
        assert [line.split()[:3] for line in routes] == [
            ["10.77.0.0/16", "via", "10.1.0.9"],
            ["10.8.0.0/16", "via", "10.1.0.9"],
            ["10.8.1.0/24", "via", "10.1.0.2"],
            ["10.9.0.0/16", "via", "10.1.0.2"],
        ]
        shown: Any = await made.feed.plan(digest)
        assert not shown["progress"]["reverted"]["clean"]


def subset(before: dict[PrefixKey, Forwarding], after: dict[PrefixKey, Forwarding], allowed: set[Operation]) -> None:
    """Assert that what lies between two images is part of what was approved."""
    for at in before.keys() | after.keys():
        if before.get(at) != after.get(at):
            assert Operation(TABLE, Family.IPV4, at, before.get(at), after.get(at)) in allowed


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_the_kernel_has_what_was_approved(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    async with node(tmp_path, 1.5) as made:
        await settled(made)
        for _ in range(6):
            for _ in range(2):
                name, prefix = dice.choice(list(PEERS)), dice.choice(PREFIXES)
                await (
                    made.announce(name, prefix, dice.choice((100, 200)))
                    if dice.random() < 0.6
                    else made.withdraw(name, prefix)
                )
            operations = {item for item in made.reconciler.live_operations() if item.table == TABLE}
            if not operations:
                continue
            digest = await made.freeze()
            accident = dice.choice(("none", "drop", "foreign", "withdraw"))
            where = dice.choice(PREFIXES)
            if accident == "drop" and key_of(net(where)) in await made.installed():
                made.stage.drop(where, metric=METRIC)
                await made.quiet()
            elif accident == "foreign":
                made.stage.put(f"10.{dice.randrange(100, 200)}.0.0/16", "10.1.0.9", metric=METRIC, protocol=OTHER)
            elif accident == "withdraw":
                await made.withdraw("west", where)
            before, text = await made.installed(), made.dump()
            try:
                await made.control.approve(digest, "alice")
            except (Stale, Refused, BadRequest):
                assert made.dump() == text, "a plan that is refused writes nothing"
                continue
            subset(before, await made.installed(), operations)
            ending = dice.choice(("confirm", "deadline", "kill", "rollback"))
            kept = await made.installed() if ending == "confirm" else before
            await ENDINGS[ending](made, digest)
            await made.ends(digest, "confirmed" if ending == "confirm" else "rolled-back")
            assert await made.installed() == kept
            if ending != "confirm":
                assert made.dump() == text
            await made.quiet()
        assert made.journal.verify().ok


async def _confirm(made: Node, digest: str) -> None:
    await made.control.confirm(digest, "alice")


async def _roll_back(made: Node, digest: str) -> None:
    await made.control.roll_back(digest, "alice")


async def _kill(made: Node, _digest: str) -> None:
    await made.kill()
    await made.start()
    made.tell()


async def _deadline(made: Node, digest: str) -> None:
    deadline = made.change.conductor.flight
    assert deadline is not None
    assert deadline.progress.deadline > time.time(), "it soaks still"
    await made.ends(digest, "rolled-back")


ENDINGS: dict[str, Callable[[Node, str], Any]] = {
    "confirm": _confirm,
    "rollback": _roll_back,
    "kill": _kill,
    "deadline": _deadline,
}


async def test_a_kill_between_a_batch_and_its_answer_leads_back_to_the_beginning(tmp_path: Path) -> None:
    many = [f"10.{64 + number // 256}.{number % 256}.0/24" for number in range(2500)]
    async with node(tmp_path, 60.0) as made:
        await settled(made)
        before = made.dump()
        path = next(iter(made.truth["east"].values()))
        made.truth["east"] |= dict.fromkeys(many, path)
        made.source.tell(*(PathAnnounced(Family.IPV4, key_of(net(prefix)), path) for prefix in many))
        await made.quiet()
        digest = await made.freeze()
        write, calls = Reconciler.write_batch, itertools.count(1)

        async def hangs(self: Reconciler, batch: Sequence[Operation]) -> list[WriteResult]:
            results = await write(self, batch)
            if next(calls) == 2:
                written.set()
                await asyncio.Event().wait()
            return results

        written = asyncio.Event()
        with mock.patch.object(Reconciler, "write_batch", hangs):
            approving = asyncio.create_task(made.control.approve(digest, "alice"))
            await written.wait()
            assert len(made.dump()) == len(before) + 2000
            await made.kill(approving)
        assert len(made.dump()) == len(before) + 2000
        await made.start()
        await made.ends(digest, "rolled-back")
        assert made.dump() == before
