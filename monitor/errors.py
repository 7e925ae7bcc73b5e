"""Everything that can go wrong between a configuration, a BGP speaker, a client and the daemon.

MonitorError
├── ConfigError              the configuration says something we do not do; carries every problem at once
├── SourceError              a BGP speaker, or the way to it, said no
│   ├── SourceUnavailable    it does not answer, or the stream broke; retry with back-off
│   ├── SourceRefused        insecure or wrong target; retrying does not help, the configuration must change
│   └── SourceIncompatible   it answers, but speaks a version that we do not know
└── ApiError                 the daemon, or the way to it, said no to a client
    ├── DaemonUnreachable    no daemon answers on the socket
    │   └── DaemonSlow       one is there, and did not answer in time
    ├── Refused              policy, mode, state or permission says no
    ├── Stale                the digest is unknown or expired, or the network moved on too far
    └── BadRequest           the request makes no sense: a bad filter, prefix or name
"""

from collections.abc import Iterable
from typing import NamedTuple


class MonitorError(Exception):
    """Base of all errors of this package."""


class ConfigProblem(NamedTuple):
    """One thing that is wrong with a configuration, and what to do about it.

    ``line`` and ``column`` count from 1; both are 0 where the problem is not at a place in the file.  ``key``
    is the key path, such as ``domains.storage.import[1].deny.community``.  ``excerpt`` is the line of the
    file, and ``width`` the number of characters to underline in it.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    hint: str = ""
    excerpt: str = ""
    width: int = 1

    @property
    def place(self) -> str:
        """``file:line:column``, or the file (or flag) alone."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def text(self) -> str:
        """The problem as it is printed: what is wrong, what to do, and the line with carets."""
        lines = [f"{self.place}: {self.key}: {self.message}" if self.key else f"{self.place}: {self.message}"]
        if self.hint:
            lines.append(f"    hint: {self.hint}")
        if self.excerpt:
            gutter = f"    {self.line} | "
            # Tabs stay tabs under the excerpt, so that the caret stands right on every terminal.
            indent = "".join("\t" if char == "\t" else " " for char in self.excerpt[: self.column - 1])
            lines.append(f"{gutter}{self.excerpt}")
            lines.append(f"{' ' * (len(gutter) - 2)}| {indent}{'^' * max(1, self.width)}")
        return "\n".join(lines)


class ConfigError(MonitorError):
    """The configuration is invalid; ``problems`` has everything that is wrong, in the order of the file."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text for problem in self.problems))


class SourceError(MonitorError):
    """A BGP speaker, or the way to it, said no."""


class SourceUnavailable(SourceError):
    """The speaker does not answer, or its stream broke; retry with back-off."""


class SourceRefused(SourceError):
    """The target is insecure or not what it should be; retrying does not help."""


class SourceIncompatible(SourceError):
    """The speaker answers, but speaks a version that we do not know."""


class ApiError(MonitorError):
    """The daemon, or the way to it, said no to a client."""


class DaemonUnreachable(ApiError):
    """No daemon answers on the socket."""


class DaemonSlow(DaemonUnreachable):
    """A daemon is there, and did not answer in time: it may be busy, or stopped."""


class Refused(ApiError):
    """Policy, mode, state or permission says no."""


class Stale(ApiError):
    """The digest is unknown or expired, or the network moved on too far; freeze again."""


class RolledBack(ApiError):
    """The change was applied, and taken back again."""


class BadRequest(ApiError):
    """The request makes no sense: a bad filter, prefix, name or option."""
