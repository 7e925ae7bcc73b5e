"""A node with cables to the routers of two domains, its gobgpd, and what the kernel's tables say."""

import contextlib
import json
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.bgpmon import Bgpmon
from tests.support.exabgp import ExaBgp, ExaPeer, running_exabgp
from tests.support.frr import Frr, FrrPeer, running_frr
from tests.support.gobgpd import Gobgpd, Neighbor, running_gobgpd
from tests.support.netns import Namespace, namespace, veth
from tests.support.router import Announcement, Bird, BirdPeer, running_bird
from tests.support.wait import until

STATION = "127.0.0.1:11019"
"""Where bgpmon listens for BMP, on the node's loopback."""
OURS = "196"
"""The protocol of bgpmon's routes, as ``ip -N`` writes it."""
STATIC = "4"
"""linux/rtnetlink.h: RTPROT_STATIC, the same."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One cable of the node.  The node's end is named after the router; the router's end is ``eth0``."""

    name: str
    asn: int
    network: str
    network6: str

    @property
    def router(self) -> str:
        """The router's IPv4 address."""
        return f"{self.network}.2"

    @property
    def node(self) -> str:
        """The node's IPv4 address."""
        return f"{self.network}.1"

    @property
    def router6(self) -> str:
        """The router's IPv6 address."""
        return f"{self.network6}::2"

    @property
    def node6(self) -> str:
        """The node's IPv6 address."""
        return f"{self.network6}::1"


both_sources = pytest.mark.parametrize("wires", ["gobgp", "bmp"], indirect=True)
"""Runs a test twice: bgpmon hears gobgpd over gRPC, and over BMP."""

LEGS = {
    leg.name: leg
    for leg in (
        Leg("east", 65001, "192.0.2", "2001:db8:1"),
        Leg("twin", 65001, "203.0.113", "2001:db8:3"),
        Leg("west", 65002, "198.51.100", "2001:db8:2"),
    )
}
"""Two routers of the domain east, and the router of the domain west."""
EAST, TWIN, WEST = (LEGS[name].router for name in ("east", "twin", "west"))
DEFAULT = f"default via {LEGS['west'].network}.254 dev west proto static metric 50"
"""The node's own default route; nobody answers there, so what it carries is lost."""
DEFAULT6 = f"default via {LEGS['west'].network6}::fe dev west proto static metric 50"
NODE_LOCAL, ROUTER_LOCAL = "fe80::1", "fe80::2"
"""Ends of an unnumbered cable, the same on every one; see `unnumber`."""
NET, OTHER, TARGET = "10.8.0.0/24", "10.8.9.0/24", "10.8.0.1"
"""A prefix whose traffic arrives at TARGET, on the routers' loopback, and another one."""


@dataclass(frozen=True, slots=True)
class Wires:
    """The node and the namespaces of its routers; ``over`` is how bgpmon hears gobgpd: ``gobgp`` (gRPC) or ``bmp``."""

    node: Namespace
    east: Namespace
    twin: Namespace
    west: Namespace
    over: str = "gobgp"

    def of(self, leg: str) -> Namespace:
        """The namespace of one router."""
        found: Namespace = getattr(self, leg)
        return found


@contextlib.contextmanager
def wired(over: str = "gobgp") -> Iterator[Wires]:
    """Lay the cables; TARGET lies on the loopback of both routers of the domain east."""
    with contextlib.ExitStack() as stack:
        node, east, twin, west = (
            stack.enter_context(namespace(name, "bgpm-e2e-")) for name in ("node", "east", "twin", "west")
        )
        for leg, router in zip(LEGS.values(), (east, twin, west), strict=True):
            ends = [f"{leg.node}/24", f"{leg.node6}/64"], [f"{leg.router}/24", f"{leg.router6}/64"]
            veth(node, router, leg.name, "eth0", *ends)
        for router in (east, twin):
            router.ip("addr", "add", f"{TARGET}/32", "dev", "lo")
        node.ip("route", "add", *DEFAULT.split())
        yield Wires(node, east, twin, west, over)


def unnumber(wires: Wires, *legs: str) -> None:
    """Leave these cables nothing but link-local addresses, NODE_LOCAL and ROUTER_LOCAL; routers find back to the node.

    The node has then heard of the router: gobgpd finds an unnumbered peer in the neighbour table, and does not look for it.
    """
    for leg in legs:
        router = wires.of(leg)
        for end, interface, address in ((wires.node, leg, NODE_LOCAL), (router, "eth0", ROUTER_LOCAL)):
            end.ip("addr", "flush", "dev", interface)
            end.ip("addr", "add", f"{address}/64", "dev", interface, "nodad")
        router.ip("-4", "route", "add", "default", "via", "inet6", NODE_LOCAL, "dev", "eth0")
        wires.node.run("ping", "-6", "-c1", "-w5", f"{ROUTER_LOCAL}%{leg}")


