"""Keeps the past: a snapshot of what is shown now and then, and nothing for longer than was asked for."""

import asyncio
import logging
import time
from typing import Any

from monitor.engine.feed import EngineFeed
from programmer.errors import JournalError

log = logging.getLogger("bgpmon.journal")

SAMPLE_SECONDS = 10.0
"""A snapshot is taken as often, unless nothing changed."""
LONGEST_SAMPLE = 600.0
"""An unchanged state is taken again after this time, so that a moment is never far from a snapshot."""
PRUNE_SECONDS = 3600.0
PRUNE_PAUSE = 0.05
MOST_SAMPLED = 200
"""Operations of the live plan in one snapshot."""

_FLEETING = frozenset({"seconds_left", "age_seconds"})


async def keep(feed: EngineFeed) -> None:
    """Take snapshots and remove what is too old, for ever."""
    last: Any = None
    taken = 0.0
    prune_at = time.monotonic() + PRUNE_SECONDS
    while True:
        try:
            now = time.time()
            feed.change.forget()
            status = await feed.status()
            # Rates tell of the time before a snapshot, and would make every one differ from the last.
            del status["rates"]
            document = {"status": status, "plan": await feed.live_plan(MOST_SAMPLED)}
            content = _lasting(document)
            if content != last or now - taken >= LONGEST_SAMPLE:
                feed.journal.sample(now, document)
                last, taken = content, now
            if time.monotonic() >= prune_at:
                prune_at = time.monotonic() + PRUNE_SECONDS
                await prune(feed)
        except JournalError as error:
            feed.engine.reconciler.trouble = str(error)
        await asyncio.sleep(SAMPLE_SECONDS)


async def prune(feed: EngineFeed) -> int:
    """Remove what is older than the configuration wants it, in pieces; returns how many records."""
    total = 0
    before = time.time() - feed.engine.config.journal.keep
    while count := feed.journal.prune(before):
        total += count
        await asyncio.sleep(PRUNE_PAUSE)
    if total:
        log.info(
            "%d records older than %d days were removed from the journal",
            total,
            feed.engine.config.journal.keep // 86400,
        )
    return total


def _lasting(value: Any) -> Any:
    """Return a document without what changes by itself."""
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in _FLEETING}
    return [_lasting(item) for item in value] if isinstance(value, list) else value
