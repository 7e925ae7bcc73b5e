"""What became of a prefix in one sentence: what, why, and what to do where there is something to do."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from monitor.config import Mode
from monitor.engine.condition import leads
from monitor.engine.core import Engine
from monitor.engine.domain import DomainTable
from monitor.engine.peer import PeerTable
from monitor.engine.rows import rule_label
from monitor.engine.text import clock, forwarding_text, plural, protocol_text, seconds_text
from monitor.engine.waiting import waiting_reason
from monitor.rib.domain import DomainCandidate, Selection
from monitor.rib.path import Path
from monitor.rib.protect import ALWAYS_PROTECTED, ProtectedSet, live_protected
from monitor.rib.reason import Reason
from programmer.reconciler import TableState
from programmer.route import Family, NextHop, Prefix, PrefixKey


@dataclass(frozen=True, slots=True)
class Finding:
    """Everything that is known of one prefix in one domain now.

    ``reason`` is why the domain's best path, or the first that is refused, is or is not in the kernel; None where no path
    of the domain's peers is known.  ``order`` has the places of the candidates: those that compete, best first, then those
    that are refused.  ``rejected`` are paths that the speaker refuses.
    """

    engine: Engine
    domain: DomainTable
    state: TableState
    prefix: str
    family: Family
    key: PrefixKey
    candidates: list[DomainCandidate]
    selection: Selection
    order: tuple[int, ...]
    rejected: list[Path]
    reason: Reason | None

    @property
    def table(self) -> int:
        """The domain's kernel table."""
        return self.domain.config.table

    @property
    def path(self) -> Path | None:
        """The path that the sentence is about: the best one, else the one that got farthest."""
        if self.candidates:
            return self.candidates[self.order[0] if self.order else 0].candidate.path
        return self.rejected[0] if self.rejected else None

    @property
    def peer(self) -> str:
        """The address of that path's peer."""
        return self.path.peer.address if self.path else "its peer"

    @property
    def teller(self) -> PeerTable | None:
        """That peer."""
        return self.engine.peers.get(self.path.peer) if self.path else None

    @property
    def rule(self) -> str:
        """The import rule that decided on that path, or an empty text."""
        return rule_label(self.domain, self.selection.verdicts[self.order[0]].rule) if self.order else ""

    @property
    def next_hop(self) -> str:
        """The next hop of that path."""
        hop = NextHop(self.path.attributes.next_hop, 0).address if self.path else None
        return str(hop) if hop else "none"

    @property
    def interfaces(self) -> str:
        """The domain's interfaces."""
        return ", ".join(self.domain.config.interfaces) or "none"


def sentence(found: Finding) -> str:
    """Return the sentence."""
    links = found.engine.reconciler.links
    current, wanted = found.state.current(found.key), found.state.desired.get(found.key)
    where = f"table {found.table} for domain {found.domain.name}"
    if found.reason is Reason.INSTALLED:
        said = f"{found.prefix} is in {where}, {forwarding_text(links, current)}"
    elif current is None:
        said = f"{found.prefix} is not installed in {where}"
    elif found.reason is Reason.DOMAIN_CONFLICT:
        said = f"{found.prefix} of domain {found.domain.name} is not what is in table {found.table}"
    elif wanted is not None and wanted != current:
        said = f"{found.prefix} is in {where}, {forwarding_text(links, current)}, to become {forwarding_text(links, wanted)}"
    else:
        said = f"{found.prefix} is still in {where}, {forwarding_text(links, current)}"
    why = _WHY[found.reason](found) if found.reason in _WHY else found.reason.text if found.reason else _gone(found)
    advice = _ADVICE.get(found.reason, "").format(found=found) if found.reason else ""
    if found.reason is not None and current is not None and wanted is None:
        advice = _removal(found)
    if found.reason is Reason.INSTALLED and not leads(found.engine, found.domain.config.table, found.family):
        advice = f"but no rule leads to table {found.table}, so no traffic uses it: see `bgpmon doctor`"
    elif found.reason is Reason.INSTALLED:
        advice = _outranked(found)
    return f"{said}: {why}; {advice}" if advice else f"{said}: {why}"


def _outranked(found: Finding) -> str:
    """A route of another program at a lower metric, which the kernel prefers; an empty text where there is none."""
    current = found.state.current(found.key)
    for (key, metric), other in found.state.image.foreign.items():
        if key == found.key and current is not None and metric < current.metric:
            whose = protocol_text(other.protocol)
            return f"but a route of another program ({whose}) at metric {metric} has its traffic"
    return ""


def _gone(found: Finding) -> str:
    """No path is known: what becomes of the route that is there, or that none is."""
    if found.state.current(found.key) is None:
        return f"no peer of domain {found.domain.name} announces it"
    return f"no peer of domain {found.domain.name} announces it any more; {_removal(found)}"


