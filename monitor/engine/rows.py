"""Routes as the filter language sees them, and the search for those that a filter matches."""

import time
from collections.abc import Iterable
from itertools import chain

from monitor.engine.core import Engine
from monitor.engine.domain import DomainTable
from monitor.engine.slices import Smallest, Turns
from monitor.engine.text import hop_document, interface_name
from monitor.engine.waiting import waiting_reason
from monitor.filter import FilterRow, PrefixBounds, Query, Relation, parse
from monitor.ports import Document
from monitor.rib.attribute import PathAttributes, Rpki
from monitor.rib.domain import Verdict
from monitor.rib.path import Path
from monitor.rib.reason import Reason
from programmer.approval import Decision
from programmer.fib import ForeignRoute
from programmer.reconciler import TableState
from programmer.route import (
    Address,
    Family,
    Forwarding,
    NextHop,
    PrefixKey,
    TableId,
    covering_key,
    family_of,
    key_of,
    sort_key,
    text_of,
)

MOST_ROWS = 20_000
"""Routes in one answer, whatever was asked for; the total counts all."""

EVERYTHING = parse("")

Place = tuple[TableId, Family, PrefixKey, int | None]
"""Where a row is found again: the last item is the metric of a foreign route, None for one of ours."""

Hops = dict[tuple[NextHop, ...], list[Document]]
"""Next hops as they are shown, by what they are."""


class RouteValues:
    """What the filter language asks of a route and its forwarding alone tells."""

    __slots__ = ()

    engine: Engine
    forwarding: Forwarding

    @property
    def metric(self) -> int:
        """Metric of the route."""
        return self.forwarding.metric

    @property
    def next_hops(self) -> tuple[Address, ...]:
        """Gateways."""
        return tuple(hop.address for hop in self.forwarding.next_hops if hop.address is not None)

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Names of the links."""
        links = self.engine.reconciler.links
        return tuple(interface_name(links, hop.ifindex) for hop in self.forwarding.next_hops)

    @property
    def ecmp(self) -> int:
        """Number of next hops."""
        return len(self.forwarding.next_hops)


class Row(RouteValues):
    """One route; see ``monitor.filter.row``.  What costs something is found out when it is asked for."""

    __slots__ = ("_asked", "_domain", "_foreign", "_path", "_state", "_words", "engine", "forwarding", "key")

    def __init__(
        self, engine: Engine, state: TableState, key: PrefixKey, value: Forwarding, foreign: ForeignRoute | None = None
    ) -> None:
        self.engine = engine
        self._state = state
        self._foreign = foreign
        self._asked = False
        self._path: Path | None = None
        self._words: tuple[str, str, str] | None = None
        self._domain: str | None = None
        self.key = key
        self.forwarding = value

    @property
    def domain(self) -> str:
        """The domain that wants it; for a foreign route, the first one that has its table."""
        if self._domain is None:
            engine, spec = self.engine, self._state.spec
            foreign = self._foreign is not None
            self._domain = (
                engine.domain_of_table(spec.table) if foreign else engine.describe(spec.table, spec.family, self.key)
            )
        return self._domain

    @property
    def family(self) -> Family:
        """The address family."""
        return self._state.spec.family

    @property
    def table(self) -> int:
        """Kernel table."""
        return self._state.spec.table

    @property
    def protocol(self) -> int:
        """Route protocol number (rtm_protocol)."""
        return self._foreign.protocol if self._foreign else self.engine.config.protocol

    def _said(self) -> tuple[str, str, str]:
        if self._words is None:
            foreign = self._foreign is not None
            self._words = ("foreign", "", "") if foreign else route_state(self.engine, self._state, self.key)
        return self._words

    @property
    def state(self) -> str:
        """``installed``, ``pending``, ``add``, ``change``, ``remove``, ``held``, ``failed``, ``conflict`` or ``foreign``."""
        return self._said()[0]

    @property
    def reason(self) -> str:
        """The label of ``monitor.rib.reason``, empty for a foreign route."""
        return self._said()[1]

    @property
    def op(self) -> str:
        """The glyph of the pending operation, or empty."""
        return self._said()[2]

    def _decision(self) -> Decision | None:
        if not self.op:
            return None
        return self.engine.reconciler.decide(self._state, self._state.operation(self.key))

    @property
    def class_(self) -> str:
        """Class of the pending operation, or empty."""
        decision = self._decision()
        return decision.category if decision else ""

    @property
    def risk(self) -> str:
        """Risk of the pending operation, or empty."""
        decision = self._decision()
        return decision.risk if decision else ""

    def _best(self) -> Path | None:
        if not self._asked:
            self._asked = True
            domain = None if self._foreign else self.engine.domains.get(self.domain)
            self._path = best_path(domain, self.family, self.key) if domain else None
        return self._path

    @property
    def best_path(self) -> Path | None:
        """The best path, None where there is none."""
        return self._best()

    @property
    def peer(self) -> str:
        """Address of the best path's peer, or empty."""
        path = self._best()
        return path.peer.address if path else ""

    @property
    def asn(self) -> int:
        """AS number of that peer, 0 while unknown."""
        path = self._best()
        table = self.engine.peers.get(path.peer) if path else None
        return table.peer.asn if table else 0

    @property
    def description(self) -> str:
        """What the speaker's configuration says about that peer."""
        path = self._best()
        table = self.engine.peers.get(path.peer) if path else None
        return table.peer.description if table else ""

    @property
    def attributes(self) -> PathAttributes | None:
        """The best path's attributes."""
        path = self._best()
        return path.attributes if path else None

    @property
    def received_at(self) -> float | None:
        """When the best path was last accepted."""
        path = self._best()
        return float(path.received_at) if path else None

    @property
    def rpki(self) -> Rpki:
        """Origin validation state of the best path."""
        path = self._best()
        return path.rpki if path else Rpki.NONE

    @property
    def rule(self) -> str:
        """The import rule that accepts it, or empty."""
        domain = None if self._foreign else self.engine.domains.get(self.domain)
        chosen = choose(domain, self.family, self.key) if domain else None
        return rule_label(domain, chosen[1].rule) if domain and chosen else ""

    @property
    def best(self) -> bool:
        """True for every route of ours: it stands for the best path."""
        return self._foreign is None

    def document(self, now: float, known: Hops | None = None) -> Document:
        """The row as ``bgpmon routes -o json`` shows it; *now* is in seconds since the epoch, *known* as for ``route_document``."""
        path = self._best()
        document = route_document(self.engine, self, self.forwarding, known)
        document |= {
            "peer": path.peer.address or None if path else None,
            "as_path": path.attributes.as_path_text if path else None,
            "reason": self.reason,
            "age_seconds": max(0, int(now - path.received_at)) if path else None,
            "protocol": self.protocol,
        }
        return document


