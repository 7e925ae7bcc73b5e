"""The effect of a plan: who carries the traffic before and after it, how much moves, and what leans on what.

``compute`` gives a ``PlanEffect`` at once; ``computing`` gives the same in steps, so that an event loop can pause between
them, and ``finish`` takes all of them.  Everything here is pure: mappings in, values out.  Names of links and texts are the
caller's business.
"""

from programmer.effect.compute import compute, computing
from programmer.effect.groups import dependent_groups
from programmer.effect.lookup import Carrier, HasForwarding, Place, TableKey, TableView, finish
from programmer.effect.values import (
    DefaultChange,
    DefaultRoute,
    HopLoad,
    OperationEffect,
    PlanEffect,
    Protected,
    ProtectedChange,
    TableEffect,
    Width,
)

__all__ = [
    "Carrier",
    "DefaultChange",
    "DefaultRoute",
    "HasForwarding",
    "HopLoad",
    "OperationEffect",
    "Place",
    "PlanEffect",
    "Protected",
    "ProtectedChange",
    "TableEffect",
    "TableKey",
    "TableView",
    "Width",
    "compute",
    "computing",
    "dependent_groups",
    "finish",
]
