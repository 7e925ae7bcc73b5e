"""What only the real kernel can do to us: foreign members, interruptions, overruns, rights, namespaces."""

import asyncio
import contextlib
import errno
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from programmer.errors import DumpInterrupted, FibUnavailable, NamespaceRefused
from programmer.fib import OK, OverrunEvent, Ownership, RouteEvent, Verb
from programmer.netlink import LinuxFib, identify_namespace
from programmer.route import Family, key_of
from tests.contract.stage import (
    METRIC,
    OTHER,
    OURS,
    PREFIX,
    TABLE,
    LinuxStage,
    change,
    net,
    read,
    via,
    write,
)
from tests.support.netns import namespace, require_root_namespaces
from tests.support.wait import until

pytestmark = pytest.mark.kernel

ADD, REPLACE, DELETE = Verb.ADD, Verb.REPLACE, Verb.DELETE
DEADLINE = 30.0
ROOT = Path(__file__).resolve().parents[2]


class TestForeignMembers:
    """IPv6 groups routes by prefix and metric whatever the protocol."""

    PREFIX = "2001:db8:f::/48"

    async def test_a_next_hop_that_another_program_appended_survives_our_deletion(self, linux: LinuxStage) -> None:
        ours = via("2001:db8:1::10", "2001:db8:1::11", link=linux.east)
        await write(linux, change(ADD, self.PREFIX, ours))
        words = f"-6 route append {self.PREFIX} via 2001:db8:1::12 metric {METRIC} proto {OTHER} table {TABLE}"
        linux.node.ip(*words.split())
        seen = (await read(linux, Family.IPV6)).routes[key_of(net(self.PREFIX))]
        assert len(seen.next_hops) == 3
        (result,) = await write(linux, change(DELETE, self.PREFIX, seen))
        assert result.errno == errno.ESRCH
        image = await read(linux, Family.IPV6)
        assert not image.routes
        (left,) = image.foreign.values()
        assert left.protocol == OTHER
        assert [str(hop.address) for hop in left.forwarding.next_hops] == ["2001:db8:1::12"]

    async def test_an_appended_next_hop_is_reported_with_the_protocol_of_its_owner(self, linux: LinuxStage) -> None:
        await write(linux, change(ADD, self.PREFIX, via("2001:db8:1::10", link=linux.east)))
        words = f"-6 route append {self.PREFIX} via 2001:db8:1::12 metric {METRIC} proto {OTHER} table {TABLE}"
        linux.node.ip(*words.split())
        events: list[RouteEvent] = []
        async with asyncio.timeout(DEADLINE):
            async for some in linux.fib.events():
                events += [event for event in some if isinstance(event, RouteEvent)]
                if len(events) >= 2:
                    break
        assert [(event.protocol, event.by_us) for event in events] == [(OURS, True), (OTHER, False)]


class TestForeignAttributes:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("route add blackhole 203.0.113.0/24", "blackhole"),
            ("route add 203.0.113.0/24 via 10.1.0.2 mtu 1300", "metrics"),
            ("route add 203.0.113.0/24 nhid 7", "nhid 7"),
            ("route add 203.0.113.0/24 via 10.77.0.1 dev east onlink", "onlink"),
            ("-6 route add unreachable 2001:db8:f::/48", "unreachable"),
            ("-6 route add 2001:db8:f::/48 via 2001:db8:1::2 pref high", "pref"),
            ("-6 route add 2001:db8:f::/48 via 2001:db8:1::2 expires 1000", "expires"),
        ],
    )
    async def test_what_we_never_write_differs_from_all_that_we_want_and_can_be_replaced(
        self, linux: LinuxStage, words: str, said: str
    ) -> None:
        linux.node.ip(*["nexthop", "add", "id", "7", "via", "10.1.0.2", "dev", "east"])
        linux.node.ip(*f"{words} metric {METRIC} proto {OURS} table {TABLE}".split())
        six = words.startswith("-6")
        family, prefix = (Family.IPV6, "2001:db8:f::/48") if six else (Family.IPV4, "203.0.113.0/24")
        image = await read(linux, family)
        assert said in image.routes[key_of(net(prefix))].foreign_attributes
        wanted = via("2001:db8:1::2" if six else "10.1.0.2", link=linux.east)
        assert await write(linux, change(REPLACE, prefix, wanted)) == [OK]
        assert (await read(linux, family)).routes == {key_of(net(prefix)): wanted}

    async def test_our_mark_on_a_type_of_service_is_not_ours(self, linux: LinuxStage) -> None:
        words = f"route add 203.0.113.0/24 tos 0x10 via 10.1.0.2 metric {METRIC} proto {OURS} table {TABLE}"
        linux.node.ip(*words.split())
        image = await read(linux)
        assert not image.routes
        assert [route.forwarding.foreign_attributes for route in image.foreign.values()] == ["tos 0x10"]

    async def test_a_marked_blackhole_can_be_deleted(self, linux: LinuxStage) -> None:
        for words in ("route add blackhole 203.0.113.0/24", "-6 route add blackhole 2001:db8:f::/48"):
            linux.node.ip(*f"{words} metric {METRIC} proto {OURS} table {TABLE}".split())
        route = via("10.1.0.2")
        assert await write(
            linux, change(DELETE, "203.0.113.0/24", route), change(DELETE, "2001:db8:f::/48", route)
        ) == [OK, OK]


