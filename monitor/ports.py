"""What the parts of the monitor may ask of each other."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from monitor.rib.path import PeerId
from monitor.rib.update import Update


class Source(Protocol):
    """A speaker that tells about its peers and their paths.

    ``updates`` reconnects by itself for ever and ends only when it is cancelled.  It yields lists that the consumer
    handles in one go: never empty, at most a few thousand long, in order.  Memory is bounded on both sides however slow the
    consumer is: when it falls behind, the source drops what waits, says ``FeedLost``, and tells everything again.
    """

    @property
    def name(self) -> str:
        """The name in the configuration."""

    def updates(self) -> AsyncIterator[Sequence[Update]]:
        """Tell everything, then every change."""

    async def refresh_peers(self) -> None:
        """Read the peers' counters now rather than at the next turn."""

    async def close(self) -> None:
        """Release the connection."""


class SessionControl(Protocol):
    """Sources that can shut and open a session (gRPC can, BMP cannot)."""

    async def disable_peer(self, peer: PeerId, communication: str) -> None:
        """Shut the session administratively; verified by reading the peer back."""

    async def enable_peer(self, peer: PeerId) -> None:
        """Allow the session again."""
