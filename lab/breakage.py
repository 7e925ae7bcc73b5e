"""What can go wrong, on demand: each breakage does one thing to the running lab and says what to watch."""

import signal
from collections.abc import Callable
from typing import NamedTuple

from lab import bird, topology
from lab.lifecycle import connect_router, table_lines
from lab.machine import HOME, LabError, Machine, ip, run
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


@breakage("edge1 dies without a word; edge2 still knows almost everything")
def _kill_router(machine: Machine) -> str:
    machine.end("edge1", signal.SIGKILL)
    return "bgpmon peers; the internet's routes change to one next hop: bgpmon plan show"


@breakage("edge1 starts again")
def _revive_router(machine: Machine) -> str:
    machine.restart("edge1")
    return "bgpmon peers; the second next hop returns"


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
    return "bgpmon events; the session survives; ip -n bgplab-node route show table 102"


@breakage("the node's own end of the cable to storage goes down: the kernel drops the routes and tells nobody")
def _cut_link(_machine: Machine) -> str:
    ip("node", "link", "set", "eth4", "down")
    return "bgpmon status: next hops of the storage domain cannot be resolved; heal-link ends it"


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
    return "bgpmon explain 10.8.5.0/24: a conflict; it is shown, and left alone"


@breakage("storage leaks a second set of covering routes: 0.0.0.0/2 to 192.0.0.0/2")
def _leak_default(_machine: Machine) -> str:
    return _announce("storage", [Announcement(f"{first}.0.0.0/2") for first in (0, 64, 128, 192)])


@breakage("storage leaks 200 networks: its limit of 100 freezes the domain")
def _leak_table(_machine: Machine) -> str:
    return _announce("storage", [Announcement(f"10.11.{number}.0/24") for number in range(200)])


@breakage("edge2 announces 2,000 networks more than the internet's limit allows")
def _flood(_machine: Machine) -> str:
    return _announce("edge2", list(bulk(2000, seed=9)))


@breakage("storage withdraws every network: the removal budget holds the routes")
def _withdraw_storage(_machine: Machine) -> str:
    _bird("storage", "bulk", "")
    return "bgpmon status: removals are held back"


@breakage("all BIRD routers announce again what they did in the beginning")
def _mend_tables(_machine: Machine) -> str:
    for router in ("edge1", "edge2", "storage"):
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


def _signal(machine: Machine, name: str, number: signal.Signals) -> None:
    program = machine.program(name)
    if not program.alive:
        raise LabError(f"{name} does not run")
    run("kill", f"-{number.value}", str(program.pid))


def _announce(router: str, routes: list[Announcement]) -> str:
    _bird(router, "extra", "".join(bird.table(routes)))
    domain = "storage" if router == "storage" else "internet"
    return f"bgpmon status; bgpmon explain {routes[0].prefix} --domain {domain}; mend-tables ends it"


def _bird(router: str, group: str, text: str) -> None:
    """Give a BIRD router another IPv4 table and have it read."""
    if router not in topology.ROUTERS:
        raise LabError(f"{router} is no router of the lab")
    directory = HOME / router
    (directory / bird.table_file(group, "ipv4")).write_text(text)
    run("birdc", "-s", str(directory / "bird.ctl"), "configure")