def _removal(found: Finding) -> str:
    state, engine = found.state, found.engine
    if not state.removals_allowed:
        return "it stays until everything that BGP has to say is known: see `bgpmon status`"
    if engine.config.mode is Mode.DRY_RUN:
        return "it stays, because the mode is dry-run"
    waits = waiting_reason(engine, state, found.key)
    if waits is Reason.WAITS_FOR_APPROVAL:
        return "its removal waits for a person: `bgpmon plan freeze`, then `bgpmon approve DIGEST`"
    if waits in _HELD_BACK:
        return f"its removal waits: {_HELD_BACK[waits](found)}; {_ADVICE[waits]}"
    left = state.guard.wait(engine.reconciler.monotonic())
    if left is not None:
        held = plural(len(state.difference.remove), "removal")
        return f"the removal budget holds {held} for {seconds_text(left)} more"
    return "it is about to be removed"


def _installed(found: Finding) -> str:
    teller, path = found.teller, found.path
    stale = ""
    if path is not None and teller is not None and teller.stale_since is not None:
        end = time.time() + teller.stale_since + found.domain.config.stale_after - time.monotonic()
        stale = f", stale because {found.peer} restarts, kept until {clock(end)} at most"
    return f"{_choice(found)}, read back from the kernel{stale}"


def _choice(found: Finding) -> str:
    """How the best path was chosen."""
    verdicts = found.selection.verdicts
    total = sum(verdict.reason is None or verdict.step is not None for verdict in verdicts)
    if total < 2:
        return f"the path of {found.peer}"
    used = sum(verdict.reason is None for verdict in verdicts)
    if used > 1:
        return f"{used} equal paths of {total}"
    step = verdicts[found.order[1]].step
    return f"the path of {found.peer}, the best of {total}" + (f" by {step.label} ({step.text})" if step else "")


def _protected(found: Finding) -> str:
    engine = found.engine
    links, configured = engine.reconciler.links, engine.config.protect
    peers = [table.address for table in engine.peers.values() if table.address is not None]

    def inside(prefixes: "list[Prefix] | tuple[Prefix, ...]") -> Prefix | None:
        return ProtectedSet(prefixes).covering(found.family, found.key)

    if hit := inside(configured):
        return f"it lies in {hit}, which the configuration's `protect` keeps for the node"
    if hit := inside(ALWAYS_PROTECTED):
        return f"it lies in {hit}, which no router may take over"
    if hit := inside(live_protected(links, peers, (), ())):
        what = (
            "an address that the node needs"
            if hit.prefixlen == hit.max_prefixlen
            else "a network of the node's own links"
        )
        return f"it would take over {hit}, {what}"
    return Reason.PROTECTED.text


def _off_link(found: Finding) -> str:
    return f"its next hop {found.next_hop} is on no network of the domain's interfaces ({found.interfaces})"


def _default(found: Finding) -> str:
    shortest = found.domain.config.default_lengths.of(found.family)
    return f"it is as good as a default route (shorter than /{shortest}), and domain {found.domain.name} accepts none"


def _limit(found: Finding) -> str:
    limit = found.domain.config.limit.of(found.family)
    wanted = len(found.domain.desired[found.family]) + len(found.domain.limited[found.family])
    most = limit.routes if limit else 0
    return f"domain {found.domain.name} wants {wanted:,} {found.family.label} routes, and its limit of {most:,} keeps new ones out"


def _peer_limit(found: Finding) -> str:
    kept_out = {path.peer for path in found.domain.kept_out(found.family, found.key)}
    guards = [
        guard for (peer, of), guard in found.engine.limits.guards.items() if peer in kept_out and of is found.family
    ]
    return (
        "; ".join(f"{guard.text}, so its new prefixes are not admitted" for guard in guards) or Reason.PEER_LIMIT.text
    )


def _rpki_unknown(found: Finding) -> str:
    roas = found.domain.states.roas if found.domain.states else None
    why = f" ({roas.text})" if roas and not roas.synced else ""
    return f"{found.rule} asks for the RPKI state of the path of {found.peer}, and the RPKI state is not known yet{why}"


def _overlap(found: Finding) -> str:
    name = found.engine.describe(found.domain.config.table, found.family, found.key)
    return f"domain {name}, listed earlier, has the same prefix in the same table"


def _foreign(found: Finding) -> str:
    wanted = found.state.desired[found.key]
    other = found.state.image.foreign.get((found.key, wanted.metric))
    whose = protocol_text(other.protocol) if other else "another program"
    return (
        f"a route of another program ({whose}) stands at the same prefix and metric {wanted.metric}, and is left alone"
    )


def _refused(found: Finding) -> str:
    failure = found.state.failures.get(found.key)
    if failure is None:
        return Reason.KERNEL_REFUSED.text
    left = max(0.0, failure.retry_at - found.engine.reconciler.monotonic())
    again = "with the next plan" if found.engine.config.mode is Mode.APPROVE else f"in {seconds_text(left)}"
    words = failure.message or f"errno {failure.errno}"
    return f"the kernel refused it (it said: {words}), {plural(failure.attempts, 'attempt')} so far, again {again}"


def _waiting(found: Finding) -> str:
    chosen = _choice(found)
    return f"the change to {chosen}{',' if ',' in chosen else ''} waits for a person"


def _paused(found: Finding) -> str:
    return f"writing is paused {found.engine.reconciler.paused}"


