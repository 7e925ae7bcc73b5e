"""Every screen as it is kept in ``screens/``; ``UPDATE_SCREENS=1 pytest tests/snapshots`` writes them anew."""

import difflib
import os
from pathlib import Path

import pytest

from tests.snapshots.walks import LOOKS, WALKS, Walk, golden
from tests.support.screens import Picture, Size, running

HERE = Path(__file__).parent / "screens"

TURNS = [pytest.param(walk, size, id=f"{walk.name}-{size[0]}x{size[1]}") for walk in WALKS for size in walk.sizes]


async def pictures(walk: Walk, size: Size) -> dict[str, Picture]:
    """Return the pictures of a walk by the names of their files."""
    found = {}
    async with running(walk.daemon(), size, walk.looks) as stage:
        for step in walk.steps:
            await step.take(stage)
            if step.picture:
                found[golden(step.picture, size)] = await stage.look()
    return found


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What screens say of the environment is the same everywhere."""
    monkeypatch.setenv("USER", "alice")
    for name in ("KUBERNETES_SERVICE_HOST", "POD_NAME", "HOSTNAME", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("walk", "size"), TURNS)
async def test_screens_are_as_they_are_kept(walk: Walk, size: Size, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in walk.env.items():
        monkeypatch.setenv(name, value)
    found = await pictures(walk, size)
    if os.environ.get("UPDATE_SCREENS"):
        for name, picture in found.items():
            (HERE / name).write_text(picture.golden(), encoding="utf-8")
    differences = [text for name, picture in found.items() for text in difference(name, picture)]
    assert not differences, "\n".join(differences)
    for name, picture in found.items():
        assert {len(row) for row in picture.styles} == {size[0]}, f"{name}: a row is not as wide as the screen"
        assert len(picture.rows) == size[1], name


def difference(name: str, picture: Picture) -> list[str]:
    """Return what differs from a file, nothing if nothing does."""
    file = HERE / name
    kept = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return list(
        difflib.unified_diff(kept, picture.golden().splitlines(), f"screens/{name}", "as drawn now", lineterm="", n=1)
    )


def test_every_file_has_a_picture() -> None:
    names = [name for walk in WALKS for name in walk.goldens()]
    assert sorted(names) == sorted(set(names)), "two pictures are kept in one file"
    if os.environ.get("UPDATE_SCREENS"):
        for file in HERE.iterdir():
            if file.name not in names:
                file.unlink()
    assert sorted(file.name for file in HERE.iterdir()) == sorted(names)


@pytest.mark.parametrize("walk", [walk for walk in LOOKS if walk.looks.ascii], ids=lambda walk: walk.name)
def test_a_terminal_without_unicode_gets_ascii(walk: Walk) -> None:
    for name in walk.goldens():
        assert (HERE / name).read_text(encoding="utf-8").isascii(), name


@pytest.mark.parametrize("walk", [walk for walk in LOOKS if walk.looks.depth == "plain"], ids=lambda walk: walk.name)
def test_a_terminal_without_colours_gets_none(walk: Walk) -> None:
    for name in walk.goldens():
        (legend,) = [
            line for line in (HERE / name).read_text(encoding="utf-8").splitlines() if line.startswith("styles: ")
        ]
        words = {word for part in legend.removeprefix("styles: ").split("  ") for word in part.split()[1:]}
        assert words <= {"default", "bold", "dim", "reverse", "underline"}, name
