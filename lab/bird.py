"""BIRD 2 as a router that announces: its configuration and its tables of static routes as text."""

import functools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lab.routes import Announcement

GROUPS = ("bulk", "extra")
"""Static protocols of each family: a large table that is announced as one, and what changes in a test."""

FAMILIES = ("ipv4", "ipv6")


@dataclass(frozen=True, slots=True, kw_only=True)
class BirdPeer:
    """A BGP session of a BIRD router; BIRD dials."""

    name: str
    address: str
    asn: int
    local_address: str | None = None
    interface: str | None = None
    """Needed for a link-local *address*."""
    families: Sequence[str] = ("ipv4",)
    next_hops: Sequence[tuple[str, str]] = ()
    """Next hop to announce, per family, where the session's own address will not do."""
    extended_next_hop: bool = False
    """Announce IPv4 with an IPv6 next hop (RFC 8950)."""
    password: str | None = None
    multihop: int | None = None
    hold_time: int = 90
    graceful_restart: int | None = None
    """Restart time in seconds; None is off."""
    add_paths: bool = False
    export: str = "source = RTS_STATIC"
    """BIRD's condition for what this peer is told."""
    change: str = ""
    """BIRD's statements that change a route for this peer alone: ``if net = 10.0.0.0/8 then bgp_med = 20;``."""


def config(router_id: str, asn: int, peers: Sequence[BirdPeer], directory: str, muted: Collection[str] = ()) -> str:
    """The configuration file; the tables are files in *directory*, see `table_file`.

    The tables named in *muted* (``bulk_ipv4``) are read and not announced.
    """
    lines = [
        "log stderr all;",
        f"router id {router_id};",
        "protocol device {}",
    ]
    for family in FAMILIES:
        for group in GROUPS:
            name = f"{group}_{family}"
            lines += [f"protocol static {name} {{", f"  {family};"]
            if name in muted:
                lines.append("  disabled yes;")
            lines += [f'include "{directory}/{table_file(group, family)}";', "}"]
    if any(peer.graceful_restart is not None for peer in peers):
        # recovery ends with the peers' End-of-RIB; this bounds the wait for a peer that sends none
        lines.append("graceful restart wait 5;")
    for peer in peers:
        lines += _peer(asn, peer)
    return "\n".join(lines) + "\n"


def table_file(group: str, family: str) -> str:
    """The name of the file with the static routes of one group and family."""
    return f"{group}.{family}.conf"


def table(announcements: Iterable[Announcement]) -> Iterator[str]:
    """The lines of a table file, one a prefix, each with its line end."""
    for route in announcements:
        attributes = _attributes(route.as_path, route.communities, route.large_communities, route.med, route.next_hop)
        yield f"route {route.prefix} blackhole{attributes};\n"


def _peer(asn: int, peer: BirdPeer) -> Iterator[str]:
    yield f"protocol bgp {peer.name} {{"
    local = f"local {peer.local_address} as {asn}" if peer.local_address else f"local as {asn}"
    yield f"  {local};"
    yield f"  neighbor {peer.address} as {peer.asn};"
    if peer.interface:
        yield f'  interface "{peer.interface}";'
    if peer.multihop is not None:
        yield f"  multihop {peer.multihop};"
    yield f"  hold time {peer.hold_time};"
    yield "  connect delay time 1; connect retry time 1; error wait time 1, 2;"
    if peer.password is not None:
        yield f'  password "{peer.password}";'
    if peer.graceful_restart is not None:
        yield f"  graceful restart on; graceful restart time {peer.graceful_restart};"
    else:
        yield "  graceful restart off;"
    next_hops = dict(peer.next_hops)
    for family in peer.families:
        yield f"  {family} {{"
        yield "    import none;"
        # a MED goes out only if the export filter sets it
        yield f"    export filter {{ if !({peer.export}) then reject;"
        yield "      if defined(bgp_med) then bgp_med = bgp_med;"
        if peer.change and family == "ipv4":
            yield f"      {peer.change}"
        yield "      accept; };"
        # a next hop that a route brings with it is announced as it is; others get the address below
        yield "    next hop keep;"
        if family in next_hops:
            yield f"    next hop address {next_hops[family]};"
        if peer.extended_next_hop and family == "ipv4":
            yield "    extended next hop on;"
        if peer.add_paths:
            yield "    add paths tx;"
        yield "  };"
    yield "}"


@functools.lru_cache(maxsize=64)
def _attributes(
    as_path: tuple[int, ...],
    communities: tuple[str, ...],
    large_communities: tuple[str, ...],
    med: int | None,
    next_hop: str | None,
) -> str:
    said = [f"bgp_path.prepend({asn});" for asn in reversed(as_path)]
    said += [f"bgp_community.add(({value.replace(':', ',')}));" for value in communities]
    said += [f"bgp_large_community.add(({value.replace(':', ',')}));" for value in large_communities]
    if med is not None:
        said.append(f"bgp_med = {med};")
    if next_hop is not None:
        said.append(f"bgp_next_hop = {next_hop};")
    return f" {{ {' '.join(said)} }}" if said else ""
