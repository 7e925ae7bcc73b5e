"""Sessions that are torn down: recorded first, opened again in time, given up in the end, whatever happens in between."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from monitor.engine.limit import PeerLimits
from monitor.engine.teardown import GONE_SECONDS, RETRY_SECONDS, UNSEEN_SECONDS, Step, Teardown
from monitor.errors import SourceError
from monitor.ports import SessionControl
from monitor.rib.path import PeerId
from monitor.rib.peer import AdminState, SessionState
from programmer.journal import Journal
from programmer.route import Family
from tests.unit.monitor.engine.build import domain
from tests.unit.monitor.rib.build import candidate, key

V4 = Family.IPV4
ADDRESS = "192.0.2.1"
RESTART = 300.0


@dataclass
class Speaker:
    """A source that carries orders out at once, or refuses them all with ``broken``; ``orders`` are what it was told."""

    stage: "Stage"
    broken: str = ""
    orders: list[str] = field(default_factory=list)
    told: str = ""

    async def disable_peer(self, peer: PeerId, communication: str) -> None:
        self.order("shut", peer)
        self.told = communication
        self.stage.session(AdminState.DOWN)

    async def enable_peer(self, peer: PeerId) -> None:
        self.order("open", peer)
        self.stage.session(AdminState.UP)

    def order(self, what: str, peer: PeerId) -> None:
        assert peer == self.stage.id
        if self.broken:
            raise SourceError(self.broken)
        self.orders.append(what)


class Stage:
    """One limited peer, a speaker, a clock that only the test moves, and a journal."""

    def __init__(self, action: str = "action: teardown, restart: 5m, attempts: 2", *, dry_run: bool = False) -> None:
        self.journal = Journal(":memory:")
        self.now, self.alive, self.dry_run, self.listed = 10_000.0, 100.0, dry_run, True
        self.domain = domain(ADDRESS, more=f"peer_limit: {{ipv4: {{paths: 2, {action}}}}}")
        ((self.id, self.table),) = self.domain.peers.items()
        self.limits = PeerLimits(lambda *_: None, lambda _: None, lambda *_: ())
        self.limits.assign(self.table, self.domain, ready=True)
        self.speaker = Speaker(self)
        assert isinstance(self.speaker, SessionControl)
        self.begin()

    def begin(self) -> None:
        """A new life of the daemon, over the same journal."""
        self.teardown = Teardown(
            self.limits,
            {self.id: self.table},
            {"fabric": self.speaker},  # type: ignore[dict-item]
            self.journal,
            alive=lambda _: self.alive,
            dry_run=lambda: self.dry_run,
            clock=lambda: self.now,
        )

    def session(self, admin: AdminState) -> None:
        """The peer list shows the session so; a session that is shut has no paths."""
        state = SessionState.ESTABLISHED if admin is AdminState.UP else SessionState.IDLE
        self.table.peer = replace(self.table.peer, admin_state=admin, state=state)
        if state is SessionState.IDLE:
            self.paths(0)

    def paths(self, count: int) -> None:
        """The peer has sent so many, and no more."""
        self.table.paths[V4].clear()
        for number in range(count):
            self.table.announce(V4, key(f"10.{number}.0.0/16"), candidate(ADDRESS).path)
        self.table.complete(V4, "End-of-RIB")
        self.limits.judge(ready=True)

    def turn(self, later: float = 0.0) -> None:
        self.now += later
        asyncio.run(self.teardown.turn())

    def limit(self, more: str) -> None:
        """A new configuration."""
        self.domain = domain(ADDRESS, more=more)
        self.domain.peers = {self.id: self.table}
        self.limits.assign(self.table, self.domain, ready=True)

    @property
    def step(self) -> Step | None:
        record = self.teardown.records.get(self.id)
        return record.step if record else None

    @property
    def orders(self) -> list[str]:
        return self.speaker.orders

    def notes(self) -> list[str]:
        return [str(row["cause"]) for row in reversed(self.journal.history("", 100))]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_within_its_limit_a_peer_is_left_alone(stage: Stage) -> None:
    stage.paths(2)
    stage.turn()
    assert (stage.orders, stage.step, list(stage.teardown.warnings())) == ([], None, [])


def test_beyond_its_limit_a_peer_is_shut_and_opened_when_its_time_has_come(stage: Stage) -> None:
    stage.paths(3)
    stage.turn()
    assert (stage.orders, stage.step) == (["shut"], Step.SHUT)
    assert stage.speaker.told == "bgpmon: 3 ipv4 paths, limit 2; opens in 300 s"
    assert stage.teardown.holds(stage.id)
    said = "shut by bgpmon: 3 ipv4 paths, limit 2; restart 1 at 1970-01-01 02:51:40Z"
    assert stage.teardown.reason(stage.id) == said
    assert list(stage.teardown.warnings()) == [f"peer {ADDRESS}: {said}"]
    stage.turn(RESTART - 1)
    assert stage.orders == ["shut"]
    stage.turn(1)
    assert (stage.orders, stage.step) == (["shut", "open"], Step.OPEN)
    assert not stage.teardown.holds(stage.id)
    assert (stage.teardown.reason(stage.id), list(stage.teardown.warnings())) == ("", [])


def test_after_the_last_attempt_it_stays_down_and_says_how_to_open_it(stage: Stage) -> None:
    for _ in range(3):
        stage.paths(3)
        stage.turn()
        stage.turn(RESTART)
    assert stage.orders == ["shut", "open", "shut", "open", "shut"]
    stage.turn(1_000_000)
    assert (stage.orders[-1], stage.step) == ("shut", Step.SHUT)
    (warning,) = stage.teardown.warnings()
    assert "stays down after 2 restarts" in warning
    assert f"`gobgp neighbor {ADDRESS} enable`" in warning
    assert stage.speaker.told.endswith("stays shut")


def test_attempts_are_counted_in_a_row(stage: Stage) -> None:
    stage.paths(3)
    stage.turn()
    stage.turn(RESTART)
    stage.paths(2)
    stage.turn(RESTART - 1)
    assert stage.step is Step.OPEN
    stage.turn(1)
    assert stage.step is None
    assert stage.journal.recall("teardown ") == {}
    stage.paths(3)
    stage.turn()
    assert stage.teardown.records[stage.id].restarts == 0


def test_a_table_that_is_not_complete_proves_nothing(stage: Stage) -> None:
    stage.paths(3)
    stage.turn()
    stage.turn(RESTART)
    stage.table.proof = {}
    stage.turn(10 * RESTART)
    assert stage.step is Step.OPEN
    stage.paths(1)
    stage.turn(RESTART - 1)
    assert stage.step is Step.OPEN
    stage.turn(1)
    assert stage.step is None


def test_no_attempts_means_never() -> None:
    stage = Stage("action: teardown, restart: 1s, attempts: 0")
    stage.paths(3)
    stage.turn()
    stage.turn(1_000_000)
    assert stage.orders == ["shut"]


@pytest.mark.parametrize("lives", [1, 2])
def test_another_life_goes_on_where_this_one_was(stage: Stage, lives: int) -> None:
    stage.paths(3)
    stage.turn()
    for _ in range(lives):
        stage.begin()
        stage.turn(10)
    assert (stage.orders, stage.step) == (["shut"], Step.SHUT)
    assert stage.teardown.holds(stage.id)
    stage.turn(RESTART)
    assert stage.orders == ["shut", "open"]
    stage.begin()
    assert stage.step is Step.OPEN
    stage.paths(3)
    stage.turn()
    assert stage.teardown.records[stage.id].restarts == 1, "what was tried is not forgotten"


@pytest.mark.parametrize(("order", "left"), [("shut", Step.SHUTTING), ("open", Step.OPENING)])
def test_an_order_that_was_only_decided_is_given_by_the_next_life(stage: Stage, order: str, left: Step) -> None:
    stage.paths(3)
    if order == "open":
        stage.turn()
        stage.now += RESTART
    stage.speaker.broken = "no answer"
    stage.turn()
    assert stage.step is left
    stage.speaker.broken = ""
    stage.begin()
    stage.turn(RETRY_SECONDS)
    assert stage.orders[-1] == order


def test_an_order_that_fails_is_told_and_tried_again(stage: Stage) -> None:
    stage.paths(3)
    stage.speaker.broken = "told to shut the session, but it is up"
    stage.turn()
    (warning,) = stage.teardown.warnings()
    assert "shutting, but told to shut the session, but it is up; it is tried again" in warning
    stage.turn(RETRY_SECONDS - 1)
    stage.speaker.broken = ""
    assert stage.orders == []
    stage.turn(RETRY_SECONDS)
    assert (stage.orders, stage.step) == (["shut"], Step.SHUT)


def test_while_the_speaker_is_lost_nothing_is_ordered(stage: Stage) -> None:
    stage.paths(3)
    stage.alive = 0.0
    stage.turn()
    assert (stage.orders, stage.step) == ([], Step.SHUTTING)
    stage.alive = 5.0
    stage.turn()
    assert stage.orders == ["shut"]


def test_what_somebody_else_opens_stays_open_and_within_its_limit(stage: Stage) -> None:
    stage.paths(3)
    stage.turn()
    stage.turn(1)
    stage.session(AdminState.UP)
    stage.turn(1)
    assert (stage.orders, stage.step) == (["shut"], Step.OPEN)
    stage.paths(3)
    stage.turn()
    assert stage.orders == ["shut", "shut"]


def test_a_list_from_before_our_order_does_not_count_as_somebody_else(stage: Stage) -> None:
    stage.paths(3)
    stage.turn()
    stage.session(AdminState.UP)
    steps = []
    for seconds in (UNSEEN_SECONDS - 1, 1):
        stage.turn(seconds)
        steps.append(stage.step)
    assert steps == [Step.SHUT, Step.OPEN]


@pytest.mark.parametrize(
    "more",
    ["", "peer_limit: {ipv4: {paths: 2, action: freeze}}", "peer_limit: {ipv4: {paths: 9, action: teardown}}"],
)
def test_a_limit_that_is_gone_softer_or_higher_opens_the_session_at_once(stage: Stage, more: str) -> None:
    stage.paths(3)
    stage.turn()
    stage.limit(more)
    stage.turn(1)
    assert stage.orders == ["shut", "open"]


def test_a_limit_that_stays_does_not_open_it(stage: Stage) -> None:
    stage.paths(3)
    stage.turn()
    stage.limit("peer_limit: {ipv4: {paths: 1, action: teardown}}")
    stage.turn(1)
    assert stage.orders == ["shut"]


def test_more_attempts_give_another_chance() -> None:
    stage = Stage("action: teardown, restart: 5m, attempts: 0")
    stage.paths(3)
    stage.turn()
    stage.limit("peer_limit: {ipv4: {paths: 2, action: teardown, restart: 5m, attempts: 1}}")
    stage.turn(1)
    assert stage.orders == ["shut"]
    stage.turn(RESTART)
    assert stage.orders == ["shut", "open"]


def test_dry_run_talks_and_does_nothing() -> None:
    stage = Stage(dry_run=True)
    stage.paths(3)
    stage.turn()
    assert (stage.orders, stage.step) == ([], None)
    said = "its session would be shut, but the mode is dry-run"
    assert list(stage.teardown.warnings()) == [f"peer {ADDRESS}: 3 ipv4 paths, limit 2: {said}"]


def test_dry_run_takes_back_what_was_only_decided(stage: Stage) -> None:
    stage.paths(3)
    stage.alive = 0.0
    stage.turn()
    stage.alive, stage.dry_run = 5.0, True
    stage.turn()
    assert (stage.orders, stage.step) == ([], None)


def test_a_peer_that_the_speaker_no_longer_has_is_forgotten(stage: Stage) -> None:
    stage.paths(3)
    stage.turn()
    stage.teardown._peers = {}
    stage.alive = GONE_SECONDS
    stage.turn(1)
    assert stage.step is Step.SHUT
    stage.alive += 1
    stage.turn(1)
    assert stage.step is None


def test_everything_that_is_done_stands_in_the_journal(stage: Stage) -> None:
    stage.paths(3)
    stage.turn()
    stage.turn(RESTART)
    stage.paths(1)
    stage.turn(RESTART)
    assert stage.notes() == [
        f"peer-limit: {ADDRESS}: shut by bgpmon: 3 ipv4 paths, limit 2; restart 1 at 1970-01-01 02:51:40Z",
        f"peer-limit: {ADDRESS}: opened again, restart 1",
        f"peer-limit: {ADDRESS}: within its limits again; restarts are counted anew",
    ]


async def test_the_supervisor_acts_as_soon_as_it_is_woken() -> None:
    stage = Stage()
    task = asyncio.create_task(stage.teardown.run())
    await asyncio.sleep(0)
    stage.paths(3)
    stage.teardown.wake()
    while not stage.orders:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stage.step is Step.SHUT
