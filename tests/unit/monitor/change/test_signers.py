"""The signers file: one name for one person, and the same verdicts as OpenSSH's own."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.change.signature import PublicKey, SignatureRefused, verify
from monitor.change.signers import Signer, Signers, SignersError, read_signers
from tests.support.signing import SigningKey, make_key, ssh_keygen_accepts

NAMESPACE = "bgpmon-plan@v1"
NOW = datetime(2026, 11, 25, 22, 3, 10, tzinfo=UTC).timestamp()


def ed25519_key(seed: int) -> PublicKey:
    """Return a key that nobody can sign with."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes([seed]) * 32
    return PublicKey("ssh-ed25519", blob)


def text_of(key: PublicKey) -> str:
    return f"{key.kind} {base64.b64encode(key.blob).decode()}"


A, B, C = ed25519_key(1), ed25519_key(2), ed25519_key(3)
KEY_A, KEY_B, KEY_C = map(text_of, (A, B, C))


def problems_of(text: str) -> list[tuple[int, str]]:
    with pytest.raises(SignersError) as wrong:
        read_signers(text)
    assert all(f"line {line}: {problem}" in str(wrong.value) for line, problem in wrong.value.problems)
    return wrong.value.problems


def refusal(signers: Signers, key: PublicKey, namespace: str = NAMESPACE, at: float = NOW) -> str:
    with pytest.raises(SignatureRefused) as refused:
        signers.principal_of(key, namespace, at)
    return str(refused.value)


def test_a_file_is_read() -> None:
    signers = read_signers(
        f"# people who approve\n\n  \t\nalice@example.net {KEY_A} laptop # not the old one\n"
        f'\tbob  namespaces="bgpmon-*,git",valid-after="20260101Z",VALID-BEFORE="202612312359Z"\t{KEY_B}\n'
        f'  # more\nalice@example.net valid-before="20270101000001Z" {KEY_C}\r\n'
    )
    assert signers.signers == (
        Signer("alice@example.net", A, (), None, None, 4),
        Signer(
            *("bob", B, ("bgpmon-*", "git")),
            datetime(2026, 1, 1, tzinfo=UTC).timestamp(),
            *(datetime(2026, 12, 31, 23, 59, tzinfo=UTC).timestamp(), 5),
        ),
        Signer("alice@example.net", C, (), None, datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC).timestamp(), 7),
    )
    assert signers.principals == {"alice@example.net", "bob"}
    assert signers.principal_of(A, NAMESPACE, NOW) == "alice@example.net"
    assert signers.principal_of(B, NAMESPACE, NOW) == "bob"
    assert signers.principal_of(C, NAMESPACE, NOW) == "alice@example.net"


def test_an_empty_file_knows_nobody() -> None:
    for text in ("", "\n", "# nobody yet\n"):
        assert read_signers(text) == Signers(())
    assert read_signers("").principals == frozenset()


def test_an_unknown_key_is_refused_with_its_fingerprint() -> None:
    said = refusal(read_signers(f"alice {KEY_A}"), B)
    assert said == f"the key {B.fingerprint} is unknown: the signers file has no line with it"


@pytest.mark.parametrize(
    ("patterns", "namespace", "meant"),
    [
        ("bgpmon-plan@v1", NAMESPACE, True),
        ("bgpmon-plan@v1", "bgpmon-plan@v10", False),
        ("git,bgpmon-plan@v1", NAMESPACE, True),
        ("git,file", NAMESPACE, False),
        ("*", NAMESPACE, True),
        ("bgpmon-*", NAMESPACE, True),
        ("*@v1", NAMESPACE, True),
        ("bgpmon-plan@v?", NAMESPACE, True),
        ("bgpmon-plan@v??", NAMESPACE, False),
        ("**b**v?", NAMESPACE, True),
        ("BGPMON-*", NAMESPACE, False),
        ("bgpmon.plan@v1", NAMESPACE, False),
        ("[a-z]*", NAMESPACE, False),
        ("b*", "b\n", True),
    ],
)
def test_namespaces_are_patterns(patterns: str, namespace: str, *, meant: bool) -> None:
    signers = read_signers(f'alice namespaces="{patterns}" {KEY_A}')
    if meant:
        assert signers.principal_of(A, namespace, NOW) == "alice"
    else:
        said = refusal(signers, A, namespace)
        listed = patterns.replace(",", ", ")
        assert (
            said == f"the key {A.fingerprint} of alice may not sign for the namespace {namespace!r}, only for {listed}"
        )


