"""The story of change control on the lab (``lab/story.py``), as the terminal UI shows it: in pictures, and as a recording.

The story's own steps do what routers and people do elsewhere; what the node's operator does, keys do here.
"""

import asyncio
import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab import lifecycle, story
from lab.gobgpd import VERSIONS
from lab.machine import HOME, LabError, Machine
from lab.telling import BAD, WINDOW_MINUTES, Chapter, Story, change_control, moment, next_opening, place_of
from lab.topology import SHOP_NETWORK, SOURCES
from tools.screenshots.album import Album
from tools.screenshots.demo import LARGE, SMALL, digest_of
from tools.screenshots.pace import Pace
from tools.screenshots.stage import PATIENCE, StageError, Wanted, shown, tui
from tools.terminal.cast import OUTPUT, Recorder
from tools.terminal.screen import Screen
from tools.terminal.session import Terminal

CAPTION = "kubectl exec -it lab -- bgpmon"
RECORDED = (100, 30)
LONGEST_STILL = 6.0
"""Seconds for which the recording may stand still."""

NOTICE = 45.0
"""Seconds until the window may open, besides those of the story: keys and pictures take their time too."""

AROUND = f"in {SHOP_NETWORK}"


@dataclass
class Screens:
    """The terminals that look at the node: one is recorded and has the keys that decide, the others are for pictures."""

    recorded: Terminal
    others: list[Terminal]
    album: Album
    pace: Pace = field(default_factory=Pace)

    def begin(self, label: str, *, plays: float = 2.0, rests: float = 2.5) -> None:
        """Begin a scene of the recording; what a label has in double quotes is on the screen at its end."""
        self.pace.begin(time.monotonic(), label, plays=plays, rests=rests)

    async def type(self, text: str) -> None:
        """Type a text into the recorded terminal, a letter at a time, as a person does."""
        for letter in text:
            mark = self.recorded.mark()
            await self.recorded.send(letter)
            await self.recorded.until(lambda _, mark=mark: self.recorded.mark() > mark, PATIENCE)  # type: ignore[misc]

    async def everywhere(self, *keys: str) -> None:
        """Press keys on the terminals for pictures."""
        for terminal in self.others:
            await terminal.press(*keys)

    async def shoot(self, scene: str, wanted: Wanted, *, still: bool = True, patience: float = PATIENCE) -> None:
        """Take a picture on each of them."""
        for screen in await asyncio.gather(
            *(shown(terminal, wanted, still=still, patience=patience) for terminal in self.others)
        ):
            await asyncio.to_thread(self.album.add, "lab", scene, screen, CAPTION)


@dataclass
class Teller:
    """Tells parts of the story while the screens are watched."""

    story: Story
    said: io.StringIO = field(default_factory=io.StringIO)

    async def tell(self, title: str, first: int = 0, end: int | None = None) -> None:
        """Take the steps of a chapter from *first* up to *end*."""
        chapter = next(chapter for chapter in story.CHAPTERS if chapter.title == title)
        steps = tuple(
            step._replace(then=choose_window) if step.then is Story.choose_window else step for step in chapter.steps
        )
        await self.do(lambda: self.story.tell((Chapter(title, steps[first:end]),)))

    async def do(self, act: Callable[[], object]) -> None:
        """Have something of the story done beside the screens, which are read meanwhile.  Raises StageError."""
        try:
            with contextlib.redirect_stdout(self.said):
                await asyncio.to_thread(act)
        except LabError as problem:
            raise StageError(f"{problem}\n{self.said.getvalue()[-2000:]}") from problem


def choose_window(told: Story) -> None:
    """Write the change control of the story; its window opens late enough for those who press keys."""
    told.opens = next_opening(time.time() + NOTICE)
    told.facts["opens"] = moment(told.opens)
    shut_since = datetime.fromtimestamp(told.opens - WINDOW_MINUTES * 60, UTC)
    (place_of("node") / "change-control.yaml").write_text(change_control(shut_since))


