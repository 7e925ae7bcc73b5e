"""Looks at web servers on loopback: good ones, bad ones and ones that never end."""

import asyncio
import socket
import ssl
from itertools import count

import pytest

from monitor.probe.http import _OneSocket
from tests.support.tls import Certificates
from tests.unit.monitor.probe.server import SHORT, answering, http, prober, serving, silent

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def tls(certificates: Certificates) -> ssl.SSLContext:
    """A server's side, with a certificate for localhost and 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    return context


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (204, True), (302, True), (399, True), (404, False), (503, False)]
)
async def test_the_status_says_whether_it_is_there(status: int, ok: bool) -> None:
    heard: list[bytes] = []
    answer = f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\nLocation: /elsewhere\r\n\r\n".encode()
    async with serving(answering(answer, heard)) as port, prober() as looks:
        result = await looks.measure(http(port, "/healthz?a=b%2Fc"))
    assert (result.ok, result.text) == (ok, f"HTTP {status}")
    assert result.seconds > 0
    (request,) = heard  # no redirect was followed
    assert request.startswith(b"GET /healthz?a=b%2Fc HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in request


async def test_the_good_statuses_can_be_told() -> None:
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer)) as port, prober() as looks:
        assert (await looks.measure(http(port, statuses=(401, 401)))).ok
        assert not (await looks.measure(http(port, statuses=(200, 400)))).ok


async def test_the_host_header_can_be_told() -> None:
    heard: list[bytes] = []
    async with serving(answering(OK, heard)) as port, prober() as looks:
        assert (await looks.measure(http(port, host="web.internal:8080"))).ok
    assert b"\r\nHost: web.internal:8080\r\n" in heard[0]
    assert heard[0].lower().count(b"\r\nhost:") == 1


async def test_a_host_header_that_cannot_be_sent_is_a_failure() -> None:
    async with serving(answering(OK)) as port, prober() as looks:
        result = await looks.measure(http(port, host="a\r\nb: c"))
    assert not result.ok


async def test_a_server_that_never_answers_is_timed_out() -> None:
    async with serving(silent) as port, prober() as looks:
        result = await looks.measure(http(port, timeout=SHORT))
    assert (result.ok, result.text, result.seconds) == (False, "timed out after 0.1 s", 0.0)


async def test_a_body_that_never_comes_is_timed_out() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin"
    async with serving(answering(answer, then_wait=True)) as port, prober() as looks:
        result = await looks.measure(http(port, timeout=SHORT))
    assert (result.ok, result.text) == (False, "timed out after 0.1 s")


async def test_a_body_without_an_end_is_read_up_to_the_bound() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in count():
            writer.write(b"1000\r\n" + bytes(0x1000) + b"\r\n")
            await writer.drain()

    async with serving(endless) as port, prober() as looks:
        result = await looks.measure(http(port))
    assert (result.ok, result.text) == (True, "HTTP 200")


def test_a_socket_that_aiohttp_never_took_is_closed() -> None:
    left, taken = socket.socket(), socket.socket()
    _OneSocket(left).close()
    assert left.fileno() == -1
    with taken:
        handed = _OneSocket(taken)
        assert handed.take(None) is taken
        handed.close()
        assert taken.fileno() != -1


async def test_a_compressed_body_is_not_unpacked() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    async with serving(answering(answer)) as port, prober() as looks:
        assert (await looks.measure(http(port))).ok


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "the server closed the connection without an answer"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "the server closed the connection in the middle of its answer",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not HTTP: "),
    ],
)
async def test_an_answer_that_is_none_is_a_failure(answer: bytes, text: str) -> None:
    async with serving(answering(answer)) as port, prober() as looks:
        result = await looks.measure(http(port))
    assert not result.ok
    assert result.text.startswith(text)


async def test_neither_proxies_nor_names_nor_redirects_lead_it_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_names(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    async with serving(answering(OK)) as port, prober() as looks:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}/proxy")
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_names)
        result = await looks.measure(http(port))
    assert (result.ok, result.text) == (True, "HTTP 200")


async def test_a_certificate_that_nobody_vouches_for_is_a_failure_unless_it_does_not_matter(
    tls: ssl.SSLContext,
) -> None:
    async with serving(answering(OK), tls=tls) as port, prober() as looks:
        strict = await looks.measure(http(port, scheme="https"))
        easy = await looks.measure(http(port, scheme="https", insecure=True))
    assert not strict.ok
    assert strict.text.startswith("the certificate is not trusted: ")
    assert (easy.ok, easy.text) == (True, "HTTP 200")


@pytest.mark.parametrize(("host", "ok"), [("", True), ("localhost", True), ("localhost:8443", True), ("other", False)])
async def test_a_certificate_is_for_the_address_or_for_the_host(
    host: str, ok: bool, tls: ssl.SSLContext, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.probe.http.trust", lambda: ssl.create_default_context(cafile=certificates.ca))
    async with serving(answering(OK), tls=tls) as port, prober() as looks:
        result = await looks.measure(http(port, scheme="https", host=host))
    assert result.ok == ok, result.text
    assert ok or "other" in result.text


async def test_a_server_without_tls_is_a_failure_of_https() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with serving(plain) as port, prober() as looks:
        result = await looks.measure(http(port, scheme="https", insecure=True))
    assert not result.ok
    assert "SSL" in result.text
