"""A plan as lines, and the cells of tables: what they say, and that nothing from outside steers the terminal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tui import cells
from monitor.tui.line import plain, size
from monitor.tui.panes import domains, peers, plan, plantold, route, routes
from tests.support import fake_node as node
from tests.support import fake_routes

PLANS: dict[str, dict[str, Any]] = {
    "live": node.live_plan(),
    "many": node.live_plan(5_200),
    "empty": node.empty_plan(),
    "frozen": node.frozen_plan(),
    "blocked": node.frozen_plan(blocked=True),
    "soaking": node.soaking_plan(),
    "applied": node.applied_plan(),
    "rolled-back": node.document("plan-rolled-back"),
}
WIDTHS = st.integers(40, 200)
EVIL = "\x1b[31m\u202e\x07evil\u200f\n"


@given(st.sampled_from(list(PLANS.values())), WIDTHS, st.integers(4, 40))
def test_what_stands_above_the_operations_has_as_many_lines_as_there_is_room_for(
    document: dict[str, Any], columns: int, room: int
) -> None:
    found = plantold.head(document, node.change(waiting=[node.waiting()]), columns, room, node.NOW)
    soaks = document["state"] == "soaking"
    assert len(found) <= (max(room, 12) if soaks else room)


def told(name: str, columns: int = 120, room: int = 40) -> str:
    return "\n".join(plain(found) for found in plantold.head(PLANS[name], node.change(), columns, room, node.NOW))


def test_a_plan_that_waits_says_who_is_missing() -> None:
    found = told("frozen")
    for words in (
        "FROZEN",
        "approvals 1/2",
        "1 more person",
        "window shut",
        "alice@example.net approve 08:05:00",
        "CHG-20931",
        "54m17s",
    ):
        assert words in found
    assert "RISK HIGH" in found


def test_what_blocks_comes_before_what_needs_a_look_and_that_before_what_is_well() -> None:
    found = told("blocked")
    assert found.index("STOP") < found.index("!!  ") < found.index("ok  ")


def test_a_change_that_soaks_says_how_long_it_has_and_how_its_probes_are() -> None:
    found = told("soaking")
    for words in ("4m10s", "08:11:02", "api", "slow", "41.0 ms", "dns", "failing", "7/9"):
        assert words in found


def test_a_change_that_was_taken_back_says_whether_all_is_as_before() -> None:
    assert "NOT everything is as it was" in told("rolled-back")
    clean = PLANS["rolled-back"] | {"progress": {"reverted": {"done": 4, "clean": True}}}
    lines = plantold.head(clean, {}, 120, 40, node.NOW)
    assert any("everything is as it was before" in plain(found) for found in lines)


def test_a_plan_with_more_operations_than_are_told_says_so() -> None:
    assert "the first 500 of 5,200 operations" in told("many")


def test_who_agreed_is_told_beside_the_operations() -> None:
    found = "\n".join(plain(line) for line in plantold.people(PLANS["frozen"], 58))
    for words in ("APPROVALS 1 of 2", "alice@example.net", "still missing", "soaks 5m00s, probes: api, sessions"):
        assert words in found
    assert "applied at once, no soak" in "\n".join(plain(line) for line in plantold.people(PLANS["applied"], 58))


@given(st.sampled_from(PLANS["frozen"]["operations"] + PLANS["many"]["operations"][:9]), WIDTHS, st.integers(0, 9))
def test_an_operation_is_told_within_its_room(row: dict[str, Any], columns: int, room: int) -> None:
    found = plantold.detail(row, columns, room)
    assert len(found) <= room


@given(
    st.sampled_from([*node.plans()["items"], *fake_routes.routes(40), *node.peers(), *PLANS["many"]["operations"][:9]])
)
def test_every_cell_of_every_table_can_be_made_of_every_row(row: dict[str, Any]) -> None:
    for column in (*routes.columns(), *plan.columns(), *plan.plan_columns(), *route.columns(), *domains.columns()):
        text, token = column.cell({})
        assert isinstance(text, str)
        assert token
    for column in routes.columns() if "next_hops" in row or row.get("gone") else ():
        assert isinstance(column.cell(row)[0], str)


@pytest.mark.parametrize(
    "made", [routes.columns(), plan.columns(), plan.plan_columns(), route.columns(), domains.columns()]
)
def test_nothing_from_outside_steers_the_terminal(made: list[Any]) -> None:
    names = (
        "prefix",
        "peer",
        "as_path",
        "domain",
        "description",
        "reason",
        "before",
        "after",
        "effect",
        "detail",
        "state",
        "op",
        "name",
        "table",
        "local_pref",
        "med",
        "origin",
        "rpki",
        "communities",
        "class",
        "decision",
        "rule",
        "short",
        "risk",
        "family",
        "frozen_by",
        "created_at",
        "next_hop",
        "reason_text",
        "step_text",
        "protocol",
        "number",
    )
    row = dict.fromkeys(names, EVIL) | {"next_hops": [{"address": EVIL, "interface": EVIL}]}
    for column in made:
        text, _ = column.cell(row)
        assert not set(text) & set("\x1b\u202e\x07\u200f\n"), column.title
    for found in (*plantold.detail(row, 80, 9), plantold._title(row, 80)):
        assert not set(plain(found)) & set("\x1b\u202e\x07\u200f\n")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-11-24T08:06:52Z", node.NOW),
        ("2026-11-24T09:06:52+01:00", node.NOW),
        ("", None),
        (None, None),
        ("soon", None),
    ],
)
def test_a_moment_is_understood_or_is_none(value: object, seconds: float | None) -> None:
    assert cells.seconds_of(value) == seconds


def test_moments_are_told_from_now() -> None:
    assert cells.until("2026-11-24T08:11:02Z", node.NOW) == "4m10s"
    assert cells.until("2026-11-24T08:00:00Z", node.NOW) == "0s"
    assert cells.since("2026-11-24T08:00:00Z", node.NOW) == "6m52s"
    assert cells.since("2026-11-24T09:00:00Z", node.NOW) == "0s"
    assert cells.clock_time("2026-11-24T08:00:00Z") == "08:00:00"
    assert cells.since(None, node.NOW) == cells.until("x", node.NOW) == cells.clock_time("") == "-"


@pytest.mark.parametrize("row", fake_routes.routes(30), ids=lambda row: row["prefix"])
def test_every_state_has_its_sign_and_its_colour(row: dict[str, Any]) -> None:
    sign, token = cells.flags(row)
    word, colour = cells.state_cell(row)
    assert len(sign) in {2, 3}
    assert token
    assert colour
    assert word == ("gone" if row.get("gone") else row["state"])
    assert "?" not in sign or row.get("gone")


def test_a_summary_is_marked_by_sign_and_colour() -> None:
    found = cells.mark({"add": 1_204, "change": 0, "remove": 1})
    assert plain(found) == "+1,204 ~0 -1"
    assert [token for text, token in found if text.strip()] == ["add", "muted", "delete"]
    assert cells.changes({"add": 2, "change": 1, "remove": 1}) == 4
    assert cells.changes(None) == 0


@pytest.mark.parametrize("item", node.peers(), ids=lambda item: item["address"])
def test_a_peer_that_is_not_up_needs_a_look(item: dict[str, Any]) -> None:
    word, token = peers.state_of(item)
    assert word
    well = token == "ok" or item["admin_state"] == "down"
    assert peers.trouble_of(item) == (not well or item["domain"] == "unassigned")


def test_rates_are_known_from_the_second_look_on() -> None:
    rates = peers.Rates()
    first, second = node.peers()[:1], node.peers()[:1]
    rates.take(first, 100.0)
    assert "rate" not in first[0]
    second[0]["updates"] += 50
    rates.take(second, 110.0)
    assert second[0]["rate"] == 5.0
    third = node.peers()[:1]
    third[0]["updates"] = 0
    rates.take(third, 120.0)
    assert "rate" not in third[0], "a daemon that counts from zero tells no rate"


@pytest.mark.parametrize("row", domains.rows_of(node.domains()), ids=lambda row: str(row["key"]))
def test_a_hundred_per_cent_is_said_of_nothing_less(row: dict[str, Any]) -> None:
    text, token = domains.match(row)
    complete = (
        not (row["add"] or row["change"] or row["remove"] or row["failed"] or row["drift"])
        and row["state"] == "complete"
    )
    assert (text == "100%") == complete
    assert (token == "ok") == complete


def test_almost_everything_is_less_than_a_hundred_per_cent() -> None:
    text, _ = domains.match({"desired": 1_000_000, "add": 1, "state": "complete"})
    assert text == "99.999%"
    assert size(((text, "text"),)) == 7
