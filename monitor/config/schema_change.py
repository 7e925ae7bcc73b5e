"""Which keys change control has, and of which type: ``approval``, ``windows`` and ``journal`` of the file."""

from functools import partial
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from monitor.change.probe import ProbeKind
from monitor.change.rule import RuleAction
from monitor.change.window import WindowKind
from monitor.config import parse_change as parse
from monitor.config.model import MOST_PEOPLE, PROBE_KEYS
from monitor.config.shape import (
    DAY,
    MAX_COUNT,
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
from monitor.filter import Query
from monitor.filter.field import RISKS
from programmer.route import Address

MOST_ENTRIES = 50
"""Rules, windows, probes: each rule is compared with all before it, and a reload must not take long."""

MatchText = Annotated[Query, Read(parse.approval_match, "A filter over the operations of a plan; * for all of them.")]
TicketText = Annotated[str, Read(parse.ticket, "A regular expression that a whole ticket must match.")]
PrincipalText = Annotated[str, Read(parse.principal, "A principal, as the signers file has it.")]
CronText = Annotated[str, Read(parse.cron, "Five fields: minute, hour, day of the month, month, day of the week.")]
ZoneText = Annotated[str, Read(parse.timezone, "A time zone of the IANA database, such as Europe/Berlin or UTC.")]
StatusRange = Annotated[
    tuple[int, int],
    Read(
        parse.statuses,
        "The lowest and the highest status that is good.",
        {
            "type": "array",
            "items": {"type": "integer", "minimum": parse.STATUS_MIN, "maximum": parse.STATUS_MAX},
            "minItems": 2,
            "maxItems": 2,
        },
    ),
]
People = Annotated[int, Field(ge=1, le=MOST_PEOPLE)]


def _target(kind: ProbeKind, description: str) -> Read:
    return Read(partial(parse.probe_target, kind=kind), description)


class MaxDriftModel(Model):
    """How much of a frozen plan may have gone stale."""

    operations: Annotated[int, Field(ge=0, le=MAX_COUNT)] = Field(default=10, description="Number of operations.")
    percent: Percent = Field(default=5.0, description="Share of the plan's operations.")


def _decides(schema: dict[str, Any]) -> None:
    """Say in the schema of a rule that it decides, and which keys mean something beside a decision only."""
    schema["anyOf"] = [{"required": ["decision"]}, {"required": ["approve"]}]
    schema["dependentRequired"] = {"per_minute": ["decision"], "in_window": ["decision"]}


class ApprovalRuleModel(Model):
    """One approval rule: what becomes of the operations that it matches, if no rule before it does."""

    model_config = ConfigDict(json_schema_extra=_decides)

    name: NameText | None = Field(default=None, description="Name of the rule; default: its number.")
    match: MatchText = Field(description="The operations that the rule decides about.")
    decision: Annotated[RuleAction, choice({word.value: word for word in RuleAction})] | None = Field(
        default=None, description="auto: nobody is asked. deny: only break-glass releases it. approve: approve: 1."
    )
    approve: People | None = Field(
        default=None, description="How many people must approve; with in_window, outside a window."
    )
    needs: Annotated[dict[NameText, People], Field(min_length=1)] | None = Field(
        default=None, description="How many of the people must be of which group."
    )
    ticket: TicketText | None = Field(default=None, description="What the ticket of every approval must look like.")
    risk: Annotated[str, choice({word: word for word in RISKS})] | None = Field(
        default=None, description="Risk of the operations, in place of what their class has."
    )
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="With decision: auto: how many operations go ahead in a minute; default: any number."
    )
    in_window: bool = Field(
        default=False, description="With decision: auto: only while a window is open; outside it people are asked."
    )


def _one_of_the_kinds(schema: dict[str, Any]) -> None:
    """Say in the schema of a probe that it is of one kind, and which keys go with which kinds."""
    schema["oneOf"] = [{"required": [kind.value]} for kind in ProbeKind]
    keys = sorted({key for found in PROBE_KEYS.values() for key in found})
    schema["allOf"] = [
        {
            "if": {"required": [key]},
            "then": {"anyOf": [{"required": [kind.value]} for kind in ProbeKind if key in PROBE_KEYS[kind]]},
        }
        for key in keys
    ]