def test_a_key_is_valid_from_the_first_to_the_last_moment() -> None:
    signers = read_signers(f'alice valid-after="20260101Z",valid-before="20260201120000Z" {KEY_A}')
    first = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    last = datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp()
    assert signers.principal_of(A, NAMESPACE, first) == signers.principal_of(A, NAMESPACE, last) == "alice"
    assert refusal(signers, A, at=first - 0.5).endswith("of alice is not valid before 2026-01-01T00:00:00Z")
    assert refusal(signers, A, at=last + 0.5).endswith("of alice is not valid after 2026-02-01T12:00:00Z")


def test_one_key_may_have_several_lines_for_its_person() -> None:
    signers = read_signers(
        f'alice namespaces="git" {KEY_A}\nalice namespaces="bgpmon-*",valid-before="20260101Z" {KEY_A}\n'
        f'alice namespaces="bgpmon-*",valid-after="20261001Z" {KEY_A}\n'
    )
    assert signers.principal_of(A, NAMESPACE, NOW) == "alice"
    assert signers.principal_of(A, "git", 0) == "alice"
    assert "not valid before 2026-10-01" in refusal(signers, A, at=datetime(2026, 5, 1, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"*@example.net {KEY_A}", "'*@example.net' is a pattern, but a principal here must be one person"),
        (f"alic? {KEY_A}", "'alic?' is a pattern"),
        (f"!alice {KEY_A}", "'!alice' is a pattern"),
        (f"alice, {KEY_A}", "an empty name stands among the principals"),
        (f"alice,alice {KEY_A}", "the principal alice stands twice on this line"),
        (f'"alice" {KEY_A}', "'\"alice\"' cannot be a principal"),
        (f"\u0430lice {KEY_A}", "'\\u0430lice' cannot be a principal: names are plain ASCII"),
        (f"\ufeffalice {KEY_A}", "'\\ufeffalice' cannot be a principal"),
        (f"alice cert-authority {KEY_A}", "cert-authority is not accepted, as certificates are not"),
        (f'alice Cert-Authority,namespaces="x" {KEY_A}', "cert-authority is not accepted"),
        ("alice ssh-ed25519-cert-v01@openssh.com AAAA", "certificates are not accepted; list the plain key"),
        ('alice namespaces="x" ssh-rsa-cert-v01@openssh.com AAAA', "certificates are not accepted"),
        (f'alice namespaces="a,!b" {KEY_A}', "the namespace '!b' excludes something"),
        (f'alice namespaces="" {KEY_A}', "an empty pattern stands among the namespaces"),
        (f'alice namespaces="a, b" {KEY_A}', "the namespace ' b' holds a space or is not ASCII"),
        (f"alice namespaces=git {KEY_A}", "the options cannot be read from 'namespaces=git' on"),
        (f"alice namespaces {KEY_A}", 'the option namespaces needs a value in quotes, as in namespaces="value"'),
        (f'alice namespaces="git {KEY_A}', "the options cannot be read from"),
        (f'alice namespaces="a\\"b" {KEY_A}', "the options cannot be read from"),
        (f'alice namespaces="git", {KEY_A}', "the options cannot be read from"),
        (f'alice namespaces="git"x {KEY_A}', "the options cannot be read from"),
        (f'alice namespaces="a",namespaces="b" {KEY_A}', "the option namespaces stands twice on this line"),
        (f'alice from="10.0.0.1" {KEY_A}', "the option from is unknown; there are namespaces, valid-after and"),
        (f'alice valid-after="20260101" {KEY_A}', "valid-after must end in Z (UTC), as in 20260101Z"),
        (f'alice valid-before="202601011200" {KEY_A}', "valid-before must end in Z (UTC), as in 202601011200Z"),
        (f'alice valid-after="2026-01-01Z" {KEY_A}', "valid-after is '2026-01-01Z'; it must be YYYYMMDDZ"),
        (f'alice valid-after="20260229Z" {KEY_A}', "valid-after is '20260229Z'; it must be YYYYMMDDZ"),
        (f'alice valid-after="2026010112Z" {KEY_A}', "valid-after is '2026010112Z'"),
        (f'alice valid-after="19700101Z" {KEY_A}', "valid-after is '19700101Z'"),
        (f'alice valid-after="20270101Z",valid-before="20260101Z" {KEY_A}', "the key is never valid"),
        (f'alice valid-after="20260101Z",valid-before="20260101Z" {KEY_A}', "the key is never valid"),
        (
            "alice",
            "a key type must follow the principals (and options, if any), and there is none: ecdsa-sha2-nistp256",
        ),
        ("alice ssh-dss AAAA", "and 'ssh-dss' is none: ecdsa-sha2-nistp256, "),
        (f"alice no-touch-required {KEY_A}", "the option no-touch-required is unknown"),
        ("alice ssh-ed25519", "the key is missing after ssh-ed25519"),
        ("alice ssh-ed25519 AAAA*", "the key is not base64, or only a part of it"),
        (f"alice {KEY_A[:-1]}", "the key is not base64, or only a part of it"),
        (f"alice {KEY_A[:-4]}", "the public key is truncated"),
        (f"alice {KEY_A.replace('ssh-ed25519', 'ssh-rsa')}", "the line says ssh-rsa, but the key is of the type ssh-"),
        (f"alice {KEY_A}\0", "the line holds U+0000, a control character"),
        (f"alice {KEY_A}\rmallory {KEY_B}", "the line holds U+000D, a control character"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: str, problem: str) -> None:
    problems = problems_of(f"# head\n{line}\nzoe {KEY_C}\n")
    assert [number for number, _ in problems] == [2]
    assert problems[0][1].startswith(problem) or problem in problems[0][1]


def test_only_a_newline_ends_a_line() -> None:
    for separator in ("\u2028", "\u0085"):
        signers = read_signers(f"alice {KEY_A} laptop{separator}mallory {KEY_B}\nbob {KEY_C}")
        assert signers.principals == {"alice", "bob"}
        assert [signer.line for signer in signers.signers] == [1, 2]


def test_all_problems_of_a_file_come_at_once() -> None:
    problems = problems_of(
        f'a* valid-after="1",from="x" {KEY_A}\nalice {KEY_A}\nbob {KEY_A}\nALICE {KEY_B}\ncarol ssh-dss AAAA\n'
    )
    assert [line for line, _ in problems] == [1, 1, 1, 3, 4, 5]
    assert problems[3][1].startswith(f"the key {A.fingerprint} is of both alice (line 2) and bob")
    assert problems[4][1].startswith("ALICE and alice (line 2) differ only in case")


def test_one_key_cannot_be_two_people() -> None:
    for text in (f"alice,bob {KEY_A}", f'alice namespaces="git" {KEY_A}\nbob namespaces="file" {KEY_A}'):
        [(_, problem)] = problems_of(text)
        assert "is of both alice (line 1) and bob; one key must not count as two people" in problem


def test_names_are_compared_exactly() -> None:
    signers = read_signers(f"alice {KEY_A}\nalice2 {KEY_B}\nalice@example.net {KEY_C}")
    assert [signers.principal_of(key, NAMESPACE, NOW) for key in (A, B, C)] == ["alice", "alice2", "alice@example.net"]
    [(line, problem)] = problems_of(f"alice@example.net {KEY_A}\nalice@Example.net {KEY_B}")
    assert line == 2
    assert "alice@Example.net and alice@example.net (line 1) differ only in case" in problem


PIECES = st.sampled_from(
    [
        *("alice", "bob,Bob", "*", ",", " ", "\t", "\n", "#", '"', "\\", "=", "cert-authority", "namespaces=", "valid-after="),
        *('namespaces="git"', 'valid-before="20260101Z"', "ssh-rsa", "ssh-ed25519", KEY_A, KEY_B, "AAAA", "\r", "\ud800"),
    ]
)  # fmt: skip


def signers_or_problems(text: str) -> Signers | list[tuple[int, str]]:
    try:
        return read_signers(text)
    except SignersError as error:
        return error.problems


def name_or_reason(signers: Signers, key: PublicKey, namespace: str, at: float) -> str:
    try:
        return signers.principal_of(key, namespace, at)
    except SignatureRefused as error:
        return str(error)


@given(st.text(max_size=100) | st.lists(PIECES, max_size=12).map("".join) | st.lists(PIECES, max_size=12).map(" ".join))
def test_garbage_is_read_or_refused_with_lines(text: str) -> None:
    lines = text.count("\n") + 1
    found = signers_or_problems(text)
    if isinstance(found, Signers):
        assert all(1 <= signer.line <= lines for signer in found.signers)
        assert {signer.key for signer in found.signers} <= {A, B}
    else:
        assert found
        assert all(1 <= line <= lines and problem for line, problem in found)


@given(st.text(max_size=20), st.floats(allow_nan=False))
def test_a_key_s_principal_is_a_name_or_a_refusal(namespace: str, at: float) -> None:
    signers = read_signers(f'alice namespaces="a*",valid-after="20260101Z" {KEY_A}')
    found = name_or_reason(signers, A, namespace, at)
    assert found == "alice" or found.startswith(f"the key {A.fingerprint} of alice ")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[SigningKey, SigningKey]:
    directory = tmp_path_factory.mktemp("keys")
    return make_key(directory, name="a"), make_key(directory, "rsa", 2048, name="b")


@pytest.mark.parametrize(
    ("options", "good"),
    [
        ("", True),
        ('namespaces="bgpmon-*"', True),
        ('NAMESPACES="git,bgpmon-plan@v?"', True),
        ('namespaces="git"', False),
        ('namespaces="BGPMON-*"', False),
        ('valid-after="20261125220310Z"', True),
        ('valid-after="20261125220311Z"', False),
        ('valid-before="20261125220310Z"', True),
        ('valid-before="202611252203Z"', False),
        ('valid-before="20261126Z",valid-after="20261125Z",namespaces="*"', True),
    ],
)
def test_verdicts_are_those_of_ssh_keygen(
    keys: tuple[SigningKey, SigningKey], tmp_path: Path, options: str, *, good: bool
) -> None:
    message = b"x\n"
    for key in keys:
        armored = key.sign(message, NAMESPACE)
        text = f"# people\nbob {KEY_B}\n\talice {options}  {key.public} laptop\n"
        when = "20261125220310Z"
        assert ssh_keygen_accepts(tmp_path, text, "alice", armored, message, NAMESPACE, when) is good
        assert not ssh_keygen_accepts(tmp_path, text, "bob", armored, message, NAMESPACE, when)
        signers, signed_by = read_signers(text), verify(armored, message, NAMESPACE).key
        if good:
            assert signers.principal_of(signed_by, NAMESPACE, NOW) == "alice"
        else:
            assert "of alice" in refusal(signers, signed_by)


def test_weak_keys_are_refused_in_the_file(tmp_path: Path) -> None:
    key = make_key(tmp_path, "rsa", 1024)
    [(line, problem)] = problems_of(f"alice {KEY_A}\nbob {key.public}\n")
    assert (line, problem.partition(",")[0]) == (2, "the RSA key has 1024 bits")


def test_all_types_that_ssh_keygen_makes_can_be_listed(tmp_path: Path) -> None:
    made = [("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)]
    keys = [make_key(tmp_path, kind, bits, name=f"{kind}{bits}") for kind, bits in made]
    signers = read_signers("".join(f"alice {key.public} {key.path.name}\n" for key in keys))
    assert [signer.key.fingerprint for signer in signers.signers] == [key.fingerprint for key in keys]
