"""The commands of the command line, as the prompt takes them: which of them change something is found in their code."""

import ast
import inspect
import textwrap
from types import FunctionType

import click
import pytest

from monitor.api.client import Client
from monitor.cli.command import bgpmon
from monitor.cli.terminal import CHANGING, ELSEWHERE, words

CONTROL = {
    name for name, call in inspect.getmembers(Client, inspect.isfunction) if "self._control(" in inspect.getsource(call)
} - {"_control"}
"""Calls that change something."""


def commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{before}{name} ")
        else:
            found[f"{before}{name}"] = command
    return found


COMMANDS = {name: command for name, command in commands(bgpmon).items() if name.split()[0] not in ELSEWHERE}


def calls(function: object, seen: set[object] | None = None) -> set[str]:
    """Return the attributes that a function calls, and those that functions of its module call for it."""
    seen = set() if seen is None else seen
    function = inspect.unwrap(function)  # type: ignore[arg-type]
    if not isinstance(function, FunctionType) or function in seen:
        return set()
    seen.add(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.add(node.func.attr)
        helper = function.__globals__.get(node.id) if isinstance(node, ast.Name) else None
        if isinstance(helper, FunctionType) and helper.__module__.startswith("monitor.cli"):
            found |= calls(helper, seen)
    return found


def test_the_calls_that_change_something_are_known() -> None:
    assert {"freeze", "approve", "reject", "confirm", "roll_back", "withdraw_all"} <= CONTROL


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_that_changes_something_is_said_to(name: str) -> None:
    callback = COMMANDS[name].callback
    assert (name in CHANGING) == bool(calls(callback) & CONTROL)


def test_every_command_that_changes_something_exists() -> None:
    assert set(COMMANDS) >= CHANGING


def test_the_prompt_takes_every_command_but_those_that_are_for_a_shell() -> None:
    found = {word.words: word for word in words()}
    assert found.keys() == COMMANDS.keys()
    assert {name for name, word in found.items() if word.changes} == CHANGING
    assert all(word.text for word in found.values())


def test_what_is_left_out_is_a_command() -> None:
    assert set(bgpmon.commands) >= ELSEWHERE
