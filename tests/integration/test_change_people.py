"""Who released it: two people at once, the same word twice at once, and every word that does not count."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.api.client import Client
from monitor.change.statement import Statement, read_statement
from monitor.errors import ApiError, BadRequest, Refused, Stale
from monitor.ports import Endorsement
from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.change import (
    ASK_TWO,
    People,
    audited,
    becomes,
    call,
    controlled,
    dump,
    events,
    frozen,
    people,
    plan_state,
    refusal,
)
from tests.support.gobgpd import VERSIONS
from tests.support.site import NET, OTHER, Wires, node
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(300)]

NEWEST = VERSIONS[-1]
APPROVE = """
import json, sys
from monitor.api.client import Client
from monitor.errors import ApiError
from monitor.ports import Endorsement
run_dir, digest, statement, signature = sys.argv[1:]
with Client(run_dir) as client:
    client.status()
    print("there", flush=True)
    sys.stdin.readline()
    try:
        print(json.dumps(client.approve(digest, Endorsement(statement.encode(), signature))))
    except ApiError as error:
        print(json.dumps({"error": str(error)}))
"""
"""Approves once a line comes."""


async def _at_once(bgpmon: Bgpmon, digest: str, *given: Endorsement) -> list[dict[str, Any]]:
    """Send approvals from as many processes, each connected before, at the same moment; returns the answers."""
    processes = []
    try:
        for item in given:
            words = (str(bgpmon.run_dir), digest, item.statement.decode(), item.signature)
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", APPROVE, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
        for process in processes:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == "there\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [await asyncio.to_thread(process.communicate, None, 60) for process in processes]
        return [json.loads(out) for out, _ in answers]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


async def test_two_people_approve_at_once_and_the_plan_is_applied_once(daemon_directory: Path, wires: Wires) -> None:
    staff = people(daemon_directory / "keys", "alice", "bob")
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET, OTHER) as router,
        running_bgpmon(
            controlled(here, rules=ASK_TWO, allowed_signers=str(staff.signers)), daemon_directory / "b"
        ) as bgpmon,
    ):
        wanted = {NET, OTHER}
        for number, count in enumerate((3, 1, 1)):
            digest = await frozen(bgpmon, count)
            with watching(daemon_directory, here.node) as watch:
                before = await watch.mark(2 * number)
                given = [await staff.word(bgpmon, digest, who) for who in ("alice", "bob")]
                answers = await _at_once(bgpmon, digest, *given)
                assert sorted(answer["state"] for answer in answers) in (["applied", "applied"], ["applied", "frozen"])
                await becomes(bgpmon, digest, "applied")
                assert await watch.mark(2 * number + 1) == before + count, "each operation once"
            await here.holds(101, wanted)
            told = [event for event in await events(bgpmon) if event["plan"] == digest]
            assert sorted(event["actor"] for event in told if event["kind"] == "approval") == [
                "alice@example.net",
                "bob@example.net",
            ]
            words = [f"{event['kind']} {event.get('detail', '')}" for event in told]
            assert sum("applying" in line for line in words) == sum("plan-state applied" in line for line in words) == 1
            # Nothing is released before the second word, and nothing written before that.
            kinds = [event["kind"] for event in told]
            second = len(kinds) - 1 - kinds[::-1].index("approval")
            assert second < next(index for index, line in enumerate(words) if "applying" in line)
            assert second < kinds.index("change")
            fresh = f"10.8.{100 + number}.0/24"
            await router.announce(fresh)
            wanted.add(fresh)
        await audited(bgpmon)


async def test_the_same_signature_twice_at_once_counts_once(daemon_directory: Path, wires: Wires) -> None:
    staff = people(daemon_directory / "keys", "alice", "bob")
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET),
        running_bgpmon(
            controlled(here, rules=ASK_TWO, allowed_signers=str(staff.signers)), daemon_directory / "b"
        ) as bgpmon,
    ):
        before, digest = dump(here), await frozen(bgpmon, 2)
        word = await staff.word(bgpmon, digest, "alice")
        answers = await _at_once(bgpmon, digest, word, word)
        refused = [answer["error"] for answer in answers if "error" in answer]
        assert len(refused) == 1, answers
        assert "nobody counts twice" in refused[0]
        # Another signature of the same person, over the same text, is the same person all the same.
        gate = threading.Barrier(4)

        def again() -> str:
            with Client(bgpmon.run_dir) as client:
                gate.wait(30)
                try:
                    return str(client.approve(digest, word))
                except ApiError as error:
                    return str(error)

        said = await asyncio.gather(*(asyncio.to_thread(again) for _ in range(4)))
        assert all("nobody counts twice" in text for text in said), said
        standing = (await bgpmon.ask("plan", digest))["approvals"]
        assert (standing["have"], standing["need"]) == (1, 2)
        assert dump(here) == before
        await call(bgpmon, "approve", digest, await staff.word(bgpmon, digest, "bob"))
        assert await plan_state(bgpmon, digest) == "applied"


Forge = Callable[[Bgpmon, People, str], Awaitable[Endorsement]]


async def _edited(bgpmon: Bgpmon, staff: People, digest: str) -> Endorsement:
    word = await staff.word(bgpmon, digest, "alice")
    text = read_statement(word.statement)
    later = Statement(node=text.node, plan=text.plan, digest=text.digest, act=text.act, expires=text.expires + 60)
    return word._replace(statement=later.text.encode())


async def _spelled(bgpmon: Bgpmon, staff: People, digest: str) -> Endorsement:
    text = (await call(bgpmon, "statement", digest))["text"]
    return staff.signed(text.replace("act: approve", "act:  approve").encode(), "alice")


def _changed(**values: Any) -> Forge:
    async def forge(bgpmon: Bgpmon, staff: People, digest: str) -> Endorsement:
        text = read_statement((await call(bgpmon, "statement", digest))["text"].encode())
        fields = {name: getattr(text, name) for name in ("node", "plan", "digest", "act", "expires")}
        return staff.signed(Statement(**fields | values).text.encode(), "alice")

    return forge


async def _confirming(bgpmon: Bgpmon, staff: People, digest: str) -> Endorsement:
    return await staff.word(bgpmon, digest, "alice", "confirm")


async def _stranger(bgpmon: Bgpmon, staff: People, digest: str) -> Endorsement:
    return await staff.word(bgpmon, digest, "mallory")


async def _of_a_file(bgpmon: Bgpmon, staff: People, digest: str) -> Endorsement:
    return await staff.word(bgpmon, digest, "alice", namespace="file")


async def _no_signature(_bgpmon: Bgpmon, _staff: People, _digest: str) -> Endorsement:
    return Endorsement()


async def _nonsense(bgpmon: Bgpmon, staff: People, digest: str) -> Endorsement:
    return (await staff.word(bgpmon, digest, "alice"))._replace(signature="nonsense")


FORGED: list[tuple[str, Forge, type[ApiError], str]] = [
    ("edited", _edited, Refused, "signature"),
    ("spelled otherwise", _spelled, BadRequest, "line 2"),
    ("another node", _changed(node="node-2"), Refused, "it is about node node-2, and this is node-1"),
    ("expired", _changed(expires=float(int(time.time()) - 60)), Stale, "the statement expired"),
    ("another digest", _changed(digest="0" * 64), Refused, "it is about plan"),
    ("another number", _changed(plan=77), Refused, "it is about plan 77"),
    ("another act", _confirming, Refused, "it says confirm, and this is approve"),
    ("an unknown key", _stranger, Refused, "signature is refused"),
    ("namespace file", _of_a_file, Refused, "namespace"),
    ("no signature", _no_signature, Refused, "never counts as one of several"),
    ("no armour", _nonsense, Refused, "signature is refused"),
]


async def test_a_word_that_does_not_count_is_refused_with_the_reason_and_nothing_is_written(
    daemon_directory: Path, wires: Wires
) -> None:
    staff = people(daemon_directory / "keys", "alice", "bob", strangers=["mallory"])
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET),
        running_bgpmon(
            controlled(here, rules=ASK_TWO, allowed_signers=str(staff.signers)), daemon_directory / "b"
        ) as bgpmon,
    ):
        before, digest = dump(here), await frozen(bgpmon, 2)
        await call(bgpmon, "approve", digest, await staff.word(bgpmon, digest, "bob"))
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            for name, forge, kind, words in FORGED:
                error = await refusal(bgpmon, "approve", digest, await forge(bgpmon, staff, digest))
                assert type(error) is kind, (name, error)
                assert words in str(error), (name, error)
                standing = (await bgpmon.ask("plan", digest))["approvals"]
                assert (standing["have"], standing["enough"]) == (1, False), name
            await watch.mark(2)
            assert not watch.ours()
        assert dump(here) == before
        told = [event for event in await events(bgpmon) if event["kind"] == "approval"]
        assert [event["actor"] for event in told] == ["bob@example.net"]
        await call(bgpmon, "approve", digest, await staff.word(bgpmon, digest, "alice"))
        await until(lambda: NET in here.table(101), what="what alice's own word releases")
        await audited(bgpmon)
