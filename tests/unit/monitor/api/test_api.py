"""Server and client over real unix sockets."""

import asyncio
import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from monitor.api._pb import bgpmon_pb2 as messages
from monitor.api.client import Client
from monitor.api.server import serve
from monitor.config import parse
from monitor.config.parse import SOCKET_PATH_MAX
from monitor.errors import (
    ApiError,
    BadRequest,
    ConfigError,
    ConfigProblem,
    DaemonSlow,
    DaemonUnreachable,
    MonitorError,
    Refused,
    RolledBack,
    Stale,
)
from monitor.ports import Document, Endorsement
from programmer.errors import JournalError, PlanRefused, PlanStale, PlanUnknown
from tests.support.wait import until
from tests.unit.monitor.api.daemon import NOBODY, Book, serving


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def client(tmp_path: Path, book: Book) -> Iterator[Client]:
    with serving(tmp_path, book), Client(tmp_path) as connected:
        yield connected


def test_every_call_of_feed_arrives_with_its_arguments(client: Client, book: Book) -> None:
    client.status()
    client.peers("192.0.2.1")
    client.domains()
    client.routes("table = 101", "storage", 7)
    client.view("table = 101", "storage", "age", descending=True, problems=True, replaces=2**63, wait=1.5)
    client.window(2**63 + 1, 10_000_000_000, 7, "101 192.0.2.0/24", 3)
    client.close_view(2**63 + 1)
    client.explain("192.0.2.0/24", "storage")
    client.lookup("192.0.2.9")
    client.plan("7f3a", 200)
    client.plans(3)
    client.compare_plans("7f3a", "c0de")
    client.export_plan("7f3a")
    client.statement("7f3a", "confirm", "CHG-1", 1_800_000_000.0)
    client.judge("7f3a")
    client.windows(1_800_000_000.5, 2)
    client.holds()
    client.history("192.0.2.0/24", 3)
    client.events(17, 1.5, 4, 0.25)
    client.audit()
    client.export_audit(17, 1.5, 4)
    client.replay(1_800_000_000.5, "routes", "table = 101", 5)
    client.doctor()
    assert book.asked == [
        ("status",),
        ("peers", "192.0.2.1"),
        ("domains",),
        ("routes", "table = 101", "storage", 7),
        ("view", "table = 101", "storage", "age", True, True, 2**63, 1.5),
        ("window", 2**63 + 1, 10_000_000_000, 7, "101 192.0.2.0/24", 3),
        ("close_view", 2**63 + 1),
        ("explain", "192.0.2.0/24", "storage"),
        ("lookup", "192.0.2.9"),
        ("plan", "7f3a", 200),
        ("plans", 3),
        ("compare", "7f3a", "c0de"),
        ("export", "7f3a"),
        ("statement", "7f3a", "confirm", "CHG-1", 1_800_000_000.0),
        ("judge", "7f3a"),
        ("windows", 1_800_000_000.5, 2),
        ("holds",),
        ("history", "192.0.2.0/24", 3),
        ("events", 17, 1.5, 4, 0.25),
        ("audit",),
        ("audit_export", 17, 1.5, 4),
        ("replay", 1_800_000_000.5, "routes", "table = 101", 5),
        ("doctor",),
    ]


def test_every_call_of_control_names_who_called(client: Client, book: Book) -> None:
    said = Endorsement(b"statement \xff", "signature", "CHG-1", "comment", "alice", break_glass=True)
    client.freeze("table = 101", denied=True, name="alice")
    client.approve("7f3a")
    client.approve("7f3a", said)
    client.reject("7f3a", "not now", said)
    client.confirm("7f3a", said)
    client.roll_back("7f3a", "slow", "alice")
    client.extend("7f3a", 90.0)
    client.hold("table = 101", 7200.0, "not now")
    client.release(4)
    client.pause("not now")
    client.resume()
    client.reload()
    client.withdraw_all()
    actor = book.asked[0][1]
    assert re.fullmatch(rf"uid {os.geteuid()}\b.*\bpid {os.getpid()}\b.*", actor)
    assert book.asked == [
        ("freeze", actor, "table = 101", True, "alice"),
        ("approve", "7f3a", actor, NOBODY),
        ("approve", "7f3a", actor, said),
        ("reject", "7f3a", "not now", actor, said),
        ("confirm", "7f3a", actor, said),
        ("roll_back", "7f3a", actor, "slow", "alice"),
        ("extend", "7f3a", 90.0, actor),
        ("hold", "table = 101", 7200.0, "not now", actor),
        ("release", 4, actor),
        ("pause", "not now", actor),
        ("resume", actor),
        ("reload", actor),
        ("withdraw_all", actor),
    ]


