"""A node with two routers, for tests of the source alone: what they announce, and a gobgpd that waits for them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any

from lab.routes import Announcement, bulk
from monitor.rib.path import PeerId
from tests.support.gobgpd import Gobgpd, Neighbor, running_gobgpd
from tests.support.netns import Namespace, namespace, veth
from tests.support.router import Bird, BirdPeer, running_bird

TWO = PeerId("fabric", "198.51.100.2")
"""The second router; the first one is `mirror.ONE`."""


class TwoRouters:
    """A node with two routers."""

    def __init__(self, node: Namespace, routers: Sequence[Namespace], directory: Path) -> None:
        self.node = node
        self.routers = routers
        self.directory = directory

    def gobgpd(
        self, version: str, neighbor: dict[str, Any] | None = None, **more: Any
    ) -> AbstractAsyncContextManager[Gobgpd]:
        """A gobgpd that waits for both routers."""
        shape: dict[str, Any] = {"families": ("ipv4", "ipv6"), "graceful_restart": 20} | (neighbor or {})
        peers = [
            Neighbor(address=address, asn=asn, **shape)
            for address, asn in (("192.0.2.2", 65001), ("198.51.100.2", 65002))
        ]
        return running_gobgpd(
            version,
            self.directory / "g",
            namespace=self.node,
            neighbors=peers,
            **more,
        )

    def bird(
        self, number: int = 0, routes: Sequence[Announcement | str] = (), **more: Any
    ) -> AbstractAsyncContextManager[Bird]:
        """One of the routers."""
        network = ("192.0.2", "198.51.100")[number]
        shape: dict[str, Any] = {
            "families": ("ipv4", "ipv6"),
            "graceful_restart": 20,
            "next_hops": (("ipv6", f"2001:db8:{number}::2"),),
        }
        peer = BirdPeer(name="node", address=f"{network}.1", asn=65000, **(shape | more))
        return running_bird(
            self.directory / f"b{number}",
            self.routers[number],
            asn=65001 + number,
            router_id=f"{network}.2",
            peers=[peer],
            routes=routes,
        )


@contextmanager
def two_routers(directory: Path) -> Iterator[TwoRouters]:
    """Lay the cables; daemons live in *directory*."""
    with (
        namespace("node", "bgpm-gob-") as node,
        namespace("one", "bgpm-gob-") as one,
        namespace("two", "bgpm-gob-") as two,
    ):
        veth(
            node,
            one,
            "eth1",
            "eth0",
            ["192.0.2.1/24", "2001:db8:0::1/64"],
            ["192.0.2.2/24", "2001:db8:0::2/64"],
        )
        veth(
            node, two, "eth2", "eth0",
            ["198.51.100.1/24", "2001:db8:1::1/64"], ["198.51.100.2/24", "2001:db8:1::2/64"],
        )  # fmt: skip
        yield TwoRouters(node, [one, two], directory)


def table(count: int) -> set[str]:
    """The prefixes that ``Bird.load`` announces."""
    return {route.prefix for route in bulk(count)}
