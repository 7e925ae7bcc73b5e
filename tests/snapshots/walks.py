"""Walks through the terminal UI, and where pictures are taken on the way."""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from monitor.errors import ApiError, DaemonUnreachable, Refused
from monitor.tui.looks import Looks
from monitor.tui.word import Word
from tests.support import fake_node as node
from tests.support.fake_daemon import Document, FakeDaemon
from tests.support.screens import Size, Stage

SMALL, LARGE, NARROW = (80, 24), (160, 45), (40, 12)
BOTH = (SMALL, LARGE)

WORDS = (
    Word("approve", "Approve a frozen plan", changes=True),
    Word("plan diff", "Compare two plans"),
    Word("plan freeze", "Freeze the live plan", changes=True),
    Word("plan list", "Frozen plans, newest first"),
    Word("plan show", "Show a plan"),
    Word("routes", "Desired and installed routes"),
)


@dataclass(frozen=True)
class Step:
    """What is done, and the picture that is taken then; none where that has no name.

    First *act*, then *keys* (names apart by blanks), then *text* is typed; *shows* is waited for.
    """

    picture: str = ""
    keys: str = ""
    text: str = ""
    act: Callable[[Stage], Awaitable[None] | None] | None = None
    shows: str = ""
    says: bool = False
    """Whether what is said in the footer belongs to the picture."""

    async def take(self, stage: Stage) -> None:
        """Do it."""
        if self.act is not None:
            if (waits := self.act(stage)) is not None:
                await waits
            await stage.settled()
        await stage.press(*self.keys.split(), text=self.text)
        if self.shows:
            await stage.shows(self.shows)
        if not self.says:
            stage.hush()


@dataclass(frozen=True)
class Walk:
    """Steps on a screen of each of *sizes*, with a daemon of its own; *env* is added to the environment."""

    name: str
    steps: tuple[Step, ...]
    sizes: tuple[Size, ...] = (SMALL,)
    daemon: Callable[[], FakeDaemon] = node.daemon
    looks: Looks = field(default_factory=Looks)
    env: Mapping[str, str] = field(default_factory=dict)

    def goldens(self) -> list[str]:
        """Return the names of the files with its pictures."""
        return [golden(step.picture, size) for step, size in itertools.product(self.steps, self.sizes) if step.picture]


def golden(picture: str, size: Size) -> str:
    """Return the name of the file that a picture is kept in."""
    return f"{picture}.{size[0]}x{size[1]}.txt"


# Daemons


def waits() -> FakeDaemon:
    """A plan waits for the second of two people."""
    return node.daemon(change=node.change(waiting=[node.waiting()]))


def blocked() -> FakeDaemon:
    """A plan waits, and its checks say that it must not be applied."""
    return node.daemon(node.frozen_plan(blocked=True), change=node.change(waiting=[node.waiting()]))


def soaks() -> FakeDaemon:
    """A change waits to be confirmed."""
    return node.daemon(node.soaking_plan(), change=node.change(in_flight=node.soaking()))


def paused() -> FakeDaemon:
    """Nothing is written, the glass was broken, a source is away, and it is a demo."""
    source = {
        "name": "fabric",
        "kind": "gobgp",
        "target": "t",
        "state": "connecting",
        "detail": "connection refused, next try in 4 s",
    }
    stop = {"since": node.at(500), "reason": "the fabric is being recabled", "actor": "uid 0 (root)"}
    return node.daemon(
        sources=[source], simulated=True, change=node.change(paused=stop, break_glass="plan 3, by root: no way in")
    )


def many_operations() -> FakeDaemon:
    """The live plan has more operations than are told."""
    found = node.daemon()
    found.answers["plan"] = node.plan_of(node.frozen_plan(), lambda: node.live_plan(5_200))
    return found


def failing() -> FakeDaemon:
    """The daemon answers its status, and an error to everything else."""
    found = node.daemon()
    for call in ("peers", "domains", "plan", "plans", "explain", "lookup", "doctor", "view"):
        found.answers[call] = ApiError(
            f"the daemon cannot say: the table of {call} is being rebuilt after a fault in its journal"
        )
    return found


