"""Nothing on the wire is an error of ours, and any packing of the same changes rebuilds the same table."""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.bmp.session import Terms
from monitor.rib.path import Path
from monitor.rib.update import PathAnnounced, PathWithdrawn, Update
from programmer.route import Family, PrefixKey
from tests.support import bmp
from tests.unit.monitor.bmp.corpus import MESSAGES, TERMS, hear
from tests.unit.monitor.bmp.hearing import Hearing

moderate = settings(max_examples=60, deadline=None)
few = settings(max_examples=30, deadline=None)

# Nonsense


@pytest.mark.parametrize("terms", TERMS)
def test_the_corpus_is_heard_whatever_the_terms(terms: Terms) -> None:
    for message in MESSAGES:
        hear(message, terms)
    told, _ = hear(b"".join(MESSAGES), terms)
    assert told


@given(st.binary(max_size=400))
@moderate
def test_arbitrary_octets(stream: bytes) -> None:
    hear(stream)


@given(st.lists(st.tuples(st.integers(0, 8), st.binary(max_size=120)), max_size=5), st.sampled_from(TERMS))
@moderate
def test_arbitrary_bodies(messages: list[tuple[int, bytes]], terms: Terms) -> None:
    hear(MESSAGES[2] + b"".join(bmp.message(kind, body) for kind, body in messages), terms)


@given(st.binary(max_size=100), st.integers(0, 4), st.sampled_from(TERMS))
@moderate
def test_arbitrary_content_of_updates(content: bytes, split: int, terms: Terms) -> None:
    """The octets stand where an UPDATE, its attributes, its prefixes or those of MP_REACH should."""
    peer = bmp.Monitored(families=(bmp.IPV4, bmp.IPV6))
    update = (
        bmp.bgp(2, content),
        bmp.update(attributes=content, prefixes=bmp.nlri("10.0.0.0/8")),
        bmp.update(attributes=bmp.usual(), prefixes=content),
        bmp.update(attributes=bmp.usual() + bmp.attribute(14, b"\0\x02\x01" + content)),
        bmp.update(content, bmp.usual(bmp.attribute(content[0], content[1:])) if content else b""),
    )[split]
    flags = bmp.L_FLAG if terms.post else 0
    hear(peer.up() + peer.routes(update, flags=flags), terms)


@dataclass(frozen=True)
class Mutation:
    """Octets in place of others: *at* and *cut* are shares of a message's length."""

    message: int
    at: float
    cut: int
    octets: bytes
    repair: bool


mutations = st.builds(
    Mutation,
    st.integers(0, len(MESSAGES) - 1),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 3),
    st.binary(max_size=3),
    st.booleans(),
)


def mutated(messages: list[bytes], mutation: Mutation) -> None:
    """Change a message in place; where it is repaired, its length stays right."""
    body = messages[mutation.message]
    first = 6 if mutation.repair else 0
    at = first + int((len(body) - first) * mutation.at)
    body = body[:at] + mutation.octets + body[at + mutation.cut :]
    if mutation.repair:
        body = bmp.message(body[5], body[6:])
    messages[mutation.message] = body


@given(st.lists(mutations, min_size=1, max_size=4), st.sampled_from(TERMS))
@moderate
def test_mutated_messages(changes: list[Mutation], terms: Terms) -> None:
    messages = list(MESSAGES)
    for change in changes:
        mutated(messages, change)
    hear(b"".join(messages), terms)


@given(st.lists(st.sampled_from(MESSAGES), max_size=40), st.sampled_from(TERMS))
@moderate
def test_valid_messages_in_any_order(messages: list[bytes], terms: Terms) -> None:
    hear(b"".join(messages), terms)


@given(st.integers(0, sum(map(len, MESSAGES))))
@moderate
def test_a_stream_that_is_cut_off_anywhere_tells_a_beginning_of_the_whole(length: int) -> None:
    whole = b"".join(MESSAGES)
    told = [update for update in hear(whole[:length])[0] if isinstance(update, PathAnnounced | PathWithdrawn)]
    all_told = [update for update in hear(whole)[0] if isinstance(update, PathAnnounced | PathWithdrawn)]
    assert [_name(update) for update in told] == [_name(update) for update in all_told[: len(told)]]


def _name(update: PathAnnounced | PathWithdrawn) -> tuple[str, Family, PrefixKey]:
    return type(update).__name__, update.family, update.key


# The same table in any packing

PREFIXES = (
    "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "192.0.2.0/24", "192.0.2.128/25", "198.51.100.7/32", "0.0.0.0/0",
    "2001:db8::/32", "2001:db8::/33", "2001:db8:8000::/33", "2001:db8::1/128", "::/0",
)  # fmt: skip
PEERS = (
    bmp.Monitored(families=(bmp.IPV4, bmp.IPV6)),
    bmp.Monitored(address="2001:db8::5", local_address="2001:db8::1", families=(bmp.IPV4, bmp.IPV6)),
)


