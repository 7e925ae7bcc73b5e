"""Tables that begin anew without a withdrawal for each path, as over BMP; and a speaker that counts otherwise than we."""

from collections.abc import Awaitable, Callable
from typing import Any

from monitor.ports import Document
from monitor.rib.path import PeerId
from monitor.rib.update import TableBegun, TableComplete, TableCounted
from programmer.route import Family
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, Stage

ONE, TWO = "10.8.0.0/16", "10.9.0.0/16"
DOMAIN: dict[str, Any] = {
    "peers": ["192.0.2.0/28"],
    "interfaces": ["eth1"],
    "table": 101,
    "import": [{"accept": "any"}],
    "removal_budget": {"percent": 100, "routes": 100},
}


def played(play: Callable[[Stage, Router], Awaitable[None]], **domain: Any) -> None:
    """Play with one router that has told two prefixes completely."""

    async def main() -> None:
        stage = Stage({"domains": {"storage": DOMAIN | domain}})
        router = stage.routers["tor"] = Router(PeerId("fabric", "192.0.2.1"), up=True, counted=False)
        await stage.start()
        try:
            stage.start_feed("fabric")
            stage.announce(router, [ONE, TWO], stage.path(router, 1000.0))
            stage.complete(router)
            await stage.settle()
            assert set(await stage.routes(101)) == {ONE, TWO}
            await play(stage, router)
        finally:
            await stage.stop()

    run_without_waiting(main)


def listed(document: Document, key: str) -> list[Any]:
    """A list in a document."""
    found = document[key]
    assert isinstance(found, list)
    return found


def begun(router: Router, *, retained: bool) -> list[TableBegun]:
    return [TableBegun(router.id, family, retained) for family in Family]


def test_a_table_that_begins_anew_keeps_its_routes_until_it_is_complete() -> None:
    async def play(stage: Stage, router: Router) -> None:
        stage.tell(router, *begun(router, retained=False))
        await stage.settle()
        assert set(await stage.routes(101)) == {ONE, TWO}
        stage.announce(router, [TWO], stage.path(router, 2000.0))
        stage.complete(router)
        await stage.settle()
        assert set(await stage.routes(101)) == {TWO}

    played(play)


def test_one_that_ends_at_once_is_emptied() -> None:
    async def play(stage: Stage, router: Router) -> None:
        stage.set_session(router, up=False)
        stage.tell(
            router,
            *begun(router, retained=False),
            *(TableComplete(router.id, family, "peer is down") for family in Family),
        )
        await stage.settle()
        assert await stage.routes(101) == {}

    played(play)


def test_what_is_retained_is_stale_until_it_is_told_again() -> None:
    async def play(stage: Stage, router: Router) -> None:
        other = stage.routers["other"] = Router(PeerId("fabric", "192.0.2.2"), router_id="10.255.0.2", up=True)
        stage.set_session(other, up=True)
        worse = {"as_path": (65001, 65009)}
        stage.announce(other, [ONE, TWO], stage.path(other, 1000.0, **worse))
        stage.complete(other)
        await stage.settle()
        assert set((await stage.routes(101)).values()) == {"via 192.0.2.1 dev eth1"}
        stage.set_session(router, up=False, restarting=True)
        stage.tell(router, *begun(router, retained=True))
        await stage.settle()
        assert set((await stage.routes(101)).values()) == {"via 192.0.2.2 dev eth1"}
        # The session is back, and the same path as before is fresh again.
        stage.set_session(router, up=True)
        stage.announce(router, [ONE], stage.path(router, 1000.0))
        await stage.settle()
        assert await stage.routes(101) == {ONE: "via 192.0.2.1 dev eth1", TWO: "via 192.0.2.2 dev eth1"}
        paths = listed(await stage.feed.explain(TWO), "paths")
        assert [(path["peer"], path["stale"]) for path in paths] == [("192.0.2.2", False), ("192.0.2.1", True)]
        stage.complete(router)
        await stage.settle()
        (only,) = listed(await stage.feed.explain(TWO), "paths")
        assert only["peer"] == "192.0.2.2"

    played(play)


def test_while_a_peer_restarts_its_table_does_not_hold_back_the_removals_of_others() -> None:
    async def play(stage: Stage, router: Router) -> None:
        other = stage.routers["other"] = Router(PeerId("fabric", "192.0.2.2"), router_id="10.255.0.2", up=True)
        stage.set_session(other, up=True)
        stage.announce(other, ["10.10.0.0/16"], stage.path(other, 1000.0))
        stage.complete(other)
        await stage.settle()
        stage.set_session(router, up=False, restarting=True)
        stage.tell(router, *begun(router, retained=True))
        stage.withdraw(other, ["10.10.0.0/16"])
        await stage.settle()
        assert set(await stage.routes(101)) == {ONE, TWO}

    played(play)


def test_a_speaker_that_counts_otherwise_twice_in_a_row_is_to_tell_everything_again() -> None:
    async def play(stage: Stage, router: Router) -> None:
        doubts = stage.sources["fabric"].doubts

        async def count(family: Family | None, paths: int) -> None:
            stage.tell(router, TableCounted(router.id, family, paths))
            await stage.settle()

        for family in (None, Family.IPV4):
            await count(family, 2)
            await count(family, 3)  # it may be on its way
            stage.announce(router, ["10.10.0.0/16"], stage.path(router, 1000.0))
            await count(family, 4)
            assert doubts == []
            await count(family, 4)
            assert len(doubts) == 1
            doubts.clear()
            stage.withdraw(router, ["10.10.0.0/16"])
        await count(Family.IPV6, 0)
        assert doubts == []

    played(play)


def test_a_refused_path_counts_as_told() -> None:
    async def play(stage: Stage, router: Router) -> None:
        stage.reject(router, ["10.10.0.0/16"], stage.path(router, 1000.0))
        for _ in range(3):
            stage.tell(router, TableCounted(router.id, None, 3), TableCounted(router.id, Family.IPV4, 3))
            await stage.settle()
        assert stage.sources["fabric"].doubts == []
        (peer,) = listed(await stage.feed.peers(), "items")
        counts = peer["families"]["ipv4"]
        assert (counts["received"], counts["accepted"]) == (3, 2)

    played(play)


def test_what_a_source_complains_of_is_a_warning_and_in_doctor() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        stage.sources["fabric"].complains.append("refused a connection")
        assert "source fabric: refused a connection" in listed(await stage.feed.status(), "warnings")
        assert any("refused a connection" in str(item["detail"]) for item in listed(await stage.feed.doctor(), "items"))

    played(play)
