"""Where a unix socket may be bound: the name is free, short enough, and nobody gets in before it has its final mode."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.config.parse import SOCKET_PATH_MAX
from monitor.errors import MonitorError


@contextmanager
def vacant(path: Path) -> Iterator[None]:
    """Let a socket be bound at *path* that opens for its owner alone until its mode is set.

    A socket that a dead daemon left is replaced.  Raises MonitorError for what is no socket, for a name that is too long, and
    in place of every OSError inside.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        raise MonitorError(f"{path} is too long for a unix socket ({SOCKET_PATH_MAX} octets); choose a shorter run_dir")
    try:
        if path.exists() or path.is_symlink():
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise MonitorError(f"{path} is not a socket; remove it, or choose another run_dir")
            path.unlink()
        umask = os.umask(0o177)
        try:
            yield
        finally:
            os.umask(umask)
    except OSError as error:
        raise MonitorError(f"cannot make the socket {path}: {error.strerror or error}") from error
