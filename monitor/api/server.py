"""Serves Feed and Control on the two unix sockets of the run_dir."""

import asyncio
import grp
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import grpc
import grpc.aio

from monitor.api import ADMIN_SOCKET, CONTROL, FEED, MESSAGE_LIMIT, METADATA_LIMIT, READ_SOCKET
from monitor.api._pb import bgpmon_pb2 as messages
from monitor.api.credentials import Doorkeeper
from monitor.api.vacant import vacant
from monitor.errors import BadRequest, ConfigError, MonitorError, Refused, RolledBack, Stale
from monitor.ports import Control, Document, Endorsement, Feed
from programmer.errors import PlanRefused, PlanStale, PlanUnknown, ProgrammerError

REQUEST_LIMIT = 128 << 10
"""Octets of the largest request: a statement with its signature is the longest thing that anybody sends."""

DETAILS_LIMIT = 4096
"""Octets of a status text; more of it would not fit the metadata that other clients accept."""

CALL_LIMIT = 64
"""Calls at once on one socket; further ones are told to come again (RESOURCE_EXHAUSTED)."""

STOP_GRACE = 2.0
"""Seconds that calls have to end in when the daemon stops."""

INNER_SOCKET = ".admin"
"""Where gRPC listens behind the doorkeeper of admin.sock; nobody is to connect to it.  No longer than that name: the longest
run_dir leaves no room for more."""

_STATUSES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (BadRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (ConfigError, grpc.StatusCode.INVALID_ARGUMENT),
    (Refused, grpc.StatusCode.FAILED_PRECONDITION),
    (PlanRefused, grpc.StatusCode.FAILED_PRECONDITION),
    (RolledBack, grpc.StatusCode.OUT_OF_RANGE),
    (Stale, grpc.StatusCode.ABORTED),
    (PlanStale, grpc.StatusCode.ABORTED),
    (PlanUnknown, grpc.StatusCode.ABORTED),
)

_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_receive_message_length", REQUEST_LIMIT),
    ("grpc.max_metadata_size", METADATA_LIMIT),
)

Call = Callable[[Any, str], Awaitable[Document]]
"""A request message, and who asks, to the document that answers it."""

log = logging.getLogger(__name__)


@asynccontextmanager
async def serve(
    run_dir: str | os.PathLike[str], group: str | None, feed: Feed, control: Control
) -> AsyncIterator[None]:
    """Serve while the context is open: Feed on read.sock (0660, *group*), Feed and Control on admin.sock (0600).

    Makes *run_dir* (0755) if it is missing, and replaces sockets that a dead daemon left; whoever calls holds the
    daemon's lock.  Changes that are under way when the context closes are waited for.  Raises MonitorError when a
    socket cannot be made.
    """
    folder = Path(run_dir)
    running: set[asyncio.Task[Document]] = set()
    feed_calls, control_calls = _feed_calls(feed), _control_calls(control)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_finish, running)
        _make_folder(folder)
        # What is outside is entered last and left first, so that nobody knocks where nobody opens.
        doorkeeper = Doorkeeper(folder / ADMIN_SOCKET, folder / INNER_SOCKET)
        actor = _actor_of(doorkeeper)
        for name, mode, owners, services in (
            (READ_SOCKET, 0o660, group, {FEED: _handlers(feed_calls, lambda _: "")}),
            (INNER_SOCKET, 0o600, None, {
                FEED: _handlers(feed_calls, lambda _: ""),
                CONTROL: _handlers(control_calls, actor, running)}),
        ):  # fmt: skip
            server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=CALL_LIMIT)
            for service, handlers in services.items():
                server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
            if name == INNER_SOCKET:
                await stack.enter_async_context(doorkeeper)
            stack.push_async_callback(_stop, server, folder / name)
            _listen(server, folder / name, mode, owners)
            await server.start()
        yield


Actor = Callable[[str], str]
"""What ``context.peer()`` says, to who asks."""


def _actor_of(doorkeeper: Doorkeeper) -> Actor:
    """Return what names a caller; whoever found another way in may change nothing."""

    def actor(peer: str) -> str:
        caller = doorkeeper.caller(peer)
        if caller is None:
            raise Refused(f"nobody knows who asks; use {ADMIN_SOCKET}")
        return caller.text

    return actor


