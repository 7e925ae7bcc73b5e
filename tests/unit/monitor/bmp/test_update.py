"""What UPDATE messages say of paths."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from monitor.bmp import update as update_module
from monitor.bmp.attribute import Context
from monitor.bmp.update import Sender, UpdateDecoder, keys
from monitor.bmp.wire import Malformed
from monitor.rib.attribute import AttributeTable
from monitor.rib.path import PeerId
from monitor.rib.update import PathAnnounced, PathRejected, PathWithdrawn
from programmer.route import Family
from tests.support import bmp

Told = PathAnnounced | PathWithdrawn | PathRejected

PEER = PeerId("rr1", "192.0.2.2")
CONTEXT = Context(65000, b"\x0a\xff\0\xfe", external=True, wide=True, post=False)
NOW = 1_700_000_000
HOP6 = ip_address("2001:db8::2").packed
BAD = bmp.origin(9) + bmp.sequence(65001) + bmp.next_hop("192.0.2.2")
LOOPED = bmp.usual(path=bmp.sequence(65001, 65000))


class Reader:
    """A decoder, and one peer."""

    def __init__(
        self, context: Context = CONTEXT, add_path: Sequence[Family] = (), unreadable: Sequence[Family] = ()
    ) -> None:
        self.decoder = UpdateDecoder(AttributeTable())
        self.sender: Sender = self.decoder.sender(PEER, context, frozenset(add_path), frozenset(unreadable))
        self.mark: Family | None = None

    def __call__(self, withdrawn: bytes = b"", attributes: bytes = b"", prefixes: bytes = b"") -> list[Told]:
        return self.hear(bmp.content(withdrawn, attributes, prefixes))

    def hear(self, content: bytes) -> list[Told]:
        told: list[Told] = []
        self.mark = self.decoder.decode(content, self.sender, NOW, told.append)
        return told


def names(told: Sequence[Told]) -> list[tuple[str, Family, bytes, int]]:
    """Return kind, family, key and path identifier of each."""
    return [
        (
            type(update).__name__.removeprefix("Path").lower(),
            update.family,
            update.key,
            update.path_id if isinstance(update, PathWithdrawn) else update.path.path_id,
        )
        for update in told
    ]


def v4(kind: str, prefix: str, path_id: int = 0) -> tuple[str, Family, bytes, int]:
    return kind, Family.IPV4, bmp.key(prefix), path_id


def v6(kind: str, prefix: str, path_id: int = 0) -> tuple[str, Family, bytes, int]:
    return kind, Family.IPV6, bmp.key(prefix), path_id


def reach6(*prefixes: str | tuple[int, str], hop: bytes = HOP6, flags: int | None = None) -> bytes:
    return bmp.mp_reach(bmp.IPV6, hop, bmp.nlri(*prefixes), flags=flags)


def test_announcements_have_peer_time_and_attributes() -> None:
    (told,) = Reader()(b"", bmp.usual(), bmp.nlri("203.0.113.0/24"))
    assert isinstance(told, PathAnnounced)
    assert (told.family, told.key) == (Family.IPV4, b"\x18\xcb\0\x71")
    assert (told.path.peer, told.path.path_id, told.path.received_at, told.path.stale) == (PEER, 0, NOW, False)
    assert told.path.attributes.as_path_text == "65001"


def test_equal_attribute_sets_are_one_object() -> None:
    read = Reader()
    found = [
        *read(b"", bmp.usual(), bmp.nlri("10.0.0.0/8", "10.1.0.0/16")),
        *read(b"", bmp.usual(), bmp.nlri("10.2.0.0/16")),
        *read(b"", bmp.next_hop("192.0.2.2") + bmp.sequence(65001) + bmp.origin(), bmp.nlri("10.3.0.0/16")),
    ]
    assert len(found) == 4
    assert len({id(told.path.attributes) for told in found if isinstance(told, PathAnnounced)}) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.255.0.0/9", "10.128.0.0/9"),
        ("255.255.255.255/25", "255.255.255.128/25"),
        ("255.255.255.255/31", "255.255.255.254/31"),
        ("192.0.2.1/32", "192.0.2.1/32"),
        ("255.0.0.0/1", "128.0.0.0/1"),
        ("255.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_host_bits_are_zeroed_in_announcements_and_withdrawals(written: str, meant: str) -> None:
    read = Reader()
    assert names(read(b"", bmp.usual(), bmp.nlri(written))) == [v4("announced", meant)]
    assert names(read(bmp.nlri(written))) == [v4("withdrawn", meant)]
    with_ids = Reader(add_path=[Family.IPV4])
    assert names(with_ids(b"", bmp.usual(), bmp.nlri((7, written)))) == [v4("announced", meant, 7)]


@pytest.mark.parametrize("length", range(129))
def test_prefixes_of_every_length(length: int) -> None:
    written = bmp.nlri(f"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/{length}", "2001:db8::/32")
    assert len(keys(Family.IPV6, written)) == 2
    if length <= 32:
        assert len(keys(Family.IPV4, bmp.nlri(f"255.255.255.255/{length}", "10.0.0.0/8"))) == 2


def test_withdrawals_come_before_announcements() -> None:
    told = Reader()(
        bmp.nlri("10.0.0.0/8"),
        bmp.mp_unreach(bmp.IPV6, bmp.nlri("2001:db8:1::/48")) + bmp.usual() + reach6("2001:db8:2::/48"),
        bmp.nlri("10.1.0.0/16"),
    )
    assert names(told) == [
        v4("withdrawn", "10.0.0.0/8"),
        v6("withdrawn", "2001:db8:1::/48"),
        v4("announced", "10.1.0.0/16"),
        v6("announced", "2001:db8:2::/48"),
    ]


def test_each_family_of_one_message_has_its_own_next_hop() -> None:
    told = Reader()(b"", bmp.usual() + reach6("2001:db8:2::/48"), bmp.nlri("10.1.0.0/16"))
    hops = [update.path.attributes.next_hop for update in told if isinstance(update, PathAnnounced)]
    assert hops == [ip_address("192.0.2.2").packed, HOP6]


def test_ipv4_with_a_next_hop_of_ipv6() -> None:
    """RFC 8950."""
    link_local = ip_address("fe80::2").packed
    for hop, expected in (
        (HOP6, (HOP6, b"")),
        (HOP6 + link_local, (HOP6, link_local)),
        (link_local, (link_local, b"")),
    ):
        data = bmp.usual(hop=None) + bmp.mp_reach(bmp.IPV4, hop, bmp.nlri("10.0.0.0/8"))
        (told,) = Reader()(b"", data)
        assert isinstance(told, PathAnnounced)
        assert names([told]) == [v4("announced", "10.0.0.0/8")]
        assert (told.path.attributes.next_hop, told.path.attributes.link_local) == expected


def test_ipv4_in_mp_reach_and_unreach() -> None:
    read = Reader()
    data = bmp.usual(hop=None) + bmp.mp_reach(bmp.IPV4, ip_address("192.0.2.9").packed, bmp.nlri("10.0.0.0/8"))
    assert names(read(b"", data)) == [v4("announced", "10.0.0.0/8")]
    assert names(read(b"", bmp.mp_unreach(bmp.IPV4, bmp.nlri("10.0.0.0/8")))) == [v4("withdrawn", "10.0.0.0/8")]


# End-of-RIB


@pytest.mark.parametrize(
    ("content", "family"),
    [
        (bmp.content(), Family.IPV4),
        (bmp.content(attributes=bmp.mp_unreach(bmp.IPV6)), Family.IPV6),
        (bmp.content(attributes=bmp.mp_unreach(bmp.IPV4)), Family.IPV4),
        (bmp.content(attributes=bmp.mp_unreach(bmp.VPN_IPV4)), None),
        (bmp.content(attributes=bmp.mp_unreach(bmp.IPV6, bmp.nlri("2001:db8::/32"))), None),
        (bmp.content(attributes=bmp.mp_unreach(bmp.IPV6) + bmp.origin()), None),
        (bmp.content(bmp.nlri("10.0.0.0/8")), None),
        (bmp.content(attributes=bmp.usual(), prefixes=bmp.nlri("10.0.0.0/8")), None),
    ],
)
def test_ends_of_tables(content: bytes, family: Family | None) -> None:
    read = Reader()
    read.hear(content)
    assert read.mark == family


# Loops, stale paths, path identifiers


def test_loops_are_rejected_before_the_policy_and_announced_after() -> None:
    assert names(Reader()(b"", LOOPED, bmp.nlri("10.0.0.0/8"))) == [v4("rejected", "10.0.0.0/8")]
    post = Reader(CONTEXT._replace(post=True))
    assert names(post(b"", LOOPED, bmp.nlri("10.0.0.0/8"))) == [v4("announced", "10.0.0.0/8")]


def test_a_stale_path() -> None:
    (told,) = Reader()(b"", bmp.usual(bmp.communities(0xFFFF0006)), bmp.nlri("10.0.0.0/8"))
    assert isinstance(told, PathAnnounced)
    assert told.path.stale


def test_path_identifiers() -> None:
    read = Reader(add_path=[Family.IPV4])
    assert names(read(b"", bmp.usual(), bmp.nlri((1, "10.0.0.0/8"), (0xFFFFFFFF, "10.0.0.0/8")))) == [
        v4("announced", "10.0.0.0/8", 1),
        v4("announced", "10.0.0.0/8", 0xFFFFFFFF),
    ]
    assert names(read(bmp.nlri((1, "10.0.0.0/8")))) == [v4("withdrawn", "10.0.0.0/8", 1)]
    assert names(read(b"", LOOPED, bmp.nlri((2, "10.0.0.0/8")))) == [v4("rejected", "10.0.0.0/8", 2)]
    assert names(read(b"", bmp.usual() + reach6("2001:db8::/32"))) == [v6("announced", "2001:db8::/32")]


def test_path_identifiers_of_ipv6() -> None:
    read = Reader(add_path=[Family.IPV6])
    assert names(read(b"", bmp.usual() + reach6((5, "2001:db8::/32"), (6, "::/0")))) == [
        v6("announced", "2001:db8::/32", 5),
        v6("announced", "::/0", 6),
    ]
    assert names(read(b"", bmp.mp_unreach(bmp.IPV6, bmp.nlri((5, "2001:db8::/32"))))) == [
        v6("withdrawn", "2001:db8::/32", 5)
    ]


def test_families_whose_path_identifiers_may_be_missing_are_left_out() -> None:
    read = Reader(add_path=[Family.IPV4], unreadable=[Family.IPV4])
    assert read(b"", bmp.usual(), bmp.nlri("10.0.0.0/8")) == []
    assert read(bmp.nlri((9, "10.0.0.0/8"))) == []
    assert read(b"", BAD, bmp.nlri("10.0.0.0/8")) == []
    assert read.decoder.ignored["path-ids"] == 2
    assert names(read(b"", bmp.usual() + reach6("2001:db8::/32"))) == [v6("announced", "2001:db8::/32")]


def test_other_families_are_left_out() -> None:
    read = Reader()
    assert read(b"", bmp.usual() + bmp.mp_reach(bmp.VPN_IPV4, bytes(12), bytes(30))) == []
    assert read(b"", bmp.mp_unreach(bmp.VPN_IPV4, bytes(30))) == []
    assert read.decoder.ignored == {"family": 2}


# Malformed attributes count as a withdrawal


def test_a_malformed_set_withdraws_its_prefixes() -> None:
    read = Reader()
    told = read(bmp.nlri("10.9.0.0/16"), BAD + reach6("2001:db8::/32"), bmp.nlri("10.0.0.0/8", "10.1.0.0/16"))
    assert names(told) == [
        v4("withdrawn", "10.9.0.0/16"),
        v4("withdrawn", "10.0.0.0/8"),
        v4("withdrawn", "10.1.0.0/16"),
        v6("withdrawn", "2001:db8::/32"),
    ]
    assert read.decoder.ignored == {"malformed": 2}
    assert read.decoder.oddity == "ORIGIN 09"


def test_a_malformed_set_stays_malformed() -> None:
    read = Reader()
    for count in range(1, 4):
        assert names(read(b"", BAD, bmp.nlri("10.0.0.0/8"))) == [v4("withdrawn", "10.0.0.0/8")]
        assert read.decoder.ignored["malformed"] == count
    assert names(read(b"", bmp.usual(), bmp.nlri("10.0.0.0/8"))) == [v4("announced", "10.0.0.0/8")]


def test_what_is_remembered_of_one_context_means_nothing_in_another() -> None:
    read = Reader()
    wide = bmp.usual(path=bmp.sequence(65001, 65002))
    assert names(read(b"", wide, bmp.nlri("10.0.0.0/8"))) == [v4("announced", "10.0.0.0/8")]
    read.sender = read.decoder.sender(PEER, CONTEXT._replace(wide=False), frozenset())
    assert names(read(b"", wide, bmp.nlri("10.0.0.0/8"))) == [v4("withdrawn", "10.0.0.0/8")]


def test_lengths_of_attributes_that_do_not_fit_withdraw_what_was_found() -> None:
    data = reach6("2001:db8::/32") + bmp.usual() + bmp.attribute(99, b"a", length=9)
    assert names(Reader()(b"", data, bmp.nlri("10.0.0.0/8"))) == [
        v4("withdrawn", "10.0.0.0/8"),
        v6("withdrawn", "2001:db8::/32"),
    ]


def test_prefixes_without_any_attribute_count_as_withdrawn() -> None:
    """RFC 7606 section 3 d: the mandatory attributes are missing."""
    read = Reader()
    read(b"", bmp.usual(), bmp.nlri("10.0.0.0/8"))
    assert names(read(b"", b"", bmp.nlri("10.0.0.0/8"))) == [v4("withdrawn", "10.0.0.0/8")]


@pytest.mark.parametrize("flags", [0, bmp.TRANSITIVE, bmp.OPTIONAL | bmp.TRANSITIVE])
def test_an_mp_reach_with_wrong_flags_counts_as_a_withdrawal(flags: int) -> None:
    """RFC 7606 section 3 c, which section 7.11 does not take back."""
    assert names(Reader()(b"", bmp.usual() + reach6("2001:db8::/32", flags=flags))) == [
        v6("withdrawn", "2001:db8::/32")
    ]


def test_a_next_hop_of_an_impossible_length_withdraws() -> None:
    read = Reader()
    assert names(read(b"", bmp.usual() + reach6("2001:db8::/32", hop=bytes(7)))) == [v6("withdrawn", "2001:db8::/32")]
    assert read.decoder.oddity == "MP_REACH_NLRI with a next hop of 7 octets"


# Malformed: nothing can be believed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(3),
        b"\0\x05" + bytes(4),
        b"\0\0\0\x01",
        b"\0\x02\x08\x0a\0\x09",
        bmp.content(b"\x21\x0a\0\0\0\0"),
        bmp.content(b"\x18\x0a\0"),
        bmp.content(b"", bmp.usual(), b"\x21\x0a\0\0\0\0"),
        bmp.content(b"", bmp.usual(), b"\x08"),
        bmp.content(b"", BAD, b"\x18\x0a"),
        bmp.content(b"", bmp.usual() + bmp.mp_reach(bmp.IPV6, HOP6, b"\x81" + bytes(17))),
        bmp.content(b"", bmp.usual() + bmp.mp_reach(bmp.IPV6, HOP6, b"\x40\x20")),
        bmp.content(b"", bmp.mp_unreach(bmp.IPV6, b"\xff")),
        bmp.content(b"", bmp.attribute(15, b"\0\x02")),
        bmp.content(b"", bmp.usual() + bmp.attribute(14, b"\0\x02\x01\0")),
        bmp.content(b"", bmp.usual() + bmp.attribute(14, b"\0\x02\x01\x10\0\0")),
    ],
)
def test_prefixes_that_cannot_be_told_apart(content: bytes) -> None:
    with pytest.raises(Malformed):
        Reader().hear(content)


@pytest.mark.parametrize("prefixes", [b"\0\0\0", b"\0\0\0\x01", b"\0\0\0\x01\x21\0\0\0\0\0", b"\0\0\0\x01\x18\x0a"])
def test_path_identifiers_that_are_cut_short(prefixes: bytes) -> None:
    with pytest.raises(Malformed):
        Reader(add_path=[Family.IPV4])(b"", bmp.usual(), prefixes)


@pytest.mark.parametrize(
    "twice", [reach6("2001:db8::/32"), bmp.mp_unreach(bmp.IPV6, bmp.nlri("2001:db8::/32"))], ids=["reach", "unreach"]
)
def test_mp_attributes_twice(twice: bytes) -> None:
    """RFC 7606 section 3 g."""
    with pytest.raises(Malformed, match="twice"):
        Reader()(b"", bmp.usual() + twice + twice)


def test_attributes_that_end_before_any_prefix_is_found() -> None:
    """RFC 7606 section 5.2: what was announced cannot be known, so the session would be reset."""
    with pytest.raises(Malformed):
        Reader()(b"", bmp.attribute(99, b"a", length=99) + bmp.usual() + reach6("2001:db8::/32"))


# Memory


def test_remembered_sets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_module, "MEMORY_LIMIT", 10)
    read = Reader()
    for number in range(35):
        told = read(b"", bmp.usual(bmp.number(4, number)), bmp.nlri("10.0.0.0/8"))
        assert len(read.sender.sets) <= 10
        (update,) = told
        assert isinstance(update, PathAnnounced)
        assert update.path.attributes.med == number


def test_the_bound_counts_malformed_sets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_module, "MEMORY_LIMIT", 10)
    read = Reader()
    for number in range(35):
        read(b"", BAD + bmp.number(4, number), bmp.nlri("10.0.0.0/8"))
        assert len(read.sender.sets) <= 10
