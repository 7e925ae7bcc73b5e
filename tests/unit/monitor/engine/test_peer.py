"""One peer's paths: what is held, what a new feed leaves over, and what is forgotten."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.peer import MOST_REJECTED, PeerTable, address_of
from monitor.rib.attribute import PathAttributes
from monitor.rib.path import Path, PeerId
from monitor.rib.peer import Peer, SessionState
from programmer.route import Family, PrefixKey
from tests.unit.monitor.rib.build import key, packed

V4, V6 = Family.IPV4, Family.IPV6
PEER = PeerId("fabric", "192.0.2.1")
A, B, C = key("10.1.0.0/16"), key("10.2.0.0/16"), key("10.3.0.0/16")
NEAR, FAR = PathAttributes(packed("192.0.2.1")), PathAttributes(packed("192.0.2.9"))


def path(attributes: PathAttributes = NEAR, path_id: int = 0) -> Path:
    return Path(PEER, path_id, attributes, 1000)


def table_with(keys: Iterable[PrefixKey] = (), *, family: Family = V4) -> PeerTable:
    table = PeerTable.of(Peer(PEER, SessionState.ESTABLISHED))
    for one in keys:
        table.announce(family, one, path())
    return table


def held(table: PeerTable, one: PrefixKey, family: Family = V4) -> list[Path]:
    return list(table.held(family, one))


def test_announcement_is_news_only_when_it_says_something_new() -> None:
    table = table_with()
    assert table.announce(V4, A, path())
    assert not table.announce(V4, A, path())
    assert table.announce(V4, A, path(FAR))
    assert held(table, A) == [path(FAR)]
    assert table.count == 1


def test_withdrawal_of_what_is_not_held_is_no_news() -> None:
    table = table_with([A])
    assert not table.withdraw(V4, B, 0)
    assert not table.withdraw(V6, A, 0)
    assert not table.withdraw(V4, A, 7)
    assert table.withdraw(V4, A, 0)
    assert not table.withdraw(V4, A, 0)
    assert held(table, A) == []


def test_families_are_apart() -> None:
    table = table_with([A])
    table.announce(V6, A, path(FAR))
    table.withdraw(V4, A, 0)
    assert held(table, A, V6) == [path(FAR)]


def test_paths_of_one_prefix_are_held_by_identifier_and_in_its_order() -> None:
    table = table_with()
    for number in (3, 1, 2):
        table.announce(V4, A, path(path_id=number))
    assert [one.path_id for one in held(table, A)] == [1, 2, 3]
    table.announce(V4, A, path(FAR, path_id=2))
    assert [one.attributes is FAR for one in held(table, A)] == [False, True, False]
    assert table.withdraw(V4, A, 2)
    assert table.withdraw(V4, A, 1)
    assert held(table, A) == [path(path_id=3)]
    assert table.count == 1
    assert table.withdraw(V4, A, 3)
    assert table.count == 0


def test_refused_path_is_no_longer_held_and_is_kept_to_be_explained() -> None:
    table = table_with([A])
    assert table.reject(V4, A, path(FAR))
    assert held(table, A) == []
    assert not table.reject(V4, B, path(FAR))
    assert set(table.rejected) == {(V4, A), (V4, B)}
    table.announce(V4, A, path())
    table.withdraw(V4, B, 0)
    assert table.rejected == {}


def test_refused_paths_are_kept_up_to_a_bound() -> None:
    table = table_with()
    for number in range(MOST_REJECTED + 10):
        table.reject(V4, b"\x20" + number.to_bytes(4, "big"), path())
    assert len(table.rejected) == MOST_REJECTED


def test_new_feed_leaves_over_what_it_does_not_tell_again() -> None:
    table = table_with([A, B, C])
    table.begin()
    assert table.proof == {}
    assert not table.announce(V4, A, path())
    assert table.announce(V4, B, path(FAR))
    assert {one for one in (A, B, C) if held(table, one)} == {A, B, C}, "nothing is gone before the end"
    assert table.complete(V4, "End-of-RIB") == {C}
    assert table.proof == {V4: "End-of-RIB"}
    assert {one for one in (A, B, C) if held(table, one)} == {A, B}


def test_completion_of_one_family_says_nothing_about_the_other() -> None:
    table = table_with([A])
    table.announce(V6, B, path())
    table.begin()
    assert table.complete(V4, "End-of-RIB") == {A}
    assert held(table, B, V6) == [path()]
    assert V6 not in table.proof


def test_feed_that_breaks_and_begins_again_asks_for_everything_again() -> None:
    table = table_with([A, B])
    table.begin()
    table.announce(V4, A, path())
    table.begin()
    table.announce(V4, B, path())
    assert table.complete(V4, "End-of-RIB") == {A}


def test_withdrawn_and_announced_again_during_a_new_feed_stays() -> None:
    table = table_with([A])
    table.begin()
    table.withdraw(V4, A, 0)
    table.announce(V4, A, path(FAR))
    assert table.complete(V4, "End-of-RIB") == set()
    assert held(table, A) == [path(FAR)]


def test_without_a_new_feed_completion_takes_nothing_away() -> None:
    table = table_with([A])
    assert table.complete(V4, "session older than 30 s") == set()
    assert held(table, A) == [path()]


@pytest.mark.parametrize("again", [[4], [1], [1, 2], [2, 4], [3, 4]])
def test_new_feed_leaves_over_the_identifiers_that_it_does_not_tell(again: list[int]) -> None:
    table = table_with()
    for number in (1, 2):
        table.announce(V4, A, path(path_id=number))
    table.begin()
    for number in again:
        table.announce(V4, A, path(path_id=number))
    table.complete(V4, "End-of-RIB")
    assert [one.path_id for one in held(table, A)] == again
    table.begin()
    table.announce(V4, A, path(path_id=9))
    assert table.complete(V4, "End-of-RIB") == {A}
    assert [one.path_id for one in held(table, A)] == [9]


def test_forgetting_returns_what_was_held() -> None:
    table = table_with([A, B])
    table.announce(V6, C, path())
    table.reject(V4, C, path())
    assert table.forget() == {V4: {A, B}, V6: {C}}
    assert table.count == 0
    assert table.rejected == {}
    assert table.complete(V4, "peer is down") == set()


@pytest.mark.parametrize(
    ("address", "scope"), [("192.0.2.1", None), ("2001:db8::1", None), ("fe80::1%eth1", "eth1"), ("a router", None)]
)
def test_address_has_its_zone_and_other_text_is_no_address(address: str, scope: str | None) -> None:
    found = address_of(PeerId("fabric", address))
    assert (found is None) == (address == "a router")
    assert getattr(found, "scope_id", None) == scope


KEYS = st.sampled_from((A, B, C))
IDS = st.integers(0, 2)
TELLINGS = st.lists(st.tuples(KEYS, IDS, st.booleans()), max_size=12)


@given(st.lists(TELLINGS, min_size=1, max_size=4))
def test_after_each_feed_the_table_is_what_that_feed_told(feeds: list[list[tuple[PrefixKey, int, bool]]]) -> None:
    table = table_with()
    for feed in feeds:
        table.begin()
        told: set[tuple[PrefixKey, int]] = set()
        for one, number, announced in feed:
            if announced:
                table.announce(V4, one, path(path_id=number))
                told.add((one, number))
            else:
                table.withdraw(V4, one, number)
                told.discard((one, number))
        table.complete(V4, "End-of-RIB")
        assert {(one, item.path_id) for one in (A, B, C) for item in table.held(V4, one)} == told
