"""People who decide on the terminal UI: locked until they say who they are, and nothing is done by mistake."""

import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.terminal import UNPRIVILEGED, Demo, Terminal, demo, short_place
from tests.support.tui import STILL, assert_unbroken, go, leave, number_of, prefix_under, shows, started, state, tui
from tests.support.wait import until
from tools.terminal.screen import Screen

pytestmark = pytest.mark.timeout(180)

SOAK = "\n  soak: {duration: 5m}\n"


@pytest.fixture
async def own() -> AsyncIterator[Demo]:
    """A demo for one test."""
    with short_place() as path:
        async with demo(path, *STILL) as found:
            yield found


@pytest.fixture
async def soaking(own: Demo) -> Demo:
    """A demo in which what is applied soaks for five minutes."""
    file = Path(own.run_dir) / "bgpmon.yaml"
    file.write_text(file.read_text().rstrip("\n") + SOAK)
    await own.ask("reload")
    return own


async def unlock(terminal: Terminal, name: str = "ada") -> Screen:
    """Unlock the screen by the dialog."""
    await terminal.press("W")
    await terminal.until("UNLOCK")
    await fill(terminal, "who you are", name)
    await push(terminal, "Unlock")
    return await terminal.until(f"unlocked {name}")


def focus(screen: Screen) -> str:
    """The button that has the focus in a dialog."""
    found = screen.find("Cancel  ")
    return "".join(cell.data for cell in screen.cells[found[0]] if cell.reverse).strip() if found else ""


async def fill(terminal: Terminal, label: str, text: str) -> None:
    """Type into the field of a dialog that waits for it, or has the keys already."""
    await terminal.send(text)
    await terminal.until(
        lambda screen: re.search(rf"{label} +{re.escape(text)}", screen.text) and not focus(screen),
        what=f"{text} as {label}",
    )


async def push(terminal: Terminal, verb: str) -> None:
    """Press a button of a dialog: by enter from its last field, from Cancel by the tabulator."""
    if not focus(terminal.screen):
        await terminal.press("enter")
        await terminal.until(focus, what="a button to have the focus")
    if focus(terminal.screen) == "Cancel":
        await terminal.press("tab")
    await terminal.until(lambda screen: focus(screen).startswith(verb), what=f"the focus on {verb}")
    await terminal.press("enter")


def plan_is(state_: str) -> Callable[[Screen], object]:
    """A condition: the plan that is shown is in a state."""
    return lambda screen: re.search(rf"PLAN #\d+ +{state_}", screen.text, re.IGNORECASE)


async def frozen(terminal: Terminal, filter_text: str) -> str:
    """Freeze what a filter matches by the dialog, and return the first block of its digest."""
    await go(terminal, "5")
    await terminal.press("F")
    await terminal.until("FREEZE PLAN")
    await fill(terminal, "only what matches", filter_text)
    await push(terminal, "Freeze")
    screen = await terminal.until(
        lambda now: re.search(r"digest ([0-9a-f]{4})", now.text) and not now.find("FREEZE PLAN")
    )
    found = re.search(r"digest ([0-9a-f]{4})", screen.text)
    assert found
    await terminal.until(plan_is("frozen"))
    return found[1]


async def approve(terminal: Terminal, block: str) -> None:
    """Approve the plan that is shown by the dialog."""
    await terminal.press("A")
    await terminal.until("APPROVE PLAN")
    await terminal.until(lambda screen: focus(screen) == "Cancel")
    await fill(terminal, "first block of the digest", block)
    await push(terminal, "Approve")


# Locked