def domain(name: str, table: int, routers: Collection[str], **more: object) -> dict[str, object]:
    """The configuration of one domain, which takes every route of its routers at once; *more* keys replace these.

    Its peers are those of its legs that are among *routers*.
    """
    legs = [leg for leg in LEGS.values() if leg.name in {name, *({"twin"} if name == "east" else ())}]
    return {
        "source": "fabric",
        "peers": [leg.router for leg in legs if leg.router in routers],
        "interfaces": [leg.name for leg in legs],
        "table": table,
        "families": ["ipv4"],
        "default_route": "accept",
        "end_of_rib_wait": "3s",
        "removal_budget": {"percent": 100, "routes": 100_000},
        "import": [{"accept": "any"}],
    } | more


@dataclass(frozen=True, slots=True)
class Site:
    """The node with its gobgpd; routers and bgpmon come on demand."""

    wires: Wires
    directory: Path
    gobgpd: Gobgpd

    @property
    def node(self) -> Namespace:
        """The namespace whose tables are programmed."""
        return self.wires.node

    def configuration(
        self,
        mode: str = "auto",
        *,
        target: str = "",
        east: Mapping[str, object] | None = None,
        west: Mapping[str, object] | None = None,
        **source: object,
    ) -> str:
        """bgpmon's configuration here: the domain east, and west if it is given.

        Each has its own table and a rule that leads there.  *east* and *west* have more keys of the domains, *source* of the
        source; *target* is a detour to gobgpd.
        """
        # No End-of-RIB of a peer comes over BMP, and BIRD begins to tell some three seconds after the session.
        patient = {"end_of_rib_wait": "8s"} if self.wires.over == "bmp" else {}
        rules = {name: [{"to": f"10.{net}.0.0/16", "priority": 1000 + net}] for name, net in (("east", 8), ("west", 9))}
        # Over BMP a peer that is configured and never comes up keeps its domain from being complete.
        neighbors = {neighbor.address for neighbor in self.gobgpd.config.neighbors}
        routers = [leg.router for leg in LEGS.values() if self.wires.over == "gobgp" or leg.router in neighbors]
        domains = {"east": domain("east", 101, routers, multipath=2, rules=rules["east"]) | patient | dict(east or {})}
        if west is not None:
            domains["west"] = domain("west", 102, routers, rules=rules["west"]) | patient | dict(west)
        heard = {"bmp": STATION} if self.wires.over == "bmp" else {"gobgp": target or self.gobgpd.target}
        sources = {"fabric": {**heard, **source}}
        return (
            f"node: node-1\nmode: {mode}\nnetns: {self.node.path}\n"
            f"sources: {json.dumps(sources)}\ndomains: {json.dumps(domains)}\n"
        )

    def table(self, number: int, family: str = "ipv4") -> dict[str, dict[str, Any]]:
        """A kernel table by destination, protocols as numbers; empty where it does not exist yet.

        Where two routes lead to one destination, the one with the higher metric is shown.  AssertionError when a change broke
        the dump off.
        """
        which = "-6" if family == "ipv6" else "-4"
        done = self.node.run("ip", which, "-N", "-j", "route", "show", "table", str(number), check=False)
        if "table does not exist" in done.stderr:
            return {}
        assert not done.returncode, f"the dump of table {number} failed: {done.stderr.strip()}"
        return {route["dst"]: route for route in json.loads(done.stdout or "[]")}

    async def gains(self, number: int, prefix: str, *gateways: str, timeout: float = 30) -> None:
        """Wait until our route to *prefix* leads to exactly these gateways."""
        family = "ipv6" if ":" in prefix or any(":" in gateway for gateway in gateways) else "ipv4"

        def there() -> bool:
            route = self.table(number, _family(prefix, family)).get(prefix, {})
            found = sorted(gateways_of(route))
            assert (found, route.get("protocol")) == (sorted(gateways), OURS), route
            return True

        await until(there, timeout=timeout, what=f"{prefix} via {gateways} in table {number}")

    async def loses(self, number: int, *prefixes: str, family: str = "ipv4", timeout: float = 30) -> None:
        """Wait until a table has no route to any of *prefixes*."""

        def gone() -> bool:
            assert not (held := set(prefixes) & self.table(number, family).keys()), f"{held} are still there"
            return True

        await until(gone, timeout=timeout, what=f"{prefixes} to leave table {number}")

    async def holds(self, number: int, wanted: set[str], family: str = "ipv4", timeout: float = 30) -> None:
        """Wait until a table has exactly these destinations, all of them ours."""

        def equal() -> bool:
            held = self.table(number, family)
            assert held.keys() == wanted, _difference(held.keys(), wanted)
            assert {route["protocol"] for route in held.values()} <= {OURS}
            return True

        await until(equal, timeout=timeout, what=f"exactly {len(wanted)} routes in table {number}", every=0.1)

    @contextlib.asynccontextmanager
    async def bird(
        self, leg: str, *routes: Announcement | str, families: Sequence[str] = ("ipv4",), **session: Any
    ) -> AsyncIterator[Bird]:
        """Run a BIRD that announces *routes* with itself as the next hop; *session* has more of the session."""
        end = LEGS[leg]
        shape: dict[str, Any] = {"local_address": end.router, "next_hops": [("ipv6", end.router6)]}
        shape |= {"address": end.node, "families": families}
        peer = BirdPeer(name="node", asn=65000, **(shape | session))
        directory, where = self.directory / f"bird-{leg}", self.wires.of(leg)
        async with running_bird(
            directory, where, asn=end.asn, router_id=end.router, peers=[peer], routes=routes
        ) as router:
            yield router

    @contextlib.asynccontextmanager
    async def exabgp(self, leg: str, families: Sequence[str] = ("ipv4",)) -> AsyncIterator[ExaBgp]:
        """Run an ExaBGP with a session to the node; it announces nothing yet."""
        end = LEGS[leg]
        peer = ExaPeer(end.node, 65000, local_address=end.router, families=families)
        directory, where = self.directory / f"exabgp-{leg}", self.wires.of(leg)
        async with running_exabgp(directory, where, asn=end.asn, router_id=end.router, peers=[peer]) as router:
            yield router

    @contextlib.asynccontextmanager
    async def frr(self, leg: str, *routes: Announcement | str, unnumbered: bool = False) -> AsyncIterator[Frr]:
        """Run an FRR that announces *routes*, with a session for each family, or one for both if *unnumbered*."""
        end = LEGS[leg]
        peers = [
            FrrPeer(address=end.node, asn=65000, families=["ipv4"]),
            FrrPeer(address=end.node6, asn=65000, families=["ipv6"]),
        ]
        more: list[str] = []
        if unnumbered:
            peers = [FrrPeer(address=NODE_LOCAL, asn=65000, interface="eth0", families=["ipv4", "ipv6"])]
            more.append(f" neighbor {NODE_LOCAL} capability extended-nexthop")
        async with running_frr(
            self.directory / f"frr-{leg}",
            self.wires.of(leg),
            asn=end.asn,
            router_id=end.router,
            peers=peers,
            routes=routes,
            more=more,
            unnumbered=unnumbered,
        ) as router:
            yield router


