"""Encodes sessions and paths as GoBGP 4.8 does; pure.

Source: proto/api/*.proto of GoBGP 4 (``protos/gobgp/v4.proto`` is the part that bgpmon uses).  What GoBGP leaves empty is
left empty here: no ``best`` and no validation state in events, no counters while a session is down.
"""

import functools
from collections.abc import Iterable
from typing import Any

from monitor.demo.network import RPKI_CACHE
from monitor.demo.roa import Roas
from monitor.demo.session import Held, Session
from monitor.gobgp._pb import v4_pb2
from monitor.rib.attribute import Rpki
from programmer.route import Family

AFI = {Family.IPV4: 1, Family.IPV6: 2}
"""Address family numbers of IANA."""

ESTABLISHED, ACTIVE, IDLE = 6, 3, 1
ADMIN_UP, ADMIN_DOWN = 1, 2
PEER_INIT, PEER_END_OF_INIT, PEER_STATE = 1, 2, 3
_SEQUENCE = 2  # AS_SEQUENCE, RFC 4271 section 4.3
_UNICAST = 1
_RESTART_SECONDS = 120

Response = Any
"""A WatchEventResponse; generated code has no types."""


def family_of_message(message: Any) -> Family | None:
    """Return the family of a request's Family message; None for one that no simulated router speaks."""
    return next((family for family, afi in AFI.items() if (afi, _UNICAST) == (message.afi, message.safi)), None)


def peer(session: Session) -> Any:
    """Return a session as ListPeer and the peer events show it."""
    router = session.router
    state = ESTABLISHED if session.established else ACTIVE if session.enabled else IDLE
    timers = v4_pb2.TimersState()
    if session.established:
        timers.uptime.seconds = session.up_since
    elif session.down_since:
        timers.downtime.seconds = session.down_since
    return v4_pb2.Peer(
        conf=v4_pb2.PeerConf(
            auth_password="simulated" if router.password else "",
            description=router.description,
            local_asn=session.local_asn,
            neighbor_address=router.address,
            peer_asn=router.asn,
        ),
        state=v4_pb2.PeerState(
            local_asn=session.local_asn,
            messages=v4_pb2.Messages(
                received=v4_pb2.Message(update=session.updates, total=session.updates + 1),
                sent=v4_pb2.Message(total=1),
            ),
            neighbor_address=router.address,
            peer_asn=router.asn,
            session_state=state,
            admin_state=ADMIN_UP if session.enabled else ADMIN_DOWN,
            flops=session.flaps,
            router_id=router.identifier if session.established else "",
        ),
        timers=v4_pb2.Timers(state=timers),
        graceful_restart=v4_pb2.GracefulRestart(
            restart_time=_RESTART_SECONDS if router.graceful else 0, peer_restarting=session.restarting
        ),
        afi_safis=[_afi_safi(session, family) for family in router.families],
    )


def _afi_safi(session: Session, family: Family) -> Any:
    restart = v4_pb2.MpGracefulRestartState(
        enabled=session.router.graceful,
        end_of_rib_received=session.established and family in session.ended,
        running=session.restarting,
    )
    received, accepted = session.counters(family) if session.established else (0, 0)
    state = v4_pb2.AfiSafiState(
        family=v4_pb2.Family(afi=AFI[family], safi=_UNICAST), enabled=True, received=received, accepted=accepted
    )
    return v4_pb2.AfiSafi(mp_graceful_restart=v4_pb2.MpGracefulRestart(state=restart), state=state)


def peer_event(kind: int, session: Session | None) -> Response:
    """Return a peer event; without a session, as at the end of the initial list, its peer is empty."""
    message = peer(session) if session else v4_pb2.Peer()
    return v4_pb2.WatchEventResponse(peer=v4_pb2.WatchEventResponse.PeerEvent(type=kind, peer=message))


def table_event(paths: Iterable[Any]) -> Response:
    """Return a table event."""
    return v4_pb2.WatchEventResponse(table=v4_pb2.WatchEventResponse.TableEvent(paths=paths))


