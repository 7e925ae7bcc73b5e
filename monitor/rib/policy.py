"""A domain's import policy: the first rule that matches decides, and no match means deny.

What a rule asks of attributes, peer and RPKI state is decided once per attribute set and peer; what it asks of the
prefix is a few integer comparisons.  A path that reaches a rule about RPKI before its state is known is denied.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from monitor.rib.attribute import Origin, PathAttributes, Rpki
from monitor.rib.path import Path
from monitor.rib.reason import Reason
from programmer.route import Address, Family, Prefix, PrefixKey, family_of

MEMO_LIMIT = 65536
"""How many answers are remembered before all are forgotten: a bound on memory, whatever peers send."""


class PrefixRangeLike(Protocol):
    """Prefixes inside ``prefix`` whose length is from ``ge`` to ``le``, both included."""

    @property
    def prefix(self) -> Prefix:
        """What covers them."""

    @property
    def ge(self) -> int:
        """The shortest length."""

    @property
    def le(self) -> int:
        """The longest length."""


class AsPathLike(Protocol):
    """A pattern over an AS path as text."""

    def matches(self, as_path: str, /) -> bool:
        """Say whether the pattern occurs in *as_path*."""


class PeerSelectorLike(Protocol):
    """A set of peers, by address and interface."""

    def matches(self, address: Address, interface: str = "", /) -> bool:
        """Say whether a peer at *address*, reached over *interface*, is in the set."""


class ConditionLike(Protocol):
    """What a path must look like: one entry of every field that is not empty."""

    @property
    def prefixes(self) -> Sequence[PrefixRangeLike]:
        """Ranges that the prefix must be in."""

    @property
    def communities(self) -> Sequence[int]:
        """Communities as 32-bit numbers (RFC 1997)."""

    @property
    def large_communities(self) -> Sequence[tuple[int, int, int]]:
        """Large communities (RFC 8092)."""

    @property
    def as_paths(self) -> Sequence[AsPathLike]:
        """Patterns over the AS path."""

    @property
    def next_hops(self) -> Sequence[Prefix]:
        """Prefixes that the next hop must lie in."""

    @property
    def peers(self) -> Sequence[PeerSelectorLike]:
        """Peers that the path must come from."""

    @property
    def origins(self) -> Sequence[Origin]:
        """Values of ORIGIN."""

    @property
    def rpki(self) -> Sequence[Rpki]:
        """Origin validation states (RFC 6811)."""


class PreferredSourceLike(Protocol):
    """An address, or none, for each family."""

    def of(self, family: Family, /) -> Address | None:
        """Return the address of *family*."""


class RuleLike(Protocol):
    """One rule, numbered from 1.  ``metric`` None and an absent preferred source mean: the domain's."""

    @property
    def number(self) -> int:
        """Which rule of the domain this is."""

    @property
    def accept(self) -> bool:
        """True to accept, false to deny."""

    @property
    def condition(self) -> ConditionLike:
        """When the rule applies."""

    @property
    def metric(self) -> int | None:
        """The metric of the routes that it accepts."""

    @property
    def preferred_source(self) -> PreferredSourceLike:
        """The preferred source of the routes that it accepts."""


class Decision(NamedTuple):
    """What the policy says to one path.

    ``reason`` is None for an accepted path.  ``rule`` is the number of the rule that decided, None where none did.
    ``metric`` None and an empty ``preferred_source`` (packed) mean: the domain's.
    """

    accepted: bool
    reason: Reason | None
    rule: int | None = None
    metric: int | None = None
    preferred_source: bytes = b""


NO_POLICY = Decision(accepted=False, reason=Reason.NO_POLICY)
UNMATCHED = Decision(accepted=False, reason=Reason.POLICY_UNMATCHED)

_Ranges = tuple[tuple[int, dict[int, tuple[tuple[int, int], ...]]], ...]
"""By length of the covering prefix: its leading bits as a number to pairs of (ge, le)."""


class _Entry(NamedTuple):
    """A rule in one family.  ``ranges`` None: any prefix."""

    rule: RuleLike
    ranges: _Ranges | None
    decision: Decision


def _ranges(prefixes: Sequence[PrefixRangeLike], family: Family) -> _Ranges:
    """Compile the ranges of one family."""
    table: dict[int, dict[int, tuple[tuple[int, int], ...]]] = {}
    for entry in prefixes:
        if family_of(entry.prefix) is not family:
            continue
        length = entry.prefix.prefixlen
        bits = int(entry.prefix.network_address) >> (family.bits - length)
        same_length = table.setdefault(length, {})
        same_length[bits] = (*same_length.get(bits, ()), (max(entry.ge, length), entry.le))
    return tuple(sorted(table.items(), key=lambda item: item[0]))


