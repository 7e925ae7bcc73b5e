"""Which keys exist, and of which type: the shape of the file, for validation and for editors.

What must hold between keys is in ``check``.  Values are parsed here, so a model holds addresses and seconds.
"""

from functools import partial
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from monitor.config import parse
from monitor.config.model import (
    DEFAULT_METRIC,
    DEFAULT_PROTOCOL,
    DEFAULT_RUN_DIR,
    DEFAULT_STATE_DIR,
    SOURCE_KEYS,
    AsPathPattern,
    BmpView,
    Clock,
    DefaultRoute,
    ForeignRoutes,
    LargeCommunity,
    LimitAction,
    Mode,
    PeerSelector,
)
from monitor.config.schema_change import MOST_ENTRIES, ApprovalModel, JournalModel, WindowModel
from monitor.config.shape import (
    DAY,
    DURATION,
    MAX_COUNT,
    Count,
    FileText,
    InterfaceText,
    Model,
    NameText,
    OneOrMore,
    Percent,
    Read,
    choice,
    seconds,
)
from monitor.rib.attribute import Origin, Rpki
from programmer.route import Address, Family, Prefix, TableId

DRAFT = "https://json-schema.org/draft/2020-12/schema"

FAMILIES = {family.label: family for family in Family}
ORIGINS = {origin.name.lower(): origin for origin in Origin}
RPKI_STATES = {"valid": Rpki.VALID, "not-found": Rpki.NOT_FOUND, "invalid": Rpki.INVALID}


PrefixText = Annotated[Prefix, Read(parse.prefix, "A prefix such as 10.8.0.0/14 or 2001:db8::/32.")]
PeerText = Annotated[
    PeerSelector, Read(parse.peer_selector, "A peer: its address, a prefix of addresses, or an interface.")
]
CommunityText = Annotated[int, Read(parse.community, "ASN:VALUE, or a name such as no-export.")]
LargeCommunityText = Annotated[
    LargeCommunity, Read(parse.large_community, "ASN:X:Y.", {"pattern": "^[0-9]+:[0-9]+:[0-9]+$"})
]
AsPathText = Annotated[
    AsPathPattern,
    Read(
        parse.as_path,
        "A regular expression; _ is a separator, the start or the end.",
        {"type": ["string", "integer"]},
    ),
]
Ipv4Text = Annotated[Address, Read(partial(parse.family_address, family=Family.IPV4), "An IPv4 address.")]
Ipv6Text = Annotated[Address, Read(partial(parse.family_address, family=Family.IPV6), "An IPv6 address.")]
UserNumber = Annotated[
    int,
    Read(parse.user, "A user's number.", {"type": "integer", "minimum": 0, "maximum": parse.USER_MAX}),
]
SenderText = Annotated[Address, Read(parse.sender, "An IPv4 or IPv6 address.")]
Metric = Annotated[int, Field(ge=1, le=MAX_COUNT)]


class TlsModel(Model):
    """Files for mutual TLS."""

    ca: FileText = Field(description="PEM file of the authority that signed gobgpd's certificate.")
    cert: FileText = Field(description="PEM file of bgpmon's own certificate.")
    key: FileText = Field(description="PEM file of the key of that certificate.")


def _one_of_the_kinds(schema: dict[str, Any]) -> None:
    """Say in the schema of a source that it is of one kind, and which keys go with which."""
    schema["oneOf"] = [{"required": [kind]} for kind in SOURCE_KEYS]
    schema["dependentRequired"] = {key: [kind] for kind, keys in SOURCE_KEYS.items() for key in keys}


class SourceModel(Model):
    """A speaker that tells us about its peers and their paths."""

    model_config = ConfigDict(json_schema_extra=_one_of_the_kinds)

    gobgp: Annotated[str, Read(parse.gobgp_target, "unix:///path or host:port.")] | None = Field(
        default=None, description="Where gobgpd's gRPC API listens."
    )
    tls: TlsModel | None = Field(
        default=None, description="Mutual TLS; needed for every target that is not on this host."
    )
    resync: Annotated[float, seconds(10, 7 * DAY)] = Field(
        default=900.0, description="Period of a full re-read of all paths."
    )
    bmp: Annotated[str, Read(parse.bmp_listen, "ADDRESS:PORT or [ADDRESS]:PORT.")] | None = Field(
        default=None, description="Where bgpmon listens for a speaker that sends BMP."
    )
    view: Annotated[BmpView, choice({word.value: word for word in BmpView})] = Field(
        default=BmpView.PRE, description="Paths before (pre) or after (post) the speaker's import policy."
    )
    allow_uids: Annotated[list[UserNumber], OneOrMore()] = Field(
        default=[0], description="Users of this host who may connect."
    )
    allow_addresses: Annotated[list[SenderText], OneOrMore()] = Field(
        default=[], description="Addresses of other hosts that may connect."
    )


