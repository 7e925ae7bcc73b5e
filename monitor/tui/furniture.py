"""What the first frame does without: the other screens, and what does the keys' work.  It is loaded when that is shown."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from monitor.tui.commands import Commander
from monitor.tui.deciding import Decider
from monitor.tui.desk import Desk
from monitor.tui.general import GeneralActions
from monitor.tui.pane import Pane
from monitor.tui.panes.domains import DomainsPane
from monitor.tui.panes.events import EventsPane
from monitor.tui.panes.health import HealthPane
from monitor.tui.panes.lookup import LookupPane
from monitor.tui.panes.overview import OverviewPane
from monitor.tui.panes.peers import PeersPane
from monitor.tui.panes.plan import PlanPane
from monitor.tui.panes.route import RoutePane
from monitor.tui.panes.routes import RoutesPane
from monitor.tui.tables import TableActions
from monitor.tui.typing import Typing

if TYPE_CHECKING:
    from monitor.tui.app import BgpmonApp

SCREENS: dict[str, Callable[[Desk], Pane]] = {
    "overview": OverviewPane, "peers": PeersPane, "domains": DomainsPane, "routes": RoutesPane, "plan": PlanPane,
    "events": EventsPane, "lookup": LookupPane, "health": HealthPane, "route": RoutePane,
}  # fmt: skip
"""What makes each screen, by its name."""


class Hands:
    """Who does what the keys say."""

    def __init__(self, app: "BgpmonApp", desk: Desk, run_dir: str) -> None:
        self.tables = TableActions(app, desk)
        self.decider = Decider(app, desk)
        self.commander = Commander(app, desk, run_dir)
        self.typing = Typing(app, desk, self.commander)
        self.general = GeneralActions(app, desk)
