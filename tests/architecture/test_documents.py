"""What is offered is documented, what is documented is offered, and each of it does something."""

import ast
import dataclasses
import re
from collections.abc import Iterator

import click
import pytest

from monitor.cli.command import bgpmon
from monitor.cli.session import ExitCode
from monitor.config import model, schema
from monitor.rib.decision import Step
from monitor.rib.reason import Reason
from tests.architecture.repository import PRODUCT, files, python_files, relative, text_of, tree_of

DOCUMENTS = tuple(relative(file) for file in files(".md") if relative(file).startswith("docs/"))
EVERYWHERE = text_of("README.md", *DOCUMENTS)


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command as the words that a person types."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield *words, name


COMMANDS = sorted(" ".join(words) for words in commands(bgpmon))


def spoken_in_tests() -> list[str]:
    """Return every run of string constants in a call, a list or a tuple of a test, as one line each."""
    lines: list[str] = []
    for file in python_files("tests"):
        for node in ast.walk(tree_of(file)):
            items = (
                node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.List | ast.Tuple) else []
            )
            words = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            lines.append(" ".join(words))
    return lines


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_documented(command: str) -> None:
    assert re.search(rf"`bgpmon {re.escape(command)}\b", text_of("docs/commands.md"))


def test_every_command_is_used_in_a_test() -> None:
    lines = spoken_in_tests()
    unused = [
        command
        for command in COMMANDS
        if not any(re.search(rf"(?:^|\s){re.escape(command)}(?:\s|$)", line) for line in lines)
    ]
    assert unused == []


def test_every_command_in_the_documents_exists() -> None:
    groups = {words[0] for words in commands(bgpmon) if len(words) > 1}
    known = {words[0] for words in commands(bgpmon)}
    for name in ("README.md", *DOCUMENTS):
        blocks = re.split(r"^```.*$", text_of(name), flags=re.MULTILINE)
        lines = [line for block in blocks[1::2] for line in block.splitlines() if line.startswith("bgpmon ")]
        lines += re.findall(r"`(bgpmon [^`]*)", "".join(blocks[::2]))
        for line in lines:
            first, *more = re.findall(r"[a-z-]+", line.removeprefix("bgpmon "))[:2] or [""]
            if line.removeprefix("bgpmon ").startswith(first) and first:
                assert first in known, f"{name}: {line}"
                assert first not in groups or f"{first} {' '.join(more)}" in COMMANDS, f"{name}: {line}"


def test_exit_codes_are_documented() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", text_of("docs/commands.md"), re.MULTILINE)}
    assert codes == {code.value for code in ExitCode if code is not ExitCode.INTERRUPTED}


def test_reasons_and_steps_are_documented() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", text_of("docs/reasons.md"), re.MULTILINE)
    assert sorted(rows) == sorted([reason.label for reason in Reason] + [step.label for step in Step])


def test_every_reason_is_given_by_some_code() -> None:
    given = {
        node.attr
        for file in python_files("monitor")
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }
    assert {reason.name for reason in Reason} - given == set()


def keys_of_the_file() -> set[str]:
    """Return every key that the configuration file may have, at any depth."""
    definitions = schema.json_schema()
    models = [definitions, *definitions["$defs"].values()]
    return {key for one in models for key in one.get("properties", {})}


def test_every_key_of_the_configuration_is_documented() -> None:
    keys = keys_of_the_file()
    assert {"node", "peers", "hold", "ca"} <= keys
    text = text_of("docs/configuration.md")
    assert {key for key in keys if f"`{key}`" not in text and f"{key}: " not in text} == set()


def test_no_documented_key_is_unknown() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)` \|", text_of("docs/configuration.md"), re.MULTILINE)
    assert len(rows) > 50
    assert set(rows) - keys_of_the_file() == {"eth1"}  # an example of a value


def test_every_value_of_the_configuration_is_read() -> None:
    """A key that nobody reads would be an option that does nothing."""
    read = {
        node.attr
        for file in python_files(*PRODUCT)
        if relative(file) not in {"monitor/config/build.py", "monitor/config/canonical.py", "monitor/config/schema.py"}
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    values = [item for item in vars(model).values() if isinstance(item, type) and dataclasses.is_dataclass(item)]
    fields = {f"{value.__name__}.{field.name}" for value in values for field in dataclasses.fields(value)}
    assert "DomainConfig.multipath" in fields
    assert {name for name in fields if name.partition(".")[2] not in read} == set()


def test_links_between_documents_lead_somewhere() -> None:
    for file in files(".md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text(encoding="utf-8")):
            assert (file.parent / target).exists(), f"{relative(file)} links to {target}"
