"""Fixtures of the tests with real daemons."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo import Demo, short_place
from tests.support.site import Wires, wired
from tests.support.tui import STILL
from tests.support.two_routers import TwoRouters, two_routers


@pytest.fixture
def wires(request: pytest.FixtureRequest, root_namespaces: None) -> Iterator[Wires]:
    """Cables between a node and three routers; `both_sources` has bgpmon hear gobgpd over BMP too."""
    with wired(getattr(request, "param", "gobgp")) as wires:
        yield wires


@pytest.fixture
def site(root_namespaces: None, daemon_directory: Path) -> Iterator[TwoRouters]:
    """A node with two routers, for tests of the source alone."""
    with two_routers(daemon_directory) as site:
        yield site


@pytest.fixture(scope="module")
def still() -> Iterator[Demo]:
    """A demo in which nothing moves, and which no test changes."""
    with short_place() as path:
        demo = Demo(path, "--no-shell", *STILL)
        with demo.supervised():
            demo.launch()
            asyncio.run(demo.ready())
            yield demo
