"""The effect of a plan: carriers, addresses that move, load, default routes, protected destinations, groups."""

import ipaddress
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from programmer.effect import (
    Carrier,
    DefaultChange,
    OperationEffect,
    Place,
    PlanEffect,
    Protected,
    TableKey,
    TableView,
    Width,
    compute,
    computing,
    dependent_groups,
    ranges,
)
from programmer.fib import ForeignRoute
from programmer.plan import Operation
from programmer.route import Family, Forwarding, NextHop, PrefixKey, TableId, forwarding, key_of

MAIN = TableId(254)
BLUE = TableId(100)
V4, V6 = Family.IPV4, Family.IPV6


def hop(last: int, ifindex: int = 0, weight: int = 1) -> NextHop:
    return NextHop(bytes((198, 51, 100, last)), ifindex or last, weight)


def via(*lasts: int, metric: int = 20) -> Forwarding:
    return forwarding(metric, [hop(last) for last in lasts])


A, B, C, AB = via(1), via(2), via(3), via(1, 2)


def key(text: str) -> PrefixKey:
    return key_of(ipaddress.ip_network(text))


def operation(text: str, before: Forwarding | None, after: Forwarding | None, table: TableId = MAIN) -> Operation:
    network = ipaddress.ip_network(text)
    return Operation(table, V4 if network.version == 4 else V6, key_of(network), before, after)


def table(values: Mapping[str, Forwarding]) -> dict[PrefixKey, Forwarding]:
    return {key(text): value for text, value in values.items()}


def view(
    values: Mapping[str, Forwarding],
    foreign: Mapping[str, Forwarding] | None = None,
    fallback: Mapping[str, Forwarding] | None = None,
) -> TableView:
    others = {(key(text), value.metric): ForeignRoute(4, value) for text, value in (foreign or {}).items()}
    return TableView(table(values), others, None if fallback is None else table(fallback))


def effect_in_main(
    values: Mapping[str, Forwarding], *operations: Operation, foreign: Mapping[str, Forwarding] | None = None
) -> PlanEffect:
    return compute(operations, {(MAIN, operations[0].family): view(values, foreign)})


def own(text: str, value: Forwarding) -> Carrier:
    return Carrier(Place.OWN, key(text), value)


NOBODY = Carrier(Place.NONE, None, None)


def test_a_removed_prefix_falls_to_its_cover_by_another_next_hop() -> None:
    effect = effect_in_main({"10.1.0.0/16": A, "10.1.5.0/24": C}, operation("10.1.5.0/24", C, None))
    (row,) = effect.operations
    assert (row.before, row.after) == (own("10.1.5.0/24", C), own("10.1.0.0/16", A))
    assert row.moves
    assert row.addresses == effect.addresses(V4) == effect.tables[0].addresses == 256


def test_a_covered_add_with_the_next_hops_of_its_cover_changes_nothing() -> None:
    effect = effect_in_main({"10.1.0.0/16": A}, operation("10.1.3.0/24", None, A), operation("10.1.4.0/24", None, B))
    quiet, loud = effect.operations
    assert (quiet.moves, quiet.quiet, quiet.addresses) == (False, True, 0)
    assert (loud.moves, loud.quiet, loud.addresses) == (True, False, 256)
    assert (effect.tables[0].quiet_adds, effect.tables[0].covered_adds) == (1, 2)


def test_an_add_leaves_the_default_and_an_add_under_nothing_is_new() -> None:
    effect = effect_in_main({"0.0.0.0/0": A}, operation("10.77.0.0/22", None, B))
    assert effect.operations[0].before == own("0.0.0.0/0", A)
    assert effect.operations[0].addresses == 1024
    assert not effect.tables[0].default.touched
    effect = effect_in_main({}, operation("10.77.0.0/22", None, B))
    assert effect.operations[0].before == NOBODY
    assert effect.operations[0].addresses == 1024
    assert effect.tables[0].covered_adds == 0