class TestVolume:
    async def test_twenty_thousand_routes_arrive_and_leave_by_shape(self, linux: LinuxStage) -> None:
        shapes = [
            via("10.1.0.2", link=linux.east),
            via("10.2.0.2", link=linux.west, source="10.2.0.1"),
            via("10.1.0.2", "10.1.0.3", link=linux.east, weights=(1, 5)),
        ]
        wanted = {bytes((24, 20 + (i >> 16), i >> 8 & 255, i & 255)): shapes[i % 3] for i in range(20_000)}
        adds = [change(ADD, "0.0.0.0/0", route)._replace(key=key) for key, route in wanted.items()]
        assert await write(linux, *adds) == [OK] * len(adds)
        assert (await read(linux)).routes == wanted
        assert await write(linux, *(add._replace(verb=DELETE) for add in adds)) == [OK] * len(adds)
        assert not (await read(linux)).routes

    async def test_routes_with_many_next_hops_fit_their_sends(self, linux: LinuxStage) -> None:
        gateways = [f"2001:db8:1::{host:x}" for host in range(2, 130)]
        route = via(*gateways, link=linux.east)
        adds = [change(ADD, f"2001:db8:f{i:03x}::/48", route) for i in range(1200)]
        assert await write(linux, *adds) == [OK] * 1200
        assert set((await read(linux, Family.IPV6)).routes.values()) == {route}

    async def test_a_thousand_failures_in_one_batch_are_all_told(self, linux: LinuxStage) -> None:
        adds = [change(ADD, f"203.0.{i >> 8}.{i & 255}/32", via("192.0.2.77")) for i in range(1000)]
        results = await write(linux, *adds)
        assert {result.errno for result in results} == {errno.ENETUNREACH}
        assert {result.message for result in results} == {"Nexthop has invalid gateway"}


class TestChurn:
    @pytest.mark.parametrize("family", list(Family), ids=["ipv4", "ipv6"])
    async def test_no_read_during_churn_misses_a_stable_route(
        self, linux: LinuxStage, family: Family, tmp_path: Path
    ) -> None:
        """The kernel loses IPv6 routes from a dump when others are deleted meanwhile, without a flag."""
        six = family is Family.IPV6
        gateway = "2001:db8:1::2" if six else "10.1.0.2"
        stable = [f"2001:db8:8{i:03x}::/48" if six else f"20.{i >> 8}.{i & 255}.0/24" for i in range(3000)]
        passing = [f"2001:db8:7{i:03x}::/48" if six else f"19.{i >> 8}.{i & 255}.0/24" for i in range(1000)]
        adds = [change(ADD, prefix, via(gateway, link=linux.east)) for prefix in stable]
        assert await write(linux, *adds) == [OK] * len(adds)
        tail = f"via {gateway} metric {METRIC} proto {OURS} table {TABLE}"
        batch = tmp_path / "churn"
        lines = [f"route {verb} {prefix} {tail}\n" for verb in ("add", "del") for prefix in passing]
        batch.write_text("".join(lines))
        once = f"ip {'-6' if six else '-4'} -batch {batch}"
        # Told to end, it waits for the batch that runs.
        linux.node.exec("sh", "-c", f"trap 'wait; exit' TERM; while :; do {once} & wait $!; done")
        wanted = {key_of(net(prefix)) for prefix in stable}
        complete = 0
        for _ in range(50):
            with contextlib.suppress(DumpInterrupted):
                image = await read(linux, family)
                assert not wanted - image.routes.keys()
                complete += 1
        linux.node.stop()
        assert not wanted - (await read(linux, family)).routes.keys()
        assert complete or six

    async def test_an_ipv6_deletion_in_the_middle_of_a_dump_makes_it_an_interrupted_one(
        self, linux: LinuxStage
    ) -> None:
        adds = [change(ADD, f"2001:db8:{i:x}::/48", via("2001:db8:1::2", link=linux.east)) for i in range(256, 3256)]
        assert await write(linux, *adds) == [OK] * len(adds)
        dump_socket = linux.fib._dump_socket
        assert dump_socket is not None
        asked = 0

        def delete_one_between_two_datagrams() -> bool:
            nonlocal asked
            asked += 1
            if asked == 1:
                linux.drop("2001:db8:100::/48", metric=METRIC)
            return False

        interrupted = []
        for _ in range(2):
            dump = await asyncio.to_thread(
                dump_socket.dump,
                TABLE,
                Family.IPV6,
                protocol=OURS,
                metrics=frozenset({METRIC}),
                stop=delete_one_between_two_datagrams,
            )
            interrupted.append(dump.interrupted)
        assert asked > 2
        assert interrupted == [True, False]


