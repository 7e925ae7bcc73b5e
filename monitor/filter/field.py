"""The fields of the language: names, aliases, operators and kinds of value.

``FIELDS`` is what the parser, completion, the help screens and docs/filter.md read.
"""

from dataclasses import dataclass

from monitor.filter.value import (
    AddressOrPrefix,
    Community,
    Duration,
    Expression,
    ExtendedCommunity,
    Kind,
    LargeCommunity,
    Number,
    Text,
    Word,
)
from monitor.rib.reason import REASONS

_ANY_TEXT = Expression()
_ORDERED = ("=", "!=", "<", "<=", ">", ">=", "in")
_TEXT = ("=", "!=", "in", "~", "!~")
_SEVERAL = ("=", "!=", "has", "in", "~", "!~")
_ONE_OF = ("=", "!=", "in")

STATES = (
    "installed",
    "pending",
    "add",
    "change",
    "remove",
    "failed",
    "held",
    "conflict",
    "foreign",
    "refused",
    "drift",
    "dead-next-hop",
)
"""The usual states.  Other words are valid: faces may show more."""

CLASSES = (
    "protect-node",
    "default-route",
    "monitored",
    "dead-next-hop",
    "withdraw-with-cover",
    "mass-delete",
    "delete",
    "nh-move",
    "ecmp-narrow",
    "ecmp-widen",
    "restore",
    "add-small",
    "add",
    "change",
    "rule",
)
"""The usual classes of an operation.  Other words are valid, as for states."""

RISKS = ("low", "med", "high")
"""Risks in their order."""

