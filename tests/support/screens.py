"""The terminal UI in this process: started with a fake daemon, steered by keys, and read from the screen.

Whatever looks inside Textual for that is here.  ``decide`` comes before the first import of it.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.style import Style

from monitor.tui.line import Line
from monitor.tui.link import Link
from monitor.tui.looks import Looks
from tests.support.fake_daemon import FakeDaemon
from tests.support.fake_node import NOW
from tests.support.wait import until

if TYPE_CHECKING:
    from textual.strip import Strip

    from monitor.tui.app import BgpmonApp
    from monitor.tui.word import Word

Size = tuple[int, int]
"""Columns and rows."""

LETTERS = {
    "": ".",
    "bold": "b",
    "dim": "d",
    "reverse": "v",
    "underline": "u",
    "bold underline": "U",
    "green": "g",
    "yellow": "y",
    "red": "r",
    "bold red": "R",
    "cyan": "c",
    "magenta": "m",
    "bold green": "G",
    "bold yellow": "Y",
    "bold cyan": "C",
    "bold magenta": "M",
    "blue": "l",
    "bold reverse": "V",
    "bold reverse underline": "X",
    "reverse underline": "x",
    "bold dim": "D",
    "dim underline": "n",
}
"""The letter of each usual style; others get digits, and letters behind those, in the order in which they come."""

OTHERS = "0123456789abcefhijkopqstwzABEFHIJKLNOPQSTWZ"


def decide() -> None:
    """Set what Textual reads when it is loaded, for sixteen colours."""
    assert "textual" not in sys.modules or os.environ.get("TEXTUAL_THEME"), (
        "textual is loaded, and its looks are undecided"
    )
    os.environ.pop("NO_COLOR", None)
    os.environ.update(Looks().engine())


@dataclass
class Clock:
    """A clock that stands until it is told to go on; seconds since the epoch."""

    now: float = NOW

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass(frozen=True)
class Picture:
    """What is on the screen: the text of each row, and the style of each cell in words."""

    size: Size
    rows: tuple[str, ...]
    styles: tuple[tuple[str, ...], ...]

    def golden(self) -> str:
        """Return it as it is kept: the rows, then a letter for the style of each cell.

        Blanks, and cells in the default style, are left out at the end of a line: the size is in the first one.
        """
        letters = {
            style: LETTERS[style] for style in {style for row in self.styles for style in row} if style in LETTERS
        }
        free = [letter for letter in OTHERS if letter not in letters.values()]
        for style in (style for row in self.styles for style in row):
            if style not in letters:
                letters[style] = free.pop(0)
        legend = "  ".join(
            f"{letter} {style or 'default'}" for style, letter in sorted(letters.items(), key=lambda item: item[1])
        )
        lines = [
            f"{self.size[0]} columns, {self.size[1]} rows",
            *(row.rstrip() for row in self.rows),
            f"styles: {legend}",
        ]
        lines += ["".join(letters[style] for style in row).rstrip(".") for row in self.styles]
        return "".join(f"{found}\n" for found in lines)


@lru_cache(maxsize=1024)
def style_words(style: Style | None) -> str:
    """Return a style in words, without what makes no difference to the eye."""
    if style is None:
        return ""
    names = ("bold", "dim", "italic", "reverse", "strike", "underline")
    words = [name for name in names if getattr(style, name)]
    if style.color is not None and not style.color.is_default:
        words.append(style.color.name)
    if style.bgcolor is not None and not style.bgcolor.is_default:
        words.append(f"on {style.bgcolor.name}")
    return " ".join(words)


def strips_of(app: "BgpmonApp") -> "list[Strip]":
    """Return what the terminal would show, dialogs and what lies below them."""
    from textual._context import visible_screen_stack  # noqa: PLC0415 - after ``decide``

    token = visible_screen_stack.set(app._background_screens)
    try:
        return app.screen._compositor.render_strips()
    finally:
        visible_screen_stack.reset(token)


def picture(size: Size, strips: "Sequence[Strip]") -> Picture:
    """Return strips as text and styles."""
    styles = []
    for strip in strips:
        cells: list[str] = []
        for segment in strip:
            cells += [style_words(segment.style)] * segment.cell_length
        styles.append(tuple(cells))
    return Picture(size, tuple(strip.text for strip in strips), tuple(styles))


@dataclass
class Stage:
    """A terminal UI that runs, and what it talks to."""

    app: "BgpmonApp"
    daemon: FakeDaemon
    clock: Clock
    _last: "list[Strip] | None" = field(default=None, init=False)

    async def press(self, *keys: str, text: str = "") -> None:
        """Press keys one after the other, type a text, and wait until nothing happens any more."""
        from textual import events  # noqa: PLC0415 - after ``decide``
        from textual.keys import _character_to_key  # noqa: PLC0415

        for place, key in enumerate((*keys, *text)):
            single = len(key) == 1
            name = _character_to_key(key) if single and not key.isalnum() else key
            character = key if single else " " if key == "space" else None
            event = events.Key(name, character)
            event.set_sender(self.app)
            assert self.app._driver is not None
            self.app._driver.send_message(event)
            if place < len(keys):  # what the next key means may depend on what this one brings
                await self.settled()
        if text:
            await self.settled()

    async def settled(self) -> None:
        """Wait until no call is under way and the screen stays the same."""
        self._last = None
        await until(self._rests, what="the screen to rest", every=0.005)

    async def _rests(self) -> bool:
        await self._turn()
        if self._working():
            self._last = None
            return False
        if not self.app._small and self.app.desk.still is None:
            # As once a second: what was heard by now is drawn.
            self.app.pane.redraw()
        self.app.draw_frame()
        await self._turn()
        last, self._last = self._last, strips_of(self.app)
        return self._last == last

    async def _turn(self) -> None:
        """Let every widget do what it was told, as the pilot's ``pause`` does with a message to each of them."""
        quiet = 0
        while quiet < 4:
            await asyncio.sleep(0)
            pumps = [
                self.app,
                *(node for screen in self.app.screen_stack for node in (screen, *screen.walk_children())),
            ]
            busy = any(pump._next_callbacks or not pump._message_queue.empty() for pump in pumps)
            quiet = 0 if busy else quiet + 1
        self.app.screen._on_timer_update()

    def _working(self) -> bool:
        from monitor.tui.pane import Pane  # noqa: PLC0415 - after ``decide``
        from monitor.tui.panes.routes import RoutesPane  # noqa: PLC0415

        if self.daemon.busy:
            return True
        if self.daemon.hangs:
            return False
        if not self.app._began:
            return True
        frame = self.app.screen_stack[0]
        rows = self.app.query_one("#routes", RoutesPane).rows
        loading = any(pane._loading is not None for pane in frame.query(Pane))
        opening = rows._task is not None or (rows._opening is not None and not rows._opening.done())
        return loading or opening or any(worker.is_running for worker in self.app.workers)

    async def look(self) -> Picture:
        """Return the screen once it rests: without a cursor that blinks, and without what was said before."""
        from textual.widgets import Input  # noqa: PLC0415 - after ``decide``

        boxes = list(self.app.screen.query(Input))
        for box in boxes:
            box.cursor_blink = False
        if boxes or self._last is None:
            await self.settled()
        assert self._last is not None
        return picture((self.app.size.width, self.app.size.height), self._last)

    async def shows(self, text: str) -> None:
        """Wait until *text* is on the screen."""

        async def seen() -> bool:
            await self._turn()
            return any(text in strip.text for strip in strips_of(self.app))

        self._last = None
        await until(seen, what=f"{text!r} on the screen", every=0.005)

    def tick(self, seconds: float) -> None:
        """Let time pass, and the application notice."""
        self.clock.now += seconds
        self.app._tick()

    def hush(self) -> None:
        """Let nothing be said in the footer."""
        if self.app._said[1]:
            self.app._said = (0.0, "", "")
            self.app.draw_frame()
            self._last = None


@contextlib.asynccontextmanager
async def running(
    daemon: FakeDaemon,
    size: Size = (80, 24),
    looks: Looks | None = None,
    *,
    words: "tuple[Word, ...]" = (),
    name: str = "",
    admin: bool = True,
) -> AsyncIterator[Stage]:
    """Run the terminal UI on a screen of *size*, for *daemon*."""
    from monitor.tui.app import BgpmonApp  # noqa: PLC0415 - after ``decide``
    from monitor.tui.table import Table  # noqa: PLC0415

    clock = Clock()
    app = BgpmonApp(Link(daemon.connect, clock), looks or Looks(), words=lambda: words, name=name, admin=admin)
    async with app.run_test(size=size):
        stage = Stage(app, daemon, clock)
        await stage.settled()
        # Columns never become narrower: how wide they are depends on which of two answers came first.
        for table in app.screen_stack[0].query(Table):
            table.relayout()
        await stage.settled()
        yield stage
        app.exit()
    assert not daemon.broken


def text_of(found: Line) -> str:
    """Return the text of a line."""
    return "".join(text for text, _ in found)