async def _stop(server: grpc.aio.Server, path: Path) -> None:
    await server.stop(STOP_GRACE)
    _remove(path)


async def _finish(running: set[asyncio.Task[Document]]) -> None:
    """Wait for the changes under way; called once no further one can begin."""
    if running:
        await asyncio.wait(running)


def _remove(path: Path) -> None:
    """Remove the socket *path*; whatever else has its name is not ours."""
    if path.is_socket():
        path.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise MonitorError(f"cannot make {folder}: {error.strerror}; set run_dir to a directory of ours") from error


def _listen(server: grpc.aio.Server, path: Path, mode: int, group: str | None) -> None:
    """Bind *server* to the socket *path*, which nobody but its owner can open before it has its final mode."""
    group_id = _group_id(group)
    try:
        with vacant(path):
            server.add_insecure_port(f"unix:{quote(str(path))}")
            if group_id != -1:
                os.chown(path, -1, group_id)
            path.chmod(mode)
    except RuntimeError as error:
        raise MonitorError(f"cannot listen on {path}: {error}") from error


def _group_id(group: str | None) -> int:
    """Return the number of a group; -1, which chown leaves alone, for none."""
    if group is None:
        return -1
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise MonitorError(f"api.group: there is no group {group!r} on this host") from None


def _feed_calls(feed: Feed) -> Mapping[str, tuple[Any, Call]]:
    """Return the calls of Feed by name, each with its request's class."""

    def given(request: Any, field: str = "limit") -> dict[str, int]:
        return {field: getattr(request, field)} if request.HasField(field) else {}

    return {
        "Status": (messages.StatusRequest, lambda _it, _: feed.status()),
        "Peers": (messages.PeersRequest, lambda it, _: feed.peers(it.address)),
        "Domains": (messages.DomainsRequest, lambda _it, _: feed.domains()),
        "Routes": (messages.RoutesRequest, lambda it, _: feed.routes(it.filter, it.domain, **given(it))),
        "View": (
            messages.ViewRequest,
            lambda it, _: feed.view(
                it.filter,
                it.domain,
                it.sort,
                descending=it.descending,
                problems=it.problems,
                replaces=it.replaces,
                wait=it.wait,
            ),
        ),
        "Window": (
            messages.WindowRequest,
            lambda it, _: feed.window(it.view, it.first, around=it.around, before=it.before, **given(it, "count")),
        ),
        "CloseView": (messages.CloseViewRequest, lambda it, _: feed.close_view(it.view)),
        "Explain": (messages.ExplainRequest, lambda it, _: feed.explain(it.prefix, it.domain)),
        "Lookup": (messages.LookupRequest, lambda it, _: feed.lookup(it.address)),
        "Plan": (messages.PlanRequest, lambda it, _: feed.plan(it.digest, **given(it))),
        "Plans": (messages.PlansRequest, lambda it, _: feed.plans(**given(it))),
        "ComparePlans": (messages.ComparePlansRequest, lambda it, _: feed.compare(it.first, it.second)),
        "ExportPlan": (messages.ExportPlanRequest, lambda it, _: feed.export(it.digest)),
        "Statement": (
            messages.StatementRequest,
            lambda it, _: feed.statement(it.digest, it.act or "approve", it.ticket, it.expires),
        ),
        "Judge": (messages.JudgeRequest, lambda it, _: feed.judge(it.digest)),
        "Windows": (messages.WindowsRequest, lambda it, _: feed.windows(it.at, **given(it, "count"))),
        "Holds": (messages.HoldsRequest, lambda _it, _: feed.holds()),
        "History": (messages.HistoryRequest, lambda it, _: feed.history(it.prefix, **given(it))),
        "Events": (messages.EventsRequest, lambda it, _: feed.events(it.after, it.since, wait=it.wait, **given(it))),
        "Audit": (messages.AuditRequest, lambda _it, _: feed.audit()),
        "ExportAudit": (messages.ExportAuditRequest, lambda it, _: feed.audit_export(it.after, it.since, **given(it))),
        "Replay": (messages.ReplayRequest, lambda it, _: feed.replay(it.at, it.what, it.filter, **given(it))),
        "Doctor": (messages.DoctorRequest, lambda _it, _: feed.doctor()),
    }


