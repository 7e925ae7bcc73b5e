"""What waits for the consumer is in order, coalesced and bounded."""

import asyncio

import pytest

from monitor.flow.outbox import BATCH, ConsumerStalled, Outbox
from monitor.rib.attribute import PathAttributes
from monitor.rib.path import Path, PeerId
from monitor.rib.peer import Peer, SessionState
from monitor.rib.update import (
    FeedLost,
    FeedStarted,
    PathAnnounced,
    PathRejected,
    PathWithdrawn,
    PeerChanged,
    PeerGone,
    TableBegun,
    TableComplete,
    TableCounted,
)
from programmer.route import Family
from tests.support.wait import until

PEER = PeerId("fabric", "192.0.2.2")
ATTRIBUTES = PathAttributes(b"\xc0\x00\x02\x02")


def announced(number: int, at: int = 0) -> PathAnnounced:
    return PathAnnounced(Family.IPV4, number.to_bytes(4, "big"), Path(PEER, 0, ATTRIBUTES, at))


def withdrawn(number: int) -> PathWithdrawn:
    return PathWithdrawn(Family.IPV4, number.to_bytes(4, "big"), PEER, 0)


async def test_updates_come_out_in_order_in_bounded_lists() -> None:
    outbox = Outbox()
    sent = [announced(number) for number in range(BATCH * 2 + 5)]
    for update in sent:
        outbox.put(update)
    lists = [await outbox.take() for _ in range(3)]
    assert [len(one) for one in lists] == [BATCH, BATCH, 5]
    assert [update for one in lists for update in one] == sent


async def test_the_newest_takes_the_place_of_the_oldest_and_never_passes_a_completion() -> None:
    outbox = Outbox()
    complete = TableComplete(PEER, Family.IPV4, "End-of-RIB")
    for update in (announced(1), announced(2), complete, withdrawn(1), announced(2, at=9)):
        outbox.put(update)
    assert await outbox.take() == [withdrawn(1), announced(2, at=9), complete]


async def test_what_is_lost_drops_paths_and_keeps_news_of_peers() -> None:
    outbox = Outbox()
    changed = PeerChanged(Peer(PEER, SessionState.IDLE))
    for number in range(BATCH + 3):
        outbox.put(announced(number))
    outbox.put(changed)
    await outbox.take()
    outbox.lose(FeedLost("fabric", "gone"))
    assert await outbox.take() == [changed, FeedLost("fabric", "gone")]


async def test_a_full_outbox_makes_the_reader_wait_until_something_is_taken() -> None:
    outbox = Outbox(limit=4)
    for number in range(4):
        outbox.put(announced(number))
    waiting = asyncio.create_task(outbox.room(30))
    await asyncio.sleep(0)
    assert not waiting.done()
    await outbox.take()
    await waiting
    assert not outbox.is_full


async def test_a_consumer_that_takes_nothing_is_noticed() -> None:
    outbox = Outbox(limit=1)
    outbox.put(announced(1))
    with pytest.raises(ConsumerStalled, match="took nothing for"):
        await outbox.room(0.01)


async def test_taking_waits_for_the_first_update() -> None:
    outbox = Outbox()
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.put(announced(1))
    assert await taking == [announced(1)]


async def test_emptied_waits_for_the_last_list() -> None:
    outbox = Outbox()
    for number in range(BATCH + 1):
        outbox.put(announced(number))
    emptied = asyncio.create_task(outbox.emptied())
    await outbox.take()
    await asyncio.sleep(0)
    assert not emptied.done()
    await outbox.take()
    await until(emptied.done, what="the outbox to be empty")


async def test_the_producers_death_is_raised_after_what_it_said() -> None:
    outbox = Outbox()
    outbox.put(announced(1))
    outbox.fail(RuntimeError("a bug"))
    assert await outbox.take() == [announced(1)]
    with pytest.raises(RuntimeError, match="a bug"):
        await outbox.take()


def begun(*, retained: bool = False) -> TableBegun:
    return TableBegun(PEER, Family.IPV4, retained)


async def test_nothing_of_a_path_moves_before_a_table_that_begins() -> None:
    outbox = Outbox()
    for update in (announced(1), announced(2), begun(), announced(1, at=9), announced(3), withdrawn(3)):
        outbox.put(update)
    assert await outbox.take() == [announced(1), announced(2), begun(), announced(1, at=9), withdrawn(3)]


async def test_a_path_is_coalesced_between_two_beginnings_only() -> None:
    outbox = Outbox()
    for update in (begun(), announced(1), withdrawn(1), begun(retained=True), announced(1, at=5), announced(1, at=6)):
        outbox.put(update)
    assert await outbox.take() == [begun(), withdrawn(1), begun(retained=True), announced(1, at=6)]


async def test_rejected_paths_keep_their_place_as_well() -> None:
    outbox = Outbox()
    rejected = PathRejected(Family.IPV4, announced(1).key, announced(1).path)
    for update in (announced(1), begun(), rejected):
        outbox.put(update)
    assert await outbox.take() == [announced(1), begun(), rejected]


async def test_what_is_lost_drops_tables_that_began_and_counts() -> None:
    outbox = Outbox()
    changed = PeerChanged(Peer(PEER, SessionState.IDLE))
    dropped = (begun(), announced(1), TableCounted(PEER, None, 1), TableComplete(PEER, Family.IPV4, "quiet"))
    for update in (FeedStarted("fabric", "rr1"), *dropped, changed):
        outbox.put(update)
    outbox.lose(FeedLost("fabric", "gone"))
    assert await outbox.take() == [changed, FeedLost("fabric", "gone")]


async def test_what_is_lost_drops_tables_of_a_list_that_was_begun_to_be_taken() -> None:
    outbox = Outbox()
    gone = PeerGone(PEER)
    for number in range(BATCH):
        outbox.put(announced(number))
    for update in (begun(), TableCounted(PEER, Family.IPV4, 1), gone, announced(1)):
        outbox.put(update)
    await outbox.take()
    assert len(outbox) == 4
    outbox.put(begun())
    outbox.lose(FeedLost("fabric", "gone"))
    assert await outbox.take() == [gone, FeedLost("fabric", "gone")]
