"""What can go wrong, on demand: each breakage does one thing to the running lab and says what to watch."""

import signal
from collections.abc import Callable
from typing import NamedTuple

from lab import bird, topology
from lab.lifecycle import READY_SECONDS, bgpmon_answers, connect_router, table_lines
from lab.machine import HOME, LabError, Machine, ip, run, wait_for
from lab.routes import Announcement, bulk


class Breakage(NamedTuple):
    """One thing to do to the lab: what it is, and the function that does it and says what to watch."""

    text: str
    work: Callable[[Machine], str]


BREAKAGES: dict[str, Breakage] = {}
"""Every breakage by the name that `make lab-break WHAT=` takes, in the order of the list."""


def breakage(text: str) -> Callable[[Callable[[Machine], str]], Callable[[Machine], str]]:
    """Enter a function into the list, under its own name."""

    def enter(work: Callable[[Machine], str]) -> Callable[[Machine], str]:
        BREAKAGES[work.__name__.strip("_").replace("_", "-")] = Breakage(text, work)
        return work

    return enter


def listing() -> str:
    """The list, one breakage a line."""
    return "\n".join(f"  {name:<18} {entry.text}" for name, entry in BREAKAGES.items())


def perform(machine: Machine, what: str) -> str:
    """Do it; what to watch now. LabError for an unknown name."""
    if what not in BREAKAGES:
        raise LabError(f"{what!r} is not one of: {', '.join(BREAKAGES)}")
    return BREAKAGES[what].work(machine)


@breakage("edge1 dies without a word: its paths are stale now, and edge2 knows almost all of them")
def _kill_router(machine: Machine) -> str:
    machine.end("edge1", signal.SIGKILL)
    return "bgpmon status; bgpmon plan show: the internet's routes change to one next hop; revive-router ends it"


@breakage("edge1 starts again")
def _revive_router(machine: Machine) -> str:
    machine.restart("edge1")
    return "bgpmon peers; the second next hop returns"


@breakage("branch dies: its routes stay stale for 30 s (stale_after), not for the 120 s that it asked for")
def _kill_branch(machine: Machine) -> str:
    machine.end("branch", signal.SIGKILL)
    return "bgpmon status; bgpmon explain 10.20.11.0/24, now and after 30 s; revive-branch ends it"


@breakage("branch starts again")
def _revive_branch(machine: Machine) -> str:
    machine.restart("branch")
    return "bgpmon peers; bgpmon explain 10.20.11.0/24"


@breakage("storage hangs: its session stays up until the hold time, then graceful restart keeps the paths")
def _freeze_router(machine: Machine) -> str:
    _signal(machine, "storage", signal.SIGSTOP)
    return "bgpmon status: the domain turns stale after at most 90 s, and its routes stay; thaw-router ends it"


@breakage("storage goes on after freeze-router")
def _thaw_router(machine: Machine) -> str:
    _signal(machine, "storage", signal.SIGCONT)
    return "bgpmon status: the domain becomes complete again"


@breakage("the cable to edge1 loses its carrier and gets it back at once")
def _flap_link(_machine: Machine) -> str:
    ip("edge1", "link", "set", "eth0", "down")
    ip("edge1", "link", "set", "eth0", "up")
    connect_router("edge1")
    return "bgpmon status; the session survives; ip -n bgplab-node route show table 102"


@breakage("the node's own end of the cable to storage goes down: the kernel drops the routes and tells nobody")
def _cut_link(_machine: Machine) -> str:
    ip("node", "link", "set", "eth4", "down")
    return "bgpmon explain 10.8.1.0/24: the link of its next hop is down; heal-link ends it"


@breakage("the cable to storage comes back")
def _heal_link(_machine: Machine) -> str:
    ip("node", "link", "set", "eth4", "up")
    return "bgpmon plan show: the routes that the kernel dropped are to be added again"


@breakage("gobgpd dies: nothing is known about BGP any more")
def _kill_gobgpd(machine: Machine) -> str:
    machine.end("gobgpd", signal.SIGKILL)
    return "bgpmon status: unknown, not empty; no route is removed; start-gobgpd ends it"


@breakage("gobgpd starts again, with an empty table at first")
def _start_gobgpd(machine: Machine) -> str:
    (HOME / "gobgpd" / "api.sock").unlink(missing_ok=True)
    machine.restart("gobgpd")
    return "bgpmon status: filling, then complete; nothing was removed meanwhile"


@breakage("gobgpd is restarted cleanly, which looks like the loss of a part of all routes")
def _restart_gobgpd(machine: Machine) -> str:
    machine.end("gobgpd")
    return _start_gobgpd(machine)