def _endorsement(request: Any) -> Endorsement:
    said = request.endorsement
    return Endorsement(said.statement, said.signature, said.ticket, said.comment, said.name, said.break_glass)


def _control_calls(control: Control) -> Mapping[str, tuple[Any, Call]]:
    """Return the calls of Control by name, each with its request's class."""
    return {
        "Freeze": (
            messages.FreezeRequest,
            lambda it, actor: control.freeze(actor, it.filter, denied=it.denied, name=it.name),
        ),
        "Approve": (messages.ApproveRequest, lambda it, actor: control.approve(it.digest, actor, _endorsement(it))),
        "Reject": (
            messages.RejectRequest,
            lambda it, actor: control.reject(it.digest, it.reason, actor, _endorsement(it)),
        ),
        "Confirm": (messages.ConfirmRequest, lambda it, actor: control.confirm(it.digest, actor, _endorsement(it))),
        "RollBack": (
            messages.RollBackRequest,
            lambda it, actor: control.roll_back(it.digest, actor, it.reason, it.name),
        ),
        "Extend": (messages.ExtendRequest, lambda it, actor: control.extend(it.digest, it.seconds, actor)),
        "Hold": (messages.HoldRequest, lambda it, actor: control.hold(it.filter, it.seconds, it.reason, actor)),
        "Release": (messages.ReleaseRequest, lambda it, actor: control.release(it.id, actor)),
        "Pause": (messages.PauseRequest, lambda it, actor: control.pause(it.reason, actor)),
        "Resume": (messages.ResumeRequest, lambda _it, actor: control.resume(actor)),
        "Reload": (messages.ReloadRequest, lambda _it, actor: control.reload(actor)),
        "WithdrawAll": (messages.WithdrawAllRequest, lambda _it, actor: control.withdraw_all(actor)),
    }


def _handlers(
    calls: Mapping[str, tuple[Any, Call]], actor: Actor, running: set[asyncio.Task[Document]] | None = None
) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    """Return gRPC's handlers of *calls*; with *running*, each call ends whether or not its caller still waits."""
    return {
        name: grpc.unary_unary_rpc_method_handler(
            _behaviour(name, call, actor, running),
            request_deserializer=request.FromString,
            response_serializer=messages.Document.SerializeToString,
        )
        for name, (request, call) in calls.items()
    }


def _behaviour(name: str, call: Call, actor: Actor, running: set[asyncio.Task[Document]] | None) -> Callable[..., Any]:
    async def answer(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            work = call(request, actor(context.peer()))
            document = await (work if running is None else _to_the_end(name, work, running))
        except (MonitorError, ProgrammerError) as error:
            status = next((code for kind, code in _STATUSES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
            await _abort(context, status, str(error))
        octets = encode(document)
        if len(octets) > MESSAGE_LIMIT - 64:
            text = f"the answer is larger than {MESSAGE_LIMIT >> 20} MiB; ask for less with a filter or a limit"
            await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        return messages.Document(json=octets)

    return answer


async def _abort(context: grpc.aio.ServicerContext[Any, Any], status: grpc.StatusCode, text: str) -> NoReturn:
    octets = text.encode(errors="backslashreplace")
    if len(octets) > DETAILS_LIMIT:
        text = octets[:DETAILS_LIMIT].decode(errors="ignore") + "\n… (cut off)"
    await context.abort(status, text)
    raise AssertionError("abort raises")


async def _to_the_end(name: str, work: Awaitable[Document], running: set[asyncio.Task[Document]]) -> Document:
    """Return what *work* returns; it goes on when the caller is gone, which cancels only this waiting."""

    async def run() -> Document:
        return await work

    task = asyncio.create_task(run(), name=f"control {name}")
    running.add(task)
    task.add_done_callback(running.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_report_lost)
        raise


def _report_lost(task: asyncio.Task[Document]) -> None:
    """Log the end of a change whose caller did not wait for it."""
    if task.cancelled():
        log.warning("%s was cancelled after its caller had gone", task.get_name())
    elif error := task.exception():
        log.warning("%s failed after its caller had gone: %s", task.get_name(), error)
    else:
        log.info("%s ended after its caller had gone", task.get_name())


def encode(document: Document) -> bytes:
    """Return a document as JSON in UTF-8; text that is not Unicode (lone surrogates) becomes JSON's own escapes."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(errors="backslashreplace")
