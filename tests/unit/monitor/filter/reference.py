"""The meaning of a tree, as plainly as possible: the standard library's prefixes and expressions."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from monitor.filter.node import (
    And,
    Comparison,
    DefaultRoute,
    Everything,
    FreeText,
    Node,
    Not,
    Or,
    PrefixTest,
    Relation,
)
from monitor.filter.value import extended_community_text
from monitor.rib.attribute import community_text
from programmer.route import prefix_of
from tests.unit.monitor.filter.rows import NOW, Row

BOUNDARY = r"(?:^|$|[ ,(){}\[\]])"


def holds(node: Node, row: Row) -> bool:
    match node:
        case Everything():
            return True
        case And(parts):
            return all(holds(part, row) for part in parts)
        case Or(parts):
            return any(holds(part, row) for part in parts)
        case Not(part):
            return not holds(part, row)
        case FreeText(text):
            words = (row.description, row.peer, row.reason)
            return any(text.lower() in word.lower() for word in words)
        case DefaultRoute():
            return str(prefix_of(row.family, row.key)) in ("0.0.0.0/0", "::/0")
        case PrefixTest():
            return any(_related(node.relation, row, prefix) for prefix in node.prefixes)
        case Comparison():
            return _compared(node, row)


def _related(relation: Relation, row: Row, prefix: Any) -> bool:
    own: Any = prefix_of(row.family, row.key)
    if own.version != prefix.version:
        return False
    if relation is Relation.EXACT:
        return bool(own == prefix)
    return bool(prefix.subnet_of(own) if relation is Relation.COVERS else own.subnet_of(prefix))


def _compared(node: Comparison, row: Row) -> bool:
    sign = node.operator
    if sign in ("!=", "!~"):
        positive = {"!=": "=", "!~": "~"}[sign]
        return not _compared(Comparison(node.field, positive, node.values), row)
    subjects = [subject for subject in _subjects(node, row) if subject is not None]
    return any(_one(node.field, sign, subject, value) for subject in subjects for value in node.values)


def _one(field: str, sign: str, subject: Any, value: Any) -> bool:
    if sign == "~":
        source = value.replace("_", BOUNDARY) if field == "aspath" else value
        return re.search(source, str(subject), re.NOFLAG if field == "aspath" else re.IGNORECASE) is not None
    if field == "risk":
        order = ("low", "med", "high")
        subject, value = order.index(subject), order.index(value)
    if field in ("nh", "peer"):
        return _address(str(subject), value)
    answers: dict[str, bool] = {
        "=": subject == value,
        "in": subject == value,
        "has": subject == value,
        "<": sign == "<" and subject < value,
        "<=": sign == "<=" and subject <= value,
        ">": sign == ">" and subject > value,
        ">=": sign == ">=" and subject >= value,
    }
    return answers[sign]


def _address(subject: str, value: str) -> bool:
    bare = subject.partition("%")[0]
    if not bare:
        return False
    if "/" in value:
        return ip_address(bare) in ip_network(value)
    return value in (bare, subject)


def _subjects(node: Comparison, row: Row) -> list[Any]:
    plain: dict[str, Callable[[], list[Any]]] = {
        "len": lambda: [row.key[0]],
        "af": lambda: [row.family.label],
        "proto": lambda: [row.protocol],
        "class": lambda: [row.class_],
        "risk": lambda: [row.risk or None],
        "best": lambda: ["yes" if row.best else "no"],
        "rpki": lambda: [row.rpki.name.lower().replace("_", "-")],
        "nh": lambda: list(row.next_hops),
        "dev": lambda: list(row.interfaces),
        "age": lambda: [None if row.received_at is None else int(NOW - row.received_at)],
    }
    if node.field in plain:
        return plain[node.field]()
    of_path: dict[str, Callable[[Any], list[Any]]] = {
        "aspath": lambda a: [n for _, s in a.as_path for n in s] if node.operator == "has" else [a.as_path_text],
        "pathlen": lambda a: [a.as_path_length],
        "origin": lambda a: [a.origin.name.lower()],
        "lp": lambda a: [a.local_pref],
        "med": lambda a: [a.med],
        "comm": lambda a: list(map(community_text, a.communities) if node.operator == "~" else a.communities),
        "lcomm": lambda a: [":".join(map(str, c)) for c in a.large_communities],
        "ecomm": lambda a: [extended_community_text(c) for c in a.extended_communities],
    }
    if node.field in of_path:
        return of_path[node.field](row.attributes) if row.attributes else []
    return [getattr(row, node.field)]
