"""The doorkeeper in front of a real gRPC server, with real clients in processes of their own."""

import asyncio
import errno
import hashlib
import logging
import os
import pwd
import resource
import signal
import socket
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from monitor.api import credentials
from monitor.api.credentials import Caller, Doorkeeper
from monitor.errors import MonitorError
from tests.support.wait import until

OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20))

CLIENT = """
import hashlib, os, sys
import grpc, grpc._channel

path, method, uid, size, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
if uid:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
options = (("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1))
for _ in range(times):
    with grpc.insecure_channel(f"unix:{path}", options=options) as channel:
        answer = channel.unary_unary(f"/test.Door/{method}")(os.urandom(64) * (size // 64), timeout=30)
print(answer.decode() if len(answer) < 200 else hashlib.sha256(answer).hexdigest())
"""
"""Calls a method, with fresh random octets of a size, over as many connections as asked for, one after the other."""


class House:
    """A gRPC server behind a doorkeeper, and what its handlers saw."""

    def __init__(self, folder: Path) -> None:
        self.outer = folder / "admin.sock"
        self.inner = folder / "inner.sock"
        self.callers: list[Caller | None] = []
        self.peers: list[str] = []
        self.got: list[bytes] = []
        self.answer = b""
        self.cancelled = 0
        self.go_on = asyncio.Event()
        self.door = Doorkeeper(self.outer, self.inner)

    async def who(self, request: bytes, context: Any) -> bytes:
        self.peers.append(context.peer())
        self.callers.append(self.door.caller(context.peer()))
        self.got.append(hashlib.sha256(request).digest())
        return self.answer

    async def wait(self, request: bytes, context: Any) -> bytes:
        await self.who(request, context)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.answer

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[grpc.aio.Server]:
        server = grpc.aio.server(options=OPTIONS)
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(call) for name, call in (("Who", self.who), ("Wait", self.wait))
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Door", handlers),))
        server.add_insecure_port(f"unix:{self.inner}")
        await server.start()
        try:
            yield server
        finally:
            await server.stop(None)


async def client(method: str, folder: Path, uid: int = 0, size: int = 0, times: int = 1) -> Process:
    """Start a client; its socket is a name in its working directory, so that any user may find it."""
    words = ("admin.sock", method, str(uid), str(size), str(times))
    return await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, *words, cwd=folder, stdout=PIPE)


async def said(process: Process) -> str:
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


def descriptors() -> dict[str, str]:
    """Return what this process has open, by number."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[entry.name] = str(entry.readlink())
        except FileNotFoundError:
            continue
    return found


def sockets() -> int:
    return sum(target.startswith("socket:") for target in descriptors().values())


def tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("caller ")]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    async with house.door, house.serving():
        yield house


@contextmanager
def raw(path: Path) -> Iterator[socket.socket]:
    """A connection that does not speak gRPC."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        sock.connect(str(path))
        yield sock


async def test_the_handler_sees_who_called(house: House, tmp_path: Path) -> None:
    process = await client("Who", tmp_path)
    await said(process)
    (caller,) = house.callers
    assert caller is not None
    assert (caller.uid, caller.gid, caller.pid) == (os.geteuid(), os.getegid(), process.pid)
    assert caller.user == pwd.getpwuid(os.geteuid()).pw_name
    assert caller.program.startswith("python")


async def test_the_peer_of_a_handler_is_the_name_that_the_doorkeeper_bound(house: House, tmp_path: Path) -> None:
    """Everything rests on this of gRPC, whose documentation does not promise it."""
    await said(await client("Who", tmp_path))
    assert house.peers[0].startswith("unix-abstract:bgpmon-caller-")


async def test_two_callers_at_once_are_told_apart(house: House, tmp_path: Path) -> None:
    processes = [await client("Wait", tmp_path) for _ in range(2)]
    await until(lambda: len(house.callers) == 2, what="both callers")
    house.go_on.set()
    for process in processes:
        await said(process)
    assert {caller.pid for caller in house.callers if caller} == {process.pid for process in processes}


