"""Windows, the pause, holds and what was rolled back: what may be written when, over a crash too; and who said so."""

import subprocess
from pathlib import Path

import pytest

from monitor.change.clock import read_clock
from tests.support.bgpmon import PROGRAM, running_bgpmon
from tests.support.change import (
    applied,
    audited,
    becomes,
    call,
    controlled,
    dump,
    events,
    frozen,
    pending,
    plan_state,
    rewrite,
)
from tests.support.gobgpd import VERSIONS
from tests.support.site import EAST, NET, OTHER, Wires, node
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
ALWAYS = {"name": "always", "cron": "* * * * *", "duration": "2m", "timezone": "UTC"}
NEVER = {"name": "never", "kind": "deny", "cron": "* * * * *", "duration": "2m", "timezone": "UTC"}
MORE = "10.8.77.0/24"


async def test_without_a_synchronised_clock_an_approved_plan_waits_and_a_trusted_clock_lets_it_go(
    daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET),
        running_bgpmon(controlled(here, windows=[ALWAYS]), daemon_directory / "b") as bgpmon,
    ):
        before = dump(here)
        digest = await frozen(bgpmon, 2)
        answer = await call(bgpmon, "approve", digest)
        # The container's clock is the machine's: what the kernel says of it is asked, not assumed.
        if not read_clock().synchronised:
            assert answer["state"] == "queued", answer
            assert "clock is not synchronised" in answer["waits_for"]
            assert "clock is not synchronised" in (await bgpmon.ask("plan", digest))["detail"]
            assert any("windows count as shut" in line for line in (await bgpmon.ask("status"))["warnings"])
            assert dump(here) == before
            await bgpmon.stop()
            rewrite(bgpmon, controlled(here, windows=[ALWAYS], clock="trusted"))
            await bgpmon.start()
        await becomes(bgpmon, digest, "applied")
        await here.gains(101, NET, EAST)
        await audited(bgpmon)


async def test_what_a_denying_window_holds_back_is_applied_when_it_is_over(
    daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET),
        running_bgpmon(controlled(here, windows=[ALWAYS, NEVER], clock="trusted"), daemon_directory / "b") as bgpmon,
    ):
        before = dump(here)
        digest = await frozen(bgpmon, 2)
        answer = await call(bgpmon, "approve", digest)
        assert answer["state"] == "queued"
        assert "never" in answer["waits_for"], answer
        await bgpmon.kill()
        await bgpmon.start()
        assert await plan_state(bgpmon, digest) == "queued"
        assert dump(here) == before
        rewrite(bgpmon, controlled(here, windows=[ALWAYS], clock="trusted"))
        await bgpmon.ask("reload")
        await becomes(bgpmon, digest, "applied")
        await here.gains(101, NET, EAST)


async def test_a_queued_plan_is_applied_after_a_crash_once_bgp_is_known_again(
    daemon_directory: Path, wires: Wires
) -> None:
    many = [f"10.8.{number}.0/24" for number in range(200)]
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", *many),
        running_bgpmon(controlled(here, windows=[NEVER], clock="trusted"), daemon_directory / "b") as bgpmon,
    ):
        digest = await frozen(bgpmon, len(many) + 1)
        assert (await call(bgpmon, "approve", digest))["state"] == "queued"
        await bgpmon.kill()
        rewrite(bgpmon, controlled(here, windows=[ALWAYS], clock="trusted"))
        here.gobgpd.freeze()
        await bgpmon.start(ready=False)
        # The window is open, and BGP says nothing yet: that is no reason to give the plan up.
        for _ in range(100):
            document = await bgpmon.ask("plan", digest)
            assert document["state"] == "queued", document["detail"]
        here.gobgpd.thaw()
        document = await becomes(bgpmon, digest, "applied", "expired", "failed")
        assert document["state"] == "applied", document["detail"]
        await here.holds(101, set(many))


