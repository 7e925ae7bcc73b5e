"""A peer's paths as one domain's choice sees them: without what a limit keeps out, and with RPKI states.

A view is made only where a limit is in force or the import policy asks for RPKI; elsewhere the peer's own table is used.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from monitor.engine.peer import Held
from monitor.engine.validation import OriginStates
from monitor.rib.path import Path
from programmer.route import Family, PrefixKey


def paths_of(held: Held) -> tuple[Path, ...]:
    """Return the paths in what a peer holds for one prefix."""
    return (held,) if isinstance(held, Path) else held


@dataclass(frozen=True, slots=True)
class View:
    """Paths of one peer and family.

    ``admitted`` has the prefixes that a frozen peer may use, None while every one is.  ``states`` is None where the policy
    does not ask.
    """

    family: Family
    paths: dict[PrefixKey, Held]
    admitted: AbstractSet[PrefixKey] | None
    states: OriginStates | None

    def get(self, key: PrefixKey) -> Held | None:
        """Return what the peer holds for *key*, None for nothing or nothing that may be used."""
        held = self.paths.get(key)
        if held is None or (self.admitted is not None and key not in self.admitted):
            return None
        states = self.states
        if states is None:
            return held
        # A named tuple is a tuple too: one path is told apart from several by its type.
        if isinstance(held, Path):
            return states.stamped(self.family, key, held)
        return tuple(states.stamped(self.family, key, path) for path in held)
