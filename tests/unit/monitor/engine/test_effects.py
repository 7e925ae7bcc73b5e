"""The effect of a plan in words: one sentence an operation, and what was looked at, for cases that can be counted by hand."""

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine import effects
from monitor.engine.effects import Effect, amount, available_memory, carrier_text, default_text, effect_of, sentence
from monitor.rib.path import PeerId
from programmer.effect import Carrier, DefaultChange, DefaultRoute, Place, TableView, compute
from programmer.fib import ForeignRoute, Link, Links
from programmer.plan import Operation
from programmer.route import MAIN_TABLE, Family, Forwarding, NextHop, PrefixKey, TableId, forwarding, key_of
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, Stage

V4, V6 = Family.IPV4, Family.IPV6
LINKS = Links(
    {number: Link(number, f"eth{number}", up=True, carrier=True, loopback=False) for number in (1, 2, 3)}, (), ()
)
TABLE = TableId(101)


def key(prefix: str) -> PrefixKey:
    return key_of(ipaddress.ip_network(prefix))


def via(*numbers: int, weights: tuple[int, ...] = (), metric: int = 200) -> Forwarding:
    """A route over 192.0.2.N on ethN."""
    shares = weights or (1,) * len(numbers)
    hops = [NextHop(bytes((192, 0, 2, number)), number, share) for number, share in zip(numbers, shares, strict=True)]
    return forwarding(metric, hops)


def table(routes: Mapping[str, Forwarding]) -> dict[PrefixKey, Forwarding]:
    return {key(prefix): route for prefix, route in routes.items()}


