"""Path attributes on the wire, and malformed ones (RFC 7606)."""

from ipaddress import ip_address

import pytest

from monitor.bmp.attribute import Context, Told, Unusable, read
from monitor.rib.attribute import Origin, PathAttributes
from tests.support import bmp

ROUTER_ID = b"\x0a\xff\0\xfe"
EXTERNAL = Context(65000, ROUTER_ID, external=True, wide=True, post=False)
INTERNAL = EXTERNAL._replace(external=False)
POST = EXTERNAL._replace(post=True)
NARROW = EXTERNAL._replace(wide=False)

HOP = ip_address("192.0.2.2").packed
GLOBAL = ip_address("2001:db8::2").packed
LINK_LOCAL = ip_address("fe80::2").packed
PEER_LINK_LOCAL = ip_address("fe80::99").packed
UNSPECIFIED = bytes(16)

NEW = 4_200_000_001
OTHER_NEW = 4_200_000_002
TRANS = 23456


def told(attributes: bytes, context: Context = EXTERNAL, hop: bytes | None = None) -> Told:
    return read(attributes, hop, context)


def attributes(*more: bytes, context: Context = EXTERNAL) -> PathAttributes:
    """What the usual attributes and *more* are read as."""
    return told(bmp.usual(*more), context).attributes


def path_text(path: bytes, *more: bytes, context: Context = EXTERNAL) -> str:
    return told(bmp.usual(*more, path=path), context).attributes.as_path_text


def test_everything_is_read() -> None:
    found = attributes(
        bmp.number(4, 10),
        bmp.number(5, 200),
        bmp.attribute(6),
        bmp.attribute(7, bytes(8)),
        bmp.communities(0xFFFF0000, 65001 << 16 | 5),
        bmp.attribute(9, b"\x0a\0\0\x01"),
        bmp.attribute(10, b"\x0a\0\0\x02\x0a\0\0\x03"),
        bmp.attribute(16, b"\0\x02\xfd\xe9\0\0\0\x01"),
        bmp.attribute(32, b"\0\0\0\x01\0\0\0\x02\0\0\0\x03"),
        context=INTERNAL,
    )
    assert found.identity == (
        HOP,
        b"",
        ((2, (65001,)),),
        Origin.IGP,
        10,
        200,
        (0xFFFF0000, 65001 << 16 | 5),
        ((1, 2, 3),),
        (b"\0\x02\xfd\xe9\0\0\0\x01",),
        b"\x0a\0\0\x01",
        2,
    )


@pytest.mark.parametrize("origin", list(Origin))
def test_origins(origin: Origin) -> None:
    data = bmp.origin(origin) + bmp.sequence(65001) + bmp.next_hop("192.0.2.2")
    assert told(data).attributes.origin is origin


def test_the_order_of_attributes_does_not_matter() -> None:
    data = bmp.next_hop("192.0.2.2") + bmp.number(4, 1) + bmp.sequence(65001) + bmp.origin()
    assert told(data).attributes.identity == attributes(bmp.number(4, 1)).identity


def test_long_lengths_are_read_whether_they_are_needed_or_not() -> None:
    short = bmp.attribute(8, b"\xff\xff\0\0", 0xC0 | bmp.EXTENDED_LENGTH)
    assert attributes(short).communities == (0xFFFF0000,)
    assert len(attributes(bmp.communities(*range(100))).communities) == 100


# Malformed: counts as withdrawn

