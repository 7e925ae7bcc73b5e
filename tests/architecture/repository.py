"""The files of this repository, as the tests of the house look at them."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("monitor", "programmer")
CODE = (*PRODUCT, "lab", "bench", "tools", "tests", "protos")


@cache
def files(*endings: str) -> tuple[Path, ...]:
    """Return what git tracks, or would track, and is there; only files with these endings if any are given."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    found = [ROOT / name for name in sorted(set(listed)) if name and (ROOT / name).is_file()]
    return tuple(file for file in found if not endings or file.suffix in endings)


def python_files(*folders: str) -> tuple[Path, ...]:
    """Return the Python files of top-level folders, generated ones left out."""
    wanted = folders or CODE
    return tuple(
        file for file in files(".py") if relative(file).split("/")[0] in wanted and "_pb" not in file.parent.name
    )


def relative(file: Path) -> str:
    """Return a file's name within the repository."""
    return file.relative_to(ROOT).as_posix()


@cache
def tree_of(file: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"), relative(file))


def text_of(*names: str) -> str:
    """Return the text of several files, one behind the other."""
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def imported(file: Path) -> set[str]:
    """Return every module that a file names in an import, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found
