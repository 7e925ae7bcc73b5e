"""The application: one frame around all screens, one list of actions behind every key."""

import json
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from monitor.errors import MonitorError
from monitor.text.table import clean, duration, number
from monitor.tui import bars
from monitor.tui.desk import Desk
from monitor.tui.dialogs.dialog import Dialog
from monitor.tui.keys import sign
from monitor.tui.line import Line, cut, line
from monitor.tui.lines import Lines, Painter
from monitor.tui.link import Link
from monitor.tui.looks import Looks
from monitor.tui.pane import Pane
from monitor.tui.panes.overview import OverviewPane
from monitor.tui.prompt import Prompt
from monitor.tui.registry import TABLE, Action, at
from monitor.tui.word import Word

if TYPE_CHECKING:
    from monitor.tui.dialogs.text import TextScreen
    from monitor.tui.furniture import Hands

SMALLEST = (40, 8)
"""Columns and rows below which there is only a summary."""

MOST_KEYS = 7
"""Keys in the footer of a narrow window."""

TICK_SECONDS = 1.0

MOVES_FIRST_SECONDS = 0.15
"""How long after a move in a table the screen is not drawn anew by the clock: that would be in the way of the next one."""

MOVES_LAST_SECONDS = 3.0
"""However many moves there are, what is shown is no older than this."""

SAID_SECONDS = 8.0
"""How long something that was said stays in the footer."""


class Frame(Screen[None]):
    """The one screen below all dialogs."""