@breakage("somebody deletes ten of our routes of the internet's table")
def _delete_routes(_machine: Machine) -> str:
    try:
        rows = ip("node", "-o", "route", "show", "table", "102", "proto", "196").splitlines()
    except LabError:
        rows = []  # the kernel has no table without routes
    if not rows:
        raise LabError("table 102 has none of our routes yet: approve a plan first")
    for row in rows[:10]:
        ip("node", "route", "del", row.split()[0], "table", "102", "proto", "196")
    return "bgpmon status: drift; bgpmon plan show"


@breakage("somebody puts a static route of his own where one of ours belongs")
def _foreign_route(_machine: Machine) -> str:
    where = ("table", "103", "metric", "200")
    ip("node", "route", "replace", "10.8.5.0/24", "via", "172.16.3.1", *where, "proto", "static")
    return "bgpmon explain 10.8.5.0/24: a conflict; it is shown, and left alone; foreign-gone ends it"


@breakage("that somebody takes his static route away again")
def _foreign_gone(_machine: Machine) -> str:
    ip("node", "route", "del", "10.8.5.0/24", "table", "103", "metric", "200", "proto", "static")
    return "bgpmon explain 10.8.5.0/24; bgpmon plan show: ours may return"


@breakage("storage leaks a second set of covering routes: 0.0.0.0/2 to 192.0.0.0/2")
def _leak_default(_machine: Machine) -> str:
    return _announce("storage", [Announcement(f"{first}.0.0.0/2") for first in (0, 64, 128, 192)])


@breakage("storage leaks 200 networks: its limit of 100 freezes the domain")
def _leak_table(_machine: Machine) -> str:
    return _announce("storage", [Announcement(f"10.11.{number}.0/24") for number in range(200)])


@breakage("branch leaks 100 networks over its second session: the limit of that peer is 50 paths")
def _leak_peer(_machine: Machine) -> str:
    community = f"{topology.BRANCH_ASN}:{list(topology.BRANCH_SESSIONS).index('branch2') + 1}"
    return _announce("branch", [Announcement(f"10.20.{number}.0/24", (), (community,)) for number in range(100, 200)])


@breakage("edge2 announces 2,000 networks more than the internet's limit allows")
def _flood(_machine: Machine) -> str:
    return _announce("edge2", list(bulk(2000, seed=9)))


@breakage("storage withdraws every network: in mode auto the removal budget holds the routes for two minutes")
def _withdraw_storage(_machine: Machine) -> str:
    _bird("storage", "bulk", "")
    return "bgpmon status; bgpmon explain 10.8.1.0/24: the removals wait; mend-tables ends it"


@breakage("all BIRD routers announce again what they did in the beginning")
def _mend_tables(machine: Machine) -> str:
    for router in (name for name in topology.BIRDS if machine.program(name).alive):
        for family in bird.FAMILIES:
            (HOME / router / bird.table_file("bulk", family)).write_text(table_lines(router, family))
        _bird(router, "extra", "")
    return "bgpmon status"


@breakage("bgpmon dies: its routes stay, and traffic flows on")
def _kill_bgpmon(machine: Machine) -> str:
    machine.end("bgpmon", signal.SIGKILL)
    return "ip -n bgplab-node route show table 102 | wc -l; start-bgpmon ends it"


@breakage("bgpmon starts again and takes over what it finds")
def _start_bgpmon(machine: Machine) -> str:
    machine.restart("bgpmon")
    return "bgpmon status: nothing is written until the domains are complete"


@breakage("bgpmon goes on in mode auto: nobody is asked, the guards alone hold back")
def _mode_auto(machine: Machine) -> str:
    _in_mode(machine, "auto")
    return "bgpmon status: nothing is pending for long"


@breakage("bgpmon goes on in mode approve, as in the beginning")
def _mode_approve(machine: Machine) -> str:
    _in_mode(machine, "approve")
    return "bgpmon status"


def _in_mode(machine: Machine, mode: str) -> None:
    machine.end("bgpmon")
    machine.restart("bgpmon", "--mode", mode)
    wait_for(lambda: bgpmon_answers(machine, "mode") == mode, READY_SECONDS, f"bgpmon in mode {mode}")


def _signal(machine: Machine, name: str, number: signal.Signals) -> None:
    program = machine.program(name)
    if not program.alive:
        raise LabError(f"{name} does not run")
    run("kill", f"-{number.value}", str(program.pid))


def _announce(router: str, routes: list[Announcement]) -> str:
    _bird(router, "extra", "".join(bird.table(routes)))
    domain = router if router in {"storage", "branch"} else "internet"
    return f"bgpmon status; bgpmon explain {routes[0].prefix} --domain {domain}; mend-tables ends it"


def _bird(router: str, group: str, text: str) -> None:
    """Give a BIRD router another IPv4 table and have it read."""
    if router not in topology.ROUTERS:
        raise LabError(f"{router} is no router of the lab")
    directory = HOME / router
    (directory / bird.table_file(group, "ipv4")).write_text(text)
    run("birdc", "-s", str(directory / "bird.ctl"), "configure")
