"""The simulated GoBGP against our own client and source: they find what they find in a real one."""

import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from monitor.demo import server
from monitor.demo.server import SERVICE, serving
from monitor.demo.speaker import Speaker
from monitor.demo.table import CONTESTED, SPEAKER_REJECTS, TRANSIT, Announcement, build
from monitor.errors import MonitorError, SourceError
from monitor.gobgp import feed
from monitor.gobgp._pb import v4_pb2
from monitor.gobgp.client import Client
from monitor.rib.attribute import Rpki
from monitor.rib.path import PeerId
from monitor.rib.peer import AdminState
from programmer.route import Family, key_of
from tests.support.mirror import Mirror, mirroring
from tests.support.wait import until

ROUTES = 2000
EDGE, SAN = PeerId("fabric", "203.0.113.9"), PeerId("fabric", "172.30.3.1")


@pytest.fixture
def speaker() -> Speaker:
    made = Speaker(build(ROUTES, 1))
    made.begin()
    return made


@pytest.fixture
def socket() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bgpmon-test-") as folder:
        yield Path(folder) / "gobgpd.sock"


def told_by(speaker: Speaker) -> dict[tuple[str, PeerId, int], Announcement]:
    """What the speaker's event stream is about."""
    return {
        (str(prefix), PeerId("fabric", session.router.address), 0): held.announcement
        for session in speaker.sessions.values()
        for prefix, held in session.held.items()
        if held.told
    }


@asynccontextmanager
async def listening(speaker: Speaker, socket: Path) -> AsyncIterator[Mirror]:
    """A source that follows the speaker, with everything told when the block begins."""
    async with serving(speaker, socket), mirroring(f"unix://{socket}") as mirror:
        await until(lambda: len(mirror.complete) == 8, what="every table to be complete")
        yield mirror


async def all_told(speaker: Speaker, mirror: Mirror) -> None:
    """Wait until the mirror holds what the speaker tells."""
    await until(lambda: mirror.paths.keys() == told_by(speaker).keys(), what="the same paths on both sides")


async def test_the_client_takes_it_for_a_gobgp_4(speaker: Speaker, socket: Path) -> None:
    async with serving(speaker, socket):
        client = Client(f"unix://{socket}")
        assert await client.probe() == (65000, "172.30.1.10")
        assert client.dialect.generation == 4
        assert len(await client.list_peers()) == 7
        assert [one.conf.peer_asn for one in await client.list_peers("172.30.3.1")] == [65003]
        assert await client.list_peers("192.0.2.99") == []
        await client.close()


async def test_a_source_is_told_every_path_with_its_attributes(speaker: Speaker, socket: Path) -> None:
    async with listening(speaker, socket) as mirror:
        wanted = told_by(speaker)
        assert mirror.paths.keys() == wanted.keys()
        for name, (_, path) in mirror.paths.items():
            said = wanted[name]
            assert path.attributes.as_path == ((2, said.as_path),)
            assert path.attributes.communities == said.communities
            assert path.attributes.med == said.med
            assert str(ip_network(path.attributes.next_hop).network_address) == said.next_hop
        assert set(mirror.complete.values()) == {"End-of-RIB"}


async def test_peers_look_as_they_do_in_a_real_one(speaker: Speaker, socket: Path) -> None:
    async with listening(speaker, socket) as mirror:
        san, edge = mirror.peers[SAN], mirror.peers[PeerId("fabric", "198.51.100.9")]
        assert (san.established, san.authenticated, san.local_asn, san.asn) == (True, True, 65000, 65003)
        assert san.families.keys() == set(Family)
        assert not edge.authenticated
        # The looped path is received and not accepted (gobgp-facts: nothing else is left out of `accepted`).
        assert edge.families[Family.IPV4].received == edge.families[Family.IPV4].accepted + 1
        assert edge.since is not None


