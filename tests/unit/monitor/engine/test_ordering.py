"""Prefix order in buckets: the same as a plain sort, however the places came and whatever is looked at first."""

import ipaddress
import random
from collections.abc import Generator, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import ordering
from monitor.engine.ordering import Gathering, Place, PrefixOrder, buckets_of, key_of_place, place_order
from monitor.engine.pool import Pool
from programmer.route import Family, PrefixKey, covering_key, host_key, key_of, sort_key

Drawn = tuple[Family, set[PrefixKey], set[tuple[PrefixKey, int]]]


def put_in_order(ours: Iterable[PrefixKey], foreign: Iterable[tuple[PrefixKey, int]]) -> list[Place]:
    """Places in their order, by a plain sort."""
    found: list[Place] = [*ours, *foreign]
    return sorted(found, key=place_order)


def end_of(steps: Generator[None, None, PrefixOrder]) -> PrefixOrder:
    """What is arranged in steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            order: PrefixOrder = end.value
            return order


def made(family: Family, keys: Iterable[PrefixKey], foreign: Iterable[tuple[PrefixKey, int]] = ()) -> PrefixOrder:
    """The order of some places."""
    gathering = Gathering(family)
    gathering.add(list(keys))
    gathering.add_foreign(list(foreign))
    return end_of(gathering.arranging())


@st.composite
def keys_of(draw: st.DrawFn, family: Family) -> PrefixKey:
    """A key; many of them lie close together, as routes do."""
    length = draw(st.integers(0, family.bits))
    near = draw(st.booleans())
    bits = draw(st.integers(0, (1 << (12 if near else family.bits)) - 1))
    address = (10 << (family.bits - 8) | bits) if near else bits
    address = address >> (family.bits - length) << (family.bits - length)
    network = (
        ipaddress.ip_network((address, length)) if family is Family.IPV4 else ipaddress.IPv6Network((address, length))
    )
    return key_of(network)


@st.composite
def places(draw: st.DrawFn) -> Drawn:
    """A family, routes of ours, and foreign ones."""
    family = draw(st.sampled_from(Family))
    ours = draw(st.sets(keys_of(family), max_size=60))
    metrics = st.sampled_from([0, 20, 1024, 2**32 - 1])
    return family, ours, draw(st.sets(st.tuples(keys_of(family), metrics), max_size=15))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few places are many here."""
    monkeypatch.setattr(ordering, "LARGEST", 4)
    monkeypatch.setattr(ordering, "MERGED", 3)
    monkeypatch.setattr(ordering, "STEP", 5)


@settings(deadline=None)
@given(keys_of(Family.IPV4), keys_of(Family.IPV4))
def test_octets_and_length_order_as_addresses_do(one: PrefixKey, other: PrefixKey) -> None:
    assert (place_order(one) < place_order(other)) == (sort_key(one) < sort_key(other))


@settings(deadline=None)
@given(places())
def test_order_is_that_of_a_sort(drawn: Drawn) -> None:
    family, ours, foreign = drawn
    order = made(family, ours, foreign)
    wanted = put_in_order(ours, foreign)
    assert len(order) == len(wanted)
    assert order.slice(0, len(wanted) + 5) == wanted
    assert order.slice(len(wanted), 5) == []
    assert [order.find(place) for place in wanted] == [(index, True) for index in range(len(wanted))]
    assert sorted((place for _, bucket in buckets_of(order) for place in bucket), key=place_order) == wanted


@settings(deadline=None)
@given(places(), st.randoms(use_true_random=False))
def test_any_part_can_be_looked_at_first(drawn: Drawn, dice: random.Random) -> None:
    family, ours, foreign = drawn
    order, wanted = made(family, ours, foreign), put_in_order(ours, foreign)
    for _ in range(5):
        first, count = dice.randrange(len(wanted) + 1), dice.randrange(6)
        assert order.slice(first, count) == wanted[first : first + count]


@settings(deadline=None)
@given(places(), st.data())
def test_what_is_missing_has_its_place(drawn: Drawn, data: st.DataObject) -> None:
    family, ours, foreign = drawn
    order, wanted = made(family, ours, foreign), put_in_order(ours, foreign)
    key = data.draw(keys_of(family))
    missing: Place = (key, 7) if data.draw(st.booleans()) else key
    before = sum(place_order(place) < place_order(missing) for place in wanted)
    assert order.find(missing) == (before, missing in ours)


@settings(deadline=None)
@given(places(), st.lists(st.booleans(), min_size=80, max_size=80))
def test_what_is_chosen_from_each_bucket_is_in_order_too(drawn: Drawn, looks: list[bool]) -> None:
    family, ours, foreign = drawn
    order = made(family, ours, foreign)
    chosen = PrefixOrder(family, mixed=order.mixed)
    for (head, bucket), look in zip(buckets_of(order), looks, strict=False):
        chosen.append(head, [place for place in bucket if key_of_place(place)[0] % 2])
        if look:
            chosen.slice(0, len(chosen))
    wanted = [place for place in put_in_order(ours, foreign) if key_of_place(place)[0] % 2]
    assert chosen.slice(0, len(chosen)) == wanted


def test_addresses_of_other_octets_are_left_out() -> None:
    keys = [key_of(ipaddress.ip_network(text)) for text in ("0.0.0.0/0", "10.0.0.0/8", "11.0.0.0/8", "11.4.0.0/16")]
    gathering = Gathering(Family.IPV4)
    gathering.add(keys)
    order = end_of(gathering.arranging([11]))
    assert order.slice(0, 9) == [keys[0], *keys[2:]]


def test_an_index_beyond_the_end_is_an_error() -> None:
    order = made(Family.IPV4, [b"\x08\x0a"])
    with pytest.raises(IndexError):
        order[1]
    assert made(Family.IPV4, []).find(b"\x08\x0a") == (0, False)


@settings(deadline=None)
@given(places(), st.randoms(use_true_random=False))
def test_a_pool_knows_each_place_by_its_number_and_how_they_compare(drawn: Drawn, dice: random.Random) -> None:
    family, ours, foreign = drawn
    taken: list[Place] = [*sorted(ours), *sorted(foreign)]
    dice.shuffle(taken)
    pool = Pool(family, mixed=bool(foreign))
    for start in range(0, len(taken), 7):
        pool.take(taken[start : start + 7])
    assert [pool[number] for number in range(len(pool))] == taken
    assert [pool.find(place) for place in taken] == list(range(len(taken)))
    assert [pool[number] for number in sorted(range(len(pool)), key=pool.rank)] == put_in_order(ours, foreign)
    others = {
        covering_key(host_key(dice.randbytes(family.bits >> 3)), dice.randint(0, family.bits)) for _ in range(20)
    } - ours
    assert not any(pool.find(place) is not None for place in others)
    assert pool.find((b"\0", 77)) is None
