"""Values in the words and JSON shapes that every face shows."""

from datetime import UTC, datetime
from types import MappingProxyType

from monitor.ports import Document
from programmer.fib import Links
from programmer.plan import Operation
from programmer.route import Forwarding, NextHop

# rtm_protocol (linux/rtnetlink.h) and the numbers that FRR names in rt_protos.d.
_PROTOCOLS = MappingProxyType({
    1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 11: "zebra", 12: "bird", 14: "xorp", 16: "dhcp",
    17: "mrouted", 18: "keepalived", 42: "babel", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
})  # fmt: skip


def protocol_text(number: int) -> str:
    """Return who writes routes with a protocol number: ``protocol 4, static``."""
    name = _PROTOCOLS.get(number)
    return f"protocol {number}, {name}" if name else f"protocol {number}"


def plural(count: int, noun: str, many: str = "") -> str:
    """Return ``1 path`` or ``2,000 paths``; *many* is the noun's plural where that is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"


def clock(seconds: float) -> str:
    """Return the time of day of a moment (seconds since the epoch) in UTC: ``07:41:10Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%SZ")


def seconds_text(seconds: float) -> str:
    """Return a stretch of time as people say it: ``22 s``, ``4 min 10 s``."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"


def moment(seconds: float) -> str:
    """Return a moment (seconds since the epoch) as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def interface_name(links: Links, ifindex: int) -> str:
    """Return a link's name, or its number for a link that is gone."""
    link = links.links.get(ifindex)
    return link.name if link else f"if{ifindex}"


def hop_document(links: Links, hop: NextHop) -> Document:
    """``{address, interface, weight}``."""
    address = hop.address
    return {
        "address": str(address) if address else None,
        "interface": interface_name(links, hop.ifindex),
        "weight": hop.weight,
    }


def hop_text(links: Links, hop: NextHop, *, weighted: bool) -> str:
    """``via 10.8.0.1 dev eth1``, with the weight where it is not the same for all."""
    via = f"via {hop.address} " if hop.address else ""
    weight = f" weight {hop.weight}" if weighted else ""
    return f"{via}dev {interface_name(links, hop.ifindex)}{weight}"


def forwarding_text(links: Links, value: Forwarding | None) -> str | None:
    """Return a route as ``ip route`` words, or None for no route."""
    if value is None:
        return None
    uneven = len({hop.weight for hop in value.next_hops}) > 1
    words = ", ".join(hop_text(links, hop, weighted=uneven) for hop in value.next_hops)
    words = f"{words} metric {value.metric}"
    if value.preferred_source:
        source = NextHop(value.preferred_source, 0).address
        words += f" src {source}"
    return f"{words} ({value.foreign_attributes})" if value.foreign_attributes else words


def operation_document(links: Links, operation: Operation, domain: str) -> Document:
    """``{op, domain, table, prefix, before, after}``."""
    return {
        "op": operation.action.value,
        "domain": domain,
        "table": operation.table,
        "prefix": operation.prefix,
        "before": forwarding_text(links, operation.before),
        "after": forwarding_text(links, operation.after),
    }
