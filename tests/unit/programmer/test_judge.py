"""What the network says of an operation, and what of it goes ahead by itself, over a simulated kernel."""

import asyncio
import ipaddress
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from programmer.approval import CHURN_SECONDS, Decision
from programmer.fib import Ownership, RouteEvent
from programmer.journal import Journal
from programmer.plan import Action, Gate, Operation, RuleOperation
from programmer.reconciler import Destination, Destinations, Reconciler, TableSpec, TableState
from programmer.reconciler.table import SHAKEN_SECONDS, UNDONE_SECONDS
from programmer.route import MAIN_TABLE, Family, Forwarding, PrefixKey, TableId, host_key, key_of, text_of
from tests.contract.stage import METRIC, OURS, TABLE, net, via
from tests.support.recording import RecordingFib

V4, V6 = Family.IPV4, Family.IPV6
WIDE = TableSpec(TABLE, V4, frozenset({METRIC}), budget_percent=100.0, budget_routes=1000)
NARROW, MIDDLE, BROAD, ALL = "10.8.0.0/24", "10.8.0.0/16", "10.0.0.0/8", "0.0.0.0/0"
TARGET = ipaddress.ip_address("10.8.0.10")
NODE = Destination(TARGET, "endpoint 10.8.0.10", controls=True)
PROBE = Destination(TARGET, "probe api", controls=False)


def key(prefix: str) -> PrefixKey:
    return key_of(net(prefix))


class ByClass:
    """Rules that decide by class: ``auto`` names those that need nobody, and how many a minute."""

    def __init__(self, auto: dict[str, int]) -> None:
        self.auto = auto

    def decide(self, state: TableState, operation: Operation, category: str, risk: str) -> Decision:
        if category in self.auto:
            return Decision(category, risk, 0, category, per_minute=self.auto[category])
        return Decision(category, risk, 1, "rest")

    def decide_rule(self, operation: RuleOperation) -> Decision:
        return Decision("rule", "med", 1, "rest")


class Rig:
    """A reconciler whose clock only the test moves."""

    def __init__(self, gate: Gate = Gate.APPROVE, spec: TableSpec = WIDE, auto: dict[str, int] | None = None) -> None:
        self.now = 1000.0
        self.fib = RecordingFib()
        self.fib.add_link("east", "10.1.0.1/24", "2001:db8:1::1/64")
        self.fib.add_link("west", "10.2.0.1/24", "2001:db8:2::1/64")
        self.fib.watch(frozenset({spec.table}))
        self.reconciler = Reconciler(self.fib, Journal(":memory:"), OURS, gate, wall=self.clock, monotonic=self.clock)
        self.events = self.fib.events()
        self.reconciler.configure([spec], frozenset(), gate)
        self.reconciler.judge.rules = None if auto is None else ByClass(auto)
        self.table, self.family = spec.table, spec.family
        self.state = self.reconciler.tables[spec.table, spec.family]

    def clock(self) -> float:
        return self.now

    def want(self, routes: Mapping[str, Forwarding | None]) -> None:
        self.reconciler.want(self.table, self.family, [(key(prefix), value) for prefix, value in routes.items()])
        self.reconciler.allow_removals(self.table, self.family, allowed=True)

    def put(self, *prefixes: str, link: str = "east") -> None:
        for prefix in prefixes:
            self.fib.put_route(self.table, net(prefix), route(link), OURS)

    async def turn(self, times: int = 2, seconds: float = 0.2) -> None:
        """Deliver the kernel's events and take a step, *times* times, with *seconds* between."""
        for _ in range(times):
            while self.fib._waiting:
                self.reconciler._observe(await anext(self.events))
            await self.reconciler.step()
            self.now += seconds

    async def installed(self) -> set[str]:
        image = await self.fib.read(self.table, self.family, Ownership(OURS, frozenset({METRIC})))
        return {text_of(self.family, found) for found in image.routes}

    def look_after(self, *destinations: Destination) -> None:
        self.reconciler.judge.destinations = Destinations(destinations)

    def class_of(self, prefix: str) -> str:
        """The class of what is pending at a prefix."""
        assert key(prefix) in self.state.difference
        return self.reconciler.decide(self.state, self.state.operation(key(prefix))).category


