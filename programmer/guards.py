"""What holds a change back although it is wanted: the removal budget, and the back-off of a route that fails."""

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
"""Removals of the last minute count against the budget, so that many small cycles cannot do what one large may not."""

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0


@dataclass(slots=True)
class RemovalGuard:
    """Lets removals pass until either number of the budget is exceeded; then they wait for a person or for ``hold`` seconds.

    ``percent`` is of the routes installed before, ``routes`` a number of them.  Times are monotonic seconds.
    """

    percent: float
    routes: int
    hold: float
    held_since: float | None = None
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def allows(self, removals: int, installed: int, now: float) -> bool:
        """Say whether *removals* of *installed* routes may go ahead now; remembers since when they do not."""
        while self._recent and self._recent[0][0] < now - WINDOW_SECONDS:
            self._recent.popleft()
        recent = sum(count for _, count in self._recent)
        total = removals + recent
        over = total > self.routes or total * 100.0 > self.percent * max(installed + recent, 1)
        if not removals or (not over and self.held_since is None):
            self.held_since = None
            return bool(removals)
        # A single route is never a mass removal, however small the domain is.
        if total == 1:
            self.held_since = None
            return True
        if self.held_since is None:
            self.held_since = now
        return now - self.held_since >= self.hold

    def done(self, count: int, now: float) -> None:
        """Remember that *count* routes were removed."""
        self._recent.append((now, count))

    def wait(self, now: float) -> float | None:
        """Return the seconds until held removals go ahead by themselves, or None when none are held."""
        return None if self.held_since is None else max(0.0, self.held_since + self.hold - now)


@dataclass(slots=True)
class Failure:
    """What the kernel said to the last attempt at one route, and when it is tried again (monotonic seconds)."""

    errno: int
    message: str
    attempts: int = 0
    retry_at: float = 0.0

    def again(self, errno: int, message: str, now: float) -> None:
        """Count one more failed attempt and double the wait."""
        self.errno, self.message = errno, message
        self.retry_at = now + min(FIRST_RETRY_SECONDS * 2**self.attempts, LONGEST_RETRY_SECONDS)
        self.attempts += 1
