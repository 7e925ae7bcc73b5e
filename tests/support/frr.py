"""FRR as a router that announces to the node under test."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from lab import frr
from lab.frr import FrrPeer
from lab.routes import Announcement
from tests.support.daemon import Daemon, require_programs
from tests.support.netns import Namespace
from tests.support.router import Router, announcements, running
from tests.support.wait import until

__all__ = ["Frr", "FrrPeer", "running_frr"]

ZEBRA = Path("/usr/lib/frr/zebra")


class Zebra(Daemon):
    """FRR's zebra, of which bgpd learns what interfaces there are.

    It insists on a user who is in the group frrvty.  In its own mount namespace, which ``ip netns exec`` makes, root is.
    """

    def __init__(self, directory: Path, namespace: Namespace) -> None:
        self.socket = directory / "zserv.sock"
        group = directory / "group"
        lines = Path("/etc/group").read_text().splitlines()
        group.write_text("".join(f"{line}{_and_root(line)}\n" for line in lines))
        (directory / "zebra.conf").touch()
        argv = [
            *("sh", "-c", f'mount --bind {group} /etc/group && exec "$@"', "sh"),
            *(str(ZEBRA), "--user", "root", "--group", "root", "--vty_port", "0", "--vty_socket", str(directory)),
            *("--pid_file", str(directory / "zebra.pid"), "--socket", str(self.socket)),
            *("--config_file", str(directory / "zebra.conf"), "--log", "stdout", "--log-level", "informational"),
        ]
        super().__init__("zebra", argv, directory, namespace)

    async def start(self) -> None:
        """Start it and wait for its socket."""
        self.launch()

        def listens() -> bool:
            self.assert_running()
            return self.socket.exists()

        await until(listens, timeout=30, what="zebra's socket")


def _and_root(line: str) -> str:
    """What to add to a line of the group file so that root is in the group frrvty."""
    if not line.startswith("frrvty:"):
        return ""
    return "root" if line.endswith(":") else ",root"


class Frr(Router):
    """FRR's bgpd: it announces, and needs no zebra for that, but for sessions between link-local addresses.

    Between link-local addresses the other side has to dial.
    """

    def __init__(
        self,
        directory: Path,
        namespace: Namespace,
        router_id: str,
        asn: int,
        peers: Sequence[FrrPeer],
        more: Sequence[str] = (),
        zebra: Zebra | None = None,
    ) -> None:
        self.peers = list(peers)
        self.asn = asn
        self.router_id = router_id
        self.more = more
        self._announced: dict[str, Announcement] = {}
        argv = frr.command(directory)
        if zebra is not None:
            argv = [*(word for word in argv if word != "--no_zebra"), "--socket", str(zebra.socket)]
        super().__init__("bgpd", argv, directory, namespace)

    async def start(self) -> None:
        """Start it, with what it announced before, and wait until it answers."""
        text = frr.config(self.router_id, self.asn, self.peers, self._announced.values())
        more = "".join(f"{line}\n" for line in (f"router bgp {self.asn}", *self.more, "exit")) if self.more else ""
        (self.directory / "bgpd.conf").write_text(text + more)
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


@contextlib.asynccontextmanager
async def running_frr(
    directory: Path,
    namespace: Namespace,
    *,
    asn: int,
    router_id: str,
    peers: Sequence[FrrPeer],
    routes: Iterable[Announcement | str] = (),
    more: Sequence[str] = (),
    unnumbered: bool = False,
) -> AsyncIterator[Frr]:
    """Run a bgpd that announces *routes* from its first moment.

    *more* lines go to its ``router bgp`` block.  *unnumbered* runs a zebra too, without which bgpd knows no interface.
    """
    require_programs(str(frr.BGPD), "vtysh", *([str(ZEBRA)] if unnumbered else []))
    directory.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        zebra = None
        if unnumbered:
            zebra = Zebra(directory, namespace)
            stack.enter_context(zebra.supervised())
            await zebra.start()
        router = Frr(directory, namespace, router_id, asn, peers, more, zebra)
        router.begin_with(*routes)
        await stack.enter_async_context(running(router))
        yield router
