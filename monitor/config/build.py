"""From what was validated to frozen values: schema models in, model values out."""

from collections.abc import Sequence
from dataclasses import replace

from monitor.change.probe import ProbeConfig, ProbeKind
from monitor.change.rule import ApprovalRule, RuleAction, standard_rules
from monitor.change.signers import Signers
from monitor.change.window import Window
from monitor.config import schema, schema_change
from monitor.config.model import (
    ANY,
    NO_ADDRESS,
    ApiConfig,
    ApprovalConfig,
    Condition,
    DomainConfig,
    ImportRule,
    JournalConfig,
    Limit,
    MaxDrift,
    Mode,
    PeerLimit,
    PerFamily,
    PrefixRange,
    RemovalBudget,
    SoakConfig,
    SourceConfig,
    TlsFiles,
)
from monitor.rib.attribute import community_text
from programmer.route import Address, Prefix, Rule, TableId, family_of

USUAL_EXTENSION = 3
"""How many times its duration a soak may last with what people add to it, where the file does not say."""

_RPKI_WORDS = {state: word for word, state in schema.RPKI_STATES.items()}


def source(name: str, model: schema.SourceModel) -> SourceConfig:
    """Return one source."""
    tls = TlsFiles(ca=model.tls.ca, cert=model.tls.cert, key=model.tls.key) if model.tls else None
    return SourceConfig(
        name=name,
        gobgp=model.gobgp or "",
        tls=tls,
        resync=model.resync,
        bmp=model.bmp or "",
        view=model.view,
        allow_uids=tuple(model.allow_uids),
        allow_addresses=tuple(model.allow_addresses),
    )


def domain(name: str, model: schema.DomainModel, lines: Sequence[int]) -> DomainConfig:
    """Return one domain; *lines* has the line of each import rule."""
    limits, peer_limits, budget = model.limit, model.peer_limit, model.removal_budget
    return DomainConfig(
        name=name,
        source=model.source,
        peers=tuple(model.peers),
        interfaces=tuple(model.interfaces),
        table=model.table,
        metric=model.metric,
        families=tuple(model.families),
        multipath=model.multipath,
        default_route=model.default_route,
        default_lengths=PerFamily(model.default_lengths.ipv4, model.default_lengths.ipv6),
        preferred_source=_preferred(model.preferred_source),
        imports=tuple(
            _rule(number, item, line) for number, (item, line) in enumerate(zip(model.imports, lines, strict=True), 1)
        ),
        rules=tuple(_ip_rule(item, model.table) for item in model.rules),
        limit=PerFamily(_limit(limits.ipv4), _limit(limits.ipv6)),
        peer_limit=PerFamily(_peer_limit(peer_limits.ipv4), _peer_limit(peer_limits.ipv6)),
        removal_budget=RemovalBudget(percent=float(budget.percent), routes=budget.routes, hold=budget.hold),
        stale_after=model.stale_after,
        end_of_rib_wait=model.end_of_rib_wait,
        require_auth=model.require_auth,
        foreign_routes=model.foreign_routes,
    )


def approval(model: schema_change.ApprovalModel, mode: Mode, lines: Sequence[int], signers: Signers) -> ApprovalConfig:
    """Return who releases what; *lines* has the line of each rule.

    Where the file has no rules the standard ones hold, and none at all in mode auto.
    """
    drift = MaxDrift(operations=model.max_drift.operations, percent=float(model.max_drift.percent))
    found = ApprovalConfig(
        rules=tuple(
            _approval_rule(number, item, line)
            for number, (item, line) in enumerate(zip(model.rules or (), lines, strict=True), 1)
        ),
        expires=model.expires,
        max_drift=drift,
        allow_local=model.allow_local,
        self_approve=model.self_approve,
        allowed_signers=model.allowed_signers or "",
        signers=signers,
        groups=tuple((name, frozenset(members)) for name, members in model.groups.items()),
        soak=_soak(model.soak),
    )
    if found.rules or mode is Mode.AUTO:
        return found
    return replace(found, rules=standard_rules(len(found.people)))


def window(model: schema_change.WindowModel) -> Window:
    """Return one change window."""
    return Window(name=model.name, cron=model.cron, duration=model.duration, timezone=model.timezone, kind=model.kind)


def journal(model: schema_change.JournalModel) -> JournalConfig:
    """Return how long records stay."""
    return JournalConfig(keep=model.keep)


def api(model: schema.ApiModel) -> ApiConfig:
    """Return who may look."""
    return ApiConfig(group=model.group)


