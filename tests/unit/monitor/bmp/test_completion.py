"""When a table is complete, and what the speaker's counters say of it then."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.bmp.speaker import GOBGP
from monitor.bmp.wire import Malformed
from monitor.rib.update import (
    TableComplete,
    TableCounted,
)
from tests.support import bmp
from tests.unit.monitor.bmp.hearing import (
    BROKEN,
    DUAL,
    EPOCH,
    IPV4,
    IPV6,
    OTHER,
    OTHER_ID,
    PEER,
    PEER_ID,
    Hearing,
    completed,
    hearing_of,
    kinds,
)

# When a table is complete


def test_an_end_of_rib_right_after_the_session_proves_nothing_yet() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.mark())
    assert hearing.wait(29.5) == []
    assert kinds(hearing.wait(1)) == ["TableComplete"]
    assert hearing.wait(400) == []


def test_a_table_is_not_complete_before_it_is_calm() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.announce("10.0.0.0/8"), PEER.mark())
    busy = [PEER.announce("10.0.0.0/8")]
    hearing.wait(40, busy=busy)
    assert completed(hearing) == []
    hearing.wait(1.5)
    assert completed(hearing) == []
    hearing.wait(1)
    assert completed(hearing) == [IPV4]


def test_churn_within_limits_is_calm() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.mark())
    hearing.wait(31, busy=[PEER.announce("10.0.0.0/8")], times=50)
    assert completed(hearing) == [IPV4]


def test_a_table_that_never_calms_is_complete_long_after_its_end_of_rib() -> None:
    hearing = hearing_of(PEER, wait=1.0)
    hearing.say(PEER.announce("10.0.0.0/8"), PEER.mark())
    busy = [PEER.announce("10.0.0.0/8")]
    hearing.wait(9.5, busy=busy)
    assert completed(hearing) == []
    hearing.wait(1, busy=busy)
    assert completed(hearing) == [IPV4]


def test_old_paths_prove_the_age_of_a_session_where_the_clock_is_ours() -> None:
    hearing = hearing_of(PEER, local=True)
    hearing.say(PEER.announce("10.0.0.0/8", seconds=EPOCH - 100), PEER.mark())
    assert hearing.wait(1.5) == []
    assert kinds(hearing.wait(1)) == ["TableComplete"]


def test_an_end_of_rib_after_very_old_paths_is_believed_at_once() -> None:
    hearing = hearing_of(PEER, local=True)
    told = hearing.say(PEER.announce("10.0.0.0/8", seconds=EPOCH - 3600), PEER.mark())
    assert kinds(told) == ["PathAnnounced", "PeerChanged", "TableComplete"]


def test_an_end_of_rib_in_front_of_a_table_of_old_paths_proves_nothing_while_that_arrives() -> None:
    """BIRD sends the End-of-RIB of each peer before its table (docs/bmp.md)."""
    hearing = hearing_of(PEER, local=True)
    hearing.say(PEER.mark())
    hearing.wait(5, busy=[PEER.announce("10.0.0.0/8", seconds=EPOCH - 3600)])
    assert completed(hearing) == []
    hearing.wait(29)
    assert completed(hearing) == []
    hearing.wait(2)
    assert completed(hearing) == [IPV4]


def test_an_end_of_rib_of_an_empty_table_counts_where_others_came_after_theirs() -> None:
    hearing = hearing_of(PEER, OTHER)
    hearing.say(OTHER.mark(), PEER.announce("10.0.0.0/8"), PEER.mark())
    busy = [PEER.announce("10.0.0.0/8")]
    hearing.wait(29.5, busy=busy)
    assert completed(hearing, OTHER_ID) == []
    hearing.wait(1, busy=busy)
    assert completed(hearing, OTHER_ID) == [IPV4]


def test_a_peer_that_begins_right_after_the_dump_is_complete_when_it_is_quiet() -> None:
    hearing = hearing_of(PEER, OTHER)
    hearing.say(OTHER.mark(), PEER.announce("10.0.0.0/8"), PEER.mark())
    hearing.wait(3)
    hearing.say(OTHER.announce("10.0.0.0/8"))
    hearing.wait(29)
    assert completed(hearing, OTHER_ID) == []
    hearing.wait(2)
    assert completed(hearing, OTHER_ID) == [IPV4]


def test_old_paths_prove_nothing_where_the_clock_is_another() -> None:
    hearing = hearing_of(PEER, local=False)
    hearing.say(PEER.announce("10.0.0.0/8", seconds=EPOCH - 3600), PEER.mark())
    assert hearing.wait(29.5) == []
    assert kinds(hearing.wait(1)) == ["TableComplete"]


def test_young_paths_and_paths_without_time_prove_nothing() -> None:
    hearing = hearing_of(PEER, local=True)
    hearing.say(PEER.announce("10.0.0.0/8", seconds=0), PEER.announce("10.1.0.0/16", seconds=EPOCH - 10), PEER.mark())
    assert hearing.wait(20) == []
    assert kinds(hearing.wait(2)) == ["TableComplete"]


def test_an_end_of_rib_of_an_old_and_calm_session_is_believed_at_once() -> None:
    hearing = hearing_of(PEER, OTHER)
    hearing.say(OTHER.announce("10.0.0.0/8"), OTHER.mark())
    hearing.wait(60)
    assert completed(hearing) == []
    told = hearing.say(PEER.announce("10.0.0.0/8"), PEER.mark())
    assert kinds(told) == ["PathAnnounced", "PeerChanged", "TableComplete"]


def test_a_second_end_of_rib_counts() -> None:
    hearing = hearing_of(PEER, OTHER)
    hearing.say(PEER.announce("10.0.0.0/8"), PEER.mark())
    hearing.now += 40  # nobody has looked at the clock meanwhile
    assert kinds(hearing.say(PEER.mark())) == ["TableComplete"]
    assert hearing.say(PEER.mark()) == []


def test_each_family_is_complete_by_itself() -> None:
    hearing = hearing_of(DUAL)
    hearing.say(DUAL.announce("10.0.0.0/8"), DUAL.mark(bmp.IPV6))
    hearing.wait(60)
    assert completed(hearing) == [IPV6]
    hearing.say(DUAL.mark())
    assert completed(hearing) == [IPV6, IPV4]


def test_an_end_of_rib_of_a_family_that_is_not_spoken() -> None:
    hearing = hearing_of(PEER)
    assert hearing.say(PEER.mark(bmp.IPV6), PEER.mark(bmp.VPN_IPV4)) == []


def test_silence_proves_a_table_where_no_end_of_rib_comes() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.announce("10.0.0.0/8"))
    assert hearing.wait(29) == []
    assert hearing.wait(1.5) == [TableComplete(PEER_ID, IPV4, "quiet, after more than 30 s")]


def test_silence_proves_nothing_before_the_first_path_is_old_enough() -> None:
    hearing = hearing_of(PEER)
    hearing.wait(25)
    hearing.say(PEER.announce("10.0.0.0/8"))
    assert hearing.wait(29) == []
    assert kinds(hearing.wait(1.5)) == ["TableComplete"]


def test_silence_begins_when_the_messages_end() -> None:
    hearing = hearing_of(PEER, wait=6.0)
    hearing.say(PEER.announce("10.0.0.0/8"))
    hearing.wait(20, busy=[PEER.announce("10.0.0.0/8")])
    assert completed(hearing) == []
    hearing.wait(5)
    assert completed(hearing) == []
    hearing.wait(2)
    assert completed(hearing) == [IPV4]


def test_who_waits_for_its_turn_is_not_complete_while_the_table_of_another_one_arrives() -> None:
    hearing = hearing_of(PEER, OTHER)
    hearing.wait(60, busy=[PEER.announce("10.0.0.0/8")])
    assert hearing.of(TableComplete) == []
    hearing.wait(29)
    assert completed(hearing, OTHER_ID) == []
    hearing.wait(2)
    assert completed(hearing, OTHER_ID) == [IPV4]


def test_who_waits_for_its_turn_is_not_complete_although_its_end_of_rib_came_first() -> None:
    """BIRD sends the End-of-RIB of each peer before its table (docs/bmp.md)."""
    hearing = hearing_of(PEER, OTHER)
    hearing.say(PEER.mark(), OTHER.mark())
    hearing.wait(60, busy=[PEER.announce("10.0.0.0/8")])
    assert completed(hearing, OTHER_ID) == []


def test_who_waits_for_its_turn_behind_ends_of_other_dumps_waits_for_its_own() -> None:
    hearing = hearing_of(PEER, OTHER)
    hearing.say(PEER.announce("10.0.0.0/8"), PEER.mark())
    hearing.wait(60)
    assert completed(hearing) == [IPV4]
    assert completed(hearing, OTHER_ID) == []
    hearing.wait(245)
    assert completed(hearing, OTHER_ID) == [IPV4]


def test_an_end_of_rib_later_on_makes_nobody_else_wait() -> None:
    hearing = hearing_of(PEER)
    hearing.wait(40)
    hearing.say(OTHER.up())
    hearing.say(PEER.mark())
    hearing.wait(31)
    assert completed(hearing, OTHER_ID) == [IPV4]


def test_a_session_that_came_up_after_the_dump_needs_silence_alone() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.mark())
    hearing.wait(60)
    hearing.say(OTHER.up(), OTHER.announce("10.0.0.0/8"))
    assert hearing.wait(29) == []
    assert kinds(hearing.wait(2)) == ["TableComplete"]


def test_tables_without_path_identifiers_are_never_complete() -> None:
    modes = bmp.add_path({bmp.IPV4: 3})
    peer = replace(DUAL, sent=(modes,), received=(modes,))
    hearing = hearing_of(peer, oddities=GOBGP)
    assert hearing.say(peer.announce("10.0.0.0/8")) == []
    hearing.say(peer.mark(), peer.mark(bmp.IPV6))
    hearing.wait(400)
    assert completed(hearing) == [IPV6]
    assert hearing.decoder.ignored["path-ids"] == 1


# Statistics


def complete_hearing(peer: bmp.Monitored = PEER, **terms: Any) -> Hearing:
    hearing = hearing_of(peer, **terms)
    view = bmp.L_FLAG if terms.get("post") else 0
    hearing.say(*(peer.mark(family, flags=view) for family in peer.families))
    hearing.wait(31)
    return hearing


def test_counts_of_a_complete_table() -> None:
    hearing = complete_hearing()
    report = PEER.statistics(
        bmp.counter(0, 1), bmp.counter(7, 5), bmp.family_counter(9, bmp.IPV4, 4), bmp.family_counter(9, bmp.IPV6, 9),
        bmp.family_counter(9, bmp.VPN_IPV4, 9), bmp.counter(8, 7), bmp.information(7, b"\0"), bmp.information(9, b"\0"),
    )  # fmt: skip
    assert hearing.say(report) == [TableCounted(PEER_ID, None, 5), TableCounted(PEER_ID, IPV4, 4)]


def test_counts_of_a_speaker_that_hides_loops_are_no_exact_ones() -> None:
    hearing = complete_hearing(oddities=GOBGP)
    assert hearing.say(PEER.statistics(bmp.counter(7, 5))) == [TableCounted(PEER_ID, None, 5, exact=False)]


def test_counts_say_nothing_before_every_table_is_complete() -> None:
    hearing = hearing_of(DUAL)
    hearing.say(DUAL.announce("10.0.0.0/8"), DUAL.mark())
    hearing.wait(31)
    assert completed(hearing) == [IPV4]
    assert hearing.say(DUAL.statistics(bmp.counter(7, 5))) == []
    hearing.say(DUAL.mark(bmp.IPV6))
    assert hearing.say(DUAL.statistics(bmp.counter(7, 5))) == [TableCounted(PEER_ID, None, 5)]


def test_counts_say_nothing_of_what_the_policy_let_through() -> None:
    hearing = complete_hearing(post=True)
    assert completed(hearing) == [IPV4]
    assert hearing.say(PEER.statistics(bmp.counter(7, 5))) == []


def test_counts_say_nothing_with_several_paths_for_a_prefix() -> None:
    modes = bmp.add_path({bmp.IPV4: 3})
    peer = replace(PEER, sent=(modes,), received=(modes,))
    hearing = complete_hearing(peer)
    assert completed(hearing) == [IPV4]
    assert hearing.say(peer.statistics(bmp.counter(7, 5))) == []


def test_counts_say_nothing_of_a_session_that_is_over() -> None:
    hearing = complete_hearing()
    hearing.say(PEER.down(*BROKEN))
    assert hearing.say(PEER.statistics(bmp.counter(7, 5)), OTHER.statistics(bmp.counter(7, 5))) == []


def test_a_peer_of_which_nothing_is_reported_any_more() -> None:
    hearing = hearing_of(PEER, OTHER)
    hearing.say(PEER.statistics(), OTHER.statistics())
    for _ in range(3):
        hearing.wait(15)
        hearing.say(PEER.statistics())
    hearing.wait(15)
    with pytest.raises(Malformed, match=r"no statistics of 192\.0\.2\.3 any more"):
        hearing.say(PEER.statistics())


def test_a_peer_that_is_down_or_new_need_not_be_reported() -> None:
    hearing = hearing_of(PEER, OTHER)
    for _ in range(3):
        hearing.say(PEER.statistics(), OTHER.statistics())
        hearing.wait(15)
    hearing.say(OTHER.down(*BROKEN))
    for _ in range(6):
        hearing.say(PEER.statistics())
        hearing.wait(15)
    hearing.say(OTHER.up(seconds=9))
    for _ in range(3):
        hearing.say(PEER.statistics(), OTHER.statistics())


def test_statistics_that_stop_altogether() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.statistics())
    hearing.wait(15)
    hearing.say(PEER.statistics())
    hearing.wait(69)
    with pytest.raises(Malformed, match="no statistics any more"):
        hearing.wait(2)


def test_a_speaker_without_statistics_is_not_missed() -> None:
    hearing = hearing_of(PEER)
    hearing.wait(600)
    hearing.say(PEER.statistics())
    hearing.wait(600)


def test_statistics_without_a_session_that_is_up_are_not_missed() -> None:
    hearing = hearing_of(PEER)
    hearing.say(PEER.statistics())
    hearing.wait(15)
    hearing.say(PEER.statistics(), PEER.down(*BROKEN))
    hearing.wait(600)
