"""Whether a signature that ``ssh-keygen -Y sign`` made is good, and which key made it.

The format is PROTOCOL.sshsig of OpenSSH; keys are those of RFC 4253, RFC 5656, RFC 8332, RFC 8709, and of PROTOCOL.u2f for
security keys.  Whose key it is stands elsewhere (``signers``).  A key has one encoding here: spare zeros in a number and
compressed points are refused, so that one key is never taken for two.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

LONGEST_SIGNATURE = 64 * 1024
"""Octets of an armored signature; the largest RSA keys need about six thousand."""
FEWEST_RSA_BITS = 2048
MOST_RSA_BITS = 16384
"""As in OpenSSH; a check takes ever longer with more bits, and anybody may send us a key."""
CERTIFICATE_ENDING = "-cert-v01@openssh.com"
"""What the types of all certificates end in (PROTOCOL.certkeys)."""

_BEGIN = b"-----BEGIN SSH SIGNATURE-----"
_END = b"-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_VERSION = 1
_PRESENT = 0x01
"""Flag of a security key: somebody touched it (PROTOCOL.u2f)."""
_SK_ED25519 = "sk-ssh-ed25519@openssh.com"
_SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"

_MESSAGE_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_RSA_HASHES: dict[str, hashes.HashAlgorithm] = {"rsa-sha2-256": hashes.SHA256(), "rsa-sha2-512": hashes.SHA512()}
_CURVES: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "nistp256": (ec.SECP256R1(), hashes.SHA256()),
    "nistp384": (ec.SECP384R1(), hashes.SHA384()),
    "nistp521": (ec.SECP521R1(), hashes.SHA512()),
}


class SignatureRefused(ValueError):
    """A signature, or the key under it, does not count; the text says why and what to do."""


class PublicKey(NamedTuple):
    """A key: its type, such as ``ssh-ed25519``, and its encoding (RFC 4253, section 6.6), which begins with the type."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """``SHA256:`` and base64 without padding, as ``ssh-keygen -l`` prints it."""
        return f"SHA256:{base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip('=')}"


class Verified(NamedTuple):
    """A good signature.  ``touched`` says that a security key made it, and that somebody touched that key to make it."""

    key: PublicKey
    hash_algorithm: str
    touched: bool


def verify(armored: str | bytes, message: bytes, namespace: str) -> Verified:
    """Return what a signature over *message* for *namespace* says, if it is good.

    Raises SignatureRefused for everything else, whatever *armored* holds.
    """
    fields = _Wire(_dearmored(armored), "the signature")
    if fields.take(len(_MAGIC)) != _MAGIC:
        raise SignatureRefused("this is not an SSH signature: SSHSIG does not stand at its begin")
    if (version := fields.number()) != _VERSION:
        raise SignatureRefused(f"the signature has version {version}, and only version {_VERSION} is known")
    key_blob = fields.octets()
    signed_for = fields.octets()
    reserved = fields.octets()
    hash_name = fields.word()
    made = fields.octets()
    fields.end()
    if not signed_for or signed_for != namespace.encode(errors="surrogatepass"):
        raise SignatureRefused(
            f"the signature is for the namespace {_shown(signed_for)}, not for {namespace!r}; sign with -n {namespace}"
        )
    if reserved:
        raise SignatureRefused(
            "the reserved field of the signature is not empty, and nothing is known that belongs there"
        )
    if hash_name not in _MESSAGE_HASHES:
        raise SignatureRefused(f"the signature hashes with {_shown(hash_name)}; only sha256 and sha512 are accepted")
    key, check = _read_key(key_blob)
    signature = _Wire(made, f"the signature by {key.fingerprint}")
    algorithm = signature.word()
    digest = _MESSAGE_HASHES[hash_name](message).digest()
    signed = _MAGIC + b"".join(map(_string, (signed_for, b"", hash_name.encode(), digest)))
    try:
        touched = check(algorithm, signature, signed)
    except InvalidSignature:
        raise SignatureRefused(
            f"the signature by {key.fingerprint} does not fit the text: another text was signed, or one of them was changed"
        ) from None
    return Verified(key, hash_name, touched)


def read_public_key(blob: bytes) -> PublicKey:
    """Return the key in *blob*, or raise SignatureRefused if no signature by it would ever be accepted."""
    return _read_key(blob)[0]


def decode_base64(text: bytes) -> bytes:
    """Return what *text* says in base64; raise ValueError unless it is the one spelling of that."""
    octets = binascii.a2b_base64(text, strict_mode=True)
    if base64.b64encode(octets) != text:
        raise ValueError("the last character has bits that mean nothing")
    return octets


def _dearmored(armored: str | bytes) -> bytes:
    """Return the octets between the BEGIN and END lines."""
    if len(armored) > LONGEST_SIGNATURE:
        raise SignatureRefused(f"this is too long for a signature: more than {LONGEST_SIGNATURE // 1024} KiB")
    try:
        octets = armored.encode("ascii") if isinstance(armored, str) else armored
    except UnicodeEncodeError:
        raise SignatureRefused("this is not an SSH signature: it holds characters that are not ASCII") from None
    if octets.startswith(_BEGIN + b"\r\n"):
        raise SignatureRefused("the lines of the signature end in CR LF; send the file as ssh-keygen wrote it")
    if not octets.startswith(_BEGIN + b"\n"):
        raise SignatureRefused(f"this is not an SSH signature: it must begin with the line {_BEGIN.decode()}")
    body, found, rest = octets[len(_BEGIN) + 1 :].partition(b"\n" + _END)
    if not found:
        raise SignatureRefused(f"the signature is truncated: the line {_END.decode()} is missing")
    if rest not in {b"", b"\n"}:
        raise SignatureRefused("something stands after the last line of the signature; send the signature alone")
    try:
        return decode_base64(body.replace(b"\n", b""))
    except ValueError as error:
        raise SignatureRefused(f"what stands between the lines of the signature is not base64: {error}") from None


class _Wire:
    """Reads the data types of RFC 4251, section 5, one after the other; ``what`` is being read, for errors."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def take(self, count: int) -> bytes:
        """Return the next *count* octets."""
        if count > len(self._data) - self._at:
            raise SignatureRefused(f"{self._what} is truncated: {count} octets should follow octet {self._at}")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self) -> int:
        """Return the next uint32."""
        return int.from_bytes(self.take(4))

    def octets(self) -> bytes:
        """Return the next string."""
        return self.take(self.number())

    def word(self) -> str:
        """Return the next string, which names something and is ASCII."""
        octets = self.octets()
        if not octets.isascii():
            raise SignatureRefused(f"{self._what} holds {_shown(octets)} where a name must stand")
        return octets.decode("ascii")

    def positive(self) -> int:
        """Return the next mpint, which must be above zero and in its shortest encoding."""
        octets = self.octets()
        value = int.from_bytes(octets)
        if not value or octets != value.to_bytes(value.bit_length() // 8 + 1):
            raise SignatureRefused(f"{self._what} holds a number that is not positive or not in its shortest form")
        return value

    def end(self) -> None:
        """Make sure that nothing follows."""
        if rest := len(self._data) - self._at:
            raise SignatureRefused(f"{self._what} has {rest} more octets than it should")


_Check = Callable[[str, _Wire, bytes], bool]
"""Checks one key's signature: the algorithm it names, what follows in it, the signed octets.

Says whether a security key was touched.  Raises InvalidSignature or SignatureRefused.
"""


def _read_key(blob: bytes) -> tuple[PublicKey, _Check]:
    fields = _Wire(blob, "the public key")
    kind = fields.word()
    if kind.endswith(CERTIFICATE_ENDING):
        raise SignatureRefused(
            f"{_shown(kind)} is a certificate, and certificates are not accepted; sign with the plain key, and list that one"
        )
    if kind not in _KEYS:
        raise SignatureRefused(f"keys of the type {_shown(kind)} are not accepted; use one of {', '.join(_KEYS)}")
    try:
        check = _KEYS[kind](kind, fields)
    except SignatureRefused:
        raise
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureRefused(f"the public key is no {kind} key: {error}") from None
    fields.end()
    return PublicKey(kind, blob), check


def _ed25519_key(kind: str, fields: _Wire) -> _Check:
    key = ed25519.Ed25519PublicKey.from_public_bytes(fields.octets())

    def check(algorithm: str, signature: _Wire, signed: bytes) -> bool:
        _expect(algorithm, kind)
        made = signature.octets()
        signature.end()
        key.verify(made, signed)
        return False

    return check


def _rsa_key(_kind: str, fields: _Wire) -> _Check:
    exponent, modulus = fields.positive(), fields.positive()
    bits = modulus.bit_length()
    if not FEWEST_RSA_BITS <= bits <= MOST_RSA_BITS:
        raise SignatureRefused(
            f"the RSA key has {bits} bits, and {FEWEST_RSA_BITS} to {MOST_RSA_BITS} are accepted; ssh-ed25519 is a good choice"
        )
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()

    def check(algorithm: str, signature: _Wire, signed: bytes) -> bool:
        _expect(algorithm, *_RSA_HASHES)
        made, size = signature.octets(), (bits + 7) // 8
        signature.end()
        # RFC 8332, section 3: some signers leave out the zeros at the begin; other signatures of theirs would be good.
        key.verify(made.rjust(size, b"\0"), signed, padding.PKCS1v15(), _RSA_HASHES[algorithm])
        return False

    return check


def _ecdsa_key(kind: str, fields: _Wire) -> _Check:
    key, hasher = _point(fields, kind.rpartition("-")[2])

    def check(algorithm: str, signature: _Wire, signed: bytes) -> bool:
        _expect(algorithm, kind)
        made = _two_numbers(signature.octets())
        signature.end()
        key.verify(made, signed, ec.ECDSA(hasher))
        return False

    return check


def _sk_ed25519_key(kind: str, fields: _Wire) -> _Check:
    key = ed25519.Ed25519PublicKey.from_public_bytes(fields.octets())
    application = fields.octets()

    def check(algorithm: str, signature: _Wire, signed: bytes) -> bool:
        _expect(algorithm, kind)
        made = signature.octets()
        flags, signed_by_device = _of_device(signature, application, signed)
        key.verify(made, signed_by_device)
        return _present(flags)

    return check


def _sk_ecdsa_key(kind: str, fields: _Wire) -> _Check:
    key, hasher = _point(fields, "nistp256")
    application = fields.octets()

    def check(algorithm: str, signature: _Wire, signed: bytes) -> bool:
        _expect(algorithm, kind)
        made = _two_numbers(signature.octets())
        flags, signed_by_device = _of_device(signature, application, signed)
        key.verify(made, signed_by_device, ec.ECDSA(hasher))
        return _present(flags)

    return check


_KEYS: dict[str, Callable[[str, _Wire], _Check]] = {
    "ssh-ed25519": _ed25519_key,
    "ecdsa-sha2-nistp256": _ecdsa_key,
    "ecdsa-sha2-nistp384": _ecdsa_key,
    "ecdsa-sha2-nistp521": _ecdsa_key,
    "ssh-rsa": _rsa_key,
    _SK_ED25519: _sk_ed25519_key,
    _SK_ECDSA: _sk_ecdsa_key,
}

KEY_KINDS = frozenset(_KEYS)
"""The key types whose signatures can be accepted."""


def _point(fields: _Wire, curve_name: str) -> tuple[ec.EllipticCurvePublicKey, hashes.HashAlgorithm]:
    """Read the curve and the uncompressed point of an ECDSA key (RFC 5656, section 3.1)."""
    named = fields.word()
    if named != curve_name:
        raise SignatureRefused(f"the public key names the curve {_shown(named)} where {curve_name} must stand")
    curve, hasher = _CURVES[curve_name]
    point = fields.octets()
    if not point.startswith(b"\x04"):
        raise SignatureRefused("the public key's point is not in the uncompressed form, which SSH demands")
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, point), hasher


