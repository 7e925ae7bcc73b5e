"""Real routers that announce to the node under test: BIRD for tables, FRR, ExaBGP for strange things.

All of them announce, withdraw, die, stop and return in the same words.
"""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from lab import bird, frr
from lab.bird import BirdPeer
from lab.frr import FrrPeer
from lab.routes import Announcement, bulk
from tests.support.daemon import Daemon, require_programs
from tests.support.netns import Namespace
from tests.support.wait import until

__all__ = [
    "Announcement",
    "Bird",
    "BirdPeer",
    "ExaBgp",
    "ExaPeer",
    "Frr",
    "FrrPeer",
    "running_bird",
    "running_exabgp",
    "running_frr",
]


def announcements(routes: Iterable[Announcement | str]) -> list[Announcement]:
    """Plain prefixes become announcements without attributes."""
    return [Announcement(route) if isinstance(route, str) else route for route in routes]


class Router(Daemon):
    """What every router has: links that can go down."""

    def link_down(self, interface: str) -> None:
        """Take the router's end of a cable away; the other end loses its carrier."""
        assert self.namespace is not None
        self.namespace.ip("link", "set", interface, "down")

    def link_up(self, interface: str) -> None:
        """Give the end of the cable back."""
        assert self.namespace is not None
        self.namespace.ip("link", "set", interface, "up")


