"""What explain says: the reason and the sentence of every reason, the ranking, and what surrounds them."""

import errno
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from monitor.errors import BadRequest
from monitor.rib.attribute import Origin
from monitor.rib.path import PeerId
from monitor.rib.peer import PeerFamily
from monitor.rib.reason import Reason
from programmer.route import Family, NextHop, TableId, forwarding
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, Stage

NET = "10.8.0.0/16"
DOMAIN: dict[str, Any] = {
    "peers": ["192.0.2.0/28"],
    "interfaces": ["eth1"],
    "table": 101,
    "families": ["ipv4"],
    "import": [{"deny": {"community": "65001:666"}}, {"accept": {"prefix": "0.0.0.0/0", "le": 24}}],
    "rules": [{"from": "10.244.0.0/16", "priority": 1200}],
}
IS_IN = f"{NET} is in table 101 for domain storage, via 192.0.2.1 dev eth1 metric 200: the path of 192.0.2.1"
IS_NOT = f"{NET} is not installed in table 101 for domain storage"

Play = Callable[[Stage, Router], Awaitable[None]]


async def nothing(_stage: Stage, _router: Router) -> None:
    """Leave it at one announcement."""


@dataclass(frozen=True)
class Case:
    """One router announces one prefix; ``before`` and ``after`` are what else happens."""

    reason: str | None
    sentence: str
    prefix: str = NET
    mode: str = "auto"
    domain: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    router: dict[str, Any] = field(default_factory=dict)
    path: dict[str, Any] = field(default_factory=dict)
    before: Play = nothing
    after: Play = nothing
    ask: str = ""


def explained(case: Case) -> dict[str, Any]:
    """What explain answers."""

    async def main() -> dict[str, Any]:
        stage = Stage({"mode": case.mode, "domains": {"storage": DOMAIN | case.domain, **case.more}} | case.config)
        router = stage.routers["tor"] = Router(PeerId("fabric", "192.0.2.1"), up=True, **case.router)
        await stage.start()
        try:
            stage.start_feed("fabric")
            await case.before(stage, router)
            stage.announce(router, [case.prefix], stage.path(router, 1000.0, **case.path))
            stage.complete(router)
            await stage.settle()
            await case.after(stage, router)
            answer: dict[str, Any] = await stage.feed.explain(case.prefix, case.ask)
            return answer
        finally:
            await stage.stop()

    return run_without_waiting(main)


async def another(stage: Stage, address: str = "192.0.2.2", prefix: str = NET, **said: Any) -> Router:
    """Another router comes up and announces a prefix."""
    router = stage.routers[address] = Router(PeerId("fabric", address), router_id=address, up=True)
    stage.set_session(router, up=True)
    stage.announce(router, [prefix], stage.path(router, 1000.0, **said))
    stage.complete(router)
    await stage.settle()
    return router


async def a_better_one(stage: Stage, _router: Router) -> None:
    await another(stage)


async def the_speaker_refuses(stage: Stage, router: Router) -> None:
    stage.reject(router, [NET], stage.path(router, 1000.0))
    await stage.settle()


async def the_peer_restarts(stage: Stage, router: Router) -> None:
    stage.set_session(router, up=False, restarting=True)
    await stage.settle()


async def the_peer_stays_away(stage: Stage, router: Router) -> None:
    stage.set_session(router, up=False, restarting=True)
    await stage.settle(700.0)


async def the_link_goes_down(stage: Stage, _router: Router) -> None:
    stage.kernel.set_link("eth1", up=False)
    await stage.settle()


async def it_is_withdrawn(stage: Stage, router: Router) -> None:
    stage.withdraw(router, [NET])
    await stage.settle()


async def all_is_withdrawn(stage: Stage, router: Router) -> None:
    stage.announce(router, ["10.9.0.0/16"], stage.path(router, 1000.0))
    await stage.settle()
    stage.withdraw(router, [NET, "10.9.0.0/16"])
    await stage.settle(61.25)


async def it_is_withdrawn_in_the_dark(stage: Stage, router: Router) -> None:
    stage.lose_feed("fabric")
    await stage.settle()
    stage.start_feed("fabric")
    stage.withdraw(router, [NET])
    await stage.settle()


