"""The outage of the story as its client saw it, held against what the journal says about the change."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from lab.machine import LabError


class Call(NamedTuple):
    """One connection of the client: when it began and ended (seconds since the epoch), and ``ok`` or why not."""

    began: float
    ended: float
    words: str

    @property
    def ok(self) -> bool:
        """Whether it stood."""
        return self.words == "ok"


class Change(NamedTuple):
    """When a plan was written and taken back again, in seconds since the epoch.

    It was in force from ``applied`` until ``taken_back``; it may have been since ``began``, and until ``over``.
    """

    began: float
    applied: float
    taken_back: float
    over: float


class Outage(NamedTuple):
    """When the first connection failed and the last one had failed, how many did, and of how many."""

    first: float
    last: float
    failed: int
    calls: int


def read_calls(text: str) -> list[Call]:
    """Return what `lab.shop` noted, in order."""
    lines = (line.split(" ", 2) for line in text.splitlines())
    return [Call(float(began), float(ended), words) for began, ended, words in lines]


def change_of(exported: Iterable[str], digest: str) -> Change:
    """Return when the plan of *digest* was written and taken back, from the lines of an exported journal.

    LabError if it was not.
    """
    at: dict[str, float] = {}
    for line in exported:
        record = json.loads(line)
        if record["kind"] == "plan-state" and record["plan"].startswith(digest.replace("-", "")):
            at[json.loads(record["body"])["state"]] = record["at"]
    states = ("applying", "soaking", "rolling-back", "rolled-back")
    if missing := [state for state in states if state not in at]:
        raise LabError(f"the journal does not say that plan {digest} was {missing[0]}")
    return Change(*(at[state] for state in states))


def outage(calls: list[Call], change: Change) -> Outage:
    """Return the one time in which no connection stood.  LabError unless that is when the change was in force."""
    failed = [number for number, call in enumerate(calls) if not call.ok]
    if not failed:
        raise LabError("the client reached the shop all the time")
    first, last = calls[failed[0]], calls[failed[-1]]
    for call in calls[failed[0] : failed[-1]]:
        if call.ok:
            raise LabError(f"the client reached the shop at {precise(call.began)}, in the middle of the outage")
    if first.ended < change.began or last.began > change.over:
        times = f"from {precise(first.began)} to {precise(last.ended)}"
        raise LabError(
            f"connections failed {times}, and the change was there from {precise(change.began)} to {precise(change.over)}"
        )
    for call in calls:
        if call.ok and change.applied < call.began and call.ended < change.taken_back:
            raise LabError(f"the client reached the shop at {precise(call.began)}, while the bad route was in force")
    return Outage(first.began, last.ended, len(failed), len(calls))


def precise(seconds: float) -> str:
    """The time of day of a moment (seconds since the epoch) in UTC, with hundredths."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")[:11] + "Z"
