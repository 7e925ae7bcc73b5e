"""What other programs of this machine are set to, as far as they may touch our routes: files, read when asked."""

import configparser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath

PROTOCOL_FOLDERS = ("usr/share/iproute2", "usr/lib/iproute2", "etc/iproute2")
NETWORKD_FOLDERS = ("usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd")
"""Where systemd looks, the later one wins (systemd.unit(5), networkd.conf(5))."""

OUR_NAMES = frozenset({"bgpmon"})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The files under *root*."""

    root: FilePath = FilePath("/")

    def protocol_names(self, number: int) -> dict[str, str]:
        """Return who else calls a route protocol number its own: name to file (rt_protos of iproute2)."""
        found: dict[str, str] = {}
        for path in self._protocol_files():
            for line in _lines(path):
                words = line.partition("#")[0].split()
                if len(words) == 2 and _number(words[0]) == number and words[1] not in OUR_NAMES:
                    found[words[1]] = f"/{path.relative_to(self.root)}"
        return found

    def _protocol_files(self) -> Iterator[FilePath]:
        for folder in PROTOCOL_FOLDERS:
            yield self.root / folder / "rt_protos"
            yield from sorted((self.root / folder / "rt_protos.d").glob("*.conf"))

    @property
    def networkd_runs(self) -> bool:
        """Whether systemd-networkd manages links here: it keeps their state in this directory while it runs."""
        return (self.root / "run/systemd/netif").is_dir()

    def networkd_keeps(self, key: str) -> bool:
        """Return whether networkd removes what it did not make: ``ManageForeignRoutes`` and the like are on by default."""
        said = "yes"
        for path in self._networkd_files():
            parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
            try:
                parser.read_string("\n".join(_lines(path)))
            except configparser.Error:
                continue
            said = parser.get("Network", key, fallback=said) or said
        return said.lower() in {"yes", "true", "on", "1"}

    def _networkd_files(self) -> Iterator[FilePath]:
        for folder in NETWORKD_FOLDERS:
            yield self.root / folder / "networkd.conf"
        dropins = {path.name: path for folder in NETWORKD_FOLDERS
                   for path in (self.root / folder / "networkd.conf.d").glob("*.conf")}  # fmt: skip
        yield from (dropins[name] for name in sorted(dropins))


def _lines(path: FilePath) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _number(word: str) -> int | None:
    try:
        return int(word, 0)
    except ValueError:
        return None
