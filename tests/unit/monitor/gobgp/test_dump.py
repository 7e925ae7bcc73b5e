"""Where the initial dump ends, from the sizes of messages seen on real speakers."""

import pytest

from monitor.gobgp.dump import Dump

BATCH = 2


def dump(*counts: int) -> Dump:
    made = Dump(BATCH)
    for count in counts:
        made.table(count, withdraws=False)
    return made


@pytest.mark.parametrize(
    "counts",
    [
        (),
        (3, 1, 0),
        (3, 0, 0),
        (1, 0, 3, 3, 2, 0, 1, 0),
        (500, 0, 7, 0),
        (3,),
    ],
    ids=["empty", "remainder", "exact", "several", "one message each", "not ended"],
)
def test_lists_alone_are_no_end(counts: tuple[int, ...]) -> None:
    assert not dump(*counts).is_over


def test_two_messages_without_an_empty_one_between_are_live() -> None:
    assert dump(3, 1, 0, 1, 1).is_over


def test_a_withdrawal_is_live() -> None:
    made = dump(3, 1, 0)
    made.table(1, withdraws=True)
    assert made.is_over


def test_counters_that_agree_end_it_between_lists_only() -> None:
    inside = dump(3)
    inside.counters_met()
    assert not inside.is_over
    between = dump(3, 1, 0)
    between.counters_met()
    assert between.is_over


def test_silence_ends_it_and_lasts_longer_the_more_is_missing() -> None:
    made = dump(3, 1, 0)
    made.quiet(1.1, missing=0)
    assert made.is_over
    made = dump(3, 1, 0)
    made.quiet(5.1, missing=100_000)
    assert not made.is_over, "a busy machine sends nothing for a while"
    made.quiet(3.0, missing=100_000)
    assert made.is_over


def test_a_message_starts_the_silence_anew() -> None:
    made = dump()
    made.quiet(0.9, missing=0)
    made.table(1, withdraws=False)
    made.quiet(0.9, missing=0)
    assert not made.is_over


def test_silence_after_a_full_batch_must_last_longer() -> None:
    made = dump(3)
    made.quiet(5.0, missing=0)
    assert not made.is_over
    made.quiet(6.0, missing=0)
    assert made.is_over
