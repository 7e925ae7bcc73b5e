"""UPDATE messages into what they say of paths; pure.

A full table repeats one attribute set some twenty times, so encoded sets are looked up as octets and read only once.  A
prefix on the wire is our key already.  Source: RFC 4271 section 4.3, RFC 4760, RFC 7911, RFC 8950, RFC 7606.
"""

from collections import Counter
from collections.abc import Callable

from monitor.bmp.attribute import MP_REACH, MP_UNREACH, OPTIONAL, SHAPE, Context, Told, Unusable, fields, read
from monitor.bmp.opening import FAMILIES
from monitor.bmp.wire import Malformed
from monitor.rib.attribute import AttributeTable
from monitor.rib.path import Path, PeerId
from monitor.rib.update import PathAnnounced, PathRejected, PathWithdrawn
from programmer.route import Family, PrefixKey

Put = Callable[[PathAnnounced | PathWithdrawn | PathRejected], None]

MEMORY_LIMIT, OCTETS_LIMIT = 50_000, 16 << 20
"""Encoded attribute sets that are remembered at once, of all peers together, and how long they may be: some 50 MB at worst."""

_OCTETS = bytes((length + 7) >> 3 for length in range(129))
_HOST_BITS = bytes((0, 0x7F, 0x3F, 0x1F, 0x0F, 0x07, 0x03, 0x01))
_MP_HEAD = 5
"""AFI, SAFI, length of the next hop, and after it one reserved octet."""

_PATH_ID = 4

Sets = dict[tuple[bytes, bytes | None], Told | None]


class Sender:
    """A peer whose UPDATEs are read: who it is, what its attributes mean, and which NLRI have path identifiers.

    Those of the families ``unreadable`` have them or not, as it comes, and are left out.
    """

    __slots__ = ("add_path", "context", "peer", "sets", "unreadable")

    def __init__(
        self, peer: PeerId, context: Context, add_path: frozenset[Family], unreadable: frozenset[Family], sets: Sets
    ) -> None:
        self.peer = peer
        self.context = context
        self.add_path = add_path
        self.unreadable = unreadable
        self.sets = sets


