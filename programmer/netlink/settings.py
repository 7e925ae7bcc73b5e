"""Settings of the network namespace that the calling thread is in, read from /proc/sys (sysctl)."""

import contextlib
from collections.abc import Iterable
from pathlib import Path as FilePath

_CONF = FilePath("/proc/sys/net/ipv4/conf")


def read_reverse_path(interfaces: Iterable[str]) -> dict[str, int]:
    """Return rp_filter by interface: the larger of its own value and that of ``all`` is what the kernel goes by.

    Source: Documentation/networking/ip-sysctl.rst.  An interface that is not there is left out.
    """
    found = {}
    for name in interfaces:
        with contextlib.suppress(OSError, ValueError):
            found[name] = max(int((_CONF / each / "rp_filter").read_text()) for each in ("all", name))
    return found