WITHDRAWN = {
    "origin-length-0": bmp.attribute(1) + bmp.sequence(65001) + bmp.next_hop("192.0.2.2"),
    "origin-length-2": bmp.attribute(1, b"\0\0") + bmp.sequence(65001) + bmp.next_hop("192.0.2.2"),
    "origin-value": bmp.origin(3) + bmp.sequence(65001) + bmp.next_hop("192.0.2.2"),
    "no-origin": bmp.sequence(65001) + bmp.next_hop("192.0.2.2"),
    "no-as-path": bmp.origin() + bmp.next_hop("192.0.2.2"),
    "no-next-hop": bmp.usual(hop=None),
    "nothing": b"",
    "as-path-segment-type-0": bmp.usual(path=bmp.as_path(bmp.segment(0, 65001))),
    "as-path-segment-type-5": bmp.usual(path=bmp.as_path(bmp.segment(5, 65001))),
    "as-path-empty-segment": bmp.usual(path=bmp.as_path(bmp.segment(2))),
    "as-path-overrun": bmp.usual(path=bmp.as_path(b"\x02\x02\0\0\0\x01")),
    "as-path-underrun": bmp.usual(path=bmp.as_path(bmp.segment(2, 65001), b"\x02")),
    "next-hop-length": bmp.usual(bmp.attribute(3, HOP + b"\0"), hop=None),
    "next-hop-length-0": bmp.usual(bmp.attribute(3), hop=None),
    "next-hop-length-16": bmp.usual(bmp.attribute(3, GLOBAL), hop=None),
    "med-length": bmp.usual(bmp.attribute(4, b"\0\0\0")),
    "med-length-0": bmp.usual(bmp.attribute(4)),
    "communities-length": bmp.usual(bmp.attribute(8, bytes(6))),
    "communities-length-0": bmp.usual(bmp.attribute(8)),
    "extended-communities-length": bmp.usual(bmp.attribute(16, bytes(12))),
    "extended-communities-length-0": bmp.usual(bmp.attribute(16)),
    "large-communities-length": bmp.usual(bmp.attribute(32, bytes(16))),
    "large-communities-length-0": bmp.usual(bmp.attribute(32)),
    "unknown-well-known": bmp.usual(bmp.attribute(99, b"x", bmp.TRANSITIVE)),
    "cut-short": bmp.usual() + b"\x80",
    "cut-short-in-length": bmp.usual() + b"\x90\x04\0",
    "longer-than-what-is-left": bmp.usual(bmp.attribute(99, b"ab", length=3)),
}
"""What RFC 7606 section 7 has treated as a withdrawal, from any peer."""

WITHDRAWN_INTERNAL = {
    "local-pref-length": bmp.usual(bmp.attribute(5, b"\0\0\0\0\0")),
    "local-pref-length-0": bmp.usual(bmp.attribute(5)),
    "originator-length": bmp.usual(bmp.attribute(9, b"\x0a\0\0")),
    "originator-length-0": bmp.usual(bmp.attribute(9)),
    "clusters-length": bmp.usual(bmp.attribute(10, bytes(5))),
    "clusters-length-0": bmp.usual(bmp.attribute(10)),
}
"""The same from an internal peer; from an external one these attributes are left out."""


@pytest.mark.parametrize("context", [EXTERNAL, INTERNAL, POST], ids=["external", "internal", "post"])
@pytest.mark.parametrize("data", WITHDRAWN.values(), ids=WITHDRAWN)
def test_malformed_attributes_count_as_a_withdrawal(data: bytes, context: Context) -> None:
    with pytest.raises(Unusable):
        told(data, context)


@pytest.mark.parametrize("data", WITHDRAWN_INTERNAL.values(), ids=WITHDRAWN_INTERNAL)
def test_attributes_that_only_internal_peers_use(data: bytes) -> None:
    with pytest.raises(Unusable):
        told(data, INTERNAL)
    assert told(data, EXTERNAL).attributes.identity == attributes().identity


@pytest.mark.parametrize("code", [code for code in bmp.USUAL_FLAGS if code not in {14, 15}])
@pytest.mark.parametrize("wrong", [bmp.OPTIONAL, bmp.TRANSITIVE, bmp.OPTIONAL | bmp.TRANSITIVE])
def test_flags_that_do_not_belong_to_an_attribute(code: int, wrong: int) -> None:
    """RFC 7606 section 3 c."""
    values = {1: b"\0", 2: bmp.segment(2, 65001), 3: HOP, 6: b"", 7: bytes(8), 16: bytes(8), 17: b"", 18: bytes(8)}
    odd = bmp.attribute(code, values.get(code, bytes(12 if code == 32 else 4)), bmp.USUAL_FLAGS[code] ^ wrong)
    with pytest.raises(Unusable, match=f"attribute {code} with flags"):
        told(odd + bmp.usual())


def test_the_partial_flag_and_unused_ones_do_not_matter() -> None:
    odd = bmp.attribute(8, bytes(4), 0xC0 | bmp.PARTIAL | 0x0F)
    assert attributes(odd).communities == (0,)


# Malformed: left out