class UpdateDecoder:
    """Reads UPDATEs of any number of peers.

    ``ignored`` counts what was left out, by cause: ``family`` (not IPv4 or IPv6 unicast), ``malformed`` (counts as withdrawn,
    as RFC 7606 says), ``path-ids`` (prefixes whose path identifiers may be missing).  ``oddity`` is the last malformed
    attribute, for people.
    """

    def __init__(self, table: AttributeTable) -> None:
        self.ignored: Counter[str] = Counter()
        self.oddity = ""
        self._table = table
        self._sets: dict[Context, Sets] = {}
        self._remembered = self._octets = 0

    def sender(
        self,
        peer: PeerId,
        context: Context,
        add_path: frozenset[Family],
        unreadable: frozenset[Family] = frozenset(),
    ) -> Sender:
        """Return what ``decode`` needs to know of a peer; peers of one context share what is remembered."""
        return Sender(peer, context, add_path, unreadable, self._sets.setdefault(context, {}))

    def decode(self, content: bytes, sender: Sender, seconds: int, put: Put) -> Family | None:
        """Tell *put* what an UPDATE says; returns the family of an End-of-RIB, None for any other.

        *content* is the message without its BGP header, *seconds* when the speaker received it.  Raises Malformed where the
        prefixes cannot be told apart: nothing that follows can be believed then.
        """
        end = len(content)
        if end < 4:
            raise Malformed(f"an UPDATE of {end} octets")
        attributes_at = 2 + (content[0] << 8 | content[1])
        if end < attributes_at + 2:
            raise Malformed("an UPDATE whose withdrawn routes are cut short")
        nlri_at = attributes_at + 2 + (content[attributes_at] << 8 | content[attributes_at + 1])
        if end < nlri_at:
            raise Malformed("an UPDATE whose attributes are cut short")
        if end == 4:
            return Family.IPV4
        if attributes_at > 2:
            self._withdraw(Family.IPV4, content[2:attributes_at], sender, put)
        attributes = content[attributes_at + 2 : nlri_at]
        if nlri_at < end:
            told = sender.sets.get((attributes, None))
            if told is not None:
                # The usual case by far: classic IPv4, and a set that is known, so without MP_REACH and MP_UNREACH.
                self._announce(Family.IPV4, content[nlri_at:], told, sender, seconds, put)
                return None
        if not attributes and nlri_at == end:
            return None
        return self._others(attributes, content[nlri_at:], sender, seconds, put)

    def _others(self, attributes: bytes, nlri: bytes, sender: Sender, seconds: int, put: Put) -> Family | None:
        """Read an UPDATE whose attributes are new, or have prefixes in them."""
        reach: bytes | None = None
        unreach: bytes | None = None
        plain: list[bytes] = []
        broken = False
        try:
            before = 0
            for flags, code, start, stop in fields(attributes):
                if code in {MP_REACH, MP_UNREACH}:
                    broken = broken or flags & SHAPE != OPTIONAL
                    if (reach if code == MP_REACH else unreach) is not None:
                        raise Malformed(f"an UPDATE with attribute {code} twice")  # RFC 7606 section 3 g
                    if code == MP_REACH:
                        reach = attributes[start:stop]
                    else:
                        unreach = attributes[start:stop]
                else:
                    plain.append(attributes[before:stop])
                before = stop
        except Unusable as error:
            broken = True
            self._odd(error)
            if reach is None and unreach is None and not nlri:
                # What was announced cannot be known (RFC 7606 section 5.2).
                raise Malformed(f"an UPDATE whose attributes end early: {error}") from None
        rest = b"".join(plain) if reach is not None or unreach is not None else attributes
        if unreach is not None:
            family = self._family(unreach, 3)
            if len(unreach) == 3 and reach is None and not nlri and not plain:
                return family
            if family is not None:
                self._withdraw(family, unreach[3:], sender, put)
        if nlri:
            told = None if broken else self._told(rest, None, sender)
            self._announce(Family.IPV4, nlri, told, sender, seconds, put)
        if reach is not None:
            self._reach(reach, rest, sender, seconds, put, broken=broken)
        return None

    def _reach(self, reach: bytes, rest: bytes, sender: Sender, seconds: int, put: Put, *, broken: bool) -> None:
        family = self._family(reach, _MP_HEAD)
        if family is None:
            return
        start = _MP_HEAD + reach[3]
        if start > len(reach):
            raise Malformed("MP_REACH_NLRI whose next hop is cut short")
        told = None if broken else self._told(rest, reach[4 : start - 1], sender)
        self._announce(family, reach[start:], told, sender, seconds, put)

    def _family(self, value: bytes, least: int) -> Family | None:
        if len(value) < least:
            raise Malformed(f"MP_REACH_NLRI or MP_UNREACH_NLRI of {len(value)} octets")
        family = FAMILIES.get((value[0] << 8 | value[1], value[2]))
        if family is None:
            self.ignored["family"] += 1
        return family

    def _told(self, rest: bytes, next_hop: bytes | None, sender: Sender) -> Told | None:
        """Return the set, None for one that makes its paths count as withdrawn."""
        name = (rest, next_hop)
        sets = sender.sets
        if name in sets:
            told = sets[name]
        else:
            try:
                told = read(rest, next_hop, sender.context)
                told = told._replace(attributes=self._table.intern(told.attributes))
            except Unusable as error:
                told = None
                self._odd(error)
            if self._remembered >= MEMORY_LIMIT or self._octets >= OCTETS_LIMIT:
                for held in self._sets.values():
                    held.clear()
                self._remembered = self._octets = 0
            self._remembered += 1
            self._octets += len(rest)
            sets[name] = told
        return told

    def _odd(self, error: Unusable) -> None:
        self.oddity = str(error)

    def _announce(self, family: Family, nlri: bytes, told: Told | None, sender: Sender, seconds: int, put: Put) -> None:
        if family in sender.unreadable:
            self.ignored["path-ids"] += 1
            return
        if told is None:
            self.ignored["malformed"] += 1
            self._withdraw(family, nlri, sender, put)
            return
        peer = sender.peer
        if family in sender.add_path or told.looped:
            kind = PathRejected if told.looped else PathAnnounced
            for path_id, key in _entries(family, nlri, with_id=family in sender.add_path):
                put(kind(family, key, Path(peer, path_id, told.attributes, seconds, told.stale)))
            return
        path = Path(peer, 0, told.attributes, seconds, told.stale)
        for key in keys(family, nlri):
            put(PathAnnounced(family, key, path))

    def _withdraw(self, family: Family, nlri: bytes, sender: Sender, put: Put) -> None:
        if family in sender.unreadable:
            return
        for path_id, key in _entries(family, nlri, with_id=family in sender.add_path):
            put(PathWithdrawn(family, key, sender.peer, path_id))


def keys(family: Family, nlri: bytes) -> list[PrefixKey]:
    """Return the keys of prefixes one after the other; Malformed where one does not fit."""
    found: list[PrefixKey] = []
    at, end, bits = 0, len(nlri), family.bits
    while at < end:
        length = nlri[at]
        if length > bits:
            raise Malformed(f"a prefix of {length} bits")
        stop = at + 1 + _OCTETS[length]
        key = nlri[at:stop]
        if stop > end:
            raise Malformed("a prefix that is cut short")
        if length & 7 and key[-1] & _HOST_BITS[length & 7]:
            key = key[:-1] + bytes((key[-1] & ~_HOST_BITS[length & 7] & 0xFF,))
        found.append(key)
        at = stop
    return found


def _entries(family: Family, nlri: bytes, *, with_id: bool) -> list[tuple[int, PrefixKey]]:
    """Return path identifiers (RFC 7911), 0 where there are none, and keys."""
    if not with_id:
        return [(0, key) for key in keys(family, nlri)]
    found: list[tuple[int, PrefixKey]] = []
    at, end = 0, len(nlri)
    while at < end:
        start = at + _PATH_ID
        if start >= end or nlri[start] > family.bits:
            raise Malformed("a prefix with a path identifier that is cut short or too long")
        stop = start + 1 + _OCTETS[nlri[start]]
        (key,) = keys(family, nlri[start:stop])
        found.append((int.from_bytes(nlri[at:start], "big"), key))
        at = stop
    return found
