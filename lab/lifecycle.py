"""The lab's life: `up` makes it and waits until it works, `down` removes all of it, `shell` looks inside."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path as FilePath

from lab import bird, frr, topology
from lab.gobgpd import NotInstalledError, gobgp_binary, gobgpd_binary
from lab.machine import HOME, PREFIX, LabError, Machine, cable, ip, run, wait_for

BINARIES = FilePath(sys.executable).parent
"""Where ``bgpmon`` and the rest of the virtual environment are."""

LOCK = FilePath("/run/bgpmon-lab.lock")

READY_SECONDS = 120.0
"""How long sessions and tables may take."""

TAIL = 1500
"""Characters of a log that are shown when something did not come up."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Only one of up, break and down at a time."""
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another lab command is running on this machine; wait for it") from None
        yield


def up(version: str, source: str) -> None:
    """Make the lab with this gobgpd and this source; LabError if it cannot, and then nothing is left of it."""
    require_root()
    with alone():
        _refuse_second()
        try:
            gobgpd_binary(version)
        except (NotInstalledError, ValueError) as missing:
            raise LabError(str(missing)) from missing
        HOME.mkdir(mode=0o755)
        machine = Machine(facts={"gobgpd": version, "source": source, "checkout": str(FilePath.cwd())})
        machine.save()
        try:
            _make(machine, version, source)
        except BaseException as problem:
            if isinstance(problem, LabError):
                problem.add_note(_tails(machine))
            machine.remove()
            shutil.rmtree(HOME)
            raise


def down() -> bool:
    """Remove the lab; whether there was one."""
    require_root()
    with alone():
        machine = Machine.load()
        if machine is not None:
            machine.remove()
        was_there = HOME.exists()
        shutil.rmtree(HOME, ignore_errors=True)
        LOCK.unlink(missing_ok=True)
    return was_there


def standing() -> Machine:
    """The lab that runs; LabError if there is none."""
    require_root()
    machine = Machine.load()
    if machine is None:
        raise LabError("there is no lab here; `make lab` starts one")
    return machine


def shell(machine: Machine, *, begins_with: str = "") -> None:
    """Open a shell in which bgpmon and the lab's gobgp are at hand; returns when it is left.

    *begins_with* is a command that is run in it before the first prompt.
    """
    inside = environment(machine)
    settings = HOME / "bashrc"
    settings.write_text(
        f'[ -f ~/.bashrc ] && . ~/.bashrc\nexport PATH="{inside["PATH"]}"\nPS1="\\[\\e[1m\\]lab\\[\\e[0m\\]:\\w# "\n{begins_with}\n'
    )
    subprocess.call(["bash", "--rcfile", str(settings), "-i"], env=inside)


_HEARD = {
    "gobgp": """\
gobgpd {version} in {node} hears all of them, and bgpmon hears gobgpd over its gRPC API (source gobgp).""",
    "bmp": """\
gobgpd {version} in {node} hears all of them and rejects every path, as Cilium's own speaker does: its global
table is empty. It connects to bgpmon, at {station} in {node}, and tells over BMP what it heard
before it rejected it (source bmp). What differs from the lab with source gobgp:

  10.20.9.0/24   gobgpd's policy does not decide: it is used, and not rejected-by-speaker
  10.20.10.0/24  bgpmon finds the AS loop itself (as-loop), where gobgpd's API would not tell of it
  10.20.20.0/24  domain guest requires no password: BMP does not tell which sessions have one""",
}


