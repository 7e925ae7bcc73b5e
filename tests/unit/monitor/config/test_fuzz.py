"""Whatever stands in the file: a Config, or a ConfigError, and no key is passed over in silence."""

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import ConfigError, Overrides
from monitor.config.document import read_document
from monitor.config.loader import load_octets
from monitor.config.parse import bmp_listen, listen_place
from monitor.config.schema import known_keys
from tests.unit.monitor.config.files import CHANGE, loaded, problems_of

WORDS = st.sampled_from(
    [
        "",
        "any",
        "auto",
        "10.0.0.0/8",
        "10.0.0.1",
        "::/0",
        "eth1",
        "65001:1",
        "5m",
        "main",
        "true",
        "fabric",
        "127.0.0.1:11019",
        "[::]:11019",
        "192.0.2.7",
        "post",
        "%",
        "^(",
        "class=delete",
        "op=+ and op=-",
        "0 22 * * 1-4",
        "UTC",
        "deny",
        "198.51.100.1:443",
        "http://127.0.0.1/",
        "/etc/hostname",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**34), st.floats(allow_nan=True), WORDS, st.text(max_size=12)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            found += places(value, (*path, key))
    return found


EXAMPLE = yaml.safe_load(CHANGE)
PLACES = places(EXAMPLE)
MAPPINGS = [(), *(path for path in PLACES if isinstance(read_document("f", CHANGE.encode()).value(path), dict))]


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
def test_any_value_anywhere_gives_a_config_or_a_config_error(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    data = copy.deepcopy(EXAMPLE)
    for path, value in changes:
        try:
            at(data, path[:-1])[path[-1]] = copy.deepcopy(value)
        except (TypeError, KeyError, IndexError):
            continue
    for problem in problems_of(yaml.safe_dump(data, allow_unicode=True)):
        assert problem.message
        assert problem.text


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MAPPINGS), st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=14), VALUES)
def test_no_unknown_key_is_loaded_in_silence(path: tuple[Any, ...], key: str, value: Any) -> None:
    data = copy.deepcopy(EXAMPLE)
    mapping = at(data, path)
    if key in mapping or path in {("sources",), ("domains",)}:
        return
    mapping[key] = value
    try:
        found = loaded(yaml.safe_dump(data, allow_unicode=True))
    except ConfigError:
        return
    # It loaded, so it must be a key that exists, and that shows in what was validated.
    assert key in known_keys(path)
    assert found.document.value((*path, key)) is not None


SOURCE_KEYS = known_keys(("sources", "cilium"))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(SOURCE_KEYS), VALUES, max_size=5))
def test_whatever_a_source_has_it_is_of_one_kind_and_closed_to_strangers(source: dict[str, Any]) -> None:
    text = yaml.safe_dump({**EXAMPLE, "sources": {**EXAMPLE["sources"], "cilium": source}}, allow_unicode=True)
    try:
        found = loaded(text).config.source("cilium")
    except ConfigError:
        return
    assert bool(found.gobgp) is not bool(found.bmp)
    if found.bmp:
        address, _ = listen_place(found.bmp)
        assert found.bmp == bmp_listen(found.bmp)
        assert bool(found.allow_addresses) is not address.is_loopback
        assert found.allow_uids or found.allow_addresses


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_text_gives_a_config_or_a_config_error(data: st.DataObject) -> None:
    text = CHANGE
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.text(max_size=6)) + text[stop:]
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    for problem in problems_of(text):
        assert problem.line <= len(text.splitlines()) + 1
        assert problem.text


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_octets_give_a_config_error(octets: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        load_octets("bgpmon.yaml", octets, Overrides(), {})
    assert caught.value.problems
