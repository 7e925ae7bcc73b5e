"""A reconciler over a simulated kernel whose clock stands, for changes that are applied and taken back."""

from collections.abc import Callable, Sequence
from typing import Any

from programmer.errors import FibUnavailable
from programmer.fib import Ownership, TableImage, Write, WriteResult
from programmer.journal import Journal
from programmer.plan import Gate, Operation, Plan, RuleOperation
from programmer.reconciler import (
    Applied,
    Reconciler,
    TableSpec,
    apply_plan,
    revert,
)
from programmer.route import Family, Forwarding, PrefixKey, Rule, key_of
from tests.contract.stage import METRIC, OURS, TABLE, net, via
from tests.support.recording import RecordingFib

V4 = Family.IPV4
OLD, NEW = 150, 250
METRICS = frozenset({METRIC, OLD, NEW})
SPEC = TableSpec(TABLE, V4, METRICS, budget_percent=100.0, budget_routes=1000)
PREFIXES = ["0.0.0.0/0", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.2.1.0/24"]
A, B, C = PREFIXES[1:4]
RULE = Rule(V4, 1000, TABLE)
ALL = (1000, 100.0)
"""No plan drifts too far."""


def key(prefix: str) -> PrefixKey:
    return key_of(net(prefix))


def east(host: int = 2, metric: int = METRIC) -> Forwarding:
    return via(f"10.1.0.{host}", link=2, metric=metric)


class Kernel(RecordingFib):
    """A simulated kernel that calls ``meanwhile`` before each write.

    The call number ``away`` finds it gone; that number ``silent`` is carried out, and the answer is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_link("east", "10.1.0.1/24")
        self.calls = self.away = self.silent = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def write(self, writes: Sequence[Write], protocol: int) -> list[WriteResult]:
        self.meanwhile()
        self.calls += 1
        if self.calls == self.away:
            raise FibUnavailable("the socket is lost")
        results = await super().write(writes, protocol)
        if self.calls == self.silent:
            raise FibUnavailable("the answer is lost")
        return results


class Rig:
    """A reconciler in mode approve with a clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.fib = Kernel()
        self.fib.watch(frozenset({TABLE}))
        self.journal = Journal(":memory:")
        clock = lambda: self.now  # noqa: E731 - read anew each time
        self.reconciler = Reconciler(self.fib, self.journal, OURS, Gate.APPROVE, wall=clock, monotonic=clock)
        self.events = self.fib.events()
        self.reconciler.configure([SPEC], frozenset(), Gate.APPROVE)
        self.state = self.reconciler.tables[TABLE, V4]

    def want(self, routes: dict[str, Forwarding | None]) -> None:
        self.reconciler.want(TABLE, V4, [(key(prefix), value) for prefix, value in routes.items()])
        self.reconciler.allow_removals(TABLE, V4, allowed=True)

    def put(self, prefix: str, route: Forwarding, protocol: int = OURS) -> None:
        self.fib.put_route(TABLE, net(prefix), route, protocol)

    def drop(self, prefix: str, metric: int = METRIC) -> None:
        """Somebody deletes a route, if it is there."""
        if any(held.forwarding.metric == metric for held in self.fib._store(TABLE, V4).get(key(prefix), ())):
            self.fib.drop_route(TABLE, net(prefix), metric)

    async def turn(self, times: int = 2) -> None:
        """Deliver the kernel's events and take a step."""
        for _ in range(times):
            while self.fib._waiting:
                self.reconciler._observe(await anext(self.events))
            await self.reconciler.step()
            self.now += 0.2

    async def image(self) -> TableImage:
        return await self.fib.read(TABLE, V4, Ownership(OURS, METRICS))

    async def everything(self) -> dict[tuple[PrefixKey, int], tuple[int, Forwarding]]:
        """Every route of the table, with its protocol."""
        image = await self.fib.read(TABLE, V4, Ownership(0, frozenset()))
        return {place: (route.protocol, route.forwarding) for place, route in image.foreign.items()}

    def plan(self, groups: tuple[tuple[int, ...], ...] = (), rules: Sequence[RuleOperation] = ()) -> Plan:
        operations = tuple(self.reconciler.live_operations())
        return Plan(1, "edge1", "c0ffee", self.now, self.now + 900, operations, tuple(rules), groups=groups)

    async def apply(self, plan: Plan) -> Applied:
        return await apply_plan(self.reconciler, plan, "alice", *ALL)

    async def revert(self, written: Sequence[Operation], rules: Sequence[RuleOperation] = ()) -> Any:
        return await revert(self.reconciler, written, rules, cause="roll-back of plan 1", actor="bgpmon", plan="f" * 64)
