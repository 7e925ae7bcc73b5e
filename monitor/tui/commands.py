"""``:`` takes the words of the command line: what a screen shows opens that screen, all else runs as it does in a shell."""

import asyncio
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

from monitor.text.table import clean_lines
from monitor.tui.desk import Desk
from monitor.tui.line import Line, line
from monitor.tui.registry import PANES
from monitor.tui.word import Word

if TYPE_CHECKING:
    from monitor.tui.app import BgpmonApp

LONGEST = 120.0
"""Seconds that a command may take."""

MOST_OCTETS = 4 << 20

OWN = (
    Word("quit", "leave; the daemon goes on"),
    Word("text", "what was copied last, as plain text to select"),
    *(Word(name, f"the screen {name.capitalize()}") for name in PANES),
)
"""What has no counterpart on the command line."""


def screen_of(parts: list[str]) -> tuple[str, dict[str, Any]] | None:
    """Return the screen that shows what a command prints, and what of it; None where there is none, or it has options."""
    if any(part.startswith("-") for part in parts[1:]):
        return None
    match parts:
        case ["status" | "overview"]:
            return "overview", {}
        case ["domains" | "events" as name]:
            return name, {}
        case ["health" | "doctor"]:
            return "health", {}
        case ["peers" | "lookup" as name]:
            return name, {}
        case ["peers" | "lookup" as name, address]:
            return name, {"address": address}
        case ["routes", *words]:
            return "routes", {"filter": " ".join(words)}
        case ["explain", prefix]:
            return "route", {"prefix": prefix}
        case ["plan"] | ["plan", "show"]:
            return "plan", {"digest": ""}
        case ["plan", "show", digest]:
            return "plan", {"digest": digest}
        case ["plan", "list"]:
            return "plan", {"listing": True}
    return None


class Commander:
    """Runs what was typed after ``:``."""

    def __init__(self, app: "BgpmonApp", desk: Desk, run_dir: str) -> None:
        self._app = app
        self._desk = desk
        self._run_dir = run_dir

    def complete(self, text: str) -> list[str]:
        """Return the commands that begin so."""
        return [word.words for word in (*OWN, *self._desk.words) if word.words.startswith(text)]

    def said(self, text: str) -> Line:
        """Return what a command does, while it is typed."""
        if not text.strip():
            return line(("the words of the command line; tab completes", "muted"))
        word = self._word(text)
        if word is not None:
            return line(
                (f"{word.text}{'; changes something' if word.changes else ''}", "warn" if word.changes else "muted")
            )
        offers = self.complete(text)
        return line((" | ".join(offers[:6]), "muted")) if offers else line(("!! no such command", "bad"))

    def _word(self, text: str) -> Word | None:
        """Return the longest command that *text* begins with."""
        padded = f"{text.strip()} "
        found = [word for word in (*self._desk.words, *OWN) if padded.startswith(f"{word.words} ")]
        return max(found, key=lambda word: len(word.words), default=None)

    def run(self, text: str) -> None:
        """Do it."""
        try:
            parts = shlex.split(text)
        except ValueError as error:
            self._desk.say(f"{text}: {error}", bad=True)
            return
        if not parts:
            return
        if self._opens(parts):
            return
        word = self._word(text)
        if word is None:
            near = self.complete(parts[0][:2])
            self._desk.say(
                f"no command {parts[0]!r}{'; there are ' + ', '.join(near[:6]) if near else ''}; tab completes",
                bad=True,
            )
        elif word.changes and not self._desk.link.unlocked:
            self._desk.say(f"locked: `{word.words}` changes something; W unlocks this screen")
        else:
            screen = self._app.ask_text(f"bgpmon {text}")
            self._app.run_worker(self._shell(parts, screen))

    def _opens(self, parts: list[str]) -> bool:
        """Open a screen for what has one; returns whether there was one."""
        if parts[0] in {"quit", "q"}:
            self._app.do_quit()
        elif parts == ["text"]:
            self._app.show_copied()
        elif (screen := screen_of(parts)) is not None:
            self._desk.go(screen[0], **screen[1])
        else:
            return False
        return True

    async def _shell(self, parts: list[str], screen: "object") -> None:
        """Run the command line as a process of its own, and show what it says."""
        from monitor.tui.dialogs.text import TextScreen  # noqa: PLC0415 - only to be sure of what it is

        assert isinstance(screen, TextScreen)
        columns = max(60, self._app.size.width - 2)
        run_dir = self._run_dir or os.environ.get("BGPMON_RUN_DIR", "")
        environment = {**os.environ, "BGPMON_RUN_DIR": run_dir, "COLUMNS": str(columns), "NO_COLOR": "1"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "monitor", *parts,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment,
        )  # fmt: skip
        try:
            async with asyncio.timeout(LONGEST):
                octets, _ = await process.communicate()
            tail = [] if process.returncode == 0 else [(), line((f"exit code {process.returncode}", "warn"))]
        except TimeoutError:
            octets, tail = b"", [line((f"no end after {LONGEST:g} s: ended", "bad"))]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = clean_lines(octets[:MOST_OCTETS].decode(errors="replace")).rstrip("\n")
        screen.put([*(line(part) for part in text.split("\n")), *tail])
