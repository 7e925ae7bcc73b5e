"""Recordings of a terminal: asciinema's cast format, version 2, written and read."""

import codecs
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from tools.terminal.emulator import Emulator
from tools.terminal.screen import Screen

VERSION = 2
OUTPUT, MARKER, RESIZED = "o", "m", "r"
IDLE_TIME_LIMIT = 2.0


class CastError(Exception):
    """A recording cannot be read; the text says why."""


class Event(NamedTuple):
    """What happened when: output, a marker, or another size ("80x24"); seconds from the beginning."""

    at: float
    code: str
    data: str


class Recorded(Protocol):
    """What a recording needs of a terminal."""

    raw: bytearray
    chunks: list[Any]
    sizes: list[Any]
    term: str


class Recorder:
    """Makes a recording of what a program wrote and when; long silences are shortened to *idle_time_limit* seconds.

    Without a *timestamp* (seconds since 1970) the same input always gives the same recording.
    """

    def __init__(
        self,
        columns: int,
        rows: int,
        *,
        title: str = "",
        term: str = "xterm",
        idle_time_limit: float = IDLE_TIME_LIMIT,
        timestamp: int | None = None,
    ) -> None:
        self.header: dict[str, Any] = {"version": VERSION, "width": columns, "height": rows}
        if timestamp is not None:
            self.header["timestamp"] = timestamp
        self.header |= {"idle_time_limit": idle_time_limit, "env": {"TERM": term}}
        if title:
            self.header["title"] = title
        self.events: list[Event] = []
        self._idle_time_limit = idle_time_limit
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._before: float | None = None
        self._now = 0.0

    @classmethod
    def of(cls, terminal: Recorded, *, title: str = "", idle_time_limit: float = IDLE_TIME_LIMIT,
           markers: Iterable[tuple[float, str]] = ()) -> Self:  # fmt: skip
        """Record everything that a terminal has received; *markers* say what happened at which monotonic second."""
        first = terminal.sizes[0]
        recorder = cls(
            first.columns or 80, first.rows or 24, title=title, term=terminal.term, idle_time_limit=idle_time_limit
        )
        happened: list[tuple[float, int, Any]] = [(chunk.at, 2, chunk) for chunk in terminal.chunks]
        happened += [(size.at, 0, size) for size in terminal.sizes[1:]]
        happened += [(at, 1, label) for at, label in markers]
        for at, kind, what in sorted(happened, key=lambda one: one[:2]):
            match kind:
                case 0:
                    recorder.resize(at, what.columns, what.rows)
                case 1:
                    recorder.marker(at, what)
                case _:
                    recorder.feed(at, bytes(terminal.raw[what.start : what.end]))
        recorder.finish()
        return recorder

    def feed(self, at: float, octets: bytes) -> None:
        """Add what arrived at a moment; a character may be spread over several calls."""
        text = self._decoder.decode(octets)
        if text:
            self._add(at, OUTPUT, text)

    def marker(self, at: float, label: str) -> None:
        """Name a moment; players can jump to it."""
        self._add(at, MARKER, label)

    def resize(self, at: float, columns: int, rows: int) -> None:
        """Say that the terminal took another size."""
        self._add(at, RESIZED, f"{columns}x{rows}")

    def finish(self) -> None:
        """Say that there is no more output: half a character at the end is none."""
        text = self._decoder.decode(b"", final=True)
        if text:
            self.events.append(Event(round(self._now, 6), OUTPUT, text))

    def text(self) -> str:
        """The recording as the text of a .cast file."""
        lines: list[object] = [self.header, *map(list, self.events)]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def save(self, path: Path) -> None:
        """Write the recording to a file."""
        path.write_text(self.text(), encoding="utf-8")

    def _add(self, at: float, code: str, data: str) -> None:
        passed = 0.0 if self._before is None else at - self._before
        self._before = at if self._before is None else max(at, self._before)
        self._now += min(max(passed, 0.0), self._idle_time_limit)
        self.events.append(Event(round(self._now, 6), code, data))


@dataclass(frozen=True)
class Cast:
    """A recording as it was read."""

    columns: int
    rows: int
    events: tuple[Event, ...]
    header: dict[str, Any] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """Seconds until the last event."""
        return self.events[-1].at if self.events else 0.0

    @property
    def markers(self) -> list[tuple[float, str]]:
        """The named moments."""
        return [(event.at, event.data) for event in self.events if event.code == MARKER]

    def replay(self, until: float | None = None) -> Screen:
        """What the screen shows at the end, or *until* seconds after the beginning."""
        emulator = Emulator(self.columns, self.rows)
        for event in self.events:
            if until is not None and event.at > until:
                break
            if event.code == OUTPUT:
                emulator.feed(event.data.encode())
            elif event.code == RESIZED:
                columns, rows = map(int, event.data.split("x"))
                emulator.resize(rows, columns)
        return emulator.look()


def read(text: str) -> Cast:
    """Read the text of a .cast file."""
    try:
        header, *events = [json.loads(line) for line in text.split("\n") if line.strip()]
        if header["version"] != VERSION:
            raise CastError(f"a recording of version {header['version']}, not {VERSION}")
        happened = tuple(Event(float(at), str(code), str(data)) for at, code, data in events)
        if any(after.at < before.at for before, after in itertools.pairwise(happened)):
            raise CastError("time goes backwards in the recording")
        return Cast(int(header["width"]), int(header["height"]), happened, header)
    except (ValueError, TypeError, KeyError) as error:
        raise CastError(f"not a recording: {error!r}") from error
