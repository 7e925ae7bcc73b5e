"""Scenarios: YAML files that tell a story, run through the real engine; tests/scenarios/README.md has the language."""

from pathlib import Path

import yaml

from tests.support import scenario_people, scenario_states, scenario_steps
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_story import SENTENCES, STATEMENTS, Story

LANGUAGE = {
    "sentences": len(SENTENCES),
    "statements": len(STATEMENTS),
    "from": [module.__name__ for module in (scenario_people, scenario_states, scenario_steps)],
}
"""How much the modules registered when they were imported."""


def run_text(text: str) -> None:
    """Run the scenario in *text*; raises AssertionError at the first step that does not hold."""
    document = yaml.safe_load(text)

    async def tell() -> None:
        await Story(document).run()

    run_without_waiting(tell)


def run_file(file: Path) -> None:
    """Run the scenario in *file*."""
    run_text(file.read_text(encoding="utf-8"))
