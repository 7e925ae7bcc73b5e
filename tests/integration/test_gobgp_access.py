"""The ways in to a gobgpd, and what is said where there is none."""

import asyncio
from pathlib import Path

import grpc.aio
import pytest

from monitor.errors import SourceRefused
from monitor.gobgp.client import Tls
from monitor.gobgp.source import GobgpSource
from tests.support.gobgpd import Gobgpd, running_gobgpd
from tests.support.mirror import mirroring
from tests.support.tls import Certificates, make_certificates
from tests.support.wait import until

pytestmark = [pytest.mark.daemons, pytest.mark.kernel]


async def test_loopback_tcp_is_a_way_in(gobgpd_version: str, tmp_path: Path) -> None:
    async with running_gobgpd(gobgpd_version, tmp_path, tcp=True) as gobgpd:
        await gobgpd.add_path("10.1.0.0/16", "192.0.2.9")
        async with mirroring(gobgpd.tcp or "") as mirror:
            await until(lambda: mirror.source.ignored.get("local"))
            assert not mirror.paths


@pytest.mark.parametrize("version", ["3.36", "4.8"])
async def test_mutual_tls_is_a_way_in(version: str, tmp_path: Path, certificates: Certificates) -> None:
    tls = Tls(certificates.ca, certificates.client, certificates.client_key)
    async with (
        running_gobgpd(version, tmp_path, tcp=True, tls=certificates, client_ca=True) as gobgpd,
        mirroring(gobgpd.tcp or "", tls) as mirror,
    ):
        await until(lambda: mirror.feed, what=f"a feed; lost: {mirror.lost}")


async def test_a_strange_authority_is_explained(tmp_path: Path, certificates: Certificates) -> None:
    other = make_certificates(tmp_path / "other")
    tls = Tls(other.ca, certificates.client, certificates.client_key)
    async with (
        running_gobgpd("4.8", tmp_path / "g", tcp=True, tls=certificates, client_ca=True) as gobgpd,
        mirroring(gobgpd.tcp or "", tls) as mirror,
    ):
        await until(lambda: mirror.lost)
        assert "ca" in mirror.lost[0]
        assert "certificate" in mirror.lost[0]
        assert not mirror.feed


def test_an_insecure_remote_target_is_refused() -> None:
    with pytest.raises(SourceRefused, match="neither a unix socket nor a loopback address"):
        GobgpSource("fabric", "192.0.2.1:50051")


async def test_another_grpc_service_is_not_taken_for_gobgp() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with mirroring(f"127.0.0.1:{port}") as mirror:
            await until(lambda: mirror.lost)
            assert "is not GoBGP 3 or 4" in mirror.lost[0]
    finally:
        await server.stop(None)


async def test_something_that_is_no_grpc_is_reported_and_tried_again() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, mirroring(f"127.0.0.1:{port}") as mirror:
        await until(lambda: mirror.lost, timeout=30)
        assert f"127.0.0.1:{port}" in mirror.lost[0]


async def test_a_gobgpd_that_is_not_there_yet_is_waited_for(gobgpd_version: str, tmp_path: Path) -> None:
    socket = tmp_path / "gobgpd.sock"
    async with mirroring(f"unix://{socket}") as mirror:
        await until(lambda: mirror.lost)
        assert f"is gobgpd running with --api-hosts unix://{socket}" in mirror.lost[0]
        async with running_gobgpd(gobgpd_version, tmp_path) as gobgpd:
            assert isinstance(gobgpd, Gobgpd)
            await until(lambda: mirror.feed)
