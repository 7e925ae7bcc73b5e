"""The process: one daemon for one target namespace.  The only module that knows all parts."""

import asyncio
import contextlib
import fcntl
import gc
import ipaddress
import json
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path as FilePath
from typing import TextIO

import monitor
from monitor.api.server import serve
from monitor.bmp.access import Admission, Sockets
from monitor.bmp.source import BmpSource
from monitor.config import BmpView, Config, ConfigError, Overrides, SourceConfig, load
from monitor.config.parse import listen_place
from monitor.engine import ChangeControl, Engine, EngineControl, EngineFeed, keep, machine_id, refuse_occupied
from monitor.engine.conductor import Prober
from monitor.engine.surroundings import Surroundings
from monitor.errors import MonitorError, Refused
from monitor.gobgp.client import Tls
from monitor.gobgp.source import GobgpSource
from monitor.ports import Control, Feed
from monitor.probe.opener import Opener
from programmer.errors import ProgrammerError
from programmer.fib import Fib
from programmer.journal import Journal
from programmer.plan import Gate
from programmer.reconciler import Reconciler
from programmer.route import Address

log = logging.getLogger("bgpmon")

Faces = Callable[[Feed, Control], tuple[Feed, Control]]
"""What the sockets serve, made from what the engine answers."""

Beside = Callable[[Engine], Awaitable[None]]
"""What runs along with the daemon."""


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what every line is to say (*always*)."""

    def __init__(self, **always: object) -> None:
        super().__init__()
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._always,
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def start_log(stream: TextIO, formatter: logging.Formatter) -> None:
    """Send what every part logs to *stream*."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def run(config_path: str, overrides: Overrides) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code.  Routes stay in place at the end.

    Raises ConfigError for a bad file.
    """
    start_log(sys.stderr, JsonLines())
    config = load(config_path, overrides)
    for warning in config.warnings:
        log.warning("%s", warning)
    # A million long-lived objects make every full collection long; few are made after the first read.
    gc.set_threshold(20_000, 20, 1000)
    try:
        with locked(config):
            asyncio.run(_run(config, lambda: load(config_path, overrides)))
    except (MonitorError, ProgrammerError) as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says it; a trace would hide it
        return 1
    return 0


@contextlib.contextmanager
def locked(config: Config) -> Iterator[None]:
    """Hold the locks of the run and state directories.  Raises Refused while another daemon holds one."""
    with contextlib.ExitStack() as stack:
        for directory in dict.fromkeys((config.run_dir, config.state_dir)):
            folder = FilePath(directory)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context((folder / "lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(f"{folder}/lock: another bgpmon runs here; one daemon per namespace") from None
            except OSError as error:
                raise Refused(
                    f"{folder}: cannot be used: {error}; set run_dir and state_dir to writable places"
                ) from error
        yield


def endpoints(config: Config) -> list[Address]:
    """Return the addresses that must stay reachable: the API server of the cluster, and sources elsewhere."""
    names = [os.environ.get("KUBERNETES_SERVICE_HOST", "")]
    names += [source.gobgp.rpartition(":")[0].strip("[]") for source in config.sources]
    found: list[Address] = [address for source in config.sources for address in source.allow_addresses]
    for name in names:
        with contextlib.suppress(ValueError):
            found.append(ipaddress.ip_address(name))
    return found


def source_of(config: Config, source: SourceConfig, sockets: Sockets | None) -> GobgpSource | BmpSource:
    """Return the adapter for one configured source; Refused where the kernel at hand has no *sockets* for it."""
    waits = [domain.end_of_rib_wait for domain in config.domains if domain.source == source.name]
    if source.bmp:
        if sockets is None:
            raise Refused(f"source {source.name}: there is no BMP here, where the kernel is a simulated one")
        admission = Admission(frozenset(source.allow_uids), frozenset(source.allow_addresses))
        return BmpSource(
            source.name,
            listen_place(source.bmp),
            admission,
            sockets,
            post=source.view is BmpView.POST,
            end_of_rib_wait=max(waits, default=30.0),
            zones=_zones(config, source.name),
        )
    tls = source.tls
    return GobgpSource(
        source.name,
        source.gobgp,
        tls=Tls(FilePath(tls.ca), FilePath(tls.cert), FilePath(tls.key)) if tls else None,
        resync=source.resync,
        end_of_rib_wait=max(waits, default=30.0),
    )


def _zones(config: Config, source: str) -> dict[Address, str]:
    """Return the interface of each link-local peer that the configuration names on exactly one."""
    named: dict[Address, set[str]] = {}
    for domain in config.domains:
        for selector in domain.peers if domain.source == source else ():
            if selector.prefix is not None and selector.interface:
                named.setdefault(selector.prefix.network_address, set()).add(selector.interface)
    return {address: interfaces.pop() for address, interfaces in named.items() if len(interfaces) == 1}


async def _run(config: Config, reread: Callable[[], Config]) -> None:
    # What runs on another kernel, as the demo does, needs no netlink.
    from programmer.netlink import LinuxFib, NamespaceOpener, NamespaceSockets  # noqa: PLC0415

    fib = await LinuxFib.open(config.netns)
    sockets, opener = NamespaceSockets(fib.identity), NamespaceOpener(fib.identity)
    try:
        await operate(config, fib, reread, sockets=sockets, opener=opener)
    finally:
        await sockets.close()
        await opener.close()


async def operate(
    config: Config,
    fib: Fib,
    reread: Callable[[], Config],
    *,
    faces: Faces = lambda feed, control: (feed, control),
    beside: Beside | None = None,
    around: Surroundings | None = None,
    sockets: Sockets | None = None,
    opener: Opener | None = None,
) -> None:
    """Run the daemon of *config* on the kernel *fib* until SIGTERM or SIGINT; closes *fib* and leaves its routes.

    *reread* returns the configuration as it is now, for a reload.  What *faces* returns is served in place of the
    engine's own answers.  *beside* runs along with the daemon, and ends it by returning.  *around* is the machine that
    ``doctor`` looks at, by default this one.  *sockets* are those of the kernel's namespace, where BMP sources listen, and
    *opener* opens those of probes there; without it there are no probes.
    """
    file = f"{config.state_dir}/journal.db"
    journal = Journal(file)
    sources = [(source_of(config, source, sockets), source.target) for source in config.sources]
    log.info(
        "node %s, mode %s, kernel: %s, tables %s", config.node, config.mode, fib.description, sorted(config.tables)
    )
    try:
        await refuse_occupied(config, fib, journal)
        reconciler = Reconciler(fib, journal, config.protocol, Gate(config.mode.value), config.reconcile)
        engine = Engine(config, sources, reconciler, journal, endpoints(config), machine_id())
        reconciler.links_changed = engine.links_changed
        change = ChangeControl(engine, None if opener is None else partial(_prober, opener, engine))
        feed = EngineFeed(engine, change, file=file, description=fib.description, around=around or Surroundings())
        control = EngineControl(engine, feed, change, reread)
        reconciler.jot("start", f"bgpmon {monitor.__version__}, mode {config.mode.value}")
        async with serve(config.run_dir, config.api.group, *faces(feed, control)):
            await _until_told(engine, control, beside)
        reconciler.jot("stop", "routes stay in place")
    finally:
        for source, _ in sources:
            await source.close()
        await fib.close()
        journal.close()
        log.info("stopped; routes stay in place")


def _prober(opener: Opener, engine: Engine) -> Prober:
    # Its HTTP client takes 20 MB, which a node without probes need not have.
    from monitor.probe.run import Prober as RealProber  # noqa: PLC0415

    return RealProber(opener, engine.sessions)


async def _until_told(engine: Engine, control: EngineControl, beside: Beside | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    hang_up = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hang_up.set)
    async with asyncio.TaskGroup() as tasks:
        work = [
            tasks.create_task(engine.reconciler.run(), name="reconciler"),
            tasks.create_task(engine.run(), name="engine"),
            tasks.create_task(_reload_on(hang_up, control), name="reload"),
            tasks.create_task(_say_when_ready(engine), name="ready"),
            tasks.create_task(control.change.conductor.run(), name="conductor"),
            tasks.create_task(keep(control.feed), name="keep"),
        ]
        if beside is not None:
            work.append(tasks.create_task(_then_stop(beside(engine), stop), name="beside"))
        await stop.wait()
        await control.change.conductor.stop()
        for task in work:
            task.cancel()


async def _then_stop(work: Awaitable[None], stop: asyncio.Event) -> None:
    await work
    stop.set()


async def _reload_on(hang_up: asyncio.Event, control: EngineControl) -> None:
    while True:
        await hang_up.wait()
        hang_up.clear()
        try:
            await control.reload("SIGHUP")
            log.info("configuration reloaded")
        except (ConfigError, Refused) as error:
            log.warning("not reloaded, the old configuration stays in force: %s", error)


async def _say_when_ready(engine: Engine) -> None:
    async for ready in readiness(engine):
        log.info("ready" if ready else "not ready: a domain is not completely known; nothing is removed")
        if ready:
            # What is known by now stays for long: a collection that walked through it would stop everything for a second.
            gc.freeze()


async def readiness(engine: Engine) -> AsyncIterator[bool]:
    """Yield whether everything is known, now and whenever that changes, for ever."""
    last: bool | None = None
    while True:
        if engine.ready != last:
            last = engine.ready
            yield last
        await asyncio.sleep(0.5)