def _in_ranges(ranges: _Ranges, key: PrefixKey) -> bool:
    """Say whether the prefix of *key* is in one of *ranges*."""
    length = key[0]
    bits = int.from_bytes(key[1:], "big")
    width = (len(key) - 1) << 3
    for covering, networks in ranges:
        if covering > length:
            return False  # ascending: all others are longer still
        for ge, le in networks.get(bits >> (width - covering), ()):
            if ge <= length <= le:
                return True
    return False


def _entry(rule: RuleLike, family: Family) -> _Entry | None:
    """Compile *rule* for *family*; None where it can match no prefix of that family."""
    prefixes = rule.condition.prefixes
    ranges = _ranges(prefixes, family) if prefixes else None
    if ranges is not None and not ranges:
        return None
    if not rule.accept:
        return _Entry(rule, ranges, Decision(accepted=False, reason=Reason.POLICY_DENIED, rule=rule.number))
    source = rule.preferred_source.of(family)
    packed = source.packed if source is not None else b""
    return _Entry(
        rule,
        ranges,
        Decision(accepted=True, reason=None, rule=rule.number, metric=rule.metric, preferred_source=packed),
    )


def _undecided(entry: _Entry) -> _Entry:
    """Return a rule that asks for an RPKI state as it is for a path whose state is unknown: it cannot be passed over."""
    return entry._replace(decision=Decision(accepted=False, reason=Reason.RPKI_UNKNOWN, rule=entry.rule.number))


def _next_hop_in(next_hop: bytes, prefixes: Sequence[Prefix]) -> bool:
    """Say whether a packed next hop lies in one of *prefixes*."""
    number = int.from_bytes(next_hop, "big")
    width = len(next_hop) << 3
    return any(
        prefix.max_prefixlen == width and (number ^ int(prefix.network_address)) >> (width - prefix.prefixlen) == 0
        for prefix in prefixes
    )


def _attributes_match(condition: ConditionLike, attributes: PathAttributes) -> bool:
    """Say whether the attributes are what the condition asks for."""
    if condition.communities and not set(condition.communities).intersection(attributes.communities):
        return False
    if condition.large_communities and not set(condition.large_communities).intersection(attributes.large_communities):
        return False
    if condition.origins and attributes.origin not in condition.origins:
        return False
    if condition.next_hops and not _next_hop_in(attributes.next_hop, condition.next_hops):
        return False
    if not condition.as_paths:
        return True
    text = attributes.as_path_text
    return any(pattern.matches(text) for pattern in condition.as_paths)


class Policy:
    """Import rules, compiled for both families."""

    def __init__(self, rules: Sequence[RuleLike]) -> None:
        self._empty = not rules
        self._entries: dict[Family, tuple[_Entry, ...]] = {
            family: tuple(entry for rule in rules if (entry := _entry(rule, family))) for family in Family
        }
        conditions = [rule.condition for rule in rules]
        self.asks_rpki = any(condition.rpki for condition in conditions)
        self._asks_peer = self.asks_rpki or any(condition.peers for condition in conditions)
        self._asks_attributes = self._asks_peer or any(
            condition.communities
            or condition.large_communities
            or condition.as_paths
            or condition.next_hops
            or condition.origins
            for condition in conditions
        )
        self._memo: dict[object, tuple[_Entry, ...]] = {}

    def decide(
        self, family: Family, key: PrefixKey, path: Path, peer_address: Address, peer_interface: str = ""
    ) -> Decision:
        """Return what the first matching rule says to *path* for the prefix of *key*."""
        for _, ranges, decision in self._applicable(family, path, peer_address, peer_interface):
            if ranges is None or _in_ranges(ranges, key):
                return decision
        return NO_POLICY if self._empty else UNMATCHED

    def _applicable(self, family: Family, path: Path, peer_address: Address, peer_interface: str) -> tuple[_Entry, ...]:
        """Return the rules that hold for all but the prefix, in order."""
        if not self._asks_attributes:
            return self._entries[family]
        memo_key: object = (
            (family, path.attributes, path.peer, peer_interface, path.rpki)
            if self._asks_peer
            else (family, path.attributes)
        )
        known = self._memo.get(memo_key)
        if known is None:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            known = self._memo[memo_key] = tuple(
                _undecided(entry) if entry.rule.condition.rpki and path.rpki is Rpki.NONE else entry
                for entry in self._entries[family]
                if _matches(entry.rule.condition, path, peer_address, peer_interface)
            )
        return known


def _matches(condition: ConditionLike, path: Path, peer_address: Address, peer_interface: str) -> bool:
    """Say whether everything but the prefix is, or with an unknown RPKI state could be, what the condition asks for."""
    if condition.rpki and path.rpki is not Rpki.NONE and path.rpki not in condition.rpki:
        return False
    if condition.peers and not any(peer.matches(peer_address, peer_interface) for peer in condition.peers):
        return False
    return _attributes_match(condition, path.attributes)