def route_document(engine: Engine, row: FilterRow, forwarding: Forwarding, known: Hops | None = None) -> Document:
    """Return ``{domain, table, prefix, next_hops, metric, state}``, with which every route is shown.

    Of many routes most go the same few ways: *known* keeps these between the calls for one answer.
    """
    hops = known.get(forwarding.next_hops) if known is not None else None
    if hops is None:
        links = engine.reconciler.links
        hops = [hop_document(links, hop) for hop in forwarding.next_hops]
        if known is not None:
            known[forwarding.next_hops] = hops
    return {
        "domain": row.domain,
        "table": row.table,
        "prefix": text_of(row.family, row.key),
        "next_hops": hops,
        "metric": row.metric,
        "state": row.state,
    }


async def find(engine: Engine, query: Query, domain: str, most: int) -> Document:
    """Return ``{items, total, truncated}``: the first *most* routes that match, by table, family and prefix.

    Walks in slices; a filter that names prefixes exactly, or what covers them, costs as many look-ups as it has lengths.
    """
    turns, now = Turns(), time.time()
    matches = None if query == EVERYTHING else query.matches
    bounds = query.prefix_bounds()
    found: Smallest[Place] = Smallest(most)
    steps = 0
    for name, state in sorted(engine.reconciler.tables.items()):
        table, family = name
        several = sum(item.config.table == table for item in engine.domains.values()) > 1
        if domain and not several and engine.domain_of_table(table) != domain:
            continue
        inside = _enclosing(family, bounds)
        for key, metric in _places(state, bounds):
            steps += 1
            if not steps & 31:
                await turns.pause()
            if inside is not None and not _lies_in(key, inside):
                continue
            if matches is not None or (domain and several):
                row = row_at(engine, state, key, metric)
                if row is None or (domain and row.domain != domain) or (matches is not None and not matches(row, now)):
                    continue
            found.offer((table, family, sort_key(key), metric or 0), (table, family, key, metric))
    items: list[Document] = []
    for table, family, key, metric in found.items():
        at = engine.reconciler.tables.get((table, family))
        row = row_at(engine, at, key, metric) if at is not None else None
        if row is not None:
            items.append(row.document(now))
        await turns.pause()
    return {"items": items, "total": found.count, "truncated": len(items) < found.count}