@pytest.mark.kernel
async def test_another_user_is_told_apart(tmp_path: Path) -> None:
    """Needs root, as only root can become somebody else."""
    house = House(tmp_path)
    tmp_path.chmod(0o711)
    house.door = Doorkeeper(house.outer, house.inner, mode=0o666)
    async with house.door, house.serving():
        process = await client("Who", tmp_path, uid=65534)
        await said(process)
    (caller,) = house.callers
    assert caller is not None
    assert (caller.uid, caller.gid, caller.pid) == (65534, 65534, process.pid)


async def test_who_does_not_come_through_the_door_is_no_caller(house: House, tmp_path: Path) -> None:
    await asyncio.to_thread(call, house.inner, b"")
    assert house.callers == [None]


async def test_a_name_is_forgotten_with_its_connection(house: House, tmp_path: Path) -> None:
    await said(await client("Who", tmp_path))
    await until(lambda: not tasks())
    assert house.callers[0] is not None
    assert house.door.caller(house.peers[0]) is None


async def test_large_messages_arrive_whole_both_ways(house: House, tmp_path: Path) -> None:
    house.answer = os.urandom(8 << 20)
    sent = await said(await client("Who", tmp_path, size=8 << 20))
    assert sent == hashlib.sha256(house.answer).hexdigest()
    echo = os.urandom(3 << 20)
    answer = await asyncio.to_thread(call, house.outer, echo)
    assert answer == house.answer
    assert house.got[-1] == hashlib.sha256(echo).digest()


def call(path: Path, request: bytes) -> bytes:
    with grpc.insecure_channel(f"unix:{path}", options=OPTIONS) as channel:
        answer: bytes = channel.unary_unary("/test.Door/Who", bytes, bytes)(request, timeout=30)
        return answer


async def test_many_connections_one_after_the_other_leave_nothing(house: House, tmp_path: Path) -> None:
    await said(await client("Who", tmp_path))
    await until(lambda: not tasks())
    before = sockets()
    await said(await client("Who", tmp_path, times=100))
    await until(lambda: not tasks() and sockets() <= before, what="the sockets of 100 connections to be closed")
    assert len(house.callers) == 101
    assert len(set(house.peers)) == 101


async def test_a_client_that_is_killed_in_the_middle_of_a_call_leaves_nothing(house: House, tmp_path: Path) -> None:
    await said(await client("Who", tmp_path))
    await until(lambda: not tasks())
    before = sockets()
    process = await client("Wait", tmp_path)
    await until(lambda: len(house.callers) == 2, what="the call to arrive")
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    await until(lambda: not tasks() and sockets() <= before, what="the connection to be closed")
    await until(lambda: house.cancelled == 1, what="the call to be cancelled")
    assert house.door.caller(house.peers[-1]) is None


async def test_a_client_that_is_killed_with_an_answer_under_way_leaves_nothing(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await said(await client("Who", tmp_path))
    await until(lambda: not tasks())
    before = sockets()
    full: list[credentials._End] = []
    pause = credentials._End.pause_writing

    def note(end: credentials._End) -> None:
        full.append(end)
        pause(end)

    monkeypatch.setattr(credentials._End, "pause_writing", note)
    house.answer = bytes(32 << 20)
    process = await client("Wait", tmp_path)
    await until(lambda: len(house.callers) == 2, what="the call to arrive")
    process.send_signal(signal.SIGSTOP)
    house.go_on.set()
    await until(lambda: full, what="the answer to wait for its reader")
    process.kill()
    await process.wait()
    await until(lambda: not tasks() and sockets() <= before, what="the connection to be closed")


async def test_a_server_that_ends_first_ends_its_connections(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.door:
        async with house.serving():
            with raw(house.outer) as sock:
                await until(lambda: len(tasks()) == 1)
                sock.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        await until(lambda: not tasks())


async def test_what_the_server_wrote_last_arrives_although_the_door_closes(tmp_path: Path) -> None:
    house = House(tmp_path)
    last = os.urandom(4 << 20)

    async def everything() -> bytes:
        octets = await ours.read()
        our_writer.close()
        return octets

    async with listening(house.inner) as accepted:
        async with house.door:
            ours, our_writer = await asyncio.open_unix_connection(house.outer)
            await until(lambda: len(accepted) == 1)
            accepted[0][1].write(last)
            accepted[0][1].close()
            reading = asyncio.create_task(everything())
        assert await reading == last


async def test_what_is_still_open_at_the_end_is_closed(tmp_path: Path) -> None:
    before = sockets()
    house = House(tmp_path)
    async with listening(house.inner) as accepted, AsyncExitStack() as stack:
        await stack.enter_async_context(house.door)
        with raw(house.outer) as sock:
            await until(lambda: len(accepted) == 1)
            await stack.aclose()
            assert not tasks()
            assert not house.outer.exists()
            assert await asyncio.get_running_loop().sock_recv(sock, 1) == b""
    await until(lambda: sockets() <= before)


async def test_a_door_that_closes_at_any_moment_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "CLOSE_GRACE", 0.0)
    house = House(tmp_path)
    async with listening(house.inner) as accepted:
        before = sockets()
        for turns in range(120):
            moments = iter([False] * (turns % 40))
            async with Doorkeeper(house.outer, house.inner):
                with raw(house.outer), raw(house.outer):
                    await until(partial(next, moments, True), every=0.0)
            assert not tasks()
            for _, writer in accepted:
                writer.close()
        await until(lambda: sockets() <= before)


@asynccontextmanager
async def listening(path: Path) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    """A server on *path* that says nothing by itself; yields its connections."""
    accepted: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    server = await asyncio.start_unix_server(lambda reader, writer: accepted.append((reader, writer)), path)
    try:
        yield accepted
    finally:
        server.close()
        for _, writer in accepted:
            writer.close()
            await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])


