"""The effect of a plan in words and documents: who carries the traffic before and after, how much moves, what needs a look."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from monitor.engine.core import Engine
from monitor.engine.slices import Turns, finished
from monitor.engine.text import forwarding_text, hop_text, interface_name, plural
from monitor.ports import Document
from programmer.effect import (
    Carrier,
    DefaultChange,
    DefaultRoute,
    OperationEffect,
    Place,
    PlanEffect,
    Protected,
    TableEffect,
    TableKey,
    TableView,
    computing,
    finish,
)
from programmer.errors import FibError
from programmer.fib import Links, Ownership
from programmer.plan import Action, Operation
from programmer.route import MAIN_TABLE, Family, Forwarding, NextHop, PrefixKey, TableId, text_of

FEW = 200
"""Operations whose effect takes a few milliseconds; that of more is found out in a thread, on copies."""

MOST_DETAILED = 5000
MOST_LOOKED_AT = 100_000
"""Operations whose traffic is looked at one by one; of a plan with more that removes nothing there is an outline."""
ROUTE_OCTETS = 400
"""About what one route takes of the kernel's memory: measured on Linux 6.18, both families, next hop shared."""

_Group = tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class Effect:
    """What a plan does: the whole of it as a document, and one sentence for each of its first operations."""

    document: Document = field(default_factory=dict)
    sentences: dict[Operation, str] = field(default_factory=dict)


async def effect_of(engine: Engine, operations: Sequence[Operation], *, live: bool = False) -> tuple[Effect, _Group]:
    """Return the effect of *operations* on the tables as they are now, and the groups that lean on each other.

    Of what is *live*, which will be asked for again, others have their turn meanwhile: a route that comes or goes in these
    milliseconds may be taken for one that was there, or was not.
    """
    if len(operations) > MOST_LOOKED_AT and not any(operation.after is None for operation in operations):
        return Effect(await _outline(engine, operations)), ()
    views = await _views(engine, operations)
    links = engine.reconciler.links
    dead = {index for index, link in links.links.items() if not link.usable}
    destinations = engine.reconciler.judge.destinations.all
    protected = [Protected(found.name, found.address.packed) for found in destinations]
    lengths = {family: min(item.default_lengths.of(family) for item in engine.config.domains) for family in Family}

    steps = computing(operations, views, dead=dead, protected=protected, detailed=MOST_DETAILED, cover_all=lengths)
    if len(operations) > FEW:
        found = await asyncio.to_thread(finish, steps)
    else:
        found = await finished(steps, Turns()) if live else finish(steps)
    sentences = {item.operation: sentence(links, item) for item in found.operations}
    return Effect(_document(engine, found, len(operations)), sentences), found.groups


async def _views(engine: Engine, operations: Sequence[Operation]) -> dict[TableKey, TableView]:
    """Return what the tables of a plan hold; copies where others have their turn while it is looked at."""
    copied = len(operations) > FEW
    views: dict[TableKey, TableView] = {}
    touched = {(operation.table, operation.family) for operation in operations}
    for table, family in sorted(touched):
        fallback = await _main(engine, family) if table != MAIN_TABLE else None
        state = engine.reconciler.tables.get((table, family))
        if state is None:
            views[table, family] = TableView({}, {}, fallback)
            continue
        image = state.image
        routes, foreign, counts = image.routes, image.foreign, image.carried
        if copied:
            routes, foreign, counts = dict(routes), dict(foreign), counts and Counter(counts)
        views[table, family] = TableView(routes, foreign, fallback, counts)
    return views


async def _main(engine: Engine, family: Family) -> dict[PrefixKey, Forwarding]:
    """Return where a lookup goes on that finds nothing in a domain's table: the main table, lowest metrics only."""
    reconciler = engine.reconciler
    state = reconciler.tables.get((MAIN_TABLE, family))
    try:
        # Nobody has the protocol 0 and no metric: so everything is told as somebody else's.
        image = state.image if state else await reconciler.fib.read(MAIN_TABLE, family, Ownership(0, frozenset()))
    except FibError:
        return {}
    found = dict(image.routes)
    for (key, metric), route in image.foreign.items():
        if key not in found or metric < found[key].metric:
            found[key] = route.forwarding
    return found


def sentence(links: Links, effect: OperationEffect) -> str:
    """Return what one operation does to the traffic of its prefix: ``256 addresses fall to 10.1.0.0/16 via …``."""
    operation, many = effect.operation, amount(effect.addresses, effect.operation.family)
    if operation.action is Action.CHANGE:
        return _sentence_of_change(effect, many)
    removed = operation.action is Action.REMOVE
    # What carries the traffic where this route does not.
    other = effect.after if removed else effect.before
    if other.place is Place.NONE:
        return f"{many} have no route any more" if removed else f"{many} get a route"
    if effect.addresses:
        return f"{many} {'fall to' if removed else 'leave'} {carrier_text(links, operation.family, other)}"
    if effect.moves:
        return "nothing moves: more specific routes carry all of it"
    if removed:
        return f"nothing moves: {carrier_text(links, operation.family, other)} goes the same way"
    return f"nothing moves: same next hops as {_prefix(operation.family, other)}"


