"""The Linux kernel behind the port ``programmer.fib.Fib``; the only package that opens netlink sockets.

namespace  which network namespace is meant, proved by its inode, and how one thread enters it
channel    raw route sockets: a batch of changes, a dump
notify     notifications of routes, links, addresses and rules, on the event loop
policy     rules, links, addresses and lookups, through pyroute2
linux      LinuxFib, which puts them together
"""

from programmer.netlink.linux import LinuxFib
from programmer.netlink.namespace import NamespaceIdentity, identify_namespace

__all__ = ["LinuxFib", "NamespaceIdentity", "identify_namespace"]
