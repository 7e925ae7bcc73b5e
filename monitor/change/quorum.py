"""How many people must agree to a plan, and whether they have."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from programmer.approval import Decision

LOCAL = "local"
"""The method of an identity that only the socket vouches for."""

SIGNED = "ssh-signature"
"""The method of an identity that a key proves."""

BREAK_GLASS = "break-glass"
"""The method of an approval that asks nobody else."""


@dataclass(slots=True)
class Requirement:
    """What all operations of a plan ask for together.

    ``people`` is a number of different people, ``groups`` how many of them must be of which group, ``tickets`` patterns that
    the ticket of every approval must match, ``denied`` the number of operations that only break-glass releases.
    """

    people: int = 0
    groups: dict[str, int] = field(default_factory=dict)
    tickets: list[str] = field(default_factory=list)
    denied: int = 0

    def take(self, decision: Decision) -> None:
        """Add what one operation asks for."""
        self.people = max(self.people, decision.approvals)
        self.denied += decision.denied
        for name, count in decision.groups:
            self.groups[name] = max(self.groups.get(name, 0), count)
        if decision.ticket and decision.ticket not in self.tickets:
            self.tickets.append(decision.ticket)

    @property
    def needed(self) -> int:
        """How many people: a plan is never released by nobody."""
        return max(1, self.people, sum(self.groups.values()))

    def document(self) -> dict[str, Any]:
        """The values for JSON; the inverse is ``requirement_of``."""
        return {"people": self.needed, "groups": self.groups, "tickets": self.tickets, "denied": self.denied}


def requirement_of(document: Mapping[str, Any]) -> Requirement:
    """Return what ``Requirement.document`` wrote."""
    return Requirement(
        int(document["people"]), dict(document["groups"]), list(document["tickets"]), int(document["denied"])
    )


class Voice(NamedTuple):
    """One approval: who, how that is known, and when it ends to count (seconds since the epoch)."""

    principal: str
    method: str
    expires: float


class Standing(NamedTuple):
    """How far the approvals of a plan reach.  ``missing`` says in words what is still asked for."""

    have: int
    need: int
    enough: bool
    missing: str


@dataclass(frozen=True, slots=True)
class Quorum:
    """Who counts.  ``groups`` have their members by name."""

    groups: Mapping[str, AbstractSet[str]]
    allow_local: bool = True
    self_approve: bool = True

    def standing(self, wanted: Requirement, voices: Iterable[Voice], author: str, now: float) -> Standing:
        """Return how far *voices* reach at a moment; *author* is who froze the plan."""
        counted = [
            voice for voice in voices if now < voice.expires and (self.self_approve or voice.principal != author)
        ]
        if any(voice.method == BREAK_GLASS for voice in counted):
            return Standing(1, 1, enough=True, missing="")
        people = {voice.principal for voice in counted if voice.method == SIGNED}
        need = wanted.needed
        # A local identity is whoever may open the socket: it can stand for one person, and never for a second one.
        # Nor can it show that it is not the one who froze the plan.
        local = self.allow_local and self.self_approve and need == 1 and not wanted.groups
        have = len(people) or int(local and any(voice.method == LOCAL for voice in counted))
        missing: list[str] = []
        if wanted.denied:
            missing.append("a rule denies it; only --break-glass releases it")
        if have < need:
            proof = "" if local else " with an SSH signature"
            missing.append(f"{need - have} more {'person' if need - have == 1 else 'people'}{proof}")
        slots = [name for name, count in sorted(wanted.groups.items()) for _ in range(count)]
        open_slots = _unfilled(slots, sorted(people), self.groups)
        missing += [f"one of {name}" for name in open_slots]
        return Standing(have, need, not missing, "; ".join(missing))


def _unfilled(slots: Sequence[str], people: Sequence[str], groups: Mapping[str, AbstractSet[str]]) -> list[str]:
    """Return the slots that stay empty when each person fills one at most: a maximum matching by augmenting paths."""
    holder: dict[str, int] = {}

    def place(slot: int, tried: set[str]) -> bool:
        for person in people:
            if person in groups.get(slots[slot], ()) and person not in tried:
                tried.add(person)
                if person not in holder or place(holder[person], tried):
                    holder[person] = slot
                    return True
        return False

    return [name for index, name in enumerate(slots) if not place(index, set())]
