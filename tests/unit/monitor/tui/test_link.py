"""The way to the daemon: lost, found again, locked and unlocked."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from monitor.errors import ApiError, DaemonSlow, DaemonUnreachable
from monitor.tui.link import CALL_SECONDS, MOST_EVENTS, Link, said
from tests.support import fake_node as node
from tests.support.fake_daemon import FakeDaemon
from tests.support.screens import Clock
from tests.support.wait import until

GONE = DaemonUnreachable("no daemon answers")


class Way:
    """A link, its daemon, and what it told."""

    def __init__(self) -> None:
        self.daemon = FakeDaemon(status=node.status, freeze={"number": 4})
        self.clock = Clock()
        self.heard: list[int] = []
        self.changes: list[bool] = []
        self.link = Link(self.daemon.connect, self.clock, self._heard, lambda: self.changes.append(self.link.up))

    def _heard(self, items: list[dict[str, int]]) -> None:
        self.heard += [item["id"] for item in items]


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    made = Way()
    yield made
    await made.link.close()
    assert not made.daemon.broken


async def test_the_status_is_heard(way: Way) -> None:
    assert not way.link.up
    await way.link.refresh()
    assert way.link.up
    assert way.link.status["node"] == node.NODE


async def test_a_daemon_is_lost_once_and_found_once(way: Way) -> None:
    await way.link.refresh()
    answer = way.daemon.answers["status"]
    way.daemon.answers["status"] = GONE
    for _ in range(3):
        way.clock.now += 1
        with pytest.raises(DaemonUnreachable):
            await way.link.refresh()
    assert way.link.lost_at == node.NOW + 1
    assert way.link.lost_because == "no daemon answers"
    assert way.changes == [False]
    way.daemon.answers["status"] = answer
    way.clock.now += 1
    await way.link.refresh()
    await way.link.refresh()
    assert way.link.lost_at is None
    assert way.link.found_at == node.NOW + 4
    assert way.changes == [False, True]


async def test_a_daemon_that_is_slow_is_gone_only_when_it_answers_nothing(way: Way) -> None:
    await way.link.refresh()
    answer = way.daemon.answers["status"]
    way.daemon.answers["view"] = DaemonSlow("it did not answer within 10 seconds")
    way.clock.now += CALL_SECONDS - 1
    await way.link.refresh()
    way.clock.now += 1
    with pytest.raises(DaemonSlow):
        await way.link.ask("view")
    assert way.link.up, "others are answered meanwhile"
    way.daemon.answers["status"] = way.daemon.answers["view"]
    way.clock.now += CALL_SECONDS - 1
    with pytest.raises(DaemonSlow):
        await way.link.refresh()
    assert not way.link.up
    assert way.changes == [False]
    way.daemon.answers["status"] = answer
    await way.link.refresh()
    assert way.link.up


async def test_an_answer_that_is_an_error_is_an_answer(way: Way) -> None:
    await way.link.refresh()
    way.daemon.answers["peers"] = ApiError("the table is being rebuilt")
    with pytest.raises(ApiError):
        await way.link.ask("peers")
    assert way.link.up


async def test_a_lost_daemon_is_tried_on_a_new_connection(way: Way) -> None:
    """A connection of gRPC backs off for longer and longer."""
    await way.link.refresh()
    way.daemon.answers["status"] = GONE
    with pytest.raises(DaemonUnreachable):
        await way.link.refresh()
    way.daemon.answers["status"] = node.status()
    await way.link.refresh()
    first, second = way.daemon.connections
    assert first.closed
    assert not second.closed


async def test_nothing_can_be_changed_while_locked(way: Way) -> None:
    with pytest.raises(DaemonUnreachable, match="locked"):
        await way.link.tell("freeze")
    assert "freeze" not in way.daemon.names_asked


async def test_unlocking_opens_a_connection_and_locking_closes_it(way: Way) -> None:
    await way.link.refresh()
    way.link.unlock()
    way.link.unlock()
    assert way.link.unlocked
    reader, writer = way.daemon.connections
    assert await way.link.tell("freeze") == {"number": 4}
    way.link.lock()
    way.link.lock()
    assert not way.link.unlocked
    assert writer.closed
    assert not reader.closed
    with pytest.raises(DaemonUnreachable):
        await way.link.tell("freeze")


async def test_a_screen_that_was_unlocked_is_so_when_the_daemon_comes_back(way: Way) -> None:
    way.link.unlock()
    way.daemon.answers["freeze"] = GONE
    with pytest.raises(DaemonUnreachable):
        await way.link.tell("freeze")
    way.daemon.answers["freeze"] = {"number": 5}
    assert await way.link.tell("freeze") == {"number": 5}
    assert way.link.lost_at is None


async def test_a_call_after_the_end_is_an_error_of_ours(way: Way) -> None:
    await way.link.refresh()
    way.link.unlock()
    await way.link.close()
    with pytest.raises(DaemonUnreachable):
        await way.link.ask("status")
    with pytest.raises(DaemonUnreachable):
        await way.link.tell("freeze")


async def test_closing_ends_calls_that_hang(way: Way) -> None:
    way.daemon.hang("status")
    call = asyncio.create_task(way.link.ask("status"))
    await until(lambda: "status" in way.daemon.names_asked, every=0.001)
    await way.link.close()
    with pytest.raises(ApiError):
        await call
    assert all(connection.closed for connection in way.daemon.connections)


async def test_records_are_heard_in_their_order_and_once(way: Way) -> None:
    way.daemon.records = node.records()
    way.link.start()
    await until(lambda: len(way.heard) == 7, every=0.001)
    way.daemon.record({"id": 2_000, "kind": "peer"}, {"id": 2_001, "kind": "peer"})
    await until(lambda: len(way.heard) == 9, every=0.001)
    assert way.heard == sorted(set(way.heard))
    assert [item["id"] for item in way.link.events] == way.heard


async def test_waiting_for_records_keeps_no_other_call_waiting(way: Way) -> None:
    way.daemon.records = node.records()
    way.link.start()
    await until(lambda: way.heard and way.daemon.busy == 0, every=0.001)
    for _ in range(5):
        await way.link.refresh()


async def test_only_the_newest_records_are_kept(way: Way) -> None:
    way.daemon.records = [{"id": number, "kind": "peer"} for number in range(1, 400)]
    way.link.start()
    await until(lambda: way.heard, every=0.001)
    way.daemon.record(*({"id": number, "kind": "peer"} for number in range(400, 900)))
    await until(lambda: 899 in way.heard, every=0.001)
    assert len(way.link.events) == MOST_EVENTS
    assert way.link.events[-1]["id"] == 899


async def test_the_records_of_another_daemon_begin_anew(way: Way) -> None:
    way.daemon.records = node.records()
    way.link.start()
    await until(lambda: len(way.heard) == 7, every=0.001)
    answer = way.daemon.answers["status"]
    way.daemon.answers["status"] = GONE
    with pytest.raises(DaemonUnreachable):
        await way.link.refresh()
    way.daemon.answers["status"] = answer
    await way.link.refresh()
    assert way.link.events == []


def test_an_error_is_said_in_one_line() -> None:
    assert said(ApiError("one\n  two")) == "one two"
