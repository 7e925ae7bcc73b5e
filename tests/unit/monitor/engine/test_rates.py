"""Rates: what counters say, in bins of ten seconds, by a clock that stands still until it is moved."""

from dataclasses import dataclass
from typing import Any

from monitor.engine.rates import MOST_BINS, Rates
from monitor.rib.path import PeerId
from tests.unit.monitor.engine.viewing import IPV4, Node, on_node


@dataclass
class Teller:
    """A peer's counters."""

    announced: int = 0
    withdrawn: int = 0


class Counters:
    """Two peers, a kernel and a clock."""

    def __init__(self) -> None:
        self.now = 1003.0
        self.written = 0
        self.east, self.west = Teller(), Teller()
        self.peers = {PeerId("fabric", "192.0.2.1"): self.east, PeerId("fabric", "192.0.2.2"): self.west}
        self.rates = Rates(lambda: self.peers, lambda: self.written, lambda: self.now)

    def bins(self, *, after: float = 0.0) -> list[tuple[int, int, int]]:
        """The bins, *after* so many seconds: updates, withdrawals, writes."""
        self.now += after
        self.rates.sample()
        document: Any = self.rates.document
        assert document["seconds"] == 10
        return list(zip(document["updates"], document["withdrawals"], document["writes"], strict=True))


def test_what_comes_is_counted_in_the_running_bin() -> None:
    counters = Counters()
    assert counters.bins() == [(0, 0, 0)]
    counters.east.announced, counters.west.announced, counters.west.withdrawn, counters.written = 5, 2, 1, 4
    assert counters.bins(after=3.0) == [(7, 1, 4)]
    counters.east.announced = 6
    assert counters.bins(after=3.9) == [(8, 1, 4)]
    assert counters.bins(after=0.2) == [(8, 1, 4), (0, 0, 0)]
    counters.east.withdrawn = 3
    assert counters.bins(after=20.0) == [(8, 1, 4), (0, 0, 0), (0, 0, 0), (0, 3, 0)]


def test_a_quarter_of_an_hour_is_kept() -> None:
    counters = Counters()
    counters.east.announced = 1
    counters.bins()
    assert len(counters.bins(after=890.0)) == MOST_BINS
    assert counters.bins()[0] == (1, 0, 0)
    assert counters.bins(after=10.0) == [(0, 0, 0)] * MOST_BINS
    assert counters.bins(after=1e6) == [(0, 0, 0)] * MOST_BINS


def test_a_peer_that_goes_and_comes_again_counts_anew() -> None:
    counters = Counters()
    counters.east.announced = 9
    counters.bins()
    peer = PeerId("fabric", "192.0.2.1")
    del counters.peers[peer]
    assert counters.bins(after=10.0)[-1] == (0, 0, 0)
    counters.peers[peer] = Teller(2, 1)
    assert counters.bins(after=10.0)[-1] == (2, 1, 0)
    counters.peers[peer] = Teller(1, 0)
    assert counters.bins(after=10.0)[-1] == (1, 0, 0), "it went and came between two samples"


def test_status_and_peers_tell_what_happened() -> None:
    async def play(node: Node) -> None:
        node.stage.withdraw(node.east, IPV4[4:6])
        node.stage.reject(node.west, IPV4[2:3], node.stage.path(node.west, 1000.0))
        await node.stage.settle()
        status: Any = await node.stage.feed.status()
        rates = status["rates"]
        assert (sum(rates["updates"]), sum(rates["withdrawals"])) == (16, 2)
        assert sum(rates["writes"]) == len(node.stage.kernel.asked) >= 14
        peers: Any = await node.stage.feed.peers()
        assert {peer["address"]: (peer["updates"], peer["withdrawals"]) for peer in peers["items"]} == {
            "192.0.2.1": (10, 2), "192.0.2.2": (3, 0), "198.51.100.1": (3, 0),
        }  # fmt: skip

    on_node(play)
