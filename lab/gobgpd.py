"""gobgpd for the lab and the tests: where the binary of a generation is, and its configuration as text."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

VERSIONS = ("3.10", "3.36", "4.8")
"""Generations that bgpmon is tested with. The oldest is the machine's own package (Debian 12)."""

CACHE = FilePath(__file__).resolve().parent.parent / ".cache" / "gobgpd"

FAMILIES = {"ipv4": "ipv4-unicast", "ipv6": "ipv6-unicast"}


class NotInstalledError(Exception):
    """A program that the lab needs is not here; the text says how to get it."""


def gobgpd_binary(version: str) -> FilePath:
    """The gobgpd of one generation; NotInstalledError if it is not on this machine."""
    return _binary("gobgpd", version)


def gobgp_binary(version: str) -> FilePath:
    """The command line client that belongs to the gobgpd of one generation."""
    return _binary("gobgp", version)


def _binary(name: str, version: str) -> FilePath:
    if version not in VERSIONS:
        raise ValueError(f"gobgpd {version!r} is not one of {', '.join(VERSIONS)}")
    if version == VERSIONS[0]:
        found = shutil.which(name)
        if found is None:
            raise NotInstalledError(f"{name} is not installed; tools/setup installs Debian's package gobgpd")
        return FilePath(found)
    binary = CACHE / version / "usr" / "bin" / name
    if not binary.exists():
        raise NotInstalledError(f"{name} {version} is not in {CACHE}; tools/fetch_gobgpd.py fetches it")
    return binary


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """One BGP peer as gobgpd's configuration describes it.

    By default gobgpd waits for the peer to connect: two speakers that dial each other can loop in 3.x.
    """

    address: str | None = None
    asn: int
    interface: str | None = None
    """Unnumbered: the link on which the peer's link-local address is found. Needs *address* None."""
    families: Sequence[str] = ("ipv4",)
    password: str | None = None
    local_address: str | None = None
    passive: bool = True
    multihop: int | None = None
    hold_time: int = 90
    graceful_restart: int | None = None
    """Restart time in seconds; None is off."""
    long_lived: int | None = None
    """Long-lived graceful restart time in seconds, with *graceful_restart*."""
    add_paths: bool = False
    prefix_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GobgpdConfig:
    """A whole gobgpd: its global settings, its peers, and policy definitions as TOML."""

    asn: int
    router_id: str
    neighbors: Sequence[Neighbor] = ()
    port: int = 179
    """The BGP port, or -1 for no listener."""
    multipath: bool = False
    listen_only: bool = False
    """Announce nothing to anybody: what one peer says is not told to another."""
    policies: str = ""
    """TOML tables ``defined-sets`` and ``policy-definitions``, put at the end as they are."""
    bmp: Sequence[str] = ()
    """BMP stations that it connects to, each as ADDRESS:PORT."""
    bmp_view: str = "pre-policy"
    """What it exports there: ``pre-policy``, ``post-policy``, ``both``, ``local-rib`` or ``all``."""
    bmp_statistics: int = 0
    """Seconds between statistics reports; 0 for none."""
    reject_all: bool = False
    """Refuse every path on import, as Cilium does."""
    import_policies: Sequence[str] = ()
    """Names of the policies that paths pass on the way in; what none of them decides is accepted."""

    def text(self) -> str:
        """The configuration file."""
        return "\n".join((*self._global(), *(line for n in self.neighbors for line in _neighbor(n)), self.policies))

    def _global(self) -> Iterator[str]:
        yield "[global.config]"
        yield f"as = {self.asn}"
        yield f"router-id = {_text(self.router_id)}"
        yield f"port = {self.port}"
        if self.multipath:
            yield "[global.use-multiple-paths.config]"
            yield "enabled = true"
        if self.import_policies or self.listen_only or self.reject_all:
            yield "[global.apply-policy.config]"
        if self.listen_only:
            yield 'default-export-policy = "reject-route"'
        if self.reject_all:
            yield 'default-import-policy = "reject-route"'
        elif self.import_policies:
            yield f"import-policy-list = {json.dumps(list(self.import_policies))}"
            yield 'default-import-policy = "accept-route"'
        for station in self.bmp:
            address, _, port = station.rpartition(":")
            yield "[[bmp-servers]]"
            yield "[bmp-servers.config]"
            yield f"address = {_text(address)}"
            yield f"port = {port}"
            yield f"route-monitoring-policy = {_text(self.bmp_view)}"
            yield f"statistics-timeout = {self.bmp_statistics}"


def reject_prefixes(name: str, *prefixes: str) -> str:
    """Policy definition *name*, as TOML, that rejects exactly these prefixes."""
    lines = ["[[defined-sets.prefix-sets]]", f"prefix-set-name = {_text(name)}"]
    for prefix in prefixes:
        lines += ["[[defined-sets.prefix-sets.prefix-list]]", f"ip-prefix = {_text(prefix)}"]
    lines += ["[[policy-definitions]]", f"name = {_text(name)}"]
    lines += ["[[policy-definitions.statements]]", f"name = {_text(name + '-1')}"]
    lines += ["[policy-definitions.statements.conditions.match-prefix-set]", f"prefix-set = {_text(name)}"]
    lines += ["[policy-definitions.statements.actions]", 'route-disposition = "reject-route"', ""]
    return "\n".join(lines)


def _neighbor(peer: Neighbor) -> Iterator[str]:
    yield "[[neighbors]]"
    yield "[neighbors.config]"
    if peer.interface is not None:
        yield f"neighbor-interface = {_text(peer.interface)}"
    else:
        yield f"neighbor-address = {_text(peer.address or '')}"
    yield f"peer-as = {peer.asn}"
    if peer.password is not None:
        yield f"auth-password = {_text(peer.password)}"
    yield "[neighbors.transport.config]"
    yield f"passive-mode = {json.dumps(peer.passive)}"
    if peer.local_address is not None:
        yield f"local-address = {_text(peer.local_address)}"
    if peer.multihop is not None:
        yield "[neighbors.ebgp-multihop.config]"
        yield "enabled = true"
        yield f"multihop-ttl = {peer.multihop}"
    yield "[neighbors.timers.config]"
    yield f"hold-time = {peer.hold_time}"
    yield f"keepalive-interval = {max(1, peer.hold_time // 3)}"
    yield "connect-retry = 5"
    yield "idle-hold-time-after-reset = 1"
    if peer.graceful_restart is not None:
        yield "[neighbors.graceful-restart.config]"
        yield "enabled = true"
        yield f"restart-time = {peer.graceful_restart}"
        if peer.long_lived is not None:
            yield "long-lived-enabled = true"
    for family in peer.families:
        yield from _family(peer, family)


def _family(peer: Neighbor, family: str) -> Iterator[str]:
    yield "[[neighbors.afi-safis]]"
    yield "[neighbors.afi-safis.config]"
    yield f"afi-safi-name = {_text(FAMILIES[family])}"
    if peer.graceful_restart is not None:
        yield "[neighbors.afi-safis.mp-graceful-restart.config]"
        yield "enabled = true"
    if peer.long_lived is not None:
        yield "[neighbors.afi-safis.long-lived-graceful-restart.config]"
        yield "enabled = true"
        yield f"restart-time = {peer.long_lived}"
    if peer.add_paths:
        yield "[neighbors.afi-safis.add-paths.config]"
        yield "receive = true"
    if peer.prefix_limit is not None:
        yield "[neighbors.afi-safis.prefix-limit.config]"
        yield f"max-prefixes = {peer.prefix_limit}"


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(value, ensure_ascii=False)