class ConditionModel(Model):
    """What a path must look like; a list means any of its entries, several keys mean all of them."""

    prefix: Annotated[list[PrefixText], OneOrMore()] | None = Field(
        default=None, description="The path's prefix, or with ge and le a range inside it."
    )
    ge: Annotated[int, Field(ge=0, le=128)] | None = Field(default=None, description="Least prefix length.")
    le: Annotated[int, Field(ge=0, le=128)] | None = Field(default=None, description="Greatest prefix length.")
    community: Annotated[list[CommunityText], OneOrMore()] | None = Field(
        default=None, description="A community that the path carries."
    )
    large_community: Annotated[list[LargeCommunityText], OneOrMore()] | None = Field(
        default=None, description="A large community that the path carries."
    )
    as_path: Annotated[list[AsPathText], OneOrMore()] | None = Field(
        default=None, description="A pattern that occurs in the AS path."
    )
    next_hop: Annotated[list[PrefixText], OneOrMore()] | None = Field(
        default=None, description="A prefix that the next hop lies in."
    )
    peer: Annotated[list[PeerText], OneOrMore()] | None = Field(
        default=None, description="The peer that sent the path."
    )
    origin: Annotated[list[Annotated[Origin, choice(ORIGINS)]], OneOrMore()] | None = Field(
        default=None, description="The path's origin."
    )
    rpki: Annotated[list[Annotated[Rpki, choice(RPKI_STATES)]], OneOrMore()] | None = Field(
        default=None, description="The outcome of origin validation in gobgpd."
    )


def _condition(value: object) -> object:
    return ConditionModel.model_construct() if value == "any" else value


Match = Annotated[ConditionModel, BeforeValidator(_condition, json_schema_input_type=ConditionModel | Literal["any"])]


def _preferred(value: object) -> object:
    """Return a single address as the mapping of its family."""
    if not isinstance(value, str):
        return value
    return {"ipv4" if parse.address(value).version == 4 else "ipv6": value}


class PreferredSourceModel(Model):
    """The source address of packets that the node itself sends along a route."""

    ipv4: Ipv4Text | None = Field(default=None, description="For IPv4 routes.")
    ipv6: Ipv6Text | None = Field(default=None, description="For IPv6 routes.")


PreferredSource = Annotated[
    PreferredSourceModel, BeforeValidator(_preferred, json_schema_input_type=PreferredSourceModel | str)
]


class ImportModel(Model):
    """One rule of the import policy: exactly one of accept and deny."""

    accept: Match | None = Field(default=None, description="Accept paths that match; any for all.")
    deny: Match | None = Field(default=None, description="Refuse paths that match; any for all.")
    metric: Metric | None = Field(default=None, description="Metric of the accepted routes instead of the domain's.")
    preferred_source: PreferredSource | None = Field(
        default=None, description="Preferred source of the accepted routes instead of the domain's."
    )


class RuleModel(Model):
    """One policy rule (ip rule) that leads into the domain's table."""

    source: PrefixText | None = Field(default=None, alias="from", description="Source prefix of the packets.")
    to: PrefixText | None = Field(default=None, description="Destination prefix of the packets.")
    priority: Annotated[int, Field(ge=1, le=32765)] = Field(description="Place among all rules; lower is first.")


class LimitModel(Model):
    """Limit on the domain's desired routes of one family."""

    routes: Count = Field(description="The largest number of routes.")
    warn_percent: Percent = Field(default=80.0, description="Warn from this share of the limit on.")
    action: Annotated[LimitAction, choice({word.value: word for word in (LimitAction.FREEZE, LimitAction.WARN)})] = (
        Field(default=LimitAction.FREEZE, description="What happens above the limit.")
    )


class LimitsModel(Model):
    """Limits on desired routes."""

    ipv4: LimitModel | None = Field(default=None, description="Limit on IPv4 routes.")
    ipv6: LimitModel | None = Field(default=None, description="Limit on IPv6 routes.")


