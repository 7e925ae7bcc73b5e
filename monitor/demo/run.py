"""The demo's process: the simulation, the real daemon on top of it, and a shell to try it in."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath

from monitor.config import Config, load
from monitor.daemon import JsonLines, locked, operate, readiness, start_log
from monitor.demo import NOTICE, network, table
from monitor.demo.churn import Churn
from monitor.demo.label import faces
from monitor.demo.server import serving
from monitor.demo.shell import shell
from monitor.demo.speaker import Speaker
from monitor.engine import Engine
from monitor.engine.surroundings import Surroundings
from monitor.errors import MonitorError

LONGEST_PLACE = 95
"""Octets of the private directory's name: with ``/gobgpd.sock`` it is a unix socket's (sun_path of linux/un.h)."""

READY_SECONDS = 60.0
"""How long the first tables may take."""

log = logging.getLogger("bgpmon.demo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says.

    ``rate`` is how many things happen a second, 0 for none; ``soak`` is in seconds, 0 for none.  Without a ``run_dir`` a
    private one is made.
    """

    run_dir: str | None
    mode: str
    routes: int
    seed: int
    rate: float
    shell: bool
    soak: float = 0.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are: the daemon's sockets, and everything else, which nobody else may read."""

    run_dir: FilePath
    private: FilePath

    @property
    def config(self) -> FilePath:
        """The generated configuration."""
        return self.private / "bgpmon.yaml"

    @property
    def log(self) -> FilePath:
        """The log, while a shell has the terminal."""
        return self.private / "bgpmon.log"

    @property
    def gobgp(self) -> FilePath:
        """The socket of the simulated GoBGP."""
        return self.private / "gobgpd.sock"


def run(options: Options) -> int:
    """Run the demo until the shell is left, or SIGTERM or SIGINT comes; returns the exit code.

    Raises MonitorError when a directory or socket cannot be made.
    """
    # Until there is a loop to hear it, SIGTERM ends this as Ctrl-C does, so that nothing is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        places = stack.enter_context(_places(options.run_dir))
        stream = stack.enter_context(places.log.open("w")) if options.shell else sys.stderr
        start_log(stream, JsonLines(simulated=True))
        log.info("DEMO: %s", NOTICE)
        text = network.configuration(
            str(places.gobgp),
            str(places.private / "state"),
            str(places.run_dir),
            options.mode,
            options.routes,
            options.soak,
        )
        places.config.write_text(text)
        with locked(load(places.config)), contextlib.suppress(asyncio.CancelledError):
            asyncio.run(_run(options, places))
        log.info("the demo is over; its routers and its kernel are gone")
        logging.shutdown()
    return 0


@contextlib.contextmanager
def _places(run_dir: str | None) -> Iterator[Places]:
    """Make the directories, and remove at the end what was made."""
    try:
        temporary = tempfile.TemporaryDirectory(prefix="bgpmon-demo-")
    except OSError as error:
        raise MonitorError(f"no place for temporary files: {error}; set TMPDIR to a writable directory") from error
    with temporary as private:
        if len(os.fsencode(private)) > LONGEST_PLACE:
            raise MonitorError(f"{private}: too long a name for the sockets in it; set TMPDIR to a shorter directory")
        folder = FilePath(run_dir).absolute() if run_dir else FilePath(private)
        ours = not folder.exists()
        try:
            yield Places(folder, FilePath(private))
        finally:
            if ours and folder.is_dir():
                (folder / "lock").unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    folder.rmdir()


async def _run(options: Options, places: Places) -> None:
    # The daemon takes these signals over once it runs; until then they end the demo just as cleanly.
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    tables = table.build(options.routes, options.seed)
    speaker = Speaker(tables)
    speaker.begin()
    churn = Churn(speaker, tables, options.seed)

    def reread() -> Config:
        return load(places.config)

    fib = network.kernel()

    async def beside(engine: Engine) -> None:
        network.intrude(fib)
        await _until_ready(engine)
        churn.begin()
        print(_guide(options, places), file=sys.stderr, flush=True)
        async with asyncio.TaskGroup() as tasks:
            happening = tasks.create_task(_happen(churn, options.rate), name="churn")
            await (shell(places.run_dir, places.private) if options.shell else _hung_up())
            happening.cancel()

    async with serving(speaker, places.gobgp):
        # An empty machine: what this one is set to says nothing of the simulated node.
        around = Surroundings(places.private / "machine")
        await operate(reread(), fib, reread, faces=faces, beside=beside, around=around)


async def _happen(churn: Churn, rate: float) -> None:
    if rate > 0:
        await churn.run(rate)


async def _hung_up() -> None:
    """Wait until the terminal is gone; for ever without one, where SIGHUP means to reload as it does for any daemon."""
    gone = asyncio.Event()
    if sys.stdin.isatty():
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, gone.set)
    await gone.wait()


async def _until_ready(engine: Engine) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            async for ready in readiness(engine):
                if ready:
                    return
    except TimeoutError:
        log.warning("not ready after %.0f s; the demo goes on all the same", READY_SECONDS)


def _guide(options: Options, places: Places) -> str:
    """Return what this is, what to try, and how to end it."""
    written = {"auto": "what BGP says is written at once", "dry-run": "nothing is ever written"}.get(
        options.mode, "nothing is written before you approve it"
    )
    if options.shell:
        where = f"log: {places.log}"
        end = "Leave this shell (exit, or Ctrl-D) to end the demo and remove all of it."
    else:
        where = f"in another terminal:  export BGPMON_RUN_DIR={places.run_dir}"
        end = "Ctrl-C or SIGTERM ends the demo and removes all of it."
    return f"""
DEMO: {NOTICE}.

  domain    table  routers                  with
  cluster   101    leaf1, leaf2  AS 65001   pods of the other nodes, two next hops
  internet  102    edge1, edge2  AS 65002   IPv4 and IPv6; edge2 goes down now and then
  storage   103    san1          AS 65003   most of the mistakes

The daemon is the real one, in mode {options.mode}: {written}.
Routes come and go all the time. Try:

  bgpmon                                  the terminal UI: see it, understand it, decide
  bgpmon status                           each domain: received, desired, installed, pending
  bgpmon plan show | less                 what would change, line by line
  bgpmon explain 10.0.0.0/8               two domains announce it; each gets its own
  bgpmon explain 0.0.0.0/1                why half a default route is refused
  bgpmon explain 100.64.66.0/24           one of its two origins is not allowed to (RPKI)
  bgpmon plan freeze                      then: bgpmon approve DIGEST
  bgpmon lookup 10.8.1.1                  where a packet would go
  bgpmon --help                           everything else

Configuration: {places.config} (change it, then bgpmon reload)
{where}
{end}
"""
