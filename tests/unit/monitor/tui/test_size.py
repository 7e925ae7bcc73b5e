"""A window that has another size than was heard of."""

import shutil
import signal
from unittest.mock import PropertyMock

import pytest

from monitor.tui.app import BgpmonApp
from tests.support import fake_node as node
from tests.support.screens import running


@pytest.mark.parametrize(
    ("terminal", "told"),
    [((80, 24), False), ((120, 30), True), ((80, 25), True), ((0, 0), False)],
)
async def test_a_size_that_was_told_too_early_is_noticed_within_a_second(
    monkeypatch: pytest.MonkeyPatch, terminal: tuple[int, int], told: bool
) -> None:
    raised: list[int] = []
    async with running(node.daemon(), (80, 24)) as stage:
        monkeypatch.setattr(BgpmonApp, "is_headless", PropertyMock(return_value=False))
        monkeypatch.setattr(shutil, "get_terminal_size", lambda _fallback: terminal)
        monkeypatch.setattr(signal, "raise_signal", raised.append)
        stage.app._tick()
        monkeypatch.undo()
    assert raised == ([signal.SIGWINCH] if told else [])
