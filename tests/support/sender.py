"""FRR and BIRD in the node's place of gobgpd: they hear the routers, and tell bgpmon over BMP."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from lab import frr
from tests.support.daemon import Daemon, require_programs, unavailable
from tests.support.netns import Namespace
from tests.support.site import LEGS
from tests.support.wait import until
from tools import fetch_bird

FRR_TEXT = """\
frr defaults datacenter
router bgp 65000
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
{neighbors}
 bmp targets bgpmon
  bmp connect 127.0.0.1 port 11019 min-retry 100 max-retry 500
  bmp monitor ipv4 unicast pre-policy
  bmp monitor ipv6 unicast pre-policy
  bmp stats interval 1000
 exit
exit
route-map NOTHING deny 10
exit
"""
FRR_NEIGHBOR = """\
 neighbor {router} remote-as {asn}
 neighbor {router} passive
 address-family ipv4 unicast
  neighbor {router} activate
  neighbor {router} soft-reconfiguration inbound
  neighbor {router} route-map NOTHING out
 exit-address-family"""

BIRD_TEXT = """\
log stderr all;
router id 192.0.2.1;
protocol device {{}}
{neighbors}
protocol bmp bgpmon {{
  station address ip 127.0.0.1 port 11019;
  system name "node"; system description "BIRD";
  monitoring rib in pre_policy;
}}
"""
BIRD_NEIGHBOR = """\
protocol bgp {name} {{
  local {node} as 65000; neighbor {router} as {asn}; passive on; hold time 90;
  ipv4 {{ import table on; import none; export none; }};
}}"""


class Sender(Daemon):
    """A speaker in the node with a session to the router of each of some legs."""

    def __init__(
        self, name: str, argv: list[str], directory: Path, node: Namespace, answers: Callable[[Path], bool]
    ) -> None:
        super().__init__(name, argv, directory, node)
        self._there = answers

    async def start(self) -> None:
        """Start it, and wait until it has its control socket."""

        def there() -> bool:
            self.assert_running()
            return self._there(self.directory)

        for socket in ("bgpd.vty", "sender.ctl"):
            (self.directory / socket).unlink(missing_ok=True)
        self.launch()
        await until(there, timeout=30, what=f"{self.name} to be there")


def _frr(directory: Path, node: Namespace, neighbors: list[dict[str, Any]]) -> Sender:
    require_programs(str(frr.BGPD))
    text = FRR_TEXT.format(neighbors="\n".join(FRR_NEIGHBOR.format(**one) for one in neighbors))
    (directory / "bgpd.conf").write_text(text)
    argv = [*frr.command(directory), "-M", "bmp"]
    return Sender("frr", argv, directory, node, lambda at: (at / "bgpd.vty").exists())


def _bird(directory: Path, node: Namespace, neighbors: list[dict[str, Any]]) -> Sender:
    if not fetch_bird.CACHE.exists():
        unavailable("a BIRD with BMP is not in .cache/bird; python3 -m tools.fetch_bird fetches it")
    file, socket = directory / "sender.conf", directory / "sender.ctl"
    file.write_text(BIRD_TEXT.format(neighbors="\n".join(BIRD_NEIGHBOR.format(**one) for one in neighbors)))
    argv = [*fetch_bird.command(fetch_bird.CACHE), "-f", "-c", str(file), "-s", str(socket)]
    argv += ["-P", str(directory / "sender.pid")]
    return Sender("bird-bmp", argv, directory, node, lambda at: (at / "sender.ctl").exists())


SENDERS = {"frr": _frr, "bird": _bird}
"""What can stand in gobgpd's place."""


@contextlib.asynccontextmanager
async def running_sender(kind: str, directory: Path, node: Namespace, *legs: str) -> AsyncIterator[Sender]:
    """Run a speaker that waits for the routers of *legs*, takes in nothing itself, and tells everything over BMP."""
    directory.mkdir(parents=True, exist_ok=True)
    ends = [LEGS[leg] for leg in legs]
    neighbors = [{"name": end.name, "router": end.router, "node": end.node, "asn": end.asn} for end in ends]
    sender = SENDERS[kind](directory, node, neighbors)
    with sender.supervised():
        await sender.start()
        yield sender
