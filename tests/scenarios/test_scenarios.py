"""Every scenario file of this folder, through the real engine, reconciler and journal over a simulated kernel."""

from pathlib import Path

import pytest

from tests.support.scenario import run_file

FILES = sorted(Path(__file__).parent.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_scenario(file: Path) -> None:
    run_file(file)