async def somebody_has_it(stage: Stage, _router: Router) -> None:
    there = forwarding(200, [NextHop(ipaddress.ip_address("192.0.2.9").packed, 2)])
    stage.kernel.put_route(TableId(101), ipaddress.ip_network(NET), there, 4)


async def somebody_is_preferred(stage: Stage, _router: Router) -> None:
    there = forwarding(100, [NextHop(ipaddress.ip_address("192.0.2.9").packed, 2)])
    stage.kernel.put_route(TableId(101), ipaddress.ip_network(NET), there, 4)
    await stage.settle()


async def the_kernel_refuses(stage: Stage, _router: Router) -> None:
    stage.kernel.fail_writes(100, errno.EINVAL, "Invalid prefsrc address")


async def _done(work: Awaitable[object]) -> None:
    await work


async def it_is_rolled_back(stage: Stage, _router: Router) -> None:
    frozen = await stage.control.freeze("alice")
    await stage.control.approve(str(frozen["digest"]), "alice")
    await stage.control.roll_back("", "alice")
    await stage.settle()


async def it_is_withdrawn_while_held(stage: Stage, router: Router) -> None:
    await stage.control.hold("op=-", 3600.0, "wait", "alice")
    stage.withdraw(router, [NET])
    await stage.settle()


CASES = {
    "installed": Case("installed", f"{IS_IN}, read back from the kernel"),
    "no rule": Case(
        "installed",
        f"{IS_IN}, read back from the kernel; but no rule leads to table 101, so no traffic uses it: see `bgpmon doctor`",
        domain={"rules": []},
    ),
    "shadowed": Case(
        "installed",
        f"{IS_IN}, read back from the kernel; but a route of another program (protocol 4, static) at metric 100 has its traffic",
        after=somebody_is_preferred,
    ),
    "best of two": Case(
        "installed",
        f"{IS_IN}, the best of 2 by origin (lower origin), read back from the kernel",
        before=lambda stage, _: _another_of(stage, origin=Origin.INCOMPLETE),
    ),
    "stale": Case(
        "installed",
        f"{IS_IN}, read back from the kernel, stale because 192.0.2.1 restarts, kept until 00:10:03Z at most",
        after=the_peer_restarts,
    ),
    "expired": Case(
        "expired",
        f"{IS_NOT}: 192.0.2.1 has not returned from its restart within 10 min (stale_after)",
        after=the_peer_stays_away,
    ),
    "rejected by the speaker": Case(
        "rejected-by-speaker",
        f"{IS_NOT}: the import policy of its speaker refuses the path of 192.0.2.1; "
        "change the policy there if it should be used",
        after=the_speaker_refuses,
    ),
    "loop": Case(
        "as-loop",
        f"{IS_NOT}: the path of 192.0.2.1 has been through the speaker's own AS, or began at it: a loop",
        router={"counted": False},
        after=the_speaker_refuses,
    ),
    "family": Case(
        "family-off",
        "2001:db8:8::/48 is not installed in table 101 for domain storage: domain storage does not use ipv6; "
        "add ipv6 to `families` of the domain if it should be used",
        prefix="2001:db8:8::/48",
    ),
    "unauthenticated": Case(
        "unauthenticated",
        f"{IS_NOT}: the session with 192.0.2.1 is not authenticated, and the domain requires it; "
        "give the session a password on both ends",
        domain={"require_auth": True},
    ),
    "no policy": Case(
        "no-policy",
        f"{IS_NOT}: domain storage has no import rule, and what no rule accepts is denied; "
        "add an accept rule to `import` of the domain",
        domain={"import": []},
    ),
    "denied": Case(
        "policy-denied",
        f"{IS_NOT}: import rule 1 (line 17): deny community 65001:666 denies it",
        path={"communities": (65001 << 16 | 666,)},
    ),
    "unmatched": Case(
        "policy-unmatched",
        "10.8.7.0/28 is not installed in table 101 for domain storage: no import rule of domain storage matches it, which "
        "means deny; add an accept rule to `import` of the domain if it should be used",
        prefix="10.8.7.0/28",
    ),
    "default": Case(
        "default-route",
        "64.0.0.0/2 is not installed in table 101 for domain storage: it is as good as a default route (shorter than /8), "
        "and domain storage accepts none; set `default_route: accept` there if it should be used",
        prefix="64.0.0.0/2",
    ),
    "protected by the configuration": Case(
        "protected",
        "10.96.0.0/24 is not installed in table 101 for domain storage: it lies in 10.96.0.0/12, which the "
        "configuration's `protect` keeps for the node",
        prefix="10.96.0.0/24",
        config={"protect": ["10.96.0.0/12"]},
    ),
    "a network of the node": Case(
        "protected",
        "198.51.100.0/24 is not installed in table 101 for domain storage: it would take over 198.51.100.0/24, a network "
        "of the node's own links",
        prefix="198.51.100.0/24",
    ),
    "encapsulated": Case(
        "encapsulated",
        f"{IS_NOT}: the pod network is tunnelled and it overlaps a protected range",
        config={"protect": ["10.8.3.0/24"], "encapsulation": True},
    ),
    "no next hop": Case("next-hop-missing", f"{IS_NOT}: it has no usable next hop address", path={"next_hop": "nothing"}),
    "own next hop": Case(
        "next-hop-own",
        f"{IS_NOT}: its next hop 192.0.2.5 is an address of this node; the router has to announce a next hop of its own",
        path={"next_hop": "192.0.2.5"},
    ),
    "broadcast": Case(
        "next-hop-invalid",
        f"{IS_NOT}: its next hop 192.0.2.255 is no address that a router can have there; "
        "the router has to announce a next hop of its own",
        path={"next_hop": "192.0.2.255"},
    ),
    "off link": Case(
        "next-hop-off-link",
        f"{IS_NOT}: its next hop 198.51.100.1 is on no network of the domain's interfaces (eth1); "
        "correct the router's next hop, or add the link to `interfaces` of the domain",
        path={"next_hop": "198.51.100.1"},
    ),
    "link-local": Case(
        "next-hop-no-interface",
        f"{IS_NOT}: its next hop fe80::1 is link-local, and on which link is not known; "
        "the router has to announce a global address, or the session has to run over its link",
        path={"next_hop": "fe80::1"},
    ),
    "link down": Case(
        "next-hop-link-down",
        f"{IS_NOT}: the link of its next hop 192.0.2.1 is down; bring the link up again: `ip link`",
        after=the_link_goes_down,
    ),
    "limit": Case(
        "limit",
        f"{IS_NOT}: domain storage wants 2 ipv4 routes, and its limit of 1 keeps new ones out; "
        "find out why there are so many, with `bgpmon peers`, or raise `limit`",
        domain={"limit": {"ipv4": {"routes": 1, "action": "freeze"}}},
        before=lambda stage, _: _another_of(stage, prefix="10.7.0.0/16"),
    ),
    "shared table": Case(
        "domain-conflict",
        f"{NET} of domain storage is not what is in table 101: domain first, listed earlier, has the same prefix in the "
        "same table; give one of the two a table of its own if both are needed",
        domain={"peers": ["192.0.2.1"]},
        config={"domains": {
            "first": {"source": "fabric"} | DOMAIN | {"peers": ["192.0.2.2"]},
            "storage": {"source": "fabric"} | DOMAIN | {"peers": ["192.0.2.1"], "rules": []},
        }},
        before=a_better_one,
        ask="storage",
    ),
    "dry-run": Case(
        "dry-run",
        f"{IS_NOT}: the mode is dry-run, so nothing is written; set `mode: approve` or `mode: auto` to have it written",
        mode="dry-run",
    ),
    "approve": Case(
        "waits-for-approval",
        f"{IS_NOT}: the change to the path of 192.0.2.1 waits for a person; "
        "`bgpmon plan freeze`, then `bgpmon approve DIGEST`",
        mode="approve",
    ),
    "paused": Case(
        "paused",
        f"{IS_NOT}: writing is paused since 2026-01-01T00:00:01Z by alice: a break; `bgpmon resume` ends that",
        before=lambda stage, _: _done(stage.control.pause("a break", "alice")),
    ),
    "held": Case(
        "held",
        f"{IS_NOT}: hold 1 keeps the change back; `bgpmon holds` tells why, `bgpmon release ID` ends it",
        before=lambda stage, _: _done(stage.control.hold("op=+", 3600.0, "wait", "alice")),
    ),
    "change denied": Case(
        "denied",
        f"{IS_NOT}: the approval rule rule 1 denies the change, which is of class add-small; "
        "change the rule, or `bgpmon plan freeze --denied` and break the glass",
        config={"approval": {"rules": [{"match": "op=+", "decision": "deny"}]}},
    ),
    "rolled back": Case(
        "rolled-back",
        f"{IS_NOT}: the change was rolled back, and is not written again by itself; "
        "`bgpmon plan freeze`, then `bgpmon approve DIGEST`",
        mode="approve",
        config={"approval": {"soak": {"duration": "5m"}}},
        after=it_is_rolled_back,
    ),
    "removal kept back": Case(
        None,
        f"{NET} is still in table 101 for domain storage, via 192.0.2.1 dev eth1 metric 200: no peer of domain storage "
        "announces it any more; its removal waits: hold 1 keeps the change back; "
        "`bgpmon holds` tells why, `bgpmon release ID` ends it",
        after=it_is_withdrawn_while_held,
    ),
    "foreign": Case(
        "foreign-conflict",
        f"{IS_NOT}: a route of another program (protocol 4, static) stands at the same prefix and metric 200, and is left "
        "alone; delete the other route, or give the domain another `metric`",
        before=somebody_has_it,
    ),
    "refused": Case(
        "kernel-refused",
        f"{IS_NOT}: the kernel refused it (it said: Invalid prefsrc address), 2 attempts so far, again in 1 s",
        before=the_kernel_refuses,
        after=lambda stage, _: stage.settle(0.25),
    ),
    "removal held": Case(
        None,
        f"{NET} is still in table 101 for domain storage, via 192.0.2.1 dev eth1 metric 200: no peer of domain storage "
        "announces it any more; the removal budget holds 2 removals for 8 min 59 s more",
        after=all_is_withdrawn,
    ),
    "unknown": Case(
        None,
        f"{NET} is still in table 101 for domain storage, via 192.0.2.1 dev eth1 metric 200: no peer of domain storage "
        "announces it any more; it stays until everything that BGP has to say is known: see `bgpmon status`",
        after=it_is_withdrawn_in_the_dark,
    ),
    "withdrawn": Case(
        None,
        f"{NET} is not a route: no peer of any domain announces it, and the kernel has none of ours",
        after=it_is_withdrawn,
    ),
    "no domain": Case(
        "unassigned",
        f"{NET} is not a route: 192.0.2.1, which announces it, belongs to no domain; "
        "add it to `peers` of a domain if its routes should be used",
        domain={"peers": ["192.0.2.9"]},
    ),
}  # fmt: skip


