"""A speaker of our own that connects to bgpmon's BMP station from the node's namespace, and says what a test wants."""

import contextlib
import socket
import struct
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network

from programmer.netlink.namespace import enter, identify_namespace
from tests.support.netns import Namespace

PORT = 11019
_MARKER = b"\xff" * 16


def message(kind: int, body: bytes = b"") -> bytes:
    """A BMP message."""
    return struct.pack(">BIB", 3, 6 + len(body), kind) + body


def initiation(name: str, description: str = "a test") -> bytes:
    """An Initiation."""
    tlvs = ((2, name.encode()), (1, description.encode()))
    return message(4, b"".join(struct.pack(">HH", kind, len(value)) + value for kind, value in tlvs))


class Speaker:
    """One connection to the station; the peer that it tells of is external and speaks IPv4."""

    def __init__(self, connection: socket.socket, peer: str = "192.0.2.2", asn: int = 65001) -> None:
        self.connection = connection
        self.peer = ip_address(peer)
        self.asn = asn

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

    def header(self, seconds: int = 1_000_000_000) -> bytes:
        """The per-peer header."""
        address = self.peer.packed.rjust(16, b"\0")
        return struct.pack(">BB8s16sI4sII", 0, 0, bytes(8), address, self.asn, b"\x0a\xff\0\1", seconds, 0)

    def peer_up(self) -> bytes:
        """A Peer Up of a session for IPv4."""
        opens = b"".join(_open(asn) for asn in (65000, self.asn))
        return message(3, self.header() + bytes(16) + struct.pack(">HH", 179, 40000) + opens)

    def announce(self, prefixes: Iterable[str], *as_path: int, next_hop: str = "") -> bytes:
        """Announcements with one attribute set, as many in an UPDATE as fit."""
        path = (self.asn, *as_path)
        hop = ip_address(next_hop or str(self.peer)).packed
        attributes = (
            b"\x40\x01\x01\x00"
            + bytes((0x40, 2, 2 + 4 * len(path), 2, len(path)))
            + struct.pack(f">{len(path)}I", *path)
            + b"\x40\x03\x04"
            + hop
        )
        head = b"\0\0" + struct.pack(">H", len(attributes)) + attributes
        return b"".join(self._update(head + nlri) for nlri in _packed(prefixes))

    def withdraw(self, prefixes: Iterable[str]) -> bytes:
        """Withdrawals."""
        return b"".join(self._update(struct.pack(">H", len(nlri)) + nlri + b"\0\0") for nlri in _packed(prefixes))

    def end_of_rib(self) -> bytes:
        """An End-of-RIB for IPv4."""
        return self._update(bytes(4))

    def statistics(self, paths: int) -> bytes:
        """A report of how many paths the Adj-RIB-In has."""
        return message(1, self.header() + struct.pack(">IHHQ", 1, 7, 8, paths))

    def _update(self, content: bytes) -> bytes:
        update = _MARKER + struct.pack(">HB", 19 + len(content), 2) + content
        return message(0, self.header() + update)


def _open(asn: int) -> bytes:
    capabilities = b"\x01\x04\0\1\0\1" + b"\x41\x04" + struct.pack(">I", asn)
    parameters = bytes((2, len(capabilities))) + capabilities
    content = struct.pack(">BHH4sB", 4, asn, 90, b"\x0a\xff\0\1", len(parameters)) + parameters
    return _MARKER + struct.pack(">HB", 19 + len(content), 1) + content


def _packed(prefixes: Iterable[str]) -> Iterator[bytes]:
    """NLRI in pieces that fit into an UPDATE of 4,096 octets."""
    piece = b""
    for prefix in prefixes:
        network = ip_network(prefix)
        piece += bytes((network.prefixlen,)) + network.network_address.packed[: (network.prefixlen + 7) // 8]
        if len(piece) > 3800:
            yield piece
            piece = b""
    if piece:
        yield piece


@contextlib.contextmanager
def connected(node: Namespace, address: str = "127.0.0.1") -> Iterator[Speaker]:
    """Connect to the station from the node's namespace, as the user that runs the tests."""
    identity = identify_namespace(str(node.path))
    with ThreadPoolExecutor(1, initializer=enter, initargs=(identity,)) as thread:
        connection = thread.submit(socket.create_connection, (address, PORT), 10).result()
    with connection:
        yield Speaker(connection)
