"""Whatever people, routers, the kernel and crashes do: nothing is written that nobody approved, and everything is decided."""

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.change.statement import NAMESPACE
from monitor.engine.flight import progress_of
from monitor.engine.plans import plan_document, plan_of, read_plan, stored_plan
from monitor.errors import BadRequest, Refused, RolledBack, Stale
from monitor.ports import Endorsement
from monitor.rib.path import Path, PeerId
from programmer.approval import PlanState
from programmer.fib import Verb, Write, WriteResult
from programmer.plan import Action, Operation, Plan, PlanKind, RuleOperation
from programmer.route import Family, Forwarding, NextHop, PrefixKey, Rule, TableId, key_of
from tests.contract.stage import via
from tests.support.recording import RecordingFib
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import OURS, People, Router, Stage

V4, TABLE, METRIC = Family.IPV4, TableId(101), 200
PREFIXES = ["10.1.0.0/16", "10.2.0.0/16", "10.2.1.0/24", "10.3.0.0/16"]
STRICT = "10.2.0.0/16"
"""Below it two people must agree."""
ROUTERS = {"r1": ("192.0.2.1", "eth1"), "r2": ("198.51.100.1", "eth2")}
UNDECIDED = ("applying", "soaking", "rolling-back")
DAY = 86400.0
DOMAIN = {
    "peers": [address for address, _ in ROUTERS.values()],
    "interfaces": ["eth1", "eth2"],
    "table": int(TABLE),
    "multipath": 2,
    "import": [{"accept": "any"}],
}
RULES: list[list[dict[str, Any]]] = [
    [{"match": f"in {STRICT}", "approve": 2}, {"match": "*", "approve": 1}],
    [{"match": "*", "approve": 1}],
    [{"match": "*", "decision": "auto"}],
]
FREE = 2
AUTO = [{"match": f"class={name}", "decision": "auto"} for name in ("dead-next-hop", "restore", "withdraw-with-cover")]


@functools.cache
def people() -> People:
    """Keys are made once."""
    return People()


def key(prefix: str) -> PrefixKey:
    return key_of(ip_network(prefix))


def strict(operation: Operation) -> bool:
    return ip_network(operation.prefix).subnet_of(ip_network(STRICT))  # type: ignore[arg-type]


class Kernel(RecordingFib):
    """A kernel that shows every write to a witness before it is carried out, and again with its result."""

    witness: "Witness | None" = None

    async def write(self, writes: Sequence[Write], protocol: int) -> list[WriteResult]:
        before = [self.held(write.key) for write in writes]
        results = await super().write(writes, protocol)
        if self.witness is not None:
            for write, there, result in zip(writes, before, results, strict=True):
                self.witness.saw(write, there, result)
        return results

    def held(self, at: PrefixKey) -> tuple[int, Forwarding] | None:
        """Whose route stands at a key, and which."""
        for protocol, forwarding in self._store(TABLE, V4).get(at, ()):
            if forwarding.metric == METRIC:
                return protocol, forwarding
        return None

    def ours(self) -> dict[PrefixKey, Forwarding]:
        """Every route of ours."""
        found = {at: self.held(at) for at in map(key, PREFIXES)}
        return {at: held[1] for at, held in found.items() if held is not None and held[0] == OURS}


