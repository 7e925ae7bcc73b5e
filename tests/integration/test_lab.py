"""The lab comes up as its guide says, has a route for every reason, is broken and mended, and goes without a trace.

It does so twice: bgpmon hears gobgpd over its API, and over BMP from one that rejects every path as Cilium does.  What is
not marked holds for both.  Only one lab fits on a machine, so both are in this file, which one worker runs.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lab import topology
from lab.breakage import BREAKAGES
from lab.gobgpd import VERSIONS, gobgp_binary
from lab.machine import HOME, PREFIX, Machine
from tests.support.daemon import require_programs, unavailable
from tests.support.gobgpd import require_gobgpd
from tests.support.lab_turn import lab_turn
from tests.support.netns import Namespace
from tests.support.wait import until
from tests.support.watch import watching

ROOT = Path(__file__).resolve().parents[2]
BGPMON = Path(sys.executable).parent / "bgpmon"

SPEAKER = {"gobgp": VERSIONS[0], "bmp": VERSIONS[-1]}
"""The gobgpd of each lab: the machine's own, and that of the generation that is inside Cilium."""

SESSIONS = 13
TABLES = {"cluster": 101, "internet": 102, "storage": 103, "branch": 104, "guest": 104, "trial": 105}

pytestmark = [pytest.mark.daemons, pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(600)]

only_over_api = pytest.mark.parametrize("guide", ["gobgp"], indirect=True)
only_over_bmp = pytest.mark.parametrize("guide", ["bmp"], indirect=True)


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the lab's command, without a terminal."""
    command = [sys.executable, "-m", "lab", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=ROOT)


async def do(what: str) -> None:
    """Break or mend something."""
    done = await asyncio.to_thread(lab, "break", what)
    assert done.returncode == 0, done.stderr


