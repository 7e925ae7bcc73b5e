"""One peer's paths (Adj-RIB-In, RFC 4271 section 3.2), and how far they can be trusted."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

from monitor.rib.path import Path, PeerId
from monitor.rib.peer import Peer, SessionState
from programmer.route import Address, Family, PrefixKey

Held = Path | tuple[Path, ...]
"""What a peer holds for one prefix: one path, or several with add-path, in the order of their identifiers."""

MOST_REJECTED = 50_000
"""Paths kept only to be explained, for one peer; beyond that they are counted and forgotten."""


@dataclass(slots=True)
class PeerTable:
    """The paths of one peer.

    ``unconfirmed`` has, per family, the keys that a new feed has not told again yet.  ``proof`` says per family how its table
    is known to be complete; a family without an entry is still filling.  ``unknown_since`` is when knowledge about the peer
    ended (monotonic seconds), None while its feed is alive and its session known.
    """

    peer: Peer
    address: Address | None
    paths: dict[Family, dict[PrefixKey, Held]] = field(default_factory=lambda: {family: {} for family in Family})
    rejected: dict[tuple[Family, PrefixKey], Path] = field(default_factory=dict)
    unconfirmed: dict[Family, set[PrefixKey]] = field(default_factory=dict)
    proof: dict[Family, str] = field(default_factory=dict)
    unknown_since: float | None = None

    @classmethod
    def of(cls, peer: Peer) -> "PeerTable":
        """Return an empty table for *peer*."""
        return cls(peer, address_of(peer.id))

    @classmethod
    def unheard(cls, peer: PeerId) -> "PeerTable":
        """Return an empty table for a peer that has only been named so far."""
        return cls.of(Peer(peer, SessionState.UNKNOWN))

    @property
    def count(self) -> int:
        """Number of prefixes held, both families."""
        return sum(len(held) for held in self.paths.values())

    def held(self, family: Family, key: PrefixKey) -> Iterator[Path]:
        """Yield the peer's paths for one prefix."""
        found = self.paths[family].get(key)
        if found is None:
            return
        if isinstance(found, Path):
            yield found
        else:
            yield from found

    def announce(self, family: Family, key: PrefixKey, path: Path) -> bool:
        """Take a path; returns False when it is what was known already."""
        table = self.paths[family]
        if waiting := self.unconfirmed.get(family):
            waiting.discard(key)
        if self.rejected:
            self.rejected.pop((family, key), None)
        known = table.get(key)
        if known is None or (isinstance(known, Path) and known.path_id == path.path_id):
            if known == path:
                return False
            table[key] = path
            return True
        others = (known,) if isinstance(known, Path) else known
        kept = [other for other in others if other.path_id != path.path_id]
        table[key] = tuple(sorted((*kept, path), key=lambda item: item.path_id))
        return True

    def withdraw(self, family: Family, key: PrefixKey, path_id: int) -> bool:
        """Drop a path; returns False when there was none."""
        table = self.paths[family]
        known = table.get(key)
        self.rejected.pop((family, key), None)
        if known is None:
            return False
        others = () if isinstance(known, Path) else tuple(item for item in known if item.path_id != path_id)
        if isinstance(known, Path) and known.path_id != path_id:
            return False
        if len(others) > 1:
            table[key] = others
        elif others:
            table[key] = others[0]
        else:
            del table[key]
        return True

    def reject(self, family: Family, key: PrefixKey, path: Path) -> bool:
        """Keep a path that the speaker refuses, to be explained; returns True when it had been usable before."""
        usable = self.withdraw(family, key, path.path_id)
        if len(self.rejected) < MOST_REJECTED:
            self.rejected[family, key] = path
        return usable

    def begin(self) -> None:
        """A feed starts: everything known has to be told again before it is trusted to be all."""
        self.unconfirmed = {family: set(table) for family, table in self.paths.items() if table}
        self.proof = {}

    def complete(self, family: Family, proof: str) -> set[PrefixKey]:
        """The table has been told: returns the keys that are gone because they were not."""
        gone = self.unconfirmed.pop(family, set())
        for key in gone:
            self.paths[family].pop(key, None)
        self.proof[family] = proof
        return gone

    def forget(self) -> dict[Family, set[PrefixKey]]:
        """Drop everything; returns the keys that were held."""
        gone = {family: set(table) for family, table in self.paths.items()}
        self.paths = {family: {} for family in Family}
        self.rejected, self.unconfirmed = {}, {}
        return gone


def address_of(peer: PeerId) -> Address | None:
    """Return the peer's address, with its zone if it has one; None for text that is no address."""
    try:
        return ipaddress.ip_address(peer.address)
    except ValueError:
        return None
