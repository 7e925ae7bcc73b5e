"""When a table counts as told in full, and when its count is doubted."""

import time

from monitor.gobgp.completion import Completion
from monitor.gobgp.decode import Withdrawn
from monitor.gobgp.fence import Fence
from monitor.gobgp.ledger import Ledger
from monitor.gobgp.roster import Entry, Roster
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer, PeerFamily, SessionState
from monitor.rib.update import TableComplete, Update
from programmer.route import Family

PEER = PeerId("fabric", "192.0.2.2")
KEY_NUMBER = 10
KEY = KEY_NUMBER.to_bytes(4)
WAIT = 30.0


class Table:
    """One IPv4 table of one peer, as the speaker counts it and as it was told."""

    def __init__(self) -> None:
        self.told: list[Update] = []
        self.roster = Roster("fabric", self.told.append)
        self.ledger = Ledger()
        self.fence = Fence()
        self.completion = Completion(self.roster, self.ledger, self.fence, self.told.append, WAIT)

    def counts(
        self,
        accepted: int,
        *,
        end_of_rib: bool = False,
        uptime: int = 1000,
        restarting: bool = False,
        seen_at: float = 0.0,
    ) -> None:
        state = SessionState.ESTABLISHED if uptime else SessionState.IDLE
        family = PeerFamily(received=accepted, accepted=accepted, end_of_rib=end_of_rib)
        peer = Peer(PEER, state, families={Family.IPV4: family}, restarting=restarting)
        self.roster.entries[PEER] = Entry(peer, uptime, seen_at)
        if uptime:
            self.roster.established_before.add(PEER)
        self.completion.after_read()

    def tell(self, *numbers: int) -> None:
        for number in numbers:
            self.ledger.announce(PEER, Family.IPV4, number.to_bytes(4), 0)

    def declared(self, now: float = 1.0, lull: float = 0.0) -> list[str]:
        self.told.clear()
        self.completion.declare(now, lull)
        return [one.proof for one in self.told if isinstance(one, TableComplete)]


def remote() -> Table:
    made = Table()
    made.completion.begin(local=False)
    return made


def test_a_marker_in_the_stream_completes_a_table_once() -> None:
    table = remote()
    table.counts(0)
    assert table.declared() == []
    table.completion.end_of_rib(PEER, Family.IPV4)
    assert table.declared() == ["End-of-RIB"]
    assert table.declared() == []


def test_a_marker_in_the_peer_list_waits_until_the_stream_has_caught_up() -> None:
    table = remote()
    table.counts(2, end_of_rib=True)
    table.tell(1)
    assert table.declared() == []
    assert table.completion.missing() == 1
    table.tell(2)
    assert table.declared() == ["End-of-RIB"]


def test_a_marker_in_the_peer_list_counts_after_silence_though_policy_rejects_paths() -> None:
    table = remote()
    table.counts(2, end_of_rib=True)
    assert table.declared(now=1.0, lull=0.0) == []
    assert table.declared(now=5.9, lull=4.9) == []
    assert table.declared(now=6.0, lull=5.0) == ["End-of-RIB"]


def test_silence_of_before_the_peer_list_had_the_marker_is_no_sign_that_the_stream_has_caught_up() -> None:
    table = remote()
    table.tell(1)
    table.counts(2, end_of_rib=True)
    assert table.declared(now=10.0, lull=9.0) == [], "the last path is still on its way"
    table.tell(2)
    assert table.declared(now=10.1, lull=9.1) == ["End-of-RIB"]


def test_silence_after_the_marker_of_another_session_does_not_count() -> None:
    table = remote()
    table.counts(2, end_of_rib=True)
    assert table.declared(now=1.0, lull=0.0) == []
    table.counts(2, end_of_rib=True, uptime=2000)
    assert table.declared(now=9.0, lull=9.0) == []
    assert table.declared(now=14.0, lull=14.0) == ["End-of-RIB"]


def test_a_marker_of_before_the_subscription_counts_at_once() -> None:
    table = Table()
    table.counts(2, end_of_rib=True)
    table.completion.begin(local=False)
    assert table.declared() == ["End-of-RIB"]