def ip(namespace: str, *words: str) -> str:
    """Run ``ip`` in a namespace of the lab; an empty text where the table does not exist yet."""
    command = ["ip", "-n", f"{PREFIX}{namespace}", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout


async def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a bgpmon command."""
    environment = {**os.environ, "BGPMON_RUN_DIR": str(HOME / "bgpmon")}
    return await asyncio.to_thread(
        subprocess.run, [str(BGPMON), *words], capture_output=True, text=True, check=False, env=environment
    )


async def bgpmon(*words: str) -> Any:
    """What a bgpmon command prints as JSON; AssertionError with its words if it failed."""
    done = await run(*words, "-o", "json")
    assert done.returncode == 0, f"bgpmon {' '.join(words)} ended with {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


class Said(NamedTuple):
    """What explain says of a prefix; lines of the configuration file are left out."""

    reason: str | None
    state: str
    sentence: str
    paths: dict[str, tuple[str, str | None]]
    """Peer to reason and deciding step."""


async def explain(prefix: str, domain: str = "") -> Said:
    """Ask for the reason of one prefix."""
    answer = await bgpmon("explain", prefix, *(["--domain", domain] if domain else []))
    sentence = re.sub(r" \(line \d+\)", "", answer["sentence"])
    paths = {path["peer"]: (path["reason"], path.get("step")) for path in answer["paths"]}
    return Said(answer["reason"], answer["state"], sentence, paths)


async def comes(prefix: str, reason: str | None, state: str = "", *, timeout: float = 30.0) -> Said:
    """Wait until explain gives this reason, and this state if one is given."""
    found: list[Said] = []

    async def given() -> bool:
        found.append(await explain(prefix))
        assert found[-1].reason == reason, found[-1]
        assert found[-1].state == (state or found[-1].state), found[-1]
        return True

    await until(given, timeout=timeout, what=f"{prefix} to be {reason}")
    return found[-1]


async def is_ready() -> bool:
    """Whether everything is known."""
    status = await bgpmon("status")
    assert status["ready"], [domain["waits"] for domain in status["domains"]]
    assert status["peers"]["up"] == SESSIONS, status["peers"]
    return True


async def is_lost() -> bool:
    """Whether not everything is known any more."""
    return not (await bgpmon("status"))["ready"]


async def approve() -> Any:
    """Freeze what is pending and approve it; the outcome, which need not be complete."""
    frozen = await bgpmon("plan", "freeze")
    done = await run("approve", frozen["digest"], "-o", "json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


REFUSED_THERE = {
    101: {"10.96.8.0/24", "10.244.7.128/25", "10.244.250.0/28", "192.168.99.0/24"},
    102: {"2001:db8:fe80::/48"},
    103: {
        "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "172.16.3.128/25", "10.10.200.0/24", "10.10.201.0/24", "10.10.202.0/24",
        "192.168.100.0/24",
    },
}  # fmt: skip
"""What is announced to the three domains and must not be in their tables, whatever the speaker thinks of it."""


def announced(table: int) -> dict[str, set[str]]:
    """What a table is to hold once all is approved: prefix to gateways, worked out from what the routers announce."""
    edges = {"edge1": ("198.51.100.9", "fd00:2::9"), "edge2": ("203.0.113.9", "fd00:3::9")}
    found: dict[str, dict[str, int]] = {}
    if table == 102:
        for router, (four, six) in edges.items():
            for route in topology.internet_table(router):
                gateway = six if ":" in route.prefix else four
                found.setdefault(route.prefix, {})[gateway] = len(route.as_path)
    else:
        gateway = "172.16.1.1" if table == 101 else "172.16.3.1"
        routes = topology.cluster_table() if table == 101 else topology.storage_table()
        found = {route.prefix: {gateway: 0} for route in routes}
    return {
        prefix: {gateway for gateway, length in lengths.items() if length == min(lengths.values())}
        for prefix, lengths in found.items()
        if prefix not in REFUSED_THERE[table]
    }


def held(table: int) -> dict[str, set[str]]:
    """What a table of the kernel holds of ours: prefix to gateways."""
    found: dict[str, set[str]] = {}
    for family, default in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        text = ip("node", "-j", family, "route", "show", "table", str(table), "proto", "196")
        for route in json.loads(text or "[]"):
            prefix = default if route["dst"] == "default" else route["dst"]
            found[prefix] = {hop["gateway"] for hop in route.get("nexthops", [route])}
    return found


@pytest.fixture(scope="module", params=topology.SOURCES)
def guide(request: pytest.FixtureRequest, root_namespaces: None) -> Iterator[str]:
    """A lab that runs; what it printed for its user.  At the end nothing of it is left."""
    require_programs("gobgpd", "bird", "/usr/lib/frr/bgpd", "vtysh")
    with lab_turn():
        if Machine.load() is not None:
            unavailable("a lab runs on this machine, and two cannot; `make lab-down` removes it")
        version = SPEAKER[request.param]
        require_gobgpd(version)
        made = lab("up", "--source", request.param, "--gobgpd", version)
        machine = Machine.load()
        try:
            assert made.returncode == 0, made.stderr
            yield made.stdout
        finally:
            assert lab("down").returncode == 0
        assert not list(Path("/run").glob("bgpmon-lab*"))
        assert not list(Path("/run/netns").glob("bgplab-*"))
        assert machine is not None
        assert not [name for name, program in machine.programs.items() if program.alive]


# As it comes up


async def test_the_lab_is_ready_and_has_written_nothing(guide: str) -> None:
    status = await bgpmon("status")
    assert (status["mode"], status["ready"]) == ("approve", True)
    assert {domain["name"]: domain["table"] for domain in status["domains"]} == TABLES
    assert status["peers"] == {"up": SESSIONS, "down": 0, "total": SESSIONS}
    assert "bgpmon status" in guide
    for table in TABLES.values():
        assert ip("node", "route", "show", "table", str(table)) == ""


@only_over_bmp
async def test_the_speaker_rejects_every_path(guide: str) -> None:
    machine = Machine.load()
    assert machine is not None
    client = [str(gobgp_binary(machine.facts["gobgpd"])), "--target", f"unix://{HOME}/gobgpd/api.sock"]
    for family in ("ipv4", "ipv6"):
        table = await asyncio.to_thread(
            subprocess.run, [*client, "global", "rib", "-a", family], capture_output=True, text=True, check=False
        )
        assert table.stdout.strip() == "Network not in table", table
    assert "rejects every path" in guide
    assert (await bgpmon("status"))["sources"][0]["kind"] == "bmp"


@only_over_api
async def test_a_second_lab_is_refused(guide: str) -> None:
    second = await asyncio.to_thread(lab, "up")
    assert second.returncode == 1
    assert "two cannot run at once" in second.stderr


async def test_what_is_wanted_waits_for_a_person(guide: str) -> None:
    said = await explain("10.8.1.0/24")
    assert (said.reason, said.state) == ("waits-for-approval", "add")
    assert said.sentence == (
        "10.8.1.0/24 is not installed in table 103 for domain storage: the change to the path of 172.16.3.1 waits for a "
        "person; `bgpmon plan freeze`, then `bgpmon approve DIGEST`"
    )


REFUSED = {
    ("10.244.250.0/28", ""): (
        "policy-denied", "cluster 101", "import rule 1: deny community 65001:666 denies it"),
    ("192.168.99.0/24", ""): (
        "policy-unmatched", "cluster 101",
        ("no import rule of domain cluster matches it, which means deny; "
        "add an accept rule to `import` of the domain if it should be used")),
    ("10.96.8.0/24", ""): (
        "protected", "cluster 101", "it lies in 10.96.0.0/12, which the configuration's `protect` keeps for the node"),
    ("172.16.3.128/25", ""): (
        "protected", "storage 103", "it would take over 172.16.3.0/24, a network of the node's own links"),
    ("0.0.0.0/0", "storage"): (
        "default-route", "storage 103",
        ("it is as good as a default route (shorter than /8), and domain storage accepts none; "
        "set `default_route: accept` there if it should be used")),
    ("128.0.0.0/1", ""): (
        "default-route", "storage 103",
        ("it is as good as a default route (shorter than /8), and domain storage accepts none; "
        "set `default_route: accept` there if it should be used")),
    ("10.10.200.0/24", ""): (
        "next-hop-own", "storage 103",
        "its next hop 172.16.1.10 is an address of this node; the router has to announce a next hop of its own"),
    ("10.10.201.0/24", ""): (
        "next-hop-off-link", "storage 103",
        ("its next hop 172.16.1.1 is on no network of the domain's interfaces (eth4); "
        "correct the router's next hop, or add the link to `interfaces` of the domain")),
    ("10.20.8.0/24", ""): (
        "next-hop-invalid", "branch 104",
        ("its next hop 172.16.4.255 is no address that a router can have there; "
        "the router has to announce a next hop of its own")),
    ("2001:db8:fe80::/48", ""): (
        "next-hop-no-interface", "internet 102",
        ("its next hop fe80::9 is link-local, and on which link is not known; "
        "the router has to announce a global address, or the session has to run over its link")),
    ("2001:db8:4::/48", ""): (
        "family-off", "branch 104",
        "domain branch does not use ipv6; add ipv6 to `families` of the domain if it should be used"),
    ("10.30.1.0/24", ""): (
        "no-policy", "trial 105",
        ("domain trial has no import rule, and what no rule accepts is denied; "
        "add an accept rule to `import` of the domain")),
    ("10.20.1.0/24", "guest"): (
        "domain-conflict", "guest 104",
        ("domain branch, listed earlier, has the same prefix in the same table; "
        "give one of the two a table of its own if both are needed")),
}  # fmt: skip

REFUSED_OVER_API = {
    ("10.20.9.0/24", ""): (
        "rejected-by-speaker", "branch 104",
        ("the import policy of its speaker refuses the path of 172.16.4.1; "
        "change the policy there if it should be used")),
    ("10.20.20.0/24", ""): (
        "unauthenticated", "guest 104",
        ("the session with 172.16.4.6 is not authenticated, and the domain requires it; "
        "give the session a password on both ends")),
}  # fmt: skip
REFUSED_OVER_BMP = {
    ("10.20.10.0/24", ""): (
        "as-loop", "branch 104",
        "the path of 172.16.4.1 has been through the speaker's own AS, or began at it: a loop"),
}  # fmt: skip
ALL_REFUSED = REFUSED | REFUSED_OVER_API | REFUSED_OVER_BMP


@pytest.mark.parametrize(("prefix", "domain"), REFUSED)
async def test_what_is_refused_has_its_reason(guide: str, prefix: str, domain: str) -> None:
    reason, place, why = ALL_REFUSED[prefix, domain]
    name, table = place.split()
    said = await explain(prefix, domain)
    assert said.reason == reason
    assert said.sentence == f"{prefix} is not installed in table {table} for domain {name}: {why}"
    assert [found for found, _ in said.paths.values()] == [reason]
    person = await run("explain", prefix, *(["--domain", domain] if domain else []))
    assert re.sub(r" \(line \d+\)", "", " ".join(person.stdout.split())).startswith(said.sentence)


@only_over_api
@pytest.mark.parametrize(("prefix", "domain"), REFUSED_OVER_API)
async def test_what_only_the_api_tells_has_its_reason(guide: str, prefix: str, domain: str) -> None:
    await test_what_is_refused_has_its_reason(guide, prefix, domain)


@only_over_bmp
@pytest.mark.parametrize(("prefix", "domain"), REFUSED_OVER_BMP)
async def test_what_only_bmp_tells_has_its_reason(guide: str, prefix: str, domain: str) -> None:
    await test_what_is_refused_has_its_reason(guide, prefix, domain)


@only_over_bmp
async def test_what_the_speaker_refuses_is_used_all_the_same(guide: str) -> None:
    for prefix in (topology.SPEAKER_REFUSES, "10.20.20.0/24"):
        said = await explain(prefix)
        assert (said.reason, said.state) == ("waits-for-approval", "add")
        assert prefix in guide


async def test_a_peer_of_no_domain_is_named(guide: str) -> None:
    said = await explain("10.20.21.0/24")
    assert said.reason == "unassigned"
    assert said.sentence == (
        "10.20.21.0/24 is not a route: 172.16.4.7, which announces it, belongs to no domain; "
        "add it to `peers` of a domain if its routes should be used"
    )


@only_over_api
async def test_an_as_loop_is_said_to_be_what_the_speaker_does_not_tell(guide: str) -> None:
    said = await explain("10.20.10.0/24")
    assert said.reason is None
    assert "its speaker does not accept 1 path of 172.16.4.1 (an AS loop, for one)" in said.sentence


COMPETING = {
    "10.20.2.0/24": {"172.16.4.1": ("waits-for-approval", None), "172.16.4.2": ("not-best", "as-path")},
    "10.20.3.0/24": {"172.16.4.1": ("waits-for-approval", None), "172.16.4.2": ("not-best", "med")},
    "10.20.4.0/24": {"172.16.4.1": ("waits-for-approval", None), "172.16.4.2": ("not-best", "origin")},
}


@pytest.mark.parametrize("prefix", COMPETING)
async def test_what_lost_says_by_which_step(guide: str, prefix: str) -> None:
    assert (await explain(prefix)).paths == COMPETING[prefix]


async def test_equal_paths_share_the_load_as_far_as_allowed(guide: str) -> None:
    same = (await explain("10.20.5.0/24")).paths
    assert sorted(reason for reason, _ in same.values()) == ["same-next-hop", "waits-for-approval"]
    three = (await explain("10.20.6.0/24")).paths
    assert sorted(reason for reason, _ in three.values()) == ["multipath-full", *["waits-for-approval"] * 2]


async def test_domains_show_where_paths_stop(guide: str, request: pytest.FixtureRequest) -> None:
    items = {item["name"]: item for item in (await bgpmon("domains"))["items"]}
    storage = items["storage"]["families"]["ipv4"]
    assert [storage[key] for key in ("received", "accepted", "in_policy", "eligible", "best", "installed")] == [
        57, 57, 55, 49, 49, 0,
    ]  # fmt: skip
    assert storage["reasons"] == {
        "waits-for-approval": 49, "default-route": 3, "protected": 1, "next-hop-own": 1, "next-hop-off-link": 1,
        "policy-denied": 1, "policy-unmatched": 1,
    }  # fmt: skip
    branch = items["branch"]["families"]["ipv4"]["reasons"]
    over_bmp = request.node.callspec.params["guide"] == "bmp"
    assert {name: branch.get(name, 0) for name in ("rejected-by-speaker", "as-loop")} == {
        "rejected-by-speaker": int(not over_bmp),
        "as-loop": int(over_bmp),
    }


# As it is used


async def test_an_approved_plan_carries_traffic_and_spares_the_node(guide: str) -> None:
    before = ip("node", "route", "show")
    await do("foreign-route")
    await comes("10.8.5.0/24", "foreign-conflict")
    outcome = await approve()
    assert outcome["failed"] == 1, "the kernel refuses the route with a source address that the node lacks"
    await until(
        lambda: "10.8.1.0/24" in ip("node", "route", "show", "table", "103"),
        timeout=60,
        what="the storage routes",
    )
    for address in ("10.8.1.1", "10.244.1.1", "192.0.2.1", "10.20.1.1"):
        await until(partial(_answers, address), timeout=60, what=f"{address} to answer the pod")
    assert ip("node", "route", "show") == before
    storage = ip("node", "route", "show", "table", "103")
    for refused in ("default", "0.0.0.0/1", "128.0.0.0/1", "172.16.3.128/25", "10.10.200.0/24", "192.168."):
        assert refused not in storage
    installed = await comes("10.8.1.0/24", "installed")
    assert installed.sentence == (
        "10.8.1.0/24 is in table 103 for domain storage, via 172.16.3.1 dev eth4 metric 200: the path of 172.16.3.1, read "
        "back from the kernel"
    )


async def test_the_kernel_holds_what_bgpmon_says(guide: str) -> None:
    for table in sorted({*TABLES.values()}):
        shown = await bgpmon("routes", f"table={table} and state=installed and family=ipv4", "--limit", "0")
        said = {item["prefix"].replace("0.0.0.0/0", "default") for item in shown["items"]}
        lines = ip("node", "-4", "route", "show", "table", str(table), "proto", "196").splitlines()
        assert said == {line.split()[0] for line in lines if not line.startswith("\t")}, f"table {table}"


async def test_a_foreign_route_and_a_refusal_of_the_kernel_are_explained(guide: str) -> None:
    foreign = await explain("10.8.5.0/24")
    assert (foreign.reason, foreign.state) == ("foreign-conflict", "conflict")
    assert foreign.sentence == (
        "10.8.5.0/24 is not installed in table 103 for domain storage: a route of another program (protocol 4, static) "
        "stands at the same prefix and metric 200, and is left alone; delete the other route, or give the domain another "
        "`metric`"
    )
    refused = await explain("10.20.7.0/24")
    assert (refused.reason, refused.state) == ("kernel-refused", "failed")
    assert refused.sentence == (
        "10.20.7.0/24 is not installed in table 104 for domain branch: the kernel refused it (it said: Invalid prefsrc "
        "address), 1 attempt so far, again with the next plan"
    )
    await do("foreign-gone")
    await comes("10.8.5.0/24", "waits-for-approval")


async def test_the_tables_are_what_the_routers_announce(guide: str) -> None:
    """The same for both sources: what the speaker itself would do with a path is not asked."""
    await approve()
    await comes("10.8.5.0/24", "installed")
    for table in (101, 102, 103):
        assert await asyncio.to_thread(held, table) == announced(table), f"table {table}"


# As it breaks


@only_over_api
async def test_a_router_that_restarts_is_stale_and_then_expires(guide: str) -> None:
    await do("kill-branch")
    said = await comes("10.20.11.0/24", "installed")
    await until(partial(_is_stale, "10.20.11.0/24"), timeout=30, what="the path to be stale")
    said = await comes("10.20.11.0/24", "expired", timeout=90)
    assert said.state == "remove"
    assert "172.16.4.1 has not returned from its restart within 30 s (stale_after)" in said.sentence
    assert "10.20.11.0/24" in ip("node", "route", "show", "table", "104")
    await do("revive-branch")
    await comes("10.20.11.0/24", "installed", timeout=90)


@only_over_api
async def test_a_killed_router_is_noticed_its_paths_are_stale_and_it_comes_back(guide: str) -> None:
    await do("kill-router")

    async def stale() -> bool:
        said = await explain("192.0.2.0/24")
        assert said.paths["198.51.100.9"] == ("stale", "fresh"), said
        assert said.state == "change"
        return True

    await until(stale, timeout=60, what="edge1's paths to be stale")
    await do("revive-router")
    await until(is_ready, timeout=120, what="everything to be as before")


@only_over_api
async def test_a_dead_link_and_its_return_are_explained(guide: str) -> None:
    await do("cut-link")
    said = await comes("10.8.1.0/24", "next-hop-link-down", "absent")
    assert said.sentence == (
        "10.8.1.0/24 is not installed in table 103 for domain storage: the link of its next hop 172.16.3.1 is down; "
        "bring the link up again: `ip link`"
    )
    await do("heal-link")

    async def approved() -> bool:
        """The router's session ends a moment after its link is back, and returns: only then is it to be approved."""
        await approve()
        assert (await explain("10.8.1.0/24")).reason == "installed"
        return await is_ready()

    await until(approved, timeout=120, every=1.0, what="the storage routes to be approved and there")


@only_over_api
async def test_limits_keep_out_what_leaks(guide: str) -> None:
    await do("leak-table")
    said = await comes("10.11.5.0/24", "limit")
    assert said.sentence == (
        "10.11.5.0/24 is not installed in table 103 for domain storage: domain storage wants 249 ipv4 routes, and its "
        "limit of 100 keeps new ones out; find out why there are so many, with `bgpmon peers`, or raise `limit`"
    )
    await do("leak-peer")
    said = await comes("10.20.150.0/24", "peer-limit")
    assert "172.16.4.2" in said.sentence
    assert (await explain("10.20.6.0/24")).reason == "installed"
    await do("mend-tables")
    await comes("10.11.5.0/24", None)
    await comes("10.20.150.0/24", None)


@only_over_api
async def test_in_mode_auto_the_budget_holds_a_mass_removal(guide: str) -> None:
    await do("mode-auto")
    await until(is_ready, timeout=120, what="bgpmon to know everything")
    await do("withdraw-storage")

    async def held() -> bool:
        said = await explain("10.8.1.0/24")
        assert (said.reason, said.state) == (None, "held"), said
        assert re.search(r"the removal budget holds 49 removals for (1 min \d+ s|2 min) more$", said.sentence), said
        return True

    await until(held, timeout=60, what="the removals to be held")
    assert "10.8.1.0/24" in ip("node", "route", "show", "table", "103")
    await do("mend-tables")
    await comes("10.8.1.0/24", "installed")
    await do("mode-approve")
    await until(is_ready, timeout=120, what="bgpmon to know everything")


async def test_while_the_speaker_dies_and_returns_nothing_is_removed(guide: str, daemon_directory: Path) -> None:
    """In mode auto, in which nobody has to agree to a removal."""
    await do("mode-auto")
    await until(is_ready, timeout=120, what="bgpmon to know everything")
    await until(lambda: held(103) == announced(103), timeout=60, what="all to be installed")
    with watching(daemon_directory, Namespace(f"{PREFIX}node")) as watch:
        await watch.mark(1)
        await do("kill-gobgpd")
        await until(is_lost, timeout=30, what="the loss of gobgpd to be noticed")
        assert (await bgpmon("status"))["sources"][0]["state"] != "connected"
        await do("start-gobgpd")
        await until(is_ready, timeout=180, what="everything to be as before")
        await do("restart-gobgpd")
        await until(is_lost, timeout=30, what="the restart of gobgpd to be noticed")
        await until(is_ready, timeout=180, what="everything to be as before, again")
        await watch.mark(2)
        assert watch.deletions() == []
    for table in (101, 102, 103):
        assert await asyncio.to_thread(held, table) == announced(table), f"table {table}"
    await do("mode-approve")
    await until(is_ready, timeout=120, what="bgpmon to know everything")


@only_over_api
async def test_every_breakage_is_listed_and_an_unknown_one_refused(guide: str) -> None:
    listed = (await asyncio.to_thread(lab, "break", "help")).stdout
    assert len(listed.splitlines()) == len(BREAKAGES)
    unknown = await asyncio.to_thread(lab, "break", "everything")
    assert unknown.returncode == 1
    assert "kill-router" in unknown.stderr


async def _is_stale(prefix: str) -> bool:
    said = await explain(prefix)
    assert "stale because 172.16.4.1 restarts, kept until" in said.sentence, said
    return True


async def _answers(address: str) -> bool:
    command = ["ip", "netns", "exec", "bgplab-pod", "ping", "-n", "-c", "1", "-W", "1", address]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    return done.returncode == 0