# rtm_protocol, linux/rtnetlink.h.
_PROTOCOLS = {
    "redirect": 1,
    "kernel": 2,
    "boot": 3,
    "static": 4,
    "ra": 9,
    "zebra": 11,
    "bird": 12,
    "dhcp": 16,
    "bgp": 186,
    "isis": 187,
    "ospf": 188,
    "rip": 189,
    "eigrp": 192,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``kind`` is of its values, ``expression`` of those of ``~`` and ``!~``.

    ``member``, if there is one, is the kind of what ``has`` asks for.
    """

    name: str
    aliases: tuple[str, ...]
    operators: tuple[str, ...]
    kind: Kind
    text: str
    example: str
    expression: Expression = _ANY_TEXT
    member: Kind | None = None

    def kind_of(self, operator: str) -> Kind:
        """Return the kind of value that *operator* takes."""
        if operator in ("~", "!~"):
            return self.expression
        if operator == "has" and self.member is not None:
            return self.member
        return self.kind


_ALL = (
    Field("prefix", (), _ONE_OF, AddressOrPrefix(), "the route's prefix; in means inside", "prefix=10.1.0.0/16"),
    Field("len", ("length", "prefixlen"), _ORDERED, Number(128), "prefix length in bits", "len>=24"),
    Field(
        "af",
        ("family", "afi"),
        _ONE_OF,
        Word(
            {"ipv4": "ipv4", "4": "ipv4", "v4": "ipv4", "inet": "ipv4"}
            | {"ipv6": "ipv6", "6": "ipv6", "v6": "ipv6", "inet6": "ipv6"}
        ),
        "address family",
        "af=6",
    ),
    Field("domain", (), _TEXT, Text(), "name of the routing domain", "domain=storage"),
    Field("table", (), _ORDERED, Number(names={"main": 254}), "kernel routing table", "table=101"),
    Field(
        "peer",
        ("neighbor", "neighbour"),
        _TEXT,
        AddressOrPrefix(zones=True),
        "address of the peer, or a prefix that it is in",
        "peer=198.51.100.1",
    ),
    Field(
        "asn",
        ("as", "peeras", "remote_as"),
        _ORDERED,
        Number(prefix="as"),
        "AS number of the peer",
        "asn=65001",
    ),
    Field(
        "nh",
        ("nexthop", "next_hop", "next-hop", "gateway", "via"),
        _SEVERAL,
        AddressOrPrefix(),
        "next hops of the route: any of them, or a prefix that it is in",
        "nh in (198.51.100.1, 198.51.100.2)",
    ),
    Field("dev", ("interface", "iface", "oif", "link"), _SEVERAL, Text(), "links of the route", "dev=eth1"),
    Field(
        "aspath",
        ("as_path", "as-path", "path"),
        ("~", "!~", "=", "!=", "has"),
        Text(),
        "AS path; _ is a boundary",
        'aspath ~ "_65001_"',
        Expression(boundary=True),
        Number(prefix="as"),
    ),
    Field("pathlen", ("aspathlen",), _ORDERED, Number(), "AS path length as BGP counts it", "pathlen>5"),
    Field(
        "origin",
        (),
        _ONE_OF,
        Word(
            {
                "igp": "igp",
                "i": "igp",
                "egp": "egp",
                "e": "egp",
                "incomplete": "incomplete",
                "?": "incomplete",
            }
        ),
        "ORIGIN",
        "origin=igp",
    ),
    Field("lp", ("localpref", "local_pref", "local-pref", "pref"), _ORDERED, Number(), "LOCAL_PREF", "lp>100"),
    Field("med", (), _ORDERED, Number(), "MULTI_EXIT_DISC", "med<50"),
    Field("comm", ("community", "communities"), _SEVERAL, Community(), "communities", "comm has 65001:200"),
    Field(
        "lcomm",
        ("large_community", "large-community", "large"),
        _SEVERAL,
        LargeCommunity(),
        "large communities",
        "lcomm has 65001:1:200",
    ),
    Field(
        "ecomm",
        ("extended_community", "ext_community", "extcommunity"),
        _SEVERAL,
        ExtendedCommunity(),
        "extended communities",
        "ecomm has rt:65001:100",
    ),
    Field(
        "rpki",
        ("roa", "validation"),
        _ONE_OF,
        Word(
            {"none": "none", "not-found": "not-found", "notfound": "not-found", "unknown": "not-found"}
            | {"valid": "valid", "invalid": "invalid"}
        ),
        "origin validation state",
        "rpki=invalid",
    ),
    Field(
        "best",
        (),
        ("=", "!="),
        Word({"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no"}),
        "the best path of its prefix; best alone means best=yes",
        "best=yes",
    ),
    Field("ecmp", ("multipath",), _ORDERED, Number(), "number of next hops", "ecmp>1"),
    Field("metric", ("priority",), _ORDERED, Number(), "metric of the kernel route", "metric=200"),
    Field("proto", ("protocol",), _ORDERED, Number(255, _PROTOCOLS), "kernel route protocol", "proto=kernel"),
    Field("state", (), _TEXT, Text(STATES), "state of the route or operation", "state in failed,held,drift"),
    Field("age", (), _ORDERED[:-1], Duration(), "time since it was last accepted", "age<5m"),
    Field(
        "op",
        ("operation",),
        _ONE_OF,
        Word({"+": "+", "add": "+", "~": "~", "change": "~", "-": "-", "remove": "-", "delete": "-"}),
        "what a plan does: + ~ -",
        "op=-",
    ),
    Field(
        "risk",
        (),
        _ORDERED,
        Word({"low": "low", "med": "med", "medium": "med", "high": "high"}),
        "risk of an operation, low < med < high",
        "risk>=med",
    ),
    Field("rule", (), _TEXT, Text(), "rule that decided", "rule ~ storage"),
    Field("class", (), _TEXT, Text(CLASSES), "class of an operation", "class in delete,mass-delete"),
    Field("reason", ("why",), _TEXT, Text(REASONS), "why the row is what it is", "reason=not-best"),
    Field("description", ("desc",), _TEXT, Text(), "free words about the peer", "description ~ rack-7"),
)

FIELDS = {field.name: field for field in _ALL}
"""Fields by their name."""

NAMES = {alias: field.name for field in _ALL for alias in (field.name, *field.aliases)}
"""Every accepted name, aliases too, and the field's own name."""
