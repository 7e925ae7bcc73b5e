"""Notifications of routes, links, addresses and rules, taken on the event loop and handed out in lists.

Taking is done in bounded slices, so that a flood never holds up the loop; waiting events are bounded too,
and what does not fit becomes one OverrunEvent, which means: read everything again.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable

from programmer.codec import CodecError, EventDecoder
from programmer.codec.wire import HEADER, RTM_DELROUTE, RTM_NEWROUTE, S32, header_at
from programmer.errors import FibUnavailable
from programmer.fib import FibEvent, LinkEvent, OverrunEvent, RouteEvent, RuleEvent
from programmer.netlink.channel import NOTIFY_BUFFER, RECEIVE_SIZE, open_socket
from programmer.route import Family, TableId

_RTNLGRP_LINK = 1
_RTNLGRP_IPV4_IFADDR = 5
_RTNLGRP_IPV4_ROUTE = 7
_RTNLGRP_IPV4_RULE = 8
_RTNLGRP_IPV6_IFADDR = 9
_RTNLGRP_IPV6_ROUTE = 11
_RTNLGRP_IPV6_RULE = 19
GROUPS = (
    _RTNLGRP_LINK,
    _RTNLGRP_IPV4_IFADDR,
    _RTNLGRP_IPV4_ROUTE,
    _RTNLGRP_IPV4_RULE,
    _RTNLGRP_IPV6_IFADDR,
    _RTNLGRP_IPV6_ROUTE,
    _RTNLGRP_IPV6_RULE,
)

_NEWLINK, _DELLINK, _NEWADDR, _DELADDR = 16, 17, 20, 21
_LINK_KINDS = frozenset({_NEWLINK, _DELLINK, _NEWADDR, _DELADDR})
"""The link's index stands at the same place in all."""
_LINK_INDEX_AT = HEADER.size + 4
_LINK_FLAGS_AT = HEADER.size + 8
"""ifi_flags of struct ifinfomsg, linux/rtnetlink.h."""
_IFF_UP = 1
_RULE_KINDS = frozenset({32, 33})
"""RTM_NEWRULE, RTM_DELRULE."""

MOST_WAITING = 200_000
"""Events kept for a consumer that does not come; more are dropped for one OverrunEvent."""
SLICE = 500
"""Messages taken from the socket before the loop may do something else: some two milliseconds."""


def open_watch_socket() -> socket.socket:
    """Open the subscribed socket in the calling thread's namespace; raises FibUnavailable."""
    opened = open_socket(groups=GROUPS, receive_buffer=NOTIFY_BUFFER)
    opened.settimeout(0)
    return opened


class Watcher:
    """Owns a subscribed socket and the events that wait to be handed out.  Lives on one event loop."""

    def __init__(self, watched: socket.socket, own_port: Callable[[], int], most_waiting: int = MOST_WAITING) -> None:
        self._socket = watched
        self._own_port = own_port
        self._most_waiting = most_waiting
        self._tables: frozenset[TableId] = frozenset()
        self._decoder = EventDecoder()
        self._waiting: list[FibEvent] = []
        self._lost = 0
        self._ready = asyncio.Event()
        self._closed = False
        self._buffer = bytearray(RECEIVE_SIZE)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(watched, self._take)

    def watch(self, tables: frozenset[TableId]) -> None:
        """Report route events of these tables only."""
        self._tables = tables

    async def events(self) -> AsyncIterator[list[FibEvent]]:
        """Yield what has come since the last list; ends when closed, or when the socket fails for good."""
        while not self._closed:
            await self._ready.wait()
            self._ready.clear()
            if events := self._hand_out():
                yield events

    async def told(self) -> list[FibEvent]:
        """Return what the kernel has told by now and ``events`` has not yielded; see ``Fib.told``.

        Raises FibUnavailable when nothing is told any more.
        """
        # So much is more than the socket's buffer holds: a flood cannot keep us here.
        for _ in range(MOST_WAITING // SLICE):
            if self._closed or self._take():
                break
            await asyncio.sleep(0)
        if self._closed:
            raise FibUnavailable("the kernel's notifications have ended: what others change is not seen any more")
        return self._hand_out()

    def _hand_out(self) -> list[FibEvent]:
        """Return what waits, which then waits no longer."""
        if self._lost:
            lost, self._lost = self._lost, 0
            self._waiting.clear()
            return [OverrunEvent(lost)]
        events, self._waiting = self._waiting, []
        return events

    def close(self) -> None:
        """Stop listening and end ``events``."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._ready.set()

    def _take(self) -> bool:
        """Take at most one slice of messages off the socket; True when nothing is left there."""
        emptied = False
        view = memoryview(self._buffer)
        for _ in range(SLICE):
            try:
                size = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                emptied = True
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    self.close()
                    return True
                self._overrun(1)
                continue
            try:
                event = self._event(view[:size])
            except CodecError:
                self._overrun(1)
                continue
            if event is not None and not (self._waiting and _same(self._waiting[-1], event)):
                self._waiting.append(event)
        if len(self._waiting) > self._most_waiting:
            self._overrun(len(self._waiting))
        if self._waiting or self._lost:
            self._ready.set()
        return emptied

    def _overrun(self, lost: int) -> None:
        """Drop what waits: after a loss only a full read tells the truth."""
        self._lost += lost
        self._waiting.clear()

    def _event(self, message: memoryview) -> FibEvent | None:
        """Return what one datagram says, or None if it is of no interest.  Raises CodecError."""
        _, kind, _, _, _ = header_at(message, 0)
        if kind in {RTM_NEWROUTE, RTM_DELROUTE}:
            event = self._decoder.decode(message, self._tables)
            if event is None:
                return None
            table, family, key, metric, protocol, forwarding, port = event
            by_us = port == self._own_port()
            return RouteEvent(TableId(table), family, key, metric, protocol, forwarding, by_us)
        if len(message) < _LINK_INDEX_AT + S32.size:
            raise CodecError(f"a notification of type {kind} has {len(message)} octets")
        if kind in _LINK_KINDS:
            return LinkEvent(int(S32.unpack_from(message, _LINK_INDEX_AT)[0]), _takes_away(kind, message))
        if kind in _RULE_KINDS and message[HEADER.size] in {int(family) for family in Family}:
            return RuleEvent(Family(message[HEADER.size]))
        return None


def _takes_away(kind: int, message: memoryview) -> bool:
    """Say whether the kernel may have removed routes along with what a link's message says."""
    if kind == _NEWLINK:
        return len(message) >= _LINK_FLAGS_AT + S32.size and not S32.unpack_from(message, _LINK_FLAGS_AT)[0] & _IFF_UP
    return kind in {_DELLINK, _DELADDR}


def _same(one: FibEvent, other: FibEvent) -> bool:
    """True for equal events of one kind; named tuples of different kinds may compare equal."""
    return type(one) is type(other) and one == other
