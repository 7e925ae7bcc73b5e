"""Turns route messages into keys and forwardings: a dump of a million, or one notification.

Apart from the prefix, the messages of a table are nearly all the same few: same flags, same metric, same
next hops.  So a message is cut into *shape* (all that stands before the prefix) and *tail* (all that stands
behind it), and the meaning of each distinct pair is worked out once and looked up afterwards.  Routes with
equal next hops share one object.
"""

import struct
from typing import NamedTuple

from programmer.codec import wire
from programmer.codec.meaning import Meaning, mean
from programmer.codec.reply import error_of, words_of
from programmer.route import Family, Forwarding, NextHop, PrefixKey

MOST_MEANINGS = 65_536
"""How many distinct messages are remembered before all are forgotten."""

_TABLE_HEADER = wire.ATTRIBUTE.pack(8, wire.RTA_TABLE)
_SHAPE_AT = wire.ROUTE_AT + 2
"""Shape: struct rtmsg without family and prefix length, RTA_TABLE, and the header of RTA_DST."""
_ADDRESS_AT = wire.ATTRIBUTES_AT + 8 + wire.ATTRIBUTE.size
"""Where the prefix stands in the kernel's messages: RTA_DST comes right after RTA_TABLE."""


class Event(NamedTuple):
    """One notification; ``forwarding`` is None for a deletion."""

    table: int
    family: Family
    key: PrefixKey
    metric: int
    protocol: int
    forwarding: Forwarding | None
    port: int
    """Netlink port id of the socket that asked for the change, 0 for the kernel itself."""


class _Layout:
    """Where things stand in messages of one family that begin with RTA_TABLE and RTA_DST."""

    def __init__(self, family: Family) -> None:
        self.octets = family.bits >> 3
        self.tail_at = _ADDRESS_AT + self.octets
        self.destination_header = wire.ATTRIBUTE.pack(wire.ATTRIBUTE.size + self.octets, wire.RTA_DST)
        self.leads: dict[int, tuple[bytes, int]] = {
            wire.U16.unpack(bytes((family, length)))[0]: (bytes((length,)), (length + 7) >> 3)
            for length in range(family.bits + 1)
        }
        """Family and prefix length as one number, to the key's first octet and its significant octets."""

    def run(self, length: int) -> struct.Struct:
        """Return the layout of one message of *length*: header with sequence, lead, shape, address, tail."""
        return struct.Struct(f"=12s4xH22s{self.octets}s{length - self.tail_at}s")

    def cut(self, message: memoryview) -> tuple[bytes, bytes] | None:
        """Return shape and tail of a message, or None if it is not laid out the usual way."""
        if len(message) < self.tail_at:
            return None
        shape = message[_SHAPE_AT:_ADDRESS_AT].tobytes()
        if shape[10:14] != _TABLE_HEADER or shape[18:22] != self.destination_header:
            return None
        return shape, message[self.tail_at :].tobytes()


_LAYOUTS = {family: _Layout(family) for family in Family}
_FAMILIES = {int(family): family for family in Family}


class _Reader:
    """Reads messages of one family, and works out each distinct shape and tail only once."""

    def __init__(self, family: Family, interned: dict[Forwarding, Forwarding]) -> None:
        self.layout = _LAYOUTS[family]
        self._family = family
        self._interned = interned
        self._meanings: dict[tuple[bytes, bytes], Meaning] = {}

    def read(self, message: memoryview) -> tuple[PrefixKey, Meaning]:
        """Return the prefix and the meaning of one message; the meaning's own key may be another prefix's."""
        pair = self.layout.cut(message)
        if pair is not None and (meaning := self._meanings.get(pair)) is not None:
            lead = self.layout.leads.get(wire.U16.unpack_from(message, wire.ROUTE_AT)[0])
            if lead is not None:
                return lead[0] + message[_ADDRESS_AT : _ADDRESS_AT + lead[1]].tobytes(), meaning
        meaning = mean(message, self._family, self._interned)
        if pair is not None:
            if len(self._meanings) >= MOST_MEANINGS:
                self._meanings.clear()
            self._meanings[pair] = meaning
        return meaning.key, meaning