class TestOverrun:
    async def test_lost_notifications_become_one_overrun(self, linux: LinuxStage) -> None:
        watcher = linux.fib._watcher
        assert watcher is not None
        watcher._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._flood(linux, 2000)
        assert await self._first_overrun(linux)
        assert len((await read(linux)).foreign) == 2000

    async def test_events_that_nobody_takes_become_one_overrun(self, linux: LinuxStage) -> None:
        watcher = linux.fib._watcher
        assert watcher is not None
        watcher._most_waiting = 1000
        self._flood(linux, 2000)

        async def lost() -> bool:
            return watcher._lost > 1000

        await until(lost, what="what waits to be dropped")
        assert await self._first_overrun(linux)

    async def test_a_loss_is_told_before_anything_is_written(self, linux: LinuxStage) -> None:
        watcher = linux.fib._watcher
        assert watcher is not None
        watcher._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._flood(linux, 2000)
        assert [type(event) for event in await linux.fib.told()] == [OverrunEvent]

    async def test_a_flood_is_told_in_order_and_as_a_whole(self, linux: LinuxStage) -> None:
        await linux.fib.told()
        self._flood(linux, 3000)
        told = [event for event in await linux.fib.told() if isinstance(event, RouteEvent)]
        assert [event.key for event in told] == [key_of(net(f"20.{i >> 8}.{i & 255}.0/24")) for i in range(3000)]

    async def test_a_socket_that_fails_tells_nothing_and_says_so(self, linux: LinuxStage) -> None:
        watcher = linux.fib._watcher
        assert watcher is not None
        real = watcher._socket

        class Broken:
            fileno, close = real.fileno, real.close

            def recv_into(self, _buffer: bytearray) -> int:
                raise OSError(errno.EBADF, "bad file descriptor")

        watcher._socket = Broken()  # type: ignore[assignment]
        with pytest.raises(FibUnavailable, match="notifications have ended"):
            await linux.fib.told()

    def _flood(self, linux: LinuxStage, count: int) -> None:
        """Change routes while our event loop stands still."""
        tail = f"via 10.1.0.2 metric {METRIC} proto {OTHER} table {TABLE}"
        linux.node.ip_batch([f"route add 20.{i >> 8}.{i & 255}.0/24 {tail}" for i in range(count)])

    async def _first_overrun(self, linux: LinuxStage) -> bool:
        async with asyncio.timeout(DEADLINE):
            async for events in linux.fib.events():
                if any(isinstance(event, OverrunEvent) and event.lost for event in events):
                    return True
        return False


