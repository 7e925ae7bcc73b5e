"""How the story is told: commands as people type them, each with why, and what must hold after it."""

import json
import subprocess
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from lab import lifecycle, topology, witness
from lab.machine import HOME, LabError, Machine, ip, wait_for

PLACE = HOME / "story"
"""Where the people of the story keep their files: a directory stands for the machine of each."""

PORT = 80
BAD = "198.18.0.0/24"
"""What edge2 announces and does not reach: more specific than the shop's network, so it wins."""

WINDOW = "shift-handover"
WINDOW_MINUTES = 30
LEAST_NOTICE = 15.0
"""Seconds that two people have, at least, before the window opens."""

WIDTH = 110
"""Columns of what is printed."""

SETTLES = 30.0
"""Seconds that a router, bgpmon and the kernel may take for one change."""


class Step(NamedTuple):
    """One step: in a sentence or two why, who types which command, and what must hold then.

    Nobody types anything where ``who`` is empty.  ``line`` and ``shows`` are templates of the story's facts.  The command must
    end with ``code`` and print everything in ``shows``; then ``then`` looks further, and may add to the facts.
    """

    why: str
    who: str = ""
    line: str = ""
    code: int = 0
    shows: tuple[str, ...] = ()
    then: "Callable[[Story], None] | None" = None


class Chapter(NamedTuple):
    """Steps under a title."""

    title: str
    steps: tuple[Step, ...]


@dataclass(slots=True)
class Story:
    """The story while it is told: the lab, and what is known so far and stands in the commands to come."""

    machine: Machine
    before: str
    """What the kernel's tables held before it began."""
    calls: int
    """How many calls the client had made before it began."""
    facts: dict[str, str] = field(default_factory=dict)
    opens: float = 0.0
    """When the window opens, in seconds since the epoch."""
    held: int = 0
    """How many things were looked at, and held."""

    def tell(self, chapters: tuple[Chapter, ...]) -> None:
        """Tell the story from its beginning to its end.  Raises LabError with what did not hold."""
        for number, chapter in enumerate(chapters, 1):
            show(f"\n== {number}. {chapter.title} ==")
            for step in chapter.steps:
                self._take(step)
        show(f"\n{self.held} checks, and all of them hold.")

    def _take(self, step: Step) -> None:
        show("\n" + textwrap.fill(step.why, WIDTH, initial_indent="# ", subsequent_indent="# "))
        if step.line:
            line = step.line.format_map(self.facts)
            show(f"{prompt(step.who)} {line}")
            code, output = self.type(step.who, line)
            if text := output.rstrip("\n") + f"\n(exit code {code})" * bool(code):
                show(text)
            self.demand(code == step.code, f"{line}: ended with {code} and not with {step.code}")
            said = " ".join(output.split())
            for template in step.shows:
                wanted = template.format_map(self.facts)
                self.demand(wanted in said, f"{line}: does not say {wanted!r}")
        if step.then is not None:
            step.then(self)

    def type(self, who: str, line: str) -> tuple[int, str]:
        """Run a command where a person would: its exit code, and what it printed on both streams."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=place_of(who),
            env={**lifecycle.environment(self.machine), "COLUMNS": str(WIDTH)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def demand(self, holds: object, text: str) -> None:
        """Count one thing that holds; LabError with *text* if it does not."""
        if not holds:
            raise LabError(f"the story does not hold: {text}")
        self.held += 1

    # What is looked at between the commands

    def choose_window(self) -> None:
        """Write the change control of this story, with a window that is shut until the next full minute."""
        self.opens = next_opening(time.time())
        shut_since = datetime.fromtimestamp(self.opens - WINDOW_MINUTES * 60, UTC)
        self.facts["opens"] = moment(self.opens)
        (place_of("node") / "change-control.yaml").write_text(change_control(shut_since))

    def wait_for_the_bad_route(self) -> None:
        """Until bgpmon would write it."""
        wait_for(lambda: self._state_of_bad() == "add", SETTLES, f"{BAD} to be pending", every=0.3)
        self.demand(not in_kernel(BAD), f"{BAD} is in the kernel before anybody agreed")

    def _state_of_bad(self) -> object:
        return ask(self.machine, "explain", BAD, "--domain", "internet").get("state")

    def _plan(self) -> Any:
        return ask(self.machine, "plan", "show", self.facts["digest"])

    def remember_the_plan(self) -> None:
        """Take the digest and the number of the plan that was frozen, and see that it is of the bad route alone."""
        newest = ask(self.machine, "plan", "list")["items"][0]
        self.facts |= {"digest": newest["short"], "number": str(newest["number"])}
        plan = self._plan()
        self.facts["frozen"] = plan["created_at"]
        found = [(row["prefix"], row["class"]) for row in plan["operations"]]
        self.demand(found == [(BAD, "monitored")], f"the plan is of {found}")
        self.demand(plan["risk"] == "high", f"the risk is {plan['risk']}, not high")
        self.demand(plan["approvals"]["need"] == 2, f"{plan['approvals']['need']} people are asked, not two")

    def see_it_queued(self) -> None:
        """The plan waits with two signatures, and the kernel has nothing of it."""
        self.demand(time.time() < self.opens, "the window opened before both had signed: this machine is too slow")
        plan = self._plan()
        self.demand(plan["state"] == "queued", f"the approved plan is {plan['state']}, not queued")
        people = sorted(item["principal"] for item in plan["approvals"]["items"] if item["method"] == "ssh-signature")
        self.demand(people == ["alice@example.net", "bob@example.net"], f"it was signed by {people}")
        self.demand(not in_kernel(BAD), f"{BAD} is in the kernel while the window is shut")

    def wait_for_the_end(self) -> None:
        """Until the plan was applied, and taken back again."""
        seen = "queued"
        while seen != "rolled-back":
            state = self._plan()["state"]
            now = time.time()
            if now < self.opens and state != "queued":
                raise LabError(f"the story does not hold: the plan is {state} before its window opens")
            if now > self.opens + SETTLES:
                raise LabError(f"the story does not hold: the plan is {state} {SETTLES:g} s after its window opened")
            if state != seen:
                show(f"{moment(now)}  plan {self.facts['number']} is {state}")
                seen = state
            time.sleep(0.5)
        self.held += 1

    def see_all_as_before(self) -> None:
        """The kernel's tables are what they were."""
        self.demand(tables() == self.before, "the kernel's tables are not what they were before the change")
        show("\nThe routes of all tables, as the kernel tells them, are what they were before, line by line.")

    def compare_with_the_client(self) -> None:
        """The client's own notes: the outage is the time between apply and roll-back."""
        change = witness.change_of(self.type("node", "bgpmon audit export")[1].splitlines(), self.facts["digest"])
        self.demand(change.began >= self.opens, "the plan was applied before its window opened")
        enough = len(noted(self.machine)) + 3
        wait_for(lambda: len(noted(self.machine)) >= enough, SETTLES, "the client to call again")
        found = witness.outage(noted(self.machine)[self.calls :], change)
        self.held += 1
        # in this second the route was there: three failures of the probe take longer than one
        self.facts["replay"] = moment(change.taken_back)
        show(
            f"client   {found.calls} connections; {found.failed} failed, all in a row, between "
            f"{witness.precise(found.first)} and {witness.precise(found.last)}\n"
            f"journal  written at {witness.precise(change.applied)}, taken back at {witness.precise(change.over)}"
        )

    def wait_until_nothing_is_left(self) -> None:
        """Until nobody announces the bad route any more."""
        wait_for(lambda: self._state_of_bad() != "add", SETTLES, f"{BAD} to be withdrawn", every=0.3)