class DumpDecoder:
    """Takes the datagrams of one dump of one family; afterwards its fields hold the table.

    A route is ours when it carries *protocol* and one of *metrics*, and nothing in its identity that we
    cannot name (a type of service, a source prefix).

    ``routes``      prefix key to forwarding; the lowest metric where there are several
    ``extras``      (key, metric) to forwarding: ours as well, at higher metrics
    ``foreign``     (key, metric) to (protocol, forwarding): everything else
    ``dead``        keys of routes of ours with a next hop flagged dead or linkdown
    ``interrupted`` the table changed during the dump (NLM_F_DUMP_INTR), or answers to something else came
                    in between: nothing may be derived from it
    ``errno``       what the kernel ended the dump with, 0 for success; ``message`` has its words

    *interned* makes equal forwardings one object, also over several dumps.
    """

    def __init__(
        self,
        family: Family,
        table: int,
        *,
        protocol: int,
        metrics: frozenset[int],
        sequence: int,
        interned: dict[Forwarding, Forwarding] | None = None,
    ) -> None:
        self.routes: dict[PrefixKey, Forwarding] = {}
        self.extras: dict[tuple[PrefixKey, int], Forwarding] = {}
        self.foreign: dict[tuple[PrefixKey, int], tuple[int, Forwarding]] = {}
        self.dead: set[PrefixKey] = set()
        self.interrupted = False
        self.complete = False
        self.errno = 0
        self.message = ""
        self._layout = _LAYOUTS[family]
        self._table = table
        self._protocol = protocol
        self._metrics = metrics
        self._sequence = sequence
        self._interned = {} if interned is None else interned
        self._reader = _Reader(family, self._interned)
        self._live: dict[tuple[bytes, bytes], Forwarding] = {}
        """Shape and tail of routes of ours without anything special, to what they say."""
        self._runs: dict[int, struct.Struct] = {}

    def feed(self, buffer: wire.Buffer) -> bool:
        """Take one datagram and return whether the dump is complete.  Raises CodecError."""
        view = memoryview(buffer)
        offset, end = 0, len(view)
        while offset < end and not self.complete:
            length, kind, flags, sequence, _ = wire.header_at(view, offset)
            if kind == wire.RTM_NEWROUTE and length >= self._layout.tail_at and not length & 3:
                offset = self._feed_run(view, offset, length)
                if offset >= end:
                    break
                length, kind, flags, sequence, _ = wire.header_at(view, offset)
            self._feed_one(view[offset : offset + length], kind, flags, sequence)
            offset += wire.aligned(length)
        return self.complete

    def _feed_run(self, view: memoryview, offset: int, length: int) -> int:
        """Take messages like the one at *offset* as long as their meaning is known.

        Return where that ended.
        """
        header = view[offset : offset + 12].tobytes()
        if (run := self._runs.get(length)) is None:
            run = self._runs[length] = self._layout.run(length)
        _, _, flags, sequence = struct.unpack("=IHHI", header)
        if sequence != self._sequence or flags & wire.NLM_F_DUMP_INTR:
            return offset
        count = (len(view) - offset) // length
        leads, live, add = self._layout.leads, self._live, self.routes.setdefault
        for each, lead, shape, address, tail in run.iter_unpack(view[offset : offset + count * length]):
            if each != header or (forwarding := live.get((shape, tail))) is None or lead not in leads:
                break
            first, octets = leads[lead]
            if add(first + address[:octets], forwarding) is not forwarding:
                break
            offset += length
        return offset

    def _feed_one(self, message: memoryview, kind: int, flags: int, sequence: int) -> None:
        """Take one message of any kind."""
        if sequence != self._sequence:
            self.interrupted = True
            return
        if flags & wire.NLM_F_DUMP_INTR:
            self.interrupted = True
        if kind == wire.RTM_NEWROUTE:
            self._feed_route(message)
        elif kind == wire.NLMSG_DONE:
            self._feed_done(message, flags)
        elif kind == wire.NLMSG_ERROR:
            self.errno, self.message = error_of(message, flags)
            self.complete = True
        elif kind == wire.NLMSG_OVERRUN:
            self.interrupted = True

    def _feed_done(self, message: memoryview, flags: int) -> None:
        """Take the end of the dump, which may carry an error number and words."""
        self.complete = True
        body = message[wire.HEADER.size :]
        if len(body) >= wire.S32.size:
            self.errno = max(0, -int(wire.S32.unpack_from(body)[0]))
            if flags & wire.NLM_F_ACK_TLVS:
                self.message = words_of(body[wire.S32.size :])

    def _feed_route(self, message: memoryview) -> None:
        """Take one route, and remember its shape and tail for runs if they are plainly ours."""
        key, meaning = self._reader.read(message)
        if meaning.cloned or meaning.table != self._table:
            return
        forwarding = meaning.forwarding
        if meaning.protocol == self._protocol and forwarding.metric in self._metrics and meaning.plain_identity:
            self._add(key, forwarding)
            if meaning.dead:
                self.dead.add(key)
            elif (pair := self._layout.cut(message)) is not None:
                if len(self._live) >= MOST_MEANINGS:
                    self._live.clear()
                self._live[pair] = forwarding
            return
        place = (key, forwarding.metric)
        if (before := self.foreign.get(place)) is not None:
            forwarding = merged(before[1], forwarding)
        self.foreign[place] = (meaning.protocol, forwarding)

    def _add(self, key: PrefixKey, forwarding: Forwarding) -> None:
        """Add one route of ours beside those that the prefix has already."""
        before = self.routes.setdefault(key, forwarding)
        if before is forwarding:
            return
        if before.metric == forwarding.metric:
            self.routes[key] = self._intern(merged(before, forwarding))
            return
        low, high = sorted((before, forwarding), key=lambda each: each.metric)
        self.routes[key] = low
        place = (key, high.metric)
        self.extras[place] = self._intern(merged(self.extras.get(place, high), high))

    def _intern(self, forwarding: Forwarding) -> Forwarding:
        return self._interned.setdefault(forwarding, forwarding)


class EventDecoder:
    """Decodes notifications; changes come in floods of equal shape, so what a shape means is kept."""

    def __init__(self) -> None:
        self._readers = {family: _Reader(family, {}) for family in Family}

    def decode(self, message: memoryview, tables: frozenset[int]) -> Event | None:
        """Return what one RTM_NEWROUTE or RTM_DELROUTE says; None for a clone or a table outside *tables*.

        Raises CodecError.
        """
        length, kind, _, _, port = wire.header_at(message, 0)
        if length < wire.ATTRIBUTES_AT:
            raise wire.CodecError(f"a route message has {length} octets")
        family = _FAMILIES.get(message[wire.ROUTE_AT])
        if family is None:
            return None
        key, meaning = self._readers[family].read(message[:length])
        if meaning.table not in tables or meaning.cloned:
            return None
        forwarding = None if kind == wire.RTM_DELROUTE else meaning.forwarding
        return Event(meaning.table, family, key, meaning.forwarding.metric, meaning.protocol, forwarding, port)


def merged(one: Forwarding, other: Forwarding) -> Forwarding:
    """Return the union of two routes at one prefix and metric: IPv6 may report members one by one."""
    hops: tuple[NextHop, ...] = tuple(sorted({*one.next_hops, *other.next_hops}))
    return one if hops == one.next_hops else one._replace(next_hops=hops)
