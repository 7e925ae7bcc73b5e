"""Keys and signatures of people, made by OpenSSH's own ``ssh-keygen``."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.daemon import require_programs


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair in files: ``path`` without a passphrase, and ``path`` with ``.pub``."""

    path: Path

    @property
    def public(self) -> str:
        """Key type and base64, as a signers file has them."""
        return self.path.with_name(f"{self.path.name}.pub").read_text().strip()

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` says."""
        return _run("-l", "-f", f"{self.path}.pub").stdout.decode().split()[1]

    def sign(self, message: bytes, namespace: str, hash_algorithm: str = "sha512") -> bytes:
        """Return the armored signature over *message*."""
        arguments = ("-Y", "sign", "-q", "-n", namespace, "-O", f"hashalg={hash_algorithm}", "-f", str(self.path))
        return _run(*arguments, octets=message).stdout


def make_key(directory: Path, kind: str = "ed25519", bits: int | None = None, name: str = "key") -> SigningKey:
    """Make a key pair in *directory*; the types are those of ``ssh-keygen -t``."""
    require_programs("ssh-keygen")
    path = directory / name
    _run("-q", "-t", kind, *(("-b", str(bits)) if bits else ()), "-N", "", "-C", "", "-f", str(path))
    return SigningKey(path)


def ssh_keygen_accepts(
    directory: Path, signers: str, principal: str, armored: bytes, message: bytes, namespace: str, when: str = ""
) -> bool:
    """Say whether ``ssh-keygen -Y verify`` finds the signature good and the principal entitled to it.

    *when* is the time of the check, such as ``20260101Z``; now if it is empty.
    """
    require_programs("ssh-keygen")
    allowed, signature = directory / "allowed_signers", directory / "message.sig"
    allowed.write_text(signers, encoding="utf-8")
    signature.write_bytes(armored)
    time = ("-O", f"verify-time={when}") if when else ()
    arguments = ("-Y", "verify", *time, "-n", namespace, "-I", principal, "-f", str(allowed), "-s", str(signature))
    return _run(*arguments, octets=message, check=False).returncode == 0


def _run(*arguments: str, octets: bytes = b"", check: bool = True) -> "subprocess.CompletedProcess[bytes]":
    # An agent of whoever runs the tests has no part in them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSH_")}
    done = subprocess.run(["ssh-keygen", *arguments], input=octets, capture_output=True, env=environment, check=False)
    assert not check or done.returncode == 0, f"ssh-keygen {' '.join(arguments)}: {done.stderr.decode()}"
    return done
