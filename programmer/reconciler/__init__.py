"""The loop that makes installed equal desired, one table and family at a time, through one gate."""

from programmer.reconciler.change import (
    Reverted,
    Written,
    apply_plan,
    by_place,
    plan_cause,
    refuse_for_good,
    refuse_writing,
    revert,
    undermined,
    verify,
    withdraw_all,
)
from programmer.reconciler.judge import Destination, Destinations, Judge, Rules
from programmer.reconciler.loop import Describe, Reconciler
from programmer.reconciler.message import Applied
from programmer.reconciler.table import UNDONE_SECONDS, TableSpec, TableState

__all__ = [
    "UNDONE_SECONDS",
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
    "Written",
    "apply_plan",
    "by_place",
    "plan_cause",
    "refuse_for_good",
    "refuse_writing",
    "revert",
    "undermined",
    "verify",
    "withdraw_all",
]
