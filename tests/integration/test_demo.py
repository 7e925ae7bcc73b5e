"""``bgpmon demo`` as people run it: without any right, with every command, and with nothing left behind."""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.demo import NOTICE
from tests.support.demo import NOBODY, UNPRIVILEGED, Demo, Terminal, running, short_place
from tests.support.wait import until

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).resolve().parents[2]
LABEL = f"DEMO: {NOTICE}"
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",), ("peers",), ("peers", "172.30.3.1"), ("domains",), ("routes", "prefix in 10.8.0.0/14"),
    ("explain", "10.0.0.0/8"), ("explain", "0.0.0.0/1"), ("lookup", "10.8.1.1"), ("plan", "show"), ("plan", "freeze"),
    ("history",), ("doctor",), ("reload",),
)  # fmt: skip


@pytest.fixture
def place() -> Iterator[Path]:
    """A place for one test."""
    with short_place() as path:
        yield path


def left(place: Path) -> list[str]:
    """What lies in the place besides the log that the test itself writes."""
    return sorted(entry.name for entry in place.iterdir() if entry.name != "demo.log")


async def test_every_command_answers_and_says_that_it_is_simulated(place: Path) -> None:
    async with running(place) as demo:
        for words in COMMANDS:
            done = await demo.command(*words, "-o", "json")
            assert done.returncode in ({0, 8} if words == ("doctor",) else {0}), (words, done.stderr)
            assert json.loads(done.stdout)["simulated"] is True, words
            assert done.stderr.startswith(LABEL), words
            screen = await demo.command(*words)
            first = screen.stdout if words == ("status",) else screen.stderr
            assert first.startswith(LABEL), words
        status = await demo.ask("status")
        assert status["node"].startswith("demo-")
        assert "in memory" in status["kernel"]
        assert (status["mode"], status["peers"]["total"]) == ("approve", 7)
        assert {domain["name"]: domain["table"] for domain in status["domains"]} == {
            "cluster": 101,
            "internet": 102,
            "storage": 103,
        }
        digest = (await demo.ask("plan", "freeze"))["digest"]
        for words in (("reject", digest, "--reason", "a test"), ("approve", digest), ("withdraw-all", "--yes")):
            done = await demo.command(*words)
            refused = words[0] == "approve"  # what was rejected is not approved
            assert done.returncode == (5 if refused else 0), (words, done.stderr)
            assert done.stderr.startswith(LABEL) is not refused, words
        lines = [json.loads(line) for line in demo.said.splitlines() if line.startswith("{")]
        assert lines
        assert all(line["simulated"] is True for line in lines)


async def test_an_approved_plan_makes_installed_equal_to_desired(place: Path) -> None:
    async with running(place, "--rate", "0") as demo:
        before = await demo.ask("status")
        assert before["plan"]["summary"]["add"] > 3000
        assert not any(family["installed"] for _, family in families(before))
        frozen = await demo.ask("plan", "freeze")
        done = await demo.ask("approve", frozen["digest"])
        assert (done["failed"], done["stale"]) == (0, 0)
        routes = (await demo.ask("routes", "--limit", "0"))["items"]
        states = {route["state"] for route in routes}
        assert states == {"installed", "conflict", "foreign"}
        after = await demo.ask("status")
        for name, family in families(after):
            assert family["installed"] == family["desired"] - (name == "storage"), (name, family)
        assert not any(after["plan"]["summary"].values())
        assert "a route of ours" in (await demo.ask("lookup", "10.8.1.1"))["verdict"]
        again = await demo.command("approve", frozen["digest"])
        assert again.returncode == 5


@pytest.mark.parametrize(
    ("prefix", "domain", "reason"),
    [
        ("10.8.1.0/24", "storage", "waits-for-approval"),
        ("10.9.200.0/24", "storage", "foreign-conflict"),
        ("10.43.8.0/24", "cluster", "protected"),
        ("10.42.250.0/28", "cluster", "policy-denied"),
        ("192.168.99.0/24", "cluster", "policy-unmatched"),
        ("0.0.0.0/0", "storage", "default-route"),
        ("128.0.0.0/1", "storage", "default-route"),
        ("10.11.201.0/24", "storage", "next-hop-own"),
        ("10.11.202.0/24", "storage", "next-hop-off-link"),
        ("10.11.203.0/24", "storage", "next-hop-invalid"),
        ("fd00:8::/48", "storage", "family-off"),
        ("192.0.2.0/24", "internet", "rejected-by-speaker"),
    ],
)
async def test_explain_has_something_to_tell(still: Demo, prefix: str, domain: str, reason: str) -> None:
    async def told() -> bool:
        found = await still.ask("explain", prefix, "--domain", domain)
        assert found["reason"] == reason, found["verdict"]
        return True

    await until(told, what=f"{prefix} to be explained")


