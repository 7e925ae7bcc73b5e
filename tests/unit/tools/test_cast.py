"""Recordings: what a player needs, and the same screen when they are played."""

import json
from pathlib import Path

import pytest

from tests.support.terminal import clean_environment, require_terminals
from tools.terminal.cast import CastError, Event, Recorder, read
from tools.terminal.session import running


def test_header_and_events_are_those_of_version_2(tmp_path: Path) -> None:
    recorder = Recorder(80, 24, title="a title", term="xterm", idle_time_limit=2, timestamp=1_700_000_000)
    recorder.feed(100.0, b"\x1b[31mred\r\n")
    recorder.marker(100.25, "chapter")
    recorder.resize(100.5, 100, 30)
    recorder.save(tmp_path / "one.cast")
    header, *events = map(json.loads, (tmp_path / "one.cast").read_text().splitlines())
    assert header == {"version": 2, "width": 80, "height": 24, "timestamp": 1_700_000_000, "idle_time_limit": 2,
                      "env": {"TERM": "xterm"}, "title": "a title"}  # fmt: skip
    assert events == [[0.0, "o", "\x1b[31mred\r\n"], [0.25, "m", "chapter"], [0.5, "r", "100x30"]]
    assert Recorder(80, 24).header.keys() == {"version", "width", "height", "idle_time_limit", "env"}


def test_silence_is_shortened() -> None:
    recorder = Recorder(80, 24, idle_time_limit=1.5)
    for at in (10.0, 10.5, 70.0, 70.25, 70.125):
        recorder.feed(at, b"x")
    assert [event.at for event in recorder.events] == [0.0, 0.5, 2.0, 2.25, 2.25]


def test_characters_may_be_spread_over_chunks() -> None:
    recorder = Recorder(80, 24)
    octets = "日é│\u2028".encode()
    for at in range(len(octets)):
        recorder.feed(float(at), octets[at : at + 1])
    recorder.feed(99.0, b"\xe6")
    recorder.finish()
    assert [event.data for event in recorder.events] == ["日", "é", "│", "\u2028", "\ufffd"]
    assert read(recorder.text()).events == tuple(recorder.events)


def test_recording_is_played_up_to_a_moment() -> None:
    recorder = Recorder(20, 4)
    recorder.feed(0.0, b"first\r\n")
    recorder.marker(0.5, "half")
    recorder.feed(1.0, b"second\x1b[?2026$p")
    recorder.resize(1.5, 30, 5)
    cast = read(recorder.text())
    assert (cast.columns, cast.rows, cast.duration, cast.markers) == (20, 4, 1.5, [(0.5, "half")])
    assert cast.replay(0.7).lines == ["first", "", "", ""]
    assert cast.replay().lines == ["first", "second", "", "", ""]
    assert cast.events[1] == Event(0.5, "m", "half")


@pytest.mark.parametrize(
    "text",
    ["", "words", "[]", '{"width": 1}', '{"version": 1, "width": 1, "height": 1}',
     '{"version": 2, "width": 9, "height": 9}\n[1]', '{"version": 2, "width": 9, "height": 9}\n[2, "o", ""]\n[1, "o", ""]'],
)  # fmt: skip
def test_what_is_no_recording_is_refused(text: str) -> None:
    with pytest.raises(CastError):
        read(text)


async def test_terminal_is_recorded_and_played_to_the_same_screen() -> None:
    require_terminals()
    script = r"printf '\033[2J\033[H\033[1;32m│日本│\033[0m\n'; read x; seq 1 40; printf '\033[5;5H\033[44m here \033[0m'; read x"
    async with running(["sh", "-c", script], columns=40, rows=12, env=clean_environment()) as terminal:
        await terminal.until("日本")
        pressed = await terminal.press("enter")
        await terminal.until("here")
        terminal.resize(50, 15)
        await terminal.press("enter")
        await terminal.wait_exit()
        recorder = Recorder.of(terminal, title="counting", idle_time_limit=0.5, markers=[(pressed, "count")])
        cast = read(recorder.text())
        assert cast.replay() == terminal.screen
        assert [label for _, label in cast.markers] == ["count"]
        assert "".join(event.data for event in cast.events if event.code == "o") == terminal.raw.decode()
        assert all(after.at - before.at <= 0.5 for before, after in zip(cast.events, cast.events[1:], strict=False))