LEFT_OUT = {
    "atomic-aggregate-length": bmp.attribute(6, b"x"),
    "aggregator-length": bmp.attribute(7, bytes(5)),
    "aggregator-length-0": bmp.attribute(7),
    "as4-aggregator-length": bmp.attribute(18, bytes(3)),
    "as4-path": bmp.attribute(17, b"\x09\x09"),
    "unknown-optional": bmp.attribute(99, b"anything", bmp.OPTIONAL),
    "unknown-transitive": bmp.attribute(99, b"anything"),
    "second-origin": bmp.origin(2),
    "second-as-path": bmp.sequence(65099),
    "second-malformed": bmp.attribute(1, b"\x09\x09\x09"),
    "local-pref": bmp.number(5, 500),
    "local-pref-length": bmp.attribute(5, b"\0"),
    "originator": bmp.attribute(9, bytes(4)),
    "clusters": bmp.attribute(10, bytes(4)),
}
"""What leaves the rest of an external path as it is (RFC 7606 sections 3 g and 7)."""


@pytest.mark.parametrize("odd", LEFT_OUT.values(), ids=LEFT_OUT)
def test_attributes_that_are_left_out(odd: bytes) -> None:
    assert attributes(odd).identity == attributes().identity


@pytest.mark.parametrize("context", [EXTERNAL, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("odd", [b"\x09\x09", bmp.segment(2), b"\x02\x02\0\0\0\x01", b"\x02"])
def test_a_malformed_as4_path_is_left_out(odd: bytes, context: Context) -> None:
    path = bmp.sequence(TRANS, 65002, size=4 if context.wide else 2)
    assert path_text(path, bmp.attribute(17, odd), context=context) == "23456 65002"


# LOCAL_PREF


@pytest.mark.parametrize(
    ("context", "expected"),
    [(EXTERNAL, None), (POST, 300), (INTERNAL, 300), (INTERNAL._replace(post=True), 300)],
    ids=["external-pre", "external-post", "internal-pre", "internal-post"],
)
def test_local_pref_of_an_external_peer_is_only_the_speakers_policy(context: Context, expected: int | None) -> None:
    assert attributes(bmp.number(5, 300), context=context).local_pref == expected


def test_a_malformed_local_pref_after_the_policy_counts_as_a_withdrawal() -> None:
    with pytest.raises(Unusable, match="attribute 5"):
        attributes(bmp.attribute(5, b"\0"), context=POST)


# AS paths


def test_as_paths_of_two_octets() -> None:
    assert path_text(bmp.sequence(65001, TRANS, size=2), context=NARROW) == "65001 23456"


@pytest.mark.parametrize("context", [EXTERNAL, NARROW], ids=["wide", "narrow"])
def test_as_paths_of_all_segments(context: Context) -> None:
    size = 4 if context.wide else 2
    path = bmp.as_path(
        bmp.segment(bmp.CONFED_SEQUENCE, 65010, 65011, size=size),
        bmp.segment(bmp.CONFED_SET, 65012, 65013, size=size),
        bmp.segment(bmp.SEQUENCE, 65001, size=size),
        bmp.segment(bmp.SET, 65003, 65004, size=size),
    )
    found = told(bmp.usual(path=path), context).attributes
    assert found.as_path_text == "(65010 65011) [65012,65013] 65001 {65003,65004}"
    assert (found.as_path_length, found.neighbor_as) == (2, 65001)


def test_an_empty_as_path() -> None:
    assert path_text(bmp.as_path(), context=INTERNAL) == ""


def test_the_widest_segment() -> None:
    assert told(bmp.usual(path=bmp.sequence(*range(1, 256)))).attributes.as_path_length == 255


def narrow(*segments: tuple[int, tuple[int, ...]]) -> bytes:
    return bmp.as_path(*(bmp.segment(kind, *numbers, size=2) for kind, numbers in segments))


def as4(*segments: tuple[int, tuple[int, ...]]) -> bytes:
    return bmp.attribute(17, b"".join(bmp.segment(kind, *numbers) for kind, numbers in segments))


@pytest.mark.parametrize(
    ("path", "newer", "expected"),
    [
        (narrow((2, (65001, TRANS))), as4((2, (NEW,))), f"65001 {NEW}"),
        (narrow((2, (TRANS, TRANS))), as4((2, (NEW, OTHER_NEW))), f"{NEW} {OTHER_NEW}"),
        (narrow((2, (65001, 65002))), as4((2, (65009, NEW, OTHER_NEW))), "65001 65002"),
        (narrow((2, (65001, 65002, TRANS))), as4((2, (NEW,)), (1, (NEW, OTHER_NEW))), f"65001 {NEW} {{{NEW},{OTHER_NEW}}}"),
        (narrow((2, (65001,)), (1, (TRANS, 65003))), as4((1, (NEW, 65003))), f"65001 {{{NEW},65003}}"),
        (narrow((1, (65001, 65002)), (2, (TRANS,))), as4((2, (NEW,))), f"{{65001,65002}} {NEW}"),
        (narrow((2, (65001, TRANS))), as4((3, (65010,)), (2, (NEW,))), f"65001 {NEW}"),
        (narrow((3, (65010,)), (2, (65001, TRANS))), as4((2, (NEW,))), f"(65010) 65001 {NEW}"),
        (narrow((2, (65001, TRANS))), as4(), "65001 23456"),
        (narrow((2, (65001,)), (2, (65002, TRANS))), as4((2, (NEW,))), f"65001 65002 {NEW}"),
    ],
    ids=["tail", "all", "longer", "set-in-newer", "set", "leading-set", "confederation-in-newer", "leading-confederation",
         "empty", "two-sequences"],
)  # fmt: skip
def test_an_as4_path_takes_the_place_of_the_last_numbers(path: bytes, newer: bytes, expected: str) -> None:
    """RFC 6793 section 4.2.3."""
    assert path_text(path, newer, context=NARROW) == expected


@pytest.mark.parametrize("kind", [bmp.CONFED_SEQUENCE, bmp.CONFED_SET])
def test_a_leading_confederation_segment_stays_in_front_of_an_as4_path_of_full_length(kind: int) -> None:
    """RFC 6793 section 4.2.3: it "SHALL be prepended if it is either the leading path segment …"."""
    path = narrow((kind, (65010,)), (2, (TRANS, 65002)))
    left, right = "()" if kind == bmp.CONFED_SEQUENCE else "[]"
    assert path_text(path, as4((2, (NEW, 65002))), context=NARROW) == f"{left}65010{right} {NEW} 65002"


def test_a_confederation_segment_beside_a_prepended_one_is_prepended_too() -> None:
    """RFC 6793 section 4.2.3: "… or is adjacent to a path segment that is prepended"."""
    path = narrow((2, (65001,)), (3, (65010,)), (2, (TRANS,)))
    assert path_text(path, as4((2, (NEW,))), context=NARROW) == f"65001 (65010) {NEW}"


def test_an_as4_path_counts_for_nothing_where_numbers_are_wide() -> None:
    assert path_text(bmp.sequence(65001, 65002), as4((2, (NEW,)))) == "65001 65002"


@pytest.mark.parametrize(
    ("aggregator", "expected"),
    [
        (bmp.attribute(7, b"\xfd\xe9\x0a\0\0\x01"), "65001 23456"),
        (bmp.attribute(7, b"\x5b\xa0\x0a\0\0\x01"), f"65001 {NEW}"),
    ],
    ids=["aggregated-by-an-old-speaker", "aggregated-by-a-new-one"],
)
def test_an_as4_path_is_left_out_after_a_speaker_that_does_not_know_it(aggregator: bytes, expected: str) -> None:
    as4_aggregator = bmp.attribute(18, NEW.to_bytes(4, "big") + b"\x0a\0\0\x01")
    path = narrow((2, (65001, TRANS)))
    assert path_text(path, as4((2, (NEW,))), aggregator, as4_aggregator, context=NARROW) == expected
    assert path_text(path, as4((2, (NEW,))), aggregator, context=NARROW) == f"65001 {NEW}"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (bmp.sequence(65000, 65001), "65001"),
        (bmp.sequence(65000), ""),
        (bmp.sequence(65001, 65000), "65001 65000"),
        (bmp.as_path(), ""),
        (bmp.as_path(bmp.segment(bmp.SET, 65000)), "{65000}"),
        (bmp.as_path(bmp.segment(2, 65000), bmp.segment(1, 65003)), "{65003}"),
    ],
)
def test_a_speaker_that_puts_its_own_number_in_front(path: bytes, expected: str) -> None:
    assert path_text(path, context=EXTERNAL._replace(prepended=True)) == expected