async def test_each_direction_ends_by_itself(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with listening(house.inner) as accepted, house.door:
        ours, our_writer = await asyncio.open_unix_connection(house.outer)
        our_writer.write(b"all of it")
        our_writer.write_eof()
        await until(lambda: len(accepted) == 1)
        theirs, their_writer = accepted[0]
        assert await theirs.read() == b"all of it"
        their_writer.write(b"still open")
        assert await ours.readexactly(10) == b"still open"
        their_writer.close()
        assert await ours.read() == b""
        await until(lambda: not tasks())
        our_writer.close()


async def test_a_client_that_does_not_read_holds_the_server_up(tmp_path: Path) -> None:
    house = House(tmp_path)
    block = bytes(1 << 20)
    async with listening(house.inner) as accepted, house.door:
        ours, our_writer = await asyncio.open_unix_connection(house.outer, limit=1 << 10)
        await until(lambda: len(accepted) == 1)
        _, their_writer = accepted[0]
        their_writer.write(block * 8)
        sent = asyncio.create_task(their_writer.drain())
        left = -1

        def is_still() -> bool:
            nonlocal left
            before, left = left, their_writer.transport.get_write_buffer_size()
            return before == left

        await until(is_still, what="the server to be held up", every=0.1)
        assert left > 6 << 20
        assert not sent.done()
        their_writer.close()
        received = 0
        while octets := await ours.read(1 << 16):
            received += len(octets)
        assert received == 8 << 20
        our_writer.close()
        await sent


async def test_callers_above_the_limit_are_turned_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = House(tmp_path)
    house.door = Doorkeeper(house.outer, house.inner, limit=2)
    async with listening(house.inner) as accepted, house.door:
        with raw(house.outer) as first, raw(house.outer), raw(house.outer) as third, raw(house.outer) as fourth:
            loop = asyncio.get_running_loop()
            assert await loop.sock_recv(third, 1) == b""
            assert await loop.sock_recv(fourth, 1) == b""
            await until(lambda: len(accepted) == 2)
            assert [record.levelno for record in caplog.records] == [logging.WARNING]
            first.close()
            accepted[0][1].close()
            await until(lambda: len(tasks()) == 1)
            with raw(house.outer):
                await until(lambda: len(accepted) == 3)


async def test_a_caller_that_finds_no_server_is_turned_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = House(tmp_path)
    async with house.door:
        with raw(house.outer) as sock:
            assert await asyncio.get_running_loop().sock_recv(sock, 1) == b""
        await until(lambda: not tasks())
    assert f"to {house.inner}: No such file or directory" in caplog.text


async def test_no_descriptor_left_is_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "ACCEPT_PAUSE", 0.01)
    house = House(tmp_path)
    async with listening(house.inner) as accepted, house.door:
        with socket.socket(socket.AF_UNIX) as sock, no_descriptor_left():
            sock.connect(str(house.outer))
            await until(lambda: caplog.text.count(os.strerror(errno.EMFILE)) > 1, what="two attempts to fail")
        with raw(house.outer):
            await until(lambda: len(accepted) >= 1)


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_names_that_take_too_long_stay_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(uid: int) -> str:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(20)
        return f"name of {uid}"

    monkeypatch.setattr(credentials, "_user_name", slow)
    monkeypatch.setattr(credentials, "NAME_PATIENCE", 0.01)
    house = House(tmp_path)
    async with house.door, house.serving():
        await said(await client("Who", tmp_path))
        release.set()
    (caller,) = house.callers
    assert caller is not None
    assert caller.text.startswith(f"uid {os.geteuid()}, pid ")


