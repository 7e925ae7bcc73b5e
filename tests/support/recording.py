"""A simulated kernel that remembers what it was asked, and refuses what it is told to refuse."""

import errno
from collections.abc import Sequence

from programmer.fib import Write, WriteResult
from programmer.memory import MemoryFib
from programmer.route import PrefixKey


class RecordingFib(MemoryFib):
    """Remembers in ``asked`` what it was asked to write, and refuses every write to a key in ``refused``."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Write] = []
        self.refused: set[PrefixKey] = set()

    async def write(self, writes: Sequence[Write], protocol: int) -> list[WriteResult]:
        """See ``Fib.write``."""
        self.asked += writes
        results: list[WriteResult] = []
        for write in writes:
            if write.key in self.refused:
                results.append(WriteResult(errno.ENETUNREACH, "Nexthop has invalid gateway"))
            else:
                results += await super().write([write], protocol)
        return results
