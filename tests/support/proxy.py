"""Detours between bgpmon and gobgpd that break what goes through them: one for octets, one for messages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio

if TYPE_CHECKING:
    Handler = grpc.GenericRpcHandler[bytes, bytes]
else:
    Handler = grpc.GenericRpcHandler

CHUNK = 16_384
"""Octets that are passed on at once."""

MESSAGE_LIMIT = 256 << 20
"""Octets of the largest message that gobgpd sends."""

_OPTIONS = (("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.max_send_message_length", MESSAGE_LIMIT))


class Detour:
    """Passes octets between a unix socket of its own and gobgpd's, until told otherwise.

    ``target`` is what bgpmon is to be configured with.  ``passed`` counts the octets that came from gobgpd, ``cuts`` the
    connections that were cut in the middle.
    """

    def __init__(self, directory: Path, gobgpd: Path) -> None:
        self.socket = directory / "detour.sock"
        self.target = f"unix://{self.socket}"
        self.passed = 0
        self.cuts = 0
        self._gobgpd = gobgpd
        self._open = asyncio.Event()
        self._open.set()
        self._rate: int | None = None
        self._cut_after: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()

    def stall(self) -> None:
        """Pass nothing on in either direction; every connection stays open."""
        self._open.clear()

    def flow(self) -> None:
        """Pass everything on at full speed again, what was held back first."""
        self._rate = self._cut_after = None
        self._open.set()

    def slow(self, rate: int) -> None:
        """Pass no more than *rate* octets a second on from gobgpd, on each connection."""
        self._rate = rate

    def cut(self, after: int = 0) -> None:
        """Cut every connection that is open, and every new one after *after* octets of gobgpd, until `flow`."""
        self._cut_after = after
        for writer in self._writers:
            writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one connection of bgpmon to a new one to gobgpd."""
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(str(self._gobgpd))
        except OSError:
            writer.close()
            return
        pair = {writer, far_writer}
        self._writers |= pair
        tasks = {
            asyncio.create_task(self._pass(reader, far_writer, counted=False)),
            asyncio.create_task(self._pass(far_reader, writer, counted=True)),
        }
        self._relays |= tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._relays -= tasks
            self._writers -= pair
            for end in pair:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        seen = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                if counted:
                    seen += len(data)
                    self.passed += len(data)
                    if self._cut_after is not None and seen > self._cut_after:
                        self.cuts += 1
                        return
                    if self._rate is not None:
                        await asyncio.sleep(len(data) / self._rate)
                writer.write(data)
                await writer.drain()

    def close(self) -> None:
        """Cut everything for good."""
        for task in self._relays:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def detour(directory: Path, gobgpd: Path) -> AsyncIterator[Detour]:
    """Run a `Detour` to gobgpd's socket; its own is in *directory*."""
    made = Detour(directory, gobgpd)
    server = await asyncio.start_unix_server(made.accept, str(made.socket))
    try:
        yield made
    finally:
        server.close()
        made.close()
        await server.wait_closed()


class Leak(Handler):
    """Passes gRPC calls on, and loses some of the small messages of streams while ``every`` is not 0.

    A message as small as this is a live event: the tables of a dump arrive.  ``lost`` counts.
    """

    SMALL = 2000

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.every = 0
        self.lost = 0
        self._seen = 0
        self._channel = channel

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Answer any method at all; one answer is a stream of one."""
        method = handler_call_details.method
        is_watch = method.endswith("/WatchEvent")

        async def relay(request: bytes, context: Any) -> AsyncIterator[bytes]:
            call = self._channel.unary_stream(method, _as_is, _as_is)(request)
            try:
                async for message in call:
                    if not (is_watch and self._loses(message)):
                        yield message
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
            finally:
                call.cancel()

        return grpc.unary_stream_rpc_method_handler(relay)

    def _loses(self, message: bytes) -> bool:
        if not self.every or len(message) > self.SMALL:
            return False
        self._seen += 1
        if self._seen % self.every:
            return False
        self.lost += 1
        return True


def _as_is(data: bytes) -> bytes:
    return data


@contextlib.asynccontextmanager
async def leaking(directory: Path, gobgpd: str) -> AsyncIterator[tuple[Leak, str]]:
    """Run a `Leak` before gobgpd's target; yields it and the target that bgpmon is to be configured with."""
    target = f"unix://{directory / 'leak.sock'}"
    async with grpc.aio.insecure_channel(gobgpd, options=_OPTIONS) as channel:
        leak = Leak(channel)
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers([leak])
        server.add_insecure_port(target)
        await server.start()
        try:
            yield leak, target
        finally:
            await server.stop(None)
