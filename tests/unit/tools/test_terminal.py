"""Real programs on a terminal: their size, their keys, their end, and that nothing of them is left."""

import asyncio
import base64
import functools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.terminal import clean_environment, require_terminals, tui
from tests.support.wait import until
from tools.terminal.screen import Screen
from tools.terminal.session import ScreenError, Terminal, running

pytestmark = pytest.mark.usefixtures("_terminals")

ENVIRONMENT = clean_environment()

RAW = """
import os, sys, termios, tty
tty.setraw(0)
os.write(1, b"ready")
while (octets := os.read(0, 1024)) and octets != b"q":
    os.write(1, f"\\x1b[2J\\x1b[H{octets!r}".encode())
"""
"""A program that shows the bytes that keys send, until q."""

HANGUP = """
import os, signal, sys
def hup(number, frame):
    with open(sys.argv[1], "w") as file:
        file.write(str(number))
    os._exit(7)
signal.signal(signal.SIGHUP, hup)
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def _terminals() -> None:
    require_terminals()


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", program, *arguments]


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def alive(pid: int) -> bool:
    try:
        return _state(pid) not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir() if entry.exists()}


async def shown_by(argv: Sequence[str], columns: int = 80, rows: int = 24) -> list[str]:
    async with running(argv, columns=columns, rows=rows, env=ENVIRONMENT) as terminal:
        assert await terminal.wait_exit() == 0
        return terminal.screen.lines


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 45), (200, 60), (20, 5), (1, 1)])
async def test_size_is_known_before_the_program_starts(columns: int, rows: int) -> None:
    lines = await shown_by(shell('test "$(stty size)" = "' + f'{rows} {columns}" && printf y'), columns, rows)
    assert (lines[0], len(lines)) == ("y", rows)


async def test_terminal_may_not_know_its_size() -> None:
    lines = await shown_by(["stty", "size"], 0, 0)
    assert lines == ["0 0", *[""] * 23]


async def test_program_leads_a_session_with_this_terminal() -> None:
    async with running(
        shell("ps -o pid=,sess=,tpgid= -p $$; test -t 0 && : </dev/tty && echo $TERM"), env=ENVIRONMENT
    ) as t:
        await t.wait_exit()
        assert t.screen.lines[0].split() == [str(t.pid)] * 3
        assert t.screen.lines[1] == "xterm"


async def test_environment_is_what_is_given() -> None:
    async with running(["env"], env={"PATH": os.defpath, "ONE": "1"}, term="dumb") as terminal:
        await terminal.wait_exit()
        assert {line for line in terminal.screen.lines if line} == {f"PATH={os.defpath}", "ONE=1", "TERM=dumb"}


async def test_resize_is_told_by_the_kernel() -> None:
    script = "trap 'stty size' WINCH; echo ready; while :; do read line && break; done; echo end"
    async with running(shell(script), env=ENVIRONMENT) as terminal:
        await terminal.until("ready")
        terminal.resize(132, 50)
        await terminal.until("50 132")
        assert (terminal.screen.columns, terminal.screen.rows) == (132, 50)


async def test_keys_arrive_as_xterm_sends_them() -> None:
    async with running(python(RAW), env=ENVIRONMENT) as terminal:
        await terminal.until("ready")
        for keys, octets in ((["up"], r"b'\x1b[A'"), (["ctrl+c"], r"b'\x03'"), (["f5", "G"], r"b'\x1b[15~G'")):
            await terminal.press(*keys)
            await terminal.until(octets)
        await terminal.send("é")
        await terminal.until(repr("é".encode()))
        await terminal.press("q")
        assert await terminal.wait_exit() == 0


async def test_mouse_and_paste_follow_the_modes_of_the_program() -> None:
    modes = r"os.write(1, b'\x1b[?1000;1006;2004h');"
    async with running(python(RAW.replace("tty.setraw(0)", f"tty.setraw(0); {modes}")), env=ENVIRONMENT) as terminal:
        await terminal.until("ready")
        assert {1000, 1006, 2004} <= terminal.modes
        await terminal.click(3, 9)
        await terminal.until(r"b'\x1b[<0;10;4M\x1b[<0;10;4m'")
        await terminal.click(0, 0, "wheel-down")
        await terminal.until(r"b'\x1b[<65;1;1M'")
        await terminal.paste("two words")
        await terminal.until(r"b'\x1b[200~two words\x1b[201~'")
    async with running(["cat"], env=ENVIRONMENT) as terminal:
        with pytest.raises(ScreenError, match="does not listen to the mouse"):
            await terminal.click(0, 0)


async def test_interrupt_key_ends_a_cooked_program() -> None:
    async with running(["cat"], env=ENVIRONMENT) as terminal:
        await terminal.send("words\r")
        await terminal.until(lambda screen: screen.lines[:2] == ["words", "words"])
        await terminal.press("ctrl+c")
        assert await terminal.wait_exit() == -signal.SIGINT
        assert terminal.exit_code == -signal.SIGINT


async def test_lost_connection_is_a_hangup(tmp_path: Path) -> None:
    told = tmp_path / "told"
    async with running(python(HANGUP, str(told)), env=ENVIRONMENT) as terminal:
        await terminal.until("ready")
        terminal.hang_up()
        assert await terminal.wait_exit() == 7
        assert told.read_text() == str(signal.SIGHUP.value)
        with pytest.raises(ScreenError, match="is gone"):
            await terminal.press("q")


async def test_blocked_terminal_stops_the_program_and_lets_it_go_on(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    program = """
import os, sys
for number in range(300):
    os.write(1, b"x" * 998 + b"\\r\\n")
    with open(sys.argv[1], "w") as file:
        file.write(str(number))
