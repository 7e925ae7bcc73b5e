"""The sentences of scenarios: what routers, speakers, the node, other programs and people do."""

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from monitor.change.clock import ClockState
from monitor.config import parse
from monitor.rib.attribute import Origin
from programmer.route import Family, Forwarding, NextHop, TableId, key_of, prefix_of
from tests.support.scenario_story import Story, sentence

PREFIXES = r"(\S+/\d+(?: \S+/\d+)*)"

# Routers and their speaker


@sentence(r"the feed(?: of (\w+))? (starts|is lost)")
def feed(story: Story, match: re.Match[str]) -> None:
    """A source's stream begins or breaks."""
    act = story.stage.start_feed if match[2] == "starts" else story.stage.lose_feed
    act(match[1] or "fabric")


@sentence(r"(\w+) (comes up|goes down)")
def session(story: Story, match: re.Match[str]) -> None:
    """A router's session, or a link of the node."""
    up = match[2] == "comes up"
    if match[1].startswith("eth"):
        story.stage.kernel.set_link(match[1], up=up)
    else:
        story.stage.set_session(story.router(match[1]), up=up)


@sentence(r"(\w+) begins a graceful restart")
def restart(story: Story, match: re.Match[str]) -> None:
    """The session is gone, and the speaker keeps the paths as stale."""
    story.stage.set_session(story.router(match[1]), up=False, restarting=True)


@sentence(r"(\w+) is taken out of the speaker's configuration")
def removed(story: Story, match: re.Match[str]) -> None:
    """The peer is gone, says the speaker."""
    story.stage.remove_peer(story.router(match[1]))


@sentence(rf"(\w+) announces {PREFIXES}(?: with (.+))?")
def announces(story: Story, match: re.Match[str]) -> None:
    """One path for each prefix."""
    _announce(story, match[1], match[2].split(), match[3])


@sentence(r"(\w+) announces (\d+) prefixes from (\S+)(?: with (.+))?")
def announces_many(story: Story, match: re.Match[str]) -> None:
    """One path for each of a run of prefixes."""
    _announce(story, match[1], _run(match[3], int(match[2])), match[4])


@sentence(rf"(\w+) withdraws {PREFIXES}(?: with id (\d+))?")
def withdraws(story: Story, match: re.Match[str]) -> None:
    """The paths are gone."""
    story.stage.withdraw(story.router(match[1]), match[2].split(), int(match[3] or 0))


@sentence(r"(\w+) withdraws (\d+) prefixes from (\S+)")
def withdraws_many(story: Story, match: re.Match[str]) -> None:
    """A run of prefixes is gone."""
    story.stage.withdraw(story.router(match[1]), _run(match[3], int(match[2])))


@sentence(rf"the speaker refuses {PREFIXES} of (\w+)")
def rejected(story: Story, match: re.Match[str]) -> None:
    """gobgpd's own import policy says no."""
    router = story.router(match[2])
    story.stage.reject(router, match[1].split(), story.stage.path(router, time.time()))


@sentence(r"the RPKI caches (say that (\S+) is of AS (\d+)|are gone)")
def roas(story: Story, match: re.Match[str]) -> None:
    """One more ROA, or none any more and no way to know."""
    for source in story.stage.sources.values():
        known = source.roas or set()
        source.roas = known | {(parse.prefix(match[2]), int(match[3]))} if match[2] else None


@sentence(r"(\w+(?:, \w+)*) ha(?:s|ve) told everything")
def complete(story: Story, match: re.Match[str]) -> None:
    """End-of-RIB, or what stands for it."""
    for name in match[1].split(", "):
        story.stage.complete(story.router(name))


def _announce(story: Story, name: str, prefixes: list[str], text: str | None) -> None:
    router = story.router(name)
    said = _attributes(text or "")
    age = said.pop("age", 0)
    story.stage.announce(router, prefixes, story.stage.path(router, time.time() - age, **said))


def _run(first: str, count: int) -> list[str]:
    """Return *count* IPv4 prefixes of one length, side by side from *first* on."""
    network = parse.prefix(first)
    start = int(network.network_address) >> (32 - network.prefixlen)
    return [
        str(prefix_of(Family.IPV4, key_of(type(network)((number << (32 - network.prefixlen), network.prefixlen)))))
        for number in range(start, start + count)
    ]


_WORDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "via": ("next_hop", str),
    "as-path": ("as_path", lambda text: tuple(int(number) for number in text.split())),
    "med": ("med", int),
    "local-pref": ("local_pref", int),
    "origin": ("origin", lambda text: Origin[text.upper()]),
    "communities": ("communities", lambda text: tuple(parse.community(one) for one in text.split())),
    "id": ("path_id", int),
    "stale": ("stale", lambda _: True),
    "age": ("age", lambda text: int(_seconds(text))),
}


def _attributes(text: str) -> dict[str, Any]:
    """Return what stands behind "with" as keyword arguments of ``Stage.path``."""
    said = dict[str, Any]()
    for part in text.split(", ") if text else ():
        word, _, rest = part.partition(" ")
        assert word in _WORDS, f"{word!r} is no attribute; there are {', '.join(_WORDS)}"
        name, read = _WORDS[word]
        said[name] = read(rest)
    return said


# The node and other programs on it


@sentence(r"(\w+) loses its carrier")
def carrier(story: Story, match: re.Match[str]) -> None:
    """Somebody pulls the cable."""
    story.stage.kernel.set_link(match[1], carrier=False)


@sentence(r"(\w+) (gets|loses) (\S+/\d+)")
def address(story: Story, match: re.Match[str]) -> None:
    """An address comes or goes."""
    kernel = story.stage.kernel
    act = kernel.add_address if match[2] == "gets" else kernel.remove_address
    act(match[1], match[3])


@sentence(r"somebody puts (\S+) via (\S+) into table (\d+)(?: at metric (\d+))?(?: with protocol (\d+))?")
async def put(story: Story, match: re.Match[str]) -> None:
    """Another program installs a route, in place of what is there; without a protocol it is static."""
    gateway = parse.address(match[2])
    on = [entry.ifindex for entry in (await story.stage.kernel.links()).addresses if gateway in entry.prefix]
    assert on, f"{gateway} is on no link"
    route = Forwarding(int(match[4] or 200), (NextHop(gateway.packed, on[0]),))
    story.stage.kernel.put_route(TableId(int(match[3])), parse.prefix(match[1]), route, int(match[5] or 4))


@sentence(r"somebody deletes (\S+) from table (\d+)(?: at metric (\d+))?")
def drop(story: Story, match: re.Match[str]) -> None:
    """Another program deletes a route."""
    story.stage.kernel.drop_route(TableId(int(match[2])), parse.prefix(match[1]), int(match[3] or 200))


@sentence(r"the kernel refuses (\d+) writes? with errno (\d+): (.+)")
def refuses(story: Story, match: re.Match[str]) -> None:
    """The next writes fail."""
    story.stage.kernel.fail_writes(int(match[1]), int(match[2]), match[3])


@sentence(r"the right to write is taken away")
def denied(story: Story, _match: re.Match[str]) -> None:
    """CAP_NET_ADMIN is gone."""
    story.stage.kernel.deny()


@sentence(r"(\d\w*) pass(?:es)?")
async def passes(story: Story, match: re.Match[str]) -> None:
    """Time goes by."""
    await story.stage.settle(_seconds(match[1]))


@sentence(r"bgpmon (restarts|stops|is killed)(?: in mode (\S+))?")
async def daemon(story: Story, match: re.Match[str]) -> None:
    """The process ends; with restarts another one begins, and after being killed too, without a chance to clean up."""
    if match[2]:
        story.stage.file = story.stage.file | {"mode": match[2]}
    if match[1] == "stops":
        await story.stage.stop()
    else:
        await story.stage.restart(killed=match[1] == "is killed")


@sentence(r"the probe (\w+) (answers|hangs|fails: .+)")
def probe(story: Story, match: re.Match[str]) -> None:
    """What the target of a probe does from now on."""
    ways = story.stage.prober.ways
    if match[2] == "answers":
        ways.pop(match[1], None)
    else:
        ways[match[1]] = match[2].removeprefix("fails: ")


@sentence(r"nobody sets the clock")
def clock(story: Story, _match: re.Match[str]) -> None:
    """The kernel says that its clock is not synchronised."""
    story.stage.clock = ClockState(synchronised=False, text="the clock is not synchronised")


@sentence(r"it is (\S+)")
async def it_is(story: Story, match: re.Match[str]) -> None:
    """Time goes by until a moment."""
    moment = datetime.fromisoformat(match[1]).timestamp()
    assert moment > time.time(), f"{match[1]} has passed"
    await story.stage.settle(moment - time.time())


def _seconds(text: str) -> float:
    return parse.duration(text, 0.0, 1e9)


# People and change control: see scenario_people
