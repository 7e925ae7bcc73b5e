"""What the lab consists of: links, routers, their tables, and the configurations of the node. No I/O here.

bgpmon hears gobgpd over its gRPC API (source ``gobgp``), or over BMP from one that is set up as Cilium sets its own up: it
rejects every path (source ``bmp``).  The node, with gobgpd (AS 65000) and bgpmon, has these cables::

    eth0  mgmt                            the node's own default route
    eth1  cluster  FRR   AS 65001         pods of the other nodes
    eth2  edge1    BIRD  AS 65002         the Internet
    eth3  edge2    BIRD  AS 65002         the Internet again
    eth4  storage  BIRD  AS 65003         storage networks
    eth5  branch   BIRD  AS 65004         seven sessions, for what is left to go wrong
    eth9  pod                             10.244.7.10, whose traffic uses the tables
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lab.bird import BirdPeer
from lab.frr import FrrPeer
from lab.gobgpd import GobgpdConfig, Neighbor, reject_prefixes
from lab.machine import HOME, PREFIX
from lab.routes import Announcement, varied

SOURCES = ("gobgp", "bmp")
"""How bgpmon may hear the node's gobgpd; the first is what a lab has unless another is asked for."""

STATION = "127.0.0.1:11019"
"""Where bgpmon listens for BMP, in the node's namespace."""

STATISTICS = 15
"""Seconds between gobgpd's statistics reports: the least that it accepts."""

NODE_ASN, CLUSTER_ASN, INTERNET_ASN, STORAGE_ASN, BRANCH_ASN = 65000, 65001, 65002, 65003, 65004
STORAGE_PASSWORD = "not-a-secret"
"""The storage session is authenticated (RFC 2385), so that a screen can show one that is."""
GUEST_PASSWORD = "not-a-secret-either"

SPEAKER_REFUSES = "10.20.9.0/24"
"""What gobgpd's own import policy rejects: bgpmon is told of it, and may not use it.  Over BMP gobgpd rejects all alike."""

BRANCH_SESSIONS = {
    "branch1": "172.16.4.1",
    "branch2": "172.16.4.2",
    "branch3": "172.16.4.3",
    "trial": "172.16.4.4",
    "guest1": "172.16.4.5",
    "guest2": "172.16.4.6",
    "stray": "172.16.4.7",
}
"""The branch router's sessions, each from an address of its own; ``stray`` belongs to no domain."""

BRANCH_NEAR = {name: address.replace("172.16.4.", "172.16.4.1") for name, address in BRANCH_SESSIONS.items()}
"""The node's end of each: BIRD has one session to a neighbour's address."""

OWN_PODS = 7
"""The node's own pods are 10.244.7.0/24; the other nodes have the other third octets."""
POD_ROUTER = "10.244.7.1"
"""The node's own address among them, as a CNI gives it one: what it sends from there follows the domains' tables."""

SHOP_NETWORK, SHOP = "198.18.0.0/15", "198.18.0.80"
"""A network that edge1 alone announces, and an address in it; `lab.story` puts a service there."""

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
        ("192.0.2.1/32", f"{SHOP}/32"),
    ),
    Link(
        "edge2",
        "eth3",
        ("203.0.113.10/29", "fd00:3::10/64"),
        ("203.0.113.9/29", "fd00:3::9/64"),
        ("192.0.2.1/32",),
    ),
    Link("storage", "eth4", ("172.16.3.10/24",), ("172.16.3.1/24",), ("10.8.1.1/32",)),
    Link(
        "branch",
        "eth5",
        ("172.16.4.10/24", *(f"{address}/24" for address in BRANCH_NEAR.values()), "fd00:4::10/64"),
        (*(f"{address}/24" for address in BRANCH_SESSIONS.values()), "fd00:4::1/64"),
        ("10.20.1.1/32",),
    ),
    Link("pod", "eth9", ("172.16.7.1/24", f"{POD_ROUTER}/32"), ("172.16.7.10/24",), ("10.244.7.10/32",)),
)
"""Every far namespace, in the order in which it is made."""

