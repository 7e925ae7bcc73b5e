"""What is believed of a Peer Down, and what outlives a session."""

from dataclasses import replace

import pytest

from monitor.bmp.session import DOUBT_SECONDS
from monitor.rib.peer import SessionState
from monitor.rib.update import (
    PeerChanged,
    PeerGone,
    TableBegun,
    TableComplete,
)
from tests.support import bmp
from tests.unit.monitor.bmp.hearing import (
    BROKEN,
    DUAL,
    IPV4,
    IPV6,
    OTHER,
    PEER,
    PEER_ID,
    RESTARTING,
    Hearing,
    completed,
    hearing_of,
    kinds,
)

# Peer Down


def test_a_session_that_the_peer_closed_is_over_at_once() -> None:
    hearing = hearing_of(DUAL)
    told = hearing.say(DUAL.down(3, bmp.notification(6, 2, bmp.shutdown_words("maintenance"))))
    assert kinds(told) == ["PeerChanged"] + ["TableBegun", "TableComplete"] * 2
    assert set(hearing.of(TableBegun)) == {TableBegun(PEER_ID, family, retained=False) for family in (IPV4, IPV6)}
    peer = hearing.known[PEER_ID]
    assert (peer.state, peer.restarting) == (SessionState.IDLE, False)
    assert peer.last_down_reason == "the peer closed it: administrative shutdown (maintenance)"


@pytest.mark.parametrize(
    ("reason", "data", "words"),
    [
        (1, bmp.notification(4, 0), "the speaker closed it: hold timer expired"),
        (3, bmp.notification(6, 9), "the peer closed it: hard reset"),
        (3, bmp.notification(6, 99), "the peer closed it: cease 99"),
        (3, bmp.notification(99, 1), "the peer closed it: error 99/1"),
        (3, b"", "the peer closed it without a NOTIFICATION"),
        (4, b"", "the peer closed it without a NOTIFICATION"),
        (77, b"", "the peer closed it without a NOTIFICATION"),
    ],
)
def test_ends_that_are_believed_at_once(reason: int, data: bytes, words: str) -> None:
    hearing = hearing_of(PEER)
    assert kinds(hearing.say(PEER.down(reason, data))) == ["PeerChanged", "TableBegun", "TableComplete"]
    assert hearing.known[PEER_ID].last_down_reason == words


@pytest.mark.parametrize(
    ("reason", "data", "words"),
    [
        (1, bmp.notification(6, 3), "the speaker closed it: peer de-configured"),
        (1, bmp.notification(6, 2), "the speaker closed it: administrative shutdown"),
        (1, b"", "the speaker closed it without a NOTIFICATION"),
        (2, b"\0\x02", "the speaker closed it without a NOTIFICATION (FSM event 2)"),
        (2, b"\0\0", "the speaker closed it without a NOTIFICATION"),
        (2, b"", "the speaker closed it without a NOTIFICATION"),
    ],
)
def test_ends_that_wait_to_be_believed(reason: int, data: bytes, words: str) -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.announce("10.0.0.0/8"))
    assert hearing.say(PEER.down(reason, data)) == []
    assert hearing.wait(DOUBT_SECONDS - 0.5) == []
    assert hearing.known[PEER_ID].established
    assert kinds(hearing.wait(0.5)) == ["PeerChanged", "TableBegun", "TableComplete"]
    assert hearing.known[PEER_ID].last_down_reason == words


def test_what_waits_to_be_believed_is_lost_with_the_connection() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.down(1, bmp.notification(6, 2)))
    again = Hearing(known=hearing.known)
    assert again.known[PEER_ID].established
    (changed,) = again.say(PEER.up())
    assert isinstance(changed, PeerChanged)
    assert again.wait(DOUBT_SECONDS + 1) == []


def test_a_table_does_not_become_complete_while_its_end_waits_to_be_believed() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.mark())
    hearing.wait(29)
    hearing.say(PEER.down(2, b"\0\x02"))
    assert hearing.wait(2) == []


def test_a_second_peer_down_does_not_matter() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.down(1, bmp.notification(6, 2)))
    hearing.wait(1)
    assert hearing.say(PEER.down(*BROKEN)) == []
    assert kinds(hearing.wait(2)) == ["PeerChanged", "TableBegun", "TableComplete"]
    assert hearing.say(PEER.down(*BROKEN)) == []
    assert hearing.say(OTHER.down(*BROKEN)) == []


def test_a_session_that_comes_back_before_its_end_was_believed_began_anew() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.down(1, bmp.notification(6, 4)))
    assert kinds(hearing.say(PEER.up())) == ["PeerChanged", "TableBegun", "TableComplete", "PeerChanged"]
    assert [update.peer.last_down_reason for update in hearing.of(PeerChanged)] == [
        "", "the speaker closed it: administrative reset", ""
    ]  # fmt: skip
    assert hearing.wait(DOUBT_SECONDS + 1) == []


def test_a_peer_that_is_not_configured_any_more_is_gone_after_a_while() -> None:
    hearing = hearing_of(PEER)
    assert hearing.say(PEER.down(5)) == []
    assert hearing.wait(DOUBT_SECONDS - 0.5) == []
    assert hearing.wait(0.5) == [PeerGone(PEER_ID)]
    assert hearing.known == {}
    assert hearing.wait(400) == []
    assert kinds(hearing.say(PEER.up())) == ["PeerChanged"]


def test_gobgps_peer_down_without_router_id_and_event() -> None:
    """GoBGP 4.8: an administrator shuts the session, which is never graceful."""
    hearing = hearing_of(RESTARTING)
    assert hearing.say(RESTARTING.down(2, router_id="0.0.0.0")) == []
    assert kinds(hearing.wait(DOUBT_SECONDS)) == ["PeerChanged", "TableBegun", "TableComplete"]