def test_a_second_path_widens_and_a_dead_link_is_not_live() -> None:
    change = operation("10.66.0.0/16", A, AB)
    tables = {(MAIN, V4): view({"10.66.0.0/16": A})}
    effect = compute([change], tables)
    (row,) = effect.operations
    assert (row.width_before, row.width_after) == (Width(1, 1), Width(2, 2))
    assert (effect.tables[0].widened, effect.tables[0].narrowed, effect.tables[0].hop_changes) == (1, 0, 1)
    assert row.addresses == 65536
    effect = compute([change], tables, dead={2})
    assert effect.operations[0].width_after == Width(2, 1)
    assert effect.tables[0].widened == 0


def test_falling_from_two_paths_to_one_narrows_and_losing_the_only_route_does_not() -> None:
    values = {"10.0.0.0/8": A, "10.1.0.0/16": AB, "172.16.0.0/12": AB}
    effect = effect_in_main(values, operation("10.1.0.0/16", AB, None), operation("172.16.0.0/12", AB, None))
    assert effect.tables[0].narrowed == 1
    assert effect.operations[1].after == NOBODY


def test_more_specifics_keep_their_own_carrier() -> None:
    values = {"10.0.0.0/8": A, "10.1.0.0/16": B, "10.1.2.0/24": C, "10.1.2.128/25": B, "10.1.9.9/32": A}
    effect = effect_in_main(values, operation("10.1.0.0/16", B, None))
    assert effect.operations[0].addresses == 65536 - 256 - 1


def test_nested_operations_share_addresses_but_the_table_counts_each_once() -> None:
    values = {"10.0.0.0/8": A, "10.1.0.0/16": B, "10.1.2.0/24": C}
    effect = effect_in_main(values, operation("10.1.0.0/16", B, C), operation("10.1.2.0/24", C, None))
    outer, inner = effect.operations
    assert outer.addresses == 65536 - 256
    assert (inner.moves, inner.addresses) == (False, 0), "it falls to the /16, which has its next hops by then"
    assert effect.addresses(V4) == 65536 - 256
    effect = effect_in_main(values, operation("10.1.0.0/16", B, None), operation("10.1.3.0/24", None, C))
    assert [row.addresses for row in effect.operations] == [65536 - 256, 256], "the /16 loses the new /24 too"
    assert effect.addresses(V4) == 65536 - 256


def test_a_replaced_default_is_told_in_words() -> None:
    effect = effect_in_main(
        {"0.0.0.0/0": A, "10.0.0.0/8": B}, operation("0.0.0.0/0", A, C), operation("0.0.0.0/1", None, B)
    )
    default = effect.tables[0].default
    assert (default.change, default.before.forwarding, default.after.forwarding) == (DefaultChange.CHANGED, A, C)
    assert default.cover_alls == (1,)
    assert effect.addresses(V4) == 2**32 - 2**24
    assert [row.addresses for row in effect.operations] == [2**32 - 2**24, 2**31 - 2**24]


@pytest.mark.parametrize(
    ("before", "after", "change"), [(None, A, "added"), (A, None, "removed"), (A, via(1, metric=30), "changed")]
)
def test_every_operation_on_the_default_route_has_a_word(
    before: Forwarding | None, after: Forwarding | None, change: str
) -> None:
    for text in ("0.0.0.0/0", "::/0"):
        effect = effect_in_main({text: before} if before else {}, operation(text, before, after))
        assert effect.tables[0].default.change.value == change


def test_short_prefixes_count_as_defaults_up_to_the_length_asked_for() -> None:
    plan = [operation("2000::/3", None, A), operation("2a00::/12", None, A), operation("2001:db8::/32", None, A)]
    tables = {(MAIN, V6): view({})}
    assert compute(plan, tables).tables[0].default.cover_alls == (0, 1)
    assert compute(plan, tables, cover_all={V6: 4}).tables[0].default.cover_alls == (0,)
    assert compute(plan, tables).tables[0].default.change is DefaultChange.UNCHANGED