def refusing() -> FakeDaemon:
    """A plan waits, and the daemon refuses its approval."""
    found = waits()
    found.answers["approve"] = Refused(
        "alice@example.net froze this plan, and nobody approves their own; 1 more person with an SSH signature"
    )
    return found


# Acts


def unlock(stage: Stage) -> None:
    """Unlock without the dialog."""
    stage.app.desk.name = "alice"
    stage.app.link.unlock()
    stage.app.draw_frame()


def lose(stage: Stage) -> None:
    """Let the daemon go away, and time pass."""
    for call in list(stage.daemon.answers):
        stage.daemon.answers[call] = DaemonUnreachable(
            "no daemon answers on /run/bgpmon/read.sock; is `bgpmon run` running?"
        )
    stage.tick(5)


def later(seconds: float) -> Callable[[Stage], None]:
    """Return an act in which time passes."""
    return lambda stage: stage.tick(seconds)


def hang(stage: Stage) -> None:
    """Let the daemon answer nothing any more, and time pass."""
    stage.daemon.hang("status", "peers", "domains", "view", "window", "plan", "doctor")
    stage.tick(17)


def news(stage: Stage) -> None:
    """Let records come while time passes."""
    stage.daemon.record(
        {"id": 2_001, "at": node.at(-10), "kind": "peer", "actor": "bgpmon", "detail": "172.16.3.9 is up", "plan": ""},
        {"id": 2_002, "at": node.at(-11), "kind": "resume", "actor": "uid 0 (root)", "detail": "resumed", "plan": ""},
    )


def go(name: str, **what: object) -> Callable[[Stage], None]:
    """Return an act that opens a screen."""
    return lambda stage: stage.app.go(name, **what)


def opened_applied(stage: Stage) -> None:
    """Unlock, and open the plan that stays."""
    unlock(stage)
    stage.app.go("plan", digest=node.APPLIED)


# Walks

SCREENS = Walk(
    "screens",
    (
        Step("overview", "1"),
        Step("overview-domains", "tab"),
        Step("peers", "2"),
        Step("peers-problems", "down down !"),
        Step("domains", "3"),
        Step("domains-troubled", "end"),
        Step("routes", "4"),
        Step("routes-end", "end"),
        Step("routes-sorted", "home > > ="),
        Step("route", "home enter"),
        Step("plan-live", "5"),
        Step("events", "6"),
        Step("events-plan", "down down down"),
        Step("lookup", "7"),
        Step("lookup-typed", text="10.8.1"),
        Step("lookup-bad", "enter"),
        Step("lookup-agrees", act=go("lookup", address="10.8.1.1")),
        Step("health", "8"),
    ),
    BOTH,
)

