"""The simulated node fits together: its configuration, its kernel and its routers."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from monitor.config import load
from monitor.demo import network
from programmer.fib import Ownership
from programmer.route import MAIN_TABLE, Family


@pytest.mark.parametrize("mode", ["dry-run", "approve", "auto"])
def test_the_configuration_is_valid_wherever_its_files_are(tmp_path: Path, mode: str) -> None:
    odd = '/a "quoted": {path} #1'
    file = tmp_path / "bgpmon.yaml"
    file.write_text(network.configuration(f"{odd}/s", f"{odd}/state", f"{odd}/run", mode, 3000))
    config = load(file, environment={})
    assert (config.node, config.mode.value, config.warnings) == ("demo-node", mode, ())
    assert (config.run_dir, config.state_dir) == (f"{odd}/run", f"{odd}/state")
    assert config.sources[0].gobgp == f"unix://{odd}/s"


async def test_every_router_belongs_to_a_domain_and_is_on_a_link_of_it(tmp_path: Path) -> None:
    file = tmp_path / "bgpmon.yaml"
    file.write_text(network.configuration("/s", "/state", "/run", "approve", 3000))
    config = load(file, environment={})
    fib = network.kernel()
    links = await fib.links()
    names = {link.index: link.name for link in links.links.values()}
    for router in network.ROUTERS:
        address = ip_address(router.address)
        domain = config.domain_of("fabric", address)
        assert domain is not None, router
        near = [names[index] for prefix, index in links.connected if address in prefix]
        assert near
        assert set(near) <= set(domain.interfaces)
    await fib.close()


async def test_the_kernel_holds_a_default_route_and_somebody_elses_route() -> None:
    fib = network.kernel()
    network.intrude(fib)
    nobody = Ownership(196, frozenset({network.METRIC}))
    main = await fib.read(MAIN_TABLE, Family.IPV4, nobody)
    storage = await fib.read(network.STORAGE_TABLE, Family.IPV4, nobody)
    assert (len(main.foreign), len(storage.foreign)) == (1, 1)
    assert not storage.routes
    (found,) = storage.foreign.values()
    assert all(hop.ifindex for hop in found.forwarding.next_hops)
    assert "in memory" in fib.description
    assert "simulated" in fib.description
    await fib.close()


def test_a_router_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError, match="leaf9"):
        network.router("leaf9")
