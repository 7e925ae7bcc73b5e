"""Change control of a running bgpmon as tests ask for it: plans, approvals with keys, what the journal says, the kernel before."""

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.api.client import Client
from monitor.change.statement import NAMESPACE
from monitor.errors import ApiError
from monitor.ports import Endorsement
from tests.support.bgpmon import Bgpmon
from tests.support.daemon import Daemon
from tests.support.netns import Namespace
from tests.support.signing import SigningKey, make_key
from tests.support.site import Site, Wires
from tests.support.wait import until

ASK_ONE: Sequence[Mapping[str, object]] = ({"match": "*", "approve": 1},)
ASK_TWO: Sequence[Mapping[str, object]] = ({"match": "*", "approve": 2},)
FOREIGN = "10.8.250.0/24"
"""A route of somebody else in our table; see `foreign`."""
UNDECIDED = frozenset({"applying", "soaking", "rolling-back"})
MANAGEMENT, OPERATOR = "10.9.50.0/24", "10.9.50.7"
"""Where the operator sits, and the operator's address: behind the router of the domain east."""


def controlled(
    here: Site,
    mode: str = "approve",
    *,
    rules: Sequence[Mapping[str, object]] = ASK_ONE,
    east: Mapping[str, object] | None = None,
    west: Mapping[str, object] | None = None,
    windows: Sequence[Mapping[str, object]] = (),
    clock: str = "kernel",
    **approval: object,
) -> str:
    """The configuration of *here* under change control; *approval* has more of that section."""
    text = here.configuration(mode, east={"foreign_routes": "accept"} | dict(east or {}), west=west)
    section = {**({"rules": list(rules)} if rules else {}), **approval}
    if windows:
        text += f"windows: {json.dumps(list(windows))}\nclock: {clock}\n"
    return f"{text}approval: {json.dumps(section)}\n" if section else text


def rewrite(bgpmon: Bgpmon, text: str) -> None:
    """Give a daemon another configuration; it reads it with the next start or reload."""
    kept = bgpmon.file.read_text().splitlines(keepends=True)[:2]
    bgpmon.file.write_text("".join(kept) + text)


def foreign(wires: Wires) -> None:
    """Put a route of somebody else into our table."""
    wires.node.ip("route", "add", FOREIGN, "via", "192.0.2.77", "dev", "east", "table", 101, "proto", "static")


async def call(bgpmon: Bgpmon, question: str, *words: Any, **more: Any) -> Any:
    """What the daemon answers to a method of its client; raises what the client raises."""

    def ask() -> Any:
        with Client(bgpmon.run_dir) as client:
            return getattr(client, question)(*words, **more)

    return await asyncio.to_thread(ask)


async def refusal(bgpmon: Bgpmon, question: str, *words: Any, **more: Any) -> ApiError:
    """The error that a call ends in."""
    try:
        answer = await call(bgpmon, question, *words, **more)
    except ApiError as error:
        return error
    raise AssertionError(f"{question} was not refused: {answer}")


async def pending(bgpmon: Bgpmon, count: int, timeout: float = 40) -> None:
    """Wait until so many operations wait to be frozen."""

    async def there() -> bool:
        summary = (await bgpmon.ask("status"))["plan"]["summary"]
        assert sum(summary.values()) == count, summary
        return True

    await until(there, timeout=timeout, what=f"{count} pending operations")


async def frozen(bgpmon: Bgpmon, count: int, timeout: float = 40) -> str:
    """Freeze a plan of exactly so many operations; returns its digest."""
    await pending(bgpmon, count, timeout)
    document = await call(bgpmon, "freeze")
    assert document["total"] == count, document["summary"]
    return str(document["digest"])


async def plan_state(bgpmon: Bgpmon, digest: str) -> str:
    """The state of a frozen plan."""
    return str((await bgpmon.ask("plan", digest))["state"])


