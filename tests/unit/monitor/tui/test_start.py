"""The first moments: who leaves in them leaves without an error."""

import pytest

from monitor.tui.app import BgpmonApp
from monitor.tui.link import Link
from monitor.tui.looks import Looks
from tests.support import fake_node as node


@pytest.mark.parametrize("where", ["mounted", "starting", "started"])
async def test_who_leaves_while_it_starts_sees_no_error(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mount, start = BgpmonApp.on_mount, BgpmonApp._start

    def mounting(app: BgpmonApp) -> None:
        mount(app)
        if where == "mounted":
            app.exit(3)

    async def starting(app: BgpmonApp) -> None:
        if where == "starting":
            app.exit(3)
        await start(app)
        app.exit(3)

    monkeypatch.setattr(BgpmonApp, "on_mount", mounting)
    monkeypatch.setattr(BgpmonApp, "_start", starting)
    daemon = node.daemon()
    app = BgpmonApp(Link(daemon.connect), Looks())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
    assert app.return_value == 3
    assert not daemon.broken
