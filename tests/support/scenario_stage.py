"""A node for scenarios: the real configuration, engine, reconciler and journal between a scripted source and a simulated kernel."""

import asyncio
import ipaddress
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from monitor.change.clock import ClockState
from monitor.change.probe import ProbeConfig, Result
from monitor.config import Config, Overrides
from monitor.config.loader import load_octets
from monitor.engine import ChangeControl, Engine, EngineControl, EngineFeed
from monitor.errors import SourceError
from monitor.rib.attribute import AttributeTable, Origin, PathAttributes, Rpki, SegmentType
from monitor.rib.path import Path, PeerId
from monitor.rib.peer import Peer, PeerFamily, SessionState
from monitor.rib.update import (
    FeedLost,
    FeedStarted,
    PathAnnounced,
    PathRejected,
    PathWithdrawn,
    PeerChanged,
    PeerGone,
    TableComplete,
    Update,
)
from monitor.rib.validation import OWN_AS, RoaState, States
from programmer.fib import Ownership
from programmer.journal import Journal
from programmer.plan import Gate
from programmer.reconciler import Reconciler
from programmer.route import (
    Address,
    Family,
    Forwarding,
    NextHop,
    Prefix,
    PrefixKey,
    TableId,
    family_of,
    key_of,
    prefix_of,
    text_of,
)
from tests.support.recording import RecordingFib
from tests.support.signing import SigningKey, make_key

OURS = 196
LOCAL_ASN = 65000
SETTLE_SECONDS = 1.5
"""How long after each step the next one comes: longer than a tick of the engine and a re-read of a table."""

NODE_LINKS = {
    "eth1": ("192.0.2.5/24", "2001:db8:1::5/64"),
    "eth2": ("198.51.100.5/24", "2001:db8:2::5/64"),
    "eth3": ("203.0.113.5/24", "2001:db8:3::5/64"),
}


class ScriptedSource:
    """A source that tells what a test gives it, one list at a time.

    ``roas`` are the pairs of prefix and AS that its RPKI caches hold, None while it has no caches; ``origins`` the ASes that
    paths come from.
    """

    def __init__(self, name: str, spoken: str) -> None:
        self.name = name
        self.spoken = spoken
        self.roas: set[tuple[Prefix, int]] | None = None
        self.origins: set[int] = {OWN_AS}
        self.complains: list[str] = []
        self.doubts: list[str] = []
        self._told: asyncio.Queue[Sequence[Update]] = asyncio.Queue()

    def tell(self, *updates: Update) -> None:
        """Have *updates* handled in one go."""
        self._told.put_nowait(updates)

    async def updates(self) -> AsyncIterator[Sequence[Update]]:
        """See ``monitor.ports.Source``."""
        while True:
            yield await self._told.get()

    @property
    def kind(self) -> str:
        """See ``monitor.ports.Source``."""
        return self.spoken

    def complaints(self) -> Sequence[str]:
        """None but those that a test gives it."""
        return self.complains

    def tell_again(self, cause: str) -> None:
        """See ``monitor.ports.Retelling``."""
        self.doubts.append(cause)

    async def refresh_peers(self) -> None:
        """The peers are as they were told last."""

    async def close(self) -> None:
        """There is no connection."""

    async def roa_state(self) -> RoaState:
        """See ``monitor.ports.OriginValidation``."""
        if self.roas is None:
            return RoaState(synced=False, version=(), text="no RPKI cache")
        return RoaState(synced=True, version=(len(self.roas),), text="one RPKI cache")

    async def validate(self, family: Family, keys: Sequence[PrefixKey], state: RoaState) -> dict[PrefixKey, States]:
        """See ``monitor.ports.OriginValidation``; the rule is that of RFC 6811 section 2, with no longer prefix allowed."""
        if state != await self.roa_state():
            raise SourceError("the ROAs changed meanwhile")
        return {key: tuple((origin, self._validity(family, key, origin)) for origin in self.origins) for key in keys}

    def _validity(self, family: Family, key: PrefixKey, origin: int) -> Rpki:
        prefix = prefix_of(family, key)
        covering = [roa for roa in self.roas or () if roa[0].version == prefix.version and covers(roa[0], prefix)]
        if not covering:
            return Rpki.NOT_FOUND
        return Rpki.VALID if (prefix, origin) in covering else Rpki.INVALID


@dataclass(slots=True)
class Router:
    """One BGP peer as its speaker sees it.  ``families`` are those of the session; none: not known."""

    id: PeerId
    asn: int = 65001
    router_id: str = "10.255.0.1"
    interface: str = ""
    authenticated: bool = False
    families: tuple[Family, ...] = (Family.IPV4, Family.IPV6)
    up: bool = False
    restarting: bool = False
    counted: bool = True

    @property
    def peer(self) -> Peer:
        """What the source says of it now."""
        return Peer(
            self.id,
            SessionState.ESTABLISHED if self.up else SessionState.ACTIVE,
            asn=self.asn,
            local_asn=LOCAL_ASN,
            router_id=ipaddress.ip_address(self.router_id).packed,
            interface=self.interface,
            authenticated=self.authenticated,
            counted=self.counted,
            restarting=self.restarting,
            families={family: PeerFamily() for family in self.families},
        )