class TestRights:
    SCRIPT = """
import asyncio, sys
from programmer.errors import FibDenied, NamespaceRefused
from programmer.fib import Ownership, Verb, Write
from programmer.netlink import LinuxFib
from programmer.route import Family, Forwarding, TableId

async def main(other):
    try:
        await LinuxFib.open(None)
    except NamespaceRefused as error:
        assert "/proc/1/ns/net" in str(error) and "/proc/self/ns/net" in str(error), error
    else:
        raise SystemExit("a namespace that is not the host's was accepted")
    try:
        await LinuxFib.open(other)
    except NamespaceRefused as error:
        assert "CAP_SYS_ADMIN" in str(error), error
    else:
        raise SystemExit("another namespace was entered without any right")
    fib = await LinuxFib.open("/proc/self/ns/net")
    fib.watch(frozenset({TableId(101)}))
    for family in Family:
        image = await fib.read(TableId(101), family, Ownership(196, frozenset({200})))
        assert len(image.foreign) == 1, image
    assert len(await fib.foreign_rules(196)) == 5
    assert {link.name for link in (await fib.links()).links.values()} >= {"lo", "east", "west"}
    assert not await fib.writable()
    try:
        absent = Write(Verb.DELETE, TableId(101), Family.IPV4, bytes((8, 10)), Forwarding(200, ()))
        await fib.write([absent], 196)
    except FibDenied as error:
        assert "CAP_NET_ADMIN" in str(error), error
    else:
        raise SystemExit("a write without rights was not denied")
    print("watching", flush=True)
    async for events in fib.events():
        print(len(events), flush=True)
        break
    await fib.close()

asyncio.run(main(sys.argv[1]))
"""

    async def test_without_capabilities_all_is_read_and_nothing_written(self, linux: LinuxStage) -> None:
        linux.put("203.0.113.0/24", "10.1.0.2", metric=METRIC, protocol=OTHER)
        linux.put("2001:db8:f::/48", "2001:db8:1::2", metric=METRIC, protocol=OTHER)
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", self.SCRIPT]
        process = linux.node.exec(
            *command, str(linux.far.path), stdout=-1, stderr=-1, text=True, cwd=ROOT, env={**os.environ}
        )
        assert process.stdout is not None
        first = await asyncio.to_thread(process.stdout.readline)
        if first:
            linux.drop("203.0.113.0/24", metric=METRIC)
        rest, errors = await asyncio.to_thread(process.communicate, timeout=DEADLINE)
        assert (first, rest, process.returncode) == ("watching\n", "1\n", 0), errors

    async def test_with_capabilities_it_is_writable(self, linux: LinuxStage) -> None:
        assert await linux.fib.writable()


class TestNamespaces:
    def test_an_explicit_namespace_is_proved_by_its_inode(self) -> None:
        require_root_namespaces()
        with namespace("proof", PREFIX) as proof:
            identity = identify_namespace(str(proof.path))
            assert (identity.inode, identity.is_initial, identity.own) == (proof.inode, False, False)
            assert str(proof.inode) in identity.text

    def test_our_own_namespace_may_be_named(self) -> None:
        identity = identify_namespace("/proc/self/ns/net")
        assert identity.own
        assert identity.inode == Path("/proc/self/ns/net").stat().st_ino

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("/run/netns/bgpm-fib-no-such", "there is no such network namespace"),
            ("/proc/self/ns/mnt", "not a network namespace"),
            ("/proc/self/status", "not a namespace file"),
        ],
    )
    def test_a_path_that_is_no_network_namespace_is_refused(self, path: str, words: str) -> None:
        with pytest.raises(NamespaceRefused, match=words):
            identify_namespace(path)

    async def test_sources_stay_reachable_because_only_our_threads_move(self, linux: LinuxStage) -> None:
        before = Path("/proc/self/ns/net").stat().st_ino
        assert linux.node.inode != before
        assert linux.fib.identity.inode == linux.node.inode
        assert {link.name for link in (await linux.fib.links()).links.values()} == {"lo", "east", "west"}

    async def test_opening_and_closing_leaves_nothing_behind(self) -> None:
        require_root_namespaces()

        def held() -> tuple[int, int, int]:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), len(children)

        with namespace("cycle", PREFIX) as cycle:
            for round_number in range(200):
                fib = await LinuxFib.open(str(cycle.path))
                await fib.links()
                await fib.rules(OURS)
                await read_once(fib)
                await fib.close()
                if round_number == 0:
                    before = held()
            assert held() == before

    async def test_a_refused_opening_leaves_nothing_behind(self) -> None:
        before = (len(list(Path("/proc/self/fd").iterdir())), threading.active_count())
        for _ in range(20):
            with pytest.raises(NamespaceRefused):
                await LinuxFib.open("/proc/self/ns/mnt")
        assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) == before


async def read_once(fib: LinuxFib) -> None:
    """Read an empty table."""
    assert not (await fib.read(TABLE, Family.IPV4, Ownership(OURS, frozenset({METRIC})))).routes