def route(link: str = "east", host: int = 2) -> Forwarding:
    return via(f"10.{1 if link == 'east' else 2}.0.{host}", link=2 if link == "east" else 3)


# What is looked after


@pytest.mark.parametrize("prefix", ["10.8.0.10/32", NARROW, MIDDLE, BROAD])
async def test_a_route_to_what_the_node_is_controlled_through_is_of_the_first_class(prefix: str) -> None:
    rig = Rig()
    rig.look_after(NODE, PROBE)
    rig.want({prefix: route(), "10.9.0.0/16": route()})
    await rig.turn()
    assert (rig.class_of(prefix), rig.class_of("10.9.0.0/16")) == ("protect-node", "add-small")
    facts = rig.reconciler.judge.facts(rig.state, rig.state.operation(key(prefix)), rig.now)
    assert (facts.protects, facts.monitors) == (NODE.name, PROBE.name)
    rig.look_after(PROBE)
    assert rig.class_of(prefix) == "monitored"
    rig.look_after()
    assert rig.class_of(prefix) == "add-small"


async def test_a_longer_route_that_stays_carries_the_destination_itself() -> None:
    rig = Rig()
    rig.look_after(NODE)
    rig.put(NARROW)
    rig.want({NARROW: route(), MIDDLE: route("west")})
    await rig.turn()
    assert rig.class_of(MIDDLE) == "add-small"
    # The longer route is about to go, or to change: then what is below it counts.
    rig.want({NARROW: None})
    assert (rig.class_of(NARROW), rig.class_of(MIDDLE)) == ("protect-node", "protect-node")
    rig.want({NARROW: route("west")})
    assert (rig.class_of(NARROW), rig.class_of(MIDDLE)) == ("protect-node", "add-small")


async def test_a_longer_route_that_is_not_there_yet_carries_nothing() -> None:
    rig = Rig()
    rig.look_after(NODE)
    rig.want({NARROW: route(), MIDDLE: route()})
    await rig.turn()
    assert (rig.class_of(NARROW), rig.class_of(MIDDLE)) == ("protect-node", "protect-node")


async def test_a_destination_of_the_other_family_is_none_of_this_table() -> None:
    rig = Rig()
    rig.look_after(Destination(ipaddress.ip_address("2001:db8::10"), "endpoint", controls=True))
    rig.want({"32.1.13.184/32": route()})
    await rig.turn()
    assert rig.class_of("32.1.13.184/32") == "add-small"


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_destination_moves_with_its_longest_match_alone(data: st.DataObject) -> None:
    lengths = data.draw(st.sets(st.integers(8, 32), min_size=1))
    target = ipaddress.ip_address(data.draw(st.integers(0x0A080000, 0x0A08FFFF)))
    destinations = Destinations([Destination(target, "x", controls=True)])
    state = TableState(WIDE, OURS)
    prefixes = [ipaddress.ip_network((target, length), strict=False) for length in lengths]
    for prefix in prefixes:
        state.desired[key_of(prefix)] = state.image.routes[key_of(prefix)] = route()
    asked = data.draw(st.sampled_from(prefixes))
    operation = Operation(TABLE, V4, key_of(asked), route(), None)
    moved = list(destinations.moved_by(state, operation))
    assert bool(moved) == (asked.prefixlen == max(lengths))
    other = Operation(TABLE, V4, host_key((target + 1).packed), None, route())
    assert list(destinations.moved_by(state, other)) == []


# Default routes