def _sentence_of_change(effect: OperationEffect, many: str) -> str:
    if not effect.addresses:
        return "no address gets other next hops"
    old, new = effect.width_before, effect.width_after
    if old.total != new.total:
        return f"{many} are spread over {plural(new.live, 'live next hop')} instead of {old.live}"
    return f"{many} move"


def carrier_text(links: Links, family: Family, carrier: Carrier) -> str:
    """Return ``10.1.0.0/16 via 192.0.2.1 dev eth0``, and where it stands when that is another place than the table."""
    if carrier.forwarding is None:
        return "no route"
    where = {Place.FOREIGN: " (foreign)", Place.FALLBACK: " (table main)"}.get(carrier.place, "")
    uneven = len({hop.weight for hop in carrier.next_hops}) > 1
    hops = ", ".join(hop_text(links, hop, weighted=uneven) for hop in carrier.next_hops)
    words = hops or (forwarding_text(links, carrier.forwarding) or "")
    return f"{_prefix(family, carrier)} {words}{where}"


def _prefix(family: Family, carrier: Carrier) -> str:
    return text_of(family, carrier.key) if carrier.key is not None else "nothing"


def amount(addresses: int, family: Family) -> str:
    """Return a number of addresses as people take it in: ``256 addresses``, ``3 /64s``, ``more than 2 /32s``."""
    if addresses == 1 << family.bits:
        return f"every {'IPv6' if family is Family.IPV6 else 'IPv4'} address"
    for length in (16, 32, 48, 64) if family is Family.IPV6 else ():
        whole, rest = divmod(addresses, 1 << (family.bits - length))
        if whole:
            return f"{'more than ' if rest else ''}{plural(whole, f'/{length}')}"
    return plural(addresses, "address", "addresses")


def _document(engine: Engine, effect: PlanEffect, operations: int) -> Document:
    links = engine.reconciler.links
    tables = [_table(engine, links, table) for table in effect.tables]
    return {
        "addresses": {family.label: effect.addresses(family) for family in Family},
        "moved": ", ".join(amount(effect.addresses(family), family) for family in Family if effect.addresses(family)),
        "tables": tables,
        "protected": [
            {
                "name": change.protected.name,
                "table": change.table,
                "before": carrier_text(links, change.family, change.before),
                "after": carrier_text(links, change.family, change.after),
            }
            for change in effect.protected
        ],
        "foreign": len(effect.foreign),
        "checks": _checks(engine, effect, operations),
    }


def _table(engine: Engine, links: Links, table: TableEffect) -> Document:
    return {
        "domain": engine.domain_of_table(table.table),
        "table": table.table,
        "family": table.family.label,
        "add": table.adds,
        "change": table.changes,
        "remove": table.removals,
        "routes_before": table.size_before,
        "routes_after": table.size_after,
        "percent": round(table.percent, 3),
        "addresses": table.addresses,
        "next_hop_moves": table.hop_changes,
        "covered_adds": table.covered_adds,
        "quiet_adds": table.quiet_adds,
        "narrowed": table.narrowed,
        "widened": table.widened,
        "default_route": default_text(links, table.family, table.default),
        "load": [
            {
                "next_hop": _hop_name(links, NextHop(load.gateway, load.ifindex)),
                "interface": interface_name(links, load.ifindex),
                "routes_before": load.routes_before,
                "routes_after": load.routes_after,
                "percent_before": round(load.percent_before, 2),
                "percent_after": round(load.percent_after, 2),
                "note": "new" if load.new else "no longer used" if load.vanishes else "",
            }
            for load in table.load
        ],
    }


def _hop_name(links: Links, hop: NextHop) -> str:
    return str(hop.address) if hop.address else interface_name(links, hop.ifindex)


def default_text(links: Links, family: Family, default: DefaultRoute) -> str:
    """Return what happens to the default route, in words."""
    before, after = (carrier_text(links, family, carrier) for carrier in (default.before, default.after))
    words = {
        DefaultChange.UNCHANGED: "unchanged",
        DefaultChange.ADDED: f"added: {after}; before: {before}",
        DefaultChange.REMOVED: f"removed: {before}; then: {after}",
        DefaultChange.CHANGED: f"changed from {before} to {after}",
    }[default.change]
    if default.cover_alls:
        words += (
            f"; {plural(len(default.cover_alls), 'operation')} on prefixes so short that they act as a default route"
        )
    return words


