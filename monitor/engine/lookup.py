"""Where a packet would go: by what BGP wants, by what the kernel does, and once the plan is applied."""

from typing import NamedTuple

from monitor.engine.core import Engine
from monitor.engine.rows import row_at
from monitor.engine.slices import Turns
from monitor.engine.text import forwarding_text, interface_name
from monitor.ports import Document
from programmer.fib import Links, Lookup
from programmer.plan import Operation
from programmer.reconciler import TableState
from programmer.route import (
    Address,
    Family,
    Forwarding,
    PrefixKey,
    TableId,
    covering_key,
    family_of,
    host_key,
    prefix_of,
    text_of,
)

MOST_COVERING = 20
"""Routes that cover the address in one answer."""

FOREIGN_STEP = 4096
"""Foreign routes that are looked through before others have their turn."""


class Wish(NamedTuple):
    """The route that one table is to have for the address."""

    table: TableId
    domain: str
    key: PrefixKey
    forwarding: Forwarding


async def lookup(engine: Engine, target: Address) -> Document:
    """Return ``{address, bgp, kernel, plan, verdict, covering, agrees}``.

    ``agrees`` says whether the kernel does what BGP wants, None where no domain wants a route.
    """
    family, reconciler = family_of(target), engine.reconciler
    links = reconciler.links
    kernel = await reconciler.fib.lookup(target)
    host = host_key(target.packed)
    covers = [covering_key(host, length) for length in range(family.bits, -1, -1)]
    wishes: list[Wish] = []
    plans: list[str] = []
    clashes: list[PrefixKey] = []
    for (table, of), state in reconciler.tables.items():
        if of is not family:
            continue
        best = next((key for key in covers if key in state.desired), None)
        if best is not None:
            wishes.append(Wish(table, engine.describe(table, family, best), best, state.desired[best]))
        clashes += [key for key in covers if key in state.conflicts]
        plans += [
            _operation_text(links, state.operation(key))
            for key in covers
            if key in state.difference and key not in state.conflicts
        ]
    wants = [f"{wish.domain}: {text_of(family, wish.key)} {forwarding_text(links, wish.forwarding)}" for wish in wishes]
    agrees = any(_does(links, kernel, family, wish) for wish in wishes) if wishes else None
    said = _kernel_document(kernel, target)
    verdict = str(said["text"])
    if kernel.error == 0 and kernel.protocol == engine.config.protocol:
        verdict += ": a route of ours"
    if agrees is False:
        verdict += f"; {_difference(engine, kernel, family, wishes, plans, clashes)}"
    return {
        "address": str(target),
        "bgp": {"text": "; ".join(wants) or "no domain wants a route for it", "items": wants},
        "kernel": said,
        "plan": {"text": "; ".join(plans) or "no change pending", "items": plans},
        "verdict": verdict,
        "covering": await _covering(engine, family, covers),
        "agrees": agrees,
    }


def _kernel_document(kernel: Lookup, target: Address) -> Document:
    if kernel.error:
        return {"text": "the kernel knows no way", "errno": kernel.error}
    via = f"via {kernel.gateway} " if kernel.gateway else ""
    return {
        "text": f"{kernel.matched or target} {via}dev {kernel.interface} table {kernel.table}",
        "table": kernel.table,
        "interface": kernel.interface,
        "protocol": kernel.protocol,
        "gateway": str(kernel.gateway) if kernel.gateway else None,
    }


def _does(links: Links, kernel: Lookup, family: Family, wish: Wish) -> bool:
    """Say whether the kernel does what one table is to do; of several next hops it names one."""
    if kernel.error or kernel.table != wish.table:
        return False
    if kernel.matched is not None and kernel.matched != prefix_of(family, wish.key):
        return False
    way = _bare(kernel.gateway), kernel.interface
    return any((_bare(hop.address), interface_name(links, hop.ifindex)) == way for hop in wish.forwarding.next_hops)


def _bare(address: Address | None) -> str:
    """Return an address without its zone: routes keep the link apart."""
    return str(address).partition("%")[0] if address else ""


def _difference(
    engine: Engine, kernel: Lookup, family: Family, wishes: list[Wish], plans: list[str], clashes: list[PrefixKey]
) -> str:
    """Say in what the kernel differs from what BGP wants, and why as far as that can be told."""
    links = engine.reconciler.links
    wanted = " or ".join(
        f"{text_of(family, wish.key)} {forwarding_text(links, wish.forwarding)} in table {wish.table}"
        for wish in wishes
    )
    if clashes:
        names = ", ".join(text_of(family, key) for key in clashes)
        return f"BGP wants {wanted}: a route of another program stands at {names}, and is left alone"
    if plans:
        return f"BGP wants {wanted}: the plan is what is missing ({'; '.join(plans)})"
    elsewhere = kernel.error or all(kernel.table != wish.table for wish in wishes)
    why = "no rule leads into that table first" if elsewhere else "another route of the table goes before it"
    return f"BGP wants {wanted}, which is installed: {why}"


async def _covering(engine: Engine, family: Family, covers: list[PrefixKey]) -> list[Document]:
    """Return the routes of our tables that cover the address, the longest first."""
    wanted, turns = frozenset(covers), Turns()
    found: list[tuple[int, TableId, int, TableState, PrefixKey, int | None]] = []
    for (table, of), state in list(engine.reconciler.tables.items()):
        if of is not family:
            continue
        found += [(-key[0], table, -1, state, key, None) for key in covers if _there(state, key)]
        foreign = list(state.image.foreign)
        for start in range(0, len(foreign), FOREIGN_STEP):
            places = foreign[start : start + FOREIGN_STEP]
            found += [(-key[0], table, metric, state, key, metric) for key, metric in places if key in wanted]
            await turns.pause()
    found.sort(key=lambda item: item[:3])
    links = engine.reconciler.links
    documents: list[Document] = []
    for _, table, _, state, key, metric in found[:MOST_COVERING]:
        row = row_at(engine, state, key, metric)
        if row is not None:
            text = forwarding_text(links, row.forwarding)
            documents.append(
                {
                    "domain": row.domain,
                    "table": table,
                    "prefix": text_of(family, key),
                    "state": row.state,
                    "text": text,
                }
            )
    return documents


def _there(state: TableState, key: PrefixKey) -> bool:
    return key in state.desired or state.current(key) is not None


def _operation_text(links: Links, operation: Operation) -> str:
    now, then = forwarding_text(links, operation.before), forwarding_text(links, operation.after)
    return f"{operation.action.value} {operation.prefix} {then or now}"
