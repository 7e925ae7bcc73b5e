"""Whatever comes between the updates: the kernel ends as the configuration and the truth say, or as a person approved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import Refused, Stale
from monitor.rib.decision import best_first
from monitor.rib.path import Path, PeerId
from programmer.fib import Verb
from programmer.route import Forwarding, NextHop, TableId, text_of
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, Stage
from tests.unit.monitor.rib.build import candidate, packed

ROUTERS = {"r1": ("192.0.2.1", "eth1"), "r2": ("198.51.100.1", "eth2"), "r3": ("203.0.113.1", "eth3")}
PREFIXES = [f"10.{number}.0.0/16" for number in range(1, 5)]
NARROW = {"prefix": "10.0.0.0/14", "le": 16}
"""An import condition that leaves 10.4.0.0/16 out."""
FOREIGN = "192.0.2.99"
"""Where somebody else's routes lead: over eth1, the link that is never taken down."""


def domain(table: int, peers: list[str], **more: Any) -> dict[str, Any]:
    common: dict[str, Any] = {
        "interfaces": ["eth1", "eth2", "eth3"],
        "import": [{"accept": "any"}],
        "removal_budget": {"percent": 100, "routes": 1000},
    }
    return common | {"table": table, "peers": [ROUTERS[name][0] for name in peers]} | more


FILES: list[dict[str, Any]] = [
    {"one": domain(101, ["r1"]), "two": domain(102, ["r2", "r3"])},
    {"one": domain(101, ["r2", "r3"]), "two": domain(102, ["r1"])},
    {"one": domain(101, ["r1", "r2"], metric=150), "two": domain(102, ["r3"], multipath=2)},
    {"one": domain(101, ["r1"], **{"import": [{"accept": NARROW}]}), "two": domain(102, ["r2", "r3"], multipath=2)},
    {"two": domain(102, ["r3"]), "one": domain(101, ["r1", "r2"], families=["ipv6"])},
]


@dataclass
class World:
    """What is true: what each router announces, and which configuration is in force."""

    stage: Stage
    number: int = 0
    truth: dict[str, dict[str, Path]] = field(default_factory=lambda: {name: {} for name in ROUTERS})

    def wanted(self, item: dict[str, Any]) -> dict[str, str]:
        """What a domain should have in its table, as ``Stage.routes`` says it."""
        return {prefix: text for prefix in PREFIXES if (text := self._route(item, prefix))}

    def _route(self, item: dict[str, Any], prefix: str) -> str:
        if "ipv4" not in item.get("families", ["ipv4"]):
            return ""
        if item["import"][0]["accept"] == NARROW and prefix == PREFIXES[3]:
            return ""
        candidates = [
            candidate(path.peer.address, local_pref=path.attributes.local_pref, router_id=router.router_id)
            for name, router in self.stage.routers.items()
            if router.id.address in item["peers"] and (path := self.truth[name].get(prefix))
        ]
        if not candidates:
            return ""
        first = candidates[best_first(candidates)[0].candidate]
        equal = [one for one in candidates if one.path.attributes.local_pref == first.path.attributes.local_pref]
        names = [first.path.peer.address] if item.get("multipath", 1) == 1 else [one.path.peer.address for one in equal]
        links = dict(ROUTERS.values())
        words = ", ".join(f"via {name} dev {links[name]}" for name in sorted(names, key=packed))
        return words if item.get("metric", 200) == 200 else f"{words} metric {item['metric']}"


