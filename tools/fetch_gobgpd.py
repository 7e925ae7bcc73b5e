#!/usr/bin/env python3
"""Fetch the newer generations of gobgpd as Debian packages and unpack them under .cache/gobgpd.

The tests run against three generations of gobgpd. The oldest is the package of Debian 12 itself; the others
come from newer suites of the mirror that this machine's apt is configured with. Nothing is installed: a
private apt state reads the newer suites, and the packages are unpacked beside the system, never over it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path as FilePath
from typing import NamedTuple

ROOT = FilePath(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "gobgpd"
GENERATIONS = ("3.36", "4.8")
NEWER_SUITES = ("trixie", "trixie-backports", "forky", "sid")
KEYRING = FilePath("/usr/share/keyrings/debian-archive-keyring.gpg")


class Offer(NamedTuple):
    """One version of the gobgpd package and the suite that carries it."""

    version: str
    suite: str

    @property
    def numbers(self) -> tuple[int, int]:
        """Major and minor number of the upstream version."""
        major, minor = re.match(r"(?:\d+:)?(\d+)\.(\d+)", self.version).groups()  # type: ignore[union-attr]
        return int(major), int(minor)


class FetchError(Exception):
    """The packages cannot be had here; the text says why."""


def own_release() -> tuple[str, str]:
    """The code name of this machine's release and the archive that it comes from, as apt resolved it."""
    release = dict(line.split("=", 1) for line in FilePath("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    targets = run("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
    for line in targets.splitlines():
        suite, uri = line.split(None, 1)
        if suite == codename:
            return codename, uri.strip()
    raise FetchError(f"apt has no source for the machine's own release {codename!r}")


class PrivateApt:
    """apt with its own lists, sources and cache in one directory; the machine's own stay as they are."""

    def __init__(self, home: FilePath, uri: str, suites: tuple[str, ...]) -> None:
        self.home = home
        for part in ("state/lists/partial", "cache/archives/partial"):
            (home / part).mkdir(parents=True, exist_ok=True)
        signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
        sources = "".join(f"deb{signed} {uri} {suite} main\n" for suite in suites)
        (home / "sources.list").write_text(sources)

    def options(self) -> list[str]:
        """The settings that keep apt inside the directory."""
        home = self.home
        return [
            *("-o", f"Dir::State={home}/state", "-o", "Dir::State::status=/dev/null"),
            *("-o", f"Dir::Cache={home}/cache", "-o", f"Dir::Etc::sourcelist={home}/sources.list"),
            *("-o", "Dir::Etc::sourceparts=/dev/null", "-o", "Dir::Etc::preferencesparts=/dev/null"),
            *("-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"),
        ]

    def offers(self) -> list[Offer]:
        """Every gobgpd that the suites carry."""
        run("apt-get", *self.options(), "update", "--error-on=any")
        lines = run("apt-cache", *self.options(), "madison", "gobgpd").splitlines()
        rows = [[cell.strip() for cell in line.split("|")] for line in lines]
        return [Offer(version, source.split()[1].split("/")[0]) for _, version, source in rows]

    def download(self, offer: Offer, into: FilePath) -> FilePath:
        """Download one version; the package file."""
        into.mkdir(parents=True, exist_ok=True)
        run("apt-get", *self.options(), "download", f"gobgpd={offer.version}", cwd=into)
        (package,) = into.glob("gobgpd_*.deb")
        return package


def nearest(generation: str, offers: list[Offer]) -> Offer | None:
    """The offer of the same major version whose minor number is nearest to the generation's.

    Of equal versions the older suite's is taken: it asks for less of the C library.
    """
    major, minor = (int(part) for part in generation.split("."))
    same = [offer for offer in offers if offer.numbers[0] == major]
    return min(
        same,
        key=lambda offer: (abs(offer.numbers[1] - minor), NEWER_SUITES.index(offer.suite)),
        default=None,
    )


def fetch(generations: list[str]) -> None:
    """Unpack each generation below the cache; what is there already stays."""
    _, uri = own_release()
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="apt-", dir=CACHE) as scratch:
        home = FilePath(scratch)
        apt = PrivateApt(home, uri, NEWER_SUITES)
        offers = apt.offers()
        for generation in generations:
            offer = nearest(generation, offers)
            if offer is None:
                found = ", ".join(offer.version for offer in offers) or "none"
                raise FetchError(f"no gobgpd {generation.split('.')[0]}.x in {', '.join(NEWER_SUITES)}: {found}")
            unpacked = home / "unpacked" / generation
            unpacked.mkdir(parents=True)
            run("dpkg-deb", "-x", str(apt.download(offer, home / generation)), str(unpacked))
            said = run(str(unpacked / "usr/bin/gobgpd"), "--version").strip()
            (unpacked / "source").write_text(f"{offer.version} {offer.suite}\n")
            shutil.rmtree(CACHE / generation, ignore_errors=True)
            unpacked.chmod(0o755)
            unpacked.rename(CACHE / generation)
            print(f"gobgpd {generation}: {said}, package {offer.version} of {offer.suite}")


def run(*command: str, cwd: FilePath | None = None) -> str:
    """Run a program to its end; what it printed, or FetchError with its words."""
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FetchError(f"{' '.join(command[:2])} … failed ({done.returncode}): {done.stderr.strip()[-600:]}")
    return done.stdout


def main() -> int:
    """Fetch what is missing; 0 if every generation is there afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="fetch even what is there")
    again = parser.parse_args().again
    missing = [name for name in GENERATIONS if again or not (CACHE / name / "usr/bin/gobgpd").exists()]
    if not missing:
        return 0
    if not shutil.which("apt-get"):
        print("gobgpd 3.36 and 4.8 come as Debian packages, and this machine has no apt", file=sys.stderr)
        return 1
    try:
        fetch(missing)
    except (FetchError, OSError) as problem:
        print(f"cannot fetch gobgpd {', '.join(missing)}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
