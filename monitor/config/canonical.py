"""A configuration as plain data under the file's keys, every default filled in; and its policy digest."""

import hashlib
import json

from monitor.change.probe import ProbeConfig
from monitor.change.rule import ApprovalRule, standard_rules
from monitor.change.window import Window
from monitor.config.model import (
    PROBE_KEYS,
    ApprovalConfig,
    Config,
    DomainConfig,
    Limit,
    PeerLimit,
    SoakConfig,
    SourceConfig,
)
from monitor.config.parse import duration_text
from programmer.route import Address

Plain = dict[str, object]


def plain(config: Config) -> Plain:
    """Return every effective value under its key, in the file's syntax; None where nothing is set."""
    return {
        "node": config.node,
        "mode": config.mode.value,
        "netns": config.netns,
        "state_dir": config.state_dir,
        "run_dir": config.run_dir,
        "protocol": config.protocol,
        "protect": [str(prefix) for prefix in config.protect],
        "encapsulation": config.encapsulation,
        "reconcile": duration_text(config.reconcile),
        "api": {"group": config.api.group},
        "sources": {source.name: _source(source) for source in config.sources},
        "domains": {domain.name: _domain(domain) for domain in config.domains},
        "approval": _approval(config.approval),
        "clock": config.clock.value,
        "windows": [_window(window) for window in config.windows],
        "journal": {"keep": duration_text(config.journal.keep)},
    }


def policy_digest(config: Config) -> str:
    """Return the SHA-256, in hexadecimal, of every value that decides what routes and rules we want, and who must agree.

    Comments, the order of keys, the mode, directories, windows, soak and the daemon's own timers do not count.  The order
    of domains, of import rules and of approval rules does.  Where the file has no approval rules the standard ones count,
    in every mode.
    """
    approval = config.approval
    rules = approval.rules or standard_rules(len(approval.people))
    values = {
        "protocol": config.protocol,
        "protect": sorted(str(prefix) for prefix in config.protect),
        "encapsulation": config.encapsulation,
        "domains": [[domain.name, _domain(domain)] for domain in config.domains],
        "approval": {
            "rules": [[rule.text, rule.people] for rule in rules],
            "allow_local": approval.allow_local,
            "self_approve": approval.self_approve,
            "groups": _groups(approval),
        },
    }
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _source(source: SourceConfig) -> Plain:
    if source.bmp:
        return {
            "bmp": source.bmp,
            "view": source.view.value,
            "allow_uids": list(source.allow_uids),
            "allow_addresses": [str(address) for address in source.allow_addresses],
        }
    tls = source.tls
    return {
        "gobgp": source.gobgp,
        "tls": {"ca": tls.ca, "cert": tls.cert, "key": tls.key} if tls else None,
        "resync": duration_text(source.resync),
    }


def _domain(domain: DomainConfig) -> Plain:
    budget, preferred = domain.removal_budget, domain.preferred_source
    return {
        "source": domain.source,
        "peers": [selector.text for selector in domain.peers],
        "interfaces": list(domain.interfaces),
        "table": domain.table,
        "metric": domain.metric,
        "families": [family.label for family in domain.families],
        "multipath": domain.multipath,
        "default_route": domain.default_route.value,
        "default_lengths": {"ipv4": domain.default_lengths.ipv4, "ipv6": domain.default_lengths.ipv6},
        "preferred_source": {"ipv4": _address(preferred.ipv4), "ipv6": _address(preferred.ipv6)},
        "import": [rule.text for rule in domain.imports],
        "rules": [rule.text for rule in domain.rules],
        "limit": {"ipv4": _limit(domain.limit.ipv4), "ipv6": _limit(domain.limit.ipv6)},
        "peer_limit": {
            "ipv4": _peer_limit(domain.peer_limit.ipv4),
            "ipv6": _peer_limit(domain.peer_limit.ipv6),
        },
        "removal_budget": {
            "percent": budget.percent,
            "routes": budget.routes,
            "hold": duration_text(budget.hold),
        },
        "stale_after": duration_text(domain.stale_after),
        "end_of_rib_wait": duration_text(domain.end_of_rib_wait),
        "require_auth": domain.require_auth,
        "foreign_routes": domain.foreign_routes.value,
    }


def _address(address: Address | None) -> str | None:
    return None if address is None else str(address)


def _limit(limit: Limit | None) -> Plain | None:
    if limit is None:
        return None
    return {"routes": limit.routes, "warn_percent": limit.warn_percent, "action": limit.action.value}


def _peer_limit(limit: PeerLimit | None) -> Plain | None:
    if limit is None:
        return None
    return {
        "paths": limit.paths,
        "warn_percent": limit.warn_percent,
        "action": limit.action.value,
        "restart": duration_text(limit.restart),
        "attempts": limit.attempts,
    }


def _approval(approval: ApprovalConfig) -> Plain:
    drift = approval.max_drift
    return {
        "rules": [_approval_rule(rule) for rule in approval.rules],
        "expires": duration_text(approval.expires),
        "max_drift": {"operations": drift.operations, "percent": drift.percent},
        "allow_local": approval.allow_local,
        "self_approve": approval.self_approve,
        "allowed_signers": approval.allowed_signers or None,
        "groups": _groups(approval) or None,
        "soak": _soak(approval.soak) if approval.soak else None,
    }


def _groups(approval: ApprovalConfig) -> Plain:
    return {name: sorted(members) for name, members in approval.groups}


def _approval_rule(rule: ApprovalRule) -> str:
    return f"{rule.name}: {rule.text}"


def _soak(soak: SoakConfig) -> Plain:
    return {
        "duration": duration_text(soak.duration),
        "most": duration_text(soak.most),
        "probes": [_probe(probe) for probe in soak.probes],
    }


def _probe(probe: ProbeConfig) -> Plain:
    """Return a probe with the keys that mean something for its kind."""
    values: Plain = {
        "name": probe.name,
        probe.kind.value: probe.target,
        "domain": probe.domain or None,
        "source": _address(probe.source),
        "interface": probe.interface or None,
        "mark": probe.mark or None,
        "interval": duration_text(probe.interval),
        "timeout": duration_text(probe.timeout),
        "failures": probe.failures,
        "warn_factor": probe.warn_factor,
        "statuses": list(probe.statuses),
        "host": probe.host or None,
        "insecure": probe.insecure,
    }
    some_kinds_only = {key for keys in PROBE_KEYS.values() for key in keys} - set(PROBE_KEYS[probe.kind])
    return {key: value for key, value in values.items() if key not in some_kinds_only}


def _window(window: Window) -> Plain:
    return {
        "name": window.name,
        "kind": window.kind.value,
        "cron": window.cron,
        "duration": duration_text(window.duration),
        "timezone": window.timezone,
    }
