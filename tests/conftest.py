"""Fixtures for every test, and the rule that CI skips nothing it could run."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from lab.gobgpd import VERSIONS
from tests.support.gobgpd import require_gobgpd
from tests.support.netns import require_root_namespaces
from tests.support.tls import Certificates, make_certificates

# How long an example takes says more of the machine than of what is tested; speed is measured in bench/.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

KERNEL_LACKS = "the kernel has no "
"""Beginning of the only reasons for which a kernel or daemon test may be skipped in CI."""


@pytest.fixture(params=VERSIONS)
def gobgpd_version(request: pytest.FixtureRequest) -> str:
    """Each generation of gobgpd that bgpmon supports, in turn; for `running_gobgpd`."""
    version: str = request.param
    require_gobgpd(version)
    return version


@pytest.fixture(scope="session")
def root_namespaces() -> None:
    """Network namespaces can be made here, or the test is skipped with the reason."""
    require_root_namespaces()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority, a server's and a client's certificate."""
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def daemon_directory(tmp_path: Path) -> Path:
    """A directory for daemons' sockets, configurations and logs; its path is short enough for sockets."""
    directory = tmp_path / "d"
    directory.mkdir()
    return directory


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[Any],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, turn a skipped kernel or daemon test into a failure, unless the kernel lacks the feature."""
    report = yield
    bound = item.get_closest_marker("kernel") or item.get_closest_marker("daemons")
    if os.environ.get("CI") == "true" and report.skipped and bound and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if KERNEL_LACKS not in reason:
            report.outcome = "failed"
            report.longrepr = f"must not be skipped in CI: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded with ``record_property``."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties if report.when == "call" else ():
            terminalreporter.write_line(f"{name}: {value}")
