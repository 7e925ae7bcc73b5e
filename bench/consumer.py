"""A process of its own that takes what a source tells, and does nothing with it: ``python -m bench.consumer`` for `source`.

Prints one line of JSON (`Taken`) when it has been told so many different prefixes.
"""

import argparse
import asyncio
import gc
import ipaddress
import json
import os
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from monitor.bmp.access import Admission
from monitor.bmp.source import CHUNK, BmpSource
from monitor.bmp.wire import Framer, Kind
from monitor.gobgp.source import GobgpSource
from monitor.rib.update import FeedLost, FeedStarted, PathAnnounced
from programmer.netlink.namespace import identify_namespace
from programmer.netlink.sockets import NamespaceSockets, Place

STATION: Place = (ipaddress.ip_address("127.0.0.1"), 11019)
QUIET = 3.0
"""Seconds without a path after which a speaker has told everything."""


class Taken(NamedTuple):
    """What a consumer saw, from the beginning of the feed to the last path; ``octets`` and ``messages`` of `drain` alone."""

    seconds: float
    processor_seconds: float
    octets: int = 0
    messages: int = 0


async def follow(source: GobgpSource | BmpSource, count: int) -> Taken:
    """Take until *count* different prefixes were told; the set of them is part of what is paid."""
    seen: set[bytes] = set()
    began = paid = 0.0
    told = source.updates()
    assert isinstance(told, AsyncGenerator)
    async with aclosing(told) as updates:
        async for batch in updates:
            for update in batch:
                if type(update) is PathAnnounced:
                    seen.add(update.key)
                elif isinstance(update, FeedStarted):
                    assert not seen, "the speaker tells everything again"
                    began, paid = time.monotonic(), time.process_time()
                elif isinstance(update, FeedLost):
                    assert not seen, update.cause
            if len(seen) >= count:
                break
        taken = Taken(time.monotonic() - began, time.process_time() - paid)
    await source.close()
    return taken


async def drain(sockets: NamespaceSockets) -> Taken:
    """Read what a speaker sends, and throw it away: how fast it can tell."""
    listening = await sockets.listen(STATION)
    connection, _ = await asyncio.get_running_loop().sock_accept(listening)
    return await asyncio.to_thread(_drain, connection)


def _drain(connection: socket.socket) -> Taken:
    connection.settimeout(0.5)
    framer = Framer()
    octets = messages = 0
    began, paid = time.monotonic(), time.process_time()
    last = last_paid = 0.0
    while not messages or time.monotonic() - began - last < QUIET:
        try:
            data = connection.recv(CHUNK)
        except TimeoutError:
            continue
        assert data, "the speaker closed the connection"
        octets += len(data)
        if routes := sum(kind == Kind.ROUTE_MONITORING for kind, _ in framer.feed(data)):
            messages += routes
            last, last_paid = time.monotonic() - began, time.process_time() - paid
    return Taken(last, last_paid, octets, messages)


async def main() -> None:
    """Consume as asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.consumer")
    parser.add_argument("how", choices=["gobgp", "bmp", "drain"])
    parser.add_argument("where", help="the API of gobgpd, or the namespace in which to listen for BMP")
    parser.add_argument("count", type=int)
    asked = parser.parse_args()
    gc.set_threshold(20_000, 20, 1000)  # as the daemon does
    if asked.how == "gobgp":
        taken = await follow(GobgpSource("bench", asked.where), asked.count)
    else:
        sockets = NamespaceSockets(identify_namespace(asked.where))
        if asked.how == "drain":
            taken = await drain(sockets)
        else:
            admission = Admission(frozenset({os.getuid()}), frozenset())
            taken = await follow(BmpSource("bench", STATION, admission, sockets), asked.count)
        await sockets.close()
    print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
