"""Answers everything that may be read, from what the engine knows; nothing here changes anything."""

import ipaddress
from dataclasses import dataclass, field

from monitor.engine import doctor, overview
from monitor.engine.explain import explain
from monitor.engine.pastfeed import PastFeed
from monitor.engine.planfeed import PlanFeed
from monitor.engine.rows import MOST_ROWS, find
from monitor.engine.surroundings import Surroundings
from monitor.engine.text import forwarding_text
from monitor.errors import BadRequest
from monitor.filter import parse
from monitor.ports import Document
from programmer.fib import Links
from programmer.plan import Operation
from programmer.route import Address, Family, covering_key, host_key, text_of


@dataclass
class EngineFeed(PlanFeed, PastFeed):
    """The read half of the API.  ``description`` is the kernel's."""

    description: str = field(default="", kw_only=True)
    around: Surroundings = field(default_factory=Surroundings, kw_only=True)

    async def status(self) -> Document:
        """``{node, mode, ready, domains, peers, plan, …}``."""
        document = await overview.status(self.engine, self.description)
        said: list[str] = self.change.warnings()
        warnings = document["warnings"]
        assert isinstance(warnings, list)
        return document | {"change": self.change.document(), "warnings": said + warnings}

    async def peers(self, address: str = "") -> Document:
        """``{items}``."""
        if address:
            _address(address)
        found = [table for table in self.engine.peers.values() if not address or table.peer.id.address == address]
        if address and not found:
            raise BadRequest(f"no peer {address}; `bgpmon peers` lists them")
        ordered = sorted(found, key=lambda item: item.peer.id)
        return {"items": [overview.peer_document(self.engine, table) for table in ordered]}

    async def domains(self) -> Document:
        """``{items}`` with the funnel, reasons, rules and guards."""
        return await overview.domains(self.engine)

    async def routes(self, filter_text: str = "", domain: str = "", limit: int = 1000) -> Document:
        """``{items, total, truncated}``, by table, family and prefix; *limit* 0 means as many as one answer holds."""
        if domain and domain not in self.engine.domains:
            raise BadRequest(f"no domain {domain!r}; there are {', '.join(self.engine.domains)}")
        return await find(self.engine, parse(filter_text), domain, min(limit or MOST_ROWS, MOST_ROWS))

    async def explain(self, prefix: str, domain: str = "") -> Document:
        """Why a route is there, or why not."""
        return explain(self.engine, prefix, domain)

    async def doctor(self) -> Document:
        """``{items: [{check, ok, detail, fix}]}``."""
        return await doctor.doctor(self.engine, self.description, self.around)

    async def lookup(self, address: str) -> Document:
        """Where a packet would go: three answers and a verdict."""
        target = _address(address)
        family = Family.IPV4 if target.version == 4 else Family.IPV6
        links = self.engine.reconciler.links
        kernel = await self.engine.reconciler.fib.lookup(target)
        if kernel.error:
            said: Document = {"text": "the kernel knows no way", "errno": kernel.error}
        else:
            via = f"via {kernel.gateway} " if kernel.gateway else ""
            words = f"{kernel.matched or target} {via}dev {kernel.interface} table {kernel.table}"
            said = {"text": words, "table": kernel.table, "interface": kernel.interface, "protocol": kernel.protocol,
                    "gateway": str(kernel.gateway) if kernel.gateway else None}  # fmt: skip
        wants: list[str] = []
        plans: list[str] = []
        host = host_key(target.packed)
        for (table, of), state in self.engine.reconciler.tables.items():
            if of is not family:
                continue
            covers = [covering_key(host, length) for length in range(family.bits, -1, -1)]
            best = next((key for key in covers if key in state.desired), None)
            if best is not None:
                name = self.engine.describe(table, family, best)
                wants.append(f"{name}: {text_of(family, best)} {forwarding_text(links, state.desired[best])}")
            plans += [_operation_text(links, state.operation(key)) for key in covers if key in state.difference]
        ours = kernel.error == 0 and kernel.protocol == self.engine.config.protocol
        verdict = said["text"] if not ours else f"{said['text']}: a route of ours"
        return {
            "address": str(target),
            "bgp": {"text": "; ".join(wants) or "no domain wants a route for it", "items": wants},
            "kernel": said,
            "plan": {"text": "; ".join(plans) or "no change pending", "items": plans},
            "verdict": verdict,
        }


def _address(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(f"{text!r} is not an IP address") from None


def _operation_text(links: Links, operation: Operation) -> str:
    now, then = forwarding_text(links, operation.before), forwarding_text(links, operation.after)
    return f"{operation.action.value} {operation.prefix} {then or now}"