async def test_a_hijacked_prefix_is_refused_to_one_peer_and_taken_from_the_other(still: Demo) -> None:
    found = await still.ask("explain", "100.64.66.0/24")
    assert {path["peer"]: path["reason"] for path in found["paths"]} == {
        "198.51.100.9": "policy-denied",
        "203.0.113.9": "waits-for-approval",
    }


@pytest.fixture(scope="module")
def still() -> Iterator[Demo]:
    """A demo in which nothing moves, for questions alone."""
    with short_place() as path:
        demo = Demo(path, "--no-shell", "--rate", "0")
        with demo.supervised():
            demo.launch()
            asyncio.run(demo.ready())
            yield demo


async def test_the_network_moves_and_makes_plans(place: Path) -> None:
    async with running(place, "--rate", "20") as demo:

        async def applied() -> bool:
            frozen = await demo.ask("plan", "freeze")
            return (await demo.command("approve", frozen["digest"])).returncode == 0

        await until(applied, what="a plan that still holds when it is approved")

        async def planned() -> Any:
            plan = await demo.ask("plan", "show")
            return {operation["op"] for operation in plan["operations"]} >= {"+", "~", "-"}

        await until(planned, timeout=60, what="a plan with additions, changes and removals")

        async def flapped() -> bool:
            return "203.0.113.9: established -> " in json.dumps(await demo.ask("history", "--limit", "5000"))

        await until(flapped, timeout=60, what="a session that went down, in the history")


async def test_in_auto_mode_the_kernel_follows_and_foreign_routes_stay(place: Path) -> None:
    async with running(place, "--mode", "auto", "--rate", "5", "--seed", "7", "--routes", "500") as demo:

        async def equal() -> bool:
            for name, family in families(await demo.ask("status")):
                assert family["installed"] == family["desired"] - (name == "storage"), (name, family)
                assert family["desired"] > 0
            return True

        await until(equal, timeout=60, what="the kernel to hold what BGP says")
        conflict = await demo.ask("explain", "10.9.200.0/24", "--domain", "storage")
        assert conflict["reason"] == "foreign-conflict"


async def test_in_dry_run_mode_nothing_is_ever_written(place: Path) -> None:
    async with running(place, "--mode", "dry-run", "--routes", "200") as demo:
        frozen = await demo.ask("plan", "freeze")
        assert (await demo.command("approve", frozen["digest"])).returncode == 5
        assert not any(family["installed"] for _, family in families(await demo.ask("status")))


async def test_a_changed_configuration_is_taken_over(place: Path) -> None:
    async with running(place, "--rate", "0") as demo:
        file = Path(demo.run_dir) / "bgpmon.yaml"
        file.write_text(file.read_text().replace("mode: approve", "mode: auto"))
        await demo.ask("reload")

        async def installed() -> bool:
            return not any((await demo.ask("status"))["plan"]["summary"].values())

        await until(installed, timeout=60, what="the routes to be written in mode auto")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_and_nothing_is_left(place: Path, number: signal.Signals) -> None:
    async with running(place) as demo:
        assert left(place) == [Path(demo.run_dir).name]
        demo.signal(number)
        await until(lambda: not demo.running, what=f"the demo to end after {number.name}")
        assert demo.exit_code == 0, demo.tail()
        assert left(place) == []
        assert "Traceback" not in demo.said


async def test_a_named_directory_is_made_and_removed_and_serves_one_demo(place: Path) -> None:
    named = place / "run"
    async with running(place, "--run-dir", str(named)) as demo:
        assert demo.run_dir == str(named)
        assert (named / "admin.sock").is_socket()
        second = await demo.command("demo", "--no-shell")
        assert second.returncode == 5
        assert "another bgpmon runs here" in second.stderr
        assert (await demo.ask("status"))["ready"] is True
        await demo.stop()
        assert left(place) == []


async def test_a_directory_that_was_there_stays(place: Path) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "file").write_text("mine")
    if UNPRIVILEGED:
        os.chown(place / "mine", NOBODY, NOBODY)
    async with running(place, "--run-dir", str(place / "mine")) as demo:
        await demo.stop()
    assert left(place) == ["mine"]
    assert (place / "mine" / "file").read_text() == "mine"
    assert not (place / "mine" / "admin.sock").exists()


