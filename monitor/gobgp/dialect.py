"""Describes how the two generations of GoBGP's API differ: service names, enumerations, message classes.

Field numbers are the same in both; most enumerations of generation 4 have an unspecified zero and so are
shifted by one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from monitor.gobgp._pb import v3_pb2, v4_pb2
from monitor.rib.attribute import Rpki
from monitor.rib.peer import AdminState, SessionState

PathMessage = v3_pb2.Path | v4_pb2.Path
PeerMessage = v3_pb2.Peer | v4_pb2.Peer
WatchEvent = v3_pb2.WatchEventResponse | v4_pb2.WatchEventResponse
RpkiServerMessage = v3_pb2.RpkiServer | v4_pb2.RpkiServer

PEER_EVENT_STATE = 3
"""PeerEvent.Type STATE, the same in both generations; 1 and 2 belong to the initial list."""

SESSION_STATES = {
    1: SessionState.IDLE,
    2: SessionState.CONNECT,
    3: SessionState.ACTIVE,
    4: SessionState.OPEN_SENT,
    5: SessionState.OPEN_CONFIRM,
    6: SessionState.ESTABLISHED,
}

_ADMIN_STATES = (AdminState.UP, AdminState.DOWN, AdminState.PREFIX_LIMIT)
_POST_POLICY, _END_OF_RIB = 2, 3
_TABLE_GLOBAL, _TABLE_ADJ_IN = 0, 2


@dataclass(frozen=True, slots=True)
class Dialect:
    """One generation: its gRPC service, the module with its messages, and the shift of its enumerations."""

    generation: int
    service: str
    messages: Any
    shift: int

    def method(self, name: str) -> str:
        """Return the path of a gRPC method."""
        return f"/{self.service}/{name}"

    def watch_request(self, batch_size: int, *, init: bool) -> Any:
        """Return a request for every peer event, path after import policy, and End-of-RIB where it exists.

        There is never a peer filter: GoBGP 3.19 to 4.5 crashes on one as soon as a local route is in the
        RIB.  A server before 3.25 ignores the End-of-RIB filter, one before 3.27 the batch size.
        """
        request = self.messages.WatchEventRequest
        filters = [request.Table.Filter(type=kind + self.shift, init=init) for kind in (_POST_POLICY, _END_OF_RIB)]
        return request(peer=request.Peer(), table=request.Table(filters=filters), batch_size=batch_size)

    def global_request(self, afi: int) -> Any:
        """Return a request for all paths of the global table of one address family (IANA AFI)."""
        messages = self.messages
        return messages.ListPathRequest(table_type=_TABLE_GLOBAL + self.shift, family=messages.Family(afi=afi, safi=1))

    def exact_request(self, afi: int, prefixes: Iterable[str]) -> Any:
        """Return a request for the paths of exactly these prefixes in the global table.

        Each must be a network in its usual form: GoBGP 3.10 crashes on anything else.  The type of look-up is left at 0, which is
        the exact one in every version; the number that generation 4 gives it means longer prefixes in 4.0 to 4.4.
        """
        request = self.global_request(afi)
        for prefix in prefixes:
            request.prefixes.add(prefix=prefix)
        return request

    def adj_in_request(self, address: str, afi: int) -> Any:
        """Return a request for what one peer sent, before policy.

        It never asks for ``enable_filtered``: GoBGP 3.25 to 4.8 changes its live table when asked for that.
        """
        messages = self.messages
        return messages.ListPathRequest(
            table_type=_TABLE_ADJ_IN + self.shift, name=address, family=messages.Family(afi=afi, safi=1)
        )

    def admin_state(self, value: int) -> AdminState:
        """Return the administrative state; a value that we do not know counts as up."""
        index = value - self.shift
        return _ADMIN_STATES[index] if 0 <= index < len(_ADMIN_STATES) else AdminState.UP

    def rpki(self, value: int) -> Rpki:
        """Return the origin validation state; unspecified and unknown values are NONE."""
        index = value - self.shift
        return Rpki(index) if 0 <= index <= Rpki.INVALID else Rpki.NONE


GENERATION_3 = Dialect(3, "apipb.GobgpApi", v3_pb2, 0)
GENERATION_4 = Dialect(4, "api.GoBgpService", v4_pb2, 1)
GENERATIONS = (GENERATION_4, GENERATION_3)
"""In the order in which they are tried."""
