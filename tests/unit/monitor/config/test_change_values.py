"""A good file becomes the right rules, people, windows and probes."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from monitor.change.probe import ProbeConfig, ProbeKind
from monitor.change.rule import ApprovalRule, RuleAction, standard_rules
from monitor.change.signers import Signers
from monitor.change.window import Window, WindowKind
from monitor.config import ApprovalConfig, JournalConfig, Overrides, SoakConfig
from monitor.config.show import as_text, settings
from monitor.filter import parse
from tests.unit.monitor.config.files import CHANGE, DOMAIN, SIGNERS, config_of, loaded


@pytest.fixture
def signers(tmp_path: Path) -> str:
    """Return the name of a signers file with three people."""
    file = tmp_path / "signers"
    file.write_text(SIGNERS)
    file.chmod(0o644)
    return str(file)


def rule_of(text: str, more: str = "") -> ApprovalRule:
    (rule,) = config_of(f"{DOMAIN}approval: {{rules: [{{{text}}}]}}\n{more}").approval.rules
    return rule


def test_every_key_of_change_control_reaches_its_field() -> None:
    config = config_of(CHANGE)
    approval = config.approval
    assert [rule.text for rule in approval.rules] == [
        "op=- and state=dead-next-hop: auto, at most 1,000 a minute",
        "class=mass-delete: approve 1, ticket ^CHG-[0-9]+$, risk high",
        "class=add-small: auto, inside a window, outside it approve 1",
        "class=protect-node: deny",
        "*: approve 1",
    ]
    assert approval.rules[1] == ApprovalRule(
        number=2,
        name="many",
        match=parse("class=mass-delete"),
        action=RuleAction.APPROVE,
        ticket="^CHG-[0-9]+$",
        risk="high",
    )
    assert [rule.name for rule in approval.rules] == ["rule 1", "many", "rule 3", "rule 4", "rule 5"]
    lines = CHANGE.splitlines()
    assert all(str(rule.match) in lines[rule.line - 1] for rule in approval.rules)
    assert (approval.allow_local, approval.self_approve, approval.allowed_signers) == (True, False, "")
    assert approval.soak == SoakConfig(
        duration=300.0,
        most=900.0,
        probes=(
            ProbeConfig(name="api", kind=ProbeKind.TCP, target="10.96.0.1:443", domain="storage"),
            ProbeConfig(
                name="gw",
                kind=ProbeKind.ICMP,
                target="198.51.100.1",
                source=ip_address("198.51.100.7"),
                interface="eth1",
                mark=7,
            ),
            ProbeConfig(
                name="web",
                kind=ProbeKind.HTTP,
                target="https://127.0.0.1:8443/healthz",
                host="shop.example",
                insecure=True,
            ),
            ProbeConfig(name="sessions", kind=ProbeKind.BGP, target="storage"),
        ),
    )
    assert config.windows == (
        Window(name="nightly", cron="0 22 * * 1-4", duration=3600.0, timezone="Europe/Berlin"),
        Window(name="freeze", cron="0 0 20 12 *", duration=14 * 86400.0, timezone="UTC", kind=WindowKind.DENY),
    )
    assert config.journal == JournalConfig(keep=30 * 86400.0)
    assert config.warnings == tuple(warning for warning in config.warnings if "BMP" in warning)


def test_decision_approve_is_approve_1() -> None:
    assert rule_of("match: '*', decision: approve").text == rule_of("match: '*', approve: 1").text == "*: approve 1"


def test_a_rule_for_windows_may_say_how_many_people_are_asked_outside(signers: str) -> None:
    windows = "windows: [{name: a, cron: '0 1 * * *', duration: 2d, timezone: UTC}]\n"
    rule = rule_of("match: '*', decision: auto, in_window: true", windows)
    assert (rule.action, rule.in_window, rule.people) == (RuleAction.AUTO, True, 1)
    text = f"{DOMAIN}approval:\n  allowed_signers: {signers}\n"
    text += "  rules: [{match: '*', decision: auto, in_window: true, approve: 2}]\n"
    config = config_of(text + windows)
    assert config.approval.rules[0].people == 2
    assert "approval.rules[0] = rule 1: *: auto, inside a window, outside it approve 2" in as_text(
        loaded(text + windows)
    )


def test_people_groups_and_needs_come_from_both_files(signers: str) -> None:
    approval = config_of(
        f"{DOMAIN}approval:\n  allowed_signers: {signers}\n  allow_local: false\n"
        "  groups: {ops: [bob@corp, alice@corp], platform: carol@corp}\n"
        "  rules: [{match: default, approve: 2, needs: {ops: 1, platform: 1}}]\n"
    ).approval
    assert approval.people == approval.signers.principals == {"alice@corp", "bob@corp", "carol@corp"}
    assert approval.groups == (("ops", frozenset({"alice@corp", "bob@corp"})), ("platform", frozenset({"carol@corp"})))
    assert approval.rules[0].groups == (("ops", 1), ("platform", 1))
    assert approval.rules[0].text == "default: approve 2, of ops 1, platform 1"


def test_what_is_left_out_asks_nobody_twice_and_soaks_nothing() -> None:
    config = config_of(DOMAIN)
    assert (config.windows, config.journal.keep) == ((), 90 * 86400.0)
    approval = config.approval
    assert (approval.soak, approval.groups, approval.allowed_signers) == (None, (), "")
    assert (approval.allow_local, approval.self_approve, approval.signers) == (True, True, Signers(()))


def test_a_soak_without_keys_lasts_five_minutes_and_fifteen_at_most() -> None:
    assert config_of(f"{DOMAIN}approval: {{soak: {{}}}}\n").approval.soak == SoakConfig(duration=300.0, most=900.0)
    longer = config_of(f"{DOMAIN}approval: {{soak: {{duration: 1d}}}}\n").approval.soak
    assert longer == SoakConfig(duration=86400.0, most=3 * 86400.0)


def test_without_rules_the_standard_ones_hold_as_far_as_people_can_sign(signers: str) -> None:
    for mode in ("dry-run", "approve"):
        assert config_of(f"mode: {mode}\n{DOMAIN}").approval.rules == standard_rules(0)
    signed = f"{DOMAIN}approval: {{allowed_signers: {signers}}}\n"
    rules = config_of(signed).approval.rules
    assert rules == standard_rules(3)
    assert max(rule.people for rule in rules) == 2


def test_in_mode_auto_only_the_rules_of_the_file_hold() -> None:
    assert config_of(f"mode: auto\n{DOMAIN}").approval.rules == ()
    assert config_of(DOMAIN, Overrides(mode="auto")).approval.rules == ()
    assert config_of(f"mode: auto\n{DOMAIN}", Overrides(mode="approve")).approval.rules == standard_rules(0)
    text = f"mode: auto\n{DOMAIN}approval: {{rules: [{{match: default, decision: deny}}]}}\n"
    assert [rule.action for rule in config_of(text).approval.rules] == [RuleAction.DENY]


def test_one_who_cannot_sign_for_plans_is_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "signers"
    file.write_text(SIGNERS.replace("bgpmon-plan@v1,file", "git").replace("carol", "carla"))
    file.chmod(0o644)
    approval = config_of(f"{DOMAIN}approval: {{allowed_signers: {file}}}\n").approval
    assert approval.people == {"alice@corp", "carla@corp"}
    assert "bob@corp" in approval.signers.principals


def test_who_must_approve_is_part_of_the_digest() -> None:
    digest = config_of(CHANGE).digest
    for old, new in (
        ("per_minute: 1000", "per_minute: 1001"),
        ('"class=mass-delete", approve: 1', '"class=delete", approve: 1'),
        ("risk: high", "risk: med"),
        ("decision: deny", "decision: auto"),
        ("self_approve: false", "self_approve: true"),
    ):
        assert config_of(CHANGE.replace(old, new)).digest != digest


def test_when_and_how_a_change_is_watched_is_no_part_of_the_digest() -> None:
    digest = config_of(CHANGE).digest
    for old, new in (
        ("name: many", "name: lots"),
        ("duration: 5m", "duration: 6m"),
        ("Europe/Berlin", "Europe/Paris"),
        ("keep: 30d", "keep: 31d"),
        ("name: gw", "name: gateway"),
    ):
        assert old in CHANGE
        assert config_of(CHANGE.replace(old, new)).digest == digest


def test_the_standard_rules_count_in_every_mode(signers: str) -> None:
    assert config_of(f"mode: auto\n{DOMAIN}").digest == config_of(f"mode: approve\n{DOMAIN}").digest
    assert config_of(f"{DOMAIN}approval: {{allowed_signers: {signers}}}\n").digest != config_of(DOMAIN).digest


def test_signers_alone_make_no_other_configuration(signers: str) -> None:
    text = f"{DOMAIN}approval: {{allowed_signers: {signers}, rules: [{{match: '*', approve: 1}}]}}\n"
    before = config_of(text)
    Path(signers).write_text(SIGNERS.replace("bob", "bert"))
    after = config_of(text)
    assert before == after
    assert before.approval.people != after.approval.people


def test_rules_are_shown_as_text_windows_and_probes_key_by_key() -> None:
    found = {item.key: (item.value, item.source) for item in settings(loaded(CHANGE))}
    line = CHANGE.splitlines().index("journal: {keep: 30d}") + 1
    assert found["journal.keep"] == ("30d", f"bgpmon.yaml:{line}")
    assert found["windows[1].kind"] == ("deny", f"bgpmon.yaml:{line - 1}")
    assert found["windows[0].kind"] == ("allow", "default")
    assert found["approval.rules[1]"][0] == "many: class=mass-delete: approve 1, ticket ^CHG-[0-9]+$, risk high"
    assert found["approval.soak.probes[1].interval"] == ("5s", "default")
    assert found["approval.soak.probes[1].source"][0] == "198.51.100.7"
    assert found["approval.groups"] == (None, "default")
    assert {key.rpartition(".")[2] for key in found if key.startswith("approval.soak.probes[3].")} == {
        "name",
        "bgp",
        "interval",
        "failures",
    }
    assert {item.key: item.value for item in settings(loaded(DOMAIN))}["approval.soak"] is None


def test_standard_rules_are_shown_as_defaults() -> None:
    found = {item.key: item for item in settings(loaded(DOMAIN))}
    assert found["approval.rules[0]"].value == "protect-node: class=protect-node: deny"
    assert found["approval.rules[0]"].origin == "default"


def test_an_approval_made_by_hand_asks_for_nothing_special() -> None:
    assert ApprovalConfig() == ApprovalConfig(rules=(), soak=None)
    assert ApprovalConfig().people == frozenset()
