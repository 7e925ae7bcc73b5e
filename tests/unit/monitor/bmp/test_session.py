"""A conversation: the order of things, whose routes they are, and what is left out."""

from dataclasses import replace

import pytest

from monitor.bmp import session as session_module
from monitor.bmp.session import UNNAMED_SECONDS, ignored_text
from monitor.bmp.speaker import FRR
from monitor.bmp.wire import Malformed
from monitor.rib.path import PeerId
from monitor.rib.peer import PeerFamily, SessionState
from monitor.rib.update import (
    PathAnnounced,
    PathRejected,
    PathWithdrawn,
    PeerChanged,
    TableBegun,
    TableComplete,
)
from tests.support import bmp
from tests.unit.monitor.bmp.hearing import (
    BROKEN,
    EPOCH,
    IPV4,
    OTHER,
    OTHER_ID,
    PEER,
    PEER_ID,
    SOURCE,
    Hearing,
    hearing_of,
    kinds,
)

# The order of things


def test_a_session_its_routes_and_their_end() -> None:
    hearing = Hearing(wait=30)
    assert hearing.say(bmp.initiation()) == []
    (changed,) = hearing.say(PEER.up())
    assert isinstance(changed, PeerChanged)
    peer = changed.peer
    assert (peer.id, peer.state) == (PEER_ID, SessionState.ESTABLISHED)
    assert (peer.asn, peer.local_asn, peer.router_id) == (65001, 65000, b"\x0a\xff\0\x01")
    assert (peer.counted, peer.authenticated, peer.families) == (False, None, {IPV4: PeerFamily()})
    assert peer.since is not None
    assert peer.since.timestamp() == EPOCH
    (announced,) = hearing.say(PEER.announce("10.0.0.0/8", seconds=EPOCH))
    assert isinstance(announced, PathAnnounced)
    assert (announced.path.peer, announced.path.received_at) == (PEER_ID, EPOCH)
    (marked,) = hearing.say(PEER.mark())
    assert isinstance(marked, PeerChanged)
    assert marked.peer.families == {IPV4: PeerFamily(end_of_rib=True)}
    assert hearing.wait(29) == []
    (complete,) = hearing.wait(2)
    assert complete == TableComplete(PEER_ID, IPV4, "End-of-RIB, and the session older than 30 s")
    assert hearing.known == {PEER_ID: marked.peer}


def test_withdrawals_and_loops() -> None:
    hearing = hearing_of(PEER)
    withdrawal = PEER.routes(bmp.update(bmp.nlri("10.0.0.0/8")))
    loop = bmp.update(attributes=bmp.usual(path=bmp.sequence(65001, 65000)), prefixes=bmp.nlri("10.0.0.0/8"))
    assert hearing.say(withdrawal) == [PathWithdrawn(IPV4, b"\x08\x0a", PEER_ID, 0)]
    assert kinds(hearing.say(PEER.routes(loop))) == [PathRejected.__name__]


def test_an_initiation_may_be_said_again_unless_it_is_cut_short() -> None:
    hearing = hearing_of(PEER)
    assert hearing.say(bmp.initiation()) == []
    with pytest.raises(Malformed, match="TLV"):
        hearing.say(bmp.message(bmp.INITIATION, b"\0\x01\0\x09"))


def test_a_farewell_is_remembered_and_changes_nothing() -> None:
    hearing = hearing_of(PEER)
    assert hearing.say(bmp.termination(bmp.information(1, b"\0\0"))) == []
    assert hearing.conversation.farewell == "the administrator closed it"


def test_mirrored_and_unknown_messages_are_counted() -> None:
    hearing = hearing_of(PEER)
    keepalive = PEER.routes(bmp.bgp(4))
    assert hearing.say(bmp.message(bmp.MIRROR, PEER.header()), bmp.message(99), keepalive) == []
    assert hearing.ignored == {"mirror": 1, "kind": 2}