def said(
    prefix: str,
    before: Forwarding | None,
    after: Forwarding | None,
    routes: Mapping[str, Forwarding] | None = None,
    *,
    main: Mapping[str, Forwarding] | None = None,
    foreign: Mapping[str, Forwarding] | None = None,
    dead: tuple[int, ...] = (),
) -> str:
    """The sentence of the one operation of a plan, over a table that has *routes* beside its own."""
    family = V6 if ":" in prefix else V4
    held = table(routes or {}) | ({} if before is None else {key(prefix): before})
    others = {(key(at), route.metric): ForeignRoute(4, route) for at, route in (foreign or {}).items()}
    view = TableView(held, others, None if main is None else table(main))
    operation = Operation(TABLE, family, key(prefix), before, after)
    (found,) = compute([operation], {(TABLE, family): view}, dead=dead).operations
    return sentence(LINKS, found)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (said("10.8.0.0/24", via(1), None), "256 addresses have no route any more"),
        (said("10.8.0.0/32", via(1), None), "1 address have no route any more"),
        (
            said("10.8.0.0/24", via(1), None, {"10.8.0.0/16": via(2)}),
            "256 addresses fall to 10.8.0.0/16 via 192.0.2.2 dev eth2",
        ),
        (
            said("10.8.0.0/24", via(1), None, {"10.8.0.0/16": via(1)}),
            "nothing moves: 10.8.0.0/16 via 192.0.2.1 dev eth1 goes the same way",
        ),
        (
            said("10.8.0.0/24", via(1), None, {"10.8.0.0/25": via(3), "10.8.0.0/16": via(2)}),
            "128 addresses fall to 10.8.0.0/16 via 192.0.2.2 dev eth2",
        ),
        (
            said("10.8.0.0/24", via(1), None, main={"0.0.0.0/0": via(3)}),
            "256 addresses fall to 0.0.0.0/0 via 192.0.2.3 dev eth3 (table main)",
        ),
        (
            said("10.8.0.0/24", via(1), None, main={"0.0.0.0/0": via(1)}),
            "nothing moves: 0.0.0.0/0 via 192.0.2.1 dev eth1 (table main) goes the same way",
        ),
        (
            said("10.8.0.0/24", via(1), None, {"10.0.0.0/8": via(2)}, main={"10.8.0.0/16": via(3)}),
            "256 addresses fall to 10.0.0.0/8 via 192.0.2.2 dev eth2",
        ),
        (
            said("10.8.0.0/24", via(1), None, foreign={"10.8.0.0/16": via(2)}),
            "256 addresses fall to 10.8.0.0/16 via 192.0.2.2 dev eth2 (foreign)",
        ),
        (said("10.8.0.0/24", None, via(1)), "256 addresses get a route"),
        (
            said("10.8.0.0/24", None, via(1), {"10.8.0.0/16": via(2)}),
            "256 addresses leave 10.8.0.0/16 via 192.0.2.2 dev eth2",
        ),
        (said("10.8.0.0/24", None, via(1), {"10.8.0.0/16": via(1)}), "nothing moves: same next hops as 10.8.0.0/16"),
        (
            said("10.8.0.0/24", None, via(1), {"10.8.0.0/16": via(1, 2, weights=(3, 1))}),
            "256 addresses leave 10.8.0.0/16 via 192.0.2.1 dev eth1 weight 3, via 192.0.2.2 dev eth2 weight 1",
        ),
        (
            said("10.8.0.0/24", None, via(1), main={"0.0.0.0/0": via(3)}),
            "256 addresses leave 0.0.0.0/0 via 192.0.2.3 dev eth3 (table main)",
        ),
        (said("10.8.0.0/24", via(1), via(2)), "256 addresses move"),
        (said("10.8.0.0/24", via(1), via(1, metric=150)), "no address gets other next hops"),
        (
            said("10.8.0.0/24", via(1), via(1, 2)),
            "256 addresses are spread over 2 live next hops instead of 1",
        ),
        (
            said("10.8.0.0/24", via(1, 2), via(1), dead=(2,)),
            "256 addresses are spread over 1 live next hop instead of 1",
        ),
        (said("2001:db8::/32", None, via(1)), "1 /32 get a route"),
        (said("2001:db8::/64", None, via(1)), "1 /64 get a route"),
        (said("2001:db8::/65", via(1), None), "9,223,372,036,854,775,808 addresses have no route any more"),
        (
            said("2001:db8::/48", via(1), None, {"2001:db8::/49": via(3), "2001:db8::/32": via(2)}),
            "32,768 /64s fall to 2001:db8::/32 via 192.0.2.2 dev eth2",
        ),
        (said("2001:db8::1/128", via(1), via(2)), "1 address move"),
        (said("::/0", None, via(1)), "every IPv6 address get a route"),
    ],
)  # fmt: skip
def test_an_operation_is_told_in_one_sentence(found: str, words: str) -> None:
    assert found == words


@pytest.mark.parametrize(
    ("before", "after"), [(via(1), None), (None, via(1))], ids=["a removal", "an addition"]
)  # fmt: skip
def test_a_route_that_carries_nothing_is_not_said_to_go_the_way_of_its_cover(
    before: Forwarding | None, after: Forwarding | None
) -> None:
    halves = {"10.8.0.0/17": via(3), "10.8.128.0/17": via(3)}
    found = said("10.8.0.0/16", before, after, halves | {"10.0.0.0/8": via(2)})
    # More specific routes carry every address of it; its own next hop is another than that of the cover.
    assert "nothing moves" in found
    assert "same" not in found


@pytest.mark.parametrize(
    ("addresses", "family", "text"),
    [
        (0, V4, "0 addresses"),
        (1, V4, "1 address"),
        ((1 << 32) - 1, V4, "4,294,967,295 addresses"),
        (1 << 32, V4, "every IPv4 address"),
        (1, V6, "1 address"),
        ((1 << 64) - 1, V6, "18,446,744,073,709,551,615 addresses"),
        (1 << 64, V6, "1 /64"),
        (3 << 64, V6, "3 /64s"),
        ((1 << 64) + 1, V6, "more than 1 /64"),
        ((5 << 80) + 1, V6, "more than 5 /48s"),
        (1 << 112, V6, "1 /16"),
        (1 << 128, V6, "every IPv6 address"),
    ],
)
def test_amounts_are_told_in_addresses_or_subnets(addresses: int, family: Family, text: str) -> None:
    assert amount(addresses, family) == text


