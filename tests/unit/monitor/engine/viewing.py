"""A node with routes of two domains and both families, to look at through views."""

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

from monitor.engine.ordering import Place, place_order
from monitor.engine.rows import row_at
from monitor.engine.views import Views
from monitor.rib.attribute import Origin
from monitor.rib.path import PeerId
from programmer.route import NextHop, TableId, forwarding
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, Stage

STORAGE: dict[str, Any] = {
    "peers": ["192.0.2.0/28", "2001:db8:1::/64"], "interfaces": ["eth1"], "table": 101, "multipath": 2,
    "import": [{"accept": "any"}], "removal_budget": {"percent": 100},
}  # fmt: skip
CLUSTER = STORAGE | {"peers": ["198.51.100.0/28"], "interfaces": ["eth2"], "table": 102}
IPV4 = ["10.8.0.0/16", "10.8.1.0/24", "10.9.0.0/24", "172.16.0.0/12", "9.0.0.0/8", "10.8.0.0/24", "100.64.0.0/10"]
IPV6 = ["2001:db8:8::/48", "2001:db8:8:1::/64", "2001:db8:7::/48"]
FOREIGN = [("10.8.1.0/24", 1024), ("10.8.1.0/24", 50), ("10.8.128.0/17", 20)]


class Clock:
    """A clock that stands until it is moved; in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Node:
    """A stage with three routers in two domains, and what is asked of its views."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.east = stage.routers["east"] = Router(PeerId("fabric", "192.0.2.1"), up=True)
        self.north = stage.routers["north"] = Router(PeerId("fabric", "192.0.2.2"), asn=65003, up=True)
        self.west = stage.routers["west"] = Router(PeerId("fabric", "198.51.100.1"), asn=65002, up=True)
        self.clock = Clock()
        self.stage.feed.views = Views(stage.engine, self.clock)

    async def start(self) -> None:
        """Start the daemon, and have the routers tell everything."""
        stage = self.stage
        for prefix, metric in FOREIGN:
            hop = NextHop(ipaddress.ip_address("192.0.2.9").packed, 2)
            stage.kernel.put_route(TableId(101), ipaddress.ip_network(prefix), forwarding(metric, [hop]), 4)
        await stage.start()
        stage.start_feed("fabric")
        for index, prefix in enumerate(IPV4):
            more: dict[str, Any] = {"med": 10 * index} if index % 2 else {"local_pref": 200 - index}
            path = (65001, *range(64500, 64500 + index % 3))
            stage.announce(self.east, [prefix], stage.path(self.east, 1000.0 + index // 2, as_path=path, **more))
        stage.announce(self.north, IPV4[:3], stage.path(self.north, 900.0, as_path=(65003,), origin=Origin.EGP))
        six = {"next_hop": "2001:db8:1::1", "as_path": (65001, 64999)}
        stage.announce(self.east, IPV6, stage.path(self.east, 1010.0, **six))
        stage.announce(self.west, IPV4[:2], stage.path(self.west, 1000.0, communities=(0xFFFFFF01, 0xFDE80001)))
        for router in (self.east, self.north, self.west):
            stage.complete(router)
        await stage.settle()

    async def view(self, filter_text: str = "", domain: str = "", sort: str = "", **more: Any) -> Any:
        """A view that is complete."""
        head: Any = await self.stage.feed.view(filter_text, domain, sort, **{"wait": 5.0, **more})
        assert head["complete"]
        return head

    async def window(self, view: int, first: int = 0, count: int = 500, around: str = "", before: int = 0) -> Any:
        """A window of a view."""
        return await self.stage.feed.window(view, first, count, around, before)

    async def keys(self, *asked: Any, **named: Any) -> list[str]:
        """The keys of all rows of a view."""
        head = await self.view(*asked, **named)
        answer = await self.window(head["view"])
        assert (answer["total"], answer["first"]) == (head["total"], 0)
        return [row["key"] for row in answer["items"]]


Play = Callable[[Node], Awaitable[None]]


def on_node(play: Play, domains: dict[str, Any] | None = None, **config: Any) -> None:
    """Run *play* on a node that has been told everything."""

    async def main() -> None:
        node = Node(Stage({"mode": "auto", "domains": domains or {"storage": STORAGE, "cluster": CLUSTER}} | config))
        await node.start()
        try:
            await play(node)
        finally:
            await node.stage.stop()

    run_without_waiting(main)


def in_order(node: Node) -> list[str]:
    """The key of every route, by a plain sort."""
    found: list[str] = []
    for (table, family), state in sorted(node.stage.reconciler.tables.items()):
        places: list[Place] = [*(state.desired.keys() | state.image.routes.keys()), *state.image.foreign]
        for place in sorted(places, key=place_order):
            key = place if isinstance(place, bytes) else place[0]
            row = row_at(node.stage.engine, state, key, None if isinstance(place, bytes) else place[1])
            assert row is not None
            metric = "" if isinstance(place, bytes) else f" {place[1]}"
            found.append(f"{table} {row.document(0.0)['prefix']}{metric}")
            assert family is row.family
    return found
