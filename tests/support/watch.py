"""What the kernel tells of routes and rules while a test runs: the proof of what was written, and of what was not."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.netns import Namespace
from tests.support.wait import until

MARKS = "999"
"""The table of the marks, which no test uses for anything else."""


class Watch(Daemon):
    """A running ``ip monitor route rule``, both families."""

    def lines(self) -> list[str]:
        """Every event but the marks, from the first one on."""
        return [line for line in self.log.read_text().splitlines() if f"table {MARKS}" not in line]

    async def mark(self, number: int) -> int:
        """Make a change of our own and wait until it has been seen: so has all before it.

        Returns how many events there are now.
        """
        assert self.namespace is not None
        node, route = self.namespace, ("blackhole", f"10.255.0.{number}", "table", MARKS)

        def seen() -> bool:
            node.run("ip", "route", "del", *route, check=False)
            node.ip("route", "add", *route)
            return f"{route[1]} " in self.log.read_text()

        await until(seen, what="the kernel's events to be read")
        return len(self.lines())

    def ours(self) -> list[str]:
        """What happened in the tables of bgpmon, which have numbers from 100 to 109."""
        return [line for line in self.lines() if "table 10" in line]

    def deletions(self) -> list[str]:
        """Routes that left a table of bgpmon."""
        return [line for line in self.ours() if line.startswith("Deleted") and "lookup" not in line]

    def elsewhere(self) -> list[str]:
        """What happened in no table of bgpmon, and to no rule that leads to one: the main table and the others."""
        return [line for line in self.lines() if "table 10" not in line and "lookup 10" not in line]


@contextlib.contextmanager
def watching(directory: Path, where: Namespace) -> Iterator[Watch]:
    """Watch routes and rules of a namespace."""
    watch = Watch("watch", ["ip", "-o", "monitor", "route", "rule"], directory, where)
    with watch.supervised():
        watch.launch()
        yield watch
