"""An ICMP echo request is answered (RFC 792, RFC 4443 section 4)."""

import asyncio
import secrets
import socket
import struct
import time
from typing import NamedTuple

from monitor.change.probe import IcmpTarget
from monitor.probe.opener import Opener, Way
from programmer.route import Family

PAYLOAD_OCTETS = 56
"""As many as ping(8) sends; all random, so that no other program's request has the same."""

LONGEST_PACKET = 2048

_HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence number."""
_REQUEST = {Family.IPV4: 8, Family.IPV6: 128}
_REPLY = {Family.IPV4: 0, Family.IPV6: 129}


class Echo(NamedTuple):
    """One echo request: what comes back in the reply."""

    identifier: int
    sequence: int
    payload: bytes


async def ping(opener: Opener, target: IcmpTarget, way: Way) -> float:
    """Return the seconds between an echo request and its reply.

    Raises OSError with the kernel's reason (no route, an unreachable message from a router), FibError without the
    namespace.  Waits for ever where nothing answers: the caller has the deadline.
    """
    family = Family.IPV4 if target.address.version == 4 else Family.IPV6
    echo = Echo(secrets.randbits(16), secrets.randbits(16), secrets.token_bytes(PAYLOAD_OCTETS))
    loop = asyncio.get_running_loop()
    with await opener.echo(family, **way._asdict()) as opened:
        is_raw = opened.type == socket.SOCK_RAW
        # Only packets of the target come in; this neither sends nor waits.  The loop's own call would look up the address.
        opened.connect((str(target.address), 0))
        began = time.perf_counter()
        await loop.sock_sendall(opened, request(family, echo))
        while True:
            packet = await loop.sock_recv(opened, LONGEST_PACKET)
            ended = time.perf_counter()
            if is_reply(family, packet, echo, is_raw=is_raw):
                return ended - began


def request(family: Family, echo: Echo) -> bytes:
    """Return the ICMP message that asks.

    The kernel makes the checksum for ICMPv6, and writes its own identifier and checksum on a datagram socket.
    """
    message = _HEADER.pack(_REQUEST[family], 0, 0, echo.identifier, echo.sequence) + echo.payload
    if family is Family.IPV6:
        return message
    return _HEADER.pack(_REQUEST[family], 0, checksum(message), echo.identifier, echo.sequence) + echo.payload


def is_reply(family: Family, packet: bytes, echo: Echo, *, is_raw: bool) -> bool:
    """Say whether *packet*, as a socket gave it, is the reply to *echo*.

    A raw IPv4 socket gives the IP header too.  On a datagram socket the identifier is the kernel's, who has looked at it.
    """
    if is_raw and family is Family.IPV4:
        if not packet or packet[0] >> 4 != 4:
            return False
        packet = packet[(packet[0] & 0x0F) * 4 :]
    if len(packet) < _HEADER.size:
        return False
    kind, code, _, identifier, sequence = _HEADER.unpack_from(packet)
    if (kind, code, sequence) != (_REPLY[family], 0, echo.sequence):
        return False
    return packet[_HEADER.size :] == echo.payload and (not is_raw or identifier == echo.identifier)


def checksum(message: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of *message*; an odd octet at the end counts as followed by zero."""
    padded = message + b"\0" * (len(message) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
