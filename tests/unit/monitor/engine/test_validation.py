"""RPKI states: asked for when they are missing, asked for again when ROAs change, and never guessed."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence

import pytest

from monitor.engine import validation as module
from monitor.engine.validation import BATCH, FIRST_RETRY, PATIENCE, PATIENCE_SECONDS, POLL, OriginStates
from monitor.engine.view import View
from monitor.errors import SourceUnavailable
from monitor.ports import OriginValidation
from monitor.rib.attribute import Rpki
from monitor.rib.path import Path
from monitor.rib.validation import RoaState, States
from programmer.route import Family, PrefixKey
from tests.unit.monitor.rib.build import candidate, key

V4, V6 = Family.IPV4, Family.IPV6
NET, OTHER = key("10.8.0.0/16"), key("10.9.0.0/16")


class Oracle:
    """A speaker: says of each prefix what ``said`` has, by origin; ``broken`` is raised in place of any answer."""

    def __init__(self) -> None:
        self.said: dict[PrefixKey, dict[int, Rpki]] = {}
        self.roas = RoaState(synced=True, version=(1,), text="a cache is up, 2 ROAs")
        self.broken = ""
        self.asked: list[tuple[PrefixKey, ...]] = []
        self.polls = 0

    async def roa_state(self) -> RoaState:
        self.polls += 1
        if self.broken:
            raise SourceUnavailable(self.broken)
        return self.roas

    async def validate(self, family: Family, keys: Sequence[PrefixKey], state: RoaState) -> dict[PrefixKey, States]:
        if self.broken:
            raise SourceUnavailable(self.broken)
        assert state == self.roas
        self.asked.append(tuple(keys))
        return {one: tuple(self.said[one].items()) for one in keys if one in self.said}


class Stage:
    """States of one oracle, a clock that only the test moves, and what was told to be chosen anew."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.now = 1000.0
        self.changed: Counter[tuple[Family, PrefixKey]] = Counter()
        self.needed: set[PrefixKey] = {NET, OTHER}
        assert isinstance(self.oracle, OriginValidation)
        self.states = OriginStates(self.oracle, self._change, lambda _, one: one in self.needed, lambda: self.now)
        self.states.use(wanted=True)

    def _change(self, family: Family, keys: Collection[PrefixKey]) -> None:
        self.changed.update((family, one) for one in keys)

    def turns(self, count: int = 1) -> None:
        async def work() -> None:
            for _ in range(count):
                await self.states.turn()

        asyncio.run(work())

    def waits(self, *paths: Path, of: PrefixKey = NET) -> bool:
        return self.states.waits(V4, of, [self.states.stamped(V4, of, path) for path in paths])

    def state(self, path: Path, of: PrefixKey = NET) -> Rpki:
        return self.states.stamped(V4, of, path).rpki


@pytest.fixture
def stage() -> Stage:
    return Stage()


def path(*asns: int) -> Path:
    return candidate(asns=asns).path


def test_a_state_is_asked_for_once_and_then_known_for_every_path_of_that_origin(stage: Stage) -> None:
    stage.oracle.said[NET] = {64500: Rpki.VALID}
    assert stage.state(path(65001, 64500)) is Rpki.NONE
    assert stage.waits(path(65001, 64500))
    stage.turns()
    assert stage.oracle.asked == [(NET,)]
    assert stage.changed == {(V4, NET): 1}
    assert stage.state(path(65001, 64500)) is Rpki.VALID
    assert stage.state(path(65002, 65003, 64500)) is Rpki.VALID
    assert not stage.waits(path(65001, 64500), path(65002, 64500))
    assert stage.states.unresolved(V4) == 0
    stage.now += POLL
    stage.turns(3)
    assert len(stage.oracle.asked) == 1, "nothing is asked again while the ROAs stay as they are"


def test_another_origin_is_asked_for_anew(stage: Stage) -> None:
    stage.oracle.said[NET] = {64500: Rpki.VALID}
    stage.waits(path(64500))
    stage.turns()
    assert not stage.waits(path(64500))
    assert stage.waits(path(64501))
    stage.oracle.said[NET] = {64501: Rpki.INVALID}
    stage.turns()
    assert stage.state(path(64501)) is Rpki.INVALID
    assert not stage.waits(path(64501))


def test_a_change_of_roas_asks_for_everything_again(stage: Stage) -> None:
    stage.oracle.said = {NET: {64500: Rpki.VALID}, OTHER: {64500: Rpki.INVALID}}
    for one in (NET, OTHER):
        stage.waits(path(64500), of=one)
    stage.turns()
    for one in (NET, OTHER):
        assert not stage.waits(path(64500), of=one)
    stage.changed.clear()
    stage.oracle.said[NET] = {64500: Rpki.NOT_FOUND}
    stage.oracle.roas = stage.oracle.roas._replace(version=(2,))
    stage.now += POLL
    stage.turns()
    assert stage.state(path(64500)) is Rpki.NOT_FOUND
    assert stage.changed == {(V4, NET): 1}, "what stays as it was is not chosen anew"


