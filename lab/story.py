"""The story of change control: a bad route is approved, applied in its window, found out by a probe, and taken back.

``python -m lab story`` tells it on a lab that runs, or on one that it starts and removes.  Each step is a command that a person
would type, why, and what must hold afterwards; the first thing that does not hold ends the story with a LabError.  The lab is
left as it was found.
"""

import contextlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from lab import lifecycle, shop, topology
from lab.lifecycle import READY_SECONDS, say
from lab.machine import HOME, LabError, Machine, run, wait_for
from lab.telling import BAD, PLACE, PORT, SETTLES, WINDOW, Chapter, Step, Story, ask, in_kernel, noted, place_of, tables

_OWN_KEYS = re.compile(r"^(approval|windows|clock):", re.MULTILINE)

CHAPTERS = (
    Chapter(
        "A service, two people, and rules",
        (
            Step(
                "The shop is a TCP service behind edge1. The node has its way there from BGP, and a pod calls it all the time.",
                "node",
                f"bgpmon explain {topology.SHOP_NETWORK}",
                shows=(f"{topology.SHOP_NETWORK} is in table 102 for domain internet, via 198.51.100.9 dev eth2",),
            ),
            Step(
                "Alice makes an SSH key on her own machine; any key will do, one in hardware too.",
                "alice",
                "ssh-keygen -q -t ed25519 -N '' -C alice@example.net -f id_ed25519",
            ),
            Step("Bob does the same.", "bob", "ssh-keygen -q -t ed25519 -N '' -C bob@example.net -f id_ed25519"),
            Step(
                "The node gets their public keys: who is in this file may sign.",
                "node",
                'for who in alice bob; do echo "$who@example.net namespaces=\\"bgpmon-plan@v1\\" '
                '$(cat ../$who/id_ed25519.pub)"; done > allowed_signers',
                then=Story.choose_window,
            ),
            Step(
                "Whatever moves the shop needs two people. During the shift handover nothing is applied. What is applied "
                "is watched for a minute.",
                "node",
                "cat change-control.yaml",
                shows=('match: "class=monitored", approve: 2', "kind: deny"),
            ),
            Step(
                "A running daemon takes the whole file or none of it.",
                "node",
                f"cat change-control.yaml >> {HOME}/bgpmon/bgpmon.yaml && bgpmon reload",
            ),
        ),
    ),
    Chapter(
        "A bad route",
        (
            Step(
                f"Somebody at edge2 announces a part of the shop's network: {BAD} is more specific than "
                f"{topology.SHOP_NETWORK}, so it would win. edge2 does not reach the shop.",
                "edge2",
                f"echo 'route {BAD} blackhole;' >> extra.ipv4.conf && birdc -s bird.ctl configure",
                shows=("Reconfigured",),
                then=Story.wait_for_the_bad_route,
            ),
            Step(
                "bgpmon looks at what it would do: the target of a probe would be reached another way, so the risk is high and two "
                "people are asked.",
                "node",
                f"bgpmon policy explain {BAD}",
                shows=("monitored", "high", "approve: 2"),
            ),
        ),
    ),
    Chapter(
        "Frozen",
        (
            Step(
                "What BGP wants keeps moving. People agree to something that stays, so it is frozen, and named by its digest.",
                "node",
                "bgpmon plan freeze class=monitored",
                then=Story.remember_the_plan,
            ),
            Step(
                "This is what they are asked about: what moves, from where to where, what was checked, and what comes after.",
                "node",
                "bgpmon plan show {digest}",
                shows=(BAD, "risk high", "frozen", "monitored"),
            ),
            Step(
                "The same as Markdown, for the ticket.",
                "node",
                "bgpmon plan show {digest} --format markdown > ticket.md && head -n 12 ticket.md",
                shows=("{digest}", "#"),
            ),
        ),
    ),
    Chapter(
        "Two people",
        (
            Step(
                "Root on the node is one person, and nobody knows which: that is not two.",
                "node",
                "bgpmon approve {digest}",
                code=5,
                shows=("2 people must agree",),
            ),
            Step(
                "So there is a text to sign. It names the node, the plan, the digest and what is to be done, and it expires.",
                "node",
                "bgpmon plan statement {digest} > plan-{number}.txt",
            ),
            Step(
                "Alice reads it on her machine (cp stands for the mail or the ticket that brings it) and signs it.",
                "alice",
                "cp ../node/plan-{number}.txt . && cat plan-{number}.txt",
                shows=("act: approve", "node: lab", "digest: "),
            ),
            Step(
                "The signature is for this purpose alone (the namespace), so none that she made elsewhere counts here.",
                "alice",
                "ssh-keygen -Y sign -q -n bgpmon-plan@v1 -f id_ed25519 plan-{number}.txt",
            ),
            Step(
                "One of two: the exit code says that it is not enough.",
                "node",
                "bgpmon approve {digest} --statement plan-{number}.txt --signature ../alice/plan-{number}.txt.sig",
                code=5,
                shows=("1 of 2",),
            ),
            Step(
                "Bob has a look as well. It is a /24 like any other; he signs.",
                "bob",
                "cp ../node/plan-{number}.txt . && ssh-keygen -Y sign -q -n bgpmon-plan@v1 -f id_ed25519 plan-{number}.txt",
            ),
            Step(
                "Two of two. But the window is shut, so the plan waits. Nobody has to stay awake for it.",
                "node",
                "bgpmon approve {digest} --statement plan-{number}.txt --signature ../bob/plan-{number}.txt.sig",
                shows=("queued", WINDOW),
                then=Story.see_it_queued,
            ),
        ),
    ),
    Chapter(
        "The window",
        (
            Step(
                "When does it open?",
                "node",
                "bgpmon window next --count 1",
                shows=("{opens}",),
            ),
            Step(
                "It opens, and the plan is applied. The probe does not reach the shop any more, three times in a row, and "
                "the plan is taken back. Nobody types anything.",
                then=Story.wait_for_the_end,
            ),
        ),
    ),
    Chapter(
        "What happened",
        (
            Step(
                "The plan itself tells it: the probe before, the write, the failure, the way back, and that the kernel was read "
                "again.",
                "node",
                "bgpmon plan show {digest} | sed -n '1p; /^Approvals/,$p'",
                shows=("rolled-back", "2 of 2: enough", "taken back: probe shop", "everything is as it was before"),
                then=Story.see_all_as_before,
            ),
            Step(
                "The client in the pod kept its own notes, and knows nothing of bgpmon.",
                then=Story.compare_with_the_client,
            ),
            Step(
                "The bad route is still announced. It is not written again by itself: that would need a new plan, and two people.",
                "node",
                f"bgpmon explain {BAD}",
                shows=(f"{BAD} is not installed",),
            ),
        ),
    ),
    Chapter(
        "The record",
        (
            Step(
                "Of one prefix: what was done to it, when and for whom.",
                "node",
                f"bgpmon history {BAD}",
                shows=("alice@example.net, bob@example.net", "roll-back of plan {number}"),
            ),
            Step(
                "All of it, in order, since the plan was frozen.",
                "node",
                "bgpmon events --since {frozen}",
                shows=(
                    "alice@example.net (ssh-signature)",
                    "bob@example.net (ssh-signature)",
                    "queued",
                    "soaking",
                    "rolled-back",
                ),
            ),
            Step(
                "Each record carries the digest of the one before, so nobody can change one without a trace.",
                "node",
                "bgpmon audit verify",
            ),
            Step(
                "And the table as it was in that bad second.",
                "node",
                f"bgpmon replay --at {{replay}} routes prefix in {topology.SHOP_NETWORK}",
                shows=(topology.SHOP_NETWORK, BAD, "203.0.113.9"),
            ),
        ),
    ),
    Chapter(
        "Mended",
        (
            Step(
                "edge2 takes its announcement back, and there is nothing left to decide.",
                "edge2",
                f"sed -i '\\,{BAD},d' extra.ipv4.conf && birdc -s bird.ctl configure",
                shows=("Reconfigured",),
                then=Story.wait_until_nothing_is_left,
            ),
        ),
    ),
)
"""The whole story, in order."""


