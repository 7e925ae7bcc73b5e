"""The ROAs of the simulated Internet, and what they make of a route (RFC 6811); pure."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from monitor.rib.attribute import Rpki
from programmer.route import Family, Prefix, PrefixKey, covering_key, family_of, key_of

COVERED = 0.5
"""The share of the simulated Internet that has ROAs; of the real one it was about half in 2024."""


class Roa(NamedTuple):
    """Who may originate a prefix, and how long a part of it may be."""

    prefix: Prefix
    longest: int
    asn: int


class Roas:
    """A set of ROAs that answers by prefix and origin."""

    def __init__(self, roas: Iterable[Roa]) -> None:
        self.counts: Counter[Family] = Counter()
        self._by_key: dict[tuple[Family, PrefixKey], list[Roa]] = {}
        for roa in roas:
            family = family_of(roa.prefix)
            self.counts[family] += 1
            self._by_key.setdefault((family, key_of(roa.prefix)), []).append(roa)

    def state(self, prefix: Prefix, origin: int) -> Rpki:
        """Return whether a route is valid; NOT_FOUND when no ROA covers it."""
        covering = [*self._covering(prefix)]
        if not covering:
            return Rpki.NOT_FOUND
        matches = any(roa.asn == origin and prefix.prefixlen <= roa.longest for roa in covering)
        return Rpki.VALID if matches else Rpki.INVALID

    def _covering(self, prefix: Prefix) -> Iterator[Roa]:
        family, key = family_of(prefix), key_of(prefix)
        for length in range(prefix.prefixlen + 1):
            yield from self._by_key.get((family, covering_key(key, length)), ())


def some(dice: random.Random, routes: Iterable[tuple[Prefix, int]]) -> Iterator[Roa]:
    """Yield ROAs that make some of these routes, given by prefix and origin, valid and none of them invalid.

    An owner of several prefixes that lie in one another has ROAs for all of them or for none.
    """
    chosen: dict[tuple[Family, PrefixKey], bool] = {}
    for prefix, origin in sorted(
        routes, key=lambda item: (item[0].version, item[0].prefixlen, item[0].network_address)
    ):
        family, key = family_of(prefix), key_of(prefix)
        above = [chosen.get((family, covering_key(key, length))) for length in range(1, prefix.prefixlen)]
        has = next((one for one in reversed(above) if one is not None), None)
        chosen[family, key] = covered = dice.random() < COVERED if has is None else has
        if covered and prefix.prefixlen:
            yield Roa(prefix, prefix.prefixlen, origin)
