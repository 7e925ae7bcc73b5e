"""The engine with limits on its peers and with RPKI: what is not known or not allowed is neither used nor removed."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Any

from monitor.rib.path import PeerId
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, Stage

DOMAIN = {
    "peers": ["192.0.2.1"],
    "interfaces": ["eth1"],
    "table": 101,
    "families": ["ipv4"],
    "import": [{"accept": "any"}],
    "removal_budget": {"percent": 100, "routes": 1000},
    "stale_after": "5m",
}
VALID_ONLY = [{"accept": {"rpki": "valid"}}]
A, B, C = "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"
VIA = "via 192.0.2.1 dev eth1"
POLL = 12.0
"""Seconds after which a change of ROAs has been noticed."""


def on_stage(play: Callable[[Stage, Router], Awaitable[None]], **more: object) -> None:
    """Run *play* on a started stage with one router, whose domain has the keys *more* too."""

    async def main() -> None:
        stage = Stage({"domains": {"storage": DOMAIN | more}})
        router = stage.routers["r1"] = Router(PeerId("fabric", "192.0.2.1"))
        await stage.start()
        try:
            await play(stage, router)
        finally:
            await stage.stop()

    run_without_waiting(main)


async def come_up(stage: Stage, router: Router, *prefixes: str) -> None:
    """The router comes up, announces *prefixes*, and that is all."""
    router.up = True
    stage.start_feed("fabric")
    stage.announce(router, prefixes, stage.path(router, 1000.0))
    stage.complete(router)
    await stage.settle()


def certify(stage: Stage, *prefixes: str) -> None:
    """The caches hold ROAs of the router's AS for these prefixes, and for 192.0.2.0/24."""
    stage.sources["fabric"].roas = {(ip_network(prefix), 65001) for prefix in ("192.0.2.0/24", *prefixes)}


def test_what_is_valid_is_used_and_changes_are_followed() -> None:
    async def play(stage: Stage, router: Router) -> None:
        certify(stage, A)
        await come_up(stage, router, A, B)
        assert await stage.routes(101) == {A: VIA}
        assert stage.engine.ready
        certify(stage, A, B)
        await stage.settle(POLL)
        assert await stage.routes(101) == {A: VIA, B: VIA}
        stage.announce(router, [A], stage.path(router, 2000.0, as_path=(65001, 64999)))
        await stage.settle()
        assert await stage.routes(101) == {B: VIA}, "another origin, and it is not valid"

    on_stage(play, **{"import": VALID_ONLY})


def test_without_roas_nothing_is_removed_for_as_long_as_stale_state_may_stay() -> None:
    async def play(stage: Stage, router: Router) -> None:
        certify(stage, A)
        await come_up(stage, router, A)
        assert await stage.routes(101) == {A: VIA}
        await stage.restart()
        stage.sources["fabric"].roas = None
        await come_up(stage, router, A)
        await stage.settle(200)
        assert await stage.routes(101) == {A: VIA}
        assert not stage.engine.ready
        assert any("RPKI states are not known: no RPKI cache" in words for words in stage.engine.warnings())
        await stage.settle(200)
        assert await stage.routes(101) == {}
        certify(stage, A)
        await stage.settle(POLL)
        assert await stage.routes(101) == {A: VIA}

    on_stage(play, **{"import": VALID_ONLY})


def test_a_route_stays_while_the_state_of_a_new_origin_is_asked_for() -> None:
    async def play(stage: Stage, router: Router) -> None:
        certify(stage, A)
        source = stage.sources["fabric"]
        source.roas = {*(source.roas or ()), (ip_network(A), 64999)}
        await come_up(stage, router, A)
        before = len(stage.kernel.asked)
        stage.announce(router, [A], stage.path(router, 2000.0, as_path=(65001, 64999)))
        await stage.settle()
        assert await stage.routes(101) == {A: VIA}
        assert len(stage.kernel.asked) == before, "it never left"

    on_stage(play, **{"import": VALID_ONLY})


def test_a_frozen_peer_is_shown_and_recovers() -> None:
    async def play(stage: Stage, router: Router) -> None:
        await come_up(stage, router, A)
        stage.announce(router, [B, C], stage.path(router, 2000.0))
        await stage.settle()
        assert await stage.routes(101) == {A: VIA}
        document: Any = await stage.feed.peers()
        (peer,) = document["items"]
        assert peer["families"]["ipv4"]["peer_limit"]["state"] == "frozen"
        assert (await stage.feed.explain(B))["reason"] == "peer-limit"
        assert "3 ipv4 paths, limit 2" in str((await stage.feed.explain(B))["verdict"])
        stage.withdraw(router, [C])
        await stage.settle()
        assert await stage.routes(101) == {A: VIA, B: VIA}

    on_stage(play, peer_limit={"ipv4": {"paths": 2}})


def test_a_frozen_peer_keeps_what_the_kernel_has_over_a_restart() -> None:
    async def play(stage: Stage, router: Router) -> None:
        await come_up(stage, router, A)
        stage.announce(router, [B, C], stage.path(router, 2000.0))
        await stage.settle()
        await stage.restart()
        await come_up(stage, router, C, B, A)
        await stage.settle(30)
        assert await stage.routes(101) == {A: VIA}

    on_stage(play, peer_limit={"ipv4": {"paths": 2}})
