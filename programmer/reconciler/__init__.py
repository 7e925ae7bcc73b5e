"""The loop that makes installed equal desired, one table and family at a time, through one gate."""

from programmer.reconciler.loop import Applied, Describe, Reconciler
from programmer.reconciler.table import TableSpec, TableState

__all__ = ["Applied", "Describe", "Reconciler", "TableSpec", "TableState"]
