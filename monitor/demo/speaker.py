"""The simulated GoBGP: its sessions, and what it tells those who watch.

It behaves as gobgpd 4.8 does, as far as bgpmon looks (docs/gobgp.md): a dump per peer and family, live events of one path,
withdrawals before the event of a session that died, paths marked stale while a router restarts gracefully.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from monitor.demo import message
from monitor.demo.network import NODE_ASN, NODE_ROUTER_ID, ROUTERS
from monitor.demo.roa import Roas
from monitor.demo.session import Held, Session
from monitor.demo.table import Announcement, Tables
from programmer.route import Family, Prefix

FIRST_UPTIME, FIRST_STEP = 7200, 900
"""Seconds: how long the first session has been up when the demo starts, and by how much each further one is younger."""


class Selection(NamedTuple):
    """What a watcher asked for; ``batch`` is the size of the initial lists, 0 for one message each."""

    peers: bool
    paths: bool
    paths_init: bool
    markers: bool
    markers_init: bool
    batch: int


class Watcher(NamedTuple):
    """One who listens, and what waits for him; as in GoBGP, any number of messages may."""

    selection: Selection
    queue: "asyncio.Queue[message.Response]"


class Speaker:
    """All sessions of the simulated node; every change is told at once.

    ``clock`` returns seconds since the epoch.
    """

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.time) -> None:
        self.asn = NODE_ASN
        self.roas = Roas(tables.roas)
        self.router_id = NODE_ROUTER_ID
        self.sessions = {router.name: Session(router, dict(tables.tables[router.name])) for router in ROUTERS}
        self._clock = clock
        self.started_at = self.now
        self._watchers: list[Watcher] = []

    @property
    def now(self) -> int:
        """The speaker's clock, which counts whole seconds."""
        return int(self._clock())

    def begin(self) -> None:
        """Let every session be up, as if it had been for hours."""
        for number, name in enumerate(self.sessions):
            self.establish(name, since=self.now - FIRST_UPTIME + number * FIRST_STEP)

    # What routers do

    def announce(self, name: str, announcement: Announcement) -> None:
        """The router announces a route, or another version of it."""
        session = self.sessions[name]
        session.table[announcement.prefix] = announcement
        if session.established:
            self._receive(session, announcement, self.now)

    def withdraw(self, name: str, prefix: Prefix) -> None:
        """The router withdraws a route; KeyError if it announces none."""
        session = self.sessions[name]
        del session.table[prefix]
        if session.established:
            held = session.held.pop(prefix)
            session.updates += 1
            if held.told:
                self._tell_paths([message.bare_withdrawal(session, held)])

    def drop(self, name: str) -> None:
        """The session dies; a router that restarts gracefully keeps its paths, marked stale."""
        self._leave(self.sessions[name], graceful=self.sessions[name].router.graceful)

    def establish(self, name: str, since: int | None = None) -> None:
        """The session comes up and the router tells its table; nothing happens while it is shut, or up already."""
        session = self.sessions[name]
        if session.established or not session.enabled:
            return
        session.established, session.up_since = True, self.now if since is None else since
        self._tell_peer(session)
        for announcement in session.table.values():
            self._receive(session, announcement, session.up_since)
        # What the router did not repeat is gone with its End-of-RIB (RFC 4724 section 4.2).
        for family in session.router.families:
            session.ended.add(family)
            self._tell_marker(session, family)
        forgotten = [held for held in session.held.values() if held.announcement.prefix not in session.table]
        self._forget(session, forgotten)
        session.restarting = False

    # What the operator of the speaker does

    def disable(self, session: Session) -> None:
        """Shut a session administratively."""
        session.enabled = False
        self._leave(session, graceful=False)

    def enable(self, session: Session) -> None:
        """Allow a session again; the router comes back by itself (``establish``)."""
        session.enabled = True

    # What it tells

    @contextmanager
    def watch(self, selection: Selection) -> Iterator["asyncio.Queue[message.Response]"]:
        """Yield a queue with the initial lists, and from then on with every change."""
        queue: asyncio.Queue[message.Response] = asyncio.Queue()
        for response in self._initial(selection):
            queue.put_nowait(response)
        watcher = Watcher(selection, queue)
        self._watchers.append(watcher)
        try:
            yield queue
        finally:
            self._watchers = [one for one in self._watchers if one is not watcher]

    def _initial(self, selection: Selection) -> Iterator[message.Response]:
        if selection.peers:
            for session in self.sessions.values():
                yield message.peer_event(message.PEER_INIT, session)
            yield message.peer_event(message.PEER_END_OF_INIT, None)
        if selection.markers and selection.markers_init:
            for session in self.sessions.values():
                for family in session.router.families:
                    if session.established and family in session.ended:
                        yield message.table_event([message.end_of_rib(session, family)])
        if selection.paths and selection.paths_init:
            for session in self.sessions.values():
                for family in session.router.families:
                    paths = [message.path(session, held) for held in session.of(family) if held.told]
                    if paths:
                        yield from _lists(paths, selection.batch)
                        yield message.table_event([])

    def _receive(self, session: Session, announcement: Announcement, at: int) -> None:
        """Take a route into the Adj-RIB-In; one that has not changed keeps its age."""
        session.updates += 1
        known = session.held.get(announcement.prefix)
        same = known is not None and known.announcement == announcement
        held = session.held[announcement.prefix] = Held(announcement, known.age if known and same else at)
        if held == known:
            return
        if held.told:
            self._tell_paths([message.path(session, held)])
        elif held.rejected and not held.looped:
            self._tell_paths([message.path(session, held, withdraw=True)])

    def _leave(self, session: Session, *, graceful: bool) -> None:
        was_up = session.established
        session.established = False
        session.ended.clear()
        if was_up:
            session.down_since = self.now
            session.flaps += 1
        if graceful and was_up:
            session.restarting = True
            for prefix, held in session.held.items():
                session.held[prefix] = held._replace(stale=True)
            self._tell_each(session, [held for held in session.held.values() if held.told], withdraw=False)
        elif not graceful:
            session.restarting = False
            self._forget(session, list(session.held.values()))
        self._tell_peer(session)

    def _forget(self, session: Session, gone: list[Held]) -> None:
        for held in gone:
            del session.held[held.announcement.prefix]
        self._tell_each(session, [held for held in gone if held.told], withdraw=True)

    def _tell_each(self, session: Session, several: Iterable[Held], *, withdraw: bool) -> None:
        for held in several:
            self._tell_paths([message.path(session, held, withdraw=withdraw)])

    def _tell_paths(self, paths: list[object]) -> None:
        self._tell(lambda selection: selection.paths, lambda: message.table_event(paths))

    def _tell_marker(self, session: Session, family: Family) -> None:
        marker = message.end_of_rib(session, family)
        self._tell(lambda selection: selection.markers, lambda: message.table_event([marker]))

    def _tell_peer(self, session: Session) -> None:
        self._tell(lambda selection: selection.peers, lambda: message.peer_event(message.PEER_STATE, session))

    def _tell(self, wanted: Callable[[Selection], bool], response: Callable[[], message.Response]) -> None:
        for watcher in self._watchers:
            if wanted(watcher.selection):
                watcher.queue.put_nowait(response())


def _lists(paths: list[object], batch: int) -> Iterator[message.Response]:
    """Yield one list: all at once without a batch size, else messages of one more than it and a shorter last one."""
    if not batch:
        yield message.table_event(paths)
        return
    full = batch + 1
    for start in range(0, len(paths) + 1, full):
        yield message.table_event(paths[start : start + full])