def orientation(machine: Machine) -> str:
    """What is where, what it is heard from, and commands to try."""
    source = machine.facts["source"]
    heard = _HEARD[source].format(version=machine.facts["gobgpd"], node=f"{PREFIX}node", station=topology.STATION)
    guest = "" if source == "bmp" else "; needs a password"
    return f"""
The lab runs: a node and the routers of its domains, in network namespaces {PREFIX}*.

  domain    table  node's link   router
  cluster   101    eth1          {PREFIX}cluster        FRR   AS 65001  pods of other nodes
  internet  102    eth2, eth3    {PREFIX}edge1, edge2   BIRD  AS 65002  IPv4, IPv6, two next hops
  storage   103    eth4          {PREFIX}storage        BIRD  AS 65003  with the most mistakes in it
  branch    104    eth5          {PREFIX}branch         BIRD  AS 65004  every step of the decision
  guest     104    eth5          the same router, with domain branch in one table{guest}
  trial     105    eth5          the same router; has no import policy yet

{heard}

bgpmon is in mode approve and has written nothing yet. Everything about it is in {HOME}: bgpmon/bgpmon.yaml,
gobgpd/gobgpd.toml, each program's log.

  bgpmon                                                 the terminal UI: see it, understand it, decide
  bgpmon status                                          what is pending in each domain
  bgpmon plan show | less                                what would change, line by line
  bgpmon explain 10.0.0.0/8                              two domains announce it; each gets its own
  bgpmon explain 0.0.0.0/1                               why half a default route is refused
  bgpmon domains                                         where paths stop on their way, and why
  bgpmon plan freeze, then bgpmon approve DIGEST         let the kernel have it
  ip -n {PREFIX}node route show table 101                what the kernel itself says

`make lab-story` tells change control in five minutes: a bad route, two signatures, a window, a probe, the way back.
"""


def require_root() -> None:
    """LabError unless network namespaces may be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise LabError("the lab makes network namespaces: it needs root on Linux")


def bgpmon_status(machine: Machine) -> dict[str, object]:
    """What ``bgpmon status -o json`` says; LabError if it says nothing."""
    command = [str(BINARIES / "bgpmon"), "status", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(machine))
    if not done.stdout.strip():
        raise LabError(f"bgpmon status: {done.stderr.strip()[-400:]}")
    status: dict[str, object] = json.loads(done.stdout)
    return status


def bgpmon_answers(machine: Machine, key: str) -> object:
    """One value of ``bgpmon status``, None while nobody answers; LabError if bgpmon ended."""
    if not machine.programs["bgpmon"].alive:
        raise LabError("bgpmon ended")
    try:
        return bgpmon_status(machine).get(key)
    except LabError:
        return None


def table_lines(router: str, table: str) -> str:
    """The BIRD table file of one family (``ipv4``, ``ipv6``) that a router of the lab begins with."""
    return "".join(bird.table(route for route in topology.table(router) if (":" in route.prefix) == (table == "ipv6")))


def connect_router(far: str) -> None:
    """Give a far namespace its addresses that answer, and its way back to the node's pods."""
    entry = topology.link(far)
    for address in entry.answers:
        ip(far, "addr", "replace", address, "dev", "lo")
    if far != "pod":
        ip(far, "route", "replace", "10.244.7.0/24", "via", entry.near)


def _refuse_second() -> None:
    machine = Machine.load()
    if machine is not None:
        if any(program.alive for program in machine.programs.values()):
            where = machine.facts.get("checkout", "?")
            raise LabError(
                f"a lab runs already, started from {where}, and two cannot run at once:"
                " `make lab-shell` enters it, `make lab-down` removes it"
            )
        machine.remove()  # what a crash or a reboot left
    shutil.rmtree(HOME, ignore_errors=True)
    if strangers := [name.name for name in FilePath("/run/netns").glob(f"{PREFIX}*")]:
        raise LabError(f"namespaces of another lab are there without its record: {', '.join(sorted(strangers))}")


def _make(machine: Machine, version: str, source: str) -> None:
    say("namespaces and cables")
    machine.add_namespace("node", topology.NODE_SETTINGS)
    for entry in topology.LINKS:
        machine.add_namespace(entry.far, topology.NODE_SETTINGS)
        cable("node", entry.far, entry.interface, "eth0", entry.near_addresses, entry.far_addresses)
        connect_router(entry.far)
    ip("node", "route", "add", "default", "via", "172.16.0.1", "dev", "eth0", "proto", "static")
    ip("node", "route", "add", "10.244.7.0/24", "via", "172.16.7.10", "dev", "eth9", "proto", "static")
    ip("pod", "route", "add", "default", "via", "172.16.7.1", "src", "10.244.7.10")
    say(f"gobgpd {version}, FRR and BIRD")
    _start_gobgpd(machine, version, source)
    _start_routers(machine)
    sessions = len(topology.gobgpd(source).neighbors)
    wait_for(lambda: _established(machine) == sessions, READY_SECONDS, f"all {sessions} BGP sessions")
    say("bgpmon, over BMP" if source == "bmp" else "bgpmon")
    _start_bgpmon(machine, source)