def test_a_peer_without_marker_must_have_been_up_and_at_rest() -> None:
    table = remote()
    table.counts(1)
    table.tell(1)
    assert table.declared(now=WAIT + 1) == [], "one look is no rest"
    table.counts(1)
    assert table.declared(now=WAIT - 1) == []
    assert table.declared(now=WAIT + 1) == ["session older than 30 s"]


def test_a_table_that_still_grows_is_not_complete_however_old_the_session() -> None:
    table = remote()
    for count in (200, 400, 600):
        table.tell(*range(count))
        table.counts(count)
        assert table.declared(now=10 * WAIT) == []


def test_ordinary_churn_does_not_keep_a_table_from_being_complete() -> None:
    table = remote()
    table.tell(*range(210))
    for count in (200, 205, 203):
        table.counts(count)
    assert table.declared(now=WAIT + 1) == ["session older than 30 s"]


def test_a_local_speakers_own_clock_tells_the_age_of_a_session() -> None:
    table = Table()
    table.completion.begin(local=True)
    started = int(time.time()) - 100
    table.counts(0, uptime=started)
    table.counts(0, uptime=started)
    assert table.declared(now=1.0) == ["session older than 30 s"]


def test_a_new_session_must_complete_anew() -> None:
    table = remote()
    table.counts(0, end_of_rib=True)
    assert table.declared() == ["End-of-RIB"]
    table.completion.session_left(PEER)
    table.counts(3, uptime=2000)
    assert table.declared() == []
    assert table.completion.is_unsettled


def test_a_peer_that_was_never_up_says_nothing() -> None:
    table = remote()
    table.counts(0, uptime=0)
    assert table.declared(now=1000.0, lull=1000.0) == []


def test_a_peer_that_went_down_is_empty_once_its_last_path_is_withdrawn() -> None:
    table = remote()
    table.counts(1)
    table.tell(KEY_NUMBER)
    table.counts(0, uptime=0)
    assert table.declared() == []
    table.fence.hold(Withdrawn(Family.IPV4, KEY, PEER, 0, None))
    table.ledger.withdraw(PEER, Family.IPV4, KEY, 0)
    assert table.declared() == [], "a withdrawal is still held"
    table.fence.discard()
    assert table.declared() == ["peer is down"]
    assert table.declared() == []


def test_a_peer_in_graceful_restart_is_not_empty() -> None:
    table = remote()
    table.counts(1)
    table.counts(1, uptime=0, restarting=True)
    assert table.declared() == []


def test_what_policy_rejected_before_is_taken_as_given_and_later_differences_count() -> None:
    table = remote()
    table.counts(5, end_of_rib=True)
    table.tell(1, 2, 3)
    table.declared()
    assert table.declared(now=7.5, lull=6.5) == ["End-of-RIB"]
    table.counts(5, end_of_rib=True)
    assert not table.completion.mismatch(2.0)
    assert table.completion.unexplained == [(PEER, Family.IPV4)]
    table.counts(6, end_of_rib=True)
    assert not table.completion.mismatch(2.0), "its counter has just moved"
    table.counts(6, end_of_rib=True)
    assert table.completion.mismatch(2.0)
    assert not table.completion.mismatch(0.5), "the stream is not at rest"


def test_explaining_rejected_paths_keeps_the_count_right() -> None:
    table = remote()
    table.counts(2, end_of_rib=True)
    table.tell(1)
    table.declared()
    assert table.declared(now=7.5, lull=6.5) == ["End-of-RIB"]
    table.counts(2, end_of_rib=True)
    assert not table.completion.mismatch(2.0)
    assert not table.ledger.explain(PEER, Family.IPV4, (1).to_bytes(4), 0)
    assert table.ledger.explain(PEER, Family.IPV4, (2).to_bytes(4), 0)
    assert not table.completion.mismatch(2.0)
    table.ledger.withdraw(PEER, Family.IPV4, (2).to_bytes(4), 0)
    table.counts(1, end_of_rib=True)
    table.counts(1, end_of_rib=True)
    assert not table.completion.mismatch(2.0)


def test_a_growing_table_and_a_backlog_are_weighed() -> None:
    table = remote()
    table.counts(1000)
    table.tell(*range(100))
    assert table.completion.backlog() == (900, 1000, 1000)
