"""Decodes paths: octets of NLRI and attributes into keys and interned attribute sets; pure.

A full table repeats one attribute set some twenty times, so encoded sets are looked up as octets and decoded
only once. The memory is bounded: it starts anew when full, and is emptied after a dump.
"""

import socket
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from google.protobuf.message import DecodeError

from monitor.gobgp._pb import v3_pb2, v4_pb2
from monitor.gobgp.attribute import decode_attributes, packed
from monitor.gobgp.dialect import Dialect, PathMessage
from monitor.rib.attribute import AttributeTable, PathAttributes
from monitor.rib.nexthop import is_link_local
from monitor.rib.path import Path, PeerId
from programmer.route import Family, PrefixKey

Resolver = Callable[[str, str, int], PeerId | None]
"""Finds a peer by address, router id and AS as they stand in a path."""

_FAMILIES = {
    b"\x08\x01\x10\x01": (Family.IPV4, False),
    b"\x08\x02\x10\x01": (Family.IPV6, False),
    b"\x08\x01\x10\x80\x01": (Family.IPV4, True),
    b"\x08\x02\x10\x80\x01": (Family.IPV6, True),
}
"""Encoded Family message -> our family, and whether NLRI are those of a VRF (SAFI 128)."""

_V3_PREFIX = b"\n*type.googleapis.com/apipb.IPAddressPrefix\x12"
_NO_PEER = frozenset({"", "<nil>", "invalid IP"})

MANDATORY_ATTRIBUTES = 3
"""ORIGIN, AS_PATH and a next hop (RFC 4271 section 5): less is no path.

What a peer withdraws carries none in plain families, two in a VRF (next hop and route target).
"""

MEMORY_LIMIT = 100_000
"""Attribute sets remembered at once: some 60 MB at worst, for the seconds that a dump takes."""


MOMENTS_LIMIT = 10_000
"""Seconds remembered at once."""


class Announced(NamedTuple):
    """The speaker holds this path and its import policy lets it through."""

    family: Family
    key: PrefixKey
    path: Path


class Withdrawn(NamedTuple):
    """A path is gone.  ``path`` is what it was, or None when the peer itself withdrew it.

    With a path it is one of three: the session died, the import policy rejects it, or the speaker is
    shutting down.
    """

    family: Family
    key: PrefixKey
    peer: PeerId
    path_id: int
    path: Path | None


class EndOfRib(NamedTuple):
    """The peer sent its End-of-RIB marker (RFC 4724 section 2)."""

    peer: PeerId
    family: Family


Heard = Announced | Withdrawn | EndOfRib


