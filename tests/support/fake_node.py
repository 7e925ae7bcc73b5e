"""What a node says of itself in many states: the documents that a ``FakeDaemon`` answers with."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.fake_daemon import Document, FakeDaemon, FakeViews
from tests.support.fake_routes import routes

NOW = 1_795_507_612.0
"""2026-11-24 08:06:52 UTC: 250 seconds before the deadline of the change that soaks."""

FROZEN = "7f3a91c2e0b4d5a6978877665544332211ffeeddccbbaa998877665544332211"
"""The digest of the frozen plan, in whatever state."""

APPLIED = "574db51931500000000000000000000000000000000000000000000000000000"

DOCUMENTS = Path(__file__).parents[1] / "unit/monitor/cli/documents"

NODE = "node-a17"


def document(name: str) -> Document:
    """Return an answer of the API, taken from the lab and shortened."""
    found: Document = json.loads((DOCUMENTS / f"{name}.json").read_text())
    return found


def at(ago: float) -> str:
    """Return the moment that was *ago* seconds before now."""
    return datetime.fromtimestamp(NOW - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def family(received: int, best: int, **more: Any) -> Document:
    """Return the counts of one family of a domain."""
    pending = {"add": 0, "change": 0, "remove": 0} | more.pop("pending", {})
    counts = dict.fromkeys(("received", "accepted", "in_policy", "eligible"), received)
    counts |= dict.fromkeys(("best", "desired", "installed", "verified"), best)
    counts |= dict.fromkeys(("shared", "failed", "conflicts", "held", "foreign", "drift", "drift_total"), 0)
    return counts | {"pending": pending} | more


def domain(name: str, table: int, families: Document, **more: Any) -> Document:
    """Return one domain."""
    known = {
        "name": name,
        "table": table,
        "metric": 200,
        "source": "fabric",
        "interfaces": [f"eth{table - 100}"],
        "state": "complete",
        "waits": [],
        "effective": True,
        "families": families,
        "guards": [],
        "rules": [{"text": f"rule {table * 10}: from all to 10.0.0.0/8 lookup {table}", "state": "installed"}],
    }
    return known | more


def domains() -> list[Document]:
    """Return three domains: one in order, one with IPv6 and work to do, one where much is wrong."""
    reasons = {"refused-by-import": 2, "next-hop-unresolved": 2, "loop": 1}
    troubled = family(
        57,
        49,
        installed=46,
        verified=45,
        conflicts=1,
        held=2,
        failed=1,
        foreign=1,
        drift=1,
        drift_total=3,
        shared=4,
        in_policy=55,
        eligible=49,
        reasons=reasons,
        pending={"add": 3, "change": 1, "remove": 1},
    )
    return [
        domain("cluster", 101, {"ipv4": family(259, 255)}),
        domain(
            "internet",
            102,
            {
                "ipv4": family(1_048_210, 1_003_997, pending={"add": 12_204, "change": 17}),
                "ipv6": family(214_001, 201_443, pending={"add": 1}),
            },
            interfaces=["eth2", "eth3"],
        ),
        domain(
            "storage",
            103,
            {"ipv4": troubled},
            state="stale",
            effective=False,
            rules=[],
            waits=["peer 172.16.3.9 restarts: 10 paths stale, used until 08:09:33Z"],
            guards=["at most 10 % of its routes are removed at once; 1 removal waits for a person"],
        ),
    ]


def peer(address: str, asn: int, name: str, received: int, **more: Any) -> Document:
    """Return one peer."""
    counts = {
        "received": received,
        "accepted": received,
        "advertised": 0,
        "held": received,
        "best": received // 2,
        "limit": 0,
        "end_of_rib": True,
        "complete": "End-of-RIB",
    }
    known = {
        "address": address,
        "source": "fabric",
        "source_kind": "gobgp",
        "asn": asn,
        "domain": name,
        "state": "established",
        "admin_state": "up",
        "since": at(3_900),
        "families": {"ipv6" if ":" in address else "ipv4": counts},
        "last_down_reason": "",
        "authenticated": True,
        "description": "",
        "restarting": False,
        "expired": False,
        "updates": received,
        "withdrawals": 7,
    }
    return known | more


def peers() -> list[Document]:
    """Return six peers: up, down with a reason, restarting, shut, IPv6, and one of no domain."""
    return [
        peer("172.16.1.1", 65001, "cluster", 259, description="leaf 1, rack A"),
        peer("198.51.100.9", 65002, "internet", 524_105, description="transit Ärger & Söhne, 東京"),
        peer(
            "203.0.113.9",
            64999,
            "internet",
            0,
            state="active",
            since=at(190),
            last_down_reason="hold timer expired (4/0)",
        ),
        peer("2001:db8:0:3::9", 4_200_000_001, "internet", 214_001, authenticated=False),
        peer("172.16.3.9", 65003, "storage", 57, state="idle", restarting=True, since=at(75)),
        peer(
            "172.16.4.7",
            65007,
            "unassigned",
            3,
            admin_state="down",
            state="idle",
            since=at(86_400 * 3),
            authenticated=False,
        ),
    ]


def rates() -> Document:
    """Return a quarter of an hour: quiet, a burst, quiet again."""
    return {
        "seconds": 10,
        "updates": [0] * 40 + [12, 80, 2_400, 31_000, 9_500, 700, 30, 4] + [0, 3] * 20 + [5, 2],
        "withdrawals": [0] * 43 + [900, 40] + [0] * 44 + [1],
        "writes": [0] * 44 + [8_000, 12_204] + [0] * 44,
    }


def change(**more: Any) -> Document:
    """Return the state of change control."""
    window = {
        "open": False,
        "name": "",
        "text": "shut: next nightly at 2026-11-24 22:00 Europe/Berlin (in 12 h)",
        "until": at(-46_000),
    }
    return {"paused": None, "holds": [], "window": window, "waiting": [], "in_flight": None, "break_glass": ""} | more


def waiting(state: str = "frozen") -> Document:
    """Return what the status says of the plan that waits."""
    return {"number": 4, "digest": FROZEN, "state": state, "expires_at": "2026-11-24T09:01:09Z", "detail": ""}


def soaking() -> Document:
    """Return what the status says of the change that soaks."""
    return {"number": 4, "digest": FROZEN, "state": "soaking", "deadline": "2026-11-24T08:11:02Z", "seconds_left": 250}


def status(**more: Any) -> Document:
    """Return the node on one screen."""
    plan = {"number": 3, "digest": "", "state": "live", "summary": {"add": 12_208, "change": 18, "remove": 1}}
    known = {
        "node": NODE,
        "mode": "approve",
        "ready": True,
        "version": "0.1.0",
        "since": at(90_000),
        "simulated": False,
        "kernel": "the host's network namespace (inode 4026531840)",
        "peers": {"up": 3, "down": 3, "total": 6},
        "plan": plan,
        "sources": [
            {
                "name": "fabric",
                "kind": "gobgp",
                "target": "unix:///run/gobgpd/api.sock",
                "state": "connected",
                "detail": "GoBGP 3.x, AS 65000, router id 172.16.1.10",
            }
        ],
        "domains": domains(),
        "change": change(),
        "rates": rates(),
        "warnings": [
            "peers in no domain: 172.16.4.7",
            "table 103: 1 routes meet a foreign one and are left alone: 10.8.5.0/24",
        ],
    }
    return known | more


def operation(number: int) -> Document:
    """Return an operation of a plan by its number."""
    op = "+~-"[number % 3]
    before, after = "via 198.51.100.9 dev eth2 metric 200", "via 203.0.113.9 dev eth3 metric 200"
    return {
        "op": op,
        "domain": "internet",
        "table": 102,
        "prefix": f"20.{number // 256}.{number % 256}.0/24",
        "before": None if op == "+" else before,
        "after": None if op == "-" else after,
        "class": ("add", "nh-move", "delete")[number % 3],
        "risk": ("low", "med", "high")[number % 3],
        "decision": "approve: 1",
        "rule": "rest",
        "reason": "peer 198.51.100.9, AS path 65002",
        "effect": "256 addresses leave 0.0.0.0/0" if op == "+" else "",
        "held": "1" if number % 7 == 6 else "",
    }


def live_plan(count: int = 0) -> Document:
    """Return the live plan: the lab's, or one of *count* operations, of which at most 500 are told."""
    found = document("plan") | {"change": change()}
    if count:
        shown = [operation(number) for number in range(min(count, 500))]
        found |= {"operations": shown, "total": count, "truncated": count > len(shown)}
        found["summary"] = {"add": (count + 2) // 3, "change": (count + 1) // 3, "remove": count // 3}
    return found


def empty_plan() -> Document:
    """Return a live plan with nothing in it."""
    return {
        "number": 3,
        "digest": "",
        "state": "live",
        "summary": {"add": 0, "change": 0, "remove": 0},
        "operations": [],
        "total": 0,
        "truncated": False,
        "effect": {"checks": [], "tables": []},
        "change": change(),
    }


def frozen_plan(*, blocked: bool = False) -> Document:
    """Return the plan that two people must sign, one of whom did; *blocked* by two of its checks."""
    found = document("plan-one-of-two")
    if blocked:
        effect = copy.deepcopy(found["effect"])
        effect["checks"] = [
            {
                "check": "traffic-lost",
                "verdict": "block",
                "text": "65,536 addresses that have a route would have none: 10.8.0.0/16",
            },
            {"check": "room", "verdict": "block", "text": "+1,003,997 routes, about 401 MB of 96 MB available"},
            {"check": "ecmp", "verdict": "look", "text": "1 route would have fewer live next hops"},
            {"check": "next-hops", "verdict": "ok", "text": "every route has a next hop on a link that is up"},
        ]
        found["effect"] = effect
    return found


def soaking_plan() -> Document:
    """Return the plan while it soaks: a probe is slow, one fails, one is well."""
    found = document("plan-soaking")
    failing = {
        "name": "dns",
        "kind": "udp",
        "target": "10.96.0.10:53",
        "before": {"ok": True, "milliseconds": 1.0, "text": "1 ms"},
        "now": {"ok": False, "milliseconds": None, "text": "no answer in 2 s"},
        "good": 7,
        "total": 9,
        "verdict": "failing",
        "text": "no answer in 2 s",
    }
    return found | {"probes": [*found["probes"], failing]}


def applied_plan() -> Document:
    """Return a plan that stays: nothing soaked."""
    found = document("plan-rolled-back")
    progress = found["progress"] | {"reverted": {}, "log": found["progress"]["log"][:4], "deadline": None}
    return found | {
        "state": "applied",
        "detail": "applied 4, refused by the kernel 0, left out 0",
        "digest": APPLIED,
        "number": 3,
        "short": "574d-b519-3150",
        "progress": progress,
        "soak": None,
    }


def plans() -> Document:
    """Return the list of plans in several states."""
    first, second = document("plans")["items"]
    states = ("rejected", "expired", "rolled-back", "failed")
    older = [
        second
        | {
            "number": 2 - place,
            "digest": f"{place:064x}",
            "short": f"{place:04x}-0000-0000",
            "state": state,
            "kind": "change",
        }
        for place, state in enumerate(states)
    ]
    return {"items": [first, second, *older]}


def lookup(address: str, *, agrees: bool = True) -> Document:
    """Return where a packet would go; the kernel does what BGP wants, or not."""
    want = "storage: 10.8.1.0/24 via 172.16.3.1 dev eth4 metric 200"
    covering = [
        {
            "domain": "storage",
            "table": 103,
            "prefix": "10.8.1.0/24",
            "state": "installed" if agrees else "add",
            "text": "via 172.16.3.1 dev eth4 metric 200",
        },
        {
            "domain": "cluster",
            "table": 101,
            "prefix": "10.0.0.0/8",
            "state": "installed",
            "text": "via 172.16.1.1 dev eth1 metric 200",
        },
        {
            "domain": "storage",
            "table": 103,
            "prefix": "0.0.0.0/0",
            "state": "foreign",
            "text": "via 172.16.0.1 dev eth0 metric 1024",
        },
    ]
    if agrees:
        kernel = {
            "text": "10.8.1.0/24 via 172.16.3.1 dev eth4 table 103",
            "table": 103,
            "interface": "eth4",
            "protocol": 196,
        }
        verdict, operations = f"{kernel['text']}: a route of ours", []
    else:
        kernel = {
            "text": "0.0.0.0/0 via 172.16.0.1 dev eth0 table 254",
            "table": 254,
            "interface": "eth0",
            "protocol": 4,
        }
        operations = ["+ 10.8.1.0/24 via 172.16.3.1 dev eth4 metric 200"]
        verdict = (
            f"{kernel['text']}; BGP wants 10.8.1.0/24 via 172.16.3.1 dev eth4 in table 103: the plan is what is missing"
        )
    plan = {"text": "; ".join(operations) or "no change pending", "items": operations}
    return {
        "address": address,
        "bgp": {"text": want, "items": [want]},
        "kernel": kernel,
        "plan": plan,
        "verdict": verdict,
        "covering": covering,
        "agrees": agrees,
    }


def explanation(prefix: str, domain: str = "") -> Document:
    """Return why a prefix has its route: of two paths one is best."""
    found = document("explain")
    best = found["paths"][0] | {
        "peer": "198.51.100.9",
        "next_hop": "198.51.100.9",
        "as_path": "65002 64502",
        "large_communities": ["65002:1:2"],
    }
    other = best | {
        "peer": "203.0.113.9",
        "next_hop": "203.0.113.9",
        "as_path": "64999 64502 64509",
        "best": False,
        "rank": 2,
        "stale": False,
        "reason": "not-best",
        "reason_text": "another path is better",
        "step": "as-path",
        "step_text": "its AS path is longer (3 > 2)",
    }
    words = f"{prefix} waits in the plan: + via 198.51.100.9 dev eth2 metric 200"
    return found | {
        "prefix": prefix,
        "domain": domain or "internet",
        "table": 102,
        "paths": [best, other],
        "installed": None,
        "state": "add",
        "desired": "via 198.51.100.9 dev eth2 metric 200",
        "sentence": words,
        "verdict": words,
        "matches": ["internet", "storage"],
    }


def records() -> list[Document]:
    """Return records of the journal, some of them with plans."""
    told = [
        ("start", "bgpmon", "bgpmon 0.1.0 in mode approve", ""),
        ("peer", "bgpmon", "203.0.113.9 is down: hold timer expired (4/0)", ""),
        ("hold", "uid 0 (root)", "hold 1 for 2h00m: domain=storage: the array is being rebuilt", ""),
        ("freeze", "uid 0 (root), pid 4711 bgpmon", "plan 4: +2 ~1 -1", FROZEN),
        ("approve", "alice@example.net", "plan 4, with CHG-20931: looked at the default route with Carol", FROZEN),
        ("drift", "bgpmon", "10.8.4.0/24 in table 103: somebody removed it; put back", ""),
        ("failed", "bgpmon", "10.8.6.0/24: the kernel refused it: Network is unreachable", ""),
    ]
    return [
        {"id": 1_001 + place, "at": at(900 - place * 120), "kind": kind, "actor": actor, "detail": detail, "plan": plan}
        for place, (kind, actor, detail, plan) in enumerate(told)
    ]


def statement(digest: str, act: str = "approve", ticket: str = "", expires: float = 0.0) -> Document:
    """Return what a person signs."""
    del ticket, expires
    text = f"bgpmon-approval-v1\nact {act}\nnode {NODE}\ndigest {digest}\n"
    return {
        "number": 4,
        "short": "7f3a-91c2-e0b4",
        "act": act,
        "text": text,
        "expires_at": "2026-11-24T08:36:52Z",
        "sign": "ssh-keygen -Y sign -n bgpmon -f ~/.ssh/id_ed25519 plan-4.txt",
    }


def plan_of(frozen: Document, live: Callable[[], Document] = live_plan) -> Callable[..., Document]:
    """Return the answer of the call ``plan``: the live one, or the frozen one by its digest."""

    def plan(digest: str = "", limit: int | None = None) -> Document:
        del limit
        return frozen if digest else live()

    return plan


def daemon(frozen: Document | None = None, **said: Any) -> FakeDaemon:
    """Return the daemon of a busy node; *said* goes into its status, *frozen* is what it knows by digests."""
    made = FakeDaemon(
        status=lambda: status(**said),
        peers=lambda address="": {"items": [item for item in peers() if address in {"", item["address"]}]},
        domains=lambda: {"items": domains()},
        plan=plan_of(frozen or frozen_plan()),
        plans=plans(),
        lookup=lookup,
        explain=explanation,
        doctor=document("doctor"),
        statement=statement,
        knock=lambda: status(**said),
    )
    FakeViews(routes(), at(95)).install(made)
    made.records = records()
    return made


def empty_daemon() -> FakeDaemon:
    """Return the daemon of a node on which nothing is configured and nothing happened."""
    said = status(
        domains=[],
        sources=[],
        warnings=[],
        rates=None,
        peers={"up": 0, "down": 0, "total": 0},
        plan={"number": 1, "digest": "", "state": "live", "summary": {"add": 0, "change": 0, "remove": 0}},
    )
    made = FakeDaemon(
        status=said,
        peers={"items": []},
        domains={"items": []},
        plan=empty_plan(),
        plans={"items": []},
        doctor={"items": []},
    )
    FakeViews([], at(0)).install(made)
    return made


def filling_daemon() -> FakeDaemon:
    """Return the daemon of a node that has just started: tables fill, views are not complete."""
    parts = [
        item | {"state": "unknown", "waits": ["source fabric: the first table is not complete"]} for item in domains()
    ]
    made = daemon(ready=False, domains=parts)
    made.answers["domains"] = {"items": parts}
    FakeViews(routes(), at(1), found_each=500).install(made)
    return made
