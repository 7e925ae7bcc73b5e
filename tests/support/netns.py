"""Network namespaces for tests: made with a unique name, joined by veth pairs, gone afterwards.

Every process started inside is remembered by its pid and ended by it; every namespace is removed by its name.
"""

import contextlib
import functools
import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

RUN_DIRECTORY = Path("/run/netns")
STOP_GRACE = 5.0
"""Seconds that a process gets between SIGTERM and SIGKILL."""

_numbers = itertools.count()


class Namespace:
    """One network namespace that this test run made, and the processes that it started there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._processes: list[subprocess.Popen[Any]] = []

    @property
    def path(self) -> Path:
        """The file that stands for the namespace, as ``setns`` and ``netns:`` want it."""
        return RUN_DIRECTORY / self.name

    @property
    def inode(self) -> int:
        """The kernel's number of the namespace."""
        return self.path.stat().st_ino

    def ip(self, *args: str | int) -> str:
        """Run ``ip`` in the namespace and return what it printed; AssertionError has its words on failure."""
        return _ip("-n", self.name, *map(str, args))

    def ip_batch(self, lines: Sequence[str]) -> None:
        """Run many ``ip`` commands in one process; raises AssertionError at the first that fails."""
        self.run("ip", "-batch", "-", stdin_text="\n".join(lines) + "\n")

    def run(self, *argv: str, stdin_text: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in the namespace to its end and return what it printed."""
        command = ["ip", "netns", "exec", self.name, *argv]
        done = subprocess.run(command, input=stdin_text, capture_output=True, text=True, check=False, timeout=120)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def exec(
        self,
        *argv: str,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        **kw: Any,
    ) -> "subprocess.Popen[Any]":
        """Start a program in the namespace; it ends with the namespace.  The pid is the program's own."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *argv], stdin=stdin, stdout=stdout, stderr=stderr, **kw
        )
        self._processes.append(process)
        return process

    def sysctl(self, name: str, value: str | int) -> None:
        """Set one ``net.*`` setting of the namespace, its name written with slashes or dots."""
        file = "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))
        self.run("sh", "-c", f"echo {value} > {file}")

    def link_index(self, interface: str) -> int:
        """Return the kernel's number of a link."""
        return int(self.ip("-o", "link", "show", "dev", interface).split(":", 1)[0])

    def stop(self) -> None:
        """End every process that was started with ``exec``, the newest first."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_GRACE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        self._processes.clear()


@contextlib.contextmanager
def namespace(label: str, prefix: str = "bgpm-") -> Iterator[Namespace]:
    """Make a network namespace with loopback up; remove it, and what runs in it, at the end.

    The name is *prefix*, *label*, our pid and a number, so that test runs side by side do not meet.
    IPv6 addresses are usable at once: duplicate address detection is off.
    """
    made = Namespace(f"{prefix}{label}-{os.getpid()}-{next(_numbers)}")
    _ip("netns", "add", made.name)
    try:
        settings = " ".join(f"net.ipv6.conf.{scope}.accept_dad=0" for scope in ("all", "default"))
        made.run("sh", "-c", f"sysctl -qw {settings}")
        made.ip("link", "set", "lo", "up")
        yield made
    finally:
        made.stop()
        _ip("netns", "del", made.name)


def veth(
    a: Namespace,
    b: Namespace,
    name_a: str,
    name_b: str,
    addresses_a: Sequence[str] = (),
    addresses_b: Sequence[str] = (),
) -> None:
    """Join two namespaces by a cable: link *name_a* in *a* and *name_b* in *b*, both up.

    Addresses are written with their prefix length, as in ``10.1.0.1/24``.
    """
    _ip("link", "add", name_a, "netns", a.name, "type", "veth", "peer", "name", name_b, "netns", b.name)
    for end, interface, addresses in ((a, name_a, addresses_a), (b, name_b, addresses_b)):
        for address in addresses:
            end.ip("addr", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
    a.ip("link", "set", name_a, "up")
    b.ip("link", "set", name_b, "up")


def require_root_namespaces() -> None:
    """Skip the test, with the reason, where network namespaces cannot be made; fail if ``CI=true``."""
    if reason := _missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"kernel tests must run in CI, but {reason}")
        pytest.skip(f"kernel tests need root and network namespaces: {reason}")


@functools.cache
def _missing() -> str:
    """Return why namespaces cannot be made here, or an empty string."""
    try:
        with namespace("probe") as probe, namespace("probe") as other:
            veth(probe, other, "v0", "v1")
    except FileNotFoundError as error:
        return f"{error.filename} is not installed"
    except (AssertionError, PermissionError) as error:
        return str(error)
    return ""


def _ip(*args: str) -> str:
    """Run ``ip`` and return what it printed; an AssertionError has its words if it failed."""
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise AssertionError(f"ip {' '.join(args)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
