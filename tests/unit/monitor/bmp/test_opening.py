"""What two OPEN messages agree on."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.bmp.opening import Agreement, Opening, agree, read_open
from monitor.bmp.wire import Malformed
from programmer.route import Family
from tests.support import bmp

ROUTER = "10.255.0.1"
BOTH = (bmp.multiprotocol(bmp.IPV4), bmp.multiprotocol(bmp.IPV6))


def read(*capabilities: bytes, asn: int = 65001, apart: bool = False, extended: int | None = None) -> Opening:
    return read_open(bmp.open_message(asn, ROUTER, *capabilities, apart=apart, extended=extended))


def agreement(sent: tuple[bytes, ...], received: tuple[bytes, ...]) -> Agreement:
    """What a speaker in AS 65000 agrees on with its peer in AS 65001."""
    return agree(read_open(bmp.open_message(65000, "10.255.0.254", *sent)), read(*received))


def test_an_open_without_capabilities_speaks_ipv4_alone() -> None:
    opening = read()
    assert (opening.asn, opening.hold_time, opening.router_id) == (65001, 90, b"\x0a\xff\0\x01")
    assert opening.families == {Family.IPV4}
    assert not opening.four_octet_as
    assert not opening.graceful


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("extended", [None, 255])
def test_capabilities_in_every_packing(apart: bool, extended: int | None) -> None:
    opening = read(
        *BOTH,
        bmp.four_octet_as(4_200_000_001),
        bmp.add_path({bmp.IPV4: 3, bmp.IPV6: 1, bmp.VPN_IPV4: 3}),
        bmp.graceful_restart(120, bmp.IPV4, bmp.VPN_IPV4, notifications=True),
        bmp.capability(2),
        asn=4_200_000_001,
        apart=apart,
        extended=extended,
    )
    assert opening.asn == 4_200_000_001
    assert opening.four_octet_as
    assert opening.families == {Family.IPV4, Family.IPV6}
    assert opening.add_path == {Family.IPV4: 3, Family.IPV6: 1}
    assert (opening.graceful, opening.restart_time, opening.notifications) == (True, 120, True)
    assert opening.kept == {Family.IPV4}


@pytest.mark.parametrize("length", [254, 1, 12])
def test_the_short_length_does_not_matter_where_the_long_format_is_used(length: int) -> None:
    """RFC 9072 section 2: it MUST be ignored once the type says that the format is the long one."""
    assert read(*BOTH, bmp.four_octet_as(65001), extended=length).families == {Family.IPV4, Family.IPV6}


def test_parameters_may_be_longer_than_255_octets() -> None:
    padding = [bmp.capability(200, bytes(200)) for _ in range(3)]
    assert read(*padding, *BOTH, apart=True, extended=255).families == {Family.IPV4, Family.IPV6}


def test_one_that_names_only_families_unknown_to_us_speaks_none_of_ours() -> None:
    assert read(bmp.multiprotocol(bmp.VPN_IPV4)).families == set()


@pytest.mark.parametrize(
    "odd",
    [
        bmp.capability(1, b"\0\x02\0"),
        bmp.capability(65, b"\0\1"),
        bmp.capability(64, b"\0"),
        bmp.capability(69, b"\0\1\1"),
    ],
)
def test_capabilities_of_another_length_are_as_if_not_there(odd: bytes) -> None:
    opening = read(odd)
    assert opening.families == {Family.IPV4}
    assert (opening.four_octet_as, opening.graceful, opening.add_path) == (False, False, {})


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_an_open_that_is_cut_short(cut: int) -> None:
    with pytest.raises(Malformed, match="cut short"):
        read_open(bmp.open_message(65001, ROUTER, *BOTH)[:-cut])


@pytest.mark.parametrize(
    "parameters",
    [b"\x02", b"\x02\x05\x01", b"\x02\x02\x01\x04", b"\x02\x01\x01"],
    ids=["no-length", "parameter", "capability", "capability-without-length"],
)
def test_lengths_inside_an_open_that_do_not_fit(parameters: bytes) -> None:
    content = b"\x04\xfd\xe9\0\x5a\x0a\xff\0\x01" + bytes((len(parameters),)) + parameters
    with pytest.raises(Malformed, match="cut short"):
        read_open(bmp.bgp(1, content))


def test_a_long_format_that_is_cut_short() -> None:
    with pytest.raises(Malformed, match="cut short"):
        read_open(bmp.bgp(1, b"\x04\xfd\xe9\0\x5a\x0a\xff\0\x01\xff\xff"))


def test_unknown_parameters_are_passed_over() -> None:
    parameters = b"\x01\x02ab" + b"\x02\x06" + bmp.multiprotocol(bmp.IPV6)
    content = b"\x04\xfd\xe9\0\x5a\x0a\xff\0\x01" + bytes((len(parameters),)) + parameters
    assert read_open(bmp.bgp(1, content)).families == {Family.IPV6}


@given(st.binary(min_size=10, max_size=80))
def test_no_content_of_an_open_is_an_error_of_ours(content: bytes) -> None:
    with contextlib.suppress(Malformed):
        read_open(bmp.bgp(1, content))


# Agreements


def test_families_that_both_speak() -> None:
    agreed = agreement(BOTH, (bmp.multiprotocol(bmp.IPV6), bmp.multiprotocol(bmp.VPN_IPV4)))
    assert agreed.families == {Family.IPV6}
    assert (agreed.asn, agreed.local_asn) == (65001, 65000)
    assert (agreed.router_id, agreed.local_router_id) == (b"\x0a\xff\0\x01", b"\x0a\xff\0\xfe")


@pytest.mark.parametrize(
    ("sent", "received", "used"),
    [(1, 2, True), (3, 3, True), (3, 2, True), (2, 1, False), (2, 2, False), (1, 1, False), (0, 3, False)],
)
def test_path_identifiers_come_where_the_peer_sends_and_the_speaker_receives(
    sent: int, received: int, used: bool
) -> None:
    agreed = agreement((*BOTH, bmp.add_path({bmp.IPV4: sent})), (*BOTH, bmp.add_path({bmp.IPV4: received})))
    assert agreed.add_path == ({Family.IPV4} if used else set())


def test_path_identifiers_of_a_family_that_is_not_spoken() -> None:
    modes = bmp.add_path({bmp.IPV4: 3, bmp.IPV6: 3})
    assert agreement((BOTH[0], modes), (BOTH[0], modes)).add_path == {Family.IPV4}


def test_four_octets_need_both() -> None:
    four = bmp.four_octet_as(65000)
    assert agreement((four,), (bmp.four_octet_as(65001),)).four_octet_as
    assert not agreement((four,), ()).four_octet_as
    assert not agreement((), (bmp.four_octet_as(65001),)).four_octet_as


def test_paths_outlive_a_session_in_the_families_that_the_peer_keeps() -> None:
    kept = bmp.graceful_restart(120, bmp.IPV4, notifications=True)
    agreed = agreement((*BOTH, bmp.graceful_restart(90, notifications=True)), (*BOTH, kept))
    assert agreed.retained == {Family.IPV4}
    assert (agreed.restart_time, agreed.notifications) == (120, True)


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ((), (bmp.graceful_restart(120, bmp.IPV4),)),
        ((bmp.graceful_restart(90, bmp.IPV4),), ()),
        ((bmp.graceful_restart(90, bmp.IPV4),), (bmp.graceful_restart(120),)),
        ((bmp.graceful_restart(90, bmp.IPV4),), (bmp.graceful_restart(0, bmp.IPV4),)),
        ((bmp.graceful_restart(90, bmp.IPV4),), (bmp.graceful_restart(120, bmp.IPV6),)),
    ],
    ids=["speaker-cannot", "peer-cannot", "no-family", "no-time", "another-family"],
)
def test_paths_do_not_outlive_a_session(sent: tuple[bytes, ...], received: tuple[bytes, ...]) -> None:
    assert agreement(sent, received).retained == frozenset()


def test_notifications_need_both() -> None:
    one, other = bmp.graceful_restart(90, notifications=True), bmp.graceful_restart(90, bmp.IPV4)
    assert not agreement((one,), (other,)).notifications
