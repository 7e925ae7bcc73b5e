"""``python -m lab up|down|break|shell|story``: what the Makefile's lab targets call."""

import argparse
import sys
import time

from lab import breakage, lifecycle, story
from lab.gobgpd import VERSIONS
from lab.lifecycle import say
from lab.machine import LabError
from lab.topology import SOURCES

OPENING = "read -rsp 'Press enter to open bgpmon on it; q leaves it for a shell. ' _ && echo && bgpmon"
"""What the shell of a new lab begins with: its description can be read before the screen is taken."""


def main() -> int:
    """Do what the command line says; 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m lab", description="a node and its routers, on one machine")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="make the lab, and open bgpmon and then a shell in it if this is a terminal")
    commands.add_parser("down", help="remove the lab")
    commands.add_parser("shell", help="open a shell in the running lab")
    broken = commands.add_parser("break", help="break something, or mend it")
    broken.add_argument("what", help="`help` lists what there is")
    told = commands.add_parser("story", help="tell change control on the running lab, or on one made for it")
    for makes in (up, told):
        makes.add_argument("--gobgpd", choices=VERSIONS, default=VERSIONS[0], help="the node's gobgpd")
        makes.add_argument(
            "--source",
            choices=SOURCES,
            default=SOURCES[0],
            help="how bgpmon hears it: over its API, or over BMP with everything rejected, as on a Cilium node",
        )
    arguments = parser.parse_args()
    try:
        return _perform(arguments)
    except LabError as problem:
        say("\n".join((str(problem), *getattr(problem, "__notes__", ()))))
        return 1
    except KeyboardInterrupt:
        say("interrupted; nothing is left of a lab that was not ready")
        return 130


def _perform(arguments: argparse.Namespace) -> int:
    if arguments.command == "up":
        return _up(arguments.gobgpd, arguments.source)
    if arguments.command == "down":
        say("removed" if lifecycle.down() else "there was none")
        return 0
    if arguments.command == "story":
        story.perform(arguments.gobgpd, arguments.source)
        return 0
    if arguments.command == "break" and arguments.what == "help":
        print(breakage.listing())
        return 0
    machine = lifecycle.standing()
    if arguments.command == "shell":
        lifecycle.shell(machine)
        return 0
    with lifecycle.alone():
        hint = breakage.perform(machine, arguments.what)
    say(f"done: {breakage.BREAKAGES[arguments.what].text}")
    say(f"watch: {hint}")
    return 0


def _up(version: str, source: str) -> int:
    began = time.monotonic()
    lifecycle.up(version, source)
    machine = lifecycle.standing()
    say(f"ready after {time.monotonic() - began:.0f} s")
    print(lifecycle.orientation(machine))
    print("Break something:  make lab-break WHAT=help      Remove all of it:  make lab-down")
    if not sys.stdin.isatty():
        return 0
    lifecycle.shell(machine, begins_with=OPENING)
    say("the lab runs on; `make lab-shell` returns to it, `make lab-down` removes it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
