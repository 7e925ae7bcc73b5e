"""An event loop for scenarios in which nobody waits: when nothing is left to do, the clock jumps to the next timer.

Ten minutes of a removal budget's hold, or an hour until a plan expires, then take as long as the code that runs at their end.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")

EPOCH = 1_767_225_600.0
"""What the wall clock says when a scenario begins: 2026-01-01 00:00:00 UTC."""


class _Impatient(selectors.BaseSelector):
    """Reports what is ready without ever blocking; the time it should have blocked for is added to ``now``."""

    def __init__(self) -> None:
        self._inner = selectors.DefaultSelector()
        self.began = self.now = time.monotonic()

    def monotonic(self) -> float:
        """Stand in for ``time.monotonic``."""
        return self.now

    def wall(self) -> float:
        """Stand in for ``time.time``."""
        return EPOCH + self.now - self.began

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now.  Raises RuntimeError when every task waits for something that cannot happen."""
        ready = self._inner.select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("no timer is set and nothing is ready: this would wait for ever")
            self.now += max(0.0, timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Impatient) -> None:
        self._clock = selector
        super().__init__(selector)

    def time(self) -> float:
        return self._clock.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Do it at once: a thread would work in real time while this loop's time jumps ahead of it."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def run_without_waiting(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function to its end; ``time.time`` and ``time.monotonic`` follow its clock meanwhile."""
    clock = _Impatient()
    with (
        mock.patch.object(time, "monotonic", clock.monotonic),
        mock.patch.object(time, "time", clock.wall),
        asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner,
    ):
        return runner.run(main())
