"""One scenario while it runs: its steps in turn, and the registers of what a step may say."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from monitor.rib.path import PeerId
from tests.support.scenario_stage import Router, Stage

KEYS = {"story", "routers", "config", "steps"}

Act = Callable[["Story", re.Match[str]], Awaitable[None] | None]
"""What a sentence does."""
Check = Callable[["Story", str, Any], Awaitable[None] | None]
"""What a statement asserts: the words behind its first one, and what is stated."""

SENTENCES: list[tuple[re.Pattern[str], Act]] = []
STATEMENTS: dict[str, Check] = {}


def sentence(pattern: str) -> Callable[[Act], Act]:
    """Register what happens when a step reads as *pattern*."""

    def register(act: Act) -> Act:
        SENTENCES.append((re.compile(pattern), act))
        return act

    return register


def statement(word: str) -> Callable[[Check], Check]:
    """Register what a step asserts whose key begins with *word*."""

    def register(check: Check) -> Check:
        STATEMENTS[word] = check
        return check

    return register


class Story:
    """One scenario.  ``digest`` is the plan that was frozen last, ``answer`` what the last person was told.

    ``digests`` are all plans that were frozen, in order.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        assert document.keys() == KEYS, f"a scenario has exactly {', '.join(sorted(KEYS))}"
        assert document["story"].strip(), "a story needs its sentence"
        self.steps = document["steps"]
        self.stage = Stage(document["config"])
        for name, said in document["routers"].items():
            self.stage.routers[name] = _router(dict(said))
        self.digest = ""
        self.digests: list[str] = []
        self.answer: dict[str, Any] = {}
        self.seen_writes = 0

    async def run(self) -> None:
        """Go through every step; the AssertionError says which one does not hold."""
        await self.stage.start()
        try:
            for number, step in enumerate(self.steps, 1):
                try:
                    await self._take(step)
                except Exception as error:
                    raise AssertionError(f"step {number}, {step!r}: {error}") from error
        finally:
            await self.stage.stop()

    async def _take(self, step: Any) -> None:
        if isinstance(step, str):
            await self.happen(step)
            return
        ((key, stated),) = step.items()
        word, _, rest = key.partition(" ")
        assert word in STATEMENTS, f"no statement begins with {word!r}; there are {', '.join(STATEMENTS)}"
        waiting = STATEMENTS[word](self, rest, stated)
        if waiting is not None:
            await waiting

    async def happen(self, text: str) -> None:
        """Carry out one sentence, and let the daemon react."""
        found = [(match, act) for pattern, act in SENTENCES if (match := pattern.fullmatch(text))]
        assert len(found) == 1, f"{len(found)} sentences read so"
        match, act = found[0]
        waiting = act(self, match)
        if waiting is not None:
            await waiting
        await self.stage.settle()

    def router(self, name: str) -> Router:
        """Return the router called *name*."""
        assert name in self.stage.routers, f"no router {name!r}; there are {', '.join(self.stage.routers)}"
        return self.stage.routers[name]


def _router(said: dict[str, Any]) -> Router:
    peer = PeerId(said.pop("source", "fabric"), str(said.pop("address")))
    return Router(peer, **said)
