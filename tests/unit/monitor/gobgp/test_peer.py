"""What peer messages become, and how a path finds its peer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.gobgp.dialect import Dialect
from monitor.gobgp.peer import PeerDirectory, decode_peer, uptime_of
from monitor.rib.path import PeerId
from monitor.rib.peer import AdminState, Peer, SessionState
from programmer.route import Family
from tests.unit.monitor.gobgp.messages import BOTH

either = pytest.mark.parametrize("dialect", BOTH, ids=["v3", "v4"])


def message(dialect: Dialect, *, address: str = "192.0.2.2", session: int = 6, **more: Any) -> Any:
    m = dialect.messages
    fields: dict[str, Any] = {
        "conf": m.PeerConf(neighbor_address=address, peer_asn=65001, local_asn=65000),
        "state": m.PeerState(
            neighbor_address=address,
            session_state=session,
            admin_state=dialect.shift,
            peer_asn=65001,
            local_asn=65000,
            router_id="192.0.2.2",
        ),
        "timers": m.Timers(state=m.TimersState(uptime=m.Timestamp(seconds=1000), downtime=m.Timestamp(seconds=500))),
    }
    return m.Peer(**(fields | more))


def family(dialect: Dialect, afi: int = 1, safi: int = 1, **state: Any) -> Any:
    m = dialect.messages
    return m.AfiSafi(
        mp_graceful_restart=m.MpGracefulRestart(state=m.MpGracefulRestartState(end_of_rib_received=True)),
        state=m.AfiSafiState(family=m.Family(afi=afi, safi=safi), **({"enabled": True} | state)),
        prefix_limits=[m.PrefixLimit(max_prefixes=50)],
    )


@either
def test_a_peer_has_its_session_and_counters(dialect: Dialect) -> None:
    found = decode_peer(
        dialect,
        "fabric",
        message(
            dialect,
            afi_safis=[family(dialect, received=12, accepted=10), family(dialect, afi=25, safi=70)],
        ),
    )
    assert found is not None
    assert found.id == PeerId("fabric", "192.0.2.2")
    assert (found.state, found.admin_state) == (SessionState.ESTABLISHED, AdminState.UP)
    assert (found.asn, found.local_asn, found.router_id) == (65001, 65000, b"\xc0\x00\x02\x02")
    assert found.since == datetime.fromtimestamp(1000, UTC)
    assert list(found.families) == [Family.IPV4]
    counters = found.families[Family.IPV4]
    assert (counters.received, counters.accepted, counters.end_of_rib, counters.limit) == (12, 10, True, 50)


@either
def test_a_password_is_only_a_fact(dialect: Dialect) -> None:
    m = dialect.messages
    conf = m.PeerConf(neighbor_address="192.0.2.2", auth_password="correct horse")
    found = decode_peer(dialect, "fabric", message(dialect, conf=conf))
    assert found is not None
    assert found.authenticated
    assert "correct horse" not in repr(found)


@either
@pytest.mark.parametrize(("value", "expected"), list(enumerate(AdminState)))
def test_admin_states_differ_by_one(dialect: Dialect, value: int, expected: AdminState) -> None:
    state = dialect.messages.PeerState(neighbor_address="192.0.2.2", admin_state=value + dialect.shift)
    found = decode_peer(dialect, "fabric", message(dialect, state=state))
    assert found is not None
    assert found.admin_state is expected


@either
@pytest.mark.parametrize("unset", ["", "<nil>", "invalid IP"])
def test_the_end_of_the_initial_list_is_no_peer(dialect: Dialect, unset: str) -> None:
    assert decode_peer(dialect, "fabric", message(dialect, address=unset)) is None


@either
def test_an_unnumbered_peer_is_named_with_its_zone(dialect: Dialect) -> None:
    m = dialect.messages
    conf = m.PeerConf(neighbor_address="invalid IP", neighbor_interface="eth1")
    state = m.PeerState(neighbor_address="fe80::2%eth1", session_state=6)
    found = decode_peer(dialect, "fabric", message(dialect, conf=conf, state=state))
    assert found is not None
    assert (found.id.address, found.interface) == ("fe80::2%eth1", "eth1")


@either
def test_a_peer_that_is_down_has_no_uptime(dialect: Dialect) -> None:
    down = message(dialect, session=3)
    found = decode_peer(dialect, "fabric", down)
    assert found is not None
    assert found.state is SessionState.ACTIVE
    assert found.since == datetime.fromtimestamp(500, UTC)
    assert uptime_of(down) == 0
    assert uptime_of(message(dialect)) == 1000


@either
def test_a_peer_whose_paths_are_retained_is_restarting(dialect: Dialect) -> None:
    m = dialect.messages
    idle = m.PeerState(neighbor_address="192.0.2.2", session_state=1)
    retained = decode_peer(dialect, "fabric", message(dialect, state=idle, afi_safis=[family(dialect, received=3)]))
    told = decode_peer(
        dialect,
        "fabric",
        message(dialect, state=idle, graceful_restart=m.GracefulRestart(peer_restarting=True)),
    )
    gone = decode_peer(dialect, "fabric", message(dialect, state=idle, afi_safis=[family(dialect)]))
    assert retained is not None
    assert told is not None
    assert gone is not None
    assert (retained.restarting, told.restarting, gone.restarting) == (True, True, False)


def directory(*peers: Peer) -> PeerDirectory:
    made = PeerDirectory("fabric")
    made.learn(peers)
    return made


def peer(address: str, router_id: bytes = b"\xc0\x00\x02\x02", asn: int = 65001) -> Peer:
    return Peer(PeerId("fabric", address), SessionState.ESTABLISHED, router_id=router_id, asn=asn)


def test_a_link_local_sender_without_zone_is_told_by_router_id_and_as() -> None:
    found = directory(peer("fe80::2%eth1"), peer("fe80::2%eth2", router_id=b"\xc0\x00\x02\x03"))
    assert found.find("fe80::2", "192.0.2.3", 65001) == PeerId("fabric", "fe80::2%eth2")
    assert found.find("fe80::2%eth1", "192.0.2.2", 65001) == PeerId("fabric", "fe80::2%eth1")
    assert found.find("fe80::2", "192.0.2.9", 65001) is None


def test_a_global_address_names_itself_before_the_list_knows_it() -> None:
    assert directory().find("192.0.2.7", "<nil>", 0) == PeerId("fabric", "192.0.2.7")
    assert directory().find("nonsense", "<nil>", 0) is None