class BgpmonApp(App[int]):
    """``bgpmon`` on a terminal.

    *link* is the way to the daemon, which owns every state and every timer: closing this changes nothing.  *idle* are seconds
    without a key after which it leaves, and *unlocked* those after which it locks itself.  *begun* is called after the first frame.
    """

    CSS_PATH = "bgpmon.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = []  # noqa: RUF012 - every key is the registry's

    def __init__(
        self, link: Link, looks: Looks, *, words: Callable[[], Sequence[Word]] = tuple, run_dir: str = "", name: str = "",
        first: tuple[str, dict[str, Any]] = ("overview", {}), idle: float = 1800.0, unlocked: float = 600.0, admin: bool = True,
        begun: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.painter = Painter(looks)
        super().__init__()
        self.link = link
        self.desk = Desk(
            link,
            self.painter,
            words,
            name,
            go=self.go,
            say=self.tell,
            show_text=self.show_text,
            frame=self.draw_frame,
            ask_status=self._ask_status,
        )
        self._hands: Hands | None = None
        self._run_dir = run_dir
        self._begin = first
        self._begun = begun
        self._idle, self.unlocked_seconds, self.admin = idle, unlocked, admin
        self._key_at = time.monotonic()
        self._moved_at = self._ticked_at = 0.0
        self._trail: list[tuple[str, dict[str, Any]]] = []
        self._ahead: list[tuple[str, dict[str, Any]]] = []
        self._here: tuple[str, dict[str, Any]] = first
        self._said: tuple[float, str, str] = (0.0, "", "")
        self._heard_still = 0
        self._small = False
        self._keys: deque[events.Key] = deque()
        self._began = False
        self._lost_at = 0.0
        self._refreshing = False
        self._copied = ""
        self.mouse_on = False
        link.heard, link.changed = self._heard, self._link_changed

    def get_default_screen(self) -> Screen[None]:
        """Return the frame."""
        return Frame()

    def compose(self) -> ComposeResult:
        """The frame: two lines above, the screen, three lines below."""
        yield Lines(self.painter, id="header")
        yield Lines(self.painter, id="tabs")
        yield Lines(self.painter, id="rule-top")
        name = self._begin[0]
        with ContentSwitcher(initial=name, id="panes"):
            # The others come when this one is on the screen: they would be a quarter of the time until it is.
            yield OverviewPane(self.desk) if name == "overview" else screens()[name](self.desk)
        yield Vertical(Lines(self.painter, id="small-text"), id="small")
        yield Lines(self.painter, id="rule-bottom")
        yield Prompt(self.painter)
        yield Lines(self.painter, id="footer")

    def on_mount(self) -> None:
        """Begin."""
        self.set_class(self.painter.looks.ascii, "-ascii")
        self.prompt.drawn = self.draw_frame
        self.set_interval(TICK_SECONDS, self._tick)
        self.draw_frame()
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        if self._ends:  # a signal came before the first frame
            return
        # Not before: what it loads would have to share the processor with the first frame.
        self.link.start()
        self.go(self._begin[0], **self._begin[1])
        self._trail.clear()
        self._tick()
        self.call_after_refresh(self._furnish)

    async def _furnish(self) -> None:
        """Build the other screens, and all that the keys need."""
        if self._ends:
            return
        typing = self.hands.typing
        self.prompt.complete, self.prompt.told = typing.complete, typing.prompted
        others = [kind(self.desk) for name, kind in screens().items() if name != self._begin[0]]
        for pane in others:
            pane.display = False
        await self.query_one("#panes", ContentSwitcher).mount(*others)
        self._began = True
        self._begun()

    async def on_unmount(self) -> None:
        """End every call."""
        await self.link.close()

    # Parts

    @property
    def hands(self) -> "Hands":
        """Who does what the keys say."""
        if self._hands is None:
            from monitor.tui.furniture import Hands  # noqa: PLC0415 - the first frame does without

            self._hands = Hands(self, self.desk, self._run_dir)
        return self._hands

    @property
    def pane(self) -> Pane:
        """The screen that is shown."""
        found: Pane = self.query_one(f"#{self._here[0]}", Pane)
        return found

    @property
    def prompt(self) -> Prompt:
        """The line in which something is typed."""
        return self.screen_stack[0].query_one(Prompt)

    def query_one(self, *arguments: Any, **named: Any) -> Any:
        """Look in the frame, whatever dialog stands over it."""
        return self.screen_stack[0].query_one(*arguments, **named)

    # The clock

    @property
    def _ends(self) -> bool:
        """Whether the screens are not there any more: answers still come meanwhile."""
        return self._exit or not self.screen_stack or not self.screen_stack[0].children

    def _tick(self) -> None:
        if self._ends:
            return
        idle = time.monotonic() - self._key_at
        if self.link.unlocked and idle >= self.unlocked_seconds:
            self.link.lock()
            self.tell(f"locked after {duration(self.unlocked_seconds)} without a key")
        if idle >= self._idle:
            self.desk.printed.append(f"bgpmon: left after {duration(self._idle)} without a key; the daemon goes on")
            self.exit(0)
            return
        self._look_at_size()
        self._ask_status()
        if not self._small and self.desk.still is None and not self._moving:
            self._ticked_at = time.monotonic()
            self.pane.tick()
        self.draw_frame()

    def _look_at_size(self) -> None:
        """Notice a window of another size than was heard of.

        The kernel tells of a new size just before the terminal has it (pty_resize of drivers/tty/pty.c): who asks at once may be
        told the old one, and is never told again.
        """
        if not self.is_headless and shutil.get_terminal_size((0, 0)) not in {tuple(self.size), (0, 0)}:
            signal.raise_signal(signal.SIGWINCH)

    @property
    def _moving(self) -> bool:
        """Whether somebody is moving about, and what is shown is not too old for that."""
        now = time.monotonic()
        return now - self._moved_at < MOVES_FIRST_SECONDS and now - self._ticked_at < MOVES_LAST_SECONDS

    def _ask_status(self) -> None:
        if not self._refreshing:
            self._refreshing = True
            self.run_worker(self._refresh(), group="status")

    async def _refresh(self) -> None:
        try:
            await self.link.refresh()
        except MonitorError:
            return  # the link says so by itself
        finally:
            self._refreshing = False
        self.draw_frame()
        if not self._small and not self._ends and not self._moving:
            self.pane.redraw()

    def _heard(self, items: list[dict[str, Any]]) -> None:
        """Records came: who waits for an approval sees it now."""
        if self.desk.still is not None:
            self._heard_still += len(items)
        elif self._here[0] in {"plan", "events"} and not self._small and not self._ends:
            self.pane.renew()

    def _link_changed(self) -> None:
        if self._ends or not self.is_running:
            return
        if self.link.lost_at is None:
            away = max(0.0, (self.link.found_at or self._lost_at) - self._lost_at)
            self.tell(f"reattached: the daemon answers again after {duration(away)}")
            self.pane.renew()
        else:
            self._lost_at = self.link.lost_at
        self.draw_frame()

    # The frame

    def draw_frame(self) -> None:
        """Draw the lines around the screen."""
        if self._ends or not self.is_running:
            return
        columns = self.screen_stack[0].size.width or self.size.width
        if columns <= 0:
            return
        now, link = self.desk.now(), self.link
        lost = None if link.lost_at is None else max(0.0, now - link.lost_at)
        if self._small:
            self.query_one("#small-text", Lines).show(bars.summary(self.desk.status, lost, columns))
            return
        unlocked = ""
        if link.unlocked:
            left = max(0.0, self.unlocked_seconds - (time.monotonic() - self._key_at))
            words = f"{self.desk.name} " if self.desk.name else ""
            unlocked = f"unlocked {words}{int(left + 59) // 60}m" if left >= 60 else f"unlocked {words}{int(left)}s"
        still = None if self.desk.still is None else (now - self.desk.still, self._heard_still)
        head = bars.header(self.desk.status, lost=lost, unlocked=unlocked, still=still, now=now, columns=columns)
        self.query_one("#header", Lines).show([head])
        self.query_one("#tabs", Lines).show([bars.tabs(self._here[0], self.desk.status, self.pane.crumbs(), columns)])
        for name in ("#rule-top", "#rule-bottom"):
            self.query_one(name, Lines).show([(("─" * columns, "muted"),)])
        said_at, text, token = self._said
        if lost is not None and not self.prompt.is_open:
            foot = cut(line((f"!! {clean(link.lost_because)}", "bad")), columns)
        elif self.prompt.is_open:
            foot = cut(line(" ", *self.prompt.saying), columns)
        elif text and time.monotonic() - said_at < SAID_SECONDS:
            foot = line(("» " if not self.painter.looks.ascii else "> ", token), (clean(text), token))
        else:
            foot = bars.footer(
                self.pane.places(), locked=not link.unlocked, columns=columns, most=MOST_KEYS if columns < 100 else 99
            )
        self.query_one("#footer", Lines).show([foot])

    def on_resize(self, event: events.Resize) -> None:
        """Show what fits."""
        size = event.size  # `self.size` is the one before: Textual's own handler comes after this one
        was_small = self._small
        self._small = size.width < SMALLEST[0] or size.height < SMALLEST[1]
        self.screen_stack[0].set_class(self._small, "-small")
        if was_small and not self._small:
            self.call_after_refresh(self.focus_again)  # what is hidden loses the keys
        self.call_after_refresh(self.draw_frame)

    def tell(self, text: str, *, bad: bool = False) -> None:
        """Say something in the footer for a while."""
        self._said = (time.monotonic(), " ".join(text.split()), "bad" if bad else "accent")
        self.draw_frame()

    def notify(self, message: str, **_: Any) -> None:
        """Say it where everything is said: nothing floats over the screen."""
        self.tell(message)

    # Going places

    def go(self, name: str, **what: Any) -> None:
        """Open a screen, or do what stands under this name in the menu of screens: a command, a dialog, a copy."""
        if name == "command":
            self.hands.commander.run(str(what["text"]))
        elif name == "copy":
            self.copy(str(what["text"]))
        elif name == "route_beside":
            self.hands.tables.beside(int(what["by"]))
        elif name.startswith("dialog_"):
            self._dialog(name.removeprefix("dialog_"), **what)
        else:
            if (name, what) != self._here:
                self._trail.append(self._here)
                del self._trail[:-100]
                self._ahead.clear()
            self._open(name, what)

    def _open(self, name: str, what: dict[str, Any]) -> None:
        self._here = (name, what)
        self.query_one("#panes", ContentSwitcher).current = name
        pane = self.pane
        pane.arrive(**what)
        if pane.table is not None:
            self.screen_stack[0].set_focus(pane.table)
        elif not what and name == "lookup":
            pass
        else:
            self.screen_stack[0].set_focus(None)
        if time.monotonic() - self._said[0] > 1:
            self._said = (0.0, "", "")
        if pane.asked_at == 0.0 or self.desk.now() - pane.asked_at >= pane.interval:
            pane.renew()
        pane.redraw()
        self.draw_frame()

    def _dialog(self, name: str, **what: Any) -> None:
        if name == "sign":
            self.run_worker(self.hands.decider.sign(what["document"]))
        elif name == "freeze":
            self.hands.decider.freeze(what["document"], str(what.get("filter", "")))
        else:
            getattr(self.hands.decider, name)(what["document"])

    def do_back(self) -> None:
        """Go back to what was shown before; from nowhere to the overview."""
        self.pane.listing = False
        if self._trail:
            self._ahead.append(self._here)
            self._open(*self._trail.pop())
        elif self._here[0] != "overview":
            self._open("overview", {})

    do_history_back = do_back

    def do_history_forward(self) -> None:
        """Go forward again."""
        if self._ahead:
            self._trail.append(self._here)
            self._open(*self._ahead.pop())

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """Deal with keys here, in the order they were typed (``monitor.tui.keys``)."""
        if isinstance(event, events.Key):
            self._key_at = time.monotonic()
            self._keys.append(event)
            await self._take_keys()
            return
        if isinstance(event, events.Paste | events.MouseDown):
            self._key_at = time.monotonic()
        await super().on_event(event)

    async def _take_keys(self) -> None:
        while self._keys:
            top = self.screen
            if not self._began or (isinstance(top, Dialog) and not top.ready):
                # It is being built; what was typed for it waits.
                self.set_timer(0.01, self._take_keys)
                return
            event = self._keys.popleft()
            if self._said[1]:  # it was there to be read until now
                self._said = (0.0, "", "")
                self.call_later(self.draw_frame)
            if isinstance(top, Dialog):
                taken = top.take(event)
            elif isinstance(top, Frame):
                taken = self.prompt.take(event) if self.prompt.is_open else self._take(event)
            else:
                taken = False
            if not taken:
                await super().on_event(event)

    def _take(self, event: events.Key) -> bool:
        """Do what a key means on this screen."""
        pane = self.pane
        if pane.take(event):
            return True
        action = at(pane.places()).get(sign(event))
        if action is not None:
            self.act(action)
        return True

    def act(self, action: Action) -> None:
        """Do an action; one that changes something says why it cannot while the screen is locked."""
        if action.changes and not self.link.unlocked:
            self.tell(f"locked: {action.keys[0]} would {action.text.split(':')[0]}; W unlocks this screen")
            return
        for owner in (self.pane, self, self.hands.general, self.hands.typing, self.hands.tables):
            do = getattr(owner, f"do_{action.name}", None)
            if do is not None:
                do()
                if action.where == TABLE:
                    self._moved_at = time.monotonic()
                else:  # moving in a table changes nothing around it
                    self.draw_frame()
                return
        if action.name.startswith("go_"):
            self.go(action.name.removeprefix("go_"))

    async def action_quit(self) -> None:
        """Leave."""
        self.do_quit()

    def do_quit(self) -> None:
        """Leave; what goes on without this screen is said when the terminal is given back."""
        flight = self.desk.change.get("in_flight")
        if flight and flight.get("deadline"):
            self.desk.printed.append(
                f"bgpmon: plan {clean(flight.get('number'))} is {clean(flight.get('state'))}: the daemon takes it back at "
                f"{clean(flight['deadline'])} unless somebody confirms it: bgpmon confirm {clean(flight.get('digest'))[:12]}"
            )
        self.exit(0)

    def do_redraw(self) -> None:
        """Draw everything anew."""
        self.screen_stack[0].refresh(repaint=True, layout=True)

    def do_renew(self) -> None:
        """Ask the daemon again."""
        self.pane.renew()

    def do_freeze_display(self) -> None:
        """Hold the display still, or let it go on."""
        if self.desk.still is None:
            self.desk.still, self._heard_still = self.desk.now(), 0
        else:
            self.desk.still = None
            self.pane.renew()
            self._ask_status()
            self.pane.redraw()

    # Typing

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        """Say whether it makes sense."""
        self.hands.typing.typed(event)

    def remember(self, name: str, **what: Any) -> None:
        """Note what is shown now, for the way back."""
        self._here = (name, what)

    @property
    def here(self) -> str:
        """The name of the screen that is shown."""
        return self._here[0]

    def focus_again(self) -> None:
        """Let the keys go to the screen again."""
        if self.pane.table is not None:
            self.screen_stack[0].set_focus(self.pane.table)
        else:
            self.screen_stack[0].set_focus(None)

    # Texts

    def show_text(self, title: str, lines: list[Line]) -> None:
        """Show a text over the screen."""
        from monitor.tui.dialogs.text import TextScreen  # noqa: PLC0415 - the first frame does without

        self.push_screen(TextScreen(self.painter, title, lines))

    def copy(self, text: str) -> None:
        """Copy to the terminal's clipboard, and say so; where the terminal does not do that, the text is at hand as text."""
        if not text:
            self.tell("nothing here to copy")
            return
        self.copy_to_clipboard(text)
        self.tell(
            f"copied {number(len(text))} characters: {text[:60]}  (if your terminal took it; else :text shows it to select)"
        )
        self._copied = text

    def show_copied(self) -> None:
        """Show what was copied last as plain text."""
        text = self._copied
        self.show_text("TO SELECT WITH YOUR TERMINAL", [line(clean(part)) for part in text.split("\n")] or [()])

    def copy_row(self, row: dict[str, Any]) -> None:
        """Copy a row as JSON."""
        self.copy(json.dumps({key: value for key, value in row.items() if key != "key"}, ensure_ascii=True))

    def do_hold(self) -> None:
        """Keep what is under the cursor out of plans."""
        self.hands.decider.hold(self.pane.target() if "/" in self.pane.target() else "")

    def do_lookup_here(self) -> None:
        """Look up the address under the cursor."""
        target = self.pane.target()
        self.go(
            "lookup",
            **({"address": target.split("/")[0].split("%")[0]} if any(sign in target for sign in ".:") else {}),
        )

    def ask_text(self, wait: str) -> "TextScreen":
        """Open an empty text that is filled later."""
        from monitor.tui.dialogs.text import TextScreen  # noqa: PLC0415 - the first frame does without

        screen = TextScreen(self.painter, wait, [], wait=True)
        self.push_screen(screen)
        return screen


def screens() -> Mapping[str, Callable[[Desk], Pane]]:
    """Return what makes each screen, by its name."""
    from monitor.tui.furniture import SCREENS  # noqa: PLC0415 - the first frame does without

    return SCREENS
