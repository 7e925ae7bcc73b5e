"""The JSON Schema, the sample and the reference page say what the loader does."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import yaml

from monitor.config.sample import SAMPLE
from monitor.config.schema import DRAFT, json_schema, known_keys
from tests.unit.monitor.config.files import DOMAIN, GOOD, config_of, problems_of

REFERENCE = Path(__file__).parents[4] / "docs" / "configuration.md"


def objects(schema: object) -> Iterator[dict[str, object]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_the_sample_passes_without_a_warning() -> None:
    assert problems_of(SAMPLE) == []
    assert config_of(SAMPLE).warnings == ()


def test_the_sample_passes_with_its_commented_keys_switched_on() -> None:
    text = SAMPLE.replace("# netns:", "netns:")
    for line in (
        "remote:",
        "  gobgp: ",
        "  tls: ",
        "cilium: ",
        "rules:",
        "  - {",
        "soak:",
        "  duration: ",
        "  probes:",
    ):
        text = text.replace(f"  # {line}", f"  {line}")
    text = text.replace("  #     - {", "      - {").replace("# windows:", "windows:").replace("#   - {", "  - {")
    config = config_of(text)
    assert config.netns == "/proc/1/ns/net"
    assert config.source("remote").tls is not None
    assert config.source("cilium").bmp == "127.0.0.1:11019"
    assert [rule.name for rule in config.approval.rules][-2:] == ["few-adds", "rule 5"]
    assert config.approval.soak is not None
    assert [probe.name for probe in config.approval.soak.probes] == ["api", "sessions"]
    assert [window.name for window in config.windows] == ["nightly", "freeze"]
    assert all("no domain uses the source" in warning for warning in config.warnings)


def test_the_schema_is_closed_everywhere_and_names_its_draft() -> None:
    schema = json_schema()
    assert schema["$schema"] == DRAFT
    assert schema["required"] == ["sources", "domains"]
    for found in objects(schema):
        assert found["additionalProperties"] is False
    assert "null" not in str(schema)


def test_the_schema_has_defaults_as_the_file_writes_them() -> None:
    domain = json_schema()["$defs"]["DomainModel"]["properties"]
    assert domain["stale_after"]["default"] == "10m"
    assert domain["families"]["default"] == ["ipv4", "ipv6"]
    assert domain["default_route"]["enum"] == ["deny", "accept"]
    assert json_schema()["$defs"]["JournalModel"]["properties"]["keep"]["default"] == "90d"
    probe = json_schema()["$defs"]["ProbeModel"]["properties"]
    assert (probe["interval"]["default"], probe["statuses"]["default"]) == ("5s", [200, 399])
    rule = json_schema()["$defs"]["ApprovalRuleModel"]["properties"]
    assert rule["decision"]["enum"] == ["auto", "approve", "deny"]
    assert (rule["match"]["type"], rule["approve"]["maximum"]) == ("string", 16)


def test_the_schema_of_a_source_allows_what_the_loader_allows() -> None:
    schema = json_schema()["$defs"]["SourceModel"]
    values = {
        "gobgp": '"127.0.0.1:1"',
        "bmp": '"127.0.0.1:2"',
        "tls": "{ca: /a, cert: /b, key: /c}",
        "resync": "1h",
        "view": "post",
        "allow_uids": "[5]",
        "allow_addresses": "[]",
    }
    assert set(values) == set(schema["properties"])
    for count in range(4):
        for keys in combinations(values, count):
            kinds = [all(key in keys for key in kind["required"]) for kind in schema["oneOf"]]
            needed = {other for key in keys for other in schema["dependentRequired"].get(key, ())}
            source = ", ".join(f"{key}: {values[key]}" for key in keys)
            text = DOMAIN.replace('gobgp: "127.0.0.1:50051"', source)
            assert (kinds.count(True) == 1 and needed <= set(keys)) is (not problems_of(text)), source


def test_the_schema_of_a_probe_allows_what_the_loader_allows() -> None:
    schema = json_schema()["$defs"]["ProbeModel"]
    values = {
        "tcp": "'10.0.0.1:1'",
        "icmp": "10.0.0.1",
        "http": "'https://127.0.0.1/'",
        "bgp": "storage",
        "domain": "storage",
        "source": "10.0.0.2",
        "interface": "eth1",
        "mark": "1",
        "interval": "4s",
        "timeout": "1s",
        "failures": "3",
        "warn_factor": "3",
        "statuses": "[200, 200]",
        "host": "a.example",
        "insecure": "true",
    }
    assert {"name", *values} == set(schema["properties"])
    for count in range(3):
        for keys in combinations(values, count):
            kinds = [set(kind["required"]) <= set(keys) for kind in schema["oneOf"]]
            fits = all(
                any(set(kind["required"]) <= set(keys) for kind in part["then"].get("anyOf", [part["then"]]))
                for part in schema["allOf"]
                if set(part["if"]["required"]) <= set(keys)
            )
            probe = ", ".join(["name: a", *(f"{key}: {values[key]}" for key in keys)])
            text = f"{DOMAIN}approval: {{soak: {{probes: [{{{probe}}}]}}}}\n"
            assert (kinds.count(True) == 1 and fits) is (not problems_of(text)), probe


def test_every_key_of_the_schema_is_in_the_reference() -> None:
    text = REFERENCE.read_text()
    for found in objects(json_schema()):
        properties = found["properties"]
        assert isinstance(properties, dict)
        for key in properties:
            assert f"`{key}`" in text, key


def test_every_complete_example_of_the_reference_loads() -> None:
    blocks = [block.split("```")[0] for block in REFERENCE.read_text().split("```yaml\n")[1:]]
    complete = [block for block in blocks if "\ndomains:" in block]
    assert complete
    for block in blocks:
        assert yaml.safe_load(block)
    for block in complete:
        assert problems_of(block) == []


def test_known_keys_follow_the_path() -> None:
    assert "domains" in known_keys(())
    assert known_keys(("sources", "fabric")) == [
        "gobgp",
        "tls",
        "resync",
        "bmp",
        "view",
        "allow_uids",
        "allow_addresses",
    ]
    assert known_keys(("domains", "storage", "rules", 0)) == ["from", "to", "priority"]
    assert "as_path" in known_keys(("domains", "storage", "import", 3, "accept"))
    assert known_keys(("domains",)) == []
    assert known_keys(("approval", "soak"))[:2] == ["duration", "most"]
    assert known_keys(("approval", "rules", 0))[:3] == ["name", "match", "decision"]
    assert known_keys(("windows", 1)) == ["name", "kind", "cron", "duration", "timezone"]
    assert known_keys(("approval", "groups")) == []
    assert known_keys(("nonsense", 3)) == []


def test_a_client_gets_the_names_without_pydantic_and_yaml() -> None:
    code = "import sys, monitor.config; sys.exit(bool({'pydantic', 'yaml'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_design_s_example_has_only_keys_of_the_schema() -> None:
    assert set(yaml.safe_load(GOOD)) <= set(json_schema()["properties"])