@contextlib.asynccontextmanager
async def node(
    version: str,
    directory: Path,
    wires: Wires,
    *legs: str,
    neighbors: Sequence[Neighbor] | None = None,
    **session: Any,
) -> AsyncIterator[Site]:
    """Run a gobgpd in the node that waits for the routers of *legs* and tells nobody anything.

    *session* has more of every session; *neighbors* stand for all of that.  Heard over BMP, it is set up as Cilium's is: its
    import policy rejects every path.
    """
    exported: dict[str, Any] = (
        {"bmp": (STATION,), "bmp_statistics": 15, "reject_all": True} if wires.over == "bmp" else {}
    )
    sessions = [Neighbor(address=LEGS[leg].router, asn=LEGS[leg].asn, **session) for leg in legs]
    async with running_gobgpd(
        version,
        directory / "gobgpd",
        namespace=wires.node,
        neighbors=sessions if neighbors is None else neighbors,
        listen_only=True,
        **exported,
    ) as gobgpd:
        yield Site(wires, directory, gobgpd)


def gateways_of(route: Mapping[str, Any]) -> list[str]:
    """The gateways of a route as ``ip -j`` prints it; one of another family is in ``via``."""
    hops = route.get("nexthops", [route] if route else [])
    return [hop.get("gateway") or hop.get("via", {}).get("host", "") for hop in hops]


async def explained(bgpmon: Bgpmon, prefix: str, reason: str, domain: str = "") -> dict[str, Any]:
    """Wait until ``explain`` gives this reason for a prefix, and return all that it says."""

    async def said() -> dict[str, Any]:
        document: dict[str, Any] = await bgpmon.ask("explain", prefix, domain)
        assert document["reason"] == reason, document
        return document

    return await until(said, what=f"the reason {reason} for {prefix}")


async def ready(bgpmon: Bgpmon, *, wanted: bool = True, timeout: float = 40) -> None:
    """Wait until bgpmon says that it knows everything, or that it does not."""

    async def said() -> bool:
        return (await bgpmon.ask("status"))["ready"] is wanted

    await until(said, timeout=timeout, what=f"ready to be {wanted}")


def family_status(status: Mapping[str, Any], domain: str, family: str = "ipv4") -> dict[str, Any]:
    """The counts of one domain and family in what ``status`` prints."""
    found: dict[str, Any] = next(item for item in status["domains"] if item["name"] == domain)["families"][family]
    return found


def _family(prefix: str, guess: str) -> str:
    if prefix == "default":
        return guess
    return "ipv6" if ":" in prefix else "ipv4"


def _difference(held: Any, wanted: set[str]) -> str:
    missing, surplus = sorted(wanted - held), sorted(held - wanted)
    return f"missing {len(missing)}: {missing[:5]}, surplus {len(surplus)}: {surplus[:5]}"
