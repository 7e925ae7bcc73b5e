"""The columns by which routes can be sorted: what of a route stands in each, as a value that can be compared."""

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from monitor.engine.core import Engine
from monitor.engine.rows import Row
from monitor.engine.text import interface_name
from monitor.rib.attribute import Rpki
from monitor.rib.path import Path, PeerId
from programmer.fib import Links
from programmer.route import Forwarding

Value = Any
"""What stands in a column: comparable with every other value there, or None where nothing does."""

PREFIX = "prefix"
"""The order of a view that is not sorted by anything else: by table, family and prefix."""

_GLYPHS = MappingProxyType({"+": 0, "~": 1, "-": 2})


@lru_cache(maxsize=4096)
def _address(text: str) -> Value:
    """Return an address in the order of addresses, text that is none behind them all."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return (9, 0, text)
    return (address.version, int(address), text)


def _next_hop(value: Forwarding, _: Links) -> Value:
    hops = value.next_hops
    return (len(hops[0].gateway), hops[0].gateway) if hops and hops[0].gateway else None


def _interface(value: Forwarding, links: Links) -> Value:
    return interface_name(links, value.next_hops[0].ifindex) if value.next_hops else None


def _of_path(value_of: Callable[[Path], Value]) -> Callable[[Row], Value]:
    def of_row(row: Row) -> Value:
        path = row.best_path
        return None if path is None else value_of(path)

    return of_row


def _of_peer(value_of: Callable[[Engine, PeerId], Value]) -> Callable[[Row], Value]:
    def of_row(row: Row) -> Value:
        path = row.best_path
        return None if path is None else value_of(row.engine, path.peer)

    return of_row


def _of_forwarding(value_of: Callable[[Forwarding, Links], Value]) -> Callable[[Row], Value]:
    return lambda row: value_of(row.forwarding, row.engine.reconciler.links)


PEER_COLUMNS: MappingProxyType[str, Callable[[Engine, PeerId], Value]] = MappingProxyType({
    "peer": lambda _, peer: _address(peer.address),
    "asn": lambda engine, peer: engine.peers[peer].peer.asn or None if peer in engine.peers else None,
})  # fmt: skip
"""Columns that the peer of the best path fills alone."""

PATH_COLUMNS: MappingProxyType[str, Callable[[Path], Value]] = MappingProxyType({
    "pathlen": lambda path: path.attributes.as_path_length,
    "lp": lambda path: path.attributes.local_pref,
    "med": lambda path: path.attributes.med,
    "origin": lambda path: int(path.attributes.origin),
    "age": lambda path: -int(path.received_at),
    "rpki": lambda path: None if path.rpki is Rpki.NONE else int(path.rpki),
})  # fmt: skip
"""Columns that the best path fills alone."""

FORWARDING_COLUMNS: MappingProxyType[str, Callable[[Forwarding, Links], Value]] = MappingProxyType({
    "metric": lambda value, _: value.metric,
    "nh": _next_hop,
    "dev": _interface,
    "ecmp": lambda value, _: len(value.next_hops),
})  # fmt: skip
"""Columns that the way out of a route fills alone, with the names of the links."""

COLUMNS: MappingProxyType[str, Callable[[Row], Value]] = MappingProxyType({
    "state": lambda row: row.state,
    "domain": lambda row: row.domain or None,
    "table": lambda row: row.table,
    "metric": _of_forwarding(FORWARDING_COLUMNS["metric"]),
    **{name: _of_peer(PEER_COLUMNS[name]) for name in PEER_COLUMNS},
    **{name: _of_forwarding(FORWARDING_COLUMNS[name]) for name in ("nh", "dev")},
    **{name: _of_path(PATH_COLUMNS[name]) for name in ("pathlen", "lp", "med", "origin", "age")},
    "op": lambda row: _GLYPHS.get(row.op),
    "rpki": _of_path(PATH_COLUMNS["rpki"]),
    "ecmp": _of_forwarding(FORWARDING_COLUMNS["ecmp"]),
})  # fmt: skip
"""Every column but the prefix itself.  Addresses stand in their numerical order, ages from the youngest on."""

NAMES = (PREFIX, *COLUMNS)
"""What a view can be sorted by."""

OF_PATHS = frozenset({*PATH_COLUMNS, *PEER_COLUMNS})
"""Columns that tell of the best path: they can change where neither route nor membership does."""
