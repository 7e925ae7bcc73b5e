"""What an import brings along, seen in a fresh interpreter: the static rules of import-linter cannot see a deferred import."""

import json
import subprocess
import sys
from functools import cache

import pytest

from tests.architecture.repository import PRODUCT, ROOT, files, imported, python_files, relative

SAY = "import json, sys; print(json.dumps(sorted(sys.modules)))"
HEAVY = {"asyncio", "grpc", "google", "logging", "pydantic", "pyroute2", "sqlite3", "yaml"}
"""What takes long to load, or does input and output."""

DOORS = {"monitor.gobgp": {"monitor.gobgp", "monitor.demo"}, "monitor.api": {"monitor.api"}}
"""Who may use a package's generated code: the demo is a gobgpd of its own."""


@cache
def loaded_by(code: str) -> frozenset[str]:
    """Return the names of the modules that an interpreter has after *code*."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{SAY}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def packages_loaded_by(code: str) -> set[str]:
    return {name.partition(".")[0] for name in loaded_by(code)}


PURE = [
    "programmer.route", "programmer.plan", "programmer.diff", "programmer.guards", "programmer.approval",
    "programmer.codec", "programmer.fib", "monitor.errors", "monitor.ports", "monitor.filter", "monitor.config",
    *(f"monitor.rib.{file.stem}" for file in python_files("monitor")
      if file.parent.name == "rib" and file.stem != "__init__"),
]  # fmt: skip


@pytest.mark.parametrize("module", PURE)
def test_pure_module_loads_nothing_heavy(module: str) -> None:
    assert packages_loaded_by(f"import {module}") & HEAVY == set()


def test_programmer_has_never_heard_of_the_monitor() -> None:
    modules = [relative(file).removesuffix(".py").replace("/", ".") for file in python_files("programmer")]
    everything = "\n".join(f"import {module.removesuffix('.__init__')}" for module in modules)
    assert packages_loaded_by(everything) & {"monitor", "grpc", "google", "pydantic", "yaml", "click"} == set()


@pytest.mark.parametrize("module", ["programmer.memory", "programmer.reconciler", "programmer.journal"])
def test_programmer_without_linux_loads_no_netlink(module: str) -> None:
    assert "pyroute2" not in packages_loaded_by(f"import {module}")


@pytest.mark.parametrize("module", ["monitor.engine", "monitor.daemon"])
def test_daemon_loads_no_command_line(module: str) -> None:
    assert "click" not in packages_loaded_by(f"import {module}")
    assert not {name for name in loaded_by(f"import {module}") if name.startswith("monitor.cli")}


def test_engine_knows_no_protocol() -> None:
    packages = packages_loaded_by("import monitor.engine")
    assert packages & {"grpc", "google", "pyroute2"} == set()
    assert not {
        name for name in loaded_by("import monitor.engine") if name.startswith(("monitor.gobgp", "monitor.api"))
    }


def test_clients_of_the_daemon_hold_no_table() -> None:
    names = loaded_by("import monitor.api.client")
    assert not {name for name in names if name.startswith(("monitor.engine", "monitor.gobgp", "programmer.netlink"))}
    assert not {"pyroute2", "sqlite3"} & packages_loaded_by("import monitor.api.client")


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["plan", "--help"], ["config", "init"]])
def test_short_commands_start_without_the_heavy_packages(arguments: list[str]) -> None:
    code = f"from monitor.cli import main\nassert main({arguments!r}) == 0"
    assert packages_loaded_by(code) & (HEAVY - {"logging"}) == set()


def test_commands_of_a_client_start_without_what_only_the_daemon_needs() -> None:
    code = "from monitor.cli import main\nassert main(['status', '--run-dir', '/nonexistent']) == 3"
    assert packages_loaded_by(code) & {"pydantic", "pyroute2", "sqlite3", "yaml"} == set()


def test_what_prints_a_line_loads_no_terminal_ui() -> None:
    code = "from monitor.cli import main\nassert main(['status', '--run-dir', '/nonexistent']) == 3"
    assert packages_loaded_by(code) & {"textual", "rich"} == set()
    for arguments in ("--help", "version"):
        assert "textual" not in packages_loaded_by(f"from monitor.cli import main\nassert main([{arguments!r}]) == 0")


@pytest.mark.parametrize(
    "module", ["monitor.tui.run", "monitor.tui.looks", "monitor.tui.registry", "monitor.cli.terminal"]
)
def test_looks_are_decided_before_textual_is_loaded(module: str) -> None:
    assert "textual" not in packages_loaded_by(f"import {module}")


FIRST_FRAME = """
import asyncio, os
from monitor.tui.link import Link
from monitor.tui.looks import Looks
os.environ.update(Looks().engine())
from monitor.tui.app import BgpmonApp

class Silent:
    def close(self):
        pass
    def __getattr__(self, name):
        from monitor.errors import DaemonUnreachable
        def call(**_):
            raise DaemonUnreachable("no daemon")
        return call

async def main():
    app = BgpmonApp(Link(Silent), Looks())
    async with app.run_test(size=(80, 24)):
        app.exit()

asyncio.run(main())
"""
"""A terminal UI that is shown once, without a daemon."""


def test_the_first_frame_waits_for_nothing_that_only_the_daemon_needs() -> None:
    assert "textual" in packages_loaded_by(FIRST_FRAME)
    assert packages_loaded_by(FIRST_FRAME) & {"pyroute2", "aiohttp", "pydantic", "sqlite3", "yaml", "grpc"} == set()
    names = loaded_by(FIRST_FRAME)
    assert not {
        name
        for name in names
        if name.startswith(("monitor.engine", "monitor.config", "monitor.gobgp", "monitor.daemon"))
    }


def test_every_module_can_be_imported_first() -> None:
    """A circle of imports shows only when the wrong module comes first."""
    modules = [relative(file).removesuffix(".py").replace("/", ".") for file in python_files(*PRODUCT)]
    names = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    code = f"""
import importlib, sys
failed = []
for module in {names!r}:
    for name in [name for name in sys.modules if name.split(".")[0] in {PRODUCT!r} and "_pb" not in name]:
        del sys.modules[name]
    try:
        importlib.import_module(module)
    except ImportError as error:
        failed.append(f"{{module}}: {{error}}")
assert not failed, failed
"""
    assert "monitor.daemon" in names
    assert "monitor" in packages_loaded_by(code)


def test_generated_code_has_its_doors() -> None:
    for file in python_files(*PRODUCT):
        place = ".".join(relative(file).split("/")[:2])
        for name in imported(file):
            owner = name.partition("._pb")[0]
            if "._pb" in name:
                assert place in DOORS[owner], f"{relative(file)} imports {name}"


def test_product_never_imports_what_is_around_it() -> None:
    around = {"tests", "lab", "bench", "tools", "protos"}
    for file in python_files(*PRODUCT):
        assert not {name for name in imported(file) if name.partition(".")[0] in around}, relative(file)


def test_lab_and_bench_import_no_tests() -> None:
    for file in python_files("lab"):
        assert not {name for name in imported(file) if name.partition(".")[0] == "tests"}, relative(file)


def test_every_package_is_a_package() -> None:
    for file in files(".py"):
        if relative(file).split("/")[0] in (*PRODUCT, "lab", "bench", "tests"):
            folder = file.parent
            while folder != ROOT:
                # A folder that only holds others is found by its path; one with code is a package.
                holds_code = any(other.parent == folder for other in files(".py"))
                assert not holds_code or (folder / "__init__.py").is_file(), relative(folder)
                folder = folder.parent
