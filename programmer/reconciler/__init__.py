"""The loop that makes installed equal desired, one table and family at a time, through one gate."""

from programmer.reconciler.change import (
    Reverted,
    apply_plan,
    plan_cause,
    refuse_writing,
    revert,
    still_there,
    tables_of,
    verify,
    withdraw_all,
)
from programmer.reconciler.judge import Destination, Destinations, Judge, Rules
from programmer.reconciler.loop import Applied, Describe, Reconciler
from programmer.reconciler.table import TableSpec, TableState

__all__ = [
    "Applied",
    "Describe",
    "Destination",
    "Destinations",
    "Judge",
    "Reconciler",
    "Reverted",
    "Rules",
    "TableSpec",
    "TableState",
    "apply_plan",
    "plan_cause",
    "refuse_writing",
    "revert",
    "still_there",
    "tables_of",
    "verify",
    "withdraw_all",
]