async def becomes(bgpmon: Bgpmon, digest: str, *states: str, timeout: float = 40) -> dict[str, Any]:
    """Wait until a plan is in one of these states; returns the plan."""

    async def there() -> dict[str, Any]:
        document: dict[str, Any] = await bgpmon.ask("plan", digest)
        assert document["state"] in states, (document["state"], document["detail"])
        return document

    return await until(there, timeout=timeout, what=f"the plan to be {' or '.join(states)}")


async def applied(bgpmon: Bgpmon, count: int, *, confirm: bool = False) -> str:
    """Freeze, approve and, where a soak follows, confirm a plan of so many operations; returns its digest."""
    digest = await frozen(bgpmon, count)
    answer = await call(bgpmon, "approve", digest)
    assert answer["state"] == ("soaking" if confirm else "applied"), answer
    if confirm:
        assert (await call(bgpmon, "confirm", digest))["state"] == "confirmed"
    return digest


async def audited(bgpmon: Bgpmon) -> None:
    """The journal is whole."""
    report = await call(bgpmon, "audit")
    assert report["ok"], report["problems"]


async def events(bgpmon: Bgpmon, after: int = 0) -> list[dict[str, Any]]:
    """Every record of the journal, in order."""
    found: list[dict[str, Any]] = []
    while True:
        more = (await call(bgpmon, "events", after=found[-1]["id"] if found else after, limit=1000))["items"]
        if not more:
            return found
        found += more


async def last_event(bgpmon: Bgpmon) -> int:
    """The number of the last record."""
    return max((event["id"] for event in await events(bgpmon)), default=0)


