"""What two OPEN messages agreed on; pure.

Source: RFC 4271 section 4.2, RFC 5492, RFC 9072 (long parameters); capabilities: RFC 4760, 7911, 4724, 8538.
"""

from dataclasses import dataclass, field

from monitor.bmp.wire import Malformed
from programmer.route import Family

UNICAST = 1
FAMILIES = {(1, UNICAST): Family.IPV4, (2, UNICAST): Family.IPV6}
"""AFI and SAFI of the families that are used."""

_CAPABILITIES = 2
_EXTENDED = 255
_MULTIPROTOCOL, _GRACEFUL_RESTART, _FOUR_OCTET_AS, _ADD_PATH = 1, 64, 65, 69
_CAN_RECEIVE, _CAN_SEND = 1, 2
_NOTIFICATION = 0x4


@dataclass(slots=True)
class Opening:
    """One OPEN.  ``families`` are those it names (IPv4 alone where it names none), ``add_path`` has 1 receive, 2 send, 3 both.

    ``restart_time`` is in seconds; ``kept`` are the families of graceful restart, ``others`` those named that are not used;
    ``notifications`` says that graceful restart covers NOTIFICATIONs too (RFC 8538).
    """

    asn: int
    hold_time: int
    router_id: bytes
    families: set[Family] = field(default_factory=set)
    add_path: dict[Family, int] = field(default_factory=dict)
    graceful: bool = False
    restart_time: int = 0
    notifications: bool = False
    kept: set[Family] = field(default_factory=set)
    others: set[bytes] = field(default_factory=set)
    names_families: bool = False
    four_octet_as: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a session does.

    ``families`` may be told; of ``add_path`` NLRI carry path identifiers from the peer; of ``retained`` the speaker keeps
    the paths for ``restart_time`` seconds when the session breaks, and with ``notifications`` also when a NOTIFICATION ends it.
    With ``four_octet_as`` AS numbers have four octets in the session (RFC 6793).  It is ``whole`` if it has no other families.
    """

    asn: int
    local_asn: int
    router_id: bytes
    local_router_id: bytes
    families: frozenset[Family]
    add_path: frozenset[Family]
    retained: frozenset[Family]
    restart_time: int
    notifications: bool
    four_octet_as: bool
    whole: bool


def read_open(message: bytes) -> Opening:
    """Return what an OPEN says, *message* with its BGP header; Malformed for one that is cut short."""
    body = message[19:]
    opening = Opening(int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5:9])
    length, at, width = body[9], 10, 1
    if length and body[10:11] == bytes((_EXTENDED,)):
        length, at, width = int.from_bytes(body[11:13], "big"), 13, 2
    if len(body) < at + length:
        raise Malformed("an OPEN whose parameters are cut short")
    parameters = body[at : at + length]
    for kind, value in _fields(parameters, width):
        if kind == _CAPABILITIES:
            for code, content in _fields(value, 1):
                _capability(opening, code, content)
    if not opening.names_families:
        opening.families.add(Family.IPV4)
    return opening


def _fields(data: bytes, width: int) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at + 1 : at + 1 + width], "big")
        start = at + 1 + width
        if start > len(data) or start + length > len(data):
            raise Malformed("an OPEN with a parameter or capability that is cut short")
        found.append((data[at], data[start : start + length]))
        at = start + length
    return found


def _family(octets: bytes) -> Family | None:
    return FAMILIES.get((int.from_bytes(octets[:2], "big"), octets[2])) if len(octets) >= 3 else None


def _capability(opening: Opening, code: int, value: bytes) -> None:
    if code == _MULTIPROTOCOL and len(value) == 4:
        opening.names_families = True
        if family := _family(value[:2] + value[3:]):
            opening.families.add(family)
        else:
            opening.others.add(value)
    elif code == _FOUR_OCTET_AS and len(value) == 4:
        opening.asn = int.from_bytes(value, "big")
        opening.four_octet_as = True
    elif code == _ADD_PATH:
        for at in range(0, len(value) - 3, 4):
            if family := _family(value[at : at + 3]):
                opening.add_path[family] = value[at + 3]
    elif code == _GRACEFUL_RESTART and len(value) >= 2:
        head = int.from_bytes(value[:2], "big")
        opening.graceful = True
        opening.restart_time = head & 0x0FFF
        opening.notifications = bool(head >> 12 & _NOTIFICATION)
        for at in range(2, len(value) - 3, 4):
            if family := _family(value[at : at + 3]):
                opening.kept.add(family)


def agree(sent: Opening, received: Opening) -> Agreement:
    """Return what the session between a speaker (*sent*) and its peer (*received*) does.

    Paths outlive the session in the families that the peer lists for graceful restart, provided that the speaker speaks it
    too (RFC 4724 section 4.2).
    """
    families = frozenset(sent.families & received.families)
    add_path = frozenset(
        family
        for family in families
        if sent.add_path.get(family, 0) & _CAN_RECEIVE and received.add_path.get(family, 0) & _CAN_SEND
    )
    graceful = sent.graceful and received.graceful
    return Agreement(
        received.asn,
        sent.asn,
        received.router_id,
        sent.router_id,
        families,
        add_path,
        frozenset(families & received.kept) if graceful and received.restart_time else frozenset(),
        received.restart_time,
        sent.notifications and received.notifications,
        sent.four_octet_as and received.four_octet_as,
        not sent.others & received.others,
    )
