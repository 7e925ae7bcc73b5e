"""What happens in the simulated network while one looks on.

Steps are drawn from the seed and nothing else: the same seed gives the same steps in the same order, whatever the pace.
"""

import asyncio
import logging
import random
from dataclasses import dataclass

from monitor.demo.speaker import Speaker
from monitor.demo.table import TRANSIT, Announcement, Restless, Tables

log = logging.getLogger("bgpmon.demo")


@dataclass(frozen=True, slots=True)
class Flap:
    """Sessions of one machine that fall and return: at the steps whose remainder by ``period`` is ``down`` and ``up``."""

    sessions: tuple[str, ...]
    period: int
    down: int
    up: int


FLAPS = (
    Flap(("edge2", "edge2-v6"), 300, 120, 150),
    Flap(("san1",), 500, 230, 260),
)
"""An edge router that goes and takes its routes along, and a storage router that restarts gracefully."""

CHANGE_CHANCE = 0.6
"""Of the routes that vary: how often one that is there changes instead of going."""


class Churn:
    """Moves restless routes and lets sessions flap, one step at a time."""

    def __init__(self, speaker: Speaker, tables: Tables, seed: int) -> None:
        self._speaker = speaker
        self._late = tables.late
        self._restless = tables.restless
        self._dice = random.Random(seed)  # noqa: S311 - a repeatable show, not a secret
        self._steps = 0

    def begin(self) -> None:
        """Announce what is late."""
        for one in self._late:
            self._speaker.announce(one.router, one.announcement)

    def step(self) -> str:
        """Let one thing happen and return what it was, in a few words."""
        self._steps += 1
        for flap in FLAPS:
            at = self._steps % flap.period
            if at in {flap.down, flap.up}:
                return self._flap(flap, down=at == flap.down)
        return self._move(self._dice.choice(self._restless))

    async def run(self, rate: float) -> None:
        """Make *rate* steps a second until cancelled."""
        while True:
            await asyncio.sleep(1.0 / rate)
            log.debug("%s", self.step())

    def _flap(self, flap: Flap, *, down: bool) -> str:
        for name in flap.sessions:
            if down:
                self._speaker.drop(name)
            else:
                self._speaker.establish(name)
        words = f"{', '.join(flap.sessions)}: {'down' if down else 'up again'}"
        log.info("simulated: %s", words)
        return words

    def _move(self, restless: Restless) -> str:
        name, first = restless.router, restless.announcement
        there = first.prefix in self._speaker.sessions[name].table
        if there and restless.varies and self._dice.random() < CHANGE_CHANCE:
            self._speaker.announce(name, self._varied(first))
            return f"{name} changes {first.prefix}"
        if there:
            self._speaker.withdraw(name, first.prefix)
            return f"{name} withdraws {first.prefix}"
        self._speaker.announce(name, first)
        return f"{name} announces {first.prefix}"

    def _varied(self, first: Announcement) -> Announcement:
        """Return another version of a route: a detour of up to two networks, and a MED."""
        detour = tuple(self._dice.choice(TRANSIT) for _ in range(self._dice.randint(0, 2)))
        path = (*first.as_path[:1], *detour, *first.as_path[1:])
        return first._replace(as_path=path, med=self._dice.choice((None, 10, 50)))