def test_limits_that_are_not_given_are_the_daemons(client: Client, book: Book) -> None:
    client.routes()
    client.history()
    client.routes(limit=0)
    client.plans()
    client.plan()
    client.window(5)
    client.windows()
    client.events()
    client.export_audit()
    client.replay(1.0, "status")
    assert book.asked == [
        ("routes", "", "", 1000), ("history", "", 100), ("routes", "", "", 0), ("plans", 20),
        ("plan", "", 5000), ("window", 5, 0, 50, "", 0), ("windows", 0.0, 5),
        ("events", 0, 0.0, 100, 0.0), ("audit_export", 0, 0.0, 1000), ("replay", 1.0, "status", "", 1000),
    ]  # fmt: skip


def test_documents_come_back_as_they_were(client: Client, book: Book) -> None:
    document: Document = {"node": "naïve \x1b[31m \u202e", "n": [1, None, True, 1.5], "deep": {"a": {}}}
    book.answers["status"] = document
    assert client.status() == document


def test_text_that_is_not_unicode_does_not_break_the_answer(client: Client, book: Book) -> None:
    book.answers["status"] = {"node": "a\udc80b"}
    assert client.status() == {"node": "a\udc80b"}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (BadRequest("bad filter:\n  peer = x\n         ^"), BadRequest),
        (ConfigError([ConfigProblem("f.yaml", 1, 2, "mode", "no such mode")]), BadRequest),
        (Refused("mode is dry-run"), Refused),
        (PlanRefused("mode is dry-run"), Refused),
        (Stale("unknown digest"), Stale),
        (RolledBack("taken back"), RolledBack),
        (PlanStale("drifted"), Stale),
        (PlanUnknown("unknown digest"), Stale),
        (MonitorError("something else"), ApiError),
        (JournalError("disk full"), ApiError),
    ],
)
def test_errors_arrive_as_what_they_mean_with_their_text(
    client: Client, book: Book, raised: Exception, expected: type[Exception]
) -> None:
    book.answers["approve"] = raised
    with pytest.raises(ApiError) as caught:
        client.approve("7f3a")
    assert type(caught.value) is expected
    assert str(caught.value) == str(raised)


def test_a_very_long_error_is_cut_off_and_keeps_its_meaning(client: Client, book: Book) -> None:
    book.answers["reload"] = BadRequest("ö\n" * 50_000)
    with pytest.raises(BadRequest, match="cut off"):
        client.reload()


def test_an_answer_that_is_too_large_says_what_to_do(client: Client, book: Book) -> None:
    book.answers["routes"] = {"items": "x" * (65 << 20)}
    with pytest.raises(ApiError, match="64 MiB; ask for less"):
        client.routes()


def test_sockets_have_the_modes_that_keep_control_to_the_owner(tmp_path: Path, book: Book) -> None:
    run_dir = tmp_path / "run"
    with serving(run_dir, book):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in run_dir.iterdir()}
        assert modes == {"read.sock": 0o660, "admin.sock": 0o600, ".admin": 0o600}
        assert stat.S_IMODE(run_dir.stat().st_mode) & 0o022 == 0
    assert list(run_dir.iterdir()) == []


def test_the_longest_run_dir_has_room_for_every_socket(tmp_path: Path, book: Book) -> None:
    run_dir = tmp_path / ("d" * (SOCKET_PATH_MAX - len("/admin.sock") - len(f"{tmp_path}/")))
    assert parse.run_dir(str(run_dir)) == str(run_dir)
    with serving(run_dir, book), Client(run_dir) as client:
        client.withdraw_all()
    assert [name for name, *_ in book.asked] == ["withdraw_all"]


def test_read_socket_changes_nothing(tmp_path: Path, book: Book, client: Client) -> None:
    with grpc.insecure_channel(f"unix:{tmp_path}/read.sock") as channel:
        call = channel.unary_unary(
            "/bgpmon.v1.Control/WithdrawAll",
            request_serializer=messages.WithdrawAllRequest.SerializeToString,
            response_deserializer=messages.Document.FromString,
        )
        with pytest.raises(grpc.RpcError) as caught:
            call(messages.WithdrawAllRequest(), timeout=10)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert book.asked == []


