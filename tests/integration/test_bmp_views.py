"""Which Adj-RIB-In of a speaker is used, and what of it bgpmon itself does not take."""

import contextlib
from pathlib import Path

import pytest

from tests.support.bgpmon import running_bgpmon
from tests.support.gobgpd import VERSIONS, Neighbor, reject_prefixes, running_gobgpd
from tests.support.router import Announcement
from tests.support.site import EAST, LEGS, NET, OTHER, STATION, Site, Wires, ready
from tests.support.wait import until

pytestmark = [
    pytest.mark.daemons,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.parametrize("wires", ["bmp"], indirect=True),
]

LOOP = "10.8.7.0/24"


@pytest.mark.parametrize(("exported", "view"), [("all", "pre"), ("all", "post"), ("post-policy", "post")])
async def test_the_view_that_is_configured_is_used(
    gobgpd_version: str, exported: str, view: str, daemon_directory: Path, wires: Wires
) -> None:
    async with running_gobgpd(
        gobgpd_version,
        daemon_directory / "gobgpd",
        namespace=wires.node,
        neighbors=[Neighbor(address=EAST, asn=LEGS["east"].asn)],
        listen_only=True,
        policies=reject_prefixes("unwanted", OTHER),
        import_policies=("unwanted",),
        bmp=(STATION,),
        bmp_view=exported,
        bmp_statistics=15,
    ) as gobgpd:
        here = Site(wires, daemon_directory, gobgpd)
        async with here.bird("east", NET, OTHER, Announcement(LOOP, (65000,))), contextlib.AsyncExitStack() as stack:
            # What loops is told with the rest at the beginning, and not when it comes later.
            await gobgpd.learned(3, EAST)
            text = here.configuration(view=view)
            bgpmon = await stack.enter_async_context(running_bgpmon(text, daemon_directory / "b", ready=False))
            await here.gains(101, NET, EAST, timeout=60)
            await ready(bgpmon)
            reason = (await bgpmon.ask("explain", LOOP))["reason"]
            assert reason == ("as-loop" if view == "pre" else None)
            await here.holds(101, {NET, OTHER} if view == "pre" else {NET})

            async def said() -> bool:
                warnings = (await bgpmon.ask("status"))["warnings"]
                other = {"pre": "post-policy", "post": "pre-policy"}[view]
                assert any(f"of the {other} view left out" in words for words in warnings), warnings
                return True

            if exported == "all":
                await until(said, what="the other view to be complained of")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_path_that_cannot_be_told_apart_is_left_out_and_complained_of(
    version: str, daemon_directory: Path, wires: Wires
) -> None:
    """GoBGP leaves path identifiers out of what it tells first: a withdrawal could mean another path."""
    async with running_gobgpd(
        version,
        daemon_directory / "gobgpd",
        namespace=wires.node,
        neighbors=[
            Neighbor(address=EAST, asn=LEGS["east"].asn, add_paths=True),
            Neighbor(address=LEGS["twin"].router, asn=LEGS["twin"].asn),
        ],
        listen_only=True,
        bmp=(STATION,),
    ) as gobgpd:
        here = Site(wires, daemon_directory, gobgpd)
        async with (
            here.bird("east", NET, add_paths=True),
            here.bird("twin", OTHER),
            running_bgpmon(here.configuration(), daemon_directory / "b", ready=False) as bgpmon,
        ):
            await here.gains(101, OTHER, LEGS["twin"].router)

            async def said() -> bool:
                warnings = (await bgpmon.ask("status"))["warnings"]
                assert any("add-path, RFC 7911" in words for words in warnings), warnings
                return True

            await until(said, what="the session with path identifiers to be complained of")
            assert here.table(101).keys() == {OTHER}