@pytest.mark.parametrize(
    ("prefix", "length", "category"),
    [
        (ALL, 1, "default-route"),
        ("0.0.0.0/1", 1, "add-small"),
        ("0.0.0.0/1", 2, "default-route"),
        (BROAD, 8, "add-small"),
        (BROAD, 9, "default-route"),
    ],
)
async def test_a_prefix_shorter_than_the_configured_length_counts_as_a_default_route(
    prefix: str, length: int, category: str
) -> None:
    rig = Rig(spec=TableSpec(TABLE, V4, frozenset({METRIC}), default_length=length))
    rig.look_after(NODE)
    rig.want({prefix: route()})
    await rig.turn()
    rig.look_after(*([NODE] if category == "default-route" else []))
    assert rig.class_of(prefix) == category


@pytest.mark.parametrize(
    ("table", "there", "category"),
    [(MAIN_TABLE, [], "protect-node"), (TABLE, [], "default-route"), (MAIN_TABLE, [ALL], "default-route")],
)
async def test_the_last_default_route_of_the_node_is_protected(table: TableId, there: list[str], category: str) -> None:
    rig = Rig(spec=TableSpec(table, V4, frozenset({METRIC}), 100.0, 1000, default_length=2))
    gone = "0.0.0.0/1" if there else ALL
    rig.put(gone, *there)
    rig.want({prefix: route() for prefix in there})
    await rig.turn()
    assert rig.class_of(gone) == category


# What comes back


async def lost_by_a_link(rig: Rig) -> None:
    rig.put(MIDDLE, link="west")
    rig.want({MIDDLE: route("west")})
    await rig.turn()
    rig.fib.set_link("west", up=False)
    await rig.turn(3)
    rig.fib.set_link("west", up=True)
    await rig.turn()
    assert await rig.installed() == set()


async def test_what_the_kernel_took_with_a_link_is_restored() -> None:
    rig = Rig()
    await lost_by_a_link(rig)
    assert rig.class_of(MIDDLE) == "restore"
    rig.want({MIDDLE: route("east")})
    assert rig.class_of(MIDDLE) == "add-small", "another route than the one that was there"
    rig.want({MIDDLE: route("west")})
    assert rig.class_of(MIDDLE) == "restore"


async def test_what_somebody_deletes_is_not_restored() -> None:
    rig = Rig()
    rig.put(MIDDLE, link="west")
    rig.want({MIDDLE: route("west")})
    await rig.turn()
    rig.fib.drop_route(TABLE, net(MIDDLE), METRIC)
    await rig.turn(3)
    assert rig.class_of(MIDDLE) == "add-small"


@pytest.mark.parametrize(
    ("family", "prefix", "gateway", "counts"),
    [(Family.IPV4, "10.2.0.0/16", "10.2.0.2", False), (Family.IPV6, "2001:db8:9::/48", "2001:db8:2::2", True)],
)
async def test_only_ipv6_tells_what_goes_with_a_link(family: Family, prefix: str, gateway: str, counts: bool) -> None:
    """An IPv4 route that is told to be deleted was deleted by somebody, also while its link is down."""
    state = TableState(TableSpec(TABLE, family, frozenset({METRIC})), OURS)
    value, at = via(gateway, link=3), key_of(net(prefix))
    state.want(at, value)
    state.observe(RouteEvent(TABLE, family, at, METRIC, OURS, value, by_us=True))
    state.shaken[3] = 1000.0
    state.observe(RouteEvent(TABLE, family, at, METRIC, OURS, None, by_us=False))
    assert (state.dropped == {at: value}) is counts


@pytest.mark.parametrize(("later", "remembered"), [(1.0, True), (SHAKEN_SECONDS + 1.0, False)])
async def test_a_link_explains_what_is_missing_for_a_time(later: float, remembered: bool) -> None:
    rig = Rig()
    await rig.turn()
    rig.fib.remove_address("west", "2001:db8:2::1/64")
    await rig.turn(2)
    rig.now += later
    rig.fib.set_link("east", carrier=False)
    await rig.turn(2)
    assert bool(rig.state.shaken) is remembered


