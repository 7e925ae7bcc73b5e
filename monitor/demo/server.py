"""Serves the simulated speaker as GoBGP 4 serves itself: gRPC on a unix socket.

Only what bgpmon calls is offered; every other call, table and look-up is answered with UNIMPLEMENTED.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path as FilePath
from typing import Any, NoReturn
from urllib.parse import quote

import grpc
import grpc.aio

from monitor.config.parse import SOCKET_PATH_MAX
from monitor.demo import message
from monitor.demo.session import Held, Session
from monitor.demo.speaker import Selection, Speaker
from monitor.errors import MonitorError
from monitor.gobgp._pb import v4_pb2
from programmer.route import Family, Prefix

SERVICE = "api.GoBgpService"
MESSAGE_LIMIT = 256 << 20
"""Octets, as gobgpd has it."""

RECONNECT_SECONDS = 3.0
"""How long a router takes to come back after its session was allowed again."""

_POST_POLICY, _END_OF_RIB = 3, 4
_KNOWN_FILTERS = frozenset({1, 2, _POST_POLICY, _END_OF_RIB})
_TABLE_GLOBAL, _TABLE_ADJ_IN = 1, 3
_EXACT = frozenset({0, 1})

Context = grpc.aio.ServicerContext[Any, Any]


@asynccontextmanager
async def serving(speaker: Speaker, socket: FilePath) -> AsyncIterator[None]:
    """Serve *speaker* on the unix socket while the context is open.  MonitorError when it cannot be made."""
    if len(str(socket).encode()) > SOCKET_PATH_MAX:
        raise MonitorError(f"{socket} is too long for a unix socket; set TMPDIR to a shorter directory")
    server = grpc.aio.server(options=[("grpc.max_send_message_length", MESSAGE_LIMIT)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, Calls(speaker).handlers()),))
    try:
        server.add_insecure_port(f"unix:{quote(str(socket))}")
    except RuntimeError as error:
        raise MonitorError(f"cannot listen on {socket}: {error}") from error
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


class Calls:
    """The calls of GoBgpService that bgpmon makes."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker

    def handlers(self) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
        """Return gRPC's handlers by the name of the call."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        table: dict[str, tuple[Callable[..., Any], Any, Any, Any]] = {
            "GetBgp": (unary, self.get_bgp, v4_pb2.GetBgpRequest, v4_pb2.GetBgpResponse),
            "ListPeer": (stream, self.list_peer, v4_pb2.ListPeerRequest, v4_pb2.ListPeerResponse),
            "EnablePeer": (unary, self.enable_peer, v4_pb2.EnablePeerRequest, v4_pb2.EnablePeerResponse),
            "DisablePeer": (unary, self.disable_peer, v4_pb2.DisablePeerRequest, v4_pb2.DisablePeerResponse),
            "ListPath": (stream, self.list_path, v4_pb2.ListPathRequest, v4_pb2.ListPathResponse),
            "ListRpki": (stream, self.list_rpki, v4_pb2.ListRpkiRequest, v4_pb2.ListRpkiResponse),
            "WatchEvent": (stream, self.watch_event, v4_pb2.WatchEventRequest, v4_pb2.WatchEventResponse),
        }
        return {
            name: kind(call, request_deserializer=ask.FromString, response_serializer=answer.SerializeToString)
            for name, (kind, call, ask, answer) in table.items()
        }

    async def get_bgp(self, _request: Any, _context: Context) -> Any:
        """Return AS and router id."""
        speaker = v4_pb2.Global(asn=self._speaker.asn, router_id=self._speaker.router_id)
        return v4_pb2.GetBgpResponse(**{"global": speaker})

    async def list_peer(self, request: Any, _context: Context) -> AsyncIterator[Any]:
        """Yield every peer, or the one that was asked for; nothing for one that is not known."""
        for session in list(self._speaker.sessions.values()):
            if request.address in {"", session.router.address}:
                yield v4_pb2.ListPeerResponse(peer=message.peer(session))

    async def enable_peer(self, request: Any, context: Context) -> Any:
        """Allow a session again; its router comes back a moment later."""
        loop = asyncio.get_running_loop()
        for session in await self._named(request.address, context):
            self._speaker.enable(session)
            loop.call_later(RECONNECT_SECONDS, self._speaker.establish, session.router.name)
        return v4_pb2.EnablePeerResponse()

    async def disable_peer(self, request: Any, context: Context) -> Any:
        """Shut a session."""
        for session in await self._named(request.address, context):
            self._speaker.disable(session)
        return v4_pb2.DisablePeerResponse()

    async def list_path(self, request: Any, context: Context) -> AsyncIterator[Any]:
        """Yield the paths of each prefix: of all peers after policy and loop check, or of one peer before them.

        A look-up of prefixes finds them exactly.  RPKI states are told of the global table alone.
        """
        family = message.family_of_message(request.family)
        exact = all(one.type in _EXACT for one in request.prefixes)
        if request.table_type not in {_TABLE_GLOBAL, _TABLE_ADJ_IN} or not exact or family is None:
            await _refuse(context, grpc.StatusCode.UNIMPLEMENTED, "the demo has no such table or look-up")
        if request.table_type == _TABLE_ADJ_IN:
            sessions = await self._named(request.name, context)
        else:
            sessions = list(self._speaker.sessions.values())
        try:
            prefixes = [ip_network(one.prefix) for one in request.prefixes]
        except ValueError as error:
            await _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        for prefix, paths in self._destinations(sessions, family, prefixes):
            if request.table_type == _TABLE_ADJ_IN:
                messages = [message.path(session, held) for session, held in paths]
            else:
                messages = [self._validated(session, held) for session, held in paths if held.told]
            if messages:
                yield v4_pb2.ListPathResponse(destination=v4_pb2.Destination(prefix=prefix, paths=messages))

    async def list_rpki(self, _request: Any, _context: Context) -> AsyncIterator[Any]:
        """Yield the one cache that there is."""
        yield v4_pb2.ListRpkiResponse(server=message.rpki_server(self._speaker.roas, self._speaker.started_at))

    @staticmethod
    def _destinations(
        sessions: Iterable[Session], family: Family, prefixes: Sequence[Prefix]
    ) -> Iterable[tuple[str, list[tuple[Session, Held]]]]:
        """Return what is held of these prefixes, or of every one without any, by prefix."""
        found: dict[str, list[tuple[Session, Held]]] = {}
        for session in sessions:
            named = (session.held.get(prefix) for prefix in prefixes)
            wanted = (held for held in named if held is not None) if prefixes else session.of(family)
            for held in wanted:
                found.setdefault(str(held.announcement.prefix), []).append((session, held))
        return found.items()

    def _validated(self, session: Session, held: Held) -> Any:
        announcement = held.announcement
        state = self._speaker.roas.state(announcement.prefix, announcement.as_path[-1])
        return message.validated(session, held, state)

    async def watch_event(self, request: Any, context: Context) -> AsyncIterator[message.Response]:
        """Yield the initial lists, then every change, until the caller goes."""
        filters = {one.type: one.init for one in request.table.filters}
        if not filters.keys() <= _KNOWN_FILTERS or not (filters or request.HasField("peer")):
            await _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "unknown filter type, or nothing to watch")
        if not filters.keys() <= {_POST_POLICY, _END_OF_RIB}:
            await _refuse(context, grpc.StatusCode.UNIMPLEMENTED, "the demo tells of paths after import policy alone")
        selection = Selection(
            peers=request.HasField("peer"),
            paths=_POST_POLICY in filters,
            paths_init=filters.get(_POST_POLICY, False),
            markers=_END_OF_RIB in filters,
            markers_init=filters.get(_END_OF_RIB, False),
            batch=request.batch_size,
        )
        with self._speaker.watch(selection) as queue:
            while True:
                yield await queue.get()

    async def _named(self, address: str, context: Context) -> list[Session]:
        """Return the peer of this address; as in GoBGP, an empty one means all of them."""
        found = [one for one in self._speaker.sessions.values() if address in {"", one.router.address}]
        if not found:
            await _refuse(context, grpc.StatusCode.UNKNOWN, f"neighbor that has {address} doesn't exist")
        return found


async def _refuse(context: Context, status: grpc.StatusCode, text: str) -> NoReturn:
    await context.abort(status, text)
    raise AssertionError("abort raises")
