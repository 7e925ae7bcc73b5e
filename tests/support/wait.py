"""Waiting for a condition with a deadline: the only way in which tests wait."""

import asyncio
import inspect
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

EVERY = 0.03
"""Seconds between two looks at a condition."""


@overload
async def until(
    condition: Callable[[], Awaitable[T]], *, timeout: float = ..., what: str = ..., every: float = ...
) -> T: ...
@overload
async def until(condition: Callable[[], T], *, timeout: float = ..., what: str = ..., every: float = ...) -> T: ...
async def until(
    condition: Callable[[], Any],
    *,
    timeout: float = 45.0,
    what: str = "",
    every: float = EVERY,
) -> Any:
    """Look at *condition*, a plain or an async function, until it is true, and return what it returned.

    An AssertionError from it counts as "not yet".  At the deadline (seconds) the test fails with *what* was
    waited for and what the last look saw.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            seen = condition()
            value = await seen if inspect.isawaitable(seen) else seen
            last = repr(value)
            if value:
                return value
        except AssertionError as error:
            last = f"AssertionError: {error}"
        if time.monotonic() >= deadline:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"waited {timeout:g} s for {name}; the last look saw {last[:2000]}")
        await asyncio.sleep(every)


async def pass_time(dice: random.Random, longest: float) -> None:
    """Let a random time up to *longest* seconds pass: the moment of an accident, never a wait for something."""
    await asyncio.sleep(dice.uniform(0.0, longest))