def test_ipv6_addresses_are_exact() -> None:
    values = {"::/0": A, "2001:db8:1::/48": B}
    effect = effect_in_main(values, operation("2001:db8::/32", None, C), operation("2001:db8:1:2::/64", None, C))
    assert [row.addresses for row in effect.operations] == [2**96 - 2**80, 2**64]
    assert effect.addresses(V6) == 2**96 - 2**80 + 2**64
    assert effect.addresses(V4) == 0


def test_a_lookup_goes_on_in_the_fallback_table() -> None:
    plan = [operation("10.1.0.0/16", A, None, BLUE), operation("10.2.0.0/16", None, A, BLUE)]
    main = {"0.0.0.0/0": B, "10.1.7.0/24": A, "10.2.0.0/17": A}
    effect = compute(plan, {(BLUE, V4): view({"10.1.0.0/16": A}, fallback=main)})
    removed, added = effect.operations
    assert removed.after == Carrier(Place.FALLBACK, key("0.0.0.0/0"), B)
    assert removed.addresses == 65536 - 256, "one /24 of the main table has the same next hop"
    assert added.before == Carrier(Place.FALLBACK, key("0.0.0.0/0"), B)
    assert added.addresses == 32768
    assert effect.tables[0].default.before.place is Place.FALLBACK


def test_a_part_moves_even_if_the_whole_falls_to_the_same_next_hops() -> None:
    plan = [operation("10.1.0.0/16", None, A, BLUE)]
    effect = compute(plan, {(BLUE, V4): view({}, fallback={"0.0.0.0/0": A, "10.1.7.0/24": B})})
    assert not effect.operations[0].moves
    assert effect.operations[0].addresses == 256
    assert not effect.operations[0].quiet
    assert (effect.tables[0].covered_adds, effect.tables[0].quiet_adds) == (1, 0)


def test_operations_on_the_main_table_are_laid_over_the_fallback() -> None:
    plan = [operation("10.1.0.0/16", A, None, BLUE), operation("10.0.0.0/8", None, C)]
    tables = {(MAIN, V4): view({"0.0.0.0/0": B}), (BLUE, V4): view({"10.1.0.0/16": A}, fallback={"0.0.0.0/0": B})}
    effect = compute(plan, tables)
    assert effect.operations[0].after == Carrier(Place.FALLBACK, key("10.0.0.0/8"), C)
    assert effect.groups == ((0, 1),)
    assert [part.addresses for part in effect.tables] == [2**24, 2**16]


def test_a_foreign_route_carries_by_metric_and_a_met_one_is_named() -> None:
    plan = [operation("10.1.0.0/16", A, None), operation("10.2.0.0/16", None, B), operation("10.3.0.0/16", None, A)]
    foreign = {
        "10.1.0.0/16": via(3, metric=100),
        "10.2.0.0/16": via(3, metric=5),
        "10.3.0.0/16": via(2, metric=20),
    }
    effect = effect_in_main({"10.1.0.0/16": A}, *plan, foreign=foreign)
    falls, behind, meets = effect.operations
    assert falls.after == Carrier(Place.FOREIGN, key("10.1.0.0/16"), via(3, metric=100))
    assert (behind.before.place, behind.after.place, behind.addresses) == (Place.FOREIGN, Place.FOREIGN, 0)
    assert meets.after == own("10.3.0.0/16", A), "what the plan wants, though the kernel would refuse it"
    assert effect.foreign == (2,)


def test_of_two_foreign_routes_the_lower_metric_carries() -> None:
    key_, low, high = key("10.1.0.0/16"), via(2, metric=50), via(3, metric=60)
    others = {(key_, 50): ForeignRoute(4, low), (key_, 60): ForeignRoute(4, high)}
    for order in (others, dict(reversed(others.items()))):
        effect = compute([operation("10.1.0.0/16", A, None)], {(MAIN, V4): TableView({key_: A}, order)})
        assert effect.operations[0].after == Carrier(Place.FOREIGN, key_, low)