@pytest.mark.parametrize(
    ("hops", "words"),
    [
        ((NextHop(b"", 2),), "10.8.0.0/16 dev eth2"),
        ((NextHop(b"\xc0\0\2\1", 99),), "10.8.0.0/16 via 192.0.2.1 dev if99"),
        ((NextHop(ipaddress.ip_address("fe80::1").packed, 1),), "10.8.0.0/16 via fe80::1 dev eth1"),
    ],
)
def test_next_hops_without_a_gateway_or_a_link_are_told_as_they_are(hops: tuple[NextHop, ...], words: str) -> None:
    assert carrier_text(LINKS, V4, Carrier(Place.OWN, key("10.8.0.0/16"), Forwarding(200, hops))) == words


def test_a_route_that_leads_nowhere_is_told_by_what_it_is() -> None:
    blackhole = Forwarding(200, (), b"", "blackhole")
    assert carrier_text(LINKS, V4, Carrier(Place.FOREIGN, key("10.8.0.0/16"), blackhole)).endswith("(foreign)")
    assert carrier_text(LINKS, V4, Carrier(Place.NONE, None, None)) == "no route"
    assert carrier_text(LINKS, V4, Carrier(Place.NONE, key("10.8.0.0/16"), None)) == "no route"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (DefaultChange.UNCHANGED, "unchanged"),
        (DefaultChange.ADDED, "added: 0.0.0.0/0 via 192.0.2.2 dev eth2; before: 0.0.0.0/0 via 192.0.2.1 dev eth1"),
        (DefaultChange.REMOVED, "removed: 0.0.0.0/0 via 192.0.2.1 dev eth1; then: 0.0.0.0/0 via 192.0.2.2 dev eth2"),
        (DefaultChange.CHANGED, "changed from 0.0.0.0/0 via 192.0.2.1 dev eth1 to 0.0.0.0/0 via 192.0.2.2 dev eth2"),
    ],
)
def test_what_happens_to_the_default_route_is_told(change: DefaultChange, words: str) -> None:
    old, new = (Carrier(Place.OWN, b"\0", via(number)) for number in (1, 2))
    assert default_text(LINKS, V4, DefaultRoute(change, old, new, ())) == words
    more = default_text(LINKS, V4, DefaultRoute(change, old, new, (3, 4)))
    assert more == f"{words}; 2 operations on prefixes so short that they act as a default route"


prefixes = st.builds(
    lambda address, length: str(ipaddress.ip_network((address, length), strict=False)),
    st.integers(0x0A000000, 0x0A0000FF),
    st.integers(24, 32),
)
routes = st.dictionaries(prefixes, st.sampled_from([via(1), via(2), via(1, 2)]), max_size=6)


@given(routes, st.none() | routes, prefixes, st.sampled_from(["+", "-", "~"]))
def test_the_number_in_a_sentence_is_that_of_the_addresses_that_move(
    there: dict[str, Forwarding], main: dict[str, Forwarding] | None, prefix: str, glyph: str
) -> None:
    there = {at: route for at, route in there.items() if at != prefix}
    before, after = {"+": (None, via(1)), "-": (via(1), None), "~": (via(1), via(2))}[glyph]
    found = said(prefix, before, after, there, main=main)

    def hops(routes: list[tuple[str, Forwarding]], address: Any) -> tuple[NextHop, ...]:
        covering = [(ipaddress.ip_network(at), route) for at, route in routes if address in ipaddress.ip_network(at)]
        return max(covering, key=lambda item: item[0].prefixlen)[1].next_hops if covering else ()

    def way(value: Forwarding | None, address: Any) -> tuple[NextHop, ...]:
        own = [*there.items()] + ([] if value is None else [(prefix, value)])
        return hops(own, address) or hops(list((main or {}).items()), address)

    moved = sum(way(before, address) != way(after, address) for address in ipaddress.ip_network(prefix))
    if found.startswith(("nothing moves", "no address")):
        assert moved == 0
    else:
        assert found.startswith(amount(moved, V4)), (found, moved)


