"""Text of others in Markdown: it is shown as it is, and does nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.text.planmark import escaped, markdown
from monitor.text.table import clean

HOSTILE = (
    "a|b `c` *d* _e_ <img src=x> [f](https://127.0.0.1/g) ~~h~~ $i$ &lt; # \\ \x1b[2J \u202e @alice www.x\r\n| - 1. x"
)


def shown(text: str) -> str:
    """What GitHub shows of escaped text: backslashes before punctuation and word joiners go."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text).replace("\u2060", "")


@pytest.mark.parametrize("mark", ["|", "`", "*", "_", "<", ">", "[", "]", "~", "$", "&", "#", "\\", "!", "{", "}"])
def test_every_mark_is_escaped(mark: str) -> None:
    assert escaped(f"x{mark}y") == f"x\\{mark}y"


def test_hostile_text_has_no_effect_in_markdown() -> None:
    text = escaped(HOSTILE)
    assert not re.search(r"(?<!\\)[|`*_<\[\]~$&#]", text)
    assert "\n" not in text
    assert text.replace("\u2060", "").isprintable()
    assert "https://" not in text
    assert "www." not in text
    assert "@alice" not in text
    assert shown(text) == clean(HOSTILE)


@given(st.text())
def test_any_text_is_one_cell_and_is_shown_as_it_is(text: str) -> None:
    found = escaped(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`*_<]", found)
    assert shown(found) == clean(text).replace("\u2060", "")


@pytest.mark.parametrize("start", ["- x", "+ x", "1. x", "12) x", "= x", "# x", "> x"])
def test_a_sentence_that_looks_like_a_list_is_none(start: str) -> None:
    document = {"approvals": {"items": [{"principal": start, "method": "local", "counts": True}]}}
    (line,) = (line for line in markdown(document).splitlines() if "x" in line)
    assert re.match(r"- (\\[-+=#>]|[0-9]+\\[.)]) x", line)


def test_a_hostile_plan_has_the_tables_and_titles_of_a_plan_and_no_others() -> None:
    row = dict.fromkeys(
        ("op", "domain", "table", "prefix", "before", "after", "class", "risk", "rule", "reason", "effect"), HOSTILE
    )
    document = {
        "number": HOSTILE, "digest": HOSTILE, "state": HOSTILE, "node": HOSTILE, "detail": HOSTILE, "operations": [row],
        "approvals": {"items": [{"principal": HOSTILE, "comment": HOSTILE, "ticket": HOSTILE, "method": HOSTILE}]},
        "left_out": {"reasons": {HOSTILE: 1}, "items": [{"reason": HOSTILE, "prefix": HOSTILE}]},
        "progress": {"log": [{"at": HOSTILE, "text": HOSTILE}], "left_out": [HOSTILE]},
    }  # fmt: skip
    lines = markdown(document).splitlines()
    assert [line.partition(" ")[2] for line in lines if line.startswith("###")] == [
        "Operations", "Left out", "Approvals", "What happened",
    ]  # fmt: skip
    assert sum(line.startswith("| Op ") for line in lines) == 1
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == 3
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in tables}) == 1
    for line in lines:
        assert line.startswith(("#", "- ", "| ")) or line in {"", "<!-- -->"}
        assert "<" not in re.sub(r"\\.", "", line) or line == "<!-- -->"
