"""Puts the word "simulated" into every answer, so that no screen and no program takes the demo for a node."""

from dataclasses import dataclass

from monitor.demo import NOTICE
from monitor.ports import Control, Document, Feed


def labelled(document: Document) -> Document:
    """Return the document with ``simulated: true``."""
    return {"simulated": True, **document}


@dataclass(frozen=True, slots=True)
class LabelledFeed:
    """A Feed whose every document says that it is simulated."""

    feed: Feed

    async def status(self) -> Document:
        """See ``Feed.status``."""
        return labelled(await self.feed.status())

    async def peers(self, address: str = "") -> Document:
        """See ``Feed.peers``."""
        return labelled(await self.feed.peers(address))

    async def domains(self) -> Document:
        """See ``Feed.domains``."""
        return labelled(await self.feed.domains())

    async def routes(self, filter_text: str = "", domain: str = "", limit: int = 1000) -> Document:
        """See ``Feed.routes``."""
        return labelled(await self.feed.routes(filter_text, domain, limit))

    async def explain(self, prefix: str, domain: str = "") -> Document:
        """See ``Feed.explain``."""
        return labelled(await self.feed.explain(prefix, domain))

    async def lookup(self, address: str) -> Document:
        """See ``Feed.lookup``."""
        return labelled(await self.feed.lookup(address))

    async def plan(self, digest: str = "") -> Document:
        """See ``Feed.plan``."""
        return labelled(await self.feed.plan(digest))

    async def history(self, prefix: str = "", limit: int = 100) -> Document:
        """See ``Feed.history``."""
        return labelled(await self.feed.history(prefix, limit))

    async def doctor(self) -> Document:
        """See ``Feed.doctor``; the first check says what this is."""
        document = await self.feed.doctor()
        items = document["items"]
        assert isinstance(items, list)
        first = {"check": "simulation", "ok": True, "detail": f"DEMO: {NOTICE}", "fix": ""}
        return labelled(document | {"items": [first, *items]})


@dataclass(frozen=True, slots=True)
class LabelledControl:
    """A Control whose every document says that it is simulated."""

    control: Control

    async def freeze(self, actor: str) -> Document:
        """See ``Control.freeze``."""
        return labelled(await self.control.freeze(actor))

    async def approve(self, digest: str, actor: str) -> Document:
        """See ``Control.approve``."""
        return labelled(await self.control.approve(digest, actor))

    async def reject(self, digest: str, reason: str, actor: str) -> Document:
        """See ``Control.reject``."""
        return labelled(await self.control.reject(digest, reason, actor))

    async def reload(self, actor: str) -> Document:
        """See ``Control.reload``."""
        return labelled(await self.control.reload(actor))

    async def withdraw_all(self, actor: str) -> Document:
        """See ``Control.withdraw_all``."""
        return labelled(await self.control.withdraw_all(actor))


def faces(feed: Feed, control: Control) -> tuple[Feed, Control]:
    """Return both, labelled."""
    return LabelledFeed(feed), LabelledControl(control)
