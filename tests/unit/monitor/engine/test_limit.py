"""Limits on what one peer may send: what is counted, what a crossing leaves in use, and how it ends."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.engine.domain import SETTLE_SECONDS, DomainTable
from monitor.engine.limit import Guard, PeerLimits, guard_document, newest, received
from monitor.engine.peer import PeerTable
from monitor.rib.path import Path
from monitor.rib.peer import PeerFamily
from monitor.rib.reason import Reason
from programmer.route import Family, PrefixKey, TableId
from tests.unit.monitor.engine.build import domain
from tests.unit.monitor.rib.build import candidate, key

V4, V6 = Family.IPV4, Family.IPV6
ADDRESS = "192.0.2.1"
MOST = 4


def prefix(number: int) -> PrefixKey:
    return key(f"10.{number}.0.0/16")


class Stage:
    """A domain with one limited peer; what was told to be chosen anew, and the notes for the journal."""

    def __init__(self, action: str = "freeze", *, installed: Collection[PrefixKey] = (), ready: bool = True) -> None:
        limits = f"{{ipv4: {{paths: {MOST}, warn_percent: 75, action: {action}}}}}"
        self.domain: DomainTable = domain(ADDRESS, more=f"peer_limit: {limits}")
        ((self.id, self.table),) = self.domain.peers.items()
        self.marked: set[PrefixKey] = set()
        self.notes: list[str] = []
        self.ready = ready
        self.limits = PeerLimits(self._mark, self.notes.append, lambda _table, _family: installed)
        self.limits.assign(self.table, self.domain, ready=ready)

    def _mark(self, name: str, family: Family, keys: Collection[PrefixKey]) -> None:
        assert (name, family) == ("storage", V4)
        self.marked |= set(keys)

    @property
    def guard(self) -> Guard:
        return self.limits.guards[self.id, V4]

    def path(self, at: int) -> Path:
        return candidate(ADDRESS, received_at=at).path

    def announce(self, *numbers: int, at: int = 1000) -> None:
        for number in numbers:
            self.table.announce(V4, prefix(number), self.path(at))

    def withdraw(self, *numbers: int) -> None:
        for number in numbers:
            self.table.withdraw(V4, prefix(number), 0)

    def complete(self) -> None:
        self.table.complete(V4, "End-of-RIB")

    def judge(self, samples: int = 0) -> bool:
        crossed = self.limits.judge(ready=self.ready)
        for _ in range(samples):
            crossed = self.limits.judge(ready=self.ready, sample=True) or crossed
        return crossed

    def settle(self, *numbers: int, at: int = 1000) -> None:
        """The peer tells these, and that is all, for a while."""
        self.announce(*numbers, at=at)
        self.complete()
        self.judge(samples=SETTLE_SECONDS + 11)

    def used(self) -> set[int]:
        """The numbers of the prefixes that the domain wants."""
        for number in range(30):
            self.domain.recompute(V4, [prefix(number)], 0.0)
        return {number for number in range(30) if prefix(number) in self.domain.desired[V4]}

    def count(self, received: int) -> None:
        """The speaker's counter."""
        self.table.peer = replace(self.table.peer, families={V4: PeerFamily(received=received)})


def test_up_to_the_limit_everything_is_used() -> None:
    stage = Stage()
    stage.settle(1, 2, 3, 4)
    assert not stage.guard.over
    assert stage.guard.near
    assert stage.used() == {1, 2, 3, 4}
    assert list(stage.limits.warnings()) == ["peer 192.0.2.1: 4 ipv4 paths, limit 4: near it"]
    stage.withdraw(1, 2)
    stage.judge()
    assert (stage.guard.state, list(stage.limits.warnings())) == ("ok", [])


def test_beyond_the_limit_what_was_there_stays_and_nothing_new_is_admitted() -> None:
    stage = Stage()
    stage.settle(1, 2, 3)
    stage.announce(4, 5, 6, at=2000)
    assert stage.judge()
    assert not stage.judge(), "it is crossed once"
    assert stage.used() == {1, 2, 3}, "the fourth came in the same burst: no partial set"
    assert stage.marked == {prefix(4), prefix(5), prefix(6)}
    assert stage.domain.reasons[V4] == {Reason.PEER_LIMIT: 3}
    assert [path.peer for path in stage.domain.kept_out(V4, prefix(5))] == [stage.id]
    assert stage.domain.kept_out(V4, prefix(1)) == []
    assert list(stage.limits.warnings()) == ["peer 192.0.2.1: 6 ipv4 paths, limit 4: frozen, 3 prefixes not admitted"]
    assert stage.notes == ["192.0.2.1: 6 ipv4 paths, limit 4: beyond it, nothing more is admitted"]
    assert guard_document(stage.guard) == {
        "paths": 6, "limit": 4, "action": "freeze", "state": "frozen", "not_admitted": 3,
    }  # fmt: skip