def perform(version: str, source: str) -> None:
    """Tell the story on the lab that runs, or on one that is there for it alone.  Raises LabError."""
    lifecycle.require_root()
    started = Machine.load() is None
    if started:
        say("there is no lab: one is started for the story, and removed afterwards")
        lifecycle.up(version, source)
    try:
        with lifecycle.alone():
            machine = lifecycle.standing()
            with stage(machine) as story:
                story.tell(CHAPTERS)
    finally:
        if started:
            lifecycle.down()
    say("the lab is removed" if started else "the lab is as it was before the story")


@contextlib.contextmanager
def stage(machine: Machine) -> Iterator[Story]:
    """A lab with everything that the story needs; afterwards it is as it was."""
    _look_first(machine)
    shutil.rmtree(PLACE, ignore_errors=True)  # of a story that was killed
    configuration, extra = HOME / "bgpmon" / "bgpmon.yaml", HOME / "edge2" / "extra.ipv4.conf"
    with contextlib.ExitStack() as after:
        after.callback(shutil.rmtree, PLACE, ignore_errors=True)
        for who in ("node", "alice", "bob"):
            place_of(who).mkdir(parents=True)
        after.callback(_configure_again, machine, configuration, configuration.read_text())
        after.callback(_announce_again, extra, extra.read_text())
        _first_plan(machine)
        program = [sys.executable, str(FilePath(shop.__file__))]
        after.callback(_forget, machine, "shop")
        machine.start("shop", [*program, "serve", topology.SHOP, str(PORT)], "edge1")
        after.callback(_forget, machine, "caller")
        machine.start("caller", [*program, "call", topology.SHOP, str(PORT)], "pod")
        wait_for(lambda: any(call.ok for call in noted(machine)[-1:]), SETTLES, "the shop to answer the pod")
        yield Story(machine, tables(), len(noted(machine)))


