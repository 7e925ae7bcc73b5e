"""Holds, which keep prefixes out of plans for a time, and the pause, which keeps everything out of the kernel."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from monitor.engine.core import Engine
from monitor.engine.rules import OperationRow
from monitor.engine.text import moment
from monitor.errors import BadRequest, Refused
from monitor.filter import parse
from monitor.ports import Document
from programmer.journal import Journal
from programmer.plan import Operation
from programmer.reconciler import TableState

_HOLD = "hold:"
_PAUSE = "pause"

LONGEST_HOLD = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Operations that ``filter`` matches wait until ``until``, in seconds since the epoch."""

    id: int
    filter: str
    until: float
    since: float
    reason: str
    actor: str

    def document(self) -> Document:
        """``{id, filter, since, until, reason, actor}``."""
        return asdict(self) | {"since": moment(self.since), "until": moment(self.until)}


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is written since ``since``."""

    since: float
    reason: str
    actor: str

    @property
    def text(self) -> str:
        """As faces show it."""
        return f"since {moment(self.since)} by {self.actor}: {self.reason}"

    def document(self) -> Document:
        """``{since, reason, actor}``."""
        return asdict(self) | {"since": moment(self.since)}


class Restraints:
    """The holds and the pause of one node; both outlast a restart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._journal: Journal = engine.journal
        self.holds: dict[int, Hold] = {}
        self.pause: Pause | None = None
        for text in self._journal.recall(_HOLD).values():
            hold = Hold(**json.loads(text))
            self.holds[hold.id] = hold
        for text in self._journal.recall(_PAUSE).values():
            self.pause = Pause(**json.loads(text))
        self._apply()

    def _apply(self) -> None:
        reconciler = self._engine.reconciler
        self._queries = {hold.id: parse(hold.filter) for hold in self.holds.values()}
        reconciler.held = self._held if self.holds else None
        reconciler.paused = self.pause.text if self.pause else ""
        reconciler.judge_again()

    def _held(self, state: TableState, operation: Operation) -> str:
        decision = self._engine.reconciler.decide(state, operation)
        row = OperationRow(self._engine, state, operation, decision.category, decision.risk)
        now = self._engine.reconciler.wall()
        for number, query in self._queries.items():
            if now < self.holds[number].until and query.matches(row, now):
                return str(number)
        return ""

    def forget(self) -> None:
        """Drop what the filters remember of attribute sets."""
        for query in self._queries.values():
            query.forget()

    def hold(self, filter_text: str, seconds: float, reason: str, actor: str, now: float) -> Hold:
        """Keep what a filter matches out of plans.  Raises FilterError, BadRequest, Refused."""
        parse(filter_text)
        if not filter_text.strip():
            raise BadRequest("a hold needs a filter; `*` holds everything, `bgpmon pause` stops all writing")
        if not reason.strip():
            raise Refused("a hold needs a reason: --reason WORDS")
        if not 1 <= seconds <= LONGEST_HOLD:
            raise BadRequest("a hold is for 1s to 30d: --for 2h")
        number = max([*self.holds, *self._numbers()], default=0) + 1
        hold = Hold(number, filter_text, now + seconds, now, reason, actor)
        self._journal.remember(f"{_HOLD}{number}", json.dumps(asdict(hold)))
        self._journal.remember("last:hold", str(number))
        self._journal.note(
            "hold", f"hold {number} until {moment(hold.until)}: {filter_text}: {reason}", at=now, actor=actor
        )
        self.holds[number] = hold
        self._apply()
        return hold

    def _numbers(self) -> list[int]:
        return [int(text) for text in self._journal.recall("last:hold").values()]

    def release(self, number: int, actor: str, now: float) -> Hold:
        """End a hold.  Raises BadRequest for one that is not there."""
        if number not in self.holds:
            known = ", ".join(map(str, self.holds)) or "none"
            raise BadRequest(f"there is no hold {number}; there are: {known}")
        hold = self.holds.pop(number)
        self._journal.remember(f"{_HOLD}{number}", None)
        self._journal.note("release", f"hold {number}: {hold.filter}", at=now, actor=actor)
        self._apply()
        return hold

    def expire(self, now: float) -> None:
        """End the holds whose time is over."""
        over = [hold for hold in self.holds.values() if now >= hold.until]
        for hold in over:
            del self.holds[hold.id]
            self._engine.reconciler.jot("release", f"hold {hold.id} ended by itself: {hold.filter}")
            self._journal.remember(f"{_HOLD}{hold.id}", None)
        if over:
            self._apply()

    def stop(self, reason: str, actor: str, now: float) -> Pause:
        """Let nothing be written from now on."""
        if not reason.strip():
            raise Refused("a pause needs a reason: --reason WORDS")
        if self.pause is not None:
            raise Refused(f"writing is paused already, {self.pause.text}")
        pause = Pause(now, reason, actor)
        self._journal.remember(_PAUSE, json.dumps(asdict(pause)))
        self._journal.note("pause", reason, at=now, actor=actor)
        self.pause = pause
        self._apply()
        return pause

    def resume(self, actor: str, now: float) -> Pause:
        """Let things be written again."""
        if self.pause is None:
            raise Refused("writing is not paused")
        pause, self.pause = self.pause, None
        self._journal.remember(_PAUSE, None)
        self._journal.note("resume", f"paused {pause.text}", at=now, actor=actor)
        self._apply()
        return pause

    def documents(self) -> list[dict[str, Any]]:
        """The holds, by number."""
        return [self.holds[number].document() for number in sorted(self.holds)]