def _start_gobgpd(machine: Machine, version: str, source: str) -> None:
    directory = machine.directory("gobgpd")
    (directory / "gobgpd.toml").write_text(topology.gobgpd(source).text())
    api = f"unix://{directory}/api.sock"
    file = str(directory / "gobgpd.toml")
    argv = [str(gobgpd_binary(version)), "-f", file, "--api-hosts", api, "--pprof-disable", "--log-plain"]
    machine.start("gobgpd", argv, "node")


def _start_routers(machine: Machine) -> None:
    directory = machine.directory("cluster")
    router_id = topology.link("cluster").far_addresses[0].split("/")[0]
    peers, table = topology.cluster_peers(), topology.cluster_table()
    (directory / "bgpd.conf").write_text(frr.config(router_id, topology.CLUSTER_ASN, peers, table))
    try:
        machine.start("cluster", frr.command(directory), "cluster")
    except NotInstalledError as missing:
        raise LabError(str(missing)) from missing
    for router in topology.BIRDS:
        directory = machine.directory(router)
        for family in bird.FAMILIES:
            (directory / bird.table_file("bulk", family)).write_text(table_lines(router, family))
            (directory / bird.table_file("extra", family)).write_text("")
        router_id = topology.link(router).far_addresses[0].split("/")[0]
        text = bird.config(router_id, topology.ASN[router], topology.bird_peers(router), str(directory))
        (directory / "bird.conf").write_text(text)
        files = ("-c", str(directory / "bird.conf"), "-s", str(directory / "bird.ctl"))
        machine.start(router, ["bird", "-f", *files, "-P", str(directory / "bird.pid")], router)


def _start_bgpmon(machine: Machine, source: str) -> None:
    directory = machine.directory("bgpmon")
    (directory / "state").mkdir()
    file = directory / "bgpmon.yaml"
    file.write_text(topology.bgpmon(source))
    run(str(BINARIES / "bgpmon"), "config", "check", str(file))
    machine.start("bgpmon", [str(BINARIES / "bgpmon"), "run", "--config", str(file)])
    wait_for(lambda: bgpmon_answers(machine, "ready") is True, READY_SECONDS, "bgpmon to be ready", every=0.3)


def _established(machine: Machine) -> int:
    """How many of gobgpd's sessions are up; LabError if it died."""
    if not machine.programs["gobgpd"].alive:
        raise LabError("gobgpd ended")
    socket = HOME / "gobgpd" / "api.sock"
    if not socket.exists():
        return 0
    client = str(gobgp_binary(machine.facts["gobgpd"]))
    command = [client, "--target", f"unix://{socket}", "neighbor"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return sum("Establ" in line for line in done.stdout.splitlines())


def environment(machine: Machine) -> dict[str, str]:
    """The environment in which bgpmon and the lab's gobgp are found, and bgpmon knows where its sockets are."""
    path = [str(BINARIES), str(gobgp_binary(machine.facts["gobgpd"]).parent), os.environ.get("PATH", "")]
    return {**os.environ, "PATH": ":".join(path), "BGPMON_RUN_DIR": str(HOME / "bgpmon")}


def _tails(machine: Machine) -> str:
    """The end of every log that has something to say."""
    parts = []
    for name, program in machine.programs.items():
        text = program.log.read_text(errors="replace")[-TAIL:] if program.log.exists() else ""
        if not program.alive or name == "bgpmon":
            parts.append(f"--- {name}{'' if program.alive else ' (ended)'} ---\n{text}")
    return "\n".join(parts)


def say(text: str) -> None:
    """Tell what goes on, on stderr."""
    print(f"lab: {text}", file=sys.stderr)
