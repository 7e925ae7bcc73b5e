"""A row that moves: what a route says, without an object for each of a million routes."""

from collections.abc import Callable, Sequence

from monitor.engine.core import Engine
from monitor.engine.ordering import Place
from monitor.engine.rows import Row, best_path
from monitor.rib.path import Path, PeerId
from programmer.reconciler import TableState
from programmer.route import Forwarding, PrefixKey

NOWHERE = Forwarding(0, ())
"""What a cursor that stands nowhere forwards."""

_INSTALLED = ("installed", "installed", "")


class Cursor(Row):
    """A row that is moved from place to place, since a walk over a million routes had better not make a million rows.

    ``prepare`` is to be called whenever others have had their turn; ``move`` has to have returned True before anything is asked.
    """

    __slots__ = (
        "_acknowledged",
        "_add",
        "_change",
        "_chosen",
        "_conflicts",
        "_current",
        "_desired",
        "_lone",
        "_lone_domain",
        "_peers",
        "_remove",
        "owner",
    )

    def __init__(self, engine: Engine, state: TableState) -> None:
        super().__init__(engine, state, b"\0", NOWHERE)
        self.prepare()

    def prepare(self) -> None:
        """Look up what does not change while nobody else has a turn."""
        state, table = self._state, self._state.spec.table
        difference = state.difference
        self._desired, self._current = state.desired.get, state.current
        self._conflicts, self._acknowledged = state.conflicts, state.acknowledged
        self._add, self._change, self._remove = difference.add, difference.change, difference.remove
        shared = sum(item.config.table == table for item in self.engine.domains.values()) > 1
        self._lone_domain = None if shared else self.engine.domain_of_table(table)
        self.owner = self.engine.domains.get(self._lone_domain or "")
        """The domain whose table it is, None where several share it."""
        self._chosen = self.owner.chosen_paths(state.spec.family) if self.owner else None
        self._lone: Callable[[Sequence[PrefixKey]], list[Path | None]] | None = None
        self._peers: Callable[[Sequence[PrefixKey]], list[PeerId | None]] | None = None

    def move(self, place: Place) -> bool:
        """Stand on *place*; returns False when its route has gone."""
        self._domain = self._lone_domain
        self._asked = False
        self._words = None
        if isinstance(place, bytes):
            value = self._desired(place) or self._current(place)
            if value is None:
                return False
            self.key = place
            self.forwarding = value
            self._foreign = None
            return True
        foreign = self._state.image.foreign.get(place)
        if foreign is None:
            return False
        self.key = place[0]
        self.forwarding = foreign.forwarding
        self._foreign = foreign
        return True

    def _said(self) -> tuple[str, str, str]:
        if self._words is None:
            key = self.key
            plain = not (
                self._foreign is not None
                or key in self._add
                or key in self._change
                or key in self._remove
                or key in self._conflicts
                or key in self._acknowledged
            )
            self._words = _INSTALLED if plain else super()._said()
        return self._words

    def _best(self) -> Path | None:
        if not self._asked:
            self._asked = True
            self._path = None
            if self._foreign is None:
                self._path = self._chosen(self.key) if self._chosen else None
                if self._path is None and (domain := self.engine.domains.get(self.domain)) is not None:
                    self._path = best_path(domain, self.family, self.key)
        return self._path

    def lone_paths(self, keys: Sequence[PrefixKey]) -> list[Path | None]:
        """Return the best paths of routes of ours without moving there, None for each where that takes longer."""
        if self.owner is None:
            return [None] * len(keys)
        if self._lone is None:
            self._lone = self.owner.lone_paths(self.family)
        return self._lone(keys)

    def best_peers(self, keys: Sequence[PrefixKey]) -> list[PeerId | None]:
        """Return whose paths are the best of routes of ours without moving there, None for each where that takes longer."""
        if self.owner is None:
            return [None] * len(keys)
        if self._peers is None:
            self._peers = self.owner.best_peers(self.family)
        return self._peers(keys)

    def suppose(self, path: Path | None = None, way: Forwarding = NOWHERE) -> None:
        """Be a route of ours somewhere with this best path and this way out: only what these say may be asked."""
        self._foreign, self._asked, self._path, self.forwarding = None, True, path, way
