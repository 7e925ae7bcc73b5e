"""One peer's paths (Adj-RIB-In, RFC 4271 section 3.2), and how far they can be trusted."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

from monitor.rib.path import Path, PeerId
from monitor.rib.peer import Peer, SessionState
from monitor.rib.reason import Reason
from programmer.route import Address, Family, PrefixKey

Held = Path | tuple[Path, ...]
"""What a peer holds for one prefix: one path, or several with add-path, in the order of their identifiers."""

MOST_REJECTED = 50_000
"""Paths kept only to be explained, for one peer; beyond that they are counted and forgotten."""


@dataclass(slots=True)
class PeerTable:
    """The paths of one peer.  ``domain`` is the name of the one it belongs to, empty if it matches none.

    ``unconfirmed`` has, per family, the keys that a new feed has not told again yet; ``untold`` has, for a key of which it told
    some path, the identifiers of those that it did not: identifiers may be others in a new session.  ``proof`` says per
    family how its table is known to be complete; a family without an entry is still filling.  Of the families ``retained`` what is
    unconfirmed is stale.  ``disputed`` has, per family, the
    speaker's count and ours where they differed the last time.  ``unknown_since`` is when
    knowledge about the peer ended (monotonic seconds), None while its feed is alive and its session known.
    ``announced`` and ``withdrawn`` count the paths that it told and took back since the daemon started.
    ``stale_since`` is when its graceful restart began (monotonic seconds), None while there is none; ``expired`` says that
    it takes too long, and that its stale paths are no longer used.
    """

    peer: Peer
    address: Address | None
    domain: str = ""
    paths: dict[Family, dict[PrefixKey, Held]] = field(default_factory=lambda: {family: {} for family in Family})
    rejected: dict[tuple[Family, PrefixKey], Path] = field(default_factory=dict)
    unconfirmed: dict[Family, set[PrefixKey]] = field(default_factory=dict)
    untold: dict[tuple[Family, PrefixKey], set[int]] = field(default_factory=dict)
    proof: dict[Family, str] = field(default_factory=dict)
    retained: set[Family] = field(default_factory=set)
    disputed: dict[Family | None, tuple[int, int]] = field(default_factory=dict)
    unknown_since: float | None = None
    stale_since: float | None = None
    expired: bool = False
    announced: int = 0
    withdrawn: int = 0
    lost: int = 0
    """How many prefixes were taken out; it only grows.  As long as it stands, and nothing is added, a walk through them goes on."""

    @classmethod
    def of(cls, peer: Peer) -> "PeerTable":
        """Return an empty table for *peer*."""
        return cls(peer, address_of(peer.id))

    @classmethod
    def unheard(cls, peer: PeerId) -> "PeerTable":
        """Return an empty table for a peer that has only been named so far."""
        return cls.of(Peer(peer, SessionState.UNKNOWN))

    @property
    def interface(self) -> str:
        """The link to an unnumbered or link-local peer, else empty."""
        return self.peer.interface or getattr(self.address, "scope_id", None) or ""

    @property
    def count(self) -> int:
        """Number of prefixes held, both families."""
        return sum(len(held) for held in self.paths.values())

    @property
    def forgets_rejected(self) -> bool:
        """True when more paths are refused than are kept."""
        return len(self.rejected) >= MOST_REJECTED

    def told(self, family: Family | None) -> int:
        """Return of how many prefixes of a family, or of all, paths were told, refused ones included."""
        if family is None:
            return self.count + len(self.rejected)
        return len(self.paths[family]) + sum(of is family for of, _ in self.rejected)

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
        waiting = self.unconfirmed.get(family)
        if self.rejected:
            self.rejected.pop((family, key), None)
        if self.untold and (family, key) in self.untold:
            self.untold[family, key].discard(path.path_id)
        known = table.get(key)
        if known is None or (isinstance(known, Path) and known.path_id == path.path_id):
            was_stale = False
            if waiting and key in waiting:
                waiting.discard(key)
                was_stale = family in self.retained
            if known == path and not was_stale:
                return False
            table[key] = path
            return True
        others = (known,) if isinstance(known, Path) else known
        kept = [other for other in others if other.path_id != path.path_id]
        if waiting and key in waiting:
            waiting.discard(key)
            self.untold[family, key] = {other.path_id for other in kept}
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
            self.lost += 1
        return True

    def reject(self, family: Family, key: PrefixKey, path: Path) -> bool:
        """Keep a path that the speaker refuses, to be explained; returns True when it had been usable before."""
        usable = self.withdraw(family, key, path.path_id)
        if not self.forgets_rejected:
            self.rejected[family, key] = path
        return usable

    def begin(self) -> None:
        """A feed starts: everything known has to be told again before it is trusted to be all."""
        self.rejected, self.untold = {}, {}
        self.unconfirmed = {family: set(table) for family, table in self.paths.items() if table}
        self.proof = {}

    def begin_family(self, family: Family, *, retained: bool) -> None:
        """The table of one family begins anew; until it is told, what is known stays, as stale where *retained*."""
        self.unconfirmed[family] = set(self.paths[family])
        self._forget_beside(family)
        if retained:
            self.retained.add(family)
        else:
            self.proof.pop(family, None)

    def _forget_beside(self, family: Family) -> None:
        """Forget what of one family is not in its table."""
        self.rejected = {name: path for name, path in self.rejected.items() if name[0] is not family}
        self.untold = {name: ids for name, ids in self.untold.items() if name[0] is not family}

    def is_retained(self, family: Family, key: PrefixKey) -> bool:
        """Whether the paths for a prefix are from a session that is over, and not told again yet."""
        return family in self.retained and key in self.unconfirmed.get(family, ())

    def complete(self, family: Family, proof: str) -> set[PrefixKey]:
        """The table has been told: returns the keys of the paths that are gone because they were not."""
        gone = self.unconfirmed.pop(family, set())
        self.lost += len(gone)
        for key in gone:
            self.paths[family].pop(key, None)
        for key in [key for of, key in self.untold if of is family]:
            for path_id in self.untold.pop((family, key)):
                self.withdraw(family, key, path_id)
            gone.add(key)
        self.proof[family] = proof
        self.retained.discard(family)
        return gone

    def drop(self, family: Family) -> None:
        """Drop the paths of one family."""
        self.lost += len(self.paths[family])
        self.paths[family].clear()

    def forget(self) -> dict[Family, set[PrefixKey]]:
        """Drop everything; returns the keys that were held."""
        gone = {family: set(table) for family, table in self.paths.items()}
        self.paths = {family: {} for family in Family}
        self.rejected, self.unconfirmed, self.untold = {}, {}, {}
        self.retained.clear()
        return gone


def refusal(peer: Peer) -> Reason:
    """Return why a rejected path of *peer* is: a speaker without counters tells what it refuses too, all but loops is usable."""
    return Reason.REJECTED_BY_SPEAKER if peer.counted else Reason.AS_LOOP


def address_of(peer: PeerId) -> Address | None:
    """Return the peer's address, with its zone if it has one; None for text that is no address."""
    try:
        return ipaddress.ip_address(peer.address)
    except ValueError:
        return None
