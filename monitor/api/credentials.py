"""Who calls: a doorkeeper in front of a gRPC socket, which notes the credentials of every caller.

gRPC for Python does not tell the credentials (SO_PEERCRED, unix(7)) of a unix socket's peer, but ``context.peer()``
tells the name that the peer's socket is bound to.  So the doorkeeper listens on the outer socket, notes who
connected, and carries the octets both ways to the gRPC server on the inner socket, over a connection whose near end
is bound to an abstract name of its own.  The handler gives ``context.peer()`` and gets the caller.

The kernel vouches for uid, gid and pid of whoever called connect(2).  Login and program are what /proc says of that
pid a moment later, and are remarks for the reader: a process may have become another program, or be gone.

The inner socket must open for its owner alone (0600).  Whoever connects to it directly has no name, and is no caller.
"""

import asyncio
import logging
import os
import pwd
import secrets
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from monitor.api.vacant import vacant

CONNECTION_LIMIT = 64
"""Connections at once; further ones are closed at once."""

HIGH_WATER = 64 << 10
"""Octets that wait for one end of a connection before the other end is no longer read."""

NAME_PATIENCE = 1.0
"""Seconds that the names of users may take (a directory service may be away); numbers stand for them after that."""

ACCEPT_PAUSE = 1.0
"""Seconds until callers are let in again after the system had no descriptor or memory for one."""

CLOSE_GRACE = 0.5
"""Seconds that connections have to carry what is under way, such as last answers, when the doorkeeper leaves."""

_CREDENTIALS = struct.Struct("iII")
"""pid, uid, gid: struct ucred of linux/socket.h."""

_UNSET = 0xFFFFFFFF
"""The login uid of a process that no login started (AUDIT_UID_UNSET of linux/audit.h)."""

_PROC = Path("/proc")

log = logging.getLogger(__name__)


class Caller(NamedTuple):
    """A process that connected; ``pid`` is 0 when it is not to be seen from here (another pid namespace).

    ``user`` is the name of ``uid``, or its number; ``login`` is who logged in before any sudo, empty if unknown;
    ``program`` is the process's name, empty if unknown.
    """

    uid: int
    gid: int
    pid: int
    login: str
    user: str
    program: str

    @property
    def text(self) -> str:
        """The caller on one line, for the journal: ``uid 0 (root), login alice, pid 4711 bgpmon``."""
        known = self.user != str(self.uid)
        parts = [f"uid {self.uid} ({self.user})" if known else f"uid {self.uid}"]
        if self.login:
            parts.append(f"login {self.login}")
        if self.pid:
            parts.append(f"pid {self.pid} {self.program}".rstrip())
        return ", ".join(parts)


