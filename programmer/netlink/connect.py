"""Sockets that send from the target namespace: for a connection, and for echo requests.

Like ``programmer.netlink.sockets``: a socket belongs for ever to the namespace that it was opened in, so a thread enters
it, and the process stays where it is.  Connecting, sending and receiving are the caller's, on the event loop.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from programmer.errors import FibUnavailable
from programmer.netlink.namespace import NamespaceIdentity, enter
from programmer.route import Address, Family

_IP_RECVERR = 11
"""linux/in.h: an unreachable message from the network becomes an error of the socket."""
_IPV6_RECVERR = 25
"""linux/in6.h: the same."""
_SOL_RAW = 255
"""linux/socket.h."""
_ICMP_FILTER = 1
"""linux/icmp.h: a bit for each type that is not wanted."""
_ICMP6_FILTER = 1
"""linux/icmpv6.h: the same, 256 bits."""
_ECHO_REPLY = 0
_ECHO_REPLY6 = 129
_ALL_TYPES = 0xFFFFFFFF


class NamespaceOpener:
    """Opens sockets in one network namespace; its one thread starts with the first of them.

    Every socket that is returned does not block and belongs to the caller, who closes it.
    """

    def __init__(self, identity: NamespaceIdentity) -> None:
        self._identity = identity
        self._thread = ThreadPoolExecutor(1, "bgpmon-opener")
        self._entered = False

    async def stream(
        self, family: Family, *, source: Address | None = None, interface: str = "", mark: int = 0
    ) -> socket.socket:
        """Return a TCP socket that will connect from *source*, by *interface*, with *mark* (fwmark), where those are set.

        Raises OSError with what cannot be had, FibError when the namespace cannot be entered.
        """
        return await self._open(lambda: _stream(family, source, interface, mark))

    async def echo(
        self, family: Family, *, source: Address | None = None, interface: str = "", mark: int = 0
    ) -> socket.socket:
        """Return an ICMP socket for echo requests; its ``type`` says which of two kinds it is.

        SOCK_DGRAM where ``net.ipv4.ping_group_range`` of the namespace has our group: the kernel chooses the identifier
        and makes the checksum.  Otherwise SOCK_RAW, which needs CAP_NET_RAW: it gets the replies to everybody's requests,
        behind an IP header for IPv4, and for IPv4 the checksum is the caller's.
        Raises as ``stream`` does.
        """
        return await self._open(lambda: _echo(family, source, interface, mark))

    async def close(self) -> None:
        """End the thread; sockets that were handed out stay open."""
        self._thread.shutdown(wait=False)

    async def _open(self, work: Callable[[], socket.socket]) -> socket.socket:
        try:
            opening = self._thread.submit(self._inside, work)
        except RuntimeError as error:
            raise FibUnavailable(f"no more sockets are opened in {self._identity.text}: {error}") from error
        try:
            return await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            # The thread may be at it, or done: nobody else will ever know of that socket.
            opening.add_done_callback(_discard)
            raise

    def _inside(self, work: Callable[[], socket.socket]) -> socket.socket:
        """Enter the namespace at first, here and not when the thread starts, so that the caller is told why it failed."""
        if not self._entered:
            enter(self._identity)
            self._entered = True
        return work()


def _discard(opening: "Future[socket.socket]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _stream(family: Family, source: Address | None, interface: str, mark: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.IPPROTO_TCP)
    with _closed_on_error(opened):
        _prepare(opened, source, interface, mark)
    return opened


def _echo(family: Family, source: Address | None, interface: str, mark: int) -> socket.socket:
    protocol = socket.IPPROTO_ICMP if family is Family.IPV4 else socket.IPPROTO_ICMPV6
    flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM | flags, protocol)
    except PermissionError:
        with _told("ICMP needs CAP_NET_RAW, or our group in net.ipv4.ping_group_range"):
            opened = socket.socket(family, socket.SOCK_RAW | flags, protocol)
    with _closed_on_error(opened):
        if opened.type == socket.SOCK_RAW:
            _want_replies_only(opened, family)
        if family is Family.IPV4:
            opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        _prepare(opened, source, interface, mark)
    return opened


def _want_replies_only(raw: socket.socket, family: Family) -> None:
    if family is Family.IPV4:
        raw.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", _ALL_TYPES & ~(1 << _ECHO_REPLY)))
        return
    unwanted = [_ALL_TYPES] * 8
    unwanted[_ECHO_REPLY6 // 32] &= ~(1 << _ECHO_REPLY6 % 32)
    raw.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *unwanted))


def _prepare(opened: socket.socket, source: Address | None, interface: str, mark: int) -> None:
    """Set mark and interface, then the source address: a VRF's addresses can be bound behind its interface only."""
    if mark:
        with _told(f"mark {mark:#x}"):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    if interface:
        with _told(f"interface {interface}"):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    if source is not None:
        with _told(f"source address {source}"):
            opened.bind((str(source), 0))


@contextlib.contextmanager
def _closed_on_error(opened: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened.close()
        raise


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Have an OSError say what could not be had."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise OSError(error.errno, f"{what}: {reason.lower()}") from error
