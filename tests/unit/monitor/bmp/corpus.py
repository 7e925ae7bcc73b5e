"""Valid streams of BMP that fuzzing begins with, and how a stream is heard."""

from dataclasses import replace
from ipaddress import ip_address

from monitor.bmp.session import Clocks, Conversation, Terms
from monitor.bmp.speaker import FRR, GOBGP, Oddities
from monitor.bmp.update import UpdateDecoder
from monitor.bmp.wire import Framer, Malformed
from monitor.rib.attribute import AttributeTable
from monitor.rib.update import Update
from tests.support import bmp

_MODES = bmp.add_path({bmp.IPV4: 3, bmp.IPV6: 3})
_KEPT = bmp.graceful_restart(120, bmp.IPV4, bmp.IPV6, notifications=True)

PLAIN = bmp.Monitored()
BOTH = bmp.Monitored(
    address="2001:db8::2", local_address="2001:db8::1", asn=4_200_000_001, families=(bmp.IPV4, bmp.IPV6),
    sent=(_KEPT,), received=(_KEPT,),
)  # fmt: skip
MANY_PATHS = bmp.Monitored(address="192.0.2.4", families=(bmp.IPV4, bmp.IPV6), sent=(_MODES,), received=(_MODES,))
NARROW = bmp.Monitored(address="192.0.2.5", wide=False)
LINK_LOCAL = bmp.Monitored(address="fe80::1", local_address="fe80::2", families=(bmp.IPV6,))
LOC_RIB = bmp.Monitored(address="0.0.0.0", kind=3)

_HOPS = ip_address("2001:db8::9").packed + ip_address("fe80::9").packed
_EVERYTHING = bmp.usual(
    bmp.number(4, 10),
    bmp.number(5, 200),
    bmp.attribute(6),
    bmp.attribute(7, bytes(8)),
    bmp.communities(0xFFFF0006, 1),
    bmp.attribute(9, b"\x0a\0\0\x01"),
    bmp.attribute(10, bytes(8)),
    bmp.attribute(16, bytes(8)),
    bmp.attribute(32, bytes(12)),
    bmp.attribute(99, b"?"),
    bmp.mp_unreach(bmp.IPV6, bmp.nlri("2001:db8:1::/48", "::/0")),
    bmp.mp_reach(bmp.IPV6, _HOPS, bmp.nlri("2001:db8:2::/47", "2001:db8::1/128")),
    path=bmp.as_path(bmp.segment(3, 65010), bmp.segment(2, 65001, 65002), bmp.segment(1, 1, 2)),
)
_NARROW_PATH = bmp.usual(bmp.attribute(17, bmp.segment(2, 4_200_000_001)), path=bmp.sequence(65001, 23456, size=2))
_WITH_IDS = bmp.usual(bmp.mp_reach(bmp.IPV6, _HOPS, bmp.nlri((1, "::/0"), (2, "2001:db8::/33"))))

MESSAGES = (
    bmp.initiation(),
    bmp.initiation("GoBGP", "a router", bmp.information(0, b"hello")),
    PLAIN.up(1),
    PLAIN.announce("10.0.0.0/8", "192.0.2.1/32", "0.0.0.0/0", seconds=1_699_999_000),
    PLAIN.announce("10.0.0.0/9", flags=bmp.L_FLAG),
    PLAIN.routes(bmp.update(bmp.nlri("10.0.0.0/8"), _EVERYTHING, bmp.nlri("10.1.0.0/16"))),
    PLAIN.routes(bmp.update(attributes=_NARROW_PATH, prefixes=bmp.nlri("10.2.0.0/15")), flags=bmp.A_FLAG),
    PLAIN.mark(),
    PLAIN.statistics(bmp.counter(0, 1), bmp.counter(7, 3), bmp.family_counter(9, bmp.IPV4, 3)),
    PLAIN.down(1, bmp.notification(6, 2, bmp.shutdown_words("maintenance"))),
    PLAIN.down(2, b"\0\x12"),
    PLAIN.down(3, router_id="0.0.0.0"),
    PLAIN.down(5),
    BOTH.up(),
    BOTH.routes(bmp.update(attributes=_EVERYTHING)),
    BOTH.mark(bmp.IPV6),
    BOTH.statistics(bmp.counter(7, 3)),
    BOTH.down(4),
    replace(BOTH, router_id="10.9.9.9").up(5),
    MANY_PATHS.up(),
    MANY_PATHS.routes(bmp.update(bmp.nlri((1, "10.0.0.0/8")), _WITH_IDS, bmp.nlri((7, "10.0.0.0/8")))),
    NARROW.up(),
    NARROW.routes(bmp.update(attributes=_NARROW_PATH, prefixes=bmp.nlri("10.0.0.0/8"))),
    LINK_LOCAL.up(),
    LINK_LOCAL.routes(bmp.update(attributes=_EVERYTHING)),
    replace(LINK_LOCAL, router_id="10.255.0.9").up(),
    LINK_LOCAL.down(3, router_id="0.0.0.0"),
    LOC_RIB.up(),
    LOC_RIB.announce("10.0.0.0/8"),
    bmp.message(bmp.MIRROR, PLAIN.header()),
    bmp.message(77, b"?"),
    bmp.termination(bmp.information(0, b"bye"), bmp.information(1, b"\0\x02")),
)
"""Messages of all kinds, in an order in which a speaker might say them."""

TERMS = tuple(
    Terms("rr1", post, 30.0, local, oddities)
    for post in (False, True)
    for local in (False, True)
    for oddities in (Oddities(), FRR, GOBGP)
)


def hear(stream: bytes, terms: Terms = TERMS[0]) -> tuple[list[Update], bool]:
    """Hear a stream with the clock going on; return what was told, and whether the stream was believed to its end."""
    told: list[Update] = []
    now = 0.0
    conversation = Conversation(
        terms,
        Clocks(lambda: 1000.0 + now, lambda: 1_700_000_000.0 + now),
        UpdateDecoder(AttributeTable()),
        told.append,
        {},
    )
    try:
        for kind, body in Framer().feed(stream):
            conversation.hear(kind, body)
            now += 0.7
            conversation.tick()
        for _ in range(8):
            now += 60.0
            conversation.tick()
    except Malformed:
        return told, False
    return told, True
