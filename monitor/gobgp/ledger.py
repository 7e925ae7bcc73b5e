"""Remembers which paths have been told, so that they can be counted against the speaker's own counters."""

from collections.abc import Hashable

from monitor.rib.path import PeerId
from programmer.route import Family, PrefixKey

Table = tuple[PeerId, Family]


def _entry(key: PrefixKey, path_id: int) -> Hashable:
    return (key, path_id) if path_id else key


class Ledger:
    """Names of paths told in one feed: those announced and those that the speaker's policy rejects.

    An entry costs a set slot only: the key is the object that the consumer keeps too.
    """

    def __init__(self) -> None:
        self._announced: dict[Table, set[Hashable]] = {}
        self._rejected: dict[Table, set[Hashable]] = {}
        self._unseen: dict[Table, int] = {}

    def announce(self, peer: PeerId, family: Family, key: PrefixKey, path_id: int) -> None:
        """A path was announced."""
        table = (peer, family)
        entry = _entry(key, path_id)
        held = self._announced.get(table)
        if held is None:
            held = self._announced[table] = set()
        held.add(entry)
        if rejected := self._rejected.get(table):
            rejected.discard(entry)

    def reject(self, peer: PeerId, family: Family, key: PrefixKey, path_id: int) -> None:
        """A path is refused by the speaker's policy."""
        table = (peer, family)
        entry = _entry(key, path_id)
        if announced := self._announced.get(table):
            announced.discard(entry)
        self._rejected.setdefault(table, set()).add(entry)

    def withdraw(self, peer: PeerId, family: Family, key: PrefixKey, path_id: int) -> None:
        """A path is gone."""
        table = (peer, family)
        entry = _entry(key, path_id)
        known = False
        for stage in (self._announced, self._rejected):
            held = stage.get(table)
            if held and entry in held:
                held.remove(entry)
                known = True
        if not known and self._unseen.get(table):
            self._unseen[table] -= 1

    def explain(self, peer: PeerId, family: Family, key: PrefixKey, path_id: int) -> bool:
        """Note that a path counted but not told is one that policy rejects; False if it was told already."""
        table = (peer, family)
        entry = _entry(key, path_id)
        if any(entry in stage.get(table, ()) for stage in (self._announced, self._rejected)):
            return False
        self._rejected.setdefault(table, set()).add(entry)
        self._unseen[table] = max(0, self._unseen.get(table, 0) - 1)
        return True

    def announced(self, peer: PeerId, family: Family) -> int:
        """Return how many paths of a table stand announced."""
        return len(self._announced.get((peer, family), ()))

    def counted(self, peer: PeerId, family: Family) -> int:
        """Return how many paths of a table are known, announced or rejected."""
        table = (peer, family)
        return len(self._announced.get(table, ())) + len(self._rejected.get(table, ()))

    def settle(self, peer: PeerId, family: Family, accepted: int) -> int:
        """Take the difference from the speaker's counter as given: what was rejected before is in no dump.

        Returns how many that are.  More told than counted has no such excuse, and remains a difference.
        """
        unseen = self._unseen[(peer, family)] = max(0, accepted - self.counted(peer, family))
        return unseen

    def difference(self, peer: PeerId, family: Family, accepted: int) -> int:
        """Return how many paths the speaker counts beyond what is known and settled; negative when fewer."""
        return accepted - self.counted(peer, family) - self._unseen.get((peer, family), 0)
