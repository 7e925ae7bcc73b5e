"""A small Feed and Control, and a server of them in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.api.server import serve
from monitor.ports import Document


class Book:
    """Feed and Control at once: answers what ``answers`` holds by name of the call, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Document | Exception] = {}
        self.asked: list[tuple[Any, ...]] = []

    async def _answer(self, *asked: Any) -> Document:
        self.asked.append(asked)
        answer = self.answers.get(asked[0], {"call": asked[0]})
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def status(self) -> Document:
        return await self._answer("status")

    async def peers(self, address: str = "") -> Document:
        return await self._answer("peers", address)

    async def domains(self) -> Document:
        return await self._answer("domains")

    async def routes(self, filter_text: str = "", domain: str = "", limit: int = 1000) -> Document:
        return await self._answer("routes", filter_text, domain, limit)

    async def explain(self, prefix: str, domain: str = "") -> Document:
        return await self._answer("explain", prefix, domain)

    async def lookup(self, address: str) -> Document:
        return await self._answer("lookup", address)

    async def plan(self, digest: str = "") -> Document:
        return await self._answer("plan", digest)

    async def history(self, prefix: str = "", limit: int = 100) -> Document:
        return await self._answer("history", prefix, limit)

    async def doctor(self) -> Document:
        return await self._answer("doctor")

    async def freeze(self, actor: str) -> Document:
        return await self._answer("freeze", actor)

    async def approve(self, digest: str, actor: str) -> Document:
        return await self._answer("approve", digest, actor)

    async def reject(self, digest: str, reason: str, actor: str) -> Document:
        return await self._answer("reject", digest, reason, actor)

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