def test_without_roas_nothing_is_asked_and_what_is_known_stays(stage: Stage) -> None:
    stage.oracle.said[NET] = {64500: Rpki.VALID}
    stage.waits(path(64500))
    stage.turns()
    assert not stage.waits(path(64500))
    stage.oracle.roas = RoaState(synced=False, version=(9,), text="a cache is down, 0 ROAs")
    stage.oracle.said[NET] = {64500: Rpki.NOT_FOUND}
    stage.now += POLL
    stage.turns(3)
    assert stage.state(path(64500)) is Rpki.VALID
    assert stage.waits(path(64501), of=OTHER)
    stage.now += PATIENCE_SECONDS
    stage.turns()
    assert stage.changed[V4, OTHER] == 1, "it is chosen without an answer in the end"
    assert not stage.waits(path(64501), of=OTHER)
    assert stage.state(path(64501), of=OTHER) is Rpki.NONE
    assert len(stage.oracle.asked) == 1
    assert list(stage.states.warnings()) == [
        "RPKI states are not known: a cache is down, 0 ROAs; what is known stays, 1 prefixes wait"
    ]
    stage.oracle.roas = RoaState(synced=True, version=(10,), text="a cache is up, 2 ROAs")
    stage.oracle.said[OTHER] = {64501: Rpki.VALID}
    stage.now += POLL
    stage.turns(3)
    assert stage.state(path(64501), of=OTHER) is Rpki.VALID
    assert stage.state(path(64500)) is Rpki.NOT_FOUND, "a change of ROAs, so all is asked again"
    assert not list(stage.states.warnings())


def test_what_the_speaker_does_not_say_is_denied_after_a_while_and_asked_for_again(stage: Stage) -> None:
    assert stage.waits(path(64500))
    pauses = [0.0, *(FIRST_RETRY * 2**number for number in range(PATIENCE))]
    for number, pause in enumerate(pauses):
        stage.now += pause
        stage.turns()
        if number < PATIENCE - 1:
            assert stage.waits(path(64500)), f"after {number + 1} answers in vain"
    assert not stage.waits(path(64500))
    assert any("does not say the RPKI state of 1 prefixes" in words for words in stage.states.warnings())
    asked = len(stage.oracle.asked)
    stage.oracle.said[NET] = {64500: Rpki.VALID}
    stage.now += POLL
    stage.turns(2)
    assert len(stage.oracle.asked) == asked + 1
    assert stage.state(path(64500)) is Rpki.VALID


def test_an_answer_that_does_not_come_is_asked_for_again(stage: Stage) -> None:
    stage.turns()
    assert stage.waits(path(64500))
    stage.oracle.broken = "fabric: not connected"
    stage.turns()
    assert not stage.states.roas.synced
    assert stage.waits(path(64500))
    stage.oracle.broken, stage.oracle.said[NET] = "", {64500: Rpki.VALID}
    stage.now += POLL
    stage.turns(2)
    assert stage.state(path(64500)) is Rpki.VALID


def test_a_new_feed_asks_for_the_caches_before_anything_else(stage: Stage) -> None:
    stage.turns()
    assert stage.oracle.polls == 1
    stage.states.begin()
    assert not stage.states.roas.synced
    stage.oracle.roas = RoaState(synced=False, version=(), text="0 ROAs")
    assert stage.waits(path(64500))
    stage.turns()
    assert (stage.oracle.polls, stage.oracle.asked) == (2, [])


def test_many_prefixes_are_asked_for_in_batches_and_only_while_they_are_needed(stage: Stage) -> None:
    keys = [key(f"10.{number >> 8}.{number & 255}.0/24") for number in range(BATCH + 50)]
    stage.needed = set(keys[:-10])
    for one in keys:
        assert stage.waits(path(64500), of=one)
    stage.turns(3)
    assert sorted(map(len, stage.oracle.asked)) == [40, BATCH]
    assert stage.states.unresolved(V4) == BATCH + 40
    assert not set(keys[-10:]) & {one for batch in stage.oracle.asked for one in batch}


def test_what_nobody_needs_any_more_is_forgotten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPARE", 0)
    stage.oracle.said = {NET: {64500: Rpki.VALID}, OTHER: {64500: Rpki.VALID}}
    for one in (NET, OTHER):
        stage.waits(path(64500), of=one)
    stage.turns()
    stage.needed = {NET}
    stage.now += POLL
    stage.turns(2)
    assert stage.state(path(64500), of=OTHER) is Rpki.NONE
    assert stage.state(path(64500)) is Rpki.VALID


async def test_nothing_is_asked_of_a_speaker_whose_domains_do_not_ask() -> None:
    stage = Stage()
    stage.states.use(wanted=False)
    stage.oracle.said[NET] = {64500: Rpki.VALID}
    task = asyncio.create_task(stage.states.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert stage.oracle.polls == 0
    stage.states.use(wanted=True)
    stage.waits(path(64500))
    while stage.state(path(64500)) is Rpki.NONE:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stage.oracle.polls == 1


def test_a_view_stamps_what_it_lets_through(stage: Stage) -> None:
    stage.oracle.said[NET] = {64500: Rpki.VALID}
    stage.waits(path(64500))
    stage.turns()
    one, two = path(64500), candidate(asns=(64501,), path_id=2).path
    view = View(V4, {NET: one, OTHER: (one, two)}, None, stage.states)
    assert view.get(NET) == one._replace(rpki=Rpki.VALID)
    assert view.get(OTHER) == (one, two)
    assert view.get(key("10.10.0.0/16")) is None
    assert View(V4, {NET: one, OTHER: (one, two)}, {OTHER}, None).get(NET) is None
    assert View(V4, {NET: one, OTHER: (one, two)}, {OTHER}, None).get(OTHER) == (one, two)
