"""Rules, links, addresses and lookups, through pyroute2.  Everything here blocks; it runs in a worker thread.

pyroute2's socket is opened for each question and closed after it: that costs a millisecond, and leaves no
event loop, no descriptor and no half-read answer behind.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from programmer.errors import FibUnavailable
from programmer.fib import InterfaceAddress, Link, Lookup, WriteResult
from programmer.route import Address, Family, Prefix, Rule, TableId, family_of

_FR_ACT_TO_TBL = 1
_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_IFF_LOWER_UP = 0x10000
_RTM_F_LOOKUP_TABLE = 0x1000
_RTM_F_FIB_MATCH = 0x2000
_EXACT_MARK = 0xFFFFFFFF
_NUD_INCOMPLETE, _NUD_FAILED = 0x01, 0x20


def read_rules() -> list[tuple[int, Rule]]:
    """Return (protocol, rule) of every policy rule of both families.

    A rule that does something else than send to a table has table 0.  Raises FibUnavailable.
    """
    return [
        (int(message.get("protocol") or 0), _rule(family, message))
        for family in Family
        for message in _ask(lambda ipr, family=family: ipr.get_rules(family=int(family)))
    ]


def change_rule(command: str, rule: Rule, protocol: int) -> WriteResult:
    """Carry out *command* (``add`` or ``del``) on one rule with the owner's mark; raises FibUnavailable."""
    request: dict[str, Any] = {
        "family": int(rule.family),
        "priority": rule.priority,
        "table": rule.table,
        "protocol": protocol,
    }
    for name, prefix in (("src", rule.source), ("dst", rule.destination)):
        if prefix is not None:
            request[name] = str(prefix.network_address)
            request[f"{name}_len"] = prefix.prefixlen
    if rule.mark or rule.mask:
        request["fwmark"], request["fwmask"] = rule.mark, rule.mask
    if rule.interface:
        request["iifname"] = rule.interface
    try:
        _ask(lambda ipr: ipr.rule(command, **request))
    except NetlinkError as error:
        return WriteResult(int(error.code), _words(error))
    return WriteResult(0)


def read_links() -> dict[int, Link]:
    """Return all links by index; raises FibUnavailable."""
    links = {}
    for message in _ask(lambda ipr: ipr.get_links()):
        flags, index = int(message["flags"]), int(message["index"])
        links[index] = Link(
            index,
            str(message.get("ifname")),
            up=bool(flags & _IFF_UP),
            carrier=bool(flags & _IFF_LOWER_UP),
            loopback=bool(flags & _IFF_LOOPBACK),
        )
    return links


def read_addresses() -> Iterator[InterfaceAddress]:
    """Yield all addresses with the prefix that each makes connected; raises FibUnavailable."""
    for message in _ask(lambda ipr: ipr.get_addr()):
        far = message.get("address")
        own = message.get("local") or far
        if own is None:
            continue
        address = ipaddress.ip_address(str(own))
        prefix = _prefix(str(far or own), int(message["prefixlen"]))
        yield InterfaceAddress(int(message["index"]), address, prefix)


def read_neighbor_links(address: Address) -> set[int]:
    """Return the links on which *address* is, or lately was, a neighbour; raises FibUnavailable."""
    return {
        int(message["ifindex"])
        for message in _ask(lambda ipr: ipr.get_neighbours(family=int(family_of(address)), dst=str(address)))
        if not int(message["state"]) & (_NUD_INCOMPLETE | _NUD_FAILED)
    }


def look_up(address: Address, source: Address | None, mark: int) -> Lookup:
    """Ask where a packet to *address* goes now, and which route says so; raises FibUnavailable."""
    request: dict[str, Any] = {"family": int(family_of(address)), "dst": str(address)}
    if source is not None:
        request["src"] = str(source)
    if mark:
        request["mark"] = mark
    try:
        way = _ask(lambda ipr: ipr.route("get", flags=_RTM_F_LOOKUP_TABLE, **request))[0]
        route = _ask(lambda ipr: ipr.route("get", flags=_RTM_F_LOOKUP_TABLE | _RTM_F_FIB_MATCH, **request))[0]
        name = _interface_name(way.get("oif"))
    except NetlinkError as error:
        return Lookup(None, None, "", None, None, 0, 0, int(error.code))
    chosen = way.get("prefsrc")
    return Lookup(
        TableId(int(route.get("table") or 0)),
        _gateway(way),
        name,
        ipaddress.ip_address(str(chosen)) if chosen else None,
        _prefix(str(route.get("dst") or type(address)(0)), int(route["dst_len"])),
        int(route["proto"]),
        int(route.get("priority") or 0),
    )


def _gateway(message: Mapping[str, Any]) -> Address | None:
    """Return the gateway of a route message, also one of the other family (RTA_VIA)."""
    if gateway := message.get("gateway"):
        return ipaddress.ip_address(str(gateway))
    if via := message.get("via"):
        return ipaddress.ip_address(str(via["addr"]))
    return None


def _interface_name(index: object) -> str:
    """Return the name of a link of this namespace."""
    if not index:
        return ""
    return str(_ask(lambda ipr: ipr.get_links(index))[0].get("ifname"))


def _rule(family: Family, message: Mapping[str, Any]) -> Rule:
    """Return the rule in one message."""
    mark = message.get("fwmark")
    mask = message.get("fwmask")
    to_table = int(message["action"]) == _FR_ACT_TO_TBL
    return Rule(
        family,
        int(message.get("priority") or 0),
        TableId(int(message.get("table") or 0) if to_table else 0),
        _selector(message.get("src"), int(message["src_len"])),
        _selector(message.get("dst"), int(message["dst_len"])),
        int(mark or 0),
        0 if mark is None and mask is None else int(_EXACT_MARK if mask is None else mask),
        str(message.get("iifname") or ""),
    )


def _selector(address: object, length: int) -> Prefix | None:
    """Return a rule's prefix, or None for any."""
    return None if address is None else _prefix(str(address), length)


def _prefix(address: str, length: int) -> Prefix:
    """Return the prefix that *address* is in."""
    return ipaddress.ip_network(f"{address}/{length}", strict=False)


def _words(error: NetlinkError) -> str:
    """Return what the kernel said beside the number, if it is more than the number's usual text."""
    return str(error.args[1]) if len(error.args) > 1 else ""


def _ask(question: Any) -> list[Any]:
    """Open a socket, ask, and return all of the answer.

    NetlinkError passes: it is the kernel's answer to this question.  Raises FibUnavailable for a socket
    that fails.
    """
    try:
        with IPRoute() as ipr:
            return list(question(ipr))
    except NetlinkError:
        raise
    except OSError as error:
        raise FibUnavailable(f"netlink: {error.strerror or error}") from error