def path(session: Session, held: Held, *, withdraw: bool = False) -> Any:
    """Return one path of a session with its attributes."""
    announcement, router = held.announcement, session.router
    return v4_pb2.Path(
        nlri=nlri(announcement.prefix.prefixlen, str(announcement.prefix.network_address)),
        pattrs=attributes(
            announcement.family,
            announcement.as_path,
            announcement.next_hop,
            announcement.communities,
            announcement.med,
        ),
        age=v4_pb2.Timestamp(seconds=held.age),
        is_withdraw=withdraw,
        family=_family(announcement.family),
        source_asn=router.asn,
        source_id=router.identifier,
        stale=held.stale,
        neighbor_ip=router.address,
    )


def validated(session: Session, held: Held, state: Rpki) -> Any:
    """Return one path as a look-up in the global table shows it: with its RPKI state."""
    whole = path(session, held)
    whole.validation.state = state + 1  # generation 4 counts from 1
    return whole


def rpki_server(roas: Roas, since: int) -> Any:
    """Return the cache that told the speaker its ROAs (RFC 8210); *since* is when, in seconds since the epoch."""
    state = v4_pb2.RpkiServerState(
        up=True,
        record_ipv4=roas.counts[Family.IPV4],
        record_ipv6=roas.counts[Family.IPV6],
        serial=1,
        end_of_data=since,
    )
    return v4_pb2.RpkiServer(conf=v4_pb2.RpkiServerConf(address=RPKI_CACHE, remote_port=323), state=state)


def bare_withdrawal(session: Session, held: Held) -> Any:
    """Return what a peer's own withdrawal looks like: no attributes."""
    whole = path(session, held, withdraw=True)
    whole.ClearField("pattrs")
    return whole


def end_of_rib(session: Session, family: Family) -> Any:
    """Return the End-of-RIB marker: a path with neither prefix nor attributes."""
    router = session.router
    return v4_pb2.Path(
        family=_family(family), source_asn=router.asn, source_id=router.identifier, neighbor_ip=router.address
    )


def nlri(length: int, network: str) -> bytes:
    """Return an encoded prefix."""
    encoded: bytes = v4_pb2.NLRI(prefix=v4_pb2.IPAddressPrefix(prefix_len=length, prefix=network)).SerializeToString()
    return encoded


@functools.lru_cache(maxsize=8192)
def attributes(
    family: Family, as_path: tuple[int, ...], next_hop: str, communities: tuple[int, ...], med: int | None
) -> tuple[bytes, ...]:
    """Return encoded path attributes in the order of their type codes; IPv6 has its next hop in MP_REACH_NLRI."""
    segments = [v4_pb2.AsSegment(type=_SEQUENCE, numbers=as_path)]
    found = [
        v4_pb2.Attribute(origin=v4_pb2.OriginAttribute(origin=0)),
        v4_pb2.Attribute(as_path=v4_pb2.AsPathAttribute(segments=segments)),
    ]
    if family is Family.IPV4:
        found.append(v4_pb2.Attribute(next_hop=v4_pb2.NextHopAttribute(next_hop=next_hop)))
    if med is not None:
        found.append(v4_pb2.Attribute(multi_exit_disc=v4_pb2.MultiExitDiscAttribute(med=med)))
    if communities:
        found.append(v4_pb2.Attribute(communities=v4_pb2.CommunitiesAttribute(communities=communities)))
    if family is Family.IPV6:
        reach = v4_pb2.MpReachNLRIAttribute(family=v4_pb2.Family(afi=AFI[family], safi=_UNICAST), next_hops=[next_hop])
        found.append(v4_pb2.Attribute(mp_reach=reach))
    return tuple(attribute.SerializeToString() for attribute in found)


def _family(family: Family) -> bytes:
    encoded: bytes = v4_pb2.Family(afi=AFI[family], safi=_UNICAST).SerializeToString()
    return encoded