MOVES = st.lists(
    st.one_of(
        st.tuples(
            st.just("announce"), st.sampled_from(sorted(ROUTERS)), st.integers(0, 3), st.sampled_from((100, 200))
        ),
        st.tuples(st.just("withdraw"), st.sampled_from(sorted(ROUTERS)), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("reload"), st.just(""), st.integers(0, len(FILES) - 1), st.just(0)),
        st.tuples(st.just("flap"), st.sampled_from(("eth2", "eth3")), st.just(0), st.just(0)),
        st.tuples(st.just("drift"), st.just(""), st.integers(0, 3), st.sampled_from((101, 102))),
        st.tuples(st.just("foreign"), st.sampled_from(("77", "200")), st.integers(0, 3), st.sampled_from((101, 102))),
        st.tuples(st.just("restart"), st.just(""), st.just(0), st.just(0)),
        st.tuples(st.just("settle"), st.just(""), st.just(0), st.just(0)),
    ),
    min_size=3,
    max_size=20,
)


def tell_everything(world: World) -> None:
    """A stream begins, and tells all that is true."""
    stage = world.stage
    stage.start_feed("fabric")
    for name, router in stage.routers.items():
        for prefix, path in world.truth[name].items():
            stage.announce(router, [prefix], path)
        stage.complete(router)


async def move_on(world: World, move: str, name: str, number: int, value: int) -> None:
    """Let one thing happen."""
    stage = world.stage
    if move == "announce":
        path = stage.path(stage.routers[name], 1000.0, local_pref=value, as_path=(65001,))
        world.truth[name][PREFIXES[number]] = path
        stage.announce(stage.routers[name], [PREFIXES[number]], path)
    elif move == "withdraw":
        world.truth[name].pop(PREFIXES[number], None)
        stage.withdraw(stage.routers[name], [PREFIXES[number]])
    elif move == "reload":
        before, stage.file = stage.file, {"domains": {}} | stage.file
        stage.file["domains"] = {key: {"source": "fabric"} | item for key, item in FILES[number].items()}
        try:
            await stage.control.reload("somebody")
            world.number = number
        except Refused:
            stage.file = before
    elif move == "flap":
        stage.kernel.set_link(name, up=False)
        await stage.settle()
        stage.kernel.set_link(name, up=True)
    elif move == "drift":
        for prefix, text in (await stage.routes(value)).items():
            if prefix == PREFIXES[number] and "protocol" not in text:
                metric = int(text.partition("metric ")[2] or 200)
                stage.kernel.drop_route(TableId(value), ip_network(prefix), metric)
    elif move == "foreign":
        foreign = Forwarding(int(name), (NextHop(packed(FOREIGN), 2),))
        stage.kernel.put_route(TableId(value), ip_network(PREFIXES[number]), foreign, 4)
    elif move == "restart":
        await stage.restart()
        tell_everything(world)
    else:
        await stage.settle()


async def play(stage: Stage, moves: list[tuple[str, str, int, int]]) -> None:
    world, foreign = World(stage), set[tuple[int, str, int]]()
    for number, name in enumerate((*ROUTERS, *ROUTERS)):
        await move_on(world, "announce", name, number % 4, 100)
    tell_everything(world)
    await stage.settle()
    for move, name, number, value in moves:
        await move_on(world, move, name, number, value)
        if move == "foreign":
            foreign.add((value, PREFIXES[number], int(name)))
    await stage.settle(120)
    for item in FILES[world.number].values():
        table, metric = item["table"], item.get("metric", 200)
        # Where somebody else stands at our metric nothing is changed, and what we wrote at an older metric stays.
        taken = {prefix for of, prefix, at in foreign if (of, at) == (table, metric)}
        wanted = {prefix: text for prefix, text in world.wanted(item).items() if prefix not in taken}
        found = dict(_apart(await stage.routes(table)))
        assert {prefix: ours for prefix, (ours, _) in found.items() if ours and prefix not in taken} == wanted
        assert {prefix for prefix, (_, theirs) in found.items() if theirs} == {
            at for of, at, _ in foreign if of == table
        }


