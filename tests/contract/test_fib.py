"""What the reconciler relies on, proved for the real kernel and for the simulated one alike."""

import asyncio
import errno
import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programmer.errors import DumpInterrupted, FibUnavailable
from programmer.fib import (
    OK,
    FibEvent,
    LinkEvent,
    OverrunEvent,
    RouteEvent,
    RuleEvent,
    Verb,
    Write,
    WriteResult,
)
from programmer.memory import MemoryFib
from programmer.route import MAIN_TABLE, Family, Forwarding, NextHop, Rule, TableId, forwarding, key_of
from tests.contract.stage import (
    METRIC,
    OTHER,
    OURS,
    TABLE,
    MemoryStage,
    Stage,
    change,
    net,
    read,
    via,
    write,
)
from tests.support.wait import until

ADD, REPLACE, DELETE = Verb.ADD, Verb.REPLACE, Verb.DELETE
DEADLINE = 10.0
FAMILIES = pytest.mark.parametrize(
    ("prefix", "gateway", "other"),
    [
        pytest.param("203.0.113.0/24", "10.1.0.2", "10.1.0.3", id="ipv4"),
        pytest.param("2001:db8:f::/48", "2001:db8:1::2", "2001:db8:1::3", id="ipv6"),
    ],
)


async def events_until(stage: Stage, enough: Callable[[list[FibEvent]], bool]) -> list[FibEvent]:
    """Collect events until *enough* says so."""
    seen: list[FibEvent] = []
    async with asyncio.timeout(DEADLINE):
        async for events in stage.fib.events():
            assert events
            seen += events
            if enough(seen):
                return seen
    raise AssertionError(f"the events ended after {seen}")


def route_events(events: list[FibEvent]) -> list[RouteEvent]:
    return [event for event in events if isinstance(event, RouteEvent)]


