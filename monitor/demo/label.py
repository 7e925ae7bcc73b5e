"""Puts the word "simulated" into every answer, so that no screen and no program takes the demo for a node."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from monitor.demo import NOTICE
from monitor.ports import Control, Document, Feed


def labelled(document: Document) -> Document:
    """Return the document with ``simulated: true``."""
    return {"simulated": True, **document}


class LabelledControl:
    """A face of the daemon whose every answer is labelled, whatever calls it has."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Document]]:
        call = getattr(self._inner, name)

        async def answer(*arguments: Any, **named: Any) -> Document:
            return labelled(await call(*arguments, **named))

        return answer


class LabelledFeed(LabelledControl):
    """The same for what may be read; the first check says what this is."""

    async def doctor(self) -> Document:
        """See ``Feed``."""
        document: Document = await self._inner.doctor()  # type: ignore[attr-defined]
        items = document["items"]
        assert isinstance(items, list)
        first = {"check": "simulation", "ok": True, "detail": f"DEMO: {NOTICE}", "fix": ""}
        return labelled(document | {"items": [first, *items]})


def faces(feed: Feed, control: Control) -> tuple[Feed, Control]:
    """Return what a demo serves in place of the engine's own answers."""
    return cast("Feed", LabelledFeed(feed)), cast("Control", LabelledControl(control))
