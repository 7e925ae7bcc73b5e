"""Views of a running engine: windows of them, what stays and what goes, and their limits."""

import asyncio
import ipaddress
from typing import Any

import pytest

from monitor.engine import views
from monitor.engine.columns import NAMES
from monitor.engine.views import Views
from monitor.engine.walk import Asked
from monitor.errors import BadRequest, Stale
from monitor.filter import parse
from programmer.route import Family, NextHop, TableId, forwarding, key_of
from tests.unit.monitor.engine.viewing import CLUSTER, IPV4, IPV6, STORAGE, Node, on_node

# What belongs to a view


@pytest.mark.parametrize(
    ("filter_text", "domain"),
    [
        ("", "cluster"), ("", "storage"), ("10.8.0.0/16", ""), ("in 10.8.0.0/15", ""), ("covers 10.8.1.7/32", ""),
        ("in 2001:db8:8::/48", ""), ("asn=65002", ""), ("peer=192.0.2.1", "storage"), ('aspath ~ "_64500"', ""),
        ("med>=10", ""), ("lp>100 and in 10.0.0.0/8", ""), ("comm=no-export", ""), ("state=foreign", ""), ("metric=50", ""),
        ("state!=installed", ""), ("ecmp=2", ""), ("not peer=192.0.2.1", ""), ("in 8.0.0.0/7", ""),
        ("lp=100", "storage"), ("origin=igp and pathlen<3", ""), ("not med>=10", ""), ("asn=65003", ""), ("peer=192.0.2.2", ""),
    ],
)  # fmt: skip
def test_a_view_has_what_a_search_finds(filter_text: str, domain: str) -> None:
    async def play(node: Node) -> None:
        found: Any = await node.stage.feed.routes(filter_text, domain)
        assert sorted(key.split()[1] for key in await node.keys(filter_text, domain)) == sorted(
            row["prefix"] for row in found["items"]
        )

    on_node(play)


def test_domains_that_share_a_table_are_told_apart() -> None:
    async def play(node: Node) -> None:
        for domain in ("storage", "cluster"):
            found: Any = await node.stage.feed.routes("", domain)
            keys = await node.keys("", domain)
            assert [key.split()[1] for key in keys] == [row["prefix"] for row in found["items"]]
        assert await node.keys("asn=65002", "storage") == []

    on_node(play, {"storage": STORAGE, "cluster": CLUSTER | {"table": 101, "peers": ["198.51.100.0/28"]}})


@pytest.mark.parametrize("filter_text", ["asn=65002", "peer=198.51.100.1", "pathlen<9", "not lp>1", "nh=198.51.100.1"])
def test_a_filter_finds_the_routes_of_every_domain_of_a_shared_table(filter_text: str) -> None:
    async def play(node: Node) -> None:
        node.stage.announce(node.west, ["10.50.0.0/16"], node.stage.path(node.west, 950.0, next_hop="198.51.100.1"))
        await node.stage.settle()
        found: Any = await node.stage.feed.routes(filter_text)
        keys = await node.keys(filter_text)
        assert "101 10.50.0.0/16" in keys
        assert sorted(key.split()[1] for key in keys) == sorted(row["prefix"] for row in found["items"])

    on_node(play, {"storage": STORAGE, "cluster": CLUSTER | {"table": 101}})


