"""The Linux kernel behind the port ``programmer.fib.Fib``; the only package that opens netlink sockets.

namespace  which network namespace is meant, proved by its inode, and how one thread enters it
channel    raw route sockets: a batch of changes, a dump
notify     notifications of routes, links, addresses and rules, on the event loop
policy     rules, links, addresses and lookups, through pyroute2
sockets    TCP in the target namespace: listening, and who owns the other end
connect    sockets that send from the target namespace
linux      LinuxFib, which puts them together
"""

from programmer.netlink.connect import NamespaceOpener
from programmer.netlink.linux import LinuxFib
from programmer.netlink.namespace import NamespaceIdentity, identify_namespace
from programmer.netlink.sockets import NamespaceSockets

__all__ = ["LinuxFib", "NamespaceIdentity", "NamespaceOpener", "NamespaceSockets", "identify_namespace"]
