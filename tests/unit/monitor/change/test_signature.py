"""Signatures made by the real ``ssh-keygen`` are good; anything else is refused with a reason."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.change.signature import (
    KEY_KINDS,
    LONGEST_SIGNATURE,
    PublicKey,
    SignatureRefused,
    Verified,
    decode_base64,
    read_public_key,
    verify,
)
from tests.support.signing import SigningKey, make_key, ssh_keygen_accepts

NAMESPACE = "bgpmon-plan@v1"
MESSAGE = b"bgpmon plan statement v1\nplan: 17\n"
TYPES = [("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048), ("rsa", 3072)]
KINDS = {"ed25519": "ssh-ed25519", "rsa": "ssh-rsa"}
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"\n-----END SSH SIGNATURE-----\n"
TOUCHED, UNTOUCHED = 0x01, 0x04


class Made(NamedTuple):
    """A key of ``ssh-keygen`` with its signature over MESSAGE for NAMESPACE."""

    key: SigningKey
    armored: bytes
    kind: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    directory = tmp_path_factory.mktemp("keys")
    result = []
    for kind, bits in TYPES:
        key = make_key(directory, kind, bits, name=f"{kind}{bits}")
        result.append(Made(key, key.sign(MESSAGE, NAMESPACE), KINDS.get(kind, f"ecdsa-sha2-nistp{bits}")))
    return result


def string(*values: bytes | str) -> bytes:
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return b"".join(len(value).to_bytes(4) + value for value in encoded)


def mpint(value: int) -> bytes:
    return string(value.to_bytes(value.bit_length() // 8 + 1))


def armor(blob: bytes) -> bytes:
    return BEGIN + base64.b64encode(blob) + END


def blob_of(armored: bytes) -> bytes:
    return base64.b64decode(armored.removeprefix(BEGIN).removesuffix(END))


def signed_octets(namespace: str = NAMESPACE, message: bytes = MESSAGE) -> bytes:
    return b"SSHSIG" + string(namespace, b"", "sha512", hashlib.sha512(message).digest())


def wrapped(
    key: bytes,
    signature: bytes,
    *,
    start: bytes = b"SSHSIG\0\0\0\1",
    namespace: str = NAMESPACE,
    reserved: bytes = b"",
    hash_name: bytes | str = "sha512",
    end: bytes = b"",
) -> bytes:
    return armor(start + string(key, namespace, reserved, hash_name, signature) + end)


def ed25519_pair() -> tuple[ed25519.Ed25519PrivateKey, bytes]:
    private = ed25519.Ed25519PrivateKey.generate()
    return private, string("ssh-ed25519", private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def ed25519_signed(**changes: object) -> bytes:
    private, key = ed25519_pair()
    return wrapped(key, string("ssh-ed25519", private.sign(signed_octets())), **changes)  # type: ignore[arg-type]


def of_device(application: str, flags: int, counter: int, signed: bytes) -> bytes:
    """Return what a security key signs."""
    head = hashlib.sha256(application.encode()).digest() + bytes([flags]) + counter.to_bytes(4)
    return head + hashlib.sha256(signed).digest()


def sk_ed25519(flags: int, application: str = "ssh:") -> tuple[bytes, bytes]:
    """Return key and signature of a security key that sets *flags*."""
    kind, private = "sk-ssh-ed25519@openssh.com", ed25519.Ed25519PrivateKey.generate()
    key = string(kind, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), application)
    signature = private.sign(of_device(application, flags, 7, signed_octets()))
    return key, string(kind, signature) + bytes([flags]) + (7).to_bytes(4)


def sk_ecdsa(flags: int, application: str = "ssh:") -> tuple[bytes, bytes]:
    kind, private = "sk-ecdsa-sha2-nistp256@openssh.com", ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    key = string(kind, "nistp256", point, application)
    r, s = decode_dss_signature(
        private.sign(of_device(application, flags, 7, signed_octets()), ec.ECDSA(hashes.SHA256()))
    )
    return key, string(kind, mpint(r) + mpint(s)) + bytes([flags]) + (7).to_bytes(4)


SECURITY_KEYS = pytest.mark.parametrize("device", [sk_ed25519, sk_ecdsa])


def refusal(armored: str | bytes, message: bytes = MESSAGE, namespace: str = NAMESPACE) -> str:
    with pytest.raises(SignatureRefused) as refused:
        verify(armored, message, namespace)
    return str(refused.value)


def test_every_type_of_key_signs(made: list[Made]) -> None:
    for key, armored, kind in made:
        blob = base64.b64decode(key.public.split()[1])
        expected = Verified(PublicKey(kind, blob), "sha512", touched=False)
        assert verify(armored, MESSAGE, NAMESPACE) == expected
        assert verify(armored.decode(), MESSAGE, NAMESPACE) == expected
        assert read_public_key(blob) == expected.key
        assert expected.key.fingerprint == key.fingerprint


def test_the_message_may_be_hashed_with_sha256(made: list[Made]) -> None:
    for key, _, _ in made:
        armored = key.sign(MESSAGE, NAMESPACE, "sha256")
        assert verify(armored, MESSAGE, NAMESPACE).hash_algorithm == "sha256"
        refusal(armored, MESSAGE + b"x")


def test_another_text_is_refused(made: list[Made]) -> None:
    for key, armored, _ in made:
        said = refusal(armored, MESSAGE + b"\n")
        assert said.startswith(f"the signature by {key.fingerprint} does not fit the text: another text was signed")


def test_a_signature_for_files_is_refused(made: list[Made]) -> None:
    said = refusal(made[0].key.sign(MESSAGE, "file"))
    assert said == "the signature is for the namespace 'file', not for 'bgpmon-plan@v1'; sign with -n bgpmon-plan@v1"


@pytest.mark.parametrize("index", range(len(TYPES)), ids=[f"{kind}-{bits}" for kind, bits in TYPES])
@settings(max_examples=3, deadline=None)
@given(mask=st.integers(1, 255))
def test_no_octet_of_the_blob_can_be_changed(made: list[Made], index: int, mask: int) -> None:
    blob = blob_of(made[index].armored)
    assert verify(armor(blob), MESSAGE, NAMESPACE)
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= mask
        refusal(armor(bytes(changed)))


@settings(max_examples=10, deadline=None)
@given(mask=st.integers(1, 255))
def test_no_octet_of_armor_message_or_namespace_can_be_changed(made: list[Made], mask: int) -> None:
    armored = made[0].armored
    for position in range(len(armored)):
        changed = bytearray(armored)
        changed[position] ^= mask
        refusal(bytes(changed))
    for position in range(len(MESSAGE)):
        changed = bytearray(MESSAGE)
        changed[position] ^= mask
        refusal(armored, bytes(changed))
    for position in range(len(NAMESPACE)):
        changed = bytearray(NAMESPACE.encode())
        changed[position] ^= mask
        refusal(armored, namespace=changed.decode("latin-1"))


@SECURITY_KEYS
@settings(max_examples=3, deadline=None)
@given(mask=st.integers(1, 255))
def test_no_octet_of_a_security_key_s_signature_can_be_changed(
    device: Callable[[int], tuple[bytes, bytes]], mask: int
) -> None:
    blob = blob_of(wrapped(*device(TOUCHED)))
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= mask
        refusal(armor(bytes(changed)))


def test_no_shorter_signature_is_good(made: list[Made]) -> None:
    for _, armored, _ in made[:2]:
        blob = blob_of(armored)
        for length in range(len(blob)):
            refusal(armor(blob[:length]))
        for length in range(len(armored) - 1):
            refusal(armored[:length])


@given(st.binary(max_size=200) | st.text(max_size=200) | st.binary(max_size=200).map(armor))
def test_garbage_is_refused(garbage: str | bytes) -> None:
    refusal(garbage)


@given(st.data())
def test_garbage_in_the_fields_is_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(KEY_KINDS)))
    parts = st.lists(st.binary(max_size=70) | st.sampled_from([b"nistp256", b"\1\0\1", b"ssh:"]), max_size=4)
    key = string(kind, *data.draw(parts))
    refusal(wrapped(key, string(data.draw(st.sampled_from([kind, "rsa-sha2-512"])), *data.draw(parts))))


@SECURITY_KEYS
def test_a_touched_security_key_signs(device: Callable[[int, str], tuple[bytes, bytes]], tmp_path: Path) -> None:
    for flags in (TOUCHED, TOUCHED | UNTOUCHED):
        for application in ("ssh:", "ssh:work"):
            key, signature = device(flags, application)
            verified = verify(wrapped(key, signature), MESSAGE, NAMESPACE)
            assert verified.touched
            assert verified.key.blob == key
            assert verified.key.kind.startswith("sk-")
    line = f"alice {verified.key.kind} {base64.b64encode(key).decode()}\n"
    assert ssh_keygen_accepts(tmp_path, line, "alice", wrapped(key, signature), MESSAGE, NAMESPACE)


@SECURITY_KEYS
def test_a_security_key_that_nobody_touched_is_refused(device: Callable[[int], tuple[bytes, bytes]]) -> None:
    for flags in (0, UNTOUCHED):
        assert refusal(wrapped(*device(flags))).startswith("nobody touched the security key")


@SECURITY_KEYS
def test_flag_and_counter_of_a_security_key_are_signed(device: Callable[[int], tuple[bytes, bytes]]) -> None:
    key, signature = device(UNTOUCHED)
    touched = signature[:-5] + bytes([UNTOUCHED | TOUCHED]) + signature[-4:]
    assert "does not fit the text" in refusal(wrapped(key, touched))
    key, signature = device(TOUCHED)
    assert "does not fit the text" in refusal(wrapped(key, signature[:-1] + b"\0"))
    assert "truncated" in refusal(wrapped(key, signature[:-5]))
    assert "1 more octets" in refusal(wrapped(key, signature + b"\0"))


def rsa_pair(bits: int = 2048) -> tuple[rsa.RSAPrivateKey, bytes]:
    private = rsa.generate_private_key(65537, bits)
    numbers = private.public_key().public_numbers()
    return private, string("ssh-rsa") + mpint(numbers.e) + mpint(numbers.n)


def test_rsa_signs_with_both_sha2_algorithms() -> None:
    private, key = rsa_pair()
    algorithms: list[tuple[str, hashes.HashAlgorithm]] = [
        ("rsa-sha2-256", hashes.SHA256()),
        ("rsa-sha2-512", hashes.SHA512()),
    ]
    for name, algorithm in algorithms:
        signature = private.sign(signed_octets(), padding.PKCS1v15(), algorithm)
        assert verify(wrapped(key, string(name, signature)), MESSAGE, NAMESPACE).key.kind == "ssh-rsa"
        others = {"rsa-sha2-256", "rsa-sha2-512", "ssh-rsa", "ssh-ed25519"} - {name}
        for other in others:
            refusal(wrapped(key, string(other, signature)))


def test_rsa_with_sha1_is_refused() -> None:
    private, key = rsa_pair()
    signature = private.sign(signed_octets(), padding.PKCS1v15(), hashes.SHA1())
    said = refusal(wrapped(key, string("ssh-rsa", signature)))
    assert said == "the signature's algorithm is 'ssh-rsa'; for this key it must be rsa-sha2-256 or rsa-sha2-512"


def test_rsa_with_another_padding_is_refused() -> None:
    private, key = rsa_pair()
    pss = padding.PSS(padding.MGF1(hashes.SHA512()), padding.PSS.DIGEST_LENGTH)
    signature = private.sign(signed_octets(), pss, hashes.SHA512())
    assert "does not fit the text" in refusal(wrapped(key, string("rsa-sha2-512", signature)))


def test_zeros_that_an_rsa_signer_left_out_are_put_back() -> None:
    private, key = rsa_pair()
    for number in range(5000):
        message = b"%d" % number
        signature = private.sign(signed_octets(message=message), padding.PKCS1v15(), hashes.SHA512())
        if signature.startswith(b"\0"):
            break
    short = wrapped(key, string("rsa-sha2-512", signature.lstrip(b"\0")))
    assert verify(short, message, NAMESPACE).key.blob == key
    assert "does not fit" in refusal(wrapped(key, string("rsa-sha2-512", b"\0" + signature)), message)


def test_short_rsa_keys_are_refused(tmp_path: Path) -> None:
    armored = make_key(tmp_path, "rsa", 1024).sign(MESSAGE, NAMESPACE)
    assert refusal(armored).startswith("the RSA key has 1024 bits, and 2048 to 16384 are accepted")


def test_huge_rsa_keys_are_refused_before_they_are_used() -> None:
    key = string("ssh-rsa") + mpint(65537) + mpint(2**16384 + 1)
    assert "16385 bits" in refusal(wrapped(key, string("rsa-sha2-512", b"")))


@pytest.mark.parametrize("exponent", [1, 2, 65536])
def test_rsa_exponents_that_make_no_sense_are_refused(exponent: int) -> None:
    key = string("ssh-rsa") + mpint(exponent) + mpint(2**2047 + 1)
    assert refusal(wrapped(key, string("rsa-sha2-512", b""))).startswith("the public key is no ssh-rsa key: ")


def test_numbers_have_one_encoding() -> None:
    private, _ = rsa_pair()
    numbers = private.public_key().public_numbers()
    signature = string("rsa-sha2-512", private.sign(signed_octets(), padding.PKCS1v15(), hashes.SHA512()))
    octets = numbers.n.to_bytes(256)
    negative = string("ssh-rsa") + mpint(numbers.e) + string(octets)
    padded = string("ssh-rsa") + mpint(numbers.e) + string(b"\0\0" + octets)
    empty = string("ssh-rsa") + mpint(numbers.e) + string(b"")
    for key in (negative, padded, empty):
        assert "not positive or not in its shortest form" in refusal(wrapped(key, signature))


def test_points_are_uncompressed_and_on_the_curve_that_the_type_names() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    whole = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    compressed = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    assert read_public_key(string("ecdsa-sha2-nistp256", "nistp256", whole)).kind == "ecdsa-sha2-nistp256"
    for curve, point, problem in (
        ("nistp256", compressed, "uncompressed"),
        ("nistp256", b"\0", "uncompressed"),
        ("nistp256", whole[:-1], "is no ecdsa-sha2-nistp256 key"),
        ("nistp256", whole[:-1] + bytes([whole[-1] ^ 1]), "is no ecdsa-sha2-nistp256 key"),
        ("nistp384", whole, "names the curve 'nistp384'"),
    ):
        with pytest.raises(SignatureRefused, match=problem):
            read_public_key(string("ecdsa-sha2-nistp256", curve, point))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"start": b"SSHSIG\0\0\0\2"}, "the signature has version 2"),
        ({"start": b"SSHSIG\0\0\0\0"}, "the signature has version 0"),
        ({"start": b"SSHSIC\0\0\0\1"}, "this is not an SSH signature"),
        ({"namespace": ""}, "the signature is for the namespace ''"),
        ({"namespace": "git"}, "the signature is for the namespace 'git'"),
        ({"namespace": f"{NAMESPACE}\0"}, "the signature is for the namespace 'bgpmon-plan@v1\\x00'"),
        ({"reserved": b"x"}, "the reserved field of the signature is not empty"),
        ({"hash_name": "sha1"}, "the signature hashes with 'sha1'; only sha256 and sha512"),
        ({"hash_name": "sha384"}, "the signature hashes with 'sha384'"),
        ({"hash_name": "SHA512"}, "the signature hashes with 'SHA512'"),
        ({"hash_name": b"\xff"}, "the signature holds '\\xff' where a name must stand"),
        ({"hash_name": "sha256"}, "does not fit the text"),
        ({"end": b"\0"}, "the signature has 1 more octets than it should"),
    ],
)
def test_each_field_is_checked(changes: dict[str, object], problem: str) -> None:
    assert verify(ed25519_signed(), MESSAGE, NAMESPACE)
    assert problem in refusal(ed25519_signed(**changes))


def test_nothing_follows_a_key_or_its_signature() -> None:
    private, key = ed25519_pair()
    signature = string("ssh-ed25519", private.sign(signed_octets()))
    assert "1 more octets" in refusal(wrapped(key, signature + b"\0"))
    assert "the public key has 1 more octets than it should" in refusal(wrapped(key + b"\0", signature))


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519"])
def test_certificates_are_refused(kind: str) -> None:
    name = f"{kind}-cert-v01@openssh.com"
    assert refusal(wrapped(string(name, b"x"), string(kind, b""))).startswith(f"'{name}' is a certificate, and cert")


@pytest.mark.parametrize("kind", ["ssh-dss", "ssh-ed448", "", "SSH-ED25519"])
def test_other_keys_are_refused(kind: str) -> None:
    assert refusal(wrapped(string(kind, b"x"), string(kind, b""))).startswith(f"keys of the type '{kind}' are not")


def test_the_signature_s_algorithm_must_be_the_key_s() -> None:
    private, key = ed25519_pair()
    for algorithm in ("ssh-rsa", "sk-ssh-ed25519@openssh.com", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", ""):
        said = refusal(wrapped(key, string(algorithm, private.sign(signed_octets()))))
        assert said == f"the signature's algorithm is '{algorithm}'; for this key it must be ssh-ed25519"


def test_each_fault_of_the_armor_is_named() -> None:
    armored = ed25519_signed()
    body = armored.removeprefix(BEGIN).removesuffix(END)
    for octets, problem in (
        (b"", "must begin with the line -----BEGIN SSH SIGNATURE-----"),
        (b"\n" + armored, "must begin with the line"),
        (armored.replace(b"SSH SIGNATURE", b"PGP SIGNATURE"), "must begin with the line"),
        (BEGIN + body, "truncated: the line -----END SSH SIGNATURE----- is missing"),
        (armored + b"\n", "something stands after the last line"),
        (armored * 2, "something stands after the last line"),
        (armored.replace(b"\n", b"\r\n"), "CR LF"),
        (BEGIN + body.replace(b"U", b" U", 1) + END, "is not base64"),
        (BEGIN + body + b"=" + END, "is not base64"),
        (BEGIN + body[:-1] + END, "is not base64"),
        (BEGIN + body + b"!" + END, "is not base64"),
        (BEGIN + END.lstrip(), "truncated"),
        (BEGIN + END, "truncated"),
        (b"x" * (LONGEST_SIGNATURE + 1), "too long for a signature: more than 64 KiB"),
    ):
        assert problem in refusal(octets), octets
    assert "not ASCII" in refusal(armored.decode().replace("\n", "\u2028"))
    assert verify(armored.removesuffix(b"\n"), MESSAGE, NAMESPACE)


def test_base64_has_one_spelling() -> None:
    assert decode_base64(b"eA==") == b"x"
    for text in (b"eB==", b"eA=", b"eA", b"eA==\n", b"e A==", b"eA==eA=="):
        with pytest.raises(ValueError, match=r"."):
            decode_base64(text)


def test_verdicts_are_those_of_ssh_keygen(made: list[Made], tmp_path: Path) -> None:
    for key, armored, _ in made:
        blob = blob_of(armored)
        cases = [
            (armored, MESSAGE, NAMESPACE),
            (armored, MESSAGE[:-1], NAMESPACE),
            (armored, MESSAGE, "file"),
            (armored.replace(b"\n", b"\r\n"), MESSAGE, NAMESPACE),
            (armor(blob[:-1]), MESSAGE, NAMESPACE),
            (armor(blob + b"\0"), MESSAGE, NAMESPACE),
            (armor(blob[:-1] + bytes([blob[-1] ^ 1])), MESSAGE, NAMESPACE),
            (key.sign(b"", NAMESPACE, "sha256"), b"", NAMESPACE),
        ]
        theirs = [ssh_keygen_accepts(tmp_path, f"alice {key.public}\n", "alice", *case) for case in cases]
        assert [_accepted(*case) for case in cases] == theirs
        assert theirs == [True, *[False] * 6, True]


def _accepted(armored: bytes, message: bytes, namespace: str) -> bool:
    try:
        verify(armored, message, namespace)
    except SignatureRefused:
        return False
    return True
