"""Approval rules: which changes go ahead by themselves, which need how many people, which are refused.

The first rule whose filter matches an operation decides.  The standard rules stand here in the same form as a
configuration's own, so that anybody can start from them.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.filter import Query, parse


class RuleAction(enum.StrEnum):
    """What a rule says."""

    AUTO = "auto"
    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """One rule.

    ``action`` AUTO: no person is asked, at most ``per_minute`` times a minute (0: any number), and with ``in_window`` only
    while a window is open; outside it is as APPROVE.  APPROVE: ``approve`` different people must agree, of whom ``groups``
    says how many must be of which group; a ``ticket`` pattern must match the ticket of every approval.  DENY: only a
    break-glass approval releases it.  ``risk`` replaces the risk that the class has.  ``number`` counts from 1, ``line`` is
    where the rule stands in the file, 0 for a standard rule.
    """

    number: int
    name: str
    match: Query
    action: RuleAction
    approve: int = 1
    groups: tuple[tuple[str, int], ...] = ()
    ticket: str = ""
    risk: str = ""
    per_minute: int = 0
    in_window: bool = False
    line: int = field(default=0, compare=False)

    @property
    def people(self) -> int:
        """How many people must agree when somebody must."""
        return max(self.approve, sum(count for _, count in self.groups))

    @property
    def text(self) -> str:
        """The rule in one line: ``class=delete: approve 1``."""
        words = [self.action.value if self.action is not RuleAction.APPROVE else f"approve {self.people}"]
        if self.groups:
            words.append("of " + ", ".join(f"{name} {count}" for name, count in self.groups))
        if self.per_minute:
            words.append(f"at most {self.per_minute:,} a minute")
        if self.in_window:
            words.append(f"inside a window, outside it approve {self.people}")
        if self.ticket:
            words.append(f"ticket {self.ticket}")
        if self.risk:
            words.append(f"risk {self.risk}")
        return f"{self.match}: {', '.join(words)}"


class _Standard(NamedTuple):
    match: str
    action: RuleAction
    approve: int = 1
    per_minute: int = 0
    in_window: bool = False


_STANDARD: Mapping[str, _Standard] = {
    "protect-node": _Standard("class=protect-node", RuleAction.DENY),
    "default-route": _Standard("class=default-route", RuleAction.APPROVE, 2),
    "monitored": _Standard("class=monitored", RuleAction.APPROVE, 2),
    "dead-next-hop": _Standard("class=dead-next-hop", RuleAction.AUTO, per_minute=1000),
    "withdraw-with-cover": _Standard("class=withdraw-with-cover", RuleAction.AUTO),
    "restore": _Standard("class=restore", RuleAction.AUTO),
    "mass-delete": _Standard("class=mass-delete", RuleAction.APPROVE, 2),
    "delete": _Standard("class=delete", RuleAction.APPROVE),
    "nh-move": _Standard("class=nh-move", RuleAction.APPROVE),
    "ecmp-narrow": _Standard("class=ecmp-narrow", RuleAction.APPROVE),
    "add-small": _Standard("class=add-small", RuleAction.AUTO, in_window=True),
    "rest": _Standard("*", RuleAction.APPROVE),
}


def standard_rules(most_people: int) -> tuple[ApprovalRule, ...]:
    """Return the rules that hold where a configuration gives none, in mode approve.

    None of them asks for more people than can prove who they are: *most_people*, and one where nobody can.
    """
    return tuple(
        ApprovalRule(
            number=number,
            name=name,
            match=parse(rule.match),
            action=rule.action,
            approve=min(rule.approve, max(most_people, 1)),
            per_minute=rule.per_minute,
            in_window=rule.in_window,
        )
        for number, (name, rule) in enumerate(_STANDARD.items(), 1)
    )


def ticket_matches(pattern: str, ticket: str) -> bool:
    """Say whether a whole ticket matches a pattern; without a pattern any does, none too."""
    return not pattern or re.fullmatch(pattern.removeprefix("^").removesuffix("$"), ticket) is not None
