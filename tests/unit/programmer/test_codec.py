"""Route messages: what goes out, what comes back, and that nothing in between can hurt."""

import contextlib
import errno
import ipaddress
import struct
from collections.abc import Callable
from enum import Enum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from programmer.codec import (
    Action,
    CodecError,
    DumpDecoder,
    Encoder,
    Event,
    EventDecoder,
    Replies,
    dump_request,
    wire,
)
from programmer.route import Family, Forwarding, NextHop, forwarding, key_of

OURS, METRIC, TABLE, SEQUENCE = 196, 200, 101, 77
KEY = key_of(ipaddress.ip_network("203.0.113.0/24"))


class Word(Enum):
    """A caller's own words for the three actions."""

    ADD = 1
    REPLACE = 2
    DELETE = 3


ACTIONS = {Word.ADD: Action.ADD, Word.REPLACE: Action.REPLACE, Word.DELETE: Action.DELETE}


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


ROUTE = forwarding(METRIC, [NextHop(packed("10.1.0.2"), 3)])


def encoder() -> Encoder[Word]:
    return Encoder(ACTIONS, OURS)


def decoder(family: Family = Family.IPV4, *, table: int = TABLE, metrics: tuple[int, ...] = (METRIC,)) -> DumpDecoder:
    return DumpDecoder(family, table, protocol=OURS, metrics=frozenset(metrics), sequence=SEQUENCE)


def reported(
    key: bytes,
    route: Forwarding,
    family: Family = Family.IPV4,
    *,
    table: int = TABLE,
    protocol: int = OURS,
    flags: int = 2,
    route_flags: int = 0,
    sequence: int = SEQUENCE,
) -> bytes:
    """Return a message as the kernel dumps it: RTA_TABLE first, then RTA_DST unless the length is 0."""
    sent = Encoder(ACTIONS, protocol).encode([(Word.ADD, table, family, key, route)], sequence)
    size = family.bits >> 3
    fixed = bytearray(sent[:28])
    destination = sent[28 : 32 + size] if key[0] else b""
    rest = sent[32 + size :]
    body = rest[:8] + destination + rest[8:]
    fixed[0:8] = struct.pack("=IHH", 28 + len(body), wire.RTM_NEWROUTE, flags)
    fixed[24:28] = struct.pack("=I", route_flags)
    return bytes(fixed) + body


def done(code: int = 0, flags: int = 2, sequence: int = SEQUENCE) -> bytes:
    return struct.pack("=IHHIIi", 20, wire.NLMSG_DONE, flags, sequence, 0, -code)


def failed(code: int, sequence: int, words: str = "", asked: bytes = b"") -> bytes:
    """Return an NLMSG_ERROR: capped without *asked*, with the whole request otherwise."""
    flags = (0 if asked else wire.NLM_F_CAPPED) | (wire.NLM_F_ACK_TLVS if words else 0)
    body = struct.pack("=i", -code) + (asked or struct.pack("=IHHII", 68, 24, 1, sequence, 0))
    if words:
        body += wire.attribute(2, struct.pack("=I", 4)) + wire.attribute(wire.NLMSGERR_ATTR_MSG, words.encode() + b"\0")
    return struct.pack("=IHHII", 16 + len(body), wire.NLMSG_ERROR, flags, sequence, 0) + body


def ack(sequence: int) -> bytes:
    return failed(0, sequence)


