"""A small Feed and Control, and a server of them in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.api.server import serve
from monitor.ports import Document, Endorsement

NOBODY = Endorsement()

Answer = Document | Exception | Callable[..., Document]
"""What a call gets: a document, an error, or what a function makes of its arguments."""


class Book:
    """Feed and Control at once: answers what ``answers`` holds by name of the call, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[Any, ...]] = []

    async def _answer(self, *asked: Any) -> Document:
        self.asked.append(asked)
        answer: Answer = self.answers.get(asked[0], {"call": asked[0]})
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return answer
        make: Callable[..., Document] = answer
        return make(*asked[1:])

    async def status(self) -> Document:
        return await self._answer("status")

    async def peers(self, address: str = "") -> Document:
        return await self._answer("peers", address)

    async def domains(self) -> Document:
        return await self._answer("domains")

    async def routes(self, filter_text: str = "", domain: str = "", limit: int = 1000) -> Document:
        return await self._answer("routes", filter_text, domain, limit)

    async def view(
        self,
        filter_text: str = "",
        domain: str = "",
        sort: str = "",
        *,
        descending: bool = False,
        problems: bool = False,
        replaces: int = 0,
        wait: float = 0.0,
    ) -> Document:
        return await self._answer("view", filter_text, domain, sort, descending, problems, replaces, wait)

    async def window(self, view: int, first: int = 0, count: int = 50, around: str = "", before: int = 0) -> Document:
        return await self._answer("window", view, first, count, around, before)

    async def close_view(self, view: int) -> Document:
        return await self._answer("close_view", view)

    async def explain(self, prefix: str, domain: str = "") -> Document:
        return await self._answer("explain", prefix, domain)

    async def lookup(self, address: str) -> Document:
        return await self._answer("lookup", address)

    async def plan(self, digest: str = "", limit: int = 5000) -> Document:
        return await self._answer("plan", digest, limit)

    async def plans(self, limit: int = 20) -> Document:
        return await self._answer("plans", limit)

    async def compare(self, one: str, other: str = "") -> Document:
        return await self._answer("compare", one, other)

    async def export(self, digest: str) -> Document:
        return await self._answer("export", digest)

    async def statement(self, digest: str, act: str = "approve", ticket: str = "", expires: float = 0.0) -> Document:
        return await self._answer("statement", digest, act, ticket, expires)

    async def judge(self, digest: str = "") -> Document:
        return await self._answer("judge", digest)

    async def windows(self, at: float = 0.0, count: int = 5) -> Document:
        return await self._answer("windows", at, count)

    async def holds(self) -> Document:
        return await self._answer("holds")

    async def history(self, prefix: str = "", limit: int = 100) -> Document:
        return await self._answer("history", prefix, limit)

    async def events(self, after: int = 0, since: float = 0.0, limit: int = 100, wait: float = 0.0) -> Document:
        return await self._answer("events", after, since, limit, wait)

    async def audit(self) -> Document:
        return await self._answer("audit")

    async def audit_export(self, after: int = 0, since: float = 0.0, limit: int = 1000) -> Document:
        return await self._answer("audit_export", after, since, limit)

    async def replay(self, at: float, what: str, filter_text: str = "", limit: int = 1000) -> Document:
        return await self._answer("replay", at, what, filter_text, limit)

    async def doctor(self) -> Document:
        return await self._answer("doctor")

    async def freeze(self, actor: str, filter_text: str = "", *, denied: bool = False, name: str = "") -> Document:
        return await self._answer("freeze", actor, filter_text, denied, name)

    async def approve(self, digest: str, actor: str, endorsement: Endorsement = NOBODY) -> Document:
        return await self._answer("approve", digest, actor, endorsement)

    async def reject(self, digest: str, reason: str, actor: str, endorsement: Endorsement = NOBODY) -> Document:
        return await self._answer("reject", digest, reason, actor, endorsement)

    async def confirm(self, digest: str, actor: str, endorsement: Endorsement = NOBODY) -> Document:
        return await self._answer("confirm", digest, actor, endorsement)

    async def roll_back(self, digest: str, actor: str, reason: str = "", name: str = "") -> Document:
        return await self._answer("roll_back", digest, actor, reason, name)

    async def extend(self, digest: str, seconds: float, actor: str) -> Document:
        return await self._answer("extend", digest, seconds, actor)

    async def hold(self, filter_text: str, seconds: float, reason: str, actor: str) -> Document:
        return await self._answer("hold", filter_text, seconds, reason, actor)

    async def release(self, number: int, actor: str) -> Document:
        return await self._answer("release", number, actor)

    async def pause(self, reason: str, actor: str) -> Document:
        return await self._answer("pause", reason, actor)

    async def resume(self, actor: str) -> Document:
        return await self._answer("resume", actor)

    async def reload(self, actor: str) -> Document:
        return await self._answer("reload", actor)

    async def withdraw_all(self, actor: str) -> Document:
        return await self._answer("withdraw_all", actor)


@contextmanager
def serving(run_dir: Path, book: Book) -> Iterator[None]:
    """Serve *book* in another thread while the context is open."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    failed: list[BaseException] = []

    async def main() -> None:
        async with serve(run_dir, None, book, book):
            ready.set()
            await stop.wait()

    def work() -> None:
        try:
            loop.run_until_complete(main())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(20), "the server did not start"
        if failed:
            raise failed[0]
        yield
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join(20)
    assert not thread.is_alive()
