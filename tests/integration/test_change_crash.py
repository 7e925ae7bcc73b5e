"""bgpmon dies in every step of a change, and the kernel is as it was before, or as it was confirmed."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.routes import bulk
from monitor.errors import ApiError
from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.change import (
    FOREIGN,
    UNDECIDED,
    applied,
    audited,
    becomes,
    call,
    controlled,
    dump,
    foreign,
    frozen,
    pending,
    states_in_journal,
    written_since,
)
from tests.support.gobgpd import VERSIONS
from tests.support.router import Bird
from tests.support.site import NET, Site, Wires, node, ready
from tests.support.wait import pass_time, until
from tests.support.watch import Watch, watching

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
TOLD = [route.prefix for route in bulk(3000)]
GONE, KEPT, NEW = TOLD[:1000], TOLD[1000:2000], TOLD[2000:]
"""What the change removes, what it gives a second next hop, and what it adds; the other way round on the way back."""
SIZE = len(TOLD)
STEPS = ("freeze", "approve", "apply", "apply", "soak", "confirm", "rollback", "rollback")
ROUNDS = 2
MISSED = {"apply": "applying", "soak": "soaking", "rollback": "rolling-back"}
MOST_KILLS = 40
SOAK = {"duration": "10m"}


@dataclass
class Story:
    """One node through many crashes.  ``before`` is its kernel before the change that is under way, ``after`` once confirmed."""

    here: Site
    bgpmon: Bgpmon
    watch: Watch
    dice: random.Random
    before: dict[str, str]
    digest: str = ""

    async def table_moves(self) -> None:
        """Wait until the table of the domain is no longer as it is now."""
        first = self.routes()
        await until(lambda: self.routes() != first, timeout=30, what="the first write", every=0.005)

    def routes(self) -> str:
        return self.here.node.run("sh", "-c", "ip route show table 101 | cksum").stdout

    async def freeze(self) -> None:
        self.digest = await frozen(self.bgpmon, SIZE)

    async def approve(self) -> None:
        await self.freeze()
        answer = await call(self.bgpmon, "approve", self.digest)
        assert (answer["state"], answer["applied"]) == ("soaking", SIZE), answer

    async def killed_while(self, work: Awaitable[object], since: Callable[[], Awaitable[None]], longest: float) -> None:
        """Kill the daemon at a random moment after *since*, while *work* is under way or has just ended."""
        task = asyncio.ensure_future(work)
        try:
            await since()
            await pass_time(self.dice, longest)
            await self.bgpmon.kill()
        finally:
            with contextlib.suppress(ApiError, AssertionError):
                await task

    async def crash(self, step: str) -> None:
        """Come to a step, and die in it."""
        ask = self.bgpmon
        match step:
            case "freeze":
                await pending(ask, SIZE)
                await self.killed_while(call(ask, "freeze"), _at_once, 0.3)
            case "approve":
                await self.freeze()
                await self.killed_while(call(ask, "approve", self.digest), _at_once, 0.15)
            case "apply":
                await self.freeze()
                await self.killed_while(call(ask, "approve", self.digest), self.table_moves, 0.06)
            case "soak":
                await self.approve()
                await self.killed_while(_at_once(), _at_once, 0.5)
            case "confirm":
                await self.approve()
                await self.killed_while(call(ask, "confirm", self.digest), _at_once, 0.03)
            case "rollback":
                await self.approve()
                await self.killed_while(call(ask, "roll_back", self.digest), self.table_moves, 0.04)


async def _at_once() -> None:
    return


async def _turned(story: Story, east: Bird, twin: Bird, *, forth: bool) -> None:
    """Have the routers want the other of the two sets."""
    await (east.mute() if forth else east.unmute())
    if forth:
        await twin.announce(*KEPT, *NEW)
    else:
        await twin.withdraw(*KEPT, *NEW)
    await pending(story.bgpmon, SIZE)


async def test_a_crash_in_any_step_leaves_the_kernel_as_it_was_or_as_it_was_confirmed(
    daemon_directory: Path, wires: Wires, record_property: Callable[[str, object], None]
) -> None:
    foreign(wires)
    async with (
        node(NEWEST, daemon_directory, wires, "east", "twin") as here,
        here.bird("east", NET, *KEPT) as east,
        here.bird("twin") as twin,
        running_bgpmon(controlled(here, soak=SOAK), daemon_directory / "b") as bgpmon,
    ):
        await east.load(len(GONE))
        await applied(bgpmon, len(GONE) + len(KEPT) + 2, confirm=True)
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(0)
            story = Story(here, bgpmon, watch, random.Random(29), dump(here))
            hit: Counter[str] = Counter()
            forth = True
            await _turned(story, east, twin, forth=forth)
            steps = list(STEPS) * ROUNDS
            story.dice.shuffle(steps)
            for number in itertools.count(1):
                if not steps:
                    # Chance may have missed a short step every time.
                    steps = [step for step, state in MISSED.items() if not hit[state]]
                    if not steps or number > MOST_KILLS:
                        break
                step = steps.pop()
                await story.crash(step)
                states = states_in_journal(bgpmon)
                hit[states.get(story.digest, "nothing") if step != "freeze" else "frozen"] += 1
                if await _returns(story, states, 2 * number):
                    story.before = dump(here)
                    forth = not forth
                    await _turned(story, east, twin, forth=forth)
            assert not watch.elsewhere(), "the tables of others are left alone"
            assert not [line for line in watch.ours() if FOREIGN in line]
        record_property("states in which bgpmon was killed", dict(hit))
        for state in UNDECIDED:
            assert hit[state], hit
        # After all of this the way is free: the change is made, and stays.
        await applied(bgpmon, SIZE, confirm=True)
        await ready(bgpmon)
        await audited(bgpmon)


async def _returns(story: Story, states: dict[str, str], number: int) -> bool:
    """Start the daemon again and see what it makes of the change; says whether that was confirmed before."""
    bgpmon, here = story.bgpmon, story.here
    state = states.get(story.digest, "")
    dead = dump(here)
    seen = await story.watch.mark(number)
    bgpmon.launch()
    if state in UNDECIDED:
        if story.dice.random() < 0.5:
            # The next life may end while it takes the change back.
            await pass_time(story.dice, 1.2)
            await bgpmon.kill()
            bgpmon.launch()
        await until(lambda: _decided(story), timeout=60, what="the undecided change to be taken back")
        await story.watch.mark(number + 1)
        touched = written_since(story.watch.lines()[seen:])
        lines = set(dead["101"].splitlines()) ^ set(story.before["101"].splitlines())
        differs = {line.split()[0] for line in lines}
        assert set(touched) == differs, "it took back what was written, and wrote nothing else"
        assert len(touched) == len(set(touched)), "each once"
        assert dump(here) == story.before
    await ready(bgpmon)
    if state == "approved":
        # It was released, and nothing of it written: it goes ahead, and soaks.
        document = await becomes(bgpmon, story.digest, "soaking", "expired")
        assert document["state"] == "soaking", document["detail"]
        await call(bgpmon, "roll_back", story.digest)
    await audited(bgpmon)
    now = dump(here)
    if state == "confirmed":
        assert now == dead, "a confirmed change stays"
        assert now != story.before
        return True
    assert now == story.before, f"killed in {state}"
    return False


async def _decided(story: Story) -> bool:
    document = await story.bgpmon.ask("plan", story.digest)
    assert document["state"] == "rolled-back", document["state"]
    assert document["progress"]["reverted"]["clean"], document["progress"]["reverted"]
    return True