# On a stage: what a plan as a whole is told to do

DOMAIN = {
    "peers": ["192.0.2.0/28", "198.51.100.0/28"],
    "interfaces": ["eth1", "eth2"],
    "table": 101,
    "multipath": 2,
    "import": [{"accept": "any"}],
    "default_route": "accept",
}
Play = Callable[[Stage, Router, Router], Awaitable[None]]


def on_stage(play: Play, announced: tuple[str, ...] = (), **more: Any) -> None:
    """Run *play* where two routers are complete, and what the first has announced is installed."""

    async def main() -> None:
        stage = Stage({"mode": "approve", "domains": {"storage": DOMAIN}} | more)
        for number, (name, address) in enumerate((("one", "192.0.2.1"), ("two", "198.51.100.1")), 1):
            stage.routers[name] = Router(PeerId("fabric", address), router_id=f"10.255.0.{number}", up=True)
        await stage.start()
        try:
            one, two = stage.routers.values()
            stage.start_feed("fabric")
            if announced:
                stage.announce(one, announced, stage.path(one, 1000.0))
            for router in (one, two):
                stage.complete(router)
            await stage.settle()
            if announced:
                answer: Any = await stage.control.freeze("alice")
                await stage.control.approve(answer["digest"], "alice")
            await stage.settle()
            await play(stage, one, two)
        finally:
            await stage.stop()

    run_without_waiting(main)


def checks_in(found: Effect) -> Any:
    return found.document["checks"]


async def checks_of(stage: Stage) -> dict[str, tuple[str, str]]:
    document: Any = await stage.feed.plan()
    return {item["check"]: (item["verdict"], item["text"]) for item in document["effect"]["checks"]}


def test_a_plan_that_only_adds_needs_no_look() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.announce(one, ["10.9.0.0/16", "2001:db8:9::/48"], stage.path(one, 1000.0))
        await stage.settle()
        found = await checks_of(stage)
        assert {name: verdict for name, (verdict, _) in found.items() if name != "room"} == {
            "default-route": "ok", "next-hops": "ok", "protected": "ok", "traffic-lost": "ok", "ecmp": "ok", "foreign": "ok",
            "covered": "ok",
        }  # fmt: skip
        document: Any = await stage.feed.plan()
        assert document["effect"]["addresses"]["ipv4"] == 65536

    on_stage(play, ("10.8.0.0/16",))


def test_what_loses_its_route_or_its_next_hops_is_to_be_looked_at() -> None:
    async def play(stage: Stage, one: Router, two: Router) -> None:
        stage.withdraw(one, ["10.8.0.0/16"])
        stage.announce(two, ["10.9.0.0/16"], stage.path(two, 1000.0, local_pref=200))
        await stage.settle()
        found = await checks_of(stage)
        assert found["traffic-lost"] == ("look", "1 prefix would have no route at all")
        assert found["default-route"] == ("ok", "unchanged in every domain")
        document: Any = await stage.feed.plan()
        assert document["effect"]["moved"] == "131,072 addresses"
        (shown,) = [item for item in document["effect"]["tables"] if item["family"] == "ipv4"]
        assert (shown["change"], shown["remove"], shown["routes_before"], shown["routes_after"]) == (1, 1, 2, 1)
        assert [(load["next_hop"], load["note"]) for load in shown["load"]] == [
            ("192.0.2.1", "no longer used"),
            ("198.51.100.1", "new"),
        ]

    on_stage(play, ("10.8.0.0/16", "10.9.0.0/16"))