def _apart(routes: dict[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each prefix with our route and somebody else's, both perhaps empty."""
    for prefix, text in routes.items():
        parts = text.split("; ")
        ours = [part for part in parts if "protocol" not in part]
        yield prefix, ("; ".join(ours), "; ".join(part for part in parts if part not in ours))


@settings(max_examples=100, deadline=None)
@given(MOVES)
def test_the_kernel_ends_as_the_last_configuration_and_the_truth_say(moves: list[tuple[str, str, int, int]]) -> None:
    async def main() -> None:
        stage = Stage({"domains": FILES[0]})
        for number, (name, (address, _)) in enumerate(ROUTERS.items(), 1):
            stage.routers[name] = Router(PeerId("fabric", address), router_id=f"10.255.0.{number}", up=True)
        await stage.start()
        try:
            await play(stage, moves)
        finally:
            await stage.stop()

    run_without_waiting(main)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("announce", "withdraw", "drift", "foreign", "settle")),
        st.integers(0, 3),
        st.sampled_from((100, 200)),
    ),
    max_size=6,
)


async def change(stage: Stage, move: str, number: int, local_pref: int) -> None:
    """Let one thing happen between the freeze and the approval."""
    router, prefix = stage.routers["r2"], PREFIXES[number]
    if move == "announce":
        stage.announce(router, [prefix], stage.path(router, 1000.0, local_pref=local_pref))
    elif move == "withdraw":
        stage.withdraw(stage.routers["r1"], [prefix])
    elif move == "drift" and prefix in await stage.routes(101):
        stage.kernel.drop_route(TableId(101), ip_network(prefix), 200)
    elif move == "foreign":
        stage.kernel.put_route(TableId(101), ip_network(prefix), Forwarding(200, (NextHop(packed(FOREIGN), 2),)), 4)
    else:
        await stage.settle()


@settings(max_examples=100, deadline=None)
@given(CHANGES, CHANGES)
def test_what_is_applied_is_a_part_of_what_was_approved(
    before: list[tuple[str, int, int]], after: list[tuple[str, int, int]]
) -> None:
    async def main() -> None:
        one = domain(101, ["r1", "r2"])
        stage = Stage({"mode": "approve", "approval": {"max_drift": {"operations": 1000}}, "domains": {"one": one}})
        for number, name in enumerate(("r1", "r2"), 1):
            stage.routers[name] = Router(PeerId("fabric", ROUTERS[name][0]), router_id=f"10.255.0.{number}", up=True)
        await stage.start()
        try:
            stage.start_feed("fabric")
            first = stage.routers["r1"]
            stage.announce(first, PREFIXES[:3], stage.path(first, 1000.0))
            for router in stage.routers.values():
                stage.complete(router)
            await stage.settle()
            await approve(stage)
            for step in before:
                await change(stage, *step)
            await stage.settle()
            await approve(stage, after)
        finally:
            await stage.stop()

    run_without_waiting(main)


async def approve(stage: Stage, meanwhile: Sequence[tuple[str, int, int]] = ()) -> None:
    """Freeze, let things happen, approve; each write must be one of the plan's, on top of what the plan saw there."""
    if not stage.reconciler.live_operations():
        return
    digest = str((await stage.control.freeze("alice"))["digest"])
    frozen = {operation.key: operation for operation in stage.reconciler.live_operations()}
    for step in meanwhile:
        await change(stage, *step)
    await stage.settle()
    asked, there = len(stage.kernel.asked), await stage.routes(101)
    try:
        answer = await stage.control.approve(digest, "bob")
    except Stale:
        assert stage.kernel.asked[asked:] == [], "a stale plan writes nothing"
        return
    writes = stage.kernel.asked[asked:]
    assert answer["applied"] == len(writes)
    for write in writes:
        operation = frozen[write.key]
        assert write.forwarding == (operation.after or operation.before)
        assert stage.reconciler.tables[write.table, write.family].desired.get(write.key) == operation.after
        assert (write.verb is Verb.ADD) == (operation.before is None)
        assert (text_of(write.family, write.key) in there) == (operation.before is not None)
