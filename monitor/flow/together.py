"""Runs tasks side by side so that the first expected failure ends them all and is raised by itself."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(expected: tuple[type[Exception], ...], **tasks: Coroutine[Any, Any, None]) -> None:
    """Run the coroutines, named by their keyword, until all return or one fails.

    A failure of an *expected* kind is raised as it is, without the group around it, provided that nothing
    unexpected failed with it; anything else is a bug and is raised as the ExceptionGroup that it came in.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for name, coroutine in tasks.items():
                group.create_task(coroutine, name=name)
    except BaseExceptionGroup as failed:
        leaves = list(_leaves(failed))
        if all(isinstance(leaf, expected) for leaf in leaves):
            raise leaves[0] from None
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for one in group.exceptions:
        found.extend(_leaves(one) if isinstance(one, BaseExceptionGroup) else [one])
    return found
