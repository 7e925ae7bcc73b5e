"""The BMP station against those who should not speak to it, or not like that."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.routes import bulk
from tests.support.bgpmon import Bgpmon, running_bgpmon
from tests.support.bmp import counter, initiation, message
from tests.support.gobgpd import VERSIONS
from tests.support.site import EAST, NET, OTHER, STATION, Wires, node, ready
from tests.support.station import Speaker, connected, listens
from tests.support.wait import until
from tests.support.watch import watching

pytestmark = [
    pytest.mark.daemons,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.parametrize("wires", ["bmp"], indirect=True),
]

NEWEST = VERSIONS[-1]
NOBODY = 65534
TABLE = [route.prefix for route in bulk(2000)]
MANY = [f"{10 + number // 65536}.{number // 256 % 256}.{number % 256}.0/24" for number in range(200_000)]


def configuration(wires: Wires, **source: Any) -> str:
    """A bgpmon that hears one speaker, and nobody else."""
    listen = {"bmp": STATION, **source}
    return (
        f"mode: auto\nnetns: {wires.node.path}\nsources: {{fabric: {listen}}}\n"
        f"domains: {{east: {{source: fabric, peers: [{EAST}], interfaces: [east], table: 101, families: [ipv4], "
        "end_of_rib_wait: 2s, removal_budget: {percent: 100, routes: 1000000}, import: [accept: any]}}\n"
    )


def counted(speaker: Speaker, more: int) -> bytes:
    """A report of this many paths more than TABLE has."""
    return speaker.peer.statistics(counter(7, len(TABLE) + more))


async def warned(bgpmon: Bgpmon, words: str, timeout: float = 30) -> None:
    """Wait until a warning has these words."""

    async def said() -> bool:
        warnings = (await bgpmon.ask("status"))["warnings"]
        assert any(words in warning for warning in warnings), warnings
        return True

    await until(said, timeout=timeout, what=f"the warning {words!r}")


async def source(bgpmon: Bgpmon, state: str) -> None:
    """Wait until the source is connected, or unknown."""

    async def said() -> bool:
        (found,) = (await bgpmon.ask("status"))["sources"]
        assert found["state"] == state, found
        return True

    await until(said, what=f"the source to be {state}")


def as_nobody(wires: Wires, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell script in the node's namespace as a user without rights."""
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    return wires.node.run(*user, "timeout", "20", "bash", "-c", script, check=False)


async def test_another_user_of_the_machine_is_refused_whatever_it_does(daemon_directory: Path, wires: Wires) -> None:
    text = initiation("impostor").hex()
    octets = "".join(f"\\x{text[at : at + 2]}" for at in range(0, len(text), 2))
    dial = f"exec 3<>/dev/tcp/127.0.0.1/11019; printf '{octets}' >&3; "
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET),
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        with watching(daemon_directory, here.node) as watch:
            await watch.mark(1)
            for attempt in range(2):
                waits = as_nobody(wires, dial + "cat <&3")
                assert "timeout" not in waits.stderr, waits
                await warned(bgpmon, f"refused a connection from 127.0.0.1: user {NOBODY} of this machine may not")
                # Gone before anybody can ask whose it was: the kernel has no owner for it, and root is nobody's guess.
                as_nobody(wires, dial + "exec 3>&-")
                if attempt == 0:
                    await source(bgpmon, "connected")
                    await here.gobgpd.kill()
                await source(bgpmon, "unknown")
            await watch.mark(2)
            assert not watch.ours()
        assert NET in here.table(101)


async def test_a_second_speaker_is_refused_and_told_while_the_first_goes_on(
    daemon_directory: Path, wires: Wires
) -> None:
    async with (
        node(NEWEST, daemon_directory, wires, "east") as here,
        here.bird("east", NET) as east,
        running_bgpmon(here.configuration(), daemon_directory / "b") as bgpmon,
    ):
        await here.gains(101, NET, EAST)
        with connected(here.node) as second:
            second.say(initiation("second"), second.peer.up(), second.announce(TABLE))
            await until(second.is_closed, what="the second speaker to be refused")
        await warned(bgpmon, "refused a second speaker (second, a router): GoBGP, 4.8.0 is connected")
        await east.announce(OTHER)
        await here.gains(101, OTHER, EAST)
        assert here.table(101).keys() == {NET, OTHER}


