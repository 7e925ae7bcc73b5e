"""A peer: its session, its counters, its limits."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from monitor.rib.path import PeerId
from programmer.route import Family


class SessionState(enum.Enum):
    """BGP finite state machine, RFC 4271 section 8.2.2."""

    UNKNOWN = "unknown"
    IDLE = "idle"
    CONNECT = "connect"
    ACTIVE = "active"
    OPEN_SENT = "open-sent"
    OPEN_CONFIRM = "open-confirm"
    ESTABLISHED = "established"


class AdminState(enum.Enum):
    """What the operator of the speaker wants of a session."""

    UP = "up"
    DOWN = "down"
    PREFIX_LIMIT = "prefix-limit"
    """Shut by the speaker because the peer announced too many prefixes (Cease, RFC 4486 subcode 1)."""


@dataclass(frozen=True, slots=True)
class PeerFamily:
    """Counters of one address family of a peer.

    ``received`` is the speaker's Adj-RIB-In, ``accepted`` what its own checks let through (AS loops are not; its import
    policy does not count).  ``advertised`` is None where it was not asked for.  ``end_of_rib`` tells whether the peer sent
    its End-of-RIB marker in this session (RFC 4724).  ``limit`` is the speaker's own prefix limit, 0 for none.
    """

    received: int = 0
    accepted: int = 0
    advertised: int | None = None
    end_of_rib: bool = False
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """A BGP peer as its source describes it.  It never holds a password, only whether one is set."""

    id: PeerId
    state: SessionState
    admin_state: AdminState = AdminState.UP
    asn: int = 0
    local_asn: int = 0
    router_id: bytes = b""
    """Packed IPv4 address, empty while unknown."""
    interface: str = ""
    """The speaker's interface of an unnumbered or link-local peer."""
    description: str = ""
    since: datetime | None = None
    """When the session reached or left established, UTC; None when the speaker does not say."""
    families: dict[Family, PeerFamily] = field(default_factory=dict)
    last_down_reason: str = ""
    authenticated: bool | None = False
    """TCP-MD5 is configured at the speaker (RFC 2385); None where the source cannot tell."""
    counted: bool = True
    """The speaker counts what it received and accepted; where it does not, what it told is counted."""
    restarting: bool = False
    """Graceful restart: the speaker keeps this peer's paths while it is away."""
    restart_time_seconds: int = 0
    flap_count: int = 0
    messages_received: int = 0
    messages_sent: int = 0

    @property
    def established(self) -> bool:
        """True while the session is up."""
        return self.state is SessionState.ESTABLISHED

    @property
    def external(self) -> bool:
        """True for eBGP."""
        return self.asn != self.local_asn
