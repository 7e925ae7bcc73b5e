"""The engine as a whole: what it wants is the choice over what is true, and nothing goes before everything is known."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import Engine
from monitor.rib.decision import best_first
from monitor.rib.path import Path, PeerId
from monitor.rib.update import FeedLost, FeedStarted, PathAnnounced, PathWithdrawn, PeerChanged, TableComplete, Update
from programmer.fib import Verb
from programmer.journal import Journal
from programmer.memory import MemoryFib
from programmer.plan import Gate
from programmer.reconciler import Reconciler
from programmer.route import Family, NextHop, PrefixKey, TableId
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, ScriptedSource, Stage
from tests.unit.monitor.engine.build import config
from tests.unit.monitor.rib.build import candidate, key, packed

V4, V6 = Family.IPV4, Family.IPV6
TABLE = TableId(101)
DOMAIN = {"peers": ["192.0.2.0/28"], "interfaces": ["eth1"], "table": 101, "import": [{"accept": "any"}]}
WIDE = {"removal_budget": {"percent": 100, "routes": 1000}}
A, B = key("10.1.0.0/16"), key("10.2.0.0/16")


def on_stage(play: Callable[[Stage], Awaitable[None]], **more: object) -> None:
    """Run *play* on a started stage whose domain has the keys *more* too."""

    async def main() -> None:
        stage = Stage({"domains": {"storage": DOMAIN | WIDE | more}})
        for number in (1, 2):
            name = PeerId("fabric", f"192.0.2.{number}")
            stage.routers[f"r{number}"] = Router(name, router_id=f"10.255.0.{number}")
        await stage.start()
        try:
            await play(stage)
        finally:
            await stage.stop()

    run_without_waiting(main)


def desired(stage: Stage, family: Family = V4) -> dict[PrefixKey, tuple[NextHop, ...]]:
    return {one: value.next_hops for one, value in stage.engine.domains["storage"].desired[family].items()}


async def come_up(stage: Stage, *prefixes: str) -> None:
    """Both routers come up; the first one announces *prefixes*; everything is told."""
    stage.start_feed("fabric")
    for router in stage.routers.values():
        stage.set_session(router, up=True)
    first = stage.routers["r1"]
    stage.announce(first, prefixes, stage.path(first, 1000.0))
    for router in stage.routers.values():
        stage.complete(router)
    await stage.settle()


def test_ready_means_that_every_table_is_read_and_every_domain_told() -> None:
    async def play(stage: Stage) -> None:
        assert not stage.engine.ready
        stage.start_feed("fabric")
        await stage.settle()
        stage.complete(stage.routers["r1"])
        await stage.settle()
        assert not stage.engine.ready, "the other peer has not told its table"
        stage.complete(stage.routers["r2"])
        await stage.settle()
        assert stage.engine.ready
        stage.lose_feed("fabric")
        await stage.settle()
        assert not stage.engine.ready

    on_stage(play)


def test_source_without_peers_of_a_domain_is_waited_for_until_stale_after() -> None:
    async def play(stage: Stage) -> None:
        stage.routers.clear()
        stage.start_feed("fabric")
        await stage.settle(290)
        assert not stage.engine.ready
        await stage.settle(20)
        assert stage.engine.ready

    on_stage(play, stale_after="5m")


def test_peer_that_speaks_one_family_is_not_waited_for_in_the_other() -> None:
    async def play(stage: Stage) -> None:
        for router in stage.routers.values():
            router.families = (V4,)
        stage.start_feed("fabric")
        for router in stage.routers.values():
            stage.set_session(router, up=True)
            stage.tell(router, TableComplete(router.id, V4, "End-of-RIB"))
        await stage.settle()
        assert stage.engine.ready

    on_stage(play)


def test_peer_that_comes_later_is_waited_for() -> None:
    async def play(stage: Stage) -> None:
        await come_up(stage, "10.1.0.0/16")
        later = Router(PeerId("fabric", "192.0.2.3"), up=True)
        stage.tell(later, PeerChanged(later.peer))
        await stage.settle()
        assert not stage.engine.ready
        stage.complete(later)
        await stage.settle()
        assert stage.engine.ready

    on_stage(play)


def test_paths_of_a_peer_nobody_has_spoken_of_are_used_all_the_same() -> None:
    async def play(stage: Stage) -> None:
        stranger = stage.routers.pop("r2")
        await come_up(stage)
        stage.announce(stranger, ["10.1.0.0/16"], stage.path(stranger, 1000.0))
        await stage.settle()
        assert desired(stage) == {A: (NextHop(packed("192.0.2.2"), 2),)}
        assert not stage.engine.ready, "whether that was everything nobody knows"

    on_stage(play)


def test_address_of_a_peer_is_protected_from_other_peers() -> None:
    async def play(stage: Stage) -> None:
        await come_up(stage, "10.77.0.9/32")
        assert key("10.77.0.9/32") in desired(stage)
        other = Router(PeerId("fabric", "10.77.0.9"), up=True)
        stage.tell(other, PeerChanged(other.peer))
        await stage.settle()
        assert desired(stage) == {}

    # It is in no domain, and yet a session that must live.
    on_stage(play)


def test_address_of_a_peer_that_is_only_heard_is_protected_too() -> None:
    async def play(stage: Stage) -> None:
        await come_up(stage, "10.77.0.9/32")
        stranger = Router(PeerId("fabric", "10.77.0.9"))
        stage.announce(stranger, ["10.5.0.0/16"], stage.path(stranger, 1000.0))
        await stage.settle()
        assert desired(stage) == {}

    on_stage(play)


def test_changed_router_id_chooses_anew() -> None:
    async def play(stage: Stage) -> None:
        await come_up(stage, "10.1.0.0/16")
        second = stage.routers["r2"]
        stage.announce(second, ["10.1.0.0/16"], stage.path(second, 1000.0))
        await stage.settle()
        assert desired(stage)[A][0].gateway == packed("192.0.2.1")
        second.router_id = "10.0.0.1"
        stage.set_session(second, up=True)
        await stage.settle()
        assert desired(stage)[A][0].gateway == packed("192.0.2.2")

    on_stage(play)


def test_history_tells_of_sessions_and_feeds() -> None:
    async def play(stage: Stage) -> None:
        await come_up(stage)
        stage.set_session(stage.routers["r1"], up=False)
        stage.lose_feed("fabric")
        await stage.settle()
        causes = [row["cause"] for row in stage.journal.history("", 100)]
        assert "peer: 192.0.2.1: active -> established" in causes
        assert "peer: 192.0.2.1: established -> active" in causes
        assert "feed: fabric: lost: the stream broke" in causes

    on_stage(play)


def test_describe_names_the_domain_that_wants_a_route() -> None:
    async def play(stage: Stage) -> None:
        await come_up(stage, "10.1.0.0/16")
        assert stage.engine.describe(TABLE, V4, A) == "storage"
        assert stage.engine.describe(TABLE, V4, B) == "storage", "the first domain of the table"
        assert stage.engine.domain_of_table(TableId(999)) == ""

    on_stage(play)


async def test_engine_without_a_running_loop_can_be_driven_step_by_step() -> None:
    fib = MemoryFib()
    fib.add_link("eth1", "192.0.2.5/24")
    journal = Journal(":memory:")
    reconciler = Reconciler(fib, journal, 196, Gate.DRY_RUN)
    engine = Engine(config(), [(ScriptedSource("fabric", "gobgp"), "scripted")], reconciler, journal)
    reconciler.links_changed = engine.links_changed
    state = engine.sources["fabric"]
    engine.apply(state, FeedStarted("fabric", "nobody"))
    engine.apply(state, PathAnnounced(V4, A, candidate("192.0.2.1").path))
    await reconciler.step()
    await engine.choose_slice()
    engine.judge_completeness()
    assert A in engine.domains["storage"].desired[V4]
    assert reconciler.tables[TABLE, V4].desired.keys() == {A}
    assert not reconciler.tables[TABLE, V4].removals_allowed
    journal.close()


def test_end_of_a_source_is_the_end_of_the_engine() -> None:
    """A source follows its speaker for ever; one that fails is a bug, and takes the daemon down where it is seen."""

    class Broken(ScriptedSource):
        def updates(self) -> AsyncIterator[Sequence[Update]]:
            raise ValueError("a bug")

    async def main() -> None:
        journal = Journal(":memory:")
        reconciler = Reconciler(MemoryFib(), journal, 196, Gate.DRY_RUN)
        engine = Engine(config(), [(Broken("fabric", "gobgp"), "scripted")], reconciler, journal)
        async with asyncio.timeout(60):
            await engine.run()

    with pytest.raises(ExceptionGroup) as raised:
        run_without_waiting(main)
    assert raised.group_contains(ValueError, match="a bug")


# Whatever happens


@dataclass
class World:
    """What is true, what the source has told of it, and what of it is in doubt."""

    stage: Stage
    truth: dict[str, dict[PrefixKey, Path]] = field(default_factory=lambda: {"r1": {}, "r2": {}})
    alive: bool = False
    told: set[str] = field(default_factory=set)
    retold: dict[str, dict[PrefixKey, Path]] = field(default_factory=dict)

    def tell(self, name: str, *updates: Update) -> None:
        self.stage.tell(self.stage.routers[name], *updates)

    def announce(self, name: str, one: PrefixKey, local_pref: int) -> None:
        router = self.stage.routers[name]
        path = self.stage.path(router, 1000.0, local_pref=local_pref)
        self.truth[name][one] = path
        if self.alive:
            self.retold[name][one] = path
            self.tell(name, PathAnnounced(V4, one, path))

    def withdraw(self, name: str, one: PrefixKey) -> None:
        self.truth[name].pop(one, None)
        if self.alive:
            self.retold[name].pop(one, None)
            self.tell(name, PathWithdrawn(V4, one, self.stage.routers[name].id, 0))

    def lose(self) -> None:
        if self.alive:
            self.alive = False
            self.told.clear()
            self.tell("r1", FeedLost("fabric", "the stream broke"))

    def start(self) -> None:
        if not self.alive:
            self.alive, self.retold = True, {"r1": {}, "r2": {}}
            peers = [PeerChanged(router.peer) for router in self.stage.routers.values()]
            self.tell("r1", FeedStarted("fabric", "the speaker"), *peers)

    def tell_some(self, name: str, count: int) -> None:
        """A part of what was not told again yet is told."""
        if self.alive:
            left = [one for one in self.truth[name] if one not in self.retold[name]]
            for one in left[:count]:
                self.retold[name][one] = self.truth[name][one]
                self.tell(name, PathAnnounced(V4, one, self.truth[name][one]))

    def complete(self, name: str) -> None:
        if self.alive and name not in self.told:
            self.tell_some(name, len(self.truth[name]))
            self.told.add(name)
            peer = self.stage.routers[name].id
            self.tell(name, *(TableComplete(peer, family, "End-of-RIB") for family in Family))

    @property
    def complete_now(self) -> bool:
        """Everything has been told since the stream began."""
        return self.alive and self.told == {"r1", "r2"}

    def choice(self) -> dict[PrefixKey, tuple[NextHop, ...]]:
        """What a domain wants that sees all that is true."""
        found: dict[PrefixKey, tuple[NextHop, ...]] = {}
        for one in {one for paths in self.truth.values() for one in paths}:
            candidates = [
                candidate(
                    path.peer.address,
                    local_pref=path.attributes.local_pref,
                    router_id=self.stage.routers[name].router_id,
                )
                for name, paths in self.truth.items()
                if (path := paths.get(one)) is not None
            ]
            best = candidates[best_first(candidates)[0].candidate]
            found[one] = (NextHop(best.path.attributes.next_hop, 2),)
        return found


KEYS = [key(f"10.{number}.0.0/16") for number in range(1, 6)]
ROUTERS = st.sampled_from(("r1", "r2"))
MOVES = st.one_of(
    st.tuples(st.just("announce"), ROUTERS, st.integers(0, 4), st.sampled_from((100, 200))),
    st.tuples(st.just("withdraw"), ROUTERS, st.integers(0, 4), st.just(0)),
    st.tuples(st.just("lose"), ROUTERS, st.just(0), st.just(0)),
    st.tuples(st.just("start"), ROUTERS, st.just(0), st.just(0)),
    st.tuples(st.just("tell some"), ROUTERS, st.integers(1, 3), st.just(0)),
    st.tuples(st.just("complete"), ROUTERS, st.just(0), st.just(0)),
    st.tuples(st.just("restart"), ROUTERS, st.just(0), st.just(0)),
    st.tuples(st.just("settle"), ROUTERS, st.just(0), st.just(0)),
)


async def look(world: World, seen: int) -> int:
    """Let the daemon work, and hold what it did since *seen* writes against what it could know; returns the new count."""
    await world.stage.settle()
    deletes = [write for write in world.stage.kernel.asked[seen:] if write.verb is Verb.DELETE]
    assert world.complete_now or not deletes, f"deleted before everything was known: {deletes}"
    if world.complete_now:
        assert desired(world.stage) == world.choice()
    return len(world.stage.kernel.asked)


async def go_through(stage: Stage, moves: list[tuple[str, str, int, int]]) -> None:
    world = World(stage)
    for router in stage.routers.values():
        router.up = True
    world.start()
    for number, one in enumerate(KEYS[:4]):
        world.announce(("r1", "r2")[number % 2], one, 100)
    for name in ("r1", "r2"):
        world.complete(name)
    await stage.settle()
    seen = len(stage.kernel.asked)
    for move, name, number, preference in moves:
        if move in {"lose", "restart"}:
            # What was told while everything was known may be acted upon; from here on it is another time.
            seen = await look(world, seen)
        match move:
            case "announce":
                world.announce(name, KEYS[number], preference)
            case "withdraw":
                world.withdraw(name, KEYS[number])
            case "lose":
                world.lose()
            case "start":
                world.start()
            case "tell some":
                world.tell_some(name, number)
            case "complete":
                world.complete(name)
            case "restart":
                world.alive = False
                world.told.clear()
                await stage.restart()
        if move == "settle" or not world.complete_now:
            seen = await look(world, seen)
    world.start()
    for name in ("r1", "r2"):
        world.complete(name)
    await stage.settle(10)
    assert desired(stage) == world.choice()
    image = stage.reconciler.tables[TABLE, V4].image
    assert {one: value.next_hops for one, value in image.routes.items()} == world.choice()
    assert (await stage.routes(101)).keys() == {f"10.{one[2]}.0.0/16" for one in world.choice()}


@settings(max_examples=150, deadline=None)
@given(st.lists(MOVES, min_size=3, max_size=25))
def test_whatever_happens_the_end_is_the_choice_and_nothing_goes_too_early(
    moves: list[tuple[str, str, int, int]],
) -> None:
    async def play(stage: Stage) -> None:
        await go_through(stage, moves)

    on_stage(play)