def take(album: Album, *, pictures: bool, recording: bool) -> None:
    """Tell the story on the lab that runs, or on one that is there for it alone.  Raises StageError."""
    try:
        with _machine() as machine, story.stage(machine) as told:
            screens = asyncio.run(_watch(told, album, pictures=pictures))
    except LabError as problem:
        raise StageError("\n".join((str(problem), *getattr(problem, "__notes__", ())))) from problem
    if recording:
        _record(screens, album)


@contextlib.contextmanager
def _machine() -> Iterator[Machine]:
    started = Machine.load() is None
    if started:
        lifecycle.up(VERSIONS[0], SOURCES[0])
    try:
        with lifecycle.alone():
            yield lifecycle.standing()
    finally:
        if started:
            lifecycle.down()


def _record(screens: Screens, album: Album) -> None:
    """Write the recording, every scene at its pace."""
    terminal, pace = screens.recorded, screens.pace
    recorder = Recorder(*RECORDED, title="bgpmon: change control in five minutes", idle_time_limit=LONGEST_STILL)
    happened: list[tuple[float, int, Any]] = [(at, 0, label) for at, label in pace.markers()]
    happened += [(pace.played(chunk.at), 1, chunk) for chunk in terminal.chunks if chunk.at <= pace.ended]
    for at, kind, what in sorted(happened, key=lambda one: one[:2]):
        if kind == 0:
            recorder.marker(at, what)
        else:
            recorder.feed(at, bytes(terminal.raw[what.start : what.end]))
    recorder.finish()
    # a player goes back to the beginning with the last event: what is shown last stays until then
    last = recorder.events[-1]
    recorder.events.append(last._replace(at=round(last.at + pace.parts[-1].rests, 6), code=OUTPUT, data=""))
    album.record(recorder.text(), RECORDED, pace.seconds, [label for _, label in pace.markers()])


async def _watch(told: Story, album: Album, *, pictures: bool) -> Screens:
    run_dir = HOME / "bgpmon"
    async with contextlib.AsyncExitStack() as stack:
        recorded = await stack.enter_async_context(tui(run_dir, columns=RECORDED[0], rows=RECORDED[1]))
        sizes = (SMALL, LARGE) if pictures else ()
        others = [await stack.enter_async_context(tui(run_dir, columns=size[0], rows=size[1])) for size in sizes]
        screens = Screens(recorded, others, album)
        await walk(screens, Teller(told))
    return screens


async def walk(screens: Screens, teller: Teller) -> None:
    """Tell the whole story: the node's operator by keys, everybody else by the story's own commands."""
    await _before(screens)
    await _bad_route(screens, teller)
    digest = await _frozen(screens, teller)
    await _signed(screens, teller, digest)
    await _soaked(screens, teller)
    screens.pace.end(time.monotonic())
    await teller.tell("Mended")


def failing(screen: Screen) -> bool:
    """Whether a plan soaks and its probe fails."""
    return "TIME LEFT" in screen.text and "!! shop" in screen.text


async def _before(screens: Screens) -> None:
    screens.begin('The node, and a service behind it that a pod calls all the time: "PEERS"', plays=1)
    await shown(screens.recorded, "PEERS")
    await screens.shoot("lab-overview", "DOMAINS")
    await screens.everywhere("2")
    await screens.shoot("lab-peers", "received")