@dataclass
class Witness:
    """Sees every write of the daemon, and knows what people said: it does not believe the daemon."""

    stage: Stage
    auto: bool
    rules: int = 0
    """Which of the rules are in force: two people below a prefix, one everywhere, or nobody anywhere."""
    wrong: list[str] = field(default_factory=list)
    written: dict[str, list[Operation]] = field(default_factory=dict)
    """What was written for each plan."""
    undone: dict[tuple[PrefixKey, Forwarding | None], float] = field(default_factory=dict)
    """What was taken back, and when."""
    holds: dict[int, tuple[PrefixKey, float]] = field(default_factory=dict)
    paused: bool = False
    touched: dict[PrefixKey, float] = field(default_factory=dict)
    """What others did to routes, and when."""
    since: dict[str, float] = field(default_factory=dict)
    """When the first write of a plan was."""
    later: set[PrefixKey] = field(default_factory=set)
    """What was written since the last restart, other than to take something back."""

    def blame(self, operation: Operation, why: str) -> None:
        self.wrong.append(f"{time.time():.1f}: {operation.action.value} {operation.prefix}: {why}")

    def saw(self, write: Write, held: tuple[int, Forwarding] | None, result: WriteResult) -> None:
        """Judge one write."""
        before = held[1] if held is not None else None
        after = None if write.verb is Verb.DELETE else write.forwarding
        operation = Operation(write.table, write.family, write.key, before, after)
        journal = self.stage.journal
        flights = journal.plans_in(UNDECIDED)
        for item in self._plan(flights[0].digest).operations if flights and flights[0].state == "applying" else ():
            self.undone.pop((item.key, item.after), None)
        if result.errno:
            return
        if held is not None and held[0] != OURS:
            self.blame(operation, "it was somebody else's")
        if self.paused:
            self.blame(operation, "writing is paused")
        if (write.verb is Verb.ADD) != (before is None):
            self.blame(operation, "an ADD writes what is not there, and nothing else does")
        if len(flights) > 1:
            self.blame(operation, "two plans are in flight")
        if not flights:
            self._by_itself(operation)
            return
        flight = flights[0]
        if flight.state == "rolling-back" and operation.inverse in self.written.get(flight.digest, []):
            self.later.discard(operation.key)
            self.undone[operation.key, operation.before] = time.time()
            self.undone.pop((operation.key, operation.after), None)
        elif flight.state == "applying" and operation in self._plan(flight.digest).operations:
            self.later.add(operation.key)
            self._approved(operation, flight.digest)
        else:
            self._by_itself(operation)

    def _plan(self, digest: str) -> Plan:
        plan, found = read_plan(self.stage.journal.plans(digest)[0].body)
        assert found == digest
        return plan

    def _approved(self, operation: Operation, digest: str) -> None:
        plan = self._plan(digest)
        given = [item for item in self.stage.journal.approvals(digest) if item.act == "approve"]
        live = [item for item in given if item.expires > time.time()]
        signers = {item.principal for item in live if item.method == "ssh-signature"}
        needed = 2 if not self.rules and any(map(strict, plan.operations)) else 1
        if self.auto:  # what needed nobody when it was frozen does not raise what the plan needs
            needed = json.loads(self.stage.journal.plans(digest)[0].body.partition("\n")[0])["requirement"]["people"]
        enough = len(signers) >= needed or (needed == 1 and live) or any(item.method == "break-glass" for item in live)
        if not enough:
            self.blame(operation, f"{len(signers)} of {needed} people approved plan {plan.number}")
        self._not_held(operation)
        self.written.setdefault(digest, []).append(operation)
        self.since.setdefault(digest, time.time())
        if plan.kind is PlanKind.ROLLBACK:
            self.undone[operation.key, operation.before] = time.time()

    def _not_held(self, operation: Operation) -> None:
        if any(at == operation.key and time.time() < until for at, until in self.holds.values()):
            self.blame(operation, "it is held")

    def ours(self) -> dict[PrefixKey, Forwarding]:
        """What the kernel has of ours."""
        assert isinstance(self.stage.kernel, Kernel)
        return self.stage.kernel.ours()

    def _by_itself(self, operation: Operation) -> None:
        self.later.add(operation.key)
        if not self.auto:
            self.blame(operation, "it is part of no plan in flight")
        self._not_held(operation)
        known = operation.key in self.touched
        self.touched[operation.key] = time.time()  # a way back leaves it alone, as if others had done it
        if time.time() - self.undone.get((operation.key, operation.after), -DAY) < DAY:
            self.blame(operation, "it was rolled back within the day")
        if self.rules == FREE:
            return
        links = self.stage.kernel._links
        dead = operation.before is not None and any(not links[hop.ifindex].usable for hop in operation.before.next_hops)
        if operation.action is Action.CHANGE and not dead:
            self.blame(operation, "no next hop of it was dead")
        covered = any(
            held.next_hops == operation.before.next_hops
            for at, held in self.ours().items()
            if operation.before is not None
            and at != operation.key
            and ip_network(operation.prefix).subnet_of(_prefix(at))
        )
        if operation.action is Action.REMOVE and not (dead or covered):
            self.blame(operation, "it took away something that worked")
        if operation.action is Action.ADD and not known:
            self.blame(operation, "it was never taken away")