async def test_nonsense_and_silence_are_closed_and_do_not_keep_a_speaker_out(
    daemon_directory: Path, wires: Wires
) -> None:
    async with running_bgpmon(configuration(wires), daemon_directory / "b", ready=False) as bgpmon:
        await until(lambda: listens(wires.node), what="the station to listen")
        with connected(wires.node) as web:
            web.say(b"GET / HTTP/1.1\r\nHost: node\r\n\r\n")
            await until(web.is_closed, what="a web browser to be turned away")
        await warned(bgpmon, "BMP version 71, not 3")
        with connected(wires.node) as long:
            long.say(message(4)[:1] + b"\xff\xff\xff\xff\x04")
            await until(long.is_closed, what="an endless message to be refused")
        with connected(wires.node) as one, connected(wires.node) as two, connected(wires.node) as speaker:
            two.say(initiation("slow")[:9])
            speaker.say(initiation("quick"), speaker.peer.up(), speaker.announce([NET]))
            await source(bgpmon, "connected")
            await until(one.is_closed, what="a silent one to be closed")
            await until(two.is_closed, what="a slow one to be closed")
            await warned(bgpmon, "no Initiation within 10 s")
            await source(bgpmon, "connected")


async def test_a_stream_that_is_cut_or_broken_deletes_nothing_and_is_told_again(
    daemon_directory: Path, wires: Wires
) -> None:
    async with running_bgpmon(configuration(wires), daemon_directory / "b", ready=False) as bgpmon:
        await until(lambda: listens(wires.node), what="the station to listen")
        with watching(daemon_directory, wires.node) as watch:
            with connected(wires.node) as speaker:
                all_of_it = speaker.announce(TABLE)
                speaker.say(initiation("one"), speaker.peer.up(), all_of_it, speaker.peer.mark())
                await ready(bgpmon)
                await _installed(bgpmon, len(TABLE))
                before = await watch.mark(1)
            await source(bgpmon, "unknown")
            broken = (
                all_of_it[: len(all_of_it) // 2],  # cut in the middle of a message
                message(0, speaker.peer.header() + bytes(30)),  # no BGP message
                speaker.announce(["10.8.0.0/24"])[:-4] + b"\x21\x0a\x08\0",  # a prefix of 33 bits
                message(3, speaker.peer.header()),  # a Peer Up without OPENs
            )
            for number, octets in enumerate(broken):
                with connected(wires.node) as speaker:
                    speaker.say(initiation(f"again {number}"), speaker.peer.up(), octets)
                    if number:
                        await until(speaker.is_closed, what="the station to doubt")
                    else:
                        await source(bgpmon, "connected")
                await source(bgpmon, "unknown")
            with connected(wires.node) as speaker:
                speaker.say(initiation("last"), speaker.peer.up(), all_of_it, speaker.peer.mark())
                await ready(bgpmon, timeout=90)
                assert await watch.mark(2) == before, "unchanged routes are not written"
                speaker.say(speaker.withdraw(TABLE[:500]))
                await _installed(bgpmon, len(TABLE) - 500)


async def test_a_speaker_that_counts_otherwise_is_to_tell_everything_again(
    daemon_directory: Path, wires: Wires
) -> None:
    async with running_bgpmon(configuration(wires), daemon_directory / "b", ready=False) as bgpmon:
        await until(lambda: listens(wires.node), what="the station to listen")
        with connected(wires.node) as speaker:
            speaker.say(initiation("one"), speaker.peer.up(), speaker.announce(TABLE), speaker.peer.mark())
            await ready(bgpmon)
            speaker.say(counted(speaker, 0), counted(speaker, 1))
            await _installed(bgpmon, len(TABLE))
            assert not speaker.is_closed()
            speaker.say(counted(speaker, 1))
            await until(speaker.is_closed, what="the station to doubt")
        await warned(bgpmon, f"it holds {len(TABLE) + 1:,} paths and told {len(TABLE):,}")
        await _installed(bgpmon, len(TABLE))


async def test_a_flood_stalls_nobody_and_is_held_in_bounds(daemon_directory: Path, wires: Wires) -> None:
    """The speaker sends faster than the core can follow, and everything over and over; what is asked meanwhile is answered."""
    async with running_bgpmon(configuration(wires), daemon_directory / "b", ready=False) as bgpmon:
        await until(lambda: listens(wires.node), what="the station to listen")
        with connected(wires.node) as speaker:
            rounds = [speaker.announce(MANY, 64500 + number) for number in range(4)]
            speaker.say(initiation("flood"), speaker.peer.up())
            for octets in rounds:
                speaker.say(octets)
                assert (await bgpmon.ask("status"))["sources"][0]["state"] == "connected"
            await _installed(bgpmon, len(MANY), timeout=120)
            memory = _memory_mb(bgpmon.pid)
            for octets in rounds:
                speaker.say(octets)
            speaker.say(speaker.withdraw(MANY[10:]), speaker.peer.mark())
            await _installed(bgpmon, 10, timeout=120)
            # One more table of this size would be some 100 MB.
            assert _memory_mb(bgpmon.pid) < memory + 60


async def _installed(bgpmon: Bgpmon, count: int, timeout: float = 40) -> None:
    async def there() -> bool:
        (domain,) = (await bgpmon.ask("status"))["domains"]
        counts = domain["families"]["ipv4"]
        assert counts["verified"] == count, counts
        return True

    await until(there, timeout=timeout, what=f"{count} routes to be read back", every=0.1)


def _memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
