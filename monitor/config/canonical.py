"""A configuration as plain data under the file's keys, every default filled in; and its policy digest."""

import hashlib
import json

from monitor.config.model import Config, DomainConfig, Limit, PeerLimit, SourceConfig
from monitor.config.parse import duration_text
from programmer.route import Address

Plain = dict[str, object]


def plain(config: Config) -> Plain:
    """Return every effective value under its key, in the file's syntax; None where nothing is set."""
    drift = config.approval.max_drift
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
        "approval": {
            "expires": duration_text(config.approval.expires),
            "max_drift": {"operations": drift.operations, "percent": drift.percent},
        },
    }


def policy_digest(config: Config) -> str:
    """Return the SHA-256, in hexadecimal, of every value that decides what routes and rules we want.

    Comments, the order of keys, the mode, directories and the daemon's own timers do not count.  The order of
    domains and of import rules does.
    """
    values = {
        "protocol": config.protocol,
        "protect": sorted(str(prefix) for prefix in config.protect),
        "encapsulation": config.encapsulation,
        "domains": [[domain.name, _domain(domain)] for domain in config.domains],
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
