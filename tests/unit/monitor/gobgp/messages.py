"""Paths as GoBGP encodes them, made by hand for both generations."""

from typing import Any

from monitor.gobgp._pb import v3_pb2, v4_pb2
from monitor.gobgp.dialect import GENERATION_3, GENERATION_4, Dialect

BOTH = (GENERATION_3, GENERATION_4)

IPV4_UNICAST = b"\x08\x01\x10\x01"
IPV6_UNICAST = b"\x08\x02\x10\x01"
IPV4_VPN = b"\x08\x01\x10\x80\x01"
IPV6_EVPN = b"\x08\x19\x10\x46"

_V4_FIELDS = {
    "OriginAttribute": "origin",
    "AsPathAttribute": "as_path",
    "NextHopAttribute": "next_hop",
    "MultiExitDiscAttribute": "multi_exit_disc",
    "LocalPrefAttribute": "local_pref",
    "CommunitiesAttribute": "communities",
    "OriginatorIdAttribute": "originator_id",
    "ClusterListAttribute": "cluster_list",
    "MpReachNLRIAttribute": "mp_reach",
    "ExtendedCommunitiesAttribute": "extended_communities",
    "LargeCommunitiesAttribute": "large_communities",
}

_V4_EXTENDED = {
    "TwoOctetAsSpecificExtended": "two_octet_as_specific",
    "IPv4AddressSpecificExtended": "ipv4_address_specific",
    "FourOctetAsSpecificExtended": "four_octet_as_specific",
    "LinkBandwidthExtended": "link_bandwidth",
    "ColorExtended": "color",
    "OpaqueExtended": "opaque",
    "UnknownExtended": "unknown",
}


def boxed(name: str, message: Any) -> bytes:
    """A message as generation 3 sends it: google.protobuf.Any."""
    box = v3_pb2.Packed(type_url=f"type.googleapis.com/apipb.{name}", value=message.SerializeToString())
    return box.SerializeToString()


def attribute(dialect: Dialect, name: str, **fields: Any) -> bytes:
    """One encoded path attribute."""
    message = getattr(dialect.messages, name)(**fields)
    if dialect.generation == 3:
        return boxed(name, message)
    return v4_pb2.Attribute(**{_V4_FIELDS[name]: message}).SerializeToString()


def nlri(dialect: Dialect, length: int, network: str) -> bytes:
    """An encoded plain prefix."""
    message = dialect.messages.IPAddressPrefix(prefix_len=length, prefix=network)
    if dialect.generation == 3:
        return boxed("IPAddressPrefix", message)
    return v4_pb2.NLRI(prefix=message).SerializeToString()


def vpn_nlri(dialect: Dialect, length: int, network: str) -> bytes:
    """An encoded prefix of a VRF."""
    message = dialect.messages.LabeledVPNIPAddressPrefix(prefix_len=length, prefix=network)
    if dialect.generation == 3:
        return boxed("LabeledVPNIPAddressPrefix", message)
    return v4_pb2.NLRI(labeled_vpn_ip_prefix=message).SerializeToString()


def as_path(dialect: Dialect, *numbers: int) -> bytes:
    """An AS_PATH of one sequence."""
    segment = dialect.messages.AsSegment(type=2, numbers=numbers)
    return attribute(dialect, "AsPathAttribute", segments=[segment])


def extended(dialect: Dialect, name: str, **fields: Any) -> Any:
    """One extended community."""
    message = getattr(dialect.messages, name)(**fields)
    if dialect.generation == 3:
        return v3_pb2.Packed(type_url=f"type.googleapis.com/apipb.{name}", value=message.SerializeToString())
    return v4_pb2.ExtendedCommunity(**{_V4_EXTENDED[name]: message})


def path(dialect: Dialect, **fields: Any) -> Any:
    """A path message from 192.0.2.2 (AS 65001), a /24 with a next hop unless told otherwise."""
    plain: dict[str, Any] = {
        "nlri": nlri(dialect, 24, "198.51.100.0"),
        "pattrs": [
            attribute(dialect, "OriginAttribute", origin=0),
            as_path(dialect, 65001),
            attribute(dialect, "NextHopAttribute", next_hop="192.0.2.2"),
        ],
        "family": IPV4_UNICAST,
        "neighbor_ip": "192.0.2.2",
        "source_id": "192.0.2.2",
        "source_asn": 65001,
        "age": dialect.messages.Timestamp(seconds=1_700_000_000),
    }
    return dialect.messages.Path(**(plain | fields))
