"""Values in the words and JSON shapes that every face shows."""

from datetime import UTC, datetime

from monitor.ports import Document
from programmer.fib import Links
from programmer.plan import Operation
from programmer.route import Forwarding, NextHop


def moment(seconds: float) -> str:
    """Return a moment (seconds since the epoch) as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def interface_name(links: Links, ifindex: int) -> str:
    """Return a link's name, or its number for a link that is gone."""
    link = links.links.get(ifindex)
    return link.name if link else f"if{ifindex}"


def hop_document(links: Links, hop: NextHop) -> Document:
    """``{address, interface, weight}``."""
    return {
        "address": str(hop.address) if hop.address else None,
        "interface": interface_name(links, hop.ifindex),
        "weight": hop.weight,
    }


def hop_text(links: Links, hop: NextHop, *, several: bool) -> str:
    """``via 10.8.0.1 dev eth1``, with the weight where there are several."""
    via = f"via {hop.address} " if hop.address else ""
    weight = f" weight {hop.weight}" if several else ""
    return f"{via}dev {interface_name(links, hop.ifindex)}{weight}"


def forwarding_text(links: Links, value: Forwarding | None) -> str | None:
    """Return a route as ``ip route`` words, or None for no route."""
    if value is None:
        return None
    several = len(value.next_hops) > 1
    words = ", ".join(hop_text(links, hop, several=several) for hop in value.next_hops)
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