class People:
    """Alice, Bob and Carol, each with a key of the real ``ssh-keygen``, and the file that names them."""

    NAMES = ("alice", "bob", "carol")

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._keys: dict[str, SigningKey] = {}

    def _made(self) -> FilePath:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="bgpmon-people-")
            folder = FilePath(self._folder.name)
            self._keys = {name: make_key(folder, name=name) for name in self.NAMES}
            lines = [f"{name} {key.public}" for name, key in self._keys.items()]
            (folder / "allowed_signers").write_text("\n".join(lines) + "\n")
        return FilePath(self._folder.name)

    @property
    def file(self) -> FilePath:
        """The signers file."""
        return self._made() / "allowed_signers"

    def key(self, name: str) -> SigningKey:
        """Return a person's key."""
        self._made()
        return self._keys[name]


class ScriptedProber:
    """Answers every probe as a scenario says: ``ways`` has what is wrong with a probe, by its name."""

    def __init__(self) -> None:
        self.ways: dict[str, str] = {}
        self.asked: list[str] = []

    async def measure(self, probe: ProbeConfig, source: Address | None = None) -> Result:
        """See ``monitor.engine.conductor.Prober``."""
        self.asked.append(probe.name)
        wrong = self.ways.get(probe.name, "")
        if wrong == "hangs":
            await asyncio.sleep(probe.timeout)
            wrong = f"timed out after {probe.timeout:g} s"
        return Result(not wrong, 0.001, wrong or "connected", time.time())