async def _another_of(stage: Stage, **said: Any) -> None:
    await another(stage, "192.0.2.2", **said)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_reason_and_sentence(case: Case) -> None:
    answer = explained(case)
    assert answer["reason"] == case.reason
    assert answer["sentence"] == case.sentence
    assert answer["verdict"] == case.sentence


def test_every_reason_is_explained_by_a_case_or_is_one_of_a_path() -> None:
    of_paths = {"stale", "not-best", "multipath-full", "same-next-hop"}
    elsewhere = {"next-hop-in-prefix", "peer-limit", "rpki-unknown", "pending"}
    explained_ones = {case.reason for case in CASES.values()} - {None}
    assert {reason.label for reason in Reason} == explained_ones | of_paths | elsewhere


def test_paths_are_ranked_as_the_decision_ranks_them_and_the_refused_come_last() -> None:
    async def others(stage: Stage, _router: Router) -> None:
        await another(stage, "192.0.2.2", origin=Origin.INCOMPLETE)
        await another(stage, "192.0.2.3")
        await another(stage, "192.0.2.4", next_hop="192.0.2.1")
        await another(stage, "192.0.2.6", next_hop="192.0.2.5")
        await another(stage, "192.0.2.7")

    answer = explained(Case("installed", "", domain={"multipath": 2}, after=others))
    ranked = [(path["rank"], path["peer"], path["reason"], path["step"]) for path in answer["paths"]]
    assert ranked == [
        (1, "192.0.2.1", "installed", None),
        (2, "192.0.2.3", "installed", None),
        (3, "192.0.2.4", "same-next-hop", "router-id"),
        (4, "192.0.2.7", "multipath-full", "router-id"),
        (5, "192.0.2.2", "not-best", "origin"),
        (6, "192.0.2.6", "next-hop-own", None),
    ]
    assert [path["best"] for path in answer["paths"]] == [True, False, False, False, False, False]
    assert answer["sentence"].endswith("metric 200: 2 equal paths of 5, read back from the kernel")