class PeerLimitModel(Model):
    """Limit on the paths of one family that one peer may send."""

    paths: Count = Field(description="The largest number of paths.")
    warn_percent: Percent = Field(default=80.0, description="Warn from this share of the limit on.")
    action: Annotated[LimitAction, choice({word.value: word for word in LimitAction})] = Field(
        default=LimitAction.FREEZE, description="What happens above the limit."
    )
    restart: Annotated[float, seconds(1, 7 * DAY)] = Field(
        default=300.0, description="With teardown: how long the peer stays shut."
    )
    attempts: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=3, description="With teardown: how often the peer is opened again."
    )


class PeerLimitsModel(Model):
    """Limits on received paths, for each peer."""

    ipv4: PeerLimitModel | None = Field(default=None, description="Limit on IPv4 paths.")
    ipv6: PeerLimitModel | None = Field(default=None, description="Limit on IPv6 paths.")


class DefaultLengthsModel(Model):
    """Prefixes shorter than this count as default routes."""

    ipv4: Annotated[int, Field(ge=1, le=32)] = Field(default=8, description="For IPv4.")
    ipv6: Annotated[int, Field(ge=1, le=128)] = Field(default=16, description="For IPv6.")


class RemovalBudgetModel(Model):
    """How much one cycle may remove before removals wait."""

    percent: Percent = Field(default=20.0, description="Share of the domain's installed routes.")
    routes: Annotated[int, Field(ge=0, le=MAX_COUNT)] = Field(default=100, description="Number of routes.")
    hold: Annotated[float, seconds(1, 7 * DAY)] = Field(default=600.0, description="How long removals wait at most.")


class DomainModel(Model):
    """One routing domain: a set of peers of one source, a set of interfaces, one kernel table."""

    source: NameText = Field(description="The source that has the domain's peers.")
    peers: list[PeerText] = Field(min_length=1, description="The domain's peers.")
    interfaces: list[InterfaceText] = Field(min_length=1, description="Interfaces that next hops may lie on.")
    table: Annotated[TableId, Read(parse.table, "A table's number, or main.", {"type": ["string", "integer"]})] = Field(
        description="The kernel table that the domain's routes go to."
    )
    metric: Metric = Field(default=DEFAULT_METRIC, description="Metric (priority) of the routes.")
    families: list[Annotated[Family, choice(FAMILIES)]] = Field(
        default=[Family.IPV4, Family.IPV6],
        min_length=1,
        description="Address families that are used.",
        json_schema_extra={"default": ["ipv4", "ipv6"]},
    )
    multipath: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="Largest number of next hops in a route."
    )
    default_route: Annotated[DefaultRoute, choice({word.value: word for word in DefaultRoute})] = Field(
        default=DefaultRoute.DENY, description="Whether default routes are used."
    )
    default_lengths: DefaultLengthsModel = Field(
        default=DefaultLengthsModel(), description="Prefixes shorter than this count as default routes."
    )
    preferred_source: PreferredSource | None = Field(
        default=None, description="Source address of packets that the node itself sends."
    )
    imports: list[ImportModel] = Field(
        default=[], alias="import", description="Import policy: the first match decides, no match means deny."
    )
    rules: list[RuleModel] = Field(default=[], description="Policy rules that lead into the table.")
    limit: LimitsModel = Field(default=LimitsModel(), description="Limits on desired routes.")
    peer_limit: PeerLimitsModel = Field(default=PeerLimitsModel(), description="Limits on received paths of each peer.")
    removal_budget: RemovalBudgetModel = Field(
        default=RemovalBudgetModel(), description="How much one cycle may remove before removals wait."
    )
    stale_after: Annotated[float, seconds(1, 30 * DAY)] = Field(
        default=600.0, description="Longest time that stale or unknown BGP state keeps routes in place."
    )
    end_of_rib_wait: Annotated[float, seconds(1, DAY)] = Field(
        default=30.0, description="How long to wait for the End-of-RIB of a peer that may never send one."
    )
    require_auth: bool = Field(default=False, description="Do not use paths of peers without authentication.")
    foreign_routes: Annotated[ForeignRoutes, choice({word.value: word for word in ForeignRoutes})] = Field(
        default=ForeignRoutes.REFUSE, description="Whether the table may hold routes of others when it is first used."
    )


