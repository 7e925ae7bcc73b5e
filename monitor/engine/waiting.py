"""Why a change that is wanted has not been written yet: what change control says of it."""

from monitor.config import Mode
from monitor.engine.core import Engine
from monitor.rib.reason import Reason
from programmer.reconciler import TableState
from programmer.route import PrefixKey


def waiting_reason(engine: Engine, state: TableState, key: PrefixKey) -> Reason:
    """Return why the pending change at *key* waits; PENDING where it is about to be written."""
    reconciler = engine.reconciler
    if engine.config.mode is Mode.DRY_RUN:
        return Reason.DRY_RUN
    if reconciler.paused:
        return Reason.PAUSED
    operation = state.operation(key)
    if reconciler.held is not None and reconciler.held(state, operation):
        return Reason.HELD
    if state.undone(key, reconciler.monotonic()):
        return Reason.ROLLED_BACK
    decision = reconciler.decide(state, operation)
    if decision.denied:
        return Reason.DENIED
    return Reason.PENDING if decision.automatic else Reason.WAITS_FOR_APPROVAL