def _prefix(at: PrefixKey) -> Any:
    return next(ip_network(prefix) for prefix in PREFIXES if key(prefix) == at)


@dataclass
class World:
    """A stage, what is true of the network, and the witness."""

    stage: Stage
    witness: Witness
    truth: dict[str, dict[str, Path]] = field(default_factory=lambda: {name: {} for name in ROUTERS})
    digests: list[str] = field(default_factory=list)
    did: list[str] = field(default_factory=list)

    @property
    def kernel(self) -> Kernel:
        assert isinstance(self.stage.kernel, Kernel)
        return self.stage.kernel

    def tell(self) -> None:
        """A stream begins, and tells all that is true."""
        self.stage.start_feed("fabric")
        for name, router in self.stage.routers.items():
            for prefix, path in self.truth[name].items():
                self.stage.announce(router, [prefix], path)
            self.stage.complete(router)

    def touch(self, *keys: PrefixKey) -> None:
        self.witness.touched |= dict.fromkeys(keys, time.time())

    # What may happen

    async def announce(self, name: str, number: int, pref: int) -> None:
        router = self.stage.routers[name]
        path = self.stage.path(router, 1000.0, local_pref=pref, as_path=(65001,))
        self.truth[name][PREFIXES[number]] = path
        self.stage.announce(router, [PREFIXES[number]], path)

    async def withdraw(self, name: str, number: int) -> None:
        self.truth[name].pop(PREFIXES[number], None)
        self.stage.withdraw(self.stage.routers[name], [PREFIXES[number]])

    async def other(self, what: str, number: int) -> None:
        """Another program, or another hand, changes a route."""
        at, prefix = key(PREFIXES[number]), ip_network(PREFIXES[number])
        held = self.kernel.held(at)
        if what == "drop" and held is not None:
            self.kernel.drop_route(TABLE, prefix, METRIC)
        elif what != "drop":
            self.kernel.put_route(TABLE, prefix, via("192.0.2.9", link=2), OURS if what == "put" else 4)
        self.touch(at)

    async def link(self, name: str, what: str) -> None:
        held = set(self.kernel.ours())
        self.kernel.set_link(name, up=what == "up", carrier=what != "cable")
        self.touch(*(held - set(self.kernel.ours())))

    async def flap(self, name: str) -> None:
        await self.link(name, "down")
        await self.stage.settle()
        await self.link(name, "up")

    async def kernel_fails(self, what: str, count: int) -> None:
        if what == "refuse":
            self.kernel.fail_writes(count, 101, "Nexthop has invalid gateway")
        else:
            self.kernel.interrupt_reads(count)

    async def freeze(self, number: int) -> None:
        filter_text = f"in {PREFIXES[number]}" if number >= 0 else ""
        answer: Any = await self.stage.control.freeze("alice", filter_text)
        self.digests.append(str(answer["digest"]))

    def plan(self, back: int) -> str:
        if len(self.digests) < back:
            raise Refused("there is no such plan")
        return self.digests[-back]

    async def signed(self, digest: str, who: str, act: str) -> Endorsement:
        if who == "root":
            return Endorsement()
        document: Any = await self.stage.feed.statement(digest, act, "")
        text = document["text"].encode()
        return Endorsement(text, people().key(who).sign(text, NAMESPACE).decode())

    async def approve(self, back: int, who: str) -> None:
        digest = self.plan(back)
        await self.stage.control.approve(digest, who, await self.signed(digest, who, "approve"))

    async def release(self, number: int) -> None:
        """Freeze, and have as many people approve as are asked."""
        await self.freeze(number)
        await self.all_approve()

    async def all_approve(self) -> None:
        for who in ("alice", "bob"):
            if self.stage.journal.plans(self.plan(1))[0].state == "frozen":
                await self.approve(1, who)

    async def change(self, name: str, number: int, pref: int) -> None:
        """BGP says something else, and people release what follows."""
        await (self.announce(name, number, pref) if pref else self.withdraw(name, number))
        await self.stage.settle()
        await self.release(-1)

    async def crash(self, name: str, number: int, pref: int) -> None:
        """It happens while a change soaks."""
        await self.change(name, number, pref)
        await self.stage.settle()
        await self.restart(1)

    async def late(self, what: str, number: int) -> None:
        """Something comes between the freeze and the approval."""
        await self.announce("r1", number, 100 + len(self.did))
        await self.stage.settle()
        await self.freeze(-1)
        if what == "hold":
            await self.hold(number, 60.0)
        elif what == "pause":
            await self.pause()
        else:
            await self.other(what, number)
        await self.stage.settle()
        await self.all_approve()

    async def glass(self, back: int) -> None:
        await self.stage.control.approve(self.plan(back), "root", Endorsement(comment="a reason", break_glass=True))

    async def reject(self, back: int) -> None:
        await self.stage.control.reject(self.plan(back), "no", "carol")

    async def confirm(self, back: int) -> None:
        digest = self.plan(back)
        await self.stage.control.confirm(digest, "bob", await self.signed(digest, "bob", "confirm"))

    async def roll_back(self, back: int) -> None:
        digest = self.plan(back) if back else ""
        answer: Any = await self.stage.control.roll_back(digest, "alice")
        if answer["digest"] not in self.digests:
            self.digests.append(str(answer["digest"]))

    async def extend(self, back: int) -> None:
        await self.stage.control.extend(self.plan(back), 120.0, "alice")

    async def hold(self, number: int, seconds: float) -> None:
        answer: Any = await self.stage.control.hold(PREFIXES[number], seconds, "wait", "bob")
        self.witness.holds[answer["id"]] = key(PREFIXES[number]), time.time() + seconds

    async def release_hold(self) -> None:
        numbers = list(self.stage.change.restraints.holds)
        if numbers:
            await self.stage.control.release(numbers[0], "bob")
            del self.witness.holds[numbers[0]]

    async def pause(self) -> None:
        if self.witness.paused:
            self.witness.paused = False
            await self.stage.control.resume("bob")
        else:
            await self.stage.control.pause("a break", "bob")
            self.witness.paused = True

    async def probe(self, what: str) -> None:
        self.stage.prober.ways = {} if what == "answers" else {"api": what}

    async def passes(self, seconds: float) -> None:
        await self.stage.settle(seconds)

    async def reload(self) -> None:
        before, number = self.stage.file, (self.witness.rules + 1) % (3 if self.witness.auto else 2)
        approval = before["approval"] | {"rules": rules_of(number, auto=self.witness.auto)}
        self.stage.file = before | {"approval": approval}
        try:
            await self.stage.control.reload("alice")
            self.witness.rules = number
        except Refused:
            self.stage.file = before

    async def restart(self, killed: int) -> None:
        flights = self.stage.journal.plans_in(UNDECIDED)
        # What the kernel would refuse is not restored; that it is told is looked at elsewhere.
        self.kernel._failures.clear()
        self.witness.later.clear()
        if killed and (soak := self.stage.change.conductor._soak) is not None:
            soak.cancel()  # it dies with its process
        await self.stage.restart(killed=bool(killed))
        await self.stage.settle(10)
        if undecided := self.stage.journal.plans_in(UNDECIDED):
            self.witness.wrong.append(f"after the restart plan {undecided[0].number} is {undecided[0].state}")
        for flight in flights:
            for operation in self.witness.written.get(flight.digest, []):
                held = self.kernel.held(operation.key)
                theirs = self.witness.touched.get(operation.key, 0.0) >= self.witness.since[flight.digest]
                if theirs or operation.key in self.witness.later or self._impossible(operation.before):
                    continue
                if held != (None if operation.before is None else (OURS, operation.before)):
                    self.witness.blame(operation, f"after the restart there is {held}")
        self.tell()

    def _impossible(self, value: Forwarding | None) -> bool:
        """Whether the kernel takes no such route now."""
        return value is not None and any(not self.kernel._links[hop.ifindex].up for hop in value.next_hops)

    def check(self) -> None:
        """What holds after everything that happens."""
        journal, conductor = self.stage.journal, self.stage.change.conductor
        wrong = self.witness.wrong
        undecided = journal.plans_in(UNDECIDED)
        if len(undecided) > 1:
            wrong.append("more than one plan is in flight")
        for stored in undecided:
            progress = progress_of(journal.progress(stored.digest))
            if conductor.flight is None or conductor.flight.digest != stored.digest:
                wrong.append(f"plan {stored.number} is {stored.state}, and nobody watches it")
            if progress is None or time.time() > progress.deadline + 10.0:
                wrong.append(f"plan {stored.number} is {stored.state} after its deadline")
        for stored in journal.plans_in(("frozen", "approved", "queued")):
            if time.time() > stored.expires_at + 10.0:
                wrong.append(f"plan {stored.number} is {stored.state} after its expiry")
        # Before its first write the probes are asked: then nothing is in flight for the journal.
        flown = conductor.flight is not None and conductor.flight.state in {PlanState.SOAKING, PlanState.ROLLING_BACK}
        if conductor.flight is not None and flown and not undecided:
            wrong.append(f"plan {conductor.flight.plan.number} is in flight, and the journal does not know")
        if not journal.verify().ok:
            wrong.append("the journal is broken")
        assert not wrong, f"{wrong} after {self.did}"