class ProbeModel(Model):
    """A probe: what a soak looks at, and how."""

    model_config = ConfigDict(json_schema_extra=_one_of_the_kinds)

    name: NameText = Field(description="Name of the probe.")
    tcp: Annotated[str, _target(ProbeKind.TCP, "ADDRESS:PORT or [ADDRESS]:PORT.")] | None = Field(
        default=None, description="A port that must take connections."
    )
    icmp: Annotated[str, _target(ProbeKind.ICMP, "An IPv4 or IPv6 address.")] | None = Field(
        default=None, description="An address that must answer echo requests."
    )
    http: Annotated[str, _target(ProbeKind.HTTP, "A URL with an address in it.")] | None = Field(
        default=None, description="A resource that must answer with a good status."
    )
    bgp: Annotated[str, _target(ProbeKind.BGP, "A domain's name or a peer's address.")] | None = Field(
        default=None, description="Sessions that must be up: a domain's, or one peer's."
    )
    domain: NameText | None = Field(default=None, description="Domain whose preferred source the packets get.")
    source: Annotated[Address, Read(parse.probe_source, "An IPv4 or IPv6 address.")] | None = Field(
        default=None, description="Source address of the packets, in place of the domain's."
    )
    interface: InterfaceText | None = Field(default=None, description="Interface that the packets leave by.")
    mark: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = Field(
        default=None, description="Mark (fwmark) of the packets."
    )
    interval: Annotated[float, seconds(0.5, 600)] = Field(default=5.0, description="Time from look to look.")
    timeout: Annotated[float, seconds(0.01, 60)] = Field(default=2.0, description="How long an answer may take.")
    failures: Annotated[int, Field(ge=1, le=100)] = Field(
        default=2, description="So many failures in a row are a failed probe."
    )
    warn_factor: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] = Field(
        default=5.0, description="Warn of an answer that takes so many times as long as before the change."
    )
    statuses: StatusRange = Field(default=(200, 399), description="The statuses that are good.")
    host: Annotated[str, Read(parse.host, "A host name or an address.")] | None = Field(
        default=None, description="The Host header, and the name in the certificate."
    )
    insecure: bool = Field(default=False, description="With https: do not look at the certificate.")


class SoakModel(Model):
    """The time after a change in which it must prove itself, or be rolled back."""

    duration: Annotated[float, seconds(10, DAY)] = Field(
        default=300.0, description="How long a change may stay without being confirmed."
    )
    most: Annotated[float, seconds(10, 3 * DAY)] | None = Field(
        default=None, description="How long a soak may become in all; default: three times duration."
    )
    probes: Annotated[list[ProbeModel], Field(max_length=MOST_ENTRIES)] = Field(
        default=[], description="What is looked at meanwhile; a failed probe rolls the change back."
    )


class ApprovalModel(Model):
    """Who releases what, and how frozen plans age."""

    rules: Annotated[list[ApprovalRuleModel], Field(min_length=1, max_length=MOST_ENTRIES)] | None = Field(
        default=None, description="The first rule that matches an operation decides; no match means approve: 1."
    )
    expires: Annotated[float, seconds(60, 30 * DAY)] = Field(
        default=3600.0, description="How long a frozen plan can be approved and applied."
    )
    max_drift: MaxDriftModel = Field(
        default=MaxDriftModel(),
        description="How much of a frozen plan may have gone stale before nothing is applied.",
    )
    allow_local: bool = Field(default=True, description="Whether a local identity is enough for approve: 1.")
    self_approve: bool = Field(default=True, description="Whether who froze a plan may approve it.")
    allowed_signers: FileText | None = Field(
        default=None, description="File with the people who may sign approvals, in OpenSSH's format."
    )
    groups: dict[NameText, Annotated[list[PrincipalText], Field(min_length=1), OneOrMore()]] = Field(
        default={}, description="Groups of people, for needs."
    )
    soak: SoakModel | None = Field(default=None, description="Default: no soak; what is applied stays.")


class WindowModel(Model):
    """A change window: a schedule, a time zone and a duration."""

    name: NameText = Field(description="Name of the window.")
    kind: Annotated[WindowKind, choice({word.value: word for word in WindowKind})] = Field(
        default=WindowKind.ALLOW, description="allow: plans are applied in it. deny: no plan is applied in it."
    )
    cron: CronText = Field(description="When it opens.")
    duration: Annotated[float, seconds(60, 30 * DAY)] = Field(description="How long it stays open.")
    timezone: ZoneText = Field(description="The time zone of the schedule.")


class JournalModel(Model):
    """The record of what was done."""

    keep: Annotated[float, seconds(DAY, 3650 * DAY)] = Field(default=90 * DAY, description="How long records stay.")