ROUTERS = ("cluster", "edge1", "edge2", "storage", "branch")
BIRDS = ROUTERS[1:]
"""The routers that run BIRD."""

ASN = {"edge1": INTERNET_ASN, "edge2": INTERNET_ASN, "storage": STORAGE_ASN, "branch": BRANCH_ASN}
"""Their AS numbers."""


def link(far: str) -> Link:
    """The cable to one far namespace."""
    return next(entry for entry in LINKS if entry.far == far)


def gobgpd(source: str) -> GobgpdConfig:
    """The node's gobgpd: one for all domains."""
    config = GobgpdConfig(
        asn=NODE_ASN,
        router_id="172.16.1.10",
        listen_only=True,
        neighbors=(
            Neighbor(address="172.16.1.1", asn=CLUSTER_ASN),
            Neighbor(address="198.51.100.9", asn=INTERNET_ASN, graceful_restart=120),
            Neighbor(address="203.0.113.9", asn=INTERNET_ASN),
            Neighbor(address="fd00:2::9", asn=INTERNET_ASN, families=("ipv6",)),
            Neighbor(address="fd00:3::9", asn=INTERNET_ASN, families=("ipv6",)),
            Neighbor(address="172.16.3.1", asn=STORAGE_ASN, password=STORAGE_PASSWORD, graceful_restart=60),
            *(_branch_neighbor(name, address) for name, address in BRANCH_SESSIONS.items()),
        ),
    )
    if source == "bmp":
        return replace(config, reject_all=True, bmp=(STATION,), bmp_statistics=STATISTICS)
    return replace(config, policies=reject_prefixes("unwanted", SPEAKER_REFUSES), import_policies=("unwanted",))


def _branch_neighbor(name: str, address: str) -> Neighbor:
    one = Neighbor(address=address, asn=BRANCH_ASN)
    if name == "branch1":
        return replace(one, families=("ipv4", "ipv6"), graceful_restart=120)
    return replace(one, password=GUEST_PASSWORD) if name == "guest1" else one


def cluster_peers() -> tuple[FrrPeer, ...]:
    """The cluster router's only session."""
    return (FrrPeer(address=link("cluster").near, asn=NODE_ASN),)


def bird_peers(router: str) -> tuple[BirdPeer, ...]:
    """The sessions of one BIRD router."""
    near = link(router)
    first = BirdPeer(name="node", address=near.near, asn=NODE_ASN)
    if router == "storage":
        return (replace(first, password=STORAGE_PASSWORD, graceful_restart=60),)
    if router == "branch":
        return tuple(_branch_peer(name, address) for name, address in BRANCH_SESSIONS.items())
    if router == "edge1":
        first = replace(first, graceful_restart=120)
    six = near.near_addresses[1].split("/")[0]
    return (first, BirdPeer(name="node6", address=six, asn=NODE_ASN, families=("ipv6",)))


def _branch_peer(name: str, address: str) -> BirdPeer:
    """One of the branch router's sessions: it tells what carries its number as a community."""
    number = list(BRANCH_SESSIONS).index(name) + 1
    peer = BirdPeer(
        name=name,
        address=BRANCH_NEAR[name],
        asn=NODE_ASN,
        local_address=address,
        export=f"({BRANCH_ASN}, {number}) ~ bgp_community",
        change=_BRANCH_CHANGES.get(name, ""),
    )
    if name == "branch1":
        return replace(peer, families=("ipv4", "ipv6"), next_hops=(("ipv6", "fd00:4::1"),), graceful_restart=120)
    return replace(peer, password=GUEST_PASSWORD) if name == "guest1" else peer


_BRANCH_CHANGES = {
    "branch2": (
        f"if net = 10.20.2.0/24 then bgp_path.prepend({BRANCH_ASN}); "
        "if net = 10.20.3.0/24 then bgp_med = 20; "
        "if net = 10.20.4.0/24 then bgp_origin = ORIGIN_INCOMPLETE; "
        "if net = 10.20.5.0/24 then bgp_next_hop = 172.16.4.1;"
    ),
}
"""What makes one session's path worse than that of another, or equal to it."""


