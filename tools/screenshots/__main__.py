"""``python -m tools.screenshots``: make the pictures and the recording, or what of them can be made here."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from tools.screenshots import demo, stage
from tools.screenshots.album import Album
from tools.terminal.picture import PictureError
from tools.terminal.session import ScreenError

FOLDER = stage.ROOT / "screenshots"
PARTS = ("demo", "lab", "cast")


def main() -> int:
    """Do what the command line says; 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.screenshots", description="pictures of the terminal UI, and a recording"
    )
    parser.add_argument("--only", choices=PARTS, help="make only these; the others stay as they are")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go")
    arguments = parser.parse_args()
    parts = (arguments.only,) if arguments.only else PARTS
    began = time.monotonic()
    try:
        return _make(Album(arguments.folder), parts)
    except (stage.StageError, ScreenError, PictureError) as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    finally:
        say(f"{time.monotonic() - began:.0f} s")


def _make(album: Album, parts: tuple[str, ...]) -> int:
    done = []
    if "demo" in parts:
        say("the demo")
        asyncio.run(demo.take(album))
        done.append("demo")
    if {"lab", "cast"} & set(parts):
        missing = _no_lab()
        if missing:
            say(f"left out, the lab's pictures and the recording: {missing}")
        else:
            from tools.screenshots import lab  # noqa: PLC0415 - the lab is Linux alone

            say("the lab")
            lab.take(album, pictures="lab" in parts, recording="cast" in parts)
            done += ["lab"] if "lab" in parts else []
    album.finish(*done)
    say(f"{len(album.entries)} pictures in {album.folder}")
    return 0


def _no_lab() -> str:
    """Why there can be no lab here; empty if there can."""
    return "" if sys.platform == "linux" and os.geteuid() == 0 else "the lab needs root on Linux"


def say(text: str) -> None:
    """Tell what goes on, on stderr."""
    print(f"screenshots: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
