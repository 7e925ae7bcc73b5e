"""The first moments: who leaves in them leaves without an error."""

import subprocess
import sys

import pytest

from monitor.tui.app import BgpmonApp
from monitor.tui.link import Link
from monitor.tui.looks import Looks
from tests.support import fake_node as node


@pytest.mark.parametrize("where", ["mounted", "starting", "started", "furnishing", "furnished"])
async def test_who_leaves_while_it_starts_sees_no_error(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mount, start, furnish = BgpmonApp.on_mount, BgpmonApp._start, BgpmonApp._furnish

    def mounting(app: BgpmonApp) -> None:
        mount(app)
        if where == "mounted":
            app.exit(3)

    def starting(app: BgpmonApp) -> None:
        if where == "starting":
            app.exit(3)
        start(app)
        if where == "started":
            app.exit(3)

    async def furnishing(app: BgpmonApp) -> None:
        if where == "furnishing":
            app.exit(3)
        await furnish(app)
        app.exit(3)

    monkeypatch.setattr(BgpmonApp, "on_mount", mounting)
    monkeypatch.setattr(BgpmonApp, "_start", starting)
    monkeypatch.setattr(BgpmonApp, "_furnish", furnishing)
    daemon = node.daemon()
    app = BgpmonApp(Link(daemon.connect), Looks())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
    assert app.return_value == 3
    assert not daemon.broken


async def test_the_first_frame_has_the_names_of_the_screens(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    start = BgpmonApp._start

    def starting(app: BgpmonApp) -> None:
        shown.extend("".join(text for text, _ in found) for found in app.query_one("#tabs").lines)
        shown.append(f"connected: {bool(app.link._tasks)}")
        start(app)

    monkeypatch.setattr(BgpmonApp, "_start", starting)
    app = BgpmonApp(Link(node.daemon().connect), Looks())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
    assert ">1 Over  2 Peers" in shown[0]
    assert shown[1:] == ["connected: False"]


def test_what_the_first_frame_does_without_is_not_loaded_before_it() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import monitor.tui.app, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "monitor.tui.panes.overview" in loaded
    late = {"grpc", "monitor.api.client", "monitor.ports", "monitor.tui.furniture", "monitor.tui.dialogs.decision"}
    assert late.isdisjoint(loaded)
