"""The list of actions: no key means two things in one place, and everything it names is there."""

import itertools

import pytest

from monitor.tui.app import BgpmonApp
from monitor.tui.link import Link
from monitor.tui.looks import Looks
from monitor.tui.panes.domains import DomainsPane
from monitor.tui.panes.events import EventsPane
from monitor.tui.panes.health import HealthPane
from monitor.tui.panes.lookup import LookupPane
from monitor.tui.panes.overview import OverviewPane
from monitor.tui.panes.peers import PeersPane
from monitor.tui.panes.plan import PlanPane
from monitor.tui.panes.route import RoutePane
from monitor.tui.panes.routes import RoutesPane
from monitor.tui.registry import ACTIONS, BY_NAME, PANES, Action, at, key_word, named
from tests.support.fake_daemon import FakeDaemon

KINDS = {
    "overview": OverviewPane,
    "peers": PeersPane,
    "domains": DomainsPane,
    "routes": RoutesPane,
    "plan": PlanPane,
    "events": EventsPane,
    "lookup": LookupPane,
    "health": HealthPane,
    "route": RoutePane,
}
PLAN_STATES = (
    "live",
    "frozen",
    "approved",
    "queued",
    "applying",
    "soaking",
    "rolling-back",
    "confirmed",
    "applied",
    "rolled-back",
    "failed",
    "rejected",
    "expired",
    "superseded",
)
TAKEN = {
    "ctrl+s": "stops the terminal",
    "ctrl+q": "starts the terminal",
    "ctrl+z": "stops the program",
    "ctrl+d": "ends a shell",
}
NO_CHANGE = {"G": "the end of a list", "W": "the lock itself", "S": "shows commands to sign with"}
"""Upper-case keys that change nothing on the node."""


def _places() -> dict[str, tuple[str, ...]]:
    """Every set of places that a screen can be."""
    app = BgpmonApp(Link(FakeDaemon().connect), Looks())
    found: dict[str, tuple[str, ...]] = {}
    for name, kind in KINDS.items():
        if name == "plan":
            continue
        tabled = kind.table is not LookupPane.table
        found[name] = (name, "table", "all") if tabled else (name, "all")
    plan = PlanPane(app.desk)
    for state in PLAN_STATES:
        plan.document = {"state": state}
        found[f"plan {state}"] = plan.places()
    plan.listing = True
    found["plans"] = plan.places()
    return found


PLACES = _places()


@pytest.mark.parametrize("name", PLACES)
def test_no_two_actions_have_the_same_key_in_one_place(name: str) -> None:
    """Within one place; of several places the nearest one decides."""
    for place in PLACES[name]:
        here = [(key, action.name) for action in ACTIONS if place in action.where for key in action.keys]
        keys = [key for key, _ in here]
        assert len(keys) == len(set(keys)), here


@pytest.mark.parametrize("name", PLACES)
def test_what_changes_something_hides_no_key_of_another_place(name: str) -> None:
    """Who is used to a key must not decide about the network with it."""
    for near, far in itertools.combinations(PLACES[name], 2):
        changing = {key for action in ACTIONS if near in action.where and action.changes for key in action.keys}
        others = {key for action in ACTIONS if far in action.where for key in action.keys}
        assert changing & others == set(), (near, far)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_action_is_done_by_somebody_wherever_it_works(action: Action) -> None:
    app = BgpmonApp(Link(FakeDaemon().connect), Looks())
    common = list(vars(app.hands).values())
    if action.name.startswith("go_") and action.name.removeprefix("go_") in PANES:
        return
    if any(hasattr(owner, f"do_{action.name}") for owner in (app, *common)):
        return
    for place in action.where:
        kinds = [KINDS[place.partition("-")[0]]] if place not in {"table", "all"} else list(KINDS.values())
        assert all(hasattr(kind, f"do_{action.name}") for kind in kinds), place


def test_every_place_is_one_that_a_screen_can_be() -> None:
    known = {place for places in PLACES.values() for place in places}
    assert {place for action in ACTIONS for place in action.where} - known == set()


def test_upper_case_keys_change_something_and_nothing_else_does() -> None:
    for action in ACTIONS:
        for key in action.keys:
            if len(key) == 1 and key.isupper():
                assert action.changes or key in NO_CHANGE, action.name
        if action.changes:
            assert all(key.isupper() or key == "+" for key in action.keys), action.name


@pytest.mark.parametrize("key", sorted({key for action in ACTIONS for key in action.keys}))
def test_no_key_belongs_to_the_terminal_or_needs_alt(key: str) -> None:
    assert key not in TAKEN
    assert not key.startswith(("alt+", "ctrl+alt+", "super+", "meta+"))
    assert not key.startswith("f") or len(key) == 1, "function keys do not pass every terminal"
    assert key_word(key)


def test_every_screen_has_its_number() -> None:
    for number, pane in enumerate(PANES, 1):
        assert at(("all",))[str(number)].name == f"go_{pane}"


def test_every_action_has_a_name_of_its_own_and_says_what_it_does() -> None:
    assert len(BY_NAME) == len(ACTIONS)
    assert all(action.text and action.word for action in ACTIONS)
    assert named("quit").keys[0] == "q"


def test_help_leave_and_back_work_everywhere() -> None:
    for places in PLACES.values():
        found = at(places)
        assert [found[key].name for key in ("?", "q", "escape", ":", "ctrl+c")] == [
            "help",
            "quit",
            "back",
            "command",
            "quit",
        ]