async def test_it_has_no_right_and_no_socket_that_reaches_the_machine(place: Path) -> None:
    async with running(place) as demo:
        facts = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{demo.pid}/status").read_text().splitlines() if ":\t" in line
        )
        if UNPRIVILEGED:
            assert set(facts["Uid"].split()) == {str(NOBODY)}
            assert int(facts["CapEff"], 16) == 1 << 2  # CAP_DAC_READ_SEARCH, see READING
        links = [str(entry.readlink()) for entry in Path(f"/proc/{demo.pid}/fd").iterdir()]
        mine = {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}
        assert mine
        unix = {line.split()[6] for line in Path(f"/proc/{demo.pid}/net/unix").read_text().splitlines()[1:]}
        assert mine <= unix, "a socket that is not a unix socket: netlink, TCP or UDP"


@pytest.fixture
def terminal(place: Path) -> Iterator[Terminal]:
    opened = Terminal(place)
    yield opened
    opened.close()


async def test_a_terminal_gets_a_shell_and_leaving_it_ends_all(terminal: Terminal, place: Path) -> None:
    await terminal.shows("Leave this shell")
    await terminal.shows("demo")
    terminal.type("bgpmon status; echo ended=$?\n")
    await terminal.shows("ended=0")
    assert LABEL in terminal.screen
    assert "7 of 7 up" in terminal.screen
    (work,) = [entry for entry in place.iterdir() if entry.name.startswith("bgpmon-demo-")]
    assert json.loads((work / "bgpmon.log").read_text().splitlines()[0])["simulated"] is True
    assert '"message"' not in terminal.screen, "the log is in a file while a shell has the terminal"
    terminal.type("exit\n")
    await until(lambda: terminal.process.poll() is not None, what="the demo to end with its shell")
    assert terminal.process.returncode == 0, terminal.screen
    assert left(place) == []


async def test_a_demo_that_is_ended_takes_its_shell_along(terminal: Terminal, place: Path) -> None:
    await terminal.shows("Leave this shell")
    terminal.type("echo shell=$$\n")
    await until(lambda: re.search(r"shell=(\d+)", terminal.screen), what="the shell to answer")
    found = re.search(r"shell=(\d+)", terminal.screen)
    assert found
    shell = int(found[1])
    terminal.process.send_signal(signal.SIGTERM)
    await until(lambda: terminal.process.poll() is not None, what="the demo to end")
    assert terminal.process.returncode == 0, terminal.screen
    assert not Path(f"/proc/{shell}").exists()
    assert left(place) == []


@pytest.mark.parametrize("words", [(), ("--no-shell",)])
async def test_a_demo_ends_with_its_terminal(place: Path, words: tuple[str, ...]) -> None:
    terminal = Terminal(place, *words)
    try:
        await terminal.shows("end the demo" if not words else "ends the demo")
        terminal.hang_up()
        await until(lambda: terminal.process.poll() is not None, what="the demo to end")
        assert terminal.process.returncode == 0
        assert left(place) == []
    finally:
        terminal.close()


async def test_a_place_with_too_long_a_name_is_refused_in_words(place: Path) -> None:
    deep = place / ("x" * 90)
    deep.mkdir()
    deep.chmod(0o777)
    demo = Demo(deep, "--no-shell")
    with demo.supervised():
        demo.launch()
        await until(lambda: not demo.running, what="the demo to refuse")
    assert demo.exit_code == 1
    assert "set TMPDIR to a shorter directory" in demo.said


@pytest.mark.parametrize(
    ("wrapper", "reason"),
    [
        (UNPRIVILEGED, "for that it needs root"),
        (["setpriv", "--bounding-set=-sys_admin"], "network namespaces cannot be made here"),
    ],
)
async def test_make_run_falls_back_to_the_demo_and_says_why(wrapper: list[str], reason: str) -> None:
    if wrapper is not UNPRIVILEGED and not UNPRIVILEGED:
        pytest.skip("only root can be a root without rights")
    done = await asyncio.to_thread(
        subprocess.run,
        [*wrapper, str(ROOT / "tools" / "run")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MAKE": "echo"},
    )
    assert done.returncode == 0, done.stderr
    assert reason in done.stdout
    assert done.stdout.splitlines()[-1] == "--no-print-directory demo"


def families(status: Any) -> list[tuple[str, Any]]:
    """Each family of each domain, by the domain's name."""
    return [(domain["name"], family) for domain in status["domains"] for family in domain["families"].values()]
