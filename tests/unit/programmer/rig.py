"""A reconciler over a simulated kernel, with a clock that only the test moves."""

from collections.abc import Sequence

from programmer.fib import Ownership, TableImage
from programmer.journal import Journal
from programmer.plan import Gate, Operation, Plan, RuleOperation
from programmer.reconciler import Reconciler, TableSpec
from programmer.route import Family, Forwarding, PrefixKey, Rule, key_of
from tests.contract.stage import METRIC, OTHER, OURS, TABLE, net, via
from tests.support.recording import RecordingFib

V4 = Family.IPV4
OLD_METRIC = 150
SPEC = TableSpec(TABLE, V4, frozenset({METRIC, OLD_METRIC}), budget_percent=20.0, budget_routes=100)
WIDE = TableSpec(TABLE, V4, frozenset({METRIC, OLD_METRIC}), budget_percent=100.0, budget_routes=1000)
A, B, C = "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"
RULE = Rule(V4, 1000, TABLE)


def key(prefix: str) -> PrefixKey:
    return key_of(net(prefix))


class Rig:
    """A reconciler with a clock that only the test moves."""

    def __init__(self, gate: Gate = Gate.AUTO, spec: TableSpec = WIDE, fib: RecordingFib | None = None) -> None:
        self.now = 1000.0
        self.fib = fib or RecordingFib()
        if fib is None:
            self.fib.add_link("east", "10.1.0.1/24")
            self.fib.add_link("west", "10.2.0.1/24")
        self.fib.watch(frozenset({TABLE}))
        self.journal = Journal(":memory:")
        self.reconciler = Reconciler(
            self.fib, self.journal, OURS, gate, wall=lambda: self.now, monotonic=lambda: self.now
        )
        self.events = self.fib.events()
        self.reconciler.configure([spec], frozenset(), gate)
        self.state = self.reconciler.tables[TABLE, V4]

    def east(self, host: int = 2, metric: int = METRIC) -> Forwarding:
        return via(f"10.1.0.{host}", link=2, metric=metric)

    def west(self, host: int = 2, metric: int = METRIC) -> Forwarding:
        return via(f"10.2.0.{host}", link=3, metric=metric)

    def want(self, routes: dict[str, Forwarding | None], *, complete: bool = True) -> None:
        self.reconciler.want(TABLE, V4, [(key(prefix), value) for prefix, value in routes.items()])
        self.reconciler.allow_removals(TABLE, V4, allowed=complete)

    def put(self, prefix: str, route: Forwarding, protocol: int = OTHER) -> None:
        self.fib.put_route(TABLE, net(prefix), route, protocol)

    async def turn(self, times: int = 1, seconds: float = 0.2) -> None:
        """Deliver the kernel's events and take a step, *times* times, with *seconds* between."""
        for _ in range(times):
            if self.fib._ready.is_set() and self.fib._waiting:
                self.reconciler._observe(await anext(self.events))
            await self.reconciler.step()
            self.now += seconds

    async def image(self) -> TableImage:
        return await self.fib.read(TABLE, V4, Ownership(OURS, SPEC.metrics))

    async def installed(self) -> dict[PrefixKey, Forwarding]:
        return dict((await self.image()).routes)

    def plan(self, operations: Sequence[Operation], rules: Sequence[RuleOperation] = ()) -> Plan:
        return Plan(1, "edge1", "c0ffee", self.now, self.now + 900, tuple(operations), tuple(rules))
