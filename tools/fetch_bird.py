"""Fetch a BIRD that speaks BMP, with the libraries that it needs, and unpack all of it under .cache/bird.

Debian 12's package has no BMP.  A newer suite's has, but needs a newer C library, so that comes along, and BIRD is run
through the loader that belongs to it.  Nothing is installed: see fetch_gobgpd.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path as FilePath

from tools.fetch_gobgpd import ROOT, FetchError, PrivateApt, own_release, run

CACHE = ROOT / ".cache" / "bird"
SUITES = ("forky", "sid")
OLDEST = (2, 18)
"""Before this Debian's package is built without BMP."""


def command(root: FilePath) -> list[str]:
    """How to run the BIRD that is unpacked in *root*."""
    (loader,) = root.glob("usr/lib*/ld-linux-*.so.*")
    libraries = sorted({str(path.parent) for path in root.glob("usr/lib/*/*.so*")})
    return [str(loader), "--library-path", ":".join(libraries), str(root / "usr/sbin/bird")]


def fetch() -> None:
    """Unpack BIRD below the cache."""
    _, uri = own_release()
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="apt-", dir=CACHE.parent) as scratch:
        home = FilePath(scratch)
        apt = PrivateApt(home, uri, SUITES)
        run("apt-get", *apt.options(), "update", "--error-on=any")
        version = _newest(run("apt-cache", *apt.options(), "madison", "bird2"))
        run(
            *("apt-get", *apt.options(), "install", "--yes", "--download-only", "--no-install-recommends"),
            f"bird2={version}",
        )
        unpacked = home / "unpacked"
        unpacked.mkdir()
        for package in (home / "cache/archives").glob("*.deb"):
            run("dpkg-deb", "-x", str(package), str(unpacked))
        said = subprocess.run([*command(unpacked), "--version"], capture_output=True, text=True, check=False)
        if said.returncode:
            raise FetchError(f"BIRD {version} does not run here: {said.stderr.strip()[-300:]}")
        shutil.rmtree(CACHE, ignore_errors=True)
        unpacked.chmod(0o755)
        unpacked.rename(CACHE)
        print(f"bird: {(said.stdout + said.stderr).strip()}, package {version}")


def _newest(madison: str) -> str:
    """The version to take: of those with BMP the oldest, since it asks for least of the rest."""
    versions = [line.split("|")[1].strip() for line in madison.splitlines()]
    numbers = {version: re.match(r"(?:\d+:)?(\d+)\.(\d+)", version) for version in versions}
    fit = {
        (int(found[1]), int(found[2])): version
        for version, found in numbers.items()
        if found is not None and (int(found[1]), int(found[2])) >= OLDEST
    }
    if not fit:
        raise FetchError(f"no bird2 with BMP in {', '.join(SUITES)}: {', '.join(versions) or 'none'}")
    return fit[min(fit)]


def main() -> int:
    """Fetch it if it is missing; 0 if it is there afterwards."""
    if CACHE.exists():
        return 0
    if not shutil.which("apt-get"):
        print("a BIRD with BMP comes as a Debian package, and this machine has no apt", file=sys.stderr)
        return 1
    try:
        fetch()
    except (FetchError, OSError, ValueError) as problem:
        print(f"cannot fetch a BIRD with BMP: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