class Bird(Router):
    """BIRD 2: small changing tables by `announce` and `withdraw`, and a large one by `load`."""

    def __init__(
        self, directory: Path, namespace: Namespace, router_id: str, asn: int, peers: Sequence[BirdPeer]
    ) -> None:
        self.peers = list(peers)
        self.asn = asn
        self.router_id = router_id
        self.file = directory / "bird.conf"
        self.socket = directory / "bird.ctl"
        self._extra: dict[str, Announcement] = {}
        self._muted: set[str] = set()
        argv = ["bird", "-f", "-c", str(self.file), "-s", str(self.socket), "-P", str(directory / "bird.pid")]
        super().__init__("bird", argv, directory, namespace)
        for family in bird.FAMILIES:
            for group in bird.GROUPS:
                (directory / bird.table_file(group, family)).touch()

    async def start(self, *, graceful: bool = False) -> None:
        """Start it and wait for its control socket; *graceful* recovers as after a crash."""
        self._write_file()
        self.socket.unlink(missing_ok=True)
        self.launch(*(["-R"] if graceful else []))
        await until(self._answers, timeout=60, what="BIRD's control socket")

    async def restart(self, *, graceful: bool = False) -> None:
        """Return after an end: with *graceful* after a crash, whose routes the peers were to keep."""
        await (self.kill() if graceful else self.stop())
        await self.start(graceful=graceful)

    async def birdc(self, *words: str) -> str:
        """Run a control command; AssertionError has BIRD's words if it refused."""
        done = await asyncio.to_thread(
            subprocess.run,
            ["birdc", "-s", str(self.socket), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"birdc {' '.join(words)}: {said}"
        assert "rror" not in said, f"birdc {' '.join(words)}: {said}"
        return said

    async def announce(self, *routes: Announcement | str) -> None:
        """Announce these, or announce them anew with other attributes."""
        self._extra.update({route.prefix: route for route in announcements(routes)})
        await self._put_extra()

    async def withdraw(self, *prefixes: str) -> None:
        """Withdraw what `announce` announced."""
        for prefix in prefixes:
            del self._extra[prefix]
        await self._put_extra()

    async def withdraw_all(self) -> None:
        """Withdraw everything, the large table too."""
        self._extra.clear()
        for family in bird.FAMILIES:
            self._table("bulk", family).write_text("")
        await self._put_extra()

    async def load(self, count: int, family: str = "ipv4", seed: int = 1) -> None:
        """Announce a table of *count* prefixes (`lab.routes.bulk`) in place of the former large table.

        A million take BIRD about 15 seconds to read.
        """
        with self._table("bulk", family).open("w") as file:
            file.writelines(bird.table(bulk(count, family, seed)))
        await self._configure()

    async def mute(self, family: str = "ipv4") -> None:
        """Withdraw the large table at once, without reading it again."""
        self._muted.add(f"bulk_{family}")
        self._write_file()  # the next reconfiguration would enable it again
        await self.birdc("disable", f"bulk_{family}")

    async def unmute(self, family: str = "ipv4") -> None:
        """Announce the large table again."""
        self._muted.remove(f"bulk_{family}")
        self._write_file()
        await self.birdc("enable", f"bulk_{family}")

    async def sessions_up(self, timeout: float = 30.0) -> None:
        """Wait until all its sessions are established."""

        async def up() -> bool:
            self.assert_running()
            text = await self.birdc("show", "protocols")
            rows = {row.split()[0]: row for row in text.splitlines() if row.strip()}
            down = [rows[peer.name] for peer in self.peers if "Established" not in rows[peer.name]]
            assert not down, f"not established: {down}"
            return True

        await until(up, timeout=timeout, what="BIRD's sessions")

    def _write_file(self) -> None:
        text = bird.config(self.router_id, self.asn, self.peers, str(self.directory), self._muted)
        self.file.write_text(text)

    def _table(self, group: str, family: str) -> Path:
        return self.directory / bird.table_file(group, family)

    async def _put_extra(self) -> None:
        for family, of_family in (("ipv4", False), ("ipv6", True)):
            routes = [route for route in self._extra.values() if (":" in route.prefix) is of_family]
            self._table("extra", family).write_text("".join(bird.table(routes)))
        await self._configure()

    async def _configure(self) -> None:
        if self.running:
            await self.birdc("configure")

    async def _answers(self) -> bool:
        self.assert_running()
        return "Daemon is up" in await self.birdc("show", "status")


class Frr(Router):
    """FRR's bgpd alone: it announces, and needs no zebra for that."""

    def __init__(
        self, directory: Path, namespace: Namespace, router_id: str, asn: int, peers: Sequence[FrrPeer]
    ) -> None:
        self.peers = list(peers)
        self.asn = asn
        self.router_id = router_id
        self._announced: dict[str, Announcement] = {}
        super().__init__("bgpd", frr.command(directory), directory, namespace)

    async def start(self) -> None:
        """Start it, with what it announced before, and wait until it answers."""
        text = frr.config(self.router_id, self.asn, self.peers, self._announced.values())
        (self.directory / "bgpd.conf").write_text(text)
        self.launch()
        await until(self._answers, timeout=30, what="FRR's bgpd to answer")

    async def restart(self, *, graceful: bool = False) -> None:
        """Return after an end: with *graceful* after a crash, whose routes the peers were to keep."""
        await (self.kill() if graceful else self.stop())
        await self.start()

    def begin_with(self, *routes: Announcement | str) -> None:
        """Announce these from the next start on."""
        self._announced.update({route.prefix: route for route in announcements(routes)})

    async def vtysh(self, *commands: str) -> str:
        """Run commands in FRR's shell; AssertionError has its words if it refused."""
        argv = ["vtysh", "--vty_socket", str(self.directory), "-d", "bgpd"]
        done = await asyncio.to_thread(
            subprocess.run,
            [*argv, *(word for command in commands for word in ("-c", command))],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"vtysh: {done.stdout} {done.stderr}"
        return done.stdout

    async def announce(self, *routes: Announcement | str) -> None:
        """Announce these, or announce them anew with other attributes."""
        self.begin_with(*routes)
        wanted = announcements(routes)
        await self.vtysh("configure terminal", *frr.announce(self.asn, wanted))

    async def withdraw(self, *prefixes: str) -> None:
        """Withdraw what `announce` announced."""
        for prefix in prefixes:
            del self._announced[prefix]
        await self.vtysh("configure terminal", *frr.withdraw(self.asn, prefixes))

    async def sessions_up(self, timeout: float = 30.0) -> None:
        """Wait until all its sessions are established."""

        async def up() -> bool:
            self.assert_running()
            for peer in self.peers:
                said = await self.vtysh(f"show bgp neighbors {peer.address}")
                assert "BGP state = Established" in said, said[:400]
            return True

        await until(up, timeout=timeout, what="FRR's sessions", every=0.1)

    async def _answers(self) -> bool:
        self.assert_running()
        return self.router_id in await self.vtysh("show running-config")


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
async def running_bird(
    directory: Path,
    namespace: Namespace,
    *,
    asn: int,
    router_id: str,
    peers: Sequence[BirdPeer],
    routes: Iterable[Announcement | str] = (),
) -> AsyncIterator[Bird]:
    """Run a BIRD that announces *routes* from its first moment."""
    require_programs("bird", "birdc")
    directory.mkdir(parents=True, exist_ok=True)
    router = Bird(directory, namespace, router_id, asn, peers)
    await router.announce(*routes)
    async with _running(router):
        yield router


@contextlib.asynccontextmanager
async def running_frr(
    directory: Path,
    namespace: Namespace,
    *,
    asn: int,
    router_id: str,
    peers: Sequence[FrrPeer],
    routes: Iterable[Announcement | str] = (),
) -> AsyncIterator[Frr]:
    """Run a bgpd that announces *routes* from its first moment."""
    require_programs(str(frr.BGPD), "vtysh")
    directory.mkdir(parents=True, exist_ok=True)
    router = Frr(directory, namespace, router_id, asn, peers)
    router.begin_with(*routes)
    async with _running(router):
        yield router


@contextlib.asynccontextmanager
async def running_exabgp(
    directory: Path, namespace: Namespace, *, asn: int, router_id: str, peers: Sequence[ExaPeer]
) -> AsyncIterator[ExaBgp]:
    """Run an ExaBGP that announces nothing yet."""
    require_programs("/usr/sbin/exabgp")
    directory.mkdir(parents=True, exist_ok=True)
    router = ExaBgp(directory, namespace, router_id, asn, peers)
    try:
        async with _running(router):
            yield router
    finally:
        router.close_pipe()


@contextlib.asynccontextmanager
async def _running(router: Bird | Frr | ExaBgp) -> AsyncIterator[None]:
    with router.supervised():
        await router.start()
        yield
