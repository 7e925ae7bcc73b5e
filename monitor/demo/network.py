"""The simulated node: its routers, its links, its configuration and its kernel.  No I/O here.

Addresses and AS numbers are private or for documentation (RFC 1918, 4193, 5398, 5737, 6996).  No interface is called as
one of a real machine.
"""

import json
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from programmer.memory import MemoryFib
from programmer.route import MAIN_TABLE, Family, TableId, forwarding
from programmer.route import NextHop as Hop

NODE = "demo-node"
NODE_ASN, CLUSTER_ASN, INTERNET_ASN, STORAGE_ASN = 65000, 65001, 65002, 65003
NODE_ROUTER_ID = "172.30.1.10"

RPKI_CACHE = "172.30.0.99"

OWN_PODS, OWN_PODS_V6 = "10.42.7.0/24", "fd00:42:7::/64"
FOREIGN_PREFIX = "10.9.200.0/24"
"""Where somebody else's route will stand."""

STORAGE_TABLE = TableId(103)
METRIC = 200
_PROTOCOL_STATIC = 4  # RTPROT_STATIC of linux/rtnetlink.h

BOTH = (Family.IPV4, Family.IPV6)


@dataclass(frozen=True, slots=True)
class Router:
    """A neighbour of the node's speaker, as both ends see the session.

    ``password`` says whether the session is authenticated (RFC 2385), ``graceful`` whether the router keeps forwarding
    while it restarts (RFC 4724).
    """

    name: str
    address: str
    asn: int
    families: tuple[Family, ...]
    description: str
    router_id: str = ""
    password: bool = False
    graceful: bool = False

    @property
    def identifier(self) -> str:
        """Its router id: its address, unless that is an IPv6 one."""
        return self.router_id or self.address


ROUTERS = (
    Router("leaf1", "172.30.1.1", CLUSTER_ASN, (Family.IPV4,), "simulated leaf switch, pods of the other nodes"),
    Router("leaf2", "172.30.1.2", CLUSTER_ASN, (Family.IPV4,), "simulated leaf switch, the second way"),
    Router("edge1", "198.51.100.9", INTERNET_ASN, (Family.IPV4,), "simulated Internet edge"),
    Router("edge2", "203.0.113.9", INTERNET_ASN, (Family.IPV4,), "simulated Internet edge, the second way"),
    Router("edge1-v6", "fd00:2::9", INTERNET_ASN, (Family.IPV6,), "simulated Internet edge", "198.51.100.9"),
    Router("edge2-v6", "fd00:3::9", INTERNET_ASN, (Family.IPV6,), "simulated Internet edge", "203.0.113.9"),
    Router("san1", "172.30.3.1", STORAGE_ASN, BOTH, "simulated storage router", password=True, graceful=True),
)
"""Every neighbour; each edge router has one session for each family."""

LINKS = {
    "sim-mgmt": ("172.30.0.10/24",),
    "sim-cluster": ("172.30.1.10/24",),
    "sim-edge1": ("198.51.100.10/29", "fd00:2::10/64"),
    "sim-edge2": ("203.0.113.10/29", "fd00:3::10/64"),
    "sim-storage": ("172.30.3.10/24", "fd00:4::10/64"),
    "sim-pods": ("10.42.7.1/24", "fd00:42:7::1/64"),
}
"""The node's interfaces and their addresses."""


def router(name: str) -> Router:
    """Return the neighbour called *name*; KeyError if there is none."""
    for one in ROUTERS:
        if one.name == name:
            return one
    raise KeyError(f"there is no router {name!r}")


def kernel() -> MemoryFib:
    """Return a kernel in memory with the node's links and its default route."""
    fib = MemoryFib("demo: a simulated kernel")
    index = {name: fib.add_link(name, *addresses) for name, addresses in LINKS.items()}
    gateway = Hop(ip_address("172.30.0.1").packed, index["sim-mgmt"])
    fib.put_route(MAIN_TABLE, ip_network("0.0.0.0/0"), forwarding(0, [gateway]), _PROTOCOL_STATIC)
    return fib


def intrude(fib: MemoryFib) -> None:
    """Let somebody else put a route into the storage domain's table, at the very metric that is ours."""
    gateway = Hop(ip_address("172.30.3.77").packed, 0)  # the kernel finds the link
    fib.put_route(STORAGE_TABLE, ip_network(FOREIGN_PREFIX), forwarding(METRIC, [gateway]), _PROTOCOL_STATIC)


def configuration(socket: str, state_dir: str, run_dir: str, mode: str, routes: int, soak: float = 0.0) -> str:
    """Return the node's bgpmon.yaml.

    *routes* is how many the routers announce in all; limits grow with it.  *soak* is in seconds, 0 for none.
    """
    quoted = [json.dumps(text) for text in (f"unix://{socket}", state_dir, run_dir)]  # a JSON string is one of YAML
    return f"""\
# Made by `bgpmon demo`.  Change it and run `bgpmon reload`.
node: {NODE}
mode: {mode}
state_dir: {quoted[1]}
run_dir: {quoted[2]}
protect: [10.43.0.0/16, {OWN_PODS}, "{OWN_PODS_V6}"]  # services, and the node's own pods

sources:
  fabric: {{gobgp: {quoted[0]}}}

domains:
  cluster:
    source: fabric
    peers: [172.30.1.1, 172.30.1.2]
    interfaces: [sim-cluster]
    table: 101
    metric: {METRIC}
    families: [ipv4]
    multipath: 2
    import:
      - deny: {{community: "{CLUSTER_ASN}:666"}}
      - accept: {{prefix: 10.42.0.0/16, ge: 24, le: 28}}
      - accept: {{prefix: 10.43.0.0/16, le: 28}}
      - accept: {{prefix: 10.0.0.0/8}}
    rules:
      - {{to: 10.42.0.0/16, priority: 1100}}

  internet:
    source: fabric
    peers: [198.51.100.9, 203.0.113.9, "fd00:2::9", "fd00:3::9"]
    interfaces: [sim-edge1, sim-edge2]
    table: 102
    metric: {METRIC}
    multipath: 2
    default_route: accept
    import:
      - deny: {{rpki: invalid}}
      - deny: {{community: "{INTERNET_ASN}:666"}}
      - accept: {{prefix: 0.0.0.0/0, le: 24}}
      - accept: {{prefix: "::/0", le: 48}}
    rules:
      - {{from: {OWN_PODS}, priority: 1300}}
      - {{from: "{OWN_PODS_V6}", priority: 1300}}
    limit: {{ipv4: {{routes: {2 * routes}}}, ipv6: {{routes: {2 * routes}}}}}
    peer_limit: {{ipv4: {{paths: {2 * routes}, action: teardown, restart: 30s}}}}
    removal_budget: {{percent: 20, routes: 100, hold: 30s}}

  storage:
    source: fabric
    peers: [172.30.3.1]
    interfaces: [sim-storage]
    table: {STORAGE_TABLE}
    metric: {METRIC}
    families: [ipv4]
    import:
      - deny: {{community: "{STORAGE_ASN}:666"}}
      - accept: {{prefix: 10.8.0.0/14, ge: 16, le: 28}}
      - accept: {{prefix: 172.16.0.0/12, le: 28}}
      - accept: {{prefix: 0.0.0.0/0, le: 8}}
    rules:
      - {{to: 10.8.0.0/14, priority: 1200}}
    removal_budget: {{percent: 20, routes: 20, hold: 30s}}
    stale_after: 5m

approval:
  max_drift: {{operations: 50, percent: 20}}  # the simulated network is a restless one
{f"  soak: {{duration: {round(soak)}s}}" if soak else ""}
"""
