"""Where a value comes from: the file, the environment, a flag, a default."""

import json

import pytest

from monitor.config import Mode, Overrides
from monitor.config.show import Setting, as_json, as_text, settings
from tests.unit.monitor.config.files import DOMAIN, GOOD, config_of, loaded, problems_of


def setting_of(key: str, text: str, overrides: Overrides | None = None, **environment: str) -> Setting:
    found = {item.key: item for item in settings(loaded(text, overrides, environment or {"OTHER": "x"}))}
    return found[key]


def test_the_file_names_the_node() -> None:
    assert setting_of("node", GOOD, NODE_NAME="other") == Setting("node", "node-a17", "file", "bgpmon.yaml", 1)


def test_the_environment_names_a_node_that_the_file_does_not() -> None:
    assert setting_of("node", DOMAIN, NODE_NAME="node-b3").origin == "environment $NODE_NAME"
    assert config_of(DOMAIN, environment={"NODE_NAME": "node-b3"}).node == "node-b3"


def test_the_host_name_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "host-9")
    assert setting_of("node", DOMAIN) == Setting("node", "host-9", "host name")


def test_a_flag_wins_over_the_file() -> None:
    overrides = Overrides(mode="auto", run_dir="/run/other")
    config = config_of(GOOD, overrides, {"BGPMON_RUN_DIR": "/run/third"})
    assert (config.mode, config.run_dir) == (Mode.AUTO, "/run/other")
    assert setting_of("mode", GOOD, overrides).source == "flag --mode"
    assert setting_of("run_dir", GOOD, overrides).source == "flag --run-dir"


def test_daemon_and_clients_agree_on_the_run_directory_of_the_environment() -> None:
    assert config_of(DOMAIN, environment={"BGPMON_RUN_DIR": "/run/third"}).run_dir == "/run/third"
    assert config_of(GOOD, environment={"BGPMON_RUN_DIR": "/run/third"}).run_dir == "/run/bgpmon"
    assert config_of(DOMAIN).run_dir == "/run/bgpmon"


def test_a_wrong_value_in_the_file_is_an_error_even_under_a_flag() -> None:
    assert [item.key for item in problems_of("mode: atuo\n" + DOMAIN, Overrides(mode="auto"))] == ["mode"]


def test_a_default_says_so_beside_its_neighbours_from_the_file() -> None:
    assert setting_of("domains.storage.limit.ipv4.routes", GOOD).source == "bgpmon.yaml:29"
    text = GOOD.replace(", warn_percent: 80", "")
    assert setting_of("domains.storage.limit.ipv4.warn_percent", text).source == "default"
    assert setting_of("domains.storage.limit.ipv6", GOOD) == Setting("domains.storage.limit.ipv6", None, "default")


def test_policy_and_rules_are_shown_one_by_one() -> None:
    assert setting_of("domains.storage.import[1]", GOOD) == Setting(
        "domains.storage.import[1]", "deny community 65001:666", "file", "bgpmon.yaml", 26
    )
    assert setting_of("domains.storage.rules[0]", GOOD).source == "bgpmon.yaml:28"


def test_a_short_form_is_shown_at_its_line() -> None:
    text = DOMAIN + "    preferred_source: 10.8.0.5\n"
    assert setting_of("domains.storage.preferred_source.ipv4", text).source == "bgpmon.yaml:9"
    assert setting_of("domains.storage.preferred_source.ipv6", text).source == "default"


def test_the_text_has_value_and_source_in_columns() -> None:
    lines = as_text(loaded(GOOD)).splitlines()
    assert lines[0].split() == ["node", "=", "node-a17", "#", "bgpmon.yaml:1"]
    assert any(line.split() == ["encapsulation", "=", "false", "#", "bgpmon.yaml:8"] for line in lines)
    assert lines[-1] == f"# policy digest {loaded(GOOD).config.digest}"


def test_the_json_has_the_same_settings_and_the_warnings() -> None:
    found = loaded("protocol: 186\n" + DOMAIN)
    data = json.loads(json.dumps(as_json(found)))
    assert data["digest"] == found.config.digest
    assert len(data["warnings"]) == 1
    assert {"key": "protocol", "value": 186, "source": "file", "file": "bgpmon.yaml", "line": 1} in data["items"]
    assert {"key": "mode", "value": "dry-run", "source": "default"} in data["items"]
    assert len(data["items"]) == len(settings(found))
