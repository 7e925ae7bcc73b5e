"""Withdrawals wait for proof, and what the proof says of the peer decides what they mean."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.gobgp.decode import Withdrawn
from monitor.gobgp.fence import MISSING_SECONDS, Fence, Session
from monitor.rib.attribute import PathAttributes
from monitor.rib.path import Path, PeerId
from monitor.rib.update import PathRejected, PathWithdrawn
from programmer.route import Family

PEER, OTHER = PeerId("fabric", "192.0.2.2"), PeerId("fabric", "192.0.2.3")
ATTRIBUTES = PathAttributes(b"\xc0\x00\x02\x02")
RECEIVED_AT = 1000


def by_peer(key: bytes = b"\x08\x0a", peer: PeerId = PEER) -> Withdrawn:
    return Withdrawn(Family.IPV4, key, peer, 0, None)


def by_speaker(key: bytes = b"\x08\x0a", peer: PeerId = PEER, *, stale: bool = False) -> Withdrawn:
    return Withdrawn(Family.IPV4, key, peer, 0, Path(peer, 0, ATTRIBUTES, RECEIVED_AT, stale))


def released(fence: Fence, *sessions: tuple[PeerId, int], now: float = 0.0) -> list[object]:
    return list(fence.release({peer: Session(uptime) for peer, uptime in sessions}, now))


def test_the_peers_own_withdrawal_needs_no_look_at_the_peer() -> None:
    fence = Fence()
    fence.hold(by_peer())
    burst = fence.examine()
    assert (burst.suspects, burst.size) == (frozenset(), 1)
    assert released(fence) == [PathWithdrawn(Family.IPV4, b"\x08\x0a", PEER, 0)]
    assert len(fence) == 0


def test_a_dead_session_withdraws() -> None:
    fence = Fence()
    fence.hold(by_speaker())
    assert fence.examine().suspects == {PEER}
    assert released(fence, (PEER, 0)) == [PathWithdrawn(Family.IPV4, b"\x08\x0a", PEER, 0)]


def test_a_session_that_came_back_meanwhile_withdraws_too() -> None:
    fence = Fence()
    fence.hold(by_speaker())
    fence.examine()
    assert isinstance(released(fence, (PEER, RECEIVED_AT + 1))[0], PathWithdrawn)


def test_a_session_that_still_stands_means_that_policy_rejects() -> None:
    fence = Fence()
    one = by_speaker()
    fence.hold(one)
    fence.examine()
    assert one.path is not None
    assert released(fence, (PEER, RECEIVED_AT - 10)) == [PathRejected(Family.IPV4, one.key, one.path)]


def test_a_stale_path_that_was_not_announced_again_is_withdrawn() -> None:
    fence = Fence()
    fence.hold(by_speaker(stale=True))
    fence.examine()
    assert isinstance(released(fence, (PEER, RECEIVED_AT - 10))[0], PathWithdrawn)


def test_a_missing_peer_is_asked_for_again_before_it_counts() -> None:
    fence = Fence()
    fence.hold(by_speaker())
    fence.examine()
    assert released(fence, now=10.0) == []
    assert fence.has_held
    fence.examine()
    assert released(fence, now=10.0 + MISSING_SECONDS) == [PathWithdrawn(Family.IPV4, b"\x08\x0a", PEER, 0)]


def test_a_missing_peer_does_not_hold_up_others() -> None:
    fence = Fence()
    fence.hold(by_speaker())
    fence.hold(by_speaker(peer=OTHER))
    fence.examine()
    assert released(fence, (OTHER, 0)) == [PathWithdrawn(Family.IPV4, b"\x08\x0a", OTHER, 0)]
    assert fence.holds_any_of(PEER)


def test_what_comes_during_an_examination_waits_for_the_next() -> None:
    fence = Fence()
    fence.hold(by_peer(b"\x08\x0a"))
    fence.examine()
    fence.hold(by_peer(b"\x08\x0b"))
    assert [one.key for one in released(fence)] == [b"\x08\x0a"]  # type: ignore[attr-defined]
    assert fence.has_held


def test_an_announcement_supersedes_in_every_stage() -> None:
    fence = Fence()
    fence.hold(by_peer(b"\x08\x0a"))
    fence.examine()
    fence.hold(by_peer(b"\x08\x0b"))
    fence.supersede(Family.IPV4, b"\x08\x0a", PEER, 0)
    fence.supersede(Family.IPV4, b"\x08\x0b", PEER, 0)
    assert released(fence) == []
    assert len(fence) == 0


def test_a_lost_stream_takes_its_claims_with_it() -> None:
    fence = Fence()
    fence.hold(by_speaker())
    fence.examine()
    fence.hold(by_peer(b"\x08\x0b"))
    fence.discard()
    assert len(fence) == 0
    assert released(fence, (PEER, 0)) == []


@given(st.lists(st.tuples(st.sampled_from("wae"), st.integers(0, 3)), max_size=40))
def test_after_any_history_each_path_is_as_last_said(history: list[tuple[str, int]]) -> None:
    """A speaker withdraws, announces and is examined in any order: the last word on a key holds."""
    fence = Fence()
    wanted: dict[bytes, bool] = {}
    told: dict[bytes, bool] = {}
    for step, number in [*history, ("e", 0), ("e", 0)]:
        key = bytes((8, number))
        if step == "w":
            fence.hold(by_speaker(key))
            wanted[key] = False
        elif step == "a":
            fence.supersede(Family.IPV4, key, PEER, 0)
            wanted[key] = told[key] = True
        else:
            fence.examine()
            for one in fence.release({PEER: Session(0)}, 0.0):
                told[one.key] = False
    assert told == wanted
