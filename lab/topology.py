"""What the lab consists of: links, routers, their tables, and the configurations of the node. No I/O here.

The node, with gobgpd (AS 65000) and bgpmon, has these cables::

    eth0  mgmt                            the node's own default route
    eth1  cluster  FRR   AS 65001         pods of the other nodes
    eth2  edge1    BIRD  AS 65002         the Internet
    eth3  edge2    BIRD  AS 65002         the Internet again
    eth4  storage  BIRD  AS 65003         storage networks
    eth9  pod                             10.244.7.10, whose traffic uses the tables
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lab.bird import BirdPeer
from lab.frr import FrrPeer
from lab.gobgpd import GobgpdConfig, Neighbor
from lab.machine import HOME, PREFIX
from lab.routes import Announcement, varied

NODE_ASN, CLUSTER_ASN, INTERNET_ASN, STORAGE_ASN = 65000, 65001, 65002, 65003
STORAGE_PASSWORD = "not-a-secret"
"""The storage session is authenticated (RFC 2385), so that a screen can show one that is."""

OWN_PODS = 7
"""The node's own pods are 10.244.7.0/24; the other nodes have the other third octets."""

NODE_SETTINGS = {
    "net.ipv4.ip_forward": 1,
    "net.ipv6.conf.all.forwarding": 1,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv6.conf.all.keep_addr_on_down": 1,
    "net.ipv6.conf.default.accept_dad": 0,
}


@dataclass(frozen=True, slots=True)
class Link:
    """A cable from the node: the far namespace, the node's interface, and the addresses of both ends."""

    far: str
    interface: str
    near_addresses: tuple[str, ...]
    far_addresses: tuple[str, ...]
    answers: tuple[str, ...] = ()
    """Addresses on the far loopback that answer pings."""

    @property
    def near(self) -> str:
        """The node's first address, without its length."""
        return self.near_addresses[0].split("/")[0]


LINKS = (
    Link("mgmt", "eth0", ("172.16.0.10/24",), ("172.16.0.1/24",)),
    Link("cluster", "eth1", ("172.16.1.10/24",), ("172.16.1.1/24",), ("10.244.1.1/32",)),
    Link(
        "edge1",
        "eth2",
        ("198.51.100.10/29", "fd00:2::10/64"),
        ("198.51.100.9/29", "fd00:2::9/64"),
        ("192.0.2.1/32",),
    ),
    Link(
        "edge2",
        "eth3",
        ("203.0.113.10/29", "fd00:3::10/64"),
        ("203.0.113.9/29", "fd00:3::9/64"),
        ("192.0.2.1/32",),
    ),
    Link("storage", "eth4", ("172.16.3.10/24",), ("172.16.3.1/24",), ("10.8.1.1/32",)),
    Link("pod", "eth9", ("172.16.7.1/24",), ("172.16.7.10/24",), ("10.244.7.10/32",)),
)
"""Every far namespace, in the order in which it is made."""

ROUTERS = ("cluster", "edge1", "edge2", "storage")


def link(far: str) -> Link:
    """The cable to one far namespace."""
    return next(entry for entry in LINKS if entry.far == far)


def gobgpd() -> GobgpdConfig:
    """The node's gobgpd: one for all three domains."""
    return GobgpdConfig(
        asn=NODE_ASN,
        router_id="172.16.1.10",
        listen_only=True,
        neighbors=(
            Neighbor(address="172.16.1.1", asn=CLUSTER_ASN),
            Neighbor(address="198.51.100.9", asn=INTERNET_ASN),
            Neighbor(address="203.0.113.9", asn=INTERNET_ASN),
            Neighbor(address="fd00:2::9", asn=INTERNET_ASN, families=("ipv6",)),
            Neighbor(address="fd00:3::9", asn=INTERNET_ASN, families=("ipv6",)),
            Neighbor(address="172.16.3.1", asn=STORAGE_ASN, password=STORAGE_PASSWORD, graceful_restart=60),
        ),
    )


def cluster_peers() -> tuple[FrrPeer, ...]:
    """The cluster router's only session."""
    return (FrrPeer(address=link("cluster").near, asn=NODE_ASN),)


def bird_peers(router: str) -> tuple[BirdPeer, ...]:
    """The sessions of one BIRD router."""
    near = link(router)
    first = BirdPeer(name="node", address=near.near, asn=NODE_ASN)
    if router == "storage":
        return (replace(first, password=STORAGE_PASSWORD, graceful_restart=60),)
    six = near.near_addresses[1].split("/")[0]
    return (first, BirdPeer(name="node6", address=six, asn=NODE_ASN, families=("ipv6",)))