def test_load_is_counted_per_next_hop_and_shared_by_weight() -> None:
    uneven = forwarding(20, [hop(1, weight=3), hop(2)])
    values = {"10.0.0.0/24": A, "10.0.1.0/24": A, "10.0.2.0/24": C, "10.0.3.0/24": A}
    plan = [operation("10.0.1.0/24", A, uneven), operation("10.0.2.0/24", C, None), operation("10.0.9.0/24", None, B)]
    (part,) = effect_in_main(values, *plan).tables
    rows = {load.ifindex: load for load in part.load}
    assert [(row.routes_before, row.routes_after) for row in part.load] == [(3, 3), (0, 2), (1, 0)]
    assert (rows[1].percent_before, rows[1].percent_after) == (75.0, 68.75)
    assert sum(row.percent_after for row in part.load) == pytest.approx(100.0)
    assert [row.ifindex for row in part.new_hops] == [2]
    assert [row.ifindex for row in part.vanishing_hops] == [3]
    assert (part.size_before, part.size_after, part.percent) == (4, 4, 75.0)


def test_counts_that_are_given_are_not_counted_again() -> None:
    held = TableView(table({"10.0.0.0/24": A}), {}, counts={A: 41})
    (part,) = compute([operation("10.0.1.0/24", None, A)], {(MAIN, V4): held}).tables
    assert (part.load[0].routes_before, part.load[0].routes_after) == (41, 42)


def test_the_effect_of_a_plan_stays_the_same_while_it_is_applied() -> None:
    values = {"0.0.0.0/0": A, "10.1.0.0/16": B, "10.2.0.0/16": B}
    plan = [operation("10.1.0.0/16", B, None), operation("10.2.0.0/16", B, C), operation("10.3.0.0/16", None, C)]
    done = {"0.0.0.0/0": A, "10.2.0.0/16": C, "10.3.0.0/16": C}
    assert effect_in_main(values, *plan) == effect_in_main(done, *plan)


def test_a_table_without_operations_is_told_too() -> None:
    effect = compute([operation("10.1.0.0/16", None, A)], {(MAIN, V4): view({}), (BLUE, V4): view({"0.0.0.0/0": A})})
    blue = effect.tables[1]
    assert (blue.table, blue.size_before, blue.percent, blue.addresses, blue.load) == (BLUE, 1, 0.0, 0, ())
    assert blue.default.before == blue.default.after == own("0.0.0.0/0", A)
    assert effect.tables[0].percent == 100.0


def test_a_protected_destination_that_gets_another_carrier_is_named() -> None:
    protected = [
        Protected("api", ipaddress.ip_address("10.1.5.9").packed),
        Protected("dns", ipaddress.ip_address("10.1.6.9").packed),
        Protected("node", ipaddress.ip_address("2001:db8::1").packed),
    ]
    values = {"10.1.0.0/16": A, "10.1.5.0/24": C}
    effect = compute([operation("10.1.5.0/24", C, None)], {(MAIN, V4): view(values)}, protected=protected)
    (change,) = effect.protected
    assert (change.protected.name, change.before, change.after) == (
        "api",
        own("10.1.5.0/24", C),
        own("10.1.0.0/16", A),
    )
    assert change.moves


def test_totals_are_of_the_whole_plan_when_only_a_few_operations_are_told() -> None:
    plan = [operation(f"10.1.{number}.0/24", None, B) for number in range(20)]
    effect = compute(plan, {(MAIN, V4): view({})}, detailed=3)
    assert [row.index for row in effect.operations] == [0, 1, 2]
    assert effect.addresses(V4) == 20 * 256
    assert effect.tables[0].adds == effect.tables[0].moving == 20