def test_a_stale_path_says_that_it_lost_to_a_fresh_one() -> None:
    async def one_restarts(stage: Stage, router: Router) -> None:
        await another(stage, "192.0.2.2")
        await the_peer_restarts(stage, router)

    stale = explained(Case("installed", "", after=one_restarts))["paths"][1]
    assert (stale["peer"], stale["reason"], stale["step"], stale["stale"]) == ("192.0.2.1", "stale", "fresh", True)


def test_a_change_says_what_is_there_and_what_is_to_be() -> None:
    async def approved_then_better(stage: Stage, _router: Router) -> None:
        frozen: Any = await stage.control.freeze("uid 0")
        await stage.control.approve(frozen["digest"], "uid 0")
        await stage.settle()
        await another(stage, "192.0.2.2", local_pref=200)

    answer = explained(Case("waits-for-approval", "", mode="approve", after=approved_then_better))
    assert answer["state"] == "change"
    assert answer["sentence"] == (
        f"{NET} is in table 101 for domain storage, via 192.0.2.1 dev eth1 metric 200, to become via 192.0.2.2 dev eth1 "
        "metric 200: the change to the path of 192.0.2.2, the best of 2 by local-pref (higher local preference), waits "
        "for a person; `bgpmon plan freeze`, then `bgpmon approve DIGEST`"
    )
    (done,) = answer["history"]
    assert (done["op"], done["prefix"], done["result"], done["cause"]) == ("+", NET, "done", "plan 1")