@pytest.mark.parametrize("words", [(), ("tui", "--read-only")])
async def test_while_it_is_locked_every_capital_explains_itself_and_changes_nothing(
    own: Demo, words: tuple[str, ...]
) -> None:
    await own.ask("plan", "freeze", "in 10.9.0.0/16")
    before = await state(own)
    async with tui(own.run_dir, *words, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        await started(terminal)
        await go(terminal, "4")
        for number, keys in (("4", "X"), ("5", "ANX")):
            await go(terminal, number)
            for key in keys:
                await terminal.press(key)
                await terminal.until(f"locked: {key} would")
        await terminal.press("escape")
        await terminal.send(":plan show\r")
        await terminal.until("live, not frozen")
        for key in "FX":
            await terminal.press(key)
            await terminal.until(f"locked: {key} would")
        if words:
            await terminal.press("W")
            await terminal.until("--read-only")
            assert not terminal.screen.find("UNLOCK")
        await leave(terminal)
        assert_unbroken(terminal)
    assert await state(own) == before


async def test_unlocking_says_who_and_how_long_and_is_taken_back_by_the_same_key(still: Demo) -> None:
    before = await state(still)
    async with tui(still.run_dir, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        await started(terminal)
        await terminal.press("W")
        await terminal.until(lambda screen: focus(screen) == "Cancel")
        await terminal.press("enter")  # the focus is on Cancel
        await terminal.until(lambda screen: shows("1")(screen) and not screen.find("UNLOCK"))
        assert terminal.screen.find("APPROVE locked")
        screen = await unlock(terminal)
        assert re.search(r"unlocked ada \d+m", screen.lines[0]), screen.lines[0]
        await terminal.press("W")
        await terminal.until("APPROVE locked")
        await leave(terminal)
        assert_unbroken(terminal)
    assert await state(still) == before


# Deciding


async def test_a_plan_is_frozen_approved_and_rolled_back(own: Demo) -> None:
    async with tui(own.run_dir, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        await started(terminal)
        await unlock(terminal)
        block = await frozen(terminal, "in 10.9.0.0/16 domain=storage")
        await terminal.press("A")
        await terminal.until(lambda screen: screen.find("APPROVE PLAN") and focus(screen) == "Cancel")
        assert terminal.screen.find("DEMO")
        await terminal.press("enter")  # nothing is approved by enter alone
        await terminal.until(lambda screen: not screen.find("APPROVE PLAN"))
        assert (await own.ask("plan", "list"))["items"][0]["state"] == "frozen"
        await terminal.press("A")
        await terminal.until(lambda screen: screen.find("APPROVE PLAN") and focus(screen) == "Cancel")
        wrong = "0000" if block != "0000" else "1111"
        await fill(terminal, "first block of the digest", wrong)
        await push(terminal, "Approve")
        await terminal.until("this is another one")
        assert (await own.ask("plan", "list"))["items"][0]["state"] == "frozen"
        await terminal.press("escape")
        await terminal.until(lambda screen: not screen.find("APPROVE PLAN"))
        await approve(terminal, block)
        await terminal.until(plan_is("applied"), timeout=20)
        (plan,) = (await own.ask("plan", "list"))["items"]
        assert plan["state"] == "applied"
        await terminal.press("R")
        await terminal.until("ROLL BACK PLAN")
        await fill(terminal, "reason", "a test")
        await push(terminal, "Roll back")
        await terminal.until(plan_is("frozen"), timeout=20)
        plans = (await own.ask("plan", "list"))["items"]
        assert sorted(item["state"] for item in plans) == ["applied", "frozen"]
        await leave(terminal)
        assert_unbroken(terminal)


async def test_a_plan_is_rejected_with_a_reason(own: Demo) -> None:
    async with tui(own.run_dir, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        await started(terminal)
        await unlock(terminal)
        await frozen(terminal, "in 10.9.0.0/16")
        await terminal.press("N")
        await terminal.until(lambda screen: screen.find("REJECT PLAN") and focus(screen) == "Cancel")
        await push(terminal, "Reject")
        await terminal.until("reason: fill it in to go on")
        await fill(terminal, "reason", "not today")
        await push(terminal, "Reject")
        await terminal.until(plan_is("rejected"))
        (plan,) = (await own.ask("plan", "list"))["items"]
        assert plan["state"] == "rejected"
        await leave(terminal)
        assert_unbroken(terminal)


@pytest.mark.parametrize("number", ["4", "5"])
async def test_a_prefix_is_held(own: Demo, number: str) -> None:
    async with tui(own.run_dir, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        await started(terminal)
        await unlock(terminal)
        await go(terminal, number)
        await terminal.press("end")
        screen = await terminal.quiet()
        prefix = prefix_under(screen)
        assert prefix
        await terminal.press("X")
        await terminal.until("HOLD")
        await terminal.until(lambda now: re.search(rf"what +{re.escape(prefix)}", now.text))
        await fill(terminal, "reason", "a test")
        await push(terminal, "Hold")
        await terminal.until("out of plans until")
        (hold,) = (await own.ask("holds"))["items"]
        assert hold["filter"] == prefix
        assert hold["reason"] == "a test"
        await leave(terminal)
        assert_unbroken(terminal)


# Soaking


async def soaked(terminal: Terminal) -> str:
    """Unlock, freeze, approve, and see the plan soak; the first block of its digest."""
    await started(terminal)
    await unlock(terminal)
    block = await frozen(terminal, "in 10.9.0.0/16")
    await approve(terminal, block)
    await terminal.until(lambda screen: re.search(r"soaking.* ROLLS BACK IN \d", screen.lines[0]), timeout=20)
    await terminal.until(plan_is("soaking"))
    return block


async def plan_state(found: Demo) -> str:
    """The state of the newest plan."""
    return str((await found.ask("plan", "list"))["items"][0]["state"])


async def test_a_change_that_soaks_is_extended_and_kept(soaking: Demo) -> None:
    async with tui(soaking.run_dir, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        block = await soaked(terminal)
        first = (await soaking.ask("status"))["change"]["in_flight"]["deadline"]
        await terminal.press("+")
        await terminal.until(lambda screen: screen.find("EXTEND THE SOAK") and focus(screen) == "Cancel")
        await push(terminal, "Extend")
        await terminal.until("unless confirmed")
        await until(lambda: _later(soaking, first), what="a later deadline")
        await terminal.press("C")
        await terminal.until("KEEP PLAN")
        await fill(terminal, "first block of the digest", block)
        await push(terminal, "Confirm")
        await terminal.until(plan_is("confirmed"))
        assert await plan_state(soaking) == "confirmed"
        await leave(terminal)
        assert_unbroken(terminal)


async def _later(found: Demo, than: str) -> bool:
    return bool((await found.ask("status"))["change"]["in_flight"]["deadline"] > than)


async def test_a_change_that_soaks_is_taken_back(soaking: Demo) -> None:
    async with tui(soaking.run_dir, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        await soaked(terminal)
        await terminal.press("R")
        await terminal.until("ROLL BACK PLAN")
        await fill(terminal, "reason", "a test")
        await push(terminal, "Roll back")
        await terminal.until(plan_is("rolled-back"), timeout=20)
        assert await plan_state(soaking) == "rolled-back"
        await leave(terminal)
        assert_unbroken(terminal)


async def test_who_leaves_while_a_change_soaks_is_told_what_becomes_of_it(soaking: Demo) -> None:
    async with tui(soaking.run_dir, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        block = await soaked(terminal)
        mark = terminal.mark()
        await leave(terminal)
        told = terminal.since(mark).decode()
        assert "is soaking: the daemon takes it back at" in told
        assert f"bgpmon confirm {block}" in told
        assert await plan_state(soaking) == "soaking"


@pytest.mark.parametrize("way", ["kill", "hang-up"])
async def test_a_terminal_that_is_lost_while_a_change_soaks_loses_nothing(soaking: Demo, way: str) -> None:
    async with tui(soaking.run_dir, columns=120, rows=40, wrapper=UNPRIVILEGED) as terminal:
        await soaked(terminal)
        before = (await soaking.ask("status"))["change"]["in_flight"]
        if way == "kill":
            terminal.signal(signal.SIGKILL)
        else:
            terminal.hang_up()
        await terminal.wait_exit()
    after = (await soaking.ask("status"))["change"]["in_flight"]
    assert (after["digest"], after["state"], after["deadline"]) == (before["digest"], "soaking", before["deadline"])
    async with tui(soaking.run_dir, columns=120, rows=40) as terminal:
        await terminal.until(lambda screen: re.search(r"soaking.* ROLLS BACK IN \d", screen.lines[0]), timeout=20)
        await terminal.press("5")
        await terminal.until(lambda screen: number_of(screen) == "5" and plan_is("soaking")(screen))
        await terminal.press("q")
        assert await terminal.wait_exit() == 0