def states_in_journal(bgpmon: Bgpmon) -> dict[str, str]:
    """The state of every plan by digest, from the files of a daemon that does not run; they are left as they are."""
    assert not bgpmon.running
    folder = bgpmon.directory / "state"
    with tempfile.TemporaryDirectory() as copy:
        for name in ("journal.db", "journal.db-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, copy)
        db = sqlite3.connect(Path(copy) / "journal.db")
        try:
            return dict(db.execute("SELECT digest, state FROM plan").fetchall())
        finally:
            db.close()


def written_since(found: Sequence[str], tables: Collection[int] = (101, 102)) -> list[str]:
    """The prefixes of the events of ``ip -o monitor route`` in our tables, in order, once for each event."""
    prefixes = []
    for line in found:
        words = [word for word in line.split() if word != "Deleted"]
        if "lookup" in words or "table" not in words or int(words[words.index("table") + 1]) not in tables:
            continue
        prefixes.append(words[0] if "/" in words[0] or words[0] == "default" else f"{words[0]}/32")
    return prefixes


def dump(here: Site) -> dict[str, str]:
    """Everything of IPv4 that the node's kernel routes by: our two tables, the main table and the rules, as text."""
    shown = {
        str(table): "".join(sorted(_lines(here, "route", "show", "table", str(table)))) for table in (101, 102, "main")
    }
    return shown | {"rules": "".join(_lines(here, "rule", "show"))}


def _lines(here: Site, *words: str) -> list[str]:
    done = here.node.run("ip", "-o", "-4", "-N", *words, check=False)
    assert not done.returncode or "table does not exist" in done.stderr, done.stderr
    return done.stdout.splitlines(keepends=True)


@dataclass(frozen=True, slots=True)
class People:
    """Persons with keys of their own, and the file that names those who may sign."""

    keys: Mapping[str, SigningKey]
    signers: Path

    async def word(
        self, bgpmon: Bgpmon, digest: str, who: str, act: str = "approve", *, namespace: str = NAMESPACE
    ) -> Endorsement:
        """What *who* sends to decide about a plan: the statement that the daemon writes, signed."""
        text = (await call(bgpmon, "statement", digest, act))["text"].encode()
        return self.signed(text, who, namespace)

    def signed(self, text: bytes, who: str, namespace: str = NAMESPACE) -> Endorsement:
        """Any text, signed by *who*."""
        return Endorsement(text, self.keys[who].sign(text, namespace).decode())


def people(directory: Path, *names: str, strangers: Sequence[str] = ()) -> People:
    """Make a key for each; *strangers* have one that nobody knows."""
    directory.mkdir(parents=True, exist_ok=True)
    keys = {name: make_key(directory, name=name) for name in (*names, *strangers)}
    file = directory / "allowed_signers"
    file.write_text("".join(f"{name}@example.net {keys[name].public}\n" for name in names))
    file.chmod(0o644)
    return People(keys, file)


ECHO_SERVER = """
import socket, sys, threading
address, port = sys.argv[1], int(sys.argv[2])
def serve(taken):
    taken.setsockopt(socket.IPPROTO_TCP, 16, 1)
    with taken:
        while octets := taken.recv(4096):
            taken.sendall(octets)
with socket.create_server((address, port)) as listening:
    print("there", flush=True)
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""
ECHO_CLIENT = """
import itertools, socket, sys, time
target, port, source = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.create_connection((target, port), 10, (source, 0)) as session:
    session.settimeout(120)
    session.setsockopt(socket.IPPROTO_TCP, 16, 1)
    for number in itertools.count(1):
        line = f"{number}\\n".encode()
        session.sendall(line)
        answer = b""
        while len(answer) < len(line):
            answer += session.recv(4096)
        assert answer == line, answer
        print(f"echo {number}", flush=True)
        time.sleep(0.02)
"""
"""16 is TCP_THIN_LINEAR_TIMEOUTS: a session that was cut is not given ever longer pauses."""
SILENT_SERVER = """
import pathlib, socket, sys, threading
port, sign = int(sys.argv[1]), pathlib.Path(sys.argv[2])
held = []
def serve(taken):
    taken.recv(4096)
    if sign.exists():
        held.append(taken)
        print("held", flush=True)
        return
    taken.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    taken.close()
with socket.create_server(("", port), backlog=128) as listening:
    print("there", flush=True)
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""
"""Answers HTTP until a file is there; from then on it takes connections and requests and says nothing."""


class Script(Daemon):
    """A small Python program in a namespace; it has begun once it prints a first line."""

    def __init__(self, name: str, directory: Path, where: Namespace, source: str, *words: str) -> None:
        super().__init__(name, [sys.executable, "-u", "-c", source, *words], directory, where)

    def lines(self) -> int:
        """How many lines it has printed."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    async def says(self, more: int, timeout: float = 30.0) -> None:
        """Wait until it has printed so many lines more than now."""
        wanted = self.lines() + more
        await until(
            lambda: self.running and self.lines() >= wanted, timeout=timeout, what=f"{more} lines of {self.name}"
        )


@contextlib.asynccontextmanager
async def scripted(name: str, directory: Path, where: Namespace, source: str, *words: str) -> AsyncIterator[Script]:
    """Run a script; it ends with the block."""
    script = Script(name, directory, where, source, *words)
    with script.supervised():
        script.launch()
        await script.says(1)
        yield script


def seat_operator(wires: Wires) -> None:
    """Seat an operator behind the router of the domain east, whom the node reaches by a route of its own."""
    wires.east.ip("addr", "add", f"{OPERATOR}/32", "dev", "lo")
    wires.node.ip("route", "add", MANAGEMENT, "via", "192.0.2.2", "dev", "east", "proto", "static")


@contextlib.contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """Mount an empty file system of that size on *directory*; whatever uses it has to be gone at the end."""
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=750", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def fill(directory: Path, leave: int = 0) -> Path:
    """Write a file that takes what is free on a disk, but for *leave* octets; returns it."""
    free = os.statvfs(directory)
    file = directory / "filler"
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        left = free.f_bavail * free.f_frsize - leave
        while left > 0:
            left -= filler.write(bytes(min(left, 65536)))
    return file
