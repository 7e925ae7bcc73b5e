"""Runs the work of a source while its consumer takes what that tells."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

from monitor.errors import SourceError
from monitor.flow.outbox import Outbox
from monitor.rib.update import Update


async def told(
    outbox: Outbox, work: Callable[[], Coroutine[Any, Any, None]], name: str
) -> AsyncIterator[Sequence[Update]]:
    """Yield what *work*, a task called *name*, puts into *outbox*; it ends with the iteration, and its failure is raised."""
    runner = asyncio.create_task(work(), name=name)
    runner.add_done_callback(lambda done: outbox.fail(_failure(done)))
    try:
        while True:
            yield await outbox.take()
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)


def _failure(done: "asyncio.Task[None]") -> BaseException:
    """Return what the work died of; it has no other end."""
    if done.cancelled():
        return asyncio.CancelledError()
    return done.exception() or SourceError("the source ended by itself")
