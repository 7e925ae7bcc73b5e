"""The walk through the demo: every screen, and a decision from freeze to the way back."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tools.screenshots import stage
from tools.screenshots.album import Album
from tools.screenshots.stage import Wanted, client, resized, shown, until
from tools.terminal.screen import Screen
from tools.terminal.session import Terminal

SMALL, LARGE, NARROW = (80, 24), (160, 45), (40, 12)
SIZES = (SMALL, LARGE)

WORDS = ("--seed", "1", "--rate", "3", "--soak", "2m")
CAPTION = "kubectl exec -it demo-node -- bgpmon"
LEAST, MOST = 4, 80
"""How many operations may be pending when the live plan is shown: some, and a table that can be read."""

MOVED = 15
"""Routes that moved, after which rates and events have something to show: a router has gone and returned by then."""

ADDRESS = "10.9.200.5"
"""An address whose route meets somebody else's."""


class Walk:
    """Keys on one terminal, and a picture of what they bring in every size."""

    def __init__(self, terminal: Terminal, album: Album) -> None:
        self.terminal = terminal
        self.album = album

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.terminal.press(*keys)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.terminal.send(text)

    async def leave(self, wanted: Wanted) -> None:
        """Press escape alone: with another key right behind it, it would be that key together with alt."""
        await self.terminal.press("escape")
        await self.see(wanted)

    async def see(self, wanted: Wanted) -> Screen:
        """Wait until the screen shows it."""
        return await shown(self.terminal, wanted)

    async def shoot(self, scene: str, wanted: Wanted, sizes: Iterable[tuple[int, int]] = SIZES) -> None:
        """Take a picture in each size; the terminal has the first one again afterwards."""
        sizes = tuple(sizes)
        for columns, rows in sizes:
            await resized(self.terminal, columns, rows)
            screen = await self.see(wanted)
            await asyncio.to_thread(self.album.add, "demo", scene, screen, CAPTION)
        await resized(self.terminal, *sizes[0])


def calm(run_dir: Path) -> bool:
    """Whether every session is up, nothing soaks, and a handful of operations is pending."""
    status = client(run_dir, "status")
    pending = sum(
        sum(family["pending"].values()) for domain in status["domains"] for family in domain["families"].values()
    )
    up = all(peer["state"] == "established" for peer in client(run_dir, "peers")["items"])
    whole = all(domain["state"] == "complete" for domain in status["domains"])
    return bool(up and whole and status["ready"] and LEAST <= pending <= MOST and not status["change"]["in_flight"])


def apply_all(run_dir: Path) -> None:
    """Have everything that is pending written: most routes are in place on a node that is worth looking at."""
    digest = client(run_dir, "plan", "freeze")["digest"]
    client(run_dir, "approve", digest, codes=(0, 1))
    client(run_dir, "confirm", digest)


def changed(run_dir: Path) -> str:
    """A prefix of which a change is pending."""
    rows: list[dict[str, Any]] = client(run_dir, "routes", "state=change and domain=internet and af=ipv4")["items"]
    return str(rows[0]["prefix"] if rows else "0.0.0.0/0")


def digest_of(screen: Screen) -> str:
    """The first block of the digest that a screen shows.  Raises StageError."""
    found = re.search(r"digest +([0-9a-f]{4})-[0-9a-f]{4}-[0-9a-f]{4}", screen.text)
    if found is None:
        raise stage.StageError(f"no digest on the screen\n{screen}")
    return found[1]


async def take(album: Album) -> None:
    """Make every picture of the demo."""
    with stage.place() as directory:
        async with stage.demo(directory, *WORDS) as run_dir:
            await asyncio.to_thread(apply_all, run_dir)
            await until(lambda: _has_moved(run_dir), "enough routes to move", 3 * stage.PATIENCE)
            await until(lambda: calm(run_dir), "a calm moment of the demo", 3 * stage.PATIENCE)
            async with stage.tui(run_dir, columns=80, rows=24) as terminal:
                walk = Walk(terminal, album)
                await _looks(walk)
                await _searches(walk, run_dir)
                await _decides(walk, run_dir)
            await _elsewhere(album, run_dir)


def _has_moved(run_dir: Path) -> bool:
    return len(client(run_dir, "routes", "age<5m")["items"]) >= MOVED


def _whole(screen: Screen) -> bool:
    """Whether everything on the overview has arrived: where there is room, also what needs a look."""
    wanted = re.search(r"NEED A LOOK +[1-9]", screen.text) if screen.columns >= LARGE[0] else "DOMAINS" in screen.text
    return bool(wanted)


async def _looks(walk: Walk) -> None:
    await walk.see("PEERS")
    await walk.shoot("overview", _whole)
    await walk.press("2")
    await walk.see("received")
    await walk.press("down", "down", "down")
    await walk.shoot("peers", "source fabric")
    await walk.press("3")
    await walk.see("eligible")
    await walk.press("down")
    await walk.shoot("domains", "internet ipv4  table")
    await walk.press("4")
    await walk.shoot("routes", "sort prefix")
    await walk.press("?")
    await walk.shoot("help", "WHAT WORKS HERE")
    await walk.leave("sort prefix")
    await walk.press("6")
    await walk.shoot("events", "RECORD")
    await walk.press("8")
    await walk.shoot("health", "CHECKS")
    await walk.press("ctrl+p")
    await walk.see("WHAT DO YOU WANT TO DO?")
    await walk.type("roll")
    await walk.shoot("palette", "rollback")
    await walk.leave("CHECKS")