async def test_the_socket_opens_for_its_owner_alone_and_replaces_one_that_was_left(tmp_path: Path) -> None:
    house = House(tmp_path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(house.outer))
    umask = os.umask(0)
    try:
        async with house.door:
            assert stat.S_IMODE(house.outer.stat().st_mode) == 0o600
            assert os.umask(0) == 0
    finally:
        os.umask(umask)
    assert not house.outer.exists()


async def test_what_is_not_a_socket_is_refused_and_left_alone(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.outer.write_text("precious")
    with pytest.raises(MonitorError, match="is not a socket; remove it"):
        async with house.door:
            raise AssertionError
    assert house.outer.read_text() == "precious"
    house.outer.unlink()
    house.outer.symlink_to(house.inner)
    with pytest.raises(MonitorError, match="is not a socket; remove it"):
        async with house.door:
            raise AssertionError


async def test_a_socket_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"cannot make the socket .*: No such file or directory"):
        async with Doorkeeper(tmp_path / "none" / "admin.sock", tmp_path / "inner"):
            raise AssertionError
    with pytest.raises(MonitorError, match="too long for a unix socket"):
        async with Doorkeeper(tmp_path / ("x" * 120), tmp_path / "inner"):
            raise AssertionError


@pytest.mark.parametrize(
    ("caller", "text"),
    [
        (Caller(0, 0, 4711, "alice", "root", "bgpmon"), "uid 0 (root), login alice, pid 4711 bgpmon"),
        (Caller(0, 0, 4711, "", "root", "bgpmon"), "uid 0 (root), pid 4711 bgpmon"),
        (Caller(1234, 0, 4711, "", "1234", ""), "uid 1234, pid 4711"),
        (Caller(0, 0, 0, "", "root", ""), "uid 0 (root)"),
    ],
)
def test_a_caller_in_the_journal(caller: Caller, text: str) -> None:
    assert caller.text == text


@pytest.mark.parametrize(
    ("loginuid", "comm", "expected"),
    [
        ("1000", b"bgpmon\n", (1000, "bgpmon")),
        ("4294967295", b"a b\n", (None, "a b")),
        ("", b"\x1b[2Jx\ny\xff\xe2\x80\xae\n", (None, "?[2Jx?y\ufffd?")),
    ],
)
def test_what_proc_says_of_a_process(
    tmp_path: Path, loginuid: str, comm: bytes, expected: tuple[int | None, str]
) -> None:
    (tmp_path / "loginuid").write_text(loginuid)
    (tmp_path / "comm").write_bytes(comm)
    assert credentials._process(tmp_path) == expected


def test_a_process_that_is_gone_has_no_name(tmp_path: Path) -> None:
    assert credentials._process(tmp_path / "4711") == (None, "")


def test_a_user_that_has_no_name_is_a_number() -> None:
    assert credentials._user_name(0) == "root"
    assert credentials._user_name(4294967294) == "4294967294"


async def test_the_login_has_its_name(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_process", lambda folder: (0, f"program of {folder.name}"))
    process = await client("Who", tmp_path)
    await said(process)
    (caller,) = house.callers
    assert caller is not None
    assert caller.text.endswith(f"login root, pid {process.pid} program of {process.pid}")
