"""FRR's bgpd as a router that announces: its configuration as text, and how to start it without zebra."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from lab.gobgpd import NotInstalledError
from lab.routes import Announcement

BGPD = FilePath("/usr/lib/frr/bgpd")
"""Where Debian's package frr puts the daemon; it is not on PATH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrrPeer:
    """A BGP session of an FRR router; FRR dials."""

    address: str
    asn: int
    interface: str | None = None
    """Needed for a link-local *address*."""
    families: Sequence[str] = ("ipv4",)
    password: str | None = None
    graceful_restart: int | None = None
    """Restart time in seconds; None is off."""


def command(directory: FilePath) -> list[str]:
    """Start bgpd alone, in the foreground, with its sockets and its configuration in *directory*.

    Without zebra it has no kernel routes and no interfaces; it needs neither in order to announce.
    """
    if not BGPD.exists():
        raise NotInstalledError(f"{BGPD} is not there; tools/setup installs Debian's package frr")
    return [
        *(str(BGPD), "--no_zebra", "--no_kernel", "--skip_runas", "--vty_port", "0"),
        *("--vty_socket", str(directory), "--pid_file", str(directory / "bgpd.pid")),
        *("--config_file", str(directory / "bgpd.conf"), "--log", "stdout", "--log-level", "informational"),
    ]


def config(router_id: str, asn: int, peers: Sequence[FrrPeer], announcements: Iterable[Announcement] = ()) -> str:
    """The configuration file, with the announcements that the router begins with."""
    lines = [
        "frr defaults datacenter",
        f"router bgp {asn}",
        f" bgp router-id {router_id}",
        " no bgp ebgp-requires-policy",
        " no bgp network import-check",
        " no bgp default ipv4-unicast",
    ]
    restart = [peer.graceful_restart for peer in peers if peer.graceful_restart is not None]
    if restart:
        lines += [" bgp graceful-restart", f" bgp graceful-restart restart-time {restart[0]}"]
    for peer in peers:
        lines += [
            f" neighbor {peer.address} remote-as {peer.asn}",
            f" neighbor {peer.address} timers connect 1",
        ]
        if peer.interface is not None:
            lines.append(f" neighbor {peer.address} interface {peer.interface}")
        if peer.password is not None:
            lines.append(f" neighbor {peer.address} password {peer.password}")
    for family in ("ipv4", "ipv6"):
        users = [peer for peer in peers if family in peer.families]
        if users:
            lines.append(f" address-family {family} unicast")
            for peer in users:
                lines += [
                    f"  neighbor {peer.address} activate",
                    f"  neighbor {peer.address} route-map NOTHING in",
                ]
            lines.append(" exit-address-family")
    # what it does not take in it does not send back
    lines += ["exit", "route-map NOTHING deny 10", "exit"]
    return "\n".join((*lines, *announce(asn, announcements))) + "\n"


def announce(asn: int, announcements: Iterable[Announcement]) -> Iterator[str]:
    """Configuration lines that announce; one route map for each attribute set.

    ValueError for a route with another's next hop: to eBGP peers bgpd announces itself; BIRD does as told.
    """
    routes = list(announcements)
    if strange := [route.prefix for route in routes if route.next_hop is not None]:
        raise ValueError(f"FRR cannot announce {', '.join(strange)} with another router's next hop")
    for route in routes:
        yield from _route_map(route)
    yield f"router bgp {asn}"
    for route in routes:
        yield f" address-family {_family(route.prefix)} unicast"
        name = _map_name(route)
        yield f"  network {route.prefix}" + (f" route-map {name}" if name else "")
        yield " exit-address-family"
    yield "exit"


def withdraw(asn: int, prefixes: Iterable[str]) -> Iterator[str]:
    """Configuration lines that withdraw."""
    yield f"router bgp {asn}"
    for prefix in prefixes:
        yield f" address-family {_family(prefix)} unicast"
        yield f"  no network {prefix}"
        yield " exit-address-family"
    yield "exit"


def _route_map(route: Announcement) -> Iterator[str]:
    name = _map_name(route)
    if not name:
        return
    yield f"route-map {name} permit 10"
    if route.as_path:
        yield f" set as-path prepend {' '.join(map(str, route.as_path))}"
    if route.communities:
        yield f" set community {' '.join(route.communities)}"
    if route.large_communities:
        yield f" set large-community {' '.join(route.large_communities)}"
    if route.med is not None:
        yield f" set metric {route.med}"
    yield "exit"


def _map_name(route: Announcement) -> str:
    """A name made from the attributes themselves, so that equal sets share a route map."""
    parts = (
        "-".join(map(str, route.as_path)),
        "_".join(route.communities),
        "_".join(route.large_communities),
        "" if route.med is None else str(route.med),
    )
    return "A/" + "/".join(parts) if any(parts) else ""


def _family(prefix: str) -> str:
    return "ipv6" if ":" in prefix else "ipv4"
