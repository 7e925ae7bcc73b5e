"""Where a packet goes: whether the kernel does what BGP wants, why not, and the routes that cover the address."""

import ipaddress
from typing import Any

import pytest

from monitor.engine import lookup
from programmer.route import NextHop, TableId, forwarding
from tests.unit.monitor.engine.viewing import CLUSTER, STORAGE, Node, on_node

RULED = {
    "storage": STORAGE | {"rules": [{"priority": 1200, "to": "10.0.0.0/8"}]},
    "cluster": CLUSTER,
}


async def asked(node: Node, address: str) -> Any:
    """The answer for an address."""
    return await node.stage.feed.lookup(address)


def put(node: Node, table: int, prefix: str, metric: int) -> None:
    """Somebody else puts a route into a table."""
    hop = NextHop(ipaddress.ip_address("192.0.2.9").packed, 2)
    node.stage.kernel.put_route(TableId(table), ipaddress.ip_network(prefix), forwarding(metric, [hop]), 4)


def test_kernel_and_bgp_agree() -> None:
    async def play(node: Node) -> None:
        answer = await asked(node, "10.9.0.7")
        assert answer["agrees"] is True
        assert answer["verdict"].endswith(": a route of ours")
        assert answer["kernel"]["table"] == 101
        assert answer["covering"] == [
            {
                "domain": "storage",
                "table": 101,
                "prefix": "10.9.0.0/24",
                "state": "installed",
                "text": "via 192.0.2.1 dev eth1 metric 200",
            }
        ]

    on_node(play, RULED)


def test_where_nobody_wants_a_route_there_is_nothing_to_agree_with() -> None:
    async def play(node: Node) -> None:
        answer = await asked(node, "10.77.0.9")
        assert (answer["agrees"], answer["covering"]) == (None, [])
        assert answer["verdict"] == "the kernel knows no way"
        assert answer["bgp"]["items"] == []

    on_node(play, RULED)


def test_the_plan_is_what_is_missing() -> None:
    async def play(node: Node) -> None:
        answer = await asked(node, "10.9.0.7")
        assert answer["agrees"] is False
        assert answer["verdict"].startswith("the kernel knows no way; BGP wants 10.9.0.0/24 via 192.0.2.1 dev eth1")
        assert "the plan is what is missing (+ 10.9.0.0/24 via" in answer["verdict"]
        assert [item["state"] for item in answer["covering"]] == ["add"]

    on_node(play, RULED, mode="approve")


def test_a_table_that_no_rule_leads_into_is_named() -> None:
    async def play(node: Node) -> None:
        answer = await asked(node, "10.9.0.7")
        assert answer["agrees"] is False
        assert answer["verdict"].endswith("in table 101, which is installed: no rule leads into that table first")

    on_node(play)


def test_a_foreign_route_that_goes_first_is_told() -> None:
    async def play(node: Node) -> None:
        put(node, 101, "10.9.0.0/25", 20)
        await node.stage.settle()
        answer = await asked(node, "10.9.0.7")
        assert answer["agrees"] is False
        assert answer["verdict"].endswith("another route of the table goes before it")
        assert [(item["prefix"], item["state"]) for item in answer["covering"]] == [
            ("10.9.0.0/25", "foreign"),
            ("10.9.0.0/24", "installed"),
        ]

    on_node(play, RULED)


def test_covering_routes_come_longest_first_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(node: Node) -> None:
        found = (await asked(node, "10.8.1.7"))["covering"]
        assert [(item["table"], item["prefix"], item["state"]) for item in found] == [
            (101, "10.8.1.0/24", "installed"), (101, "10.8.1.0/24", "foreign"), (101, "10.8.1.0/24", "foreign"),
            (102, "10.8.1.0/24", "installed"), (101, "10.8.0.0/16", "installed"), (102, "10.8.0.0/16", "installed"),
        ]  # fmt: skip
        monkeypatch.setattr(lookup, "MOST_COVERING", 2)
        assert len((await asked(node, "10.8.1.7"))["covering"]) == 2
        six = await asked(node, "2001:db8:8:1::7")
        assert [item["prefix"] for item in six["covering"]] == ["2001:db8:8:1::/64", "2001:db8:8::/48"]

    on_node(play)


def test_a_route_of_another_program_is_named_where_the_plan_would_not_help() -> None:
    async def play(node: Node) -> None:
        put(node, 101, "10.9.0.0/24", 200)
        await node.stage.settle()
        answer = await asked(node, "10.9.0.7")
        assert "a route of another program stands at 10.9.0.0/24, and is left alone" in answer["verdict"]
        assert answer["plan"]["items"] == []

    on_node(play, RULED, mode="approve")
