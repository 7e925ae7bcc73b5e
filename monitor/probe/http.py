"""A web server answers a GET request.

No redirect is followed, no proxy and no cookie is used, no name is looked up, and the body is read up to a bound only.
"""

import asyncio
import functools
import socket
import ssl
import time
import urllib.parse
from typing import NamedTuple

import aiohttp
import yarl

from monitor.change.probe import HttpTarget, ProbeConfig
from monitor.probe.opener import Opener, Way, words
from programmer.route import Family

BODY_LIMIT = 65536
"""Octets.  So many must come, or the whole body: small answers get through where large packets are lost."""

_NO_LIMIT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The caller has the deadline; aiohttp would round its own up."""


class Answer(NamedTuple):
    """What the server said, and the seconds from the first packet until the body was there."""

    status: int
    seconds: float


class _NoNames(aiohttp.ThreadedResolver):
    """Looks up nothing: the target is an address."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """Refuse."""
        raise OSError(f"{host} is a name, and a probe must not depend on DNS")


class _OneSocket:
    """Gives the socket that was opened in the namespace to aiohttp, once."""

    def __init__(self, opened: socket.socket) -> None:
        self._opened: socket.socket | None = opened

    def take(self, _info: object) -> socket.socket:
        """Return the socket; aiohttp closes it from now on."""
        if self._opened is None:
            # It tries once more after a connection that ended early.
            raise ConnectionResetError("the server closed the connection without an answer")
        opened, self._opened = self._opened, None
        return opened

    def close(self) -> None:
        """Close the socket if nobody took it."""
        if self._opened is not None:
            self._opened.close()


@functools.cache
def trust() -> ssl.SSLContext:
    """Return the rules for certificates: those of the system's authorities."""
    return ssl.create_default_context()


async def get(opener: Opener, target: HttpTarget, probe: ProbeConfig, way: Way) -> Answer:
    """Return what the server at *target* answers; Host header and trust are as *probe* says.

    Raises OSError with the reason when there is no answer, FibError without the namespace, ValueError for a `host` that
    cannot be sent.  Waits for ever where nothing answers: the caller has the deadline.
    """
    family = Family.IPV4 if target.address.version == 4 else Family.IPV6
    headers = {"User-Agent": "bgpmon", "Accept-Encoding": "identity"} | ({"Host": probe.host} if probe.host else {})
    # Reading the authorities takes longer than the rest of the daemon should stand still.
    verified = await asyncio.to_thread(trust) if target.secure and not probe.insecure else False
    name = urllib.parse.urlsplit(f"//{probe.host}").hostname if probe.host else None
    handed = _OneSocket(await opener.stream(family, **way._asdict()))
    try:
        connector = aiohttp.TCPConnector(
            socket_factory=handed.take, resolver=_NoNames(), force_close=True, happy_eyeballs_delay=None
        )
        began = time.perf_counter()
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=_NO_LIMIT,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            ) as session,
            session.get(
                yarl.URL(target.url, encoded=True),
                headers=headers,
                allow_redirects=False,
                ssl=verified,
                server_hostname=name if target.secure else None,
            ) as response,
        ):
            await _read(response.content)
            return Answer(response.status, time.perf_counter() - began)
    except aiohttp.ClientError as error:
        raise OSError(_reason(error)) from error
    finally:
        handed.close()


async def _read(body: aiohttp.StreamReader) -> None:
    """Read to the end of the body, or to the bound."""
    left = BODY_LIMIT
    while left > 0 and (chunk := await body.read(left)):
        left -= len(chunk)


def _reason(error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"the certificate is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            return words(error.os_error)
        case OSError():
            return words(error)
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "the server closed the connection in the middle of its answer"
        case aiohttp.ClientResponseError():
            return f"not HTTP: {error.message}"
        case _:
            return str(error) or type(error).__name__