def rules_of(number: int, *, auto: bool) -> list[dict[str, Any]]:
    return (AUTO if auto else []) + RULES[number]


NUMBERS = st.integers(0, len(PREFIXES) - 1)
NAMES = st.sampled_from(sorted(ROUTERS))
LATEST = st.integers(1, 3)


def moves(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(name), *arguments)


PEOPLE = st.one_of(
    moves("change", NAMES, NUMBERS, st.sampled_from((0, 100, 200))),
    moves("change", NAMES, NUMBERS, st.sampled_from((0, 100, 200))),
    moves("crash", NAMES, NUMBERS, st.sampled_from((0, 100, 200))),
    moves("late", st.sampled_from(("hold", "pause", "drop", "put", "foreign")), NUMBERS),
    moves("release", st.integers(-1, 3)),
    moves("freeze", st.integers(-1, 3)),
    moves("approve", LATEST, st.sampled_from(("alice", "bob", "root"))),
    moves("glass", LATEST),
    moves("reject", LATEST),
    moves("confirm", st.just(1)),
    moves("confirm", LATEST),
    moves("roll_back", st.integers(0, 3)),
    moves("extend", st.just(1)),
)
REST = st.one_of(
    moves("kernel_fails", st.sampled_from(("refuse", "interrupt")), st.integers(1, 3)),
    moves("hold", NUMBERS, st.sampled_from((60.0, 7200.0))),
    moves("release_hold"),
    moves("pause"),
    moves("probe", st.sampled_from(("answers", "hangs", "connection refused"))),
    moves("reload"),
    moves("restart", st.integers(0, 1)),
)
NETWORK = st.one_of(
    moves("announce", NAMES, NUMBERS, st.sampled_from((100, 100, 200))),
    moves("withdraw", NAMES, NUMBERS),
    moves("other", st.sampled_from(("drop", "put", "foreign")), NUMBERS),
    moves("link", st.sampled_from(("eth1", "eth2")), st.sampled_from(("up", "up", "down", "cable"))),
    moves("flap", st.sampled_from(("eth1", "eth2"))),
)
TIME = moves("passes", st.sampled_from((2.0, 30.0, 200.0, 400.0, 4000.0)))
MOVES = st.lists(st.one_of(PEOPLE, PEOPLE, NETWORK, REST, TIME), min_size=10, max_size=30)