def test_problems_are_what_is_not_as_it_should_be() -> None:
    async def play(node: Node) -> None:
        assert await node.keys(problems=True) == []
        await node.stage.control.pause("to have something pending", "uid 0")
        node.stage.withdraw(node.east, ["9.0.0.0/8"])
        node.stage.announce(node.east, ["10.10.0.0/16"], node.stage.path(node.east, 2000.0))
        hop = NextHop(ipaddress.ip_address("192.0.2.9").packed, 2)
        node.stage.kernel.put_route(TableId(101), ipaddress.ip_network("10.11.0.0/16"), forwarding(200, [hop]), 4)
        node.stage.announce(node.east, ["10.11.0.0/16"], node.stage.path(node.east, 2000.0))
        await node.stage.settle()
        head = await node.view(problems=True)
        rows = {row["key"]: row for row in (await node.window(head["view"]))["items"]}
        assert {key: (row["state"], row["op"]) for key, row in rows.items()} == {
            "101 9.0.0.0/8": ("remove", "-"), "101 10.10.0.0/16": ("add", "+"), "101 10.11.0.0/16": ("conflict", ""),
        }  # fmt: skip
        assert rows["101 9.0.0.0/8"]["now"] == "via 192.0.2.1 dev eth1 metric 200"
        assert rows["101 9.0.0.0/8"]["then"] is None
        assert (rows["101 10.10.0.0/16"]["now"], rows["101 10.10.0.0/16"]["then"]) == (
            None, "via 192.0.2.1 dev eth1 metric 200",
        )  # fmt: skip
        assert await node.keys("in 10.0.0.0/8", problems=True) == ["101 10.10.0.0/16", "101 10.11.0.0/16"]
        assert await node.keys("10.10.0.0/16", problems=True) == ["101 10.10.0.0/16"]

    on_node(play)


def test_what_was_written_and_is_about_to_be_read_back_is_no_problem() -> None:
    async def play(node: Node) -> None:
        state = node.stage.reconciler.tables[TableId(101), Family.IPV4]
        key = key_of(ipaddress.ip_network("9.0.0.0/8"))
        state.want(key, None)
        assert await node.keys(problems=True) == ["101 9.0.0.0/8"]
        state.acknowledged[key] = None
        assert await node.keys(problems=True) == []

    on_node(play)


# Windows


def test_a_row_says_what_there_is_to_say() -> None:
    async def play(node: Node) -> None:
        head = await node.view("table=102 and 10.8.0.0/16")
        (row,) = (await node.window(head["view"]))["items"]
        shown = {key: row[key] for key in row if key not in {"age_seconds", "next_hops"}}
        assert shown == {
            "key": "102 10.8.0.0/16", "domain": "cluster", "table": 102, "prefix": "10.8.0.0/16", "metric": 200,
            "state": "installed", "op": "", "peer": "198.51.100.1", "as_path": "65002", "reason": "installed",
            "protocol": 196, "local_pref": None, "med": None, "origin": "igp", "path_length": 1,
            "communities": ["no-export", "65000:1"], "rpki": "none", "description": "", "now": None, "then": None,
        }  # fmt: skip

    on_node(play)


def test_windows_at_the_ends() -> None:
    async def play(node: Node) -> None:
        head, keys = await node.view(), await node.keys()
        for first, count in ((0, 1), (3, 4), (len(keys) - 1, 5), (len(keys), 5), (len(keys) + 9, 5)):
            answer = await node.window(head["view"], first, count)
            assert [row["key"] for row in answer["items"]] == keys[first : first + count]
            assert (answer["first"], answer["at"]) == (min(first, len(keys)), None)
        assert len((await node.window(head["view"], 0, 0))["items"]) == 1, "a window has a row at least"
        assert len((await node.window(head["view"], 0, 10_000))["items"]) == len(keys)

    on_node(play)


@pytest.mark.parametrize("sort", ["", "age", "peer"])
@pytest.mark.parametrize("descending", [False, True])
def test_a_window_around_a_row_has_it(sort: str, descending: bool) -> None:
    async def play(node: Node) -> None:
        keys = await node.keys(sort=sort, descending=descending)
        head = await node.view(sort=sort, descending=descending)
        for index, key in enumerate(keys):
            answer = await node.window(head["view"], 99, 4, key, 2)
            assert answer["at"] == index
            assert answer["first"] == max(0, min(index - 2, len(keys) - 4))
            assert answer["items"][index - answer["first"]]["key"] == key
        answer = await node.window(head["view"], 0, 2, keys[5], 50)
        assert (answer["first"], answer["at"]) == (4, 5), "the row is in the window, however many are to stand above it"

    on_node(play)