# Loops and stale paths


@pytest.mark.parametrize("kind", [bmp.SEQUENCE, bmp.SET, bmp.CONFED_SEQUENCE, bmp.CONFED_SET])
def test_the_speakers_own_as_is_a_loop_before_its_policy_and_none_after(kind: int) -> None:
    data = bmp.usual(path=bmp.as_path(bmp.segment(2, 65001), bmp.segment(kind, 65002, 65000)))
    assert told(data).looped
    assert not told(data, POST).looped


def test_a_speaker_with_its_own_number_in_front_loops_only_with_a_second_one() -> None:
    context = EXTERNAL._replace(prepended=True)
    assert not told(bmp.usual(path=bmp.sequence(65000, 65001)), context).looped
    assert told(bmp.usual(path=bmp.sequence(65000, 65001, 65000)), context).looped


def test_a_path_that_began_at_the_speaker_is_a_loop() -> None:
    data = bmp.usual(bmp.attribute(9, ROUTER_ID))
    assert told(data, INTERNAL).looped
    assert not told(data, INTERNAL._replace(post=True)).looped
    assert not told(data, EXTERNAL).looped
    assert not told(bmp.usual(bmp.attribute(9, HOP)), INTERNAL).looped


def test_a_path_that_somebody_only_keeps_is_stale() -> None:
    assert told(bmp.usual(bmp.communities(65001 << 16, 0xFFFF0006))).stale
    assert not told(bmp.usual(bmp.communities(65001 << 16, 0xFFFF0007))).stale


