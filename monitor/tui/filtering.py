"""The filter language over items that are here: peers, operations of a plan, records.  Routes are filtered by the daemon."""

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from monitor.filter import FIELDS, NAMES, FilterError, parse
from monitor.rib.attribute import PathAttributes, Rpki
from monitor.tui.cells import seconds_of
from programmer.route import Address, Family, PrefixKey, family_of, key_of

KNOWN: dict[str, frozenset[str]] = {
    "peers": frozenset({"peer", "asn", "domain", "state", "description", "reason"}),
    "plan": frozenset({"prefix", "len", "af", "domain", "table", "op", "class", "risk", "rule", "reason", "nh", "dev", "ecmp",
                       "metric"}),
    "events": frozenset({"state", "description", "age", "reason", "peer"}),
}  # fmt: skip
"""What the items of each screen can be asked for; free text looks at descriptions, peers and reasons."""

_NOWHERE: PrefixKey = b"\0"


@dataclass(slots=True)
class ItemRow:
    """An item of a document as the filter language sees it (``monitor.filter.row``); what it does not tell is neutral."""

    family: Family = Family.IPV4
    key: PrefixKey = _NOWHERE
    domain: str = ""
    table: int = 0
    metric: int = 0
    state: str = ""
    op: str = ""
    class_: str = ""
    risk: str = ""
    rule: str = ""
    reason: str = ""
    peer: str = ""
    asn: int = 0
    next_hops: tuple[Address, ...] = ()
    interfaces: tuple[str, ...] = ()
    attributes: PathAttributes | None = None
    received_at: float | None = None
    ecmp: int = 0
    best: bool = True
    rpki: Rpki = Rpki.NONE
    protocol: int = 0
    description: str = ""


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return "" if value is None else str(value)


def row_of(item: Mapping[str, Any]) -> ItemRow:
    """Return a peer, an operation or a record as a row."""
    row = ItemRow(
        domain=_text(item, "domain"),
        table=item["table"] if isinstance(item.get("table"), int) else 0,
        state=_text(item, "state") or _text(item, "kind"),
        op=_text(item, "op"),
        class_=_text(item, "class"),
        risk=_text(item, "risk"),
        rule=_text(item, "rule"),
        reason=_text(item, "reason") or _text(item, "last_down_reason"),
        peer=_text(item, "address"),
        asn=item["asn"] if isinstance(item.get("asn"), int) else 0,
        received_at=seconds_of(item.get("at")),
        description=" ".join(
            _text(item, name) for name in ("description", "detail", "actor", "effect", "before", "after")
        ),
    )
    if prefix := item.get("prefix"):
        network = ipaddress.ip_network(str(prefix))
        row.family, row.key = family_of(network), key_of(network)
    hops = _words(_text(item, "after") or _text(item, "before"))
    row.next_hops = tuple(ipaddress.ip_address(word) for word in hops.get("via", ()))
    row.interfaces = tuple(dict.fromkeys(hops.get("dev", ())))
    row.ecmp = max(len(hops.get("via", ())), len(hops.get("dev", ())))
    row.metric = int(next(iter(hops.get("metric", ())), 0))
    return row


def _words(text: str) -> dict[str, list[str]]:
    """Return the words that follow ``via``, ``dev`` and ``metric`` in the text of a route."""
    found: dict[str, list[str]] = {}
    words = text.replace(",", " ").split()
    for name, value in pairwise(words):
        if name in {"via", "dev", "metric"}:
            found.setdefault(name, []).append(value.removeprefix("inet6"))
    return found


def matcher(text: str, screen: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return a test of the items of *screen*.  Raises FilterError, also for a field that says nothing there."""
    query = parse(text)
    for name in sorted(query.fields):
        if name not in KNOWN[screen]:
            at = max(0, text.find(name))
            raise FilterError(
                f"{name} is nothing that {screen} have; here: {', '.join(sorted(KNOWN[screen]))}",
                at,
                len(name),
                text=text,
            )
    matches = query.matches
    return lambda item: bool(matches(row_of(item), time.time()))


def check(text: str, screen: str) -> str:
    """Return what is wrong with a filter for *screen* (``routes`` too), empty if nothing is."""
    try:
        if screen in KNOWN:
            matcher(text, screen)
        else:
            parse(text)
    except FilterError as error:
        return str(error)
    return ""


def completions(text: str, values: Mapping[str, list[str]], screen: str = "routes") -> list[str]:
    """Return what can stand in place of the last word of *text*: field names, or values of the field before it."""
    start = max(text.rfind(" "), text.rfind("("), text.rfind(",")) + 1
    word = text[start:]
    for sign in ("!=", "<=", ">=", "=", "~", "<", ">"):
        name, found, begun = word.partition(sign)
        if found and name:
            field = NAMES.get(name, name)
            known = values.get(field, []) if screen not in KNOWN or field in KNOWN[screen] else []
            return [f"{text[:start]}{name}{sign}{value}" for value in known if value.startswith(begun)]
    fields = [name for name in FIELDS if screen not in KNOWN or name in KNOWN[screen]]
    words = [*fields, "in ", "covers ", "exact ", "and ", "or ", "not "]
    return [text[:start] + found for found in words if found.startswith(word) and found != word]
