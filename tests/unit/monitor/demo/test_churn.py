"""What happens in the simulated network depends on the seed and nothing else, and keeps the network in order."""

from monitor.demo.churn import FLAPS, Churn
from monitor.demo.message import Response
from monitor.demo.speaker import Selection, Speaker
from monitor.demo.table import build

ALL = Selection(peers=True, paths=True, paths_init=False, markers=True, markers_init=False, batch=1000)
LONG = 2 * max(flap.period for flap in FLAPS)


def started(seed: int = 1) -> tuple[Speaker, Churn]:
    """A speaker whose sessions are up, and what moves it."""
    tables = build(600, seed)
    speaker = Speaker(tables, clock=lambda: 1_800_000_000.0)
    speaker.begin()
    churn = Churn(speaker, tables, seed)
    churn.begin()
    return speaker, churn


def told(seed: int, steps: int) -> tuple[list[str], list[bytes]]:
    """What happened in so many steps, and what a watcher was told of it."""
    speaker, churn = started(seed)
    with speaker.watch(ALL) as queue:
        words = [churn.step() for _ in range(steps)]
        messages: list[Response] = [queue.get_nowait() for _ in range(queue.qsize())]
    return words, [one.SerializeToString() for one in messages]


def test_the_same_seed_gives_the_same_steps_and_the_same_events() -> None:
    assert told(1, LONG) == told(1, LONG)
    assert told(1, 50)[0] != told(2, 50)[0]


def test_routes_come_go_and_change_and_sessions_flap() -> None:
    words, _ = told(1, LONG)
    kinds = {word for text in words for word in text.split()} & {"announces", "withdraws", "changes", "down", "again"}
    assert kinds == {"announces", "withdraws", "changes", "down", "again"}


def test_a_flap_takes_the_sessions_down_and_brings_them_back() -> None:
    speaker, churn = started()
    for flap in FLAPS:
        assert 0 < flap.down < flap.up < flap.period
    edge, storage = FLAPS
    for step in range(1, max(edge.up, storage.up) + 1):
        churn.step()
        assert speaker.sessions["edge2"].established is not (edge.down <= step < edge.up)
        assert speaker.sessions["san1"].established is not (storage.down <= step < storage.up)
    assert not any(held.stale for held in speaker.sessions["san1"].held.values())


def test_the_speaker_holds_what_the_routers_announce_whenever_their_sessions_are_up() -> None:
    speaker, churn = started()
    for _ in range(LONG):
        churn.step()
        for session in speaker.sessions.values():
            if session.established:
                assert {prefix: held.announcement for prefix, held in session.held.items()} == session.table


def test_the_network_neither_grows_nor_withers() -> None:
    speaker, churn = started()
    before = sum(len(session.table) for session in speaker.sessions.values())
    for _ in range(LONG):
        churn.step()
    after = sum(len(session.table) for session in speaker.sessions.values())
    assert abs(after - before) <= 30
