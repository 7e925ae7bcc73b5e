"""Looks of every kind, over loopback: what is seen, by when, and that nothing is left open."""

import asyncio
import errno
import ipaddress
import logging
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from monitor.change.probe import ProbeConfig, ProbeKind, Result
from monitor.probe.opener import words
from programmer.errors import FibUnavailable, NamespaceRefused
from programmer.netlink import NamespaceIdentity, NamespaceOpener, identify_namespace
from programmer.netlink.namespace import OWN_PATH
from programmer.route import Family
from tests.support.wait import until
from tests.unit.monitor.probe.server import ENOUGH, LONG, NOW, SHORT, http, prober, serving, silent, tcp


class BrokenOpener:
    """Opens nothing, and says why."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def stream(self, *_: Any, **__: Any) -> socket.socket:
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()
        raise AssertionError

    echo = stream


class KeepingOpener:
    """Remembers every socket, so that none is closed by being forgotten."""

    def __init__(self) -> None:
        self._opener = NamespaceOpener(identify_namespace(OWN_PATH))
        self.kept: list[socket.socket] = []

    async def stream(self, family: Family, **way: Any) -> socket.socket:
        self.kept.append(await self._opener.stream(family, **way))
        return self.kept[-1]

    async def echo(self, family: Family, **way: Any) -> socket.socket:
        self.kept.append(await self._opener.echo(family, **way))
        return self.kept[-1]

    async def close(self) -> None:
        await self._opener.close()


def files_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def bgp(target: str) -> ProbeConfig:
    return ProbeConfig(name="bgp", kind=ProbeKind.BGP, target=target)


@pytest.fixture
def closed_port() -> int:
    """A port of loopback where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
async def test_a_port_that_accepts_is_connected(address: str, host: str) -> None:
    async with serving(silent, address) as port, prober() as looks:
        result = await looks.measure(tcp(port, host))
    assert (result.ok, result.text, result.at) == (True, "connected", NOW)
    assert 0 < result.seconds < LONG


async def test_a_port_that_refuses_is_a_failure_in_the_words_of_the_kernel(closed_port: int) -> None:
    async with prober() as looks:
        assert await looks.measure(tcp(closed_port)) == Result(ok=False, seconds=0.0, text="connection refused", at=NOW)


async def test_the_own_source_of_a_probe_goes_before_that_of_its_domain() -> None:
    seen: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        await reader.read()

    domains, own = ipaddress.ip_address("127.0.0.2"), ipaddress.ip_address("127.0.0.3")
    async with serving(handler) as port, prober() as looks:
        await looks.measure(tcp(port), domains)
        await looks.measure(tcp(port, source=own), domains)
        await until(lambda: len(seen) == 2, what="both connections")
    assert seen == ["127.0.0.2", "127.0.0.3"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": ipaddress.ip_address("192.0.2.99")}, "source address 192.0.2.99: cannot assign requested address"),
        ({"source": ipaddress.ip_address("::1")}, "source address ::1 cannot reach 127.0.0.1: not of the same family"),
        ({"interface": "nonexistent0"}, "interface nonexistent0: no such device"),
        ({"target": "api:443"}, "must not depend on DNS"),
    ],
)
async def test_what_cannot_be_had_is_told(changes: dict[str, Any], says: str) -> None:
    probe = {"target": "127.0.0.1:9"} | changes
    async with prober() as looks:
        result = await looks.measure(ProbeConfig(name="p", kind=ProbeKind.TCP, **probe))
    assert not result.ok
    assert says in result.text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FibUnavailable("the namespace is gone"), "the namespace is gone"),
        (NamespaceRefused("start again"), "start again"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "too many open files"),
        (TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)), "connection timed out"),
    ],
)
@pytest.mark.parametrize("kind", [ProbeKind.TCP, ProbeKind.ICMP, ProbeKind.HTTP])
async def test_a_socket_that_cannot_be_opened_is_a_failure(kind: ProbeKind, error: Exception, text: str) -> None:
    target = {ProbeKind.TCP: "127.0.0.1:9", ProbeKind.ICMP: "127.0.0.1", ProbeKind.HTTP: http(9).target}[kind]
    async with prober(BrokenOpener(error)) as looks:
        result = await looks.measure(ProbeConfig(name="p", kind=kind, target=target))
    assert (result.ok, result.text) == (False, text)


async def test_an_error_of_ours_is_a_failure_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with prober(BrokenOpener(KeyError("x"))) as looks:
        with caplog.at_level(logging.ERROR):
            result = await looks.measure(tcp(9))
    assert (result.ok, result.text) == (False, "error of bgpmon, see its log: KeyError: 'x'")
    assert "probe tcp of 127.0.0.1:9" in caplog.text


