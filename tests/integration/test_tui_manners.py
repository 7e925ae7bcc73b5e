"""The terminal UI as a guest on terminals of every kind: what it writes, at which size, and how it leaves."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.support.terminal import Demo
from tests.support.tui import (
    SIGNS,
    assert_in_bounds,
    assert_unbroken,
    go,
    leave,
    leave_field,
    on,
    prefix_under,
    started,
    tour,
    tui,
)
from tests.support.wait import until
from tools.terminal.screen import Screen

pytestmark = pytest.mark.timeout(180)

SIZES = ((40, 8), (40, 12), (60, 20), (80, 24), (120, 30), (200, 60))
TOO_SMALL = ((39, 7), (20, 5))
MOUSE = re.compile(rb"\x1b\[\?[0-9;]*(?:1000|1002|1003|1006|1015|1016)[0-9;]*h")
SHELL = ("sh", "-c", 'stty -a; "$@"; code=$?; stty -a; echo "ended=$code"', "sh")
"""Starts the command that follows, and tells the settings of the terminal before and after it."""


def settled(screen: Screen) -> str:
    """The settings that ``stty -a`` told twice, without how large the terminal is."""
    before, after = re.findall(r"(speed .*?)(?=speed|ended=)", " ".join(screen.text.split()), re.DOTALL)
    assert before.strip() == after.strip()
    return str(before)


# Screens and sizes


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 45)])
async def test_every_screen_and_dialog_opens_and_says_that_it_is_a_demo(still: Demo, columns: int, rows: int) -> None:
    async with tui(still.run_dir, columns=columns, rows=rows) as terminal:
        async for name, screen in tour(terminal):
            assert screen.find("DEMO"), f"{name}\n{screen}"
        await leave(terminal)
        assert_in_bounds(terminal)


@pytest.mark.parametrize(("columns", "rows"), SIZES)
async def test_every_screen_fits_every_window(still: Demo, columns: int, rows: int) -> None:
    async with tui(still.run_dir, columns=columns, rows=rows) as terminal:
        await terminal.until("DEMO", timeout=20)
        for number in SIGNS:
            await terminal.press(number)
            screen = await terminal.until(on(number))
            assert screen.find("DEMO"), screen
            if number == "7":
                await leave_field(terminal)
        await leave(terminal)
        assert_in_bounds(terminal)


@pytest.mark.parametrize(("columns", "rows"), TOO_SMALL)
async def test_a_window_that_is_too_small_has_a_summary(still: Demo, columns: int, rows: int) -> None:
    async with tui(still.run_dir, columns=columns, rows=rows) as terminal:

        def summed_up(screen: Screen) -> bool:
            for part in ("demo-node", "APPROVE", "7/7", "+3k", "DEMO"):
                assert screen.find(part), part
            return True

        await terminal.until(summed_up, timeout=20)
        await leave(terminal)
        assert_in_bounds(terminal)


async def test_a_terminal_that_does_not_know_its_size_yet_is_drawn_once_it_does(still: Demo) -> None:
    async with tui(still.run_dir, columns=0, rows=0) as terminal:
        await terminal.until(lambda _: terminal.mark() > 0, timeout=20, what="something was written")
        terminal.resize(100, 30)
        await started(terminal)
        await leave(terminal)
        assert_unbroken(terminal)


@pytest.mark.parametrize("number", ["4", "5"])
async def test_a_window_that_changes_its_size_keeps_the_cursor_on_its_route(still: Demo, number: str) -> None:
    async with tui(still.run_dir, columns=120, rows=30) as terminal:
        await started(terminal)
        await go(terminal, number)
        await terminal.press("pagedown", "pagedown", "down")
        before = prefix_under(await terminal.quiet())
        assert before
        for columns, rows in (*SIZES, *TOO_SMALL, *reversed(SIZES), (0, 0), (120, 30)):
            terminal.resize(columns or 1, rows or 1)
            if (columns, rows) in SIZES:
                await terminal.until(
                    lambda screen: prefix_under(screen) == before, what=f"{before} under the cursor at {columns}x{rows}"
                )
            else:
                await terminal.quiet(timeout=5)
        screen = await terminal.until(on(number))
        assert prefix_under(screen) == before
        await leave(terminal)
        assert_unbroken(terminal)


# Colours and signs


async def test_a_terminal_of_sixteen_colours_gets_no_others(still: Demo) -> None:
    async with tui(still.run_dir, columns=140, rows=40, term="xterm") as terminal:
        async for _ in tour(terminal):
            pass
        found = terminal.colour_codes()
        assert found["16"] > 0
        assert (found["256"], found["rgb"]) == (0, 0)


@pytest.mark.parametrize(
    ("words", "env"),
    [
        ((), {"NO_COLOR": "1"}),
        ((), {"NO_COLOR": "1", "COLORTERM": "truecolor"}),
        (("tui", "--color", "never"), {}),
    ],
)
async def test_who_wants_no_colour_gets_none_anywhere(still: Demo, words: tuple[str, ...], env: dict[str, str]) -> None:
    async with tui(still.run_dir, *words, columns=140, rows=40, env=env) as terminal:
        async for name, _ in tour(terminal):
            found = terminal.colour_codes()
            assert (found["16"], found["256"], found["rgb"]) == (0, 0, 0), name


@pytest.mark.parametrize(
    ("words", "term", "env", "kind"),
    [
        ((), "xterm-256color", {}, "256"),
        (("tui", "--theme", "dark"), "xterm-256color", {}, "256"),
        (("tui", "--theme", "dark"), "xterm", {"COLORTERM": "truecolor"}, "rgb"),
        (("tui", "--theme", "dark", "--color", "16"), "xterm", {"COLORTERM": "truecolor"}, "16"),
    ],
)
async def test_more_colours_are_used_where_there_are_more(
    still: Demo, words: tuple[str, ...], term: str, env: dict[str, str], kind: str
) -> None:
    order = ("16", "256", "rgb")
    async with tui(still.run_dir, *words, term=term, env=env) as terminal:
        await started(terminal)
        for number in "45":
            await go(terminal, number)
        found = terminal.colour_codes()
        assert all(found[more] == 0 for more in order[order.index(kind) + 1 :]), found
        assert found[kind] > 0 or not words, found


@pytest.mark.parametrize(
    ("term", "env"), [("xterm", {}), ("xterm", {"COLORTERM": "truecolor"}), ("xterm", {"NO_COLOR": "1"})]
)
async def test_the_key_t_goes_through_all_themes(still: Demo, term: str, env: dict[str, str]) -> None:
    async with tui(still.run_dir, term=term, env=env) as terminal:
        await started(terminal)
        for name in ("dark", "light", "contrast", "daltonic", "mono", "auto"):
            await terminal.press("t")
            await terminal.until(f"theme {name}")
        await leave(terminal)
        assert_in_bounds(terminal)


@pytest.mark.parametrize("words", [(), ("status",)])
async def test_a_dumb_terminal_gets_the_status_as_text(still: Demo, words: tuple[str, ...]) -> None:
    async with tui(still.run_dir, *words, term="dumb") as terminal:
        assert await terminal.wait_exit(20) == 0
        assert b"demo-node" in terminal.raw
        assert b"\x1b" not in terminal.raw


async def test_without_a_terminal_the_status_is_printed(still: Demo) -> None:
    done = await still.command()
    assert done.returncode == 0, done.stderr
    assert "demo-node" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


async def test_a_terminal_without_a_name_is_taken_for_a_simple_one(still: Demo) -> None:
    async with tui(still.run_dir, wrapper=("env", "-u", "TERM")) as terminal:
        await started(terminal)
        await leave(terminal)
        assert terminal.colour_codes()["rgb"] == 0
        assert_in_bounds(terminal)


@pytest.mark.parametrize(
    ("words", "env"),
    [(("tui", "--ascii"), {}), ((), {"LC_ALL": "C"}), ((), {"LC_ALL": "de_DE.ISO-8859-1"})],
)
async def test_a_terminal_that_knows_only_ascii_gets_only_ascii(
    still: Demo, words: tuple[str, ...], env: dict[str, str]
) -> None:
    async with tui(still.run_dir, *words, columns=140, rows=40, env=env) as terminal:
        async for name, screen in tour(terminal):
            assert terminal.raw.isascii(), f"{name}: {[line for line in screen.lines if not line.isascii()]}"
        await leave(terminal)
        assert terminal.raw.isascii()


# Mouse


async def test_the_mouse_is_the_terminals_until_it_is_asked_for(still: Demo) -> None:
    async with tui(still.run_dir) as terminal:
        await started(terminal)
        await go(terminal, "4")
        assert not MOUSE.search(terminal.raw)
        await terminal.press("m")
        await terminal.until("the mouse works here")
        assert 1000 in terminal.modes
        await terminal.press("m")
        await terminal.until("the mouse is your terminal's")
        assert not terminal.modes & {1000, 1002, 1003, 1006}
        await leave(terminal)


async def test_the_option_mouse_begins_with_it(still: Demo) -> None:
    async with tui(still.run_dir, "tui", "--mouse") as terminal:
        await started(terminal)
        assert 1000 in terminal.modes
        await leave(terminal)
        assert not terminal.modes & {1000, 1002, 1003, 1006}


# Leaving


@pytest.mark.parametrize("way", ["q", "ctrl+c", "SIGTERM", "SIGHUP", "mouse"])
async def test_the_terminal_is_given_back_as_it_was(still: Demo, way: str) -> None:
    async with tui(still.run_dir, wrapper=SHELL) as terminal:
        await started(terminal)
        assert 1049 in terminal.modes
        if way == "mouse":
            await terminal.press("m")
            await terminal.until("the mouse works here")
            way = "q"
        if way.startswith("SIG"):
            (child,) = Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text().split()
            code = 128 + signal.Signals[way]
            os.kill(int(child), signal.Signals[way])
        else:
            await terminal.press(way)
            code = 0
        screen = await terminal.until(f"ended={code}")
        settled(screen)
        assert terminal.modes == {7, 25}, sorted(terminal.modes)
        assert_unbroken(terminal)


async def test_a_terminal_that_hangs_up_ends_it_and_leaves_nothing_behind(still: Demo) -> None:
    async with tui(still.run_dir) as terminal:
        await started(terminal)
        terminal.hang_up()
        await terminal.wait_exit()


async def test_who_does_nothing_for_long_is_let_go_and_told_so(still: Demo) -> None:
    async with tui(still.run_dir, "tui", "--idle-exit", "2s") as terminal:
        screen = await terminal.until("without a key", timeout=20)
        assert await terminal.wait_exit() == 0
        assert 1049 not in terminal.modes
        assert terminal.screen.find("bgpmon: left after 2.0s without a key") or screen.find("left after")
        assert_unbroken(terminal)


@pytest.mark.slow
async def test_keys_keep_it_from_leaving(still: Demo) -> None:
    async with tui(still.run_dir, "tui", "--idle-exit", "10s") as terminal:
        await started(terminal)
        for number in "23" * 6:
            clock = terminal.screen.lines[0][-9:]
            await go(terminal, number)
            # A second passes on its clock between two keys: more than the limit in all.
            await terminal.until(lambda now, clock=clock: now.lines[0][-9:] != clock)  # type: ignore[misc]
        assert terminal.exit_code is None
        await leave(terminal)


async def test_nothing_is_left_when_its_own_process_is_asked(still: Demo) -> None:
    async with tui(still.run_dir) as terminal:
        await started(terminal)
        pid = terminal.pid
        await leave(terminal)
    await until(lambda: not Path(f"/proc/{pid}").exists(), what="the process to be gone")
