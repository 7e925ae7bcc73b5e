"""How netlink messages and attributes are laid out.

Names and numbers as in linux/netlink.h and linux/rtnetlink.h.
"""

import struct
from collections.abc import Iterator

Buffer = bytes | bytearray | memoryview

NLMSG_NOOP = 1
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSG_OVERRUN = 4

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_DUMP = 0x300

NLMSGERR_ATTR_MSG = 1

RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26

RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RTA_PRIORITY = 6
RTA_PREFSRC = 7
RTA_METRICS = 8
RTA_MULTIPATH = 9
RTA_CACHEINFO = 12
RTA_TABLE = 15
RTA_VIA = 18
RTA_PREF = 20
RTA_NH_ID = 30
NLA_TYPE_MASK = 0x3FFF

RTN_UNSPEC = 0
RTN_UNICAST = 1
RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
RT_SCOPE_NOWHERE = 255
RTM_F_CLONED = 0x200
RTNH_F_DEAD = 1
RTNH_F_ONLINK = 4
RTNH_F_LINKDOWN = 16

HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port id."""
ROUTE = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags."""
ATTRIBUTE = struct.Struct("=HH")
"""struct rtattr: length with header, type."""
NEXT_HOP = struct.Struct("=HBBi")
"""struct rtnexthop: length with attributes, flags, weight minus one, link index."""
U32 = struct.Struct("=I")
S32 = struct.Struct("=i")
U16 = struct.Struct("=H")

ROUTE_AT = HEADER.size
ATTRIBUTES_AT = HEADER.size + ROUTE.size


class CodecError(ValueError):
    """A netlink message is cut short or contradicts itself."""


def aligned(length: int) -> int:
    """Return *length* rounded up to the next multiple of four (NLMSG_ALIGN, RTA_ALIGN)."""
    return (length + 3) & ~3


def attribute(kind: int, payload: bytes) -> bytes:
    """Return one attribute, padded."""
    length = ATTRIBUTE.size + len(payload)
    return ATTRIBUTE.pack(length, kind) + payload + bytes(aligned(length) - length)


def messages(buffer: memoryview) -> Iterator[tuple[int, int, int, int, int, memoryview]]:
    """Yield (type, flags, sequence, port id, offset, whole message) of each message in *buffer*.

    Raises CodecError where a length does not fit.
    """
    offset, end = 0, len(buffer)
    while offset < end:
        length, kind, flags, sequence, port = header_at(buffer, offset)
        yield kind, flags, sequence, port, offset, buffer[offset : offset + length]
        offset += aligned(length)


def header_at(buffer: memoryview, offset: int) -> tuple[int, int, int, int, int]:
    """Return length, type, flags, sequence and port id of the message at *offset*; raises CodecError."""
    room = len(buffer) - offset
    if room < HEADER.size:
        raise CodecError(f"{room} octets are too few for a netlink header")
    length, kind, flags, sequence, port = HEADER.unpack_from(buffer, offset)
    if not HEADER.size <= length <= room:
        raise CodecError(f"a netlink message of type {kind} claims {length} octets where {room} are left")
    return length, kind, flags, sequence, port


def attributes(buffer: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield (type, payload) of each attribute in *buffer*; raises CodecError where a length does not fit."""
    offset, end = 0, len(buffer)
    while end - offset >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(buffer, offset)
        if not ATTRIBUTE.size <= length <= end - offset:
            raise CodecError(f"attribute {kind} claims {length} octets where {end - offset} are left")
        yield kind & NLA_TYPE_MASK, buffer[offset + ATTRIBUTE.size : offset + length]
        offset += aligned(length)
    if offset < end:
        raise CodecError(f"{end - offset} octets are left over after the last attribute")


def u32(payload: memoryview, name: str) -> int:
    """Return a 32-bit unsigned attribute; raises CodecError if it has another size."""
    if len(payload) != U32.size:
        raise CodecError(f"{name} has {len(payload)} octets instead of 4")
    return int(U32.unpack(payload)[0])