def test_whoever_goes_past_the_doorkeeper_changes_nothing(tmp_path: Path, book: Book) -> None:
    run_dir, other = tmp_path / "run", tmp_path / "other"
    other.mkdir()
    with serving(run_dir, book):
        (other / "admin.sock").symlink_to(run_dir / ".admin")
        with Client(other) as client, pytest.raises(Refused, match="nobody knows who asks"):
            client.withdraw_all()
    assert book.asked == []


def test_admin_socket_that_is_the_read_socket_is_told_clearly(tmp_path: Path, book: Book) -> None:
    run_dir, other = tmp_path / "run", tmp_path / "other"
    other.mkdir()
    with serving(run_dir, book):
        (other / "admin.sock").symlink_to(run_dir / "read.sock")
        with Client(other) as client, pytest.raises(Refused, match="does not offer WithdrawAll"):
            client.withdraw_all()


def test_missing_socket_says_which_and_what_to_do(tmp_path: Path) -> None:
    with Client(tmp_path) as client, pytest.raises(DaemonUnreachable, match="bgpmon run") as caught:
        client.status()
    assert str(tmp_path / "read.sock") in str(caught.value)


def test_a_daemon_that_says_nothing_is_slow(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "read.sock"))
        silent.listen()
        with Client(tmp_path, timeout=0.2) as client, pytest.raises(DaemonSlow, match=r"within 0\.2 seconds"):
            client.status()


def dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def test_socket_of_a_dead_daemon_is_unreachable(tmp_path: Path) -> None:
    dead_socket(tmp_path / "read.sock")
    with Client(tmp_path) as client, pytest.raises(DaemonUnreachable, match="no daemon answers"):
        client.status()


def test_sockets_of_a_dead_daemon_are_replaced(tmp_path: Path, book: Book) -> None:
    dead_socket(tmp_path / "read.sock")
    dead_socket(tmp_path / "admin.sock")
    with serving(tmp_path, book), Client(tmp_path) as client:
        assert client.status() == {"call": "status"}
        assert client.freeze() == {"call": "freeze"}


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path, book: Book) -> None:
    (tmp_path / "read.sock").write_text("precious", encoding="utf-8")
    with pytest.raises(MonitorError, match="not a socket"):
        async with serve(tmp_path, None, book, book):
            raise AssertionError("it served")
    assert (tmp_path / "read.sock").read_text(encoding="utf-8") == "precious"


async def test_unknown_group_and_long_path_are_refused(tmp_path: Path, book: Book) -> None:
    with pytest.raises(MonitorError, match="no group 'no-such-group'"):
        async with serve(tmp_path, "no-such-group", book, book):
            raise AssertionError("it served")
    with pytest.raises(MonitorError, match="too long"):
        async with serve(tmp_path / ("x" * 100), None, book, book):
            raise AssertionError("it served")


async def test_strange_names_of_directories_work(tmp_path: Path, book: Book) -> None:
    run_dir = tmp_path / "a b%20#?"
    async with serve(run_dir, None, book, book):
        with Client(run_dir) as client:
            assert await asyncio.to_thread(client.status) == {"call": "status"}


async def test_change_goes_on_when_its_caller_is_gone_and_is_waited_for(tmp_path: Path) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    class Slow(Book):
        async def approve(self, digest: str, actor: str, endorsement: Endorsement = NOBODY) -> Document:
            begun.set()
            await finish.wait()
            ended.append(digest)
            return {}

    book = Slow()
    async with serve(tmp_path, None, book, book):
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/admin.sock") as channel:
            call = channel.unary_unary(
                "/bgpmon.v1.Control/Approve",
                request_serializer=messages.ApproveRequest.SerializeToString,
                response_deserializer=messages.Document.FromString,
            )(messages.ApproveRequest(digest="7f3a"))
            answer = asyncio.ensure_future(call)
            await begun.wait()
            call.cancel()
            await asyncio.wait([answer])
            await until(call.cancelled, what="the call to be cancelled")
        assert ended == []
        finish.set()
    assert ended == ["7f3a"]
