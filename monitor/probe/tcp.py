"""A TCP connection is made, and closed at once; nothing is sent on it."""

import asyncio
import time

from monitor.change.probe import TcpTarget
from monitor.probe.opener import Opener, Way
from programmer.route import Family


async def connect(opener: Opener, target: TcpTarget, way: Way) -> float:
    """Return the seconds from the first packet until the connection stood.

    Raises OSError with the kernel's reason (a reset, an unreachable message, no route), FibError without the namespace.
    Without an answer it waits for as long as the kernel does (tcp_syn_retries): the caller has the deadline.
    """
    family = Family.IPV4 if target.address.version == 4 else Family.IPV6
    with await opener.stream(family, **way._asdict()) as opened:
        began = time.perf_counter()
        await asyncio.get_running_loop().sock_connect(opened, (str(target.address), target.port))
        return time.perf_counter() - began
