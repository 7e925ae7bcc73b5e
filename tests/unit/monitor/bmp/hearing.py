"""A conversation with clocks that a test moves, and everything that it told."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from monitor.bmp.session import Clocks, Conversation, Terms
from monitor.bmp.speaker import Oddities
from monitor.bmp.update import UpdateDecoder
from monitor.bmp.wire import Framer
from monitor.rib.attribute import AttributeTable
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer
from monitor.rib.update import TableComplete, Update
from programmer.route import Family
from tests.support import bmp

SOURCE = "rr1"
EPOCH = 1_700_000_000
TICK = 0.5

PEER = bmp.Monitored()
OTHER = bmp.Monitored(address="192.0.2.3", asn=65002, router_id="10.255.0.2")
DUAL = replace(PEER, families=(bmp.IPV4, bmp.IPV6))
RESTARTING = replace(PEER, sent=(bmp.graceful_restart(90, bmp.IPV4),), received=(bmp.graceful_restart(120, bmp.IPV4),))
PEER_ID = PeerId(SOURCE, "192.0.2.2")
OTHER_ID = PeerId(SOURCE, "192.0.2.3")
IPV4, IPV6 = Family.IPV4, Family.IPV6

BROKEN = (3, b"")
"""Reason and data of a Peer Down that is believed at once, and after which graceful restart keeps paths."""

T = TypeVar("T")


class Hearing:
    """One connection.  ``now`` are the seconds of it; ``told`` is everything told so far."""

    def __init__(
        self,
        *,
        post: bool = False,
        wait: float = 30.0,
        local: bool = False,
        oddities: Oddities | None = None,
        known: dict[PeerId, Peer] | None = None,
    ) -> None:
        self.now = 0.0
        self.told: list[Update] = []
        self.known: dict[PeerId, Peer] = {} if known is None else known
        self.decoder = UpdateDecoder(AttributeTable())
        terms = Terms(SOURCE, post, wait, local, Oddities() if oddities is None else oddities)
        clocks = Clocks(lambda: 1000.0 + self.now, lambda: EPOCH + self.now)
        self.conversation = Conversation(terms, clocks, self.decoder, self.told.append, self.known)
        self._framer = Framer()

    def say(self, *messages: bytes, zone: str = "") -> list[Update]:
        """Hear messages, and return what they made it tell."""
        before = len(self.told)
        for kind, body in self._framer.feed(b"".join(messages)):
            self.conversation.hear(kind, body, zone)
        return self.told[before:]

    def wait(self, seconds: float, *, busy: Sequence[bytes] = (), times: int = 100) -> list[Update]:
        """Let time pass in ticks, and return what that made it tell.

        *busy* messages come *times* times in each tick, and what they tell is left out.
        """
        found: list[Update] = []
        for _ in range(round(seconds / TICK)):
            for _ in range(times if busy else 0):
                self.say(*busy)
            before = len(self.told)
            self.now += TICK
            self.conversation.tick()
            found += self.told[before:]
        return found

    def of(self, kind: type[T]) -> list[T]:
        """Return everything told of one kind."""
        return [update for update in self.told if isinstance(update, kind)]

    @property
    def ignored(self) -> dict[str, int]:
        """Return what was left out, by cause."""
        return dict(self.conversation.ignored)


def kinds(updates: Sequence[Update]) -> list[str]:
    """Return the kind of each update."""
    return [type(update).__name__ for update in updates]


def completed(hearing: Hearing, peer: PeerId = PEER_ID) -> list[Family]:
    """Return the families of a peer that are complete, in the order in which they were."""
    return [update.family for update in hearing.of(TableComplete) if update.peer == peer]


def hearing_of(*peers: bmp.Monitored, **terms: Any) -> Hearing:
    """A conversation in which these peers are up."""
    hearing = Hearing(**terms)
    hearing.say(bmp.initiation(), *(peer.up() for peer in peers))
    return hearing