print("all written", flush=True)
sys.stdin.readline()
"""
    async with running(python(program, str(counter)), env=ENVIRONMENT) as terminal:
        terminal.stop_reading()
        seen = [""]

        def stuck() -> bool:
            seen.append(counter.read_text() if counter.exists() else "")
            return _state(terminal.pid) == "S" and seen[-1] == seen[-2] != ""

        await until(stuck, what="the program to be stuck in a write")
        assert int(seen[-1]) < 299
        assert terminal.raw == b""
        terminal.go_on_reading()
        await terminal.until("all written")
        assert terminal.raw.count(b"x" * 998) == 300


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_typing_waits_for_a_program_that_does_not_read() -> None:
    # In raw mode the terminal holds a few thousand bytes; the rest is taken when the program reads.
    program = """
import os, sys, tty
tty.setraw(0)
os.write(1, b"ready")
open(sys.argv[1]).read()
got = 0
while got < 100_000:
    got += len(os.read(0, 65536))
os.write(1, b"got %d" % got)
"""
    read_end, write_end = os.pipe()
    try:
        async with running(python(program, f"/proc/{os.getpid()}/fd/{read_end}"), env=ENVIRONMENT) as terminal:
            await terminal.until("ready")
            typing = asyncio.create_task(terminal.send(b"k" * 100_000))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(typing), 0.2)
            os.close(write_end)
            write_end = -1
            await typing
            await terminal.until("got 100000")
    finally:
        for descriptor in (read_end, write_end):
            if descriptor >= 0:
                os.close(descriptor)


async def test_what_is_copied_is_collected() -> None:
    one, two = (base64.b64encode(text.encode()).decode() for text in ("héllo", "two"))
    script = rf"printf 'a\033]52;c;{one}\007b\033]52;c;?\007\033]52;;{two}\033\\c'"
    async with running(shell(script), env=ENVIRONMENT) as terminal:
        await terminal.wait_exit()
        assert terminal.copied == ["héllo", "two"]
        assert terminal.screen.lines[0] == "abc"


async def test_wide_characters_and_utf_8() -> None:
    assert (await shown_by(["printf", "%s", "│日本語│ é …"]))[0] == "│日本語│ é …"


async def test_colours_are_counted_from_a_mark() -> None:
    script = r"printf '\033[31mred\033[0m'; read x; printf '\033[38;5;208mo\033[38;2;1;2;3mr\033[0m.'"
    async with running(shell(script), env=ENVIRONMENT) as terminal:
        await terminal.until("red")
        assert terminal.screen.cell(0, 0).fg == "red"
        assert terminal.colour_codes() == {"16": 1, "none": 1}
        mark = terminal.mark()
        await terminal.press("enter")
        await terminal.wait_exit()
        assert terminal.colour_codes(mark) == {"256": 1, "rgb": 1, "none": 1}
        assert terminal.since(mark).endswith(b"r\x1b[0m.")


@pytest.mark.parametrize("answers", [{}, {b"\x1b[?2026$p": b"\x1b[?2026;2$y"}])
async def test_terminal_answers_only_what_it_is_told_to(answers: dict[bytes, bytes]) -> None:
    ask = r"os.write(1, b'\x1b[?2026$p\x1b[6n');"
    async with running(
        python(RAW.replace("tty.setraw(0)", f"tty.setraw(0); {ask}")), env=ENVIRONMENT, answers=answers
    ) as t:
        if answers:
            await t.until(r"b'\x1b[?2026;2$y'")
        else:
            await t.until("ready")
            await t.press("x")
            await t.until("b'x'")


async def test_half_a_frame_is_not_looked_at() -> None:
    script = r"printf '\033[?2026hfirst'; read x; printf ' second\033[?2026l'; read x"
    async with running(shell(script), env=ENVIRONMENT) as terminal:
        looks: list[str] = []

        def first(screen: Screen) -> bool:
            looks.append(screen.text)
            return "first" in screen.text

        waiting = asyncio.create_task(terminal.until(first))
        await until(lambda: b"first" in terminal.raw)
        await terminal.send("\r")
        assert "second" in (await waiting).text
        assert not any("first" in look and "second" not in look for look in looks)


async def test_response_is_measured() -> None:
    async with running(python(RAW), env=ENVIRONMENT) as terminal:
        await terminal.until("ready")
        response = await terminal.response("x", quiet=0.05)
        assert 0 <= response.first <= response.last < 5
        assert response.octets == len(b"\x1b[2J\x1b[Hb'x'")


async def test_failure_shows_the_screen() -> None:
    async with running(shell("echo here; read x"), env=ENVIRONMENT) as terminal:
        await terminal.until("here")
        with pytest.raises(ScreenError, match=r"(?s)waited 0\.05 s.*'there' is not on the screen.*│here {76}│"):
            await terminal.until("there", timeout=0.05)
        with pytest.raises(ScreenError, match="AssertionError: no such row"):
            await terminal.until(_fails, timeout=0.05)
        with pytest.raises(ScreenError, match="runs on"):
            await terminal.wait_exit(timeout=0.05)
        await terminal.press("enter")
        with pytest.raises(ScreenError, match="the program ended"):
            await terminal.until("there")


def _fails(_: object) -> bool:
    raise AssertionError("no such row")


async def test_other_errors_tell_the_screen_too() -> None:
    with pytest.raises(RuntimeError) as caught:
        await _spawn_and_fail([])
    assert "│self" in "".join(caught.value.__notes__)


async def test_program_that_cannot_be_started_says_so() -> None:
    async with running(["/nonexistent/program"], env=ENVIRONMENT) as terminal:
        assert await terminal.wait_exit() == 127
        assert "/nonexistent/program" in terminal.screen.text


async def _spawn_and_fail(pids: list[int]) -> None:
    script = "trap '' HUP TERM INT; sleep 300 & echo child $!; echo self $$; wait"
    async with running(shell(script), env=ENVIRONMENT) as terminal:
        screen = await terminal.until("self")
        pids.extend(int(line.split()[1]) for line in screen.lines if line)
        raise RuntimeError


def _gone(pids: list[int]) -> bool:
    return not any(map(alive, pids))


async def test_nothing_is_left() -> None:
    before = descriptors()
    for _ in range(3):
        pids: list[int] = []
        with pytest.raises(RuntimeError):
            await _spawn_and_fail(pids)
        assert len(pids) == 2
        await until(functools.partial(_gone, pids), what="the programs to be gone")
    assert descriptors() == before


async def test_nothing_is_left_when_it_never_starts() -> None:
    before = descriptors()
    with pytest.raises(FileNotFoundError):
        Terminal(["true"], env=ENVIRONMENT, cwd=Path("/nonexistent"))
    assert descriptors() == before


async def test_program_of_another_group_is_ended_too() -> None:
    # A shell with job control gives each command a process group of its own.
    async with running(["sh", "-m", "-c", "sleep 300; echo no"], env=ENVIRONMENT) as terminal:
        child = await until(lambda: _child(terminal.pid), what="the command to run")
    await until(lambda: not alive(child), what="the command to be gone")


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0


async def test_bgpmon_runs_in_a_clean_environment(tmp_path: Path) -> None:
    async with tui(tmp_path, "--help", columns=100, rows=50, env={"HOME": None, "NO_COLOR": "1"}) as terminal:
        assert await terminal.wait_exit(timeout=60) == 0
        assert "Usage: " in terminal.screen.text
        assert terminal.colour_codes() == {}