def test_what_falls_to_the_main_table_is_told() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.kernel.put_route(MAIN_TABLE, ipaddress.ip_network("0.0.0.0/0"), Forwarding(100, via(3).next_hops), 4)
        stage.withdraw(one, ["10.8.0.0/16"])
        await stage.settle()
        document: Any = await stage.feed.plan()
        (row,) = document["operations"]
        assert row["effect"] == "65,536 addresses fall to 0.0.0.0/0 via 192.0.2.3 dev eth2 (table main)"
        assert (await checks_of(stage))["traffic-lost"][0] == "ok"

    on_stage(play, ("10.8.0.0/16",))


def test_a_default_route_is_to_be_looked_at() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.announce(one, ["0.0.0.0/0"], stage.path(one, 1000.0))
        await stage.settle()
        found = await checks_of(stage)
        assert found["default-route"] == ("look", "touched in table 101 ipv4")
        document: Any = await stage.feed.plan()
        assert document["effect"]["tables"][0]["default_route"].startswith("added: 0.0.0.0/0 via 192.0.2.1 dev eth1")

    on_stage(play)


def test_what_a_probe_looks_at_is_named_when_it_moves() -> None:
    async def play(stage: Stage, _one: Router, two: Router) -> None:
        stage.announce(two, ["10.8.0.0/24"], stage.path(two, 1000.0))
        await stage.settle()
        assert (await checks_of(stage))["protected"] == ("look", "reached another way afterwards: probe api")
        document: Any = await stage.feed.plan()
        (change,) = document["effect"]["protected"]
        assert change == {
            "name": "probe api",
            "table": 101,
            "before": "10.8.0.0/16 via 192.0.2.1 dev eth1",
            "after": "10.8.0.0/24 via 198.51.100.1 dev eth2",
        }

    rules = [{"match": "in 10.8.0.0/16 and length<=16", "decision": "auto"}, {"match": "*", "approve": 1}]
    approval = {"soak": {"duration": "5m", "probes": [{"name": "api", "tcp": "10.8.0.10:443"}]}, "rules": rules}

    async def installed(stage: Stage, one: Router, two: Router) -> None:
        stage.announce(one, ["10.8.0.0/16"], stage.path(one, 1000.0))
        await stage.settle()
        await play(stage, one, two)

    on_stage(installed, approval=approval)


def test_a_plan_of_nothing_has_no_effect() -> None:
    async def play(stage: Stage, _one: Router, _two: Router) -> None:
        effect, groups = await effect_of(stage.engine, [])
        assert (effect.sentences, groups) == ({}, ())
        assert (effect.document["moved"], effect.document["tables"]) == ("", [])
        gone = Operation(TableId(4711), V4, key("10.8.0.0/16"), None, via(1))
        effect, _ = await effect_of(stage.engine, [gone])
        assert effect.sentences == {gone: "65,536 addresses get a route"}

    on_stage(play)


def test_a_large_plan_is_looked_at_on_copies_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.withdraw(one, ["10.8.0.0/16"])
        stage.announce(one, ["10.9.0.0/24"], stage.path(one, 1000.0))
        await stage.settle()
        operations = stage.reconciler.live_operations()
        alone, groups = await effect_of(stage.engine, operations)
        monkeypatch.setattr(effects, "FEW", 0)
        aside, others = await effect_of(stage.engine, operations)
        assert (alone.sentences, groups) == (aside.sentences, others)
        rooms = [[item for item in checks_in(found) if item["check"] != "room"] for found in (alone, aside)]
        assert rooms[0] == rooms[1]

    on_stage(play, ("10.8.0.0/16",))


@pytest.mark.parametrize(
    ("content", "octets"),
    [
        ("MemTotal: 10 kB\nMemAvailable:    2048 kB\n", 2048 * 1024),
        ("MemTotal: 10 kB\n", None),
        ("MemAvailable: much\n", None),
        ("MemAvailable:\n", None),
        ("", None),
    ],
)
def test_the_memory_that_is_left_is_read_or_not_known(tmp_path: Path, content: str, octets: int | None) -> None:
    file = tmp_path / "meminfo"
    file.write_text(content)
    assert available_memory(file) == octets
    assert available_memory(tmp_path / "nothing") is None
