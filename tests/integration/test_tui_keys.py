"""The keys of the terminal UI that look at something: moving, opening, filtering, sorting, choosing."""

import re

import pytest

from tests.support.terminal import Demo, short_place
from tests.support.tui import (
    assert_in_bounds,
    back_on_routes,
    bar,
    go,
    leave,
    leave_prompt,
    number_of,
    on_routes,
    place,
    prefix_under,
    shows,
    started,
    tui,
    typed,
    under,
)
from tools.terminal.screen import Screen

pytestmark = pytest.mark.timeout(180)


# Moving


async def test_every_key_of_a_table_moves_its_cursor(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        prefixes = await on_routes(terminal)
        page = len(prefixes)
        for keys, row in (
            (("down",), 2), (("j",), 3), (("k",), 2), (("up",), 1), (("up",), 1), (("pagedown",), 1 + page),
            (("ctrl+f",), 1 + 2 * page), (("pageup",), 1 + page), (("ctrl+b",), 1), (("down", "down", "down", "G"), -1),
            (("down",), -1), (("g",), 1), (("end",), -1), (("home",), 1),
        ):  # fmt: skip
            await terminal.press(*keys)

            def moved(screen: Screen, row: int = row) -> bool:
                at, total = place(screen)
                assert at == (total if row < 0 else row)
                assert prefix_under(screen)
                return True

            screen = await terminal.until(moved, what=f"row {row} after {keys}")
            if 0 < row <= page:
                assert prefix_under(screen) == prefixes[row - 1]
        await leave(terminal)
        assert_in_bounds(terminal)


async def test_keys_that_come_all_at_once_are_all_taken(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        prefixes = await on_routes(terminal)
        await terminal.send("jjjjj")
        await terminal.until(under(prefixes[5]))
        await typed(terminal, ":routes in 10.9.0.0/16\r", "in 10.9.0.0/16  sort")
        await terminal.until(lambda screen: place(screen)[1] == 42)
        await typed(terminal, "/\x15domain=cluster\r", " domain=cluster  sort")
        await leave(terminal)


async def test_a_route_is_opened_with_its_neighbours_and_left_to_the_same_row(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        prefixes = await on_routes(terminal)
        await terminal.press("down", "down", "enter")
        await terminal.until(f"> {prefixes[2]} ")
        await terminal.until("HISTORY")
        await terminal.press("escape")
        await terminal.until(under(prefixes[2]))
        await terminal.press("enter")
        await terminal.until(f"> {prefixes[2]} ")
        for key, at in (("n", 3), ("n", 4), ("p", 3)):
            await terminal.press(key)
            await terminal.until(f"> {prefixes[at]} ")
            await terminal.until("HISTORY")
        await terminal.press("escape")
        await terminal.until(under(prefixes[3]))
        await terminal.press("e")
        await terminal.until(f"> {prefixes[3]} ")
        await leave(terminal)


async def test_the_history_of_a_route_is_told_by_the_command_line(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        prefixes = await on_routes(terminal)
        await terminal.press("down", "v")
        await terminal.until(f"bgpmon history {prefixes[1]}")
        await terminal.until(lambda screen: not screen.find("asking"), timeout=20)
        await terminal.press("escape")
        await terminal.until(under(prefixes[1]))
        await leave(terminal)


async def test_places_that_were_looked_at_are_walked_back_and_forward(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        await started(terminal)
        for number in "245":
            await go(terminal, number)
        for key, number in (("[", "4"), ("[", "2"), ("]", "4"), ("]", "5"), ("[", "4")):
            await terminal.press(key)
            await terminal.until(shows(number))
        await leave(terminal)


# Filter


async def test_a_filter_is_tried_while_it_is_typed_and_given_up_by_escape(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        prefixes = await on_routes(terminal)
        await terminal.press("down", "down", "down")
        await terminal.until(under(prefixes[3]))
        await typed(terminal, "/prefix in 10.9.0.0/16", "ok  42 matches")
        await terminal.until(lambda screen: place(screen)[1] == 42)
        await typed(terminal, " foo=", "there is no field 'foo' (column 23)")
        await terminal.press("escape")
        await terminal.until(back_on_routes)
        await terminal.until(under(prefixes[3]), what="the cursor to be where it was")
        await leave(terminal)


async def test_a_filter_that_is_wrong_is_not_taken_and_stays_to_be_put_right(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        await on_routes(terminal)
        await typed(terminal, "/domian=storage", "there is no field 'domian'")
        await terminal.press("enter")
        screen = await terminal.until("there is no field 'domian'")
        assert screen.find("/domian=storage")
        await typed(terminal, "\x15domain=storage\r", "domain=storage  sort")
        await leave(terminal)


async def test_the_filters_before_are_an_arrow_away(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        await on_routes(terminal)
        await typed(terminal, "/domain=storage\r", "domain=storage  sort")
        await typed(terminal, "/\x15af=ipv6\r", " af=ipv6  sort")
        await terminal.press("/", "up", "up")
        await terminal.until("/domain=storage")
        await terminal.press("down")
        await terminal.until("/af=ipv6")
        await terminal.press("enter")
        await terminal.until("af=ipv6  sort")
        await leave(terminal)


async def test_tab_completes_fields_and_values(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        await on_routes(terminal)
        await terminal.send("/dom\t")
        await terminal.until("/domain")
        await terminal.send("=sto\t")
        await terminal.until("/domain=storage")
        await terminal.send(" and st\t=pen\t")
        await terminal.until(lambda screen: screen.find("/domain=storage and st"))
        await leave_prompt(terminal)


@pytest.mark.parametrize(
    ("number", "text", "shown", "hidden"),
    [
        ("2", "domain=storage", "172.30.3.1", "172.30.1.1"),
        ("5", "in 10.42.1.0/24", "10.42.1.0/24 ", "10.42.2.0/24 "),
        ("6", '"nothing like it"', "nothing", "mode approve"),
    ],
)
async def test_other_screens_have_the_same_filter(still: Demo, number: str, text: str, shown: str, hidden: str) -> None:
    async with tui(still.run_dir, columns=120, rows=40) as terminal:
        await started(terminal)
        await go(terminal, number)
        await terminal.send(f"/{text}\r")
        await terminal.until(
            lambda screen: not screen.find(f"/{text}") and screen.find(shown) and not screen.find(hidden)
        )
        await leave(terminal)
        assert_in_bounds(terminal)


# Order and columns


async def test_routes_are_sorted_by_the_column_that_is_chosen(still: Demo) -> None:
    async with tui(still.run_dir, columns=140, rows=30) as terminal:
        await on_routes(terminal)
        await terminal.press("=")
        await terminal.until("PREFIX↓")
        await terminal.until(lambda screen: "storage" in bar(screen))
        await terminal.press("=")
        await terminal.until("PREFIX↑")
        await terminal.press(">")
        await terminal.until("NEXT HOP↑")
        await terminal.press("<")
        await terminal.until("PREFIX↑")
        await typed(terminal, "s", "SORT BY")
        await terminal.press("A")
        await terminal.press("enter")
        await terminal.until(lambda screen: not screen.find("SORT BY"))
        await terminal.until(lambda screen: re.search(r"(AS PATH|AGE)[↑↓]", screen.text))
        await leave(terminal)
        assert_in_bounds(terminal)


async def test_columns_are_chosen(still: Demo) -> None:
    async with tui(still.run_dir, columns=140, rows=40) as terminal:
        await on_routes(terminal)
        assert terminal.screen.find("NEXT HOP")
        await typed(terminal, "w", "COLUMNS")
        await terminal.press("N")
        await terminal.until(lambda screen: bar_of_dialog(screen, "[x] NEXT HOP"))
        await terminal.press("space")
        await terminal.until("[ ] NEXT HOP")
        await terminal.press("enter")
        await terminal.until(lambda screen: back_on_routes(screen) and not screen.find("NEXT HOP"))
        await leave(terminal)
        assert_in_bounds(terminal)


def bar_of_dialog(screen: Screen, text: str) -> bool:
    """Whether the bar of a dialog is on the row with a text."""
    found = screen.find(text)
    return found is not None and screen.cell(found[0], found[1]).reverse


# More to look at


async def test_only_problems_are_shown_and_everything_again(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=24) as terminal:
        await on_routes(terminal)
        total = place(terminal.screen)[1]
        await terminal.press("!")
        await terminal.until(lambda screen: screen.find("only problems (!)") and place(screen)[1] < total)
        await terminal.press("!")
        await terminal.until(lambda screen: back_on_routes(screen) and place(screen)[1] == total)
        await leave(terminal)


async def test_an_address_of_a_row_is_looked_up(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=30) as terminal:
        prefixes = await on_routes(terminal)
        await terminal.press("down", "i")
        await terminal.until("VERDICT")
        screen = await terminal.until(prefixes[1].split("/")[0])
        assert number_of(screen) == "7"
        await leave(terminal)


async def test_the_display_is_held_still_and_counts_what_comes() -> None:
    with short_place() as path:
        demo = Demo(path, "--no-shell", "--rate", "20", "--seed", "7")
        with demo.supervised():
            demo.launch()
            await demo.ready()
            async with tui(demo.run_dir, columns=140, rows=30) as terminal:
                await started(terminal)
                await go(terminal, "2")
                await terminal.press("f")
                await terminal.until("HELD STILL")
                shown = terminal.screen.lines[4:11]
                await demo.ask("plan", "freeze")  # the journal tells of it
                screen = await terminal.until(
                    lambda now: re.search(r"HELD STILL \S+, [1-9]\d* event", now.text), timeout=30
                )
                assert screen.lines[4:11] == shown
                await terminal.press("f")
                await terminal.until(lambda now: not now.find("HELD STILL"))
                await terminal.until(lambda now: now.lines[4:11] != shown, timeout=30)
                await leave(terminal)


async def test_help_says_what_works_here_and_once_more_everything(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=50) as terminal:
        await on_routes(terminal)
        await typed(terminal, "?", "WHAT WORKS HERE: Routes")
        screen = await terminal.until("show only what an expression matches")
        assert not screen.find("keep the change"), "that works only on a plan that soaks"
        await terminal.press("?")
        await terminal.until("EVERYTHING")
        await terminal.press("G")
        await terminal.until("the row before")
        await terminal.press("escape")
        await terminal.until(back_on_routes)
        await leave(terminal)


async def test_help_does_what_its_row_says(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=50) as terminal:
        await on_routes(terminal)
        await typed(terminal, "?", "WHAT WORKS HERE: Routes")
        await terminal.until("only what needs a look")
        await terminal.press("down", "enter")
        await terminal.until("only problems (!)")
        await leave(terminal)


async def test_the_palette_finds_an_action_and_a_command(still: Demo) -> None:
    async with tui(still.run_dir, columns=100, rows=30) as terminal:
        await on_routes(terminal)
        await terminal.press("ctrl+p")
        await terminal.send("problems")
        await terminal.until("only what needs a look")
        await terminal.press("enter")
        await terminal.until("only problems (!)")
        await terminal.press("ctrl+p")
        await terminal.send("window list")
        await terminal.until(":window list")
        await terminal.press("enter")
        await terminal.until(lambda screen: any(line.startswith(" :window list") for line in screen.lines))
        await terminal.press("enter")
        await terminal.until("no windows are configured", timeout=20)
        await terminal.press("escape")
        await terminal.until(lambda screen: number_of(screen) == "4")
        await leave(terminal)