def _checks(engine: Engine, effect: PlanEffect, operations: int) -> list[Document]:
    """Return what was looked at, each with ``ok``, ``look`` (a person should) or ``block``."""
    touched = [table for table in effect.tables if table.default.touched]
    moved = [change.protected.name for change in effect.protected if change.moves]
    dead = [item for item in effect.operations if item.operation.after is not None and not item.width_after.live]
    narrowed = sum(table.narrowed for table in effect.tables)
    quiet, covered = (sum(getattr(table, name) for table in effect.tables) for name in ("quiet_adds", "covered_adds"))
    lost = [item for item in effect.operations if item.after.place is Place.NONE and item.addresses]
    found = [
        ("default-route", "look" if touched else "ok",
         f"touched in {', '.join(f'table {table.table} {table.family.label}' for table in touched)}" if touched
         else "unchanged in every domain"),
        ("next-hops", "look" if dead else "ok",
         f"{plural(len(dead), 'route')} would have no live next hop" if dead
         else "every route has a next hop on a link that is up"),
        ("protected", "look" if moved else "ok",
         f"reached another way afterwards: {', '.join(sorted(set(moved)))}" if moved
         else "no destination that is looked after is reached another way"),
        ("traffic-lost", "look" if lost else "ok",
         f"{plural(len(lost), 'prefix', 'prefixes')} would have no route at all" if lost
         else "every address that has a route keeps one"),
        ("ecmp", "look" if narrowed else "ok",
         f"{plural(narrowed, 'route')} would have fewer live next hops" if narrowed else "never narrower"),
        ("foreign", "block" if effect.foreign else "ok",
         f"{plural(len(effect.foreign), 'operation')} would meet a foreign route" if effect.foreign
         else "no foreign route is touched"),
        ("covered", "ok", f"{quiet} of {covered} covered additions change nothing: same next hops as their cover"),
        _room(sum(table.size_after - table.size_before for table in effect.tables)),
    ]  # fmt: skip
    if operations > MOST_DETAILED:
        found.append(
            ("detail", "ok", f"looked at one by one: the first {MOST_DETAILED:,} of {operations:,} operations")
        )
    return [{"check": name, "verdict": verdict, "text": text} for name, verdict, text in found]


async def _outline(engine: Engine, operations: Sequence[Operation]) -> Document:
    """Return what can be said of a plan that is too large to look at every address, and that takes no route away.

    Nothing in it leans on anything else: a route that is added or changed needs no other one.
    """
    turns = Turns()
    places: Counter[tuple[TableId, Family, Action]] = Counter()
    loads: dict[TableKey, Counter[NextHop]] = {}
    shortest: Counter[TableKey] = Counter()
    lengths = {family: min(item.default_lengths.of(family) for item in engine.config.domains) for family in Family}
    for step, operation in enumerate(operations):
        if not step & 255:
            await turns.pause()
        place = (operation.table, operation.family)
        places[(*place, operation.action)] += 1
        shortest[place] += operation.key[0] < lengths[operation.family]
        for hop in operation.after.next_hops if operation.after else ():
            loads.setdefault(place, Counter())[hop._replace(weight=1)] += 1
    links = engine.reconciler.links
    dead = sum(count for hops in loads.values() for hop, count in hops.items() if not _usable(links, hop))
    tables: list[Document] = []
    for table, family in sorted({place[:2] for place in places}):
        state = engine.reconciler.tables.get((table, family))
        before = len(state.image.routes) if state else 0
        adds, changes = (places[table, family, action] for action in (Action.ADD, Action.CHANGE))
        hops = loads.get((table, family), Counter())
        tables.append({
            "domain": engine.domain_of_table(table), "table": table, "family": family.label, "add": adds, "change": changes,
            "remove": 0, "routes_before": before, "routes_after": before + adds,
            "percent": round((adds + changes) * 100 / before, 3) if before else 100.0,
            "default_route": "touched" if shortest[table, family] else "unchanged",
            "load": [{"next_hop": _hop_name(links, hop), "interface": interface_name(links, hop.ifindex), "routes_after": count,
                      "note": "by this plan"} for hop, count in hops.most_common(100)],
        })  # fmt: skip
    more = sum(count for (_, _, action), count in places.items() if action is Action.ADD)
    found = [
        ("detail", "look", f"{len(operations):,} operations that add or change: too many to look at the traffic of each"),
        ("default-route", "look" if shortest.total() else "ok",
         f"{plural(shortest.total(), 'operation')} on default-like prefixes" if shortest.total() else "unchanged in every domain"),
        ("next-hops", "look" if dead else "ok",
         f"{plural(dead, 'next hop')} on links that are down" if dead else "every next hop is on a link that is up"),
        _room(more),
    ]  # fmt: skip
    return {
        "addresses": None,
        "moved": "",
        "tables": tables,
        "protected": [],
        "foreign": 0,
        "checks": [{"check": name, "verdict": verdict, "text": text} for name, verdict, text in found],
    }


def _usable(links: Links, hop: NextHop) -> bool:
    link = links.links.get(hop.ifindex)
    return link is not None and link.usable


def _room(more: int) -> tuple[str, str, str]:
    """Compare what the new routes take with what the machine has left (proc(5), MemAvailable)."""
    needed = max(more, 0) * ROUTE_OCTETS
    available = available_memory()
    if available is None:
        return "room", "look", f"{more:+,} routes; how much memory is left is not known"
    verdict = "ok" if needed * 4 < available else "look"
    return "room", verdict, f"{more:+,} routes, about {needed / 1e6:,.1f} MB of {available / 1e6:,.0f} MB available"


def available_memory(file: FilePath = FilePath("/proc/meminfo")) -> int | None:
    """Return the memory that is left, in octets; None where the kernel does not say."""
    try:
        for line in file.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None
