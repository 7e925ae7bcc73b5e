"""How a session ended, as a Peer Down says it: whether to believe it at once, whether paths outlive it, and in words; pure."""

from monitor.bmp.opening import Agreement
from monitor.bmp.wire import (
    DE_CONFIGURED,
    LOCAL_NOTIFICATION,
    LOCAL_SILENT,
    REMOTE_NOTIFICATION,
    REMOTE_SILENT,
    PeerDown,
)

CEASE, HARD_RESET = 6, 9
HOLD_TIMER_EXPIRED = 4
_STOPS = frozenset({2, 8})
"""FSM events of somebody who stops the session: ManualStop, AutomaticStop (RFC 4271 section 8.1)."""

_ERRORS = {
    1: "message header error",
    2: "OPEN error",
    3: "UPDATE error",
    4: "hold timer expired",
    5: "FSM error",
    6: "cease",
    7: "ROUTE-REFRESH error",
}
_CEASES = {
    1: "too many prefixes",
    2: "administrative shutdown",
    3: "peer de-configured",
    4: "administrative reset",
    5: "connection rejected",
    6: "other configuration change",
    7: "connection collision",
    8: "out of resources",
    9: "hard reset",
    10: "BFD down",
}
"""NOTIFICATION codes (RFC 4271 section 4.5) and Cease subcodes (RFC 4486, RFC 8538, RFC 9384)."""


def may_be_farewell(down: PeerDown) -> bool:
    """Return whether a speaker that shuts down as a whole says this of each of its sessions."""
    if down.reason == LOCAL_NOTIFICATION:
        return down.notification is None or down.notification[0] == CEASE
    return down.reason in {LOCAL_SILENT, DE_CONFIGURED}


def is_graceful(down: PeerDown, agreement: Agreement) -> bool:
    """Return whether a session ended so that graceful restart keeps its paths (RFC 4724 section 4.2, RFC 8538 section 4).

    A speaker may say that the peer sent a NOTIFICATION, and have none: then the peer only went away.
    """
    if down.notification is not None:
        return agreement.notifications and down.notification != (CEASE, HARD_RESET)
    if down.reason == LOCAL_SILENT:
        # GoBGP leaves the event out when an administrator shuts the session; FRR says 0 whatever happened.
        return down.event is not None and down.event not in _STOPS
    return down.reason in {REMOTE_NOTIFICATION, REMOTE_SILENT}


def down_text(down: PeerDown) -> str:
    """Return why a session went down, for people."""
    sender = "the speaker" if down.reason in {LOCAL_NOTIFICATION, LOCAL_SILENT} else "the peer"
    if down.notification is not None:
        code, subcode = down.notification
        what = (
            _CEASES.get(subcode, f"cease {subcode}") if code == CEASE else _ERRORS.get(code, f"error {code}/{subcode}")
        )
        return f"{sender} closed it: {what}" + (f" ({down.words})" if down.words else "")
    if down.reason == LOCAL_SILENT and down.event:
        return f"the speaker closed it without a NOTIFICATION (FSM event {down.event})"
    return f"{sender} closed it without a NOTIFICATION"