async def test_opening_is_part_of_the_timeout() -> None:
    async with prober(BrokenOpener()) as looks:
        result = await looks.measure(tcp(9, timeout=SHORT))
    assert (result.ok, result.text) == (False, "timed out after 0.1 s")


@pytest.mark.parametrize(
    ("target", "ok", "text"),
    [
        ("internet", True, "3 of 3 sessions up"),
        ("192.0.2.1", True, "1 of 1 sessions up"),
        ("storage", False, "2 of 3 sessions up: 192.0.2.7 is down"),
        ("elsewhere", False, "0 of 0 sessions up: there is no such peer or domain"),
    ],
)
async def test_a_domain_is_there_when_all_its_sessions_are_up(target: str, ok: bool, text: str) -> None:
    async with prober() as looks:
        assert await looks.measure(bgp(target)) == Result(ok, 0.0, text, NOW)


async def test_many_looks_are_at_the_same_time_and_keep_their_order(closed_port: int) -> None:
    arrived: list[asyncio.StreamWriter] = []
    everyone = asyncio.Event()

    async def together(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer nobody before all have asked."""
        await reader.readuntil(b"\r\n\r\n")
        arrived.append(writer)
        if len(arrived) == 3:
            everyone.set()
        await everyone.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with serving(together) as port, prober() as looks:
        probes = [http(port), tcp(closed_port), http(port), bgp("storage"), http(port)]
        results = await looks.measure_all([(probe, None) for probe in probes])
    assert [result.text for result in results] == [
        "HTTP 204",
        "connection refused",
        "HTTP 204",
        "2 of 3 sessions up: 192.0.2.7 is down",
        "HTTP 204",
    ]
    async with prober() as looks:
        assert await looks.measure_all([]) == []


async def test_a_cancelled_look_is_cancelled_and_leaves_nothing_open() -> None:
    asked = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async with prober() as looks:
        await looks.measure(bgp("internet"))
        before = files_open()
        async with serving(handler) as port:
            look = asyncio.create_task(looks.measure(http(port)))
            await asked.wait()
            look.cancel()
            with pytest.raises(asyncio.CancelledError):
                await look
        await until(lambda: files_open() == before, what="every socket to be closed")


async def test_every_socket_is_closed_by_the_look_that_had_it(closed_port: int) -> None:
    opener = KeepingOpener()
    async with serving(silent) as port, prober(opener) as looks:
        for probe, ok in (
            (tcp(port), True),
            (tcp(closed_port), False),
            (http(port, timeout=ENOUGH), False),
            (http(closed_port), False),
            (http(port, host="a\r\nb: c"), False),
            (http(port, scheme="https", timeout=ENOUGH), False),
        ):
            opened = len(opener.kept)
            assert (await looks.measure(probe)).ok == ok
            assert len(opener.kept) == opened + 1, f"{probe} opens one socket"
            await until(lambda: opener.kept[-1].fileno() == -1, what=f"the socket of {probe} to be closed")
    await opener.close()


async def test_a_socket_that_comes_too_late_is_closed() -> None:
    opener = NamespaceOpener(identify_namespace(OWN_PATH))
    begun, go_on = threading.Event(), threading.Event()
    made: list[socket.socket] = []

    def work() -> socket.socket:
        begun.set()
        go_on.wait(LONG)
        made.append(socket.socket())
        return made[0]

    opening = asyncio.create_task(opener._open(work))
    assert await asyncio.to_thread(begun.wait, LONG)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    go_on.set()
    await until(lambda: made and made[0].fileno() == -1, what="the socket to be closed")
    await opener.close()


async def test_a_namespace_that_is_not_there_is_told_at_every_look(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    opener = NamespaceOpener(NamespaceIdentity(str(gone), 1, is_initial=False, own=False))
    async with prober(opener) as looks:
        for _ in range(2):
            assert (await looks.measure(tcp(9))).text == f"{gone}: No such file or directory"
        await opener.close()
        assert "no more sockets are opened in network namespace" in (await looks.measure(tcp(9))).text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)), "no route to host"),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), "permission denied (the route is a prohibit one"),
        (OSError(errno.EINVAL, os.strerror(errno.EINVAL)), "invalid argument (the route is a blackhole"),
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)"), "connection refused"),
        (OSError(errno.EPERM, "mark 0x1: operation not permitted"), "mark 0x1: operation not permitted"),
        (OSError(errno.EPERM, "ICMP needs CAP_NET_RAW"), "ICMP needs CAP_NET_RAW"),
        (OSError("Something else"), "something else"),
        (OSError(), "OSError"),
    ],
)
def test_errors_are_told_in_the_words_of_the_kernel(error: OSError, text: str) -> None:
    assert words(error).startswith(text)
