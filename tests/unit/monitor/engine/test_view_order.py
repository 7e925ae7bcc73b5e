"""The order of views, and searches through whole tables: the same as a plain one, whatever comes between."""

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from monitor.engine import bypath, scan, sorting
from monitor.engine.columns import COLUMNS
from monitor.engine.peer import PeerTable
from monitor.engine.rows import row_at
from monitor.engine.slices import Disturbed, Turns
from programmer.reconciler import TableState
from programmer.route import Family, TableId, family_of, key_of
from tests.unit.monitor.engine.viewing import CLUSTER, IPV4, STORAGE, Node, in_order, on_node


def test_prefix_order_goes_by_table_family_address_and_length() -> None:
    async def play(node: Node) -> None:
        keys = await node.keys()
        assert keys == in_order(node)
        assert keys[:7] == [
            "101 9.0.0.0/8", "101 10.8.0.0/16", "101 10.8.0.0/24", "101 10.8.1.0/24", "101 10.8.1.0/24 50",
            "101 10.8.1.0/24 1024", "101 10.8.128.0/17 20",
        ]  # fmt: skip
        assert keys[-2:] == ["102 10.8.0.0/16", "102 10.8.1.0/24"]
        assert await node.keys(descending=True) == keys[::-1]
        assert await node.keys(sort="prefix", descending=True) == keys[::-1]

    on_node(play)


@pytest.mark.parametrize("filter_text", ["", "metric>0", "domain=storage"])
@pytest.mark.parametrize(
    ("descending", "part", "small", "largest"), [(False, 1, 64, 6144), (True, 512, 0, 1), (False, 3, 1, 3)]
)
@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_sorts_as_a_plain_sort_does(
    column: str,
    descending: bool,
    part: int,
    small: int,
    largest: int,
    filter_text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan, "PART", part)
    monkeypatch.setattr(sorting, "LARGEST", largest)

    async def play(node: Node) -> None:
        await node.stage.control.pause("to have something pending", "uid 0")
        node.stage.withdraw(node.east, IPV4[3:5])
        node.stage.announce(node.east, ["10.10.0.0/16"], node.stage.path(node.east, 2000.0))
        await node.stage.settle()
        values: dict[str, Any] = {}
        for text in await node.keys(filter_text):
            table, prefix, *metric = text.split()
            network = ipaddress.ip_network(prefix)
            state = node.stage.reconciler.tables[TableId(int(table)), family_of(network)]
            row = row_at(node.stage.engine, state, key_of(network), int(metric[0]) if metric else None)
            assert row is not None
            values[text] = COLUMNS[column](row)
        known = [text for text in values if values[text] is not None]
        assert known or column == "rpki"
        wanted = sorted(known, key=lambda text: values[text], reverse=descending)
        wanted += [text for text in values if values[text] is None]
        assert await node.keys(filter_text, sort=column, descending=descending) == wanted
        head = await node.view(filter_text, sort=column, descending=descending)
        for at, text in [*enumerate(wanted)][::-1]:
            window = await node.window(head["view"], count=1, around=text)
            assert (window["at"], window["first"], window["items"][0]["key"]) == (at, at, text)
        assert (await node.window(head["view"], around="101 192.0.2.0/24"))["at"] is None
        assert (await node.window(head["view"], around="101 9.0.0.0/8 77"))["at"] is None

    on_node(play)


def test_many_distinct_values_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.engine.sorting.STEP", 2)

    async def play(node: Node) -> None:
        head = await node.view(sort="nh")
        rows = (await node.window(head["view"]))["items"]
        gateways = [row["next_hops"][0]["address"] for row in rows]
        assert gateways == sorted(gateways, key=lambda text: (":" in text, ipaddress.ip_address(text).packed))

    on_node(play)


@pytest.mark.parametrize("part", [1, 512])
def test_several_paths_of_a_peer_are_asked_about_one_by_one(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "PART", part)

    async def play(node: Node) -> None:
        stage = node.stage
        for path_id, local_pref in ((1, 150), (2, 300)):
            said = stage.path(node.east, 1000.0, path_id=path_id, local_pref=local_pref)
            stage.announce(node.east, ["10.20.0.0/16", "10.21.0.0/16"], said)
        stage.announce(node.north, ["10.21.0.0/16"], stage.path(node.north, 1000.0, local_pref=400))
        await stage.settle()
        assert await node.keys("lp=300") == ["101 10.20.0.0/16"]
        assert await node.keys("lp=400") == ["101 10.21.0.0/16"]
        assert await node.keys("lp=150") == [], "only the best path counts"
        assert (await node.keys("in 10.20.0.0/15", sort="lp")) == ["101 10.20.0.0/16", "101 10.21.0.0/16"]

    on_node(play)


