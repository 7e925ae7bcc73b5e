"""What path messages become, in both generations of the API."""

from ipaddress import ip_address
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.gobgp.decode import Announced, Decoder, EndOfRib, Withdrawn, prefix_key
from monitor.gobgp.dialect import GENERATION_3, GENERATION_4, Dialect
from monitor.rib.attribute import AttributeTable, Rpki
from monitor.rib.path import PeerId
from programmer.route import Family, prefix_of
from tests.unit.monitor.gobgp.messages import (
    BOTH,
    IPV4_VPN,
    IPV6_EVPN,
    IPV6_UNICAST,
    as_path,
    attribute,
    nlri,
    path,
    vpn_nlri,
)

PEER = PeerId("fabric", "192.0.2.2")
either = pytest.mark.parametrize("dialect", BOTH, ids=["v3", "v4"])


def decoder(dialect: Dialect, table: AttributeTable | None = None) -> Decoder:
    def resolve(neighbor: str, router_id: str, asn: int) -> PeerId | None:
        return None if neighbor == "203.0.113.99" else PeerId("fabric", neighbor)

    return Decoder(dialect, table if table is not None else AttributeTable(), resolve)


def announced(dialect: Dialect, **fields: Any) -> Announced:
    heard = decoder(dialect).decode(path(dialect, **fields))
    assert isinstance(heard, Announced)
    return heard


@either
def test_an_announcement_has_prefix_peer_time_and_attributes(dialect: Dialect) -> None:
    heard = announced(dialect, identifier=5, stale=True)
    assert (heard.family, heard.key) == (Family.IPV4, b"\x18\xc6\x33\x64")
    assert (heard.path.peer, heard.path.path_id, heard.path.stale) == (PEER, 5, True)
    assert heard.path.received_at == 1_700_000_000
    assert heard.path.attributes.next_hop == ip_address("192.0.2.2").packed
    assert heard.path.attributes.as_path_text == "65001"


@either
@pytest.mark.parametrize(
    ("length", "network", "family", "key"),
    [
        (0, "0.0.0.0", Family.IPV4, b"\x00"),
        (32, "192.0.2.1", Family.IPV4, b"\x20\xc0\x00\x02\x01"),
        (20, "10.1.255.0", Family.IPV4, b"\x14\x0a\x01\xf0"),
        (0, "::", Family.IPV6, b"\x00"),
        (33, "2001:db8:8000::", Family.IPV6, b"\x21\x20\x01\x0d\xb8\x80"),
    ],
)
def test_prefixes_of_every_length(dialect: Dialect, length: int, network: str, family: Family, key: bytes) -> None:
    octets = IPV6_UNICAST if family is Family.IPV6 else path(dialect).family
    heard = announced(dialect, nlri=nlri(dialect, length, network), family=octets)
    assert (heard.family, heard.key) == (family, key)


@either
def test_equal_attribute_sets_are_one_object(dialect: Dialect) -> None:
    table = AttributeTable()
    one, other = decoder(dialect, table), decoder(dialect, table)
    first, again = one.decode(path(dialect)), one.decode(path(dialect, nlri=nlri(dialect, 8, "10.0.0.0")))
    elsewhere = other.decode(path(dialect))
    assert isinstance(first, Announced)
    assert isinstance(again, Announced)
    assert isinstance(elsewhere, Announced)
    assert first.path.attributes is again.path.attributes is elsewhere.path.attributes
    assert len(table) == 1


@either
def test_a_withdrawal_by_the_peer_has_no_attributes(dialect: Dialect) -> None:
    heard = decoder(dialect).decode(path(dialect, pattrs=[], is_withdraw=True, identifier=3))
    assert heard == Withdrawn(Family.IPV4, b"\x18\xc6\x33\x64", PEER, 3, None)


@either
def test_a_withdrawal_by_a_peer_in_a_vrf_has_too_few_to_be_a_path(dialect: Dialect) -> None:
    blobs = [attribute(dialect, "MpReachNLRIAttribute", next_hops=["0.0.0.0"]), as_path(dialect)]
    message = path(dialect, nlri=vpn_nlri(dialect, 16, "10.9.0.0"), family=IPV4_VPN, pattrs=blobs, is_withdraw=True)
    heard = decoder(dialect).decode(message)
    assert heard == Withdrawn(Family.IPV4, b"\x10\x0a\x09", PEER, 0, None)


@either
def test_a_withdrawal_by_the_speaker_keeps_what_the_path_was(dialect: Dialect) -> None:
    heard = decoder(dialect).decode(path(dialect, is_withdraw=True))
    assert isinstance(heard, Withdrawn)
    assert heard.path is not None
    assert heard.path.attributes.as_path_text == "65001"


@either
def test_a_path_without_prefix_and_attributes_is_an_end_of_rib(dialect: Dialect) -> None:
    heard = decoder(dialect).decode(path(dialect, nlri=b"", pattrs=[], family=IPV6_UNICAST))
    assert heard == EndOfRib(PEER, Family.IPV6)