async def test_a_route_over_two_links_is_not_taken_by_one_of_them() -> None:
    rig = Rig()
    both = Forwarding(METRIC, (*route("east").next_hops, *route("west").next_hops))
    rig.fib.put_route(TABLE, net(MIDDLE), both, OURS)
    rig.want({MIDDLE: both})
    await rig.turn()
    rig.fib.set_link("west", up=False)
    await rig.turn(3)
    rig.fib.drop_route(TABLE, net(MIDDLE), METRIC)
    await rig.turn(3)
    assert rig.class_of(MIDDLE) == "add-small"


async def test_restoring_goes_ahead_where_its_class_does_and_once() -> None:
    rig = Rig(auto={"restore": 0})
    await lost_by_a_link(rig)
    await rig.turn(15)
    assert await rig.installed() == {MIDDLE}
    assert rig.state.dropped == {}
    rig.fib.drop_route(TABLE, net(MIDDLE), METRIC)
    rig.now += SHAKEN_SECONDS
    await rig.turn(15)
    assert await rig.installed() == set()


# How much


def many(count: int, start: int = 0) -> list[str]:
    return [f"10.{64 + (number >> 8)}.{number & 255}.0/24" for number in range(start, start + count)]


async def test_removals_of_the_last_five_minutes_count_with_those_that_are_pending() -> None:
    rig = Rig(auto={"delete": 0})
    names = many(60)
    rig.put(*names)
    rig.want(dict.fromkeys(names, route()))
    await rig.turn()
    rig.want(dict.fromkeys(names[:8]))
    await rig.turn(15)
    assert len(await rig.installed()) == 52
    assert rig.state.recent(rig.now).removals == 8
    rig.want(dict.fromkeys(names[8:10]))
    assert rig.class_of(names[8]) == "delete", "ten"
    rig.want({names[10]: None})
    assert {rig.class_of(name) for name in names[8:11]} == {"mass-delete"}, "eleven, of which eight are written"
    rig.now += CHURN_SECONDS
    assert {rig.class_of(name) for name in names[8:11]} == {"delete"}


@pytest.mark.parametrize(("installed", "removed", "category"), [(5000, 50, "delete"), (5000, 51, "mass-delete")])
async def test_of_a_large_table_fifty_removals_are_many(installed: int, removed: int, category: str) -> None:
    rig = Rig()
    names = many(installed)
    rig.put(*names)
    rig.want(dict.fromkeys(names, route()))
    await rig.turn()
    rig.want(dict.fromkeys(names[:removed]))
    assert rig.class_of(names[0]) == category


async def test_a_hundred_adds_within_five_minutes_are_not_small() -> None:
    rig = Rig(auto={"add-small": 0})
    rig.want(dict.fromkeys(many(60), route()))
    await rig.turn(15)
    assert len(await rig.installed()) == 60
    rig.want(dict.fromkeys(many(39, 60), route()))
    assert rig.class_of(many(1, 60)[0]) == "add-small"
    rig.want(dict.fromkeys(many(40, 60), route()))
    assert rig.class_of(many(1, 60)[0]) == "add"
    await rig.turn(15)
    assert len(await rig.installed()) == 60
    rig.now += CHURN_SECONDS
    await rig.turn(15)
    assert len(await rig.installed()) == 100


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 7), st.integers(1, 30), st.lists(st.floats(0.2, 30.0), min_size=20, max_size=40))
def test_no_minute_has_more_than_a_rule_lets_go_ahead(most: int, routes: int, pauses: list[float]) -> None:
    async def main() -> None:
        rig = Rig(auto={"add-small": most})
        rig.want(dict.fromkeys(many(routes), route()))
        written: list[float] = []
        for pause in pauses:
            before, at = len(rig.fib.asked), rig.now
            await rig.turn(1, seconds=pause)
            written += [at] * (len(rig.fib.asked) - before)
        for at in written:
            assert sum(at <= other < at + 60.0 for other in written) <= most
        await rig.turn(40, seconds=61.0)
        assert len(await rig.installed()) == routes

    asyncio.run(main())


