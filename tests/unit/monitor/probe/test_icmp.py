"""Echo requests and what counts as their reply."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.probe.icmp import Echo, checksum, is_reply, request
from programmer.route import Family

ECHO = Echo(0x1234, 0x5678, bytes(range(56)))
IP_HEADER = b"\x45" + bytes(19)
IP_HEADER_WITH_OPTIONS = b"\x46" + bytes(23)


def reply(family: Family, echo: Echo = ECHO, code: int = 0) -> bytes:
    kind = 0 if family is Family.IPV4 else 129
    return struct.pack("!BBHHH", kind, code, 0xBEEF, echo.identifier, echo.sequence) + echo.payload


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert checksum(b"") == 0xFFFF


@given(st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=65))
def test_a_request_with_its_checksum_sums_up_to_nothing(identifier: int, sequence: int, payload: bytes) -> None:
    assert checksum(request(Family.IPV4, Echo(identifier, sequence, payload))) == 0


def test_a_request_says_what_it_is() -> None:
    assert request(Family.IPV4, ECHO)[:2] == b"\x08\x00"
    assert request(Family.IPV6, ECHO)[:8] == b"\x80\x00\x00\x00\x12\x34\x56\x78"


@pytest.mark.parametrize("header", [IP_HEADER, IP_HEADER_WITH_OPTIONS])
def test_a_raw_ipv4_reply_stands_behind_its_ip_header(header: bytes) -> None:
    assert is_reply(Family.IPV4, header + reply(Family.IPV4), ECHO, is_raw=True)
    assert not is_reply(Family.IPV4, reply(Family.IPV4), ECHO, is_raw=True)


def test_other_replies_have_no_ip_header() -> None:
    assert is_reply(Family.IPV6, reply(Family.IPV6), ECHO, is_raw=True)
    assert is_reply(Family.IPV6, reply(Family.IPV6), ECHO, is_raw=False)
    assert is_reply(Family.IPV4, reply(Family.IPV4), ECHO, is_raw=False)


def test_the_kernel_chooses_the_identifier_of_a_datagram_socket() -> None:
    other = ECHO._replace(identifier=1)
    assert is_reply(Family.IPV6, reply(Family.IPV6, other), ECHO, is_raw=False)
    assert not is_reply(Family.IPV6, reply(Family.IPV6, other), ECHO, is_raw=True)


@pytest.mark.parametrize(
    "other", [ECHO._replace(sequence=1), ECHO._replace(payload=ECHO.payload[:-1]), ECHO._replace(payload=bytes(56))]
)
@pytest.mark.parametrize("is_raw", [False, True])
def test_the_reply_to_another_request_is_not_ours(other: Echo, is_raw: bool) -> None:
    assert not is_reply(Family.IPV6, reply(Family.IPV6, other), ECHO, is_raw=is_raw)


def test_another_message_is_no_reply() -> None:
    assert not is_reply(Family.IPV6, request(Family.IPV6, ECHO), ECHO, is_raw=True)
    assert not is_reply(Family.IPV6, reply(Family.IPV6, code=1), ECHO, is_raw=True)
    assert not is_reply(Family.IPV4, reply(Family.IPV6), ECHO, is_raw=False)


@given(st.binary(max_size=80), st.sampled_from(Family), st.booleans())
def test_no_octets_upset_it(packet: bytes, family: Family, is_raw: bool) -> None:
    assert not is_reply(family, packet, ECHO, is_raw=is_raw)
