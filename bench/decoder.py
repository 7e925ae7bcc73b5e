"""The UPDATE decoder alone: octets in memory are cut into messages, read, and told to nobody; on one core."""

import gc
import time
from collections import deque
from collections.abc import Iterator

from bench.stream import PEER, stream
from monitor.bmp.session import Clocks, Conversation, Terms
from monitor.bmp.source import CHUNK
from monitor.bmp.update import UpdateDecoder
from monitor.bmp.wire import Framer
from monitor.rib.attribute import AttributeTable
from monitor.rib.update import Update

ROUNDS = 3
SHAPES = ((1, 1, "1 a message, each with attributes of its own"), (1, 20, "1 a message"), (20, 20, "20"), (200, 200, "200"))
"""Prefixes in an UPDATE, prefixes in a row that share an attribute set, and what that is called."""


def measure(count: int) -> Iterator[str]:
    """Yield one line for each shape of the table."""
    yield f"decoder alone, {count:,} paths from memory, best of {ROUNDS}:"
    for family in PEER:
        slowest = 0.0
        for together, attributes, words in SHAPES:
            data = stream(count, family, together, attributes)
            seconds = min(_decode(data, count) for _ in range(ROUNDS))
            slowest = slowest or seconds
            yield (
                f"  {family}, prefixes in an UPDATE: {words:46}{count / seconds:11,.0f} paths/s"
                f"{1e6 * seconds / count:7.2f} us CPU a path{len(data) / count:7.1f} octets a path"
                f"   {slowest / seconds:5.2f} x the first"
            )


def _decode(data: bytes, count: int) -> float:
    """Return the processor seconds that reading *data* takes; a check that all was told comes before and is not counted."""
    told: deque[Update] = deque(maxlen=0)
    terms = Terms("bench", post=False, end_of_rib_wait=30.0, local=False)
    clocks = Clocks(time.monotonic, time.time)
    number = _Count()
    pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    for tell in (number.tell, told.append):
        conversation = Conversation(terms, clocks, UpdateDecoder(AttributeTable()), tell, {})
        framer = Framer()
        gc.collect()
        began = time.process_time()
        for piece in pieces:
            for kind, body in framer.feed(piece):
                conversation.hear(kind, body)
        seconds = time.process_time() - began
        assert not conversation.ignored, conversation.ignored
    assert number.told == count + 1, f"{number.told} updates, not a peer and {count} paths"
    return seconds


class _Count:
    def __init__(self) -> None:
        self.told = 0

    def tell(self, _: Update) -> None:
        self.told += 1
