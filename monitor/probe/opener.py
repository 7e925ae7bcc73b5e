"""What every probe needs: sockets that send from the target namespace, and how a failure is told."""

import errno
import os
import socket
from typing import NamedTuple, Protocol

from programmer.route import Address, Family

_HINTS = {
    errno.EINVAL: "the route is a blackhole, or a link-local address has no `interface`",
    errno.EACCES: "the route is a prohibit one, or a filter on this node said no",
    errno.EPERM: "a filter on this node said no, or a capability is missing",
}
"""Errors of connecting and sending whose words alone do not lead to the cause (ip-route(8), connect(2))."""

_NO_WORDS = "Connect call failed"
"""What asyncio says in place of the kernel's words."""


class Way(NamedTuple):
    """How packets leave: from which address, by which interface, with which mark (fwmark); each may be left to the kernel."""

    source: Address | None = None
    interface: str = ""
    mark: int = 0


class Opener(Protocol):
    """Opens sockets that do not block, and gives them away.  Raises OSError or FibError."""

    async def stream(
        self, family: Family, *, source: Address | None = None, interface: str = "", mark: int = 0
    ) -> socket.socket:
        """Return a TCP socket, not connected."""

    async def echo(
        self, family: Family, *, source: Address | None = None, interface: str = "", mark: int = 0
    ) -> socket.socket:
        """Return an ICMP socket: of type SOCK_DGRAM (the kernel numbers the requests of a socket) or SOCK_RAW."""


def words(error: OSError) -> str:
    """Return what the kernel said, as the second half of a sentence: ``connection refused``."""
    said = error.strerror or str(error) or type(error).__name__
    if error.errno and said.startswith(_NO_WORDS):
        said = os.strerror(error.errno)
    text = said[:1].lower() + said[1:] if said[1:2].islower() else said  # an abbreviation stays as it is
    if error.errno in _HINTS and said == os.strerror(error.errno):
        return f"{text} ({_HINTS[error.errno]})"
    return text
