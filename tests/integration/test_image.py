"""The container image: it builds from a plain Debian, runs with one capability, and holds nothing more."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon import require_programs
from tests.support.netns import Namespace, namespace
from tools.fetch_gobgpd import own_release

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/bgpmon-base:test"
IMAGE = "localhost/bgpmon:test"

UNWANTED = ("gcc", "cc", "c++", "make", "protoc", "pytest", "mypy", "ruff", "pip", "pip3", "git")
"""Programs that have no business in the image."""

pytestmark = [
    pytest.mark.daemons,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
]


@dataclass(frozen=True, slots=True)
class Store:
    """A private place for images: nothing of it is seen by the machine's own."""

    directory: Path

    def run(self, program: str, *args: str) -> str:
        """Run podman or buildah on this store; AssertionError has its words on failure."""
        places = ("--root", str(self.directory / "root"), "--runroot", str(self.directory / "run"))
        command = [program, *places, "--storage-driver", "vfs", *args]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        said = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert done.returncode == 0, f"{program} {args[0]} ended with {done.returncode}: {said}"
        return done.stdout

    def start(self, where: Namespace, *args: str, entrypoint: str = "") -> str:
        """Run the image to its end as it is to be run: one capability, no other privilege."""
        return self.run(
            "podman",
            *("--runtime", "runc", "run", "--rm", "--network", f"ns:{where.path}"),
            "--pids-limit=-1",
            *("--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--read-only"),
            # the limits that podman wants by default are beyond what a nested machine may set
            *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"),
            *(("--entrypoint", entrypoint) if entrypoint else ()),
            IMAGE,
            *args,
        )


@pytest.fixture(scope="module")
def store(root_namespaces: None) -> Iterator[Store]:
    """A store with the image in it."""
    require_programs("buildah", "podman", "runc", "debootstrap", "apt-get")
    # Not pytest's own directory: podman refuses a run root of more than 50 characters.
    made = Store(Path(tempfile.mkdtemp(prefix="bgps-")))
    try:
        made.run("podman", "import", str(plain_debian()), BASE)
        made.run(
            "buildah",
            *("bud", "--isolation", "chroot", "--network", "host", "--tag", IMAGE),
            *("--build-arg", f"BASE_IMAGE={BASE}", *pip_settings()),
            ".",
        )
        yield made
    finally:
        shutil.rmtree(made.directory)


@pytest.fixture
def inside(root_namespaces: None) -> Iterator[Namespace]:
    """The network namespace that the container runs in."""
    with namespace("image", "bgps-") as made:
        yield made


def plain_debian() -> Path:
    """A minimal Debian of the machine's own release, as an archive, made once and kept in .cache."""
    codename, mirror = own_release()
    archive = ROOT / ".cache" / "image" / f"{codename}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        fresh = archive.with_name(f"{codename}.{os.getpid()}")
        try:
            _run("debootstrap", "--variant=minbase", codename, str(fresh / "root"), mirror)
            _run("tar", "--create", "--file", str(fresh / "tar"), "--directory", str(fresh / "root"), ".")
            (fresh / "tar").rename(archive)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return archive


def pip_settings() -> Iterator[str]:
    """The arguments that let pip in the build find packages where pip on this machine finds them."""
    rows = [row.partition("=") for row in _run(sys.executable, "-m", "pip", "config", "list").splitlines()]
    settings = {name.rpartition(".")[2].strip(): value.strip("'") for name, _, value in rows}
    for name in ("index-url", "extra-index-url", "find-links", "trusted-host"):
        if name in settings:
            yield from ("--build-arg", f"PIP_{name.upper().replace('-', '_')}={settings[name]}")
            for word in settings[name].split():
                place = Path(word.removeprefix("file://"))
                if place.is_absolute() and place.exists():
                    root = place.parent if word.startswith("file://") else place
                    yield from ("--volume", f"{root}:{root}:ro")
    if "cert" in settings:
        yield from ("--build-arg", "PIP_CERT=/run/pip-ca.pem")
        yield from ("--volume", f"{settings['cert']}:/run/pip-ca.pem:ro")


def test_the_image_runs_with_one_capability_on_a_read_only_file_system(store: Store, inside: Namespace) -> None:
    assert "0.1.0" in store.start(inside, "version")


def test_the_image_can_write_routes_into_its_namespace(store: Store, inside: Namespace) -> None:
    program = (
        "from pyroute2 import IPRoute\n"
        "with IPRoute() as ip:\n"
        "    lo = ip.link_lookup(ifname='lo')[0]\n"
        "    ip.route('add', dst='203.0.113.0/24', oif=lo, table=101, proto=196)\n"
    )
    store.start(inside, "-c", program, entrypoint="python3")
    assert "203.0.113.0/24" in inside.ip("route", "show", "table", "101", "proto", "196")


def test_the_image_holds_no_tools_and_no_leftovers(
    store: Store, inside: Namespace, record_property: Callable[[str, object], None]
) -> None:
    look = "; ".join(f"command -v {name} || true" for name in UNWANTED)
    assert store.start(inside, "-c", look, entrypoint="sh") == ""
    leftovers = "ls -A /src /root/.cache /var/lib/apt/lists /var/cache/apt 2> /dev/null || true"
    assert store.start(inside, "-c", leftovers, entrypoint="sh").split() == [
        "/var/cache/apt:",
        "/var/lib/apt/lists:",
    ]
    programs = store.start(inside, "/opt/bgpmon/bin", entrypoint="ls").split()
    assert [name for name in programs if not name.startswith("python")] == ["bgpmon"]
    size = int(store.run("podman", "inspect", "--format", "{{.Size}}", IMAGE))
    base = int(store.run("podman", "inspect", "--format", "{{.Size}}", BASE))
    record_property("image size", f"{size / 1e6:.0f} MB, of which the plain Debian {base / 1e6:.0f} MB")
    assert size - base < 150e6


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:2])}: {(done.stderr or done.stdout)[-2000:]}"
    return done.stdout
