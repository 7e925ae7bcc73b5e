"""TCP in the target namespace: a listening socket there, and who on this machine owns the other end of a connection.

A socket belongs for ever to the namespace that it was opened in, so a thread enters it, and the process stays where it is.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from pyroute2 import DiagSocket

from programmer.errors import FibUnavailable
from programmer.netlink.namespace import NamespaceIdentity, enter
from programmer.netlink.policy import read_addresses, read_links, read_neighbor_links
from programmer.route import Address

T = TypeVar("T")

Place = tuple[Address, int]
"""An address and a port."""

TCP_ESTABLISHED = 1
"""include/net/tcp_states.h."""

BACKLOG = 16


class SocketOwner(NamedTuple):
    """Who holds a socket of this machine: the user's number, and the inode that tells the socket from all others."""

    uid: int
    inode: int


class NamespaceSockets:
    """Opens and looks up sockets of one network namespace; its one thread starts with the first question."""

    def __init__(self, identity: NamespaceIdentity) -> None:
        self._thread = ThreadPoolExecutor(1, "bgpmon-sockets", initializer=enter, initargs=(identity,))

    async def listen(self, place: Place) -> socket.socket:
        """Return a socket, not blocking, that listens at *place* in the namespace; OSError where that cannot be had."""
        return await self._work(lambda: _listen(place))

    async def owner(self, near: Place, far: Place) -> SocketOwner | None:
        """Return who holds the far end of the connection between *near*, which is ours, and *far*.

        None when no process of this namespace does: the far end is on another host, in another namespace, or closed.
        Raises FibUnavailable when the kernel does not say.
        """
        return await self._work(lambda: _owner(near, far))

    async def interface(self, near: Address, far: Address) -> str:
        """Return the interface between our link-local address *near* and a neighbour's, *far*; empty where that is not certain.

        The only one that has *near*, else the only one that *far* is a neighbour on.  Raises FibUnavailable.
        """
        return await self._work(lambda: _interface(near, far))

    async def close(self) -> None:
        """End the thread; sockets that were handed out stay open."""
        self._thread.shutdown(wait=False)

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _listen(place: Place) -> socket.socket:
    address, port = place
    kind = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(kind, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((str(address), port))
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


def _owner(near: Place, far: Place) -> SocketOwner | None:
    """Ask sock_diag(7) for the socket whose own end is *far*.

    A socket that its process has closed belongs to nobody (inode 0), and some kernels then say that root holds it; so does
    one that is no longer established.  Neither proves anything.
    """
    for message in _sockets(far[1], near[1]):
        ends = _place(message, "src", "sport"), _place(message, "dst", "dport")
        if ends == (far, near) and message["idiag_state"] == TCP_ESTABLISHED and message["idiag_inode"]:
            return SocketOwner(int(message["idiag_uid"]), int(message["idiag_inode"]))
    return None


def _interface(near: Address, far: Address) -> str:
    for found in ({entry.ifindex for entry in read_addresses() if entry.address == near}, read_neighbor_links(far)):
        if len(found) == 1 and (link := read_links().get(found.pop())) is not None:
            return link.name
    return ""


def _sockets(port: int, far_port: int) -> Iterator[Any]:
    """Yield this namespace's TCP sockets between two ports; a program may use an IPv6 socket for IPv4."""
    try:
        with DiagSocket() as asked:
            asked.bind()
            for family in (socket.AF_INET, socket.AF_INET6):
                yield from asked.get_sock_stats(family=family, states=1 << TCP_ESTABLISHED, sport=port, dport=far_port)
    except OSError as error:
        raise FibUnavailable(f"sock_diag: {error.strerror or error}") from error


def _place(message: Any, end: str, port: str) -> Place:
    address = ipaddress.ip_address(str(message[f"idiag_{end}"]))
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address, int(message[f"idiag_{port}"])
