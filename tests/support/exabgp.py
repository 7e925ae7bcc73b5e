"""ExaBGP as a router that announces to the node under test what no router would."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from lab.routes import Announcement
from tests.support.daemon import require_programs
from tests.support.netns import Namespace
from tests.support.router import Router, announcements, running


class ExaPeer:
    """A BGP session of ExaBGP; ExaBGP dials."""

    def __init__(
        self,
        address: str,
        asn: int,
        *,
        local_address: str,
        families: Sequence[str] = ("ipv4",),
        password: str | None = None,
        graceful_restart: int | None = None,
        add_paths: bool = False,
        hold_time: int = 90,
    ) -> None:
        self.address = address
        self.asn = asn
        self.local_address = local_address
        self.families = families
        self.password = password
        self.graceful_restart = graceful_restart
        self.add_paths = add_paths
        self.hold_time = hold_time

    def text(self, asn: int, router_id: str) -> str:
        """The neighbour's part of the configuration file."""
        families = " ".join(f"{family} unicast;" for family in self.families)
        lines = [
            f"neighbor {self.address} {{",
            f"  router-id {router_id}; local-address {self.local_address};",
            f"  local-as {asn}; peer-as {self.asn}; hold-time {self.hold_time};",
            *([f"  md5-password {self.password};"] if self.password else []),
            f"  family {{ {families} }}",
            "  capability {",
            f"    graceful-restart {self.graceful_restart or 'disable'};",
            f"    add-path {'send' if self.add_paths else 'disable'};",
            "  }",
            "  api { processes [ pipe ]; }",
            "}",
        ]
        return "\n".join(lines)


class ExaBgp(Router):
    """ExaBGP: any next hop, any attribute, also those that no router would send.

    Debian 12 has version 4.2.21.  Commands go in by a pipe and are not answered: wait for their effect.
    """

    def __init__(
        self, directory: Path, namespace: Namespace, router_id: str, asn: int, peers: Sequence[ExaPeer]
    ) -> None:
        self.peers = list(peers)
        self.asn = asn
        self.router_id = router_id
        self.file = directory / "exabgp.conf"
        self.pipe = directory / "exabgp.fifo"
        self._writer: int | None = None
        super().__init__("exabgp", ["/usr/sbin/exabgp", str(self.file)], directory, namespace)
        self.environment = {
            "exabgp.daemon.user": "root",
            "exabgp.api.ack": "false",
            "exabgp.api.cli": "false",
            "exabgp.log.destination": "stdout",
            "exabgp.log.level": "INFO",
            "exabgp.tcp.delay": "0",
        }

    async def start(self) -> None:
        """Start it; its sessions come up by themselves: ask the other side."""
        self.pipe.unlink(missing_ok=True)
        os.mkfifo(self.pipe)
        peers = "\n".join(peer.text(self.asn, self.router_id) for peer in self.peers)
        process = f"process pipe {{ run /bin/cat {self.pipe}; encoder text; }}\n"
        self.file.write_text(process + peers + "\n")
        self.close_pipe()
        self._writer = os.open(self.pipe, os.O_RDWR)  # held open, so that the reader never sees an end
        self.launch()

    async def restart(self, *, graceful: bool = False) -> None:
        """Return after an end, without routes: with *graceful* after a crash."""
        await (self.kill() if graceful else self.stop())
        await self.start()

    def command(self, *lines: str) -> None:
        """Give commands of ExaBGP's API, one a line, as they are."""
        assert self._writer is not None, "ExaBGP was never started"
        data = "".join(f"{line}\n" for line in lines).encode()
        while data:
            data = data[os.write(self._writer, data) :]

    async def announce(self, *routes: Announcement | str, attributes: str = "", peer: str = "") -> None:
        """Announce to all peers or one; *attributes* is more of ExaBGP's text.

        ``attribute [ 0x63 0xc0 0x0102 ]`` is an attribute of type 99 with any flags and content, so malformed
        ones can be made; ``path-information 0.0.0.2`` is an add-path identifier.
        """
        await asyncio.to_thread(
            self.command,
            *(f"{_to(peer)}announce {_exa(route)} {attributes}" for route in announcements(routes)),
        )

    async def withdraw(self, *prefixes: str, attributes: str = "", peer: str = "") -> None:
        """Withdraw from all peers or one."""
        await asyncio.to_thread(
            self.command,
            *(f"{_to(peer)}withdraw route {prefix} next-hop self {attributes}" for prefix in prefixes),
        )

    def close_pipe(self) -> None:
        """Give the end of the pipe back."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None


def _to(peer: str) -> str:
    return f"neighbor {peer} " if peer else ""


def _exa(route: Announcement) -> str:
    words = [f"route {route.prefix} next-hop {route.next_hop or 'self'}"]
    if route.as_path:
        words.append(f"as-path [ {' '.join(map(str, route.as_path))} ]")
    if route.communities:
        words.append(f"community [ {' '.join(route.communities)} ]")
    if route.large_communities:
        words.append(f"large-community [ {' '.join(route.large_communities)} ]")
    if route.med is not None:
        words.append(f"med {route.med}")
    return " ".join(words)


@contextlib.asynccontextmanager
async def running_exabgp(
    directory: Path, namespace: Namespace, *, asn: int, router_id: str, peers: Sequence[ExaPeer]
) -> AsyncIterator[ExaBgp]:
    """Run an ExaBGP that announces nothing yet."""
    require_programs("/usr/sbin/exabgp")
    directory.mkdir(parents=True, exist_ok=True)
    router = ExaBgp(directory, namespace, router_id, asn, peers)
    try:
        async with running(router):
            yield router
    finally:
        router.close_pipe()