def test_a_removal_in_mode_approve_waits_for_a_person() -> None:
    async def approved_then_gone(stage: Stage, router: Router) -> None:
        frozen: Any = await stage.control.freeze("uid 0")
        await stage.control.approve(frozen["digest"], "uid 0")
        await stage.settle()
        await it_is_withdrawn(stage, router)

    answer = explained(Case(None, "", mode="approve", after=approved_then_gone))
    assert answer["state"] == "remove"
    assert answer["sentence"].endswith(
        "no peer of domain storage announces it any more; its removal waits for a person: `bgpmon plan freeze`, then "
        "`bgpmon approve DIGEST`"
    )


def test_an_unknown_prefix_names_what_covers_it_and_what_the_speaker_did_not_tell() -> None:
    async def ask(stage: Stage, router: Router) -> dict[str, Any]:
        counts = {Family.IPV4: PeerFamily(received=3, accepted=1)}
        table = stage.engine.peers[router.id]
        table.peer = type(table.peer)(router.id, table.peer.state, asn=65001, local_asn=65000, families=counts)
        answer: dict[str, Any] = await stage.feed.explain("10.8.7.7", "")
        return answer

    found: list[dict[str, Any]] = []

    async def keep(stage: Stage, router: Router) -> None:
        found.append(await ask(stage, router))

    explained(Case(None, "", after=keep))
    assert found[0]["sentence"] == (
        "10.8.7.7/32 is not a route: no peer of any domain announces it, and the kernel has none of ours; its speaker does "
        "not accept 2 paths of 192.0.2.1 (an AS loop, for one), and tells nothing of them; its traffic follows "
        f"{NET} of domain storage"
    )
    assert found[0]["state"] == "absent"


@pytest.mark.parametrize(("prefix", "domain"), [("10.8.0.1/16", ""), ("storage", ""), (NET, "nowhere")])
def test_what_cannot_be_asked_is_refused_with_what_is_wrong(prefix: str, domain: str) -> None:
    async def ask(stage: Stage, _router: Router) -> None:
        with pytest.raises(BadRequest, match=r"host bits|not appear|no domain"):
            await stage.feed.explain(prefix, domain)

    explained(Case("installed", "", after=ask))
