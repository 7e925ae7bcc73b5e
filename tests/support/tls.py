"""Certificates for one test: an authority, a server for loopback and a client, all valid for a day."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.daemon import require_programs


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files that belong together."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_certificates(directory: Path) -> Certificates:
    """Make an authority and two certificates: a server ``localhost``/127.0.0.1 and a client ``bgpmon``."""
    require_programs("openssl")
    directory.mkdir(parents=True, exist_ok=True)
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    _openssl(*_request("authority", ca_key), "-x509", "-days", "1", "-out", str(ca))
    issued = []
    for name, names in (("localhost", "DNS:localhost,IP:127.0.0.1,IP:::1"), ("bgpmon", "DNS:bgpmon")):
        certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
        request, extensions = directory / f"{name}.csr", directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        _openssl(*_request(name, key), "-out", str(request))
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", "1", "-out", str(certificate)),
            *("-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial", "-extfile", str(extensions)),
        )
        issued += [certificate, key]
    return Certificates(ca, *issued)


def _request(name: str, key: Path) -> list[str]:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    return ["req", "-new", *curve, "-keyout", str(key), "-subj", f"/CN={name}"]


def _openssl(*args: str) -> None:
    done = subprocess.run(["openssl", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {args[0]}: {done.stderr}"