def test_as_numbers_of_two_octets_where_the_flag_says_so() -> None:
    hearing = hearing_of(PEER)
    narrow = bmp.update(attributes=bmp.usual(path=bmp.sequence(65001, 65009, size=2)), prefixes=bmp.nlri("10.0.0.0/8"))
    hearing.say(PEER.routes(narrow, flags=bmp.A_FLAG), PEER.announce("10.1.0.0/16"))
    assert [update.path.attributes.as_path_text for update in hearing.of(PathAnnounced)] == ["65001 65009", "65001"]


@pytest.mark.parametrize(("wide", "size"), [(True, 4), (False, 2)])
def test_a_speaker_whose_as_numbers_follow_the_session(wide: bool, size: int) -> None:
    peer = replace(PEER, wide=wide)
    hearing = hearing_of(peer, oddities=FRR)
    path = bmp.sequence(65000, 65001, size=size)
    hearing.say(peer.routes(bmp.update(attributes=bmp.usual(path=path), prefixes=bmp.nlri("10.0.0.0/8"))))
    assert [update.path.attributes.as_path_text for update in hearing.of(PathAnnounced)] == ["65001"]


def test_local_pref_of_an_external_peer_before_and_after_the_policy() -> None:
    data = bmp.update(attributes=bmp.usual(bmp.number(5, 300)), prefixes=bmp.nlri("10.0.0.0/8"))
    for post, expected in ((False, None), (True, 300)):
        hearing = hearing_of(PEER, post=post)
        hearing.say(PEER.routes(data, flags=bmp.L_FLAG if post else 0))
        assert [update.path.attributes.local_pref for update in hearing.of(PathAnnounced)] == [expected]


def test_an_internal_peer() -> None:
    internal = replace(PEER, asn=65000)
    hearing = hearing_of(internal)
    hearing.say(internal.routes(bmp.update(attributes=bmp.usual(bmp.number(5, 300)), prefixes=bmp.nlri("10.0.0.0/8"))))
    assert [update.path.attributes.local_pref for update in hearing.of(PathAnnounced)] == [300]
    assert not hearing.known[PEER_ID].external


# Views and instances


@pytest.mark.parametrize(
    ("post", "flags", "cause"),
    [(False, bmp.L_FLAG, "post-policy"), (True, 0, "pre-policy"), (False, bmp.O_FLAG, "adj-rib-out"),
     (True, bmp.O_FLAG | bmp.L_FLAG, "adj-rib-out")],
)  # fmt: skip
def test_the_other_view_is_left_out_and_counted(post: bool, flags: int, cause: str) -> None:
    hearing = hearing_of(PEER, post=post)
    assert hearing.say(PEER.announce("10.0.0.0/8", flags=flags), PEER.mark(flags=flags)) == []
    assert hearing.ignored == {cause: 2}
    assert len(ignored_text(hearing.conversation.ignored, post=post)) == 1
    assert kinds(hearing.say(PEER.announce("10.0.0.0/8", flags=bmp.L_FLAG if post else 0))) == [PathAnnounced.__name__]


@pytest.mark.parametrize(
    ("peer", "cause"),
    [
        (replace(PEER, kind=3, address="0.0.0.0"), "loc-rib"),
        (replace(PEER, kind=1, distinguisher=b"\0\0\0\x01\0\0\0\x01"), "instance"),
        (replace(PEER, kind=2), "instance"),
        (replace(PEER, distinguisher=b"\0\0\0\x01\0\0\0\x01"), "instance"),
        (replace(PEER, kind=77), "instance"),
    ],
    ids=["loc-rib", "rd", "local-instance", "distinguisher", "unknown"],
)
def test_other_tables_of_the_speaker_are_left_out_and_counted(peer: bmp.Monitored, cause: str) -> None:
    hearing = hearing_of(PEER)
    messages = (peer.up(), peer.announce("10.0.0.0/8"), peer.mark(), peer.down(*BROKEN))
    assert hearing.say(*messages, peer.statistics(bmp.counter(7, 5))) == []
    assert hearing.ignored == {cause: 4}
    assert hearing.known[PEER_ID].established


def test_what_an_operator_should_know_of_what_was_left_out() -> None:
    counts = {"post-policy": 1, "loc-rib": 2, "adj-rib-out": 3000, "unannounced": 4, "instance": 5, "kind": 6}
    assert [text.split()[0] for text in ignored_text(counts, post=False)] == ["1", "2", "3,000", "4", "5"]
    assert ignored_text({"post-policy": 1}, post=True) == []


