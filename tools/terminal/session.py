"""A real process on a terminal of its own, for whoever presses its keys and looks at its screen."""

import asyncio
import base64
import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.terminal import colours, keys
from tools.terminal.emulator import SYNCHRONIZED, Emulator
from tools.terminal.screen import Screen

CURSOR_KEYS, BRACKETED_PASTE, SGR_MOUSE = 1, 2004, 1006
MOUSE = frozenset({1000, 1002, 1003})
AT_ONCE = 65536
LAST_WORDS = 400
"""How many of the last bytes a failure shows."""


class ScreenError(AssertionError):
    """The screen did not come to show what was waited for; the text says what it shows."""


class Chunk(NamedTuple):
    """What arrived at once: when (monotonic seconds), and where in ``raw`` it begins and ends."""

    at: float
    start: int
    end: int


class Size(NamedTuple):
    """When (monotonic seconds) the terminal became how large."""

    at: float
    columns: int
    rows: int


class Response(NamedTuple):
    """What keys brought: seconds until the first and until the last byte, and how many bytes came."""

    first: float
    last: float
    octets: int


class Terminal:
    """A program on a pseudo terminal; `running` starts it and ends it.

    A size of 0x0 is what a terminal says that does not know its size; the screen is then 80x24.  *answers* says what
    the terminal replies to which control sequence; without them it is silent.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
        term: str = "xterm",
        cwd: Path | None = None,
        answers: Mapping[bytes, bytes] | None = None,
    ) -> None:
        self.argv = list(argv)
        self.raw = bytearray()
        self.chunks: list[Chunk] = []
        self.sizes = [Size(time.monotonic(), columns, rows)]
        self.copied: list[str] = []
        self.term = term
        self._answers = dict(answers or {})
        self._emulator = Emulator(columns or 80, rows or 24, on_sequence=self._answer, on_command=self._command)
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._exited = asyncio.Event()
        self._reading = False
        self._ended = False
        self._exit_code: int | None = None
        self._pidfd = -1
        self._master, slave = os.openpty()
        try:
            os.set_blocking(self._master, False)
            self._tell_size(columns, rows)
            environment = {**({"PATH": os.defpath} if env is None else env), "TERM": term}
            self._process = _start(self.argv, slave, environment, cwd)
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        try:
            self._pidfd = os.pidfd_open(self.pid)
            self._loop.add_reader(self._pidfd, self._on_exit)
            self.go_on_reading()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id of the program; it leads a session and a process group of the same number."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How the program ended, a negative number for a signal; None while it runs."""
        return self._exit_code

    @property
    def screen(self) -> Screen:
        """What is shown now; it does not change afterwards."""
        return self._emulator.look()

    @property
    def modes(self) -> frozenset[int]:
        """The private modes (``CSI ? n h``) that are on now: 1049 is the alternate screen, 25 a cursor that is shown."""
        return frozenset(self._emulator.private)

    @property
    def bells(self) -> int:
        """How often the bell rang."""
        return self._emulator.bells

    # What goes in

    async def send(self, data: str | bytes) -> float:
        """Type *data* as it is; when (monotonic seconds) the last of it was taken."""
        rest = data.encode() if isinstance(data, str) else data
        while rest:
            try:
                rest = rest[os.write(self._open(), rest) :]
            except BlockingIOError:
                await self._writable()
        return time.monotonic()

    async def press(self, *names: str) -> float:
        """Press keys: "up", "enter", "ctrl+c", "shift+f5", "alt+x", "G"; when the last of them was taken."""
        application = CURSOR_KEYS in self.modes
        return await self.send(b"".join(keys.octets_of(name, application=application) for name in names))

    async def paste(self, text: str) -> float:
        """Paste text, in brackets if the program asked for them."""
        return await self.send(f"\x1b[200~{text}\x1b[201~" if BRACKETED_PASTE in self.modes else text)

    async def click(self, row: int, column: int, button: str = "left") -> float:
        """Press and let go of a button of the mouse ("left", "middle", "right", "wheel-up", "wheel-down") at a place."""
        if not (SGR_MOUSE in self.modes and MOUSE & self.modes):
            raise ScreenError(f"the program does not listen to the mouse; its modes are {sorted(self.modes)}")
        down = keys.mouse(button, row, column, pressed=True)
        return await self.send(
            down if button.startswith("wheel") else down + keys.mouse(button, row, column, pressed=False)
        )

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal as large; the kernel tells the program (SIGWINCH)."""
        self._emulator.resize(rows, columns)
        self.sizes.append(Size(time.monotonic(), columns, rows))
        self._tell_size(columns, rows)
        self._changed.set()

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal, past the terminal."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Take the terminal away, as a lost connection does: the kernel sends SIGHUP."""
        self.stop_reading()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
        self._ended = True
        self._changed.set()

    def stop_reading(self) -> None:
        """Read no more: soon the program cannot write."""
        if self._reading:
            self._loop.remove_reader(self._master)
            self._reading = False

    def go_on_reading(self) -> None:
        """Read what the program writes, from now on."""
        if not self._reading and not self._ended:
            self._loop.add_reader(self._open(), self._on_output)
            self._reading = True

    # What comes out

    def mark(self) -> int:
        """Where ``raw`` ends now."""
        return len(self.raw)

    def since(self, mark: int) -> bytes:
        """Every byte that came after a mark."""
        return bytes(self.raw[mark:])

    def chunks_since(self, mark: int) -> list[Chunk]:
        """When bytes came after a mark."""
        return [chunk for chunk in self.chunks if chunk.end > mark]

    def colour_codes(self, mark: int = 0) -> Counter[str]:
        """How many style sequences after a mark name a colour of the "16", of the "256", an "rgb" one, or "none"."""
        return colours.count(self.since(mark))

    async def until(self, wanted: str | Callable[[Screen], object], timeout: float = 10.0, what: str = "") -> Screen:  # noqa: ASYNC109 - a failure shows the screen
        """Wait until the screen has a text, or until *wanted* of it is true, and return that screen.

        An AssertionError from *wanted* counts as "not yet".  Half a frame of a program that marks its frames
        (mode 2026) is not looked at.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._changed.clear()
            ended, left = self._ended, deadline - time.monotonic()
            screen = self.screen
            if SYNCHRONIZED not in self.modes or ended or left <= 0:
                problem = _unmet(wanted, screen)
                if problem is None:
                    return screen
                if ended or left <= 0:
                    after = "the program ended" if ended else f"waited {timeout:g} s"
                    raise ScreenError(f"{after}, and still {what or problem}\n{self.describe(screen)}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, left)):
                    await self._changed.wait()

    async def quiet(self, seconds: float = 0.1, timeout: float = 10.0) -> Screen:  # noqa: ASYNC109 - a failure shows the screen
        """Wait until nothing has come for some time, and return the screen."""
        deadline = time.monotonic() + timeout
        while not self._ended:
            self._changed.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                break
            if time.monotonic() > deadline:
                raise ScreenError(f"not quiet for {seconds:g} s within {timeout:g} s\n{self.describe(self.screen)}")
        return self.screen

    async def response(self, *names: str, quiet: float = 0.15, timeout: float = 10.0) -> Response:  # noqa: ASYNC109 - a failure shows the screen
        """Press keys and measure what comes back, until nothing has come for *quiet* seconds."""
        mark = self.mark()
        pressed = await self.press(*names)
        await self.until(lambda _: self.mark() > mark, timeout, f"nothing came after {' '.join(names)}")
        await self.quiet(quiet, timeout)
        chunks = self.chunks_since(mark)
        return Response(chunks[0].at - pressed, chunks[-1].at - pressed, self.mark() - mark)

    async def wait_exit(self, timeout: float = 10.0) -> int:  # noqa: ASYNC109 - a failure shows the screen
        """Wait until the program has ended, and return how; all that it wrote has been read then."""
        try:
            async with asyncio.timeout(timeout):
                await self._exited.wait()
        except TimeoutError:
            raise ScreenError(f"it runs on after {timeout:g} s\n{self.describe(self.screen)}") from None
        while self._reading and self._on_output():
            pass
        assert self._exit_code is not None
        return self._exit_code

    def describe(self, screen: Screen) -> str:
        """What a failure tells: the program, how it is, what it shows and its last bytes."""
        state = "runs" if self.exit_code is None else f"ended with {self.exit_code}"
        return f"{' '.join(self.argv)} {state}\n{screen}\nlast bytes: {bytes(self.raw[-LAST_WORDS:])!r}"

    def close(self) -> None:
        """End the program and everything else in its process groups, and take the terminal away."""
        if self._process.returncode is not None:
            return
        groups = {self.pid}
        with contextlib.suppress(OSError, ScreenError):
            foreground = os.tcgetpgrp(self._open())
            if os.getsid(foreground) == self.pid:
                groups.add(foreground)
        os.kill(self.pid, signal.SIGKILL)
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        self.hang_up()
        self._process.wait()
        self._forget_pidfd()

    # Inside

    def _open(self) -> int:
        if self._master < 0:
            raise ScreenError(f"the terminal of {self.argv[0]} is gone")
        return self._master

    def _tell_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._open(), termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def _writable(self) -> None:
        """Wait until the terminal takes more: a program that does not read fills it."""
        free = self._loop.create_future()
        master = self._open()

        def tell() -> None:
            if not free.done():
                free.set_result(None)

        self._loop.add_writer(master, tell)
        try:
            await free
        finally:
            if self._master == master:
                self._loop.remove_writer(master)

    def _on_output(self) -> bool:
        """Take what there is; whether there was something."""
        try:
            octets = os.read(self._master, AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # Linux says EIO when nobody has the other end open
            octets = b""
        if octets:
            self.chunks.append(Chunk(time.monotonic(), len(self.raw), len(self.raw) + len(octets)))
            self.raw += octets
            self._emulator.feed(octets)
        else:
            self.stop_reading()
            self._ended = True
        self._changed.set()
        return bool(octets)

    def _on_exit(self) -> None:
        # The program stays a zombie until `close`, so that its number and its group's are still its own there.
        end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert end is not None
        self._exit_code = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
        self._forget_pidfd()
        self._exited.set()
        self._changed.set()

    def _forget_pidfd(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _answer(self, sequence: str) -> None:
        answer = self._answers.get(sequence.encode())
        if answer:
            with contextlib.suppress(BlockingIOError):
                os.write(self._open(), answer)

    def _command(self, command: str) -> None:
        number, _, rest = command.partition(";")
        _, _, payload = rest.partition(";")
        if number == "52" and payload != "?":
            with contextlib.suppress(ValueError):
                self.copied.append(base64.b64decode(payload, validate=True).decode(errors="replace"))


def _start(argv: list[str], slave: int, env: Mapping[str, str], cwd: Path | None) -> "subprocess.Popen[bytes]":
    """Start a program as the leader of a session whose terminal is *slave*: without a fork of our own, threads may run."""
    return subprocess.Popen(
        ["setsid", "--ctty", *argv], stdin=slave, stdout=slave, stderr=slave, env=dict(env), cwd=cwd
    )


def _unmet(wanted: str | Callable[[Screen], object], screen: Screen) -> str | None:
    """What the screen lacks; None if it has what is wanted."""
    if isinstance(wanted, str):
        return None if screen.find(wanted) else f"{wanted!r} is not on the screen"
    try:
        return None if wanted(screen) else f"{getattr(wanted, '__name__', 'the condition')} is not true of the screen"
    except AssertionError as error:
        return f"AssertionError: {error}"


@contextlib.asynccontextmanager
async def running(
    argv: Sequence[str],
    *,
    columns: int = 80,
    rows: int = 24,
    env: Mapping[str, str] | None = None,
    term: str = "xterm",
    cwd: Path | None = None,
    answers: Mapping[bytes, bytes] | None = None,
) -> AsyncIterator[Terminal]:
    """Run a program on a terminal; it is gone when the block ends, and what goes wrong in it tells the screen.

    *env* is the whole environment but for TERM; without it, there is only a PATH.
    """
    terminal = Terminal(argv, columns=columns, rows=rows, env=env, term=term, cwd=cwd, answers=answers)
    try:
        yield terminal
    except ScreenError:
        raise
    except Exception as error:
        error.add_note(f"--- the terminal ---\n{terminal.describe(terminal.screen)}")
        raise
    finally:
        terminal.close()