OTHER_STATES = (
    Walk("narrow", (Step("overview", "1"), Step("peers", "2"), Step("routes", "4"), Step("plan-live", "5")), (NARROW,)),
    Walk("narrow-waiting", (Step("plan-waiting", "5"),), (NARROW,), waits),
    Walk("narrow-soaking", (Step("plan-soaking", "5"),), (NARROW,), soaks),
    Walk(
        "disagreeing",
        (Step("lookup-disagrees", act=go("lookup", address="10.8.1.1")),),
        BOTH,
        lambda: _with(lookup=lambda address: node.lookup(address, agrees=False)),
    ),
    Walk(
        "waiting",
        (
            Step("overview-waiting", "1"),
            Step("plan-waiting", "5"),
            Step("plan-waiting-unlocked", act=unlock),
            Step("plan-list", "l"),
        ),
        BOTH,
        waits,
    ),
    Walk("blocked", (Step("plan-blocked", "5"),), BOTH, blocked),
    Walk(
        "soaking",
        (Step("overview-soaking", "1"), Step("plan-soaking", "5"), Step("plan-soaking-last-minute", act=later(200))),
        BOTH,
        soaks,
    ),
    Walk(
        "applied",
        (Step("plan-applied", act=go("plan", digest=node.APPLIED)),),
        BOTH,
        lambda: node.daemon(node.applied_plan()),
    ),
    Walk(
        "rolled-back",
        (Step("plan-rolled-back", act=go("plan", digest=node.FROZEN)),),
        BOTH,
        lambda: node.daemon(node.document("plan-rolled-back")),
    ),
    Walk(
        "many-operations",
        (
            Step("plan-truncated", "5"),
            Step("plan-grouped", "b b b"),
            Step("plan-grouped-opened", "enter"),
            Step("plan-problems", act=lambda stage: stage.app.pane.set_filter(""), keys="!"),  # type: ignore[attr-defined]
            Step("plan-filtered", "! /", "op=- risk=high"),
            Step("plan-filter-accepted", "enter"),
        ),
        BOTH,
        many_operations,
    ),
    Walk(
        "empty",
        (
            Step("overview-empty", "1"),
            Step("peers-empty", "2"),
            Step("domains-empty", "3"),
            Step("routes-empty", "4"),
            Step("plan-empty", "5"),
            Step("plan-list-empty", "l"),
            Step("events-empty", "6"),
            Step("health-empty", "8"),
        ),
        daemon=node.empty_daemon,
    ),
    Walk(
        "filling",
        (Step("overview-filling", "1"), Step("domains-filling", "3"), Step("routes-filling", "4")),
        daemon=node.filling_daemon,
    ),
    Walk("paused", (Step("overview-paused", "1"),), BOTH, paused),
    Walk(
        "failing",
        (
            Step("peers-failing", "2"),
            Step("domains-failing", "3"),
            Step("routes-failing", "4"),
            Step("plan-failing", "5"),
            Step("plan-list-failing", "l"),
            Step("health-failing", "8"),
            Step("route-failing", act=go("route", prefix="10.8.1.0/24")),
            Step("lookup-failing", act=go("lookup", address="10.8.1.1")),
        ),
        daemon=failing,
    ),
    Walk(
        "stale",
        (
            Step(keys="4"),
            Step(keys="5"),
            Step(keys="2"),
            Step("peers-stale", act=hang),
            Step("routes-stale", "4"),
            Step("plan-stale", "5"),
        ),
    ),
    Walk(
        "lost",
        (
            Step(keys="4"),
            Step(keys="5"),
            Step("plan-lost", act=lose),
            Step("routes-lost", "4", act=later(37)),
            Step("overview-lost", "1", act=later(3600)),
        ),
    ),
    Walk(
        "held-still",
        (
            Step(keys="6"),
            Step(keys="f", act=later(0)),
            Step("events-held-still", act=news, shows="HELD STILL 0s, 2"),
            Step("events-held-still-later", act=later(75), shows="HELD STILL 1m15s, 2"),
            Step("events-moving-again", "f"),
        ),
        BOTH,
    ),
    Walk(
        "unlocked",
        (
            Step("routes-unlocked", "4", act=unlock),
            Step("routes-locked", act=lambda stage: stage.app.link.lock()),
            Step("routes-locked-said", "X", says=True),
        ),
    ),
    Walk("too-small", (Step("too-small"),), ((39, 7), (20, 5))),
    Walk("too-small-lost", (Step("too-small-lost", act=lose),), ((39, 7), (20, 5))),
)


def _with(**answers: Callable[..., Document]) -> FakeDaemon:
    found = node.daemon()
    found.answers |= answers
    return found


def looked(name: str, looks: Looks) -> Walk:
    """Return a walk past what has most colours, in other looks."""
    return Walk(
        f"looks-{name}",
        (Step(f"overview-{name}", "1"), Step(f"routes-{name}", "4"), Step(f"plan-{name}", "5")),
        daemon=waits,
        looks=looks,
    )


LOOKS = (
    looked("plain", Looks("plain")),
    looked("ascii", Looks("16", ascii=True)),
    looked("light", Looks("16", theme="light")),
    looked("contrast", Looks("16", theme="contrast")),
    looked("daltonic", Looks("16", theme="daltonic")),
    looked("mono", Looks("16", theme="mono")),
    looked("dark-true", Looks("true", theme="dark")),
)

