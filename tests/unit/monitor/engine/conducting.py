"""A stage in mode approve for the tests of the conductor, over a kernel that can be slow or away."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from unittest import mock

from monitor.change.statement import NAMESPACE, Act, Statement
from monitor.ports import Endorsement
from monitor.rib.path import PeerId
from programmer.errors import FibUnavailable
from programmer.fib import Links, Write, WriteResult
from tests.support.recording import RecordingFib
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, Stage

A, B, C = "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"
VIA = "via 192.0.2.1 dev eth1"
SOAK = {"duration": "5m", "most": "1h"}
SHORT = {"duration": "30s", "most": "2m"}
DOMAIN = {
    "peers": ["192.0.2.0/28"],
    "interfaces": ["eth1"],
    "table": 101,
    "import": [{"accept": "any"}],
    "removal_budget": {"percent": 100, "routes": 1000},
}
Play = Callable[[Stage, Router], Awaitable[None]]


class Kernel(RecordingFib):
    """A kernel whose writes wait for ``free``, and which is away while ``away`` is set: after so many more calls."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()
        self.away: int | None = None

    def _answer(self) -> None:
        if self.away is not None:
            if not self.away:
                raise FibUnavailable("the socket is lost")
            self.away -= 1

    async def write(self, writes: Sequence[Write], protocol: int) -> list[WriteResult]:
        await self.free.wait()
        self._answer()
        return await super().write(writes, protocol)

    async def links(self) -> Links:
        self._answer()
        return await super().links()

    async def read(self, *arguments: Any) -> Any:
        self._answer()
        return await super().read(*arguments)


def on_stage(play: Play, announced: Sequence[str] = (A, B), **more: Any) -> None:
    """Run *play* on a stage in mode approve where one router has announced *announced*."""

    async def main() -> None:
        with mock.patch("tests.support.scenario_stage.RecordingFib", Kernel):
            stage = Stage({"mode": "approve", "domains": {"storage": DOMAIN}} | more)
        router = stage.routers["tor"] = Router(PeerId("fabric", "192.0.2.1"), up=True)
        await stage.start()
        try:
            tell(stage, router, announced)
            await stage.settle()
            await play(stage, router)
        finally:
            await stage.stop()

    run_without_waiting(main)


def tell(stage: Stage, router: Router, announced: Sequence[str]) -> None:
    stage.start_feed("fabric")
    stage.announce(router, announced, stage.path(router, 1000.0))
    stage.complete(router)


def kernel_of(stage: Stage) -> Kernel:
    assert isinstance(stage.kernel, Kernel)
    return stage.kernel


async def frozen(stage: Stage, filter_text: str = "") -> str:
    answer: Any = await stage.control.freeze("alice", filter_text)
    return str(answer["digest"])


async def endorsed(stage: Stage, digest: str, who: str, act: str = "approve", expires: float = 0.0) -> Endorsement:
    """What *who* signs about a plan."""
    if expires:
        plan: Any = await stage.feed.plan(digest)
        said = Statement(
            node="node", plan=plan["number"], digest=plan["digest"], act=Act(act), expires=float(int(expires))
        )
        text = said.text.encode()
    else:
        document: Any = await stage.feed.statement(digest, act, "")
        text = document["text"].encode()
    return Endorsement(text, stage.people.key(who).sign(text, NAMESPACE).decode())


def state_of(stage: Stage, digest: str) -> str:
    return stage.journal.plans(digest)[0].state


def detail_of(stage: Stage, digest: str) -> str:
    return stage.journal.plans(digest)[0].detail
