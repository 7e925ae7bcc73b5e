"""A table that another program uses: bgpmon does not move in beside it unasked."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bgpmon import PROGRAM, running_bgpmon
from tests.support.netns import Namespace, namespace
from tests.support.wait import until

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

OURS, THEIRS = "198.18.1.0/24", "198.18.2.0/24"


@pytest.fixture
def node() -> Iterator[Namespace]:
    """A namespace whose loopback can carry routes."""
    with namespace("node", "bgpm-e2e-") as made:
        made.ip("link", "set", "lo", "up")
        yield made


def configuration(node: Namespace, directory: Path, **more: object) -> str:
    """One domain in table 101, fed by a gobgpd that is not there."""
    domain = {"source": "fabric", "peers": ["192.0.2.1"], "interfaces": ["eth0"], "table": 101} | more
    return (
        f"node: node-1\nmode: auto\nnetns: {node.path}\n"
        f'sources: {{fabric: {{gobgp: "unix://{directory}/nobody.sock"}}}}\ndomains: {json.dumps({"east": domain})}\n'
    )


async def refusal(text: str, directory: Path) -> str:
    """Start bgpmon, which must end by itself, and return what it says."""
    file = directory / "refused.yaml"
    file.write_text(f"run_dir: {directory}/refused\nstate_dir: {directory}/refused\n{text}")
    command = [str(PROGRAM), "run", "--config", str(file)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1, done.stderr
    return done.stderr


def put(node: Namespace, prefix: str, protocol: str) -> None:
    node.ip("route", "add", prefix, "dev", "lo", "table", 101, "proto", protocol, "metric", 200)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
async def test_a_table_of_another_program_is_refused_with_its_routes_named(
    node: Namespace, tmp_path: Path, family: str
) -> None:
    prefix = THEIRS if family == "ipv4" else "2001:db8:2::/48"
    put(node, prefix, "static")
    said = await refusal(configuration(node, tmp_path), tmp_path)
    assert "table 101 of domain east already holds routes of another program" in said
    assert f"{prefix} proto 4" in said
    assert "foreign_routes: accept" in said


async def test_it_is_shared_where_the_configuration_says_so(node: Namespace, tmp_path: Path) -> None:
    put(node, THEIRS, "static")
    text = configuration(node, tmp_path, foreign_routes="accept")
    async with running_bgpmon(text, tmp_path, ready=False) as bgpmon:
        await until(lambda: shows_foreign(bgpmon.run_dir), what="the foreign route in status")


async def test_a_table_with_our_own_routes_is_ours_whoever_joined_it(node: Namespace, tmp_path: Path) -> None:
    put(node, OURS, "196")
    put(node, THEIRS, "static")
    async with running_bgpmon(configuration(node, tmp_path), tmp_path, ready=False):
        assert OURS in node.ip("route", "show", "table", 101)


async def test_a_guest_that_came_later_does_not_stop_a_restart(node: Namespace, tmp_path: Path) -> None:
    async with running_bgpmon(configuration(node, tmp_path), tmp_path, ready=False) as bgpmon:
        put(node, THEIRS, "static")
        await bgpmon.restart(ready=False)
        await until(lambda: shows_foreign(bgpmon.run_dir), what="the foreign route in status")


async def test_a_reload_onto_an_occupied_table_leaves_the_old_configuration_in_force(
    node: Namespace, tmp_path: Path
) -> None:
    async with running_bgpmon(configuration(node, tmp_path), tmp_path, ready=False) as bgpmon:
        node.ip("route", "add", THEIRS, "dev", "lo", "table", 102, "proto", "static")
        bgpmon.file.write_text(bgpmon.file.read_text().replace('"table": 101', '"table": 102'))
        done = await bgpmon.command("reload")
        assert done.returncode == 5, done.stderr
        assert "table 102 of domain east already holds routes of another program" in done.stderr
        assert (await bgpmon.cli("status"))["domains"][0]["table"] == 101


def shows_foreign(run_dir: Path) -> bool:
    """Whether ``status`` counts one foreign route."""
    command = [str(PROGRAM), "--run-dir", str(run_dir), "status", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(done.stdout)["domains"][0]["families"]["ipv4"]["foreign"] == 1
    return True
