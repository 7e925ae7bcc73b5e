"""Calls the daemon's API from another process; no exception of grpc leaves this module."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import grpc

from monitor.api import ADMIN_SOCKET, CONTROL, FEED, MESSAGE_LIMIT, METADATA_LIMIT, READ_SOCKET
from monitor.api._pb import bgpmon_pb2 as messages
from monitor.errors import ApiError, BadRequest, DaemonSlow, DaemonUnreachable, Refused, RolledBack, Stale
from monitor.ports import Document, Endorsement

CALL_TIMEOUT = 30.0
"""Seconds."""

APPLY_TIMEOUT = 600.0
"""Seconds; writing a plan of a million routes takes minutes on a small node."""

_ERRORS: dict[grpc.StatusCode, type[ApiError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: BadRequest,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.ABORTED: Stale,
    grpc.StatusCode.OUT_OF_RANGE: RolledBack,
}

_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_metadata_size", METADATA_LIMIT),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)

NOBODY = Endorsement()
"""A decision that only the socket vouches for."""


def _message(endorsement: Endorsement) -> messages.Endorsement:
    return messages.Endorsement(**endorsement._asdict())


class Client:
    """A connection to the daemon of one run_dir: Feed over read.sock, Control over admin.sock.

    Every call blocks and returns the document that ``monitor.ports`` describes.  It raises DaemonUnreachable,
    Refused, RolledBack, Stale or BadRequest, and ApiError for all else that the daemon says.  Use it as a context manager, or
    call ``close``.
    """

    def __init__(self, run_dir: str | os.PathLike[str], timeout: float = CALL_TIMEOUT) -> None:
        self._folder = Path(run_dir).absolute()
        self._timeout = timeout
        self._channels: dict[str, grpc.Channel] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        while self._channels:
            self._channels.popitem()[1].close()

    def status(self) -> Document:
        """Return the node on one screen."""
        return self._feed("Status", messages.StatusRequest())

    def knock(self) -> Document:
        """Return the status as admin.sock tells it: who gets an answer may change something."""
        return self._call(ADMIN_SOCKET, f"/{FEED}/Status", messages.StatusRequest(), self._timeout)

    def peers(self, address: str = "") -> Document:
        """Return all peers, or the one at *address*."""
        return self._feed("Peers", messages.PeersRequest(address=address))

    def domains(self) -> Document:
        """Return the routing domains."""
        return self._feed("Domains", messages.DomainsRequest())

    def routes(self, filter_text: str = "", domain: str = "", limit: int | None = None) -> Document:
        """Return desired and installed routes; without *limit*, as many as the daemon thinks fit."""
        return self._feed("Routes", messages.RoutesRequest(filter=filter_text, domain=domain, limit=limit))

    def view(
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
        """Open a list of routes, of which ``window`` returns a part; waits up to *wait* seconds until it is complete."""
        request = messages.ViewRequest(
            filter=filter_text,
            domain=domain,
            sort=sort,
            descending=descending,
            problems=problems,
            replaces=replaces,
            wait=wait,
        )
        return self._feed("View", request)

    def window(
        self, view: int, first: int = 0, count: int | None = None, around: str = "", before: int = 0
    ) -> Document:
        """Return some rows of a view, from *first* on or around a row; without *count*, as many as the daemon thinks fit."""
        request = messages.WindowRequest(view=view, first=first, count=count, around=around, before=before)
        return self._feed("Window", request)

    def close_view(self, view: int) -> Document:
        """Drop a view."""
        return self._feed("CloseView", messages.CloseViewRequest(view=view))

    def explain(self, prefix: str, domain: str = "") -> Document:
        """Return why a prefix has its route, or has none."""
        return self._feed("Explain", messages.ExplainRequest(prefix=prefix, domain=domain))

    def lookup(self, address: str) -> Document:
        """Return where a packet to *address* would go."""
        return self._feed("Lookup", messages.LookupRequest(address=address))

    def plan(self, digest: str = "", limit: int | None = None) -> Document:
        """Return the live plan, or the frozen one of *digest*; without *limit*, as much of it as the daemon thinks fit."""
        return self._feed("Plan", messages.PlanRequest(digest=digest, limit=limit))

    def plans(self, limit: int | None = None) -> Document:
        """Return frozen plans, newest first."""
        return self._feed("Plans", messages.PlansRequest(limit=limit))

    def compare_plans(self, first: str, second: str = "") -> Document:
        """Return what two plans have in common, and what only one of them has; the second one may be the live plan."""
        return self._feed("ComparePlans", messages.ComparePlansRequest(first=first, second=second))

    def export_plan(self, digest: str) -> Document:
        """Return everything that the digest of a frozen plan is over."""
        return self._feed("ExportPlan", messages.ExportPlanRequest(digest=digest))

    def statement(self, digest: str, act: str = "approve", ticket: str = "", expires: float = 0.0) -> Document:
        """Return what a person signs to decide about a plan."""
        request = messages.StatementRequest(digest=digest, act=act, ticket=ticket, expires=expires)
        return self._feed("Statement", request)

    def judge(self, digest: str = "") -> Document:
        """Return which approval rule decides on each operation of a plan, or of the live one."""
        return self._feed("Judge", messages.JudgeRequest(digest=digest))

    def windows(self, at: float = 0.0, count: int | None = None) -> Document:
        """Return when changes may be applied, from a moment on (seconds since the epoch; 0: now)."""
        return self._feed("Windows", messages.WindowsRequest(at=at, count=count))

    def holds(self) -> Document:
        """Return what is kept out of plans."""
        return self._feed("Holds", messages.HoldsRequest())

    def events(self, after: int = 0, since: float = 0.0, limit: int | None = None, wait: float = 0.0) -> Document:
        """Return records of the journal in order; waits up to *wait* seconds for the first one."""
        return self._feed("Events", messages.EventsRequest(after=after, since=since, limit=limit, wait=wait))

    def audit(self) -> Document:
        """Return whether the journal is whole."""
        return self._call(READ_SOCKET, f"/{FEED}/Audit", messages.AuditRequest(), APPLY_TIMEOUT)

    def export_audit(self, after: int = 0, since: float = 0.0, limit: int | None = None) -> Document:
        """Return records of the journal as lines of JSON."""
        return self._feed("ExportAudit", messages.ExportAuditRequest(after=after, since=since, limit=limit))

    def replay(self, at: float, what: str, filter_text: str = "", limit: int | None = None) -> Document:
        """Return ``status``, ``plan`` or ``routes`` as they were at a moment (seconds since the epoch)."""
        request = messages.ReplayRequest(at=at, what=what, filter=filter_text, limit=limit)
        return self._call(READ_SOCKET, f"/{FEED}/Replay", request, APPLY_TIMEOUT)

    def history(self, prefix: str = "", limit: int | None = None) -> Document:
        """Return what was done, newest first; without *limit*, as much as the daemon thinks fit."""
        return self._feed("History", messages.HistoryRequest(prefix=prefix, limit=limit))

    def doctor(self) -> Document:
        """Return the checks of the daemon's surroundings."""
        return self._feed("Doctor", messages.DoctorRequest())

    def freeze(self, filter_text: str = "", *, denied: bool = False, name: str = "") -> Document:
        """Freeze the live plan, or what a filter matches of it."""
        request = messages.FreezeRequest(filter=filter_text, denied=denied, name=name)
        return self._control("Freeze", request, APPLY_TIMEOUT)

    def approve(self, digest: str, endorsement: Endorsement = NOBODY) -> Document:
        """Approve a frozen plan; where that was the last approval it needed, wait until it is applied."""
        request = messages.ApproveRequest(digest=digest, endorsement=_message(endorsement))
        return self._control("Approve", request, APPLY_TIMEOUT)

    def reject(self, digest: str, reason: str, endorsement: Endorsement = NOBODY) -> Document:
        """Refuse a plan that has not been applied."""
        request = messages.RejectRequest(digest=digest, reason=reason, endorsement=_message(endorsement))
        return self._control("Reject", request)

    def confirm(self, digest: str, endorsement: Endorsement = NOBODY) -> Document:
        """Keep a change that soaks."""
        request = messages.ConfirmRequest(digest=digest, endorsement=_message(endorsement))
        return self._control("Confirm", request)

    def roll_back(self, digest: str = "", reason: str = "", name: str = "") -> Document:
        """Take back the change that soaks, and wait for it; of an older one, freeze the way back."""
        request = messages.RollBackRequest(digest=digest, reason=reason, name=name)
        return self._control("RollBack", request, APPLY_TIMEOUT)

    def extend(self, digest: str, seconds: float) -> Document:
        """Give a change that soaks more time."""
        return self._control("Extend", messages.ExtendRequest(digest=digest, seconds=seconds))

    def hold(self, filter_text: str, seconds: float, reason: str) -> Document:
        """Keep operations out of plans for a time."""
        return self._control("Hold", messages.HoldRequest(filter=filter_text, seconds=seconds, reason=reason))

    def release(self, number: int) -> Document:
        """End a hold."""
        return self._control("Release", messages.ReleaseRequest(id=number))

    def pause(self, reason: str) -> Document:
        """Let nothing be written until resumed."""
        return self._control("Pause", messages.PauseRequest(reason=reason))

    def resume(self) -> Document:
        """Let things be written again."""
        return self._control("Resume", messages.ResumeRequest())

    def reload(self) -> Document:
        """Have the configuration file read again."""
        return self._control("Reload", messages.ReloadRequest())

    def withdraw_all(self) -> Document:
        """Remove every route and rule of ours, and wait for it."""
        return self._control("WithdrawAll", messages.WithdrawAllRequest(), APPLY_TIMEOUT)

    def _feed(self, method: str, request: Any) -> Document:
        return self._call(READ_SOCKET, f"/{FEED}/{method}", request, self._timeout)

    def _control(self, method: str, request: Any, timeout: float = 0.0) -> Document:
        return self._call(ADMIN_SOCKET, f"/{CONTROL}/{method}", request, max(timeout, self._timeout))

    def _call(self, socket: str, method: str, request: Any, timeout: float) -> Document:
        path = self._folder / socket
        call = self._channel(path).unary_unary(
            method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=messages.Document.FromString,
        )
        try:
            answer = call(request, timeout=timeout, wait_for_ready=False)
        except grpc.RpcError as error:
            raise _explained(error, path, method, timeout) from error
        return decode(answer.json, path)

    def _channel(self, path: Path) -> grpc.Channel:
        channel = self._channels.get(path.name)
        if channel is None:
            _check_socket(path)
            channel = grpc.insecure_channel(f"unix:{quote(str(path))}", options=_OPTIONS)
            self._channels[path.name] = channel
        return channel