def branch_table() -> Iterator[Announcement]:
    """What no other router shows: each step of the decision, and the rarer reasons."""

    def to(*sessions: str) -> tuple[str, ...]:
        return tuple(f"{BRANCH_ASN}:{list(BRANCH_SESSIONS).index(name) + 1}" for name in sessions)

    both = to("branch1", "branch2")
    yield Announcement("10.20.1.0/24", (), to("branch1", "guest1"))  # the guests want it in the same table
    yield Announcement("10.20.2.0/24", (), both)  # a longer AS path
    yield Announcement("10.20.3.0/24", (), both, med=10)  # a higher MED
    yield Announcement("10.20.4.0/24", (), both)  # an incomplete origin
    yield Announcement("10.20.5.0/24", (), both)  # the same next hop twice
    yield Announcement("10.20.6.0/24", (), to("branch1", "branch2", "branch3"))  # three equal paths, two used
    yield Announcement("10.20.7.0/24", (), to("branch1"))  # its rule has a source address that the node lacks
    yield Announcement("10.20.8.0/24", (), to("branch1"), next_hop="172.16.4.255")  # a broadcast address
    yield Announcement(SPEAKER_REFUSES, (), to("branch1"))  # gobgpd's import policy rejects it
    yield Announcement("10.20.10.0/24", (NODE_ASN,), to("branch1"))  # an AS loop
    yield Announcement("10.20.11.0/24", (), to("branch1"))  # graceful restart keeps it for a while
    yield Announcement("2001:db8:4::/48", (), to("branch1"))  # the domain is for IPv4
    yield Announcement("10.30.1.0/24", (), to("trial"))  # the domain has no import rule
    yield Announcement("10.20.20.0/24", (), to("guest2"))  # no password, and the domain requires one
    yield Announcement("10.20.21.0/24", (), to("stray"))  # its peer is in no domain


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
    if far:
        yield Announcement("2001:db8:fe80::/48", (64496,), next_hop="fe80::9")  # link-local, and nobody knows where
    else:
        yield Announcement(SHOP_NETWORK, (64499,))
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


def table(router: str) -> Iterator[Announcement]:
    """What a BIRD router announces in the beginning."""
    if router == "branch":
        return branch_table()
    return storage_table() if router == "storage" else internet_table(router)


def bgpmon(source: str) -> str:
    """The node's bgpmon.yaml, in approve mode: three domains, and three small ones for what is left to go wrong."""
    heard = f'bmp: "{STATION}"' if source == "bmp" else f'gobgp: "unix://{HOME}/gobgpd/api.sock"'
    guest_key = "" if source == "bmp" else "    require_auth: true\n"  # BMP does not tell which session has a password
    return f"""\
node: lab
mode: approve
netns: /run/netns/{PREFIX}node
state_dir: {HOME}/bgpmon/state
run_dir: {HOME}/bgpmon
protect: [10.96.0.0/12, 10.244.7.0/24]

sources:
  fabric: {{{heard}}}

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
      - {{from: "fd00:7::/64", priority: 1300}}
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

  branch:
    source: fabric
    peers: [172.16.4.1, 172.16.4.2, 172.16.4.3]
    interfaces: [eth5]
    table: 104
    families: [ipv4]
    multipath: 2
    import:
      - accept: {{prefix: 10.20.7.0/24}}
        preferred_source: 10.20.7.7
      - accept: {{prefix: 10.20.0.0/16, ge: 24, le: 24}}
    rules:
      - {{from: 10.244.7.0/24, to: 10.20.0.0/16, priority: 1250}}
    peer_limit: {{ipv4: {{paths: 50, warn_percent: 80, action: freeze}}}}
    stale_after: 30s

  guest:
    source: fabric
    peers: [172.16.4.5, 172.16.4.6]
    interfaces: [eth5]
    table: 104
    families: [ipv4]
{guest_key}    import:
      - accept: {{prefix: 10.20.0.0/16, ge: 24, le: 24}}

  trial:
    source: fabric
    peers: [172.16.4.4]
    interfaces: [eth5]
    table: 105
    families: [ipv4]
    rules:
      - {{from: 10.244.7.0/24, to: 10.30.0.0/16, priority: 1260}}
"""