def test_slow_growth_is_kept_up_to_the_limit() -> None:
    stage = Stage()
    stage.settle(1, 2)
    for number in (3, 4, 5):
        stage.announce(number, at=1000 * number)
        stage.judge(samples=11)
    assert stage.used() == {1, 2, 3, 4}


def test_admitted_prefixes_go_on_living_while_frozen() -> None:
    stage = Stage()
    stage.settle(1, 2, 3)
    stage.announce(4, 5, 6, at=2000)
    stage.judge()
    stage.withdraw(1)
    stage.announce(2, at=3000)
    stage.judge()
    assert stage.used() == {2, 3}
    stage.announce(1, at=3001)
    assert stage.used() == {1, 2, 3}, "it had been used before"


def test_below_the_limit_again_everything_is_admitted() -> None:
    stage = Stage()
    stage.settle(1, 2, 3)
    stage.announce(4, 5, 6, at=2000)
    stage.judge()
    stage.withdraw(2, 5)
    stage.marked.clear()
    stage.judge()
    assert stage.marked == {prefix(4), prefix(6)}
    assert stage.used() == {1, 3, 4, 6}
    assert stage.domain.frozen == {}
    assert stage.notes[-1] == "192.0.2.1: 4 ipv4 paths, limit 4: below it again"


def test_nothing_of_a_table_that_begins_beyond_the_limit_is_used() -> None:
    stage = Stage()
    for number in range(1, 8):
        stage.announce(number, at=1000 + 60 * number)
        stage.judge(samples=1)
    assert stage.used() == set(), "however long it took to arrive"
    stage.complete()
    stage.judge(samples=20)
    assert stage.used() == set()


def test_what_the_kernel_has_from_an_earlier_life_was_there_before() -> None:
    stage = Stage(installed=[prefix(1), prefix(2), prefix(29)], ready=False)
    stage.announce(1, 2, 3, 4, 5, 6)
    stage.judge()
    assert stage.used() == set(), "nothing is chosen before the kernel has been read"
    stage.ready = True
    assert stage.judge()
    assert stage.marked == {prefix(number) for number in range(1, 7)}
    assert stage.used() == {1, 2}
    assert list(stage.limits.warnings()) == ["peer 192.0.2.1: 6 ipv4 paths, limit 4: frozen, 4 prefixes not admitted"]


def test_what_the_kernel_has_is_waited_for_until_the_table_is_complete() -> None:
    stage = Stage(installed=[prefix(1), prefix(2), prefix(29)])
    stage.announce(3, 4, 5, 6, 7)
    assert stage.judge()
    assert stage.used() == set()
    stage.announce(2, 1)
    assert stage.used() == {1, 2}, "they were only told later"
    stage.complete()
    stage.judge()
    stage.announce(29)
    assert stage.used() == {1, 2}, "what was not told was not in use"


def test_below_the_limit_everything_is_used_once_the_kernel_has_been_read() -> None:
    stage = Stage(installed=[prefix(1)], ready=False)
    stage.announce(1, 2, 3)
    stage.ready = True
    assert not stage.judge()
    assert stage.used() == {1, 2, 3}


def test_a_table_that_is_told_again_keeps_what_it_had() -> None:
    stage = Stage()
    stage.settle(1, 2, 3)
    stage.table.begin()
    stage.judge()
    stage.announce(3, 5, 1, 6, 2, 7, at=2000)
    stage.judge()
    assert stage.used() == {1, 2, 3}


def test_a_new_session_keeps_only_what_it_did_not_bring_itself() -> None:
    stage = Stage()
    stage.settle(1, 2, 3)
    stage.table.peer = replace(stage.table.peer, since=datetime.fromtimestamp(5000, UTC))
    stage.announce(4, at=5000)
    stage.table.proof = {}
    stage.limits.session_up(stage.table)
    stage.announce(5, 6, at=5003)
    stage.judge()
    assert stage.used() == {1, 2, 3}, "the fourth came before the session was heard of"


