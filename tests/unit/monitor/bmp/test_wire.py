"""Streams are cut into messages, and messages into their fields."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.bmp.speaker import FRR, GOBGP, Oddities, introduction
from monitor.bmp.wire import (
    LONGEST,
    Framer,
    Malformed,
    PeerDown,
    bgp_update,
    peer_down,
    peer_header,
    peer_up,
    statistics,
    termination_text,
    tlvs,
)
from tests.support import bmp

PEER = bmp.Monitored()


def body(message: bytes) -> bytes:
    """What follows the common header."""
    return message[6:]


def framed(*chunks: bytes) -> list[tuple[int, bytes]]:
    framer = Framer()
    return [message for chunk in chunks for message in framer.feed(chunk)]


messages = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=80)), max_size=8)


@given(messages, st.data())
def test_any_cut_of_a_stream_gives_the_same_messages(expected: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(bmp.message(kind, content) for kind, content in expected)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    chunks = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert framed(*chunks) == expected


@given(messages)
def test_a_stream_may_come_octet_by_octet(expected: list[tuple[int, bytes]]) -> None:
    stream = b"".join(bmp.message(kind, content) for kind, content in expected)
    assert framed(*(bytes((octet,)) for octet in stream)) == expected


def test_it_knows_of_a_message_that_has_begun() -> None:
    framer = Framer()
    stream = bmp.initiation() + b"\x03"
    assert not framer.unfinished
    assert len(list(framer.feed(stream))) == 1
    assert framer.unfinished
    assert list(framer.feed(bmp.initiation()[1:])) == [(4, body(bmp.initiation()))]
    assert not framer.unfinished


@pytest.mark.parametrize("version", [0, 1, 2, 4, 22, 255])
def test_another_version_is_no_bmp(version: int) -> None:
    with pytest.raises(Malformed, match=f"BMP version {version}, not 3"):
        framed(bmp.message(4, version=version))


@pytest.mark.parametrize("length", [0, 5, LONGEST + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_is_noticed_at_once(length: int) -> None:
    with pytest.raises(Malformed, match="octets; the longest allowed is 1,048,576"):
        framed(bmp.message(4, length=length))


def test_the_longest_message_is_read() -> None:
    ((kind, content),) = framed(bmp.message(6, bytes(LONGEST - 6)))
    assert (kind, len(content)) == (6, LONGEST - 6)


def test_messages_before_a_malformed_one_are_told() -> None:
    heard = Framer().feed(bmp.initiation() + bmp.message(4, version=9))
    assert next(heard) == (4, body(bmp.initiation()))
    with pytest.raises(Malformed):
        next(heard)


# Per-peer headers


def test_a_header_of_an_ipv4_peer() -> None:
    header = peer_header(PEER.header(seconds=1_700_000_000, flags=bmp.L_FLAG))
    assert header.address == ip_address("192.0.2.2")
    assert (header.kind, header.flags, header.distinguisher) == (0, bmp.L_FLAG, bytes(8))
    assert (header.asn, header.router_id, header.seconds) == (65001, b"\x0a\xff\0\x01", 1_700_000_000)


def test_a_header_of_an_ipv6_peer() -> None:
    header = peer_header(bmp.Monitored(address="2001:db8::2").header())
    assert header.address == ip_address("2001:db8::2")
    assert header.flags == bmp.V_FLAG


def test_the_flag_of_a_loc_rib_is_not_that_of_ipv6() -> None:
    filtered = bmp.Monitored(address="0.0.0.0", kind=3).header(flags=0x80)
    assert peer_header(filtered).address == ip_address("0.0.0.0")


def test_flags_and_time_do_not_name_a_peer_and_the_rest_does() -> None:
    one = peer_header(PEER.header()).identity
    assert peer_header(PEER.header(7, bmp.L_FLAG | bmp.A_FLAG)).identity == one
    others = [
        bmp.Monitored(address="192.0.2.3"),
        bmp.Monitored(asn=65002),
        bmp.Monitored(router_id="10.255.0.2"),
        bmp.Monitored(kind=1),
        bmp.Monitored(distinguisher=b"12345678"),
    ]
    assert len({one, *(peer_header(other.header()).identity for other in others)}) == 6


@pytest.mark.parametrize("length", [0, 1, 41])
def test_a_header_that_is_cut_short(length: int) -> None:
    with pytest.raises(Malformed, match=f"a per-peer header of {length} octets"):
        peer_header(PEER.header()[:length])


# Peer Up


def test_a_peer_up_has_both_opens() -> None:
    told = peer_up(body(PEER.up()), ipv6=False)
    assert (told.sent_open, told.received_open) == PEER.opens()
    assert told.local_address == ip_address("192.0.2.1")


def test_a_peer_up_of_an_ipv6_session() -> None:
    peer = bmp.Monitored(address="2001:db8::2", local_address="2001:db8::1")
    assert peer_up(body(peer.up()), ipv6=True).local_address == ip_address("2001:db8::1")


def test_what_follows_the_opens_does_not_matter() -> None:
    told = peer_up(body(PEER.up()) + bmp.information(0, b"words"), ipv6=False)
    assert told.received_open == PEER.opens()[1]


def test_a_peer_up_that_is_cut_short_anywhere() -> None:
    whole = body(PEER.up())
    for length in range(42, len(whole)):
        with pytest.raises(Malformed):
            peer_up(whole[:length], ipv6=False)


@pytest.mark.parametrize(
    "wrong", [bmp.bgp(2, bytes(40)), bmp.bgp(1, bytes(9)), bmp.bgp(1, bytes(20), length=28), bmp.bgp(4)]
)
def test_a_peer_up_with_something_else_than_an_open(wrong: bytes) -> None:
    with pytest.raises(Malformed, match="OPEN"):
        peer_up(PEER.header() + bytes(20) + wrong + PEER.opens()[1], ipv6=False)


# Peer Down


@pytest.mark.parametrize(
    ("reason", "data", "expected"),
    [
        (1, bmp.notification(6, 4), PeerDown(1, (6, 4), None, "")),
        (1, b"", PeerDown(1, None, None, "")),
        (1, bmp.notification(6, 2)[:20], PeerDown(1, None, None, "")),
        (2, b"\0\x18", PeerDown(2, None, 24, "")),
        (2, b"\0\0", PeerDown(2, None, 0, "")),
        (2, b"", PeerDown(2, None, None, "")),
        (2, b"\0", PeerDown(2, None, None, "")),
        (3, bmp.notification(4, 0), PeerDown(3, (4, 0), None, "")),
        (3, b"", PeerDown(3, None, None, "")),
        (4, b"", PeerDown(4, None, None, "")),
        (5, b"", PeerDown(5, None, None, "")),
        (6, bmp.information(3, b"red"), PeerDown(6, None, None, "")),
        (77, b"what", PeerDown(77, None, None, "")),
    ],
)
def test_reasons_of_a_peer_down(reason: int, data: bytes, expected: PeerDown) -> None:
    assert peer_down(body(PEER.down(reason, data))) == expected


@pytest.mark.parametrize(
    ("subcode", "data", "words"),
    [
        (2, bmp.shutdown_words("Wartung bis fünf"), "Wartung bis fünf"),
        (4, bmp.shutdown_words("back soon"), "back soon"),
        (2, b"\x05ab", ""),
        (2, b"\0", ""),
        (2, b"", ""),
        (2, b"\x02\xff\xfe", "\ufffd\ufffd"),
        (3, bmp.shutdown_words("no words are due here"), ""),
    ],
)
def test_the_words_of_an_administrator(subcode: int, data: bytes, words: str) -> None:
    assert peer_down(body(PEER.down(3, bmp.notification(6, subcode, data)))).words == words


def test_a_peer_down_without_a_reason() -> None:
    with pytest.raises(Malformed, match="without a reason"):
        peer_down(PEER.header())


# Route Monitoring


def test_the_content_of_an_update() -> None:
    content = bmp.content(attributes=bmp.usual(), prefixes=bmp.nlri("10.0.0.0/8"))
    assert bgp_update(body(PEER.routes(bmp.bgp(2, content)))) == content


def test_another_bgp_message_is_none() -> None:
    assert bgp_update(body(PEER.routes(bmp.bgp(5, b"\0\1\0\1")))) is None


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        bmp.update()[:18],
        bmp.update()[:-1],
        bmp.bgp(2, bytes(4), length=18),
        bmp.bgp(2, bytes(4), length=24),
        bmp.bgp(2, bytes(4), marker=bytes(16)),
    ],
)
def test_a_route_monitoring_without_a_bgp_message(wrong: bytes) -> None:
    with pytest.raises(Malformed, match="a BGP message of"):
        bgp_update(body(PEER.routes(wrong)))


# TLVs


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=5))
def test_tlvs_are_read_as_they_were_written(expected: list[tuple[int, bytes]]) -> None:
    assert list(tlvs(b"".join(bmp.information(kind, value) for kind, value in expected))) == expected


@pytest.mark.parametrize("wrong", [b"\0", b"\0\0\0", bmp.information(0, b"abc", length=4)])
def test_tlvs_that_are_cut_short(wrong: bytes) -> None:
    with pytest.raises(Malformed, match="a TLV"):
        list(tlvs(wrong))


def test_an_initiation_says_who_speaks() -> None:
    said = introduction(body(bmp.initiation("rr1", " BIRD 2.20\n", bmp.information(0, b"hello"))))
    assert said == ("rr1", "BIRD 2.20")
    assert said.text == "rr1, BIRD 2.20"
    assert said.oddities == Oddities()
    assert introduction(b"").text == "a speaker without a name"
    assert introduction(body(bmp.initiation("\ufffd"))).name == "\ufffd"


@pytest.mark.parametrize(
    ("name", "description", "oddities"),
    [
        ("r1", "FRRouting 8.4.4", FRR),
        ("GoBGP", "GoBGP 3.36", GOBGP),
        ("cilium", "Cilium v1.16", GOBGP),
        ("FRRouting", "a router", Oddities()),
    ],
)
def test_oddities_of_speakers_by_their_initiation(name: str, description: str, oddities: Oddities) -> None:
    assert introduction(body(bmp.initiation(name, description))).oddities == oddities


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"", "no reason given"),
        (bmp.information(1, b"\0\0"), "the administrator closed it"),
        (bmp.information(1, b"\0\x03"), "redundant connection"),
        (bmp.information(1, b"\0\x63"), "reason 99"),
        (bmp.information(0, b"going home"), "going home"),
        (bmp.information(9, b"?"), "no reason given"),
    ],
)
def test_why_a_speaker_ends_the_connection(said: bytes, text: str) -> None:
    assert termination_text(said) == text


def test_counters_of_a_statistics_report() -> None:
    report = body(PEER.statistics(bmp.counter(0, 4), bmp.counter(7, 5), bmp.family_counter(9, bmp.IPV6, 6)))
    assert statistics(report) == [
        (0, struct.pack(">I", 4)),
        (7, struct.pack(">Q", 5)),
        (9, b"\0\x02\x01" + struct.pack(">Q", 6)),
    ]
    with pytest.raises(Malformed, match="without a count"):
        statistics(report[:45])
    with pytest.raises(Malformed, match="a TLV"):
        statistics(report[:-1])