class TestEncoding:
    def test_an_addition_is_exclusive_and_carries_all_that_makes_the_route(self) -> None:
        message = encoder().encode([(Word.ADD, 1000, Family.IPV4, KEY, ROUTE)], 5)
        length, kind, flags, sequence, port = struct.unpack_from("=IHHII", message)
        assert (length, kind, sequence, port) == (len(message), 24, 5, 0)
        assert flags == 0x1 | 0x400 | 0x200 | 0x4
        assert message[16:28] == bytes((2, 24, 0, 0, 0, OURS, 0, 1, 0, 0, 0, 0))
        assert dict(_attributes(message)) == {
            1: packed("203.0.113.0"),
            4: struct.pack("=I", 3),
            5: packed("10.1.0.2"),
            6: struct.pack("=I", METRIC),
            15: struct.pack("=I", 1000),
        }

    def test_a_replacement_cannot_create_and_a_deletion_names_owner_metric_and_table_only(self) -> None:
        replace = encoder().encode([(Word.REPLACE, TABLE, Family.IPV4, KEY, ROUTE)], 1)
        assert struct.unpack_from("=H", replace, 6)[0] == 0x1 | 0x100 | 0x4
        delete = encoder().encode([(Word.DELETE, TABLE, Family.IPV4, KEY, ROUTE)], 1)
        assert struct.unpack_from("=HH", delete, 4) == (25, 0x1 | 0x4)
        assert delete[16:28] == bytes((2, 24, 0, 0, TABLE, OURS, 255, 0, 0, 0, 0, 0))
        assert set(dict(_attributes(delete))) == {1, 6, 15}

    def test_a_batch_is_numbered_and_asks_for_one_acknowledgement(self) -> None:
        writes = [(Word.ADD, TABLE, Family.IPV4, bytes((32, 203, 0, 113, i)), ROUTE) for i in range(3)]
        batch = memoryview(encoder().encode(writes, 0xFFFFFFFE))
        found = [(sequence, flags & 0x4) for _, flags, sequence, _, _, _ in wire.messages(batch)]
        assert found == [(0xFFFFFFFE, 0), (0xFFFFFFFF, 0), (0, 0x4)]

    def test_a_batch_equals_its_messages_one_by_one(self) -> None:
        six = forwarding(METRIC, [NextHop(packed("fe80::1"), 2), NextHop(packed("fe80::1"), 3, 9)])
        writes = [
            (word, table, family, key, route)
            for word in Word
            for table in (TABLE, 70_000)
            for family, key, route in (
                (Family.IPV4, KEY, ROUTE),
                (Family.IPV6, bytes((16, 0x20, 0x01)), six),
            )
        ]
        whole = encoder().encode(writes, 10)
        single = [bytearray(encoder().encode([one], 10 + i)) for i, one in enumerate(writes)]
        for message in single[:-1]:
            message[6] &= ~0x4
        assert whole == b"".join(single)

    def test_an_ipv4_route_over_ipv6_uses_via_and_an_on_link_one_has_link_scope(self) -> None:
        over = forwarding(METRIC, [NextHop(packed("fe80::1"), 3)])
        message = encoder().encode([(Word.ADD, TABLE, Family.IPV4, KEY, over)], 1)
        assert dict(_attributes(message))[18] == struct.pack("=H", 10) + packed("fe80::1")
        assert message[22] == 0
        link = encoder().encode([(Word.ADD, TABLE, Family.IPV4, KEY, forwarding(METRIC, [NextHop(b"", 3)]))], 1)
        assert link[22] == 253
        assert 5 not in dict(_attributes(link))

    def test_the_deletion_of_an_ipv6_group_names_its_members(self) -> None:
        group = forwarding(METRIC, [NextHop(packed("2001:db8::1"), 3), NextHop(packed("2001:db8::2"), 3)])
        key = bytes((32, 0x20, 0x01, 0x0D, 0xB8))
        assert 9 in dict(_attributes(encoder().encode([(Word.DELETE, TABLE, Family.IPV6, key, group)], 1)))
        single = group._replace(next_hops=group.next_hops[:1])
        assert 9 not in dict(_attributes(encoder().encode([(Word.DELETE, TABLE, Family.IPV6, key, single)], 1)))

    @pytest.mark.parametrize(
        ("table", "route", "words"),
        [
            (0, ROUTE, "never programmed"),
            (253, ROUTE, "never programmed"),
            (255, ROUTE, "never programmed"),
            (1 << 32, ROUTE, "never programmed"),
            (TABLE, ROUTE._replace(metric=0), "metric 0"),
            (TABLE, ROUTE._replace(next_hops=()), "at least one next hop"),
            (TABLE, ROUTE._replace(next_hops=(NextHop(b"12345", 1),)), "5 octets"),
            (TABLE, ROUTE._replace(preferred_source=packed("::1")), "preferred source of 16 octets"),
        ],
    )
    def test_what_must_never_be_sent_is_refused(self, table: int, route: Forwarding, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            encoder().encode([(Word.ADD, table, Family.IPV4, KEY, route)], 1)

    def test_a_protocol_that_no_route_can_carry_is_refused(self) -> None:
        for protocol in (0, 256):
            with pytest.raises(ValueError, match="protocol"):
                Encoder(ACTIONS, protocol)

    def test_a_dump_request_names_its_table(self) -> None:
        request = dump_request(Family.IPV6, 70_000, 9, 2)
        assert struct.unpack_from("=IHHI", request) == (len(request), 26, 0x301, 9)
        assert request[16] == 10
        assert request[21] == 2
        assert dict(_attributes(request)) == {15: struct.pack("=I", 70_000)}


def _attributes(message: bytes) -> list[tuple[int, bytes]]:
    return [(kind, bytes(payload)) for kind, payload in wire.attributes(memoryview(message)[28:])]


class TestReplies:
    def test_failures_find_their_place_and_keep_the_words_of_the_kernel(self) -> None:
        replies = Replies(0xFFFFFFFF, 4)
        replies.feed(failed(errno.ENETUNREACH, 0xFFFFFFFF, "Nexthop has invalid gateway"))
        assert not replies.complete
        replies.feed(failed(errno.EEXIST, 1) + ack(2))
        assert replies.complete
        assert replies.failures == {
            0: (errno.ENETUNREACH, "Nexthop has invalid gateway"),
            2: (errno.EEXIST, ""),
        }

    def test_words_behind_an_uncapped_request_are_found(self) -> None:
        asked = encoder().encode([(Word.ADD, TABLE, Family.IPV4, KEY, ROUTE)], 3)
        replies = Replies(3, 1)
        replies.feed(failed(errno.EINVAL, 3, "no", asked))
        assert replies.failures == {0: (errno.EINVAL, "no")}
        assert replies.complete

    def test_answers_to_earlier_messages_are_ignored(self) -> None:
        replies = Replies(10, 2)
        replies.feed(failed(errno.EEXIST, 9) + ack(12))
        assert not replies.failures
        assert not replies.complete

    @given(st.binary(max_size=120))
    @example(struct.pack("=IHHII", 16, wire.NLMSG_ERROR, 0, 0, 0))
    @example(failed(22, 0, "cut")[:-9])
    def test_garbage_is_refused_or_ignored(self, garbage: bytes) -> None:
        _harmless(lambda data: Replies(0, 10).feed(data), garbage)


class TestDumps:
    def test_a_dump_in_many_shapes_comes_out_whole(self) -> None:
        group = forwarding(METRIC, [NextHop(packed("10.1.0.2"), 3), NextHop(packed("10.1.0.3"), 3, 200)])
        sourced = forwarding(METRIC, [NextHop(packed("10.1.0.9"), 4)], packed("10.1.0.1"))
        wanted = {
            bytes((length, *(203, i, 128, 1)[: (length + 7) >> 3])): route
            for i in range(60)
            for length, route in ((24, ROUTE), (32, sourced), (17, group))
        } | {bytes((0,)): ROUTE}
        dump = decoder()
        messages = [reported(key, route) for key, route in wanted.items()]
        for begin in range(0, len(messages), 50):
            assert not dump.feed(b"".join(messages[begin : begin + 50]))
        assert dump.feed(done())
        assert dump.routes == wanted
        assert (dump.errno, dump.interrupted, dump.foreign, dump.extras, dump.dead) == (
            0,
            False,
            {},
            {},
            set(),
        )
        assert len({id(route) for route in dump.routes.values()}) == 3

    def test_equal_routes_of_two_dumps_are_one_object(self) -> None:
        interned: dict[Forwarding, Forwarding] = {}
        first, second = (
            DumpDecoder(
                Family.IPV4,
                TABLE,
                protocol=OURS,
                metrics=frozenset({METRIC}),
                sequence=SEQUENCE,
                interned=interned,
            )
            for _ in range(2)
        )
        for dump in (first, second):
            dump.feed(reported(KEY, ROUTE))
        assert first.routes[KEY] is second.routes[KEY]

    def test_others_are_foreign_and_higher_metrics_of_ours_are_extras(self) -> None:
        dump = decoder(metrics=(METRIC, 300))
        high = ROUTE._replace(metric=300)
        alien = ROUTE._replace(metric=400)
        dump.feed(reported(KEY, high) + reported(KEY, ROUTE) + reported(KEY, alien))
        dump.feed(reported(KEY, ROUTE, protocol=99) + done())
        assert dump.routes == {KEY: ROUTE}
        assert dump.extras == {(KEY, 300): high}
        assert dump.foreign == {(KEY, 400): (OURS, alien), (KEY, METRIC): (99, ROUTE)}

    def test_members_of_a_group_that_come_one_by_one_are_put_together(self) -> None:
        key = bytes((32, 0x20, 0x01, 0x0D, 0xB8))
        hops = [NextHop(packed(f"2001:db8::{i}"), 3) for i in range(1, 4)]
        dump = decoder(Family.IPV6)
        for hop in hops:
            dump.feed(reported(key, forwarding(METRIC, [hop]), Family.IPV6))
        assert dump.routes == {key: forwarding(METRIC, hops)}
        assert not dump.extras

    def test_clones_and_other_tables_are_left_out(self) -> None:
        dump = decoder()
        dump.feed(reported(KEY, ROUTE, route_flags=0x200) + reported(KEY, ROUTE, table=102) + done())
        assert not dump.routes
        assert not dump.foreign

    @pytest.mark.parametrize("flag", [1, 16])
    def test_dead_routes_are_kept_and_told_each_time(self, flag: int) -> None:
        other = bytes((24, 198, 51, 100))
        dump = decoder()
        dump.feed(reported(KEY, ROUTE, route_flags=flag) + reported(other, ROUTE, route_flags=flag) + done())
        assert dump.routes == {KEY: ROUTE, other: ROUTE}
        assert dump.dead == {KEY, other}

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_the_flag_of_an_interrupted_dump_is_seen_on_every_message(self, place: int) -> None:
        flags = [2, 2, 2]
        flags[place] |= wire.NLM_F_DUMP_INTR
        dump = decoder()
        first, second = reported(KEY, ROUTE, flags=flags[0]), reported(b"\x08\x0a", ROUTE, flags=flags[1])
        assert dump.feed(first + second + done(flags=flags[2]))
        assert dump.interrupted

    def test_answers_of_another_dump_make_this_one_interrupted(self) -> None:
        dump = decoder()
        assert not dump.feed(reported(KEY, ROUTE, sequence=SEQUENCE - 1) + done(sequence=SEQUENCE - 1))
        assert dump.interrupted
        assert not dump.routes

    def test_errors_end_a_dump(self) -> None:
        dump = decoder()
        assert dump.feed(failed(errno.ENOENT, SEQUENCE, "no such table"))
        assert (dump.errno, dump.message) == (errno.ENOENT, "no such table")
        dump = decoder()
        assert dump.feed(done(errno.EBUSY))
        assert dump.errno == errno.EBUSY

    @pytest.mark.parametrize(
        ("extra", "said"),
        [
            (wire.attribute(30, struct.pack("=I", 12)), "nhid 12"),
            (wire.attribute(8, b"\1\2\3\4"), "metrics 01020304"),
            (wire.attribute(77, b"\xff"), "attribute 77 ff"),
            (wire.attribute(12, bytes(32)), ""),
            (wire.attribute(12, bytes(8) + b"\1\0\0\0" + bytes(20)), "expires"),
            (wire.attribute(20, b"\0"), ""),
            (wire.attribute(20, b"\1"), "pref 01"),
        ],
    )
    def test_what_we_do_not_model_is_described(self, extra: bytes, said: str) -> None:
        message = bytearray(reported(KEY, ROUTE) + extra)
        message[:4] = struct.pack("=I", len(message))
        dump = decoder()
        dump.feed(bytes(message))
        assert dump.routes == {KEY: ROUTE._replace(foreign_attributes=said)}

    @given(st.data())
    def test_random_tables_survive_the_round_trip(self, data: st.DataObject) -> None:
        family = data.draw(st.sampled_from(Family))
        table = data.draw(st.integers(256, 0xFFFFFFFF))
        wanted = data.draw(st.dictionaries(_keys(family), _routes(family), max_size=30))
        dump = decoder(family, table=table)
        dump.feed(b"".join(reported(key, route, family, table=table) for key, route in wanted.items()) + done())
        assert dump.routes == wanted

    @given(st.binary(max_size=200))
    def test_garbage_is_refused(self, garbage: bytes) -> None:
        _harmless(lambda data: decoder().feed(data), garbage)

    @given(st.data())
    def test_damaged_dumps_are_refused_or_decoded(self, data: st.DataObject) -> None:
        family = data.draw(st.sampled_from(Family))
        routes = data.draw(st.lists(st.tuples(_keys(family), _routes(family)), min_size=1, max_size=4))
        whole = b"".join(reported(key, route, family) for key, route in routes) + done()
        damaged = _damage(data, whole)
        _harmless(lambda buffer: decoder(family).feed(buffer), damaged)
        _harmless(lambda buffer: EventDecoder().decode(memoryview(buffer), frozenset({TABLE})), damaged)


class TestEvents:
    def test_an_addition_and_a_deletion_are_told_apart(self) -> None:
        events = EventDecoder()
        message = bytearray(reported(KEY, ROUTE))
        message[12:16] = struct.pack("=I", 4711)
        added = events.decode(memoryview(message), frozenset({TABLE}))
        assert added == Event(TABLE, Family.IPV4, KEY, METRIC, OURS, ROUTE, 4711)
        message[4:6] = struct.pack("=H", wire.RTM_DELROUTE)
        deleted = events.decode(memoryview(message), frozenset({TABLE}))
        assert deleted == Event(TABLE, Family.IPV4, KEY, METRIC, OURS, None, 4711)

    def test_a_known_shape_gives_each_prefix_its_own_key(self) -> None:
        events = EventDecoder()
        keys = [bytes((8, 10)), bytes((24, 203, 0, 113)), bytes((32, 203, 0, 113, 7)), bytes((0,))]
        found = [events.decode(memoryview(reported(key, ROUTE)), frozenset({TABLE})) for key in keys * 2]
        assert [event.key for event in found if event is not None] == keys * 2

    def test_other_tables_and_families_and_clones_are_nothing(self) -> None:
        events = EventDecoder()
        bridge = bytearray(reported(KEY, ROUTE))
        bridge[16] = 7
        for message in (
            reported(KEY, ROUTE, table=9),
            bytes(bridge),
            reported(KEY, ROUTE, route_flags=0x200),
        ):
            assert events.decode(memoryview(message), frozenset({TABLE})) is None


def _keys(family: Family) -> st.SearchStrategy[bytes]:
    octets = family.bits >> 3

    def key(address: bytes, length: int) -> bytes:
        spare = family.bits - length
        number = int.from_bytes(address) >> spare << spare
        return bytes((length,)) + number.to_bytes(octets)[: (length + 7) >> 3]

    return st.builds(key, st.binary(min_size=octets, max_size=octets), st.integers(0, family.bits))


def _routes(family: Family) -> st.SearchStrategy[Forwarding]:
    octets = family.bits >> 3
    sizes = (octets, 16)
    gateways = st.sampled_from(sizes).flatmap(lambda size: st.binary(min_size=size, max_size=size))
    hops = st.builds(NextHop, gateways, st.integers(1, 1 << 30), st.integers(1, 256))
    sources = st.sampled_from((b"", b"\x0a" * octets))

    def route(chosen: list[NextHop], source: bytes) -> Forwarding:
        if len(chosen) == 1:
            chosen = [chosen[0]._replace(weight=1)]
        return forwarding(METRIC, chosen, source)

    unique = st.lists(hops, min_size=1, max_size=5, unique_by=lambda hop: (hop.gateway, hop.ifindex))
    return st.builds(route, unique, sources)


def _damage(data: st.DataObject, whole: bytes) -> bytes:
    """Cut a buffer short, or change some of its octets."""
    buffer = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if buffer:
            buffer[data.draw(st.integers(0, len(buffer) - 1))] = data.draw(st.integers(0, 255))
    return bytes(buffer)


def _harmless(decode: Callable[[bytes], object], garbage: bytes) -> None:
    """Anything but a result or a CodecError is a bug."""
    with contextlib.suppress(CodecError):
        decode(garbage)
