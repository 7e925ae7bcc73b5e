"""Desired against installed, over stores: set arithmetic on keys and references."""

from collections.abc import Mapping

from programmer.plan import Action
from programmer.route import Forwarding, PrefixKey

Store = Mapping[PrefixKey, Forwarding]


class Difference:
    """The keys where desired and installed differ, by what has to be done; kept up to date key by key."""

    def __init__(self) -> None:
        self.add: set[PrefixKey] = set()
        self.change: set[PrefixKey] = set()
        self.remove: set[PrefixKey] = set()

    def __len__(self) -> int:
        return len(self.add) + len(self.change) + len(self.remove)

    def __contains__(self, key: PrefixKey) -> bool:
        return key in self.add or key in self.change or key in self.remove

    def keys(self) -> set[PrefixKey]:
        """Return every key that differs."""
        return self.add | self.change | self.remove

    def update(self, key: PrefixKey, desired: Forwarding | None, installed: Forwarding | None) -> None:
        """File one key anew."""
        self.add.discard(key)
        self.change.discard(key)
        self.remove.discard(key)
        action = action_of(desired, installed)
        if action is Action.ADD:
            self.add.add(key)
        elif action is Action.CHANGE:
            self.change.add(key)
        elif action is Action.REMOVE:
            self.remove.add(key)

    def rebuild(self, desired: Store, installed: Store) -> None:
        """File every key anew; linear in the two stores."""
        self.add = set(desired.keys() - installed.keys())
        self.remove = set(installed.keys() - desired.keys())
        self.change = {key for key, value in desired.items() if key in installed and installed[key] != value}


def action_of(desired: Forwarding | None, installed: Forwarding | None) -> Action | None:
    """Return what makes *installed* equal *desired*, or None when it is."""
    if desired == installed:
        return None
    if installed is None:
        return Action.ADD
    return Action.REMOVE if desired is None else Action.CHANGE
