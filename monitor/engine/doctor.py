"""Checks of the daemon's surroundings, each with what to do about it."""

from collections.abc import Iterator

from monitor.engine.condition import leads
from monitor.engine.core import Engine
from monitor.engine.domain import DomainTable
from monitor.engine.overview import warnings
from monitor.engine.surroundings import Surroundings
from monitor.engine.text import plural
from monitor.ports import Document
from programmer.fib import Settings
from programmer.route import Family

STRICT = 1
"""rp_filter: a packet is dropped unless the way back to its source is the interface it came in on (RFC 3704)."""

_SOURCE_FIXES = {
    "gobgp": "is gobgpd running, and is the target right?",
    "bmp": "does the speaker export BMP to this address (Cilium: `bmpServers`), and may its user connect (`allow_uids`)?",
}
"""What to look at while a source is not heard, by its kind."""

_NETWORKD = (("ManageForeignRoutes", "routes"), ("ManageForeignRoutingPolicyRules", "rules"))


async def doctor(engine: Engine, kernel: str, around: Surroundings) -> Document:
    """Return ``{items: [{check, ok, detail, fix}]}``."""
    reconciler = engine.reconciler
    writable = await reconciler.fib.writable()
    needs = engine.config.mode.value != "dry-run"
    interfaces = [name for domain in engine.domains.values() for name in domain.config.interfaces]
    settings = await reconciler.fib.settings(interfaces)
    items = [
        _check("kernel", reconciler.ready, kernel, "look at the daemon's log for netlink errors"),
        _check("permission", writable or not needs, "may write routes" if writable else "may only read",
               "give the daemon CAP_NET_ADMIN in the target namespace"),
        *(_check(f"source {name}", state.alive, f"{state.target}: {state.speaker if state.alive else state.cause}",
                 _SOURCE_FIXES[state.source.kind]) for name, state in engine.sources.items()),
        *_open_stations(engine),
        _protocol(engine, around),
    ]  # fmt: skip
    if settings.is_host and around.networkd_runs:
        items += _networkd(around)
    for domain in engine.domains.values():
        items += _domain(engine, domain, settings)
    items += [_check("warning", ok=False, detail=words, fix="see `bgpmon status`") for words in warnings(engine)]
    return {"items": items}


def _check(check: str, ok: object, detail: str, fix: str) -> Document:
    return {"check": check, "ok": bool(ok), "detail": detail, "fix": "" if ok else fix}


def _open_stations(engine: Engine) -> Iterator[Document]:
    """Yield a check for each BMP source that others than this machine's own users may connect to."""
    for source in engine.config.sources:
        if source.bmp:
            others = ", ".join(map(str, source.allow_addresses))
            users = f"{'user' if len(source.allow_uids) == 1 else 'users'} {', '.join(map(str, source.allow_uids))}"
            yield _check(
                f"station of {source.name}",
                not others,
                f"{source.bmp} is open to {others}"
                if others
                else f"{source.bmp} is open to {users} of this machine alone",
                "BMP is neither encrypted nor authenticated: whoever can send from these addresses decides which routes this "
                "node learns.  Keep the speaker on this machine, or the way to it in a network of its own",
            )


def _protocol(engine: Engine, around: Surroundings) -> Document:
    number = engine.config.protocol
    others = around.protocol_names(number)
    words = ", ".join(f"{name} in {file}" for name, file in others.items())
    return _check(
        "protocol number",
        not others,
        f"{number} is also {words}" if others else f"{number} is nobody else's here",
        "where such a program runs on this node (zebra of FRR does so with 186 to 197), it takes our routes for its own "
        "and may delete them in the tables it manages; if it runs here, choose another `protocol` before the first route "
        "is written",
    )


def _networkd(around: Surroundings) -> Iterator[Document]:
    for key, what in _NETWORKD:
        managed = around.networkd_keeps(key)
        yield _check(
            f"systemd-networkd, {what}",
            not managed,
            f"{key} is {'on' if managed else 'off'}",
            f"networkd removes {what} that it did not make whenever it starts or reconfigures a link: write "
            f"`[Network]` and `{key}=no` into /etc/systemd/networkd.conf.d/bgpmon.conf, and restart networkd",
        )


def _domain(engine: Engine, domain: DomainTable, settings: Settings) -> Iterator[Document]:
    name, table = domain.name, domain.config.table
    yield _rules(engine, domain)
    links = engine.reconciler.links
    there = {link.name for link in links.links.values()}
    missing = [interface for interface in domain.config.interfaces if interface not in there]
    detail = f"missing: {', '.join(missing)}" if missing else f"{', '.join(domain.config.interfaces)} there"
    yield _check(f"interfaces of {name}", not missing, detail, "check `interfaces` of the domain")
    strict = [interface for interface in domain.config.interfaces if settings.reverse_path.get(interface) == STRICT]
    yield _check(
        f"rp_filter of {name}",
        not strict,
        f"strict on {', '.join(strict)}" if strict else "not strict",
        f"where the way back to a sender leads through another interface or table than {table}'s, the kernel drops the "
        f"packet: set net.ipv4.conf.{strict[0] if strict else ''}.rp_filter (and .all) to 2, loose",
    )
    own = {entry.address for entry in links.addresses}
    for family in Family:
        source = domain.config.preferred_source.of(family)
        if source is not None:
            yield _check(
                f"preferred source of {name}",
                source in own,
                str(source),
                "the node has no such address, so the kernel refuses the routes: add it, or change `preferred_source`",
            )


def _rules(engine: Engine, domain: DomainTable) -> Document:
    table, reconciler = domain.config.table, engine.reconciler
    installed = sum(len(state.image.routes) for (of, _), state in reconciler.tables.items() if of == table)
    configured = len(domain.config.rules)
    if leads(engine, table):
        return _check(
            f"rule into table {table}", ok=True, detail=f"traffic reaches the routes of {domain.name}", fix=""
        )
    if configured:
        detail = f"{plural(configured, 'rule')} of {domain.name} not installed yet; {plural(installed, 'route')} there"
        return _check(f"rule into table {table}", not installed, detail, "see `bgpmon plan show`, and approve the plan")
    return _check(
        f"rule into table {table}",
        ok=False,
        detail=f"no rule leads to the {plural(installed, 'route')} of {domain.name}",
        fix="no traffic uses them: add `rules` to the domain, or an `ip rule` of your own",
    )
