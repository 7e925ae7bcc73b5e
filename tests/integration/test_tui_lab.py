"""The story of change control, decided from the terminal UI in tmux: real routers, the real kernel, two people with keys."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import story
from lab.machine import HOME, Machine
from tests.support.daemon import require_programs
from tests.support.lab_turn import standing_lab
from tools.screenshots.album import Album
from tools.screenshots.lab import Screens, Teller, walk
from tools.screenshots.stage import clean_environment
from tools.terminal.session import running

SETTINGS = "set -g status off\nset -s escape-time 20\n"


@pytest.fixture
def standing(root_namespaces: None) -> Iterator[Machine]:
    """A lab that runs, alone on this machine."""
    require_programs("tmux")
    with standing_lab() as machine:
        yield machine


@pytest.mark.daemons
@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_plan_goes_from_freeze_to_roll_back_by_keys_alone(standing: Machine, tmp_path: Path) -> None:
    settings = tmp_path / "tmux.conf"
    settings.write_text(SETTINGS)
    # A server of its own, which ends with its only window.
    name = f"bgpmon-test-{os.getpid()}"
    program = ["env", f"BGPMON_RUN_DIR={HOME / 'bgpmon'}", sys.executable, "-m", "monitor"]
    argv = ["tmux", "-L", name, "-f", str(settings), "new-session", "-x", "100", "-y", "30", *program]
    environment = {**clean_environment(), "LC_ALL": "C.UTF-8"}
    with contextlib.ExitStack() as after:
        told = after.enter_context(story.stage(standing))
        async with running(argv, columns=100, rows=30, env=environment) as terminal:
            await walk(Screens(terminal, [], Album(tmp_path)), Teller(told))
            screen = await terminal.until("everything is as it was before")
            assert "ROLLED-BACK" in screen.text
            await terminal.press("q")
            assert await terminal.wait_exit(20) == 0
    assert told.held > 20, (
        "the story was checked on the way, against the kernel, the journal and the client's own notes"
    )