class ApiModel(Model):
    """Who may look."""

    group: Annotated[str, Read(parse.group, "The name of a group.")] | None = Field(
        default=None, description="Group that may connect to read.sock."
    )


class FileModel(Model):
    """The configuration of bgpmon."""

    node: Annotated[str, Read(parse.node, "A name.")] | None = Field(
        default=None, description="The node's name; default: $NODE_NAME, else the host name."
    )
    mode: Annotated[Mode, choice({word.value: word for word in Mode})] = Field(
        default=Mode.DRY_RUN, description="What may write to the kernel."
    )
    netns: Annotated[str, Read(parse.namespace, "An absolute file name.", {"pattern": "^/"})] | None = Field(
        default=None, description="File of the target network namespace; default: the daemon's own."
    )
    state_dir: FileText = Field(default=DEFAULT_STATE_DIR, description="Directory of the journal and of frozen plans.")
    run_dir: Annotated[str, Read(parse.run_dir, "An absolute file name.", {"pattern": "^/"})] = Field(
        default=DEFAULT_RUN_DIR, description="Directory of the sockets and the lock."
    )
    protocol: Annotated[int, Read(parse.protocol, "A number.", {"type": "integer", "minimum": 5, "maximum": 255})] = (
        Field(default=DEFAULT_PROTOCOL, description="Owner mark on every route and rule.")
    )
    protect: list[PrefixText] = Field(default=[], description="Prefixes that no peer may take over.")
    encapsulation: bool = Field(
        default=False, description="The CNI tunnels pod traffic: refuse all that overlaps protect."
    )
    reconcile: Annotated[float, seconds(1, DAY)] = Field(
        default=60.0, description="Period of the full compare of our tables."
    )
    api: ApiModel = Field(default=ApiModel(), description="Who may look.")
    sources: dict[NameText, SourceModel] = Field(min_length=1, description="Where BGP comes from.")
    domains: dict[NameText, DomainModel] = Field(
        min_length=1, description="Routing domains; where two share a table, the first one wins."
    )
    approval: ApprovalModel = Field(default=ApprovalModel(), description="Who releases what, and how frozen plans age.")
    clock: Annotated[Clock, choice({word.value: word for word in Clock})] = Field(
        default=Clock.KERNEL,
        description="Whether windows open only while the kernel says that its clock is synchronised, or always on time.",
    )
    windows: Annotated[list[WindowModel], Field(max_length=MOST_ENTRIES)] = Field(
        default=[], description="Change windows: when plans are applied."
    )
    journal: JournalModel = Field(default=JournalModel(), description="The record of what was done.")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file, for editors and other tools."""
    schema = _without_null(FileModel.model_json_schema(by_alias=True))
    return {
        "$schema": DRAFT,
        "title": "bgpmon configuration",
        **{k: v for k, v in schema.items() if k != "title"},
    }


def _without_null(node: Any) -> Any:
    """Return a schema without null: a key is given or left out, never empty."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _without_null(value) for key, value in node.items() if not (key == "default" and value is None)}
    if kept.get("pattern") == DURATION and isinstance(kept.get("default"), float):
        kept["default"] = parse.duration_text(kept["default"])
    choices = kept.get("anyOf")
    if isinstance(choices, list):
        choices = [item for item in choices if item != {"type": "null"}]
        if len(choices) == 1:
            del kept["anyOf"]
            kept = {**choices[0], **kept}
        else:
            kept["anyOf"] = choices
    return kept


def known_keys(path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the mapping at *path* may have; empty where the names are free."""
    found: object = FileModel
    for part in path:
        model = _inner(found)
        if model is None:
            found = _items(found)
        elif isinstance(part, str):
            found = next((kind for name, kind in _fields(model) if name == part), None)
    model = _inner(found)
    return [name for name, _ in _fields(model)] if model else []


def _fields(model: type[BaseModel]) -> list[tuple[str, object]]:
    return [(info.alias or name, info.annotation) for name, info in model.model_fields.items()]


def _inner(annotation: object) -> type[BaseModel] | None:
    """Return the model that *annotation* stands for, through Annotated and None; None if it is no model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {list, dict}:
        return None
    return next((found for part in get_args(annotation) if (found := _inner(part))), None)


def _items(annotation: object) -> object:
    """Return the type of a container's values, through Annotated and None."""
    if get_origin(annotation) in {list, dict}:
        return get_args(annotation)[-1]
    return next((found for part in get_args(annotation) if (found := _items(part))), None)