class TestWriting:
    @FAMILIES
    async def test_an_added_route_is_read_back_as_it_was_written(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        route = via(gateway, link=stage.east)
        assert await write(stage, change(ADD, prefix, route)) == [OK]
        image = await read(stage, Family.of_label("ipv6" if ":" in prefix else "ipv4"))
        assert image.routes == {key_of(net(prefix)): route}
        assert not image.foreign
        assert not image.extras
        assert not image.dead

    @FAMILIES
    async def test_a_replacement_changes_the_route_and_a_deletion_ends_it(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        family = Family.of_label("ipv6" if ":" in prefix else "ipv4")
        both = via(gateway, other, link=stage.east)
        results = await write(stage, change(ADD, prefix, via(gateway, link=stage.east)), change(REPLACE, prefix, both))
        assert results == [OK, OK]
        assert (await read(stage, family)).routes == {key_of(net(prefix)): both}
        single = via(other, link=stage.east)
        assert await write(stage, change(REPLACE, prefix, single)) == [OK]
        assert (await read(stage, family)).routes == {key_of(net(prefix)): single}
        assert await write(stage, change(DELETE, prefix, single)) == [OK]
        assert not (await read(stage, family)).routes

    @FAMILIES
    async def test_replacing_or_deleting_what_is_absent_says_so(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        results = await write(stage, change(REPLACE, prefix, via(gateway)), change(DELETE, prefix, via(gateway)))
        assert [result.errno for result in results] == [errno.ENOENT, errno.ESRCH]

    @FAMILIES
    async def test_adding_never_joins_or_replaces_a_foreign_route_at_our_metric(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        stage.put(prefix, gateway, metric=METRIC, protocol=OTHER)
        (result,) = await write(stage, change(ADD, prefix, via(other)))
        assert result.errno == errno.EEXIST
        image = await read(stage, Family.of_label("ipv6" if ":" in prefix else "ipv4"))
        (foreign,) = image.foreign.values()
        assert foreign.protocol == OTHER
        assert [str(hop.address) for hop in foreign.forwarding.next_hops] == [gateway]

    @FAMILIES
    async def test_deleting_never_removes_a_route_of_another_owner_or_metric(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        stage.put(prefix, gateway, metric=METRIC, protocol=OTHER)
        stage.put(prefix, gateway, metric=METRIC + 1, protocol=OURS)
        (result,) = await write(stage, change(DELETE, prefix, via(gateway)))
        assert result.errno == errno.ESRCH
        image = await read(stage, Family.of_label("ipv6" if ":" in prefix else "ipv4"))
        assert {metric for _, metric in image.foreign} == {METRIC, METRIC + 1}

    @FAMILIES
    async def test_two_of_our_metrics_at_one_prefix_are_a_route_and_an_extra(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        low, high = via(gateway, link=stage.east), via(other, link=stage.east, metric=METRIC + 5)
        assert await write(stage, change(ADD, prefix, high), change(ADD, prefix, low)) == [OK, OK]
        family = Family.of_label("ipv6" if ":" in prefix else "ipv4")
        image = await read(stage, family, TABLE, METRIC, METRIC + 5)
        assert image.routes == {key_of(net(prefix)): low}
        assert image.extras == {(key_of(net(prefix)), METRIC + 5): high}
        assert await write(stage, change(DELETE, prefix, low)) == [OK]
        assert (await read(stage, family, TABLE, METRIC, METRIC + 5)).routes == {key_of(net(prefix)): high}

    @FAMILIES
    async def test_weights_survive(self, stage: Stage, prefix: str, gateway: str, other: str) -> None:
        route = via(gateway, other, link=stage.east, weights=(3, 256))
        assert await write(stage, change(ADD, prefix, route)) == [OK]
        image = await read(stage, Family.of_label("ipv6" if ":" in prefix else "ipv4"))
        assert image.routes == {key_of(net(prefix)): route}
        assert await write(stage, change(DELETE, prefix, route)) == [OK]
        assert not (await read(stage, Family.of_label("ipv6" if ":" in prefix else "ipv4"))).routes

    @FAMILIES
    async def test_a_group_is_deleted_whole_by_its_metric_alone(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        await write(stage, change(ADD, prefix, via(gateway, other, link=stage.east)))
        assert await write(stage, change(DELETE, prefix, Forwarding(METRIC, ()))) == [OK]
        assert not (await read(stage, Family.of_label("ipv6" if ":" in prefix else "ipv4"))).routes

    async def test_ipv4_goes_over_an_ipv6_next_hop(self, stage: Stage) -> None:
        hops = [
            NextHop(ipaddress.ip_address("fe80::2").packed, stage.east),
            NextHop(ipaddress.ip_address("10.2.0.2").packed, stage.west, 7),
        ]
        single, group = forwarding(METRIC, hops[:1]), forwarding(METRIC, hops)
        results = await write(stage, change(ADD, "203.0.113.0/24", single), change(ADD, "198.51.100.0/24", group))
        assert results == [OK, OK]
        image = await read(stage)
        assert image.routes == {key_of(net("203.0.113.0/24")): single, key_of(net("198.51.100.0/24")): group}

    async def test_a_link_local_gateway_keeps_its_link(self, stage: Stage) -> None:
        gateway = ipaddress.ip_address("fe80::99").packed
        group = forwarding(METRIC, [NextHop(gateway, stage.east), NextHop(gateway, stage.west)])
        assert await write(stage, change(ADD, "2001:db8:f::/48", group)) == [OK]
        assert (await read(stage, Family.IPV6)).routes == {key_of(net("2001:db8:f::/48")): group}

    async def test_a_route_may_be_on_the_link_itself(self, stage: Stage) -> None:
        route = forwarding(METRIC, [NextHop(b"", stage.west)])
        writes = [change(ADD, "203.0.113.0/24", route), change(ADD, "2001:db8:f::/48", route)]
        assert await write(stage, *writes) == [OK, OK]
        for write_ in writes:
            assert (await read(stage, write_.family)).routes == {write_.key: route}

    async def test_preferred_sources_are_kept(self, stage: Stage) -> None:
        four = via("10.1.0.2", link=stage.east, source="10.2.0.1")
        six = via("2001:db8:1::2", link=stage.east, source="2001:db8:2::1")
        assert await write(stage, change(ADD, "203.0.113.0/24", four), change(ADD, "2001:db8:f::/48", six)) == [OK, OK]
        assert list((await read(stage)).routes.values()) == [four]
        assert list((await read(stage, Family.IPV6)).routes.values()) == [six]

    async def test_a_preferred_source_that_is_not_ours_is_refused(self, stage: Stage) -> None:
        four = via("10.1.0.2", link=stage.east, source="10.9.9.9")
        (result,) = await write(stage, change(ADD, "203.0.113.0/24", four))
        assert result.errno == errno.EINVAL

    async def test_default_routes_and_host_routes_and_large_tables_work(self, stage: Stage) -> None:
        table = 4_000_000_001
        prefixes = ["0.0.0.0/0", "203.0.113.7/32", "192.0.0.0/2", "203.0.113.128/25"]
        route = via("10.1.0.2", link=stage.east)
        assert await write(stage, *(change(ADD, prefix, route, table) for prefix in prefixes)) == [OK] * 4
        image = await read(stage, Family.IPV4, table)
        assert image.routes == {key_of(net(prefix)): route for prefix in prefixes}
        assert not (await read(stage)).routes

    async def test_an_absent_table_is_empty(self, stage: Stage) -> None:
        for family in Family:
            image = await read(stage, family, 12345)
            assert not image.routes
            assert not image.foreign

    async def test_one_impossible_route_among_a_thousand_fails_alone(self, stage: Stage) -> None:
        good = [
            change(ADD, f"10.{64 + (i >> 8)}.{i & 255}.0/24", via("10.1.0.2", link=stage.east)) for i in range(1000)
        ]
        bad = change(ADD, "203.0.113.0/24", via("192.0.2.77"))
        results = await write(stage, *good[:500], bad, *good[500:])
        assert results.pop(500) == WriteResult(errno.ENETUNREACH, "Nexthop has invalid gateway")
        assert results == [OK] * 1000
        assert len((await read(stage)).routes) == 1000

    async def test_an_unreachable_ipv6_gateway_is_refused(self, stage: Stage) -> None:
        (result,) = await write(stage, change(ADD, "2001:db8:f::/48", via("2001:db8:9::2")))
        assert result.errno == errno.EHOSTUNREACH

    async def test_what_may_never_be_sent_fails_alone_with_our_own_words(self, stage: Stage) -> None:
        good = change(ADD, "203.0.113.0/24", via("10.1.0.2", link=stage.east))
        writes = [
            change(ADD, "198.51.100.0/24", via("10.1.0.2"), 255),
            good,
            change(DELETE, "198.51.100.0/24", via("10.1.0.2", metric=0)),
            change(ADD, "198.51.100.0/24", Forwarding(METRIC, ())),
        ]
        results = await write(stage, *writes)
        assert [result.errno for result in results] == [errno.EINVAL, 0, errno.EINVAL, errno.EINVAL]
        assert all(result.message for result in results if result.errno)

    async def test_nothing_to_write_is_nothing_done(self, stage: Stage) -> None:
        assert await write(stage) == []

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    async def test_what_is_read_equals_what_was_written(self, stage: Stage, data: st.DataObject) -> None:
        family = data.draw(st.sampled_from(Family))
        routes = data.draw(
            st.dictionaries(_keys(family), _routes(family, stage.east, stage.west), min_size=1, max_size=40)
        )
        adds = [Write(ADD, TABLE, family, key, route) for key, route in routes.items()]
        assert await stage.fib.write(adds, OURS) == [OK] * len(adds)
        assert (await read(stage, family)).routes == routes
        deletes = [add._replace(verb=DELETE) for add in adds]
        assert await stage.fib.write(deletes, OURS) == [OK] * len(adds)
        assert not (await read(stage, family)).routes


def _keys(family: Family) -> st.SearchStrategy[bytes]:
    """Prefixes away from what the namespace uses itself."""
    head = b"\xcb" if family is Family.IPV4 else b"\x20\x01\x0d\xb8\xff"
    octets = family.bits >> 3

    def key(rest: bytes, length: int) -> bytes:
        number = int.from_bytes(head + rest) >> (family.bits - length) << (family.bits - length)
        return bytes((length,)) + number.to_bytes(octets)[: (length + 7) >> 3]

    size = octets - len(head)
    return st.builds(key, st.binary(min_size=size, max_size=size), st.integers(len(head) * 8, family.bits))


def _routes(family: Family, east: int, west: int) -> st.SearchStrategy[Forwarding]:
    """Routes over up to eight gateways on two links."""

    def hop(host: int, link: int, local: bool) -> NextHop:
        if local:
            return NextHop(ipaddress.ip_address(f"fe80::{host:x}").packed, link)
        network = 1 if link == east else 2
        text = f"10.{network}.0.{host}" if family is Family.IPV4 else f"2001:db8:{network}::{host:x}"
        return NextHop(ipaddress.ip_address(text).packed, link)

    hops = st.builds(hop, st.integers(2, 250), st.sampled_from((east, west)), st.booleans())
    several = st.lists(hops, min_size=1, max_size=8, unique=True)
    weights = st.lists(st.integers(1, 256), min_size=8, max_size=8)

    def route(chosen: list[NextHop], shares: list[int]) -> Forwarding:
        if len(chosen) > 1:
            chosen = [one._replace(weight=share) for one, share in zip(chosen, shares, strict=False)]
        return forwarding(METRIC, chosen)

    return st.builds(route, several, weights)


class TestReading:
    async def test_an_interrupted_read_is_repeated(self) -> None:
        memory = MemoryStage()
        await write(memory, change(ADD, "203.0.113.0/24", via("10.1.0.2")))
        memory.fib.interrupt_reads(4)
        assert len((await read(memory)).routes) == 1

    async def test_a_read_that_is_always_interrupted_tells_nothing(self) -> None:
        memory = MemoryStage()
        memory.fib.interrupt_reads(5)
        with pytest.raises(DumpInterrupted, match="5 reads in a row"):
            await read(memory)

    @FAMILIES
    async def test_a_next_hop_without_carrier_is_reported_dead(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        route = via(gateway, link=stage.east)
        await write(stage, change(ADD, prefix, route))
        stage.lose_carrier("east")

        async def dead() -> bool:
            image = await read(stage, Family.of_label("ipv6" if ":" in prefix else "ipv4"))
            assert image.routes == {key_of(net(prefix)): route}
            return image.dead == {key_of(net(prefix))}

        await until(dead, what="the route to be flagged dead")

    async def test_links_addresses_and_connected_prefixes_are_told(self, stage: Stage) -> None:
        links = await stage.fib.links()
        east = links.links[stage.east]
        assert (east.name, east.up, east.carrier, east.loopback, east.usable) == (
            "east",
            True,
            True,
            False,
            True,
        )
        assert [link.name for link in links.links.values() if link.loopback] == ["lo"]
        addresses = {(entry.ifindex, str(entry.address), str(entry.prefix)) for entry in links.addresses}
        assert (stage.east, "10.1.0.1", "10.1.0.0/24") in addresses
        assert (stage.west, "2001:db8:2::1", "2001:db8:2::/64") in addresses
        assert (net("10.2.0.0/24"), stage.west) in links.connected
        assert (net("2001:db8:1::/64"), stage.east) in links.connected
        stage.lose_carrier("east")

        async def unusable() -> bool:
            return not (await stage.fib.links()).links[stage.east].usable

        await until(unusable, what="the link to lose its carrier")


class TestForgetting:
    async def test_a_link_that_goes_down_takes_ipv4_routes_away_silently(self, stage: Stage) -> None:
        prefix = "203.0.113.0/24"
        await write(stage, change(ADD, prefix, via("10.1.0.2", link=stage.east)))
        stage.set_link("east", up=False)
        events = await events_until(
            stage,
            lambda seen: LinkEvent(stage.east, lost=True) in [event for event in seen if isinstance(event, LinkEvent)],
        )
        assert all(event.forwarding is not None for event in route_events(events))
        assert not (await read(stage)).routes
        stage.set_link("east", up=True)
        await events_until(
            stage,
            lambda seen: LinkEvent(stage.east, lost=False) in [event for event in seen if isinstance(event, LinkEvent)],
        )
        assert not (await read(stage)).routes

    async def test_a_link_that_goes_down_takes_ipv6_routes_away_with_an_event(self, stage: Stage) -> None:
        prefix = net("2001:db8:f::/48")
        await write(stage, change(ADD, str(prefix), via("2001:db8:1::2", link=stage.east)))
        stage.set_link("east", up=False)
        events = await events_until(stage, lambda seen: any(event.forwarding is None for event in route_events(seen)))
        (gone,) = (event for event in route_events(events) if event.forwarding is None)
        assert (gone.key, gone.metric, gone.protocol, gone.by_us) == (key_of(prefix), METRIC, OURS, False)
        assert not (await read(stage, Family.IPV6)).routes

    async def test_a_group_outlives_one_of_its_links(self, stage: Stage) -> None:
        hops = [
            NextHop(ipaddress.ip_address("10.1.0.2").packed, stage.east),
            NextHop(ipaddress.ip_address("10.2.0.2").packed, stage.west),
        ]
        group = forwarding(METRIC, hops)
        await write(stage, change(ADD, "203.0.113.0/24", group))
        stage.set_link("east", up=False)
        image = await read(stage)
        assert list(image.routes.values()) == [group]
        assert image.dead == set(image.routes)

    async def test_an_address_that_goes_takes_the_routes_of_main_that_prefer_it(self, stage: Stage) -> None:
        stage.add_address("west", "10.2.0.9/24")
        plain, sourced = via("10.1.0.2", link=stage.east), via("10.1.0.2", link=stage.east, source="10.2.0.9")
        for table in (TABLE, MAIN_TABLE):
            results = await write(
                stage,
                change(ADD, "203.0.113.0/24", plain, table),
                change(ADD, "198.51.100.0/24", sourced, table),
            )
            assert results == [OK, OK]
        stage.remove_address("west", "10.2.0.9/24")
        assert list((await read(stage, Family.IPV4, MAIN_TABLE)).routes.values()) == [plain]
        assert len((await read(stage)).routes) == 2

    async def test_an_ipv6_address_that_goes_leaves_routes_without_a_preferred_source(self, stage: Stage) -> None:
        stage.add_address("west", "2001:db8:2::9/64")
        sourced = via("2001:db8:1::2", link=stage.east, source="2001:db8:2::9")
        await write(stage, change(ADD, "2001:db8:f::/48", sourced))
        stage.remove_address("west", "2001:db8:2::9/64")
        image = await read(stage, Family.IPV6)
        assert list(image.routes.values()) == [sourced._replace(preferred_source=b"")]

    async def test_the_last_address_of_a_link_takes_its_ipv4_routes_along(self, stage: Stage) -> None:
        kept, lost = via("10.2.0.2", link=stage.west), via("10.1.0.2", link=stage.east)
        await write(stage, change(ADD, "203.0.113.0/24", kept), change(ADD, "198.51.100.0/24", lost))
        stage.remove_address("east", "10.1.0.1/24")
        assert list((await read(stage)).routes.values()) == [kept]


class TestEvents:
    async def test_our_own_writes_come_back_marked(self, stage: Stage) -> None:
        route = via("10.1.0.2", link=stage.east)
        await write(stage, change(ADD, "203.0.113.0/24", route), change(DELETE, "203.0.113.0/24", route))
        added, deleted = route_events(await events_until(stage, lambda seen: len(route_events(seen)) >= 2))
        key = key_of(net("203.0.113.0/24"))
        assert added == RouteEvent(TABLE, Family.IPV4, key, METRIC, OURS, route, by_us=True)
        assert deleted == RouteEvent(TABLE, Family.IPV4, key, METRIC, OURS, None, by_us=True)

    @FAMILIES
    async def test_the_changes_of_others_come_unmarked(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        await write(stage, change(ADD, prefix, via(gateway, link=stage.east)))
        stage.drop(prefix, metric=METRIC)
        stage.put(prefix, other, metric=METRIC + 1, protocol=OTHER)
        events = route_events(await events_until(stage, lambda seen: len(route_events(seen)) >= 3))
        assert [(event.by_us, event.protocol, event.forwarding is None) for event in events] == [
            (True, OURS, False),
            (False, OURS, True),
            (False, OTHER, False),
        ]

    async def test_other_tables_are_not_reported(self, stage: Stage) -> None:
        stage.put("203.0.113.0/24", "10.1.0.2", metric=METRIC, protocol=OTHER, table=102)
        stage.put("198.51.100.0/24", "10.1.0.2", metric=METRIC, protocol=OTHER)
        events = await events_until(stage, lambda seen: bool(route_events(seen)))
        assert [event.table for event in route_events(events)] == [TABLE]

    async def test_addresses_and_rules_are_reported(self, stage: Stage) -> None:
        stage.add_address("west", "10.2.0.9/24")
        await stage.fib.add_rule(Rule(Family.IPV6, 1200, TABLE), OURS)
        events = await events_until(stage, lambda seen: any(isinstance(event, RuleEvent) for event in seen))
        assert LinkEvent(stage.west, lost=False) in [event for event in events if isinstance(event, LinkEvent)]
        assert RuleEvent(Family.IPV6) in [event for event in events if isinstance(event, RuleEvent)]

    @FAMILIES
    async def test_what_another_changed_is_told_at_once_and_once(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        await write(stage, change(ADD, prefix, via(gateway)))
        await stage.fib.told()
        stage.put(prefix, other, metric=METRIC + 1, protocol=OTHER)
        stage.drop(prefix, metric=METRIC)
        told = route_events(await stage.fib.told())
        assert [(event.protocol, event.metric, event.forwarding is None) for event in told] == [
            (OTHER, METRIC + 1, False),
            (OURS, METRIC, True),
        ]
        assert await stage.fib.told() == []
        stage.drop(prefix, metric=METRIC + 1)
        events = route_events(await events_until(stage, lambda seen: bool(route_events(seen))))
        assert [(event.metric, event.forwarding) for event in events] == [(METRIC + 1, None)]

    async def test_closing_ends_the_events(self, stage: Stage) -> None:
        async def consume() -> None:
            async for _ in stage.fib.events():
                continue

        consumer = asyncio.create_task(consume())
        await asyncio.sleep(0)
        await stage.fib.close()
        await asyncio.wait_for(consumer, DEADLINE)

    async def test_a_closed_fib_refuses(self, stage: Stage) -> None:
        await stage.fib.close()
        with pytest.raises(FibUnavailable):
            await write(stage, change(DELETE, "203.0.113.0/24", via("10.1.0.2")))
        with pytest.raises(FibUnavailable):
            await read(stage)
        with pytest.raises(FibUnavailable):
            await stage.fib.told()

    async def test_a_simulated_overrun_replaces_what_waited(self) -> None:
        memory = MemoryFib()
        memory.overrun(7)
        assert await anext(memory.events()) == [OverrunEvent(7)]


class TestRulesAndLookup:
    RULE = Rule(
        Family.IPV4,
        1200,
        TableId(101),
        source=net("10.244.0.0/16"),
        destination=net("203.0.113.0/24"),
        mark=0x10,
        mask=0xFF,
        interface="west",
    )

    async def test_a_rule_is_added_once_and_deleted_by_its_owner_only(self, stage: Stage) -> None:
        six = Rule(Family.IPV6, 1201, TableId(70_000), source=net("2001:db8:77::/48"))
        unmasked = Rule(Family.IPV4, 1202, TableId(101), mark=0x10)
        for rule in (self.RULE, six, unmasked):
            assert await stage.fib.add_rule(rule, OURS) == OK
            assert (await stage.fib.add_rule(rule, OURS)).errno == errno.EEXIST
        assert await stage.fib.rules(OURS) == {self.RULE, six, unmasked}
        for rule in (self.RULE, six, unmasked):
            assert (await stage.fib.delete_rule(rule, OTHER)).errno == errno.ENOENT
            assert await stage.fib.delete_rule(rule, OURS) == OK
        assert await stage.fib.rules(OURS) == frozenset()

    async def test_the_rules_of_the_kernel_are_foreign(self, stage: Stage) -> None:
        foreign = {(rule.family, rule.priority, rule.table) for rule in await stage.fib.foreign_rules(OURS)}
        assert foreign == {
            (Family.IPV4, 0, 255),
            (Family.IPV4, 32766, 254),
            (Family.IPV4, 32767, 253),
            (Family.IPV6, 0, 255),
            (Family.IPV6, 32766, 254),
        }

    @FAMILIES
    async def test_a_lookup_follows_rules_and_takes_the_longest_match(
        self, stage: Stage, prefix: str, gateway: str, other: str
    ) -> None:
        network = net(prefix)
        family = Family.of_label("ipv6" if ":" in prefix else "ipv4")
        inner = next(network.subnets(prefixlen_diff=4))
        target = network.network_address + 9
        await write(
            stage,
            change(ADD, prefix, via(gateway, link=stage.east)),
            change(ADD, str(inner), via(other, link=stage.east)),
        )
        without = await stage.fib.lookup(target)
        assert (without.table, without.error) == (None, errno.ENETUNREACH)
        await stage.fib.add_rule(Rule(family, 1200, TABLE, destination=network), OURS)
        found = await stage.fib.lookup(target)
        assert (found.table, str(found.gateway), found.interface) == (TABLE, other, "east")
        assert (found.matched, found.protocol, found.metric, found.error) == (inner, OURS, METRIC, 0)
        assert found.source is not None

    async def test_a_lookup_tells_the_mark_and_the_connected_route(self, stage: Stage) -> None:
        await write(stage, change(ADD, "203.0.113.0/24", via("10.1.0.2", link=stage.east)))
        await stage.fib.add_rule(Rule(Family.IPV4, 1200, TABLE, mark=5, mask=0xFF), OURS)
        target = ipaddress.ip_address("203.0.113.9")
        assert (await stage.fib.lookup(target)).table is None
        assert (await stage.fib.lookup(target, mark=5)).table == TABLE
        connected = await stage.fib.lookup(ipaddress.ip_address("10.2.0.77"))
        assert (connected.table, connected.gateway, connected.interface) == (254, None, "west")
        assert connected.matched == net("10.2.0.0/24")


class TestSimulatedFaults:
    async def test_failing_writes_fail_as_told_and_then_stop_failing(self) -> None:
        memory = MemoryStage()
        memory.fib.fail_writes(1, errno.ENOBUFS, "no room")
        writes = [change(ADD, f"203.0.113.{i}/32", via("10.1.0.2")) for i in range(2)]
        assert await write(memory, *writes) == [WriteResult(errno.ENOBUFS, "no room"), OK]

    async def test_both_kernels_say_what_they_are(self, stage: Stage) -> None:
        assert "in memory" in stage.fib.description or "inode" in stage.fib.description
        assert await stage.fib.writable()