def test_gobgps_peer_down_with_a_notification_that_it_does_not_have() -> None:
    """GoBGP 4.8: the peer went away, after which graceful restart keeps its paths."""
    hearing = hearing_of(RESTARTING)
    told = hearing.say(RESTARTING.down(3, router_id="0.0.0.0"))
    assert kinds(told) == ["PeerChanged", "TableBegun"]
    assert told[1] == TableBegun(PEER_ID, IPV4, retained=True)


# Graceful restart


@pytest.mark.parametrize(
    ("reason", "data", "retained"),
    [
        (3, b"", True),
        (4, b"", True),
        (2, b"\0\x12", True),
        (2, b"\0\0", True),
        (2, b"\0\x02", False),
        (2, b"\0\x08", False),
        (2, b"", False),
        (3, bmp.notification(6, 2), False),
        (1, bmp.notification(4, 0), False),
        (1, b"", False),
        (77, b"", False),
    ],
)
def test_which_ends_keep_paths(reason: int, data: bytes, retained: bool) -> None:
    hearing = hearing_of(RESTARTING)
    hearing.say(RESTARTING.down(reason, data))
    hearing.wait(DOUBT_SECONDS)
    assert hearing.of(TableBegun) == [TableBegun(PEER_ID, IPV4, retained=retained)]
    assert completed(hearing) == ([] if retained else [IPV4])
    assert hearing.known[PEER_ID].restarting is retained


@pytest.mark.parametrize(
    ("reason", "data", "retained"),
    [
        (3, bmp.notification(6, 4), True),
        (1, bmp.notification(4, 0), True),
        (3, bmp.notification(6, 9), False),
        (1, bmp.notification(6, 9), False),
    ],
)
def test_notifications_that_keep_paths(reason: int, data: bytes, retained: bool) -> None:
    """RFC 8538."""
    peer = replace(
        PEER,
        sent=(bmp.graceful_restart(90, bmp.IPV4, notifications=True),),
        received=(bmp.graceful_restart(120, bmp.IPV4, notifications=True),),
    )
    hearing = hearing_of(peer)
    hearing.say(peer.down(reason, data))
    hearing.wait(DOUBT_SECONDS)
    assert hearing.of(TableBegun) == [TableBegun(PEER_ID, IPV4, retained=retained)]


def test_only_families_that_the_peer_keeps_are_kept() -> None:
    peer = replace(RESTARTING, families=DUAL.families)
    hearing = hearing_of(peer)
    hearing.say(peer.down(*BROKEN))
    assert set(hearing.of(TableBegun)) == {
        TableBegun(PEER_ID, IPV4, retained=True),
        TableBegun(PEER_ID, IPV6, retained=False),
    }
    assert hearing.of(TableComplete) == [TableComplete(PEER_ID, IPV6, "peer is down")]


def test_a_restart_that_fails() -> None:
    hearing = hearing_of(RESTARTING)
    hearing.say(RESTARTING.down(*BROKEN))
    assert hearing.wait(119.5) == []
    told = hearing.wait(1)
    assert kinds(told) == ["PeerChanged", "TableComplete"]
    assert told[1] == TableComplete(PEER_ID, IPV4, "it did not return within its restart time")
    assert not hearing.known[PEER_ID].restarting
    hearing.say(RESTARTING.up())
    assert not hearing.known[PEER_ID].restarting


@pytest.mark.parametrize("forwarding", [True, False])
def test_a_peer_returns_from_its_restart(forwarding: bool) -> None:
    """Its old paths stay until it has told everything again, whether it kept its forwarding state or not."""
    hearing = hearing_of(RESTARTING)
    hearing.say(RESTARTING.announce("10.0.0.0/8"), RESTARTING.down(*BROKEN))
    hearing.wait(60)
    back = replace(RESTARTING, received=(bmp.graceful_restart(120, bmp.IPV4, forwarding=forwarding),))
    assert kinds(hearing.say(back.up(seconds=60))) == ["PeerChanged"]
    assert not hearing.known[PEER_ID].restarting
    assert hearing.wait(100) == []
    hearing.say(back.announce("10.0.0.0/8"))
    assert hearing.wait(29) == []
    assert kinds(hearing.wait(2)) == ["TableComplete"]


def test_a_peer_that_returns_and_tells_nothing_has_its_whole_restart_time() -> None:
    hearing = hearing_of(RESTARTING)
    hearing.say(RESTARTING.down(*BROKEN))
    hearing.wait(60)
    hearing.say(RESTARTING.up(seconds=60))
    assert hearing.wait(119) == []
    assert kinds(hearing.wait(2)) == ["TableComplete"]


def test_a_peer_that_returns_without_a_family() -> None:
    peer = replace(
        DUAL,
        sent=(bmp.graceful_restart(90),),
        received=(bmp.graceful_restart(120, bmp.IPV4, bmp.IPV6),),
    )
    hearing = hearing_of(peer)
    hearing.say(peer.down(*BROKEN))
    told = hearing.say(replace(peer, families=(bmp.IPV4,)).up())
    assert kinds(told) == ["PeerChanged", "TableComplete"]
    assert told[1] == TableComplete(PEER_ID, IPV6, "not spoken any more")


def test_a_peer_up_without_a_peer_down_keeps_paths_as_after_a_lost_session() -> None:
    hearing = hearing_of(RESTARTING)
    told = hearing.say(RESTARTING.up(seconds=50))
    assert kinds(told) == ["PeerChanged", "TableBegun", "PeerChanged"]
    assert told[1] == TableBegun(PEER_ID, IPV4, retained=True)
