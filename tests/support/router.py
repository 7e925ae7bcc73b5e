"""Real routers that announce to the node under test: BIRD for tables; FRR and ExaBGP are in modules of their own.

All of them announce, withdraw, die, stop and return in the same words.
"""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from lab import bird
from lab.bird import BirdPeer
from lab.routes import Announcement, bulk
from tests.support.daemon import Daemon, require_programs
from tests.support.netns import Namespace
from tests.support.wait import until

__all__ = ["Announcement", "Bird", "BirdPeer", "Router", "announcements", "running", "running_bird"]


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


class Startable(Protocol):
    """A router that can be started: every one of them."""

    def supervised(self) -> contextlib.AbstractContextManager[None]:
        """Kill it at the end."""

    async def start(self) -> None:
        """Start it and wait until it answers."""


@contextlib.asynccontextmanager
async def running(router: Startable) -> AsyncIterator[None]:
    """Start a router; it ends with the block."""
    with router.supervised():
        await router.start()
        yield


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
    async with running(router):
        yield router