@pytest.mark.parametrize(
    ("asked", "column"), [("not asn=65099", ""), ("nh=192.0.2.1", ""), ("", "nh"), ("", "age"), ("", "state")]
)
def test_routes_that_come_and_go_while_they_are_read_hide_no_other(
    asked: str, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PART", 1)
    monkeypatch.setattr("monitor.engine.slices.SLICE_SECONDS", 0.0)
    read: list[bool] = []
    members, disturbers = scan.members, list[Callable[[TableState], None]]()

    def watched(state: TableState, *, copied: bool) -> scan.Members:
        read.append(copied)
        for number, part in enumerate(members(state, copied=copied)):
            yield part
            if number == 2 and disturbers:
                disturbers[-1](state)

    monkeypatch.setattr(scan, "members", watched)
    monkeypatch.setattr(sorting, "members", watched)

    async def play(node: Node) -> None:
        wanted = await node.keys(asked, sort=column)
        assert len(wanted) > 3
        assert True not in read, "nothing came or went"
        gone, new = (key_of(ipaddress.ip_network(text)) for text in ("9.0.0.0/8", "10.30.0.0/24"))

        def disturb(state: TableState) -> None:
            if state.spec.family is Family.IPV4 and (way := state.desired.get(gone)) is not None:
                state.want(new, way)
                state.want(gone, None)

        disturbers.append(disturb)
        head = await node.view(asked, sort=column)
        assert True in read
        window = await node.window(head["view"])
        found = [row["key"] for row in window["items"]]
        assert len(found) == len(set(found)) == window["total"] == head["total"]
        assert set(wanted) <= set(found), "a route that is to be removed is one, too"

    on_node(play)


def test_paths_that_come_and_go_while_they_are_read_hide_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bypath, "PART", 1)
    monkeypatch.setattr("monitor.engine.slices.SLICE_SECONDS", 0.0)
    read: list[bool] = []
    parts = bypath._parts

    def watched(table: PeerTable, family: Family, *, copied: bool) -> Any:
        read.append(copied)
        return parts(table, family, copied=copied)

    monkeypatch.setattr(bypath, "_parts", watched)

    async def play(node: Node) -> None:
        wanted = await node.keys("asn=65001")
        assert len(wanted) > 5
        assert True not in read, "nothing came or went"
        head: Any = await node.stage.feed.view("asn=65001")
        assert not head["complete"]
        for number in range(3):
            await asyncio.sleep(0)
            said = node.stage.path(node.east, 1000.0)
            node.stage.announce(node.east, [f"10.30.{number}.0/24"], said)
            node.stage.withdraw(node.east, ["9.0.0.0/8"])
            node.stage.announce(node.east, ["9.0.0.0/8"], said)
        task = node.stage.feed.views.get(head["view"]).task
        assert task is not None
        await asyncio.wait([task])
        assert True in read
        found = [row["key"] for row in (await node.window(head["view"]))["items"]]
        assert len(found) == len(set(found))
        assert set(wanted) - set(found) <= {"101 9.0.0.0/8"}

    on_node(play)


def test_a_route_whose_best_path_moves_while_paths_are_read_stands_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bypath, "PART", 1)
    parts, pause = bypath._parts, Turns.pause
    node_of: list[Node] = []
    ends: list[bool] = []

    def watched(table: PeerTable, family: Family, *, copied: bool) -> Any:
        found = list(parts(table, family, copied=copied))
        for number, part in enumerate(found, 1):
            ends.append(number == len(found))
            yield part

    async def moving(turns: Turns) -> bool:
        if not node_of or not ends or not ends[-1]:
            return await pause(turns)
        stage, north = node_of[0].stage, node_of.pop().north
        stage.announce(north, ["10.8.0.0/16"], stage.path(north, 900.0, as_path=(65003,), local_pref=900))
        for _ in range(10):
            await asyncio.sleep(0)
        assert stage.engine._dirty
        while stage.engine._dirty:
            await stage.engine.choose_slice()
        return True

    async def play(node: Node) -> None:
        node_of.append(node)
        before = await node.keys("pathlen<9", "storage")
        assert "101 10.8.0.0/16" in before
        monkeypatch.setattr(bypath, "_parts", watched)
        monkeypatch.setattr(Turns, "pause", moving)
        assert await node.keys("pathlen<9", "storage") == before
        assert await node.keys("lp=900", "storage") == ["101 10.8.0.0/16"]

    on_node(play)


def test_a_prefix_that_comes_for_one_that_goes_disturbs_a_walk_through_what_a_peer_told() -> None:
    async def play(node: Node) -> None:
        table = node.stage.engine.peers[node.east.id]
        key, path = next(iter(table.paths[Family.IPV4].items()))
        steps = bypath._parts(table, Family.IPV4, copied=False)
        next(steps)
        table.withdraw(Family.IPV4, key, 0)
        table.announce(Family.IPV4, key_of(ipaddress.ip_network("10.40.0.0/16")), path)  # type: ignore[arg-type]
        with pytest.raises(Disturbed):
            next(steps)

    on_node(play)


@pytest.mark.parametrize("column", ["nh", "age", "peer", "asn", "state"])
def test_the_routes_of_one_domain_of_a_shared_table_are_sorted_alone(column: str) -> None:
    async def play(node: Node) -> None:
        alone = ["10.50.0.0/16", "9.9.0.0/16"]
        node.stage.announce(node.west, alone, node.stage.path(node.west, 950.0))
        await node.stage.settle()
        both = await node.keys(sort=column)
        for domain in ("storage", "cluster"):
            own = set(await node.keys("", domain))
            assert own
            assert await node.keys("", domain, sort=column) == [key for key in both if key in own]

    on_node(play, {"storage": STORAGE, "cluster": CLUSTER | {"table": 101}})


def test_while_whole_tables_are_sorted_rows_are_counted_and_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "PART", 1)
    monkeypatch.setattr("monitor.engine.slices.SLICE_SECONDS", 0.0)

    async def play(node: Node) -> None:
        stage = node.stage
        head: Any = await stage.feed.view(sort="age")
        totals = []
        while not (window := await node.window(head["view"], around="101 9.0.0.0/8"))["complete"]:
            totals.append(window["total"])
            assert (window["items"], window["at"]) == ([], None)
            await asyncio.sleep(0)
        assert sorted(totals) == totals
        assert totals[-1] == window["total"] == len(window["items"])
        assert window["at"] is not None

    on_node(play)
