"""One change in flight: from its first write until it is confirmed or taken back."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from monitor.change.probe import Verdict, Watch
from monitor.engine.text import moment, plural
from monitor.ports import Document
from programmer.approval import PlanState
from programmer.plan import Operation, Plan, RuleOperation
from programmer.reconciler import Applied, Reverted

MOST_NAMED = 100


@dataclass(slots=True)
class Progress:
    """What is kept of an application over a restart, and shown of it later.  Moments are seconds since the epoch.

    ``deadline`` is when an unconfirmed change is taken back, 0 where it stays without a word.  ``rules`` are the indexes of the
    policy rules of the plan that were to be written.
    """

    actor: str
    began: float
    deadline: float = 0.0
    most: float = 0.0
    applied: int = 0
    failed: int = 0
    stale: int = 0
    left_out: list[str] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)
    reverted: dict[str, Any] = field(default_factory=dict)
    log: list[tuple[float, str]] = field(default_factory=list)
    rules: list[int] = field(default_factory=list)
    break_glass: bool = False

    def text(self) -> str:
        """The values as JSON; the inverse is ``progress_of``."""
        return json.dumps(asdict(self))

    @property
    def ended(self) -> float:
        """When the last thing happened."""
        return self.log[-1][0] if self.log else self.began

    def say(self, at: float, text: str) -> None:
        """Add a line to what is told of this change."""
        self.log.append((at, text))

    def document(self) -> Document:
        """The values for people and programs, moments as RFC 3339."""
        document: Document = asdict(self)
        document |= {
            "began": moment(self.began),
            "deadline": moment(self.deadline) if self.deadline else None,
            "most": moment(self.most) if self.most else None,
            "log": [{"at": moment(at), "text": text} for at, text in self.log],
        }
        return document


def progress_of(text: str) -> Progress | None:
    """Return what ``Progress.text`` wrote; None for nothing."""
    if not text:
        return None
    values = json.loads(text)
    values["log"] = [(at, words) for at, words in values["log"]]
    return Progress(**values)


@dataclass(slots=True)
class Flight:
    """The change that is being applied, soaks, or is being taken back.

    ``deadline`` is in monotonic seconds.  ``written`` and ``rules`` are what was really written.
    """

    plan: Plan
    digest: str
    state: PlanState
    progress: Progress
    written: list[Operation] = field(default_factory=list)
    rules: list[RuleOperation] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)
    deadline: float = 0.0

    def take(self, applied: Applied) -> None:
        """Take over what came of applying."""
        self.written, self.rules = applied.written, applied.rules
        progress = self.progress
        progress.applied, progress.failed, progress.stale = applied.done, applied.failed, applied.stale
        named = [
            f"{item.prefix if isinstance(item, Operation) else item.rule.text}: {why}"
            for item, why in applied.left_out[:MOST_NAMED]
        ]
        named += [f"{item.prefix}: refused by the kernel" for item in applied.refused[:MOST_NAMED]]
        progress.left_out = named

    def failed_probes(self) -> list[str]:
        """Return what each failed probe says."""
        return [f"probe {watch.config.name}: {watch.text}" for watch in self.watches if watch.verdict is Verdict.FAILED]


def reverted_text(reverted: Reverted) -> str:
    """Return how a roll-back ended, in words."""
    done = f"{plural(reverted.done, 'operation')} taken back"
    if reverted.clean:
        return f"{done}; read back: everything is as it was before"
    wrong = "; ".join(reverted.left_alone[:5])
    more = f" and {len(reverted.left_alone) - 5} more" if len(reverted.left_alone) > 5 else ""
    failed = f"{reverted.failed} refused by the kernel; " if reverted.failed else ""
    return f"{done}; NOT everything is as it was: {failed}{wrong}{more}"