def cluster_table() -> Iterator[Announcement]:
    """The 254 pod networks of other nodes, the private range, and what the policy must refuse."""
    for node in range(1, 256):
        if node != OWN_PODS:
            yield Announcement(f"10.244.{node}.0/24", (), (f"{CLUSTER_ASN}:{100 + node // 64}",))
    yield Announcement("10.0.0.0/8", (64500,))
    yield Announcement("10.96.8.0/24")  # in the protected service range
    yield Announcement("10.244.7.128/25")  # inside the pods of the node itself
    yield Announcement("10.244.250.0/28", (), (f"{CLUSTER_ASN}:666",))  # denied by its community
    yield Announcement("192.168.99.0/24")  # no rule speaks of it


def internet_table(router: str) -> Iterator[Announcement]:
    """About 5,000 IPv4 and 1,000 IPv6 prefixes; both edges have them, not all at the same distance."""
    far = router == "edge2"
    yield Announcement("0.0.0.0/0", (64496,))
    yield Announcement("192.0.2.0/24", (64496, 64500))
    yield Announcement("::/0", (64496,))
    for family, count in (("ipv4", 5000), ("ipv6", 1000)):
        for number, route in enumerate(varied(count, family)):
            if number % 50 == 0 and far:
                continue  # only edge1 has these
            longer = number % 10 == 1 and far
            yield replace(route, as_path=(*route.as_path[:1] * 2, *route.as_path)) if longer else route


def storage_table() -> Iterator[Announcement]:
    """A few dozen storage networks, and most of the ways in which a route can be wrong."""
    for number in range(48):
        yield Announcement(f"10.{8 + number // 16}.{1 + number % 16}.0/24", (), (f"{STORAGE_ASN}:{number // 16}",))
    yield Announcement("10.0.0.0/8", (64501,))  # the cluster's router announces it too
    yield Announcement("0.0.0.0/0")  # the Internet's routers announce it too; here it is refused
    yield Announcement("0.0.0.0/1")
    yield Announcement("128.0.0.0/1")  # a default route in two halves
    yield Announcement("172.16.3.128/25")  # more specific than a connected network
    yield Announcement("10.10.200.0/24", next_hop="172.16.1.10")  # next hop: the node itself
    yield Announcement("10.10.201.0/24", next_hop="172.16.1.1")  # next hop: on another domain's link
    yield Announcement("10.10.202.0/24", (), (f"{STORAGE_ASN}:666",))  # denied by its community
    yield Announcement("192.168.100.0/24")  # no rule speaks of it


def bgpmon() -> str:
    """The node's bgpmon.yaml: three domains, a table each, in approve mode."""
    return f"""\
node: lab
mode: approve
netns: /run/netns/{PREFIX}node
state_dir: {HOME}/bgpmon/state
run_dir: {HOME}/bgpmon
protect: [10.96.0.0/12, 10.244.7.0/24]

sources:
  fabric: {{gobgp: "unix://{HOME}/gobgpd/api.sock"}}

domains:
  cluster:
    source: fabric
    peers: [172.16.1.1]
    interfaces: [eth1]
    table: 101
    metric: 200
    families: [ipv4]
    import:
      - deny: {{community: "65001:666"}}
      - accept: {{prefix: 10.244.0.0/16, ge: 24, le: 28}}
      - accept: {{prefix: 10.96.0.0/12, ge: 16, le: 28}}
      - accept: {{prefix: 10.0.0.0/8}}
    rules:
      - {{from: 10.244.7.0/24, to: 10.244.0.0/16, priority: 1100}}
    limit: {{ipv4: {{routes: 1000, warn_percent: 80, action: freeze}}}}

  internet:
    source: fabric
    peers: [198.51.100.9, 203.0.113.9, "fd00:2::9", "fd00:3::9"]
    interfaces: [eth2, eth3]
    table: 102
    metric: 200
    families: [ipv4, ipv6]
    multipath: 2
    default_route: accept
    import:
      - deny: {{community: "65002:666"}}
      - accept: {{prefix: 0.0.0.0/0, le: 24}}
      - accept: {{prefix: "::/0", le: 48}}
    rules:
      - {{from: 10.244.7.0/24, priority: 1300}}
    limit: {{ipv4: {{routes: 6000, warn_percent: 90, action: freeze}}, ipv6: {{routes: 2000}}}}

  storage:
    source: fabric
    peers: [172.16.3.1]
    interfaces: [eth4]
    table: 103
    metric: 200
    families: [ipv4]
    import:
      - deny: {{community: "65003:666"}}
      - accept: {{prefix: 10.8.0.0/14, ge: 16, le: 28}}
      - accept: {{prefix: 172.16.0.0/12, le: 28}}
      - accept: {{prefix: 0.0.0.0/0, le: 8}}
    rules:
      - {{from: 10.244.7.0/24, to: 10.8.0.0/14, priority: 1200}}
    limit: {{ipv4: {{routes: 100, warn_percent: 80, action: freeze}}}}
    removal_budget: {{percent: 20, routes: 20, hold: 2m}}
    stale_after: 5m
"""
