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
from collections.abc import AsyncIterator, Iterator
from pathlib import Path as FilePath

from monitor.api.server import serve
from monitor.config import Config, ConfigError, Overrides, SourceConfig, load
from monitor.engine import Engine, EngineControl, EngineFeed
from monitor.errors import MonitorError, Refused
from monitor.gobgp.client import Tls
from monitor.gobgp.source import GobgpSource
from programmer.errors import ProgrammerError
from programmer.journal import Journal
from programmer.netlink import LinuxFib
from programmer.plan import Gate
from programmer.reconciler import Reconciler
from programmer.route import Address, Family

log = logging.getLogger("bgpmon")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def run(config_path: str, overrides: Overrides) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code.  Routes stay in place at the end.

    Raises ConfigError for a bad file, Refused for one that asks for what this version does not do.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    config = supported(load(config_path, overrides))
    for warning in config.warnings:
        log.warning("%s", warning)
    # A million long-lived objects make every full collection long; few are made after the first read.
    gc.set_threshold(100_000, 50, 1000)
    try:
        with locked(config):
            asyncio.run(_run(config, config_path, overrides))
    except (MonitorError, ProgrammerError) as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says it; a trace would hide it
        return 1
    return 0


def supported(config: Config) -> Config:
    """Return *config*, or raise Refused where it relies on something that would silently have no effect."""
    for domain in config.domains:
        if any(domain.peer_limit.of(family) for family in Family):
            raise Refused(f"domain {domain.name}: peer_limit is not enforced by this version; remove it, or use limit")
        if any(rule.condition.rpki for rule in domain.imports):
            raise Refused(f"domain {domain.name}: gobgpd's stream carries no RPKI state; remove the rpki condition")
    return config


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
    found: list[Address] = []
    for name in names:
        with contextlib.suppress(ValueError):
            found.append(ipaddress.ip_address(name))
    return found


def source_of(config: Config, source: SourceConfig) -> GobgpSource:
    """Return the adapter for one configured source."""
    waits = [domain.end_of_rib_wait for domain in config.domains if domain.source == source.name]
    tls = source.tls
    return GobgpSource(
        source.name,
        source.gobgp,
        tls=Tls(FilePath(tls.ca), FilePath(tls.cert), FilePath(tls.key)) if tls else None,
        resync=source.resync,
        end_of_rib_wait=max(waits, default=30.0),
    )


async def _run(config: Config, config_path: str, overrides: Overrides) -> None:
    fib = await LinuxFib.open(config.netns)
    journal = Journal(f"{config.state_dir}/journal.db")
    sources = [(source_of(config, source), source.gobgp) for source in config.sources]
    log.info(
        "node %s, mode %s, kernel: %s, tables %s", config.node, config.mode, fib.description, sorted(config.tables)
    )
    try:
        reconciler = Reconciler(fib, journal, config.protocol, Gate(config.mode.value), config.reconcile)
        engine = Engine(config, sources, reconciler, journal, endpoints(config))
        reconciler.links_changed = engine.links_changed
        feed = EngineFeed(engine, fib.description)
        control = EngineControl(engine, feed, lambda: supported(load(config_path, overrides)))
        async with serve(config.run_dir, config.api.group, feed, control):
            await _until_told(engine, control)
    finally:
        for source, _ in sources:
            await source.close()
        await fib.close()
        journal.close()
        log.info("stopped; routes stay in place")


async def _until_told(engine: Engine, control: EngineControl) -> None:
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
        ]
        await stop.wait()
        for task in work:
            task.cancel()


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
    async for ready in _changes(engine):
        log.info("ready" if ready else "not ready: a domain is not completely known; nothing is removed")


async def _changes(engine: Engine) -> AsyncIterator[bool]:
    last: bool | None = None
    while True:
        if engine.ready != last:
            last = engine.ready
            yield last
        await asyncio.sleep(0.5)
