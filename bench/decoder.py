"""The UPDATE decoder alone: octets in memory are cut into messages, read, and told to nobody; on one core."""

import gc
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

from bench.stream import PEER, stream
from monitor.bmp.session import Clocks, Conversation, Terms
from monitor.bmp.source import CHUNK
from monitor.bmp.update import UpdateDecoder
from monitor.bmp.wire import Framer
from monitor.rib.attribute import AttributeTable
from monitor.rib.update import Update

ROUNDS = 3
SHAPES = ((1, 1, "1, all attributes differ"), (1, 20, "1"), (20, 20, "20"), (200, 200, "200"))
"""Prefixes in an UPDATE, prefixes in a row that share an attribute set, and what that is called."""


def decoder(count: int) -> Iterator[str]:
    """Yield one line for each shape of the table."""
    yield f"the decoder alone: {count:,} paths from memory, prefixes in each UPDATE, best of {ROUNDS}:"
    for family in PEER:
        for together, attributes, words in SHAPES:
            data = stream(count, family, together, attributes)
            _check(data, count)
            nobody: deque[Update] = deque(maxlen=0)
            seconds = min(_read(data, nobody.append) for _ in range(ROUNDS))
            yield (
                f"  {f'{family}, {words}':32}{count / seconds:11,.0f} paths/s   {1e6 * seconds / count:6.2f} us CPU a path"
                f"   {len(data) / count:6.1f} octets a path"
            )


def _read(data: bytes, tell: Callable[[Update], None]) -> float:
    """Return the processor seconds that it takes to read everything."""
    terms = Terms("bench", post=False, end_of_rib_wait=30.0, local=False)
    clocks = Clocks(time.monotonic, time.time)
    conversation = Conversation(terms, clocks, UpdateDecoder(AttributeTable()), tell, {})
    framer = Framer()
    pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    gc.collect()
    began = time.process_time()
    for piece in pieces:
        for kind, body in framer.feed(piece):
            conversation.hear(kind, body)
    seconds = time.process_time() - began
    assert not conversation.ignored, conversation.ignored
    return seconds


def _check(data: bytes, count: int) -> None:
    """Make sure that what is measured does the whole work."""
    told: Counter[str] = Counter()
    _read(data, lambda update: told.update((type(update).__name__,)))
    assert told == {"PeerChanged": 1, "PathAnnounced": count}, told