def _look_first(machine: Machine) -> None:
    """LabError where the story could not be told, or would leave something else than it found."""
    dead = [name for name in ("gobgpd", "edge1", "edge2", "bgpmon") if not machine.program(name).alive]
    if dead:
        raise LabError(f"{', '.join(dead)} does not run; `make lab-break WHAT=help` says what starts it")
    status: Any = lifecycle.bgpmon_status(machine)
    if status["mode"] != "approve":
        raise LabError(f"bgpmon is in mode {status['mode']}; `make lab-break WHAT=mode-approve` starts the other one")
    if not status["ready"]:
        raise LabError("bgpmon does not know everything: `bgpmon status` in `make lab-shell` says what it waits for")
    if status["change"]["waiting"] or status["change"]["in_flight"]:
        raise LabError("a plan waits in the lab or is in flight: decide about it first, see `bgpmon plan list`")
    if _OWN_KEYS.search((HOME / "bgpmon" / "bgpmon.yaml").read_text()):
        raise LabError("the lab's bgpmon.yaml has approval, windows or clock already, and the story brings its own")
    if in_kernel(BAD) or ask(machine, "explain", BAD, "--domain", "internet")["paths"]:
        raise LabError(f"somebody announces {BAD} already; `make lab-break WHAT=mend-tables` ends it")


def _first_plan(machine: Machine) -> None:
    """Have the way to the shop written, if nobody has done so yet."""
    if in_kernel(topology.SHOP_NETWORK):
        return
    say("nothing was approved in this lab yet: its first plan is frozen and approved, and stays")
    digest = ask(machine, "plan", "freeze")["digest"]
    # one of its routes is refused by the kernel, which is what that route is there for
    ask(machine, "approve", digest, codes=(0, 1))
    wait_for(lambda: in_kernel(topology.SHOP_NETWORK), READY_SECONDS, "the way to the shop", every=0.5)


def _configure_again(machine: Machine, file: FilePath, text: str) -> None:
    """Give bgpmon the configuration that it had; a change that soaks is taken back first."""
    if file.read_text() == text:
        return
    flight = ask(machine, "status")["change"]["in_flight"]
    if flight:
        ask(machine, "rollback", flight["digest"], "--reason", "the story ends here", codes=(0, 1, 5, 7))
    file.write_text(text)
    ask(machine, "reload")


def _announce_again(file: FilePath, text: str) -> None:
    """Have edge2 announce what it did."""
    if file.read_text() != text:
        file.write_text(text)
        run("birdc", "-s", str(HOME / "edge2" / "bird.ctl"), "configure")


def _forget(machine: Machine, name: str) -> None:
    """End a program of the story, and remove what the lab knows of it."""
    if name in machine.programs:
        machine.end(name)
        del machine.programs[name]
        machine.save()
    shutil.rmtree(HOME / name, ignore_errors=True)
