"""What may be read of a running engine: routes that a filter matches, the node, its domains, lookups, checks, plans."""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import effects, freezing, plans, slices
from monitor.engine.rows import MOST_ROWS
from monitor.engine.slices import Smallest, smallest
from monitor.engine.surroundings import Surroundings
from monitor.errors import BadRequest
from monitor.rib.path import PeerId
from monitor.rib.peer import PeerFamily
from programmer.route import Family, NextHop, Rule, TableId, forwarding
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import OURS, Router, Stage
from tests.support.wait import until

STORAGE: dict[str, Any] = {
    "peers": ["192.0.2.0/28"],
    "interfaces": ["eth1"],
    "table": 101,
    "multipath": 2,
    "import": [{"deny": {"community": "65001:666"}}, {"accept": {"prefix": "0.0.0.0/0", "ge": 8, "le": 24}}],
    "rules": [{"from": "10.244.0.0/16", "priority": 1200}],
}
CLUSTER = STORAGE | {"peers": ["198.51.100.0/28"], "interfaces": ["eth2"], "table": 102, "rules": []}
PREFIXES = ["10.8.0.0/16", "10.8.1.0/24", "10.9.0.0/24", "172.16.0.0/12"]


class Node:
    """A stage with two routers, one in each of two domains."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.east = stage.routers["east"] = Router(PeerId("fabric", "192.0.2.1"), up=True)
        self.west = stage.routers["west"] = Router(PeerId("fabric", "198.51.100.1"), asn=65002, up=True)

    async def prefixes(self, filter_text: str = "", domain: str = "", limit: int = 1000) -> list[str]:
        """Domain and prefix of the routes that a filter matches."""
        answer: Any = await self.stage.feed.routes(filter_text, domain, limit)
        return [f"{row['domain']} {row['prefix']}" for row in answer["items"]]

    async def domain(self, name: str) -> Any:
        """One domain as `domains` shows it."""
        answer: Any = await self.stage.feed.domains()
        return next(item for item in answer["items"] if item["name"] == name)

    async def failing(self) -> dict[str, str]:
        """Checks of the doctor that fail, with what they say."""
        answer: Any = await self.stage.feed.doctor()
        return {item["check"]: item["detail"] for item in answer["items"] if not item["ok"]}


Play = Callable[[Node], Awaitable[None]]


def on_node(play: Play, *, tell: bool = True, domains: dict[str, Any] | None = None, **config: Any) -> None:
    """Run *play* on a node whose east router has announced ``PREFIXES``, and whose west router the first of them."""

    async def main() -> None:
        file = {"mode": "auto", "domains": domains or {"storage": STORAGE, "cluster": CLUSTER}} | config
        stage = Stage(file)
        node = Node(stage)
        await stage.start()
        try:
            if tell:
                stage.start_feed("fabric")
                stage.announce(node.east, PREFIXES, stage.path(node.east, 1000.0))
                stage.announce(node.west, PREFIXES[:1], stage.path(node.west, 1000.0, as_path=(65002, 64500)))
                stage.complete(node.east)
                stage.complete(node.west)
                await stage.settle()
            await play(node)
        finally:
            await stage.stop()

    run_without_waiting(main)


# Routes


@pytest.mark.parametrize(
    ("filter_text", "found"),
    [
        ("", ["storage 10.8.0.0/16", "storage 10.8.1.0/24", "storage 10.9.0.0/24", "storage 172.16.0.0/12",
              "cluster 10.8.0.0/16"]),
        ("10.8.0.0/16", ["storage 10.8.0.0/16", "cluster 10.8.0.0/16"]),
        ("in 10.8.0.0/15", ["storage 10.8.0.0/16", "storage 10.8.1.0/24", "storage 10.9.0.0/24", "cluster 10.8.0.0/16"]),
        ("covers 10.8.1.7/32", ["storage 10.8.0.0/16", "storage 10.8.1.0/24", "cluster 10.8.0.0/16"]),
        ("in 2001:db8::/32", []),
        ("covers 2001:db8::1/128", []),
        ("asn=65002", ["cluster 10.8.0.0/16"]),
        ('aspath ~ "_64500$"', ["cluster 10.8.0.0/16"]),
        ("domain=storage and in 10.8.0.0/16", ["storage 10.8.0.0/16", "storage 10.8.1.0/24"]),
        ("peer=198.51.100.1", ["cluster 10.8.0.0/16"]),
        ("state=installed and table=102", ["cluster 10.8.0.0/16"]),
        ("state!=installed", []),
        ("iface=eth2", ["cluster 10.8.0.0/16"]),
        ("nexthop=192.0.2.1 and in 172.16.0.0/12", ["storage 172.16.0.0/12"]),
        ('rule ~ "accept prefix" and 10.9.0.0/24', ["storage 10.9.0.0/24"]),
    ],
)  # fmt: skip
def test_filter_finds_routes_in_their_order(filter_text: str, found: list[str]) -> None:
    async def play(node: Node) -> None:
        assert await node.prefixes(filter_text) == found

    on_node(play)


def test_a_limit_keeps_the_first_and_the_total_counts_all() -> None:
    async def play(node: Node) -> None:
        answer: Any = await node.stage.feed.routes("", "", 2)
        assert [row["prefix"] for row in answer["items"]] == PREFIXES[:2]
        assert (answer["total"], answer["truncated"]) == (5, True)
        whole: Any = await node.stage.feed.routes("", "", 0)
        assert (len(whole["items"]), whole["truncated"]) == (5, False)
        assert await node.prefixes("", "cluster") == ["cluster 10.8.0.0/16"]
        with pytest.raises(BadRequest, match="no domain 'nowhere'; there are storage, cluster"):
            await node.stage.feed.routes("", "nowhere")

    on_node(play)


def test_foreign_and_unwanted_routes_are_routes_too() -> None:
    async def play(node: Node) -> None:
        there = forwarding(50, [NextHop(ipaddress.ip_address("192.0.2.9").packed, 2)])
        node.stage.kernel.put_route(TableId(101), ipaddress.ip_network("10.8.1.0/24"), there, 4)
        node.stage.lose_feed("fabric")
        await node.stage.settle()
        assert await node.prefixes("state=foreign") == ["storage 10.8.1.0/24"]
        assert await node.prefixes("protocol=static and covers 10.8.1.1/32") == ["storage 10.8.1.0/24"]
        assert await node.prefixes("in 10.8.1.0/24") == ["storage 10.8.1.0/24"] * 2
        assert await node.prefixes("10.8.1.0/24 and metric=50") == ["storage 10.8.1.0/24"]

    on_node(play)


def test_a_pending_operation_has_its_state_class_and_risk() -> None:
    async def play(node: Node) -> None:
        assert await node.prefixes("op=+ and class=add-small and risk=low and 10.9.0.0/24") == ["storage 10.9.0.0/24"]
        answer: Any = await node.stage.feed.routes("10.9.0.0/24")
        (row,) = answer["items"]
        assert (row["state"], row["reason"], row["peer"]) == ("add", "waits-for-approval", "192.0.2.1")
        assert row["next_hops"] == [{"address": "192.0.2.1", "interface": "eth1", "weight": 1}]

    on_node(play, mode="approve")


def test_a_long_walk_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)

    async def play(node: Node) -> None:
        many = [f"20.{number >> 8}.{number & 255}.0/24" for number in range(3000)]
        node.stage.announce(node.east, many, node.stage.path(node.east, 1000.0))
        await node.stage.settle()
        for question in ("", "in 20.0.0.0/8", "peer=192.0.2.1"):
            turns = 0

            async def others() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            task = asyncio.create_task(others())
            answer: Any = await node.stage.feed.routes(question, "storage", 10)
            task.cancel()
            assert answer["total"] >= 3000
            assert turns >= 3000 // 32, f"{question!r} kept the loop to itself"

    on_node(play)


def test_one_answer_is_bounded_whatever_is_asked() -> None:
    kept: Smallest[int] = Smallest(3)
    for number in range(10_000, 0, -1):
        kept.offer(number, number)
    assert kept.items() == [1, 2, 3]
    assert kept.count == 10_000
    none: Smallest[int] = Smallest(0)
    none.offer(1, 1)
    assert (none.items(), none.count) == ([], 1)
    assert MOST_ROWS < 100_000


# The node


def test_status_counts_what_is_received_wanted_and_installed() -> None:
    async def play(node: Node) -> None:
        status: Any = await node.stage.feed.status()
        assert (status["ready"], status["mode"], status["peers"]) == (True, "auto", {"up": 2, "down": 0, "total": 2})
        storage = status["domains"][0]
        assert (storage["state"], storage["waits"], storage["effective"]) == ("complete", [], True)
        counts = storage["families"]["ipv4"]
        assert {key: counts[key] for key in ("accepted", "best", "desired", "installed", "verified")} == dict.fromkeys(
            ("accepted", "best", "desired", "installed", "verified"), 4
        )
        assert status["domains"][1]["effective"] is False
        (warning,) = status["warnings"]
        assert warning == (
            "cluster: 1 ipv4 route installed, but no rule leads to table 102: no traffic uses them; "
            "add `rules` to the domain, or an `ip rule`"
        )

    on_node(play)


def test_a_rule_of_somebody_else_leads_to_a_table_as_well() -> None:
    async def play(node: Node) -> None:
        await node.stage.kernel.add_rule(Rule(Family.IPV4, 900, TableId(102)), OURS + 1)
        await node.stage.settle()
        status: Any = await node.stage.feed.status()
        assert status["warnings"] == []

    on_node(play)


def test_rules_that_are_not_there_yet_are_said_to_wait() -> None:
    async def play(node: Node) -> None:
        for domain in node.stage.engine.domains.values():  # as if a person had released the routes and not the rule
            state = node.stage.reconciler.tables[domain.config.table, Family.IPV4]
            await node.stage.reconciler.apply(
                [state.operation(key) for key in state.difference.add], cause="test", actor="test", plan=""
            )
        await node.stage.settle()
        status: Any = await node.stage.feed.status()
        assert status["warnings"][0] == (
            "storage: 4 ipv4 routes installed, but no rule leads to table 101: 1 rule of the configuration not installed "
            "yet: `bgpmon plan show`"
        )
        assert "rule into table 101" in await node.failing()

    on_node(play, mode="approve")


def test_a_domain_that_is_not_ready_says_for_whom_it_waits_and_how_long() -> None:
    async def play(node: Node) -> None:
        stage = node.stage
        waits = [item["waits"] for item in (await _status(stage))["domains"]]
        assert waits[0] == ["waits for source fabric; nothing is removed until 00:10:00Z"]
        node.west.up = False
        stage.start_feed("fabric")
        stage.announce(node.east, PREFIXES, stage.path(node.east, 1000.0))
        await stage.settle(10.25)
        storage, cluster = (await _status(stage))["domains"]
        assert storage["state"] == "filling"
        assert storage["waits"] == ["waits for End-of-RIB of 192.0.2.1, at most 20 s; 4 paths so far"]
        assert cluster["waits"] == ["198.51.100.1 (never been up): counted as unknown until 00:10:01Z; 0 paths kept"]
        await stage.settle(30.0)
        storage, cluster = (await _status(stage))["domains"]
        assert storage["waits"] == ["waits for the table of 192.0.2.1, still arriving; 4 paths so far"]
        stage.complete(node.east)
        await stage.settle(700.0)
        storage, cluster = (await _status(stage))["domains"]
        assert storage["waits"] == []
        assert (cluster["state"], cluster["waits"]) == ("down", ["no peer is up: 198.51.100.1 (never been up)"])

    on_node(play, tell=False)


def test_end_of_rib_is_waited_for_as_long_as_configured() -> None:
    async def play(node: Node) -> None:
        stage = node.stage
        stage.start_feed("fabric")
        await stage.settle()
        table = stage.engine.peers[node.east.id]
        table.peer = replace(table.peer, since=datetime.fromtimestamp(time.time(), UTC))
        await stage.settle(8.0)
        assert (await _status(stage))["domains"][0]["waits"] == [
            "waits for End-of-RIB of 192.0.2.1, at most 22 s; 0 paths so far"
        ]

    on_node(play, tell=False)


def test_a_lost_feed_and_a_restarting_peer_are_stale_and_say_until_when() -> None:
    async def play(node: Node) -> None:
        stage = node.stage
        stage.set_session(node.east, up=False, restarting=True)
        await stage.settle()
        storage = (await _status(stage))["domains"][0]
        assert storage["state"] == "stale"
        assert storage["waits"] == ["peer 192.0.2.1 restarts: 4 paths stale, used until 00:10:03Z"]
        stage.lose_feed("fabric")
        await stage.settle()
        cluster = (await _status(stage))["domains"][1]
        assert cluster["state"] == "stale"
        assert cluster["waits"] == ["waits for source fabric; what it told stays in place until 00:10:04Z"]
        await stage.settle(700.0)
        peers: Any = await stage.feed.peers("192.0.2.1")
        assert peers["items"][0]["expired"] is True

    on_node(play)


def test_a_table_with_routes_of_another_program_is_named_unless_that_is_accepted() -> None:
    async def play(node: Node) -> None:
        there = forwarding(50, [NextHop(ipaddress.ip_address("192.0.2.9").packed, 2)])
        for table in (101, 103):
            node.stage.kernel.put_route(TableId(table), ipaddress.ip_network("10.99.0.0/24"), there, 4)
        await node.stage.settle()
        (warning,) = (await _status(node.stage))["warnings"]
        assert warning == (
            "table 101 of storage has 1 route of another program (protocol 4, static), such as 10.99.0.0/24: left alone; "
            "if this is meant, set `foreign_routes: accept`, else choose a table that nobody uses"
        )

    shared = CLUSTER | {
        "table": 103,
        "foreign_routes": "accept",
        "rules": [{"from": "10.245.0.0/16", "priority": 1300}],
    }
    on_node(play, domains={"storage": STORAGE, "cluster": shared})


def test_domains_show_where_paths_stop_and_why() -> None:
    async def play(node: Node) -> None:
        stage = node.stage
        second = stage.routers["second"] = Router(PeerId("fabric", "192.0.2.2"), router_id="192.0.2.2", up=True)
        stage.set_session(second, up=True)
        stage.announce(second, PREFIXES[:2], stage.path(second, 1000.0))
        stage.announce(second, PREFIXES[2:3], stage.path(second, 1000.0, as_path=(65001, 65001)))
        stage.announce(second, ["10.66.0.0/16"], stage.path(second, 1000.0, communities=(65001 << 16 | 666,)))
        stage.announce(second, ["10.77.0.0/16"], stage.path(second, 1000.0, next_hop="198.51.100.9"))
        stage.reject(second, ["10.88.0.0/16"], stage.path(second, 1000.0))
        stage.complete(second)
        await stage.settle()
        shown = await node.domain("storage")
        counts = shown["families"]["ipv4"]
        assert counts["reasons"] == {
            "not-best": 1, "policy-denied": 1, "next-hop-off-link": 1, "rejected-by-speaker": 1,
        }  # fmt: skip
        assert shown["reasons"] == counts["reasons"]
        assert [counts[key] for key in ("accepted", "in_policy", "eligible", "best", "desired", "installed")] == [
            9, 8, 7, 4, 4, 4,
        ]  # fmt: skip
        assert counts["shared"] == 2
        assert shown["rules"] == [{"text": "1200: from 10.244.0.0/16 lookup 101", "state": "installed"}]
        assert "default routes: deny" in shown["guards"]

    on_node(play)


def test_domains_of_one_table_have_their_own_numbers() -> None:
    async def play(node: Node) -> None:
        storage, cluster = (await _status(node.stage))["domains"]
        assert storage["families"]["ipv4"]["installed"] == 4
        assert {key: cluster["families"]["ipv4"][key] for key in ("desired", "installed", "overlaps")} == {
            "desired": 1, "installed": 0, "overlaps": 1,
        }  # fmt: skip
        assert (await node.domain("cluster"))["reasons"] == {"domain-conflict": 1}

    on_node(play, domains={"storage": STORAGE, "cluster": CLUSTER | {"table": 101}})


def test_lookup_gives_three_answers() -> None:
    async def play(node: Node) -> None:
        answer: Any = await node.stage.feed.lookup("10.8.1.7")
        assert answer["bgp"]["items"] == [
            "storage: 10.8.1.0/24 via 192.0.2.1 dev eth1 metric 200",
            "cluster: 10.8.0.0/16 via 198.51.100.1 dev eth2 metric 200",
        ]
        assert answer["plan"] == {"text": "no change pending", "items": []}
        with pytest.raises(BadRequest, match="is not an IP address"):
            await node.stage.feed.lookup("storage")

    on_node(play)


def test_peers_are_found_by_address() -> None:
    async def play(node: Node) -> None:
        table = node.stage.engine.peers[node.east.id]
        table.peer = replace(table.peer, families={Family.IPV4: PeerFamily(received=4, accepted=4)})
        answer: Any = await node.stage.feed.peers("192.0.2.1")
        (peer,) = answer["items"]
        assert (peer["domain"], peer["asn"], peer["state"]) == ("storage", 65001, "established")
        assert (peer["families"]["ipv4"]["received"], peer["families"]["ipv4"]["best"]) == (4, 4)
        with pytest.raises(BadRequest, match=r"no peer 192\.0\.2\.9"):
            await node.stage.feed.peers("192.0.2.9")

    on_node(play)


# Plans


def test_live_plan_shows_rules_and_routes_and_a_frozen_one_what_it_holds() -> None:
    async def play(node: Node) -> None:
        live: Any = await node.stage.feed.plan()
        assert (live["state"], live["total"], live["truncated"]) == ("live", 6, False)
        assert live["summary"] == {"add": 6, "change": 0, "remove": 0}
        assert [row["prefix"] for row in live["operations"]] == [
            None, "172.16.0.0/12", "10.8.0.0/16", "10.8.1.0/24", "10.9.0.0/24", "10.8.0.0/16",
        ]  # fmt: skip
        frozen: Any = await node.stage.control.freeze("uid 0")
        assert frozen["by_domain"] == {"storage": 5, "cluster": 1}
        shown: Any = await node.stage.feed.plan(frozen["short"])
        assert shown["operations"] == live["operations"]

    on_node(play, mode="approve")


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_limit_keeps_the_first_operations_of_a_plan(limit: int) -> None:
    async def play(node: Node) -> None:
        whole: Any = await node.stage.feed.plan()
        frozen: Any = await node.stage.control.freeze("uid 0")
        for digest in ("", frozen["digest"]):
            shown: Any = await node.stage.feed.plan(digest, limit)
            assert shown["operations"] == whole["operations"][:limit]
            assert (shown["total"], shown["truncated"]) == (6, True)
            for all_of_it in (await node.stage.feed.plan(digest, 0), await node.stage.feed.plan(digest)):
                assert all_of_it["operations"] == whole["operations"]

    on_node(play, mode="approve")


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3)), st.integers(0, 9))
def test_the_smallest_are_the_first_of_a_sort(keys: list[bytes], most: int) -> None:
    assert asyncio.run(smallest(keys, most, slices.Turns())) == sorted(keys)[:most]


async def test_the_smallest_of_many_are_found_in_parts() -> None:
    keys = [(index * 7919 % 20_011).to_bytes(3, "big") for index in range(20_011)]
    assert await smallest(keys, 10, slices.Turns()) == sorted(keys)[:10]


# The doctor


def test_doctor_finds_nothing_on_a_sound_node(tmp_path: Path) -> None:
    async def play(node: Node) -> None:
        node.stage.feed.around = Surroundings(tmp_path)
        assert set(await node.failing()) == {"rule into table 102", "warning"}

    on_node(play)


def test_doctor_says_who_else_uses_our_protocol_number(tmp_path: Path) -> None:
    names = tmp_path / "etc/iproute2/rt_protos.d"
    names.mkdir(parents=True)
    (names / "frr.conf").write_text("# names of FRR\n186  bgp\n196  static\n0xc4  zstatic # the same\n")
    (names / "ours.conf").write_text("196 bgpmon\n")

    async def play(node: Node) -> None:
        node.stage.feed.around = Surroundings(tmp_path)
        found = (await node.failing())["protocol number"]
        file = "/etc/iproute2/rt_protos.d/frr.conf"
        assert found == f"196 is also static in {file}, zstatic in {file}"

    on_node(play)


def test_doctor_sees_a_strict_reverse_path_filter_and_a_missing_interface() -> None:
    async def play(node: Node) -> None:
        node.stage.kernel.reverse_path = {"eth1": 1, "eth2": 2}
        failing = await node.failing()
        assert failing["rp_filter of storage"] == "strict on eth1"
        assert "rp_filter of cluster" not in failing
        assert failing["interfaces of cluster"] == "missing: eth9"
        assert failing["preferred source of storage"] == "192.0.2.77"

    storage = STORAGE | {"preferred_source": {"ipv4": "192.0.2.77"}}
    on_node(play, domains={"storage": storage, "cluster": CLUSTER | {"interfaces": ["eth2", "eth9"]}})


def test_networkd_is_asked_for_the_way_that_systemd_reads_its_files(tmp_path: Path) -> None:
    around = Surroundings(tmp_path)
    assert not around.networkd_runs
    (tmp_path / "run/systemd/netif").mkdir(parents=True)
    assert around.networkd_runs
    assert around.networkd_keeps("ManageForeignRoutes"), "it is on by default"
    etc = tmp_path / "etc/systemd"
    (etc / "networkd.conf.d").mkdir(parents=True)
    (etc / "networkd.conf").write_text("[Network]\nManageForeignRoutes=yes\n#ManageForeignRoutes=no\n")
    assert around.networkd_keeps("ManageForeignRoutes")
    (etc / "networkd.conf.d/bgpmon.conf").write_text("[Network]\nManageForeignRoutes=no\n")
    assert not around.networkd_keeps("ManageForeignRoutes")
    assert around.networkd_keeps("ManageForeignRoutingPolicyRules")


async def _status(stage: Stage) -> Any:
    return await stage.feed.status()


async def test_a_large_plan_is_frozen_and_read_back_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MANY", 0)
    monkeypatch.setattr(freezing, "MANY", 0)
    monkeypatch.setattr(effects, "FEW", 0)
    stage = Stage({"mode": "approve", "domains": {"storage": STORAGE}})
    node = Node(stage)
    await stage.start()
    try:
        stage.start_feed("fabric")
        stage.announce(node.east, PREFIXES, stage.path(node.east, 1000.0))
        stage.complete(node.east)
        await until(lambda: len(stage.reconciler.live_operations()) == len(PREFIXES), what="the plan")
        frozen: Any = await stage.control.freeze("uid 0")
        outcome: Any = await stage.control.approve(frozen["digest"], "uid 0")
        assert (outcome["state"], outcome["applied"], outcome["stale"]) == ("applied", 5, 0)
        first, second = await asyncio.gather(*(stage.feed.plan(frozen["digest"]) for _ in range(2)))
        assert first == second
    finally:
        await stage.stop()
