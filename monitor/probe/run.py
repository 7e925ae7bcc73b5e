"""Runs probes: each look has a deadline, closes its sockets and ends in a result, whatever happens."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from monitor.change.probe import BgpTarget, HttpTarget, IcmpTarget, ProbeConfig, Result, TcpTarget, parse_target
from monitor.probe.http import get
from monitor.probe.icmp import ping
from monitor.probe.opener import Opener, Way, words
from monitor.probe.tcp import connect
from programmer.errors import FibError
from programmer.route import Address

log = logging.getLogger(__name__)

Sessions = Callable[[str], tuple[int, int, str]]
"""Returns for a peer's address or a domain's name how many sessions are up, how many should be, and what else is to be
said (which are down), which may be empty."""


class _Seen(NamedTuple):
    """What a look saw, without its time of day."""

    ok: bool
    seconds: float
    text: str


class Prober:
    """Looks at targets through sockets that *opener* opens; *sessions* knows about BGP; *clock* gives the time of day."""

    def __init__(self, opener: Opener, sessions: Sessions, clock: Callable[[], float] = time.time) -> None:
        self._opener = opener
        self._sessions = sessions
        self._clock = clock

    async def measure(self, probe: ProbeConfig, source: Address | None = None) -> Result:
        """Look once, and return what was seen, after the probe's timeout at the latest.

        *source* is the preferred source address of the probe's domain for the target's family, if it has one; the
        probe's own goes before it.  Raises nothing but CancelledError.
        """
        at = self._clock()
        limit = asyncio.timeout(probe.timeout)
        try:
            async with limit:
                seen = await self._look(probe, Way(probe.source or source, probe.interface, probe.mark))
        except OSError as error:
            # A TimeoutError may be the kernel's, too, which gave up earlier.
            text = f"timed out after {probe.timeout:g} s" if limit.expired() else words(error)
            seen = _Seen(ok=False, seconds=0.0, text=text)
        except (FibError, ValueError) as error:
            seen = _Seen(ok=False, seconds=0.0, text=str(error))
        except Exception as error:
            log.exception("probe %s of %s ended in an error of ours", probe.name, probe.target)
            seen = _Seen(ok=False, seconds=0.0, text=f"error of bgpmon, see its log: {type(error).__name__}: {error}")
        return Result(*seen, at)

    async def measure_all(self, probes: Iterable[tuple[ProbeConfig, Address | None]]) -> list[Result]:
        """Look at all targets at once, and return the results in the same order.

        Each probe comes with its source address as for ``measure``.  Takes as long as the longest timeout, at most.
        """
        return list(await asyncio.gather(*(self.measure(probe, source) for probe, source in probes)))

    async def _look(self, probe: ProbeConfig, way: Way) -> _Seen:
        target = parse_target(probe.kind, probe.target)
        if isinstance(target, BgpTarget):
            up, wanted, more = self._sessions(target.name)
            text = f"{up} of {wanted} sessions up"
            return _Seen(0 < wanted <= up, 0.0, f"{text}: {more}" if more else text)
        if way.source is not None and way.source.version != target.address.version:
            raise ValueError(f"source address {way.source} cannot reach {target.address}: not of the same family")
        match target:
            case TcpTarget():
                return _Seen(ok=True, seconds=await connect(self._opener, target, way), text="connected")
            case IcmpTarget():
                return _Seen(ok=True, seconds=await ping(self._opener, target, way), text="echo reply")
            case HttpTarget():
                answer = await get(self._opener, target, probe, way)
                lowest, highest = probe.statuses
                return _Seen(lowest <= answer.status <= highest, answer.seconds, f"HTTP {answer.status}")