async def play(world: World, found: Sequence[tuple[Any, ...]]) -> None:
    await world.announce("r1", 0, 100)
    await world.announce("r1", 1, 100)
    await world.announce("r2", 2, 100)
    world.tell()
    await world.stage.settle()
    await world.release(-1)
    with contextlib.suppress(Refused):  # where nothing soaks it stays without a word
        await world.confirm(1)
    for what, *arguments in found:
        world.did.append(f"{what} {' '.join(map(str, arguments))}".strip())
        try:
            await getattr(world, what)(*arguments)
            said = ""
        except (Refused, Stale, BadRequest, RolledBack) as error:
            said = str(error)
        if said:
            world.did[-1] += f" ({said[:60]})"
        await world.stage.settle()
        world.check()


def run(found: Sequence[tuple[Any, ...]], *, auto: bool, soaks: bool) -> None:
    async def main() -> None:
        probes = [{"name": "api", "tcp": "10.1.0.10:443"}]
        approval: dict[str, Any] = {"allowed_signers": str(people().file), "rules": rules_of(0, auto=auto)}
        if soaks:
            approval["soak"] = {"duration": "5m", "most": "15m", "probes": probes}
        with mock.patch("tests.support.scenario_stage.RecordingFib", Kernel):
            stage = Stage({"mode": "approve", "approval": approval, "domains": {"one": DOMAIN}})
        for number, (name, (address, _)) in enumerate(ROUTERS.items(), 1):
            stage.routers[name] = Router(PeerId("fabric", address), router_id=f"10.255.0.{number}", up=True)
        world = World(stage, Witness(stage, auto))
        world.kernel.witness = world.witness
        await stage.start()
        try:
            await play(world, found)
        finally:
            await stage.stop()
        world.check()

    run_without_waiting(main)