DIALOGS = (
    Walk(
        "dialogs",
        (
            Step("dialog-unlock", "4 W"),
            Step("dialog-help", "escape ?"),
            Step("dialog-help-everything", "end enter"),
            Step("dialog-sort", "escape s"),
            Step("dialog-columns", "escape w"),
            Step("dialog-columns-fewer", "down space down space"),
            Step("routes-fewer-columns", "enter"),
            Step("dialog-export", "x"),
            Step("dialog-hold", "escape X", act=unlock),
            Step("dialog-hold-wrong", "down down down", "soon"),
            Step("dialog-freeze", "escape 5 F"),
            Step("dialog-freeze-wrong", "down", "nothing=1"),
            Step("text-copied", "escape 4 c : t e x t enter"),
        ),
        BOTH,
    ),
    Walk(
        "dialogs-waiting",
        (
            Step("dialog-approve", "5 A", act=unlock),
            Step("dialog-approve-missing", "right enter"),
            Step(keys="down", text="CHG-7"),
            Step("dialog-approve-wrong-block", "down down", "9999"),
            Step("dialog-reject", "escape N"),
            Step("dialog-reject-filled", "N o t"),
            Step("dialog-sign", "escape S"),
        ),
        BOTH,
        waits,
        env={"KUBERNETES_SERVICE_HOST": ""},
    ),
    Walk(
        "dialogs-waiting-narrow",
        (Step("dialog-approve", "5 A", act=unlock), Step("dialog-help", "escape ?")),
        (NARROW,),
        waits,
    ),
    Walk(
        "dialogs-refused",
        (
            Step(keys="5 A", act=unlock),
            Step(keys="down", text="CHG-20931"),
            Step(keys="enter", text="in the window"),
            Step(keys="enter", text="7f3a"),
            Step("dialog-approve-ready", "enter"),
            Step("dialog-approve-refused", "enter"),
        ),
        BOTH,
        refusing,
    ),
    Walk(
        "dialogs-in-a-pod",
        (Step("dialog-sign-in-a-pod", "5 S"),),
        daemon=waits,
        env={"KUBERNETES_SERVICE_HOST": "10.96.0.1", "POD_NAME": "bgpmon-x7k2p"},
    ),
    Walk(
        "dialogs-soaking",
        (
            Step("dialog-confirm", "5 C", act=unlock),
            Step("dialog-roll-back", "escape R"),
            Step("dialog-extend", "escape +"),
            Step("dialog-extend-wrong", "down", "x"),
        ),
        BOTH,
        soaks,
    ),
    Walk(
        "dialogs-applied",
        (Step("dialog-roll-back-applied", "R", act=opened_applied),),
        daemon=lambda: node.daemon(node.applied_plan()),
    ),
)

PROMPTS = (
    Walk(
        "prompts",
        (
            Step("prompt-filter", "4 /", "domain=storage", shows="942 matches"),
            Step("prompt-filter-invalid", text=" and stat=held", shows="!!"),
            Step("prompt-filter-refused", "enter"),
            Step("routes-filter-dropped", "escape", shows="every route"),
            Step("prompt-completion", "/ s t tab"),
            Step(text="=in"),
            Step("prompt-completion-value", "tab", shows="1,155 matches"),
            Step("routes-filtered", "enter"),
            Step("prompt-command", "escape :", "pl"),
            Step("prompt-command-completed", "tab tab"),
            Step("prompt-command-changes", "escape :", "approve 7f3a"),
            Step("prompt-command-locked", "enter", says=True),
            Step("prompt-command-unknown", ":", "frobnicate"),
            Step("prompt-command-refused", "enter", says=True),
            Step("prompt-history", ": up"),
        ),
        BOTH,
    ),
    Walk("prompt-narrow", (Step("prompt-filter", "4 /", "domain=storage", shows="942 matches"),), (NARROW,)),
    Walk(
        "prompts-elsewhere",
        (
            Step("prompt-peers-invalid", "2 /", "lp=100", shows="!!"),
            Step(keys="escape /", text="asn=65002"),
            Step("peers-filtered", "enter"),
            Step(keys="6 /", text="state=drift"),
            Step("events-filtered", "enter"),
        ),
    ),
)

WALKS = (SCREENS, *OTHER_STATES, *LOOKS, *DIALOGS, *PROMPTS)