def test_a_plan_must_fit_its_tables() -> None:
    with pytest.raises(ValueError, match="table 100, which was not given"):
        compute([operation("10.1.0.0/16", None, A, BLUE)], {(MAIN, V4): view({})})
    with pytest.raises(ValueError, match=r"two operations are on one prefix, 10\.1\.0\.0/16, of ipv4 table 254"):
        compute([operation("10.1.0.0/16", None, A), operation("10.1.0.0/16", None, B)], {(MAIN, V4): view({})})


def test_steps_come_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {f"10.{number}.0.0/16": A for number in range(64)}
    plan = [operation("0.0.0.0/0", None, B), *(operation(f"10.{number}.0.0/16", A, None) for number in range(0, 64, 2))]
    at_once = effect_in_main(values, *plan)
    monkeypatch.setattr(ranges, "SLICE", 8)
    results: list[PlanEffect] = []

    def kept() -> Generator[None, None, None]:
        results.append((yield from computing(plan, {(MAIN, V4): view(values)})))

    assert sum(1 for _ in kept()) >= 16
    assert results == [at_once]
    assert at_once.addresses(V4) == 2**32 - 32 * 65536


def groups(values: Mapping[str, Forwarding], *operations: Operation) -> tuple[tuple[int, ...], ...]:
    return dependent_groups(operations, {(MAIN, V4): view(values)})


def test_a_removal_leans_on_the_cover_that_the_plan_adds_or_changes() -> None:
    values = {"10.1.1.0/24": A, "10.1.2.0/24": A, "10.9.0.0/16": A, "10.9.1.0/24": B}
    plan = [
        operation("10.1.1.0/24", A, None),
        operation("10.50.0.0/16", None, A),
        operation("10.9.1.0/24", B, None),
        operation("10.1.0.0/16", None, A),
        operation("10.9.0.0/16", A, B),
        operation("10.1.2.0/24", A, None),
    ]
    assert groups(values, *plan) == ((0, 3, 5), (2, 4))
    assert effect_in_main(values, *plan).groups == ((0, 3, 5), (2, 4))


def test_a_prefix_cut_into_its_parts_is_one_group() -> None:
    plan = [
        operation("10.1.0.0/16", A, None),
        operation("10.1.0.0/17", None, A),
        operation("10.1.128.0/17", None, A),
    ]
    assert groups({"10.1.0.0/16": A}, *plan) == ((0, 1, 2),)


def test_an_add_that_keeps_traffic_from_following_a_changed_cover_leans_on_it() -> None:
    values = {"10.0.0.0/8": A}
    change = operation("10.0.0.0/8", A, B)
    assert groups(values, change, operation("10.1.0.0/16", None, A)) == ((0, 1),)
    assert groups(values, change, operation("10.1.0.0/16", None, C)) == ()


def test_both_halves_of_everything_lean_on_each_other() -> None:
    plan = [
        operation("128.0.0.0/1", None, A),
        operation("10.0.0.0/8", None, A),
        operation("0.0.0.0/1", None, B),
    ]
    assert groups({}, *plan) == ((0, 2),)


def test_a_removal_leans_on_what_the_plan_does_below_it_in_the_table_it_falls_to() -> None:
    plan = [
        operation("10.1.0.0/16", A, None, BLUE),
        operation("10.1.7.0/24", None, B),
        operation("10.2.7.0/24", None, B),
    ]
    tables = {(MAIN, V4): view({"0.0.0.0/0": C}), (BLUE, V4): view({"10.1.0.0/16": A}, fallback={"0.0.0.0/0": C})}
    assert dependent_groups(plan, tables) == ((0, 1),)


def test_unrelated_operations_form_no_group() -> None:
    values = {"0.0.0.0/0": A, "10.1.0.0/16": B, "10.2.0.0/16": B}
    plan = [operation("10.1.0.0/16", B, None), operation("10.2.0.0/16", B, C), operation("10.3.0.0/16", None, C)]
    assert groups(values, *plan) == ()