# Next hops


@pytest.mark.parametrize(
    ("hop", "expected"),
    [
        (HOP, (HOP, b"")),
        (GLOBAL, (GLOBAL, b"")),
        (LINK_LOCAL, (LINK_LOCAL, b"")),
        (GLOBAL + LINK_LOCAL, (GLOBAL, LINK_LOCAL)),
        (UNSPECIFIED + LINK_LOCAL, (LINK_LOCAL, b"")),
        (LINK_LOCAL + LINK_LOCAL, (LINK_LOCAL, b"")),
        (PEER_LINK_LOCAL + LINK_LOCAL, (LINK_LOCAL, b"")),
        (GLOBAL + UNSPECIFIED, (GLOBAL, b"")),
        (GLOBAL + GLOBAL, (GLOBAL, b"")),
        (LINK_LOCAL + UNSPECIFIED, (LINK_LOCAL, b"")),
        (UNSPECIFIED, (UNSPECIFIED, b"")),
        (UNSPECIFIED + UNSPECIFIED, (UNSPECIFIED, b"")),
    ],
    ids=["ipv4", "global", "link-local", "both", "nothing-and-link-local", "link-local-twice", "two-link-locals",
         "global-and-nothing", "global-twice", "link-local-and-nothing", "nothing", "nothing-twice"],
)  # fmt: skip
def test_next_hops_of_mp_reach(hop: bytes, expected: tuple[bytes, bytes]) -> None:
    found = told(bmp.usual(hop=None), EXTERNAL, hop).attributes
    assert (found.next_hop, found.link_local) == expected


@pytest.mark.parametrize("hop", [UNSPECIFIED, bytes(4), bytes(32)])
def test_a_link_local_peer_stands_for_a_next_hop_that_says_nothing(hop: bytes) -> None:
    context = EXTERNAL._replace(link_local=PEER_LINK_LOCAL)
    found = told(bmp.usual(hop=None), context, hop).attributes
    assert (found.next_hop, found.link_local) == (PEER_LINK_LOCAL, b"")


@pytest.mark.parametrize("hop", [GLOBAL, LINK_LOCAL, GLOBAL + LINK_LOCAL, UNSPECIFIED + LINK_LOCAL])
def test_a_link_local_peer_does_not_stand_for_a_next_hop_that_is_there(hop: bytes) -> None:
    said = told(bmp.usual(hop=None), EXTERNAL, hop).attributes
    found = told(bmp.usual(hop=None), EXTERNAL._replace(link_local=PEER_LINK_LOCAL), hop).attributes
    assert found.identity == said.identity


@pytest.mark.parametrize("length", [0, 1, 8, 12, 15, 17, 24, 31, 33, 48])
def test_next_hops_of_other_lengths(length: int) -> None:
    with pytest.raises(Unusable, match=f"next hop of {length} octets"):
        told(bmp.usual(hop=None), EXTERNAL, bytes(length))


def test_the_next_hop_of_mp_reach_is_the_one_that_counts_there() -> None:
    assert told(bmp.usual(), EXTERNAL, GLOBAL).attributes.next_hop == GLOBAL
