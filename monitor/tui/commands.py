"""``:`` takes the words of the command line: what a screen shows opens that screen, all else runs as it does in a shell."""

import asyncio
import os
import shlex
import sys
from typing import TYPE_CHECKING

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
        name, rest = parts[0], parts[1:]
        go = self._desk.go
        options = any(part.startswith("-") for part in rest)
        if name in {"quit", "q"}:
            self._app.do_quit()
        elif name == "text" and not rest:
            self._app.show_copied()
        elif name in {"status", "overview"} and not rest:
            go("overview")
        elif name == "peers" and len(rest) <= 1 and not options:
            go("peers", **({"address": rest[0]} if rest else {}))
        elif name == "domains" and not rest:
            go("domains")
        elif name == "routes" and not options:
            go("routes", filter=" ".join(rest))
        elif name == "explain" and len(rest) == 1 and not options:
            go("route", prefix=rest[0])
        elif name == "lookup" and len(rest) <= 1 and not options:
            go("lookup", **({"address": rest[0]} if rest else {}))
        elif name == "plan" and (not rest or (rest[0] == "show" and len(rest) <= 2)) and not options:
            go("plan", digest=rest[1] if len(rest) == 2 else "")
        elif name == "plan" and rest == ["list"]:
            go("plan", listing=True)
        elif name == "events" and not rest:
            go("events")
        elif name in {"health", "doctor"} and not rest:
            go("health")
        else:
            return False
        return True

    async def _shell(self, parts: list[str], screen: "object") -> None:
        """Run the command line as a process of its own, and show what it says."""
        from monitor.tui.dialogs.text import TextScreen  # noqa: PLC0415 - only to be sure of what it is

        assert isinstance(screen, TextScreen)
        columns = max(60, self._app.size.width - 2)
        environment = {**os.environ, "BGPMON_RUN_DIR": self._run_dir or os.environ.get("BGPMON_RUN_DIR", ""), "COLUMNS": str(columns),
                       "NO_COLOR": "1"}  # fmt: skip
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