# An oracle: a universe of 256 places below a fixed head of some length, looked at one by one.

Small = tuple[int, int]
"""Length of 0 to 8 bits, and that many bits."""

WAYS = (A, B, AB)
smalls = st.integers(0, 8).flatmap(lambda length: st.tuples(st.just(length), st.integers(0, (1 << length) - 1)))
stores = st.dictionaries(smalls, st.sampled_from(WAYS), max_size=12)
strangers = st.dictionaries(st.tuples(smalls, st.sampled_from((10, 30))), st.sampled_from((1, 2, 3)), max_size=4)


@dataclass(frozen=True)
class World:
    """Where the 256 places lie: a family, and how many bits stand before them."""

    family: Family
    offset: int

    @property
    def unit(self) -> int:
        return 1 << (self.family.bits - self.offset - 8)

    def key(self, small: Small) -> PrefixKey:
        length, bits = small
        width = self.family.bits
        head = int.from_bytes(bytes((10, 0xB6, 0x35)).ljust(width >> 3, b"\0")) >> (width - self.offset)
        number = (head << length | bits) << (width - self.offset - length)
        whole = self.offset + length
        return bytes((whole,)) + number.to_bytes(width >> 3)[: (whole + 7) >> 3]


def covers(small: Small, other: Small) -> bool:
    return small[0] <= other[0] and other[1] >> (other[0] - small[0]) == small[1]


@dataclass
class Model:
    """One table at one moment, as a heap of (place, prefix, forwarding)."""

    routes: dict[Small, Forwarding]
    foreign: dict[tuple[Small, int], Forwarding] = field(default_factory=dict)
    beyond: "Model | None" = None

    def carrier(self, small: Small) -> tuple[str, Small | None, Forwarding | None]:
        held = [(at, value, "own") for at, value in self.routes.items()]
        held += [(at, value, "foreign") for (at, _), value in self.foreign.items()]
        fitting = [item for item in held if covers(item[0], small)]
        if fitting:
            at, value, place = min(fitting, key=lambda item: (-item[0][0], item[1].metric))
            return place, at, value
        if self.beyond is not None:
            place, found, forwarded = self.beyond.carrier(small)
            return (place if found is None else "fallback"), found, forwarded
        return "none", None, None


def hops_of(carrier: tuple[str, Small | None, Forwarding | None]) -> tuple[NextHop, ...]:
    return carrier[2].next_hops if carrier[2] else ()


@dataclass
class Case:
    """What hypothesis draws: two tables before and after, blue falling to main."""

    world: World
    before: tuple[dict[Small, Forwarding], dict[Small, Forwarding]]
    after: tuple[dict[Small, Forwarding], dict[Small, Forwarding]]
    foreign: tuple[dict[tuple[Small, int], int], dict[tuple[Small, int], int]]
    small_steps: bool
    try_all: bool

    def models(self, stores: tuple[dict[Small, Forwarding], dict[Small, Forwarding]]) -> dict[TableId, Model]:
        others = [
            {(at, metric): via(last, metric=metric) for (at, metric), last in part.items()} for part in self.foreign
        ]
        main = Model(stores[0], others[0])
        return {MAIN: main, BLUE: Model(stores[1], others[1], main)}

    def without(self, number: TableId, small: Small) -> dict[TableId, Model]:
        stores = (dict(self.before[0]), dict(self.before[1]))
        del stores[0 if number == MAIN else 1][small]
        return self.models(stores)

    def plan(self) -> tuple[list[Operation], list[tuple[TableId, Small]]]:
        operations, places = [], []
        for number, before, after in zip((MAIN, BLUE), self.before, self.after, strict=True):
            for small in sorted(before.keys() | after.keys()):
                if before.get(small) != after.get(small):
                    found = before.get(small), after.get(small)
                    operations.append(Operation(number, self.world.family, self.world.key(small), *found))
                    places.append((number, small))
        return operations, places

    def views(self) -> dict[TableKey, TableView]:
        models = self.models(self.before)
        best: dict[PrefixKey, Forwarding] = {}
        for small in models[MAIN].routes.keys() | {at for at, _ in models[MAIN].foreign}:
            value = models[MAIN].carrier(small)[2]
            assert value is not None
            best[self.world.key(small)] = value
        key = self.world.key
        return {
            (number, self.world.family): TableView(
                {key(at): value for at, value in model.routes.items()},
                {(key(at), metric): ForeignRoute(4, value) for (at, metric), value in model.foreign.items()},
                best if number == BLUE else None,
            )
            for number, model in models.items()
        }