@dataclass
class Message:
    """What one UPDATE says: prefixes withdrawn, and prefixes announced with one set (its MED)."""

    peer: int
    withdrawn: list[str]
    announced: list[str]
    med: int
    dirty: int
    classic: bool
    order: int

    def encode(self) -> bytes:
        """Write it; *dirty* host bits are set, *classic* puts IPv4 where it was before RFC 4760."""
        gone4, gone6 = _split(self.withdrawn)
        new4, new6 = _split(self.announced)
        attributes: list[bytes] = []
        if gone6:
            attributes.append(bmp.mp_unreach(bmp.IPV6, self._nlri(gone6)))
        elif gone4 and not self.classic:
            attributes.append(bmp.mp_unreach(bmp.IPV4, self._nlri(gone4)))
            gone4 = []
        if new6:
            attributes.append(bmp.mp_reach(bmp.IPV6, ip_address("2001:db8::9").packed, self._nlri(new6)))
        elif new4 and not self.classic:
            attributes.append(bmp.mp_reach(bmp.IPV4, ip_address("192.0.2.9").packed, self._nlri(new4)))
            new4 = []
        plain = [bmp.origin(), bmp.sequence(65001), bmp.next_hop("192.0.2.9"), bmp.number(4, self.med)]
        if self.announced:
            attributes = [*plain[: self.order], *attributes, *plain[self.order :]]
        return bmp.update(self._nlri(gone4), b"".join(attributes), self._nlri(new4))

    def _nlri(self, prefixes: list[str]) -> bytes:
        return b"".join(_dirty(bmp.key(prefix), self.dirty) for prefix in prefixes)


def _split(prefixes: list[str]) -> tuple[list[str], list[str]]:
    return [text for text in prefixes if ":" not in text], [text for text in prefixes if ":" in text]


def _dirty(key: bytes, dirt: int) -> bytes:
    """Set host bits in the last octet, as a careless speaker does."""
    if spare := -key[0] % 8:
        return key[:-1] + bytes((key[-1] | dirt & (1 << spare) - 1,))
    return key


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Draw messages; no prefix is withdrawn and announced in one of them, which would mean nothing."""
    messages = []
    for _ in range(draw(st.integers(1, 12))):
        chosen = draw(st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=8, unique=True))
        cut = draw(st.integers(0, len(chosen)))
        messages.append(
            Message(
                draw(st.integers(0, len(PEERS) - 1)),
                chosen[:cut],
                chosen[cut:],
                draw(st.integers(0, 3)),
                draw(st.integers(0, 255)),
                draw(st.booleans()),
                draw(st.integers(0, 4)),
            )
        )
    return messages


@dataclass
class Model:
    """Per peer, which MED each prefix has."""

    tables: dict[tuple[str, Family, PrefixKey], int | None] = field(default_factory=dict)

    def apply(self, message: Message) -> None:
        """Take what a message means, not how it is written."""
        address = PEERS[message.peer].address
        for prefix in message.withdrawn:
            self.tables.pop((address, *_key(prefix)), None)
        for prefix in message.announced:
            self.tables[address, *_key(prefix)] = message.med


def _key(prefix: str) -> tuple[Family, PrefixKey]:
    network = ip_network(prefix)
    return Family.IPV4 if network.version == 4 else Family.IPV6, bmp.key(prefix)


def rebuilt(updates: list[Update]) -> dict[tuple[str, Family, PrefixKey], Path]:
    """Return the table that updates amount to."""
    table: dict[tuple[str, Family, PrefixKey], Path] = {}
    for update in updates:
        if isinstance(update, PathAnnounced):
            table[update.path.peer.address, update.family, update.key] = update.path
        elif isinstance(update, PathWithdrawn):
            table.pop((update.peer.address, update.family, update.key), None)
    return table


@given(conversations())
@few
def test_any_packing_of_the_same_changes_rebuilds_the_same_table(messages: list[Message]) -> None:
    hearing, model = Hearing(), Model()
    hearing.say(bmp.initiation(), *(peer.up() for peer in PEERS))
    for message in messages:
        hearing.say(PEERS[message.peer].routes(message.encode()))
        model.apply(message)
    table = rebuilt(hearing.told)
    assert {name: path.attributes.med for name, path in table.items()} == model.tables
    assert hearing.decoder.ignored == {}


@given(conversations())
@few
def test_the_same_changes_one_by_one_rebuild_the_same_table(messages: list[Message]) -> None:
    packed, single = Hearing(), Hearing()
    for hearing in (packed, single):
        hearing.say(bmp.initiation(), *(peer.up() for peer in PEERS))
    for message in messages:
        peer = PEERS[message.peer]
        packed.say(peer.routes(message.encode()))
        for withdrawn, announced in [
            *(([prefix], list[str]()) for prefix in message.withdrawn),
            *((list[str](), [prefix]) for prefix in message.announced),
        ]:
            one = Message(message.peer, withdrawn, announced, message.med, 0, classic=not message.classic, order=4)
            single.say(peer.routes(one.encode()))
    tables = [rebuilt(hearing.told) for hearing in (packed, single)]
    meds = [{name: path.attributes.med for name, path in table.items()} for table in tables]
    assert meds[0] == meds[1]