class Decoder:
    """Turns path messages of one speaker into what they say.

    ``ignored`` counts what was left out, by cause: ``local`` (originated by the speaker itself), ``family``
    (not IPv4 or IPv6 unicast), ``malformed`` (could not be understood), ``attribute`` (a part of a set),
    ``peer`` (a peer unknown to the list).  ``unresolved`` is set with the last; the caller resets it.
    """

    def __init__(self, dialect: Dialect, attributes: AttributeTable, resolve: Resolver) -> None:
        self.ignored: Counter[str] = Counter()
        self.unresolved = False
        self._dialect = dialect
        self._table = attributes
        self._resolve = resolve
        self._sets: dict[tuple[bytes, ...], tuple[PathAttributes, bool]] = {}
        self._moments: dict[int, int] = {}

    def decode(self, message: PathMessage) -> Heard | None:
        """Return what *message* says, or None (and count why) if it concerns no peer's unicast prefix."""
        neighbor = message.neighbor_ip
        if neighbor in _NO_PEER:
            self.ignored["local"] += 1
            return None
        known = _FAMILIES.get(message.family)
        if known is None:
            self.ignored["family"] += 1
            return None
        peer = self._resolve(neighbor, message.source_id, message.source_asn)
        if peer is None:
            self.ignored["peer"] += 1
            self.unresolved = True
            return None
        family, is_vpn = known
        nlri = message.nlri
        if not nlri and not message.pattrs:
            return EndOfRib(peer, family)
        key = self._key(nlri, family, is_vpn=is_vpn)
        if key is None:
            return None
        blobs = tuple(message.pattrs)
        if message.is_withdraw and len(blobs) < MANDATORY_ATTRIBUTES:
            return Withdrawn(family, key, peer, message.identifier, None)
        if not blobs:
            self.ignored["malformed"] += 1
            return None
        attributes = self._attributes(blobs, neighbor)
        if attributes is None:
            return None
        path = Path(peer, message.identifier, attributes, self._moment(message.age.seconds), message.stale)
        if message.HasField("validation"):
            path = path._replace(rpki=self._dialect.rpki(message.validation.state))
        if message.is_withdraw:
            return Withdrawn(family, key, peer, message.identifier, path)
        return Announced(family, key, path)

    def forget(self) -> None:
        """Empty the memory of encoded attribute sets."""
        self._sets.clear()

    def _moment(self, seconds: int) -> int:
        """Return the one number for a moment: a table comes within few seconds, and a number takes 32 octets."""
        if len(self._moments) >= MOMENTS_LIMIT:
            self._moments.clear()
        return self._moments.setdefault(seconds, seconds)

    def _key(self, nlri: bytes, family: Family, *, is_vpn: bool) -> PrefixKey | None:
        try:
            length, text = self._prefix(nlri, is_vpn=is_vpn)
            return prefix_key(family, length, text)
        except (DecodeError, ValueError, OSError):
            self.ignored["malformed"] += 1
            return None

    def _prefix(self, nlri: bytes, *, is_vpn: bool) -> tuple[int, str]:
        """Return prefix length and network as text; the usual shape is read by hand, five times as fast."""
        if not is_vpn:
            start = 2 if nlri[:1] == b"\n" and nlri[1:2] != b"*" else 0
            if nlri.startswith(_V3_PREFIX):
                start = len(_V3_PREFIX) + 1
            # IPAddressPrefix: tag 1 and a length under 128, tag 2 and a string that fills the rest.
            if start and len(nlri) > start + 4 and nlri[start] == 0x08 and nlri[start + 2] == 0x12:
                text = nlri[start + 4 :]
                if nlri[start + 1] < 0x80 and len(text) == nlri[start + 3]:
                    return nlri[start + 1], text.decode("ascii")
        if self._dialect.generation == 4:
            whole = v4_pb2.NLRI.FromString(nlri)
            chosen = whole.labeled_vpn_ip_prefix if is_vpn else whole.prefix
            return chosen.prefix_len, chosen.prefix
        box = v3_pb2.Packed.FromString(nlri)
        if is_vpn:
            labeled = v3_pb2.LabeledVPNIPAddressPrefix.FromString(box.value)
            return labeled.prefix_len, labeled.prefix
        plain = v3_pb2.IPAddressPrefix.FromString(box.value)
        return plain.prefix_len, plain.prefix

    def _attributes(self, blobs: tuple[bytes, ...], neighbor: str) -> PathAttributes | None:
        held = self._sets.get(blobs)
        if held is None:
            try:
                decoded = decode_attributes(self._dialect, blobs)
            except (DecodeError, ValueError):
                self.ignored["malformed"] += 1
                return None
            self.ignored["attribute"] += decoded.ignored
            if len(self._sets) >= MEMORY_LIMIT:
                self._sets.clear()
            held = self._sets[blobs] = (self._table.intern(decoded.attributes), decoded.nameless)
        attributes, nameless = held
        return self._named(attributes, neighbor) if nameless else attributes

    def _named(self, attributes: PathAttributes, neighbor: str) -> PathAttributes:
        """Put the peer's link-local address where an unnumbered session left the next hop out."""
        address = packed(neighbor)
        if not is_link_local(address):
            return attributes
        fields = {name: getattr(attributes, name) for name in _SET_FIELDS}
        return self._table.intern(PathAttributes(**(fields | {"next_hop": address, "link_local": b""})))


_SET_FIELDS = (
    "as_path",
    "origin",
    "med",
    "local_pref",
    "communities",
    "large_communities",
    "extended_communities",
    "originator_id",
    "cluster_list_length",
)


def prefix_key(family: Family, length: int, text: str) -> PrefixKey:
    """Return the key of a network given as text, host bits cleared; ValueError or OSError if it is none."""
    if not 0 <= length <= family.bits:
        raise ValueError(f"prefix length {length} does not fit {family.label}")
    octets = (length + 7) >> 3
    network = socket.inet_pton(family, text)[:octets]
    if spare := length & 7:
        last = network[-1]
        masked = last & (0xFF00 >> spare) & 0xFF
        if masked != last:
            network = network[:-1] + bytes((masked,))
    return bytes((length,)) + network
