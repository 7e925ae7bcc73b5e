"""Fixtures of the contract between the port ``programmer.fib.Fib`` and its kernels."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.stage import TABLE, LinuxStage, MemoryStage, Stage, linux_stage


@pytest.fixture
async def linux() -> AsyncIterator[LinuxStage]:
    """The real kernel alone, for what only it can do."""
    async with linux_stage() as made:
        yield made


@pytest.fixture(params=["memory", pytest.param("linux", marks=pytest.mark.kernel)])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Each kernel in turn."""
    if request.param == "linux":
        async with linux_stage() as made:
            yield made
        return
    memory = MemoryStage()
    memory.fib.watch(frozenset({TABLE}))
    yield memory
    await memory.fib.close()