worlds = st.sampled_from([World(V4, 0), World(V4, 4), World(V4, 8), World(V4, 24), World(V6, 0), World(V6, 20)])
cases = st.builds(
    Case,
    worlds,
    st.tuples(stores, stores),
    st.tuples(stores, stores),
    st.tuples(strangers, strangers),
    st.booleans(),
    st.booleans(),
)


def computed(case: Case, operations: list[Operation]) -> PlanEffect:
    with pytest.MonkeyPatch.context() as patch:
        if case.small_steps:
            patch.setattr(ranges, "SLICE", 3)
        if case.try_all and case.world == World(V4, 24):
            patch.setattr(ranges, "TRY_COST", 0)
        return compute(operations, case.views())


def check_row(case: Case, row: OperationEffect, at: tuple[TableId, Small], counted: int) -> None:
    start, end = case.models(case.before)[at[0]], case.models(case.after)[at[0]]
    for found, expected in ((row.before, start.carrier(at[1])), (row.after, end.carrier(at[1]))):
        place, small, value = expected
        key = None if small is None else case.world.key(small)
        assert (found.place.value, found.key, found.forwarding) == (place, key, value)
    assert row.addresses == counted * case.world.unit


@settings(max_examples=80, deadline=None)
@given(cases)
def test_the_effect_agrees_with_a_look_at_every_address(case: Case) -> None:
    operations, places = case.plan()
    effect = computed(case, operations)
    start, end = case.models(case.before), case.models(case.after)
    counted = dict.fromkeys(places, 0)
    totals = {MAIN: 0, BLUE: 0}
    for number in totals:
        for address in range(256):
            carriers = start[number].carrier((8, address)), end[number].carrier((8, address))
            here = {
                (number, small) for place, small, _ in carriers if small is not None and place in {"own", "foreign"}
            }
            if here and hops_of(carriers[0]) != hops_of(carriers[1]):
                totals[number] += 1
                for at in here & counted.keys():
                    counted[at] += 1
    assert {part.table: part.addresses for part in effect.tables} == {
        number: total * case.world.unit for number, total in totals.items()
    }
    for row in effect.operations:
        check_row(case, row, places[row.index], counted[places[row.index]])
    for part, before, after in zip(effect.tables, case.before, case.after, strict=True):
        assert (part.size_before, part.size_after) == (len(before), len(after))


@settings(max_examples=80, deadline=None)
@given(cases)
def test_a_removal_in_no_group_does_alone_what_it_does_in_the_plan(case: Case) -> None:
    operations, places = case.plan()
    found = dependent_groups(operations, case.views())
    assert all(len(group) > 1 and list(group) == sorted(set(group)) for group in found)
    assert sorted(found) == list(found)
    grouped = {index for group in found for index in group}
    assert len(grouped) == sum(map(len, found))
    start, end = case.models(case.before), case.models(case.after)
    for index, (number, small) in enumerate(places):
        if operations[index].after is None and index not in grouped:
            alone = case.without(number, small)
            for address in range(256):
                if start[number].carrier((8, address))[:2] == ("own", small):
                    assert alone[number].carrier((8, address)) == end[number].carrier((8, address))