@settings(max_examples=30, deadline=None)
@given(MOVES, st.booleans())
def test_nothing_is_written_that_nobody_approved(found: list[tuple[Any, ...]], soaks: bool) -> None:
    run(found, auto=False, soaks=soaks)


@settings(max_examples=30, deadline=None)
@given(MOVES, st.booleans())
def test_what_goes_ahead_by_itself_takes_nothing_away_that_works(found: list[tuple[Any, ...]], soaks: bool) -> None:
    run(found, auto=True, soaks=soaks)


# Plans as they are stored and exported

HOPS = st.builds(NextHop, st.sampled_from((b"", b"\xc0\0\2\1")), st.integers(0, 9), st.integers(1, 256))
VALUES = st.builds(
    Forwarding,
    st.integers(0, 2**32 - 1),
    st.lists(HOPS, min_size=1, max_size=3).map(lambda found: tuple(sorted(found))),
    st.sampled_from((b"", b"\xc0\0\2\1")),
    st.sampled_from(("", "blackhole", 'odd "quotes"\n')),
)
OPERATIONS = st.builds(
    lambda prefix, pair: Operation(TABLE, V4, key(prefix), *pair),
    st.sampled_from(PREFIXES),
    st.tuples(st.none() | VALUES, st.none() | VALUES).filter(any),
)
SOURCES = st.sampled_from((None, *map(ip_network, PREFIXES)))
POLICY = st.builds(
    RuleOperation,
    st.builds(
        Rule, st.just(V4), st.integers(1, 9), st.just(TABLE), SOURCES, SOURCES, st.integers(0, 9), st.integers(0, 9),
        st.sampled_from(("", "eth1")),
    ),
    st.booleans(),
)  # fmt: skip
PLANS = st.builds(
    Plan,
    st.integers(1, 999),
    st.text(max_size=5),
    st.text(max_size=5),
    st.floats(0, 9e9),
    st.floats(0, 9e9),
    st.lists(OPERATIONS, max_size=4, unique_by=lambda item: item.key).map(tuple),
    st.lists(POLICY, max_size=3).map(tuple),
    st.text(max_size=5),
    st.sampled_from(PlanKind),
).flatmap(
    lambda plan: st.sampled_from([(), (tuple(range(len(plan.operations))),)]).map(
        lambda groups: dataclasses.replace(plan, groups=groups)
    )
)


@given(PLANS)
def test_an_exported_plan_is_the_plan(plan: Plan) -> None:
    again = plan_of(json.loads(json.dumps(plan_document(plan))))
    assert again == plan
    assert again.digest == plan.digest


@given(PLANS, st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3))
def test_a_stored_plan_is_the_plan_whatever_is_shown_of_it(plan: Plan, head: dict[str, Any]) -> None:
    digest, body = stored_plan(plan, head, [head])
    assert read_plan(body) == (plan, digest)
    assert digest == plan.digest
    assert json.loads(body.partition("\n")[0]) == head
