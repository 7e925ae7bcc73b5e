"""Why a path is, or is not, a route in the kernel: one reason each, from a closed list."""

import enum


class Stage(enum.IntEnum):
    """How far a path got: the funnel, in order."""

    RECEIVED = 0
    ACCEPTED = 1
    IN_POLICY = 2
    ELIGIBLE = 3
    BEST = 4
    DESIRED = 5
    INSTALLED = 6


class Reason(enum.Enum):
    """The one reason of a path; the value is what every face, metric and JSON document shows."""

    def __init__(self, label: str, stage: Stage, text: str) -> None:
        self.label = label
        self.stage = stage
        self.text = text

    INSTALLED = ("installed", Stage.INSTALLED, "it is in the kernel and was read back")

    # Received, but the speaker or the assignment stops it.
    UNASSIGNED = ("unassigned", Stage.RECEIVED, "its peer belongs to no domain")
    AS_LOOP = ("as-loop", Stage.RECEIVED, "it has been through the speaker's own AS, or began at the speaker itself")
    REJECTED_BY_SPEAKER = ("rejected-by-speaker", Stage.RECEIVED, "the speaker's own import policy refuses it")
    FAMILY_OFF = ("family-off", Stage.ACCEPTED, "the domain does not use this address family")
    UNAUTHENTICATED = ("unauthenticated", Stage.ACCEPTED, "the domain requires authenticated sessions")

    # Import policy.
    NO_POLICY = ("no-policy", Stage.ACCEPTED, "the domain has no import rule, and nothing matches means deny")
    POLICY_DENIED = ("policy-denied", Stage.ACCEPTED, "an import rule denies it")
    POLICY_UNMATCHED = ("policy-unmatched", Stage.ACCEPTED, "no import rule matches it, which means deny")
    RPKI_UNKNOWN = (
        "rpki-unknown",
        Stage.ACCEPTED,
        "an import rule asks for its RPKI state, and the RPKI state is not known yet",
    )

    # Guards.
    DEFAULT_ROUTE = ("default-route", Stage.IN_POLICY, "it is default-like and the domain does not accept defaults")
    PROTECTED = ("protected", Stage.IN_POLICY, "it would take over a protected prefix")
    ENCAPSULATED = ("encapsulated", Stage.IN_POLICY, "the pod network is tunnelled and it overlaps a protected range")
    NEXT_HOP_MISSING = ("next-hop-missing", Stage.IN_POLICY, "it has no usable next hop address")
    NEXT_HOP_OWN = ("next-hop-own", Stage.IN_POLICY, "its next hop is one of the node's own addresses")
    NEXT_HOP_INVALID = ("next-hop-invalid", Stage.IN_POLICY, "its next hop is loopback, multicast or unspecified")
    NEXT_HOP_OFF_LINK = (
        "next-hop-off-link",
        Stage.IN_POLICY,
        "its next hop is not on a connected prefix of the domain's interfaces",
    )
    NEXT_HOP_NO_INTERFACE = (
        "next-hop-no-interface",
        Stage.IN_POLICY,
        "its next hop is link-local and the interface is not known",
    )
    NEXT_HOP_LINK_DOWN = ("next-hop-link-down", Stage.IN_POLICY, "the link of its next hop is down")
    NEXT_HOP_IN_PREFIX = (
        "next-hop-in-prefix",
        Stage.IN_POLICY,
        "the prefix contains its own next hop more specifically than the link does",
    )

    # Selection.
    STALE = ("stale", Stage.ELIGIBLE, "it is stale and a fresh path exists")
    NOT_BEST = ("not-best", Stage.ELIGIBLE, "another path of the domain is better")
    MULTIPATH_FULL = (
        "multipath-full",
        Stage.ELIGIBLE,
        "it equals the best path, but the domain's multipath is used up",
    )
    SAME_NEXT_HOP = ("same-next-hop", Stage.ELIGIBLE, "it equals the best path and adds no new next hop")
    EXPIRED = ("expired", Stage.ELIGIBLE, "nothing has been heard of it for longer than stale_after")

    # Best, but not desired.
    DOMAIN_CONFLICT = ("domain-conflict", Stage.BEST, "a domain listed earlier wants the same prefix in the same table")
    LIMIT = ("limit", Stage.BEST, "the domain's route limit is reached and its action is freeze")
    PEER_LIMIT = ("peer-limit", Stage.ACCEPTED, "the peer's path limit is reached and its action is freeze")

    # Desired, but not installed.
    DRY_RUN = ("dry-run", Stage.DESIRED, "the mode is dry-run, so nothing is written")
    WAITS_FOR_APPROVAL = ("waits-for-approval", Stage.DESIRED, "the change waits for a person")
    PAUSED = ("paused", Stage.DESIRED, "all writing is paused")
    HELD = ("held", Stage.DESIRED, "a hold keeps the change back")
    DENIED = ("denied", Stage.DESIRED, "an approval rule denies the change")
    ROLLED_BACK = ("rolled-back", Stage.DESIRED, "it was rolled back, and waits for a person to approve it again")
    FOREIGN_CONFLICT = (
        "foreign-conflict",
        Stage.DESIRED,
        "a route that is not ours stands at the same prefix and metric, and is not touched",
    )
    KERNEL_REFUSED = ("kernel-refused", Stage.DESIRED, "the kernel refused it; it is tried again with back-off")
    PENDING = ("pending", Stage.DESIRED, "it is about to be written")


REASONS = {reason.label: reason for reason in Reason}
"""Reasons by their label."""