# The budget, holds, roll-backs


SMALL = TableSpec(TABLE, V4, frozenset({METRIC}), budget_percent=100.0, budget_routes=3, budget_hold=600.0)


async def test_judged_removals_keep_within_the_budget() -> None:
    rig = Rig(spec=SMALL, auto={"delete": 0, "add-small": 0})
    names = many(20)
    rig.put(*names)
    rig.want(dict.fromkeys(names, route()))
    await rig.turn()
    rig.want(dict.fromkeys(names[:2]))
    await rig.turn(15)
    assert len(await rig.installed()) == 18
    rig.want(dict.fromkeys(names[2:5]) | {NARROW: route()})
    await rig.turn(15)
    assert len(await rig.installed()) == 19, "five removals in a minute are too many; what is added goes ahead"
    assert rig.state.guard.held_since is not None
    rig.want({names[2]: route()})
    await rig.turn(2)
    assert key(names[2]) not in rig.state.removable
    rig.now += SMALL.budget_hold
    await rig.turn(15)
    assert await rig.installed() == {NARROW, names[2], *names[5:]}


async def test_a_removal_that_needs_a_person_does_not_use_the_budget() -> None:
    rig = Rig(spec=SMALL, auto={"withdraw-with-cover": 0})
    names = many(9)
    rig.put("10.64.0.0/16", *names)
    rig.want({"10.64.0.0/16": route()} | dict.fromkeys(names[3:], route()))
    await rig.turn(15)
    assert await rig.installed() == {"10.64.0.0/16", *names[3:]}, "three of them fall to their cover"
    rig.put("10.99.0.0/16", "10.98.0.0/16")
    await rig.turn(15)
    assert {"10.99.0.0/16", "10.98.0.0/16"} <= await rig.installed()


async def test_a_dead_route_needs_no_budget() -> None:
    rig = Rig(spec=SMALL, auto={"dead-next-hop": 0})
    names = many(9)
    rig.put("10.64.0.0/16")
    rig.put(*names, link="west")
    rig.want({"10.64.0.0/16": route()} | dict.fromkeys(names, route("west")))
    await rig.turn()
    rig.fib.set_link("west", carrier=False)
    rig.want(dict.fromkeys(names))
    await rig.turn(15)
    assert await rig.installed() == {"10.64.0.0/16"}


@pytest.mark.parametrize("gate", [Gate.APPROVE, Gate.AUTO])
async def test_what_is_held_is_not_written_and_goes_ahead_afterwards(gate: Gate) -> None:
    rig = Rig(gate, auto=None if gate is Gate.AUTO else {"add-small": 0, "delete": 0})
    rig.put(BROAD)
    rig.want({NARROW: route(), "10.9.0.0/16": route()})
    rig.reconciler.held = lambda _state, operation: "1" if operation.prefix in {NARROW, BROAD} else ""
    await rig.turn(15)
    assert await rig.installed() == {"10.9.0.0/16", BROAD}
    rig.reconciler.held = None
    rig.reconciler.judge_again()
    await rig.turn(15)
    assert await rig.installed() == {"10.9.0.0/16", NARROW}


@pytest.mark.parametrize("gate", [Gate.APPROVE, Gate.AUTO])
async def test_what_was_rolled_back_waits_a_day_for_a_person(gate: Gate) -> None:
    rig = Rig(gate, auto=None if gate is Gate.AUTO else {"add-small": 0})
    rig.want({NARROW: route()})
    rig.state.undo(key(NARROW), route(), rig.now)
    await rig.turn(15)
    assert await rig.installed() == set()
    rig.now = 1000.0 + UNDONE_SECONDS - 1.0
    await rig.turn(2)
    assert await rig.installed() == set()
    rig.now += 1.0
    await rig.turn(15)
    assert await rig.installed() == {NARROW}
    assert rig.state.rolled_back == {}