def _two_numbers(octets: bytes) -> bytes:
    """Return an ECDSA signature (RFC 5656, section 3.1.2) as DER."""
    fields = _Wire(octets, "the ECDSA signature")
    r, s = fields.positive(), fields.positive()
    fields.end()
    return encode_dss_signature(r, s)


def _of_device(signature: _Wire, application: bytes, signed: bytes) -> tuple[int, bytes]:
    """Return the flags of a security key's signature, and the octets that the device has signed (PROTOCOL.u2f)."""
    flags = signature.take(1)
    counter = signature.take(4)
    signature.end()
    return flags[0], hashlib.sha256(application).digest() + flags + counter + hashlib.sha256(signed).digest()


def _present(flags: int) -> bool:
    if not flags & _PRESENT:
        raise SignatureRefused(
            "nobody touched the security key for this signature; make a key that asks for it, without no-touch-required"
        )
    return True


def _expect(algorithm: str, *accepted: str) -> None:
    if algorithm not in accepted:
        raise SignatureRefused(
            f"the signature's algorithm is {_shown(algorithm)}; for this key it must be {' or '.join(accepted)}"
        )


def _string(octets: bytes) -> bytes:
    return len(octets).to_bytes(4) + octets


def _shown(value: str | bytes) -> str:
    """What somebody sent, safe to print and short."""
    text = value if isinstance(value, str) else value.decode("latin-1")
    return ascii(text if len(text) <= 60 else f"{text[:60]}...")