def test_around_a_row_that_is_not_there_is_where_it_would_be() -> None:
    async def play(node: Node) -> None:
        keys = await node.keys()
        for sort, descending, first in (("", False, keys.index("101 10.9.0.0/24")), ("age", False, 1)):
            head = await node.view(sort=sort, descending=descending)
            answer = await node.window(head["view"], 1, 3, "101 10.8.200.0/24")
            assert (answer["first"], answer["at"]) == (first, None)
        head = await node.view(descending=True)
        answer = await node.window(head["view"], 0, 3, "101 10.8.200.0/24")
        assert answer["items"][0]["key"] == "101 10.8.128.0/17 20"
        answer = await node.window(head["view"], 0, 3, "254 10.8.200.0/24")
        assert answer["first"] == 0
        for text in ("101", "101 nonsense", "x 10.0.0.0/8", "101 10.0.0.0/8 1 2", "101 10.0.0.1/8"):
            with pytest.raises(BadRequest, match="is not the key of a row"):
                await node.window(head["view"], around=text)

    on_node(play)


def test_membership_stays_and_rows_are_live() -> None:
    async def play(node: Node) -> None:
        head, keys = await node.view(), await node.keys()
        assert (await node.window(head["view"]))["changes"] == 0
        node.stage.withdraw(node.east, ["9.0.0.0/8"])
        node.stage.announce(node.east, ["10.10.0.0/16"], node.stage.path(node.east, 2000.0))
        await node.stage.settle()
        answer = await node.window(head["view"], 0, 500, "101 9.0.0.0/8")
        assert [row["key"] for row in answer["items"]] == keys
        assert answer["at"] == 0
        assert answer["items"][0] == {
            "key": "101 9.0.0.0/8", "prefix": "9.0.0.0/8", "table": 101, "domain": "storage", "gone": True,
        }  # fmt: skip
        assert answer["changes"] > 0
        head = await node.view()
        assert (head["total"], (await node.window(head["view"]))["changes"]) == (len(keys), 0)

    on_node(play)


def test_changes_count_what_concerns_the_view() -> None:
    async def play(node: Node) -> None:
        routes, paths = await node.view("", "cluster"), await node.view("med>=0", "cluster")
        node.stage.announce(node.west, IPV4[:1], node.stage.path(node.west, 1000.0, med=5))
        await node.stage.settle()
        assert (await node.window(routes["view"]))["changes"] == 0, "another path, and the same route"
        assert (await node.window(paths["view"]))["changes"] == 1
        node.stage.announce(node.east, ["10.10.0.0/16"], node.stage.path(node.east, 2000.0))
        await node.stage.settle()
        assert (await node.window(routes["view"]))["changes"] == 0, "another table"

    on_node(play)


def test_a_table_that_is_gone_leaves_rows_that_are_gone() -> None:
    async def play(node: Node) -> None:
        head = await node.view("", "cluster", "age")
        del node.stage.reconciler.tables[TableId(102), Family.IPV4]
        answer = await node.window(head["view"])
        assert [(row["key"], row["gone"]) for row in answer["items"]] == [
            ("102 10.8.0.0/16", True), ("102 10.8.1.0/24", True),
        ]  # fmt: skip
        assert answer["changes"] >= 2

    on_node(play)


# Life of a view


def test_the_head_says_what_was_understood() -> None:
    async def play(node: Node) -> None:
        head = await node.view("length>=24 and as = 65001", "storage", "age", descending=True)
        assert head["filter"] == "len>=24 and asn=65001"
        assert (head["sort"], head["descending"], head["columns"], head["hints"]) == ("age", True, list(NAMES), [])
        assert (await node.view())["sort"] == "prefix"
        assert head["made_at"].endswith("Z")
        for bad, words in (("peer = = x", "missing"), ("nosuch=1", "nosuch")):
            with pytest.raises(BadRequest, match=words):
                await node.view(bad)
        with pytest.raises(BadRequest, match="no domain 'nowhere'; there are storage, cluster"):
            await node.view("", "nowhere")
        with pytest.raises(BadRequest, match="no column 'colour' to sort by; there are prefix, state"):
            await node.view("", "", "colour")
        assert len(node.stage.feed.views) == 2, "a request that makes no sense makes no view"

    on_node(play)


