"""A speaker of our own that connects to bgpmon's BMP station from the node's namespace, and says what a test wants."""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from programmer.netlink.namespace import enter, identify_namespace
from tests.support import bmp
from tests.support.netns import Namespace

PORT = 11019
MOST = 800
"""Prefixes in one UPDATE, so that it fits into 4,096 octets."""


class Speaker:
    """One connection to the station; it tells of one external ``peer``, which speaks IPv4."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.peer = bmp.Monitored()

    def say(self, *messages: bytes) -> None:
        """Send messages."""
        self.connection.sendall(b"".join(messages))

    def is_closed(self) -> bool:
        """Whether the station has ended the connection."""
        self.connection.setblocking(False)
        try:
            return self.connection.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.connection.setblocking(True)

    def announce(self, prefixes: Sequence[str], *as_path: int) -> bytes:
        """Announcements with one attribute set, as many in an UPDATE as fit."""
        attributes = bmp.usual(path=bmp.sequence(self.peer.asn, *as_path))
        updates = (bmp.update(attributes=attributes, prefixes=bmp.nlri(*some)) for some in _pieces(prefixes))
        return b"".join(self.peer.routes(update) for update in updates)

    def withdraw(self, prefixes: Sequence[str]) -> bytes:
        """Withdrawals."""
        return b"".join(self.peer.routes(bmp.update(withdrawn=bmp.nlri(*some))) for some in _pieces(prefixes))


def _pieces(prefixes: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(prefixes), MOST):
        yield prefixes[at : at + MOST]


def listens(node: Namespace) -> bool:
    """Whether the station listens: a daemon that has just been started answers its API before."""
    return f":{PORT}" in node.run("ss", "-Hltn").stdout


@contextlib.contextmanager
def connected(node: Namespace, address: str = "127.0.0.1") -> Iterator[Speaker]:
    """Connect to the station from the node's namespace, as the user that runs the tests."""
    identity = identify_namespace(str(node.path))
    with ThreadPoolExecutor(1, initializer=enter, initargs=(identity,)) as thread:
        connection = thread.submit(socket.create_connection, (address, PORT), 10).result()
    with connection:
        yield Speaker(connection)
