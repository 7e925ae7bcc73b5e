"""Recognises where the initial dump of an event stream ends; pure.

GoBGP marks the end of its peers, but not of its tables.  Per peer and family the dump is a list, in messages
of batch size plus one with a shorter last one, and then an empty message.  Afterwards a message holds one
path, and no empty message follows it.
"""

QUIET_SECONDS = 1.0
UNTOLD_SECONDS = 5.0
"""How long silence must last where paths that the speaker counts were not told.

Its policy may reject them, and then nothing more comes.  Or its machine is too busy to send them: taken for the end, that
silence would take their routes away.
"""

QUIET_PER_MISSING_PATH = 30e-6
"""A server without batches converts a whole table before it sends it: about 12 us a path, in silence."""

QUIET_INSIDE_FACTOR = 10.0
"""How much longer silence must last after a full batch, which promises more."""


class Dump:
    """Follows the messages of one stream until the dump is over."""

    def __init__(self, batch_size: int) -> None:
        self._full = batch_size + 1
        self._last = 0
        self._quiet = 0.0
        self.is_over = False

    @property
    def is_between(self) -> bool:
        """True when every list that began has ended."""
        return self._last == 0

    def table(self, count: int, *, withdraws: bool) -> None:
        """Note a message of *count* paths; markers that are not paths do not count."""
        self._quiet = 0.0
        if self.is_over:
            return
        if withdraws or (count and self._last and self._last != self._full):
            self.is_over = True
        self._last = count

    def counters_met(self) -> None:
        """Every path that the speaker counts has been told; between lists that is the end."""
        if self.is_between:
            self.is_over = True

    def quiet(self, seconds: float, missing: int) -> None:
        """Note *seconds* without a message, while *missing* paths of the speaker's count were not told."""
        self._quiet += seconds
        enough = UNTOLD_SECONDS + missing * QUIET_PER_MISSING_PATH if missing else QUIET_SECONDS
        if self._last == self._full:
            enough *= QUIET_INSIDE_FACTOR
        if self._quiet >= enough:
            self.is_over = True