# Peer Up


def test_a_peer_up_for_each_view_is_one_session() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.announce("10.0.0.0/8"))
    assert hearing.say(PEER.up(), PEER.up(flags=bmp.L_FLAG)) == []


@pytest.mark.parametrize("again", [replace(PEER, received=(bmp.graceful_restart(5),)).up(), PEER.up(seconds=99)])
def test_another_peer_up_is_another_session(again: bytes) -> None:
    hearing = hearing_of(PEER)
    told = hearing.say(again)
    assert kinds(told) == ["PeerChanged", "TableBegun", "TableComplete", "PeerChanged"]
    assert told[1] == TableBegun(PEER_ID, IPV4, retained=False)
    assert hearing.known[PEER_ID].established
    assert kinds(hearing.say(PEER.announce("10.0.0.0/8"))) == [PathAnnounced.__name__]


def test_a_peer_that_returns_with_another_router_id_is_the_same_peer() -> None:
    hearing = hearing_of(PEER)
    again = replace(PEER, router_id="10.255.0.77")
    assert kinds(hearing.say(again.up())) == ["PeerChanged", "TableBegun", "TableComplete", "PeerChanged"]
    (announced,) = hearing.say(again.announce("10.0.0.0/8"))
    assert isinstance(announced, PathAnnounced)
    assert announced.path.peer == PEER_ID


def test_routes_before_their_peer_up() -> None:
    hearing = Hearing()
    assert hearing.say(bmp.initiation(), PEER.announce("10.0.0.0/8")) == []
    assert hearing.ignored == {"unannounced": 1}
    assert kinds(hearing.say(OTHER.up())) == ["PeerChanged"]
    with pytest.raises(Malformed, match=r"routes of 192\.0\.2\.2 before its Peer Up"):
        hearing.say(PEER.up())


def test_routes_after_the_session() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.announce("10.0.0.0/8"), PEER.down(*BROKEN))
    assert hearing.say(PEER.announce("10.0.0.0/8")) == []
    assert hearing.ignored == {"after-the-session": 1}


def test_routes_of_the_next_session() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.announce("10.0.0.0/8"), PEER.down(*BROKEN))
    hearing.say(PEER.up(seconds=5))
    assert kinds(hearing.say(PEER.announce("10.0.0.0/8"))) == [PathAnnounced.__name__]


def test_there_is_a_bound_of_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MOST_PEERS", 3)
    peers = [replace(PEER, address=f"192.0.2.{last}") for last in range(10, 14)]
    hearing = hearing_of(*peers[:3])
    hearing.say(peers[0].up(seconds=3))
    with pytest.raises(Malformed, match="more than 3 peers"):
        hearing.say(peers[3].up())


LINK_LOCAL = bmp.Monitored(address="fe80::1", local_address="fe80::99", families=(bmp.IPV6,))
ELSEWHERE = replace(LINK_LOCAL, router_id="10.255.0.2", local_address="fe80::98")


def route6(peer: bmp.Monitored, prefix: str = "2001:db8::/32") -> bytes:
    data = bmp.usual(hop=None) + bmp.mp_reach(bmp.IPV6, bytes(16), bmp.nlri(prefix))
    return peer.routes(bmp.update(attributes=data))


def test_link_local_peers_with_one_address_on_two_links() -> None:
    hearing = Hearing()
    hearing.say(bmp.initiation())
    hearing.say(LINK_LOCAL.up(), zone="eth1")
    hearing.say(ELSEWHERE.up(), zone="eth2")
    one, two = PeerId(SOURCE, "fe80::1%eth1"), PeerId(SOURCE, "fe80::1%eth2")
    assert set(hearing.known) == {one, two}
    assert [hearing.known[peer].interface for peer in (one, two)] == ["eth1", "eth2"]
    hearing.say(route6(LINK_LOCAL), route6(ELSEWHERE))
    announced = hearing.of(PathAnnounced)
    assert [update.path.peer for update in announced] == [one, two]
    assert {update.path.attributes.next_hop for update in announced} == {b"\xfe\x80" + bytes(13) + b"\x01"}
    hearing.say(ELSEWHERE.down(*BROKEN))
    assert (hearing.known[one].established, hearing.known[two].established) == (True, False)


