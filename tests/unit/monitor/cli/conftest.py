"""A daemon with fake answers, which commands find."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.monitor.api.daemon import Book, serving


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    """Fake answers, and what was asked."""
    run_dir = tmp_path / "run"
    monkeypatch.setenv("BGPMON_RUN_DIR", str(run_dir))
    book = Book()
    with serving(run_dir, book):
        yield book
