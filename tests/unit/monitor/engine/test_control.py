"""What people may change: freezing, approving, rejecting, reloading, withdrawing; and the plan as it is stored."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.change.quorum import Requirement
from monitor.engine.plans import read_plan, stored_plan
from monitor.errors import BadRequest, ConfigError, Refused, Stale
from monitor.rib.path import PeerId
from programmer.plan import Operation, Plan, RuleOperation
from programmer.route import Family, Forwarding, NextHop, Rule, TableId, key_of
from tests.support.scenario_clock import run_without_waiting
from tests.support.scenario_stage import Router, Stage

DOMAIN = {
    "peers": ["192.0.2.0/28"],
    "interfaces": ["eth1"],
    "table": 101,
    "import": [{"accept": "any"}],
    "rules": [{"from": "10.244.0.0/16", "priority": 1200}],
}


def on_stage(play: Callable[[Stage, Router], Awaitable[None]], mode: str = "approve", **more: object) -> None:
    """Run *play* on a stage where one router has announced 10.1.0.0/16 and 10.2.0.0/16."""

    async def main() -> None:
        stage = Stage({"mode": mode, "domains": {"storage": DOMAIN}} | more)
        router = stage.routers["tor"] = Router(PeerId("fabric", "192.0.2.1"), up=True)
        await stage.start()
        try:
            stage.start_feed("fabric")
            stage.announce(router, ["10.1.0.0/16", "10.2.0.0/16"], stage.path(router, 1000.0))
            stage.complete(router)
            await stage.settle()
            await play(stage, router)
        finally:
            await stage.stop()

    run_without_waiting(main)


def test_frozen_plan_is_answered_stored_and_noted() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        answer: Any = await stage.control.freeze("uid 1000")
        assert (answer["state"], answer["number"], answer["operations"]) == ("frozen", 1, 3)
        assert answer["summary"] == {"add": 3, "change": 0, "remove": 0}
        assert answer["digest"].startswith(answer["short"].replace("-", ""))
        shown: Any = await stage.feed.plan(answer["digest"])
        assert {row["prefix"] for row in shown["operations"]} == {None, "10.1.0.0/16", "10.2.0.0/16"}
        (noted,) = [row for row in stage.journal.history("", 50) if row["cause"].startswith("freeze")]
        assert noted["actor"] == "uid 1000"
        again: Any = await stage.control.freeze("uid 1000")
        assert again["number"] == 2
        assert again["digest"] != answer["digest"], "a plan is itself, also when its operations are another one's"

    on_stage(play)


def test_frozen_plan_does_not_change_with_the_network() -> None:
    async def play(stage: Stage, router: Router) -> None:
        answer: Any = await stage.control.freeze("alice")
        before = await stage.feed.plan(answer["digest"])
        stage.withdraw(router, ["10.1.0.0/16"])
        stage.announce(router, ["10.3.0.0/16"], stage.path(router, 1000.0))
        await stage.settle()
        assert await stage.feed.plan(answer["digest"]) == before

    on_stage(play)


@pytest.mark.parametrize("length", [12, 20, 64])
def test_plan_is_named_by_the_beginning_of_its_digest(length: int) -> None:
    async def play(stage: Stage, _router: Router) -> None:
        frozen: Any = await stage.control.freeze("alice")
        answer: Any = await stage.control.approve(frozen["digest"][:length], "bob")
        assert (answer["state"], answer["applied"], answer["failed"], answer["stale"]) == ("applied", 3, 0, 0)
        assert answer["digest"] == frozen["digest"]
        rows = stage.journal.history("10.1.0.0/16", 1)
        assert (rows[0]["actor"], rows[0]["plan"]) == ("bob", frozen["digest"])

    on_stage(play)


def test_digest_that_names_no_plan_is_told_apart_from_one_that_is_none() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        with pytest.raises(Stale, match="no plan"):
            await stage.control.approve("0123456789ab", "alice")
        for text in ("", "7f3a", "not a digest", "%" * 20):
            with pytest.raises(BadRequest, match="is no digest"):
                await stage.control.approve(text, "alice")

    on_stage(play)


def test_plan_that_was_tampered_with_is_refused() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        frozen: Any = await stage.control.freeze("alice")
        full, number, _, created, expires, actor, _, body = stage.journal.plans(frozen["digest"])[0]
        shorter = body.rpartition("\n")[0]
        stage.journal.put_plan(full, number, "frozen", (created, expires), actor, shorter)
        with pytest.raises(Refused, match="does not match its digest"):
            await stage.control.approve(full, "alice")
        assert stage.kernel.asked == []

    on_stage(play)


def test_plan_of_another_node_is_refused() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        operation = Operation(
            TableId(101), Family.IPV4, b"\x08\x0a", None, Forwarding(200, (NextHop(b"\xc0\0\x02\x01", 2),))
        )
        plan = Plan(7, "elsewhere", stage.config.digest, 0.0, 9e9, (operation,))
        digest, body = stored_plan(plan, {"author": "mallory", "requirement": Requirement().document()}, [])
        stage.journal.put_plan(digest, 7, "frozen", (0.0, 9e9), "mallory", body)
        with pytest.raises(Refused, match="another node's"):
            await stage.control.approve(plan.digest, "alice")

    on_stage(play)


def test_plan_that_an_earlier_version_stored_is_listed_and_not_read() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        old = '{"summary": {"add": 1}, "shown": [], "total": 1}\n{"number": 7}\n[]'
        stage.journal.put_plan("ab" * 32, 7, "applied", (0.0, 9e9), "alice", old)
        listed: Any = await stage.feed.plans()
        assert [(row["number"], row["state"], row["summary"]) for row in listed["items"]] == [(7, "applied", None)]
        for act in (
            stage.feed.plan("ab" * 32),
            stage.control.approve("ab" * 32, "bob"),
            stage.control.roll_back("ab" * 32, "bob"),
        ):
            with pytest.raises(Stale, match="plan 7 was frozen by an earlier bgpmon"):
                await act

    on_stage(play)


def test_rejection_needs_a_reason_and_is_final() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        frozen: Any = await stage.control.freeze("alice")
        with pytest.raises(Refused, match="needs a reason"):
            await stage.control.reject(frozen["digest"], "  ", "bob")
        await stage.control.reject(frozen["digest"], "too risky", "bob")
        shown: Any = await stage.feed.plan(frozen["digest"])
        assert (shown["state"], shown["detail"]) == ("rejected", "too risky")
        with pytest.raises(Refused):
            await stage.control.reject(frozen["digest"], "again", "bob")

    on_stage(play)


def test_plan_whose_writes_all_fail_says_so() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        stage.file = stage.file | {"domains": {"storage": stage.file["domains"]["storage"] | {"rules": []}}}
        await stage.control.reload("alice")
        await stage.settle()
        frozen: Any = await stage.control.freeze("alice")
        stage.kernel.fail_writes(2, 101, "Nexthop has invalid gateway")
        answer: Any = await stage.control.approve(frozen["digest"], "alice")
        assert (answer["state"], answer["applied"], answer["failed"]) == ("failed", 0, 2)

    on_stage(play)


def test_bad_file_leaves_the_old_configuration_in_force() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        before = stage.engine.config
        stage.file = stage.file | {"mode": "careful"}
        with pytest.raises(ConfigError, match="careful"):
            await stage.control.reload("alice")
        assert stage.engine.config is before

    on_stage(play)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("netns", "/run/netns/other"),
        ("state_dir", "/var/lib/other"),
        ("run_dir", "/run/other"),
        ("protocol", 197),
        ("node", "other"),
        ("reconcile", "30s"),
        ("sources", {"fabric": {"gobgp": "127.0.0.1:50059"}}),
        ("api", {"group": "root"}),
    ],
)
def test_reload_names_what_needs_a_restart(key: str, value: object) -> None:
    async def play(stage: Stage, _router: Router) -> None:
        stage.file = stage.file | {key: value}
        with pytest.raises(Refused, match=f"a restart is needed to change {key}"):
            await stage.control.reload("alice")

    on_stage(play)


def test_reload_changes_the_mode_at_once() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        assert stage.kernel.asked == []
        stage.file = stage.file | {"mode": "auto"}
        answer = await stage.control.reload("alice")
        assert answer["state"] == "reloaded"
        await stage.settle()
        assert len(await stage.routes(101)) == 2

    on_stage(play)


def test_reload_to_dry_run_stops_all_writing() -> None:
    async def play(stage: Stage, router: Router) -> None:
        stage.file = stage.file | {"mode": "dry-run"}
        await stage.control.reload("alice")
        asked = len(stage.kernel.asked)
        stage.withdraw(router, ["10.1.0.0/16"])
        await stage.settle(3600)
        assert len(stage.kernel.asked) == asked
        assert len(await stage.routes(101)) == 2

    on_stage(play, mode="auto")


def test_after_withdraw_all_nothing_can_be_approved() -> None:
    async def play(stage: Stage, _router: Router) -> None:
        frozen: Any = await stage.control.freeze("alice")
        answer: Any = await stage.control.withdraw_all("alice")
        assert (answer["removed"], answer["failed"]) == (0, 0)
        with pytest.raises(Refused, match="withdraw-all was carried out"):
            await stage.control.approve(frozen["digest"], "alice")

    on_stage(play)


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
PREFIXES = st.builds(
    lambda address, share: ip_network((address, round(address.max_prefixlen * share)), strict=False),
    ADDRESSES,
    st.floats(0, 1),
)


@st.composite
def forwardings(draw: st.DrawFn) -> Forwarding:
    hops = draw(
        st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.integers(1, 99), st.integers(1, 256)), min_size=1)
    )
    return Forwarding(
        draw(st.integers(1, 2**32 - 1)), tuple(NextHop(*hop) for hop in hops), draw(st.sampled_from((b"", b"\1\2\3\4")))
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    operations = []
    for prefix in draw(st.lists(PREFIXES, max_size=5, unique=True)):
        family = Family.IPV4 if prefix.version == 4 else Family.IPV6
        before, after = draw(st.none() | forwardings()), draw(forwardings())
        operations.append(Operation(TableId(draw(st.integers(1, 2**32 - 1))), family, key_of(prefix), before, after))
    rules = []
    for prefix in draw(st.lists(PREFIXES, max_size=3)):
        family = Family.IPV4 if prefix.version == 4 else Family.IPV6
        rule = Rule(family, draw(st.integers(1, 32765)), TableId(101), draw(st.sampled_from((None, prefix))), prefix)
        rules.append(RuleOperation(rule, draw(st.booleans())))
    return Plan(
        draw(st.integers(1, 999)), "node", "c0ffee", 1.0, draw(st.floats(1, 9e9)), tuple(operations), tuple(rules)
    )


@given(plans())
def test_stored_plan_is_the_plan(plan: Plan) -> None:
    digest, body = stored_plan(plan, {"requirement": Requirement().document()}, [])
    assert read_plan(body) == (plan, digest)
    assert digest == plan.digest