@pytest.mark.parametrize("mode", ["auto", "approve"])
async def test_nothing_is_written_while_paused_not_even_after_a_crash(
    mode: str, daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET, OTHER) as router,
        running_bgpmon(controlled(here, mode, rules=()), daemon_directory / "b") as bgpmon,
    ):
        if mode == "approve":
            await applied(bgpmon, 3)
        await here.gains(101, OTHER, EAST)
        await call(bgpmon, "pause", "a test")
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            await router.withdraw(OTHER)
            await router.announce(MORE)
            await pending(bgpmon, 2)
            digest = await frozen(bgpmon, 2)
            if mode == "approve":
                answer = await call(bgpmon, "approve", digest)
                assert answer["state"] == "queued"
                assert "paused" in answer["waits_for"]
            await bgpmon.kill()
            await bgpmon.start()
            await pending(bgpmon, 2)
            assert any("PAUSED" in line for line in (await bgpmon.ask("status"))["warnings"])
            here.node.ip("route", "del", NET, "table", 101)
            await pending(bgpmon, 3)
            await watch.mark(2)
            assert len(watch.ours()) == len(watch.deletions()) == 1, "what others do is seen, and not repaired"
            await call(bgpmon, "resume")
            if mode == "approve":
                await becomes(bgpmon, digest, "applied")
            await here.gains(101, MORE, EAST)
            await here.loses(101, OTHER)
        kinds = [event["kind"] for event in await events(bgpmon)]
        assert kinds.index("pause") < kinds.index("resume")
        await audited(bgpmon)


async def test_a_hold_and_what_was_rolled_back_restrain_mode_auto_over_a_crash(
    daemon_directory: Path, wires: Wires
) -> None:
    rules: list[dict[str, object]] = [{"match": f"in {OTHER}", "approve": 1}, {"match": "*", "decision": "auto"}]
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET, OTHER) as router,
        running_bgpmon(
            controlled(here, "auto", rules=rules, soak={"duration": "5m"}), daemon_directory / "b"
        ) as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        digest = await frozen(bgpmon, 1)
        assert (await call(bgpmon, "approve", digest))["state"] == "soaking"
        await here.gains(101, OTHER, EAST)
        assert (await call(bgpmon, "roll_back", digest, "it was wrong"))["state"] == "rolled-back"
        assert OTHER not in here.table(101)
        held = await call(bgpmon, "hold", f"in {MORE}", 3600.0, "not yet")
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            for number in range(2):
                await bgpmon.kill()
                # Without rules nobody would be asked for it: only the roll-back restrains it from here.
                rewrite(bgpmon, controlled(here, "auto", rules=(), soak={"duration": "5m"}))
                await bgpmon.start()
                fresh = f"10.8.8{number}.0/24"
                await router.announce(MORE, fresh)
                await here.gains(101, fresh, EAST)
                await pending(bgpmon, 2)
            await watch.mark(2)
            assert not [line for line in watch.ours() if OTHER in line or MORE in line]
            assert any("rolled-back" in line for line in (await bgpmon.ask("status"))["warnings"])
            await call(bgpmon, "release", held["id"])
            await here.gains(101, MORE, EAST)
            assert OTHER not in here.table(101)
            # Another way to it is another matter, and a person's approval releases what was rolled back.
            assert await applied(bgpmon, 1, confirm=True)
            await here.gains(101, OTHER, EAST)
        await audited(bgpmon)


async def test_the_journal_says_the_uid_and_the_pid_of_the_command_that_approved(
    daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET),
        running_bgpmon(controlled(here), daemon_directory / "b") as bgpmon,
    ):
        digest = await frozen(bgpmon, 2)
        command = [str(PROGRAM), "approve", digest[:12], "--run-dir", str(bgpmon.run_dir), "-o", "json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as approving:
            try:
                await until(lambda: approving.poll() is not None, what="the command to end")
            finally:
                approving.kill()
            assert approving.stdout is not None
            assert approving.returncode == 0, approving.stdout.read()
        (record,) = [event for event in await events(bgpmon) if event["kind"] == "approve"]
        assert "uid 0 (root)" in record["actor"]
        assert f"pid {approving.pid} bgpmon" in record["actor"], record
        (approval,) = (await bgpmon.ask("plan", digest))["approvals"]["items"]
        assert approval["method"] == "local"
        assert f"pid {approving.pid} " in approval["principal"]