@either
def test_an_unnumbered_session_names_its_next_hop_by_the_neighbor(dialect: Dialect) -> None:
    table = AttributeTable()
    unnamed = [attribute(dialect, "MpReachNLRIAttribute", next_hops=["::"])]
    one = decoder(dialect, table).decode(path(dialect, pattrs=unnamed, neighbor_ip="fe80::2%eth1"))
    other = decoder(dialect, table).decode(path(dialect, pattrs=unnamed, neighbor_ip="fe80::3"))
    assert isinstance(one, Announced)
    assert isinstance(other, Announced)
    assert one.path.attributes.next_hop == ip_address("fe80::2").packed
    assert other.path.attributes.next_hop == ip_address("fe80::3").packed


@either
def test_an_unspecified_next_hop_from_a_global_neighbor_stays_unspecified(dialect: Dialect) -> None:
    unnamed = [attribute(dialect, "MpReachNLRIAttribute", next_hops=["::"])]
    assert announced(dialect, pattrs=unnamed).path.attributes.next_hop == bytes(16)


@either
def test_an_ipv4_prefix_may_have_an_ipv6_next_hop(dialect: Dialect) -> None:
    blobs = [attribute(dialect, "MpReachNLRIAttribute", next_hops=["2001:db8::2", "fe80::2"])]
    held = announced(dialect, pattrs=blobs).path.attributes
    assert held.next_hop == ip_address("2001:db8::2").packed
    assert held.link_local == ip_address("fe80::2").packed


@either
def test_prefixes_of_a_vrf_are_read_as_plain_ones(dialect: Dialect) -> None:
    heard = announced(dialect, nlri=vpn_nlri(dialect, 16, "10.9.0.0"), family=IPV4_VPN)
    assert (heard.family, heard.key) == (Family.IPV4, b"\x10\x0a\x09")


@pytest.mark.parametrize(
    ("dialect", "value", "expected"),
    [(GENERATION_3, 2, Rpki.VALID), (GENERATION_4, 3, Rpki.VALID), (GENERATION_4, 0, Rpki.NONE)],
)
def test_validation_states_differ_by_one(dialect: Dialect, value: int, expected: Rpki) -> None:
    heard = announced(dialect, validation=dialect.messages.Validation(state=value))
    assert heard.path.rpki is expected


@either
@pytest.mark.parametrize(
    ("cause", "fields"),
    [
        ("local", {"neighbor_ip": "<nil>"}),
        ("local", {"neighbor_ip": ""}),
        ("local", {"neighbor_ip": "invalid IP"}),
        ("family", {"family": IPV6_EVPN}),
        ("peer", {"neighbor_ip": "203.0.113.99"}),
        ("malformed", {"nlri": b"\xff\xff\xff"}),
        ("malformed", {"pattrs": [b"\xff\xff\xff"]}),
        ("malformed", {"pattrs": []}),
    ],
)
def test_what_is_not_ours_is_counted_by_cause(dialect: Dialect, cause: str, fields: dict[str, Any]) -> None:
    reader = decoder(dialect)
    assert reader.decode(path(dialect, **fields)) is None
    assert {name: count for name, count in reader.ignored.items() if count} == {cause: 1}


@either
@pytest.mark.parametrize(("length", "network"), [(33, "10.0.0.0"), (24, "10.0.0"), (24, "2001:db8::"), (24, "")])
def test_a_prefix_that_cannot_be_is_malformed(dialect: Dialect, length: int, network: str) -> None:
    reader = decoder(dialect)
    assert reader.decode(path(dialect, nlri=nlri(dialect, length, network))) is None
    assert reader.ignored["malformed"] == 1


@given(st.integers(0, 32), st.ip_addresses(v=4))
def test_keys_clear_host_bits_and_read_back(length: int, address: Any) -> None:
    key = prefix_key(Family.IPV4, length, str(address))
    assert address in prefix_of(Family.IPV4, key)
    assert prefix_of(Family.IPV4, key).prefixlen == length


@given(data=st.data())
@settings(max_examples=200)
def test_no_octets_whatever_break_the_decoder(data: st.DataObject) -> None:
    dialect = data.draw(st.sampled_from(BOTH))
    whole = path(dialect, is_withdraw=data.draw(st.booleans())).SerializeToString()
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:position] + data.draw(st.binary(max_size=6)) + whole[position + 1 :]
    fields = {
        "nlri": data.draw(st.binary(max_size=60)),
        "pattrs": data.draw(st.lists(st.binary(max_size=30))),
    }
    reader = decoder(dialect)
    heard = [reader.decode(path(dialect, **fields))]
    try:
        message = dialect.messages.Path.FromString(damaged)
    except DecodeError:
        return
    heard.append(reader.decode(message))
    for one in heard:
        assert one is None or isinstance(one, Announced | Withdrawn | EndOfRib)