def _places(state: TableState, bounds: PrefixBounds | None) -> Iterable[tuple[PrefixKey, int | None]]:
    """Return the key of every route, or of those that *bounds* name: ours first, then foreign ones with their metric."""
    # Copies of the keys: the tables change while others have their turn.
    foreign = list(state.image.foreign)
    if bounds is None or bounds.relation is Relation.IN:
        ours: Iterable[PrefixKey] = chain(list(state.desired), list(state.difference.remove))
    else:
        ours, foreign = named_places(state, bounds)
    return chain(((key, None) for key in ours), foreign)


def named_places(state: TableState, bounds: PrefixBounds) -> tuple[list[PrefixKey], list[tuple[PrefixKey, int]]]:
    """Return the routes that bounds of EXACT or COVERS name: keys of ours, and foreign ones with their metric."""
    wanted = _named(state.spec.family, bounds)
    ours = [key for key in wanted if key in state.desired or state.current(key) is not None]
    return ours, [place for place in state.image.foreign if place[0] in wanted]


def _enclosing(family: Family, bounds: PrefixBounds | None) -> list[tuple[int, PrefixKey]] | None:
    """Return length and key of the prefixes that every match lies in, None if it can lie anywhere."""
    if bounds is None or bounds.relation is not Relation.IN:
        return None
    return [(prefix.prefixlen, key_of(prefix)) for prefix in bounds.prefixes if family_of(prefix) is family]


def _named(family: Family, bounds: PrefixBounds) -> set[PrefixKey]:
    """Return every key that stands in the relation EXACT or COVERS to one of the prefixes."""
    found: set[PrefixKey] = set()
    for prefix in bounds.prefixes:
        if family_of(prefix) is not family:
            continue
        key = key_of(prefix)
        if bounds.relation is Relation.EXACT:
            found.add(key)
        else:
            found.update(covering_key(key, length) for length in range(prefix.prefixlen + 1))
    return found


def _lies_in(key: PrefixKey, prefixes: list[tuple[int, PrefixKey]]) -> bool:
    return any(key[0] >= length and covering_key(key, length) == whole for length, whole in prefixes)


def row_at(engine: Engine, state: TableState, key: PrefixKey, metric: int | None) -> Row | None:
    """Return the row at a place, or None when the route has gone meanwhile."""
    if metric is not None:
        foreign = state.image.foreign.get((key, metric))
        return Row(engine, state, key, foreign.forwarding, foreign) if foreign else None
    value = state.desired.get(key) or state.current(key)
    return None if value is None else Row(engine, state, key, value)


def best_path(domain: DomainTable, family: Family, key: PrefixKey) -> Path | None:
    """Return the best path of a prefix: as the domain chose it, or as it would choose now where that is not known."""
    path = domain.chosen_paths(family)(key)
    if path is not None:
        return path
    chosen = choose(domain, family, key)
    return chosen[0] if chosen else None


def choose(domain: DomainTable, family: Family, key: PrefixKey) -> tuple[Path, Verdict] | None:
    """Return the best path of a prefix and the verdict on it, None where no path is used."""
    candidates = domain.candidates(family, key)
    if not candidates or not domain.choosing:
        return None
    selection = domain.select(family, key, candidates)
    if selection.best < 0:
        return None
    return candidates[selection.best].candidate.path, selection.verdicts[selection.best]


def rule_label(domain: DomainTable, number: int | None) -> str:
    """Return the import rule of that number as people read it, or an empty text."""
    return next((rule.label for rule in domain.config.imports if rule.number == number), "")


def route_state(engine: Engine, state: TableState, key: PrefixKey) -> tuple[str, str, str]:
    """Return a route's state, the label of its reason, and the glyph of its pending operation."""
    if key in state.conflicts:
        return "conflict", "foreign-conflict", ""
    if key in state.acknowledged:  # installed is what has been read back
        return "pending", "pending", ""
    if key not in state.difference:
        return "installed", "installed", ""
    operation = state.operation(key)
    if key in state.failures:
        return "failed", "kernel-refused", operation.action.value
    if operation.after is None and (not state.removals_allowed or state.guard.held_since is not None):
        return "held", "pending", operation.action.value
    reason = waiting_reason(engine, state, key)
    if reason is Reason.HELD:
        return "held", reason.label, operation.action.value
    return {"+": "add", "~": "change", "-": "remove"}[operation.action.value], reason.label, operation.action.value
