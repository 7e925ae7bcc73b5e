"""Asking the daemon for long: over a restart of it, until something is settled."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from monitor.cli.session import say, settings
from monitor.errors import ApiError, DaemonUnreachable

if TYPE_CHECKING:
    from monitor.api.client import Client
    from monitor.ports import Document

PAUSE = 1.0
"""Seconds until a daemon that is away is asked again."""

POLL = 20.0
"""Seconds that one question for events waits: less than a call may take, and less than idle connections last."""

SETTLED = frozenset({"applied", "confirmed", "rolled-back", "rejected", "expired", "superseded", "failed"})
"""States of a plan that it does not leave by itself."""

_EVER = 4_102_444_800.0
"""A moment that no record is after (2100): asked for what is since then, the daemon says which record is the last."""

pause = time.sleep


class Patient:
    """A connection that is made again when the daemon was away.

    What fails at the first question fails; after that a daemon that is away is waited for, with a word on stderr.  Use it as
    a context manager, or call ``close``.
    """

    def __init__(self) -> None:
        self._folder = settings().daemon_dir
        self._client: Client | None = None
        self._reached = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def ask(self, question: "Callable[[Client], Document]") -> "Document":
        """Return the answer; raises what the daemon says, save that it is away."""
        from monitor.api.client import Client  # noqa: PLC0415 - what talks to no daemon does not pay for gRPC

        away = False
        while True:
            self._client = self._client or Client(self._folder)
            try:
                answer = question(self._client)
            except ApiError as error:
                if not self._reached or not _is_away(error):
                    raise
                # gRPC waits longer and longer before it connects again; a new connection does not.
                self.close()
                if not away:
                    say("bgpmon: the daemon is away; waiting for it to come back (Ctrl-C ends this)")
                away = True
                pause(PAUSE)
            else:
                if away:
                    say("bgpmon: the daemon is back")
                self._reached = True
                return answer


def _is_away(error: ApiError) -> bool:
    """Return whether nobody answered, or whoever was to answer was stopped meanwhile."""
    code = getattr(error.__cause__, "code", None)
    return isinstance(error, DaemonUnreachable) or (callable(code) and code().name == "CANCELLED")


def last_record(client: "Client") -> int:
    """Return the number of the newest record of the journal."""
    return number_of_last(client.events(since=_EVER, limit=1), 0)


def number_of_last(document: "Document", otherwise: int) -> int:
    """Return the number of the newest record that an answer is about; *otherwise* where it does not say."""
    last = document.get("last")
    return last if isinstance(last, int) else otherwise


def next_events(patient: Patient, after: int, limit: int | None = None) -> "tuple[Document, int]":
    """Wait for records after *after*, at most ``POLL`` seconds; returns the document and the newest number in it."""
    document = patient.ask(lambda client: client.events(after=after, limit=limit, wait=POLL))
    return document, number_of_last(document, after)


def settled(digest: str, answer: "Document") -> "Document":
    """Wait until a plan is applied for good, confirmed, taken back or refused, and say on stderr how it fares.

    Returns *answer*, what was said of the plan at first, brought up to date.
    """
    with Patient() as patient:
        while answer.get("state") not in SETTLED:
            last = number_of_last(patient.ask(lambda client: client.events(since=_EVER, limit=1)), 0)
            fresh = _updated(answer, patient.ask(lambda client: client.plan(digest)))
            if fresh.get("state") != answer.get("state"):
                detail = f": {fresh['detail']}" if fresh.get("detail") else ""
                say(f"bgpmon: plan {fresh.get('number')} {fresh.get('state')}{detail}")
            answer = fresh
            if answer.get("state") not in SETTLED:
                next_events(patient, last, 1)
                pause(PAUSE)
    return answer


def _updated(answer: "Document", plan: "Document") -> "Document":
    """Return what came of a decision, with what the plan says now."""
    found = answer | {key: plan[key] for key in ("number", "state", "detail") if key in plan}
    given = plan.get("approvals")
    if isinstance(given, dict):
        found["approvals"] = {key: given.get(key) for key in ("have", "need", "enough", "missing")}
    progress = plan.get("progress")
    if isinstance(progress, dict):
        keys = ("applied", "failed", "stale", "left_out", "deadline", "reverted")
        found |= {key: progress.get(key) for key in keys}
    if found.get("state") not in {"approved", "queued"}:
        found.pop("waits_for", None)
    return found
