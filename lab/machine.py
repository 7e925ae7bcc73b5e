"""What the lab puts on this machine: namespaces, cables and processes, each recorded before it can be lost.

Everything is remembered in one file, so that the lab can be removed by another process, later, and so that
nothing is ever ended that the lab did not start: a process is known by its pid and its start time.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path as FilePath

HOME = FilePath("/run/bgpmon-lab")
"""The lab's directory: on a file system that a reboot empties, as it ends processes and namespaces."""

PREFIX = "bgplab-"
"""How the names of the lab's namespaces begin."""

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""


class LabError(Exception):
    """The lab cannot do what was asked; the text says what happened and what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process that the lab started."""

    name: str
    pid: int
    started: int
    """The start time as the kernel counts it, proc(5), stat field 22: tells a pid from its next user."""
    argv: list[str]
    namespace: str | None

    @property
    def alive(self) -> bool:
        """Whether this very process runs."""
        return _start_time(self.pid) == self.started

    @property
    def log(self) -> FilePath:
        """Where everything that it prints goes."""
        return HOME / self.name / "log"


@dataclass(slots=True)
class Machine:
    """The lab as it stands: what was made and started, kept in ``HOME/state.json``."""

    namespaces: list[str] = field(default_factory=list)
    programs: dict[str, Program] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    """What later commands need to know, such as the version of gobgpd."""

    @classmethod
    def load(cls) -> "Machine | None":
        """The lab that stands on this machine, or None."""
        try:
            text = (HOME / "state.json").read_text()
        except FileNotFoundError:
            return None
        data = json.loads(text)
        programs = {name: Program(**entry) for name, entry in data["programs"].items()}
        return cls(data["namespaces"], programs, data["facts"])

    def save(self) -> None:
        """Record what stands now; readers see the old record or the new one."""
        fresh = HOME / "state.json.new"
        programs = {name: asdict(program) for name, program in self.programs.items()}
        record = {"namespaces": self.namespaces, "programs": programs, "facts": self.facts}
        fresh.write_text(json.dumps(record))
        fresh.replace(HOME / "state.json")

    def directory(self, name: str) -> FilePath:
        """The directory of one program, made if need be."""
        directory = HOME / name
        directory.mkdir(exist_ok=True)
        return directory

    def add_namespace(self, name: str, settings: dict[str, int]) -> None:
        """Make a namespace with loopback up and these ``net.*`` settings; *name* goes without the prefix."""
        full = PREFIX + name
        self.namespaces.append(full)
        self.save()
        run("ip", "netns", "add", full)
        ip(name, "link", "set", "lo", "up")
        words = [f"{key}={value}" for key, value in settings.items()]
        run("ip", "netns", "exec", full, "sysctl", "-qw", *words)

    def start(self, name: str, argv: Sequence[str], namespace: str | None = None) -> Program:
        """Start a program in the background and record it; it outlives us."""
        full = PREFIX + namespace if namespace else None
        command = ["ip", "netns", "exec", full, *argv] if full else list(argv)
        with (self.directory(name) / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory(name),
                start_new_session=True,
            )
        started = _start_time(process.pid)
        program = Program(name, process.pid, started or 0, list(argv), namespace)
        self.programs[name] = program
        self.save()
        return program

    def restart(self, name: str, *more: str) -> Program:
        """Start a program again as it was started before, with *more* arguments this time."""
        program = self.program(name)
        if program.alive:
            raise LabError(f"{name} runs already (pid {program.pid})")
        fresh = self.start(name, [*program.argv, *more], program.namespace)
        self.programs[name] = Program(name, fresh.pid, fresh.started, program.argv, program.namespace)
        self.save()
        return fresh

    def program(self, name: str) -> Program:
        """One program by its name; LabError if the lab never started it."""
        if name not in self.programs:
            raise LabError(f"the lab has no program {name!r}")
        return self.programs[name]

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one program, if it runs."""
        program = self.program(name)
        if not program.alive:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(program.pid, number)
        with contextlib.suppress(LabError):
            wait_for(lambda: not program.alive, GRACE, name)
        if program.alive:
            os.kill(program.pid, signal.SIGKILL)
            wait_for(lambda: not program.alive, GRACE, f"{name} to end")

    def remove(self) -> None:
        """End and remove everything that is recorded, then the record; what is gone already is no error."""
        for name in reversed(self.programs):
            self.end(name)
        for full in reversed(self.namespaces):
            if (FilePath("/run/netns") / full).exists():
                run("ip", "netns", "del", full)


def cable(a: str, b: str, name_a: str, name_b: str, addresses_a: Sequence[str], addresses_b: Sequence[str]) -> None:
    """Join two namespaces by a veth pair, both ends up; addresses are written with their prefix length."""
    ends = ("netns", PREFIX + a, "type", "veth", "peer", "name", name_b, "netns", PREFIX + b)
    run("ip", "link", "add", name_a, *ends)
    for namespace, name, addresses in ((a, name_a, addresses_a), (b, name_b, addresses_b)):
        for address in addresses:
            ip(namespace, "addr", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
        ip(namespace, "link", "set", name, "up")


def ip(namespace: str, *words: str) -> str:
    """Run ``ip`` in one of the lab's namespaces; what it printed."""
    return run("ip", "-n", PREFIX + namespace, *words)


def run(*argv: str) -> str:
    """Run a program to its end; what it printed, or LabError with its words."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed; tools/setup lab installs what the lab needs") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-800:]
        raise LabError(f"{' '.join(argv)} failed ({done.returncode}): {said}")
    return done.stdout


def wait_for(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.1) -> None:
    """Look at *condition* until it is true; LabError at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every)


def _start_time(pid: int) -> int | None:
    """When a process started, or None if it does not run (an unreaped one does not)."""
    try:
        fields = FilePath(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])