def test_a_view_grows_until_it_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.engine.slices.SLICE_SECONDS", 0.0)

    async def play(node: Node) -> None:
        feed: Any = node.stage.feed
        head = await feed.view("len>=8", sort="age")
        assert (head["complete"], head["total"]) == (False, 0)
        seen: list[int] = []
        answer = await node.window(head["view"])
        while not answer["complete"]:
            seen.append(answer["total"])
            assert len(answer["items"]) == answer["total"]
            await asyncio.sleep(0)
            answer = await node.window(head["view"])
        assert seen == sorted(seen)
        assert answer["total"] == len(await node.keys("len>=8"))

    on_node(play)


def test_a_view_that_is_replaced_is_walked_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.engine.slices.SLICE_SECONDS", 0.0)

    async def play(node: Node) -> None:
        feed: Any = node.stage.feed
        first = await feed.view("len>=8")
        task = feed.views.get(first["view"]).task
        with pytest.raises(BadRequest):
            await feed.view("nosuch=1", replaces=first["view"])
        assert not task.cancelling(), "what cannot be made replaces nothing"
        second = await feed.view("len>=9", replaces=first["view"], wait=5.0)
        assert task.cancelled()
        assert second["view"] != first["view"]
        with pytest.raises(Stale, match="there is no view"):
            await node.window(first["view"])
        assert await feed.close_view(second["view"]) == {"view": second["view"], "closed": True}
        assert await feed.close_view(second["view"]) == {"view": second["view"], "closed": False}
        assert len(feed.views) == 0

    on_node(play)


def test_a_view_that_nobody_looks_at_is_dropped() -> None:
    async def play(node: Node) -> None:
        kept, left = await node.view(), await node.view()
        node.clock.now += 59.0
        await node.window(kept["view"])
        node.clock.now += 1.0
        await node.window(kept["view"])
        with pytest.raises(Stale, match="not looked at for 60 s"):
            await node.window(left["view"])
        node.clock.now += 60.0
        await asyncio.sleep(0)
        with pytest.raises(Stale):
            await node.window(kept["view"])
        assert len(node.stage.feed.views) == 0

    on_node(play)


def test_forgotten_views_go_without_being_asked_for() -> None:
    async def play(node: Node) -> None:
        await node.view()
        node.clock.now += 60.0
        await node.stage.settle(views.SWEEP_SECONDS + 1.0)
        assert len(node.stage.feed.views) == 0

    on_node(play)


def test_there_is_room_for_so_many_views_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(node: Node) -> None:
        monkeypatch.setattr(views, "MOST_VIEWS", 3)
        heads = [await node.view() for _ in range(3)]
        await node.window(heads[0]["view"])
        await node.view()
        with pytest.raises(Stale, match="gave way to newer ones"):
            await node.window(heads[1]["view"])
        await node.window(heads[0]["view"])
        monkeypatch.setattr(views, "MOST_ROWS", heads[0]["total"] + 1)
        newest = await node.view()
        await node.window(newest["view"])
        assert len(node.stage.feed.views) == 1
        monkeypatch.setattr(views, "MOST_ROWS", 1)
        newest = await node.view()
        assert (await node.window(newest["view"]))["total"] == heads[0]["total"], "the one that is asked for stays"

    on_node(play)


def test_numbers_do_not_come_again_after_a_restart() -> None:
    async def play(node: Node) -> None:
        engine = node.stage.engine
        asked = Asked(parse(""), "", problems=False)
        earlier = Views(engine, wall=lambda: 1_800_000_000.0)
        later = Views(engine, wall=lambda: 1_800_000_001.0)
        numbers = [views_of.open(asked).number for views_of in (earlier, earlier, later)]
        assert numbers == sorted(set(numbers))
        with pytest.raises(Stale, match="started again"):
            later.get(numbers[0])
        for views_of in (earlier, later):
            for number in numbers:
                views_of.close(number)

    on_node(play)


def test_a_view_keeps_no_attributes_alive() -> None:
    async def play(node: Node) -> None:
        before = len(node.stage.attributes)
        await node.view('aspath ~ "_64500"')
        await node.view("med>=0")
        node.stage.withdraw(node.east, [*IPV4, *IPV6])
        node.stage.withdraw(node.north, IPV4)
        await node.stage.settle()
        assert len(node.stage.attributes) < before

    on_node(play)
