"""What path attributes become, in both generations of the API."""

import struct
from ipaddress import ip_address

import pytest

from monitor.gobgp.attribute import decode_attributes
from monitor.gobgp.dialect import Dialect
from monitor.rib.attribute import Origin, SegmentType
from tests.unit.monitor.gobgp.messages import BOTH, as_path, attribute, extended

pytestmark = pytest.mark.parametrize("dialect", BOTH, ids=["v3", "v4"])


def octets(address: str) -> bytes:
    return ip_address(address).packed


def test_every_attribute_is_read(dialect: Dialect) -> None:
    message = dialect.messages
    decoded = decode_attributes(
        dialect,
        [
            attribute(dialect, "OriginAttribute", origin=0),
            attribute(
                dialect,
                "AsPathAttribute",
                segments=[
                    message.AsSegment(type=2, numbers=[64496, 4_200_000_000]),
                    message.AsSegment(type=1, numbers=[64497, 64498]),
                ],
            ),
            attribute(dialect, "NextHopAttribute", next_hop="192.0.2.9"),
            attribute(dialect, "MultiExitDiscAttribute", med=0),
            attribute(dialect, "LocalPrefAttribute", local_pref=200),
            attribute(dialect, "CommunitiesAttribute", communities=[0xFFFFFF01, 65001 << 16 | 7]),
            attribute(
                dialect,
                "LargeCommunitiesAttribute",
                communities=[message.LargeCommunity(global_admin=64496, local_data1=1, local_data2=2)],
            ),
            attribute(dialect, "OriginatorIdAttribute", id="203.0.113.7"),
            attribute(dialect, "ClusterListAttribute", ids=["203.0.113.1", "203.0.113.2"]),
        ],
    )
    held = decoded.attributes
    assert held.next_hop == octets("192.0.2.9")
    assert held.as_path == (
        (SegmentType.AS_SEQUENCE, (64496, 4_200_000_000)),
        (SegmentType.AS_SET, (64497, 64498)),
    )
    assert (held.origin, held.med, held.local_pref) == (Origin.IGP, 0, 200)
    assert held.communities == (0xFFFFFF01, 65001 << 16 | 7)
    assert held.large_communities == ((64496, 1, 2),)
    assert (held.originator_id, held.cluster_list_length) == (octets("203.0.113.7"), 2)
    assert (decoded.nameless, decoded.ignored) == (False, 0)


def test_what_is_absent_stays_absent(dialect: Dialect) -> None:
    held = decode_attributes(dialect, [as_path(dialect)]).attributes
    assert (held.med, held.local_pref, held.originator_id, held.communities) == (None, None, b"", ())
    assert held.next_hop == b""


@pytest.mark.parametrize(
    ("texts", "next_hop", "link_local", "nameless"),
    [
        (["2001:db8::1", "fe80::1"], "2001:db8::1", "fe80::1", False),
        (["2001:db8::1"], "2001:db8::1", "", False),
        (["::", "fe80::1"], "fe80::1", "", False),
        (["fe80::1", "fe80::1"], "fe80::1", "", False),
        (["fe80::1"], "fe80::1", "", False),
        (["::"], "::", "", True),
        ([], "", "", True),
        (["<nil>"], "", "", True),
        (["192.0.2.1"], "192.0.2.1", "", False),
    ],
)
def test_next_hops_of_mp_reach_are_sorted_by_kind(
    dialect: Dialect, texts: list[str], next_hop: str, link_local: str, nameless: bool
) -> None:
    decoded = decode_attributes(dialect, [attribute(dialect, "MpReachNLRIAttribute", next_hops=texts)])
    assert decoded.attributes.next_hop == (octets(next_hop) if next_hop else b"")
    assert decoded.attributes.link_local == (octets(link_local) if link_local else b"")
    assert decoded.nameless is nameless


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("TwoOctetAsSpecificExtended", {"is_transitive": True, "sub_type": 2, "asn": 65001, "local_admin": 9},
         struct.pack(">BBHI", 0, 2, 65001, 9)),
        ("IPv4AddressSpecificExtended",
         {"is_transitive": True, "sub_type": 2, "address": "192.0.2.1", "local_admin": 9},
         struct.pack(">BB4sH", 1, 2, octets("192.0.2.1"), 9)),
        ("FourOctetAsSpecificExtended", {"sub_type": 3, "asn": 4_200_000_000, "local_admin": 9},
         struct.pack(">BBIH", 0x42, 3, 4_200_000_000, 9)),
        ("LinkBandwidthExtended", {"asn": 65001, "bandwidth": 1.25e8},
         struct.pack(">BBHf", 0x40, 4, 65001, 1.25e8)),
        ("ColorExtended", {"color": 100}, struct.pack(">BBHI", 3, 11, 0, 100)),
        ("OpaqueExtended", {"is_transitive": True, "value": b"\x0c\0\0\0\0\0\x08"},
         b"\x03\x0c\0\0\0\0\0\x08"),
        ("UnknownExtended", {"type": 0x80, "value": b"1234567"}, b"\x801234567"),
    ],
)  # fmt: skip
def test_extended_communities_become_their_octets(
    dialect: Dialect, name: str, fields: dict[str, object], expected: bytes
) -> None:
    one = extended(dialect, name, **fields)
    held = decode_attributes(dialect, [attribute(dialect, "ExtendedCommunitiesAttribute", communities=[one])])
    assert held.attributes.extended_communities == (expected,)


def test_parts_that_make_no_sense_are_counted_and_left_out(dialect: Dialect) -> None:
    message = dialect.messages
    decoded = decode_attributes(
        dialect,
        [
            attribute(dialect, "OriginAttribute", origin=7),
            attribute(dialect, "AsPathAttribute", segments=[message.AsSegment(type=9, numbers=[1])]),
            attribute(
                dialect,
                "ExtendedCommunitiesAttribute",
                communities=[extended(dialect, "UnknownExtended", type=1, value=b"short")],
            ),
        ],
    )
    assert decoded.ignored == 3
    assert decoded.attributes.origin is Origin.INCOMPLETE
    assert decoded.attributes.as_path == ()
