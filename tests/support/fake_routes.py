"""Rows of a view of routes, as the daemon shows them: every state, both families, several next hops."""

import ipaddress

from tests.support.fake_daemon import Document

STATES = (
    "installed",
    "installed",
    "installed",
    "add",
    "installed",
    "change",
    "held",
    "failed",
    "installed",
    "remove",
    "conflict",
    "pending",
    "drift",
)


def route(number: int) -> Document:
    """Return the row of a route by its number; states, families, and several next hops come in turn."""
    state = STATES[number % len(STATES)]
    six = number % 17 == 16
    prefix = f"2001:db8:{number:x}::/48" if six else f"{10 + number // 65536}.{number // 256 % 256}.{number % 256}.0/24"
    table, name = (102, "internet") if six or number % 3 else (103, "storage")
    gateway = "fe80::9" if six else "198.51.100.9"
    hops = [{"address": gateway, "interface": "eth2", "weight": 1}]
    if number % 5 == 4:
        hops.append({"address": "203.0.113.9", "interface": "eth3", "weight": 1})
    op = {"add": "+", "change": "~", "remove": "-", "failed": "+", "held": "-"}.get(state, "")
    way = f"via {gateway} dev eth2 metric 200"
    return {
        "key": f"{table} {prefix}",
        "domain": name,
        "table": table,
        "prefix": prefix,
        "next_hops": hops,
        "metric": 200,
        "state": state,
        "peer": "2001:db8:0:3::9" if six else "198.51.100.9",
        "as_path": "65002 64502 64509" if number % 2 else "65002",
        "op": op,
        "reason": "pending" if op else state,
        "age_seconds": 60 + number * 37,
        "protocol": 196,
        "local_pref": 100 + number % 3,
        "med": None if number % 4 else 20,
        "origin": "igp",
        "path_length": 3 if number % 2 else 1,
        "communities": [f"65002:{number % 9}", "65002:100"] if number % 3 == 1 else [],
        "rpki": "valid",
        "description": "",
        "now": None if op == "+" or not op else way,
        "then": None if op == "-" or not op else way,
    }


def foreign(prefix: str) -> Document:
    """Return the row of another program's route."""
    return {
        "key": f"103 {prefix} 1024",
        "domain": "storage",
        "table": 103,
        "prefix": prefix,
        "metric": 1024,
        "state": "foreign",
        "next_hops": [{"address": None, "interface": "eth3", "weight": 1}],
        "peer": None,
        "as_path": None,
        "reason": "",
        "op": "",
        "age_seconds": None,
        "protocol": 4,
        "local_pref": None,
        "med": None,
        "origin": None,
        "path_length": None,
        "communities": [],
        "rpki": "none",
        "description": "",
        "now": None,
        "then": None,
    }


def routes(count: int = 3_000) -> list[Document]:
    """Return rows in the order of the daemon, one of them foreign and one gone."""
    found = [route(number) for number in range(count)]
    if count:
        found.append(foreign("10.0.2.128/25"))
        found.append(
            {"key": "102 10.0.7.128/25", "prefix": "10.0.7.128/25", "table": 102, "domain": "internet", "gone": True}
        )
    return sorted(found, key=_place)


def _place(row: Document) -> tuple[int, int, int]:
    network = ipaddress.ip_network(row["prefix"])
    return row["table"], network.version, int(network.network_address)