def test_the_speakers_counter_is_believed_where_it_knows_more() -> None:
    stage = Stage()
    stage.settle(1, 2, 3)
    stage.count(5)
    assert stage.judge()
    assert stage.used() == {1, 2, 3}
    assert not stage.marked, "nothing that was used is touched"
    stage.announce(4, 5, at=2000)
    assert stage.used() == {1, 2, 3}
    stage.count(4)
    stage.withdraw(5)
    stage.judge()
    assert stage.used() == {1, 2, 3, 4}


def test_what_the_speaker_refuses_counts_for_its_own_family() -> None:
    stage = Stage()
    for number in range(1, 4):
        stage.table.reject(V4, prefix(number), stage.path(1000))
        stage.table.reject(V6, key(f"2001:db8:{number}::/48"), stage.path(1000))
    stage.announce(5)
    assert received(stage.table, V4, MOST) == 4
    assert received(stage.table, V6, 2) == 3
    stage.announce(6)
    assert stage.judge()


def test_a_counter_of_a_session_that_is_gone_does_not_count() -> None:
    stage = Stage()
    stage.count(50)
    assert received(stage.table, V4, MOST) == 50
    stage.table.peer = replace(stage.table.peer, state=type(stage.table.peer.state).IDLE)
    assert received(stage.table, V4, MOST) == 0


def test_warn_only_warns() -> None:
    stage = Stage("warn", ready=False)
    stage.announce(1, 2, 3, 4, 5)
    assert stage.judge()
    assert stage.used() == {1, 2, 3, 4, 5}
    assert list(stage.limits.warnings()) == ["peer 192.0.2.1: 5 ipv4 paths, limit 4: beyond it; the action is warn"]
    assert stage.notes == ["192.0.2.1: 5 ipv4 paths, limit 4: beyond it, it goes on all the same"]


@pytest.mark.parametrize(("action", "used"), [("freeze", {1, 2, 3}), ("warn", {1, 2, 3, 4, 5, 6})])
def test_a_new_configuration_takes_the_state_over(action: str, used: set[int]) -> None:
    stage = Stage()
    stage.settle(1, 2, 3)
    stage.announce(4, 5, 6, at=2000)
    stage.judge()
    changed = Stage(action)
    changed.domain.peers = {stage.id: stage.table}
    stage.domain = changed.domain
    stage.limits.assign(stage.table, stage.domain, ready=True)
    stage.judge()
    assert stage.used() == used


def test_a_limit_that_is_new_and_below_what_is_there_keeps_all_of_that() -> None:
    stage = Stage()
    stage.limits.assign(stage.table, domain(), ready=True)
    assert stage.limits.guards == {}
    stage.announce(1, 2, 3, 4, 5, 6)
    stage.complete()
    stage.limits.assign(stage.table, stage.domain, ready=True)
    stage.judge()
    assert stage.guard.over
    assert stage.used() == {1, 2, 3, 4, 5, 6}
    stage.announce(7, at=3000)
    stage.judge()
    assert stage.used() == {1, 2, 3, 4, 5, 6}


def test_a_peer_that_is_gone_leaves_nothing_behind() -> None:
    stage = Stage()
    stage.announce(1, 2, 3, 4, 5)
    stage.judge()
    assert stage.domain.frozen
    stage.limits.forget(stage.id)
    assert (stage.limits.guards, stage.domain.frozen) == ({}, {})


def test_the_newest_prefixes_are_found_without_looking_at_the_others() -> None:
    table = PeerTable.of(Stage().table.peer)
    for number, at in ((1, 100), (2, 100), (3, 195), (4, 199), (5, 200)):
        table.announce(V4, prefix(number), candidate(ADDRESS, received_at=at).path)
    assert newest(table.paths[V4], grew=True) == {prefix(3), prefix(4), prefix(5)}
    assert newest(table.paths[V4], grew=False) == set()
    assert newest({}, grew=True) == set()


def test_the_kernels_table_is_that_of_the_domain() -> None:
    asked: list[tuple[TableId, Family]] = []
    stage = Stage(ready=False)

    def installed(table: TableId, family: Family) -> Collection[PrefixKey]:
        asked.append((table, family))
        return ()

    limits = PeerLimits(lambda *_: None, stage.notes.append, installed)
    limits.assign(stage.table, stage.domain, ready=False)
    limits.judge(ready=True)
    assert asked == [(TableId(101), V4)]
