"""Replay: every past moment is told as it was, whatever changed since, and who asks for what is not known is told so."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import keeping as keeping_module
from monitor.engine.keeping import SAMPLE_SECONDS, keep
from monitor.engine.pastfeed import LONGEST_WAIT
from monitor.errors import BadRequest
from monitor.rib.path import PeerId
from programmer.errors import JournalError
from programmer.journal import Journal
from programmer.route import TableId
from tests.contract.stage import via
from tests.support.scenario_clock import EPOCH, run_without_waiting
from tests.support.scenario_stage import OURS, Router, Stage

PREFIXES = [f"10.{number}.0.0/16" for number in range(1, 5)]
DOMAIN = {
    "peers": ["192.0.2.0/28"],
    "interfaces": ["eth1"],
    "table": 101,
    "import": [{"accept": "any"}],
    "removal_budget": {"percent": 100, "routes": 1000},
}
Play = Callable[[Stage, Router, Router], Awaitable[None]]


def on_stage(play: Play, **more: Any) -> None:
    """Run *play* in mode auto with two routers that have told everything: nothing."""

    async def main() -> None:
        stage = Stage({"mode": "auto", "domains": {"storage": DOMAIN}} | more)
        for number, name in enumerate(("one", "two"), 1):
            stage.routers[name] = Router(PeerId("fabric", f"192.0.2.{number}"), router_id=f"10.255.0.{number}", up=True)
        await stage.start()
        try:
            tell(stage)
            await stage.settle()
            await play(stage, *stage.routers.values())
        finally:
            await stage.stop()

    run_without_waiting(main)


def tell(stage: Stage) -> None:
    stage.start_feed("fabric")
    for router in stage.routers.values():
        stage.complete(router)


async def now(stage: Stage) -> dict[str, tuple[str, int]]:
    """What the kernel has of ours."""
    routes = await stage.routes(101)
    found = {}
    for prefix, text in routes.items():
        for part in text.split("; "):
            if "protocol" not in part and prefix not in found:
                found[prefix] = part.partition(" metric ")[0]
    return {prefix: (text, 200) for prefix, text in found.items()}


async def then(stage: Stage, at: float, filter_text: str = "") -> dict[str, tuple[str, int]]:
    """What replay says of a moment, in the same shape."""
    document: Any = await stage.feed.replay(at, "routes", filter_text)
    return {
        row["prefix"]: (
            ", ".join(f"via {hop['address']} dev {hop['interface']}" for hop in row["next_hops"]),
            row["metric"],
        )
        for row in document["items"]
    }


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("announce"), st.integers(0, 3), st.sampled_from(("one", "two"))),
        st.tuples(st.just("withdraw"), st.integers(0, 3), st.sampled_from(("one", "two"))),
        st.tuples(st.sampled_from(("drop", "put", "foreign")), st.integers(0, 3), st.just("")),
        st.tuples(st.sampled_from(("flap", "refuse", "roll back", "overrun")), st.just(0), st.just("")),
        st.tuples(st.just("pause"), st.just(0), st.just("")),
    ),
    min_size=2,
    max_size=12,
)


async def move(stage: Stage, what: str, number: int, name: str) -> None:
    """Let one thing happen."""
    prefix = PREFIXES[number]
    there = await now(stage)
    if what == "announce":
        router = stage.routers[name]
        stage.announce(router, [prefix], stage.path(router, 1000.0, local_pref=100 + len(name) + number))
    elif what == "withdraw":
        stage.withdraw(stage.routers[name], [prefix])
    elif what == "drop" and prefix in there:
        stage.kernel.drop_route(TableId(101), ip_network(prefix), 200)
    elif what == "put":
        stage.kernel.put_route(TableId(101), ip_network(prefix), via("192.0.2.9", link=2), OURS)
    elif what == "foreign":
        stage.kernel.put_route(TableId(101), ip_network(prefix), via("192.0.2.9", link=2), 4)
    elif what == "flap":
        stage.kernel.set_link("eth1", up=False)
        await stage.settle()
        stage.kernel.set_link("eth1", up=True)
    elif what == "refuse":
        stage.kernel.fail_writes(1, 101, "Nexthop has invalid gateway")
    elif what == "overrun":
        stage.kernel.overrun(1)
    elif what == "pause":
        if stage.change.restraints.pause is not None:
            await stage.control.resume("alice")
        elif stage.change.conductor.flight is None:
            await stage.control.pause("a break", "alice")
    elif what == "roll back" and stage.reconciler.live_operations() and stage.change.restraints.pause is None:
        digest = str((await stage.control.freeze("alice"))["digest"])
        await asyncio.gather(stage.control.approve(digest, "alice"), return_exceptions=True)


@settings(max_examples=80, deadline=None)
@given(MOVES)
def test_every_moment_between_changes_is_told_as_it_was(moves: list[tuple[str, int, str]]) -> None:
    async def play(stage: Stage, _one: Router, _two: Router) -> None:
        moments: list[tuple[float, dict[str, tuple[str, int]]]] = []
        stage.journal.note("start", "", at=time.time())
        for what, number, name in moves:
            await move(stage, what, number, name)
            await stage.settle(5)
            moments.append((time.time(), await now(stage)))
            await stage.settle(5)
        for at, there in moments:
            document: Any = await stage.feed.replay(at, "routes")
            assert await then(stage, at) == there
            assert (document["unknown"], document["gaps"]) == (0, [])
        assert stage.journal.verify().ok

    rules = [{"match": "in 10.4.0.0/16", "approve": 1}, {"match": "*", "decision": "auto"}]
    on_stage(play, approval={"rules": rules, "soak": {"duration": "10s"}})


def test_what_a_roll_back_wrote_is_part_of_the_past() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.announce(one, PREFIXES[:2], stage.path(one, 1000.0))
        await stage.settle()
        empty = time.time()
        digest = str((await stage.control.freeze("alice"))["digest"])
        await stage.settle()
        await stage.control.approve(digest, "alice")
        await stage.settle()
        full = time.time()
        await stage.settle(400)
        assert await now(stage) == {}
        assert (await then(stage, empty), len(await then(stage, full))) == ({}, 2)
        assert len(await then(stage, full, PREFIXES[0])) == 1
        document: Any = await stage.feed.replay(full, "routes", "", 1)
        assert (len(document["items"]), document["total"], document["truncated"]) == (1, 2, True)

    on_stage(play, mode="approve", approval={"soak": {"duration": "5m"}})


def test_a_route_is_told_at_the_metric_that_it_had() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.announce(one, PREFIXES[:1], stage.path(one, 1000.0))
        await stage.settle()
        before, at = await now(stage), time.time()
        await stage.settle()
        stage.file = stage.file | {"domains": {"storage": stage.file["domains"]["storage"] | {"metric": 150}}}
        await stage.control.reload("alice")
        await stage.settle(10)
        assert await then(stage, at) == before
        late: Any = await stage.feed.replay(time.time(), "routes")
        assert [row["metric"] for row in late["items"]] == [150]

    on_stage(play)


def test_what_others_changed_while_bgpmon_did_not_run_is_a_gap() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.announce(one, PREFIXES[:2], stage.path(one, 1000.0))
        await stage.settle()
        at = time.time()
        stage.journal.note("stop", "", at=time.time())
        await stage.settle(10)
        stage.journal.note("start", "", at=time.time())
        document: Any = await stage.feed.replay(at, "routes")
        (gap,) = document["gaps"]
        assert gap.startswith("not running until 2026-01-01T")
        assert ", since 2026-01-01T" in gap
        await stage.settle()
        later: Any = await stage.feed.replay(time.time(), "routes")
        assert later["gaps"] == []

    on_stage(play)


def test_a_moment_that_is_not_known_is_refused() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.announce(one, PREFIXES[:1], stage.path(one, 1000.0))
        await stage.settle()
        with pytest.raises(BadRequest, match="has not come yet"):
            await stage.feed.replay(time.time() + 1.0, "routes")
        oldest = stage.journal.oldest()
        assert oldest >= EPOCH
        with pytest.raises(BadRequest, match="the journal begins there"):
            await stage.feed.replay(oldest - 0.1, "routes")
        assert await then(stage, oldest) is not None
        with pytest.raises(BadRequest, match="none of status, plan, routes"):
            await stage.feed.replay(time.time(), "peers")
        for what in ("status", "plan"):
            with pytest.raises(BadRequest, match="no snapshot was taken before"):
                await stage.feed.replay(time.time(), what)

    on_stage(play)


def test_a_snapshot_is_shown_with_the_moment_when_it_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_module, "LONGEST_SAMPLE", 60.0)

    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.journal.note("start", "", at=time.time())
        keeping = asyncio.create_task(keep(stage.feed))
        try:
            await stage.settle(30)
            first = time.time()
            stage.announce(one, PREFIXES[:1], stage.path(one, 1000.0))
            await stage.settle(30)
            second = time.time()
            await stage.settle(100)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        early: Any = await stage.feed.replay(first, "plan")
        late: Any = await stage.feed.replay(second, "plan")
        assert (early["total"], late["total"]) == (0, 1)
        assert late["operations"][0]["prefix"] == PREFIXES[0]
        assert late["at"] >= late["as_of"]
        status: Any = await stage.feed.replay(second, "status")
        assert status["node"] == "node"
        assert status["as_of"] >= early["as_of"]
        # Nothing changed for a long time: then one is taken all the same.
        quiet: Any = await stage.feed.replay(time.time(), "plan")
        assert quiet["as_of"] > late["as_of"]

    on_stage(play, mode="approve")


def test_a_journal_that_fails_does_not_end_the_keeping_of_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        def full(*_: object) -> None:
            raise JournalError("the disk is full")

        monkeypatch.setattr(stage.journal, "sample", full)
        keeping = asyncio.create_task(keep(stage.feed))
        await stage.settle(2 * SAMPLE_SECONDS)
        assert not keeping.done()
        monkeypatch.undo()
        stage.announce(one, PREFIXES[:1], stage.path(one, 1000.0))
        await stage.settle(2 * SAMPLE_SECONDS)
        assert stage.journal.sample_at(time.time()) is not None
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    on_stage(play, mode="approve")


def test_events_are_told_in_order_without_a_gap() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.announce(one, PREFIXES, stage.path(one, 1000.0))
        await stage.settle()
        told: list[int] = []
        last = 0
        while True:
            document: Any = await stage.feed.events(last, 0.0, 3)
            if not document["items"]:
                break
            told += [item["id"] for item in document["items"]]
            assert document["last"] == told[-1]
            last = document["last"]
        assert told == list(range(1, stage.journal.last_record() + 1))

    on_stage(play)


def test_who_waits_for_events_is_woken_by_the_first_and_not_kept_for_ever() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        await stage.settle(5)
        last = stage.journal.last_record()
        began = time.monotonic()
        document: Any = await stage.feed.events(last, wait=3.0)
        assert (document["items"], document["last"]) == ([], last)
        assert time.monotonic() - began == pytest.approx(3.0, abs=0.1)
        waiting = [asyncio.create_task(stage.feed.events(last, wait=20.0)) for _ in range(3)]
        await stage.settle(1.0)
        assert not any(task.done() for task in waiting)
        stage.announce(one, PREFIXES[:1], stage.path(one, 1000.0))
        began = time.monotonic()
        answers: list[Any] = await asyncio.gather(*waiting)
        assert time.monotonic() - began < 2.0
        assert {answer["items"][0]["id"] for answer in answers} == {last + 1}
        began = time.monotonic()
        await stage.feed.events(stage.journal.last_record() + 100, wait=10_000.0)
        assert time.monotonic() - began <= LONGEST_WAIT + 1.0

    on_stage(play)


def test_history_is_told_newest_first_and_of_one_prefix() -> None:
    async def play(stage: Stage, one: Router, two: Router) -> None:
        for router, pref in ((one, 100), (two, 200)):
            stage.announce(router, PREFIXES[:2], stage.path(router, 1000.0, local_pref=pref))
            await stage.settle()
        stage.kernel.drop_route(TableId(101), ip_network(PREFIXES[0]), 200)
        await stage.settle()
        document: Any = await stage.feed.history(PREFIXES[0])
        rows = [(row["op"], row["cause"], row["actor"]) for row in document["items"]]
        assert rows == [
            ("+", "reconcile", "bgpmon"),
            ("-", "outside", "somebody else"),
            ("~", "reconcile", "bgpmon"),
            ("+", "reconcile", "bgpmon"),
        ]
        with pytest.raises(BadRequest, match="is not a prefix"):
            await stage.feed.history("10.1.0.0/40")

    on_stage(play)


def test_an_export_goes_on_where_it_was_cut() -> None:
    async def play(stage: Stage, one: Router, _two: Router) -> None:
        stage.announce(one, PREFIXES, stage.path(one, 1000.0))
        await stage.settle()
        lines: list[str] = []
        last, truncated = 0, True
        while truncated:
            document: Any = await stage.feed.audit_export(last, 0.0, 2)
            lines += document["lines"]
            last, truncated = document["last"], document["truncated"]
        assert lines == list(Journal.export(stage.journal))
        audit: Any = await stage.feed.audit()
        assert (audit["ok"], audit["records"], audit["problems"]) == (True, len(lines), [])

    on_stage(play)
