"""Who may connect: by the user that holds the other end of the connection, else by address; pure.

Whoever may connect decides which routes the node learns.  A TCP port has no owner as a unix socket's file has one, but the
kernel knows who holds each end of a connection on its own machine.
"""

from collections.abc import Awaitable
from socket import socket
from typing import NamedTuple, Protocol

from programmer.route import Address

Place = tuple[Address, int]
"""An address and a port."""


class Holder(Protocol):
    """Who holds the far end of a connection; ``uid`` is a user's number."""

    @property
    def uid(self) -> int:
        """The user's number."""


class Sockets(Protocol):
    """What the station asks of the kernel, in the namespace whose loopback it listens on."""

    def listen(self, place: Place) -> Awaitable[socket]:
        """Return a listening socket; OSError where that cannot be had."""

    def owner(self, near: Place, far: Place) -> Awaitable[Holder | None]:
        """Return who on this machine holds the far end of a connection; None for nobody."""

    def interface(self, near: Address, far: Address) -> Awaitable[str]:
        """Return the interface between two link-local addresses, ours first; empty where that is not certain."""


class Admission(NamedTuple):
    """Who may connect: users of this machine, and addresses of others."""

    uids: frozenset[int]
    addresses: frozenset[Address]


def refusal(admission: Admission, far: Address, holder: Holder | None) -> str:
    """Return why the holder of the far end may not connect; empty if it may."""
    if holder is not None:
        if holder.uid in admission.uids:
            return ""
        allowed = ", ".join(map(str, sorted(admission.uids))) or "nobody"
        return f"user {holder.uid} of this machine may not; `allow_uids` has {allowed}"
    if far.is_loopback:
        return "it closed before the kernel could say whose it was, or is in another namespace"
    if far in admission.addresses:
        return ""
    return "its address is not in `allow_addresses`"
