"""What was installed at a past moment: the present, with every later change taken back.

Pure: the changes come newest first from ``changes_after``, the images from whoever knows the present.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from programmer.plan import Operation
from programmer.route import Family, Forwarding, PrefixKey, TableId

Images = dict[tuple[TableId, Family], dict[PrefixKey, Forwarding]]
"""Our installed routes per table and family."""


class Change(NamedTuple):
    """One batch.  ``at`` is seconds since the epoch (UTC).

    ``failed`` are the indexes of the operations that the kernel refused; None when nobody knows what became of the batch,
    because the process ended between the question and the answer.
    """

    at: float
    operations: list[Operation]
    failed: frozenset[int] | None


class Past(NamedTuple):
    """Images at a moment, how many operations were taken back, and how many were left out as nobody knows their outcome."""

    images: Images
    undone: int
    unknown: int


def undo(images: Images, operations: Sequence[Operation], failed: Collection[int] = ()) -> int:
    """Take *operations* back in *images*, the last one first; returns how many.  The *failed* ones never happened."""
    for index in range(len(operations) - 1, -1, -1):
        if index in failed:
            continue
        table, family, key, before, _ = operations[index]
        image = images.setdefault((table, family), {})
        if before is None:
            image.pop(key, None)
        else:
            image[key] = before
    return len(operations) - len(failed)


def routes_at(changes: Iterable[Change], installed: Images) -> Past:
    """Return what was installed before the first of *changes*, which come newest first; *installed* is left as it is.

    A change whose outcome is unknown is left out: whatever it did is in the present as it is, and so may be wrong in the past.
    """
    images = {name: dict(image) for name, image in installed.items()}
    undone = unknown = 0
    for _, operations, failed in changes:
        if failed is None:
            unknown += len(operations)
        else:
            undone += undo(images, operations, failed)
    return Past(images, undone, unknown)