def condition(model: schema.ConditionModel) -> Condition:
    """Return one condition."""
    return Condition(
        prefixes=tuple(_range(prefix, model.ge, model.le) for prefix in model.prefix or ()),
        communities=tuple(model.community or ()),
        large_communities=tuple(model.large_community or ()),
        as_paths=tuple(model.as_path or ()),
        next_hops=tuple(model.next_hop or ()),
        peers=tuple(model.peer or ()),
        origins=tuple(model.origin or ()),
        rpki=tuple(model.rpki or ()),
    )


def condition_text(value: Condition) -> str:
    """Return a condition in one line: ``prefix 10.8.0.0/14 ge 16 le 28 and community 65001:666``."""
    large = tuple(":".join(map(str, community)) for community in value.large_communities)
    parts = (
        ("prefix", tuple(item.text for item in value.prefixes)),
        ("community", tuple(community_text(item) for item in value.communities)),
        ("large_community", large),
        ("as_path", tuple(item.source for item in value.as_paths)),
        ("next_hop", tuple(str(item) for item in value.next_hops)),
        ("peer", tuple(item.text for item in value.peers)),
        ("origin", tuple(item.name.lower() for item in value.origins)),
        ("rpki", tuple(_RPKI_WORDS[item] for item in value.rpki)),
    )
    return " and ".join(f"{key} {' or '.join(words)}" for key, words in parts if words) or "any"


def _range(prefix: Prefix, ge: int | None, le: int | None) -> PrefixRange:
    """Return the range that ``prefix``, ``ge`` and ``le`` mean together: exact without both."""
    if ge is None and le is None:
        return PrefixRange(prefix, prefix.prefixlen, prefix.prefixlen)
    longest = prefix.max_prefixlen if le is None else le
    return PrefixRange(prefix, prefix.prefixlen if ge is None else ge, longest)


def _rule(number: int, model: schema.ImportModel, line: int) -> ImportRule:
    found = model.accept or model.deny
    wanted = condition(found) if found else ANY
    accept = model.accept is not None
    words = [f"{'accept' if accept else 'deny'} {condition_text(wanted)}"]
    if model.metric is not None:
        words.append(f"metric {model.metric}")
    preferred = _preferred(model.preferred_source)
    words.extend(f"src {address}" for address in (preferred.ipv4, preferred.ipv6) if address)
    return ImportRule(
        number=number,
        accept=accept,
        condition=wanted,
        text=", ".join(words),
        line=line,
        metric=model.metric,
        preferred_source=preferred,
    )


def _approval_rule(number: int, model: schema_change.ApprovalRuleModel, line: int) -> ApprovalRule:
    return ApprovalRule(
        number=number,
        name=model.name or f"rule {number}",
        match=model.match,
        action=model.decision or RuleAction.APPROVE,
        approve=model.approve or 1,
        groups=tuple((model.needs or {}).items()),
        ticket=model.ticket or "",
        risk=model.risk or "",
        per_minute=model.per_minute or 0,
        in_window=model.in_window,
        line=line,
    )


def _soak(model: schema_change.SoakModel | None) -> SoakConfig | None:
    if model is None:
        return None
    most = model.duration * USUAL_EXTENSION if model.most is None else model.most
    return SoakConfig(duration=model.duration, most=most, probes=tuple(_probe(item) for item in model.probes))


def _probe(model: schema_change.ProbeModel) -> ProbeConfig:
    kind = next(kind for kind in ProbeKind if getattr(model, kind.value) is not None)
    return ProbeConfig(
        name=model.name,
        kind=kind,
        target=getattr(model, kind.value),
        domain=model.domain or "",
        source=model.source,
        interface=model.interface or "",
        mark=model.mark or 0,
        interval=model.interval,
        timeout=model.timeout,
        failures=model.failures,
        warn_factor=float(model.warn_factor),
        statuses=model.statuses,
        host=model.host or "",
        insecure=model.insecure,
    )


def _ip_rule(model: schema.RuleModel, table: TableId) -> Rule:
    given = model.source or model.to
    if given is None:
        raise ValueError("a rule without from and to passed the check")
    return Rule(family_of(given), model.priority, table, source=model.source, destination=model.to)


def _preferred(model: schema.PreferredSourceModel | None) -> PerFamily[Address | None]:
    return PerFamily(model.ipv4, model.ipv6) if model else NO_ADDRESS


def _limit(model: schema.LimitModel | None) -> Limit | None:
    if model is None:
        return None
    return Limit(routes=model.routes, warn_percent=float(model.warn_percent), action=model.action)


def _peer_limit(model: schema.PeerLimitModel | None) -> PeerLimit | None:
    if model is None:
        return None
    return PeerLimit(
        paths=model.paths,
        warn_percent=float(model.warn_percent),
        action=model.action,
        restart=model.restart,
        attempts=model.attempts,
    )