async def _searches(walk: Walk, run_dir: Path) -> None:
    prefix = await asyncio.to_thread(changed, run_dir)
    await walk.press("4")
    await walk.see("sort prefix")
    await walk.press("/")
    await walk.type("in 20.0.0.0/8 and ecmp>1")
    await walk.shoot("filter", "matches")
    await walk.leave("[/]filter")
    await walk.press("/")
    await walk.type("prefx=10.0.0.0/8")
    await walk.shoot("filter-bad", lambda screen: "prefx" in screen.text and "!!" in screen.text)
    await walk.leave("[/]filter")
    await walk.press("/")
    await walk.type("age<5m")
    await walk.see("matches")
    await walk.press("enter")
    await walk.see("age<5m")
    await walk.shoot("moved", "age<5m")
    await walk.press(":")
    await walk.type(f"explain {prefix}")
    await walk.press("enter")
    await walk.shoot("route", lambda screen: "WANT" in screen.text and prefix in screen.text)
    await walk.press("7")
    await walk.shoot("lookup", "Where would this go?")
    await walk.type(ADDRESS)
    await walk.press("enter")
    await walk.shoot("lookup-answered", "VERDICT")
    await walk.press(":")
    await walk.type("window list")
    await walk.see("window list")
    await walk.press("enter")
    await walk.shoot("windows", "no windows are configured")
    await walk.leave("VERDICT")


async def _unlock(walk: Walk, *, shoot: bool) -> None:
    await walk.press("W")
    await walk.see("UNLOCK")
    if shoot:
        await walk.shoot("unlock", "UNLOCK")
    await walk.type("alice")
    await walk.see("alice")
    await walk.press("enter", "enter")
    await walk.see(lambda screen: "unlocked alice" in screen.text and "UNLOCK" not in screen.text)


async def _freeze(walk: Walk, run_dir: Path, *, shoot: bool) -> str:
    """Freeze what is pending in two domains; the first block of the digest."""
    await until(lambda: calm(run_dir), "a calm moment of the demo", 3 * stage.PATIENCE)
    await walk.press(":")
    await walk.type("plan")
    await walk.press("enter")
    await walk.see("live, not frozen")
    await walk.press("F")
    await walk.see("FREEZE PLAN")
    await walk.type("domain=internet")
    if shoot:
        await walk.shoot("freeze", "domain=internet")
    await walk.press("enter", "enter")
    return digest_of(await walk.see("FROZEN"))


async def _approve(walk: Walk, block: str, *, shoot: bool) -> None:
    await walk.press("A")
    await walk.see("APPROVE PLAN")
    await walk.type(block)
    if shoot:
        await walk.shoot("approve", "APPROVE PLAN")
    await walk.press("enter", "enter")
    await walk.see("SOAKING")


async def _decides(walk: Walk, run_dir: Path) -> None:
    await until(lambda: calm(run_dir), "a calm moment of the demo", 3 * stage.PATIENCE)
    await walk.press("5")
    await walk.shoot("plan-live", "live, not frozen")
    await _unlock(walk, shoot=True)
    block = await _freeze(walk, run_dir, shoot=True)
    await walk.shoot("plan-frozen", "FROZEN")
    await _approve(walk, block, shoot=True)
    await walk.shoot("soaking", "TIME LEFT")
    await walk.press("C")
    await walk.see("KEEP PLAN")
    await walk.type(block)
    await walk.shoot("confirm", "KEEP PLAN")
    await walk.press("enter", "enter")
    await walk.shoot("confirmed", "CONFIRMED")
    block = await _freeze(walk, run_dir, shoot=False)
    await _approve(walk, block, shoot=False)
    await walk.press("R")
    await walk.see("ROLL BACK PLAN")
    await walk.type("the shop is slow since then")
    await walk.shoot("rollback", "the shop is slow")
    await walk.press("enter", "enter")
    await walk.shoot("rolled-back", "ROLLED-BACK")
    await walk.press("l")
    await walk.shoot("plans", "PLANS, newest first")


async def _elsewhere(album: Album, run_dir: Path) -> None:
    """Other terminals than that of ``kubectl exec``."""

    async def one(scenes: dict[str, str], size: tuple[int, int], *words: str, **env: str) -> None:
        async with stage.tui(run_dir, *words, columns=size[0], rows=size[1], env=env) as terminal:
            walk = Walk(terminal, album)
            for scene, key in scenes.items():
                await walk.see("demo-node")
                await walk.press(key)
                await walk.shoot(scene, AFTER[key], (size,))

    await until(lambda: calm(run_dir), "a calm moment of the demo", 3 * stage.PATIENCE)
    await one({"narrow-overview": "1", "narrow-routes": "4"}, NARROW)
    await one({"dark-overview": "1", "dark-plan": "5"}, LARGE, "tui", "--theme", "dark", COLORTERM="truecolor")
    await one({"plain-overview": "1"}, SMALL, NO_COLOR="1")
    await one({"ascii-overview": "1"}, SMALL, "tui", "--ascii")


AFTER: dict[str, Wanted] = {"1": "PEERS", "4": "PREFIX", "5": "PLAN #"}
"""What is there once a key has opened its screen."""
