"""What is typed after ``/`` and ``:``: whether it makes sense, while it is typed, and what comes of it."""

from typing import TYPE_CHECKING

from monitor.tui.commands import Commander
from monitor.tui.desk import Desk
from monitor.tui.line import Line, line
from monitor.tui.pane import language
from monitor.tui.panes.peers import PeersPane
from monitor.tui.panes.routes import RoutesPane
from monitor.tui.prompt import Prompt

if TYPE_CHECKING:
    from monitor.tui.app import BgpmonApp


class Typing:
    """Listens to the prompt."""

    def __init__(self, app: "BgpmonApp", desk: Desk, commander: Commander) -> None:
        self._app = app
        self._desk = desk
        self._commander = commander

    def do_command(self) -> None:
        """Type a command."""
        self._app.prompt.open(":")
        self._say_of_prompt(self._commander.said(""))

    def do_filter(self) -> None:
        """Type a filter."""
        self._app.prompt.open("/", getattr(self._app.pane, "filter", ""))

    def complete(self, sign: str, text: str) -> list[str]:
        """Return what can stand in place of what is typed."""
        if sign == ":":
            return self._commander.complete(text)
        status = self._desk.status
        from monitor.filter.field import STATES  # noqa: PLC0415 - the language is loaded by whoever uses it

        values = {
            "domain": [str(item.get("name")) for item in status.get("domains") or []],
            "peer": [str(item.get("address")) for item in self._app.query_one("#peers", PeersPane).items],
            "state": [*STATES], "af": ["ipv4", "ipv6"], "op": ["+", "~", "-"], "risk": ["low", "med", "high"],
        }  # fmt: skip
        found: list[str] = language().completions(text, values, self._app.here)
        return found

    def typed(self, event: Prompt.Typed) -> None:
        """Say whether it makes sense, while it is typed."""
        if event.sign == ":":
            self._say_of_prompt(self._commander.said(event.text))
            return
        wrong = language().check(event.text, self._app.here)
        if wrong:
            self._say_of_prompt(line(("!! ", "bad"), (wrong, "bad")))
        else:
            self._say_of_prompt(line(("ok", "ok")))
            if isinstance(self._app.pane, RoutesPane):
                self._app.pane.try_filter(event.text)
                self._app.set_timer(0.05, self._say_found)

    def _say_of_prompt(self, found: Line) -> None:
        self._app.prompt.saying = found
        self._app.draw_frame()

    def _say_found(self) -> None:
        if (
            self._app.prompt.sign == "/"
            and isinstance(self._app.pane, RoutesPane)
            and not language().check(self._app.prompt.text, "routes")
        ):
            rows = self._app.pane.rows
            if rows.settled:
                self._say_of_prompt(line(("ok  ", "ok"), self._app.pane.found()))
            if not (rows.settled and rows.complete):
                self._app.set_timer(0.2, self._say_found)

    def prompted(self, event: Prompt.Typed) -> None:
        """Do what was typed, or show again what was there."""
        self._app.focus_again()
        if isinstance(event, Prompt.Left):
            if event.sign == "/" and isinstance(self._app.pane, RoutesPane):
                self._app.pane.drop_filter()
            return
        if event.sign == ":":
            if event.text:
                self._commander.run(event.text)
            return
        if wrong := language().check(event.text, self._app.here):
            self._app.prompt.open("/", event.text)
            self._say_of_prompt(line(("!! ", "bad"), (wrong, "bad")))
            return
        if self._app.here == "routes":
            self._app.remember("routes", filter=event.text)
        self._app.pane.set_filter(event.text)  # type: ignore[attr-defined]
        self._app.draw_frame()
