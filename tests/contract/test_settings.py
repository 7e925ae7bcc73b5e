"""What both kernels say of the namespace's settings."""

import pytest

from tests.contract.stage import LinuxStage, MemoryStage, Stage


async def test_settings_are_told_for_interfaces_that_are_there(stage: Stage) -> None:
    settings = await stage.fib.settings(["east", "nowhere", "../east"])
    assert settings.reverse_path.keys() == {"east"}
    assert settings.is_host is False


async def test_simulated_kernel_says_what_it_was_set_to() -> None:
    stage = MemoryStage()
    stage.fib.reverse_path = {"west": 1}
    assert (await stage.fib.settings(["east", "west"])).reverse_path == {"east": 0, "west": 1}
    await stage.fib.close()


@pytest.mark.kernel
async def test_the_stricter_of_all_and_the_interface_counts(linux: LinuxStage) -> None:
    for all_, own, found in ((0, 0, 0), (0, 1, 1), (2, 1, 2), (1, 0, 1)):
        linux.node.run("sysctl", "-qw", f"net.ipv4.conf.all.rp_filter={all_}", f"net.ipv4.conf.east.rp_filter={own}")
        assert (await linux.fib.settings(["east"])).reverse_path == {"east": found}
