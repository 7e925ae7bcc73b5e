"""Domains and peers for the tests of the engine, said briefly."""

from monitor.config import Config
from monitor.engine.core import domain_policy
from monitor.engine.domain import DomainTable
from monitor.engine.peer import PeerTable
from monitor.rib.nexthop import Resolver
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer, SessionState
from monitor.rib.protect import ProtectedSet, live_protected
from tests.unit.monitor.config.files import config_of
from tests.unit.monitor.rib.build import links, packed

FILE = """\
mode: auto
sources: {{fabric: {{gobgp: "127.0.0.1:50051"}}}}
domains:
  storage: {{source: fabric, peers: [192.0.2.0/24], interfaces: [eth1], table: 101, import: [{{accept: any}}]{storage}}}
  cluster: {{source: fabric, peers: [198.51.100.0/24], interfaces: [eth2], table: 102, import: [{{accept: any}}]{cluster}}}
"""


def config(storage: str = "", cluster: str = "") -> Config:
    """Two domains over ``links()``; *storage* and *cluster* are more keys of each, as in ``multipath: 2``."""
    more = {"storage": storage and f", {storage}", "cluster": cluster and f", {cluster}"}
    return config_of(FILE.format(**more))


def peer(address: str, *, asn: int = 65001, state: SessionState = SessionState.ESTABLISHED) -> Peer:
    """A peer of the source *fabric*, whose router id is its own address."""
    return Peer(PeerId("fabric", address), state, asn=asn, local_asn=65000, router_id=packed(address))


def domain(*addresses: str, more: str = "", choosing: bool = True) -> DomainTable:
    """The domain *storage* with peers at *addresses*; *more* are more keys of it."""
    whole = config(more)
    made = DomainTable(whole.domains[0], domain_policy(whole, whole.domains[0]))
    for address in addresses:
        made.peers[PeerId("fabric", address)] = PeerTable.of(peer(address))
    if choosing:
        reach(made)
    return made


def reach(made: DomainTable, *down: str) -> None:
    """Tell a domain the state of the node's links; those in *down* are down."""
    now = links(down=down)
    made.reach(Resolver(now, made.config.interfaces), ProtectedSet(live_protected(now, (), (), ())))