async def test_live_changes_arrive(speaker: Speaker, socket: Path) -> None:
    async with listening(speaker, socket) as mirror:
        prefix = "192.0.2.128/25"
        name = (prefix, EDGE, 0)
        first = Announcement(ip_network(prefix), (65002, 64496), "203.0.113.9")
        speaker.announce("edge2", first)
        await until(lambda: name in mirror.paths, what="the announcement")
        speaker.announce("edge2", first._replace(med=50))
        await until(lambda: mirror.path(prefix, EDGE).attributes.med == 50, what="the new version")
        speaker.announce("edge2", first._replace(communities=(SPEAKER_REJECTS,)))
        await until(lambda: (prefix, EDGE) in mirror.rejected, what="the rejection by the speaker's policy")
        assert name not in mirror.paths
        speaker.announce("edge2", first)
        await until(lambda: name in mirror.paths, what="the path again")
        speaker.withdraw("edge2", first.prefix)
        await until(lambda: name not in mirror.paths, what="the withdrawal")
        await all_told(speaker, mirror)


async def test_a_session_that_dies_takes_its_paths_along_and_brings_them_back(speaker: Speaker, socket: Path) -> None:
    async with listening(speaker, socket) as mirror:
        speaker.drop("edge2")
        await until(lambda: mirror.complete.get((EDGE, Family.IPV4)) == "peer is down", what="the empty table")
        assert not mirror.prefixes(EDGE)
        speaker.establish("edge2")
        await until(lambda: mirror.complete.get((EDGE, Family.IPV4)) == "End-of-RIB", what="the full table")
        await all_told(speaker, mirror)


async def test_a_graceful_restart_marks_paths_stale_and_keeps_them(speaker: Speaker, socket: Path) -> None:
    async with listening(speaker, socket) as mirror:
        mine = mirror.prefixes(SAN)
        speaker.drop("san1")
        await until(lambda: all(mirror.path(prefix, SAN).stale for prefix in mine), what="stale paths")
        assert mirror.prefixes(SAN) == mine
        await until(lambda: mirror.peers[SAN].restarting, what="the peer to be restarting")
        gone = ip_network("10.8.1.0/24")
        speaker.withdraw("san1", gone)  # the router comes back without it
        speaker.establish("san1")
        await until(lambda: str(gone) not in mirror.prefixes(SAN), what="the forgotten path to go")
        await until(lambda: not any(path.stale for _, path in mirror.paths.values()), what="fresh paths")
        assert mirror.paths.keys() == told_by(speaker).keys()


