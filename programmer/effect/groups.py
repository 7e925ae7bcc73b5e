"""Operations that lean on each other: one of them alone would not do what the plan as a whole does.

- A removal leans on the operation that makes (or unmakes) the route its traffic falls to, so that a removal in no group does
  alone exactly what it does in the plan.
- A removal, or a change to other next hops, leans on an addition below it that keeps traffic from following it: any addition
  below a removed prefix, and an addition below a changed one that keeps the next hops of before.
- The two halves of everything (``0.0.0.0/1`` and ``128.0.0.0/1``) lean on each other when both are added.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence

from programmer.effect.lookup import STEP, Lookup, Pair, Place, TableKey, TableView, finish, looking_up
from programmer.plan import Action, Operation


def dependent_groups(
    operations: Sequence[Operation], tables: Mapping[TableKey, TableView]
) -> tuple[tuple[int, ...], ...]:
    """Return groups of two or more operations that lean on each other, as indexes, in order of their first members.

    Raises ValueError as ``looking_up`` does.
    """
    found = finish(looking_up(operations, tables))
    leanings = Leanings(operations, found)
    for index, operation in enumerate(operations):
        lookup = found[operation.table, operation.family]
        leanings.look(index, lookup, lookup.carriers(operation.key))
    return finish(leanings.grouping())


class Leanings:
    """Collects which operations lean on which, one operation after the other (union-find)."""

    def __init__(self, operations: Sequence[Operation], found: Mapping[TableKey, Lookup]) -> None:
        self._operations = operations
        self._below = {
            table: [lookup for (_, family), lookup in found.items() if lookup.main is main and family == table[1]]
            for table, main in found.items()
        }
        self._parents: dict[int, int] = {}

    def look(self, index: int, lookup: Lookup, carriers: Pair) -> None:
        """Find what operation *index* of *lookup* leans on; *carriers* are its own."""
        for other in self._leans(index, lookup, carriers):
            if other is not None and other != index:
                self._join(index, other)

    def grouping(self) -> Generator[None, None, tuple[tuple[int, ...], ...]]:
        """Return the groups of all operations looked at, in steps."""
        members: dict[int, list[int]] = {}
        for number, index in enumerate(sorted(self._parents)):
            members.setdefault(self._root(index), []).append(index)
            if not number % STEP:
                yield
        return tuple(sorted(tuple(group) for group in members.values()))

    def _leans(self, index: int, lookup: Lookup, carriers: Pair) -> Iterator[int | None]:
        operation = self._operations[index]
        before, after = carriers
        if operation.action is Action.REMOVE:
            yield lookup.index_of(after)
            yield lookup.index_of(lookup.alone(operation.key))
        elif operation.action is Action.ADD:
            other = lookup.index_of(before)
            if other is not None:
                above = self._operations[other]
                if above.after is None or before.next_hops == after.next_hops != above.after.next_hops:
                    yield other
            if operation.key[0] == 1:
                yield self._other_half(lookup, operation)
        for below in self._below[operation.table, operation.family]:
            yield _fallen(below, operation)

    def _other_half(self, lookup: Lookup, operation: Operation) -> int | None:
        other = lookup.by_key.get(bytes((1, operation.key[1] ^ 0x80)))
        return other if other is not None and self._operations[other].action is Action.ADD else None

    def _join(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._parents[first] = first
        self._parents[second] = first

    def _root(self, index: int) -> int:
        parents = self._parents
        root = index
        while parents.get(root, root) != root:
            root = parents[root]
        while parents.get(index, index) != root:
            parents[index], index = root, parents[index]
        return root


def _fallen(below: Lookup, operation: Operation) -> int | None:
    """Return the removal in another table whose traffic falls to the main table where *operation* changes it."""
    before, after = below.own(operation.key)
    if before is None or before.place is not Place.OWN or after is not None:
        return None
    return below.index_of(before)
