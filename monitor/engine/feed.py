"""Answers everything that may be read, from what the engine knows; nothing here changes anything."""

import ipaddress
from dataclasses import dataclass, field

from monitor.engine import doctor, overview
from monitor.engine.explain import explain
from monitor.engine.lookup import lookup
from monitor.engine.pastfeed import PastFeed
from monitor.engine.planfeed import PlanFeed
from monitor.engine.rows import MOST_ROWS, find
from monitor.engine.surroundings import Surroundings
from monitor.engine.viewfeed import ViewFeed
from monitor.errors import BadRequest
from monitor.filter import parse
from monitor.ports import Document
from programmer.route import Address


@dataclass
class EngineFeed(PlanFeed, PastFeed, ViewFeed):
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
        """Where a packet would go: three answers, a verdict, and the routes that cover the address."""
        return await lookup(self.engine, _address(address))


def _address(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(f"{text!r} is not an IP address") from None
