"""The BGP decision process among the paths of one domain, for one prefix.

The order is strict and does not depend on the order of arrival.  MED is compared within one neighbour AS only, and in
the deterministic way: the best path of each neighbour AS is found first, with MED, and only these are then compared with
each other, without it.  Source: RFC 4271 section 9.1.2.2, RFC 4456 section 9.
"""

import enum
from collections.abc import Sequence
from typing import NamedTuple

from monitor.rib.path import Path

DEFAULT_LOCAL_PREF = 100
"""What an absent LOCAL_PREF counts as."""


class Candidate(NamedTuple):
    """A path that competes, and what the decision needs to know of its peer.

    ``external`` is true for eBGP.  ``router_id`` is the peer's, packed, empty while unknown.  ``peer_key`` is the peer's
    packed address.
    """

    path: Path
    external: bool
    router_id: bytes
    peer_key: bytes


class Step(enum.Enum):
    """What decided between two paths, in the order in which it is asked."""

    def __init__(self, label: str, text: str) -> None:
        self.label = label
        self.text = text

    FRESH = ("fresh", "a fresh path beats a stale one")
    LOCAL_PREF = ("local-pref", "higher local preference")
    AS_PATH = ("as-path", "shorter AS path")
    ORIGIN = ("origin", "lower origin")
    MED = ("med", "lower MED from the same neighbour AS")
    EXTERNAL = ("external", "eBGP over iBGP")
    OLDEST = ("oldest", "the older of two eBGP paths")
    ROUTER_ID = ("router-id", "lower router id")
    CLUSTER_LIST = ("cluster-list", "shorter cluster list")
    PEER_ADDRESS = ("peer-address", "lower peer address")
    PATH_ID = ("path-id", "lower path id")


STEPS = tuple(Step)
_MED = STEPS.index(Step.MED)


class Ranked(NamedTuple):
    """A place in the ranking: which candidate, as an index, and the step at which it lost (None for the best).

    The step is that of the comparison with the best path.  A path that the best one would not beat directly lost to
    another one of its own neighbour AS, and the step is from that comparison.
    """

    candidate: int
    step: Step | None


_Key = tuple[object, ...]


def early(path: Path) -> tuple[bool, int, int, int]:
    """Return one item for each step before MED; the lower one wins.

    These steps compare any two paths, whatever their neighbour AS: a path that is lower here than all others is the best one,
    and none is equal to it.
    """
    attributes = path.attributes
    local_pref = attributes.local_pref
    return (
        path.stale,
        -(DEFAULT_LOCAL_PREF if local_pref is None else local_pref),
        attributes.as_path_length,
        attributes.origin,
    )


def _merit(candidate: Candidate) -> _Key:
    """Return one item for each step up to eBGP over iBGP; the lower one wins."""
    return (*early(candidate.path), candidate.path.attributes.med or 0, not candidate.external)


def _key(candidate: Candidate) -> _Key:
    """Return one item for each step; the lower one wins."""
    path, external, router_id, peer_key = candidate
    attributes = path.attributes
    router_id = attributes.originator_id or router_id
    return (
        *_merit(candidate),
        path.received_at if external else 0,
        (not router_id, router_id),  # an unknown one comes last
        attributes.cluster_list_length,
        # Two link-local peers on two links can have one address: the text has the zone.
        (len(peer_key), peer_key, path.peer),
        path.path_id,
    )


def _without_med(key: _Key) -> _Key:
    return (*key[:_MED], 0, *key[_MED + 1 :])


def _group(candidate: Candidate) -> int:
    return candidate.path.attributes.neighbor_as


def _keys(a: Candidate, b: Candidate) -> tuple[_Key, _Key]:
    """Return the keys with which two candidates are compared directly."""
    if _group(a) == _group(b):
        return _key(a), _key(b)
    return _without_med(_key(a)), _without_med(_key(b))


def _step(left: _Key, right: _Key) -> Step:
    """Return the first step at which two keys differ."""
    for step, ours, theirs in zip(STEPS, left, right, strict=True):
        if ours != theirs:
            return step
    return Step.PATH_ID


def prefers(a: Candidate, b: Candidate) -> bool:
    """Say whether *a* beats *b* in a direct comparison."""
    left, right = _keys(a, b)
    return left < right


def compare(a: Candidate, b: Candidate) -> Step:
    """Return the step that decides between two paths, whichever wins; PATH_ID for a path and itself."""
    left, right = _keys(a, b)
    return _step(left, right)


def best_first(candidates: Sequence[Candidate]) -> list[Ranked]:
    """Return all candidates, best first.

    The second one is what would be best without the first, and so on.
    """
    if len(candidates) == 1:
        return [Ranked(0, None)]
    keys = [_key(candidate) for candidate in candidates]
    groups: dict[int, list[int]] = {}
    for index, candidate in enumerate(candidates):
        groups.setdefault(_group(candidate), []).append(index)
    for group in groups.values():
        group.sort(key=keys.__getitem__, reverse=True)  # best last: it is popped from the end
    if len(groups) == 1:
        order = next(iter(groups.values()))[::-1]
        best = keys[order[0]] if order else ()
        return [Ranked(index, _step(best, keys[index]) if at else None) for at, index in enumerate(order)]
    return _merge(candidates, keys, list(groups.values()))


def best_of(candidates: Sequence[Candidate]) -> int:
    """Return the index of the best one of at least one candidate: the first of ``best_first``, for less work."""
    keys = [_key(candidate) for candidate in candidates]
    heads: dict[int, int] = {}
    for index, candidate in enumerate(candidates):
        group = _group(candidate)
        head = heads.setdefault(group, index)
        if keys[index] < keys[head]:
            heads[group] = index
    return min(heads.values(), key=lambda index: _without_med(keys[index]))


def _merge(candidates: Sequence[Candidate], keys: list[_Key], groups: list[list[int]]) -> list[Ranked]:
    """Merge several groups (best last): at every place the best of what is each group's best now."""
    heads = {_group(candidates[group[-1]]): group[-1] for group in groups}
    plain = [_without_med(key) for key in keys]
    ranking: list[Ranked] = []
    while groups:
        group = min(groups, key=lambda group: plain[group[-1]])
        index = group.pop()
        if not group:
            groups = [left for left in groups if left]
        if not ranking:
            best, best_group = index, _group(candidates[index])
            ranking.append(Ranked(index, None))
            continue
        own = _group(candidates[index])
        if own != best_group and plain[best] < plain[index]:
            ranking.append(Ranked(index, _step(plain[best], plain[index])))
        else:
            ranking.append(Ranked(index, _step(keys[heads[own]], keys[index])))
    return ranking


def multipath_equal(best: Candidate, other: Candidate) -> bool:
    """Say whether *other* is as good as *best* up to and including the eBGP/iBGP step."""
    left, right = _merit(best), _merit(other)
    return left == right or (_group(best) != _group(other) and _without_med(left) == _without_med(right))


def multipath(candidates: Sequence[Candidate], ranking: Sequence[Ranked]) -> list[int]:
    """Return the indices of the best path and of those equal to it, best first.

    A path that loses by MED to a path of its own neighbour AS is not among them, even where it could not be compared
    with the best one.
    """
    best = candidates[ranking[0].candidate]
    heads: dict[int, Candidate] = {}
    equal: list[int] = []
    for index, _ in ranking:
        candidate = candidates[index]
        head = heads.setdefault(_group(candidate), candidate)
        if candidate is best or (
            multipath_equal(best, candidate) and (candidate is head or multipath_equal(head, candidate))
        ):
            equal.append(index)
    return equal