def _check_socket(path: Path) -> None:
    """Raise DaemonUnreachable, with what to do, when *path* is no socket that we may open."""
    try:
        known = path.is_socket()
    except OSError as error:
        raise DaemonUnreachable(f"cannot look at {path}: {error.strerror}") from error
    if not known:
        raise DaemonUnreachable(
            f"no daemon: there is no socket {path}; is `bgpmon run` running on this host, "
            "and is --run-dir (or $BGPMON_RUN_DIR) its run_dir?"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        state = path.stat()
        raise DaemonUnreachable(
            f"permission denied on {path}: it opens for uid {state.st_uid}"
            f"{f' and the members of gid {state.st_gid}' if state.st_mode & 0o060 else ''}, "
            f"and we are uid {os.geteuid()}; become that user, or set api.group for those who only look"
        )


def _explained(error: grpc.RpcError, path: Path, method: str, timeout: float) -> ApiError:
    """Return our error in place of grpc's."""
    if not isinstance(error, grpc.Call):
        return ApiError(f"{path}: {error}")
    code, text = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE:
        return DaemonUnreachable(
            f"no daemon answers on {path}; is `bgpmon run` running? Its log says why it ended, or look at it with "
            "`systemctl status bgpmon` or `kubectl logs`"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DaemonSlow(
            f"the daemon at {path} did not answer within {timeout:g} seconds; a change that was asked for goes on, "
            "see `bgpmon history`"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        _, service, name = method.split("/")
        return Refused(
            f"{path} does not offer {name} of {service}; what changes something is on {ADMIN_SOCKET} alone, "
            "and the daemon must be as new as this program"
        )
    return _ERRORS.get(code, ApiError)(text or f"{path}: {code.name}")


def decode(octets: bytes, path: Path) -> Document:
    """Return the document in *octets*; ApiError when it is no JSON object."""
    try:
        document = json.loads(octets)
    except ValueError as error:
        raise ApiError(f"{path} answered with something that is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ApiError(f"{path} answered with JSON that is not an object")
    return document