class Stage:
    """A node with three links, its sources, its kernel and its daemon.  Use it inside ``run_without_waiting``."""

    def __init__(self, file: dict[str, Any]) -> None:
        self.people = People()
        self.file = complete_file(file)
        self.kernel = RecordingFib()
        for name, addresses in NODE_LINKS.items():
            self.kernel.add_link(name, *addresses)
        self.routers: dict[str, Router] = {}
        self.attributes = AttributeTable()
        self.journal = Journal(":memory:")
        self.prober = ScriptedProber()
        self.clock = ClockState(synchronised=True, text="set by the scenario")
        self._work: list[asyncio.Task[None]] = []
        self._build()

    @property
    def config(self) -> Config:
        """What the file says now."""
        file = self.file
        if file.get("approval", {}).get("allowed_signers") == "people":
            file = file | {"approval": file["approval"] | {"allowed_signers": str(self.people.file)}}
        text = yaml.safe_dump(file, sort_keys=False).encode()
        return load_octets("bgpmon.yaml", text, Overrides(), {"NODE_NAME": "node"}).config

    def _build(self) -> None:
        config = self.config
        self.sources = {item.name: ScriptedSource(item.name, "bmp" if item.bmp else "gobgp") for item in config.sources}
        self.reconciler = Reconciler(
            self.kernel,
            self.journal,
            config.protocol,
            Gate(config.mode.value),
            config.reconcile,
            wall=time.time,  # as they are now: while a scenario runs they are replaced
            monotonic=time.monotonic,
        )
        targets = [(source, "scripted") for source in self.sources.values()]
        self.engine = Engine(config, targets, self.reconciler, self.journal)
        self.reconciler.links_changed = self.engine.links_changed
        self.change = ChangeControl(self.engine, lambda: self.prober, lambda: self.clock)
        self.feed = EngineFeed(self.engine, self.change, description=self.kernel.description)
        self.control = EngineControl(self.engine, self.feed, self.change, lambda: self.config)

    async def start(self) -> None:
        """Start the daemon."""
        works = (self.reconciler.run(), self.engine.run(), self.change.conductor.run())
        self._work = [asyncio.create_task(work) for work in works]
        await self.settle()

    async def stop(self, *, killed: bool = False) -> None:
        """Stop the daemon; what it ended with is raised.  *killed*: it has no chance to clean up."""
        if not killed:
            await self.change.conductor.stop()
        soaks = [task for task in asyncio.all_tasks() if task.get_name().startswith("soak of plan")]
        for task in (*self._work, *soaks):
            task.cancel()
        ended = await asyncio.gather(*self._work, return_exceptions=True)
        self._work = []
        for result in ended:
            if isinstance(result, Exception):
                raise result

    async def restart(self, *, killed: bool = False) -> None:
        """Stop the daemon and start another one on the same kernel and journal: all that it knew is gone."""
        await self.stop(killed=killed)
        self._build()
        await self.start()

    async def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Let the daemon work for a while."""
        await asyncio.sleep(seconds)
        for task in self._work:
            if task.done():
                await task

    # What the speaker says

    def tell(self, router: Router, *updates: Update) -> None:
        """Have the source of a router tell *updates*."""
        self.sources[router.id.source].tell(*updates)

    def start_feed(self, source: str) -> None:
        """The source has a new stream: it says so, and which peers there are; over BMP only those that are up."""
        heard = self.sources[source]
        routers = [router for router in self.routers.values() if router.id.source == source]
        peers = [PeerChanged(router.peer) for router in routers if router.up or heard.kind != "bmp"]
        heard.tell(FeedStarted(source, "scripted speaker"), *peers)

    def lose_feed(self, source: str) -> None:
        """The stream broke."""
        self.sources[source].tell(FeedLost(source, "the stream broke"))

    def set_session(self, router: Router, *, up: bool, restarting: bool = False) -> None:
        """A session comes up or goes down; *restarting*: the speaker keeps its paths meanwhile (RFC 4724)."""
        router.up, router.restarting = up, restarting
        self.tell(router, PeerChanged(router.peer))

    def remove_peer(self, router: Router) -> None:
        """The peer is taken out of the speaker's configuration."""
        self.tell(router, PeerGone(router.id))

    def announce(self, router: Router, prefixes: Sequence[str], path: Path) -> None:
        """The router announces one path for several prefixes."""
        self.tell(router, *(PathAnnounced(*family_and_key(prefix), path) for prefix in prefixes))

    def reject(self, router: Router, prefixes: Sequence[str], path: Path) -> None:
        """The speaker's own policy refuses what the router announces."""
        self.tell(router, *(PathRejected(*family_and_key(prefix), path) for prefix in prefixes))

    def withdraw(self, router: Router, prefixes: Sequence[str], path_id: int = 0) -> None:
        """The router withdraws several prefixes."""
        self.tell(router, *(PathWithdrawn(*family_and_key(prefix), router.id, path_id) for prefix in prefixes))

    def complete(self, router: Router) -> None:
        """Everything that the router holds has been told."""
        self.tell(router, *(TableComplete(router.id, family, "End-of-RIB") for family in Family))

    def path(self, router: Router, received_at: float, **said: Any) -> Path:
        """Return a path of a router; attributes that are not said are those of an eBGP or iBGP neighbour."""
        next_hop = said.pop("next_hop", None) or router.id.address.partition("%")[0]
        as_path = said.pop("as_path", (router.asn,) if router.asn != LOCAL_ASN else ())
        self.sources[router.id.source].origins |= set(as_path[-1:])
        stale, path_id = said.pop("stale", False), said.pop("path_id", 0)
        attributes = PathAttributes(
            ipaddress.ip_address(next_hop).packed if next_hop != "nothing" else b"",
            as_path=((SegmentType.AS_SEQUENCE, tuple(as_path)),) if as_path else (),
            origin=said.pop("origin", Origin.IGP),
            **said,
        )
        return Path(router.id, path_id, self.attributes.intern(attributes), int(received_at), stale)

    # What the kernel has

    async def routes(self, table: int) -> dict[str, str]:
        """Return every route of a table, as in ``via 192.0.2.1 dev eth1``, metric 200 and our protocol left out."""
        found: dict[str, str] = {}
        names = {index: link.name for index, link in (await self.kernel.links()).links.items()}
        for family in Family:
            # Nobody's metric is 2**32 - 1 here, so that everything is told with its protocol.
            image = await self.kernel.read(TableId(table), family, Ownership(OURS, frozenset({2**32 - 1})))
            for (key, metric), route in image.foreign.items():
                text = _route_text(names, route.forwarding, metric, route.protocol)
                prefix = text_of(family, key)
                found[prefix] = f"{found[prefix]}; {text}" if prefix in found else text
        return found


def complete_file(file: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with what every scenario has alike: a node, one source, mode auto."""
    common: dict[str, Any] = {"node": "node", "mode": "auto", "sources": {"fabric": {"gobgp": "127.0.0.1:50051"}}}
    domains = {name: {"source": "fabric"} | domain for name, domain in file.get("domains", {}).items()}
    return common | file | {"domains": domains}


def covers(wide: Prefix, narrow: Prefix) -> bool:
    """Say whether *narrow* lies in *wide*, both of one version."""
    return narrow.prefixlen >= wide.prefixlen and narrow.network_address in wide


def family_and_key(prefix: str) -> tuple[Family, bytes]:
    """Return the family and the key of a prefix."""
    network = ipaddress.ip_network(prefix)
    return family_of(network), key_of(network)


def _route_text(names: dict[int, str], value: Forwarding, metric: int, protocol: int) -> str:
    words = ", ".join(_hop_text(names, hop, len(value.next_hops)) for hop in value.next_hops)
    if metric != 200:
        words += f" metric {metric}"
    if value.preferred_source:
        words += f" src {ipaddress.ip_address(value.preferred_source)}"
    return words if protocol == OURS else f"{words} protocol {protocol}"


def _hop_text(names: dict[int, str], hop: NextHop, several: int) -> str:
    weight = f" weight {hop.weight}" if several > 1 and hop.weight > 1 else ""
    return f"via {hop.address} dev {names[hop.ifindex]}{weight}"