class Doorkeeper:
    """Lets callers in while its context is open, and knows those that are connected now.

    ``outer`` is the socket that they open, which gets ``mode``; ``inner`` is gRPC's.  A socket that a dead daemon left
    at ``outer`` is replaced; whoever calls holds the daemon's lock.  Entering raises MonitorError when ``outer``
    cannot be made.  The gRPC server may begin later: a caller that finds none is turned away.  Stop the server before
    the context closes, so that last answers arrive; what is open after that ends within a second.
    """

    def __init__(self, outer: Path, inner: Path, mode: int = 0o600, limit: int = CONNECTION_LIMIT) -> None:
        self._outer = outer
        self._inner = inner
        self._mode = mode
        self._limit = limit
        self._callers: dict[str, Caller] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._names = ThreadPoolExecutor(max_workers=1, thread_name_prefix="names of users")
        self._listener: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._full = False

    async def __aenter__(self) -> Self:
        self._listener = _listener(self._outer, self._mode)
        self._watch(self._listener)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is None:
            return
        if self._outer.is_socket():
            self._outer.unlink(missing_ok=True)
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        if self._pause is not None:
            self._pause.cancel()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=CLOSE_GRACE)
        finally:
            for task in self._tasks:
                task.cancel()
            self._names.shutdown(wait=False, cancel_futures=True)
            if self._tasks:
                await asyncio.wait(self._tasks)

    def caller(self, peer: str) -> Caller | None:
        """Return who is behind *peer*, a gRPC handler's ``context.peer()``.

        None when that connection has ended, or did not come through this doorkeeper.
        """
        return self._callers.get(peer)

    def _watch(self, listener: socket.socket) -> None:
        self._pause = None
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Let one caller in, and note who it is while it is likely to be there."""
        try:
            outer, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # The caller still waits in the queue, so that the socket stays readable: look away for a while.
            log.warning("cannot let a caller in: %s; trying again in %g s", error.strerror, ACCEPT_PAUSE)
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            self._pause = loop.call_later(ACCEPT_PAUSE, self._watch, listener)
            return
        if len(self._tasks) >= self._limit:
            outer.close()
            if not self._full:
                log.warning("%d callers are connected, which is the limit; further ones are turned away", self._limit)
            self._full = True
            return
        outer.settimeout(0.0)
        pid, uid, gid = _CREDENTIALS.unpack(outer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        login, program = _process(_PROC / str(pid)) if pid else (None, "")
        caller = Caller(uid, gid, pid, "" if login is None else str(login), str(uid), program)
        task = asyncio.create_task(self._serve(outer, caller, login), name=f"caller {caller.text}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, outer))

    def _ended(self, task: asyncio.Task[None], outer: socket.socket) -> None:
        """Take leave of a caller; a task that was cancelled before it began has left its socket open."""
        outer.close()
        self._tasks.discard(task)
        self._full = False
        if not task.cancelled() and (error := task.exception()):
            log.error("%s was not served", task.get_name(), exc_info=error)

    async def _serve(self, outer: socket.socket, caller: Caller, login: int | None) -> None:
        """Carry what *outer* and the gRPC server say to each other until both have ended."""
        caller = await self._named(caller, login)
        name = f"bgpmon-caller-{secrets.token_hex(16)}"
        peer = f"unix-abstract:{name}"
        try:
            inner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            with closing(inner):
                inner.bind(f"\0{name}")
                inner.connect(str(self._inner))
                self._callers[peer] = caller
                await _carry(outer, inner)
        except OSError as error:
            log.warning("cannot connect %s to %s: %s", caller.text, self._inner, error.strerror or error)
        finally:
            self._callers.pop(peer, None)

    async def _named(self, caller: Caller, login: int | None) -> Caller:
        """Return *caller* with names; looked up in a thread, since a directory service may keep one waiting."""

        def names() -> tuple[str, str]:
            return _user_name(caller.uid), "" if login is None else _user_name(login)

        try:
            # Unlike wait_for, this lets no cancellation slip by that comes at the same time as the names.
            async with asyncio.timeout(NAME_PATIENCE):
                user, origin = await asyncio.get_running_loop().run_in_executor(self._names, names)
        except TimeoutError:
            log.warning("the name of uid %d was not found within %g s", caller.uid, NAME_PATIENCE)
            return caller
        return caller._replace(user=user, login=origin)


def _listener(path: Path, mode: int) -> socket.socket:
    """Return a socket that listens on *path*, which nobody but its owner can open before it has its final mode."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with vacant(path):
            listener.bind(os.fsencode(path))
            path.chmod(mode)
            listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _process(folder: Path) -> tuple[int | None, str]:
    """Return the login uid (None if unset or unknown) and the name of the process whose *folder* in /proc this is."""
    try:
        login = int((folder / "loginuid").read_text())
    except (OSError, ValueError):
        login = _UNSET
    try:
        program = (folder / "comm").read_bytes().removesuffix(b"\n").decode(errors="replace")
    except OSError:
        program = ""
    return None if login == _UNSET else login, _clean(program)


def _user_name(uid: int) -> str:
    try:
        return _clean(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)


def _clean(text: str) -> str:
    """Return *text* without characters that would break or hide a line of the journal."""
    return "".join(char if char.isprintable() else "?" for char in text).strip()


class _End(asyncio.Protocol):
    """One end of a connection: what it reads, the other end writes, no faster than that can."""

    other: "_End"

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.lost = asyncio.get_running_loop().create_future()
        self.has_read_all = False

    @property
    def _there(self) -> asyncio.Transport:
        """The other end's transport; nothing is read before there is one."""
        assert self.other.transport is not None
        return self.other.transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        if self.other.transport is None:
            transport.pause_reading()
        else:
            self._there.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._there.write(data)

    def eof_received(self) -> bool:
        """Pass the end on; the way back stays open until it ends as well."""
        self.has_read_all = True
        self._there.write_eof()
        return not self.other.has_read_all

    def pause_writing(self) -> None:
        self._there.pause_reading()

    def resume_writing(self) -> None:
        self._there.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end as soon as it has written what it still has."""
        self.lost.set_result(None)
        if self.other.transport is not None:
            self.other.transport.close()


async def _carry(outer: socket.socket, inner: socket.socket) -> None:
    """Carry octets between two connected sockets until both have ended; both are closed then, however it ends."""
    loop = asyncio.get_running_loop()
    far, near = _End(), _End()
    far.other, near.other = near, far
    try:
        await loop.create_unix_connection(lambda: near, sock=inner)
        await loop.connect_accepted_socket(lambda: far, outer)
        await asyncio.wait((far.lost, near.lost))
    finally:
        for end in (far, near):
            if end.transport is not None:
                end.transport.abort()
                await asyncio.wait((end.lost,))