async def _bad_route(screens: Screens, teller: Teller) -> None:
    recorded = screens.recorded
    screens.begin(f'Somebody announces a part of the service\'s network: "{BAD}" is pending', plays=4)
    await teller.tell("A service, two people, and rules")
    await teller.tell("A bad route")
    await screens.type("4/")
    await screens.type(AROUND)
    await recorded.press("enter")
    await shown(recorded, lambda screen: BAD in screen.text and "matches" not in screen.text)
    for terminal in screens.others:
        await terminal.press("4", "/")
        await terminal.send(AROUND)
        await terminal.until("matches", PATIENCE)
        await terminal.press("enter")
    await screens.shoot("lab-routes", lambda screen: BAD in screen.text and "matches" not in screen.text)
    screens.begin('What bgpmon would do: the plan is "live, not frozen", and its risk is high', rests=3)
    await recorded.press("5")
    await shown(recorded, lambda screen: "live, not frozen" in screen.text and "RISK HIGH" in screen.text)


async def _frozen(screens: Screens, teller: Teller) -> str:
    """Freeze the plan by keys; the first block of its digest."""
    recorded = screens.recorded
    screens.begin('Whoever changes something unlocks first: "unlocked"', plays=3, rests=1.5)
    await recorded.press("W")
    await recorded.until("UNLOCK", PATIENCE)
    await screens.type("oncall")
    await recorded.press("enter", "enter")
    await shown(recorded, lambda screen: "unlocked oncall" in screen.text and "UNLOCK" not in screen.text)
    screens.begin('People agree to something that stays: the plan is "FROZEN"', plays=4, rests=3)
    await recorded.press("F")
    await recorded.until("FREEZE PLAN", PATIENCE)
    await screens.type("class=monitored")
    await recorded.press("enter", "enter")
    block = digest_of(await shown(recorded, "FROZEN"))
    await teller.do(teller.story.remember_the_plan)
    await screens.everywhere("5")
    await screens.shoot("lab-waiting", lambda screen: "FROZEN" in screen.text and block in screen.text)
    return block


async def _signed(screens: Screens, teller: Teller, block: str) -> None:
    recorded = screens.recorded
    screens.begin('Root on the node is one person, and nobody knows which: "2 people must agree"', plays=4, rests=3)
    await recorded.press("A")
    await recorded.until("APPROVE PLAN", PATIENCE)
    await screens.type(block)
    await recorded.press("enter", "enter")
    await recorded.until("2 people must agree", PATIENCE)
    screens.begin('So there is a text to sign, on your own machine: "ssh-keygen -Y sign"', rests=3.5)
    await recorded.press("escape")
    await shown(recorded, "FROZEN")
    await recorded.press("S")
    await recorded.until("ssh-keygen -Y sign", PATIENCE)
    await screens.everywhere("S")
    await screens.shoot("lab-sign", "ssh-keygen -Y sign")
    await screens.everywhere("escape")
    screens.begin('Alice signs on hers: "alice@example.net approve"', rests=2.5)
    await recorded.press("escape")
    await teller.tell("Two people", 1, 5)
    await recorded.until("alice@example.net", PATIENCE)
    screens.begin('Bob has a look as well, and signs. The window is shut, so the plan waits: "QUEUED"', rests=3)
    await teller.tell("Two people", 5)
    await shown(recorded, "QUEUED")
    await screens.shoot("lab-queued", "QUEUED")


async def _soaked(screens: Screens, teller: Teller) -> None:
    recorded = screens.recorded

    async def watch() -> None:
        await recorded.until("TIME LEFT", 2 * PATIENCE)
        screens.begin('It is watched. A probe does not reach the service any more: "!! shop"', plays=2, rests=3)
        await recorded.until(failing, PATIENCE, "no probe fails")
        screens.begin('Three failures in a row: "everything is as it was before". Nobody typed anything', rests=4)

    screens.begin('The window opens, and the plan is applied: "TIME LEFT"', plays=4, rests=2)
    await asyncio.gather(
        teller.tell("The window"),
        watch(),
        # The window may open only after two minutes.
        screens.shoot("lab-soaking", failing, still=False, patience=3 * PATIENCE),
    )
    await shown(recorded, "everything is as it was before")
    await screens.shoot("lab-rolled-back", "everything is as it was before")
    await teller.tell("What happened")