def _held(found: Finding) -> str:
    held = found.engine.reconciler.held
    return f"hold {held(found.state, found.state.operation(found.key)) if held else ''} keeps the change back"


def _denied(found: Finding) -> str:
    decision = found.engine.reconciler.decide(found.state, found.state.operation(found.key))
    return f"the approval rule {decision.rule} denies the change, which is of class {decision.category}"


_Why = Callable[[Finding], str]
_HELD_BACK: "dict[Reason | None, _Why]" = {
    Reason.PAUSED: _paused,
    Reason.HELD: _held,
    Reason.DENIED: _denied,
    Reason.ROLLED_BACK: lambda _: "the change was rolled back, and is not written again by itself",
}

_WHY: "MappingProxyType[Reason | None, _Why]" = MappingProxyType({
    Reason.INSTALLED: _installed,
    Reason.AS_LOOP: lambda found: f"the path of {found.peer} has been through the speaker's own AS, or began at it: a loop",
    Reason.REJECTED_BY_SPEAKER: lambda found: f"the import policy of its speaker refuses the path of {found.peer}",
    Reason.FAMILY_OFF: lambda found: f"domain {found.domain.name} does not use {found.family.label}",
    Reason.UNAUTHENTICATED: lambda found: f"the session with {found.peer} is not authenticated, and the domain requires it",
    Reason.NO_POLICY: lambda found: f"domain {found.domain.name} has no import rule, and what no rule accepts is denied",
    Reason.POLICY_DENIED: lambda found: f"{found.rule} denies it",
    Reason.POLICY_UNMATCHED: lambda found: f"no import rule of domain {found.domain.name} matches it, which means deny",
    Reason.RPKI_UNKNOWN: _rpki_unknown,
    Reason.DEFAULT_ROUTE: _default,
    Reason.PROTECTED: _protected,
    Reason.NEXT_HOP_OWN: lambda found: f"its next hop {found.next_hop} is an address of this node",
    Reason.NEXT_HOP_INVALID: lambda found: f"its next hop {found.next_hop} is no address that a router can have there",
    Reason.NEXT_HOP_OFF_LINK: _off_link,
    Reason.NEXT_HOP_NO_INTERFACE: lambda found: f"its next hop {found.next_hop} is link-local, and on which link is not known",
    Reason.NEXT_HOP_LINK_DOWN: lambda found: f"the link of its next hop {found.next_hop} is down",
    Reason.EXPIRED: lambda found: f"{found.peer} has not returned from its restart within "
                                  f"{seconds_text(found.domain.config.stale_after)} (stale_after)",
    Reason.LIMIT: _limit,
    Reason.PEER_LIMIT: _peer_limit,
    Reason.DOMAIN_CONFLICT: _overlap,
    Reason.FOREIGN_CONFLICT: _foreign,
    Reason.KERNEL_REFUSED: _refused,
    Reason.WAITS_FOR_APPROVAL: _waiting,
    **_HELD_BACK,
})  # fmt: skip

_ADVICE: "MappingProxyType[Reason, str]" = MappingProxyType({
    Reason.UNASSIGNED: "add the peer to `peers` of a domain if its routes should be used",
    Reason.REJECTED_BY_SPEAKER: "change the policy there if it should be used",
    Reason.FAMILY_OFF: "add {found.family.label} to `families` of the domain if it should be used",
    Reason.UNAUTHENTICATED: "give the session a password on both ends",
    Reason.NO_POLICY: "add an accept rule to `import` of the domain",
    Reason.POLICY_UNMATCHED: "add an accept rule to `import` of the domain if it should be used",
    Reason.DEFAULT_ROUTE: "set `default_route: accept` there if it should be used",
    Reason.NEXT_HOP_OWN: "the router has to announce a next hop of its own",
    Reason.NEXT_HOP_INVALID: "the router has to announce a next hop of its own",
    Reason.NEXT_HOP_OFF_LINK: "correct the router's next hop, or add the link to `interfaces` of the domain",
    Reason.NEXT_HOP_NO_INTERFACE: "the router has to announce a global address, or the session has to run over its link",
    Reason.NEXT_HOP_LINK_DOWN: "bring the link up again: `ip link`",
    Reason.LIMIT: "find out why there are so many, with `bgpmon peers`, or raise `limit`",
    Reason.PEER_LIMIT: "find out why there are so many, with `bgpmon peers`, or raise `peer_limit`",
    Reason.DOMAIN_CONFLICT: "give one of the two a table of its own if both are needed",
    Reason.FOREIGN_CONFLICT: "delete the other route, or give the domain another `metric`",
    Reason.DRY_RUN: "set `mode: approve` or `mode: auto` to have it written",
    Reason.WAITS_FOR_APPROVAL: "`bgpmon plan freeze`, then `bgpmon approve DIGEST`",
    Reason.PAUSED: "`bgpmon resume` ends that",
    Reason.HELD: "`bgpmon holds` tells why, `bgpmon release ID` ends it",
    Reason.DENIED: "change the rule, or `bgpmon plan freeze --denied` and break the glass",
    Reason.ROLLED_BACK: "`bgpmon plan freeze`, then `bgpmon approve DIGEST`",
})  # fmt: skip
