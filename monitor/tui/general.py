"""Actions that work on every screen and are about the screen itself: looks, mouse, lock, help, palette."""

import os
from typing import TYPE_CHECKING, Any

from monitor.errors import MonitorError
from monitor.text.table import duration
from monitor.tui import bars
from monitor.tui.desk import Desk
from monitor.tui.dialogs.choice import Choice
from monitor.tui.dialogs.decision import Ask, Decision
from monitor.tui.dialogs.palette import Palette
from monitor.tui.line import line
from monitor.tui.looks import THEMES, Looks
from monitor.tui.pane import Pane
from monitor.tui.registry import at, key_word, named

if TYPE_CHECKING:
    from monitor.tui.app import BgpmonApp


class GeneralActions:
    """What these keys do."""

    def __init__(self, app: "BgpmonApp", desk: Desk) -> None:
        self._app = app
        self._desk = desk

    def do_theme(self) -> None:
        """Take the next theme."""
        looks = self._app.painter.looks
        following = THEMES[(THEMES.index(looks.theme) + 1) % len(THEMES)]
        self._app.painter.use(Looks(looks.depth, looks.ascii, following))
        for pane in self._app.screen_stack[0].query(Pane):
            pane.repaint()
        self._app.do_redraw()
        self._desk.say(f"theme {following}" + (": this terminal has no colours" if looks.depth == "plain" else ""))

    def do_mouse(self) -> None:
        """Let the terminal report the mouse, or not."""
        self._app.mouse_on = not self._app.mouse_on
        driver: Any = self._app._driver  # noqa: SLF001 - Textual has no other way to it
        # Textual decides about the mouse once, when it starts; these are what its driver itself calls then.
        if driver is not None and hasattr(driver, "_enable_mouse_support"):
            if self._app.mouse_on:
                driver._mouse = True  # noqa: SLF001 - see above
                driver._enable_mouse_support()  # noqa: SLF001
            else:
                driver._disable_mouse_support()  # noqa: SLF001
                driver._mouse = False  # noqa: SLF001
        self._desk.say(
            "the mouse works here; m gives it back to your terminal"
            if self._app.mouse_on
            else "the mouse is your terminal's"
        )

    def do_lock(self) -> None:
        """Unlock for changes, or lock again."""
        if self._desk.link.unlocked:
            self._desk.link.lock()
            self._desk.say("locked: nothing in this program can change anything now")
            return
        if not self._app.admin:
            self._desk.say("this screen was started with --read-only", bad=True)
            return

        async def act(values: dict[str, str]) -> str:
            self._desk.link.unlock()
            try:
                # Whether the socket opens shows now, not at the first decision.
                await self._desk.link.tell("knock")
            except MonitorError:
                self._desk.link.lock()
                raise
            self._desk.name = values["name"]
            return f"unlocked for {duration(self._app.unlocked_seconds)} without a key; W locks"

        told = [line(" From here on the capital letters change something on this node."),
                line(f" It locks itself after {duration(self._app.unlocked_seconds)} without a key.")]  # fmt: skip
        asks = [
            Ask(
                "name",
                "who you are",
                self._desk.name or os.environ.get("USER", ""),
                "for the record; it proves nothing",
            )
        ]
        title = self._desk.title("UNLOCK")
        self._app.push_screen(Decision(self._app.painter, title, told, asks, "Unlock", act), self._unlocked_now)

    def _unlocked_now(self, became: str | None) -> None:
        if became:
            self._desk.say(became)
        self._app.draw_frame()

    def do_help(self) -> None:
        """What works here; once more: everything."""
        self._help(everything=False)

    def _help(self, *, everything: bool) -> None:
        rows = bars.help_rows(self._app.pane.places(), everything=everything)
        if not everything:
            rows.append({"key": "?", "name": "?", "text": "everything, on every screen"})
        title = "EVERYTHING" if everything else f"WHAT WORKS HERE: {self._app.pane.title}"

        def chosen(name: str | None) -> None:
            if name == "?":
                self._help(everything=True)
            elif name:
                self._app.act(named(name))

        self._app.push_screen(Choice(self._app.painter, title, rows, wide=True), chosen)

    def do_palette(self) -> None:
        """Look for an action or a command."""
        actions = {item.name: item for item in at(self._app.pane.places()).values() if item.name != "palette"}
        items = [
            {"key": name, "name": f"{action.word}  [{key_word(action.keys[0])}]", "text": action.text}
            for name, action in actions.items()
        ]
        items += [{"key": f":{word.words}", "name": f":{word.words}", "text": word.text} for word in self._desk.words]

        def chosen(name: str | None) -> None:
            if name and name.startswith(":"):
                self._app.prompt.open(":", f"{name[1:]} ")
            elif name:
                self._app.act(actions[name])

        self._app.push_screen(Palette(self._app.painter, items), chosen)
