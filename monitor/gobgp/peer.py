"""Decodes peer messages into ``Peer`` and finds the peer that a path belongs to; pure.

The clear-text password of a peer is looked at for its presence and goes no further than this module.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from monitor.gobgp.attribute import packed
from monitor.gobgp.dialect import SESSION_STATES, Dialect, PeerMessage
from monitor.rib.nexthop import is_link_local
from monitor.rib.path import PeerId
from monitor.rib.peer import Peer, PeerFamily, SessionState
from programmer.route import Family

_FAMILY_OF_AFI = MappingProxyType({1: Family.IPV4, 2: Family.IPV6})
_SAFI_UNICAST = 1
_UNSET = re.compile(r"^(<nil>|invalid IP|)$")


def address_of(message: PeerMessage) -> str:
    """Return the address that names the peer: with its zone if link-local, empty when there is none."""
    for text in (message.state.neighbor_address, message.conf.neighbor_address):
        if not _UNSET.match(text):
            return text
    return ""


def decode_peer(dialect: Dialect, source: str, message: PeerMessage) -> Peer | None:
    """Return the peer, or None for a message without an address (the end of the initial list)."""
    address = address_of(message)
    if not address:
        return None
    state, conf = message.state, message.conf
    restart = message.graceful_restart
    established = state.session_state == 6
    families = dict(_families(message.afi_safis))
    running = any(
        one.mp_graceful_restart.state.running or one.long_lived_graceful_restart.state.running
        for one in message.afi_safis
    )
    # Whether the long-lived timer runs is wrong after it ended, so only paths that are still counted make it
    # believed.
    retained = not established and any(family.received for family in families.values())
    return Peer(
        id=PeerId(source, address),
        state=SESSION_STATES.get(state.session_state, SessionState.UNKNOWN),
        admin_state=dialect.admin_state(state.admin_state),
        asn=state.peer_asn or conf.peer_asn,
        local_asn=state.local_asn or conf.local_asn,
        router_id=packed(state.router_id),
        interface=address.partition("%")[2] or conf.neighbor_interface,
        description=conf.description,
        since=_since(message, established=established),
        families=families,
        last_down_reason=state.disconnect_message,
        authenticated=bool(conf.auth_password),
        restarting=not established and (restart.peer_restarting or running or retained),
        restart_time_seconds=restart.peer_restart_time,
        flap_count=state.flops,
        messages_received=state.messages.received.total,
        messages_sent=state.messages.sent.total,
    )


def uptime_of(message: PeerMessage) -> int:
    """Return when the session came up, seconds since the epoch by the speaker's clock; 0 when it is not."""
    return message.timers.state.uptime.seconds if message.state.session_state == 6 else 0


def _families(entries: Iterable[Any]) -> Iterable[tuple[Family, PeerFamily]]:
    for entry in entries:
        state = entry.state
        family = _FAMILY_OF_AFI.get(state.family.afi)
        if family is None or state.family.safi != _SAFI_UNICAST or not state.enabled:
            continue
        limits = [limit.max_prefixes for limit in entry.prefix_limits]
        yield (
            family,
            PeerFamily(
                received=state.received,
                accepted=state.accepted,
                end_of_rib=entry.mp_graceful_restart.state.end_of_rib_received,
                limit=limits[0] if limits else 0,
            ),
        )


def _since(message: PeerMessage, *, established: bool) -> datetime | None:
    times = message.timers.state
    seconds = times.uptime.seconds if established else times.downtime.seconds
    if seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


class PeerDirectory:
    """Finds peers by what a path says of its sender.

    GoBGP 3.x gives a link-local sender without its zone; router id and AS then tell which interface it is
    on.  Two links to the same router with the same link-local address cannot be told apart there.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._by_text: dict[str, PeerId] = {}
        self._by_identity: dict[tuple[bytes, bytes, int], PeerId] = {}

    def learn(self, peers: Iterable[Peer]) -> None:
        """Replace what is known by the speaker's current list."""
        self._by_text.clear()
        self._by_identity.clear()
        for peer in peers:
            self._by_text[peer.id.address] = peer.id
            address = packed(peer.id.address)
            if is_link_local(address):
                self._by_identity[(address, peer.router_id, peer.asn)] = peer.id

    def find(self, neighbor: str, router_id: str, asn: int) -> PeerId | None:
        """Return the peer, None when it cannot be told; an address that is not link-local names itself."""
        if found := self._by_text.get(neighbor):
            return found
        address = packed(neighbor)
        if not address:
            return None
        if is_link_local(address) and "%" not in neighbor:
            return self._by_identity.get((address, packed(router_id), asn))
        found = self._by_text[neighbor] = PeerId(self._source, neighbor)
        return found
