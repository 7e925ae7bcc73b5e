"""What is allowed, but perhaps not meant, is said in one line each."""

import pytest

from tests.unit.monitor.config.files import DOMAIN, config_of

MAIN = DOMAIN.replace("101", "main")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("protocol: 186\n" + DOMAIN, "1:11: protocol", "mark of bgp (FRR)"),
        ("protocol: 12\n" + DOMAIN, "1:11: protocol", "mark of bird"),
        ("encapsulation: true\n" + DOMAIN, "1:16: encapsulation", "does nothing without prefixes in protect"),
        (DOMAIN.replace("101", "2004"), "7:12: domains.storage.table", "Cilium's proxy table"),
        (DOMAIN.replace("101", "77"), "7:12: domains.storage.table", "kube-router's table"),
        (DOMAIN.replace("[{accept: any}]", "[]"), "3:3: domains.storage", "nothing will be installed"),
        (
            DOMAIN.replace("[{accept: any}]", "[{accept: any}, {deny: {community: 65001:1}}]"),
            "8:29: domains.storage.import[1]",
            "never reached: rule 1 matches everything",
        ),
        (
            DOMAIN.replace("accept: any", "accept: {prefix: 0.0.0.0/0}"),
            "8:32: domains.storage.import[0].accept.prefix",
            "counts as a default route",
        ),
        (
            DOMAIN.replace("accept: any", "accept: {prefix: '2001:db8::/32'}") + "    families: [ipv4]\n",
            "8:32: domains.storage.import[0].accept.prefix",
            "never matches",
        ),
        (DOMAIN.replace("198.51.100.1", "eth2"), "5:13: domains.storage.peers[0]", "add eth2 to interfaces"),
        (
            DOMAIN.replace("sources: {", 'sources: {spare: {gobgp: "unix:///run/spare"}, '),
            "1:11: sources.spare",
            "no domain uses the source spare",
        ),
    ],
)
def test_a_doubtful_setting_is_a_warning(text: str, place: str, words: str) -> None:
    (warning,) = config_of(text).warnings
    assert warning.startswith(f"bgpmon.yaml:{place}: ")
    assert words in warning


def test_the_main_table_without_limits_is_warned_about_for_each_family() -> None:
    assert len(config_of(MAIN).warnings) == 2
    assert len(config_of(MAIN + "    limit: {ipv4: {routes: 100}}\n").warnings) == 1
    assert config_of(MAIN + "    families: [ipv4]\n    limit: {ipv4: {routes: 100}}\n").warnings == ()


def test_a_shared_table_is_allowed_and_the_winner_is_named() -> None:
    second = DOMAIN.split("domains:\n")[1].replace("storage", "second").replace("100.1", "100.2")
    config = config_of(DOMAIN + second)
    (warning,) = config.warnings
    assert "domains storage and second share table 101" in warning
    assert "storage wins" in warning
    assert config.tables == {101}


def test_default_routes_are_no_surprise_where_they_are_accepted() -> None:
    text = DOMAIN.replace("accept: any", "accept: {prefix: [0.0.0.0/0, '::/0']}")
    assert config_of(text + "    default_route: accept\n").warnings == ()


def test_a_cover_prefix_that_is_opened_up_is_not_a_default_route() -> None:
    assert config_of(DOMAIN.replace("accept: any", "accept: {prefix: 0.0.0.0/0, le: 24}")).warnings == ()