def show(text: str) -> None:
    """Print a part of the story, at once."""
    print(text, flush=True)


def prompt(who: str) -> str:
    """How the shell of a person asks; root's ends in ``#``."""
    return f"{who}{'#' if who in {'node', 'edge2'} else '$'}"


def place_of(who: str) -> FilePath:
    """The directory in which somebody works: a router's own, or one of the story."""
    return HOME / who if who in topology.ROUTERS else PLACE / who


_ADDED = """\
clock: trusted                       # nobody sets the clock of a lab
approval:
  allowed_signers: {signers}
  rules:
    - {{match: "class=monitored", approve: 2}}
    - {{match: "*", approve: 1}}
  soak:
    duration: 1m
    probes:
      - {{name: shop, tcp: "{shop}:{port}", source: {source}, interval: 1s, timeout: 500ms, failures: 3}}
      - {{name: transit, bgp: internet}}
windows:
  - {{name: {window}, kind: deny, cron: "{minute} {hour} * * *", duration: {minutes}m, timezone: UTC}}
"""


def change_control(shut_since: datetime) -> str:
    """The lines that the story adds to the lab's configuration; *shut_since* is when the window shuts, in UTC."""
    return _ADDED.format(
        signers=place_of("node") / "allowed_signers",
        shop=topology.SHOP,
        port=PORT,
        source=topology.POD_ROUTER,
        window=WINDOW,
        minute=shut_since.minute,
        hour=shut_since.hour,
        minutes=WINDOW_MINUTES,
    )


def next_opening(now: float) -> float:
    """The first full minute after *now*, in seconds since the epoch, that leaves two people enough time."""
    return (now + LEAST_NOTICE) // 60 * 60 + 60


def ask(machine: Machine, *words: str, codes: tuple[int, ...] = (0,)) -> Any:
    """What a bgpmon command answers as JSON; LabError if it ends with none of *codes*."""
    command = [str(lifecycle.BINARIES / "bgpmon"), *words, "-o", "json"]
    environment = lifecycle.environment(machine)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode not in codes:
        raise LabError(f"bgpmon {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout or "{}")


def noted(machine: Machine) -> list[witness.Call]:
    """What the client noted so far, whole lines only."""
    text = machine.program("caller").log.read_text()
    return witness.read_calls(text[: text.rfind("\n") + 1])


def tables() -> str:
    """Every route of ours that the kernel holds, both families, as ``ip`` prints them."""
    return "".join(ip("node", family, "route", "show", "table", "all", "proto", "196") for family in ("-4", "-6"))


def in_kernel(prefix: str) -> bool:
    """Whether the internet's table has a route of ours for exactly this prefix."""
    try:
        return bool(ip("node", "route", "show", "exact", prefix, "table", "102", "proto", "196").strip())
    except LabError:
        return False  # the kernel has no table without routes


def moment(seconds: float) -> str:
    """A moment (seconds since the epoch) as RFC 3339 in UTC, in whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
