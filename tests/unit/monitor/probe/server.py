"""Small servers on loopback, and a prober whose sockets are opened where this process is."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from monitor.change.probe import ProbeConfig, ProbeKind
from monitor.probe.opener import Opener
from monitor.probe.run import Prober
from programmer.netlink import NamespaceOpener, identify_namespace
from programmer.netlink.namespace import OWN_PATH
from tests.support.wait import until

NOW = 1_700_000_000.0
LONG = 30.0
"""Seconds that a probe may take which answers: never reached."""
SHORT = 0.1
"""Seconds that a probe may take which gets no answer."""
ENOUGH = 1.0
"""Seconds that a probe may take which is to have asked before it gives up."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def sessions(target: str) -> tuple[int, int, str]:
    return {"internet": (3, 3, ""), "storage": (2, 3, "192.0.2.7 is down"), "192.0.2.1": (1, 1, "")}.get(
        target, (0, 0, "there is no such peer or domain")
    )


@contextlib.asynccontextmanager
async def prober(opener: Opener | None = None) -> AsyncIterator[Prober]:
    own = NamespaceOpener(identify_namespace(OWN_PATH))
    yield Prober(opener or own, sessions, lambda: NOW)
    await own.close()


@contextlib.asynccontextmanager
async def serving(
    handler: Handler, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve on a port that nobody else has, and yield it; at the end the clients have closed their connections."""
    running = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running
        running += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        running -= 1

    server = await asyncio.start_server(serve, address, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await until(lambda: not running, what="every client to have closed its connection")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what comes and answer nothing, until the other side goes."""
    await reader.read()


def answering(answer: bytes, heard: list[bytes] | None = None, *, then_wait: bool = False) -> Handler:
    """Hear one request and give one answer; with *then_wait* leave the connection open."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(answer)
        await writer.drain()
        if then_wait:
            await reader.read()

    return handler


def tcp(port: int, host: str = "127.0.0.1", **changes: Any) -> ProbeConfig:
    return ProbeConfig(name="tcp", kind=ProbeKind.TCP, target=f"{host}:{port}", **{"timeout": LONG} | changes)


def http(port: int, path: str = "/", scheme: str = "http", **changes: Any) -> ProbeConfig:
    target = f"{scheme}://127.0.0.1:{port}{path}"
    return ProbeConfig(name="http", kind=ProbeKind.HTTP, target=target, **{"timeout": LONG} | changes)
