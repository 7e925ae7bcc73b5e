"""A good file becomes the right values."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from monitor.config import (
    AsPathPattern,
    Condition,
    ConfigError,
    DefaultRoute,
    Limit,
    LimitAction,
    MaxDrift,
    Mode,
    PeerLimit,
    PeerSelector,
    PerFamily,
    PrefixRange,
    RemovalBudget,
    load,
)
from monitor.rib.attribute import Origin, Rpki
from programmer.route import Family, Rule, TableId
from tests.unit.monitor.config.files import DOMAIN, GOOD, config_of


def condition_of(text: str) -> Condition:
    config = config_of(DOMAIN.replace("[{accept: any}]", f"[{{accept: {{{text}}}}}]"))
    return config.domains[0].imports[0].condition


def test_the_design_s_example_loads_to_its_values() -> None:
    config = config_of(GOOD)
    assert (config.node, config.mode, config.netns) == ("node-a17", Mode.DRY_RUN, "/proc/1/ns/net")
    assert (config.state_dir, config.run_dir, config.protocol) == ("/var/lib/bgpmon", "/run/bgpmon", 196)
    assert config.protect == (ip_network("10.96.0.0/12"), ip_network("10.244.0.0/16"))
    assert config.encapsulation is False
    assert config.approval.expires == 3600.0
    assert config.approval.max_drift == MaxDrift(operations=10, percent=5.0)
    assert config.source("fabric").gobgp == "unix:///run/gobgp/gobgpd.sock"
    assert config.warnings == ()
    domain = config.domain("storage")
    assert (domain.source, domain.interfaces, domain.table, domain.metric) == ("fabric", ("eth1",), 101, 200)
    assert domain.peers == (
        PeerSelector(ip_network("198.51.100.1/32")),
        PeerSelector(ip_network("198.51.100.128/25")),
    )
    assert domain.families == (Family.IPV4, Family.IPV6)
    assert (domain.multipath, domain.default_route) == (4, DefaultRoute.DENY)
    assert domain.preferred_source == PerFamily(ip_address("10.8.0.5"), None)
    assert domain.limit == PerFamily(Limit(routes=1000, warn_percent=80.0, action=LimitAction.FREEZE), None)
    assert domain.peer_limit.of(Family.IPV4) == PeerLimit(
        paths=2000, warn_percent=80.0, action=LimitAction.TEARDOWN, restart=300.0, attempts=3
    )
    assert domain.removal_budget == RemovalBudget(percent=20.0, routes=100, hold=600.0)
    assert domain.stale_after == 600.0
    assert domain.rules == (
        Rule(Family.IPV4, 1200, TableId(101), ip_network("10.244.0.0/16"), ip_network("10.8.0.0/14")),
    )


def test_import_rules_know_their_number_line_and_text() -> None:
    first, second = config_of(GOOD).domain("storage").imports
    assert first.condition == Condition(prefixes=(PrefixRange(ip_network("10.8.0.0/14"), 16, 28),))
    assert first.label == "import rule 1 (line 25): accept prefix 10.8.0.0/14 ge 16 le 28"
    assert second.condition == Condition(communities=(65001 << 16 | 666,))
    assert second.label == "import rule 2 (line 26): deny community 65001:666"
    assert (first.accept, second.accept) == (True, False)


def test_what_the_file_leaves_out_has_the_safe_value() -> None:
    config = config_of(DOMAIN)
    domain = config.domains[0]
    assert config.mode is Mode.DRY_RUN
    assert (config.netns, config.protocol, config.reconcile) == (None, 196, 60.0)
    assert config.sources[0].resync == 900.0
    assert (domain.metric, domain.multipath, domain.default_route) == (200, 1, DefaultRoute.DENY)
    assert domain.default_lengths == PerFamily(8, 16)
    assert domain.removal_budget == RemovalBudget(percent=20.0, routes=100, hold=600.0)
    assert (domain.end_of_rib_wait, domain.stale_after, domain.require_auth) == (30.0, 600.0, False)
    assert domain.limit == PerFamily(None, None)


def test_domains_keep_the_order_of_the_file() -> None:
    second = DOMAIN.split("domains:\n")[1].replace("storage", "alpha").replace("100.1", "100.2").replace("101", "102")
    assert [domain.name for domain in config_of(DOMAIN + second).domains] == ["storage", "alpha"]


@pytest.mark.parametrize(
    ("text", "ge", "le", "words"),
    [
        ("prefix: 10.8.0.0/14", 14, 14, "10.8.0.0/14"),
        ("prefix: 10.8.0.0/14, ge: 16", 16, 32, "10.8.0.0/14 ge 16"),
        ("prefix: 10.8.0.0/14, le: 28", 14, 28, "10.8.0.0/14 le 28"),
        ("prefix: 10.8.0.0/14, le: 32", 14, 32, "10.8.0.0/14 le 32"),
        ("prefix: 10.8.0.0/14, ge: 24, le: 24", 24, 24, "10.8.0.0/14 ge 24 le 24"),
        ("prefix: 10.8.0.7", 32, 32, "10.8.0.7/32"),
        ('prefix: "2001:db8::/32", ge: 48', 48, 128, "2001:db8::/32 ge 48"),
    ],
)
def test_a_prefix_means_itself_unless_ge_or_le_open_it(text: str, ge: int, le: int, words: str) -> None:
    found = condition_of(text).prefixes[0]
    assert (found.ge, found.le, found.text) == (ge, le, words)


def test_a_list_in_a_condition_means_any_of_its_entries() -> None:
    found = condition_of("prefix: [10.8.0.0/14, 10.16.0.0/14], le: 24, origin: [igp, egp], rpki: not-found")
    assert [(item.prefix.prefixlen, item.le) for item in found.prefixes] == [(14, 24), (14, 24)]
    assert found.origins == (Origin.IGP, Origin.EGP)
    assert found.rpki == (Rpki.NOT_FOUND,)


def test_every_condition_reaches_its_field() -> None:
    found = condition_of(
        "community: [65001:10, blackhole], large_community: 65001:1:200, as_path: ^65001_, "
        "next_hop: 198.51.100.0/24, peer: [198.51.100.1, eth1, 'fe80::1%eth1']"
    )
    assert found.communities == (65001 << 16 | 10, 0xFFFF029A)
    assert found.large_communities == ((65001, 1, 200),)
    assert [pattern.source for pattern in found.as_paths] == ["^65001_"]
    assert found.next_hops == (ip_network("198.51.100.0/24"),)
    assert found.peers[1:] == (PeerSelector(None, "eth1"), PeerSelector(ip_network("fe80::1/128"), "eth1"))


def test_any_matches_everything() -> None:
    rule = config_of(DOMAIN).domains[0].imports[0]
    assert rule.condition.matches_all
    assert rule.text == "accept any"


def test_a_rule_may_change_metric_and_preferred_source() -> None:
    text = "[{accept: {prefix: 10.8.0.0/14}, metric: 50, preferred_source: 10.8.0.5}]"
    domain = config_of(DOMAIN.replace("[{accept: any}]", text)).domains[0]
    rule = domain.imports[0]
    assert (rule.metric, rule.preferred_source) == (50, PerFamily(ip_address("10.8.0.5"), None))
    assert rule.text == "accept prefix 10.8.0.0/14, metric 50, src 10.8.0.5"
    assert domain.metrics == {50, 200}


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("_65001_", "65001", True),
        ("_65001_", "64500 65001 64501", True),
        ("_65001_", "165001 650010", False),
        ("^65001_", "65001 64500", True),
        ("^65001_", "64500 65001", False),
        ("_65001$", "64500 65001", True),
        ("^$", "", True),
        ("^$", "65001", False),
        ("_64501_", "64500 {64501,64502}", True),
        ("_64502_", "64500 {64501,64502}", True),
        ("^65001(_[0-9]+)?$", "65001 64500", True),
        ("^65001(_[0-9]+)?$", "65001 64500 64501", False),
    ],
)
def test_underscore_is_a_separator_the_start_or_the_end(pattern: str, path: str, *, expected: bool) -> None:
    (found,) = condition_of(f"as_path: '{pattern}'").as_paths
    assert isinstance(found, AsPathPattern)
    assert found.matches(path) is expected


def test_peers_are_assigned_by_address_prefix_and_interface() -> None:
    text = DOMAIN.replace("[198.51.100.1]", "[198.51.100.1, 198.51.100.128/25, eth1]")
    config = config_of(text)
    for address, interface in (
        ("198.51.100.1", ""),
        ("198.51.100.200", ""),
        ("fe80::9", "eth1"),
        ("fe80::9%eth1", ""),
    ):
        assert config.domain_of("fabric", ip_address(address), interface) is config.domains[0]
    assert config.domain_of("fabric", ip_address("198.51.100.2")) is None
    assert config.domain_of("fabric", ip_address("fe80::9%eth2")) is None
    assert config.domain_of("other", ip_address("198.51.100.1")) is None


def test_main_is_table_254() -> None:
    assert config_of(DOMAIN.replace("101", "main")).domains[0].table == 254


def test_default_like_prefixes_are_told_by_their_length() -> None:
    domain = config_of(DOMAIN).domains[0]
    assert not domain.accepts_default(ip_network("0.0.0.0/1"))
    assert domain.accepts_default(ip_network("10.0.0.0/8"))
    assert not domain.accepts_default(ip_network("2000::/3"))
    assert config_of(DOMAIN + "    default_route: accept\n").domains[0].accepts_default(ip_network("0.0.0.0/0"))


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10.0), ("1h30m", 5400.0), ("2d", 172800.0), ("1500ms", 1.5)])
def test_durations_become_seconds(text: str, seconds: float) -> None:
    assert config_of(DOMAIN + f"    stale_after: {text}\n").domains[0].stale_after == seconds


@pytest.mark.parametrize(
    "target",
    ["unix:///run/gobgp.sock", "127.0.0.1:50051", "127.8.9.1:1", "'[::1]:50051'", "localhost:50051"],
)
def test_targets_on_this_host_need_no_tls(target: str) -> None:
    config = config_of(DOMAIN.replace('"127.0.0.1:50051"', target))
    assert config.sources[0].gobgp == target.strip("'")


def test_another_host_is_reached_with_mutual_tls() -> None:
    source = '{gobgp: "gobgp.example.net:50051", tls: {ca: /etc/ca.pem, cert: /etc/c.pem, key: /etc/k.pem}}'
    tls = config_of(DOMAIN.replace('{gobgp: "127.0.0.1:50051"}', source)).sources[0].tls
    assert tls is not None
    assert (tls.ca, tls.cert, tls.key) == ("/etc/ca.pem", "/etc/c.pem", "/etc/k.pem")


def test_the_digest_covers_policy_and_nothing_else() -> None:
    digest = config_of(GOOD).digest
    assert len(digest) == 64
    same = (
        GOOD.replace("mode: dry-run ", "mode: auto ").replace("# where BGP", "# Where BGP").replace("node-a17 ", "n ")
    )
    assert config_of("\n\n" + same).digest == digest
    for old, new in (
        ("ge: 16", "ge: 17"),
        ("65001:666", "65001:667"),
        ("multipath: 4", "multipath: 3"),
        ("routes: 1000", "routes: 1001"),
        ("10.96.0.0/12", "10.112.0.0/12"),
        ("priority: 1200", "priority: 1201"),
    ):
        assert config_of(GOOD.replace(old, new)).digest != digest


def test_moving_lines_makes_no_other_configuration() -> None:
    assert config_of("\n\n" + GOOD) == config_of(GOOD)


def test_load_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "bgpmon.yaml"
    path.write_text(GOOD)
    config = load(path)
    assert config.path == str(path)
    assert config == config_of(GOOD)


def test_a_file_that_cannot_be_read_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "cannot read the configuration: No such file or directory"
    assert problem.place == str(tmp_path / "none.yaml")
