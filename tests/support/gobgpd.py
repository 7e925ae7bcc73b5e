"""A real gobgpd of a chosen generation, in a namespace or on loopback, gone with the test."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.gobgpd import (
    VERSIONS,
    GobgpdConfig,
    Neighbor,
    NotInstalledError,
    gobgp_binary,
    gobgpd_binary,
    reject_prefixes,
)
from tests.support.daemon import Daemon, unavailable
from tests.support.netns import Namespace
from tests.support.tls import Certificates
from tests.support.wait import until

__all__ = [
    "VERSIONS",
    "Gobgpd",
    "GobgpdConfig",
    "Neighbor",
    "gobgpd_binary",
    "reject_prefixes",
    "require_gobgpd",
    "running_gobgpd",
]


class Gobgpd(Daemon):
    """One gobgpd with its API on a unix socket, and on loopback TCP too if asked for.

    ``target`` is the unix socket as bgpmon's configuration and grpcio write it; ``tcp`` is 127.0.0.1:PORT.
    """

    def __init__(
        self,
        version: str,
        config: GobgpdConfig,
        directory: Path,
        *,
        namespace: Namespace | None = None,
        tcp_port: int | None = None,
        tls: Certificates | None = None,
        client_ca: bool = False,
        log_level: str = "info",
    ) -> None:
        self.version = version
        self.config = config
        self.socket = directory / "gobgpd.sock"
        self.target = f"unix://{self.socket}"
        self.tcp = f"127.0.0.1:{tcp_port}" if tcp_port else None
        self.tls = tls
        self.file = directory / "gobgpd.toml"
        hosts = ",".join(host for host in (self.target, self.tcp) if host)
        argv = [str(gobgpd_binary(version)), "-f", str(self.file), "--api-hosts", hosts]
        argv += ["--pprof-disable", "--log-level", log_level]
        if tls is not None:
            argv += ["--tls", "--tls-cert-file", str(tls.server), "--tls-key-file", str(tls.server_key)]
        if client_ca:
            assert tls is not None, "client certificates go with a server's"
            assert version != VERSIONS[0], "3.10 knows no client certificates"
            argv += ["--tls-client-ca-file", str(tls.ca)]
        super().__init__(f"gobgpd-{version}", argv, directory, namespace)

    async def start(self, *, graceful: bool = False) -> None:
        """Start it and wait until it answers; *graceful* flags the restart to its peers."""
        self.file.write_text(self.config.text())
        self.socket.unlink(missing_ok=True)  # a stale one keeps every version from opening its API
        self.launch(*(["--graceful-restart"] if graceful else []))
        await until(self._answers, timeout=30, what=f"gobgpd {self.version} to answer on {self.target}")

    async def restart(self, *, graceful: bool = False) -> None:
        """Stop it and start it again."""
        await self.stop()
        await self.start(graceful=graceful)

    async def reload(self, config: GobgpdConfig) -> None:
        """Put another configuration in force without a restart."""
        self.config = config
        self.file.write_text(config.text())
        self.signal(signal.SIGHUP)

    async def cli(self, *args: str) -> str:
        """Run the client of the same version; AssertionError has its words on failure.

        It speaks plaintext over the unix socket, so not to a daemon with TLS.
        """
        command = [str(gobgp_binary(self.version)), "--target", self.target, *args]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"gobgp {' '.join(args)}: {done.stdout.strip()} {done.stderr.strip()}"
        return done.stdout

    async def json(self, *args: str) -> Any:
        """Run the client with JSON output."""
        return json.loads(await self.cli("-j", *args))

    async def add_path(self, prefix: str, next_hop: str, *more: str) -> None:
        """Originate a path, or replace the one of the same prefix."""
        await self.cli("global", "rib", "add", prefix, "nexthop", next_hop, *more, *_family(prefix))

    async def delete_path(self, prefix: str) -> None:
        """Withdraw what `add_path` originated."""
        await self.cli("global", "rib", "del", prefix, *_family(prefix))

    async def peers_established(self, *addresses: str, timeout: float = 30.0) -> None:
        """Wait until the sessions with these peers are up; without addresses, all configured ones."""
        wanted = set(addresses) or {peer.address for peer in self.config.neighbors if peer.address}

        async def established() -> bool:
            self.assert_running()
            rows = (await self.cli("neighbor")).splitlines()[1:]
            up = {row.split()[0] for row in rows if "Establ" in row}
            assert wanted <= up, f"{sorted(wanted - up)} are not up: {rows}"
            return True

        await until(established, timeout=timeout, what=f"{self.name}'s sessions with {sorted(wanted)}")

    async def received(self, address: str, family: str = "ipv4") -> int:
        """How many paths a peer's Adj-RIB-In holds."""
        text = await self.cli("neighbor", address, "adj-in", "-a", family, "summary")
        return int(text.rsplit("Path:", 1)[1].split(",")[0])

    async def learned(self, count: int, address: str, family: str = "ipv4", timeout: float = 60.0) -> None:
        """Wait until a peer's Adj-RIB-In holds exactly *count* paths."""

        async def complete() -> bool:
            number = await self.received(address, family)
            assert number == count, f"{number} paths from {address}, not {count}"
            return True

        await until(complete, timeout=timeout, what=f"{count} {family} paths from {address}", every=0.1)

    async def _answers(self) -> bool:
        self.assert_running()
        if self.tls is not None:
            return await asyncio.to_thread(_accepts, self.socket)
        return str(self.config.asn) in await self.cli("global")


def require_gobgpd(version: str) -> None:
    """Skip the test where this generation of gobgpd is missing; fail if ``CI=true``."""
    try:
        gobgpd_binary(version)
    except NotInstalledError as missing:
        unavailable(str(missing))


@contextlib.asynccontextmanager
async def running_gobgpd(
    version: str,
    directory: Path,
    *,
    namespace: Namespace | None = None,
    asn: int = 65000,
    router_id: str = "192.0.2.1",
    neighbors: Sequence[Neighbor] = (),
    tcp: bool = False,
    tls: Certificates | None = None,
    client_ca: bool = False,
    log_level: str = "info",
    **config: Any,
) -> AsyncIterator[Gobgpd]:
    """Run a gobgpd that answers; more keywords (multipath, policies, import_policies) go to `GobgpdConfig`.

    Without a namespace it opens no BGP port.  With *tcp* the API also listens on a free loopback port.
    """
    require_gobgpd(version)
    settings = GobgpdConfig(asn=asn, router_id=router_id, neighbors=tuple(neighbors), **config)
    if namespace is None:
        settings = replace(settings, port=-1)
    directory.mkdir(parents=True, exist_ok=True)
    daemon = Gobgpd(
        version,
        settings,
        directory,
        namespace=namespace,
        tcp_port=_free_port() if tcp else None,
        tls=tls,
        client_ca=client_ca,
        log_level=log_level,
    )
    with daemon.supervised():
        await daemon.start()
        yield daemon


def _family(prefix: str) -> tuple[str, str]:
    return "-a", "ipv6" if ":" in prefix else "ipv4"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(os.fspath(path)) == 0
