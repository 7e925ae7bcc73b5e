"""Raw route sockets: sends a batch of changes, reads a table.

Everything here blocks; it runs in worker threads.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Callable

from programmer.codec import CodecError, DumpDecoder, EventDecoder, Replies, dump_request
from programmer.errors import FibUnavailable
from programmer.route import Family, Forwarding

SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

SEND_BUFFER = 4 << 20
"""Octets: room for a thousand routes with dozens of next hops in one send."""
RECEIVE_BUFFER = 8 << 20
"""Octets: room for a thousand error replies, each of which costs the kernel about a page."""
NOTIFY_BUFFER = 64 << 20
"""Octets: room for some 60,000 route notifications, which come without any flow control."""
RECEIVE_SIZE = 1 << 17
"""Octets offered to one receive; the kernel fills at most 32 KiB of a dump at a time."""
REPLY_TIMEOUT = 30.0
"""Seconds without any answer after which the socket is taken for lost."""

GROUP_IPV6_ROUTE = 11


def open_socket(*, groups: tuple[int, ...] = (), receive_buffer: int = RECEIVE_BUFFER) -> socket.socket:
    """Open a route socket in the calling thread's namespace, subscribed to multicast *groups* (RTNLGRP_*).

    Works without privileges; buffers are then as large as the system allows.  Raises FibUnavailable.
    """
    try:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    except OSError as error:
        raise FibUnavailable(f"no netlink socket: {error.strerror}") from error
    try:
        _enlarge(opened, SO_RCVBUFFORCE, socket.SO_RCVBUF, receive_buffer)
        _enlarge(opened, SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
            opened.setsockopt(SOL_NETLINK, option, 1)
        opened.settimeout(REPLY_TIMEOUT)
        opened.bind((0, sum(1 << (group - 1) for group in groups)))
    except OSError as error:
        opened.close()
        raise FibUnavailable(f"a netlink socket cannot be set up: {error.strerror}") from error
    return opened


def _enlarge(opened: socket.socket, forced: int, plain: int, size: int) -> None:
    """Make a socket buffer large, past the system's limit if we may."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, forced, size)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, plain, size)


class WriteSocket:
    """Sends changes, one batch after another, and collects what became of each."""

    def __init__(self) -> None:
        self._buffer = bytearray(RECEIVE_SIZE)
        self._open()

    def _open(self) -> None:
        """Open a fresh socket."""
        self._socket = open_socket()
        self.port: int = self._socket.getsockname()[0]
        """Our netlink port id: notifications of our own changes carry it."""
        self.largest = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - 32
        """Most octets that one send may have (net/netlink/af_netlink.c)."""

    def send(self, batch: bytes, first: int, count: int) -> dict[int, tuple[int, str]]:
        """Send *count* messages numbered from *first*; return failures: place to (errno, the kernel's words).

        Raises FibUnavailable if it cannot be known what was done.
        """
        replies = Replies(first, count)
        view = memoryview(self._buffer)
        try:
            self._socket.sendto(batch, (0, 0))
            while not replies.complete:
                size = self._socket.recv_into(self._buffer)
                replies.feed(view[:size])
        except (OSError, CodecError) as error:
            self.close()
            self._open()
            raise FibUnavailable(f"the outcome of {count} changes is unknown: {error}") from error
        return replies.failures

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class DumpSocket:
    """Reads tables.

    The kernel walks an IPv6 table by counting: a deletion behind its back makes it skip as many routes, and
    it does not flag that (no NLM_F_DUMP_INTR).  So IPv6 deletions are listened for during the dump, and any
    in this table, or a lost notification, makes the dump an interrupted one.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(RECEIVE_SIZE)
        self._decoder = EventDecoder()
        self._open()
        self._sequence = int.from_bytes(os.urandom(3))

    def dump(
        self,
        table: int,
        family: Family,
        *,
        protocol: int,
        metrics: frozenset[int],
        interned: dict[Forwarding, Forwarding] | None = None,
        only_protocol: int = 0,
        stop: Callable[[], bool] = lambda: False,
    ) -> DumpDecoder:
        """Read one family of one table once; the answer says whether it was interrupted.

        *only_protocol* makes the kernel send that owner's routes alone; *stop* is asked between datagrams.
        An absent table is an empty one.  Raises FibUnavailable.
        """
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        decoder = DumpDecoder(
            family, table, protocol=protocol, metrics=metrics, sequence=self._sequence, interned=interned
        )
        view = memoryview(self._buffer)
        try:
            if family is Family.IPV6:
                self._drain_deletions(table)
            self._socket.sendto(dump_request(family, table, self._sequence, only_protocol), (0, 0))
            while not decoder.feed(view[: self._socket.recv_into(self._buffer)]):
                if stop():
                    raise FibUnavailable("closed while a table was read")
            if family is Family.IPV6 and self._drain_deletions(table):
                decoder.interrupted = True
        except (OSError, CodecError) as error:
            self.close()
            self._open()
            if isinstance(error, OSError) and error.errno in {errno.EBUSY, errno.ENOBUFS}:
                decoder.interrupted = True
                return decoder
            raise FibUnavailable(f"table {table} cannot be read: {error}") from error
        if decoder.errno == errno.EBUSY:
            self.close()
            self._open()
            decoder.interrupted = True
        elif decoder.errno not in {0, errno.ENOENT}:
            words = decoder.message or os.strerror(decoder.errno)
            raise FibUnavailable(f"table {table} cannot be read: {words}")
        return decoder

    def _drain_deletions(self, table: int) -> int:
        """Take all waiting IPv6 notifications; return how many may have upset a dump of *table*."""
        upset = 0
        while True:
            try:
                message = self._deletions.recv(RECEIVE_SIZE)
            except BlockingIOError:
                return upset
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                upset += 1
                continue
            event = self._decoder.decode(memoryview(message), frozenset({table}))
            upset += event is not None and event.forwarding is None

    def _open(self) -> None:
        """Open fresh sockets."""
        self._socket = open_socket()
        self._deletions = open_socket(groups=(GROUP_IPV6_ROUTE,))
        self._deletions.settimeout(0)

    def close(self) -> None:
        """Close the sockets."""
        with contextlib.suppress(OSError):
            self._socket.close()
            self._deletions.close()
