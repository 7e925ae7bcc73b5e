"""Finds out which network namespace is meant, proves it by its inode, and lets one thread enter it.

Only the threads that open netlink sockets enter the target namespace; the process stays where it is, so
that a gobgpd on the loopback of its own namespace stays reachable.  A socket belongs for ever to the
namespace it was opened in.
"""

import ctypes
import fcntl
import os
import threading
from dataclasses import dataclass
from pathlib import Path as FilePath

from programmer.errors import NamespaceRefused

OWN_PATH = "/proc/self/ns/net"
HOST_PATH = "/proc/1/ns/net"
_THREAD_PATH = "/proc/thread-self/ns/net"
_INITIAL_MARK = FilePath("/proc/sys/net/core/netdev_budget")
"""A setting that the kernel shows in the initial network namespace only (net/core/sysctl_net_core.c)."""

_NS_GET_NSTYPE = 0xB703
"""linux/nsfs.h: which kind of namespace a file stands for."""
_CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class NamespaceIdentity:
    """A network namespace that was found and proved.

    ``path`` is what the configuration said, or ``/proc/self/ns/net``; ``inode`` is the kernel's number of it;
    ``is_initial`` is true for the host's; ``own`` is true when the process is in it already.
    """

    path: str
    inode: int
    is_initial: bool
    own: bool

    @property
    def text(self) -> str:
        """The namespace for people: path, inode, and whether it is the host's."""
        kind = "the host's" if self.is_initial else "not the host's"
        return f"network namespace {self.path} (inode {self.inode}, {kind})"


def identify_namespace(path: str | None) -> NamespaceIdentity:
    """Return the namespace that *path* names, or our own for None, after proving that it can be entered.

    Without a path our own must be the host's (the initial one): a container's own namespace is programmed
    only when the configuration says so.  Blocks for less than a millisecond.

    Raises NamespaceRefused with what to write into the configuration.
    """
    own_inode = FilePath(OWN_PATH).stat().st_ino
    if path is None:
        if not _INITIAL_MARK.exists():
            raise NamespaceRefused(
                f"this process is in network namespace {own_inode}, which is not the host's; routes would "
                f"land in the container.  Write 'netns: {HOST_PATH}' to program the host (needs hostPID or a "
                f"mount), or 'netns: {OWN_PATH}' to program this namespace on purpose"
            )
        return NamespaceIdentity(OWN_PATH, own_inode, is_initial=True, own=True)
    inode = _inode_of(path)
    if inode == own_inode:
        return NamespaceIdentity(path, inode, is_initial=_INITIAL_MARK.exists(), own=True)
    return NamespaceIdentity(path, inode, is_initial=_is_initial(path, inode), own=False)


def enter(identity: NamespaceIdentity) -> None:
    """Move the calling thread into the namespace, and prove it.

    Does nothing for our own.  Raises NamespaceRefused.
    """
    if not identity.own:
        try:
            descriptor = os.open(identity.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NamespaceRefused(f"{identity.path}: {error.strerror}") from error
        try:
            if _libc.setns(descriptor, _CLONE_NEWNET):
                reason = os.strerror(ctypes.get_errno())
                raise NamespaceRefused(
                    f"{identity.path}: {reason}; entering another namespace needs CAP_SYS_ADMIN.  To do "
                    f"without, run the daemon in that namespace (hostNetwork: true) and write "
                    f"'netns: {OWN_PATH}'"
                )
        finally:
            os.close(descriptor)
    reached = FilePath(_THREAD_PATH).stat().st_ino
    if reached != identity.inode:
        raise NamespaceRefused(f"{identity.path} was inode {identity.inode} and is {reached} now; start again")


def _inode_of(path: str) -> int:
    """Return the inode of a network namespace file; raises NamespaceRefused if it is something else."""
    try:
        with FilePath(path).open("rb") as file:
            kind = fcntl.ioctl(file.fileno(), _NS_GET_NSTYPE)
            inode = os.fstat(file.fileno()).st_ino
    except FileNotFoundError as error:
        raise NamespaceRefused(f"{path}: there is no such network namespace; see 'ip netns list'") from error
    except PermissionError as error:
        raise NamespaceRefused(f"{path}: permission denied; reading another process's namespace needs root") from error
    except OSError as error:
        raise NamespaceRefused(f"{path} is not a namespace file: {error.strerror}") from error
    if kind != _CLONE_NEWNET:
        raise NamespaceRefused(f"{path} is a namespace, but not a network namespace")
    return inode


def _is_initial(path: str, inode: int) -> bool:
    """Enter the namespace in a thread made for this, and look for the mark of the initial one."""
    answers: list[bool | NamespaceRefused] = []

    def look() -> None:
        try:
            enter(NamespaceIdentity(path, inode, is_initial=False, own=False))
        except NamespaceRefused as error:
            answers.append(error)
        else:
            answers.append(_INITIAL_MARK.exists())

    thread = threading.Thread(target=look, name="bgpm-namespace")
    thread.start()
    thread.join()
    (answer,) = answers
    if isinstance(answer, NamespaceRefused):
        raise answer
    return answer