def test_link_local_peers_with_one_address_are_two_even_where_no_link_is_known() -> None:
    hearing = hearing_of(LINK_LOCAL)
    try:
        hearing.say(ELSEWHERE.up())
    except Malformed:
        return
    hearing.say(route6(LINK_LOCAL), route6(ELSEWHERE))
    assert len({update.path.peer for update in hearing.of(PathAnnounced)}) == 2


def test_a_peer_down_that_could_mean_two_link_local_peers() -> None:
    hearing = Hearing()
    hearing.say(bmp.initiation())
    hearing.say(LINK_LOCAL.up(), zone="eth1")
    hearing.say(ELSEWHERE.up(), zone="eth2")
    with pytest.raises(Malformed, match="could be 2 peers"):
        hearing.say(LINK_LOCAL.down(*BROKEN, router_id="0.0.0.0"))


def test_a_peer_down_without_router_id_of_the_only_link_local_peer() -> None:
    hearing = hearing_of(LINK_LOCAL)
    assert kinds(hearing.say(LINK_LOCAL.down(*BROKEN, router_id="0.0.0.0")))[0] == "PeerChanged"


# Routes of a peer under another name


def test_routes_under_another_router_id_than_the_peer_ups_are_that_peers() -> None:
    hearing = hearing_of(PEER)
    (announced,) = hearing.say(replace(PEER, router_id="0.0.0.0").announce("10.0.0.0/8"))
    assert isinstance(announced, PathAnnounced)
    assert announced.path.peer == PEER_ID


def test_routes_under_another_router_id_before_their_peer_up_are_not_lost_in_silence() -> None:
    hearing = Hearing()
    early = replace(PEER, router_id="0.0.0.0")
    hearing.say(bmp.initiation(), early.announce("10.0.0.0/8"))
    try:
        hearing.say(PEER.up())
    except Malformed:
        return
    assert kinds(hearing.say(early.announce("10.1.0.0/16"))) == [PathAnnounced.__name__]


# Peers of an earlier connection


def test_peers_that_the_speaker_does_not_name_again() -> None:
    before = hearing_of(PEER, OTHER)
    hearing = Hearing(known=before.known)
    hearing.now = 100.0
    hearing.say(bmp.initiation(), PEER.up())
    (changed,) = hearing.wait(UNNAMED_SECONDS)
    assert isinstance(changed, PeerChanged)
    assert (changed.peer.id, changed.peer.state) == (OTHER_ID, SessionState.UNKNOWN)
    assert changed.peer.last_down_reason == "not named by the speaker since it connected"
    assert hearing.wait(20) == []
    assert kinds(hearing.say(OTHER.up())) == ["PeerChanged"]


def test_peers_are_given_time_to_be_named() -> None:
    hearing = Hearing(known=hearing_of(PEER).known)
    assert hearing.wait(UNNAMED_SECONDS - 0.5) == []
    assert kinds(hearing.wait(0.5)) == ["PeerChanged"]


def test_a_session_is_as_old_as_it_was_on_the_earlier_connection() -> None:
    before = hearing_of(PEER)
    since = before.known[PEER_ID].since
    hearing = Hearing(known=before.known)
    hearing.now = 50.0
    hearing.say(bmp.initiation(), PEER.up())
    assert hearing.known[PEER_ID].since == since
    hearing.say(PEER.down(*BROKEN), PEER.up(seconds=7))
    assert hearing.known[PEER_ID].since != since


def test_there_is_a_bound_of_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MOST_VIEWS", 10)
    hearing = hearing_of(PEER)
    for last in range(10):
        hearing.say(replace(PEER, router_id=f"10.0.0.{last}", distinguisher=b"12345678").announce("10.0.0.0/8"))
    with pytest.raises(Malformed, match="more than 10 peers and views"):
        hearing.say(PEER.announce("10.0.0.0/8"))