async def test_two_roll_backs_of_one_prefix_within_a_day_are_both_remembered() -> None:
    rig = Rig(Gate.AUTO)
    for host in (2, 3):
        rig.state.undo(key(NARROW), route(host=host), rig.now)
        rig.now += 3600.0
    for host in (2, 3):
        rig.want({NARROW: route(host=host)})
        await rig.turn(15)
        assert await rig.installed() == set(), "nobody approved it since"
    rig.now = 1000.0 + UNDONE_SECONDS
    rig.want({NARROW: route(host=2)})
    await rig.turn(15)
    assert await rig.installed() == {NARROW}, "the first one is a day ago"


async def test_what_differs_from_what_was_rolled_back_goes_ahead() -> None:
    rig = Rig(Gate.AUTO)
    rig.want({NARROW: route(host=3)})
    rig.state.undo(key(NARROW), route(), rig.now)
    await rig.turn(15)
    assert await rig.installed() == {NARROW}
    rig.want({NARROW: None})
    rig.state.undo(key(NARROW), None, rig.now)
    await rig.turn(15)
    assert await rig.installed() == {NARROW}, "a removal can be rolled back as well"


async def test_a_removal_is_judged_again_when_what_covers_it_has_changed() -> None:
    rig = Rig(auto={"withdraw-with-cover": 0})
    rig.put(NARROW)
    rig.put(MIDDLE, link="west")
    rig.want({MIDDLE: route("west")})
    await rig.turn(15)
    assert await rig.installed() == {NARROW, MIDDLE}
    rig.put(MIDDLE)
    rig.want({MIDDLE: route()})
    await rig.turn(15)
    assert await rig.installed() == {MIDDLE}, "its cover goes the same way now"


# The order of classes


@pytest.mark.parametrize(
    ("before", "after", "links", "category"),
    [
        ("east", "west", {}, "nh-move"),
        ("west", "east", {"west": False}, "nh-move"),
        ("both", "east", {"west": False}, "dead-next-hop"),
        ("both", "east", {}, "ecmp-narrow"),
        ("east", "both", {}, "ecmp-widen"),
        ("east", "both", {"west": False}, "ecmp-widen"),
    ],
)
async def test_the_links_decide_the_class_of_a_change(
    before: str, after: str, links: dict[str, bool], category: str
) -> None:
    rig = Rig(auto={})
    routes = {"east": route("east"), "west": route("west"),
              "both": Forwarding(METRIC, (*route("east").next_hops, *route("west").next_hops))}  # fmt: skip
    rig.fib.put_route(TABLE, net(MIDDLE), routes[before], OURS)
    for name, carrier in links.items():
        rig.fib.set_link(name, carrier=carrier)
    rig.want({MIDDLE: routes[after]})
    await rig.turn()
    assert rig.class_of(MIDDLE) == category
    assert rig.state.operation(key(MIDDLE)).action is Action.CHANGE


async def test_an_event_of_another_program_at_another_metric_changes_no_class() -> None:
    rig = Rig()
    rig.want({MIDDLE: route()})
    await rig.turn()
    rig.reconciler._observe([RouteEvent(TABLE, V4, key(MIDDLE), 50, 4, route(host=9), by_us=False)])
    assert rig.class_of(MIDDLE) == "add-small"
    assert rig.state.outside == []


async def test_ipv6_has_its_own_table_state() -> None:
    spec = TableSpec(TABLE, V6, frozenset({METRIC}), default_length=2)
    rig = Rig(spec=spec)
    six = via("2001:db8:1::2", link=2)
    rig.look_after(Destination(ipaddress.ip_address("2001:db8:8::10"), "endpoint", controls=True))
    rig.want({"2001:db8:8::/48": six, "2001:db8:9::/48": six, "::/1": six})
    await rig.turn()
    assert rig.class_of("2001:db8:8::/48") == "protect-node"
    assert rig.class_of("2001:db8:9::/48") == "add-small"
    assert rig.class_of("::/1") == "default-route"