async def test_paths_that_the_speaker_rejected_before_are_found(
    speaker: Speaker, socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PEERS_PERIOD", 0.5)
    rejected = Announcement(ip_network("192.0.2.0/24"), (65002, 64496), "203.0.113.9", (SPEAKER_REJECTS,))
    speaker.announce("edge2", rejected)
    async with listening(speaker, socket) as mirror:
        await until(lambda: mirror.rejected.keys() == {("192.0.2.0/24", EDGE)}, timeout=30, what="the audit to find it")


async def test_a_session_is_shut_and_opened_as_its_operator_says(
    speaker: Speaker, socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "RECONNECT_SECONDS", 0.1)
    async with listening(speaker, socket) as mirror:
        await mirror.source.disable_peer(EDGE, "maintenance")
        await until(lambda: mirror.peers[EDGE].admin_state is AdminState.DOWN, what="the peer to be shut")
        await until(lambda: not mirror.prefixes(EDGE), what="its paths to go")
        speaker.establish("edge2")
        assert not speaker.sessions["edge2"].established, "a shut session came up"
        await mirror.source.enable_peer(EDGE)
        await until(lambda: mirror.peers[EDGE].established, what="the peer to be back")
        await all_told(speaker, mirror)


async def test_whole_tables_can_be_listed(speaker: Speaker, socket: Path) -> None:
    async with serving(speaker, socket):
        client = Client(f"unix://{socket}")
        await client.probe()
        adjacent = [len(paths) async for paths in client.list_adj_in("198.51.100.9", 1)]
        assert len(adjacent) == speaker.sessions["edge1"].counters(Family.IPV4)[0]
        everything = [path async for paths in client.list_global(1) for path in paths]
        assert len(everything) == sum(name[0].count(".") > 0 for name in told_by(speaker))
        with pytest.raises(SourceError, match=r"192\.0\.2\.99 doesn't exist"):
            await anext(client.list_adj_in("192.0.2.99", 1))
        with pytest.raises(SourceError, match="doesn't exist"):
            await client.disable_peer("192.0.2.99", "")
        await client.close()


async def test_rpki_states_are_told_of_the_prefixes_that_are_asked_about(speaker: Speaker, socket: Path) -> None:
    async with listening(speaker, socket) as mirror:
        roas = await mirror.source.roa_state()
        assert roas.synced
        contested = key_of(CONTESTED.prefix)
        absent = key_of(ip_network("198.51.100.0/25"))
        found = await mirror.source.validate(Family.IPV4, [contested, absent], roas)
        assert found.keys() == {contested}
        assert dict(found[contested]) == {CONTESTED.asn: Rpki.VALID, TRANSIT[9]: Rpki.INVALID}
        keys = [key_of(ip_network(prefix)) for prefix in mirror.prefixes(EDGE)]
        states = Counter(state for said in (await mirror.source.validate(Family.IPV4, keys, roas)).values()
                         for _, state in said)  # fmt: skip
        assert states[Rpki.INVALID] == 1
        assert states[Rpki.VALID] > len(keys) / 5
        assert states[Rpki.NOT_FOUND] > len(keys) / 5


def watching(kind: int) -> Any:
    return v4_pb2.WatchEventRequest(
        table=v4_pb2.WatchEventRequest.Table(filters=[v4_pb2.WatchEventRequest.Table.Filter(type=kind)])
    )


def exact(prefix: str, kind: int) -> Any:
    return v4_pb2.ListPathRequest(
        table_type=1,
        family=v4_pb2.Family(afi=1, safi=1),
        prefixes=[v4_pb2.TableLookupPrefix(prefix=prefix, type=kind)],
    )


@pytest.mark.parametrize(
    ("method", "request_", "code"),
    [
        ("WatchEvent", watching(1), grpc.StatusCode.UNIMPLEMENTED),
        ("WatchEvent", watching(9), grpc.StatusCode.INVALID_ARGUMENT),
        ("WatchEvent", v4_pb2.WatchEventRequest(), grpc.StatusCode.INVALID_ARGUMENT),
        ("ListPath", v4_pb2.ListPathRequest(table_type=4), grpc.StatusCode.UNIMPLEMENTED),
        ("ListPath", v4_pb2.ListPathRequest(table_type=1), grpc.StatusCode.UNIMPLEMENTED),
        ("ListPath", exact("10.0.0.0/8", 2), grpc.StatusCode.UNIMPLEMENTED),
        ("ListPath", exact("10.0.0.1/8", 1), grpc.StatusCode.INVALID_ARGUMENT),
        ("ListPolicy", v4_pb2.GetBgpRequest(), grpc.StatusCode.UNIMPLEMENTED),
        ("AddPath", v4_pb2.GetBgpRequest(), grpc.StatusCode.UNIMPLEMENTED),
    ],
)
async def test_what_it_does_not_do_it_says(
    speaker: Speaker, socket: Path, method: str, request_: Any, code: grpc.StatusCode
) -> None:
    async with serving(speaker, socket), grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        call: Any = channel.unary_stream(
            f"/{SERVICE}/{method}",
            request_serializer=type(request_).SerializeToString,
            response_deserializer=bytes,
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(request_).read()
        assert refused.value.code() is code


async def test_the_initial_lists_are_framed_as_those_of_a_real_one(speaker: Speaker, socket: Path) -> None:
    speaker.sessions = {"edge1": speaker.sessions["edge1"]}
    async with serving(speaker, socket):
        client = Client(f"unix://{socket}")
        await client.probe()
        total = len(told_by(speaker))
        events = client.watch(batch_size=100)
        kinds = [event.peer_event[0] if event.peer_event else None async for event in _first(events, 3)]
        assert kinds == [1, 2, None], "a peer, the end of the peers, then its End-of-RIB"
        sizes = [len(list(event.paths())) async for event in _first(events, total // 101 + 2)]
        assert sizes == [*[101] * (total // 101), total % 101, 0]
        await events.aclose()  # type: ignore[attr-defined]
        await client.close()


async def _first(events: AsyncIterator[Any], count: int) -> AsyncIterator[Any]:
    for _ in range(count):
        yield await anext(events)


async def test_a_socket_that_cannot_be_made_is_said(speaker: Speaker, socket: Path) -> None:
    with pytest.raises(MonitorError, match="too long"):
        async with serving(speaker, Path("/tmp/" + "x" * 110)):
            pass
    with pytest.raises(MonitorError, match="cannot listen"):
        async with serving(speaker, socket / "missing" / "s"):
            pass
